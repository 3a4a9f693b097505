//! `history`, `explain`, `export`, and what was set aside.

use std::path::Path;

use anyhow::Context as _;
use clap::Subcommand;
use console::answer::record_json;
use console::columns::Target;
use console::export::{self, Records};
use console::item::{change_json, item_json, note_json};
use domain::decide::change_of_bytes;
use domain::id::RecordId;
use domain::kind::Kind;
use domain::kinds::{conflict, set_aside, step};
use domain::record::{Record, RecordKey};
use serde_json::{Value, json};
use store::{Filter, StoreError, Tx};

use super::desk::{self, any_organisation, take_step};
use crate::app::App;
use crate::error::HubError;
use crate::{authority, release};

/// Conflict items in one answer.
const ITEMS_MAX: usize = 10_000;
/// Records read at once.
const PORTION: usize = 1_000;

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
        Some(Quarantine::Forward { id, why }) => decide(app, (id, "forward"), why, actor).await,
        Some(Quarantine::Done { id, why }) => decide(app, (id, "fix"), why, actor).await,
        Some(Quarantine::Reject { id, why }) => decide(app, (id, "reject"), why, actor).await,
    }
}

/// What waits for a person, with its reason in words; `show` has what was entered.
async fn list(app: &App) -> anyhow::Result<Value> {
    let held = [Filter::Is(set_aside::STATE, b"held".to_vec())];
    let notes = app
        .store
        .read::<_, HubError>(move |tx| Ok(tx.list(&set_aside::KIND, &held, None, ITEMS_MAX)?))
        .await?;
    Ok(notes.iter().map(|note| note_json(note, None)).collect())
}

async fn decide(
    app: &App,
    (id, event): (&str, &str),
    why: &str,
    actor: &str,
) -> anyhow::Result<Value> {
    let note = desk::record(app, id).await?;
    let organisation = any_organisation(app).await?;
    let args = vec![(step::REASON, why.as_bytes().to_vec())];
    take_step(app, note.key, (event, organisation), args, actor).await?;
    desk::get(app, id).await
}

async fn show(app: &App, id: &str) -> anyhow::Result<Value> {
    let note = desk::record(app, id).await?;
    let change = match note.value(set_aside::CHANGE).and_then(change_of_bytes) {
        Some(id) => {
            let own = app.clone();
            app.store
                .read::<_, HubError>(move |tx| authority::stored_change(tx, &own, id))
                .await?
        }
        None => None,
    };
    Ok(note_json(&note, change.as_ref()))
}

/// Open conflicts with both values in words.
pub(super) async fn conflicts(app: &App) -> anyhow::Result<Value> {
    let open = [Filter::Is(conflict::STATE, b"open".to_vec())];
    let items = app
        .store
        .read::<_, HubError>(move |tx| Ok(tx.list(&conflict::KIND, &open, None, ITEMS_MAX)?))
        .await?;
    Ok(items.iter().map(item_json).collect())
}

/// Every change about a record, oldest first, from the journals as they arrived.
pub(super) async fn history(app: &App, id: &str) -> anyhow::Result<Value> {
    let id = RecordId::parse(id).ok().context("not an id 不是编号")?;
    let (changes, erased) = app
        .store
        .read::<_, HubError>(move |tx| {
            Ok((
                authority::changes_about(tx, id)?,
                release::statements(tx, id)?,
            ))
        })
        .await?;
    let lines = changes.iter().map(|(received_ms, change)| {
        let mut line = change_json(change);
        if let Some(map) = line.as_object_mut() {
            map.insert("received_ms".to_owned(), (*received_ms).into());
        }
        line
    });
    // What nodes stated that they erased of it comes last.
    let erased = erased.into_iter().map(|line| json!({"erased_by": line}));
    Ok(lines.chain(erased).collect())
}

/// A record with everything that is open about it.
pub(super) async fn explain(app: &App, id: &str) -> anyhow::Result<Value> {
    let id = RecordId::parse(id).ok().context("not an id 不是编号")?;
    app.store
        .read::<_, HubError>(move |tx| {
            let record = tx.find(id)?;
            let about = |kind: &'static Kind, field: u16| -> Result<Vec<Record>, StoreError> {
                tx.list(
                    kind,
                    &[Filter::Is(field, id.bytes().to_vec())],
                    None,
                    PORTION,
                )
            };
            let items = about(&conflict::KIND, conflict::SUBJECT)?;
            let notes = about(&set_aside::KIND, set_aside::SUBJECT)?;
            let steps = about(&step::KIND, step::SUBJECT)?;
            let feeds = record
                .as_ref()
                .map(|record| tx.feeds_of(record.key))
                .transpose()?;
            let allowed = record.as_ref().map(allowed);
            Ok(json!({
                "record": record.as_ref().map(record_json),
                "allowed": allowed,
                "feeds": feeds.unwrap_or_default(),
                "conflicts": items.iter().map(item_json).collect::<Vec<_>>(),
                "set_aside": notes.iter().map(record_json).collect::<Vec<_>>(),
                "steps": steps.iter().map(record_json).collect::<Vec<_>>(),
            }))
        })
        .await
        .map_err(Into::into)
}

/// What can be done with a record next.
fn allowed(record: &Record) -> Vec<&'static str> {
    let kind = domain::kinds::by_number(record.key.kind);
    let state = kind.and_then(|kind| record.text(kind.state_field?));
    match (kind.and_then(|kind| kind.machine), state) {
        (Some(machine), Some(state)) => machine.allowed(state),
        _ => Vec::new(),
    }
}

/// Writes all living records of a kind, of every office, into a table.
pub(super) async fn export(app: &App, kind: &str, file: &Path) -> anyhow::Result<Value> {
    let target = Target::of(desk::kind_named(kind)?);
    let out = file.to_path_buf();
    let written = app
        .store
        .read::<_, HubError>(move |tx| Ok(export::write_table(&Snapshot(tx), &target, true, &out)))
        .await?;
    let count = written.map_err(|error| anyhow::anyhow!("{error}"))?;
    Ok(json!({"rows": count, "file": file}))
}

struct Snapshot<'c>(Tx<'c>);

impl Records for Snapshot<'_> {
    type Error = StoreError;

    fn next(
        &self,
        kind: &'static Kind,
        after: Option<RecordId>,
    ) -> Result<Vec<Record>, StoreError> {
        self.0.list(kind, &Filter::counting(kind), after, PORTION)
    }

    fn record(&self, key: RecordKey) -> Result<Option<Record>, StoreError> {
        self.0.record(key)
    }
}
