//! Invented names: of persons by how frequent their parts are in Fujian, and of places.

use super::chance::Chance;
use super::person::Sex;

/// Surnames with a weight: roughly people in ten thousand in Fujian.
const SURNAMES: &[(&str, u32)] = &[
    ("陈", 1105),
    ("林", 1002),
    ("黄", 585),
    ("张", 528),
    ("吴", 441),
    ("李", 423),
    ("郑", 325),
    ("王", 320),
    ("刘", 246),
    ("苏", 195),
    ("杨", 180),
    ("叶", 172),
    ("蔡", 165),
    ("许", 160),
    ("谢", 130),
    ("周", 125),
    ("江", 110),
    ("郭", 108),
    ("何", 104),
    ("朱", 96),
    ("徐", 92),
    ("邱", 90),
    ("曾", 88),
    ("罗", 84),
    ("赖", 78),
    ("肖", 76),
    ("洪", 74),
    ("余", 70),
    ("方", 66),
    ("潘", 64),
    ("高", 60),
    ("赵", 58),
    ("魏", 54),
    ("游", 50),
    ("卢", 48),
    ("詹", 46),
    ("胡", 44),
    ("翁", 42),
    ("薛", 36),
    ("蓝", 34),
    ("雷", 32),
    ("俞", 26),
    ("阮", 24),
    ("念", 12),
    ("庄", 22),
    ("池", 18),
    ("欧阳", 8),
    ("上官", 6),
    ("司马", 2),
    ("诸葛", 2),
    ("单", 4),
    ("仇", 3),
    ("区", 3),
];
const MALE: &[&str] = &[
    "伟", "强", "军", "勇", "杰", "涛", "明", "辉", "鹏", "斌", "建", "国", "志", "文", "华", "平",
    "庆", "福", "德", "忠", "祥", "宏", "海", "峰", "龙", "浩", "宇", "俊", "健", "毅", "荣", "生",
    "金", "木", "水", "根", "家", "振", "永", "瑞",
];
const FEMALE: &[&str] = &[
    "芳", "敏", "静", "丽", "娟", "艳", "秀", "英", "玉", "兰", "梅", "萍", "红", "霞", "燕", "玲",
    "婷", "雪", "慧", "洁", "琴", "云", "珍", "月", "莲", "香", "淑", "惠", "美", "凤", "晶", "欣",
    "佳", "怡", "榕", "莉", "琳", "颖", "珠", "钗",
];
/// Characters that registers spell wrong: heavy ones, one outside GBK, and some outside the Basic
/// Multilingual Plane, which only GB18030 and UTF-8 carry.
const RARE: &[&str] = &[
    "犇",
    "淼",
    "垚",
    "翀",
    "赟",
    "堃",
    "喆",
    "旻",
    "䶮",
    "㛃",
    "\u{2cc56}",
    "\u{2b5af}",
    "\u{2cb4e}",
];
const MINORITIES: &[(&str, u32)] = &[
    ("畲族", 50),
    ("回族", 20),
    ("满族", 12),
    ("土家族", 10),
    ("苗族", 10),
    ("维吾尔族", 8),
];
const SHE_SURNAMES: &[&str] = &["蓝", "雷", "钟", "盘"];
const UYGUR: (&[&str], &[&str], &[&str]) = (
    &["艾尔肯", "买买提", "阿不都", "吐尔逊", "库尔班"],
    &["阿依古丽", "古丽娜尔", "帕提古丽", "热依汗", "米娜瓦尔"],
    &["买买提", "吐尔逊", "阿不力孜", "肉孜", "依明"],
);

/// A name with its people (民族).
pub(crate) fn name(chance: &mut Chance, sex: Sex) -> (String, &'static str) {
    if chance.happens(0.975) {
        return (han(chance, sex, None), "汉族");
    }
    let people = chance.weighted(MINORITIES);
    let name = match people {
        "维吾尔族" => {
            let (men, women, fathers) = UYGUR;
            let given = chance.word(if sex == Sex::Male { men } else { women });
            format!("{given}·{}", chance.word(fathers))
        }
        "畲族" => {
            let surname = chance.word(SHE_SURNAMES);
            han(chance, sex, Some(surname))
        }
        _ => han(chance, sex, None),
    };
    (name, people)
}

