//! Former journals of this machine after the hub was put back, or after an epoch was left: what the hub acknowledged
//! of them and has no more is pending again, and is written anew in the present epoch (`sync.md` 4, restore
//! table). Those of former epochs, and those that it wrote under another identity before it was enrolled again. Of the
//! present epoch the hub says itself how far it has it.

use domain::id::NodeId;

use super::{Session, note_rewritten};
use crate::rewrite::{self, LOOK_AT_FORMER};

impl Session {
    /// Takes up again what the hub has lost of former epochs and former identities.
    pub(super) async fn take_up_former_epochs(&mut self) -> anyhow::Result<()> {
        let own = self.own;
        let found = self
            .app
            .store
            .read::<_, anyhow::Error>(move |tx| {
                let look = tx.setting(LOOK_AT_FORMER)?.unwrap_or_default();
                let former = || -> anyhow::Result<_> { Ok((tx.epochs()?, tx.former_journals()?)) };
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
                .store
                .read::<_, anyhow::Error>(move |tx| Ok(tx.journal_places(epoch)?))
                .await?;
            lost.push((epoch, self.common_place(epoch, places).await?));
        }
        let mut lost_before = Vec::new();
        let mut is_all = true;
        for journal in journals {
            match self.common_place_before(journal).await? {
                Some(common) => lost_before.push((journal, common)),
                None => is_all = false,
            }
        }
        let count = self
            .app
            .store
            .write::<_, anyhow::Error>(move |tx| {
                for (epoch, common) in lost {
                    rewrite::take_up(tx, epoch, common)?;
                }
                let count = rewrite::take_up_former(tx, own, &lost_before)?;
                if is_all {
                    tx.set_setting(LOOK_AT_FORMER, &[])?;
                }
                Ok(count)
            })
            .await?;
        note_rewritten(count);
        Ok(())
    }

    /// The last place at which the hub has the same journal of a former identity; none where it does not say: then
    /// that one stood for another office, and what it wrote is not the present office's to send.
    async fn common_place_before(&mut self, journal: (NodeId, u32)) -> anyhow::Result<Option<u64>> {
        let read = move |tx: store::Tx<'_>| Ok(tx.former_places(journal)?);
        let places = self.app.store.read::<_, anyhow::Error>(read).await?;
        match self.common_place_of(journal, places).await {
            Ok(common) => Ok(Some(common)),
            Err(error) => match error.downcast_ref::<tonic::Status>() {
                Some(refused) if refused.code() == tonic::Code::PermissionDenied => {
                    tracing::warn!(node = %journal.0, "nothing is told of what this machine was before");
                    Ok(None)
                }
                _ => Err(error),
            },
        }
    }
}
