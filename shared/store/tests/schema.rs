//! Databases of other generations: newer ones are refused and left as they are, records of kinds
//! that were unknown move into their own table.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeMap;

use domain::id::{ChangeId, NodeId, RecordId};
use domain::kind::Class;
use domain::kinds::{self, person};
use domain::record::{FieldState, Life, Record, RecordKey, Version};
use rusqlite::Connection;
use store::open::{Side, writer};
use store::{StoreError, Tx};

fn record(kind: u16, id: u8) -> Record {
    let change = ChangeId {
        node: NodeId::new([7; 16]),
        epoch: 1,
        sequence: 3,
    };
    let version = Version {
        change,
        ordered_at: 5,
    };
    let name = FieldState {
        value: "张三".as_bytes().to_vec(),
        version,
    };
    Record {
        key: RecordKey {
            kind,
            id: RecordId::new([id; 16]),
        },
        class: Class::Shared,
        office: RecordId::new([9; 16]),
        revision: 4,
        life: Life::Alive,
        life_version: version,
        fields: BTreeMap::from([(person::NAME, name)]),
    }
}

#[test]
fn a_column_of_a_newer_program_is_refused_and_left() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.sqlite");
    drop(writer(&path, Side::Node).unwrap());
    let newer = Connection::open(&path).unwrap();
    newer
        .execute_batch("ALTER TABLE person ADD COLUMN from_the_future TEXT")
        .unwrap();
    drop(newer);
    let before = std::fs::read(&path).unwrap();
    assert!(matches!(
        writer(&path, Side::Node),
        Err(StoreError::SchemaTooNew { .. })
    ));
    assert_eq!(std::fs::read(&path).unwrap(), before);
}

#[test]
fn a_newer_generation_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.sqlite");
    drop(writer(&path, Side::Hub).unwrap());
    let newer = Connection::open(&path).unwrap();
    newer.pragma_update(None, "user_version", 1000).unwrap();
    drop(newer);
    assert!(matches!(
        writer(&path, Side::Hub),
        Err(StoreError::SchemaTooNew { .. })
    ));
}

#[test]
fn invariant_9_a_record_of_an_unknown_kind_reads_back_and_moves_once_it_is_known() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.sqlite");
    let connection = writer(&path, Side::Hub).unwrap();
    let unknown = record(9_999, 1);
    Tx::on(&connection).write_record(&unknown).unwrap();
    assert_eq!(
        Tx::on(&connection).record(unknown.key).unwrap(),
        Some(unknown.clone())
    );
    assert_eq!(
        Tx::on(&connection).row_hash(unknown.key).unwrap(),
        Some(unknown.hash())
    );
    // As if this program had just learnt the kind.
    connection
        .execute("UPDATE unknown_record SET kind = ?1", [person::KIND_NUMBER])
        .unwrap();
    drop(connection);
    let connection = writer(&path, Side::Hub).unwrap();
    let known = record(person::KIND_NUMBER, 1);
    assert_eq!(
        Tx::on(&connection).record(known.key).unwrap(),
        Some(known.clone())
    );
    assert_eq!(
        Tx::on(&connection).row_hash(known.key).unwrap(),
        Some(known.hash())
    );
    let left: u32 = connection
        .query_row("SELECT count(*) FROM unknown_record", [], |row| row.get(0))
        .unwrap();
    assert_eq!(left, 0);
}

#[test]
fn every_declared_kind_reads_back_what_was_written() {
    let folder = tempfile::tempdir().unwrap();
    let connection = writer(&folder.path().join("a.sqlite"), Side::Node).unwrap();
    for (place, kind) in kinds::ALL.iter().enumerate() {
        let mut written = record(kind.number, u8::try_from(place).unwrap());
        written.class = kind.class;
        let version = written.life_version;
        written.fields.clear();
        for field in kind.fields {
            // Bytes that no column of the type can hold are kept beside it, whatever they are.
            let value = if field.number % 2 == 0 {
                vec![0xff, 0x00]
            } else {
                b"1".to_vec()
            };
            written
                .fields
                .insert(field.number, FieldState { value, version });
        }
        written.fields.insert(
            4_000,
            FieldState {
                value: b"?".to_vec(),
                version,
            },
        );
        Tx::on(&connection).write_record(&written).unwrap();
        assert_eq!(
            Tx::on(&connection).record(written.key).unwrap(),
            Some(written)
        );
    }
}

/// S16, D1: a bit that turns over in a name of the schema leaves every page whole.
#[test]
fn a_name_in_the_schema_that_has_changed_is_found() {
    for side in [Side::Node, Side::Hub] {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("data.sqlite");
        let connection = store::open::writer(&path, side).unwrap();
        store::open::check(&connection, side).unwrap();
        connection
            .execute_batch("ALTER TABLE certificate RENAME COLUMN node_signature TO node_rignature")
            .unwrap();
        let finding = store::open::check(&connection, side)
            .unwrap_err()
            .to_string();
        assert!(finding.contains("node_"), "{finding}");
    }
}

/// S16, D1: nor does one in what a table checks, which nobody would find out before somebody writes.
#[test]
fn no_letter_of_the_schema_changes_unseen() {
    const EVERY: usize = 41;
    for side in [Side::Node, Side::Hub] {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("data.sqlite");
        let whole = store::open::writer(&path, side).unwrap();
        let made: Vec<(i64, String)> = whole
            .prepare("SELECT rowid, sql FROM sqlite_schema WHERE sql IS NOT NULL")
            .unwrap()
            .query_map([], |row| Ok((row.get(0)?, row.get(1)?)))
            .unwrap()
            .collect::<Result<_, _>>()
            .unwrap();
        drop(whole);
        let mut tried = 0;
        for (row, sql) in made {
            let remarks = sql.split_inclusive('\n').scan(0, |begin, line| {
                let at = line.find("--").map(|at| *begin + at..*begin + line.len());
                *begin += line.len();
                Some(at)
            });
            let remarks: Vec<_> = remarks.flatten().collect();
            for at in (0..sql.len()).step_by(EVERY) {
                let is_remark = remarks.iter().any(|remark| remark.contains(&at));
                if is_remark || !sql.as_bytes()[at].is_ascii_alphanumeric() {
                    continue;
                }
                let mut other = sql.clone().into_bytes();
                other[at] ^= 2;
                let other = String::from_utf8(other).unwrap();
                let hand = Connection::open(&path).unwrap();
                hand.execute_batch("PRAGMA writable_schema = ON").unwrap();
                let change = |sql: &str| {
                    hand.execute(
                        "UPDATE sqlite_schema SET sql = ?1 WHERE rowid = ?2",
                        (sql, row),
                    )
                    .unwrap()
                };
                change(&other);
                let is_found = store::open::reader(&path)
                    .and_then(|reader| store::open::check(&reader, side))
                    .is_err();
                assert!(is_found, "{other}");
                change(&sql);
                tried += 1;
            }
        }
        assert!(tried > 100, "{tried}");
    }
}

/// A field that a database did not have stands at the end of its table, and is none the worse.
#[test]
fn a_column_that_was_declared_later_is_as_good() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("data.sqlite");
    let older = writer(&path, Side::Node).unwrap();
    older
        .execute_batch("ALTER TABLE person DROP COLUMN education")
        .unwrap();
    assert!(store::open::check(&older, Side::Node).is_err());
    drop(older);
    let connection = writer(&path, Side::Node).unwrap();
    store::open::check(&connection, Side::Node).unwrap();
}
