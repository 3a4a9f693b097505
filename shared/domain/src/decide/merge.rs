//! Merging two records that turned out to be one, and taking it back (`sync.md` 6).
//!
//! Both rows stay whole. The merged one names the one that is kept; references keep the id that they
//! name and are resolved on reading. A field that the kept record takes from the other is noted with
//! what stood there before, so that the merge can be taken back field by field.
//!
//! Invariants: a record is merged into a record of its kind that is itself not merged, so there is
//! no circle; merging what is one already is a repeat; nothing is written to a record while it is
//! merged; at every commit a member that is merged has no open tenure.

use super::create::{close_tenure, open_tenure_at, open_tenure_of};
use super::unit::{pack_unit, unpack_values};
use super::{Incoming, Stop, Verdict, change_bytes, change_of_bytes, check_reference, effect};
use crate::change::{Change, FieldChange};
use crate::id::{ChangeId, DESK, OfficeId, RecordId, derived_id};
use crate::kind::{Class, FieldType, Kind, Winner};
use crate::kinds::{self, member, merge};
use crate::limits;
use crate::machines::member_status;
use crate::record::{Record, RecordKey};
use crate::world::{Mover, Need, Outcome, World};

/// Merges that are followed from a record to the one that stands for it.
const MERGES_MAX: usize = 64;

/// The fields of the change that merges `other` into `kept`: which record it is merged into, and what
/// that one takes from it: what it does not have itself, and the fields (or whole groups of fields)
/// named in `wanted`. None for kinds whose records are never merged.
///
/// The base of a field that is taken is the version that the kept record shows now.
pub fn merge_fields(
    kind: &Kind,
    kept: &Record,
    other: &Record,
    wanted: &[u16],
) -> Option<Vec<FieldChange>> {
    let into = kinds::merged_into(kind.number)?;
    let mut taken = vec![FieldChange {
        number: into,
        value: kept.key.id.bytes().to_vec(),
        base: other.version(into),
    }];
    for field in kind.fields {
        let own = [field.number];
        let group = match kind.group_of(field.number) {
            [] => &own[..],
            group => group,
        };
        let is_wanted = group.iter().any(|number| wanted.contains(number));
        let is_free = group.iter().all(|number| kept.value(*number).is_none());
        let of = |record: &Record, number| record.value(number).unwrap_or_default().to_vec();
        let differs = |number: &u16| of(kept, *number) != of(other, *number);
        let is_taken = (is_wanted || is_free) && group.iter().any(differs);
        if field.winner != Winner::Steps && is_taken {
            taken.push(FieldChange {
                number: field.number,
                value: of(other, field.number),
                base: kept.version(field.number),
            });
        }
    }
    taken.sort_by_key(|field| field.number);
    Some(taken)
}

/// The part of a merge that concerns the merged record itself: that it is merged.
pub(crate) fn of_merged(change: &Change) -> impl Iterator<Item = &FieldChange> {
    let own = kinds::merged_into(change.header.kind);
    let fields = change.body.fields.iter();
    fields.filter(move |field| Some(field.number) == own)
}

/// Nothing is written to a record while it is merged: it goes to the record that stands for it.
pub(super) fn check_not_merged(record: &Record) -> Result<(), Stop> {
    let merged = kinds::merged_into(record.key.kind).and_then(|field| record.value(field));
    match merged {
        Some(_) => Err(Stop::Refused("merged")),
        None => Ok(()),
    }
}

/// The record that is meant where this one is named: itself, or the one that stands for it along all merges, as far
/// as they can be followed.
pub(super) fn meant_by(world: &World, record: Record) -> Result<Record, Need> {
    let kind = record.key.kind;
    let mut at = record;
    for _ in 0..MERGES_MAX {
        let Some(id) = kinds::merged_into(kind).and_then(|field| at.reference(field)) else {
            break;
        };
        let Some(next) = world.record(RecordKey { kind, id })?.cloned() else {
            break;
        };
        at = next;
    }
    Ok(at)
}

