//! A connection that writes, and copies what its log holds into the database file.
//!
//! While that lasts, part of the file is new and part is old, and only the log makes it whole. So a file
//! beside it says so: a database that is found with that file and without its log was cut in the middle
//! and is no state that ever was. SQLite itself cannot tell (ADR 0024).

use std::fs::{File, OpenOptions, TryLockError};
use std::io::ErrorKind;
use std::ops::{Deref, DerefMut};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rusqlite::config::DbConfig;
use rusqlite::{Connection, OptionalExtension as _};
use same_file::Handle;

use crate::error::StoreError;

/// What the name of a database gets while its log is copied into it.
const MARK: &str = "-copying";
/// Only looks at the log.
const LOOK: &str = "PRAGMA wal_checkpoint(NOOP)";
/// Copies what no reader holds back.
const COPY: &str = "PRAGMA wal_checkpoint(PASSIVE)";
/// Waits for readers, copies everything and empties the log.
const EMPTY: &str = "PRAGMA wal_checkpoint(TRUNCATE)";
/// Pages in the log from which on they are copied into the database, as SQLite does by itself.
const LOG_PAGES: i64 = 1_000;

/// How often one copies until one says that a reader holds back the rest: a writer who finds all copied begins the log
/// anew, and if he does it before SQLite has told how much was copied, that looks like a rest.
const COPIES_MAX: usize = 3;

/// How long one waits for another process before one says that the database is busy.
pub(crate) const BUSY_WAIT: Duration = Duration::from_secs(5);
/// How often one looks whether the mark is free.
const LOOK_AGAIN: Duration = Duration::from_millis(10);

/// A connection that writes. When it is dropped, what its log holds is copied into the database.
#[derive(Debug)]
pub struct WriteConnection {
    connection: Connection,
    mark: PathBuf,
    /// From how many pages in the log on it is copied: more where somebody still reads what is old.
    copy_from: i64,
}

/// The log of a database.
struct Log {
    /// Whether somebody else is copying it, or reads what is old.
    is_busy: bool,
    /// Pages in it.
    pages: i64,
    /// How many of them stand in the database file.
    copied: i64,
}

impl WriteConnection {
    /// Takes a connection to the database at `path`, which nobody has written with yet.
    ///
    /// # Errors
    /// [`StoreError::HalfCopied`] where its log was taken away while it was being copied.
    pub(crate) fn new(connection: Connection, path: &Path) -> Result<Self, StoreError> {
        let mark = mark_of(path);
        if lost_log(&connection, &mark)?.is_some() {
            return Err(StoreError::HalfCopied(path.to_owned()));
        }
        connection.pragma_update(None, "wal_autocheckpoint", 0)?;
        Ok(Self {
            connection,
            mark,
            copy_from: LOG_PAGES,
        })
    }

    /// Copies the log into the database, if it has become long.
    ///
    /// # Errors
    /// The disk's. What is committed stays in the log.
    pub fn copy_if_long(&mut self) -> Result<(), StoreError> {
        let pages = log_by(&self.connection, LOOK)?.pages;
        if pages < self.copy_from {
            return Ok(());
        }
        let is_whole = self.copy()?;
        self.copy_from = LOG_PAGES + if is_whole { 0 } else { pages };
        Ok(())
    }

    /// Copies what nobody needs in the log any more into the database; whether that was all. A mark that lies there
    /// although all is copied was left by somebody who could not hold it: it goes, before the log does.
    ///
    /// # Errors
    /// As [`Self::copy_if_long`].
    pub fn copy(&self) -> Result<bool, StoreError> {
        let log = log_by(&self.connection, LOOK)?;
        let is_whole = log.pages <= log.copied && !self.mark.exists();
        Ok(is_whole || self.copy_marked(COPY)?)
    }

    /// Waits for readers, copies everything into the database and empties the log; whether it could.
    ///
    /// # Errors
    /// As [`Self::copy_if_long`].
    pub(crate) fn empty_log(&self) -> Result<bool, StoreError> {
        self.copy_marked(EMPTY)
    }

    /// Copies under the mark, and takes it away if the database is whole without its log; whether it is.
    /// What a reader held back leaves it in part old: SQLite copies of a page nothing but its last state.
    fn copy_marked(&self, way: &str) -> Result<bool, StoreError> {
        // A disk that cannot be read takes nothing either, and stays as it is.
        log_pages(&self.connection)?;
        let Some(mark) = Mark::hold(&self.mark)? else {
            return Ok(false);
        };
        for _ in 0..COPIES_MAX {
            let log = log_by(&self.connection, way)?;
            if log.is_busy {
                return Ok(false);
            }
            if log.pages <= log.copied {
                mark.take_away()?;
                return Ok(true);
            }
        }
        Ok(false)
    }
}

/// The mark of a database, held by one program at a time: nobody else copies meanwhile, or takes it away.
#[derive(Debug)]
pub(crate) struct Mark {
    path: PathBuf,
    /// Locked for as long as it is open.
    file: File,
}

