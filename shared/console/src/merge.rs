//! What a merge writes, and what taking it back does.

use domain::change::FieldChange;
use domain::decide::merge_fields;
use domain::kinds;
use domain::record::Record;

/// A record that is merged into another, and the fields of the change that says so.
#[derive(Debug, Clone)]
pub struct Twins {
    /// The record that is merged.
    pub other: Record,
    /// The fields of the change on it.
    pub fields: Vec<FieldChange>,
}

/// Prepares the merge of `other` into `kept`, which takes the fields named in `take`.
///
/// # Errors
/// In words, why the two cannot be merged, or which field there is not.
pub fn twins(kept: &Record, other: Record, take: &[String]) -> Result<Twins, String> {
    let kind = kinds::by_number(kept.key.kind).ok_or("the kind is not known 无法识别的种类")?;
    if kept.key.kind != other.key.kind {
        return Err("the two are of different kinds 两条记录种类不同".to_owned());
    }
    if kept.key.id == other.key.id {
        return Err("that is the same record twice 两次给出了同一条记录".to_owned());
    }
    if !kept.is_alive() || !other.is_alive() {
        return Err("one of the two was deleted 其中一条已被删除".to_owned());
    }
    let mut wanted = Vec::new();
    for name in take {
        let field = kind
            .field_called(name)
            .ok_or_else(|| format!("{} has no field {name} 没有“{name}”这一项", kind.name))?;
        wanted.push(field.number);
    }
    let fields = merge_fields(kind, kept, &other, &wanted)
        .ok_or_else(|| format!("{} are never merged “{}”不能合并", kind.name, kind.zh))?;
    Ok(Twins { other, fields })
}

/// The fields of the change that takes a merge back.
pub fn apart(merged: &Record) -> Vec<FieldChange> {
    let field = kinds::merged_into(merged.key.kind);
    field
        .map(|number| FieldChange {
            number,
            value: Vec::new(),
            base: merged.version(number),
        })
        .into_iter()
        .collect()
}
