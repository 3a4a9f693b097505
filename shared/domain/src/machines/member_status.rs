//! A member's Party status 党籍状态 (`domain.md` 2.3; 党员教育管理工作条例 2019, art. 24).
//!
//! ```text
//!  ─admit→ PROBATIONARY ─convert→ FULL ─leave→ LEFT
//!              │   │ ↘extend        │ ↖restore
//!              │   │ PROBATIONARY_  │stop
//!        cancel│   │ EXTENDED ─convert→ FULL
//!              ↓   │  │cancel       ↓ ↗
//!          CANCELLED ←┘          STOPPED ─remove→ REMOVED_SELF_LEFT
//!                  └──stop────────↗
//!  every living state ─record_death→ DECEASED
//!  after LEFT, REMOVED_SELF_LEFT, CANCELLED: ─readmit→ PROBATIONARY in a new record
//! ```
//!
//! Invariants: M1 time passing never changes a status, it only creates a task; every arrow is a
//! step of a person. M2 probation is extended once (`MEM-005`). M3 a probationary member has no
//! conversion date (`MEM-004`). M4 what takes away or gives back membership names its decision. M5
//! an ended record never lives again: re-admission makes a new one for the same person.
//!
//! ADMIT and READMIT are the creation of the member's record itself ([`beginning`]); most members
//! are registered in whatever status they have, long after they were admitted.
//!
//! Whoever learns of a death records it: the holder, the desk, the receiver of an open transfer, an
//! office that held the member once (`domain.md` 10).
//!
//! Refusals: `MEM-004`, `MEM-005` of `domain.md`, and `MEM-008` to `MEM-018` for what it leaves
//! unnamed.

use jiff::civil::Date;

use crate::checks::date::add_months;
use crate::kinds::{codes, member, step};
use crate::machine::{Guard, Machine, Situation, Transition};
use crate::machines::{Sets, date, given, guard};
use crate::record::Record;

states! {
    PROBATIONARY = "正常(预备)", "Probationary", open;
    PROBATIONARY_EXTENDED = "正常(预备期延长)", "Probation extended", open;
    FULL = "正常(正式)", "Full", open;
    STOPPED = "停止党籍", "Stopped", open;
    CANCELLED = "取消预备党员资格", "Probation cancelled", end;
    REMOVED_SELF_LEFT = "自行脱党除名", "Removed as self-left", end;
    LEFT = "出党", "Left", end;
    DECEASED = "去世", "Deceased", end;
}

events! {
    ADMIT = "admit", "接收为预备党员", "Admit";
    CONVERT = "convert", "转为正式党员", "Convert";
    EXTEND = "extend", "延长预备期", "Extend probation";
    CANCEL = "cancel", "取消预备党员资格", "Cancel probation";
    STOP = "stop", "停止党籍", "Stop";
    RESTORE = "restore", "恢复党籍", "Restore";
    REMOVE = "remove", "自行脱党除名", "Remove as self-left";
    LEAVE = "leave", "出党", "Leave";
    RECORD_DEATH = "record_death", "登记去世", "Record death";
    READMIT = "readmit", "重新入党", "Admit again";
}

const TRANSITIONS: &[Transition] = arrows! {
    from [] on ADMIT by [Owner, Authority]
        if [NOT_MEMBER, DECIDED, NO_CONVERSION, JOINED]
        to PROBATIONARY doing [TakeIn, SetStatus];
    from [PROBATIONARY, PROBATIONARY_EXTENDED] on CONVERT by [Owner, Authority]
        if [DECIDED, CONVERSION] to FULL doing [SetStatus];
    from [PROBATIONARY, PROBATIONARY_EXTENDED] on EXTEND by [Owner, Authority]
        if [NOT_EXTENDED, DECIDED, NO_CONVERSION, EXTENSION_LENGTH]
        to PROBATIONARY_EXTENDED doing [SetStatus];
    from [PROBATIONARY, PROBATIONARY_EXTENDED] on CANCEL by [Owner, Authority] if [DECIDED]
        to CANCELLED doing [SetStatus, CloseTenure, CloseCase];
    from [FULL, PROBATIONARY, PROBATIONARY_EXTENDED] on STOP by [Owner, Authority]
        if [DECIDED, STOP_REASON] to STOPPED doing [SetStatus, CloseTenure, CloseCase];
    from [STOPPED] on RESTORE by [Owner, Authority] if [DECIDED] to FULL doing [TakeIn, SetStatus];
    from [STOPPED] on REMOVE by [Owner, Authority] if [DECIDED, LOST_TWO_YEARS]
        to REMOVED_SELF_LEFT doing [SetStatus];
    from [FULL] on LEAVE by [Owner, Authority] if [DECIDED, LEAVE_REASON]
        to LEFT doing [SetStatus, CloseTenure, CloseCase];
    from [PROBATIONARY, PROBATIONARY_EXTENDED, FULL, STOPPED]
        on RECORD_DEATH by [Owner, Authority, Receiver, Former]
        to DECEASED doing [SetStatus, CloseTenure, CloseCase];
    from [] on READMIT by [Owner, Authority]
        if [NOT_MEMBER, WAS_MEMBER, DECIDED, NO_CONVERSION, JOINED]
        to PROBATIONARY doing [TakeIn, SetStatus];
};

