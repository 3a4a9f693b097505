//! What a restored hub collects until every node has told what it holds (`sync.md` 4).

use std::collections::BTreeMap;

use domain::id::{ChangeId, NodeId, RecordId};
use domain::kinds::tenure;
use domain::record::{Record, RecordKey};
use domain::session::hub::Proven;
use rusqlite::{OptionalExtension as _, params};

use crate::error::StoreError;
use crate::pack::{pack_record, unpack_record};
use crate::records::Tx;

impl Tx<'_> {
    /// Keeps a row that a node offers; none for one that had left the feed.
    pub fn put_offer(
        &self,
        node: NodeId,
        feed: &str,
        key: RecordKey,
        state: Option<&Record>,
    ) -> Result<(), StoreError> {
        self.connection
            .prepare_cached(
                "INSERT INTO offer (node, feed, kind, id, state) VALUES (?1, ?2, ?3, ?4, ?5)
                 ON CONFLICT (node, feed, kind, id) DO UPDATE SET state = ?5",
            )?
            .execute(params![
                node.bytes(),
                feed,
                key.kind,
                key.id.bytes(),
                state.map(pack_record)
            ])?;
        Ok(())
    }

    /// Bytes that a node's offer of a row takes; none where it has not offered it for this feed.
    pub fn offer_bytes(
        &self,
        node: NodeId,
        feed: &str,
        key: RecordKey,
    ) -> Result<Option<u64>, StoreError> {
        let bytes: Option<i64> = self
            .connection
            .prepare_cached(
                "SELECT coalesce(length(state), 0) FROM offer
                 WHERE node = ?1 AND feed = ?2 AND kind = ?3 AND id = ?4",
            )?
            .query_row(
                params![node.bytes(), feed, key.kind, key.id.bytes()],
                |row| row.get(0),
            )
            .optional()?;
        Ok(bytes.map(i64::cast_unsigned))
    }

    /// The rows that a node offered for a feed.
    pub fn offers(
        &self,
        node: NodeId,
        feed: &str,
    ) -> Result<Vec<(RecordKey, Option<Record>)>, StoreError> {
        let mut statement = self
            .connection
            .prepare_cached("SELECT kind, id, state FROM offer WHERE node = ?1 AND feed = ?2")?;
        let mut rows = statement.query(params![node.bytes(), feed])?;
        let mut offers = Vec::new();
        while let Some(row) = rows.next()? {
            let id = domain::id::RecordId::new(row.get(1)?);
            let state: Option<Vec<u8>> = row.get(2)?;
            let state = state.map(|bytes| unpack_record(&bytes)).transpose()?;
            offers.push((
                RecordKey {
                    kind: row.get(0)?,
                    id,
                },
                state,
            ));
        }
        Ok(offers)
    }

    /// Forgets what a node offered for a feed.
    pub fn drop_offers(&self, node: NodeId, feed: &str) -> Result<(), StoreError> {
        self.connection
            .prepare_cached("DELETE FROM offer WHERE node = ?1 AND feed = ?2")?
            .execute(params![node.bytes(), feed])?;
        Ok(())
    }

    /// Forgets one row that a node offered: it was taken back.
    pub fn drop_offer(&self, node: NodeId, feed: &str, key: RecordKey) -> Result<(), StoreError> {
        self.connection
            .prepare_cached(
                "DELETE FROM offer WHERE node = ?1 AND feed = ?2 AND kind = ?3 AND id = ?4",
            )?
            .execute(params![node.bytes(), feed, key.kind, key.id.bytes()])?;
        Ok(())
    }

    /// A node has proven a row, and the hub's own has parted from it or was made again, or it has left the feed: what
    /// the node wrote to that record is not history.
    pub fn set_parted(
        &self,
        node: NodeId,
        key: RecordKey,
        has_left: bool,
    ) -> Result<(), StoreError> {
        self.connection
            .prepare_cached(
                "INSERT OR REPLACE INTO parted (node, kind, id, has_left) VALUES (?1, ?2, ?3, ?4)",
            )?
            .execute(params![node.bytes(), key.kind, key.id.bytes(), has_left])?;
        Ok(())
    }

    /// The hub has what a node has proven of a record.
    pub fn set_joined(&self, node: NodeId, key: RecordKey) -> Result<(), StoreError> {
        self.connection
            .prepare_cached("DELETE FROM parted WHERE node = ?1 AND kind = ?2 AND id = ?3")?
            .execute(params![node.bytes(), key.kind, key.id.bytes()])?;
        Ok(())
    }

    /// Whether the hub's row of a record has parted from one that a node has proven.
    pub fn has_parted(&self, node: NodeId, key: RecordKey) -> Result<bool, StoreError> {
        Ok(self
            .connection
            .prepare_cached(
                "SELECT EXISTS (SELECT 1 FROM parted
                 WHERE node = ?1 AND kind = ?2 AND id = ?3 AND NOT has_left)",
            )?
            .query_row(params![node.bytes(), key.kind, key.id.bytes()], |row| {
                row.get(0)
            })?)
    }

    /// Whether a record has left a node's feed since the backup, and nobody else has brought it back.
    pub fn has_left(&self, node: NodeId, key: RecordKey) -> Result<bool, StoreError> {
        Ok(self
            .connection
            .prepare_cached(
                "SELECT EXISTS (SELECT 1 FROM parted
                 WHERE node = ?1 AND kind = ?2 AND id = ?3 AND has_left)
                     AND NOT EXISTS (SELECT 1 FROM feed_entry, feed
                 WHERE feed_entry.kind = ?2 AND feed_entry.id = ?3 AND feed.name = feed_entry.feed
                     AND left_reason IS NULL AND sequence >= restored_next)",
            )?
            .query_row(params![node.bytes(), key.kind, key.id.bytes()], |row| {
                row.get(0)
            })?)
    }

    /// A value of a change stood in a row, in place of which another has come back: whether whoever wrote that had seen
    /// it is not known yet.
    pub fn note_passed_over(&self, key: RecordKey, change: ChangeId) -> Result<(), StoreError> {
        self.connection
            .prepare_cached(
                "INSERT INTO passed_over (kind, id, node, epoch, sequence)
                 VALUES (?1, ?2, ?3, ?4, ?5) ON CONFLICT DO NOTHING",
            )?
            .execute(params![
                key.kind,
                key.id.bytes(),
                change.node.bytes(),
                change.epoch,
                change.sequence.cast_signed()
            ])?;
        Ok(())
    }

    /// It is known now.
    pub fn drop_passed_over(&self, key: RecordKey, change: ChangeId) -> Result<(), StoreError> {
        self.connection
            .prepare_cached(
                "DELETE FROM passed_over
                 WHERE kind = ?1 AND id = ?2 AND node = ?3 AND epoch = ?4 AND sequence = ?5",
            )?
            .execute(params![
                key.kind,
                key.id.bytes(),
                change.node.bytes(),
                change.epoch,
                change.sequence.cast_signed()
            ])?;
        Ok(())
    }

    /// The changes to a record of which that is not known yet.
    pub fn passed_over(&self, key: RecordKey) -> Result<Vec<ChangeId>, StoreError> {
        let mut statement = self.connection.prepare_cached(
            "SELECT node, epoch, sequence FROM passed_over WHERE kind = ?1 AND id = ?2",
        )?;
        let changes = statement.query_map(params![key.kind, key.id.bytes()], |row| {
            Ok(ChangeId {
                node: NodeId::new(row.get(0)?),
                epoch: row.get(1)?,
                sequence: row.get::<_, i64>(2)?.cast_unsigned(),
            })
        })?;
        Ok(changes.collect::<Result<_, _>>()?)
    }

    /// Whether there is any such change.
    pub fn has_passed_over(&self) -> Result<bool, StoreError> {
        Ok(self
            .connection
            .prepare_cached("SELECT EXISTS (SELECT 1 FROM passed_over)")?
            .query_row([], |row| row.get(0))?)
    }

    /// The next place of a feed in the backup; 0 where it had none.
    pub fn restored_next(&self, feed: &str) -> Result<u64, StoreError> {
        let next: Option<i64> = self
            .connection
            .prepare_cached("SELECT restored_next FROM feed WHERE name = ?1")?
            .query_row([feed], |row| row.get(0))
            .optional()?;
        Ok(next.unwrap_or(0).cast_unsigned())
    }

    /// How many rows a node has offered, with those that had left its feed, and how many bytes they have.
    pub fn offered(&self, node: NodeId) -> Result<(u64, u64), StoreError> {
        let counted: (i64, i64) = self
            .connection
            .prepare_cached(
                "SELECT count(*), coalesce(sum(length(state)), 0) FROM offer WHERE node = ?1",
            )?
            .query_row([node.bytes()], |row| Ok((row.get(0)?, row.get(1)?)))?;
        Ok((counted.0.cast_unsigned(), counted.1.cast_unsigned()))
    }

    /// How many offered rows are kept as evidence, by node and feed.
    pub fn evidence(&self) -> Result<Vec<(NodeId, String, u64)>, StoreError> {
        let mut statement = self.connection.prepare_cached(
            "SELECT node, feed, count(*) FROM offer
             WHERE state IS NOT NULL GROUP BY node, feed",
        )?;
        let rows = statement.query_map([], |row| {
            Ok((
                NodeId::new(row.get(0)?),
                row.get(1)?,
                row.get::<_, i64>(2)?.cast_unsigned(),
            ))
        })?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// Notes that a node has told what it holds.
    pub fn note_report(&self, node: NodeId, now_ms: u64) -> Result<(), StoreError> {
        self.connection
            .prepare_cached("UPDATE node SET reported_at = ?2 WHERE id = ?1")?
            .execute(params![node.bytes(), now_ms.cast_signed()])?;
        Ok(())
    }

    /// The nodes that may still tell what they hold: not revoked, and not heard since the restore.
    pub fn unreported(&self) -> Result<Vec<NodeId>, StoreError> {
        let mut statement = self.connection.prepare_cached(
            "SELECT id FROM node WHERE revoked_at IS NULL AND reported_at IS NULL ORDER BY id",
        )?;
        let nodes = statement.query_map([], |row| Ok(NodeId::new(row.get(0)?)))?;
        Ok(nodes.collect::<Result<_, _>>()?)
    }

    /// A restored hub has heard of nobody yet.
    pub fn forget_reports(&self) -> Result<(), StoreError> {
        self.connection
            .execute("UPDATE node SET reported_at = NULL", [])?;
        self.connection.execute("DELETE FROM offer", [])?;
        Ok(())
    }

    /// Notes how far each feed goes in the backup. What had left a feed and was brought back by then has not left.
    pub fn mark_feeds_restored(&self) -> Result<(), StoreError> {
        self.connection.execute(
            "DELETE FROM parted WHERE has_left AND EXISTS (SELECT 1 FROM feed_entry, feed
             WHERE feed_entry.kind = parted.kind AND feed_entry.id = parted.id
                 AND feed.name = feed_entry.feed AND left_reason IS NULL AND sequence >= restored_next)",
            [],
        )?;
        self.connection
            .execute("UPDATE feed SET restored_next = next_sequence", [])?;
        Ok(())
    }

    /// Whether a record stood in a feed in the backup and nothing has moved it there since.
    pub fn was_in_feed_at_restore(&self, key: RecordKey, feed: &str) -> Result<bool, StoreError> {
        Ok(self
            .connection
            .prepare_cached(
                "SELECT EXISTS (SELECT 1 FROM feed_entry, feed
                 WHERE feed_entry.kind = ?1 AND feed_entry.id = ?2 AND feed_entry.feed = ?3
                     AND feed.name = ?3 AND feed_entry.left_reason IS NULL
                     AND feed_entry.sequence < feed.restored_next)",
            )?
            .query_row(params![key.kind, key.id.bytes(), feed], |row| row.get(0))?)
    }

    /// The place of a feed up to which a node has proven to this hub that it holds the same; 0 where it has not.
    pub fn certified(&self, node: NodeId, feed: &str) -> Result<u64, StoreError> {
        let sequence: Option<i64> = self
            .connection
            .prepare_cached("SELECT sequence FROM certificate WHERE node = ?1 AND feed = ?2")?
            .query_row(params![node.bytes(), feed], |row| row.get(0))
            .optional()?;
        Ok(sequence.unwrap_or(0).cast_unsigned())
    }

    /// The place at which a record stands in a feed; none where it does not.
    pub fn place_in(&self, key: RecordKey, feed: &str) -> Result<Option<u64>, StoreError> {
        let place: Option<i64> = self
            .connection
            .prepare_cached(
                "SELECT sequence FROM feed_entry
                 WHERE kind = ?1 AND id = ?2 AND feed = ?3 AND left_reason IS NULL",
            )?
            .query_row(params![key.kind, key.id.bytes(), feed], |row| row.get(0))
            .optional()?;
        Ok(place.map(i64::cast_unsigned))
    }

    /// Whether a record stands in a feed, or has left it since the backup.
    pub fn has_place_since_restore(&self, key: RecordKey, feed: &str) -> Result<bool, StoreError> {
        Ok(self
            .connection
            .prepare_cached(
                "SELECT EXISTS (SELECT 1 FROM feed_entry, feed
                 WHERE feed_entry.kind = ?1 AND feed_entry.id = ?2 AND feed_entry.feed = ?3
                     AND feed.name = ?3 AND (feed_entry.left_reason IS NULL
                         OR feed_entry.sequence >= feed.restored_next))",
            )?
            .query_row(params![key.kind, key.id.bytes(), feed], |row| row.get(0))?)
    }

    /// Revokes one machine, as the register says.
    pub fn revoke_node(&self, node: NodeId, at: u64) -> Result<(), StoreError> {
        self.connection
            .prepare_cached("UPDATE node SET revoked_at = ?2 WHERE id = ?1 AND revoked_at IS NULL")?
            .execute(params![node.bytes(), at.cast_signed()])?;
        Ok(())
    }

    /// Forgets an unused code: the register says that it was used.
    pub fn drop_code(&self, secret_hash: &[u8; 32]) -> Result<(), StoreError> {
        self.connection
            .prepare_cached("DELETE FROM code WHERE secret_hash = ?1 AND node IS NULL")?
            .execute([secret_hash])?;
        Ok(())
    }

    /// The last tenures of members of whose last move one half only is here: the tenure says to whom the relation
    /// went, and that organisation has none; or an earlier one is still open, or the member is behind, or with another.
    pub fn half_moved(&self) -> Result<Vec<Record>, StoreError> {
        let mut statement = self.connection.prepare_cached(
            "SELECT id FROM tenure AS last
             WHERE NOT EXISTS (SELECT 1 FROM tenure AS later
                     WHERE later.member = last.member AND later.number > last.number)
                 AND (closed_to IS NOT NULL AND closed_by <> 'merge'
                     OR EXISTS (SELECT 1 FROM tenure AS earlier
                         WHERE earlier.member = last.member AND earlier.number < last.number
                             AND earlier.closed IS NULL)
                     OR EXISTS (SELECT 1 FROM member WHERE member.id = last.member
                         AND (coalesce(member.tenure_number, 0) < last.number
                             OR last.closed IS NULL AND member.holder <> last.holder
                             OR last.closed IS NOT NULL AND member.holder IS NOT NULL)))",
        )?;
        let ids: Vec<[u8; 16]> = statement
            .query_map([], |row| row.get(0))?
            .collect::<Result<_, _>>()?;
        let mut tenures = Vec::new();
        for id in ids {
            let key = RecordKey {
                kind: tenure::KIND_NUMBER,
                id: RecordId::new(id),
            };
            tenures.extend(self.record(key)?);
        }
        Ok(tenures)
    }

    /// Records that were taken out of their own office's feed: a report has proven that they had left it, in this
    /// recovery or in one that did not come to its end, and none has shown which other office has them.
    pub fn left_own_office(&self) -> Result<Vec<Record>, StoreError> {
        let mut statement = self.connection.prepare_cached(
            "SELECT feed, kind, id FROM feed_entry
             WHERE left_reason IS NOT NULL ORDER BY feed, kind, id",
        )?;
        let mut rows = statement.query([])?;
        let mut left = Vec::new();
        while let Some(row) = rows.next()? {
            let feed: String = row.get(0)?;
            let key = RecordKey {
                kind: row.get(1)?,
                id: RecordId::new(row.get(2)?),
            };
            let record = self.record(key)?;
            left.extend(record.filter(|record| feed == format!("office/{}", record.office)));
        }
        Ok(left)
    }

    /// Changes of a journal up to a place have had their effect already.
    pub fn set_proven(&self, node: NodeId, epoch: u32, proven: &Proven) -> Result<(), StoreError> {
        let through = proven.sequence.cast_signed();
        self.connection
            .prepare_cached(
                "UPDATE journal SET history_through = ?3, history_chain = ?4
                 WHERE node = ?1 AND epoch = ?2 AND history_through < ?3",
            )?
            .execute(params![node.bytes(), epoch, through, proven.chain])?;
        Ok(())
    }

    /// Whether exactly this was noted as something that should not have happened.
    pub fn has_incident(&self, what: &str, detail: &str) -> Result<bool, StoreError> {
        Ok(self
            .connection
            .prepare_cached(
                "SELECT EXISTS (SELECT 1 FROM incident WHERE what = ?1 AND detail = ?2)",
            )?
            .query_row([what, detail], |row| row.get(0))?)
    }

    /// How often each sort of what should not have happened was noted.
    pub fn incidents(&self) -> Result<BTreeMap<String, u64>, StoreError> {
        let mut statement = self
            .connection
            .prepare_cached("SELECT what, count(*) FROM incident GROUP BY what")?;
        let rows = statement.query_map([], |row| {
            Ok((row.get(0)?, row.get::<_, i64>(1)?.cast_unsigned()))
        })?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// Notes something that should not have happened.
    pub fn note_incident(
        &self,
        what: &str,
        node: Option<NodeId>,
        detail: &str,
        now_ms: u64,
    ) -> Result<(), StoreError> {
        self.connection
            .prepare_cached(
                "INSERT INTO incident (at, what, node, detail) VALUES (?1, ?2, ?3, ?4)",
            )?
            .execute(params![
                now_ms.cast_signed(),
                what,
                node.map(NodeId::bytes).as_ref(),
                detail
            ])?;
        Ok(())
    }
}
