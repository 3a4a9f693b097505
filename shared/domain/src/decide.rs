//! The hub's decision on one change, once, in the transaction that stores it (`sync.md` 3).
//!
//! A decision is a pure function of the [`World`]: it returns a [`Verdict`] and leaves what must be
//! written in the world, or names a fact that it lacks and leaves nothing. Nothing that a person
//! entered is discarded: what is not applied is set aside whole, what loses is kept in a conflict
//! item, what comes too early waits.

mod alarm;
mod begin;
mod create;
mod effect;
mod half_moved;
mod handover;
mod held;
mod item;
mod life;
mod merge;
mod organisation;
mod rewritten;
mod set;
mod settle;
mod step;
mod transfer;
mod unit;
mod urgent;
mod waiting;

pub use alarm::raise_claim_alarm;
pub use begin::beginning_refusal;
pub use half_moved::{close_before, complete_move, keep_at_desk};
pub use merge::merge_fields;
pub(crate) use merge::of_merged;
pub use organisation::NAMING_CASES;
pub use rewritten::replaced;
pub use step::HUB_RECORDER;
pub use transfer::letters::void_number;
pub use transfer::{due_event, is_succeeded, roles};

use crate::change::{Change, Verb};
use crate::id::{ChangeId, DESK, OfficeId, RecordId, derived_id};
use crate::kind::{Class, Kind};
use crate::kinds::{self, member, set_aside, step as step_kind};
use crate::record::RecordKey;
use crate::world::{Mover, Need, Outcome, Waiting, World};

pub use step::{local_refusal, office_of};
pub use unit::{pack_unit, unpack_unit, unpack_values};
pub use waiting::{UNHEARD, hold_for_a_person, let_wait, named_by, waits_of};
use waiting::{end_waiting, key_bytes, key_of_bytes, wait_further};

/// A change with what the hub knows of its arrival.
#[derive(Debug, Clone, Copy)]
pub struct Incoming<'a> {
    /// The change.
    pub change: &'a Change,
    /// The office of the certificate ([`DESK`] for the hub's own desk).
    pub office: OfficeId,
    /// When the hub received it (milliseconds since 1970).
    pub received_ms: u64,
    /// Hub's clock minus the node's, as measured at the last greeting (milliseconds).
    pub offset_ms: i64,
    /// The set-aside record under which the change has waited so far, if it has.
    pub waited_in: Option<RecordId>,
}

impl Incoming<'_> {
    /// Whether the writer's clock cannot be trusted for "latest" (rule 9).
    fn is_suspect(&self) -> bool {
        self.change.header.clock_suspect || self.offset_ms.abs() > crate::clock::SUSPECT_OFFSET_MS
    }

    /// When the change counts as written (rule 9).
    fn ordered_at(&self) -> u64 {
        crate::clock::ordered_at(
            self.change.header.timestamp,
            self.offset_ms,
            self.received_ms,
        )
    }

    /// The version that the change's values get.
    fn version(&self) -> crate::record::Version {
        crate::record::Version {
            change: self.change.id,
            ordered_at: self.ordered_at(),
        }
    }

    /// The record that the change is about.
    const fn key(&self) -> RecordKey {
        RecordKey {
            kind: self.change.header.kind,
            id: self.change.header.record,
        }
    }
}

/// The hub's answer to one change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Applied as it was written.
    Applied,
    /// Every value was already so.
    Merged,
    /// A field at least lost against another value, which stands; the loser is kept.
    Lost,
    /// Kept whole, not applied: the reason's code.
    SetAside(&'static str),
    /// Waits for a record that it names.
    Waiting,
}

/// Why a change is not applied: set aside with a code, or waiting for a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stop {
    /// A fact is lacking; nothing is decided.
    Lacks(Need),
    /// Set aside, with the reason's code.
    Refused(&'static str),
    /// Waits for this record (rule 6).
    WaitsFor(RecordKey),
}

impl From<Need> for Stop {
    fn from(need: Need) -> Self {
        Self::Lacks(need)
    }
}

/// Decides one change.
///
/// # Errors
/// A fact that is lacking; the world is as before.
pub fn decide(world: &mut World, incoming: &Incoming<'_>) -> Result<Verdict, Need> {
    let decided = decide_in_draft(world, incoming);
    match decided {
        Ok(_) => world.adopt(),
        Err(_) => world.discard(),
    }
    decided
}

