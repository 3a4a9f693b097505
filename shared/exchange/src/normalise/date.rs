//! Days and months in the forms clerks write.

use super::shown;
use crate::cell::{Cell, CellDate, date_from_serial};
use crate::column::Reason;
use crate::fold;

/// First and last year a roster can mean; outside it a number is no date but a slip.
const YEARS: std::ops::RangeInclusive<u32> = 1900..=2100;
/// Below it a bare number is no serial: as one it would be a day before 18 May 1927 (where days
/// count from 1904, before 19 May 1931), and what stands there is a year, an age or a slip.
const SERIAL_MIN: f64 = 10_000.0;

/// Year, month, and the day unless only the month is known.
type Parts = (u32, u32, Option<u32>);

/// A day as `YYYY-MM-DD`, or a month as `YYYY-MM` where that is enough.
pub(super) fn normalise(
    cell: &Cell,
    allow_month: bool,
    epoch_1904: bool,
) -> Result<String, Reason> {
    let (year, month, day) = parts(cell, epoch_1904)?;
    match day {
        Some(day) => Ok(format!("{year:04}-{month:02}-{day:02}")),
        None if allow_month => Ok(format!("{year:04}-{month:02}")),
        None => Err(Reason::new(
            format!(
                "“{}”只写到月，请写明日，如 {year}-{month:02}-01",
                shown(cell)
            ),
            format!("The day is missing; write it like {year}-{month:02}-01"),
        )),
    }
}

/// A month as `YYYY-MM`.
pub(super) fn month(cell: &Cell, epoch_1904: bool) -> Result<String, Reason> {
    let (year, month, _) = parts(cell, epoch_1904)?;
    Ok(format!("{year:04}-{month:02}"))
}

fn parts(cell: &Cell, epoch_1904: bool) -> Result<Parts, Reason> {
    let parts = match cell {
        Cell::Date(date) => of_date(*date),
        Cell::Number(number) => of_number(*number, cell, epoch_1904)?,
        _ => of_text(&cell.display(), cell)?,
    };
    check(parts, cell)
}

fn of_date(date: CellDate) -> Parts {
    let day = date.has_day.then_some(date.day.into());
    (date.year.into(), date.month.into(), day)
}

/// A bare number is a date run together (20261123), a month run together (202611), a month written
/// with a point (2026.11), or a serial. A year alone is none of these, whatever day it would be as a
/// serial.
fn of_number(number: f64, cell: &Cell, epoch_1904: bool) -> Result<Parts, Reason> {
    let text = cell.display();
    let digits = text.bytes().filter(u8::is_ascii_digit).count();
    if text.contains('.') && (1900.0..2101.0).contains(&number) {
        // 2026.1 is what is left of both 2026.1 and 2026.10.
        if text.ends_with(".1") {
            return Err(Reason::new(
                format!("“{text}”无法区分 1 月和 10 月，请写成 2026-01 的形式"),
                "January and October cannot be told apart here; write it like 2026-01",
            ));
        }
        return of_text(&text, cell);
    }
    if number.fract() == 0.0 && matches!(digits, 6 | 8) && number > 0.0 {
        return of_text(&text, cell);
    }
    if text.parse::<u32>().is_ok_and(|year| YEARS.contains(&year)) {
        return Err(only_year(cell));
    }
    if number < SERIAL_MIN {
        return Err(unreadable(cell));
    }
    let serial_date = date_from_serial(number, epoch_1904, true).map(of_date);
    serial_date.ok_or_else(|| unreadable(cell))
}

fn of_text(text: &str, cell: &Cell) -> Result<Parts, Reason> {
    let groups = groups(text).ok_or_else(|| unreadable(cell))?;
    match groups.as_slice() {
        [whole] => of_run(whole, cell),
        [year, rest @ ..] if year.len() == 4 => {
            let mut rest = rest.iter().map(|group| group.parse::<u32>().ok());
            let (Some(year), Some(Some(month)), day) =
                (year.parse().ok(), rest.next(), rest.next().flatten())
            else {
                return Err(unreadable(cell));
            };
            Ok((year, month, day))
        }
        [.., last] if last.len() == 4 => Err(Reason::new(
            format!("“{}”请把年份写在前面，如 2026-11-23", shown(cell)),
            "Write the year first, like 2026-11-23",
        )),
        [_, _, ..] => Err(two_digit_year(cell)),
        [] => Err(unreadable(cell)),
    }
}

