//! The life of an activity 活动 and its minutes (`domain.md` 6.6).
//!
//! ```text
//!  ─plan→ PLANNED ─notify→ NOTIFIED ─hold→ HELD ─draft→ MINUTES_DRAFT ─submit→ SUBMITTED
//!           │ ↖replan─POSTPONED ↑                          ↑               │  │approve
//!           │ postpone──────────┘                          └─redraft─RETURNED ↓
//!           └cancel→ CANCELLED                                       APPROVED ─archive→ ARCHIVED
//! ```
//!
//! Invariants: A1 should = present + late + leave + absent, guests not counted (`ACT-001`). A2 a
//! vote needs more than half of those entitled to be present, and nobody votes twice (`ACT-002`).
//! A3 a probationary member has no vote (`ACT-003`, [`may_vote`]). A4 after approval only an
//! addendum is possible (`ACT-004`, [`may_edit`]).
//!
//! PLAN and REGISTER are the creation of the record itself, whose guards are asked of it
//! ([`crate::decide::beginning_refusal`]).
//!
//! An activity may be held that was never announced, and one that was held before it was registered
//! is registered as HELD (`register`).

use crate::kinds::{activity, step};
use crate::machine::{Guard, Machine, Situation, Transition};
use crate::machines::{Sets, date, given, guard};

states! {
    PLANNED = "计划", "Planned", open;
    NOTIFIED = "已通知", "Announced", open;
    POSTPONED = "延期", "Postponed", open;
    HELD = "已召开", "Held", open;
    MINUTES_DRAFT = "记录整理中", "Minutes in draft", open;
    SUBMITTED = "已提交审定", "Submitted", open;
    RETURNED = "退回修改", "Returned", open;
    APPROVED = "已审定", "Approved", open;
    ARCHIVED = "已归档", "Archived", end;
    CANCELLED = "已取消", "Cancelled", end;
}

events! {
    PLAN = "plan", "计划", "Plan";
    REGISTER = "register", "补登记", "Register afterwards";
    NOTIFY = "notify", "通知", "Announce";
    HOLD = "hold", "召开", "Hold";
    DRAFT = "draft", "整理记录", "Draft minutes";
    SUBMIT = "submit", "提交审定", "Submit";
    RETURN = "return", "退回", "Return";
    REDRAFT = "redraft", "重新整理", "Redraft";
    APPROVE = "approve", "审定", "Approve";
    ARCHIVE = "archive", "归档", "Archive";
    CANCEL = "cancel", "取消", "Cancel";
    POSTPONE = "postpone", "延期", "Postpone";
    REPLAN = "replan", "重新计划", "Plan again";
    ADDENDUM = "addendum", "追加说明", "Add";
    EDIT = "edit", "改写", "Rewrite";
}

const TRANSITIONS: &[Transition] = arrows! {
    from [] on PLAN by [Owner] if [TIMES_FIT] to PLANNED;
    from [] on REGISTER by [Owner] if [HELD_BEFORE, TIMES_FIT] to HELD;
    from [PLANNED] on NOTIFY by [Owner] to NOTIFIED;
    from [PLANNED, NOTIFIED] on HOLD by [Owner] to HELD;
    from [HELD] on DRAFT by [Owner] to MINUTES_DRAFT;
    from [MINUTES_DRAFT] on SUBMIT by [Owner] if [COUNTS_AGREE, VOTE_VALID] to SUBMITTED;
    from [SUBMITTED] on RETURN by [Owner, Authority] if [REASON] to RETURNED;
    from [RETURNED] on REDRAFT by [Owner] to MINUTES_DRAFT;
    from [SUBMITTED] on APPROVE by [Owner, Authority] if [COUNTS_AGREE, VOTE_VALID, APPROVER]
        to APPROVED;
    from [APPROVED] on ARCHIVE by [Owner, Authority, Hub] to ARCHIVED;
    from [PLANNED, NOTIFIED] on CANCEL by [Owner] if [REASON] to CANCELLED;
    from [PLANNED, NOTIFIED] on POSTPONE by [Owner] if [REASON] to POSTPONED;
    from [POSTPONED] on REPLAN by [Owner] to PLANNED;
    from [POSTPONED] on CANCEL by [Owner] if [REASON] to CANCELLED;
    from [APPROVED] on ADDENDUM by [Owner] if [TEXT] to APPROVED;
    from [ARCHIVED] on ADDENDUM by [Owner] if [TEXT] to ARCHIVED;
    from [APPROVED] on EDIT by [Owner, Authority] if [NEVER] to APPROVED;
    from [ARCHIVED] on EDIT by [Owner, Authority] if [NEVER] to ARCHIVED;
};

/// The machine.
pub const MACHINE: Machine = Machine {
    name: "activity",
    states: STATES,
    transitions: TRANSITIONS,
    not_allowed_code: "ACT-006",
};

/// Whether fields of an activity in this state may still be written (A4); else `ACT-004`.
pub fn may_edit(state: &str) -> bool {
    !matches!(state, state::APPROVED | state::ARCHIVED | state::CANCELLED)
}

/// Whether an activity in this state takes enrolments and attendance (`domain.md` 5.5).
pub fn is_open_for_enrolment(state: &str) -> bool {
    matches!(state, state::PLANNED | state::NOTIFIED)
}

