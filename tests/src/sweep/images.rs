//! All images of a scenario: what lies on the disks when the power fails at each access, made from one
//! run's log, reopened and checked.

use std::collections::BTreeSet;

use anyhow::Context as _;

use super::stage::{Recording, Stage};
use super::states::{Bench, States};
use super::{Met, Wanted};
use crate::simulation::chance::Chance;
use crate::simulation::city::{Place, Still};
use crate::simulation::disk::log::{Change, Cut, Replay};

/// Whose power fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Who {
    /// The machine whose disk is being written.
    Alone(usize),
    /// Everybody's.
    All,
}

/// One image, as it is to be made.
#[derive(Debug, Clone, Copy)]
struct Shot {
    who: Who,
    cut: Cut,
    number: u64,
}

/// The sweep of one scenario.
pub(super) struct Sweep<'s> {
    pub(super) stage: &'s mut Stage,
    pub(super) recording: Recording,
    pub(super) wanted: &'s Wanted,
    pub(super) met: &'s mut Met,
    states: Vec<States>,
    pub(super) bench: Bench,
    /// States from which everything was brought to its end already.
    finished: BTreeSet<(usize, usize)>,
    images: u64,
}

impl<'s> Sweep<'s> {
    /// Records the scenario.
    ///
    /// # Errors
    /// Where it is refused without any fault.
    pub(super) async fn begin(
        stage: &'s mut Stage,
        wanted: &'s Wanted,
        met: &'s mut Met,
    ) -> anyhow::Result<Self> {
        let mut recording = stage.record().await?;
        if wanted.forgets_syncs {
            recording.log.forget_syncs_of_logs();
        }
        let bench = Bench::new(
            &stage.root,
            &stage.city.hub.machine,
            stage.scenario.migrates,
        )?;
        let states = (0..stage.folders.len()).map(|machine| {
            let is_own = |who: &Option<String>| match (machine, who) {
                (0, None) => true,
                (_, Some(folder)) => stage.folders.get(machine) == Some(folder),
                _ => false,
            };
            let told = recording.log.told.iter().filter(|(_, who)| is_own(who));
            States::told_at(told.map(|(position, _)| *position).collect())
        });
        let states = states.collect();
        Ok(Self {
            stage,
            recording,
            wanted,
            met,
            states,
            bench,
            finished: BTreeSet::new(),
            images: 0,
        })
    }

    /// Which places are swept: all, or as many as are wanted, drawn by the scenario's number.
    pub(super) fn places(&self, count: usize) -> BTreeSet<usize> {
        if let Some(at) = self.wanted.at {
            return BTreeSet::from([at]);
        }
        let end = self.recording.log.accesses.len();
        if end < count {
            return (0..=end).collect();
        }
        let mut chance = Chance::new(self.wanted.seed, "places", 0);
        let stride = (end + 1) as u64;
        let (mut places, share) = (BTreeSet::from([0, end]), count as u64);
        for number in 0..share {
            let (low, high) = (stride * number / share, stride * (number + 1) / share);
            places.insert(usize::try_from(low + chance.below(high - low)).unwrap_or(end));
        }
        places
    }

    /// Kills each program at each access: all that it had written is there. From these images come the
    /// states that a database may be in.
    ///
    /// # Errors
    /// An image that does not open or is not whole.
    pub(super) async fn kill_everywhere(&mut self) -> anyhow::Result<()> {
        let mut replay = self.recording.base.clone();
        for machine in 0..self.stage.folders.len() {
            self.kill(&replay, machine, 0).await?;
        }
        let accesses = self.recording.log.accesses.clone();
        for (position, access) in accesses.iter().enumerate() {
            replay.step(access);
            let Some(machine) = self.stage.machine_of(&access.file) else {
                continue;
            };
            if !matches!(access.change, Change::Sync) {
                let killed = self.kill(&replay, machine, position + 1).await;
                killed.with_context(|| format!("killed at {}", position + 1))?;
            }
        }
        for states in &mut self.states {
            states.close(accesses.len());
        }
        Ok(())
    }

    async fn kill(
        &mut self,
        replay: &Replay,
        machine: usize,
        position: usize,
    ) -> anyhow::Result<()> {
        let place = self.place(replay, (machine, Cut::All), position, 0);
        let whole = self.bench.reopen(machine, &place.image)?;
        if let Some(states) = self.states.get_mut(machine) {
            states.note(position, whole);
        }
        self.prove(machine, whole, &place, position).await?;
        self.met.count(
            if machine == 0 {
                "P2 hub killed at an access"
            } else {
                "P1 node killed at an access"
            },
            1,
        );
        self.met.count("images", 1);
        Ok(())
    }

    /// Proves a state, where that was not done yet. In the middle of a restore the hub may say that its
    /// database is behind.
    async fn prove(
        &mut self,
        machine: usize,
        whole: [u8; 32],
        place: &Place,
        position: usize,
    ) -> anyhow::Result<()> {
        match self.bench.prove(machine, whole, place).await {
            Ok(is_new) => {
                self.met.count("states proven", u64::from(is_new));
                Ok(())
            }
            Err(error) => {
                let is_behind = error.is::<lianxin_hub::progress::Behind>();
                if is_behind && self.is_restoring(position) {
                    return Ok(());
                }
                Err(error)
            }
        }
    }

    /// Whether the hub is being put back there.
    pub(super) fn is_restoring(&self, position: usize) -> bool {
        let mut ran = self.recording.ran.iter();
        ran.any(|ran| {
            let line = self.stage.lines.get(ran.line);
            (ran.from..=ran.to).contains(&position)
                && line.is_some_and(|line| line.starts_with("restore-hub"))
        })
    }

