//! Backups of the hub, and the way back.
//!
//! A plain backup is the database alone; a protected one has the keys too, in an archive encrypted
//! for a passphrase or a recipient (age). A restore replaces the incarnation, so that every node
//! tells what it holds before anything is decided; the register of revocations and used codes is
//! never taken back.

use std::fs::File;
use std::io::{BufReader, BufWriter, Read, Write};
use std::path::{Path, PathBuf};

use age::secrecy::SecretString;
use anyhow::{Context as _, ensure};
use domain::id::{Incarnation, NodeId, OfficeId};
use store::StoreError;
use store::hub::{Journal, Node};
use store::open::Side;
use transport::file;
use transport::keys::HubIdentity;
use transport::lock::{OpenLock, ServeLock};
use transport::revoked::{AppendOnlyRegister, Entry};
use zip::write::SimpleFileOptions;

use crate::app::{self, App, Own};
use crate::progress;
use crate::recovery::{self, PutBack};
use crate::work::Work;

/// How a protected backup begins.
const PROTECTED: &[u8] = b"age-encryption.org/";
/// Restores that may have happened unseen before one on an empty machine.
const UNKNOWN_EPOCHS: u32 = 1_000;
const DATABASE: &str = "hub.sqlite";

/// What protects a backup that carries the keys.
pub enum Protection {
    /// The database alone: it is as secret as the place where it lies.
    None,
    /// A passphrase.
    Passphrase(String),
    /// An age recipient, `age1…`.
    Recipient(String),
}

/// A backup that was written.
#[derive(Debug)]
pub struct Written {
    /// Its size.
    pub bytes: u64,
    /// How far each journal stands in it.
    pub journals: Vec<Journal>,
    /// Whether it was read back and is what was to be written; only the holder of the secret key can
    /// do that with a backup for a recipient.
    pub is_verified: bool,
}

/// Writes a backup while work goes on, and reads it back.
///
/// # Errors
/// A file that is there already; whatever cannot be read or written.
pub fn backup(app: &App, file: &Path, protection: &Protection) -> anyhow::Result<Written> {
    ensure!(
        !file.exists(),
        "{} exists already 文件已存在",
        file.display()
    );
    let folder = file
        .parent()
        .filter(|p| !p.as_os_str().is_empty())
        .unwrap_or(Path::new("."));
    let work = Work::take(&app.folder)?;
    let copy = work.path().join(DATABASE);
    store::open::copy(&store::open::reader(&app.database())?, &copy)?;
    let reader = store::open::reader(&copy)?;
    let journals = store::Tx::on(&reader).journals()?;
    drop(reader);
    let wanted = hash_of(&copy)?;
    // Where the backup goes, others may look: a protected one is never there in plain, not for a moment.
    let mut out = tempfile::Builder::new()
        .prefix(".lianxin-backup-")
        .tempfile_in(folder)?;
    match protection {
        Protection::None => {
            std::io::copy(&mut File::open(&copy)?, &mut out)?;
        }
        Protection::Passphrase(text) => {
            let encryptor = age::Encryptor::with_user_passphrase(SecretString::from(text.clone()));
            protect(app, &copy, out.as_file_mut(), encryptor)?;
        }
        Protection::Recipient(text) => {
            let recipient: age::x25519::Recipient = text
                .parse()
                .map_err(|why| anyhow::anyhow!("not an age recipient: {why}"))?;
            let all = std::iter::once(&recipient as &dyn age::Recipient);
            let encryptor = age::Encryptor::with_recipients(all)?;
            protect(app, &copy, out.as_file_mut(), encryptor)?;
        }
    }
    let is_verified = keep(out, file, work.path(), protection, wanted)?;
    Ok(Written {
        bytes: std::fs::metadata(file)?.len(),
        journals,
        is_verified,
    })
}