/// Every record that is one with this one: the one that stands for it first, then all that lead to that one.
pub(super) fn one_with(world: &World, record: Record) -> Result<Vec<Record>, Need> {
    let kind = record.key.kind;
    let mut all = vec![meant_by(world, record)?];
    let Some(field) = kinds::merged_into(kind) else {
        return Ok(all);
    };
    let mut at = 0;
    while let Some(id) = all.get(at).map(|found| found.key.id) {
        at += 1;
        for merged in world.naming(kind, field, id)? {
            if all.iter().all(|known| known.key != merged.key) {
                all.push(merged);
            }
        }
    }
    Ok(all)
}

/// Says that the change's record is the one that it names.
pub(super) fn merge(
    world: &mut World,
    incoming: &Incoming<'_>,
    kind: Option<&Kind>,
) -> Result<Verdict, Stop> {
    let (kind, field) = mergeable(kind)?;
    let into = incoming
        .change
        .value(field)
        .and_then(|bytes| RecordId::from_slice(bytes).ok())
        .ok_or(Stop::Refused("value_missing"))?;
    let named = found(world, incoming.key())?;
    let other = standing_for(world, named.clone(), field)?;
    let kept = RecordKey {
        kind: kind.number,
        id: into,
    };
    let kept = found(world, kept)?;
    let kept = standing_for(world, kept, field)?;
    if other.key == kept.key {
        return Ok(repeat(world, incoming, named, field));
    }
    check_allowed(incoming, &kept, &other)?;
    let closed = if kind.number == member::KIND_NUMBER {
        close_merged(world, incoming, &kept, &other)?
    } else {
        None
    };
    let now_ms = incoming.received_ms;
    let taken = taken_now(kind, &kept, &incoming.change.body.fields, field)?;
    for (number, value) in &taken {
        check_taken(world, incoming, kind, (*number, value))?;
    }
    let before: Vec<_> = taken
        .iter()
        .map(|(number, _)| (*number, kept.value(*number).unwrap_or_default()))
        .collect();
    let before = pack_unit(before);
    let values = pack_unit(
        taken
            .iter()
            .map(|(number, value)| (*number, value.as_slice())),
    );
    if before.len().max(values.len()) > limits::VALUE_BYTES_MAX {
        return Err(Stop::Refused("record_too_large"));
    }
    let after = if taken.is_empty() {
        world.put(kept.clone(), Mover::Foreign);
        None
    } else {
        Some(effect::set(world, &kept, &taken, now_ms))
    };
    let mut of_other = vec![(field, kept.key.id.bytes().to_vec())];
    if closed.is_some() {
        of_other.push((member::HOLDER, Vec::new()));
    }
    let merged = effect::set(world, &other, &of_other, now_ms);
    let mut note = vec![
        (merge::SUBJECT_KIND, kind.number.to_string().into_bytes()),
        (merge::KEPT, kept.key.id.bytes().to_vec()),
        (merge::MERGED, other.key.id.bytes().to_vec()),
        (merge::STATE, b"merged".to_vec()),
        (merge::BY, incoming.change.header.actor.clone().into_bytes()),
        (merge::AT, now_ms.to_string().into_bytes()),
    ];
    let version = taken
        .first()
        .and_then(|(number, _)| after?.version(*number));
    if let Some(version) = version {
        note.push((merge::TAKEN, values));
        note.push((merge::BEFORE, before));
        note.push((merge::VERSION, change_bytes(version)));
    }
    note.extend(closed.map(|number| (merge::TENURE, number.to_string().into_bytes())));
    note.sort_by_key(|(number, _)| *number);
    let key = note_key(&merged, field);
    effect::create(world, key, kept.office, &note, now_ms);
    note_outcome(world, incoming, &merged, field);
    Ok(Verdict::Applied)
}

