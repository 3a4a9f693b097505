//! A machine of the office in memory: `domain::session::office` decides, and this keeps and sends.

use std::collections::{BTreeMap, BTreeSet};
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use domain::change::{Hash as Chain, chain_start};
use domain::decide::change_of_bytes;
use domain::digest::{Digest, RowHash};
use domain::id::ChangeId;
use domain::kinds::set_aside;
use domain::record::{Record, RecordKey};
use domain::replay::{replay, stands_on};
use domain::session::Head;
use domain::session::office::{self, Applied, Heir, Next, Parting, Sent};

use super::change::{Entry, NODE, OFFICE, write};
use super::hub::{Answer, Hello, Hub, Page, Request};

/// Places in one question: few, so that the search takes more than one.
const PLACES_MAX: usize = 2;

/// The database of a machine.
#[derive(Debug, Clone, Default)]
pub struct Store {
    epoch: u32,
    pub journal: BTreeMap<(u32, u64), Arc<Entry>>,
    pub pending: BTreeSet<(u32, u64)>,
    bases: BTreeMap<RecordKey, Option<Record>>,
    pub rows: BTreeMap<RecordKey, Record>,
    counted: BTreeMap<RecordKey, RowHash>,
    cursor: u64,
    pub digest: Digest,
    confirmed: Vec<u8>,
    proposed: Vec<u8>,
    incarnation: Vec<u8>,
    /// Whether the hub may have lost what it acknowledged of former epochs.
    looks: bool,
    proof: Option<Page>,
}

/// A machine: its database, its key file, and the session that is under way.
#[derive(Debug, Clone)]
pub struct Machine {
    pub store: Arc<Store>,
    /// The epoch in the key file.
    key_epoch: u32,
    /// The request that is not answered yet.
    pub waits: Option<Request>,
    /// Its answer, on the way.
    pub answer: Option<Answer>,
    received: u64,
    pub is_copy: bool,
    pub seen: Seen,
}

/// What must never be seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Seen {
    /// Digests differed where both sides had everything.
    pub has_digest_differed: bool,
    /// A pending change was dropped that the hub has not decided.
    pub has_dropped_undecided: bool,
    /// A place was taken for common at which hub and node hold different histories.
    pub has_mistaken: bool,
}

impl Store {
    fn head(&self, epoch: u32) -> Head {
        let last = self
            .journal
            .range((epoch, 0)..=(epoch, u64::MAX))
            .next_back();
        last.map_or_else(
            || Head {
                sequence: 0,
                chain: chain_start(NODE, epoch),
            },
            |((_, sequence), entry)| Head {
                sequence: *sequence,
                chain: entry.chain,
            },
        )
    }

    fn pending_of(&self, key: RecordKey) -> Vec<(u32, u64)> {
        let is_of = |place: &&(u32, u64)| self.journal[*place].key() == key;
        self.pending.iter().filter(is_of).copied().collect()
    }

    fn folded_through(&self, epoch: u32) -> u64 {
        let first = self.pending.range((epoch, 0)..=(epoch, u64::MAX)).next();
        office::folded_through(self.head(epoch).sequence, first.map(|(_, first)| *first))
    }

    fn confirmed(&self, key: RecordKey) -> Option<&Record> {
        match self.bases.get(&key) {
            Some(base) => base.as_ref(),
            None => self.rows.get(&key),
        }
    }

    fn count(&mut self, key: RecordKey, hash: RowHash) {
        if let Some(before) = self.counted.insert(key, hash) {
            self.digest.remove(&before);
        }
        self.digest.add(&hash);
    }

    fn settle_row(&mut self, key: RecordKey, confirmed: Option<Record>) {
        let mut row = confirmed.clone();
        let pending = self.pending_of(key);
        for place in &pending {
            row = replay(row.clone(), &self.journal[place].change, OFFICE).or(row);
        }
        if pending.is_empty() {
            self.bases.remove(&key);
        } else {
            self.bases.insert(key, confirmed);
        }
        if let Some(row) = row {
            self.rows.insert(key, row);
        } else {
            self.rows.remove(&key);
        }
    }