/// Decides a group: all of its changes, or none (rule 8). A field that loses does not undo it; one
/// change that must be set aside or wait sets all aside.
///
/// # Errors
/// A fact that is lacking; the world is as before.
pub fn decide_group(world: &mut World, group: &[Incoming<'_>]) -> Result<Vec<Verdict>, Need> {
    let mut verdicts = Vec::with_capacity(group.len());
    for incoming in group {
        match attempt(world, incoming) {
            Ok(verdict) => verdicts.push(verdict),
            Err(Stop::Lacks(need)) => {
                world.discard();
                return Err(need);
            }
            Err(Stop::Refused(_) | Stop::WaitsFor(_)) => {
                world.discard();
                return set_group_aside(world, group, "group_part_refused");
            }
        }
    }
    for incoming in group {
        if let Err(need) = end_if_waited(world, incoming) {
            world.discard();
            return Err(need);
        }
    }
    world.adopt();
    Ok(verdicts)
}

/// Sets a whole group aside, as for one that is not what its size says.
///
/// # Errors
/// A fact that is lacking; the world is as before.
pub fn set_group_aside(
    world: &mut World,
    group: &[Incoming<'_>],
    reason: &'static str,
) -> Result<Vec<Verdict>, Need> {
    for incoming in group {
        if let Err(need) = put_aside(world, incoming, reason, None) {
            world.discard();
            return Err(need);
        }
    }
    world.adopt();
    Ok(vec![Verdict::SetAside(reason); group.len()])
}

/// Sets a change aside whose bytes cannot be read: it is kept, counted and shown, and the journal
/// goes on.
pub fn set_unreadable_aside(world: &mut World, id: ChangeId, office: OfficeId, received_ms: u64) {
    let key = RecordKey {
        kind: set_aside::KIND_NUMBER,
        id: set_aside_id(id),
    };
    let note = [
        (set_aside::SUBJECT_KIND, b"0".to_vec()),
        (set_aside::SUBJECT, vec![0; 16]),
        (set_aside::CHANGE, change_bytes(id)),
        (set_aside::REASON, b"unreadable".to_vec()),
        (set_aside::STATE, b"held".to_vec()),
        (set_aside::RECEIVED_AT, received_ms.to_string().into_bytes()),
    ];
    effect::create(world, key, office, &note, received_ms);
    world.note_outcome(id, 0, Outcome::SetAside(key.id));
    world.adopt();
}

fn decide_in_draft(world: &mut World, incoming: &Incoming<'_>) -> Result<Verdict, Need> {
    match attempt(world, incoming) {
        Ok(verdict) => {
            end_if_waited(world, incoming)?;
            Ok(verdict)
        }
        Err(Stop::Lacks(need)) => Err(need),
        Err(Stop::Refused(reason)) => {
            world.discard();
            put_aside(world, incoming, reason, None)?;
            transfer::letters::void_refused(world, incoming, reason)?;
            Ok(Verdict::SetAside(reason))
        }
        Err(Stop::WaitsFor(key)) if world.is_purged(key)? => {
            world.discard();
            put_aside(world, incoming, PURGED, None)?;
            Ok(Verdict::SetAside(PURGED))
        }
        Err(Stop::WaitsFor(key)) => {
            world.discard();
            put_aside(world, incoming, "waiting", Some(key))?;
            Ok(Verdict::Waiting)
        }
    }
}

/// The note of a change that has waited says that it was decided.
fn end_if_waited(world: &mut World, incoming: &Incoming<'_>) -> Result<(), Need> {
    let Some(waited_in) = incoming.waited_in else {
        return Ok(());
    };
    end_waiting(world, incoming, waited_in, "fixed", None)?;
    // Its writer has seen it go: the row must come back, though it is the writer's own.
    send_again(world, incoming)
}

fn attempt(world: &mut World, incoming: &Incoming<'_>) -> Result<Verdict, Stop> {
    if let Some(repeat) = rewritten::repeat(world, incoming)? {
        return Ok(repeat);
    }
    if world.is_purged(incoming.key())? {
        return Err(Stop::Refused(PURGED));
    }
    let header = &incoming.change.header;
    let kind = kinds::by_number(header.kind);
    if let Some(kind) = kind {
        if kind.class != header.class {
            return Err(Stop::Refused("class_wrong"));
        }
        check_values(kind, incoming.change)?;
    }
    check_class(header.class, header.verb, incoming.office)?;
    if header.kind == step_kind::KIND_NUMBER && header.verb == Verb::Create {
        // A step is taken, not made: only so the machine judges it.
        return Err(Stop::Refused("kind_wrong"));
    }
    match header.verb {
        Verb::Create => create::create(world, incoming, kind),
        Verb::Set => set::set(world, incoming, kind),
        Verb::Delete | Verb::Restore => life::change_life(world, incoming),
        Verb::Step => step::step(world, incoming),
        Verb::Merge => merge::merge(world, incoming, kind),
        Verb::Unmerge => merge::unmerge(world, incoming, kind),
    }
}

/// Who may write a class at all (`sync.md` 1).
fn check_class(class: Class, verb: Verb, office: OfficeId) -> Result<(), Stop> {
    let is_desk = office == DESK;
    match class {
        Class::Shared | Class::Held => Ok(()),
        Class::Ledger if matches!(verb, Verb::Create | Verb::Step) => Ok(()),
        Class::Ledger => Err(Stop::Refused("immutable")),
        Class::Reference if is_desk => Ok(()),
        Class::Reference => Err(Stop::Refused("hub_only")),
        Class::Case => Err(Stop::Refused("by_steps_only")),
    }
}

fn check_values(kind: &Kind, change: &Change) -> Result<(), Stop> {
    for field in &change.body.fields {
        let Some(declared) = kind.field(field.number) else {
            continue;
        };
        if declared.of.check(&field.value).is_err() {
            return Err(Stop::Refused("value_invalid"));
        }
    }
    Ok(())
}

/// The id of the set-aside record of a change.
pub fn set_aside_id(change: ChangeId) -> RecordId {
    derived_id("lianxin set aside 1", &[&change_bytes(change)])
}

/// The bytes by which records name a change: node, epoch, sequence, big-endian (28 bytes).
pub fn change_bytes(change: ChangeId) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(28);
    bytes.extend_from_slice(&change.node.bytes());
    bytes.extend_from_slice(&change.epoch.to_be_bytes());
    bytes.extend_from_slice(&change.sequence.to_be_bytes());
    bytes
}

/// Reads what [`change_bytes`] writes.
pub fn change_of_bytes(bytes: &[u8]) -> Option<ChangeId> {
    let (node, rest) = bytes.split_at_checked(16)?;
    let (epoch, sequence) = rest.split_at_checked(4)?;
    Some(ChangeId {
        node: crate::id::NodeId::from_slice(node).ok()?,
        epoch: u32::from_be_bytes(epoch.try_into().ok()?),
        sequence: u64::from_be_bytes(sequence.try_into().ok()?),
    })
}

/// The record was deleted and removed for good; its id never lives again (rule 1).
const PURGED: &str = "purged";

/// Why a former holder's edit is put before the present holder.
const LATE_EDIT: &str = "late_edit";

/// Keeps a change whole that is not applied, and sends the record's row so that its writer sees the
/// state without it.
fn put_aside(
    world: &mut World,
    incoming: &Incoming<'_>,
    reason: &'static str,
    waits_for: Option<RecordKey>,
) -> Result<(), Need> {
    let header = &incoming.change.header;
    if let Some(waited_in) = incoming.waited_in {
        return match waits_for {
            Some(next) => wait_further(world, incoming, waited_in, next),
            None => end_waiting(world, incoming, waited_in, "held", Some(reason)),
        };
    }
    let id = set_aside_id(incoming.change.id);
    let key = RecordKey {
        kind: set_aside::KIND_NUMBER,
        id,
    };
    let state = match (waits_for, reason) {
        (Some(_), _) => "waiting",
        // It lies before the present holder as a suggestion already.
        (None, LATE_EDIT) => "forwarded",
        (None, _) => "held",
    };
    let mut note = vec![
        (
            set_aside::SUBJECT_KIND,
            header.kind.to_string().into_bytes(),
        ),
        (set_aside::SUBJECT, header.record.bytes().to_vec()),
        (set_aside::VERB, verb_code(header.verb).as_bytes().to_vec()),
        (set_aside::CHANGE, change_bytes(incoming.change.id)),
        (set_aside::REASON, reason.as_bytes().to_vec()),
        (set_aside::STATE, state.as_bytes().to_vec()),
        (
            set_aside::RECEIVED_AT,
            incoming.received_ms.to_string().into_bytes(),
        ),
        (set_aside::ACTOR, header.actor.clone().into_bytes()),
    ];
    if let Some(group) = header.group {
        note.push((set_aside::GROUP, group.id.bytes().to_vec()));
    }
    if let Some(waits_for) = waits_for {
        note.push((set_aside::WAITS_FOR, key_bytes(waits_for)));
        if reason == UNHEARD {
            for for_record in named_by(incoming.change) {
                world.wait(Waiting {
                    for_record,
                    change: incoming.change.id,
                    set_aside: id,
                    until_heard: true,
                });
            }
        } else {
            world.wait(Waiting {
                for_record: waits_for,
                change: incoming.change.id,
                set_aside: id,
                until_heard: false,
            });
        }
    }
    if reason == crate::machines::member_status::LATE_DECISION {
        let (task, holder) = urgent::task(world, incoming)?;
        note.retain(|(number, _)| task.iter().all(|(told, _)| told != number));
        note.extend(task);
        if let Some(holder) = holder.filter(|holder| *holder != incoming.office) {
            world.join(key, holder);
        }
    }
    note.sort_by_key(|(number, _)| *number);
    effect::create(world, key, incoming.office, &note, incoming.received_ms);
    rewritten::note(world, incoming);
    let outcome = match waits_for {
        Some(_) => Outcome::Waiting(id),
        None => Outcome::SetAside(id),
    };
    world.note_outcome(incoming.change.id, 0, outcome);
    send_again(world, incoming)
}

/// Moves the record of a change that was not applied to the head of its feeds.
fn send_again(world: &mut World, incoming: &Incoming<'_>) -> Result<(), Need> {
    if let Some(record) = world.record(incoming.key())?.cloned() {
        world.put(record, Mover::Foreign);
    }
    Ok(())
}

const fn verb_code(verb: Verb) -> &'static str {
    match verb {
        Verb::Create => "create",
        Verb::Set => "set",
        Verb::Delete => "delete",
        Verb::Restore => "restore",
        Verb::Step => "step",
        Verb::Merge => "merge",
        Verb::Unmerge => "unmerge",
    }
}

