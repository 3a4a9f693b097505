//! Names of persons: the form in which they are stored, the key by which they are compared, and
//! how they are masked (`ux.md` 2.4, `domain.md` 2.3).
//!
//! Rare characters are welcome: nothing outside the list of hidden characters is refused. What the
//! clerk entered is kept; only the key takes away what does not distinguish two persons.

use unicode_normalization::UnicodeNormalization;

use super::text::{fold_width, is_han, is_hidden, is_variation_selector};

/// Characters of a name at most (`domain.md` 2.3).
pub const NAME_CHARS_MAX: usize = 50;
/// The dot within names of minorities and transcribed names (间隔号).
pub const MIDDLE_DOT: char = '\u{b7}';

/// Surnames of two characters (复姓), so that a mask leaves the whole surname.
const COMPOUND_SURNAMES: &str = "欧阳 歐陽 司马 司馬 上官 诸葛 諸葛 夏侯 东方 皇甫 尉迟 公孙 公孫 \
    慕容 令狐 长孙 宇文 司徒 司空 轩辕 端木 独孤 南宫 西门 东郭 百里 呼延 闻人 公羊 澹台 濮阳 淳于 \
    单于 太史 申屠 公冶 宗政 钟离 闾丘 亓官 仉督 拓跋 夹谷 宰父 谷梁 段干 东里 南门 左丘 梁丘 第五 \
    万俟 赫连 完颜 司寇 颛孙 子车 漆雕 乐正 壤驷 公良 公西 巫马 羊舌 微生 叱干 贺兰 纳兰 尔朱";

/// Why a text is no name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NameRefused {
    /// Nothing but spaces and characters that only decorate others.
    Empty,
    /// More than [`NAME_CHARS_MAX`] characters.
    TooLong {
        /// How many there are.
        found: usize,
    },
    /// A character that cannot be seen or turns what is seen (NUL, controls, zero-width, direction
    /// marks).
    Hidden {
        /// Where the first of them stands, in characters from 1, not counting spaces at either end.
        position: usize,
    },
    /// The sign that a program leaves where it could not read a character (U+FFFD).
    Damaged {
        /// Where the first of them stands, counted in the same way.
        position: usize,
    },
}

/// A name as it is stored: Unicode NFC, every middle dot as [`MIDDLE_DOT`] without spaces around
/// it, no spaces at the ends, and one between words. Spaces within Chinese names stay (张 伟).
pub fn normalise(text: &str) -> Result<String, NameRefused> {
    let trimmed = text.trim();
    for (index, c) in trimmed.chars().enumerate() {
        let position = index + 1;
        if is_hidden(c) {
            return Err(NameRefused::Hidden { position });
        } else if c == '\u{fffd}' {
            return Err(NameRefused::Damaged { position });
        }
    }
    let dotted = with_middle_dots(&trimmed.nfc().collect::<String>());
    let spaced = with_single_spaces(&dotted);
    let name: String = spaced.nfc().collect();
    let found = name.chars().count();
    if name
        .chars()
        .all(|c| c == MIDDLE_DOT || is_variation_selector(c))
    {
        Err(NameRefused::Empty)
    } else if found > NAME_CHARS_MAX {
        Err(NameRefused::TooLong { found })
    } else {
        Ok(name)
    }
}

/// The key by which names are compared and searched: as stored, and without the spaces next to
/// Chinese characters, without variation selectors, in narrow and small letters. Two names with
/// one key may still be two persons.
pub fn comparison_key(text: &str) -> Result<String, NameRefused> {
    let name = normalise(text)?;
    let plain: Vec<char> = name
        .chars()
        .filter(|c| !is_variation_selector(*c))
        .collect();
    let mut key = String::with_capacity(name.len());
    let mut before = None;
    for (index, c) in plain.iter().enumerate() {
        let han_before = before.is_some_and(is_han);
        let han_after = plain.get(index + 1).copied().is_some_and(is_han);
        if *c != ' ' || !(han_before || han_after) {
            key.push(*c);
        }
        before = Some(*c);
    }
    let folded: String = key
        .chars()
        .map(fold_width)
        .flat_map(char::to_lowercase)
        .nfc()
        .collect();
    Ok(folded.trim().to_owned())
}

/// A name with only the surname readable: 张伟 is `张*`, 欧阳小明 `欧阳**`; of a name in several
/// parts only the first character stays, and dots and spaces (`买**·***`).
pub fn mask(name: &str) -> String {
    let shown = surname_chars(name);
    name.chars()
        .enumerate()
        .map(|(index, c)| {
            if index < shown || c == MIDDLE_DOT || c == ' ' {
                c
            } else {
                '*'
            }
        })
        .collect()
}

/// How many characters at the start a mask leaves: never the whole name.
fn surname_chars(name: &str) -> usize {
    let count = name.chars().count();
    let compound = COMPOUND_SURNAMES
        .split_whitespace()
        .any(|surname| name.starts_with(surname));
    match count {
        0 | 1 => 0,
        2 => 1,
        _ if compound => 2,
        _ => 1,
    }
}

/// Every sign that is used for the middle dot as that; a full stop only between two Chinese
/// characters, since it abbreviates in Latin names.
fn with_middle_dots(text: &str) -> String {
    let chars: Vec<char> = text.chars().collect();
    let han = |index: Option<usize>| {
        index
            .and_then(|i| chars.get(i))
            .copied()
            .is_some_and(is_han)
    };
    chars
        .iter()
        .enumerate()
        .map(|(index, c)| match c {
            '•' | '・' | '．' | '･' | '∙' | '⋅' | '‧' | '●' | '﹒' | '᛫' | '⸱' => {
                MIDDLE_DOT
            }
            '.' if han(index.checked_sub(1)) && han(index.checked_add(1)) => MIDDLE_DOT,
            c => *c,
        })
        .collect()
}

