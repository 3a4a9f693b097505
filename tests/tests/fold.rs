//! What a machine makes of what the hub sends: what a clerk sees, what is kept beside, and what is left to erase.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::Context as _;
use domain::change::Verb;
use domain::decide::{change_bytes, set_aside_id};
use domain::digest::Digest;
use domain::id::{ChangeId, NodeId, OfficeId, RecordId};
use domain::kind::Class;
use domain::kinds::{person, set_aside};
use domain::record::{Life, Record, RecordKey, Version};
use lianxin_node::app::Own;
use lianxin_node::erase::{self, Known};
use lianxin_node::fold::{self, Page, Told};
use lianxin_node::{journal, rewrite};
use proto::convert::{FeedRow, LeaveReason};
use store::Tx;
use store::node::Place;
use store::open::{Side, writer};
use store::writer::write_on;

const PERSON: RecordKey = RecordKey {
    kind: person::KIND_NUMBER,
    id: RecordId::new([3; 16]),
};

fn own(epoch: u32) -> Own {
    Own {
        node: NodeId::new([1; 16]),
        epoch,
        office: OfficeId::new([2; 16]),
    }
}

fn change(sequence: u64) -> ChangeId {
    ChangeId {
        node: own(1).node,
        epoch: 1,
        sequence,
    }
}

/// Enters a person, whom the hub has taken as he was entered, and then does this with his row.
fn with_a_person(then: impl FnOnce(Tx<'_>, Record) -> anyhow::Result<()>) -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let mut connection = writer(&folder.path().join("node.sqlite"), Side::Node)?;
    write_on(&mut connection, |tx| {
        own(1).keep(tx)?;
        let name = vec![(person::NAME, "林一".as_bytes().to_vec())];
        let entered = journal::write(tx, own(1), (PERSON, Verb::Create), name, "经办人")?;
        take(tx, vec![FeedRow::State(entered.clone())], 1)?;
        then(tx, entered)
    })
}

/// Sets the person's remarks.
fn remark(tx: Tx<'_>, text: &str) -> anyhow::Result<()> {
    let values = vec![(person::REMARKS, text.as_bytes().to_vec())];
    journal::write(tx, own(1), (PERSON, Verb::Set), values, "经办人")?;
    Ok(())
}

fn remarks(tx: Tx<'_>) -> anyhow::Result<Option<String>> {
    let row = tx.record(PERSON)?.context("the person")?;
    Ok(row.text(person::REMARKS).map(str::to_owned))
}

/// Folds a page of the office's feed, in whose snapshot so many own changes are decided; the digest after it.
fn take(tx: Tx<'_>, rows: Vec<FeedRow>, decided_through: u64) -> anyhow::Result<Digest> {
    let feed = own(1).office_feed();
    let to_sequence = tx.reading(&feed)?.sequence + rows.len() as u64;
    let page = Page {
        feed,
        rows,
        to_sequence,
        is_last: false,
        decided_through,
        released_through: 0,
    };
    fold::take_page(tx, own(1), &page)
}

/// The note of an own change, in a state.
fn note(sequence: u64, state: &str, revision: u64) -> Record {
    let mut note = Record {
        key: RecordKey {
            kind: set_aside::KIND_NUMBER,
            id: set_aside_id(change(sequence)),
        },
        class: Class::Case,
        office: own(1).office,
        revision,
        life: Life::Alive,
        life_version: Version::default(),
        fields: BTreeMap::new(),
    };
    note.set(
        set_aside::CHANGE,
        change_bytes(change(sequence)),
        Version::default(),
    );
    note.set(set_aside::STATE, state, Version::default());
    note
}

/// S8, S18: a row of which a bit has turned over, here of which office it is, is not written anew: that would make it
/// sound, and nobody could find it.
#[test]
fn nobody_writes_on_a_damaged_row() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let mut connection = writer(&folder.path().join("node.sqlite"), Side::Node)?;
    write_on(&mut connection, |tx| {
        own(1).keep(tx)?;
        let name = vec![(person::NAME, "林一".as_bytes().to_vec())];
        journal::write(tx, own(1), (PERSON, Verb::Create), name, "经办人")
    })?;
    for (sql, is_sound) in [
        (
            "UPDATE person SET office = x'02020202020202020202020202020203'",
            false,
        ),
        (
            "UPDATE person SET office = x'02020202020202020202020202020202'",
            true,
        ),
    ] {
        connection.execute_batch(sql)?;
        let written = write_on(&mut connection, |tx| remark(tx, "甲"));
        assert_eq!(written.is_ok(), is_sound, "{written:?}");
        let found = write_on(&mut connection, |tx| tx.unsound_rows(1))?;
        assert_eq!(found.is_empty(), is_sound);
    }
    Ok(())
}

