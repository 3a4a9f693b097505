//! What the hub set aside of this office's changes, and what becomes of it; `explain`.

use anyhow::{Context as _, bail};
use clap::Subcommand;
use console::answer::record_json;
use console::item::{change_json, item_json, note_json};
use domain::change::{Change, Verb};
use domain::decide::change_of_bytes;
use domain::kind::Kind;
use domain::kinds::{self, conflict, set_aside, step};
use domain::record::{Record, RecordKey};
use serde_json::{Value, json};
use store::{Filter, Tx};

use super::records::{found, read_id, read_values};
use crate::app::{App, Own};
use crate::fold;
use crate::journal::{self, Values};

/// Records of one kind that are shown about another.
const SHOWN_MAX: usize = 1_000;
/// Notes that are listed.
const LISTED_MAX: usize = 10_000;

/// What was set aside, and what becomes of it.
#[derive(Debug, Subcommand)]
pub(super) enum Quarantine {
    /// What waits for a person.
    List,
    /// One change that was set aside, whole.
    Show {
        /// The set-aside record.
        id: String,
    },
    /// Enters it again with other values.
    Fix {
        /// The set-aside record.
        id: String,
        /// field=value: what differs from before.
        values: Vec<String>,
    },
    /// Gives it to the present holder as a suggestion.
    Forward {
        /// The set-aside record.
        id: String,
        /// Why.
        #[arg(long)]
        why: String,
    },
    /// Says that an urgent task, or what else it asked for, has been dealt with.
    Done {
        /// The set-aside record.
        id: String,
        /// How.
        #[arg(long)]
        why: String,
    },
    /// Rejects it; it stays readable.
    Reject {
        /// The set-aside record.
        id: String,
        /// Why.
        #[arg(long)]
        why: String,
    },
}

pub(super) async fn quarantine(
    app: &App,
    command: Option<&Quarantine>,
    actor: &str,
) -> anyhow::Result<Value> {
    match command {
        None | Some(Quarantine::List) => list(app).await,
        Some(Quarantine::Show { id }) => show(app, id).await,
        Some(Quarantine::Fix { id, values }) => fix(app, id, values, actor).await,
        Some(Quarantine::Forward { id, why }) => decide(app, (id, "forward"), why, actor).await,
        Some(Quarantine::Done { id, why }) => decide(app, (id, "fix"), why, actor).await,
        Some(Quarantine::Reject { id, why }) => decide(app, (id, "reject"), why, actor).await,
    }
}

/// The change behind a set-aside record, where this store still has it.
fn change_of(tx: Tx<'_>, own: Own, note: &Record) -> anyhow::Result<Option<Change>> {
    let id = note.value(set_aside::CHANGE).and_then(change_of_bytes);
    let Some(id) = id.filter(|id| id.node == own.node) else {
        return Ok(None);
    };
    let entry = tx.entry(id.epoch, id.sequence)?;
    let entry = entry.filter(|entry| entry.raw.erased.is_none());
    entry.map(|entry| fold::read(own, &entry)).transpose()
}

/// What waits for a person here, with its reason in words and what was entered.
async fn list(app: &App) -> anyhow::Result<Value> {
    let own = app.own;
    app.store
        .read::<_, anyhow::Error>(move |tx| {
            let held = [Filter::Is(set_aside::STATE, b"held".to_vec())];
            let mut shown = Vec::new();
            for note in tx.list(&set_aside::KIND, &held, None, LISTED_MAX)? {
                let change = change_of(tx, own, &note)?;
                shown.push(note_json(&note, change.as_ref()));
            }
            Ok(Value::Array(shown))
        })
        .await
}

async fn show(app: &App, id: &str) -> anyhow::Result<Value> {
    let (id, own) = (read_id(id)?, app.own);
    app.store
        .read::<_, anyhow::Error>(move |tx| {
            let note = found(tx, id)?;
            let change = change_of(tx, own, &note)?;
            Ok(note_json(&note, change.as_ref()))
        })
        .await
}

