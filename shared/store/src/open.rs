//! Opens a database: pragmas, migrations, tables of the declared kinds, restore guards.

use std::collections::BTreeSet;
use std::fs::OpenOptions;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use rusqlite::backup::{Backup, StepResult};
use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags};
use rusqlite_migration::{M, Migrations};

use crate::connection::{self, BUSY_WAIT, WriteConnection, beside, mark_of};
use crate::error::StoreError;
use crate::records::Tx;
use crate::schema;

/// Statements kept prepared: more than any path uses, so that none is prepared twice.
const STATEMENTS_KEPT: usize = 512;
/// Pages that are copied between two looks at the time.
const PAGES_AT_ONCE: i32 = 1_000;
/// How long a copy may take: while it lasts, the log that others write is not begun anew.
const COPY_WITHIN: Duration = Duration::from_hours(1);

/// Which of the two programs' databases.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// A community office's.
    Node,
    /// The hub's.
    Hub,
}

const NODE: &[M<'static>] = &[
    M::up(include_str!("../migrations/common/0001_start.sql")),
    M::up(include_str!("../migrations/node/0001_start.sql")),
];
const HUB: &[M<'static>] = &[
    M::up(include_str!("../migrations/common/0001_start.sql")),
    M::up(include_str!("../migrations/hub/0001_start.sql")),
];

/// Opens (and makes or upgrades) the database for writing.
///
/// # Errors
/// A newer schema is refused and left as it is, and so is a file that its log was taken from
/// ([`StoreError::HalfCopied`]); every other error as SQLite says.
pub fn writer(path: &Path, side: Side) -> Result<WriteConnection, StoreError> {
    let connection = Connection::open(path)?;
    configure(&connection)?;
    let mut connection = WriteConnection::new(connection, path)?;
    migrate(&mut connection, side)?;
    schema::make_tables(&mut connection, side)?;
    Ok(connection)
}

/// Looks at a database whose log was being copied into it ([`crate::connection`]), and has none: another file may
/// have been put in its place since. It is taken for whole if it is sound and `proves` finds what it holds
/// consistent. Any other database is left alone.
///
/// # Errors
/// [`StoreError::HalfCopied`] where it is not, and [`StoreError::Busy`] where another program is at it.
pub fn prove_marked<E>(
    path: &Path,
    side: Side,
    proves: impl FnOnce(Tx<'_>) -> Result<(), E>,
) -> Result<(), StoreError> {
    let mark = mark_of(path);
    if !mark.exists() || !path.exists() {
        return Ok(());
    }
    let connection = Connection::open(path)?;
    prepare_once(&connection)?;
    // What is in the log stays there.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)?;
    let half_copied = || StoreError::HalfCopied(path.to_owned());
    let held = match connection::lost_log(&connection, &mark) {
        Ok(Some(held)) => held,
        Ok(None) => return Ok(()),
        Err(StoreError::Corrupt(_)) => return Err(half_copied()),
        Err(error) => return Err(error),
    };
    // One state of it: another program may have it open and write.
    let snapshot = connection.unchecked_transaction()?;
    if check(&snapshot, side).is_err() || proves(Tx::on(&snapshot)).is_err() {
        return Err(half_copied());
    }
    held.take_away()
}

/// Opens the database for reading only.
pub fn reader(path: &Path) -> Result<Connection, StoreError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    prepare_once(&connection)?;
    Ok(connection)
}

/// Waits for other processes, and keeps every statement as it was prepared once: without the planner's
/// guarantee SQLite prepares some anew for each value that is bound to them.
fn prepare_once(connection: &Connection) -> Result<(), StoreError> {
    connection.busy_timeout(BUSY_WAIT)?;
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    connection.set_prepared_statement_cache_capacity(STATEMENTS_KEPT);
    Ok(())
}

fn configure(connection: &Connection) -> Result<(), StoreError> {
    prepare_once(connection)?;
    connection.pragma_update(None, "journal_mode", "WAL")?;
    connection.pragma_update(None, "synchronous", "FULL")?;
    connection.pragma_update(None, "foreign_keys", "OFF")?;
    connection.pragma_update(None, "cell_size_check", "ON")?;
    connection.pragma_update(None, "secure_delete", "ON")?;
    connection.pragma_update(None, "cache_size", -8192)?;
    connection.pragma_update(None, "journal_size_limit", 64 * 1024 * 1024)?;
    Ok(())
}

