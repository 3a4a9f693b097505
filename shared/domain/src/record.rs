//! The present state of one record: its fields with their versions, its life and its revision.

use std::collections::BTreeMap;

use crate::digest::RowHash;
use crate::id::{ChangeId, OfficeId, RecordId};
use crate::kind::Class;
use crate::{kinds, limits};

/// Which record of which kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RecordKey {
    /// The kind's number.
    pub kind: u16,
    /// The record.
    pub id: RecordId,
}

/// Where a value comes from: the change that set it, and when by the hub's ordering.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Version {
    /// The change that last set the value.
    pub change: ChangeId,
    /// When it counts as written (milliseconds; the hub's `min(corrected, received)`; before the
    /// hub decided, the writer's own time).
    pub ordered_at: u64,
}

/// A value with its version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FieldState {
    /// The canonical bytes as received; none mean no value.
    pub value: Vec<u8>,
    /// Its version.
    pub version: Version,
}

/// Whether a record lives.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub enum Life {
    /// It does.
    #[default]
    Alive,
    /// It was deleted; its values are kept until released.
    Deleted,
}

/// A record's present state.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// Which.
    pub key: RecordKey,
    /// Its class, as its creation said.
    pub class: Class,
    /// The office that it belongs to ([`crate::id::DESK`] for the hub's own).
    pub office: OfficeId,
    /// How many changes have touched it at the hub.
    pub revision: u64,
    /// Whether it lives.
    pub life: Life,
    /// The version of its life: the creation, the deletion, or the restoration.
    pub life_version: Version,
    /// Its fields by number, those that this program does not know among them.
    pub fields: BTreeMap<u16, FieldState>,
}

impl Record {
    /// Values to be set, with all others of the groups that they touch, as they are shown: a group is
    /// written whole, so that it is judged as one (`sync.md` 3, rule 7). What has no value is written as
    /// none, so that no value of a losing side stays beside the winner's. By number.
    #[must_use]
    pub fn with_whole_groups(&self, mut values: Vec<(u16, Vec<u8>)>) -> Vec<(u16, Vec<u8>)> {
        if let Some(kind) = kinds::by_number(self.key.kind) {
            let touched: Vec<u16> = values
                .iter()
                .flat_map(|(number, _)| kind.group_of(*number))
                .copied()
                .collect();
            for number in touched {
                let is_given = values.iter().any(|(given, _)| *given == number);
                if !is_given {
                    values.push((number, self.value(number).unwrap_or_default().to_vec()));
                }
            }
        }
        values.sort_by_key(|(number, _)| *number);
        values
    }

    /// The bytes of a field; none if it has no value.
    pub fn value(&self, number: u16) -> Option<&[u8]> {
        self.fields
            .get(&number)
            .map(|field| field.value.as_slice())
            .filter(|v| !v.is_empty())
    }

    /// The text of a field; none if it has no value or is no text.
    pub fn text(&self, number: u16) -> Option<&str> {
        self.value(number)
            .and_then(|bytes| std::str::from_utf8(bytes).ok())
    }

    /// The whole number in a field.
    pub fn integer(&self, number: u16) -> Option<i64> {
        self.text(number)?.parse().ok()
    }

    /// The record that a field refers to.
    pub fn reference(&self, number: u16) -> Option<RecordId> {
        RecordId::from_slice(self.value(number)?).ok()
    }

    /// The version of a field's value, an emptied one's too; none if it was never set.
    pub fn version(&self, number: u16) -> Option<ChangeId> {
        self.fields.get(&number).map(|field| field.version.change)
    }

    /// Says when what a change has set counts as written (milliseconds; the hub's).
    pub fn set_ordered_at(&mut self, change: ChangeId, ordered_at: u64) {
        for version in self.versions_mut() {
            if version.change == change {
                version.ordered_at = ordered_at;
            }
        }
    }

    /// Says of everything that counts as written later that it was written then (milliseconds).
    pub fn limit_ordered_at(&mut self, latest: u64) {
        for version in self.versions_mut() {
            version.ordered_at = version.ordered_at.min(latest);
        }
    }

    fn versions_mut(&mut self) -> impl Iterator<Item = &mut Version> {
        let of_fields = self.fields.values_mut().map(|field| &mut field.version);
        of_fields.chain([&mut self.life_version])
    }

    /// Bytes of its values together.
    pub fn value_bytes(&self) -> usize {
        self.fields.values().map(|field| field.value.len()).sum()
    }

    /// Whether it is larger than a record may be: every page, and every item that carries it, has room for one.
    pub fn is_too_large(&self) -> bool {
        self.value_bytes() > limits::RECORD_BYTES_MAX
            || self.fields.len() > limits::RECORD_FIELDS_MAX
    }

    /// Sets a field.
    pub fn set(&mut self, number: u16, value: impl Into<Vec<u8>>, version: Version) {
        self.fields.insert(
            number,
            FieldState {
                value: value.into(),
                version,
            },
        );
    }

    /// Whether it lives.
    pub fn is_alive(&self) -> bool {
        self.life == Life::Alive
    }

    /// Its hash, by which two stores are compared.
    pub fn hash(&self) -> RowHash {
        crate::digest::row_hash(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kinds::person;

    #[test]
    fn invariant_s7_a_group_is_written_whole_with_what_it_has_never_had() {
        let version = Version {
            change: ChangeId {
                node: crate::id::NodeId::new([1; 16]),
                epoch: 1,
                sequence: 1,
            },
            ordered_at: 1,
        };
        let key = RecordKey {
            kind: person::KIND_NUMBER,
            id: RecordId::new([2; 16]),
        };
        let mut record = Record {
            key,
            class: person::KIND.class,
            office: OfficeId::new([3; 16]),
            revision: 1,
            life: Life::Alive,
            life_version: version,
            fields: BTreeMap::new(),
        };
        record.set(person::NAME, "甲", version);
        let unit = |record: &Record| {
            let given = vec![(person::WORK_UNIT, "乙厂".as_bytes().to_vec())];
            record.with_whole_groups(given)
        };
        let whole = |code: &str| {
            vec![
                (person::WORK_UNIT, "乙厂".as_bytes().to_vec()),
                (person::CREDIT_CODE, code.as_bytes().to_vec()),
            ]
        };
        assert_eq!(unit(&record), whole(""), "none, where there never was one");
        record.set(person::CREDIT_CODE, "91350100MA00000001", version);
        assert_eq!(unit(&record), whole("91350100MA00000001"));
    }
}
