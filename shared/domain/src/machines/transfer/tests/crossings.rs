//! Repeats, crossings, disputes, and what a refusal tells.

use jiff::civil::date;

use super::super::{event, is_repeat, refusal_code};
use super::rules::{FINE, PLAN, fine, on};
use crate::kinds::{step, transfer};
use crate::machine::{Actor, Effect, Refused};
use crate::machines::sets;
use crate::machines::testing::{Attempt, record};

#[test]
fn t3_a_step_that_was_applied_is_a_repeat_and_a_new_round_is_none() {
    let said = |id, event: &str, organisation| {
        record(
            step::KIND_NUMBER,
            id,
            &[
                (step::SUBJECT, "case"),
                (step::EVENT, event),
                (step::ORGANISATION, organisation),
            ],
        )
    };
    let applied = [said(1, "submit", "a"), said(2, "accept", "b")];
    assert!(is_repeat("ACCEPTED", &said(3, "accept", "b"), &applied));
    assert!(
        !is_repeat("ACCEPTED", &said(3, "accept", "c"), &applied),
        "another organisation"
    );
    assert!(!is_repeat("ACCEPTED", &said(3, "recall", "a"), &applied));
    assert!(is_repeat(
        "BRANCH_REVIEW",
        &said(3, "submit", "a"),
        &applied
    ));
    assert!(
        !is_repeat("DRAFT", &said(3, "submit", "a"), &applied),
        "sent back, submitted anew"
    );
    assert!(
        !is_repeat("ACCEPTED", &said(2, "accept", "b"), &applied),
        "the step itself"
    );
    let entered = [said(1, "enter_reissue", "a")];
    assert!(
        !is_repeat("LETTER_ENTERED", &said(3, "enter_reissue", "a"), &entered),
        "a second letter issued anew"
    );
}

#[test]
fn t7_what_crosses_an_acceptance_opens_a_dispute_and_sets_nothing() {
    let subject = [PLAN, &[(transfer::ACCEPTED_DATE, "2026-11-23")]].concat();
    for state in ["ACCEPTED", "RECEIPT_SENT", "CLOSED"] {
        let arrow = on(state, &subject, Actor::Owner, FINE).take("recall", &[]);
        let arrow = arrow.unwrap_or_else(|refused| unreachable!("{state}: {refused:?}"));
        assert_eq!(
            (arrow.to, arrow.effects),
            (state, [Effect::OpenDispute].as_slice())
        );
        assert!(sets(transfer::KIND_NUMBER, arrow).is_empty());
        let later = Attempt {
            date: date(2026, 11, 24),
            ..on(state, &subject, Actor::Owner, FINE)
        };
        assert_eq!(later.result("recall", &[]), Err("TRF-010"));
    }
    let decision = [
        (step::DECISION_NUMBER, "1号"),
        (step::DECISION_DATE, "2026-11-20"),
    ];
    let street = fine("DISPUTED", Actor::Authority);
    assert_eq!(street.result("uphold", &decision), Ok("UPHELD"));
    assert_eq!(street.result("revoke", &[]), Err("TRF-016"));
    let revoked = street.take("revoke", &decision).map(|arrow| arrow.effects);
    assert_eq!(revoked, Ok([Effect::RevokeDisputed].as_slice()));
}

#[test]
fn a_refusal_says_what_the_state_tells() {
    let refused = Refused::NotAllowed;
    assert_eq!(
        refusal_code("RECALLED", event::OPEN_CHECK, refused),
        "TRF-004"
    );
    assert_eq!(
        refusal_code("ACCEPTED", event::ACCEPT, Refused::WrongActor),
        "TRF-010"
    );
    assert_eq!(
        refusal_code("CLOSED", event::OPEN_CHECK, refused),
        "TRF-010"
    );
    assert_eq!(refusal_code("DRAFT", event::ACCEPT, refused), "TRF-011");
    assert_eq!(refusal_code("RECALLED", event::RECALL, refused), "TRF-011");
}
