//! Who claims a natural key, by its keyed hash, and which claims met those of others.

use domain::id::{NodeId, RecordId};
use domain::record::RecordKey;
use rusqlite::params;

use crate::error::StoreError;
use crate::records::Tx;

/// The collisions of a machine's claims with records that its office does not see.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Collisions {
    /// How many in the window.
    pub count: u64,
    /// Whether the desk was told in the window.
    pub has_alarm: bool,
}

impl Tx<'_> {
    /// The records of a kind that claim the same natural key, group by group.
    pub fn same_claims(&self, kind: u16) -> Result<Vec<Vec<RecordId>>, StoreError> {
        let mut statement = self.connection.prepare_cached(
            "SELECT hash, record FROM claim
             WHERE kind = ?1 AND hash IN
                 (SELECT hash FROM claim WHERE kind = ?1 GROUP BY hash HAVING count(*) > 1)
             ORDER BY hash, record",
        )?;
        let rows = statement.query_map([kind], |row| {
            Ok((row.get::<_, [u8; 32]>(0)?, RecordId::new(row.get(1)?)))
        })?;
        let mut groups: Vec<Vec<RecordId>> = Vec::new();
        let mut last = None;
        for row in rows {
            let (hash, record) = row?;
            match groups.last_mut() {
                Some(group) if last == Some(hash) => group.push(record),
                _ => groups.push(vec![record]),
            }
            last = Some(hash);
        }
        Ok(groups)
    }

    /// Keeps the keyed hash of a record's natural key, or that it has none; whether it is a new claim.
    pub fn put_claim(&self, key: RecordKey, hash: Option<[u8; 32]>) -> Result<bool, StoreError> {
        self.connection
            .prepare_cached("DELETE FROM claim WHERE record = ?1 AND kind = ?3 AND hash IS NOT ?2")?
            .execute(params![key.id.bytes(), hash, key.kind])?;
        let Some(hash) = hash else {
            return Ok(false);
        };
        let made = self
            .connection
            .prepare_cached(
                "INSERT INTO claim (kind, hash, record) VALUES (?1, ?2, ?3)
                 ON CONFLICT DO NOTHING",
            )?
            .execute(params![key.kind, hash, key.id.bytes()])?;
        Ok(made > 0)
    }

    /// The other records that claim the same as this one.
    pub fn claimants(&self, key: RecordKey, hash: &[u8; 32]) -> Result<Vec<RecordKey>, StoreError> {
        let mut statement = self.connection.prepare_cached(
            "SELECT record FROM claim WHERE kind = ?1 AND hash = ?2 AND record <> ?3",
        )?;
        let rows = statement.query_map(params![key.kind, hash, key.id.bytes()], |row| {
            Ok(RecordKey {
                kind: key.kind,
                id: RecordId::new(row.get(0)?),
            })
        })?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// Notes that a machine's claim met one outside its office's scope; how many it has now since a
    /// time (milliseconds since 1970). What is older is forgotten.
    pub fn note_collision(
        &self,
        node: NodeId,
        record: RecordId,
        now_ms: u64,
        since_ms: u64,
    ) -> Result<Collisions, StoreError> {
        self.connection
            .prepare_cached("DELETE FROM collision WHERE node = ?1 AND at < ?2")?
            .execute(params![node.bytes(), since_ms.cast_signed()])?;
        self.connection
            .prepare_cached(
                "INSERT INTO collision (node, at, record) VALUES (?1, ?2, ?3)
                 ON CONFLICT DO NOTHING",
            )?
            .execute(params![node.bytes(), now_ms.cast_signed(), record.bytes()])?;
        self.collisions(node, since_ms)
    }

    /// Notes that the desk was told of a machine with this collision.
    pub fn note_alarm(
        &self,
        node: NodeId,
        record: RecordId,
        now_ms: u64,
    ) -> Result<(), StoreError> {
        self.connection
            .prepare_cached(
                "UPDATE collision SET is_alarm = 1 WHERE node = ?1 AND at = ?2 AND record = ?3",
            )?
            .execute(params![node.bytes(), now_ms.cast_signed(), record.bytes()])?;
        Ok(())
    }

    /// The collisions of a machine since a time (milliseconds since 1970).
    pub fn collisions(&self, node: NodeId, since_ms: u64) -> Result<Collisions, StoreError> {
        Ok(self
            .connection
            .prepare_cached(
                "SELECT count(*), coalesce(max(is_alarm), 0) FROM collision
                 WHERE node = ?1 AND at >= ?2",
            )?
            .query_row(params![node.bytes(), since_ms.cast_signed()], |row| {
                Ok(Collisions {
                    count: row.get::<_, i64>(0)?.cast_unsigned(),
                    has_alarm: row.get(1)?,
                })
            })?)
    }
}