/// One space between words, and none around a middle dot.
fn with_single_spaces(text: &str) -> String {
    let words: Vec<&str> = text.split_whitespace().collect();
    let spaced = words.join(" ");
    let parts: Vec<&str> = spaced.split(MIDDLE_DOT).map(str::trim).collect();
    parts.join("\u{b7}")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn names_are_stored_in_one_form() {
        for (text, stored) in [
            ("张伟", "张伟"),
            ("  张伟\t\n", "张伟"),
            ("张　伟", "张 伟"),
            ("张   伟", "张 伟"),
            ("买买提•吐尔逊", "买买提·吐尔逊"),
            ("买买提・吐尔逊", "买买提·吐尔逊"),
            ("买买提．吐尔逊", "买买提·吐尔逊"),
            ("买买提.吐尔逊", "买买提·吐尔逊"),
            ("买买提 · 吐尔逊", "买买提·吐尔逊"),
            ("䶮\u{2cda8}", "䶮\u{2cda8}"),
            ("Rene\u{301}e J. Li", "Ren\u{e9}e J. Li"),
            ("\u{f9d1}", "\u{516d}"),
            ("葛\u{e0100}某", "葛\u{e0100}某"),
        ] {
            assert_eq!(normalise(text).as_deref(), Ok(stored), "{text}");
        }
    }

    #[test]
    fn what_cannot_be_a_name_is_refused() {
        use NameRefused::{Damaged, Empty, Hidden, TooLong};
        for (text, refused) in [
            ("", Empty),
            (" 　\t", Empty),
            ("··", Empty),
            ("\u{fe0f}", Empty),
            ("张\0伟", Hidden { position: 2 }),
            (" 张\u{202e}伟", Hidden { position: 2 }),
            ("张伟\u{200b}", Hidden { position: 3 }),
            ("\u{feff}张伟", Hidden { position: 1 }),
            ("张\n伟", Hidden { position: 2 }),
            ("张\u{fffd}", Damaged { position: 2 }),
        ] {
            assert_eq!(normalise(text), Err(refused), "{text:?}");
            assert_eq!(comparison_key(text), Err(refused), "{text:?}");
        }
        assert!(normalise(&"张".repeat(50)).is_ok());
        assert_eq!(normalise(&"张".repeat(51)), Err(TooLong { found: 51 }));
    }

    #[test]
    fn the_same_name_typed_differently_has_one_key() {
        for (one, other) in [
            ("张伟", "张 伟"),
            ("张伟", "张　　伟 "),
            ("买买提·吐尔逊", "买买提 • 吐尔逊"),
            ("Li Na", "ｌｉ  ＮＡ"),
            ("葛某", "葛\u{e0100}某"),
            ("René", "RENE\u{301}"),
            ("王 A", "王A"),
        ] {
            assert_eq!(comparison_key(one), comparison_key(other), "{one}");
        }
        for (one, other) in [
            ("张伟", "张玮"),
            ("Li Na", "Lina"),
            ("吐尔逊·买", "吐尔逊买"),
        ] {
            assert_ne!(comparison_key(one), comparison_key(other), "{one}");
        }
    }

    #[test]
    fn a_mask_leaves_the_surname_and_never_the_whole_name() {
        for (name, masked) in [
            ("", ""),
            ("张", "*"),
            ("张伟", "张*"),
            ("张小伟", "张**"),
            ("欧阳", "欧*"),
            ("欧阳锋", "欧阳*"),
            ("诸葛小明", "诸葛**"),
            ("上官云", "上官*"),
            ("司马某某", "司马**"),
            ("买买提·吐尔逊", "买**·***"),
            ("Li Na", "L* **"),
        ] {
            assert_eq!(mask(name), masked, "{name}");
        }
    }

    #[test]
    fn compound_surnames_have_two_characters_and_stand_once() {
        let mut all: Vec<&str> = COMPOUND_SURNAMES.split_whitespace().collect();
        assert!(all.iter().all(|surname| surname.chars().count() == 2));
        let count = all.len();
        all.sort_unstable();
        all.dedup();
        assert_eq!(all.len(), count);
    }

    proptest! {
        #[test]
        fn the_stored_form_and_the_key_are_their_own(
            text in "[张伟欧阳 　.．•·・A-Ca-cé\u{301}\u{e0100}\u{f9d1}]{0,12}|\\PC{0,60}|.*",
        ) {
            if let Ok(name) = normalise(&text) {
                prop_assert_eq!(normalise(&name), Ok(name.clone()));
                prop_assert!(name.chars().count() <= NAME_CHARS_MAX);
                prop_assert!(!name.chars().any(is_hidden));
                prop_assert_eq!(mask(&name).chars().count(), name.chars().count());
                prop_assert_eq!(comparison_key(&text), comparison_key(&name));
            }
        }

        #[test]
        fn composed_and_decomposed_names_are_one(text in "[a-zA-Zàéîõü·. ]{1,20}") {
            let decomposed: String = text.nfd().collect();
            prop_assert_eq!(normalise(&decomposed), normalise(&text));
        }
    }
}
