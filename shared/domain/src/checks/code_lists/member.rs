//! Lists about members, their transfers and organisations.

use super::{Code, CodeList, OWN};

/// Category of a member (党员类别). Other systems number it in three ways (`domain.md` 2.1).
pub const MEMBER_CATEGORY: CodeList = CodeList {
    name: "member_category",
    standard: OWN,
    entries: &[
        Code::new("full", "正式党员", "Full member", &["正式"]),
        Code::new("probationary", "预备党员", "Probationary member", &["预备"]),
    ],
};

/// Why contact with a member was lost (失联原因), the list of the check of 2016 and 2017
/// (`domain.md` 2.1).
pub const LOST_CONTACT_REASON: CodeList = CodeList {
    name: "lost_contact_reason",
    standard: OWN,
    entries: &[
        Code::new(
            "work_away",
            "外出务工经商",
            "Works away",
            &["外出务工", "务工经商"],
        ),
        Code::new(
            "unit_reformed",
            "单位改制或破产",
            "Unit reformed or bankrupt",
            &["单位改制", "单位破产", "改制破产"],
        ),
        Code::new(
            "graduated",
            "毕业离校",
            "Graduated",
            &["毕业", "大中专毕业"],
        ),
        Code::new(
            "unit_changed",
            "工作单位变动",
            "Changed unit",
            &["单位变动", "工作变动", "工作调动"],
        ),
        Code::new(
            "abroad",
            "出国(境)",
            "Went abroad",
            &["出国", "出境", "出国出境"],
        ),
        Code::new("moved", "搬迁", "Moved house", &["搬家", "住所变动"]),
        Code::new("other", "其他", "Other", &["其它"]),
    ],
};

/// Why a relation is transferred out (转出原因), after the regulation of 2019, art. 25
/// (`domain.md` 1.1, facts 1 and 2).
pub const TRANSFER_REASON: CodeList = CodeList {
    name: "transfer_reason",
    standard: OWN,
    entries: &[
        Code::new(
            "unit_changed",
            "工作单位变动",
            "Changed unit",
            &["工作调动", "单位变动", "调动"],
        ),
        Code::new(
            "residence_changed",
            "经常居住地变动",
            "Changed habitual residence",
            &["居住地变动", "搬迁", "搬家"],
        ),
        Code::new(
            "away_six_months",
            "外出地点相对固定且6个月以上",
            "Away at a fixed place for six months or more",
            &["外出6个月以上", "外出务工经商"],
        ),
        Code::new("study", "升学", "Study", &["入学"]),
        Code::new("graduated", "毕业", "Graduated", &["毕业离校"]),
        Code::new("retired", "退休(离休)", "Retired", &["退休", "离休"]),
        Code::new(
            "left_forces",
            "退出现役",
            "Left the armed forces",
            &["退役", "转业", "复员", "退伍"],
        ),
        Code::new(
            "unit_dissolved",
            "单位撤销或改制",
            "Unit dissolved or reformed",
            &["单位撤销", "单位改制", "单位破产"],
        ),
        Code::new(
            "whole_organisation",
            "整建制转接",
            "Whole organisation moved",
            &["整建制"],
        ),
        Code::new("other", "其他", "Other", &["其它"]),
    ],
};

/// Why a receiver may return a letter (退回原因), only reasons about the letter, the file or the
/// place itself (`domain.md` 1.4). Absent on purpose: anything that would be a refusal without
/// cause (1.1, fact 6; `TRF-006`), and a catch-all under which one could hide.
pub const RETURN_REASON: CodeList = CodeList {
    name: "return_reason",
    standard: OWN,
    entries: &[
        Code::new("addressee_wrong", "抬头有误", "Wrong addressee", &[]),
        Code::new("destination_wrong", "去向有误", "Wrong destination", &[]),
        Code::new(
            "filled_irregularly",
            "填写不规范",
            "Filled in irregularly",
            &["涂改"],
        ),
        Code::new(
            "seal_level",
            "用章层级不符",
            "Seal of the wrong level",
            &["印章不符"],
        ),
        Code::new(
            "dues_month_missing",
            "党费交至月份缺失",
            "Dues month missing",
            &["未注明党费"],
        ),
        Code::new(
            "letter_expired",
            "介绍信已过期",
            "Letter expired",
            &["逾期", "过期"],
        ),
        Code::new("letter_void", "介绍信已作废", "Letter void", &["作废"]),
        Code::new(
            "file_incomplete",
            "党员档案材料不全",
            "File incomplete",
            &["材料不全", "档案不全"],
        ),
        Code::new(
            "file_under_age",
            "档案存疑:申请或入党时未满18周岁",
            "File in doubt: under 18 when applying or admitted",
            &[],
        ),
        Code::new(
            "file_stage_short",
            "档案存疑:确定积极分子至发展对象不足一年",
            "File in doubt: less than a year before candidacy",
            &[],
        ),
        Code::new(
            "file_before_leaving",
            "档案存疑:离开单位前三个月内发展",
            "File in doubt: admitted within three months before leaving",
            &[],
        ),
        Code::new(
            "file_no_power",
            "档案存疑:审批机关无审批权限",
            "File in doubt: admitted by a body without the power",
            &[],
        ),
        Code::new(
            "identity_unclear",
            "党员身份存疑",
            "Membership in doubt",
            &["身份存疑"],
        ),
        Code::new(
            "not_placed_here",
            "在接收地无工作单位且非经常居住地",
            "Neither works nor habitually lives here",
            &["无固定单位或住所"],
        ),
        Code::new(
            "probation_overdue",
            "预备期已满未讨论转正",
            "Probation overdue and undecided",
            &["预备期逾期"],
        ),
    ],
};

