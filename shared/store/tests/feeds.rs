//! What the hub's store remembers of its feeds, and what it does not keep of records that are gone.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeMap;

use domain::digest::Digest;
use domain::id::{ChangeId, NodeId, OfficeId, RecordId};
use domain::kind::Class;
use domain::kinds::person;
use domain::record::{Life, Record, RecordKey, Version};
use domain::world::{Fact, Mover, Need, Writes};
use store::Tx;
use store::open::{Side, writer};

const NODE: NodeId = NodeId::new([1; 16]);
const OFFICE: OfficeId = OfficeId::new([2; 16]);
const KEY: RecordKey = RecordKey {
    kind: person::KIND_NUMBER,
    id: RecordId::new([3; 16]),
};

fn with<T>(work: impl FnOnce(Tx<'_>) -> T) -> T {
    let folder = tempfile::tempdir().unwrap();
    let connection = writer(&folder.path().join("db.sqlite"), Side::Hub).unwrap();
    work(Tx::on(&connection))
}

fn person(revision: u64, life: Life) -> Record {
    let change = ChangeId {
        node: NODE,
        epoch: 1,
        sequence: revision,
    };
    Record {
        key: KEY,
        class: Class::Shared,
        office: OFFICE,
        revision,
        life,
        life_version: Version {
            change,
            ordered_at: 0,
        },
        fields: BTreeMap::new(),
    }
}

fn write(tx: Tx<'_>, record: Record) {
    let mut writes = Writes::default();
    writes.records.insert(record.key, (record, Mover::Foreign));
    tx.apply(&writes, 1).unwrap();
}

/// S1: the oldest place that is remembered is remembered too: a hub that signed something else there was put back.
#[test]
fn what_a_feed_was_at_the_oldest_place_that_is_remembered_is_certain() {
    with(|tx| {
        let feed = format!("office/{OFFICE}");
        write(tx, person(1, Life::Alive));
        let (oldest, was) = (tx.feed_head(&feed).unwrap(), tx.feed_digest(&feed).unwrap());
        write(tx, person(2, Life::Alive));
        let may_have_been = |at, digest: Digest| tx.may_have_been(&feed, at, &digest).unwrap();
        assert!(may_have_been(oldest, was));
        assert!(!may_have_been(oldest, Digest::default()));
        assert!(may_have_been(oldest - 1, Digest::default()), "nobody knows");
    });
}

/// S17: what is removed for good leaves no values behind, not as evidence of a recovery either.
#[test]
fn what_is_removed_for_good_is_no_evidence_either() {
    with(|tx| {
        let offered = person(9, Life::Alive);
        tx.put_offer(NODE, "city", KEY, Some(&offered)).unwrap();
        assert_eq!(tx.evidence().unwrap().len(), 1);
        tx.purge(KEY, 1).unwrap();
        assert!(tx.evidence().unwrap().is_empty());
    });
}

/// S1, S7: a deleted record of which it is noted that it goes is gone for every decision, though its values are
/// still here; one that lives is not.
#[test]
fn what_is_noted_to_go_is_gone_for_every_decision() {
    with(|tx| {
        let is_gone = || matches!(tx.fact(Need::Record(KEY)).unwrap(), Fact::Purged(_));
        write(tx, person(1, Life::Alive));
        tx.note_purged(KEY.id).unwrap();
        assert!(!is_gone(), "another record has had this id");
        write(tx, person(2, Life::Deleted));
        assert!(is_gone() && tx.record(KEY).unwrap().is_some());
    });
}
