//! What a transfer's steps do besides moving its state: letter, tenure, person, feeds, stub.
//!
//! Everything happens in the deciding transaction: at its commit exactly one office holds the member.

use super::create::{close_tenure, open_tenure};
use super::step::{Work, office_of, office_of_id};
use super::{Incoming, Stop, effect};
use crate::checks::date::{add_days, add_months, last_valid_date};
use crate::id::{DESK, OfficeId, RecordId, derived_id};
use crate::kind::Class;
use crate::kinds::{letter, member, organisation, person, step, stub, transfer as case};
use crate::machine::{Effect, Facts, Transition};
use crate::machines::{letter as letter_machine, member_status, transfer as machine};
use crate::record::{Life, Record, RecordKey, Version};
use crate::world::{Leaving, Need, World};

/// Days in which an answer is expected where the place has no rule of its own (`domain.md` 1.7).
const ANSWER_DAYS: i64 = 7;

/// A case that is not there yet, as its first step describes it.
pub(super) fn prospective(
    world: &World,
    incoming: &Incoming<'_>,
    taken: &Record,
    key: RecordKey,
    acting: &Record,
) -> Result<Record, Stop> {
    let is_in = taken.text(step::EVENT) == Some(machine::event::ENTER_LETTER);
    let acting_office = office_of(acting);
    let from = taken.reference(step::FROM_ORG).unwrap_or(acting.key.id);
    let office = office_of_id(world, Some(from))?.unwrap_or(acting_office);
    let version = Version {
        change: incoming.change.id,
        ordered_at: incoming.received_ms,
    };
    let mut record = Record {
        key,
        class: Class::Case,
        office: if is_in { acting_office } else { office },
        revision: 0,
        life: Life::Alive,
        life_version: version,
        fields: std::collections::BTreeMap::new(),
    };
    let arrow = machine::MACHINE
        .transitions
        .iter()
        .find(|arrow| arrow.from.is_empty() && Some(arrow.event) == taken.text(step::EVENT))
        .ok_or(Stop::Refused("event_unknown"))?;
    for setting in crate::machines::sets(case::KIND_NUMBER, arrow) {
        if let Some(value) = taken.value(setting.from) {
            record.set(setting.to, value.to_vec(), version);
        }
    }
    if is_in {
        record.set(case::TO_ORG, acting.key.id.bytes(), version);
    } else {
        record.set(case::FROM_ORG, from.bytes(), version);
    }
    if let Some(member) = member_of(world, &record)? {
        let name = name_of(world, &member)?;
        record.set(case::MEMBER_NAME, name, version);
    }
    Ok(record)
}

/// What the guards of a transfer ask of the hub's records.
pub(super) fn facts(world: &World, work: &Work<'_>, base: Facts) -> Result<Facts, Stop> {
    let subject = work.subject;
    let mut facts = base;
    let to_office = office_of_id(world, reference(work, step::TO_ORG, case::TO_ORG))?;
    facts.receiver_inside = to_office.is_some();
    if let Some(record) = member_of(world, subject)? {
        let open = record.reference(member::OPEN_CASE);
        facts.other_open_case = open.is_some_and(|open| open != subject.key.id);
        let status = record.text(member::STATUS).unwrap_or_default();
        let from = office_of_id(world, subject.reference(case::FROM_ORG))?;
        facts.member_active = member_status::ACTIVE.contains(&status)
            && record.reference(member::HOLDER) == from
            && from.is_some();
        let due = record
            .text(member::CONVERSION_DUE)
            .and_then(|text| text.parse().ok());
        facts.probation_overdue = record.text(member::CATEGORY) == Some("probationary")
            && due.is_some_and(|due: jiff::civil::Date| due < work.date);
    }
    let branch = reference(work, step::TO_BRANCH, case::TO_BRANCH);
    if let Some(id) = branch {
        let key = RecordKey {
            kind: organisation::KIND_NUMBER,
            id,
        };
        let is_internal = subject.text(case::VARIANT) == Some("internal");
        let wanted = if is_internal {
            office_of_id(world, subject.reference(case::FROM_ORG))?
        } else {
            to_office
        };
        facts.branch_of_receiver = world.record(key)?.is_some_and(|branch| {
            let is_active = branch
                .text(organisation::STATE)
                .is_none_or(|state| state == "active");
            is_active && branch.is_alive() && Some(office_of(branch)) == wanted
        });
    }
    Ok(facts)
}

