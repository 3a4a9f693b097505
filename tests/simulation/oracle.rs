//! What must hold, whatever happened. It asks no rule: it knows what people were told, and reads
//! journals and records as lists of words.

mod equal;
mod reading;
mod seen;
mod words;

pub use reading::{Cursors, cursors};
pub use words::{HAND, TOKEN};

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context as _, ensure};
use domain::change::{Change, Hash, Verb};
use domain::decide::{change_of_bytes, set_aside_id, waits_of};
use domain::id::{ChangeId, NodeId};
use domain::kinds::{self, conflict, set_aside};
use domain::record::{Record, RecordKey};

use self::words::{hand_of, token_in, tokens_of, words_of};
use crate::simulation::city::City;
use crate::simulation::reference::{self, Made, Seen};

/// More epochs than an office reaches here.
const EPOCHS: u32 = 100;

/// Words that somebody was told are kept.
#[derive(Debug, Clone)]
pub struct Kept {
    /// The words.
    pub token: String,
    /// Where they were entered: an office, or the desk.
    pub office: Option<usize>,
    /// Whether the place's own disk has them.
    pub on_own_disk: bool,
    /// Whether the hub's has them.
    pub at_hub: bool,
}

/// What people were told.
#[derive(Debug, Default, Clone)]
pub struct Ledger {
    kept: Vec<Kept>,
    /// Words of commands that were cut: they may be there or not.
    pub unknown: Vec<String>,
    /// Changes on which one stood that the hub lost with its own journal.
    stood_on: BTreeSet<ChangeId>,
    /// The same, as the reference model names them.
    stood_on_there: BTreeSet<reference::Id>,
    /// What the hub had made itself, and has lost.
    made: Made,
    /// Whether the hub was ever put back.
    hub_was_restored: bool,
    /// Whether a hub that was off was put back: what stood on what is not known then.
    is_blind: bool,
    /// Whether every clock was right, and every greeting measured that: then node and hub count what was written as
    /// written at the same time.
    has_right_clocks: bool,
}

impl Ledger {
    /// Somebody was told that it is kept.
    pub fn keep(&mut self, token: String, office: Option<usize>) {
        self.kept.push(Kept {
            token,
            office,
            on_own_disk: true,
            at_hub: office.is_none(),
        });
    }

    /// Says whether all clocks were right, and were measured as such.
    pub const fn clocks_were(&mut self, are_right: bool) {
        self.has_right_clocks = are_right;
    }

    /// The words that are known now, by place in this ledger.
    pub fn mark(&self) -> usize {
        self.kept.len()
    }

    /// Notes what the hub has now.
    ///
    /// # Errors
    /// Where its journals cannot be read.
    pub async fn look_at_hub(&mut self, city: &City) -> anyhow::Result<()> {
        let seen = AtHub::read(city).await?;
        for kept in &mut self.kept {
            kept.at_hub |= seen.tokens.contains_key(&kept.token);
        }
        Ok(())
    }

    /// An office went back to a copy that was taken when so many words were known.
    pub fn rolled_back(&mut self, office: usize, mark: usize) {
        for kept in self.kept.iter_mut().skip(mark) {
            if kept.office == Some(office) {
                kept.on_own_disk = false;
            }
        }
    }

    /// Whether the hub was ever put back.
    pub const fn hub_was_restored(&self) -> bool {
        self.hub_was_restored
    }

    /// The hub went back to a backup that held these words; `before` is what it had, if it was on.
    pub fn hub_restored(&mut self, held: &[String], before: Option<AtHub>) {
        self.hub_was_restored = true;
        self.is_blind |= before.is_none();
        if let Some(before) = before {
            let stood_on = before.seen.stood_on(&self.made);
            self.stood_on_there.extend(stood_on.into_values().flatten());
            self.made.extend(before.seen.made());
            self.stood_on.extend(before.known);
        }
        for kept in &mut self.kept {
            kept.at_hub = held.contains(&kept.token);
        }
    }
}

/// A change that somebody's words came with.
#[derive(Debug, Clone, Copy)]
pub struct Said {
    id: ChangeId,
    key: RecordKey,
    verb: Verb,
    /// Whether the words are its writer's name and no more.
    is_by: bool,
}

