//! A move of which a restored hub has heard one half only: the former holder's node told that its
//! tenure was closed, the receiver's has not been heard, and a person has ended the recovery.
//!
//! The relation went to whom the closed tenure names. The hub opens that organisation's tenure again,
//! with the number that it had, so that at the commit one organisation holds the member; what the
//! receiver's node brings later meets it as an ordinary difference.

use super::create::open_tenure;
use super::effect;
use super::transfer::withdraw;
use crate::id::{DESK, OfficeId, RecordId, derived_id};
use crate::kinds::{member, person, tenure};
use crate::machines::member_status;
use crate::record::{Record, RecordKey};
use crate::world::{Leaving, Need, World};

/// Completes the move that a closed tenure tells of; whether there was anything to complete.
///
/// # Errors
/// A fact that is lacking; the world is as before.
pub fn complete_move(world: &mut World, closed: &Record, now_ms: u64) -> Result<bool, Need> {
    let completed = complete(world, closed, now_ms);
    match completed {
        Ok(_) => world.adopt(),
        Err(_) => world.discard(),
    }
    completed
}

/// The hub keeps a record that has left its office and is in no other's hands, as the desk's: an
/// office's own record of a person whose relation has moved on, and what was decided about it. Whether it was
/// somebody else's.
///
/// # Errors
/// A fact that is lacking; the world is as before.
pub fn keep_at_desk(world: &mut World, left: RecordKey, now_ms: u64) -> Result<bool, Need> {
    let Some(record) = world.record(left)?.cloned() else {
        return Ok(false);
    };
    if record.office == DESK {
        return Ok(false);
    }
    effect::set_in(world, &record, DESK, &[], now_ms);
    world.adopt();
    Ok(true)
}

fn complete(world: &mut World, closed: &Record, now_ms: u64) -> Result<bool, Need> {
    let (Some(id), Some(to)) = (
        closed.reference(tenure::MEMBER),
        closed.reference(tenure::CLOSED_TO),
    ) else {
        return Ok(false);
    };
    let key = RecordKey {
        kind: member::KIND_NUMBER,
        id,
    };
    let Some(record) = world.record(key)?.cloned() else {
        return Ok(false);
    };
    let status = record.text(member::STATUS).unwrap_or_default();
    let number = closed.integer(tenure::NUMBER).unwrap_or(0);
    let is_last = record.integer(member::TENURE_NUMBER).unwrap_or(0) <= number;
    if !member_status::ACTIVE.contains(&status) || !is_last {
        return Ok(false);
    }
    let from = record.office;
    let case = closed.reference(tenure::CASE);
    let person = copy_person(world, &record, case, to, now_ms)?;
    let moved = [
        (member::TENURE_NUMBER, number.to_string().into_bytes()),
        (member::PERSON, person.unwrap_or_default()),
        (member::BRANCH, Vec::new()),
        (member::GROUP, Vec::new()),
        (member::OPEN_CASE, Vec::new()),
    ];
    let after = effect::set(world, &record, &moved, now_ms);
    let after = open_tenure(world, &after, to, ("acceptance", case), now_ms);
    world.join(after.key, to);
    world.join(closed.key, to);
    if from != to {
        world.leave(after.key, from, Leaving::Transferred);
        withdraw(world, &record, now_ms)?;
    }
    Ok(true)
}

/// The receiver's own record of the person, as at an acceptance.
fn copy_person(
    world: &mut World,
    record: &Record,
    case: Option<RecordId>,
    to: OfficeId,
    now_ms: u64,
) -> Result<Option<Vec<u8>>, Need> {
    let Some(id) = record.reference(member::PERSON) else {
        return Ok(None);
    };
    let kind = person::KIND_NUMBER;
    let Some(original) = world.record(RecordKey { kind, id })?.cloned() else {
        return Ok(Some(id.bytes().to_vec()));
    };
    if original.office == to {
        return Ok(Some(id.bytes().to_vec()));
    }
    let case = case.map(|case| case.bytes().to_vec()).unwrap_or_default();
    let id = derived_id("lianxin person of recovery 1", &[&case, &to.bytes()]);
    let key = RecordKey { kind, id };
    if world.record(key)?.is_none() {
        let values: Vec<_> = original
            .fields
            .iter()
            .filter(|(number, field)| {
                !field.value.is_empty() && person::KIND.field(**number).is_some()
            })
            .map(|(number, field)| (*number, field.value.clone()))
            .collect();
        effect::create(world, key, to, &values, now_ms);
    }
    Ok(Some(id.bytes().to_vec()))
}
