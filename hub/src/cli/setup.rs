//! Organisations and offices.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, ensure};
use clap::Subcommand;
use console::columns::{IdNumbers, Target};
use domain::change::Verb;
use domain::decide::Verdict;
use domain::id::{RecordId, derived_id};
use domain::kinds::organisation;
use domain::record::RecordKey;
use exchange::{CellKind, Column, ExchangeError, Importer, Limits, Outcome, RowOutcome};
use serde_json::{Value, json};
use store::Tx;

use super::desk::{self, applied, organisation_named};
use crate::app::App;
use crate::desk::Values;
use crate::error::HubError;

#[derive(Debug, Subcommand)]
pub(super) enum Org {
    /// Takes organisations from a table: 编码,名称,简称,类型,上级编码,是否社区,可审批预备党员.
    Import {
        /// The file (.xlsx, .xls, .csv).
        file: PathBuf,
    },
    /// All organisations.
    List,
    /// Merges an organisation into another, which takes over its open cases.
    Merge {
        /// Its code.
        code: String,
        /// The code of the organisation that stands for it from now on.
        #[arg(long)]
        into: String,
    },
    /// Gives an organisation up. Its members and organisations below are moved first.
    Abolish {
        /// Its code.
        code: String,
        /// The code of the organisation that takes over its open cases.
        #[arg(long)]
        successor: Option<String>,
    },
}

#[derive(Debug, Subcommand)]
pub(super) enum Office {
    /// Makes an organisation a community office with a node.
    Add {
        /// Its code.
        code: String,
        /// Its name.
        name: String,
        /// The code of the organisation above it.
        #[arg(long)]
        parent: Option<String>,
    },
    /// All offices.
    List,
    /// Revokes the machines of an office.
    Revoke {
        /// Its code.
        code: String,
    },
    /// The machines that speak for an office, with their journals.
    Machines {
        /// Its code.
        code: String,
    },
    /// Names the machine that is the office's, where a copy speaks too: its journal is applied, that
    /// of the others is kept and not applied.
    Machine {
        /// The office's code.
        code: String,
        /// The machine, as `machines` shows it.
        #[arg(long)]
        node: String,
        /// The epoch of the journal to apply.
        #[arg(long)]
        epoch: u32,
    },
}

/// The id of an organisation with a code.
fn id_of(code: &str) -> RecordId {
    derived_id("lianxin organisation", &[code.as_bytes()])
}

pub(super) async fn org(app: &App, command: &Org, actor: &str) -> anyhow::Result<Value> {
    match command {
        Org::List => desk::list(app, "organisation", None, &[], 100_000).await,
        Org::Import { file } => import(app, file, actor).await,
        Org::Merge { code, into } => end(app, (code, "merged"), Some(into), actor).await,
        Org::Abolish { code, successor } => {
            end(app, (code, "abolished"), successor.as_deref(), actor).await
        }
    }
}

/// Ends an organisation, and lets its successor take over its open cases in the same transaction.
async fn end(
    app: &App,
    (code, state): (&str, &'static str),
    successor: Option<&str>,
    actor: &str,
) -> anyhow::Result<Value> {
    let id = organisation_named(app, code).await?;
    let mut values = vec![(organisation::STATE, state.as_bytes().to_vec())];
    if let Some(successor) = successor {
        let successor = organisation_named(app, successor).await?;
        values.push((organisation::SUCCESSOR, successor.bytes().to_vec()));
    }
    let (own, actor) = (app.clone(), actor.to_owned());
    let taken_over = app
        .store
        .write::<_, anyhow::Error>(move |tx| {
            applied(put_in(tx, &own, id, values, &actor)?)?;
            Ok(crate::rules::repoint(tx, &own, system::now_ms())?)
        })
        .await?;
    Ok(json!({"id": id.to_string(), "state": state, "cases_taken_over": taken_over}))
}

/// Levels of organisations above one another that are followed.
const LEVELS_MAX: usize = 16;
/// Field of a column with the code of the organisation above, which a record names by id.
const PARENT_CODE: u16 = 250;

/// The columns of a table of organisations: those of the kind, with the one above by its code.
fn columns() -> Vec<Column<'static>> {
    let mut columns = Target::of(&organisation::KIND).columns();
    columns.retain(|column| column.key % 256 != organisation::PARENT);
    for column in &mut columns {
        let field = column.key % 256;
        column.required = [organisation::CODE, organisation::NAME].contains(&field);
        if field == organisation::KIND_OF {
            column.kind = CellKind::Text;
        }
    }
    columns.push(Column {
        key: PARENT_CODE,
        heading: "上级编码",
        synonyms: vec!["上级组织编码", "上级代码", "上级组织代码", "parent"],
        kind: CellKind::Text,
        required: false,
    });
    columns
}