/// What became of locking a mark.
enum Locked {
    Held(Mark),
    ByOther,
    /// It was taken away before it was locked; another may be in its place.
    Gone,
}

impl Mark {
    /// Makes it where it is not there, and holds it; none where somebody else does.
    ///
    /// # Errors
    /// The disk's.
    fn hold(path: &Path) -> Result<Option<Self>, StoreError> {
        loop {
            match Self::lock(File::create(path).map_err(disk)?, path)? {
                Locked::Held(mark) => {
                    mark.file.sync_all().map_err(disk)?;
                    return Ok(Some(mark));
                }
                Locked::ByOther => return Ok(None),
                Locked::Gone => {}
            }
        }
    }

    /// Holds it where it is there, after whoever holds it now; none where he takes it away.
    ///
    /// # Errors
    /// The disk's, and [`StoreError::Busy`] where it is held for longer than [`BUSY_WAIT`].
    fn found(path: &Path) -> Result<Option<Self>, StoreError> {
        let until = Instant::now() + BUSY_WAIT;
        loop {
            let file = match OpenOptions::new().write(true).open(path) {
                Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
                opened => opened.map_err(disk)?,
            };
            match Self::lock(file, path)? {
                Locked::Held(mark) => return Ok(Some(mark)),
                Locked::ByOther if Instant::now() > until => return Err(StoreError::Busy),
                Locked::ByOther => std::thread::sleep(LOOK_AGAIN),
                Locked::Gone => {}
            }
        }
    }

    fn lock(file: File, path: &Path) -> Result<Locked, StoreError> {
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Ok(Locked::ByOther),
            Err(TryLockError::Error(error)) => return Err(disk(error)),
        }
        let held = file.try_clone().and_then(Handle::from_file).map_err(disk)?;
        if !Handle::from_path(path).is_ok_and(|there| there == held) {
            return Ok(Locked::Gone);
        }
        let path = path.to_owned();
        Ok(Locked::Held(Self { path, file }))
    }

    /// Takes it away: the database is whole.
    ///
    /// # Errors
    /// The disk's.
    pub(crate) fn take_away(self) -> Result<(), StoreError> {
        std::fs::remove_file(&self.path).map_err(disk)
    }
}

#[expect(clippy::needless_pass_by_value, reason = "as map_err gives it")]
fn disk(error: std::io::Error) -> StoreError {
    StoreError::Disk(error.to_string())
}

impl Drop for WriteConnection {
    fn drop(&mut self) {
        if self.copy().is_ok_and(|is_whole| is_whole) {
            return;
        }
        // SQLite would copy the rest without the mark: it is to stay in the log, for whoever opens next.
        // Nobody is left who could hear of an error.
        let keeps_log = DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE;
        let _ = self.connection.set_db_config(keeps_log, true);
    }
}

impl Deref for WriteConnection {
    type Target = Connection;

    fn deref(&self) -> &Connection {
        &self.connection
    }
}

impl DerefMut for WriteConnection {
    fn deref_mut(&mut self) -> &mut Connection {
        &mut self.connection
    }
}

fn log_by(connection: &Connection, way: &str) -> Result<Log, StoreError> {
    let mut statement = connection.prepare_cached(way)?;
    let log = statement.query_row([], |row| {
        Ok(Log {
            is_busy: row.get(0)?,
            pages: row.get(1)?,
            copied: row.get(2)?,
        })
    });
    Ok(log?)
}

/// How many pages the log of a database holds; none or less where there is no log.
pub(crate) fn log_pages(connection: &Connection) -> Result<i64, StoreError> {
    // A connection that has read nothing yet does not know of the log.
    connection
        .query_row("SELECT 1 FROM sqlite_schema LIMIT 1", [], |_| Ok(()))
        .optional()?;
    Ok(log_by(connection, LOOK)?.pages)
}

/// The mark of a database whose log was taken away while it was being copied: nobody copies now, and there is
/// no log. None where all is as it should be.
///
/// # Errors
/// As [`Mark::found`] and as SQLite says.
pub(crate) fn lost_log(connection: &Connection, mark: &Path) -> Result<Option<Mark>, StoreError> {
    if !mark.exists() || log_pages(connection)? > 0 {
        return Ok(None);
    }
    // Who copied a moment ago may have ended since: the log is then empty, and the database whole.
    let Some(mark) = Mark::found(mark)? else {
        return Ok(None);
    };
    Ok((log_pages(connection)? <= 0).then_some(mark))
}

/// What lies beside a database while its log is copied into it.
pub(crate) fn mark_of(database: &Path) -> PathBuf {
    beside(database, MARK)
}

/// The file whose name is a database's with an ending.
pub(crate) fn beside(database: &Path, ending: &str) -> PathBuf {
    let mut name = database.as_os_str().to_owned();
    name.push(ending);
    PathBuf::from(name)
}
