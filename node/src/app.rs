//! An opened data folder: store, keys, and who this node is.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context as _, ensure};
use domain::id::{NodeId, OfficeId};
use store::open::Side;
use store::writer::Store;
use store::{StoreError, Tx};
use transport::keys::NodeKeys;
use transport::keys::node::KeptKeys;
use transport::lock::OpenLock;

use crate::line::{Dial, OverTls};
use crate::rewrite;

const DATABASE: &str = "node.sqlite";
const KEYS: &str = "node-keys.toml";
const MARKS: &str = "node-letter-numbers.txt";

/// Everything that the node's parts share.
#[derive(Debug, Clone)]
pub struct App {
    /// The store.
    pub store: Store,
    /// Where it all lies.
    pub folder: PathBuf,
    /// Whose journal is written.
    pub own: Own,
    /// Where the hub is, if somebody said other than what the code did (`host:port`).
    pub hub_addresses: Vec<String>,
    /// How the hub is reached.
    pub dial: Arc<dyn Dial>,
    kept_keys: Arc<KeptKeys>,
    /// While it is held, no restore puts the database aside; none in a simulation.
    _open: Option<Arc<OpenLock>>,
}

/// Whose journal the node writes; zero everywhere before it is enrolled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Own {
    /// The node.
    pub node: NodeId,
    /// Its epoch.
    pub epoch: u32,
    /// Its office.
    pub office: OfficeId,
}

/// The setting with the identity and epoch under which this store's journal is written.
const OWN: &str = "own";

impl Own {
    /// Whose journal the machine with these keys writes.
    pub fn of_keys(keys: &NodeKeys) -> Self {
        keys.identity
            .as_ref()
            .map_or_else(Self::default, |identity| Self {
                node: NodeId::new(identity.node),
                epoch: identity.epoch,
                office: OfficeId::new(identity.office),
            })
    }

    /// The name of the office's feed.
    pub fn office_feed(self) -> String {
        format!("office/{}", self.office)
    }

    /// Whose journal this store is written under now: another process may have enrolled the node or
    /// moved to another epoch since this one looked, and a join that was cut off has changed the journal
    /// and not yet the key file. What is written under any other identity, the hub would never take.
    ///
    /// # Errors
    /// The store's own.
    pub fn in_store(self, tx: Tx<'_>) -> Result<Self, StoreError> {
        let kept = tx.setting(OWN)?.unwrap_or_default();
        let Some(kept) = Self::from_bytes(&kept) else {
            return Ok(self);
        };
        let is_older = kept.node == self.node && kept.epoch < self.epoch;
        Ok(if is_older { self } else { kept })
    }

    /// Writes it into the store, for every process that writes.
    ///
    /// # Errors
    /// The store's own.
    pub fn keep(self, tx: Tx<'_>) -> Result<(), StoreError> {
        let mut bytes = self.node.bytes().to_vec();
        bytes.extend_from_slice(&self.epoch.to_be_bytes());
        bytes.extend_from_slice(&self.office.bytes());
        tx.set_setting(OWN, &bytes)
    }

    /// Refuses to go on as this identity where the store is written under another by now: what a session of this
    /// one sends, and what it was told, is not the other's.
    ///
    /// # Errors
    /// Where it is written under another node, epoch or office; the store's own.
    pub fn expect_in(self, tx: Tx<'_>) -> anyhow::Result<()> {
        ensure!(
            self.in_store(tx)? == self,
            "this machine has joined anew, or gone on in another epoch, since this session began: the next one begins \
             as what it is now 本机身份已变更,本次同步中止,下次同步将使用新身份"
        );
        Ok(())
    }

    fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (node, rest) = bytes.split_at_checked(16)?;
        let (epoch, office) = rest.split_at_checked(4)?;
        Some(Self {
            node: NodeId::from_slice(node).ok()?,
            epoch: u32::from_be_bytes(epoch.try_into().ok()?),
            office: OfficeId::from_slice(office).ok()?,
        })
    }
}

/// Makes a new node's folder.
///
/// # Errors
/// Where it cannot be written.
pub fn init(folder: &Path) -> anyhow::Result<()> {
    std::fs::create_dir_all(folder)?;
    drop(store::open::writer(&folder.join(DATABASE), Side::Node)?);
    Ok(())
}

/// Refuses a folder in which no node was made.
///
/// # Errors
/// Where it is one.
pub fn expect_there(folder: &Path) -> anyhow::Result<()> {
    ensure!(
        folder.join(DATABASE).exists(),
        "no node in {}: run init first 该文件夹尚未初始化",
        folder.display()
    );
    Ok(())
}

impl App {
    /// Opens a folder that [`init`] made.
    ///
    /// # Errors
    /// Where there is none, it is being put back, it cannot be read, or its keys are another machine's.
    pub fn open(folder: &Path) -> anyhow::Result<Self> {
        expect_there(folder)?;
        let open = OpenLock::share(folder)?.context(
            "a backup is being put back here: try again when it has ended 正在恢复备份,请待其结束后重试",
        )?;
        let app = Self::open_on(folder, Store::open, Arc::new(OverTls))?;
        Ok(Self {
            _open: Some(Arc::new(open)),
            ..app
        })
    }

