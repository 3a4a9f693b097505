//! Folds what the hub sends and answers into the rows: base images, pending changes, digests.

use std::collections::{BTreeMap, BTreeSet};

use domain::change::Change;
use domain::decide::{change_of_bytes, set_aside_id};
use domain::digest::Digest;
use domain::id::ChangeId;
use domain::kinds::set_aside;
use domain::record::{Record, RecordKey};
use domain::replay::{replay, stands_on};
use domain::session::office::{self, Applied};
use proto::convert::FeedRow;
use store::Tx;
use store::node::{Entry, Reading};

use crate::app::Own;
use crate::clock;

/// A page as read.
#[derive(Debug, Clone)]
pub struct Page {
    /// The feed.
    pub feed: String,
    /// Its rows.
    pub rows: Vec<FeedRow>,
    /// The place reached.
    pub to_sequence: u64,
    /// Whether that is the head.
    pub is_last: bool,
    /// Own changes decided, in the snapshot of the rows.
    pub decided_through: u64,
    /// Up to where entries that told of removals were released.
    pub released_through: u64,
}

/// Folds a page into the rows, and saves the cursor with them; the digest of the feed after it.
///
/// # Errors
/// The store's own.
pub fn take_page(tx: Tx<'_>, own: Own, page: &Page) -> anyhow::Result<Digest> {
    let mut reading = tx.reading(&page.feed)?;
    let digest = &mut reading.digest;
    // A change that waits for a record stays pending and shown: its note may come after its row.
    for row in &page.rows {
        if let FeedRow::State(record) = row
            && record.key.kind == set_aside::KIND_NUMBER
        {
            note_waiting(tx, own, record)?;
        }
    }
    for row in &page.rows {
        match row {
            FeedRow::State(record) => take_state(tx, own, page, record, digest)?,
            FeedRow::Left(key, _) => {
                let read = (page.feed.as_str(), page.decided_through);
                take_leave(tx, own, read, *key, digest)?;
            }
        }
    }
    let (read, told) = (reading.sequence, reading.released_through);
    reading.is_past_released |= office::reads_past_released(read, told, page.released_through);
    reading.released_through = page.released_through;
    reading.sequence = page.to_sequence.max(read);
    if page.is_last {
        reading.whole_through = page.to_sequence;
    }
    tx.put_reading(&page.feed, &reading)?;
    Ok(reading.digest)
}

fn take_state(
    tx: Tx<'_>,
    own: Own,
    page: &Page,
    state: &Record,
    digest: &mut Digest,
) -> anyhow::Result<()> {
    let key = state.key;
    let confirmed = confirmed_of(tx, key)?;
    let mut pending = Vec::new();
    for (epoch, sequence) in tx.pending_of(key)? {
        if !tx.is_waiting(epoch, sequence)? {
            pending.push((epoch, sequence));
        }
    }
    let revision = confirmed.as_ref().map(|confirmed| confirmed.revision);
    let revisions = (revision, state.revision);
    let fold = office::fold_row(own.epoch, pending, page.decided_through, revisions);
    for (epoch, sequence) in &fold.dropped {
        tx.drop_pending(*epoch, *sequence)?;
    }
    if !fold.is_taken {
        return settle_row(tx, own, key, confirmed);
    }
    count(tx, &page.feed, key, Some(state), digest)?;
    settle_row(tx, own, key, Some(state.clone()))?;
    if key.kind == set_aside::KIND_NUMBER {
        take_refusal(tx, own, state)?;
    }
    Ok(())
}

fn take_leave(
    tx: Tx<'_>,
    own: Own,
    (feed, decided_through): (&str, u64),
    key: RecordKey,
    digest: &mut Digest,
) -> anyhow::Result<()> {
    count(tx, feed, key, None, digest)?;
    // Who reads a feed from its beginning hears of much that was never here: of that nothing is to be erased.
    if tx.holds(key)? {
        tx.note_leaving(key)?;
    }
    let stands = |place: &(u32, u64)| !office::is_decided(own.epoch, *place, decided_through);
    let (kept, dropped): (Vec<_>, Vec<_>) = tx.pending_of(key)?.into_iter().partition(stands);
    for (epoch, sequence) in dropped {
        tx.drop_pending(epoch, sequence)?;
    }
    leave(tx, key, kept.is_empty())
}

