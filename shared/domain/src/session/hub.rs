//! The hub's side: who greets, where its journal stands, what a batch is at its place, what a feed
//! leaves out, and what a restored hub takes back.

use super::{Head, Standing};
use crate::change::Hash;
use crate::digest::RowHash;
use crate::id::{ChangeId, NodeId};
use crate::record::Record;
use crate::world::Outcome;

/// What the nonces say of the machine that greets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lineage {
    /// This very greeting was heard before: a lost answer or a late copy. Nothing is noted.
    Repeats,
    /// It goes on from its last greeting.
    GoesOn,
    /// It begins, or goes on from an older greeting: its store was rewound, or it is a copy.
    Branches,
}

/// Judges a pair of nonces (confirmed, proposed) by those that were heard in the same epoch, in any
/// order. `sync.md` 4: an exact pair is a repeat; a confirmed nonce with another partner is a branch.
pub fn lineage(known: &[(Vec<u8>, Vec<u8>)], (confirmed, proposed): (&[u8], &[u8])) -> Lineage {
    if known.iter().any(|(c, p)| c == confirmed && p == proposed) {
        return Lineage::Repeats;
    }
    let is_proposed = known.iter().any(|(_, p)| p == confirmed);
    let is_used = known.iter().any(|(c, _)| c == confirmed);
    if is_proposed && !is_used {
        Lineage::GoesOn
    } else {
        Lineage::Branches
    }
}

/// Whether an epoch of which the hub knows nothing is one that a restore has lost: it is later than
/// every known one, and the hub was ever restored. Whether this node has told since then what it holds
/// does not count: of two machines with one folder, only one may have.
pub const fn is_lost_epoch(epoch: u32, greatest: u32, was_restored: bool) -> bool {
    epoch > greatest && was_restored
}

/// How far a former hub is proven to have decided a journal, which can be further than the hub has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Proven {
    /// The last place that it decided; zero where nothing is proven.
    pub sequence: u64,
    /// The node's chain there, as it told with the proof; none where it did not.
    pub chain: Option<Hash>,
}

/// What is known when a node greets.
#[derive(Debug, Clone, Copy)]
pub struct Greeted {
    /// Whether the hub recovers and has not heard this node yet.
    pub is_unheard: bool,
    /// Whether the journal is kept and not applied.
    pub is_kept_only: bool,
    /// The last place that the hub has of the journal.
    pub received: u64,
    /// What a former hub is proven to have decided of it.
    pub proven: Proven,
    /// The end of the node's journal, as it says.
    pub head: Head,
    /// The chain of the hub's journal at that place; none where the hub does not have it.
    pub chain_there: Option<Hash>,
    /// The epoch that is offered where one is needed ([`offered`]).
    pub offered: u32,
}

/// Where a greeting stands, in the order of the restore table. What is proven counts as had: a node that has
/// less was put back after it gave the proof, and what it writes at those places would pass for what was decided.
pub fn standing(greeted: &Greeted) -> Standing {
    if greeted.is_unheard {
        return Standing::HubRestored;
    }
    if greeted.is_kept_only {
        return Standing::Cloned;
    }
    let (head, proven) = (greeted.head, greeted.proven);
    let agrees = if head.sequence <= greeted.received {
        greeted.chain_there == Some(head.chain)
    } else {
        head.sequence != proven.sequence || proven.chain.is_none_or(|chain| chain == head.chain)
    };
    match (
        agrees,
        head.sequence >= greeted.received.max(proven.sequence),
    ) {
        (true, true) => Standing::Agreed,
        (true, false) => Standing::Rewound(greeted.offered),
        (false, _) => Standing::Forked(greeted.offered),
    }
}

/// The epoch to offer: the one that is offered already and in which nobody has greeted, so that a
/// lost answer makes no further one; else the next after all that are known. Never one before the epoch in
/// which the machine speaks: a backup may hold an offer that it went past since.
pub const fn offered(unused: Option<u32>, greatest: u32, claimed: u32) -> u32 {
    match unused {
        Some(epoch) if epoch > claimed => epoch,
        _ => greatest.saturating_add(1),
    }
}

/// How many offers of one machine's epochs a hub can have forgotten.
const FORGOTTEN_MAX: u32 = 64;

/// The epoch to offer to a machine that greets in one of which the hub knows nothing, and has forgotten
/// nothing as far as it knows: its database was put back unnoticed, together with the offer. It is later
/// than any that either knows, and the same one again where that answer was lost. None where so many
/// offers cannot be missing: nobody made them.
pub fn offered_beyond(unused: Option<u32>, greatest: u32, claimed: u32) -> Option<u32> {
    let is_possible = claimed > 0 && claimed.saturating_sub(greatest) <= FORGOTTEN_MAX;
    let unused = unused.filter(|unused| *unused > claimed);
    let offered = unused.or_else(|| greatest.max(claimed).checked_add(1))?;
    is_possible.then_some(offered)
}

