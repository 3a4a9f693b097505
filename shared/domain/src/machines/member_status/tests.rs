//! Each test bears the number of its invariant.

use jiff::civil::date;

use super::{ACTIVE, ENDED, MACHINE, category_of, tenure_event_of};
use crate::kinds::{codes, member, step};
use crate::machine::{Actor, Effect, Facts};
use crate::machines::testing::{Attempt, TODAY, Table, has_exactly};

const DECISION: [(u16, &str); 3] = [
    (step::DECISION_NUMBER, "鼓东党〔2026〕1号"),
    (step::DECISION_DATE, "2026-11-20"),
    (step::DECISION_BODY, "某街道党工委"),
];

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

fn decided<'a>(more: &[(u16, &'a str)]) -> Vec<(u16, &'a str)> {
    DECISION.iter().chain(more).copied().collect()
}

#[test]
fn every_state_and_event_has_its_row() {
    let table: Table = &[
        ("-", &["admit→PROBATIONARY", "readmit→PROBATIONARY"]),
        (
            "PROBATIONARY",
            &[
                "convert→FULL",
                "extend→PROBATIONARY_EXTENDED",
                "cancel→CANCELLED",
                "stop→STOPPED",
                "record_death→DECEASED",
            ],
        ),
        (
            // A second extension has an arrow only to be refused with its own code (MEM-005).
            "PROBATIONARY_EXTENDED",
            &[
                "convert→FULL",
                "extend→PROBATIONARY_EXTENDED",
                "cancel→CANCELLED",
                "stop→STOPPED",
                "record_death→DECEASED",
            ],
        ),
        (
            "FULL",
            &["stop→STOPPED", "leave→LEFT", "record_death→DECEASED"],
        ),
        (
            "STOPPED",
            &[
                "restore→FULL",
                "remove→REMOVED_SELF_LEFT",
                "record_death→DECEASED",
            ],
        ),
        ("CANCELLED", &[]),
        ("REMOVED_SELF_LEFT", &[]),
        ("LEFT", &[]),
        ("DECEASED", &[]),
    ];
    has_exactly(&MACHINE, table);
}

#[test]
fn m1_the_passing_of_time_moves_nobody() {
    assert!(
        MACHINE
            .transitions
            .iter()
            .all(|arrow| !arrow.by.contains(&Actor::Hub))
    );
}

#[test]
fn m2_probation_is_extended_once_by_six_to_twelve_months() {
    let due = [
        (member::CONVERSION_DUE, "2026-12-01"),
        (member::STATUS, "PROBATIONARY"),
    ];
    let first = attempt("PROBATIONARY", &due);
    let until = |day| decided(&[(step::UNTIL_DATE, day)]);
    assert_eq!(
        first.result("extend", &until("2027-06-01")),
        Ok("PROBATIONARY_EXTENDED")
    );
    assert_eq!(
        first.result("extend", &until("2027-12-01")),
        Ok("PROBATIONARY_EXTENDED")
    );
    assert_eq!(first.result("extend", &until("2027-05-31")), Err("MEM-009"));
    assert_eq!(first.result("extend", &until("2027-12-02")), Err("MEM-009"));
    assert_eq!(first.result("extend", &decided(&[])), Err("MEM-009"));
    let extended = [(member::STATUS, "PROBATIONARY_EXTENDED")];
    let second = attempt("PROBATIONARY_EXTENDED", &extended);
    assert_eq!(
        second.result("extend", &until("2027-06-01")),
        Err("MEM-005")
    );
}

#[test]
fn m3_a_probationary_member_has_no_conversion_date() {
    let dated = decided(&[(step::CONVERSION_DATE, "2026-11-01")]);
    assert_eq!(attempt("-", &[]).result("admit", &dated), Err("MEM-004"));
    let joined = decided(&[(step::JOIN_DATE, "2026-11-20")]);
    assert_eq!(
        attempt("-", &[]).result("admit", &joined),
        Ok("PROBATIONARY")
    );
    assert_eq!(
        attempt("-", &[]).result("admit", &decided(&[])),
        Err("MEM-014")
    );
    assert_eq!(
        attempt("PROBATIONARY", &[]).result("convert", &dated),
        Ok("FULL")
    );
    assert_eq!(
        attempt("PROBATIONARY", &[]).result("convert", &decided(&[])),
        Err("MEM-010")
    );
    let tomorrow = decided(&[(step::CONVERSION_DATE, "2026-11-24")]);
    assert_eq!(
        attempt("PROBATIONARY", &[]).result("convert", &tomorrow),
        Err("MEM-010")
    );
}

