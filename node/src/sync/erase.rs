//! Erases what left the office's scope, and states to the hub what was erased.

use domain::limits;
use proto::convert;
use proto::wire::sync as wire;
use transport::sign::Context;

use super::Session;
use crate::erase;

impl Session {
    /// Erases what can be erased by now, wipes its traces from the file, and tells the hub. With
    /// nothing to do these are three reads of one row each.
    pub(super) async fn erase(&mut self) -> anyhow::Result<()> {
        let has_work = |tx: store::Tx<'_>| Ok(erase::is_erasing(tx)? || erase::has_traces(tx)?);
        if self.app.read_as_own(has_work).await? {
            self.erase_in_portions().await?;
            self.wipe_traces().await?;
        }
        self.state_erased().await
    }

    async fn erase_in_portions(&self) -> anyhow::Result<()> {
        let mut after = None;
        loop {
            let (own, known) = (self.own, self.known.clone());
            let last = self
                .app
                .write_as_own(move |tx| erase::erase(tx, own, &known, after, system::now_ms()))
                .await?;
            if last.is_none() {
                return Ok(());
            }
            after = last;
        }
    }

    async fn wipe_traces(&self) -> anyhow::Result<()> {
        if !self.app.read_as_own(erase::has_traces).await? {
            return Ok(());
        }
        // Somebody reads: the next session tries again.
        if let Err(error) = self.app.store.wipe_traces().await {
            tracing::info!(%error, "traces of what was erased are wiped later");
            return Ok(());
        }
        self.app.write_as_own(erase::forget_traces).await
    }

    /// States what was erased and the hub was not told of; a lost answer states it again.
    async fn state_erased(&mut self) -> anyhow::Result<()> {
        loop {
            let untold = self
                .app
                .read_as_own(|tx| Ok(tx.erased_untold(limits::ERASED_STATED_MAX)?))
                .await?;
            if untold.is_empty() {
                return Ok(());
            }
            let (own, key) = (self.own, &self.signing_key);
            let statements = untold.iter().map(|(_, erased)| {
                let text = convert::erased_signature_text(own.node, own.epoch, erased);
                convert::encode_erased(own.epoch, erased, &key.sign(Context::Erased, &text))
            });
            let request = wire::ReconcileRequest {
                erased: statements.collect(),
                ..self.about(&self.app.office_feed())
            };
            self.client.reconcile(request).await?;
            let numbers: Vec<_> = untold.into_iter().map(|(number, _)| number).collect();
            self.app
                .write_as_own(move |tx| Ok(tx.note_erased_told(&numbers)?))
                .await?;
        }
    }
}
