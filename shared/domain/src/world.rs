//! What the hub's decision may look at, and what it has decided so far in one transaction.
//!
//! A decision names the facts that it lacks as a [`Need`]; the caller reads them from its store,
//! supplies them, and asks again. So the decision itself never touches a store, reads only what it
//! needs, and sees the effects of the decisions before it in the same transaction.

use std::collections::{BTreeMap, BTreeSet};

use crate::change::{Body, Header};
use crate::checks::letter_number::LetterNumber;
use crate::id::{ChangeId, OfficeId, RecordId};
use crate::lease::Booked;
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
    /// The block in which an issuer's letter number lies, if it is leased.
    Block(RecordId, LetterNumber),
    /// The records of a kind (by number) that name a record in one of their fields (by number).
    Naming(u16, u16, RecordId),
    /// What may keep an organisation from being given up: the open cases that name it in one of
    /// [`crate::decide::NAMING_CASES`], the members in it as branch or group, and those of whom it has
    /// the open tenure.
    Standing(RecordId),
    /// An organisation and those below it that work through the same office, with everything that a
    /// move of their members reads: members, persons, tenures, open items.
    Membership(RecordId),
}

/// The answer to a [`Need`].
#[derive(Debug, Clone)]
pub enum Fact {
    /// To [`Need::Record`].
    Record(RecordKey, Option<Record>),
    /// To [`Need::Record`]: there was one, its values were removed, and its id never lives again.
    Purged(RecordKey),
    /// To [`Need::Outcome`].
    Outcome(ChangeId, u16, Option<Outcome>),
    /// To [`Need::OpenItems`].
    OpenItems(RecordId, Vec<Record>),
    /// To [`Need::StepsOf`].
    StepsOf(RecordId, Vec<Record>),
    /// To [`Need::Block`].
    Block(RecordId, LetterNumber, Option<Booked>),
    /// To [`Need::Naming`].
    Naming(u16, u16, RecordId, Vec<Record>),
    /// To [`Need::Standing`].
    Standing(RecordId, Vec<Record>),
    /// To [`Need::Membership`].
    Membership(RecordId, Membership),
    /// Unasked: whoever wrote what stands in this field now has seen the value that this change sets there, or wrote
    /// over somebody who had. A restored hub hears of the change after that.
    Overwritten(ChangeId, u16),
}

/// What a move of a whole organisation reads (bounded by [`crate::limits::BATCH_MEMBERS_MAX`] and
/// [`crate::limits::BATCH_ORGANISATIONS_MAX`]; one more of either says that there are too many).
#[derive(Debug, Clone, Default)]
pub struct Membership {
    /// The organisation itself, then those below it.
    pub organisations: Vec<Record>,
    /// Their members, whatever their status.
    pub members: Vec<Record>,
    /// Persons and tenures of these members.
    pub of_members: Vec<Record>,
    /// The open conflict items about them.
    pub items: Vec<Record>,
    /// What names them and their persons, by kind, field and id named.
    pub naming: Vec<((u16, u16, RecordId), Vec<Record>)>,
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
    /// It was deleted, and its values are removed everywhere for good.
    Purged,
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

/// A change that waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Waiting {
    /// The record that it waits for; where it waits until a restored hub has heard others, each
    /// record on which it works.
    pub for_record: RecordKey,
    /// The change.
    pub change: ChangeId,
    /// The set-aside record that tells people about it.
    pub set_aside: RecordId,
    /// Whether it waits until a restored hub has heard every office concerned, not for the record to
    /// appear.
    pub until_heard: bool,
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
    /// Changes that wait no more for what they have waited for so far; they may wait for something else.
    pub released: BTreeSet<ChangeId>,
    /// Records created: changes that wait for them can be decided now.
    pub created: BTreeSet<RecordKey>,
    /// The hub's own changes, in order.
    pub hub_changes: Vec<HubChange>,
}

impl Writes {
    /// Takes in what a further decision writes; the later one stands above.
    fn absorb(&mut self, later: Self) {
        for (key, (record, mover)) in later.records {
            let mover = together(self.records.get(&key).map(|(_, before)| *before), mover);
            self.records.insert(key, (record, mover));
        }
        for left in later.leaves.keys() {
            self.joins.remove(left);
        }
        for joined in &later.joins {
            self.leaves.remove(joined);
        }
        self.joins.extend(later.joins);
        self.leaves.extend(later.leaves);
        self.outcomes.extend(later.outcomes);
        self.waiting
            .retain(|waiting| !later.released.contains(&waiting.change));
        self.released.extend(later.released);
        self.waiting.extend(later.waiting);
        self.created.extend(later.created);
        self.hub_changes.extend(later.hub_changes);
    }
}

