//! The one authority: takes a batch, stores it verbatim, and decides every change once, in one
//! transaction.

mod arrived;
mod claims;
mod history;
mod own;
mod stored;
mod waiting;

pub use arrived::read_push;
pub(crate) use claims::claim_of;
use history::History;
pub use stored::changes_about;
pub(crate) use stored::touched;
use waiting::Guard;

use domain::change::{Change, Hash, RawChange, chain_over};
use domain::decide::{self, Incoming, Verdict};
use domain::id::{ChangeId, DESK, NodeId, OfficeId, RecordId};
use domain::kinds::set_aside;
use domain::limits;
use domain::record::RecordKey;
use domain::session::hub::{self as session, Arrived, Place};
use domain::world::{Fact, Need, Outcome, World, Writes};
use proto::convert;
use store::hub::{Batch, Journal, Node};
use store::{StoreError, Tx};

use crate::app::{App, Own};
use crate::damaged;
use crate::error::HubError;
use crate::greet;

/// Stored changes that are decided at once: more than the longest group has.
const STORED_PORTION: usize = 512;
/// Changes in a batch of which the hub looks whether they alone moved the feed: a clerk's save.
const LOOKED_AT_MAX: usize = 32;
/// Rounds of deciding what has waited before the rest is left to the next batch.
const WAITING_ROUNDS_MAX: usize = 1_000;

/// A batch whose signature was checked against the sender's key.
#[derive(Debug, Clone)]
pub struct Pushed {
    /// The epoch of the journal.
    pub epoch: u32,
    /// The place of the first change.
    pub first: u64,
    /// Its size unpacked.
    pub raw_bytes: u32,
    /// Compressed, as it came.
    pub bytes: Vec<u8>,
    /// Unpacked.
    pub changes: Vec<RawChange>,
    /// The chain after the last change, as signed.
    pub chain: [u8; 32],
    /// The signature.
    pub signature: Vec<u8>,
}

/// What the hub answers to a batch.
#[derive(Debug, Clone)]
pub struct Taken {
    /// How far the journal goes now.
    pub journal: Journal,
    /// Set where the batch does not follow on.
    pub is_out_of_place: bool,
    /// What was not plainly applied, by place.
    pub verdicts: Vec<(u64, Verdict)>,
    /// Up to where the journal stands in the oldest backup that is kept.
    pub durable: u64,
    /// From where to where this batch moved the office's feed, if nothing else did.
    pub feed: Option<(u64, u64)>,
}

/// Takes a batch in the caller's transaction.
///
/// # Errors
/// An unknown epoch or a chain that does not fit; the store's own.
pub fn take_batch(
    tx: Tx<'_>,
    app: &App,
    node: &Node,
    pushed: &Pushed,
    now_ms: u64,
) -> Result<Taken, HubError> {
    let Some(mut journal) = tx.journal(node.id, pushed.epoch)? else {
        return Err(proto::status::CallRefused::NotAllowed("an epoch that was not offered").into());
    };
    let durable = tx.durable(node.id, pushed.epoch)?;
    let last = pushed.first + pushed.changes.len() as u64 - 1;
    let place = session::place(
        journal.received,
        &Arrived {
            first: pushed.first,
            last,
            chain: pushed.chain,
            chain_if_next: chain_over(journal.chain, &pushed.changes),
            chain_there: greet::chain_at(tx, &journal, last)?,
        },
    );
    match place {
        Place::Next => {}
        Place::OtherHistory => return Err(proto::status::CallRefused::HelloFirst.into()),
        Place::Repeat | Place::Gap => {
            journal.decided_through = session::told_decided(place, journal.decided_through);
            return Ok(Taken {
                journal,
                is_out_of_place: place == Place::Gap,
                verdicts: Vec::new(),
                durable,
                feed: None,
            });
        }
    }
    let undecided = undecided(tx, node, &journal, pushed, now_ms)?;
    let from = feed_head(tx, node.office)?;
    tx.append_batch(
        node.id,
        pushed.epoch,
        &Batch {
            last,
            first: pushed.first,
            received_at: now_ms,
            offset_ms: node.offset_ms,
            raw_bytes: pushed.raw_bytes,
            bytes: pushed.bytes.clone(),
            chain: pushed.chain,
            signature: pushed.signature.clone(),
        },
        &stored::touched(&pushed.changes),
    )?;
    journal.received = last;
    journal.chain = pushed.chain;
    if journal.is_kept_only {
        tx.put_journal(&journal)?;
        return Ok(Taken {
            journal,
            is_out_of_place: false,
            verdicts: Vec::new(),
            durable,
            feed: None,
        });
    }
    let decided = decide_ready(tx, app, &mut journal, (node.office, &undecided), now_ms)?;
    let verdicts: Vec<_> = decided
        .into_iter()
        .filter(|(_, verdict)| *verdict != Verdict::Applied)
        .collect();
    let is_small = pushed.changes.len() <= LOOKED_AT_MAX && verdicts.is_empty();
    let feed = if is_small {
        let to = feed_head(tx, node.office)?;
        (!tx.moved_by_others(&feed_name(node.office), from)?).then_some((from, to))
    } else {
        None
    };
    Ok(Taken {
        journal,
        is_out_of_place: false,
        verdicts,
        durable,
        feed,
    })
}

