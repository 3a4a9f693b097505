//! What a transfer's steps do besides moving its state: letter, tenure, person, feeds, stub.
//!
//! Everything happens in the deciding transaction: at its commit exactly one office holds the member.

mod batch;
pub(super) mod letters;
mod moving;
mod repoint;
mod revoking;
mod withdrawing;

use self::letters::{issue_letter, move_letter, withdraw_snapshot};
use self::moving::{close_outwards, move_member, take_in};
use self::repoint::repoint;
use self::revoking::{compensate, revoke_disputed};
use super::step::{Work, office_of, office_of_id};
use super::{Incoming, Stop, effect, merge};
use crate::checks::date::add_days;
use crate::checks::date::add_months;
use crate::id::{DESK, RecordId, derived_id};
use crate::kind::Class;
use crate::kinds::{member, organisation, person, step, transfer as case};
use crate::machine::{Effect, Facts, Transition};
use crate::machines::{member_status, transfer as machine};
use crate::record::{Life, Record, RecordKey, Version};
use crate::world::{Need, World};
pub use repoint::is_succeeded;
pub use withdrawing::roles;
pub(super) use withdrawing::withdraw;

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
    if batch::is_batch(&record) {
        batch::complete(world, &mut record, version)?;
    }
    // A letter from outside names the person itself.
    if record.value(case::MEMBER_NAME).is_none()
        && let Some(member) = member_of(world, &record)?
    {
        let name = name_of(world, &member)?;
        record.set(case::MEMBER_NAME, name, version);
    }
    Ok(record)
}

/// The event that is due on a day for a case on its way: its letter has passed the last valid day or, where the
/// receiver is outside this system, a month more. None where nothing is due.
pub fn due_event(subject: &Record, today: &str) -> Option<&'static str> {
    let last = subject
        .text(case::LAST_VALID_DATE)
        .filter(|last| *last < today)?;
    let is_outside = subject.text(case::VARIANT) == Some("offline_out")
        || subject.reference(case::TO_ORG).is_none();
    if !is_outside {
        return Some(machine::event::EXPIRE);
    }
    let due = last.parse().ok().and_then(|last| add_months(last, 1))?;
    (due.to_string().as_str() < today).then_some(machine::event::CHASE)
}

/// What the guards of a transfer ask of the hub's records.
pub(super) fn facts(world: &World, work: &Work<'_>, base: Facts) -> Result<Facts, Stop> {
    let subject = work.subject;
    let mut facts = batch::facts(world, work, base)?;
    let to_office = office_of_id(world, receiver(work))?;
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
    if work.taken.text(step::EVENT) == Some(machine::event::REPOINT) {
        facts.is_succeeded = is_succeeded(world, subject)?;
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

/// The receiving organisation: the case's, once it has one.
fn receiver(work: &Work<'_>) -> Option<RecordId> {
    let own = work.subject.reference(case::TO_ORG);
    own.or_else(|| work.taken.reference(step::TO_ORG))
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

/// The person whom a member is: the one that he names, or the one that stands for that one.
fn person_of(world: &World, member_record: &Record) -> Result<Option<Record>, Need> {
    let Some(id) = member_record.reference(member::PERSON) else {
        return Ok(None);
    };
    let named = world.record(RecordKey {
        kind: person::KIND_NUMBER,
        id,
    })?;
    let named = named.cloned();
    named.map(|named| merge::meant_by(world, named)).transpose()
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
        let mut all: std::collections::BTreeMap<u16, Vec<u8>> = values.into_iter().collect();
        // What the guards were shown is what is written, whatever else the step says of the organisations.
        let shown = work.subject.fields.iter();
        all.extend(shown.map(|(number, field)| (*number, field.value.clone())));
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
        Effect::Compensate if batch::is_batch(&subject) => batch::compensate(world, work, &subject),
        Effect::Compensate => compensate(world, work, &subject),
        Effect::OpenDispute => open_dispute(world, work, &subject),
        Effect::RevokeDisputed => revoke_disputed(world, work, &subject),
        Effect::Repoint => repoint(world, work, &subject),
        Effect::MoveOrganisation => batch::move_organisation(world, work, &subject),
        // Those of a member's status: no arrow of a transfer carries them (a test of the table), and
        // a batch of arrows that did would be refused as a whole.
        Effect::SetStatus | Effect::CloseTenure | Effect::CloseCase => {
            Err(Stop::Refused("effect_of_a_status"))
        }
    }
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
    // A restored hub has got it back, and it may have been decided since.
    if world.record(key)?.is_some() {
        return Ok(subject.clone());
    }
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