/// The machine.
pub const MACHINE: Machine = Machine {
    name: "member_status",
    states: STATES,
    transitions: TRANSITIONS,
    not_allowed_code: "MEM-013",
};

/// The states of a member who is in the Party and counted ("ACTIVE" in `domain.md`).
pub const ACTIVE: &[&str] = &[
    state::PROBATIONARY,
    state::PROBATIONARY_EXTENDED,
    state::FULL,
];

/// The states in which membership has ended; the id number is free for a new record.
pub const ENDED: &[&str] = &[
    state::CANCELLED,
    state::REMOVED_SELF_LEFT,
    state::LEFT,
    state::DECEASED,
];

/// By which event a new record begins: a probationary one whose relation came by admission is
/// admitted, or admitted again; every other is a registration of what has long been so.
pub fn beginning(record: &Record) -> Option<&'static str> {
    let is_new = record.text(member::STATUS) == Some(state::PROBATIONARY);
    match record.text(member::RELATION_IN_TYPE).filter(|_| is_new) {
        Some("admitted") => Some(event::ADMIT),
        Some("readmitted") => Some(event::READMIT),
        _ => None,
    }
}

/// What contradicts itself in a new record, however it begins.
pub fn contradiction(record: &Record) -> Option<&'static str> {
    let category = record.text(member::CATEGORY)?;
    let is_probationary = category == "probationary";
    if is_probationary && record.value(member::CONVERSION_DATE).is_some() {
        return Some("MEM-004");
    }
    let of_status = category_of(record.text(member::STATUS)?);
    of_status
        .is_some_and(|wanted| wanted != category)
        .then_some("MEM-016")
}

/// A decision about the Party status by an office that does not hold the member any more: an urgent
/// task of the present holder and the desk (`sync.md` 5). A death is applied whoever reports it.
pub const LATE_DECISION: &str = "MEM-018";

/// The category that goes with a status; none where the status says nothing about it.
pub fn category_of(status: &str) -> Option<&'static str> {
    match status {
        state::FULL => Some("full"),
        state::PROBATIONARY | state::PROBATIONARY_EXTENDED => Some("probationary"),
        _ => None,
    }
}

/// How a tenure closes or opens by an event: the code of `tenure_event`.
pub fn tenure_event_of(event: &str) -> Option<&'static str> {
    match event {
        event::ADMIT => Some("admission"),
        event::CANCEL => Some("cancelled"),
        event::STOP => Some("stopped"),
        event::RESTORE => Some("restored"),
        event::REMOVE => Some("removed"),
        event::LEAVE => Some("left"),
        event::RECORD_DEATH => Some("death"),
        event::READMIT => Some("readmission"),
        _ => None,
    }
}

/// How the tenure of a member closes who comes into a state in which nobody holds him.
pub fn tenure_event_into(status: &str) -> Option<&'static str> {
    let mut into = TRANSITIONS.iter().filter(|arrow| arrow.to == status);
    into.find_map(|arrow| tenure_event_of(arrow.event))
}

/// The state in which nobody holds a member whose tenure closed in this way; none where he was not put into one.
pub fn ended_by(how: &str) -> Option<&'static str> {
    let mut arrows = TRANSITIONS
        .iter()
        .filter(|arrow| !ACTIVE.contains(&arrow.to));
    let found = arrows.find(|arrow| tenure_event_of(arrow.event) == Some(how));
    found.map(|arrow| arrow.to)
}

