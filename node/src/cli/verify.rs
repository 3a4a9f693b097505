//! `verify`, `backup` and `restore`.

use std::fs::File;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail, ensure};
use domain::change::{Hash, chain_start};
use domain::clock::Timestamp;
use domain::digest::Digest;
use domain::id::{ChangeId, NodeId};
use serde_json::{Value, json};
use store::Tx;
use store::node::Kept;
use store::open::Side;
use transport::keys::NodeKeys;
use transport::lock::{OpenLock, ServeLock};

use crate::app::{self, App, Own};
use crate::{journal, rewrite};

/// Checks the file and what it says.
pub(super) async fn verify(app: &App) -> anyhow::Result<Value> {
    store::open::check(&store::open::reader(&app.database())?, Side::Node)?;
    let own = app.own;
    app.store.read(move |tx| check(tx, own)).await
}

/// Checks what a database says: every row against its hash, every entry of every journal of this machine, what is
/// kept beside them, the digests of both feeds against their rows, and that what only the hub makes is in one of them.
///
/// # Errors
/// What does not hold.
pub(crate) fn check(tx: Tx<'_>, own: Own) -> anyhow::Result<Value> {
    if let Some(key) = tx.unsound_rows(1)?.first() {
        bail!("row {} of kind {} is damaged", key.id, key.kind);
    }
    if let Some(key) = tx.unsound_states(1)?.first() {
        bail!(
            "a kept state of row {} of kind {} is damaged",
            key.id,
            key.kind
        );
    }
    if let Some(broken) = tx.broken_at_node(1)?.first() {
        bail!("{broken}");
    }
    let own = own.in_store(tx)?;
    let after = check_journals(tx, own)?;
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

/// Looks at every journal of this machine; the last place of the present epoch.
fn check_journals(tx: Tx<'_>, own: Own) -> anyhow::Result<u64> {
    let mut walk = Walk {
        identities: rewrite::identities(tx, own)?,
        present: own.epoch,
        before: None,
    };
    if let Some(found) = tx.find_in_journals(|kept| walk.look(kept))? {
        bail!("{found}");
    }
    let last = tx.last_entry(own.epoch)?;
    Ok(last.map_or(0, |entry| entry.sequence))
}

/// Goes through the journals entry by entry.
struct Walk {
    /// Under which identities the journals were written.
    identities: Vec<NodeId>,
    /// The epoch in which it goes on.
    present: u32,
    before: Option<Before>,
}

/// The entry that was looked at last.
#[derive(Clone, Copy)]
struct Before {
    former: Option<NodeId>,
    epoch: u32,
    sequence: u64,
    chain: Hash,
    clock: Option<Timestamp>,
}

impl Walk {
    /// What is wrong with an entry, in words.
    fn look(&mut self, kept: &Kept) -> Option<String> {
        let (epoch, sequence) = (kept.entry.epoch, kept.entry.sequence);
        let found = self.finding(kept);
        self.before = Some(Before {
            former: kept.former,
            epoch,
            sequence,
            chain: kept.entry.chain,
            clock: kept.clock,
        });
        found.map(|what| format!("journal entry {epoch}/{sequence}: {what}"))
    }

    fn finding(&self, kept: &Kept) -> Option<&'static str> {
        let (entry, raw) = (&kept.entry, &kept.entry.raw);
        let before = self
            .before
            .filter(|before| (before.former, before.epoch) == (kept.former, entry.epoch));
        let next_to =
            before.filter(|before| before.sequence.checked_add(1) == Some(entry.sequence));
        // Out of an epoch that was left entries have moved: of one that stood behind them the chain before it is
        // known no more. New ones are always written behind the last, so none comes to stand behind another again.
        let is_gapless = kept.former.is_none() && entry.epoch == self.present;
        let follows = match next_to {
            Some(before) => journal::follows(&before.chain, entry),
            None if entry.sequence == 1 => self.begins(kept),
            None => !is_gapless,
        };
        if !follows {
            return Some("the chain breaks here");
        }
        if raw.erased.is_some() && (raw.salt != [0; 16] || !raw.body.is_empty()) {
            return Some("it was erased and has a body");
        }
        // Each is written by the clock of the last one of its epoch, and moved ones keep that as it is.
        if before.is_some_and(|before| kept.clock < before.clock) {
            return Some("the clock went back");
        }
        let id = ChangeId {
            epoch: entry.epoch,
            sequence: entry.sequence,
            ..ChangeId::default()
        };
        // What was erased, or what this program cannot read, does not say what should stand beside it.
        let header = proto::convert::decode_change(id, raw).ok()?.header;
        if (header.kind, header.record) != (entry.key.kind, entry.key.id) {
            return Some("it is kept as another record's");
        }
        if header.timestamp.unix_ms() != kept.at_ms {
            return Some("it is kept as entered at another time");
        }
        let is_own = kept.clock.is_none_or(|clock| clock == header.timestamp);
        let has_moved = next_to.is_none_or(|before| before.clock == kept.clock);
        (!is_own && !has_moved).then_some("it is kept with another clock")
    }

    /// Whether an entry is the first of an epoch under one of this machine's identities.
    fn begins(&self, kept: &Kept) -> bool {
        let (entry, epoch) = (&kept.entry, kept.entry.epoch);
        let of = |node| journal::follows(&chain_start(node, epoch), entry);
        if kept.former.is_none() && epoch == 0 {
            // What was written before there was an identity.
            return of(NodeId::default());
        }
        let mut nodes = kept
            .former
            .into_iter()
            .chain(self.identities.iter().copied());
        nodes.any(of)
    }
}

