//! Down: pages of feeds, heads as they move, and the descent where digests differ.

use std::collections::BTreeSet;
use std::time::Duration;

use domain::digest::{Digest, Placed, certificate_text};
use domain::id::{NodeId, RecordId};
use domain::kinds::organisation;
use domain::limits;
use domain::record::RecordKey;
use domain::session::hub::{self as session, Reader};
use prost::Message as _;
use prost::bytes::Bytes;
use proto::convert::{self, FeedRow, LeaveReason};
use proto::status::CallRefused;
use proto::wire::sync as wire;
use store::Tx;
use store::hub::{Entry, Head, Known, Node};
use tokio::sync::{OwnedSemaphorePermit, mpsc};
use tokio_stream::wrappers::ReceiverStream;
use tonic::Status;
use transport::sign::{Context, VerifyingKey};

use super::Shared;
use super::damaged::note_damaged;
use super::sync::feeds_of;
use crate::app::App;
use crate::error::HubError;
use crate::{damaged, recovery, release};

/// Why a machine is not answered that was copied, or was never greeted in the epoch that it names.
pub(super) const SET_APART: &str = "two machines speak for this office";
/// Prefixes that one call describes.
const PREFIXES_MAX: usize = 256;
/// Pages made ahead of the reader.
const PAGES_AHEAD: usize = 2;
/// A watcher hears at least so often, so that a dead line shows.
const WATCH_BEAT: Duration = Duration::from_secs(20);

/// Streams the pages of the asked feeds, each read in a snapshot of its own.
pub(super) fn stream(
    app: App,
    node: Node,
    asked: wire::PullRequest,
    room: OwnedSemaphorePermit,
) -> ReceiverStream<Result<wire::Page, Status>> {
    let (pages, stream) = mpsc::channel(PAGES_AHEAD);
    tokio::spawn(system::carry(async move {
        // Held until the last page is taken, or the reader goes away.
        let _room = room;
        let allowed = feeds_of(&node);
        for cursor in asked
            .cursors
            .iter()
            .filter(|cursor| allowed.contains(&cursor.feed))
        {
            let mut after = cursor.sequence;
            if cursor.proven && stands_at(&app, cursor).await {
                continue;
            }
            loop {
                let (app_here, node_here, feed) = (app.clone(), node.clone(), cursor.feed.clone());
                let reader = Reader {
                    node: node.id,
                    epoch: asked.epoch,
                    folded_through: asked.folded_through,
                    whole_through: cursor.whole_through,
                };
                let erasing = asked.erasing;
                let read = app.store.read::<_, HubError>(move |tx| {
                    page(tx, &app_here, &node_here, (&feed, erasing), (after, reader))
                });
                let page = match read.await {
                    Ok((page, news)) => {
                        note_damaged(&app, news).await;
                        Ok(page)
                    }
                    Err(why) => Err(Status::from(why)),
                };
                let is_last = page.as_ref().map_or(true, |page| page.digest.is_some());
                after = page.as_ref().map_or(after, |page| page.to_sequence);
                if pages.send(page).await.is_err() || is_last {
                    break;
                }
            }
        }
    }));
    ReceiverStream::new(stream)
}

/// Whether a feed still stands where the reader is; a store that cannot tell reads a page.
async fn stands_at(app: &App, cursor: &wire::Cursor) -> bool {
    let (feed, at) = ([cursor.feed.clone()], cursor.sequence);
    let heads = app
        .store
        .read::<_, HubError>(move |tx| Ok(tx.heads(&feed)?))
        .await;
    heads.is_ok_and(|heads| heads.iter().all(|head| head.sequence == at))
}

