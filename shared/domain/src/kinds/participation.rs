//! A participation entry 志愿服务记录: one volunteer's service at one activity (`domain.md` 5.5;
//! 志愿服务记录与证明出具办法 art. 7-13).
//!
//! What counts is the time actually given, in minutes; totals are computed from recorded entries
//! and never stored. The entry itself is never changed: its state and the measured time move by
//! steps, and an entry that was wrong from the start is followed by one that names it in
//! `corrects`.

use super::{DAY, REF_ACTIVITY, REF_ORGANISATION, REF_PARTICIPATION, REF_VOLUNTEER, codes};
use crate::kind::{Class, Kind};
use crate::machines::participation;

/// The kind's number for ever.
pub const KIND_NUMBER: u16 = 12;

fields! {
    VOLUNTEER = 1, "volunteer", "志愿者", "Volunteer", REF_VOLUNTEER => .required().internal();
    ACTIVITY = 2, "activity", "活动", "Activity", REF_ACTIVITY => .required().internal();
    ROLE = 3, "role", "承担角色", "Role", Text(100) => .or(&["角色", "岗位"]);
    STATE = 4, "state", "记录状态", "State", Code(&codes::PARTICIPATION_STATE)
        => .required().by_steps();
    SIGN_IN = 5, "sign_in", "签到时间", "Signed in", Instant => .by_steps().or(&["开始时间"]);
    SIGN_OUT = 6, "sign_out", "签退时间", "Signed out", Instant => .by_steps().or(&["结束时间"]);
    BREAK_MINUTES = 7, "break_minutes", "休息分钟数", "Minutes of breaks", Integer(0, 1_440)
        => .by_steps();
    MINUTES = 8, "minutes", "实际服务分钟数", "Minutes given", Integer(0, 1_440)
        => .by_steps().or(&["服务分钟数"]);
    PLANNED_MINUTES = 9, "planned_minutes", "计划分钟数", "Minutes planned", Integer(0, 1_440);
    ADJUSTED_MINUTES = 10, "adjusted_minutes", "更正后分钟数", "Minutes as corrected",
        Integer(0, 1_440) => .by_steps();
    ADJUSTED_REASON = 11, "adjusted_reason", "更正原因", "Why corrected", Text(500) => .by_steps();
    ADJUSTED_BY = 12, "adjusted_by", "更正人", "Corrected by", Text(100) => .by_steps().personal();
    RECORDER = 13, "recorder", "记录人", "Recorder", Text(100) => .required().personal();
    RECORDING_UNIT = 14, "recording_unit", "记录单位", "Recording unit", REF_ORGANISATION
        => .required();
    SERVICE_DATE = 15, "service_date", "服务日期", "Date", DAY => .or(&["活动日期", "日期"]);
    CONTENT = 16, "content", "服务内容", "Content", Text(500) => .or(&["内容"]);
    REASON = 17, "reason", "补记原因", "Why entered later", Text(500);
    APPROVER = 18, "approver", "确认人", "Confirmed by", Text(100) => .by_steps().personal();
    LATE = 19, "late", "补记", "Entered late", Boolean => .by_steps();
    EVIDENCE = 20, "evidence", "佐证材料", "Evidence", Text(1000) => .internal();
    CORRECTS = 21, "corrects", "更正的记录", "Corrects", REF_PARTICIPATION => .internal();
    EVALUATION = 22, "evaluation", "服务评价", "Evaluation", Code(&codes::GRADE)
        => .by_steps().or(&["评价"]);
    EVALUATION_DATE = 23, "evaluation_date", "评价日期", "Evaluated", DAY => .by_steps();
    EVALUATED_BY = 24, "evaluated_by", "评价人", "Evaluated by", Text(100) => .by_steps().personal();
    BENEFICIARY = 25, "beneficiary", "服务对象", "Served", Text(200) => .masked();
    STATE_DATE = 26, "state_date", "状态日期", "State since", DAY => .by_steps();
    STATE_REASON = 27, "state_reason", "状态原因", "Reason of the state", Text(500)
        => .by_steps().personal();
    NOTICE_UNTIL = 28, "notice_until", "公示截止日期", "Publicised until", DAY => .by_steps();
    EXPORTED_BATCH = 29, "exported_batch", "导出批次", "Exported in", Text(60) => .by_steps();
    WITNESS = 30, "witness", "见证人", "Witness", Text(100) => .personal();
    OVERLAPS = 31, "overlaps", "时间重叠的记录", "Overlaps with", REF_PARTICIPATION
        => .by_steps().internal();
}

/// The declaration.
pub const KIND: Kind = Kind {
    number: KIND_NUMBER,
    name: "participation",
    zh: "志愿服务记录",
    en: "Participation",
    class: Class::Ledger,
    fields: FIELDS,
    together: &[],
    machine: Some(&participation::MACHINE),
    state_field: Some(STATE),
    title_field: None,
    indexed: &[VOLUNTEER, ACTIVITY, STATE, CORRECTS],
};
