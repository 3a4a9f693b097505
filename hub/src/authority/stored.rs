//! The journals as they came, read from the beginning.

use domain::change::Change;
use domain::id::ChangeId;
use proto::convert;
use store::Tx;

use crate::error::HubError;

/// Shows every readable change of every journal, with when it arrived; a batch in memory at a time.
///
/// # Errors
/// The store's own.
pub fn each_stored(tx: Tx<'_>, mut show: impl FnMut(Change, u64)) -> Result<(), HubError> {
    for journal in tx.journals()? {
        let mut from = 1;
        while from <= journal.received {
            let batches = tx.batches_from(journal.node, journal.epoch, from, 1)?;
            let Some(batch) = batches.first() else { break };
            let changes = convert::decode_batch(&batch.bytes, batch.raw_bytes, usize::MAX)?;
            for (sequence, raw) in (batch.first..).zip(&changes) {
                let id = ChangeId {
                    node: journal.node,
                    epoch: journal.epoch,
                    sequence,
                };
                if let Ok(change) = convert::decode_change(id, raw) {
                    show(change, batch.received_at);
                }
            }
            from = batch.last + 1;
        }
    }
    Ok(())
}
