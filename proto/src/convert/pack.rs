//! Many changes or rows in one compressed run of bytes.
//!
//! A declared size is checked before anything is unpacked, and unpacking stops at it: a small
//! message cannot make the reader hold more than the limit.

use domain::change::RawChange;
use domain::limits;
use prost::Message as _;
use prost::bytes::Bytes;
use prost::encoding::WireType;

use super::row::{FeedRow, decode_row, encode_row};
use super::{Invalid, thirty_two};
use crate::wire::sync as wire;

/// The level that is worth its time: higher ones cost more than they save here.
const ZSTD_LEVEL: i32 = 1;
/// `RowSet.rows`.
const ROWS: u32 = 1;
/// Top-level fields of one row: its fields, a version for each and for its life, and the rest of it.
const ROW_FIELDS_MAX: usize = 2 * limits::RECORD_FIELDS_MAX + 16;

/// Packs changes as they are; returns the compressed bytes and their size unpacked.
pub fn encode_batch(changes: &[RawChange]) -> Result<(Vec<u8>, u32), Invalid> {
    let batch = wire::ChangeBatch {
        changes: changes
            .iter()
            .map(|raw| wire::Change {
                header: Bytes::copy_from_slice(&raw.header),
                salt: match raw.erased {
                    None => Bytes::copy_from_slice(&raw.salt),
                    Some(_) => Bytes::new(),
                },
                body: Bytes::copy_from_slice(&raw.body),
                body_hash: raw
                    .erased
                    .map_or_else(Bytes::new, |hash| Bytes::copy_from_slice(&hash)),
            })
            .collect(),
    };
    pack(&batch.encode_to_vec())
}

/// Unpacks changes, verbatim.
///
/// # Errors
/// A size over the limit or other than declared, bytes that are no batch, a salt that is not
/// sixteen bytes, an erased change that has a body all the same, more changes than `count_max`.
pub fn decode_batch(bytes: &[u8], raw: u32, count_max: usize) -> Result<Vec<RawChange>, Invalid> {
    let bytes = unpack(bytes, raw, limits::BATCH_RAW_BYTES_MAX)?;
    count_fields(&bytes, count_max, "changes in a batch")?;
    let batch =
        wire::ChangeBatch::decode(bytes.as_slice()).map_err(|_| Invalid::Malformed("batch"))?;
    batch.changes.into_iter().map(read_raw).collect()
}

/// Counts the top-level fields of a message before it is decoded: two bytes on the wire can become
/// a hundred in memory.
pub(crate) fn count_fields(
    bytes: &[u8],
    count_max: usize,
    what: &'static str,
) -> Result<(), Invalid> {
    let malformed = |_| Invalid::Malformed(what);
    let mut rest = bytes;
    let mut count = 0;
    while !rest.is_empty() {
        count += 1;
        if count > count_max {
            return Err(Invalid::TooLarge(what));
        }
        let (tag, wire_type) = prost::encoding::decode_key(&mut rest).map_err(malformed)?;
        let context = prost::encoding::DecodeContext::default();
        prost::encoding::skip_field(wire_type, tag, &mut rest, context).map_err(malformed)?;
    }
    Ok(())
}

fn read_raw(change: wire::Change) -> Result<RawChange, Invalid> {
    let wire::Change {
        header,
        salt,
        body,
        body_hash,
    } = change;
    if !body_hash.is_empty() {
        if !salt.is_empty() || !body.is_empty() {
            return Err(Invalid::Value("an erased change with a body"));
        }
        return Ok(RawChange {
            header: header.into(),
            salt: [0; 16],
            body: Vec::new(),
            erased: Some(thirty_two(&body_hash, "body_hash")?),
        });
    }
    let salt = salt
        .as_ref()
        .try_into()
        .map_err(|_| Invalid::Length("salt"))?;
    Ok(RawChange {
        header: header.into(),
        salt,
        body: body.into(),
        erased: None,
    })
}

/// Packs rows; returns the compressed bytes and their size unpacked.
pub fn encode_rows(rows: &[FeedRow]) -> Result<(Vec<u8>, u32), Invalid> {
    pack(
        &wire::RowSet {
            rows: rows.iter().map(encode_row).collect(),
        }
        .encode_to_vec(),
    )
}

/// Unpacks rows.
///
/// # Errors
/// As [`decode_batch`].
pub fn decode_rows(bytes: &[u8], raw: u32) -> Result<Vec<FeedRow>, Invalid> {
    let bytes = unpack(bytes, raw, 2 * limits::BATCH_RAW_BYTES_MAX)?;
    count_fields(&bytes, limits::PAGE_ROWS_MAX, "rows in a page")?;
    // One by one, so that a page of empty fields is never held as rows of the wire.
    let mut rows = Vec::new();
    let mut rest = bytes.as_slice();
    while !rest.is_empty() {
        if let Some(row) = next_row(&mut rest)? {
            rows.push(row);
        }
    }
    Ok(rows)
}

/// The next entry of a `RowSet`; none for a field that this program does not know.
fn next_row(rest: &mut &[u8]) -> Result<Option<FeedRow>, Invalid> {
    let malformed = |_| Invalid::Malformed("rows");
    let (tag, wire_type) = prost::encoding::decode_key(rest).map_err(malformed)?;
    if (tag, wire_type) != (ROWS, WireType::LengthDelimited) {
        let context = prost::encoding::DecodeContext::default();
        prost::encoding::skip_field(wire_type, tag, rest, context).map_err(malformed)?;
        return Ok(None);
    }
    let length = prost::encoding::decode_varint(rest).map_err(malformed)?;
    let length = usize::try_from(length).map_err(|_| Invalid::Malformed("rows"))?;
    let (row, after) = rest
        .split_at_checked(length)
        .ok_or(Invalid::Malformed("rows"))?;
    *rest = after;
    count_fields(row, ROW_FIELDS_MAX, "fields of a row")?;
    let row = wire::Row::decode(row).map_err(malformed)?;
    decode_row(row).map(Some)
}

fn pack(raw: &[u8]) -> Result<(Vec<u8>, u32), Invalid> {
    let size = u32::try_from(raw.len()).map_err(|_| Invalid::TooLarge("batch"))?;
    let packed = zstd::bulk::compress(raw, ZSTD_LEVEL).map_err(|_| Invalid::TooLarge("batch"))?;
    Ok((packed, size))
}

fn unpack(packed: &[u8], raw: u32, limit: usize) -> Result<Vec<u8>, Invalid> {
    let raw = raw as usize;
    if raw > limit {
        return Err(Invalid::TooLarge("raw bytes"));
    }
    // One byte more than declared, so that a longer content shows; never more than the limit.
    let mut bytes = Vec::with_capacity(raw.saturating_add(1));
    let mut decoder = zstd::bulk::Decompressor::new().map_err(|_| Invalid::Malformed("zstd"))?;
    let length = decoder
        .decompress_to_buffer(packed, &mut bytes)
        .map_err(|_| Invalid::Malformed("compressed bytes"))?;
    if length == raw {
        Ok(bytes)
    } else {
        Err(Invalid::Value("raw_bytes"))
    }
}
