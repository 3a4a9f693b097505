//! The hub's own journal: what decisions make and what the desk writes, chained and signed.

use domain::change::{RawChange, chain_over, chain_start};
use domain::session::hub::Proven;
use domain::world::HubChange;
use proto::convert;
use store::StoreError;
use store::hub::{Batch, Journal};
use transport::sign::Context;

use super::Round;
use crate::error::HubError;

/// Raw bytes of the hub's own changes in one batch, far below what a reader takes.
const OWN_BATCH_BYTES: usize = 1024 * 1024;

impl Round<'_> {
    pub(super) fn append_own(
        &self,
        desk: &[(domain::change::Header, domain::change::Body)],
        made: &[HubChange],
    ) -> Result<(), HubError> {
        let parts = desk
            .iter()
            .map(|(header, body)| (header, body))
            .chain(made.iter().map(|change| (&change.header, &change.body)));
        let (mut changes, mut bytes) = (Vec::new(), 0);
        for (header, body) in parts {
            let salt = system::random_16().map_err(|error| StoreError::Disk(error.to_string()))?;
            let raw = convert::encode_change(header, body, salt);
            bytes += raw.header.len() + raw.body.len();
            changes.push(raw);
            if bytes > OWN_BATCH_BYTES {
                self.append_own_batch(&std::mem::take(&mut changes))?;
                bytes = 0;
            }
        }
        self.append_own_batch(&changes)
    }

    fn append_own_batch(&self, changes: &[RawChange]) -> Result<(), HubError> {
        if changes.is_empty() {
            return Ok(());
        }
        let own = self.own;
        let mut journal = self.tx.journal(own.node, own.epoch)?.unwrap_or(Journal {
            node: own.node,
            epoch: own.epoch,
            received: 0,
            chain: chain_start(own.node, own.epoch),
            decided_through: 0,
            is_kept_only: false,
            proven: Proven::default(),
        });
        let first = journal.received + 1;
        let count = u32::try_from(changes.len()).unwrap_or(u32::MAX);
        let (bytes, raw_bytes) = convert::encode_batch(changes)?;
        journal.chain = chain_over(journal.chain, changes);
        journal.received += u64::from(count);
        journal.decided_through = journal.received;
        let text = convert::batch_signature_text(own.node, own.epoch, first, count, &journal.chain);
        let key = self.app.identity.signing_key();
        let batch = Batch {
            last: journal.received,
            first,
            received_at: self.now_ms,
            offset_ms: 0,
            raw_bytes,
            bytes,
            chain: journal.chain,
            signature: key.sign(Context::HubJournal, &text).to_vec(),
        };
        let touched = super::stored::touched(changes);
        self.tx
            .append_batch(own.node, own.epoch, &batch, &touched)?;
        self.tx.put_journal(&journal)?;
        Ok(())
    }
}