/// The texts of refusals about members (`domain.md` 2.3).
pub const MESSAGES: &[(&str, &str, &str)] = &[
    (
        "MEM-001",
        "身份证号校验位不符:第18位应为 {c},请核对原件。",
        "The ID number's check digit does not fit: the 18th should be {c}; check the original.",
    ),
    (
        "MEM-002",
        "身份证号中的出生日期 {d1} 与登记的 {d2} 不一致,请选择以哪项为准并说明。",
        "The birth date {d1} in the ID number differs from {d2} as registered; \
         choose one and say why.",
    ),
    (
        "MEM-003",
        "该身份证号已在 {org} 登记为党员({masked}),如系转入请走组织关系转接。",
        "This ID number is registered as a member at {org} ({masked}); \
         if the relation moves here, use a transfer.",
    ),
    (
        "MEM-004",
        "预备党员不应填写转正日期。",
        "A probationary member has no conversion date.",
    ),
    (
        "MEM-005",
        "预备期只能延长一次。",
        "Probation can be extended only once.",
    ),
    (
        "MEM-006",
        "第 {n} 行“{col}”:{value} 不在代码表内,可用:{list}。",
        "Row {n}, “{col}”: {value} is not in the code list; possible: {list}.",
    ),
    (
        "MEM-007",
        "所属支部由组织关系转接变更,不能直接修改。",
        "The branch changes by a transfer and cannot be edited.",
    ),
    (
        "MEM-008",
        "“{event}”须填写批准文号、批准日期和批准机关。",
        "“{event}” needs the number, the date and the body of the decision.",
    ),
    (
        "MEM-009",
        "延长预备期须为六个月以上、一年以下。",
        "An extension lasts at least six months and at most a year.",
    ),
    (
        "MEM-010",
        "转正须填写转正日期,且不能晚于今天。",
        "Conversion needs its date, not later than today.",
    ),
    (
        "MEM-011",
        "“{event}”须选择原因。",
        "“{event}” needs a reason from the list.",
    ),
    (
        "MEM-012",
        "因失联停止党籍未满两年,不能按自行脱党除名。",
        "Less than two years since membership was stopped for lost contact.",
    ),
    (
        "MEM-013",
        "当前党籍状态为 {state},不能“{event}”;可执行:{allowed}。",
        "The Party status is {state}; “{event}” is not possible. Possible: {allowed}.",
    ),
    (
        "MEM-014",
        "接收预备党员须填写入党日期,且不能晚于今天。",
        "An admission needs the day of joining, not after today.",
    ),
    (
        "MEM-015",
        "本单位没有该同志已终止的党籍记录,不能按“重新入党”登记;首次入党请选“新发展”。",
        "No ended membership of this person is recorded here, so this is no re-admission; \
         a first admission is entered as newly admitted.",
    ),
    (
        "MEM-016",
        "党籍状态与人员类别不一致,请核对。",
        "Status and category contradict each other; please check.",
    ),
    (
        "MEM-017",
        "该同志在本单位已登记为党员,不能重复登记。",
        "This person is registered as a member here already.",
    ),
    (
        LATE_DECISION,
        "该同志的组织关系已转出,此项党籍决定未直接生效,已作为紧急事项交现组织和中心办理。",
        "The relation has moved on: this decision about the Party status was not applied and lies \
         before the present holder and the desk as an urgent task.",
    ),
];

/// What every step sets: the day, the decision and the reason, which stand together.
pub const SETS_ALWAYS: &[(u16, u16)] = &[
    (step::DATE, member::STATUS_DATE),
    (step::REASON, member::STATUS_REASON),
    (step::REASON_CODE, member::STATUS_REASON_CODE),
    (step::DECISION_NUMBER, member::DECISION_NUMBER),
    (step::DECISION_DATE, member::DECISION_DATE),
    (step::DECISION_BODY, member::DECISION_BODY),
];

/// What a new member's record says as its first step.
pub const BEGINS: &[(u16, u16)] = &[
    (step::PERSON, member::PERSON),
    (step::JOIN_DATE, member::JOIN_DATE),
    (step::CONVERSION_DUE, member::CONVERSION_DUE),
    (step::CONVERSION_DATE, member::CONVERSION_DATE),
    (step::DECISION_NUMBER, member::DECISION_NUMBER),
    (step::DECISION_DATE, member::DECISION_DATE),
    (step::DECISION_BODY, member::DECISION_BODY),
];

