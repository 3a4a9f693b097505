//! The next letter numbers, kept beside the key file.
//!
//! A database that was restored from an old copy would hand out letter numbers (介绍信编号) a second
//! time. So the next number of each issuer and year is written here too, outside the database, before
//! it is used, and the greater of both counts. A block belongs to one (node, epoch), so marks of
//! another one are void.
//!
//! ```text
//! lianxin-mark 1 <node: 32 hex> <epoch>
//! <issuer: 32 hex> <year> <next>
//! ```

use std::collections::BTreeMap;
use std::path::Path;

use data_encoding::HEXLOWER;

use crate::certificate::hex_array;
use crate::error::TransportError;
use crate::file;

const FORMAT: &str = "lianxin-mark";
const VERSION: u32 = 1;

/// The first numbers not handed out yet, of one (node, epoch).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LeaseMarks {
    /// The node that the blocks are leased to.
    pub node: [u8; 16],
    /// The node's epoch at the lease.
    pub epoch: u32,
    /// The next number to hand out, by issuer and year.
    pub next: BTreeMap<([u8; 16], u16), u32>,
}

impl LeaseMarks {
    /// Reads the marks of a node in an epoch; none where there is no file, or only another's.
    ///
    /// Errors: [`TransportError::KeyFileBroken`] if the file cannot be understood.
    pub fn load(path: &Path, node: [u8; 16], epoch: u32) -> Result<Self, TransportError> {
        let own = Self {
            node,
            epoch,
            next: BTreeMap::new(),
        };
        let Some(text) = file::read(path)? else {
            return Ok(own);
        };
        let marks = Self::parse(path, &text)?;
        Ok(if (marks.node, marks.epoch) == (node, epoch) {
            marks
        } else {
            own
        })
    }

    /// The next number of an issuer's year, as far as this file knows; 0 where it does not.
    pub fn next_of(&self, issuer: [u8; 16], year: u16) -> u32 {
        self.next.get(&(issuer, year)).copied().unwrap_or(0)
    }

    /// Raises the mark of an issuer's year and stores all durably; a greater one stays.
    ///
    /// The caller serialises its own writers (numbers are drawn inside a write transaction).
    ///
    /// Errors: `File`; then nothing may be handed out.
    pub fn raise(
        &mut self,
        path: &Path,
        (issuer, year): ([u8; 16], u16),
        next: u32,
    ) -> Result<(), TransportError> {
        let mark = self.next.entry((issuer, year)).or_insert(0);
        *mark = next.max(*mark);
        let mut text = format!(
            "{FORMAT} {VERSION} {} {}\n",
            HEXLOWER.encode(&self.node),
            self.epoch
        );
        for ((issuer, year), next) in &self.next {
            let issuer = HEXLOWER.encode(issuer);
            text.push_str(&format!("{issuer} {year} {next}\n"));
        }
        file::write_atomic(path, &text)
    }

    fn parse(path: &Path, text: &str) -> Result<Self, TransportError> {
        let broken = || TransportError::broken(path, "not a file of number marks");
        let mut lines = text.lines();
        let words: Vec<&str> = lines.next().unwrap_or_default().split(' ').collect();
        let [FORMAT, version, node, epoch] = words[..] else {
            return Err(broken());
        };
        let version: u32 = version.parse().map_err(|_| broken())?;
        if version > VERSION {
            return Err(TransportError::VersionTooNew {
                path: path.to_owned(),
                found: version,
            });
        }
        let mut marks = Self {
            node: hex_array(node).ok_or_else(broken)?,
            epoch: epoch.parse().map_err(|_| broken())?,
            next: BTreeMap::new(),
        };
        for line in lines {
            let words: Vec<&str> = line.split(' ').collect();
            let [issuer, year, next] = words[..] else {
                return Err(broken());
            };
            let issuer = hex_array(issuer).ok_or_else(broken)?;
            let year = year.parse().map_err(|_| broken())?;
            let next = next.parse().map_err(|_| broken())?;
            marks.next.insert((issuer, year), next);
        }
        Ok(marks)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    const NODE: [u8; 16] = [7; 16];

    #[test]
    fn a_mark_never_goes_down_within_an_epoch_and_is_void_in_another() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("marks");
        let mut marks = LeaseMarks::load(&path, NODE, 1).unwrap();
        assert_eq!(marks.next_of([1; 16], 2026), 0);
        marks.raise(&path, ([1; 16], 2026), 20).unwrap();
        marks.raise(&path, ([1; 16], 2026), 3).unwrap();
        marks.raise(&path, ([2; 16], 2026), 5).unwrap();
        marks.raise(&path, ([1; 16], 2027), 2).unwrap();
        let stored = LeaseMarks::load(&path, NODE, 1).unwrap();
        assert_eq!(stored, marks);
        assert_eq!(stored.next_of([1; 16], 2026), 20);
        assert_eq!(stored.next_of([2; 16], 2026), 5);
        assert_eq!(stored.next_of([1; 16], 2027), 2);
        for (node, epoch) in [(NODE, 2), ([8; 16], 1)] {
            let mut other = LeaseMarks::load(&path, node, epoch).unwrap();
            assert_eq!(other.next, BTreeMap::new());
            let apart = folder.path().join("other");
            other.raise(&apart, ([1; 16], 2026), 1).unwrap();
            let kept = LeaseMarks::load(&apart, node, epoch).unwrap();
            assert_eq!(kept.next_of([1; 16], 2026), 1);
        }
    }

    #[test]
    fn a_damaged_file_is_an_error_and_no_number_is_guessed() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("marks");
        let node = HEXLOWER.encode(&NODE);
        for text in [
            String::new(),
            "something else\n".to_owned(),
            format!("lianxin-mark 1 {node}\n"),
            format!("lianxin-mark 1 {node} 1\n{node} 2026\n"),
            format!("lianxin-mark 1 {node} 1\n{node} 2026 x\n"),
            format!("lianxin-mark 1 {node} 1\n\n"),
        ] {
            std::fs::write(&path, &text).unwrap();
            assert!(
                matches!(
                    LeaseMarks::load(&path, NODE, 1),
                    Err(TransportError::KeyFileBroken { .. })
                ),
                "{text:?}"
            );
        }
        std::fs::write(&path, format!("lianxin-mark 2 {node} 1\n")).unwrap();
        assert!(matches!(
            LeaseMarks::load(&path, NODE, 1),
            Err(TransportError::VersionTooNew { found: 2, .. })
        ));
    }
}
