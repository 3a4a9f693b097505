//! Former epochs of this node after the hub was put back, or after an epoch was left: what the hub acknowledged
//! of them and has no more is pending again, and is written anew in the present epoch (`sync.md` 4, restore
//! table). Of the present epoch the hub says itself how far it has it.

use super::Session;
use crate::rewrite::{self, LOOK_AT_FORMER};

impl Session {
    /// Takes up again what the hub has lost of former epochs.
    pub(super) async fn take_up_former_epochs(&mut self) -> anyhow::Result<()> {
        let own = self.own;
        let epochs = self
            .app
            .store
            .read::<_, anyhow::Error>(move |tx| {
                let look = tx.setting(LOOK_AT_FORMER)?.unwrap_or_default();
                Ok((!look.is_empty()).then(|| tx.epochs()).transpose()?)
            })
            .await?;
        let Some(epochs) = epochs else {
            return Ok(());
        };
        let mut lost = Vec::new();
        for epoch in epochs.into_iter().filter(|epoch| *epoch != own.epoch) {
            let places = self
                .app
                .store
                .read::<_, anyhow::Error>(move |tx| Ok(tx.journal_places(epoch)?))
                .await?;
            lost.push((epoch, self.common_place(epoch, places).await?));
        }
        self.app
            .store
            .write::<_, anyhow::Error>(move |tx| {
                for (epoch, common) in lost {
                    rewrite::take_up(tx, epoch, common)?;
                }
                Ok(tx.set_setting(LOOK_AT_FORMER, &[])?)
            })
            .await
    }
}
