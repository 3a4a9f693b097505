//! A private place in the data folder for what must not be seen: plain copies of the database and of the keys,
//! while a backup is made or put back.
//!
//! Who has it holds its lock, which ends with its process. So what lies there while nobody holds the lock was left
//! by a run that was killed, and whoever comes next removes it.

use std::path::{Path, PathBuf};

use anyhow::Context as _;
use transport::file;
use transport::lock::FileLock;

const FOLDER: &str = "work";
const LOCK_FILE: &str = "work.lock";

/// The place, held by one run at a time. What is in it is removed when this is dropped.
#[derive(Debug)]
pub struct Work {
    path: PathBuf,
    _lock: FileLock,
}

impl Work {
    /// Takes the place of a data folder, empty.
    ///
    /// # Errors
    /// Where another backup is being made or put back; the disk's.
    pub fn take(data: &Path) -> anyhow::Result<Self> {
        let work = Self::take_if_free(data)?.context(
            "another backup is being made or put back here: try again when it has ended \
             另一个备份或恢复操作正在进行,请待其结束后重试",
        )?;
        file::create_private_folder(&work.path)?;
        Ok(work)
    }

    fn take_if_free(data: &Path) -> anyhow::Result<Option<Self>> {
        let Some(lock) = FileLock::take(&data.join(LOCK_FILE))? else {
            return Ok(None);
        };
        let path = data.join(FOLDER);
        if path.exists() {
            std::fs::remove_dir_all(&path)
                .with_context(|| format!("cannot remove {} 无法删除", path.display()))?;
        }
        Ok(Some(Self { path, _lock: lock }))
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for Work {
    fn drop(&mut self) {
        // Nobody is left to hear of an error: the next run removes it.
        let _ = std::fs::remove_dir_all(&self.path);
    }
}

/// Removes what a run that was killed has left.
///
/// # Errors
/// The disk's.
pub fn clear(data: &Path) -> anyhow::Result<()> {
    if data.join(FOLDER).exists() {
        drop(Work::take_if_free(data)?);
    }
    Ok(())
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    /// S17: what a run that was killed has left is removed by the next, and that of one that goes on is not.
    #[test]
    fn what_a_killed_run_has_left_is_removed_and_what_is_in_use_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let place = folder.path().join(FOLDER);
        let leave = || {
            std::fs::create_dir(&place).unwrap();
            std::fs::write(place.join("a key"), "secret").unwrap();
        };
        leave();
        clear(folder.path()).unwrap();
        assert!(!place.exists());
        leave();
        let work = Work::take(folder.path()).unwrap();
        assert_eq!(std::fs::read_dir(work.path()).unwrap().count(), 0);
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            let mode = std::fs::metadata(&place).unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o700);
        }
        clear(folder.path()).unwrap();
        assert!(place.exists(), "somebody works there");
        assert!(Work::take(folder.path()).is_err());
        drop(work);
        assert!(!place.exists());
    }
}
