//! The journals that the hub has: how far each goes, and its bytes as they arrived.

use std::collections::BTreeSet;

use domain::change::Hash;
use domain::id::{ChangeId, NodeId, RecordId};
use domain::session::hub::Proven;
use rusqlite::{OptionalExtension as _, Row, params};

use crate::error::StoreError;
use crate::records::Tx;

/// How far the hub has one journal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Journal {
    /// Whose.
    pub node: NodeId,
    /// Which of its epochs.
    pub epoch: u32,
    /// The last place received.
    pub received: u64,
    /// The chain there.
    pub chain: Hash,
    /// The last place decided.
    pub decided_through: u64,
    /// Whether what comes is kept and not applied: the journal of a copied machine, until a person
    /// names the office's.
    pub is_kept_only: bool,
    /// After a restore: changes up to here have had their effect already.
    pub proven: Proven,
}

/// A run of changes as it arrived.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Batch {
    /// The place of the last change.
    pub last: u64,
    /// The place of the first change.
    pub first: u64,
    /// When it arrived (milliseconds since 1970).
    pub received_at: u64,
    /// The hub's clock minus the node's then (milliseconds).
    pub offset_ms: i64,
    /// Its size unpacked.
    pub raw_bytes: u32,
    /// Compressed, verbatim.
    pub bytes: Vec<u8>,
    /// The chain after the last change.
    pub chain: Hash,
    /// The node's signature.
    pub signature: Vec<u8>,
}

/// The confirmed and the proposed nonce of one greeting.
pub type Nonces = (Vec<u8>, Vec<u8>);

