//! The floor: a bare program that does the same input and output as the product, with none of it. The same bytes of
//! records over the same mutual TLS and gRPC into the same SQLite, `synchronous=FULL`, acknowledged after the commit;
//! no chain, no signature, no authorisation, no conflict check, no feed, no digest.
//!
//! - [`hub`]: takes batches, keeps ready pages.
//! - [`near`]: sends, fetches, follows.

pub mod hub;
pub mod near;

use std::path::Path;

use anyhow::Context as _;
use prost::Message as _;
use proto::wire::sync as wire;
use rusqlite::{Connection, params};

/// Changes in one batch, and rows in one page.
pub const BATCH: usize = 1_000;
/// Batches under way at once.
pub const IN_FLIGHT: usize = 4;
/// The level of compression where there is one.
pub const ZSTD_LEVEL: i32 = 1;

/// Opens a database of the floor's: one row for each record, and a log.
///
/// # Errors
/// Where it cannot be opened.
pub fn open(path: &Path) -> anyhow::Result<Connection> {
    let connection = Connection::open(path)?;
    connection.execute_batch(
        "PRAGMA journal_mode = WAL;
         PRAGMA synchronous = FULL;
         CREATE TABLE IF NOT EXISTS record (id BLOB PRIMARY KEY, state BLOB NOT NULL) WITHOUT ROWID;
         CREATE TABLE IF NOT EXISTS log (place INTEGER PRIMARY KEY, header BLOB NOT NULL, body BLOB NOT NULL);
         CREATE TABLE IF NOT EXISTS page (
             place INTEGER PRIMARY KEY, raw_bytes INTEGER NOT NULL, bytes BLOB NOT NULL);",
    )?;
    Ok(connection)
}

/// Takes a batch in one transaction: each old state is read, the new one and the log's entry written.
///
/// # Errors
/// Bytes that are no batch; the store's own.
pub fn take(connection: &mut Connection, changes: &[wire::Change]) -> anyhow::Result<()> {
    let transaction = connection.transaction()?;
    {
        let mut old = transaction.prepare_cached("SELECT state FROM record WHERE id = ?1")?;
        let mut put = transaction.prepare_cached(
            "INSERT INTO record (id, state) VALUES (?1, ?2)
             ON CONFLICT (id) DO UPDATE SET state = excluded.state",
        )?;
        let mut log =
            transaction.prepare_cached("INSERT INTO log (header, body) VALUES (?1, ?2)")?;
        for change in changes {
            let header = wire::ChangeHeader::decode(change.header.as_ref())?;
            let mut found = old.query([header.record.as_ref()])?;
            if let Some(row) = found.next()? {
                let state: Vec<u8> = row.get(0)?;
                std::hint::black_box(state);
            }
            put.execute(params![header.record.as_ref(), change.body.as_ref()])?;
            log.execute(params![change.header.as_ref(), change.body.as_ref()])?;
        }
    }
    transaction.commit()?;
    Ok(())
}

/// The changes of a batch or page.
///
/// # Errors
/// Bytes that are none.
pub fn unpack(bytes: &[u8], raw_bytes: u32) -> anyhow::Result<Vec<wire::Change>> {
    // A batch that is not compressed says so by its size.
    let unpacked = if bytes.len() == raw_bytes as usize {
        bytes.to_vec()
    } else {
        zstd::bulk::decompress(bytes, raw_bytes as usize)?
    };
    Ok(wire::ChangeBatch::decode(unpacked.as_slice())?.changes)
}

/// A batch or page, with its size unpacked.
///
/// # Errors
/// Where it cannot be compressed.
pub fn pack(changes: Vec<wire::Change>, is_compressed: bool) -> anyhow::Result<(Vec<u8>, u32)> {
    let bytes = wire::ChangeBatch { changes }.encode_to_vec();
    let raw_bytes = u32::try_from(bytes.len()).context("a batch is smaller")?;
    if is_compressed {
        let packed = zstd::bulk::compress(&bytes, ZSTD_LEVEL)?;
        return Ok((packed, raw_bytes));
    }
    Ok((bytes, raw_bytes))
}
