//! Certificates: who a peer is, and how the hub issues.
//!
//! ```text
//! root (20 years, key may be offline) ── intermediate (5 years) ─┬─ hub's server leaf (397 days)
//!                                                                └─ office leaf (180 days)
//! ```
//!
//! A leaf never outlives its issuer, nor does an intermediate outlive the root, so a time within
//! the leaf's life is within the life of all above it. The handshake relies on that (see
//! [`crate::tls`]).
//!
//! An office leaf names exactly one thing, in one URI: community (office), node and enrolment.
//! Never the epoch: a node that starts a new epoch keeps its certificate.

pub(crate) mod issue;

use data_encoding::HEXLOWER;
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;
use x509_parser::certificate::X509Certificate;
use x509_parser::extensions::GeneralName;
use x509_parser::prelude::FromDer;

use crate::error::TransportError;

pub use issue::{IssuedLeaf, LeafRequest, request_public_key};

/// The name under which nodes verify every hub, whatever its address.
pub const HUB_DNS_NAME: &str = "hub.lianxin.internal";
/// Life of an office leaf, days.
pub const OFFICE_LIFE_DAYS: i64 = 180;
/// From this day of its life on an office leaf is renewed.
pub const RENEW_FROM_DAY: i64 = 60;

const MS_PER_DAY: i64 = 86_400_000;
/// 2020-01-01 and 2100-01-01: no certificate is made by a clock outside.
const PLAUSIBLE_MS: std::ops::Range<i64> = 1_577_836_800_000..4_102_444_800_000;

/// Whether a certificate is within its dates.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Validity {
    /// Its life has not begun by this clock: some clock was set back.
    NotYetValid,
    /// It may be used.
    Valid,
    /// It may only be renewed.
    Expired,
}

/// What an office's certificate says.
///
/// Taken from a certificate that the handshake has verified, it is the only source of the office
/// that a call acts for. Whether it has expired or was revoked is decided per call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct PeerIdentity {
    /// The office (community).
    pub office: [u8; 16],
    /// The node.
    pub node: [u8; 16],
    /// The enrolment that the certificate goes back to; renewals keep it.
    pub enrolment: [u8; 16],
    /// The serial number of this very certificate.
    pub serial: [u8; 16],
    /// SHA-256 of the node's public key (`SubjectPublicKeyInfo` DER).
    pub key_hash: [u8; 32],
    /// First second of its life, seconds since 1970.
    pub not_before_unix_s: i64,
    /// Last second of its life, seconds since 1970.
    pub not_after_unix_s: i64,
}

impl PeerIdentity {
    /// Reads a certificate. Checks its shape only; that it was issued by our hub is the handshake's
    /// part.
    ///
    /// Errors: [`TransportError::CertificateForeign`] if it is not in the one shape that
    /// [`crate::keys::HubIdentity::issue`] makes.
    pub fn from_certificate(der: &[u8]) -> Result<Self, TransportError> {
        let certificate = parse(der)?;
        if certificate.is_ca() {
            return Err(foreign("belongs to an authority"));
        }
        let usage = certificate.extended_key_usage().ok().flatten();
        if !usage.is_some_and(|usage| usage.value.client_auth && !usage.value.server_auth) {
            return Err(foreign("is not for offices"));
        }
        let names = certificate.subject_alternative_name().ok().flatten();
        let names = names.map_or(&[][..], |names| &names.value.general_names);
        let [GeneralName::URI(uri)] = names else {
            return Err(foreign("does not name one office"));
        };
        let (office, node, enrolment) =
            parse_office_uri(uri).ok_or(foreign("names the office in an unknown way"))?;
        let serial = certificate.raw_serial().try_into();
        Ok(Self {
            office,
            node,
            enrolment,
            serial: serial.map_err(|_| foreign("has an unknown serial number"))?,
            key_hash: sha256(certificate.public_key().raw),
            not_before_unix_s: certificate.validity().not_before.timestamp(),
            not_after_unix_s: certificate.validity().not_after.timestamp(),
        })
    }

    /// Whether the certificate is within its dates at a time, milliseconds since 1970.
    pub fn validity(&self, now_unix_ms: i64) -> Validity {
        let now_s = now_unix_ms.div_euclid(1000);
        if now_s < self.not_before_unix_s {
            Validity::NotYetValid
        } else if now_s > self.not_after_unix_s {
            Validity::Expired
        } else {
            Validity::Valid
        }
    }

    /// True from day [`RENEW_FROM_DAY`] of its life on, and after its end.
    pub fn needs_renewal(&self, now_unix_ms: i64) -> bool {
        let from_ms = self.not_before_unix_s * 1000 + RENEW_FROM_DAY * MS_PER_DAY;
        now_unix_ms >= from_ms
    }
}

