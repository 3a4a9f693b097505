//! Records: made, changed, listed.

use anyhow::{Context as _, bail, ensure};
use console::values;
use domain::change::Verb;
use domain::checks::id_number::IdNumber;
use domain::id::RecordId;
use domain::kind::{Class, FieldType, Kind, Winner};
use domain::kinds::{self, member, organisation, person};
use domain::record::{Record, RecordKey};
use serde_json::{Value, json};
use store::{Filter, Tx};

use crate::app::App;
use crate::journal::{self, Values};
use crate::{begin, fold};
use console::answer::record_json;

/// The kind that a person names.
pub(super) fn kind_named(name: &str) -> anyhow::Result<&'static Kind> {
    values::kind_named(name).map_err(anyhow::Error::msg)
}

/// An organisation by id, code or name.
pub(super) fn organisation_in(tx: Tx<'_>, text: &str) -> anyhow::Result<RecordId> {
    tx.organisation_named(text)?
        .with_context(|| format!("no such organisation: {text} 没有这个组织"))
}

/// Values as `field=value`.
pub(super) fn read_values(
    tx: Tx<'_>,
    kind: &'static Kind,
    given: &[String],
) -> anyhow::Result<Values> {
    let named = |text: &str| organisation_in(tx, text);
    values::read_values(kind, given, named, anyhow::Error::msg)
}

/// What an office checks before it writes: required fields, fields that move by steps, ID numbers.
pub(super) fn check(kind: &Kind, values: &Values, shown: Option<&Record>) -> anyhow::Result<()> {
    ensure!(
        matches!(kind.class, Class::Shared | Class::Held | Class::Ledger),
        "{} is kept by the hub only “{}”只能由中心维护",
        kind.name,
        kind.zh
    );
    let given = |number| {
        values
            .iter()
            .find(|(n, _)| *n == number)
            .map(|(_, value)| value)
    };
    for field in kind.fields {
        let is_empty = given(field.number).is_none_or(Vec::is_empty);
        if shown.is_none() && field.required && is_empty {
            bail!("{} is needed 请填写“{}”", field.name, field.zh);
        }
        if shown.is_some() && field.winner == Winner::Steps && given(field.number).is_some() {
            bail!(
                "{} moves by steps only “{}”须通过办理步骤变更",
                field.name,
                field.zh
            );
        }
    }
    if kind.number == person::KIND_NUMBER
        && given(person::ID_UNVERIFIED_REASON).is_none_or(Vec::is_empty)
        && let Some(number) = given(person::ID_NUMBER).filter(|number| !number.is_empty())
    {
        check_id_number(&String::from_utf8_lossy(number))?;
    }
    Ok(())
}

fn check_id_number(number: &str) -> anyhow::Result<()> {
    let Err(refused) = IdNumber::parse(number) else {
        return Ok(());
    };
    let reason = console::columns::id_number_reason(&refused);
    bail!("{} ({})", reason.zh, reason.en)
}

/// Makes a record; a member's person with it where the person's fields are given.
pub(super) async fn add(
    app: &App,
    kind: &str,
    values: &[String],
    actor: &str,
) -> anyhow::Result<Value> {
    let kind = kind_named(kind)?;
    let (own, values, actor) = (app.own, values.to_vec(), actor.to_owned());
    let id = app
        .store
        .write::<_, anyhow::Error>(move |tx| {
            let (of_person, rest) = split_person(kind, values);
            let mut read = read_values(tx, kind, &rest)?;
            if !of_person.is_empty() {
                let person = read_values(tx, &person::KIND, &of_person)?;
                let id = create(tx, own, &person::KIND, person, &actor)?;
                read.push((member::PERSON, id.bytes().to_vec()));
                read.sort_by_key(|(number, _)| *number);
            }
            create(tx, own, kind, read, &actor)
        })
        .await?;
    Ok(json!({"id": id.to_string()}))
}

/// Fields of the person among a member's or volunteer's.
fn split_person(kind: &Kind, values: Vec<String>) -> (Vec<String>, Vec<String>) {
    let is_role = kind.field_named("person").is_some() && kind.number == member::KIND_NUMBER;
    let has_person = values.iter().any(|value| value.starts_with("person="));
    if !is_role || has_person {
        return (Vec::new(), values);
    }
    values.into_iter().partition(|value| {
        let name = value.split('=').next().unwrap_or_default();
        kind.field_called(name).is_none() && person::KIND.field_called(name).is_some()
    })
}

/// What every record of an office says unless its writer says otherwise: who recorded it, for which
/// organisation, and the state in which its machine begins.
fn fill_in(own: crate::app::Own, kind: &Kind, values: &mut Values, actor: &str) {
    for field in kind.fields.iter().filter(|field| field.required) {
        if values.iter().any(|(number, _)| *number == field.number) {
            continue;
        }
        let begins = kind
            .machine
            .filter(|_| kind.state_field == Some(field.number));
        let begins = begins.and_then(|machine| {
            machine
                .transitions
                .iter()
                .find(|arrow| arrow.from.is_empty())
        });
        let value = if let Some(arrow) = begins.filter(|_| kind.number != member::KIND_NUMBER) {
            arrow.to.as_bytes().to_vec()
        } else if field.of == FieldType::Reference(organisation::KIND_NUMBER) {
            own.office.bytes().to_vec()
        } else if field.name == "recorder" {
            actor.as_bytes().to_vec()
        } else {
            continue;
        };
        values.push((field.number, value));
    }
}

