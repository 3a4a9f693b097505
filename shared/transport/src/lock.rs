//! One serving process per data folder.
//!
//! The lock is the operating system's, so it ends with its process however that ends; a leftover
//! file means nothing. The process number stands in a second file, because Windows lets nobody read
//! a locked one.

use std::fs::{File, OpenOptions, TryLockError};
use std::path::Path;

use crate::error::TransportError;
use crate::{file, share};

const LOCK_FILE: &str = "serving.lock";
const PID_FILE: &str = "serving.pid";

/// Holds a data folder for this process; dropping it lets go.
#[derive(Debug)]
pub struct ServeLock {
    _file: File,
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
        let path = folder.join(LOCK_FILE);
        let opened = OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .open(&path);
        let held = opened.map_err(TransportError::file(&path, "open"))?;
        match held.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                return Err(TransportError::AlreadyServing {
                    path: folder.to_owned(),
                    pid: Self::holder(folder),
                });
            }
            Err(TryLockError::Error(error)) => {
                return Err(TransportError::file(&path, "lock")(error));
            }
        }
        file::write_atomic(&folder.join(PID_FILE), &format!("{}\n", std::process::id()))?;
        Ok(Self { _file: held })
    }

    /// The process number that the last serving process wrote down. It may have ended since.
    pub fn holder(folder: &Path) -> Option<u32> {
        let text = file::read(&folder.join(PID_FILE)).ok()??;
        text.trim().parse().ok()
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
}
