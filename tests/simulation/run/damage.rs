//! Machines that lose power, start again, and find on their disks less or other than they wrote.

use std::time::Duration;

use anyhow::{Context as _, bail, ensure};
use lianxin_hub::progress::Behind;

use super::Run;
use crate::simulation::chance::Chance;
use crate::simulation::oracle::AtHub;
use crate::simulation::{disk, net};

impl Run {
    /// An office's machine is switched off and on, as one does where a disk is sick.
    pub(super) async fn start_office(
        &mut self,
        office: usize,
        chance: &mut Chance,
    ) -> anyhow::Result<()> {
        self.city.cut_office(office, chance);
        self.count("offices started");
        let started = self.city.start_office(office);
        if self.liars.remove(&office) {
            return self.look_for_damage(office, started, chance).await;
        }
        if self.damaged.contains(&office) && started.is_err() {
            self.count("D1 damaged databases found");
            return self.replace(office, chance).await;
        }
        started.context("invariant S16: an office does not start")
    }

    /// An office whose disk lost what it had promised starts with a part of it, or not at all. It may be whole and
    /// without all that its log held: that was emptied after it had been copied into pages that are gone.
    async fn look_for_damage(
        &mut self,
        office: usize,
        started: anyhow::Result<()>,
        chance: &mut Chance,
    ) -> anyhow::Result<()> {
        self.went_back(office, 0);
        let is_whole = started.is_ok() && self.city.at_office(office, &["verify"]).await.is_ok();
        if is_whole {
            return Ok(());
        }
        self.count("P8 databases found damaged");
        self.replace(office, chance).await
    }

    pub(super) async fn lose_log(
        &mut self,
        office: usize,
        chance: &mut Chance,
    ) -> anyhow::Result<()> {
        if self.city.offices[office].app.is_none() {
            return Ok(());
        }
        let lost = self.city.lose_log(office, chance).await;
        match lost {
            Ok(false) => Ok(()),
            Ok(true) => {
                self.count("P16 O9 write-ahead logs lost");
                self.look_for_damage(office, Ok(()), chance).await
            }
            Err(error) => self.look_for_damage(office, Err(error), chance).await,
        }
    }

    /// One bit of an office's database turns over while it is off. Whether it is found at once or when
    /// somebody verifies, nothing wrong may reach the hub.
    pub(super) async fn flip_office(
        &mut self,
        office: usize,
        chance: &mut Chance,
    ) -> anyhow::Result<()> {
        if self.city.offices[office].app.is_none() {
            return Ok(());
        }
        self.city.cut_office(office, chance);
        tokio::time::sleep(Duration::from_secs(1)).await;
        if disk::flip(&self.folder(office), chance) {
            self.count("D1 bits turned over");
            self.damaged.insert(office);
            self.went_back(office, 0);
        }
        self.start_office(office, chance).await
    }

    /// The same at the hub, of which there is a backup.
    pub(super) async fn flip_hub(&mut self, chance: &mut Chance) -> anyhow::Result<()> {
        if self.backups.is_empty() || self.city.hub.app.is_none() {
            return Ok(());
        }
        let before = AtHub::read(&self.city).await.ok();
        self.cut_hub(chance).await;
        tokio::time::sleep(Duration::from_secs(1)).await;
        self.before_damage = before.or(self.before_damage.take());
        if disk::flip(&self.hub_folder(), chance) {
            self.count("D2 bits turned over at the hub");
            self.hub_is_damaged = true;
        }
        self.start_hub(chance).await
    }

    /// The hub is switched off and starts without its write-ahead log.
    pub(super) async fn lose_hub_log(&mut self, chance: &mut Chance) -> anyhow::Result<()> {
        if self.backups.is_empty() || self.city.hub.app.is_none() {
            return Ok(());
        }
        self.cut_hub(chance).await;
        tokio::time::sleep(Duration::from_secs(1)).await;
        if disk::lose_logs(&self.hub_folder()) {
            self.count("P16 O9 write-ahead logs of the hub lost");
            self.hub_lies = true;
        }
        self.start_hub(chance).await
    }

    /// The hub's folder goes back to the last backup, and nobody is told.
    pub(super) async fn put_hub_back(&mut self, chance: &mut Chance) -> anyhow::Result<()> {
        let slot = self.some_slot(self.backups.len());
        let Some((backup, held)) = slot.and_then(|slot| self.backups.get(slot).cloned()) else {
            return Ok(());
        };
        if self.city.hub.app.is_none() || self.hub_lies || self.hub_is_damaged {
            return Ok(());
        }
        let before = AtHub::read(&self.city).await.ok();
        let put_back = self.city.put_hub_back(&backup, chance).await;
        self.ledger.hub_restored(&held, before);
        match put_back {
            // A machine has enrolled since: the register beside the database says so.
            Err(error) if error.is::<Behind>() => {
                self.count("P16 hubs that found their database behind");
                self.city.begin_recovery(chance).await
            }
            Ok(()) => {
                self.count("D4 hubs put back and not told");
                Ok(())
            }
            broken => broken,
        }
    }

    /// A hub that a node has proven to be behind ends; its operator says that it was put back.
    pub(super) async fn look_at_proof(&mut self, chance: &mut Chance) -> anyhow::Result<()> {
        if !self.city.hub_is_lost() {
            return Ok(());
        }
        self.count("D4 hubs that a node proved to be behind");
        self.cut_hub(chance).await;
        tokio::time::sleep(Duration::from_secs(1)).await;
        let started = self.city.start_hub();
        let Err(why) = started else {
            bail!("invariant S9: a hub that was proven to be behind serves again");
        };
        ensure!(
            why.is::<Behind>(),
            "invariant S9: a hub that was proven to be behind says: {why:#}"
        );
        match self.city.begin_recovery(chance).await {
            // A bit has turned over as well, or its disk lied until its power failed: what is damaged is no
            // state to go on from.
            Err(_) if self.hub_is_damaged || self.hub_lies => {
                self.count("P8 D2 damaged hubs found");
                self.restore(chance).await
            }
            begun => begun,
        }
    }