/// Gives a backup its name once it was read back: what does not read back is no backup, and leaves nothing behind.
/// Whether it could be read.
fn keep(
    out: tempfile::NamedTempFile,
    file: &Path,
    work: &Path,
    protection: &Protection,
    wanted: blake3::Hash,
) -> anyhow::Result<bool> {
    out.as_file().sync_all()?;
    let is_verified = match protection {
        // The secret key is elsewhere, on purpose.
        Protection::Recipient(_) => false,
        Protection::None | Protection::Passphrase(_) => {
            let again = work.join("again");
            file::create_private_folder(&again)?;
            let read = unpack(out.path(), &again, protection)?;
            ensure!(
                hash_of(&read)? == wanted,
                "the backup does not read back: try another disk 备份读回校验失败,请更换磁盘"
            );
            true
        }
    };
    out.persist(file)?;
    file::sync_folder_of(file)?;
    Ok(is_verified)
}

fn hash_of(file: &Path) -> std::io::Result<blake3::Hash> {
    let mut hasher = blake3::Hasher::new();
    std::io::copy(&mut File::open(file)?, &mut hasher)?;
    Ok(hasher.finalize())
}

/// Forgets the backups whose files are kept no more.
///
/// # Errors
/// The store's own.
pub fn look_after(tx: store::Tx<'_>) -> Result<(), StoreError> {
    for backup in tx.backups()? {
        let is_kept = std::fs::metadata(&backup.file).is_ok_and(|file| file.len() == backup.bytes);
        if !is_kept {
            tx.drop_backup(backup.number)?;
        }
    }
    Ok(())
}

/// Packs database and keys into an encrypted archive.
fn protect(
    app: &App,
    copy: &Path,
    out: &mut File,
    encryptor: age::Encryptor,
) -> anyhow::Result<()> {
    let sink = encryptor.wrap_output(BufWriter::new(out))?;
    let mut archive = zip::ZipWriter::new_stream(sink);
    let options = SimpleFileOptions::default().large_file(true);
    archive.start_file(DATABASE, options)?;
    std::io::copy(&mut File::open(copy)?, &mut archive)?;
    for entry in std::fs::read_dir(app::keys_folder(&app.folder))? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        archive.start_file(format!("keys/{name}"), options)?;
        std::io::copy(&mut File::open(entry.path())?, &mut archive)?;
    }
    archive.finish()?.into_inner().finish()?.flush()?;
    Ok(())
}

/// Puts a backup in the place of the hub's database, and lets the hub recover. What was there is
/// kept beside it; the answer says where.
///
/// # Errors
/// A hub that is being served, a file that is no backup, damaged, or another hub's, a wrong passphrase.
pub fn restore(
    folder: &Path,
    file: &Path,
    protection: &Protection,
) -> anyhow::Result<Option<PathBuf>> {
    std::fs::create_dir_all(folder)?;
    let _lock = ServeLock::acquire(folder)?;
    let _alone = alone(folder)?;
    let work = Work::take(folder)?;
    let fresh = unpack(file, work.path(), protection)?;
    let keys = work.path().join("keys");
    ensure!(
        keys.exists() || app::keys_folder(folder).exists(),
        "the backup has no keys and the folder has none: use a protected backup \
         备份中不含密钥,请使用带口令的备份"
    );
    let current = folder.join(DATABASE);
    let former = current
        .exists()
        .then(|| app::own_in(&current))
        .transpose()
        .unwrap_or_default();
    let no_backup = || format!("{} is not a backup of a hub 不是中心的备份", file.display());
    app::own_in(&fresh).with_context(no_backup)?;
    expect_ours(folder, former, &fresh, &keys)?;
    begin_again(&fresh, folder, former, PutBack::Told).with_context(no_backup)?;
    let aside = store::open::put_aside(&current)?;
    store::open::put_in_place(&fresh, &current)?;
    if keys.exists() {
        store::open::put_aside(&app::keys_folder(folder))?;
        std::fs::rename(&keys, app::keys_folder(folder))?;
    }
    file::sync_folder_of(&current)?;
    Ok(aside)
}