/// Whether a member of this category has a vote (A3).
pub fn may_vote(category: &str) -> bool {
    category == "full"
}

/// The texts of its refusals (`domain.md` 6.6).
pub const MESSAGES: &[(&str, &str, &str)] = &[
    (
        "ACT-001",
        "应到 {a} = 实到 {b} + 请假 {c} + 缺席 {d} 不成立。",
        "Should attend {a} = present {b} + on leave {c} + absent {d} does not hold.",
    ),
    (
        "ACT-002",
        "有表决权的到会 {n} 人,未超过应到会有表决权 {m} 人的半数,不能表决。",
        "{n} entitled to vote are present, not more than half of {m}; no vote can be taken.",
    ),
    (
        "ACT-003",
        "预备党员 {name} 无表决权。",
        "Probationary member {name} has no vote.",
    ),
    (
        "ACT-004",
        "会议已审定,只能追加说明,不能改写。",
        "The minutes are approved: they can be added to, not rewritten.",
    ),
    (
        "ACT-005",
        "“{event}”须填写{field}。",
        "“{event}” needs {field}.",
    ),
    (
        "ACT-006",
        "当前状态为 {state},不能“{event}”;可执行:{allowed}。",
        "The activity is in state {state}; “{event}” is not possible. Possible: {allowed}.",
    ),
    (
        "ACT-007",
        "补登记已召开的活动须填写活动日期,且不能晚于今天。",
        "An activity registered afterwards needs the day on which it was held, not after today.",
    ),
    (
        "ACT-008",
        "活动的结束时间不能早于开始时间,请核对。",
        "The activity ends before it starts; please check.",
    ),
];

/// What every step sets.
pub const SETS_ALWAYS: &[(u16, u16)] = &[
    (step::DATE, activity::STATE_DATE),
    (step::REASON, activity::STATE_REASON),
];

const HELD: &[(u16, u16)] = &[
    (step::STARTED, activity::ACTUAL_START),
    (step::ENDED, activity::ACTUAL_END),
];

/// What a new activity says as its first step.
pub const BEGINS: &[(u16, u16)] = &[
    (step::STARTED, activity::ACTUAL_START),
    (step::ENDED, activity::ACTUAL_END),
];

/// What the events set besides. An addendum is the step's text; the field shows the newest.
pub const SETS: &[Sets] = &[
    (event::HOLD, HELD),
    (event::REGISTER, HELD),
    (event::APPROVE, &[(step::APPROVER, activity::APPROVER)]),
    (event::ADDENDUM, &[(step::VALUE, activity::ADDENDUM)]),
];

/// What is registered afterwards was held: on a day that has come.
const HELD_BEFORE: Guard = guard("the day on which it was held has come", "ACT-007", |s| {
    date(s.subject, activity::HELD_DATE).is_some_and(|held| held <= s.date)
});

/// Nothing ends before it starts.
const TIMES_FIT: Guard = guard("the end is not before the start", "ACT-008", |s| {
    let fits = |start, end| match (s.subject.integer(start), s.subject.integer(end)) {
        (Some(start), Some(end)) => start <= end,
        _ => true,
    };
    fits(activity::PLANNED_START, activity::PLANNED_END)
        && fits(activity::ACTUAL_START, activity::ACTUAL_END)
});

/// A1.
const COUNTS_AGREE: Guard = guard("the counts agree", "ACT-001", counts_agree);

/// A2.
const VOTE_VALID: Guard = guard("the vote is valid", "ACT-002", vote_is_valid);

const REASON: Guard = guard("a reason is given", "ACT-005", |s| given(s, step::REASON));

const APPROVER: Guard = guard("the approver is named", "ACT-005", |s| {
    given(s, step::APPROVER)
});

const TEXT: Guard = guard("the text is given", "ACT-005", |s| given(s, step::VALUE));

/// A4: it never holds, so that a rewrite is refused with its own code.
const NEVER: Guard = guard("approved minutes are not rewritten", "ACT-004", |_| false);

/// An activity without a roster (an event for residents) has no counts to agree.
fn counts_agree(situation: &Situation<'_>) -> bool {
    let count = |field| situation.subject.integer(field);
    let parts = [
        count(activity::PRESENT_COUNT),
        count(activity::LATE_COUNT),
        count(activity::LEAVE_COUNT),
        count(activity::ABSENT_COUNT),
    ];
    match count(activity::SHOULD_COUNT) {
        Some(should) => parts.iter().flatten().sum::<i64>() == should,
        None => true,
    }
}

/// More than half of those entitled are present, and no more votes are counted than people.
fn vote_is_valid(situation: &Situation<'_>) -> bool {
    let count = |field| situation.subject.integer(field);
    let (Some(should), Some(present)) =
        (count(activity::VOTE_SHOULD), count(activity::VOTE_PRESENT))
    else {
        return situation.subject.value(activity::VOTE_TOPIC).is_none();
    };
    let votes = [
        count(activity::VOTE_FOR),
        count(activity::VOTE_AGAINST),
        count(activity::VOTE_ABSTAIN),
    ];
    let cast: i64 = votes.iter().flatten().sum();
    present <= should && present.saturating_mul(2) > should && cast <= present
}

#[cfg(test)]
mod tests;