/// Kind of a Party organisation (党组织类别, `domain.md` 7.2).
pub const ORGANISATION_KIND: CodeList = CodeList {
    name: "organisation_kind",
    standard: OWN,
    entries: &[
        Code::new(
            "working_committee",
            "党的工作委员会",
            "Working committee",
            &["党工委", "工委"],
        ),
        Code::new(
            "committee",
            "党委",
            "Committee",
            &["党的委员会", "基层党委"],
        ),
        Code::new(
            "general_branch",
            "党总支",
            "General branch",
            &["党总支部", "总支", "总支部"],
        ),
        Code::new(
            "branch",
            "党支部",
            "Branch",
            &["支部", "联合党支部", "联合支部"],
        ),
        Code::new("group", "党小组", "Group", &["小组"]),
        Code::new(
            "unit_organisation",
            "单位党组织",
            "Organisation of a unit",
            &["驻区单位党组织", "共建单位党组织"],
        ),
    ],
};

/// Kind of the unit behind an organisation (单位类别, `domain.md` 2.1).
pub const UNIT_KIND: CodeList = CodeList {
    name: "unit_kind",
    standard: OWN,
    entries: &[
        Code::new(
            "state_enterprise",
            "国有企业",
            "State enterprise",
            &["国企"],
        ),
        Code::new(
            "private_enterprise",
            "非公有制企业",
            "Non-public enterprise",
            &["非公企业", "民营企业", "私营企业"],
        ),
        Code::new("rural", "农村", "Rural", &["行政村", "村"]),
        Code::new("agency", "机关", "Agency", &["党政机关"]),
        Code::new("school", "学校", "School", &["高校"]),
        Code::new(
            "institution",
            "其他事业单位",
            "Other institution",
            &["事业单位"],
        ),
        Code::new(
            "community",
            "街道社区",
            "Street or community",
            &["街道", "社区"],
        ),
        Code::new("social", "社会组织", "Social organisation", &["社会团体"]),
        Code::new("other", "其他", "Other", &["其它"]),
    ],
};

/// Status of a floating member (流动状态): the states of `domain.md` 3.2.
pub const FLOATING_STATUS: CodeList = CodeList {
    name: "floating_status",
    standard: OWN,
    entries: &[
        Code::new("away_short", "短期外出", "Away for a short time", &[]),
        Code::new("out_registered", "流出登记", "Registered as out", &["流出"]),
        Code::new(
            "in_declared",
            "流入亮明身份",
            "Declared at the destination",
            &["流入", "亮明身份"],
        ),
        Code::new("reported_in", "已报到", "Reported in", &["报到"]),
        Code::new("managed", "纳入管理", "Managed at the destination", &[]),
        Code::new("disputed", "待核实", "Disputed", &[]),
        Code::new("ended_returned", "已返回", "Returned", &["返回"]),
        Code::new(
            "ended_transferred",
            "已转接组织关系",
            "Relation transferred",
            &[],
        ),
        Code::new("lost_contact", "失联", "Lost contact", &["失去联系"]),
    ],
};

/// Why a member is away (流动原因, `domain.md` 3.2).
pub const FLOATING_REASON: CodeList = CodeList {
    name: "floating_reason",
    standard: OWN,
    entries: &[
        Code::new(
            "work",
            "务工经商",
            "Work or trade",
            &["外出务工经商", "外出务工"],
        ),
        Code::new("study", "求学", "Study", &["上学"]),
        Code::new(
            "with_children",
            "随子女居住",
            "Lives with children",
            &["随子女"],
        ),
        Code::new("care", "照料老人", "Cares for the old", &[]),
        Code::new("unit_changed", "单位变动", "Changed unit", &["工作变动"]),
        Code::new("other", "其他", "Other", &["其它"]),
    ],
};

/// Why a floating registration ended (流动结束原因, `domain.md` 3.2).
pub const FLOATING_END_REASON: CodeList = CodeList {
    name: "floating_end_reason",
    standard: OWN,
    entries: &[
        Code::new("returned", "返回", "Returned", &["已返回"]),
        Code::new(
            "transferred",
            "转接组织关系",
            "Relation transferred",
            &["已转接"],
        ),
        Code::new("lost_contact", "失联", "Lost contact", &["失去联系"]),
        Code::new("abroad", "出国", "Went abroad", &["出境", "出国(境)"]),
        Code::new("died", "去世", "Died", &["死亡"]),
    ],
};
