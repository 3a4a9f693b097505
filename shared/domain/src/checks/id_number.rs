//! ID numbers (公民身份号码), GB 11643-1999: six digits of area, eight of birth date, three of
//! sequence (odd for men) and a check character by ISO 7064 MOD 11-2.
//!
//! Absent on purpose: any check of the area, since areas are abolished and their numbers live on
//! (`domain.md` 2.3), and any comparison with today, since nothing here reads a clock.

use std::fmt;

use jiff::civil::Date;

use super::text::compact_code;

/// Weights of the first seventeen digits (GB 11643-1999, 4.4).
const WEIGHTS: [u32; 17] = [7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2];
/// Check characters by the weighted sum's remainder modulo 11.
const CHECKS: [char; 11] = ['1', '0', 'X', '9', '8', '7', '6', '5', '4', '3', '2'];
/// The earliest year of birth that a number may carry; earlier ones are typing errors.
const BIRTH_YEAR_MIN: i16 = 1800;
/// Characters shown at either end of a masked number.
const SHOWN: usize = 4;

/// A correct ID number of eighteen characters.
///
/// Its `Debug` form is masked, so that it cannot reach a log by accident; [`IdNumber::as_str`]
/// gives the whole number.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct IdNumber {
    text: String,
    birth: Date,
}

/// Why a text is no ID number. Positions are characters of the normalised text, counted from 1.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum IdNumberRefused {
    /// Neither eighteen nor fifteen characters.
    WrongLength {
        /// How many there are.
        found: usize,
    },
    /// A correct number of the first generation; the person's present number is most likely the
    /// suggested one, which the card must confirm.
    Fifteen {
        /// The same number with `19` before the year and with its check character.
        suggestion: IdNumber,
    },
    /// A character that is no digit (nor `X` at the end).
    BadCharacter {
        /// Where the first of them stands.
        position: usize,
    },
    /// The eight digits of the birth date are no date since 1800.
    ImpossibleDate,
    /// The last character does not agree with the others (`MEM-001`).
    CheckDigit {
        /// What it should be if the others are right.
        expected: char,
    },
}

/// The sex that an ID number carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Sex {
    /// Odd seventeenth digit (男).
    Male,
    /// Even seventeenth digit (女).
    Female,
}

impl Sex {
    /// Its code in GB/T 2261.1: `1` or `2`.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Male => "1",
            Self::Female => "2",
        }
    }
}

impl IdNumber {
    /// Reads a number as a person typed or pasted it; see [`normalise`].
    pub fn parse(text: &str) -> Result<Self, IdNumberRefused> {
        let clean = normalise(text);
        match clean.chars().count() {
            15 => {
                refuse_characters(&clean)?;
                let (area, rest) = clean.split_at_checked(6).unwrap_or_default();
                let suggestion = Self::complete(format!("{area}19{rest}"))?;
                Err(IdNumberRefused::Fifteen { suggestion })
            }
            18 => {
                refuse_characters(&clean)?;
                let number = Self::complete(clean.chars().take(17).collect())?;
                match number.text.chars().last() {
                    Some(expected) if number.text != clean => {
                        Err(IdNumberRefused::CheckDigit { expected })
                    }
                    _ => Ok(number),
                }
            }
            found => Err(IdNumberRefused::WrongLength { found }),
        }
    }

    /// The number with these seventeen digits and the check character that belongs to them.
    fn complete(first17: String) -> Result<Self, IdNumberRefused> {
        let birth = birth_date_in(&first17).ok_or(IdNumberRefused::ImpossibleDate)?;
        let check = check_character(&first17).ok_or(IdNumberRefused::ImpossibleDate)?;
        let mut text = first17;
        text.push(check);
        Ok(Self { text, birth })
    }

    /// The eighteen characters, as they are stored.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The birth date that the number carries; the personnel file's may differ.
    pub fn birth_date(&self) -> Date {
        self.birth
    }

    /// The sex that the number carries.
    pub fn sex(&self) -> Sex {
        match self.text.as_bytes().get(16) {
            Some(digit) if digit % 2 == 1 => Sex::Male,
            _ => Sex::Female,
        }
    }

    /// The last four characters, by which a person is looked up in a list.
    pub fn last4(&self) -> &str {
        self.text.get(14..).unwrap_or_default()
    }

    /// As it is shown everywhere but on the edit form: `1101**********1234` (`ux.md` 2.4).
    pub fn masked(&self) -> String {
        mask(&self.text)
    }

    /// As it is shown while typing, in groups of six, eight and four (`ux.md` 2.4).
    pub fn grouped(&self) -> String {
        group(&self.text)
    }
}

