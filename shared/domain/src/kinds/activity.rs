//! An activity 活动: meetings of 三会一课, theme Party days, volunteer activities, events
//! (`domain.md` 6.6 and 5.5).
//!
//! Its state moves by steps; what is written in the minutes merges field by field until they are
//! approved. The roster is frozen at the time of the meeting as attendance entries; the counts here
//! are what the minutes say, and must agree with themselves (`ACT-001`).

use super::{DAY, REF_ORGANISATION, REF_TEAM, codes};
use crate::checks::code_lists;
use crate::kind::{Class, Kind};
use crate::machines::activity;

/// The kind's number for ever.
pub const KIND_NUMBER: u16 = 10;

fields! {
    TITLE = 1, "title", "活动名称", "Title", Text(200)
        => .required().or(&["活动主题", "主题", "会议名称", "名称"]);
    KIND_OF = 2, "kind", "活动类型", "Kind", Code(&code_lists::ACTIVITY_KIND)
        => .required().or(&["会议类型", "类型"]);
    FIVE_HELP = 3, "five_help", "五助类别", "Five helps", Code(&code_lists::FIVE_HELP) => .or(&["五助"]);
    ORGANISATION = 4, "organisation", "组织单位", "Organisation", REF_ORGANISATION
        => .required().or(&["主办单位", "组织名称"]);
    TEAM = 5, "team", "服务队", "Team", REF_TEAM;
    STATE = 6, "state", "状态", "State", Code(&codes::ACTIVITY_STATE) => .required().by_steps();
    PLANNED_START = 7, "planned_start", "计划开始时间", "Planned start", Instant;
    PLANNED_END = 8, "planned_end", "计划结束时间", "Planned end", Instant;
    ACTUAL_START = 9, "actual_start", "实际开始时间", "Actual start", Instant => .or(&["开始时间"]);
    ACTUAL_END = 10, "actual_end", "实际结束时间", "Actual end", Instant => .or(&["结束时间"]);
    HELD_DATE = 11, "held_date", "活动日期", "Date", DAY
        => .or(&["日期", "时间", "会议日期", "活动时间"]);
    PLACE = 12, "place", "地点", "Place", Text(200) => .or(&["活动地点", "会议地点"]);
    CHAIR = 13, "chair", "主持人", "Chair", Name => .personal();
    RECORDER = 14, "recorder", "记录人", "Recorder", Name => .personal();
    PERSON_IN_CHARGE = 15, "person_in_charge", "负责人", "Person in charge", Name => .personal();
    PHONE = 16, "phone", "联系电话", "Telephone", Phone => .masked().or(&["负责人电话"]);
    CAPACITY = 17, "capacity", "名额", "Capacity", Integer(0, 1_000_000) => .or(&["招募人数"]);
    REQUIREMENTS = 18, "requirements", "参加要求", "Requirements", Text(500);
    RISK = 19, "risk", "有人身风险", "Bodily risk", Boolean;
    INSURANCE = 20, "insurance", "保险情况", "Insurance", Text(200);
    TOPICS = 21, "topics", "议题", "Topics", Text(2000) => .or(&["会议议题", "主要内容"]);
    MINUTES = 22, "minutes", "会议记录", "Minutes", Text(10_000)
        => .personal().or(&["活动内容", "会议内容", "活动记录", "内容"]);
    RESOLUTIONS = 23, "resolutions", "决议", "Resolutions", Text(4000) => .personal();
    FOLLOW_UP = 24, "follow_up", "后续事项", "Follow-up", Text(2000);
    SHOULD_COUNT = 25, "should_count", "应到人数", "Should attend", Integer(0, 1_000_000)
        => .or(&["应到"]);
    PRESENT_COUNT = 26, "present_count", "实到人数", "Present", Integer(0, 1_000_000)
        => .or(&["实到", "参加人数"]);
    LATE_COUNT = 27, "late_count", "迟到人数", "Late", Integer(0, 1_000_000) => .or(&["迟到"]);
    LEAVE_COUNT = 28, "leave_count", "请假人数", "On leave", Integer(0, 1_000_000) => .or(&["请假"]);
    ABSENT_COUNT = 29, "absent_count", "缺席人数", "Absent", Integer(0, 1_000_000) => .or(&["缺席"]);
    GUEST_COUNT = 30, "guest_count", "列席人数", "Guests", Integer(0, 1_000_000) => .or(&["列席"]);
    AUDIENCE_COUNT = 31, "audience_count", "受益人数", "Audience", Integer(0, 1_000_000)
        => .or(&["服务人数"]);
    VOTE_TOPIC = 32, "vote_topic", "表决事项", "Vote on", Text(500);
    VOTE_SHOULD = 33, "vote_should", "应到有表决权人数", "Entitled to vote", Integer(0, 1_000_000);
    VOTE_PRESENT = 34, "vote_present", "到会有表决权人数", "Entitled and present",
        Integer(0, 1_000_000);
    VOTE_FOR = 35, "vote_for", "赞成票", "For", Integer(0, 1_000_000) => .or(&["赞成"]);
    VOTE_AGAINST = 36, "vote_against", "反对票", "Against", Integer(0, 1_000_000) => .or(&["反对"]);
    VOTE_ABSTAIN = 37, "vote_abstain", "弃权票", "Abstained", Integer(0, 1_000_000)
        => .or(&["弃权"]);
    COST = 38, "cost", "费用(分)", "Cost (fen)", Integer(0, 1_000_000_000_000);
    JOINT_UNITS = 39, "joint_units", "共建单位", "Joint units", Text(500) => .or(&["参与单位"]);
    ATTACHMENTS = 40, "attachments", "附件", "Attachments", Text(4000) => .internal();
    ADDENDUM = 41, "addendum", "追加说明", "Addendum", Text(4000) => .by_steps().personal();
    STATE_DATE = 42, "state_date", "状态日期", "State since", DAY => .by_steps();
    STATE_REASON = 43, "state_reason", "状态原因", "Reason of the state", Text(500) => .by_steps();
    APPROVER = 44, "approver", "审定人", "Approver", Text(100) => .by_steps().personal();
    REMARKS = 45, "remarks", "备注", "Remarks", Text(1000);
}

/// The declaration.
pub const KIND: Kind = Kind {
    number: KIND_NUMBER,
    name: "activity",
    zh: "活动",
    en: "Activity",
    class: Class::Shared,
    fields: FIELDS,
    together: &[
        &[PLANNED_START, PLANNED_END],
        &[ACTUAL_START, ACTUAL_END],
        &[
            SHOULD_COUNT,
            PRESENT_COUNT,
            LATE_COUNT,
            LEAVE_COUNT,
            ABSENT_COUNT,
        ],
        &[
            VOTE_TOPIC,
            VOTE_SHOULD,
            VOTE_PRESENT,
            VOTE_FOR,
            VOTE_AGAINST,
            VOTE_ABSTAIN,
        ],
    ],
    machine: Some(&activity::MACHINE),
    state_field: Some(STATE),
    title_field: Some(TITLE),
    indexed: &[ORGANISATION, STATE, HELD_DATE],
};
