//! Twelve-digit codes of communities (统计用区划代码): six digits of county or district by
//! GB/T 2260, three of the street or town, three of the residents' or villagers' committee
//! (`domain.md` 2.2).
//!
//! Only the shape is checked. Which codes exist is the hub's table, which changes every year.

use std::fmt;

use super::text::compact_code;

/// Digits of a code.
const LENGTH: usize = 12;
/// The first two digits in use by GB/T 2260: provinces, autonomous regions, municipalities.
const PROVINCES: [u8; 34] = [
    11, 12, 13, 14, 15, 21, 22, 23, 31, 32, 33, 34, 35, 36, 37, 41, 42, 43, 44, 45, 46, 50, 51, 52,
    53, 54, 61, 62, 63, 64, 65, 71, 81, 82,
];

/// A twelve-digit code with the shape of a community's.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct AreaCode {
    text: String,
    street: u16,
    committee: u16,
}

/// Why a text is no community's code. Positions are counted from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AreaCodeRefused {
    /// Not twelve digits.
    WrongLength {
        /// How many characters there are.
        found: usize,
    },
    /// A character that is no digit.
    BadCharacter {
        /// Where the first of them stands.
        position: usize,
    },
    /// No province begins with these two digits.
    UnknownProvince,
    /// Digits seven to nine name no street, town or township (001 to 599).
    NoStreet,
    /// The last three digits are zero: a street, not a community.
    NoCommunity,
}

/// What the seventh to ninth digits say.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum StreetKind {
    /// 001 to 099: street (街道).
    Street,
    /// 100 to 199: town (镇).
    Town,
    /// 200 to 399: township (乡).
    Township,
    /// 400 to 599: administered together with an enterprise or estate (政企合一).
    Mixed,
}

/// What the last three digits say.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum CommitteeKind {
    /// 001 to 199: residents' committee (居民委员会).
    Residents,
    /// 200 and above: villagers' committee (村民委员会) and what is counted like one.
    Village,
}

impl AreaCode {
    /// Reads a code as a person typed or pasted it; full-width digits are accepted, spaces and
    /// hyphens are left out.
    pub fn parse(text: &str) -> Result<Self, AreaCodeRefused> {
        let clean = compact_code(text);
        if let Some(index) = clean.chars().position(|c| !c.is_ascii_digit()) {
            return Err(AreaCodeRefused::BadCharacter {
                position: index + 1,
            });
        }
        let found = clean.len();
        let number = |from: usize, to: usize| {
            clean
                .get(from..to)
                .and_then(|digits| digits.parse::<u16>().ok())
        };
        let wrong_length = AreaCodeRefused::WrongLength { found };
        if found != LENGTH {
            return Err(wrong_length);
        }
        let province = number(0, 2).ok_or(wrong_length)?;
        let street = number(6, 9).ok_or(wrong_length)?;
        let committee = number(9, 12).ok_or(wrong_length)?;
        if !PROVINCES.iter().any(|known| u16::from(*known) == province) {
            Err(AreaCodeRefused::UnknownProvince)
        } else if !(1..600).contains(&street) {
            Err(AreaCodeRefused::NoStreet)
        } else if committee == 0 {
            Err(AreaCodeRefused::NoCommunity)
        } else {
            Ok(Self {
                text: clean,
                street,
                committee,
            })
        }
    }

    /// The twelve digits, as they are stored.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The six digits of the county or district (GB/T 2260), e.g. `350102`.
    pub fn county(&self) -> &str {
        self.text.get(..6).unwrap_or_default()
    }

    /// The nine digits of the street or town.
    pub fn street(&self) -> &str {
        self.text.get(..9).unwrap_or_default()
    }

    /// What kind of street or town it is.
    pub fn street_kind(&self) -> StreetKind {
        match self.street {
            ..100 => StreetKind::Street,
            100..200 => StreetKind::Town,
            200..400 => StreetKind::Township,
            400.. => StreetKind::Mixed,
        }
    }

    /// What kind of committee it is.
    pub fn committee_kind(&self) -> CommitteeKind {
        match self.committee {
            ..200 => CommitteeKind::Residents,
            200.. => CommitteeKind::Village,
        }
    }
}

impl fmt::Display for AreaCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
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

    #[test]
    fn the_parts_of_a_code_are_told_apart() {
        use CommitteeKind::{Residents, Village};
        use StreetKind::{Mixed, Street, Town, Township};
        for (text, street, committee) in [
            ("350102001001", Street, Residents),
            ("350102099199", Street, Residents),
            ("350182100200", Town, Village),
            ("350112199001", Town, Residents),
            ("350112200201", Township, Village),
            ("350112399299", Township, Village),
            ("350105400001", Mixed, Residents),
            ("350105599999", Mixed, Village),
        ] {
            let code = AreaCode::parse(text).expect(text);
            assert_eq!(
                (code.street_kind(), code.committee_kind()),
                (street, committee),
                "{text}"
            );
            assert_eq!(code.county(), &text[..6]);
            assert_eq!(code.street(), &text[..9]);
            assert_eq!(code.to_string(), text);
        }
    }

    #[test]
    fn each_kind_of_error_is_named() {
        use AreaCodeRefused::{BadCharacter, NoCommunity, NoStreet, UnknownProvince, WrongLength};
        for (text, refused) in [
            ("", WrongLength { found: 0 }),
            ("350102", WrongLength { found: 6 }),
            ("3501020010011", WrongLength { found: 13 }),
            ("35010200100A", BadCharacter { position: 12 }),
            ("990102001001", UnknownProvince),
            ("350102000001", NoStreet),
            ("350102600001", NoStreet),
            ("350102001000", NoCommunity),
        ] {
            assert_eq!(AreaCode::parse(text), Err(refused), "{text}");
        }
    }

    proptest! {
        #[test]
        fn accepted_codes_are_their_own_normal_form(text in "[0-9０-９ ]{10,14}|35[0-9]{10}|.*") {
            if let Ok(code) = AreaCode::parse(&text) {
                let again = AreaCode::parse(code.as_str());
                prop_assert_eq!(again.as_ref(), Ok(&code));
                prop_assert_eq!(code.as_str().len(), LENGTH);
            }
        }
    }
}
