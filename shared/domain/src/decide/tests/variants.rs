//! T8: in which way a case goes is said where it begins, and by no later step.

use super::super::*;
use super::hub::{EAST, Hub, WEST};
use super::taken_in::entered;
use crate::kinds::{member, step, transfer};

const CASE: RecordId = RecordId::new([70; 16]);

fn way(variant: &str) -> (u16, &[u8]) {
    (step::VARIANT, variant.as_bytes())
}

/// EAST begins a case to WEST for a member of its own, and says so much of it besides.
fn begun(hub: &mut Hub, more: &[(u16, &[u8])]) -> Verdict {
    let (member, to) = (hub.register(EAST, 60).bytes(), WEST.bytes());
    let mut args: Vec<(u16, &[u8])> = vec![
        (step::MEMBER, &member),
        (step::TO_ORG, &to),
        (step::TO_UNIT, b"unit"),
        (step::ADDRESSEE, b"addressee"),
        (step::DUES_PAID_TO, b"2026-10"),
    ];
    args.extend(more);
    hub.step((EAST, EAST), CASE, "create", &args)
}

fn state(hub: &Hub) -> Option<&str> {
    hub.get(transfer::KIND_NUMBER, CASE).text(transfer::STATE)
}

#[test]
fn t8_a_case_begins_in_a_way_out_of_its_origin() {
    for variant in ["internal", "in_province", "cross_province", "offline_out"] {
        let mut hub = Hub::new();
        assert_eq!(begun(&mut hub, &[way(variant)]), Verdict::Applied);
    }
    for variant in ["offline_in", "whole_organisation"] {
        let mut hub = Hub::new();
        let refused = begun(&mut hub, &[way(variant)]);
        assert_eq!(refused, Verdict::SetAside("TRF-024"), "{variant}");
    }
    let mut hub = Hub::new();
    assert_eq!(begun(&mut hub, &[]), Verdict::SetAside("TRF-024"));
}

/// An origin by itself moves nobody into another office: what a step says of the way is not asked.
#[test]
fn t8_no_later_step_says_in_which_way_a_case_goes() {
    let mut hub = Hub::new();
    assert_eq!(begun(&mut hub, &[way("in_province")]), Verdict::Applied);
    // As a case stands there that began before its way was asked for.
    let key = RecordKey {
        kind: transfer::KIND_NUMBER,
        id: CASE,
    };
    hub.records
        .entry(key)
        .and_modify(|case| drop(case.fields.remove(&transfer::VARIANT)));
    let to = WEST.bytes();
    let inside: [(u16, &[u8]); 2] = [way("internal"), (step::TO_BRANCH, &to)];
    let submitted = hub.step((EAST, EAST), CASE, "submit", &inside);
    assert_eq!(submitted, Verdict::Applied);
    assert_eq!(state(&hub), Some("BRANCH_REVIEW"));
    hub.step((EAST, EAST), CASE, "approve_branch", &inside);
    let approved = hub.step((EAST, EAST), CASE, "approve", &inside);
    assert_eq!(approved, Verdict::SetAside("TRF-002"));
    let held = hub.get(member::KIND_NUMBER, RecordId::new([160; 16]));
    assert_eq!(held.office, EAST);
}

#[test]
fn t8_a_letter_from_outside_is_entered_as_one_and_by_its_receiver() {
    let mut hub = Hub::new();
    let ways: [&[(u16, &[u8])]; 3] = [&[], &[way("in_province")], &[way("internal")]];
    for more in ways {
        let refused = entered(&mut hub, WEST, CASE, more);
        assert_eq!(refused, Verdict::SetAside("TRF-024"));
    }
    let east = EAST.bytes();
    let more: [(u16, &[u8]); 2] = [way("offline_in"), (step::TO_ORG, &east)];
    assert_eq!(entered(&mut hub, WEST, CASE, &more), Verdict::Applied);
    let case = hub.get(transfer::KIND_NUMBER, CASE);
    assert_eq!(
        (case.office, case.reference(transfer::TO_ORG)),
        (WEST, Some(WEST)),
        "whoever enters it receives it"
    );
}

#[test]
fn a_letter_that_goes_outside_is_chased_and_never_expires_though_a_receiver_inside_is_named() {
    for (variant, due) in [
        ("in_province", [None, Some("expire"), Some("expire")]),
        ("offline_out", [None, None, Some("chase")]),
    ] {
        let mut hub = Hub::new();
        assert_eq!(begun(&mut hub, &[way(variant)]), Verdict::Applied);
        hub.issue(EAST, CASE);
        let case = hub.get(transfer::KIND_NUMBER, CASE);
        // The letter is valid for ninety days.
        let on = ["2027-02-01", "2027-03-01", "2027-04-01"];
        assert_eq!(on.map(|today| due_event(case, today)), due, "{variant}");
    }
}
