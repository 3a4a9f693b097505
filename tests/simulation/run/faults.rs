//! What happens in a run: an event of the plan, carried out.

use std::time::Duration;

use anyhow::{Context as _, ensure};

use super::counts::AWAY;
use super::{Run, keep};
use crate::simulation::chance::Chance;
use crate::simulation::city::Spoke;
use crate::simulation::disk;
use crate::simulation::oracle::AtHub;
use crate::simulation::plan::{Event, What};

/// How often the others are switched on while one office is away, and how long it is in between.
const ROUNDS: u64 = 4;
const BETWEEN: Duration = Duration::from_hours(103 * 24);

impl Run {
    /// Carries out an event.
    ///
    /// # Errors
    /// What does not come up again, or does not hold.
    pub(super) async fn happen(&mut self, seed: u64, event: &Event) -> anyhow::Result<()> {
        let mut chance = Chance::new(seed, "event", event.number);
        match event.what {
            What::Work(office) => {
                let twin = self.city.twins.get(&office).copied();
                let twin = twin.filter(|_| chance.happens(400));
                self.work(Some(twin.unwrap_or(office)), event).await;
            }
            What::Desk => self.work(None, event).await,
            What::Race(office) => self.race(office, event).await,
            What::Move(office) => self.moving(office, event).await,
            What::Tick if self.hub_is_awake() => {
                // A hub that is off, or whose disk is full, does it another day.
                drop(self.city.at_hub(&["tick"]).await);
            }
            What::Tick => {}
            What::Twin(_)
            | What::Away(_)
            | What::Destroyed(_)
            | What::Copy(_)
            | What::RollBack(..)
            | What::BackUp
            | What::Restore => self.happen_to_machines(event.what, &mut chance).await?,
            What::Cut(office) => {
                self.city.net.set_up(office, false);
                self.count("N10 lines cut");
            }
            What::Mend(office) => self.city.net.set_up(office, true),
            What::OneWay(office) => self.city.net.set_one_way(office),
            What::OfficeOff(office, None) => self.city.cut_office(office, &mut chance),
            What::HubOff(None) => self.cut_hub(&mut chance).await,
            What::OfficeOn(office) => self.start_office(office, &mut chance).await?,
            What::HubOn => self.start_hub(&mut chance).await?,
            What::Clock(..)
            | What::HubClock(_)
            | What::Drift(..)
            | What::Sleep(_)
            | What::Wake(_)
            | What::HubSleep
            | What::HubWake => self.happen_to_clocks(event.what),
            What::LogLost(office) => self.lose_log(office, &mut chance).await?,
            What::HubLogLost => self.lose_hub_log(&mut chance).await?,
            What::HubPutBack => self.put_hub_back(&mut chance).await?,
            What::Flip(office) => self.flip_office(office, &mut chance).await?,
            What::HubFlip => self.flip_hub(&mut chance).await?,
            of_disks => self.plan_for_disks(of_disks),
        }
        Ok(())
    }

    async fn happen_to_machines(&mut self, what: What, chance: &mut Chance) -> anyhow::Result<()> {
        match what {
            What::Twin(office) => {
                let is_on = self.city.offices[office].app.is_some();
                if is_on && !self.city.twins.contains_key(&office) {
                    self.city.start_twin(office)?;
                    self.count("D5 machines copied");
                }
            }
            What::Destroyed(office) => self.destroy(office, chance).await?,
            What::Away(office) => {
                let before = tokio::time::Instant::now();
                self.pass_a_year(office, chance).await?;
                self.longer += before.elapsed();
                self.count(AWAY);
            }
            What::BackUp if self.city.hub.app.is_some() && !self.hub_is_damaged => {
                let held = AtHub::read(&self.city).await?.tokens;
                let backup = (self.city.back_up(), held.into_keys().collect());
                keep(&mut self.backups, backup);
            }
            What::Restore if !self.backups.is_empty() => {
                self.restore(chance).await?;
                self.count("D4 hub restored");
            }
            What::Copy(office)
                if self.city.offices[office].app.is_some() && !self.damaged.contains(&office) =>
            {
                self.copy(office).await?;
            }
            What::RollBack(office, with_keys) => {
                self.roll_back(office, with_keys, chance).await?;
            }
            _ => {}
        }
        Ok(())
    }

