//! After `restore`: the hub is older than its nodes. It takes back what it had signed to them before
//! it decides anything (`sync.md` 4, restore table).
//!
//! ```text
//!  restored ──▶ recovering ──every node that is not revoked has reported──▶ normal
//!                    └────────a person ends it (`recovery end`)───────────▶ normal
//! ```
//!
//! While it recovers, pushes are stored and acknowledged, and nothing is decided that concerns an
//! office which has not been heard ([`Unheard`]): such a change waits with a note, and so does what
//! works on the same records after it; the desk waits for all. A node offers the
//! rows of its feeds that the hub lost; the digest that the hub signed before proves that all of
//! them together are what it held. Proven rows are taken back, and the node's changes that had been
//! decided in that snapshot are stored as history without effect. What cannot be proven is kept as
//! evidence, and the changes that made it are decided again.

use std::collections::BTreeSet;

use domain::decide::{complete_move, keep_at_desk, waits_of};
use domain::digest::{Digest, certificate_text};
use domain::id::{ChangeId, Incarnation, NodeId, OfficeId};
use domain::kind::Class;
use domain::kinds::set_aside;
use domain::record::{FieldState, Record, RecordKey};
use domain::session::hub::{self as session, Offer, Proven};
use domain::world::{Leaving, Mover, World, Writes};
use proto::convert::{self, FeedRow};
use proto::status::CallRefused;
use proto::wire::sync as wire;
use store::hub::Node;
use store::{StoreError, Tx};
use transport::sign::Context;

use crate::app::{App, Own};
use crate::authority::Round;
use crate::error::HubError;

/// Rows of one node that are kept as evidence while the hub does not recover.
const EVIDENCE_ROWS_MAX: u64 = 1_000;
/// Feeds of which a node says in its greeting what it holds.
const HELD_MAX: usize = 4;
/// Since when the hub recovers; empty while it does not.
const RECOVERING: &str = "recovering";
/// The incarnations that it was before, and those of its own that nodes have shown it since it was put back: 16 bytes
/// each. None where it was never put back.
const FORMER: &str = "former_incarnations";

/// Whether the hub waits for its nodes' reports.
///
/// # Errors
/// The store's own.
pub fn is_recovering(tx: Tx<'_>) -> Result<bool, StoreError> {
    Ok(tx
        .setting(RECOVERING)?
        .is_some_and(|since| !since.is_empty()))
}

/// The offices of which a recovering hub has not heard.
#[derive(Debug, Clone)]
pub struct Unheard {
    offices: BTreeSet<OfficeId>,
}

/// Who has not been heard; none where the hub does not recover.
///
/// # Errors
/// The store's own.
pub fn unheard(tx: Tx<'_>) -> Result<Option<Unheard>, StoreError> {
    if !is_recovering(tx)? {
        return Ok(None);
    }
    let mut offices = BTreeSet::new();
    for id in tx.unreported()? {
        offices.extend(tx.node(id)?.map(|node| node.office));
    }
    Ok(Some(Unheard { offices }))
}

impl Unheard {
    /// Whether a machine of this office has not been heard.
    pub fn is_of(&self, office: OfficeId) -> bool {
        self.offices.contains(&office)
    }

    /// Whether a change of this office, or one of the records that it names, concerns an office that
    /// has not been heard: it may know more of the record than the hub.
    ///
    /// # Errors
    /// The store's own.
    pub fn is_concerned(
        &self,
        tx: Tx<'_>,
        office: OfficeId,
        keys: &[RecordKey],
    ) -> Result<bool, StoreError> {
        if self.is_of(office) {
            return Ok(true);
        }
        for key in keys {
            for feed in tx.feeds_ever_of(*key)? {
                let of_office = |office: &OfficeId| feed == format!("office/{office}");
                if feed == store::hub::CITY || self.offices.iter().any(of_office) {
                    return Ok(!self.offices.is_empty());
                }
            }
        }
        Ok(false)
    }
}

/// Whether this hub was ever put back from a backup.
///
/// # Errors
/// The store's own.
pub fn was_restored(tx: Tx<'_>) -> Result<bool, StoreError> {
    Ok(tx.setting(FORMER)?.is_some())
}

fn is_known(tx: Tx<'_>, incarnation: &[u8]) -> Result<bool, StoreError> {
    let known = tx.setting(FORMER)?.unwrap_or_default();
    Ok(known
        .chunks(incarnation.len())
        .any(|known| known == incarnation))
}

/// Notes an incarnation as one that the hub was.
fn know(tx: Tx<'_>, incarnation: &[u8]) -> Result<(), StoreError> {
    let known = tx.setting(FORMER)?.unwrap_or_default();
    tx.set_setting(FORMER, &[known.as_slice(), incarnation].concat())
}

