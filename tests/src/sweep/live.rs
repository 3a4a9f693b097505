//! Disks that are full or fail while a scenario runs: from each access on, once or for ever.

use anyhow::Context as _;

use super::finish::end;
use super::images::Sweep;
use super::script;
use super::stage::switch_on;
use crate::simulation::chance::Chance;
use crate::simulation::disk;

/// What goes wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fault {
    /// There is no room, from then on.
    Full,
    /// There is no room for one write.
    FullOnce,
    /// A write or sync fails once, and what a failed sync was to bring is lost.
    Error,
    /// Every write and sync fails, from then on.
    Broken,
}

const FAULTS: [Fault; 4] = [Fault::Full, Fault::FullOnce, Fault::Error, Fault::Broken];

impl Sweep<'_> {
    /// Runs the scenario again and again, each time with a fault at another access of one machine.
    ///
    /// # Errors
    /// What does not hold, with the command that shows it again.
    pub(super) async fn fail_everywhere(&mut self) -> anyhow::Result<()> {
        let mut counts = vec![0u64; self.stage.folders.len()];
        for access in &self.recording.log.accesses {
            let machine = self.stage.machine_of(&access.file);
            if let Some(count) = machine.and_then(|machine| counts.get_mut(machine)) {
                *count += 1;
            }
        }
        for (machine, count) in counts.into_iter().enumerate() {
            let wanted = self.wanted.faults.min(count);
            for number in 0..wanted {
                let mut chance =
                    Chance::new(self.wanted.seed, "fault", number << 8 | machine as u64);
                let (low, high) = (count * number / wanted, count * (number + 1) / wanted);
                let at = low + chance.below(high - low);
                for fault in FAULTS {
                    self.fail(machine, fault, at).await.with_context(|| {
                        format!(
                            "{fault:?} at access {at} of machine {machine}\n  cargo sim sweep --scenario '{}' --faults {}",
                            self.stage.scenario.name, self.wanted.faults
                        )
                    })?;
                }
            }
        }
        Ok(())
    }

    async fn fail(&mut self, machine: usize, fault: Fault, at: u64) -> anyhow::Result<()> {
        let mut memory = self.stage.begin(at + 1).await?;
        let folder = self
            .stage
            .folders
            .get(machine)
            .cloned()
            .context("a machine")?;
        let disk = disk::machine(&folder);
        let before = disk.borrow().met;
        {
            let mut disk = disk.borrow_mut();
            let number = disk.writes + at;
            match fault {
                Fault::Full => disk.full_from = Some(number),
                Fault::FullOnce => (disk.full_from, disk.full_until) = (Some(number), Some(number)),
                Fault::Error => (disk.fail_at, disk.failed_syncs_lose) = (Some(number), true),
                Fault::Broken => (disk.broken_from, disk.failed_syncs_lose) = (Some(number), true),
            }
        }
        let lines = self.stage.lines.clone();
        let ran = script::run(&mut self.stage.city, &mut memory, (&lines, 0), false).await;
        let met = disk.borrow().met;
        let times =
            (met.full - before.full) + (met.errors - before.errors) + (met.broken - before.broken);
        let is_full = matches!(fault, Fault::Full | Fault::FullOnce);
        if times > 0 {
            self.met.count(
                if is_full {
                    "P5 runs with a full disk"
                } else {
                    "P7 runs with a failing disk"
                },
                1,
            );
        }
        let first = ran?
            .iter()
            .find(|ran| !ran.is_done)
            .map_or(lines.len(), |ran| ran.line);
        if is_full {
            // Room again, and the same program goes on.
            disk::power_on(&folder);
            self.start_again_if_off()?;
        } else {
            self.start_after_failure(at).await?;
        }
        memory.draw_from(1_000_000);
        let city = &mut self.stage.city;
        script::run(city, &mut memory, (&lines, first), false).await?;
        end(self.stage, &memory).await
    }

    /// A program that did not survive its fault is started.
    fn start_again_if_off(&mut self) -> anyhow::Result<()> {
        let city = &mut self.stage.city;
        if city.hub.app.is_none() {
            city.start_hub()?;
        }
        for office in 0..city.size {
            if city
                .offices
                .get(office)
                .is_some_and(|office| office.app.is_none())
            {
                city.open_quietly(office)?;
            }
        }
        Ok(())
    }

    /// The power fails, and nothing is left but what truly was synced: what was told after a failed
    /// sync must be there.
    async fn start_after_failure(&mut self, at: u64) -> anyhow::Result<()> {
        let mut still = self.stage.city.stand_still();
        for (place, folder) in still.places.iter_mut().zip(&self.stage.folders) {
            place.image = disk::durable_image(folder);
        }
        self.stage.city.put_back(&still, at + 1).await?;
        let may_be_behind = self.stage.restores();
        switch_on(&mut self.stage.city, may_be_behind)
    }
}
