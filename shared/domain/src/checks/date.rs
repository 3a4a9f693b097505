//! Dates as China counts them: civil dates in UTC+8, of day or month precision, and what is
//! computed from them.
//!
//! A date is stored as `2026-11-23` or, where only the month is known or asked for, `2026-11`;
//! [`parse_any`] reads what people type and [`WorkCalendar`] counts working days with the State
//! Council's table given as data. Nothing here knows today.

mod lenient;
mod working;

use std::fmt;

use jiff::Span;
use jiff::civil::Date;

use crate::limits::LETTER_DAYS_MAX;

pub use lenient::parse_any;
pub use working::WorkCalendar;

/// The earliest year that [`parse_any`] takes for no typing error.
pub const YEAR_MIN: i16 = 1900;
/// The latest year that [`parse_any`] takes for no typing error.
pub const YEAR_MAX: i16 = 2199;

/// China Standard Time's distance from UTC; the same all year and in every province.
const CHINA_OFFSET_MS: i64 = 8 * 3600 * 1000;
const DAY_MS: i64 = 24 * 3600 * 1000;
/// More days than the calendar has in either direction.
const DAYS_MAX: i64 = 7_000_000;

/// Why a text is no date.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DateRefused {
    /// No form of date that is known here (or one with the day or month first).
    NotADate,
    /// A year of two digits, or six digits that read two ways; the person must say which.
    Ambiguous,
    /// The right form, and no such day or month.
    Impossible,
    /// A year before [`YEAR_MIN`] or after [`YEAR_MAX`].
    OutOfRange,
}

/// A letter's validity that is not allowed: less than one day, or more than `LETTER_DAYS_MAX`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ValidityRefused;

/// A month of a year, such as the one up to which dues are paid (党费交至).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct YearMonth {
    first: Date,
}

impl YearMonth {
    /// The month with this year (1 to 9999) and number (1 to 12).
    pub fn new(year: i16, month: i8) -> Option<Self> {
        Date::new(year, month, 1)
            .ok()
            .filter(|_| year >= 1)
            .map(|first| Self { first })
    }

    /// The month in which a date lies.
    pub fn of(date: Date) -> Self {
        Self {
            first: date.first_of_month(),
        }
    }

    /// Reads `2026-11` and nothing else.
    pub fn parse(text: &str) -> Result<Self, DateRefused> {
        match PartialDate::parse(text)? {
            PartialDate::Month(month) => Ok(month),
            PartialDate::Day(_) => Err(DateRefused::NotADate),
        }
    }

    /// The year.
    pub fn year(self) -> i16 {
        self.first.year()
    }

    /// The month's number, 1 to 12.
    pub fn month(self) -> i8 {
        self.first.month()
    }

    /// Its first day.
    pub fn first_day(self) -> Date {
        self.first
    }

    /// Its last day.
    pub fn last_day(self) -> Date {
        self.first.last_of_month()
    }
}

impl fmt::Display for YearMonth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04}-{:02}", self.year(), self.month())
    }
}

/// A date as precisely as it is known; its `Display` is the stored form.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum PartialDate {
    /// Known to the day.
    Day(Date),
    /// Known to the month.
    Month(YearMonth),
}

impl PartialDate {
    /// Reads the stored form and nothing else: `2026-11-23` or `2026-11`, years 1 to 9999.
    pub fn parse(text: &str) -> Result<Self, DateRefused> {
        let shape = text.bytes().enumerate().all(|(i, byte)| match i {
            4 | 7 => byte == b'-',
            _ => byte.is_ascii_digit(),
        });
        let part = |from: usize, to: usize| text.get(from..to)?.parse::<i16>().ok();
        let (Some(year), Some(month)) = (part(0, 4), part(5, 7)) else {
            return Err(DateRefused::NotADate);
        };
        if !shape || !matches!(text.len(), 7 | 10) {
            return Err(DateRefused::NotADate);
        }
        Self::from_numbers(year, month, part(8, 10)).ok_or(DateRefused::Impossible)
    }

    /// The date with these numbers, if the calendar has it and the year is 1 or later.
    fn from_numbers(year: i16, month: i16, day: Option<i16>) -> Option<Self> {
        let month = YearMonth::new(year, i8::try_from(month).ok()?)?;
        match day {
            None => Some(Self::Month(month)),
            Some(day) => Date::new(year, month.month(), i8::try_from(day).ok()?)
                .ok()
                .map(Self::Day),
        }
    }

