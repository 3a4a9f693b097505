//! The organisation tree of an invented city, in the proportions of a real one (`domain.md` part
//! 0): of 475 communities 255 have a committee or general branch, with 637 branches and 1,291
//! groups below; the others are a branch by themselves.
//!
//! ```text
//! city ─ districts ─ streets (may admit members) ─ communities (offices) ─ branches ─ groups
//! ```

use std::path::Path;

use domain::checks::code_lists::ORGANISATION_KIND;

use super::names;
use super::table::CsvEncoding;

const COMMUNITIES: usize = 475;
const COMMITTEES: usize = 255;
const BRANCHES: usize = 637;
const GROUPS: usize = 1_291;
const COMMUNITIES_PER_STREET: usize = 10;
const COMMUNITIES_PER_DISTRICT: usize = 80;
const CITY_CODE: &str = "350100";
const DISTRICTS: [(&str, &str); 6] = [
    ("350102", "城东区"),
    ("350103", "城西区"),
    ("350104", "城南区"),
    ("350105", "江口区"),
    ("350111", "城北区"),
    ("350112", "海滨区"),
];
const HEADINGS: [&str; 7] = [
    "编码",
    "名称",
    "简称",
    "类型",
    "上级编码",
    "是否社区",
    "可审批预备党员",
];

/// An organisation of the tree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Organisation {
    /// Six digits of city or district, nine of a street, twelve of a community; a branch and a
    /// group have three more each.
    pub code: String,
    /// Full name (名称).
    pub name: String,
    /// Short name (简称).
    pub short_name: String,
    /// Code of the list `organisation_kind`.
    pub kind: &'static str,
    /// Code of the organisation above; none for the city.
    pub parent: Option<String>,
    /// Whether it is a community with a node of its own.
    pub is_office: bool,
    /// Whether it approves probationary members.
    pub can_admit_members: bool,
}

/// A city.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct City {
    /// All organisations, each behind the one above it.
    pub organisations: Vec<Organisation>,
}

impl City {
    /// The communities.
    pub fn offices(&self) -> impl Iterator<Item = &Organisation> {
        self.organisations
            .iter()
            .filter(|organisation| organisation.is_office)
    }

    /// What stands directly below an organisation.
    pub fn below<'a>(&'a self, code: &'a str) -> impl Iterator<Item = &'a Organisation> {
        self.organisations
            .iter()
            .filter(move |below| below.parent.as_deref() == Some(code))
    }

    fn add(&mut self, organisation: Organisation) {
        self.organisations.push(organisation);
    }
}

impl Organisation {
    /// Chinese label of its kind.
    pub fn kind_zh(&self) -> &'static str {
        ORGANISATION_KIND.zh(self.kind).unwrap_or_default()
    }
}

/// The tree of a city with so many communities; the seed gives the names only.
pub fn city(seed: u64, communities: usize) -> City {
    let mut city = City {
        organisations: Vec::new(),
    };
    city.add(Organisation {
        code: CITY_CODE.to_owned(),
        name: "中共榕江市委员会".to_owned(),
        short_name: "榕江市".to_owned(),
        kind: "committee",
        parent: None,
        is_office: false,
        can_admit_members: true,
    });
    let districts = communities
        .div_ceil(COMMUNITIES_PER_DISTRICT)
        .clamp(1, DISTRICTS.len());
    for (code, name) in &DISTRICTS[..districts] {
        city.add(Organisation {
            code: (*code).to_owned(),
            name: format!("中共榕江市{name}委员会"),
            short_name: (*name).to_owned(),
            kind: "committee",
            parent: Some(CITY_CODE.to_owned()),
            is_office: false,
            can_admit_members: true,
        });
    }
    let streets = add_streets(
        &mut city,
        communities.div_ceil(COMMUNITIES_PER_STREET),
        districts,
    );
    let mut built = Built::default();
    for index in 0..communities {
        if let Some(street) = streets.get(index / COMMUNITIES_PER_STREET) {
            add_community(&mut city, street, seed, index, &mut built);
        }
    }
    city
}

/// Writes the organisations for `lianxin-hub org import`: UTF-8 with a mark, 是 and 否 for yes and
/// no.
///
/// # Errors
/// Where the file cannot be written.
pub fn organisations_csv(path: &Path, city: &City) -> anyhow::Result<()> {
    use super::table::{Heading, Table, Value};
    let yes_no = |yes: bool| Value::of(if yes { "是" } else { "否" });
    let rows = city.organisations.iter().map(|organisation| {
        vec![
            Value::of(&organisation.code),
            Value::of(&organisation.name),
            Value::of(&organisation.short_name),
            Value::of(organisation.kind_zh()),
            Value::of(organisation.parent.as_deref().unwrap_or_default()),
            yes_no(organisation.is_office),
            yes_no(organisation.can_admit_members),
        ]
    });
    let table = Table {
        titles: Vec::new(),
        headings: HEADINGS
            .iter()
            .map(|text| Heading { above: "", text })
            .collect(),
        two_level_headings: false,
        rows: rows.collect(),
        footer: Vec::new(),
    };
    table.write_csv(path, CsvEncoding::Utf8Bom)
}

