//! Working days (工作日): Monday to Friday, without the public holidays and with the make-up
//! working days (调休上班) that the State Council's General Office announces each year.
//!
//! The table is data: the hub keeps it, nodes read it, and it may be edited before the next year's
//! is known (`domain.md` 5.5, edge cases).

use std::collections::BTreeSet;

use jiff::civil::{Date, Weekday};

use super::{add_days, days_between};

/// The exceptions to the ordinary week. Years that the table does not cover count as ordinary
/// weeks. The order of the dates does not matter; a date in both is a working day.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct WorkCalendar<'a> {
    /// Days off; weekends need not be listed.
    pub holidays: &'a [Date],
    /// Days on which work is made up, at weekends.
    pub make_up: &'a [Date],
}

impl WorkCalendar<'_> {
    /// Whether work is done on a date.
    pub fn is_working_day(&self, date: Date) -> bool {
        self.make_up.contains(&date) || (!is_weekend(date) && !self.holidays.contains(&date))
    }

    /// Working days after `from` up to and with `to`: the day of the event itself is not counted
    /// (Civil Code, art. 201). Zero if `to` is not later. The cost does not grow with the distance.
    pub fn working_days_between(&self, from: Date, to: Date) -> i64 {
        if to <= from {
            return 0;
        }
        let inside = |date: &Date| from < *date && *date <= to;
        let made_up: BTreeSet<Date> = self
            .make_up
            .iter()
            .copied()
            .filter(|date| inside(date))
            .collect();
        let off: BTreeSet<Date> = self
            .holidays
            .iter()
            .copied()
            .filter(|date| inside(date) && !is_weekend(*date) && !made_up.contains(date))
            .collect();
        let added = made_up.iter().filter(|date| is_weekend(**date)).count();
        weekdays_between(from, to) + count(added) - count(off.len())
    }

    /// The date on which so many working days after `from` have passed, for due dates; `from`
    /// itself for zero. None past the end of the calendar.
    pub fn add_working_days(&self, from: Date, days: u16) -> Option<Date> {
        let mut date = from;
        for _ in 0..days {
            date = add_days(date, 1)?;
            while !self.is_working_day(date) {
                date = add_days(date, 1)?;
            }
        }
        Some(date)
    }
}

fn is_weekend(date: Date) -> bool {
    matches!(date.weekday(), Weekday::Saturday | Weekday::Sunday)
}

/// Days from Monday to Friday after `from` up to and with a later `to`.
fn weekdays_between(from: Date, to: Date) -> i64 {
    let days = days_between(from, to);
    let first = i64::from(from.weekday().to_monday_zero_offset());
    let rest = (1..=days % 7).filter(|step| (first + step) % 7 < 5).count();
    days / 7 * 5 + count(rest)
}

fn count(items: usize) -> i64 {
    i64::try_from(items).unwrap_or(i64::MAX)
}

#[cfg(test)]
#[allow(clippy::expect_used, reason = "a test may state what must hold")]
mod tests {
    use jiff::civil::date;
    use proptest::prelude::*;

    use super::*;

    /// An invented National Day week in the usual pattern: 1 to 7 October off, a Sunday before and
    /// a Saturday after made up.
    const HOLIDAYS: [Date; 7] = [
        date(2026, 10, 1),
        date(2026, 10, 2),
        date(2026, 10, 3),
        date(2026, 10, 4),
        date(2026, 10, 5),
        date(2026, 10, 6),
        date(2026, 10, 7),
    ];
    const MAKE_UP: [Date; 2] = [date(2026, 9, 27), date(2026, 10, 10)];
    const CALENDAR: WorkCalendar<'static> = WorkCalendar {
        holidays: &HOLIDAYS,
        make_up: &MAKE_UP,
    };

    #[test]
    fn ten_working_days_reach_over_the_national_day() {
        let ended = date(2026, 9, 25);
        assert_eq!(
            CALENDAR.add_working_days(ended, 10),
            Some(date(2026, 10, 14))
        );
        assert_eq!(CALENDAR.working_days_between(ended, date(2026, 10, 14)), 10);
        let ordinary = WorkCalendar::default();
        assert_eq!(
            ordinary.add_working_days(ended, 10),
            Some(date(2026, 10, 9))
        );
    }

    #[test]
    fn the_days_between_are_counted_without_the_first() {
        for (from, to, days) in [
            (date(2026, 11, 23), date(2026, 11, 23), 0),
            (date(2026, 11, 23), date(2026, 11, 24), 1),
            (date(2026, 11, 27), date(2026, 11, 29), 0),
            (date(2026, 11, 27), date(2026, 11, 30), 1),
            (date(2026, 11, 28), date(2026, 11, 30), 1),
            (date(2026, 11, 23), date(2026, 12, 7), 10),
            (date(2026, 11, 24), date(2026, 11, 23), 0),
            (date(2026, 9, 26), date(2026, 9, 27), 1),
            (date(2026, 9, 30), date(2026, 10, 7), 0),
            (date(2026, 9, 30), date(2026, 10, 8), 1),
        ] {
            assert_eq!(CALENDAR.working_days_between(from, to), days, "{from} {to}");
        }
    }

    #[test]
    fn repeated_and_contradicting_entries_count_once_and_as_work() {
        let day = date(2026, 11, 25);
        let saturday = date(2026, 11, 28);
        let calendar = WorkCalendar {
            holidays: &[day, day, saturday],
            make_up: &[saturday, saturday],
        };
        assert_eq!(
            calendar.working_days_between(date(2026, 11, 23), date(2026, 11, 29)),
            4
        );
        let both = WorkCalendar {
            holidays: &[day],
            make_up: &[day],
        };
        assert!(both.is_working_day(day));
        assert_eq!(both.working_days_between(date(2026, 11, 24), day), 1);
    }

    #[test]
    fn the_end_of_the_calendar_is_no_date() {
        assert_eq!(CALENDAR.add_working_days(Date::MAX, 1), None);
        assert_eq!(CALENDAR.add_working_days(Date::MAX, 0), Some(Date::MAX));
        assert!(CALENDAR.working_days_between(Date::MIN, Date::MAX) > 5_000_000);
    }

    proptest! {
        #[test]
        fn the_count_is_that_of_walking_day_by_day(
            start in 0_i64..120, length in 0_i64..120,
            off in proptest::collection::vec(0_i64..240, 0..20),
            on in proptest::collection::vec(0_i64..240, 0..20),
        ) {
            let at = |day| add_days(date(2026, 1, 1), day).expect("a date");
            let off: Vec<Date> = off.into_iter().map(at).collect();
            let on: Vec<Date> = on.into_iter().map(at).collect();
            let calendar = WorkCalendar { holidays: &off, make_up: &on };
            let walked = (start + 1..=start + length)
                .filter(|day| calendar.is_working_day(at(*day)))
                .count();
            let between = calendar.working_days_between(at(start), at(start + length));
            prop_assert_eq!(between, count(walked));
        }

        #[test]
        fn a_due_date_is_so_many_working_days_away(start in 0_i64..400, days in 1_u16..40) {
            let from = add_days(date(2026, 1, 1), start).expect("a date");
            let due = CALENDAR.add_working_days(from, days).expect("a date");
            prop_assert!(CALENDAR.is_working_day(due));
            prop_assert_eq!(CALENDAR.working_days_between(from, due), i64::from(days));
        }
    }
}
