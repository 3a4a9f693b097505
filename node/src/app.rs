//! An opened data folder: store, keys, and who this node is.

use std::path::{Path, PathBuf};

use domain::id::{NodeId, OfficeId};
use store::open::Side;
use store::writer::Store;
use transport::keys::NodeKeys;

const DATABASE: &str = "node.sqlite";
const KEYS: &str = "node-keys.toml";

/// Everything that the node's parts share.
#[derive(Debug, Clone)]
pub struct App {
    /// The store.
    pub store: Store,
    /// Where it all lies.
    pub folder: PathBuf,
    /// Whose journal is written.
    pub own: Own,
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

/// Makes a new node's folder.
///
/// # Errors
/// Where it cannot be written.
pub fn init(folder: &Path) -> anyhow::Result<()> {
    std::fs::create_dir_all(folder)?;
    drop(store::open::writer(&folder.join(DATABASE), Side::Node)?);
    Ok(())
}

impl App {
    /// Opens a folder that [`init`] made.
    ///
    /// # Errors
    /// Where there is none, it cannot be read, or its keys are another machine's.
    pub fn open(folder: &Path) -> anyhow::Result<Self> {
        let path = folder.join(DATABASE);
        anyhow::ensure!(
            path.exists(),
            "no node in {}: run init first 该文件夹尚未初始化",
            folder.display()
        );
        let keys = NodeKeys::load(&folder.join(KEYS))?;
        let own = keys
            .identity
            .as_ref()
            .map_or_else(Own::default, |identity| Own {
                node: NodeId::new(identity.node),
                epoch: identity.epoch,
                office: OfficeId::new(identity.office),
            });
        let app = Self {
            store: Store::open(path, Side::Node)?,
            folder: folder.to_path_buf(),
            own,
        };
        Ok(app)
    }

    /// The key file as it is now.
    ///
    /// # Errors
    /// Where it is broken.
    pub fn keys(&self) -> anyhow::Result<NodeKeys> {
        Ok(NodeKeys::load(&self.keys_path())?)
    }

    /// Where the key file lies.
    pub fn keys_path(&self) -> PathBuf {
        self.folder.join(KEYS)
    }

    /// Where the database lies.
    pub fn database(&self) -> PathBuf {
        self.folder.join(DATABASE)
    }

    /// The name of this office's feed.
    pub fn office_feed(&self) -> String {
        format!("office/{}", self.own.office)
    }
}

/// Where the database of a folder lies.
pub fn database_in(folder: &Path) -> PathBuf {
    folder.join(DATABASE)
}
