//! Syncs by itself: at once after a local save or when the hub says that a feed has grown, and with a
//! growing, jittered wait while the line is down.

use std::path::Path;
use std::time::Duration;

use anyhow::Context as _;
use console::answer::with_causes;
use domain::limits;
use proto::wire::sync as wire;
use tokio::sync::watch;
use tokio::time::Instant;

use super::{Session, note_success};
use crate::app::{self, App, Own};
use crate::enrol::{self, Joined};

/// How often the database is asked whether anybody has written.
const COMMIT_POLL: Duration = Duration::from_millis(100);
/// After a save that the hub took plainly, node and hub prove that they are equal after so long: one
/// proof for many saves.
const PROOF_AFTER: Duration = Duration::from_secs(5);
/// The part of the journal's mark that tells that somebody asked for a session.
const WANTED: u64 = 1000;
/// With nothing to do, a session looks again after so long.
const IDLE: Duration = Duration::from_mins(1);

/// Runs until the process ends, with commits of every process as the database tells them.
pub async fn run(app: App) {
    let (seen, commits) = watch::channel(0u64);
    let database = app.database();
    tokio::task::spawn_blocking(move || poll_commits(&database, &seen));
    run_with(app, commits).await;
}

/// Runs until the process ends; `commits` moves to the journal's mark whenever anybody has written.
pub async fn run_with(app: App, mut commits: watch::Receiver<u64>) {
    let mut wait_ms = limits::RETRY_MS_MIN;
    loop {
        let mut of_hub = None;
        match session(&app, &mut commits).await {
            Ok(()) => wait_ms = limits::RETRY_MS_MIN,
            Err(error) => {
                tracing::info!(error = %with_causes(error.as_ref()), "the line is down");
                of_hub = error.downcast_ref().and_then(proto::status::retry_after_ms);
            }
        }
        note_link(&app, "down").await;
        // A busy hub chooses when it is asked again.
        tokio::time::sleep(jittered(of_hub.map_or(wait_ms, u64::from))).await;
        wait_ms = (wait_ms * 2).min(limits::RETRY_MS_MAX / 12);
    }
}

async fn session(app: &App, commits: &mut watch::Receiver<u64>) -> anyhow::Result<()> {
    let mut current = app.clone();
    go_on_enrolling(&current).await?;
    current.own = Own::of_keys(&current.keys()?);
    let mut session = Session::open(&current).await?;
    let watch = wire::WatchRequest {
        incarnation: session.incarnation.clone(),
    };
    let mut heads = session.client.watch(watch).await?.into_inner();
    note_link(&current, "up").await;
    let mut proof_due = None;
    let mut wanted = *commits.borrow_and_update() % WANTED;
    session.exchange().await?;
    note_success(&current).await?;
    loop {
        let due = async {
            match proof_due {
                Some(at) => tokio::time::sleep_until(at).await,
                None => std::future::pending().await,
            }
        };
        // Nothing is awaited in an arm: what an arm has taken is never lost to another.
        let event = tokio::select! {
            biased;
            changed = commits.changed() => {
                changed?;
                let before = std::mem::replace(&mut wanted, *commits.borrow_and_update() % WANTED);
                if before == wanted { Event::Saved } else { Event::Due }
            }
            head = heads.message() => Event::Head(head?.context("the hub ended the session")?),
            () = due => Event::Due,
            () = tokio::time::sleep(IDLE) => Event::Due,
        };
        match event {
            Event::Head(head) if !has_grown(&current, session.reached, &head).await? => continue,
            Event::Saved if session.send().await? => {
                proof_due = proof_due.or(Some(Instant::now() + PROOF_AFTER));
            }
            Event::Saved | Event::Head(_) | Event::Due => {
                proof_due = None;
                session.exchange().await?;
            }
        }
        note_success(&current).await?;
    }
}

/// What a session waits for.
enum Event {
    /// Something was saved here.
    Saved,
    /// The hub says where a feed is.
    Head(wire::FeedHead),
    /// Somebody asked for it, a proof is due, or it was quiet for long.
    Due,
}

/// Whether a feed has grown beyond what this session knows of it: the hub tells of own changes too.
async fn has_grown(app: &App, reached: Option<u64>, head: &wire::FeedHead) -> anyhow::Result<bool> {
    let known = reached.filter(|_| head.feed == app.office_feed());
    if known.is_some_and(|known| head.sequence <= known) {
        return Ok(false);
    }
    let (feed, sequence) = (head.feed.clone(), head.sequence);
    let read = move |tx: store::Tx<'_>| Ok(tx.reading(&feed)?.sequence < sequence);
    app.store.read::<_, anyhow::Error>(read).await
}

/// Goes on with an enrolment that was begun: its answer was lost, or an operator had to confirm it.
/// A machine that has an identity keeps it; there a person says `join` again. Only where its journal was brought
/// under the new one already, and the power was cut before the key file said so, it goes on by itself: under the
/// former one it can speak no more.
async fn go_on_enrolling(app: &App) -> anyhow::Result<()> {
    let keys = app.keys()?;
    if keys.enrolment.is_none() {
        return Ok(());
    }
    if let Some(identity) = &keys.identity {
        let read = |tx: store::Tx<'_>| Ok(app::written_by(tx)?);
        let written = app.store.read::<_, anyhow::Error>(read).await?;
        if written.is_none_or(|node| node.bytes() == identity.node) {
            return Ok(());
        }
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

/// A wait of so many milliseconds, a fifth more or less: those who were cut together do not come
/// back together.
pub(super) fn jittered(wait_ms: u64) -> Duration {
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
