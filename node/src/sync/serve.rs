//! Syncs by itself: at once after a local save or when the hub says that a feed has grown, and with a
//! growing, jittered wait while the line is down.

use std::path::Path;
use std::time::Duration;

use domain::limits;
use proto::wire::sync as wire;
use tokio::sync::watch;

use super::{Session, note_success};
use crate::app::App;
use crate::enrol::{self, Joined};
use crate::system;

/// How often the database is asked whether anybody has written.
const COMMIT_POLL: Duration = Duration::from_millis(100);
/// With nothing to do, a session looks again after so long.
const IDLE: Duration = Duration::from_mins(1);

/// Runs until the process ends.
pub async fn run(app: App) {
    let (seen, mut commits) = watch::channel(0u64);
    let database = app.database();
    tokio::task::spawn_blocking(move || poll_commits(&database, &seen));
    let mut wait_ms = limits::RETRY_MS_MIN;
    loop {
        match session(&app, &mut commits).await {
            Ok(()) => wait_ms = limits::RETRY_MS_MIN,
            Err(error) => tracing::info!(error = %format!("{error:#}"), "the line is down"),
        }
        note_link(&app, "down").await;
        tokio::time::sleep(jittered(wait_ms)).await;
        wait_ms = (wait_ms * 2).min(limits::RETRY_MS_MAX / 12);
    }
}

async fn session(app: &App, commits: &mut watch::Receiver<u64>) -> anyhow::Result<()> {
    let mut current = app.clone();
    go_on_enrolling(&current).await?;
    current.own = App::open(&app.folder)?.own;
    let mut session = Session::open(&current).await?;
    let watch = wire::WatchRequest {
        incarnation: session.incarnation.clone(),
    };
    let mut heads = session.client.watch(watch).await?.into_inner();
    note_link(&current, "up").await;
    loop {
        commits.mark_unchanged();
        let summary = session.exchange().await?;
        note_success(&current).await?;
        if summary.sent + summary.received > 0 {
            continue;
        }
        tokio::select! {
            changed = commits.changed() => changed?,
            head = heads.message() => {
                anyhow::ensure!(head?.is_some(), "the hub ended the session");
            }
            () = tokio::time::sleep(IDLE) => {}
        }
    }
}

/// Goes on with an enrolment that was begun: its answer was lost, or an operator had to confirm it.
/// A machine that has an identity keeps it; there a person says `join` again.
async fn go_on_enrolling(app: &App) -> anyhow::Result<()> {
    let keys = app.keys()?;
    if keys.enrolment.is_none() || keys.identity.is_some() {
        return Ok(());
    }
    match enrol::go_on(app).await? {
        Joined::Enrolled { office, .. } => tracing::info!(office, "the node has joined"),
        Joined::Waiting { .. } => {
            anyhow::bail!("an operator of the hub must confirm this computer first");
        }
    }
    Ok(())
}

async fn note_link(app: &App, state: &'static str) {
    let noted = app
        .store
        .write::<_, anyhow::Error>(move |tx| Ok(tx.set_setting("link", state.as_bytes())?))
        .await;
    if let Err(error) = noted {
        tracing::warn!(%error, "the state of the line cannot be noted");
    }
}

fn jittered(wait_ms: u64) -> Duration {
    let random = system::random_16().map_or(50, |bytes| u64::from(bytes[0] % 41));
    Duration::from_millis(wait_ms * (80 + random) / 100)
}

/// Tells when any process has written to the journal, or asked for a session.
fn poll_commits(database: &Path, seen: &watch::Sender<u64>) {
    let Ok(connection) = store::open::reader(database) else {
        return;
    };
    let mut last = 0;
    while !seen.is_closed() {
        std::thread::sleep(COMMIT_POLL);
        let Ok(version) = store::open::data_version(&connection) else {
            continue;
        };
        if version == last {
            continue;
        }
        last = version;
        if let Ok(mark) = store::Tx::on(&connection).journal_mark() {
            seen.send_if_modified(|known| std::mem::replace(known, mark) != mark);
        }
    }
}
