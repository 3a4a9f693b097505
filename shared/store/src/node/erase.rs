//! What has left the office's scope: what is still to be erased of it, and what was erased.

use domain::change::{Hash, RawChange};
use domain::erase::Erased;
use domain::id::{NodeId, RecordId};
use domain::record::RecordKey;
use rusqlite::{Row, params};

use crate::error::StoreError;
use crate::records::Tx;

/// A place in a journal of this machine, under whatever identity it had.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    /// The node in its changes' ids.
    pub node: NodeId,
    /// The epoch.
    pub epoch: u32,
    /// The place.
    pub sequence: u64,
}

/// An entry of the journal of a former identity.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Former {
    /// Where it stands.
    pub place: Place,
    /// Its bytes.
    pub raw: RawChange,
}

const SELECT_FRESH: &str = "SELECT kind, id FROM leaving WHERE waits = 0 AND (kind, id) > (?1, ?2)
    ORDER BY kind, id LIMIT ?3";
const SELECT_ALL: &str = "SELECT kind, id FROM leaving WHERE (kind, id) > (?1, ?2)
    ORDER BY kind, id LIMIT ?3";

impl Tx<'_> {
    /// Whether anything of a record is here that is to be erased when it leaves: a row, or salt and body of a change.
    pub fn holds(&self, key: RecordKey) -> Result<bool, StoreError> {
        if self.row_hash(key)?.is_some() {
            return Ok(true);
        }
        Ok(self
            .connection
            .prepare_cached(
                "SELECT EXISTS (SELECT 1 FROM base_image WHERE kind = ?1 AND id = ?2)
                     OR EXISTS (SELECT 1 FROM replaced WHERE kind = ?1 AND id = ?2)
                     OR EXISTS (SELECT 1 FROM journal
                         WHERE kind = ?1 AND id = ?2 AND body_hash IS NULL)
                     OR EXISTS (SELECT 1 FROM former_journal
                         WHERE kind = ?1 AND id = ?2 AND body_hash IS NULL)",
            )?
            .query_row(params![key.kind, key.id.bytes()], |row| row.get(0))?)
    }

    /// Notes that a record has left the office's scope: its values are to be erased.
    pub fn note_leaving(&self, key: RecordKey) -> Result<(), StoreError> {
        self.connection
            .prepare_cached(
                "INSERT INTO leaving (kind, id) VALUES (?1, ?2)
                 ON CONFLICT (kind, id) DO UPDATE SET waits = 0",
            )?
            .execute(params![key.kind, key.id.bytes()])?;
        Ok(())
    }

    /// It is in the scope again, or nothing of it is left.
    pub fn forget_leaving(&self, key: RecordKey) -> Result<(), StoreError> {
        self.connection
            .prepare_cached("DELETE FROM leaving WHERE kind = ?1 AND id = ?2")?
            .execute(params![key.kind, key.id.bytes()])?;
        Ok(())
    }

    /// It was looked at, and something of it must be decided or durable first.
    pub fn let_leaving_wait(&self, key: RecordKey) -> Result<(), StoreError> {
        self.connection
            .prepare_cached("UPDATE leaving SET waits = 1 WHERE kind = ?1 AND id = ?2")?
            .execute(params![key.kind, key.id.bytes()])?;
        Ok(())
    }

    /// What has left and is not erased, in the order of its keys after one, at most so many: what was not looked
    /// at yet, or all.
    pub fn leaving(
        &self,
        fresh_only: bool,
        after: Option<RecordKey>,
        max: usize,
    ) -> Result<Vec<RecordKey>, StoreError> {
        let sql = if fresh_only { SELECT_FRESH } else { SELECT_ALL };
        let max = i64::try_from(max).unwrap_or(i64::MAX);
        // No kind has a number below 0.
        let (kind, id) = after.map_or((-1, [0; 16]), |key| (i64::from(key.kind), key.id.bytes()));
        let mut statement = self.connection.prepare_cached(sql)?;
        let keys = statement.query_map(params![kind, id, max], |row| read_key(row, 0))?;
        Ok(keys.collect::<Result<_, _>>()?)
    }

    /// How many records have left and are not erased.
    pub fn leaving_count(&self) -> Result<u64, StoreError> {
        let count: i64 = self
            .connection
            .prepare_cached("SELECT count(*) FROM leaving")?
            .query_row([], |row| row.get(0))?;
        Ok(count.cast_unsigned())
    }

    /// Removes the rows of a record that repairs had replaced.
    pub fn remove_replaced(&self, key: RecordKey) -> Result<(), StoreError> {
        self.connection
            .prepare_cached("DELETE FROM replaced WHERE kind = ?1 AND id = ?2")?
            .execute(params![key.kind, key.id.bytes()])?;
        Ok(())
    }

    /// Erases salt and body of an entry; header, chain and the body's hash stay.
    pub fn erase_entry(&self, epoch: u32, sequence: u64, hash: &Hash) -> Result<(), StoreError> {
        self.connection
            .prepare_cached(
                "UPDATE journal SET salt = zeroblob(16), body = x'', body_hash = ?3
                 WHERE epoch = ?1 AND sequence = ?2",
            )?
            .execute(params![epoch, sequence.cast_signed(), hash])?;
        Ok(())
    }

    /// The entries about a record in journals of former identities, oldest first.
    pub fn former_entries_about(&self, key: RecordKey) -> Result<Vec<Former>, StoreError> {
        let mut statement = self.connection.prepare_cached(
            "SELECT node, epoch, sequence, header, salt, body, body_hash FROM former_journal
             WHERE kind = ?1 AND id = ?2 ORDER BY node, epoch, sequence",
        )?;
        let entries = statement.query_map(params![key.kind, key.id.bytes()], |row| {
            Ok(Former {
                place: Place {
                    node: NodeId::new(row.get(0)?),
                    epoch: row.get(1)?,
                    sequence: row.get::<_, i64>(2)?.cast_unsigned(),
                },
                raw: RawChange {
                    header: row.get(3)?,
                    salt: row.get(4)?,
                    body: row.get(5)?,
                    erased: row.get(6)?,
                },
            })
        })?;
        Ok(entries.collect::<Result<_, _>>()?)
    }

    /// Erases salt and body of an entry of a former identity.
    pub fn erase_former_entry(&self, place: Place, hash: &Hash) -> Result<(), StoreError> {
        self.connection
            .prepare_cached(
                "UPDATE former_journal SET salt = zeroblob(16), body = x'', body_hash = ?4
                 WHERE node = ?1 AND epoch = ?2 AND sequence = ?3",
            )?
            .execute(params![
                place.node.bytes(),
                place.epoch,
                place.sequence.cast_signed(),
                hash
            ])?;
        Ok(())
    }

    /// Notes what was erased of a record; the hub is told.
    pub fn note_erased(&self, erased: &Erased) -> Result<(), StoreError> {
        self.connection
            .prepare_cached(
                "INSERT INTO erased (kind, id, at, changes, digest) VALUES (?1, ?2, ?3, ?4, ?5)",
            )?
            .execute(params![
                erased.key.kind,
                erased.key.id.bytes(),
                erased.at.cast_signed(),
                erased.changes.cast_signed(),
                erased.digest
            ])?;
        Ok(())
    }

    /// What was erased and the hub was not told of, oldest first, at most so many; with numbers.
    pub fn erased_untold(&self, max: usize) -> Result<Vec<(i64, Erased)>, StoreError> {
        let max = i64::try_from(max).unwrap_or(i64::MAX);
        let mut statement = self.connection.prepare_cached(
            "SELECT number, at, changes, digest, kind, id FROM erased WHERE is_told = 0
             ORDER BY number LIMIT ?1",
        )?;
        let rows = statement.query_map([max], |row| {
            let erased = Erased {
                at: row.get::<_, i64>(1)?.cast_unsigned(),
                changes: row.get::<_, i64>(2)?.cast_unsigned(),
                digest: row.get(3)?,
                key: read_key(row, 4)?,
            };
            Ok((row.get(0)?, erased))
        })?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// The hub has the statements about these.
    pub fn note_erased_told(&self, numbers: &[i64]) -> Result<(), StoreError> {
        let mut statement = self
            .connection
            .prepare_cached("UPDATE erased SET is_told = 1 WHERE number = ?1")?;
        for number in numbers {
            statement.execute([number])?;
        }
        Ok(())
    }

    /// The hub is another than the one that was told: it is told again.
    pub fn tell_erased_again(&self) -> Result<(), StoreError> {
        self.connection
            .prepare_cached("UPDATE erased SET is_told = 0")?
            .execute([])?;
        Ok(())
    }
}

fn read_key(row: &Row<'_>, from: usize) -> rusqlite::Result<RecordKey> {
    Ok(RecordKey {
        kind: row.get(from)?,
        id: RecordId::new(row.get(from + 1)?),
    })
}
