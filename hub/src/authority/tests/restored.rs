//! What a hub that was put back takes from its offices' reports, and what it decides again: no value that
//! somebody wrote is lost, whichever hub it was written at.

use std::collections::BTreeSet;

use domain::digest::{Digest, certificate_text};
use domain::id::Incarnation;
use domain::kinds::{member, tenure};
use domain::world::Mover;
use proto::wire::sync::{Held, Proof};
use transport::sign::Context;

use crate::recovery::PutBack;

use super::*;

mod other_ways;

/// The person of these stories; only the machines of EAST have entered or seen anything of it.
const PERSON: u8 = 2;

impl Hub {
    /// The desk sets the person's phone.
    fn desk_sets(&mut self, value: &str) {
        self.now += 1_000_000;
        let (now, value) = (self.now, value.as_bytes().to_vec());
        self.write(move |tx, app| {
            let values = vec![(person::PHONE, value)];
            let asked = (person_key(PERSON), Verb::Set);
            let made = desk::edit(tx, app, asked, values, "desk", now)?;
            assert_eq!(made, Verdict::Applied);
            Ok(())
        });
    }

    /// The hub was put back from a backup of this very moment, and nobody has been heard.
    fn is_put_back(&mut self) {
        self.is_behind(PutBack::Told);
    }

    /// The hub has gone on from a backup without knowing it until now, and nobody has been heard.
    fn was_put_back_unnoticed(&mut self) {
        self.is_behind(PutBack::Unnoticed);
    }

    fn is_behind(&mut self, how: PutBack) {
        self.app.own.epoch += 1;
        let number = u8::try_from(self.app.own.epoch).unwrap();
        self.app.own.incarnation = Incarnation::new([7 + number; 16]);
        let own = self.app.own;
        self.write(move |tx, _| Ok(recovery::begin(tx, &own, how, NOW)?));
    }

    /// A person ends the recovery without those who have not been heard.
    fn goes_on_without_them(&self) {
        let now = self.now;
        self.write(move |tx, app| recovery::end(tx, app, now));
    }

    /// WEST enters a member.
    fn registers_a_member(&mut self) -> RecordKey {
        let (key, entry) = member_entry();
        let taken = self.push_from(machine(WEST, 1), &entry);
        assert!(taken.verdicts.is_empty(), "{:?}", taken.verdicts);
        key
    }

    fn row(&self) -> Record {
        let row = self.write(|tx, _| Ok(tx.record(person_key(PERSON))?));
        row.unwrap()
    }

    /// EAST's first machine reports what it had read from a hub that knew more: the person as it was there,
    /// or that it had left the office, and its own changes decided up to the last of `there`.
    fn hear_of_more(&mut self, there: &Self, person: Option<Record>) {
        self.hear_from(machine(EAST, 1), there, person);
    }

    fn hear_from(&mut self, node: NodeId, there: &Self, person: Option<Record>) {
        let former = there.app.own.incarnation;
        let start = (0, chain_start(node, 1));
        let (through, chain) = there.heads.get(&node).copied().unwrap_or(start);
        let now = self.now;
        self.write(move |tx, app| {
            let node = tx.node(node)?.unwrap();
            let feed = format!("office/{}", node.office);
            let mut digest = tx.feed_digest(&feed)?;
            if tx.is_in_feed(person_key(PERSON), &feed)? {
                digest.remove(&tx.row_hash(person_key(PERSON))?.unwrap());
            }
            if let Some(person) = &person {
                digest.add(&person.hash());
            }
            let sequence = tx.feed_head(&feed)? + 10;
            let decided = convert::decided_signature_text(former, node.id, 1, through);
            let key = app.identity.signing_key();
            let proof = Proof {
                epoch: 1,
                decided_through: through,
                decided_signature: key.sign(Context::Decided, &decided).to_vec().into(),
                decided_chain: chain.to_vec().into(),
                ..signed(app, &node, &feed, (sequence, digest, former))
            };
            if person.is_some() || tx.is_in_feed(person_key(PERSON), &feed)? {
                tx.put_offer(node.id, &feed, person_key(PERSON), person.as_ref())?;
            }
            let taken_back = recovery::take_proof(tx, app, &node, &feed, &proof, now)?;
            let proven = tx.journal(node.id, 1)?.unwrap().proven;
            assert_eq!(proven.sequence, through, "what it says is proven");
            Ok(taken_back)
        });
    }

