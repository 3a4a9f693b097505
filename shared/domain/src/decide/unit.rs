//! Units of judgement: a field by itself, or a group of fields that has one base, one winner and one
//! conflict item (rule 7).

use crate::change::{Change, FieldChange};
use crate::kind::{Kind, Winner};
use crate::record::Record;

/// The fields of a change that are judged together.
#[derive(Debug, Clone)]
pub(super) struct Unit<'a> {
    /// The fields, by rising number.
    pub fields: Vec<&'a FieldChange>,
    /// The number under which an item about the unit is kept: the group's first field.
    pub name: u16,
    /// The numbers of all fields of the group; only the field's own where it stands alone.
    pub members: Vec<u16>,
    /// The rule that names the winner.
    pub winner: Winner,
}

/// The units of a change.
pub(super) fn units<'a>(kind: Option<&Kind>, change: &'a Change) -> Vec<Unit<'a>> {
    let mut units: Vec<Unit<'a>> = Vec::new();
    for field in &change.body.fields {
        let group = kind.map_or(&[][..], |kind| kind.group_of(field.number));
        let name = group.first().copied().unwrap_or(field.number);
        if let Some(unit) = units
            .iter_mut()
            .find(|unit| unit.name == name && !group.is_empty())
        {
            unit.fields.push(field);
            continue;
        }
        let declared = kind.and_then(|kind| kind.field(field.number));
        units.push(Unit {
            fields: vec![field],
            name,
            members: if group.is_empty() {
                vec![field.number]
            } else {
                group.to_vec()
            },
            winner: declared.map_or(Winner::Latest, |declared| declared.winner),
        });
    }
    units
}

impl Unit<'_> {
    /// The change's values of this unit, as an item keeps them.
    pub(super) fn packed(&self) -> Vec<u8> {
        match (self.members.as_slice(), self.fields.as_slice()) {
            ([_], [field]) => field.value.clone(),
            _ => pack_unit(self.fields.iter().map(|f| (f.number, f.value.as_slice()))),
        }
    }

    /// The record's present values of the same fields, as an item keeps them.
    pub(super) fn packed_of(&self, record: &Record) -> Vec<u8> {
        let value = |number| record.value(number).unwrap_or_default();
        match (self.members.as_slice(), self.fields.as_slice()) {
            ([_], [field]) => value(field.number).to_vec(),
            _ => pack_unit(self.fields.iter().map(|f| (f.number, value(f.number)))),
        }
    }
}

/// Packs the values of a group: number (two bytes), length (four bytes), value, each.
pub fn pack_unit<'a>(values: impl IntoIterator<Item = (u16, &'a [u8])>) -> Vec<u8> {
    let mut bytes = Vec::new();
    for (number, value) in values {
        bytes.extend_from_slice(&number.to_be_bytes());
        bytes.extend_from_slice(&u32::try_from(value.len()).unwrap_or(u32::MAX).to_be_bytes());
        bytes.extend_from_slice(value);
    }
    bytes
}

/// The values that an item keeps about a field of this kind: one by itself, or a packed group.
/// None where the bytes are no packed group.
pub fn unpack_unit(kind: Option<&Kind>, name: u16, bytes: &[u8]) -> Option<Vec<(u16, Vec<u8>)>> {
    if kind.is_none_or(|kind| kind.group_of(name).is_empty()) {
        return Some(vec![(name, bytes.to_vec())]);
    }
    unpack_values(bytes)
}

/// Reads what [`pack_unit`] writes; none where the bytes are no packed values.
pub fn unpack_values(bytes: &[u8]) -> Option<Vec<(u16, Vec<u8>)>> {
    let mut rest = bytes;
    let mut values = Vec::new();
    while !rest.is_empty() {
        let (number, tail) = rest.split_at_checked(2)?;
        let (length, tail) = tail.split_at_checked(4)?;
        let length = u32::from_be_bytes(length.try_into().ok()?) as usize;
        let (value, tail) = tail.split_at_checked(length)?;
        values.push((u16::from_be_bytes(number.try_into().ok()?), value.to_vec()));
        rest = tail;
    }
    Some(values)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kinds::person;

    #[test]
    fn a_packed_group_reads_back_and_a_broken_one_does_not() {
        let packed = pack_unit([(2, &b"ab"[..]), (3, &b""[..])]);
        let kind = Some(&person::KIND);
        let read = unpack_unit(kind, person::ID_NUMBER, &packed);
        assert_eq!(read, Some(vec![(2, b"ab".to_vec()), (3, Vec::new())]));
        let cut = packed
            .split_last()
            .map(|(_, rest)| rest)
            .unwrap_or_default();
        let cut = cut.split_last().map(|(_, rest)| rest).unwrap_or_default();
        assert_eq!(unpack_unit(kind, person::ID_NUMBER, cut), None);
    }
}
