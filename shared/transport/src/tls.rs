//! TLS 1.3 between nodes and their hub.
//!
//! | side | trusts | checks the dates |
//! |---|---|---|
//! | hub, of an office's certificate | its own root | no; the per-call check does |
//! | enrolled node, of the hub's certificate | the one pinned root | no; it reports `clock_suspect` |
//! | enrolling node | the root whose key hash stands in the code | as above |
//!
//! Only TLS 1.3, only ring, ALPN `h2`, no resumption and no tickets: each connection proves its
//! certificate anew, so there is no stored session that a revocation could miss.
//!
//! **Why no side refuses by date during the handshake.** An expired but not revoked key may still
//! call Renew, so the hub has to let it in and decide per call. And an office's clock may be wrong
//! by years (an empty battery on the board says 1970 or 2010): an office that refuses its own hub
//! by date is cut off until somebody travels there, while it is the hub that tells it the right
//! time. What is given up is small. The trust is one private root, whose only server certificates
//! are this hub's; an attacker would need the hub's own old private key, and whoever could read
//! that could read the present one. What the hub says is signed besides. So a certificate outside
//! its dates is accepted, the fact is kept in [`ClientTls::clock_suspect`], and the session shows
//! it.

mod accept;
mod connect;
pub(crate) mod verify;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use rustls::crypto::CryptoProvider;
use rustls::time_provider::TimeProvider;
use rustls::version::TLS13;
use rustls::{ClientConfig, ServerConfig, ServerConnection};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{PrivateKeyDer, UnixTime};

use crate::certificate::{PeerIdentity, certificates_of, single_certificate};
use crate::error::TransportError;
use crate::keys::{HubIdentity, NodeIdentity};
use verify::{HubVerifier, OfficeVerifier, Trust};

pub use accept::{TlsConnection, TlsIncoming, listen, serve_tls};
pub use connect::connect;

/// Where the time comes from: milliseconds since 1970. Only the programs' `system` module makes
/// one.
pub type Clock = Arc<dyn Fn() -> i64 + Send + Sync>;

const ALPN: &[u8] = b"h2";

/// The hub's side. An office's certificate is asked for and may be absent (Enroll has none yet);
/// one that is presented must chain to the hub's root and have the shape of [`PeerIdentity`].
///
/// Errors: `KeyFileBroken` or `Crypto` if the hub's own certificate cannot be used.
pub fn server_config(hub: &HubIdentity, clock: Clock) -> Result<Arc<ServerConfig>, TransportError> {
    let root = single_certificate(hub.root_pem())?;
    let (chain, key) = hub.server_chain()?;
    let verifier = Arc::new(OfficeVerifier::new(root, provider())?);
    let mut config = ServerConfig::builder_with_details(provider(), time(clock))
        .with_protocol_versions(&[&TLS13])
        .map_err(|_| unusable("tls settings"))?
        .with_client_cert_verifier(verifier)
        .with_single_cert(chain, key)
        .map_err(|_| unusable("server certificate"))?;
    config.alpn_protocols = vec![ALPN.to_vec()];
    config.send_tls13_tickets = 0;
    config.session_storage = Arc::new(rustls::server::NoServerSessionStorage {});
    Ok(Arc::new(config))
}

/// Whom a connection accepted by the hub belongs to; none if it showed no certificate.
pub fn peer_identity(connection: &ServerConnection) -> Option<PeerIdentity> {
    let leaf = connection.peer_certificates()?.first()?;
    PeerIdentity::from_certificate(leaf).ok()
}

/// A node's side.
#[derive(Clone, Debug)]
pub struct ClientTls {
    config: Arc<ClientConfig>,
    clock_suspect: Arc<AtomicBool>,
}

impl ClientTls {
    /// For an enrolled node: trusts the pinned root only and presents the node's certificate.
    ///
    /// Errors: `CertificateForeign` or `Crypto` if the stored identity cannot be used.
    pub fn enrolled(identity: &NodeIdentity, clock: Clock) -> Result<Self, TransportError> {
        let root = single_certificate(&identity.root_pem)?;
        let key = PrivateKeyDer::from_pem_slice(identity.tls_key.pem().as_bytes())
            .map_err(|_| unusable("node key"))?;
        let own = (certificates_of(&identity.chain_pem)?, key);
        Self::new(Trust::root(root)?, Some(own), clock)
    }

    /// For a node that enrols: trusts a chain whose root has this key hash (out of the enrolment
    /// code), and presents nothing.
    ///
    /// Errors: `Crypto` if TLS cannot be set up.
    pub fn enrolling(root_hash: [u8; 32], clock: Clock) -> Result<Self, TransportError> {
        Self::new(Trust::RootHash(root_hash), None, clock)
    }

    /// The configuration, for [`connect`].
    pub fn config(&self) -> &Arc<ClientConfig> {
        &self.config
    }

    /// True if at the newest handshake the hub's certificate was outside its dates by this node's
    /// clock: then that clock is wrong, or the hub was not restarted for a year. To be shown, and a
    /// reason to trust the hub's time of the next Hello more than one's own.
    pub fn clock_suspect(&self) -> bool {
        self.clock_suspect.load(Ordering::Relaxed)
    }

    fn new(
        trust: Trust,
        own: Option<(
            Vec<rustls_pki_types::CertificateDer<'static>>,
            PrivateKeyDer<'static>,
        )>,
        clock: Clock,
    ) -> Result<Self, TransportError> {
        let clock_suspect = Arc::new(AtomicBool::new(false));
        let verifier = HubVerifier::new(trust, provider(), clock_suspect.clone());
        let builder = ClientConfig::builder_with_details(provider(), time(clock))
            .with_protocol_versions(&[&TLS13])
            .map_err(|_| unusable("tls settings"))?
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(verifier));
        let mut config = match own {
            Some((chain, key)) => builder
                .with_client_auth_cert(chain, key)
                .map_err(|_| unusable("node certificate"))?,
            None => builder.with_no_client_auth(),
        };
        config.alpn_protocols = vec![ALPN.to_vec()];
        config.resumption = rustls::client::Resumption::disabled();
        Ok(Self {
            config: Arc::new(config),
            clock_suspect,
        })
    }
}

fn provider() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::ring::default_provider())
}

fn time(clock: Clock) -> Arc<dyn TimeProvider> {
    Arc::new(ClockTime(clock))
}

/// The programs' clock as rustls wants it.
struct ClockTime(Clock);

impl TimeProvider for ClockTime {
    fn current_time(&self) -> Option<UnixTime> {
        // A clock before 1970 counts as 1970: the dates do not decide anyway.
        let ms = u64::try_from((self.0)()).unwrap_or(0);
        Some(UnixTime::since_unix_epoch(Duration::from_millis(ms)))
    }
}

impl std::fmt::Debug for ClockTime {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str("ClockTime")
    }
}

fn unusable(what: &'static str) -> TransportError {
    TransportError::Crypto { what }
}
