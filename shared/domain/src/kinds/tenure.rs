//! A tenure: the interval in which one organisation holds a member's relation (`sync.md` 5).
//!
//! The hub opens and closes tenures by compare-and-set on (member, number, open); at most one is
//! open per member, and in transit the origin's is. A closed one is never changed again; what was
//! wrong is made good by a compensating tenure.

use super::{DAY, REF_MEMBER, REF_ORGANISATION, REF_TRANSFER, codes};
use crate::kind::{Class, Kind};

/// The kind's number for ever.
pub const KIND_NUMBER: u16 = 4;

fields! { by_steps:
    MEMBER = 1, "member", "党员", "Member", REF_MEMBER => .required();
    NUMBER = 2, "number", "隶属序号", "Number", Integer(1, 1_000_000) => .required();
    HOLDER = 3, "holder", "隶属组织", "Holder", REF_ORGANISATION => .required();
    OPENED = 4, "opened", "开始时间", "Opened", Instant => .required();
    OPENED_BY = 5, "opened_by", "开始方式", "Opened by", Code(&codes::TENURE_EVENT) => .required();
    CLOSED = 6, "closed", "结束时间", "Closed", Instant;
    CLOSED_TO = 7, "closed_to", "去向组织", "Closed to", REF_ORGANISATION;
    CLOSED_BY = 8, "closed_by", "结束方式", "Closed by", Code(&codes::TENURE_EVENT);
    CASE = 9, "transfer_case", "结束所依转接", "Case that closed it", REF_TRANSFER;
    OPENED_DATE = 10, "opened_date", "开始日期", "Opened on", DAY;
    CLOSED_DATE = 11, "closed_date", "结束日期", "Closed on", DAY;
    OPENED_CASE = 12, "opened_case", "开始所依转接", "Case that opened it", REF_TRANSFER;
}

/// The declaration.
pub const KIND: Kind = Kind {
    number: KIND_NUMBER,
    name: "tenure",
    zh: "组织关系隶属",
    en: "Tenure",
    class: Class::Case,
    fields: FIELDS,
    together: &[],
    machine: None,
    state_field: None,
    title_field: None,
    indexed: &[MEMBER, HOLDER, CASE],
};
