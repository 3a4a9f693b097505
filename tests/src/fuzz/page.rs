//! A page of a feed, as a node takes it.
//!
//! The first byte says what the rest is: a whole page, the raw bytes of its rows (packed here), or a size
//! and packed bytes.

use anyhow::ensure;
use domain::digest::{Digest, row_hash};
use domain::limits;
use domain::record::Record;
use domain::session::office as rules;
use prost::Message as _;
use proto::convert::{self, FeedRow, Invalid, LeaveReason};
use proto::wire::sync as wire;

use super::{note, sample, walk};

pub(super) fn check(input: &[u8]) -> anyhow::Result<()> {
    let Some((mode, rest)) = input.split_first() else {
        return Ok(());
    };
    match mode % 3 {
        0 => whole(rest),
        1 => {
            let size = u32::try_from(rest.len())?;
            let rows = rows_of(&zstd::bulk::compress(rest, 1)?, size)?;
            match rows {
                Some(rows) => verbatim(rest, &rows),
                None => Ok(()),
            }
        }
        _ => match rest.split_first_chunk() {
            Some((size, packed)) => rows_of(packed, u32::from_be_bytes(*size)).map(drop),
            None => Ok(()),
        },
    }
}

/// A page as it comes; what the node checks before it folds it.
fn whole(bytes: &[u8]) -> anyhow::Result<()> {
    let Ok(page) = note::quickly(|| wire::Page::decode(bytes))? else {
        note::met("calls that are none");
        return Ok(());
    };
    // A hub that has decided more than it received is one that was put back.
    let takes = rules::takes_page(page.decided_through, 0);
    ensure!(
        takes == (page.decided_through == 0),
        "D18: {}",
        page.decided_through
    );
    rows_of(&page.rows, page.raw_bytes)?;
    if let Some(digest) = page.digest
        && let Ok(sum) = convert::thirty_two(&digest.sum, "sum")
    {
        let read = Digest::from_parts(&sum, digest.count);
        ensure!(
            read.sum() == sum && read.count() == digest.count,
            "another digest"
        );
    }
    Ok(())
}

fn rows_of(packed: &[u8], size: u32) -> anyhow::Result<Option<Vec<FeedRow>>> {
    match note::quickly(|| convert::decode_rows(packed, size))? {
        Ok(rows) => {
            ensure!(rows.len() <= limits::PAGE_ROWS_MAX, "M4: too many rows");
            well_read(&rows)?;
            Ok(Some(rows))
        }
        Err(Invalid::TooLarge(_)) => {
            note::met("M4 counts over the limit refused");
            Ok(None)
        }
        Err(error) => {
            ensure!(error.to_string().len() > 10, "an error that says nothing");
            Ok(None)
        }
    }
}

fn well_read(rows: &[FeedRow]) -> anyhow::Result<()> {
    let (packed, size) = convert::encode_rows(rows)?;
    ensure!(
        convert::decode_rows(&packed, size).as_deref() == Ok(rows),
        "packed again they are other rows"
    );
    let mut digest = Digest::default();
    for row in rows {
        if let FeedRow::State(record) = row {
            digest.add(&row_hash(record));
            hashed(record)?;
        }
    }
    for row in rows.iter().rev() {
        if let FeedRow::State(record) = row {
            digest.remove(&row_hash(record));
        }
    }
    ensure!(
        digest == Digest::default(),
        "the digest does not come back to nothing"
    );
    Ok(())
}

/// Nothing of a row changes without its hash.
fn hashed(record: &Record) -> anyhow::Result<()> {
    let hash = row_hash(record);
    if record.revision > i64::MAX as u64 {
        note::met("D18 extreme revisions read");
    }
    let mut other = record.clone();
    other.revision = record.revision.wrapping_add(1);
    ensure!(
        row_hash(&other) != hash,
        "P17: a revision is not in the hash"
    );
    if let Some(field) = other.fields.values_mut().next() {
        field.value.push(0);
        other.revision = record.revision;
        ensure!(row_hash(&other) != hash, "P17: a value is not in the hash");
        note::met("P17 altered rows told by their hash");
    }
    Ok(())
}

/// The values are those of the bytes that came.
fn verbatim(bytes: &[u8], rows: &[FeedRow]) -> anyhow::Result<()> {
    let (fields, odd) = walk::fields(bytes).unwrap_or_default();
    if odd.is_overlong || odd.depth > 4 {
        note::met("M23 hostile encodings read");
    }
    let there = walk::all(&fields, 1);
    ensure!(there.len() == rows.len(), "rows are missing");
    for (row, bytes) in rows.iter().zip(there) {
        let (fields, _) = walk::fields(bytes).unwrap_or_default();
        if walk::has_unknown(bytes, 10) {
            note::met("V2 rows with unknown fields read");
        }
        let FeedRow::State(record) = row else {
            continue;
        };
        let mut values: Vec<_> = walk::all(&fields, 9)
            .into_iter()
            .filter_map(|field| Some(walk::last(&walk::fields(field)?.0, 2).to_vec()))
            .collect();
        let mut read: Vec<_> = record
            .fields
            .values()
            .map(|field| field.value.clone())
            .collect();
        values.sort();
        read.sort();
        ensure!(values == read, "V2: other values");
    }
    Ok(())
}

pub(super) fn seeds() -> anyhow::Result<Vec<Vec<u8>>> {
    let mut seeds = Vec::new();
    for count in [0, 1, 2, 5, 8] {
        let mut rows: Vec<_> = (0..count)
            .map(|n| FeedRow::State(sample::record(n)))
            .collect();
        let left = sample::record(90).key;
        for reason in [
            LeaveReason::Transferred,
            LeaveReason::Withdrawn,
            LeaveReason::Scope,
            LeaveReason::Purged,
        ] {
            rows.push(FeedRow::Left(left, reason));
        }
        let (packed, raw_bytes) = convert::encode_rows(&rows)?;
        let set = wire::RowSet {
            rows: rows.iter().map(convert::encode_row).collect(),
        };
        let page = wire::Page {
            feed: "city".to_owned(),
            rows: packed.clone().into(),
            raw_bytes,
            to_sequence: count,
            decided_through: count,
            digest: Some(convert::encode_digest(&Digest::default(), &[4; 64])),
            decided_signature: vec![4; 64].into(),
            durable: vec![wire::Durable::default()],
            released_through: 0,
        };
        seeds.push([&[0][..], &page.encode_to_vec()].concat());
        seeds.push([&[1][..], &set.encode_to_vec()].concat());
        seeds.push([&[2][..], &raw_bytes.to_be_bytes(), &packed].concat());
    }
    let empty_rows = b"\x0a\x00".repeat(1_500);
    let empty_fields = [&b"\x0a\xf4\x03"[..], &b"\x4a\x00".repeat(250)].concat();
    let bomb = zstd::bulk::compress(&vec![0x4a; 4 * limits::BATCH_RAW_BYTES_MAX], 1)?;
    let lie = u32::try_from(2 * limits::BATCH_RAW_BYTES_MAX)?.to_be_bytes();
    seeds.push([&[1][..], &empty_rows].concat());
    seeds.push([&[1][..], &empty_fields].concat());
    seeds.push([&[2][..], &lie, &bomb].concat());
    Ok(seeds)
}
