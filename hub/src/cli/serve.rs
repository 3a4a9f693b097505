//! `serve`: nodes, page, and the news of commits, until SIGTERM.

use std::io::IsTerminal as _;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use tokio::sync::{oneshot, watch};
use tokio::time::Instant;
use transport::TransportError;
use transport::lock::ServeLock;

use super::enrolment;
use crate::app::App;
use crate::error::HubError;
use crate::progress;
use crate::rpc::{self, Shared};

/// How often the hub looks for what days bring.
const TICK: Duration = Duration::from_hours(1);
/// After a look for what may be released, the next one comes no sooner.
const RELEASE_REST: Duration = Duration::from_secs(1);
/// How often the database is asked whether anybody has written.
const COMMIT_POLL: Duration = Duration::from_millis(100);

/// Serves an opened hub whose folder this process holds.
pub(super) async fn serve(
    app: App,
    _held: &ServeLock,
    rpc: SocketAddr,
    web: SocketAddr,
) -> anyhow::Result<()> {
    tracing_subscriber::fmt()
        .with_writer(std::io::stderr)
        // A file keeps no colours: whoever reads it is shown no escape.
        .with_ansi(std::io::stderr().is_terminal())
        .init();
    if let Err(error) = crate::work::clear(&app.folder) {
        tracing::warn!(%error, "what a backup that was killed has left cannot be removed");
    }
    raise_open_files();
    let mut app = app;
    refresh_certificate(&mut app)?;
    let (seen, commits) = watch::channel(0);
    let database = app.database();
    tokio::task::spawn_blocking(move || poll_commits(&database, &seen));
    tokio::spawn(work_by_itself(app.clone(), commits.clone()));
    let (stop, stopped) = watch::channel(false);
    tokio::spawn(async move {
        wait_for_stop().await;
        // Everybody who listens has ended already where this fails.
        let _ = stop.send(true);
    });
    let listener = tokio::net::TcpListener::bind(web)
        .await
        .with_context(|| console::answer::cannot_listen(web, "--web"))?;
    let web = listener.local_addr()?;
    let page = crate::web::serve(app.clone(), listener, until(stopped.clone()));
    let (ready, is_ready) = oneshot::channel();
    let (noting, stopping) = (app.clone(), app.clone());
    let nodes = rpc::serve(
        Shared::new(app, commits),
        rpc,
        ready,
        until(stopped.clone()),
    );
    let both = async {
        tokio::try_join!(nodes, async { Ok(page.await?) })?;
        anyhow::Ok(())
    };
    let announce = async {
        if let Ok(rpc) = is_ready.await {
            note_port(&noting, rpc.port()).await;
            console::answer::ready(&format!("ready rpc={rpc} web={web}"));
        }
        // A watcher's stream stays open: what is under way gets a moment, then the program ends.
        until(stopped).await;
        tokio::time::sleep(Duration::from_secs(2)).await;
    };
    tokio::select! {
        ended = both => ended,
        () = announce => Ok(()),
        () = stopping.progress.proven_lost() => progress::check_now(&stopping).await,
    }
}

/// What a hub does without being asked, as long as it runs.
pub async fn work_by_itself(app: App, commits: watch::Receiver<u64>) {
    tokio::join!(
        tick_every_hour(app.clone()),
        decide_what_is_stored(app.clone(), commits.clone()),
        release_what_is_due(app.clone(), commits.clone()),
        progress::note(app, commits),
    );
}

async fn tick_every_hour(app: App) {
    let mut hours = tokio::time::interval(TICK);
    loop {
        hours.tick().await;
        if let Err(error) = crate::rules::tick(&app).await {
            tracing::warn!(%error, "what is due by rule cannot be carried out now");
        }
    }
}

/// Decides what was stored and not decided at once: after a recovery, or when a copy was named.
async fn decide_what_is_stored(app: App, mut commits: watch::Receiver<u64>) {
    loop {
        let journals = app.store.read::<_, HubError>(|tx| Ok(tx.journals()?)).await;
        let behind = journals
            .into_iter()
            .flatten()
            .filter(|journal| !journal.is_kept_only && journal.decided_through < journal.received);
        for journal in behind {
            if let Err(error) =
                super::machines::decide_kept(&app, journal.node, journal.epoch).await
            {
                tracing::warn!(%error, "stored changes cannot be decided now");
            }
        }
        if commits.changed().await.is_err() {
            return;
        }
    }
}