    /// What lies on a machine's disk that is cut after so many accesses.
    fn place(
        &self,
        replay: &Replay,
        (machine, cut): (usize, Cut),
        position: usize,
        number: u64,
    ) -> Place {
        let empty = String::new();
        let folder = self.stage.folders.get(machine).unwrap_or(&empty);
        let next = self.recording.log.accesses.get(position);
        let entity = (position as u64) << 16 | (number << 4) | machine as u64;
        let chance = &mut Chance::new(self.wanted.seed, "cut", entity);
        let (image, _) = replay.cut(folder, cut, next, chance);
        let beside = self.recording.beside(self.stage, replay, machine, position);
        Place {
            image,
            beside: (*beside).clone(),
        }
    }

    /// The shots at one place: nothing kept, parts kept, noise, and everybody at once.
    fn shots(&self, position: usize) -> Vec<Shot> {
        let access = self.recording.log.accesses.get(position);
        let machine = access.and_then(|access| self.stage.machine_of(&access.file));
        let who = machine.map_or(Who::All, Who::Alone);
        let mut shots = Vec::new();
        for number in 0..self.wanted.images.max(4) - 1 {
            let (who, cut) = match number {
                0 => (who, Cut::Nothing),
                1 => (who, Cut::Part),
                2 => (who, Cut::Noise),
                number => {
                    let who = if number % 2 == 1 { Who::All } else { who };
                    (
                        who,
                        *[Cut::Part, Cut::Noise, Cut::Nothing]
                            .get(usize::try_from(number / 2).unwrap_or(0) % 3)
                            .unwrap_or(&Cut::Part),
                    )
                }
            };
            shots.push(Shot { who, cut, number });
        }
        shots
    }

    /// Cuts the power at each of these accesses, in each way.
    ///
    /// # Errors
    /// What does not hold, with the command that shows it again.
    pub(super) async fn cut_everywhere(&mut self) -> anyhow::Result<()> {
        let places = self.places(self.wanted.places);
        let mut replay = self.recording.base.clone();
        for position in 0..=self.recording.log.accesses.len() {
            if places.contains(&position) {
                for shot in self.shots(position) {
                    self.shoot(&replay, position, shot).await.with_context(|| {
                        format!(
                            "{:?} {:?} #{}\n  cargo sim sweep --scenario '{}' --at {position} --images {}",
                            shot.who, shot.cut, shot.number, self.stage.scenario.name, self.wanted.images
                        )
                    })?;
                }
            }
            if let Some(access) = self.recording.log.accesses.get(position) {
                replay.step(access);
            }
        }
        Ok(())
    }

    async fn shoot(&mut self, replay: &Replay, position: usize, shot: Shot) -> anyhow::Result<()> {
        let is_cut = |machine: usize| shot.who == Who::All || shot.who == Who::Alone(machine);
        let mut is_new = false;
        for machine in (0..self.stage.folders.len()).filter(|machine| is_cut(*machine)) {
            if self.is_settled(replay, machine, position) {
                continue;
            }
            let place = self.place(replay, (machine, shot.cut), position, shot.number);
            let whole = self.bench.reopen(machine, &place.image)?;
            let states = self.states.get(machine).context("states")?;
            let found = states.find(position, &whole)?;
            self.prove(machine, whole, &place, position).await?;
            is_new |= self.finished.insert((machine, found));
        }
        self.count(shot, position);
        let is_drawn = self.images.is_multiple_of(self.wanted.finish_each);
        if self.wanted.at.is_some() || is_new || is_drawn {
            let places = (0..self.stage.folders.len()).map(|machine| {
                let cut = if is_cut(machine) { shot.cut } else { Cut::All };
                self.place(replay, (machine, cut), position, shot.number)
            });
            let still = Still {
                passed: self.recording.passed,
                places: places.collect(),
            };
            self.finish(&still, position, self.images).await?;
        }
        Ok(())
    }

    /// Whether nothing of a machine's is on its way: it was looked at when its program was killed.
    fn is_settled(&self, replay: &Replay, machine: usize, position: usize) -> bool {
        let next = self.recording.log.accesses.get(position);
        let is_writing =
            next.is_some_and(|next| self.stage.machine_of(&next.file) == Some(machine));
        let folder = self.stage.folders.get(machine);
        !is_writing && folder.is_some_and(|folder| replay.is_settled(folder))
    }

    fn count(&mut self, shot: Shot, position: usize) {
        self.images += 1;
        self.met.count("images", 1);
        self.met.count(
            match shot.who {
                Who::All => "P1 P2 everybody's power cut at an access",
                Who::Alone(0) => "P2 hub's power cut at an access",
                Who::Alone(_) => "P1 node's power cut at an access",
            },
            1,
        );
        self.met.count(
            match shot.cut {
                Cut::Nothing => "P3 images without what was not synced",
                Cut::Part => "P3 images torn at sectors",
                Cut::Noise => "P3 images with garbled sectors",
                Cut::All => "P3 images with all that was written",
            },
            1,
        );
        let access = self.recording.log.accesses.get(position);
        let is_in_file = access.is_some_and(|access| !access.file.ends_with("-wal"));
        let scenario = &self.stage.scenario;
        if is_in_file || scenario.name.contains("checkpoint") || scenario.name.contains("backup") {
            self.met
                .count("P4 images in a checkpoint, a vacuum or a backup", 1);
        }
        if scenario.migrates {
            self.met.count("V5 migrations cut", 1);
        }
    }

    /// How many states databases were seen in.
    pub(super) fn states(&self) -> u64 {
        self.states.iter().map(|states| states.len() as u64).sum()
    }
}
