//! Invented persons, and what makes one of them a member.

use domain::checks::date::{add_days, add_months, days_between};
use domain::checks::id_number::check_character;
use jiff::civil::{Date, date};

use super::chance::Chance;
use super::names;

/// The day on which the generated rosters were drawn up.
pub const TODAY: Date = date(2026, 11, 1);

const FIRST_BIRTH: Date = date(1934, 1, 1);
const LAST_BIRTH: Date = date(2004, 12, 31);
/// Area codes of the city itself and of its districts taken together (GB/T 2260): nobody is
/// registered under them, so no number made here is anybody's.
const AREAS: [&str; 2] = ["350100", "350101"];
/// Numbers that one area gives out for one day: 001 to 999.
const PER_DAY: u64 = 999;
/// Half the bits of the numbers that are put into another order; 2^26 is more than there are ID
/// numbers.
const HALF_BITS: u32 = 13;
/// Beginnings of mobile numbers that no operator has.
const MOBILE: [&str; 8] = ["154", "160", "161", "163", "164", "168", "169", "194"];
const EDUCATION_OLD: &[(&str, u32)] = &[
    ("小学", 20),
    ("初中", 30),
    ("高中", 22),
    ("中专", 14),
    ("大专", 9),
    ("大学本科", 5),
];
const EDUCATION_YOUNG: &[(&str, u32)] = &[
    ("初中", 4),
    ("高中", 10),
    ("中专", 9),
    ("大专", 30),
    ("大学本科", 37),
    ("硕士研究生", 9),
    ("博士", 1),
];

/// The sex of a person.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sex {
    /// 男.
    Male,
    /// 女.
    Female,
}

/// An invented person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Person {
    /// Name (姓名).
    pub name: String,
    /// Sex (性别), as the ID number says.
    pub sex: Sex,
    /// Label of GB/T 3304 (民族).
    pub ethnicity: &'static str,
    /// Eighteen characters with the right check character (公民身份号码).
    pub id_number: String,
    /// Birth date (出生日期), as the ID number says.
    pub birth: Date,
    /// Telephone (联系电话); empty for a few of the old.
    pub phone: String,
    /// Label or synonym of GB/T 4658 (学历).
    pub education: &'static str,
    /// Residence (现居住地).
    pub address: String,
    /// Work unit (工作单位); may be empty.
    pub work_unit: &'static str,
}

/// What makes a person a member.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Membership {
    /// Join date (入党日期).
    pub join_date: Date,
    /// Conversion date (转正日期), a year later; none for a probationary member.
    pub conversion_date: Option<Date>,
}

impl Sex {
    /// 男 or 女.
    pub fn zh(self) -> &'static str {
        match self {
            Self::Male => "男",
            Self::Female => "女",
        }
    }
}

impl Person {
    /// The person with this index. Two persons of one seed never have the same ID number, up to
    /// fifty million of them.
    pub fn new(seed: u64, index: u64) -> Self {
        let (id_number, birth, sex) = identity(seed, index);
        let mut chance = Chance::of(seed, index);
        let (name, ethnicity) = names::name(&mut chance, sex);
        let age = TODAY.year() - birth.year();
        let is_reachable = age < 75 || chance.happens(0.9);
        let phone = if is_reachable {
            phone(&mut chance)
        } else {
            String::new()
        };
        let education = if age >= 60 {
            EDUCATION_OLD
        } else {
            EDUCATION_YOUNG
        };
        Self {
            name,
            sex,
            ethnicity,
            id_number,
            birth,
            phone,
            education: chance.weighted(education),
            address: names::address(&mut chance),
            work_unit: names::work_unit(&mut chance, age),
        }
    }

    /// This person's membership; three in a hundred are probationary.
    pub fn membership(&self, chance: &mut Chance) -> Membership {
        if chance.happens(0.03) {
            let join_date = back(chance.between(10, 350));
            return Membership {
                join_date,
                conversion_date: None,
            };
        }
        let grown = add_months(self.birth, 18 * 12 + 3).unwrap_or(TODAY);
        let days = days_between(grown, back(400)).clamp(0, 14_000);
        let join_date = later(grown, chance.below(days.unsigned_abs() + 1));
        Membership {
            join_date,
            conversion_date: add_months(join_date, 12),
        }
    }
}

impl Membership {
    /// 正式党员 or 预备党员.
    pub fn category(&self) -> &'static str {
        if self.conversion_date.is_some() {
            "正式党员"
        } else {
            "预备党员"
        }
    }
}

