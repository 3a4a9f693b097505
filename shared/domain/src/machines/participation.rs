//! The life of a volunteer's service record 志愿服务记录 (`domain.md` 5.5; 志愿服务记录与证明出具办法,
//! Order 67 of 2020, art. 7-13, 19).
//!
//! ```text
//!  ─enrol→ ENROLLED ─sign_in→ PRESENT ─sign_out→ MEASURED ─submit→ SUBMITTED
//!            │  │ └no_show→ NO_SHOW               ↑                 │      │publicise
//!            │  └cancel_late→ CANCELLED_LATE      │enter            │confirm
//!            └cancel→ CANCELLED            on paper, afterwards     │      ↓
//!                                                                   ↓   PUBLIC_NOTICE
//!  RECORDED ─export→ RECORDED    DISPUTED ─uphold, change→ RECORDED ←confirm─┤
//!     │  └──────object──────────────↑──────────────────object────────────────┘
//!     └─void→ VOID         any before RECORDED ─reject→ REJECTED
//! ```
//!
//! Invariants: P1 only RECORDED entries count, and totals are computed from them. P2 what counts is
//! the time actually given: out minus in minus breaks (`VOL-001`). P3 nobody records or confirms
//! his own hours (`VOL-004`). P4 after ten working days an entry needs a reason and a supervisor,
//! and is marked late (`VOL-002`). P5 with publicity on, nothing is recorded before the notice has
//! hung its days (`VOL-009`). P6 nothing is deleted: VOID and REJECTED keep the entry with its
//! reason.
//!
//! ENROL and ENTER are the creation of the entry itself, whose guards are asked of it
//! ([`crate::decide::beginning_refusal`]). Presence in two places at once is flagged on both entries
//! (`overlaps`, `VOL-003`) and refuses nothing.
//!
//! `EXPORTED` is a flag (`exported_batch`), not a state: RECORDED stays. The change of a disputed
//! entry is the step that carries minutes and reason and names the entry; the minutes first
//! measured stay beside them.

use crate::checks::date::WorkCalendar;
use crate::kinds::{participation, step};
use crate::machine::{Guard, Machine, Situation, Transition};
use crate::machines::{Sets, date, given, guard};
use crate::record::Record;

/// For how many working days hours hang on public notice where no organisation has a rule of its own
/// (`domain.md` 5.1: a setting, on by default).
pub const PUBLICITY_DAYS: i64 = 3;

/// Within how many working days after the activity service is recorded (Order 67, art. 11).
pub const RECORDING_DAYS: i64 = 10;

const MS_PER_MINUTE: i64 = 60_000;
/// A day: a longer presence is a forgotten sign-out.
const PRESENCE_MINUTES_MAX: i64 = 1_440;

states! {
    ENROLLED = "已报名", "Enrolled", open;
    PRESENT = "已签到", "Present", open;
    MEASURED = "已计时", "Measured", open;
    SUBMITTED = "已提交", "Submitted", open;
    PUBLIC_NOTICE = "公示中", "On public notice", open;
    DISPUTED = "有异议", "Disputed", open;
    RECORDED = "已记录", "Recorded", end;
    CANCELLED = "已取消", "Cancelled", end;
    CANCELLED_LATE = "临时取消", "Cancelled late", end;
    NO_SHOW = "未到", "No show", end;
    REJECTED = "不予记录", "Rejected", end;
    VOID = "作废", "Void", end;
}

events! {
    ENROL = "enrol", "报名", "Enrol";
    CANCEL = "cancel", "取消报名", "Cancel";
    CANCEL_LATE = "cancel_late", "临时取消", "Cancel late";
    SIGN_IN = "sign_in", "签到", "Sign in";
    SIGN_OUT = "sign_out", "签退", "Sign out";
    NO_SHOW = "no_show", "未到", "No show";
    ENTER = "enter", "补记", "Enter afterwards";
    SUBMIT = "submit", "提交", "Submit";
    PUBLICISE = "publicise", "公示", "Publicise";
    CONFIRM = "confirm", "确认记录", "Confirm";
    OBJECT = "object", "提出异议", "Object";
    UPHOLD = "uphold", "维持记录", "Uphold";
    CHANGE = "change", "更正记录", "Change";
    REJECT = "reject", "不予记录", "Reject";
    VOID = "void", "作废", "Void";
    EXPORT = "export", "导出", "Export";
}

