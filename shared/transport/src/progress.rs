//! How far a hub has got, kept beside its database.
//!
//! A database that somebody put back by hand, or that lost its write-ahead log, looks whole: it is only
//! older. A hub that went on from it would give the same places of its own journal to other changes. So
//! how far it has got is written here too, after the database has it, and a database that is behind is
//! not served until a person says that it was put back (`sync.md` 4, restore table).
//!
//! ```text
//! lianxin-progress 1 <node: 32 hex> <epoch> <own> <received> [lost]
//! ```

use std::path::Path;

use data_encoding::HEXLOWER;

use crate::certificate::hex_array;
use crate::error::TransportError;
use crate::file;

const FORMAT: &str = "lianxin-progress";
const VERSION: &str = "1";
const LOST: &str = " lost";

/// How far one hub has got.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct HubProgress {
    /// The node id of the hub's own journal.
    pub node: [u8; 16],
    /// The epoch of the hub's own journal.
    pub epoch: u32,
    /// The last place of that journal.
    pub own: u64,
    /// How many changes of nodes it has, all journals together.
    pub received: u64,
    /// Whether a node has proven that the hub had more than its database has.
    pub is_lost: bool,
}

impl HubProgress {
    /// Reads it; none where there is no file, or one that cannot be understood: then nothing is proven.
    ///
    /// Errors: [`TransportError::File`].
    pub fn load(path: &Path) -> Result<Option<Self>, TransportError> {
        Ok(file::read(path)?.and_then(|text| Self::parse(&text)))
    }

    /// Writes it, durably and at once.
    ///
    /// Errors: [`TransportError::File`].
    pub fn save(&self, path: &Path) -> Result<(), TransportError> {
        let node = HEXLOWER.encode(&self.node);
        let (epoch, own, received) = (self.epoch, self.own, self.received);
        let lost = if self.is_lost { LOST } else { "" };
        let text = format!("{FORMAT} {VERSION} {node} {epoch} {own} {received}{lost}\n");
        file::write_atomic(path, &text)
    }

    /// Whether a database that has got to `there` has lost something that the hub had.
    pub fn is_ahead_of(&self, there: &Self) -> bool {
        let is_same_epoch = self.epoch == there.epoch;
        let has_more = self.is_lost || self.own > there.own || self.received > there.received;
        self.node == there.node && (self.epoch > there.epoch || (is_same_epoch && has_more))
    }

    fn parse(text: &str) -> Option<Self> {
        let text = text.trim_end();
        let (text, is_lost) = match text.strip_suffix(LOST) {
            Some(text) => (text, true),
            None => (text, false),
        };
        let words: Vec<&str> = text.split(' ').collect();
        let [FORMAT, VERSION, node, epoch, own, received] = words[..] else {
            return None;
        };
        Some(Self {
            node: hex_array(node)?,
            epoch: epoch.parse().ok()?,
            own: own.parse().ok()?,
            received: received.parse().ok()?,
            is_lost,
        })
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    const THERE: HubProgress = HubProgress {
        node: [7; 16],
        epoch: 3,
        own: 20,
        received: 100,
        is_lost: false,
    };

    #[test]
    fn what_was_written_is_read_and_rubbish_proves_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("progress");
        assert_eq!(HubProgress::load(&path).unwrap(), None);
        THERE.save(&path).unwrap();
        assert_eq!(HubProgress::load(&path).unwrap(), Some(THERE));
        for text in ["", "lianxin-progress 2 x", "lianxin-progress 1 07 3 20 100"] {
            std::fs::write(&path, text).unwrap();
            assert_eq!(HubProgress::load(&path).unwrap(), None, "{text}");
        }
    }

    #[test]
    fn a_database_is_behind_where_any_count_is_lower_or_its_epoch_was_left() {
        for (change, is_behind) in [
            ((3, 20, 100), false),
            ((3, 21, 101), false),
            ((3, 19, 101), true),
            ((3, 21, 99), true),
            ((2, 90, 900), true),
            ((4, 0, 0), false),
        ] {
            let (epoch, own, received) = change;
            let there = HubProgress {
                epoch,
                own,
                received,
                ..THERE
            };
            assert_eq!(THERE.is_ahead_of(&there), is_behind, "{change:?}");
        }
        // A node has proven it.
        let lost = HubProgress {
            is_lost: true,
            ..THERE
        };
        assert!(lost.is_ahead_of(&THERE));
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("progress");
        lost.save(&path).unwrap();
        assert_eq!(HubProgress::load(&path).unwrap(), Some(lost));
        // Another hub's.
        let other = HubProgress {
            node: [8; 16],
            epoch: 1,
            ..THERE
        };
        assert!(!THERE.is_ahead_of(&other));
    }
}
