//! Steps: the hub applies them to a machine's subject in its own order, with the machine's table.

use jiff::civil::Date;

use super::begin::records_of_volunteer;
use super::{Incoming, Stop, Verdict, begin, check_references, create, effect, settle, transfer};
use crate::checks::date::china_date_of;
use crate::id::{DESK, OfficeId, RecordId};
use crate::kind::Kind;
use crate::kinds::{
    self, activity, conflict, member, organisation, participation, person, set_aside, step,
    transfer as case,
};
use crate::machine::{Actor, Effect, Facts, Machine, Refused, Situation, Transition};
use crate::machines::participation::state::MEASURED;
use crate::machines::{self, member_status};
use crate::record::{Life, Record, RecordKey};
use crate::world::{Mover, Need, World};

/// Applies a step.
pub(super) fn step(world: &mut World, incoming: &Incoming<'_>) -> Result<Verdict, Stop> {
    if incoming.change.header.kind != step::KIND_NUMBER {
        return Err(Stop::Refused("kind_wrong"));
    }
    if let Some(existing) = world.record(incoming.key())? {
        let is_same = existing.life_version.change == incoming.change.id;
        return if is_same {
            Ok(Verdict::Applied)
        } else {
            Err(Stop::Refused("exists"))
        };
    }
    let taken = create::record_of(incoming);
    let acting = acting_organisation(world, incoming, &taken)?;
    let subject_kind = taken
        .integer(step::SUBJECT_KIND)
        .and_then(|n| u16::try_from(n).ok());
    let subject_id = taken
        .value(step::SUBJECT)
        .and_then(|b| RecordId::from_slice(b).ok());
    let (Some(kind), Some(id)) = (subject_kind, subject_id) else {
        return Err(Stop::Refused("value_missing"));
    };
    let key = RecordKey { kind, id };
    let subject = world.record(key)?.cloned();
    if let Some(subject) = &subject
        && is_repeat(world, subject, &taken)?
    {
        world.put(taken, Mover::Own(incoming.change.id));
        return Ok(Verdict::Applied);
    }
    check_references(world, incoming, Some(&step::KIND))?;
    if let Some(subject) = &subject {
        super::merge::check_not_merged(subject)?;
        if !subject.is_alive() {
            return Err(Stop::Refused("deleted"));
        }
    }
    match (kind, &subject) {
        (conflict::KIND_NUMBER, Some(item)) => settle::settle(world, incoming, &taken, item),
        (set_aside::KIND_NUMBER, Some(note)) => {
            settle::decide_set_aside(world, incoming, &taken, note)
        }
        _ => move_machine(world, incoming, &taken, key, subject, &acting),
    }
}

/// The organisation that acts: the office's own, or any for the desk.
fn acting_organisation(
    world: &World,
    incoming: &Incoming<'_>,
    taken: &Record,
) -> Result<Record, Stop> {
    let id = taken
        .reference(step::ORGANISATION)
        .ok_or(Stop::Refused("value_missing"))?;
    let key = RecordKey {
        kind: organisation::KIND_NUMBER,
        id,
    };
    let Some(acting) = world.record(key)?.cloned() else {
        return Err(Stop::WaitsFor(key));
    };
    if incoming.office != DESK && office_of(&acting) != incoming.office {
        return Err(Stop::Refused("not_yours"));
    }
    Ok(acting)
}

/// The office whose node works for an organisation: itself, or the one that it names.
pub fn office_of(organisation: &Record) -> OfficeId {
    match organisation.reference(organisation::NODE_OFFICE) {
        Some(office) if organisation.text(organisation::IS_OFFICE) != Some("1") => office,
        _ => organisation.key.id,
    }
}

/// The office whose node works for an organisation named by id; none where it is unknown.
pub(super) fn office_of_id(world: &World, id: Option<RecordId>) -> Result<Option<OfficeId>, Need> {
    let Some(id) = id else { return Ok(None) };
    let key = RecordKey {
        kind: organisation::KIND_NUMBER,
        id,
    };
    Ok(world.record(key)?.map(office_of))
}

/// What a machine's step works on.
pub(super) struct Work<'a> {
    /// The change that brought the step.
    pub incoming: &'a Incoming<'a>,
    /// The step's record.
    pub taken: &'a Record,
    /// The subject before the step; a prospective one for a beginning.
    pub subject: &'a Record,
    /// Whether the subject is new.
    pub is_new: bool,
    /// The organisation that acts.
    pub acting: &'a Record,
    /// The step's date.
    pub date: Date,
}

