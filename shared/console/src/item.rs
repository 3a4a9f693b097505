//! Conflict items and changes in words.

use domain::change::Change;
use domain::decide::{pack_unit, unpack_unit};
use domain::id::RecordId;
use domain::kinds::{self, conflict, set_aside, step};
use domain::machines;
use domain::record::Record;
use domain::text::{read_value, refusal_text, show_value};
use serde_json::{Value, json};

use crate::Values;
use crate::answer::record_json;

/// A conflict item with both values in words.
pub fn item_json(item: &Record) -> Value {
    let kind = item
        .integer(conflict::SUBJECT_KIND)
        .and_then(|n| u16::try_from(n).ok());
    let kind = kind.and_then(kinds::by_number);
    let number = item
        .integer(conflict::FIELD)
        .and_then(|n| u16::try_from(n).ok())
        .unwrap_or(0);
    let side = |field: u16| {
        let packed = item.value(field).unwrap_or_default();
        let values = unpack_unit(kind, number, packed).unwrap_or_default();
        let words =
            values.iter().map(
                |(number, bytes)| match kind.and_then(|kind| kind.field(*number)) {
                    Some(declared) => show_value(declared.of, bytes),
                    None => String::from_utf8_lossy(bytes).into_owned(),
                },
            );
        words.collect::<Vec<_>>().join(" / ")
    };
    let subject = item
        .value(conflict::SUBJECT)
        .and_then(|b| RecordId::from_slice(b).ok());
    json!({
        "id": item.key.id.to_string(),
        "record": subject.map(|id| id.to_string()),
        "field": kind.and_then(|kind| kind.field(number)).map(|field| field.name),
        "field_zh": kind.and_then(|kind| kind.field(number)).map(|field| field.zh),
        "reason": item.text(conflict::REASON),
        "winner": side(conflict::WINNER),
        "loser": side(conflict::LOSER),
        "winner_actor": item.text(conflict::WINNER_ACTOR),
        "loser_actor": item.text(conflict::LOSER_ACTOR),
    })
}

/// The arguments of the step that settles an item: `winner`, `loser`, or another value.
///
/// # Errors
/// In words, what is wrong with the value.
pub fn settling(item: &Record, keep: &str) -> Result<Values, String> {
    let mut args = vec![(step::SEEN_REVISION, item.revision.to_string().into_bytes())];
    if matches!(keep, "winner" | "loser") {
        args.push((step::CHOICE, keep.as_bytes().to_vec()));
    } else {
        args.push((step::CHOICE, b"value".to_vec()));
        args.push((step::SETTLED_VALUE, settled_value(item, keep)?));
    }
    Ok(args)
}

fn settled_value(item: &Record, text: &str) -> Result<Vec<u8>, String> {
    let number = |field| item.integer(field).and_then(|n| u16::try_from(n).ok());
    let kind = number(conflict::SUBJECT_KIND).and_then(kinds::by_number);
    let field = number(conflict::FIELD);
    let field = kind.and_then(|kind| Some((kind, kind.field(field?)?)));
    let (kind, field) = field.ok_or("the item's field is not known 该项目无法识别")?;
    let bytes = read_value(field, text).map_err(|refused| {
        let (zh, en) = refusal_text(refused);
        format!("{text}: {en} ({zh})")
    })?;
    let is_group = !kind.group_of(field.number).is_empty();
    Ok(if is_group {
        pack_unit([(field.number, bytes.as_slice())])
    } else {
        bytes
    })
}

/// A set-aside note with its reason in both languages and the change that it holds, where that can
/// be read.
pub fn note_json(note: &Record, change: Option<&Change>) -> Value {
    let event = change.and_then(|change| change.value(step::EVENT));
    let event = event.and_then(|event| std::str::from_utf8(event).ok());
    let known: Vec<_> = event.map(|event| ("event", event)).into_iter().collect();
    let reason = note
        .text(set_aside::REASON)
        .and_then(|code| machines::filled_messages(code, &known));
    let mut shown = record_json(note);
    if let Some(map) = shown.as_object_mut() {
        map.insert("holds".to_owned(), change.map_or(Value::Null, change_json));
        map.insert(
            "reason_zh".to_owned(),
            json!(reason.as_ref().map(|(zh, _)| zh)),
        );
        map.insert(
            "reason_en".to_owned(),
            json!(reason.as_ref().map(|(_, en)| en)),
        );
    }
    shown
}

/// A change in words: what was done, by whom, when, and the values.
pub fn change_json(change: &Change) -> Value {
    let kind = kinds::by_number(change.header.kind);
    let mut fields = serde_json::Map::new();
    for field in &change.body.fields {
        let (name, shown) = match kind.and_then(|kind| kind.field(field.number)) {
            Some(declared) => (
                declared.name.to_owned(),
                show_value(declared.of, &field.value),
            ),
            None => (
                format!("field_{}", field.number),
                domain::id::hex(&field.value),
            ),
        };
        fields.insert(name, shown.into());
    }
    json!({
        "change": change.id.to_string(),
        "kind": kind.map_or("unknown", |kind| kind.name),
        "record": change.header.record.to_string(),
        "verb": format!("{:?}", change.header.verb).to_lowercase(),
        "actor": change.header.actor,
        "at_ms": change.header.timestamp.unix_ms(),
        "fields": fields,
    })
}
