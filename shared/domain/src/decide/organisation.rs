//! What the desk may set of an organisation (`domain.md` 7.2): the tree has no circle, and one that is
//! given up leaves nobody and nothing behind.
//!
//! Members leave it by a transfer or a whole-organisation case first. Of the open transfers only those
//! stay that its successor takes over (`domain.md` 1.8, row "merged or abolished"), with their members.

use super::{Incoming, Stop};
use crate::id::RecordId;
use crate::kinds::{member, organisation, transfer as case};
use crate::machines::member_status;
use crate::machines::transfer::{MACHINE, REPOINTED};
use crate::record::{Record, RecordKey};
use crate::world::{Need, World};

/// The fields of a case in which an organisation may stand that is concerned while it is open.
pub const NAMING_CASES: [u16; 5] = [
    case::FROM_ORG,
    case::TO_ORG,
    case::FROM_BRANCH,
    case::TO_BRANCH,
    case::MOVED_ORG,
];

/// Levels of organisations above one another that are followed.
pub(super) const LEVELS_MAX: usize = 16;

/// Whether an organisation is there and works.
pub(super) fn is_active(organisation: &Record) -> bool {
    let state = organisation.text(organisation::STATE);
    organisation.is_alive() && state.is_none_or(|state| state == "active")
}

/// Whether an organisation is another one or stands below it.
pub(super) fn is_below(world: &World, below: RecordId, above: RecordId) -> Result<bool, Need> {
    let mut at = Some(below);
    for _ in 0..LEVELS_MAX {
        let Some(id) = at else { return Ok(false) };
        if id == above {
            return Ok(true);
        }
        at = organisation_of(world, id)?.and_then(|found| found.reference(organisation::PARENT));
    }
    Ok(false)
}

/// An organisation by its id.
pub(super) fn organisation_of(world: &World, id: RecordId) -> Result<Option<&Record>, Need> {
    world.record(RecordKey {
        kind: organisation::KIND_NUMBER,
        id,
    })
}

/// The organisation that stands for this one today: itself, or its successor's.
pub(super) fn standing_for(world: &World, id: RecordId) -> Result<RecordId, Need> {
    let mut at = id;
    for _ in 0..LEVELS_MAX {
        let next = organisation_of(world, at)?
            .filter(|found| !is_active(found))
            .and_then(|found| found.reference(organisation::SUCCESSOR));
        match next {
            Some(next) => at = next,
            None => return Ok(at),
        }
    }
    Ok(at)
}

/// Refuses what would make a circle, and to give up an organisation that is not empty.
pub(super) fn check(world: &World, incoming: &Incoming<'_>, record: &Record) -> Result<(), Stop> {
    let set = |number| {
        let given = incoming.change.value(number);
        given.filter(|value| record.value(number).unwrap_or_default() != *value)
    };
    let id = record.key.id;
    if let Some(parent) = set(organisation::PARENT).filter(|value| !value.is_empty())
        && let Ok(parent) = RecordId::from_slice(parent)
        && is_below(world, parent, id)?
    {
        return Err(Stop::Refused("ORG-002"));
    }
    let Some(state) = set(organisation::STATE).filter(|state| *state != b"active") else {
        return Ok(());
    };
    let given = incoming.change.value(organisation::SUCCESSOR);
    let successor = given.or_else(|| record.value(organisation::SUCCESSOR));
    let successor = successor.and_then(|bytes| RecordId::from_slice(bytes).ok());
    match successor {
        None if state == b"merged" => return Err(Stop::Refused("ORG-004")),
        None => {}
        Some(successor) => check_successor(world, id, successor)?,
    }
    check_empty(world, id, successor.is_some())
}

fn check_successor(world: &World, id: RecordId, successor: RecordId) -> Result<(), Stop> {
    let is_there = organisation_of(world, successor)?.is_some_and(is_active);
    if !is_there || is_below(world, successor, id)? {
        return Err(Stop::Refused("ORG-004"));
    }
    Ok(())
}

/// No organisation below, no member, no open case but those that a successor takes over.
fn check_empty(world: &World, id: RecordId, has_successor: bool) -> Result<(), Stop> {
    let kind = organisation::KIND_NUMBER;
    let below = world.naming(kind, organisation::PARENT, id)?;
    if below.iter().any(is_active) {
        return Err(Stop::Refused("ORG-005"));
    }
    for record in world.standing(id)? {
        let is_in_the_way = if record.key.kind == case::KIND_NUMBER {
            let state = record.text(case::STATE).unwrap_or_default();
            MACHINE.is_open(state) && !(has_successor && REPOINTED.contains(&state))
        } else {
            let status = record.text(member::STATUS).unwrap_or_default();
            let is_counted =
                record.value(member::HOLDER).is_some() && member_status::ACTIVE.contains(&status);
            is_counted && !(has_successor && goes_along(world, &record)?)
        };
        if is_in_the_way {
            return Err(Stop::Refused("ORG-001"));
        }
    }
    Ok(())
}

/// Whether a member's open case is taken over by a successor, and the member with it.
fn goes_along(world: &World, held: &Record) -> Result<bool, Need> {
    let Some(id) = held.reference(member::OPEN_CASE) else {
        return Ok(false);
    };
    let open = world.record(RecordKey {
        kind: case::KIND_NUMBER,
        id,
    })?;
    Ok(open
        .and_then(|open| open.text(case::STATE))
        .is_some_and(|state| REPOINTED.contains(&state)))
}
