//! The fence of held kinds: a change stands on the tenure that its writer believed in (`sync.md` 5).

use super::item::{self, Side};
use super::unit::units;
use super::{Incoming, LATE_EDIT, Stop, Verdict, create, put_aside};
use crate::id::DESK;
use crate::kind::Kind;
use crate::record::Record;
use crate::world::{Mover, Need, World};

/// Where a change stands against the fence.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fence {
    /// No fence, the desk, or the present holder (its tenure's number may be an older one: an
    /// ordinary base check then).
    Holder,
    /// An office that held the member once and does not now.
    FormerHolder,
}

/// Where a change to a record stands.
pub(super) fn fence(record: &Record, incoming: &Incoming<'_>) -> Fence {
    let is_free = !create::is_fenced(record.class)
        || incoming.office == DESK
        || record.office == incoming.office;
    if is_free {
        Fence::Holder
    } else {
        Fence::FormerHolder
    }
}

/// A former holder's late edit is kept and put before the present holder as a suggestion: an item
/// whose loser it is, in the holder's feed and not in the former one's, which gets the verdict.
pub(super) fn park(
    world: &mut World,
    incoming: &Incoming<'_>,
    kind: Option<&Kind>,
    record: &Record,
) -> Result<Verdict, Need> {
    // The writer reads this record no more: a note in its own feed says what became of its edit.
    put_aside(world, incoming, LATE_EDIT, None)?;
    for unit in units(kind, incoming.change) {
        let side = Side {
            incoming_wins: false,
            reason: LATE_EDIT,
        };
        item::open(world, incoming, record, &unit, side)?;
    }
    world.put(record.clone(), Mover::Foreign);
    Ok(Verdict::Lost)
}

/// The office to which the subject of a set-aside change belongs now.
pub(super) fn holder_of_subject(
    world: &World,
    note: &Record,
) -> Result<Option<crate::id::OfficeId>, Stop> {
    use crate::kinds::set_aside;
    let kind = note
        .integer(set_aside::SUBJECT_KIND)
        .and_then(|n| u16::try_from(n).ok());
    let id = note
        .value(set_aside::SUBJECT)
        .and_then(|bytes| crate::id::RecordId::from_slice(bytes).ok());
    let (Some(kind), Some(id)) = (kind, id) else {
        return Ok(None);
    };
    let key = crate::record::RecordKey { kind, id };
    Ok(world.record(key)?.map(|record| record.office))
}
