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
//! Refusals: `LET-001`; of numbers `LET-002` to `LET-005`.

use crate::kinds::{letter, step};
use crate::machine::{Actor, Effect, Machine, Transition};
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

/// The texts of its refusals, and of those of numbers.
pub const MESSAGES: &[(&str, &str, &str)] = &[
    (
        "LET-001",
        "介绍信 {no} 当前为“{state}”,不能“{event}”。",
        "Letter {no} is {state}; “{event}” is not possible.",
    ),
    (
        "LET-002",
        "介绍信编号 {no} 已用于另一份介绍信,一个编号只能用一次;本次未开具,请核对已打印的纸质介绍信,\
         换用新编号重新办理。",
        "Letter number {no} stands on another letter and is used once only; this letter was not \
         issued. Check the printed letter and approve again with a new number.",
    ),
    (
        "LET-003",
        "介绍信编号 {no} 已作废,不再使用;本次未开具,请换用新编号重新办理。",
        "Letter number {no} is void and is not used again; this letter was not issued. Approve \
         again with a new number.",
    ),
    (
        "LET-004",
        "“{no}”不是有效的介绍信编号:请按“年份-序号”填写,如 2026-123 或〔2026〕第000123号,\
         年份不得晚于开具日期;不填则由系统编号。",
        "“{no}” is no letter number: write year and serial, like 2026-123 or 〔2026〕第000123号, \
         the year not after the day of issue; left out, the system gives the number.",
    ),
    (
        "LET-005",
        "介绍信编号 {no} 属于已分配给其他电脑或中心的号段,不能手工使用;请核对纸质介绍信编号,\
         或不填编号由系统编号。",
        "Letter number {no} lies in a block leased to another machine or to the desk and cannot \
         be given by hand. Check the paper's number, or leave it out.",
    ),
];

/// Whether an actor gives a letter its number with this event of its case.
pub fn is_issued_by(event: &str, actor: Actor) -> bool {
    crate::machines::transfer::MACHINE
        .transitions
        .iter()
        .filter(|arrow| arrow.event == event && arrow.by.contains(&actor))
        .any(|arrow| arrow.effects.contains(&Effect::IssueLetter))
}

/// Variants of a case that moves without a letter.
const UNLETTERED: &[&str] = &["internal", "whole_organisation"];

/// Whether a step on a case needs the number of a letter: by its event, and the case's variant.
pub fn needs_number(event: &str, variant: Option<&str>) -> bool {
    is_issued_by(event, Actor::Authority)
        && variant.is_none_or(|variant| !UNLETTERED.contains(&variant))
}

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
