//! The command line. Exit codes: 0 done, 1 refused or failed, 2 wrong usage.

mod import;
mod merge;
mod people;
mod quarantine;
mod records;
mod serve;
pub(crate) mod verify;

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use console::answer::{failure, with_causes};
use transport::lock::ServeLock;

use crate::app::App;
use crate::config::Config;

/// Whose name stands beside what is done if nobody says it.
const ACTOR: &str = "经办人";
/// Address for the page if nobody names another.
const WEB: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 7490);

/// 连心:社区办公室的程序。The community office's program of Lianxin.
#[derive(Debug, Parser)]
#[command(name = "lianxin-node", version)]
pub struct Cli {
    /// 数据文件夹 / the data folder.
    #[arg(
        long,
        global = true,
        env = "LIANXIN_NODE_DATA",
        default_value = "node-data"
    )]
    data: PathBuf,
    /// Answers as JSON.
    #[arg(long, global = true)]
    json: bool,
    /// Whose name stands beside what is done here.
    #[arg(long, global = true, env = "LIANXIN_ACTOR")]
    actor: Option<String>,
    /// Where the hub is, host:port, instead of what the enrolment code said.
    #[arg(long, global = true, env = "LIANXIN_HUB", value_delimiter = ',')]
    hub: Vec<String>,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Makes a new node.
    Init,
    /// Enrols the node with a code from the hub.
    Join {
        /// The code.
        code: String,
        /// Waits until an operator has compared the six figures, where the code asks for it.
        #[arg(long)]
        wait: bool,
    },
    /// Serves the status page and syncs by itself.
    Serve {
        /// Address for the page (127.0.0.1:7490 if nothing else is said).
        #[arg(long, env = "LIANXIN_NODE_WEB")]
        web: Option<SocketAddr>,
    },
    /// Syncs now.
    Sync {
        /// Waits until everything that waited has been received.
        #[arg(long)]
        wait: bool,
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
        /// Its id.
        id: String,
        /// field=value.
        values: Vec<String>,
    },
    /// Deletes a record; it stays as a tombstone.
    Delete {
        /// Its id.
        id: String,
    },
    /// Brings a deleted record back.
    RestoreRecord {
        /// Its id.
        id: String,
    },
    /// Takes a step on a record's machine.
    Step {
        /// The record.
        id: String,
        /// The event.
        event: String,
        /// field=value.
        values: Vec<String>,
    },
    /// One record.
    Get {
        /// Its id.
        id: String,
    },
    /// Lists records.
    List {
        /// The kind.
        kind: String,
        /// field=value.
        #[arg(long = "where")]
        conditions: Vec<String>,
        /// Text in the record's title.
        #[arg(long)]
        search: Option<String>,
        /// At most so many.
        #[arg(long, default_value_t = 1000)]
        limit: usize,
    },
    /// Own changes of a record.
    History {
        /// Its id.
        id: String,
    },
    /// Takes records from a table (.xlsx, .xls, .csv, Unicode text).
    Import {
        /// member, person or volunteer.
        kind: String,
        /// The file.
        file: PathBuf,
        /// Only says what would happen.
        #[arg(long)]
        dry_run: bool,
        /// Where to write the rows to fix, with their reasons.
        #[arg(long)]
        errors: Option<PathBuf>,
    },
    /// Writes all records of a kind into a table (.xlsx or .csv).
    Export {
        /// The kind.
        kind: String,
        /// The file.
        file: PathBuf,
    },
    /// Transfers of organisation relations.
    #[command(subcommand)]
    Transfer(people::Transfer),
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
    /// Records that may be the same.
    Duplicates,
    /// Own changes that were set aside.
    Quarantine {
        #[command(subcommand)]
        command: Option<quarantine::Quarantine>,
    },
    /// A record with everything that is open about it.
    Explain {
        /// Its id.
        id: String,
    },
    /// What waits, the last success, the line, the certificates.
    Status,
    /// Proves the database: file, chain, digests.
    Verify,
    /// Copies the database into a file while work goes on.
    Backup {
        /// The file.
        file: PathBuf,
    },
    /// Puts a backup in the place of the database; the node must not be served.
    Restore {
        /// The file.
        file: PathBuf,
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
    // The line wraps what went wrong on it.
    let of_transport = error
        .chain()
        .find_map(|cause| cause.downcast_ref())
        .map(transport::TransportError::text_zh);
    let of_store = error
        .downcast_ref::<store::StoreError>()
        .map(store::StoreError::text_zh);
    let zh = of_transport.or(of_store);
    failure(is_json, zh.as_deref(), &with_causes(error.as_ref()));
}