const TRANSITIONS: &[Transition] = arrows! {
    from [] on ENROL by [Owner] if [ACTIVITY_OPEN] to ENROLLED;
    from [ENROLLED] on CANCEL by [Owner] to CANCELLED;
    from [ENROLLED] on CANCEL_LATE by [Owner] to CANCELLED_LATE;
    from [ENROLLED] on SIGN_IN by [Owner] if [SIGNED_IN] to PRESENT;
    from [PRESENT] on SIGN_OUT by [Owner] if [MINUTES_FIT] to MEASURED;
    from [ENROLLED] on NO_SHOW by [Owner, Hub] to NO_SHOW;
    from [] on ENTER by [Owner] if [NOT_OWN, REASON, IN_TEN_DAYS, MINUTES_FIT] to MEASURED;
    from [MEASURED] on SUBMIT by [Owner] if [NOT_OWN] to SUBMITTED;
    from [SUBMITTED] on PUBLICISE by [Owner, Hub] if [PUBLICITY_ON, NOTICE_DATED, NOTICE_LONG] to PUBLIC_NOTICE;
    from [SUBMITTED] on CONFIRM by [Owner, Authority]
        if [NOT_OWN, PUBLICITY_OFF, IN_TEN_DAYS] to RECORDED;
    from [PUBLIC_NOTICE] on CONFIRM by [Owner, Authority] if [NOT_OWN, NOTICE_OVER, IN_TEN_DAYS]
        to RECORDED;
    from [PUBLIC_NOTICE, RECORDED] on OBJECT by [Owner, Authority] if [REASON] to DISPUTED;
    from [DISPUTED] on UPHOLD by [Owner, Authority] if [NOT_OWN, REASON] to RECORDED;
    from [DISPUTED] on CHANGE by [Owner, Authority] if [NOT_OWN, REASON, MINUTES_GIVEN]
        to RECORDED;
    from [ENROLLED, PRESENT, MEASURED, SUBMITTED, PUBLIC_NOTICE, DISPUTED]
        on REJECT by [Owner, Authority] if [REASON_NOT_SERVICE] to REJECTED;
    from [RECORDED] on VOID by [Owner, Authority] if [REASON_AND_APPROVER] to VOID;
    from [RECORDED] on EXPORT by [Owner, Hub] to RECORDED;
};

/// The machine.
pub const MACHINE: Machine = Machine {
    name: "participation",
    states: STATES,
    transitions: TRANSITIONS,
    not_allowed_code: "VOL-013",
};

/// Minutes between sign-in and sign-out (milliseconds since 1970) without the breaks; none if they
/// make no sense.
pub fn minutes_given(sign_in: i64, sign_out: i64, break_minutes: i64) -> Option<i64> {
    let presence = sign_out.checked_sub(sign_in)?.div_euclid(MS_PER_MINUTE);
    let minutes = presence.checked_sub(break_minutes)?;
    (minutes >= 0 && presence <= PRESENCE_MINUTES_MAX && break_minutes >= 0).then_some(minutes)
}

/// Whether a step taken so many working days after the activity is late (P4).
pub fn is_late(working_days_since: i64) -> bool {
    working_days_since > RECORDING_DAYS
}