    /// The earliest day it may mean.
    pub fn first_day(self) -> Date {
        match self {
            Self::Day(date) => date,
            Self::Month(month) => month.first_day(),
        }
    }

    /// The latest day it may mean.
    pub fn last_day(self) -> Date {
        match self {
            Self::Day(date) => date,
            Self::Month(month) => month.last_day(),
        }
    }

    /// As letters print it: `2026年11月23日` or `2026年11月` (`ux.md` 2.4).
    pub fn letter_form(self) -> String {
        match self {
            Self::Day(date) => {
                format!("{}年{}月{}日", date.year(), date.month(), date.day())
            }
            Self::Month(month) => format!("{}年{}月", month.year(), month.month()),
        }
    }
}

impl fmt::Display for PartialDate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Day(date) => write!(f, "{date}"),
            Self::Month(month) => write!(f, "{month}"),
        }
    }
}

/// The date in China at an instant (milliseconds since 1970 in UTC). Instants outside the years
/// -9999 to 9999 give the nearest date that there is.
pub fn china_date_of(unix_ms: i64) -> Date {
    let days = unix_ms.saturating_add(CHINA_OFFSET_MS).div_euclid(DAY_MS);
    let days = Span::new().days(days.clamp(-DAYS_MAX, DAYS_MAX));
    jiff::civil::date(1970, 1, 1).saturating_add(days)
}

/// The date so many days later (earlier, if negative); none past the end of the calendar.
pub fn add_days(date: Date, days: i64) -> Option<Date> {
    let span = Span::new().try_days(days).ok()?;
    date.checked_add(span).ok()
}

/// The date so many months later; the month's last day where it has no such day (Civil Code,
/// art. 202). None past the end of the calendar.
pub fn add_months(date: Date, months: i32) -> Option<Date> {
    let span = Span::new().try_months(months).ok()?;
    date.checked_add(span).ok()
}

/// Days from one date to another; negative if the second is earlier.
pub fn days_between(from: Date, to: Date) -> i64 {
    to.duration_since(from).as_hours() / 24
}

/// Completed years (周岁) on a date; none before birth. Who was born on 29 February completes a
/// year on 1 March where there is no 29 February.
pub fn age_on(birth: Date, on: Date) -> Option<u16> {
    let before_birthday = (on.month(), on.day()) < (birth.month(), birth.day());
    let years = i32::from(on.year()) - i32::from(birth.year()) - i32::from(before_birthday);
    u16::try_from(years).ok()
}

/// The last day on which a letter is valid: the day of issue is not counted, so one day of validity
/// lasts through the next day. 1 to `LETTER_DAYS_MAX` days (`domain.md` 1.8, invariant 5; 11.1).
pub fn last_valid_date(issue: Date, valid_days: i64) -> Result<Date, ValidityRefused> {
    if (1..=LETTER_DAYS_MAX).contains(&valid_days) {
        add_days(issue, valid_days).ok_or(ValidityRefused)
    } else {
        Err(ValidityRefused)
    }
}

#[cfg(test)]
#[allow(clippy::expect_used, reason = "a test may state what must hold")]
mod tests {
    use jiff::civil::date;
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_stored_form_is_the_only_one_that_is_canonical() {
        use DateRefused::{Impossible, NotADate};
        assert_eq!(
            PartialDate::parse("2024-02-29"),
            Ok(PartialDate::Day(date(2024, 2, 29)))
        );
        let month = YearMonth::new(2026, 11).expect("a month");
        assert_eq!(PartialDate::parse("2026-11"), Ok(PartialDate::Month(month)));
        assert_eq!(YearMonth::parse("2026-11"), Ok(month));
        assert_eq!(month.last_day(), date(2026, 11, 30));
        for (text, refused) in [
            ("", NotADate),
            ("2026", NotADate),
            ("20261123", NotADate),
            ("2026-1-2", NotADate),
            ("2026-11-2", NotADate),
            ("2026-11-", NotADate),
            ("2026/11/23", NotADate),
            ("+026-11-23", NotADate),
            ("2026-11-23 ", NotADate),
            ("2026-11-2é", NotADate),
            ("年年-11-23", NotADate),
            ("2023-02-29", Impossible),
            ("2026-13", Impossible),
            ("2026-00", Impossible),
            ("0000-01-01", Impossible),
        ] {
            assert_eq!(PartialDate::parse(text), Err(refused), "{text}");
        }
        assert_eq!(YearMonth::parse("2026-11-23"), Err(NotADate));
    }

