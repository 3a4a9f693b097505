//! The scenarios: what there is before, what is done, and in which part of it the power fails.

mod desk;
mod machines;
mod office;
mod transfers;

use std::collections::BTreeSet;
use std::path::Path;

use anyhow::{bail, ensure};

use crate::generate::{RosterSpec, roster_xlsx};

/// People and what belongs to them, at the first office.
const PEOPLE: &str = "
    p: 0 add person name=甲 phone=13900000001 remarks=%
    q: 0 add person name=乙 remarks=%
    m: 0 add member name=丙 id_number=350102197001010017 join_date=2019-07-01 category=full status=FULL residence_address=%
    v: 0 add volunteer person=$p remarks=%
    t: 0 add team name=服务队 remarks=%
    a: 0 add activity title=活动 kind=volunteer held_date=2026-11-01 remarks=%
    s: 0 add participation volunteer=$v activity=$a service_date=2026-11-01 content=%
    k: 1 add person name=丁 remarks=%
    quiet";

/// What several scenarios begin with, by a name that stands for it in their lines; each may use those before.
const BEGINNINGS: [(&str, &str); 9] = [
    (
        "<started>",
        "z: 0 transfer start --member $m --to {1} to_unit=某支部 addressee=某工委 dues_paid_to=2026-10",
    ),
    ("<submitted>", "<started>\n0 transfer step $z submit"),
    (
        "<reviewed>",
        "<submitted>\n0 transfer step $z approve_branch\nquiet",
    ),
    (
        "<on its way>",
        "<reviewed>\ndesk transfer step $z approve --as 350102001 valid_days=60\nquiet",
    ),
    (
        "<accepted>",
        "<on its way>\n1 transfer step $z open_check\n1 transfer step $z accept to_branch={1b}",
    ),
    (
        "<entered twice>",
        "w: 0 add person name=甲甲 id_number=350102197001030050 remarks=%
        w2: 0 add person name=甲甲 id_number=350102197001030050 remarks=%",
    ),
    (
        "<in conflict>",
        "desk set person/$p remarks=%\n0 set $p remarks=%\nquiet",
    ),
    (
        "<may issue letters>",
        "o: desk list organisation --where code={0}\ndesk set organisation/$o can_admit_members=1",
    ),
    (
        "<four hundred days>",
        "pass 8640000\nquiet\npass 8640000\nquiet\npass 8640000\nquiet\npass 8640000\nquiet",
    ),
];

fn written_out(lines: &str) -> String {
    let all = BEGINNINGS.iter().rev();
    all.fold(lines.to_owned(), |lines, (name, beginning)| {
        lines.replace(name, beginning)
    })
}

/// One scenario.
#[derive(Debug, Clone)]
pub(super) struct Scenario {
    /// Its name.
    pub(super) name: String,
    /// What is done before, without faults.
    pub(super) before: String,
    /// What is done while the power fails.
    pub(super) lines: String,
    /// Whether the programs run on from before, with full logs.
    pub(super) is_warm: bool,
    /// Whether databases are made or upgraded.
    pub(super) migrates: bool,
}

/// A piece of work: its name, what is there before it, and its lines.
type Work = (&'static str, &'static str, &'static str);

/// In which part of it the power fails.
#[derive(Debug, Clone, Copy)]
enum Part {
    /// Only what is done at the place itself.
    Saved,
    /// Only the way from the first office to the hub.
    Sent,
    /// Only the way on to everybody else.
    Read,
    /// All of it.
    Whole,
}

const PARTS: [(Part, &str); 4] = [
    (Part::Saved, "saved"),
    (Part::Sent, "sent"),
    (Part::Read, "read by all"),
    (Part::Whole, "from beginning to end"),
];

fn scenario(work: &Work, part: Part, named: &str) -> Scenario {
    let (name, before, lines) = work;
    let (before, lines) = match part {
        Part::Saved => ((*before).to_owned(), (*lines).to_owned()),
        Part::Sent => (format!("{before}\n{lines}"), "sync 0".to_owned()),
        Part::Read => (format!("{before}\n{lines}\nsync 0"), "quiet".to_owned()),
        Part::Whole => ((*before).to_owned(), format!("{lines}\nquiet")),
    };
    Scenario {
        name: format!("{name}, {named}"),
        before: format!("{PEOPLE}\n{before}"),
        lines,
        is_warm: false,
        migrates: false,
    }
}

/// All scenarios.
///
/// # Errors
/// Where two have one name, or one begins with what is not known.
pub(super) fn scenarios() -> anyhow::Result<Vec<Scenario>> {
    let mut all = Vec::new();
    for work in office::WORK {
        all.extend(
            PARTS
                .iter()
                .map(|(part, named)| scenario(work, *part, named)),
        );
    }
    for work in desk::WORK.iter().chain(transfers::WORK) {
        let parts = PARTS
            .iter()
            .filter(|(part, _)| matches!(part, Part::Saved | Part::Whole));
        all.extend(parts.map(|(part, named)| scenario(work, *part, named)));
    }
    all.extend(machines::scenarios());
    for scenario in &mut all {
        scenario.before = written_out(&scenario.before);
        scenario.lines = written_out(&scenario.lines);
    }
    let unknown =
        |scenario: &&Scenario| format!("{}{}", scenario.before, scenario.lines).contains('<');
    if let Some(scenario) = all.iter().find(unknown) {
        bail!("{}: a beginning that is not known", scenario.name);
    }
    let names: BTreeSet<_> = all.iter().map(|scenario| &scenario.name).collect();
    ensure!(names.len() == all.len(), "two scenarios have one name");
    Ok(all)
}

/// Writes the tables that are imported.
///
/// # Errors
/// Where a file cannot be written.
pub(super) fn make_tables(folder: &Path) -> anyhow::Result<()> {
    let spec = RosterSpec {
        seed: 11,
        rows: 40,
        ..RosterSpec::default()
    };
    roster_xlsx(&folder.join("members.xlsx"), &spec)?;
    let mut persons = String::from("姓名,手机号码,备注\n");
    for number in 0..40 {
        persons += &format!("外来{number},139000001{number:02},来自表格\n");
    }
    std::fs::write(folder.join("persons.csv"), persons)?;
    Ok(())
}
