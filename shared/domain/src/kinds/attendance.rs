//! An attendance entry 出席: one person at one activity (`domain.md` 6.6). The entries of a meeting
//! are its roster as it stood at that time; a correction is a new entry that names the old one.
//!
//! A person is counted at the organisation of the formal relation and may be a guest elsewhere.

use super::{REF_ACTIVITY, REF_ATTENDANCE, REF_MEMBER, REF_ORGANISATION, REF_VOLUNTEER};
use crate::checks::code_lists;
use crate::kind::{Class, Kind};

/// The kind's number for ever.
pub const KIND_NUMBER: u16 = 11;

fields! {
    ACTIVITY = 1, "activity", "活动", "Activity", REF_ACTIVITY => .required().internal();
    MEMBER = 2, "member", "党员", "Member", REF_MEMBER => .internal();
    VOLUNTEER = 3, "volunteer", "志愿者", "Volunteer", REF_VOLUNTEER => .internal();
    NAME = 4, "name", "姓名", "Name", Name => .personal().or(&["参加人", "名字"]);
    STATE = 5, "state", "出席情况", "Attendance", Code(&code_lists::ATTENDANCE)
        => .required().or(&["到会情况", "签到情况"]);
    REASON = 6, "reason", "缺席原因", "Reason", Text(200) => .personal().or(&["请假原因"]);
    COUNTED_AT_ORG = 7, "counted_at_org", "计入组织", "Counted at", REF_ORGANISATION;
    CAN_VOTE = 8, "can_vote", "有表决权", "May vote", Boolean;
    VOTED = 9, "voted", "参加表决", "Voted", Boolean;
    SIGN_IN = 10, "sign_in", "签到时间", "Signed in", Instant;
    RECORDER = 11, "recorder", "记录人", "Recorder", Text(100) => .personal();
    CORRECTS = 12, "corrects", "更正的记录", "Corrects", REF_ATTENDANCE => .internal();
}

/// The declaration.
pub const KIND: Kind = Kind {
    number: KIND_NUMBER,
    name: "attendance",
    zh: "出席记录",
    en: "Attendance",
    class: Class::Ledger,
    fields: FIELDS,
    together: &[],
    machine: None,
    state_field: None,
    title_field: Some(NAME),
    indexed: &[ACTIVITY, MEMBER, CORRECTS],
};
