//! What a node's proof finds in its journals.

use std::path::Path;

use anyhow::Context as _;
use domain::change::Verb;
use domain::clock::Timestamp;
use domain::id::{NodeId, OfficeId, RecordId};
use domain::kinds::person;
use domain::record::RecordKey;
use lianxin_node::app::{self, App, Own};
use lianxin_node::{cli, journal, rewrite};
use store::Tx;
use store::node::Kept;

const PERSON: RecordKey = RecordKey {
    kind: person::KIND_NUMBER,
    id: RecordId::new([3; 16]),
};

const fn own(epoch: u32) -> Own {
    Own {
        node: NodeId::new([1; 16]),
        epoch,
        office: OfficeId::new([2; 16]),
    }
}

/// Of two entries of an epoch that was left the hub has decided both; a third has moved into the next one, in which
/// the office has written on.
fn write(tx: Tx<'_>) -> anyhow::Result<()> {
    rewrite::adopt_identity(tx, own(1), false)?;
    let set = |own, text: &str| {
        let remark = vec![(person::REMARKS, text.as_bytes().to_vec())];
        journal::write(tx, own, (PERSON, Verb::Set), remark, "经办人").map(drop)
    };
    let name = vec![(person::NAME, "林一".as_bytes().to_vec())];
    journal::write(tx, own(1), (PERSON, Verb::Create), name, "经办人")?;
    set(own(1), "a")?;
    for sequence in [1, 2] {
        tx.drop_pending(1, sequence)?;
    }
    tx.drop_base_image(PERSON)?;
    set(own(1), "b")?;
    rewrite::open_epoch(tx, own(2), 0, (1, 2), &[])?;
    set(own(2), "c")
}

fn kept(tx: Tx<'_>, epoch: u32, sequence: u64) -> anyhow::Result<Kept> {
    let is_there = |kept: &Kept| (kept.entry.epoch, kept.entry.sequence) == (epoch, sequence);
    let found = tx.find_in_journals(|kept| is_there(kept).then(|| kept.clone()))?;
    found.context("no such entry")
}

/// Puts an entry in the place of the one that stands there; what was decided stays decided.
fn put(tx: Tx<'_>, kept: &Kept) -> anyhow::Result<()> {
    let entry = &kept.entry;
    tx.remove_entry(entry.epoch, entry.sequence)?;
    tx.append_entry(entry, kept.at_ms, kept.clock.context("a clock")?)?;
    if entry.epoch == 1 {
        tx.drop_pending(entry.epoch, entry.sequence)?;
    }
    Ok(())
}

type Spoil = fn(&mut Kept);

/// A place, what becomes of it, and what is said of that.
const SPOILT: &[(u32, u64, Spoil, &str)] = &[
    (1, 1, |kept| kept.entry.raw.salt = [7; 16], "chain breaks"),
    (1, 2, |kept| kept.entry.raw.body.push(0), "chain breaks"),
    (1, 2, |kept| kept.entry.chain = [7; 32], "chain breaks"),
    (2, 1, |kept| kept.entry.raw.header.push(0), "chain breaks"),
    (
        1,
        1,
        |kept| kept.entry.key.id = RecordId::new([4; 16]),
        "another record's",
    ),
    (1, 2, |kept| kept.at_ms += 1, "at another time"),
    (
        1,
        2,
        |kept| kept.clock = Some(Timestamp::at(1)),
        "clock went back",
    ),
    (
        2,
        2,
        |kept| kept.clock = Some(Timestamp::at(kept.at_ms + 1)),
        "another clock",
    ),
];

/// S16, S18, D1: entries of the present and of former epochs, and what stands beside them, are as they were written.
#[test]
fn an_entry_that_is_not_as_it_was_written_is_found() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let runtime = tokio::runtime::Runtime::new()?;
    runtime.block_on(spoil_each(folder.path()))
}

async fn spoil_each(folder: &Path) -> anyhow::Result<()> {
    app::init(folder)?;
    let app = App::open(folder)?;
    app.store.write::<_, anyhow::Error>(write).await?;
    cli::command(&app, &["verify"]).await?;
    for (epoch, sequence, spoil, what) in SPOILT {
        let (epoch, sequence, spoil) = (*epoch, *sequence, *spoil);
        let whole = app
            .store
            .write::<_, anyhow::Error>(move |tx| {
                let whole = kept(tx, epoch, sequence)?;
                let mut spoilt = whole.clone();
                spoil(&mut spoilt);
                put(tx, &spoilt)?;
                Ok(whole)
            })
            .await?;
        let found = cli::command(&app, &["verify"]).await;
        let found = format!("{:#}", found.err().context("nothing is found")?);
        assert!(
            found.contains(what) && found.contains(&format!("{epoch}/{sequence}")),
            "{what}: {found}"
        );
        app.store
            .write::<_, anyhow::Error>(move |tx| put(tx, &whole))
            .await?;
        cli::command(&app, &["verify"]).await?;
    }
    Ok(())
}
