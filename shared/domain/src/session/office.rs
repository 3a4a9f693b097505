//! The node's side: what follows from an answer, where two histories part, what is written anew, and
//! which pending changes are folded.

use std::collections::BTreeMap;

use super::{Head, Standing};
use crate::change::{Body, Change, Hash, Header, Verb};
use crate::id::{ChangeId, NodeId, OfficeId};
use crate::kind::FieldType;
use crate::kinds::{self, organisation};

/// What a node does after it greeted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Next {
    /// Tells a restored hub what it holds, then goes on.
    Report,
    /// Goes on: writes anew what other epochs hold, sends and reads.
    GoOn,
    /// Greets again with its own value at a place where the hub has another.
    Present(Head),
    /// Goes on in this epoch, and greets in it.
    Epoch(u32),
    /// Another machine speaks for the office: sends, and reads nothing.
    Stop,
}

/// What follows from an answer. `known` are the places of the journal of which the hub has told the chain, where
/// its journal ends and what a former hub has decided, each with the node's own chain there; none where the
/// node has less.
pub fn after_greeting(standing: Standing, known: &[(Head, Option<Hash>)]) -> Next {
    match standing {
        Standing::HubRestored => Next::Report,
        Standing::Rewound(epoch) | Standing::Forked(epoch) => Next::Epoch(epoch),
        Standing::Cloned => Next::Stop,
        // The hub has less of the journal than we: where what it knows is not ours, it is shown ours.
        Standing::Agreed => {
            let differs = |(there, own): &(Head, Option<Hash>)| {
                let chain = own.filter(|chain| there.sequence > 0 && *chain != there.chain)?;
                let sequence = there.sequence;
                Some(Head { sequence, chain })
            };
            known
                .iter()
                .find_map(differs)
                .map_or(Next::GoOn, Next::Present)
        }
    }
}

/// Whether the hub is another than the one known: places of its feeds mean nothing any more, and
/// all is read anew. Nothing known: the first greeting.
pub fn reads_anew(known: &[u8], answered: &[u8]) -> bool {
    !known.is_empty() && known != answered
}

/// Whether a page comes after entries that told of removals and were released before the node read them:
/// then it looks at the feed's head for rows that only it has. `told` is up to where entries were released
/// when it read up to `cursor`, `released_through` is now. A first reading has nothing to remove.
pub const fn reads_past_released(cursor: u64, told: u64, released_through: u64) -> bool {
    0 < cursor && cursor < released_through && told != released_through
}

/// The search for the last pending place of an epoch at which the hub has the same history.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Parting {
    places: Vec<u64>,
    common: u64,
    step: usize,
}

impl Parting {
    /// Begins with the pending places, by rising place.
    pub fn new(places: Vec<u64>) -> Self {
        Self {
            places,
            common: 0,
            step: 0,
        }
    }

    /// The next places to ask for, at most `count_max`, evenly spread; none when it is done.
    pub fn ask(&mut self, count_max: usize) -> Option<Vec<u64>> {
        if self.places.is_empty() || self.step == 1 {
            return None;
        }
        self.step = self.places.len().div_ceil(count_max);
        let asked = self.places.iter().copied().skip(self.step - 1);
        Some(asked.step_by(self.step).collect())
    }

    /// Takes the answer: what is common lies before the first place that differs. `own` is the node's
    /// chain at each asked place, `theirs` the hub's where it has one.
    pub fn hear(&mut self, own: &[Head], theirs: &[Head]) {
        let is_common = |head: &&Head| theirs.contains(head);
        if let Some(agreed) = own.iter().take_while(is_common).last() {
            self.common = self.common.max(agreed.sequence);
        }
        let differs = own.iter().find(|head| !is_common(head));
        let (common, differs) = (self.common, differs.map(|head| head.sequence));
        self.places
            .retain(|place| *place > common && differs.is_none_or(|d| *place < d));
    }

    /// The last common place found; 0 where nothing is common.
    pub const fn common(&self) -> u64 {
        self.common
    }
}

/// Under which identity changes are written anew.
#[derive(Debug, Clone, Copy)]
pub struct Heir {
    /// The node in the old ids; zero for what was written before there was an identity.
    pub former: NodeId,
    /// The office that writes now.
    pub office: OfficeId,
}

/// A change as it is written anew: bases inside the rewritten part follow it, and what the hub may
/// have seen says what it replaces (its first place, and the hash of its body there). `renamed` holds
/// the rewritten changes so far.
pub fn rewritten(
    change: Change,
    body_hash: Hash,
    renamed: &BTreeMap<ChangeId, ChangeId>,
    heir: Heir,
) -> (Header, Body) {
    let Change {
        id,
        mut header,
        body,
    } = change;
    let follow = |base: Option<ChangeId>| base.map(|id| *renamed.get(&id).unwrap_or(&id));
    let kind = kinds::by_number(header.kind);
    let names_organisation = |number| {
        let field = kind.and_then(|kind| kind.field(number));
        field.is_some_and(|field| field.of == FieldType::Reference(organisation::KIND_NUMBER))
    };
    let nobody = OfficeId::default().bytes();
    let mut fields = body.fields;
    for field in &mut fields {
        field.base = follow(field.base);
        // What was entered before there was an office is the office's own.
        if field.value == nobody && names_organisation(field.number) {
            field.value = heir.office.bytes().to_vec();
        }
    }
    let body = Body {
        fields,
        life_base: follow(body.life_base),
        ..body
    };
    if heir.former != NodeId::default() {
        header.replaces = header.replaces.or(Some((id, body_hash)));
    }
    (header, body)
}