/// Takes a merge back: what the kept record took and nobody has changed since is as it was before.
pub(super) fn unmerge(
    world: &mut World,
    incoming: &Incoming<'_>,
    kind: Option<&Kind>,
) -> Result<Verdict, Stop> {
    let (_, field) = mergeable(kind)?;
    let merged = found(world, incoming.key())?;
    let Some(into) = merged.reference(field) else {
        return Ok(repeat(world, incoming, merged, field));
    };
    let kept = RecordKey {
        kind: merged.key.kind,
        id: into,
    };
    let kept = found(world, kept)?;
    if kept.value(field).is_some() {
        return Err(Stop::Refused("merged_further"));
    }
    check_office(incoming, &merged)?;
    check_office(incoming, &kept)?;
    let note = found(world, note_key(&merged, field))?;
    let now_ms = incoming.received_ms;
    let back = given_back(&kept, &note);
    if back.is_empty() {
        world.put(kept, Mover::Foreign);
    } else {
        effect::set(world, &kept, &back, now_ms);
    }
    let apart = effect::set(world, &merged, &[(field, Vec::new())], now_ms);
    let status = apart.text(member::STATUS).unwrap_or_default();
    if note.value(merge::TENURE).is_some() && member_status::ACTIVE.contains(&status) {
        open_tenure_at(world, &apart, apart.office, ("unmerge", None), now_ms)?;
    }
    let undone = [
        (merge::STATE, b"undone".to_vec()),
        (
            merge::UNDONE_BY,
            incoming.change.header.actor.clone().into_bytes(),
        ),
        (merge::UNDONE_AT, now_ms.to_string().into_bytes()),
    ];
    effect::set(world, &note, &undone, now_ms);
    note_outcome(world, incoming, &apart, field);
    Ok(Verdict::Applied)
}

fn mergeable(kind: Option<&Kind>) -> Result<(&Kind, u16), Stop> {
    let kind = kind.ok_or(Stop::Refused("kind_unknown"))?;
    let field = kinds::merged_into(kind.number).ok_or(Stop::Refused("not_mergeable"))?;
    Ok((kind, field))
}

fn found(world: &World, key: RecordKey) -> Result<Record, Stop> {
    world.record(key)?.cloned().ok_or(Stop::WaitsFor(key))
}

/// The record that stands for this one, along the merges so far; all of them must be known.
fn standing_for(world: &World, record: Record, field: u16) -> Result<Record, Stop> {
    let standing = meant_by(world, record)?;
    let Some(id) = standing.reference(field) else {
        return Ok(standing);
    };
    let kind = standing.key.kind;
    found(world, RecordKey { kind, id })?;
    Err(Stop::Refused("merged_further"))
}

/// Both records are shown as they are: the writer wanted what is so.
fn repeat(world: &mut World, incoming: &Incoming<'_>, record: Record, field: u16) -> Verdict {
    note_outcome(world, incoming, &record, field);
    world.put(record, Mover::Foreign);
    Verdict::Merged
}

/// The writer's change counts as the hub's that carried it out.
fn note_outcome(world: &mut World, incoming: &Incoming<'_>, record: &Record, field: u16) {
    if let Some(version) = record.version(field) {
        let into = Outcome::Merged(version);
        world.note_outcome(incoming.change.id, 0, into);
        world.note_outcome(incoming.change.id, field, into);
    }
}

fn check_office(incoming: &Incoming<'_>, record: &Record) -> Result<(), Stop> {
    if incoming.office == DESK || incoming.office == record.office {
        return Ok(());
    }
    Err(Stop::Refused("not_yours"))
}

fn check_allowed(incoming: &Incoming<'_>, kept: &Record, other: &Record) -> Result<(), Stop> {
    check_office(incoming, kept)?;
    check_office(incoming, other)?;
    if !kept.is_alive() || !other.is_alive() {
        return Err(Stop::Refused("deleted"));
    }
    // What one office knows of a person is not another's to read.
    if kept.class == Class::Shared && kept.office != other.office {
        return Err(Stop::Refused("offices_differ"));
    }
    Ok(())
}

