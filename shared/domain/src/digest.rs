//! Proof of equality: a hash per row, a sum per feed, and a tree of sums to find what differs.
//!
//! The row hash is BLAKE3 over a canonical, length-prefixed encoding. The digest of a feed is the sum
//! of its row hashes modulo 2^256 with a count, so that it is kept up to date by one subtraction and
//! one addition per row. Rows are spread over prefixes of BLAKE3(kind ‖ id): a `UUIDv7`'s own prefix
//! would put a whole import into one leaf.

use std::cmp::Ordering;
use std::collections::BTreeSet;

use crate::change::Hash;
use crate::id::RecordId;
use crate::record::{Life, Record, RecordKey};

/// The hash of one row.
pub type RowHash = Hash;

/// Nibbles of a place: no prefix is longer.
pub const NIBBLES: usize = 64;

/// How many rows a prefix may have before it is described by its sixteen children rather than by
/// its rows.
pub const LEAF_ROWS_MAX: u64 = 32;

/// The sum of row hashes with their count.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Digest {
    /// Sum modulo 2^256, least significant limb first.
    limbs: [u64; 4],
    /// How many rows.
    count: u64,
}

impl Digest {
    /// The digest with this sum (big-endian) and count.
    pub fn from_parts(sum: &[u8; 32], count: u64) -> Self {
        let mut limbs = [0; 4];
        for (limb, chunk) in limbs.iter_mut().rev().zip(sum.chunks_exact(8)) {
            *limb = chunk
                .iter()
                .fold(0, |value, byte| value << 8 | u64::from(*byte));
        }
        Self { limbs, count }
    }

    /// The sum, big-endian.
    pub fn sum(&self) -> [u8; 32] {
        let mut bytes = [0; 32];
        for (chunk, limb) in bytes.chunks_exact_mut(8).zip(self.limbs.iter().rev()) {
            chunk.copy_from_slice(&limb.to_be_bytes());
        }
        bytes
    }

    /// How many rows are in it.
    pub const fn count(&self) -> u64 {
        self.count
    }

    /// Takes a row in.
    pub fn add(&mut self, row: &RowHash) {
        let other = Self::from_parts(row, 1);
        let mut carry = false;
        for (limb, addend) in self.limbs.iter_mut().zip(other.limbs) {
            let (sum, over) = limb.overflowing_add(addend);
            let (sum, over_carry) = sum.overflowing_add(u64::from(carry));
            *limb = sum;
            carry = over || over_carry;
        }
        self.count = self.count.wrapping_add(1);
    }

    /// Takes a row out.
    pub fn remove(&mut self, row: &RowHash) {
        let other = Self::from_parts(row, 1);
        let mut borrow = false;
        for (limb, taken) in self.limbs.iter_mut().zip(other.limbs) {
            let (rest, under) = limb.overflowing_sub(taken);
            let (rest, under_borrow) = rest.overflowing_sub(u64::from(borrow));
            *limb = rest;
            borrow = under || under_borrow;
        }
        self.count = self.count.wrapping_sub(1);
    }

    /// The bytes that both ends sign and compare: sum and count.
    pub fn bytes(&self) -> [u8; 40] {
        let mut bytes = [0; 40];
        let (sum, count) = bytes.split_at_mut(32);
        sum.copy_from_slice(&self.sum());
        count.copy_from_slice(&self.count.to_be_bytes());
        bytes
    }
}

/// Where a row stands in the tree: BLAKE3(kind ‖ id).
pub fn place(key: RecordKey) -> Hash {
    blake3::Hasher::new()
        .update(&key.kind.to_be_bytes())
        .update(&key.id.bytes())
        .finalize()
        .into()
}

/// The hash of a row, over (kind, id, revision, life, fields by number: number, version, value hash).
pub fn row_hash(record: &Record) -> RowHash {
    let mut hasher = blake3::Hasher::new();
    hasher.update(b"lianxin row 1");
    hasher.update(&record.key.kind.to_be_bytes());
    hasher.update(&record.key.id.bytes());
    hasher.update(&record.revision.to_be_bytes());
    hasher.update(&[match record.life {
        Life::Alive => 1,
        Life::Deleted => 2,
    }]);
    hash_version(&mut hasher, &record.life_version.change);
    hasher.update(&(record.fields.len() as u64).to_be_bytes());
    for (number, field) in &record.fields {
        hasher.update(&number.to_be_bytes());
        hash_version(&mut hasher, &field.version.change);
        hasher.update(blake3::hash(&field.value).as_bytes());
    }
    hasher.finalize().into()
}

fn hash_version(hasher: &mut blake3::Hasher, version: &crate::id::ChangeId) {
    hasher.update(&version.node.bytes());
    hasher.update(&version.epoch.to_be_bytes());
    hasher.update(&version.sequence.to_be_bytes());
}

