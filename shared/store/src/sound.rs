//! Rows that are not as they were written.
//!
//! The digests of the feeds say nothing of a row that stands in none: the desk's own notes at the hub, what an office
//! has written and not sent yet, what is kept though it left. So every row is held against the hash that was stored
//! with it.

use domain::digest::RowHash;
use domain::id::RecordId;
use domain::kinds;
use domain::record::{Record, RecordKey};

use crate::error::StoreError;
use crate::records::{Tx, read_record};
use crate::schema;

impl Tx<'_> {
    /// A record as it was written with this hash; none where its row cannot be read, or is another by now.
    ///
    /// # Errors
    /// As the disk or another process says; what the row holds is no error.
    pub fn sound_record(
        &self,
        key: RecordKey,
        stored: &RowHash,
    ) -> Result<Option<Record>, StoreError> {
        match self.record(key) {
            Ok(record) => Ok(record.filter(|record| record.hash() == *stored)),
            Err(StoreError::Unreadable(_) | StoreError::Broken(_)) => Ok(None),
            Err(error) => Err(error),
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
            let mut rows = statement.query([])?;
            let until = unsound.len() + count_max;
            while let Some(row) = rows.next()?
                && unsound.len() < until
            {
                let stored: [u8; 32] = row.get("row_hash")?;
                if !read_record(kind, row).is_ok_and(|record| record.hash() == stored) {
                    let (kind, id) = (kind.number, RecordId::new(row.get("id")?));
                    unsound.push(RecordKey { kind, id });
                }
            }
        }
        let mut statement = self
            .connection
            .prepare("SELECT kind, id, row_hash FROM unknown_record")?;
        let mut rows = statement.query([])?;
        let until = unsound.len() + count_max;
        while let Some(row) = rows.next()?
            && unsound.len() < until
        {
            let (kind, id) = (row.get(0)?, RecordId::new(row.get(1)?));
            let (key, stored): (_, [u8; 32]) = (RecordKey { kind, id }, row.get(2)?);
            let record = self.record(key);
            if !record.is_ok_and(|record| record.is_some_and(|record| record.hash() == stored)) {
                unsound.push(key);
            }
        }
        Ok(unsound)
    }
}
