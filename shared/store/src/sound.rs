//! Rows that are not as they were written.
//!
//! The digests of the feeds say nothing of a row that stands in none: the desk's own notes at the hub, what an office
//! has written and not sent yet, what is kept though it left. So every row is held against the hash that was stored
//! with it.
//!
//! What stands beside the rows has no hash. It is held against relations that every commit leaves true
//! (`hub/relations.rs`, `node/relations.rs`): a query for each finds where it does not hold.

use domain::digest::RowHash;
use domain::id::{OfficeId, RecordId};
use domain::kind::{Class, Kind};
use domain::kinds;
use domain::record::{Record, RecordKey};
use rusqlite::{Row, Statement};

use crate::error::StoreError;
use crate::pack::{class_code, unpack_record};
use crate::records::{Filter, Tx, read_record, read_unknown, select_unknown};
use crate::schema;

/// What is said where a relation does not hold, and the query that finds the places: a text for each.
pub(crate) type Relation = (&'static str, &'static str);

/// A row that is not as it was written, with the hash that was stored with it.
pub type DamagedRow = (RecordKey, RowHash);

impl Tx<'_> {
    /// A record on which something is decided, or that is given to somebody.
    ///
    /// # Errors
    /// [`StoreError::Damaged`] where its row is not as it was written; as the disk or another process says.
    pub fn record_as_written(&self, key: RecordKey) -> Result<Option<Record>, StoreError> {
        let Some(kind) = kinds::by_number(key.kind) else {
            return self.unknown_by(key, |row| unknown_as_written(key.kind, row));
        };
        let sql = format!("{} WHERE id = ?1", schema::select_sql(kind));
        let mut statement = self.connection.prepare_cached(&sql)?;
        let mut rows = statement.query([key.id.bytes()])?;
        rows.next()?.map(|row| as_written(kind, row)).transpose()
    }

    /// Records of a kind that meet every condition and are as they were written, by id, and which are not, each with
    /// the hash that was stored with it; at most so many together.
    ///
    /// # Errors
    /// As the disk or another process says; what a row holds is no error.
    pub fn list_sound(
        &self,
        kind: &'static Kind,
        filters: &[Filter],
        count_max: usize,
    ) -> Result<(Vec<Record>, Vec<DamagedRow>), StoreError> {
        let mut spoilt = Vec::new();
        let read = |kind: &'static Kind, row: &Row<'_>| match as_written(kind, row) {
            Ok(record) => Ok(Some(record)),
            Err(StoreError::Damaged { key, stored }) => {
                spoilt.push((key, stored));
                Ok(None)
            }
            Err(error) => Err(error),
        };
        let read = self.list_by(kind, filters, (None, count_max), read)?;
        Ok((read.into_iter().flatten().collect(), spoilt))
    }

    /// The hash that was stored with a record's row, for who compares it; where it cannot be read zeros, which no row
    /// has. None where there is no row.
    ///
    /// # Errors
    /// As the disk or another process says; what the row holds is no error.
    pub fn told_hash(&self, key: RecordKey) -> Result<Option<RowHash>, StoreError> {
        match self.row_hash(key) {
            Err(StoreError::Unreadable(_) | StoreError::Broken(_)) => Ok(Some(RowHash::default())),
            told => told,
        }
    }

    /// Rows that cannot be read, or whose content has another hash than it was stored with; of each kind at most so
    /// many. Reads every row.
    ///
    /// # Errors
    /// As SQLite says.
    pub fn unsound_rows(&self, count_max: usize) -> Result<Vec<RecordKey>, StoreError> {
        let mut unsound = Vec::new();
        for kind in kinds::ALL {
            let mut statement = self.connection.prepare(&schema::select_sql(kind))?;
            unsound_of(&mut statement, count_max, &mut unsound, |row| {
                as_written(kind, row)
            })?;
        }
        let mut statement = self.connection.prepare(&select_unknown())?;
        unsound_of(&mut statement, count_max, &mut unsound, |row| {
            unknown_as_written(row.get("kind")?, row)
        })?;
        Ok(unsound)
    }

    /// Records of which a state that a node keeps beside the row cannot be read, is another record's, or is of a class
    /// that its kind does not have; at most so many.
    ///
    /// # Errors
    /// As SQLite says.
    pub fn unsound_states(&self, count_max: usize) -> Result<Vec<RecordKey>, StoreError> {
        let kept = "SELECT kind, id, state FROM base_image WHERE state IS NOT NULL
             UNION ALL SELECT kind, id, state FROM replaced";
        self.unsound_packed(kept, count_max, |record| {
            kinds::by_number(record.key.kind).is_none_or(|kind| kind.class == record.class)
        })
    }

    /// Records that a node has offered, and of which what the hub keeps cannot be read or is another record's; at most
    /// so many. What a node says of their class is evidence, right or not.
    ///
    /// # Errors
    /// As SQLite says.
    pub fn unsound_offers(&self, count_max: usize) -> Result<Vec<RecordKey>, StoreError> {
        let kept = "SELECT kind, id, state FROM offer WHERE state IS NOT NULL";
        self.unsound_packed(kept, count_max, |_| true)
    }

    fn unsound_packed(
        &self,
        kept: &str,
        count_max: usize,
        is_sound: impl Fn(&Record) -> bool,
    ) -> Result<Vec<RecordKey>, StoreError> {
        let mut unsound = Vec::new();
        let mut statement = self.connection.prepare(kept)?;
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()?
            && unsound.len() < count_max
        {
            let (kind, id) = (row.get(0)?, RecordId::new(row.get(1)?));
            let (key, state): (_, Vec<u8>) = (RecordKey { kind, id }, row.get(2)?);
            if !unpack_record(&state).is_ok_and(|record| record.key == key && is_sound(&record)) {
                unsound.push(key);
            }
        }
        Ok(unsound)
    }

    /// Where a relation does not hold, in words; at most so many places.
    pub(crate) fn broken(
        &self,
        (what, query): (&str, &str),
        count_max: usize,
    ) -> Result<Vec<String>, StoreError> {
        let mut broken = Vec::new();
        let mut statement = self.connection.prepare(query)?;
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()?
            && broken.len() < count_max
        {
            let place: String = row.get(0)?;
            broken.push(format!("{what}: {place}"));
        }
        Ok(broken)
    }
}

