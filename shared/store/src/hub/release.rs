//! What tells of removals until every node has heard it: tombstones, entries of records that left a
//! feed, and how far each node has read; and what nodes state that they erased (`sync.md` 9).

use std::collections::BTreeMap;

use domain::erase::Erased;
use domain::id::{NodeId, OfficeId, RecordId};
use domain::record::{Life, Record, RecordKey};
use domain::session::hub::Acknowledged;
use domain::world::Leaving;
use rusqlite::{OptionalExtension as _, Row, params};

use super::feeds::{CITY, feed_of};
use crate::error::StoreError;
use crate::records::Tx;

/// A node that reads a feed, and how far it has acknowledged it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reader {
    /// The node.
    pub node: NodeId,
    /// The last cursor that it showed in its present epoch; 0 where it showed none.
    pub acknowledged: u64,
}

/// An entry of a record that left a feed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Left {
    /// The record.
    pub key: RecordKey,
    /// The feed.
    pub feed: String,
    /// The entry's place.
    pub sequence: u64,
    /// Since when (milliseconds since 1970).
    pub at: u64,
}

/// What waits for release, and for whom.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Blocking {
    /// Deleted records whose values are kept.
    pub tombstones: u64,
    /// Entries that tell that a record left a feed.
    pub leave_entries: u64,
    /// How many of both are old enough.
    pub due: u64,
    /// The nodes for which those wait, with the number that each has not acknowledged.
    pub nodes: BTreeMap<NodeId, u64>,
}

/// What a node has stated that it erased of a record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Statement {
    /// Who.
    pub node: NodeId,
    /// In which epoch.
    pub epoch: u32,
    /// What.
    pub erased: Erased,
    /// The node's signature.
    pub signature: Vec<u8>,
    /// When the hub had it (milliseconds since 1970).
    pub told_at: u64,
}