const ADMISSION: &[(u16, u16)] = &[
    (step::PERSON, member::PERSON),
    (step::TO_BRANCH, member::BRANCH),
    (step::JOIN_DATE, member::JOIN_DATE),
    (step::CONVERSION_DUE, member::CONVERSION_DUE),
];

/// What the events set besides.
pub const SETS: &[Sets] = &[
    (event::ADMIT, ADMISSION),
    (event::READMIT, ADMISSION),
    (
        event::CONVERT,
        &[(step::CONVERSION_DATE, member::CONVERSION_DATE)],
    ),
    (
        event::EXTEND,
        &[
            (step::UNTIL_DATE, member::EXTENSION_UNTIL),
            (step::UNTIL_DATE, member::CONVERSION_DUE),
        ],
    ),
    (event::RESTORE, &[(step::TO_BRANCH, member::BRANCH)]),
];

/// Nobody is a member twice.
const NOT_MEMBER: Guard = guard("the person is no member", "MEM-017", |s| !s.facts.is_member);

/// M5: re-admission follows an ended membership of the same person.
const WAS_MEMBER: Guard = guard("a former membership ended", "MEM-015", |s| {
    s.facts.was_member
});

/// The day of the branch meeting that admitted.
const JOINED: Guard = guard("a day of joining that has come", "MEM-014", |s| {
    let today = s.date.to_string();
    s.step.text(step::JOIN_DATE).is_some_and(|on| *on <= *today)
});

/// M4: the decision is named.
const DECIDED: Guard = guard("number, date and body of the decision", "MEM-008", |s| {
    [
        step::DECISION_NUMBER,
        step::DECISION_DATE,
        step::DECISION_BODY,
    ]
    .iter()
    .all(|field| given(s, *field))
});

/// M3.
const NO_CONVERSION: Guard = guard("no conversion date", "MEM-004", |s| {
    !given(s, step::CONVERSION_DATE)
});

/// The conversion has a date, today or before.
const CONVERSION: Guard = guard("a conversion date that has come", "MEM-010", |s| {
    let today = s.date.to_string();
    s.step
        .text(step::CONVERSION_DATE)
        .is_some_and(|on| *on <= *today)
});

/// M2.
const NOT_EXTENDED: Guard = guard("not extended before", "MEM-005", |s| {
    s.subject.text(member::STATUS) != Some(state::PROBATIONARY_EXTENDED)
        && s.subject.value(member::EXTENSION_UNTIL).is_none()
});

/// Six to twelve months beyond the day on which probation would have ended (`domain.md` 1.5).
const EXTENSION_LENGTH: Guard = guard("six to twelve months longer", "MEM-009", extension_fits);

const STOP_REASON: Guard = guard("a reason for stopping", "MEM-011", |s| {
    reason_is(s, &["settled_abroad", "abroad_five_years", "lost_contact"])
});

const LEAVE_REASON: Guard = guard("a reason for leaving", "MEM-011", |s| {
    let reasons = [
        "withdrew",
        "persuaded_out",
        "removed",
        "self_left",
        "expelled",
    ];
    reason_is(s, &reasons)
});

/// Stopped for lost contact, and two years have passed since.
const LOST_TWO_YEARS: Guard = guard("stopped as lost two years ago", "MEM-012", |s| {
    let is_lost = s.subject.text(member::STATUS_REASON_CODE) == Some("lost_contact");
    let since = date(s.subject, member::STATUS_DATE).and_then(|since| add_months(since, 24));
    is_lost && since.is_some_and(|due| due <= s.date)
});

fn reason_is(situation: &Situation<'_>, reasons: &[&str]) -> bool {
    let code = situation.step.text(step::REASON_CODE);
    code.is_some_and(|code| codes::STATUS_REASON.has(code) && reasons.contains(&code))
}

fn extension_fits(situation: &Situation<'_>) -> bool {
    let Some(until) = date(situation.step, step::UNTIL_DATE) else {
        return false;
    };
    // Without a due date, which old records lack, the length cannot be judged.
    let Some(due) = date(situation.subject, member::CONVERSION_DUE) else {
        return true;
    };
    let within = |months| add_months(due, months);
    matches!((within(6), within(12)), (Some(least), Some(most)) if is_between(least, until, most))
}

fn is_between(least: Date, day: Date, most: Date) -> bool {
    least <= day && day <= most
}

#[cfg(test)]
mod tests;
