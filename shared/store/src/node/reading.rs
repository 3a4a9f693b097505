//! How far a node has read its feeds.

use domain::digest::Digest;
use rusqlite::{OptionalExtension as _, params};

use crate::error::StoreError;
use crate::records::Tx;

/// How far a feed has been read, and what was heard of it there. Nothing of a feed that was never read.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Reading {
    /// The last place read: the cursor.
    pub sequence: u64,
    /// The digest of the confirmed states of its rows.
    pub digest: Digest,
    /// The place of the head when the feed was last read up to it: every move up to there was seen.
    pub whole_through: u64,
    /// Up to where the hub had released entries that told of removals.
    pub released_through: u64,
    /// Whether such entries were released unread, and the digests have not been equal since.
    pub is_past_released: bool,
}

impl Tx<'_> {
    /// How far a feed has been read.
    pub fn reading(&self, feed: &str) -> Result<Reading, StoreError> {
        let reading = self
            .connection
            .prepare_cached(
                "SELECT sequence, sum, count, whole_through, released_through, past_released
                 FROM feed WHERE name = ?1",
            )?
            .query_row([feed], |row| {
                let (sum, count) = (row.get(1)?, row.get::<_, i64>(2)?);
                Ok(Reading {
                    sequence: row.get::<_, i64>(0)?.cast_unsigned(),
                    digest: Digest::from_parts(&sum, count.cast_unsigned()),
                    whole_through: row.get::<_, i64>(3)?.cast_unsigned(),
                    released_through: row.get::<_, i64>(4)?.cast_unsigned(),
                    is_past_released: row.get(5)?,
                })
            })
            .optional()?;
        Ok(reading.unwrap_or_default())
    }

    /// Notes how far a feed has been read.
    pub fn put_reading(&self, feed: &str, reading: &Reading) -> Result<(), StoreError> {
        self.connection
            .prepare_cached(
                "INSERT INTO feed (name, sequence, sum, count, whole_through, released_through,
                     past_released)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)
                 ON CONFLICT (name) DO UPDATE SET sequence = ?2, sum = ?3, count = ?4,
                     whole_through = ?5, released_through = ?6, past_released = ?7",
            )?
            .execute(params![
                feed,
                reading.sequence.cast_signed(),
                reading.digest.sum(),
                reading.digest.count().cast_signed(),
                reading.whole_through.cast_signed(),
                reading.released_through.cast_signed(),
                reading.is_past_released
            ])?;
        Ok(())
    }
}
