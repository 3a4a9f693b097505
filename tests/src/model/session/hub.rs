//! A hub in memory: `domain::session::hub` judges, `domain::decide` decides, and this keeps.

use std::collections::{BTreeMap, BTreeSet};
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use domain::change::{Change, Hash as Chain, chain_over, chain_start};
use domain::decide::{Incoming, Verdict, decide, replaced};
use domain::digest::Digest;
use domain::id::{ChangeId, DESK};
use domain::limits;
use domain::record::{Record, RecordKey};
use domain::session::hub::{
    self as session, Arrived, Greeted, InFeed, Lineage, Offer, Place, Proven, Reader,
};
use domain::session::{Head, Standing};
use domain::world::{Fact, Mover, Need, Outcome, World, Writes};

use super::super::facts;
use super::change::{Entry, HUB, NODE, OFFICE, key_of, person, write};

/// The hub's time: everything happens at once.
const NOW: u64 = 2_000;

/// The confirmed and the proposed nonce.
pub type Nonces = (Vec<u8>, Vec<u8>);

/// What the hub has of one epoch.
#[derive(Debug, Clone, Default)]
pub struct Journal {
    pub entries: Vec<Arc<Entry>>,
    pub decided: u64,
    pub is_kept_only: bool,
    proven: Proven,
    is_offered: bool,
    greetings: Vec<Nonces>,
}

/// A greeting.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Hello {
    pub epoch: u32,
    pub head: Head,
    pub nonces: Nonces,
}

/// What a node sends.
#[derive(Debug, Clone)]
pub enum Request {
    Hello(Hello),
    Push(u8, u32, Vec<Arc<Entry>>),
    Pull(u8, u32, u64, u64),
}

/// What the hub answers.
#[derive(Debug, Clone)]
pub enum Answer {
    Greeted(Standing, [Head; 2], u8),
    Pushed(Head, bool, u64, BTreeSet<u64>),
    Page(Page),
    Refused,
}

/// The rest of the feed, in one page, with what the hub signs.
#[derive(Debug, Clone)]
pub struct Page {
    pub rows: Vec<Record>,
    pub to: u64,
    pub decided: u64,
    pub digest: Digest,
    pub incarnation: u8,
    pub epoch: u32,
}

/// The hub's store.
#[derive(Debug, Clone, Default)]
pub struct Hub {
    pub records: BTreeMap<RecordKey, Record>,
    outcomes: BTreeMap<(ChangeId, u16), Outcome>,
    feed: BTreeMap<RecordKey, (u64, InFeed)>,
    last_place: u64,
    pub digest: Digest,
    pub journals: BTreeMap<u32, Journal>,
    pub incarnation: u8,
    pub is_recovering: bool,
    restored_next: u64,
    own_last: u64,
    /// Which changes each edit has had an effect as.
    pub effects: BTreeMap<u8, BTreeSet<ChangeId>>,
    /// Edits with a verdict of any kind.
    pub decided: BTreeSet<u8>,
    /// Edits of which a former hub had decided one.
    decided_before: BTreeSet<u8>,
    /// An edit passed for one that a former hub had decided, and had no effect.
    pub has_dropped: bool,
}

impl Hub {
    /// A hub that has enrolled the node.
    pub fn new() -> Self {
        let mut hub = Self {
            incarnation: 1,
            ..Self::default()
        };
        hub.journals.insert(1, Journal::default());
        hub
    }

    pub fn answer(&mut self, request: &Request) -> Answer {
        let known = |incarnation: &u8| *incarnation == self.incarnation;
        match request {
            Request::Hello(hello) => self.greet(hello),
            Request::Push(at, epoch, batch) if known(at) => self.push(*epoch, batch),
            Request::Pull(at, epoch, cursor, folded) if known(at) => {
                self.pull(*epoch, *cursor, *folded)
            }
            Request::Push(..) | Request::Pull(..) => Answer::Refused,
        }
    }

    fn greatest(&self) -> u32 {
        self.journals.keys().max().copied().unwrap_or(0)
    }

    pub fn chain_at(&self, epoch: u32, sequence: u64) -> Option<Chain> {
        let journal = self.journals.get(&epoch)?;
        match sequence.checked_sub(1) {
            None => Some(chain_start(NODE, epoch)),
            Some(place) => Some(journal.entries.get(usize::try_from(place).ok()?)?.chain),
        }
    }

