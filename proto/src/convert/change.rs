//! Changes: header and body.

use domain::change::{Believed, Body, Change, FieldChange, Group, Hash, Header, RawChange, Verb};
use domain::clock::Timestamp;
use domain::erase::Erased;
use domain::id::{ChangeId, Incarnation, NodeId, RecordId};
use domain::kind::Class;
use domain::limits;
use domain::record::RecordKey;
use prost::Message as _;

use super::{Invalid, sixteen, thirty_two};
use crate::wire::sync as wire;

/// The bytes that a node signs for a batch.
pub fn batch_signature_text(
    node: NodeId,
    epoch: u32,
    first: u64,
    count: u32,
    chain: &Hash,
) -> Vec<u8> {
    let mut text = Vec::with_capacity(80);
    text.extend_from_slice(b"lianxin batch 1");
    text.extend_from_slice(&node.bytes());
    text.extend_from_slice(&epoch.to_be_bytes());
    text.extend_from_slice(&first.to_be_bytes());
    text.extend_from_slice(&count.to_be_bytes());
    text.extend_from_slice(chain);
    text
}

/// The bytes that the hub signs for `decided_through`.
pub fn decided_signature_text(
    incarnation: Incarnation,
    node: NodeId,
    epoch: u32,
    decided_through: u64,
) -> Vec<u8> {
    let mut text = Vec::with_capacity(64);
    text.extend_from_slice(b"lianxin decided 1");
    text.extend_from_slice(&incarnation.bytes());
    text.extend_from_slice(&node.bytes());
    text.extend_from_slice(&epoch.to_be_bytes());
    text.extend_from_slice(&decided_through.to_be_bytes());
    text
}

/// The bytes that a node signs for what it has erased of one record.
pub fn erased_signature_text(node: NodeId, epoch: u32, erased: &Erased) -> Vec<u8> {
    let mut text = Vec::with_capacity(128);
    text.extend_from_slice(b"lianxin erased 1");
    text.extend_from_slice(&node.bytes());
    text.extend_from_slice(&epoch.to_be_bytes());
    text.extend_from_slice(&erased.key.kind.to_be_bytes());
    text.extend_from_slice(&erased.key.id.bytes());
    text.extend_from_slice(&erased.at.to_be_bytes());
    text.extend_from_slice(&erased.changes.to_be_bytes());
    text.extend_from_slice(&erased.digest);
    text
}

/// Writes a new change; the salt is sixteen random bytes.
pub fn encode_change(header: &Header, body: &Body, salt: [u8; 16]) -> RawChange {
    RawChange {
        header: encode_header(header).encode_to_vec(),
        salt,
        body: encode_body(body).encode_to_vec(),
        erased: None,
    }
}

/// Reads a change.
///
/// # Errors
/// The first fault found; the bytes themselves stay as they are.
pub fn decode_change(id: ChangeId, raw: &RawChange) -> Result<Change, Invalid> {
    if raw.erased.is_some() {
        return Err(Invalid::Value("a body that was erased"));
    }
    if raw.header.len() + raw.body.len() > limits::CHANGE_BYTES_MAX {
        return Err(Invalid::TooLarge("change"));
    }
    let header = wire::ChangeHeader::decode(raw.header.as_slice())
        .map_err(|_| Invalid::Malformed("change header"))?;
    let body = wire::ChangeBody::decode(raw.body.as_slice())
        .map_err(|_| Invalid::Malformed("change body"))?;
    Ok(Change {
        id,
        header: decode_header(header)?,
        body: decode_body(body)?,
    })
}

/// Names a change on the wire.
pub fn change_ref(id: ChangeId) -> wire::ChangeRef {
    wire::ChangeRef {
        node: prost::bytes::Bytes::copy_from_slice(&id.node.bytes()),
        epoch: id.epoch,
        sequence: id.sequence,
    }
}

/// A node's statement of what it has erased, on the wire.
pub fn encode_erased(epoch: u32, erased: &Erased, signature: &[u8]) -> wire::Erased {
    let bytes = prost::bytes::Bytes::copy_from_slice;
    wire::Erased {
        epoch,
        kind: u32::from(erased.key.kind),
        record: bytes(&erased.key.id.bytes()),
        at: erased.at,
        changes: erased.changes,
        digest: bytes(&erased.digest),
        signature: bytes(signature),
    }
}

