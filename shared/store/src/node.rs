//! What only a node keeps: its journal, what is pending, how far it has read.

mod erase;
mod former;
mod kept;
mod leases;
mod reading;
mod relations;
mod uncounted;

pub use erase::{Former, Place};
pub use kept::Kept;
pub use leases::Leased;
pub use reading::Reading;

use domain::change::{Hash, RawChange};
use domain::clock::Timestamp;
use domain::digest::{Digest, RowHash};
use domain::record::{Record, RecordKey};
use rusqlite::{OptionalExtension as _, Row, params};

use crate::error::StoreError;
use crate::pack::{pack_record, unpack_record};
use crate::records::Tx;

/// One entry of the node's journal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// The journal's epoch.
    pub epoch: u32,
    /// Its place.
    pub sequence: u64,
    /// The record that it is about.
    pub key: RecordKey,
    /// Its bytes.
    pub raw: RawChange,
    /// The chain after it.
    pub chain: Hash,
}

/// An equality certificate that a node keeps.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Certificate {
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
    /// When (milliseconds since 1970).
    pub at: u64,
    /// Under which incarnation of the hub.
    pub incarnation: Vec<u8>,
    /// The epoch of the journal then.
    pub epoch: u32,
    /// Own changes decided in that snapshot, with the hub's signature.
    pub decided: (u64, Vec<u8>),
}

const SELECT_ENTRY: &str =
    "SELECT epoch, sequence, kind, id, header, salt, body, chain, body_hash FROM journal";

