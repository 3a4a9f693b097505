//! While a hub recovers, what must wait does, and in the end everything is as if nothing had waited:
//! nothing is lost, nothing counts twice, and each record's changes stand in their order.

use std::collections::BTreeMap;

use domain::change::{Body, FieldChange, Group, Header, RawChange, Verb, chain_over, chain_start};
use domain::clock::Timestamp;
use domain::kind::Class;
use domain::kinds::{conflict, organisation, person, set_aside};
use domain::record::{Record, RecordKey};
use domain::session::hub::Proven;
use store::Filter;

use super::*;
use crate::{app, desk, recovery};

mod damaged;
mod restored;

const NOW: u64 = 1_795_000_000_000;
/// Persons that the office had entered before the backup: the first was seen by WEST, the second by
/// SOUTH, the others by nobody else.
const BEFORE: u8 = 4;
const EAST: u8 = 1;
const WEST: u8 = 2;
const SOUTH: u8 = 3;

fn id(number: u8) -> RecordId {
    RecordId::new([number; 16])
}

fn person_key(number: u8) -> RecordKey {
    RecordKey {
        kind: person::KIND_NUMBER,
        id: id(100 + number),
    }
}

/// A hub in a folder of its own, with two machines of EAST and one of each other office.
struct Hub {
    app: App,
    runtime: tokio::runtime::Runtime,
    now: u64,
    heads: BTreeMap<NodeId, (u64, [u8; 32])>,
    _folder: tempfile::TempDir,
}

fn machine(office: u8, number: u8) -> NodeId {
    NodeId::new([office * 16 + number; 16])
}

