//! Guards and their refusals, along the ways of each variant.

use jiff::civil::{Date, date};

use super::super::MACHINE;
use crate::kinds::{step, transfer};
use crate::machine::{Actor, Effect, Facts};
use crate::machines::testing::{Attempt, TODAY};

pub(super) type Fields<'a> = &'a [(u16, &'a str)];

/// Everything is as it should be.
pub(super) const FINE: Facts = Facts {
    can_admit_members: true,
    other_open_case: false,
    member_active: true,
    branch_of_receiver: true,
    receiver_inside: true,
    probation_overdue: false,
    recorder_is_subject: false,
    working_days_since: 0,
    publicity_days: 0,
    activity_open: false,
    is_succeeded: true,
    may_move: true,
    batch_fits: true,
    is_member: false,
    was_member: false,
};

pub(super) const PLAN: Fields<'_> = &[
    (transfer::VARIANT, "in_province"),
    (transfer::ADDRESSEE, "中共某街道工作委员会"),
    (transfer::TO_UNIT, "某社区党委"),
    (transfer::DUES_PAID_TO, "2026-10"),
    (transfer::LAST_VALID_DATE, "2026-11-30"),
];
const LETTER: Fields<'_> = &[(step::LETTER_NUMBER, "2026-0001"), (step::VALID_DAYS, "10")];

pub(super) fn on<'a>(
    state: &'a str,
    subject: Fields<'a>,
    actor: Actor,
    facts: Facts,
) -> Attempt<'a> {
    Attempt {
        machine: &MACHINE,
        state,
        subject,
        actor,
        facts,
        date: TODAY,
    }
}

pub(super) fn fine(state: &str, actor: Actor) -> Attempt<'_> {
    on(state, PLAN, actor, FINE)
}

fn with(more: Fields<'_>) -> Vec<(u16, &str)> {
    LETTER.iter().chain(more).copied().collect()
}

#[test]
fn a_case_between_two_offices_goes_its_way() {
    let way = [
        ("-", "create", Actor::Owner, "DRAFT"),
        ("DRAFT", "submit", Actor::Owner, "BRANCH_REVIEW"),
        (
            "BRANCH_REVIEW",
            "approve_branch",
            Actor::Owner,
            "COMMITTEE_REVIEW",
        ),
        ("COMMITTEE_REVIEW", "approve", Actor::Authority, "ISSUED"),
        ("ISSUED", "deliver", Actor::Hub, "IN_TRANSIT"),
        ("IN_TRANSIT", "open_check", Actor::Receiver, "RECEIVE_CHECK"),
        ("RECEIVE_CHECK", "accept", Actor::Receiver, "ACCEPTED"),
        ("ACCEPTED", "send_receipt", Actor::Receiver, "RECEIPT_SENT"),
        ("RECEIPT_SENT", "confirm_receipt", Actor::Owner, "CLOSED"),
    ];
    let arguments = with(&[(step::TO_BRANCH, "0123456789abcdef")]);
    for (state, event, actor, to) in way {
        assert_eq!(
            fine(state, actor).result(event, &arguments),
            Ok(to),
            "{state} {event}"
        );
    }
}

#[test]
fn t8_a_beginning_has_its_way_and_no_later_step_changes_it() {
    let begin = |event, way: &str| {
        let subject = [(transfer::VARIANT, way)];
        let letter = [(step::NAME, "张三"), (step::ORIGIN, "某省某县某镇党委")];
        on("-", &subject, Actor::Owner, FINE).result(event, &letter)
    };
    let refused = Err("TRF-024");
    for way in ["internal", "in_province", "cross_province", "offline_out"] {
        let begun = (begin("create", way), begin("enter_letter", way));
        assert_eq!(begun, (Ok("DRAFT"), refused), "{way}");
    }
    for way in ["whole_organisation", ""] {
        let begun = (begin("create", way), begin("enter_letter", way));
        assert_eq!(begun, (refused, refused), "{way}");
    }
    let begun = (
        begin("create", "offline_in"),
        begin("enter_letter", "offline_in"),
    );
    assert_eq!(begun, (refused, Ok("LETTER_ENTERED")));
    let inside = [(step::VARIANT, "internal")];
    let later = on("DRAFT", &PLAN[1..], Actor::Owner, FINE).result("submit", &inside);
    assert_eq!(later, Ok("BRANCH_REVIEW"), "a case that never said its way");
}