/// Who moved a record, if it was moved before.
fn together(before: Option<Mover>, now: Mover) -> Mover {
    match (before, now) {
        (None, now) => now,
        (Some(Mover::Own(before)), Mover::Own(after))
            if before.node == after.node && before.epoch == after.epoch =>
        {
            now
        }
        (Some(_), _) => Mover::Foreign,
    }
}

/// The facts supplied, the writes decided so far, and the draft of the decision under way: a
/// decision that lacks a fact leaves nothing behind.
#[derive(Debug, Clone)]
pub struct World {
    records: BTreeMap<RecordKey, Option<Record>>,
    outcomes: BTreeMap<(ChangeId, u16), Option<Outcome>>,
    blocks: BTreeMap<(RecordId, LetterNumber), Option<Booked>>,
    items: BTreeMap<RecordId, BTreeSet<RecordKey>>,
    steps: BTreeMap<RecordId, BTreeSet<RecordKey>>,
    named: BTreeSet<(u16, u16, RecordId)>,
    standing: BTreeMap<RecordId, BTreeSet<RecordKey>>,
    overwritten: BTreeSet<(ChangeId, u16)>,
    purged: BTreeSet<RecordKey>,
    memberships: BTreeMap<RecordId, (BTreeSet<RecordKey>, BTreeSet<RecordKey>)>,
    made_items: BTreeMap<RecordId, BTreeSet<RecordKey>>,
    made_steps: BTreeMap<RecordId, BTreeSet<RecordKey>>,
    next_hub_change: ChangeId,
    writes: Writes,
    draft: Writes,
    draft_items: BTreeSet<(RecordId, RecordKey)>,
    draft_steps: BTreeSet<(RecordId, RecordKey)>,
}

impl World {
    /// An empty world; the hub's own changes take places from `next_hub_change` on.
    pub fn new(next_hub_change: ChangeId) -> Self {
        Self {
            records: BTreeMap::new(),
            outcomes: BTreeMap::new(),
            blocks: BTreeMap::new(),
            items: BTreeMap::new(),
            steps: BTreeMap::new(),
            named: BTreeSet::new(),
            standing: BTreeMap::new(),
            overwritten: BTreeSet::new(),
            purged: BTreeSet::new(),
            memberships: BTreeMap::new(),
            made_items: BTreeMap::new(),
            made_steps: BTreeMap::new(),
            next_hub_change,
            writes: Writes::default(),
            draft: Writes::default(),
            draft_items: BTreeSet::new(),
            draft_steps: BTreeSet::new(),
        }
    }