    fn write(&mut self, epoch: u32, key: RecordKey, edit: u8) {
        let shown = self.rows.get(&key).cloned();
        let head = self.head(epoch);
        let id = ChangeId {
            node: NODE,
            epoch,
            sequence: head.sequence + 1,
        };
        let change = write(id, key, shown.as_ref(), edit);
        self.bases.entry(key).or_insert_with(|| shown.clone());
        if let Some(row) = replay(shown, &change, OFFICE) {
            self.rows.insert(key, row);
        }
        self.append(Entry::after(&head.chain, change, [edit; 16]));
    }

    fn append(&mut self, entry: Arc<Entry>) {
        let place = (entry.change.id.epoch, entry.change.id.sequence);
        self.pending.insert(place);
        self.journal.insert(place, entry);
    }

    /// Writes anew what is pending of an epoch after a place.
    fn rewrite(&mut self, to: u32, from: u32, after: u64) {
        let tail: Vec<_> = self
            .pending
            .range((from, after + 1)..=(from, u64::MAX))
            .copied()
            .collect();
        let (mut renamed, mut keys) = (BTreeMap::new(), BTreeSet::new());
        for place in tail {
            self.pending.remove(&place);
            let Some(entry) = self.journal.remove(&place) else {
                continue;
            };
            keys.insert(entry.key());
            let heir = Heir {
                former: NODE,
                office: OFFICE,
            };
            let old = entry.change.clone();
            let (header, body) = office::rewritten(old, entry.raw.body_hash(), &renamed, heir);
            let head = self.head(to);
            let id = ChangeId {
                node: NODE,
                epoch: to,
                sequence: head.sequence + 1,
            };
            renamed.insert(entry.change.id, id);
            let change = domain::change::Change { id, header, body };
            self.append(Entry::after(&head.chain, change, entry.raw.salt));
        }
        for key in keys {
            if let Some(confirmed) = self.bases.get(&key).cloned() {
                self.settle_row(key, confirmed);
            }
        }
    }

    fn take_page(&mut self, epoch: u32, page: &Page, decided: u64) -> Vec<Arc<Entry>> {
        let mut dropped = Vec::new();
        for row in &page.rows {
            let confirmed = self.confirmed(row.key).cloned();
            let revisions = (
                confirmed.as_ref().map(|record| record.revision),
                row.revision,
            );
            let pending = self.pending_of(row.key);
            let fold = office::fold_row(epoch, pending, decided, revisions);
            for place in &fold.dropped {
                self.pending.remove(place);
                dropped.push(Arc::clone(&self.journal[place]));
            }
            if !fold.is_taken {
                self.settle_row(row.key, confirmed);
                continue;
            }
            self.count(row.key, row.hash());
            self.settle_row(row.key, Some(row.clone()));
            if row.key.kind == set_aside::KIND_NUMBER {
                dropped.extend(self.take_refusal(row));
            }
        }
        self.cursor = self.cursor.max(page.to);
        dropped
    }

    /// What is decided and still pending where all is equal.
    fn take_decided(&mut self, epoch: u32, decided: u64) -> Vec<Arc<Entry>> {
        let is_decided = |place: &&(u32, u64)| office::is_decided(epoch, **place, decided);
        let places: Vec<_> = self.pending.iter().filter(is_decided).copied().collect();
        places
            .into_iter()
            .filter_map(|place| self.drop_pending(place))
            .collect()
    }

    fn pending_through(&self, epoch: u32, through: u64) -> Vec<(u32, u64)> {
        let places = self.pending.range((epoch, 0)..=(epoch, through));
        places.copied().collect()
    }

    /// It is shown no more; the entry, if it was pending.
    fn drop_pending(&mut self, place: (u32, u64)) -> Option<Arc<Entry>> {
        let entry = Arc::clone(self.journal.get(&place)?);
        let was_pending = self.pending.remove(&place);
        if let Some(confirmed) = self.bases.get(&entry.key()).cloned() {
            self.settle_row(entry.key(), confirmed);
        }
        was_pending.then_some(entry)
    }

