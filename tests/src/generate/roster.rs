//! Rosters as offices keep them: of members (党员花名册) and of volunteers (志愿者名册).

use std::path::Path;

use jiff::civil::Date;

use super::chance::Chance;
use super::dirt::{Cells, Dirt};
use super::person::{Person, TODAY, back};
use super::table::{CsvEncoding, Heading, Table, Value};

/// Mixed into the label of a row for what is not of the person himself.
const OF_THE_ROW: u64 = 1 << 63;
const SKILLS: &[&str] = &[
    "医护",
    "法律",
    "维修",
    "书法",
    "理发",
    "心理疏导",
    "电脑",
    "文艺",
    "",
];
const SERVICE_TYPES: &[&str] = &["助业", "助医", "助老", "助困", "助学"];
const TIMES: &[&str] = &["周末", "工作日晚上", "全天", "寒暑假"];
const TEAMS: &[&str] = &[
    "老爸义工队",
    "巾帼服务队",
    "平安巡逻队",
    "青年服务队",
    "法律援助队",
    "文艺服务队",
];

/// What a roster is like.
#[derive(Debug, Clone, PartialEq)]
pub struct RosterSpec {
    /// Everything follows from it.
    pub seed: u64,
    /// How many people stand in it.
    pub rows: usize,
    /// Index of the first person. Offices of one city share the seed and take ranges that do not
    /// meet, so that nobody stands in two rosters.
    pub first: u64,
    /// Name of the office, for titles.
    pub office_name: String,
    /// The share of rows with a [`Dirt`], from 0 to 1.
    pub dirt: f64,
    /// Whether headings stand in two levels, as 个人信息 over 姓名, 性别 and so on.
    pub two_level_headings: bool,
    /// How many lines stand above the headings; at most three.
    pub title_rows: usize,
    /// Whether a sum and signatures stand below.
    pub footer: bool,
    /// Names of branches; if there are some, members have a column 所在党支部.
    pub branches: Vec<String>,
}

/// A roster, and what is wrong with it.
#[derive(Debug, Clone, PartialEq)]
pub struct Roster {
    /// The table.
    pub table: Table,
    /// Damaged rows, from 0, with their damage.
    pub dirty: Vec<(usize, Dirt)>,
}

impl Default for RosterSpec {
    fn default() -> Self {
        Self {
            seed: 1,
            rows: 72,
            first: 0,
            office_name: "东湖社区".to_owned(),
            dirt: 0.0,
            two_level_headings: false,
            title_rows: 2,
            footer: true,
            branches: Vec::new(),
        }
    }
}

impl Roster {
    /// How many rows of a workbook cannot be imported as they stand.
    pub fn unreadable(&self) -> usize {
        self.count(|dirt| !dirt.is_readable())
    }

    /// How many rows of a text table cannot be imported as they stand.
    pub fn unreadable_as_text(&self) -> usize {
        self.count(|dirt| !dirt.is_readable_as_text())
    }

    fn count(&self, wanted: impl Fn(Dirt) -> bool) -> usize {
        self.dirty.iter().filter(|(_, dirt)| wanted(*dirt)).count()
    }
}

/// A roster of members.
pub fn roster(spec: &RosterSpec) -> Roster {
    let mut headings = vec![
        top("序号"),
        under("个人信息", "姓名"),
        under("个人信息", "性别"),
        under("个人信息", "民族"),
        under("个人信息", "公民身份号码"),
        under("个人信息", "出生日期"),
        under("个人信息", "学历"),
        under("党籍信息", "入党日期"),
        under("党籍信息", "转正日期"),
        under("党籍信息", "党员类别"),
        under("联系方式", "联系电话"),
        under("联系方式", "现居住地"),
        top("工作单位"),
        top("备注"),
    ];
    if !spec.branches.is_empty() {
        headings.push(top("所在党支部"));
    }
    build(
        spec,
        "党员花名册",
        headings,
        |person, chance, branches| {
            let member = person.membership(chance);
            let remark =
                chance.weighted(&[("", 90), ("困难党员", 4), ("流动党员", 4), ("退役军人", 2)]);
            let mut cells = vec![
                Value::of(person.ethnicity),
                Value::of(&person.id_number),
                Value::Date(person.birth),
                Value::of(person.education),
                Value::Date(member.join_date),
                member.conversion_date.map_or(Value::Blank, Value::Date),
                Value::of(member.category()),
                Value::of(&person.phone),
                Value::of(&person.address),
                Value::of(person.work_unit),
                Value::of(remark),
            ];
            if !branches.is_empty() {
                cells.push(Value::of(chance.pick::<String>(branches)));
            }
            cells
        },
    )
}