/// Whether this greeting proves that there are two machines: the one whose journal is the hub's
/// greets although later epochs are in use. What comes in those is kept and not applied from now on,
/// and its machine reads nothing, until a person names the office's (ADR 0013).
pub fn proves_copies(lineage: Lineage, standing: Standing) -> bool {
    lineage != Lineage::Branches && standing == Standing::Agreed
}

/// A batch's place and the chains that decide what it is.
#[derive(Debug, Clone, Copy)]
pub struct Arrived {
    /// The place of the first change (from 1).
    pub first: u64,
    /// The place of the last.
    pub last: u64,
    /// The chain after the last, as its writer signed it.
    pub chain: Hash,
    /// The chain that these changes give after the hub's end of the journal.
    pub chain_if_next: Hash,
    /// The chain of the hub's journal at `last`; none where the hub does not have it.
    pub chain_there: Option<Hash>,
}

/// What a batch is at its place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// The next changes: they are taken.
    Next,
    /// Known already: the answer was lost, or the call came late. Nothing changes.
    Repeat,
    /// It does not follow on; the sender goes on where the hub stands.
    Gap,
    /// The same places with other changes: the sender greets again.
    OtherHistory,
}

/// Judges a batch by the hub's last place of its journal.
pub fn place(received: u64, arrived: &Arrived) -> Place {
    if arrived.first == received + 1 {
        // The signature fits and the chain does not: the sender's history is another than the hub's.
        return if arrived.chain_if_next == arrived.chain {
            Place::Next
        } else {
            Place::OtherHistory
        };
    }
    if arrived.last > received {
        return Place::Gap;
    }
    // The same places with other changes are another history, not a repeat.
    if arrived.chain_there == Some(arrived.chain) {
        Place::Repeat
    } else {
        Place::OtherHistory
    }
}

/// How far an answer says that the sender's changes are decided. The verdicts of a repeat were in
/// the first answer: what the node has not folded then comes with its rows.
pub const fn told_decided(place: Place, decided_through: u64) -> u64 {
    match place {
        Place::Next => decided_through,
        Place::Repeat | Place::Gap | Place::OtherHistory => 0,
    }
}

/// Whether a stored change is decided at once: not in the journal of a copied machine, and not while
/// it concerns an office of which a restored hub has not heard.
pub const fn decides(is_kept_only: bool, concerns_unheard: bool) -> bool {
    !is_kept_only && !concerns_unheard
}

/// Whether a change has had its effect before the hub was restored.
pub const fn is_history(sequence: u64, history_through: u64) -> bool {
    sequence <= history_through
}

/// What a change that says what it replaces counts as: as the old one, where the hub has decided
/// that itself (up to `decided_through` of its journal) and it has the same body.
pub fn counts_as(old: ChangeId, decided_through: u64, has_same_body: bool) -> Option<Outcome> {
    (old.sequence <= decided_through && has_same_body).then_some(Outcome::Merged(old))
}

/// What a change that says what it replaces counts as, where the hub has lost the old journal whole:
/// as the old one, where its record came back with that change in it, or a later one of that journal.
pub fn counts_in(old: ChangeId, record: &Record) -> Option<Outcome> {
    let of_fields = record.fields.values().map(|field| field.version.change);
    let mut versions = of_fields.chain([record.life_version.change]);
    let is_after = |version: ChangeId| {
        (version.node, version.epoch) == (old.node, old.epoch) && version.sequence >= old.sequence
    };
    versions.any(is_after).then_some(Outcome::Merged(old))
}

/// Whether a node may read: its epoch is known and is not a copied machine's.
pub fn may_read(is_kept_only: Option<bool>) -> bool {
    is_kept_only == Some(false)
}

/// Whether a node may compare feeds, ask for rows and report: as one that may read; and to a restored hub
/// also in an epoch that it has lost, for it is to hear of it.
pub fn may_reconcile(is_kept_only: Option<bool>, is_recovering: bool) -> bool {
    may_read(is_kept_only) || (is_recovering && is_kept_only.is_none())
}

/// Where reading begins: at a place that the feed never had, from zero (the hub was put back, or the
/// cursor is nobody's).
pub const fn read_from(cursor: u64, head: u64) -> u64 {
    if head < cursor { 0 } else { cursor }
}

/// Whether a tombstone or an entry that tells of a removal is released: it has stood since `since`
/// for [`crate::limits::TOMBSTONE_MS_MIN`], and every reader has acknowledged its place in the feed
/// (`sync.md` 9).
pub const fn is_released(since_ms: u64, now_ms: u64, place: u64, acknowledged: u64) -> bool {
    now_ms.saturating_sub(since_ms) >= crate::limits::TOMBSTONE_MS_MIN && place <= acknowledged
}

