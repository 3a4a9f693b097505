//! A scenario that was prepared, and what it did to the disks when it ran once without faults.

use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::time::Duration;

use anyhow::Context as _;
use store::open::Side;

use super::script::{self, Memory, Ran};
use super::table::Scenario;
use crate::simulation::city::{City, Still};
use crate::simulation::disk;
use crate::simulation::disk::log::{self, Beside, Log, Replay};

/// Offices of a city.
const OFFICES: usize = 2;
/// What a hub does by itself after a call, it has done then.
const SETTLES: Duration = Duration::from_secs(3);

/// A scenario, ready to be carried out as often as one likes.
#[derive(Debug)]
pub(super) struct Stage {
    /// The city.
    pub(super) city: City,
    /// Where it lies.
    pub(super) root: PathBuf,
    /// The scenario.
    pub(super) scenario: Scenario,
    /// What is done in it.
    pub(super) lines: Vec<String>,
    /// How everything lies before.
    pub(super) start: Still,
    /// What is known before.
    pub(super) memory: Memory,
    /// The folders of the machines, the hub's first.
    pub(super) folders: Vec<String>,
}

/// What one run did.
#[derive(Debug)]
pub(super) struct Recording {
    /// The disks when it began.
    pub(super) base: Replay,
    /// What changed them.
    pub(super) log: Log,
    /// The lines that were carried out.
    pub(super) ran: Vec<Ran>,
    /// What was known when it ended.
    pub(super) after: Memory,
    /// When it ended.
    pub(super) passed: Duration,
    /// The small files of each machine when it ended.
    last: Vec<Rc<Beside>>,
}

/// Which database a machine has, and under which name.
pub(super) fn database_of(machine: usize) -> (Side, &'static str) {
    match machine {
        0 => (Side::Hub, "hub.sqlite"),
        _ => (Side::Node, "node.sqlite"),
    }
}

impl Stage {
    /// Founds a city and prepares the scenario in it.
    ///
    /// # Errors
    /// What the preparation says that is refused.
    pub(super) async fn set(scenario: &Scenario, root: &Path, seed: u64) -> anyhow::Result<Self> {
        let mut city = City::found(seed, root, OFFICES).await?;
        let tables = root.join("tables");
        std::fs::create_dir_all(&tables)?;
        super::table::make_tables(&tables)?;
        let mut memory = Memory::with_tables(tables);
        // Nothing is done but what the script says.
        let still = city.stand_still();
        city.put_back(&still, seed).await?;
        switch_on(&mut city, false)?;
        let lines = script::lines_of(&scenario.before);
        script::run(&mut city, &mut memory, (&lines, 0), true)
            .await
            .with_context(|| format!("{}: before", scenario.name))?;
        tokio::time::sleep(SETTLES).await;
        if !scenario.is_warm {
            for place in ["hub", "0", "1"] {
                script::close(&mut city, place).await;
            }
        }
        let folders = city.folders();
        let start = city.stand_still();
        Ok(Self {
            city,
            root: root.to_owned(),
            scenario: scenario.clone(),
            lines: script::lines_of(&scenario.lines),
            start,
            memory,
            folders: folders
                .iter()
                .map(|f| f.to_string_lossy().into_owned())
                .collect(),
        })
    }

    /// Everything is as it was before, and switched on.
    ///
    /// # Errors
    /// What does not start.
    pub(super) async fn begin(&mut self, number: u64) -> anyhow::Result<Memory> {
        self.city.put_back(&self.start, number).await?;
        switch_on(&mut self.city, false)?;
        // What a start does is a scenario of its own.
        tokio::time::sleep(Duration::from_millis(1)).await;
        for folder in &self.folders {
            disk::settle(folder);
        }
        Ok(self.memory.clone())
    }

    /// Carries the scenario out once without faults, and writes down what it does to the disks.
    ///
    /// # Errors
    /// What is refused.
    pub(super) async fn record(&mut self) -> anyhow::Result<Recording> {
        let mut after = self.begin(0).await?;
        let base = Replay::of(&self.folders);
        log::begin();
        let ran = script::run(&mut self.city, &mut after, (&self.lines, 0), true).await;
        let ran = ran.with_context(|| self.scenario.name.clone())?;
        tokio::time::sleep(SETTLES).await;
        Ok(Recording {
            last: self.beside_now(),
            base,
            log: log::end(),
            ran,
            after,
            passed: self.city.passed(),
        })
    }

    /// The small files of each machine now.
    pub(super) fn beside_now(&self) -> Vec<Rc<Beside>> {
        let folders = self.folders.iter();
        let beside = folders.map(|folder| Rc::new(log::beside(Path::new(folder))));
        beside.collect()
    }

    /// The small files of a machine after so many accesses of a log, at whose end they were `last`. They
    /// are looked at when an access comes: so they lie as its next access finds them.
    pub(super) fn beside_after(
        &self,
        (log, last): (&Log, &[Rc<Beside>]),
        (replay, position): (&Replay, usize),
        machine: usize,
    ) -> Rc<Beside> {
        let later = log.accesses.get(position..).unwrap_or_default();
        let next = later
            .iter()
            .find(|access| self.machine_of(&access.file) == Some(machine));
        let folder = self.folders.get(machine).map_or("", String::as_str);
        match next {
            Some(next) => next.beside.clone().unwrap_or_else(|| replay.beside(folder)),
            None => last.get(machine).cloned().unwrap_or_default(),
        }
    }

    /// Whether the hub is put back in it.
    pub(super) fn restores(&self) -> bool {
        self.lines
            .iter()
            .any(|line| line.starts_with("restore-hub"))
    }

    /// The machine on whose disk a file lies.
    pub(super) fn machine_of(&self, file: &str) -> Option<usize> {
        let folder = file.rsplit_once('/')?.0;
        self.folders.iter().position(|of| {
            folder
                .strip_prefix(of.as_str())
                .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        })
    }
}

impl Recording {
    /// The small files of a machine after so many accesses.
    pub(super) fn beside(
        &self,
        stage: &Stage,
        replay: &Replay,
        machine: usize,
        position: usize,
    ) -> Rc<Beside> {
        stage.beside_after((&self.log, &self.last), (replay, position), machine)
    }

    /// How much is known and which line is to be carried out next, where everything ends after so
    /// many accesses; and whether that line was under way.
    pub(super) fn known_at(&self, position: usize) -> (Memory, usize, bool) {
        if let Some(ran) = self.ran.iter().find(|ran| ran.to > position) {
            return (ran.before.clone(), ran.line, ran.from < position);
        }
        let line = self.ran.last().map_or(0, |ran| ran.line + 1);
        (self.after.clone(), line, false)
    }
}

/// Everything is switched on. Where the hub may be behind, as in the middle of a restore, it may say so
/// and stay off.
///
/// # Errors
/// What does not start.
pub(super) fn switch_on(city: &mut City, may_be_behind: bool) -> anyhow::Result<()> {
    match city.start_hub() {
        Err(error) if may_be_behind && error.is::<lianxin_hub::progress::Behind>() => {}
        started => started.context("the hub does not start")?,
    }
    for office in 0..city.size {
        city.open_quietly(office)
            .with_context(|| format!("office {office} does not start"))?;
    }
    Ok(())
}
