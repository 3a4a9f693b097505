//! A finished move is taken back by a compensating tenure; nothing is deleted (`domain.md` 1.8, row
//! revoke).
//!
//! Only the move by which the member stands where he stands can be taken back: whoever moved on
//! since, or is a member no more, stays (`TRF-019`). So the tenure is compared before it is set. An
//! origin that was merged since is the organisation that stands for it today.

use super::super::create::{close_tenure, open_tenure_at, open_tenure_of, tenure_key};
use super::super::handover::share_tenures;
use super::super::merge::check_not_merged;
use super::super::organisation::standing_for;
use super::super::step::{Work, office_of_id};
use super::super::{Stop, effect};
use super::member_of;
use super::moving::{hand_over_items, person_there};
use super::withdrawing::withdraw;
use crate::id::{OfficeId, RecordId};
use crate::kinds::{member, step, tenure, transfer as case};
use crate::machines::{member_status, transfer as machine};
use crate::record::{Record, RecordKey};
use crate::world::{Leaving, Need, World};

/// The member has moved on since, or is none any more.
const MOVED_ON: Stop = Stop::Refused("TRF-019");

/// Takes back the move of a case.
pub(super) fn compensate(
    world: &mut World,
    work: &Work<'_>,
    subject: &Record,
) -> Result<Record, Stop> {
    let record = member_of(world, subject)?.ok_or(Stop::Refused("TRF-012"))?;
    check_not_merged(&record)?;
    if record.value(member::OPEN_CASE).is_some() {
        return Err(Stop::Refused("TRF-001"));
    }
    match subject.text(case::VARIANT) {
        Some("internal") => back_to_branch(world, work, subject, &record)?,
        Some("offline_in") => out_again(world, work, subject, &record)?,
        _ => back_to_origin(world, work, subject, &record)?,
    }
    Ok(subject.clone())
}

/// Ends a dispute by taking back the acceptance beside which it stands; a case that was revoked by
/// itself in the meantime is left as it is.
pub(super) fn revoke_disputed(
    world: &mut World,
    work: &Work<'_>,
    dispute: &Record,
) -> Result<Record, Stop> {
    let id = dispute.reference(case::DISPUTES);
    let key = |id| RecordKey {
        kind: case::KIND_NUMBER,
        id,
    };
    let disputed = match id {
        Some(id) => world.record(key(id))?.cloned(),
        None => None,
    };
    let disputed = disputed.ok_or(Stop::Refused("subject_gone"))?;
    let state = disputed.text(case::STATE).unwrap_or_default();
    if state == machine::state::REVOKED {
        return Ok(dispute.clone());
    }
    if !machine::MOVED.contains(&state) {
        return Err(MOVED_ON);
    }
    compensate(world, work, &disputed)?;
    let mut values = vec![
        (case::STATE, machine::state::REVOKED.as_bytes().to_vec()),
        (case::STATE_DATE, work.date.to_string().into_bytes()),
        (case::LAST_EVENT, machine::event::REVOKE.as_bytes().to_vec()),
        (case::LAST_STEP, work.taken.key.id.bytes().to_vec()),
    ];
    for (from, to) in [
        (step::RECORDER, case::LAST_ACTOR),
        (step::REASON, case::STATE_REASON),
        (step::DECISION_NUMBER, case::DECISION_NUMBER),
        (step::DECISION_DATE, case::DECISION_DATE),
    ] {
        if let Some(value) = work.taken.value(from) {
            values.push((to, value.to_vec()));
        }
    }
    effect::set(world, &disputed, &values, work.incoming.received_ms);
    Ok(dispute.clone())
}

/// A move between branches of one office: the tenure was the office's throughout.
fn back_to_branch(
    world: &mut World,
    work: &Work<'_>,
    subject: &Record,
    record: &Record,
) -> Result<(), Stop> {
    let is_there = record.value(member::BRANCH) == subject.value(case::TO_BRANCH);
    let is_same = office_of_id(world, subject.reference(case::FROM_ORG))? == Some(record.office);
    if !is_there || !is_same || open_tenure_of(world, record)?.is_none() {
        return Err(MOVED_ON);
    }
    let values = [(member::BRANCH, from_branch(world, subject)?)];
    effect::set(world, record, &values, work.incoming.received_ms);
    Ok(())
}

