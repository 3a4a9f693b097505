//! The command line: what the desk can do. Exit codes: 0 done, 1 refused or failed, 2 wrong usage.

mod backup;
mod desk;
mod enrolment;
mod leases;
mod look;
mod machines;
mod merge;
mod people;
mod serve;
mod setup;
pub(crate) mod verify;

pub use serve::work_by_itself;

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use console::answer::{failure, with_causes};
use transport::lock::ServeLock;

use crate::app::App;
use crate::config::Config;

/// Whose name stands beside what is done if nobody says it.
const ACTOR: &str = "desk";
/// Address for the page if nobody names another.
const WEB: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 7480);

/// 连心中心:社区节点的中心程序。The hub of Lianxin.
#[derive(Debug, Parser)]
#[command(name = "lianxin-hub", version)]
pub struct Cli {
    /// 数据文件夹 / the data folder.
    #[arg(
        long,
        global = true,
        env = "LIANXIN_HUB_DATA",
        default_value = "hub-data"
    )]
    data: PathBuf,
    /// Answers as JSON.
    #[arg(long, global = true)]
    json: bool,
    /// Whose name stands beside what is done here.
    #[arg(long, global = true, env = "LIANXIN_ACTOR")]
    actor: Option<String>,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Makes a new hub.
    Init {
        /// The hub's name.
        #[arg(long, default_value = "连心中心")]
        name: String,
        /// Host names and addresses for the server's certificate.
        #[arg(long, default_values_t = ["localhost".to_owned(), "127.0.0.1".to_owned()])]
        host: Vec<String>,
    },
    /// Serves nodes and the status page.
    Serve {
        /// Address for nodes (0.0.0.0:7443 if nothing else is said).
        #[arg(long, env = "LIANXIN_HUB_RPC")]
        rpc: Option<SocketAddr>,
        /// Address for the page (127.0.0.1:7480 if nothing else is said).
        #[arg(long, env = "LIANXIN_HUB_WEB")]
        web: Option<SocketAddr>,
    },
    /// Organisations.
    #[command(subcommand)]
    Org(setup::Org),
    /// Community offices.
    #[command(subcommand)]
    Office(setup::Office),
    /// Makes an enrolment code for an office.
    Code(enrolment::NewCode),
    /// Codes and the machines that wait for a confirmation.
    #[command(subcommand)]
    Enrolment(enrolment::Enrolment),
    /// What the hub knows of its nodes.
    Status,
    /// Proves the database: file, chains, digests, holders.
    Verify,
    /// Open conflicts.
    Conflicts,
    /// Settles a conflict.
    Settle {
        /// The item.
        id: String,
        /// winner, loser, or another value.
        #[arg(long)]
        keep: String,
    },
    /// Changes that were set aside.
    Quarantine {
        #[command(subcommand)]
        command: Option<look::Quarantine>,
    },
    /// Says that OTHER is the same as KEPT: both stay, and OTHER stands for KEPT from now on.
    Merge {
        /// The record that is kept.
        kept: String,
        /// The record that is merged into it.
        other: String,
        /// A field that the kept record takes from the other; what it lacks it takes anyway.
        #[arg(long)]
        take: Vec<String>,
    },
    /// Takes the last merge of a record back.
    Unmerge {
        /// Either of the two.
        id: String,
    },
    /// Persons that stand twice in one office, members that are held twice.
    Duplicates,
    /// Every change about a record.
    History {
        /// Its id.
        id: String,
    },
    /// A record with everything that is open about it.
    Explain {
        /// Its id.
        id: String,
    },
    /// Writes all records of a kind into a table (.xlsx or .csv).
    Export {
        /// The kind.
        kind: String,
        /// The file.
        file: PathBuf,
    },
    /// Makes a record.
    Add {
        /// The kind.
        kind: String,
        /// field=value.
        values: Vec<String>,
    },
    /// Sets fields of a record.
    Set {
        /// KIND/ID.
        record: String,
        /// field=value.
        values: Vec<String>,
    },
    /// Lists records.
    List {
        /// The kind.
        kind: String,
        /// Only those of this office's code.
        #[arg(long)]
        office: Option<String>,
        /// field=value.
        #[arg(long = "where")]
        conditions: Vec<String>,
        /// At most so many.
        #[arg(long, default_value_t = 1000)]
        limit: usize,
    },
    /// One record.
    Get {
        /// Its id.
        id: String,
    },
    /// Takes a step on a record's machine for an organisation.
    Step {
        /// The record.
        id: String,
        /// The event.
        event: String,
        /// The organisation's code.
        #[arg(long = "as")]
        organisation: String,
        /// field=value.
        values: Vec<String>,
    },
    /// Carries out what is due by rule today: letters that expire, receipts to be chased, changes
    /// that have waited too long. `serve` does it by itself every hour.
    Tick,
    /// Transfers of organisation relations.
    #[command(subcommand)]
    Transfer(people::Transfer),
    /// Letter numbers: who holds which, and what became of them.
    #[command(subcommand)]
    Lease(leases::Lease),
    /// Writes a backup while work goes on.
    Backup {
        /// The file.
        file: PathBuf,
        #[command(flatten)]
        protected: backup::Protected,
    },
    /// Puts a backup back; the hub must not be served.
    Restore {
        /// The file.
        file: PathBuf,
        #[command(flatten)]
        protected: backup::Protected,
    },
    /// What a restored hub waits for.
    Recovery {
        #[command(subcommand)]
        command: Option<backup::Recovery>,
    },
}

