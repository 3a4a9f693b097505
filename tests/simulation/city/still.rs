//! A city that stands still: everything that lies on its disks, to be put back as often as one likes.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use tokio::time::Instant;

use super::City;
use crate::simulation::chance::Chance;
use crate::simulation::disk::log::{self, Beside};
use crate::simulation::disk::{self, Image};
use crate::simulation::world::Machine;

/// What lies on one machine's disk.
#[derive(Debug, Clone, Default)]
pub struct Place {
    /// Its databases.
    pub image: Image,
    /// The small files beside them.
    pub beside: Beside,
}

/// What lies on all disks, and what time it is.
#[derive(Debug, Clone)]
pub struct Still {
    /// Since the city was founded.
    pub passed: Duration,
    /// The hub's, then the offices'.
    pub places: Vec<Place>,
}

impl City {
    /// The folders of all machines: the hub's, then the offices'.
    pub fn folders(&self) -> Vec<PathBuf> {
        let offices = self.offices.iter().map(|office| office.folder.clone());
        std::iter::once(self.hub.folder.clone())
            .chain(offices)
            .collect()
    }

    /// How long ago the city was founded.
    pub fn passed(&self) -> Duration {
        self.begin.elapsed()
    }

    /// Everything as it is now.
    pub fn stand_still(&self) -> Still {
        let place = |folder: &PathBuf| Place {
            image: disk::image(&folder.to_string_lossy()),
            beside: log::beside(folder),
        };
        Still {
            passed: self.passed(),
            places: self.folders().iter().map(place).collect(),
        }
    }

    /// Everything is switched off and lies on its disks as it did then; the clocks say what they said
    /// then. What is drawn from now on follows from `number`.
    ///
    /// # Errors
    /// Where a small file cannot be written.
    pub async fn put_back(&mut self, still: &Still, number: u64) -> anyhow::Result<()> {
        let folders = self.folders();
        self.switch_hub_off();
        for office in &mut self.offices {
            if let Some(serving) = office.serving.take() {
                serving.abort();
            }
            office.app = None;
        }
        for folder in &folders {
            // Handles that are still open belong to a life that is over.
            disk::put_image(&folder.to_string_lossy(), &Image::default());
        }
        tokio::time::sleep(Duration::from_millis(1)).await;
        let now = Instant::now();
        self.begin = now.checked_sub(still.passed).context("a time that was")?;
        disk::draw_from(number);
        for (place, (folder, lies)) in folders.iter().zip(&still.places).enumerate() {
            disk::put_image(&folder.to_string_lossy(), &lies.image);
            disk::power_on(&folder.to_string_lossy());
            put_files(folder, lies)?;
            let chance = Chance::new(self.seed ^ number, "machine again", place as u64);
            let machine = Arc::new(Machine::new(self.begin, chance));
            match place.checked_sub(1).and_then(|at| self.offices.get_mut(at)) {
                Some(office) => office.machine = machine,
                None => self.hub.machine = machine,
            }
        }
        Ok(())
    }

    /// The hub's program ends; what it wrote stays.
    pub fn switch_hub_off(&mut self) {
        self.net.set_hub(None);
        self.hub.life.send_modify(|life| *life += 1);
        for task in self.hub.tasks.drain(..) {
            task.abort();
        }
        self.hub.app = None;
    }

    /// An office's program starts and does nothing by itself; a machine whose folder has no node yet
    /// stays off.
    ///
    /// # Errors
    /// Where its folder cannot be opened.
    pub fn open_quietly(&mut self, number: usize) -> anyhow::Result<()> {
        let office = self.offices.get(number).context("an office")?;
        disk::power_on(&office.folder.to_string_lossy());
        if office.folder.join("node.sqlite").exists() {
            self.open_office(number)?;
        }
        Ok(())
    }

    /// What is done next at an office is done by a program that has just read the keys, as they are now.
    ///
    /// # Errors
    /// Where it is off, or they cannot be read.
    pub fn look_at_keys(&mut self, number: usize) -> anyhow::Result<()> {
        let office = self.offices.get_mut(number).context("an office")?;
        let app = office.app.as_mut().context("the office is off")?;
        app.own = lianxin_node::app::Own::of_keys(&app.keys()?);
        Ok(())
    }

    /// Empties the folder of an office, as a new machine has it.
    ///
    /// # Errors
    /// Where it cannot be emptied.
    pub async fn empty_office(&mut self, number: usize) -> anyhow::Result<()> {
        let office = self.offices.get_mut(number).context("an office")?;
        office.app = None;
        if let Some(serving) = office.serving.take() {
            serving.abort();
        }
        tokio::time::sleep(Duration::from_millis(1)).await;
        let folder = self
            .folders()
            .get(number + 1)
            .cloned()
            .context("an office")?;
        put_files(&folder, &Place::default())?;
        disk::put_image(&folder.to_string_lossy(), &Image::default());
        Ok(())
    }

    /// An office's new machine gets a database.
    ///
    /// # Errors
    /// Where it cannot be made.
    pub async fn init_office(&mut self, number: usize) -> anyhow::Result<()> {
        let office = self.offices.get(number).context("an office")?;
        let folder = office.folder.clone();
        super::at(&office.machine, async { lianxin_node::app::init(&folder) }).await?;
        self.open_office(number)
    }

    /// An office joins with a code, and its program opens anew.
    ///
    /// # Errors
    /// What `join` refuses.
    pub async fn join_office(&mut self, number: usize, code: &str) -> anyhow::Result<()> {
        let office = self.offices.get(number).context("an office")?;
        let app = office.app.as_ref().context("the office is off")?;
        super::at(&office.machine, lianxin_node::enrol::join(app, code)).await?;
        disk::log::told(Some(&office.folder));
        self.open_office(number)
    }
}

/// The small files of a folder become these. Programs ask the real file system whether there is a
/// database: so there is an empty one where the simulated disk has one.
fn put_files(folder: &Path, place: &Place) -> anyhow::Result<()> {
    std::fs::create_dir_all(folder)?;
    for entry in std::fs::read_dir(folder)? {
        let (path, name) = {
            let entry = entry?;
            (
                entry.path(),
                entry.file_name().to_string_lossy().into_owned(),
            )
        };
        let is_there = place.beside.contains_key(&name) || place.image.has(&name);
        let is_list = path.extension().is_some_and(|ending| ending == "csv");
        if path.is_file() && !is_there && !is_list {
            std::fs::remove_file(path)?;
        }
    }
    for (name, bytes) in &place.beside {
        let path = folder.join(name);
        if std::fs::read(&path).ok().as_ref() != Some(bytes) {
            std::fs::write(path, bytes)?;
        }
    }
    for name in place.image.names().filter(|name| name.ends_with(".sqlite")) {
        let path = folder.join(name);
        if !path.exists() {
            // A backup is made in a folder of its own.
            std::fs::create_dir_all(path.parent().unwrap_or(folder))?;
            std::fs::write(path, [])?;
        }
    }
    Ok(())
}
