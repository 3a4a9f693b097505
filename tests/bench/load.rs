//! What drives the product: a node's own code, in a process of its own.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use domain::change::Verb;
use domain::kinds::person;
use domain::record::RecordKey;
use lianxin_node::app::App;
use lianxin_node::{journal, sync};
use serde_json::json;
use tokio::task::JoinSet;

use super::records;

/// Changes in one transaction of an import.
const IN_ONE: u64 = 1_000;
/// Whose name stands beside it.
pub const ACTOR: &str = "经办人";

/// What the load does.
#[derive(Debug, clap::Subcommand)]
pub enum Load {
    /// Enters records at a node, or at every node of a folder.
    Fill(Fill),
    /// Every node of a folder syncs at once.
    Crowd {
        /// A folder with a data folder for each.
        #[arg(long)]
        folder: PathBuf,
        /// Where the hub is.
        #[arg(long)]
        hub: String,
    },
    /// Enrols a node for each code of a file (office, code), each in a folder of its own.
    Join {
        /// Where the folders are made.
        #[arg(long)]
        folder: PathBuf,
        /// The file: a code a line.
        #[arg(long)]
        codes: PathBuf,
    },
}

/// Records to be entered.
#[derive(Debug, clap::Args)]
pub struct Fill {
    /// The node's data folder.
    #[arg(long, conflicts_with = "folder")]
    data: Option<PathBuf>,
    /// A folder with a data folder for each node.
    #[arg(long)]
    folder: Option<PathBuf>,
    /// The first record.
    #[arg(long, default_value_t = 0)]
    from: u64,
    /// How many (of each).
    #[arg(long)]
    records: u64,
}

/// Does it.
///
/// # Errors
/// The node's own.
pub fn run(load: &Load) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Runtime::new()?;
    runtime.block_on(async {
        match load {
            Load::Fill(fill) => fill_all(fill).await,
            Load::Crowd { folder, hub } => come_at_once(folder, hub).await,
            Load::Join { folder, codes } => join_all(folder, codes).await,
        }
    })
}

fn folders(folder: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let entries = std::fs::read_dir(folder)?.map(|entry| Ok(entry?.path()));
    let mut all: Vec<_> = entries.collect::<anyhow::Result<_>>()?;
    all.sort();
    Ok(all)
}

async fn fill_all(fill: &Fill) -> anyhow::Result<()> {
    let nodes = match (&fill.data, &fill.folder) {
        (Some(data), _) => vec![data.clone()],
        (None, Some(folder)) => folders(folder)?,
        (None, None) => anyhow::bail!("say --data or --folder"),
    };
    for (number, data) in (0u64..).zip(nodes) {
        let app = App::open(&data)?;
        enter(&app, fill.from + number * fill.records, fill.records).await?;
    }
    Ok(())
}

/// Enters records as an import does, a thousand in one transaction.
///
/// # Errors
/// The node's own.
pub async fn enter(app: &App, from: u64, count: u64) -> anyhow::Result<()> {
    let (mut at, end, own) = (from, from + count, app.own);
    while at < end {
        let upto = end.min(at + IN_ONE);
        let enter = move |tx: store::Tx<'_>| {
            for index in at..upto {
                let (id, kind) = (records::id(index), person::KIND_NUMBER);
                let values = records::values(records::SEED, index)?;
                let made = (RecordKey { kind, id }, Verb::Create);
                journal::write(tx, own, made, values, ACTOR)?;
            }
            Ok(())
        };
        app.store.write::<_, anyhow::Error>(enter).await?;
        at = upto;
    }
    Ok(())
}

/// Changes one field of a record.
///
/// # Errors
/// The node's own.
pub async fn change_one(app: &App, index: u64, value: String) -> anyhow::Result<()> {
    let own = app.own;
    let key = RecordKey {
        kind: person::KIND_NUMBER,
        id: records::id(index),
    };
    let values = vec![(person::REMARKS, value.into_bytes())];
    let write = move |tx: store::Tx<'_>| {
        journal::write(tx, own, (key, Verb::Set), values, ACTOR)?;
        Ok(())
    };
    app.store.write::<_, anyhow::Error>(write).await
}

/// Says how long it took until the hub had all (seconds), and how many calls failed on the way.
async fn come_at_once(folder: &Path, hub: &str) -> anyhow::Result<()> {
    let mut apps = Vec::new();
    for data in folders(folder)? {
        let mut app = App::open(&data)?;
        app.hub_addresses = vec![hub.to_owned()];
        apps.push(app);
    }
    let (mut nodes, began) = (JoinSet::new(), Instant::now());
    for app in apps {
        nodes.spawn(async move {
            let mut failed = 0u64;
            loop {
                match sync::once(&app).await {
                    Ok(done) => return anyhow::Ok((done.sent, failed)),
                    Err(error) if failed >= TRIES_MAX => return Err(error),
                    Err(_) => failed += 1,
                }
                tokio::time::sleep(AGAIN_AFTER).await;
            }
        });
    }
    let (mut sent, mut failed) = (0, 0);
    while let Some(done) = nodes.join_next().await {
        let done = done??;
        sent += done.0;
        failed += done.1;
    }
    let seconds = began.elapsed().as_secs_f64();
    ensure!(sent > 0, "nothing waited");
    console::answer::answer(
        true,
        &json!({"seconds": seconds, "sent": sent, "failed": failed}),
    );
    Ok(())
}

/// How often a node of the crowd tries before it is given up, and how long after each failure.
const TRIES_MAX: u64 = 20;
const AGAIN_AFTER: Duration = Duration::from_millis(500);

async fn join_all(folder: &Path, codes: &Path) -> anyhow::Result<()> {
    std::fs::create_dir_all(folder)?;
    for (number, code) in std::fs::read_to_string(codes)?.lines().enumerate() {
        let data = folder.join(format!("{number:04}"));
        lianxin_node::app::init(&data)?;
        let app = App::open(&data)?;
        let joined = lianxin_node::enrol::join(&app, code).await;
        joined.with_context(|| format!("node {number}"))?;
    }
    Ok(())
}