    /// The rows that differ become the hub's; what only this machine has stays, and counts no more.
    fn repair(&mut self, hub: &Hub) {
        let shown: BTreeMap<_, _> = hub.shown().map(|record| (record.key, record)).collect();
        for (key, record) in &shown {
            if self.counted.get(key) != Some(&record.hash()) {
                self.count(*key, record.hash());
                self.settle_row(*key, Some((*record).clone()));
                if key.kind == set_aside::KIND_NUMBER {
                    self.take_refusal(record);
                }
            }
        }
        let digest = &mut self.digest;
        self.counted.retain(|key, hash| {
            let is_shown = shown.contains_key(key);
            if !is_shown {
                digest.remove(hash);
            }
            is_shown
        });
    }

    /// Whether an edit is pending, under whatever id.
    pub fn pends(&self, edit: u8) -> bool {
        let mut pending = self.pending.iter();
        pending.any(|place| self.journal[place].edit() == edit)
    }

    fn take_refusal(&mut self, note: &Record) -> Option<Arc<Entry>> {
        let change = note.value(set_aside::CHANGE).and_then(change_of_bytes)?;
        let is_own = change.node == NODE;
        is_own
            .then(|| self.drop_pending((change.epoch, change.sequence)))
            .flatten()
    }

    fn take_answer(&mut self, epoch: u32, first: u64, decided: u64, not_applied: &BTreeSet<u64>) {
        for place in self.pending_through(epoch, decided) {
            if not_applied.contains(&place.1) || place.1 < first {
                continue;
            }
            let entry = Arc::clone(&self.journal[&place]);
            let key = entry.key();
            let Some(confirmed) = self.bases.get(&key).cloned() else {
                continue;
            };
            let applied = Applied {
                verb: entry.change.header.verb,
                is_next: self.pending_of(key).first() == Some(&place),
                stands_on_confirmed: stands_on(confirmed.as_ref(), &entry.change),
            };
            if !office::folds_at_once(applied) {
                continue;
            }
            let Some(folded) = replay(confirmed, &entry.change, OFFICE) else {
                continue;
            };
            self.pending.remove(&place);
            self.count(key, folded.hash());
            self.settle_row(key, Some(folded));
        }
    }
}

impl Machine {
    pub fn new() -> Self {
        let store = Store {
            epoch: 1,
            ..Store::default()
        };
        Self {
            store: Arc::new(store),
            key_epoch: 1,
            waits: None,
            answer: None,
            received: 0,
            is_copy: false,
            seen: Seen::default(),
        }
    }

    pub fn epoch(&self) -> u32 {
        self.key_epoch.max(self.store.epoch)
    }

    fn store(&mut self) -> &mut Store {
        Arc::make_mut(&mut self.store)
    }

    /// What is under way, and what was seen.
    pub fn hash_session(&self, hasher: &mut impl Hasher) {
        let (epoch, waits, answer) = (self.key_epoch, &self.waits, &self.answer);
        (epoch, self.is_copy, self.seen).hash(hasher);
        if waits.is_some() {
            (self.received, format!("{waits:?}{answer:?}")).hash(hasher);
        }
    }

    pub fn write(&mut self, key: RecordKey, edit: u8) {
        let epoch = self.epoch();
        self.store().write(epoch, key, edit);
    }

    /// The session ends here.
    pub fn cut(&mut self) {
        (self.waits, self.answer) = (None, None);
    }

    /// Greets, with a nonce that is stored before it is sent.
    pub fn begin(&mut self, nonce: &mut u8) {
        self.is_copy = false;
        self.hello(None, nonce);
    }

    fn hello(&mut self, presented: Option<Head>, nonce: &mut u8) {
        if self.store.proposed.is_empty() {
            *nonce += 1;
            self.store().proposed = vec![*nonce];
        }
        let epoch = self.key_epoch;
        self.waits = Some(Request::Hello(Hello {
            epoch,
            head: presented.unwrap_or_else(|| self.store.head(epoch)),
            nonces: (self.store.confirmed.clone(), self.store.proposed.clone()),
        }));
    }

