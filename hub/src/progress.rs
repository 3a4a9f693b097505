//! How far the hub has got, kept beside its database, so that a database that is older than what the
//! hub has promised is not served as if nothing had happened.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use domain::id::NodeId;
use store::{StoreError, Tx};
use tokio::sync::watch;
use transport::progress::HubProgress;
use transport::revoked::{AppendOnlyRegister, Entry};

use crate::app::{App, Own};
use crate::error::HubError;

const FILE: &str = "hub-progress.txt";
/// It is written no more often than that.
const REST: Duration = Duration::from_secs(1);

/// The database is older than what this hub has promised.
#[derive(Debug, thiserror::Error)]
#[error(
    "hub.sqlite is older than what this hub has promised (it has {there}, and had {had}): an old file was put in its \
     place, or its -wal file was lost. Put the newest backup back (restore FILE), or, where this database is \
     the newest there is, say so: recovery begin \
     数据库比中心已确认的内容旧(被换成旧文件,或丢失了 -wal 文件):请用最新备份执行 restore;\
     如这就是最新的数据库,请执行 recovery begin"
)]
pub struct Behind {
    there: String,
    had: String,
}

fn told(progress: &HubProgress) -> String {
    let HubProgress {
        epoch,
        own,
        received,
        is_lost,
        ..
    } = progress;
    if *is_lost {
        return "more, as a node proves by this hub's signature".to_owned();
    }
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

/// The hub of which it is noted in a folder how far it has got.
///
/// # Errors
/// Where it cannot be read.
pub fn noted_node(folder: &Path) -> anyhow::Result<Option<NodeId>> {
    let noted = HubProgress::load(&path(folder))?;
    Ok(noted.map(|noted| NodeId::new(noted.node)))
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
        Some(had) if had.is_ahead_of(&there) => Err(Behind {
            there: told(&there),
            had: told(&had),
        }
        .into()),
        _ => Ok(()),
    }
}

/// Refuses a database that lacks a machine which was told that it is enrolled: its entry of the register
/// is written after the commit. A `register` read before the database has no later ones.
///
/// # Errors
/// [`Behind`]; the store's own.
pub fn check_machines(tx: Tx<'_>, register: &AppendOnlyRegister) -> anyhow::Result<()> {
    let known: BTreeSet<_> = tx.nodes()?.into_iter().map(|node| node.id).collect();
    let (mut there, mut had) = (0, 0);
    for (entry, _) in register.entries() {
        if let Entry::Enrolled { node, .. } = entry {
            had += 1;
            there += u32::from(known.contains(&NodeId::new(node)));
        }
    }
    if there < had {
        let machines = |count| format!("{count} enrolled machines");
        let (there, had) = (machines(there), machines(had));
        return Err(Behind { there, had }.into());
    }
    Ok(())
}

/// The same, of a hub that runs.
///
/// # Errors
/// As [`check`].
pub async fn check_now(app: &App) -> anyhow::Result<()> {
    let (own, folder) = (app.own, app.folder.clone());
    let checked = app
        .store
        .read::<_, anyhow::Error>(move |tx| check(tx, &own, &folder));
    checked.await
}

/// Keeps the note of a hub that runs.
#[derive(Debug)]
pub struct Keeper {
    path: PathBuf,
    /// What is in the file, as far as this program has written it.
    noted: Mutex<HubProgress>,
    lost: watch::Sender<bool>,
}

impl Keeper {
    /// The keeper of a data folder.
    pub fn new(folder: &Path) -> Self {
        Self {
            path: path(folder),
            noted: Mutex::default(),
            lost: watch::Sender::new(false),
        }
    }

    /// Notes how far the hub has got; once it is known to have lost something, that stays noted.
    fn save(&self, progress: HubProgress) {
        let mut noted = self.noted.lock().unwrap_or_else(PoisonError::into_inner);
        let is_lost = noted.is_lost || progress.is_lost;
        let progress = HubProgress {
            is_lost,
            ..progress
        };
        if *noted == progress {
            return;
        }
        match progress.save(&self.path) {
            Ok(()) => *noted = progress,
            Err(error) => {
                noted.is_lost = is_lost;
                tracing::warn!(%error, "how far the hub has got cannot be noted");
            }
        }
    }

    /// A node has proven that the hub had more than it has: from now on it serves nobody, this program
    /// ends, and no other serves this database until its operator says that it was put back.
    pub fn lost(&self, own: &Own) {
        tracing::error!(
            "a node holds more than this hub has, signed by it: the folder was put back"
        );
        self.save(HubProgress {
            node: own.node.bytes(),
            epoch: own.epoch,
            is_lost: true,
            ..HubProgress::default()
        });
        self.lost.send_replace(true);
    }

    /// Whether that has been proven.
    pub fn is_lost(&self) -> bool {
        *self.lost.borrow()
    }

    /// Ends when it has been proven.
    pub async fn proven_lost(&self) {
        // The sender lives as long as `self`.
        let _ = self.lost.subscribe().wait_for(|is_lost| *is_lost).await;
    }
}

/// Notes how far the hub has got whenever somebody has written, as long as the hub runs.
pub async fn note(app: App, mut commits: watch::Receiver<u64>) {
    loop {
        let own = app.own;
        let read = app.store.read::<_, HubError>(move |tx| Ok(of(tx, &own)?));
        if let Ok(progress) = read.await {
            app.progress.save(progress);
        }
        tokio::time::sleep(REST).await;
        if commits.changed().await.is_err() {
            return;
        }
    }
}
