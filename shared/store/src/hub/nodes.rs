//! The machines that speak for offices.

use domain::id::{NodeId, OfficeId};
use rusqlite::{OptionalExtension as _, Row, params};

use crate::error::StoreError;
use crate::records::Tx;

/// One machine of an office.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Node {
    /// Its id.
    pub id: NodeId,
    /// The office that it speaks for.
    pub office: OfficeId,
    /// The Ed25519 key with which it signs batches.
    pub verifying_key: [u8; 32],
    /// The machine's name.
    pub machine: String,
    /// When it was revoked, if it was (milliseconds since 1970).
    pub revoked_at: Option<u64>,
    /// When two machines were seen to speak with this identity, if ever.
    pub cloned_at: Option<u64>,
    /// Its last greeting.
    pub last_seen: Option<u64>,
    /// How many changes it said were waiting at it.
    pub waiting: u64,
    /// The hub's clock minus its own, at the last greeting (milliseconds).
    pub offset_ms: i64,
    /// When the newest certificate begins that it has used (seconds since 1970).
    pub certified_from: i64,
}

impl Node {
    /// A machine that has enrolled and not been heard yet.
    pub const fn new(id: NodeId, office: OfficeId, verifying_key: [u8; 32]) -> Self {
        Self {
            id,
            office,
            verifying_key,
            machine: String::new(),
            revoked_at: None,
            cloned_at: None,
            last_seen: None,
            waiting: 0,
            offset_ms: 0,
            certified_from: 0,
        }
    }
}

impl Tx<'_> {
    /// Notes a machine that has enrolled.
    pub fn insert_node(&self, node: &Node, now_ms: u64) -> Result<(), StoreError> {
        self.connection
            .prepare_cached(
                "INSERT INTO node (id, office, verifying_key, machine, version, enrolled_at)
                 VALUES (?1, ?2, ?3, ?4, '', ?5)",
            )?
            .execute(params![
                node.id.bytes(),
                node.office.bytes(),
                node.verifying_key,
                node.machine,
                now_ms.cast_signed()
            ])?;
        Ok(())
    }

    /// A machine by its id.
    pub fn node(&self, id: NodeId) -> Result<Option<Node>, StoreError> {
        let sql = format!("{SELECT_NODE} WHERE id = ?1");
        Ok(self
            .connection
            .prepare_cached(&sql)?
            .query_row([id.bytes()], read_node)
            .optional()?)
    }

    /// Every machine that ever enrolled.
    pub fn nodes(&self) -> Result<Vec<Node>, StoreError> {
        let mut statement = self.connection.prepare_cached(SELECT_NODE)?;
        let nodes = statement.query_map([], read_node)?;
        Ok(nodes.collect::<Result<_, _>>()?)
    }

    /// Notes what a machine said in its greeting.
    pub fn note_greeting_of(
        &self,
        id: NodeId,
        now_ms: u64,
        waiting: u64,
        offset_ms: i64,
    ) -> Result<(), StoreError> {
        self.connection
            .prepare_cached(
                "UPDATE node SET last_seen = ?2, waiting = ?3, offset_ms = ?4 WHERE id = ?1",
            )?
            .execute(params![
                id.bytes(),
                now_ms.cast_signed(),
                waiting.cast_signed(),
                offset_ms
            ])?;
        Ok(())
    }

    /// Notes that a machine has used a certificate that begins then.
    pub fn note_certificate(&self, id: NodeId, from_unix_s: i64) -> Result<(), StoreError> {
        self.connection
            .prepare_cached(
                "UPDATE node SET certified_from = max(certified_from, ?2) WHERE id = ?1",
            )?
            .execute(params![id.bytes(), from_unix_s])?;
        Ok(())
    }

    /// Notes since when two machines speak with one identity; none once a person named one.
    pub fn note_clone(&self, id: NodeId, since: Option<u64>) -> Result<(), StoreError> {
        self.connection
            .prepare_cached("UPDATE node SET cloned_at = ?2 WHERE id = ?1")?
            .execute(params![id.bytes(), since.map(u64::cast_signed)])?;
        Ok(())
    }

    /// Revokes every machine of an office; answers which were revoked now.
    pub fn revoke_nodes(&self, office: OfficeId, now_ms: u64) -> Result<Vec<NodeId>, StoreError> {
        let mut statement = self.connection.prepare_cached(
            "UPDATE node SET revoked_at = ?2 WHERE office = ?1 AND revoked_at IS NULL RETURNING id",
        )?;
        let ids = statement.query_map(params![office.bytes(), now_ms.cast_signed()], |row| {
            Ok(NodeId::new(row.get(0)?))
        })?;
        Ok(ids.collect::<Result<_, _>>()?)
    }
}

const SELECT_NODE: &str = "SELECT id, office, verifying_key, machine, revoked_at, cloned_at,
    last_seen, waiting, offset_ms, certified_from FROM node";

fn read_node(row: &Row<'_>) -> rusqlite::Result<Node> {
    let time = |column| {
        Ok::<_, rusqlite::Error>(row.get::<_, Option<i64>>(column)?.map(i64::cast_unsigned))
    };
    Ok(Node {
        id: NodeId::new(row.get(0)?),
        office: OfficeId::new(row.get(1)?),
        verifying_key: row.get(2)?,
        machine: row.get(3)?,
        revoked_at: time(4)?,
        cloned_at: time(5)?,
        last_seen: time(6)?,
        waiting: row.get::<_, i64>(7)?.cast_unsigned(),
        offset_ms: row.get(8)?,
        certified_from: row.get(9)?,
    })
}
