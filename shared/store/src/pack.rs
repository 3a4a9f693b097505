//! Versions, unknown fields and whole records as compact bytes.
//!
//! Most fields of a row were set by the same change, so each version stands once and the fields name
//! it by position.

use std::collections::BTreeMap;

use domain::id::{ChangeId, NodeId, RecordId};
use domain::kind::Class;
use domain::record::{FieldState, Life, Record, RecordKey, Version};

use crate::error::StoreError;

/// Packs the version of life (first) and of every field.
pub fn pack_versions(life: Version, fields: &BTreeMap<u16, FieldState>) -> Vec<u8> {
    let mut versions = vec![life];
    let mut positions = Vec::with_capacity(fields.len());
    for (number, field) in fields {
        let position = versions
            .iter()
            .position(|known| *known == field.version)
            .unwrap_or_else(|| {
                versions.push(field.version);
                versions.len() - 1
            });
        positions.push((*number, position));
    }
    let mut bytes = Vec::with_capacity(versions.len() * 32 + positions.len() * 2 + 2);
    put(&mut bytes, versions.len() as u64);
    for version in &versions {
        bytes.extend_from_slice(&version.change.node.bytes());
        put(&mut bytes, u64::from(version.change.epoch));
        put(&mut bytes, version.change.sequence);
        put(&mut bytes, version.ordered_at);
    }
    for (number, position) in positions {
        put(&mut bytes, u64::from(number));
        put(&mut bytes, position as u64);
    }
    bytes
}

/// Unpacks them: the version of life, and of each field by number.
pub fn unpack_versions(bytes: &[u8]) -> Result<(Version, BTreeMap<u16, Version>), StoreError> {
    let mut rest = bytes;
    let count = take(&mut rest)?;
    let mut versions = Vec::new();
    for _ in 0..count {
        let node = NodeId::from_slice(take_bytes(&mut rest, 16)?).map_err(|_| BROKEN)?;
        let epoch = u32::try_from(take(&mut rest)?).map_err(|_| BROKEN)?;
        let sequence = take(&mut rest)?;
        let ordered_at = take(&mut rest)?;
        versions.push(Version {
            change: ChangeId {
                node,
                epoch,
                sequence,
            },
            ordered_at,
        });
    }
    let mut fields = BTreeMap::new();
    while !rest.is_empty() {
        let number = u16::try_from(take(&mut rest)?).map_err(|_| BROKEN)?;
        let position = usize::try_from(take(&mut rest)?).map_err(|_| BROKEN)?;
        fields.insert(number, *versions.get(position).ok_or(BROKEN)?);
    }
    Ok((*versions.first().ok_or(BROKEN)?, fields))
}

/// Packs values by field number: those that have no column.
pub fn pack_values<'a>(values: impl IntoIterator<Item = (u16, &'a [u8])>) -> Vec<u8> {
    let mut bytes = Vec::new();
    for (number, value) in values {
        put(&mut bytes, u64::from(number));
        put(&mut bytes, value.len() as u64);
        bytes.extend_from_slice(value);
    }
    bytes
}

/// Unpacks them.
pub fn unpack_values(bytes: &[u8]) -> Result<BTreeMap<u16, Vec<u8>>, StoreError> {
    let mut rest = bytes;
    let mut values = BTreeMap::new();
    while !rest.is_empty() {
        let number = u16::try_from(take(&mut rest)?).map_err(|_| BROKEN)?;
        let length = usize::try_from(take(&mut rest)?).map_err(|_| BROKEN)?;
        values.insert(number, take_bytes(&mut rest, length)?.to_vec());
    }
    Ok(values)
}

/// Packs a whole record.
pub fn pack_record(record: &Record) -> Vec<u8> {
    let versions = pack_versions(record.life_version, &record.fields);
    let values = pack_values(record.fields.iter().map(|(n, f)| (*n, f.value.as_slice())));
    let mut bytes = Vec::with_capacity(versions.len() + values.len() + 48);
    bytes.extend_from_slice(&record.key.kind.to_be_bytes());
    bytes.extend_from_slice(&record.key.id.bytes());
    bytes.extend_from_slice(&record.office.bytes());
    bytes.push(class_code(record.class));
    bytes.push(life_code(record.life));
    put(&mut bytes, record.revision);
    put(&mut bytes, versions.len() as u64);
    bytes.extend_from_slice(&versions);
    bytes.extend_from_slice(&values);
    bytes
}

