//! Up: the journal in batches, sized by how fast the line takes them, several under way at once.

use std::collections::{BTreeSet, VecDeque};
use std::time::Duration;

use domain::limits;
use domain::session::Head;
use domain::session::office::{self as rules, GreetAgain, Sent};
use proto::convert;
use proto::wire::sync as wire;
use store::node::Entry;
use tokio::task::JoinHandle;
use tokio::time::Instant;
use tonic::{Response, Status};
use transport::sign::Context;

use super::pace::Pace;
use super::serve::jittered;
use super::{Session, Summary, head_of};
use crate::fold;

/// In a long upload, what has come is read after so long: downloads do not wait for uploads.
const READ_AFTER: Duration = Duration::from_secs(10);
/// How often a busy hub is asked again in one session.
const BUSY_MAX: u32 = 30;

/// A batch that was sent and not answered yet.
struct UnderWay {
    first_sequence: u64,
    sent: Head,
    at: Instant,
    answer: JoinHandle<Result<Response<wire::PushResponse>, Status>>,
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        self.answer.abort();
    }
}

/// How the upload goes on after an answer.
enum After {
    /// With the batches that are under way.
    GoOn,
    /// From where the hub stands: what else is under way follows on nothing.
    Anew,
    /// Anew, when the hub has room (milliseconds).
    Busy(u32),
}

impl Session {
    /// Sends everything that the hub does not have, and reads now and then where that takes long.
    pub(super) async fn push_all(&mut self) -> anyhow::Result<Summary> {
        let (mut pace, mut under_way) = (Pace::new(), VecDeque::new());
        let (mut done, mut busy, mut read_at) = (Summary::default(), 0, Instant::now());
        loop {
            let reads_now = !self.is_copy && read_at.elapsed() > READ_AFTER;
            let mut is_all = false;
            while !is_all && !reads_now && pace.has_room(under_way.len()) {
                match self.send_after(under_way.back(), pace.bytes()).await? {
                    Some(batch) => under_way.push_back(batch),
                    None => is_all = true,
                }
            }
            let Some(batch) = under_way.pop_front() else {
                if is_all {
                    return Ok(done);
                }
                done.received += self.read_all().await?;
                read_at = Instant::now();
                continue;
            };
            let before = self.received;
            let after = self.take_push(batch, &mut pace).await?;
            done.sent += self.received.saturating_sub(before);
            match after {
                After::GoOn => busy = 0,
                After::Anew => drain(&mut under_way).await,
                After::Busy(after_ms) => {
                    drain(&mut under_way).await;
                    busy += 1;
                    anyhow::ensure!(busy <= BUSY_MAX, "the hub is busy 中心繁忙");
                    tokio::time::sleep(jittered(after_ms.into())).await;
                }
            }
        }
    }

    /// Sends what follows on the last batch under way, or on what the hub has; none where that is all.
    async fn send_after(
        &self,
        last: Option<&UnderWay>,
        bytes_max: usize,
    ) -> anyhow::Result<Option<UnderWay>> {
        let after = last.map_or(self.received, |last| last.sent.sequence);
        let (epoch, fits) = (self.own.epoch, (limits::BATCH_CHANGES_MAX, bytes_max));
        let entries = self
            .app
            .read_as_own(move |tx| Ok(tx.entries_after(epoch, after, fits)?))
            .await?;
        let (entries, batch, raw_bytes) = fitting(entries)?;
        let (Some(first), Some(last)) = (entries.first(), entries.last()) else {
            return Ok(None);
        };
        let (first_sequence, chain) = (first.sequence, last.chain);
        let count = u32::try_from(entries.len())?;
        let text =
            convert::batch_signature_text(self.own.node, epoch, first_sequence, count, &chain);
        let request = wire::PushRequest {
            incarnation: self.incarnation.clone(),
            epoch,
            first_sequence,
            count,
            raw_bytes,
            batch: batch.into(),
            chain: chain.to_vec().into(),
            signature: self.signing_key.sign(Context::Batch, &text).to_vec().into(),
        };
        let mut client = self.client.clone();
        Ok(Some(UnderWay {
            first_sequence,
            sent: Head {
                sequence: last.sequence,
                chain,
            },
            at: Instant::now(),
            answer: tokio::spawn(system::carry(async move { client.push(request).await })),
        }))
    }

    /// Takes the answer to the oldest batch under way.
    async fn take_push(&mut self, mut batch: UnderWay, pace: &mut Pace) -> anyhow::Result<After> {
        let answer = match (&mut batch.answer).await? {
            Ok(answer) => answer.into_inner(),
            Err(refused) => {
                let Some(after_ms) = proto::status::retry_after_ms(&refused) else {
                    return Err(refused.into());
                };
                pace.is_busy();
                return Ok(After::Busy(after_ms));
            }
        };
        let in_flight_max = answer
            .limits
            .map_or(1, |limits| limits.pushes_in_flight_max);
        pace.answered(batch.at, Instant::now(), in_flight_max);
        let received = head_of(answer.received)?;
        if rules::after_push(batch.sent, received, answer.out_of_place) == Sent::Elsewhere {
            self.find_place(received, answer.out_of_place).await?;
            return Ok(After::Anew);
        }
        self.received = received.sequence;
        let (from, to) = (answer.feed_from, answer.feed_to);
        self.reached = self.reached.filter(|at| *at == from && to > 0).map(|_| to);
        let not_applied: BTreeSet<u64> = answer.verdicts.iter().map(|v| v.sequence).collect();
        let (own, feed, decided) = (self.own, self.app.office_feed(), answer.decided_through);
        let durable = answer.durable;
        // Of changes decided before this batch the verdicts are not listed here: they come as rows.
        let known_from = batch.first_sequence;
        self.app
            .write_as_own(move |tx| {
                let mut unknown = not_applied;
                unknown.extend(
                    tx.pending_through(own.epoch, known_from - 1)?
                        .iter()
                        .map(|e| e.sequence),
                );
                tx.set_setting("durable", &durable.to_be_bytes())?;
                fold::take_answer(tx, own, &feed, decided, &unknown)
            })
            .await?;
        Ok(After::GoOn)
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

/// Waits until nothing is under way: what was sent may yet be taken, and is a repeat then.
async fn drain(under_way: &mut VecDeque<UnderWay>) {
    while let Some(mut batch) = under_way.pop_front() {
        // Each answer would only say where the hub stood; the next batch's says where it stands.
        let _ = (&mut batch.answer).await;
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
