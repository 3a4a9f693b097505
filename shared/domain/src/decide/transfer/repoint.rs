//! A successor takes over the open cases of an organisation that was merged or abolished
//! (`domain.md` 1.8), and with each case the member who is still held there.

use super::super::organisation::{is_active, organisation_of, standing_for};
use super::super::step::{Work, office_of_id};
use super::super::{Stop, effect};
use super::letters::letter_of;
use super::member_of;
use super::moving::{Handing, hand_over};
use crate::id::{OfficeId, RecordId};
use crate::kinds::{member, transfer as case};
use crate::record::Record;
use crate::world::{Leaving, Need, World};

/// The organisations of a case that a successor may stand for.
const NAMED: [u16; 4] = [
    case::FROM_ORG,
    case::FROM_BRANCH,
    case::TO_ORG,
    case::TO_BRANCH,
];

/// The organisation that stands for one that is gone; none where it is not, or where its successor is gone too.
fn successor_of(world: &World, id: RecordId) -> Result<Option<RecordId>, Need> {
    let next = standing_for(world, id)?;
    let works = organisation_of(world, next)?.is_some_and(is_active);
    Ok((works && next != id).then_some(next))
}

/// The organisations of a case that are gone, each with its successor.
fn successors(world: &World, subject: &Record) -> Result<Vec<(u16, Vec<u8>)>, Need> {
    let mut replaced = Vec::new();
    for field in NAMED {
        let Some(id) = subject.reference(field) else {
            continue;
        };
        if let Some(next) = successor_of(world, id)? {
            replaced.push((field, next.bytes().to_vec()));
        }
    }
    Ok(replaced)
}

/// Whether a successor takes over a case: one of its organisations, or the member's branch, is gone
/// and names one.
///
/// # Errors
/// A fact that is lacking.
pub fn is_succeeded(world: &World, subject: &Record) -> Result<bool, Need> {
    if !successors(world, subject)?.is_empty() {
        return Ok(true);
    }
    let branch = member_of(world, subject)?.and_then(|member| member.reference(member::BRANCH));
    match branch {
        Some(branch) => Ok(successor_of(world, branch)?.is_some()),
        None => Ok(false),
    }
}

/// Puts the successors in the place of the organisations that are gone.
pub(super) fn repoint(
    world: &mut World,
    work: &Work<'_>,
    subject: &Record,
) -> Result<Record, Stop> {
    let now_ms = work.incoming.received_ms;
    let replaced = successors(world, subject)?;
    let after = effect::set(world, subject, &replaced, now_ms);
    let Some(to) = office_of_id(world, after.reference(case::FROM_ORG))? else {
        return Ok(after);
    };
    if let Some(record) = member_of(world, &after)? {
        take_over_member(world, work, &after, (&record, to))?;
    }
    if to == after.office {
        return Ok(after);
    }
    if let Some(letter) = letter_of(world, &after)? {
        give(world, &letter, to, now_ms);
    }
    Ok(give(world, &after, to, now_ms))
}

/// The member's branch, and his holder, follow the organisation that stands for them now.
fn take_over_member(
    world: &mut World,
    work: &Work<'_>,
    subject: &Record,
    (record, to): (&Record, OfficeId),
) -> Result<(), Stop> {
    let branch = match record.reference(member::BRANCH) {
        Some(branch) => {
            let standing = successor_of(world, branch)?.unwrap_or(branch);
            standing.bytes().to_vec()
        }
        None => Vec::new(),
    };
    if record.office != to {
        let handing = Handing {
            to,
            branch: Some(&branch),
            how: "whole_organisation",
        };
        return hand_over(world, work, subject, record, &handing);
    }
    if record.value(member::BRANCH).unwrap_or_default() != branch {
        let moved = [(member::BRANCH, branch), (member::GROUP, Vec::new())];
        effect::set(world, record, &moved, work.incoming.received_ms);
    }
    Ok(())
}

/// Gives a record to another office, feed and all.
fn give(world: &mut World, record: &Record, to: OfficeId, now_ms: u64) -> Record {
    let after = effect::set_in(world, record, to, &[], now_ms);
    world.join(after.key, to);
    world.leave(after.key, record.office, Leaving::Transferred);
    after
}
