//! Whether a folder lies on a network share. A database must not: its log is shared memory between
//! processes of one computer, and the locks of shares are not kept everywhere.

use std::path::{Path, PathBuf};

/// The system's table of mounts.
const MOUNTS: &str = "/proc/self/mountinfo";
/// File systems over a network, by the first letters of their names.
const SHARES: [&str; 14] = [
    "nfs",
    "cifs",
    "smb",
    "9p",
    "afs",
    "ceph",
    "coda",
    "davfs",
    "glusterfs",
    "lustre",
    "ncpfs",
    "fuse.sshfs",
    "fuse.rclone",
    "fuse.glusterfs",
];

/// The file system of a folder, where it is one over a network. None where the system does not tell.
pub(crate) fn kind_of(folder: &Path) -> Option<String> {
    let folder = std::fs::canonicalize(folder).ok()?;
    if cfg!(windows) {
        // Such is the full name of a path that begins with two backslashes, or of a mapped drive.
        let is_share = folder.to_string_lossy().starts_with(r"\\?\UNC\");
        return is_share.then(|| "UNC".to_owned());
    }
    let table = std::fs::read_to_string(MOUNTS).ok()?;
    let kind = file_system(&table, &folder)?;
    SHARES
        .iter()
        .any(|share| kind.starts_with(share))
        .then_some(kind)
}

/// The file system on which a folder lies: that of the longest mount point above it; of several mounts
/// at one place the last, which covers the others.
fn file_system(table: &str, folder: &Path) -> Option<String> {
    let mounts = table.lines().filter_map(|line| {
        let (mount, source) = line.split_once(" - ")?;
        let point = PathBuf::from(unescaped(mount.split(' ').nth(4)?));
        let kind = source.split(' ').next()?;
        folder.starts_with(&point).then_some((point, kind))
    });
    let nearest = mounts.max_by_key(|(point, _)| point.components().count())?;
    Some(nearest.1.to_owned())
}

/// A path as the table writes it: blanks and the like as three octal digits after a backslash.
fn unescaped(text: &str) -> String {
    let mut path = text.to_owned();
    for (escaped, plain) in [
        (r"\040", " "),
        (r"\011", "\t"),
        (r"\012", "\n"),
        (r"\134", r"\"),
    ] {
        path = path.replace(escaped, plain);
    }
    path
}

#[cfg(test)]
mod tests {
    use super::*;

    const TABLE: &str = "\
21 1 254:0 / / rw,relatime shared:1 - ext4 /dev/root rw
22 21 0:5 / /mnt/share rw - cifs //server/lianxin rw
23 21 0:6 / /mnt/share/own rw - tmpfs tmpfs rw
24 21 0:7 / /mnt/two\\040words rw master:3 - nfs4 server:/x rw
25 21 0:8 / /mnt/over rw - nfs server:/y rw
26 21 0:9 / /mnt/over rw - xfs /dev/vdb rw
";

    #[test]
    fn a_folder_lies_on_the_nearest_mount_above_it() {
        for (folder, kind) in [
            ("/var/lib/lianxin", "ext4"),
            ("/mnt/share", "cifs"),
            ("/mnt/share/office", "cifs"),
            ("/mnt/shared", "ext4"),
            ("/mnt/share/own/office", "tmpfs"),
            ("/mnt/two words/office", "nfs4"),
            ("/mnt/over/office", "xfs"),
        ] {
            let found = file_system(TABLE, Path::new(folder));
            assert_eq!(found.as_deref(), Some(kind), "{folder}");
        }
        assert_eq!(file_system("", Path::new("/")), None);
    }

    #[test]
    fn a_disk_of_this_computer_is_none() {
        assert_eq!(kind_of(&std::env::temp_dir()), None);
    }
}
