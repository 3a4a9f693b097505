//! A node's report: what it offers of its feeds, and the proof that all of it together is what the hub signed.

use std::collections::BTreeSet;

use domain::decide::{close_before, waits_of};
use domain::id::ChangeId;
use domain::kind::Class;
use domain::kinds::{self, set_aside, tenure};
use domain::record::{Record, RecordKey};
use domain::session::hub::{self as session, Offer, Proven};
use domain::world::{Fact, Leaving, Mover, Writes};
use proto::convert::{self, FeedRow};
use proto::status::CallRefused;
use proto::wire::sync as wire;
use store::hub::Node;
use store::{StoreError, Tx};
use transport::sign::Context;

use super::{
    RECOVERING, end, former, goes_on_from_backup, is_recovering, read_digest, signed, was_restored,
};
use crate::app::App;
use crate::authority::Round;
use crate::damaged;
use crate::error::HubError;

/// Rows of one node that are kept as evidence while the hub does not recover.
const EVIDENCE_ROWS_MAX: u64 = 1_000;
/// And their bytes.
const EVIDENCE_BYTES_MAX: u64 = 16 * 1024 * 1024;

/// Keeps what a node offers.
///
/// # Errors
/// Bytes that cannot be read; the store's own.
pub fn take_offers(
    tx: Tx<'_>,
    node: &Node,
    feed: &str,
    offered: Vec<FeedRow>,
    gone: &[RecordKey],
) -> Result<(), HubError> {
    if offered.is_empty() && gone.is_empty() {
        return Ok(());
    }
    let is_report = is_recovering(tx)? && tx.unreported()?.contains(&node.id);
    if !is_report && !gone.is_empty() {
        return Err(CallRefused::NotAllowed("nobody asked for what has left").into());
    }
    let mut news = Vec::new();
    for row in offered {
        let FeedRow::State(record) = row else {
            continue;
        };
        if record.is_too_large() {
            return Err(CallRefused::NotAllowed("a row is larger than a record").into());
        }
        if is_report || is_news(tx, &record)? {
            news.push(record);
        }
    }
    if !is_report {
        check_room(tx, node, feed, &news)?;
    }
    for record in news {
        tx.put_offer(node.id, feed, record.key, Some(&record))?;
    }
    for key in gone {
        tx.put_offer(node.id, feed, *key, None)?;
    }
    Ok(())
}

/// Whether there is room for what a node offers as evidence. What it has offered before, and of which it got no answer,
/// takes the place that it has.
fn check_room(tx: Tx<'_>, node: &Node, feed: &str, news: &[Record]) -> Result<(), HubError> {
    let (mut rows, mut bytes) = tx.offered(node.id)?;
    for record in news {
        match tx.offer_bytes(node.id, feed, record.key)? {
            Some(kept) => bytes -= kept.min(bytes),
            None => rows += 1,
        }
        bytes += record.value_bytes() as u64;
    }
    if rows > EVIDENCE_ROWS_MAX || bytes > EVIDENCE_BYTES_MAX {
        return Err(CallRefused::NotAllowed("more rows are offered than are kept").into());
    }
    Ok(())
}

/// Whether an offered row is more than the hub has: not what it removed for good, nor the state that it has; an older
/// one is where the hub was restored, for then it may be of another history.
fn is_news(tx: Tx<'_>, offered: &Record) -> Result<bool, StoreError> {
    let key = offered.key;
    if tx.is_purged(key.id)? {
        return Ok(false);
    }
    let known = match tx.record_as_written(key) {
        Ok(None) => return Ok(true),
        Ok(Some(known)) => Some((known.revision, known.hash())),
        Err(StoreError::Damaged { .. }) => None,
        Err(error) => return Err(error),
    };
    match session::judge_offer(known, (offered.revision, offered.hash())) {
        Offer::TakenBack => Ok(true),
        Offer::Known => Ok(false),
        Offer::Evidence => was_restored(tx),
    }
}