/// Whether every record that these fields name is known; else the first that is not (rule 6). What
/// is not a reference record must belong to the writer's office. A ledger entry stays its creator's: it may name a
/// member whom the office has held, though he has been transferred out since (`domain.md` 6.6: absentees are chosen
/// from those too; 10: attendance is the organising branch's). Steps have guards of their own.
fn check_references(
    world: &World,
    incoming: &Incoming<'_>,
    kind: Option<&Kind>,
) -> Result<(), Stop> {
    let Some(kind) = kind else { return Ok(()) };
    let is_entry = kind.class == Class::Ledger && kind.number != step_kind::KIND_NUMBER;
    for (field, of) in kind.references() {
        let value = incoming.change.value(field.number).unwrap_or_default();
        if is_entry && of == member::KIND_NUMBER && has_held(world, incoming.office, value)? {
            continue;
        }
        check_reference(world, incoming.office, of, value)?;
    }
    Ok(())
}

/// Whether a value names a member whom this office holds, or has held.
fn has_held(world: &World, office: OfficeId, value: &[u8]) -> Result<bool, Need> {
    let kind = member::KIND_NUMBER;
    let named = match RecordId::from_slice(value) {
        Ok(id) => world.record(RecordKey { kind, id })?,
        Err(_) => None,
    };
    named.map_or(Ok(false), |named| create::has_held(world, named, office))
}

/// The same of one value: what it names of this kind, for a writer of this office.
fn check_reference(world: &World, office: OfficeId, of: u16, value: &[u8]) -> Result<(), Stop> {
    if value.is_empty() {
        return Ok(());
    }
    let Ok(id) = RecordId::from_slice(value) else {
        return Err(Stop::Refused("value_invalid"));
    };
    let key = RecordKey { kind: of, id };
    let Some(named) = world.record(key)? else {
        return Err(Stop::WaitsFor(key));
    };
    if !named.class.is_of_hub() && office != DESK && named.office != office {
        return Err(Stop::Refused("not_yours"));
    }
    Ok(())
}

#[cfg(test)]
mod tests;