/// A page, and what is to be noted of the rows that are damaged here and so not in it.
fn page(
    tx: Tx<'_>,
    app: &App,
    node: &Node,
    (feed, erasing): (&str, bool),
    (after, reader): (u64, Reader),
) -> Result<(wire::Page, Vec<String>), HubError> {
    if tx
        .node(node.id)?
        .is_none_or(|node| node.revoked_at.is_some())
    {
        return Err(CallRefused::Revoked.into());
    }
    // A place that the feed never had: the hub was put back, or the cursor is nobody's. From zero.
    let heads = tx.heads(&[feed.to_owned()])?;
    let head = heads.iter().map(|head| head.sequence).max().unwrap_or(0);
    let after = session::read_from(after, head);
    let reader = Reader {
        whole_through: session::read_from(reader.whole_through, head),
        ..reader
    };
    let epoch = reader.epoch;
    let decided_through = tx.journal(node.id, epoch)?.map_or(0, |j| j.decided_through);
    let bounds = (limits::PAGE_ROWS_MAX, limits::PAGE_BYTES_MAX);
    let page = tx.page(feed, after, &reader, bounds)?;
    let news = damaged::unnoted(tx, &page.damaged)?;
    let rows: Vec<_> = page.entries.into_iter().map(feed_row).collect();
    let (bytes, raw_bytes) = convert::encode_rows(&rows)?;
    let key = app.identity.signing_key();
    let text =
        convert::decided_signature_text(app.own.incarnation, node.id, epoch, decided_through);
    let durable = match page.digest {
        Some(_) if erasing => tx.durable_of(node.office)?,
        _ => Vec::new(),
    };
    let digest = page.digest.map(|digest| {
        let (office, at) = (node.office, page.to_sequence);
        let text = certificate_text(office, feed, at, &digest, app.own.incarnation);
        convert::encode_digest(&digest, &key.sign(Context::Digest, &text))
    });
    let page = wire::Page {
        feed: feed.to_owned(),
        rows: bytes.into(),
        raw_bytes,
        to_sequence: page.to_sequence,
        decided_through,
        digest,
        decided_signature: Bytes::copy_from_slice(&key.sign(Context::Decided, &text)),
        durable: durable.into_iter().map(wire_durable).collect(),
        released_through: tx.released_through(feed)?,
    };
    Ok((page, news))
}

fn wire_durable((node, epoch, sequence): (NodeId, u32, u64)) -> wire::Durable {
    wire::Durable {
        node: Bytes::copy_from_slice(&node.bytes()),
        epoch,
        sequence,
    }
}

fn feed_row(entry: Entry) -> FeedRow {
    match entry {
        Entry::State(record) => FeedRow::State(record),
        Entry::Left(key, 1) => FeedRow::Left(key, LeaveReason::Transferred),
        Entry::Left(key, 4) => FeedRow::Left(key, LeaveReason::Purged),
        Entry::Left(key, _) => FeedRow::Left(key, LeaveReason::Withdrawn),
    }
}

/// Tells which feeds have grown, as they grow; ends when the node is revoked.
pub(super) fn watch(
    shared: Shared,
    node: Node,
    room: OwnedSemaphorePermit,
) -> ReceiverStream<Result<wire::FeedHead, Status>> {
    let (heads, stream) = mpsc::channel(8);
    tokio::spawn(system::carry(async move {
        // Held until the reader goes away.
        let _room = room;
        let mut commits = shared.commits.clone();
        let mut told: Vec<Head> = Vec::new();
        loop {
            let (feeds, id) = (feeds_of(&node), node.id);
            let read = shared.app.store.read::<_, HubError>(move |tx| {
                let is_revoked = tx.node(id)?.is_none_or(|node| node.revoked_at.is_some());
                Ok((!is_revoked).then_some(tx.heads(&feeds)?))
            });
            let Ok(Some(now)) = read.await else { return };
            for head in now.iter().filter(|head| !told.contains(head)) {
                let head = wire::FeedHead {
                    feed: head.feed.clone(),
                    sequence: head.sequence,
                };
                if heads.send(Ok(head)).await.is_err() {
                    return;
                }
            }
            told = now;
            let beat = tokio::time::timeout(WATCH_BEAT, commits.changed());
            let beat = tokio::select! {
                biased;
                () = heads.closed() => return,
                beat = beat => beat,
            };
            if matches!(beat, Ok(Err(_))) {
                return;
            }
        }
    }));
    ReceiverStream::new(stream)
}

/// Describes prefixes, says what is known of wanted rows, and takes the node's half of a certificate.
pub(super) async fn reconcile(
    shared: &Shared,
    node: Node,
    asked: wire::ReconcileRequest,
    question: OwnedSemaphorePermit,
) -> Result<wire::ReconcileResponse, Status> {
    let app = &shared.app;
    check_prefixes(&asked.prefixes)?;
    let _room = shared.room(asked.offered_raw_bytes)?;
    check_reads(app, &node, asked.epoch).await?;
    let adopted = take_report(app, &node, &asked).await?;
    let (answer, news) = app
        .store
        .read::<_, HubError>(move |tx| {
            // Held until it is answered, though nobody may wait for that any more.
            let _question = question;
            let rows = if asked.prefixes.is_empty() {
                Vec::new()
            } else {
                tx.feed_rows(&asked.feed)?
            };
            let rows = Placed::new(&rows);
            let described = asked.prefixes.iter().take(PREFIXES_MAX);
            let below = described
                .map(|prefix| convert::encode_below(prefix, &rows.below(prefix)))
                .collect();
            let (answered, news) = wanted(tx, &asked.feed, &asked.wanted)?;
            let answer = wire::ReconcileResponse {
                below,
                adopted,
                ..answered
            };
            Ok((answer, news))
        })
        .await?;
    note_damaged(app, news).await;
    Ok(answer)
}

