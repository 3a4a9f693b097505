//! The two checks of certificates: who, but not when. The module doc of [`crate::tls`] says why.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{verify_server_cert_signed_by_trust_anchor, verify_server_name};
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::server::{ParsedCertificate, WebPkiClientVerifier};
use rustls::{
    CertificateError, DigitallySignedStruct, DistinguishedName, Error, RootCertStore,
    SignatureScheme,
};
use rustls_pki_types::{CertificateDer, ServerName, UnixTime};

use crate::certificate::{
    HUB_DNS_NAME, Life, PeerIdentity, certificates_of, root_hash, single_certificate,
};
use crate::error::TransportError;

/// The time at which a chain is verified: now, or the nearest second within the leaf's life.
///
/// A leaf's life lies within that of its issuers, so at that second only the dates have been set
/// aside; issuer, signatures, usage and names are checked as ever.
fn time_within_life(leaf: &CertificateDer<'_>, now: UnixTime) -> Result<UnixTime, Error> {
    let life = Life::of(leaf).map_err(|_| Error::from(CertificateError::BadEncoding))?;
    let [from_s, to_s] = [life.from_s, life.to_s].map(|s| u64::try_from(s).unwrap_or(0));
    if from_s > to_s {
        return Err(CertificateError::BadEncoding.into());
    }
    let nearest_s = now.as_secs().clamp(from_s, to_s);
    Ok(UnixTime::since_unix_epoch(Duration::from_secs(nearest_s)))
}

/// The hub's check of an office's certificate.
#[derive(Debug)]
pub(crate) struct OfficeVerifier {
    inner: Arc<dyn ClientCertVerifier>,
}

impl OfficeVerifier {
    pub(crate) fn new(
        root: CertificateDer<'static>,
        provider: Arc<CryptoProvider>,
    ) -> Result<Self, TransportError> {
        let inner = WebPkiClientVerifier::builder_with_provider(Arc::new(store(root)?), provider)
            .allow_unauthenticated()
            .build()
            .map_err(|_| TransportError::Crypto {
                what: "client verifier",
            })?;
        Ok(Self { inner })
    }
}

impl ClientCertVerifier for OfficeVerifier {
    fn client_auth_mandatory(&self) -> bool {
        false
    }

    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        self.inner.root_hint_subjects()
    }

    fn verify_client_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        let at = time_within_life(end_entity, now)?;
        let verified = self
            .inner
            .verify_client_cert(end_entity, intermediates, at)?;
        PeerIdentity::from_certificate(end_entity)
            .map_err(|_| Error::from(CertificateError::ApplicationVerificationFailure))?;
        Ok(verified)
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.inner
            .verify_tls12_signature(message, certificate, signature)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.inner
            .verify_tls13_signature(message, certificate, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.inner.supported_verify_schemes()
    }
}

/// What a node trusts.
#[derive(Debug)]
pub(crate) enum Trust {
    /// The root stored at enrolment.
    Root(RootCertStore),
    /// A root that the server presents itself and whose key has this SHA-256.
    RootHash([u8; 32]),
}

impl Trust {
    pub(crate) fn root(root: CertificateDer<'static>) -> Result<Self, TransportError> {
        store(root).map(Self::Root)
    }
}

/// A node's check of the hub's certificate. The name is always [`HUB_DNS_NAME`], whatever address
/// was called.
#[derive(Debug)]
pub(crate) struct HubVerifier {
    trust: Trust,
    provider: Arc<CryptoProvider>,
    clock_suspect: Arc<AtomicBool>,
}

impl HubVerifier {
    pub(crate) fn new(
        trust: Trust,
        provider: Arc<CryptoProvider>,
        clock_suspect: Arc<AtomicBool>,
    ) -> Self {
        Self {
            trust,
            provider,
            clock_suspect,
        }
    }
}

impl ServerCertVerifier for HubVerifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let presented;
        let roots = match &self.trust {
            Trust::Root(roots) => roots,
            Trust::RootHash(hash) => {
                let root = intermediates
                    .iter()
                    .find(|der| root_hash(der).is_ok_and(|h| h == *hash));
                let root = root.ok_or(Error::from(CertificateError::UnknownIssuer))?;
                presented = store(root.clone().into_owned())
                    .map_err(|_| Error::from(CertificateError::BadEncoding))?;
                &presented
            }
        };
        let at = time_within_life(end_entity, now)?;
        let certificate = ParsedCertificate::try_from(end_entity)?;
        let algorithms = self.provider.signature_verification_algorithms.all;
        verify_server_cert_signed_by_trust_anchor(
            &certificate,
            roots,
            intermediates,
            at,
            algorithms,
        )?;
        verify_server_name(&certificate, &hub_name()?)?;
        self.clock_suspect
            .store(at.as_secs() != now.as_secs(), Ordering::Relaxed);
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls12_signature(message, certificate, signature, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls13_signature(message, certificate, signature, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider
            .signature_verification_algorithms
            .supported_schemes()
    }
}

/// The name that every node asks for.
pub(crate) fn hub_name() -> Result<ServerName<'static>, Error> {
    ServerName::try_from(HUB_DNS_NAME).map_err(|_| Error::General("hub name".to_owned()))
}

/// Checks that a node's chain (leaf first) leads to this root, dates aside.
///
/// Errors: `AnswerMismatch` if it does not, `CertificateForeign` if a text is damaged.
pub(crate) fn office_chain(root_pem: &str, chain_pem: &str) -> Result<(), TransportError> {
    let verifier = OfficeVerifier::new(single_certificate(root_pem)?, super::provider())?;
    let mismatch = TransportError::AnswerMismatch {
        what: "issuer of the certificate",
    };
    match certificates_of(chain_pem)?.split_first() {
        Some((leaf, above)) => {
            let beginning = UnixTime::since_unix_epoch(Duration::ZERO);
            let result = verifier.verify_client_cert(leaf, above, beginning);
            result.map(|_| ()).map_err(|_| mismatch)
        }
        None => Err(mismatch),
    }
}

fn store(root: CertificateDer<'static>) -> Result<RootCertStore, TransportError> {
    let mut roots = RootCertStore::empty();
    roots
        .add(root)
        .map_err(|_| TransportError::CertificateForeign {
            reason: "is no root",
        })?;
    Ok(roots)
}