    #[test]
    fn letters_print_dates_without_leading_zeros() {
        let day = PartialDate::parse("2026-01-02").expect("a date");
        assert_eq!(day.letter_form(), "2026年1月2日");
        assert_eq!(
            PartialDate::Month(YearMonth::of(day.first_day())).letter_form(),
            "2026年1月"
        );
    }

    #[test]
    fn the_day_changes_at_sixteen_hours_utc() {
        for (unix_ms, expected) in [
            (0, date(1970, 1, 1)),
            (16 * 3_600_000 - 1, date(1970, 1, 1)),
            (16 * 3_600_000, date(1970, 1, 2)),
            (-8 * 3_600_000, date(1970, 1, 1)),
            (-8 * 3_600_000 - 1, date(1969, 12, 31)),
            (1_709_222_400_000 - 1, date(2024, 2, 29)),
            (1_709_222_400_000, date(2024, 3, 1)),
            (i64::MAX, Date::MAX),
            (i64::MIN, Date::MIN),
        ] {
            assert_eq!(china_date_of(unix_ms), expected, "{unix_ms}");
        }
    }

    #[test]
    fn ages_are_completed_years() {
        let leap = date(2000, 2, 29);
        for (birth, on, age) in [
            (date(2006, 11, 23), date(2024, 11, 22), Some(17)),
            (date(2006, 11, 23), date(2024, 11, 23), Some(18)),
            (leap, date(2018, 2, 28), Some(17)),
            (leap, date(2018, 3, 1), Some(18)),
            (leap, date(2020, 2, 29), Some(20)),
            (leap, leap, Some(0)),
            (leap, date(2000, 2, 28), None),
            (leap, date(1999, 12, 31), None),
        ] {
            assert_eq!(age_on(birth, on), age, "{birth} {on}");
        }
    }

    #[test]
    fn the_day_of_issue_is_not_counted() {
        for (issue, days, last) in [
            (date(2026, 11, 30), 90, Ok(date(2027, 2, 28))),
            (date(2027, 11, 30), 90, Ok(date(2028, 2, 28))),
            (date(2027, 11, 30), 91, Err(ValidityRefused)),
            (date(2028, 2, 28), 1, Ok(date(2028, 2, 29))),
            (date(2026, 12, 31), 1, Ok(date(2027, 1, 1))),
            (date(2026, 1, 1), 0, Err(ValidityRefused)),
            (date(2026, 1, 1), -1, Err(ValidityRefused)),
            (Date::MAX, 1, Err(ValidityRefused)),
        ] {
            assert_eq!(last_valid_date(issue, days), last, "{issue} {days}");
        }
    }

    #[test]
    fn a_month_later_is_the_last_day_where_there_is_no_such_day() {
        assert_eq!(add_months(date(2027, 1, 31), 1), Some(date(2027, 2, 28)));
        assert_eq!(add_months(date(2024, 2, 29), 12), Some(date(2025, 2, 28)));
        assert_eq!(add_months(date(2026, 8, 15), -6), Some(date(2026, 2, 15)));
        assert_eq!(add_months(Date::MAX, 1), None);
        assert_eq!(add_months(Date::MAX, i32::MAX), None);
    }

    proptest! {
        #[test]
        fn adding_the_days_between_leads_from_one_date_to_the_other(
            from in -3_000_000_i64..2_900_000, to in -3_000_000_i64..2_900_000,
        ) {
            let at = |day| add_days(date(1970, 1, 1), day).expect("a date of the calendar");
            prop_assert_eq!(days_between(at(from), at(to)), to - from);
            prop_assert_eq!(add_days(at(from), to - from), Some(at(to)));
            prop_assert_eq!(china_date_of(from * DAY_MS), at(from));
        }

        #[test]
        fn the_stored_form_is_read_back(
            year in 1_i16..=9999, month in 1_i8..=12, day in 1_i8..=31,
        ) {
            if let Ok(date) = Date::new(year, month, day) {
                let day = PartialDate::Day(date);
                prop_assert_eq!(PartialDate::parse(&day.to_string()), Ok(day));
                let month = YearMonth::of(date);
                prop_assert_eq!(YearMonth::parse(&month.to_string()), Ok(month));
            }
        }

        #[test]
        fn what_is_read_is_canonical(text in "[0-9-]{6,11}|.*") {
            if let Ok(date) = PartialDate::parse(&text) {
                prop_assert_eq!(date.to_string(), text);
            }
        }
    }
}