/// What stands below one prefix of the tree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Below {
    /// Few rows: each with its hash.
    Rows(Vec<(RecordKey, RowHash)>),
    /// Many: the digest of each of the sixteen children.
    Children(Vec<Digest>),
}

/// Describes what stands below a prefix (nibbles of [`place`]), from the rows whose place begins
/// with it.
pub fn describe(prefix_nibbles: usize, rows: &[(RecordKey, RowHash)]) -> Below {
    if is_leaf(prefix_nibbles, rows.len()) {
        return Below::Rows(rows.to_vec());
    }
    let placed = rows.iter().map(|(key, hash)| (place(*key), *hash));
    Below::Children(children(prefix_nibbles, placed))
}

const fn is_leaf(prefix_nibbles: usize, rows: usize) -> bool {
    rows as u64 <= LEAF_ROWS_MAX || prefix_nibbles >= NIBBLES
}

fn children(prefix_nibbles: usize, placed: impl Iterator<Item = (Hash, RowHash)>) -> Vec<Digest> {
    let mut children = vec![Digest::default(); 16];
    for (place, hash) in placed {
        let nibble = nibble_at(&place, prefix_nibbles);
        if let Some(child) = children.get_mut(usize::from(nibble)) {
            child.add(&hash);
        }
    }
    children
}

/// Rows in the order of their places: what stands below a prefix is one run of them. For whoever
/// describes many prefixes of the same rows.
#[derive(Debug, Clone)]
pub struct Placed(Vec<(Hash, RecordKey, RowHash)>);

impl Placed {
    /// Finds the place of every row, once.
    pub fn new(rows: &[(RecordKey, RowHash)]) -> Self {
        let mut placed: Vec<_> = rows
            .iter()
            .map(|(key, hash)| (place(*key), *key, *hash))
            .collect();
        placed.sort_unstable();
        Self(placed)
    }

    /// Describes what stands below a prefix, as [`describe`] does; few rows by their keys.
    pub fn below(&self, prefix: &[u8]) -> Below {
        let inside = self.inside(prefix);
        if is_leaf(prefix.len(), inside.len()) {
            let mut rows: Vec<_> = inside.iter().map(|(_, key, hash)| (*key, *hash)).collect();
            rows.sort_unstable();
            return Below::Rows(rows);
        }
        let placed = inside.iter().map(|(place, _, hash)| (*place, *hash));
        Below::Children(children(prefix.len(), placed))
    }

    /// The rows whose place begins with these nibbles.
    fn inside(&self, prefix: &[u8]) -> &[(Hash, RecordKey, RowHash)] {
        let is_before = |row: &(Hash, _, _)| order(&row.0, prefix) == Ordering::Less;
        let is_inside = |row: &(Hash, _, _)| order(&row.0, prefix) == Ordering::Equal;
        let (_, rest) = self.0.split_at(self.0.partition_point(is_before));
        let (inside, _) = rest.split_at(rest.partition_point(is_inside));
        inside
    }
}

/// Where a place stands to those that begin with a prefix: before them, among them, or behind them.
fn order(place: &Hash, prefix: &[u8]) -> Ordering {
    let nibbles = (0..prefix.len()).map(|depth| nibble_at(place, depth));
    nibbles.cmp(prefix.iter().copied())
}

/// What one side holds otherwise than the other below a prefix.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Differing {
    /// Longer prefixes below which something differs.
    pub prefixes: Vec<Vec<u8>>,
    /// Records that only one side has, or has in this state; each once, by key.
    pub records: Vec<RecordKey>,
}

/// Compares what the other side says of a prefix with the own rows whose place begins with it.
pub fn differing(prefix: &[u8], theirs: &Below, inside: &[(RecordKey, RowHash)]) -> Differing {
    let mut found = Differing::default();
    match theirs {
        Below::Rows(rows) => {
            let theirs: BTreeSet<_> = rows.iter().collect();
            let own: BTreeSet<_> = inside.iter().collect();
            let only_one = theirs.symmetric_difference(&own);
            let keys: BTreeSet<_> = only_one.map(|(key, _)| *key).collect();
            found.records.extend(keys);
        }
        Below::Children(children) => {
            for (nibble, child) in (0u8..16).zip(children) {
                let longer = [prefix, &[nibble]].concat();
                let mut own = Digest::default();
                for (_, hash) in inside.iter().filter(|(key, _)| is_below(*key, &longer)) {
                    own.add(hash);
                }
                if own != *child {
                    found.prefixes.push(longer);
                }
            }
        }
    }
    found
}

/// The nibble of a place at a depth; beyond the last one, zero.
pub fn nibble_at(place: &Hash, depth: usize) -> u8 {
    let byte = place.get(depth / 2).copied().unwrap_or_default();
    if depth.is_multiple_of(2) {
        byte >> 4
    } else {
        byte & 0x0f
    }
}