    /// Takes the answer that has come, and sends what follows. Short questions are answered at once:
    /// they only read at the hub.
    pub fn take(&mut self, hub: &mut Hub, nonce: &mut u8) {
        let (request, answer) = (self.waits.take(), self.answer.take());
        match (request, answer) {
            (Some(Request::Hello(_)), Some(Answer::Greeted(standing, known, incarnation))) => {
                let proposed = self.store.proposed.clone();
                let store = self.store();
                if office::reads_anew(&store.incarnation, &[incarnation]) {
                    store.cursor = 0;
                    store.looks = true;
                }
                (store.confirmed, store.proposed) = (proposed, Vec::new());
                store.incarnation = vec![incarnation];
                self.received = known[0].sequence;
                let known = known.map(|there| (there, self.own_chain(there.sequence)));
                match office::after_greeting(standing, &known) {
                    Next::Report => {
                        self.report(hub);
                        self.hello(None, nonce);
                    }
                    Next::GoOn => {
                        self.seen.has_mistaken |= self.is_mistaken(hub);
                        self.take_up_former_epochs(hub);
                        self.go_on(hub);
                    }
                    Next::Present(head) => self.hello(Some(head), nonce),
                    Next::Epoch(epoch) => {
                        self.key_epoch = epoch;
                        self.received = 0;
                        let store = self.store();
                        (store.epoch, store.confirmed) = (epoch, Vec::new());
                        self.hello(None, nonce);
                    }
                    Next::Stop => {
                        self.is_copy = true;
                        self.go_on(hub);
                    }
                }
            }
            (Some(Request::Push(_, epoch, batch)), Some(answer)) => {
                self.take_pushed(hub, epoch, &batch, answer);
            }
            (Some(Request::Pull(..)), Some(Answer::Page(page))) => {
                self.take_page(hub, page, nonce);
            }
            _ => {}
        }
    }

    /// Whether hub and node hold different changes at the last place up to which both went on.
    fn is_mistaken(&self, hub: &Hub) -> bool {
        let end = self.received.min(self.store.head(self.key_epoch).sequence);
        let there = hub.chain_at(self.key_epoch, end);
        there.is_some() && self.own_chain(end) != there && end > 0
    }

    fn own_chain(&self, sequence: u64) -> Option<Chain> {
        let entry = self.store.journal.get(&(self.key_epoch, sequence));
        entry.map(|entry| entry.chain)
    }

    /// What a hub that was put back has no more of former epochs is pending again.
    fn take_up_former_epochs(&mut self, hub: &Hub) {
        if !self.store.looks {
            return;
        }
        let places = self.store.journal.keys();
        let epochs: BTreeSet<u32> = places.map(|(epoch, _)| *epoch).collect();
        let own = self.key_epoch;
        for epoch in epochs.into_iter().filter(|epoch| *epoch != own) {
            let journal = self.store.journal.range((epoch, 0)..=(epoch, u64::MAX));
            let places: Vec<u64> = journal.map(|((_, sequence), _)| *sequence).collect();
            let common = self.common_place(hub, epoch, places.clone());
            let store = self.store();
            for sequence in places.into_iter().filter(|sequence| *sequence > common) {
                let key = store.journal[&(epoch, sequence)].key();
                let shown = store.rows.get(&key).cloned();
                store.bases.entry(key).or_insert(shown);
                store.pending.insert((epoch, sequence));
            }
        }
        self.store().looks = false;
    }

    /// Writes anew what other epochs hold, then sends what waits, then reads.
    fn go_on(&mut self, hub: &Hub) {
        let to = self.key_epoch;
        let others: BTreeSet<u32> = self.store.pending.iter().map(|(epoch, _)| *epoch).collect();
        for from in others.into_iter().filter(|epoch| *epoch != to) {
            let pending = self.store.pending.range((from, 0)..=(from, u64::MAX));
            let places = pending.map(|(_, sequence)| *sequence).collect();
            let common = self.common_place(hub, from, places);
            self.store().rewrite(to, from, common);
        }
        self.send();
    }

    fn send(&mut self) {
        let (epoch, after) = (self.key_epoch, self.received);
        let range = self
            .store
            .journal
            .range((epoch, after + 1)..=(epoch, u64::MAX));
        let batch: Vec<_> = range.map(|(_, entry)| Arc::clone(entry)).collect();
        let incarnation = self.store.incarnation[0];
        self.waits = if !batch.is_empty() {
            Some(Request::Push(incarnation, epoch, batch))
        } else if self.is_copy {
            None
        } else {
            let (cursor, folded) = (self.store.cursor, self.store.folded_through(epoch));
            Some(Request::Pull(incarnation, epoch, cursor, folded))
        };
    }

    /// Reads although sending failed: downloads do not wait for uploads.
    fn read(&mut self) {
        self.received = u64::MAX - 1;
        self.send();
        self.received = 0;
    }

