//! The next number of a leased block, kept beside the key file.
//!
//! A database that was restored from an old copy would hand out letter numbers (介绍信编号) a second
//! time. So the next number is written here too, outside the database, before it is used, and the
//! greater of both counts. A block belongs to one (node, epoch); a mark of another one is void.

use std::path::Path;

use crate::error::TransportError;
use crate::file;

const FORMAT: &str = "lianxin-mark";
const VERSION: u32 = 1;

/// The first number not handed out yet, of one (node, epoch).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LeaseMark {
    /// The node that the block is leased to.
    pub node: [u8; 16],
    /// The node's epoch at the lease.
    pub epoch: u32,
    /// The next number to hand out.
    pub next: u64,
}

impl LeaseMark {
    /// Reads the mark; none if there is no file.
    ///
    /// Errors: [`TransportError::KeyFileBroken`] if the file cannot be understood.
    pub fn load(path: &Path) -> Result<Option<Self>, TransportError> {
        let Some(text) = file::read(path)? else {
            return Ok(None);
        };
        let broken = || TransportError::broken(path, "not a number mark");
        let words: Vec<&str> = text.split_whitespace().collect();
        let [FORMAT, version, node, epoch, next] = words[..] else {
            return Err(broken());
        };
        let version: u32 = version.parse().map_err(|_| broken())?;
        if version > VERSION {
            return Err(TransportError::VersionTooNew {
                path: path.to_owned(),
                found: version,
            });
        }
        Ok(Some(Self {
            node: crate::certificate::hex_array(node).ok_or_else(broken)?,
            epoch: epoch.parse().map_err(|_| broken())?,
            next: next.parse().map_err(|_| broken())?,
        }))
    }

    /// Stores this mark durably, unless the file already holds a greater one of the same node and
    /// epoch. Returns the mark that stands in the file afterwards.
    ///
    /// The caller serialises its own writers (numbers are drawn inside a write transaction).
    pub fn raise(self, path: &Path) -> Result<Self, TransportError> {
        if let Some(stored) = Self::load(path)?
            && (stored.node, stored.epoch) == (self.node, self.epoch)
            && stored.next >= self.next
        {
            return Ok(stored);
        }
        let node = data_encoding::HEXLOWER.encode(&self.node);
        let text = format!("{FORMAT} {VERSION} {node} {} {}\n", self.epoch, self.next);
        file::write_atomic(path, &text)?;
        Ok(self)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn a_mark_never_goes_down_within_an_epoch() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("letters");
        let mark = LeaseMark {
            node: [7; 16],
            epoch: 1,
            next: 20,
        };
        assert_eq!(LeaseMark::load(&path).unwrap(), None);
        assert_eq!(mark.raise(&path).unwrap(), mark);
        assert_eq!(LeaseMark { next: 3, ..mark }.raise(&path).unwrap(), mark);
        let fresh = LeaseMark {
            epoch: 2,
            next: 1,
            ..mark
        };
        assert_eq!(fresh.raise(&path).unwrap(), fresh);
        assert_eq!(LeaseMark::load(&path).unwrap(), Some(fresh));
        std::fs::write(&path, "lianxin-mark 1 zz").unwrap();
        assert!(matches!(
            LeaseMark::load(&path),
            Err(TransportError::KeyFileBroken { .. })
        ));
    }
}