/// The machine reads a feed no more: it is another office's now. All rows of it leave, and so does what no feed counts:
/// what the hub does not have, and what a repair kept beside. What was entered and is not sent goes along.
///
/// # Errors
/// The store's own.
pub fn leave_feed(tx: Tx<'_>, feed: &str) -> anyhow::Result<()> {
    let uncounted = tx.held_uncounted()?;
    let counted = tx.counted_in(feed)?.into_iter().map(|(key, _)| key);
    for key in counted.chain(uncounted) {
        tx.set_counted(key, None)?;
        tx.note_leaving(key)?;
        leave(tx, key, tx.pending_of(key)?.is_empty())?;
    }
    Ok(tx.put_reading(feed, &Reading::default())?)
}

/// Nothing of a record is shown, but for what is still pending of it.
fn leave(tx: Tx<'_>, key: RecordKey, is_settled: bool) -> anyhow::Result<()> {
    if is_settled {
        tx.drop_base_image(key)?;
        tx.remove_record(key)?;
    } else {
        // What is still pending is answered by a note; then nothing of the record is left.
        tx.put_base_image(key, None)?;
    }
    Ok(())
}

/// Counts a confirmed state in its feed's digest instead of the one before. What is counted is not to be erased.
fn count(
    tx: Tx<'_>,
    feed: &str,
    key: RecordKey,
    state: Option<&Record>,
    digest: &mut Digest,
) -> anyhow::Result<()> {
    if let Some((counted_in, hash)) = tx.counted(key)?
        && counted_in == feed
    {
        digest.remove(&hash);
    }
    let hash = state.map(Record::hash);
    if let Some(hash) = &hash {
        digest.add(hash);
        tx.forget_leaving(key)?;
    }
    tx.set_counted(key, hash.as_ref().map(|hash| (feed, hash)))?;
    Ok(())
}

/// The state of a row that the hub has confirmed, without what is pending on top of it; none where there is none.
fn confirmed_of(tx: Tx<'_>, key: RecordKey) -> anyhow::Result<Option<Record>> {
    Ok(match tx.base_image(key)? {
        Some(confirmed) => confirmed,
        None => tx.record(key)?,
    })
}

/// The row becomes the confirmed state with what is still pending on top of it.
pub(crate) fn settle_row(
    tx: Tx<'_>,
    own: Own,
    key: RecordKey,
    confirmed: Option<Record>,
) -> anyhow::Result<()> {
    let pending = tx.pending_of(key)?;
    if pending.is_empty() {
        tx.drop_base_image(key)?;
        return put_row(tx, key, confirmed.as_ref());
    }
    tx.put_base_image(key, confirmed.as_ref())?;
    let mut row = confirmed;
    for (epoch, sequence) in pending {
        // What cannot be read changes nothing here: the hub keeps it, and a person sees it.
        if let Some(entry) = tx.entry(epoch, sequence)?
            && let Ok(change) = read(own, &entry)
        {
            row = replay(row.clone(), &change, own.office).or(row);
        }
    }
    put_row(tx, key, row.as_ref())
}

fn put_row(tx: Tx<'_>, key: RecordKey, row: Option<&Record>) -> anyhow::Result<()> {
    match row {
        Some(row) => {
            tx.write_record(row)?;
        }
        None => tx.remove_record(key)?,
    }
    Ok(())
}

/// Notes which own changes wait at the hub for a record.
fn note_waiting(tx: Tx<'_>, own: Own, note: &Record) -> anyhow::Result<()> {
    let change = note.value(set_aside::CHANGE).and_then(change_of_bytes);
    if let Some(change) = change.filter(|change| change.node == own.node) {
        let is_waiting = note.text(set_aside::STATE) == Some("waiting");
        tx.set_waiting(change.epoch, change.sequence, is_waiting)?;
        if is_waiting {
            show_again(tx, own, change, note)?;
        }
    }
    Ok(())
}

/// A change that waits is pending and shown, though its row came in a page before the one with its note: with that
/// page it was folded away as decided. Not where more is known of it by a later state of the note, nor where the
/// change was erased or its record is not here.
fn show_again(tx: Tx<'_>, own: Own, change: ChangeId, note: &Record) -> anyhow::Result<()> {
    let Some(entry) = tx.entry(change.epoch, change.sequence)? else {
        return Ok(());
    };
    let is_pending = tx
        .pending_of(entry.key)?
        .contains(&(entry.epoch, entry.sequence));
    let known = confirmed_of(tx, note.key)?;
    let is_over = known.is_some_and(|known| known.revision > note.revision);
    if is_pending || is_over || entry.raw.erased.is_some() {
        return Ok(());
    }
    if let Some(confirmed) = confirmed_of(tx, entry.key)? {
        tx.put_pending(&entry, true)?;
        settle_row(tx, own, entry.key, Some(confirmed))?;
    }
    Ok(())
}

