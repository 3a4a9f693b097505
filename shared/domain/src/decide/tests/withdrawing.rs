//! What an office has no more when a member has gone, and what is refused of a record that was
//! removed for good (`sync.md` 3 and 9).

use super::super::*;
use super::hub::{EAST, HUB, Hub, WEST};
use crate::id::RecordId;
use crate::kinds::{letter, member, person, step, stub, transfer, volunteer};
use crate::record::Record;
use crate::world::{Fact, World};

const WHO: RecordId = RecordId::new([60; 16]);
const CASE: RecordId = RecordId::new([70; 16]);

/// EAST's member, known to it by ID number, is accepted by WEST.
fn accepted(prepare: impl Fn(&mut Hub)) -> Hub {
    let mut hub = Hub::new();
    let id = hub.register(EAST, 60);
    let facts: &[(u16, &[u8])] = &[
        (person::ID_NUMBER, b"350102198001010011"),
        (person::SEX, b"1"),
        (person::BIRTH_DATE, b"1980-01-01"),
    ];
    let set = hub.send(EAST, person::KIND_NUMBER, WHO, Verb::Set, facts);
    assert_eq!(set, Verdict::Applied);
    prepare(&mut hub);
    hub.start(EAST, WEST, id, CASE);
    hub.issue(EAST, CASE);
    let paper = letter_of(&hub);
    assert_eq!(paper.text(letter::ID_NUMBER), Some("350102198001010011"));
    hub.step((WEST, WEST), CASE, "open_check", &[]);
    let to_branch = WEST.bytes();
    let args: &[(u16, &[u8])] = &[(step::TO_BRANCH, &to_branch)];
    assert_eq!(
        hub.step((WEST, WEST), CASE, "accept", args),
        Verdict::Applied
    );
    hub
}

fn letter_of(hub: &Hub) -> &Record {
    let id = hub
        .get(transfer::KIND_NUMBER, CASE)
        .reference(transfer::LETTER);
    hub.get(letter::KIND_NUMBER, id.unwrap_or_default())
}

fn is_in(hub: &Hub, office: OfficeId, kind: u16, id: RecordId) -> bool {
    hub.feeds.contains(&(office, RecordKey { kind, id }))
}

#[test]
fn the_person_goes_with_the_member_and_of_the_letter_its_stub_stays() {
    let mut hub = accepted(|_| {});
    let id = RecordId::new([160; 16]);
    assert!(!is_in(&hub, EAST, member::KIND_NUMBER, id));
    assert!(!is_in(&hub, EAST, person::KIND_NUMBER, WHO));
    let of_west = hub.get(member::KIND_NUMBER, id).reference(member::PERSON);
    let copy = hub.get(person::KIND_NUMBER, of_west.unwrap_or_default());
    assert_eq!(copy.text(person::ID_NUMBER), Some("350102198001010011"));
    assert!(is_in(&hub, WEST, person::KIND_NUMBER, copy.key.id));
    let kept = hub.get(person::KIND_NUMBER, WHO);
    assert_eq!(kept.office, DESK, "the hub keeps it as history");
    let paper = letter_of(&hub);
    assert!(is_in(&hub, EAST, letter::KIND_NUMBER, paper.key.id));
    for gone in [letter::ID_NUMBER, letter::SEX, letter::BIRTH_DATE] {
        assert_eq!(paper.value(gone), None);
    }
    assert!(paper.value(letter::NUMBER).is_some() && paper.value(letter::NAME).is_some());
    let is_shown_stub = |record: &&Record| {
        record.key.kind == stub::KIND_NUMBER && is_in(&hub, EAST, stub::KIND_NUMBER, record.key.id)
    };
    let stubs: Vec<_> = hub.records.values().filter(is_shown_stub).collect();
    let names: Vec<_> = stubs.iter().map(|stub| stub.text(stub::NAME)).collect();
    assert_eq!(names, [Some("陈晓")]);
    // A late edit of what is not the office's any more is kept and not applied.
    let late: &[(u16, &[u8])] = &[(person::PHONE, b"13900000001")];
    let verdict = hub.send(EAST, person::KIND_NUMBER, WHO, Verb::Set, late);
    assert_eq!(verdict, Verdict::SetAside("not_yours"));
    assert!(!is_in(&hub, EAST, person::KIND_NUMBER, WHO));
}

#[test]
fn a_person_who_has_another_role_at_the_office_stays_there() {
    let volunteers = |hub: &mut Hub| {
        let who = WHO.bytes();
        let fields: &[(u16, &[u8])] = &[
            (volunteer::PERSON, &who),
            (volunteer::REGISTERED_DATE, b"2026-01-01"),
        ];
        let id = RecordId::new([80; 16]);
        let made = hub.send(EAST, volunteer::KIND_NUMBER, id, Verb::Create, fields);
        assert_eq!(made, Verdict::Applied);
    };
    let hub = accepted(volunteers);
    assert!(is_in(&hub, EAST, person::KIND_NUMBER, WHO));
    assert_eq!(hub.get(person::KIND_NUMBER, WHO).office, EAST);
    assert!(!is_in(
        &hub,
        EAST,
        member::KIND_NUMBER,
        RecordId::new([160; 16])
    ));
    assert_eq!(letter_of(&hub).value(letter::ID_NUMBER), None);
}

#[test]
fn nothing_is_taken_under_an_id_that_was_removed_for_good() {
    let mut hub = Hub::new();
    let gone = RecordKey {
        kind: person::KIND_NUMBER,
        id: WHO,
    };
    let who = WHO.bytes();
    let of_person: &[(u16, &[u8])] = &[(person::NAME, b"new")];
    let naming: &[(u16, &[u8])] = &[
        (volunteer::PERSON, &who),
        (volunteer::REGISTERED_DATE, b"2026-01-01"),
    ];
    let attempts = [
        (person::KIND_NUMBER, WHO, Verb::Create, of_person),
        (person::KIND_NUMBER, WHO, Verb::Set, of_person),
        (person::KIND_NUMBER, WHO, Verb::Restore, &[][..]),
        (
            volunteer::KIND_NUMBER,
            RecordId::new([80; 16]),
            Verb::Create,
            naming,
        ),
    ];
    for (kind, id, verb, fields) in attempts {
        let change = hub.change(EAST, kind, id, verb, fields);
        let incoming = Incoming {
            change: &change,
            office: EAST,
            received_ms: hub.now,
            offset_ms: 0,
            waited_in: None,
        };
        let mut world = World::new(ChangeId {
            node: HUB,
            epoch: 1,
            sequence: 1_000,
        });
        let verdict = loop {
            match decide(&mut world, &incoming) {
                Ok(verdict) => break verdict,
                Err(Need::Record(key)) if key == gone => world.supply(Fact::Purged(key)),
                Err(need) => world.supply(hub.fact(need)),
            }
        };
        assert_eq!(verdict, Verdict::SetAside("purged"), "{verb:?}");
        let notes: Vec<_> = world.writes().records.keys().map(|key| key.kind).collect();
        assert_eq!(
            notes,
            [set_aside::KIND_NUMBER],
            "kept whole, with its reason"
        );
    }
}
