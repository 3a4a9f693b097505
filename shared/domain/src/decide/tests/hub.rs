//! A hub in memory: the facts that a store would hold, and an office's hand to write with.

use std::collections::BTreeMap;

use super::super::*;
use crate::change::{Body, FieldChange, Header};
use crate::clock::Timestamp;
use crate::id::NodeId;
use crate::kinds::{conflict, member, organisation, person, step, tenure, transfer};
use crate::lease::Booked;
use crate::record::Record;
use crate::world::{Fact, Membership, Writes};

pub(super) const HUB: NodeId = NodeId::new([0xee; 16]);
pub(super) const EAST: OfficeId = RecordId::new([1; 16]);
pub(super) const WEST: OfficeId = RecordId::new([2; 16]);
pub(super) const STREET: OfficeId = RecordId::new([3; 16]);
pub(super) const NOW: u64 = 1_795_000_000_000;

/// A hub in memory: the facts that a store would hold.
pub(super) struct Hub {
    pub(super) records: BTreeMap<RecordKey, Record>,
    pub(super) outcomes: BTreeMap<(ChangeId, u16), Outcome>,
    pub(super) feeds: std::collections::BTreeSet<(OfficeId, RecordKey)>,
    pub(super) next_sequence: u64,
    pub(super) sequences: BTreeMap<OfficeId, u64>,
    pub(super) now: u64,
    pub(super) changes: BTreeMap<ChangeId, (Change, OfficeId)>,
    pub(super) booked: Vec<Booked>,
}

impl Hub {
    pub(super) fn new() -> Self {
        let mut hub = Self {
            records: BTreeMap::new(),
            outcomes: BTreeMap::new(),
            feeds: std::collections::BTreeSet::new(),
            next_sequence: 1,
            sequences: BTreeMap::new(),
            now: NOW,
            changes: BTreeMap::new(),
            booked: Vec::new(),
        };
        for (id, name, is_office, admits) in [
            (EAST, "east", "1", "0"),
            (WEST, "west", "1", "0"),
            (STREET, "street", "0", "1"),
        ] {
            let fields = [
                (organisation::NAME, name.as_bytes()),
                (organisation::KIND_OF, b"committee"),
                (organisation::IS_OFFICE, is_office.as_bytes()),
                (organisation::CAN_ADMIT_MEMBERS, admits.as_bytes()),
                (organisation::STATE, b"active"),
            ];
            let made = hub.send(DESK, organisation::KIND_NUMBER, id, Verb::Create, &fields);
            assert_eq!(made, Verdict::Applied);
        }
        hub
    }

    pub(super) fn change(
        &mut self,
        office: OfficeId,
        kind: u16,
        id: RecordId,
        verb: Verb,
        fields: &[(u16, &[u8])],
    ) -> Change {
        let node = if office == DESK {
            HUB
        } else {
            NodeId::new(office.bytes())
        };
        let sequence = self.sequences.entry(office).or_insert(0);
        *sequence += 1;
        let sequence = if office == DESK {
            1_000_000 + *sequence
        } else {
            *sequence
        };
        let key = RecordKey { kind, id };
        let shown = self.records.get(&key);
        let mut fields: Vec<_> = fields
            .iter()
            .map(|(number, value)| FieldChange {
                number: *number,
                value: value.to_vec(),
                base: shown.and_then(|record| record.version(*number)),
            })
            .collect();
        fields.sort_by_key(|field| field.number);
        Change {
            id: ChangeId {
                node,
                epoch: 1,
                sequence,
            },
            header: Header {
                record: id,
                kind,
                class: crate::kinds::by_number(kind).map_or(Class::Shared, |kind| kind.class),
                verb,
                timestamp: Timestamp::at(self.now),
                actor: "clerk".to_owned(),
                group: None,
                tenure: None,
                clock_suspect: false,
                replaces: None,
            },
            body: Body {
                fields,
                seen_revision: shown.map_or(0, |record| record.revision),
                life_base: shown.map(|record| record.life_version.change),
            },
        }
    }

    pub(super) fn send(
        &mut self,
        office: OfficeId,
        kind: u16,
        id: RecordId,
        verb: Verb,
        fields: &[(u16, &[u8])],
    ) -> Verdict {
        let change = self.change(office, kind, id, verb, fields);
        self.take(office, &change)
    }

    pub(super) fn take(&mut self, office: OfficeId, change: &Change) -> Verdict {
        self.changes.insert(change.id, (change.clone(), office));
        self.take_waited(office, change, None)
    }

