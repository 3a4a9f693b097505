//! Deletions and restorations: life is a field with version and base (rules 4 and 5).
//!
//! A deletion that does not stand on what is there becomes a request that a person grants. A restoration does not: who
//! brings back what lives has what he wants, and where somebody has deleted the record again, a person sees both.

use super::set::{Based, based_on, check_scope, is_current};
use super::{Incoming, Stop, Verdict, item};
use crate::change::Verb;
use crate::id::DESK;
use crate::kind::Class;
use crate::record::{Life, Record};
use crate::world::{Mover, Outcome, World};

/// Ends a record's life, or brings it back.
pub(super) fn change_life(world: &mut World, incoming: &Incoming<'_>) -> Result<Verdict, Stop> {
    let Some(record) = world.record(incoming.key())?.cloned() else {
        return Err(Stop::WaitsFor(incoming.key()));
    };
    check_scope(world, &record, incoming)?;
    if record.class == Class::Held && incoming.office != DESK && record.office != incoming.office {
        return Err(Stop::Refused("not_holder"));
    }
    if record.key.kind == crate::kinds::member::KIND_NUMBER {
        // A member's registration ends by a status, a transfer or a merge, never by deletion.
        return Err(Stop::Refused("by_steps_only"));
    }
    let wanted = match incoming.change.header.verb {
        Verb::Delete => Life::Deleted,
        _ => Life::Alive,
    };
    if record.life == wanted {
        let into = Outcome::Merged(record.life_version.change);
        world.note_outcome(incoming.change.id, 0, into);
        world.put(record, Mover::Foreign);
        return Ok(Verdict::Merged);
    }
    let stands = stands_on_present(world, &record, incoming)?;
    if wanted == Life::Alive && !stands {
        return Err(Stop::Refused("deleted"));
    }
    if !stands || (wanted == Life::Deleted && !is_seen(world, &record, incoming)?) {
        item::delete_requested(world, incoming, &record);
        world.put(record, Mover::Foreign);
        return Ok(Verdict::Lost);
    }
    let mut after = record;
    after.life = wanted;
    after.life_version = incoming.version();
    after.revision += 1;
    world.put(after, Mover::Own(incoming.change.id));
    Ok(Verdict::Applied)
}

/// Whether a change of life stands on the present one, through what became of that which its writer saw (rule 4).
fn stands_on_present(
    world: &World,
    record: &Record,
    incoming: &Incoming<'_>,
) -> Result<bool, Stop> {
    let present = Some(record.life_version.change);
    match based_on(world, present, 0, incoming.change.body.life_base)? {
        Based::Current => Ok(true),
        Based::Elsewhere | Based::InItem(_) => Ok(false),
        Based::OnSetAside => Err(Stop::Refused("stands_on_set_aside")),
        Based::OnWaiting(key) => Err(Stop::WaitsFor(key)),
    }
}

/// Whether whoever deletes has seen every value as it is now: field by field where the change names
/// them, else by the revision. A revision alone is no proof where own changes came between.
fn is_seen(world: &World, record: &Record, incoming: &Incoming<'_>) -> Result<bool, Stop> {
    let body = &incoming.change.body;
    if body.fields.is_empty() {
        return Ok(body.seen_revision >= record.revision);
    }
    for number in record.fields.keys() {
        let named = body.fields.iter().find(|field| field.number == *number);
        let is_current = match named {
            Some(named) => is_current(world, record, *number, named.base)?,
            None => false,
        };
        if !is_current {
            return Ok(false);
        }
    }
    Ok(true)
}
