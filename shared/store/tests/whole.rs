//! What is written is written whole or not at all, and a file that is not whole is found out.

#![allow(clippy::unwrap_used, reason = "tests")]

use std::collections::BTreeMap;
use std::path::Path;

use domain::id::{ChangeId, DESK, NodeId, RecordId};
use domain::kind::Class;
use domain::kinds::person;
use domain::record::{Life, Record, RecordKey, Version};
use domain::world::{Outcome, Writes};
use rusqlite::types::Value;
use store::open::{Side, check, reader, writer};
use store::writer::write_on;
use store::{StoreError, Tx};

fn setting(database: &Path) -> Option<Vec<u8>> {
    Tx::on(&reader(database).unwrap()).setting("a").unwrap()
}

/// S16: of a batch of which a part is refused, nothing stands.
#[test]
fn work_that_fails_leaves_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let database = folder.path().join("node.sqlite");
    let mut connection = writer(&database, Side::Node).unwrap();
    let refused = write_on(&mut connection, |tx| {
        tx.set_setting("a", b"1")?;
        Err::<(), _>(StoreError::Busy)
    });
    assert!(matches!(refused, Err(StoreError::Busy)), "{refused:?}");
    assert_eq!(setting(&database), None);
    write_on(&mut connection, |tx| tx.set_setting("a", b"2")).unwrap();
    assert_eq!(setting(&database).as_deref(), Some(b"2".as_slice()));
}

/// S7: a change that waited, and was set aside in the end, counts as set aside.
#[test]
fn the_last_outcome_of_a_change_is_the_one_that_stands() {
    let folder = tempfile::tempdir().unwrap();
    let mut connection = writer(&folder.path().join("hub.sqlite"), Side::Hub).unwrap();
    let change = ChangeId {
        node: NodeId::new([1; 16]),
        epoch: 1,
        sequence: 1,
    };
    let note = RecordId::new([2; 16]);
    for outcome in [Outcome::Waiting(note), Outcome::SetAside(note)] {
        let mut writes = Writes::default();
        writes.outcomes.insert((change, 0), outcome);
        let stands = write_on(&mut connection, |tx| {
            tx.apply(&writes, 1)?;
            tx.outcome(change, 0)
        });
        assert_eq!(stands.unwrap(), Some(outcome));
    }
}

/// S16, D1: a page that was overwritten is found, though the file opens.
#[test]
fn a_damaged_page_is_found() {
    let folder = tempfile::tempdir().unwrap();
    let database = folder.path().join("node.sqlite");
    let mut connection = writer(&database, Side::Node).unwrap();
    write_on::<_, StoreError>(&mut connection, |tx| {
        (0..200).try_for_each(|number| tx.set_setting(&format!("setting {number:04}"), &[7; 100]))
    })
    .unwrap();
    drop(connection);
    check(&reader(&database).unwrap(), Side::Node).unwrap();
    let mut bytes = std::fs::read(&database).unwrap();
    let wanted = b"setting 0100";
    let at = bytes
        .windows(wanted.len())
        .position(|found| found == wanted);
    let page = at.unwrap() / 4096 * 4096;
    // The places of its cells.
    bytes.get_mut(page + 8..page + 40).unwrap().fill(0xff);
    std::fs::write(&database, bytes).unwrap();
    let found = check(&reader(&database).unwrap(), Side::Node);
    assert!(matches!(found, Err(StoreError::Corrupt(_))), "{found:?}");
}

/// S13, D2: a row that stands in no feed, as the desk's own notes at the hub, and of which a byte is another one than was
/// written, is found, though no page of the file is out of order and no digest counts it.
#[test]
fn a_row_that_is_not_as_it_was_written_is_found() {
    let folder = tempfile::tempdir().unwrap();
    let mut connection = writer(&folder.path().join("hub.sqlite"), Side::Hub).unwrap();
    for kind in [person::KIND_NUMBER, 60_000] {
        let key = RecordKey {
            kind,
            id: RecordId::new([3; 16]),
        };
        let mut record = Record {
            key,
            class: Class::Shared,
            office: DESK,
            revision: 1,
            life: Life::Alive,
            life_version: Version::default(),
            fields: BTreeMap::new(),
        };
        record.set(person::NAME, "甲", Version::default());
        write_on(&mut connection, |tx| tx.write_record(&record)).unwrap();
        let table = domain::kinds::by_number(kind).map_or("unknown_record", |kind| kind.name);
        // What its hash says nothing of is held by its seal: of which office it is, and when a version counts.
        let of_unknown = (kind == 60_000).then_some("class");
        let columns = ["versions", "row_hash", "office", "row_seal"];
        for column in columns.into_iter().chain(of_unknown) {
            assert_eq!(Tx::on(&connection).unsound_rows(1).unwrap(), []);
            let sql = format!("SELECT {column} FROM {table}");
            let whole: Value = connection.query_row(&sql, [], |row| row.get(0)).unwrap();
            let put = format!("UPDATE {table} SET {column} = ?1");
            let others: Vec<Value> = match &whole {
                Value::Integer(number) => vec![Value::Integer(number ^ 2)],
                Value::Blob(bytes) => (0..bytes.len())
                    .map(|at| {
                        let mut other = bytes.clone();
                        *other.get_mut(at).unwrap() ^= 1;
                        Value::Blob(other)
                    })
                    .collect(),
                other => unreachable!("{other:?}"),
            };
            for other in others {
                connection.execute(&put, [&other]).unwrap();
                assert_eq!(
                    Tx::on(&connection).unsound_rows(1).unwrap(),
                    [key],
                    "{column} {other:?}"
                );
            }
            connection.execute(&put, [whole]).unwrap();
        }
    }
}
