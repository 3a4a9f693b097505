//! What this machine has of other identities, before it was enrolled again: their journals, and what was certified.

use domain::change::Hash;
use domain::id::NodeId;
use rusqlite::{OptionalExtension as _, params};

use super::Place;
use crate::error::StoreError;
use crate::records::Tx;

impl Tx<'_> {
    /// The journals of former identities, each a node and an epoch; the oldest first.
    pub fn former_journals(&self) -> Result<Vec<(NodeId, u32)>, StoreError> {
        let mut statement = self.connection.prepare_cached(
            "SELECT node, epoch FROM former_journal GROUP BY node, epoch ORDER BY min(rowid)",
        )?;
        let journals =
            statement.query_map([], |row| Ok((NodeId::new(row.get(0)?), row.get(1)?)))?;
        Ok(journals.collect::<Result<_, _>>()?)
    }

    /// The places that there are of a former identity's journal, in order.
    pub fn former_places(&self, (node, epoch): (NodeId, u32)) -> Result<Vec<u64>, StoreError> {
        let mut statement = self.connection.prepare_cached(
            "SELECT sequence FROM former_journal WHERE node = ?1 AND epoch = ?2 ORDER BY sequence",
        )?;
        let places = statement.query_map(params![node.bytes(), epoch], |row| {
            Ok(row.get::<_, i64>(0)?.cast_unsigned())
        })?;
        Ok(places.collect::<Result<_, _>>()?)
    }

    /// The chain at a place in the journal of a former identity; none where it has no such entry.
    pub fn former_chain(&self, place: Place) -> Result<Option<Hash>, StoreError> {
        let (node, epoch, sequence) = (place.node, place.epoch, place.sequence.cast_signed());
        let chain = self
            .connection
            .prepare_cached(
                "SELECT chain FROM former_journal
                 WHERE node = ?1 AND epoch = ?2 AND sequence = ?3",
            )?
            .query_row(params![node.bytes(), epoch, sequence], |row| row.get(0))
            .optional()?;
        Ok(chain)
    }

    /// Puts what a former identity's journal has after a place into the journal, as an epoch of this number, but for
    /// what was erased: that stands in a backup of the hub. It is to be written anew from there in this transaction;
    /// what clock wrote it is not kept.
    pub fn take_former_back(
        &self,
        (node, epoch): (NodeId, u32),
        after: u64,
        stored: u32,
    ) -> Result<(), StoreError> {
        let whole = "FROM former_journal
                 WHERE node = ?1 AND epoch = ?2 AND sequence > ?3 AND body_hash IS NULL";
        let put = format!(
            "INSERT INTO journal (epoch, sequence, kind, id, at, clock, header, salt, body, chain)
             SELECT ?4, sequence, kind, id, at, 0, header, salt, body, chain {whole}"
        );
        let (node, after) = (node.bytes(), after.cast_signed());
        self.connection
            .prepare_cached(&put)?
            .execute(params![node, epoch, after, stored])?;
        self.connection
            .prepare_cached(&format!("DELETE {whole}"))?
            .execute(params![node, epoch, after])?;
        Ok(())
    }

    /// Forgets the equality certificates: they are another office's.
    pub fn drop_certificates(&self) -> Result<(), StoreError> {
        self.connection
            .prepare_cached("DELETE FROM certificate")?
            .execute([])?;
        Ok(())
    }

    /// What was certified under another identity of the office is still what the hub signed of the rows: a hub that
    /// is put back takes them back on it. Of the present journal it says nothing: it is of epoch 0, which none has.
    pub fn disown_certificates(&self) -> Result<(), StoreError> {
        self.connection
            .prepare_cached(
                "UPDATE certificate SET epoch = 0, decided = 0, decided_signature = x''",
            )?
            .execute([])?;
        Ok(())
    }
}
