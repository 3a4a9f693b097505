//! One cell and one row as they stand in the file, before anything is concluded from them.

/// The first serial number that is a day in Excel's 1900 system after the day that never was
/// (29 February 1900, serial 60).
const SERIAL_AFTER_PHANTOM: i64 = 61;
/// 31 December 9999, the last day Excel knows.
const SERIAL_MAX: f64 = 2_958_465.0;
/// Days from 1 January 1970 back to 30 December 1899, where serials from 61 on count from.
const DAYS_TO_1899_12_30: i64 = -25_569;
/// Days from 1 January 1970 back to 1 January 1904.
const DAYS_TO_1904_01_01: i64 = -24_107;
/// From here on a floating-point number no longer holds every whole number of Excel's 15 digits.
pub(crate) const EXACT_NUMBER_END: f64 = 1e15;

/// What a [`Cell::Error`] holds for a formula whose result is not stored in the file: programs that
/// write workbooks without reckoning leave it out. An errors workbook shows it, and it is refused
/// again when that comes back.
pub const NO_RESULT: &str = "公式没有保存结果";

/// A day, perhaps with a time, as a workbook holds it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CellDate {
    /// Year, 1900 to 9999.
    pub year: u16,
    /// Month, 1 to 12.
    pub month: u8,
    /// Day of the month, 1 to 31.
    pub day: u8,
    /// Seconds since midnight, below 86,400.
    pub second: u32,
    /// Whether the cell shows the day; a format such as `yyyy"年"m"月"` does not.
    pub has_day: bool,
}

/// One cell.
#[derive(Debug, Clone, PartialEq, Default)]
pub enum Cell {
    /// Nothing in it.
    #[default]
    Empty,
    /// Text, exactly as stored.
    Text(String),
    /// A number; Excel keeps 15 digits of it.
    Number(f64),
    /// A number shown as a date.
    Date(CellDate),
    /// True or false.
    Bool(bool),
    /// A formula that failed, like `#NUM!`, or that has no stored result, see [`NO_RESULT`].
    Error(String),
}

impl Cell {
    /// A text cell, or [`Cell::Empty`] for the empty text.
    pub fn text(text: impl Into<String>) -> Self {
        let text = text.into();
        if text.is_empty() {
            Self::Empty
        } else {
            Self::Text(text)
        }
    }

    /// Whether there is nothing to read: empty, or only blanks.
    pub fn is_blank(&self) -> bool {
        match self {
            Self::Empty => true,
            Self::Text(text) => text.chars().all(crate::fold::is_blank),
            Self::Number(_) | Self::Date(_) | Self::Bool(_) | Self::Error(_) => false,
        }
    }

    /// The content as a person would see it. A number beyond Excel's 15 digits is shown with an
    /// exponent, so that the damage stays visible.
    pub fn display(&self) -> String {
        match self {
            Self::Empty => String::new(),
            Self::Text(text) | Self::Error(text) => text.clone(),
            Self::Number(number) => number_text(*number),
            Self::Bool(true) => "TRUE".to_owned(),
            Self::Bool(false) => "FALSE".to_owned(),
            Self::Date(date) => date_text(*date),
        }
    }
}

/// One row with content.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Row {
    /// Number as the spreadsheet program shows it, from 1.
    pub number: u32,
    /// Cells from column A on; those past the last filled one are absent.
    pub cells: Vec<Cell>,
}

impl Row {
    /// The cell of a column counted from 0; absent cells are empty.
    pub fn cell(&self, column: usize) -> &Cell {
        self.cells.get(column).unwrap_or(&Cell::Empty)
    }

    /// Whether no cell has content.
    pub fn is_blank(&self) -> bool {
        self.cells.iter().all(Cell::is_blank)
    }

    /// Number of cells with content.
    pub fn filled(&self) -> usize {
        self.cells.iter().filter(|cell| !cell.is_blank()).count()
    }
}

/// The address of a cell like `C7`, from a column counted from 0 and a row counted from 1.
pub fn address(column: usize, row: u32) -> String {
    let mut letters = Vec::new();
    let mut rest = column + 1;
    while rest > 0 {
        let digit = u8::try_from((rest - 1) % 26).unwrap_or(0);
        letters.push(char::from(b'A' + digit));
        rest = (rest - 1) / 26;
    }
    let letters: String = letters.into_iter().rev().collect();
    format!("{letters}{row}")
}

