//! Each test bears the number of its invariant.

use jiff::civil::date;

use super::{MACHINE, is_late, minutes_given};
use crate::kinds::{participation, step};
use crate::machine::{Actor, Facts};
use crate::machines::testing::{Attempt, TODAY, Table, has_exactly};

/// 2026-11-23 01:00 and 03:30 UTC in milliseconds.
const NINE: &str = "1795395600000";
const HALF_PAST_ELEVEN: &str = "1795404600000";

fn attempt<'a>(state: &'a str, subject: &'a [(u16, &'a str)], facts: Facts) -> Attempt<'a> {
    Attempt {
        machine: &MACHINE,
        state,
        subject,
        actor: Actor::Owner,
        facts,
        date: TODAY,
    }
}

#[test]
fn every_state_and_event_has_its_row() {
    let table: Table = &[
        ("-", &["enrol→ENROLLED", "enter→MEASURED"]),
        (
            "ENROLLED",
            &[
                "cancel→CANCELLED",
                "cancel_late→CANCELLED_LATE",
                "sign_in→PRESENT",
                "no_show→NO_SHOW",
                "reject→REJECTED",
            ],
        ),
        ("PRESENT", &["sign_out→MEASURED", "reject→REJECTED"]),
        ("MEASURED", &["submit→SUBMITTED", "reject→REJECTED"]),
        (
            "SUBMITTED",
            &[
                "publicise→PUBLIC_NOTICE",
                "confirm→RECORDED",
                "reject→REJECTED",
            ],
        ),
        (
            "PUBLIC_NOTICE",
            &["confirm→RECORDED", "object→DISPUTED", "reject→REJECTED"],
        ),
        (
            "DISPUTED",
            &["uphold→RECORDED", "change→RECORDED", "reject→REJECTED"],
        ),
        (
            "RECORDED",
            &["object→DISPUTED", "void→VOID", "export→RECORDED"],
        ),
        ("CANCELLED", &[]),
        ("CANCELLED_LATE", &[]),
        ("NO_SHOW", &[]),
        ("REJECTED", &[]),
        ("VOID", &[]),
    ];
    has_exactly(&MACHINE, table);
}

#[test]
fn enrolment_needs_an_open_activity() {
    let open = Facts {
        activity_open: true,
        ..Facts::default()
    };
    assert_eq!(attempt("-", &[], open).result("enrol", &[]), Ok("ENROLLED"));
    assert_eq!(
        attempt("-", &[], Facts::default()).result("enrol", &[]),
        Err("VOL-010")
    );
}

#[test]
fn p2_minutes_are_out_minus_in_minus_breaks() {
    assert_eq!(minutes_given(0, 150 * 60_000, 20), Some(130));
    assert_eq!(minutes_given(0, 10 * 60_000, 20), None);
    assert_eq!(minutes_given(10 * 60_000, 0, 0), None);
    assert_eq!(minutes_given(0, 1_441 * 60_000, 0), None);
    let signed_in = [(participation::SIGN_IN, NINE)];
    let present = attempt("PRESENT", &signed_in, Facts::default());
    let out = |minutes| [(step::SIGN_OUT, HALF_PAST_ELEVEN), (step::MINUTES, minutes)];
    assert_eq!(present.result("sign_out", &out("150")), Ok("MEASURED"));
    assert_eq!(present.result("sign_out", &out("240")), Err("VOL-001"));
    assert_eq!(present.result("sign_out", &[]), Err("VOL-001"));
}

#[test]
fn p3_nobody_records_their_own_hours() {
    let own = Facts {
        recorder_is_subject: true,
        ..Facts::default()
    };
    assert_eq!(
        attempt("MEASURED", &[], own).result("submit", &[]),
        Err("VOL-004")
    );
    assert_eq!(
        attempt("SUBMITTED", &[], own).result("confirm", &[]),
        Err("VOL-004")
    );
    assert_eq!(attempt("-", &[], own).result("enter", &[]), Err("VOL-004"));
    assert_eq!(
        attempt("MEASURED", &[], Facts::default()).result("submit", &[]),
        Ok("SUBMITTED")
    );
}

#[test]
fn p4_after_ten_working_days_reason_and_supervisor_are_needed() {
    assert!(!is_late(10) && is_late(11));
    let after = |working_days_since| Facts {
        working_days_since,
        ..Facts::default()
    };
    let explained = [(step::REASON, "纸质签到"), (step::APPROVER, "某负责人")];
    let submitted = |days| attempt("SUBMITTED", &[], after(days));
    assert_eq!(submitted(10).result("confirm", &[]), Ok("RECORDED"));
    assert_eq!(submitted(11).result("confirm", &[]), Err("VOL-002"));
    assert_eq!(submitted(11).result("confirm", &explained), Ok("RECORDED"));
    let mut paper = vec![
        (step::REASON, "纸质签到"),
        (step::SIGN_IN, NINE),
        (step::SIGN_OUT, HALF_PAST_ELEVEN),
        (step::BREAK_MINUTES, "30"),
        (step::MINUTES, "120"),
    ];
    let late = attempt("-", &[], after(11));
    assert_eq!(late.result("enter", &paper), Err("VOL-002"));
    paper.push((step::APPROVER, "某负责人"));
    assert_eq!(late.result("enter", &paper), Ok("MEASURED"));
}

#[test]
fn p5_with_publicity_on_the_notice_hangs_its_days() {
    let on = Facts {
        publicity_days: 3,
        ..Facts::default()
    };
    assert_eq!(
        attempt("SUBMITTED", &[], on).result("confirm", &[]),
        Err("VOL-012")
    );
    let notice = [(step::NOTICE_UNTIL, "2026-11-26")];
    assert_eq!(
        attempt("SUBMITTED", &[], on).result("publicise", &notice),
        Ok("PUBLIC_NOTICE")
    );
    let short = [(step::NOTICE_UNTIL, "2026-11-25")];
    let publicise = attempt("SUBMITTED", &[], on);
    assert_eq!(publicise.result("publicise", &short), Err("VOL-014"));
    let off = attempt("SUBMITTED", &[], Facts::default());
    assert_eq!(off.result("publicise", &notice), Err("VOL-012"));
    let until = [(participation::NOTICE_UNTIL, "2026-11-26")];
    let hanging = attempt("PUBLIC_NOTICE", &until, on);
    let on_day = |day| Attempt {
        date: date(2026, 11, day),
        ..hanging
    };
    assert_eq!(on_day(26).result("confirm", &[]), Err("VOL-009"));
    assert_eq!(on_day(27).result("confirm", &[]), Ok("RECORDED"));
}

#[test]
fn p6_what_leaves_the_record_says_why() {
    let facts = Facts::default();
    assert_eq!(
        attempt("RECORDED", &[], facts).result("void", &[]),
        Err("VOL-011")
    );
    assert_eq!(
        attempt("MEASURED", &[], facts).result("reject", &[]),
        Err("VOL-011")
    );
    let why = [(step::REASON, "本职工作"), (step::APPROVER, "某负责人")];
    assert_eq!(
        attempt("RECORDED", &[], facts).result("void", &why),
        Ok("VOID")
    );
    assert_eq!(
        attempt("MEASURED", &[], facts).result("reject", &why),
        Ok("REJECTED")
    );
    assert_eq!(
        attempt("VOID", &[], facts).result("object", &why),
        Err("VOL-013")
    );
}