/// Makes a store that was just put back from a backup a recovering hub: another incarnation, another
/// epoch of its own journal, nobody heard yet.
///
/// # Errors
/// The store's own.
pub fn begin(tx: Tx<'_>, own: &Own, now_ms: u64) -> Result<(), StoreError> {
    let before = tx.setting("incarnation")?.unwrap_or_default();
    know(tx, &before)?;
    tx.set_setting("incarnation", &own.incarnation.bytes())?;
    tx.set_setting("hub_epoch", &own.epoch.to_be_bytes())?;
    tx.set_setting(RECOVERING, &now_ms.to_be_bytes())?;
    tx.mark_feeds_restored()?;
    tx.forget_acknowledged()?;
    tx.forget_reports()
}

/// Ends the recovery: from now on everything is decided. A move of which one half only was heard is
/// completed first: one organisation holds every member at the commit. What has left its office, and no
/// other office has, is the desk's from now on.
///
/// # Errors
/// The store's own.
pub fn end(tx: Tx<'_>, app: &App, now_ms: u64) -> Result<(), HubError> {
    let mut round = Round {
        tx,
        own: app.own,
        app,
        now_ms,
    };
    let mut world = round.new_world(0)?;
    for last in tx.half_moved()? {
        let complete = |world: &mut World| complete_move(world, &last, now_ms);
        if round.with_facts(&mut world, complete)? {
            let detail = format!("half of a move was heard: tenure {}", last.key.id);
            tx.note_incident("half_moved", None, &detail, now_ms)?;
        }
    }
    round.finish(world.into_writes(), Vec::new())?;
    let mut world = round.new_world(0)?;
    for left in tx.left_own_office()? {
        let keep = |world: &mut World| keep_at_desk(world, left.key, now_ms);
        round.with_facts(&mut world, keep)?;
    }
    round.finish(world.into_writes(), Vec::new())?;
    tx.set_setting(RECOVERING, &[])?;
    round.decide_what_can_be()?;
    Ok(())
}

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
    let kept: u64 = tx
        .evidence()?
        .iter()
        .filter(|(of, ..)| *of == node.id)
        .map(|(.., rows)| rows)
        .sum();
    if !is_report && kept + offered.len() as u64 > EVIDENCE_ROWS_MAX {
        return Err(CallRefused::NotAllowed("more rows are offered than are kept").into());
    }
    for row in offered {
        if let FeedRow::State(record) = row {
            tx.put_offer(node.id, feed, record.key, Some(&record))?;
        }
    }
    for key in gone {
        tx.put_offer(node.id, feed, *key, None)?;
    }
    Ok(())
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
    let offers = tx.offers(node.id, feed)?;
    // A node that had read less than the backup holds has nothing that the backup lacks, if it read it of this hub and
    // not of one that has gone on from the same backup.
    let is_here = match read_digest(proof) {
        Some(digest) => tx.may_have_been(feed, proof.sequence, &digest)?,
        None => true,
    };
    let is_older = is_here && session::is_older_proof(proof.sequence, tx.restored_next(feed)?);
    let is_proven =
        is_recovering(tx)? && !is_older && is_proven(tx, app, node, feed, &offers, proof)?;
    let mut adopted = 0;
    if is_proven {
        adopted = adopt(tx, app, node, feed, &offers, now_ms)?;
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
        if tx.unreported()?.is_empty() {
            end(tx, app, now_ms)?;
        } else {
            decide_heard(tx, app, now_ms)?;
        }
    }
    Ok(adopted)
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
        let known = tx.row_hash(key)?;
        if state.is_some_and(|state| Some(state.hash()) == known) {
            tx.drop_offer(node.id, feed, key)?;
        }
    }
    Ok(())
}

