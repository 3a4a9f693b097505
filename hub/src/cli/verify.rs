//! `verify`: the file, its rows, the chains of all journals, the digests of all feeds, the holders.

use std::collections::BTreeSet;

use anyhow::ensure;
use domain::change::{chain_over, chain_start};
use domain::digest::Digest;
use domain::id::RecordId;
use domain::kinds::{member, tenure};
use domain::machines::member_status;
use serde_json::{Value, json};
use store::open::Side;
use store::{Filter, Tx};

use crate::app::App;
use crate::error::HubError;
use crate::recovery::is_recovering;

/// Records read at once.
const PORTION: usize = 5_000;
/// Of one sort, so many findings are told.
const FINDINGS_MAX: usize = 10;

pub(super) async fn verify(app: &App) -> anyhow::Result<Value> {
    store::open::check(&store::open::reader(&app.database())?, Side::Hub)?;
    app.store.read(check).await
}

/// Checks what a database says: every row against its hash, the chains of all journals, the digests of all feeds,
/// the holders, the leases.
///
/// # Errors
/// What does not hold.
pub(crate) fn check(tx: Tx<'_>) -> anyhow::Result<Value> {
    let mut findings = Vec::new();
    for key in tx.unsound_rows(FINDINGS_MAX)? {
        findings.push(format!("row {} of kind {} is damaged", key.id, key.kind));
    }
    let journals = check_journals(tx, &mut findings)?;
    let feeds = check_feeds(tx, &mut findings)?;
    let half_heard = half_heard(tx)?;
    let members = check_holders(tx, &half_heard, &mut findings)?;
    let leases = crate::leases::check(tx, &mut findings)?;
    ensure!(findings.is_empty(), "{}", findings.join("; "));
    Ok(json!({
        "journals": journals,
        "feeds": feeds,
        "members": members,
        "half_heard": half_heard.len(),
        "leases": leases,
    }))
}

fn check_journals(tx: Tx<'_>, findings: &mut Vec<String>) -> Result<usize, HubError> {
    let journals = tx.journals()?;
    for journal in &journals {
        let mut chain = chain_start(journal.node, journal.epoch);
        let mut next = 1;
        while next <= journal.received {
            let batches = tx.batches_from(journal.node, journal.epoch, next, 16)?;
            if batches.is_empty() {
                findings.push(format!(
                    "journal {}/{} ends at {next}",
                    journal.node, journal.epoch
                ));
                break;
            }
            for batch in batches {
                let changes =
                    proto::convert::decode_batch(&batch.bytes, batch.raw_bytes, usize::MAX)?;
                chain = chain_over(chain, &changes);
                if batch.first != next || chain != batch.chain {
                    findings.push(format!("chain of {}/{next} broken", journal.node));
                }
                next = batch.last + 1;
            }
        }
        if chain != journal.chain {
            findings.push(format!(
                "journal {}/{}: head differs",
                journal.node, journal.epoch
            ));
        }
    }
    Ok(journals.len())
}

fn check_feeds(tx: Tx<'_>, findings: &mut Vec<String>) -> Result<usize, HubError> {
    let feeds = tx.feed_names()?;
    for feed in &feeds {
        let mut counted = Digest::default();
        for (_, hash) in tx.feed_rows(feed)? {
            counted.add(&hash);
        }
        if counted != tx.feed_digest(feed)? {
            findings.push(format!("digest of {feed} differs from its rows"));
        }
    }
    for key in tx.in_no_feed(FINDINGS_MAX)? {
        findings.push(format!("row {} of kind {} is in no feed", key.id, key.kind));
    }
    Ok(feeds.len())
}

/// Members of whose last move a recovering hub has heard one half: the other node has not been heard, or a
/// person ends the recovery and completes it.
fn half_heard(tx: Tx<'_>) -> Result<BTreeSet<RecordId>, HubError> {
    if !is_recovering(tx)? {
        return Ok(BTreeSet::new());
    }
    let closed = tx.half_moved()?;
    let members = closed.iter().map(|closed| closed.reference(tenure::MEMBER));
    Ok(members.flatten().collect())
}

/// Exactly one open tenure for each living member, the last, and it is its office's; nothing is asked of one
/// whose move was heard in half.
fn check_holders(
    tx: Tx<'_>,
    half_heard: &BTreeSet<RecordId>,
    findings: &mut Vec<String>,
) -> Result<usize, HubError> {
    let (mut count, mut after) = (0, None);
    loop {
        let members = tx.list(&member::KIND, &[Filter::Alive], after, PORTION)?;
        let Some(last) = members.last() else {
            return Ok(count);
        };
        after = Some(last.key.id);
        for record in &members {
            count += 1;
            let id = record.key.id.bytes().to_vec();
            let all = tx.list(
                &tenure::KIND,
                &[Filter::Is(tenure::MEMBER, id)],
                None,
                PORTION,
            )?;
            let open: Vec<_> = all
                .iter()
                .filter(|tenure| tenure.value(tenure::CLOSED).is_none())
                .collect();
            let last = all.iter().max_by_key(|t| t.integer(tenure::NUMBER));
            let status = record.text(member::STATUS).unwrap_or_default();
            let holder = record.reference(member::HOLDER);
            let is_held = member_status::ACTIVE.contains(&status) && holder.is_some();
            let is_whole = match open.as_slice() {
                [] => !is_held,
                [open] => is_held && open.reference(tenure::HOLDER) == holder && last == Some(open),
                _ => false,
            };
            if !is_whole && !half_heard.contains(&record.key.id) {
                findings.push(format!(
                    "member {}: {} open tenures of {}",
                    record.key.id,
                    open.len(),
                    all.len()
                ));
            }
        }
    }
}
