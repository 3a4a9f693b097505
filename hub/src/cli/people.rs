//! Transfers at the desk.

use anyhow::Context as _;
use clap::Subcommand;
use domain::decide::HUB_RECORDER as RULES;
use domain::id::RecordId;
use domain::kinds::{step, stub, transfer as case};
use domain::limits::BATCH_MEMBERS_MAX;
use domain::machines::transfer::MACHINE;
use domain::record::RecordKey;
use serde_json::{Value, json};
use store::Filter;

use super::desk::{self, organisation_named, read_values, take_step};
use crate::app::App;
use crate::error::HubError;
use console::answer::record_json;

/// Stubs of one case: those of the move, and of its revocation.
const MOVED_MAX: usize = 2 * BATCH_MEMBERS_MAX;

#[derive(Debug, Subcommand)]
pub(super) enum Transfer {
    /// All cases.
    List,
    /// One case, and what can be done next.
    Show {
        /// Its id.
        case: String,
    },
    /// Starts the transfer of a whole organisation, with everything below it and all members.
    Batch {
        /// The code of the organisation that moves.
        organisation: String,
        /// The code of its new superior.
        #[arg(long)]
        to: String,
        /// The code of the organisation that starts it.
        #[arg(long = "as")]
        acting: String,
        /// field=value.
        values: Vec<String>,
    },
    /// Takes a step for an organisation.
    Step {
        /// The case.
        case: String,
        /// The event.
        event: String,
        /// The organisation's code.
        #[arg(long = "as")]
        organisation: String,
        /// Why.
        #[arg(long)]
        reason: Option<String>,
        /// field=value.
        values: Vec<String>,
    },
}

pub(super) async fn transfer(app: &App, command: &Transfer, actor: &str) -> anyhow::Result<Value> {
    match command {
        Transfer::List => desk::list(app, "transfer", None, &[], 10_000).await,
        Transfer::Show { case } => show(app, case).await,
        Transfer::Batch {
            organisation,
            to,
            acting,
            values,
        } => {
            let case = batch(app, (organisation, to), acting, values, actor).await?;
            show(app, &case).await
        }
        Transfer::Step {
            case,
            event,
            organisation,
            reason,
            values,
        } => {
            let mut values = values.clone();
            values.extend(reason.iter().map(|reason| format!("reason={reason}")));
            step(app, case, (event, organisation), &values, actor).await?;
            show(app, case).await
        }
    }
}

/// Starts a batch; its case's id.
async fn batch(
    app: &App,
    (moved, to): (&str, &str),
    acting: &str,
    values: &[String],
    actor: &str,
) -> anyhow::Result<String> {
    let mut args = read_values(app, &step::KIND, values).await?;
    for (field, code) in [(step::MOVED_ORG, moved), (step::TO_ORG, to)] {
        let id = organisation_named(app, code).await?;
        args.push((field, id.bytes().to_vec()));
    }
    args.push((step::VARIANT, b"whole_organisation".to_vec()));
    let key = RecordKey {
        kind: case::KIND_NUMBER,
        id: system::new_record_id()?,
    };
    let acting = organisation_named(app, acting).await?;
    take_step(app, key, ("create_batch", acting), args, actor).await?;
    Ok(key.id.to_string())
}

/// Who moved with a whole organisation, by the stubs that stayed: the printed list (`domain.md` 1.8).
async fn moved_members(app: &App, case: RecordId) -> anyhow::Result<Value> {
    let of_case = [Filter::Is(stub::CASE, case.bytes().to_vec())];
    let read = move |tx: store::Tx<'_>| Ok(tx.list(&stub::KIND, &of_case, None, MOVED_MAX)?);
    let stubs = app.store.read::<_, HubError>(read).await?;
    Ok(stubs.iter().map(record_json).collect())
}

async fn show(app: &App, id: &str) -> anyhow::Result<Value> {
    let record = desk::record(app, id).await?;
    let mut shown = record_json(&record);
    let state = record
        .text(case::STATE)
        .context("not a transfer 不是转接")?;
    if let Some(map) = shown.as_object_mut() {
        map.insert("allowed".to_owned(), json!(MACHINE.allowed(state)));
        let names = MACHINE.state(state).map(|state| (state.zh, state.en));
        map.insert("state_name".to_owned(), json!(names));
        if record.value(case::MOVED_ORG).is_some() {
            let moved = moved_members(app, record.key.id).await?;
            map.insert("moved".to_owned(), moved);
        }
    }
    Ok(shown)
}

/// Takes a step on any record for an organisation.
pub(super) async fn step(
    app: &App,
    id: &str,
    (event, organisation): (&str, &str),
    values: &[String],
    actor: &str,
) -> anyhow::Result<Value> {
    anyhow::ensure!(
        actor != RULES,
        "the name \"{RULES}\" is the rules' own 该名称不可使用"
    );
    let record = desk::record(app, id).await?;
    let args = read_values(app, &step::KIND, values).await?;
    let acting = organisation_named(app, organisation).await?;
    take_step(app, record.key, (event, acting), args, actor).await?;
    desk::get(app, id).await
}