/// Refuses a prefix that is named twice: as each is described once, what a call costs is bounded by the
/// rows of its feed.
fn check_prefixes(prefixes: &[Bytes]) -> Result<(), CallRefused> {
    let mut seen = BTreeSet::new();
    let mut described = prefixes.iter().take(PREFIXES_MAX);
    if described.all(|prefix| seen.insert(&prefix[..])) {
        Ok(())
    } else {
        Err(convert::Invalid::Value("prefixes").into())
    }
}

/// Refuses a copied machine that was set apart: it reads nothing, and nothing that it says of a feed
/// counts. A restored hub may not know the epoch of one that still has to report.
async fn check_reads(app: &App, node: &Node, epoch: u32) -> Result<(), Status> {
    let id = node.id;
    let (journal, is_recovering) = app
        .store
        .read::<_, HubError>(move |tx| Ok((tx.journal(id, epoch)?, recovery::is_recovering(tx)?)))
        .await?;
    let is_kept_only = journal.map(|journal| journal.is_kept_only);
    if !session::may_reconcile(is_kept_only, is_recovering) {
        return Err(CallRefused::NotAllowed(SET_APART).into());
    }
    Ok(())
}

/// What the hub knows of the wanted rows, from the first to where a page is full, as a page of the feed would tell it;
/// and what is to be noted of those that are damaged here.
fn wanted(
    tx: Tx<'_>,
    feed: &str,
    names: &[Bytes],
) -> Result<(wire::ReconcileResponse, Vec<String>), HubError> {
    let (mut said, mut spoilt, mut bytes) = (wire::ReconcileResponse::default(), Vec::new(), 0);
    for name in names.iter().take(limits::PAGE_ROWS_MAX) {
        if bytes >= limits::PAGE_BYTES_MAX {
            break;
        }
        let key = convert::decode_key(name, "wanted")?;
        match tx.known_in(key, feed)? {
            Some(Known::Entry(entry)) => {
                let row = convert::encode_row(&feed_row(entry));
                bytes += row.encoded_len();
                said.rows.push(row);
            }
            Some(Known::Damaged(stored)) => {
                said.damaged.push(name.clone());
                spoilt.push((key, stored));
            }
            None => {}
        }
        said.answered += 1;
    }
    Ok((said, damaged::unnoted(tx, &spoilt)?))
}

/// Takes what a reconciliation brings: the node's half of a certificate, rows that a restored hub
/// has lost, and their proof.
async fn take_report(
    app: &App,
    node: &Node,
    asked: &wire::ReconcileRequest,
) -> Result<u64, HubError> {
    let is_report = asked.equality.is_some()
        || asked.proof.is_some()
        || asked.offered_raw_bytes > 0
        || !asked.erased.is_empty()
        || !asked.gone.is_empty();
    if !is_report {
        return Ok(0);
    }
    let offered = match asked.offered_raw_bytes {
        0 => Vec::new(),
        raw_bytes => convert::decode_rows(&asked.offered, raw_bytes)?,
    };
    let mut gone = Vec::new();
    for name in &asked.gone {
        gone.push(convert::decode_key(name, "gone")?);
    }
    let (own, node, asked) = (app.clone(), node.clone(), asked.clone());
    app.store
        .write::<_, HubError>(move |tx| {
            if let Some(equality) = &asked.equality {
                take_certificate(tx, &own, &node, &asked.feed, equality)?;
            }
            release::take_statements(tx, &node, asked.erased, system::now_ms())?;
            recovery::take_offers(tx, &node, &asked.feed, offered, &gone)?;
            match &asked.proof {
                Some(proof) => {
                    recovery::take_proof(tx, &own, &node, &asked.feed, proof, system::now_ms())
                }
                None => Ok(0),
            }
        })
        .await
}