/// The texts of refusals about volunteers (`domain.md` 5.5).
pub const MESSAGES: &[(&str, &str, &str)] = &[
    (
        "VOL-001",
        "服务时长按实际服务时间计,签到 {in}–签退 {out} 共 {m} 分钟,不能登记为 {x} 小时。",
        "What counts is the time given: {in} to {out} is {m} minutes and cannot become {x} hours.",
    ),
    (
        "VOL-002",
        "活动已结束 {n} 个工作日(规定10个工作日内记录),补记须写明原因并由负责人确认。",
        "The activity ended {n} working days ago (the term is 10); \
         a late entry needs a reason and a supervisor.",
    ),
    (
        "VOL-003",
        "{name} 在 {t1}–{t2} 已有另一项服务记录({act}),请核对。",
        "{name} has another service from {t1} to {t2} ({act}); please check.",
    ),
    (
        "VOL-004",
        "记录人不能登记本人时长。",
        "Nobody may record their own hours.",
    ),
    (
        "VOL-005",
        "该内容属于本职工作/有偿服务,不得记为志愿服务。",
        "Duty or paid work is not voluntary service.",
    ),
    (
        "VOL-006",
        "未取得监护人同意,不能登记未满14周岁人员。",
        "Without the guardian's consent nobody under 14 may be registered.",
    ),
    (
        "VOL-007",
        "本机离线可兑换额度剩余 {q} 分,请联网后再兑换。",
        "{q} points are left to redeem offline; connect first.",
    ),
    (
        "VOL-008",
        "本系统未与全国志愿服务信息系统对接,打印件为“平台记录单”。",
        "This system is not linked with the national one; the print is a platform record.",
    ),
    (
        "VOL-009",
        "公示尚未期满(至 {date}),不能确认记录。",
        "The public notice still hangs (until {date}); the entry cannot be confirmed.",
    ),
    (
        "VOL-010",
        "活动 {act} 未开放报名。",
        "Activity {act} is not open for enrolment.",
    ),
    (
        "VOL-011",
        "“{event}”须填写{field}。",
        "“{event}” needs {field}.",
    ),
    (
        "VOL-012",
        "公示设置与本操作不符:{setting}。",
        "The setting for public notice does not allow this: {setting}.",
    ),
    (
        "VOL-013",
        "当前状态为 {state},不能“{event}”;可执行:{allowed}。",
        "The entry is in state {state}; “{event}” is not possible. Possible: {allowed}.",
    ),
    (
        "VOL-014",
        "公示期不足:至少须公示 {n} 个工作日,请改公示截止日期。",
        "The public notice is too short: it hangs at least {n} working days; choose a later last day.",
    ),
];

/// What every step sets.
pub const SETS_ALWAYS: &[(u16, u16)] = &[
    (step::DATE, participation::STATE_DATE),
    (step::REASON, participation::STATE_REASON),
];

const TIMES: &[(u16, u16)] = &[
    (step::SIGN_IN, participation::SIGN_IN),
    (step::SIGN_OUT, participation::SIGN_OUT),
    (step::BREAK_MINUTES, participation::BREAK_MINUTES),
    (step::MINUTES, participation::MINUTES),
];

/// What a new entry says as its first step.
pub const BEGINS: &[(u16, u16)] = &[
    (step::RECORDER, participation::RECORDER),
    (step::REASON, participation::REASON),
    (step::APPROVER, participation::APPROVER),
    (step::SIGN_IN, participation::SIGN_IN),
    (step::SIGN_OUT, participation::SIGN_OUT),
    (step::BREAK_MINUTES, participation::BREAK_MINUTES),
    (step::MINUTES, participation::MINUTES),
];

/// Whether two entries of one volunteer say that he was in two places at once (`VOL-003`).
pub fn overlap(one: &Record, other: &Record) -> bool {
    let times = |entry: &Record| {
        Some((
            entry.integer(participation::SIGN_IN)?,
            entry.integer(participation::SIGN_OUT)?,
        ))
    };
    let counts = |entry: &Record| {
        let state = entry.text(participation::STATE).unwrap_or_default();
        ![state::REJECTED, state::VOID].contains(&state)
    };
    let corrects =
        |one: &Record, other: &Record| one.reference(participation::CORRECTS) == Some(other.key.id);
    let (Some((from, to)), Some((since, until))) = (times(one), times(other)) else {
        return false;
    };
    let is_apart = corrects(one, other) || corrects(other, one) || one.key == other.key;
    !is_apart && counts(one) && counts(other) && from < until && since < to
}

