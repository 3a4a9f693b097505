//! The code lists that fields refer to (`domain.md` 2.2): a code is stored, its label is shown, and
//! a text from a form or a table finds its code by code, label or synonym.
//!
//! Standards' lists keep the standard's codes; our own have short English words, so that they can
//! not be taken for a number of another system. Codes of other systems are never guessed: the same
//! digit means different things there (`domain.md` 2.1), so an import maps them on purpose, and a
//! code that lost its leading zero is not found.
//!
//! - [`standard`]: lists of national standards.
//! - [`ethnicity`]: GB/T 3304.
//! - [`member`]: lists about members, their transfers and organisations.
//! - [`service`]: lists about volunteers and activities.

pub mod ethnicity;
pub mod member;
pub mod service;
pub mod standard;

use super::text::fold_width;

pub use ethnicity::ETHNICITY;
pub use member::{
    FLOATING_END_REASON, FLOATING_REASON, FLOATING_STATUS, LOST_CONTACT_REASON, MEMBER_CATEGORY,
    ORGANISATION_KIND, RETURN_REASON, TRANSFER_REASON, UNIT_KIND,
};
pub use service::{ACTIVITY_KIND, ATTENDANCE, FIVE_HELP, SERVICE_TYPE};
pub use standard::{DEGREE, EDUCATION, MARITAL, PERSONAL_IDENTITY, POLITICAL_STATUS, SEX};

/// Where a list of our own comes from, in place of a standard.
pub const OWN: &str = "Lianxin";

/// One code of a list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Code {
    /// What is stored: digits of the standard, or a short English word of our own.
    pub code: &'static str,
    /// The label in Chinese, as the standard prints it.
    pub zh: &'static str,
    /// The label in English.
    pub en: &'static str,
    /// Other words that forms and tables use for it.
    pub synonyms: &'static [&'static str],
}

impl Code {
    /// A code with its labels and synonyms.
    pub const fn new(
        code: &'static str,
        zh: &'static str,
        en: &'static str,
        synonyms: &'static [&'static str],
    ) -> Self {
        Self {
            code,
            zh,
            en,
            synonyms,
        }
    }
}

/// A list of codes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CodeList {
    /// Its name, unique among all lists.
    pub name: &'static str,
    /// The standard with its year, or [`OWN`].
    pub standard: &'static str,
    /// Its codes in the order in which they are offered.
    pub entries: &'static [Code],
}

impl CodeList {
    /// Whether this is exactly one of its codes.
    pub fn has(&self, code: &str) -> bool {
        self.by_code(code).is_some()
    }

    /// The entry with exactly this code.
    pub fn by_code(&self, code: &str) -> Option<&'static Code> {
        self.entries.iter().find(|entry| entry.code == code)
    }

    /// The Chinese label of a code.
    pub fn zh(&self, code: &str) -> Option<&'static str> {
        self.by_code(code).map(|entry| entry.zh)
    }

    /// The English label of a code.
    pub fn en(&self, code: &str) -> Option<&'static str> {
        self.by_code(code).map(|entry| entry.en)
    }

    /// The entry that a text names by its code, a label or a synonym; spaces, width and case of
    /// letters do not matter. Nothing is guessed from a part of a word.
    pub fn find(&self, text: &str) -> Option<&'static Code> {
        let wanted = fold(text);
        if wanted.is_empty() {
            return None;
        }
        self.entries
            .iter()
            .find(|entry| names(entry).any(|name| fold(name) == wanted))
    }
}

/// Everything by which an entry is found.
fn names(entry: &Code) -> impl Iterator<Item = &'static str> {
    [entry.code, entry.zh, entry.en]
        .into_iter()
        .chain(entry.synonyms.iter().copied())
}

/// A text without what does not matter for finding it.
fn fold(text: &str) -> String {
    text.chars()
        .map(fold_width)
        .filter(|c| !c.is_whitespace())
        .flat_map(char::to_lowercase)
        .collect()
}

/// All lists.
pub const ALL: &[&CodeList] = &[
    &SEX,
    &MARITAL,
    &ETHNICITY,
    &EDUCATION,
    &DEGREE,
    &PERSONAL_IDENTITY,
    &POLITICAL_STATUS,
    &MEMBER_CATEGORY,
    &LOST_CONTACT_REASON,
    &TRANSFER_REASON,
    &RETURN_REASON,
    &ORGANISATION_KIND,
    &UNIT_KIND,
    &FLOATING_STATUS,
    &FLOATING_REASON,
    &FLOATING_END_REASON,
    &FIVE_HELP,
    &ACTIVITY_KIND,
    &ATTENDANCE,
    &SERVICE_TYPE,
];

