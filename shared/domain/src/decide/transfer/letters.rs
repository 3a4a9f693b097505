//! The letter of a case: issued, moved through its machine, and the snapshot that goes with it.

use super::super::step::{Work, office_of, office_of_id};
use super::super::{Incoming, Stop, effect};
use super::{member_of, person_of};
use crate::change::Verb;
use crate::checks::date::{china_date_of, last_valid_date};
use crate::checks::letter_number::LetterNumber;
use crate::id::{DESK, RecordId, derived_id};
use crate::kinds::{letter, member, person, step, transfer as case};
use crate::lease::Booked;
use crate::machine::{Actor, Effect};
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
    let number = number_of(world, work)?;
    let key = key_of(work.acting.key.id, number);
    let mut values = letter_values(world, work, subject, days)?;
    values.extend(number_values(work.acting.key.id, number, work.taken));
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

/// The record of an issuer's number: one for ever, whatever case asks for it and however the number
/// is written.
fn key_of(issuer: RecordId, number: LetterNumber) -> RecordKey {
    let (year, serial) = (number.year().to_be_bytes(), number.serial().to_be_bytes());
    let parts: [&[u8]; 3] = [&issuer.bytes(), &year, &serial];
    RecordKey {
        kind: letter::KIND_NUMBER,
        id: derived_id("lianxin letter 3", &parts),
    }
}

/// The number that a step gives, if it may be given: it has a number's form, it was never given before,
/// and it lies in no block of somebody else nor in a void rest (`domain.md` 1.8, invariant 4).
fn number_of(world: &World, work: &Work<'_>) -> Result<LetterNumber, Stop> {
    let text = work.taken.text(step::LETTER_NUMBER).unwrap_or_default();
    let number = LetterNumber::parse(text)
        .ok()
        .filter(|number| i32::from(number.year()) <= i32::from(work.date.year()))
        .ok_or(Stop::Refused("LET-004"))?;
    let issuer = work.acting.key.id;
    if let Some(given) = world.record(key_of(issuer, number))? {
        let is_void = given.text(letter::STATE) == Some(letter_machine::state::VOID);
        return Err(Stop::Refused(if is_void { "LET-003" } else { "LET-002" }));
    }
    let Some(booked) = world.block(issuer, number)? else {
        return Ok(number);
    };
    if booked.is_void_at(number.serial()) {
        return Err(Stop::Refused("LET-003"));
    }
    // A machine that was enrolled again brings what it had given out under its former identity.
    let is_own = booked.node == work.incoming.change.id.node || number.serial() < booked.block.next;
    if booked.office != work.incoming.office || !is_own {
        return Err(Stop::Refused("LET-005"));
    }
    Ok(number)
}

/// A number as it stands on paper, with its parts.
fn number_values(issuer: RecordId, number: LetterNumber, taken: &Record) -> [(u16, Vec<u8>); 4] {
    let written = taken.text(step::LETTER_NUMBER).unwrap_or_default().trim();
    [
        (letter::NUMBER, written.as_bytes().to_vec()),
        (letter::ISSUER, issuer.bytes().to_vec()),
        (letter::YEAR, number.year().to_string().into_bytes()),
        (letter::SERIAL, number.serial().to_string().into_bytes()),
    ]
}

/// A letter that a node printed before the verdict is worth nothing once its step is refused: its
/// number, of a block leased to the office, is void with the refusal as the reason (`sync.md` 5).
pub(in crate::decide) fn void_refused(
    world: &mut World,
    incoming: &Incoming<'_>,
    reason: &str,
) -> Result<(), Need> {
    let change = incoming.change;
    let text = |field| std::str::from_utf8(change.value(field).unwrap_or_default()).unwrap_or("");
    let is_step = change.header.kind == step::KIND_NUMBER && change.header.verb == Verb::Step;
    let is_issue = letter_machine::is_issued_by(text(step::EVENT), Actor::Owner);
    if !is_step || incoming.office == DESK || !is_issue {
        return Ok(());
    }
    let issuer = change.value(step::ORGANISATION).unwrap_or_default();
    let (Ok(issuer), Ok(number)) = (
        RecordId::from_slice(issuer),
        LetterNumber::parse(text(step::LETTER_NUMBER)),
    ) else {
        return Ok(());
    };
    let key = key_of(issuer, number);
    let booked = world.block(issuer, number)?;
    let is_theirs = booked.is_some_and(|booked| {
        booked.office == incoming.office
            && booked.node == change.id.node
            && !booked.is_void_at(number.serial())
    });
    if !is_theirs || world.record(key)?.is_some() {
        return Ok(());
    }
    let taken = super::super::create::record_of(incoming);
    let mut values = number_values(issuer, number, &taken).to_vec();
    let why = format!("开具未获确认 not confirmed: {reason}");
    values.extend(void_values(&why, incoming.received_ms));
    if change.value(step::SUBJECT_KIND) == Some(case::KIND_NUMBER.to_string().as_bytes())
        && let Some(subject) = change.value(step::SUBJECT)
    {
        values.push((letter::CASE, subject.to_vec()));
    }
    values.sort_by_key(|(number, _)| *number);
    effect::create(world, key, incoming.office, &values, incoming.received_ms);
    Ok(())
}

/// Books a number as void that was given out or spoilt and stands on no letter: a person says why.
/// The refusal's code where it stands on one, or was not given out yet.
///
/// # Errors
/// A fact that is lacking; the world is as before.
pub fn void_number(
    world: &mut World,
    issuer: &Record,
    number: LetterNumber,
    why: &str,
    now_ms: u64,
) -> Result<Result<RecordId, &'static str>, Need> {
    let key = key_of(issuer.key.id, number);
    if let Some(given) = world.record(key)? {
        let is_void = given.text(letter::STATE) == Some(letter_machine::state::VOID);
        return Ok(Err(if is_void { "LET-003" } else { "LET-002" }));
    }
    let booked = world.block(issuer.key.id, number)?;
    let is_to_come = |booked: &Booked| number.serial() >= booked.block.next;
    if let Some(booked) = booked.filter(is_to_come) {
        let is_void = booked.is_void_at(number.serial());
        return Ok(Err(if is_void { "LET-003" } else { "LET-005" }));
    }
    let mut values = vec![
        (letter::NUMBER, number.to_string().into_bytes()),
        (letter::ISSUER, issuer.key.id.bytes().to_vec()),
        (letter::YEAR, number.year().to_string().into_bytes()),
        (letter::SERIAL, number.serial().to_string().into_bytes()),
    ];
    values.extend(void_values(why, now_ms));
    values.sort_by_key(|(number, _)| *number);
    effect::create(world, key, office_of(issuer), &values, now_ms);
    world.adopt();
    Ok(Ok(key.id))
}

fn void_values(why: &str, now_ms: u64) -> [(u16, Vec<u8>); 3] {
    let today = china_date_of(now_ms.cast_signed()).to_string();
    [
        (
            letter::STATE,
            letter_machine::state::VOID.as_bytes().to_vec(),
        ),
        (letter::VOID_REASON, why.as_bytes().to_vec()),
        (letter::STATE_DATE, today.into_bytes()),
    ]
}

pub(super) fn letter_values(
    world: &World,
    work: &Work<'_>,
    subject: &Record,
    days: i64,
) -> Result<Vec<(u16, Vec<u8>)>, Stop> {
    let mut values = vec![
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