fn han(chance: &mut Chance, sex: Sex, surname: Option<&str>) -> String {
    let mut name = surname
        .unwrap_or_else(|| chance.weighted(SURNAMES))
        .to_owned();
    let given = if sex == Sex::Male { MALE } else { FEMALE };
    if chance.happens(0.82) {
        name.push_str(chance.word(given));
    }
    let last = if chance.happens(0.02) { RARE } else { given };
    name.push_str(chance.word(last));
    name
}

const FIRST: &[&str] = &[
    "东湖", "西苑", "南桥", "北辰", "榕荫", "金泉", "玉带", "锦江", "青云", "白鹭", "荷塘", "柳堤",
    "枫林", "松涛", "竹屿", "梅亭", "兰圃", "菊园", "桂香", "桃溪", "杏林", "橘园", "茶亭", "鼓岭",
];
const SECOND: &[&str] = &[
    "", "新村", "一里", "二里", "花园", "前街", "后街", "河畔", "山脚", "桥头", "广场", "中路",
    "东路", "西路", "南岸", "北岸", "湾", "坪", "岸", "洲", "坊", "埕",
];
const COMPOUNDS: &[&str] = &[
    "春晖苑",
    "锦绣园",
    "阳光城",
    "碧水湾",
    "翠竹居",
    "丽景苑",
    "安泰新村",
    "书香里",
    "福康苑",
    "和睦园",
    "金桂苑",
    "银杏居",
    "望江楼",
    "聚贤里",
    "天和苑",
    "紫荆园",
];
const UNITS: &[&str] = &[
    "榕江市示范小学",
    "榕江市第九十九中学",
    "榕江市公交示范公司",
    "榕江示范电子有限公司",
    "榕江示范酒家",
    "榕江市示范医院",
    "榕江示范物业有限公司",
    "榕江示范纺织厂",
    "榕江市示范区税务所",
    "榕江示范物流有限公司",
];

/// How many names of communities there are.
pub(crate) const PLACES: u64 = (FIRST.len() * SECOND.len()) as u64;

/// The name of a community without 社区: a different one for every index below [`PLACES`], with a
/// number behind it from there on.
pub(crate) fn place(seed: u64, index: u64) -> String {
    // 101 shares no factor with the number of names, so no name comes twice.
    let start = Chance::of(seed, 0x70_6c_61_63_65).below(PLACES);
    let drawn = usize::try_from((start + index * 101) % PLACES).unwrap_or_default();
    let name = format!(
        "{}{}",
        FIRST[drawn % FIRST.len()],
        SECOND[drawn / FIRST.len()]
    );
    match index / PLACES {
        0 => name,
        round => format!("{name}第{}", round + 1),
    }
}

/// The name of a residential compound (小区).
pub(crate) fn compound(index: usize) -> &'static str {
    COMPOUNDS[index % COMPOUNDS.len()]
}

/// An address in the invented city.
pub(crate) fn address(chance: &mut Chance) -> String {
    let district = chance.word(&["城东区", "城西区", "城南区", "城北区"]);
    let road = chance.word(FIRST);
    let compound = chance.word(COMPOUNDS);
    let (number, house) = (chance.between(1, 288), chance.between(1, 24));
    let (floor, door) = (chance.between(1, 18), chance.between(1, 4));
    format!("榕江市{district}{road}路{number}号{compound}{house}栋{floor}{door:02}室")
}

/// Where somebody works; empty for the retired, now and then 退休.
pub(crate) fn work_unit(chance: &mut Chance, age: i16) -> &'static str {
    if age >= 60 {
        if chance.happens(0.5) { "退休" } else { "" }
    } else if chance.happens(0.1) {
        ""
    } else {
        chance.word(UNITS)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use domain::checks::code_lists::ETHNICITY;

    use super::*;

    #[test]
    fn names_are_names_and_their_people_are_on_the_list() {
        let mut chance = Chance::new(3);
        let mut dots = 0;
        for _ in 0..5_000 {
            let (name, people) = name(&mut chance, Sex::Female);
            assert_eq!(
                domain::checks::name::normalise(&name).as_deref(),
                Ok(name.as_str())
            );
            assert!(ETHNICITY.find(people).is_some(), "{people}");
            dots += usize::from(name.contains('·'));
        }
        assert!(dots > 0);
    }

    #[test]
    fn no_two_communities_bear_one_name() {
        let names: BTreeSet<String> = (0..1_000).map(|index| place(9, index)).collect();
        assert_eq!(names.len(), 1_000);
    }
}
