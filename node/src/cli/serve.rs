//! `join`, `serve` and `sync`.

use std::io::IsTerminal as _;
use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use anyhow::Context as _;
use serde_json::{Value, json};
use transport::TransportError;
use transport::lock::ServeLock;

use crate::app::{self, App};
use crate::enrol::{self, Joined};
use crate::{sync, web};

/// How long `sync --wait` waits for the serving process.
const WAIT_MAX: Duration = Duration::from_mins(1);

/// Serves an opened node whose folder this process holds.
pub(super) async fn serve(app: App, _held: &ServeLock, address: SocketAddr) -> anyhow::Result<()> {
    tracing_subscriber::fmt()
        .with_writer(std::io::stderr)
        // A file keeps no colours: whoever reads it is shown no escape.
        .with_ansi(std::io::stderr().is_terminal())
        .init();
    let listener = tokio::net::TcpListener::bind(address)
        .await
        .with_context(|| console::answer::cannot_listen(address, "--web"))?;
    console::answer::ready(&format!("ready web={}", listener.local_addr()?));
    let syncing = tokio::spawn(sync::run(app.clone()));
    tokio::select! {
        ended = web::serve(app, listener) => ended?,
        () = wait_for_stop() => {}
    }
    syncing.abort();
    Ok(())
}

/// Enrols the node with a code.
pub(super) async fn join(app: &App, code: &str, is_waiting: bool) -> anyhow::Result<Value> {
    let joined = if is_waiting {
        enrol::join_and_wait(app, code, |comparison| {
            console::answer::note(&format!(
                "核对数字 {comparison}:请告知中心,等待确认……\n\
                 comparison number {comparison}: tell it to the hub; waiting for the confirmation"
            ));
        })
        .await?
    } else {
        enrol::join(app, code).await?
    };
    match joined {
        Joined::Enrolled {
            comparison,
            office,
            hub,
        } => Ok(json!({
            "state": "enrolled",
            "comparison_number": comparison,
            "office": office,
            "hub": hub,
        })),
        Joined::Waiting { comparison } => Ok(json!({
            "state": "waits_for_confirmation",
            "comparison_number": comparison,
            "next": "tell the number to the hub's operator; then run the same command again, or \
                     `serve` 请把核对数字告知中心,确认后重新执行本命令或启动 serve",
        })),
    }
}

/// Takes the folder of a node for this process.
pub(super) fn hold(data: &Path) -> anyhow::Result<ServeLock> {
    app::expect_there(data)?;
    Ok(ServeLock::acquire(data)?)
}

/// As [`hold`]; none where another process has it.
pub(super) fn hold_if_free(data: &Path) -> anyhow::Result<Option<ServeLock>> {
    app::expect_there(data)?;
    match ServeLock::acquire(data) {
        Ok(held) => Ok(Some(held)),
        Err(TransportError::AlreadyServing { .. }) => Ok(None),
        Err(other) => Err(other.into()),
    }
}

/// Syncs once where this process holds the folder, or asks the one that does.
pub(super) async fn sync(
    app: &App,
    held: Option<&ServeLock>,
    is_waiting: bool,
) -> anyhow::Result<Value> {
    if held.is_some() {
        let summary = sync::once(app).await?;
        return Ok(json!({"sent": summary.sent, "received": summary.received}));
    }
    let asked = system::now_ms();
    let number = (asked % 1000).to_string().into_bytes();
    app.store
        .write::<_, anyhow::Error>(move |tx| Ok(tx.set_setting("sync_wanted", &number)?))
        .await?;
    let end = tokio::time::Instant::now() + WAIT_MAX;
    if !is_waiting {
        return Ok(json!({"asked": true}));
    }
    loop {
        let status = web::status(app).await?;
        let is_done = status["last_success_ms"]
            .as_u64()
            .is_some_and(|at| at >= asked);
        if is_done && status["waiting"] == 0 {
            return Ok(json!({"asked": true}));
        }
        anyhow::ensure!(
            tokio::time::Instant::now() < end,
            "the hub was not reached within {} s 未能连接中心,将自动重试",
            WAIT_MAX.as_secs()
        );
        tokio::time::sleep(Duration::from_millis(100)).await;
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
