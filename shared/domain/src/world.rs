//! What the hub's decision may look at, and what it has decided so far in one transaction.
//!
//! A decision names the facts that it lacks as a [`Need`]; the caller reads them from its store,
//! supplies them, and asks again. So the decision itself never touches a store, reads only what it
//! needs, and sees the effects of the decisions before it in the same transaction.

use std::collections::{BTreeMap, BTreeSet};

use crate::change::{Body, Header};
use crate::id::{ChangeId, OfficeId, RecordId};
use crate::record::{Record, RecordKey};

/// A fact that a decision lacks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Need {
    /// A record, or that there is none.
    Record(RecordKey),
    /// What became of a change's field (0: of the whole change), if it was not plainly applied.
    Outcome(ChangeId, u16),
    /// The open conflict items about a record.
    OpenItems(RecordId),
    /// The steps that were applied to a record.
    StepsOf(RecordId),
}

/// The answer to a [`Need`].
#[derive(Debug, Clone)]
pub enum Fact {
    /// To [`Need::Record`].
    Record(RecordKey, Option<Record>),
    /// To [`Need::Outcome`].
    Outcome(ChangeId, u16, Option<Outcome>),
    /// To [`Need::OpenItems`].
    OpenItems(RecordId, Vec<Record>),
    /// To [`Need::StepsOf`].
    StepsOf(RecordId, Vec<Record>),
}

/// What became of a change's field that was not plainly applied; kept for ever.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// The value was already so: the change counts as this one.
    Merged(ChangeId),
    /// Another value won; this one is in this conflict item.
    Lost(RecordId),
    /// Kept whole in this set-aside record.
    SetAside(RecordId),
    /// Waits; noted in this set-aside record.
    Waiting(RecordId),
}

/// Why a record leaves an office's feed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Leaving {
    /// The member's relation is with another office now.
    Transferred,
    /// What was shown of the person is withdrawn.
    Withdrawn,
}

/// Who moved a record last, for the rule that nothing is echoed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mover {
    /// Only plainly applied changes of one node; the last of them.
    Own(ChangeId),
    /// Anything else: every office must be sent the row.
    Foreign,
}

/// A change that the hub makes itself; it takes the next places of the hub's own journal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HubChange {
    /// Its place.
    pub id: ChangeId,
    /// Its header.
    pub header: Header,
    /// Its body.
    pub body: Body,
}

/// A change that waits for a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Waiting {
    /// The record that it waits for.
    pub for_record: RecordKey,
    /// The change.
    pub change: ChangeId,
    /// The set-aside record that tells people about it.
    pub set_aside: RecordId,
}

/// Everything that the decisions of one transaction have to write.
#[derive(Debug, Clone, Default)]
pub struct Writes {
    /// Records, whole, with who moved each.
    pub records: BTreeMap<RecordKey, (Record, Mover)>,
    /// Records that an office's feed must have from now on, besides the feed of their own office.
    pub joins: BTreeSet<(RecordKey, OfficeId)>,
    /// Records that leave an office's feed.
    pub leaves: BTreeMap<(RecordKey, OfficeId), Leaving>,
    /// Outcomes, kept for ever.
    pub outcomes: BTreeMap<(ChangeId, u16), Outcome>,
    /// Changes that wait.
    pub waiting: BTreeSet<Waiting>,
    /// Changes that wait no more.
    pub released: BTreeSet<Waiting>,
    /// Records created: changes that wait for them can be decided now.
    pub created: BTreeSet<RecordKey>,
    /// The hub's own changes, in order.
    pub hub_changes: Vec<HubChange>,
}

/// The facts supplied and the writes decided so far.
#[derive(Debug, Clone)]
pub struct World {
    records: BTreeMap<RecordKey, Option<Record>>,
    outcomes: BTreeMap<(ChangeId, u16), Option<Outcome>>,
    items: BTreeMap<RecordId, BTreeSet<RecordKey>>,
    steps: BTreeMap<RecordId, BTreeSet<RecordKey>>,
    next_hub_change: ChangeId,
    writes: Writes,
}

impl World {
    /// An empty world; the hub's own changes take places from `next_hub_change` on.
    pub fn new(next_hub_change: ChangeId) -> Self {
        Self {
            records: BTreeMap::new(),
            outcomes: BTreeMap::new(),
            items: BTreeMap::new(),
            steps: BTreeMap::new(),
            next_hub_change,
            writes: Writes::default(),
        }
    }

    /// Takes a fact from the store; what was decided in this transaction stands above it.
    pub fn supply(&mut self, fact: Fact) {
        match fact {
            Fact::Record(key, record) => {
                self.records.entry(key).or_insert(record);
            }
            Fact::Outcome(change, field, outcome) => {
                self.outcomes.entry((change, field)).or_insert(outcome);
            }
            Fact::OpenItems(subject, items) => {
                let keys = self.remember(items);
                self.items.entry(subject).or_default().extend(keys);
            }
            Fact::StepsOf(subject, steps) => {
                let keys = self.remember(steps);
                self.steps.entry(subject).or_default().extend(keys);
            }
        }
    }