fn feed_name(office: OfficeId) -> String {
    format!("office/{office}")
}

fn feed_head(tx: Tx<'_>, office: OfficeId) -> Result<u64, StoreError> {
    let heads = tx.heads(&[feed_name(office)])?;
    Ok(heads.first().map_or(0, |head| head.sequence))
}

/// Decides changes of a journal in order, and notes how far it is decided; nothing while the hub
/// recovers and has not heard every machine of the office.
fn decide_ready(
    tx: Tx<'_>,
    app: &App,
    journal: &mut Journal,
    (office, undecided): (OfficeId, &[Undecided]),
    now_ms: u64,
) -> Result<Vec<(u64, Verdict)>, HubError> {
    let mut round = Round::new(tx, app, now_ms);
    let mut guard = Guard::new(tx, true)?;
    let ready = if guard.stops(office) { &[] } else { undecided };
    let history = journal.proven.sequence;
    let (writes, decided) = round.decide_all(&mut guard, office, ready, history)?;
    journal.decided_through += decided.len() as u64;
    tx.put_journal(journal)?;
    round.finish(writes, Vec::new())?;
    let is_history = |part: &Undecided| session::is_history(part.id.sequence, history);
    if ready.first().is_some_and(is_history) {
        // What waited when the hub was restored has its bytes again.
        round.decide_what_can_be()?;
    }
    let keys = ready.iter().take(decided.len()).filter_map(Undecided::key);
    round.decide_passed_over(keys)?;
    Ok(decided)
}

/// Decides the next portion of what is stored and undecided of a journal; how many changes that was.
///
/// # Errors
/// The store's own.
pub fn decide_stored(
    tx: Tx<'_>,
    app: &App,
    node: NodeId,
    epoch: u32,
    now_ms: u64,
) -> Result<u64, HubError> {
    let (Some(mut journal), Some(sender)) = (tx.journal(node, epoch)?, tx.node(node)?) else {
        return Ok(0);
    };
    let stored = stored_after(tx, &journal)?;
    let sent = (sender.office, stored.as_slice());
    let decided = decide_ready(tx, app, &mut journal, sent, now_ms)?;
    Ok(decided.len() as u64)
}

/// A change as it came.
///
/// # Errors
/// The store's own.
pub fn stored_change(tx: Tx<'_>, app: &App, id: ChangeId) -> Result<Option<Change>, HubError> {
    let round = Round::new(tx, app, 0);
    Ok(round.stored(id)?.map(|(change, ..)| change))
}

