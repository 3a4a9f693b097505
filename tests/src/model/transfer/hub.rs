//! A hub in memory: the facts that a store would hold, decided by `domain::decide::decide` one change
//! a transaction, and by it alone.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use domain::change::{Change, Verb};
use domain::decide::{Incoming, NAMING_CASES, Verdict, decide};
use domain::id::{ChangeId, OfficeId, RecordId};
use domain::kind::Class;
use domain::kinds::{member, organisation, person, transfer};
use domain::machines::transfer::{event, state};
use domain::record::{Record, RecordKey};
use domain::world::{Fact, Need, Outcome, Waiting, World, Writes};

use super::super::facts;
use super::checks::{self, Checks};
use super::mark;
use super::steps::{self, Act, Case, HUB, PERSON, Sent, Who, now_on};

/// A change that the hub has taken, and what it said.
#[derive(Debug, Clone)]
pub struct Taken {
    pub sent: Sent,
    pub received_ms: u64,
    pub verdict: Verdict,
}

/// The hub's store.
#[derive(Debug, Clone, Default)]
pub struct Hub {
    records: BTreeMap<RecordKey, Arc<Record>>,
    pub outcomes: BTreeMap<(ChangeId, u16), Outcome>,
    pub feeds: BTreeSet<(OfficeId, RecordKey)>,
    pub waiting: BTreeSet<Waiting>,
    pub taken: BTreeMap<ChangeId, Arc<Taken>>,
    /// The steps of cases that were applied, each with who took it.
    pub applied: BTreeSet<(Who, Act)>,
    taken_places: u64,
    /// What of it a decision may depend on, as one number.
    pub mark: u64,
    /// Whether the invariants hold.
    pub checks: Checks,
}

impl Hub {
    /// The organisations, and EAST's record of the person.
    pub fn new() -> Self {
        let mut hub = Self::default();
        for (sequence, who) in (1..).zip([Who::East, Who::West, Who::South, Who::Street]) {
            let is_street = who == Who::Street;
            let digit = |is: bool| if is { b"1".to_vec() } else { b"0".to_vec() };
            let fields = vec![
                (organisation::NAME, format!("{who:?}").into_bytes()),
                (organisation::KIND_OF, b"committee".to_vec()),
                (organisation::IS_OFFICE, digit(!is_street)),
                (organisation::CAN_ADMIT_MEMBERS, digit(is_street)),
                (organisation::STATE, b"active".to_vec()),
            ];
            let key = RecordKey {
                kind: organisation::KIND_NUMBER,
                id: who.organisation(),
            };
            let how = (Class::Reference, Verb::Create);
            let id = Who::Street.change_id(1_000_000 + sequence);
            hub.set_up(Who::Street, &steps::change(id, key, how, 0, fields));
        }
        let key = RecordKey {
            kind: person::KIND_NUMBER,
            id: PERSON,
        };
        let name = vec![(person::NAME, "陈晓".as_bytes().to_vec())];
        let how = (Class::Shared, Verb::Create);
        let id = Who::East.change_id(1_000_000);
        hub.set_up(Who::East, &steps::change(id, key, how, 0, name));
        hub.mark = mark::of(&hub);
        hub
    }

    fn set_up(&mut self, who: Who, change: &Change) {
        let (verdict, writes) = self.decided(who, change, now_on(0), None);
        assert_eq!(verdict, Verdict::Applied);
        self.write(writes);
    }

    pub fn record(&self, key: RecordKey) -> Option<&Record> {
        self.records.get(&key).map(Arc::as_ref)
    }

    /// Every record of a kind.
    pub fn of_kind(&self, kind: u16) -> impl Iterator<Item = &Record> {
        let of = |kind, byte| RecordKey {
            kind,
            id: RecordId::new([byte; 16]),
        };
        let range = self.records.range(of(kind, 0)..=of(kind, 0xff));
        range.map(|(_, record)| record.as_ref())
    }

    /// Every record.
    pub fn records(&self) -> impl Iterator<Item = &Record> {
        self.records.values().map(Arc::as_ref)
    }

    /// The state of a case; none where it was not started.
    pub fn state(&self, case: Case) -> Option<&str> {
        self.record(case.key())?.text(transfer::STATE)
    }

    /// To which organisation a case goes, today.
    pub fn receiver(&self, case: Case) -> Option<OfficeId> {
        let named = self
            .record(case.key())
            .map(|case| case.reference(transfer::TO_ORG));
        named.unwrap_or_else(|| Some(case.to().organisation()))
    }

    /// The state of WEST.
    pub fn west(&self) -> &str {
        let key = RecordKey {
            kind: organisation::KIND_NUMBER,
            id: Who::West.organisation(),
        };
        let west = self
            .record(key)
            .and_then(|west| west.text(organisation::STATE));
        west.unwrap_or_default()
    }

    /// The open disputes.
    pub fn disputes(&self) -> impl Iterator<Item = &Record> {
        self.of_kind(transfer::KIND_NUMBER)
            .filter(|case| case.text(transfer::STATE) == Some(state::DISPUTED))
    }

