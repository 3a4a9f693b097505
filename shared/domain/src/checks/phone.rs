//! Telephone numbers of mainland China: mobile ones, landlines with their area code, local numbers
//! as residents give them, and the service numbers of units (400, 800).
//!
//! Numbering follows the plan of the Ministry of Industry and Information Technology in outline
//! only: which blocks are assigned changes, so no operator's prefix is checked.

use std::fmt;

use super::text::{fold_width, is_hidden, is_hyphen};

/// Digits of an extension at most.
const EXTENSION_MAX: usize = 6;

/// What kind of number it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum PhoneKind {
    /// Eleven digits from 13 to 19.
    Mobile,
    /// With an area code: 010, 02x or 03xx to 09xx.
    Landline,
    /// Seven or eight digits of the same city.
    Local,
    /// Ten digits from 400 or 800.
    Service,
}

/// A telephone number in its normal form: `13812341234`, `0591-83371234`, with an extension
/// `0591-83371234-801`, `83371234`, `4008123456`. Its `Debug` form is masked.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct PhoneNumber {
    text: String,
    kind: PhoneKind,
}

/// Why a text is no telephone number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PhoneRefused {
    /// No digit at all.
    Empty,
    /// Neither a digit nor a mark that is used between digits.
    BadCharacter {
        /// Where the first of them stands, in characters from 1.
        position: usize,
    },
    /// A country code other than 86.
    NotMainland,
    /// Fewer than seven digits or more than any number has.
    WrongLength {
        /// How many there are.
        found: usize,
    },
    /// The digits begin like no number of these kinds, or are too few or too many for theirs.
    UnknownForm,
}

/// The digits of a text: groups as they were written, and those after an extension mark.
#[derive(Default)]
struct Written {
    groups: Vec<String>,
    extension: Option<String>,
    international: bool,
}

impl PhoneNumber {
    /// Reads a number as a person typed or pasted it, with or without country code; an extension
    /// follows 转, 分机, `#`, `x` or the last hyphen.
    pub fn parse(text: &str) -> Result<Self, PhoneRefused> {
        let written = split(text)?;
        let whole = written.groups.concat();
        if whole.is_empty() {
            return Err(PhoneRefused::Empty);
        }
        if written.international && !whole.starts_with("86") {
            return Err(PhoneRefused::NotMainland);
        }
        let read = |digits: &str, extension: Option<&str>| {
            let (kind, number) = classify(digits, written.international)?;
            with_extension(kind, number, extension)
        };
        if let Some(extension) = &written.extension {
            return read(&whole, Some(extension)).ok_or(PhoneRefused::UnknownForm);
        }
        // The last group is an extension only if the others are a whole number already.
        let last = written
            .groups
            .last()
            .map(String::as_str)
            .unwrap_or_default();
        let others = whole.strip_suffix(last).unwrap_or_default();
        read(others, Some(last))
            .or_else(|| read(&whole, None))
            .ok_or({
                match whole.len() {
                    7..=21 => PhoneRefused::UnknownForm,
                    found => PhoneRefused::WrongLength { found },
                }
            })
    }

    /// The normal form, as it is stored.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// What kind of number it is.
    pub fn kind(&self) -> PhoneKind {
        self.kind
    }

    /// As it is shown on lists: `138****1234`, `0591-****1234`, `****1234`; extensions are hidden.
    pub fn masked(&self) -> String {
        let end = |digits: &str| {
            digits
                .chars()
                .skip(digits.len().saturating_sub(4))
                .collect()
        };
        let (start, end): (&str, String) = match self.kind {
            PhoneKind::Mobile => (self.text.get(..3).unwrap_or_default(), end(&self.text)),
            PhoneKind::Landline => {
                let (area, rest) = self.text.split_once('-').unwrap_or_default();
                let local = rest.split('-').next().unwrap_or_default();
                return format!("{area}-****{}", end(local));
            }
            PhoneKind::Local | PhoneKind::Service => {
                ("", end(self.text.split('-').next().unwrap_or_default()))
            }
        };
        format!("{start}****{end}")
    }
}

impl fmt::Debug for PhoneNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PhoneNumber({})", self.masked())
    }
}

/// Any text of a telephone field masked: a number as [`PhoneNumber::masked`], any other text with
/// all its letters and digits hidden.
pub fn mask(text: &str) -> String {
    match PhoneNumber::parse(text) {
        Ok(number) => number.masked(),
        Err(_) => text
            .chars()
            .map(|c| if c.is_alphanumeric() { '*' } else { c })
            .collect(),
    }
}