/// An own change came back refused: it, and those that stand on it, are shown no more.
fn take_refusal(tx: Tx<'_>, own: Own, note: &Record) -> anyhow::Result<()> {
    let change = note.value(set_aside::CHANGE).and_then(change_of_bytes);
    let Some(change) = change.filter(|change| change.node == own.node) else {
        return Ok(());
    };
    // A change that waited and was applied after all comes with its row.
    let is_over = note.text(set_aside::STATE) != Some("waiting");
    if !is_over {
        return Ok(());
    }
    let Some(entry) = tx.entry(change.epoch, change.sequence)? else {
        return Ok(());
    };
    tx.note_refused(change.epoch, change.sequence, note.key.id)?;
    show_no_more(tx, own, &entry)
}

/// An own change is pending no more: its row is the confirmed state, with what is still pending on top.
fn show_no_more(tx: Tx<'_>, own: Own, entry: &Entry) -> anyhow::Result<()> {
    tx.drop_pending(entry.epoch, entry.sequence)?;
    if let Some(confirmed) = tx.base_image(entry.key)? {
        settle_row(tx, own, entry.key, confirmed)?;
    }
    Ok(())
}

/// Folds what a push was answered: changes that were plainly applied become part of the confirmed
/// state where it is still the one that they stood on. The rest comes with its row.
///
/// # Errors
/// The store's own.
pub fn take_answer(
    tx: Tx<'_>,
    own: Own,
    feed: &str,
    decided_through: u64,
    not_applied: &BTreeSet<u64>,
) -> anyhow::Result<()> {
    let mut reading = tx.reading(feed)?;
    for entry in tx.pending_through(own.epoch, decided_through)? {
        if not_applied.contains(&entry.sequence) {
            continue;
        }
        let key = entry.key;
        let first = tx.pending_of(key)?.into_iter().next();
        let Some(confirmed) = tx.base_image(key)? else {
            continue;
        };
        let Ok(change) = read(own, &entry) else {
            continue;
        };
        let applied = Applied {
            verb: change.header.verb,
            is_next: first == Some((entry.epoch, entry.sequence)),
            stands_on_confirmed: stands_on(confirmed.as_ref(), &change),
        };
        if !office::folds_at_once(applied) {
            continue;
        }
        let Some(mut folded) = replay(confirmed, &change, own.office) else {
            continue;
        };
        folded.set_ordered_at(change.id, clock::ordered_at(tx, change.header.timestamp)?);
        tx.drop_pending(entry.epoch, entry.sequence)?;
        count(tx, feed, key, Some(&folded), &mut reading.digest)?;
        if tx.pending_of(key)?.is_empty() {
            tx.drop_base_image(key)?;
            tx.write_record(&folded)?;
        } else {
            tx.put_base_image(key, Some(&folded))?;
        }
    }
    tx.put_reading(feed, &reading)?;
    Ok(())
}

/// Up to where own changes are folded: the hub need not send them back.
///
/// # Errors
/// The store's own.
pub fn folded_through(tx: Tx<'_>, own: Own) -> anyhow::Result<u64> {
    let head = tx.last_entry(own.epoch)?.map_or(0, |entry| entry.sequence);
    Ok(office::folded_through(head, tx.first_pending(own.epoch)?))
}

/// What is decided and still pending where node and hub hold the same is folded: no row comes that says so.
/// The hub has counted it as a repeat of what was set aside in a former epoch; or it was put back, and has
/// given the row a place that was read already, or knows nothing of a note that it waits. So is what is pending of
/// former epochs: what the hub does not have of them is written anew before anything is read.
///
/// # Errors
/// The store's own.
pub fn take_decided(tx: Tx<'_>, own: Own, decided_through: u64) -> anyhow::Result<()> {
    let mut decided = tx.pending_through(own.epoch, decided_through)?;
    for epoch in tx.pending_epochs_but(own.epoch)? {
        decided.extend(tx.pending_after(epoch, 0, usize::MAX)?);
    }
    for entry in decided {
        if !waits(tx, own, &entry)? {
            show_no_more(tx, own, &entry)?;
        }
    }
    Ok(())
}