impl Said {
    /// Whether a person must find it again, or the words in a record. Of what else is done under a name the values
    /// are looked for.
    fn is_shown(&self) -> bool {
        !self.is_by || self.verb == Verb::Step
    }
}

/// What the hub has, as lists of words.
#[derive(Debug, Default, Clone)]
pub struct AtHub {
    /// Changes that somebody's words came with, without those that only write another anew.
    pub tokens: BTreeMap<String, Vec<Said>>,
    /// Words that stand in a record: as a value, in a conflict, in what was set aside.
    shown: BTreeSet<String>,
    /// Changes on which a later one stands, or that a note names.
    known: BTreeSet<ChangeId>,
    /// By what was written anew: its ids, the former one and each that it has now.
    names: BTreeMap<(ChangeId, Hash), BTreeSet<ChangeId>>,
    /// All of it, for the reference model.
    seen: Seen,
}

impl AtHub {
    /// Reads the hub's journals and records.
    ///
    /// # Errors
    /// The hub is off; what cannot be read.
    pub async fn read(city: &City) -> anyhow::Result<Self> {
        let app = city.hub.app.as_ref().context("the hub is on")?;
        let hub = app.own.node;
        app.store
            .read::<_, anyhow::Error>(move |tx| {
                let mut seen = Self::default();
                let changes = stored_changes(tx)?;
                seen.take_changes(&changes, hub);
                for kind in kinds::ALL {
                    for record in tx.list(kind, &[], None, usize::MAX >> 1)? {
                        seen.take_record(&record);
                    }
                }
                for change in &changes {
                    let (kind, id) = (change.header.kind, change.header.record);
                    if tx.is_purged(id)? {
                        // It is gone by rule, and nobody looks for it.
                        seen.shown.extend(tokens_of(change));
                    }
                    let record = tx.record(RecordKey { kind, id })?;
                    if let Some(record) = record {
                        seen.take_record(&record);
                    }
                }
                seen.seen = seen::at_hub(tx, hub, &changes)?;
                Ok(seen)
            })
            .await
    }

    /// What the hub holds otherwise than it did before; none where it holds the same.
    pub fn difference(&self, before: &Self) -> Option<String> {
        let (now, before) = (&self.seen, &before.seen);
        let row = now
            .rows
            .values()
            .find(|row| before.rows.get(&row.key) != Some(row));
        let lost = before.rows.keys().find(|key| !now.rows.contains_key(key));
        let known: BTreeSet<_> = before.wrote.iter().map(|wrote| wrote.id).collect();
        let wrote = now.wrote.iter().find(|wrote| !known.contains(&wrote.id));
        match (row, lost, wrote) {
            (None, None, None) => None,
            (Some(row), ..) => Some(format!("{row:?}, before {:?}", before.rows.get(&row.key))),
            (None, Some(lost), _) => Some(format!("no {lost:?}")),
            (None, None, Some(wrote)) => Some(format!("{wrote:?}")),
        }
    }

    fn take_changes(&mut self, changes: &[Change], hub: NodeId) {
        let words: BTreeMap<_, _> = changes.iter().map(|c| (c.id, words_of(c))).collect();
        for change in changes {
            let bases = change.body.fields.iter().filter_map(|field| field.base);
            self.known.extend(bases);
            // What the hub derives from a settlement says the words of what it settles, in nobody's name.
            if change.id.node == hub && hand_of(change).is_none() {
                continue;
            }
            // What says that it replaces the same as another is the same change again.
            if let Some(old) = change.header.replaces {
                let names = self.names.entry(old).or_default();
                names.extend([old.0, change.id]);
                if names.len() > 2 {
                    continue;
                }
            }
            let replaced = change.header.replaces.and_then(|(id, _)| words.get(&id));
            let (kind, id) = (change.header.kind, change.header.record);
            for token in words.get(&change.id).into_iter().flatten() {
                let places = self.tokens.entry(token.clone()).or_default();
                if !replaced.is_some_and(|before| before.contains(token)) {
                    places.push(Said {
                        id: change.id,
                        key: RecordKey { kind, id },
                        verb: change.header.verb,
                        is_by: token.starts_with(HAND),
                    });
                }
            }
        }
    }

