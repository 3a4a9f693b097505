//! A merge 合并重复登记: two records of an office turned out to be one (`sync.md` 6).
//!
//! Both rows stay whole; the one says which other it was merged into, and this record says which of
//! its values the other took, and what stood there before, so that the merge can be taken back.

use super::codes;
use crate::kind::{Class, Kind};

/// The kind's number for ever.
pub const KIND_NUMBER: u16 = 16;

fields! { by_steps:
    SUBJECT_KIND = 1, "subject_kind", "对象类别", "Kind of the records", Integer(1, 65_535)
        => .required().internal();
    KEPT = 2, "kept", "保留的记录", "Record kept", Bytes(16) => .required().internal();
    MERGED = 3, "merged", "并入的记录", "Record merged", Bytes(16) => .required().internal();
    TAKEN = 4, "taken", "取自并入记录的内容", "Values taken", Bytes(32_768)
        => .personal().internal();
    BEFORE = 5, "before", "保留记录的原内容", "What stood there before", Bytes(32_768)
        => .personal().internal();
    VERSION = 6, "version", "合并版本", "Version of the values taken", Bytes(28) => .internal();
    TENURE = 7, "tenure_number", "结束的隶属序号", "Tenure that it closed", Integer(1, 1_000_000)
        => .internal();
    STATE = 8, "state", "状态", "State", Code(&codes::MERGE_STATE) => .required();
    BY = 9, "merged_by", "合并人", "Merged by", Text(100) => .personal();
    AT = 10, "merged_at", "合并时间", "Merged at", Instant;
    UNDONE_BY = 11, "undone_by", "撤销人", "Taken back by", Text(100) => .personal();
    UNDONE_AT = 12, "undone_at", "撤销时间", "Taken back at", Instant;
}

/// The declaration.
pub const KIND: Kind = Kind {
    number: KIND_NUMBER,
    name: "merge",
    zh: "合并",
    en: "Merge",
    class: Class::Case,
    fields: FIELDS,
    together: &[],
    machine: None,
    state_field: Some(STATE),
    title_field: None,
    indexed: &[KEPT, MERGED],
};