fn move_machine(
    world: &mut World,
    incoming: &Incoming<'_>,
    taken: &Record,
    key: RecordKey,
    subject: Option<Record>,
    acting: &Record,
) -> Result<Verdict, Stop> {
    let kind = kinds::by_number(key.kind).ok_or(Stop::Refused("kind_unknown"))?;
    let machine = kind.machine.ok_or(Stop::Refused("no_machine"))?;
    let event = taken
        .text(step::EVENT)
        .ok_or(Stop::Refused("value_missing"))?
        .to_owned();
    let is_beginning = machine
        .transitions
        .iter()
        .any(|arrow| arrow.from.is_empty() && arrow.event == event);
    let is_new = subject.is_none();
    let subject = match subject {
        Some(subject) => subject,
        None if is_beginning && key.kind == case::KIND_NUMBER => {
            transfer::prospective(world, incoming, taken, key, acting)?
        }
        None => return Err(Stop::WaitsFor(key)),
    };
    let date = step_date(taken, incoming.received_ms);
    let work = Work {
        incoming,
        taken,
        subject: &subject,
        is_new,
        acting,
        date,
    };
    let arrow = find_arrow(world, machine, kind, &event, &work)?;
    world.put(taken.clone(), Mover::Own(incoming.change.id));
    world.note_step(key.id, taken.key);
    carry_out(world, kind, arrow, &work)?;
    Ok(Verdict::Applied)
}

/// Whether the step repeats one of its case, whatever became of the records that it names (T3).
fn is_repeat(world: &World, subject: &Record, taken: &Record) -> Result<bool, Need> {
    if subject.key.kind != case::KIND_NUMBER {
        return Ok(false);
    }
    if is_received_again(world, subject, taken)? {
        return Ok(true);
    }
    let state = subject.text(case::STATE).unwrap_or_default();
    let applied = world.steps(subject.key.id)?;
    Ok(machines::transfer::is_repeat(state, taken, &applied))
}

/// Whether the case's own receiver accepts whom it has accepted already: a restored hub may not have the step by which
/// it did. Only an acceptance by somebody else crosses that one (T7).
fn is_received_again(world: &World, subject: &Record, taken: &Record) -> Result<bool, Need> {
    let state = subject.text(case::STATE).unwrap_or_default();
    let is_accept = taken.text(step::EVENT) == Some(machines::transfer::event::ACCEPT);
    if !is_accept || !machines::transfer::RECEIVED.contains(&state) {
        return Ok(false);
    }
    let receiver = office_of_id(world, subject.reference(case::TO_ORG))?;
    let acting = office_of_id(world, taken.reference(step::ORGANISATION))?;
    Ok(receiver.is_some() && receiver == acting)
}

fn find_arrow(
    world: &World,
    machine: &'static Machine,
    kind: &'static Kind,
    event: &str,
    work: &Work<'_>,
) -> Result<&'static Transition, Stop> {
    let facts = facts(world, work)?;
    let state = kind.state_field.and_then(|field| work.subject.text(field));
    let from = if work.is_new { None } else { state };
    let actors = actors(world, work)?;
    let mut refused = Refused::NotAllowed;
    let is_former = actors.contains(&Actor::Former);
    for actor in actors {
        let situation = Situation {
            subject: work.subject,
            step: work.taken,
            actor,
            date: work.date,
            facts: &facts,
        };
        match machine.step(from, event, &situation) {
            Ok(arrow) => return Ok(arrow),
            Err(Refused::WrongActor) if refused != Refused::NotAllowed => {}
            Err(other) => refused = other,
        }
    }
    let code = if is_former && refused == Refused::WrongActor {
        member_status::LATE_DECISION
    } else if kind.number == case::KIND_NUMBER {
        machines::transfer::refusal_code(state.unwrap_or_default(), event, refused)
    } else {
        machine.code(refused)
    };
    Err(Stop::Refused(code))
}

/// The step's own date, at most the date received (`sync.md` 5).
fn step_date(taken: &Record, received_ms: u64) -> Date {
    let received = china_date_of(received_ms.cast_signed());
    let own = taken
        .text(step::DATE)
        .and_then(|text| text.parse::<Date>().ok());
    own.map_or(received, |own| own.min(received))
}

