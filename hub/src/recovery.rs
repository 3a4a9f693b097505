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

use domain::decide::{complete_move, keep_at_desk};
use domain::digest::{Digest, certificate_text};
use domain::id::{Incarnation, OfficeId};
use domain::kind::Class;
use domain::record::RecordKey;
use domain::world::World;
use proto::convert;
use proto::wire::sync as wire;
use store::hub::Node;
use store::{StoreError, Tx};
use transport::sign::Context;

use crate::app::{App, Own};
use crate::authority::Round;
use crate::error::HubError;

mod report;

pub use report::{drop_answered_evidence, take_offers, take_proof};

/// Feeds of which a node says in its greeting what it holds.
const HELD_MAX: usize = 4;
/// Since when the hub recovers; empty while it does not.
const RECOVERING: &str = "recovering";
/// Where the hub was put back by `restore`, the incarnation that the backup is of: it has decided nothing between the
/// backup and that moment. Else empty.
const TOLD: &str = "restored_by_command";
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
    /// has not been heard: it may know more of the record than the hub. Members and cases move from office to
    /// office: whoever has not been heard may hold one that stood elsewhere in the backup.
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
            let class = domain::kinds::by_number(key.kind).map(|kind| kind.class);
            let moves = matches!(class, Some(Class::Held | Class::Case));
            if moves && !self.offices.is_empty() && tx.record(*key)?.is_some() {
                return Ok(true);
            }
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

/// Every incarnation that the hub is known to have been, the present one first.
///
/// # Errors
/// The store's own.
pub fn incarnations(tx: Tx<'_>, own: &Own) -> Result<Vec<Incarnation>, StoreError> {
    let former = tx.setting(FORMER)?.unwrap_or_default();
    let former = former.chunks(16).flat_map(Incarnation::from_slice);
    Ok(std::iter::once(own.incarnation).chain(former).collect())
}

/// Notes an incarnation as one that the hub was.
fn know(tx: Tx<'_>, incarnation: &[u8]) -> Result<(), StoreError> {
    let known = tx.setting(FORMER)?.unwrap_or_default();
    tx.set_setting(FORMER, &[known.as_slice(), incarnation].concat())
}

/// How a hub came to be older than its nodes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PutBack {
    /// By `restore`: what it has is what the backup had.
    Told,
    /// Its folder was put back, or its disk has lost something, and it went on from there.
    Unnoticed,
}

/// Makes a store that was just put back from a backup a recovering hub: another incarnation, another
/// epoch of its own journal, nobody heard yet.
///
/// # Errors
/// The store's own.
pub fn begin(tx: Tx<'_>, own: &Own, how: PutBack, now_ms: u64) -> Result<(), StoreError> {
    let before = tx.setting("incarnation")?.unwrap_or_default();
    let told: &[u8] = if how == PutBack::Told { &before } else { &[] };
    tx.set_setting(TOLD, told)?;
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
    let mut round = Round::new(tx, app, now_ms);
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

/// Whether what a node has read under an incarnation goes on from the backup as it is: the hub was put back by
/// `restore`, and the backup is not of a hub that had itself been put back from before that, and had gone on another
/// way since.
///
/// # Errors
/// The store's own.
pub fn goes_on_from_backup(tx: Tx<'_>, incarnation: &[u8]) -> Result<bool, StoreError> {
    let told = tx.setting(TOLD)?.unwrap_or_default();
    let Ok(of_backup) = Incarnation::from_slice(&told) else {
        return Ok(!told.is_empty());
    };
    let of_backup = of_backup.bytes();
    let known = tx.setting(FORMER)?.unwrap_or_default();
    let left = known.chunks(of_backup.len());
    let mut left = left.take_while(|known| *known != of_backup);
    Ok(!left.any(|known| known == incarnation))
}
