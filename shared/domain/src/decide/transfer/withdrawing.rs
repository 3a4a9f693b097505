//! What an office has no more when a member's relation has gone to another: the member, the office's
//! own record of the person, what was undecided or decided about them, and of the letter all but its
//! stub (`sync.md` 5 and 9, `domain.md` 1.3). The hub keeps everything, as the desk's.

use super::super::merge::one_with;
use super::super::step::Work;
use super::super::{Stop, effect};
use super::letters::letter_of;
use crate::id::{DESK, OfficeId, RecordId};
use crate::kind::{Class, Kind};
use crate::kinds::{self, conflict, letter, member, person};
use crate::record::{Record, RecordKey};
use crate::world::{Leaving, Need, World};

/// What a letter's stub does not say of the person.
const NOT_ON_STUB: [u16; 6] = [
    letter::SEX,
    letter::BIRTH_DATE,
    letter::AGE,
    letter::ETHNICITY,
    letter::ID_NUMBER,
    letter::PHONE,
];

/// The kinds by which an office works with a person, each with the field that names him.
pub fn roles() -> impl Iterator<Item = (&'static Kind, u16)> {
    let is_role = |kind: &&Kind| kind.number != person::KIND_NUMBER && is_written_to(kind.class);
    kinds::ALL.iter().copied().filter(is_role).flat_map(|kind| {
        let to_person = move |(field, of): (&crate::kind::Field, u16)| {
            (of == person::KIND_NUMBER).then_some((kind, field.number))
        };
        kind.references().filter_map(to_person)
    })
}

const fn is_written_to(class: Class) -> bool {
    matches!(class, Class::Shared | Class::Held)
}

/// Takes out of the former holder's feed what is about a member (as he stood there) and about his
/// person. The person stays where another role of that office points to it: it is the office's own.
pub(in crate::decide) fn withdraw(
    world: &mut World,
    before: &Record,
    now_ms: u64,
) -> Result<(), Need> {
    let from = before.office;
    withdraw_items(world, before.key.id, from, now_ms)?;
    let Some(id) = before.reference(member::PERSON) else {
        return Ok(());
    };
    let kind = person::KIND_NUMBER;
    let Some(named) = world.record(RecordKey { kind, id })?.cloned() else {
        return Ok(());
    };
    let persons = one_with(world, named)?;
    for found in &persons {
        if has_other_role(world, found.key.id, before.key.id, from)? {
            return Ok(());
        }
    }
    for found in persons.iter().filter(|found| found.office == from) {
        withdraw_items(world, found.key.id, from, now_ms)?;
        give_to_desk(world, found, from, now_ms);
    }
    Ok(())
}

fn has_other_role(
    world: &World,
    person: RecordId,
    member: RecordId,
    office: OfficeId,
) -> Result<bool, Need> {
    for (kind, field) in roles() {
        let named_by = world.naming(kind.number, field, person)?;
        let is_other =
            |role: &Record| role.office == office && role.is_alive() && role.key.id != member;
        if named_by.iter().any(is_other) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// The conflict items about a record, settled ones too: they keep the values that met.
fn withdraw_items(
    world: &mut World,
    subject: RecordId,
    from: OfficeId,
    now_ms: u64,
) -> Result<(), Need> {
    for item in world.naming(conflict::KIND_NUMBER, conflict::SUBJECT, subject)? {
        if item.office == from {
            give_to_desk(world, &item, from, now_ms);
        }
    }
    Ok(())
}

fn give_to_desk(world: &mut World, record: &Record, from: OfficeId, now_ms: u64) {
    let after = effect::set_in(world, record, DESK, &[], now_ms);
    world.leave(after.key, from, Leaving::Transferred);
}

/// Of the letter of an accepted case its stub is kept: number, name, category, from and to, dates,
/// receipt. The receiver has the person; the paper, and the hub's journal, have what was printed.
pub(super) fn reduce_letter(
    world: &mut World,
    work: &Work<'_>,
    subject: &Record,
) -> Result<(), Stop> {
    let Some(paper) = letter_of(world, subject)? else {
        return Ok(());
    };
    let values: Vec<_> = NOT_ON_STUB
        .into_iter()
        .filter(|number| paper.value(*number).is_some_and(|value| !value.is_empty()))
        .map(|number| (number, Vec::new()))
        .collect();
    if !values.is_empty() {
        effect::set(world, &paper, &values, work.incoming.received_ms);
    }
    Ok(())
}