async fn decide(
    app: &App,
    (id, event): (&str, &'static str),
    why: &str,
    actor: &str,
) -> anyhow::Result<Value> {
    let (id, own) = (read_id(id)?, app.own);
    let (why, actor) = (why.to_owned(), actor.to_owned());
    app.store
        .write::<_, anyhow::Error>(move |tx| {
            let note = found(tx, id)?;
            let args = vec![(step::REASON, why.into_bytes())];
            journal::take_step(tx, own, note.key, event, args, &actor)?;
            Ok(json!({"id": id.to_string(), "state": "待市里确认 waiting for the city"}))
        })
        .await
}

/// Enters the change again with other values, and says so of the one that was set aside, in one
/// transaction.
async fn fix(app: &App, id: &str, values: &[String], actor: &str) -> anyhow::Result<Value> {
    let (id, own) = (read_id(id)?, app.own);
    let (values, actor) = (values.to_vec(), actor.to_owned());
    app.store
        .write::<_, anyhow::Error>(move |tx| {
            let note = found(tx, id)?;
            let change = change_of(tx, own, &note)?
                .context("only the machine that entered it can fix it 只能在原填写的电脑上修改")?;
            let kind = kinds::by_number(change.header.kind).context("an unknown kind")?;
            let mut fixed: Values = change
                .body
                .fields
                .iter()
                .map(|f| (f.number, f.value.clone()))
                .collect();
            for (number, value) in read_values(tx, kind, &values)? {
                fixed.retain(|(given, _)| *given != number);
                fixed.push((number, value));
            }
            let made = enter_again(tx, own, kind, &change, fixed, &actor)?;
            let why = vec![(step::REASON, format!("已重新填报 {made}").into_bytes())];
            journal::take_step(tx, own, note.key, "fix", why, &actor)?;
            Ok(json!({"id": id.to_string(), "entered": made}))
        })
        .await
}

fn enter_again(
    tx: Tx<'_>,
    own: Own,
    kind: &'static Kind,
    change: &Change,
    values: Values,
    actor: &str,
) -> anyhow::Result<String> {
    let header = &change.header;
    let key = RecordKey {
        kind: header.kind,
        id: header.record,
    };
    let is_there = tx.record(key)?.is_some();
    let written = match header.verb {
        Verb::Step => {
            let id = system::new_record_id()?;
            let key = RecordKey {
                kind: step::KIND_NUMBER,
                id,
            };
            journal::write(tx, own, (key, Verb::Step), values, actor)?
        }
        // What was to be made is there by now: a record of its own.
        Verb::Create if is_there => {
            let id = system::new_record_id()?;
            let key = RecordKey {
                kind: kind.number,
                id,
            };
            journal::write(tx, own, (key, Verb::Create), values, actor)?
        }
        Verb::Create | Verb::Set | Verb::Delete | Verb::Restore => {
            super::records::check(kind, &values, tx.record(key)?.as_ref())?;
            journal::write(tx, own, (key, header.verb), values, actor)?
        }
        Verb::Merge | Verb::Unmerge => bail!("enter it anew 请重新办理"),
    };
    Ok(written.key.id.to_string())
}

/// A record with everything that is open about it here.
pub(super) async fn explain(app: &App, id: &str) -> anyhow::Result<Value> {
    let (id, own) = (read_id(id)?, app.own);
    app.store
        .read::<_, anyhow::Error>(move |tx| {
            let record = tx.find(id)?;
            let about = |kind: &'static Kind, field: u16| {
                tx.list(
                    kind,
                    &[Filter::Is(field, id.bytes().to_vec())],
                    None,
                    SHOWN_MAX,
                )
            };
            let items = about(&conflict::KIND, conflict::SUBJECT)?;
            let notes = about(&set_aside::KIND, set_aside::SUBJECT)?;
            let mut waiting = Vec::new();
            for entry in tx.pending_of(record.as_ref().map_or(
                RecordKey {
                    kind: step::KIND_NUMBER,
                    id,
                },
                |record| record.key,
            ))? {
                if let Some(entry) = tx.entry(entry.0, entry.1)? {
                    waiting.push(change_json(&fold::read(own, &entry)?));
                }
            }
            Ok(json!({
                "record": record.as_ref().map(record_json),
                "waiting_for_the_city": waiting,
                "conflicts": items.iter().map(item_json).collect::<Vec<_>>(),
                "set_aside": notes.iter().map(record_json).collect::<Vec<_>>(),
            }))
        })
        .await
}