#[test]
fn t1_a_second_case_is_refused_while_one_is_open() {
    let facts = Facts {
        other_open_case: true,
        ..FINE
    };
    assert_eq!(
        on("-", PLAN, Actor::Owner, facts).result("create", &[]),
        Err("TRF-001")
    );
    let gone = Facts {
        member_active: false,
        ..FINE
    };
    assert_eq!(
        on("-", PLAN, Actor::Owner, gone).result("create", &[]),
        Err("TRF-012")
    );
    assert!(!MACHINE.is_open("ACCEPTED") && MACHINE.is_open("DISPUTED"));
}

#[test]
fn submission_asks_for_addressee_unit_dues_and_probation() {
    let submit = |arguments: Fields<'_>| fine("DRAFT", Actor::Owner).result("submit", arguments);
    assert_eq!(submit(&[]), Ok("BRANCH_REVIEW"));
    assert_eq!(
        submit(&[(step::TO_UNIT, "中共某街道工作委员会")]),
        Err("TRF-007")
    );
    assert_eq!(submit(&[(step::DUES_PAID_TO, "2026-12")]), Err("TRF-008"));
    assert_eq!(
        submit(&[(step::DUES_PAID_TO, "2026-11")]),
        Ok("BRANCH_REVIEW")
    );
    let registered = [PLAN, &[(transfer::DUES_LAST, "2026-11")]].concat();
    let earlier = on("DRAFT", &registered, Actor::Owner, FINE);
    assert_eq!(earlier.result("submit", &[]), Err("TRF-008"));
    let overdue = Facts {
        probation_overdue: true,
        ..FINE
    };
    assert_eq!(
        on("DRAFT", PLAN, Actor::Owner, overdue).result("submit", &[]),
        Err("TRF-005")
    );
    let empty = [(transfer::VARIANT, "in_province")];
    assert_eq!(
        on("DRAFT", &empty, Actor::Owner, FINE).result("submit", &[]),
        Err("TRF-007")
    );
}

#[test]
fn t6_a_letter_needs_an_organisation_that_may_admit_members() {
    let community = Facts {
        can_admit_members: false,
        ..FINE
    };
    let at = |state, actor| on(state, PLAN, actor, community);
    let arguments = with(&[(step::REASON_CODE, "clerk")]);
    let owner = at("COMMITTEE_REVIEW", Actor::Owner);
    assert_eq!(owner.result("approve", &arguments), Err("TRF-002"));
    assert_eq!(owner.result("pass_up", &[]), Ok("HIGHER_REVIEW"));
    let expired = at("EXPIRED", Actor::Owner);
    assert_eq!(expired.result("reissue", &arguments), Err("TRF-002"));
    let street = fine("COMMITTEE_REVIEW", Actor::Authority);
    assert_eq!(street.result("approve", &arguments), Ok("ISSUED"));
    assert_eq!(street.result("pass_up", &[]), Err("TRF-015"));
    assert_eq!(
        street.result("approve", &[(step::VALID_DAYS, "10")]),
        Err("TRF-014")
    );
    let too_long = [(step::LETTER_NUMBER, "1"), (step::VALID_DAYS, "91")];
    assert_eq!(street.result("approve", &too_long), Err("TRF-014"));
    for arrow in MACHINE.transitions {
        if arrow.effects.contains(&Effect::IssueLetter) {
            assert!(
                arrow.guards.iter().any(|guard| guard.code == "TRF-002"),
                "{}",
                arrow.event
            );
        }
    }
}

#[test]
fn inside_one_committee_no_letter_is_needed() {
    let subject = [
        (transfer::VARIANT, "internal"),
        (transfer::TO_BRANCH, "0123456789abcdef"),
    ];
    let community = Facts {
        can_admit_members: false,
        ..FINE
    };
    let at = |state, facts| on(state, &subject, Actor::Owner, facts);
    assert_eq!(
        at("DRAFT", community).result("submit", &[]),
        Ok("COMMITTEE_REVIEW")
    );
    let approved = at("COMMITTEE_REVIEW", community).take("approve", &[]);
    assert_eq!(
        approved.map(|arrow| arrow.effects),
        Ok([Effect::MoveMember].as_slice())
    );
    let wrong = Facts {
        branch_of_receiver: false,
        ..community
    };
    assert_eq!(
        at("COMMITTEE_REVIEW", wrong).result("approve", &[]),
        Err("TRF-017")
    );
    let overdue = Facts {
        probation_overdue: true,
        ..FINE
    };
    assert_eq!(at("DRAFT", overdue).result("submit", &[]), Err("TRF-005"));
}