/// Copies the database.
pub(super) fn backup(app: &App, file: &Path) -> anyhow::Result<Value> {
    ensure!(
        !file.exists(),
        "{} exists already 文件已存在",
        file.display()
    );
    // Under another name until it is whole: what was cut off is no backup.
    let mut part = file.as_os_str().to_owned();
    part.push(".part");
    let part = PathBuf::from(part);
    store::open::discard(&part)?;
    if let Err(error) = store::open::copy(&store::open::reader(&app.database())?, &part) {
        store::open::discard(&part)?;
        return Err(error.into());
    }
    store::open::put_in_place(&part, file)?;
    transport::file::sync_folder_of(file)?;
    Ok(json!({"backup": file}))
}

/// Puts a backup in the place of the database; what was there is kept beside it. The keys stay, so
/// the hub sees that the journal is older and offers an epoch of its own to go on in.
pub(super) fn restore(folder: &Path, file: &Path) -> anyhow::Result<Value> {
    let _lock = ServeLock::acquire(folder)?;
    // What a command that has it open still wrote would lie in the file that is put aside.
    let _alone = OpenLock::take(folder)?.context(
        "another command is at work in this folder: try again when it has ended \
         另有命令正在使用此数据文件夹,请待其结束后重试恢复",
    )?;
    let current = app::database_in(folder);
    let fresh = current.with_extension("restoring");
    // What a restore that was killed has left: its log would be taken for that of the file which comes now.
    store::open::discard(&fresh)?;
    if let Err(error) = take_in(folder, file, &fresh) {
        store::open::discard(&fresh)?;
        return Err(error);
    }
    let aside = store::open::put_aside(&current)?;
    store::open::put_in_place(&fresh, &current)?;
    transport::file::sync_folder_of(&current)?;
    Ok(json!({"restored": file, "kept_beside": aside}))
}

/// Copies a backup to `fresh`, if it is whole and of this machine.
fn take_in(folder: &Path, file: &Path, fresh: &Path) -> anyhow::Result<()> {
    let mut source = File::open(file).with_context(|| format!("cannot read {}", file.display()))?;
    std::io::copy(&mut source, &mut transport::file::create_secret(fresh)?)?;
    let connection = store::open::expect_made(fresh)
        .and_then(|()| store::open::writer(fresh, Side::Node))
        .and_then(|made| store::open::check(&made, Side::Node).map(|()| made))
        .with_context(|| format!("{} is not a backup of a node 不是本机备份", file.display()))?;
    let here = match NodeKeys::load(&app::keys_in(folder))?.identity {
        Some(identity) => Some(NodeId::new(identity.node)),
        None => written_in(&app::database_in(folder)),
    };
    match here {
        Some(node) => app::expect_written_by(Tx::on(&connection), node),
        None => Ok(()),
    }
}

