//! What a number format says about the number: an amount or a day, with or without the day shown.

use crate::cell::{Cell, date_from_serial};

/// How a number is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum NumberStyle {
    /// As a number.
    Plain,
    /// As a date.
    Date {
        /// Whether the day of the month is shown.
        has_day: bool,
    },
}

impl NumberStyle {
    /// The style of a built-in format, by its number. 27 to 36 and 50 to 58 are dates in the
    /// Chinese editions; of these 27, 36, 50, 52, 55 and 57 show year and month only.
    pub(super) fn built_in(number: u32) -> Self {
        match number {
            17 | 27 | 36 | 50 | 52 | 55 | 57 => Self::Date { has_day: false },
            14..=16 | 22 | 28..=31 | 51 | 53 | 54 | 56 | 58 => Self::Date { has_day: true },
            _ => Self::Plain,
        }
    }

    /// The style of a format written out, such as `yyyy"年"m"月"d"日"`.
    pub(super) fn of_code(code: &str) -> Self {
        let (mut has_year_or_month, mut has_day) = (false, false);
        let mut chars = code.chars();
        while let Some(c) = chars.next() {
            match c {
                '"' => {
                    let _ = chars.by_ref().find(|c| *c == '"');
                }
                '[' => {
                    let _ = chars.by_ref().find(|c| *c == ']');
                }
                '\\' | '_' | '*' => {
                    let _ = chars.next();
                }
                // Only the first section counts: the others are for negative numbers and text.
                ';' => break,
                'y' | 'Y' | 'e' | 'E' if !has_digit_before(code) => has_year_or_month = true,
                'm' | 'M' => has_year_or_month |= code.contains(['y', 'Y', 'd', 'D']),
                'd' | 'D' => has_day = true,
                _ => {}
            }
        }
        if has_year_or_month || has_day {
            Self::Date { has_day }
        } else {
            Self::Plain
        }
    }

    /// The cell of a number shown in this style.
    pub(super) fn cell(self, number: f64, epoch_1904: bool) -> Cell {
        match self {
            Self::Plain => Cell::Number(number),
            Self::Date { has_day } => date_from_serial(number, epoch_1904, has_day)
                .map_or(Cell::Number(number), Cell::Date),
        }
    }
}

/// Whether a format places digits (`0.00E+00`, `General`), where `e` is no year.
fn has_digit_before(code: &str) -> bool {
    code.contains(['0', '#', '?', 'G'])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn formats_tell_dates_from_amounts() {
        let day = NumberStyle::Date { has_day: true };
        let month = NumberStyle::Date { has_day: false };
        for (code, style) in [
            ("yyyy\\-mm\\-dd", day),
            ("yyyy/m/d;@", day),
            ("yyyy\"年\"m\"月\"d\"日\";@", day),
            ("[DBNum1][$-804]yyyy\"年\"m\"月\"d\"日\";@", day),
            ("yyyy\"年\"m\"月\"", month),
            ("yyyy.mm", month),
            ("[$-409]mmm\\-yy;@", month),
            ("General", NumberStyle::Plain),
            ("0.00E+00", NumberStyle::Plain),
            ("#,##0;[Red]-#,##0", NumberStyle::Plain),
            ("@", NumberStyle::Plain),
            ("h:mm:ss", NumberStyle::Plain),
            ("0\"day\"", NumberStyle::Plain),
        ] {
            assert_eq!(NumberStyle::of_code(code), style, "{code}");
        }
        assert_eq!(NumberStyle::built_in(14), day);
        assert_eq!(NumberStyle::built_in(31), day);
        assert_eq!(NumberStyle::built_in(57), month);
        assert_eq!(NumberStyle::built_in(49), NumberStyle::Plain);
    }
}