/// SHA-256 of a certificate's public key (`SubjectPublicKeyInfo` DER). Of the root, it stands in
/// enrolment codes; it stays the same if the root certificate is issued anew with its old key.
///
/// Errors: [`TransportError::CertificateForeign`] if `der` is no certificate.
pub fn root_hash(der: &[u8]) -> Result<[u8; 32], TransportError> {
    Ok(sha256(parse(der)?.public_key().raw))
}

/// All certificates of a PEM text, as DER, in order; none if it holds none.
///
/// Errors: [`TransportError::CertificateForeign`] if the text is damaged.
pub fn certificates_of(pem: &str) -> Result<Vec<CertificateDer<'static>>, TransportError> {
    CertificateDer::pem_slice_iter(pem.as_bytes())
        .collect::<Result<_, _>>()
        .map_err(|_| foreign("is no PEM text"))
}

/// The only certificate of a PEM text.
pub(crate) fn single_certificate(pem: &str) -> Result<CertificateDer<'static>, TransportError> {
    match certificates_of(pem)?.as_slice() {
        [der] => Ok(der.clone()),
        _ => Err(foreign("is not one certificate")),
    }
}

/// The dates of a certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Life {
    pub(crate) from_s: i64,
    pub(crate) to_s: i64,
}

impl Life {
    pub(crate) fn of(der: &[u8]) -> Result<Self, TransportError> {
        let validity = parse(der)?.tbs_certificate.validity;
        Ok(Self {
            from_s: validity.not_before.timestamp(),
            to_s: validity.not_after.timestamp(),
        })
    }
}

pub(crate) fn office_uri(office: &[u8; 16], node: &[u8; 16], enrolment: &[u8; 16]) -> String {
    let [office, node, enrolment] = [office, node, enrolment].map(|id| HEXLOWER.encode(id));
    format!("lianxin://office/{office}/node/{node}/enrolment/{enrolment}")
}

pub(crate) fn hex_array<const N: usize>(text: &str) -> Option<[u8; N]> {
    HEXLOWER.decode(text.as_bytes()).ok()?.try_into().ok()
}

pub(crate) fn sha256(bytes: &[u8]) -> [u8; 32] {
    let mut hash = [0; 32];
    hash.copy_from_slice(ring::digest::digest(&ring::digest::SHA256, bytes).as_ref());
    hash
}

/// Whole seconds of a plausible time.
pub(crate) fn plausible_seconds(now_unix_ms: i64) -> Result<i64, TransportError> {
    if !PLAUSIBLE_MS.contains(&now_unix_ms) {
        return Err(TransportError::ClockImplausible {
            unix_ms: now_unix_ms,
        });
    }
    Ok(now_unix_ms / 1000)
}

fn parse_office_uri(uri: &str) -> Option<([u8; 16], [u8; 16], [u8; 16])> {
    let rest = uri.strip_prefix("lianxin://office/")?;
    let (office, rest) = rest.split_once("/node/")?;
    let (node, enrolment) = rest.split_once("/enrolment/")?;
    Some((hex_array(office)?, hex_array(node)?, hex_array(enrolment)?))
}

fn parse(der: &[u8]) -> Result<X509Certificate<'_>, TransportError> {
    match X509Certificate::from_der(der) {
        Ok(([], certificate)) => Ok(certificate),
        _ => Err(foreign("is no certificate")),
    }
}

fn foreign(reason: &'static str) -> TransportError {
    TransportError::CertificateForeign { reason }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn the_name_reads_back_and_no_other_spelling_is_taken() {
        let uri = office_uri(&[0xAB; 16], &[2; 16], &[3; 16]);
        assert_eq!(parse_office_uri(&uri), Some(([0xAB; 16], [2; 16], [3; 16])));
        for wrong in [
            uri.to_uppercase(),
            uri.replace("ab", "AB"),
            format!("{uri}/"),
            uri.replace("office", "org"),
            uri[..uri.len() - 2].to_owned(),
            uri.replace("/enrolment/", "/node/"),
        ] {
            assert_eq!(parse_office_uri(&wrong), None, "{wrong}");
        }
    }

    #[test]
    fn renewal_starts_at_day_sixty_and_expiry_at_the_end() {
        let peer = PeerIdentity {
            office: [1; 16],
            node: [2; 16],
            enrolment: [3; 16],
            serial: [4; 16],
            key_hash: [5; 32],
            not_before_unix_s: 1_000_000,
            not_after_unix_s: 2_000_000_000,
        };
        let day_60_ms = 1_000_000_000 + 60 * MS_PER_DAY;
        assert!(!peer.needs_renewal(day_60_ms - 1) && peer.needs_renewal(day_60_ms));
        assert_eq!(peer.validity(999_999_999), Validity::NotYetValid);
        assert_eq!(peer.validity(1_000_000_000), Validity::Valid);
        assert_eq!(peer.validity(2_000_000_000_999), Validity::Valid);
        assert_eq!(peer.validity(2_000_000_001_000), Validity::Expired);
    }
}
