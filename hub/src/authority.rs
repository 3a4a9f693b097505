//! The one authority: takes a batch, stores it verbatim, and decides every change once, in one
//! transaction.

mod own;
mod stored;

pub use stored::each_stored;

use domain::change::{Change, RawChange, chain_over};
use domain::decide::{self, Incoming, Verdict};
use domain::id::{ChangeId, NodeId, OfficeId};
use domain::limits;
use domain::session::hub::{self as session, Arrived, Place};
use domain::world::{Fact, Need, Waiting, World, Writes};
use proto::convert;
use store::hub::{Batch, Journal, Node};
use store::{StoreError, Tx};

use crate::app::{App, Own};
use crate::error::HubError;
use crate::greet;
use crate::recovery::{self, Unheard};

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

/// Decides changes of a journal in order, and notes how far it is decided; while the hub recovers, up
/// to the first that concerns an office which has not been heard.
fn decide_ready(
    tx: Tx<'_>,
    app: &App,
    journal: &mut Journal,
    (office, undecided): (OfficeId, &[Undecided]),
    now_ms: u64,
) -> Result<Vec<(u64, Verdict)>, HubError> {
    let mut round = Round {
        tx,
        own: app.own,
        app,
        now_ms,
    };
    let ready = match recovery::unheard(tx)? {
        Some(unheard) => ready(tx, &unheard, (office, undecided))?,
        None => undecided,
    };
    let (writes, decided) = round.decide_all(office, ready, journal.history_through)?;
    journal.decided_through += decided.len() as u64;
    tx.put_journal(journal)?;
    round.finish(writes, Vec::new())?;
    Ok(decided)
}

/// The changes before the first that concerns an office which a recovering hub has not heard.
fn ready<'a>(
    tx: Tx<'_>,
    unheard: &Unheard,
    (office, undecided): (OfficeId, &'a [Undecided]),
) -> Result<&'a [Undecided], HubError> {
    let mut count = 0;
    for part in undecided {
        let keys = convert::decode_change(part.id, &part.raw)
            .map(|change| recovery::named_by(&change))
            .unwrap_or_default();
        if !session::decides(false, unheard.is_concerned(tx, office, &keys)?) {
            break;
        }
        count += 1;
    }
    Ok(undecided.get(..count).unwrap_or_default())
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
    let round = Round {
        tx,
        own: app.own,
        app,
        now_ms: 0,
    };
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
        });
    }
    Ok(undecided)
}

/// The group that a change says it belongs to.
fn group_of(part: &Undecided) -> Option<domain::change::Group> {
    convert::decode_change(part.id, &part.raw)
        .ok()?
        .header
        .group
}

/// One transaction's decisions.
pub(crate) struct Round<'a> {
    pub(crate) tx: Tx<'a>,
    pub(crate) own: Own,
    pub(crate) app: &'a App,
    pub(crate) now_ms: u64,
}