    pub(super) fn take_waited(
        &mut self,
        office: OfficeId,
        change: &Change,
        waited_in: Option<RecordId>,
    ) -> Verdict {
        self.now += 1_000;
        let incoming = Incoming {
            change,
            office,
            received_ms: self.now,
            offset_ms: 0,
            waited_in,
        };
        let mut world = World::new(ChangeId {
            node: HUB,
            epoch: 1,
            sequence: self.next_sequence,
        });
        let verdict = loop {
            match decide(&mut world, &incoming) {
                Ok(verdict) => break verdict,
                Err(need) => world.supply(self.fact(need)),
            }
        };
        let writes = world.into_writes();
        let waiting = self.write(&writes);
        for (change, set_aside) in waiting {
            let (change, office) = self.changes[&change].clone();
            self.take_waited(office, &change, Some(set_aside));
        }
        verdict
    }

    pub(super) fn fact(&self, need: Need) -> Fact {
        let about = |kind: u16, field: u16, id: RecordId| {
            self.records
                .values()
                .filter(|r| r.key.kind == kind && r.value(field) == Some(&id.bytes()))
                .cloned()
                .collect::<Vec<_>>()
        };
        match need {
            Need::Record(key) => Fact::Record(key, self.records.get(&key).cloned()),
            Need::Outcome(change, field) => {
                Fact::Outcome(change, field, self.outcomes.get(&(change, field)).copied())
            }
            Need::OpenItems(id) => {
                Fact::OpenItems(id, about(conflict::KIND_NUMBER, conflict::SUBJECT, id))
            }
            Need::StepsOf(id) => Fact::StepsOf(id, about(step::KIND_NUMBER, step::SUBJECT, id)),
            Need::Block(issuer, number) => {
                let holds = |b: &&Booked| {
                    let block = &b.block;
                    (block.issuer, block.year) == (issuer, number.year())
                        && block.holds(number.serial())
                };
                Fact::Block(issuer, number, self.booked.iter().find(holds).copied())
            }
            Need::Membership(id) => Fact::Membership(id, self.membership(id)),
            Need::Naming(kind, field, id) => Fact::Naming(kind, field, id, about(kind, field, id)),
            Need::Standing(id) => {
                let cases = NAMING_CASES.map(|field| (transfer::KIND_NUMBER, field));
                let members = [member::HOLDER, member::BRANCH, member::GROUP];
                let members = members.map(|field| (member::KIND_NUMBER, field));
                let named = cases.into_iter().chain(members);
                let standing = named.flat_map(|(kind, field)| about(kind, field, id));
                Fact::Standing(id, standing.collect())
            }
        }
    }

    /// What the store finds of an organisation's members.
    fn membership(&self, id: RecordId) -> Membership {
        let naming = |kind: u16, field: u16, id: RecordId| {
            let records = self.records.values().filter(move |r| r.key.kind == kind);
            records
                .filter(move |r| r.reference(field) == Some(id))
                .cloned()
        };
        let mut found = Membership::default();
        found
            .organisations
            .push(self.get(organisation::KIND_NUMBER, id).clone());
        let mut at = 0;
        while at < found.organisations.len() {
            let above = found.organisations[at].clone();
            at += 1;
            if above.text(organisation::IS_OFFICE) == Some("1") {
                continue;
            }
            let id = above.key.id;
            found
                .organisations
                .extend(naming(organisation::KIND_NUMBER, organisation::PARENT, id));
            found
                .members
                .extend(naming(member::KIND_NUMBER, member::BRANCH, id));
        }
        for record in &found.members {
            let id = record.key.id;
            let person = record.reference(member::PERSON).unwrap_or(id);
            found
                .of_members
                .push(self.get(person::KIND_NUMBER, person).clone());
            found
                .of_members
                .extend(naming(tenure::KIND_NUMBER, tenure::MEMBER, id));
            found
                .items
                .extend(naming(conflict::KIND_NUMBER, conflict::SUBJECT, id));
            let of_person = roles().map(|(kind, field)| (kind.number, field, person));
            let merged = (person::KIND_NUMBER, person::MERGED_INTO, person);
            let items = [id, person].map(|id| (conflict::KIND_NUMBER, conflict::SUBJECT, id));
            for (kind, field, id) in of_person.chain([merged]).chain(items) {
                let records = naming(kind, field, id).collect();
                found.naming.push(((kind, field, id), records));
            }
        }
        found
    }

