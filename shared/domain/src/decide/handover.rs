//! What the receiver of a member gets besides him: the list of his tenures, and a record of the person that is its own.

use super::create::tenure_key;
use super::effect;
use crate::id::OfficeId;
use crate::kinds::{self, member, person};
use crate::record::{Record, RecordKey};
use crate::world::{Mover, Need, World};

/// The receiver sees the list of the member's tenures.
///
/// # Errors
/// A fact that is lacking.
pub(super) fn share_tenures(world: &mut World, record: &Record, to: OfficeId) -> Result<(), Need> {
    for number in 1..=record.integer(member::TENURE_NUMBER).unwrap_or(0) {
        let key = tenure_key(record.key.id, number);
        if let Some(tenure) = world.record(key)?.cloned() {
            world.join(key, to);
            world.put(tenure, Mover::Foreign);
        }
    }
    Ok(())
}

/// Makes the receiver's own record of a person, with what this program knows of persons. What a record was merged into
/// is no part of the person: a copy that said it could never be written to.
pub(super) fn copy_person(
    world: &mut World,
    (original, copy): (&Record, RecordKey),
    to: OfficeId,
    now_ms: u64,
) {
    let merged = kinds::merged_into(copy.kind);
    let is_copied = |number: u16| person::KIND.field(number).is_some() && Some(number) != merged;
    let values: Vec<_> = original
        .fields
        .iter()
        .filter(|(number, field)| !field.value.is_empty() && is_copied(**number))
        .map(|(number, field)| (*number, field.value.clone()))
        .collect();
    effect::create(world, copy, to, &values, now_ms);
}
