//! An organisation 党组织 of the tree: committees, general branches, branches, groups and the
//! working committees above them (`domain.md` 7). Only the hub writes it; nodes read.
//!
//! A tenure's holder is an organisation that is an office. An organisation that is none (a branch,
//! a group) works through the node of its community, named in `node_office`.
//!
//! `publicity_days` is the setting for the public notice of volunteer hours (`domain.md` 5.1 and 5.5): 0
//! switches it off; an organisation that says nothing follows the one above it, and where none says
//! anything the notice hangs three working days.

use super::{DAY, REF_ORGANISATION, codes};
use crate::checks::code_lists;
use crate::kind::{Class, Kind};

/// The kind's number for ever.
pub const KIND_NUMBER: u16 = 1;

fields! {
    NAME = 1, "name", "组织名称", "Name", Text(100) => .required().or(&["党组织名称", "全称", "名称"]);
    SHORT_NAME = 2, "short_name", "简称", "Short name", Text(50);
    CODE = 3, "code", "组织代码", "National code", Text(30) => .or(&["党组织代码", "编码", "组织编码", "代码"]);
    KIND_OF = 4, "kind", "组织类别", "Kind", Code(&code_lists::ORGANISATION_KIND)
        => .required().or(&["类型", "组织类型"]);
    PARENT = 5, "parent", "上级党组织", "Parent", REF_ORGANISATION => .or(&["上级组织"]);
    NODE_OFFICE = 6, "node_office", "所属社区", "Office", REF_ORGANISATION => .internal();
    IS_OFFICE = 7, "is_office", "是否社区办公点", "Is an office", Boolean => .or(&["是否社区"]);
    CAN_ADMIT_MEMBERS = 8, "can_admit_members", "有审批预备党员权限", "Can admit members", Boolean
        => .or(&["可审批预备党员"]);
    STATE = 9, "state", "组织状态", "State", Code(&codes::ORGANISATION_STATE) => .required();
    SUCCESSOR = 10, "successor", "承继组织", "Successor", REF_ORGANISATION;
    AREA_CODE = 11, "area_code", "区划代码", "Area code", Text(15) => .or(&["行政区划代码"]);
    ESTABLISHED = 12, "established", "成立日期", "Established", DAY => .or(&["建立日期"]);
    CONTACT = 13, "contact", "联系人", "Contact", Name => .personal();
    PHONE = 14, "phone", "联系电话", "Telephone", Phone => .or(&["电话"]);
    FAX = 15, "fax", "传真", "Fax", Phone;
    ADDRESS = 16, "address", "通讯地址", "Address", Text(200) => .or(&["地址"]);
    POSTCODE = 17, "postcode", "邮政编码", "Postcode", Text(10) => .or(&["邮编"]);
    PUBLICITY_DAYS = 18, "publicity_days", "志愿服务公示工作日", "Working days of public notice",
        Integer(0, 60) => .or(&["公示工作日"]);
}

/// The declaration.
pub const KIND: Kind = Kind {
    number: KIND_NUMBER,
    name: "organisation",
    zh: "党组织",
    en: "Organisation",
    class: Class::Reference,
    fields: FIELDS,
    together: &[],
    machine: None,
    state_field: None,
    title_field: Some(NAME),
    indexed: &[NAME, CODE, PARENT, NODE_OFFICE],
};
