//! One recorded edit, and the chain that makes a journal.
//!
//! A change is a header, a salt and a body. What is hashed and signed is the header's bytes and the
//! hash of salt and body, so that a body can be erased by law while the chain stays whole. The bytes
//! of header and body are kept and forwarded exactly as they came: what this version of the program
//! does not understand stays in them.

use crate::clock::Timestamp;
use crate::id::{ChangeId, NodeId, OfficeId, RecordId};
use crate::kind::Class;

/// A BLAKE3 hash.
pub type Hash = [u8; 32];

/// What a change does to its record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verb {
    /// Makes the record.
    Create,
    /// Sets fields.
    Set,
    /// Ends its life; it stays as a tombstone.
    Delete,
    /// Brings it back from the tombstone, or brings back a value that lost.
    Restore,
    /// Moves the machine of the record named in the body (the record is the step itself).
    Step,
    /// Says that two records are one.
    Merge,
    /// Takes a merge back.
    Unmerge,
}

/// One field that a change sets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FieldChange {
    /// The field's number.
    pub number: u16,
    /// The new value's canonical bytes; none clear the field.
    pub value: Vec<u8>,
    /// The version that was shown to the writer; none where there was no value.
    pub base: Option<ChangeId>,
}

/// What the chain and the signature cover, besides the hash of the body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Header {
    /// The record.
    pub record: RecordId,
    /// The kind's number; a hub keeps kinds that it does not know.
    pub kind: u16,
    /// The kind's class, so that a hub need not know the kind.
    pub class: Class,
    /// What is done.
    pub verb: Verb,
    /// When, by the writer's hybrid clock.
    pub timestamp: Timestamp,
    /// Who did it: the user's name at the office, free text.
    pub actor: String,
    /// The group that it belongs to, if any.
    pub group: Option<Group>,
    /// The tenure that the writer believed in, for kinds that are held.
    pub tenure: Option<Believed>,
    /// Whether the writer's wall clock had jumped since its last greeting of the hub.
    pub clock_suspect: bool,
    /// The change of a lost epoch that this one stands for (id and body hash).
    pub replaces: Option<(ChangeId, Hash)>,
}

/// A contiguous run of changes that are decided together or not at all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Group {
    /// The group's id.
    pub id: RecordId,
    /// How many changes it has (at most [`crate::limits::GROUP_CHANGES_MAX`]).
    pub size: u32,
}

/// The tenure a writer believed to be open.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Believed {
    /// The tenure's number.
    pub number: u32,
    /// Who held it.
    pub holder: OfficeId,
}

/// What a change says, besides its header.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Body {
    /// The fields, by rising number.
    pub fields: Vec<FieldChange>,
    /// For a delete: the greatest revision of the record that the writer had seen.
    pub seen_revision: u64,
    /// For a delete or restore: the version of life that was shown.
    pub life_base: Option<ChangeId>,
}

/// A change that has been read and has its place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// Which change of which journal.
    pub id: ChangeId,
    /// Its header.
    pub header: Header,
    /// Its body.
    pub body: Body,
}

impl Change {
    /// The value that this change gives to a field, if it names it.
    pub fn value(&self, number: u16) -> Option<&[u8]> {
        self.body
            .fields
            .iter()
            .find(|field| field.number == number)
            .map(|f| f.value.as_slice())
    }
}

/// A change as bytes: what is stored, sent and hashed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RawChange {
    /// The header's bytes as written.
    pub header: Vec<u8>,
    /// Sixteen random bytes, so that the hash of a short body tells nothing.
    pub salt: [u8; 16],
    /// The body's bytes as written; none after an erasure.
    pub body: Vec<u8>,
    /// After an erasure of salt and body: the hash that they had.
    pub erased: Option<Hash>,
}

impl RawChange {
    /// The same change without salt and body; its hash stays, and with it every chain over it.
    #[must_use]
    pub fn without_body(self) -> Self {
        Self {
            erased: Some(self.body_hash()),
            header: self.header,
            salt: [0; 16],
            body: Vec::new(),
        }
    }

    /// The hash of salt and body, which the chain covers instead of the body.
    pub fn body_hash(&self) -> Hash {
        if let Some(hash) = self.erased {
            return hash;
        }
        blake3::Hasher::new()
            .update(&self.salt)
            .update(&self.body)
            .finalize()
            .into()
    }
}

/// The chain's value before the first change of an epoch.
pub fn chain_start(node: NodeId, epoch: u32) -> Hash {
    blake3::Hasher::new()
        .update(&node.bytes())
        .update(&epoch.to_be_bytes())
        .finalize()
        .into()
}

/// The chain's value after one more change: BLAKE3(before ‖ header ‖ body hash).
pub fn chain_next(before: &Hash, header: &[u8], body_hash: &Hash) -> Hash {
    blake3::Hasher::new()
        .update(before)
        .update(header)
        .update(body_hash)
        .finalize()
        .into()
}

/// The chain's value after all of these changes.
pub fn chain_over<'a>(before: Hash, changes: impl IntoIterator<Item = &'a RawChange>) -> Hash {
    changes.into_iter().fold(before, |chain, raw| {
        chain_next(&chain, &raw.header, &raw.body_hash())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn raw(text: &str) -> RawChange {
        RawChange {
            header: text.into(),
            salt: [1; 16],
            body: text.into(),
            erased: None,
        }
    }

    #[test]
    fn the_chain_depends_on_order_content_and_journal() {
        let start = chain_start(NodeId::new([1; 16]), 1);
        let both = chain_over(start, &[raw("a"), raw("b")]);
        assert_ne!(both, chain_over(start, &[raw("b"), raw("a")]));
        assert_ne!(both, chain_over(start, &[raw("a"), raw("c")]));
        assert_ne!(
            both,
            chain_over(chain_start(NodeId::new([1; 16]), 2), &[raw("a"), raw("b")])
        );
        let halfway = chain_over(start, &[raw("a")]);
        assert_eq!(both, chain_over(halfway, &[raw("b")]));
    }

    #[test]
    fn an_erased_body_leaves_the_chain_whole() {
        let full = raw("a");
        let hash = full.body_hash();
        let start = chain_start(NodeId::new([1; 16]), 1);
        let next = chain_next(&start, &full.header, &hash);
        assert_eq!(next, chain_over(start, std::slice::from_ref(&full)));
        let erased = full.without_body();
        assert!(erased.body.is_empty() && erased.salt == [0; 16]);
        assert_eq!(next, chain_over(start, std::slice::from_ref(&erased)));
        assert_eq!(
            erased.clone().without_body(),
            erased,
            "erased twice is erased once"
        );
    }
}