impl Hub {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        app::init(folder.path(), "中心", &["localhost".to_owned()]).unwrap();
        let app = App::open(folder.path()).unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread()
            .build()
            .unwrap();
        let mut hub = Self {
            app,
            runtime,
            now: NOW,
            heads: BTreeMap::new(),
            _folder: folder,
        };
        for office in [EAST, WEST, SOUTH] {
            hub.found(office);
        }
        for number in 0..BEFORE {
            let name = [(person::NAME, "林一".to_owned(), None)];
            hub.push(1, &[set(number, Verb::Create, &name)]);
        }
        hub.write(move |tx, _| {
            let mut writes = Writes::default();
            writes.joins.insert((person_key(0), id(WEST)));
            writes.joins.insert((person_key(1), id(SOUTH)));
            Ok(tx.apply(&writes, NOW)?)
        });
        hub
    }

    fn write<T: Send + 'static>(
        &self,
        work: impl FnOnce(Tx<'_>, &App) -> Result<T, HubError> + Send + 'static,
    ) -> T {
        let app = self.app.clone();
        let written = self.app.store.write(move |tx| work(tx, &app));
        self.runtime.block_on(written).unwrap()
    }

    fn found(&self, office: u8) {
        let values = [
            (organisation::NAME, "社区"),
            (organisation::KIND_OF, "committee"),
            (organisation::IS_OFFICE, "1"),
            (organisation::CAN_ADMIT_MEMBERS, "0"),
            (organisation::STATE, "active"),
        ];
        let values = values.map(|(number, text)| (number, text.as_bytes().to_vec()));
        let key = RecordKey {
            kind: organisation::KIND_NUMBER,
            id: id(office),
        };
        let machines = if office == EAST { 2 } else { 1 };
        self.write(move |tx, app| {
            let made = desk::edit(tx, app, (key, Verb::Create), values.to_vec(), "desk", NOW)?;
            assert_eq!(made, Verdict::Applied);
            for number in 1..=machines {
                let node = machine(office, number);
                tx.insert_node(&Node::new(node, id(office), [0; 32]), NOW)?;
                tx.put_journal(&Journal {
                    node,
                    epoch: 1,
                    received: 0,
                    chain: chain_start(node, 1),
                    decided_through: 0,
                    is_kept_only: false,
                    proven: Proven::default(),
                })?;
            }
            Ok(())
        });
    }

    /// Pushes changes from a machine of EAST in one batch.
    fn push(&mut self, number: u8, changes: &[(Header, Body)]) -> Taken {
        self.push_from(machine(EAST, number), changes)
    }

    fn push_from(&mut self, node: NodeId, changes: &[(Header, Body)]) -> Taken {
        self.now += 1_000;
        let start = (0, chain_start(node, 1));
        let (last, chain) = self.heads.get(&node).copied().unwrap_or(start);
        let raw: Vec<RawChange> = changes
            .iter()
            .map(|(header, body)| convert::encode_change(header, body, [7; 16]))
            .collect();
        let (bytes, raw_bytes) = convert::encode_batch(&raw).unwrap();
        let pushed = Pushed {
            epoch: 1,
            first: last + 1,
            raw_bytes,
            bytes,
            chain: chain_over(chain, &raw),
            changes: raw,
            signature: Vec::new(),
        };
        let (end, now) = (last + changes.len() as u64, self.now);
        self.heads.insert(node, (end, pushed.chain));
        self.write(move |tx, app| {
            let sender = tx.node(node)?.unwrap();
            take_batch(tx, app, &sender, &pushed, now)
        })
    }

    /// The hub was put back from a backup of this very moment; EAST's machines have been heard.
    fn recover(&mut self) {
        let mut own = self.app.own;
        own.epoch += 1;
        self.write(move |tx, _| Ok(recovery::begin(tx, &own, recovery::PutBack::Told, NOW)?));
        self.app.own = own;
        for number in [1, 2] {
            self.hear(machine(EAST, number));
        }
    }

    /// A node's report ends.
    fn hear(&self, node: NodeId) {
        let now = self.now;
        self.write(move |tx, app| {
            let node = tx.node(node)?.unwrap();
            let feed = format!("office/{}", node.office);
            let proof = proto::wire::sync::Proof::default();
            recovery::take_proof(tx, app, &node, &feed, &proof, now)
        });
    }

    fn persons(&self) -> BTreeMap<RecordId, BTreeMap<u16, Vec<u8>>> {
        let all = self.write(move |tx, _| Ok(tx.list(&person::KIND, &[], None, 1_000)?));
        let values = |record: &Record| {
            let fields = record.fields.iter();
            let fields = fields.map(|(number, field)| (*number, field.value.clone()));
            fields.collect()
        };
        all.iter().map(|r| (r.key.id, values(r))).collect()
    }

    fn text(&self, number: u8, field: u16) -> String {
        let record = self.write(move |tx, _| Ok(tx.record(person_key(number))?));
        record.unwrap().text(field).unwrap_or_default().to_owned()
    }

    /// How many notes and items there are in each state, but for notes of what has waited and is
    /// decided.
    fn left(&self) -> BTreeMap<(String, String), usize> {
        self.write(move |tx, _| {
            let mut left = BTreeMap::new();
            for note in tx.list(&set_aside::KIND, &[], None, 1_000)? {
                let state = note.text(set_aside::STATE).unwrap_or_default().to_owned();
                if state != "fixed" {
                    *left.entry(("note".to_owned(), state)).or_insert(0) += 1;
                }
            }
            let open = [Filter::Is(conflict::STATE, b"open".to_vec())];
            let open = tx.list(&conflict::KIND, &open, None, 1_000)?.len();
            left.insert(("item".to_owned(), "open".to_owned()), open);
            Ok(left)
        })
    }

    fn waiting(&self) -> usize {
        self.write(move |tx, _| Ok(tx.all_waiting()?.len()))
    }
}

type Field = (u16, String, Option<ChangeId>);

fn set(number: u8, verb: Verb, fields: &[Field]) -> (Header, Body) {
    let header = Header {
        record: person_key(number).id,
        kind: person::KIND_NUMBER,
        class: Class::Shared,
        verb,
        timestamp: Timestamp::at(NOW),
        actor: "clerk".to_owned(),
        group: None,
        tenure: None,
        clock_suspect: false,
        replaces: None,
    };
    let fields = fields.iter().map(|(number, value, base)| FieldChange {
        number: *number,
        value: value.clone().into_bytes(),
        base: *base,
    });
    let body = Body {
        fields: fields.collect(),
        ..Body::default()
    };
    (header, body)
}