/// S7: a page ends between the row of a change that waits and the note of it. Between the two it looks decided; with
/// the note it is shown again, over what others write meanwhile, until it is decided.
#[test]
fn a_change_whose_note_comes_in_the_page_after_its_row_is_shown_while_it_waits()
-> anyhow::Result<()> {
    with_a_person(|tx, hubs| {
        remark(tx, "b")?;
        take(tx, vec![FeedRow::State(hubs.clone())], 2)?;
        assert_eq!(remarks(tx)?, None);
        let waiting = note(2, "waiting", 1);
        take(tx, vec![FeedRow::State(waiting.clone())], 2)?;
        assert_eq!(remarks(tx)?.as_deref(), Some("b"));
        assert_eq!(tx.pending_of(PERSON)?, [(1, 2)]);

        let mut later = hubs;
        later.set(person::NAME, "林二", Version::default());
        later.revision = 2;
        let digest = take(tx, vec![FeedRow::State(later.clone())], 2)?;
        let row = tx.record(PERSON)?.context("the person")?;
        assert_eq!(row.text(person::NAME), Some("林二"));
        assert_eq!(row.text(person::REMARKS), Some("b"));
        let mut of_the_hubs = Digest::default();
        of_the_hubs.add(&waiting.hash());
        of_the_hubs.add(&later.hash());
        assert_eq!(digest, of_the_hubs);

        later.set(person::REMARKS, "b", Version::default());
        later.revision = 3;
        let fixed = note(2, "fixed", 2);
        let rows = [later.clone(), fixed].map(FeedRow::State);
        take(tx, rows.to_vec(), 2)?;
        assert_eq!(tx.pending_of(PERSON)?, []);
        assert_eq!(tx.record(PERSON)?, Some(later));
        Ok(())
    })
}

/// S7: of a change that was refused an older state of its note says nothing any more.
#[test]
fn an_older_note_brings_nothing_back() -> anyhow::Result<()> {
    with_a_person(|tx, hubs| {
        remark(tx, "b")?;
        let rows = [hubs, note(2, "held", 2)].map(FeedRow::State);
        take(tx, rows.to_vec(), 2)?;
        assert_eq!(remarks(tx)?, None);
        take(tx, vec![FeedRow::State(note(2, "waiting", 1))], 2)?;
        assert_eq!(remarks(tx)?, None);
        Ok(())
    })
}

/// L1: where node and hub hold the same, nothing of a former epoch stays pending but what a note says to wait.
#[test]
fn what_a_former_epoch_left_pending_is_folded_where_all_is_equal() -> anyhow::Result<()> {
    with_a_person(|tx, _| {
        remark(tx, "b")?;
        remark(tx, "c")?;
        rewrite::open_epoch(tx, own(2), 0, (1, 3), &[])?;
        let waiting = note(3, "waiting", 1);
        tx.write_record(&waiting)?;
        fold::take_decided(tx, own(2), 0)?;
        assert_eq!(tx.pending_of(PERSON)?, [(1, 3)]);
        assert_eq!(remarks(tx)?.as_deref(), Some("c"));
        tx.remove_record(waiting.key)?;
        fold::take_decided(tx, own(2), 0)?;
        assert_eq!(tx.pending_of(PERSON)?, []);
        assert_eq!(remarks(tx)?, None);
        Ok(())
    })
}

