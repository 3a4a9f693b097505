//! Down: pages of the feeds, and the proof that node and hub hold the same.

use std::collections::BTreeSet;

use domain::digest::{self, Digest, certificate_text, is_below};
use domain::id::{Incarnation, NodeId};
use domain::record::RecordKey;
use domain::session::office as rules;
use prost::bytes::Bytes;
use proto::convert::{self, FeedRow};
use proto::wire::sync as wire;
use store::node::{Certificate, Place, Reading};
use transport::sign::Context;

use super::{GREETINGS_MAX, Session, report};
use crate::erase;
use crate::fold::{self, Page, Told};

/// Rows that are asked for in one call.
const WANTED_AT_ONCE: usize = 256;

/// How far journals are durable, as it travels.
fn read_durable(places: &[wire::Durable]) -> anyhow::Result<Vec<Place>> {
    let read = |place: &wire::Durable| {
        Ok(Place {
            node: NodeId::new(convert::sixteen(&place.node, "node")?),
            epoch: place.epoch,
            sequence: place.sequence,
        })
    };
    places.iter().map(read).collect()
}

/// Whether a certificate proves a feed as it was read, to the hub that is and in the epoch that is.
fn is_proven(kept: &[Certificate], feed: &str, read: &Reading, now: (&[u8], u32)) -> bool {
    let is_there = |kept: &Certificate| kept.feed == feed && kept.sequence == read.sequence;
    kept.iter()
        .any(|kept| is_there(kept) && still_proves(kept, read.digest, now))
}

/// Whether a certificate proves this digest to the hub that is, and in the epoch that is: what a former hub signed
/// proves nothing to it, and what was decided of a former epoch says nothing of the present one.
fn still_proves(kept: &Certificate, digest: Digest, (incarnation, epoch): (&[u8], u32)) -> bool {
    kept.digest == digest && kept.incarnation == incarnation && kept.epoch == epoch
}

/// A feed read to its head.
struct Reached {
    feed: String,
    sequence: u64,
    /// Own changes decided in the snapshot, with the hub's signature.
    decided: (u64, Vec<u8>),
    /// The node's digest then.
    digest: Digest,
    /// The hub's.
    hubs: wire::FeedDigest,
}

impl Session {
    /// Reads all feeds to their heads; how many rows came.
    pub(super) async fn read_all(&mut self) -> anyhow::Result<u64> {
        for _ in 0..GREETINGS_MAX {
            if let Some(rows) = self.pull().await? {
                return Ok(rows);
            }
            self.greet().await?;
            self.check_copy()?;
        }
        anyhow::bail!(
            "somebody else sends under this identity all the time 另有电脑正在使用本机身份"
        )
    }

    /// As [`Self::read_all`]; none where it must greet first ([`rules::takes_page`]).
    async fn pull(&mut self) -> anyhow::Result<Option<u64>> {
        let (own, feeds) = (self.own, self.feeds.clone());
        let incarnation = self.incarnation.clone();
        let (cursors, folded_through, erasing) = self
            .app
            .read_as_own(move |tx| {
                let kept = tx.certificates()?;
                let erasing = erase::is_erasing(tx)?;
                // What waits to be erased asks with every page what is durable.
                let is_clean = tx.pending_count()? == 0 && !erasing;
                let mut cursors = Vec::new();
                for feed in feeds {
                    let reading = tx.reading(&feed)?;
                    let now = (&incarnation[..], own.epoch);
                    let proven = is_clean && is_proven(&kept, &feed, &reading, now);
                    cursors.push(wire::Cursor {
                        feed,
                        sequence: reading.sequence,
                        whole_through: reading.whole_through,
                        proven,
                    });
                }
                Ok((cursors, fold::folded_through(tx, own)?, erasing))
            })
            .await?;
        let office = self.app.office_feed();
        let skipped = cursors
            .iter()
            .find(|cursor| cursor.proven && cursor.feed == office)
            .map(|cursor| cursor.sequence);
        let request = wire::PullRequest {
            incarnation: self.incarnation.clone(),
            epoch: own.epoch,
            cursors,
            folded_through,
            erasing,
        };
        let mut pages = self.client.pull(request).await?.into_inner();
        let mut received = 0;
        let mut heads = Vec::new();
        while let Some(page) = pages.message().await? {
            if !rules::takes_page(page.decided_through, self.received) {
                return Ok(None);
            }
            let rows = convert::decode_rows(&page.rows, page.raw_bytes)?;
            received += rows.len() as u64;
            let taken = Page {
                feed: page.feed.clone(),
                rows,
                to_sequence: page.to_sequence,
                is_last: page.digest.is_some(),
                decided_through: page.decided_through,
                released_through: page.released_through,
            };
            let durable = read_durable(&page.durable)?;
            let digest = self
                .app
                .write_as_own(move |tx| fold::take_page(tx, own, &taken))
                .await?;
            if let Some(hubs) = page.digest {
                if page.feed == office {
                    self.known = erase::Known {
                        decided_through: page.decided_through,
                        durable,
                    };
                }
                heads.push(Reached {
                    feed: page.feed,
                    sequence: page.to_sequence,
                    decided: (page.decided_through, page.decided_signature.to_vec()),
                    digest,
                    hubs,
                });
            }
        }
        let at = heads.iter().find(|reached| reached.feed == office);
        self.reached = at.map(|reached| reached.sequence).or(skipped);
        for reached in heads {
            self.compare(reached).await?;
        }
        self.erase().await?;
        Ok(Some(received))
    }

