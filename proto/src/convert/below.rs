//! The descent where digests differ: what stands below a prefix, and names of records.

use domain::digest::{Below, Digest, NIBBLES};
use domain::id::RecordId;
use domain::record::RecordKey;
use prost::bytes::Bytes;

use super::{Invalid, sixteen, thirty_two};
use crate::wire::sync as wire;

/// Children of a prefix: one for each nibble.
const CHILDREN: usize = 16;
/// Bytes of a record's name: its kind and its id.
const KEY_BYTES: usize = 18;

/// Writes what stands below a prefix.
pub fn encode_below(prefix: &[u8], below: &Below) -> wire::Below {
    let mut message = wire::Below {
        prefix: Bytes::copy_from_slice(prefix),
        rows: Vec::new(),
        children: Vec::new(),
    };
    match below {
        Below::Rows(rows) => message.rows.extend(rows.iter().map(|(key, hash)| {
            let (kind, id) = (u32::from(key.kind), key.id.bytes());
            wire::RowKeyHash {
                kind,
                record: Bytes::copy_from_slice(&id),
                hash: Bytes::copy_from_slice(hash),
            }
        })),
        Below::Children(children) => {
            let children = children.iter().map(|child| encode_digest(child, &[]));
            message.children.extend(children);
        }
    }
    message
}

/// Writes a digest with its signature.
pub fn encode_digest(digest: &Digest, signature: &[u8]) -> wire::FeedDigest {
    wire::FeedDigest {
        sum: Bytes::copy_from_slice(&digest.sum()),
        count: digest.count(),
        signature: Bytes::copy_from_slice(signature),
    }
}

/// Reads what the other side says of a prefix.
///
/// # Errors
/// A prefix that no place has, children that are not sixteen or below the last nibble, rows beside
/// children, a name or a hash of another length.
pub fn decode_below(message: wire::Below) -> Result<(Vec<u8>, Below), Invalid> {
    let wire::Below {
        prefix,
        rows,
        children,
    } = message;
    if prefix.len() > NIBBLES || prefix.iter().any(|nibble| *nibble > 0x0f) {
        return Err(Invalid::Value("below.prefix"));
    }
    if children.is_empty() {
        let rows = rows.iter().map(decode_row_hash);
        return Ok((prefix.into(), Below::Rows(rows.collect::<Result<_, _>>()?)));
    }
    if children.len() != CHILDREN || prefix.len() == NIBBLES || !rows.is_empty() {
        return Err(Invalid::Value("below.children"));
    }
    let children = children.iter().map(|child| {
        let sum = thirty_two(&child.sum, "below.children.sum")?;
        Ok(Digest::from_parts(&sum, child.count))
    });
    let children = children.collect::<Result<_, _>>()?;
    Ok((prefix.into(), Below::Children(children)))
}

fn decode_row_hash(row: &wire::RowKeyHash) -> Result<(RecordKey, [u8; 32]), Invalid> {
    let key = RecordKey {
        kind: u16::try_from(row.kind).map_err(|_| Invalid::Value("below.rows.kind"))?,
        id: RecordId::new(sixteen(&row.record, "below.rows.record")?),
    };
    Ok((key, thirty_two(&row.hash, "below.rows.hash")?))
}

/// Names a record: its kind, two bytes, and its id.
pub fn encode_key(key: RecordKey) -> Bytes {
    Bytes::from([&key.kind.to_be_bytes()[..], &key.id.bytes()].concat())
}

/// Reads a record's name.
///
/// # Errors
/// Another length than eighteen bytes.
pub fn decode_key(name: &[u8], field: &'static str) -> Result<RecordKey, Invalid> {
    let name: &[u8; KEY_BYTES] = name.try_into().map_err(|_| Invalid::Length(field))?;
    let ([first, second], id) = name.split_first_chunk().ok_or(Invalid::Length(field))?;
    Ok(RecordKey {
        kind: u16::from_be_bytes([*first, *second]),
        id: RecordId::new(sixteen(id, field)?),
    })
}
