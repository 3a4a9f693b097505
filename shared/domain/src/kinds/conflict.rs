//! A conflict item 两处不同: two values of one field met, one won, both are kept (`sync.md` 3).
//!
//! The hub made it in the transaction that decided, and moves it by the steps `settle` and
//! `dismiss`. Base, winner and loser hold the canonical bytes of the field, or of all fields that
//! are judged together, packed.

use super::{REF_ORGANISATION, codes};
use crate::kind::{Class, Kind};

/// The kind's number for ever.
pub const KIND_NUMBER: u16 = 13;

fields! { by_steps:
    SUBJECT_KIND = 1, "subject_kind", "对象类别", "Kind of the subject", Integer(1, 65_535)
        => .required().internal();
    SUBJECT = 2, "subject", "对象", "Subject", Bytes(16) => .required().internal();
    FIELD = 3, "field", "项目", "Field", Integer(0, 65_535) => .required();
    REASON = 4, "reason", "原因", "Reason", Code(&codes::CONFLICT_REASON) => .required();
    BASE = 5, "base", "修改前", "Base", Bytes(32_768) => .personal().internal();
    WINNER = 6, "winner", "现用内容", "Winner", Bytes(32_768) => .personal().internal();
    LOSER = 7, "loser", "另一内容", "Loser", Bytes(32_768) => .personal().internal();
    WINNER_VERSION = 8, "winner_version", "现用版本", "Winner's version", Bytes(32) => .internal();
    LOSER_VERSION = 9, "loser_version", "另一版本", "Loser's version", Bytes(32) => .internal();
    WINNER_ACTOR = 10, "winner_actor", "现用内容填写人", "Winner's writer", Text(100) => .personal();
    LOSER_ACTOR = 11, "loser_actor", "另一内容填写人", "Loser's writer", Text(100) => .personal();
    WINNER_AT = 12, "winner_at", "现用内容时间", "Winner's time", Instant;
    LOSER_AT = 13, "loser_at", "另一内容时间", "Loser's time", Instant;
    WINNER_OFFICE = 14, "winner_office", "现用内容来源", "Winner's office", REF_ORGANISATION;
    LOSER_OFFICE = 15, "loser_office", "另一内容来源", "Loser's office", REF_ORGANISATION;
    STATE = 16, "state", "状态", "State", Code(&codes::CONFLICT_STATE) => .required();
    CHOICE = 17, "choice", "处理方式", "Choice", Code(&codes::CONFLICT_CHOICE);
    SETTLED_VALUE = 18, "settled_value", "选定内容", "Settled value", Bytes(32_768)
        => .personal().internal();
    SETTLED_BY = 19, "settled_by", "处理人", "Settled by", Text(100) => .personal();
    SETTLED_AT = 20, "settled_at", "处理时间", "Settled at", Instant;
    NOTE = 21, "note", "说明", "Note", Text(2000) => .personal();
    OFFICE_OF = 22, "item_office", "处理组织", "Whose item", REF_ORGANISATION;
}

/// The declaration.
pub const KIND: Kind = Kind {
    number: KIND_NUMBER,
    name: "conflict",
    zh: "两处不同",
    en: "Conflict",
    class: Class::Case,
    fields: FIELDS,
    together: &[],
    machine: None,
    state_field: Some(STATE),
    title_field: None,
    indexed: &[SUBJECT, STATE],
};
