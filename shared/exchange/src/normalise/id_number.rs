//! Resident identity numbers, and what Excel does to them.

use super::{damaged, refuse_damaged, shown};
use crate::cell::Cell;
use crate::column::{Checks, Reason};
use crate::fold;

/// Weights of the first 17 digits (GB 11643, ISO 7064 MOD 11-2).
const WEIGHTS: [u32; 17] = [7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2];
/// The check character for each remainder.
const CHECK: &[u8; 11] = b"10X98765432";

pub(super) fn normalise(cell: &Cell, checks: &dyn Checks) -> Result<String, Reason> {
    refuse_damaged(cell)?;
    let text: String = fold::squeeze(&cell.display())
        .chars()
        .filter(|c| !matches!(c, '\'' | '’' | '‘' | '`' | '"' | '-'))
        .map(|c| {
            if c == '×' {
                'X'
            } else {
                c.to_ascii_uppercase()
            }
        })
        .collect();
    if is_exponent(&text) {
        return Err(damaged());
    }
    let is_digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if text.len() == 15 && is_digits(&text) {
        return Err(old_number(&text, checks));
    }
    let ends_in_zeros = matches!(text.len(), 17 | 18) && is_digits(&text) && text.ends_with("000");
    if text.len() == 17 && ends_in_zeros {
        return Err(damaged());
    }
    let (body, last) = text.split_at(text.floor_char_boundary(17));
    let is_complete = text.len() == 18 && is_digits(body) && (last == "X" || is_digits(last));
    if !is_complete {
        let count = text.chars().count();
        return Err(Reason::new(
            format!(
                "“{}”不是 18 位身份证号（现有 {count} 位），请核对原件",
                shown(cell)
            ),
            format!("An identity number has 18 characters, this has {count}"),
        ));
    }
    checks
        .id_number(&text)
        .map_err(|reason| if ends_in_zeros { damaged() } else { reason })
}

/// `1.10105E+17`: how Excel shows a number it has cut.
fn is_exponent(text: &str) -> bool {
    text.split_once('E').is_some_and(|(digits, exponent)| {
        let is_number = |text: &str, also: char| {
            !text.is_empty() && text.chars().all(|c| c.is_ascii_digit() || c == also)
        };
        is_number(digits, '.') && is_number(exponent, '+')
    })
}

/// A number of 15 digits is not changed in silence; the reason offers the 18 it most likely is.
fn old_number(text: &str, checks: &dyn Checks) -> Reason {
    let offered = extended(text).filter(|number| checks.id_number(number).is_ok());
    match offered {
        Some(number) => Reason::new(
            format!("这是 15 位旧身份证号，请核对后改填 18 位号码（按规则推算为 {number}）"),
            format!(
                "This is an old 15-digit number. Check and enter 18 characters, probably {number}"
            ),
        ),
        None => Reason::new(
            "这是 15 位旧身份证号，且其中的日期无效，请按现用身份证填写 18 位号码",
            "This is an old 15-digit number with an impossible date. Enter the 18 characters of the present card.",
        ),
    }
}

/// The 18 characters of an old number: the century 19 and the check character.
fn extended(text: &str) -> Option<String> {
    let (area, rest) = (text.get(..6)?, text.get(6..)?);
    let body = format!("{area}19{rest}");
    let digits = body
        .bytes()
        .map(|digit| u32::from(digit.wrapping_sub(b'0')));
    let sum: u32 = digits
        .zip(WEIGHTS)
        .map(|(digit, weight)| digit * weight)
        .sum();
    let check = CHECK.get(usize::try_from(sum % 11).ok()?)?;
    Some(format!("{body}{}", char::from(*check)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_offered_number_has_the_right_check_character() {
        assert_eq!(
            extended("110105491231002").as_deref(),
            Some("11010519491231002X")
        );
    }

    #[test]
    fn exponents_are_seen() {
        assert!(is_exponent("1.10105E+17"));
        assert!(is_exponent("1E17"));
        assert!(!is_exponent("11010519491231002X"));
        assert!(!is_exponent("E17"));
    }
}
