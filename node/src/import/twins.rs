//! Looks for somebody who is here already.

use console::columns::Target;
use domain::checks::id_number;
use domain::id::RecordId;
use domain::kinds::{self, person};
use domain::record::Record;
use store::{Filter, StoreError, Tx};

use crate::journal::Values;

/// Records of one name that are looked at.
const SAME_NAME_MAX: usize = 50;

/// What is known of a row's person.
pub(super) enum Found {
    /// Nobody like that.
    Nobody,
    /// The person, without this role: the role is added to them.
    Person(RecordId),
    /// Somebody who has the role already, or may be the same person; in words.
    Twin(String),
}

/// Looks by ID number; without one, by name with birth date or telephone.
pub(super) fn find(
    tx: Tx<'_>,
    target: &Target,
    of_person: &Values,
    of_role: &Values,
) -> Result<Found, StoreError> {
    let is_role = target.has_person();
    if !is_role && target.role.number != person::KIND_NUMBER {
        return Ok(Found::Nobody);
    }
    let values = if is_role { of_person } else { of_role };
    if let Some(number) = value(values, person::ID_NUMBER) {
        let mut same = Filter::counting(&person::KIND);
        same.push(Filter::Is(person::ID_NUMBER, number.to_vec()));
        let Some(known) = tx.list(&person::KIND, &same, None, 1)?.pop() else {
            return Ok(Found::Nobody);
        };
        if !is_role || has_role(tx, target, &known)? {
            return Ok(Found::Twin(words(&known)));
        }
        return Ok(Found::Person(known.key.id));
    }
    let Some(name) = value(values, person::NAME) else {
        return Ok(Found::Nobody);
    };
    let mut same = Filter::counting(&person::KIND);
    same.push(Filter::Is(person::NAME, name.to_vec()));
    let alike = tx
        .list(&person::KIND, &same, None, SAME_NAME_MAX)?
        .into_iter()
        .find(|known| {
            let agrees = |field| {
                let given = value(values, field);
                given.is_some() && known.value(field) == given
            };
            agrees(person::BIRTH_DATE) || agrees(person::PHONE)
        });
    Ok(alike.map_or(Found::Nobody, |known| Found::Twin(words(&known))))
}

fn value(values: &Values, number: u16) -> Option<&[u8]> {
    let found = values
        .iter()
        .find(|(given, value)| *given == number && !value.is_empty());
    found.map(|(_, value)| value.as_slice())
}

fn has_role(tx: Tx<'_>, target: &Target, person: &Record) -> Result<bool, StoreError> {
    let of_person = (target.person_field, person.key.id.bytes().to_vec());
    let roles = tx.conditions(target.role, vec![of_person])?;
    Ok(tx.count(target.role, &roles)? > 0)
}

fn words(known: &Record) -> String {
    let name = known.text(person::NAME).unwrap_or_default();
    let number = known.text(person::ID_NUMBER).map(id_number::mask);
    format!("{name} {} 已登记", number.unwrap_or_default())
}

/// The living record of a kind whose title is this text.
pub(super) fn titled(tx: Tx<'_>, kind: u16, text: &str) -> Result<Option<RecordId>, StoreError> {
    let Some(kind) = kinds::by_number(kind) else {
        return Ok(None);
    };
    let Some(title) = kind.title_field else {
        return Ok(None);
    };
    let same = [Filter::Is(title, text.as_bytes().to_vec()), Filter::Alive];
    Ok(tx
        .list(kind, &same, None, 1)?
        .pop()
        .map(|record| record.key.id))
}
