//! A volunteer 志愿者 (`domain.md` 5.5; 志愿服务记录与证明出具办法 art. 5): what is needed besides the
//! person. Whether he is a Party member is a link, never a copy.
//!
//! Under 14 years the guardian's consent is a condition (`VOL-006`); a withdrawn consent wins over
//! everything (`domain.md` 10).

use super::{DAY, REF_MEMBER, REF_PERSON, REF_TEAM, REF_VOLUNTEER, codes};
use crate::kind::{Class, Kind, Winner};

/// The kind's number for ever.
pub const KIND_NUMBER: u16 = 8;

fields! {
    PERSON = 1, "person", "人员", "Person", REF_PERSON => .required().internal();
    NUMBER = 2, "number", "全国志愿者编号", "National number", Text(40)
        => .personal().or(&["志愿者编号", "志愿者编码"]);
    LOCAL_NUMBER = 3, "local_number", "本地编号", "Local number", Text(40);
    SKILLS = 4, "skills", "专业技能", "Skills", Text(200) => .personal().or(&["特长", "服务技能"]);
    SERVICE_TYPES = 5, "service_types", "服务类别", "Service types", Text(200)
        => .personal().or(&["意向服务类别", "服务意向"]);
    TIMES = 6, "times", "可服务时间", "Times", Text(200) => .personal().or(&["服务时间意向"]);
    TEAM = 7, "team", "所属服务队", "Team", REF_TEAM => .or(&["志愿服务队", "服务队"]);
    MEMBER = 8, "member", "党员", "Party member", REF_MEMBER => .internal();
    REGISTERED_DATE = 9, "registered_date", "注册日期", "Registered", DAY => .or(&["注册时间"]);
    CONSENT_DATE = 10, "consent_date", "同意日期", "Consented", DAY => .won_by(Winner::FirstCommitted);
    CONSENT_HOW = 11, "consent_how", "同意方式", "How consent was given", Code(&codes::CONSENT_HOW);
    CONSENT_WHAT = 12, "consent_what", "同意事项", "What consent covers", Text(500);
    CONSENT_WITHDRAWN = 13, "consent_withdrawn", "撤回同意日期", "Consent withdrawn", DAY
        => .won_by(Winner::FirstCommitted);
    GUARDIAN = 14, "guardian", "监护人", "Guardian", Name => .personal().or(&["监护人姓名"]);
    GUARDIAN_PHONE = 15, "guardian_phone", "监护人电话", "Guardian's telephone", Phone => .masked();
    GUARDIAN_CONSENT = 16, "guardian_consent", "监护人同意日期", "Guardian consented", DAY
        => .personal();
    INSURED_UNTIL = 17, "insured_until", "保险有效期至", "Insured until", DAY;
    STATE = 18, "state", "志愿者状态", "State", Code(&codes::VOLUNTEER_STATE);
    ENDED_DATE = 19, "ended_date", "退出日期", "Left", DAY;
    REMARKS = 20, "remarks", "志愿者备注", "Volunteer remarks", Text(1000) => .personal();
    MERGED_INTO = 21, "merged_into", "已并入", "Merged into", REF_VOLUNTEER
        => .by_steps().internal();
}

/// The declaration.
pub const KIND: Kind = Kind {
    number: KIND_NUMBER,
    name: "volunteer",
    zh: "志愿者",
    en: "Volunteer",
    class: Class::Shared,
    fields: FIELDS,
    together: &[&[CONSENT_DATE, CONSENT_HOW, CONSENT_WHAT]],
    machine: None,
    state_field: None,
    title_field: None,
    indexed: &[PERSON, NUMBER, TEAM, MERGED_INTO],
};
