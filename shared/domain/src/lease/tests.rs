//! The books against greetings: a table of cases, and a property over any order of greetings.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::{
    Block, Booked, Books, Greeted, NUMBERS_END, Plan, VoidReason, greet, unknown_runs,
    without_letter, years_needed,
};
use crate::id::{DESK, NodeId, OfficeId, RecordId};
use crate::limits::{LETTER_BLOCK, LETTER_BLOCK_LOW};

const ISSUER: RecordId = RecordId::new([7; 16]);
const OFFICE: OfficeId = RecordId::new([1; 16]);
const OTHER: OfficeId = RecordId::new([2; 16]);
const NODE: NodeId = NodeId::new([1; 16]);
const HUB: NodeId = NodeId::new([9; 16]);
/// Numbers below this were leased once, as [`books`] say.
const LOST_END: u32 = 1_001;

fn block(first: u32, end: u32, next: u32) -> Block {
    Block {
        issuer: ISSUER,
        year: 2026,
        first,
        end,
        next,
    }
}

fn booked(block: Block, epoch: u32) -> Booked {
    Booked {
        block,
        node: NODE,
        epoch,
        office: OFFICE,
        voided: None,
    }
}

fn greeted(epoch: u32, said: &[Block]) -> Greeted {
    Greeted {
        node: NODE,
        epoch,
        office: OFFICE,
        organisations: BTreeMap::from([(ISSUER, true)]),
        said: said.to_vec(),
        year: 2026,
        years: vec![2026],
        low: LETTER_BLOCK_LOW,
        is_settled: true,
    }
}

fn books(booked: &[Booked]) -> Books {
    Books {
        booked: booked.to_vec(),
        lost_ends: BTreeMap::from([((ISSUER, 2026), LOST_END)]),
        ..Books::default()
    }
}

/// The books after a plan.
fn after(mut books: Books, plan: &Plan) -> Books {
    for changed in &plan.changed {
        books
            .booked
            .retain(|b| b.block.key() != changed.block.key());
        books.booked.push(*changed);
    }
    books
}

#[test]
fn the_first_greeting_leases_the_first_block() {
    let plan = greet(&Books::default(), &greeted(1, &[]));
    assert_eq!(plan.granted, [block(1, 101, 1)]);
    assert_eq!(plan.changed, [booked(block(1, 101, 1), 1)]);
    assert!(plan.contradicted.is_empty());
}

#[test]
fn a_repeated_greeting_changes_nothing() {
    let held = [booked(block(1, 101, 40), 1)];
    let plan = greet(&books(&held), &greeted(1, &[block(1, 101, 40)]));
    assert_eq!(plan.granted, [block(1, 101, 40)]);
    assert_eq!(plan.changed, []);
}

#[test]
fn ln3_the_greater_next_counts() {
    let held = [booked(block(1, 101, 40), 1)];
    let plan = greet(&books(&held), &greeted(1, &[block(1, 101, 60)]));
    assert_eq!(plan.granted, [block(1, 101, 60)]);
    let plan = greet(&books(&held), &greeted(1, &[block(1, 101, 20)]));
    assert_eq!(plan.granted, [block(1, 101, 40)]);
}

#[test]
fn with_little_left_another_block_is_leased_behind_everything() {
    let held = [
        booked(block(1, 101, 72), 1),
        Booked {
            node: HUB,
            office: DESK,
            ..booked(block(101, 201, 105), 1)
        },
    ];
    let plan = greet(&books(&held), &greeted(1, &[]));
    assert_eq!(plan.granted, [block(1, 101, 72), block(201, 301, 201)]);
}

#[test]
fn ln2_another_epoch_voids_the_rest_with_its_reason_and_leases_anew() {
    let held = [booked(block(1, 101, 40), 1)];
    let plan = greet(&books(&held), &greeted(2, &[block(1, 101, 43)]));
    let voided = Booked {
        voided: Some(VoidReason::NewEpoch),
        ..booked(block(1, 101, 43), 1)
    };
    assert_eq!(plan.changed, [voided, booked(block(101, 201, 101), 2)]);
    assert_eq!(plan.granted, [block(101, 201, 101)]);
    assert!(voided.is_void_at(43) && voided.is_void_at(100));
    assert!(!voided.is_void_at(42) && !voided.is_void_at(101));
}

#[test]
fn ln4_what_was_given_out_of_a_void_rest_before_that_was_known_is_no_void_number() {
    let voided = Booked {
        voided: Some(VoidReason::NewEpoch),
        ..booked(block(1, 101, 43), 1)
    };
    let all = [voided, booked(block(101, 201, 101), 2)];
    let plan = greet(&books(&all), &greeted(1, &[block(1, 101, 50)]));
    let first = plan.changed.first().copied();
    assert_eq!(first.map(|b| b.block.next), Some(50));
    assert_eq!(first.and_then(|b| b.voided), Some(VoidReason::NewEpoch));
    assert_eq!(plan.granted, [block(201, 301, 201)], "not the void one");
}