/// The ID number with the birth date and the sex that it says.
fn identity(seed: u64, index: u64) -> (String, Date, Sex) {
    let areas = u64::try_from(AREAS.len()).unwrap_or(1);
    let place = scatter(seed, index, days() * PER_DAY * areas);
    let area = AREAS[usize::try_from(place % areas).unwrap_or_default()];
    let serial = place / areas % PER_DAY + 1;
    let birth = later(FIRST_BIRTH, place / areas / PER_DAY);
    let sex = if serial % 2 == 1 {
        Sex::Male
    } else {
        Sex::Female
    };
    let mut number = format!("{area}{}{serial:03}", birth.strftime("%Y%m%d"));
    number.extend(check_character(&number));
    (number, birth, sex)
}

/// Days on which somebody was born.
fn days() -> u64 {
    days_between(FIRST_BIRTH, LAST_BIRTH).unsigned_abs() + 1
}

/// The place of an index in an order of all numbers below `end` that the seed gives: each has one
/// place. A Feistel network of four rounds, repeated until the number is below `end`.
fn scatter(seed: u64, index: u64, end: u64) -> u64 {
    let mask = (1 << HALF_BITS) - 1;
    let mut place = index % end;
    loop {
        for round in 0..4 {
            let (left, right) = (place >> HALF_BITS, place & mask);
            let mixed = Chance::of(seed ^ (round << 60), right).any() & mask;
            place = (right << HALF_BITS) | (left ^ mixed);
        }
        if place < end {
            return place;
        }
    }
}

fn phone(chance: &mut Chance) -> String {
    if chance.happens(0.04) {
        // No number of the area begins with 5.
        return format!("0591-5{:07}", chance.below(10_000_000));
    }
    format!("{}{:08}", chance.word(&MOBILE), chance.below(100_000_000))
}

/// So many days after a date.
pub(crate) fn later(date: Date, days: u64) -> Date {
    i64::try_from(days)
        .ok()
        .and_then(|days| add_days(date, days))
        .unwrap_or(date)
}

/// So many days before [`TODAY`].
pub(crate) fn back(days: u64) -> Date {
    i64::try_from(days)
        .ok()
        .and_then(|days| add_days(TODAY, -days))
        .unwrap_or(TODAY)
}

#[cfg(test)]
#[allow(clippy::expect_used, reason = "tests")]
mod tests {
    use std::collections::BTreeSet;

    use domain::checks::code_lists::EDUCATION;
    use domain::checks::id_number::{self, IdNumber};
    use domain::checks::phone::PhoneNumber;

    use super::*;

    #[test]
    fn every_person_passes_the_checks_of_the_product() {
        let mut numbers = BTreeSet::new();
        for index in 0..5_000 {
            let person = Person::new(7, index);
            let id = IdNumber::parse(&person.id_number).expect("a valid number");
            assert_eq!(id.birth_date(), person.birth);
            assert_eq!(id.sex() == id_number::Sex::Male, person.sex == Sex::Male);
            assert!(person.phone.is_empty() || PhoneNumber::parse(&person.phone).is_ok());
            assert!(
                EDUCATION.find(person.education).is_some(),
                "{}",
                person.education
            );
            assert!(numbers.insert(person.id_number), "twice at {index}");
        }
    }

    #[test]
    fn dates_of_members_follow_the_rules() {
        let mut probationary = 0;
        for index in 0..5_000 {
            let person = Person::new(8, index);
            let member = person.membership(&mut Chance::of(8, index));
            let grown = add_months(person.birth, 18 * 12).expect("a date");
            assert!(member.join_date >= grown && member.join_date < TODAY);
            match member.conversion_date {
                Some(converted) => assert!(converted > member.join_date && converted < TODAY),
                None => probationary += 1,
            }
        }
        assert!((75..250).contains(&probationary), "{probationary}");
    }

    #[test]
    fn no_number_has_two_places() {
        let places: BTreeSet<u64> = (0..20_000).map(|index| scatter(3, index, 20_000)).collect();
        assert_eq!(places.len(), 20_000);
        let all = days() * PER_DAY * 2;
        assert!((50_000_000..1 << (2 * HALF_BITS)).contains(&all), "{all}");
    }

    #[test]
    fn sexes_ages_and_areas_are_spread_evenly() {
        let people: Vec<Person> = (0..2_000).map(|index| Person::new(4, index)).collect();
        let count = |is: fn(&Person) -> bool| people.iter().filter(|person| is(person)).count();
        assert!((900..1_100).contains(&count(|person| person.sex == Sex::Male)));
        assert!((900..1_100).contains(&count(|person| person.id_number.starts_with("350101"))));
        assert!((1_000..1_300).contains(&count(|person| person.birth.year() < 1974)));
    }

    #[test]
    fn a_person_follows_from_seed_and_index() {
        assert_eq!(Person::new(1, 5), Person::new(1, 5));
        assert_ne!(Person::new(1, 5), Person::new(2, 5));
    }
}
