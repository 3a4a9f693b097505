//! Reading and editing records at the desk.

use anyhow::{Context as _, bail};
use console::values;
use domain::change::Verb;
use domain::decide::Verdict;
use domain::id::RecordId;
use domain::kind::Kind;
use domain::kinds::organisation;
use domain::machines;
use domain::record::{Record, RecordKey};
use serde_json::{Value, json};
use store::{Filter, Tx};

use crate::app::App;
use crate::desk::{self, Values};
use crate::error::HubError;
use crate::release;
use console::answer::record_json;

/// The kind that a person names.
pub(super) fn kind_named(name: &str) -> anyhow::Result<&'static Kind> {
    values::kind_named(name).map_err(anyhow::Error::msg)
}

fn organisation_in(tx: Tx<'_>, text: &str) -> anyhow::Result<RecordId> {
    tx.organisation_named(text)?
        .with_context(|| format!("no such organisation: {text} 没有这个组织"))
}

/// The organisation that a code, a name or an id names.
pub(super) async fn organisation_named(app: &App, text: &str) -> anyhow::Result<RecordId> {
    let text = text.to_owned();
    app.store.read(move |tx| organisation_in(tx, &text)).await
}

/// Values as `field=value`, organisations by code or name.
pub(super) async fn read_values(
    app: &App,
    kind: &'static Kind,
    given: &[String],
) -> anyhow::Result<Values> {
    let given = given.to_vec();
    app.store
        .read(move |tx| {
            let named = |text: &str| organisation_in(tx, text);
            values::read_values(kind, &given, named, anyhow::Error::msg)
        })
        .await
}

/// Makes an error of a verdict that did not apply.
pub(super) fn applied(verdict: Verdict) -> anyhow::Result<()> {
    applied_to(verdict, &[])
}

/// As [`applied`], with what is known to put into the text.
fn applied_to(verdict: Verdict, known: &[(&str, &str)]) -> anyhow::Result<()> {
    match verdict {
        Verdict::Applied | Verdict::Merged | Verdict::Lost => Ok(()),
        Verdict::Waiting => bail!("it names a record that is not known here 所涉记录尚未收到"),
        Verdict::SetAside(code) => match machines::filled_messages(code, known) {
            Some((zh, en)) => bail!("{code}: {zh} / {en}"),
            None => bail!("refused: {code}"),
        },
    }
}

async fn edit(
    app: &App,
    key: RecordKey,
    verb: Verb,
    values: Values,
    actor: &str,
) -> anyhow::Result<()> {
    let (own, actor) = (app.clone(), actor.to_owned());
    let verdict = app
        .store
        .write::<_, HubError>(move |tx| {
            desk::edit(tx, &own, (key, verb), values, &actor, system::now_ms())
        })
        .await?;
    applied(verdict)
}

/// Makes a record.
pub(super) async fn add(
    app: &App,
    kind: &str,
    values: &[String],
    actor: &str,
) -> anyhow::Result<Value> {
    let kind = kind_named(kind)?;
    let values = read_values(app, kind, values).await?;
    let key = RecordKey {
        kind: kind.number,
        id: system::new_record_id()?,
    };
    edit(app, key, Verb::Create, values, actor).await?;
    Ok(json!({"id": key.id.to_string()}))
}

/// Sets fields of a record.
pub(super) async fn set(
    app: &App,
    record: &str,
    values: &[String],
    actor: &str,
) -> anyhow::Result<Value> {
    let (kind, id) = record
        .split_once('/')
        .context("write KIND/ID 请写 种类/编号")?;
    let kind = kind_named(kind)?;
    let id = RecordId::parse(id).ok().context("not an id 不是编号")?;
    let values = read_values(app, kind, values).await?;
    edit(
        app,
        RecordKey {
            kind: kind.number,
            id,
        },
        Verb::Set,
        values,
        actor,
    )
    .await?;
    Ok(json!({"id": id.to_string()}))
}