    fn take_record(&mut self, record: &Record) {
        for state in record.fields.values() {
            self.shown.extend(token_in(&state.value));
        }
        let named = record.value(set_aside::CHANGE);
        if record.key.kind == set_aside::KIND_NUMBER {
            self.known.extend(named.and_then(change_of_bytes));
        }
        // Of fields that are judged as one the loser stands there as one text.
        let loser = record.value(conflict::LOSER_VERSION);
        if record.key.kind == conflict::KIND_NUMBER {
            self.known.extend(loser.and_then(change_of_bytes));
        }
    }

    /// Whether a person can find the words again, or wrote over them knowingly.
    fn accounts_for(&self, token: &str, ids: &[ChangeId], before: &BTreeSet<ChangeId>) -> bool {
        // What a copied machine wrote waits until the desk names the office's machine.
        let is_known = |id: &ChangeId| {
            self.known.contains(id)
                || before.contains(id)
                || self.seen.is_kept_only(seen::id_of(*id))
        };
        // What was written anew may be known under another of its ids.
        let is_known_otherwise = |id: &ChangeId| {
            let mut names = self.names.values().filter(|names| names.contains(id));
            names.any(|names| !names.is_disjoint(&self.known) || !names.is_disjoint(before))
        };
        let accounts = |id: &ChangeId| is_known(id) || is_known_otherwise(id);
        self.shown.contains(token) || ids.iter().any(accounts)
    }
}

/// Every change that the hub has stored, journal by journal.
///
/// # Errors
/// What cannot be read.
pub fn stored_changes(tx: store::Tx<'_>) -> anyhow::Result<Vec<Change>> {
    let mut all = Vec::new();
    for journal in tx.journals()? {
        let mut next = 1;
        for batch in tx.batches_from(journal.node, journal.epoch, 1, u32::MAX)? {
            let raws = proto::convert::decode_batch(&batch.bytes, batch.raw_bytes, usize::MAX)?;
            for (sequence, raw) in (batch.first..).zip(raws) {
                let id = ChangeId {
                    node: journal.node,
                    epoch: journal.epoch,
                    sequence,
                };
                ensure!(sequence == next, "a journal lacks change {next}");
                next += 1;
                all.push(proto::convert::decode_change(id, &raw)?);
            }
        }
        ensure!(next > journal.received, "a journal lacks change {next}");
    }
    Ok(all)
}

/// Checks what holds when everything is quiet.
///
/// # Errors
/// What does not hold, in words.
pub async fn audit(city: &City, ledger: &Ledger) -> anyhow::Result<()> {
    let seen = AtHub::read(city).await?;
    for kept in &ledger.kept {
        check_words(city, ledger, &seen, kept).await?;
    }
    check_reference(&seen.seen, ledger)?;
    equal::check(city, &seen.seen, ledger).await?;
    city.at_hub(&["verify"])
        .await
        .context("invariant S4/S16: verify of the hub")?;
    for number in 0..city.size {
        city.at_office(number, &["verify"])
            .await
            .with_context(|| format!("invariant S16: verify of office {number}"))?;
    }
    Ok(())
}