/// Under which identity the database was written that is to be replaced, where it can be read: its keys are lost.
fn written_in(current: &Path) -> Option<NodeId> {
    let reader = store::open::reader(current).ok()?;
    app::written_by(Tx::on(&reader)).ok()?
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use store::StoreError;

    use super::*;
    use crate::rewrite::IDENTITY;

    const NAME: &str = "name";

    /// A machine's folder, and its backup.
    fn machine(folder: &Path, name: &str, number: u8) -> (PathBuf, PathBuf) {
        let (data, backup) = (folder.join(name), folder.join(format!("{name}.backup")));
        app::init(&data).unwrap();
        let mut connection = store::open::writer(&app::database_in(&data), Side::Node).unwrap();
        store::writer::write_on::<_, StoreError>(&mut connection, |tx| {
            tx.set_setting(NAME, name.as_bytes())?;
            tx.set_setting(IDENTITY, &[number; 16])
        })
        .unwrap();
        store::open::copy(&connection, &backup).unwrap();
        (data, backup)
    }

    fn name_in(data: &Path) -> Vec<u8> {
        let reader = store::open::reader(&app::database_in(data)).unwrap();
        Tx::on(&reader).setting(NAME).unwrap().unwrap()
    }

    /// S1, S18: an empty file, one that was cut off, and another machine's are refused, and nothing is touched.
    #[test]
    fn what_is_no_whole_backup_of_this_machine_is_not_put_in_place_of_its_database() {
        let folder = tempfile::tempdir().unwrap();
        let (own, own_backup) = machine(folder.path(), "own", 1);
        let (_, of_other) = machine(folder.path(), "other", 2);
        let [empty, cut] = ["empty", "cut"].map(|name| folder.path().join(name));
        std::fs::write(&empty, "").unwrap();
        let whole = std::fs::read(&own_backup).unwrap();
        std::fs::write(&cut, &whole[..whole.len() - 4096]).unwrap();
        for (file, why) in [
            (&empty, "not a backup"),
            (&cut, "not a backup"),
            (&of_other, "another machine"),
        ] {
            let refused = format!("{:#}", restore(&own, file).unwrap_err());
            assert!(refused.contains(why), "{}: {refused}", file.display());
            assert_eq!(name_in(&own), b"own");
            let names = std::fs::read_dir(&own)
                .unwrap()
                .map(|entry| entry.unwrap().file_name());
            let names = names.map(|name| name.to_string_lossy().into_owned());
            let left: Vec<_> = names.filter(|name| name.contains("restor")).collect();
            assert!(left.is_empty(), "{left:?}");
        }
    }

    /// S1: what a command wrote that had the database open would lie in the file that was put aside, and nowhere else.
    #[test]
    fn a_database_that_a_command_has_open_is_not_put_aside() {
        let folder = tempfile::tempdir().unwrap();
        let (own, backup) = machine(folder.path(), "own", 1);
        let open = App::open(&own).unwrap();
        let refused = restore(&own, &backup).unwrap_err();
        assert!(refused.to_string().contains("another command"), "{refused}");
        drop(open);
        restore(&own, &backup).unwrap();
    }

    /// S16: the log that a killed restore has left is not taken for that of the next backup; what was there is kept.
    #[test]
    fn a_restore_after_a_killed_one_takes_nothing_of_it() {
        let folder = tempfile::tempdir().unwrap();
        let (own, backup) = machine(folder.path(), "own", 1);
        let fresh = app::database_in(&own).with_extension("restoring");
        let mut killed = store::open::writer(&fresh, Side::Node).unwrap();
        store::writer::write_on::<_, StoreError>(&mut killed, |tx| tx.set_setting(NAME, b"killed"))
            .unwrap();
        // As it lies while it is open: with its log.
        let [left, log] = ["", "-wal"].map(|ending| {
            let from = PathBuf::from(format!("{}{ending}", fresh.display()));
            std::fs::read(from).unwrap()
        });
        drop(killed);
        std::fs::write(&fresh, left).unwrap();
        std::fs::write(fresh.with_extension("restoring-wal"), log).unwrap();
        let restored = restore(&own, &backup).unwrap();
        assert_eq!(name_in(&own), b"own");
        let aside = restored["kept_beside"].as_str().unwrap();
        assert!(Path::new(aside).exists() && !fresh.exists());
        assert!(!fresh.with_extension("restoring-wal").exists());
    }
}
