//! The letter of a case: issued, moved through its machine, and the snapshot that goes with it.

use super::super::step::{Work, office_of_id};
use super::super::{Stop, effect};
use super::{member_of, person_of};
use crate::checks::date::last_valid_date;
use crate::id::derived_id;
use crate::kinds::{letter, member, person, step, transfer as case};
use crate::machine::Effect;
use crate::machines::{letter as letter_machine, transfer as machine};
use crate::record::{Record, RecordKey};
use crate::world::{Leaving, Need, World};

/// Makes the letter, shows it to the receiver, and counts it as delivered to an office inside.
pub(super) fn issue_letter(
    world: &mut World,
    work: &Work<'_>,
    subject: &Record,
) -> Result<Record, Stop> {
    let now_ms = work.incoming.received_ms;
    let days = work.taken.integer(step::VALID_DAYS).unwrap_or(0);
    let last = last_valid_date(work.date, days).map_err(|_| Stop::Refused("TRF-014"))?;
    let number = work
        .taken
        .value(step::LETTER_NUMBER)
        .unwrap_or_default()
        .to_vec();
    // An issuer's number is given once, whatever case asks for it.
    let parts: [&[u8]; 2] = [&work.acting.key.id.bytes(), &number];
    let key = RecordKey {
        kind: letter::KIND_NUMBER,
        id: derived_id("lianxin letter 2", &parts),
    };
    if world.record(key)?.is_some() {
        return Err(Stop::Refused("LET-001"));
    }
    let mut values = letter_values(world, work, subject, days)?;
    values.push((letter::NUMBER, number));
    values.push((letter::LAST_VALID_DATE, last.to_string().into_bytes()));
    values.sort_by_key(|(number, _)| *number);
    effect::create(world, key, subject.office, &values, now_ms);
    let to_office = office_of_id(world, subject.reference(case::TO_ORG))?;
    if let Some(office) = to_office.filter(|office| *office != subject.office) {
        world.join(key, office);
        world.join(subject.key, office);
    }
    let state = if to_office.is_some() {
        machine::state::IN_TRANSIT
    } else {
        machine::state::ISSUED
    };
    let fields = [
        (case::STATE, state.as_bytes().to_vec()),
        (case::LETTER, key.id.bytes().to_vec()),
        (case::ISSUED_DATE, work.date.to_string().into_bytes()),
        (case::LAST_VALID_DATE, last.to_string().into_bytes()),
    ];
    Ok(effect::set(world, subject, &fields, now_ms))
}

pub(super) fn letter_values(
    world: &World,
    work: &Work<'_>,
    subject: &Record,
    days: i64,
) -> Result<Vec<(u16, Vec<u8>)>, Stop> {
    let serial = work
        .taken
        .text(step::LETTER_NUMBER)
        .and_then(|text| text.rsplit(|c: char| !c.is_ascii_digit()).next())
        .and_then(|digits| digits.parse::<u32>().ok())
        .filter(|serial| *serial > 0)
        .unwrap_or(1);
    let mut values = vec![
        (letter::ISSUER, work.acting.key.id.bytes().to_vec()),
        (letter::YEAR, work.date.year().to_string().into_bytes()),
        (letter::SERIAL, serial.to_string().into_bytes()),
        (letter::CASE, subject.key.id.bytes().to_vec()),
        (letter::ISSUE_DATE, work.date.to_string().into_bytes()),
        (letter::VALID_DAYS, days.to_string().into_bytes()),
        (
            letter::STATE,
            letter_machine::state::ISSUED.as_bytes().to_vec(),
        ),
    ];
    let mut copy = |from: Option<&[u8]>, to: u16| {
        if let Some(value) = from {
            values.push((to, value.to_vec()));
        }
    };
    copy(subject.value(case::ADDRESSEE), letter::ADDRESSEE);
    copy(subject.value(case::TO_UNIT), letter::TO_UNIT);
    copy(subject.value(case::DUES_PAID_TO), letter::DUES_PAID_TO);
    if let Some(record) = member_of(world, subject)? {
        copy(record.value(member::CATEGORY), letter::CATEGORY);
        if let Some(person) = person_of(world, &record)? {
            copy(person.value(person::NAME), letter::NAME);
            copy(person.value(person::SEX), letter::SEX);
            copy(person.value(person::BIRTH_DATE), letter::BIRTH_DATE);
            copy(person.value(person::ETHNICITY), letter::ETHNICITY);
            copy(person.value(person::ID_NUMBER), letter::ID_NUMBER);
            copy(person.value(person::PHONE), letter::PHONE);
        }
    }
    Ok(values)
}

pub(super) fn letter_of(world: &World, subject: &Record) -> Result<Option<Record>, Need> {
    let Some(id) = subject.reference(case::LETTER) else {
        return Ok(None);
    };
    Ok(world
        .record(RecordKey {
            kind: letter::KIND_NUMBER,
            id,
        })?
        .cloned())
}

pub(super) fn move_letter(
    world: &mut World,
    wanted: Effect,
    work: &Work<'_>,
    subject: &Record,
) -> Result<(), Stop> {
    let (Some(paper), Some(event)) = (letter_of(world, subject)?, letter_machine::event_of(wanted))
    else {
        return Ok(());
    };
    let state = paper.text(letter::STATE).unwrap_or_default();
    let arrow = letter_machine::MACHINE
        .transitions
        .iter()
        .find(|arrow| arrow.event == event && arrow.from.contains(&state));
    let Some(arrow) = arrow else { return Ok(()) };
    let mut fields = vec![
        (letter::STATE, arrow.to.as_bytes().to_vec()),
        (letter::STATE_DATE, work.date.to_string().into_bytes()),
    ];
    if let (Effect::VoidLetter, Some(reason)) = (wanted, work.taken.value(step::REASON)) {
        fields.push((letter::VOID_REASON, reason.to_vec()));
    }
    effect::set(world, &paper, &fields, work.incoming.received_ms);
    Ok(())
}

pub(super) fn withdraw_snapshot(world: &mut World, subject: &Record) -> Result<(), Stop> {
    let to_office = office_of_id(world, subject.reference(case::TO_ORG))?;
    if let (Some(paper), Some(office)) = (letter_of(world, subject)?, to_office)
        && office != subject.office
    {
        world.leave(paper.key, office, Leaving::Withdrawn);
    }
    Ok(())
}
