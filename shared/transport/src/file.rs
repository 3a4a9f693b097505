//! Small secret files, written so that a power cut leaves the old one or the new one, never half.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use crate::error::TransportError;

/// The text of a file, or none if it does not exist.
pub(crate) fn read(path: &Path) -> Result<Option<String>, TransportError> {
    match fs::read_to_string(path) {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) if error.kind() == io::ErrorKind::InvalidData => {
            Err(TransportError::broken(path, "not UTF-8 text"))
        }
        Err(error) => Err(TransportError::file(path, "read")(error)),
    }
}

/// Replaces a file: writes a temporary one beside it, syncs it, renames it, syncs the folder.
///
/// The file is readable by its owner only (unix; on Windows the data folder's rights count).
pub(crate) fn write_atomic(path: &Path, text: &str) -> Result<(), TransportError> {
    let temporary = temporary(path);
    match fs::remove_file(&temporary) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            return Err(TransportError::file(&temporary, "remove")(error));
        }
        _ => {}
    }
    let written = create_secret(&temporary).and_then(|mut file| {
        file.write_all(text.as_bytes())?;
        file.sync_all()
    });
    written.map_err(TransportError::file(&temporary, "write"))?;
    fs::rename(&temporary, path).map_err(TransportError::file(path, "replace"))?;
    sync_folder_of(path)
}

/// Creates a new file that only its owner may read.
///
/// # Errors
/// Where there is one already; the disk's.
pub fn create_secret(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt;
        options.mode(0o600);
    }
    options.open(path)
}

/// Creates a folder that only its owner may look into, if it is not there.
///
/// # Errors
/// [`TransportError::File`].
pub fn create_private_folder(path: &Path) -> Result<(), TransportError> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::DirBuilderExt;
        builder.mode(0o700);
    }
    builder
        .create(path)
        .map_err(TransportError::file(path, "create"))
}

/// Makes a rename or a creation inside the folder of `path` survive a power cut.
///
/// # Errors
/// [`TransportError::File`].
pub fn sync_folder_of(path: &Path) -> Result<(), TransportError> {
    #[cfg(unix)]
    {
        let parent = path
            .parent()
            .filter(|parent| !parent.as_os_str().is_empty());
        let folder = parent.unwrap_or(Path::new("."));
        File::open(folder)
            .and_then(|folder| folder.sync_all())
            .map_err(TransportError::file(folder, "sync"))?;
    }
    #[cfg(not(unix))]
    let _ = path;
    Ok(())
}

fn temporary(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".new");
    PathBuf::from(name)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn a_half_written_temporary_file_changes_nothing_and_is_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.toml");
        assert!(read(&path).unwrap().is_none());
        write_atomic(&path, "one").unwrap();
        fs::write(temporary(&path), "tw").unwrap();
        assert_eq!(read(&path).unwrap().as_deref(), Some("one"));
        write_atomic(&path, "two").unwrap();
        assert_eq!(read(&path).unwrap().as_deref(), Some("two"));
        assert!(!temporary(&path).exists());
    }

    #[cfg(unix)]
    #[test]
    fn only_the_owner_may_read() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.toml");
        write_atomic(&path, "one").unwrap();
        assert_eq!(
            fs::metadata(&path).unwrap().permissions().mode() & 0o777,
            0o600
        );
    }
}
