//! Up: the journal in batches, sized by how fast the line takes them.

use std::collections::BTreeSet;
use std::time::Instant;

use domain::limits;
use domain::session::Head;
use domain::session::office::{self as rules, GreetAgain, Sent};
use proto::convert;
use proto::wire::sync as wire;
use store::node::Entry;
use transport::sign::Context;

use super::{Session, head_of};
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
            let before = self.received;
            self.push(entries).await?;
            sent += self.received.saturating_sub(before);
            let took = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX);
            bytes_max = if took < limits::BATCH_TARGET_MS {
                (bytes_max * 2).min(limits::BATCH_RAW_BYTES_MAX / 4)
            } else {
                (bytes_max / 2).max(1)
            };
        }
    }

    async fn push(&mut self, entries: Vec<Entry>) -> anyhow::Result<()> {
        let (entries, batch, raw_bytes) = fitting(entries)?;
        let (Some(first), Some(last)) = (entries.first(), entries.last()) else {
            return Ok(());
        };
        let (first_sequence, last_sequence, chain) = (first.sequence, last.sequence, last.chain);
        let count = u32::try_from(entries.len())?;
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
        let received = head_of(answer.received)?;
        let sent = Head {
            sequence: last_sequence,
            chain,
        };
        if rules::after_push(sent, received, answer.out_of_place) == Sent::Elsewhere {
            return self.find_place(received, answer.out_of_place).await;
        }
        self.received = received.sequence;
        let (from, to) = (answer.feed_from, answer.feed_to);
        self.reached = self.reached.filter(|at| *at == from && to > 0).map(|_| to);
        let not_applied: BTreeSet<u64> = answer.verdicts.iter().map(|v| v.sequence).collect();
        let (own, feed, decided) = (self.own, self.app.office_feed(), answer.decided_through);
        let durable = answer.durable;
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
                tx.set_setting("durable", &durable.to_be_bytes())?;
                fold::take_answer(tx, own, &feed, decided, &unknown)
            })
            .await
    }

    /// The hub has another end of this journal than the batch: go on from there where it is ours;
    /// where it is not, another machine writes under this identity, and greeting again shows it.
    async fn find_place(&mut self, received: Head, is_gap: bool) -> anyhow::Result<()> {
        let own_there = self.own_chain(received.sequence).await?;
        self.received =
            rules::go_on_from(received, is_gap, self.received, own_there).map_err(|again| {
                match again {
                    GreetAgain::Less => {
                        anyhow::anyhow!("the hub has less of the journal than before: greet again")
                    }
                    GreetAgain::Other => {
                        anyhow::anyhow!("the hub's journal of this node is another: greet again")
                    }
                }
            })?;
        Ok(())
    }
}

/// The first of the entries that fit into a batch once they are compressed, and the batch.
fn fitting(mut entries: Vec<Entry>) -> anyhow::Result<(Vec<Entry>, Vec<u8>, u32)> {
    loop {
        let changes: Vec<_> = entries.iter().map(|entry| entry.raw.clone()).collect();
        let (batch, raw_bytes) = convert::encode_batch(&changes)?;
        if batch.len() <= limits::BATCH_COMPRESSED_BYTES_MAX || entries.len() <= 1 {
            return Ok((entries, batch, raw_bytes));
        }
        // As many as would fit if all compressed alike, and a little fewer.
        let share = limits::BATCH_COMPRESSED_BYTES_MAX * 9 / 10;
        let fewer = (entries.len() * share / batch.len()).clamp(1, entries.len() - 1);
        entries.truncate(fewer);
    }
}