    fn head(&self, epoch: u32) -> Head {
        let sequence = self.journals[&epoch].entries.len() as u64;
        let chain = self.chain_at(epoch, sequence).unwrap_or_default();
        Head { sequence, chain }
    }

    fn greet(&mut self, hello: &Hello) -> Answer {
        let epoch = hello.epoch;
        if !self.journals.contains_key(&epoch) {
            if !session::is_lost_epoch(epoch, self.greatest(), self.is_recovering) {
                return Answer::Refused;
            }
            self.journals.insert(epoch, Journal::default());
        }
        let (unused, greatest) = (self.unused(), self.greatest());
        let chain_there = self.chain_at(epoch, hello.head.sequence);
        let received = self.head(epoch);
        let journal = self.journals.entry(epoch).or_default();
        let pair = (hello.nonces.0.as_slice(), hello.nonces.1.as_slice());
        let lineage = session::lineage(&journal.greetings, pair);
        if lineage != Lineage::Repeats {
            journal.greetings.push(hello.nonces.clone());
            let over = journal.greetings.len().saturating_sub(limits::NONCES_KEPT);
            journal.greetings.drain(..over);
        }
        let standing = session::standing(&Greeted {
            is_unheard: self.is_recovering,
            is_kept_only: journal.is_kept_only,
            received: received.sequence,
            proven: journal.proven,
            head: hello.head,
            chain_there,
            offered: session::offered(unused, greatest, epoch),
        });
        if let Standing::Rewound(offered) | Standing::Forked(offered) = standing {
            self.journals.entry(offered).or_default().is_offered = true;
        }
        if session::proves_copies(lineage, standing) {
            for (_, later) in self.journals.range_mut(epoch + 1..) {
                later.is_kept_only |= !later.greetings.is_empty();
            }
        }
        let proven = self.journals[&epoch].proven;
        let proven = Head {
            sequence: proven.chain.map_or(0, |_| proven.sequence),
            chain: proven.chain.unwrap_or_default(),
        };
        Answer::Greeted(standing, [received, proven], self.incarnation)
    }

    /// What stands in the office's feed.
    pub fn shown(&self) -> impl Iterator<Item = &Record> {
        self.feed.keys().map(|key| &self.records[key])
    }

    fn unused(&self) -> Option<u32> {
        let is_unused = |journal: &Journal| {
            journal.is_offered && journal.entries.is_empty() && journal.greetings.is_empty()
        };
        let mut unused = self.journals.iter().filter(|(_, of)| is_unused(of));
        unused.next_back().map(|(epoch, _)| *epoch)
    }

    fn push(&mut self, epoch: u32, batch: &[Arc<Entry>]) -> Answer {
        let (Some(journal), Some(first), Some(last)) =
            (self.journals.get(&epoch), batch.first(), batch.last())
        else {
            return Answer::Refused;
        };
        let decided = journal.decided;
        let end = self.head(epoch);
        let place = session::place(
            end.sequence,
            &Arrived {
                first: first.change.id.sequence,
                last: last.change.id.sequence,
                chain: last.chain,
                chain_if_next: chain_over(end.chain, batch.iter().map(|entry| &entry.raw)),
                chain_there: self.chain_at(epoch, last.change.id.sequence),
            },
        );
        match place {
            Place::OtherHistory => return Answer::Refused,
            Place::Repeat | Place::Gap => {
                let told = session::told_decided(place, decided);
                return Answer::Pushed(end, place == Place::Gap, told, BTreeSet::new());
            }
            Place::Next => {}
        }
        let journal = self.journals.entry(epoch).or_default();
        journal.entries.extend(batch.iter().cloned());
        let not_applied = self.decide_stored(epoch);
        let told = session::told_decided(place, self.journals[&epoch].decided);
        Answer::Pushed(self.head(epoch), false, told, not_applied)
    }

    /// Decides what is stored and undecided of an epoch; the places that were not plainly applied.
    pub fn decide_stored(&mut self, epoch: u32) -> BTreeSet<u64> {
        let journal = &self.journals[&epoch];
        let mut not_applied = BTreeSet::new();
        if !session::decides(journal.is_kept_only, self.is_recovering) {
            return not_applied;
        }
        let (history, decided) = (journal.proven.sequence, journal.decided);
        let entries: Vec<_> = journal
            .entries
            .iter()
            .skip_while(|entry| entry.change.id.sequence <= decided)
            .cloned()
            .collect();
        for entry in entries {
            let id = entry.change.id;
            self.decided.insert(entry.edit());
            self.journals.entry(epoch).or_default().decided = id.sequence;
            if session::is_history(id.sequence, history) {
                self.has_dropped |= !self.decided_before.contains(&entry.edit());
                self.effects.entry(entry.edit()).or_default().insert(id);
                continue;
            }
            let verdict = self.decide(&entry.change, OFFICE, entry.edit());
            if verdict != Verdict::Applied {
                not_applied.insert(id.sequence);
            }
        }
        not_applied
    }

