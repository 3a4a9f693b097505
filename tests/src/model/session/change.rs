//! Changes of the model: each carries a number of its own in its salt, which it keeps however often
//! it is written anew; and the journal entries that hold them.

use std::sync::Arc;

use domain::change::{Body, Change, FieldChange, Header, RawChange, Verb, chain_next};
use domain::clock::Timestamp;
use domain::id::{ChangeId, NodeId, OfficeId, RecordId};
use domain::kind::Class;
use domain::kinds::person;
use domain::record::{Record, RecordKey};

/// The office's node.
pub const NODE: NodeId = NodeId::new([1; 16]);
/// The hub as a writer.
pub const HUB: NodeId = NodeId::new([9; 16]);
/// The office.
pub const OFFICE: OfficeId = OfficeId::new([2; 16]);

/// An entry of a journal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    pub change: Change,
    pub raw: RawChange,
    pub chain: [u8; 32],
}

impl Entry {
    /// The next entry after `before`.
    pub fn after(before: &[u8; 32], change: Change, salt: [u8; 16]) -> Arc<Self> {
        let raw = RawChange {
            header: format!("{:?}", change.header).into_bytes(),
            salt,
            body: format!("{:?}", change.body).into_bytes(),
            erased: None,
        };
        let chain = chain_next(before, &raw.header, &raw.body_hash());
        Arc::new(Self { change, raw, chain })
    }

    /// Which edit it is, under whatever id.
    pub const fn edit(&self) -> u8 {
        self.raw.salt[0]
    }

    pub const fn key(&self) -> RecordKey {
        key_of(&self.change)
    }
}

pub const fn key_of(change: &Change) -> RecordKey {
    RecordKey {
        kind: change.header.kind,
        id: change.header.record,
    }
}

/// The record that everybody edits; the others are named after the edit that makes them.
pub const fn person(number: u8) -> RecordKey {
    RecordKey {
        kind: person::KIND_NUMBER,
        id: RecordId::new([number; 16]),
    }
}

/// An edit of a person's name, or the person's creation where none is shown.
pub fn write(id: ChangeId, key: RecordKey, shown: Option<&Record>, edit: u8) -> Change {
    let verb = if shown.is_some() {
        Verb::Set
    } else {
        Verb::Create
    };
    Change {
        id,
        header: Header {
            record: key.id,
            kind: key.kind,
            class: Class::Shared,
            verb,
            timestamp: Timestamp::at(1_000),
            actor: "clerk".to_owned(),
            group: None,
            tenure: None,
            clock_suspect: false,
            replaces: None,
        },
        body: Body {
            fields: vec![FieldChange {
                number: person::NAME,
                value: format!("name {edit}").into_bytes(),
                base: shown.and_then(|record| record.version(person::NAME)),
            }],
            seen_revision: shown.map_or(0, |record| record.revision),
            life_base: shown.map(|record| record.life_version.change),
        },
    }
}
