//! Releases what told of removals once every node has heard it (`sync.md` 9), and keeps what nodes
//! state that they erased.
//!
//! ```text
//!  deleted ──400 days, all acknowledged──▶ purged: values removed, id kept, an entry tells the nodes
//!                                            └──400 days, all acknowledged──▶ entry removed
//!  left a feed ──────────────────────────────400 days, all acknowledged──▶ entry removed
//! ```
//!
//! So node and hub drop a row from their digests at the same place of the feed, as with every leaving.

use std::collections::BTreeMap;

use domain::id::{NodeId, RecordId, hex};
use domain::kinds::organisation;
use domain::limits;
use domain::record::RecordKey;
use domain::session::hub::{self as session, Acknowledged};
use proto::convert;
use proto::status::CallRefused;
use proto::wire::sync as wire;
use serde_json::{Value, json};
use store::hub::{Blocking, Left, Node, Reader, Statement};
use store::{StoreError, Tx};
use transport::revoked::Entry;
use transport::sign::{Context, VerifyingKey};

use crate::app::App;
use crate::error::HubError;
use crate::{recovery, register};

/// What one transaction releases: each purged id is written to the register first, on disk.
const PORTION: usize = 64;
/// What one look reads.
const LOOKED_AT: usize = 1_000;

/// What may be released now.
#[derive(Debug, Clone, Default)]
struct Due {
    tombstones: Vec<RecordKey>,
    left: Vec<Left>,
}

impl Due {
    const fn is_empty(&self) -> bool {
        self.tombstones.is_empty() && self.left.is_empty()
    }
}

/// The nodes that read each feed, read once.
#[derive(Default)]
struct Readers(BTreeMap<String, Vec<Reader>>);

impl Readers {
    fn of(&mut self, tx: Tx<'_>, feed: &str) -> Result<&[Reader], StoreError> {
        if !self.0.contains_key(feed) {
            self.0.insert(feed.to_owned(), tx.readers_of(feed)?);
        }
        Ok(self.0.get(feed).map(Vec::as_slice).unwrap_or_default())
    }

    /// Who of the readers has not acknowledged one of these places.
    fn blocking(
        &mut self,
        tx: Tx<'_>,
        places: &[(String, u64)],
        (since_ms, now_ms): (u64, u64),
    ) -> Result<Vec<NodeId>, StoreError> {
        let mut blocking = Vec::new();
        for (feed, place) in places {
            for reader in self.of(tx, feed)? {
                if !session::is_released(since_ms, now_ms, *place, reader.acknowledged) {
                    blocking.push(reader.node);
                }
            }
        }
        blocking.sort_unstable();
        blocking.dedup();
        Ok(blocking)
    }
}

/// Looks at everything that is old enough, and shows who has not heard of it.
fn each_old(
    tx: Tx<'_>,
    now_ms: u64,
    mut show: impl FnMut(Candidate, Vec<NodeId>) -> bool,
) -> Result<(), StoreError> {
    let until_ms = now_ms.saturating_sub(limits::TOMBSTONE_MS_MIN);
    let mut readers = Readers::default();
    let mut after = (
        0,
        RecordKey {
            kind: 0,
            id: RecordId::default(),
        },
    );
    loop {
        let found = tx.tombstones_before(until_ms, after, LOOKED_AT)?;
        let Some((key, at)) = found.last() else { break };
        after = (*at, *key);
        for (key, at) in found {
            let blocking = readers.blocking(tx, &tx.places_of(key)?, (at, now_ms))?;
            if !show(Candidate::Tombstone(key), blocking) {
                return Ok(());
            }
        }
    }
    let mut after = (0, String::new(), 0);
    loop {
        let found = tx.left_before(until_ms, (after.0, &after.1, after.2), LOOKED_AT)?;
        let Some(last) = found.last() else {
            return Ok(());
        };
        after = (last.at, last.feed.clone(), last.sequence);
        for left in found {
            let place = [(left.feed.clone(), left.sequence)];
            let blocking = readers.blocking(tx, &place, (left.at, now_ms))?;
            if !show(Candidate::Left(left), blocking) {
                return Ok(());
            }
        }
    }
}

enum Candidate {
    Tombstone(RecordKey),
    Left(Left),
}

fn due(tx: Tx<'_>, now_ms: u64) -> Result<Due, StoreError> {
    let mut due = Due::default();
    if recovery::is_recovering(tx)? {
        return Ok(due);
    }
    each_old(tx, now_ms, |candidate, blocking| {
        match candidate {
            Candidate::Tombstone(key) if blocking.is_empty() => due.tombstones.push(key),
            Candidate::Left(left) if blocking.is_empty() => due.left.push(left),
            Candidate::Tombstone(_) | Candidate::Left(_) => {}
        }
        due.tombstones.len() + due.left.len() < PORTION
    })?;
    Ok(due)
}