/// In which roles the acting organisation may take this step, the nearest first.
fn actors(world: &World, work: &Work<'_>) -> Result<Vec<Actor>, Stop> {
    let office = office_of(work.acting);
    let subject = work.subject;
    let mut actors = Vec::new();
    if subject.key.kind == case::KIND_NUMBER {
        let from = office_of_id(world, subject.reference(case::FROM_ORG))?;
        let to = office_of_id(world, subject.reference(case::TO_ORG))?;
        let is_batch = subject.value(case::MOVED_ORG).is_some();
        if from == Some(office) || (is_batch && subject.office == office) {
            actors.push(Actor::Owner);
        }
        if to == Some(office) {
            actors.push(Actor::Receiver);
        }
    } else if subject.office == office {
        actors.push(Actor::Owner);
    } else if subject.key.kind == member::KIND_NUMBER && office == work.incoming.office {
        actors.extend(actors_beside(world, subject, office)?);
    }
    if work.incoming.office == DESK {
        actors.push(Actor::Authority);
        if work.taken.text(step::RECORDER) == Some(HUB_RECORDER) {
            actors.push(Actor::Hub);
        }
    }
    if actors.is_empty() {
        Err(Stop::Refused("not_yours"))
    } else {
        Ok(actors)
    }
}

/// In which roles an office that does not hold a member may act on the member's status. One that held him once is a
/// former holder also while he is on his way back to it.
fn actors_beside(world: &World, subject: &Record, office: OfficeId) -> Result<Vec<Actor>, Stop> {
    let mut actors = Vec::new();
    if let Some(id) = subject.reference(member::OPEN_CASE) {
        let key = RecordKey {
            kind: case::KIND_NUMBER,
            id,
        };
        let to = world
            .record(key)?
            .and_then(|open| open.reference(case::TO_ORG));
        if office_of_id(world, to)? == Some(office) {
            actors.push(Actor::Receiver);
        }
    }
    if create::has_held(world, subject, office)? {
        actors.push(Actor::Former);
    }
    Ok(actors)
}

/// The recorder of steps that the hub takes by rule.
pub const HUB_RECORDER: &str = "hub";

fn facts(world: &World, work: &Work<'_>) -> Result<Facts, Stop> {
    let can_admit_members = work.acting.text(organisation::CAN_ADMIT_MEMBERS) == Some("1");
    let base = Facts {
        can_admit_members,
        ..Facts::default()
    };
    match work.subject.key.kind {
        case::KIND_NUMBER => transfer::facts(world, work, base),
        participation::KIND_NUMBER => {
            let recorder = work.taken.text(step::RECORDER);
            let facts = participation_facts(world, work.subject, recorder, work.date)?;
            Ok(Facts {
                can_admit_members,
                publicity_days: publicity_days(world, work.subject)?,
                ..facts
            })
        }
        activity::KIND_NUMBER => {
            let ended = work.subject.text(activity::HELD_DATE);
            Ok(Facts {
                working_days_since: working_days(ended, work.date),
                ..base
            })
        }
        _ => Ok(base),
    }
}

/// What the guards of a service entry ask of the hub's records.
pub(super) fn participation_facts(
    world: &World,
    subject: &Record,
    recorder: Option<&str>,
    date: Date,
) -> Result<Facts, Need> {
    let recorder_is_subject = match (subject.reference(participation::VOLUNTEER), recorder) {
        (Some(served), Some(recorder)) => is_named(world, served, recorder)?,
        _ => false,
    };
    let mut activity_open = false;
    if let Some(id) = subject.reference(participation::ACTIVITY) {
        let key = RecordKey {
            kind: activity::KIND_NUMBER,
            id,
        };
        activity_open = world
            .record(key)?
            .and_then(|activity| activity.text(activity::STATE))
            .is_some_and(machines::activity::is_open_for_enrolment);
    }
    let served = subject.text(participation::SERVICE_DATE);
    Ok(Facts {
        recorder_is_subject,
        working_days_since: working_days(served, date),
        activity_open,
        ..Facts::default()
    })
}

