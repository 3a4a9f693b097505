//! Phone numbers: mobiles, landlines with their area code, service numbers.

use super::{refuse_damaged, shown};
use crate::cell::Cell;
use crate::column::Reason;
use crate::fold;

/// What stands between several numbers in the canonical text.
const SEPARATOR: &str = "、";

pub(super) fn normalise(cell: &Cell) -> Result<String, Reason> {
    refuse_damaged(cell)?;
    let is_number = matches!(cell, Cell::Number(_));
    let text: String = cell.display().chars().map(fold::half_width).collect();
    let mut numbers = Vec::new();
    for part in split(&text) {
        numbers.push(one(&part, is_number).ok_or_else(|| refused(cell, &part, is_number))?);
    }
    if numbers.is_empty() {
        return Err(refused(cell, "", is_number));
    }
    Ok(numbers.join(SEPARATOR))
}

/// The numbers of a cell. A blank separates only what is long enough on both sides to be a number;
/// in 139 0000 0000 it groups digits.
fn split(text: &str) -> Vec<String> {
    let mut parts = Vec::new();
    for part in text.split(['、', ',', ';', '/', '\n', '或', '|']) {
        let words: Vec<String> = part
            .split(fold::is_blank)
            .map(fold::squeeze)
            .filter(|word| !word.is_empty())
            .collect();
        let are_numbers = words.len() > 1
            && words
                .iter()
                .all(|word| word.bytes().filter(u8::is_ascii_digit).count() >= 10);
        if are_numbers {
            parts.extend(words);
        } else if !words.is_empty() {
            parts.push(words.concat());
        }
    }
    parts
}

/// The canonical form of one number, or `None`.
fn one(text: &str, is_number: bool) -> Option<String> {
    let text = text.trim_matches(['\'', '’', '`']);
    let text = ["+86", "0086", "(+86)", "(86)", "86-"]
        .iter()
        .find_map(|prefix| text.strip_prefix(prefix))
        .unwrap_or(text)
        .trim_start_matches('-');
    let (main, extension) = match text.split_once("转") {
        Some((main, extension)) => (main.trim_end_matches('-'), extension),
        // 0591-87876543-123: a third group is an extension.
        None if text.matches('-').count() == 2 && text.starts_with('0') => {
            text.rsplit_once('-').unwrap_or((text, ""))
        }
        None => (text, ""),
    };
    let is_extension = extension.len() <= 6 && extension.bytes().all(|byte| byte.is_ascii_digit());
    let is_written = main
        .chars()
        .all(|c| c.is_ascii_digit() || matches!(c, '-' | '(' | ')'));
    if !is_extension || !is_written {
        return None;
    }
    let digits: String = main.chars().filter(char::is_ascii_digit).collect();
    let digits = match digits.strip_prefix("86") {
        Some(rest) if is_mobile(rest) => rest.to_owned(),
        _ => digits,
    };
    let number = if is_mobile(&digits) || is_service(&digits) {
        digits
    } else if is_number {
        // A number cell has lost the zero an area code begins with.
        return None;
    } else {
        landline(&digits)?
    };
    Some(if extension.is_empty() {
        number
    } else {
        format!("{number}-{extension}")
    })
}

fn is_mobile(digits: &str) -> bool {
    digits.len() == 11
        && digits.starts_with('1')
        && !matches!(digits.as_bytes().get(1), Some(b'0'..=b'2') | None)
}

/// Numbers without an area code: 400 and 800 lines, and five-digit ones such as 12345.
fn is_service(digits: &str) -> bool {
    (digits.len() == 10 && (digits.starts_with("400") || digits.starts_with("800")))
        || (digits.len() == 5 && (digits.starts_with("95") || digits.starts_with("12")))
}

/// `area-number`: three digits for the largest cities, else four; then seven or eight.
fn landline(digits: &str) -> Option<String> {
    let area = if digits.starts_with("01") || digits.starts_with("02") {
        3
    } else {
        4
    };
    let (area, number) = digits.split_at_checked(area)?;
    let is_landline =
        area.starts_with('0') && matches!(number.len(), 7 | 8) && !number.starts_with(['0', '1']);
    is_landline.then(|| format!("{area}-{number}"))
}

fn refused(cell: &Cell, part: &str, is_number: bool) -> Reason {
    let digits: String = part.chars().filter(char::is_ascii_digit).collect();
    if is_number && let Some(number) = landline(&format!("0{digits}")) {
        return Reason::new(
            format!("区号开头的 0 已被 Excel 去掉，应为 {number}？请将该列设为文本后重新填写"),
            format!(
                "Excel removed the leading 0 of the area code, probably {number}. Set the column to Text and re-enter."
            ),
        );
    }
    if matches!(digits.len(), 7 | 8) {
        return Reason::new(
            format!("“{}”缺少区号，请写成 区号-号码", shown(cell)),
            "The area code is missing; write area-number",
        );
    }
    Reason::new(
        format!("“{}”不是 11 位手机号，也不是带区号的固定电话", shown(cell)),
        "This is neither an 11-digit mobile number nor a landline with its area code",
    )
}