fn take_certificate(
    tx: Tx<'_>,
    app: &App,
    node: &Node,
    feed: &str,
    equality: &wire::Equality,
) -> Result<(), HubError> {
    let sum = convert::thirty_two(&equality.sum, "sum")?;
    let digest = Digest::from_parts(&sum, equality.count);
    let (incarnation, at) = (app.own.incarnation, equality.sequence);
    let text = certificate_text(node.office, feed, at, &digest, incarnation);
    VerifyingKey(node.verifying_key)
        .verify(Context::Digest, &text, &equality.signature)
        .map_err(|_| CallRefused::BadSignature)?;
    let heads = tx.heads(&[feed.to_owned()])?;
    let is_head = heads.iter().any(|head| head.sequence == at);
    if !is_head {
        // The feed has moved on: what cannot be checked is not kept.
        return Ok(());
    }
    if tx.feed_digest(feed)? != digest {
        return Err(CallRefused::NotAllowed("the digests differ").into());
    }
    recovery::drop_answered_evidence(tx, node, feed)?;
    let own = app.identity.signing_key().sign(Context::Digest, &text);
    tx.put_certificate(
        node.id,
        feed,
        at,
        &digest,
        (&own, &equality.signature),
        system::now_ms(),
    )?;
    Ok(())
}