/// Releases what may be released, in small portions; how many records and entries that were.
///
/// # Errors
/// The store's own, or the register's.
pub async fn release(app: &App) -> Result<u64, HubError> {
    let mut count = 0;
    loop {
        let now_ms = system::now_ms();
        let due = app
            .store
            .read::<_, HubError>(move |tx| Ok(due(tx, now_ms)?))
            .await?;
        if due.is_empty() {
            return Ok(count);
        }
        count += (due.tombstones.len() + due.left.len()) as u64;
        let tombstones = due.tombstones.clone();
        app.store
            .write::<_, HubError>(move |tx| Ok(note_purged(tx, &tombstones)?))
            .await?;
        let own = app.clone();
        app.store
            .write::<_, HubError>(move |tx| {
                for key in due.tombstones {
                    if is_dead(tx, key)? {
                        // In the register before its values go: no restore forgets it.
                        register::note(&own, purged(key), now_ms)?;
                        tx.purge(key, now_ms)?;
                    }
                }
                for left in due.left {
                    tx.release_left(&left)?;
                }
                Ok(())
            })
            .await?;
    }
}

/// Notes of deleted records that they never live again. Were that committed with their values' going only, one of
/// which the register has it and that commit failed could be brought back, and be removed by the next restore.
fn note_purged(tx: Tx<'_>, keys: &[RecordKey]) -> Result<(), StoreError> {
    for key in keys {
        if is_dead(tx, *key)? {
            tx.note_purged(key.id)?;
        }
    }
    Ok(())
}

/// Whether a record is still deleted: one may have been brought back since it was looked at.
fn is_dead(tx: Tx<'_>, key: RecordKey) -> Result<bool, StoreError> {
    Ok(tx.record(key)?.is_some_and(|record| !record.is_alive()))
}

fn purged(key: RecordKey) -> Entry {
    let (kind, id) = (key.kind, key.id.bytes());
    Entry::Purged { kind, id }
}

/// What waits for release, and which nodes it waits for.
///
/// # Errors
/// The store's own.
pub fn blocking(tx: Tx<'_>, now_ms: u64) -> Result<Blocking, StoreError> {
    let (tombstones, leave_entries) = tx.kept_for_release()?;
    let mut found = Blocking {
        tombstones,
        leave_entries,
        ..Blocking::default()
    };
    each_old(tx, now_ms, |_, nodes| {
        found.due += 1;
        for node in nodes {
            *found.nodes.entry(node).or_default() += 1;
        }
        true
    })?;
    Ok(found)
}

/// The same in words, for the desk: how much is kept, and which nodes hold up how much of it.
///
/// # Errors
/// The store's own.
pub fn status(tx: Tx<'_>, now_ms: u64) -> Result<Value, StoreError> {
    let found = blocking(tx, now_ms)?;
    let mut blocked_by = Vec::new();
    for (id, count) in found.nodes {
        let Some(node) = tx.node(id)? else { continue };
        let key = RecordKey {
            kind: organisation::KIND_NUMBER,
            id: node.office,
        };
        let office = tx.record(key)?;
        let text = |number| {
            office
                .as_ref()
                .and_then(|o| o.text(number))
                .map(str::to_owned)
        };
        blocked_by.push(json!({
            "code": text(organisation::CODE),
            "name": text(organisation::NAME),
            "node": id.to_string(),
            "machine": node.machine,
            "last_seen_ms": node.last_seen,
            "not_acknowledged": count,
        }));
    }
    Ok(json!({
        "tombstones": found.tombstones,
        "leave_entries": found.leave_entries,
        "due": found.due,
        "blocked_by": blocked_by,
    }))
}

/// What nodes have stated that they erased of a record.
///
/// # Errors
/// The store's own.
pub fn statements(tx: Tx<'_>, id: RecordId) -> Result<Vec<Value>, StoreError> {
    let line = |statement: &Statement| {
        json!({
            "node": statement.node.to_string(),
            "epoch": statement.epoch,
            "erased_at_ms": statement.erased.at,
            "changes": statement.erased.changes,
            "digest": hex(&statement.erased.digest),
            "signature": hex(&statement.signature),
            "told_ms": statement.told_at,
        })
    };
    Ok(tx.statements_about(id)?.iter().map(line).collect())
}