impl fmt::Debug for IdNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "IdNumber({})", self.masked())
    }
}

/// The text with only what counts: full-width digits narrowed, `x` and the signs typed for it
/// (`×`, Ⅹ, Cyrillic Х) as `X`, no spaces, hyphens or hidden characters. Other characters stay, so
/// that they can be pointed at.
pub fn normalise(text: &str) -> String {
    compact_code(text)
        .chars()
        .map(|c| {
            if matches!(c, '×' | 'Ⅹ' | 'ⅹ' | 'Х' | 'х') {
                'X'
            } else {
                c
            }
        })
        .collect()
}

/// The check character of seventeen digits; none if they are not seventeen ASCII digits.
pub fn check_character(first17: &str) -> Option<char> {
    if first17.len() != WEIGHTS.len() {
        return None;
    }
    let digits = first17
        .chars()
        .map(|c| c.to_digit(10))
        .collect::<Option<Vec<_>>>()?;
    let sum: u32 = digits
        .iter()
        .zip(WEIGHTS)
        .map(|(digit, weight)| digit * weight)
        .sum();
    CHECKS.get(usize::try_from(sum % 11).ok()?).copied()
}

/// Any identity number with its middle hidden: four characters at either end stay from a length of
/// fifteen on, shorter texts are hidden whole. Works for numbers registered unverified too.
pub fn mask(text: &str) -> String {
    let length = text.chars().count();
    let shown = if length >= 15 { SHOWN } else { 0 };
    let hidden = shown..length - shown;
    text.chars()
        .enumerate()
        .map(|(i, c)| if hidden.contains(&i) { '*' } else { c })
        .collect()
}

/// Any text in groups of six, eight and the rest, as ID numbers are read aloud.
pub fn group(text: &str) -> String {
    let mut grouped = String::with_capacity(text.len() + 2);
    for (i, c) in text.chars().enumerate() {
        if matches!(i, 6 | 14) {
            grouped.push(' ');
        }
        grouped.push(c);
    }
    grouped
}

/// Refuses the first character that is neither a digit nor an `X` in the eighteenth place.
fn refuse_characters(clean: &str) -> Result<(), IdNumberRefused> {
    let bad = clean.chars().position(|c| !c.is_ascii_digit());
    match bad {
        None => Ok(()),
        Some(17) if clean.ends_with('X') => Ok(()),
        Some(index) => Err(IdNumberRefused::BadCharacter {
            position: index + 1,
        }),
    }
}

fn birth_date_in(first17: &str) -> Option<Date> {
    let year: i16 = first17.get(6..10)?.parse().ok()?;
    let month: i8 = first17.get(10..12)?.parse().ok()?;
    let day: i8 = first17.get(12..14)?.parse().ok()?;
    Date::new(year, month, day)
        .ok()
        .filter(|date| date.year() >= BIRTH_YEAR_MIN)
}

#[cfg(test)]
#[allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a test may state what must hold"
)]
mod tests {
    use jiff::civil::date;
    use proptest::prelude::*;

    use super::*;

    /// ISO 7064 MOD 11-2 by its recursive definition, without the table of weights: the doubled
    /// remainders of all eighteen places must end at 1.
    fn holds_by_recursion(text: &str) -> bool {
        let mut product = 0;
        for (i, c) in text.chars().enumerate() {
            let value = if i == 17 && c == 'X' {
                10
            } else {
                c.to_digit(10).unwrap_or(99)
            };
            product = (product * 2 + value) % 11;
        }
        text.len() == 18 && product == 1
    }

    fn number(text: &str) -> IdNumber {
        IdNumber::parse(text).expect("a correct number")
    }

    #[test]
    fn the_standards_own_example_is_read() {
        let id = number("11010519491231002X");
        assert_eq!(id.as_str(), "11010519491231002X");
        assert_eq!(id.birth_date(), date(1949, 12, 31));
        assert_eq!(id.sex(), Sex::Female);
        assert_eq!(id.last4(), "002X");
        assert_eq!(id.masked(), "1101**********002X");
        assert_eq!(id.grouped(), "110105 19491231 002X");
        assert_eq!(format!("{id:?}"), "IdNumber(1101**********002X)");
        assert_eq!(number("440524188001010014").sex().code(), "1");
    }

    #[test]
    fn what_people_type_and_paste_is_read_alike() {
        for text in [
            "11010519491231002x",
            " 110105 19491231 002X\n",
            "110105-19491231-002X",
            "１１０１０５１９４９１２３１００２Ｘ",
            "１１０１０５１９４９１２３１００２ｘ",
            "\u{feff}11010519491231002×",
            "11010519491231002Ⅹ",
            "11010519491231002Х",
        ] {
            assert_eq!(number(text).as_str(), "11010519491231002X", "{text:?}");
        }
    }

