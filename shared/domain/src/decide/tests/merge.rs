//! Merging records and taking it back (`sync.md` 6).

#![allow(clippy::expect_used, reason = "a test that is wrong should stop")]

use super::hub::{EAST, Hub, WEST};
use super::*;
use crate::change::FieldChange;
use crate::kinds::{merge, team, tenure};
use std::collections::BTreeSet;

/// A person of an office.
pub(super) fn person_at(
    hub: &mut Hub,
    office: OfficeId,
    number: u8,
    fields: &[(u16, &[u8])],
) -> RecordId {
    let id = RecordId::new([number; 16]);
    let made = hub.send(office, person::KIND_NUMBER, id, Verb::Create, fields);
    assert_eq!(made, Verdict::Applied);
    id
}

fn twins(hub: &mut Hub) -> (RecordId, RecordId) {
    let kept: &[(u16, &[u8])] = &[(person::NAME, "林一".as_bytes()), (person::PHONE, b"11")];
    let other: &[(u16, &[u8])] = &[
        (person::NAME, "林壹".as_bytes()),
        (person::PHONE, b"22"),
        (person::REMARKS, b"twin"),
    ];
    (
        person_at(hub, EAST, 50, kept),
        person_at(hub, EAST, 51, other),
    )
}

fn declared(kind: u16) -> &'static crate::kind::Kind {
    kinds::by_number(kind).expect("a kind")
}

/// The change with which an office merges `other` into `kept`.
pub(super) fn merging(
    hub: &mut Hub,
    office: OfficeId,
    kind: u16,
    (kept, other): (RecordId, RecordId),
    wanted: &[u16],
) -> Change {
    let mut change = hub.change(office, kind, other, Verb::Merge, &[]);
    let (kept, other) = (hub.get(kind, kept), hub.get(kind, other));
    change.body.fields = merge_fields(declared(kind), kept, other, wanted).expect("mergeable");
    change
}

/// An office takes a merge back.
pub(super) fn unmerge(hub: &mut Hub, office: OfficeId, kind: u16, merged: RecordId) -> Verdict {
    let field = kinds::merged_into(kind).expect("mergeable");
    hub.send(office, kind, merged, Verb::Unmerge, &[(field, b"")])
}

#[test]
fn the_kept_record_takes_what_it_lacks_and_what_was_chosen_and_both_rows_stay() {
    let mut hub = Hub::new();
    let (kept, other) = twins(&mut hub);
    let kind = person::KIND_NUMBER;
    let change = merging(&mut hub, EAST, kind, (kept, other), &[person::PHONE]);
    assert_eq!(hub.take(EAST, &change), Verdict::Applied);
    let (one, two) = (hub.get(kind, kept), hub.get(kind, other));
    assert_eq!(one.text(person::NAME), Some("林一"));
    assert_eq!(one.text(person::PHONE), Some("22"));
    assert_eq!(one.text(person::REMARKS), Some("twin"));
    assert_eq!(two.text(person::PHONE), Some("22"));
    assert_eq!(two.reference(person::MERGED_INTO), Some(kept));
    assert_eq!(unmerge(&mut hub, EAST, kind, other), Verdict::Applied);
    let (one, two) = (hub.get(kind, kept), hub.get(kind, other));
    assert_eq!(one.text(person::PHONE), Some("11"));
    assert_eq!(one.text(person::REMARKS), None);
    assert_eq!(two.value(person::MERGED_INTO), None);
    let states: Vec<_> = hub
        .records
        .values()
        .filter_map(|r| r.text(merge::STATE))
        .collect();
    assert!(states.contains(&"undone"));
}

#[test]
fn what_was_changed_since_the_merge_stays_when_it_is_taken_back() {
    let mut hub = Hub::new();
    let (kept, other) = twins(&mut hub);
    let kind = person::KIND_NUMBER;
    let change = merging(&mut hub, EAST, kind, (kept, other), &[person::PHONE]);
    hub.take(EAST, &change);
    hub.send(EAST, kind, kept, Verb::Set, &[(person::PHONE, b"33")]);
    assert_eq!(unmerge(&mut hub, EAST, kind, other), Verdict::Applied);
    assert_eq!(hub.get(kind, kept).text(person::PHONE), Some("33"));
}