/// A cursor that a node has shown, and when it was noted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Acknowledged {
    /// The place.
    pub sequence: u64,
    /// When (milliseconds since 1970).
    pub at: u64,
}

/// Whether a shown cursor is noted as what the node acknowledges: at once where it is the first, or
/// lower than the one known (the node was put back: the greater one lapses), else hourly at most, so
/// that reading does not write.
pub fn notes_cursor(known: Option<Acknowledged>, shown: u64, now_ms: u64) -> bool {
    known.is_none_or(|known| {
        let is_old = now_ms.saturating_sub(known.at) >= crate::limits::ACKNOWLEDGED_MS_MIN;
        shown < known.sequence || (shown > known.sequence && is_old)
    })
}

/// How a record stands in a feed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct InFeed {
    /// The last place that must not be hidden from its writer ([`foreign_before`]).
    pub foreign_sequence: u64,
    /// The plainly applied change that moved it last; none where anything else did.
    pub own: Option<ChangeId>,
    /// Whether it has left the feed.
    pub has_left: bool,
}

/// Who reads, and what of its own journal it has folded into its rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reader {
    /// The node.
    pub node: NodeId,
    /// Its epoch.
    pub epoch: u32,
    /// Its last own change up to which all are folded.
    pub folded_through: u64,
    /// The place of the feed's head when it last read up to it: it has seen every move up to there. Of what
    /// lies behind, up to its cursor, it has seen only what still stood there.
    pub whole_through: u64,
}

/// Whether a record's last move is only the reader's echo, to be left out: own changes of the same
/// (node, epoch), folded, and nothing else since it has last seen every move.
pub fn is_echo(entry: &InFeed, reader: &Reader) -> bool {
    entry.foreign_sequence <= reader.whole_through
        && !entry.has_left
        && entry.own.is_some_and(|change| {
            change.node == reader.node
                && change.epoch == reader.epoch
                && change.sequence <= reader.folded_through
        })
}

/// The last place that an own move must not hide from its writer: the last foreign move, or the move
/// of another journal (another machine of the office, or another epoch). `before` is the record's
/// last place, its last foreign place, and the journal that moved it last.
pub fn foreign_before(before: (u64, u64, Option<(NodeId, u32)>), own: ChangeId) -> u64 {
    let (sequence, foreign_sequence, journal) = before;
    match journal {
        Some(journal) if journal != (own.node, own.epoch) => sequence,
        _ => foreign_sequence,
    }
}

/// Whether a proof is older than the backup: its node had read less than the backup holds, so that
/// it has nothing that the backup lacks. `restored_next` is the feed's next place in the backup.
pub const fn is_older_proof(proof_sequence: u64, restored_next: u64) -> bool {
    proof_sequence.saturating_add(1) < restored_next
}

/// What becomes of an offered row that is proven.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Offer {
    /// The hub takes it back.
    TakenBack,
    /// The hub has exactly this.
    Known,
    /// Another node brought a later state: this one stays as evidence.
    Evidence,
}

/// Judges a proven row by the hub's own of the same record, each as (revision, hash).
pub fn judge_offer(known: Option<(u64, RowHash)>, offered: (u64, RowHash)) -> Offer {
    match known {
        None => Offer::TakenBack,
        Some((revision, _)) if revision < offered.0 => Offer::TakenBack,
        Some((_, hash)) if hash == offered.1 => Offer::Known,
        Some(_) => Offer::Evidence,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::{ACKNOWLEDGED_MS_MIN, TOMBSTONE_MS_MIN};

    #[test]
    fn a_removal_is_told_for_400_days_and_until_everybody_has_heard_it() {
        let (since, place) = (1_000, 7);
        let old = since + TOMBSTONE_MS_MIN;
        assert!(is_released(since, old, place, place));
        assert!(!is_released(since, old - 1, place, place));
        assert!(!is_released(since, old, place, place - 1));
        // A clock that went back releases nothing.
        assert!(!is_released(since, 0, place, place));
    }

    #[test]
    fn a_cursor_is_noted_seldom_unless_it_went_back() {
        let known = |sequence| {
            Some(Acknowledged {
                sequence,
                at: 1_000,
            })
        };
        assert!(notes_cursor(None, 0, 1_000));
        assert!(notes_cursor(known(5), 4, 1_000), "the node was put back");
        assert!(!notes_cursor(known(5), 6, 1_000 + ACKNOWLEDGED_MS_MIN - 1));
        assert!(notes_cursor(known(5), 6, 1_000 + ACKNOWLEDGED_MS_MIN));
        assert!(!notes_cursor(known(5), 5, u64::MAX));
    }
}
