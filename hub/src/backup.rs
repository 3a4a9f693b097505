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
use domain::id::{Incarnation, NodeId, OfficeId, RecordId};
use store::StoreError;
use store::hub::{Journal, Node};
use store::open::Side;
use transport::lock::ServeLock;
use transport::revoked::{AppendOnlyRegister, Entry};
use zip::write::SimpleFileOptions;

use crate::app::{self, App, Own};
use crate::progress;
use crate::recovery::{self, PutBack};

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
    let work = tempfile::Builder::new()
        .prefix(".lianxin-backup-")
        .tempdir_in(folder)?;
    let copy = work.path().join(DATABASE);
    store::open::copy(&store::open::reader(&app.database())?, &copy)?;
    let reader = store::open::reader(&copy)?;
    let journals = store::Tx::on(&reader).journals()?;
    drop(reader);
    let wanted = hash_of(&copy)?;
    let done = match protection {
        Protection::None => copy,
        Protection::Passphrase(text) => {
            let encryptor = age::Encryptor::with_user_passphrase(SecretString::from(text.clone()));
            protect(app, &copy, work.path(), encryptor)?
        }
        Protection::Recipient(text) => {
            let recipient: age::x25519::Recipient = text
                .parse()
                .map_err(|why| anyhow::anyhow!("not an age recipient: {why}"))?;
            let all = std::iter::once(&recipient as &dyn age::Recipient);
            protect(
                app,
                &copy,
                work.path(),
                age::Encryptor::with_recipients(all)?,
            )?
        }
    };
    File::open(&done)?.sync_all()?;
    std::fs::rename(&done, file)?;
    File::open(folder)?.sync_all()?;
    let is_verified = match protection {
        // The secret key is elsewhere, on purpose.
        Protection::Recipient(_) => false,
        Protection::None | Protection::Passphrase(_) => {
            let again = work.path().join("again");
            std::fs::create_dir(&again)?;
            let read = unpack(file, &again, protection)?;
            ensure!(
                hash_of(&read)? == wanted,
                "the backup does not read back: try another disk 备份读回校验失败,请更换磁盘"
            );
            true
        }
    };
    Ok(Written {
        bytes: std::fs::metadata(file)?.len(),
        journals,
        is_verified,
    })
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
    work: &Path,
    encryptor: age::Encryptor,
) -> anyhow::Result<PathBuf> {
    let out = work.join("protected");
    let sink = encryptor.wrap_output(BufWriter::new(File::create(&out)?))?;
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
    Ok(out)
}

/// Puts a backup in the place of the hub's database, and lets the hub recover. What was there is
/// kept beside it; the answer says where.
///
/// # Errors
/// A hub that is being served, a file that is no backup or damaged, a wrong passphrase.
pub fn restore(
    folder: &Path,
    file: &Path,
    protection: &Protection,
) -> anyhow::Result<Option<PathBuf>> {
    std::fs::create_dir_all(folder)?;
    let _lock = ServeLock::acquire(folder)?;
    let work = tempfile::Builder::new()
        .prefix(".lianxin-restore-")
        .tempdir_in(folder)?;
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
    begin_again(&fresh, folder, former, PutBack::Told)
        .with_context(|| format!("{} is not a backup of a hub 不是中心的备份", file.display()))?;
    let aside = store::open::put_aside(&current)?;
    for ending in ["", "-wal"] {
        let name = format!("{DATABASE}{ending}");
        if work.path().join(&name).exists() {
            std::fs::rename(work.path().join(&name), folder.join(&name))?;
        }
    }
    if keys.exists() {
        if app::keys_folder(folder).exists() {
            store::open::put_aside(&app::keys_folder(folder))?;
        }
        std::fs::rename(&keys, app::keys_folder(folder))?;
    }
    Ok(aside)
}

/// Says that the database that is there was put back: the hub goes on from it as a restored one. A power
/// cut after syncs that lied leaves pages of different times, so all that it says is checked first.
///
/// # Errors
/// Where it is served, there is none, or it does not agree with itself: then a backup is to be restored.
pub fn begin_here(folder: &Path) -> anyhow::Result<()> {
    let _lock = ServeLock::acquire(folder)?;
    let current = folder.join(DATABASE);
    ensure!(
        current.exists(),
        "no hub in {} 该文件夹中没有中心",
        folder.display()
    );
    app::prove_marked(&current)?;
    let reader = store::open::reader(&current)?;
    crate::cli::verify::check(store::Tx::on(&reader)).context(
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

/// Revocations, used codes and machines that the backup does not know of stay.
fn apply_register(tx: store::Tx<'_>, folder: &Path) -> Result<(), StoreError> {
    let path = app::register_path(folder);
    if !path.exists() {
        crate::leases::note_register_lost(tx)?;
    }
    let register =
        AppendOnlyRegister::open(&path).map_err(|error| StoreError::Disk(error.to_string()))?;
    let (enrolled, others): (Vec<_>, Vec<_>) = register
        .entries()
        .partition(|(entry, _)| matches!(entry, Entry::Enrolled { .. }));
    for (entry, at) in enrolled.into_iter().chain(others) {
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
            Entry::RevokedNode(node) => {
                tx.revoke_node(NodeId::new(node), at.cast_unsigned())?;
            }
            Entry::UsedCode(hash) => tx.drop_code(&hash)?,
            Entry::Purged(id) => purge_again(tx, RecordId::new(id), at.cast_unsigned())?,
            Entry::Leased { .. } => {}
        }
    }
    Ok(())
}

/// A record that was removed for good after the backup is removed from it too.
fn purge_again(tx: store::Tx<'_>, id: RecordId, at_ms: u64) -> Result<(), StoreError> {
    if let Some(record) = tx.find(id)? {
        tx.purge(record.key, at_ms)?;
    }
    tx.note_purged(id)
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
        std::fs::copy(file, &fresh)?;
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
    std::io::copy(&mut plain, &mut File::create(&archive)?)?;
    let mut archive = zip::ZipArchive::new(File::open(&archive)?)?;
    for index in 0..archive.len() {
        let mut entry = archive.by_index(index)?;
        // Only names that a backup writes; nothing leads out of the folder.
        let name = entry.name()?.into_owned();
        let target = match name.split_once('/') {
            None if name == DATABASE => fresh.clone(),
            Some(("keys", name)) if !name.contains(['/', '\\']) && !name.contains("..") => {
                std::fs::create_dir_all(work.join("keys"))?;
                work.join("keys").join(name)
            }
            _ => continue,
        };
        std::io::copy(&mut entry, &mut File::create(target)?)?;
    }
    Ok(fresh)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use std::collections::BTreeMap;

    use domain::id::ChangeId;
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
        app::init(&new, "hub", &[]).unwrap();
        restore(&new, &file, &Protection::None).unwrap();
        assert!(is_told(&new));
        std::fs::remove_file(new.join(DATABASE)).unwrap();
        restore(&new, &file, &Protection::None).unwrap();
        assert!(is_told(&new), "on a machine that has no database");
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