/// How many of each there are already.
#[derive(Debug, Default)]
struct Built {
    committees: usize,
    branches: usize,
}

/// How many of `parts` fall to the unit with this index, when they are spread evenly over `wholes`.
fn share(index: usize, parts: usize, wholes: usize) -> usize {
    (index + 1) * parts / wholes - index * parts / wholes
}

/// Streets, spread evenly over the districts; gives their codes.
fn add_streets(city: &mut City, streets: usize, districts: usize) -> Vec<String> {
    let mut codes = Vec::with_capacity(streets);
    let mut in_district = [0; DISTRICTS.len()];
    for street in 0..streets {
        let district = street * districts / streets;
        in_district[district] += 1;
        let (district_code, _) = DISTRICTS[district];
        let code = format!("{district_code}{:03}", in_district[district]);
        let name = format!("{}街道", names::place(u64::MAX, street as u64));
        city.add(Organisation {
            code: code.clone(),
            name: format!("中共榕江市{name}工作委员会"),
            short_name: name,
            kind: "working_committee",
            parent: Some(district_code.to_owned()),
            is_office: false,
            can_admit_members: true,
        });
        codes.push(code);
    }
    codes
}

fn add_community(city: &mut City, street: &str, seed: u64, index: usize, built: &mut Built) {
    let community = format!("{}社区", names::place(seed, index as u64));
    let code = format!("{street}{:03}", index % COMMUNITIES_PER_STREET + 1);
    let has_branches = share(index, COMMITTEES, COMMUNITIES) == 1;
    let (kind, ending) = match (has_branches, built.committees % 2) {
        (false, _) => ("branch", "支部委员会"),
        (true, 0) => ("committee", "委员会"),
        (true, _) => ("general_branch", "总支部委员会"),
    };
    city.add(Organisation {
        code: code.clone(),
        name: format!("中共{community}{ending}"),
        short_name: community.clone(),
        kind,
        parent: Some(street.to_owned()),
        is_office: true,
        can_admit_members: false,
    });
    if !has_branches {
        return;
    }
    let branches = share(built.committees, BRANCHES, COMMITTEES);
    built.committees += 1;
    for number in 0..branches {
        add_branch(city, &code, &community, index + number, number, built);
    }
}

fn add_branch(
    city: &mut City,
    community_code: &str,
    community: &str,
    compound: usize,
    number: usize,
    built: &mut Built,
) {
    let compound = names::compound(compound);
    let code = format!("{community_code}{:03}", number + 1);
    city.add(Organisation {
        code: code.clone(),
        name: format!("中共{community}{compound}支部委员会"),
        short_name: format!("{compound}党支部"),
        kind: "branch",
        parent: Some(community_code.to_owned()),
        is_office: false,
        can_admit_members: false,
    });
    let groups = share(built.branches, GROUPS, BRANCHES);
    built.branches += 1;
    for group in 1..=groups {
        city.add(Organisation {
            code: format!("{code}{group:03}"),
            name: format!("{community}{compound}第{group}党小组"),
            short_name: format!("{compound}第{group}党小组"),
            kind: "group",
            parent: Some(code.clone()),
            is_office: false,
            can_admit_members: false,
        });
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use domain::checks::area_code::AreaCode;

    use super::*;

    #[test]
    fn a_whole_city_has_the_numbers_of_the_article() {
        let city = city(1, COMMUNITIES);
        let count = |kind: &str, is_office: bool| {
            let is = |o: &&Organisation| o.kind == kind && o.is_office == is_office;
            city.organisations.iter().filter(is).count()
        };
        assert_eq!(city.offices().count(), 475);
        assert_eq!(
            count("committee", true) + count("general_branch", true),
            255
        );
        assert_eq!(count("branch", false), 637);
        assert_eq!(count("group", false), 1_291);
        assert_eq!(count("working_committee", false), 48);
    }

    #[test]
    fn every_organisation_stands_behind_the_one_above_it() {
        for communities in [0, 1, 3, 10, 11, 100, 475, 900] {
            let city = city(2, communities);
            let mut codes = BTreeSet::new();
            let mut names = BTreeSet::new();
            for organisation in &city.organisations {
                let parent = organisation.parent.as_ref();
                assert!(parent.is_none_or(|parent| codes.contains(parent)));
                assert!(codes.insert(organisation.code.clone()), "{organisation:?}");
                assert!(names.insert(organisation.name.clone()), "{organisation:?}");
                assert!(!organisation.kind_zh().is_empty());
                if organisation.is_office {
                    assert!(
                        AreaCode::parse(&organisation.code).is_ok(),
                        "{organisation:?}"
                    );
                }
            }
            assert_eq!(city.offices().count(), communities);
        }
    }
}
