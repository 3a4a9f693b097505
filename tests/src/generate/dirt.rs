//! What clerks, Excel and old systems do to a row, each damage by its name, so that a test knows
//! what an import must have found.

use domain::checks::date::days_between;
use jiff::civil::{Date, date};

use super::chance::Chance;
use super::table::Value;

/// One damage to one row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Dirt {
    /// The ID number ends in a small x.
    LowerX,
    /// The ID number is written in full-width digits.
    FullWidthDigits,
    /// The ID number has spaces around it and in it.
    Spaces,
    /// Two spaces in the name.
    SpacedName,
    /// A date in a form that can be read: 1985.3.7, 19850307, 1985/3/7, 1985年3月7日.
    OddDate,
    /// A date of birth as a bare number of days, as Excel stores it.
    SerialDate,
    /// An ID number of fifteen digits.
    FifteenDigits,
    /// The check character is wrong.
    WrongCheck,
    /// Excel made the ID number a number: its last three digits are zeros.
    DamagedByExcel,
    /// Excel's way of writing a long number stands there as text: 3.50101E+17.
    Exponent,
    /// The name is missing.
    MissingName,
    /// The year of birth has two digits.
    TwoDigitYear,
}

/// The cells that get dirty.
#[derive(Debug)]
pub(crate) struct Cells<'a> {
    pub(crate) name: &'a mut Value,
    pub(crate) id_number: &'a mut Value,
    pub(crate) birth: &'a mut Value,
}

impl Dirt {
    /// All of them.
    pub const ALL: [Self; 12] = [
        Self::LowerX,
        Self::FullWidthDigits,
        Self::Spaces,
        Self::SpacedName,
        Self::OddDate,
        Self::SerialDate,
        Self::FifteenDigits,
        Self::WrongCheck,
        Self::DamagedByExcel,
        Self::Exponent,
        Self::MissingName,
        Self::TwoDigitYear,
    ];

    /// Whether the value meant can be read from a workbook with certainty; the others need a person
    /// to look at the paper.
    pub fn is_readable(self) -> bool {
        matches!(
            self,
            Self::LowerX
                | Self::FullWidthDigits
                | Self::Spaces
                | Self::SpacedName
                | Self::OddDate
                | Self::SerialDate
        )
    }

    /// The same for a text table, where a bare number of days is no date.
    pub fn is_readable_as_text(self) -> bool {
        self.is_readable() && self != Self::SerialDate
    }

    /// Damages a row and says how; another damage of the same cell where this one is impossible.
    pub(crate) fn apply(self, chance: &mut Chance, cells: &mut Cells<'_>, birth: Date) -> Self {
        let id = cells.id_number.text();
        let (body, last) = id.split_at_checked(17).unwrap_or((&id, ""));
        let is_numeric = last != "X";
        let dirt = match self {
            Self::LowerX if is_numeric => Self::FullWidthDigits,
            Self::DamagedByExcel if !is_numeric => Self::Exponent,
            Self::FifteenDigits if birth.year() >= 2000 => Self::WrongCheck,
            other => other,
        };
        let to = |cell: &mut Value, text: String| *cell = Value::Text(text);
        match dirt {
            Self::LowerX => to(cells.id_number, id.to_lowercase()),
            Self::FullWidthDigits => to(cells.id_number, id.chars().map(widen).collect()),
            Self::Spaces => to(cells.id_number, format!(" {} {}\u{a0}", &id[..6], &id[6..])),
            Self::SpacedName => {
                let name = cells.name.text();
                let mut characters = name.chars();
                let first: String = characters.by_ref().take(1).collect();
                to(cells.name, format!("{first}  {}", characters.as_str()));
            }
            Self::OddDate => to(cells.birth, odd_date(chance, birth)),
            Self::SerialDate => *cells.birth = Value::Number(serial(birth)),
            Self::FifteenDigits => to(cells.id_number, format!("{}{}", &id[..6], &id[8..17])),
            Self::WrongCheck => {
                let wrong = if last == "0" { '1' } else { '0' };
                to(cells.id_number, format!("{body}{wrong}"));
            }
            Self::DamagedByExcel => {
                let number: f64 = format!("{}000", &id[..15]).parse().unwrap_or_default();
                *cells.id_number = Value::Number(number);
            }
            Self::Exponent => to(cells.id_number, exponent(&id)),
            Self::MissingName => *cells.name = Value::Blank,
            Self::TwoDigitYear => to(cells.birth, birth.strftime("%y-%-m-%-d").to_string()),
        }
        dirt
    }
}

/// How Excel shows a number of eighteen digits.
pub(crate) fn exponent(digits: &str) -> String {
    format!("{}.{}E+17", &digits[..1], &digits[1..6])
}

fn widen(c: char) -> char {
    char::from_u32(u32::from(c) + 0xfee0)
        .filter(|_| c.is_ascii_graphic())
        .unwrap_or(c)
}

fn odd_date(chance: &mut Chance, date: Date) -> String {
    let form = chance.word(&["%Y.%-m.%-d", "%Y%m%d", "%Y/%-m/%-d", "%Y年%-m月%-d日"]);
    date.strftime(form).to_string()
}

/// The number of days that Excel stores for a date after February 1900.
fn serial(day: Date) -> f64 {
    i32::try_from(days_between(date(1899, 12, 30), day)).map_or(0.0, f64::from)
}
