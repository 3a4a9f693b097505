//! Feeds: for each office (and the city) the latest state of each record, by feed sequence.

use std::collections::BTreeMap;

use domain::digest::{Digest, RowHash};
use domain::id::{ChangeId, DESK, NodeId, OfficeId, RecordId};
use domain::kind::Class;
use domain::kinds;
use domain::record::{Record, RecordKey};
use domain::session::hub::{InFeed, Reader, is_echo};
use domain::world::Leaving;
use rusqlite::{OptionalExtension as _, params};

use super::apply::reason_code;
use crate::error::StoreError;
use crate::pack::class_code;
use crate::records::Tx;

/// The feed of reference records, which every office reads.
pub const CITY: &str = "city";

/// The name of the feed of the office of a row `r`, as [`feed_of`] writes it.
const OWN_FEED: &str =
    "'office/' || lower(substr(hex(r.office), 1, 8) || '-' || substr(hex(r.office), 9, 4)
     || '-' || substr(hex(r.office), 13, 4) || '-' || substr(hex(r.office), 17, 4)
     || '-' || substr(hex(r.office), 21))";

/// Of so many of its last places a feed remembers what it was there.
const PLACES_REMEMBERED: u64 = 1_024;

/// The name of an office's feed.
pub(super) fn feed_of(office: OfficeId) -> String {
    format!("office/{office}")
}

/// Where a record stands in one feed.
#[derive(Debug, Clone)]
pub(super) struct Standing {
    /// The feed.
    pub feed: String,
    /// Its place.
    pub sequence: u64,
    /// The place of its last foreign move.
    pub foreign_sequence: u64,
    /// The journal whose change moved it last; none where that was a foreign move.
    pub own: Option<(NodeId, u32)>,
    /// Why it left, if it did.
    pub left: Option<u8>,
}

/// A feed while a transaction moves records in it.
#[derive(Debug, Clone)]
pub(super) struct FeedState {
    next_sequence: u64,
    /// The digest of the rows in it.
    pub digest: Digest,
}

impl FeedState {
    /// Takes the next place.
    pub(super) const fn take_place(&mut self) -> u64 {
        let place = self.next_sequence;
        self.next_sequence += 1;
        place
    }
}

/// One entry of a page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Entry {
    /// The record's state.
    State(Record),
    /// The record has left the feed: the reason's number on the wire.
    Left(RecordKey, u8),
}

/// What is known of a record to those who read a feed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Known {
    /// It is in the feed, or has left it.
    Entry(Entry),
    /// It is in the feed, and its row is not as it was written with this hash: no source of anything.
    Damaged(RowHash),
}

/// A bounded run of a feed, read in one snapshot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page {
    /// The entries, by rising place.
    pub entries: Vec<Entry>,
    /// Rows that stand there too and are not as they were written with these hashes: given to nobody.
    pub damaged: Vec<(RecordKey, RowHash)>,
    /// The place reached, entries that were not echoed included.
    pub to_sequence: u64,
    /// The digest of the feed, where the page reaches its head.
    pub digest: Option<Digest>,
}

/// Where a feed's head is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Head {
    /// The feed.
    pub feed: String,
    /// The last place taken.
    pub sequence: u64,
}

struct Place {
    key: RecordKey,
    sequence: u64,
    foreign_sequence: u64,
    own: Option<ChangeId>,
    left: Option<u8>,
}

impl Place {
    const fn in_feed(&self) -> InFeed {
        InFeed {
            foreign_sequence: self.foreign_sequence,
            own: self.own,
            has_left: self.left.is_some(),
        }
    }
}

