//! Lists about volunteers and activities.

use super::{Code, CodeList, OWN};

/// Tag of the five helps (五助, `domain.md` 6.8).
pub const FIVE_HELP: CodeList = CodeList {
    name: "five_help",
    standard: OWN,
    entries: &[
        Code::new("work", "助业", "Help with work", &[]),
        Code::new("medical", "助医", "Help with medical care", &[]),
        Code::new("elderly", "助老", "Help for the old", &[]),
        Code::new("hardship", "助困", "Help in hardship", &[]),
        Code::new("study", "助学", "Help with study", &[]),
    ],
};

/// Kind of an activity (活动类别): the three meetings and the lecture (三会一课), and what else is
/// logged (`domain.md` 6.6).
pub const ACTIVITY_KIND: CodeList = CodeList {
    name: "activity_kind",
    standard: OWN,
    entries: &[
        Code::new(
            "members_meeting",
            "支部党员大会",
            "Branch members' meeting",
            &["党员大会"],
        ),
        Code::new(
            "branch_committee",
            "支部委员会会议",
            "Branch committee meeting",
            &["支委会", "支部委员会"],
        ),
        Code::new(
            "group_meeting",
            "党小组会",
            "Group meeting",
            &["党小组会议"],
        ),
        Code::new("lecture", "党课", "Party lecture", &["上党课"]),
        Code::new(
            "theme_day",
            "主题党日",
            "Theme Party day",
            &["主题党日活动"],
        ),
        Code::new(
            "life_meeting",
            "组织生活会",
            "Organisation life meeting",
            &[],
        ),
        Code::new(
            "appraisal",
            "民主评议党员",
            "Democratic appraisal of members",
            &["民主评议"],
        ),
        Code::new("visit", "走访", "Visit", &["入户走访"]),
        Code::new(
            "volunteer",
            "志愿服务活动",
            "Volunteer activity",
            &["志愿服务"],
        ),
        Code::new("condolence", "节日慰问", "Festival condolence", &["慰问"]),
        Code::new("performance", "文艺演出", "Performance", &["演出"]),
        Code::new("study", "学习", "Study", &["集中学习"]),
        Code::new("joint_meeting", "联席会议", "Joint meeting", &["联席会"]),
    ],
};

/// State of one person at a meeting (出席情况). Who should attend is present, late, on leave or
/// absent; guests are not counted (`domain.md` 6.6).
pub const ATTENDANCE: CodeList = CodeList {
    name: "attendance",
    standard: OWN,
    entries: &[
        Code::new("present", "出席", "Present", &["实到", "到会"]),
        Code::new("late", "迟到", "Late", &[]),
        Code::new("leave", "请假", "On leave", &[]),
        Code::new("absent", "缺席", "Absent", &["未到"]),
        Code::new("guest", "列席", "Guest", &["列席人员"]),
    ],
};

/// Type of service that a volunteer offers (服务类型; Order 67 of 2020, art. 5). The list is ours,
/// since the tables of MZ/T 061 were not found (`domain.md` 5.2).
pub const SERVICE_TYPE: CodeList = CodeList {
    name: "service_type",
    standard: OWN,
    entries: &[
        Code::new(
            "elderly",
            "为老服务",
            "Service for the old",
            &["助老", "敬老"],
        ),
        Code::new(
            "disabled",
            "助残服务",
            "Service for the disabled",
            &["助残"],
        ),
        Code::new(
            "children",
            "关爱儿童青少年",
            "Service for children",
            &["儿童青少年", "四点钟学校"],
        ),
        Code::new(
            "hardship",
            "扶贫济困",
            "Relief of hardship",
            &["助困", "济困"],
        ),
        Code::new("tutoring", "课业辅导与助学", "Tutoring", &["助学", "支教"]),
        Code::new(
            "medical",
            "医疗卫生",
            "Medical and health",
            &["助医", "义诊"],
        ),
        Code::new(
            "employment",
            "就业帮扶",
            "Help with employment",
            &["助业", "就业创业"],
        ),
        Code::new("counselling", "心理疏导", "Counselling", &["心理服务"]),
        Code::new("legal", "法律服务", "Legal service", &["法律援助", "普法"]),
        Code::new("mediation", "矛盾调解", "Mediation", &["调解"]),
        Code::new(
            "policy",
            "政策宣讲",
            "Explaining policy",
            &["宣讲", "理论宣讲"],
        ),
        Code::new(
            "culture",
            "文化体育",
            "Culture and sports",
            &["文体", "文艺"],
        ),
        Code::new(
            "environment",
            "环境保护",
            "Environment",
            &["环保", "清洁家园"],
        ),
        Code::new("safety", "平安巡逻", "Safety patrol", &["治安巡逻", "巡逻"]),
        Code::new("traffic", "文明交通", "Traffic order", &["交通劝导"]),
        Code::new(
            "emergency",
            "应急救援",
            "Emergency relief",
            &["抢险救灾", "防疫"],
        ),
        Code::new("repairs", "便民维修", "Repairs", &["便民服务", "维修"]),
        Code::new(
            "digital",
            "智能技术帮扶",
            "Help with devices",
            &["手机教学"],
        ),
        Code::new("events", "大型活动服务", "Service at events", &["赛会服务"]),
        Code::new("other", "其他", "Other", &["其它"]),
    ],
};
