//! The floor's clients: what a node does, bare.

use std::collections::VecDeque;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use anyhow::Context as _;
use lianxin_node::line::{Dial as _, Line, OverTls};
use proto::wire::sync as wire;
use proto::wire::sync::sync_client::SyncClient;
use rusqlite::{Connection, params};
use serde_json::json;
use tokio::task::{JoinHandle, JoinSet};
use transport::keys::NodeKeys;
use transport::tls::ClientTls;

use super::{BATCH, IN_FLIGHT};
use crate::bench::records;

/// A message's greatest size.
const MESSAGE_BYTES_MAX: usize = 64 * 1024 * 1024;

/// What one of the floor's clients does.
#[derive(Debug, clap::Subcommand)]
pub enum Near {
    /// Sends the log.
    Push(Push),
    /// Fetches all ready pages into an empty database.
    Pull(Own),
    /// Follows the hub's log until it is ended.
    Follow(Own),
    /// Several clients, each with its own log, connect and send at once.
    Crowd(Crowd),
}

/// Who calls, whom, with which database.
#[derive(Debug, Clone, clap::Args)]
pub struct Own {
    /// A file with the keys of an enrolled node.
    #[arg(long)]
    keys: PathBuf,
    /// Where the floor's hub is.
    #[arg(long)]
    hub: String,
    /// The client's database.
    #[arg(long)]
    database: PathBuf,
}

/// A log to be sent.
#[derive(Debug, clap::Args)]
pub struct Push {
    #[command(flatten)]
    own: Own,
    /// Compresses each batch.
    #[arg(long)]
    compress: bool,
}

/// Clients that come at once.
#[derive(Debug, clap::Args)]
pub struct Crowd {
    /// Where the floor's hub is.
    #[arg(long)]
    hub: String,
    /// A folder with a folder for each of them, in which keys lie.
    #[arg(long)]
    folder: PathBuf,
}

/// Does it.
///
/// # Errors
/// The line's and the store's own.
pub fn run(near: &Near) -> anyhow::Result<()> {
    tokio::runtime::Runtime::new()?.block_on(async {
        match near {
            Near::Push(push) => send(push).await,
            Near::Pull(own) => fetch(own).await,
            Near::Follow(own) => follow(own).await,
            Near::Crowd(crowd) => come_at_once(crowd).await,
        }
    })
}

/// Connects with mutual TLS.
///
/// # Errors
/// Where the hub does not answer.
pub async fn connect(keys: &Path, hub: &str) -> anyhow::Result<SyncClient<Line>> {
    let keys = NodeKeys::load(keys)?;
    let identity = keys.identity.context("the keys are of an enrolled node")?;
    let clock: transport::tls::Clock = Arc::new(|| system::now_ms().cast_signed());
    let tls = ClientTls::enrolled(&identity, clock)?;
    let line = OverTls.dial(hub, &tls).await?;
    Ok(SyncClient::new(line)
        .max_decoding_message_size(MESSAGE_BYTES_MAX)
        .max_encoding_message_size(MESSAGE_BYTES_MAX))
}

/// Makes a log of records, and, if `has_pages`, ready pages as a hub has them.
///
/// # Errors
/// The store's own.
pub fn fill(database: &Path, records: Range<u64>, has_pages: bool) -> anyhow::Result<()> {
    let mut connection = super::open(database)?;
    let mut at = records.start;
    while at < records.end {
        let upto = records.end.min(at + BATCH as u64);
        let changes: Vec<_> = (at..upto)
            .map(|index| records::change(records::SEED, index))
            .collect::<Result<_, _>>()?;
        super::take(&mut connection, &changes)?;
        if has_pages {
            let (bytes, raw_bytes) = super::pack(changes, true)?;
            connection.execute(
                "INSERT INTO page (raw_bytes, bytes) VALUES (?1, ?2)",
                params![raw_bytes, bytes],
            )?;
        }
        at = upto;
    }
    Ok(())
}

