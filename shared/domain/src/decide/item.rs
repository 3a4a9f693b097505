//! Conflict items: base, winner and loser of one unit, kept until a person settles them, and after.

use super::unit::Unit;
use super::{Incoming, change_bytes, effect};
use crate::id::{RecordId, derived_id};
use crate::kinds::conflict;
use crate::record::{Record, RecordKey};
use crate::world::{Need, Outcome, World};

/// Who won, and why there is an item.
#[derive(Debug, Clone, Copy)]
pub(super) struct Side {
    /// Whether the incoming value stands.
    pub incoming_wins: bool,
    /// The reason's code.
    pub reason: &'static str,
}

/// Opens an item about a unit of a record; whether it was not there. Where it is, a former hub has decided this very
/// change and somebody may have settled the item: nothing of that is undone.
///
/// # Errors
/// A fact that is lacking.
pub(super) fn open(
    world: &mut World,
    incoming: &Incoming<'_>,
    record: &Record,
    unit: &Unit<'_>,
    side: Side,
) -> Result<bool, Need> {
    let change = incoming.change.id;
    let present = unit
        .fields
        .iter()
        .find_map(|field| record.version(field.number));
    let loser_change = if side.incoming_wins {
        present.unwrap_or(change)
    } else {
        change
    };
    let id = derived_id(
        "lianxin conflict 1",
        &[
            &record.key.id.bytes(),
            &unit.name.to_be_bytes(),
            &change_bytes(change),
        ],
    );
    let key = RecordKey {
        kind: conflict::KIND_NUMBER,
        id,
    };
    if world.record(key)?.is_some() {
        for field in &unit.fields {
            world.note_outcome(change, field.number, Outcome::Lost(id));
        }
        return Ok(false);
    }
    let mut values = vec![
        (
            conflict::SUBJECT_KIND,
            record.key.kind.to_string().into_bytes(),
        ),
        (conflict::SUBJECT, record.key.id.bytes().to_vec()),
        (conflict::FIELD, unit.name.to_string().into_bytes()),
        (conflict::REASON, side.reason.as_bytes().to_vec()),
        (conflict::STATE, b"open".to_vec()),
    ];
    values.extend(sides(incoming, record, unit, side.incoming_wins));
    values.sort_by_key(|(number, _)| *number);
    effect::create(world, key, record.office, &values, incoming.received_ms);
    world.note_item(record.key.id, key);
    for field in &unit.fields {
        let outcome = Outcome::Lost(id);
        world.note_outcome(loser_change, field.number, outcome);
    }
    Ok(true)
}

/// An edit on top of the loser of an open item replaces the loser, and may win now (rule 4).
pub(super) fn replace_loser(
    world: &mut World,
    incoming: &Incoming<'_>,
    record: &Record,
    unit: &Unit<'_>,
    item: RecordId,
    incoming_wins: bool,
) -> Result<(), Need> {
    let key = RecordKey {
        kind: conflict::KIND_NUMBER,
        id: item,
    };
    let Some(open) = world.record(key)?.cloned() else {
        return Ok(());
    };
    let values = sides(incoming, record, unit, incoming_wins);
    effect::set(world, &open, &values, incoming.received_ms);
    for field in &unit.fields {
        let loser = match (incoming_wins, record.version(field.number)) {
            (true, Some(present)) => present,
            _ => incoming.change.id,
        };
        world.note_outcome(loser, field.number, Outcome::Lost(item));
    }
    Ok(())
}

/// An edit on top of the winner keeps an open item open, with the new winner.
pub(super) fn follow_winner(
    world: &mut World,
    incoming: &Incoming<'_>,
    record: &Record,
    unit: &Unit<'_>,
) -> Result<(), Need> {
    let name = unit.name.to_string();
    for open in world.items(record.key.id)? {
        let is_about = open.text(conflict::FIELD) == Some(name.as_str())
            && open.text(conflict::STATE) == Some("open");
        if !is_about {
            continue;
        }
        let values = [
            (conflict::WINNER, unit.packed()),
            (conflict::WINNER_VERSION, change_bytes(incoming.change.id)),
            (
                conflict::WINNER_ACTOR,
                incoming.change.header.actor.clone().into_bytes(),
            ),
            (
                conflict::WINNER_AT,
                incoming.ordered_at().to_string().into_bytes(),
            ),
        ];
        effect::set(world, &open, &values, incoming.received_ms);
    }
    Ok(())
}

/// Both sides of a conflict, as the item's fields.
fn sides(
    incoming: &Incoming<'_>,
    record: &Record,
    unit: &Unit<'_>,
    incoming_wins: bool,
) -> Vec<(u16, Vec<u8>)> {
    let present = unit
        .fields
        .iter()
        .filter_map(|field| record.fields.get(&field.number))
        .map(|field| field.version)
        .max_by_key(|version| version.ordered_at)
        .unwrap_or(record.life_version);
    let new = (
        unit.packed(),
        change_bytes(incoming.change.id),
        incoming.change.header.actor.clone().into_bytes(),
        incoming.ordered_at(),
    );
    let old = (
        unit.packed_of(record),
        change_bytes(present.change),
        Vec::new(),
        present.ordered_at,
    );
    let (winner, loser) = if incoming_wins {
        (new, old)
    } else {
        (old, new)
    };
    vec![
        (conflict::WINNER, winner.0),
        (conflict::LOSER, loser.0),
        (conflict::WINNER_VERSION, winner.1),
        (conflict::LOSER_VERSION, loser.1),
        (conflict::WINNER_ACTOR, winner.2),
        (conflict::LOSER_ACTOR, loser.2),
        (conflict::WINNER_AT, winner.3.to_string().into_bytes()),
        (conflict::LOSER_AT, loser.3.to_string().into_bytes()),
    ]
}

/// An item that says that somebody wanted to delete a record that others had edited (rule 5).
pub(super) fn delete_requested(world: &mut World, incoming: &Incoming<'_>, record: &Record) {
    let change = incoming.change.id;
    let id = derived_id(
        "lianxin conflict 1",
        &[
            &record.key.id.bytes(),
            &0u16.to_be_bytes(),
            &change_bytes(change),
        ],
    );
    let key = RecordKey {
        kind: conflict::KIND_NUMBER,
        id,
    };
    let values = [
        (
            conflict::SUBJECT_KIND,
            record.key.kind.to_string().into_bytes(),
        ),
        (conflict::SUBJECT, record.key.id.bytes().to_vec()),
        (conflict::FIELD, b"0".to_vec()),
        (conflict::REASON, b"delete_requested".to_vec()),
        (conflict::LOSER_VERSION, change_bytes(change)),
        (
            conflict::LOSER_ACTOR,
            incoming.change.header.actor.clone().into_bytes(),
        ),
        (
            conflict::LOSER_AT,
            incoming.ordered_at().to_string().into_bytes(),
        ),
        (conflict::STATE, b"open".to_vec()),
    ];
    effect::create(world, key, record.office, &values, incoming.received_ms);
    world.note_item(record.key.id, key);
    world.note_outcome(change, 0, Outcome::Lost(id));
}
