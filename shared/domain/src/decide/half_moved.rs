//! A move of which a restored hub has heard one half only, and a person has ended the recovery.
//!
//! Where the former holder's half was heard, its tenure is closed, and the relation went to whom it names: the
//! hub opens that organisation's tenure again, with the number that it had. Where the receiver's half was heard,
//! an earlier tenure is still open, or the member still stands where he was: the tenure is closed to the next
//! holder, and the member goes with the last one. So at the commit one organisation holds the member, and the
//! tenures are one chain; what the other node brings later meets it as an ordinary difference.

use super::create::{open_tenure, tenure_key};
use super::effect;
use super::handover::{copy_person, share_tenures};
use super::merge::meant_by;
use super::transfer::withdraw;
use crate::id::{DESK, OfficeId, RecordId, derived_id};
use crate::kinds::{member, person, tenure};
use crate::machines::member_status;
use crate::record::{Record, RecordKey};
use crate::world::{Leaving, Need, World};

/// Completes the moves that the last tenure of a member tells of; whether there was anything to complete.
///
/// # Errors
/// A fact that is lacking; the world is as before.
pub fn complete_move(world: &mut World, last: &Record, now_ms: u64) -> Result<bool, Need> {
    let completed = complete(world, last, now_ms);
    match completed {
        Ok(_) => world.adopt(),
        Err(_) => world.discard(),
    }
    completed
}

