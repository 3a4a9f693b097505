//! What a feed tells of what has left it, and until when.

#![allow(clippy::unwrap_used, reason = "tests")]

use std::collections::BTreeMap;

use domain::id::{NodeId, OfficeId, RecordId};
use domain::kind::Class;
use domain::kinds::person;
use domain::record::{Life, Record, RecordKey, Version};
use domain::session::hub::{Acknowledged, Proven};
use domain::world::{Leaving, Mover, Writes};
use store::hub::{Entry, Journal, Known, Left, Node, Reader};
use store::open::{Side, writer};
use store::writer::write_on;
use store::{StoreError, Tx};

const OFFICE: OfficeId = OfficeId::new([1; 16]);
const NODE: NodeId = NodeId::new([2; 16]);
const KEY: RecordKey = RecordKey {
    kind: person::KIND_NUMBER,
    id: RecordId::new([3; 16]),
};

fn at_a_hub(work: impl FnOnce(Tx<'_>) -> Result<(), StoreError>) {
    let folder = tempfile::tempdir().unwrap();
    let mut connection = writer(&folder.path().join("hub.sqlite"), Side::Hub).unwrap();
    write_on(&mut connection, work).unwrap();
}

fn feed() -> String {
    format!("office/{OFFICE}")
}

fn record() -> Record {
    Record {
        key: KEY,
        class: Class::Shared,
        office: OFFICE,
        revision: 1,
        life: Life::Alive,
        life_version: Version::default(),
        fields: BTreeMap::new(),
    }
}

/// The record enters the feed, and leaves it at a time.
fn comes_and_goes(tx: Tx<'_>, left_at: u64) -> Result<(), StoreError> {
    let mut writes = Writes::default();
    writes.records.insert(KEY, (record(), Mover::Foreign));
    writes.leaves.insert((KEY, OFFICE), Leaving::Transferred);
    tx.apply(&writes, left_at)
}

fn left(tx: Tx<'_>) -> Result<Vec<Left>, StoreError> {
    tx.left_before(u64::MAX >> 1, (0, "", 0), 9)
}

/// L4: an epoch that was offered to a machine, which went on in the one before, holds up no release.
#[test]
fn an_epoch_that_was_offered_and_is_not_used_holds_up_nothing() {
    at_a_hub(|tx| {
        tx.insert_node(&Node::new(NODE, OFFICE, [0; 32]), 0)?;
        tx.put_journal(&Journal {
            node: NODE,
            epoch: 1,
            received: 0,
            chain: [0; 32],
            decided_through: 0,
            is_kept_only: false,
            proven: Proven::default(),
        })?;
        let shown = Acknowledged { sequence: 7, at: 1 };
        tx.acknowledge(NODE, 1, &feed(), shown)?;
        let reader = |acknowledged| Reader {
            node: NODE,
            acknowledged,
        };
        tx.offer_epoch(NODE, b"head", 2, &[0; 32])?;
        assert_eq!(tx.readers_of(&feed())?, [reader(7)]);
        // From its first greeting on that is its epoch, and what it has read before was a rolled back store's.
        tx.add_greeting(NODE, 2, (b"", b"nonce"), 64)?;
        assert_eq!(tx.readers_of(&feed())?, [reader(0)]);
        Ok(())
    });
}

/// L1: between the look at what may be released and the release the record came back and left again: that nobody has
/// heard yet.
#[test]
fn an_entry_that_was_written_since_it_was_looked_at_is_not_released() {
    at_a_hub(|tx| {
        comes_and_goes(tx, 1)?;
        let looked_at = left(tx)?;
        comes_and_goes(tx, 2)?;
        let again = left(tx)?;
        assert_ne!(looked_at, again);
        for left in &looked_at {
            tx.release_left(left)?;
        }
        assert_eq!(
            (left(tx)?, tx.released_through(&feed())?),
            (again.clone(), 0)
        );
        for left in &again {
            tx.release_left(left)?;
        }
        assert_eq!(left(tx)?, []);
        Ok(())
    });
}

/// L1: what a feed has no more has left it for those who ask: for its reason while the entry stands, and also when that
/// was released.
#[test]
fn what_is_known_and_in_the_feed_no_more_has_left_it() {
    at_a_hub(|tx| {
        let gone = |why| Some(Known::Entry(Entry::Left(KEY, why)));
        assert_eq!(tx.known_in(KEY, &feed())?, None);
        comes_and_goes(tx, 1)?;
        assert_eq!(tx.known_in(KEY, &feed())?, gone(1));
        for left in left(tx)? {
            tx.release_left(&left)?;
        }
        assert_eq!(tx.known_in(KEY, &feed())?, gone(2));
        let mut writes = Writes::default();
        writes.joins.insert((KEY, OFFICE));
        tx.apply(&writes, 2)?;
        let state = Some(Known::Entry(Entry::State(record())));
        assert_eq!(tx.known_in(KEY, &feed())?, state);
        tx.purge(KEY, 3)?;
        assert_eq!(tx.known_in(KEY, &feed())?, gone(4));
        for left in left(tx)? {
            tx.release_left(&left)?;
        }
        assert_eq!(tx.known_in(KEY, &feed())?, gone(4));
        Ok(())
    });
}
