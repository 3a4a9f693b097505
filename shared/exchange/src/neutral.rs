//! Formula neutralisation in text tables and its exact inverse.
//!
//! A spreadsheet program runs a text cell that begins with `=`, `+`, `-`, `@` and a few others as a
//! formula. An export writes an apostrophe before such a text; an import takes exactly one away. A
//! text that already begins with apostrophes before such a character gets one more, so that both
//! directions undo each other for every text.

/// Characters that make a spreadsheet program, or one of its import filters, run what follows.
fn is_risky(c: char) -> bool {
    matches!(
        c,
        '=' | '+'
            | '-'
            | '@'
            | '\t'
            | '\r'
            | '\n'
            | '\0'
            | '\u{FF1D}'
            | '\u{FF0B}'
            | '\u{FF0D}'
            | '−'
            | '\u{FF20}'
    )
}

/// Whether a text is apostrophes, `count_min` or more, and then a risky character.
fn is_marked(text: &str, count_min: usize) -> bool {
    let rest = text.trim_start_matches('\'');
    text.len() - rest.len() >= count_min && rest.starts_with(is_risky)
}

/// The text as it may stand in a text table.
pub(crate) fn neutralise(text: &str) -> std::borrow::Cow<'_, str> {
    if is_marked(text, 0) {
        format!("'{text}").into()
    } else {
        text.into()
    }
}

/// The text that [`neutralise`] was given.
pub(crate) fn restore(text: &str) -> &str {
    if is_marked(text, 1) {
        text.strip_prefix('\'').unwrap_or(text)
    } else {
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn risky_beginnings_are_neutralised_and_others_are_not() {
        for risky in [
            "=1+1", "+1", "-1", "@A1", "\tx", "\rx", "\0", "=1", "'=1", "''@",
        ] {
            assert!(neutralise(risky).starts_with('\''), "{risky:?}");
            assert_ne!(neutralise(risky), risky);
        }
        for safe in ["", "张三", "1-2", "'", "'张", "a=b"] {
            assert_eq!(neutralise(safe), safe);
        }
    }

    proptest! {
        #[test]
        fn restoring_undoes_neutralising(text in "['=+@\t a-]{0,6}|\\PC{0,8}") {
            let written = neutralise(&text);
            prop_assert!(!written.starts_with(is_risky));
            prop_assert_eq!(restore(&written), text.as_str());
        }
    }
}
