//! What was signed, and what is derived from rows, for who proves it again.

use std::collections::BTreeSet;

use domain::digest::Digest;
use domain::id::{NodeId, RecordId};
use rusqlite::{OptionalExtension as _, params};

use super::Statement;
use super::journals::marks_of;
use super::release::read_statement;
use crate::error::StoreError;
use crate::records::Tx;

/// The last equality certificate of a node's feed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Equal {
    /// The node.
    pub node: NodeId,
    /// The feed.
    pub feed: String,
    /// The place at which both were equal.
    pub sequence: u64,
    /// The digest of both.
    pub digest: Digest,
    /// The hub's signature.
    pub by_hub: Vec<u8>,
    /// The node's.
    pub by_node: Vec<u8>,
}

impl Tx<'_> {
    /// The last equality certificate of every feed of every node.
    ///
    /// # Errors
    /// As SQLite says.
    pub fn equal_nodes(&self) -> Result<Vec<Equal>, StoreError> {
        let mut statement = self.connection.prepare(
            "SELECT node, feed, sequence, sum, count, hub_signature, node_signature
             FROM certificate ORDER BY node, feed",
        )?;
        let rows = statement.query_map([], |row| {
            let (sum, count): ([u8; 32], i64) = (row.get(3)?, row.get(4)?);
            Ok(Equal {
                node: NodeId::new(row.get(0)?),
                feed: row.get(1)?,
                sequence: row.get::<_, i64>(2)?.cast_unsigned(),
                digest: Digest::from_parts(&sum, count.cast_unsigned()),
                by_hub: row.get(5)?,
                by_node: row.get(6)?,
            })
        })?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// Shows every statement of what a node erased; the first finding. One is in memory at a time.
    ///
    /// # Errors
    /// As SQLite says.
    pub fn find_in_statements<F>(
        &self,
        mut look: impl FnMut(&Statement) -> Option<F>,
    ) -> Result<Option<F>, StoreError> {
        let mut statement = self.connection.prepare(
            "SELECT kind, node, epoch, at, changes, digest, signature, told_at, id FROM erased",
        )?;
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            let found = look(&read_statement(row, RecordId::new(row.get(8)?))?);
            if found.is_some() {
                return Ok(found);
            }
        }
        Ok(None)
    }

    /// Whether the run that ends at `last` says of these records, and of no others, that its changes are about them.
    ///
    /// # Errors
    /// As SQLite says.
    pub fn run_is_about(
        &self,
        (node, epoch, last): (NodeId, u32, u64),
        records: &BTreeSet<RecordId>,
    ) -> Result<bool, StoreError> {
        let said: Option<Vec<u8>> = self
            .connection
            .prepare_cached(
                "SELECT touched FROM batch WHERE node = ?1 AND epoch = ?2 AND last = ?3",
            )?
            .query_row(params![node.bytes(), epoch, last.cast_signed()], |row| {
                row.get(0)
            })
            .optional()?;
        Ok(said.is_some_and(|said| said == marks_of(records)))
    }

    /// What a record claims: the kind and the keyed hash of each claim.
    ///
    /// # Errors
    /// As SQLite says.
    pub fn claims_of(&self, record: RecordId) -> Result<Vec<(u16, [u8; 32])>, StoreError> {
        let mut statement = self
            .connection
            .prepare_cached("SELECT kind, hash FROM claim WHERE record = ?1")?;
        let claims = statement.query_map([record.bytes()], |row| Ok((row.get(0)?, row.get(1)?)))?;
        Ok(claims.collect::<Result<_, _>>()?)
    }

    /// How many claims there are.
    ///
    /// # Errors
    /// As SQLite says.
    pub fn claim_count(&self) -> Result<u64, StoreError> {
        let sql = "SELECT count(*) FROM claim";
        let count: i64 = self.connection.query_row(sql, [], |row| row.get(0))?;
        Ok(count.cast_unsigned())
    }
}