/// Digits without separators.
fn of_run(digits: &str, cell: &Cell) -> Result<Parts, Reason> {
    let number =
        |range: std::ops::Range<usize>| digits.get(range).and_then(|d| d.parse::<u32>().ok());
    match digits.len() {
        8 => match (number(0..4), number(4..6), number(6..8)) {
            (Some(year), Some(month), Some(day)) => Ok((year, month, Some(day))),
            _ => Err(unreadable(cell)),
        },
        6 => match (number(0..4), number(4..6)) {
            (Some(year), Some(month)) if YEARS.contains(&year) && (1..=12).contains(&month) => {
                Ok((year, month, None))
            }
            _ => Err(two_digit_year(cell)),
        },
        4 => Err(only_year(cell)),
        _ => Err(unreadable(cell)),
    }
}

/// The groups of digits, Chinese numerals turned into digits; `None` if anything else stands there.
/// A time of day after the date is left out.
fn groups(text: &str) -> Option<Vec<String>> {
    let spaced: String = text
        .trim_matches(fold::is_blank)
        .chars()
        .map(fold::half_width)
        .collect();
    let without_time = match spaced.split_once([' ', 'T']) {
        Some((date, time)) if time.contains(':') => date,
        _ => spaced.as_str(),
    };
    let mut groups = Vec::new();
    let mut group = String::new();
    for c in fold::squeeze(without_time).chars() {
        match c {
            '-' | '.' | '/' | '\\' | '、' | ',' | '年' | '月' | '日' | '号' => {
                if !group.is_empty() {
                    groups.push(std::mem::take(&mut group));
                }
            }
            _ if c.is_ascii_digit() || chinese_digit(c).is_some() || is_ten(c) => group.push(c),
            _ => return None,
        }
    }
    if !group.is_empty() {
        groups.push(group);
    }
    if groups.len() > 3 {
        return None;
    }
    groups.iter().map(|group| arabic(group)).collect()
}

/// A group in digits: 二〇二六 → 2026, 十一 → 11, 二十三 → 23, 廿三 → 23.
fn arabic(group: &str) -> Option<String> {
    if !group.contains(is_ten) {
        return group
            .chars()
            .map(|c| {
                if c.is_ascii_digit() {
                    Some(c)
                } else {
                    chinese_digit(c)
                }
            })
            .collect();
    }
    let mut number = 0_u32;
    let mut last = 0_u32;
    for c in group.chars() {
        match c {
            '十' | '拾' => {
                number = number.checked_add(last.max(1) * 10)?;
                last = 0;
            }
            '廿' => number = number.checked_add(20)?,
            '卅' => number = number.checked_add(30)?,
            _ => last = chinese_digit(c).or(Some(c)).and_then(|c| c.to_digit(10))?,
        }
    }
    Some(number.checked_add(last)?.to_string())
}

fn is_ten(c: char) -> bool {
    matches!(c, '十' | '拾' | '廿' | '卅')
}

fn chinese_digit(c: char) -> Option<char> {
    let digit = match c {
        '〇' | '○' | '零' | '◯' => '0',
        '一' | '壹' | '元' => '1',
        '二' | '贰' => '2',
        '三' | '叁' => '3',
        '四' | '肆' => '4',
        '五' | '伍' => '5',
        '六' | '陆' => '6',
        '七' | '柒' => '7',
        '八' | '捌' => '8',
        '九' | '玖' => '9',
        _ => return None,
    };
    Some(digit)
}

/// Refuses days that do not exist and years no roster means.
fn check((year, month, day): Parts, cell: &Cell) -> Result<Parts, Reason> {
    if !YEARS.contains(&year) {
        return Err(Reason::new(
            format!("“{}”的年份 {year} 不合理，请核对", shown(cell)),
            format!("The year {year} is not plausible"),
        ));
    }
    let is_real = (1..=12).contains(&month)
        && day.is_none_or(|day| (1..=days_in_month(year, month)).contains(&day));
    if is_real {
        return Ok((year, month, day));
    }
    Err(Reason::new(
        format!("“{}”不是存在的日期，请核对", shown(cell)),
        "There is no such date",
    ))
}

fn days_in_month(year: u32, month: u32) -> u32 {
    match month {
        2 if year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400)) => {
            29
        }
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

fn only_year(cell: &Cell) -> Reason {
    Reason::new(
        format!("“{}”只有年份，请至少写到月，如 2026-11", shown(cell)),
        "Only a year; write at least the month, like 2026-11",
    )
}

fn two_digit_year(cell: &Cell) -> Reason {
    Reason::new(
        format!("“{}”的年份请写四位数，如 2026-11-23", shown(cell)),
        "Write the year with four digits, like 2026-11-23",
    )
}

fn unreadable(cell: &Cell) -> Reason {
    Reason::new(
        format!("“{}”不是日期，请写成 2026-11-23 的形式", shown(cell)),
        "This is not a date; write it like 2026-11-23",
    )
}