impl Tx<'_> {
    /// The heads of these feeds; a feed without entries is at 0.
    pub fn heads(&self, feeds: &[String]) -> Result<Vec<Head>, StoreError> {
        feeds
            .iter()
            .map(|feed| {
                Ok(Head {
                    feed: feed.clone(),
                    sequence: self.feed_head(feed)?,
                })
            })
            .collect()
    }

    /// The last place taken in a feed; 0 in one without entries.
    pub fn feed_head(&self, feed: &str) -> Result<u64, StoreError> {
        Ok(self.read_feed(feed)?.next_sequence - 1)
    }

    /// Whether anything but its own node's plainly applied changes has moved a feed after a place.
    pub fn moved_by_others(&self, feed: &str, after: u64) -> Result<bool, StoreError> {
        Ok(self
            .connection
            .prepare_cached(
                "SELECT EXISTS (SELECT 1 FROM feed_entry
                 WHERE feed = ?1 AND sequence > ?2
                     AND (foreign_sequence > ?2 OR own_node IS NULL OR left_reason IS NOT NULL))",
            )?
            .query_row(params![feed, after.cast_signed()], |row| row.get(0))?)
    }

    /// The digest that is kept of a feed.
    pub fn feed_digest(&self, feed: &str) -> Result<Digest, StoreError> {
        Ok(self.read_feed(feed)?.digest)
    }

    /// The names of all feeds.
    pub fn feed_names(&self) -> Result<Vec<String>, StoreError> {
        let mut statement = self
            .connection
            .prepare_cached("SELECT name FROM feed ORDER BY name")?;
        let names = statement.query_map([], |row| row.get(0))?;
        Ok(names.collect::<Result<_, _>>()?)
    }

    /// The rows in a feed: key and stored hash of each.
    pub fn feed_rows(&self, feed: &str) -> Result<Vec<(RecordKey, RowHash)>, StoreError> {
        let mut statement = self.connection.prepare_cached(
            "SELECT kind, id FROM feed_entry WHERE feed = ?1 AND left_reason IS NULL",
        )?;
        let keys: Vec<RecordKey> = statement
            .query_map([feed], |row| {
                Ok(RecordKey {
                    kind: row.get(0)?,
                    id: RecordId::new(row.get(1)?),
                })
            })?
            .collect::<Result<_, _>>()?;
        let mut rows = Vec::with_capacity(keys.len());
        for key in keys {
            rows.push((key, self.told_hash(key)?.unwrap_or_default()));
        }
        Ok(rows)
    }

    /// Records that stand in no feed in which they must, and have left none of them: their office's, or of common kinds
    /// the city's; of each kind at most so many. A row is put into its office's feed whenever it is written, and its
    /// entry stays there, as that of one which left if it did, until such entries of that feed are released; then any
    /// other feed will do.
    ///
    /// # Errors
    /// As SQLite says.
    pub fn in_no_feed(&self, count_max: usize) -> Result<Vec<RecordKey>, StoreError> {
        let count_max = i64::try_from(count_max).unwrap_or(i64::MAX);
        let of_office = format!(
            "(e.feed = {OWN_FEED} OR EXISTS
                 (SELECT 1 FROM feed AS f WHERE f.name = {OWN_FEED} AND f.released_through > 0))"
        );
        let mut found = Vec::new();
        for kind in kinds::ALL {
            let sql = format!(
                "SELECT id FROM \"{}\" AS r WHERE (?2 OR office <> ?3) AND NOT EXISTS
                     (SELECT 1 FROM feed_entry AS e
                      WHERE e.kind = ?1 AND e.id = r.id AND (?2 OR {of_office}))
                 LIMIT ?4",
                kind.name
            );
            let is_common = kind.class == Class::Reference;
            let given = params![kind.number, is_common, DESK.bytes(), count_max];
            let mut statement = self.connection.prepare(&sql)?;
            let ids = statement.query_map(given, |row| row.get(0))?;
            for id in ids {
                let id = RecordId::new(id?);
                let kind = kind.number;
                found.push(RecordKey { kind, id });
            }
        }
        let sql = format!(
            "SELECT kind, id FROM unknown_record AS r WHERE (class = ?1 OR office <> ?2) AND NOT EXISTS
                 (SELECT 1 FROM feed_entry AS e WHERE e.kind = r.kind AND e.id = r.id
                      AND CASE r.class WHEN ?1 THEN e.feed = ?3 ELSE {of_office} END)
             LIMIT ?4"
        );
        let common = class_code(Class::Reference);
        let mut statement = self.connection.prepare(&sql)?;
        let keys = statement.query_map(params![common, DESK.bytes(), CITY, count_max], |row| {
            Ok(RecordKey {
                kind: row.get(0)?,
                id: RecordId::new(row.get(1)?),
            })
        })?;
        for key in keys {
            found.push(key?);
        }
        Ok(found)
    }

    /// The feeds in which a record stands.
    pub fn feeds_of(&self, key: RecordKey) -> Result<Vec<String>, StoreError> {
        let standing = self.entries_of(key)?;
        Ok(standing
            .into_iter()
            .filter(|entry| entry.left.is_none())
            .map(|entry| entry.feed)
            .collect())
    }

    /// The feeds in which a record stands or has stood.
    pub fn feeds_ever_of(&self, key: RecordKey) -> Result<Vec<String>, StoreError> {
        let standing = self.entries_of(key)?;
        Ok(standing.into_iter().map(|entry| entry.feed).collect())
    }

    /// Whether a record stands in a feed now.
    pub fn is_in_feed(&self, key: RecordKey, feed: &str) -> Result<bool, StoreError> {
        Ok(self
            .entries_of(key)?
            .iter()
            .any(|entry| entry.feed == feed && entry.left.is_none()))
    }

    /// What is known of a record to those who read a feed; none where nothing is. One that is known and not in the
    /// feed has left it, for the reason that its entry tells; also where that was released, and the reason with it.
    pub fn known_in(&self, key: RecordKey, feed: &str) -> Result<Option<Known>, StoreError> {
        let mut standing = self.entries_of(key)?.into_iter();
        let standing = standing.find(|entry| entry.feed == feed);
        let stored = self.told_hash(key)?;
        let left = match (standing, stored) {
            (Some(Standing { left: None, .. }), _) => return self.state_of(key),
            (Some(Standing { left, .. }), _) => left,
            (None, Some(_)) => Some(reason_code(Leaving::Withdrawn)),
            (None, None) => {
                let is_purged = self.is_purged(key.id)?;
                is_purged.then_some(reason_code(Leaving::Purged))
            }
        };
        Ok(left.map(|reason| Known::Entry(Entry::Left(key, reason))))
    }

    /// What is known of a record that is in a feed; none where it has no row.
    fn state_of(&self, key: RecordKey) -> Result<Option<Known>, StoreError> {
        match self.record_as_written(key) {
            Ok(record) => Ok(record.map(|record| Known::Entry(Entry::State(record)))),
            Err(StoreError::Damaged { stored, .. }) => Ok(Some(Known::Damaged(stored))),
            Err(error) => Err(error),
        }
    }

    /// What has moved in a feed after a place, within these limits. Own changes that the reader has
    /// folded are left out where nothing foreign has moved their record that it has not seen. A row that is damaged
    /// keeps nobody from the others: it is named beside them.
    pub fn page(
        &self,
        feed: &str,
        after: u64,
        reader: &Reader,
        (rows_max, bytes_max): (usize, usize),
    ) -> Result<Page, StoreError> {
        let state = self.read_feed(feed)?;
        let head = state.next_sequence - 1;
        let mut page = Page {
            entries: Vec::new(),
            damaged: Vec::new(),
            to_sequence: after,
            digest: None,
        };
        let mut bytes = 0;
        loop {
            let places = self.places_after(feed, page.to_sequence, rows_max)?;
            if places.is_empty() {
                page.to_sequence = head.max(after);
                page.digest = Some(state.digest);
                return Ok(page);
            }
            for place in places {
                page.to_sequence = place.sequence;
                if is_echo(&place.in_feed(), reader) {
                    continue;
                }
                match self.known_at(&place)? {
                    Some(Known::Entry(entry)) => {
                        bytes += size_of(&entry);
                        page.entries.push(entry);
                    }
                    Some(Known::Damaged(stored)) => page.damaged.push((place.key, stored)),
                    None => {}
                }
                if page.entries.len() >= rows_max || bytes >= bytes_max {
                    page.digest = (page.to_sequence >= head).then_some(state.digest);
                    return Ok(page);
                }
            }
        }
    }

    fn known_at(&self, place: &Place) -> Result<Option<Known>, StoreError> {
        match place.left {
            Some(reason) => Ok(Some(Known::Entry(Entry::Left(place.key, reason)))),
            None => self.state_of(place.key),
        }
    }

    fn places_after(&self, feed: &str, after: u64, max: usize) -> Result<Vec<Place>, StoreError> {
        let mut statement = self.connection.prepare_cached(
            "SELECT kind, id, sequence, foreign_sequence, own_node, own_epoch, own_sequence,
                 left_reason
             FROM feed_entry WHERE feed = ?1 AND sequence > ?2 ORDER BY sequence LIMIT ?3",
        )?;
        let max = i64::try_from(max).unwrap_or(i64::MAX);
        let places = statement.query_map(params![feed, after.cast_signed(), max], |row| {
            let node: Option<[u8; 16]> = row.get(4)?;
            let epoch: Option<u32> = row.get(5)?;
            let sequence: Option<i64> = row.get(6)?;
            let own = match (node, epoch, sequence) {
                (Some(node), Some(epoch), Some(sequence)) => Some(ChangeId {
                    node: NodeId::new(node),
                    epoch,
                    sequence: sequence.cast_unsigned(),
                }),
                _ => None,
            };
            Ok(Place {
                key: RecordKey {
                    kind: row.get(0)?,
                    id: RecordId::new(row.get(1)?),
                },
                sequence: row.get::<_, i64>(2)?.cast_unsigned(),
                foreign_sequence: row.get::<_, i64>(3)?.cast_unsigned(),
                own,
                left: row.get(7)?,
            })
        })?;
        Ok(places.collect::<Result<_, _>>()?)
    }

    pub(super) fn entries_of(&self, key: RecordKey) -> Result<Vec<Standing>, StoreError> {
        let mut statement = self.connection.prepare_cached(
            "SELECT feed, sequence, foreign_sequence, own_node, own_epoch, left_reason
             FROM feed_entry WHERE kind = ?1 AND id = ?2",
        )?;
        let entries = statement.query_map(params![key.kind, key.id.bytes()], |row| {
            let node: Option<[u8; 16]> = row.get(3)?;
            let epoch: Option<u32> = row.get(4)?;
            Ok(Standing {
                feed: row.get(0)?,
                sequence: row.get::<_, i64>(1)?.cast_unsigned(),
                foreign_sequence: row.get::<_, i64>(2)?.cast_unsigned(),
                own: node.map(NodeId::new).zip(epoch),
                left: row.get(5)?,
            })
        })?;
        Ok(entries.collect::<Result<_, _>>()?)
    }

    pub(super) fn put_entry(
        &self,
        key: RecordKey,
        feed: &str,
        sequence: u64,
        foreign_sequence: u64,
        own: Option<ChangeId>,
    ) -> Result<(), StoreError> {
        self.connection
            .prepare_cached(
                "INSERT INTO feed_entry (kind, id, feed, sequence, foreign_sequence, own_node,
                     own_epoch, own_sequence)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)
                 ON CONFLICT (kind, id, feed) DO UPDATE SET sequence = ?4, foreign_sequence = ?5,
                     own_node = ?6, own_epoch = ?7, own_sequence = ?8, left_reason = NULL,
                     left_at = NULL",
            )?
            .execute(params![
                key.kind,
                key.id.bytes(),
                feed,
                sequence.cast_signed(),
                foreign_sequence.cast_signed(),
                own.map(|own| own.node.bytes()),
                own.map(|own| own.epoch),
                own.map(|own| own.sequence.cast_signed())
            ])?;
        Ok(())
    }

    pub(super) fn clear_foreign(&self, key: RecordKey, feed: &str) -> Result<(), StoreError> {
        self.connection
            .prepare_cached(
                "UPDATE feed_entry SET foreign_sequence = 0
                 WHERE kind = ?1 AND id = ?2 AND feed = ?3",
            )?
            .execute(params![key.kind, key.id.bytes(), feed])?;
        Ok(())
    }

    pub(super) fn mark_left(
        &self,
        key: RecordKey,
        feed: &str,
        reason: u8,
        now_ms: u64,
    ) -> Result<(), StoreError> {
        self.connection
            .prepare_cached(
                "UPDATE feed_entry SET left_reason = ?4, left_at = ?5
                 WHERE kind = ?1 AND id = ?2 AND feed = ?3",
            )?
            .execute(params![
                key.kind,
                key.id.bytes(),
                feed,
                reason,
                now_ms.cast_signed()
            ])?;
        Ok(())
    }

    pub(super) fn feed_state<'a>(
        &self,
        feeds: &'a mut BTreeMap<String, FeedState>,
        name: &str,
    ) -> Result<&'a mut FeedState, StoreError> {
        if !feeds.contains_key(name) {
            feeds.insert(name.to_owned(), self.read_feed(name)?);
        }
        feeds.get_mut(name).ok_or(StoreError::Unreadable("feed"))
    }

    pub(super) fn save_feeds(&self, feeds: &BTreeMap<String, FeedState>) -> Result<(), StoreError> {
        for (name, state) in feeds {
            self.connection
                .prepare_cached(
                    "INSERT INTO feed (name, next_sequence, sum, count) VALUES (?1, ?2, ?3, ?4)
                     ON CONFLICT (name) DO UPDATE SET next_sequence = ?2, sum = ?3, count = ?4",
                )?
                .execute(params![
                    name,
                    state.next_sequence.cast_signed(),
                    state.digest.sum(),
                    state.digest.count().cast_signed()
                ])?;
            self.note_state(name, state)?;
        }
        Ok(())
    }

    /// Notes what a feed is at the end of a commit, and forgets what it was long ago.
    fn note_state(&self, name: &str, state: &FeedState) -> Result<(), StoreError> {
        let head = state.next_sequence - 1;
        self.connection
            .prepare_cached(
                "INSERT OR IGNORE INTO feed_state (feed, sequence, sum) VALUES (?1, ?2, ?3)",
            )?
            .execute(params![name, head.cast_signed(), state.digest.sum()])?;
        let forgotten = head.saturating_sub(PLACES_REMEMBERED);
        self.connection
            .prepare_cached("DELETE FROM feed_state WHERE feed = ?1 AND sequence < ?2")?
            .execute(params![name, forgotten.cast_signed()])?;
        Ok(())
    }

    /// Whether a feed may have been this at a place that it has reached: it was, or nobody remembers that place.
    pub fn may_have_been(&self, feed: &str, at: u64, digest: &Digest) -> Result<bool, StoreError> {
        Ok(self
            .connection
            .prepare_cached(
                "SELECT NOT EXISTS (SELECT 1 FROM feed_state WHERE feed = ?1 AND sequence <= ?2)
                     OR EXISTS (SELECT 1 FROM feed_state WHERE feed = ?1 AND sequence = ?2 AND sum = ?3)",
            )?
            .query_row(params![feed, at.cast_signed(), digest.sum()], |row| row.get(0))?)
    }

    fn read_feed(&self, name: &str) -> Result<FeedState, StoreError> {
        let row: Option<(i64, [u8; 32], i64)> = self
            .connection
            .prepare_cached("SELECT next_sequence, sum, count FROM feed WHERE name = ?1")?
            .query_row([name], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))
            .optional()?;
        Ok(row.map_or_else(
            || FeedState {
                next_sequence: 1,
                digest: Digest::default(),
            },
            |(next, sum, count)| FeedState {
                next_sequence: next.cast_unsigned(),
                digest: Digest::from_parts(&sum, count.cast_unsigned()),
            },
        ))
    }
}

fn size_of(entry: &Entry) -> usize {
    match entry {
        Entry::Left(..) => 32,
        Entry::State(record) => {
            64 + record
                .fields
                .values()
                .map(|field| field.value.len() + 8)
                .sum::<usize>()
        }
    }
}

impl Tx<'_> {
    /// Keeps the last equality certificate of a node's feed: the hub's and the node's signatures.
    pub fn put_certificate(
        &self,
        node: NodeId,
        feed: &str,
        sequence: u64,
        digest: &Digest,
        (by_hub, by_node): (&[u8], &[u8]),
        now_ms: u64,
    ) -> Result<(), StoreError> {
        self.connection
            .prepare_cached(
                "INSERT INTO certificate (node, feed, sequence, sum, count, hub_signature,
                     node_signature, at)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)
                 ON CONFLICT (node, feed) DO UPDATE SET sequence = ?3, sum = ?4, count = ?5,
                     hub_signature = ?6, node_signature = ?7, at = ?8",
            )?
            .execute(params![
                node.bytes(),
                feed,
                sequence.cast_signed(),
                digest.sum(),
                digest.count().cast_signed(),
                by_hub,
                by_node,
                now_ms.cast_signed()
            ])?;
        Ok(())
    }
}
