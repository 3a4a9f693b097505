//! How a record begins by its creation: the guards of the arrow by which its machine begins, asked
//! of the record itself, at the hub and at the office that makes it.
//!
//! A transfer begins by a step instead. A member is registered in whatever status is so, unless the
//! record says that it is an admission.

use std::collections::BTreeSet;

use jiff::civil::Date;

use super::merge::{meant_by, one_with};
use super::step::{participation_facts, working_days};
use super::{Stop, effect};
use crate::checks::date::china_date_of;
use crate::id::RecordId;
use crate::kind::Kind;
use crate::kinds::{self, activity, member, participation, person, step, volunteer};
use crate::machine::{Actor, Facts, Situation};
use crate::machines::{self, member_status};
use crate::record::{Record, RecordKey};
use crate::world::{Need, World};

/// Why a new record may not begin as it says: the refusal's code; none where it may.
///
/// # Errors
/// A fact that is lacking.
pub fn beginning_refusal(
    world: &World,
    record: &Record,
    date: Date,
) -> Result<Option<&'static str>, Need> {
    match begin(world, record, date) {
        Ok(_) | Err(Stop::WaitsFor(_)) => Ok(None),
        Err(Stop::Refused(code)) => Ok(Some(code)),
        Err(Stop::Lacks(need)) => Err(need),
    }
}

/// The day on which a record was made: that of its writer's clock, at most the day received.
pub(super) fn day_of(written_ms: u64, received_ms: u64) -> Date {
    china_date_of(written_ms.min(received_ms).cast_signed())
}

/// The event by which a new record begins; none where it is registered only.
pub(super) fn begin(
    world: &World,
    record: &Record,
    date: Date,
) -> Result<Option<&'static str>, Stop> {
    let Some(kind) = kinds::by_number(record.key.kind) else {
        return Ok(None);
    };
    if kind.number == member::KIND_NUMBER
        && let Some(code) = member_status::contradiction(record)
    {
        return Err(Stop::Refused(code));
    }
    let (Some(machine), Some(event)) = (kind.machine, event_of(kind, record)) else {
        return Ok(None);
    };
    let facts = facts(world, record, date)?;
    let situation = Situation {
        subject: record,
        step: &first_step(kind, record),
        actor: Actor::Owner,
        date,
        facts: &facts,
    };
    match machine.step(None, event, &situation) {
        Ok(arrow) => Ok(Some(arrow.event)),
        Err(refused) => Err(Stop::Refused(machine.code(refused))),
    }
}

/// The event that leads to the state in which a record is made.
fn event_of(kind: &Kind, record: &Record) -> Option<&'static str> {
    if kind.number == member::KIND_NUMBER {
        return member_status::beginning(record);
    }
    let state = kind.state_field.and_then(|field| record.text(field))?;
    let arrows = kind.machine?.transitions.iter();
    let mut beginnings = arrows.filter(|arrow| arrow.from.is_empty());
    let arrow = beginnings.find(|arrow| arrow.to == state)?;
    Some(arrow.event)
}

/// What the record says, in the words of a step.
fn first_step(kind: &Kind, record: &Record) -> Record {
    let mut first = Record {
        key: RecordKey {
            kind: step::KIND_NUMBER,
            id: record.key.id,
        },
        fields: std::collections::BTreeMap::new(),
        ..record.clone()
    };
    for (of_step, own) in machines::begins(kind.number) {
        if let Some(value) = record.value(*own) {
            first.set(*of_step, value.to_vec(), record.life_version);
        }
    }
    first
}

fn facts(world: &World, record: &Record, date: Date) -> Result<Facts, Stop> {
    match record.key.kind {
        participation::KIND_NUMBER => {
            let recorder = record.text(participation::RECORDER);
            Ok(participation_facts(world, record, recorder, date)?)
        }
        activity::KIND_NUMBER => Ok(Facts {
            working_days_since: working_days(record.text(activity::HELD_DATE), date),
            ..Facts::default()
        }),
        member::KIND_NUMBER => {
            let Some(person) = record.reference(member::PERSON) else {
                return Ok(Facts::default());
            };
            let mut others = memberships(world, person)?;
            others.retain(|other| other.key != record.key);
            let has_ended = |other: &Record| {
                let status = other.text(member::STATUS).unwrap_or_default();
                member_status::ENDED.contains(&status)
            };
            Ok(Facts {
                was_member: others.iter().any(has_ended),
                is_member: others
                    .iter()
                    .any(|other| other.is_alive() && !has_ended(other)),
                ..Facts::default()
            })
        }
        _ => Ok(Facts::default()),
    }
}

