//! A change that was set aside 搁置: kept whole with its reason until a person decides (`sync.md` 4
//! and 3, rules 1, 5, 6). Its bytes stay in the journal; this names them.
//!
//! An urgent one names the member as its subject and lies before the present holder
//! (`suggestion_to`) too, who says when it is dealt with.

use super::{REF_ORGANISATION, codes};
use crate::kind::{Class, Kind};

/// The kind's number for ever.
pub const KIND_NUMBER: u16 = 14;

fields! { by_steps:
    SUBJECT_KIND = 1, "subject_kind", "对象类别", "Kind of the subject", Integer(0, 65_535)
        => .required().internal();
    SUBJECT = 2, "subject", "对象", "Subject", Bytes(16) => .required().internal();
    VERB = 3, "verb", "操作", "Verb", Code(&codes::VERB);
    CHANGE = 4, "change", "修改编号", "Change", Bytes(64) => .required().internal();
    GROUP = 5, "change_group", "成组编号", "Group", Bytes(16) => .internal();
    REASON = 6, "reason", "原因代码", "Reason", Text(60) => .required();
    DETAIL = 7, "detail", "原因说明", "Detail", Text(2000) => .personal();
    STATE = 8, "state", "状态", "State", Code(&codes::SET_ASIDE_STATE) => .required();
    WAITS_FOR = 9, "waits_for", "等待的记录", "Waits for", Bytes(18) => .internal();
    RECEIVED_AT = 10, "received_at", "收到时间", "Received", Instant;
    DECIDED_BY = 11, "decided_by", "处理人", "Decided by", Text(100) => .personal();
    DECIDED_AT = 12, "decided_at", "处理时间", "Decided", Instant;
    WHY = 13, "why", "处理理由", "Why", Text(2000) => .personal();
    SUGGESTION_TO = 14, "suggestion_to", "转交组织", "Forwarded to", REF_ORGANISATION;
    ACTOR = 15, "actor", "填写人", "Writer", Text(100) => .personal();
    URGENT = 16, "urgent", "紧急", "Urgent", Boolean;
}

/// The declaration.
pub const KIND: Kind = Kind {
    number: KIND_NUMBER,
    name: "set_aside",
    zh: "搁置",
    en: "Set aside",
    class: Class::Case,
    fields: FIELDS,
    together: &[],
    machine: None,
    state_field: Some(STATE),
    title_field: None,
    indexed: &[SUBJECT, STATE, CHANGE, WAITS_FOR, URGENT],
};