/// Ends a node's report on a feed: what is proven is taken back; how many rows.
///
/// # Errors
/// Bytes that cannot be read; the store's own.
pub fn take_proof(
    tx: Tx<'_>,
    app: &App,
    node: &Node,
    feed: &str,
    proof: &wire::Proof,
    now_ms: u64,
) -> Result<u64, HubError> {
    let is_recovering = is_recovering(tx)?;
    if !is_recovering && !tx.unreported()?.contains(&node.id) {
        return Ok(0);
    }
    let offers = tx.offers(node.id, feed)?;
    // A node that had read less than the backup holds has nothing that the backup lacks, if it read it of this hub and
    // not of one that has gone on from the same backup.
    let is_here = match read_digest(proof) {
        Some(digest) => tx.may_have_been(feed, proof.sequence, &digest)?,
        None => true,
    };
    let is_older = is_here && session::is_older_proof(proof.sequence, tx.restored_next(feed)?);
    let is_proven = is_recovering && !is_older && is_proven(tx, app, node, feed, &offers, proof)?;
    let offers = forget_removed(tx, node, feed, offers)?;
    let mut adopted = 0;
    if is_proven {
        adopted = adopt(tx, app, node, (feed, proof), &offers, now_ms)?;
        // What a node's changes made stands in its office's feed: the city's alone proves none of it.
        if feed != store::hub::CITY {
            take_history(tx, app, node, proof)?;
        }
    } else if is_older && !proof.incarnation.is_empty() {
        tx.drop_offers(node.id, feed)?;
    } else {
        keep_evidence(tx, node, feed, &offers, now_ms)?;
    }
    if feed != store::hub::CITY {
        tx.note_report(node.id, now_ms)?;
        // A person may have ended it before this node was heard.
        if is_recovering {
            if tx.unreported()?.is_empty() {
                // Where a damaged row stands in its way, the hour ends it, or a person, once that is mended.
                damaged::apart(tx, || end(tx, app, now_ms))?;
            } else {
                Round::new(tx, app, now_ms).decide_heard()?;
            }
        }
    }
    Ok(adopted)
}

/// Forgets what is offered of records that were removed for good, which may have been part of a proof: it does not come
/// back, and is no evidence (S17). The others.
fn forget_removed(
    tx: Tx<'_>,
    node: &Node,
    feed: &str,
    offers: Vec<(RecordKey, Option<Record>)>,
) -> Result<Vec<(RecordKey, Option<Record>)>, StoreError> {
    let mut rest = Vec::with_capacity(offers.len());
    for (key, state) in offers {
        // A living record that has the id of another one that is gone stays, as for every decision.
        let is_removed =
            tx.is_purged(key.id)? && !tx.record(key)?.is_some_and(|known| known.is_alive());
        if is_removed {
            tx.drop_offer(node.id, feed, key)?;
        } else {
            rest.push((key, state));
        }
    }
    Ok(rest)
}

/// Keeps offered rows that cannot be proven; that a node does not have a row proves nothing then.
fn keep_evidence(
    tx: Tx<'_>,
    node: &Node,
    feed: &str,
    offers: &[(RecordKey, Option<Record>)],
    now_ms: u64,
) -> Result<(), HubError> {
    let mut kept = 0;
    for (key, state) in offers {
        if state.is_none() {
            tx.drop_offer(node.id, feed, *key)?;
        } else {
            kept += 1;
        }
    }
    if kept > 0 {
        let detail = format!("{kept} rows of {feed} are kept as evidence");
        tx.note_incident("offer_unproven", Some(node.id), &detail, now_ms)?;
    }
    Ok(())
}

/// Forgets the evidence of a node that holds again what the hub has: rows that the hub came to have
/// exactly so, because the node's changes made them again. What differs stays.
///
/// # Errors
/// The store's own.
pub fn drop_answered_evidence(tx: Tx<'_>, node: &Node, feed: &str) -> Result<(), HubError> {
    for (key, state) in tx.offers(node.id, feed)? {
        let known = tx.told_hash(key)?;
        if state.is_some_and(|state| Some(state.hash()) == known) {
            tx.drop_offer(node.id, feed, key)?;
        }
    }
    Ok(())
}

/// Whether the offers turn the feed as the hub has it into the one that it signed.
fn is_proven(
    tx: Tx<'_>,
    app: &App,
    node: &Node,
    feed: &str,
    offers: &[(RecordKey, Option<Record>)],
    proof: &wire::Proof,
) -> Result<bool, HubError> {
    let Some(incarnation) = former(app, proof) else {
        return Ok(false);
    };
    let Some(signed) = signed(app, node, feed, proof, incarnation) else {
        return Ok(false);
    };
    let rows = offers.iter().filter_map(|(_, state)| state.as_ref());
    if !rows.map(|row| (row.key.kind, row.class)).all(is_of_kind) {
        return Ok(false);
    }
    let mut digest = tx.feed_digest(feed)?;
    for (key, state) in offers {
        if tx.is_in_feed(*key, feed)?
            && let Some(hash) = tx.row_hash(*key)?
        {
            digest.remove(&hash);
        }
        if let Some(record) = state {
            digest.add(&record.hash());
        }
    }
    Ok(digest == signed)
}

