//! What one invented office says, as messages: where the inputs begin.

use std::sync::LazyLock;

use domain::change::{Body, FieldChange, Group, Header, RawChange, Verb, chain_over, chain_start};
use domain::clock::Timestamp;
use domain::id::{ChangeId, NodeId, OfficeId, RecordId, derived_id};
use domain::kind::Class;
use domain::kinds::person;
use domain::record::{FieldState, Life, Record, RecordKey, Version};
use prost::bytes::Bytes;
use proto::convert;
use proto::wire::sync as wire;
use store::hub::Node;
use transport::TransportError;
use transport::sign::{Context, SigningKey};

use crate::generate::Person;
use crate::simulation::world::BEGIN_MS;

/// Its node.
pub(super) const NODE: NodeId = NodeId::new([0x11; 16]);
/// Its epoch.
pub(super) const EPOCH: u32 = 1;
const OFFICE: OfficeId = OfficeId::new([0x22; 16]);
const SEED: u64 = 7;

static KEY: LazyLock<Result<SigningKey, TransportError>> =
    LazyLock::new(|| SigningKey::from_seed([7; 32]));
static OTHER_KEY: LazyLock<Result<SigningKey, TransportError>> =
    LazyLock::new(|| SigningKey::from_seed([8; 32]));

/// The office's signing key.
pub(super) fn key() -> anyhow::Result<&'static SigningKey> {
    KEY.as_ref().map_err(|error| anyhow::anyhow!("{error}"))
}

/// Somebody else's.
pub(super) fn other_key() -> anyhow::Result<&'static SigningKey> {
    let key = OTHER_KEY.as_ref();
    key.map_err(|error| anyhow::anyhow!("{error}"))
}

/// The node as the hub knows it.
pub(super) fn node() -> anyhow::Result<Node> {
    Ok(Node::new(NODE, OFFICE, key()?.verifying_key().0))
}

/// The name of one of its changes.
pub(super) const fn change_id(sequence: u64) -> ChangeId {
    ChangeId {
        node: NODE,
        epoch: EPOCH,
        sequence,
    }
}

fn record_of(index: u64) -> RecordId {
    derived_id("fuzz sample", &[&index.to_be_bytes()])
}

/// What stands in the fields of an invented person.
pub(super) fn values(index: u64) -> Vec<(u16, Vec<u8>)> {
    let Person {
        name,
        id_number,
        birth,
        phone,
        address,
        ..
    } = Person::new(SEED, index);
    let texts = [
        (person::NAME, name),
        (person::BIRTH_DATE, birth.to_string()),
        (person::ID_NUMBER, id_number),
        (person::PHONE, phone),
        (person::RESIDENCE_ADDRESS, address),
    ];
    texts
        .into_iter()
        .map(|(number, text)| (number, text.into_bytes()))
        .collect()
}

fn header(index: u64, verb: Verb) -> Header {
    Header {
        record: record_of(index),
        kind: person::KIND_NUMBER,
        class: Class::Shared,
        verb,
        timestamp: Timestamp::at(BEGIN_MS + index),
        actor: "王录入".to_owned(),
        group: None,
        tenure: None,
        clock_suspect: false,
        replaces: None,
    }
}

/// The office's first changes: creations, edits on them, a deletion, a group.
pub(super) fn changes(count: u64) -> Vec<RawChange> {
    (0..count).map(change).collect()
}

fn change(index: u64) -> RawChange {
    let field = |(number, value): (u16, Vec<u8>), base| FieldChange {
        number,
        value,
        base,
    };
    let mut body = Body::default();
    let mut header = header(index, Verb::Create);
    match index % 4 {
        1 => {
            header = self::header(index - 1, Verb::Set);
            let edits = values(index).into_iter().skip(3);
            body.fields
                .extend(edits.map(|value| field(value, Some(change_id(index)))));
        }
        2 => {
            header = self::header(index - 2, Verb::Delete);
            body.seen_revision = 2;
            body.life_base = Some(change_id(index - 1));
        }
        3 => {
            let id = record_of(1_000 + index);
            header.group = Some(Group { id, size: 2 });
            header.replaces = Some((change_id(index), [9; 32]));
            body.fields
                .extend(values(index).into_iter().map(|value| field(value, None)));
        }
        _ => body
            .fields
            .extend(values(index).into_iter().map(|value| field(value, None))),
    }
    let salt = derived_id("fuzz salt", &[&index.to_be_bytes()]).bytes();
    convert::encode_change(&header, &body, salt)
}

/// Changes as a push, signed by the office.
pub(super) fn push(changes: &[RawChange]) -> anyhow::Result<wire::PushRequest> {
    let (batch, raw_bytes) = convert::encode_batch(changes)?;
    let chain = chain_over(chain_start(NODE, EPOCH), changes);
    let count = u32::try_from(changes.len())?;
    let text = convert::batch_signature_text(NODE, EPOCH, 1, count, &chain);
    Ok(wire::PushRequest {
        incarnation: Bytes::from_static(&[3; 16]),
        epoch: EPOCH,
        first_sequence: 1,
        count,
        raw_bytes,
        batch: batch.into(),
        chain: Bytes::copy_from_slice(&chain),
        signature: Bytes::copy_from_slice(&key()?.sign(Context::Batch, &text)),
    })
}

/// The batches that the office has signed.
pub(super) fn batches() -> Vec<Vec<RawChange>> {
    [1, 2, 4, 9].into_iter().map(changes).collect()
}

/// A record's state at the hub.
pub(super) fn record(index: u64) -> Record {
    let version = |sequence| Version {
        change: change_id(sequence),
        ordered_at: BEGIN_MS + sequence,
    };
    let field = |(number, value): (u16, Vec<u8>)| {
        let version = version(index + u64::from(number % 2));
        (number, FieldState { value, version })
    };
    Record {
        key: RecordKey {
            kind: person::KIND_NUMBER,
            id: record_of(index),
        },
        class: Class::Shared,
        office: OFFICE,
        revision: index + 1,
        life: if index % 5 == 4 {
            Life::Deleted
        } else {
            Life::Alive
        },
        life_version: version(index),
        fields: values(index).into_iter().map(field).collect(),
    }
}
