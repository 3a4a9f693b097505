//! Locks of files, the one that lets one process serve a data folder, and the one that says that its database is open.
//!
//! A lock is the operating system's, so it ends with its process however that ends; a leftover
//! file means nothing. The process number stands in a second file, because Windows lets nobody read
//! a locked one.

use std::fs::{File, OpenOptions, TryLockError};
use std::path::Path;

use same_file::Handle;

use crate::error::TransportError;
use crate::{file, share};

const LOCK_FILE: &str = "serving.lock";
const PID_FILE: &str = "serving.pid";
const OPEN_FILE: &str = "open.lock";

/// Holds a file for this process; dropping it lets go.
#[derive(Debug)]
pub struct FileLock {
    _file: File,
}

/// A way of locking a file without waiting: alone, or with others.
type TryLock = fn(&File) -> Result<(), TryLockError>;

/// What became of locking a file.
enum Locked {
    Held(FileLock),
    ByOther,
    /// It was taken away before it was locked; another may be in its place, and in others' hands.
    Gone,
}

impl FileLock {
    /// Takes the file at `path`, making it where it is not there; none where another process has it.
    /// Does not wait.
    ///
    /// # Errors
    /// [`TransportError::File`].
    pub fn take(path: &Path) -> Result<Option<Self>, TransportError> {
        Self::take_by(path, File::try_lock)
    }

    /// As [`Self::take`], with others who share it; none where another process has it for itself.
    ///
    /// # Errors
    /// [`TransportError::File`].
    pub fn share(path: &Path) -> Result<Option<Self>, TransportError> {
        Self::take_by(path, File::try_lock_shared)
    }

    fn take_by(path: &Path, how: TryLock) -> Result<Option<Self>, TransportError> {
        loop {
            let opened = OpenOptions::new()
                .create(true)
                .truncate(false)
                .write(true)
                .open(path);
            let opened = opened.map_err(TransportError::file(path, "open"))?;
            match Self::lock(opened, path, how)? {
                Locked::Held(lock) => return Ok(Some(lock)),
                Locked::ByOther => return Ok(None),
                Locked::Gone => {}
            }
        }
    }

    fn lock(file: File, path: &Path, how: TryLock) -> Result<Locked, TransportError> {
        match how(&file) {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Ok(Locked::ByOther),
            Err(TryLockError::Error(error)) => {
                return Err(TransportError::file(path, "lock")(error));
            }
        }
        let held = file.try_clone().and_then(Handle::from_file);
        let held = held.map_err(TransportError::file(path, "look at"))?;
        if !Handle::from_path(path).is_ok_and(|there| there == held) {
            return Ok(Locked::Gone);
        }
        Ok(Locked::Held(Self { _file: file }))
    }
}

/// Holds a data folder for this process; dropping it lets go.
#[derive(Debug)]
pub struct ServeLock {
    _lock: FileLock,
}

impl ServeLock {
    /// Takes the folder, or says who has it. Does not wait.
    ///
    /// Errors: [`TransportError::AlreadyServing`] with the other process,
    /// [`TransportError::OnNetworkShare`] where a lock proves nothing, [`TransportError::File`] if the
    /// folder cannot be written.
    pub fn acquire(folder: &Path) -> Result<Self, TransportError> {
        if let Some(kind) = share::kind_of(folder) {
            return Err(TransportError::OnNetworkShare {
                path: folder.to_owned(),
                kind,
            });
        }
        let Some(lock) = FileLock::take(&folder.join(LOCK_FILE))? else {
            return Err(TransportError::AlreadyServing {
                path: folder.to_owned(),
                pid: Self::holder(folder),
            });
        };
        file::write_atomic(&folder.join(PID_FILE), &format!("{}\n", std::process::id()))?;
        Ok(Self { _lock: lock })
    }

    /// The process number that the last serving process wrote down. It may have ended since.
    pub fn holder(folder: &Path) -> Option<u32> {
        let text = file::read(&folder.join(PID_FILE)).ok()??;
        text.trim().parse().ok()
    }
}

/// Held by every program that has the database of a data folder open, and by one that puts another in its place
/// alone: what is written in between would lie in the file that was put aside. Dropping it lets go.
#[derive(Debug)]
pub struct OpenLock {
    _lock: FileLock,
}

impl OpenLock {
    /// Before the database is opened; none where another is being put in its place. Does not wait.
    ///
    /// # Errors
    /// [`TransportError::File`].
    pub fn share(folder: &Path) -> Result<Option<Self>, TransportError> {
        let lock = FileLock::share(&folder.join(OPEN_FILE))?;
        Ok(lock.map(|lock| Self { _lock: lock }))
    }

    /// Before the database is put aside; none where a program has it open. Does not wait.
    ///
    /// # Errors
    /// [`TransportError::File`].
    pub fn take(folder: &Path) -> Result<Option<Self>, TransportError> {
        let lock = FileLock::take(&folder.join(OPEN_FILE))?;
        Ok(lock.map(|lock| Self { _lock: lock }))
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn a_second_server_is_told_who_holds_the_folder() {
        let folder = tempfile::tempdir().unwrap();
        let first = ServeLock::acquire(folder.path()).unwrap();
        let refused = ServeLock::acquire(folder.path()).unwrap_err();
        let TransportError::AlreadyServing { pid, .. } = &refused else {
            unreachable!("{refused}")
        };
        assert_eq!(*pid, Some(std::process::id()));
        assert!(refused.text_zh().contains(&std::process::id().to_string()));
        drop(first);
        ServeLock::acquire(folder.path()).unwrap();
    }

    /// S1: many have a database open at once, and none while another is put in its place.
    #[test]
    fn a_database_is_open_to_many_or_put_aside_by_one() {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path();
        let open = [(); 2].map(|()| OpenLock::share(folder).unwrap().unwrap());
        assert!(OpenLock::take(folder).unwrap().is_none());
        drop(open);
        let alone = OpenLock::take(folder).unwrap().unwrap();
        assert!(OpenLock::share(folder).unwrap().is_none());
        drop(alone);
        assert!(OpenLock::share(folder).unwrap().is_some());
    }

    /// S9: a lock of a file that was taken away, or replaced, keeps nobody out: it is none.
    #[test]
    fn a_file_that_was_taken_away_before_it_was_locked_is_not_held() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.lock");
        let is_gone = |opened| {
            let locked = FileLock::lock(opened, &path, File::try_lock);
            matches!(locked.unwrap(), Locked::Gone)
        };
        let opened = File::create(&path).unwrap();
        std::fs::remove_file(&path).unwrap();
        assert!(is_gone(opened), "taken away");
        let opened = File::create(&path).unwrap();
        std::fs::rename(&path, folder.path().join("aside")).unwrap();
        let other = FileLock::take(&path).unwrap().unwrap();
        assert!(is_gone(opened), "another is in its place");
        assert!(FileLock::take(&path).unwrap().is_none());
        drop(other);
        assert!(FileLock::take(&path).unwrap().is_some());
    }
}
