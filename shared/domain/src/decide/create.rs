//! Creations: rules 1 and 6, and the first tenure of a member.

use std::collections::BTreeMap;

use super::organisation::{is_active, organisation_of};
use super::{Incoming, Stop, Verdict, begin, check_references, effect, half_moved};
use crate::id::{DESK, OfficeId, RecordId, derived_id};
use crate::kind::{Class, Kind};
use crate::kinds::{self, member, participation, tenure};
use crate::record::{Life, Record, RecordKey};
use crate::world::{Mover, Need, World};

/// Makes a record, or refuses one that is there with other content.
pub(super) fn create(
    world: &mut World,
    incoming: &Incoming<'_>,
    kind: Option<&Kind>,
) -> Result<Verdict, Stop> {
    if let Some(existing) = world.record(incoming.key())? {
        let is_same = existing.life_version.change == incoming.change.id;
        return if is_same {
            Ok(Verdict::Applied)
        } else {
            Err(Stop::Refused("exists"))
        };
    }
    if let Some(kind) = kind {
        check_complete(kind, incoming)?;
        check_beginning(kind, incoming)?;
    }
    check_references(world, incoming, kind)?;
    let record = record_of(incoming);
    if record.is_too_large() {
        return Err(Stop::Refused("record_too_large"));
    }
    let written_ms = incoming.change.header.timestamp.unix_ms();
    let date = begin::day_of(written_ms, incoming.received_ms);
    let begun = begin::begin(world, &record, date)?;
    world.put(record.clone(), Mover::Own(incoming.change.id));
    match record.key.kind {
        member::KIND_NUMBER => open_first_tenure(world, incoming, &record, begun)?,
        participation::KIND_NUMBER => {
            begin::note_service(world, &record, true, (date, incoming.received_ms))?;
        }
        _ => {}
    }
    Ok(Verdict::Applied)
}

/// The record that a creation makes.
pub(super) fn record_of(incoming: &Incoming<'_>) -> Record {
    let version = incoming.version();
    let mut record = Record {
        key: incoming.key(),
        class: incoming.change.header.class,
        office: incoming.office,
        revision: 1,
        life: Life::Alive,
        life_version: version,
        fields: BTreeMap::new(),
    };
    for field in &incoming.change.body.fields {
        record.set(field.number, field.value.clone(), version);
    }
    record
}

fn check_complete(kind: &Kind, incoming: &Incoming<'_>) -> Result<(), Stop> {
    let is_empty = |number| incoming.change.value(number).is_none_or(<[u8]>::is_empty);
    if kind
        .fields
        .iter()
        .any(|field| field.required && is_empty(field.number))
    {
        return Err(Stop::Refused("value_missing"));
    }
    Ok(())
}

/// A state that is given must be one with which the machine begins; a member is registered in
/// whatever status is so. Fields that only the hub derives may not be given.
fn check_beginning(kind: &Kind, incoming: &Incoming<'_>) -> Result<(), Stop> {
    if let (Some(machine), Some(field)) = (kind.machine, kind.state_field)
        && let Some(state) = incoming
            .change
            .value(field)
            .filter(|value| !value.is_empty())
    {
        let mut beginnings = machine
            .transitions
            .iter()
            .filter(|arrow| arrow.from.is_empty());
        let begins = beginnings.any(|arrow| arrow.to.as_bytes() == state);
        if !begins && kind.number != member::KIND_NUMBER {
            return Err(Stop::Refused("state_not_a_beginning"));
        }
    }
    let derived: &[u16] = match kind.number {
        member::KIND_NUMBER => &[member::TENURE_NUMBER, member::HOLDER, member::OPEN_CASE],
        _ => &[],
    };
    let merged = kinds::merged_into(kind.number);
    let is_given = |number: u16| {
        let value = incoming.change.value(number);
        value.is_some_and(|value| !value.is_empty())
    };
    if derived.iter().copied().chain(merged).any(is_given) {
        return Err(Stop::Refused("by_steps_only"));
    }
    Ok(())
}

/// The id of a member's tenure with this number.
pub(super) fn tenure_key(member: RecordId, number: i64) -> RecordKey {
    let id = derived_id(
        "lianxin tenure 1",
        &[&member.bytes(), &number.to_be_bytes()],
    );
    RecordKey {
        kind: tenure::KIND_NUMBER,
        id,
    }
}

/// Whether an office holds a member, or has held him.
pub(super) fn has_held(world: &World, held: &Record, office: OfficeId) -> Result<bool, Need> {
    for number in 1..=held.integer(member::TENURE_NUMBER).unwrap_or(0) {
        let tenure = world.record(tenure_key(held.key.id, number))?;
        if tenure.and_then(|tenure| tenure.reference(tenure::HOLDER)) == Some(office) {
            return Ok(true);
        }
    }
    Ok(false)
}

