//! Rows: the state of a record as it goes down.

use std::collections::BTreeMap;

use domain::id::RecordId;
use domain::record::{FieldState, Life, Record, RecordKey, Version};
use prost::bytes::Bytes;

use super::change::{change_ref, decode_class, encode_class, read_change_ref};
use super::{Invalid, sixteen};
use crate::wire::sync as wire;

/// Why a record has left a feed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LeaveReason {
    /// The member's relation is with another office now.
    Transferred,
    /// The case ended otherwise; what was shown of the person is withdrawn.
    Withdrawn,
    /// The office's scope became smaller.
    Scope,
    /// The record was purged by law.
    Purged,
}

/// One entry of a feed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FeedRow {
    /// The record's present state.
    State(Record),
    /// The record has left this feed.
    Left(RecordKey, LeaveReason),
}

/// Writes an entry.
pub fn encode_row(row: &FeedRow) -> wire::Row {
    match row {
        FeedRow::Left(key, reason) => wire::Row {
            kind: u32::from(key.kind),
            record: Bytes::copy_from_slice(&key.id.bytes()),
            left: encode_reason(*reason).into(),
            ..wire::Row::default()
        },
        FeedRow::State(record) => encode_state(record),
    }
}

fn encode_state(record: &Record) -> wire::Row {
    let mut versions = vec![record.life_version];
    let mut fields = Vec::with_capacity(record.fields.len());
    for (number, FieldState { value, version }) in &record.fields {
        let position = versions
            .iter()
            .position(|known| known == version)
            .unwrap_or_else(|| {
                versions.push(*version);
                versions.len() - 1
            });
        fields.push(wire::RowField {
            number: u32::from(*number),
            value: Bytes::copy_from_slice(value),
            version: u32::try_from(position).unwrap_or(u32::MAX),
        });
    }
    wire::Row {
        kind: u32::from(record.key.kind),
        record: Bytes::copy_from_slice(&record.key.id.bytes()),
        class: encode_class(record.class).into(),
        office: Bytes::copy_from_slice(&record.office.bytes()),
        revision: record.revision,
        life: match record.life {
            Life::Alive => wire::Life::Alive.into(),
            Life::Deleted => wire::Life::Deleted.into(),
        },
        versions: versions
            .iter()
            .map(|version| wire::Version {
                change: Some(change_ref(version.change)),
                ordered_at: version.ordered_at,
            })
            .collect(),
        life_version: 0,
        fields,
        left: wire::LeaveReason::Unspecified.into(),
    }
}

/// Reads an entry.
///
/// # Errors
/// The first fault found.
pub fn decode_row(row: wire::Row) -> Result<FeedRow, Invalid> {
    let wire::Row {
        kind,
        record,
        class,
        office,
        revision,
        life,
        versions,
        life_version,
        fields,
        left,
    } = row;
    let key = RecordKey {
        kind: u16::try_from(kind).map_err(|_| Invalid::Value("kind"))?,
        id: RecordId::new(sixteen(&record, "record")?),
    };
    if let Some(reason) = decode_reason(left)? {
        return Ok(FeedRow::Left(key, reason));
    }
    let versions = versions
        .iter()
        .map(decode_version)
        .collect::<Result<Vec<_>, _>>()?;
    let version_at = |position: u32| {
        versions
            .get(position as usize)
            .copied()
            .ok_or(Invalid::Value("version position"))
    };
    let mut states = BTreeMap::new();
    for wire::RowField {
        number,
        value,
        version,
    } in fields
    {
        let number = u16::try_from(number).map_err(|_| Invalid::Value("field number"))?;
        let state = FieldState {
            value: value.into(),
            version: version_at(version)?,
        };
        if states.insert(number, state).is_some() {
            return Err(Invalid::Order("row fields"));
        }
    }
    Ok(FeedRow::State(Record {
        key,
        class: decode_class(class)?,
        office: RecordId::new(sixteen(&office, "office")?),
        revision,
        life: match wire::Life::try_from(life) {
            Ok(wire::Life::Alive) => Life::Alive,
            Ok(wire::Life::Deleted) => Life::Deleted,
            Ok(wire::Life::Unspecified) | Err(_) => return Err(Invalid::Value("life")),
        },
        life_version: version_at(life_version)?,
        fields: states,
    }))
}

fn decode_version(version: &wire::Version) -> Result<Version, Invalid> {
    let wire::Version { change, ordered_at } = version;
    let change = change.as_ref().ok_or(Invalid::Missing("version.change"))?;
    Ok(Version {
        change: read_change_ref(change, "version.change")?,
        ordered_at: *ordered_at,
    })
}

fn encode_reason(reason: LeaveReason) -> wire::LeaveReason {
    match reason {
        LeaveReason::Transferred => wire::LeaveReason::Transferred,
        LeaveReason::Withdrawn => wire::LeaveReason::Withdrawn,
        LeaveReason::Scope => wire::LeaveReason::Scope,
        LeaveReason::Purged => wire::LeaveReason::Purged,
    }
}

fn decode_reason(number: i32) -> Result<Option<LeaveReason>, Invalid> {
    match wire::LeaveReason::try_from(number) {
        Ok(wire::LeaveReason::Unspecified) => Ok(None),
        Ok(wire::LeaveReason::Transferred) => Ok(Some(LeaveReason::Transferred)),
        Ok(wire::LeaveReason::Withdrawn) => Ok(Some(LeaveReason::Withdrawn)),
        Ok(wire::LeaveReason::Scope) => Ok(Some(LeaveReason::Scope)),
        Ok(wire::LeaveReason::Purged) => Ok(Some(LeaveReason::Purged)),
        Err(_) => Err(Invalid::Value("leave reason")),
    }
}