/// Makes a record in the caller's transaction.
pub(super) fn create(
    tx: Tx<'_>,
    own: crate::app::Own,
    kind: &'static Kind,
    values: Values,
    actor: &str,
) -> anyhow::Result<RecordId> {
    let mut values = values;
    fill_in(own, kind, &mut values, actor);
    check(kind, &values, None)?;
    let key = RecordKey {
        kind: kind.number,
        id: system::new_record_id()?,
    };
    if let Some((code, zh, en)) = begin::refusal(tx, own, (kind, key), &values)? {
        bail!("{code} {zh} / {en}");
    }
    journal::write(tx, own, (key, Verb::Create), values, actor)?;
    Ok(key.id)
}

/// Sets fields of a record.
pub(super) async fn set(
    app: &App,
    id: &str,
    values: &[String],
    actor: &str,
) -> anyhow::Result<Value> {
    let id = read_id(id)?;
    let (own, values, actor) = (app.own, values.to_vec(), actor.to_owned());
    app.store
        .write::<_, anyhow::Error>(move |tx| {
            let shown = found(tx, id)?;
            ensure!(shown.is_alive(), "the record was deleted 该记录已删除");
            let kind = kinds::by_number(shown.key.kind).context("an unknown kind")?;
            let values = read_values(tx, kind, &values)?;
            check(kind, &values, Some(&shown))?;
            let after = journal::write(tx, own, (shown.key, Verb::Set), values, &actor)?;
            Ok(record_json(&after))
        })
        .await
}

/// Deletes a record, or brings it back.
pub(super) async fn change_life(
    app: &App,
    id: &str,
    verb: Verb,
    actor: &str,
) -> anyhow::Result<Value> {
    let id = read_id(id)?;
    let (own, actor) = (app.own, actor.to_owned());
    app.store
        .write::<_, anyhow::Error>(move |tx| {
            let shown = found(tx, id)?;
            ensure!(
                shown.key.kind != member::KIND_NUMBER,
                "a member is not deleted: status or transfer 党员不能删除,请办理党籍变更或转接"
            );
            let after = journal::write(tx, own, (shown.key, verb), Values::new(), &actor)?;
            Ok(record_json(&after))
        })
        .await
}

pub(super) fn read_id(text: &str) -> anyhow::Result<RecordId> {
    RecordId::parse(text).ok().context("not an id 不是编号")
}

pub(super) fn found(tx: Tx<'_>, id: RecordId) -> anyhow::Result<Record> {
    tx.find(id)?.context("no such record 没有这条记录")
}

/// One record, with how many of its changes the hub has not confirmed.
pub(super) async fn get(app: &App, id: &str) -> anyhow::Result<Value> {
    let id = read_id(id)?;
    app.store
        .read::<_, anyhow::Error>(move |tx| {
            let record = found(tx, id)?;
            let mut shown = record_json(&record);
            let waiting = tx.pending_of(record.key)?.len();
            if let Some(map) = shown.as_object_mut() {
                map.insert("waiting".to_owned(), waiting.into());
            }
            Ok(shown)
        })
        .await
}

/// Records of a kind.
pub(super) async fn list(
    app: &App,
    kind: &str,
    conditions: &[String],
    search: Option<&str>,
    limit: usize,
) -> anyhow::Result<Value> {
    let kind = kind_named(kind)?;
    let (conditions, search) = (conditions.to_vec(), search.map(str::to_owned));
    app.store
        .read::<_, anyhow::Error>(move |tx| {
            let wanted = read_values(tx, kind, &conditions)?;
            let mut filters = tx.conditions(kind, wanted)?;
            if let (Some(text), Some(title)) = (search, kind.title_field) {
                filters.push(Filter::Contains(title, text));
            }
            Ok(tx
                .list(kind, &filters, None, limit)?
                .iter()
                .map(record_json)
                .collect())
        })
        .await
}

/// The office's own changes of a record, oldest first.
pub(super) async fn history(app: &App, id: &str) -> anyhow::Result<Value> {
    let (id, own) = (read_id(id)?, app.own);
    app.store
        .read::<_, anyhow::Error>(move |tx| {
            let record = found(tx, id)?;
            let mut lines = Vec::new();
            for entry in tx.entries_about(record.key)? {
                if entry.raw.erased.is_some() {
                    // From before it left and came back.
                    lines.push(
                        json!({"epoch": entry.epoch, "sequence": entry.sequence, "erased": true}),
                    );
                    continue;
                }
                let change = fold::read(own, &entry)?;
                lines.push(console::item::change_json(&change));
            }
            Ok(Value::Array(lines))
        })
        .await
}