    /// Compares the digests of a feed at its head: equal, both sign; different, the rows that differ
    /// are repaired. What is decided is in what is equal ([`rules::compares`]).
    async fn compare(&mut self, reached: Reached) -> anyhow::Result<()> {
        let own = self.own;
        let name = reached.feed.clone();
        let (folded, is_past, has_pending) = self
            .app
            .read_as_own(move |tx| {
                let folded = fold::folded_through(tx, own)?;
                let is_past = tx.reading(&name)?.is_past_released;
                Ok((folded, is_past, tx.pending_count()? > 0))
            })
            .await?;
        let is_own_feed = reached.feed == self.app.office_feed();
        if !rules::compares(is_own_feed, folded, reached.decided.0) {
            return Ok(());
        }
        let hubs = &reached.hubs;
        let sum = convert::thirty_two(&hubs.sum, "sum")?;
        let theirs = Digest::from_parts(&sum, hubs.count);
        let incarnation = Incarnation::from_slice(&self.incarnation)
            .map_err(|_| anyhow::anyhow!("the hub gave no incarnation"))?;
        let (feed, at) = (reached.feed.as_str(), reached.sequence);
        let text = certificate_text(own.office, feed, at, &theirs, incarnation);
        self.hub_key
            .verify(Context::Digest, &text, &hubs.signature)?;
        if theirs == reached.digest {
            let (name, decided) = (reached.feed.clone(), reached.decided.0);
            if is_past || (is_own_feed && has_pending) {
                self.app
                    .write_as_own(move |tx| {
                        let read = tx.reading(&name)?;
                        let proven = Reading {
                            is_past_released: false,
                            ..read
                        };
                        tx.put_reading(&name, &proven)?;
                        if is_own_feed {
                            fold::take_decided(tx, own, decided)?;
                        }
                        Ok(())
                    })
                    .await?;
            }
            return self.certify(reached, &text).await;
        }
        if is_past {
            return self.remove_released(feed, reached.decided.0).await;
        }
        tracing::warn!(feed, "digest differs: repairing the rows that differ");
        self.repair(feed, reached.decided.0).await
    }

    /// The feed was read past released entries: what the hub does not have has left, or was removed.
    async fn remove_released(&mut self, feed: &str, decided: u64) -> anyhow::Result<()> {
        let differing = self.descend(feed).await?;
        let only_here = self.fetch(feed, decided, &differing).await?;
        tracing::info!(
            feed,
            rows = only_here.len(),
            "removed while this node was away"
        );
        let (own, name) = (self.own, feed.to_owned());
        self.app
            .write_as_own(move |tx| fold::remove_released(tx, own, (&name, decided), &only_here))
            .await
    }