impl Tx<'_> {
    /// Appends to the journal what was entered at a time (milliseconds since 1970), with the clock of the
    /// machine that writes it here; and notes that the record's row stands on it.
    pub fn append_entry(
        &self,
        entry: &Entry,
        at_ms: u64,
        clock: Timestamp,
    ) -> Result<(), StoreError> {
        self.connection
            .prepare_cached(
                "INSERT INTO journal (epoch, sequence, kind, id, at, clock, header, salt, body,
                     chain, body_hash)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)",
            )?
            .execute(params![
                entry.epoch,
                entry.sequence.cast_signed(),
                entry.key.kind,
                entry.key.id.bytes(),
                at_ms.cast_signed(),
                clock.bits().cast_signed(),
                entry.raw.header,
                entry.raw.salt,
                entry.raw.body,
                entry.chain,
                entry.raw.erased
            ])?;
        self.put_pending(entry, false)
    }

    /// The last entry of an epoch.
    pub fn last_entry(&self, epoch: u32) -> Result<Option<Entry>, StoreError> {
        let sql = format!("{SELECT_ENTRY} WHERE epoch = ?1 ORDER BY sequence DESC LIMIT 1");
        Ok(self
            .connection
            .prepare_cached(&sql)?
            .query_row([epoch], read_entry)
            .optional()?)
    }

    /// The machine's clock after it wrote the last entry of an epoch.
    pub fn last_clock(&self, epoch: u32) -> Result<Option<Timestamp>, StoreError> {
        let bits = self
            .connection
            .prepare_cached(
                "SELECT clock FROM journal WHERE epoch = ?1 ORDER BY sequence DESC LIMIT 1",
            )?
            .query_row([epoch], |row| row.get::<_, i64>(0))
            .optional()?;
        Ok(bits.map(|bits| Timestamp::from_bits(bits.cast_unsigned())))
    }

    /// One entry.
    pub fn entry(&self, epoch: u32, sequence: u64) -> Result<Option<Entry>, StoreError> {
        let sql = format!("{SELECT_ENTRY} WHERE epoch = ?1 AND sequence = ?2");
        Ok(self
            .connection
            .prepare_cached(&sql)?
            .query_row(params![epoch, sequence.cast_signed()], read_entry)
            .optional()?)
    }

    /// Entries after a place, as many as fit (one at least).
    pub fn entries_after(
        &self,
        epoch: u32,
        after: u64,
        (count_max, bytes_max): (usize, usize),
    ) -> Result<Vec<Entry>, StoreError> {
        let sql = format!("{SELECT_ENTRY} WHERE epoch = ?1 AND sequence > ?2 ORDER BY sequence");
        let mut statement = self.connection.prepare_cached(&sql)?;
        let mut rows = statement.query(params![epoch, after.cast_signed()])?;
        let (mut entries, mut bytes) = (Vec::new(), 0);
        while let Some(row) = rows.next()? {
            let entry = read_entry(row)?;
            bytes += entry.raw.header.len() + entry.raw.body.len() + 24;
            if !entries.is_empty() && (entries.len() >= count_max || bytes > bytes_max) {
                break;
            }
            entries.push(entry);
        }
        Ok(entries)
    }

    /// All entries about a record, oldest first.
    pub fn entries_about(&self, key: RecordKey) -> Result<Vec<Entry>, StoreError> {
        let sql = format!("{SELECT_ENTRY} WHERE kind = ?1 AND id = ?2 ORDER BY epoch, sequence");
        let mut statement = self.connection.prepare_cached(&sql)?;
        let entries = statement.query_map(params![key.kind, key.id.bytes()], read_entry)?;
        Ok(entries.collect::<Result<_, _>>()?)
    }

    /// The places on which a record's row stands, oldest first.
    pub fn pending_of(&self, key: RecordKey) -> Result<Vec<(u32, u64)>, StoreError> {
        let mut statement = self.connection.prepare_cached(
            "SELECT epoch, sequence FROM pending WHERE kind = ?1 AND id = ?2
             ORDER BY epoch, sequence",
        )?;
        let places = statement.query_map(params![key.kind, key.id.bytes()], |row| {
            Ok((row.get(0)?, row.get::<_, i64>(1)?.cast_unsigned()))
        })?;
        Ok(places.collect::<Result<_, _>>()?)
    }

    /// The pending entries of an epoch up to a place, oldest first.
    pub fn pending_through(&self, epoch: u32, through: u64) -> Result<Vec<Entry>, StoreError> {
        let sql = format!(
            "{SELECT_ENTRY} WHERE epoch = ?1 AND sequence IN
                 (SELECT sequence FROM pending WHERE epoch = ?1 AND sequence <= ?2)
             ORDER BY sequence"
        );
        let mut statement = self.connection.prepare_cached(&sql)?;
        let entries = statement.query_map(params![epoch, through.cast_signed()], read_entry)?;
        Ok(entries.collect::<Result<_, _>>()?)
    }

    /// Pending entries of an epoch after a place, oldest first, at most so many.
    pub fn pending_after(
        &self,
        epoch: u32,
        after: u64,
        count_max: usize,
    ) -> Result<Vec<Entry>, StoreError> {
        let sql = format!(
            "{SELECT_ENTRY} WHERE epoch = ?1 AND sequence IN
                 (SELECT sequence FROM pending WHERE epoch = ?1 AND sequence > ?2
                  ORDER BY sequence LIMIT ?3)
             ORDER BY sequence"
        );
        let mut statement = self.connection.prepare_cached(&sql)?;
        let count_max = i64::try_from(count_max).unwrap_or(i64::MAX);
        let entries =
            statement.query_map(params![epoch, after.cast_signed(), count_max], read_entry)?;
        Ok(entries.collect::<Result<_, _>>()?)
    }

    /// The epochs other than this one of which changes are pending, in order.
    pub fn pending_epochs_but(&self, epoch: u32) -> Result<Vec<u32>, StoreError> {
        let mut statement = self.connection.prepare_cached(
            "SELECT DISTINCT epoch FROM pending WHERE epoch <> ?1 ORDER BY epoch",
        )?;
        let epochs = statement.query_map([epoch], |row| row.get(0))?;
        Ok(epochs.collect::<Result<_, _>>()?)
    }

    /// The epochs of which there are changes, or notes of refused ones, in order.
    pub fn epochs(&self) -> Result<Vec<u32>, StoreError> {
        let mut statement = self.connection.prepare_cached(
            "SELECT epoch FROM journal UNION SELECT epoch FROM refused ORDER BY epoch",
        )?;
        let epochs = statement.query_map([], |row| row.get(0))?;
        Ok(epochs.collect::<Result<_, _>>()?)
    }

    /// The places of an epoch that the journal has, in order.
    pub fn journal_places(&self, epoch: u32) -> Result<Vec<u64>, StoreError> {
        let mut statement = self
            .connection
            .prepare_cached("SELECT sequence FROM journal WHERE epoch = ?1 ORDER BY sequence")?;
        let places = statement.query_map([epoch], |row| row.get::<_, i64>(0))?;
        Ok(places
            .map(|place| place.map(i64::cast_unsigned))
            .collect::<Result<_, _>>()?)
    }

    /// Makes what an epoch has after a place pending, whatever became of it, but for what was erased: that stands
    /// in a backup of the hub; the records concerned.
    pub fn make_pending_after(&self, epoch: u32, after: u64) -> Result<Vec<RecordKey>, StoreError> {
        let place = params![epoch, after.cast_signed()];
        for again in [
            "DELETE FROM refused WHERE epoch = ?1 AND sequence > ?2",
            "UPDATE pending SET is_waiting = 0 WHERE epoch = ?1 AND sequence > ?2",
        ] {
            self.connection.execute(again, place)?;
        }
        self.connection.execute(
            "INSERT OR IGNORE INTO pending (kind, id, epoch, sequence)
             SELECT kind, id, epoch, sequence FROM journal
             WHERE epoch = ?1 AND sequence > ?2 AND body_hash IS NULL",
            place,
        )?;
        let mut statement = self.connection.prepare_cached(
            "SELECT DISTINCT kind, id FROM pending WHERE epoch = ?1 AND sequence > ?2",
        )?;
        let keys = statement.query_map(place, |row| {
            Ok(RecordKey {
                kind: row.get(0)?,
                id: domain::id::RecordId::new(row.get(1)?),
            })
        })?;
        Ok(keys.collect::<Result<_, _>>()?)
    }

    /// The pending places of an epoch, in order.
    pub fn pending_places(&self, epoch: u32) -> Result<Vec<u64>, StoreError> {
        let mut statement = self
            .connection
            .prepare_cached("SELECT sequence FROM pending WHERE epoch = ?1 ORDER BY sequence")?;
        let places = statement.query_map([epoch], |row| row.get::<_, i64>(0))?;
        Ok(places
            .map(|place| place.map(i64::cast_unsigned))
            .collect::<Result<_, _>>()?)
    }

    /// Takes an entry out of the journal: it stands there anew under another place.
    pub fn remove_entry(&self, epoch: u32, sequence: u64) -> Result<(), StoreError> {
        self.drop_pending(epoch, sequence)?;
        self.connection
            .prepare_cached("DELETE FROM journal WHERE epoch = ?1 AND sequence = ?2")?
            .execute(params![epoch, sequence.cast_signed()])?;
        Ok(())
    }

    /// Puts the journal of a former identity aside; what of it is pending stays.
    pub fn put_journal_aside(&self, node: domain::id::NodeId) -> Result<(), StoreError> {
        self.connection
            .prepare_cached(
                "INSERT INTO former_journal
                 SELECT ?1, epoch, sequence, kind, id, at, header, salt, body, chain, body_hash
                 FROM journal
                 WHERE (epoch, sequence) NOT IN (SELECT epoch, sequence FROM pending)",
            )?
            .execute([node.bytes()])?;
        self.connection
            .prepare_cached(
                "DELETE FROM journal
                 WHERE (epoch, sequence) NOT IN (SELECT epoch, sequence FROM pending)",
            )?
            .execute([])?;
        Ok(())
    }

    /// Moves the pending entries of an epoch to another number, as one of a former identity.
    pub fn renumber_epoch(&self, from: u32, to: u32) -> Result<(), StoreError> {
        for table in ["journal", "pending"] {
            let sql = format!("UPDATE {table} SET epoch = ?2 WHERE epoch = ?1");
            self.connection
                .prepare_cached(&sql)?
                .execute(params![from, to])?;
        }
        Ok(())
    }

    /// The first pending place of an epoch.
    pub fn first_pending(&self, epoch: u32) -> Result<Option<u64>, StoreError> {
        let first: Option<i64> = self
            .connection
            .prepare_cached(
                "SELECT min(sequence) FROM pending WHERE epoch = ?1 AND is_waiting = 0",
            )?
            .query_row([epoch], |row| row.get(0))?;
        Ok(first.map(i64::cast_unsigned))
    }

    /// Whether a pending change waits at the hub for a record.
    pub fn is_waiting(&self, epoch: u32, sequence: u64) -> Result<bool, StoreError> {
        Ok(self
            .connection
            .prepare_cached(
                "SELECT EXISTS (SELECT 1 FROM pending
                 WHERE epoch = ?1 AND sequence = ?2 AND is_waiting = 1)",
            )?
            .query_row(params![epoch, sequence.cast_signed()], |row| row.get(0))?)
    }

    /// Notes whether a pending change waits at the hub for a record.
    pub fn set_waiting(
        &self,
        epoch: u32,
        sequence: u64,
        is_waiting: bool,
    ) -> Result<(), StoreError> {
        self.connection
            .prepare_cached(
                "UPDATE pending SET is_waiting = ?3 WHERE epoch = ?1 AND sequence = ?2",
            )?
            .execute(params![epoch, sequence.cast_signed(), is_waiting])?;
        Ok(())
    }

    /// An entry of the journal is pending; whether it waits at the hub for a record.
    pub fn put_pending(&self, entry: &Entry, is_waiting: bool) -> Result<(), StoreError> {
        self.connection
            .prepare_cached(
                "INSERT INTO pending (kind, id, epoch, sequence, is_waiting)
                 VALUES (?1, ?2, ?3, ?4, ?5)",
            )?
            .execute(params![
                entry.key.kind,
                entry.key.id.bytes(),
                entry.epoch,
                entry.sequence.cast_signed(),
                is_waiting
            ])?;
        Ok(())
    }

    /// How many changes are pending.
    pub fn pending_count(&self) -> Result<u64, StoreError> {
        let count: i64 = self
            .connection
            .prepare_cached("SELECT count(*) FROM pending")?
            .query_row([], |row| row.get(0))?;
        Ok(count.cast_unsigned())
    }

    /// A number that changes when the journal has grown, or somebody has asked for a session.
    pub fn journal_mark(&self) -> Result<u64, StoreError> {
        let mark: i64 = self
            .connection
            .prepare_cached(
                "SELECT coalesce((SELECT max(rowid) FROM journal), 0) * 1000
                     + coalesce((SELECT CAST(value AS TEXT) FROM setting
                                 WHERE name = 'sync_wanted'), 0)",
            )?
            .query_row([], |row| row.get(0))?;
        Ok(mark.cast_unsigned())
    }

    /// A place is pending no more.
    pub fn drop_pending(&self, epoch: u32, sequence: u64) -> Result<(), StoreError> {
        self.connection
            .prepare_cached("DELETE FROM pending WHERE epoch = ?1 AND sequence = ?2")?
            .execute(params![epoch, sequence.cast_signed()])?;
        Ok(())
    }

    /// The hub's state of a row with pending changes: none where the row is clean; some none where
    /// the hub has sent no state.
    pub fn base_image(&self, key: RecordKey) -> Result<Option<Option<Record>>, StoreError> {
        let state: Option<Option<Vec<u8>>> = self
            .connection
            .prepare_cached("SELECT state FROM base_image WHERE kind = ?1 AND id = ?2")?
            .query_row(params![key.kind, key.id.bytes()], |row| row.get(0))
            .optional()?;
        state
            .map(|state| state.map(|bytes| unpack_record(&bytes)).transpose())
            .transpose()
    }

    /// Keeps the hub's state of a row with pending changes.
    pub fn put_base_image(&self, key: RecordKey, state: Option<&Record>) -> Result<(), StoreError> {
        self.connection
            .prepare_cached(
                "INSERT INTO base_image (kind, id, state) VALUES (?1, ?2, ?3)
                 ON CONFLICT (kind, id) DO UPDATE SET state = ?3",
            )?
            .execute(params![key.kind, key.id.bytes(), state.map(pack_record)])?;
        Ok(())
    }

    /// The row is clean.
    pub fn drop_base_image(&self, key: RecordKey) -> Result<(), StoreError> {
        self.connection
            .prepare_cached("DELETE FROM base_image WHERE kind = ?1 AND id = ?2")?
            .execute(params![key.kind, key.id.bytes()])?;
        Ok(())
    }

    /// By which hash a record is counted in its feed's digest, and which feed that is.
    pub fn counted(&self, key: RecordKey) -> Result<Option<(String, RowHash)>, StoreError> {
        Ok(self
            .connection
            .prepare_cached("SELECT feed, hash FROM counted WHERE kind = ?1 AND id = ?2")?
            .query_row(params![key.kind, key.id.bytes()], |row| {
                Ok((row.get(0)?, row.get(1)?))
            })
            .optional()?)
    }

    /// Counts a record by this hash, or no more.
    pub fn set_counted(
        &self,
        key: RecordKey,
        counted: Option<(&str, &RowHash)>,
    ) -> Result<(), StoreError> {
        match counted {
            Some((feed, hash)) => self
                .connection
                .prepare_cached(
                    "INSERT INTO counted (kind, id, feed, hash) VALUES (?1, ?2, ?3, ?4)
                     ON CONFLICT (kind, id) DO UPDATE SET feed = ?3, hash = ?4",
                )?
                .execute(params![key.kind, key.id.bytes(), feed, hash])?,
            None => self
                .connection
                .prepare_cached("DELETE FROM counted WHERE kind = ?1 AND id = ?2")?
                .execute(params![key.kind, key.id.bytes()])?,
        };
        Ok(())
    }

    /// Every record counted in a feed, with its hash.
    pub fn counted_in(&self, feed: &str) -> Result<Vec<(RecordKey, RowHash)>, StoreError> {
        let mut statement = self
            .connection
            .prepare_cached("SELECT kind, id, hash FROM counted WHERE feed = ?1")?;
        let rows = statement.query_map([feed], |row| {
            let id = domain::id::RecordId::new(row.get(1)?);
            Ok((
                RecordKey {
                    kind: row.get(0)?,
                    id,
                },
                row.get(2)?,
            ))
        })?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// Notes that an own change came back refused.
    pub fn note_refused(
        &self,
        epoch: u32,
        sequence: u64,
        note: domain::id::RecordId,
    ) -> Result<(), StoreError> {
        self.connection
            .prepare_cached(
                "INSERT INTO refused (epoch, sequence, set_aside) VALUES (?1, ?2, ?3)
                 ON CONFLICT DO NOTHING",
            )?
            .execute(params![epoch, sequence.cast_signed(), note.bytes()])?;
        Ok(())
    }

    /// Keeps a row that a repair replaced.
    pub fn keep_replaced(&self, record: &Record, why: &str, now_ms: u64) -> Result<(), StoreError> {
        self.connection
            .prepare_cached(
                "INSERT INTO replaced (kind, id, at, why, state) VALUES (?1, ?2, ?3, ?4, ?5)",
            )?
            .execute(params![
                record.key.kind,
                record.key.id.bytes(),
                now_ms.cast_signed(),
                why,
                pack_record(record)
            ])?;
        Ok(())
    }

    /// Keeps an equality certificate.
    pub fn keep_certificate(&self, certificate: &Certificate) -> Result<(), StoreError> {
        self.connection
            .prepare_cached(
                "INSERT INTO certificate
                     (feed, sequence, sum, count, hub_signature, node_signature, at,
                      incarnation, epoch, decided, decided_signature)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)
                 ON CONFLICT (feed) DO UPDATE SET sequence = ?2, sum = ?3, count = ?4,
                     hub_signature = ?5, node_signature = ?6, at = ?7, incarnation = ?8,
                     epoch = ?9, decided = ?10, decided_signature = ?11",
            )?
            .execute(params![
                certificate.feed,
                certificate.sequence.cast_signed(),
                certificate.digest.sum(),
                certificate.digest.count().cast_signed(),
                certificate.by_hub,
                certificate.by_node,
                certificate.at.cast_signed(),
                certificate.incarnation,
                certificate.epoch,
                certificate.decided.0.cast_signed(),
                certificate.decided.1
            ])?;
        Ok(())
    }

    /// The equality certificates.
    pub fn certificates(&self) -> Result<Vec<Certificate>, StoreError> {
        let mut statement = self.connection.prepare_cached(
            "SELECT feed, sequence, sum, count, hub_signature, node_signature, at,
                 incarnation, epoch, decided, decided_signature
             FROM certificate ORDER BY feed",
        )?;
        let certificates = statement.query_map([], |row| {
            let sum: [u8; 32] = row.get(2)?;
            let count = row.get::<_, i64>(3)?.cast_unsigned();
            Ok(Certificate {
                feed: row.get(0)?,
                sequence: row.get::<_, i64>(1)?.cast_unsigned(),
                digest: Digest::from_parts(&sum, count),
                by_hub: row.get(4)?,
                by_node: row.get(5)?,
                at: row.get::<_, i64>(6)?.cast_unsigned(),
                incarnation: row.get(7)?,
                epoch: row.get(8)?,
                decided: (row.get::<_, i64>(9)?.cast_unsigned(), row.get(10)?),
            })
        })?;
        Ok(certificates.collect::<Result<_, _>>()?)
    }
}

fn read_entry(row: &Row<'_>) -> rusqlite::Result<Entry> {
    Ok(Entry {
        epoch: row.get(0)?,
        sequence: row.get::<_, i64>(1)?.cast_unsigned(),
        key: RecordKey {
            kind: row.get(2)?,
            id: domain::id::RecordId::new(row.get(3)?),
        },
        raw: RawChange {
            header: row.get(4)?,
            salt: row.get(5)?,
            body: row.get(6)?,
            erased: row.get(8)?,
        },
        chain: row.get(7)?,
    })
}
