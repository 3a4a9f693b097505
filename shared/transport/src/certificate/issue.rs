//! Making certificates. Deterministic but for the keys and ECDSA's own nonces: times are arguments,
//! serial numbers are hashes of what the certificate says.

use std::net::IpAddr;
use std::time::Duration;

use data_encoding::HEXLOWER;
use rcgen::{
    BasicConstraints, Certificate, CertificateParams, CertificateSigningRequestParams, DnType,
    ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, KeyUsagePurpose, PublicKeyData, SanType,
    SerialNumber,
};
use rustls_pki_types::{CertificateDer, CertificateSigningRequestDer};

use super::{HUB_DNS_NAME, Life, OFFICE_LIFE_DAYS, office_uri, plausible_seconds, sha256};
use crate::error::TransportError;

/// Life of the root, days (20 years).
const ROOT_LIFE_DAYS: i64 = 20 * 365;
/// Life of an intermediate, days (5 years).
const INTERMEDIATE_LIFE_DAYS: i64 = 5 * 365;
/// Life of the hub's server leaf, days.
const SERVER_LIFE_DAYS: i64 = 397;
/// Certificates begin this long before they are made, so that a clock set right does not refuse
/// them.
pub(crate) const BACKDATED_S: i64 = 3600;
/// A request for a P-256 certificate has about 300 bytes.
const REQUEST_BYTES_MAX: usize = 4096;
/// The most bytes of a common name.
const COMMON_NAME_BYTES_MAX: usize = 32;
const SECONDS_PER_DAY: i64 = 86_400;

/// What the hub has decided to certify.
#[derive(Clone, Copy, Debug)]
pub struct LeafRequest<'a> {
    /// The office (community).
    pub office: [u8; 16],
    /// The office's short code, the certificate's common name, for display only. One that is no name
    /// (1 to 32 bytes, without spaces) gives way to the office's id: an office whose code was changed
    /// must still get its certificate.
    pub office_code: &'a str,
    /// The node.
    pub node: [u8; 16],
    /// The enrolment; a renewal repeats it.
    pub enrolment: [u8; 16],
    /// The node's PKCS#10 request, DER, at most 4 KiB. Only its public key is used (P-256); its
    /// signature proves that the node has the private one.
    pub request_der: &'a [u8],
}

/// A freshly issued office certificate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IssuedLeaf {
    /// The leaf and its intermediate, PEM, to be sent to the node.
    pub chain_pem: String,
    /// What the leaf says.
    pub identity: super::PeerIdentity,
}

/// A certificate with its private key.
pub(crate) struct Made {
    pub(crate) certificate_pem: String,
    pub(crate) key: KeyPair,
}

/// An authority that can sign: its certificate and key.
pub(crate) struct Authority {
    pem: String,
    der: CertificateDer<'static>,
    issuer: Issuer<'static, KeyPair>,
}

impl Authority {
    /// Takes a CA certificate, one PEM section, and the key belonging to it.
    pub(crate) fn new(pem: String, key: KeyPair) -> Result<Self, TransportError> {
        let der = super::single_certificate(&pem)?;
        if super::root_hash(&der)? != sha256(&key.subject_public_key_info()) {
            return Err(super::foreign("does not belong to its key"));
        }
        let issuer =
            Issuer::from_ca_cert_der(&der, key).map_err(|_| super::foreign("is no authority"))?;
        Ok(Self { pem, der, issuer })
    }

    /// When the authority itself ends, seconds since 1970.
    pub(crate) fn ends_unix_s(&self) -> Result<i64, TransportError> {
        Ok(Life::of(&self.der)?.to_s)
    }

    /// The certificate, PEM.
    pub(crate) fn pem(&self) -> &str {
        &self.pem
    }