impl Tx<'_> {
    /// A journal, if the hub has any of it.
    pub fn journal(&self, node: NodeId, epoch: u32) -> Result<Option<Journal>, StoreError> {
        Ok(self
            .connection
            .prepare_cached(
                "SELECT node, epoch, received, chain, decided_through, kept_only, history_through,
                     history_chain
                 FROM journal
                 WHERE node = ?1 AND epoch = ?2",
            )?
            .query_row(params![node.bytes(), epoch], read_journal)
            .optional()?)
    }

    /// Every journal.
    pub fn journals(&self) -> Result<Vec<Journal>, StoreError> {
        let mut statement = self.connection.prepare_cached(
            "SELECT node, epoch, received, chain, decided_through, kept_only, history_through,
                     history_chain
                 FROM journal
             ORDER BY node, epoch",
        )?;
        let journals = statement.query_map([], read_journal)?;
        Ok(journals.collect::<Result<_, _>>()?)
    }

    /// The epochs of a node after a given one in which it has greeted the hub.
    pub fn later_epochs(&self, node: NodeId, epoch: u32) -> Result<Vec<u32>, StoreError> {
        let mut statement = self.connection.prepare_cached(
            "SELECT DISTINCT epoch FROM greeting WHERE node = ?1 AND epoch > ?2 ORDER BY epoch",
        )?;
        let epochs = statement.query_map(params![node.bytes(), epoch], |row| row.get(0))?;
        Ok(epochs.collect::<Result<_, _>>()?)
    }

    /// Whether what comes in an epoch is kept and not applied.
    pub fn set_kept_only(
        &self,
        node: NodeId,
        epoch: u32,
        is_kept_only: bool,
    ) -> Result<(), StoreError> {
        self.connection
            .prepare_cached("UPDATE journal SET kept_only = ?3 WHERE node = ?1 AND epoch = ?2")?
            .execute(params![node.bytes(), epoch, is_kept_only])?;
        Ok(())
    }

    /// The greatest epoch known of a node.
    pub fn greatest_epoch(&self, node: NodeId) -> Result<u32, StoreError> {
        Ok(self
            .connection
            .prepare_cached("SELECT coalesce(max(epoch), 0) FROM journal WHERE node = ?1")?
            .query_row([node.bytes()], |row| row.get(0))?)
    }

    /// Notes how far a journal goes. Nothing is written where that is noted already: whoever waits for commits would
    /// look again at once.
    pub fn put_journal(&self, journal: &Journal) -> Result<(), StoreError> {
        self.connection
            .prepare_cached(
                "INSERT INTO journal (node, epoch, received, chain, decided_through)
                 VALUES (?1, ?2, ?3, ?4, ?5)
                 ON CONFLICT (node, epoch) DO UPDATE
                 SET received = ?3, chain = ?4, decided_through = ?5
                 WHERE (received, chain, decided_through) IS NOT (?3, ?4, ?5)",
            )?
            .execute(params![
                journal.node.bytes(),
                journal.epoch,
                journal.received.cast_signed(),
                journal.chain,
                journal.decided_through.cast_signed()
            ])?;
        Ok(())
    }

    /// The epoch that is offered to a node and in which nobody has greeted, if there is one.
    pub fn unused_offer(&self, node: NodeId) -> Result<Option<u32>, StoreError> {
        Ok(self
            .connection
            .prepare_cached(
                "SELECT max(epoch) FROM journal
                 WHERE node = ?1 AND offered_for IS NOT NULL AND received = 0
                     AND NOT EXISTS (SELECT 1 FROM greeting
                         WHERE greeting.node = ?1 AND greeting.epoch = journal.epoch)",
            )?
            .query_row([node.bytes()], |row| row.get(0))?)
    }

    /// Notes the head for which an epoch is offered now.
    pub fn offer_epoch(
        &self,
        node: NodeId,
        head: &[u8],
        epoch: u32,
        chain: &Hash,
    ) -> Result<(), StoreError> {
        self.connection
            .prepare_cached(
                "INSERT INTO journal (node, epoch, received, chain, decided_through, offered_for)
                 VALUES (?1, ?2, 0, ?3, 0, ?4)
                 ON CONFLICT (node, epoch) DO UPDATE SET offered_for = ?4",
            )?
            .execute(params![node.bytes(), epoch, chain, head])?;
        Ok(())
    }

    /// Keeps a run of changes; `touched` are the records that they are about.
    pub fn append_batch(
        &self,
        node: NodeId,
        epoch: u32,
        batch: &Batch,
        touched: &BTreeSet<RecordId>,
    ) -> Result<(), StoreError> {
        let touched = marks_of(touched);
        self.connection
            .prepare_cached(
                "INSERT INTO batch (node, epoch, last, first, received_at, offset_ms, raw_bytes,
                     bytes, chain, signature, touched)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)",
            )?
            .execute(params![
                node.bytes(),
                epoch,
                batch.last.cast_signed(),
                batch.first.cast_signed(),
                batch.received_at.cast_signed(),
                batch.offset_ms,
                batch.raw_bytes,
                batch.bytes,
                batch.chain,
                batch.signature,
                touched
            ])?;
        Ok(())
    }

    /// The runs of a journal from the one that holds `sequence` on, at most `count_max`.
    pub fn batches_from(
        &self,
        node: NodeId,
        epoch: u32,
        sequence: u64,
        count_max: u32,
    ) -> Result<Vec<Batch>, StoreError> {
        let mut statement = self.connection.prepare_cached(
            "SELECT last, first, received_at, offset_ms, raw_bytes, bytes, chain, signature
             FROM batch WHERE node = ?1 AND epoch = ?2 AND last >= ?3 ORDER BY last LIMIT ?4",
        )?;
        let batches = statement.query_map(
            params![node.bytes(), epoch, sequence.cast_signed(), count_max],
            read_batch,
        )?;
        Ok(batches.collect::<Result<_, _>>()?)
    }

    /// The last change of each run that may hold changes about a record, with few others among them.
    pub fn batches_about(&self, record: RecordId) -> Result<Vec<ChangeId>, StoreError> {
        let mut statement = self
            .connection
            .prepare_cached("SELECT node, epoch, last FROM batch WHERE instr(touched, ?1) > 0")?;
        let rows = statement.query_map([mark_of(record)], |row| {
            Ok(ChangeId {
                node: NodeId::new(row.get(0)?),
                epoch: row.get(1)?,
                sequence: row.get::<_, i64>(2)?.cast_unsigned(),
            })
        })?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// The run that holds a change.
    pub fn batch_of(&self, id: ChangeId) -> Result<Option<Batch>, StoreError> {
        let batches = self.batches_from(id.node, id.epoch, id.sequence, 1)?;
        Ok(batches
            .into_iter()
            .next()
            .filter(|batch| batch.first <= id.sequence))
    }

    /// The last greetings of a journal: confirmed and proposed nonces, newest first.
    pub fn greetings(&self, node: NodeId, epoch: u32) -> Result<Vec<Nonces>, StoreError> {
        let mut statement = self.connection.prepare_cached(
            "SELECT confirmed, proposed FROM greeting WHERE node = ?1 AND epoch = ?2
             ORDER BY number DESC",
        )?;
        let pairs = statement.query_map(params![node.bytes(), epoch], |row| {
            Ok((row.get(0)?, row.get(1)?))
        })?;
        Ok(pairs.collect::<Result<_, _>>()?)
    }

    /// Keeps a greeting's nonces, and forgets the oldest beyond `kept`.
    pub fn add_greeting(
        &self,
        node: NodeId,
        epoch: u32,
        (confirmed, proposed): (&[u8], &[u8]),
        kept: usize,
    ) -> Result<(), StoreError> {
        self.connection
            .prepare_cached(
                "INSERT INTO greeting (node, epoch, number, confirmed, proposed)
                 SELECT ?1, ?2, coalesce(max(number), 0) + 1, ?3, ?4 FROM greeting
                 WHERE node = ?1 AND epoch = ?2",
            )?
            .execute(params![node.bytes(), epoch, confirmed, proposed])?;
        let kept = i64::try_from(kept).unwrap_or(i64::MAX);
        self.connection
            .prepare_cached(
                "DELETE FROM greeting WHERE node = ?1 AND epoch = ?2 AND number <=
                     (SELECT max(number) - ?3 FROM greeting WHERE node = ?1 AND epoch = ?2)",
            )?
            .execute(params![node.bytes(), epoch, kept])?;
        Ok(())
    }
}

