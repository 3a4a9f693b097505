//! Sets: rules 1 to 5 and 7, per unit of judgement.

use super::held::{self, Fence};
use super::item::{self, Side};
use super::unit::{Unit, units};
use super::{Incoming, Stop, Verdict, change_bytes, check_references, create};
use crate::id::{ChangeId, DESK, RecordId};
use crate::kind::{Class, Kind, Winner};
use crate::kinds::{activity, conflict, organisation, set_aside, tenure};
use crate::record::{Record, RecordKey};
use crate::world::{Mover, Need, Outcome, World};

/// How far a base may be mapped: a chain of merged values is never longer in practice.
const MAPPINGS_MAX: usize = 64;

/// What the base of a field, or of a record's life, has become (rule 4).
pub(super) enum Based {
    /// The writer saw the present version.
    Current,
    /// It saw another.
    Elsewhere,
    /// It saw the value that lost and is in this open item.
    InItem(RecordId),
    /// It saw a change that was set aside.
    OnSetAside,
    /// It saw a change that waits for this record.
    OnWaiting(RecordKey),
}

/// How a unit was judged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Judged {
    Applied,
    Merged,
    Won,
    Lost,
}

/// Sets fields of a record.
pub(super) fn set(
    world: &mut World,
    incoming: &Incoming<'_>,
    kind: Option<&Kind>,
) -> Result<Verdict, Stop> {
    let Some(record) = world.record(incoming.key())?.cloned() else {
        return Err(Stop::WaitsFor(incoming.key()));
    };
    check_scope(world, &record, incoming)?;
    if !record.is_alive() {
        return Err(Stop::Refused("deleted"));
    }
    check_settable(kind, &record, incoming)?;
    check_references(world, incoming, kind)?;
    if record.key.kind == organisation::KIND_NUMBER {
        super::organisation::check(world, incoming, &record)?;
    }
    let fence = held::fence(&record, incoming);
    if fence == Fence::FormerHolder {
        return Ok(held::park(world, incoming, kind, &record)?);
    }
    let mut after = record.clone();
    let mut judged = Vec::new();
    for unit in units(kind, incoming.change) {
        judged.push(judge(world, incoming, &record, &mut after, &unit)?);
    }
    if after.is_too_large() {
        return Err(Stop::Refused("record_too_large"));
    }
    Ok(conclude(world, incoming, after, &judged))
}

fn conclude(
    world: &mut World,
    incoming: &Incoming<'_>,
    mut after: Record,
    judged: &[Judged],
) -> Verdict {
    let is_applied = |judged: &Judged| matches!(judged, Judged::Applied | Judged::Won);
    let is_plain = judged.iter().all(is_applied);
    if judged.iter().any(is_applied) {
        after.revision += 1;
    }
    let mover = if is_plain {
        Mover::Own(incoming.change.id)
    } else {
        Mover::Foreign
    };
    world.put(after, mover);
    if judged.contains(&Judged::Lost) {
        Verdict::Lost
    } else if is_plain {
        Verdict::Applied
    } else {
        Verdict::Merged
    }
}

/// An office writes its own records only; a held one is fenced by its tenure instead.
pub(super) fn check_scope(
    world: &World,
    record: &Record,
    incoming: &Incoming<'_>,
) -> Result<(), Stop> {
    super::merge::check_not_merged(record)?;
    if record.office == incoming.office || incoming.office == DESK {
        return Ok(());
    }
    let believed = incoming
        .change
        .header
        .tenure
        .filter(|_| record.class == Class::Held);
    if let Some(believed) = believed {
        // What the writer believes is looked up: a tenure of that number that was really its own.
        let key = create::tenure_key(record.key.id, i64::from(believed.number));
        let holder = world
            .record(key)?
            .and_then(|tenure| tenure.reference(tenure::HOLDER));
        if holder == Some(incoming.office) {
            return Ok(());
        }
    }
    Err(Stop::Refused("not_yours"))
}

/// Fields that move by steps may be named only with the value that they have; a closed activity is
/// not rewritten.
fn check_settable(
    kind: Option<&Kind>,
    record: &Record,
    incoming: &Incoming<'_>,
) -> Result<(), Stop> {
    let Some(kind) = kind else { return Ok(()) };
    for field in &incoming.change.body.fields {
        let Some(declared) = kind.field(field.number) else {
            continue;
        };
        let is_same = record.value(field.number).unwrap_or_default() == field.value;
        if declared.winner == Winner::Steps && !is_same {
            return Err(Stop::Refused("by_steps_only"));
        }
        if declared.required && field.value.is_empty() {
            return Err(Stop::Refused("value_missing"));
        }
    }
    let state = record.text(activity::STATE).unwrap_or_default();
    let is_closed =
        kind.number == activity::KIND_NUMBER && !crate::machines::activity::may_edit(state);
    if is_closed {
        Err(Stop::Refused("ACT-004"))
    } else {
        Ok(())
    }
}

