//! Unified social credit codes of organisations (统一社会信用代码), GB 32100-2015: one character of
//! the registering department, one of the kind, six digits of area, nine characters of
//! organisation code and a check character modulo 31.
//!
//! As with ID numbers the area is never checked.

use std::fmt;

use super::text::compact_code;

/// The 31 characters of a code in the order of their values: no I, O, S, V or Z.
const ALPHABET: &str = "0123456789ABCDEFGHJKLMNPQRTUWXY";
/// The modulus, and the count of characters.
const MODULUS: u32 = 31;
/// Characters of a code.
const LENGTH: usize = 18;

/// A correct unified social credit code of eighteen characters.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct CreditCode(String);

/// Why a text is no unified social credit code. Positions are characters of the text without
/// spaces and hyphens, counted from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CreditCodeRefused {
    /// Not eighteen characters.
    WrongLength {
        /// How many there are.
        found: usize,
    },
    /// A character that the standard does not use, or a letter among the six digits of area.
    BadCharacter {
        /// Where the first of them stands.
        position: usize,
    },
    /// The last character does not agree with the others.
    CheckCharacter {
        /// What it should be if the others are right.
        expected: char,
    },
}

impl CreditCode {
    /// Reads a code as a person typed or pasted it: full-width and small letters are accepted,
    /// spaces and hyphens are left out.
    pub fn parse(text: &str) -> Result<Self, CreditCodeRefused> {
        let clean = compact_code(text);
        let found = clean.chars().count();
        if found != LENGTH {
            return Err(CreditCodeRefused::WrongLength { found });
        }
        for (index, c) in clean.chars().enumerate() {
            let area = (2..8).contains(&index);
            if value(c).is_none() || (area && !c.is_ascii_digit()) {
                return Err(CreditCodeRefused::BadCharacter {
                    position: index + 1,
                });
            }
        }
        let first17: String = clean.chars().take(LENGTH - 1).collect();
        match check_character(&first17) {
            Some(expected) if !clean.ends_with(expected) => {
                Err(CreditCodeRefused::CheckCharacter { expected })
            }
            _ => Ok(Self(clean)),
        }
    }

    /// The eighteen characters, as they are stored.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for CreditCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The check character of the first seventeen; none if they are not seventeen of the standard's.
///
/// Weight of place i is 3^(i-1) modulo 31; the check is 31 minus the sum modulo 31, and 0 for 31.
pub fn check_character(first17: &str) -> Option<char> {
    if first17.chars().count() != LENGTH - 1 {
        return None;
    }
    let mut weight = 1;
    let mut sum = 0;
    for c in first17.chars() {
        sum = (sum + value(c)? * weight) % MODULUS;
        weight = weight * 3 % MODULUS;
    }
    let check = (MODULUS - sum) % MODULUS;
    ALPHABET.chars().nth(usize::try_from(check).ok()?)
}

fn value(c: char) -> Option<u32> {
    ALPHABET
        .chars()
        .position(|other| other == c)
        .and_then(|index| u32::try_from(index).ok())
}

#[cfg(test)]
#[allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a test may state what must hold"
)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The standard's condition written the other way round: the sum over all eighteen places,
    /// each value times the written-out power of three, is a multiple of 31.
    fn holds_by_sum(code: &str) -> bool {
        let sum: u128 = (0_u32..)
            .zip(code.bytes())
            .map(|(i, byte)| {
                let letters_left_out = b"IOSVZ".iter().filter(|left| **left < byte).count();
                let value = match byte {
                    b'0'..=b'9' => u128::from(byte - b'0'),
                    _ => u128::from(byte - b'A') + 10 - letters_left_out as u128,
                };
                // The last place is added as it is.
                if i == 17 {
                    value
                } else {
                    value * 3_u128.pow(i)
                }
            })
            .sum();
        code.len() == 18 && sum.is_multiple_of(31)
    }

    #[test]
    fn the_worked_example_holds() {
        let code = CreditCode::parse("91350100M000100Y43").expect("the worked example");
        assert_eq!(code.as_str(), "91350100M000100Y43");
        assert_eq!(code.to_string(), "91350100M000100Y43");
        assert!(holds_by_sum(code.as_str()));
        assert_eq!(check_character("91350100M000100Y4"), Some('3'));
        for text in [
            "91350100m000100y43",
            "９１３５０１００Ｍ０００１００Ｙ４３",
            " 91350100-M000100Y4-3",
        ] {
            assert_eq!(CreditCode::parse(text).as_ref(), Ok(&code), "{text}");
        }
    }

    #[test]
    fn each_kind_of_error_is_named() {
        use CreditCodeRefused::{BadCharacter, CheckCharacter, WrongLength};
        for (text, refused) in [
            ("", WrongLength { found: 0 }),
            ("91350100M000100Y4", WrongLength { found: 17 }),
            ("91350100M000100I43", BadCharacter { position: 16 }),
            ("9135O100M000100Y43", BadCharacter { position: 5 }),
            ("91A50100M000100Y43", BadCharacter { position: 3 }),
            ("91350100M000100Y44", CheckCharacter { expected: '3' }),
            ("91350100M000100Y34", CheckCharacter { expected: 'X' }),
        ] {
            match (CreditCode::parse(text), refused) {
                (Err(CheckCharacter { expected }), CheckCharacter { .. }) => {
                    assert!(
                        holds_by_sum(&format!("{}{expected}", &text[..17])),
                        "{text}"
                    );
                }
                (found, refused) => assert_eq!(found, Err(refused), "{text}"),
            }
        }
    }

    #[test]
    fn check_characters_need_seventeen_characters_of_the_standard() {
        assert_eq!(check_character("91350100M000100Y43"), None);
        assert_eq!(check_character("91350100M000100Z4"), None);
        assert_eq!(check_character("00000000000000000"), Some('0'));
    }

    proptest! {
        #[test]
        fn completed_codes_hold_and_one_wrong_character_is_found(
            head in "[0-9A-HJ-NPQRTUWXY]{2}", area in "[0-9]{6}",
            organisation in "[0-9A-HJ-NPQRTUWXY]{9}",
            place in 0_usize..18, other in "[0-9]",
        ) {
            let first17 = format!("{head}{area}{organisation}");
            let good = format!("{first17}{}", check_character(&first17).expect("characters"));
            prop_assert!(holds_by_sum(&good));
            prop_assert!(CreditCode::parse(&good).is_ok());
            let mut wrong = good.clone();
            wrong.replace_range(place..=place, &other);
            prop_assert_eq!(CreditCode::parse(&wrong).is_ok(), wrong == good);
        }

        #[test]
        fn no_text_at_all_panics(text in ".*") {
            let _ = CreditCode::parse(&text);
        }
    }
}