    /// What has been decided.
    pub const fn writes(&self) -> &Writes {
        &self.writes
    }

    /// What has been decided, to be written; the world is done with.
    pub fn into_writes(self) -> Writes {
        self.writes
    }

    /// A record, or that there is none.
    pub(crate) fn record(&self, key: RecordKey) -> Result<Option<&Record>, Need> {
        self.records.get(&key).map(Option::as_ref).ok_or(Need::Record(key))
    }

    /// What became of a change's field, if not plainly applied.
    pub(crate) fn outcome(&self, change: ChangeId, field: u16) -> Result<Option<Outcome>, Need> {
        self.outcomes.get(&(change, field)).copied().ok_or(Need::Outcome(change, field))
    }

    /// The conflict items about a record that were open when this transaction began, or were opened
    /// in it.
    pub(crate) fn items(&self, subject: RecordId) -> Result<Vec<&Record>, Need> {
        self.noted(&self.items, subject).ok_or(Need::OpenItems(subject))
    }

    /// The steps applied to a record.
    pub(crate) fn steps(&self, subject: RecordId) -> Result<Vec<&Record>, Need> {
        self.noted(&self.steps, subject).ok_or(Need::StepsOf(subject))
    }

    /// Writes a record.
    pub(crate) fn put(&mut self, record: Record, mover: Mover) {
        let key = record.key;
        let mover = match self.writes.records.get(&key) {
            Some((_, Mover::Foreign)) => Mover::Foreign,
            Some((_, Mover::Own(before))) => match mover {
                Mover::Own(now) if now.node == before.node && now.epoch == before.epoch => mover,
                Mover::Own(_) | Mover::Foreign => Mover::Foreign,
            },
            None => mover,
        };
        if self.records.get(&key).is_none_or(Option::is_none) {
            self.writes.created.insert(key);
        }
        self.records.insert(key, Some(record.clone()));
        self.writes.records.insert(key, (record, mover));
    }

    /// Notes that a conflict item is about a record.
    pub(crate) fn note_item(&mut self, subject: RecordId, item: RecordKey) {
        self.items.entry(subject).or_default().insert(item);
    }

    /// Notes that a step was applied to a record.
    pub(crate) fn note_step(&mut self, subject: RecordId, step: RecordKey) {
        if let Some(steps) = self.steps.get_mut(&subject) {
            steps.insert(step);
        }
    }

    /// Notes what became of a change's field.
    pub(crate) fn note_outcome(&mut self, change: ChangeId, field: u16, outcome: Outcome) {
        self.outcomes.insert((change, field), Some(outcome));
        self.writes.outcomes.insert((change, field), outcome);
    }

    /// Brings a record into an office's feed.
    pub(crate) fn join(&mut self, key: RecordKey, office: OfficeId) {
        self.writes.leaves.remove(&(key, office));
        self.writes.joins.insert((key, office));
    }

    /// Takes a record out of an office's feed.
    pub(crate) fn leave(&mut self, key: RecordKey, office: OfficeId, why: Leaving) {
        self.writes.joins.remove(&(key, office));
        self.writes.leaves.insert((key, office), why);
    }

    /// Lets a change wait.
    pub(crate) fn wait(&mut self, waiting: Waiting) {
        self.writes.waiting.insert(waiting);
    }

    /// Lets it wait no more.
    pub(crate) fn release(&mut self, waiting: Waiting) {
        if !self.writes.waiting.remove(&waiting) {
            self.writes.released.insert(waiting);
        }
    }

    /// The id that the hub's next own change will have.
    pub(crate) const fn next_hub_change(&self) -> ChangeId {
        self.next_hub_change
    }

    /// Appends to the hub's own journal.
    pub(crate) fn append(&mut self, header: Header, body: Body) -> ChangeId {
        let id = self.next_hub_change;
        self.next_hub_change.sequence += 1;
        self.writes.hub_changes.push(HubChange { id, header, body });
        id
    }

    fn remember(&mut self, records: Vec<Record>) -> Vec<RecordKey> {
        let mut keys = Vec::with_capacity(records.len());
        for record in records {
            keys.push(record.key);
            self.records.entry(record.key).or_insert(Some(record));
        }
        keys
    }

    fn noted(
        &self,
        notes: &BTreeMap<RecordId, BTreeSet<RecordKey>>,
        subject: RecordId,
    ) -> Option<Vec<&Record>> {
        let keys = notes.get(&subject)?;
        Some(keys.iter().filter_map(|key| self.records.get(key)?.as_ref()).collect())
    }
}
