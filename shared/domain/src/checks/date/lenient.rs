//! Dates as people type and paste them (`ux.md` 2.4). The year always comes first: forms with the
//! month or the day first are not of this country and are refused, a year of two digits is asked
//! about.

use super::{DateRefused, PartialDate, YEAR_MAX, YEAR_MIN};
use crate::checks::numerals;
use crate::checks::text::{fold_width, is_hidden, is_hyphen};

/// Reads any of `2026-11-23`, `2026-1-2`, `2026.11.23`, `2026/11/23`, `20261123`, `2026年11月23日`,
/// `二〇二六年十一月二十三日`, and without a day `2026-11`, `2026.11`, `2026/11`, `2026年11月`;
/// full-width characters, spaces and a midnight behind the date (as spreadsheets write it) are
/// accepted. Years [`YEAR_MIN`] to [`YEAR_MAX`].
pub fn parse_any(text: &str) -> Result<PartialDate, DateRefused> {
    let clean: String = without_midnight(text.trim())
        .chars()
        .filter(|c| !c.is_whitespace() && !is_hidden(*c))
        .map(simple_mark)
        .collect();
    if clean.is_empty() {
        Err(DateRefused::NotADate)
    } else if clean.chars().all(|c| c.is_ascii_digit()) {
        parse_digits(&clean)
    } else if clean.contains('年') {
        parse_words(&clean)
    } else {
        parse_separated(&clean)
    }
}

/// The text without a time behind it that is only zeros, such as ` 0:00:00` or `T00:00:00`.
fn without_midnight(text: &str) -> &str {
    let midnight =
        |time: &str| time.contains(':') && time.chars().all(|c| matches!(c, '0' | ':' | '.' | 'Z'));
    match text.split_once([' ', 'T']) {
        Some((date, time)) if midnight(time.trim()) => date,
        _ => text,
    }
}

/// One character for each of the marks that mean the same.
fn simple_mark(c: char) -> char {
    match fold_width(c) {
        '。' | '·' | '、' => '.',
        '号' | '號' => '日',
        '○' | '◯' | '零' => '〇',
        c if is_hyphen(c) => '-',
        c => c,
    }
}

fn parse_digits(digits: &str) -> Result<PartialDate, DateRefused> {
    match digits.len() {
        8 => {
            let (year, rest) = digits.split_at_checked(4).unwrap_or_default();
            let (month, day) = rest.split_at_checked(2).unwrap_or_default();
            from_parts(year, month, Some(day))
        }
        6 => Err(DateRefused::Ambiguous),
        _ => Err(DateRefused::NotADate),
    }
}

fn parse_words(text: &str) -> Result<PartialDate, DateRefused> {
    let (year, rest) = text.split_once('年').ok_or(DateRefused::NotADate)?;
    let (month, day) = rest.split_once('月').ok_or(DateRefused::NotADate)?;
    let day = day.strip_suffix('日').unwrap_or(day);
    from_parts(year, month, Some(day).filter(|day| !day.is_empty()))
}

fn parse_separated(text: &str) -> Result<PartialDate, DateRefused> {
    let Some(separator) = text.chars().find(|c| matches!(c, '-' | '.' | '/')) else {
        return Err(DateRefused::NotADate);
    };
    let mut parts = text.split(separator);
    match (parts.next(), parts.next(), parts.next(), parts.next()) {
        (Some(year), Some(month), day, None) => from_parts(year, month, day),
        _ => Err(DateRefused::NotADate),
    }
}

/// The date of these texts, each in ASCII or in Chinese digits.
fn from_parts(year: &str, month: &str, day: Option<&str>) -> Result<PartialDate, DateRefused> {
    let month = small_number(month).ok_or(DateRefused::NotADate)?;
    let day = match day {
        Some(day) => Some(small_number(day).ok_or(DateRefused::NotADate)?),
        None => None,
    };
    let digits = year_digits(year).ok_or(DateRefused::NotADate)?;
    let number: i16 = digits.parse().map_err(|_| DateRefused::NotADate)?;
    match digits.len() {
        2 => Err(DateRefused::Ambiguous),
        4 if !(YEAR_MIN..=YEAR_MAX).contains(&number) => Err(DateRefused::OutOfRange),
        4 => PartialDate::from_numbers(number, month, day).ok_or(DateRefused::Impossible),
        _ => Err(DateRefused::NotADate),
    }
}

/// A month or day: one or two ASCII digits, or a Chinese number.
fn small_number(text: &str) -> Option<i16> {
    if text.chars().all(|c| c.is_ascii_digit()) {
        text.parse().ok().filter(|_| text.len() <= 2)
    } else {
        let bare = text.strip_prefix('〇').unwrap_or(text);
        numerals::parse_han_number(bare).map(i16::from)
    }
}