/// Decides what has waited for this report and for no other.
fn decide_heard(tx: Tx<'_>, app: &App, now_ms: u64) -> Result<(), HubError> {
    let mut round = Round {
        tx,
        own: app.own,
        app,
        now_ms,
    };
    round.decide_heard()?;
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

/// The digest that a proof names; none in one of a node that has read nothing.
fn read_digest(proof: &wire::Proof) -> Option<Digest> {
    let sum = convert::thirty_two(&proof.sum, "sum").ok()?;
    Some(Digest::from_parts(&sum, proof.count))
}

/// The digest that this hub signed; none where the signature is not its own.
fn signed(
    app: &App,
    node: &Node,
    feed: &str,
    proof: &wire::Proof,
    incarnation: Incarnation,
) -> Option<Digest> {
    let signed = read_digest(proof)?;
    let text = certificate_text(node.office, feed, proof.sequence, &signed, incarnation);
    let key = app.identity.signing_key().verifying_key();
    key.verify(Context::Digest, &text, &proof.hub_signature)
        .ok()
        .map(|()| signed)
}

/// Whether a node holds what this hub has signed and knows nothing of: more of a feed than it has, another feed than
/// it was at that place, or something under an incarnation that it never was. Then it was put back without being told,
/// folder and all.
///
/// What a restored hub was between the backup and its end it learns from the nodes that it has not heard.
///
/// # Errors
/// The store's own.
pub fn is_rewound(
    tx: Tx<'_>,
    app: &App,
    node: &Node,
    held: &[wire::Held],
) -> Result<bool, StoreError> {
    let learns = is_recovering(tx)? || (was_restored(tx)? && tx.unreported()?.contains(&node.id));
    for wire::Held { feed, proof } in held.iter().take(HELD_MAX) {
        let Some(proof) = proof else { continue };
        let Ok(incarnation) = Incarnation::from_slice(&proof.incarnation) else {
            continue;
        };
        let is_present = incarnation == app.own.incarnation;
        if !is_present && is_known(tx, &proof.incarnation)? {
            continue;
        }
        let Some(signed) = signed(app, node, feed, proof, incarnation) else {
            continue;
        };
        if is_present {
            if !has_been(tx, feed, proof.sequence, &signed)? {
                return Ok(true);
            }
        } else if learns {
            know(tx, &proof.incarnation)?;
        } else {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Whether a feed was this at a place, as far as is remembered.
fn has_been(tx: Tx<'_>, feed: &str, at: u64, digest: &Digest) -> Result<bool, StoreError> {
    let head = tx.feed_head(feed)?;
    if head == at {
        return Ok(tx.feed_digest(feed)? == *digest);
    }
    Ok(head > at && tx.may_have_been(feed, at, digest)?)
}

/// The incarnation under which a proof was signed, where it is not the present one. That it was this hub's its
/// signature says: a hub that has lost what it was since the backup knows it from nothing else.
fn former(app: &App, proof: &wire::Proof) -> Option<Incarnation> {
    let incarnation = Incarnation::from_slice(&proof.incarnation).ok()?;
    (incarnation != app.own.incarnation).then_some(incarnation)
}

/// Takes proven rows back, where the hub has not had a newer state from another node.
fn adopt(
    tx: Tx<'_>,
    app: &App,
    node: &Node,
    feed: &str,
    offers: &[(RecordKey, Option<Record>)],
    now_ms: u64,
) -> Result<u64, HubError> {
    let mut writes = Writes::default();
    let mut overtaken = BTreeSet::new();
    let mut count = 0;
    for (key, state) in offers {
        let Some(record) = state else {
            if feed != store::hub::CITY && tx.was_in_feed_at_restore(*key, feed)? {
                writes
                    .leaves
                    .insert((*key, node.office), Leaving::Withdrawn);
                tx.set_parted(node.id, *key, true)?;
            }
            tx.drop_offer(node.id, feed, *key)?;
            continue;
        };
        let known = tx.record(*key)?;
        let judged = session::judge_offer(
            known.as_ref().map(|known| (known.revision, known.hash())),
            (record.revision, record.hash()),
        );
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
                overtaken.extend(written_later(known, record, app.own.node));
            }
            // It went to another office while the hub knew nothing of it.
            if let Some(known) = known.filter(|known| known.office != record.office) {
                let left = (*key, known.office);
                writes.leaves.insert(left, Leaving::Transferred);
            }
            wait_as_noted(record, &mut writes);
            writes
                .records
                .insert(*key, (record.clone(), Mover::Foreign));
            count += 1;
        }
        tx.set_joined(node.id, *key)?;
        tx.drop_offer(node.id, feed, *key)?;
    }
    let mut round = Round {
        tx,
        own: app.own,
        app,
        now_ms,
    };
    round.finish(writes, Vec::new())?;
    round.decide_overtaken(&overtaken)?;
    Ok(count)
}

/// What the hub wrote itself to a record after all that stands in a row that is taken back: it did not know then
/// that it was put back, and somebody was told that it is kept.
fn written_later<'a>(
    known: &'a Record,
    taken_back: &'a Record,
    hub: NodeId,
) -> impl Iterator<Item = ChangeId> + 'a {
    let is_later = move |(number, state): &(&u16, &FieldState)| {
        let there = taken_back.fields.get(number);
        state.version.change.node == hub
            && there.is_none_or(|there| {
                there.version.ordered_at < state.version.ordered_at && there.value != state.value
            })
    };
    let later = known.fields.iter().filter(is_later);
    later.map(|(_, state)| state.version.change)
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
    use domain::id::RecordId;
    use domain::record::{Life, Version};

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
}