/// Takes organisations from a table (.xlsx, .xls, .csv): all rows or, where one is wrong, none.
async fn import(app: &App, file: &Path, actor: &str) -> anyhow::Result<Value> {
    let (own, file, actor) = (app.clone(), file.to_path_buf(), actor.to_owned());
    let Table {
        mut rows,
        unread_sheets,
    } = tokio::task::spawn_blocking(move || read_rows(&file)).await??;
    name_offices(app, &mut rows).await?;
    let count = rows.len();
    app.store
        .write::<_, anyhow::Error>(move |tx| {
            for (row, values) in rows {
                let code = value(&values, organisation::CODE).to_owned();
                let verdict = put_in(tx, &own, id_of(&code), values, &actor)?;
                applied(verdict).with_context(|| format!("row {row} 第 {row} 行"))?;
            }
            Ok(())
        })
        .await?;
    Ok(json!({"organisations": count, "unread_sheets": unread_sheets}))
}

/// Names the office of every organisation below one: the node of that office works for it.
async fn name_offices(app: &App, rows: &mut [(u32, Values)]) -> anyhow::Result<()> {
    let known = app
        .store
        .read::<_, HubError>(|tx| Ok(tx.list(&organisation::KIND, &[], None, usize::MAX)?))
        .await?;
    let mut above = BTreeMap::new();
    for record in &known {
        let is_office = record.text(organisation::IS_OFFICE) == Some("1");
        above.insert(
            record.key.id,
            (record.reference(organisation::PARENT), is_office),
        );
    }
    for (_, values) in rows.iter() {
        let parent = values
            .iter()
            .find(|(number, _)| *number == organisation::PARENT);
        let parent = parent.and_then(|(_, bytes)| RecordId::from_slice(bytes).ok());
        let is_office = value(values, organisation::IS_OFFICE) == "1";
        above.insert(
            id_of(value(values, organisation::CODE)),
            (parent, is_office),
        );
    }
    for (_, values) in rows {
        let mut at = above
            .get(&id_of(value(values, organisation::CODE)))
            .copied();
        if at.is_some_and(|(_, is_office)| is_office) {
            continue;
        }
        for _ in 0..LEVELS_MAX {
            let Some(parent) = at.and_then(|(parent, _)| parent) else {
                break;
            };
            at = above.get(&parent).copied();
            if at.is_some_and(|(_, is_office)| is_office) {
                values.push((organisation::NODE_OFFICE, parent.bytes().to_vec()));
                break;
            }
        }
    }
    Ok(())
}

/// A table of organisations.
struct Table {
    /// Numbers and fields of the rows.
    rows: Vec<(u32, Values)>,
    /// Further sheets that are tables too, of which nothing is taken.
    unread_sheets: Vec<String>,
}

fn read_rows(file: &Path) -> anyhow::Result<Table> {
    let columns = columns();
    let read = || -> Result<_, ExchangeError> {
        let mut book = exchange::open(file, &Limits::default())?;
        let table = Importer::new(&columns, &IdNumbers).read(&mut book)?;
        let unread_sheets = table.unread_sheets().to_vec();
        let outcomes = table.collect::<Result<Vec<_>, _>>()?;
        Ok((outcomes, unread_sheets))
    };
    let (outcomes, unread_sheets) = read()
        .map_err(|error| anyhow::anyhow!("{}: {} ({error})", file.display(), error.text_zh()))?;
    let mut rows = Vec::new();
    let mut wrong = Vec::new();
    for RowOutcome { row, outcome } in outcomes {
        match outcome {
            Outcome::Accepted { values } => match organisation_of(&values) {
                Ok(values) => rows.push((row, values)),
                Err(text) => wrong.push(format!("row {row} 第 {row} 行: {text}")),
            },
            Outcome::ToFix { cells } => wrong.extend(cells.iter().map(|cell| {
                format!(
                    "{} “{}”: {} ({})",
                    cell.address, cell.heading, cell.reason.zh, cell.reason.en
                )
            })),
            Outcome::PossibleDuplicate { with } => wrong.push(with),
        }
    }
    ensure!(
        wrong.is_empty(),
        "nothing was imported 未导入任何行:\n{}",
        wrong.join("\n")
    );
    ensure!(!rows.is_empty(), "the table has no rows 表中没有数据行");
    Ok(Table {
        rows,
        unread_sheets,
    })
}