/// Whether a volunteer has this name, in whichever record of him.
fn is_named(world: &World, served: RecordId, name: &str) -> Result<bool, Need> {
    let kind = person::KIND_NUMBER;
    for id in records_of_volunteer(world, served)?.1 {
        let who = world.record(RecordKey { kind, id })?;
        if who.is_some_and(|who| who.text(person::NAME) == Some(name)) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Levels of organisations that are asked for their setting.
const LEVELS_MAX: usize = 16;

/// The working days of public notice by the setting of the recording unit, or of the nearest
/// organisation above it that has one.
fn publicity_days(world: &World, entry: &Record) -> Result<i64, Need> {
    let mut at = entry.reference(participation::RECORDING_UNIT);
    for _ in 0..LEVELS_MAX {
        let Some(id) = at else { break };
        let key = RecordKey {
            kind: organisation::KIND_NUMBER,
            id,
        };
        let Some(unit) = world.record(key)? else {
            break;
        };
        if let Some(days) = unit.integer(organisation::PUBLICITY_DAYS) {
            return Ok(days);
        }
        at = unit.reference(organisation::PARENT);
    }
    Ok(machines::participation::PUBLICITY_DAYS)
}

/// Working days from a date to another; none from a day that is not given.
pub(super) fn working_days(since: Option<&str>, to: Date) -> i64 {
    let calendar = crate::checks::date::WorkCalendar::default();
    since
        .and_then(|text| text.parse::<Date>().ok())
        .map_or(0, |since| calendar.working_days_between(since, to))
}

/// Sets the state and the step's arguments, then carries out the arrow's effects.
fn carry_out(
    world: &mut World,
    kind: &'static Kind,
    arrow: &'static Transition,
    work: &Work<'_>,
) -> Result<(), Stop> {
    let mut values = Vec::new();
    for setting in machines::sets(kind.number, arrow) {
        match work.taken.value(setting.from) {
            Some(value) => values.push((setting.to, value.to_vec())),
            None if setting.clears => values.push((setting.to, Vec::new())),
            None => {}
        }
    }
    if let Some(field) = kind.state_field {
        values.push((field, arrow.to.as_bytes().to_vec()));
    }
    let now_ms = work.incoming.received_ms;
    let after = if kind.number == case::KIND_NUMBER {
        transfer::write_case(world, work, arrow, values)?
    } else {
        effect::set(world, work.subject, &values, now_ms)
    };
    if kind.number == participation::KIND_NUMBER && arrow.to == MEASURED {
        begin::note_service(world, &after, false, (work.date, now_ms))?;
    }
    let mut after = after;
    for effect in arrow.effects {
        after = carry_out_one(world, *effect, arrow, work, after)?;
    }
    Ok(())
}

fn carry_out_one(
    world: &mut World,
    effect: Effect,
    arrow: &'static Transition,
    work: &Work<'_>,
    subject: Record,
) -> Result<Record, Stop> {
    let now_ms = work.incoming.received_ms;
    match effect {
        Effect::SetStatus => {
            let category = member_status::category_of(arrow.to);
            let value = category.map_or_else(Vec::new, |code| code.as_bytes().to_vec());
            if value.is_empty() {
                return Ok(subject);
            }
            Ok(effect::set(
                world,
                &subject,
                &[(member::CATEGORY, value)],
                now_ms,
            ))
        }
        Effect::CloseTenure => {
            // A stopped member's tenure was closed when membership stopped.
            if create::open_tenure_of(world, &subject)?.is_none() {
                return Ok(subject);
            }
            let how = member_status::tenure_event_of(arrow.event).unwrap_or("left");
            create::close_tenure(world, &subject, None, (how, None), now_ms)?;
            // Held by nobody (`domain.md` 1.8, invariant 1); whose care he was in, the tenure says.
            let nobody = [(member::HOLDER, Vec::new())];
            Ok(effect::set(world, &subject, &nobody, now_ms))
        }
        Effect::TakeIn if subject.key.kind == member::KIND_NUMBER => {
            if create::open_tenure_of(world, &subject)?.is_some() {
                return Ok(subject);
            }
            let how = member_status::tenure_event_of(arrow.event).unwrap_or("admission");
            let office = subject.office;
            create::open_tenure_at(world, &subject, office, (how, None), now_ms)
        }
        Effect::CloseCase => transfer::close_case_of(world, work, subject),
        other => transfer::carry_out(world, other, work, subject),
    }
}

/// Why an office can know by itself that a step will be refused: no arrow with this event leads on
/// from the state that it sees. The events that do are named.
pub fn local_refusal(kind: &Kind, subject: &Record, event: &str) -> Option<Vec<&'static str>> {
    let machine = kind.machine?;
    let state = kind.state_field.and_then(|field| subject.text(field))?;
    let allowed = machine.allowed(state);
    let lives = subject.life == Life::Alive;
    (!lives || !allowed.contains(&event)).then_some(allowed)
}
