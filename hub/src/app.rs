//! An opened data folder: store, keys, and who this hub is.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use anyhow::{Context as _, ensure};
use domain::id::{ChangeId, Incarnation, NodeId};
use store::open::Side;
use store::writer::Store;
use store::{StoreError, Tx};
use transport::keys::HubIdentity;
use transport::lock::OpenLock;
use transport::revoked::AppendOnlyRegister;

use crate::progress::{self, Keeper};

const DATABASE: &str = "hub.sqlite";
const KEYS: &str = "keys";
const REGISTER: &str = "register.txt";
/// The setting with the hash of the root's public key: with which keys the database belongs together.
const ROOT: &str = "root";

/// Everything that the hub's parts share.
#[derive(Debug, Clone)]
pub struct App {
    /// The store.
    pub store: Store,
    /// Keys and certificates.
    pub identity: Arc<HubIdentity>,
    /// Revocations and used codes, which no restore takes back.
    pub register: Arc<Mutex<AppendOnlyRegister>>,
    /// Whose journal the hub's own is.
    pub own: Own,
    /// How far it has got, noted beside the database.
    pub progress: Arc<Keeper>,
    /// Where it all lies.
    pub folder: PathBuf,
    /// While it is held, no restore puts the database aside; none in a simulation.
    _open: Option<Arc<OpenLock>>,
}

/// The hub's own journal and incarnation.
#[derive(Debug, Clone, Copy)]
pub struct Own {
    /// The node id of the hub's journal.
    pub node: NodeId,
    /// Its epoch; a restored hub goes on in another.
    pub epoch: u32,
    /// The value that a restore replaces.
    pub incarnation: Incarnation,
}

impl Own {
    /// A place in the hub's own journal.
    pub const fn change(&self, sequence: u64) -> ChangeId {
        ChangeId {
            node: self.node,
            epoch: self.epoch,
            sequence,
        }
    }
}

/// Makes a new hub in a folder.
///
/// # Errors
/// Where there is one already, or the folder cannot be written.
pub fn init(folder: &Path, name: &str, hosts: &[String]) -> anyhow::Result<()> {
    std::fs::create_dir_all(folder)?;
    let now = system::now_ms().cast_signed();
    let identity = HubIdentity::create(&folder.join(KEYS), name, hosts, now)?;
    let mut connection = store::open::writer(&folder.join(DATABASE), Side::Hub)?;
    let (node, incarnation) = (system::random_16()?, system::random_16()?);
    store::writer::write_on::<_, StoreError>(&mut connection, |tx| {
        tx.set_setting(ROOT, &identity.root_hash())?;
        tx.set_setting("hub_node", &node)?;
        tx.set_setting("hub_epoch", &1u32.to_be_bytes())?;
        tx.set_setting("incarnation", &incarnation)
    })?;
    Ok(())
}

impl App {
    /// Opens a folder that [`init`] made, and carries out what only the register has.
    ///
    /// # Errors
    /// Where there is none, it is being put back, it cannot be read, or it is older than what the hub has promised
    /// ([`progress::Behind`]).
    pub fn open(folder: &Path) -> anyhow::Result<Self> {
        ensure!(
            folder.join(KEYS).exists(),
            "no hub in {} 该文件夹中没有中心",
            folder.display()
        );
        let open = OpenLock::share(folder)?.context(
            "a backup is being put back here: try again when it has ended 正在恢复备份,请待其结束后重试",
        )?;
        let app = Self::open_on(folder, Store::open)?;
        Ok(Self {
            _open: Some(Arc::new(open)),
            ..app
        })
    }

    /// As [`App::open`], with a store that `open_store` opens: a simulation has its own.
    ///
    /// # Errors
    /// As [`App::open`].
    pub fn open_on(
        folder: &Path,
        open_store: impl FnOnce(PathBuf, Side) -> Result<Store, StoreError>,
    ) -> anyhow::Result<Self> {
        let identity = HubIdentity::load(&folder.join(KEYS))?;
        let path = folder.join(DATABASE);
        // Before the database: what stands in it was committed first.
        let register = AppendOnlyRegister::open(&register_path(folder))?;
        prove_marked(&path, &identity)?;
        let mut connection = store::open::writer(&path, Side::Hub)?;
        let own = own_of(Tx::on(&connection))?;
        progress::check(Tx::on(&connection), &own, folder)?;
        progress::check_machines(Tx::on(&connection), &register)?;
        if !crate::register::missing(Tx::on(&connection), &register)?.is_empty() {
            store::writer::write_on::<_, StoreError>(&mut connection, |tx| {
                crate::register::carry_out(tx, &register)
            })?;
        }
        drop(connection);
        Ok(Self {
            store: open_store(path, Side::Hub)?,
            identity: Arc::new(identity),
            register: Arc::new(Mutex::new(register)),
            own,
            progress: Arc::new(Keeper::new(folder)),
            folder: folder.to_path_buf(),
            _open: None,
        })
    }

    /// Where the database lies.
    pub fn database(&self) -> PathBuf {
        self.folder.join(DATABASE)
    }
}

/// Who the hub of a database is.
///
/// # Errors
/// A database that is not a hub's.
pub fn own_of(tx: Tx<'_>) -> Result<Own, StoreError> {
    let sixteen = |name| -> Result<[u8; 16], StoreError> {
        let bytes = tx.setting(name)?.unwrap_or_default();
        bytes
            .try_into()
            .map_err(|_| StoreError::Unreadable("the hub's own identity"))
    };
    let epoch = tx.setting("hub_epoch")?.unwrap_or_default();
    let epoch = epoch
        .try_into()
        .map_err(|_| StoreError::Unreadable("the hub's own epoch"))?;
    Ok(Own {
        node: NodeId::new(sixteen("hub_node")?),
        epoch: u32::from_be_bytes(epoch),
        incarnation: Incarnation::new(sixteen("incarnation")?),
    })
}

/// The hash of the public key of the root that a database belongs to, as enrolment codes have it; none in one that
/// does not say.
///
/// # Errors
/// The store's own.
pub fn root_of(tx: Tx<'_>) -> Result<Option<[u8; 32]>, StoreError> {
    Ok(tx.setting(ROOT)?.and_then(|root| root.try_into().ok()))
}

/// Looks at a database that may be half copied ([`store::open::prove_marked`]).
///
/// # Errors
/// Where it is.
pub fn prove_marked(database: &Path, identity: &HubIdentity) -> Result<(), StoreError> {
    let proves = |tx: Tx<'_>| crate::cli::verify::check(tx, identity).map(drop);
    store::open::prove_marked(database, Side::Hub, proves)
}

/// Who the hub of a database file is.
///
/// # Errors
/// A file that is not a hub's database.
pub fn own_in(database: &Path) -> anyhow::Result<Own> {
    let connection = store::open::writer(database, Side::Hub)?;
    Ok(own_of(Tx::on(&connection))?)
}

/// Where the keys lie.
pub fn keys_folder(folder: &Path) -> PathBuf {
    folder.join(KEYS)
}

/// Where the register of revocations and used codes lies.
pub fn register_path(folder: &Path) -> PathBuf {
    folder.join(REGISTER)
}
