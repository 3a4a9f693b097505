//! A machine that was put back goes on in a new epoch.

use std::collections::BTreeSet;

use anyhow::Context as _;
use domain::change::{Verb, chain_start};
use domain::clock::Timestamp;
use domain::digest::Digest;
use domain::id::{ChangeId, NodeId, OfficeId, RecordId};
use domain::kind::Class;
use domain::kinds::{activity, organisation, person, step, transfer};
use domain::record::{Life, Record, RecordKey, Version};
use lianxin_node::app::Own;
use lianxin_node::journal::Values;
use lianxin_node::rewrite::{self, LOOK_AT_FORMER};
use lianxin_node::{clock, fold, journal};
use proto::convert::FeedRow;
use store::Tx;
use store::node::{Certificate, Entry, Place};
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

fn remark(text: &str) -> Values {
    vec![(person::REMARKS, text.as_bytes().to_vec())]
}

/// Enters a person, and then does this.
fn with_a_person(then: impl FnOnce(Tx<'_>) -> anyhow::Result<()>) -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let mut connection = writer(&folder.path().join("node.sqlite"), Side::Node)?;
    write_on(&mut connection, |tx| {
        own(1).keep(tx)?;
        let name = vec![(person::NAME, "林一".as_bytes().to_vec())];
        journal::write(tx, own(1), (PERSON, Verb::Create), name, "经办人")?;
        then(tx)
    })
}

/// S7: the places of the former epoch are other changes at the hub. What is entered after the new one was
/// opened stands on what was moved into it, and on nothing else.
#[test]
fn what_is_entered_in_a_new_epoch_stands_on_what_was_moved_into_it() -> anyhow::Result<()> {
    with_a_person(|tx| {
        journal::write(tx, own(1), (PERSON, Verb::Set), remark("before"), "经办人")?;
        // The hub has the first; its second is another.
        let moved = rewrite::open_epoch(tx, own(2), 0, (1, 1), &[])?;
        assert_eq!(moved, 1);
        // A program that has not heard of the new epoch yet.
        journal::write(tx, own(1), (PERSON, Verb::Set), remark("after"), "经办人")?;
        let entered = tx.last_entry(2)?.context("an entry")?;
        let entered = fold::read(own(2), &entered)?;
        let base = entered.body.fields.first().and_then(|field| field.base);
        let moved = ChangeId {
            sequence: 1,
            epoch: 2,
            node: own(2).node,
        };
        assert_eq!(base, Some(moved));
        Ok(())
    })
}

/// S1: a hub that was put back may have a copy's changes where this machine had acknowledged ones.
#[test]
fn an_epoch_that_is_left_is_looked_at_again() -> anyhow::Result<()> {
    with_a_person(|tx| {
        rewrite::open_epoch(tx, own(2), 0, (1, 1), &[])?;
        let looks = tx.setting(LOOK_AT_FORMER)?.unwrap_or_default();
        assert!(!looks.is_empty());
        Ok(())
    })
}

/// S7: of the epoch that is left a restored hub had lost a change that it had acknowledged, and has a copy's at its
/// place. What stood on the lost one must not stand on the copy's.
#[test]
fn what_was_acknowledged_and_lost_moves_with_what_stands_on_it() -> anyhow::Result<()> {
    with_a_person(|tx| {
        journal::write(tx, own(1), (PERSON, Verb::Set), remark("a"), "经办人")?;
        for sequence in [1, 2] {
            tx.drop_pending(1, sequence)?;
        }
        tx.drop_base_image(PERSON)?;
        journal::write(tx, own(1), (PERSON, Verb::Set), remark("b"), "经办人")?;
        let moved = rewrite::open_epoch(tx, own(2), 0, (1, 1), &[])?;
        assert_eq!(moved, 2);
        let last = fold::read(own(2), &tx.last_entry(2)?.context("an entry")?)?;
        let base = last.body.fields.first().and_then(|field| field.base);
        let first = ChangeId {
            sequence: 1,
            epoch: 2,
            node: own(2).node,
        };
        assert_eq!(base, Some(first));
        let row = tx.record(PERSON)?.context("the person")?;
        assert_eq!(row.text(person::REMARKS), Some("b"));
        Ok(())
    })
}

/// S7: of two epochs that move, what stands in the later on a change of the earlier follows it.
#[test]
fn what_stands_on_another_epoch_that_moves_follows_it() -> anyhow::Result<()> {
    with_a_person(|tx| {
        own(2).keep(tx)?;
        journal::write(tx, own(2), (PERSON, Verb::Set), remark("a"), "经办人")?;
        rewrite::open_epoch(tx, own(3), 0, (2, 0), &[(1, 0)])?;
        let last = fold::read(own(3), &tx.last_entry(3)?.context("an entry")?)?;
        assert_eq!(last.header.verb, Verb::Set);
        let base = last.body.life_base;
        let first = ChangeId {
            sequence: 1,
            epoch: 3,
            node: own(3).node,
        };
        assert_eq!(base, Some(first));
        Ok(())
    })
}

/// L1: what was erased, and what no program can read, keeps no epoch from being opened.
#[test]
fn what_cannot_be_read_keeps_no_epoch_from_being_opened() -> anyhow::Result<()> {
    with_a_person(|tx| {
        journal::write(tx, own(1), (PERSON, Verb::Set), remark("a"), "经办人")?;
        for sequence in [1, 2] {
            tx.drop_pending(1, sequence)?;
        }
        tx.drop_base_image(PERSON)?;
        let erased = tx.entry(1, 1)?.context("an entry")?.raw.body_hash();
        tx.erase_entry(1, 1, &erased)?;
        // What was erased stays where it is: it has no body that could be sent again.
        assert_eq!(rewrite::open_epoch(tx, own(2), 0, (1, 0), &[])?, 1);
        assert_eq!(
            (tx.journal_places(1)?, tx.pending_places(2)?),
            (vec![1], vec![1])
        );
        let row = tx.record(PERSON)?.context("the person")?;
        assert_eq!(row.text(person::REMARKS), Some("a"));
        let long = "很".repeat(101);
        let written = journal::write(tx, own(2), (PERSON, Verb::Set), remark("b"), &long);
        assert!(written.is_err(), "who wrote it is too long to be sent");
        Ok(())
    })
}

/// L1: before there is an office, records name it as nobody; then as itself.
#[test]
fn what_names_the_office_before_there_is_one_names_it_afterwards() -> anyhow::Result<()> {
    with_a_person(|tx| {
        let nobody = Own::default();
        let key = RecordKey {
            kind: activity::KIND_NUMBER,
            id: RecordId::new([5; 16]),
        };
        nobody.keep(tx)?;
        let values = vec![(activity::ORGANISATION, nobody.office.bytes().to_vec())];
        journal::write(tx, nobody, (key, Verb::Create), values, "经办人")?;
        rewrite::adopt_identity(tx, own(2), false)?;
        let row = tx.record(key)?.context("the activity")?;
        assert_eq!(row.reference(activity::ORGANISATION), Some(own(2).office));
        Ok(())
    })
}

/// S1: what a hub that was put back has lost of an identity that this machine had before is written anew under the
/// present one and says what it replaces; what the hub has stays where it is.
#[test]
fn what_is_lost_of_a_former_identity_is_written_anew_under_the_present_one() -> anyhow::Result<()> {
    with_a_person(|tx| {
        tx.set_setting(rewrite::IDENTITY, &own(1).node.bytes())?;
        journal::write(tx, own(1), (PERSON, Verb::Set), remark("a"), "经办人")?;
        for sequence in [1, 2] {
            tx.drop_pending(1, sequence)?;
        }
        tx.drop_base_image(PERSON)?;
        let lost = tx.entry(1, 2)?.context("an entry")?;
        let heir = Own {
            node: NodeId::new([9; 16]),
            ..own(1)
        };
        assert_eq!(rewrite::adopt_identity(tx, heir, false)?, 0);
        let former = (own(1).node, 1);
        assert_eq!(tx.former_journals()?, [former]);
        assert_eq!(tx.former_places(former)?, [1, 2]);
        let last = Place {
            node: former.0,
            epoch: former.1,
            sequence: 2,
        };
        assert_eq!(tx.former_chain(last)?, Some(lost.chain));

        assert_eq!(rewrite::take_up_former(tx, heir, &[(former, 1)])?, 1);
        assert_eq!(tx.former_places(former)?, [1]);
        let written = fold::read(heir, &tx.last_entry(1)?.context("an entry")?)?;
        let old = ChangeId {
            node: own(1).node,
            epoch: 1,
            sequence: 2,
        };
        assert_eq!(written.header.replaces, Some((old, lost.raw.body_hash())));
        assert_eq!(tx.pending_places(1)?, [1]);
        let row = tx.record(PERSON)?.context("the person")?;
        assert_eq!(row.text(person::REMARKS), Some("a"));
        assert_eq!(rewrite::take_up_former(tx, heir, &[(former, 1)])?, 0);
        // What was erased stays where it is, though the hub has lost that too.
        let first = Place {
            sequence: 1,
            ..last
        };
        tx.erase_former_entry(first, &lost.raw.body_hash())?;
        assert_eq!(rewrite::take_up_former(tx, heir, &[(former, 0)])?, 0);
        assert_eq!(tx.former_places(former)?, [1]);
        Ok(())
    })
}

/// S10: what is moved keeps the time at which it was entered. A wall clock that stood a year ahead then is
/// forgotten all the same: the new epoch's clock goes on from the hub's.
#[test]
fn a_clock_that_once_stood_ahead_is_forgotten_in_a_new_epoch() -> anyhow::Result<()> {
    let now_ms = system::now_ms();
    let year_ahead = Timestamp::at(now_ms + 365 * 86_400_000);
    with_a_person(|tx| {
        journal::write(tx, own(1), (PERSON, Verb::Set), remark("before"), "经办人")?;
        let entered = tx.last_entry(1)?.context("an entry")?;
        let mut ahead = fold::read(own(1), &entered)?;
        ahead.header.timestamp = year_ahead;
        journal::append(tx, own(1), ahead.header, ahead.body, tx.record(PERSON)?)?;
        assert!(clock::next(tx, 1)?.0 > year_ahead);

        rewrite::open_epoch(tx, own(2), now_ms, (1, 0), &[])?;
        let moved = tx.last_entry(2)?.context("an entry")?;
        assert_eq!(fold::read(own(2), &moved)?.header.timestamp, year_ahead);
        assert!(clock::next(tx, 2)?.0 < year_ahead);
        Ok(())
    })
}

/// S1, L1: the power is cut after the journal was brought under a new identity and before the key file was. What is
/// entered until the join goes on stands in the new journal: under the former identity the hub would never take it.
#[test]
fn what_is_entered_while_a_join_is_cut_off_stands_in_the_new_journal() -> anyhow::Result<()> {
    with_a_person(|tx| {
        rewrite::adopt_identity(tx, own(1), false)?;
        tx.drop_pending(1, 1)?;
        tx.drop_base_image(PERSON)?;
        let again = Own {
            node: NodeId::new([9; 16]),
            ..own(1)
        };
        rewrite::adopt_identity(tx, again, false)?;
        assert_eq!(tx.last_entry(1)?, None, "nothing was pending");
        // By the key file, which is the former one.
        journal::write(tx, own(1), (PERSON, Verb::Set), remark("after"), "经办人")?;
        rewrite::adopt_identity(tx, again, false)?;
        let entered = tx.entry(1, 1)?.context("an entry")?;
        assert!(journal::follows(&chain_start(again.node, 1), &entered));
        assert_eq!(tx.pending_places(1)?, [1]);
        Ok(())
    })
}

/// L1: a case that was begun before a new epoch was opened is known to a program that has not heard of the epoch.
#[test]
fn a_step_that_was_taken_before_a_new_epoch_is_pending_in_it() -> anyhow::Result<()> {
    with_a_person(|tx| {
        let case = RecordKey {
            kind: transfer::KIND_NUMBER,
            id: RecordId::new([6; 16]),
        };
        journal::take_step(tx, own(1), case, "create", Values::new(), "经办人")?;
        rewrite::open_epoch(tx, own(2), 0, (1, 0), &[])?;
        let steps = journal::pending_steps(tx, own(1), case.id)?;
        let events: Vec<_> = steps.iter().map(|taken| taken.value(step::EVENT)).collect();
        assert_eq!(events, [Some(&b"create"[..])]);
        Ok(())
    })
}

/// S8: what a machine has of an office is not that of another one which it joins; what it has not sent goes along.
#[test]
fn a_machine_that_joins_another_office_keeps_no_row_of_the_former_one() -> anyhow::Result<()> {
    with_a_person(|tx| {
        let key = RecordKey {
            kind: person::KIND_NUMBER,
            id: RecordId::new([4; 16]),
        };
        let read = Record {
            key,
            class: Class::Shared,
            office: own(1).office,
            revision: 1,
            life: Life::Alive,
            life_version: Version::default(),
            fields: std::collections::BTreeMap::new(),
        };
        let feed = own(1).office_feed();
        let page = fold::Page {
            feed: feed.clone(),
            rows: vec![FeedRow::State(read)],
            to_sequence: 7,
            is_last: true,
            decided_through: 0,
            released_through: 0,
        };
        fold::take_page(tx, own(1), &page)?;
        tx.set_setting(rewrite::IDENTITY, &own(1).node.bytes())?;
        let again = Own {
            node: NodeId::new([8; 16]),
            ..own(1)
        };
        rewrite::adopt_identity(tx, again, false)?;
        assert!(tx.record(key)?.is_some(), "of its own office it has all");
        let other = Own {
            node: NodeId::new([9; 16]),
            epoch: 1,
            office: OfficeId::new([5; 16]),
        };
        rewrite::adopt_identity(tx, other, false)?;
        assert_eq!(tx.record(key)?, None);
        assert_eq!(tx.leaving(false, None, 9)?, [key]);
        assert_eq!(
            (tx.counted_in(&feed)?.len(), tx.reading(&feed)?.sequence),
            (0, 0)
        );
        let unsent = fold::read(other, &tx.last_entry(1)?.context("an entry")?)?;
        assert_eq!(
            (unsent.id.node, unsent.header.record),
            (other.node, PERSON.id)
        );
        assert!(tx.record(PERSON)?.is_some());
        Ok(())
    })
}

/// S8: nor anything that no feed counts any more: a row that the hub does not have, one that stands under an unsent
/// change, and one that a repair put aside. What all offices read stays.
#[test]
fn what_no_feed_counts_stays_with_no_machine_that_joins_another_office() -> anyhow::Result<()> {
    with_a_person(|tx| {
        rewrite::adopt_identity(tx, own(1), false)?;
        let row = |kind, class, number: u8| Record {
            key: RecordKey {
                kind,
                id: RecordId::new([number; 16]),
            },
            class,
            office: own(1).office,
            revision: 1,
            life: Life::Alive,
            life_version: Version::default(),
            fields: std::collections::BTreeMap::new(),
        };
        let page = |feed: &str, rows: &[Record]| fold::Page {
            feed: feed.to_owned(),
            rows: rows.iter().cloned().map(FeedRow::State).collect(),
            to_sequence: 7,
            is_last: true,
            decided_through: 0,
            released_through: 0,
        };
        let lacking = [
            row(person::KIND_NUMBER, Class::Shared, 4),
            row(person::KIND_NUMBER, Class::Shared, 6),
            row(transfer::KIND_NUMBER, Class::Case, 7),
        ];
        let of_all = row(organisation::KIND_NUMBER, Class::Reference, 8);
        let feed = own(1).office_feed();
        fold::take_page(tx, own(1), &page(&feed, &lacking))?;
        fold::take_page(tx, own(1), &page("city", std::slice::from_ref(&of_all)))?;
        let keys = lacking.map(|row| row.key);
        for key in keys {
            fold::hub_lacks(tx, own(1), &feed, key, 0)?;
        }
        let [_, edited, _] = keys;
        journal::write(tx, own(1), (edited, Verb::Set), remark("unsent"), "经办人")?;
        let other = Own {
            node: NodeId::new([9; 16]),
            epoch: 1,
            office: OfficeId::new([5; 16]),
        };
        assert_eq!(rewrite::adopt_identity(tx, other, false)?, 2);
        let leaving: BTreeSet<_> = tx.leaving(false, None, 9)?.into_iter().collect();
        assert_eq!(leaving, BTreeSet::from(keys));
        for key in keys {
            assert_eq!(tx.record(key)?, None);
        }
        assert_eq!(tx.base_image(edited)?, Some(None), "its change moves");
        assert_eq!(tx.record(of_all.key)?, Some(of_all));
        assert!(tx.record(PERSON)?.is_some());
        assert!(tx.broken_at_node(1)?.is_empty());
        Ok(())
    })
}

/// S8: what was written for another office is not the present one's to send: neither where the hub that has lost it is
/// asked as the machine joins the other office, nor where a hub that is put back later does not know who wrote it.
#[test]
fn what_was_written_for_another_office_is_not_sent_as_the_present_ones() -> anyhow::Result<()> {
    with_a_person(|tx| {
        rewrite::adopt_identity(tx, own(1), false)?;
        tx.drop_pending(1, 1)?;
        tx.drop_base_image(PERSON)?;
        let other = Own {
            node: NodeId::new([9; 16]),
            epoch: 1,
            office: OfficeId::new([5; 16]),
        };
        assert_eq!(rewrite::adopt_identity(tx, other, true)?, 0);
        let former = (own(1).node, 1);
        assert_eq!(tx.former_journals()?, [former]);
        assert_eq!(rewrite::journals_before(tx, other)?, []);
        // With the office that wrote it, it is asked for.
        let back = Own {
            node: NodeId::new([8; 16]),
            ..own(1)
        };
        tx.set_setting(rewrite::LOOK_AT_FORMER, &[])?;
        rewrite::adopt_identity(tx, back, false)?;
        assert_eq!(rewrite::journals_before(tx, back)?, [former]);
        assert_eq!(tx.setting(rewrite::LOOK_AT_FORMER)?, Some(vec![1]));
        let nodes = [back, other, own(1)].map(|own| own.node);
        let known: BTreeSet<_> = rewrite::identities(tx, back)?.into_iter().collect();
        assert_eq!(known, BTreeSet::from(nodes));
        assert!(tx.broken_at_node(1)?.is_empty());
        Ok(())
    })
}

/// L1, S8: a hub that is put back takes rows back on what another identity of the same office certified; it is not the
/// present one's, which certifies anew. Of another office nothing stays.
#[test]
fn what_another_identity_certified_is_not_the_present_ones() -> anyhow::Result<()> {
    with_a_person(|tx| {
        rewrite::adopt_identity(tx, own(1), false)?;
        let certified = Certificate {
            feed: own(1).office_feed(),
            sequence: 7,
            digest: Digest::from_parts(&[1; 32], 1),
            by_hub: vec![1],
            by_node: vec![2],
            at: 3,
            incarnation: vec![4; 16],
            epoch: 1,
            decided: (5, vec![6]),
        };
        tx.keep_certificate(&certified)?;
        let again = Own {
            node: NodeId::new([8; 16]),
            ..own(1)
        };
        rewrite::adopt_identity(tx, again, false)?;
        let kept = Certificate {
            epoch: 0,
            decided: (0, Vec::new()),
            ..certified
        };
        assert_eq!(tx.certificates()?, [kept]);
        let other = Own {
            node: NodeId::new([9; 16]),
            epoch: 1,
            office: OfficeId::new([5; 16]),
        };
        rewrite::adopt_identity(tx, other, false)?;
        assert_eq!(tx.certificates()?, []);
        Ok(())
    })
}

/// Puts an entry in the place of the one that stands there.
fn put(tx: Tx<'_>, entry: &Entry) -> anyhow::Result<()> {
    tx.remove_entry(entry.epoch, entry.sequence)?;
    let clock = clock::last(tx, entry.epoch)?;
    Ok(tx.append_entry(entry, 1, clock)?)
}

/// S18, S7: what a turned bit has made of an entry, or of what stands beside it, is not written anew as if the office
/// had entered that: under the new chain nobody could tell any more.
#[test]
fn what_is_not_as_it_was_written_is_not_written_anew() -> anyhow::Result<()> {
    with_a_person(|tx| {
        journal::write(tx, own(1), (PERSON, Verb::Set), remark("before"), "经办人")?;
        let whole = tx.entry(1, 2)?.context("an entry")?;
        let mut turned = whole.clone();
        *turned.raw.body.last_mut().context("a body")? ^= 1;
        let other = Entry {
            key: RecordKey {
                id: RecordId::new([4; 16]),
                ..PERSON
            },
            ..whole.clone()
        };
        for spoilt in [&turned, &other] {
            put(tx, spoilt)?;
            let refused = rewrite::open_epoch(tx, own(2), 0, (1, 1), &[]);
            let refused = refused.err().context("moved as it is")?;
            assert!(refused.to_string().contains("已损坏"), "{refused}");
        }
        put(tx, &whole)?;
        assert_eq!(rewrite::open_epoch(tx, own(2), 0, (1, 1), &[])?, 1);
        Ok(())
    })
}

/// S18: the same of the first entry of a journal, which follows on the machine's identity, also where the machine has
/// joined anew since.
#[test]
fn the_first_entry_is_written_anew_as_it_was_written() -> anyhow::Result<()> {
    let again = Own {
        node: NodeId::new([7; 16]),
        ..own(1)
    };
    with_a_person(|tx| {
        rewrite::adopt_identity(tx, own(1), false)?;
        let whole = tx.entry(1, 1)?.context("an entry")?;
        let mut turned = whole.clone();
        *turned.raw.body.last_mut().context("a body")? ^= 1;
        put(tx, &turned)?;
        assert!(rewrite::open_epoch(tx, own(2), 0, (1, 0), &[]).is_err());
        put(tx, &whole)?;
        rewrite::adopt_identity(tx, again, false)?;
        assert!(tx.entry(1, 1)?.is_some(), "under the new identity");
        Ok(())
    })
}