    /// Somebody verifies what may be damaged, and puts another in the place of what is.
    pub(super) async fn find_damage(&mut self, chance: &mut Chance) -> anyhow::Result<()> {
        self.find_hub_damage(chance).await?;
        for office in std::mem::take(&mut self.damaged) {
            let found = self.city.at_office(office, &["verify"]).await.is_err();
            self.count(if found {
                "D1 damaged databases found"
            } else {
                "D1 bits without effect"
            });
            if found {
                self.replace(office, chance).await?;
            }
        }
        Ok(())
    }

    pub(super) async fn find_hub_damage(&mut self, chance: &mut Chance) -> anyhow::Result<()> {
        if self.hub_is_damaged && self.city.hub.app.is_some() {
            // Who looks at it wakes it.
            self.city.hub.machine.wake();
            let found = self.city.at_hub(&["verify"]).await.is_err();
            self.count(if found {
                "D2 damaged hubs found"
            } else {
                "D2 bits at the hub without effect"
            });
            if found {
                self.restore(chance).await?;
            }
            (self.hub_is_damaged, self.before_damage) = (false, None);
        }
        Ok(())
    }

    /// An office gets a new machine; what the old one had not sent is lost with it.
    pub(super) async fn replace(
        &mut self,
        office: usize,
        chance: &mut Chance,
    ) -> anyhow::Result<()> {
        self.city.hub.machine.wake();
        self.city.offices[office].machine.wake();
        // A code that has ended for a wrong clock makes people set it right.
        self.city.hub.machine.set_offset(0);
        self.city.offices[office].machine.set_offset(0);
        if self.city.hub.app.is_none() || disk::machine(&self.hub_folder()).borrow().is_off {
            self.start_hub(chance).await?;
        }
        self.find_hub_damage(chance).await?;
        self.city.net.set_up(office, true);
        self.city.net.set_faults(office, net::Faults::default());
        self.ledger.look_at_hub(&self.city).await?;
        let replaced = self.city.replace_office(office, chance).await;
        // The desk cannot do it now: its disk is full, or takes no write.
        if replaced.is_err() {
            self.start_hub(chance).await?;
            if let Err(error) = self.city.replace_office(office, chance).await {
                // The hub has lost its organisations: the old machine goes on, and may bring them back.
                let is_unknown = error.to_string().contains("no such organisation");
                anyhow::ensure!(is_unknown, "{error:#}");
                self.city.net.set_faults(office, self.faults);
                return Box::pin(self.start_office(office, chance)).await;
            }
        }
        self.city.net.set_faults(office, self.faults);
        self.went_back(office, 0);
        self.copies.remove(&office);
        self.liars.remove(&office);
        self.damaged.remove(&office);
        self.count("D22 D6 machines destroyed and replaced");
        Ok(())
    }

    /// What the hub had before a bit turned over is there no more than what it has left.
    pub(super) fn note_before_damage(&mut self, held: &[String]) {
        if let Some(before) = self.before_damage.take() {
            self.ledger.hub_restored(held, Some(before));
        }
    }

    /// The hub's power fails. Where its disk lies, what it had is noted first.
    pub(super) async fn cut_hub(&mut self, chance: &mut Chance) {
        if self.hub_lies && self.before.is_none() {
            self.before = AtHub::read(&self.city).await.ok();
        }
        self.city.cut_hub(chance);
    }

    /// The hub is switched off and on. One that does not start, or that its own proof finds damaged, is
    /// restored from its last backup.
    pub(super) async fn start_hub(&mut self, chance: &mut Chance) -> anyhow::Result<()> {
        self.cut_hub(chance).await;
        self.count("hub started");
        let is_behind = |error: &anyhow::Error| error.is::<Behind>();
        let started = self.city.start_hub();
        if !self.hub_lies && !self.hub_is_damaged {
            // It was switched off after a node had proven that it is behind.
            return match started {
                Err(error) if is_behind(&error) && self.ledger.hub_was_restored() => {
                    self.count("D4 hubs that a node proved to be behind");
                    self.city.begin_recovery(chance).await
                }
                started => started.context("invariant S11 S16: the hub does not start"),
            };
        }
        let mut has_begun_again = false;
        let is_whole = match started {
            // It says so, and its operator decides what it goes on from.
            Err(error) if is_behind(&error) => {
                self.count("P16 hubs that found their database behind");
                has_begun_again =
                    chance.happens(500) && self.city.begin_recovery(chance).await.is_ok();
                has_begun_again
            }
            Ok(()) if self.hub_lies => self.city.at_hub(&["verify"]).await.is_ok(),
            started => started.is_ok(),
        };
        if !is_whole {
            self.count("P8 D2 damaged hubs found");
            return self.restore(chance).await;
        }
        if self.hub_lies || has_begun_again {
            self.count("P8 hubs that lost what they had promised");
            let held: Vec<_> = AtHub::read(&self.city).await?.tokens.into_keys().collect();
            let before = self.before.take();
            if has_begun_again {
                self.note_before_damage(&held);
            }
            self.ledger.hub_restored(&held, before);
            self.hub_lies = false;
        }
        Ok(())
    }
}
