//! Changes that wait: for a record that they name (rule 6), or, at a restored hub, until every office
//! has been heard that may know more of their record (`sync.md` 4). Each is acknowledged, has a note
//! in state `waiting`, and is decided later by itself.

use super::{Incoming, Verdict, change_of_bytes, effect, put_aside, rewritten};
use crate::change::Change;
use crate::id::{ChangeId, RecordId};
use crate::kinds::{set_aside, step};
use crate::record::{Record, RecordKey};
use crate::world::{Need, Outcome, Waiting, World};

/// The reason of a note whose change waits until a restored hub has heard the offices concerned.
pub const UNHEARD: &str = "hub_recovering";

/// The records on which a change works: its own, and the subject of a step.
pub fn named_by(change: &Change) -> Vec<RecordKey> {
    let mut keys = vec![RecordKey {
        kind: change.header.kind,
        id: change.header.record,
    }];
    let kind = change.value(step::SUBJECT_KIND);
    let kind = kind.and_then(|bytes| std::str::from_utf8(bytes).ok()?.parse().ok());
    let subject = change.value(step::SUBJECT);
    let subject = subject.and_then(|bytes| RecordId::from_slice(bytes).ok());
    if let (step::KIND_NUMBER, Some(kind), Some(id)) = (change.header.kind, kind, subject) {
        keys.push(RecordKey { kind, id });
    }
    keys
}

/// Lets changes wait, one or a whole group, until a restored hub has heard every office concerned. A
/// change that was taken before under another place is a repeat and need not wait.
///
/// # Errors
/// A fact that is lacking; the world is as before.
pub fn let_wait(world: &mut World, group: &[Incoming<'_>]) -> Result<Vec<Verdict>, Need> {
    let verdicts = group.iter().map(|incoming| wait_one(world, incoming));
    let verdicts = verdicts.collect::<Result<Vec<_>, Need>>();
    match verdicts {
        Ok(_) => world.adopt(),
        Err(_) => world.discard(),
    }
    verdicts
}

fn wait_one(world: &mut World, incoming: &Incoming<'_>) -> Result<Verdict, Need> {
    if let Some(repeat) = rewritten::repeat(world, incoming)? {
        return Ok(repeat);
    }
    let named = named_by(incoming.change).pop();
    put_aside(world, incoming, UNHEARD, named)?;
    Ok(Verdict::Waiting)
}

/// Holds a change that has waited too long for a record: a person decides now (rule 6).
///
/// # Errors
/// A fact that is lacking; the world is as before.
pub fn hold_for_a_person(world: &mut World, key: RecordKey, now_ms: u64) -> Result<(), Need> {
    let Some(note) = world.record(key)?.cloned() else {
        return Ok(());
    };
    if note.text(set_aside::STATE) != Some("waiting") {
        return Ok(());
    }
    let held = [(set_aside::STATE, b"held".to_vec())];
    effect::set(world, &note, &held, now_ms);
    if let Some(change) = note.value(set_aside::CHANGE).and_then(change_of_bytes) {
        world.release(change);
        world.note_outcome(change, 0, Outcome::SetAside(key.id));
    }
    world.adopt();
    Ok(())
}

pub(super) fn end_waiting(
    world: &mut World,
    incoming: &Incoming<'_>,
    waited_in: RecordId,
    state: &'static str,
    reason: Option<&'static str>,
) -> Result<(), Need> {
    let key = RecordKey {
        kind: set_aside::KIND_NUMBER,
        id: waited_in,
    };
    let Some(note) = world.record(key)?.cloned() else {
        return Ok(());
    };
    let mut fields = vec![(set_aside::STATE, state.as_bytes().to_vec())];
    if let Some(reason) = reason {
        fields.push((set_aside::REASON, reason.as_bytes().to_vec()));
    }
    effect::set(world, &note, &fields, incoming.received_ms);
    world.release(incoming.change.id);
    let id = incoming.change.id;
    let outcome = if state == "fixed" {
        Outcome::Merged(id)
    } else {
        Outcome::SetAside(waited_in)
    };
    world.note_outcome(id, 0, outcome);
    Ok(())
}

/// Lets a change that has waited wait for another record.
pub(super) fn wait_further(
    world: &mut World,
    incoming: &Incoming<'_>,
    waited_in: RecordId,
    next: RecordKey,
) -> Result<(), Need> {
    let key = RecordKey {
        kind: set_aside::KIND_NUMBER,
        id: waited_in,
    };
    let Some(note) = world.record(key)?.cloned() else {
        return Ok(());
    };
    world.release(incoming.change.id);
    let mut fields = vec![(set_aside::WAITS_FOR, key_bytes(next))];
    if note.text(set_aside::REASON) == Some(UNHEARD) {
        fields.push((set_aside::REASON, b"waiting".to_vec()));
    }
    effect::set(world, &note, &fields, incoming.received_ms);
    world.wait(Waiting {
        for_record: next,
        change: incoming.change.id,
        set_aside: waited_in,
        until_heard: false,
    });
    Ok(())
}

/// For what the change of a note waits, by what the note says.
pub fn waits_of(note: &Record, change: ChangeId) -> Vec<Waiting> {
    let until_heard = note.text(set_aside::REASON) == Some(UNHEARD);
    let subject = note.reference(set_aside::SUBJECT);
    let kind = note.integer(set_aside::SUBJECT_KIND);
    let subject = kind.zip(subject).and_then(|(kind, id)| {
        let kind = u16::try_from(kind).ok()?;
        Some(RecordKey { kind, id })
    });
    let named = note.value(set_aside::WAITS_FOR).and_then(key_of_bytes);
    let mut keys: Vec<_> = subject.into_iter().filter(|_| until_heard).collect();
    keys.extend(named.filter(|named| !keys.contains(named)));
    let waiting = |for_record| Waiting {
        for_record,
        change,
        set_aside: note.key.id,
        until_heard,
    };
    keys.into_iter().map(waiting).collect()
}

/// Reads what [`key_bytes`] writes.
pub(super) fn key_of_bytes(bytes: &[u8]) -> Option<RecordKey> {
    let (kind, id) = bytes.split_at_checked(2)?;
    let kind = u16::from_be_bytes(kind.try_into().ok()?);
    Some(RecordKey {
        kind,
        id: RecordId::from_slice(id).ok()?,
    })
}

/// A record's key as bytes: kind (big-endian), id.
pub(super) fn key_bytes(key: RecordKey) -> Vec<u8> {
    let mut bytes = key.kind.to_be_bytes().to_vec();
    bytes.extend_from_slice(&key.id.bytes());
    bytes
}