/// What an answered batch means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sent {
    /// The hub's journal ends with it: what is decided can be folded.
    Taken,
    /// The hub's end of the journal is another: [`go_on_from`] says what follows.
    Elsewhere,
}

/// Judges the answer to a batch that ends at `sent`.
pub fn after_push(sent: Head, received: Head, is_out_of_place: bool) -> Sent {
    if received == sent && !is_out_of_place {
        Sent::Taken
    } else {
        Sent::Elsewhere
    }
}

/// Why a node greets again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GreetAgain {
    /// The hub has less of the journal than before.
    Less,
    /// The hub's journal of this node is another.
    Other,
}

/// Where the next batch begins after the hub answered with another end of the journal: after that,
/// where it is the node's own. `known` is how far the hub was known to be; `own_there` the node's
/// chain at the hub's end.
///
/// # Errors
/// Where another machine writes under this identity, or the hub was put back.
pub fn go_on_from(
    received: Head,
    is_gap: bool,
    known: u64,
    own_there: Option<Hash>,
) -> Result<u64, GreetAgain> {
    if !is_gap && received.sequence < known {
        return Err(GreetAgain::Less);
    }
    if received.sequence == 0 || own_there == Some(received.chain) {
        Ok(received.sequence)
    } else {
        Err(GreetAgain::Other)
    }
}

/// Whether a page is taken: it decides no more of the reader's journal than the hub is `known` to have
/// of it. Where it decides more, the answer to a push was lost, or another machine speaks under this
/// identity: the reader greets, which tells, and reads again. Taken as it is, the page would move the
/// cursor past rows in which changes stand that are still pending here, and nothing would bring those
/// rows again.
pub const fn takes_page(decided_through: u64, known: u64) -> bool {
    decided_through <= known
}

/// Whether a pending change (epoch, sequence) is decided with a page of the present epoch. One of a
/// former epoch is: what of it the hub does not have was written anew before anything is read.
pub const fn is_decided(own_epoch: u32, (epoch, sequence): (u32, u64), through: u64) -> bool {
    epoch != own_epoch || sequence <= through
}

/// What decides whether a plainly applied change is folded with the answer to its push.
#[derive(Debug, Clone, Copy)]
pub struct Applied {
    /// What it does.
    pub verb: Verb,
    /// Whether it is the first pending change of its row.
    pub is_next: bool,
    /// Whether every base of it is the confirmed row's version ([`crate::replay::stands_on`]).
    pub stands_on_confirmed: bool,
}

/// Whether a plainly applied change becomes part of the confirmed row at once. What steps and merges
/// have done stands in other rows too: they wait for the page that brings all, so that nobody acts on
/// the state before.
pub const fn folds_at_once(applied: Applied) -> bool {
    let stands_alone = !matches!(applied.verb, Verb::Step | Verb::Merge | Verb::Unmerge);
    stands_alone && applied.is_next && applied.stands_on_confirmed
}

/// Up to where own changes are folded, from the journal's last place and the first pending one: the
/// hub need not send them back.
pub const fn folded_through(head: u64, first_pending: Option<u64>) -> u64 {
    match first_pending {
        Some(first) => first - 1,
        None => head,
    }
}

/// Whether the digests at a feed's head are compared: there all is read, and what is decided is part of it.
/// Of the office's own feed the page says both of one snapshot; another feed's may be of a later one than
/// the own feed was read to, and then waits until own changes are folded as far as they are decided.
pub const fn compares(is_own_feed: bool, folded: u64, decided: u64) -> bool {
    is_own_feed || folded >= decided
}

/// Whether the salt and body of an own change may be erased: nothing of its record is pending, and
/// the change stands in a backup of the hub, so that the journal is not the only one that has it.
pub const fn may_erase(has_pending: bool, place: u64, durable: u64) -> bool {
    !has_pending && place <= durable
}

/// What a row of a page does to what the node has of its record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fold {
    /// The pending changes (epoch, sequence) that are decided with it.
    pub dropped: Vec<(u32, u64)>,
    /// Whether it becomes the confirmed state: an older one is skipped, never written.
    pub is_taken: bool,
}

/// Judges a row as read, with the page's `through`, against the confirmed state (both in revisions)
/// and the pending changes of the record.
///
/// A skipped row decides pending changes all the same: what is confirmed is later than their
/// decision, or a restored hub knows less, and then the digests differ and the row is repaired.
pub fn fold_row(
    own_epoch: u32,
    pending: Vec<(u32, u64)>,
    through: u64,
    (confirmed, read): (Option<u64>, u64),
) -> Fold {
    let mut dropped = pending;
    dropped.retain(|place| is_decided(own_epoch, *place, through));
    Fold {
        dropped,
        is_taken: confirmed.is_none_or(|confirmed| confirmed <= read),
    }
}