fn reference(work: &Work<'_>, of_step: u16, of_case: u16) -> Option<RecordId> {
    work.taken
        .reference(of_step)
        .or_else(|| work.subject.reference(of_case))
}

fn member_of(world: &World, case_record: &Record) -> Result<Option<Record>, Need> {
    let Some(id) = case_record.reference(case::MEMBER) else {
        return Ok(None);
    };
    Ok(world
        .record(RecordKey {
            kind: member::KIND_NUMBER,
            id,
        })?
        .cloned())
}

fn person_of(world: &World, member_record: &Record) -> Result<Option<Record>, Need> {
    let Some(id) = member_record.reference(member::PERSON) else {
        return Ok(None);
    };
    Ok(world
        .record(RecordKey {
            kind: person::KIND_NUMBER,
            id,
        })?
        .cloned())
}

fn name_of(world: &World, member_record: &Record) -> Result<Vec<u8>, Need> {
    let person = person_of(world, member_record)?;
    Ok(person
        .and_then(|p| p.value(person::NAME).map(<[u8]>::to_vec))
        .unwrap_or_default())
}

/// Writes the case with its new state, and keeps the member's open case true.
pub(super) fn write_case(
    world: &mut World,
    work: &Work<'_>,
    arrow: &Transition,
    mut values: Vec<(u16, Vec<u8>)>,
) -> Result<Record, Stop> {
    let now_ms = work.incoming.received_ms;
    let due = add_days(work.date, ANSWER_DAYS)
        .map(|date| date.to_string())
        .unwrap_or_default();
    values.push((case::ANSWER_DUE, due.into_bytes()));
    values.push((case::LAST_STEP, work.taken.key.id.bytes().to_vec()));
    let is_back = arrow.event == machine::event::SEND_BACK;
    values.push((
        case::RETURNED,
        if is_back {
            b"1".to_vec()
        } else {
            b"0".to_vec()
        },
    ));
    values.sort_by_key(|(number, _)| *number);
    values.dedup_by_key(|(number, _)| *number);
    let after = if work.is_new {
        let mut all: std::collections::BTreeMap<u16, Vec<u8>> = work
            .subject
            .fields
            .iter()
            .map(|(number, field)| (*number, field.value.clone()))
            .collect();
        all.extend(values);
        let all: Vec<_> = all.into_iter().collect();
        effect::create(world, work.subject.key, work.subject.office, &all, now_ms);
        world
            .record(work.subject.key)?
            .cloned()
            .ok_or(Stop::Refused("subject_gone"))?
    } else {
        effect::set(world, work.subject, &values, now_ms)
    };
    note_open_case(world, &after, arrow, now_ms)?;
    Ok(after)
}

fn note_open_case(
    world: &mut World,
    after: &Record,
    arrow: &Transition,
    now_ms: u64,
) -> Result<(), Stop> {
    let Some(record) = member_of(world, after)? else {
        return Ok(());
    };
    let own = after.key.id.bytes();
    let noted = record.value(member::OPEN_CASE);
    let is_open = machine::MACHINE.is_open(arrow.to);
    let value = match (is_open, noted) {
        (true, None) => own.to_vec(),
        (false, Some(noted)) if noted == own => Vec::new(),
        _ => return Ok(()),
    };
    effect::set(world, &record, &[(member::OPEN_CASE, value)], now_ms);
    Ok(())
}

