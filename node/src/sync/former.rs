//! Former journals of this machine after the hub was put back, or after an epoch was left: what the hub acknowledged
//! of them and has no more is pending again, and is written anew in the present epoch (`sync.md` 4, restore
//! table). Those of former epochs, and those that it wrote for the same office under another identity before it was
//! enrolled again. Of the present epoch the hub says itself how far it has it.

use super::{Session, note_rewritten};
use crate::rewrite::{self, LOOK_AT_FORMER};

impl Session {
    /// Takes up again what the hub has lost of former epochs and former identities.
    pub(super) async fn take_up_former_epochs(&mut self) -> anyhow::Result<()> {
        let own = self.own;
        let found = self
            .app
            .read_as_own(move |tx| {
                let look = tx.setting(LOOK_AT_FORMER)?.unwrap_or_default();
                let former = || -> anyhow::Result<_> {
                    Ok((tx.epochs()?, rewrite::journals_before(tx, own)?))
                };
                (!look.is_empty()).then(former).transpose()
            })
            .await?;
        let Some((epochs, journals)) = found else {
            return Ok(());
        };
        let mut lost = Vec::new();
        for epoch in epochs.into_iter().filter(|epoch| *epoch != own.epoch) {
            let places = self
                .app
                .read_as_own(move |tx| Ok(tx.journal_places(epoch)?))
                .await?;
            lost.push((epoch, self.common_place(epoch, places).await?));
        }
        let mut lost_before = Vec::new();
        for journal in journals {
            let read = move |tx: store::Tx<'_>| Ok(tx.former_places(journal)?);
            let places = self.app.read_as_own(read).await?;
            lost_before.push((journal, self.common_place_of(journal, places).await?));
        }
        let count = self
            .app
            .write_as_own(move |tx| {
                for (epoch, common) in lost {
                    rewrite::take_up(tx, epoch, common)?;
                }
                let count = rewrite::take_up_former(tx, own, &lost_before)?;
                tx.set_setting(LOOK_AT_FORMER, &[])?;
                Ok(count)
            })
            .await?;
        note_rewritten(count);
        Ok(())
    }
}
