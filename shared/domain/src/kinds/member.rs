//! A Party member 党员 of an office: the relation, not the person (`domain.md` 2).
//!
//! Status, category, conversion and branch move by steps only. A creation may give their first
//! values: most members are registered long after they were admitted. The branch changes only by a
//! transfer (`domain.md` 1.8, invariant 6; `MEM-007`).

use super::{DAY, DAY_OR_MONTH, REF_MEMBER, REF_ORGANISATION, REF_PERSON, REF_TRANSFER, codes};
use crate::checks::code_lists;
use crate::kind::{Class, Kind, Winner};
use crate::machines::member_status;

/// The kind's number for ever.
pub const KIND_NUMBER: u16 = 3;

fields! {
    PERSON = 1, "person", "人员", "Person", REF_PERSON => .required().internal();
    CATEGORY = 2, "category", "人员类别", "Category", Code(&code_lists::MEMBER_CATEGORY)
        => .required().by_steps().personal().or(&["党员类别", "类别"]);
    STATUS = 3, "status", "党籍状态", "Status", Code(&codes::MEMBER_STATUS)
        => .required().by_steps().personal().or(&["党员状态"]);
    APPLICATION_DATE = 4, "application_date", "申请入党日期", "Applied", DAY_OR_MONTH
        => .personal().or(&["申请入党时间", "递交入党申请书日期"]);
    ACTIVIST_DATE = 5, "activist_date", "列为积极分子日期", "Activist since", DAY_OR_MONTH
        => .personal().or(&["列为积极分子时间", "确定入党积极分子日期"]);
    CANDIDATE_DATE = 6, "candidate_date", "列为发展对象日期", "Candidate since", DAY_OR_MONTH
        => .personal().or(&["列为发展对象时间", "确定发展对象日期"]);
    JOIN_DATE = 7, "join_date", "入党日期", "Joined", DAY_OR_MONTH
        => .required().personal().or(&["入党时间", "入党年月", "加入党组织日期"]);
    CONVERSION_DUE = 8, "conversion_due", "预备期满日期", "Conversion due", DAY
        => .by_steps().personal().or(&["预备期届满日期", "应转正日期"]);
    CONVERSION_DATE = 9, "conversion_date", "转正日期", "Converted", DAY_OR_MONTH
        => .by_steps().personal().or(&["转正时间", "转为正式党员日期"]);
    INTRODUCERS = 10, "introducers", "入党介绍人", "Introducers", Text(100)
        => .personal().or(&["介绍人"]);
    BRANCH = 11, "branch", "所在党支部", "Branch", REF_ORGANISATION
        => .by_steps().or(&["所属支部", "所在支部", "党支部", "所属党支部", "支部"]);
    GROUP = 12, "party_group", "党小组", "Group", REF_ORGANISATION
        => .won_by(Winner::Holder).or(&["所在党小组", "所属党小组"]);
    DUTY = 13, "duty", "党内职务", "Duty in the organisation", Text(100)
        => .won_by(Winner::Holder).or(&["党内任职"]);
    RELATION_IN_DATE = 14, "relation_in_date", "组织关系转入日期", "Relation came in", DAY_OR_MONTH
        => .won_by(Winner::Holder).personal().or(&["转入日期", "转入时间", "进入党支部日期"]);
    RELATION_IN_TYPE = 15, "relation_in_type", "转入类型", "How it came",
        Code(&codes::RELATION_IN_TYPE) => .won_by(Winner::Holder).personal();
    FLOATING_STATUS = 16, "floating_status", "流动状态", "Floating", Code(&code_lists::FLOATING_STATUS)
        => .won_by(Winner::Holder).personal().or(&["是否流动党员", "流动党员"]);
    LOST_SINCE = 17, "lost_since", "失联日期", "Contact lost since", DAY_OR_MONTH
        => .won_by(Winner::Holder).personal().or(&["失去联系日期", "失联时间"]);
    LOST_REASON = 18, "lost_reason", "失联原因", "Why contact was lost",
        Code(&code_lists::LOST_CONTACT_REASON)
        => .won_by(Winner::Holder).personal().or(&["失去联系原因"]);
    FILE_LOCATION = 19, "file_location", "党员档案所在地", "File kept at", Text(200)
        => .won_by(Winner::Holder).personal().or(&["党员档案所在单位", "档案所在地"]);
    DUES_BASIS = 20, "dues_basis", "党费计算基数(分)", "Dues basis (fen)",
        Integer(0, 1_000_000_000) => .won_by(Winner::Holder).masked();
    DUES_PAID_TO = 21, "dues_paid_to", "党费交至月份", "Dues paid to", Month
        => .won_by(Winner::Holder).personal().or(&["党费缴至", "党费交纳至", "党费缴纳至"]);
    REMARKS = 22, "remarks", "党籍备注", "Membership remarks", Text(1000) => .personal().or(&["党员备注"]);
    STATUS_DATE = 23, "status_date", "党籍状态日期", "Status since", DAY => .by_steps().personal();
    STATUS_REASON = 24, "status_reason", "党籍状态原因", "Reason of the status", Text(500)
        => .by_steps().masked();
    STATUS_REASON_CODE = 25, "status_reason_code", "党籍状态原因代码", "Code of the reason",
        Code(&codes::STATUS_REASON) => .by_steps().masked();
    DECISION_NUMBER = 26, "decision_number", "批准文号", "Decision number", Text(60)
        => .by_steps().personal();
    DECISION_DATE = 27, "decision_date", "批准日期", "Decision date", DAY => .by_steps().personal();
    DECISION_BODY = 28, "decision_body", "批准机关", "Approving body", Text(100)
        => .by_steps().personal();
    EXTENSION_UNTIL = 29, "extension_until", "预备期延长至", "Probation extended to", DAY
        => .by_steps().personal();
    TENURE_NUMBER = 30, "tenure_number", "隶属序号", "Tenure number", Integer(1, 1_000_000)
        => .by_steps().internal();
    HOLDER = 31, "holder", "隶属组织", "Holder", REF_ORGANISATION => .by_steps().internal();
    OPEN_CASE = 32, "open_case", "在办转接", "Open transfer", REF_TRANSFER
        => .by_steps().internal();
    BRANCH_TEXT = 33, "branch_text", "支部原文", "Branch in the table's words", Text(200);
    MERGED_INTO = 34, "merged_into", "已并入", "Merged into", REF_MEMBER => .by_steps().internal();
}

/// The declaration.
pub const KIND: Kind = Kind {
    number: KIND_NUMBER,
    name: "member",
    zh: "党员",
    en: "Member",
    class: Class::Held,
    fields: FIELDS,
    together: &[
        &[
            CATEGORY,
            STATUS,
            CONVERSION_DUE,
            CONVERSION_DATE,
            STATUS_DATE,
            STATUS_REASON,
            STATUS_REASON_CODE,
            DECISION_NUMBER,
            DECISION_DATE,
            DECISION_BODY,
            EXTENSION_UNTIL,
        ],
        &[RELATION_IN_DATE, RELATION_IN_TYPE],
        &[LOST_SINCE, LOST_REASON],
    ],
    machine: Some(&member_status::MACHINE),
    state_field: Some(STATUS),
    title_field: None,
    indexed: &[PERSON, BRANCH, STATUS, MERGED_INTO],
};