/// A batch of the log after a place, with its last place; none behind the end.
fn batch_after(
    log: &Connection,
    after: i64,
    is_compressed: bool,
) -> anyhow::Result<Option<(i64, wire::PushRequest)>> {
    let mut read = log.prepare_cached(
        "SELECT place, header, body FROM log WHERE place > ?1 ORDER BY place LIMIT ?2",
    )?;
    let limit = i64::try_from(BATCH)?;
    let rows = read.query_map(params![after, limit], |row| {
        let (header, body): (Vec<u8>, Vec<u8>) = (row.get(1)?, row.get(2)?);
        let change = wire::Change {
            header: header.into(),
            body: body.into(),
            ..wire::Change::default()
        };
        Ok((row.get::<_, i64>(0)?, change))
    })?;
    let (places, changes): (Vec<_>, Vec<_>) =
        rows.collect::<Result<Vec<_>, _>>()?.into_iter().unzip();
    let Some(last) = places.last() else {
        return Ok(None);
    };
    let count = u32::try_from(changes.len())?;
    let (batch, raw_bytes) = super::pack(changes, is_compressed)?;
    let request = wire::PushRequest {
        count,
        raw_bytes,
        batch: batch.into(),
        ..wire::PushRequest::default()
    };
    Ok(Some((*last, request)))
}

async fn send(push: &Push) -> anyhow::Result<()> {
    let client = connect(&push.own.keys, &push.own.hub).await?;
    send_log(client, &push.own.database, push.compress).await
}

/// Sends a log, several batches under way at once.
async fn send_log(
    client: SyncClient<Line>,
    database: &Path,
    is_compressed: bool,
) -> anyhow::Result<()> {
    let log = super::open(database)?;
    let mut under_way: VecDeque<JoinHandle<Result<_, tonic::Status>>> = VecDeque::new();
    let mut after = 0;
    loop {
        while under_way.len() < IN_FLIGHT
            && let Some((last, request)) = batch_after(&log, after, is_compressed)?
        {
            after = last;
            let mut client = client.clone();
            under_way.push_back(tokio::spawn(async move { client.push(request).await }));
        }
        let Some(first) = under_way.pop_front() else {
            return Ok(());
        };
        first.await??;
    }
}

async fn fetch(own: &Own) -> anyhow::Result<()> {
    let mut database = super::open(&own.database)?;
    let mut client = connect(&own.keys, &own.hub).await?;
    let mut pages = client
        .pull(wire::PullRequest::default())
        .await?
        .into_inner();
    while let Some(page) = pages.message().await? {
        let changes = super::unpack(&page.rows, page.raw_bytes)?;
        super::take(&mut database, &changes)?;
    }
    Ok(())
}

async fn follow(own: &Own) -> anyhow::Result<()> {
    let mut database = super::open(&own.database)?;
    let mut client = connect(&own.keys, &own.hub).await?;
    let mut heads = client
        .watch(wire::WatchRequest::default())
        .await?
        .into_inner();
    console::answer::ready("ready");
    let mut sequence = None;
    while let Some(head) = heads.message().await? {
        let cursor = wire::Cursor {
            sequence: sequence.unwrap_or(head.sequence.saturating_sub(1)),
            ..wire::Cursor::default()
        };
        let request = wire::PullRequest {
            cursors: vec![cursor],
            ..wire::PullRequest::default()
        };
        let mut pages = client.pull(request).await?.into_inner();
        while let Some(page) = pages.message().await? {
            super::take(&mut database, &super::unpack(&page.rows, page.raw_bytes)?)?;
            sequence = Some(page.to_sequence);
        }
    }
    Ok(())
}

/// Says how long it took (seconds).
async fn come_at_once(crowd: &Crowd) -> anyhow::Result<()> {
    let entries: Vec<_> = std::fs::read_dir(&crowd.folder)?.collect::<Result<_, _>>()?;
    let (mut clients, began) = (JoinSet::new(), Instant::now());
    for entry in entries {
        let (folder, hub) = (entry.path(), crowd.hub.clone());
        clients.spawn(async move {
            let client = connect(&folder.join(KEYS), &hub).await?;
            send_log(client, &folder.join(LOG), false).await
        });
    }
    while let Some(done) = clients.join_next().await {
        done??;
    }
    console::answer::answer(true, &json!({"seconds": began.elapsed().as_secs_f64()}));
    Ok(())
}

/// The key file in a folder of a node.
pub const KEYS: &str = "node-keys.toml";
/// The log of the floor beside it.
pub const LOG: &str = "floor.sqlite";
