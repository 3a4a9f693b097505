//! Transfers at the desk.

use anyhow::Context as _;
use clap::Subcommand;
use domain::decide::HUB_RECORDER as RULES;
use domain::kinds::{step, transfer as case};
use domain::machines::transfer::MACHINE;
use serde_json::{Value, json};

use super::desk::{self, organisation_named, read_values, take_step};
use crate::app::App;
use console::answer::record_json;

#[derive(Debug, Subcommand)]
pub(super) enum Transfer {
    /// All cases.
    List,
    /// One case, and what can be done next.
    Show {
        /// Its id.
        case: String,
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