fn phone(number: u8, value: &str, base: Option<ChangeId>) -> (Header, Body) {
    set(
        number,
        Verb::Set,
        &[(person::PHONE, value.to_owned(), base)],
    )
}

fn grouped(mut changes: Vec<(Header, Body)>, group: u8) -> Vec<(Header, Body)> {
    let size = u32::try_from(changes.len()).unwrap();
    for (header, _) in &mut changes {
        let id = id(group);
        header.group = Some(Group { id, size });
    }
    changes
}

#[test]
fn only_what_concerns_an_office_not_heard_waits_and_what_stands_on_it() {
    let mut hub = Hub::new();
    hub.recover();
    let taken = hub.push(1, &[phone(0, "1", None), phone(2, "2", None)]);
    assert_eq!(taken.verdicts, vec![(5, Verdict::Waiting)]);
    assert_eq!(
        taken.journal.decided_through, 6,
        "acknowledged and behind us"
    );
    // A group waits whole, and so does what works on its records, from another machine too.
    let group = grouped(vec![phone(1, "3", None), phone(3, "3", None)], 9);
    let taken = hub.push(1, &group);
    assert_eq!(taken.verdicts.len(), 2);
    let taken = hub.push(2, &[phone(3, "4", None), phone(2, "5", None)]);
    assert_eq!(taken.verdicts.first(), Some(&(1, Verdict::Waiting)));
    assert!(!taken.verdicts.contains(&(2, Verdict::Waiting)));
    assert_eq!(hub.text(0, person::PHONE), "");
    assert_eq!(hub.text(3, person::PHONE), "");
    // SOUTH was all that the group waited for.
    hub.hear(machine(SOUTH, 1));
    assert_eq!(hub.text(1, person::PHONE), "3");
    assert_ne!(hub.text(3, person::PHONE), "");
    assert_eq!(hub.text(0, person::PHONE), "");
    assert_eq!(hub.waiting(), 1);
    hub.hear(machine(WEST, 1));
    assert_eq!(hub.text(0, person::PHONE), "1");
    assert_eq!(hub.waiting(), 0);
}

#[test]
fn a_rewritten_change_that_was_taken_before_does_not_wait_and_counts_once() {
    let mut hub = Hub::new();
    let old = phone(0, "1", None);
    hub.push(1, std::slice::from_ref(&old));
    hub.recover();
    let mut again = old.clone();
    let raw = convert::encode_change(&old.0, &old.1, [7; 16]);
    let place = ChangeId {
        node: machine(EAST, 1),
        epoch: 1,
        sequence: u64::from(BEFORE) + 1,
    };
    again.0.replaces = Some((place, raw.body_hash()));
    let taken = hub.push(2, &[again]);
    assert_eq!(taken.verdicts, vec![(1, Verdict::Merged)]);
    assert_eq!(hub.waiting(), 0);
}

/// A sequence of numbers that is the same everywhere.
struct Dice(u64);

impl Dice {
    fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005);
        self.0 = self.0.wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % end
    }
}

/// Batches of both machines: edits on bases that they had seen, new persons, groups.
fn story(seed: u64) -> Vec<(u8, Vec<(Header, Body)>)> {
    let mut dice = Dice(seed);
    let mut lasts = BTreeMap::new();
    let mut ends = [0, u64::from(BEFORE), 0];
    let mut persons = BEFORE;
    let mut story = Vec::new();
    for batch in 0..12 {
        let number = 1 + u8::try_from(dice.below(2)).unwrap();
        let mut changes = Vec::new();
        for _ in 0..=dice.below(3) {
            let sequence = ends[usize::from(number)] + 1 + changes.len() as u64;
            let place = ChangeId {
                node: machine(EAST, number),
                epoch: 1,
                sequence,
            };
            if dice.below(6) == 0 {
                let name = [(person::NAME, format!("新{persons}"), None)];
                changes.push(set(persons, Verb::Create, &name));
                persons += 1;
                continue;
            }
            let of = u8::try_from(dice.below(u64::from(persons))).unwrap();
            let base = lasts.get(&(number, of)).copied();
            let value = format!("{}", 13_900_000_000 + dice.below(40));
            changes.push(phone(of, &value, base));
            lasts.insert((number, of), place);
        }
        ends[usize::from(number)] += changes.len() as u64;
        if changes.len() > 1 && dice.below(2) == 0 {
            changes = grouped(changes, 150 + batch);
        }
        story.push((number, changes));
    }
    story
}

