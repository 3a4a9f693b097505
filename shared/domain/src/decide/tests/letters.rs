//! Numbers of letters: given once, never again, and a gap has its reason (`domain.md` 1.8,
//! invariant 4).

use super::super::*;
use super::hub::{EAST, HUB, Hub, STREET, WEST};
use crate::id::{NodeId, RecordId};
use crate::kinds::{letter, organisation, step, transfer};
use crate::lease::{Block, Booked, VoidReason};
use crate::record::Record;

const CASES: [u8; 3] = [70, 71, 72];

/// A hub with a case of EAST before the committee for each of three members; EAST may admit.
fn reviewed() -> (Hub, Vec<RecordId>) {
    let mut hub = Hub::new();
    let admits = [(organisation::CAN_ADMIT_MEMBERS, b"1".as_slice())];
    let set = hub.send(DESK, organisation::KIND_NUMBER, EAST, Verb::Set, &admits);
    assert_eq!(set, Verdict::Applied);
    let mut cases = Vec::new();
    for (place, number) in (60..).zip(CASES) {
        let member = hub.register(EAST, place);
        let case = RecordId::new([number; 16]);
        hub.start(EAST, WEST, member, case);
        for event in ["submit", "approve_branch"] {
            assert_eq!(hub.step((EAST, EAST), case, event, &[]), Verdict::Applied);
        }
        cases.push(case);
    }
    (hub, cases)
}

fn approve(hub: &mut Hub, acting: (OfficeId, OfficeId), case: RecordId, text: &str) -> Verdict {
    let args: &[(u16, &[u8])] = &[
        (step::LETTER_NUMBER, text.as_bytes()),
        (step::VALID_DAYS, b"30"),
    ];
    hub.step(acting, case, "approve", args)
}

fn letters(hub: &Hub) -> Vec<(Option<&str>, Option<i64>, Option<&str>)> {
    hub.records
        .values()
        .filter(|r| r.key.kind == letter::KIND_NUMBER)
        .map(|r| {
            (
                r.text(letter::NUMBER),
                r.integer(letter::SERIAL),
                r.text(letter::STATE),
            )
        })
        .collect()
}

fn block_of_east(first: u32, next: u32, voided: Option<VoidReason>) -> Booked {
    Booked {
        block: Block {
            issuer: EAST,
            year: 2026,
            first,
            end: first + 100,
            next,
        },
        node: NodeId::new(EAST.bytes()),
        epoch: 1,
        office: EAST,
        voided,
    }
}

#[test]
fn a_number_seen_twice_is_set_aside_however_it_is_written() {
    let (mut hub, cases) = reviewed();
    let first = approve(&mut hub, (EAST, EAST), cases[0], "〔2026〕第000012号");
    assert_eq!(first, Verdict::Applied);
    let twice = approve(&mut hub, (EAST, EAST), cases[1], "东湖社区 2026-12");
    assert_eq!(twice, Verdict::SetAside("LET-002"));
    assert_eq!(
        letters(&hub),
        [(Some("〔2026〕第000012号"), Some(12), Some("ISSUED"))],
        "one letter bears the number"
    );
    let case = hub.get(transfer::KIND_NUMBER, cases[1]);
    assert_eq!(case.text(transfer::STATE), Some("COMMITTEE_REVIEW"));
    // Another issuer counts for itself.
    let street = approve(&mut hub, (DESK, STREET), cases[1], "2026-12");
    assert_eq!(street, Verdict::Applied);
}

#[test]
fn a_number_without_year_or_of_a_year_to_come_is_refused() {
    let (mut hub, cases) = reviewed();
    for text in ["示范-7", "2027-1", "2026-0"] {
        let verdict = approve(&mut hub, (EAST, EAST), cases[0], text);
        assert_eq!(verdict, Verdict::SetAside("LET-004"), "{text}");
    }
    assert_eq!(letters(&hub), []);
}

#[test]
fn nobody_takes_a_number_of_a_block_that_is_leased_to_another() {
    let (mut hub, cases) = reviewed();
    hub.booked.push(block_of_east(1, 5, None));
    let desk = approve(&mut hub, (DESK, EAST), cases[0], "2026-20");
    assert_eq!(desk, Verdict::SetAside("LET-005"));
    let own = approve(&mut hub, (EAST, EAST), cases[0], "2026-20");
    assert_eq!(own, Verdict::Applied);
    hub.booked.push(Booked {
        node: HUB,
        office: DESK,
        ..block_of_east(101, 101, None)
    });
    let node = approve(&mut hub, (EAST, EAST), cases[1], "2026-150");
    assert_eq!(node, Verdict::SetAside("LET-005"));
    // The former machine of the same office: what it had given out is brought by the new one.
    hub.booked.push(Booked {
        node: NodeId::new([0x77; 16]),
        ..block_of_east(201, 211, Some(VoidReason::EnrolledAnew))
    });
    let brought = approve(&mut hub, (EAST, EAST), cases[1], "2026-210");
    assert_eq!(brought, Verdict::Applied);
}

#[test]
fn a_number_of_a_void_rest_stays_void() {
    let (mut hub, cases) = reviewed();
    hub.booked
        .push(block_of_east(1, 43, Some(VoidReason::NewEpoch)));
    let void = approve(&mut hub, (EAST, EAST), cases[0], "2026-43");
    assert_eq!(void, Verdict::SetAside("LET-003"));
    let before = approve(&mut hub, (EAST, EAST), cases[0], "2026-42");
    assert_eq!(before, Verdict::Applied);
}

#[test]
fn a_refusal_voids_the_number_of_a_letter_that_was_printed_before_the_verdict() {
    let (mut hub, cases) = reviewed();
    hub.booked.push(block_of_east(1, 1, None));
    hub.step((EAST, EAST), cases[0], "withdraw", &[]);
    let late = approve(&mut hub, (EAST, EAST), cases[0], "〔2026〕第000001号");
    assert_eq!(late, Verdict::SetAside("TRF-011"));
    assert_eq!(
        letters(&hub),
        [(Some("〔2026〕第000001号"), Some(1), Some("VOID"))]
    );
    let is_void = |r: &&Record| r.key.kind == letter::KIND_NUMBER && r.office == EAST;
    let void = hub.records.values().find(is_void);
    let why = void.and_then(|r| r.text(letter::VOID_REASON));
    assert!(why.is_some_and(|why| why.contains("TRF-011")), "{why:?}");
    let again = approve(&mut hub, (EAST, EAST), cases[1], "2026-1");
    assert_eq!(again, Verdict::SetAside("LET-003"), "never used again");
    // A number of paper stock that was never leased can be given again after a slip.
    hub.step((EAST, EAST), cases[1], "withdraw", &[]);
    let slip = approve(&mut hub, (EAST, EAST), cases[1], "2026-700");
    assert_eq!(slip, Verdict::SetAside("TRF-011"));
    let right = approve(&mut hub, (EAST, EAST), cases[2], "2026-700");
    assert_eq!(right, Verdict::Applied);
}
