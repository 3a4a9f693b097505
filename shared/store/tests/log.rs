//! The log of a database, and what happens where somebody takes it away.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::path::{Path, PathBuf};

use store::StoreError;
use store::connection::WriteConnection;
use store::open::{self, Side};

const MIB: i64 = 1024 * 1024;

fn beside(path: &Path, ending: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(ending);
    PathBuf::from(name)
}

fn size(path: &Path) -> u64 {
    std::fs::metadata(path).map_or(0, |file| file.len())
}

fn write(connection: &WriteConnection, bytes: i64) {
    let sql = "INSERT OR REPLACE INTO setting (name, value) VALUES ('test', zeroblob(?1))";
    connection.execute(sql, [bytes]).unwrap();
}

/// The files of a database as they are now, in another folder.
fn copied(path: &Path, to: &Path, endings: &[&str]) -> PathBuf {
    let copy = to.join("data.sqlite");
    for ending in endings {
        std::fs::copy(beside(path, ending), beside(&copy, ending)).unwrap();
    }
    copy
}

/// S16, P16: what is half copied and has lost its log is refused; with its log it is whole.
#[test]
fn a_database_whose_log_was_taken_away_while_it_was_copied_is_refused() {
    let (folder, there, here) = (
        tempfile::tempdir().unwrap(),
        tempfile::tempdir().unwrap(),
        tempfile::tempdir().unwrap(),
    );
    let path = folder.path().join("data.sqlite");
    let connection = open::writer(&path, Side::Hub).unwrap();
    write(&connection, MIB);
    // As it is in the middle of a copy.
    std::fs::write(beside(&path, "-copying"), []).unwrap();
    let with_log = copied(&path, there.path(), &["", "-wal", "-copying"]);
    let without = copied(&path, here.path(), &["", "-copying"]);
    let refused = open::writer(&without, Side::Hub).unwrap_err();
    assert!(
        matches!(&refused, StoreError::HalfCopied(file) if *file == without),
        "{refused}"
    );
    assert!(refused.text_zh().contains("-wal"));
    open::writer(&without, Side::Hub).unwrap_err();
    // One that proves to be whole all the same was put there since; one that does not is refused.
    let proven = |path: &Path, is_whole: bool| {
        let proves = |_: store::Tx<'_>| if is_whole { Ok(()) } else { Err(()) };
        open::prove_marked(path, Side::Hub, proves)
    };
    assert!(matches!(
        proven(&without, false),
        Err(StoreError::HalfCopied(_))
    ));
    proven(&with_log, false).unwrap();
    let again = open::writer(&with_log, Side::Hub).unwrap();
    let held: i64 = again
        .query_row(
            "SELECT length(value) FROM setting WHERE name = 'test'",
            [],
            |row| row.get(0),
        )
        .unwrap();
    assert_eq!(held, MIB);
    drop(again);
    assert!(!beside(&with_log, "-copying").exists() && !beside(&with_log, "-wal").exists());
    // What is put aside takes its mark along: what comes in its place is whole.
    open::put_aside(&without).unwrap();
    drop(open::writer(&without, Side::Hub).unwrap());
    std::fs::write(beside(&without, "-copying"), []).unwrap();
    proven(&without, true).unwrap();
    drop(open::writer(&without, Side::Hub).unwrap());
}

/// S16: a log that has become long goes into the database while the program runs, and is used again.
#[test]
fn a_long_log_is_copied_and_used_again() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("data.sqlite");
    let mut connection = open::writer(&path, Side::Node).unwrap();
    for _ in 0..40 {
        write(&connection, MIB);
        connection.copy_if_long().unwrap();
    }
    assert!(size(&beside(&path, "-wal")) < 16 * MIB.cast_unsigned());
    assert!(!beside(&path, "-copying").exists());
}

/// S16: what a reader still needs stays in the log, also when the writer goes; and the database, which is
/// then new in part, keeps its mark.
#[test]
fn what_is_read_stays_in_the_log() {
    let (folder, here) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let path = folder.path().join("data.sqlite");
    let connection = open::writer(&path, Side::Node).unwrap();
    connection.busy_timeout(std::time::Duration::ZERO).unwrap();
    write(&connection, MIB);
    let mut reader = open::reader(&path).unwrap();
    let snapshot = reader.transaction().unwrap();
    let length = || {
        let sql = "SELECT length(value) FROM setting WHERE name = 'test'";
        snapshot.query_row(sql, [], |row| row.get::<_, i64>(0))
    };
    assert_eq!(length().unwrap(), MIB);
    write(&connection, MIB / 2);
    assert!(!connection.copy().unwrap());
    assert!(beside(&path, "-copying").exists());
    open::wipe_traces(&connection).unwrap_err();
    let without = copied(&path, here.path(), &["", "-copying"]);
    let refused = open::writer(&without, Side::Node).unwrap_err();
    assert!(matches!(refused, StoreError::HalfCopied(_)), "{refused}");
    drop(connection);
    assert_eq!(length().unwrap(), MIB);
    drop(snapshot);
    drop(reader);
    let again = open::writer(&path, Side::Node).unwrap();
    assert!(again.copy().unwrap());
    open::wipe_traces(&again).unwrap();
    assert!(!beside(&path, "-copying").exists());
    assert_eq!(size(&beside(&path, "-wal")), 0);
}

/// S16: one program copies at a time, and nobody else takes its mark away.
#[test]
fn a_mark_is_its_holders() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("data.sqlite");
    let connection = open::writer(&path, Side::Node).unwrap();
    let held = std::fs::File::create(beside(&path, "-copying")).unwrap();
    held.lock().unwrap();
    write(&connection, MIB);
    assert!(!connection.copy().unwrap());
    assert!(beside(&path, "-copying").exists());
    drop(held);
    assert!(connection.copy().unwrap());
    assert!(!beside(&path, "-copying").exists());
}

/// S16: whoever opens while another program ends its copy takes the empty log for no loss, and of two that come and
/// go together neither does.
#[test]
fn an_empty_log_is_no_loss_where_somebody_has_just_copied_it() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("data.sqlite");
    drop(open::writer(&path, Side::Node).unwrap());
    let mark = beside(&path, "-copying");
    let held = std::fs::File::create(&mark).unwrap();
    held.lock().unwrap();
    let copier = std::thread::spawn({
        let mark = mark.clone();
        move || {
            std::thread::sleep(std::time::Duration::from_millis(100));
            std::fs::remove_file(mark).unwrap();
            drop(held);
        }
    });
    drop(open::writer(&path, Side::Node).unwrap());
    copier.join().unwrap();

    let both = [0, 1].map(|_| {
        let path = path.clone();
        std::thread::spawn(move || {
            for bytes in 1..200 {
                open::prove_marked(&path, Side::Node, |_| Err(())).unwrap();
                write(&open::writer(&path, Side::Node).unwrap(), bytes);
            }
        })
    });
    for program in both {
        program.join().unwrap();
    }
    assert!(!mark.exists());
}
