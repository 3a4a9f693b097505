//! Small foldings of text that every stage shares: width, blanks, brackets.

/// Whether a character shows nothing: white space, no-break and zero-width spaces, byte order mark,
/// direction marks, control characters.
pub(crate) fn is_blank(c: char) -> bool {
    c.is_whitespace()
        || c.is_control()
        || matches!(
            c,
            '\u{00AD}'
                | '\u{180E}'
                | '\u{200B}'..='\u{200F}'
                | '\u{202A}'..='\u{202E}'
                | '\u{2060}'..='\u{2064}'
                | '\u{FEFF}'
                | '\u{3164}'
        )
}

/// The half-width form of a full-width letter, digit or sign; other characters unchanged.
pub(crate) fn half_width(c: char) -> char {
    match c {
        '\u{FF01}'..='\u{FF5E}' => char::from_u32(u32::from(c) - 0xFEE0).unwrap_or(c),
        '\u{3000}' => ' ',
        '。' | '\u{FF61}' => '.',
        '—' | '–' | '−' | '‐' | '‑' | '―' | '─' => '-',
        _ => c,
    }
}

/// Half-width, without any blank. For numbers, codes and dates.
pub(crate) fn squeeze(text: &str) -> String {
    text.chars()
        .filter(|c| !is_blank(*c))
        .map(half_width)
        .collect()
}

/// Trimmed of everything that shows nothing; inside, invisible characters go and no-break spaces
/// become plain ones. Line breaks and ordinary spaces inside stay.
pub(crate) fn tidy(text: &str) -> String {
    let inner: String = text
        .trim_matches(is_blank)
        .chars()
        .filter(|c| *c == '\n' || *c == '\t' || c.is_whitespace() || !is_blank(*c))
        .map(|c| if c == '\u{00A0}' { ' ' } else { c })
        .collect();
    inner
}

/// The form in which headings and labels are compared: half-width, no blanks, upper case, without
/// decoration such as `*` and a final colon. Brackets stay, see [`without_notes`].
pub(crate) fn key(text: &str) -> String {
    let mut key = String::with_capacity(text.len());
    for c in squeeze(text).chars() {
        if !matches!(c, '*' | '#' | '★' | '☆' | '"' | '\'' | '“' | '”') {
            key.extend(c.to_uppercase());
        }
    }
    while key.ends_with(':') {
        key.pop();
    }
    key
}

/// A [`key`] without what stands in brackets: 出生日期(年月日) → 出生日期. Unclosed brackets are
/// taken to reach the end.
pub(crate) fn without_notes(key: &str) -> String {
    let mut depth = 0_usize;
    let mut kept = String::with_capacity(key.len());
    for c in key.chars() {
        match c {
            '(' | '[' | '【' | '〔' | '{' | '〈' | '<' => depth += 1,
            ')' | ']' | '】' | '〕' | '}' | '〉' | '>' => depth = depth.saturating_sub(1),
            _ if depth == 0 => kept.push(c),
            _ => {}
        }
    }
    while kept.ends_with(':') {
        kept.pop();
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headings_are_compared_without_decoration() {
        assert_eq!(key(" 姓\n名 * "), "姓名");
        assert_eq!(without_notes(&key("出生日期(年月日)")), "出生日期");
        assert_eq!(without_notes(&key("手机[必填]:")), "手机");
        assert_eq!(key("id号码:"), "ID号码");
    }

    #[test]
    fn tidy_keeps_what_is_visible() {
        assert_eq!(tidy("\u{FEFF} 张\u{200B}三\u{00A0}丰 \u{3000}"), "张三 丰");
        assert_eq!(tidy("甲\n乙"), "甲\n乙");
    }
}
