//! What a change makes of a record where nobody else wrote: an office's own view before the hub has
//! decided, and its folding of what the hub applied plainly.

use std::collections::BTreeMap;

use crate::change::{Change, FieldChange, Verb};
use crate::id::OfficeId;
use crate::record::{Life, Record, RecordKey, Version};

/// The record after a change; none where there is no record to change.
pub fn replay(record: Option<Record>, change: &Change, office: OfficeId) -> Option<Record> {
    let version = Version {
        change: change.id,
        ordered_at: change.header.timestamp.unix_ms(),
    };
    let mut record = match (change.header.verb, record) {
        (Verb::Create | Verb::Step, None) => Record {
            key: RecordKey {
                kind: change.header.kind,
                id: change.header.record,
            },
            class: change.header.class,
            office,
            revision: 0,
            life: Life::Alive,
            life_version: version,
            fields: BTreeMap::new(),
        },
        (_, record) => record?,
    };
    match change.header.verb {
        Verb::Delete => {
            record.life = Life::Deleted;
            record.life_version = version;
        }
        Verb::Restore => {
            record.life = Life::Alive;
            record.life_version = version;
        }
        Verb::Create | Verb::Set | Verb::Step | Verb::Merge | Verb::Unmerge => {}
    }
    for field in set_by(change) {
        record.set(field.number, field.value.clone(), version);
    }
    record.revision += 1;
    Some(record)
}

/// The fields of the change's own record that it sets: a merge names also what the other record takes,
/// and a deletion names what its writer saw.
fn set_by(change: &Change) -> Vec<&FieldChange> {
    match change.header.verb {
        Verb::Merge | Verb::Unmerge => crate::decide::of_merged(change).collect(),
        Verb::Delete | Verb::Restore => Vec::new(),
        Verb::Create | Verb::Set | Verb::Step => change.body.fields.iter().collect(),
    }
}

/// Whether a change stands on exactly this state: every base is the present version.
pub fn stands_on(record: Option<&Record>, change: &Change) -> bool {
    let Some(record) = record else {
        return matches!(change.header.verb, Verb::Create | Verb::Step);
    };
    match change.header.verb {
        Verb::Create | Verb::Step => false,
        Verb::Delete | Verb::Restore => change.body.life_base == Some(record.life_version.change),
        Verb::Set | Verb::Merge | Verb::Unmerge => change
            .body
            .fields
            .iter()
            .all(|field| field.base == record.version(field.number)),
    }
}