    fn decide(&mut self, change: &Change, office: domain::id::OfficeId, edit: u8) -> Verdict {
        let incoming = Incoming {
            change,
            office,
            received_ms: NOW,
            offset_ms: 0,
            waited_in: None,
        };
        let taken = u64::from(office == DESK);
        let mut world = World::new(self.own_change(1 + taken));
        if let Some((old, body)) = change.header.replaces {
            let journal = self.journals.get(&old.epoch);
            let decided = journal.map_or(0, |journal| journal.decided);
            let stored = journal.and_then(|journal| {
                let mut entries = journal.entries.iter();
                entries.find(|entry| entry.change.id == old)
            });
            let known = if let Some(stored) = stored {
                session::counts_as(old, decided, stored.raw.body_hash() == body)
            } else {
                let record = self.records.get(&key_of(change));
                record.and_then(|record| session::counts_in(old, record))
            };
            if known.is_some() {
                world.supply(Fact::Outcome(replaced(old, &body), 0, known));
            }
        }
        let verdict = loop {
            match decide(&mut world, &incoming) {
                Ok(verdict) => break verdict,
                Err(need) => world.supply(self.fact(need)),
            }
        };
        // Every value is written once: what is merged counts as itself under another id.
        if verdict != Verdict::Merged {
            self.effects.entry(edit).or_default().insert(change.id);
        }
        self.own_last += taken;
        self.apply(world.into_writes());
        verdict
    }

    fn own_change(&self, after: u64) -> ChangeId {
        ChangeId {
            node: HUB,
            epoch: u32::from(self.incarnation),
            sequence: self.own_last + after,
        }
    }

    fn fact(&self, need: Need) -> Fact {
        let about = |kind: u16, field: u16, id: domain::id::RecordId| {
            let records = self
                .records
                .values()
                .filter(|record| record.key.kind == kind);
            let about = records.filter(|record| record.value(field) == Some(&id.bytes()));
            about.cloned().collect::<Vec<_>>()
        };
        let record = |key| self.records.get(&key).cloned();
        facts::answer(need, &self.outcomes, record, about, |_| Vec::new())
    }

    fn apply(&mut self, writes: Writes) {
        for (key, (record, mover)) in writes.records {
            let joins = writes.joins.contains(&(key, OFFICE));
            self.put(record, mover, joins);
        }
        self.outcomes.extend(writes.outcomes);
        self.own_last += writes.hub_changes.len() as u64;
    }

    /// Writes a record and moves it to the feed's head.
    fn put(&mut self, record: Record, mover: Mover, joins: bool) {
        let key = record.key;
        let before = self.feed.get(&key).copied();
        if record.office == OFFICE || joins || before.is_some() {
            self.last_place += 1;
            if let (Some(_), Some(old)) = (before, self.records.get(&key)) {
                self.digest.remove(&old.hash());
            }
            self.digest.add(&record.hash());
            let foreign_sequence = match (mover, before) {
                (Mover::Own(own), Some((sequence, entry))) => {
                    let journal = entry.own.map(|own| (own.node, own.epoch));
                    session::foreign_before((sequence, entry.foreign_sequence, journal), own)
                }
                (Mover::Own(_), None) => 0,
                (Mover::Foreign, _) => self.last_place,
            };
            let own = match mover {
                Mover::Own(own) => Some(own),
                Mover::Foreign => None,
            };
            let entry = InFeed {
                foreign_sequence,
                own,
                has_left: false,
            };
            self.feed.insert(key, (self.last_place, entry));
        }
        self.records.insert(key, record);
    }

    /// The desk edits the common record, if it may.
    pub fn desk(&mut self, edit: u8) -> bool {
        let key = person(1);
        let shown = self
            .records
            .get(&key)
            .cloned()
            .filter(|_| !self.is_recovering);
        let Some(shown) = shown else { return false };
        let change = write(self.own_change(1), key, Some(&shown), edit);
        self.decide(&change, DESK, edit);
        self.decided.insert(edit);
        true
    }

