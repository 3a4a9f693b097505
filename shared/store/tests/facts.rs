//! What the hub's store answers a decision.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeMap;

use domain::id::{ChangeId, DESK, NodeId, RecordId};
use domain::kind::Class;
use domain::kinds::{organisation, transfer as case};
use domain::machines::transfer::MACHINE;
use domain::record::{Life, Record, RecordKey, Version};
use domain::world::{Fact, Need};
use store::StoreError;
use store::open::{Side, writer};
use store::writer::write_on;

const GIVEN_UP: RecordId = RecordId::new([7; 16]);
/// Open cases of the city: more than are read at once.
const CITY: u32 = 10_001;

fn case_of(number: u32, state: &str, to: RecordId) -> Record {
    let version = Version {
        change: ChangeId {
            node: NodeId::new([1; 16]),
            epoch: 1,
            sequence: number.into(),
        },
        ordered_at: 0,
    };
    let mut id = [0; 16];
    id[..4].copy_from_slice(&number.to_be_bytes());
    let mut made = Record {
        key: RecordKey {
            kind: case::KIND_NUMBER,
            id: RecordId::new(id),
        },
        class: Class::Case,
        office: DESK,
        revision: 1,
        life: Life::Alive,
        life_version: version,
        fields: BTreeMap::new(),
    };
    made.set(case::STATE, state.as_bytes().to_vec(), version);
    made.set(case::TO_ORG, to.bytes().to_vec(), version);
    made
}

/// S4: an open case keeps the organisation that it names from being given up, however many others are open.
#[test]
fn an_open_case_is_found_by_the_organisation_that_it_names() {
    let folder = tempfile::tempdir().unwrap();
    let mut connection = writer(&folder.path().join("hub.sqlite"), Side::Hub).unwrap();
    let state = |is_open| {
        let mut states = MACHINE.states.iter();
        states.find(|state| state.open == is_open).unwrap().code
    };
    let (open, ended) = (state(true), state(false));
    let found = write_on::<_, StoreError>(&mut connection, |tx| {
        for number in 0..CITY {
            tx.write_record(&case_of(number, open, RecordId::new([8; 16])))?;
        }
        tx.write_record(&case_of(CITY, open, GIVEN_UP))?;
        tx.write_record(&case_of(CITY + 1, ended, GIVEN_UP))?;
        tx.fact(Need::Standing(GIVEN_UP))
    });
    let mut keys = Vec::new();
    if let Fact::Standing(_, records) = found.unwrap() {
        keys.extend(records.iter().map(|record| record.key));
    }
    assert_eq!(keys, [case_of(CITY, open, GIVEN_UP).key]);
}

/// S18: nothing is decided on a row that is not as it was written, whichever way it is found: a value that turned over
/// would be written anew as what somebody said.
#[test]
fn nothing_is_decided_on_a_damaged_row() {
    let folder = tempfile::tempdir().unwrap();
    let mut connection = writer(&folder.path().join("hub.sqlite"), Side::Hub).unwrap();
    let case = case_of(1, "DRAFT", GIVEN_UP);
    let mut given_up = case_of(2, "", GIVEN_UP);
    given_up.key.kind = organisation::KIND_NUMBER;
    given_up.key.id = GIVEN_UP;
    given_up.class = Class::Reference;
    given_up.fields.clear();
    let needs = [
        (case.key, Need::Record(case.key)),
        (
            case.key,
            Need::Naming(case::KIND_NUMBER, case::TO_ORG, GIVEN_UP),
        ),
        (case.key, Need::Standing(GIVEN_UP)),
        (given_up.key, Need::Membership(GIVEN_UP)),
    ];
    let rows = [case, given_up];
    let found = write_on::<_, StoreError>(&mut connection, move |tx| {
        for row in rows {
            tx.write_record(&row)?;
        }
        let found = needs.iter().map(|(_, need)| tx.fact(*need));
        found.collect::<Result<Vec<_>, _>>()
    });
    assert_eq!(found.unwrap().len(), needs.len());
    let spoilt = "UPDATE \"transfer\" SET revision = 2; UPDATE organisation SET revision = 2";
    connection.execute_batch(spoilt).unwrap();
    for (row, need) in needs {
        let found = write_on(&mut connection, |tx| tx.fact(need));
        let is_damaged = matches!(found, Err(StoreError::Damaged { key, .. }) if key == row);
        assert!(is_damaged, "{need:?}: {found:?}");
    }
    // Of what was removed for good no sound row is asked.
    let found = write_on(&mut connection, |tx| {
        tx.note_purged(GIVEN_UP)?;
        tx.fact(Need::Record(needs[3].0))
    });
    assert!(matches!(found, Ok(Fact::Purged(_))), "{found:?}");
}
