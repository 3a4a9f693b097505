//! Records that may be the same, merged and taken apart again (`sync.md` 6).

use std::collections::BTreeMap;

use anyhow::Context as _;
use console::answer::record_json;
use console::merge::{Twins, twins};
use domain::change::Verb;
use domain::id::{OfficeId, RecordId};
use domain::kinds::{member, organisation, person};
use domain::record::{Record, RecordKey};
use serde_json::{Value, json};
use store::{Filter, Tx};

use super::desk::{applied, record};
use crate::app::App;
use crate::desk;
use crate::error::HubError;

/// Members of one person that are looked at.
const MEMBERS_MAX: usize = 100;

/// Merges a record into another of its kind.
pub(super) async fn merge(
    app: &App,
    (kept, other): (&str, &str),
    take: &[String],
    actor: &str,
) -> anyhow::Result<Value> {
    let (kept, other) = (record(app, kept).await?, record(app, other).await?);
    let (id, twin) = (kept.key.id, other.key.id);
    let Twins { other, fields } = twins(&kept, other, take).map_err(anyhow::Error::msg)?;
    let (own, actor) = (app.clone(), actor.to_owned());
    let verdict = app
        .store
        .write::<_, HubError>(move |tx| {
            let twin = (&other, Verb::Merge);
            desk::merge(tx, &own, twin, fields, &actor, system::now_ms())
        })
        .await?;
    applied(verdict)?;
    Ok(json!({"kept": id.to_string(), "merged": twin.to_string()}))
}

/// Takes the last merge of a record back.
pub(super) async fn unmerge(app: &App, id: &str, actor: &str) -> anyhow::Result<Value> {
    let named = record(app, id).await?;
    let (own, actor) = (app.clone(), actor.to_owned());
    let undone = app
        .store
        .write::<_, HubError>(move |tx| {
            let Some(merged) = tx.last_merged(&named)? else {
                return Ok(None);
            };
            let fields = console::merge::apart(&merged);
            let twin = (&merged, Verb::Unmerge);
            let verdict = desk::merge(tx, &own, twin, fields, &actor, system::now_ms())?;
            Ok(Some((merged.key.id, verdict)))
        })
        .await?;
    let (id, verdict) = undone.context("the record was not merged 该记录没有合并过")?;
    applied(verdict)?;
    Ok(json!({"unmerged": id.to_string()}))
}

/// Persons with one ID number that stand twice in one office, and members that are held twice. That
/// two offices each know a person is no duplicate: the record of the one is not the other's.
pub(super) async fn duplicates(app: &App) -> anyhow::Result<Value> {
    let found = app
        .store
        .read::<_, HubError>(|tx| {
            let mut found = Vec::new();
            for claims in tx.same_claims(person::KIND_NUMBER)? {
                twice_in_one_office(tx, &claims, &mut found)?;
                held_twice(tx, &claims, &mut found)?;
            }
            Ok(found)
        })
        .await?;
    Ok(Value::Array(found))
}

fn twice_in_one_office(
    tx: Tx<'_>,
    claims: &[RecordId],
    found: &mut Vec<Value>,
) -> Result<(), HubError> {
    let mut by_office: BTreeMap<OfficeId, Vec<Record>> = BTreeMap::new();
    for id in claims {
        let key = RecordKey {
            kind: person::KIND_NUMBER,
            id: *id,
        };
        let counts = |record: &Record| record.value(person::MERGED_INTO).is_none();
        if let Some(record) = tx.record(key)?.filter(counts) {
            by_office.entry(record.office).or_default().push(record);
        }
    }
    for (office, persons) in by_office.iter().filter(|(_, persons)| persons.len() > 1) {
        found.push(json!({
            "reason": "persons_of_one_office",
            "office": code_of(tx, *office)?,
            "persons": persons.iter().map(record_json).collect::<Vec<_>>(),
        }));
    }
    Ok(())
}

fn held_twice(tx: Tx<'_>, claims: &[RecordId], found: &mut Vec<Value>) -> Result<(), HubError> {
    let persons = claims.iter().map(|id| id.bytes().to_vec()).collect();
    let mut filters = Filter::counting(&member::KIND);
    filters.push(Filter::OneOf(member::PERSON, persons));
    let mut members = tx.list(&member::KIND, &filters, None, MEMBERS_MAX)?;
    members.retain(|record| record.value(member::HOLDER).is_some());
    if members.len() < 2 {
        return Ok(());
    }
    let mut shown = Vec::new();
    for record in &members {
        let mut row = record_json(record);
        if let Some(row) = row.as_object_mut() {
            row.insert("office".to_owned(), code_of(tx, record.office)?);
        }
        shown.push(row);
    }
    found.push(json!({"reason": "held_twice", "members": shown}));
    Ok(())
}

fn code_of(tx: Tx<'_>, office: OfficeId) -> Result<Value, HubError> {
    let key = RecordKey {
        kind: organisation::KIND_NUMBER,
        id: office,
    };
    let record = tx.record(key)?;
    let code = record.as_ref().and_then(|r| r.text(organisation::CODE));
    Ok(json!(code))
}
