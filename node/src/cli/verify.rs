//! `verify` and `backup`.

use std::path::Path;

use anyhow::{Context as _, bail, ensure};
use domain::change::{chain_next, chain_start};
use domain::digest::Digest;
use serde_json::{Value, json};
use store::Tx;
use store::open::Side;
use transport::keys::NodeKeys;
use transport::lock::ServeLock;

use crate::app::{App, Own};

/// Entries read at once.
const PORTION: (usize, usize) = (5_000, 8 * 1024 * 1024);

/// Checks the file and what it says.
pub(super) async fn verify(app: &App) -> anyhow::Result<Value> {
    store::open::check(&store::open::reader(&app.database())?, Side::Node)?;
    let own = app.own;
    app.store.read(move |tx| check(tx, own)).await
}

/// Checks what a database says: every row against its hash, the journal's chain, the digests of both feeds against
/// their rows, and that what only the hub makes is in one of them.
///
/// # Errors
/// What does not hold.
pub(crate) fn check(tx: Tx<'_>, own: Own) -> anyhow::Result<Value> {
    if let Some(key) = tx.unsound_rows(1)?.first() {
        bail!("row {} of kind {} is damaged", key.id, key.kind);
    }
    let (mut after, mut chain) = (0, chain_start(own.node, own.epoch));
    loop {
        let entries = tx.entries_after(own.epoch, after, PORTION)?;
        let Some(last) = entries.last() else { break };
        after = last.sequence;
        for entry in &entries {
            chain = chain_next(&chain, &entry.raw.header, &entry.raw.body_hash());
            ensure!(
                chain == entry.chain,
                "the journal's chain breaks at {}",
                entry.sequence
            );
        }
    }
    let mut counts = serde_json::Map::new();
    for feed in ["city".to_owned(), own.office_feed()] {
        let mut counted = Digest::default();
        for (key, hash) in tx.counted_in(&feed)? {
            let confirmed = match tx.base_image(key)? {
                Some(confirmed) => confirmed.map(|record| record.hash()),
                None => tx.row_hash(key)?,
            };
            ensure!(
                confirmed == Some(hash),
                "row {} differs from its hash",
                key.id
            );
            counted.add(&hash);
        }
        let digest = tx.reading(&feed)?.digest;
        ensure!(
            counted == digest,
            "the digest of {feed} differs from its rows"
        );
        counts.insert(feed, counted.count().into());
    }
    if let Some(key) = tx.uncounted_of_hub()? {
        let (kind, id) = (key.kind, key.id);
        bail!("row {id} of kind {kind} is the hub's and in no feed");
    }
    Ok(json!({"journal": after, "feeds": counts}))
}

/// Copies the database.
pub(super) fn backup(app: &App, file: &Path) -> anyhow::Result<Value> {
    ensure!(
        !file.exists(),
        "{} exists already 文件已存在",
        file.display()
    );
    store::open::copy(&store::open::reader(&app.database())?, file)?;
    Ok(json!({"backup": file}))
}

/// Puts a backup in the place of the database; what was there is kept beside it. The keys stay, so
/// the hub sees that the journal is older and offers an epoch of its own to go on in.
pub(super) fn restore(folder: &Path, file: &Path) -> anyhow::Result<Value> {
    let _lock = ServeLock::acquire(folder)?;
    let current = crate::app::database_in(folder);
    let fresh = current.with_extension("restoring");
    std::fs::copy(file, &fresh).with_context(|| format!("cannot read {}", file.display()))?;
    let checked =
        store::open::writer(&fresh, Side::Node).and_then(|c| store::open::check(&c, Side::Node));
    if let Err(error) = checked {
        std::fs::remove_file(&fresh)?;
        return Err(anyhow::Error::from(error).context(format!(
            "{} is not a backup of a node 不是本机备份",
            file.display()
        )));
    }
    let keys = NodeKeys::load(&crate::app::keys_in(folder))?;
    let connection = store::open::writer(&fresh, Side::Node)?;
    let is_own = crate::app::check_identity(store::Tx::on(&connection), &keys);
    drop(connection);
    if let Err(error) = is_own {
        std::fs::remove_file(&fresh)?;
        return Err(error);
    }
    let aside = store::open::put_aside(&current)?;
    std::fs::rename(&fresh, &current)?;
    Ok(json!({"restored": file, "kept_beside": aside}))
}