/// A roster of volunteers. Its people are others than the members of the same spec only if `first`
/// is.
pub fn volunteers(spec: &RosterSpec) -> Roster {
    let headings = vec![
        top("序号"),
        under("个人信息", "姓名"),
        under("个人信息", "性别"),
        under("个人信息", "民族"),
        under("个人信息", "公民身份号码"),
        under("个人信息", "出生日期"),
        under("个人信息", "学历"),
        under("联系方式", "联系电话"),
        under("联系方式", "现居住地"),
        under("志愿服务", "专业技能"),
        under("志愿服务", "服务类别"),
        under("志愿服务", "可服务时间"),
        under("志愿服务", "所属服务队"),
        under("志愿服务", "注册日期"),
        top("备注"),
    ];
    build(spec, "志愿者名册", headings, |person, chance, _| {
        vec![
            Value::of(person.ethnicity),
            Value::of(&person.id_number),
            Value::Date(person.birth),
            Value::of(person.education),
            Value::of(&person.phone),
            Value::of(&person.address),
            Value::of(chance.word(SKILLS)),
            Value::of(chance.word(SERVICE_TYPES)),
            Value::of(chance.word(TIMES)),
            Value::of(chance.word(TEAMS)),
            Value::Date(back(chance.between(1, 5_000))),
            Value::Blank,
        ]
    })
}

/// Writes a roster of members as a workbook and says what is wrong with it.
///
/// # Errors
/// Where the file cannot be written.
pub fn roster_xlsx(path: &Path, spec: &RosterSpec) -> anyhow::Result<Roster> {
    let roster = roster(spec);
    roster.table.write_xlsx(path)?;
    Ok(roster)
}

/// Writes a roster of members as text and says what is wrong with it.
///
/// # Errors
/// Where the file cannot be written.
pub fn roster_csv(path: &Path, spec: &RosterSpec, encoding: CsvEncoding) -> anyhow::Result<Roster> {
    let roster = roster(spec);
    roster.table.write_csv(path, encoding)?;
    Ok(roster)
}

/// Writes a roster of volunteers as a workbook and says what is wrong with it.
///
/// # Errors
/// Where the file cannot be written.
pub fn volunteers_xlsx(path: &Path, spec: &RosterSpec) -> anyhow::Result<Roster> {
    let roster = volunteers(spec);
    roster.table.write_xlsx(path)?;
    Ok(roster)
}

/// Writes a roster of volunteers as text and says what is wrong with it.
///
/// # Errors
/// Where the file cannot be written.
pub fn volunteers_csv(
    path: &Path,
    spec: &RosterSpec,
    encoding: CsvEncoding,
) -> anyhow::Result<Roster> {
    let roster = volunteers(spec);
    roster.table.write_csv(path, encoding)?;
    Ok(roster)
}

fn top(text: &'static str) -> Heading {
    Heading { above: "", text }
}

fn under(above: &'static str, text: &'static str) -> Heading {
    Heading { above, text }
}