/// Whether a row says the class that its kind has: the digest does not cover it. Of kinds that this program does not
/// know the hub makes none for all offices.
fn is_of_kind((kind, class): (u16, Class)) -> bool {
    match kinds::by_number(kind) {
        Some(kind) => kind.class == class,
        None => class != Class::Reference,
    }
}

/// Takes proven rows back, where the hub has not had a newer state from another node.
fn adopt(
    tx: Tx<'_>,
    app: &App,
    node: &Node,
    (feed, proof): (&str, &wire::Proof),
    offers: &[(RecordKey, Option<Record>)],
    now_ms: u64,
) -> Result<u64, HubError> {
    let backup = Backup::of(tx, node, feed, proof)?;
    let mut writes = close_what_went_on(tx, app, offers, now_ms)?;
    let mut overtaken = BTreeSet::new();
    let mut count = 0;
    for (key, state) in offers {
        let Some(record) = state else {
            if feed != store::hub::CITY && tx.was_in_feed_at_restore(*key, feed)? {
                let is_common = backup.had(tx, feed, *key)?;
                if is_common {
                    let left = (*key, node.office);
                    writes.leaves.insert(left, Leaving::Withdrawn);
                }
                tx.set_parted(node.id, *key, is_common)?;
            }
            tx.drop_offer(node.id, feed, *key)?;
            continue;
        };
        let known = tx.record(*key)?;
        let judged = judge(known.as_ref(), record);
        // Another report may have brought the row, into the other office's feed. A later state may have left this one.
        let stands_here = |known: &Record| {
            judged == Offer::Known || (known.class == Class::Case && known.office == record.office)
        };
        let joins = judged == Offer::TakenBack
            || (known.as_ref().is_some_and(stands_here)
                && !tx.has_place_since_restore(*key, feed)?);
        if joins && record.class != Class::Reference {
            writes.joins.insert((*key, node.office));
        }
        if judged == Offer::Evidence {
            // Nobody has brought a later state: the hub wrote on, when it did not know that it was put back.
            if tx.was_in_feed_at_restore(*key, feed)? {
                tx.set_parted(node.id, *key, false)?;
                let detail = format!("{} of kind {} has parted", key.id, key.kind);
                tx.note_incident("offer_parted", Some(node.id), &detail, now_ms)?;
            }
            continue;
        }
        if judged == Offer::TakenBack {
            if let Some(known) = &known {
                overtaken.extend(backup.written_later(tx, app, known, record)?);
            }
            // It went to another office while the hub knew nothing of it.
            if let Some(known) = known.filter(|known| known.office != record.office) {
                let left = (*key, known.office);
                writes.leaves.insert(left, Leaving::Transferred);
            }
            wait_as_noted(record, &mut writes);
            let mut record = record.clone();
            // When it was written the digest does not cover: not later than now.
            record.limit_ordered_at(now_ms);
            writes.records.insert(*key, (record, Mover::Foreign));
            count += 1;
        }
        tx.set_joined(node.id, *key)?;
        tx.drop_offer(node.id, feed, *key)?;
    }
    let mut round = Round::new(tx, app, now_ms);
    round.finish(writes, Vec::new())?;
    round.decide_overtaken(&overtaken)?;
    round.decide_passed_over(offers.iter().map(|(key, _)| *key))?;
    Ok(count)
}

/// What becomes of an offered row, by the one that the hub has.
fn judge(known: Option<&Record>, offered: &Record) -> Offer {
    session::judge_offer(
        known.map(|known| (known.revision, known.hash())),
        (offered.revision, offered.hash()),
    )
}