#[test]
fn m4_every_arrow_but_death_names_its_decision() {
    for arrow in MACHINE.transitions {
        let names = arrow.guards.iter().any(|guard| guard.code == "MEM-008");
        assert_eq!(names, arrow.event != "record_death", "{}", arrow.event);
    }
    assert_eq!(attempt("FULL", &[]).result("leave", &[]), Err("MEM-008"));
    let expelled = decided(&[(step::REASON_CODE, "expelled")]);
    assert_eq!(attempt("FULL", &[]).result("leave", &expelled), Ok("LEFT"));
    let lost = decided(&[(step::REASON_CODE, "lost_contact")]);
    assert_eq!(attempt("FULL", &[]).result("leave", &lost), Err("MEM-011"));
    assert_eq!(attempt("FULL", &[]).result("stop", &lost), Ok("STOPPED"));
}

#[test]
fn m5_no_ended_record_lives_again() {
    for state in ENDED {
        assert!(MACHINE.allowed(state).is_empty(), "{state}");
        assert!(!MACHINE.is_open(state));
    }
    assert_eq!(
        attempt("LEFT", &[]).result("restore", &decided(&[])),
        Err("MEM-013")
    );
}

#[test]
fn two_years_count_from_the_day_of_stopping_and_only_for_the_lost() {
    let lost = [
        (member::STATUS_REASON_CODE, "lost_contact"),
        (member::STATUS_DATE, "2024-11-23"),
    ];
    assert_eq!(
        attempt("STOPPED", &lost).result("remove", &decided(&[])),
        Ok("REMOVED_SELF_LEFT")
    );
    let earlier = Attempt {
        date: date(2026, 11, 22),
        ..attempt("STOPPED", &lost)
    };
    assert_eq!(earlier.result("remove", &decided(&[])), Err("MEM-012"));
    let abroad = [
        (member::STATUS_REASON_CODE, "settled_abroad"),
        (member::STATUS_DATE, "2000-01-01"),
    ];
    assert_eq!(
        attempt("STOPPED", &abroad).result("remove", &decided(&[])),
        Err("MEM-012")
    );
}

#[test]
fn what_ends_membership_closes_tenure_and_open_case() {
    for arrow in MACHINE.transitions {
        let from_active = arrow.from.iter().any(|state| ACTIVE.contains(state));
        let ends = from_active && !ACTIVE.contains(&arrow.to);
        assert_eq!(
            ends,
            arrow.effects.contains(&Effect::CloseTenure),
            "{}",
            arrow.event
        );
        assert_eq!(
            ends,
            arrow.effects.contains(&Effect::CloseCase),
            "{}",
            arrow.event
        );
        assert!(arrow.effects.contains(&Effect::SetStatus));
    }
}

#[test]
fn categories_and_tenure_events_are_codes() {
    assert_eq!(category_of("FULL"), Some("full"));
    assert_eq!(category_of("PROBATIONARY_EXTENDED"), Some("probationary"));
    assert_eq!(category_of("STOPPED"), None);
    for event in super::EVENTS {
        if let Some(code) = tenure_event_of(event.code) {
            assert!(codes::TENURE_EVENT.has(code), "{code}");
        }
    }
}

#[test]
fn m5_a_readmission_follows_an_ended_membership_and_nobody_is_a_member_twice() {
    let joined = decided(&[(step::JOIN_DATE, "2026-11")]);
    let with = |is_member, was_member| Attempt {
        facts: Facts {
            is_member,
            was_member,
            ..Facts::default()
        },
        ..attempt("-", &[])
    };
    assert_eq!(
        with(false, true).result("readmit", &joined),
        Ok("PROBATIONARY")
    );
    assert_eq!(
        with(false, false).result("readmit", &joined),
        Err("MEM-015")
    );
    assert_eq!(with(true, true).result("readmit", &joined), Err("MEM-017"));
    assert_eq!(with(true, false).result("admit", &joined), Err("MEM-017"));
    assert_eq!(
        with(false, true).result("readmit", &decided(&[])),
        Err("MEM-014")
    );
}