fn open_first_tenure(
    world: &mut World,
    incoming: &Incoming<'_>,
    record: &Record,
    begun: Option<&str>,
) -> Result<(), Stop> {
    if incoming.office == DESK {
        return Err(Stop::Refused("office_needed"));
    }
    // Whoever is not in the Party at this moment (stopped, ended) is held by nobody.
    let is_active = record
        .text(member::STATUS)
        .is_none_or(|status| crate::machines::member_status::ACTIVE.contains(&status));
    if half_moved::go_on(world, record, incoming.received_ms)? || !is_active {
        return Ok(());
    }
    let how = begun.and_then(crate::machines::member_status::tenure_event_of);
    open_tenure_at(
        world,
        record,
        incoming.office,
        (how.unwrap_or("registration"), None),
        incoming.received_ms,
    )?;
    Ok(())
}

/// Opens the member's next tenure as [`open_tenure`] does, unless the organisation was given up: such a one holds
/// nobody.
pub(super) fn open_tenure_at(
    world: &mut World,
    record: &Record,
    holder: OfficeId,
    how: (&str, Option<RecordId>),
    now_ms: u64,
) -> Result<Record, Stop> {
    if organisation_of(world, holder)?.is_some_and(|found| !is_active(found)) {
        return Err(Stop::Refused("ORG-006"));
    }
    Ok(open_tenure(world, record, holder, how, now_ms))
}

/// Opens the member's next tenure and says so in the member; the member as it is after. Whether the organisation may
/// hold him is asked before ([`open_tenure_at`]), but for a move of which the hub hears after it was made.
pub(super) fn open_tenure(
    world: &mut World,
    record: &Record,
    holder: OfficeId,
    (how, case): (&str, Option<RecordId>),
    now_ms: u64,
) -> Record {
    let number = record.integer(member::TENURE_NUMBER).unwrap_or(0) + 1;
    let key = tenure_key(record.key.id, number);
    let mut values = vec![
        (tenure::MEMBER, record.key.id.bytes().to_vec()),
        (tenure::NUMBER, number.to_string().into_bytes()),
        (tenure::HOLDER, holder.bytes().to_vec()),
        (tenure::OPENED, now_ms.to_string().into_bytes()),
        (tenure::OPENED_BY, how.as_bytes().to_vec()),
    ];
    if let Some(case) = case {
        values.push((tenure::OPENED_CASE, case.bytes().to_vec()));
    }
    effect::create(world, key, holder, &values, now_ms);
    let fence = [
        (member::TENURE_NUMBER, number.to_string().into_bytes()),
        (member::HOLDER, holder.bytes().to_vec()),
    ];
    effect::set_in(world, record, holder, &fence, now_ms)
}

/// The member's open tenure, if one is open.
pub(super) fn open_tenure_of(world: &World, record: &Record) -> Result<Option<Record>, Need> {
    let Some(number) = record.integer(member::TENURE_NUMBER) else {
        return Ok(None);
    };
    let tenure = world.record(tenure_key(record.key.id, number))?.cloned();
    Ok(tenure.filter(|tenure| tenure.value(tenure::CLOSED).is_none()))
}

/// Closes the member's open tenure: by compare-and-set on the number that the member shows.
pub(super) fn close_tenure(
    world: &mut World,
    member_record: &Record,
    to: Option<OfficeId>,
    (how, case): (&str, Option<RecordId>),
    now_ms: u64,
) -> Result<(), Stop> {
    let Some(number) = member_record.integer(member::TENURE_NUMBER) else {
        return Err(Stop::Refused("no_open_tenure"));
    };
    let open = world
        .record(tenure_key(member_record.key.id, number))?
        .cloned();
    let Some(open) = open.filter(|tenure| tenure.value(tenure::CLOSED).is_none()) else {
        return Err(Stop::Refused("no_open_tenure"));
    };
    let mut values = vec![
        (tenure::CLOSED, now_ms.to_string().into_bytes()),
        (tenure::CLOSED_BY, how.as_bytes().to_vec()),
    ];
    if let Some(to) = to {
        values.push((tenure::CLOSED_TO, to.bytes().to_vec()));
    }
    if let Some(case) = case {
        values.push((tenure::CASE, case.bytes().to_vec()));
    }
    effect::set(world, &open, &values, now_ms);
    Ok(())
}

/// Whether this class is fenced by a tenure.
pub(super) fn is_fenced(class: Class) -> bool {
    class == Class::Held
}