/// Reads a node's statement: what was erased, and the signature.
///
/// # Errors
/// A length or a number that is none.
pub fn decode_erased(message: wire::Erased) -> Result<(Erased, Vec<u8>), Invalid> {
    let wire::Erased {
        epoch: _,
        kind,
        record,
        at,
        changes,
        digest,
        signature,
    } = message;
    // What a store cannot hold was never counted.
    if at.max(changes) > i64::MAX as u64 {
        return Err(Invalid::Value("erased"));
    }
    let key = RecordKey {
        kind: u16::try_from(kind).map_err(|_| Invalid::Value("kind"))?,
        id: RecordId::new(sixteen(&record, "record")?),
    };
    let erased = Erased {
        key,
        at,
        changes,
        digest: thirty_two(&digest, "digest")?,
    };
    Ok((erased, signature.into()))
}

/// Reads the name of a change.
pub fn read_change_ref(
    message: &wire::ChangeRef,
    field: &'static str,
) -> Result<ChangeId, Invalid> {
    let wire::ChangeRef {
        node,
        epoch,
        sequence,
    } = message;
    Ok(ChangeId {
        node: NodeId::new(sixteen(node, field)?),
        epoch: *epoch,
        sequence: *sequence,
    })
}

/// The wire's class.
pub fn encode_class(class: Class) -> wire::Class {
    match class {
        Class::Shared => wire::Class::Shared,
        Class::Held => wire::Class::Held,
        Class::Ledger => wire::Class::Ledger,
        Class::Case => wire::Class::Case,
        Class::Reference => wire::Class::Reference,
    }
}

/// Reads a class.
pub fn decode_class(number: i32) -> Result<Class, Invalid> {
    match wire::Class::try_from(number) {
        Ok(wire::Class::Shared) => Ok(Class::Shared),
        Ok(wire::Class::Held) => Ok(Class::Held),
        Ok(wire::Class::Ledger) => Ok(Class::Ledger),
        Ok(wire::Class::Case) => Ok(Class::Case),
        Ok(wire::Class::Reference) => Ok(Class::Reference),
        Ok(wire::Class::Unspecified) | Err(_) => Err(Invalid::Value("class")),
    }
}

fn encode_header(header: &Header) -> wire::ChangeHeader {
    let Header {
        record,
        kind,
        class,
        verb,
        timestamp,
        actor,
        group,
        tenure,
        clock_suspect,
        replaces,
    } = header;
    let bytes = |sixteen: [u8; 16]| prost::bytes::Bytes::copy_from_slice(&sixteen);
    wire::ChangeHeader {
        record: bytes(record.bytes()),
        kind: u32::from(*kind),
        class: encode_class(*class).into(),
        verb: encode_verb(*verb).into(),
        timestamp: timestamp.bits(),
        actor: actor.clone(),
        group: group
            .map(|group| bytes(group.id.bytes()))
            .unwrap_or_default(),
        group_size: group.map(|group| group.size).unwrap_or_default(),
        tenure_number: tenure.map(|tenure| tenure.number).unwrap_or_default(),
        tenure_holder: tenure
            .map(|tenure| bytes(tenure.holder.bytes()))
            .unwrap_or_default(),
        clock_suspect: *clock_suspect,
        replaces: replaces.map(|(id, _)| change_ref(id)),
        replaces_body_hash: replaces
            .map(|(_, hash)| prost::bytes::Bytes::copy_from_slice(&hash))
            .unwrap_or_default(),
    }
}

fn decode_header(message: wire::ChangeHeader) -> Result<Header, Invalid> {
    let wire::ChangeHeader {
        record,
        kind,
        class,
        verb,
        timestamp,
        actor,
        group,
        group_size,
        tenure_number,
        tenure_holder,
        clock_suspect,
        replaces,
        replaces_body_hash,
    } = message;
    if actor.chars().count() > limits::ACTOR_CHARS_MAX {
        return Err(Invalid::TooLarge("actor"));
    }
    let replaces = match replaces {
        None => None,
        Some(id) => Some((
            read_change_ref(&id, "replaces")?,
            thirty_two(&replaces_body_hash, "replaces_body_hash")?,
        )),
    };
    Ok(Header {
        record: RecordId::new(sixteen(&record, "record")?),
        kind: u16::try_from(kind).map_err(|_| Invalid::Value("kind"))?,
        class: decode_class(class)?,
        verb: decode_verb(verb)?,
        timestamp: Timestamp::from_bits(timestamp),
        actor,
        group: decode_group(&group, group_size)?,
        tenure: decode_tenure(tenure_number, &tenure_holder)?,
        clock_suspect,
        replaces,
    })
}

