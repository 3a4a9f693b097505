//! Up: the journal in batches, sized by how fast the line takes them.

use std::collections::BTreeSet;
use std::time::Instant;

use domain::limits;
use proto::convert;
use proto::wire::sync as wire;
use store::node::Entry;
use transport::sign::Context;

use super::Session;
use crate::fold;

impl Session {
    /// Sends everything that the hub does not have.
    pub(super) async fn push_all(&mut self) -> anyhow::Result<u64> {
        let (mut sent, mut bytes_max) = (0, limits::BATCH_BYTES_START);
        loop {
            let (epoch, after) = (self.own.epoch, self.received);
            let fits = (limits::BATCH_CHANGES_MAX, bytes_max);
            let entries = self
                .app
                .store
                .read::<_, anyhow::Error>(move |tx| Ok(tx.entries_after(epoch, after, fits)?))
                .await?;
            if entries.is_empty() {
                return Ok(sent);
            }
            let began = Instant::now();
            let count = entries.len() as u64;
            self.push(entries).await?;
            sent += count;
            let took = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX);
            bytes_max = if took < limits::BATCH_TARGET_MS {
                (bytes_max * 2).min(limits::BATCH_RAW_BYTES_MAX / 4)
            } else {
                (bytes_max / 2).max(1)
            };
        }
    }

    async fn push(&mut self, entries: Vec<Entry>) -> anyhow::Result<()> {
        let (Some(first), Some(last)) = (entries.first(), entries.last()) else {
            return Ok(());
        };
        let (first_sequence, chain) = (first.sequence, last.chain);
        let count = u32::try_from(entries.len())?;
        let changes: Vec<_> = entries.into_iter().map(|entry| entry.raw).collect();
        let (batch, raw_bytes) = convert::encode_batch(&changes)?;
        let epoch = self.own.epoch;
        let text =
            convert::batch_signature_text(self.own.node, epoch, first_sequence, count, &chain);
        let answer = self
            .client
            .push(wire::PushRequest {
                incarnation: self.incarnation.clone(),
                epoch,
                first_sequence,
                count,
                raw_bytes,
                batch: batch.into(),
                chain: chain.to_vec().into(),
                signature: self.signing_key.sign(Context::Batch, &text).to_vec().into(),
            })
            .await?
            .into_inner();
        self.received = answer.received.map_or(0, |head| head.sequence);
        let not_applied: BTreeSet<u64> = answer.verdicts.iter().map(|v| v.sequence).collect();
        let (own, feed, decided) = (self.own, self.app.office_feed(), answer.decided_through);
        // Of changes decided before this batch the verdicts are not listed here: they come as rows.
        let known_from = first_sequence;
        self.app
            .store
            .write::<_, anyhow::Error>(move |tx| {
                let mut unknown = not_applied;
                unknown.extend(
                    tx.pending_through(own.epoch, known_from - 1)?
                        .iter()
                        .map(|e| e.sequence),
                );
                fold::take_answer(tx, own, &feed, decided, &unknown)
            })
            .await
    }
}