fn migrate(connection: &mut Connection, side: Side) -> Result<(), StoreError> {
    let steps = match side {
        Side::Node => NODE,
        Side::Hub => HUB,
    };
    let found: u32 = connection.query_row("PRAGMA user_version", [], |row| row.get(0))?;
    let found = found as usize;
    if found > steps.len() {
        return Err(StoreError::SchemaTooNew {
            found,
            known: steps.len(),
        });
    }
    Migrations::from_slice(steps)
        .to_latest(connection)
        .map_err(|error| match error {
            rusqlite_migration::Error::RusqliteError { err, .. } => err.into(),
            other => StoreError::Broken(other.to_string()),
        })
}

/// What the database says of its tables, indexes and triggers.
const SHAPE: &str = "
    SELECT format('%s %s on %s', type, name, tbl_name), sql FROM sqlite_schema
        WHERE sql IS NOT NULL AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\'";

/// Checks the whole file; says what is wrong. A letter in the schema that a bit has changed is found too: SQLite
/// takes any name for good, and finds out what a check asks only when somebody writes.
///
/// # Errors
/// [`StoreError::Corrupt`] with the first finding.
pub fn check(connection: &Connection, side: Side) -> Result<(), StoreError> {
    check_pages(connection)?;
    let (wanted, found) = (declared_shape(side)?, shape(connection)?);
    match wanted.symmetric_difference(&found).next() {
        None => Ok(()),
        Some(part) if wanted.contains(part) => Err(StoreError::Corrupt(format!("no {part}"))),
        Some(part) => Err(StoreError::Corrupt(format!("unknown {part}"))),
    }
}

/// The shape of a database that is made now; it is asked for often and made once.
fn declared_shape(side: Side) -> Result<&'static BTreeSet<String>, StoreError> {
    static NODE_SHAPE: OnceLock<BTreeSet<String>> = OnceLock::new();
    static HUB_SHAPE: OnceLock<BTreeSet<String>> = OnceLock::new();
    let made = match side {
        Side::Node => &NODE_SHAPE,
        Side::Hub => &HUB_SHAPE,
    };
    if let Some(shape) = made.get() {
        return Ok(shape);
    }
    let mut fresh = Connection::open_in_memory()?;
    migrate(&mut fresh, side)?;
    schema::make_tables(&mut fresh, side)?;
    let fresh = shape(&fresh)?;
    Ok(made.get_or_init(|| fresh))
}

fn shape(connection: &Connection) -> Result<BTreeSet<String>, StoreError> {
    let mut statement = connection.prepare(SHAPE)?;
    let mut rows = statement.query([])?;
    let mut shape = BTreeSet::new();
    while let Some(row) = rows.next()? {
        let (made, sql): (String, String) = (row.get(0)?, row.get(1)?);
        shape.extend(
            parts(&sql)
                .into_iter()
                .map(|part| format!("{made}: {part}")),
        );
    }
    Ok(shape)
}

/// The parts of a declaration, each column and each constraint by itself and without remarks: a column that was
/// declared later stands elsewhere in it.
fn parts(sql: &str) -> Vec<String> {
    let code = sql
        .lines()
        .map(|line| line.split("--").next().unwrap_or_default());
    let (mut parts, mut part, mut depth, mut quote) = (Vec::new(), String::new(), 0_u32, None);
    for letter in code.collect::<Vec<_>>().join(" ").chars() {
        match (quote, letter) {
            (Some(end), _) if end == letter => quote = None,
            (None, '\'' | '"') => quote = Some(letter),
            (None, '(') => depth += 1,
            (None, ')') => depth = depth.saturating_sub(1),
            _ => {}
        }
        let divides = match letter {
            ',' | '(' => depth == 1,
            ')' => depth == 0,
            _ => false,
        };
        if divides && quote.is_none() {
            parts.push(std::mem::take(&mut part));
        } else {
            part.push(letter);
        }
    }
    parts.push(part);
    let words = |part: String| part.split_whitespace().collect::<Vec<_>>().join(" ");
    parts.into_iter().map(words).collect()
}