    async fn certify(&mut self, reached: Reached, text: &[u8]) -> anyhow::Result<()> {
        let Reached {
            feed,
            sequence,
            decided,
            digest,
            hubs,
        } = reached;
        let kept = self.app.read_as_own(|tx| Ok(tx.certificates()?)).await?;
        let now = (&self.incarnation[..], self.own.epoch);
        if kept
            .iter()
            .any(|kept| kept.feed == feed && still_proves(kept, digest, now))
        {
            return Ok(());
        }
        let by_node = self.signing_key.sign(Context::Digest, text).to_vec();
        let request = wire::ReconcileRequest {
            equality: Some(wire::Equality {
                sequence,
                sum: digest.sum().to_vec().into(),
                count: digest.count(),
                signature: by_node.clone().into(),
            }),
            ..self.about(&feed)
        };
        self.client.reconcile(request).await?;
        let certificate = Certificate {
            feed,
            sequence,
            digest,
            by_hub: hubs.signature.to_vec(),
            by_node,
            at: system::now_ms(),
            incarnation: self.incarnation.to_vec(),
            epoch: self.own.epoch,
            decided,
        };
        self.app
            .write_as_own(move |tx| Ok(tx.keep_certificate(&certificate)?))
            .await
    }

    /// Repairs the rows that differ, never the feed.
    async fn repair(&mut self, feed: &str, decided: u64) -> anyhow::Result<()> {
        let differing = self.descend(feed).await?;
        let only_here = self.fetch(feed, decided, &differing).await?;
        for portion in only_here.chunks(256) {
            let (name, keys) = (feed.to_owned(), portion.to_vec());
            let (own, now_ms) = (self.own, system::now_ms());
            let offered = self
                .app
                .write_as_own(move |tx| {
                    let (offered, _) = report::held(tx, &name, &keys)?;
                    for key in keys {
                        fold::hub_lacks(tx, own, &name, key, now_ms)?;
                    }
                    Ok(offered)
                })
                .await?;
            self.offer(feed, offered).await?;
        }
        Ok(())
    }

    /// Descends the prefixes that differ: the rows that node and hub do not hold alike.
    pub(super) async fn descend(&mut self, feed: &str) -> anyhow::Result<Vec<RecordKey>> {
        let name = feed.to_owned();
        let own_rows = self
            .app
            .read_as_own(move |tx| Ok(tx.counted_in(&name)?))
            .await?;
        let mut prefixes = vec![Vec::new()];
        let mut differing = Vec::new();
        while !prefixes.is_empty() {
            let asked: Vec<_> = prefixes.drain(..prefixes.len().min(256)).collect();
            let mut unanswered: BTreeSet<_> = asked.iter().cloned().collect();
            let request = wire::ReconcileRequest {
                prefixes: asked.into_iter().map(Bytes::from).collect(),
                ..self.about(feed)
            };
            for below in self.client.reconcile(request).await?.into_inner().below {
                let (prefix, theirs) = convert::decode_below(below)?;
                // Else the descent would have no end that depends on what is held here.
                anyhow::ensure!(
                    unanswered.remove(&prefix),
                    "the hub answered about a prefix that was not asked for"
                );
                let inside: Vec<_> = own_rows
                    .iter()
                    .filter(|(key, _)| is_below(*key, &prefix))
                    .copied()
                    .collect();
                let found = digest::differing(&prefix, &theirs, &inside);
                prefixes.extend(found.prefixes);
                differing.extend(found.records);
            }
        }
        differing.sort_unstable();
        differing.dedup();
        Ok(differing)
    }