#[test]
fn a_machine_that_was_enrolled_again_gives_back_what_it_held() {
    let former = Booked {
        node: NodeId::new([5; 16]),
        ..booked(block(1, 101, 40), 3)
    };
    let plan = greet(&books(&[former]), &greeted(1, &[block(1, 101, 44)]));
    let voided = plan.changed.first().copied();
    assert_eq!(
        voided.map(|b| (b.block.next, b.voided)),
        Some((44, Some(VoidReason::EnrolledAnew)))
    );
    assert_eq!(plan.granted, [block(101, 201, 101)]);
    // Another machine of the office that still works keeps its own.
    let plan = greet(&books(&[former]), &greeted(1, &[]));
    assert_eq!(plan.changed, [booked(block(101, 201, 101), 1)]);
}

#[test]
fn a_new_year_voids_the_rest_and_begins_at_one() {
    let held = [booked(block(1, 101, 40), 1)];
    let asked = Greeted {
        year: 2027,
        years: vec![2027],
        ..greeted(1, &[block(1, 101, 41)])
    };
    let plan = greet(&books(&held), &asked);
    let voided = plan.changed.first().copied();
    assert_eq!(
        voided.map(|b| (b.block.next, b.voided)),
        Some((41, Some(VoidReason::YearOver)))
    );
    let fresh = Block {
        year: 2027,
        ..block(1, 101, 1)
    };
    assert_eq!(plan.granted, [fresh]);
}

#[test]
fn an_organisation_that_may_not_issue_any_more_gives_its_numbers_back() {
    let held = [booked(block(1, 101, 40), 1)];
    for organisations in [BTreeMap::from([(ISSUER, false)]), BTreeMap::new()] {
        let asked = Greeted {
            organisations,
            ..greeted(1, &[])
        };
        let plan = greet(&books(&held), &asked);
        let voided = plan.changed.first().and_then(|b| b.voided);
        assert_eq!(voided, Some(VoidReason::NotIssuer));
        assert_eq!(plan.granted, []);
    }
}

#[test]
fn while_the_hub_recovers_it_books_what_is_held_and_leases_nothing() {
    let asked = Greeted {
        is_settled: false,
        ..greeted(4, &[block(201, 301, 230)])
    };
    let plan = greet(&books(&[booked(block(1, 101, 40), 1)]), &asked);
    assert_eq!(plan.changed, [booked(block(201, 301, 230), 4)]);
    // The office gives out from what it has: a letter waits for no recovery.
    assert_eq!(plan.granted, [block(201, 301, 230)]);
    // Later nobody is leased what lies before it.
    let later = after(books(&[booked(block(1, 101, 40), 1)]), &plan);
    let other = Greeted {
        node: NodeId::new([2; 16]),
        ..greeted(1, &[])
    };
    let first = greet(&later, &other).granted.first().map(|b| b.first);
    assert_eq!(first, Some(301));
}

#[test]
fn what_the_books_contradict_is_not_booked() {
    let held = [Booked {
        node: HUB,
        office: DESK,
        ..booked(block(1, 101, 40), 1)
    }];
    for said in [
        block(1, 101, 50),
        block(1, 51, 50),
        block(50, 150, 60),
        block(300, 300, 300),
        block(301, 600, 301),
        block(301, 401, 402),
        block(0, 100, 1),
        Block {
            issuer: OTHER,
            ..block(301, 401, 301)
        },
    ] {
        let asked = Greeted {
            is_settled: false,
            ..greeted(1, &[said])
        };
        let plan = greet(&books(&held), &asked);
        assert_eq!(plan.contradicted, [said]);
        assert_eq!(plan.changed, []);
    }
}

/// Behind its end everything is leased from then on, and no restore takes that back.
#[test]
fn a_block_that_was_never_leased_is_not_booked_and_uses_up_no_numbers() {
    let held = [booked(block(1, 101, 40), 1)];
    let known = block(LOST_END - 100, LOST_END, LOST_END - 50);
    for is_settled in [false, true] {
        let say = |said: Block| {
            let asked = Greeted {
                is_settled,
                ..greeted(1, &[said])
            };
            greet(&books(&held), &asked)
        };
        let plan = say(known);
        assert_eq!(plan.changed, [booked(known, 1)]);
        assert_eq!(plan.granted, [block(1, 101, 40), known]);
        let further = block(LOST_END - 99, LOST_END + 1, LOST_END - 50);
        let other_year = Block {
            year: 2027,
            ..known
        };
        let last = block(NUMBERS_END - 100, NUMBERS_END, NUMBERS_END);
        let beyond = block(u32::MAX - 100, u32::MAX, u32::MAX);
        for said in [further, other_year, last, beyond] {
            let plan = say(said);
            assert_eq!(plan.contradicted, [said]);
            assert_eq!(plan.changed, []);
            assert_eq!(plan.granted, [block(1, 101, 40)]);
        }
    }
}

