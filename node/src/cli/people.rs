//! Steps, transfers, conflicts.

use anyhow::{Context as _, bail};
use clap::Subcommand;
use domain::decide::local_refusal;
use domain::id::RecordId;
use domain::kinds::{self, conflict, step, transfer as case};
use domain::machines::{self, transfer::MACHINE};
use domain::record::{Record, RecordKey};
use serde_json::{Value, json};
use store::{Filter, Tx};

use super::records::{found, organisation_in, read_id, read_values};
use crate::app::App;
use crate::journal::Values;
use crate::journal::{self};
use crate::letters;
use console::answer::record_json;

/// What a step is until the hub has decided it.
const WAITING: &str = "待市里确认 waiting for the city";

#[derive(Debug, Subcommand)]
pub(super) enum Transfer {
    /// Starts a transfer of a member.
    Start {
        /// The member's id.
        #[arg(long)]
        member: String,
        /// The receiving organisation's code; none where it does not work in this system.
        #[arg(long)]
        to: Option<String>,
        /// field=value.
        values: Vec<String>,
    },
    /// Starts the transfer of a whole organisation, with everything below it and all members.
    Batch {
        /// The code of the organisation that moves.
        organisation: String,
        /// The code of its new superior.
        #[arg(long)]
        to: String,
        /// field=value.
        values: Vec<String>,
    },
    /// Enters a letter that a member brought from an organisation outside this system.
    EnterLetter {
        /// field=value: name, origin, letter_number, last_valid_date, …
        values: Vec<String>,
    },
    /// Takes a step.
    Step {
        /// The case.
        case: String,
        /// The event.
        event: String,
        /// Why.
        #[arg(long)]
        reason: Option<String>,
        /// field=value.
        values: Vec<String>,
    },
    /// One case, and what can be done next.
    Show {
        /// Its id.
        case: String,
    },
    /// All cases that this office sees.
    List,
}

pub(super) async fn transfer(app: &App, command: &Transfer, actor: &str) -> anyhow::Result<Value> {
    match command {
        Transfer::List => super::records::list(app, "transfer", &[], None, 10_000).await,
        Transfer::Show { case } => show(app, case).await,
        Transfer::Start { member, to, values } => {
            start(app, member, to.as_deref(), values, actor).await
        }
        Transfer::Batch {
            organisation,
            to,
            values,
        } => batch(app, (organisation, to), values, actor).await,
        Transfer::EnterLetter { values } => enter_letter(app, values, actor).await,
        Transfer::Step {
            case,
            event,
            reason,
            values,
        } => {
            let mut values = values.clone();
            values.extend(reason.iter().map(|reason| format!("reason={reason}")));
            step(app, case, event, &values, actor).await
        }
    }
}

async fn start(
    app: &App,
    member: &str,
    to: Option<&str>,
    values: &[String],
    actor: &str,
) -> anyhow::Result<Value> {
    let member = read_id(member)?;
    let (own, actor) = (app.own, actor.to_owned());
    let (to, values) = (to.map(str::to_owned), values.to_vec());
    let id = app
        .store
        .write::<_, anyhow::Error>(move |tx| {
            let own = own.in_store(tx)?;
            found(tx, member)?;
            let mut args = read_values(tx, &step::KIND, &values)?;
            args.push((step::MEMBER, member.bytes().to_vec()));
            args.push((step::FROM_ORG, own.office.bytes().to_vec()));
            let variant = match to {
                Some(to) => {
                    args.push((step::TO_ORG, organisation_in(tx, &to)?.bytes().to_vec()));
                    "in_province"
                }
                None => "offline_out",
            };
            if args.iter().all(|(number, _)| *number != step::VARIANT) {
                args.push((step::VARIANT, variant.as_bytes().to_vec()));
            }
            begin(tx, own, "create", args, &actor)
        })
        .await?;
    Ok(json!({"id": id.to_string(), "state": WAITING}))
}

/// A whole organisation: the case begins where it stands.
async fn batch(
    app: &App,
    (moved, to): (&str, &str),
    values: &[String],
    actor: &str,
) -> anyhow::Result<Value> {
    let (own, values, actor) = (app.own, values.to_vec(), actor.to_owned());
    let named = [
        (step::MOVED_ORG, moved.to_owned()),
        (step::TO_ORG, to.to_owned()),
    ];
    let id = app
        .store
        .write::<_, anyhow::Error>(move |tx| {
            let mut args = read_values(tx, &step::KIND, &values)?;
            for (field, code) in &named {
                args.push((*field, organisation_in(tx, code)?.bytes().to_vec()));
            }
            args.push((step::VARIANT, b"whole_organisation".to_vec()));
            begin(tx, own, "create_batch", args, &actor)
        })
        .await?;
    Ok(json!({"id": id.to_string(), "state": "待市里确认 waiting for the city"}))
}

/// A letter from outside: the case begins at the receiver.
async fn enter_letter(app: &App, values: &[String], actor: &str) -> anyhow::Result<Value> {
    let (own, values, actor) = (app.own, values.to_vec(), actor.to_owned());
    let id = app
        .store
        .write::<_, anyhow::Error>(move |tx| {
            let own = own.in_store(tx)?;
            let mut args = read_values(tx, &step::KIND, &values)?;
            args.push((step::TO_ORG, own.office.bytes().to_vec()));
            args.push((step::VARIANT, b"offline_in".to_vec()));
            begin(tx, own, "enter_letter", args, &actor)
        })
        .await?;
    Ok(json!({"id": id.to_string(), "state": WAITING}))
}