#[test]
fn a_value_that_the_merger_had_not_seen_stays() {
    let mut hub = Hub::new();
    let (kept, other) = twins(&mut hub);
    let kind = person::KIND_NUMBER;
    let change = merging(&mut hub, EAST, kind, (kept, other), &[person::PHONE]);
    hub.send(DESK, kind, kept, Verb::Set, &[(person::PHONE, b"99")]);
    assert_eq!(hub.take(EAST, &change), Verdict::Applied);
    assert_eq!(hub.get(kind, kept).text(person::PHONE), Some("99"));
    assert_eq!(hub.get(kind, other).text(person::PHONE), Some("22"));
}

/// S7, rule 7: of two merges that were written beside each other the second brings no part of a group.
#[test]
fn a_group_is_taken_whole_or_not_at_all() {
    let kind = person::KIND_NUMBER;
    for is_short in [false, true] {
        let mut hub = Hub::new();
        let name = (person::NAME, "林一".as_bytes());
        let kept = person_at(&mut hub, EAST, 60, &[name]);
        let born: (u16, &[u8]) = (person::BIRTH_DATE, b"1970-01-01");
        let one = person_at(&mut hub, EAST, 61, &[name, born]);
        let two = person_at(&mut hub, EAST, 62, &[name, (person::ID_SOURCE, b"spoken")]);
        let first = merging(&mut hub, EAST, kind, (kept, one), &[]);
        let mut second = merging(&mut hub, EAST, kind, (kept, two), &[]);
        if is_short {
            // As a client might write it that names only what has a value.
            second.body.fields.retain(|field| !field.value.is_empty());
        }
        assert_eq!(hub.take(EAST, &first), Verdict::Applied);
        assert_eq!(hub.take(EAST, &second), Verdict::Applied);
        let both = hub.get(kind, kept);
        assert_eq!(both.text(person::BIRTH_DATE), Some("1970-01-01"));
        assert_eq!(both.text(person::ID_SOURCE), None);
        let group = declared(kind).group_of(person::SEX);
        let versions = group.iter().map(|field| both.version(*field));
        assert_eq!(versions.collect::<BTreeSet<_>>().len(), 1);
    }
}

/// S7: a client names one field of a group, of which the kept record has another: that one stays.
#[test]
fn what_a_merge_does_not_name_of_a_group_is_not_taken_away() {
    let mut hub = Hub::new();
    let kind = person::KIND_NUMBER;
    let name = (person::NAME, "林一".as_bytes());
    let kept = person_at(
        &mut hub,
        EAST,
        60,
        &[name, (person::BIRTH_DATE, b"1970-01-01")],
    );
    let other = person_at(&mut hub, EAST, 61, &[name, (person::ID_SOURCE, b"spoken")]);
    let mut change = merging(&mut hub, EAST, kind, (kept, other), &[person::ID_SOURCE]);
    let own = [kinds::merged_into(kind), Some(person::ID_SOURCE)];
    change
        .body
        .fields
        .retain(|field| own.contains(&Some(field.number)));
    assert_eq!(change.body.fields.len(), 2);
    assert_eq!(hub.take(EAST, &change), Verdict::Applied);
    assert_eq!(
        hub.get(kind, kept).text(person::BIRTH_DATE),
        Some("1970-01-01")
    );
    assert_eq!(hub.get(kind, other).text(person::ID_SOURCE), Some("spoken"));
}

#[test]
fn merges_from_two_sides_meet_without_a_circle_and_a_repeat_changes_nothing() {
    let mut hub = Hub::new();
    let (kept, other) = twins(&mut hub);
    let kind = person::KIND_NUMBER;
    let one = merging(&mut hub, EAST, kind, (kept, other), &[]);
    let two = merging(&mut hub, EAST, kind, (other, kept), &[]);
    assert_eq!(hub.take(EAST, &one), Verdict::Applied);
    assert_eq!(hub.take(EAST, &two), Verdict::Merged);
    assert_eq!(hub.get(kind, kept).value(person::MERGED_INTO), None);
    let third: &[(u16, &[u8])] = &[(person::NAME, "林三".as_bytes())];
    let third = person_at(&mut hub, EAST, 52, third);
    // What is merged stands for what it was merged into.
    let on_twin = merging(&mut hub, EAST, kind, (third, other), &[]);
    assert_eq!(hub.take(EAST, &on_twin), Verdict::Applied);
    assert_eq!(
        hub.get(kind, kept).reference(person::MERGED_INTO),
        Some(third)
    );
    assert_eq!(
        hub.get(kind, other).reference(person::MERGED_INTO),
        Some(kept)
    );
    let early = unmerge(&mut hub, EAST, kind, other);
    assert_eq!(early, Verdict::SetAside("merged_further"));
}

