//! What a former hub has decided and this restored one has in no row: it is decided again.

use domain::change::{Change, FieldChange, Verb};
use domain::clock::ordered_at;
use domain::decide;
use domain::id::{DESK, OfficeId};
use domain::kind::Class;
use domain::kinds::{self, set_aside};
use domain::record::{Record, RecordKey};

use super::{Round, Undecided, feed_name};
use crate::error::HubError;
use crate::recovery;

impl Round<'_> {
    /// For whom a change that a former hub has decided is decided again, because its effect is in no row that came
    /// back; none where it is in one, or there was none.
    ///
    /// Where this hub's own row has parted from the one that came back, it is for who holds that, as it was allowed
    /// then; and so it is where the office has no row of a member any more, and nobody has brought one in which the
    /// change is. An office's own record of somebody whose relation has moved on is in nobody's hands: it is the
    /// desk's, and so is what was written to it. What was written of a member of whom nobody has told is decided as
    /// it came.
    pub(super) fn lacking(
        &self,
        part: &Undecided,
        office: OfficeId,
    ) -> Result<Option<OfficeId>, HubError> {
        let Some(change) = part.read() else {
            return Ok(None);
        };
        let (kind, id) = (change.header.kind, change.header.record);
        let key = RecordKey { kind, id };
        let note = RecordKey {
            kind: set_aside::KIND_NUMBER,
            id: decide::set_aside_id(part.id),
        };
        if self.tx.record(note)?.is_some() || self.tx.is_purged(id)? {
            return Ok(None);
        }
        let class = kinds::by_number(kind).map(|kind| kind.class);
        let record = self.tx.record(key)?;
        let has_parted = self.tx.has_parted(part.id.node, key)?;
        let is_there = self.tx.is_in_feed(key, &feed_name(office))?;
        let is_lost = |record: &Record| {
            record.class == Class::Held && !is_there && part.is_missing(record, &change)
        };
        Ok(match record {
            Some(record) if has_parted || is_lost(&record) => Some(record.office),
            Some(_) if class == Some(Class::Shared) && self.tx.has_left(part.id.node, key)? => {
                Some(DESK)
            }
            None if class == Some(Class::Shared) => Some(DESK),
            None if class == Some(Class::Held) => Some(office),
            _ => None,
        })
    }

    /// Whether another office may still tell what became of the member of whom a change is: while the hub recovers
    /// and knows nothing of him.
    pub(super) fn is_unclear(&self, part: &Undecided) -> Result<bool, HubError> {
        let Some(change) = part.read() else {
            return Ok(false);
        };
        let (kind, id) = (change.header.kind, change.header.record);
        let is_held = kinds::by_number(kind).is_some_and(|kind| kind.class == Class::Held);
        Ok(is_held
            && recovery::is_recovering(self.tx)?
            && self.tx.record(RecordKey { kind, id })?.is_none())
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