/// The code of an office, for its certificate; empty where it has none.
pub(super) async fn office_code(app: &App, office: RecordId) -> Result<String, Status> {
    let key = RecordKey {
        kind: organisation::KIND_NUMBER,
        id: office,
    };
    let record = app
        .store
        .read::<_, HubError>(move |tx| Ok(tx.record(key)?))
        .await?;
    let code = record.and_then(|r| r.text(organisation::CODE).map(str::to_owned));
    Ok(code.unwrap_or_default())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test stops at what must not fail")]

    use std::collections::BTreeMap;
    use std::sync::Arc;

    use domain::id::{ChangeId, DESK, OfficeId};
    use domain::kind::Class;
    use domain::kinds::person;
    use domain::record::{Life, Record, Version};
    use domain::world::{Leaving, Mover, Writes};
    use store::StoreError;
    use store::open::{Side, writer};
    use tokio::sync::Semaphore;
    use tokio_stream::StreamExt as _;

    use super::*;
    use crate::damaged::ROW_DAMAGED;

    const OFFICE: OfficeId = OfficeId::new([1; 16]);
    const NODE: NodeId = NodeId::new([2; 16]);
    /// More rows than a page has.
    const COUNT: usize = limits::PAGE_ROWS_MAX + 2;

    fn record(number: usize, revision: u64) -> Record {
        let mut id = [3; 16];
        id[..8].copy_from_slice(&number.to_be_bytes());
        Record {
            key: RecordKey {
                kind: person::KIND_NUMBER,
                id: RecordId::new(id),
            },
            class: Class::Shared,
            office: OFFICE,
            revision,
            life: Life::Alive,
            life_version: Version {
                change: ChangeId::default(),
                ordered_at: 0,
            },
            fields: BTreeMap::new(),
        }
    }

    fn written(records: impl IntoIterator<Item = Record>, mover: Mover) -> Writes {
        let mut writes = Writes::default();
        for record in records {
            writes.records.insert(record.key, (record, mover));
        }
        writes
    }

    /// What a node is sent of the feed of [`OFFICE`], page by page, in which others have moved all records once,
    /// and then `then` was written.
    async fn pages_after(
        folded_through: u64,
        then: impl FnOnce(Tx<'_>) -> Result<(), StoreError> + Send + 'static,
    ) -> Vec<wire::Page> {
        let folder = tempfile::tempdir().unwrap();
        crate::app::init(folder.path(), "hub", &[]).unwrap();
        let app = App::open(folder.path()).unwrap();
        let node = Node::new(NODE, OFFICE, [0; 32]);
        let reader = node.clone();
        let made = app.store.write::<_, StoreError>(move |tx| {
            tx.insert_node(&reader, 0)?;
            let all = (0..COUNT).map(|number| record(number, 1));
            tx.apply(&written(all, Mover::Foreign), 1)?;
            then(tx)
        });
        made.await.unwrap();
        let cursor = wire::Cursor {
            feed: format!("office/{OFFICE}"),
            ..wire::Cursor::default()
        };
        let asked = wire::PullRequest {
            epoch: 1,
            cursors: vec![cursor],
            folded_through,
            ..wire::PullRequest::default()
        };
        let room = Arc::new(Semaphore::new(1)).acquire_owned().await.unwrap();
        // Without an end it would go on for ever.
        let pages = stream(app, node, asked, room).take(3);
        pages.map(Result::unwrap).collect().await
    }

    /// L1: a first reading of several pages comes to the head, though an entry behind the first page was released.
    #[tokio::test]
    async fn a_first_reading_goes_on_behind_its_first_page_whatever_was_released() {
        let pages = pages_after(0, |tx| {
            let mut leaves = Writes::default();
            let last = (record(COUNT - 1, 1).key, OFFICE);
            leaves.leaves.insert(last, Leaving::Withdrawn);
            tx.apply(&leaves, 2)?;
            for left in tx.left_before(2, (0, "", 0), 1)? {
                tx.release_left(&left)?;
            }
            Ok(())
        });
        let pages = pages.await;
        let ends: Vec<_> = pages.iter().map(|page| page.digest.is_some()).collect();
        assert_eq!(ends, [false, true]);
        let head = COUNT as u64 + 1;
        let told = pages
            .iter()
            .map(|page| (page.to_sequence, page.released_through));
        assert_eq!(told.last(), Some((head, head)));
    }

    /// S13: what others did to a record that its office has moved since is sent, though the page begins behind the place
    /// where they did: it did not stand there any more when that place was read.
    #[tokio::test]
    async fn a_page_brings_what_a_page_before_could_not() {
        let own = ChangeId {
            node: NODE,
            epoch: 1,
            sequence: 1,
        };
        let pages = pages_after(1, move |tx| {
            let moved = written([record(0, 2)], Mover::Own(own));
            tx.apply(&moved, 2)
        });
        let pages = pages.await;
        let mut rows = Vec::new();
        for page in &pages {
            rows.extend(convert::decode_rows(&page.rows, page.raw_bytes).unwrap());
        }
        assert_eq!(rows.len(), COUNT);
        let last = rows.last().cloned();
        assert_eq!(last, Some(FeedRow::State(record(0, 2))));
    }

    /// L1, S18: of what a node asks for it is told what has left, also where no entry says so any more; what is damaged
    /// is noted once, and given to nobody.
    #[tokio::test]
    async fn what_is_known_and_not_in_the_feed_has_left_and_what_is_damaged_is_no_source() {
        let folder = tempfile::tempdir().unwrap();
        crate::app::init(folder.path(), "hub", &[]).unwrap();
        let app = App::open(folder.path()).unwrap();
        let made = app.store.write::<_, StoreError>(|tx| {
            tx.offer_epoch(NODE, b"", 1, &[0; 32])?;
            let mut desks = record(2, 1);
            desks.office = DESK;
            let all = [record(0, 1), record(1, 1), desks, record(4, 7)];
            let mut writes = written(all, Mover::Foreign);
            let left = (record(1, 1).key, OFFICE);
            writes.leaves.insert(left, Leaving::Transferred);
            tx.apply(&writes, 1)
        });
        made.await.unwrap();
        let spoiler = writer(&app.database(), Side::Hub).unwrap();
        let spoilt = "UPDATE person SET life = 2 WHERE revision = 7";
        spoiler.execute_batch(spoilt).unwrap();
        let shared = Shared::new(app, tokio::sync::watch::channel(0).1);
        let name = |number| convert::encode_key(record(number, 1).key);
        for _ in 0..2 {
            let asked = wire::ReconcileRequest {
                epoch: 1,
                feed: format!("office/{OFFICE}"),
                wanted: (0..5).map(name).collect(),
                ..wire::ReconcileRequest::default()
            };
            let (node, room) = (Node::new(NODE, OFFICE, [0; 32]), shared.question_room(NODE));
            let said = reconcile(&shared, node, asked, room.unwrap()).await;
            let said = said.unwrap();
            let rows = said.rows.into_iter().map(convert::decode_row);
            let left = |number, why| FeedRow::Left(record(number, 1).key, why);
            let known = [
                FeedRow::State(record(0, 1)),
                left(1, LeaveReason::Transferred),
                left(2, LeaveReason::Withdrawn),
            ];
            assert_eq!(rows.map(Result::unwrap).collect::<Vec<_>>(), known);
            assert_eq!((said.answered, said.damaged), (5, vec![name(4)]));
        }
        let noted = shared.app.store.read::<_, StoreError>(|tx| tx.incidents());
        assert_eq!(noted.await.unwrap().get(ROW_DAMAGED), Some(&1));
    }
}
