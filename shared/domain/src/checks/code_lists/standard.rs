//! Lists of national standards, with the standards' own codes.

use super::{Code, CodeList};

/// Sex (性别), GB/T 2261.1-2003.
pub const SEX: CodeList = CodeList {
    name: "sex",
    standard: "GB/T 2261.1-2003",
    entries: &[
        Code::new("0", "未知的性别", "Unknown", &["未知"]),
        Code::new("1", "男性", "Male", &["男", "M"]),
        Code::new("2", "女性", "Female", &["女", "F"]),
        Code::new("9", "未说明的性别", "Not stated", &["未说明"]),
    ],
};

/// Marital status (婚姻状况), GB/T 2261.2-2003.
pub const MARITAL: CodeList = CodeList {
    name: "marital",
    standard: "GB/T 2261.2-2003",
    entries: &[
        Code::new("10", "未婚", "Never married", &[]),
        Code::new("20", "已婚", "Married", &["有配偶"]),
        Code::new("21", "初婚", "First marriage", &[]),
        Code::new("22", "再婚", "Remarried", &[]),
        Code::new("23", "复婚", "Remarried to the same spouse", &[]),
        Code::new("30", "丧偶", "Widowed", &[]),
        Code::new("40", "离婚", "Divorced", &["离异"]),
        Code::new("90", "未说明的婚姻状况", "Not stated", &["未说明"]),
    ],
};

/// Education (学历), GB/T 4658-2006: the levels, and graduated, completed without diploma and
/// left unfinished (毕业、结业、肄业) in each.
///
/// Words for a level alone (本科, 大专) find the level, since they do not say how it ended.
pub const EDUCATION: CodeList = CodeList {
    name: "education",
    standard: "GB/T 4658-2006",
    entries: &[
        Code::new("10", "研究生教育", "Postgraduate", &["研究生"]),
        Code::new(
            "11",
            "博士研究生毕业",
            "Doctoral graduate",
            &["博士研究生", "博士", "博士毕业"],
        ),
        Code::new("12", "博士研究生结业", "Doctoral course completed", &[]),
        Code::new("13", "博士研究生肄业", "Doctoral course unfinished", &[]),
        Code::new(
            "14",
            "硕士研究生毕业",
            "Master's graduate",
            &["硕士研究生", "硕士", "硕士毕业"],
        ),
        Code::new("15", "硕士研究生结业", "Master's course completed", &[]),
        Code::new("16", "硕士研究生肄业", "Master's course unfinished", &[]),
        Code::new(
            "17",
            "研究生班毕业",
            "Postgraduate class graduate",
            &["研究生班"],
        ),
        Code::new("18", "研究生班结业", "Postgraduate class completed", &[]),
        Code::new("19", "研究生班肄业", "Postgraduate class unfinished", &[]),
        Code::new(
            "20",
            "大学本科教育",
            "Undergraduate",
            &["大学本科", "本科", "大学"],
        ),
        Code::new(
            "21",
            "大学本科毕业",
            "Undergraduate graduate",
            &["本科毕业", "大学毕业"],
        ),
        Code::new(
            "22",
            "大学本科结业",
            "Undergraduate course completed",
            &["本科结业"],
        ),
        Code::new(
            "23",
            "大学本科肄业",
            "Undergraduate course unfinished",
            &["本科肄业"],
        ),
        Code::new(
            "28",
            "大学普通班毕业",
            "Ordinary university class graduate",
            &["大学普通班", "大普"],
        ),
        Code::new(
            "30",
            "大学专科教育",
            "Junior college",
            &["大学专科", "专科", "大专", "高职"],
        ),
        Code::new(
            "31",
            "大学专科毕业",
            "Junior college graduate",
            &["专科毕业", "大专毕业"],
        ),
        Code::new(
            "32",
            "大学专科结业",
            "Junior college completed",
            &["专科结业"],
        ),
        Code::new(
            "33",
            "大学专科肄业",
            "Junior college unfinished",
            &["专科肄业"],
        ),
        Code::new("40", "中等职业教育", "Secondary vocational", &["中职"]),
        Code::new(
            "41",
            "中等专科毕业",
            "Secondary specialised graduate",
            &["中专", "中等专科", "中专毕业"],
        ),
        Code::new(
            "42",
            "中等专科结业",
            "Secondary specialised completed",
            &["中专结业"],
        ),
        Code::new(
            "43",
            "中等专科肄业",
            "Secondary specialised unfinished",
            &["中专肄业"],
        ),
        Code::new(
            "44",
            "职业高中毕业",
            "Vocational high school graduate",
            &["职高", "职业高中", "职高毕业"],
        ),
        Code::new(
            "45",
            "职业高中结业",
            "Vocational high school completed",
            &["职高结业"],
        ),
        Code::new(
            "46",
            "职业高中肄业",
            "Vocational high school unfinished",
            &["职高肄业"],
        ),
        Code::new(
            "47",
            "技工学校毕业",
            "Technical school graduate",
            &["技校", "技工学校", "技校毕业"],
        ),
        Code::new(
            "48",
            "技工学校结业",
            "Technical school completed",
            &["技校结业"],
        ),
        Code::new(
            "49",
            "技工学校肄业",
            "Technical school unfinished",
            &["技校肄业"],
        ),
        Code::new(
            "60",
            "普通高级中学教育",
            "High school",
            &["高中", "普通高中"],
        ),
        Code::new("61", "普通高中毕业", "High school graduate", &["高中毕业"]),
        Code::new("62", "普通高中结业", "High school completed", &["高中结业"]),
        Code::new(
            "63",
            "普通高中肄业",
            "High school unfinished",
            &["高中肄业"],
        ),
        Code::new("70", "初级中学教育", "Junior high school", &["初中"]),
        Code::new("71", "初中毕业", "Junior high school graduate", &[]),
        Code::new("73", "初中肄业", "Junior high school unfinished", &[]),
        Code::new("80", "小学教育", "Primary school", &["小学"]),
        Code::new("81", "小学毕业", "Primary school graduate", &[]),
        Code::new("83", "小学肄业", "Primary school unfinished", &[]),
        Code::new("90", "其他", "Other", &["其它"]),
    ],
};