/// The cursors of a request that are to be noted as acknowledged.
///
/// # Errors
/// The store's own.
pub fn newly_shown(
    tx: Tx<'_>,
    node: NodeId,
    epoch: u32,
    cursors: &[wire::Cursor],
    now_ms: u64,
) -> Result<Vec<(String, u64)>, StoreError> {
    let mut shown = Vec::new();
    for cursor in cursors {
        let known = tx.acknowledged(node, epoch, &cursor.feed)?;
        // A cursor beyond the head is nobody's: the hub was put back.
        let heads = tx.heads(std::slice::from_ref(&cursor.feed))?;
        let is_known = heads.iter().all(|head| cursor.sequence <= head.sequence);
        let sequence = if is_known { cursor.sequence } else { 0 };
        if session::notes_cursor(known, sequence, now_ms) {
            shown.push((cursor.feed.clone(), sequence));
        }
    }
    Ok(shown)
}

/// Notes them.
///
/// # Errors
/// The store's own.
pub fn note_shown(
    tx: Tx<'_>,
    (node, epoch): (NodeId, u32),
    shown: &[(String, u64)],
    now_ms: u64,
) -> Result<(), HubError> {
    for (feed, sequence) in shown {
        let shown = Acknowledged {
            sequence: *sequence,
            at: now_ms,
        };
        tx.acknowledge(node, epoch, feed, shown)?;
    }
    Ok(())
}

/// Keeps what a node states that it erased. A record that the hub never had is left out: there is
/// nothing to state of it.
///
/// # Errors
/// A signature that is not the node's; the store's own.
pub fn take_statements(
    tx: Tx<'_>,
    node: &Node,
    statements: Vec<wire::Erased>,
    now_ms: u64,
) -> Result<(), HubError> {
    if statements.len() > limits::ERASED_STATED_MAX {
        return Err(convert::Invalid::TooLarge("erased").into());
    }
    for statement in statements {
        let epoch = statement.epoch;
        let (erased, signature) = convert::decode_erased(statement)?;
        let text = convert::erased_signature_text(node.id, epoch, &erased);
        VerifyingKey(node.verifying_key)
            .verify(Context::Erased, &text, &signature)
            .map_err(|_| CallRefused::BadSignature)?;
        let key = erased.key;
        let is_known = tx.record(key)?.is_some() || tx.is_purged(key.id)?;
        if is_known {
            tx.keep_statement(&Statement {
                node: node.id,
                epoch,
                erased,
                signature,
                told_at: now_ms,
            })?;
        }
    }
    Ok(())
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use domain::change::Verb;
    use domain::decide::Verdict;
    use domain::kinds::organisation;

    use super::*;
    use crate::{app, desk};

    /// S1, S7: where a removal is cut off behind the register, nobody brings the record back, which the next restore
    /// would remove; it goes with the next look.
    #[test]
    fn what_the_register_says_to_be_removed_is_not_brought_back() {
        let folder = tempfile::tempdir().unwrap();
        app::init(folder.path(), "hub", &[]).unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        let hub = App::open(folder.path()).unwrap();
        let (kind, id) = (organisation::KIND_NUMBER, RecordId::new([3; 16]));
        let key = RecordKey { kind, id };
        let edit = |hub: &App, verb: Verb, at_ms: u64| {
            let own = hub.clone();
            let values = if verb == Verb::Create {
                vec![
                    (organisation::NAME, "组织".as_bytes().to_vec()),
                    (organisation::KIND_OF, b"committee".to_vec()),
                    (organisation::IS_OFFICE, b"0".to_vec()),
                    (organisation::CAN_ADMIT_MEMBERS, b"0".to_vec()),
                    (organisation::STATE, b"active".to_vec()),
                ]
            } else {
                Vec::new()
            };
            let edited = hub.store.write::<_, HubError>(move |tx| {
                desk::edit(tx, &own, (key, verb), values, "desk", at_ms)
            });
            runtime.block_on(edited).unwrap()
        };
        let long_ago = system::now_ms() - 2 * limits::TOMBSTONE_MS_MIN;
        assert_eq!(edit(&hub, Verb::Create, long_ago), Verdict::Applied);
        assert_eq!(edit(&hub, Verb::Delete, long_ago), Verdict::Applied);
        // The register cannot be written: a task that held it has failed.
        let held = hub.register.clone();
        let failed: std::thread::JoinHandle<()> = std::thread::spawn(move || {
            let _held = held.lock();
            std::panic::resume_unwind(Box::new("a failed task"));
        });
        assert!(failed.join().is_err());
        assert!(runtime.block_on(release(&hub)).is_err());
        assert_ne!(
            edit(&hub, Verb::Restore, system::now_ms()),
            Verdict::Applied
        );
        drop(hub);
        let hub = App::open(folder.path()).unwrap();
        assert!(runtime.block_on(release(&hub)).unwrap() > 0);
        let is_there = hub
            .store
            .read::<_, HubError>(move |tx| Ok(tx.record(key)?.is_some()));
        assert!(!runtime.block_on(is_there).unwrap());
        let register = hub.register.lock().unwrap();
        assert!(register.entries().any(|(entry, _)| entry == purged(key)));
    }
}