/// What the events set besides; the flag `late` is the hub's, by [`is_late`].
pub const SETS: &[Sets] = &[
    (event::SIGN_IN, &[(step::SIGN_IN, participation::SIGN_IN)]),
    (event::SIGN_OUT, TIMES),
    (event::ENTER, TIMES),
    (event::ENTER, &[(step::APPROVER, participation::APPROVER)]),
    (
        event::PUBLICISE,
        &[(step::NOTICE_UNTIL, participation::NOTICE_UNTIL)],
    ),
    (
        event::CONFIRM,
        &[
            (step::APPROVER, participation::APPROVER),
            (step::GRADE, participation::EVALUATION),
        ],
    ),
    (
        event::CHANGE,
        &[
            (step::MINUTES, participation::ADJUSTED_MINUTES),
            (step::REASON, participation::ADJUSTED_REASON),
            (step::RECORDER, participation::ADJUSTED_BY),
        ],
    ),
    (
        event::EXPORT,
        &[(step::EXTERNAL_NUMBER, participation::EXPORTED_BATCH)],
    ),
];

const ACTIVITY_OPEN: Guard = guard("the activity is open", "VOL-010", |s| s.facts.activity_open);

const SIGNED_IN: Guard = guard("the time of sign-in is given", "VOL-011", |s| {
    given(s, step::SIGN_IN)
});

/// P2.
const MINUTES_FIT: Guard = guard("minutes = out - in - breaks", "VOL-001", minutes_fit);

const MINUTES_GIVEN: Guard = guard("the corrected minutes are given", "VOL-011", |s| {
    given(s, step::MINUTES)
});

/// P3.
const NOT_OWN: Guard = guard("the recorder is another person", "VOL-004", |s| {
    !s.facts.recorder_is_subject
});

/// P4.
const IN_TEN_DAYS: Guard = guard("in ten working days, or explained", "VOL-002", |s| {
    !is_late(s.facts.working_days_since) || (given(s, step::REASON) && given(s, step::APPROVER))
});

const REASON: Guard = guard("a reason is given", "VOL-011", |s| given(s, step::REASON));

const REASON_AND_APPROVER: Guard = guard("reason and approver are given", "VOL-011", |s| {
    given(s, step::REASON) && given(s, step::APPROVER)
});

/// Order 67, art. 19: what is not voluntary service is not recorded, and the entry says why.
const REASON_NOT_SERVICE: Guard = guard("why it is no service", "VOL-011", |s| {
    given(s, step::REASON)
});

const PUBLICITY_ON: Guard = guard("public notice is switched on", "VOL-012", |s| {
    s.facts.publicity_days > 0
});

/// P5: with publicity on, SUBMITTED leads to the notice only.
const PUBLICITY_OFF: Guard = guard("public notice is switched off", "VOL-012", |s| {
    s.facts.publicity_days == 0
});

const NOTICE_DATED: Guard = guard("the last day of the notice is given", "VOL-011", |s| {
    given(s, step::NOTICE_UNTIL)
});

/// P5: the notice is to hang at least the days of the setting, the day on which it goes up not
/// counted.
const NOTICE_LONG: Guard = guard("the notice hangs long enough", "VOL-014", |s| {
    let calendar = WorkCalendar::default();
    date(s.step, step::NOTICE_UNTIL)
        .is_some_and(|until| calendar.working_days_between(s.date, until) >= s.facts.publicity_days)
});

/// P5.
const NOTICE_OVER: Guard = guard("the notice has hung its days", "VOL-009", |s| {
    date(s.subject, participation::NOTICE_UNTIL).is_some_and(|until| s.date > until)
});

/// The minutes of the step agree with its times, or with the sign-in of the entry.
fn minutes_fit(situation: &Situation<'_>) -> bool {
    let step = situation.step;
    let sign_in = step
        .integer(step::SIGN_IN)
        .or_else(|| situation.subject.integer(participation::SIGN_IN));
    let breaks = step.integer(step::BREAK_MINUTES).unwrap_or(0);
    let (Some(sign_in), Some(sign_out)) = (sign_in, step.integer(step::SIGN_OUT)) else {
        return false;
    };
    let minutes = minutes_given(sign_in, sign_out, breaks);
    minutes.is_some() && step.integer(step::MINUTES) == minutes
}

#[cfg(test)]
mod tests;