/// Refuses a backup of another hub than the one of the folder, as far as database, note and keys there say which
/// that is: its nodes would find a stranger, and its data would lie aside.
fn expect_ours(
    folder: &Path,
    former: Option<Own>,
    fresh: &Path,
    keys: &Path,
) -> anyhow::Result<()> {
    let reader = store::open::reader(fresh)?;
    let tx = store::Tx::on(&reader);
    let node = match former {
        Some(former) => Some(former.node),
        None => progress::noted_node(folder)?,
    };
    let root = if keys.exists() {
        Some(HubIdentity::load(keys)?.root_hash())
    } else {
        app::root_of(tx)?
    };
    // Keys that cannot be read say nothing: the backup's are to come in their place.
    let root_here = HubIdentity::load(&app::keys_folder(folder)).ok();
    let root_here = root_here.map(|identity| identity.root_hash());
    let own = app::own_of(tx)?;
    let is_other_node = node.is_some_and(|node| node != own.node);
    let is_other_root = root.zip(root_here).is_some_and(|(root, here)| root != here);
    ensure!(
        !is_other_node && !is_other_root,
        "this is a backup of another hub than the one in {}: nothing was changed. Put it back in an empty folder \
         这是另一个中心的备份,未做任何改动;如确需恢复该中心,请指定一个空文件夹",
        folder.display()
    );
    Ok(())
}

/// Nobody else has the database open. What a command still wrote would lie in the file that is put aside, or under the
/// hub's places of before.
///
/// # Errors
/// Where somebody has.
fn alone(folder: &Path) -> anyhow::Result<OpenLock> {
    OpenLock::take(folder)?.context(
        "another command is at work in this folder: try again when it has ended \
         另有命令正在使用此数据文件夹,请待其结束后重试恢复",
    )
}

/// Says that the database that is there was put back: the hub goes on from it as a restored one. A power
/// cut after syncs that lied leaves pages of different times, so all that it says is checked first.
///
/// # Errors
/// Where it is served, there is none, its keys are not there, or it does not agree with itself: then a backup is to be
/// restored.
pub fn begin_here(folder: &Path) -> anyhow::Result<()> {
    let _lock = ServeLock::acquire(folder)?;
    let _alone = alone(folder)?;
    let current = folder.join(DATABASE);
    ensure!(
        current.exists(),
        "no hub in {} 该文件夹中没有中心",
        folder.display()
    );
    let identity = HubIdentity::load(&app::keys_folder(folder))?;
    app::prove_marked(&current, &identity)?;
    let reader = store::open::reader(&current)?;
    crate::cli::verify::check(store::Tx::on(&reader), &identity).context(
        "the database is damaged: restore the newest backup instead 数据库已损坏,请改为恢复最近一次备份",
    )?;
    drop(reader);
    let former = Some(app::own_in(&current)?);
    begin_again(&current, folder, former, PutBack::Unnoticed)
}

/// Lets the hub of an older database go on as a restored one: with an incarnation and an epoch of its
/// own, waiting for what its nodes hold. `folder` has the register; `former` is the hub that the
/// database replaces.
///
/// # Errors
/// A file that is not a hub's database, or damaged.
pub fn begin_again(
    database: &Path,
    folder: &Path,
    former: Option<Own>,
    how: PutBack,
) -> anyhow::Result<()> {
    let mut connection = store::open::writer(database, Side::Hub)?;
    store::open::check(&connection, Side::Hub)?;
    store::writer::write_on::<_, anyhow::Error>(&mut connection, |tx| {
        let before = app::own_of(tx)?;
        let noted = progress::noted(folder, &before)?.map(|noted| noted.epoch);
        let former_epoch = former.map(|former| former.epoch).max(noted);
        let incarnation = Incarnation::new(system::random_16()?);
        // Put back where nothing tells how far the epochs had gone: far beyond them.
        let epoch = match former_epoch {
            Some(former) => former.max(before.epoch) + 1,
            None => before.epoch + 1 + UNKNOWN_EPOCHS,
        };
        let own = Own {
            epoch,
            incarnation,
            ..before
        };
        recovery::begin(tx, &own, how, system::now_ms())?;
        Ok(apply_register(tx, folder)?)
    })
}