#[test]
fn numbers_end_with_the_last_that_a_letter_can_bear() {
    assert!(block(NUMBERS_END - 100, NUMBERS_END, NUMBERS_END).is_sound());
    assert!(!block(NUMBERS_END - 99, NUMBERS_END + 1, NUMBERS_END).is_sound());
    assert!(!block(u32::MAX - 100, u32::MAX, u32::MAX).is_sound());
    let floor_at = |floor| {
        let mut all = Books::default();
        all.floors.insert((ISSUER, 2026), floor);
        greet(&all, &greeted(1, &[])).granted
    };
    let last = block(NUMBERS_END - 10, NUMBERS_END, NUMBERS_END - 10);
    assert_eq!(floor_at(NUMBERS_END - 10), [last]);
    for floor in [NUMBERS_END, NUMBERS_END + 1, u32::MAX] {
        assert_eq!(floor_at(floor), []);
    }
}

#[test]
fn numbers_given_by_hand_are_left_out_of_blocks() {
    let mut all = Books::default();
    all.used
        .insert((ISSUER, 2026), BTreeSet::from([1, 2, 3, 50]));
    let plan = greet(&all, &greeted(1, &[]));
    assert_eq!(plan.granted, [block(4, 50, 4)]);
    all.used.insert((ISSUER, 2026), BTreeSet::from([1, 2, 9]));
    let plan = greet(&all, &greeted(1, &[]));
    assert_eq!(
        plan.granted,
        [block(3, 9, 3), block(10, 110, 10)],
        "a short block is not enough"
    );
    all.floors.insert((ISSUER, 2026), 501);
    let plan = greet(&all, &greeted(1, &[]));
    assert_eq!(plan.granted, [block(501, 601, 501)]);
}

#[test]
fn every_reason_has_a_code_and_two_texts() {
    for (reason, code, zh, en) in super::REASONS {
        assert_eq!(VoidReason::from_code(code), Some(reason));
        assert_eq!((reason.code(), reason.texts()), (code, (zh, en)));
        assert!(!zh.is_empty() && !en.is_empty());
    }
}

#[test]
fn every_number_below_the_last_block_is_accounted_for() {
    let held = block(1, 101, 5);
    let letters = BTreeSet::from([1, 3, 4, 150, 151]);
    assert_eq!(without_letter(&held, &letters), [2]);
    let blocks = [held, block(201, 301, 201)];
    let unknown = unknown_runs(&blocks, &letters, 401);
    assert_eq!(unknown, [(101, 150), (152, 201), (301, 401)]);
    assert_eq!(unknown_runs(&[], &BTreeSet::new(), 1), []);
    // Paper stock far behind the blocks leaves no gap before it.
    assert_eq!(unknown_runs(&[held], &BTreeSet::from([5_000]), 101), []);
}

#[test]
fn in_december_the_next_year_is_needed_too() {
    use jiff::civil::date;
    assert_eq!(years_needed(date(2026, 11, 30)), [2026]);
    assert_eq!(years_needed(date(2026, 12, 1)), [2026, 2027]);
    assert_eq!(years_needed(date(2027, 1, 1)), [2027]);
}

proptest! {
    /// Whoever greets in whatever epoch and says whatever it likes: blocks never overlap, and what
    /// is granted to one is never granted to another.
    #[test]
    fn ln1_no_number_is_ever_leased_twice(
        moves in prop::collection::vec((0u8..4, 1u32..3, 0u32..500, 0u32..150, any::<bool>()), 1..40)
    ) {
        let mut all = books(&[]);
        let mut holders: BTreeMap<u32, (NodeId, u32)> = BTreeMap::new();
        for (node, epoch, first, taken, is_settled) in moves {
            let said = block(first, first.saturating_add(LETTER_BLOCK), first + taken);
            let asked = Greeted {
                node: NodeId::new([node; 16]),
                office: RecordId::new([node / 2; 16]),
                is_settled,
                ..greeted(epoch, &[said])
            };
            let plan = greet(&all, &asked);
            for granted in &plan.granted {
                for serial in granted.next..granted.end {
                    let holder = *holders.entry(serial).or_insert((asked.node, epoch));
                    prop_assert_eq!(holder, (asked.node, epoch));
                }
            }
            all = after(all, &plan);
            for (place, one) in all.booked.iter().enumerate() {
                let others = all.booked.iter().skip(place + 1);
                prop_assert!(others.into_iter().all(|other| !one.block.overlaps(&other.block)));
                prop_assert!(one.block.is_sound());
            }
        }
    }
}
