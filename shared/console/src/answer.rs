//! What a person or a script reads.

#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "the command line's answers"
)]

use std::error::Error;
use std::net::SocketAddr;

use serde_json::{Map, Value, json};

use domain::kinds;
use domain::record::Record;
use domain::text::show_value;

/// Prints an answer.
pub fn answer(is_json: bool, value: &Value) {
    if is_json {
        println!("{value}");
        return;
    }
    match value {
        Value::Array(rows) => {
            for row in rows {
                println!("{}", line(row));
            }
            println!("共 {} 条 / {} rows", rows.len(), rows.len());
        }
        Value::Object(fields) => {
            for (name, value) in fields {
                println!("{name}: {}", plain(value));
            }
        }
        other => println!("{}", plain(other)),
    }
}

/// Prints one line at once (`serve` says that it is ready).
pub fn ready(text: &str) {
    println!("{text}");
}

/// Tells a person at the terminal what the command waits for; beside the answer, not in it.
pub fn note(text: &str) {
    eprintln!("{text}");
}

/// Prints why a command failed: in Chinese where there is a text for a clerk, and in English.
pub fn failure(is_json: bool, zh: Option<&str>, error: &str) {
    if is_json {
        println!("{}", json!({"error": error, "error_zh": zh}));
    }
    if let Some(zh) = zh {
        eprintln!("错误:{zh}");
    }
    eprintln!("error: {error}");
}

/// An error and what caused it. A cause that stands in what was said before is not said again.
pub fn with_causes(error: &(dyn Error + 'static)) -> String {
    let mut said = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        let text = cause.to_string();
        if !said.contains(&text) {
            said = format!("{said}: {text}");
        }
        next = cause.source();
    }
    said
}

/// What to say where a program cannot listen at an address that `option` names.
pub fn cannot_listen(address: SocketAddr, option: &str) -> String {
    format!(
        "cannot listen at {address} (where another program has this port, end it or name another port with {option}) \
         无法监听 {address}(端口若被其他程序占用,请关闭该程序,或用 {option} 另选端口)"
    )
}

fn line(row: &Value) -> String {
    match row {
        Value::Object(fields) => fields
            .iter()
            .filter(|(_, value)| !value.is_null())
            .map(|(name, value)| format!("{name}={}", plain(value)))
            .collect::<Vec<_>>()
            .join("  "),
        other => plain(other),
    }
}

fn plain(value: &Value) -> String {
    value
        .as_str()
        .map_or_else(|| value.to_string(), str::to_owned)
}

/// A record as JSON: its fields by name, and what the store knows of it.
pub fn record_json(record: &Record) -> Value {
    let kind = kinds::by_number(record.key.kind);
    let mut map = Map::new();
    map.insert("id".into(), record.key.id.to_string().into());
    map.insert(
        "kind".into(),
        kind.map_or("unknown", |kind| kind.name).into(),
    );
    map.insert("office".into(), record.office.to_string().into());
    map.insert("revision".into(), record.revision.into());
    map.insert("alive".into(), record.is_alive().into());
    for (number, field) in record
        .fields
        .iter()
        .filter(|(_, field)| !field.value.is_empty())
    {
        let declared = kind.and_then(|kind| kind.field(*number));
        let (name, shown) = match declared {
            Some(declared) => (
                declared.name.to_owned(),
                show_value(declared.of, &field.value),
            ),
            None => (format!("field_{number}"), domain::id::hex(&field.value)),
        };
        map.insert(name, shown.into());
    }
    Value::Object(map)
}