    /// Everybody else reports, and has nothing that the backup lacks; what was stored until then is decided.
    fn hear_the_others(&self) {
        for node in [machine(EAST, 2), machine(WEST, 1), machine(SOUTH, 1)] {
            self.hear(node);
        }
        let now = self.now;
        self.write(move |tx, app| {
            assert!(!recovery::is_recovering(tx)?);
            decide_stored(tx, app, machine(EAST, 1), 1, now)
        });
    }

    /// Every value of the person's phone that somebody can find: in the row, and in what is to be looked at.
    fn phones(&self) -> BTreeSet<String> {
        let items = self.write(|tx, _| Ok(tx.list(&conflict::KIND, &[], None, 1_000)?));
        let kept = items.iter().flat_map(|item| {
            let sides = [conflict::WINNER, conflict::LOSER];
            sides.map(|side| item.text(side).unwrap_or_default().to_owned())
        });
        kept.chain([self.text(PERSON, person::PHONE)]).collect()
    }
}

/// What this hub says that it signed of a feed: the digest at a place, in an incarnation.
fn signed(
    app: &App,
    node: &Node,
    feed: &str,
    (sequence, digest, incarnation): (u64, Digest, Incarnation),
) -> Proof {
    let text = certificate_text(node.office, feed, sequence, &digest, incarnation);
    let key = app.identity.signing_key();
    Proof {
        incarnation: incarnation.bytes().to_vec().into(),
        sequence,
        sum: digest.sum().to_vec().into(),
        count: digest.count(),
        hub_signature: key.sign(Context::Digest, &text).to_vec().into(),
        ..Proof::default()
    }
}

/// What enters a member: a person, and that he is one.
fn member_entry() -> (RecordKey, [(Header, Body); 2]) {
    let who = [(person::NAME, "林一".to_owned(), None)];
    let person = set(77, Verb::Create, &who);
    let fields = [
        (member::PERSON, person.0.record.bytes().to_vec()),
        (member::CATEGORY, b"full".to_vec()),
        (member::STATUS, b"FULL".to_vec()),
        (member::JOIN_DATE, b"2001-07-01".to_vec()),
    ];
    let mut entry = set(78, Verb::Create, &[]);
    (entry.0.kind, entry.0.class) = (member::KIND_NUMBER, Class::Held);
    entry.1.fields = fields
        .into_iter()
        .map(|(number, value)| FieldChange {
            number,
            value,
            base: None,
        })
        .collect();
    entry.1.fields.sort_by_key(|field| field.number);
    let key = RecordKey {
        kind: entry.0.kind,
        id: entry.0.record,
    };
    (key, [person, entry])
}

fn remarks(key: RecordKey, at_ms: u64) -> (Header, Body) {
    let (mut header, mut body) = set(0, Verb::Set, &[]);
    (header.record, header.kind, header.class) = (key.id, key.kind, Class::Held);
    header.timestamp = Timestamp::at(at_ms);
    body.fields = vec![FieldChange {
        number: member::REMARKS,
        value: "补记".into(),
        base: None,
    }];
    (header, body)
}

/// A change of EAST's first machine.
fn change_of(sequence: u8) -> ChangeId {
    ChangeId {
        node: machine(EAST, 1),
        epoch: 1,
        sequence: sequence.into(),
    }
}

fn both() -> BTreeSet<String> {
    ["13900000001", "13900000002"].map(str::to_owned).into()
}

/// S7: a hub that was put back unnoticed went on; what its desk wrote to a row that comes back later in a
/// newer state is decided on that.
#[test]
fn what_the_desk_of_a_hub_put_back_unnoticed_wrote_is_decided_on_the_row_that_comes_back() {
    let (mut lost, mut back) = (Hub::new(), Hub::new());
    lost.push(1, &[phone(PERSON, "13900000003", None)]);
    let base = lost.row().version(person::PHONE);
    lost.push(1, &[phone(PERSON, "13900000001", base)]);
    back.desk_sets("13900000002");
    back.was_put_back_unnoticed();
    back.hear_of_more(&lost, Some(lost.row()));
    back.hear_the_others();
    assert_eq!(back.phones(), both());
}