/// Closes the tenures of which a later one comes back open: one at most is open of each member. Only what is taken
/// back counts as the hub's; of another tenure the hub has a later state, or the very same.
fn close_what_went_on(
    tx: Tx<'_>,
    app: &App,
    offers: &[(RecordKey, Option<Record>)],
    now_ms: u64,
) -> Result<Writes, HubError> {
    let round = Round::new(tx, app, now_ms);
    let mut world = round.new_world(0)?;
    let mut taken_back = Vec::new();
    for (key, state) in offers {
        let tenure = state.as_ref().filter(|_| key.kind == tenure::KIND_NUMBER);
        let Some(tenure) = tenure else { continue };
        if judge(tx.record(*key)?.as_ref(), tenure) == Offer::TakenBack {
            world.supply(Fact::Record(*key, Some(tenure.clone())));
            taken_back.push(tenure);
        }
    }
    let is_open = |tenure: &&Record| tenure.value(tenure::CLOSED).is_none();
    for last in taken_back.into_iter().filter(is_open) {
        round.with_facts(&mut world, |world| close_before(world, last, now_ms))?;
    }
    Ok(world.into_writes())
}

/// How what is in the backup is told from what this hub has come to since, and what a node tells does not know of.
struct Backup {
    /// Whether what the node has read goes on from the backup as it is; else it was another hub that had gone on
    /// another way before.
    goes_on: bool,
    /// When the recovery began (Unix milliseconds).
    since: u64,
    /// Up to which place of the feed this database had certified it for the node.
    certified: u64,
}

impl Backup {
    fn of(tx: Tx<'_>, node: &Node, feed: &str, proof: &wire::Proof) -> Result<Self, StoreError> {
        let since = tx.setting(RECOVERING)?;
        let since = since.and_then(|since| since.try_into().ok());
        Ok(Self {
            goes_on: goes_on_from_backup(tx, &proof.incarnation)?,
            since: since.map_or(u64::MAX, u64::from_be_bytes),
            certified: tx.certified(node.id, feed)?,
        })
    }

    /// Whether what the feed has of a record was known where the node had read: else the node that says it has no
    /// such row has only not heard of it. Where that was another way than this one, what was certified before tells.
    fn had(&self, tx: Tx<'_>, feed: &str, key: RecordKey) -> Result<bool, StoreError> {
        let is_certified = |place| place <= self.certified;
        Ok(self.goes_on || tx.place_in(key, feed)?.is_some_and(is_certified))
    }

    /// What was written to a record since, and does not stand in a row that is taken back: whoever wrote it was
    /// told that it is kept. Where the row does not go on from the backup, what was written later than it, too. The
    /// rest is noted: the row may never have gone through the backup's, as a hub that was put back from an earlier one
    /// can have signed it, under the same incarnation where nobody saw that.
    fn written_later(
        &self,
        tx: Tx<'_>,
        app: &App,
        known: &Record,
        taken_back: &Record,
    ) -> Result<Vec<ChangeId>, StoreError> {
        let mut later = Vec::new();
        for (number, state) in &known.fields {
            let there = taken_back.fields.get(number);
            if there.is_some_and(|there| there.value == state.value) {
                continue;
            }
            let version = state.version;
            let is_newer = there.is_none_or(|there| there.version.ordered_at < version.ordered_at);
            let is_later =
                (!self.goes_on && is_newer) || came_since(tx, app, version.change, self.since)?;
            if is_later && !later.contains(&version.change) {
                later.push(version.change);
            } else if !is_later {
                tx.note_passed_over(known.key, version.change)?;
            }
        }
        Ok(later)
    }
}

/// Whether a change came since the recovery began.
fn came_since(tx: Tx<'_>, app: &App, change: ChangeId, since: u64) -> Result<bool, StoreError> {
    if change.node == app.own.node {
        return Ok(change.epoch == app.own.epoch);
    }
    let batch = tx.batch_of(change)?;
    Ok(batch.is_some_and(|batch| batch.received_at >= since))
}

/// A change waits as the note of it says that comes back, and for nothing else.
fn wait_as_noted(note: &Record, writes: &mut Writes) {
    let is_note = note.key.kind == set_aside::KIND_NUMBER;
    let change = note.value(set_aside::CHANGE).filter(|_| is_note);
    let Some(change) = change.and_then(domain::decide::change_of_bytes) else {
        return;
    };
    writes.released.insert(change);
    if note.text(set_aside::STATE) == Some("waiting") {
        writes.waiting.extend(waits_of(note, change));
    }
}

