//! What a database may be after a cut: one of the states that its program committed, no older than
//! what somebody had been told of.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context as _, ensure};
use rusqlite::Connection;
use rusqlite::config::DbConfig;
use system::World;

use super::stage::database_of;
use crate::simulation::city::Place;
use crate::simulation::disk::{self, Image, log};
use crate::simulation::net::{End, Net};
use crate::simulation::world::{Machine, at};

/// The hash over all pages of a database.
type Whole = [u8; 32];
/// A file in which there is nothing yet.
const EMPTY: Whole = [0; 32];

/// One state of a database, and between which accesses it stood.
#[derive(Debug, Clone, Copy)]
struct State {
    whole: Whole,
    first: usize,
    last: usize,
}

/// The states of one machine's database, in order, and when its program told somebody something.
#[derive(Debug, Default)]
pub(super) struct States {
    states: Vec<State>,
    told: Vec<usize>,
}

impl States {
    /// Of a program that told something at these places.
    pub(super) fn told_at(told: Vec<usize>) -> Self {
        Self {
            states: Vec::new(),
            told,
        }
    }

    /// After so many accesses its readers see this.
    pub(super) fn note(&mut self, position: usize, whole: Whole) {
        match self.states.last_mut() {
            Some(state) if state.whole == whole => state.last = position,
            last => {
                if let Some(state) = last {
                    state.last = position - 1;
                }
                self.states.push(State {
                    whole,
                    first: position,
                    last: position,
                });
            }
        }
    }

    /// Nothing changes any more.
    pub(super) fn close(&mut self, position: usize) {
        if let Some(state) = self.states.last_mut() {
            state.last = position;
        }
    }

    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.states.len()
    }

    /// Which state the database of a machine is in that was cut after so many accesses.
    ///
    /// # Errors
    /// None that it may be in.
    pub(super) fn find(&self, position: usize, whole: &Whole) -> anyhow::Result<usize> {
        let promised = self.told.iter().rev().find(|told| **told <= position);
        let promised = promised.copied().unwrap_or(0);
        let found = self.states.iter().position(|state| state.whole == *whole);
        let place = found.context("invariant S16: the database is in a state that never was")?;
        let state = self.states.get(place).context("a state")?;
        ensure!(
            state.last >= promised,
            "invariant S1/S11: the database is as it was before access {}, and at {promised} more was told",
            state.last + 1
        );
        ensure!(
            state.first <= position + 1,
            "invariant S16: the database is in a state that came only later"
        );
        Ok(place)
    }
}

/// A machine beside the city, on which images are looked at.
#[derive(Debug)]
pub(super) struct Bench {
    folder: PathBuf,
    machine: Arc<Machine>,
    /// Whether opening a database may change it.
    migrates: bool,
    proven: BTreeSet<(usize, Whole, [u8; 32])>,
}

impl Bench {
    /// In a folder of its own, with the hub's keys.
    ///
    /// # Errors
    /// Where it cannot be made.
    pub(super) fn new(root: &Path, machine: &Arc<Machine>, migrates: bool) -> anyhow::Result<Self> {
        let folder = root.join("bench");
        std::fs::create_dir_all(folder.join("keys"))?;
        for entry in std::fs::read_dir(root.join("hub/keys"))? {
            let entry = entry?;
            std::fs::copy(entry.path(), folder.join("keys").join(entry.file_name()))?;
        }
        disk::machine(&folder.to_string_lossy());
        Ok(Self {
            folder,
            machine: Arc::clone(machine),
            migrates,
            proven: BTreeSet::new(),
        })
    }

    fn put(&self, image: &Image) {
        let folder = self.folder.to_string_lossy();
        disk::put_image(&folder, image);
        disk::power_on(&folder);
    }