#[test]
fn an_edit_of_a_merged_record_is_set_aside_and_kept() {
    let mut hub = Hub::new();
    let (kept, other) = twins(&mut hub);
    let kind = person::KIND_NUMBER;
    let late = hub.change(EAST, kind, other, Verb::Set, &[(person::PHONE, b"44")]);
    let change = merging(&mut hub, EAST, kind, (kept, other), &[]);
    hub.take(EAST, &change);
    assert_eq!(hub.take(EAST, &late), Verdict::SetAside("merged"));
    assert_eq!(hub.get(kind, other).text(person::PHONE), Some("22"));
}

/// S7: what lost against a value of a record that is merged now is not put into that record.
#[test]
fn an_item_about_a_record_that_was_merged_changes_nothing_there() {
    let mut hub = Hub::new();
    let (kept, other) = twins(&mut hub);
    let kind = person::KIND_NUMBER;
    let offline = hub.change(EAST, kind, other, Verb::Set, &[(person::PHONE, b"33")]);
    hub.now += 60_000;
    hub.send(DESK, kind, other, Verb::Set, &[(person::PHONE, b"44")]);
    assert_eq!(hub.take(EAST, &offline), Verdict::Lost);
    let item = hub.open_items()[0].key.id;
    let change = merging(&mut hub, EAST, kind, (kept, other), &[]);
    assert_eq!(hub.take(EAST, &change), Verdict::Applied);
    let loser = settle(&mut hub, 77, item, b"loser");
    assert_eq!(loser, Verdict::SetAside("merged"));
    assert_eq!(hub.get(kind, other).text(person::PHONE), Some("44"));
    assert_eq!(settle(&mut hub, 78, item, b"winner"), Verdict::Applied);
}

/// A merge of EAST's that brings this value besides, as a client of somebody else may write it.
fn bringing(
    hub: &mut Hub,
    kind: u16,
    (kept, other): (RecordId, RecordId),
    (number, value): (u16, &[u8]),
) -> Verdict {
    let mut change = merging(hub, EAST, kind, (kept, other), &[]);
    change.body.fields.retain(|field| field.number != number);
    change.body.fields.push(FieldChange {
        number,
        value: value.to_vec(),
        base: hub.get(kind, kept).version(number),
    });
    change.body.fields.sort_by_key(|field| field.number);
    hub.take(EAST, &change)
}

#[test]
fn what_a_merge_brings_obeys_what_an_edit_must_obey() {
    let mut hub = Hub::new();
    let persons = twins(&mut hub);
    let kind = volunteer::KIND_NUMBER;
    let [one, other] = [(80, persons.0), (81, persons.1)].map(|(number, who)| {
        let (id, who) = (RecordId::new([number; 16]), who.bytes());
        let made = hub.send(EAST, kind, id, Verb::Create, &[(volunteer::PERSON, &who)]);
        assert_eq!(made, Verdict::Applied);
        id
    });
    let (of_west, unknown) = (RecordId::new([90; 16]), RecordId::new([91; 16]));
    let name: &[(u16, &[u8])] = &[(team::NAME, b"team")];
    let made = hub.send(WEST, team::KIND_NUMBER, of_west, Verb::Create, name);
    assert_eq!(made, Verdict::Applied);
    let (of_west, unknown) = (of_west.bytes(), unknown.bytes());
    let pair = (one, other);
    let foreign = bringing(&mut hub, kind, pair, (volunteer::TEAM, &of_west));
    assert_eq!(foreign, Verdict::SetAside("not_yours"));
    let none = bringing(&mut hub, kind, pair, (volunteer::PERSON, b""));
    assert_eq!(none, Verdict::SetAside("value_missing"));
    let early = bringing(&mut hub, kind, pair, (volunteer::TEAM, &unknown));
    assert_eq!(early, Verdict::Waiting);
    let nameless = bringing(&mut hub, person::KIND_NUMBER, persons, (person::NAME, b""));
    assert_eq!(nameless, Verdict::SetAside("value_missing"));
    let kept = hub.get(kind, one);
    assert_eq!(kept.value(volunteer::TEAM), None);
    assert_eq!(kept.reference(volunteer::PERSON), Some(persons.0));
    assert_eq!(hub.get(kind, other).value(volunteer::MERGED_INTO), None);
    let name = hub.get(person::KIND_NUMBER, persons.0).text(person::NAME);
    assert_eq!(name, Some("林一"));
}

