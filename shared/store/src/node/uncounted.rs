//! Rows that no feed has brought.

use domain::id::RecordId;
use domain::kind::{Class, Kind};
use domain::kinds;
use domain::record::RecordKey;
use rusqlite::params;

use crate::error::StoreError;
use crate::pack::class_code;
use crate::records::Tx;

/// Where anything of a record may be held but in the table of its kind ([`Tx::holds`]).
const HELD_ELSEWHERE: [&str; 5] = [
    "SELECT kind, id FROM unknown_record",
    "SELECT kind, id FROM base_image",
    "SELECT kind, id FROM replaced",
    "SELECT kind, id FROM journal WHERE body_hash IS NULL",
    "SELECT kind, id FROM former_journal WHERE body_hash IS NULL",
];

impl Tx<'_> {
    /// A row that only the hub makes, and that stands neither in a feed nor on a change of this office: a
    /// disk that lied has lost what was written with it.
    ///
    /// # Errors
    /// As SQLite says.
    pub fn uncounted_of_hub(&self) -> Result<Option<RecordKey>, StoreError> {
        let without =
            "NOT EXISTS (SELECT 1 FROM counted AS c WHERE c.kind = r.kind AND c.id = r.id)
             AND NOT EXISTS (SELECT 1 FROM pending AS p WHERE p.kind = r.kind AND p.id = r.id)";
        for kind in kinds::ALL {
            if !kind.class.is_of_hub() {
                continue;
            }
            let rows = format!("SELECT ?1 AS kind, id FROM \"{}\"", kind.name);
            let sql = format!("SELECT r.id FROM ({rows}) AS r WHERE {without} LIMIT 1");
            let mut statement = self.connection.prepare(&sql)?;
            let mut found = statement.query([kind.number])?;
            if let Some(row) = found.next()? {
                let (kind, id) = (kind.number, RecordId::new(row.get(0)?));
                return Ok(Some(RecordKey { kind, id }));
            }
        }
        let sql = format!(
            "SELECT r.kind, r.id FROM unknown_record AS r WHERE r.class IN (?1, ?2) AND {without} LIMIT 1"
        );
        let mut statement = self.connection.prepare(&sql)?;
        let [one, other] = Class::OF_HUB.map(class_code);
        let mut found = statement.query(params![one, other])?;
        let Some(row) = found.next()? else {
            return Ok(None);
        };
        let (kind, id) = (row.get(0)?, RecordId::new(row.get(1)?));
        Ok(Some(RecordKey { kind, id }))
    }
    /// The records of which anything is here that is to be erased when they leave ([`Tx::holds`]), and that no feed
    /// counts; but for those of which there is only what was entered here and no hub has sent a state of. Reads the
    /// keys of all that is here.
    ///
    /// # Errors
    /// As SQLite says.
    pub fn held_uncounted(&self) -> Result<Vec<RecordKey>, StoreError> {
        let of_kind = |kind: &&Kind| format!("SELECT {}, id FROM \"{}\"", kind.number, kind.name);
        let mut held: Vec<String> = kinds::ALL.iter().map(of_kind).collect();
        held.extend(HELD_ELSEWHERE.map(str::to_owned));
        let sql = format!(
            "{} EXCEPT SELECT kind, id FROM counted
             EXCEPT SELECT kind, id FROM base_image WHERE state IS NULL ORDER BY 1, 2",
            held.join(" UNION ")
        );
        let mut statement = self.connection.prepare(&sql)?;
        let keys = statement.query_map([], |row| {
            Ok(RecordKey {
                kind: row.get(0)?,
                id: RecordId::new(row.get(1)?),
            })
        })?;
        Ok(keys.collect::<Result<_, _>>()?)
    }
}