    /// The open dispute that is ruled on first; several about one case differ in nothing but their ids.
    pub fn first_dispute(&self) -> Option<&Record> {
        self.disputes()
            .min_by_key(|dispute| dispute.reference(transfer::DISPUTES))
    }

    /// The hub after it has taken one change more.
    pub fn take(&self, sent: &Sent, day: u8) -> Self {
        let mut hub = self.clone();
        hub.taken.insert(
            sent.change.id,
            Arc::new(Taken {
                sent: sent.clone(),
                received_ms: now_on(day),
                verdict: Verdict::Waiting,
            }),
        );
        let is_repeat = self.applied.contains(&(sent.who, sent.act));
        let mut due = hub.settle(sent.change.id, None);
        if is_repeat && !hub.is_as_before(self, sent) {
            hub.checks.a_repeat_changes_nothing = false;
        }
        while !due.is_empty() {
            let mut next = Vec::new();
            for waiting in due {
                next.extend(hub.settle(waiting.change, Some(waiting.set_aside)));
            }
            due = next;
        }
        let repeats = hub.checks.a_repeat_changes_nothing;
        hub.checks = checks::of(&hub);
        hub.checks.a_repeat_changes_nothing = repeats;
        hub.mark = mark::of(&hub);
        hub
    }

    /// Decides a change and writes what follows; what has waited for it is due next.
    fn settle(&mut self, id: ChangeId, waited_in: Option<RecordId>) -> Vec<Waiting> {
        let mut taken = Taken::clone(&self.taken[&id]);
        let (who, change) = (taken.sent.who, taken.sent.change.clone());
        let (verdict, writes) = self.decided(who, &change, taken.received_ms, waited_in);
        // Who succeeds may be succeeded: that step again is no repeat, and refused where nobody is.
        let repeats = |act| matches!(act, Act::Step(_, name) if name != event::REPOINT);
        if verdict == Verdict::Applied && repeats(taken.sent.act) {
            self.applied.insert((who, taken.sent.act));
        }
        taken.verdict = verdict;
        self.taken.insert(id, Arc::new(taken));
        self.write(writes)
    }

    fn decided(
        &self,
        who: Who,
        change: &Change,
        received_ms: u64,
        waited_in: Option<RecordId>,
    ) -> (Verdict, Writes) {
        let incoming = Incoming {
            change,
            office: who.office(),
            received_ms,
            offset_ms: 0,
            waited_in,
        };
        let mut world = World::new(ChangeId {
            node: HUB,
            epoch: 1,
            sequence: self.taken_places + 1,
        });
        loop {
            match decide(&mut world, &incoming) {
                Ok(verdict) => return (verdict, world.into_writes()),
                Err(need) => world.supply(self.fact(need)),
            }
        }
    }

    fn fact(&self, need: Need) -> Fact {
        let about = |kind: u16, field: u16, id: RecordId| {
            let records = self.of_kind(kind);
            let about = records.filter(|record| record.value(field) == Some(&id.bytes()));
            about.cloned().collect::<Vec<_>>()
        };
        let standing = |id| {
            let cases = NAMING_CASES.map(|field| (transfer::KIND_NUMBER, field));
            let members = [member::HOLDER, member::BRANCH, member::GROUP];
            let members = members.map(|field| (member::KIND_NUMBER, field));
            let named = cases.into_iter().chain(members);
            named
                .flat_map(|(kind, field)| about(kind, field, id))
                .collect()
        };
        let record = |key| self.record(key).cloned();
        facts::answer(need, &self.outcomes, record, about, standing)
    }

    /// Writes, and answers which changes have waited for what was made, in the order of the store.
    fn write(&mut self, writes: Writes) -> Vec<Waiting> {
        for (key, (record, _)) in writes.records {
            self.feeds.insert((record.office, key));
            self.records.insert(key, Arc::new(record));
        }
        self.feeds
            .extend(writes.joins.iter().map(|(key, office)| (*office, *key)));
        for (key, office) in writes.leaves.keys() {
            self.feeds.remove(&(*office, *key));
        }
        self.outcomes.extend(writes.outcomes);
        self.taken_places += writes.hub_changes.len() as u64;
        self.waiting
            .retain(|waiting| !writes.released.contains(&waiting.change));
        self.waiting.extend(writes.waiting);
        let is_due = |waiting: &&Waiting| writes.created.contains(&waiting.for_record);
        self.waiting.iter().filter(is_due).copied().collect()
    }

    /// Whether nothing is there but the step itself that was not there before.
    fn is_as_before(&self, before: &Self, sent: &Sent) -> bool {
        let key = RecordKey {
            kind: sent.change.header.kind,
            id: sent.change.header.record,
        };
        let mut records = self.records.clone();
        let mut feeds = self.feeds.clone();
        records.remove(&key);
        feeds.remove(&(sent.who.office(), key));
        records == before.records
            && feeds == before.feeds
            && self.outcomes == before.outcomes
            && self.waiting == before.waiting
            && self.taken[&sent.change.id].verdict == Verdict::Applied
    }
}
