//! What a former hub has decided and this restored one has in no row: it is decided again.

use std::collections::BTreeSet;

use domain::change::{Change, FieldChange, Verb};
use domain::clock::ordered_at;
use domain::decide;
use domain::id::{ChangeId, DESK, OfficeId};
use domain::kind::Class;
use domain::kinds::{self, conflict, set_aside};
use domain::record::{Record, RecordKey};
use domain::world::{Fact, World};
use proto::convert;
use store::{Filter, StoreError};

use super::{Round, Undecided, changes_about, feed_name};
use crate::damaged;
use crate::error::HubError;
use crate::recovery;

/// How many values that were written one over another are looked through.
const SEEN_MAX: usize = 16;

/// What becomes of a change that a former hub has decided.
pub(super) enum History {
    /// Its effect is in a row that came back, or there was none.
    Had,
    /// It is in none, and is decided again for this office.
    Again(OfficeId),
    /// Another office may still tell what became of the member of whom it is: the hub recovers, and knows nothing of
    /// him.
    Unclear,
}

impl Round<'_> {
    /// Judges a change that a former hub has decided.
    ///
    /// Where this hub's own row has parted from the one that came back, it is for who holds that, as it was allowed
    /// then; and so it is where the office has no row of a member any more, and nobody has brought one in which the
    /// change is. An office's own record of somebody whose relation has moved on is in nobody's hands: it is the
    /// desk's, and so is what was written to it. What was written of a member of whom nobody has told is decided as
    /// it came.
    pub(super) fn history(&self, part: &Undecided, office: OfficeId) -> Result<History, HubError> {
        let Some(change) = part.read() else {
            return Ok(History::Had);
        };
        let (kind, id) = (change.header.kind, change.header.record);
        let key = RecordKey { kind, id };
        let class = kinds::by_number(kind).map(|kind| kind.class);
        let record = self.tx.record(key)?;
        let is_unknown = record.is_none() && class == Some(Class::Held);
        if is_unknown && recovery::is_recovering(self.tx)? {
            return Ok(History::Unclear);
        }
        let note = RecordKey {
            kind: set_aside::KIND_NUMBER,
            id: decide::set_aside_id(part.id),
        };
        if self.tx.record(note)?.is_some() || self.tx.is_purged(id)? {
            return Ok(History::Had);
        }
        let has_parted = self.tx.has_parted(part.id.node, key)?;
        let is_there = self.tx.is_in_feed(key, &feed_name(office))?;
        let is_lost = |record: &Record| {
            record.class == Class::Held && !is_there && part.is_missing(record, &change)
        };
        let is_gone = record.is_none();
        let again = match record {
            Some(record) if has_parted || is_lost(&record) => Some(record.office),
            Some(_) if class == Some(Class::Shared) && self.tx.has_left(part.id.node, key)? => {
                Some(DESK)
            }
            None if class == Some(Class::Shared) => Some(DESK),
            None if class == Some(Class::Held) => Some(office),
            _ => None,
        };
        if again.is_some() && is_gone {
            // What was written to it afterwards no row shows either, and it may be decided in a later transaction.
            self.tx.set_parted(part.id.node, key, false)?;
        }
        Ok(again.map_or(History::Had, History::Again))
    }

    /// Says which values of a change were overwritten knowingly: a restored hub has what was written over them, in a
    /// row that came back or decided again, and hears only now of what had stood there. How far other machines'
    /// journals were decided no report proves.
    pub(super) fn supply_overwritten(
        &self,
        world: &mut World,
        change: &Change,
    ) -> Result<(), HubError> {
        if change.header.verb != Verb::Set || !recovery::was_restored(self.tx)? {
            return Ok(());
        }
        let (kind, id) = (change.header.kind, change.header.record);
        let Some(record) = self.tx.record(RecordKey { kind, id })? else {
            return Ok(());
        };
        for field in &change.body.fields {
            if self.seen(&record, change, field)? == Seen::Yes {
                world.supply(Fact::Overwritten(change.id, field.number));
            }
        }
        Ok(())
    }

    /// Whether who wrote what stands in a field, or somebody over whom he wrote, had seen what a change sets there.
    fn seen(
        &self,
        record: &Record,
        change: &Change,
        field: &FieldChange,
    ) -> Result<Seen, HubError> {
        let names = names_of(change);
        let mut at = record.version(field.number);
        for _ in 0..SEEN_MAX {
            // What was written on a value lies above it.
            let Some(above) = at.filter(|at| field.base != Some(*at)) else {
                return Ok(Seen::No);
            };
            let Some(above) = self.written_by(above, field.number)? else {
                return Ok(Seen::Unclear);
            };
            at = above.base;
            if at.is_some() && names.contains(&at) {
                return Ok(Seen::Yes);
            }
        }
        Ok(Seen::Unclear)
    }

    /// A field as a change wrote it; none where that is not here.
    fn written_by(&self, change: ChangeId, number: u16) -> Result<Option<FieldChange>, HubError> {
        let Some((raw, _)) = self.raw_stored(change)? else {
            return Ok(None);
        };
        let read = convert::decode_change(change, &raw).ok();
        let mut fields = read.iter().flat_map(|change| &change.body.fields);
        Ok(fields.find(|field| field.number == number).cloned())
    }

    /// Decides again the changes to these records in place of which a row has come back, as soon as it is known that
    /// nobody who wrote that had seen them: it is of a hub that had gone on another way.
    pub(crate) fn decide_passed_over(
        &mut self,
        keys: impl Iterator<Item = RecordKey>,
    ) -> Result<(), HubError> {
        if !self.tx.has_passed_over()? {
            return Ok(());
        }
        let mut again = BTreeSet::new();
        for key in keys.collect::<BTreeSet<_>>() {
            for id in self.tx.passed_over(key)? {
                // Where a damaged row is in the way, it is asked again when more has come.
                match damaged::noted(self.tx, self.was_seen(key, id))? {
                    None | Some(Seen::Unclear) => continue,
                    Some(Seen::Yes) => {}
                    Some(Seen::No) => {
                        again.insert(id);
                    }
                }
                self.tx.drop_passed_over(key, id)?;
            }
        }
        if again.is_empty() {
            return Ok(());
        }
        self.decide_overtaken(&again)
    }

    /// Whether every value of a change stands, was seen by whoever wrote over it, or lies before a person.
    fn was_seen(&self, key: RecordKey, id: ChangeId) -> Result<Seen, HubError> {
        let (Some(record), Some((raw, _))) = (self.tx.record(key)?, self.raw_stored(id)?) else {
            return Ok(Seen::Unclear);
        };
        let change = convert::decode_change(id, &raw)?;
        let mut unseen = Vec::new();
        for field in &change.body.fields {
            if record.value(field.number).unwrap_or_default() == field.value {
                continue;
            }
            match self.seen(&record, &change, field)? {
                Seen::Yes => {}
                Seen::No => unseen.push(field.number),
                Seen::Unclear => return Ok(Seen::Unclear),
            }
        }
        if unseen.is_empty() || self.was_set_aside(id)? || self.has_lost(key, id)? {
            return Ok(Seen::Yes);
        }
        // It may lie under what was written over it and has lost, or have been written anew.
        let names = names_of(&change);
        let again = Some((id, raw.body_hash()));
        let about = changes_about(self.tx, key.id)?;
        unseen.retain(|number| {
            let is_on_it = |field: &FieldChange| {
                field.number == *number && field.base.is_some() && names.contains(&field.base)
            };
            !about.iter().any(|(_, other)| {
                other.header.replaces == again || other.body.fields.iter().any(is_on_it)
            })
        });
        Ok(if unseen.is_empty() {
            Seen::Yes
        } else {
            Seen::No
        })
    }

    /// Whether an item about a record shows a change as the one that lost.
    fn has_lost(&self, key: RecordKey, change: ChangeId) -> Result<bool, StoreError> {
        let about = [
            Filter::Is(conflict::SUBJECT, key.id.bytes().to_vec()),
            Filter::Is(conflict::LOSER_VERSION, decide::change_bytes(change)),
        ];
        Ok(!self.tx.list(&conflict::KIND, &about, None, 1)?.is_empty())
    }
}

/// What the changes that are here say of a value that does not stand any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Seen {
    /// It was overwritten by somebody who had seen it.
    Yes,
    /// What stands there was written by somebody who had not.
    No,
    /// The changes that tell are not all here.
    Unclear,
}

/// The ids under which others may have seen a change.
fn names_of(change: &Change) -> [Option<ChangeId>; 2] {
    let former = change.header.replaces.map(|(former, _)| former);
    [Some(change.id), former]
}

impl Undecided {
    /// The record that it is about, if its bytes can be read.
    pub(super) fn key(&self) -> Option<RecordKey> {
        let header = self.read()?.header;
        Some(RecordKey {
            kind: header.kind,
            id: header.record,
        })
    }

    /// Whether a value that it sets is newer than what the record has there.
    fn is_missing(&self, record: &Record, change: &Change) -> bool {
        let at = ordered_at(change.header.timestamp, self.offset_ms, self.received_ms);
        let is_newer = |field: &FieldChange| {
            let there = record.fields.get(&field.number);
            there.is_none_or(|there| there.version.ordered_at < at && there.value != field.value)
        };
        change.header.verb == Verb::Set && change.body.fields.iter().any(is_newer)
    }
}
