//! The life of one letter of introduction 介绍信 (`domain.md` 1.8, letter machine).
//!
//! ```text
//!  BLANK ─issue→ ISSUED ─use→ USED
//!    │             │ ↖restore──────┐
//!    │             ├─lose→ LOST ───┤
//!    │             ├─expire→ EXPIRED ─use→ USED
//!    └─void→ VOID ←┴── void ───────┘
//! ```
//!
//! Invariants: L1 VOID and USED are final; L2 a number is used once and never again, so BLANK never
//! comes back and a gap is explained by a void letter with its reason (`domain.md` 1.8, invariant
//! 4). A letter moves with its case: only the hub moves it, by the effect of a transfer's step
//! ([`event_of`]). EXPIRED leads back because a check opened in time may reach the hub late.
//!
//! Refusal: `LET-001`.

use crate::kinds::{letter, step};
use crate::machine::{Effect, Machine, Transition};
use crate::machines::Sets;

states! {
    BLANK = "空白", "Blank", open;
    ISSUED = "已开具", "Issued", open;
    EXPIRED = "逾期", "Expired", open;
    LOST = "遗失", "Lost", open;
    USED = "已使用", "Used", end;
    VOID = "作废", "Void", end;
}

events! {
    RESERVE = "reserve", "领用编号", "Reserve a number";
    ISSUE = "issue", "开具", "Issue";
    USE = "use", "使用", "Use";
    EXPIRE = "expire", "逾期", "Expire";
    LOSE = "lose", "遗失", "Lose";
    RESTORE = "restore", "恢复有效", "Restore";
    VOID = "void", "作废", "Void";
}

const TRANSITIONS: &[Transition] = arrows! {
    from [] on RESERVE by [Hub] to BLANK;
    from [] on ISSUE by [Hub] to ISSUED;
    from [BLANK] on ISSUE by [Hub] to ISSUED;
    from [ISSUED, EXPIRED] on USE by [Hub] to USED;
    from [ISSUED] on EXPIRE by [Hub] to EXPIRED;
    from [ISSUED] on LOSE by [Hub] to LOST;
    from [LOST, EXPIRED] on RESTORE by [Hub] to ISSUED;
    from [BLANK, ISSUED, LOST, EXPIRED] on VOID by [Hub] to VOID;
};

/// The machine.
pub const MACHINE: Machine = Machine {
    name: "letter",
    states: STATES,
    transitions: TRANSITIONS,
    not_allowed_code: "LET-001",
};

/// The texts of its refusals.
pub const MESSAGES: &[(&str, &str, &str)] = &[(
    "LET-001",
    "介绍信 {no} 当前为“{state}”,不能“{event}”。",
    "Letter {no} is {state}; “{event}” is not possible.",
)];

/// What every step sets: the day.
pub const SETS_ALWAYS: &[(u16, u16)] = &[(step::DATE, letter::STATE_DATE)];

/// What the events set besides.
pub const SETS: &[Sets] = &[
    (
        event::ISSUE,
        &[
            (step::DATE, letter::ISSUE_DATE),
            (step::VALID_DAYS, letter::VALID_DAYS),
            (step::LETTER_NUMBER, letter::NUMBER),
            (step::ORGANISATION, letter::ISSUER),
        ],
    ),
    (event::VOID, &[(step::REASON, letter::VOID_REASON)]),
    (
        event::USE,
        &[
            (step::RECEIVED_DATE, letter::RECEIVED_DATE),
            (step::RECEIPT_HOW, letter::RECEIPT_HOW),
            (step::HANDLER, letter::RECEIPT_HANDLER),
            (step::HANDLER_PHONE, letter::RECEIPT_PHONE),
        ],
    ),
];

/// The letter's event that an effect of its case causes. A case whose letter does not allow it
/// (there is none, or it is still valid) leaves the letter as it is.
pub fn event_of(effect: Effect) -> Option<&'static str> {
    match effect {
        Effect::IssueLetter => Some(event::ISSUE),
        Effect::VoidLetter => Some(event::VOID),
        Effect::UseLetter => Some(event::USE),
        Effect::ExpireLetter => Some(event::EXPIRE),
        Effect::SuspendLetter => Some(event::LOSE),
        Effect::RestoreLetter => Some(event::RESTORE),
        Effect::MoveMember
        | Effect::CloseOutwards
        | Effect::TakeIn
        | Effect::Compensate
        | Effect::WithdrawSnapshot
        | Effect::CloseTenure
        | Effect::SetStatus
        | Effect::MoveOrganisation
        | Effect::OpenDispute
        | Effect::RevokeDisputed
        | Effect::Repoint
        | Effect::CloseCase => None,
    }
}

#[cfg(test)]
mod tests {
    use super::{MACHINE, event_of, state};
    use crate::machine::Effect;
    use crate::machines::testing::{self, Table};

    #[test]
    fn every_state_and_event_has_its_row() {
        let table: Table = &[
            ("-", &["reserve→BLANK", "issue→ISSUED"]),
            ("BLANK", &["issue→ISSUED", "void→VOID"]),
            (
                "ISSUED",
                &["use→USED", "expire→EXPIRED", "lose→LOST", "void→VOID"],
            ),
            ("EXPIRED", &["use→USED", "restore→ISSUED", "void→VOID"]),
            ("LOST", &["restore→ISSUED", "void→VOID"]),
            ("USED", &[]),
            ("VOID", &[]),
        ];
        testing::has_exactly(&MACHINE, table);
    }

    #[test]
    fn l1_used_and_void_are_final() {
        assert!(MACHINE.allowed(state::USED).is_empty());
        assert!(MACHINE.allowed(state::VOID).is_empty());
    }

    #[test]
    fn l2_no_arrow_leads_back_to_blank() {
        let mut back = MACHINE
            .transitions
            .iter()
            .filter(|arrow| !arrow.from.is_empty());
        assert!(back.all(|arrow| arrow.to != state::BLANK));
    }

    #[test]
    fn effects_of_a_case_name_events_of_the_letter() {
        assert_eq!(event_of(Effect::UseLetter), Some("use"));
        assert_eq!(event_of(Effect::SuspendLetter), Some("lose"));
        assert_eq!(event_of(Effect::MoveMember), None);
    }
}