fn dispatch(cli: &Cli) -> anyhow::Result<()> {
    if let Command::Init = cli.command {
        crate::app::init(&cli.data)?;
        console::answer::answer(cli.json, &serde_json::json!({"data": cli.data}));
        return Ok(());
    }
    if let Command::Restore { file } = &cli.command {
        console::answer::answer(cli.json, &verify::restore(&cli.data, file)?);
        return Ok(());
    }
    // From before the database is opened until it is closed: none that a restore takes away meanwhile is served.
    let held = match cli.command {
        Command::Serve { .. } => Some(serve::hold(&cli.data)?),
        Command::Sync { .. } => serve::hold_if_free(&cli.data)?,
        _ => None,
    };
    let runtime = tokio::runtime::Runtime::new()?;
    runtime.block_on(async {
        let mut app = App::open(&cli.data)?;
        let (keys, own) = (app.keys()?, app.own);
        app.own = app
            .store
            .read::<_, anyhow::Error>(move |tx| {
                crate::app::check_identity(tx, &keys)?;
                Ok(own.in_store(tx)?)
            })
            .await?;
        let config = Config::load(&cli.data)?;
        app.hub_addresses = if cli.hub.is_empty() {
            config.hub
        } else {
            cli.hub.clone()
        };
        let actor = cli.actor.as_deref().or(config.actor.as_deref());
        match (&cli.command, held.as_ref()) {
            (Command::Serve { web }, Some(held)) => {
                serve::serve(app, held, web.or(config.web).unwrap_or(WEB)).await
            }
            (_, held) => {
                let answer = answer(&app, cli, actor.unwrap_or(ACTOR), held).await?;
                console::answer::answer(cli.json, &answer);
                Ok(())
            }
        }
    })
}

/// Carries out one command line on an opened node and answers what `--json` would print; the folder
/// that it names is not looked at. Commands that end or replace the node answer nothing.
///
/// # Errors
/// A line that cannot be read; what the command refuses or fails with.
pub async fn command(app: &App, line: &[&str]) -> anyhow::Result<serde_json::Value> {
    let name = std::iter::once("lianxin-node");
    let cli = Cli::try_parse_from(name.chain(line.iter().copied()))?;
    let actor = cli.actor.as_deref().unwrap_or(ACTOR);
    Box::pin(answer(app, &cli, actor, None)).await
}

/// `held` where this process holds the folder: a process that serves it does not carry the line out.
async fn answer(
    app: &App,
    cli: &Cli,
    actor: &str,
    held: Option<&ServeLock>,
) -> anyhow::Result<serde_json::Value> {
    match &cli.command {
        Command::Init | Command::Serve { .. } | Command::Restore { .. } => {
            Ok(serde_json::Value::Null)
        }
        Command::Join { code, wait } => serve::join(app, code, *wait).await,
        Command::Sync { wait } => serve::sync(app, held, *wait).await,
        Command::Add { kind, values } => records::add(app, kind, values, actor).await,
        Command::Set { id, values } => records::set(app, id, values, actor).await,
        Command::Delete { id } => {
            records::change_life(app, id, domain::change::Verb::Delete, actor).await
        }
        Command::RestoreRecord { id } => {
            records::change_life(app, id, domain::change::Verb::Restore, actor).await
        }
        Command::Step { id, event, values } => people::step(app, id, event, values, actor).await,
        Command::Get { id } => records::get(app, id).await,
        Command::List {
            kind,
            conditions,
            search,
            limit,
        } => records::list(app, kind, conditions, search.as_deref(), *limit).await,
        Command::History { id } => records::history(app, id).await,
        Command::Import {
            kind,
            file,
            dry_run,
            errors,
        } => import::import(app, kind, file, (*dry_run, errors.as_deref()), actor).await,
        Command::Export { kind, file } => import::export(app, kind, file).await,
        Command::Transfer(transfer) => people::transfer(app, transfer, actor).await,
        Command::Conflicts => people::open_conflicts(app).await,
        Command::Settle { id, keep } => people::settle(app, id, keep, actor).await,
        Command::Quarantine { command } => {
            quarantine::quarantine(app, command.as_ref(), actor).await
        }
        Command::Merge { kept, other, take } => merge::merge(app, (kept, other), take, actor).await,
        Command::Unmerge { id } => merge::unmerge(app, id, actor).await,
        Command::Duplicates => merge::duplicates(app).await,
        Command::Explain { id } => quarantine::explain(app, id).await,
        Command::Status => crate::web::status(app).await,
        Command::Verify => verify::verify(app).await,
        Command::Backup { file } => verify::backup(app, file),
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
        // Whoever opened it would say that this is no database.
        std::fs::write(crate::app::database_in(folder.path()), "no database").unwrap();
        let held = ServeLock::acquire(folder.path()).unwrap();
        let data = folder.path().to_str().unwrap();
        let cli = Cli::try_parse_from(["lianxin-node", "--data", data, "serve"]).unwrap();
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
