//! What a former hub has decided and this restored one has in no row: it is decided again.

use domain::change::{Change, FieldChange, Verb};
use domain::clock::ordered_at;
use domain::decide;
use domain::id::{ChangeId, DESK, OfficeId};
use domain::kind::Class;
use domain::kinds::{self, set_aside};
use domain::record::{Record, RecordKey};
use domain::world::{Fact, World};
use proto::convert;

use super::{Round, Undecided, feed_name};
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
        let names = [
            Some(change.id),
            change.header.replaces.map(|(former, _)| former),
        ];
        for field in &change.body.fields {
            let mut at = record.version(field.number);
            if field.base == at {
                continue;
            }
            for _ in 0..SEEN_MAX {
                // What was written on a value lies above it.
                let Some(above) = at.filter(|at| field.base != Some(*at)) else {
                    break;
                };
                at = self.seen_by(above, field.number)?;
                if at.is_some() && names.contains(&at) {
                    world.supply(Fact::Overwritten(change.id, field.number));
                    break;
                }
            }
        }
        Ok(())
    }

    /// What whoever made a change saw in a field; none where nothing, or where the change is not here.
    fn seen_by(&self, change: ChangeId, number: u16) -> Result<Option<ChangeId>, HubError> {
        let Some((raw, _)) = self.raw_stored(change)? else {
            return Ok(None);
        };
        let read = convert::decode_change(change, &raw).ok();
        let mut fields = read.iter().flat_map(|change| &change.body.fields);
        let written = fields.find(|field| field.number == number);
        Ok(written.and_then(|field| field.base))
    }
}

impl Undecided {
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