/// Of two members one tenure stays open, that of the member who is kept; which of two open ones it
/// is, only the desk says. The number of the tenure that was closed.
fn close_merged(
    world: &mut World,
    incoming: &Incoming<'_>,
    kept: &Record,
    other: &Record,
) -> Result<Option<i64>, Stop> {
    if other.value(member::OPEN_CASE).is_some() {
        return Err(Stop::Refused("TRF-001"));
    }
    let of_kept = open_tenure_of(world, kept)?;
    if open_tenure_of(world, other)?.is_none() {
        return Ok(None);
    }
    match of_kept {
        None => return Err(Stop::Refused("keep_the_held_one")),
        Some(_) if incoming.office != DESK => return Err(Stop::Refused("desk_only")),
        Some(_) => {}
    }
    let to = same_or_other(kept.office, other.office);
    close_tenure(world, other, to, ("merge", None), incoming.received_ms)?;
    Ok(other.integer(member::TENURE_NUMBER))
}

fn same_or_other(kept: OfficeId, other: OfficeId) -> Option<OfficeId> {
    (kept != other).then_some(kept)
}

/// What of the wanted values the kept record takes: those whose field is still as it was shown. A group
/// is taken whole, what is not named of it as none, if the kept record has none there either.
fn taken_now(
    kind: &Kind,
    kept: &Record,
    wanted: &[FieldChange],
    own: u16,
) -> Result<Vec<(u16, Vec<u8>)>, Stop> {
    let named = |number: u16| wanted.iter().find(|field| field.number == number);
    let mut taken = Vec::new();
    for field in wanted.iter().filter(|field| field.number != own) {
        if kind.field(field.number).is_none() {
            return Err(Stop::Refused("field_unknown"));
        }
        if kind.is_by_steps(field.number) {
            return Err(Stop::Refused("by_steps_only"));
        }
        let group = match kind.group_of(field.number) {
            [] => std::slice::from_ref(&field.number),
            group => group,
        };
        let whole = group
            .iter()
            .copied()
            .filter(|number| !kind.is_by_steps(*number));
        // A value that the writer had not seen stays; the other row keeps its own anyway.
        let is_as_shown = |number| match named(number) {
            Some(named) => named.base == kept.version(number),
            None => kept.value(number).is_none(),
        };
        if taken.iter().any(|(number, _)| *number == field.number)
            || !whole.clone().all(is_as_shown)
        {
            continue;
        }
        let value = |number| named(number).map(|named| named.value.clone());
        taken.extend(whole.map(|number| (number, value(number).unwrap_or_default())));
    }
    Ok(taken)
}

/// What a record takes from another obeys what an edit of it must obey: nothing that is needed is emptied, and what it
/// names is known and the writer's to name.
fn check_taken(
    world: &World,
    incoming: &Incoming<'_>,
    kind: &Kind,
    (number, value): (u16, &[u8]),
) -> Result<(), Stop> {
    let Some(field) = kind.field(number) else {
        return Ok(());
    };
    if field.required && value.is_empty() {
        return Err(Stop::Refused("value_missing"));
    }
    match field.of {
        FieldType::Reference(of) => check_reference(world, incoming.office, of, value),
        _ => Ok(()),
    }
}

/// The values that the kept record gets back: where it still has what it took.
fn given_back(kept: &Record, note: &Record) -> Vec<(u16, Vec<u8>)> {
    let version: Option<ChangeId> = note.value(merge::VERSION).and_then(change_of_bytes);
    let before = note.value(merge::BEFORE).and_then(unpack_values);
    let mut before = before.unwrap_or_default();
    before.retain(|(number, _)| version.is_some() && kept.version(*number) == version);
    before
}

/// The note about a merge, by the merged record and the change that says so.
fn note_key(merged: &Record, field: u16) -> RecordKey {
    let version = merged.version(field).map(change_bytes).unwrap_or_default();
    RecordKey {
        kind: merge::KIND_NUMBER,
        id: derived_id("lianxin merge 1", &[&merged.key.id.bytes(), &version]),
    }
}