/// By what a run says which records it is about, one after another.
pub(super) fn marks_of(records: &BTreeSet<RecordId>) -> Vec<u8> {
    records.iter().flat_map(|id| mark_of(*id)).collect()
}

/// By what a run says that it is about a record: the end of an id is random.
fn mark_of(record: RecordId) -> [u8; 4] {
    let [.., a, b, c, d] = record.bytes();
    [a, b, c, d]
}

fn read_journal(row: &Row<'_>) -> rusqlite::Result<Journal> {
    Ok(Journal {
        node: NodeId::new(row.get(0)?),
        epoch: row.get(1)?,
        received: row.get::<_, i64>(2)?.cast_unsigned(),
        chain: row.get(3)?,
        decided_through: row.get::<_, i64>(4)?.cast_unsigned(),
        is_kept_only: row.get(5)?,
        proven: Proven {
            sequence: row.get::<_, i64>(6)?.cast_unsigned(),
            chain: row.get(7)?,
        },
    })
}

fn read_batch(row: &Row<'_>) -> rusqlite::Result<Batch> {
    Ok(Batch {
        last: row.get::<_, i64>(0)?.cast_unsigned(),
        first: row.get::<_, i64>(1)?.cast_unsigned(),
        received_at: row.get::<_, i64>(2)?.cast_unsigned(),
        offset_ms: row.get(3)?,
        raw_bytes: row.get(4)?,
        bytes: row.get(5)?,
        chain: row.get(6)?,
        signature: row.get(7)?,
    })
}
