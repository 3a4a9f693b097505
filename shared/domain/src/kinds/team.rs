//! A team 志愿服务队 of volunteers, or a group formed in the community with the residents'
//! committee's consent (志愿服务条例 art. 42; `domain.md` 5.5).

use super::{DAY, REF_ORGANISATION, REF_VOLUNTEER};
use crate::checks::code_lists;
use crate::kind::{Class, Kind};

/// The kind's number for ever.
pub const KIND_NUMBER: u16 = 9;

fields! {
    NAME = 1, "name", "服务队名称", "Name", Text(100)
        => .required().or(&["队伍名称", "志愿服务队名称"]);
    KIND_OF = 2, "kind", "服务类别", "Kind", Code(&code_lists::SERVICE_TYPE) => .or(&["类别"]);
    ORGANISATION = 3, "organisation", "所属组织", "Organisation", REF_ORGANISATION;
    LEADER = 4, "leader", "队长", "Leader", REF_VOLUNTEER => .internal();
    LEADER_NAME = 5, "leader_name", "负责人", "Leader's name", Name
        => .personal().or(&["队长姓名", "负责人姓名"]);
    PHONE = 6, "phone", "联系电话", "Telephone", Phone => .masked().or(&["负责人电话", "电话"]);
    PLACE = 7, "place", "服务站点", "Station", Text(200) => .or(&["地点"]);
    ESTABLISHED = 8, "established", "成立日期", "Established", DAY => .or(&["成立时间"]);
    DISSOLVED = 9, "dissolved", "解散日期", "Dissolved", DAY;
    REMARKS = 10, "remarks", "备注", "Remarks", Text(1000) => .or(&["说明"]);
}

/// The declaration.
pub const KIND: Kind = Kind {
    number: KIND_NUMBER,
    name: "team",
    zh: "志愿服务队",
    en: "Team",
    class: Class::Shared,
    fields: FIELDS,
    together: &[&[LEADER, LEADER_NAME]],
    machine: None,
    state_field: None,
    title_field: Some(NAME),
    indexed: &[NAME],
};