fn begin(
    tx: Tx<'_>,
    own: crate::app::Own,
    event: &str,
    args: Values,
    actor: &str,
) -> anyhow::Result<RecordId> {
    let key = RecordKey {
        kind: case::KIND_NUMBER,
        id: system::new_record_id()?,
    };
    journal::take_step(tx, own, key, event, args, actor)?;
    Ok(key.id)
}

/// Takes a step on a record: at once in the journal, decided by the hub.
pub(super) async fn step(
    app: &App,
    id: &str,
    event: &str,
    values: &[String],
    actor: &str,
) -> anyhow::Result<Value> {
    let id = read_id(id)?;
    let (own, marks) = (app.own, app.marks_path());
    let (event, values, actor) = (event.to_owned(), values.to_vec(), actor.to_owned());
    let taken = app
        .store
        .write::<_, anyhow::Error>(move |tx| {
            let pending = pending_events(tx, own, id)?;
            let key = match tx.find(id)? {
                Some(subject) => {
                    if pending.is_empty() {
                        check_allowed(&subject, &event)?;
                    }
                    subject.key
                }
                // A case that was started here and that the hub has not decided yet.
                None if !pending.is_empty() => RecordKey {
                    kind: case::KIND_NUMBER,
                    id,
                },
                None => bail!("no such record 没有这条记录"),
            };
            let args = read_values(tx, &step::KIND, &values)?;
            let args = letters::complete(tx, own, &marks, (key, &event), args)?;
            let number = args.iter().find(|(n, _)| *n == step::LETTER_NUMBER);
            let number = number.map(|(_, value)| String::from_utf8_lossy(value).into_owned());
            let taken = journal::take_step(tx, own, key, &event, args, &actor)?;
            Ok((taken, number))
        })
        .await?;
    let mut answer = json!({"step": taken.0.to_string(), "state": WAITING});
    if let (Some(map), Some(number)) = (answer.as_object_mut(), taken.1) {
        map.insert("letter_number".to_owned(), number.into());
    }
    Ok(answer)
}

/// The events of own steps on a record that the hub has not decided.
fn pending_events(
    tx: Tx<'_>,
    own: crate::app::Own,
    subject: RecordId,
) -> anyhow::Result<Vec<String>> {
    let steps = journal::pending_steps(tx, own, subject)?;
    let events = steps.iter().filter_map(|taken| taken.value(step::EVENT));
    Ok(events
        .map(|event| String::from_utf8_lossy(event).into_owned())
        .collect())
}

fn check_allowed(subject: &Record, event: &str) -> anyhow::Result<()> {
    let kind = kinds::by_number(subject.key.kind).context("an unknown kind")?;
    let Some(allowed) = local_refusal(kind, subject, event) else {
        return Ok(());
    };
    let code = kind.machine.map_or("", |machine| machine.not_allowed_code);
    let state = kind.state_field.and_then(|field| subject.text(field));
    let allowed = allowed.join(", ");
    let known = [
        ("state", state.unwrap_or("-")),
        ("event", event),
        ("allowed", if allowed.is_empty() { "-" } else { &allowed }),
    ];
    let (zh, en) = machines::filled_messages(code, &known).unwrap_or_default();
    bail!("{code} {zh} {en}")
}

async fn show(app: &App, id: &str) -> anyhow::Result<Value> {
    let (id, own) = (read_id(id)?, app.own);
    app.store
        .read::<_, anyhow::Error>(move |tx| {
            let pending = pending_events(tx, own, id)?;
            let Some(record) = tx.find(id)? else {
                anyhow::ensure!(!pending.is_empty(), "no such case 没有这件转接");
                return Ok(json!({"id": id.to_string(), "waiting_for_the_city": pending}));
            };
            let mut shown = record_json(&record);
            let state = record
                .text(case::STATE)
                .context("not a transfer 不是转接")?;
            if let Some(map) = shown.as_object_mut() {
                map.insert("allowed".to_owned(), json!(MACHINE.allowed(state)));
                map.insert("waiting_for_the_city".to_owned(), json!(pending));
            }
            Ok(shown)
        })
        .await
}

/// Open conflicts with both values in words.
pub(super) async fn open_conflicts(app: &App) -> anyhow::Result<Value> {
    app.store
        .read::<_, anyhow::Error>(|tx| {
            let open = [Filter::Is(conflict::STATE, b"open".to_vec())];
            let items = tx.list(&conflict::KIND, &open, None, 10_000)?;
            Ok(items.iter().map(console::item::item_json).collect())
        })
        .await
}

/// Settles a conflict item.
pub(super) async fn settle(app: &App, id: &str, keep: &str, actor: &str) -> anyhow::Result<Value> {
    let (id, own) = (read_id(id)?, app.own);
    let (keep, actor) = (keep.to_owned(), actor.to_owned());
    let taken = app
        .store
        .write::<_, anyhow::Error>(move |tx| {
            let item = found(tx, id)?;
            let args = console::item::settling(&item, &keep).map_err(anyhow::Error::msg)?;
            journal::take_step(tx, own, item.key, "settle", args, &actor)
        })
        .await?;
    Ok(json!({"step": taken.to_string(), "state": WAITING}))
}
