//! A machine joins anew, or goes on in another epoch, while a session of what it was is live.

use std::collections::BTreeSet;
use std::path::Path;

use anyhow::Context as _;
use domain::change::Verb;
use domain::id::{NodeId, OfficeId, RecordId};
use domain::kind::Class;
use domain::kinds::person;
use domain::record::{Life, Record, RecordKey, Version};
use lianxin_node::app::{self, App, Own};
use lianxin_node::{fold, journal, rewrite};
use proto::convert::FeedRow;
use transport::keys::{NodeKeys, TlsKey};

const FIRST: Own = Own {
    node: NodeId::new([1; 16]),
    epoch: 1,
    office: OfficeId::new([2; 16]),
};
const SECOND: Own = Own {
    node: NodeId::new([3; 16]),
    epoch: 1,
    office: OfficeId::new([4; 16]),
};

const fn key(number: u8) -> RecordKey {
    RecordKey {
        kind: person::KIND_NUMBER,
        id: RecordId::new([number; 16]),
    }
}

/// A machine as the first, which has entered a person and not sent it.
async fn machine(folder: &Path) -> anyhow::Result<App> {
    app::init(folder)?;
    let mut app = App::open(folder)?;
    app.own = FIRST;
    let enter = |tx: store::Tx<'_>| -> anyhow::Result<()> {
        rewrite::adopt_identity(tx, FIRST, false)?;
        let name = vec![(person::NAME, "林一".as_bytes().to_vec())];
        journal::write(tx, FIRST, (key(5), Verb::Create), name, "经办人")?;
        Ok(())
    };
    app.store.write(enter).await?;
    Ok(app)
}

/// Another process has the machine join anew as the second.
async fn join(app: &App) -> anyhow::Result<()> {
    let adopt = |tx: store::Tx<'_>| rewrite::adopt_identity(tx, SECOND, false);
    assert_eq!(app.store.write(adopt).await?, 1, "the person moves");
    Ok(())
}

fn expect_refused<T>(done: anyhow::Result<T>) -> anyhow::Result<()> {
    let refused = done.err().context("it went on as what it was")?;
    assert!(refused.to_string().contains("本机身份已变更"), "{refused}");
    Ok(())
}

/// S8, S1: what a session of a former identity is told is not taken, and nothing is read for it to send; the next one,
/// as what the machine is now, goes on.
#[tokio::test]
async fn a_session_of_a_former_identity_ends() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let app = machine(folder.path()).await?;
    let page = |number: u8| fold::Page {
        feed: FIRST.office_feed(),
        rows: vec![FeedRow::State(Record {
            key: key(number),
            class: Class::Shared,
            office: FIRST.office,
            revision: 1,
            life: Life::Alive,
            life_version: Version::default(),
            fields: std::collections::BTreeMap::new(),
        })],
        to_sequence: number.into(),
        is_last: true,
        decided_through: 0,
        released_through: 0,
    };
    let (before, after) = (page(6), page(7));
    app.write_as_own(move |tx| fold::take_page(tx, FIRST, &before))
        .await?;
    join(&app).await?;

    expect_refused(
        app.write_as_own(move |tx| fold::take_page(tx, FIRST, &after))
            .await,
    )?;
    let answer =
        |tx: store::Tx<'_>| fold::take_answer(tx, FIRST, &FIRST.office_feed(), 1, &BTreeSet::new());
    expect_refused(app.write_as_own(answer).await)?;
    expect_refused(app.read_as_own(|tx| Ok(tx.pending_count()?)).await)?;
    let mut next = app.clone();
    next.own = SECOND;
    let kept = |tx: store::Tx<'_>| {
        let feed = FIRST.office_feed();
        let (read, counted) = (tx.reading(&feed)?, tx.counted_in(&feed)?);
        assert_eq!((read.sequence, counted.len()), (0, 0), "of the former feed");
        Ok(tx.pending_places(1)?)
    };
    assert_eq!(next.read_as_own(kept).await?, [1]);

    // Another process goes on in another epoch.
    let later = Own { epoch: 2, ..SECOND };
    let open = move |tx: store::Tx<'_>| rewrite::open_epoch(tx, later, 0, (1, 0), &[]);
    next.write_as_own(|_| Ok(())).await?;
    assert_eq!(next.store.write(open).await?, 1);
    expect_refused(next.write_as_own(|_| Ok(())).await)
}

/// L1: what else was written into the key file since it was read stays there; once the machine has joined anew, a
/// session of what it was writes nothing over the new keys: without them the machine could speak no more.
#[tokio::test]
async fn a_session_of_a_former_identity_leaves_the_keys_alone() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let app = machine(folder.path()).await?;
    let (first, second) = (TlsKey::generate()?, TlsKey::generate()?);
    app.change_keys(move |keys| {
        keys.renewal = Some(first);
        Ok(())
    })
    .await?;
    let mut keys = NodeKeys::load(&app.keys_path())?;
    keys.renewal = Some(second.clone());
    keys.save(&app.keys_path())?;
    let found = app.change_keys(|keys| Ok(keys.renewal.clone())).await?;
    assert_eq!(found, Some(second.clone()));

    join(&app).await?;
    let renew = |keys: &mut NodeKeys| {
        keys.renewal = None;
        Ok(())
    };
    expect_refused(app.change_keys(renew).await)?;
    let kept = NodeKeys::load(&app.keys_path())?;
    assert_eq!(kept.renewal, Some(second));
    Ok(())
}
