//! How far the hub has got, kept beside its database, so that a database that is older than what the
//! hub has promised is not served as if nothing had happened.

use std::path::{Path, PathBuf};
use std::time::Duration;

use store::{StoreError, Tx};
use tokio::sync::watch;
use transport::progress::HubProgress;

use crate::app::{App, Own};
use crate::error::HubError;

const FILE: &str = "hub-progress.txt";
/// It is written no more often than that.
const REST: Duration = Duration::from_secs(1);

/// The database is older than what this hub has promised.
#[derive(Debug, thiserror::Error)]
#[error(
    "hub.sqlite is older than what this hub has promised (it has {}, and had {}): an old file was put in its \
     place, or its -wal file was lost. Put the newest backup back (restore FILE), or, where this database is \
     the newest there is, say so: recovery begin \
     数据库比中心已确认的内容旧(被换成旧文件,或丢失了 -wal 文件):请用最新备份执行 restore;\
     如这就是最新的数据库,请执行 recovery begin",
    told(there),
    told(had)
)]
pub struct Behind {
    there: HubProgress,
    had: HubProgress,
}

fn told(progress: &HubProgress) -> String {
    let HubProgress {
        epoch,
        own,
        received,
        ..
    } = progress;
    format!("{received} changes of nodes and {own} of its own in epoch {epoch}")
}

fn path(folder: &Path) -> PathBuf {
    folder.join(FILE)
}

/// How far the hub of a database has got.
fn of(tx: Tx<'_>, own: &Own) -> Result<HubProgress, StoreError> {
    let mut progress = HubProgress {
        node: own.node.bytes(),
        epoch: own.epoch,
        ..HubProgress::default()
    };
    for journal in tx.journals()? {
        if journal.node != own.node {
            progress.received += journal.received;
        } else if journal.epoch == own.epoch {
            progress.own = journal.received;
        }
    }
    Ok(progress)
}

/// What stands beside the database in a folder, of the hub `own`.
///
/// # Errors
/// Where it cannot be read.
pub fn noted(folder: &Path, own: &Own) -> anyhow::Result<Option<HubProgress>> {
    let noted = HubProgress::load(&path(folder))?;
    Ok(noted.filter(|noted| noted.node == own.node.bytes()))
}

/// Refuses a database that is behind.
///
/// # Errors
/// [`Behind`]; where the file beside it cannot be read.
pub fn check(tx: Tx<'_>, own: &Own, folder: &Path) -> anyhow::Result<()> {
    let there = of(tx, own)?;
    match noted(folder, own)? {
        Some(had) if had.is_ahead_of(&there) => Err(Behind { there, had }.into()),
        _ => Ok(()),
    }
}

/// Notes how far the hub has got whenever somebody has written, as long as the hub runs.
pub async fn note(app: App, mut commits: watch::Receiver<u64>) {
    let mut last = None;
    loop {
        let own = app.own;
        let read = app.store.read::<_, HubError>(move |tx| Ok(of(tx, &own)?));
        if let Ok(progress) = read.await
            && last != Some(progress)
        {
            match progress.save(&path(&app.folder)) {
                Ok(()) => last = Some(progress),
                Err(error) => tracing::warn!(%error, "how far the hub has got cannot be noted"),
            }
        }
        tokio::time::sleep(REST).await;
        if commits.changed().await.is_err() {
            return;
        }
    }
}