    /// As [`App::open`], with a store that `open_store` opens and the hub at the end of `dial`: a
    /// simulation has its own.
    ///
    /// # Errors
    /// As [`App::open`].
    pub fn open_on(
        folder: &Path,
        open_store: impl FnOnce(PathBuf, Side) -> Result<Store, StoreError>,
        dial: Arc<dyn Dial>,
    ) -> anyhow::Result<Self> {
        expect_there(folder)?;
        let path = folder.join(DATABASE);
        let kept_keys = KeptKeys::default();
        let own = Own::of_keys(&kept_keys.load(&folder.join(KEYS))?);
        store::open::prove_marked(&path, Side::Node, |tx| {
            crate::cli::verify::check(tx, own).map(drop)
        })?;
        Ok(Self {
            kept_keys: Arc::new(kept_keys),
            _open: None,
            store: open_store(path, Side::Node)?,
            folder: folder.to_path_buf(),
            own,
            hub_addresses: Vec::new(),
            dial,
        })
    }

    /// Reads in one snapshot what a session of this identity acts on.
    ///
    /// # Errors
    /// As [`Own::expect_in`]; what `work` says.
    pub async fn read_as_own<T: Send + 'static>(
        &self,
        work: impl FnOnce(Tx<'_>) -> anyhow::Result<T> + Send + 'static,
    ) -> anyhow::Result<T> {
        let own = self.own;
        self.store
            .read(move |tx| {
                own.expect_in(tx)?;
                work(tx)
            })
            .await
    }

    /// Writes in one transaction what a session of this identity was told. Nothing is written where it fails.
    ///
    /// # Errors
    /// As [`Own::expect_in`]; what `work` says.
    pub async fn write_as_own<T: Send + 'static>(
        &self,
        work: impl FnOnce(Tx<'_>) -> anyhow::Result<T> + Send + 'static,
    ) -> anyhow::Result<T> {
        let own = self.own;
        self.store
            .write(move |tx| {
                own.expect_in(tx)?;
                work(tx)
            })
            .await
    }

    /// Changes the key file as it is now, in a session of this identity. A join begins under the store's
    /// lock, and brings the journal under its identity before it writes the keys: while the lock is held here, nobody
    /// else writes them.
    ///
    /// # Errors
    /// As [`Own::expect_in`]; what `change` says; where the file is broken or cannot be written. It is as it was then.
    pub async fn change_keys<T: Send + 'static>(
        &self,
        change: impl FnOnce(&mut NodeKeys) -> anyhow::Result<T> + Send + 'static,
    ) -> anyhow::Result<T> {
        let path = self.keys_path();
        self.write_as_own(move |_| {
            let mut keys = NodeKeys::load(&path)?;
            let changed = change(&mut keys)?;
            keys.save(&path)?;
            Ok(changed)
        })
        .await
    }

    /// The key file as it is now.
    ///
    /// # Errors
    /// Where it is broken.
    pub fn keys(&self) -> anyhow::Result<NodeKeys> {
        Ok(self.kept_keys.load(&self.keys_path())?)
    }

    /// Where the key file lies.
    pub fn keys_path(&self) -> PathBuf {
        self.folder.join(KEYS)
    }

    /// Where the next letter numbers are written down, beside the keys.
    pub fn marks_path(&self) -> PathBuf {
        self.folder.join(MARKS)
    }

    /// Where the database lies.
    pub fn database(&self) -> PathBuf {
        self.folder.join(DATABASE)
    }

    /// The name of this office's feed.
    pub fn office_feed(&self) -> String {
        self.own.office_feed()
    }
}

/// Refuses a database that another machine than that of the keys has written ([`expect_written_by`]).
///
/// # Errors
/// Where it is one; the store's own.
pub fn check_identity(tx: Tx<'_>, keys: &NodeKeys) -> anyhow::Result<()> {
    match (&keys.identity, &keys.enrolment) {
        (Some(identity), None) => expect_written_by(tx, NodeId::new(identity.node)),
        // In the moment of joining the database has the new identity before the key file has.
        _ => Ok(()),
    }
}

/// Refuses a database that another machine has written, or this one before it joined anew: its journal
/// would go on under an identity that is not its own, and another office's records would be shown here.
///
/// # Errors
/// Where it is one; the store's own.
pub fn expect_written_by(tx: Tx<'_>, node: NodeId) -> anyhow::Result<()> {
    ensure!(
        written_by(tx)?.is_none_or(|written| written == node),
        "this database was written by another machine, or before this one joined anew: put this machine's \
         own backup back, or join with a new code in an empty folder \
         此数据库属于另一台电脑(或本机重新入网之前):请恢复本机自己的备份,或在空文件夹中重新入网"
    );
    Ok(())
}

/// The identity under which a database was written; none before it was enrolled.
///
/// # Errors
/// The store's own.
pub fn written_by(tx: Tx<'_>) -> Result<Option<NodeId>, StoreError> {
    let kept = tx.setting(rewrite::IDENTITY)?.unwrap_or_default();
    Ok(NodeId::from_slice(&kept).ok())
}

/// Where the database of a folder lies.
pub fn database_in(folder: &Path) -> PathBuf {
    folder.join(DATABASE)
}

/// Where the key file of a folder lies.
pub fn keys_in(folder: &Path) -> PathBuf {
    folder.join(KEYS)
}
