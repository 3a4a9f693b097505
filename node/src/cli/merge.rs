//! Records that may be the same, merged and taken apart again (`sync.md` 6).

use anyhow::{Context as _, bail, ensure};
use console::answer::record_json;
use console::merge::{Twins, twins};
use domain::change::Verb;
use domain::kinds::member;
use serde_json::{Value, json};

use super::records::{found, read_id};
use crate::app::App;
use crate::journal;

/// Merges a record into another of its kind.
pub(super) async fn merge(
    app: &App,
    (kept, other): (&str, &str),
    take: &[String],
    actor: &str,
) -> anyhow::Result<Value> {
    let (kept, other) = (read_id(kept)?, read_id(other)?);
    let (own, take, actor) = (app.own, take.to_vec(), actor.to_owned());
    app.store
        .write::<_, anyhow::Error>(move |tx| {
            let (kept, other) = (found(tx, kept)?, found(tx, other)?);
            let is_held = |of: &domain::record::Record| of.value(member::HOLDER).is_some();
            if kept.key.kind == member::KIND_NUMBER && is_held(&kept) && is_held(&other) {
                let text = domain::machines::plain_messages("desk_only");
                let (zh, en) = text.context("a text of its own")?;
                bail!("{en} {zh}");
            }
            let Twins { other, fields } = twins(&kept, other, &take).map_err(anyhow::Error::msg)?;
            let after = journal::merge(tx, own, (other.key, Verb::Merge), fields, &actor)?;
            Ok(record_json(&after))
        })
        .await
}

/// Takes the last merge of a record back.
pub(super) async fn unmerge(app: &App, id: &str, actor: &str) -> anyhow::Result<Value> {
    let (id, own, actor) = (read_id(id)?, app.own, actor.to_owned());
    app.store
        .write::<_, anyhow::Error>(move |tx| {
            let named = found(tx, id)?;
            let merged = tx
                .last_merged(&named)?
                .context("the record was not merged 该记录没有合并过")?;
            ensure!(merged.is_alive(), "the record was deleted 该记录已删除");
            let fields = console::merge::apart(&merged);
            let after = journal::merge(tx, own, (merged.key, Verb::Unmerge), fields, &actor)?;
            Ok(record_json(&after))
        })
        .await
}

/// The persons of this office that bear the same ID number.
pub(super) async fn duplicates(app: &App) -> anyhow::Result<Value> {
    app.store
        .read::<_, anyhow::Error>(|tx| {
            let groups = tx.persons_alike()?;
            let shown = groups.iter().map(|group| {
                let persons: Vec<_> = group.iter().map(record_json).collect();
                json!({"reason": "id_number", "persons": persons})
            });
            Ok(Value::Array(shown.collect()))
        })
        .await
}