/// A year's digits in ASCII, whichever way they are written.
fn year_digits(text: &str) -> Option<String> {
    if text.chars().all(|c| c.is_ascii_digit()) {
        Some(text.to_owned())
    } else {
        numerals::parse_han_digits(text)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_forms_that_people_use_are_read_alike() {
        for text in [
            "2026-11-23",
            "20261123",
            "2026.11.23",
            "2026/11/23",
            "2026年11月23日",
            "2026年11月23",
            "2026年11月23号",
            "２０２６－１１－２３",
            "２０２６１１２３",
            "２０２６年１１月２３日",
            "2026．11．23",
            "2026。11。23",
            "2026–11–23",
            "2026、11、23",
            " 2026 年 11 月 23 日 ",
            "2026 - 11 - 23",
            "二〇二六年十一月二十三日",
            "二零二六年十一月二十三日",
            "二○二六年十一月廿三日",
            "2026-11-23 00:00:00",
            "2026/11/23 0:00:00",
            "2026-11-23T00:00:00Z",
            "\u{feff}2026-11-23\t",
        ] {
            let read = parse_any(text).map(|date| date.to_string());
            assert_eq!(read.as_deref(), Ok("2026-11-23"), "{text}");
        }
        for text in [
            "2026-11",
            "2026.11",
            "2026/11",
            "2026年11月",
            "２０２６年１１月",
            "二〇二六年十一月",
        ] {
            let read = parse_any(text).map(|date| date.to_string());
            assert_eq!(read.as_deref(), Ok("2026-11"), "{text}");
        }
        for text in [
            "2026-1-2",
            "2026.01.2",
            "2026年1月2日",
            "二〇二六年一月二日",
            "2026年〇一月〇二日",
        ] {
            let read = parse_any(text).map(|date| date.to_string());
            assert_eq!(read.as_deref(), Ok("2026-01-02"), "{text}");
        }
    }

    #[test]
    fn what_cannot_be_known_is_refused_by_its_reason() {
        use DateRefused::{Ambiguous, Impossible, NotADate, OutOfRange};
        for (text, refused) in [
            ("26-11-23", Ambiguous),
            ("26.11.23", Ambiguous),
            ("26年11月23日", Ambiguous),
            ("二六年十一月", Ambiguous),
            ("261123", Ambiguous),
            ("202611", Ambiguous),
            ("26.11", Ambiguous),
            ("", NotADate),
            ("　", NotADate),
            ("无", NotADate),
            ("2026", NotADate),
            ("2026年", NotADate),
            ("11/23/2026", NotADate),
            ("23.11.2026", NotADate),
            ("11月23日", NotADate),
            ("2026-11-23-01", NotADate),
            ("2026-11/23", NotADate),
            ("2026-11-23 08:30:00", NotADate),
            ("2026年11月23日24日", NotADate),
            ("45000", NotADate),
            ("2026-111-1", NotADate),
            ("226-11-23", NotADate),
            ("二千二十六年一月", NotADate),
            ("2023-02-29", Impossible),
            ("20261131", Impossible),
            ("2026年13月", Impossible),
            ("2026-00-10", Impossible),
            ("0206-11-23", OutOfRange),
            ("1899年12月31日", OutOfRange),
            ("22001123", OutOfRange),
        ] {
            assert_eq!(parse_any(text), Err(refused), "{text}");
        }
    }

    proptest! {
        #[test]
        fn every_date_is_read_in_every_form(
            year in YEAR_MIN..=YEAR_MAX, month in 1_i16..=12, day in 1_i16..=31,
        ) {
            if let Some(date) = PartialDate::from_numbers(year, month, Some(day)) {
                let first = date.first_day();
                for text in [
                    date.to_string(),
                    date.letter_form(),
                    format!("{year}{month:02}{day:02}"),
                    format!("{year}.{month}.{day}"),
                    numerals::han_date(first),
                ] {
                    prop_assert_eq!(parse_any(&text), Ok(date), "{}", text);
                }
            }
        }

        #[test]
        fn no_text_at_all_panics_and_what_is_read_is_in_range(
            text in "[0-9０-９年月日./ -]{0,14}|[〇一二三十廿年月日]{0,14}|.*",
        ) {
            if let Ok(date) = parse_any(&text) {
                prop_assert!((YEAR_MIN..=YEAR_MAX).contains(&date.first_day().year()));
                prop_assert_eq!(PartialDate::parse(&date.to_string()), Ok(date));
            }
        }
    }
}