/// A number as Excel shows it in a cell of format General that is wide enough.
pub(crate) fn number_text(number: f64) -> String {
    if number.abs() >= EXACT_NUMBER_END {
        let text = format!("{number:.14E}");
        return text.replacen('E', "E+", 1);
    }
    if number.fract() == 0.0 {
        return format!("{number:.0}");
    }
    // Fifteen significant digits, so that 0.1 + 0.2 is 0.3 as in Excel.
    let rounded: f64 = format!("{number:.14e}").parse().unwrap_or(number);
    rounded.to_string()
}

fn date_text(date: CellDate) -> String {
    let CellDate {
        year,
        month,
        day,
        second,
        has_day,
    } = date;
    if !has_day {
        return format!("{year:04}-{month:02}");
    }
    if second == 0 {
        return format!("{year:04}-{month:02}-{day:02}");
    }
    let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
    format!("{year:04}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02}")
}

/// The day of a serial number, or `None` where Excel has none (before 1900, after 9999, and serial
/// 60 of the 1900 system, 29 February 1900).
pub(crate) fn date_from_serial(serial: f64, epoch_1904: bool, has_day: bool) -> Option<CellDate> {
    if !(0.0..=SERIAL_MAX).contains(&serial) {
        return None;
    }
    #[allow(
        clippy::cast_possible_truncation,
        reason = "bounded by SERIAL_MAX above"
    )]
    let mut whole = serial.floor() as i64;
    #[allow(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a fraction of a day is between 0 and 86,400 seconds"
    )]
    let mut second = (serial.fract() * 86_400.0).round() as u32;
    if second >= 86_400 {
        second = 0;
        whole += 1;
    }
    let days = if epoch_1904 {
        whole + DAYS_TO_1904_01_01
    } else if whole >= SERIAL_AFTER_PHANTOM {
        whole + DAYS_TO_1899_12_30
    } else if (1..SERIAL_AFTER_PHANTOM - 1).contains(&whole) {
        whole + DAYS_TO_1899_12_30 + 1
    } else {
        return None;
    };
    let (year, month, day) = civil_from_days(days);
    Some(CellDate {
        year: u16::try_from(year).ok()?,
        month: u8::try_from(month).ok()?,
        day: u8::try_from(day).ok()?,
        second,
        has_day,
    })
}

/// Year, month and day of a count of days since 1 January 1970 (the well-known algorithm over
/// eras of 400 years that begin in March).
fn civil_from_days(days: i64) -> (i64, i64, i64) {
    let shifted = days + 719_468;
    let era = shifted.div_euclid(146_097);
    let day_of_era = shifted.rem_euclid(146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 {
        month_from_march + 3
    } else {
        month_from_march - 9
    };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    (year, month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn day(serial: f64, epoch_1904: bool) -> Option<(u16, u8, u8)> {
        date_from_serial(serial, epoch_1904, true).map(|d| (d.year, d.month, d.day))
    }

    #[test]
    fn serials_of_both_epochs_become_the_day_excel_shows() {
        assert_eq!(day(1.0, false), Some((1900, 1, 1)));
        assert_eq!(day(59.0, false), Some((1900, 2, 28)));
        assert_eq!(day(60.0, false), None);
        assert_eq!(day(61.0, false), Some((1900, 3, 1)));
        assert_eq!(day(45_253.0, false), Some((2023, 11, 23)));
        assert_eq!(day(45_253.0 - 1_462.0, true), Some((2023, 11, 23)));
        assert_eq!(day(0.0, true), Some((1904, 1, 1)));
        assert_eq!(day(0.0, false), None);
        assert_eq!(day(-1.0, false), None);
        assert_eq!(day(f64::NAN, false), None);
        assert_eq!(day(1e300, false), None);
    }

    #[test]
    fn addresses_are_those_of_the_spreadsheet() {
        assert_eq!(address(0, 1), "A1");
        assert_eq!(address(2, 7), "C7");
        assert_eq!(address(25, 7), "Z7");
        assert_eq!(address(26, 7), "AA7");
        assert_eq!(address(255, 7), "IV7");
        assert_eq!(address(16_383, 1_048_576), "XFD1048576");
    }

    #[test]
    fn numbers_are_shown_as_excel_shows_them() {
        assert_eq!(number_text(13_900_000_000.0), "13900000000");
        assert_eq!(number_text(0.1 + 0.2), "0.3");
        assert_eq!(number_text(-0.5), "-0.5");
        assert_eq!(
            number_text(110_105_194_912_310_020.0),
            "1.10105194912310E+17"
        );
    }
}