    fn pull(&self, epoch: u32, cursor: u64, folded_through: u64) -> Answer {
        let journal = self.journals.get(&epoch);
        let Some(journal) =
            journal.filter(|_| session::may_read(journal.map(|journal| journal.is_kept_only)))
        else {
            return Answer::Refused;
        };
        let after = session::read_from(cursor, self.last_place);
        let reader = Reader {
            node: NODE,
            epoch,
            folded_through,
            // It reads to the head or not at all.
            whole_through: after,
        };
        let is_sent =
            |place: u64, entry: &InFeed| place > after && !session::is_echo(entry, &reader);
        let mut sent: Vec<_> = self
            .feed
            .iter()
            .filter(|(_, (place, entry))| is_sent(*place, entry))
            .map(|(key, (place, _))| (*place, self.records[key].clone()))
            .collect();
        sent.sort_by_key(|(place, _)| *place);
        Answer::Page(Page {
            rows: sent.into_iter().map(|(_, record)| record).collect(),
            to: self.last_place,
            decided: journal.decided,
            digest: self.digest,
            incarnation: self.incarnation,
            epoch,
        })
    }

    /// Puts back a backup of this hub.
    pub fn restore(&mut self, backup: &Self) {
        let incarnation = self.incarnation + 1;
        let before = self.decided.union(&self.decided_before);
        *self = Self {
            incarnation,
            decided_before: before.copied().collect(),
            is_recovering: true,
            restored_next: backup.last_place + 1,
            own_last: 0,
            ..backup.clone()
        };
    }

    /// Takes a node's report: the rows that it holds otherwise, and the page whose digest proves them.
    pub fn take_report(
        &mut self,
        offers: &BTreeMap<RecordKey, Record>,
        proof: Option<(&Page, Option<Chain>)>,
    ) {
        if let Some((proof, chain)) = proof
            && !session::is_older_proof(proof.to, self.restored_next)
            && self.is_proven(offers, proof)
        {
            for record in offers.values() {
                let known = self.records.get(&record.key);
                let known = known.map(|known| (known.revision, known.hash()));
                if session::judge_offer(known, (record.revision, record.hash())) == Offer::TakenBack
                {
                    self.put(record.clone(), Mover::Foreign, true);
                }
            }
            if let Some(journal) = self.journals.get_mut(&proof.epoch)
                && journal.proven.sequence < proof.decided
            {
                let sequence = proof.decided;
                journal.proven = Proven { sequence, chain };
            }
        }
        self.end_recovery();
    }

    /// A person ends the recovery: from now on everything is decided, and who reports late proves nothing.
    pub fn end_recovery(&mut self) {
        self.is_recovering = false;
        let epochs: Vec<u32> = self.journals.keys().copied().collect();
        for epoch in epochs {
            self.decide_stored(epoch);
        }
    }

    fn is_proven(&self, offers: &BTreeMap<RecordKey, Record>, proof: &Page) -> bool {
        let mut digest = self.digest;
        for (key, record) in offers {
            if self.feed.contains_key(key) {
                digest.remove(&self.records[key].hash());
            }
            digest.add(&record.hash());
        }
        digest == proof.digest
    }

    /// A person names the machine of an epoch.
    pub fn name(&mut self, epoch: u32) {
        for (of, journal) in &mut self.journals {
            journal.is_kept_only = *of != epoch;
        }
        self.decide_stored(epoch);
    }
}

impl Hash for Hub {
    fn hash<H: Hasher>(&self, hasher: &mut H) {
        (self.incarnation, self.is_recovering, self.last_place).hash(hasher);
        for (epoch, journal) in &self.journals {
            let end = journal.entries.last().map(|entry| entry.chain);
            (epoch, end, journal.decided, journal.is_kept_only).hash(hasher);
            (journal.proven, journal.is_offered, &journal.greetings).hash(hasher);
        }
        for (key, record) in &self.records {
            (key, record.hash()).hash(hasher);
            if let Some((place, entry)) = self.feed.get(key) {
                (place, entry.foreign_sequence, entry.own).hash(hasher);
            }
        }
        (&self.effects, &self.decided).hash(hasher);
        (&self.decided_before, self.has_dropped).hash(hasher);
    }
}