/// Takes a step at the desk.
pub(super) async fn take_step(
    app: &App,
    subject: RecordKey,
    (event, organisation): (&str, RecordId),
    args: Values,
    actor: &str,
) -> anyhow::Result<()> {
    let (own, taken, actor) = (app.clone(), event.to_owned(), actor.to_owned());
    let (verdict, before) = app
        .store
        .write::<_, HubError>(move |tx| {
            let now_ms = system::now_ms();
            let before = tx.record(subject)?;
            let by = (taken.as_str(), organisation);
            let verdict = desk::step(tx, &own, subject, by, args, &actor, now_ms)?;
            Ok((verdict, before))
        })
        .await?;
    let kind = domain::kinds::by_number(subject.kind);
    let field = kind.and_then(|kind| Some((kind.machine?, kind.state_field?)));
    let state = field.zip(before.as_ref());
    let state = state.and_then(|((machine, field), row)| Some((machine, row.text(field)?)));
    let allowed = state.map_or_else(String::new, |(machine, state)| {
        machine.allowed(state).join(", ")
    });
    let known = [
        ("event", event),
        ("state", state.map_or("-", |(_, state)| state)),
        ("allowed", if allowed.is_empty() { "-" } else { &allowed }),
    ];
    applied_to(verdict, &known)
}

/// One record by its id.
pub(super) async fn record(app: &App, id: &str) -> anyhow::Result<Record> {
    let id = RecordId::parse(id).ok().context("not an id 不是编号")?;
    let found = app
        .store
        .read::<_, HubError>(move |tx| Ok(tx.find(id)?))
        .await?;
    found.context("no such record 没有这条记录")
}

/// One record as JSON.
pub(super) async fn get(app: &App, id: &str) -> anyhow::Result<Value> {
    let record = record(app, id).await?;
    let id = record.key.id;
    let erased = app
        .store
        .read::<_, HubError>(move |tx| Ok(release::statements(tx, id)?))
        .await?;
    let mut shown = record_json(&record);
    if let (Some(map), false) = (shown.as_object_mut(), erased.is_empty()) {
        map.insert("erased_by".to_owned(), erased.into());
    }
    Ok(shown)
}

/// Records of a kind.
pub(super) async fn list(
    app: &App,
    kind: &str,
    office: Option<&str>,
    conditions: &[String],
    limit: usize,
) -> anyhow::Result<Value> {
    let kind = kind_named(kind)?;
    let office = match office {
        Some(office) => Some(Filter::Office(organisation_named(app, office).await?)),
        None => None,
    };
    let wanted = read_values(app, kind, conditions).await?;
    let read = move |tx: Tx<'_>| {
        let mut filters = tx.conditions(kind, wanted)?;
        filters.extend(office);
        Ok(tx.list(kind, &filters, None, limit)?)
    };
    let records = app.store.read::<_, HubError>(read).await?;
    Ok(records.iter().map(record_json).collect())
}

/// Settles a conflict item as the desk.
pub(super) async fn settle(app: &App, id: &str, keep: &str, actor: &str) -> anyhow::Result<Value> {
    let item = record(app, id).await?;
    let organisation = any_organisation(app).await?;
    let args = console::item::settling(&item, keep).map_err(anyhow::Error::msg)?;
    take_step(app, item.key, ("settle", organisation), args, actor).await?;
    Ok(json!({"id": id}))
}

/// An organisation in whose name the desk decides conflicts: the first of the tree.
pub(super) async fn any_organisation(app: &App) -> anyhow::Result<RecordId> {
    let read = |tx: Tx<'_>| Ok(tx.list(&organisation::KIND, &[], None, 1)?);
    let found = app.store.read::<_, HubError>(read).await?;
    let first = found
        .first()
        .context("no organisations yet: org import 尚无组织")?;
    Ok(first.key.id)
}
