//! What waits: for a record that it names, or, while the hub recovers, until the offices concerned
//! have been heard; and how it is decided when it can be.
//!
//! While the hub recovers, a change waits where its record, or the subject of its step, stands or has
//! stood in the feed of an office that has not been heard, and where it works on a record on which a
//! waiting change works: each record's changes are decided in the order in which they came. A group
//! waits whole. Everything else is decided at once.

use std::collections::BTreeSet;

use domain::change::{Change, FieldChange, Verb};
use domain::decide::{self, Incoming};
use domain::id::{ChangeId, OfficeId, RecordId};
use domain::kinds::{self, set_aside};
use domain::record::RecordKey;
use domain::session::hub as session;
use domain::world::{Waiting, World, Writes};
use store::hub::Batch;
use store::{StoreError, Tx};

use super::{Round, Undecided};
use crate::damaged;
use crate::error::HubError;
use crate::recovery::{self, Unheard};

/// What must wait in one round of decisions.
pub(super) struct Guard {
    unheard: Option<Unheard>,
    /// Records on which changes work that were left waiting in this round.
    held: BTreeSet<RecordKey>,
    /// Whether what waits in the store holds others back: not while it is itself decided, in order.
    looks_at_store: bool,
}

impl Guard {
    pub(super) fn new(tx: Tx<'_>, looks_at_store: bool) -> Result<Self, StoreError> {
        Ok(Self {
            unheard: recovery::unheard(tx)?,
            held: BTreeSet::new(),
            looks_at_store,
        })
    }

    /// Whether a machine of the office itself has not been heard: then nothing of its journals is
    /// decided, and nothing need be noted of each change.
    pub(super) fn stops(&self, office: OfficeId) -> bool {
        self.unheard
            .as_ref()
            .is_some_and(|unheard| unheard.is_of(office))
    }

    /// Whether these changes, which are decided together, must wait; if so, what works on the same
    /// records waits behind them.
    pub(super) fn waits<'a>(
        &mut self,
        tx: Tx<'_>,
        office: OfficeId,
        changes: impl IntoIterator<Item = &'a Change>,
    ) -> Result<bool, StoreError> {
        if self.unheard.is_none() && self.held.is_empty() {
            return Ok(false);
        }
        let keys = named_by_all(changes);
        let mut waits = false;
        for key in &keys {
            waits |= self.held.contains(key);
            if let Some(unheard) = &self.unheard {
                waits |= self.looks_at_store && tx.is_held(*key)?;
                waits |= !session::decides(false, unheard.is_concerned(tx, office, &[*key])?);
            }
        }
        if waits {
            self.held.extend(keys);
        }
        Ok(waits)
    }

    /// What works on these records waits behind a change that cannot be decided yet.
    fn hold(&mut self, keys: impl IntoIterator<Item = RecordKey>) {
        self.held.extend(keys);
    }
}

/// The records on which these changes work.
fn named_by_all<'a>(changes: impl IntoIterator<Item = &'a Change>) -> BTreeSet<RecordKey> {
    changes.into_iter().flat_map(decide::named_by).collect()
}