/// A letter from outside that should not have been accepted: the member is held by nobody here.
fn out_again(
    world: &mut World,
    work: &Work<'_>,
    subject: &Record,
    record: &Record,
) -> Result<(), Stop> {
    let now_ms = work.incoming.received_ms;
    if moved_by(world, record)? != Some(subject.key.id) {
        return Err(MOVED_ON);
    }
    let how = ("revocation", Some(subject.key.id));
    close_open(world, record, None, how, now_ms)?;
    effect::set(world, record, &[(member::HOLDER, Vec::new())], now_ms);
    Ok(())
}

/// Back to the origin: from another office, or from outside this system.
fn back_to_origin(
    world: &mut World,
    work: &Work<'_>,
    subject: &Record,
    record: &Record,
) -> Result<(), Stop> {
    let now_ms = work.incoming.received_ms;
    let how = ("revocation", Some(subject.key.id));
    let status = record.text(member::STATUS).unwrap_or_default();
    if !member_status::ACTIVE.contains(&status) {
        return Err(MOVED_ON);
    }
    let back = origin_of(world, subject)?;
    if closed_outwards_by(world, record)? == Some(subject.key.id) {
        if back == record.office {
            open_tenure_at(world, record, back, how, now_ms)?;
            return Ok(());
        }
    } else {
        if back == record.office || moved_by(world, record)? != Some(subject.key.id) {
            return Err(MOVED_ON);
        }
        close_open(world, record, Some(back), how, now_ms)?;
    }
    let former = record.office;
    let person = person_there(world, work, subject, record, back)?;
    let moved = [
        (
            member::PERSON,
            person.map(|id| id.bytes().to_vec()).unwrap_or_default(),
        ),
        (member::BRANCH, from_branch(world, subject)?),
        (member::GROUP, Vec::new()),
    ];
    let after = effect::set(world, record, &moved, now_ms);
    let after = open_tenure_at(world, &after, back, how, now_ms)?;
    world.join(after.key, back);
    world.leave(after.key, former, Leaving::Transferred);
    share_tenures(world, &after, back)?;
    hand_over_items(world, &after, former, back, now_ms)?;
    Ok(withdraw(world, record, now_ms)?)
}

/// The office that works for the origin, or for what stands for it today.
fn origin_of(world: &World, subject: &Record) -> Result<OfficeId, Stop> {
    let origin = subject.reference(case::FROM_ORG).ok_or(MOVED_ON)?;
    let standing = standing_for(world, origin)?;
    office_of_id(world, Some(standing))?.ok_or(MOVED_ON)
}

/// The branch that the member left, or what stands for it today.
fn from_branch(world: &World, subject: &Record) -> Result<Vec<u8>, Need> {
    Ok(match subject.reference(case::FROM_BRANCH) {
        Some(branch) => standing_for(world, branch)?.bytes().to_vec(),
        None => Vec::new(),
    })
}

/// Closes the open tenure; where none is open (the member died, or left) there is nothing to take
/// back.
pub(super) fn close_open(
    world: &mut World,
    record: &Record,
    to: Option<OfficeId>,
    how: (&str, Option<RecordId>),
    now_ms: u64,
) -> Result<(), Stop> {
    if open_tenure_of(world, record)?.is_none() {
        return Err(MOVED_ON);
    }
    close_tenure(world, record, to, how, now_ms)
}

/// The case that closed the member's last tenure outwards; none while one is open.
fn closed_outwards_by(world: &World, record: &Record) -> Result<Option<RecordId>, Stop> {
    let number = record.integer(member::TENURE_NUMBER).unwrap_or(0);
    let last = world.record(tenure_key(record.key.id, number))?;
    Ok(last
        .filter(|tenure| tenure.text(tenure::CLOSED_BY) == Some("acceptance_external"))
        .and_then(|tenure| tenure.reference(tenure::CASE)))
}

/// The case by which the present holder holds the member: what was revoked does not count.
fn moved_by(world: &World, record: &Record) -> Result<Option<RecordId>, Stop> {
    let opened = |number| -> Result<Option<(bool, Option<RecordId>)>, Stop> {
        let key = tenure_key(record.key.id, number);
        Ok(world.record(key)?.map(|tenure| {
            let is_revocation = tenure.text(tenure::OPENED_BY) == Some("revocation");
            (is_revocation, tenure.reference(tenure::OPENED_CASE))
        }))
    };
    let mut number = record.integer(member::TENURE_NUMBER).unwrap_or(0);
    while let Some((is_revocation, case)) = opened(number)? {
        if !is_revocation {
            return Ok(case);
        }
        // Back to before the tenure that was revoked.
        while number > 1 && opened(number)? != Some((false, case)) {
            number -= 1;
        }
        number -= 1;
    }
    Ok(None)
}
