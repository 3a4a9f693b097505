//! Each test bears the number of its invariant.

use super::{MACHINE, is_open_for_enrolment, may_edit, may_vote};
use crate::kinds::{activity, step};
use crate::machine::{Actor, Facts};
use crate::machines::testing::{Attempt, TODAY, Table, has_exactly};

fn attempt<'a>(state: &'a str, subject: &'a [(u16, &'a str)]) -> Attempt<'a> {
    Attempt {
        machine: &MACHINE,
        state,
        subject,
        actor: Actor::Owner,
        facts: Facts::default(),
        date: TODAY,
    }
}

#[test]
fn every_state_and_event_has_its_row() {
    let table: Table = &[
        ("-", &["plan→PLANNED", "register→HELD"]),
        (
            "PLANNED",
            &[
                "notify→NOTIFIED",
                "hold→HELD",
                "cancel→CANCELLED",
                "postpone→POSTPONED",
            ],
        ),
        (
            "NOTIFIED",
            &["hold→HELD", "cancel→CANCELLED", "postpone→POSTPONED"],
        ),
        ("POSTPONED", &["replan→PLANNED", "cancel→CANCELLED"]),
        ("HELD", &["draft→MINUTES_DRAFT"]),
        ("MINUTES_DRAFT", &["submit→SUBMITTED"]),
        ("SUBMITTED", &["return→RETURNED", "approve→APPROVED"]),
        ("RETURNED", &["redraft→MINUTES_DRAFT"]),
        // A rewrite has an arrow only to be refused with its own code (ACT-004).
        (
            "APPROVED",
            &["archive→ARCHIVED", "addendum→APPROVED", "edit→APPROVED"],
        ),
        ("ARCHIVED", &["addendum→ARCHIVED", "edit→ARCHIVED"]),
        ("CANCELLED", &[]),
    ];
    has_exactly(&MACHINE, table);
}

#[test]
fn a1_the_counts_must_agree() {
    let mut counts = [
        (activity::SHOULD_COUNT, "20"),
        (activity::PRESENT_COUNT, "15"),
        (activity::LATE_COUNT, "1"),
        (activity::LEAVE_COUNT, "3"),
        (activity::ABSENT_COUNT, "1"),
        (activity::GUEST_COUNT, "7"),
    ];
    assert_eq!(
        attempt("MINUTES_DRAFT", &counts).result("submit", &[]),
        Ok("SUBMITTED")
    );
    counts[4] = (activity::ABSENT_COUNT, "2");
    assert_eq!(
        attempt("MINUTES_DRAFT", &counts).result("submit", &[]),
        Err("ACT-001")
    );
    assert_eq!(
        attempt("MINUTES_DRAFT", &[]).result("submit", &[]),
        Ok("SUBMITTED")
    );
}

#[test]
fn a2_a_vote_needs_more_than_half() {
    let vote = |present, cast| {
        let subject = [
            (activity::VOTE_TOPIC, "预备党员转正"),
            (activity::VOTE_SHOULD, "20"),
            (activity::VOTE_PRESENT, present),
            (activity::VOTE_FOR, cast),
        ];
        attempt("MINUTES_DRAFT", &subject).result("submit", &[])
    };
    assert_eq!(vote("11", "11"), Ok("SUBMITTED"));
    assert_eq!(vote("10", "10"), Err("ACT-002"));
    assert_eq!(vote("11", "12"), Err("ACT-002"));
    assert_eq!(vote("21", "20"), Err("ACT-002"));
    let without_counts = [(activity::VOTE_TOPIC, "预备党员转正")];
    let result = attempt("MINUTES_DRAFT", &without_counts).result("submit", &[]);
    assert_eq!(result, Err("ACT-002"));
}

#[test]
fn a3_a_probationary_member_has_no_vote() {
    assert!(may_vote("full") && !may_vote("probationary"));
}

#[test]
fn a4_approved_minutes_are_added_to_and_never_rewritten() {
    assert!(may_edit("SUBMITTED") && !may_edit("APPROVED") && !may_edit("ARCHIVED"));
    let text = [(step::VALUE, "补充说明")];
    for state in ["APPROVED", "ARCHIVED"] {
        assert_eq!(attempt(state, &[]).result("edit", &text), Err("ACT-004"));
        assert_eq!(attempt(state, &[]).result("addendum", &text), Ok(state));
        assert_eq!(attempt(state, &[]).result("addendum", &[]), Err("ACT-005"));
    }
    assert_eq!(attempt("HELD", &[]).result("approve", &[]), Err("ACT-006"));
}

#[test]
fn volunteers_enrol_while_it_is_planned_or_announced() {
    assert!(is_open_for_enrolment("PLANNED") && is_open_for_enrolment("NOTIFIED"));
    assert!(!is_open_for_enrolment("HELD") && !is_open_for_enrolment("CANCELLED"));
}

#[test]
fn what_is_registered_afterwards_was_held_and_nothing_ends_before_it_starts() {
    let begin = |event, subject: &[(u16, &str)]| attempt("-", subject).result(event, &[]);
    let (held, today) = (activity::HELD_DATE, "2026-11-23");
    assert_eq!(begin("register", &[(held, today)]), Ok("HELD"));
    assert_eq!(begin("register", &[]), Err("ACT-007"));
    assert_eq!(begin("register", &[(held, "2026-11-24")]), Err("ACT-007"));
    let (start, end) = (activity::PLANNED_START, activity::PLANNED_END);
    assert_eq!(
        begin("plan", &[(start, "1000"), (end, "1000")]),
        Ok("PLANNED")
    );
    assert_eq!(
        begin("plan", &[(start, "1000"), (end, "999")]),
        Err("ACT-008")
    );
}