impl Round<'_> {
    /// Decides waiting changes that can be: those whose record is there by now, because it came back
    /// after a restore, and those that waited for offices which have been heard.
    pub(crate) fn decide_what_can_be(&mut self) -> Result<u64, HubError> {
        let mut ready = Vec::new();
        for waiting in self.tx.all_waiting()? {
            if !waiting.until_heard && self.tx.record(waiting.for_record)?.is_some() {
                ready.push(waiting);
            }
        }
        if !ready.is_empty() {
            let writes = self.decide_waiting(&ready)?;
            self.finish(writes, Vec::new())?;
        }
        Ok(ready.len() as u64 + self.decide_heard()?)
    }

    /// Decides those that wait for a record which has appeared.
    pub(super) fn decide_waiting(&mut self, waiting: &[Waiting]) -> Result<Writes, HubError> {
        let mut world = self.new_world(0)?;
        let mut guard = Guard::new(self.tx, true)?;
        for waiting in waiting {
            let Some(stored) = self.stored(waiting.change)? else {
                continue;
            };
            let (change, office, _) = &stored;
            // It goes on waiting as it does; the end of the recovery comes back to it.
            if guard.stops(*office) || guard.waits(self.tx, *office, [change])? {
                continue;
            }
            let decided = self.decide_as_it_came(&mut world, &stored, Some(waiting.set_aside));
            if damaged::noted(self.tx, decided)?.is_none() {
                guard.hold(named_by_all([change]));
            }
        }
        Ok(world.into_writes())
    }

    /// Decides again, on rows that were taken back, what the desk wrote when the hub did not know that it was put
    /// back. Steps are not taken twice.
    pub(crate) fn decide_overtaken(
        &mut self,
        overtaken: &BTreeSet<ChangeId>,
    ) -> Result<(), HubError> {
        let mut world = self.new_world(0)?;
        for id in overtaken {
            let Some(stored) = self.stored(*id)? else {
                continue;
            };
            let (change, ..) = &stored;
            let kind = kinds::by_number(change.header.kind);
            let is_by_steps =
                |field: &FieldChange| kind.is_some_and(|kind| kind.is_by_steps(field.number));
            if change.header.verb != Verb::Set || change.body.fields.iter().any(is_by_steps) {
                continue;
            }
            let supplied = self.supply_overwritten(&mut world, change);
            let decided =
                supplied.and_then(|()| Ok(self.decide_as_it_came(&mut world, &stored, None)?));
            // A row that is damaged keeps nothing else from being decided.
            damaged::noted(self.tx, decided)?;
        }
        self.finish(world.into_writes(), Vec::new())
    }

    /// Decides a stored change by the time at which it came.
    fn decide_as_it_came(
        &self,
        world: &mut World,
        (change, office, batch): &(Change, OfficeId, Batch),
        waited_in: Option<RecordId>,
    ) -> Result<(), StoreError> {
        let incoming = Incoming {
            change,
            office: *office,
            received_ms: batch.received_at,
            offset_ms: batch.offset_ms,
            waited_in,
        };
        self.with_facts(world, |world| decide::decide(world, &incoming))?;
        Ok(())
    }

    /// Decides, in the order in which they came, the changes that waited for offices which have been
    /// heard; how many.
    pub(crate) fn decide_heard(&mut self) -> Result<u64, HubError> {
        let waiting = self.held_in_order()?;
        let mut guard = Guard::new(self.tx, false)?;
        let mut world = self.new_world(0)?;
        let mut count = 0;
        let mut rest = waiting.as_slice();
        while let Some(first) = rest.first() {
            let of_unit = |held: &&Held| held.group.is_some() && held.group == first.group;
            let length = rest.iter().take_while(of_unit).count().max(1);
            let (unit, after) = rest.split_at(length);
            rest = after;
            count += self.decide_held(&mut world, &mut guard, unit)?;
        }
        if count > 0 {
            self.finish(world.into_writes(), Vec::new())?;
        }
        Ok(count)
    }

    /// Decides a change or a group that has waited, if it need not wait further; how many changes.
    fn decide_held(
        &mut self,
        world: &mut World,
        guard: &mut Guard,
        unit: &[Held],
    ) -> Result<u64, HubError> {
        let mut parts = Vec::with_capacity(unit.len());
        let mut sender = None;
        for held in unit {
            let Some((raw, batch)) = self.raw_stored(held.change)? else {
                continue;
            };
            sender = Some(self.office_of(held.change)?);
            parts.push(Undecided {
                id: held.change,
                raw,
                received_ms: batch.received_at,
                offset_ms: batch.offset_ms,
                waited_in: Some(held.note),
            });
        }
        let changes: Vec<_> = parts.iter().filter_map(Undecided::read).collect();
        let is_here = changes.len() == unit.len();
        if !is_here && self.is_left(unit)? {
            return Ok(0);
        }
        // Its journal comes again from its node: the hub was restored a second time.
        let office = sender.filter(|office| is_here && !guard.stops(*office));
        let Some(office) = office else {
            guard.hold(unit.iter().flat_map(|held| &held.keys).copied());
            return Ok(0);
        };
        if guard.waits(self.tx, office, &changes)? {
            return Ok(0);
        }
        let decided = self.decide_unit(world, office, &parts, &changes);
        if damaged::noted(self.tx, decided)?.is_none() {
            guard.hold(named_by_all(&changes));
            return Ok(0);
        }
        Ok(parts.len() as u64)
    }

    /// Whether a change will not come under the name that it waits under: its machine has begun another epoch, and
    /// writes there what is missing of this one. For it nobody waits.
    fn is_left(&self, unit: &[Held]) -> Result<bool, StoreError> {
        let Some(Held { change, .. }) = unit.first() else {
            return Ok(false);
        };
        let later = self.tx.later_epochs(change.node, change.epoch)?;
        Ok(!later.is_empty())
    }

    /// The changes that wait until others are heard, as the hub's journal noted them.
    fn held_in_order(&self) -> Result<Vec<Held>, HubError> {
        let mut changes = std::collections::BTreeMap::new();
        for waiting in self.tx.all_waiting()? {
            if waiting.until_heard {
                let entry = changes.entry(waiting.change);
                let (_, keys): &mut (RecordId, Vec<RecordKey>) =
                    entry.or_insert_with(|| (waiting.set_aside, Vec::new()));
                keys.push(waiting.for_record);
            }
        }
        let mut held = Vec::with_capacity(changes.len());
        for (change, (note, keys)) in changes {
            let key = RecordKey {
                kind: set_aside::KIND_NUMBER,
                id: note,
            };
            if let Some(record) = self.tx.record(key)? {
                held.push(Held {
                    noted_as: record.life_version.change,
                    change,
                    note,
                    group: record
                        .value(set_aside::GROUP)
                        .map(|group| (change.node, change.epoch, group.to_vec())),
                    keys,
                });
            }
        }
        held.sort_by_key(|held| held.noted_as);
        Ok(held)
    }
}

/// A change that waits until others are heard.
struct Held {
    /// The hub's change that made its note: what orders those of several journals.
    noted_as: ChangeId,
    change: ChangeId,
    note: RecordId,
    /// Its group, if it is part of one.
    group: Option<(domain::id::NodeId, u32, Vec<u8>)>,
    /// The records on which it works.
    keys: Vec<RecordKey>,
}