    /// A life from now on that ends no later than this authority's own.
    fn life(&self, now_unix_ms: i64, days: i64) -> Result<Life, TransportError> {
        let own = Life::of(&self.der)?;
        let wanted = life(now_unix_ms, days)?;
        let life = Life {
            from_s: wanted.from_s.max(own.from_s),
            to_s: wanted.to_s.min(own.to_s),
        };
        if life.from_s >= life.to_s {
            return Err(TransportError::ClockImplausible {
                unix_ms: now_unix_ms,
            });
        }
        Ok(life)
    }

    fn sign(
        &self,
        mut params: CertificateParams,
        life: Life,
        key: &impl PublicKeyData,
    ) -> Result<Certificate, TransportError> {
        seal(&mut params, life, key);
        params
            .signed_by(key, &self.issuer)
            .map_err(|_| crypto("certificate"))
    }

    /// The intermediate, signed by this root.
    pub(crate) fn intermediate(
        &self,
        name: &str,
        now_unix_ms: i64,
    ) -> Result<Made, TransportError> {
        let life = self.life(now_unix_ms, INTERMEDIATE_LIFE_DAYS)?;
        let key = new_key()?;
        let params = authority_params(&format!("{name} issuing"), 0);
        Ok(Made {
            certificate_pem: self.sign(params, life, &key)?.pem(),
            key,
        })
    }

    /// The hub's server leaf: the fixed name, and each host (DNS name or IP address) besides.
    pub(crate) fn server(
        &self,
        hosts: &[String],
        now_unix_ms: i64,
    ) -> Result<Made, TransportError> {
        let life = self.life(now_unix_ms, SERVER_LIFE_DAYS)?;
        let key = new_key()?;
        let mut params = leaf_params(HUB_DNS_NAME, ExtendedKeyUsagePurpose::ServerAuth);
        params.subject_alt_names.push(dns_name(HUB_DNS_NAME)?);
        for host in hosts.iter().filter(|host| *host != HUB_DNS_NAME) {
            params.subject_alt_names.push(match host.parse::<IpAddr>() {
                Ok(address) => SanType::IpAddress(address),
                Err(_) => dns_name(host)?,
            });
        }
        Ok(Made {
            certificate_pem: self.sign(params, life, &key)?.pem(),
            key,
        })
    }

    /// An office's leaf. See [`crate::keys::HubIdentity::issue`].
    pub(crate) fn office(
        &self,
        request: &LeafRequest<'_>,
        now_unix_ms: i64,
    ) -> Result<IssuedLeaf, TransportError> {
        let key = requested_key(request.request_der)?;
        let life = self.life(now_unix_ms, OFFICE_LIFE_DAYS)?;
        let name = if is_common_name(request.office_code) {
            request.office_code.to_owned()
        } else {
            HEXLOWER.encode(&request.office)
        };
        let mut params = leaf_params(&name, ExtendedKeyUsagePurpose::ClientAuth);
        let uri = office_uri(&request.office, &request.node, &request.enrolment);
        params
            .subject_alt_names
            .push(SanType::URI(uri.try_into().map_err(|_| crypto("name"))?));
        let leaf = self.sign(params, life, &key)?;
        Ok(IssuedLeaf {
            identity: super::PeerIdentity::from_certificate(leaf.der())?,
            chain_pem: leaf.pem() + &self.pem,
        })
    }
}

/// Whether an office's code stands in its certificate as the name.
fn is_common_name(code: &str) -> bool {
    let is_plain = |c: char| !c.is_control() && !c.is_whitespace();
    (1..=COMMON_NAME_BYTES_MAX).contains(&code.len()) && code.chars().all(is_plain)
}

/// A new self-signed root.
pub(crate) fn root(name: &str, now_unix_ms: i64) -> Result<Made, TransportError> {
    let life = life(now_unix_ms, ROOT_LIFE_DAYS)?;
    let key = new_key()?;
    let mut params = authority_params(name, 1);
    seal(&mut params, life, &key);
    let certificate = params
        .self_signed(&key)
        .map_err(|_| crypto("root certificate"))?;
    Ok(Made {
        certificate_pem: certificate.pem(),
        key,
    })
}