    /// Writes, and answers which changes have waited for what was made.
    pub(super) fn write(&mut self, writes: &Writes) -> Vec<(ChangeId, RecordId)> {
        for (key, (record, _)) in &writes.records {
            self.records.insert(*key, record.clone());
            self.feeds.insert((record.office, *key));
        }
        self.feeds
            .extend(writes.joins.iter().map(|(key, office)| (*office, *key)));
        for (key, office) in writes.leaves.keys() {
            self.feeds.remove(&(*office, *key));
        }
        self.outcomes.extend(writes.outcomes.clone());
        self.next_sequence += writes.hub_changes.len() as u64;
        let is_waiting = |note: &&Record| {
            note.key.kind == set_aside::KIND_NUMBER
                && note.text(set_aside::STATE) == Some("waiting")
                && note
                    .value(set_aside::WAITS_FOR)
                    .and_then(key_of_bytes)
                    .is_some_and(|key| writes.created.contains(&key))
        };
        let waiting = self.records.values().filter(is_waiting);
        waiting
            .filter_map(|note| {
                Some((
                    change_of_bytes(note.value(set_aside::CHANGE)?)?,
                    note.key.id,
                ))
            })
            .collect()
    }

    pub(super) fn get(&self, kind: u16, id: RecordId) -> &Record {
        &self.records[&RecordKey { kind, id }]
    }

    pub(super) fn register(&mut self, office: OfficeId, number: u8) -> RecordId {
        let (who, id) = (
            RecordId::new([number; 16]),
            RecordId::new([number + 100; 16]),
        );
        let name: &[(u16, &[u8])] = &[(person::NAME, "陈晓".as_bytes())];
        self.send(office, person::KIND_NUMBER, who, Verb::Create, name);
        let who = who.bytes();
        let fields: &[(u16, &[u8])] = &[
            (member::PERSON, &who),
            (member::CATEGORY, b"full"),
            (member::STATUS, b"FULL"),
            (member::JOIN_DATE, b"2001-07-01"),
        ];
        let verdict = self.send(office, member::KIND_NUMBER, id, Verb::Create, fields);
        assert_eq!(verdict, Verdict::Applied);
        id
    }

    pub(super) fn step(
        &mut self,
        (office, acting): (OfficeId, OfficeId),
        case: RecordId,
        event: &str,
        args: &[(u16, &[u8])],
    ) -> Verdict {
        let (case, acting) = (case.bytes(), acting.bytes());
        let kind = transfer::KIND_NUMBER.to_string();
        let mut fields: Vec<(u16, &[u8])> = vec![
            (step::SUBJECT_KIND, kind.as_bytes()),
            (step::SUBJECT, &case),
            (step::EVENT, event.as_bytes()),
            (step::ORGANISATION, &acting),
            (step::DATE, b"2026-11-18"),
            (step::RECORDER, "clerk".as_bytes()),
        ];
        fields.extend(args);
        let id = derived_id("test step", &[&self.now.to_be_bytes()]);
        self.send(office, step::KIND_NUMBER, id, Verb::Step, &fields)
    }

    pub(super) fn start(
        &mut self,
        from: OfficeId,
        to: OfficeId,
        member: RecordId,
        case: RecordId,
    ) -> Verdict {
        let (to, member) = (to.bytes(), member.bytes());
        let args: &[(u16, &[u8])] = &[
            (step::MEMBER, &member),
            (step::TO_ORG, &to),
            (step::VARIANT, b"in_province"),
            (step::TO_UNIT, "西社区第一支部".as_bytes()),
            (step::ADDRESSEE, "西街道党工委".as_bytes()),
            (step::DUES_PAID_TO, b"2026-10"),
        ];
        self.step((from, from), case, "create", args)
    }

    pub(super) fn issue(&mut self, from: OfficeId, case: RecordId) {
        for (who, event) in [(from, "submit"), (from, "approve_branch")] {
            assert_eq!(
                self.step((who, who), case, event, &[]),
                Verdict::Applied,
                "{event}"
            );
        }
        let args: &[(u16, &[u8])] = &[
            (step::LETTER_NUMBER, b"2026-0001"),
            (step::VALID_DAYS, b"90"),
        ];
        assert_eq!(
            self.step((DESK, STREET), case, "approve", args),
            Verdict::Applied
        );
    }

    pub(super) fn open_tenures(&self, member: RecordId) -> usize {
        self.records
            .values()
            .filter(|r| r.key.kind == tenure::KIND_NUMBER)
            .filter(|r| r.reference(tenure::MEMBER) == Some(member))
            .filter(|r| r.value(tenure::CLOSED).is_none())
            .count()
    }

    pub(super) fn open_items(&self) -> Vec<&Record> {
        self.records
            .values()
            .filter(|r| r.key.kind == conflict::KIND_NUMBER)
            .filter(|r| r.text(conflict::STATE) == Some("open"))
            .collect()
    }
}