/// Takes a text apart into its groups of digits.
fn split(text: &str) -> Result<Written, PhoneRefused> {
    let mut written = Written::default();
    let mut open = false;
    for (index, raw) in text.chars().enumerate() {
        let c = fold_width(raw);
        match (c, &mut written.extension, written.groups.last_mut()) {
            ('0'..='9', Some(extension), _) => extension.push(c),
            ('0'..='9', None, Some(group)) if open => group.push(c),
            ('0'..='9', None, _) => written.groups.push(c.to_string()),
            ('+', None, None) if !written.international => written.international = true,
            ('转' | '轉' | '分' | '机' | '機' | '#' | 'x' | 'X', extension, Some(_)) => {
                extension.get_or_insert_default();
            }
            ('(' | ')' | '.', ..) => {}
            _ if c.is_whitespace() || is_hyphen(c) || is_hidden(c) => {}
            _ => {
                return Err(PhoneRefused::BadCharacter {
                    position: index + 1,
                });
            }
        }
        open = c.is_ascii_digit();
    }
    Ok(written)
}

/// The kind of these digits and the number without its country code.
fn classify(digits: &str, international: bool) -> Option<(PhoneKind, String)> {
    let abroad = if international {
        digits.strip_prefix("86")
    } else {
        digits.strip_prefix("0086")
    };
    if let Some(number) = abroad {
        // Abroad the area code's zero is left out.
        let with_zero = if number.starts_with('0') {
            number.to_owned()
        } else {
            format!("0{number}")
        };
        return if is_mobile(number) {
            Some((PhoneKind::Mobile, number.to_owned()))
        } else {
            landline(&with_zero).map(|text| (PhoneKind::Landline, text))
        };
    }
    if let Some(number) = digits.strip_prefix("86").filter(|number| is_mobile(number)) {
        return Some((PhoneKind::Mobile, number.to_owned()));
    }
    let service = digits.len() == 10 && (digits.starts_with("400") || digits.starts_with("800"));
    if is_mobile(digits) {
        Some((PhoneKind::Mobile, digits.to_owned()))
    } else if service {
        Some((PhoneKind::Service, digits.to_owned()))
    } else if is_local(digits) {
        Some((PhoneKind::Local, digits.to_owned()))
    } else {
        landline(digits).map(|text| (PhoneKind::Landline, text))
    }
}

fn is_mobile(digits: &str) -> bool {
    let mut start = digits.bytes();
    digits.len() == 11
        && start.next() == Some(b'1')
        && start
            .next()
            .is_some_and(|second| (b'3'..=b'9').contains(&second))
}

fn is_local(digits: &str) -> bool {
    matches!(digits.len(), 7 | 8) && digits.starts_with(|c| matches!(c, '2'..='8'))
}

/// A landline with a hyphen behind its area code, if the digits are one.
fn landline(digits: &str) -> Option<String> {
    let area = match digits.as_bytes().get(..2)? {
        b"01" if !digits.starts_with("010") => return None,
        b"01" | b"02" => 3,
        [b'0', b'3'..=b'9'] => 4,
        _ => return None,
    };
    let (area, local) = digits.split_at_checked(area)?;
    is_local(local).then(|| format!("{area}-{local}"))
}

/// The number with its extension behind it; mobile and service numbers have none.
fn with_extension(kind: PhoneKind, number: String, extension: Option<&str>) -> Option<PhoneNumber> {
    match extension {
        None => Some(PhoneNumber { text: number, kind }),
        Some(digits) if matches!(kind, PhoneKind::Landline | PhoneKind::Local) => (1
            ..=EXTENSION_MAX)
            .contains(&digits.len())
            .then(|| PhoneNumber {
                text: format!("{number}-{digits}"),
                kind,
            }),
        Some(_) => None,
    }
}

