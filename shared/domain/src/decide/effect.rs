//! The hub's own changes: each is an entry of its journal and is applied at once.

use crate::change::{Body, FieldChange, Header, Verb};
use crate::clock::Timestamp;
use crate::id::{ChangeId, OfficeId};
use crate::kind::Class;
use crate::kinds;
use crate::record::{Life, Record, RecordKey, Version};
use crate::world::{Mover, World};

/// The name under which the hub acts by rule.
const ACTOR: &str = "hub";

/// Values by field number.
pub(super) type Values = [(u16, Vec<u8>)];

/// Makes a record of the hub's own.
pub(super) fn create(
    world: &mut World,
    key: RecordKey,
    office: OfficeId,
    values: &Values,
    now_ms: u64,
) -> ChangeId {
    let class = kinds::by_number(key.kind).map_or(Class::Case, |kind| kind.class);
    let fields = values
        .iter()
        .map(|(number, value)| FieldChange {
            number: *number,
            value: value.clone(),
            base: None,
        })
        .collect();
    let header = header(key, class, Verb::Create, now_ms);
    let change = world.append(
        header,
        Body {
            fields,
            ..Body::default()
        },
    );
    let version = Version {
        change,
        ordered_at: now_ms,
    };
    let mut record = Record {
        key,
        class,
        office,
        revision: 1,
        life: Life::Alive,
        life_version: version,
        fields: std::collections::BTreeMap::new(),
    };
    for (number, value) in values {
        record.set(*number, value.clone(), version);
    }
    world.put(record, Mover::Foreign);
    change
}

/// Sets fields of a record; the record as it is after.
pub(super) fn set(world: &mut World, record: &Record, values: &Values, now_ms: u64) -> Record {
    set_in(world, record, record.office, values, now_ms)
}

/// Sets fields of a record and gives it to an office.
pub(super) fn set_in(
    world: &mut World,
    record: &Record,
    office: OfficeId,
    values: &Values,
    now_ms: u64,
) -> Record {
    let mut values: Vec<_> = values.to_vec();
    values.sort_by_key(|(number, _)| *number);
    let fields = values
        .iter()
        .map(|(number, value)| FieldChange {
            number: *number,
            value: value.clone(),
            base: record.version(*number),
        })
        .collect();
    let header = header(record.key, record.class, Verb::Set, now_ms);
    let change = world.append(
        header,
        Body {
            fields,
            ..Body::default()
        },
    );
    let version = Version {
        change,
        ordered_at: now_ms,
    };
    let mut after = record.clone();
    after.office = office;
    after.revision += 1;
    for (number, value) in values {
        after.set(number, value, version);
    }
    world.put(after.clone(), Mover::Foreign);
    after
}

fn header(key: RecordKey, class: Class, verb: Verb, now_ms: u64) -> Header {
    Header {
        record: key.id,
        kind: key.kind,
        class,
        verb,
        timestamp: Timestamp::at(now_ms),
        actor: ACTOR.to_owned(),
        group: None,
        tenure: None,
        clock_suspect: false,
        replaces: None,
    }
}