/// Revocations, removals, used codes and machines that the backup does not know of stay.
fn apply_register(tx: store::Tx<'_>, folder: &Path) -> Result<(), StoreError> {
    let path = app::register_path(folder);
    if !path.exists() {
        crate::leases::note_register_lost(tx)?;
    }
    let register =
        AppendOnlyRegister::open(&path).map_err(|error| StoreError::Disk(error.to_string()))?;
    for (entry, at) in register.entries() {
        match entry {
            Entry::Enrolled {
                node,
                office,
                verifying_key,
            } => {
                let id = NodeId::new(node);
                if tx.node(id)?.is_none() {
                    let node = Node::new(id, OfficeId::new(office), verifying_key);
                    tx.insert_node(&node, at.cast_unsigned())?;
                }
            }
            Entry::UsedCode(hash) => tx.drop_code(&hash)?,
            Entry::RevokedNode(_) | Entry::Purged { .. } | Entry::Leased { .. } => {}
        }
    }
    crate::register::carry_out(tx, &register)
}

/// The database of a backup as a file of its own.
fn unpack(file: &Path, work: &Path, protection: &Protection) -> anyhow::Result<PathBuf> {
    let fresh = work.join(DATABASE);
    let mut head = [0; PROTECTED.len()];
    let mut source = BufReader::new(
        File::open(file).with_context(|| format!("cannot read {}", file.display()))?,
    );
    let is_protected = source.read_exact(&mut head).is_ok() && head == PROTECTED;
    if !is_protected {
        std::io::copy(&mut File::open(file)?, &mut file::create_secret(&fresh)?)?;
        return Ok(fresh);
    }
    let decryptor = age::Decryptor::new_buffered(BufReader::new(File::open(file)?))?;
    let mut plain = match protection {
        Protection::None => anyhow::bail!("a passphrase or key is needed 需要口令或密钥"),
        Protection::Passphrase(text) => {
            let identity = age::scrypt::Identity::new(SecretString::from(text.clone()));
            decryptor.decrypt(std::iter::once(&identity as &dyn age::Identity))
        }
        Protection::Recipient(text) => {
            let identity: age::x25519::Identity = text
                .parse()
                .map_err(|why| anyhow::anyhow!("not an age key: {why}"))?;
            decryptor.decrypt(std::iter::once(&identity as &dyn age::Identity))
        }
    }
    .context("the passphrase or key does not open this backup 口令或密钥不对")?;
    let archive = work.join("archive");
    std::io::copy(&mut plain, &mut file::create_secret(&archive)?)?;
    let mut archive = zip::ZipArchive::new(File::open(&archive)?)?;
    for index in 0..archive.len() {
        let mut entry = archive.by_index(index)?;
        // Only names that a backup writes; nothing leads out of the folder.
        let name = entry.name()?.into_owned();
        let target = match name.split_once('/') {
            None if name == DATABASE => fresh.clone(),
            Some(("keys", name)) if !name.contains(['/', '\\']) && !name.contains("..") => {
                file::create_private_folder(&work.join("keys"))?;
                work.join("keys").join(name)
            }
            _ => continue,
        };
        let mut made = file::create_secret(&target)?;
        std::io::copy(&mut entry, &mut made)?;
        made.sync_all()?;
    }
    Ok(fresh)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use std::collections::BTreeMap;

    use age::secrecy::ExposeSecret as _;
    use domain::id::{ChangeId, RecordId};
    use domain::kind::Class;
    use domain::kinds::person;
    use domain::record::{Life, Record, RecordKey, Version};

    use super::*;

    /// A record of an office.
    fn record_of(office: OfficeId) -> Record {
        Record {
            key: RecordKey {
                kind: person::KIND_NUMBER,
                id: RecordId::new([3; 16]),
            },
            class: Class::Shared,
            office,
            revision: 1,
            life: Life::Alive,
            life_version: Version {
                change: ChangeId {
                    node: NodeId::new([1; 16]),
                    epoch: 1,
                    sequence: 1,
                },
                ordered_at: 0,
            },
            fields: BTreeMap::new(),
        }
    }

    /// Why no recovery begins at a hub that has this record and no other, spoilt by a statement.
    fn refused_with(record: &Record, spoilt_by: &str) -> String {
        let folder = tempfile::tempdir().unwrap();
        app::init(folder.path(), "hub", &[]).unwrap();
        begin_here(folder.path()).unwrap();
        let database = folder.path().join(DATABASE);
        let mut connection = store::open::writer(&database, Side::Hub).unwrap();
        store::writer::write_on::<_, StoreError>(&mut connection, |tx| tx.write_record(record))
            .unwrap();
        connection.execute_batch(spoilt_by).unwrap();
        drop(connection);
        let refused = format!("{:#}", begin_here(folder.path()).unwrap_err());
        assert!(refused.contains("restore the newest backup"), "{refused}");
        refused
    }

    /// S1, S2: a command that has the database open would write on at the hub's places of before: neither a recovery nor
    /// a restore begins beside it.
    #[test]
    fn nothing_is_put_back_under_a_command() {
        let folder = tempfile::tempdir().unwrap();
        app::init(folder.path(), "hub", &[]).unwrap();
        let file = folder.path().join("hub.backup");
        std::fs::copy(folder.path().join(DATABASE), &file).unwrap();
        let command = App::open(folder.path()).unwrap();
        assert!(begin_here(folder.path()).is_err());
        assert!(restore(folder.path(), &file, &Protection::None).is_err());
        drop(command);
        begin_here(folder.path()).unwrap();
        restore(folder.path(), &file, &Protection::None).unwrap();
    }

    /// S1, S2: a hub that was put back by `restore` has decided nothing since the backup; one whose folder was put
    /// back has.
    #[test]
    fn only_who_restores_a_backup_says_that_nothing_was_decided_since() {
        let folder = tempfile::tempdir().unwrap();
        let (from, new) = (folder.path().join("hub"), folder.path().join("new"));
        app::init(&from, "hub", &[]).unwrap();
        let is_told = |hub: &Path| {
            let reader = store::open::reader(&hub.join(DATABASE)).unwrap();
            recovery::goes_on_from_backup(store::Tx::on(&reader), &[]).unwrap()
        };
        let file = folder.path().join("hub.backup");
        std::fs::copy(from.join(DATABASE), &file).unwrap();
        begin_here(&from).unwrap();
        assert!(!is_told(&from));
        restore(&from, &file, &Protection::None).unwrap();
        assert!(is_told(&from));
        std::fs::create_dir(&new).unwrap();
        std::fs::rename(app::keys_folder(&from), app::keys_folder(&new)).unwrap();
        restore(&new, &file, &Protection::None).unwrap();
        assert!(is_told(&new), "on a machine that has no database");
    }

    /// S17: what a protected backup protects is never in plain where the backup goes, and whoever looks into the
    /// folder into which it is put back cannot read the keys.
    #[test]
    fn a_protected_backup_is_made_in_private_and_its_keys_are_their_owners_only() {
        let folder = tempfile::tempdir().unwrap();
        let [from, new, stick] = ["hub", "new", "stick"].map(|name| folder.path().join(name));
        app::init(&from, "hub", &[]).unwrap();
        std::fs::create_dir(&stick).unwrap();
        let on_stick = || std::fs::read_dir(&stick).unwrap().count();
        let file = stick.join("hub.age");
        let secret = age::x25519::Identity::generate();
        let recipient = Protection::Recipient(secret.to_public().to_string());
        let hub = App::open(&from).unwrap();
        let work = Work::take(&from).unwrap();
        let refused = backup(&hub, &file, &recipient).unwrap_err().to_string();
        assert!(refused.contains("another backup"), "{refused}");
        assert_eq!(on_stick(), 0, "it is made in the hub's own folder");
        drop(work);
        backup(&hub, &file, &recipient).unwrap();
        assert_eq!(on_stick(), 1);
        let key = Protection::Recipient(secret.to_string().expose_secret().to_owned());
        restore(&new, &file, &key).unwrap();
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            for entry in std::fs::read_dir(app::keys_folder(&new)).unwrap() {
                let path = entry.unwrap().path();
                let mode = std::fs::metadata(&path).unwrap().permissions().mode();
                assert_eq!(mode & 0o777, 0o600, "{}", path.display());
            }
        }
        App::open(&new).unwrap();
    }

    /// S16: what does not read back never has a backup's name, and leaves nothing behind where it was to be.
    #[test]
    fn what_does_not_read_back_is_never_called_a_backup() {
        let folder = tempfile::tempdir().unwrap();
        let [stick, good, bad] = ["stick", "good", "bad"].map(|name| folder.path().join(name));
        for made in [&stick, &good, &bad] {
            std::fs::create_dir(made).unwrap();
        }
        let file = stick.join("hub.backup");
        let keep_one = |work: &Path, wanted: &[u8]| {
            let mut out = tempfile::NamedTempFile::new_in(&stick).unwrap();
            out.write_all(b"as it is on the disk").unwrap();
            keep(out, &file, work, &Protection::None, blake3::hash(wanted))
        };
        let refused = keep_one(&bad, b"as it was written").unwrap_err();
        assert!(refused.to_string().contains("read back"), "{refused}");
        assert_eq!(std::fs::read_dir(&stick).unwrap().count(), 0);
        assert!(keep_one(&good, b"as it is on the disk").unwrap());
        assert!(file.exists());
    }

    /// S1, S18: the backup of another hub is refused, with the database there and with its keys alone.
    #[test]
    fn a_backup_of_another_hub_is_not_put_into_the_folder_of_one() {
        let folder = tempfile::tempdir().unwrap();
        let [ours, other] = ["ours", "other"].map(|name| folder.path().join(name));
        for hub in [&ours, &other] {
            app::init(hub, "hub", &[]).unwrap();
        }
        let (current, file) = (ours.join(DATABASE), folder.path().join("other.backup"));
        std::fs::copy(other.join(DATABASE), &file).unwrap();
        let expect_refused = || {
            let refused = restore(&ours, &file, &Protection::None).unwrap_err();
            assert!(
                format!("{refused:#}").contains("another hub"),
                "{refused:#}"
            );
        };
        let node = || app::own_in(&current).unwrap().node;
        let before = node();
        expect_refused();
        assert_eq!(node(), before);
        let own = folder.path().join("own.backup");
        std::fs::rename(&current, &own).unwrap();
        expect_refused();
        assert!(!current.exists());
        restore(&ours, &own, &Protection::None).unwrap();
    }

    /// P8, S13: syncs that lied leave a record without its place in any feed, and no node would ever read it.
    #[test]
    fn a_recovery_does_not_begin_from_a_record_that_is_in_no_feed() {
        let refused = refused_with(&record_of(OfficeId::new([2; 16])), "");
        assert!(refused.contains("is in no feed"), "{refused}");
    }

    /// D2, S13: nor from one of the desk's own, which no feed has, and of which a byte is another one.
    #[test]
    fn a_recovery_does_not_begin_from_a_damaged_record_of_the_desk() {
        let spoilt = "UPDATE person SET row_hash = zeroblob(32)";
        let refused = refused_with(&record_of(domain::id::DESK), spoilt);
        assert!(refused.contains("is damaged"), "{refused}");
    }
}
