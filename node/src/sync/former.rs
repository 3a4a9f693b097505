//! Former epochs of this node after the hub was put back, or after an epoch was left: what the hub acknowledged
//! of them and has no more is pending again, and is written anew in the present epoch (`sync.md` 4, restore
//! table). Of the present epoch the hub says itself how far it has it.

use store::Tx;

use super::Session;
use crate::rewrite;

/// Set where the hub has another incarnation than the one that acknowledged them, or an epoch was left since.
const LOOK: &str = "look_at_former_epochs";

/// The hub was put back, or an epoch was left: whoever greets it next looks how far it has the former epochs.
pub(super) fn look_again(tx: Tx<'_>) -> anyhow::Result<()> {
    Ok(tx.set_setting(LOOK, &[1])?)
}

impl Session {
    /// Takes up again what the hub has lost of former epochs.
    pub(super) async fn take_up_former_epochs(&mut self) -> anyhow::Result<()> {
        let own = self.own;
        let epochs = self
            .app
            .store
            .read::<_, anyhow::Error>(move |tx| {
                let looks = tx.setting(LOOK)?.is_some_and(|look| !look.is_empty());
                Ok(looks.then(|| tx.epochs()).transpose()?)
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
                Ok(tx.set_setting(LOOK, &[])?)
            })
            .await
    }
}
