//! The stub 转出存根 that the origin keeps of a member who has moved on (`sync.md` 5): name, dates
//! and destination, and nothing that came later. It is what the origin's digest counts.

use super::{DAY, REF_MEMBER, REF_ORGANISATION, REF_TRANSFER};
use crate::kind::{Class, Kind};

/// The kind's number for ever.
pub const KIND_NUMBER: u16 = 15;

fields! { by_steps:
    MEMBER = 1, "member", "党员", "Member", REF_MEMBER => .required().internal();
    NAME = 2, "name", "姓名", "Name", Name => .required().personal();
    FROM_ORG = 3, "from_org", "转出组织", "From", REF_ORGANISATION => .required();
    TO_ORG = 4, "to_org", "接收组织", "To", REF_ORGANISATION;
    TRANSFERRED_DATE = 5, "transferred_date", "转出日期", "Moved on", DAY => .required();
    CASE = 6, "transfer_case", "转接", "Case", REF_TRANSFER => .internal();
    DESTINATION = 7, "destination", "去向", "Destination", Text(200);
    TENURE_NUMBER = 8, "tenure_number", "隶属序号", "Tenure", Integer(1, 1_000_000) => .internal();
}

/// The declaration.
pub const KIND: Kind = Kind {
    number: KIND_NUMBER,
    name: "stub",
    zh: "转出存根",
    en: "Stub",
    class: Class::Case,
    fields: FIELDS,
    together: &[],
    machine: None,
    state_field: None,
    title_field: Some(NAME),
    indexed: &[MEMBER, FROM_ORG, CASE],
};