#[test]
fn in_the_end_everything_is_as_if_nothing_had_waited() {
    let mut waited = 0;
    for seed in 0..25 {
        let (mut plain, mut restored) = (Hub::new(), Hub::new());
        restored.recover();
        for (place, (number, changes)) in story(seed).into_iter().enumerate() {
            let at_once = plain.push(number, &changes);
            let taken = restored.push(number, &changes);
            assert_eq!(
                taken.journal.decided_through,
                at_once.journal.decided_through
            );
            let is_waiting = |(_, verdict): &&(u64, Verdict)| *verdict == Verdict::Waiting;
            waited += taken.verdicts.iter().filter(is_waiting).count();
            if place == 7 {
                restored.hear(machine(SOUTH, 1));
            }
        }
        restored.hear(machine(WEST, 1));
        assert_eq!(restored.persons(), plain.persons(), "seed {seed}");
        assert_eq!(restored.left(), plain.left(), "seed {seed}");
        assert_eq!(restored.waiting(), plain.waiting(), "seed {seed}");
    }
    assert!(waited > 50, "the stories wait: {waited}");
}

/// A valid ID number of an invented person.
fn id_number(number: u64) -> String {
    let first = format!("350102199001{:05}", 1_000 + number);
    let check = domain::checks::id_number::check_character(&first).unwrap();
    format!("{first}{check}")
}

/// Enters persons with these ID numbers at an office's machine.
fn enter(hub: &mut Hub, office: u8, numbers: std::ops::Range<u64>) {
    for number in numbers {
        let fields = [
            (person::NAME, "林一".to_owned(), None),
            (person::ID_NUMBER, id_number(number), None),
        ];
        let (mut header, body) = set(0, Verb::Create, &fields);
        let name = [&[office][..], &number.to_be_bytes()];
        header.record = domain::id::derived_id("test person", &name);
        let taken = hub.push_from(machine(office, 1), &[(header, body)]);
        assert!(taken.verdicts.is_empty(), "{:?}", taken.verdicts);
    }
}

/// What the desk was told at once.
fn alarms(hub: &Hub) -> Vec<Record> {
    hub.write(|tx, _| {
        let urgent = [Filter::Is(set_aside::URGENT, b"1".to_vec())];
        Ok(tx.list(&set_aside::KIND, &urgent, None, 10)?)
    })
}