    /// A copy of an office is kept: of its folder, or as its own command makes one.
    async fn copy(&mut self, office: usize) -> anyhow::Result<()> {
        let is_awake = !self.city.offices[office].machine.is_asleep();
        let mark = self.ledger.mark();
        let copy = if is_awake && self.of_backups().happens(500) {
            // Whose disk is full, or takes no write, gets none now.
            let Ok(copy) = self.city.copy_by_command(office).await else {
                return Ok(());
            };
            self.count("copies made by an office's own command");
            copy
        } else {
            self.city.copy_office(office)?
        };
        keep(self.copies.entry(office).or_default(), (copy, mark));
        Ok(())
    }

    /// An office's machine is destroyed, and a new one joins; the old one may turn up again, now or in the end.
    async fn destroy(&mut self, office: usize, chance: &mut Chance) -> anyhow::Result<()> {
        let is_sound = !self.liars.contains(&office) && !self.damaged.contains(&office);
        let old = is_sound.then(|| self.city.copy_office(office));
        self.replace(office, chance).await?;
        if let Some(old) = old.transpose()? {
            self.old.insert(office, old);
        }
        if self.of_backups().happens(500) && self.hub_is_awake() {
            self.hear_old_machines(false).await?;
        }
        Ok(())
    }

    /// Machines that were replaced speak again. Once all is healed the hub says to each that it was revoked, unless its
    /// power has failed.
    pub(super) async fn hear_old_machines(&mut self, is_healed: bool) -> anyhow::Result<()> {
        for (office, old) in self.old.clone() {
            if self.city.offices[office].app.is_none() {
                continue;
            }
            match self.city.old_machine_speaks(office, &old).await? {
                Spoke::IsPresent => {}
                Spoke::Refused => self.count("D6 M8 replaced machines that spoke, refused"),
                Spoke::Unheard(said) => {
                    let is_off = disk::machine(&self.hub_folder()).borrow().is_off;
                    ensure!(
                        !is_healed || is_off,
                        "invariant S19: the hub does not say to the replaced machine of office {office} that it was \
                         revoked: {said}"
                    );
                }
            }
        }
        Ok(())
    }

    async fn roll_back(
        &mut self,
        office: usize,
        with_keys: bool,
        chance: &mut Chance,
    ) -> anyhow::Result<()> {
        let copies = self.copies.get(&office).map_or(0, Vec::len);
        let slot = self.some_slot(copies);
        let copies = self.copies.get(&office);
        let copy = copies.zip(slot).and_then(|(copies, slot)| copies.get(slot));
        let Some((copy, mark)) = copy.cloned() else {
            return Ok(());
        };
        self.find_hub_damage(chance).await?;
        if self.city.hub.app.is_some() {
            self.ledger.look_at_hub(&self.city).await?;
        }
        self.city
            .roll_back(office, &copy, with_keys, chance)
            .await?;
        self.damaged.remove(&office);
        self.went_back(office, mark);
        self.count(if with_keys {
            "D3 offices rolled back with their keys"
        } else {
            "D3 offices whose database was rolled back"
        });
        Ok(())
    }

    /// Clocks that are set, run fast, or go on while their machine sleeps.
    fn happen_to_clocks(&mut self, what: What) {
        match what {
            What::Clock(office, offset_ms) => {
                self.city.offices[office].machine.set_offset(offset_ms);
                self.count(if offset_ms == 0 {
                    "D8 clocks set right"
                } else {
                    "D7 clocks set wrong"
                });
            }
            What::HubClock(offset_ms) => {
                self.city.hub.machine.set_offset(offset_ms);
                if offset_ms != 0 {
                    self.count("O3 hub clocks set wrong");
                }
            }
            What::Drift(office, ppm) => {
                self.city.offices[office].machine.set_drift(ppm);
                self.count("D7 clocks that drift");
            }
            What::Sleep(office) if self.city.offices[office].app.is_some() => {
                self.city.offices[office].machine.sleep();
                self.count("P11 offices put to sleep");
            }
            What::Wake(office) if self.city.offices[office].machine.is_asleep() => {
                self.city.offices[office].machine.wake();
                self.count("P11 offices that slept");
            }
            What::HubSleep if self.city.hub.app.is_some() => {
                self.city.hub.machine.sleep();
                self.count("P11 hubs put to sleep");
            }
            What::HubWake if self.city.hub.machine.is_asleep() => {
                self.city.hub.machine.wake();
                self.count("P11 hubs that slept");
            }
            _ => {}
        }
    }

