//! Writes what was decided: records, feeds, outcomes, waiting changes, in the caller's transaction.

use std::collections::{BTreeMap, BTreeSet};

use domain::decide::change_bytes;
use domain::digest::RowHash;
use domain::id::{DESK, OfficeId};
use domain::kind::Class;
use domain::record::{Record, RecordKey};
use domain::session::hub::foreign_before;
use domain::world::{Leaving, Mover, Outcome, Writes};
use rusqlite::params;

use super::feeds::{CITY, FeedState, feed_of};
use crate::error::StoreError;
use crate::records::Tx;

impl Tx<'_> {
    /// Writes everything that was decided.
    pub fn apply(&self, writes: &Writes, now_ms: u64) -> Result<(), StoreError> {
        let mut feeds = BTreeMap::new();
        // Updates before creations: a place that is unique (the open tenure of a member) is freed
        // before it is taken.
        let (new, known): (Vec<_>, Vec<_>) = writes
            .records
            .values()
            .partition(|(record, _)| record.revision == 1);
        for (record, mover) in known.into_iter().chain(new) {
            let before = self.row_hash(record.key)?;
            let hash = self.write_record(record)?;
            self.note_life(record, now_ms)?;
            let joined = writes
                .joins
                .range((record.key, DESK_FIRST)..)
                .take_while(|(key, _)| *key == record.key)
                .map(|(_, office)| feed_of(*office));
            let names = own_feed(record)
                .into_iter()
                .chain(joined)
                .collect::<BTreeSet<_>>();
            self.move_to_heads(&mut feeds, record, (before, hash), *mover, &names)?;
        }
        for (key, office) in &writes.joins {
            if !writes.records.contains_key(key) {
                self.join_unchanged(&mut feeds, *key, &feed_of(*office))?;
            }
        }
        for ((key, office), why) in &writes.leaves {
            self.leave_feed(&mut feeds, *key, &feed_of(*office), *why, now_ms)?;
        }
        self.save_feeds(&feeds)?;
        self.write_outcomes(writes)?;
        self.write_waiting(writes, now_ms)
    }

    fn move_to_heads(
        &self,
        feeds: &mut BTreeMap<String, FeedState>,
        record: &Record,
        (before, hash): (Option<RowHash>, RowHash),
        mover: Mover,
        names: &BTreeSet<String>,
    ) -> Result<(), StoreError> {
        let mut standing = self.entries_of(record.key)?;
        for name in names {
            if !standing
                .iter()
                .any(|entry| entry.feed == *name && entry.left.is_none())
            {
                standing.retain(|entry| entry.feed != *name);
                let feed = self.feed_state(feeds, name)?;
                feed.digest.add(&hash);
                let sequence = feed.take_place();
                self.put_entry(record.key, name, sequence, sequence, own_of(mover))?;
            }
        }
        for entry in standing.iter().filter(|entry| entry.left.is_none()) {
            let feed = self.feed_state(feeds, &entry.feed)?;
            if let Some(before) = before {
                feed.digest.remove(&before);
            }
            feed.digest.add(&hash);
            let sequence = feed.take_place();
            let foreign = match mover {
                Mover::Own(own) if own_feed(record).as_ref() == Some(&entry.feed) => {
                    foreign_before((entry.sequence, entry.foreign_sequence, entry.own), own)
                }
                Mover::Own(_) | Mover::Foreign => sequence,
            };
            self.put_entry(record.key, &entry.feed, sequence, foreign, own_of(mover))?;
        }
        // An own creation is not echoed: nothing foreign has moved it.
        if let (Mover::Own(_), None, Some(own)) = (mover, before, own_feed(record)) {
            self.clear_foreign(record.key, &own)?;
        }
        Ok(())
    }

    fn join_unchanged(
        &self,
        feeds: &mut BTreeMap<String, FeedState>,
        key: RecordKey,
        name: &str,
    ) -> Result<(), StoreError> {
        let is_in = self
            .entries_of(key)?
            .iter()
            .any(|entry| entry.feed == name && entry.left.is_none());
        let Some(hash) = self.row_hash(key)?.filter(|_| !is_in) else {
            return Ok(());
        };
        let feed = self.feed_state(feeds, name)?;
        feed.digest.add(&hash);
        let sequence = feed.take_place();
        self.put_entry(key, name, sequence, sequence, None)
    }

    pub(super) fn leave_feed(
        &self,
        feeds: &mut BTreeMap<String, FeedState>,
        key: RecordKey,
        name: &str,
        why: Leaving,
        now_ms: u64,
    ) -> Result<(), StoreError> {
        let is_in = self
            .entries_of(key)?
            .iter()
            .any(|entry| entry.feed == name && entry.left.is_none());
        let Some(hash) = self.row_hash(key)?.filter(|_| is_in) else {
            return Ok(());
        };
        let feed = self.feed_state(feeds, name)?;
        feed.digest.remove(&hash);
        let sequence = feed.take_place();
        self.put_entry(key, name, sequence, sequence, None)?;
        self.mark_left(key, name, reason_code(why), now_ms)
    }

    fn write_outcomes(&self, writes: &Writes) -> Result<(), StoreError> {
        let mut statement = self.connection.prepare_cached(
            "INSERT INTO outcome (node, epoch, sequence, field, state, target)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6)
             ON CONFLICT (node, epoch, sequence, field) DO UPDATE SET state = ?5, target = ?6",
        )?;
        for ((change, field), outcome) in &writes.outcomes {
            let (state, target) = match outcome {
                Outcome::Merged(into) => (1, change_bytes(*into)),
                Outcome::Lost(item) => (2, item.bytes().to_vec()),
                Outcome::SetAside(note) => (3, note.bytes().to_vec()),
                Outcome::Waiting(note) => (4, note.bytes().to_vec()),
            };
            statement.execute(params![
                change.node.bytes(),
                change.epoch,
                change.sequence.cast_signed(),
                field,
                state,
                target
            ])?;
        }
        Ok(())
    }

    fn write_waiting(&self, writes: &Writes, now_ms: u64) -> Result<(), StoreError> {
        for change in &writes.released {
            self.connection
                .prepare_cached(
                    "DELETE FROM waiting WHERE node = ?1 AND epoch = ?2 AND sequence = ?3",
                )?
                .execute(params![
                    change.node.bytes(),
                    change.epoch,
                    change.sequence.cast_signed()
                ])?;
        }
        for waiting in &writes.waiting {
            self.connection
                .prepare_cached(
                    "INSERT INTO waiting (for_kind, for_id, node, epoch, sequence, set_aside, since,
                         until_heard)
                     VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8) ON CONFLICT DO NOTHING",
                )?
                .execute(params![
                    waiting.for_record.kind,
                    waiting.for_record.id.bytes(),
                    waiting.change.node.bytes(),
                    waiting.change.epoch,
                    waiting.change.sequence.cast_signed(),
                    waiting.set_aside.bytes(),
                    now_ms.cast_signed(),
                    waiting.until_heard
                ])?;
        }
        Ok(())
    }
}

/// The reason's number on the wire.
pub(super) const fn reason_code(why: Leaving) -> u8 {
    match why {
        Leaving::Transferred => 1,
        Leaving::Withdrawn => 2,
        Leaving::Purged => 4,
    }
}

const DESK_FIRST: OfficeId = OfficeId::new([0; 16]);

/// The feed in which a record stands by itself: the city's for reference records, its office's for
/// others, none for the desk's own.
fn own_feed(record: &Record) -> Option<String> {
    if record.class == Class::Reference {
        Some(CITY.to_owned())
    } else if record.office == DESK {
        None
    } else {
        Some(feed_of(record.office))
    }
}

const fn own_of(mover: Mover) -> Option<domain::id::ChangeId> {
    match mover {
        Mover::Own(change) => Some(change),
        Mover::Foreign => None,
    }
}
