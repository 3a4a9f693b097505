//! Organisations, offices, enrolment codes.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, ensure};
use clap::Subcommand;
use domain::change::Verb;
use domain::id::{RecordId, derived_id};
use domain::kinds::organisation;
use domain::record::RecordKey;
use serde_json::{Value, json};
use store::hub::Code;
use transport::code::{EnrolmentCode, expiry, generate_secret, secret_hash};
use transport::revoked::Entry;

use super::desk::{self, applied, organisation_named};
use crate::app::App;
use crate::desk::Values;
use crate::error::HubError;
use crate::system;

#[derive(Debug, Subcommand)]
pub(super) enum Org {
    /// Takes organisations from a table: 编码,名称,简称,类型,上级编码,是否社区,可审批预备党员.
    Import {
        /// The file (.csv).
        file: PathBuf,
    },
    /// All organisations.
    List,
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
    }
}

/// Headings of the table, in the order of the columns below.
const HEADINGS: [&str; 7] = [
    "编码",
    "名称",
    "简称",
    "类型",
    "上级编码",
    "是否社区",
    "可审批预备党员",
];

async fn import(app: &App, file: &Path, actor: &str) -> anyhow::Result<Value> {
    let text = exchange_text(file)?;
    let mut rows = text.lines().filter(|line| !line.trim().is_empty());
    let headings: Vec<_> = rows
        .next()
        .context("the file is empty 文件为空")?
        .split(',')
        .collect();
    let mut places = [0; HEADINGS.len()];
    for (place, heading) in places.iter_mut().zip(HEADINGS) {
        *place = headings
            .iter()
            .position(|found| found.trim() == heading)
            .with_context(|| format!("no column {heading} 缺少“{heading}”列"))?;
    }
    let mut count = 0;
    for (number, row) in rows.enumerate() {
        let cells: Vec<_> = row.split(',').map(str::trim).collect();
        let mut taken = Vec::new();
        for place in places {
            taken.push(cells.get(place).copied().unwrap_or_default());
        }
        take_row(app, &taken, actor)
            .await
            .with_context(|| format!("row {}", number + 2))?;
        count += 1;
    }
    Ok(json!({"organisations": count}))
}

fn exchange_text(file: &Path) -> anyhow::Result<String> {
    let bytes = std::fs::read(file).with_context(|| format!("cannot read {}", file.display()))?;
    let text = String::from_utf8(bytes)
        .ok()
        .context("the file is not UTF-8 文件编码不是 UTF-8")?;
    Ok(text.trim_start_matches('\u{feff}').to_owned())
}

async fn take_row(app: &App, cells: &[&str], actor: &str) -> anyhow::Result<()> {
    let [code, name, short, kind, parent, is_office, admits] = cells else {
        anyhow::bail!("seven columns are needed 需要七列");
    };
    ensure!(
        !code.is_empty() && !name.is_empty(),
        "code and name are needed 编码、名称不能为空"
    );
    let mut values: Vec<String> = vec![
        format!("code={code}"),
        format!("name={name}"),
        format!("kind={}", kind_code(kind)),
        format!(
            "is_office={}",
            if is_office.is_empty() {
                "否"
            } else {
                is_office
            }
        ),
        format!(
            "can_admit_members={}",
            if admits.is_empty() { "否" } else { admits }
        ),
        "state=active".to_owned(),
    ];
    if !short.is_empty() {
        values.push(format!("short_name={short}"));
    }
    let mut values = desk::read_values(app, &organisation::KIND, &values).await?;
    if !parent.is_empty() {
        values.push((organisation::PARENT, id_of(parent).bytes().to_vec()));
    }
    put(app, id_of(code), values, actor).await
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
    let key = RecordKey {
        kind: organisation::KIND_NUMBER,
        id,
    };
    let (own, actor) = (app.clone(), actor.to_owned());
    let verdict = app
        .store
        .write::<_, HubError>(move |tx| {
            let verb = if tx.record(key)?.is_some() {
                Verb::Set
            } else {
                Verb::Create
            };
            crate::desk::edit(tx, &own, (key, verb), values, &actor, system::now_ms())
        })
        .await?;
    applied(verdict)
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
            let revoked = app
                .store
                .write::<_, HubError>(move |tx| Ok(tx.revoke_nodes(office, system::now_ms())?))
                .await?;
            let mut register = app
                .register
                .lock()
                .map_err(|_| anyhow::anyhow!("the register is held by a task that failed"))?;
            for node in &revoked {
                let now = system::now_ms().cast_signed();
                register.append(Entry::RevokedNode(node.bytes()), now)?;
            }
            Ok(json!({"revoked": revoked.len()}))
        }
    }
}

/// Makes an enrolment code.
pub(super) async fn code(
    app: &App,
    office_code: &str,
    days: u32,
    addresses: &[String],
) -> anyhow::Result<Value> {
    let office = organisation_named(app, office_code).await?;
    let now_ms = system::now_ms();
    let secret = generate_secret()?;
    let code = EnrolmentCode {
        addresses: addresses.to_vec(),
        root_hash: app.identity.root_hash(),
        office: office.bytes(),
        office_code: office_code.to_owned(),
        secret,
        expires_unix_s: expiry(now_ms.cast_signed(), days)?,
    };
    let kept = Code {
        secret_hash: secret_hash(&secret),
        office,
        expires_at: u64::from(code.expires_unix_s) * 1_000,
        keys_hash: None,
        node: None,
    };
    app.store
        .write::<_, HubError>(move |tx| Ok(tx.insert_code(&kept, now_ms)?))
        .await?;
    Ok(json!({"code": code.text()?, "office": office.to_string()}))
}