/// A new P-256 key.
pub(crate) fn new_key() -> Result<KeyPair, TransportError> {
    KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256).map_err(|_| crypto("p-256 key"))
}

/// A request for an office certificate, DER, signed with `key`.
/// It names nobody: who the node is, the hub says.
pub(crate) fn request_der(key: &KeyPair) -> Result<Vec<u8>, TransportError> {
    let mut params = CertificateParams::default();
    params.distinguished_name = rcgen::DistinguishedName::new();
    let request = params
        .serialize_request(key)
        .map_err(|_| crypto("certificate request"))?;
    Ok(request.der().to_vec())
}

/// The public key (`SubjectPublicKeyInfo` DER) of a node's certificate request, after its signature
/// was checked; the hub needs it for [`crate::code::comparison_number`] and to know a repeat.
///
/// Errors: [`TransportError::RequestInvalid`] if it is too long, not P-256, or not signed by its
/// key.
pub fn request_public_key(request_der: &[u8]) -> Result<Vec<u8>, TransportError> {
    Ok(requested_key(request_der)?.subject_public_key_info())
}

fn requested_key(der: &[u8]) -> Result<rcgen::PublicKey, TransportError> {
    let invalid = |reason| TransportError::RequestInvalid { reason };
    if der.len() > REQUEST_BYTES_MAX {
        return Err(invalid("too long"));
    }
    let request =
        CertificateSigningRequestParams::from_der(&CertificateSigningRequestDer::from(der))
            .map_err(|_| invalid("damaged or not signed by its own key"))?;
    if *request.public_key.algorithm() != rcgen::PKCS_ECDSA_P256_SHA256 {
        return Err(invalid("not a p-256 key"));
    }
    Ok(request.public_key)
}

fn authority_params(name: &str, below: u8) -> CertificateParams {
    let mut params = named_params(name);
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(below));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    params
}

fn leaf_params(name: &str, usage: ExtendedKeyUsagePurpose) -> CertificateParams {
    let mut params = named_params(name);
    params.is_ca = IsCa::ExplicitNoCa;
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![usage];
    params
}

fn named_params(name: &str) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name = rcgen::DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, name);
    params.use_authority_key_identifier_extension = true;
    params
}

/// Sets dates and serial number, the last things before signing.
fn seal(params: &mut CertificateParams, life: Life, key: &impl PublicKeyData) {
    let epoch = rcgen::date_time_ymd(1970, 1, 1);
    params.not_before = epoch + Duration::from_secs(life.from_s.unsigned_abs());
    params.not_after = epoch + Duration::from_secs(life.to_s.unsigned_abs());
    let mut hasher = blake3::Hasher::new_derive_key("lianxin 2026 certificate serial v1");
    hasher
        .update(&life.from_s.to_be_bytes())
        .update(&life.to_s.to_be_bytes());
    for name in &params.subject_alt_names {
        hasher.update(format!("{name:?}\n").as_bytes());
    }
    hasher.update(&key.subject_public_key_info());
    let mut serial = [0; 16];
    hasher.finalize_xof().fill(&mut serial);
    // Positive, and without a zero in front: then it has 16 bytes in the certificate as well.
    serial[0] = serial[0] & 0x7F | 0x40;
    params.serial_number = Some(SerialNumber::from_slice(&serial));
}

fn life(now_unix_ms: i64, days: i64) -> Result<Life, TransportError> {
    let now_s = plausible_seconds(now_unix_ms)?;
    Ok(Life {
        from_s: now_s - BACKDATED_S,
        to_s: now_s + days * SECONDS_PER_DAY,
    })
}

fn dns_name(host: &str) -> Result<SanType, TransportError> {
    let invalid = TransportError::FieldInvalid {
        what: "host",
        reason: "not a host name or address",
    };
    if rustls_pki_types::DnsName::try_from(host).is_err() {
        return Err(invalid);
    }
    host.try_into().map(SanType::DnsName).map_err(|_| invalid)
}

fn crypto(what: &'static str) -> TransportError {
    TransportError::Crypto { what }
}