/// Unpacks it.
pub fn unpack_record(bytes: &[u8]) -> Result<Record, StoreError> {
    let mut rest = bytes;
    let kind = take_bytes(&mut rest, 2)?
        .iter()
        .fold(0u16, |n, byte| n << 8 | u16::from(*byte));
    let id = RecordId::from_slice(take_bytes(&mut rest, 16)?).map_err(|_| BROKEN)?;
    let office = RecordId::from_slice(take_bytes(&mut rest, 16)?).map_err(|_| BROKEN)?;
    let class = class_of(take_bytes(&mut rest, 1)?)?;
    let life = life_of(take_bytes(&mut rest, 1)?)?;
    let revision = take(&mut rest)?;
    let length = usize::try_from(take(&mut rest)?).map_err(|_| BROKEN)?;
    let versions = take_bytes(&mut rest, length)?;
    let values = unpack_values(rest)?;
    assemble(
        RecordKey { kind, id },
        class,
        office,
        revision,
        life,
        versions,
        values,
    )
}

/// Puts a record together from its parts.
pub(crate) fn assemble(
    key: RecordKey,
    class: Class,
    office: RecordId,
    revision: u64,
    life: Life,
    versions: &[u8],
    mut values: BTreeMap<u16, Vec<u8>>,
) -> Result<Record, StoreError> {
    let (life_version, versions) = unpack_versions(versions)?;
    let fields = versions
        .into_iter()
        .map(|(number, version)| {
            let value = values.remove(&number).unwrap_or_default();
            (number, FieldState { value, version })
        })
        .collect();
    Ok(Record {
        key,
        class,
        office,
        revision,
        life,
        life_version,
        fields,
    })
}

/// The number of a class in the database.
pub(crate) const fn class_code(class: Class) -> u8 {
    match class {
        Class::Shared => 1,
        Class::Held => 2,
        Class::Ledger => 3,
        Class::Case => 4,
        Class::Reference => 5,
    }
}

/// The class with a number.
pub(crate) fn class_of(bytes: &[u8]) -> Result<Class, StoreError> {
    match bytes {
        [1] => Ok(Class::Shared),
        [2] => Ok(Class::Held),
        [3] => Ok(Class::Ledger),
        [4] => Ok(Class::Case),
        [5] => Ok(Class::Reference),
        _ => Err(BROKEN),
    }
}

/// The number of a life in the database.
pub(crate) const fn life_code(life: Life) -> u8 {
    match life {
        Life::Alive => 1,
        Life::Deleted => 2,
    }
}

/// The life with a number.
pub(crate) fn life_of(bytes: &[u8]) -> Result<Life, StoreError> {
    match bytes {
        [1] => Ok(Life::Alive),
        [2] => Ok(Life::Deleted),
        _ => Err(BROKEN),
    }
}

const BROKEN: StoreError = StoreError::Unreadable("packed record");

fn put(bytes: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        bytes.push((number & 0x7f) as u8 | 0x80);
        number >>= 7;
    }
    bytes.push((number & 0x7f) as u8);
}

fn take(rest: &mut &[u8]) -> Result<u64, StoreError> {
    let mut number = 0;
    for shift in (0..64).step_by(7) {
        let (first, tail) = rest.split_first().ok_or(BROKEN)?;
        *rest = tail;
        number |= u64::from(first & 0x7f) << shift;
        if first & 0x80 == 0 {
            return Ok(number);
        }
    }
    Err(BROKEN)
}

fn take_bytes<'a>(rest: &mut &'a [u8], length: usize) -> Result<&'a [u8], StoreError> {
    if rest.len() < length {
        return Err(BROKEN);
    }
    let (head, tail) = rest.split_at(length);
    *rest = tail;
    Ok(head)
}