/// A hub whose desk has come further than the row that an office has brought since, and what the office wrote to that.
fn parted() -> (Hub, (Header, Body)) {
    let (mut lost, mut back) = (Hub::new(), Hub::new());
    let change = phone(PERSON, "13900000001", None);
    lost.push(1, std::slice::from_ref(&change));
    back.desk_sets("13900000003");
    back.desk_sets("13900000002");
    back.was_put_back_unnoticed();
    back.hear_of_more(&lost, Some(lost.row()));
    (back, change)
}

/// S7: the same of what an office's other machine wrote at the hub that did not know.
#[test]
fn what_an_office_wrote_at_a_hub_put_back_unnoticed_is_decided_on_the_row_that_comes_back() {
    let (mut lost, mut back) = (Hub::new(), Hub::new());
    lost.push(1, &[phone(PERSON, "13900000003", None)]);
    let base = lost.row().version(person::PHONE);
    lost.push(1, &[phone(PERSON, "13900000001", base)]);
    back.now += 1_000_000;
    let mut later = phone(PERSON, "13900000002", None);
    later.0.timestamp = Timestamp::at(back.now);
    back.push(2, &[later]);
    back.was_put_back_unnoticed();
    back.hear_of_more(&lost, Some(lost.row()));
    back.hear_the_others();
    assert_eq!(back.phones(), both());
}

/// S2: what the desk wrote before the backup is not decided again on what an office made of it later, whatever
/// that one's clock said.
#[test]
fn what_was_in_the_backup_is_not_decided_again() {
    let (mut lost, mut back) = (Hub::new(), Hub::new());
    for hub in [&mut lost, &mut back] {
        hub.desk_sets("13900000001");
    }
    let base = lost.row().version(person::PHONE);
    lost.push(1, &[phone(PERSON, "13900000002", base)]);
    back.is_put_back();
    back.hear_of_more(&lost, Some(lost.row()));
    back.hear_the_others();
    assert_eq!(back.text(PERSON, person::PHONE), "13900000002");
    assert_eq!(back.phones(), ["13900000002".to_owned()].into());
}

/// S1, S17: what was removed for good does not come back by a report that proves it, and is no evidence either.
#[test]
fn what_was_removed_for_good_does_not_come_back_with_a_report() {
    let (mut lost, mut back) = (Hub::new(), Hub::new());
    lost.push(1, &[phone(PERSON, "13900000001", None)]);
    back.is_put_back();
    let key = person_key(PERSON);
    back.write(move |tx, _| Ok(tx.purge(key, NOW)?));
    back.hear_of_more(&lost, Some(lost.row()));
    back.hear_the_others();
    let (row, feeds, evidence) =
        back.write(move |tx, _| Ok((tx.record(key)?, tx.feeds_of(key)?, tx.evidence()?)));
    assert_eq!((row, feeds.len(), evidence.len()), (None, 0, 0));
}

/// S4: what a hub has made that did not know that it was put back has not left an office which never heard of it.
#[test]
fn what_an_office_has_not_heard_of_has_not_left_it() {
    let (lost, mut back) = (Hub::new(), Hub::new());
    back.desk_sets("13900000001");
    back.was_put_back_unnoticed();
    back.hear_of_more(&lost, None);
    back.hear_the_others();
    assert_eq!(back.row().office, id(EAST));
    let feed = format!("office/{}", id(EAST));
    assert!(back.write(move |tx, _| Ok(tx.is_in_feed(person_key(PERSON), &feed)?)));
}

/// S1, S6: a member may have moved on to an office that has not been heard: what is written of him waits.
#[test]
fn what_is_written_of_a_member_waits_until_all_are_heard() {
    let mut back = Hub::new();
    let key = back.registers_a_member();
    back.is_put_back();
    back.hear(machine(WEST, 1));
    let at = back.now;
    back.push_from(machine(WEST, 1), &[remarks(key, at)]);
    let text = |hub: &Hub| {
        let record = hub.write(move |tx, _| Ok(tx.record(key)?)).unwrap();
        record.text(member::REMARKS).map(str::to_owned)
    };
    assert_eq!(text(&back), None);
    for node in [machine(EAST, 1), machine(EAST, 2), machine(SOUTH, 1)] {
        back.hear(node);
    }
    assert_eq!(text(&back).as_deref(), Some("补记"));
}