/// The list with this name.
pub fn list_named(name: &str) -> Option<&'static CodeList> {
    ALL.iter().find(|list| list.name == name).copied()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn every_name_in_a_list_leads_to_its_own_entry_and_no_other() {
        let mut lists = BTreeSet::new();
        for list in ALL {
            assert!(lists.insert(list.name), "{}", list.name);
            assert_eq!(list_named(list.name), Some(*list));
            let mut owners = BTreeMap::new();
            for entry in list.entries {
                assert_eq!(list.by_code(entry.code), Some(entry));
                for name in names(entry) {
                    assert!(
                        !name.trim().is_empty() && name.trim() == name,
                        "{}",
                        list.name
                    );
                    let owner = owners.insert(fold(name), entry.code);
                    assert!(
                        owner.is_none_or(|code| code == entry.code),
                        "{} {name}",
                        list.name
                    );
                    assert_eq!(list.find(name), Some(entry), "{} {name}", list.name);
                }
            }
        }
    }

    #[test]
    fn labels_are_chinese_and_codes_are_plain() {
        for list in ALL {
            for entry in list.entries {
                let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
                assert!(
                    entry.code.chars().all(plain),
                    "{} {}",
                    list.name,
                    entry.code
                );
                assert!(
                    entry.zh.chars().any(crate::checks::text::is_han),
                    "{}",
                    entry.zh
                );
                assert!(entry.en.is_ascii(), "{}", entry.en);
                let digits = entry.code.chars().all(|c| c.is_ascii_digit());
                assert_eq!(digits, list.standard != OWN, "{} {}", list.name, entry.code);
            }
        }
    }

    #[test]
    fn the_standards_lists_are_complete() {
        for (list, count) in [
            (&SEX, 4),
            (&MARITAL, 8),
            (&ETHNICITY, 58),
            (&POLITICAL_STATUS, 13),
            (&PERSONAL_IDENTITY, 13),
        ] {
            assert_eq!(list.entries.len(), count, "{}", list.name);
        }
        let ethnic: Vec<&str> = ETHNICITY.entries.iter().map(|entry| entry.code).collect();
        let expected: Vec<String> = (1..=56)
            .chain([97, 98])
            .map(|number| format!("{number:02}"))
            .collect();
        assert_eq!(ethnic, expected);
        let political: Vec<String> = (1..=13).map(|number| format!("{number:02}")).collect();
        let found: Vec<&str> = POLITICAL_STATUS
            .entries
            .iter()
            .map(|entry| entry.code)
            .collect();
        assert_eq!(found, political);
    }

    #[test]
    fn texts_from_forms_find_their_codes() {
        for (list, text, code) in [
            (&SEX, "男", "1"),
            (&SEX, " 女性 ", "2"),
            (&SEX, "１", "1"),
            (&SEX, "Male", "1"),
            (&ETHNICITY, "汉", "01"),
            (&ETHNICITY, "畲族", "22"),
            (&ETHNICITY, "sh", "22"),
            (&ETHNICITY, "56", "56"),
            (&EDUCATION, "大专", "30"),
            (&EDUCATION, "本科", "20"),
            (&POLITICAL_STATUS, "群众", "13"),
            (&POLITICAL_STATUS, "中共党员", "01"),
            (&PERSONAL_IDENTITY, "退（离）休人员", "80"),
            (&MEMBER_CATEGORY, "预备", "probationary"),
            (&FIVE_HELP, "助 老", "elderly"),
            (&ATTENDANCE, "请假", "leave"),
        ] {
            assert_eq!(
                list.find(text).map(|entry| entry.code),
                Some(code),
                "{text}"
            );
        }
    }

    #[test]
    fn nothing_is_guessed() {
        for (list, text) in [
            (&SEX, ""),
            (&SEX, "3"),
            (&SEX, "男女"),
            (&ETHNICITY, "1"),
            (&ETHNICITY, "57"),
            (&POLITICAL_STATUS, "1"),
            (&MEMBER_CATEGORY, "1"),
        ] {
            assert_eq!(list.find(text), None, "{text}");
            assert!(!list.has(text), "{text}");
        }
        assert!(!SEX.has("１"));
        assert_eq!(list_named("sexes"), None);
    }

    #[test]
    fn unlawful_reasons_are_not_among_those_for_returning_a_letter() {
        for text in [
            "今年不接收",
            "名额已满",
            "无房产",
            "不便召集",
            "无法参加会议",
            "其他",
        ] {
            assert_eq!(RETURN_REASON.find(text), None, "{text}");
        }
        for entry in RETURN_REASON.entries {
            for word in ["房产", "今年", "名额", "召集"] {
                assert!(
                    names(entry).all(|name| !name.contains(word)),
                    "{}",
                    entry.zh
                );
            }
        }
    }

    proptest! {
        #[test]
        fn no_text_at_all_panics(text in ".*") {
            for list in ALL {
                let _ = list.find(&text);
            }
        }
    }
}