#[test]
fn many_claims_to_those_of_others_are_shown_to_the_desk_once_and_to_no_office() {
    let mut hub = Hub::new();
    let limit = limits::CLAIM_COLLISIONS_MAX;
    enter(&mut hub, WEST, 0..100);
    let own = hub.write(|tx, _| Ok(tx.collisions(machine(WEST, 1), 0)?));
    assert_eq!(own.count, 0, "new to the city");
    enter(&mut hub, EAST, 0..limit);
    assert_eq!(alarms(&hub).len(), 0, "up to the limit it is ordinary");
    enter(&mut hub, EAST, limit..limit + 5);
    let told = alarms(&hub);
    assert_eq!(told.len(), 1, "once in the window");
    let note = told.first().unwrap();
    assert_eq!(note.office, domain::id::DESK);
    assert_eq!(note.text(set_aside::REASON), Some("claim_rate"));
    let detail = note.text(set_aside::DETAIL).unwrap();
    assert!(detail.contains(&machine(EAST, 1).to_string()), "{detail}");
    let key = note.key;
    assert_eq!(hub.write(move |tx, _| Ok(tx.feeds_ever_of(key)?)).len(), 0);
    // A day later it begins anew, and what the office sees itself does not count.
    hub.now += limits::CLAIM_WINDOW_MS;
    enter(&mut hub, EAST, 40..40 + limit);
    assert_eq!(alarms(&hub).len(), 1);
    enter(&mut hub, EAST, 70..71);
    assert_eq!(alarms(&hub).len(), 2);
    let seen = hub.write(|tx, _| Ok(tx.collisions(machine(EAST, 1), NOW)?.count));
    let (header, _) = set(0, Verb::Create, &[]);
    let again = [(person::ID_NUMBER, id_number(999), None)];
    let mut twin = set(0, Verb::Create, &again);
    for number in [200, 201] {
        twin.0 = Header {
            record: id(number),
            ..header.clone()
        };
        hub.push(1, std::slice::from_ref(&twin));
    }
    let after = hub.write(|tx, _| Ok(tx.collisions(machine(EAST, 1), NOW)?.count));
    assert_eq!(after, seen, "both stand in its own feed");
}

/// S2: an alarm that a change of the desk raises is a change of the hub's own, behind the desk's.
#[test]
fn what_an_alarm_notes_is_the_change_that_the_hubs_journal_has() {
    let mut hub = Hub::new();
    let limit = limits::CLAIM_COLLISIONS_MAX;
    // EAST's own number is nobody's claim while it is deleted.
    let end = limit + 1;
    enter(&mut hub, EAST, limit..end);
    let name = [&[EAST][..], &limit.to_be_bytes()];
    let key = RecordKey {
        kind: person::KIND_NUMBER,
        id: domain::id::derived_id("test person", &name),
    };
    let edit = |hub: &mut Hub, verb: Verb| {
        hub.now += 1_000;
        let now = hub.now;
        let made =
            hub.write(move |tx, app| desk::edit(tx, app, (key, verb), Vec::new(), "desk", now));
        assert_eq!(made, Verdict::Applied);
    };
    edit(&mut hub, Verb::Delete);
    enter(&mut hub, WEST, 0..end);
    enter(&mut hub, EAST, 0..limit);
    assert_eq!(alarms(&hub).len(), 0);
    edit(&mut hub, Verb::Restore);
    let told = alarms(&hub);
    let note = told.first().unwrap();
    let (id, made) = (note.key.id, note.life_version.change);
    let about = hub.write(move |tx, _| changes_about(tx, id));
    let about: Vec<_> = about.iter().map(|(_, change)| change.id).collect();
    assert_eq!(about, [made]);
}

#[test]
fn the_history_of_a_record_is_found_by_what_the_runs_say_they_are_about() {
    let mut hub = Hub::new();
    hub.push(1, &[phone(0, "1", None), phone(2, "2", None)]);
    hub.push(2, &[phone(1, "3", None)]);
    hub.push(2, &[phone(0, "4", None)]);
    let about = |hub: &Hub, record| {
        let changes = hub.write(move |tx, _| changes_about(tx, record));
        let places = changes.iter().map(|(_, change)| {
            let is_office = change.id.node != hub.app.own.node;
            (change.id.sequence, is_office)
        });
        places.collect::<Vec<_>>()
    };
    // Its creation, both edits; and what the hub noted of the second.
    let before = u64::from(BEFORE);
    let own: Vec<_> = about(&hub, person_key(0).id);
    let own: Vec<_> = own
        .into_iter()
        .filter(|(_, is_office)| *is_office)
        .collect();
    assert_eq!(own, vec![(1, true), (before + 1, true), (2, true)]);
    // A record of the hub's own journal, and one that nobody knows though its id ends alike.
    assert_eq!(about(&hub, id(EAST)), vec![(1, false)]);
    let mut alike = person_key(0).id.bytes();
    alike[0] ^= 1;
    assert_eq!(about(&hub, RecordId::new(alike)), vec![]);
}