/// The fields of an organisation in a row.
fn organisation_of(cells: &[(u16, String)]) -> Result<Values, String> {
    let mut values = Values::new();
    for (key, text) in cells {
        if *key == PARENT_CODE {
            values.push((organisation::PARENT, id_of(text).bytes().to_vec()));
            continue;
        }
        let Some(field) = organisation::KIND.field(key % 256) else {
            continue;
        };
        let text = if field.number == organisation::KIND_OF {
            kind_code(text)
        } else {
            text
        };
        let bytes = domain::text::read_value(field, text).map_err(|refused| {
            let (zh, en) = domain::text::refusal_text(refused);
            format!("“{}” {text}: {zh} ({en})", field.zh)
        })?;
        values.push((field.number, bytes));
    }
    for (number, default) in [
        (organisation::KIND_OF, "committee"),
        (organisation::STATE, "active"),
        (organisation::IS_OFFICE, "0"),
        (organisation::CAN_ADMIT_MEMBERS, "0"),
    ] {
        if values.iter().all(|(given, _)| *given != number) {
            values.push((number, default.as_bytes().to_vec()));
        }
    }
    Ok(values)
}

fn value(values: &Values, number: u16) -> &str {
    let found = values.iter().find(|(given, _)| *given == number);
    found
        .and_then(|(_, bytes)| std::str::from_utf8(bytes).ok())
        .unwrap_or_default()
}

/// What people write for the kinds of organisations besides the list's own labels.
fn kind_code(text: &str) -> &str {
    match text {
        "党工委" => "working_committee",
        "党委" | "" => "committee",
        "党总支" => "general_branch",
        "党支部" | "支部" => "branch",
        "党小组" | "小组" => "group",
        other => other,
    }
}

/// Makes an organisation, or sets what differs.
async fn put(app: &App, id: RecordId, values: Values, actor: &str) -> anyhow::Result<()> {
    let (own, actor) = (app.clone(), actor.to_owned());
    let verdict = app
        .store
        .write::<_, HubError>(move |tx| put_in(tx, &own, id, values, &actor))
        .await?;
    applied(verdict)
}

fn put_in(
    tx: Tx<'_>,
    app: &App,
    id: RecordId,
    values: Values,
    actor: &str,
) -> Result<Verdict, HubError> {
    let key = RecordKey {
        kind: organisation::KIND_NUMBER,
        id,
    };
    let verb = if tx.record(key)?.is_some() {
        Verb::Set
    } else {
        Verb::Create
    };
    crate::desk::edit(tx, app, (key, verb), values, actor, system::now_ms())
}

pub(super) async fn office(app: &App, command: &Office, actor: &str) -> anyhow::Result<Value> {
    match command {
        Office::List => {
            desk::list(
                app,
                "organisation",
                None,
                &["is_office=1".to_owned()],
                100_000,
            )
            .await
        }
        Office::Add { code, name, parent } => {
            let mut values = vec![
                format!("code={code}"),
                format!("short_name={name}"),
                "is_office=1".to_owned(),
            ];
            let id = id_of(code);
            let is_known = organisation_named(app, code).await.is_ok();
            if !is_known {
                values.push(format!("name={name}"));
                values.push("kind=committee".to_owned());
                values.push("state=active".to_owned());
            }
            let mut values = desk::read_values(app, &organisation::KIND, &values).await?;
            if let Some(parent) = parent {
                values.push((organisation::PARENT, id_of(parent).bytes().to_vec()));
            }
            put(app, id, values, actor).await?;
            Ok(json!({"id": id.to_string(), "code": code}))
        }
        Office::Machines { code } => super::machines::list(app, code).await,
        Office::Machine { code, node, epoch } => {
            super::machines::name(app, code, node, *epoch).await
        }
        Office::Revoke { code } => {
            let office = organisation_named(app, code).await?;
            let own = app.clone();
            let revoked = app
                .store
                .write::<_, HubError>(move |tx| {
                    Ok(crate::register::revoke(tx, &own, office, system::now_ms())?)
                })
                .await?;
            Ok(json!({"revoked": revoked}))
        }
    }
}