/// S7: where such a desk has come further than the row that an office brings, what the office wrote is no
/// history: it is decided on what stands.
#[test]
fn what_an_office_wrote_to_a_row_that_has_parted_is_decided_again() {
    let (mut back, change) = parted();
    back.push(1, &[change]);
    back.hear_the_others();
    assert!(back.phones().is_superset(&both()), "{:?}", back.phones());
}

/// S7: the same where the hub is put back once more, to a backup of after the report: what the office proved then stands
/// in its journal as decided, and its row has parted from the hub's as before.
#[test]
fn what_has_parted_is_decided_again_after_the_next_restore_too() {
    let (mut back, change) = parted();
    back.is_put_back();
    back.hear(machine(EAST, 1));
    back.push(1, &[change]);
    back.hear_the_others();
    assert!(back.phones().is_superset(&both()), "{:?}", back.phones());
}

/// S7: an office had written to its own record of somebody who then moved on; nobody brings that row back,
/// so what was written is the desk's, with the record.
#[test]
fn what_an_office_wrote_before_somebody_moved_on_is_kept_at_the_desk() {
    let (mut lost, mut back) = (Hub::new(), Hub::new());
    let change = phone(PERSON, "13900000001", None);
    lost.push(1, std::slice::from_ref(&change));
    back.is_put_back();
    back.hear_of_more(&lost, None);
    back.push(1, &[change]);
    back.hear_the_others();
    assert_eq!(back.text(PERSON, person::PHONE), "13900000001");
    assert_eq!(back.row().office, DESK);
}

/// S7: the same of a record that was entered after the backup, and in whatever portions the journal is decided: what
/// comes after the creation no row shows either.
#[test]
fn what_an_office_wrote_to_a_record_that_is_made_again_is_decided_in_later_batches_too() {
    let (mut lost, mut back) = (Hub::new(), Hub::new());
    let who = [(person::NAME, "林一".to_owned(), None)];
    let changes = [
        set(77, Verb::Create, &who),
        phone(77, "13900000001", None),
        phone(77, "13900000002", Some(change_of(BEFORE + 2))),
    ];
    lost.push(1, &changes);
    back.is_put_back();
    back.hear_of_more(&lost, Some(back.row()));
    back.hear(machine(EAST, 2));
    for change in changes {
        back.push(1, &[change]);
    }
    back.hear_the_others();
    assert_eq!(back.text(77, person::PHONE), "13900000002");
    let record = back.write(|tx, _| Ok(tx.record(person_key(77))?));
    assert_eq!(record.unwrap().office, DESK);
}

/// S7: and of a member of whom nobody tells.
#[test]
fn what_was_written_to_a_member_who_is_made_again_is_decided_in_later_batches_too() {
    let (mut lost, mut back) = (Hub::new(), Hub::new());
    let (key, [_, mut entry]) = member_entry();
    for field in &mut entry.1.fields {
        if field.number == member::PERSON {
            field.value = person_key(PERSON).id.bytes().to_vec();
        }
    }
    let changes = [entry, remarks(key, back.now)];
    lost.push(1, &changes);
    back.is_put_back();
    back.hear_of_more(&lost, Some(back.row()));
    back.hear(machine(EAST, 2));
    back.hear_the_others();
    for change in changes {
        back.push(1, &[change]);
    }
    let record = back.write(move |tx, _| Ok(tx.record(key)?)).unwrap();
    assert_eq!(record.text(member::REMARKS), Some("补记"));
}

