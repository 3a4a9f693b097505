//! Databases that are copied without their write-ahead logs: what is behind must be found, and what
//! anybody else has must come back.

use anyhow::{Context as _, ensure};

use super::finish::end;
use super::images::Sweep;
use super::script::Memory;
use crate::simulation::chance::Chance;
use crate::simulation::city::{City, Place, Still};
use crate::simulation::disk::log::{Cut, Replay};
use crate::simulation::oracle::AtHub;

impl Sweep<'_> {
    /// Takes the logs away from one machine after another, at some accesses.
    ///
    /// # Errors
    /// What does not hold.
    pub(super) async fn lose_logs(&mut self) -> anyhow::Result<()> {
        let end = self.recording.log.accesses.len();
        let (mut replay, mut done) = (self.recording.base.clone(), 0);
        for number in 1..=self.wanted.faults {
            let at = end * usize::try_from(number)? / usize::try_from(self.wanted.faults)?;
            for access in self
                .recording
                .log
                .accesses
                .get(done..at)
                .unwrap_or_default()
            {
                replay.step(access);
            }
            done = at;
            for machine in 0..self.stage.folders.len() {
                self.lose_log(&replay, machine, at).await.with_context(|| {
                    format!(
                        "the log of machine {machine} lost at {at}\n  cargo sim sweep --scenario '{}' --faults {}",
                        self.stage.scenario.name, self.wanted.faults
                    )
                })?;
            }
        }
        Ok(())
    }

    async fn lose_log(&mut self, replay: &Replay, machine: usize, at: usize) -> anyhow::Result<()> {
        // What a hub that is being put back has lost is known already.
        let (mut memory, ..) = self.recording.known_at(at);
        if self.is_restoring(at) || !memory.is_simple() {
            return Ok(());
        }
        let mut chance = Chance::new(self.wanted.seed, "lost", at as u64);
        let folders = self.stage.folders.iter().enumerate();
        let places = folders.map(|(machine, folder)| {
            let (image, _) = replay.cut(folder, Cut::All, None, &mut chance);
            let beside = self.recording.beside(self.stage, replay, machine, at);
            Place {
                image,
                beside: (*beside).clone(),
            }
        });
        let mut still = Still {
            passed: self.recording.passed,
            places: places.collect(),
        };
        let whole = still.clone();
        let place = still.places.get_mut(machine).context("a machine")?;
        let (image, is_lost) = std::mem::take(&mut place.image).without_logs();
        place.image = image;
        // Where there is no database yet, there is nothing that could be behind.
        if !is_lost || !place.image.has(super::stage::database_of(machine).1) {
            return Ok(());
        }
        // A machine that is only being enrolled has promised nothing yet.
        self.stage.city.put_back(&whole, at as u64).await?;
        super::stage::switch_on(&mut self.stage.city, false)?;
        if !is_everybody_enrolled(&self.stage.city)? {
            return Ok(());
        }
        self.met.count("O9 P16 write-ahead logs lost", 1);
        let place = still.places.get(machine).context("a machine")?;
        match self.bench.verify(machine, place).await {
            // The log was being copied into the file, which is new in part: a backup is needed.
            Err(why) if is_half_copied(&why) => {
                self.met.count(
                    "P4 P16 half-written databases without their log, refused",
                    1,
                );
                return Ok(());
            }
            Err(why) if !why.is::<lianxin_hub::progress::Behind>() => return Err(why),
            _ => {}
        }
        match machine {
            0 => self.hub_without(&still, &mut memory, at).await,
            _ => {
                self.office_without(&still, &mut memory, (machine - 1, at))
                    .await
            }
        }
    }

    async fn office_without(
        &mut self,
        still: &Still,
        memory: &mut Memory,
        (office, at): (usize, usize),
    ) -> anyhow::Result<()> {
        let city = &mut self.stage.city;
        city.put_back(still, at as u64).await?;
        super::stage::switch_on(city, false)?;
        memory.ledger.look_at_hub(city).await?;
        memory.ledger.rolled_back(office, 0);
        let before = heads(city, office).await?;
        end(self.stage, memory).await?;
        let Some((epoch, own, known)) = before else {
            return Ok(());
        };
        if known > own {
            let after = heads(&self.stage.city, office).await?;
            ensure!(
                after.is_some_and(|(now, ..)| now > epoch),
                "fault P16: the hub has {known} changes, the office {own}, and it goes on in epoch {epoch}"
            );
            self.met
                .count("P16 offices that found their database behind", 1);
        }
        Ok(())
    }

    async fn hub_without(
        &mut self,
        still: &Still,
        memory: &mut Memory,
        at: usize,
    ) -> anyhow::Result<()> {
        let city = &mut self.stage.city;
        let before = AtHub::read(city).await?;
        city.put_back(still, at as u64).await?;
        match city.start_hub() {
            Err(error) if error.is::<lianxin_hub::progress::Behind>() => {
                self.met
                    .count("P16 hubs that found their database behind", 1);
                city.begin_recovery(&mut Chance::new(0, "recovery", 0))
                    .await?;
            }
            started => started?,
        }
        let held: Vec<_> = AtHub::read(city).await?.tokens.into_keys().collect();
        memory.ledger.hub_restored(&held, Some(before));
        for office in 0..city.size {
            city.open_quietly(office)?;
            // Where it holds more than the hub, it proves that in its greeting and is refused.
            drop(city.sync(office).await);
        }
        if city.hub_is_lost() {
            self.met
                .count("D4 P16 hubs that a node proved to be behind", 1);
            city.begin_recovery(&mut Chance::new(0, "recovery", 0))
                .await?;
        }
        end(self.stage, memory).await
    }
}

fn is_half_copied(why: &anyhow::Error) -> bool {
    let stores = why.downcast_ref::<store::StoreError>();
    matches!(stores, Some(store::StoreError::HalfCopied(_)))
}

fn is_everybody_enrolled(city: &City) -> anyhow::Result<bool> {
    for app in city.offices.iter().filter_map(|office| office.app.as_ref()) {
        if app.keys()?.identity.is_none() {
            return Ok(false);
        }
    }
    Ok(true)
}

/// The epoch in which an office writes, how many changes of it the office has, and how many the hub.
async fn heads(city: &City, office: usize) -> anyhow::Result<Option<(u32, u64, u64)>> {
    let Some(app) = city
        .offices
        .get(office)
        .and_then(|office| office.app.as_ref())
    else {
        return Ok(None);
    };
    let Some(identity) = app.keys()?.identity else {
        return Ok(None);
    };
    let epoch = identity.epoch;
    let last = app
        .store
        .read::<_, store::StoreError>(move |tx| tx.last_entry(epoch));
    let own = last.await?.map_or(0, |entry| entry.sequence);
    let hub = city.hub.app.as_ref().context("the hub is on")?;
    let journals = hub.store.read::<_, store::StoreError>(|tx| tx.journals());
    let all = journals.await?;
    let node = domain::id::NodeId::new(identity.node);
    let known = all
        .iter()
        .find(|journal| journal.node == node && journal.epoch == epoch);
    Ok(Some((
        epoch,
        own,
        known.map_or(0, |journal| journal.received),
    )))
}
