//! Whole-organisation transfers 整建制转接 (`domain.md` 1.8, variant whole organisation): an organisation
//! goes under another superior, with everything below it and all members, in one decision.
//!
//! The organisation itself moves: its superior changes, and with another office those below it work
//! through that office. Members keep branch and group; a tenure of the old office closes and one of
//! the new opens, as at an acceptance. Where the organisation is an office itself, its members are
//! held by it before and after, and nobody is handed over. Whoever has an open case of his own stays
//! where he is held and is named in the case.

use super::super::organisation::{is_active, is_below, organisation_of};
use super::super::step::{Work, office_of, office_of_id};
use super::super::{Stop, effect};
use super::moving::{Handing, hand_over};
use super::name_of;
use crate::id::{OfficeId, RecordId};
use crate::kinds::{member, organisation, step, transfer as case};
use crate::limits::{BATCH_MEMBERS_MAX, BATCH_ORGANISATIONS_MAX};
use crate::machine::Facts;
use crate::machines::{member_status, transfer as machine};
use crate::record::{Record, Version};
use crate::world::{Need, World};

/// Characters that the list of those who stayed takes.
const EXCLUDED_CHARS_MAX: usize = 9_000;

/// Whether a case, or the step that begins it, is about a whole organisation.
pub(super) fn is_batch(subject: &Record) -> bool {
    subject.text(case::VARIANT) == Some("whole_organisation")
}

/// A batch begins where its organisation stands: the superior that it leaves, and its office.
pub(super) fn complete(world: &World, record: &mut Record, version: Version) -> Result<(), Need> {
    let moved = record.reference(case::MOVED_ORG);
    let Some(moved) = organisation_by(world, moved)?.cloned() else {
        return Ok(());
    };
    record.office = office_of(&moved);
    if let Some(parent) = moved.reference(organisation::PARENT) {
        record.set(case::FROM_ORG, parent.bytes(), version);
    }
    Ok(())
}

fn organisation_by(world: &World, id: Option<RecordId>) -> Result<Option<&Record>, Need> {
    match id {
        Some(id) => organisation_of(world, id),
        None => Ok(None),
    }
}

/// What the guards of a batch ask of the hub's records.
pub(super) fn facts(world: &World, work: &Work<'_>, base: Facts) -> Result<Facts, Stop> {
    let event = work.taken.text(step::EVENT).unwrap_or_default();
    let moves = [
        machine::event::CREATE_BATCH,
        machine::event::EXECUTE,
        machine::event::REVOKE,
    ];
    if !is_batch(work.subject) || !moves.contains(&event) {
        return Ok(base);
    }
    let may_move = may_move(world, work.subject)?;
    let Some(moved) = work.subject.reference(case::MOVED_ORG) else {
        return Ok(base);
    };
    let (organisations, members) = world.membership(moved)?;
    Ok(Facts {
        may_move,
        batch_fits: members.len() <= BATCH_MEMBERS_MAX
            && organisations.len() <= BATCH_ORGANISATIONS_MAX,
        ..base
    })
}

fn may_move(world: &World, subject: &Record) -> Result<bool, Need> {
    let (moved, to) = (
        subject.reference(case::MOVED_ORG),
        subject.reference(case::TO_ORG),
    );
    let (Some(moved), Some(to)) = (organisation_by(world, moved)?, organisation_by(world, to)?)
    else {
        return Ok(false);
    };
    let parent = moved.reference(organisation::PARENT);
    let stands = parent.is_some() && parent == subject.reference(case::FROM_ORG);
    let is_group = moved.text(organisation::KIND_OF) == Some("group");
    let is_other = parent != Some(to.key.id) && !is_below(world, to.key.id, moved.key.id)?;
    let is_office = |found: &Record| found.text(organisation::IS_OFFICE) == Some("1");
    // An office holds its members itself; others need one that does.
    let has_office =
        is_office(moved) || organisation_of(world, office_of(to))?.is_some_and(is_office);
    Ok(stands && !is_group && is_other && has_office && is_active(moved) && is_active(to))
}