/// Runs the program.
pub fn run() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            let code = if error.use_stderr() { 2 } else { 0 };
            // Where there is no terminal left, there is nobody to tell.
            drop(error.print());
            return ExitCode::from(code);
        }
    };
    match dispatch(&cli) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            fail(&error, cli.json);
            ExitCode::from(1)
        }
    }
}

fn fail(error: &anyhow::Error, is_json: bool) {
    let of_transport = error
        .downcast_ref::<transport::TransportError>()
        .map(transport::TransportError::text_zh);
    let of_store = error
        .downcast_ref::<store::StoreError>()
        .map(store::StoreError::text_zh);
    let zh = of_transport.or(of_store);
    failure(is_json, zh.as_deref(), &with_causes(error.as_ref()));
}

fn dispatch(cli: &Cli) -> anyhow::Result<()> {
    if let Command::Init { name, host } = &cli.command {
        crate::app::init(&cli.data, name, host)?;
        console::answer::answer(
            cli.json,
            &serde_json::json!({"data": cli.data, "name": name}),
        );
        return Ok(());
    }
    if let Command::Recovery {
        command: Some(backup::Recovery::Begin),
    } = &cli.command
    {
        console::answer::answer(cli.json, &backup::begin_here(&cli.data)?);
        return Ok(());
    }
    if let Command::Restore { file, protected } = &cli.command {
        console::answer::answer(cli.json, &backup::restore(&cli.data, file, protected)?);
        return Ok(());
    }
    // From before the database is opened until it is closed: none that a restore takes away meanwhile is served.
    let held = match cli.command {
        Command::Serve { .. } => Some(hold(&cli.data)?),
        _ => None,
    };
    let runtime = tokio::runtime::Runtime::new()?;
    runtime.block_on(async {
        let app = App::open(&cli.data)?;
        let config = Config::load(&cli.data)?;
        let actor = cli.actor.as_deref().or(config.actor.as_deref());
        let actor = actor.unwrap_or(ACTOR);
        if let (Command::Serve { rpc, web }, Some(held)) = (&cli.command, &held) {
            let any = SocketAddr::from(([0, 0, 0, 0], enrolment::RPC_PORT));
            let rpc = rpc.or(config.rpc).unwrap_or(any);
            let web = web.or(config.web).unwrap_or(WEB);
            return Box::pin(serve::serve(app, held, rpc, web)).await;
        }
        let answer = answer(&app, cli, actor, &config.addresses).await?;
        console::answer::answer(cli.json, &answer);
        Ok(())
    })
}

