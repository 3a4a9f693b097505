//! Tells a restored hub what this node holds (`sync.md` 4): rows that the hub lost, with the digest
//! that it signed for them, so that it can take them back as its own.

use domain::record::{Record, RecordKey};
use prost::bytes::Bytes;
use proto::convert::{self, FeedRow};
use proto::wire::sync as wire;
use store::node::{Certificate, Reading};
use store::{StoreError, Tx};

use super::Session;

/// Rows looked at for one call, and the bytes after which a call is sent.
const PORTION_ROWS: usize = 256;
const PORTION_BYTES: u32 = 256 * 1024;

impl Session {
    /// Reports every feed.
    pub(super) async fn report(&mut self) -> anyhow::Result<()> {
        for feed in self.feeds.clone() {
            let adopted = self.report_feed(&feed).await?;
            tracing::warn!(
                feed,
                adopted,
                "the hub was restored: it was told what this node holds"
            );
        }
        Ok(())
    }

    async fn report_feed(&mut self, feed: &str) -> anyhow::Result<u64> {
        let differing = self.descend(feed).await?;
        for portion in differing.chunks(PORTION_ROWS) {
            let (keys, name) = (portion.to_vec(), feed.to_owned());
            let (offered, gone) = self
                .app
                .read_as_own(move |tx| held(tx, &name, &keys))
                .await?;
            self.offer_portion(feed, offered, gone).await?;
        }
        let name = feed.to_owned();
        let proof = self
            .app
            .read_as_own(move |tx| {
                let digest = tx.reading(&name)?.digest;
                let kept = tx
                    .certificates()?
                    .into_iter()
                    .find(|kept| kept.feed == name);
                let kept = kept.filter(|kept| kept.digest == digest);
                let proof = kept.map(|kept| proof_of(tx, kept)).transpose()?;
                Ok(proof.unwrap_or_default())
            })
            .await?;
        let request = wire::ReconcileRequest {
            proof: Some(proof),
            ..self.about(feed)
        };
        Ok(self.client.reconcile(request).await?.into_inner().adopted)
    }
}

impl Session {
    /// A call about a feed, still without what it says or asks.
    pub(super) fn about(&self, feed: &str) -> wire::ReconcileRequest {
        wire::ReconcileRequest {
            incarnation: self.incarnation.clone(),
            epoch: self.own.epoch,
            feed: feed.to_owned(),
            ..wire::ReconcileRequest::default()
        }
    }

    /// Offers rows in calls that the hub takes: halves of what is too much for one.
    pub(super) async fn offer_portion(
        &mut self,
        feed: &str,
        offered: Vec<FeedRow>,
        gone: Vec<Bytes>,
    ) -> anyhow::Result<()> {
        if !gone.is_empty() {
            let request = wire::ReconcileRequest {
                gone,
                ..self.about(feed)
            };
            self.client.reconcile(request).await?;
        }
        let mut waiting = vec![offered.as_slice()];
        while let Some(rows) = waiting.pop() {
            if rows.is_empty() {
                continue;
            }
            let (bytes, raw_bytes) = convert::encode_rows(rows)?;
            if raw_bytes > PORTION_BYTES && rows.len() > 1 {
                let (first, rest) = rows.split_at(rows.len() / 2);
                waiting.extend([rest, first]);
                continue;
            }
            let request = wire::ReconcileRequest {
                offered: bytes.into(),
                offered_raw_bytes: raw_bytes,
                ..self.about(feed)
            };
            self.client.reconcile(request).await?;
        }
        Ok(())
    }
}

/// What the hub signed last of each feed.
pub(super) fn signed(tx: Tx<'_>) -> Result<Vec<wire::Held>, StoreError> {
    let mut held = Vec::new();
    for kept in tx.certificates()? {
        held.push(wire::Held {
            feed: kept.feed.clone(),
            proof: Some(proof_of(tx, kept)?),
        });
    }
    Ok(held)
}

fn proof_of(tx: Tx<'_>, kept: Certificate) -> Result<wire::Proof, StoreError> {
    let decided = tx.entry(kept.epoch, kept.decided.0)?;
    let decided_chain = decided.map_or_else(Bytes::new, |entry| entry.chain.to_vec().into());
    Ok(wire::Proof {
        incarnation: kept.incarnation.into(),
        sequence: kept.sequence,
        sum: kept.digest.sum().to_vec().into(),
        count: kept.digest.count(),
        hub_signature: kept.by_hub.into(),
        epoch: kept.epoch,
        decided_through: kept.decided.0,
        decided_signature: kept.decided.1.into(),
        decided_chain,
    })
}

/// The confirmed states of rows as the node counts them in a feed, and those that it does not have
/// there.
pub(super) fn held(
    tx: Tx<'_>,
    feed: &str,
    keys: &[RecordKey],
) -> anyhow::Result<(Vec<FeedRow>, Vec<Bytes>)> {
    let (mut offered, mut gone) = (Vec::new(), Vec::new());
    for key in keys {
        if let Some(record) = confirmed(tx, feed, *key)? {
            offered.push(FeedRow::State(record));
        } else {
            gone.push(convert::encode_key(*key));
        }
    }
    Ok((offered, gone))
}

fn confirmed(tx: Tx<'_>, feed: &str, key: RecordKey) -> anyhow::Result<Option<Record>> {
    if tx
        .counted(key)?
        .is_none_or(|(counted_in, _)| counted_in != feed)
    {
        return Ok(None);
    }
    if let Some(confirmed) = tx.base_image(key)? {
        return Ok(confirmed);
    }
    match tx.record_as_written(key) {
        // What is not as it was written is not offered.
        Err(StoreError::Damaged { .. }) => Ok(None),
        row => Ok(row?),
    }
}

/// Places of feeds are the hub's own: after it was restored they are read anew from the beginning.
pub(super) fn read_anew(tx: Tx<'_>, feeds: &[&str]) -> anyhow::Result<()> {
    for feed in feeds {
        let read = tx.reading(feed)?;
        let anew = Reading {
            sequence: 0,
            whole_through: 0,
            ..read
        };
        tx.put_reading(feed, &anew)?;
    }
    Ok(())
}