/// S4: what comes back open closes an earlier tenure as the hub has it, not as an office had read it before.
#[test]
fn a_tenure_that_the_hub_has_later_is_not_closed_as_it_was() {
    let mut back = Hub::new();
    back.registers_a_member();
    let tenures = back.write(|tx, _| Ok(tx.list(&tenure::KIND, &[], None, 10)?));
    let [first]: [Record; 1] = tenures.try_into().unwrap();
    let (mut read, mut closed, mut next) = (first.clone(), first.clone(), first.clone());
    read.revision += 1;
    closed.revision += 2;
    closed.set(tenure::CLOSED, b"1".to_vec(), first.life_version);
    next.key.id = id(99);
    next.set(tenure::NUMBER, b"2".to_vec(), first.life_version);
    back.is_put_back();
    let offers = [read, next.clone()];
    let (later, former, now) = (closed.clone(), Incarnation::new([8; 16]), back.now);
    back.write(move |tx, app| {
        let mut writes = Writes::default();
        writes
            .records
            .insert(later.key, (later.clone(), Mover::Foreign));
        tx.apply(&writes, NOW)?;
        let node = tx.node(machine(WEST, 1))?.unwrap();
        let feed = format!("office/{}", node.office);
        let mut digest = tx.feed_digest(&feed)?;
        digest.remove(&later.hash());
        for offer in &offers {
            digest.add(&offer.hash());
            tx.put_offer(node.id, &feed, offer.key, Some(offer))?;
        }
        let at = tx.feed_head(&feed)? + 10;
        let proof = signed(app, &node, &feed, (at, digest, former));
        let taken_back = recovery::take_proof(tx, app, &node, &feed, &proof, now)?;
        assert_eq!(taken_back, 1, "the next tenure alone");
        Ok(())
    });
    let found = |key| back.write(move |tx, _| Ok(tx.record(key)?));
    assert_eq!(found(closed.key), Some(closed));
    assert_eq!(found(next.key), Some(next));
}

/// S13: two offices hold one row; whichever reports second finds it there, and it stands in his feed, too.
#[test]
fn a_row_that_another_report_has_brought_stands_in_both_feeds() {
    let (mut lost, mut back) = (Hub::new(), Hub::new());
    lost.push(1, &[phone(PERSON, "13900000001", None)]);
    back.is_put_back();
    back.hear_of_more(&lost, Some(lost.row()));
    back.hear_from(machine(WEST, 1), &lost, Some(lost.row()));
    let feed = format!("office/{}", id(WEST));
    assert!(back.write(move |tx, _| Ok(tx.is_in_feed(person_key(PERSON), &feed)?)));
}

/// S7: a member came to an office and went again after the backup; what that office wrote meanwhile no row
/// shows, and it is decided for whom the member is with.
#[test]
fn what_an_office_wrote_to_a_member_whom_it_held_for_a_while_is_decided_again() {
    let (mut lost, mut back) = (Hub::new(), Hub::new());
    let key = back.registers_a_member();
    let change = remarks(key, back.now + 1_000);
    lost.push(1, std::slice::from_ref(&change));
    back.is_put_back();
    back.hear_of_more(&lost, Some(back.row()));
    back.push(1, &[change]);
    back.hear_the_others();
    let record = back.write(move |tx, _| Ok(tx.record(key)?)).unwrap();
    let items = back.write(|tx, _| Ok(tx.list(&conflict::KIND, &[], None, 1_000)?));
    let is_kept = items
        .iter()
        .any(|item| item.text(conflict::LOSER) == Some("补记"));
    let is_there = record.text(member::REMARKS) == Some("补记");
    assert!(is_there || is_kept, "{record:?} {items:?}");
}

/// S1, S7: a member came after the backup and went on, and nobody can tell of him any more: what the office wrote that
/// entered him lies before a person. As long as somebody may tell, it waits.
#[test]
fn what_was_written_of_a_member_of_whom_nobody_tells_is_not_dropped() {
    let (mut lost, mut back) = (Hub::new(), Hub::new());
    let (key, entry) = member_entry();
    let mut changes = entry.to_vec();
    changes.push(remarks(key, back.now));
    lost.push(1, &changes);
    back.is_put_back();
    back.hear_of_more(&lost, Some(back.row()));
    back.hear(machine(EAST, 2));
    back.push(1, &changes);
    assert!(back.write(move |tx, _| Ok(tx.record(key)?)).is_none());
    back.hear_the_others();
    let notes = back.write(|tx, _| Ok(tx.list(&set_aside::KIND, &[], None, 1_000)?));
    let told: BTreeSet<_> = notes
        .iter()
        .map(|note| (note.office, note.text(set_aside::STATE).unwrap_or_default()))
        .collect();
    // The person is the desk's, so that the desk is asked; what stands on it waits for that.
    let wanted = [(id(EAST), "held"), (id(EAST), "waiting")];
    assert_eq!(told, wanted.into());
}