/// Moves the organisation under its new superior, with all that it takes along.
pub(super) fn move_organisation(
    world: &mut World,
    work: &Work<'_>,
    subject: &Record,
) -> Result<Record, Stop> {
    let to = subject.reference(case::TO_ORG).ok_or(BROKEN)?;
    let stayed = carry(world, work, subject, (to, "whole_organisation"))?;
    let office = office_of_id(world, Some(to))?.ok_or(BROKEN)?;
    world.join(subject.key, office);
    Ok(effect::set(
        world,
        subject,
        &stayed,
        work.incoming.received_ms,
    ))
}

/// Takes an executed batch back: the organisation stands under its former superior again, and the
/// members go with it, by compensating tenures.
pub(super) fn compensate(
    world: &mut World,
    work: &Work<'_>,
    subject: &Record,
) -> Result<Record, Stop> {
    let moved = organisation_by(world, subject.reference(case::MOVED_ORG))?.ok_or(BROKEN)?;
    let back = subject.reference(case::FROM_ORG).ok_or(BROKEN)?;
    let is_there = moved.reference(organisation::PARENT) == subject.reference(case::TO_ORG);
    let is_known = organisation_of(world, back)?.is_some_and(is_active);
    if !is_there || !is_known || !is_active(moved) {
        return Err(Stop::Refused("TRF-019"));
    }
    let stayed = carry(world, work, subject, (back, "revocation"))?;
    Ok(effect::set(
        world,
        subject,
        &stayed,
        work.incoming.received_ms,
    ))
}

/// The batch names organisations that are not there.
const BROKEN: Stop = Stop::Refused("TRF-022");

/// Moves the organisation, those below it and their members; what the case says of it.
fn carry(
    world: &mut World,
    work: &Work<'_>,
    subject: &Record,
    (superior, how): (RecordId, &str),
) -> Result<Vec<(u16, Vec<u8>)>, Stop> {
    let now_ms = work.incoming.received_ms;
    let moved = subject.reference(case::MOVED_ORG).ok_or(BROKEN)?;
    let (organisations, members) = world.membership(moved)?;
    let root = organisation_of(world, moved)?.cloned().ok_or(BROKEN)?;
    let from = office_of(&root);
    let to = if root.text(organisation::IS_OFFICE) == Some("1") {
        from
    } else {
        office_of_id(world, Some(superior))?.ok_or(BROKEN)?
    };
    for one in organisations {
        let mut values = Vec::new();
        if one.key.id == moved {
            values.push((organisation::PARENT, superior.bytes().to_vec()));
        }
        if to != from && one.text(organisation::IS_OFFICE) != Some("1") {
            values.push((organisation::NODE_OFFICE, to.bytes().to_vec()));
        }
        if !values.is_empty() {
            effect::set(world, &one, &values, now_ms);
        }
    }
    let mut count = 0_u32;
    let mut stayed = Vec::new();
    for record in members.iter().filter(|_| to != from) {
        if !is_held(record, from) {
            continue;
        }
        if record.value(member::OPEN_CASE).is_some() {
            stayed.push(String::from_utf8_lossy(&name_of(world, record)?).into_owned());
            continue;
        }
        let handing = Handing {
            to,
            branch: None,
            how,
        };
        hand_over(world, work, subject, record, &handing)?;
        count += 1;
    }
    Ok(vec![
        (case::ACCEPTED_DATE, work.date.to_string().into_bytes()),
        (case::MOVED_COUNT, count.to_string().into_bytes()),
        (case::EXCLUDED_COUNT, stayed.len().to_string().into_bytes()),
        (case::EXCLUDED, listed(&stayed).into_bytes()),
    ])
}

/// Whether an office holds a member now; who is stopped or ended stays where his record is.
fn is_held(record: &Record, by: OfficeId) -> bool {
    let status = record.text(member::STATUS).unwrap_or_default();
    record.reference(member::HOLDER) == Some(by) && member_status::ACTIVE.contains(&status)
}

/// Names in a row, as many as the field takes.
fn listed(names: &[String]) -> String {
    let mut list = String::new();
    for (place, name) in names.iter().enumerate() {
        if list.chars().count() + name.chars().count() > EXCLUDED_CHARS_MAX {
            list.push_str(&format!("…(共 {} 人)", names.len()));
            break;
        }
        if place > 0 {
            list.push('、');
        }
        list.push_str(name);
    }
    list
}