impl Round<'_> {
    /// Decides changes in order, up to an incomplete group.
    fn decide_all(
        &mut self,
        office: OfficeId,
        undecided: &[Undecided],
        history_through: u64,
    ) -> Result<(Writes, Vec<(u64, Verdict)>), HubError> {
        let mut world = self.new_world(0)?;
        let mut verdicts = Vec::with_capacity(undecided.len());
        let mut rest = undecided;
        while let Some((first, tail)) = rest.split_first() {
            if session::is_history(first.id.sequence, history_through) {
                verdicts.push((first.id.sequence, Verdict::Applied));
                rest = tail;
                continue;
            }
            let read = convert::decode_change(first.id, &first.raw);
            let Ok(change) = read else {
                decide::set_unreadable_aside(&mut world, first.id, office, first.received_ms);
                verdicts.push((first.id.sequence, Verdict::SetAside("unreadable")));
                rest = tail;
                continue;
            };
            match change.header.group.map(|group| group.size as usize) {
                None => {
                    self.supply_replaced(&mut world, &change, office)?;
                    let incoming = incoming(&change, office, first);
                    let verdict =
                        self.with_facts(&mut world, |world| decide::decide(world, &incoming))?;
                    verdicts.push((first.id.sequence, verdict));
                    rest = tail;
                }
                Some(size) => {
                    // Only what says that it belongs to the group; where another change follows
                    // too early, the group is broken, and the other change is not of it.
                    let id = change.header.group;
                    let run = rest
                        .iter()
                        .take(size)
                        .take_while(|part| group_of(part) == id);
                    let length = run.count();
                    if length < size && length == rest.len() {
                        break;
                    }
                    let (group, after) = rest.split_at(length);
                    self.decide_group(&mut world, office, group, &mut verdicts)?;
                    rest = after;
                }
            }
        }
        Ok((world.into_writes(), verdicts))
    }

    fn decide_group(
        &mut self,
        world: &mut World,
        office: OfficeId,
        group: &[Undecided],
        verdicts: &mut Vec<(u64, Verdict)>,
    ) -> Result<(), HubError> {
        let mut changes = Vec::with_capacity(group.len());
        for part in group {
            changes.push(convert::decode_change(part.id, &part.raw).ok());
        }
        let id = changes.first().and_then(|c| c.as_ref()?.header.group);
        for change in changes.iter().flatten() {
            self.supply_replaced(world, change, office)?;
        }
        let bytes: usize = group
            .iter()
            .map(|part| part.raw.header.len() + part.raw.body.len())
            .sum();
        let size = id.map_or(0, |group| group.size as usize);
        let is_fitting = bytes <= limits::GROUP_BYTES_MAX && changes.len() == size;
        let is_whole = is_fitting
            && changes
                .iter()
                .all(|c| c.as_ref().is_some_and(|c| c.header.group == id));
        let readable: Vec<_> = changes
            .iter()
            .zip(group)
            .filter_map(|(change, part)| Some(incoming(change.as_ref()?, office, part)))
            .collect();
        let decided = self.with_facts(world, |world| {
            if is_whole {
                decide::decide_group(world, &readable)
            } else {
                decide::set_group_aside(world, &readable, "group_broken")
            }
        })?;
        let mut decided = decided.into_iter();
        for (change, part) in changes.iter().zip(group) {
            let verdict = if change.is_some() {
                decided.next().unwrap_or(Verdict::SetAside("group_broken"))
            } else {
                decide::set_unreadable_aside(world, part.id, office, part.received_ms);
                Verdict::SetAside("unreadable")
            };
            verdicts.push((part.id.sequence, verdict));
        }
        Ok(())
    }

    /// A change that says what it replaces is a repeat where the hub has the old one itself, from a
    /// machine of the same office: its answer was lost before the machine was enrolled again.
    fn supply_replaced(
        &self,
        world: &mut World,
        change: &Change,
        office: OfficeId,
    ) -> Result<(), HubError> {
        let Some((old, body)) = change.header.replaces else {
            return Ok(());
        };
        let is_office = self
            .tx
            .node(old.node)?
            .is_some_and(|node| node.office == office);
        let journal = self.tx.journal(old.node, old.epoch)?.filter(|_| is_office);
        let Some(journal) = journal else {
            return Ok(());
        };
        let stored = self.raw_stored(old)?;
        let has_same_body = stored.is_some_and(|(raw, _)| raw.body_hash() == body);
        let known = session::counts_as(old, journal.decided_through, has_same_body);
        if known.is_some() {
            world.supply(Fact::Outcome(decide::replaced(old, &body), 0, known));
        }
        Ok(())
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
            self.write_claims(&writes)?;
            crate::leases::book_letters(self.tx, &writes)?;
            self.append_own(&std::mem::take(&mut desk), &writes.hub_changes)?;
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

    /// Decides waiting changes whose record is there by now: it came back after a restore.
    pub(crate) fn decide_what_can_be(&mut self) -> Result<u64, HubError> {
        let mut ready = Vec::new();
        for waiting in self.tx.all_waiting()? {
            if self.tx.record(waiting.for_record)?.is_some() {
                ready.push(waiting);
            }
        }
        if !ready.is_empty() {
            let writes = self.decide_waiting(&ready)?;
            self.finish(writes, Vec::new())?;
        }
        Ok(ready.len() as u64)
    }

    fn decide_waiting(&mut self, waiting: &[Waiting]) -> Result<Writes, HubError> {
        let mut world = self.new_world(0)?;
        for waiting in waiting {
            let Some((change, office, batch)) = self.stored(waiting.change)? else {
                continue;
            };
            let incoming = Incoming {
                change: &change,
                office,
                received_ms: batch.received_at,
                offset_ms: batch.offset_ms,
                waited_in: Some(waiting.set_aside),
            };
            self.with_facts(&mut world, |world| decide::decide(world, &incoming))?;
        }
        Ok(world.into_writes())
    }

    /// A change as it is stored, with the office of its node.
    pub(crate) fn stored(
        &self,
        id: ChangeId,
    ) -> Result<Option<(Change, OfficeId, Batch)>, HubError> {
        let Some((raw, batch)) = self.raw_stored(id)? else {
            return Ok(None);
        };
        let office = match self.tx.node(id.node)? {
            Some(node) => node.office,
            None => domain::id::DESK,
        };
        Ok(Some((convert::decode_change(id, &raw)?, office, batch)))
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

    /// Keeps a keyed hash of each person's ID number, so that duplicates are found without it.
    fn write_claims(&self, writes: &Writes) -> Result<(), StoreError> {
        use domain::kinds::person;
        for (record, _) in writes.records.values() {
            if record.key.kind != person::KIND_NUMBER {
                continue;
            }
            let hash = record
                .text(person::ID_NUMBER)
                .filter(|_| record.is_alive())
                .map(|number| self.app.identity.claim_hash(number.as_bytes()));
            self.tx.put_claim(record.key, hash)?;
        }
        Ok(())
    }
}

fn incoming<'a>(change: &'a Change, office: OfficeId, part: &Undecided) -> Incoming<'a> {
    Incoming {
        change,
        office,
        received_ms: part.received_ms,
        offset_ms: part.offset_ms,
        waited_in: None,
    }
}