/// What left is stated as erased once, by who held it; who hears of it in a first reading, or again, states nothing.
#[test]
fn only_what_was_held_is_stated_as_erased() -> anyhow::Result<()> {
    with_a_person(|tx, _| {
        let other = RecordKey {
            id: RecordId::new([9; 16]),
            ..PERSON
        };
        let left = |key| FeedRow::Left(key, LeaveReason::Transferred);
        take(tx, vec![left(other), left(PERSON)], 1)?;
        assert_eq!(tx.leaving(false, None, 9)?, [PERSON]);
        let place = Place {
            node: own(1).node,
            epoch: 1,
            sequence: 1,
        };
        let known = Known {
            decided_through: 1,
            durable: vec![place],
        };
        assert_eq!(erase::erase(tx, own(1), &known, None, 7)?, None);
        take(tx, vec![left(other), left(PERSON)], 1)?;
        assert_eq!(tx.leaving(false, None, 9)?, []);
        let stated = tx.erased_untold(9)?.into_iter();
        let stated = stated.map(|(_, erased)| (erased.key, erased.changes));
        assert_eq!(stated.collect::<Vec<_>>(), [(PERSON, 1)]);
        Ok(())
    })
}

/// A repair that brings what is here already keeps no copy beside; another state is kept.
#[test]
fn a_repair_keeps_only_what_is_another() -> anyhow::Result<()> {
    with_a_person(|tx, hubs| {
        let (feed, mut foreign) = (own(1).office_feed(), hubs);
        foreign.key.id = RecordId::new([9; 16]);
        let key = foreign.key;
        let is_kept_beside = |tx: Tx<'_>| {
            tx.remove_record(key)?;
            tx.holds(key)
        };
        let told = |foreign: &Record| Told {
            rows: BTreeMap::from([(key, Some(foreign.clone()))]),
            staying: BTreeSet::new(),
        };
        for _ in 0..2 {
            fold::take_told(tx, own(1), (&feed, 1), &[key], &told(&foreign), 7)?;
        }
        assert!(!is_kept_beside(tx)?);
        tx.write_record(&foreign)?;
        foreign.revision += 1;
        fold::take_told(tx, own(1), (&feed, 1), &[key], &told(&foreign), 8)?;
        assert!(is_kept_beside(tx)?);
        Ok(())
    })
}

/// L1, S18: of what the hub tells, in a descent as by a page, what has left is removed; of what is damaged there nothing
/// is taken and nothing is let go; only of what it does not know at all this machine has the only copy.
#[test]
fn what_the_hub_tells_to_have_left_is_removed_and_what_it_does_not_know_is_offered()
-> anyhow::Result<()> {
    with_a_person(|tx, hubs| {
        let feed = own(1).office_feed();
        let key = |number| RecordKey {
            id: RecordId::new([number; 16]),
            ..PERSON
        };
        let others = [7, 8].map(|number| Record {
            key: key(number),
            ..hubs.clone()
        });
        let [_, damaged] = others.clone();
        let before = take(tx, others.map(FeedRow::State).to_vec(), 1)?;
        let told = Told {
            rows: BTreeMap::from([(PERSON, None)]),
            staying: BTreeSet::from([damaged.key]),
        };
        let asked = [PERSON, key(7), key(8)];
        let unknown = fold::take_told(tx, own(1), (&feed, 1), &asked, &told, 7)?;
        assert_eq!(unknown, [key(7)]);
        assert_eq!(tx.record(PERSON)?, None);
        assert_eq!(tx.leaving(false, None, 9)?, [PERSON]);
        assert_eq!(tx.record(key(8))?, Some(damaged));
        let mut after = before;
        after.remove(&hubs.hash());
        assert_eq!(tx.reading(&feed)?.digest, after);
        Ok(())
    })
}

/// S9: a page that begins further back than the office has read, as from a hub that never had that place, brings its
/// rows and leaves the cursor where it is.
#[test]
fn a_page_that_begins_further_back_leaves_the_cursor_where_it_is() -> anyhow::Result<()> {
    with_a_person(|tx, hubs| {
        let feed = own(1).office_feed();
        let page = |to_sequence| Page {
            feed: feed.clone(),
            rows: vec![FeedRow::State(hubs.clone())],
            to_sequence,
            is_last: false,
            decided_through: 1,
            released_through: 0,
        };
        for (to_sequence, read) in [(9, 9), (4, 9), (10, 10)] {
            fold::take_page(tx, own(1), &page(to_sequence))?;
            assert_eq!(tx.reading(&feed)?.sequence, read, "after {to_sequence}");
        }
        Ok(())
    })
}