#[test]
fn nothing_is_entered_as_merged() {
    let mut hub = Hub::new();
    let (who, _) = twins(&mut hub);
    let who = who.bytes();
    let of_person: &[(u16, &[u8])] = &[(person::NAME, "林三".as_bytes())];
    let of_volunteer: &[(u16, &[u8])] = &[(volunteer::PERSON, &who)];
    let of_member: &[(u16, &[u8])] = &[
        (member::PERSON, &who),
        (member::CATEGORY, b"full"),
        (member::STATUS, b"FULL"),
        (member::JOIN_DATE, b"2001-07-01"),
    ];
    for (kind, fields) in [
        (person::KIND_NUMBER, of_person),
        (volunteer::KIND_NUMBER, of_volunteer),
        (member::KIND_NUMBER, of_member),
    ] {
        let into = kinds::merged_into(kind).expect("mergeable");
        let mut fields = fields.to_vec();
        fields.push((into, &who));
        let id = RecordId::new([95; 16]);
        let made = hub.send(EAST, kind, id, Verb::Create, &fields);
        assert_eq!(made, Verdict::SetAside("by_steps_only"), "kind {kind}");
    }
}

#[test]
fn an_office_merges_only_its_own_and_nobody_merges_persons_of_two_offices() {
    let mut hub = Hub::new();
    let kind = person::KIND_NUMBER;
    let (kept, _) = twins(&mut hub);
    let far: &[(u16, &[u8])] = &[(person::NAME, "林一".as_bytes())];
    let far = person_at(&mut hub, WEST, 53, far);
    for (office, wanted) in [
        (EAST, "not_yours"),
        (WEST, "not_yours"),
        (DESK, "offices_differ"),
    ] {
        let change = merging(&mut hub, office, kind, (kept, far), &[]);
        assert_eq!(hub.take(office, &change), Verdict::SetAside(wanted));
    }
    let change = hub.change(EAST, organisation::KIND_NUMBER, EAST, Verb::Merge, &[]);
    assert_eq!(hub.take(EAST, &change), Verdict::SetAside("hub_only"));
}

#[test]
fn of_two_held_members_the_desk_keeps_one_tenure_open_and_can_take_it_back() {
    let mut hub = Hub::new();
    let kind = member::KIND_NUMBER;
    let (kept, other) = (hub.register(EAST, 10), hub.register(WEST, 20));
    let own = merging(&mut hub, WEST, kind, (kept, other), &[]);
    assert_eq!(hub.take(WEST, &own), Verdict::SetAside("not_yours"));
    let change = merging(&mut hub, DESK, kind, (kept, other), &[]);
    assert_eq!(hub.take(DESK, &change), Verdict::Applied);
    assert_eq!((hub.open_tenures(kept), hub.open_tenures(other)), (1, 0));
    assert_eq!(hub.get(kind, other).value(member::HOLDER), None);
    let start = hub.start(WEST, EAST, other, RecordId::new([77; 16]));
    assert!(matches!(start, Verdict::SetAside(_)), "{start:?}");
    assert_eq!(unmerge(&mut hub, DESK, kind, other), Verdict::Applied);
    assert_eq!((hub.open_tenures(kept), hub.open_tenures(other)), (1, 1));
    assert_eq!(hub.get(kind, other).reference(member::HOLDER), Some(WEST));
    let of_other = hub.records.values().filter(|record| {
        record.key.kind == tenure::KIND_NUMBER && record.reference(tenure::MEMBER) == Some(other)
    });
    assert_eq!(
        of_other.count(),
        2,
        "nothing is opened again, a further one is"
    );
}

#[test]
fn two_held_members_of_one_office_are_the_desks_to_merge() {
    let mut hub = Hub::new();
    let kind = member::KIND_NUMBER;
    let (kept, other) = (hub.register(EAST, 10), hub.register(EAST, 20));
    let change = merging(&mut hub, EAST, kind, (kept, other), &[]);
    assert_eq!(hub.take(EAST, &change), Verdict::SetAside("desk_only"));
    assert_eq!((hub.open_tenures(kept), hub.open_tenures(other)), (1, 1));
}

#[test]
fn a_member_with_an_open_transfer_is_not_merged_away() {
    let mut hub = Hub::new();
    let kind = member::KIND_NUMBER;
    let (kept, other) = (hub.register(EAST, 10), hub.register(EAST, 20));
    let case = RecordId::new([70; 16]);
    assert_eq!(hub.start(EAST, WEST, other, case), Verdict::Applied);
    let change = merging(&mut hub, DESK, kind, (kept, other), &[]);
    assert_eq!(hub.take(DESK, &change), Verdict::SetAside("TRF-001"));
}
