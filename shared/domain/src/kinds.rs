//! Every kind of record that Lianxin keeps, each declared once.
//!
//! A kind's number and its fields' numbers are permanent: a field is added or retired, never
//! re-typed and never re-numbered (`sync.md` 7). From a declaration come SQL tables and columns,
//! wire values, command line names, forms, import headings, exports and digests, so adding a field
//! is one line in its kind's `fields!` list and nothing else.
//!
//! Invariants, each with a test: numbers are unique and rise; names are unique in their kind and
//! are neither reserved nor SQL words; no import heading leads to two fields; a reference names a
//! kind that exists; state fields hold the states of the kind's machine.

use crate::kind::{FieldType, Kind};

/// The constants and the list of a kind's fields: one line makes the field's number (a constant of
/// that name) and its declaration.
///
/// `NAME = 1, "name", "姓名", "Name", Name => .required();` is field 1. In a list that begins with
/// `by_steps:` every field is moved by the hub only (class `Case`).
macro_rules! fields {
    (by_steps: $($line:tt)+) => { fields! { @lines [.by_steps()] $($line)+ } };
    (@lines [$($every:tt)*] $(
        $konst:ident = $number:literal, $name:literal, $zh:literal, $en:literal, $of:expr
        $(=> $(.$call:ident($($argument:expr),*))+)?;
    )+) => { fields! { @each [$($every)*] $(
        { $konst, $number, $name, $zh, $en, $of, [$($(.$call($($argument),*))+)?] }
    )+ } };
    (@each $every:tt $($field:tt)+) => {
        $( fields! { @number $field } )+
        /// The fields, by rising number.
        pub const FIELDS: &[crate::kind::Field] = {
            #[allow(unused_imports, reason = "few kinds use every type of value")]
            use crate::kind::FieldType::{
                Boolean, Bytes, Code, IdNumber, Instant, Integer, Month, Name, Phone, Text,
            };
            &[$( fields! { @field $every $field } ),+]
        };
    };
    (@number { $konst:ident, $number:literal, $name:literal, $zh:literal, $en:literal, $($rest:tt)+
    }) => {
        #[doc = concat!("Field ", $number, ", `", $name, "`, ", $zh, ": ", $en, ".")]
        pub const $konst: u16 = $number;
    };
    (@field [$($every:tt)*] { $konst:ident, $number:literal, $name:literal, $zh:literal,
        $en:literal, $of:expr, [$($call:tt)*] }) => {
        crate::kind::Field::new($number, $name, $zh, $en, $of) $($every)* $($call)*
    };
    ($($line:tt)+) => { fields! { @lines [] $($line)+ } };
}

pub mod activity;
pub mod attendance;
pub mod codes;
pub mod conflict;
pub mod letter;
pub mod member;
pub mod merge;
pub mod organisation;
pub mod participation;
pub mod person;
pub mod set_aside;
pub mod step;
pub mod stub;
pub mod team;
pub mod tenure;
#[cfg(test)]
mod tests;
pub mod transfer;
pub mod volunteer;

const DAY: FieldType = FieldType::Date { month: false };
const DAY_OR_MONTH: FieldType = FieldType::Date { month: true };
const REF_ORGANISATION: FieldType = FieldType::Reference(organisation::KIND_NUMBER);
const REF_PERSON: FieldType = FieldType::Reference(person::KIND_NUMBER);
const REF_MEMBER: FieldType = FieldType::Reference(member::KIND_NUMBER);
const REF_TRANSFER: FieldType = FieldType::Reference(transfer::KIND_NUMBER);
const REF_STEP: FieldType = FieldType::Reference(step::KIND_NUMBER);
const REF_LETTER: FieldType = FieldType::Reference(letter::KIND_NUMBER);
const REF_VOLUNTEER: FieldType = FieldType::Reference(volunteer::KIND_NUMBER);
const REF_TEAM: FieldType = FieldType::Reference(team::KIND_NUMBER);
const REF_ACTIVITY: FieldType = FieldType::Reference(activity::KIND_NUMBER);
const REF_ATTENDANCE: FieldType = FieldType::Reference(attendance::KIND_NUMBER);
const REF_PARTICIPATION: FieldType = FieldType::Reference(participation::KIND_NUMBER);

/// Every kind, by rising number.
pub const ALL: &[&Kind] = &[
    &organisation::KIND,
    &person::KIND,
    &member::KIND,
    &tenure::KIND,
    &transfer::KIND,
    &step::KIND,
    &letter::KIND,
    &volunteer::KIND,
    &team::KIND,
    &activity::KIND,
    &attendance::KIND,
    &participation::KIND,
    &conflict::KIND,
    &set_aside::KIND,
    &stub::KIND,
    &merge::KIND,
];

/// The kind with this number; a hub keeps kinds that it does not know without one.
pub fn by_number(number: u16) -> Option<&'static Kind> {
    ALL.binary_search_by_key(&number, |kind| kind.number)
        .ok()
        .and_then(|i| ALL.get(i))
        .copied()
}

/// The field in which a record of this kind says what it was merged into; none for kinds whose
/// records are never merged.
pub const fn merged_into(kind: u16) -> Option<u16> {
    match kind {
        person::KIND_NUMBER => Some(person::MERGED_INTO),
        member::KIND_NUMBER => Some(member::MERGED_INTO),
        volunteer::KIND_NUMBER => Some(volunteer::MERGED_INTO),
        _ => None,
    }
}

/// The kind that a person names: by its word on the command line, or in Chinese or English.
pub fn by_name(name: &str) -> Option<&'static Kind> {
    ALL.iter()
        .find(|kind| kind.name == name || kind.zh == name || kind.en == name)
        .copied()
}
