//! Who calls: the node and its office come from the certificate, never from the message.

use proto::status::CallRefused;
use store::hub::Node;
use tonic::{Request, Status};
use transport::certificate::{PeerIdentity, Validity};

use super::Shared;
use super::connection::Peer;
use crate::error::HubError;

/// How long after its end a certificate may still be renewed without a person: 18 months.
const RENEW_AFTER_END_S_MAX: i64 = 18 * 30 * 24 * 3600;

impl Shared {
    /// The caller's certificate.
    fn peer<T>(request: &Request<T>) -> Result<PeerIdentity, CallRefused> {
        request
            .extensions()
            .get::<Peer>()
            .and_then(|peer| peer.0)
            .ok_or(CallRefused::NoCertificate)
    }

    /// The calling node, unless its certificate has ended, a newer one is in use, or it was revoked.
    pub(super) async fn caller<T>(&self, request: &Request<T>) -> Result<Node, Status> {
        if self.app.progress.is_lost() {
            return Err(CallRefused::Behind.into());
        }
        let peer = Self::peer(request)?;
        let node = self.node_of(peer).await?;
        match peer.validity(system::now_ms().cast_signed()) {
            Validity::Expired => return Err(CallRefused::Expired.into()),
            Validity::Valid | Validity::NotYetValid => {}
        }
        let from = peer.not_before_unix_s;
        if from < node.certified_from {
            return Err(CallRefused::Superseded.into());
        }
        if from > node.certified_from {
            // Used for the first time: from now on the one before may only be renewed.
            self.app
                .store
                .write::<_, HubError>(move |tx| Ok(tx.note_certificate(node.id, from)?))
                .await?;
        }
        Ok(node)
    }

    /// The calling node for Renew, which an expired or superseded certificate may call: a machine
    /// whose folder was put back has the older one.
    pub(super) async fn renewing<T>(
        &self,
        request: &Request<T>,
    ) -> Result<(Node, PeerIdentity), Status> {
        let peer = Self::peer(request)?;
        let now_s = system::now_ms().cast_signed() / 1000;
        if now_s.saturating_sub(peer.not_after_unix_s) > RENEW_AFTER_END_S_MAX {
            return Err(CallRefused::NotAllowed("expired too long ago: enrol again").into());
        }
        Ok((self.node_of(peer).await?, peer))
    }

    async fn node_of(&self, peer: PeerIdentity) -> Result<Node, Status> {
        let id = domain::id::NodeId::new(peer.node);
        let node = self
            .app
            .store
            .read::<_, HubError>(move |tx| Ok(tx.node(id)?))
            .await?;
        let node = node.ok_or(CallRefused::UnknownNode)?;
        let is_revoked = node.revoked_at.is_some() || node.office.bytes() != peer.office;
        if is_revoked {
            Err(CallRefused::Revoked.into())
        } else {
            Ok(node)
        }
    }

    /// Whether the call knows this hub as it is now.
    pub(super) fn check_incarnation(&self, incarnation: &[u8]) -> Result<(), CallRefused> {
        if incarnation == self.app.own.incarnation.bytes() {
            Ok(())
        } else {
            Err(CallRefused::HelloFirst)
        }
    }
}
