//! What holds for every kind.

use std::collections::{BTreeMap, BTreeSet};

use super::{ALL, by_name, by_number, codes, member, person, volunteer};
use crate::checks::code_lists;
use crate::kind::{Class, Field, FieldType, Kind, Winner};

/// Columns that the store adds to every kind's table.
const RESERVED: [&str; 9] = [
    "id",
    "office",
    "revision",
    "life",
    "life_version",
    "versions",
    "opaque",
    "row_hash",
    "pending",
];

/// Words that neither SQLite nor PostgreSQL takes for a column without quotes.
const SQL_WORDS: [&str; 34] = [
    "all",
    "and",
    "as",
    "asc",
    "between",
    "by",
    "case",
    "check",
    "column",
    "constraint",
    "create",
    "default",
    "delete",
    "desc",
    "distinct",
    "drop",
    "else",
    "end",
    "exists",
    "from",
    "group",
    "having",
    "in",
    "index",
    "limit",
    "not",
    "null",
    "or",
    "order",
    "references",
    "select",
    "set",
    "table",
    "values",
];

fn each_field() -> impl Iterator<Item = (&'static Kind, &'static Field)> {
    ALL.iter()
        .flat_map(|kind| kind.fields.iter().map(move |field| (*kind, field)))
}

#[test]
fn kinds_have_rising_numbers_and_names_of_their_own() {
    let numbers: Vec<u16> = ALL.iter().map(|kind| kind.number).collect();
    assert_eq!(numbers, (1..=16).collect::<Vec<u16>>());
    let mut names = BTreeSet::new();
    for kind in ALL {
        assert_eq!(by_number(kind.number), Some(*kind));
        for name in [kind.name, kind.zh, kind.en] {
            assert!(names.insert(name), "{name} stands twice");
            assert_eq!(by_name(name), Some(*kind));
        }
    }
    assert_eq!(
        (by_number(0), by_number(17), by_name("none")),
        (None, None, None)
    );
}

#[test]
fn fields_have_rising_numbers() {
    for kind in ALL {
        let numbers: Vec<u16> = kind.fields.iter().map(|field| field.number).collect();
        assert!(
            numbers.is_sorted_by(|one, next| one < next),
            "{}",
            kind.name
        );
        assert!(!numbers.contains(&0) && numbers.len() <= crate::limits::CHANGE_FIELDS_MAX);
    }
}

#[test]
fn columns_are_plain_identifiers_unique_and_not_reserved() {
    for kind in ALL {
        let names: BTreeSet<_> = kind.fields.iter().map(|field| field.name).collect();
        assert_eq!(names.len(), kind.fields.len(), "{}", kind.name);
    }
    for (kind, field) in each_field() {
        let mut letters = field.name.chars();
        let is_plain = letters.next().is_some_and(|c| c.is_ascii_lowercase())
            && letters.all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_');
        assert!(is_plain, "{}.{}", kind.name, field.name);
        assert!(
            !RESERVED.contains(&field.name),
            "{}.{}",
            kind.name,
            field.name
        );
        assert!(
            !SQL_WORDS.contains(&field.name),
            "{}.{}",
            kind.name,
            field.name
        );
    }
}

#[test]
fn no_import_heading_leads_to_two_fields() {
    for kind in ALL {
        headings_are_unique(&[kind]);
    }
    // A roll is imported as persons and their roles at once.
    headings_are_unique(&[&person::KIND, &member::KIND]);
    headings_are_unique(&[&person::KIND, &volunteer::KIND]);
}

fn headings_are_unique(kinds: &[&Kind]) {
    let mut seen: BTreeMap<&str, &str> = BTreeMap::new();
    let fields = kinds
        .iter()
        .flat_map(|kind| kind.fields)
        .filter(|field| !field.internal);
    for field in fields {
        for heading in field.synonyms.iter().chain([&field.zh, &field.en]) {
            let before = seen.insert(heading, field.name);
            assert_eq!(before, None, "{heading} leads to {} as well", field.name);
        }
    }
}

#[test]
fn references_name_kinds_that_exist() {
    for (kind, field) in each_field() {
        if let FieldType::Reference(number) = field.of {
            assert!(by_number(number).is_some(), "{}.{}", kind.name, field.name);
        }
    }
}

#[test]
fn numbers_that_a_declaration_names_are_fields_of_its_kind() {
    for kind in ALL {
        let together: Vec<u16> = kind.together.iter().copied().flatten().copied().collect();
        let once: BTreeSet<u16> = together.iter().copied().collect();
        assert_eq!(
            once.len(),
            together.len(),
            "{}: a field in two groups",
            kind.name
        );
        let named = together.iter().chain(kind.indexed);
        for number in named.chain(&kind.state_field).chain(&kind.title_field) {
            assert!(kind.field(*number).is_some(), "{}: {number}", kind.name);
        }
        for field in kind.fields {
            if let Winner::SourceRank(source) = field.winner {
                assert!(
                    kind.group_of(field.number).contains(&source),
                    "{}",
                    field.name
                );
            }
        }
    }
}

#[test]
fn state_fields_hold_the_states_of_the_machine() {
    for kind in ALL {
        let Some(machine) = kind.machine else {
            continue;
        };
        let field = kind.state_field.and_then(|number| kind.field(number));
        let Some(Field {
            of: FieldType::Code(list),
            winner: Winner::Steps,
            ..
        }) = field
        else {
            unreachable!("{} has a coded state moved by steps", kind.name)
        };
        let states: Vec<_> = machine.states.iter().map(|state| state.code).collect();
        let offered: Vec<_> = list.entries.iter().map(|entry| entry.code).collect();
        assert_eq!(states, offered, "{}", kind.name);
    }
}

#[test]
fn code_lists_are_declared_and_named_once() {
    let mut names = BTreeSet::new();
    for list in codes::all().chain(code_lists::ALL.iter().copied()) {
        assert!(names.insert(list.name), "{} stands twice", list.name);
        let entries: BTreeSet<_> = list.entries.iter().map(|entry| entry.code).collect();
        assert_eq!(entries.len(), list.entries.len(), "{}", list.name);
    }
    for (kind, field) in each_field() {
        if let FieldType::Code(list) = field.of {
            assert!(names.contains(list.name), "{}.{}", kind.name, field.name);
        }
    }
}

#[test]
fn what_the_hub_alone_writes_moves_by_steps_only() {
    for kind in ALL.iter().filter(|kind| kind.class == Class::Case) {
        let by_steps = kind
            .fields
            .iter()
            .all(|field| field.winner == Winner::Steps);
        assert!(by_steps, "{}", kind.name);
    }
}
