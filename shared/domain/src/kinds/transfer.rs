//! A transfer of a member's relation 组织关系转接: the case, as the steps made it (`domain.md` 1.8).
//!
//! A dispute is a transfer record of its own, in state `DISPUTED`, whose `disputes` names the case
//! that was accepted (`sync.md` 5). A move of a whole organisation names `moved_org` and no member; whoever
//! has an open case of his own stays and is named in `excluded`.
//! Besides the case itself it keeps the member as he stood at submission: that snapshot is what the
//! receiver sees.

use super::codes;
use super::{DAY, DAY_OR_MONTH, REF_LETTER, REF_MEMBER, REF_ORGANISATION, REF_STEP, REF_TRANSFER};
use crate::checks::code_lists;
use crate::kind::{Class, Kind};
use crate::machines::transfer;

/// The kind's number for ever.
pub const KIND_NUMBER: u16 = 5;

fields! { by_steps:
    NUMBER = 1, "number", "转接编号", "Number", Text(40);
    VARIANT = 2, "variant", "转接方式", "Variant", Code(&codes::TRANSFER_VARIANT) => .required();
    MEMBER = 3, "member", "党员", "Member", REF_MEMBER => .internal();
    MEMBER_NAME = 4, "member_name", "姓名", "Name", Name => .personal();
    FROM_ORG = 5, "from_org", "转出组织", "From", REF_ORGANISATION;
    FROM_BRANCH = 6, "from_branch", "转出支部", "From branch", REF_ORGANISATION;
    ORIGIN = 7, "origin", "原组织(系统外)", "Origin outside", Text(200);
    TO_ORG = 8, "to_org", "接收组织", "To", REF_ORGANISATION;
    TO_UNIT = 9, "to_unit", "去向", "To unit", Text(200);
    ADDRESSEE = 10, "addressee", "抬头", "Addressee", Text(200);
    TO_BRANCH = 11, "to_branch", "接收支部", "To branch", REF_ORGANISATION;
    REASON_CODE = 12, "reason_code", "转接原因", "Reason", Code(&code_lists::TRANSFER_REASON);
    REASON = 13, "reason", "转接原因说明", "Reason in words", Text(500) => .personal();
    DUES_PAID_TO = 14, "dues_paid_to", "党费交至月份", "Dues paid to", Month => .personal();
    DUES_LAST = 15, "dues_last", "上次登记的党费月份", "Dues as registered", Month => .internal();
    FILE_SENT = 16, "file_sent", "档案传递方式", "File sent", Code(&codes::FILE_SENT);
    FILE_CHECK = 17, "file_check", "档案审查意见", "Result of the file check", Text(500)
        => .personal();
    APPLIED_DATE = 18, "applied_date", "申请日期", "Applied", DAY;
    STATE = 19, "state", "当前状态", "State", Code(&codes::TRANSFER_STATE) => .required();
    STATE_DATE = 20, "state_date", "状态日期", "State since", DAY;
    STATE_REASON_CODE = 21, "state_reason_code", "状态原因代码", "Code of the reason", Text(40);
    STATE_REASON = 22, "state_reason", "状态原因", "Reason of the state", Text(500) => .personal();
    LETTER = 23, "letter", "介绍信", "Letter", REF_LETTER => .internal();
    LETTER_NUMBER = 24, "letter_number", "介绍信编号", "Letter number", Text(40);
    ISSUED_DATE = 25, "issued_date", "开具日期", "Issued", DAY;
    VALID_DAYS = 26, "valid_days", "有效天数", "Valid days", Integer(1, 90);
    LAST_VALID_DATE = 27, "last_valid_date", "有效期至", "Last valid day", DAY;
    ACCEPTED_DATE = 28, "accepted_date", "接收日期", "Accepted", DAY;
    RECEIPT_DUE = 29, "receipt_due", "回执期限", "Receipt due", DAY;
    RECEIPT_SENT = 30, "receipt_sent", "回执寄出日期", "Receipt sent", DAY;
    RECEIPT_ARRIVED = 31, "receipt_arrived", "回执到达日期", "Receipt arrived", DAY;
    RECEIPT_HOW = 32, "receipt_how", "回执方式", "How the receipt came", Code(&codes::RECEIPT_HOW);
    HANDLER = 33, "handler", "经办人", "Handler", Name => .personal();
    HANDLER_PHONE = 34, "handler_phone", "经办电话", "Handler's telephone", Phone;
    EXTERNAL_SYSTEM = 35, "external_system", "外部系统", "Other system", Text(100);
    EXTERNAL_NUMBER = 36, "external_number", "外部编号", "Number there", Text(60);
    AUTHORITY = 37, "authority", "审批组织", "Approved by", REF_ORGANISATION;
    APPROVER = 38, "approver", "审批人", "Approver", Text(100) => .personal();
    REPLACES = 39, "replaces", "替代的转接", "Replaces", REF_TRANSFER => .internal();
    DISPUTES = 40, "disputes", "所涉转接", "Disputes", REF_TRANSFER => .internal();
    BATCH = 41, "batch", "整建制批次", "Batch", REF_TRANSFER => .internal();
    MOVED_ORG = 42, "moved_org", "整建制转接组织", "Organisation that moves", REF_ORGANISATION;
    RETURNED = 43, "returned", "退回修改", "Sent back", Boolean;
    UNSETTLED = 44, "unsettled", "转出未落实", "Not settled outside", Boolean;
    TENURE_NUMBER = 45, "tenure_number", "隶属序号", "Tenure", Integer(1, 1_000_000) => .internal();
    LAST_EVENT = 46, "last_event", "最近操作", "Last event", Text(40);
    LAST_ACTOR = 47, "last_actor", "最近操作人", "Last actor", Text(100) => .personal();
    LAST_STEP = 48, "last_step", "最近一步", "Last step", REF_STEP => .internal();
    ANSWER_DUE = 49, "answer_due", "办理期限", "Answer due", DAY;
    DECISION_NUMBER = 50, "decision_number", "决定文号", "Decision number", Text(60);
    DECISION_DATE = 51, "decision_date", "决定日期", "Decision date", DAY;
    MEMBER_CATEGORY = 52, "member_category", "人员类别", "Category", Code(&code_lists::MEMBER_CATEGORY)
        => .personal();
    MEMBER_SEX = 53, "member_sex", "性别", "Sex", Code(&code_lists::SEX) => .personal();
    MEMBER_BIRTH_DATE = 54, "member_birth_date", "出生日期", "Birth date", DAY_OR_MONTH
        => .personal();
    MEMBER_ETHNICITY = 55, "member_ethnicity", "民族", "Ethnicity", Code(&code_lists::ETHNICITY)
        => .personal();
    MEMBER_ID_NUMBER = 56, "member_id_number", "公民身份号码", "ID number", IdNumber => .masked();
    MEMBER_PHONE = 57, "member_phone", "联系电话", "Telephone", Phone => .masked();
    MEMBER_JOIN_DATE = 58, "member_join_date", "入党日期", "Joined", DAY_OR_MONTH => .personal();
    MEMBER_CONVERSION_DUE = 59, "member_conversion_due", "预备期满日期", "Conversion due", DAY
        => .personal();
    MEMBER_CONVERSION_DATE = 60, "member_conversion_date", "转正日期", "Converted", DAY_OR_MONTH
        => .personal();
    MOVED_COUNT = 61, "moved_count", "随转人数", "Members who moved", Integer(0, 1_000_000);
    EXCLUDED_COUNT = 62, "excluded_count", "未随转人数", "Members who stayed", Integer(0, 1_000_000);
    EXCLUDED = 63, "excluded", "未随转人员", "Who stayed", Text(10_000) => .personal();
}

/// The declaration.
pub const KIND: Kind = Kind {
    number: KIND_NUMBER,
    name: "transfer",
    zh: "组织关系转接",
    en: "Transfer",
    class: Class::Case,
    fields: FIELDS,
    together: &[],
    machine: Some(&transfer::MACHINE),
    state_field: Some(STATE),
    title_field: Some(MEMBER_NAME),
    indexed: &[
        NUMBER,
        MEMBER,
        STATE,
        FROM_ORG,
        TO_ORG,
        LETTER_NUMBER,
        DISPUTES,
        BATCH,
    ],
};