    /// Opens an image of a machine's database as its program does, and says what its readers see.
    ///
    /// # Errors
    /// One that cannot be opened or read.
    pub(super) fn reopen(&mut self, machine: usize, image: &Image) -> anyhow::Result<Whole> {
        let (side, name) = database_of(machine);
        if !image.has(name) {
            return Ok(EMPTY);
        }
        self.put(image);
        let path = self.folder.join(name);
        let opens = "invariant S16: it does not open";
        if !self.migrates {
            let connection = store::open::writer(&path, side).context(opens)?;
            return seen_by(&connection);
        }
        // First what SQLite makes of it alone: opening it as a program may add tables.
        let alone = Connection::open(&path)?;
        alone.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)?;
        let seen = seen_by(&alone)?;
        drop(store::open::writer(&path, side).context(opens)?);
        Ok(seen)
    }

    /// Lets the program prove an image: file, chains, digests, holders. Once for each state.
    ///
    /// # Errors
    /// What does not hold.
    pub(super) async fn prove(
        &mut self,
        machine: usize,
        whole: Whole,
        place: &Place,
    ) -> anyhow::Result<bool> {
        let mut small = blake3::Hasher::new();
        for (name, bytes) in &place.beside {
            small
                .update(name.as_bytes())
                .update(&bytes.len().to_be_bytes())
                .update(bytes);
        }
        let state = (machine, whole, *small.finalize().as_bytes());
        if whole == EMPTY || !self.proven.insert(state) {
            return Ok(false);
        }
        self.verify(machine, place).await?;
        Ok(true)
    }

    /// Opens a machine's folder as its program does, and lets it verify what is there.
    ///
    /// # Errors
    /// What does not hold.
    pub(super) async fn verify(&mut self, machine: usize, place: &Place) -> anyhow::Result<()> {
        self.put(&place.image);
        for name in log::beside(&self.folder).keys() {
            std::fs::remove_file(self.folder.join(name))?;
        }
        for (name, bytes) in &place.beside {
            std::fs::write(self.folder.join(name), bytes)?;
        }
        std::fs::write(self.folder.join(database_of(machine).1), [])?;
        let here = system::within(Arc::clone(&self.machine) as Arc<dyn World>);
        let folder = self.folder.clone();
        let proven = if machine == 0 {
            let app = lianxin_hub::app::App::open_on(&folder, store::writer::Store::open_on_caller);
            drop(here);
            let app = app?;
            at(&self.machine, lianxin_hub::cli::command(&app, &["verify"])).await
        } else {
            let dial = Arc::new(End::new(Net::new(0, 0), 0, folder.clone()));
            let app = lianxin_node::app::App::open_on(
                &folder,
                store::writer::Store::open_on_caller,
                dial,
            );
            drop(here);
            let app = app?;
            at(&self.machine, lianxin_node::cli::command(&app, &["verify"])).await
        };
        proven.context("invariant S4/S16: verify")?;
        Ok(())
    }
}

/// What the readers of a database see.
fn seen_by(connection: &Connection) -> anyhow::Result<Whole> {
    let pages: i64 = connection.pragma_query_value(None, "page_count", |row| row.get(0))?;
    if pages == 0 {
        return Ok(EMPTY);
    }
    disk::whole(connection).context("invariant S16: a page cannot be read")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn states() -> States {
        let mut states = States::told_at(vec![4, 9]);
        for (position, whole) in [(0, 1), (3, 1), (4, 2), (8, 2), (9, 3)] {
            states.note(position, [whole; 32]);
        }
        states.close(12);
        states
    }

    #[test]
    fn invariant_s11_what_was_told_is_there() {
        let states = states();
        assert!(states.find(3, &[1; 32]).is_ok());
        assert!(states.find(4, &[1; 32]).is_err());
        assert!(states.find(8, &[2; 32]).is_ok());
        assert!(states.find(9, &[2; 32]).is_err());
    }

    #[test]
    fn invariant_s16_only_what_was_committed_is_there() {
        let states = states();
        assert!(states.find(4, &[9; 32]).is_err());
        // What was being written may have arrived, and nothing later.
        assert!(states.find(8, &[3; 32]).is_ok());
        assert!(states.find(7, &[3; 32]).is_err());
    }
}
