//! What an office can lose: its write-ahead log, its whole machine. And what is left of it: backups, and a machine
//! that was replaced and is switched on again.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, bail, ensure};
use domain::id::NodeId;
use lianxin_node::app::{App, Own};
use proto::status::CallRefused;
use store::writer::Store;
use tonic::{Code, Status};

use super::{City, Copy, code_of, put_copy};
use crate::simulation::chance::Chance;
use crate::simulation::disk::{self, Image};
use crate::simulation::net::{End, Faults};
use crate::simulation::world::{Machine, at};

/// The name of a backup that an office makes of itself.
const BACKUP: &str = "backup.sqlite";

/// What a machine that was replaced met when it spoke.
#[derive(Debug)]
pub enum Spoke {
    /// Nothing: the office still has it, so it did not speak as a replaced one.
    IsPresent,
    /// The hub said that it was revoked.
    Refused,
    /// It was not served, and the hub did not say that; what was said instead.
    Unheard(String),
}

impl City {
    /// A copy of an office's folder in which the database is what the office's own command `backup` writes.
    ///
    /// # Errors
    /// What the command fails with; where a file cannot be read.
    pub async fn copy_by_command(&self, number: usize) -> anyhow::Result<Copy> {
        let office = self.offices.get(number).context("an office")?;
        let file = office.folder.join(BACKUP);
        let folder = office.folder.to_string_lossy().into_owned();
        let made = self
            .at_office(number, &["backup", &file.to_string_lossy()])
            .await;
        let bytes = disk::take(&folder, BACKUP);
        drop(disk::take(&folder, &format!("{BACKUP}-journal")));
        if file.exists() {
            std::fs::remove_file(&file)?;
        }
        made?;
        let mut copy = self.copy_office(number)?;
        copy.image = Image::of("node.sqlite", bytes.context("a backup")?);
        Ok(copy)
    }

    /// A machine that was replaced is switched on again and speaks, over a good line: the hub does not serve it, and
    /// neither of the two changes.
    ///
    /// # Errors
    /// Invariants S19 and S1; a folder that cannot be opened.
    pub async fn old_machine_speaks(&self, number: usize, old: &Copy) -> anyhow::Result<Spoke> {
        let office = self.offices.get(number).context("an office")?;
        let present = office.app.as_ref().context("on")?.keys()?;
        let folder = office.folder.with_extension("old");
        put_copy(&folder, old)?;
        let chance = Chance::new(self.seed, "machine", 2_000 + number as u64);
        let machine = Arc::new(Machine::new(self.begin, chance));
        let line = self.size + number;
        let faults = self.net.set_faults(line, Faults::default());
        let dial = End::new(Arc::clone(&self.net), line, folder.clone());
        let opened = {
            let _here = system::within(Arc::clone(&machine) as Arc<dyn system::World>);
            App::open_on(&folder, Store::open_on_caller, Arc::new(dial))?
        };
        let own = Own::of_keys(&opened.keys()?);
        let is_old = own.node != Own::of_keys(&present).node && own.node != NodeId::default();
        let mut spoke = Spoke::IsPresent;
        if is_old {
            let before = (self.received(own.node).await, written(&opened).await?);
            let said = at(&machine, lianxin_node::sync::once(&opened)).await;
            let after = (self.received(own.node).await, written(&opened).await?);
            // Its power may fail in between.
            let has_grown = before
                .0
                .zip(after.0)
                .is_some_and(|(before, after)| before != after);
            let office = code_of(number);
            let Err(error) = said else {
                bail!("invariant S19: a machine of {office} that was replaced is served");
            };
            spoke = if error.chain().any(says_revoked) {
                Spoke::Refused
            } else {
                Spoke::Unheard(format!("{error:#}"))
            };
            ensure!(
                before.1 == after.1 && !has_grown,
                "invariant S1: the old machine of {office} or the hub has changed: {before:?}, {after:?}"
            );
        }
        drop(opened);
        self.net.set_faults(line, faults);
        disk::put_image(&folder.to_string_lossy(), &Image::default());
        Ok(spoke)
    }

    /// How many changes of a machine the hub has; none where it does not answer.
    async fn received(&self, node: NodeId) -> Option<u64> {
        let hub = self.hub.app.as_ref()?;
        let journals = hub.store.read::<_, store::StoreError>(|tx| tx.journals());
        let journals = journals.await.ok()?;
        let own = journals.iter().filter(|journal| journal.node == node);
        Some(own.map(|journal| journal.received).sum())
    }

    /// An office is switched off and starts without its write-ahead log; whether there was anything in it.
    ///
    /// # Errors
    /// Where the database that is left cannot be opened.
    pub async fn lose_log(&mut self, number: usize, chance: &mut Chance) -> anyhow::Result<bool> {
        self.cut_office(number, chance);
        tokio::time::sleep(Duration::from_secs(1)).await;
        let office = self.offices.get(number).context("an office")?;
        let lost = disk::lose_logs(&office.folder.to_string_lossy());
        self.start_office(number)?;
        Ok(lost)
    }

    /// An office's machine is gone for good: the desk revokes it, and a new one joins with a new code.
    ///
    /// # Errors
    /// The hub is off; whatever does not come up.
    pub async fn replace_office(
        &mut self,
        number: usize,
        chance: &mut Chance,
    ) -> anyhow::Result<()> {
        self.cut_office(number, chance);
        tokio::time::sleep(Duration::from_secs(1)).await;
        let code = code_of(number);
        self.at_hub(&["office", "revoke", &code]).await?;
        let office = self.offices.get(number).context("an office")?;
        let folder = office.folder.clone();
        disk::put_image(&folder.to_string_lossy(), &disk::Image::default());
        // A first try may have got so far.
        if folder.exists() {
            std::fs::remove_dir_all(&folder)?;
        }
        disk::power_on(&folder.to_string_lossy());
        self.enrol(number).await
    }
}

/// Whether this is the hub's word that a machine was revoked: it forbids other calls with the same code.
fn says_revoked(cause: &(dyn std::error::Error + 'static)) -> bool {
    cause.downcast_ref::<Status>().is_some_and(|status| {
        status.code() == Code::PermissionDenied
            && status.message() == CallRefused::Revoked.to_string()
    })
}

/// How many changes a machine has entered, in all its epochs, and how many of them wait.
async fn written(app: &App) -> anyhow::Result<(u64, u64)> {
    let read = |tx: store::Tx<'_>| {
        let mut written = 0;
        for epoch in tx.epochs()? {
            written += tx.journal_places(epoch)?.len() as u64;
        }
        Ok((written, tx.pending_count()?))
    };
    Ok(app.store.read::<_, store::StoreError>(read).await?)
}
