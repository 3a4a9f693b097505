//! A letter of introduction 组织关系介绍信, with its stub 存根 and receipt 回执 (`domain.md` 1.3).
//!
//! Its number is used once and never again (`domain.md` 1.8, invariant 4). It says what stood on
//! paper on the day of issue; later corrections of the member do not change it. A fax, an address
//! and a postcode of the issuer stand here because they are printed.

use super::{DAY, DAY_OR_MONTH, REF_LETTER, REF_ORGANISATION, REF_TRANSFER, codes};
use crate::checks::code_lists;
use crate::kind::{Class, Kind};
use crate::machines::letter;

/// The kind's number for ever.
pub const KIND_NUMBER: u16 = 7;

fields! { by_steps:
    NUMBER = 1, "number", "编号", "Number", Text(40) => .required().or(&["介绍信编号"]);
    ISSUER = 2, "issuer", "开具单位", "Issuer", REF_ORGANISATION => .required();
    YEAR = 3, "year", "年度", "Year", Integer(1921, 9999) => .required();
    SERIAL = 4, "serial", "顺序号", "Serial", Integer(1, 999_999_999) => .required();
    CASE = 5, "transfer_case", "转接", "Case", REF_TRANSFER => .internal();
    ISSUE_DATE = 6, "issue_date", "开具日期", "Issued", DAY;
    VALID_DAYS = 7, "valid_days", "有效天数", "Valid days", Integer(1, 90);
    LAST_VALID_DATE = 8, "last_valid_date", "有效期至", "Last valid day", DAY;
    ADDRESSEE = 9, "addressee", "抬头", "Addressee", Text(200);
    NAME = 10, "name", "姓名", "Name", Name => .personal();
    SEX = 11, "sex", "性别", "Sex", Code(&code_lists::SEX) => .personal();
    BIRTH_DATE = 12, "birth_date", "出生日期", "Birth date", DAY_OR_MONTH => .personal();
    AGE = 13, "age", "年龄", "Age on the day of issue", Integer(0, 150) => .personal();
    ETHNICITY = 14, "ethnicity", "民族", "Ethnicity", Code(&code_lists::ETHNICITY) => .personal();
    CATEGORY = 15, "category", "正式或预备", "Full or probationary", Code(&code_lists::MEMBER_CATEGORY)
        => .personal();
    ID_NUMBER = 16, "id_number", "公民身份号码", "ID number", IdNumber => .masked();
    FROM_UNIT = 17, "from_unit", "来源", "From unit", Text(200);
    TO_UNIT = 18, "to_unit", "去向", "To unit", Text(200);
    DUES_PAID_TO = 19, "dues_paid_to", "党费交至月份", "Dues paid to", Month => .personal();
    PHONE = 20, "phone", "党员联系电话", "Member's telephone", Phone => .masked();
    ORIGIN_ADDRESS = 21, "origin_address", "原基层党委通讯地址", "Issuer's address", Text(200);
    ORIGIN_PHONE = 22, "origin_phone", "原基层党委联系电话", "Issuer's telephone", Phone;
    ORIGIN_FAX = 23, "origin_fax", "原基层党委传真", "Issuer's fax", Phone;
    ORIGIN_POSTCODE = 24, "origin_postcode", "原基层党委邮编", "Issuer's postcode", Text(10);
    PRINTED_COUNT = 25, "printed_count", "打印次数", "Times printed", Integer(0, 9_999);
    PRINTED_BY = 26, "printed_by", "最近打印人", "Printed by", Text(100) => .personal();
    PRINTED_AT = 27, "printed_at", "最近打印时间", "Printed at", Instant;
    STATE = 28, "state", "状态", "State", Code(&codes::LETTER_STATE) => .required();
    VOID_REASON = 29, "void_reason", "作废原因", "Why it is void", Text(500);
    REPLACED_BY = 30, "replaced_by", "替代的介绍信", "Replaced by", REF_LETTER;
    RECEIPT_RECEIVED = 31, "receipt_received", "回执收到日期", "Receipt received", DAY;
    RECEIPT_HOW = 32, "receipt_how", "回执方式", "How the receipt came", Code(&codes::RECEIPT_HOW);
    RECEIVED_DATE = 33, "received_date", "对方接收日期", "Accepted there", DAY;
    RECEIVING_UNIT = 34, "receiving_unit", "接收单位", "Receiving committee", Text(200);
    RECEIPT_HANDLER = 35, "receipt_handler", "回执经办人", "Receipt's handler", Name => .personal();
    RECEIPT_PHONE = 36, "receipt_phone", "回执联系电话", "Receipt's telephone", Phone;
    STUB_ARCHIVE = 37, "stub_archive", "存根归档号", "Stub kept at", Text(60);
    STATE_DATE = 38, "state_date", "状态日期", "State since", DAY;
}

/// The declaration.
pub const KIND: Kind = Kind {
    number: KIND_NUMBER,
    name: "letter",
    zh: "介绍信",
    en: "Letter",
    class: Class::Case,
    fields: FIELDS,
    together: &[],
    machine: Some(&letter::MACHINE),
    state_field: Some(STATE),
    title_field: Some(NUMBER),
    indexed: &[NUMBER, CASE, ISSUER, STATE],
};
