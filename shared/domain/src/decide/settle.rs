//! Steps on conflict items and set-aside changes: a person decides.

use super::unit::unpack_unit;
use super::{Incoming, Stop, Verdict, change_of_bytes, effect};
use crate::id::{DESK, RecordId};
use crate::kind::{FieldType, Kind, Winner};
use crate::kinds::{self, conflict, set_aside, step};
use crate::record::{Record, RecordKey};
use crate::world::{Mover, Outcome, World};

/// Settles a conflict item: the winner stands, the loser comes back, or a third value is set, on top
/// of the winner that the item names.
pub(super) fn settle(
    world: &mut World,
    incoming: &Incoming<'_>,
    taken: &Record,
    item: &Record,
) -> Result<Verdict, Stop> {
    if incoming.office != DESK && item.office != incoming.office {
        return Err(Stop::Refused("not_yours"));
    }
    let choice = taken
        .text(step::CHOICE)
        .ok_or(Stop::Refused("choice_missing"))?
        .to_owned();
    let value = chosen_value(taken, item, &choice)?;
    if item.text(conflict::STATE) != Some("open") {
        return repeat_or_refuse(world, taken, item, &choice, value.as_deref());
    }
    if let Some(value) = &value {
        set_subject(world, incoming, item, value)?;
    }
    let mut fields = vec![
        (conflict::STATE, b"settled".to_vec()),
        (conflict::CHOICE, choice.into_bytes()),
        (
            conflict::SETTLED_BY,
            incoming.change.header.actor.clone().into_bytes(),
        ),
        (
            conflict::SETTLED_AT,
            incoming.received_ms.to_string().into_bytes(),
        ),
    ];
    if let Some(value) = value {
        fields.push((conflict::SETTLED_VALUE, value));
    }
    if let Some(note) = taken.value(step::REASON) {
        fields.push((conflict::NOTE, note.to_vec()));
    }
    effect::set(world, item, &fields, incoming.received_ms);
    world.put(taken.clone(), Mover::Own(incoming.change.id));
    Ok(Verdict::Applied)
}

/// The value that the choice puts in place; none where the winner stands.
fn chosen_value(taken: &Record, item: &Record, choice: &str) -> Result<Option<Vec<u8>>, Stop> {
    match choice {
        "winner" => Ok(None),
        "loser" => Ok(Some(
            item.value(conflict::LOSER).unwrap_or_default().to_vec(),
        )),
        "value" => {
            let value = taken
                .value(step::SETTLED_VALUE)
                .ok_or(Stop::Refused("value_missing"))?;
            Ok(Some(value.to_vec()))
        }
        _ => Err(Stop::Refused("choice_unknown")),
    }
}

/// The same decision again is a repeat; another one is refused and kept.
fn repeat_or_refuse(
    world: &mut World,
    taken: &Record,
    item: &Record,
    choice: &str,
    value: Option<&[u8]>,
) -> Result<Verdict, Stop> {
    // A value that was emptied is kept as none.
    let settled = item.value(conflict::SETTLED_VALUE).unwrap_or_default();
    let is_same =
        item.text(conflict::CHOICE) == Some(choice) && settled == value.unwrap_or_default();
    if !is_same {
        return Err(Stop::Refused("settled_already"));
    }
    world.put(taken.clone(), Mover::Foreign);
    Ok(Verdict::Applied)
}

/// A settled value is of the item's own fields, and obeys what a plain edit of the present holder
/// must obey.
fn check_settled(
    world: &World,
    incoming: &Incoming<'_>,
    (kind, name): (Option<&Kind>, u16),
    record: &Record,
    values: &[(u16, Vec<u8>)],
) -> Result<(), Stop> {
    if incoming.office != DESK && record.office != incoming.office {
        return Err(Stop::Refused("not_holder"));
    }
    let group = kind.map_or(&[][..], |kind| kind.group_of(name));
    for (number, bytes) in values {
        if *number != name && !group.contains(number) {
            return Err(Stop::Refused("value_invalid"));
        }
        let Some(field) = kind.and_then(|kind| kind.field(*number)) else {
            continue;
        };
        if field.of.check(bytes).is_err() {
            return Err(Stop::Refused("value_invalid"));
        }
        let is_same = record.value(*number).unwrap_or_default() == bytes.as_slice();
        if field.winner == Winner::Steps && !is_same {
            return Err(Stop::Refused("by_steps_only"));
        }
        if let (FieldType::Reference(of), Ok(id)) = (field.of, RecordId::from_slice(bytes)) {
            let key = RecordKey { kind: of, id };
            let named = world.record(key)?.ok_or(Stop::WaitsFor(key))?;
            let is_common = named.class.is_of_hub();
            if !is_same && !is_common && named.office != record.office {
                return Err(Stop::Refused("not_yours"));
            }
        }
    }
    Ok(())
}