#[cfg(test)]
#[allow(clippy::expect_used, reason = "a test may state what must hold")]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_people_write_has_one_normal_form() {
        use PhoneKind::{Landline, Local, Mobile, Service};
        for (text, normal, kind) in [
            ("13812341234", "13812341234", Mobile),
            ("138 1234 1234", "13812341234", Mobile),
            ("138-1234-1234", "13812341234", Mobile),
            ("１３８１２３４１２３４", "13812341234", Mobile),
            ("+86 138 1234 1234", "13812341234", Mobile),
            ("＋8613812341234", "13812341234", Mobile),
            ("8613812341234", "13812341234", Mobile),
            ("008613812341234", "13812341234", Mobile),
            ("\u{202d}19912341234\u{202c}", "19912341234", Mobile),
            ("0591-83371234", "0591-83371234", Landline),
            ("059183371234", "0591-83371234", Landline),
            ("(0591) 8337-1234", "0591-83371234", Landline),
            ("（0591）83371234", "0591-83371234", Landline),
            ("010-62341234", "010-62341234", Landline),
            ("+86 591 83371234", "0591-83371234", Landline),
            ("+86 (0591) 83371234", "0591-83371234", Landline),
            ("0086-10-62341234", "010-62341234", Landline),
            ("0594-2231234", "0594-2231234", Landline),
            ("0591-83371234-801", "0591-83371234-801", Landline),
            ("0591-83371234转801", "0591-83371234-801", Landline),
            ("0591-83371234 分机 801", "0591-83371234-801", Landline),
            ("059183371234#8", "0591-83371234-8", Landline),
            ("83371234", "83371234", Local),
            ("8337 1234", "83371234", Local),
            ("83371234转5", "83371234-5", Local),
            ("400-812-3456", "4008123456", Service),
        ] {
            let number = PhoneNumber::parse(text).expect(text);
            assert_eq!((number.as_str(), number.kind()), (normal, kind), "{text}");
        }
    }

    #[test]
    fn what_is_no_number_is_refused_by_its_reason() {
        use PhoneRefused::{BadCharacter, Empty, NotMainland, UnknownForm, WrongLength};
        for (text, refused) in [
            ("", Empty),
            (" - ", Empty),
            ("无", BadCharacter { position: 1 }),
            ("13812341234/13912341234", BadCharacter { position: 12 }),
            ("1381234123O", BadCharacter { position: 11 }),
            ("138+12341234", BadCharacter { position: 4 }),
            ("+852 2123 4567", NotMainland),
            ("12345", WrongLength { found: 5 }),
            ("1381234123", UnknownForm),
            ("138123412345", UnknownForm),
            ("12812341234", UnknownForm),
            ("0591-1234567", UnknownForm),
            ("015-83371234", UnknownForm),
            ("13812341234转1", UnknownForm),
            ("0591-83371234转", UnknownForm),
            ("0591-83371234转1234567", UnknownForm),
            ("1111111111111111111111", WrongLength { found: 22 }),
        ] {
            assert_eq!(PhoneNumber::parse(text), Err(refused), "{text}");
        }
    }

    #[test]
    fn lists_show_the_ends_only() {
        for (text, masked) in [
            ("13812341234", "138****1234"),
            ("+86 138 1234 1234", "138****1234"),
            ("0591-83375678", "0591-****5678"),
            ("0591-83375678-801", "0591-****5678"),
            ("83375678转801", "****5678"),
            ("4008123456", "****3456"),
            ("家里 8337", "** ****"),
            ("", ""),
        ] {
            assert_eq!(mask(text), masked, "{text}");
        }
        let number = PhoneNumber::parse("13812341234").expect("a number");
        assert_eq!(format!("{number:?}"), "PhoneNumber(138****1234)");
    }

    proptest! {
        #[test]
        fn normal_forms_are_their_own(
            text in "1[3-9][0-9]{9}|0[0-9]{2,3}-?[0-9]{7,8}([-转#][0-9]{1,6})?|\
                     [2-8][0-9]{6,7}([转-][0-9]{1,6})?|[+0-9 ()#x-]{0,20}|.*",
        ) {
            if let Ok(number) = PhoneNumber::parse(&text) {
                let again = PhoneNumber::parse(number.as_str());
                prop_assert_eq!(again.as_ref(), Ok(&number));
            }
        }

        #[test]
        fn a_mask_hides_at_least_three_digits(text in "1[3-9][0-9]{9}|0591[2-8][0-9]{7}|.*") {
            if let Ok(number) = PhoneNumber::parse(&text) {
                let shown = |text: &str| text.chars().filter(char::is_ascii_digit).count();
                prop_assert!(shown(&number.masked()) + 3 <= shown(number.as_str()));
            }
        }
    }
}