/// Whether a note says that an own change waits for a record.
fn waits(tx: Tx<'_>, own: Own, entry: &Entry) -> anyhow::Result<bool> {
    let change = ChangeId {
        node: own.node,
        epoch: entry.epoch,
        sequence: entry.sequence,
    };
    let note = tx.record(RecordKey {
        kind: set_aside::KIND_NUMBER,
        id: set_aside_id(change),
    })?;
    Ok(note.is_some_and(|note| note.text(set_aside::STATE) == Some("waiting")))
}

/// A row of the feed that the hub does not have: it is counted no more. What only a hub makes, and this
/// one has not made (a restored hub that decided anew), is kept beside and shown no more: nobody could
/// work on it. Anything else stays.
///
/// # Errors
/// The store's own.
pub fn hub_lacks(
    tx: Tx<'_>,
    own: Own,
    feed: &str,
    key: RecordKey,
    now_ms: u64,
) -> anyhow::Result<()> {
    let mut reading = tx.reading(feed)?;
    count(tx, feed, key, None, &mut reading.digest)?;
    tx.put_reading(feed, &reading)?;
    if let Some(row) = tx.record(key)?.filter(|row| row.class.is_of_hub()) {
        tx.keep_replaced(&row, "hub_lacks", now_ms)?;
        settle_row(tx, own, key, None)?;
    }
    Ok(())
}

/// Rows that are not in a feed any more: the hub says so of each, or it does not have them and the feed was read
/// past released entries. They left, or were removed, while nobody here was told.
///
/// # Errors
/// The store's own.
pub fn remove_released(
    tx: Tx<'_>,
    own: Own,
    (feed, decided_through): (&str, u64),
    keys: &[RecordKey],
) -> anyhow::Result<()> {
    let mut reading = tx.reading(feed)?;
    for key in keys {
        take_leave(tx, own, (feed, decided_through), *key, &mut reading.digest)?;
    }
    tx.put_reading(feed, &reading)?;
    Ok(())
}

/// What the hub tells of rows that differ.
#[derive(Debug, Clone, Default)]
pub struct Told {
    /// The states of those that are in the feed; none of one that has left it.
    pub rows: BTreeMap<RecordKey, Option<Record>>,
    /// Those of which ours stays as it is: damaged at the hub, or left and not kept there.
    pub staying: BTreeSet<RecordKey>,
}

/// Takes what the hub tells of rows that differ, own changes being decided so far: its states stand instead of ours,
/// what has left is removed, and of what is damaged there ours stays as it is. Those of which the hub knows nothing.
///
/// # Errors
/// The store's own.
pub fn take_told(
    tx: Tx<'_>,
    own: Own,
    (feed, decided_through): (&str, u64),
    keys: &[RecordKey],
    told: &Told,
    now_ms: u64,
) -> anyhow::Result<Vec<RecordKey>> {
    let (mut left, mut unknown) = (Vec::new(), Vec::new());
    for key in keys {
        match told.rows.get(key) {
            Some(Some(state)) => repair(tx, own, feed, *key, state, now_ms)?,
            Some(None) => left.push(*key),
            None if told.staying.contains(key) => {}
            None => unknown.push(*key),
        }
    }
    remove_released(tx, own, (feed, decided_through), &left)?;
    Ok(unknown)
}

/// A row that a repair brings: what stood here before is kept beside, unless it is the same.
fn repair(
    tx: Tx<'_>,
    own: Own,
    feed: &str,
    key: RecordKey,
    state: &Record,
    now_ms: u64,
) -> anyhow::Result<()> {
    let mut reading = tx.reading(feed)?;
    let is_same = tx.counted(key)? == Some((feed.to_owned(), state.hash()));
    if let Some(before) = tx.record(key)?.filter(|_| !is_same) {
        tx.keep_replaced(&before, "digest", now_ms)?;
    }
    count(tx, feed, key, Some(state), &mut reading.digest)?;
    settle_row(tx, own, key, Some(state.clone()))?;
    tx.put_reading(feed, &reading)?;
    if key.kind == set_aside::KIND_NUMBER {
        note_waiting(tx, own, state)?;
        take_refusal(tx, own, state)?;
    }
    Ok(())
}

/// An own entry as a change.
///
/// # Errors
/// Bytes of the own journal that cannot be read: damage.
pub fn read(own: Own, entry: &Entry) -> anyhow::Result<Change> {
    let id = ChangeId {
        node: own.node,
        epoch: entry.epoch,
        sequence: entry.sequence,
    };
    Ok(proto::convert::decode_change(id, &entry.raw)?)
}