#[test]
fn a_check_is_opened_in_time_even_when_the_hub_learns_of_it_late() {
    let at = |state, day: Date| Attempt {
        date: day,
        ..fine(state, Actor::Receiver)
    };
    let last = date(2026, 11, 30);
    let after = date(2026, 12, 1);
    for state in ["IN_TRANSIT", "EXPIRED"] {
        assert_eq!(
            at(state, last).result("open_check", &[]),
            Ok("RECEIVE_CHECK")
        );
        assert_eq!(at(state, after).result("open_check", &[]), Err("TRF-003"));
    }
    let hub = |day| Attempt {
        date: day,
        ..fine("IN_TRANSIT", Actor::Hub)
    };
    assert_eq!(hub(last).result("expire", &[]), Err("TRF-011"));
    assert_eq!(hub(after).result("expire", &[]), Ok("EXPIRED"));
    assert_eq!(at("LOST", after).result("find", &[]), Err("TRF-003"));
    assert_eq!(at("LOST", last).result("find", &[]), Ok("IN_TRANSIT"));
}

#[test]
fn a_return_needs_a_lawful_reason_in_words_and_the_approver() {
    let check = fine("RECEIVE_CHECK", Actor::Receiver);
    let reasons = |code| {
        [
            (step::REASON_CODE, code),
            (step::REASON, "说明"),
            (step::APPROVER, "某书记"),
        ]
    };
    assert_eq!(
        check.result("refuse", &reasons("addressee_wrong")),
        Ok("REFUSED_IN")
    );
    assert_eq!(
        check.result("refuse", &reasons("no_more_this_year")),
        Err("TRF-006")
    );
    assert_eq!(
        check.result("refuse", &reasons("addressee_wrong")[..2]),
        Err("TRF-006")
    );
    assert_eq!(check.result("hold", &[]), Err("TRF-013"));
    assert_eq!(
        check.result("hold", &[(step::REASON_CODE, "file_incomplete")]),
        Ok("HOLD")
    );
}

#[test]
fn acceptance_needs_a_branch_of_the_receiver() {
    let branch = [(step::TO_BRANCH, "0123456789abcdef")];
    let check = fine("RECEIVE_CHECK", Actor::Receiver);
    assert_eq!(check.result("accept", &[]), Err("TRF-017"));
    let wrong = Facts {
        branch_of_receiver: false,
        ..FINE
    };
    let elsewhere = on("HOLD", PLAN, Actor::Receiver, wrong);
    assert_eq!(elsewhere.result("accept", &branch), Err("TRF-017"));
    assert_eq!(
        fine("RECEIVE_CHECK", Actor::Owner).result("accept", &branch),
        Err("TRF-011")
    );
}

#[test]
fn out_on_paper_the_receipt_moves_the_member_and_its_lack_is_chased() {
    let subject = [
        (transfer::VARIANT, "offline_out"),
        (transfer::LAST_VALID_DATE, "2026-10-20"),
    ];
    let outside = Facts {
        receiver_inside: false,
        ..FINE
    };
    let at = |state, actor, day| Attempt {
        date: day,
        ..on(state, &subject, actor, outside)
    };
    let hub = |day| at("IN_TRANSIT", Actor::Hub, day);
    assert_eq!(hub(date(2026, 11, 20)).result("chase", &[]), Err("TRF-011"));
    assert_eq!(
        hub(date(2026, 11, 21)).result("chase", &[]),
        Ok("CHASE_RECEIPT")
    );
    assert_eq!(
        hub(TODAY).result("expire", &[]),
        Err("TRF-011"),
        "it may have been used in time"
    );
    let owner = at("CHASE_RECEIPT", Actor::Owner, TODAY);
    let received = [(step::RECEIVED_DATE, "2026-10-19")];
    assert_eq!(
        owner.result("enter_receipt", &received),
        Ok("ACCEPTED_EXTERNAL")
    );
    assert_eq!(owner.result("enter_receipt", &[]), Err("TRF-013"));
    let inside = fine("IN_TRANSIT", Actor::Owner);
    assert_eq!(inside.result("enter_receipt", &received), Err("TRF-011"));
}