/// Closes what is open before a tenure that comes back; whether there was any.
///
/// # Errors
/// A fact that is lacking; the world is as before.
pub fn close_before(world: &mut World, last: &Record, now_ms: u64) -> Result<bool, Need> {
    let Some(member) = last.reference(tenure::MEMBER) else {
        return Ok(false);
    };
    let closed = close_overtaken(world, member, last, now_ms);
    match closed {
        Ok(_) => world.adopt(),
        Err(_) => world.discard(),
    }
    closed
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

/// A member is registered of whom there are tenures: a restored hub has them from an office that he has left, and
/// the member himself from nobody. The chain goes on; nothing in it is opened a second time. Whether there were any.
///
/// # Errors
/// A fact that is lacking.
pub(super) fn go_on(world: &mut World, record: &Record, now_ms: u64) -> Result<bool, Need> {
    let tenures = world.naming(tenure::KIND_NUMBER, tenure::MEMBER, record.key.id)?;
    let last = tenures.iter().max_by_key(|one| one.integer(tenure::NUMBER));
    let Some(last) = last else {
        return Ok(false);
    };
    close_overtaken(world, record.key.id, last, now_ms)?;
    follow(world, record, last, now_ms)?;
    Ok(true)
}

fn complete(world: &mut World, last: &Record, now_ms: u64) -> Result<bool, Need> {
    let Some(id) = last.reference(tenure::MEMBER) else {
        return Ok(false);
    };
    let has_closed = close_overtaken(world, id, last, now_ms)?;
    let key = RecordKey {
        kind: member::KIND_NUMBER,
        id,
    };
    let Some(record) = world.record(key)?.cloned() else {
        return Ok(has_closed);
    };
    Ok(follow(world, &record, last, now_ms)? || has_closed)
}

/// Closes what is open before the last tenure, each to whoever held the member next; whether there was any.
fn close_overtaken(
    world: &mut World,
    member: RecordId,
    last: &Record,
    now_ms: u64,
) -> Result<bool, Need> {
    let (mut next, mut has_closed) = (last.clone(), false);
    for number in (1..last.integer(tenure::NUMBER).unwrap_or(0)).rev() {
        let Some(before) = world.record(tenure_key(member, number))?.cloned() else {
            continue;
        };
        if before.value(tenure::CLOSED).is_none() {
            let as_it_began = [
                (tenure::CLOSED, tenure::OPENED),
                (tenure::CLOSED_TO, tenure::HOLDER),
                (tenure::CLOSED_BY, tenure::OPENED_BY),
                (tenure::CASE, tenure::OPENED_CASE),
                (tenure::CLOSED_DATE, tenure::OPENED_DATE),
            ];
            let values = as_it_began.iter().filter_map(|(closed, opened)| {
                let value = next.value(*opened)?;
                Some((*closed, value.to_vec()))
            });
            let values: Vec<_> = values.collect();
            effect::set(world, &before, &values, now_ms);
            has_closed = true;
        }
        next = before;
    }
    Ok(has_closed)
}

/// The member goes to whom the last tenure says, and is held by nobody where it ended with nobody to follow; whether
/// he was not there yet.
fn follow(world: &mut World, record: &Record, last: &Record, now_ms: u64) -> Result<bool, Need> {
    let number = last.integer(tenure::NUMBER).unwrap_or(0);
    let known = record.integer(member::TENURE_NUMBER).unwrap_or(0);
    if known > number {
        return Ok(false);
    }
    let is_behind = known < number;
    let fence = (member::TENURE_NUMBER, number.to_string().into_bytes());
    let how = last.text(tenure::CLOSED_BY);
    let is_open = last.value(tenure::CLOSED).is_none();
    let status = record.text(member::STATUS).unwrap_or_default();
    if !member_status::ACTIVE.contains(&status) {
        if !is_behind {
            return Ok(false);
        }
        if let Some(how) = member_status::tenure_event_into(status).filter(|_| is_open) {
            let closed = [
                (tenure::CLOSED, now_ms.to_string().into_bytes()),
                (tenure::CLOSED_BY, how.as_bytes().to_vec()),
            ];
            effect::set(world, last, &closed, now_ms);
        }
        effect::set(world, record, &[fence], now_ms);
        return Ok(true);
    }
    let went_to = last
        .reference(tenure::CLOSED_TO)
        .filter(|_| how != Some("merge"));
    let is_ended = !is_open && went_to.is_none();
    let holder = record.reference(member::HOLDER);
    let is_there = if is_open {
        holder == last.reference(tenure::HOLDER)
    } else {
        is_ended && holder.is_none()
    };
    let Some(to) = went_to.or(last.reference(tenure::HOLDER)) else {
        return Ok(false);
    };
    if !is_behind && is_there {
        return Ok(false);
    }
    let from = record.office;
    let begun_by = if is_open {
        tenure::OPENED_CASE
    } else {
        tenure::CASE
    };
    let case = last.reference(begun_by);
    let person = person_there(world, record, case, to, now_ms)?;
    let mut moved = vec![
        fence,
        (member::PERSON, person.unwrap_or_default()),
        (member::OPEN_CASE, Vec::new()),
    ];
    if from != to {
        moved.extend([(member::BRANCH, Vec::new()), (member::GROUP, Vec::new())]);
    }
    if is_open {
        moved.push((member::HOLDER, to.bytes().to_vec()));
    }
    if is_ended {
        moved.push((member::HOLDER, Vec::new()));
        let status = how.and_then(member_status::ended_by);
        moved.extend(status.map(|status| (member::STATUS, status.as_bytes().to_vec())));
    }
    let mut after = effect::set_in(world, record, to, &moved, now_ms);
    if went_to.is_some() {
        world.join(last.key, to);
        after = open_tenure(world, &after, to, ("acceptance", case), now_ms);
    }
    world.join(after.key, to);
    if from != to {
        share_tenures(world, &after, to)?;
        world.leave(after.key, from, Leaving::Transferred);
        withdraw(world, record, now_ms)?;
    }
    Ok(true)
}

/// The receiver's own record of the person, as at an acceptance.
fn person_there(
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
    let Some(named) = world.record(RecordKey { kind, id })?.cloned() else {
        return Ok(Some(id.bytes().to_vec()));
    };
    let original = meant_by(world, named)?;
    if original.office == to {
        return Ok(Some(id.bytes().to_vec()));
    }
    // A case may move many members.
    let case = case.map(|case| case.bytes().to_vec()).unwrap_or_default();
    let parts: [&[u8]; 3] = [&case, &record.key.id.bytes(), &to.bytes()];
    let id = derived_id("lianxin person of recovery 2", &parts);
    let key = RecordKey { kind, id };
    if world.record(key)?.is_none() {
        copy_person(world, (&original, key), to, now_ms);
    }
    Ok(Some(id.bytes().to_vec()))
}
