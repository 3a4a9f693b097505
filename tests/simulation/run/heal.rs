//! After the faults: everything starts and comes together in bounded time.

use std::time::Duration;

use anyhow::{Context as _, bail};
use domain::limits::WAITING_MS_MAX;

use super::Run;
use crate::simulation::chance::Chance;
use crate::simulation::plan::{Event, What};
use crate::simulation::{net, oracle, work};

/// After faults have ended, everything comes together within so many sessions of each office.
const SESSIONS_MAX: usize = 50;
/// Nobody works for so long: what still waits for a record goes to a person then.
const NOBODY_WORKS: Duration = Duration::from_millis(WAITING_MS_MAX + 3_600_000);
/// What is told of what people do after that.
const AFTERWARDS: Event = Event {
    number: 0,
    at_ms: 0,
    what: What::Desk,
};

impl Run {
    /// No faults any more: everything starts, and comes together in bounded time.
    pub(super) async fn heal(&mut self) -> anyhow::Result<()> {
        self.faults = net::Faults::default();
        let mut chance = Chance::new(self.city.seed, "heal", 0);
        for office in 0..self.city.size {
            self.city.net.set_faults(office, net::Faults::default());
            self.city.net.set_up(office, true);
            self.city.offices[office].machine.set_offset(0);
        }
        self.city.hub.machine.set_offset(0);
        self.start_all(&mut chance).await?;
        self.find_damage(&mut chance).await?;
        for twin in self.city.twins.values().copied().collect::<Vec<_>>() {
            self.city.cut_office(twin, &mut chance);
        }
        // Late copies of calls have arrived then.
        tokio::time::sleep(Duration::from_millis(net::LATEST_MS + 60_000)).await;
        let mut apart = self.come_together(&mut chance).await?;
        if apart.is_some() && self.waits_for_records_only().await? {
            self.count("D20 changes that waited for a refused record went to a person");
            self.rest(NOBODY_WORKS, &mut chance).await;
            self.start_all(&mut chance).await?;
            apart = self.come_together(&mut chance).await?;
        }
        let Some(mut why) = apart else {
            return Ok(());
        };
        self.tell_state().await;
        if let Err(error) = oracle::audit(&self.city, &self.ledger).await {
            why = format!("{why} ({error:#})");
        }
        bail!("invariant L1: not together after healing: {why}")
    }

    /// Work goes on after it all, in every second city: what is entered while the lines are cut is saved and waits,
    /// a member moves, and everything comes together again.
    pub(super) async fn work_again(&mut self) -> anyhow::Result<()> {
        let mut chance = Chance::new(self.city.seed, "again", 0);
        if !chance.happens(500) {
            return Ok(());
        }
        self.set_lines_up(false);
        for office in 0..self.city.size {
            self.city.look_at_keys(office)?;
        }
        let (saved, begun) = work::begin_again(&self.city).await?;
        for (office, done) in saved {
            self.note(done, Some(office), &AFTERWARDS);
        }
        tokio::time::sleep(Duration::from_mins(10)).await;
        self.set_lines_up(true);
        if let Some(begun) = begun {
            for (place, done) in work::go_on(&self.city, &begun).await {
                self.note(done, place, &AFTERWARDS);
            }
        }
        self.count("cities in which work went on");
        match self.come_together(&mut chance).await? {
            None => Ok(()),
            Some(why) => bail!("invariant L1: not together after more work: {why}"),
        }
    }

    fn set_lines_up(&self, are_up: bool) {
        for office in 0..self.city.size {
            self.city.net.set_up(office, are_up);
        }
    }

    pub(super) async fn start_all(&mut self, chance: &mut Chance) -> anyhow::Result<()> {
        self.start_hub(chance).await?;
        for office in 0..self.city.size {
            self.start_office(office, chance).await?;
        }
        Ok(())
    }

    /// Lets every office sync until all is quiet; none then, else what is not.
    async fn come_together(&mut self, chance: &mut Chance) -> anyhow::Result<Option<String>> {
        let mut why = String::new();
        for round in 1..=SESSIONS_MAX {
            self.look_at_proof(chance).await?;
            let mut is_quiet = true;
            for office in 0..self.city.size {
                if let Err(error) = self.city.sync(office).await {
                    why = format!("office {office}: {error:#}");
                    is_quiet = false;
                    if why.contains("two machines speak") {
                        self.count("machines named");
                        self.city.name_machine(office).await?;
                    }
                    continue;
                }
                if let Err(reason) = oracle::is_quiet(&self.city, office).await? {
                    why = format!("office {office}: {reason}");
                    is_quiet = false;
                }
            }
            for office in 0..self.city.size {
                if is_quiet && !oracle::is_level(&self.city, office).await? {
                    why = format!("office {office} lacks something of the hub's");
                    is_quiet = false;
                }
            }
            self.watch_cursors().await?;
            if is_quiet {
                let what = format!("quiet after rounds: {round}");
                *self.outcome.events.entry(what).or_insert(0) += 1;
                return Ok(None);
            }
            tokio::time::sleep(Duration::from_mins(1)).await;
        }
        Ok(Some(why))
    }

    /// Whether all that still waits at the offices waits at the hub for a record that it names: one that was
    /// refused may never come, and what names it goes to a person after a month (`sync.md` 3, rule 6).
    async fn waits_for_records_only(&self) -> anyhow::Result<bool> {
        for office in &self.city.offices[..self.city.size] {
            let app = office.app.as_ref().context("on")?;
            let epoch = app.keys()?.identity.context("enrolled")?.epoch;
            let first = app
                .store
                .read::<_, store::StoreError>(move |tx| tx.first_pending(epoch));
            if first.await?.is_some() {
                return Ok(false);
            }
        }
        Ok(true)
    }
}
