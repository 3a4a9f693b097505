//! What a person names on the command line: kinds, and values as `field=value`.

use domain::id::RecordId;
use domain::kind::{FieldType, Kind};
use domain::kinds::{self, organisation};
use domain::text::{read_value, refusal_text};

use crate::Values;

/// The kind that a person names.
///
/// # Errors
/// In words, that there is none.
pub fn kind_named(name: &str) -> Result<&'static Kind, String> {
    kinds::by_name(name).ok_or_else(|| format!("no such kind: {name} 没有这种记录"))
}

/// Values as `field=value`, by number; organisations are found by `organisation_named`.
///
/// # Errors
/// In words, which value is wrong and why; what the search meets.
pub fn read_values<E>(
    kind: &'static Kind,
    values: &[String],
    mut organisation_named: impl FnMut(&str) -> Result<RecordId, E>,
    refused: impl Fn(String) -> E,
) -> Result<Values, E> {
    let mut read = Values::new();
    for value in values {
        let Some((name, text)) = value.split_once('=') else {
            return Err(refused("write field=value 请写 项目=内容".to_owned()));
        };
        let Some(field) = kind.field_called(name) else {
            let text = format!("{} has no field {name} 没有“{name}”这一项", kind.name);
            return Err(refused(text));
        };
        let is_organisation = field.of == FieldType::Reference(organisation::KIND_NUMBER);
        let bytes = if is_organisation && !text.is_empty() {
            organisation_named(text)?.bytes().to_vec()
        } else {
            read_value(field, text).map_err(|why| {
                let (zh, en) = refusal_text(why);
                refused(format!("{name} = {text}: {en} ({zh})"))
            })?
        };
        read.push((field.number, bytes));
    }
    read.sort_by_key(|(number, _)| *number);
    Ok(read)
}