impl Tx<'_> {
    /// Keeps the table of tombstones true for a record that was just written.
    pub(super) fn note_life(&self, record: &Record, now_ms: u64) -> Result<(), StoreError> {
        let (kind, id) = (record.key.kind, record.key.id.bytes());
        if record.life == Life::Deleted {
            self.connection
                .prepare_cached(
                    "INSERT INTO tombstone (kind, id, at) VALUES (?1, ?2, ?3) ON CONFLICT DO NOTHING",
                )?
                .execute(params![kind, id, now_ms.cast_signed()])?;
        } else if record.revision > 1 {
            self.connection
                .prepare_cached("DELETE FROM tombstone WHERE kind = ?1 AND id = ?2")?
                .execute(params![kind, id])?;
        }
        Ok(())
    }

    /// Whether a record was removed for good.
    pub fn is_purged(&self, id: RecordId) -> Result<bool, StoreError> {
        Ok(self
            .connection
            .prepare_cached("SELECT EXISTS (SELECT 1 FROM purged WHERE id = ?1)")?
            .query_row([id.bytes()], |row| row.get(0))?)
    }

    /// Notes that an id never lives again.
    pub fn note_purged(&self, id: RecordId) -> Result<(), StoreError> {
        self.connection
            .prepare_cached("INSERT INTO purged (id) VALUES (?1) ON CONFLICT DO NOTHING")?
            .execute([id.bytes()])?;
        Ok(())
    }

    /// Removes a record for good: out of every feed, where an entry tells of it, and its values here, those that
    /// were kept as evidence too.
    pub fn purge(&self, key: RecordKey, now_ms: u64) -> Result<(), StoreError> {
        let mut feeds = BTreeMap::new();
        for entry in self.entries_of(key)? {
            self.leave_feed(&mut feeds, key, &entry.feed, Leaving::Purged, now_ms)?;
        }
        self.save_feeds(&feeds)?;
        self.remove_record(key)?;
        self.put_claim(key, None)?;
        for sql in [
            "DELETE FROM tombstone WHERE kind = ?1 AND id = ?2",
            "DELETE FROM offer WHERE kind = ?1 AND id = ?2",
            "DELETE FROM passed_over WHERE kind = ?1 AND id = ?2",
        ] {
            self.connection
                .prepare_cached(sql)?
                .execute(params![key.kind, key.id.bytes()])?;
        }
        self.note_purged(key.id)
    }

    /// Tombstones that are at least so old, after a key, with since when; at most so many.
    pub fn tombstones_before(
        &self,
        until_ms: u64,
        after: (u64, RecordKey),
        max: usize,
    ) -> Result<Vec<(RecordKey, u64)>, StoreError> {
        let (at, key) = after;
        let mut statement = self.connection.prepare_cached(
            "SELECT kind, id, at FROM tombstone
             WHERE at <= ?1 AND (at, kind, id) > (?2, ?3, ?4) ORDER BY at, kind, id LIMIT ?5",
        )?;
        let max = i64::try_from(max).unwrap_or(i64::MAX);
        let rows = statement.query_map(
            params![
                until_ms.cast_signed(),
                at.cast_signed(),
                key.kind,
                key.id.bytes(),
                max
            ],
            |row| {
                let key = RecordKey {
                    kind: row.get(0)?,
                    id: RecordId::new(row.get(1)?),
                };
                Ok((key, row.get::<_, i64>(2)?.cast_unsigned()))
            },
        )?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// Entries of records that left a feed at least so long ago, after one, at most so many.
    pub fn left_before(
        &self,
        until_ms: u64,
        after: (u64, &str, u64),
        max: usize,
    ) -> Result<Vec<Left>, StoreError> {
        let mut statement = self.connection.prepare_cached(
            "SELECT kind, id, feed, sequence, left_at FROM feed_entry
             WHERE left_reason IS NOT NULL AND left_at <= ?1
                 AND (left_at, feed, sequence) > (?2, ?3, ?4)
             ORDER BY left_at, feed, sequence LIMIT ?5",
        )?;
        let max = i64::try_from(max).unwrap_or(i64::MAX);
        let (at, feed, sequence) = after;
        let rows = statement.query_map(
            params![
                until_ms.cast_signed(),
                at.cast_signed(),
                feed,
                sequence.cast_signed(),
                max
            ],
            |row| {
                Ok(Left {
                    key: RecordKey {
                        kind: row.get(0)?,
                        id: RecordId::new(row.get(1)?),
                    },
                    feed: row.get(2)?,
                    sequence: row.get::<_, i64>(3)?.cast_unsigned(),
                    at: row.get::<_, i64>(4)?.cast_unsigned(),
                })
            },
        )?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// Releases an entry of a record that left a feed: whoever has not read so far must look for
    /// what was removed. One that was written since it was looked at stays: it stands at another place.
    pub fn release_left(&self, left: &Left) -> Result<(), StoreError> {
        let (kind, id) = (left.key.kind, left.key.id.bytes());
        let released = self
            .connection
            .prepare_cached(
                "DELETE FROM feed_entry WHERE kind = ?1 AND id = ?2 AND feed = ?3
                     AND sequence = ?4 AND left_reason IS NOT NULL",
            )?
            .execute(params![kind, id, left.feed, left.sequence.cast_signed()])?;
        if released == 0 {
            return Ok(());
        }
        self.connection
            .prepare_cached(
                "UPDATE feed SET released_through = max(released_through, ?2) WHERE name = ?1",
            )?
            .execute(params![left.feed, left.sequence.cast_signed()])?;
        Ok(())
    }

    /// Up to where entries of a feed were released.
    pub fn released_through(&self, feed: &str) -> Result<u64, StoreError> {
        let through: Option<i64> = self
            .connection
            .prepare_cached("SELECT released_through FROM feed WHERE name = ?1")?
            .query_row([feed], |row| row.get(0))
            .optional()?;
        Ok(through.map_or(0, i64::cast_unsigned))
    }

    /// Where a record stands: each feed in which it is or was, with the place.
    pub fn places_of(&self, key: RecordKey) -> Result<Vec<(String, u64)>, StoreError> {
        let entries = self.entries_of(key)?;
        Ok(entries
            .into_iter()
            .map(|entry| (entry.feed, entry.sequence))
            .collect())
    }

    /// The nodes that read a feed, those that were revoked left out.
    pub fn readers_of(&self, feed: &str) -> Result<Vec<Reader>, StoreError> {
        let mut readers = Vec::new();
        for node in self.nodes()? {
            let reads = feed == CITY || feed == feed_of(node.office);
            if node.revoked_at.is_some() || !reads {
                continue;
            }
            let acknowledged = match self.present_epoch(node.id)? {
                Some(epoch) => self.acknowledged(node.id, epoch, feed)?,
                None => None,
            };
            readers.push(Reader {
                node: node.id,
                acknowledged: acknowledged.map_or(0, |known| known.sequence),
            });
        }
        Ok(readers)
    }

    /// The epoch in which a node goes on, a copy's left out, and so is one that was offered and is
    /// [not used](Self::unused_offer): it is current from its first use on (`sync.md` 4).
    fn present_epoch(&self, node: NodeId) -> Result<Option<u32>, StoreError> {
        Ok(self
            .connection
            .prepare_cached(
                "SELECT max(epoch) FROM journal
                 WHERE node = ?1 AND kept_only = 0
                     AND (offered_for IS NULL OR received > 0
                         OR EXISTS (SELECT 1 FROM greeting
                             WHERE greeting.node = ?1 AND greeting.epoch = journal.epoch))",
            )?
            .query_row([node.bytes()], |row| row.get(0))?)
    }

    /// The cursor that a node was last noted to have shown.
    pub fn acknowledged(
        &self,
        node: NodeId,
        epoch: u32,
        feed: &str,
    ) -> Result<Option<Acknowledged>, StoreError> {
        Ok(self
            .connection
            .prepare_cached(
                "SELECT sequence, at FROM acknowledged WHERE node = ?1 AND epoch = ?2 AND feed = ?3",
            )?
            .query_row(params![node.bytes(), epoch, feed], |row| {
                Ok(Acknowledged {
                    sequence: row.get::<_, i64>(0)?.cast_unsigned(),
                    at: row.get::<_, i64>(1)?.cast_unsigned(),
                })
            })
            .optional()?)
    }

    /// Notes a cursor that a node has shown.
    pub fn acknowledge(
        &self,
        node: NodeId,
        epoch: u32,
        feed: &str,
        shown: Acknowledged,
    ) -> Result<(), StoreError> {
        self.connection
            .prepare_cached(
                "INSERT INTO acknowledged (node, epoch, feed, sequence, at)
                 VALUES (?1, ?2, ?3, ?4, ?5)
                 ON CONFLICT (node, epoch, feed) DO UPDATE SET sequence = ?4, at = ?5",
            )?
            .execute(params![
                node.bytes(),
                epoch,
                feed,
                shown.sequence.cast_signed(),
                shown.at.cast_signed()
            ])?;
        Ok(())
    }

    /// Forgets what nodes have acknowledged: the hub was put back, its places are others.
    pub fn forget_acknowledged(&self) -> Result<(), StoreError> {
        self.connection
            .prepare_cached("DELETE FROM acknowledged")?
            .execute([])?;
        Ok(())
    }

    /// A number that changes when a node has acknowledged more, or was revoked.
    pub fn release_mark(&self) -> Result<i64, StoreError> {
        Ok(self
            .connection
            .prepare_cached(
                "SELECT (SELECT coalesce(sum(sequence), 0) FROM acknowledged) * 1000
                     + (SELECT count(*) FROM node WHERE revoked_at IS NOT NULL)",
            )?
            .query_row([], |row| row.get(0))?)
    }

    /// How many tombstones, and how many entries of records that left a feed, are kept.
    pub fn kept_for_release(&self) -> Result<(u64, u64), StoreError> {
        let count = |sql: &str| -> Result<u64, StoreError> {
            let count: i64 = self
                .connection
                .prepare_cached(sql)?
                .query_row([], |row| row.get(0))?;
            Ok(count.cast_unsigned())
        };
        Ok((
            count("SELECT count(*) FROM tombstone")?,
            count("SELECT count(*) FROM feed_entry WHERE left_reason IS NOT NULL")?,
        ))
    }

    /// Keeps a node's statement; one that is here already stays.
    pub fn keep_statement(&self, statement: &Statement) -> Result<(), StoreError> {
        let erased = &statement.erased;
        self.connection
            .prepare_cached(
                "INSERT INTO erased (kind, id, node, epoch, at, changes, digest, signature, told_at)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9) ON CONFLICT DO NOTHING",
            )?
            .execute(params![
                erased.key.kind,
                erased.key.id.bytes(),
                statement.node.bytes(),
                statement.epoch,
                erased.at.cast_signed(),
                erased.changes.cast_signed(),
                erased.digest,
                statement.signature,
                statement.told_at.cast_signed()
            ])?;
        Ok(())
    }

    /// What nodes have stated that they erased of a record, oldest first.
    pub fn statements_about(&self, id: RecordId) -> Result<Vec<Statement>, StoreError> {
        let mut statement = self.connection.prepare_cached(
            "SELECT kind, node, epoch, at, changes, digest, signature, told_at FROM erased
             WHERE id = ?1 ORDER BY told_at, node, epoch, at",
        )?;
        let rows = statement.query_map([id.bytes()], |row| read_statement(row, id))?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// How many records each node has stated that it erased.
    pub fn statements_by_node(&self) -> Result<BTreeMap<NodeId, u64>, StoreError> {
        let mut statement = self
            .connection
            .prepare_cached("SELECT node, count(DISTINCT id) FROM erased GROUP BY node")?;
        let rows = statement.query_map([], |row| {
            Ok((
                NodeId::new(row.get(0)?),
                row.get::<_, i64>(1)?.cast_unsigned(),
            ))
        })?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// How far the journals of an office's machines stand in the oldest backup that is kept.
    pub fn durable_of(&self, office: OfficeId) -> Result<Vec<(NodeId, u32, u64)>, StoreError> {
        let mut statement = self.connection.prepare_cached(
            "SELECT b.node, b.epoch, b.received FROM backup_journal b
             JOIN node n ON n.id = b.node
             WHERE b.backup = (SELECT min(number) FROM backup) AND n.office = ?1
             ORDER BY b.node, b.epoch",
        )?;
        let rows = statement.query_map([office.bytes()], |row| {
            Ok((
                NodeId::new(row.get(0)?),
                row.get(1)?,
                row.get::<_, i64>(2)?.cast_unsigned(),
            ))
        })?;
        Ok(rows.collect::<Result<_, _>>()?)
    }
}

/// Reads a statement about a record: kind, node, epoch, at, changes, digest, signature, `told_at`.
pub(super) fn read_statement(row: &Row<'_>, id: RecordId) -> rusqlite::Result<Statement> {
    Ok(Statement {
        node: NodeId::new(row.get(1)?),
        epoch: row.get(2)?,
        erased: Erased {
            key: RecordKey {
                kind: row.get(0)?,
                id,
            },
            at: row.get::<_, i64>(3)?.cast_unsigned(),
            changes: row.get::<_, i64>(4)?.cast_unsigned(),
            digest: row.get(5)?,
        },
        signature: row.get(6)?,
        told_at: row.get::<_, i64>(7)?.cast_unsigned(),
    })
}