    /// Asks for rows that differ and takes what the hub says of them; those of which it knows nothing. `decided` is
    /// how far own changes were decided in the page that reached the head.
    async fn fetch(
        &mut self,
        feed: &str,
        decided: u64,
        differing: &[RecordKey],
    ) -> anyhow::Result<Vec<RecordKey>> {
        let mut only_here = Vec::new();
        let mut waiting = differing;
        while !waiting.is_empty() {
            let wanted = waiting.iter().take(WANTED_AT_ONCE);
            let wanted: Vec<_> = wanted.map(|key| convert::encode_key(*key)).collect();
            let asked = wanted.len();
            let request = wire::ReconcileRequest {
                wanted,
                ..self.about(feed)
            };
            let said = self.client.reconcile(request).await?.into_inner();
            let answered = usize::try_from(said.answered)?;
            anyhow::ensure!(
                (1..=asked).contains(&answered),
                "the hub answered {answered} of {asked} rows"
            );
            let (portion, rest) = waiting.split_at(answered);
            waiting = rest;
            let mut told = Told::default();
            for row in said.rows {
                match convert::decode_row(row)? {
                    FeedRow::State(record) => told.rows.insert(record.key, Some(record)),
                    FeedRow::Left(key, _) => told.rows.insert(key, None),
                };
            }
            if !said.damaged.is_empty() {
                let rows = said.damaged.len();
                tracing::warn!(feed, rows, "damaged at the hub: nothing is taken of it");
            }
            for name in &said.damaged {
                told.staying.insert(convert::decode_key(name, "damaged")?);
            }
            self.offer_left(feed, &mut told).await?;
            let (own, name, now_ms) = (self.own, feed.to_owned(), system::now_ms());
            let keys = portion.to_vec();
            let missing = self
                .app
                .write_as_own(move |tx| {
                    fold::take_told(tx, own, (&name, decided), &keys, &told, now_ms)
                })
                .await?;
            only_here.extend(missing);
        }
        Ok(only_here)
    }

    /// Offers what has left, before it is let go of: the hub keeps what is more than it has. What it has no room for
    /// stays here until it has.
    async fn offer_left(&mut self, feed: &str, told: &mut Told) -> anyhow::Result<()> {
        let left = told.rows.iter().filter(|(_, state)| state.is_none());
        let left: Vec<_> = left.map(|(key, _)| *key).collect();
        let (name, keys) = (feed.to_owned(), left.clone());
        let (offered, _) = self
            .app
            .read_as_own(move |tx| report::held(tx, &name, &keys))
            .await?;
        let Err(error) = self.offer_portion(feed, offered, Vec::new()).await else {
            return Ok(());
        };
        match error.downcast_ref::<tonic::Status>() {
            Some(refused) if refused.code() == tonic::Code::PermissionDenied => {
                tracing::warn!(
                    feed,
                    rows = left.len(),
                    "left, and not let go of: {refused}"
                );
                told.rows.retain(|_, state| state.is_some());
                told.staying.extend(left);
                Ok(())
            }
            _ => Err(error),
        }
    }

    /// Rows that only this node has: offered to the hub, not erased.
    async fn offer(&mut self, feed: &str, offered: Vec<FeedRow>) -> anyhow::Result<()> {
        if offered.is_empty() {
            return Ok(());
        }
        tracing::warn!(
            feed,
            rows = offered.len(),
            "the hub does not have these rows: offered"
        );
        self.offer_portion(feed, offered, Vec::new()).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// L1: what a former hub signed proves nothing to the hub that is: it is signed anew, though nothing has changed.
    #[test]
    fn a_certificate_of_a_former_hub_or_of_a_former_epoch_is_signed_anew() {
        let digest = Digest::from_parts(&[1; 32], 1);
        let kept = Certificate {
            feed: "city".to_owned(),
            sequence: 1,
            digest,
            by_hub: Vec::new(),
            by_node: Vec::new(),
            at: 0,
            incarnation: vec![1; 16],
            epoch: 1,
            decided: (0, Vec::new()),
        };
        assert!(still_proves(&kept, digest, (&[1; 16][..], 1)));
        assert!(!still_proves(&kept, digest, (&[2; 16][..], 1)));
        assert!(!still_proves(&kept, digest, (&[1; 16][..], 2)));
        assert!(!still_proves(&kept, Digest::default(), (&[1; 16][..], 1)));

        // Nor is it said to be proven with the question: then the hub would not tell its digest.
        let read = Reading {
            sequence: 1,
            digest,
            ..Reading::default()
        };
        let further = Reading {
            sequence: 2,
            ..read
        };
        let kept = [kept];
        assert!(is_proven(&kept, "city", &read, (&[1; 16][..], 1)));
        assert!(!is_proven(&kept, "city", &read, (&[1; 16][..], 2)));
        assert!(!is_proven(&kept, "city", &further, (&[1; 16][..], 1)));
    }
}