/// Whether a record's place begins with these nibbles.
pub fn is_below(key: RecordKey, prefix: &[u8]) -> bool {
    order(&place(key), prefix) == Ordering::Equal
}

/// The text of an equality certificate, which both ends sign: who, which feed, up to where, what.
pub fn certificate_text(
    office: RecordId,
    feed: &str,
    sequence: u64,
    digest: &Digest,
    incarnation: crate::id::Incarnation,
) -> Vec<u8> {
    let mut text = Vec::with_capacity(128);
    text.extend_from_slice(b"lianxin equality 1");
    text.extend_from_slice(&incarnation.bytes());
    text.extend_from_slice(&office.bytes());
    text.extend_from_slice(&(feed.len() as u64).to_be_bytes());
    text.extend_from_slice(feed.as_bytes());
    text.extend_from_slice(&sequence.to_be_bytes());
    text.extend_from_slice(&digest.bytes());
    text
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_digest_depends_on_the_set_and_not_on_the_order(rows: Vec<[u8; 32]>, seed: usize) {
            let mut forward = Digest::default();
            for row in &rows {
                forward.add(row);
            }
            let mut shuffled = rows.clone();
            if !shuffled.is_empty() {
                let middle = seed % shuffled.len();
                shuffled.rotate_left(middle);
            }
            let mut other = Digest::default();
            for row in &shuffled {
                other.add(row);
            }
            prop_assert_eq!(forward, other);
            for row in &rows {
                forward.remove(row);
            }
            prop_assert_eq!(forward, Digest::default());
        }

        #[test]
        fn a_sum_reads_what_it_writes(sum: [u8; 32], count: u64) {
            prop_assert_eq!(Digest::from_parts(&sum, count).sum(), sum);
        }
    }

    fn rows(count: u8) -> Vec<(RecordKey, RowHash)> {
        let row = |n: u8| {
            let id = RecordId::new([n; 16]);
            (RecordKey { kind: 3, id }, [n; 32])
        };
        (0..count).map(row).collect()
    }

    fn nibbles(key: RecordKey) -> Vec<u8> {
        let place = place(key);
        (0..NIBBLES).map(|depth| nibble_at(&place, depth)).collect()
    }

    #[test]
    fn a_descent_finds_what_differs_and_nothing_else() {
        let theirs = rows(200);
        let mut own = theirs.clone();
        own.remove(7);
        own[90].1 = [255; 32];
        let expected = [theirs[7].0, own[90].0];
        let mut prefixes = vec![Vec::new()];
        let mut found = Vec::new();
        while let Some(prefix) = prefixes.pop() {
            let below = |rows: &[(RecordKey, RowHash)]| -> Vec<_> {
                let inside = rows.iter().filter(|(key, _)| is_below(*key, &prefix));
                inside.copied().collect()
            };
            let said = describe(prefix.len(), &below(&theirs));
            let more = differing(&prefix, &said, &below(&own));
            prefixes.extend(more.prefixes);
            found.extend(more.records);
        }
        found.sort_unstable();
        assert_eq!(found, expected);
    }

    #[test]
    fn rows_in_the_order_of_their_places_are_described_as_those_that_are_looked_for_one_by_one() {
        let rows = rows(200);
        let placed = Placed::new(&rows);
        let deepest: Vec<_> = rows.iter().map(|(key, _)| nibbles(*key)).collect();
        let mut prefixes: Vec<Vec<u8>> = vec![Vec::new()];
        for nibble in 0..=16 {
            prefixes.push(vec![nibble]);
            prefixes.extend((0..=16).map(|next| vec![nibble, next]));
        }
        // No place has more nibbles; those that are not there count as zero.
        for rest in [&[][..], &[0], &[0, 0], &[1], &[0, 1]] {
            for place in &deepest {
                prefixes.push([place.as_slice(), rest].concat());
            }
        }
        let mut found = 0;
        for prefix in prefixes {
            let inside = rows.iter().filter(|(key, _)| is_below(*key, &prefix));
            let inside: Vec<_> = inside.copied().collect();
            assert_eq!(
                placed.below(&prefix),
                describe(prefix.len(), &inside),
                "{prefix:?}"
            );
            found += inside.len();
        }
        // Each row below nothing, one nibble, two of them, and its whole place with zeros or none behind.
        assert_eq!(found, rows.len() * 6);
    }

    #[test]
    fn children_of_a_prefix_add_up_to_it() {
        let rows = rows(200);
        let Below::Children(children) = describe(0, &rows) else {
            unreachable!("two hundred rows are more than a leaf holds");
        };
        let total: u64 = children.iter().map(Digest::count).sum();
        assert_eq!(total, 200);
    }
}