    #[test]
    fn each_kind_of_error_is_named() {
        use IdNumberRefused::{BadCharacter, CheckDigit, ImpossibleDate, WrongLength};
        for (text, refused) in [
            ("", WrongLength { found: 0 }),
            ("1101051949123100", WrongLength { found: 16 }),
            ("11010519491231002X0", WrongLength { found: 19 }),
            ("11010519491231O02X", BadCharacter { position: 15 }),
            ("X1010519491231002X", BadCharacter { position: 1 }),
            ("11010519491231002Y", BadCharacter { position: 18 }),
            ("11010549123l002", BadCharacter { position: 12 }),
            ("一一0105491231002", BadCharacter { position: 1 }),
            ("110105194913310025", ImpossibleDate),
            ("110105190002290021", ImpossibleDate),
            ("110105000001010021", ImpossibleDate),
            ("110105491331002", ImpossibleDate),
            ("110105194912310021", CheckDigit { expected: 'X' }),
            ("44052418800101001X", CheckDigit { expected: '4' }),
        ] {
            assert_eq!(IdNumber::parse(text), Err(refused), "{text:?}");
        }
    }

    #[test]
    fn fifteen_digits_are_explained_and_never_converted_silently() {
        let refused = IdNumber::parse("110105 491231 002");
        let suggestion = number("11010519491231002X");
        assert_eq!(refused, Err(IdNumberRefused::Fifteen { suggestion }));
    }

    #[test]
    fn abolished_and_invented_areas_are_accepted() {
        for area in ["350182", "000000", "999999"] {
            let first17 = format!("{area}20000229001");
            let check = check_character(&first17).expect("digits");
            assert!(
                IdNumber::parse(&format!("{first17}{check}")).is_ok(),
                "{area}"
            );
        }
    }

    #[test]
    fn short_and_foreign_numbers_are_masked_whole() {
        assert_eq!(mask(""), "");
        assert_eq!(mask("E12345678"), "*********");
        assert_eq!(mask("110105491231002"), "1101*******1002");
        assert_eq!(
            mask("一二三四五六七八九十一二三四五"),
            "一二三四*******二三四五"
        );
    }

    #[test]
    fn check_characters_need_seventeen_digits() {
        for text in [
            "",
            "1101051949123100",
            "110105194912310021",
            "1101051949123100a",
            "ééééééééa",
        ] {
            assert_eq!(check_character(text), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn completed_numbers_hold_by_the_recursive_definition(
            area in 0_u32..1_000_000, days in 0_i64..146_000, sequence in 0_u16..1000,
        ) {
            let birth = date(1800, 1, 1).saturating_add(jiff::Span::new().days(days));
            let first17 = format!("{area:06}{}{sequence:03}", birth.strftime("%Y%m%d"));
            let check = check_character(&first17).expect("digits");
            let text = format!("{first17}{check}");
            prop_assert!(holds_by_recursion(&text));
            let id = number(&text);
            prop_assert_eq!(id.birth_date(), birth);
            prop_assert_eq!(id.sex() == Sex::Male, sequence % 2 == 1);
            prop_assert_eq!(number(&id.grouped()), id);
        }

        #[test]
        fn one_wrong_digit_or_two_swapped_are_always_found(
            sequence in 0_u16..1000, place in 0_usize..17, digit in 0_u32..10,
        ) {
            let first17 = format!("35010219850607{sequence:03}");
            let good = format!("{first17}{}", check_character(&first17).expect("digits"));
            let mut chars: Vec<char> = good.chars().collect();
            chars[place] = char::from_digit(digit, 10).expect("a digit");
            let wrong: String = chars.iter().collect();
            prop_assert_eq!(IdNumber::parse(&wrong).is_ok(), wrong == good);
            let mut chars: Vec<char> = good.chars().collect();
            chars.swap(place, place + 1);
            let swapped: String = chars.iter().collect();
            prop_assert_eq!(IdNumber::parse(&swapped).is_ok(), swapped == good);
        }

        #[test]
        fn no_text_at_all_panics(text in "[0-9Xx０-９ -]{0,24}|.*") {
            let clean = normalise(&text);
            prop_assert_eq!(&normalise(&clean), &clean);
            if let Ok(id) = IdNumber::parse(&text) {
                prop_assert!(holds_by_recursion(id.as_str()));
                prop_assert_eq!(id.as_str(), clean);
            }
            prop_assert_eq!(mask(&text).chars().count(), text.chars().count());
        }
    }
}
