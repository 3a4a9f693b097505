//! What a node erases of a record that has left its office's scope, and what it states of it
//! (`sync.md` 9).

use crate::change::Hash;
use crate::id::ChangeId;
use crate::record::RecordKey;

/// What a node has erased of one record: the signed statement is about this.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Erased {
    /// The record.
    pub key: RecordKey,
    /// When (milliseconds since 1970, the node's clock).
    pub at: u64,
    /// How many changes of its journal lost salt and body.
    pub changes: u64,
    /// Which: [`digest`] over them.
    pub digest: Hash,
}

/// BLAKE3 over place (node, epoch, sequence, big-endian) and body hash of each erased change, in the
/// order of the journal: it names them and tells nothing of them.
pub fn digest(changes: impl IntoIterator<Item = (ChangeId, Hash)>) -> Hash {
    let mut hasher = blake3::Hasher::new();
    for (id, body_hash) in changes {
        hasher.update(&id.node.bytes());
        hasher.update(&id.epoch.to_be_bytes());
        hasher.update(&id.sequence.to_be_bytes());
        hasher.update(&body_hash);
    }
    hasher.finalize().into()
}