/// Words that somebody was told are kept stand where a person finds them, and once.
async fn check_words(
    city: &City,
    ledger: &Ledger,
    seen: &AtHub,
    kept: &Kept,
) -> anyhow::Result<()> {
    let said = seen.tokens.get(&kept.token).map_or(&[][..], Vec::as_slice);
    // One line may write several records, each once; its words stand in one of them.
    let wrote: BTreeSet<_> = said.iter().map(|said| (said.key, said.verb)).collect();
    ensure!(
        wrote.len() == said.len() && (said.len() <= 1 || said.iter().all(|said| said.is_by)),
        "invariant S2: {} stands twice in the hub's journals: {said:?}",
        kept.token
    );
    let ids: Vec<_> = said
        .iter()
        .filter(|said| said.is_shown())
        .map(|said| said.id)
        .collect();
    ensure!(
        ids.is_empty() || ledger.is_blind || seen.accounts_for(&kept.token, &ids, &ledger.stood_on),
        "invariant S7: {} of office {:?} ({ids:?}) is dropped silently; {}",
        kept.token,
        kept.office,
        seen.seen.history_of(kept.token.as_bytes())
    );
    // What the desk was told is kept stands at the hub alone; only its name says that a change is the desk's.
    let must_be_there = match kept.office {
        Some(_) => kept.on_own_disk || kept.at_hub,
        None => kept.at_hub && kept.token.starts_with(HAND),
    };
    // A restored hub takes rows back as they are, without the changes that made them.
    let is_there = !said.is_empty() || seen.shown.contains(&kept.token);
    if !must_be_there || is_there {
        return Ok(());
    }
    let (mut places, mut is_written_over) = (Vec::new(), false);
    for number in 0..city.size {
        let (found, stood_on) = places_of(city, number, &kept.token, &ledger.stood_on).await?;
        places.extend(found);
        is_written_over |= stood_on;
    }
    // Of an office that was put back, a restored hub has the values and not what went before.
    ensure!(
        is_written_over && ledger.hub_was_restored,
        "invariant S1: {} of office {:?} is lost; it stands at {places:?}",
        kept.token,
        kept.office
    );
    Ok(())
}

/// What the reference model says of the hub.
fn check_reference(seen: &Seen, ledger: &Ledger) -> anyhow::Result<()> {
    let none = |what: &str, found: Vec<String>| {
        let count = found.len();
        ensure!(
            count == 0,
            "invariant {what}: {count}, first {:?}",
            found.first()
        );
        Ok(())
    };
    none("S4/S5: broken tenures", seen.broken_tenures())?;
    none("S9/S10: broken journals", seen.broken_journals())?;
    none(
        "S7: fields that belong together are split",
        seen.split_groups(),
    )?;
    if !ledger.hub_was_restored {
        none("S3: nobody wrote", seen.invented())?;
        none("S7: deletions are lost", seen.lost_deletions())?;
        none("S7: deleted unseen", seen.deleted_unseen())?;
        none("S7: overruled by nobody", seen.overruled())?;
        none("S10: ahead of time", seen.ahead_of_time())?;
        none("S7: restorations are lost", seen.lost_restorations())?;
        none("S4: misplaced", seen.misplaced())?;
        none("S13: named and not there", seen.dangling())?;
        none("S7: VOL-003 in two places at once", seen.hours.unflagged())?;
        none("S7: VOL-004 decided on his own hours", seen.hours.own())?;
    }
    let known = ledger.stood_on.iter().map(|id| seen::id_of(*id));
    let known: BTreeSet<_> = known.chain(ledger.stood_on_there.iter().copied()).collect();
    if !ledger.is_blind {
        none("S7: dropped", seen.dropped(&known, &ledger.made))?;
    }
    Ok(())
}

/// Where words stand in the journals of an office, and whether a later change stands on them: there, or
/// among what the hub lost.
async fn places_of(
    city: &City,
    number: usize,
    token: &str,
    before: &BTreeSet<ChangeId>,
) -> anyhow::Result<(Vec<String>, bool)> {
    let app = city.offices[number].app.as_ref().context("on")?;
    let (own, token, mut bases) = (app.own, token.to_owned(), before.clone());
    app.store
        .read::<_, anyhow::Error>(move |tx| {
            let (mut places, mut ids) = (Vec::new(), Vec::new());
            for epoch in 0..EPOCHS {
                let pending = tx.pending_places(epoch)?;
                for entry in tx.entries_after(epoch, 0, (usize::MAX, usize::MAX))? {
                    let change = lianxin_node::fold::read(own, &entry)?;
                    bases.extend(change.body.fields.iter().filter_map(|field| field.base));
                    bases.extend(change.body.life_base);
                    if words_of(&change).contains(&token) {
                        let waits = pending.contains(&entry.sequence);
                        places.push(format!(
                            "office {number} {epoch}/{} waits {waits}",
                            entry.sequence
                        ));
                        ids.push(change.id);
                    }
                }
            }
            Ok((places, ids.iter().any(|id| bases.contains(id))))
        })
        .await
}

