//! The full table of states and events, and what can be reached.

use super::super::{AWAITING_RECEIPT, LETTER_VOID, MACHINE, MOVED, RECEIVED, STATES};
use crate::machine::{Actor, Effect};
use crate::machines::testing::{Table, has_exactly, reachable};

const BY_STATUS: &str = "close_by_status→CLOSED_BY_STATUS";

/// The drawing as a table: what leaves each state; every other pair of state and event is refused.
const TABLE: Table<'_> = &[
    (
        "-",
        &[
            "create→DRAFT",
            "enter_letter→LETTER_ENTERED",
            "create_batch→BATCH_DRAFT",
            "dispute→DISPUTED",
        ],
    ),
    (
        "DRAFT",
        &[
            "submit→BRANCH_REVIEW",
            "submit→COMMITTEE_REVIEW",
            "discard→CANCELLED",
            BY_STATUS,
        ],
    ),
    (
        "BRANCH_REVIEW",
        &[
            "approve_branch→COMMITTEE_REVIEW",
            "send_back→DRAFT",
            "withdraw→WITHDRAWN",
            BY_STATUS,
        ],
    ),
    (
        "COMMITTEE_REVIEW",
        &[
            "approve→ISSUED",
            "approve→ACCEPTED",
            "pass_up→HIGHER_REVIEW",
            "send_back→DRAFT",
            "withdraw→WITHDRAWN",
            "repoint→COMMITTEE_REVIEW",
            BY_STATUS,
        ],
    ),
    (
        "HIGHER_REVIEW",
        &[
            "approve_higher→ISSUED",
            "send_back→COMMITTEE_REVIEW",
            "reject→REJECTED_OUT",
            "repoint→HIGHER_REVIEW",
            BY_STATUS,
        ],
    ),
    (
        "ISSUED",
        &[
            "deliver→IN_TRANSIT",
            "report_lost→LOST",
            "recall→RECALLED",
            "repoint→ISSUED",
            BY_STATUS,
        ],
    ),
    (
        "IN_TRANSIT",
        &[
            "open_check→RECEIVE_CHECK",
            "expire→EXPIRED",
            "report_lost→LOST",
            "recall→RECALLED",
            "chase→CHASE_RECEIPT",
            "enter_receipt→ACCEPTED_EXTERNAL",
            BY_STATUS,
        ],
    ),
    (
        "RECEIVE_CHECK",
        &[
            "hold→HOLD",
            "accept→ACCEPTED",
            "refuse→REFUSED_IN",
            "recall→RECALLED",
            BY_STATUS,
        ],
    ),
    (
        "HOLD",
        &[
            "resume→RECEIVE_CHECK",
            "accept→ACCEPTED",
            "refuse→REFUSED_IN",
            "recall→RECALLED",
            BY_STATUS,
        ],
    ),
    (
        "EXPIRED",
        &[
            "open_check→RECEIVE_CHECK",
            "reissue→ISSUED",
            "abandon→CLOSED_STAYED",
            BY_STATUS,
        ],
    ),
    (
        "LOST",
        &[
            "reissue→ISSUED",
            "find→IN_TRANSIT",
            "enter_receipt→ACCEPTED_EXTERNAL",
            BY_STATUS,
        ],
    ),
    (
        "CHASE_RECEIPT",
        &[
            "enter_receipt→ACCEPTED_EXTERNAL",
            "reissue→ISSUED",
            "abandon→CLOSED_STAYED",
            BY_STATUS,
        ],
    ),
    (
        "LETTER_ENTERED",
        &[
            "open_check→RECEIVE_CHECK",
            "refuse→REFUSED_IN",
            "enter_reissue→LETTER_ENTERED",
            BY_STATUS,
        ],
    ),
    (
        "ACCEPTED",
        &[
            "send_receipt→RECEIPT_SENT",
            "accept→ACCEPTED",
            "recall→ACCEPTED",
            "revoke→REVOKED",
        ],
    ),
    (
        "RECEIPT_SENT",
        &[
            "confirm_receipt→CLOSED",
            "accept→RECEIPT_SENT",
            "recall→RECEIPT_SENT",
            "revoke→REVOKED",
        ],
    ),
    (
        "CLOSED",
        &["accept→CLOSED", "recall→CLOSED", "revoke→REVOKED"],
    ),
    ("ACCEPTED_EXTERNAL", &["revoke→REVOKED"]),
    ("DISPUTED", &["uphold→UPHELD", "revoke→REVOKED"]),
    (
        "BATCH_DRAFT",
        &["approve_batch→BATCH_APPROVED", "discard→CANCELLED"],
    ),
    ("BATCH_APPROVED", &["execute→EXECUTED", "discard→CANCELLED"]),
    ("EXECUTED", &["revoke→REVOKED"]),
    ("CANCELLED", &[]),
    ("WITHDRAWN", &[]),
    ("REJECTED_OUT", &[]),
    ("REFUSED_IN", &[]),
    ("CLOSED_STAYED", &[]),
    ("RECALLED", &[]),
    ("CLOSED_BY_STATUS", &[]),
    ("UPHELD", &[]),
    ("REVOKED", &[]),
];