/// The memberships of a person, whichever of his records they name; of those that turned out to be one, the one that
/// stands for them.
fn memberships(world: &World, id: RecordId) -> Result<Vec<Record>, Need> {
    let kind = person::KIND_NUMBER;
    let mut found = Vec::new();
    for id in all_of(world, RecordKey { kind, id })? {
        for named in world.naming(member::KIND_NUMBER, member::PERSON, id)? {
            found.push(meant_by(world, named)?);
        }
    }
    Ok(found)
}

/// The service entries of a volunteer, whichever record of him they name.
fn services(world: &World, id: RecordId) -> Result<Vec<Record>, Need> {
    let mut found = Vec::new();
    for id in records_of_volunteer(world, id)?.0 {
        let naming = world.naming(participation::KIND_NUMBER, participation::VOLUNTEER, id)?;
        found.extend(naming);
    }
    Ok(found)
}

/// Every record of the volunteer whom this one names, and every one of the person that he is: whichever volunteers
/// turned out to be one, and those of whichever people turned out to be one.
///
/// # Errors
/// A fact that is lacking.
pub(super) fn records_of_volunteer(
    world: &World,
    id: RecordId,
) -> Result<(Vec<RecordId>, BTreeSet<RecordId>), Need> {
    let of_volunteer = |id| RecordKey {
        kind: volunteer::KIND_NUMBER,
        id,
    };
    let mut volunteers = all_of(world, of_volunteer(id))?;
    let mut people = BTreeSet::new();
    let mut at = 0;
    while let Some(id) = volunteers.get(at).copied() {
        at += 1;
        let record = world.record(of_volunteer(id))?;
        let Some(id) = record.and_then(|record| record.reference(volunteer::PERSON)) else {
            continue;
        };
        let kind = person::KIND_NUMBER;
        for id in all_of(world, RecordKey { kind, id })? {
            if !people.insert(id) {
                continue;
            }
            for named in world.naming(volunteer::KIND_NUMBER, volunteer::PERSON, id)? {
                for one in all_of(world, named.key)? {
                    if !volunteers.contains(&one) {
                        volunteers.push(one);
                    }
                }
            }
        }
    }
    Ok((volunteers, people))
}

/// The ids of all records that turned out to be one with this one; its own, where it is not known.
fn all_of(world: &World, key: RecordKey) -> Result<Vec<RecordId>, Need> {
    Ok(match world.record(key)?.cloned() {
        Some(named) => {
            let all = one_with(world, named)?;
            all.iter().map(|one| one.key.id).collect()
        }
        None => vec![key.id],
    })
}

/// What the hub notes of a service entry whose time is measured: that it came late (P4), and which
/// other entry of the volunteer overlaps with it, on both (`domain.md` 5.5).
pub(super) fn note_service(
    world: &mut World,
    record: &Record,
    is_entry: bool,
    (date, now_ms): (Date, u64),
) -> Result<(), Need> {
    let mut noted = Vec::new();
    let since = working_days(record.text(participation::SERVICE_DATE), date);
    if is_entry && machines::participation::is_late(since) {
        noted.push((participation::LATE, b"1".to_vec()));
    }
    let is_timed = record.value(participation::SIGN_OUT).is_some();
    if let Some(volunteer) = record
        .reference(participation::VOLUNTEER)
        .filter(|_| is_timed)
    {
        let entries = services(world, volunteer)?;
        let overlaps = |other: &&Record| machines::participation::overlap(record, other);
        for (place, other) in entries.iter().filter(overlaps).enumerate() {
            if place == 0 {
                let id = other.key.id.bytes().to_vec();
                noted.push((participation::OVERLAPS, id));
            }
            if other.value(participation::OVERLAPS).is_none() {
                let back = [(participation::OVERLAPS, record.key.id.bytes().to_vec())];
                effect::set(world, other, &back, now_ms);
            }
        }
    }
    if !noted.is_empty() {
        effect::set(world, record, &noted, now_ms);
    }
    Ok(())
}
