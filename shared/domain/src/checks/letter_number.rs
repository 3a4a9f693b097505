//! Numbers of letters of introduction (介绍信编号): a year and a serial, counted anew each year by each
//! issuer (`domain.md` 1.3). The issuer is a field of its own beside the number, so the number is
//! written without it: `〔2026〕第000123号`.
//!
//! A number that the system gives has six digits of serial, so that a list sorts and nothing can be
//! put before it; it grows beyond them. A number on preprinted paper may be written otherwise; what is
//! understood is listed at [`LetterNumber::parse`], and `2026-7` is the same number as
//! `示范街道〔2026〕第000007号`: a paper number meets the electronic one that it collides with.

use std::fmt;

/// The first year that a letter can bear.
const YEAR_MIN: u16 = 1921;
/// The last.
const YEAR_MAX: u16 = 9999;
/// The greatest serial.
pub const SERIAL_MAX: u32 = 999_999_999;
/// Characters of what stands before the year, an issuer's name.
const PREFIX_CHARS_MAX: usize = 20;

/// The number of a letter, unique per issuer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct LetterNumber {
    year: u16,
    serial: u32,
}

/// Why a text is no number of a letter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LetterNumberRefused {
    /// No year of four digits, 1921 to 9999, stands at the beginning or after the issuer's name.
    NoYear,
    /// After the year stands no serial of one to nine digits, or something stands behind it.
    NoSerial,
}

impl LetterNumber {
    /// A year (1921 to 9999) and a serial (1 to 999,999,999); none outside of these.
    pub fn new(year: u16, serial: u32) -> Option<Self> {
        let is_valid = (YEAR_MIN..=YEAR_MAX).contains(&year) && (1..=SERIAL_MAX).contains(&serial);
        is_valid.then_some(Self { year, serial })
    }

    /// The year that the serial counts in.
    pub const fn year(self) -> u16 {
        self.year
    }

    /// The place in the year, from 1.
    pub const fn serial(self) -> u32 {
        self.serial
    }

    /// Reads a number as people write it: an issuer's name without digits (up to twenty
    /// characters) or nothing; the year in brackets or plain; a dash, `年`, `第` or a space; the serial
    /// with or without leading zeros; `号` or nothing.
    ///
    /// # Errors
    /// [`LetterNumberRefused`], which part is missing.
    pub fn parse(text: &str) -> Result<Self, LetterNumberRefused> {
        let plain: String = text.trim().chars().map(plain_character).collect();
        let start = plain
            .find(|c: char| c.is_ascii_digit())
            .ok_or(LetterNumberRefused::NoYear)?;
        let (prefix, rest) = plain.split_at(start);
        if prefix.chars().count() > PREFIX_CHARS_MAX {
            return Err(LetterNumberRefused::NoYear);
        }
        let is_bracketed = prefix.ends_with('[');
        let (year, rest) = digits(rest);
        let year: u16 = Some(year)
            .filter(|year| year.len() == 4)
            .and_then(|year| year.parse().ok())
            .ok_or(LetterNumberRefused::NoYear)?;
        let rest = match (is_bracketed, rest.strip_prefix(']')) {
            (true, Some(rest)) => rest,
            (false, None) if rest.starts_with(is_separator) => rest,
            _ => return Err(LetterNumberRefused::NoYear),
        };
        let rest = rest.trim_start_matches(is_separator);
        let (serial, rest) = digits(rest);
        let serial = Some(serial)
            .filter(|_| matches!(rest.trim(), "" | "号"))
            .and_then(|serial| serial.parse().ok())
            .ok_or(LetterNumberRefused::NoSerial)?;
        if !(YEAR_MIN..=YEAR_MAX).contains(&year) {
            return Err(LetterNumberRefused::NoYear);
        }
        Self::new(year, serial).ok_or(LetterNumberRefused::NoSerial)
    }
}

impl fmt::Display for LetterNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "〔{}〕第{:06}号", self.year, self.serial)
    }
}

/// Full-width digits and the many brackets and dashes in their plain form.
fn plain_character(c: char) -> char {
    match c {
        '\u{ff10}'..='\u{ff19}' => {
            char::from_u32(u32::from(c) - 0xff10 + u32::from('0')).unwrap_or(c)
        }
        '〔' | '\u{ff3b}' | '【' | '(' | '\u{ff08}' | '〖' => '[',
        '〕' | '\u{ff3d}' | '】' | ')' | '\u{ff09}' | '〗' => ']',
        '\u{ff0d}' | '–' | '—' | '―' | '−' | '/' => '-',
        '\u{3000}' => ' ',
        other => other,
    }
}

const fn is_separator(c: char) -> bool {
    matches!(c, '-' | '年' | '第' | ' ')
}

fn digits(text: &str) -> (&str, &str) {
    let end = text
        .find(|c: char| !c.is_ascii_digit())
        .unwrap_or(text.len());
    text.split_at(end)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::{LetterNumber, LetterNumberRefused as Refused};

    fn number(year: u16, serial: u32) -> LetterNumber {
        LetterNumber::new(year, serial).unwrap()
    }

    #[test]
    fn what_is_written_is_read_back() {
        for (serial, text) in [
            (1, "〔2026〕第000001号"),
            (123, "〔2026〕第000123号"),
            (1_234_567, "〔2026〕第1234567号"),
        ] {
            assert_eq!(number(2026, serial).to_string(), text);
            assert_eq!(LetterNumber::parse(text), Ok(number(2026, serial)));
        }
    }

    #[test]
    fn one_number_is_the_same_however_people_write_it() {
        for text in [
            "2026-7",
            "2026-0007",
            "2026年第7号",
            "2026 7",
            "2026年7",
            "[2026]7",
            "(2026)第7号",
            "【2026】007号",
            " 〔2026〕 7 号 ",
            "示范街道〔2026〕第000007号",
            "示范-2026-0007",
            "\u{ff12}\u{ff10}\u{ff12}\u{ff16}\u{ff0d}\u{ff17}",
            "\u{ff08}2026\u{ff09}7",
        ] {
            assert_eq!(LetterNumber::parse(text), Ok(number(2026, 7)), "{text}");
        }
    }

    #[test]
    fn what_lacks_year_or_serial_is_no_number() {
        for text in [
            "",
            "示范",
            "7",
            "示范-7",
            "外-0001",
            "202-7",
            "20267",
            "20261-7",
            "1920-7",
            "〔2026-7",
            "2026〕7",
        ] {
            assert_eq!(LetterNumber::parse(text), Err(Refused::NoYear), "{text}");
        }
        for text in [
            "2026-",
            "2026-x",
            "2026-0",
            "2026-7-8",
            "2026-7a",
            "2026-1000000000",
        ] {
            assert_eq!(LetterNumber::parse(text), Err(Refused::NoSerial), "{text}");
        }
        let long = format!("{}2026-7", "长".repeat(21));
        assert_eq!(LetterNumber::parse(&long), Err(Refused::NoYear));
    }

    #[test]
    fn a_number_has_its_bounds() {
        assert_eq!(LetterNumber::new(1920, 1), None);
        assert_eq!(LetterNumber::new(2026, 0), None);
        assert_eq!(LetterNumber::new(2026, 1_000_000_000), None);
        assert_eq!(number(9999, 999_999_999).serial(), 999_999_999);
    }
}