    /// Whether something can be done at the hub at all.
    pub(super) fn hub_is_awake(&self) -> bool {
        self.city.hub.app.is_some() && !self.city.hub.machine.is_asleep()
    }

    /// A disk will fail.
    fn plan_for_disks(&mut self, what: What) {
        let folder = match what {
            What::OfficeOff(office, _)
            | What::OfficeError(office, _)
            | What::OfficeFull(office, _)
            | What::OfficeBroken(office, _)
            | What::OfficeLies(office) => self.folder(office),
            _ => self.hub_folder(),
        };
        let machine = disk::machine(&folder);
        let writes = machine.borrow().writes;
        match what {
            What::OfficeOff(_, Some(write)) | What::HubOff(Some(write)) => {
                machine.borrow_mut().cut_at = Some(writes + write);
            }
            What::OfficeError(_, write) | What::HubError(write) => {
                machine.borrow_mut().fail_at = Some(writes + write);
            }
            What::OfficeFull(_, write) | What::HubFull(write) => {
                machine.borrow_mut().full_from = Some(writes + write);
            }
            What::OfficeBroken(_, write) | What::HubBroken(write) => {
                machine.borrow_mut().broken_from = Some(writes + write);
            }
            What::OfficeLies(office) if self.city.offices[office].app.is_some() => {
                machine.borrow_mut().syncs_lie = true;
                self.liars.insert(office);
            }
            What::HubLies if self.hub_is_awake() && !self.backups.is_empty() => {
                machine.borrow_mut().syncs_lie = true;
                self.hub_lies = true;
            }
            _ => {}
        }
    }

    /// The hub goes back to its last backup.
    pub(super) async fn restore(&mut self, chance: &mut Chance) -> anyhow::Result<()> {
        let slot = self.some_slot(self.backups.len()).context("a backup")?;
        let (backup, held) = self.backups.get(slot).cloned().context("a backup")?;
        // What it had before its power failed, and what it has left of that.
        let (before, left) = (self.before.take(), AtHub::read(&self.city).await.ok());
        self.city.restore_hub(&backup, chance).await?;
        if before.is_none() || left.is_some() || self.hub_is_damaged {
            self.ledger.hub_restored(&held, left);
        }
        if before.is_some() {
            self.ledger.hub_restored(&held, before);
        }
        self.note_before_damage(&held);
        (self.hub_lies, self.hub_is_damaged) = (false, false);
        Ok(())
    }

    /// All are switched off for so long.
    pub(super) async fn rest(&mut self, time: Duration, chance: &mut Chance) {
        for machine in 0..self.city.offices.len() {
            self.city.cut_office(machine, chance);
        }
        self.cut_hub(chance).await;
        tokio::time::sleep(time).await;
    }

    /// More than a year passes. The hub and the other offices are switched on now and then, this office
    /// never.
    async fn pass_a_year(&mut self, away: usize, chance: &mut Chance) -> anyhow::Result<()> {
        // Who goes has read what there was, and said so: that is noted once an hour.
        tokio::time::sleep(Duration::from_hours(2)).await;
        for _ in 0..ROUNDS {
            self.rest(BETWEEN, chance).await;
            self.start_hub(chance).await?;
            for office in (0..self.city.size).filter(|office| *office != away) {
                self.start_office(office, chance).await?;
            }
            // They serve: an hour is enough to renew, to send and to read.
            tokio::time::sleep(Duration::from_hours(1)).await;
        }
        self.start_office(away, chance).await
    }
}