#[test]
fn in_from_outside_takes_the_member_in() {
    let subject = [(transfer::VARIANT, "offline_in")];
    let at = |state| on(state, &subject, Actor::Receiver, FINE);
    let letter = [(step::NAME, "张三"), (step::ORIGIN, "某省某县某镇党委")];
    assert_eq!(
        at("-").result("enter_letter", &letter),
        Ok("LETTER_ENTERED")
    );
    assert_eq!(at("-").result("enter_letter", &letter[..1]), Err("TRF-018"));
    assert_eq!(
        at("LETTER_ENTERED").result("open_check", &[]),
        Ok("RECEIVE_CHECK")
    );
    let accepted = at("RECEIVE_CHECK").take("accept", &[(step::TO_BRANCH, "0123456789abcdef")]);
    assert_eq!(
        accepted.map(|arrow| arrow.effects),
        Ok([Effect::TakeIn].as_slice())
    );
    assert_eq!(
        at("RECEIPT_SENT").result("confirm_receipt", &[]),
        Ok("CLOSED")
    );
}

#[test]
fn a_letter_from_outside_that_was_entered_too_late_is_returned_or_issued_anew() {
    let subject = [
        (transfer::VARIANT, "offline_in"),
        (transfer::LETTER_NUMBER, "1"),
        (transfer::LAST_VALID_DATE, "2026-11-22"),
    ];
    let late = on("LETTER_ENTERED", &subject, Actor::Receiver, FINE);
    assert_eq!(late.result("open_check", &[]), Err("TRF-003"));
    let reasons = [
        (step::REASON_CODE, "letter_expired"),
        (step::REASON, "逾期"),
        (step::APPROVER, "某书记"),
    ];
    assert_eq!(late.result("refuse", &reasons), Ok("REFUSED_IN"));
    let anew = |number, until| {
        [
            (step::REASON_CODE, "clerk"),
            (step::LETTER_NUMBER, number),
            (step::LAST_VALID_DATE, until),
        ]
    };
    let enter = |arguments: Fields<'_>| late.result("enter_reissue", arguments);
    assert_eq!(enter(&anew("2", "2026-12-31")), Ok("LETTER_ENTERED"));
    assert_eq!(
        enter(&anew("1", "2026-12-31")),
        Err("TRF-020"),
        "a number is used once"
    );
    assert_eq!(
        enter(&anew("2", "2026-11-22")),
        Err("TRF-020"),
        "too late again"
    );
    assert_eq!(enter(&anew("2", "2026-12-31")[1..]), Err("TRF-013"), "why");
}

#[test]
fn a_batch_needs_power_and_a_decision() {
    let subject = [(transfer::VARIANT, "whole_organisation")];
    let at = |state, actor| on(state, &subject, actor, FINE);
    let decision = [
        (step::DECISION_NUMBER, "1号"),
        (step::DECISION_DATE, "2026-11-20"),
    ];
    let orgs = [
        (step::MOVED_ORG, "0123456789abcdef"),
        (step::TO_ORG, "fedcba9876543210"),
    ];
    let begin = |facts| on("-", &subject, Actor::Owner, facts).result("create_batch", &orgs);
    assert_eq!(begin(FINE), Ok("BATCH_DRAFT"));
    let stuck = Facts {
        may_move: false,
        ..FINE
    };
    let large = Facts {
        batch_fits: false,
        ..FINE
    };
    assert_eq!(
        (begin(stuck), begin(large)),
        (Err("TRF-022"), Err("TRF-023"))
    );
    let one = at("-", Actor::Owner).result("create_batch", &orgs[..1]);
    assert_eq!(one, Err("TRF-013"));
    let approved = |facts| on("BATCH_APPROVED", &subject, Actor::Authority, facts);
    assert_eq!(approved(stuck).result("execute", &[]), Err("TRF-022"));
    assert_eq!(approved(large).result("execute", &[]), Err("TRF-023"));
    assert_eq!(approved(stuck).result("discard", &[]), Err("TRF-013"));
    let why = [(step::REASON, "原上级已变动")];
    assert_eq!(approved(stuck).result("discard", &why), Ok("CANCELLED"));
    let draft = at("BATCH_DRAFT", Actor::Authority);
    assert_eq!(draft.result("approve_batch", &[]), Err("TRF-016"));
    assert_eq!(
        draft.result("approve_batch", &decision),
        Ok("BATCH_APPROVED")
    );
    assert_eq!(
        at("BATCH_APPROVED", Actor::Hub).result("execute", &[]),
        Ok("EXECUTED")
    );
}