/// The table, whose rows begin with serial, name and sex and go on as `rest` says: 民族, 公民身份号码,
/// 出生日期 and others.
fn build(
    spec: &RosterSpec,
    title: &str,
    headings: Vec<Heading>,
    rest: impl Fn(&Person, &mut Chance, &[String]) -> Vec<Value>,
) -> Roster {
    let mut rows = Vec::with_capacity(spec.rows);
    let mut dirty = Vec::new();
    for (row, index) in (0..spec.rows).zip(spec.first..) {
        let person = Person::new(spec.seed, index);
        let mut chance = Chance::of(spec.seed, index | OF_THE_ROW);
        let mut cells = vec![
            Value::of(&(row + 1).to_string()),
            Value::of(&person.name),
            Value::of(person.sex.zh()),
        ];
        cells.extend(rest(&person, &mut chance, &spec.branches));
        if chance.happens(spec.dirt) {
            let wanted = *chance.pick(&Dirt::ALL);
            dirty.extend(
                soil(wanted, &mut chance, &mut cells, person.birth).map(|dirt| (row, dirt)),
            );
        }
        rows.push(cells);
    }
    let titles = [
        format!("{}{title}", spec.office_name),
        format!(
            "填报单位：{}　　填报日期：{}",
            spec.office_name,
            TODAY.strftime("%Y年%-m月%-d日")
        ),
        "说明：本表数据均为虚构，仅供测试。".to_owned(),
    ];
    let footer = [
        format!("合计：{} 人", spec.rows),
        "填表人：　　　　审核人：　　　　负责人（签章）：".to_owned(),
    ];
    let footer_rows = if spec.footer { footer.len() } else { 0 };
    let table = Table {
        titles: titles.into_iter().take(spec.title_rows).collect(),
        headings,
        two_level_headings: spec.two_level_headings,
        rows,
        footer: footer.into_iter().take(footer_rows).collect(),
    };
    Roster { table, dirty }
}

fn soil(wanted: Dirt, chance: &mut Chance, cells: &mut [Value], birth: Date) -> Option<Dirt> {
    let [_, name, _, _, id_number, birth_cell, ..] = cells else {
        return None;
    };
    Some(wanted.apply(
        chance,
        &mut Cells {
            name,
            id_number,
            birth: birth_cell,
        },
        birth,
    ))
}

#[cfg(test)]
#[allow(clippy::expect_used, reason = "tests")]
mod tests {
    use std::collections::BTreeSet;

    use domain::checks::id_number::{self, IdNumber, IdNumberRefused};

    use super::*;

    fn dirty_spec() -> RosterSpec {
        RosterSpec {
            rows: 2_000,
            dirt: 0.5,
            ..RosterSpec::default()
        }
    }

    #[test]
    fn a_longer_roster_begins_with_the_shorter_one() {
        let long = roster(&dirty_spec());
        let short = roster(&RosterSpec {
            rows: 100,
            ..dirty_spec()
        });
        assert_eq!(
            long.table.rows.get(..100),
            Some(short.table.rows.as_slice())
        );
    }

    #[test]
    fn every_dirt_occurs_and_is_what_it_says() {
        let roster = roster(&dirty_spec());
        let seen: BTreeSet<Dirt> = roster.dirty.iter().map(|(_, dirt)| *dirt).collect();
        assert_eq!(seen.len(), Dirt::ALL.len(), "{seen:?}");
        for (row, dirt) in &roster.dirty {
            let cells = roster.table.rows.get(*row).expect("a row");
            let id = cells.get(4).expect("an ID number").text();
            let parsed = IdNumber::parse(&id);
            match dirt {
                Dirt::FifteenDigits => {
                    assert!(
                        matches!(parsed, Err(IdNumberRefused::Fifteen { .. })),
                        "{id}"
                    );
                }
                Dirt::WrongCheck | Dirt::DamagedByExcel | Dirt::Exponent => {
                    assert!(parsed.is_err(), "{id}");
                }
                Dirt::LowerX | Dirt::FullWidthDigits | Dirt::Spaces => {
                    assert!(parsed.is_ok() && id != id_number::normalise(&id), "{id}");
                }
                _ => assert!(parsed.is_ok(), "{dirt:?} {id}"),
            }
        }
    }

    #[test]
    fn a_clean_roster_is_clean_and_every_row_fills_the_headings() {
        let spec = RosterSpec {
            branches: vec!["一支部".to_owned()],
            ..RosterSpec::default()
        };
        for roster in [roster(&spec), volunteers(&spec)] {
            assert!(roster.dirty.is_empty());
            let width = roster.table.headings.len();
            assert!(roster.table.rows.iter().all(|row| row.len() == width));
        }
    }
}