/// The first changes of a journal that are stored and undecided: more than the longest group.
fn stored_after(tx: Tx<'_>, journal: &Journal) -> Result<Vec<Undecided>, HubError> {
    let mut undecided = Vec::new();
    let mut from = journal.decided_through + 1;
    while from <= journal.received && undecided.len() < STORED_PORTION {
        let batches = tx.batches_from(journal.node, journal.epoch, from, 1)?;
        let Some(batch) = batches.first() else { break };
        let changes = convert::decode_batch(&batch.bytes, batch.raw_bytes, usize::MAX)?;
        for (sequence, raw) in (batch.first..).zip(changes) {
            if sequence >= from {
                undecided.push(Undecided {
                    id: ChangeId {
                        node: journal.node,
                        epoch: journal.epoch,
                        sequence,
                    },
                    raw,
                    received_ms: batch.received_at,
                    offset_ms: batch.offset_ms,
                    waited_in: None,
                });
            }
        }
        from = batch.last + 1;
    }
    Ok(undecided)
}

/// A change that is still to be decided, with its arrival.
struct Undecided {
    id: ChangeId,
    raw: RawChange,
    received_ms: u64,
    offset_ms: i64,
    /// The note under which it has waited, if it has.
    waited_in: Option<RecordId>,
}

impl Undecided {
    /// The change, if its bytes can be read.
    fn read(&self) -> Option<Change> {
        convert::decode_change(self.id, &self.raw).ok()
    }
}

/// The tail that an incomplete group left, and the new changes.
fn undecided(
    tx: Tx<'_>,
    node: &Node,
    journal: &Journal,
    pushed: &Pushed,
    now_ms: u64,
) -> Result<Vec<Undecided>, HubError> {
    let mut undecided = stored_after(tx, journal)?;
    let reached = undecided
        .last()
        .map_or(journal.decided_through, |last| last.id.sequence);
    if reached < journal.received {
        // More is stored than is decided at once: the new changes wait their turn.
        return Ok(undecided);
    }
    let place = |sequence| ChangeId {
        node: node.id,
        epoch: pushed.epoch,
        sequence,
    };
    for (sequence, raw) in (pushed.first..).zip(&pushed.changes) {
        undecided.push(Undecided {
            id: place(sequence),
            raw: raw.clone(),
            received_ms: now_ms,
            offset_ms: node.offset_ms,
            waited_in: None,
        });
    }
    Ok(undecided)
}

/// What is decided together with a change, itself first: only what says that it belongs to its group;
/// where another change follows too early, the group is broken, and the other change is not of it.
/// None where the group is not whole yet.
fn unit_from(first: Change, tail: &[Undecided]) -> Option<Vec<Change>> {
    let Some(group) = first.header.group else {
        return Some(vec![first]);
    };
    let size = group.size as usize;
    let mut unit = vec![first];
    let others = tail.iter().map(Undecided::read);
    let is_of_group = |change: &Change| change.header.group == Some(group);
    unit.extend(
        others
            .take(size.saturating_sub(1))
            .map_while(|change| change.filter(is_of_group)),
    );
    (unit.len() >= size || unit.len() <= tail.len()).then_some(unit)
}

/// One transaction's decisions.
pub(crate) struct Round<'a> {
    tx: Tx<'a>,
    own: Own,
    app: &'a App,
    now_ms: u64,
}

impl<'a> Round<'a> {
    /// Begins one in a transaction, as the hub is now, at a moment of its clock (Unix milliseconds).
    pub(crate) fn new(tx: Tx<'a>, app: &'a App, now_ms: u64) -> Self {
        Self {
            tx,
            own: app.own,
            app,
            now_ms,
        }
    }

