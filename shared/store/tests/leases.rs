//! Blocks of letter numbers in both stores: what is given out never comes back.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::{BTreeMap, BTreeSet};

use domain::checks::letter_number::LetterNumber;
use domain::id::{ChangeId, DESK, NodeId, RecordId};
use domain::kind::Class;
use domain::kinds::letter;
use domain::lease::{Block, Booked, VoidReason};
use domain::record::{Life, Record, RecordKey, Version};
use store::hub::Node;
use store::node::Leased;
use store::open::{Side, writer};
use store::{StoreError, Tx};

const ISSUER: RecordId = RecordId::new([7; 16]);
const NODE: NodeId = NodeId::new([1; 16]);
const OFFICE: RecordId = RecordId::new([2; 16]);

fn block(year: u16, first: u32, next: u32) -> Block {
    Block {
        issuer: ISSUER,
        year,
        first,
        end: first + 100,
        next,
    }
}

fn booked(block: Block) -> Booked {
    Booked {
        block,
        node: NODE,
        epoch: 1,
        office: OFFICE,
        voided: None,
    }
}

fn with<T>(side: Side, work: impl FnOnce(Tx<'_>) -> T) -> T {
    let folder = tempfile::tempdir().unwrap();
    let connection = writer(&folder.path().join("db.sqlite"), side).unwrap();
    work(Tx::on(&connection))
}

fn number(serial: u32) -> LetterNumber {
    LetterNumber::new(2026, serial).unwrap()
}

fn enrol(tx: Tx<'_>) {
    let node = Node {
        id: NODE,
        office: OFFICE,
        verifying_key: [0; 32],
        machine: "test".to_owned(),
        revoked_at: None,
        cloned_at: None,
        last_seen: None,
        waiting: 0,
        offset_ms: 0,
        certified_from: 0,
    };
    tx.insert_node(&node, 1).unwrap();
}

#[test]
fn the_books_read_back_with_the_office_of_each_holder() {
    with(Side::Hub, |tx| {
        enrol(tx);
        let of_desk = Booked {
            node: NodeId::new([9; 16]),
            office: DESK,
            ..booked(block(2026, 101, 101))
        };
        let void = Booked {
            voided: Some(VoidReason::NewEpoch),
            ..booked(block(2027, 1, 5))
        };
        let all = [booked(block(2026, 1, 40)), of_desk, void];
        for one in &all {
            tx.put_lease(one, 10).unwrap();
        }
        assert_eq!(tx.leases().unwrap(), all);
        assert_eq!(tx.leases_of(ISSUER).unwrap(), all);
        assert_eq!(tx.leases_of(OFFICE).unwrap(), []);
        assert_eq!(tx.lease_issuers(NODE).unwrap(), BTreeSet::from([ISSUER]));
        assert_eq!(tx.lease_at(ISSUER, number(100)).unwrap(), Some(all[0]));
        assert_eq!(tx.lease_at(ISSUER, number(101)).unwrap(), Some(of_desk));
        assert_eq!(tx.lease_at(ISSUER, number(201)).unwrap(), None);
        assert_eq!(tx.lease_at(OFFICE, number(1)).unwrap(), None);
    });
}

#[test]
fn the_next_number_in_the_books_never_goes_back() {
    with(Side::Hub, |tx| {
        enrol(tx);
        let next = || {
            let found = tx.lease_at(ISSUER, number(1)).unwrap();
            found.unwrap().block.next
        };
        tx.put_lease(&booked(block(2026, 1, 40)), 10).unwrap();
        tx.put_lease(&booked(block(2026, 1, 30)), 11).unwrap();
        assert_eq!(next(), 40);
        tx.note_number_given(ISSUER, number(20)).unwrap();
        assert_eq!(next(), 40);
        tx.note_number_given(ISSUER, number(57)).unwrap();
        assert_eq!(next(), 58);
        tx.note_number_given(ISSUER, number(100)).unwrap();
        assert_eq!(next(), 101, "used up");
        tx.note_number_given(ISSUER, number(4_000)).unwrap();
        tx.note_number_given(OFFICE, number(1)).unwrap();
        assert_eq!(next(), 101);
        let beyond = booked(block(2026, 201, 500));
        assert!(matches!(
            tx.put_lease(&beyond, 12),
            Err(StoreError::Broken(_))
        ));
    });
}

#[test]
fn the_serials_of_an_issuers_year_are_found() {
    with(Side::Hub, |tx| {
        let version = Version {
            change: ChangeId {
                node: NODE,
                epoch: 1,
                sequence: 1,
            },
            ordered_at: 1,
        };
        for (id, (year, serial)) in (1..).zip([(2026, 3), (2026, 700), (2027, 4)]) {
            let mut record = Record {
                key: RecordKey {
                    kind: letter::KIND_NUMBER,
                    id: RecordId::new([id; 16]),
                },
                class: Class::Case,
                office: OFFICE,
                revision: 1,
                life: Life::Alive,
                life_version: version,
                fields: BTreeMap::new(),
            };
            record.set(letter::ISSUER, ISSUER.bytes(), version);
            record.set(letter::YEAR, year.to_string(), version);
            record.set(letter::SERIAL, serial.to_string(), version);
            tx.write_record(&record).unwrap();
        }
        let serials = |year, from| tx.letter_serials(ISSUER, year, from).unwrap();
        assert_eq!(serials(2026, 1), BTreeSet::from([3, 700]));
        assert_eq!(serials(2026, 4), BTreeSet::from([700]));
        assert_eq!(serials(2027, 1), BTreeSet::from([4]));
        assert_eq!(tx.letter_serials(OFFICE, 2026, 1).unwrap(), BTreeSet::new());
    });
}

#[test]
fn a_node_keeps_the_greater_next_number_and_lets_go_only_of_what_it_told() {
    with(Side::Node, |tx| {
        let leased = |next| Leased {
            block: block(2026, 1, next),
            node: NODE,
            epoch: 1,
        };
        tx.keep_lease(&leased(10)).unwrap();
        tx.keep_lease(&leased(4)).unwrap();
        assert_eq!(tx.leases_held().unwrap(), [leased(10)]);
        // A number was given out after the hub was told: it must hear of it before the row goes.
        tx.drop_lease(&block(2026, 1, 9)).unwrap();
        assert_eq!(tx.leases_held().unwrap(), [leased(10)]);
        tx.drop_lease(&block(2026, 1, 10)).unwrap();
        assert_eq!(tx.leases_held().unwrap(), []);
    });
}
