//! Enrolment codes, by the hash of their secret: made, bound to a machine's keys, confirmed, used.

use domain::id::{NodeId, OfficeId};
use rusqlite::{OptionalExtension as _, Row, params};

use crate::error::StoreError;
use crate::records::Tx;

/// An enrolment code.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Code {
    /// The hash of the one-time secret.
    pub secret_hash: [u8; 32],
    /// The office that it enrols.
    pub office: OfficeId,
    /// When it was made (milliseconds since 1970).
    pub made_at: u64,
    /// When it ends (milliseconds since 1970).
    pub expires_at: u64,
    /// Whether an operator must compare the six figures before it makes a node.
    pub must_confirm: bool,
    /// When an operator found them equal.
    pub confirmed_at: Option<u64>,
    /// When an operator found them different, or took the code back.
    pub rejected_at: Option<u64>,
    /// Whose keys it was shown with, once it was.
    pub bound: Option<Bound>,
    /// The node that it made, if it was used.
    pub node: Option<NodeId>,
}

/// The keys with which a code was first shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bound {
    /// The hash of both public keys.
    pub keys_hash: [u8; 32],
    /// The six figures of code and keys, which the node shows as well.
    pub comparison: String,
    /// What the machine calls itself.
    pub machine: String,
}

impl Tx<'_> {
    /// Notes a new code.
    pub fn insert_code(&self, code: &Code) -> Result<(), StoreError> {
        self.connection
            .prepare_cached(
                "INSERT INTO code (secret_hash, office, made_at, expires_at, must_confirm)
                 VALUES (?1, ?2, ?3, ?4, ?5)",
            )?
            .execute(params![
                code.secret_hash,
                code.office.bytes(),
                code.made_at.cast_signed(),
                code.expires_at.cast_signed(),
                code.must_confirm
            ])?;
        Ok(())
    }

    /// A code by the hash of its secret.
    pub fn code(&self, secret_hash: &[u8; 32]) -> Result<Option<Code>, StoreError> {
        let sql = format!("{SELECT_CODE} WHERE secret_hash = ?1");
        Ok(self
            .connection
            .prepare_cached(&sql)?
            .query_row([secret_hash], read_code)
            .optional()?)
    }

    /// All codes, the newest first.
    pub fn codes(&self) -> Result<Vec<Code>, StoreError> {
        let sql = format!("{SELECT_CODE} ORDER BY made_at DESC, secret_hash");
        let mut statement = self.connection.prepare_cached(&sql)?;
        let codes = statement.query_map([], read_code)?;
        Ok(codes.collect::<Result<_, _>>()?)
    }

    /// Binds a code to the keys with which it was shown.
    pub fn bind_code(&self, secret_hash: &[u8; 32], bound: &Bound) -> Result<(), StoreError> {
        self.connection
            .prepare_cached(
                "UPDATE code SET keys_hash = ?2, comparison = ?3, machine = ?4
                 WHERE secret_hash = ?1",
            )?
            .execute(params![
                secret_hash,
                bound.keys_hash,
                bound.comparison,
                bound.machine
            ])?;
        Ok(())
    }

    /// Notes which node a code made.
    pub fn use_code(&self, secret_hash: &[u8; 32], node: NodeId) -> Result<(), StoreError> {
        self.connection
            .prepare_cached("UPDATE code SET node = ?2 WHERE secret_hash = ?1")?
            .execute(params![secret_hash, node.bytes()])?;
        Ok(())
    }

    /// Notes that an operator compared the six figures: equal, or not.
    pub fn judge_code(
        &self,
        secret_hash: &[u8; 32],
        is_equal: bool,
        now_ms: u64,
    ) -> Result<(), StoreError> {
        let sql = if is_equal {
            "UPDATE code SET confirmed_at = ?2 WHERE secret_hash = ?1"
        } else {
            "UPDATE code SET rejected_at = ?2 WHERE secret_hash = ?1"
        };
        self.connection
            .prepare_cached(sql)?
            .execute(params![secret_hash, now_ms.cast_signed()])?;
        Ok(())
    }
}

const SELECT_CODE: &str = "SELECT secret_hash, office, made_at, expires_at, must_confirm,
    confirmed_at, rejected_at, keys_hash, comparison, machine, node FROM code";

fn read_code(row: &Row<'_>) -> rusqlite::Result<Code> {
    let time = |column| {
        Ok::<_, rusqlite::Error>(row.get::<_, Option<i64>>(column)?.map(i64::cast_unsigned))
    };
    let bound = match row.get::<_, Option<[u8; 32]>>(7)? {
        Some(keys_hash) => Some(Bound {
            keys_hash,
            comparison: row.get(8)?,
            machine: row.get(9)?,
        }),
        None => None,
    };
    Ok(Code {
        secret_hash: row.get(0)?,
        office: OfficeId::new(row.get(1)?),
        made_at: row.get::<_, i64>(2)?.cast_unsigned(),
        expires_at: row.get::<_, i64>(3)?.cast_unsigned(),
        must_confirm: row.get(4)?,
        confirmed_at: time(5)?,
        rejected_at: time(6)?,
        bound,
        node: row.get::<_, Option<[u8; 16]>>(10)?.map(NodeId::new),
    })
}