    /// Decides changes in order, up to an incomplete group, to one of which another office may still tell what became
    /// of it, or to one that reads a damaged row; those that must wait are left waiting.
    fn decide_all(
        &mut self,
        guard: &mut Guard,
        office: OfficeId,
        undecided: &[Undecided],
        history_through: u64,
    ) -> Result<(Writes, Vec<(u64, Verdict)>), HubError> {
        let mut world = self.new_world(0)?;
        let mut verdicts = Vec::with_capacity(undecided.len());
        let mut rest = undecided;
        while let Some((first, tail)) = rest.split_first() {
            let mut decided_for = office;
            if session::is_history(first.id.sequence, history_through) {
                match self.history(first, office)? {
                    History::Unclear => break,
                    History::Again(office) => decided_for = office,
                    History::Had => {
                        verdicts.push((first.id.sequence, Verdict::Applied));
                        rest = tail;
                        continue;
                    }
                }
            }
            let is_desks_again = decided_for == DESK && office != DESK;
            let office = decided_for;
            let Some(change) = first.read() else {
                decide::set_unreadable_aside(&mut world, first.id, office, first.received_ms);
                verdicts.push((first.id.sequence, Verdict::SetAside("unreadable")));
                rest = tail;
                continue;
            };
            if is_desks_again {
                let (kind, id) = (change.header.kind, change.header.record);
                let (key, now_ms) = (RecordKey { kind, id }, self.now_ms);
                let keep = |world: &mut World| decide::keep_at_desk(world, key, now_ms);
                if damaged::noted(self.tx, self.with_facts(&mut world, keep))?.is_none() {
                    break;
                }
            }
            let Some(unit) = unit_from(change, tail) else {
                break;
            };
            let (parts, after) = rest.split_at(unit.len());
            let decided = if guard.waits(self.tx, office, &unit)? {
                for change in &unit {
                    self.supply_replaced(&mut world, change, office)?;
                }
                let incoming = incoming(office, parts, &unit);
                self.with_facts(&mut world, |world| decide::let_wait(world, &incoming))
                    .map_err(HubError::from)
            } else {
                self.decide_unit(&mut world, office, parts, &unit)
            };
            // Until that row is mended it is stored, and so is what follows it.
            let Some(decided) = damaged::noted(self.tx, decided)? else {
                break;
            };
            let places = parts.iter().map(|part| part.id.sequence);
            verdicts.extend(places.zip(decided));
            rest = after;
        }
        Ok((world.into_writes(), verdicts))
    }

    /// Decides a change, or all changes of a group together.
    fn decide_unit(
        &mut self,
        world: &mut World,
        office: OfficeId,
        parts: &[Undecided],
        unit: &[Change],
    ) -> Result<Vec<Verdict>, HubError> {
        for change in unit {
            self.supply_replaced(world, change, office)?;
            self.supply_overwritten(world, change)?;
        }
        let incoming = incoming(office, parts, unit);
        let Some(group) = unit.first().and_then(|change| change.header.group) else {
            return Ok(self.with_facts(world, |world| {
                incoming
                    .iter()
                    .map(|incoming| decide::decide(world, incoming))
                    .collect()
            })?);
        };
        let bytes: usize = parts
            .iter()
            .map(|part| part.raw.header.len() + part.raw.body.len())
            .sum();
        let is_whole = bytes <= limits::GROUP_BYTES_MAX && unit.len() == group.size as usize;
        Ok(self.with_facts(world, |world| {
            if is_whole {
                decide::decide_group(world, &incoming)
            } else {
                decide::set_group_aside(world, &incoming, "group_broken")
            }
        })?)
    }

    /// A change that says what it replaces is a repeat where the hub has the old one itself, from a
    /// machine of the same office: its answer was lost before the machine was enrolled again. So it is
    /// where a restored hub has lost the old one, or the machine with all its journals, and its record
    /// has come back with this change in it, or a later one, or the note that it was set aside.
    fn supply_replaced(
        &self,
        world: &mut World,
        change: &Change,
        office: OfficeId,
    ) -> Result<(), HubError> {
        let Some((old, body)) = change.header.replaces else {
            return Ok(());
        };
        let known = match self.tx.node(old.node)? {
            Some(node) if node.office != office => None,
            Some(_) if self.raw_stored(old)?.is_some() => self.counts_as(old, body)?,
            _ => {
                let key = RecordKey {
                    kind: change.header.kind,
                    id: change.header.record,
                };
                let shown = self.tx.record(key)?;
                let shown = shown.and_then(|record| session::counts_in(old, &record));
                let is_known = shown.is_some() || self.was_set_aside(old)?;
                is_known.then_some(Outcome::Merged(old))
            }
        };
        if known.is_some() {
            world.supply(Fact::Outcome(decide::replaced(old, &body), 0, known));
        }
        Ok(())
    }

    /// Whether a note says that a change was set aside, and waits for nothing.
    fn was_set_aside(&self, change: ChangeId) -> Result<bool, StoreError> {
        let note = RecordKey {
            kind: set_aside::KIND_NUMBER,
            id: decide::set_aside_id(change),
        };
        let note = self.tx.record(note)?;
        Ok(note.is_some_and(|note| note.text(set_aside::STATE) != Some("waiting")))
    }