/// Releases what every node has heard: every hour, and when a node has acknowledged more.
async fn release_what_is_due(app: App, mut commits: watch::Receiver<u64>) {
    let mut known = None;
    let mut last = Instant::now();
    loop {
        let mark = app.store.read::<_, HubError>(|tx| Ok(tx.release_mark()?));
        let mark = mark.await.ok();
        if known != mark || last.elapsed() > TICK {
            (known, last) = (mark, Instant::now());
            match crate::release::release(&app).await {
                Ok(0) => {}
                Ok(count) => tracing::info!(count, "released: every node has heard of it"),
                Err(error) => tracing::warn!(%error, "nothing can be released now"),
            }
        }
        tokio::time::sleep(RELEASE_REST).await;
        let commit = tokio::time::timeout(TICK, commits.changed()).await;
        if matches!(commit, Ok(Err(_))) {
            return;
        }
    }
}

/// Lets this process have as many open files as its system allows it: every connection is one, and each
/// reading of the store has some.
#[cfg(unix)]
fn raise_open_files() {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let allowed = getrlimit(Resource::Nofile);
    let raised = Rlimit {
        current: allowed.maximum,
        ..allowed
    };
    if raised != allowed
        && let Err(error) = setrlimit(Resource::Nofile, raised)
    {
        tracing::warn!(%error, "the limit of open files cannot be raised");
    }
}

#[cfg(not(unix))]
fn raise_open_files() {
    // There is no such limit.
}

fn refresh_certificate(app: &mut App) -> anyhow::Result<()> {
    let hosts = app.identity.hosts().to_vec();
    let now = system::now_ms().cast_signed();
    if let Some(identity) = Arc::get_mut(&mut app.identity) {
        if identity.intermediate_needs_renewal(now) {
            match identity.renew_intermediate(now) {
                Ok(()) => tracing::info!("the intermediate certificate was renewed"),
                // There are years left: a person fetches the root key and starts the hub anew.
                Err(error @ TransportError::RootKeyOffline { .. }) => {
                    tracing::warn!(%error, "the intermediate certificate must be renewed: {}", error.text_zh());
                }
                Err(error) => return Err(error.into()),
            }
        }
        identity.refresh_server(&hosts, now)?;
    }
    Ok(())
}

/// Counts commits of every process: SQLite tells when another connection has written.
fn poll_commits(database: &std::path::Path, seen: &watch::Sender<u64>) {
    let Ok(connection) = store::open::reader(database) else {
        return;
    };
    let mut last = 0;
    while !seen.is_closed() {
        std::thread::sleep(COMMIT_POLL);
        let Ok(version) = store::open::data_version(&connection) else {
            continue;
        };
        if version != last {
            last = version;
            seen.send_modify(|count| *count += 1);
        }
    }
}

/// Keeps the port for the codes that are made from now on.
async fn note_port(app: &App, port: u16) {
    let noted = app
        .store
        .write::<_, HubError>(move |tx| Ok(tx.set_setting(enrolment::PORT, &port.to_be_bytes())?))
        .await;
    if let Err(error) = noted {
        tracing::warn!(%error, "the port cannot be noted");
    }
}

async fn until(mut stopped: watch::Receiver<bool>) {
    while !*stopped.borrow_and_update() {
        if stopped.changed().await.is_err() {
            return;
        }
    }
}

#[cfg(unix)]
async fn wait_for_stop() {
    use tokio::signal::unix::{SignalKind, signal};
    let Ok(mut terminate) = signal(SignalKind::terminate()) else {
        return;
    };
    tokio::select! {
        _ = terminate.recv() => {}
        _ = tokio::signal::ctrl_c() => {}
    }
}

#[cfg(not(unix))]
async fn wait_for_stop() {
    // Without the signal there is only the window's close, which ends the process.
    drop(tokio::signal::ctrl_c().await);
}

#[cfg(all(test, unix))]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test stops at what must not fail")]

    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

    use super::raise_open_files;

    #[test]
    fn a_hub_that_serves_may_have_as_many_open_files_as_its_system_allows() {
        let allowed = getrlimit(Resource::Nofile);
        let lower = Rlimit {
            current: allowed.maximum.map(|most| most - 1),
            ..allowed
        };
        setrlimit(Resource::Nofile, lower).unwrap();
        raise_open_files();
        assert_eq!(getrlimit(Resource::Nofile).current, allowed.maximum);
    }
}