/// Takes the folder of a hub for this process.
fn hold(data: &Path) -> anyhow::Result<ServeLock> {
    anyhow::ensure!(
        data.exists(),
        "no hub in {} 该文件夹中没有中心",
        data.display()
    );
    Ok(ServeLock::acquire(data)?)
}

/// Carries out one command line on an opened hub and answers what `--json` would print; the folder
/// that it names is not looked at. Commands that end or replace the hub answer nothing.
///
/// # Errors
/// A line that cannot be read; what the command refuses or fails with.
pub async fn command(app: &App, line: &[&str]) -> anyhow::Result<serde_json::Value> {
    let name = std::iter::once("lianxin-hub");
    let cli = Cli::try_parse_from(name.chain(line.iter().copied()))?;
    let actor = cli.actor.as_deref().unwrap_or(ACTOR);
    Box::pin(answer(app, &cli, actor, &[])).await
}

async fn answer(
    app: &App,
    cli: &Cli,
    actor: &str,
    addresses: &[String],
) -> anyhow::Result<serde_json::Value> {
    match &cli.command {
        Command::Init { .. } | Command::Restore { .. } | Command::Serve { .. } => {
            Ok(serde_json::Value::Null)
        }
        Command::Step {
            id,
            event,
            organisation,
            values,
        } => people::step(app, id, (event, organisation), values, actor).await,
        Command::Tick => Ok(serde_json::json!({"steps": crate::rules::tick(app).await?})),
        Command::Lease(lease) => leases::lease(app, lease, actor).await,
        Command::Backup { file, protected } => backup::backup(app, file, protected).await,
        Command::Recovery { command } => backup::recovery(app, command.as_ref()).await,
        Command::Org(org) => setup::org(app, org, actor).await,
        Command::Office(office) => setup::office(app, office, actor).await,
        Command::Code(wanted) => enrolment::code(app, wanted, addresses).await,
        Command::Enrolment(command) => enrolment::enrolment(app, command).await,
        Command::Status => Ok(crate::web::status(app).await?),
        Command::Verify => verify::verify(app).await,
        Command::Conflicts => look::conflicts(app).await,
        Command::Quarantine { command } => look::quarantine(app, command.as_ref(), actor).await,
        Command::Merge { kept, other, take } => merge::merge(app, (kept, other), take, actor).await,
        Command::Unmerge { id } => merge::unmerge(app, id, actor).await,
        Command::Duplicates => merge::duplicates(app).await,
        Command::History { id } => look::history(app, id).await,
        Command::Explain { id } => look::explain(app, id).await,
        Command::Export { kind, file } => look::export(app, kind, file).await,
        Command::Settle { id, keep } => desk::settle(app, id, keep, actor).await,
        Command::Add { kind, values } => desk::add(app, kind, values, actor).await,
        Command::Set { record, values } => desk::set(app, record, values, actor).await,
        Command::List {
            kind,
            office,
            conditions,
            limit,
        } => desk::list(app, kind, office.as_deref(), conditions, *limit).await,
        Command::Get { id } => desk::get(app, id).await,
        Command::Transfer(transfer) => people::transfer(app, transfer, actor).await,
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use transport::TransportError;

    use super::*;

    /// S9: what another process holds, and may be putting back, is not opened before it lets go.
    #[test]
    fn a_folder_that_another_process_holds_is_not_opened() {
        let folder = tempfile::tempdir().unwrap();
        let held = ServeLock::acquire(folder.path()).unwrap();
        let data = folder.path().to_str().unwrap();
        let cli = Cli::try_parse_from(["lianxin-hub", "--data", data, "serve"]).unwrap();
        let is_held = || {
            let refused = dispatch(&cli).unwrap_err();
            let refused = refused.downcast_ref::<TransportError>();
            matches!(refused, Some(TransportError::AlreadyServing { .. }))
        };
        assert!(is_held());
        drop(held);
        assert!(!is_held(), "then it is opened");
    }
}
