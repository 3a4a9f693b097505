//! What an office can lose: its write-ahead log, its whole machine.

use std::time::Duration;

use anyhow::Context as _;

use super::{City, code_of};
use crate::simulation::chance::Chance;
use crate::simulation::disk;

impl City {
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
