//! Names of people.

use crate::fold;

/// The middle dot of names that have parts, as identity cards print it.
const MIDDLE_DOT: char = '\u{00B7}';

/// One dot for all its look-alikes, no invisible characters, no blanks between Chinese characters
/// (张 伟 → 张伟); Latin names keep single blanks. Rare characters stay as they are.
pub(super) fn normalise(text: &str) -> String {
    let tidy = fold::tidy(text);
    let has_han = tidy.chars().any(is_han);
    let mut name = String::with_capacity(tidy.len());
    for c in tidy.chars() {
        let c = match c {
            '•' | '‧' | '∙' | '・' | '\u{FF65}' | '\u{FF0E}' | '⋅' | '●' | 'ㆍ' | '᛫' => {
                MIDDLE_DOT
            }
            '.' if has_han => MIDDLE_DOT,
            '\u{FF21}'..='\u{FF3A}' | '\u{FF41}'..='\u{FF5A}' | '\u{3000}' => fold::half_width(c),
            _ if c.is_whitespace() => ' ',
            _ => c,
        };
        if c != ' ' || (!has_han && !name.ends_with(' ')) {
            name.push(c);
        }
    }
    name
}

/// Whether a character is Chinese, the rare planes included.
fn is_han(c: char) -> bool {
    matches!(
        c,
        '\u{2E80}'..='\u{2FDF}'
            | '\u{3400}'..='\u{9FFF}'
            | '\u{E000}'..='\u{FAFF}'
            | '\u{20000}'..='\u{3FFFF}'
            | '〇'
    )
}