/// The changes that wait at an office, in words. Where the hub was put back, one may wait for a record that
/// nobody can prove: the hub lost it, and the office its change.
async fn waiting(city: &City, number: usize) -> anyhow::Result<Vec<String>> {
    let hub = city.hub.app.as_ref().context("the hub is on")?;
    let mut words = Vec::new();
    for change in pending(city, number).await? {
        let id = change.id;
        let is_excused = hub.store.read::<_, anyhow::Error>(move |tx| {
            let was_put_back =
                lianxin_hub::recovery::was_restored(tx)? || !tx.evidence()?.is_empty();
            Ok(was_put_back && waits_in_vain(tx, id)?)
        });
        if !is_excused.await? {
            let (verb, fields) = (change.header.verb, change.body.fields.len());
            let record = change.header.record;
            let (epoch, place) = (id.epoch, id.sequence);
            words.push(format!(
                "{epoch}/{place} {verb:?} {record} ({fields} fields)"
            ));
        }
    }
    Ok(words)
}

/// Whether the hub notes that a change waits for a record, and does not have that record.
fn waits_in_vain(tx: store::Tx<'_>, change: ChangeId) -> anyhow::Result<bool> {
    let note = tx.record(RecordKey {
        kind: set_aside::KIND_NUMBER,
        id: set_aside_id(change),
    })?;
    for waiting in note.iter().flat_map(|note| waits_of(note, change)) {
        if tx.record(waiting.for_record)?.is_some() {
            return Ok(false);
        }
    }
    Ok(note.is_some_and(|note| note.text(set_aside::STATE) == Some("waiting")))
}

/// The changes that wait at an office, those of its former epochs too.
async fn pending(city: &City, number: usize) -> anyhow::Result<Vec<Change>> {
    let app = city.offices[number].app.as_ref().context("on")?;
    let (own, keys) = (app.own, app.keys()?);
    let epoch = keys
        .identity
        .as_ref()
        .map_or(own.epoch, |identity| identity.epoch);
    app.store
        .read::<_, anyhow::Error>(move |tx| {
            let mut entries = tx.pending_through(epoch, u64::MAX >> 1)?;
            for former in tx.pending_epochs_but(epoch)? {
                entries.extend(tx.pending_after(former, 0, usize::MAX)?);
            }
            let read = |entry| lianxin_node::fold::read(own, entry);
            entries.iter().map(read).collect()
        })
        .await
}

/// Whether an office holds what the hub has now, feed by feed: a report of another office may have moved
/// its feed since it synced.
///
/// # Errors
/// Where one of them is off.
pub async fn is_level(city: &City, number: usize) -> anyhow::Result<bool> {
    let app = city.offices[number].app.as_ref().context("on")?;
    let hub = city.hub.app.as_ref().context("the hub is on")?;
    for feed in [store::hub::CITY.to_owned(), app.office_feed()] {
        let (here, there) = (feed.clone(), feed);
        let here = app
            .store
            .read::<_, store::StoreError>(move |tx| Ok(tx.reading(&here)?.digest));
        let there = hub
            .store
            .read::<_, store::StoreError>(move |tx| tx.feed_digest(&there));
        if here.await? != there.await? {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Whether an office is quiet: nothing waits, and the last certificates are of what it holds now.
///
/// # Errors
/// Where it is off.
pub async fn is_quiet(city: &City, number: usize) -> anyhow::Result<Result<(), String>> {
    let status = city.at_office(number, &["status"]).await?;
    if status["waiting"] != 0 {
        let waiting = waiting(city, number).await?;
        if !waiting.is_empty() {
            return Ok(Err(format!("these wait: {}", waiting.join(", "))));
        }
    }
    let certificates = status["certificates"].as_array().cloned();
    let certificates = certificates.unwrap_or_default();
    if certificates.len() < 2 {
        return Ok(Err("no certificates".to_owned()));
    }
    for certificate in certificates {
        let feed = certificate["feed"].as_str().unwrap_or_default();
        if status["digests"][feed] != certificate["sum"] {
            let here = &status["digests"][feed];
            return Ok(Err(format!(
                "{feed} is not proven to be equal: {here} here, {certificate}"
            )));
        }
    }
    Ok(Ok(()))
}
