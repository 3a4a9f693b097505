//! A person 人员: one office's own record of somebody, entered once; member, volunteer and every
//! later role point to it (`sync.md` 6, data items of `domain.md` 2.3).
//!
//! ID number, birth date and sex are judged together with the source that they were taken from, and
//! the better source wins (`domain.md` 10). The birth date of the personnel file may differ from
//! that of the ID card and stands by itself.

use super::{DAY_OR_MONTH, REF_PERSON, codes};
use crate::checks::code_lists;
use crate::kind::{Class, Kind, Winner};

/// The kind's number for ever.
pub const KIND_NUMBER: u16 = 2;

const BY_SOURCE: Winner = Winner::SourceRank(ID_SOURCE);

fields! {
    NAME = 1, "name", "姓名", "Name", Name
        => .required().personal().or(&["名字", "党员姓名", "志愿者姓名"]);
    FORMER_NAME = 2, "former_name", "曾用名", "Former name", Name => .personal();
    SEX = 3, "sex", "性别", "Sex", Code(&code_lists::SEX) => .personal().won_by(BY_SOURCE);
    ETHNICITY = 4, "ethnicity", "民族", "Ethnicity", Code(&code_lists::ETHNICITY) => .personal();
    BIRTH_DATE = 5, "birth_date", "出生日期", "Birth date", DAY_OR_MONTH
        => .personal().won_by(BY_SOURCE).or(&["出生年月", "出生年月日", "生日"]);
    BIRTH_DATE_FILE = 6, "birth_date_file", "档案出生日期", "Birth date in the file", DAY_OR_MONTH
        => .personal().or(&["档案出生年月"]);
    ID_TYPE = 7, "id_type", "证件类型", "ID type", Code(&codes::ID_TYPE)
        => .personal().won_by(BY_SOURCE);
    ID_NUMBER = 8, "id_number", "公民身份号码", "ID number", IdNumber
        => .masked().won_by(BY_SOURCE)
        .or(&["身份证号", "身份证号码", "身份证", "公民身份证号码", "证件号码"]);
    ID_UNVERIFIED_REASON = 9, "id_unverified_reason", "证件未核实原因", "Why the ID is unverified",
        Text(200) => .personal().won_by(BY_SOURCE);
    ID_SOURCE = 10, "id_source", "证件信息来源", "Source of the ID data", Code(&codes::ID_SOURCE)
        => .won_by(BY_SOURCE);
    PHONE = 11, "phone", "联系电话", "Telephone", Phone
        => .masked().or(&["手机", "手机号码", "手机号", "电话", "联系方式", "移动电话"]);
    PHONE2 = 12, "phone2", "其他联系电话", "Other telephone", Phone
        => .masked().or(&["备用电话", "固定电话", "座机"]);
    REGISTERED_ADDRESS = 13, "registered_address", "户籍所在地", "Registered address", Text(200)
        => .personal().or(&["户籍地", "户籍地址", "户口所在地"]);
    RESIDENCE_ADDRESS = 14, "residence_address", "现居住地", "Residence", Text(200)
        => .personal().or(&["现居住地址", "居住地", "居住地址", "家庭住址", "住址"]);
    RESIDENCE_CODE = 15, "residence_code", "居住社区代码", "Residence code", Text(15)
        => .personal().or(&["居住地代码"]);
    MARITAL = 16, "marital", "婚姻状况", "Marital status", Code(&code_lists::MARITAL)
        => .personal();
    EDUCATION = 17, "education", "学历", "Education", Code(&code_lists::EDUCATION)
        => .personal().or(&["文化程度", "最高学历", "学历情况"]);
    DEGREE = 18, "degree", "学位", "Degree", Code(&code_lists::DEGREE)
        => .personal().or(&["最高学位"]);
    WORK_UNIT = 19, "work_unit", "工作单位", "Work unit", Text(200)
        => .personal().or(&["工作单位及职务", "单位", "所在单位", "单位名称"]);
    CREDIT_CODE = 20, "credit_code", "统一社会信用代码", "Unit's credit code", Text(18)
        => .or(&["单位信用代码", "社会信用代码"]);
    POST = 21, "post", "职务", "Post", Text(100) => .personal().or(&["工作岗位", "岗位", "职业"]);
    IDENTITY_CODE = 22, "identity_code", "个人身份", "Personal identity",
        Code(&code_lists::PERSONAL_IDENTITY) => .personal();
    JOINED_WORK_DATE = 23, "joined_work_date", "参加工作日期", "Started work", DAY_OR_MONTH
        => .personal().or(&["参加工作时间", "参加工作年月"]);
    HARDSHIP = 24, "hardship", "是否困难党员", "In hardship", Boolean
        => .masked().or(&["困难党员", "是否困难", "生活困难"]);
    ABROAD = 25, "abroad", "是否出国(境)", "Abroad", Boolean
        => .personal().or(&["出国(境)", "是否出国出境"]);
    REMARKS = 26, "remarks", "备注", "Remarks", Text(1000) => .personal().or(&["说明"]);
    MERGED_INTO = 27, "merged_into", "已并入", "Merged into", REF_PERSON => .by_steps().internal();
}

/// The declaration.
pub const KIND: Kind = Kind {
    number: KIND_NUMBER,
    name: "person",
    zh: "人员",
    en: "Person",
    class: Class::Shared,
    fields: FIELDS,
    together: &[
        &[
            SEX,
            BIRTH_DATE,
            ID_TYPE,
            ID_NUMBER,
            ID_UNVERIFIED_REASON,
            ID_SOURCE,
        ],
        &[RESIDENCE_ADDRESS, RESIDENCE_CODE],
        &[WORK_UNIT, CREDIT_CODE],
    ],
    machine: None,
    state_field: None,
    title_field: Some(NAME),
    indexed: &[NAME, ID_NUMBER, PHONE, MERGED_INTO],
};