    fn counts_as(&self, old: ChangeId, body: Hash) -> Result<Option<Outcome>, HubError> {
        let Some(journal) = self.tx.journal(old.node, old.epoch)? else {
            return Ok(None);
        };
        let stored = self.raw_stored(old)?;
        let has_same_body = stored.is_some_and(|(raw, _)| raw.body_hash() == body);
        Ok(session::counts_as(
            old,
            journal.decided_through,
            has_same_body,
        ))
    }

    /// A world whose hub changes begin after `taken` further places of the hub's journal.
    pub(crate) fn new_world(&self, taken: u64) -> Result<World, StoreError> {
        let received = self
            .tx
            .journal(self.own.node, self.own.epoch)?
            .map_or(0, |journal| journal.received);
        Ok(World::new(self.own.change(received + 1 + taken)))
    }

    /// Runs a decision, supplying the facts that it asks for.
    pub(crate) fn with_facts<T>(
        &self,
        world: &mut World,
        mut decide: impl FnMut(&mut World) -> Result<T, Need>,
    ) -> Result<T, StoreError> {
        loop {
            match decide(world) {
                Ok(decided) => return Ok(decided),
                Err(need) => world.supply(self.tx.fact(need)?),
            }
        }
    }

    /// Writes what was decided, with the hub's own journal, and decides what has waited for it.
    pub(crate) fn finish(
        &mut self,
        writes: Writes,
        desk: Vec<(domain::change::Header, domain::change::Body)>,
    ) -> Result<(), HubError> {
        let mut writes = writes;
        let mut desk = desk;
        for _ in 0..WAITING_ROUNDS_MAX {
            self.tx.apply(&writes, self.now_ms)?;
            crate::leases::book_letters(self.tx, &writes)?;
            self.append_own(&std::mem::take(&mut desk), &writes.hub_changes)?;
            // What is decided of them takes the next places of the hub's journal: those behind what stands there now.
            if let Some(alarms) = self.write_claims(&writes)? {
                self.finish(alarms, Vec::new())?;
            }
            let mut waiting = Vec::new();
            for key in &writes.created {
                waiting.extend(self.tx.waiting_for(*key)?);
            }
            if waiting.is_empty() {
                return Ok(());
            }
            writes = self.decide_waiting(&waiting)?;
        }
        Ok(())
    }

    /// A change as it is stored, with the office of its node.
    pub(crate) fn stored(
        &self,
        id: ChangeId,
    ) -> Result<Option<(Change, OfficeId, Batch)>, HubError> {
        let Some((raw, batch)) = self.raw_stored(id)? else {
            return Ok(None);
        };
        let office = self.office_of(id)?;
        Ok(Some((convert::decode_change(id, &raw)?, office, batch)))
    }

    /// The office of the node that made a change.
    fn office_of(&self, id: ChangeId) -> Result<OfficeId, StoreError> {
        let node = self.tx.node(id.node)?;
        Ok(node.map_or(domain::id::DESK, |node| node.office))
    }

    /// The bytes of a change as they came, with their batch.
    fn raw_stored(&self, id: ChangeId) -> Result<Option<(RawChange, Batch)>, HubError> {
        let Some(batch) = self.tx.batch_of(id)? else {
            return Ok(None);
        };
        let changes = convert::decode_batch(&batch.bytes, batch.raw_bytes, usize::MAX)?;
        let place = usize::try_from(id.sequence - batch.first).unwrap_or(usize::MAX);
        Ok(changes.into_iter().nth(place).map(|raw| (raw, batch)))
    }
}

fn incoming<'a>(office: OfficeId, parts: &[Undecided], unit: &'a [Change]) -> Vec<Incoming<'a>> {
    let of = |(part, change): (&Undecided, &'a Change)| Incoming {
        change,
        office,
        received_ms: part.received_ms,
        offset_ms: part.offset_ms,
        waited_in: part.waited_in,
    };
    parts.iter().zip(unit).map(of).collect()
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests;