    /// Takes a fact from the store; what was decided in this transaction stands above it.
    pub fn supply(&mut self, fact: Fact) {
        match fact {
            Fact::Record(key, record) => {
                self.records.entry(key).or_insert(record);
            }
            Fact::Purged(key) => {
                self.records.entry(key).or_insert(None);
                self.purged.insert(key);
            }
            Fact::Outcome(change, field, outcome) => {
                self.outcomes.entry((change, field)).or_insert(outcome);
            }
            Fact::Block(issuer, number, booked) => {
                self.blocks.entry((issuer, number)).or_insert(booked);
            }
            Fact::OpenItems(subject, items) => {
                let keys = self.remember(items);
                self.items.entry(subject).or_default().extend(keys);
            }
            Fact::StepsOf(subject, steps) => {
                let keys = self.remember(steps);
                self.steps.entry(subject).or_default().extend(keys);
            }
            Fact::Naming(kind, field, id, records) => {
                self.remember(records);
                self.named.insert((kind, field, id));
            }
            Fact::Standing(id, records) => {
                let keys = self.remember(records);
                self.standing.entry(id).or_default().extend(keys);
            }
            Fact::Membership(id, found) => self.remember_membership(id, found),
            Fact::Overwritten(change, field) => {
                self.overwritten.insert((change, field));
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

    /// The node id of the hub's own journal.
    pub(crate) const fn hub_node(&self) -> crate::id::NodeId {
        self.next_hub_change.node
    }

    /// Adopts the draft: the decision stands.
    pub(crate) fn adopt(&mut self) {
        let draft = std::mem::take(&mut self.draft);
        for (key, (record, _)) in &draft.records {
            self.records.insert(*key, Some(record.clone()));
        }
        for (place, outcome) in &draft.outcomes {
            self.outcomes.insert(*place, Some(*outcome));
        }
        // What this transaction made joins what the store is asked for; it does not replace the
        // question.
        for (subject, item) in std::mem::take(&mut self.draft_items) {
            self.made_items.entry(subject).or_default().insert(item);
        }
        for (subject, step) in std::mem::take(&mut self.draft_steps) {
            self.made_steps.entry(subject).or_default().insert(step);
        }
        self.next_hub_change.sequence += draft.hub_changes.len() as u64;
        self.writes.absorb(draft);
    }

    /// Throws the draft away: nothing was decided.
    pub(crate) fn discard(&mut self) {
        self.draft = Writes::default();
        self.draft_items.clear();
        self.draft_steps.clear();
    }

    /// A record, or that there is none.
    pub(crate) fn record(&self, key: RecordKey) -> Result<Option<&Record>, Need> {
        if let Some((record, _)) = self.draft.records.get(&key) {
            return Ok(Some(record));
        }
        self.records
            .get(&key)
            .map(Option::as_ref)
            .ok_or(Need::Record(key))
    }

    /// Whether a record was removed for good: nothing with its id is taken any more (rule 1).
    pub(crate) fn is_purged(&self, key: RecordKey) -> Result<bool, Need> {
        Ok(self.record(key)?.is_none() && self.purged.contains(&key))
    }

    /// What became of a change's field, if not plainly applied.
    pub(crate) fn outcome(&self, change: ChangeId, field: u16) -> Result<Option<Outcome>, Need> {
        if let Some(outcome) = self.draft.outcomes.get(&(change, field)) {
            return Ok(Some(*outcome));
        }
        self.outcomes
            .get(&(change, field))
            .copied()
            .ok_or(Need::Outcome(change, field))
    }

    /// Whether what a change sets in a field was overwritten knowingly ([`Fact::Overwritten`]).
    pub(crate) fn is_overwritten(&self, change: ChangeId, field: u16) -> bool {
        self.overwritten.contains(&(change, field))
    }

    /// The block in which an issuer's number lies, if it is leased.
    pub(crate) fn block(
        &self,
        issuer: RecordId,
        number: LetterNumber,
    ) -> Result<Option<Booked>, Need> {
        self.blocks
            .get(&(issuer, number))
            .copied()
            .ok_or(Need::Block(issuer, number))
    }

    /// The conflict items about a record that were open when this transaction began, or were opened
    /// in it.
    pub(crate) fn items(&self, subject: RecordId) -> Result<Vec<Record>, Need> {
        let made = self.made_items.get(&subject);
        self.noted(self.items.get(&subject), made, &self.draft_items, subject)
            .ok_or(Need::OpenItems(subject))
    }

    /// The steps applied to a record.
    pub(crate) fn steps(&self, subject: RecordId) -> Result<Vec<Record>, Need> {
        let made = self.made_steps.get(&subject);
        self.noted(self.steps.get(&subject), made, &self.draft_steps, subject)
            .ok_or(Need::StepsOf(subject))
    }

    /// The records of a kind that name a record in a field, as decided so far.
    pub(crate) fn naming(&self, kind: u16, field: u16, id: RecordId) -> Result<Vec<Record>, Need> {
        if !self.named.contains(&(kind, field, id)) {
            return Err(Need::Naming(kind, field, id));
        }
        let of = |byte| RecordKey {
            kind,
            id: RecordId::new([byte; 16]),
        };
        let known = self.records.range(of(0)..=of(0xff)).map(|(key, _)| key);
        let drafted = self.draft.records.range(of(0)..=of(0xff));
        let keys: BTreeSet<_> = known.chain(drafted.map(|(key, _)| key)).collect();
        Ok(keys
            .into_iter()
            .filter_map(|key| self.record(*key).ok()?)
            .filter(|record| record.reference(field) == Some(id))
            .cloned()
            .collect())
    }

    /// What may keep an organisation from being given up, as decided so far: what was made in this
    /// transaction is not among it.
    pub(crate) fn standing(&self, id: RecordId) -> Result<Vec<Record>, Need> {
        let keys = self.standing.get(&id).ok_or(Need::Standing(id))?;
        let known = keys.iter().filter_map(|key| self.record(*key).ok()?);
        Ok(known.cloned().collect())
    }

    /// An organisation with those below it that work through the same office, and their members, as
    /// decided so far: what was made in this transaction is not among them.
    pub(crate) fn membership(&self, id: RecordId) -> Result<(Vec<Record>, Vec<Record>), Need> {
        let (organisations, members) = self.memberships.get(&id).ok_or(Need::Membership(id))?;
        let records = |keys: &BTreeSet<RecordKey>| {
            let known = keys.iter().filter_map(|key| self.record(*key).ok()?);
            known.cloned().collect()
        };
        Ok((records(organisations), records(members)))
    }

    /// Writes a record.
    pub(crate) fn put(&mut self, record: Record, mover: Mover) {
        let key = record.key;
        let is_known = self.draft.records.contains_key(&key)
            || self.records.get(&key).is_some_and(Option::is_some);
        if !is_known {
            self.draft.created.insert(key);
        }
        let before = self.draft.records.get(&key).map(|(_, before)| *before);
        self.draft
            .records
            .insert(key, (record, together(before, mover)));
    }

    /// Notes that a conflict item is about a record.
    pub(crate) fn note_item(&mut self, subject: RecordId, item: RecordKey) {
        self.draft_items.insert((subject, item));
    }

    /// Notes that a step was applied to a record.
    pub(crate) fn note_step(&mut self, subject: RecordId, step: RecordKey) {
        self.draft_steps.insert((subject, step));
    }

    /// Notes what became of a change's field.
    pub(crate) fn note_outcome(&mut self, change: ChangeId, field: u16, outcome: Outcome) {
        self.draft.outcomes.insert((change, field), outcome);
    }

    /// Brings a record into an office's feed.
    pub(crate) fn join(&mut self, key: RecordKey, office: OfficeId) {
        self.draft.leaves.remove(&(key, office));
        self.draft.joins.insert((key, office));
    }

    /// Takes a record out of an office's feed.
    pub(crate) fn leave(&mut self, key: RecordKey, office: OfficeId, why: Leaving) {
        self.draft.joins.remove(&(key, office));
        self.draft.leaves.insert((key, office), why);
    }

    /// Lets a change wait.
    pub(crate) fn wait(&mut self, waiting: Waiting) {
        self.draft.waiting.insert(waiting);
    }

    /// Lets it wait no more.
    pub(crate) fn release(&mut self, change: ChangeId) {
        self.draft
            .waiting
            .retain(|waiting| waiting.change != change);
        self.draft.released.insert(change);
    }

    /// Appends to the hub's own journal.
    pub(crate) fn append(&mut self, header: Header, body: Body) -> ChangeId {
        let mut id = self.next_hub_change;
        id.sequence += self.draft.hub_changes.len() as u64;
        self.draft.hub_changes.push(HubChange { id, header, body });
        id
    }

    fn remember_membership(&mut self, id: RecordId, found: Membership) {
        let organisations = self.remember(found.organisations);
        let members = self.remember(found.members);
        self.remember(found.of_members);
        for (named, records) in found.naming {
            self.remember(records);
            self.named.insert(named);
        }
        for member in &members {
            self.items.entry(member.id).or_default();
        }
        for item in found.items {
            let subject = item.reference(crate::kinds::conflict::SUBJECT);
            let keys = self.remember(vec![item]);
            if let Some(subject) = subject {
                self.items.entry(subject).or_default().extend(keys);
            }
        }
        let set = |keys: Vec<RecordKey>| keys.into_iter().collect();
        self.memberships
            .insert(id, (set(organisations), set(members)));
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
        known: Option<&BTreeSet<RecordKey>>,
        made: Option<&BTreeSet<RecordKey>>,
        draft: &BTreeSet<(RecordId, RecordKey)>,
        subject: RecordId,
    ) -> Option<Vec<Record>> {
        let known = known?;
        let drafted = draft
            .iter()
            .filter(|(about, _)| *about == subject)
            .map(|(_, key)| key);
        let made = made.into_iter().flatten();
        let keys: BTreeSet<_> = known.iter().chain(made).chain(drafted).collect();
        Some(
            keys.into_iter()
                .filter_map(|key| self.record(*key).ok()?.cloned())
                .collect(),
        )
    }
}