/// Puts a settled value into the record, and lets the loser's writer count it as its own base.
fn set_subject(
    world: &mut World,
    incoming: &Incoming<'_>,
    item: &Record,
    value: &[u8],
) -> Result<(), Stop> {
    let kind_number = item
        .integer(conflict::SUBJECT_KIND)
        .and_then(|n| u16::try_from(n).ok());
    let subject = item
        .value(conflict::SUBJECT)
        .and_then(|bytes| RecordId::from_slice(bytes).ok());
    let (Some(kind_number), Some(id)) = (kind_number, subject) else {
        return Err(Stop::Refused("item_broken"));
    };
    let Some(record) = world
        .record(RecordKey {
            kind: kind_number,
            id,
        })?
        .cloned()
    else {
        return Err(Stop::Refused("subject_gone"));
    };
    super::merge::check_not_merged(&record)?;
    let name = item
        .integer(conflict::FIELD)
        .and_then(|n| u16::try_from(n).ok())
        .unwrap_or(0);
    let loser = item
        .value(conflict::LOSER_VERSION)
        .and_then(change_of_bytes);
    if name == 0 {
        delete_subject(world, incoming, record);
        if let Some(loser) = loser {
            // Who asked for it may bring the record back.
            world.note_outcome(loser, 0, Outcome::Merged(incoming.change.id));
        }
        return Ok(());
    }
    let kind = kinds::by_number(kind_number);
    let values = unpack_unit(kind, name, value).ok_or(Stop::Refused("value_invalid"))?;
    check_settled(world, incoming, (kind, name), &record, &values)?;
    // A group is one unit (rule 7): what was not chosen of it stands as it is shown, with the same version.
    let whole = record.with_whole_groups(values.clone());
    let after = effect::set(world, &record, &whole, incoming.received_ms);
    let is_loser_back = item.value(conflict::LOSER).unwrap_or_default() == value;
    for (number, _) in &values {
        if let (true, Some(loser), Some(restoring)) = (is_loser_back, loser, after.version(*number))
        {
            world.note_outcome(loser, *number, Outcome::Merged(restoring));
        }
    }
    Ok(())
}

/// "Delete requested", granted.
fn delete_subject(world: &mut World, incoming: &Incoming<'_>, mut record: Record) {
    record.life = crate::record::Life::Deleted;
    record.life_version = incoming.version();
    record.revision += 1;
    world.put(record, Mover::Foreign);
}

/// Decides what becomes of a change that was set aside.
pub(super) fn decide_set_aside(
    world: &mut World,
    incoming: &Incoming<'_>,
    taken: &Record,
    note: &Record,
) -> Result<Verdict, Stop> {
    // An urgent task is the holder's as well as its writer's.
    let is_holders = note.text(set_aside::URGENT) == Some("1")
        && note.reference(set_aside::SUGGESTION_TO) == Some(incoming.office);
    if incoming.office != DESK && note.office != incoming.office && !is_holders {
        return Err(Stop::Refused("not_yours"));
    }
    let state = match taken.text(step::EVENT) {
        Some("reject") => "rejected",
        Some("forward") => "forwarded",
        Some("fix") => "fixed",
        _ => return Err(Stop::Refused("event_unknown")),
    };
    let why = taken
        .value(step::REASON)
        .ok_or(Stop::Refused("reason_missing"))?
        .to_vec();
    if !matches!(note.text(set_aside::STATE), Some("held" | "waiting")) {
        let is_same = note.text(set_aside::STATE) == Some(state);
        return if is_same {
            world.put(taken.clone(), Mover::Foreign);
            Ok(Verdict::Applied)
        } else {
            Err(Stop::Refused("settled_already"))
        };
    }
    if note.text(set_aside::STATE) == Some("waiting")
        && let Some(change) = note.value(set_aside::CHANGE).and_then(change_of_bytes)
    {
        // It was decided by a person: it waits no more, and is not applied when the record comes.
        world.release(change);
        world.note_outcome(change, 0, Outcome::SetAside(note.key.id));
    }
    let mut fields = vec![
        (set_aside::STATE, state.as_bytes().to_vec()),
        (
            set_aside::DECIDED_BY,
            incoming.change.header.actor.clone().into_bytes(),
        ),
        (
            set_aside::DECIDED_AT,
            incoming.received_ms.to_string().into_bytes(),
        ),
        (set_aside::WHY, why),
    ];
    let holder = super::held::holder_of_subject(world, note)?;
    if let (Some(holder), "forwarded") = (holder, state) {
        fields.push((set_aside::SUGGESTION_TO, holder.bytes().to_vec()));
        world.join(note.key, holder);
    }
    effect::set(world, note, &fields, incoming.received_ms);
    world.put(taken.clone(), Mover::Own(incoming.change.id));
    Ok(Verdict::Applied)
}
