//! Backups whose files are kept: what stands in the oldest of them survives the loss of the hub.

use domain::id::NodeId;
use rusqlite::{OptionalExtension as _, params};

use super::Journal;
use crate::error::StoreError;
use crate::records::Tx;

/// A backup that was made and read back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Backup {
    /// Its number, rising with time.
    pub number: i64,
    /// When it was made (milliseconds since 1970).
    pub at: u64,
    /// Where it was put.
    pub file: String,
    /// Its size.
    pub bytes: u64,
}

impl Tx<'_> {
    /// Notes a backup in which the journals stand as given.
    pub fn note_backup(
        &self,
        (file, bytes): (&str, u64),
        journals: &[Journal],
        now_ms: u64,
    ) -> Result<(), StoreError> {
        self.connection
            .prepare_cached("INSERT INTO backup (at, file, bytes) VALUES (?1, ?2, ?3)")?
            .execute(params![now_ms.cast_signed(), file, bytes.cast_signed()])?;
        let number = self.connection.last_insert_rowid();
        let mut statement = self.connection.prepare_cached(
            "INSERT INTO backup_journal (backup, node, epoch, received) VALUES (?1, ?2, ?3, ?4)",
        )?;
        for journal in journals {
            statement.execute(params![
                number,
                journal.node.bytes(),
                journal.epoch,
                journal.received.cast_signed()
            ])?;
        }
        Ok(())
    }

    /// The backups whose files were there when last looked at, the oldest first.
    pub fn backups(&self) -> Result<Vec<Backup>, StoreError> {
        let mut statement = self
            .connection
            .prepare_cached("SELECT number, at, file, bytes FROM backup ORDER BY number")?;
        let rows = statement.query_map([], |row| {
            Ok(Backup {
                number: row.get(0)?,
                at: row.get::<_, i64>(1)?.cast_unsigned(),
                file: row.get(2)?,
                bytes: row.get::<_, i64>(3)?.cast_unsigned(),
            })
        })?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// Forgets a backup whose file is kept no more.
    pub fn drop_backup(&self, number: i64) -> Result<(), StoreError> {
        for sql in [
            "DELETE FROM backup_journal WHERE backup = ?1",
            "DELETE FROM backup WHERE number = ?1",
        ] {
            self.connection.prepare_cached(sql)?.execute([number])?;
        }
        Ok(())
    }

    /// Up to where a journal stands in the oldest backup that is kept; 0 where there is none, or it
    /// does not know the journal.
    pub fn durable(&self, node: NodeId, epoch: u32) -> Result<u64, StoreError> {
        let received: Option<i64> = self
            .connection
            .prepare_cached(
                "SELECT received FROM backup_journal
                 WHERE backup = (SELECT min(number) FROM backup) AND node = ?1 AND epoch = ?2",
            )?
            .query_row(params![node.bytes(), epoch], |row| row.get(0))
            .optional()?;
        Ok(received.map_or(0, i64::cast_unsigned))
    }
}