/// Academic degree (学位), levels of GB/T 6864-2003. No degree is an addition of ours, since forms
/// may not be left blank (`domain.md` 2.1).
pub const DEGREE: CodeList = CodeList {
    name: "degree",
    standard: "GB/T 6864-2003",
    entries: &[
        Code::new("0", "无学位", "None", &["无"]),
        Code::new("1", "名誉博士", "Honorary doctor", &["名誉博士学位"]),
        Code::new("2", "博士", "Doctor", &["博士学位"]),
        Code::new("3", "硕士", "Master", &["硕士学位"]),
        Code::new("4", "学士", "Bachelor", &["学士学位"]),
    ],
};

/// Personal identity (个人身份), GB/T 2261.4-2003. 80 and 90 are as public data sets agree; the
/// standard itself is to be looked up before this is frozen (`domain.md` 11.9).
pub const PERSONAL_IDENTITY: CodeList = CodeList {
    name: "personal_identity",
    standard: "GB/T 2261.4-2003",
    entries: &[
        Code::new("11", "国家公务员", "Civil servant", &["公务员"]),
        Code::new("13", "专业技术人员", "Professional", &[]),
        Code::new("17", "职员", "Staff", &[]),
        Code::new("21", "企业管理人员", "Enterprise manager", &[]),
        Code::new("24", "工人", "Worker", &[]),
        Code::new("27", "农民", "Farmer", &[]),
        Code::new("31", "学生", "Student", &[]),
        Code::new("37", "现役军人", "Serviceman", &["军人"]),
        Code::new("51", "自由职业者", "Freelancer", &["自由职业"]),
        Code::new(
            "54",
            "个体经营者",
            "Self-employed",
            &["个体户", "个体工商户"],
        ),
        Code::new("70", "无业人员", "Unemployed", &["无业"]),
        Code::new(
            "80",
            "退(离)休人员",
            "Retired",
            &[
                "离退休人员",
                "退休人员",
                "离休人员",
                "退休",
                "离休",
                "离退休",
            ],
        ),
        Code::new("90", "其他", "Other", &["其它"]),
    ],
};

/// Political status (政治面貌), GB/T 4762-1984.
pub const POLITICAL_STATUS: CodeList = CodeList {
    name: "political_status",
    standard: "GB/T 4762-1984",
    entries: &[
        Code::new(
            "01",
            "中国共产党党员",
            "Member of the Communist Party of China",
            &["中共党员", "党员", "共产党员"],
        ),
        Code::new(
            "02",
            "中国共产党预备党员",
            "Probationary member of the Communist Party of China",
            &["中共预备党员", "预备党员"],
        ),
        Code::new(
            "03",
            "中国共产主义青年团团员",
            "Member of the Communist Youth League",
            &["共青团员", "团员"],
        ),
        Code::new(
            "04",
            "中国国民党革命委员会会员",
            "Member of the Revolutionary Committee of the Kuomintang",
            &["民革会员", "民革党员", "民革"],
        ),
        Code::new(
            "05",
            "中国民主同盟盟员",
            "Member of the China Democratic League",
            &["民盟盟员", "民盟"],
        ),
        Code::new(
            "06",
            "中国民主建国会会员",
            "Member of the China Democratic National Construction Association",
            &["民建会员", "民建"],
        ),
        Code::new(
            "07",
            "中国民主促进会会员",
            "Member of the China Association for Promoting Democracy",
            &["民进会员", "民进"],
        ),
        Code::new(
            "08",
            "中国农工民主党党员",
            "Member of the Chinese Peasants' and Workers' Democratic Party",
            &["农工党党员", "农工党"],
        ),
        Code::new(
            "09",
            "中国致公党党员",
            "Member of the China Zhi Gong Party",
            &["致公党党员", "致公党"],
        ),
        Code::new(
            "10",
            "九三学社社员",
            "Member of the Jiusan Society",
            &["九三学社"],
        ),
        Code::new(
            "11",
            "台湾民主自治同盟盟员",
            "Member of the Taiwan Democratic Self-Government League",
            &["台盟盟员", "台盟"],
        ),
        Code::new(
            "12",
            "无党派民主人士",
            "Democrat without party",
            &["无党派人士", "无党派"],
        ),
        Code::new("13", "群众", "Masses", &["普通群众"]),
    ],
};