/// The node's changes that were decided in the proven snapshot have had their effect.
fn take_history(tx: Tx<'_>, app: &App, node: &Node, proof: &wire::Proof) -> Result<(), HubError> {
    let Some(incarnation) = former(app, proof) else {
        return Ok(());
    };
    let through = proof.decided_through;
    let text = convert::decided_signature_text(incarnation, node.id, proof.epoch, through);
    let key = app.identity.signing_key().verifying_key();
    if key
        .verify(Context::Decided, &text, &proof.decided_signature)
        .is_ok()
    {
        let told = convert::thirty_two(&proof.decided_chain, "proof.decided_chain");
        let proven = Proven {
            sequence: through,
            chain: told.ok(),
        };
        tx.set_proven(node.id, proof.epoch, &proven)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use domain::decide::{change_bytes, set_aside_id};
    use domain::id::{NodeId, RecordId};
    use domain::record::{Life, Version};
    use store::open::{Side, writer};
    use store::writer::write_on;

    use super::*;

    const CHANGE: ChangeId = ChangeId {
        node: NodeId::new([1; 16]),
        epoch: 1,
        sequence: 7,
    };

    fn note(state: &str) -> Record {
        let version = Version {
            change: CHANGE,
            ordered_at: 0,
        };
        let mut note = Record {
            key: RecordKey {
                kind: set_aside::KIND_NUMBER,
                id: set_aside_id(CHANGE),
            },
            class: Class::Case,
            office: RecordId::new([2; 16]),
            revision: 1,
            life: Life::Alive,
            life_version: version,
            fields: BTreeMap::new(),
        };
        let waits_for = [&2u16.to_be_bytes()[..], &[3; 16]].concat();
        note.set(set_aside::CHANGE, change_bytes(CHANGE), version);
        note.set(set_aside::STATE, state.as_bytes().to_vec(), version);
        note.set(set_aside::WAITS_FOR, waits_for, version);
        note
    }

    /// S2: a change that this hub had waiting, and of which a note comes back that says it was decided,
    /// waits no more; else it would be decided again with every office that is heard.
    #[test]
    fn a_change_waits_as_the_note_says_that_comes_back() {
        for (state, waits) in [("held", 0), ("fixed", 0), ("waiting", 1)] {
            let mut writes = Writes::default();
            wait_as_noted(&note(state), &mut writes);
            assert!(writes.released.contains(&CHANGE), "{state}");
            assert_eq!(writes.waiting.len(), waits, "{state}");
        }
    }

    /// S1: what an office holds in a later state than the hub, and what the hub does not have at all, is kept before the
    /// office lets go of it; what the hub has, and what it removed for good, is not.
    #[test]
    fn what_is_offered_is_kept_where_it_is_more_than_the_hub_has() -> anyhow::Result<()> {
        let folder = tempfile::tempdir()?;
        let mut connection = writer(&folder.path().join("hub.sqlite"), Side::Hub)?;
        write_on(&mut connection, |tx| {
            let row = |revision| Record {
                revision,
                ..note("held")
            };
            let node = Node::new(CHANGE.node, row(1).office, [0; 32]);
            let kept_of = |revision| -> anyhow::Result<bool> {
                let offered = vec![FeedRow::State(row(revision))];
                take_offers(tx, &node, "city", offered, &[])?;
                let is_kept = !tx.offers(node.id, "city")?.is_empty();
                tx.drop_offers(node.id, "city")?;
                Ok(is_kept)
            };
            assert!(kept_of(2)?);
            // Said again for want of an answer, it takes no more room.
            let as_many = |number: u64| {
                let id = RecordId::new(u128::from(number).to_be_bytes());
                let key = RecordKey { id, ..row(1).key };
                FeedRow::State(Record { key, ..row(1) })
            };
            let all: Vec<_> = (0..EVIDENCE_ROWS_MAX).map(as_many).collect();
            for _ in 0..2 {
                take_offers(tx, &node, "city", all.clone(), &[])?;
            }
            let one_more = vec![as_many(EVIDENCE_ROWS_MAX)];
            assert!(take_offers(tx, &node, "city", one_more, &[]).is_err());
            tx.drop_offers(node.id, "city")?;
            tx.write_record(&row(2))?;
            assert!(kept_of(3)?);
            assert!(!kept_of(2)?);
            assert!(!kept_of(1)?);
            tx.note_purged(row(1).key.id)?;
            assert!(!kept_of(3)?);
            Ok(())
        })
    }
}
