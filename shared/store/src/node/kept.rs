//! The journals of this machine with all that stands beside their entries, for who proves them.

use domain::clock::Timestamp;
use domain::id::NodeId;

use super::{Entry, read_entry};
use crate::error::StoreError;
use crate::records::Tx;

/// An entry with what the store notes of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kept {
    /// The former identity whose journal it stands in; none in that of the present one.
    pub former: Option<NodeId>,
    /// The entry.
    pub entry: Entry,
    /// When it was entered (milliseconds since 1970); 0 where its bytes could not be read when it was moved.
    pub at_ms: u64,
    /// The machine's clock after it; none where it is a former identity's.
    pub clock: Option<Timestamp>,
}

/// In the order of places: of an epoch each entry comes after the one before it.
const JOURNALS: [&str; 2] = [
    "SELECT epoch, sequence, kind, id, header, salt, body, chain, body_hash, at, NULL, node
     FROM former_journal ORDER BY node, epoch, sequence",
    "SELECT epoch, sequence, kind, id, header, salt, body, chain, body_hash, at, clock, NULL
     FROM journal ORDER BY epoch, sequence",
];

impl Tx<'_> {
    /// Shows every entry of every journal of this machine, epoch by epoch in order; the first finding. One entry is
    /// in memory at a time.
    ///
    /// # Errors
    /// As SQLite says.
    pub fn find_in_journals<F>(
        &self,
        mut look: impl FnMut(&Kept) -> Option<F>,
    ) -> Result<Option<F>, StoreError> {
        for sql in JOURNALS {
            let mut statement = self.connection.prepare(sql)?;
            let mut rows = statement.query([])?;
            while let Some(row) = rows.next()? {
                let clock: Option<i64> = row.get(10)?;
                let former: Option<[u8; 16]> = row.get(11)?;
                let found = look(&Kept {
                    former: former.map(NodeId::new),
                    entry: read_entry(row)?,
                    at_ms: row.get::<_, i64>(9)?.cast_unsigned(),
                    clock: clock.map(|bits| Timestamp::from_bits(bits.cast_unsigned())),
                });
                if found.is_some() {
                    return Ok(found);
                }
            }
        }
        Ok(None)
    }
}
