//! Characters that Chinese input methods and pasted tables bring along: full-width forms, many
//! hyphens, and marks that cannot be seen.

/// The ASCII character of a full-width form (全角) or an ideographic space; any other unchanged.
///
/// U+FF01 to U+FF5E lie in the order of ASCII.
pub fn fold_width(c: char) -> char {
    match c {
        '\u{3000}' => ' ',
        '\u{ff01}'..='\u{ff5e}' => u32::from(c)
            .checked_sub(0xfee0)
            .and_then(char::from_u32)
            .unwrap_or(c),
        _ => c,
    }
}

/// Whether a character is one of the hyphens, dashes and minus signs used between groups of digits.
pub fn is_hyphen(c: char) -> bool {
    matches!(
        c,
        '-' | '\u{2010}'..='\u{2015}' | '\u{2212}' | '\u{fe63}' | '\u{ff0d}'
    )
}

/// Whether a character cannot be seen or turns what is seen: controls (NUL, tabs and line ends
/// among them), zero-width characters, direction marks, fillers and tags. Variation selectors are
/// not counted, since rare characters in names need them.
pub fn is_hidden(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{00ad}' | '\u{034f}' | '\u{061c}' | '\u{115f}' | '\u{1160}' | '\u{180e}'
            | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}'
            | '\u{3164}' | '\u{feff}' | '\u{ffa0}' | '\u{fff9}'..='\u{fffb}'
            | '\u{fffe}' | '\u{ffff}' | '\u{e0000}'..='\u{e007f}')
}

/// Whether a character selects a variant of the one before it (Unicode variation selectors).
pub fn is_variation_selector(c: char) -> bool {
    matches!(c, '\u{fe00}'..='\u{fe0f}' | '\u{e0100}'..='\u{e01ef}')
}

/// Whether a character is Chinese script (汉字): unified and compatibility ideographs with all
/// extensions, and 〇.
pub fn is_han(c: char) -> bool {
    matches!(c,
        '\u{3007}' | '\u{3400}'..='\u{4dbf}' | '\u{4e00}'..='\u{9fff}'
        | '\u{f900}'..='\u{faff}' | '\u{20000}'..='\u{3ffff}')
}

/// A code as a clerk typed or pasted it, with only the characters that count: full-width forms
/// narrowed, capitals, and no spaces, hyphens or hidden characters.
pub(crate) fn compact_code(text: &str) -> String {
    text.chars()
        .filter(|c| !c.is_whitespace() && !is_hidden(*c) && !is_hyphen(*c))
        .map(|c| fold_width(c).to_ascii_uppercase())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn full_width_forms_become_ascii_and_others_stay() {
        let folded: String = "０９ＡＺａｚ（）　年".chars().map(fold_width).collect();
        assert_eq!(folded, "09AZaz() 年");
    }

    #[test]
    fn a_code_keeps_only_what_counts() {
        assert_eq!(compact_code(" １101-01\u{200b}–x\t\u{feff}"), "110101X");
    }

    #[test]
    fn hidden_characters_are_known_and_rare_ideographs_are_not_among_them() {
        for c in [
            '\0',
            '\n',
            '\u{200d}',
            '\u{202e}',
            '\u{2066}',
            '\u{feff}',
            '\u{e0041}',
        ] {
            assert!(is_hidden(c), "{c:?}");
        }
        for c in ['张', '䶮', '\u{2cda8}', '·', '〇', 'é', '\u{e0100}'] {
            assert!(!is_hidden(c), "{c:?}");
        }
        assert!(is_han('䶮') && is_han('\u{2cda8}') && is_han('〇') && !is_han('·'));
    }
}