/// Carries out an effect on a case; the case as it is after.
pub(super) fn carry_out(
    world: &mut World,
    wanted: Effect,
    work: &Work<'_>,
    subject: Record,
) -> Result<Record, Stop> {
    match wanted {
        Effect::IssueLetter => issue_letter(world, work, &subject),
        Effect::VoidLetter
        | Effect::UseLetter
        | Effect::ExpireLetter
        | Effect::SuspendLetter
        | Effect::RestoreLetter => {
            move_letter(world, wanted, work, &subject)?;
            Ok(subject)
        }
        Effect::WithdrawSnapshot => {
            withdraw_snapshot(world, &subject)?;
            Ok(subject)
        }
        Effect::MoveMember => move_member(world, work, &subject),
        Effect::CloseOutwards => close_outwards(world, work, &subject),
        Effect::TakeIn => take_in(world, work, &subject),
        Effect::Compensate => compensate(world, work, &subject),
        Effect::OpenDispute => open_dispute(world, work, &subject),
        Effect::RevokeDisputed
        | Effect::MoveOrganisation
        | Effect::Repoint
        | Effect::SetStatus
        | Effect::CloseTenure
        | Effect::CloseCase => Err(Stop::Refused("not_available")),
    }
}

/// Makes the letter, shows it to the receiver, and counts it as delivered to an office inside.
fn issue_letter(world: &mut World, work: &Work<'_>, subject: &Record) -> Result<Record, Stop> {
    let now_ms = work.incoming.received_ms;
    let days = work.taken.integer(step::VALID_DAYS).unwrap_or(0);
    let last = last_valid_date(work.date, days).map_err(|_| Stop::Refused("TRF-014"))?;
    let number = work
        .taken
        .value(step::LETTER_NUMBER)
        .unwrap_or_default()
        .to_vec();
    let parts: [&[u8]; 2] = [&subject.key.id.bytes(), &number];
    let key = RecordKey {
        kind: letter::KIND_NUMBER,
        id: derived_id("lianxin letter 1", &parts),
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

fn letter_values(
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

fn letter_of(world: &World, subject: &Record) -> Result<Option<Record>, Need> {
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

fn move_letter(
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

fn withdraw_snapshot(world: &mut World, subject: &Record) -> Result<(), Stop> {
    let to_office = office_of_id(world, subject.reference(case::TO_ORG))?;
    if let (Some(paper), Some(office)) = (letter_of(world, subject)?, to_office)
        && office != subject.office
    {
        world.leave(paper.key, office, Leaving::Withdrawn);
    }
    Ok(())
}

/// The member moves: to another branch of the same office, or to the receiver's.
fn move_member(world: &mut World, work: &Work<'_>, subject: &Record) -> Result<Record, Stop> {
    let now_ms = work.incoming.received_ms;
    let record = member_of(world, subject)?.ok_or(Stop::Refused("TRF-012"))?;
    let branch = reference(work, step::TO_BRANCH, case::TO_BRANCH);
    let branch = branch.map(|id| id.bytes().to_vec()).unwrap_or_default();
    let today = work.date.to_string().into_bytes();
    let receipt_due = add_months(work.date, 1)
        .map(|date| date.to_string())
        .unwrap_or_default();
    let fields = [
        (case::ACCEPTED_DATE, today.clone()),
        (case::RECEIPT_DUE, receipt_due.into_bytes()),
    ];
    let from = record.office;
    let is_internal = subject.text(case::VARIANT) == Some("internal");
    let to = office_of_id(world, subject.reference(case::TO_ORG))?.filter(|_| !is_internal);
    let Some(to) = to.filter(|to| *to != from) else {
        let moved = [(member::BRANCH, branch), (member::GROUP, Vec::new())];
        effect::set(world, &record, &moved, now_ms);
        return Ok(effect::set(world, subject, &fields[..1], now_ms));
    };
    hand_over(world, work, subject, &record, to, &branch)?;
    Ok(effect::set(world, subject, &fields, now_ms))
}

/// Closes the tenure of one office and opens that of another, with person, feeds and stub.
fn hand_over(
    world: &mut World,
    work: &Work<'_>,
    subject: &Record,
    record: &Record,
    to: OfficeId,
    branch: &[u8],
) -> Result<(), Stop> {
    let now_ms = work.incoming.received_ms;
    let from = record.office;
    let how = ("acceptance", Some(subject.key.id));
    close_tenure(world, record, Some(to), how, now_ms)?;
    let name = name_of(world, record)?;
    let person = copy_person(world, subject, record, to, now_ms)?;
    let moved = [
        (
            member::PERSON,
            person.map(|id| id.bytes().to_vec()).unwrap_or_default(),
        ),
        (member::BRANCH, branch.to_vec()),
        (member::GROUP, Vec::new()),
        (member::RELATION_IN_DATE, work.date.to_string().into_bytes()),
    ];
    let after = effect::set(world, record, &moved, now_ms);
    let after = open_tenure(world, &after, to, how, now_ms);
    world.join(after.key, to);
    world.leave(after.key, from, Leaving::Transferred);
    share_tenures(world, &after, to)?;
    let tenure = record
        .value(member::TENURE_NUMBER)
        .unwrap_or_default()
        .to_vec();
    let key = stub_key(subject.key.id, record.key.id);
    let values = [
        (stub::MEMBER, record.key.id.bytes().to_vec()),
        (stub::NAME, name),
        (stub::FROM_ORG, from.bytes().to_vec()),
        (stub::TO_ORG, to.bytes().to_vec()),
        (stub::TRANSFERRED_DATE, work.date.to_string().into_bytes()),
        (stub::CASE, subject.key.id.bytes().to_vec()),
        (stub::TENURE_NUMBER, tenure),
    ];
    effect::create(world, key, from, &values, now_ms);
    Ok(())
}

fn stub_key(case_id: RecordId, member_id: RecordId) -> RecordKey {
    let id = derived_id("lianxin stub 1", &[&case_id.bytes(), &member_id.bytes()]);
    RecordKey {
        kind: stub::KIND_NUMBER,
        id,
    }
}

/// The receiver sees the list of tenures.
fn share_tenures(world: &mut World, record: &Record, to: OfficeId) -> Result<(), Stop> {
    let last = record.integer(member::TENURE_NUMBER).unwrap_or(0);
    for number in 1..=last {
        let key = super::create::tenure_key(record.key.id, number);
        if let Some(tenure) = world.record(key)?.cloned() {
            world.join(key, to);
            world.put(tenure, crate::world::Mover::Foreign);
        }
    }
    Ok(())
}

/// The receiver's own record of the person, derived from the case so that a repeat makes the same.
fn copy_person(
    world: &mut World,
    subject: &Record,
    record: &Record,
    to: OfficeId,
    now_ms: u64,
) -> Result<Option<RecordId>, Stop> {
    let Some(original) = person_of(world, record)? else {
        return Ok(None);
    };
    let id = derived_id(
        "lianxin person of case 1",
        &[&subject.key.id.bytes(), &to.bytes()],
    );
    let key = RecordKey {
        kind: person::KIND_NUMBER,
        id,
    };
    if world.record(key)?.is_none() {
        let values: Vec<_> = original
            .fields
            .iter()
            .filter(|(_, field)| !field.value.is_empty())
            .map(|(number, field)| (*number, field.value.clone()))
            .collect();
        effect::create(world, key, to, &values, now_ms);
    }
    Ok(Some(id))
}

/// The member was received outside this system.
fn close_outwards(world: &mut World, work: &Work<'_>, subject: &Record) -> Result<Record, Stop> {
    let now_ms = work.incoming.received_ms;
    let record = member_of(world, subject)?.ok_or(Stop::Refused("TRF-012"))?;
    let how = ("acceptance_external", Some(subject.key.id));
    close_tenure(world, &record, None, how, now_ms)?;
    effect::set(world, &record, &[(member::HOLDER, Vec::new())], now_ms);
    let name = name_of(world, &record)?;
    let destination = subject.value(case::TO_UNIT).unwrap_or_default().to_vec();
    let values = [
        (stub::MEMBER, record.key.id.bytes().to_vec()),
        (stub::NAME, name),
        (stub::FROM_ORG, record.office.bytes().to_vec()),
        (stub::TRANSFERRED_DATE, work.date.to_string().into_bytes()),
        (stub::CASE, subject.key.id.bytes().to_vec()),
        (stub::DESTINATION, destination),
    ];
    effect::create(
        world,
        stub_key(subject.key.id, record.key.id),
        record.office,
        &values,
        now_ms,
    );
    let today = work.date.to_string().into_bytes();
    Ok(effect::set(
        world,
        subject,
        &[(case::ACCEPTED_DATE, today)],
        now_ms,
    ))
}

/// A member comes in from outside on paper.
fn take_in(world: &mut World, work: &Work<'_>, subject: &Record) -> Result<Record, Stop> {
    let now_ms = work.incoming.received_ms;
    let office = subject.office;
    let branch = reference(work, step::TO_BRANCH, case::TO_BRANCH);
    let copied = |pairs: &[(u16, u16)]| -> Vec<(u16, Vec<u8>)> {
        let copy = |(from, to): &(u16, u16)| Some((*to, subject.value(*from)?.to_vec()));
        pairs.iter().filter_map(copy).collect()
    };
    let person_key = RecordKey {
        kind: person::KIND_NUMBER,
        id: derived_id(
            "lianxin person of case 1",
            &[&subject.key.id.bytes(), &office.bytes()],
        ),
    };
    let mut of_person = copied(&[
        (case::MEMBER_NAME, person::NAME),
        (case::MEMBER_SEX, person::SEX),
        (case::MEMBER_ETHNICITY, person::ETHNICITY),
        (case::MEMBER_BIRTH_DATE, person::BIRTH_DATE),
        (case::MEMBER_ID_NUMBER, person::ID_NUMBER),
        (case::MEMBER_PHONE, person::PHONE),
    ]);
    of_person.sort_by_key(|(number, _)| *number);
    effect::create(world, person_key, office, &of_person, now_ms);
    let is_probationary = subject.text(case::MEMBER_CATEGORY) == Some("probationary");
    let status = if is_probationary {
        member_status::state::PROBATIONARY
    } else {
        member_status::state::FULL
    };
    let category = if is_probationary {
        "probationary"
    } else {
        "full"
    };
    let key = RecordKey {
        kind: member::KIND_NUMBER,
        id: derived_id("lianxin member of case 1", &[&subject.key.id.bytes()]),
    };
    let mut of_member = copied(&[
        (case::MEMBER_JOIN_DATE, member::JOIN_DATE),
        (case::MEMBER_CONVERSION_DUE, member::CONVERSION_DUE),
        (case::MEMBER_CONVERSION_DATE, member::CONVERSION_DATE),
        (case::DUES_PAID_TO, member::DUES_PAID_TO),
    ]);
    of_member.push((member::PERSON, person_key.id.bytes().to_vec()));
    of_member.push((member::CATEGORY, category.as_bytes().to_vec()));
    of_member.push((member::STATUS, status.as_bytes().to_vec()));
    of_member.push((member::RELATION_IN_DATE, work.date.to_string().into_bytes()));
    if let Some(branch) = branch {
        of_member.push((member::BRANCH, branch.bytes().to_vec()));
    }
    of_member.sort_by_key(|(number, _)| *number);
    effect::create(world, key, office, &of_member, now_ms);
    let record = world
        .record(key)?
        .cloned()
        .ok_or(Stop::Refused("subject_gone"))?;
    open_tenure(
        world,
        &record,
        office,
        ("acceptance_offline", Some(subject.key.id)),
        now_ms,
    );
    let fields = [
        (case::MEMBER, key.id.bytes().to_vec()),
        (case::ACCEPTED_DATE, work.date.to_string().into_bytes()),
    ];
    Ok(effect::set(world, subject, &fields, now_ms))
}

/// A finished move is taken back by a tenure of the origin; nothing is deleted.
fn compensate(world: &mut World, work: &Work<'_>, subject: &Record) -> Result<Record, Stop> {
    let record = member_of(world, subject)?.ok_or(Stop::Refused("TRF-012"))?;
    let back = office_of_id(world, subject.reference(case::FROM_ORG))?;
    let Some(back) = back.filter(|back| *back != record.office) else {
        return Err(Stop::Refused("not_available"));
    };
    let branch = subject
        .value(case::FROM_BRANCH)
        .unwrap_or_default()
        .to_vec();
    let now_ms = work.incoming.received_ms;
    let how = ("revocation", Some(subject.key.id));
    close_tenure(world, &record, Some(back), how, now_ms)?;
    let former = record.office;
    let person = copy_person(world, subject, &record, back, now_ms)?;
    let moved = [
        (
            member::PERSON,
            person.map(|id| id.bytes().to_vec()).unwrap_or_default(),
        ),
        (member::BRANCH, branch),
        (member::GROUP, Vec::new()),
    ];
    let after = effect::set(world, &record, &moved, now_ms);
    let after = open_tenure(world, &after, back, how, now_ms);
    world.join(after.key, back);
    world.leave(after.key, former, Leaving::Transferred);
    share_tenures(world, &after, back)?;
    Ok(subject.clone())
}

/// What crosses an acceptance leaves it standing and opens a dispute beside it (T7).
fn open_dispute(world: &mut World, work: &Work<'_>, subject: &Record) -> Result<Record, Stop> {
    let now_ms = work.incoming.received_ms;
    let parts: [&[u8]; 2] = [&subject.key.id.bytes(), &work.taken.key.id.bytes()];
    let id = derived_id("lianxin dispute 1", &parts);
    let key = RecordKey {
        kind: case::KIND_NUMBER,
        id,
    };
    let mut values = vec![
        (
            case::VARIANT,
            subject.value(case::VARIANT).unwrap_or_default().to_vec(),
        ),
        (case::STATE, machine::state::DISPUTED.as_bytes().to_vec()),
        (case::STATE_DATE, work.date.to_string().into_bytes()),
        (case::DISPUTES, subject.key.id.bytes().to_vec()),
        (
            case::LAST_EVENT,
            machine::event::DISPUTE.as_bytes().to_vec(),
        ),
    ];
    for number in [
        case::MEMBER,
        case::MEMBER_NAME,
        case::FROM_ORG,
        case::TO_ORG,
    ] {
        if let Some(value) = subject.value(number) {
            values.push((number, value.to_vec()));
        }
    }
    values.sort_by_key(|(number, _)| *number);
    effect::create(world, key, subject.office, &values, now_ms);
    for organisation in [case::FROM_ORG, case::TO_ORG] {
        let office = office_of_id(world, subject.reference(organisation))?;
        if let Some(office) = office.filter(|office| *office != DESK) {
            world.join(key, office);
        }
    }
    Ok(subject.clone())
}

/// Ends the member's open case because of the member's status.
pub(super) fn close_case_of(
    world: &mut World,
    work: &Work<'_>,
    member_record: Record,
) -> Result<Record, Stop> {
    let Some(id) = member_record.reference(member::OPEN_CASE) else {
        return Ok(member_record);
    };
    let key = RecordKey {
        kind: case::KIND_NUMBER,
        id,
    };
    let Some(open) = world.record(key)?.cloned() else {
        return Ok(member_record);
    };
    let now_ms = work.incoming.received_ms;
    move_letter(world, Effect::VoidLetter, work, &open)?;
    withdraw_snapshot(world, &open)?;
    let ended = [
        (
            case::STATE,
            machine::state::CLOSED_BY_STATUS.as_bytes().to_vec(),
        ),
        (case::STATE_DATE, work.date.to_string().into_bytes()),
        (
            case::LAST_EVENT,
            machine::event::CLOSE_BY_STATUS.as_bytes().to_vec(),
        ),
    ];
    effect::set(world, &open, &ended, now_ms);
    Ok(effect::set(
        world,
        &member_record,
        &[(member::OPEN_CASE, Vec::new())],
        now_ms,
    ))
}