fn decode_group(id: &[u8], size: u32) -> Result<Option<Group>, Invalid> {
    match (id.is_empty(), size) {
        (true, 0) => Ok(None),
        (false, 1..=limits::GROUP_CHANGES_MAX) => Ok(Some(Group {
            id: RecordId::new(sixteen(id, "group")?),
            size,
        })),
        _ => Err(Invalid::Value("group_size")),
    }
}

fn decode_tenure(number: u32, holder: &[u8]) -> Result<Option<Believed>, Invalid> {
    match (number, holder.is_empty()) {
        (0, true) => Ok(None),
        (0, false) | (_, true) => Err(Invalid::Value("tenure")),
        (number, false) => Ok(Some(Believed {
            number,
            holder: RecordId::new(sixteen(holder, "tenure_holder")?),
        })),
    }
}

fn encode_body(body: &Body) -> wire::ChangeBody {
    let Body {
        fields,
        seen_revision,
        life_base,
    } = body;
    wire::ChangeBody {
        fields: fields
            .iter()
            .map(
                |FieldChange {
                     number,
                     value,
                     base,
                 }| wire::FieldChange {
                    number: u32::from(*number),
                    value: value.clone().into(),
                    base: base.map(change_ref),
                },
            )
            .collect(),
        seen_revision: *seen_revision,
        life_base: life_base.map(change_ref),
    }
}

fn decode_body(message: wire::ChangeBody) -> Result<Body, Invalid> {
    let wire::ChangeBody {
        fields,
        seen_revision,
        life_base,
    } = message;
    if fields.len() > limits::CHANGE_FIELDS_MAX {
        return Err(Invalid::TooLarge("fields"));
    }
    let mut read = Vec::with_capacity(fields.len());
    let mut last = None;
    for wire::FieldChange {
        number,
        value,
        base,
    } in fields
    {
        let number = u16::try_from(number).map_err(|_| Invalid::Value("field number"))?;
        if last.is_some_and(|last| last >= number) || number == 0 {
            return Err(Invalid::Order("fields"));
        }
        if value.len() > limits::VALUE_BYTES_MAX {
            return Err(Invalid::TooLarge("value"));
        }
        last = Some(number);
        let base = base
            .map(|base| read_change_ref(&base, "base"))
            .transpose()?;
        read.push(FieldChange {
            number,
            value: value.into(),
            base,
        });
    }
    let life_base = life_base
        .map(|base| read_change_ref(&base, "life_base"))
        .transpose()?;
    Ok(Body {
        fields: read,
        seen_revision,
        life_base,
    })
}

fn encode_verb(verb: Verb) -> wire::Verb {
    match verb {
        Verb::Create => wire::Verb::Create,
        Verb::Set => wire::Verb::Set,
        Verb::Delete => wire::Verb::Delete,
        Verb::Restore => wire::Verb::Restore,
        Verb::Step => wire::Verb::Step,
        Verb::Merge => wire::Verb::Merge,
        Verb::Unmerge => wire::Verb::Unmerge,
    }
}

fn decode_verb(number: i32) -> Result<Verb, Invalid> {
    match wire::Verb::try_from(number) {
        Ok(wire::Verb::Create) => Ok(Verb::Create),
        Ok(wire::Verb::Set) => Ok(Verb::Set),
        Ok(wire::Verb::Delete) => Ok(Verb::Delete),
        Ok(wire::Verb::Restore) => Ok(Verb::Restore),
        Ok(wire::Verb::Step) => Ok(Verb::Step),
        Ok(wire::Verb::Merge) => Ok(Verb::Merge),
        Ok(wire::Verb::Unmerge) => Ok(Verb::Unmerge),
        Ok(wire::Verb::Unspecified) | Err(_) => Err(Invalid::Value("verb")),
    }
}