/// Which of these rows are not as they were written; at most so many more.
fn unsound_of(
    statement: &mut Statement<'_>,
    count_max: usize,
    unsound: &mut Vec<RecordKey>,
    read: impl Fn(&Row<'_>) -> Result<Record, StoreError>,
) -> Result<(), StoreError> {
    let until = unsound.len() + count_max;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()?
        && unsound.len() < until
    {
        match read(row) {
            Ok(_) => {}
            Err(StoreError::Damaged { key, .. }) => unsound.push(key),
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// What holds of a row what its hash says nothing of: its class, its office, and when each version counts as written
/// (ADR 0004). The first bytes of BLAKE3 over all of them; it stays in this store.
pub(crate) fn seal(hash: &RowHash, class: Class, office: OfficeId, versions: &[u8]) -> i64 {
    let mut hasher = blake3::Hasher::new();
    hasher.update(b"lianxin seal 1").update(hash);
    hasher.update(&[class_code(class)]).update(&office.bytes());
    let mut first = [0; 8];
    hasher.update(versions).finalize_xof().fill(&mut first);
    i64::from_be_bytes(first)
}

/// A record whose row is as it was written.
///
/// # Errors
/// [`StoreError::Damaged`] where it is not; as the disk or another process says.
pub(crate) fn as_written(kind: &'static Kind, row: &Row<'_>) -> Result<Record, StoreError> {
    held(kind.number, row, read_record(kind, row))
}

fn unknown_as_written(kind: u16, row: &Row<'_>) -> Result<Record, StoreError> {
    held(kind, row, read_unknown(kind, row))
}

fn held(kind: u16, row: &Row<'_>, read: Result<Record, StoreError>) -> Result<Record, StoreError> {
    let stored: RowHash = row.get("row_hash").unwrap_or_default();
    let is_sealed = |record: &Record| {
        let versions: Vec<u8> = row.get("versions").unwrap_or_default();
        let sealed: Option<i64> = row.get("row_seal").ok();
        sealed == Some(seal(&stored, record.class, record.office, &versions))
    };
    match read {
        Ok(record) if record.hash() == stored && is_sealed(&record) => Ok(record),
        Ok(_) | Err(StoreError::Unreadable(_) | StoreError::Broken(_)) => {
            let id = RecordId::new(row.get("id")?);
            let key = RecordKey { kind, id };
            Err(StoreError::Damaged { key, stored })
        }
        Err(error) => Err(error),
    }
}