    fn common_place(&self, hub: &Hub, epoch: u32, places: Vec<u64>) -> u64 {
        let mut parting = Parting::new(places);
        while let Some(asked) = parting.ask(PLACES_MAX) {
            let head = |sequence: &u64, chain: Option<Chain>| {
                let sequence = *sequence;
                chain.map(|chain| Head { sequence, chain })
            };
            let own = |at: &u64| head(at, Some(self.store.journal[&(epoch, *at)].chain));
            let theirs = |at: &u64| head(at, hub.chain_at(epoch, *at));
            let own: Vec<_> = asked.iter().filter_map(own).collect();
            parting.hear(&own, &asked.iter().filter_map(theirs).collect::<Vec<_>>());
        }
        parting.common()
    }

    fn take_pushed(&mut self, hub: &Hub, epoch: u32, batch: &[Arc<Entry>], answer: Answer) {
        let Answer::Pushed(received, is_gap, decided, not_applied) = answer else {
            return self.read();
        };
        let (Some(first), Some(last)) = (batch.first(), batch.last()) else {
            return;
        };
        let sent = Head {
            sequence: last.change.id.sequence,
            chain: last.chain,
        };
        if office::after_push(sent, received, is_gap) == Sent::Elsewhere {
            let own_there = self.own_chain(received.sequence);
            match office::go_on_from(received, is_gap, self.received, own_there) {
                Ok(received) => {
                    self.received = received;
                    self.seen.has_mistaken |= self.is_mistaken(hub);
                    self.send();
                }
                Err(_) => self.read(),
            }
            return;
        }
        self.received = received.sequence;
        let first = first.change.id.sequence;
        self.store()
            .take_answer(epoch, first, decided, &not_applied);
        self.send();
    }

    fn take_page(&mut self, hub: &Hub, page: Page, nonce: &mut u8) {
        let epoch = self.key_epoch;
        if !office::takes_page(page.decided, self.received) {
            return self.hello(None, nonce);
        }
        let dropped = self.store().take_page(epoch, &page, page.decided);
        let is_undecided = |entry: &Arc<Entry>| !hub.decided.contains(&entry.edit());
        let is_same_hub = page.incarnation == hub.incarnation;
        self.seen.has_dropped_undecided |= is_same_hub && dropped.iter().any(is_undecided);
        if self.store.digest == page.digest {
            let dropped = self.store().take_decided(epoch, page.decided);
            self.seen.has_dropped_undecided |= is_same_hub && dropped.iter().any(is_undecided);
            self.store().proof = Some(page);
        } else {
            self.seen.has_digest_differed = true;
            self.store().repair(hub);
        }
    }

    /// Tells a restored hub what this machine holds otherwise.
    fn report(&self, hub: &mut Hub) {
        let mut offers = BTreeMap::new();
        for (key, hash) in &self.store.counted {
            let known = hub.records.get(key).map(Record::hash);
            if known != Some(*hash)
                && let Some(record) = self.store.confirmed(*key)
            {
                offers.insert(*key, record.clone());
            }
        }
        let proof = self.store.proof.as_ref();
        let proof = proof.filter(|proof| proof.digest == self.store.digest);
        let proof = proof.map(|proof| {
            let entry = self.store.journal.get(&(proof.epoch, proof.decided));
            (proof, entry.map(|entry| entry.chain))
        });
        hub.take_report(&offers, proof);
    }
}

impl Hash for Store {
    fn hash<H: Hasher>(&self, hasher: &mut H) {
        (self.epoch, self.cursor, &self.pending, &self.counted).hash(hasher);
        (
            &self.confirmed,
            &self.proposed,
            &self.incarnation,
            self.looks,
        )
            .hash(hasher);
        for (place, entry) in &self.journal {
            (place, entry.chain).hash(hasher);
        }
        for (key, row) in &self.rows {
            let base = self
                .bases
                .get(key)
                .map(|base| base.as_ref().map(Record::hash));
            (key, row.hash(), base).hash(hasher);
        }
        let proof = self.proof.as_ref();
        proof
            .map(|proof| (proof.digest.sum(), proof.to, proof.decided, proof.epoch))
            .hash(hasher);
    }
}