fn check_pages(connection: &Connection) -> Result<(), StoreError> {
    let finding: String =
        connection.query_row("PRAGMA integrity_check(1)", [], |row| row.get(0))?;
    if finding == "ok" {
        Ok(())
    } else {
        Err(StoreError::Corrupt(finding))
    }
}

/// Copies the database as it is now into a new file, while others go on writing.
///
/// # Errors
/// A disk on which that takes longer than an hour; a copy that is not sound; else as SQLite says.
pub fn copy(connection: &Connection, to: &Path) -> Result<(), StoreError> {
    let until = Instant::now() + COPY_WITHIN;
    copy_while(connection, to, || Instant::now() < until)
}

/// As [`copy`], as long as `goes_on` says so between two steps.
fn copy_while(
    connection: &Connection,
    to: &Path,
    mut goes_on: impl FnMut() -> bool,
) -> Result<(), StoreError> {
    let mut target = Connection::open(to)?;
    let snapshot = connection.unchecked_transaction()?;
    // From here on every step reads one state. Without one that lasts, each step reads the newest, and SQLite
    // begins again wherever somebody has committed since: the copy of a busy database would never end.
    snapshot.query_row("SELECT count(*) FROM sqlite_schema", [], |_| Ok(()))?;
    let backup = Backup::new(&snapshot, &mut target)?;
    loop {
        match backup.step(PAGES_AT_ONCE)? {
            StepResult::Done => break,
            StepResult::More if goes_on() => {}
            StepResult::More => {
                let slow = format!("a copy takes longer than {} s", COPY_WITHIN.as_secs());
                return Err(StoreError::Disk(slow));
            }
            _ => return Err(StoreError::Busy),
        }
    }
    drop(backup);
    drop(snapshot);
    target.pragma_update(None, "journal_mode", "DELETE")?;
    check_pages(&target)
}

/// Refuses a file that no program has made a database of: SQLite takes an empty one for a new database.
///
/// # Errors
/// [`StoreError::Corrupt`] where it is one; else as SQLite says.
pub fn expect_made(path: &Path) -> Result<(), StoreError> {
    let generation: i64 = reader(path)?.query_row("PRAGMA user_version", [], |row| row.get(0))?;
    if generation == 0 {
        return Err(StoreError::Corrupt("nothing is in it".to_owned()));
    }
    Ok(())
}

/// Puts a database that nobody has open, with its log, in a place where there is none ([`put_aside`]). Once its
/// name is there, so is all of it; that the name survives a power cut is the caller's.
///
/// # Errors
/// The disk's.
pub fn put_in_place(fresh: &Path, place: &Path) -> Result<(), StoreError> {
    let moved = |ending| (beside(fresh, ending), beside(place, ending));
    let mark = (mark_of(fresh), mark_of(place));
    let synced = OpenOptions::new().write(true).open(fresh);
    let put = synced.and_then(|file| file.sync_all()).and_then(|()| {
        for (from, to) in [moved("-wal"), mark, moved("")] {
            if from.exists() {
                std::fs::rename(from, to)?;
            }
        }
        discard_log(fresh)
    });
    put.map_err(|error| StoreError::Disk(error.to_string()))
}

/// Removes a database that nobody has open, and what lies beside it; nothing where there is none.
///
/// # Errors
/// The disk's.
pub fn discard(path: &Path) -> Result<(), StoreError> {
    let removed = discard_log(path).and_then(|()| remove(path));
    removed.map_err(|error| StoreError::Disk(error.to_string()))
}

fn discard_log(path: &Path) -> std::io::Result<()> {
    for ending in ["-wal", "-shm", "-journal"] {
        remove(&beside(path, ending))?;
    }
    remove(&mark_of(path))
}

fn remove(path: &Path) -> std::io::Result<()> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// Moves a database with its log, or a folder, to a free name beside it: nothing is written over.
/// Answers the name; none where there was nothing.
pub fn put_aside(path: &Path) -> Result<Option<PathBuf>, StoreError> {
    // The database last: where this is cut off, it goes on with it.
    let parts = |path: &Path| {
        let [wal, shm] = ["-wal", "-shm"].map(|ending| beside(path, ending));
        [wal, shm, mark_of(path), path.to_owned()]
    };
    // A log without its database too: it would be taken for that of the one that comes in its place.
    let is_there = |path: &Path| parts(path).iter().any(|part| part.exists());
    if !is_there(path) {
        return Ok(None);
    }
    let free = (1..).map(|number| beside(path, &format!(".before-restore-{number}")));
    let Some(aside) = free.into_iter().find(|aside| !is_there(aside)) else {
        return Ok(None);
    };
    for (from, to) in parts(path).into_iter().zip(parts(&aside)) {
        if from.exists() {
            std::fs::rename(&from, to).map_err(|error| StoreError::Disk(error.to_string()))?;
        }
    }
    Ok(Some(aside))
}

