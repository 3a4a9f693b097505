//! A step 办理步骤: what somebody did to a case or a status, on which date, for which organisation.
//!
//! It is written once by the office that took it and never changed (class `Ledger`); the hub
//! applies it to its subject with the machine of the subject's kind (`sync.md` 5). The fields after
//! the first dozen are the arguments of events; each machine says which of them an event sets.

use super::{DAY, DAY_OR_MONTH, REF_MEMBER, REF_ORGANISATION, REF_PERSON, REF_TRANSFER, codes};
use crate::checks::code_lists;
use crate::kind::{Class, Kind};

/// The kind's number for ever.
pub const KIND_NUMBER: u16 = 6;

fields! {
    SUBJECT_KIND = 1, "subject_kind", "对象类别", "Kind of the subject", Integer(1, 65_535)
        => .required().internal();
    SUBJECT = 2, "subject", "对象", "Subject", Bytes(16) => .required().internal();
    EVENT = 3, "event", "操作", "Event", Text(40) => .required();
    ORGANISATION = 4, "organisation", "办理组织", "Organisation", REF_ORGANISATION => .required();
    DATE = 5, "date", "办理日期", "Date", DAY => .required();
    RECORDER = 6, "recorder", "经办人", "Recorder", Text(100) => .required().personal();
    REASON_CODE = 7, "reason_code", "原因代码", "Code of the reason", Text(40);
    REASON = 8, "reason", "原因", "Reason", Text(500) => .personal();
    OPINION = 9, "opinion", "意见", "Opinion", Text(500) => .personal();
    APPROVER = 10, "approver", "审批人", "Approver", Text(100) => .personal();
    DECISION_NUMBER = 11, "decision_number", "批准文号", "Decision number", Text(60);
    DECISION_DATE = 12, "decision_date", "批准日期", "Decision date", DAY;
    DECISION_BODY = 13, "decision_body", "批准机关", "Approving body", Text(100);
    MEMBER = 14, "member", "党员", "Member", REF_MEMBER => .internal();
    PERSON = 15, "person", "人员", "Person", REF_PERSON => .internal();
    FROM_ORG = 16, "from_org", "转出组织", "From", REF_ORGANISATION;
    FROM_BRANCH = 17, "from_branch", "转出支部", "From branch", REF_ORGANISATION;
    ORIGIN = 18, "origin", "原组织(系统外)", "Origin outside", Text(200);
    TO_ORG = 19, "to_org", "接收组织", "To", REF_ORGANISATION;
    TO_UNIT = 20, "to_unit", "去向", "To unit", Text(200);
    ADDRESSEE = 21, "addressee", "抬头", "Addressee", Text(200);
    TO_BRANCH = 22, "to_branch", "接收支部", "To branch", REF_ORGANISATION;
    MOVED_ORG = 23, "moved_org", "整建制转接组织", "Organisation that moves", REF_ORGANISATION;
    VARIANT = 24, "variant", "转接方式", "Variant", Code(&codes::TRANSFER_VARIANT);
    DUES_PAID_TO = 25, "dues_paid_to", "党费交至月份", "Dues paid to", Month => .personal();
    VALID_DAYS = 26, "valid_days", "有效天数", "Valid days", Integer(1, 90);
    LETTER_NUMBER = 27, "letter_number", "介绍信编号", "Letter number", Text(40);
    ISSUED_DATE = 28, "issued_date", "开具日期", "Issued", DAY;
    LAST_VALID_DATE = 29, "last_valid_date", "有效期至", "Last valid day", DAY;
    RECEIVED_DATE = 30, "received_date", "对方接收日期", "Accepted there", DAY;
    RECEIPT_HOW = 31, "receipt_how", "回执方式", "How the receipt came", Code(&codes::RECEIPT_HOW);
    HANDLER = 32, "handler", "经办人姓名", "Handler", Name => .personal();
    HANDLER_PHONE = 33, "handler_phone", "经办电话", "Handler's telephone", Phone;
    EXTERNAL_SYSTEM = 34, "external_system", "外部系统", "Other system", Text(100);
    EXTERNAL_NUMBER = 35, "external_number", "外部编号", "Number there", Text(60);
    FILE_SENT = 36, "file_sent", "档案传递方式", "File sent", Code(&codes::FILE_SENT);
    FILE_CHECK = 37, "file_check", "档案审查意见", "Result of the file check", Text(500)
        => .personal();
    CATEGORY = 38, "category", "人员类别", "Category", Code(&code_lists::MEMBER_CATEGORY)
        => .personal();
    UNTIL_DATE = 39, "until_date", "截止日期", "Until", DAY;
    CONVERSION_DUE = 40, "conversion_due", "预备期满日期", "Conversion due", DAY => .personal();
    CONVERSION_DATE = 41, "conversion_date", "转正日期", "Converted", DAY_OR_MONTH => .personal();
    JOIN_DATE = 42, "join_date", "入党日期", "Joined", DAY_OR_MONTH => .personal();
    NAME = 43, "name", "姓名", "Name", Name => .personal();
    SEX = 44, "sex", "性别", "Sex", Code(&code_lists::SEX) => .personal();
    BIRTH_DATE = 45, "birth_date", "出生日期", "Birth date", DAY_OR_MONTH => .personal();
    ETHNICITY = 46, "ethnicity", "民族", "Ethnicity", Code(&code_lists::ETHNICITY) => .personal();
    ID_NUMBER = 47, "id_number", "公民身份号码", "ID number", IdNumber => .masked();
    PHONE = 48, "phone", "联系电话", "Telephone", Phone => .masked();
    MINUTES = 49, "minutes", "分钟数", "Minutes", Integer(0, 1_440);
    SIGN_IN = 50, "sign_in", "签到时间", "Signed in", Instant;
    SIGN_OUT = 51, "sign_out", "签退时间", "Signed out", Instant;
    BREAK_MINUTES = 52, "break_minutes", "休息分钟数", "Minutes of breaks", Integer(0, 1_440);
    CHOICE = 53, "choice", "处理方式", "Choice", Code(&codes::CONFLICT_CHOICE);
    SEEN_REVISION = 54, "seen_revision", "所见版本", "Revision seen", Integer(0, i64::MAX)
        => .internal();
    VALUE = 55, "value", "内容", "Value", Text(2000) => .personal();
    SETTLED_VALUE = 56, "settled_value", "选定内容", "Settled value", Bytes(32_768)
        => .personal().internal();
    REPLACES = 57, "replaces", "替代的转接", "Replaces", REF_TRANSFER => .internal();
    DISPUTES = 58, "disputes", "所涉转接", "Disputes", REF_TRANSFER => .internal();
    TRANSFER_REASON = 59, "transfer_reason", "转接原因", "Reason for moving",
        Code(&code_lists::TRANSFER_REASON);
    STARTED = 60, "started", "实际开始时间", "Started", Instant;
    ENDED = 61, "ended", "实际结束时间", "Ended", Instant;
    GRADE = 62, "grade", "评价等次", "Grade", Code(&codes::GRADE);
    NOTICE_UNTIL = 63, "notice_until", "公示截止日期", "Publicised until", DAY;
}

/// The declaration.
pub const KIND: Kind = Kind {
    number: KIND_NUMBER,
    name: "step",
    zh: "办理步骤",
    en: "Step",
    class: Class::Ledger,
    fields: FIELDS,
    together: &[],
    machine: None,
    state_field: None,
    title_field: Some(EVENT),
    indexed: &[SUBJECT, MEMBER, ORGANISATION],
};