#[test]
fn every_state_and_event_has_its_row() {
    has_exactly(&MACHINE, TABLE);
}

#[test]
fn t2_the_member_moves_only_where_the_table_says_so() {
    let moving = [
        Effect::MoveMember,
        Effect::TakeIn,
        Effect::CloseOutwards,
        Effect::MoveOrganisation,
        Effect::Compensate,
    ];
    for arrow in MACHINE.transitions {
        let count = arrow
            .effects
            .iter()
            .filter(|effect| moving.contains(effect))
            .count();
        let enters = MOVED.contains(&arrow.to) && arrow.from.iter().any(|s| !MOVED.contains(s));
        let leaves = MOVED.contains(arrow.from.first().unwrap_or(&"")) && arrow.to == "REVOKED";
        assert_eq!(
            count,
            usize::from(enters || leaves),
            "{} to {}",
            arrow.event,
            arrow.to
        );
    }
}

#[test]
fn t4_an_end_is_final_but_for_receipts_and_revocation() {
    for state in STATES.iter().filter(|state| !state.open) {
        for event in MACHINE.allowed(state.code) {
            let arrows = MACHINE.transitions.iter();
            let mut here = arrows.filter(|a| a.event == event && a.from.contains(&state.code));
            let stays = |to| to == state.code || MOVED.contains(&to) || to == "REVOKED";
            assert!(here.all(|arrow| stays(arrow.to)), "{} {event}", state.code);
        }
    }
}

#[test]
fn t5_an_end_is_reached_from_every_open_state_without_the_receiver() {
    let without_receiver = |actors: &[Actor]| actors.iter().any(|a| *a != Actor::Receiver);
    // A letter from outside is the receiver's own case.
    let others = STATES.iter().filter(|state| state.code != "LETTER_ENTERED");
    for state in others.filter(|state| state.open) {
        let reached = reachable(&MACHINE, &[state.code], |arrow| {
            without_receiver(arrow.by) && arrow.event != "close_by_status"
        });
        let ends = reached.iter().any(|code| !MACHINE.is_open(code));
        assert!(ends, "{} needs the receiver", state.code);
    }
}

#[test]
fn every_open_state_with_a_member_ends_with_the_membership() {
    for state in STATES.iter().filter(|state| state.open) {
        let closes = MACHINE.allowed(state.code).contains(&"close_by_status");
        let memberless = ["BATCH_DRAFT", "BATCH_APPROVED", "DISPUTED"].contains(&state.code);
        assert_eq!(closes, !memberless, "{}", state.code);
    }
}

#[test]
fn named_groups_of_states_exist() {
    let named = AWAITING_RECEIPT.iter().chain(MOVED).chain(RECEIVED);
    for code in named.chain(LETTER_VOID) {
        assert!(MACHINE.state(code).is_some(), "{code}");
    }
}

#[test]
fn no_arrow_of_a_transfer_asks_for_an_effect_of_a_status() {
    let of_status = [Effect::SetStatus, Effect::CloseTenure, Effect::CloseCase];
    for arrow in MACHINE.transitions {
        let asks = arrow
            .effects
            .iter()
            .any(|effect| of_status.contains(effect));
        assert!(!asks, "{} to {}", arrow.event, arrow.to);
    }
}