/// Writes the whole file anew and empties its log: what was erased is then in neither. SQLite zeroes
/// what it deletes, but a page that was split or merged before may hold a copy of what it moved.
///
/// # Errors
/// Where another process reads or writes so long that it cannot be done now; nothing is lost.
pub fn wipe_traces(connection: &WriteConnection) -> Result<(), StoreError> {
    connection.execute_batch("VACUUM")?;
    if !connection.empty_log()? {
        return Err(StoreError::Broken("the log is being read".to_owned()));
    }
    Ok(())
}

/// A number that changes when another connection has committed.
pub fn data_version(connection: &Connection) -> Result<i64, StoreError> {
    Ok(connection.query_row("PRAGMA data_version", [], |row| row.get(0))?)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use crate::writer::write_on;

    /// The values that each commit sets together, one before all others and one behind them.
    const ENDS: [&str; 2] = ["a", "z"];

    fn commit(live: &mut WriteConnection, value: u8) {
        let set_both = |tx: Tx<'_>| {
            ENDS.iter()
                .try_for_each(|end| tx.set_setting(end, &[value]))
        };
        write_on::<_, StoreError>(live, set_both).unwrap();
    }

    /// A database that takes several steps to copy.
    fn long(path: &Path) -> WriteConnection {
        let mut live = writer(path, Side::Hub).unwrap();
        commit(&mut live, 0);
        let fill = |tx: Tx<'_>| {
            ["m", "n", "o"]
                .iter()
                .try_for_each(|name| tx.set_setting(name, &vec![7; 5_000_000]))
        };
        write_on::<_, StoreError>(&mut live, fill).unwrap();
        live
    }

    /// S16, L4: a backup of a busy hub ends, is of one state, and holds the log back no longer than it lasts.
    #[test]
    fn a_copy_ends_and_is_of_one_state_though_others_commit_between_its_steps() {
        let folder = tempfile::tempdir().unwrap();
        let (path, to) = (folder.path().join("hub.sqlite"), folder.path().join("copy"));
        let mut live = long(&path);
        let mut steps = 0;
        let goes_on = || {
            steps += 1;
            commit(&mut live, steps);
            steps < 50
        };
        copy_while(&reader(&path).unwrap(), &to, goes_on).unwrap();
        assert!(steps > 1, "others have committed meanwhile");
        let copied = reader(&to).unwrap();
        for end in ENDS {
            assert_eq!(Tx::on(&copied).setting(end).unwrap(), Some(vec![0]));
        }
        assert!(
            live.empty_log().unwrap(),
            "nothing holds the log back any more"
        );
    }

    /// L4: on a disk that is too slow it is given up, and the log can be emptied again.
    #[test]
    fn a_copy_that_takes_too_long_is_given_up() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("hub.sqlite");
        let mut live = long(&path);
        let copied = copy_while(&reader(&path).unwrap(), &folder.path().join("copy"), || {
            false
        });
        assert!(matches!(copied, Err(StoreError::Disk(_))), "{copied:?}");
        commit(&mut live, 1);
        assert!(live.empty_log().unwrap());
    }

    /// S1: the log of a database that is gone is not taken for that of the one that comes in its place.
    #[test]
    fn a_log_without_its_database_is_put_aside_too() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("node.sqlite");
        let log = beside(&path, "-wal");
        for round in 1..=2 {
            std::fs::write(&log, "a log").unwrap();
            let aside = put_aside(&path).unwrap().unwrap();
            assert_eq!(aside, beside(&path, &format!(".before-restore-{round}")));
            assert!(beside(&aside, "-wal").exists() && !log.exists());
        }
        assert_eq!(put_aside(&path).unwrap(), None);
    }
}
