//! A member whose person was entered twice is handed over as the record that stands for them (`sync.md` 6).

use super::super::*;
use super::hub::{EAST, Hub, WEST};
use super::late::CASE;
use super::merge::{merging, person_at};
use crate::kinds::{letter, member, person, step, stub, transfer};

const NAME: &str = "陈晓明";
const PHONE: &str = "13900000062";

/// EAST's member names the first of three records of one person; the third stands for all of them.
fn entered_thrice(hub: &mut Hub) -> (RecordId, [RecordId; 3]) {
    let id = hub.register(EAST, 60);
    let first = RecordId::new([60; 16]);
    let second = person_at(hub, EAST, 61, &[(person::NAME, "陈小".as_bytes())]);
    let facts = [
        (person::NAME, NAME.as_bytes()),
        (person::PHONE, PHONE.as_bytes()),
    ];
    let third = person_at(hub, EAST, 62, &facts);
    for (kept, other) in [(second, first), (third, second)] {
        let change = merging(hub, EAST, person::KIND_NUMBER, (kept, other), &[]);
        assert_eq!(hub.take(EAST, &change), Verdict::Applied);
    }
    (id, [first, second, third])
}

#[test]
fn the_receiver_gets_the_person_who_stands_for_the_others_and_can_work_with_it() {
    let mut hub = Hub::new();
    let (id, persons) = entered_thrice(&mut hub);
    assert_eq!(hub.start(EAST, WEST, id, CASE), Verdict::Applied);
    hub.issue(EAST, CASE);
    let case = hub.get(transfer::KIND_NUMBER, CASE);
    assert_eq!(case.text(transfer::MEMBER_NAME), Some(NAME));
    let paper = case.reference(transfer::LETTER).unwrap_or_default();
    let paper = hub.get(letter::KIND_NUMBER, paper);
    let printed = [letter::NAME, letter::PHONE].map(|field| paper.text(field));
    assert_eq!(printed, [Some(NAME), Some(PHONE)]);
    hub.step((WEST, WEST), CASE, "open_check", &[]);
    let to = WEST.bytes();
    let accept = hub.step((WEST, WEST), CASE, "accept", &[(step::TO_BRANCH, &to)]);
    assert_eq!(accept, Verdict::Applied);
    let of_west = hub.get(member::KIND_NUMBER, id).reference(member::PERSON);
    let of_west = of_west.unwrap_or_default();
    let copy = hub.get(person::KIND_NUMBER, of_west);
    let copied = [person::NAME, person::PHONE].map(|field| copy.text(field));
    assert_eq!((copy.office, copied), (WEST, [Some(NAME), Some(PHONE)]));
    assert_eq!(copy.value(person::MERGED_INTO), None);
    let edit: &[(u16, &[u8])] = &[(person::PHONE, b"13900000063")];
    let edited = hub.send(WEST, person::KIND_NUMBER, of_west, Verb::Set, edit);
    assert_eq!(edited, Verdict::Applied);
    let mut stubs = hub.records.values();
    let stub = stubs.find(|record| record.key.kind == stub::KIND_NUMBER);
    assert_eq!(stub.and_then(|stub| stub.text(stub::NAME)), Some(NAME));
    // None of the three is EAST's any more.
    for id in persons {
        let kept = hub.get(person::KIND_NUMBER, id);
        assert_eq!(kept.office, DESK);
        assert!(!hub.feeds.contains(&(EAST, kept.key)));
    }
}

/// The hub's copy is never said to be merged, also where the record that stands for it is not there.
#[test]
fn a_copy_of_a_person_whose_twin_is_gone_is_not_merged() {
    let mut hub = Hub::new();
    let (id, [_, second, third]) = entered_thrice(&mut hub);
    hub.records.remove(&RecordKey {
        kind: person::KIND_NUMBER,
        id: third,
    });
    assert_eq!(hub.start(EAST, WEST, id, CASE), Verdict::Applied);
    hub.issue(EAST, CASE);
    hub.step((WEST, WEST), CASE, "open_check", &[]);
    let to = WEST.bytes();
    let accept = hub.step((WEST, WEST), CASE, "accept", &[(step::TO_BRANCH, &to)]);
    assert_eq!(accept, Verdict::Applied);
    let of_west = hub.get(member::KIND_NUMBER, id).reference(member::PERSON);
    let copy = hub.get(person::KIND_NUMBER, of_west.unwrap_or_default());
    let last = hub.get(person::KIND_NUMBER, second);
    assert_eq!(copy.text(person::NAME), last.text(person::NAME));
    assert_eq!(copy.value(person::MERGED_INTO), None);
}