fn judge(
    world: &mut World,
    incoming: &Incoming<'_>,
    record: &Record,
    after: &mut Record,
    unit: &Unit<'_>,
) -> Result<Judged, Stop> {
    let present = |number| record.value(number).unwrap_or_default();
    let is_equal = unit
        .fields
        .iter()
        .all(|field| present(field.number) == field.value);
    let mut in_item = None;
    let mut is_current = true;
    for field in &unit.fields {
        match based(world, record, field.number, field.base)? {
            Based::Current => {}
            Based::Elsewhere => is_current = false,
            Based::InItem(item) => {
                is_current = false;
                in_item = Some(item);
            }
            Based::OnSetAside => return Err(Stop::Refused("stands_on_set_aside")),
            Based::OnWaiting(key) => return Err(Stop::WaitsFor(key)),
        }
    }
    if is_current {
        apply(unit, incoming, after);
        item::follow_winner(world, incoming, record, unit)?;
        return Ok(Judged::Applied);
    }
    if is_equal {
        for field in &unit.fields {
            if let Some(version) = record.version(field.number) {
                world.note_outcome(incoming.change.id, field.number, Outcome::Merged(version));
            }
        }
        return Ok(Judged::Merged);
    }
    let is_overwritten = |number| world.is_overwritten(incoming.change.id, number);
    if unit.fields.iter().all(|field| is_overwritten(field.number)) {
        return Ok(Judged::Merged);
    }
    let wins = wins(world, incoming, record, unit);
    if let Some(open) = in_item {
        item::replace_loser(world, incoming, record, unit, open, wins)?;
    } else {
        let reason = if incoming.is_suspect() {
            "suspect_clock"
        } else {
            "concurrent"
        };
        let side = Side {
            incoming_wins: wins,
            reason,
        };
        if !item::open(world, incoming, record, unit, side)? {
            return Ok(Judged::Lost);
        }
    }
    if wins {
        apply(unit, incoming, after);
        return Ok(Judged::Won);
    }
    Ok(Judged::Lost)
}

fn apply(unit: &Unit<'_>, incoming: &Incoming<'_>, after: &mut Record) {
    for field in &unit.fields {
        after.set(field.number, field.value.clone(), incoming.version());
    }
}

/// Maps the base of a field through what became of it (rule 4).
fn based(
    world: &World,
    record: &Record,
    number: u16,
    base: Option<ChangeId>,
) -> Result<Based, Need> {
    based_on(world, record.version(number), number, base)
}

/// Maps a base through what became of it: against the present version of a field, or of life (number 0).
pub(super) fn based_on(
    world: &World,
    current: Option<ChangeId>,
    number: u16,
    base: Option<ChangeId>,
) -> Result<Based, Need> {
    let Some(mut base) = base else {
        return Ok(if current.is_none() {
            Based::Current
        } else {
            Based::Elsewhere
        });
    };
    for _ in 0..MAPPINGS_MAX {
        if Some(base) == current {
            return Ok(Based::Current);
        }
        let outcome = match world.outcome(base, number)? {
            Some(outcome) => Some(outcome),
            None => world.outcome(base, 0)?,
        };
        match outcome {
            None => return Ok(Based::Elsewhere),
            Some(Outcome::Merged(into)) if into == base => return Ok(Based::Elsewhere),
            Some(Outcome::Merged(into)) => base = into,
            Some(Outcome::Lost(item)) => {
                let key = RecordKey {
                    kind: conflict::KIND_NUMBER,
                    id: item,
                };
                // Where another value has become the loser since, whoever saw only this one has not seen that.
                let is_loser = world.record(key)?.is_some_and(|item| {
                    item.text(conflict::STATE) == Some("open")
                        && item.value(conflict::LOSER_VERSION) == Some(&change_bytes(base))
                });
                return Ok(if is_loser {
                    Based::InItem(item)
                } else {
                    Based::Elsewhere
                });
            }
            Some(Outcome::SetAside(note) | Outcome::Waiting(note)) => {
                return on_set_aside(world, note);
            }
        }
    }
    Ok(Based::Elsewhere)
}

/// Whether a base is the field's present version, through what became of it.
pub(super) fn is_current(
    world: &World,
    record: &Record,
    number: u16,
    base: Option<ChangeId>,
) -> Result<bool, Need> {
    Ok(matches!(
        based(world, record, number, base)?,
        Based::Current
    ))
}

fn on_set_aside(world: &World, note: RecordId) -> Result<Based, Need> {
    let key = RecordKey {
        kind: set_aside::KIND_NUMBER,
        id: note,
    };
    let Some(note) = world.record(key)? else {
        return Ok(Based::Elsewhere);
    };
    Ok(match note.text(set_aside::STATE) {
        Some("held" | "forwarded") => Based::OnSetAside,
        Some("waiting") => note
            .value(set_aside::WAITS_FOR)
            .and_then(super::key_of_bytes)
            .map_or(Based::OnSetAside, Based::OnWaiting),
        _ => Based::Elsewhere,
    })
}

/// Whether the incoming value wins over the present one (rule 3).
fn wins(world: &World, incoming: &Incoming<'_>, record: &Record, unit: &Unit<'_>) -> bool {
    let is_desk = incoming.office == DESK;
    let is_later = || {
        let present = unit
            .fields
            .iter()
            .filter_map(|field| record.fields.get(&field.number))
            .map(|field| field.version.ordered_at)
            .max();
        !incoming.is_suspect() && present.is_none_or(|at| incoming.ordered_at() > at)
    };
    let by_desk = present_is_by_desk(world, record, unit);
    match unit.winner {
        Winner::Latest => is_later(),
        Winner::FirstCommitted | Winner::Steps => false,
        Winner::Desk => is_desk || (!by_desk && is_later()),
        Winner::Holder => {
            let is_holder = record.office == incoming.office && !is_desk;
            is_holder || (by_desk && is_later())
        }
        Winner::SourceRank(source) => {
            let rank = |value: Option<&[u8]>| match value {
                Some(b"id_card") => 0,
                Some(b"file") => 1,
                Some(b"spoken") => 2,
                _ => 3,
            };
            let given = incoming
                .change
                .value(source)
                .or_else(|| record.value(source));
            rank(given) <= rank(record.value(source))
        }
    }
}

/// Whether the hub's desk, or the hub itself, set the present values.
fn present_is_by_desk(world: &World, record: &Record, unit: &Unit<'_>) -> bool {
    let hub = world.hub_node();
    unit.fields
        .iter()
        .filter_map(|field| record.version(field.number))
        .any(|version| version.node == hub)
}
