//! The enrolment code (入网码): everything an office needs to find its hub, to be sure that it is the
//! right one, and to prove that it was invited.
//!
//! ```text
//! version u8 ‖ length u8 ‖ office 16 ‖ root hash 32 ‖ secret 16 ‖ expiry u32 BE, unix seconds
//!   ‖ office code (length u8, UTF-8) ‖ count u8, addresses (each length u8, UTF-8) ‖ checksum 4
//! ```
//!
//! `length` counts all bytes; the checksum is the head of the BLAKE3 of all before it. Written in
//! Crockford base32, in groups of five characters and one check character, so that a typing error
//! is found at once and its group named (see the `base32` module).
//!
//! The code is a secret until it is used: whoever has it may join as that office. The hub keeps
//! only [`secret_hash`].

mod base32;

use crate::error::TransportError;

/// Days that a code lives if nobody says otherwise.
pub const DAYS_DEFAULT: u32 = 7;
/// The most days that a code may live.
pub const DAYS_MAX: u32 = 30;
/// The most addresses in one code.
pub const ADDRESSES_MAX: usize = 4;
/// The most bytes of an office code: the thirty characters that an organisation's code may have, of any script.
pub const OFFICE_CODE_BYTES_MAX: usize = 120;

const VERSION: u8 = 1;
const CHECKSUM_BYTES: usize = 4;

/// A parsed, well-formed enrolment code. `Debug` leaves the secret out.
#[derive(Clone, PartialEq, Eq)]
pub struct EnrolmentCode {
    /// Where the hub answers, `host:port`, 1 to [`ADDRESSES_MAX`], in order of preference.
    pub addresses: Vec<String>,
    /// SHA-256 of the hub's root key ([`crate::certificate::root_hash`]).
    pub root_hash: [u8; 32],
    /// The office that may join with this code.
    pub office: [u8; 16],
    /// That office's short code, shown to the clerk; 1 to [`OFFICE_CODE_BYTES_MAX`] bytes.
    pub office_code: String,
    /// The one-time secret; see [`generate_secret`].
    pub secret: [u8; 16],
    /// When the code ends, seconds since 1970 by the *hub's* clock. An office does not judge it:
    /// its own clock may be wrong, and the hub refuses in any case.
    pub expires_unix_s: u32,
}

impl EnrolmentCode {
    /// The code as one line to be copied: groups of six characters with hyphens between.
    ///
    /// Errors: [`TransportError::FieldInvalid`] if an address or the office code is empty, too long
    /// or malformed, or if all together do not fit (255 bytes).
    pub fn text(&self) -> Result<String, TransportError> {
        self.check_fields()?;
        let mut bytes = vec![VERSION, 0];
        bytes.extend_from_slice(&self.office);
        bytes.extend_from_slice(&self.root_hash);
        bytes.extend_from_slice(&self.secret);
        bytes.extend_from_slice(&self.expires_unix_s.to_be_bytes());
        put_text(&mut bytes, &self.office_code)?;
        bytes.push(u8::try_from(self.addresses.len()).map_err(|_| too_long())?);
        for address in &self.addresses {
            put_text(&mut bytes, address)?;
        }
        bytes[1] = u8::try_from(bytes.len() + CHECKSUM_BYTES).map_err(|_| too_long())?;
        let sum = checksum(&bytes);
        bytes.extend_from_slice(&sum);
        Ok(base32::write(&bytes))
    }

    /// Reads a code as a person pasted or typed it: spaces, line breaks, any hyphens, lower case,
    /// O for 0, I or L for 1, and full-width characters are all understood.
    ///
    /// Errors, each with the place: [`TransportError::CodeCharacter`], `CodeMistyped`,
    /// `CodeTruncated`, `CodeTooLong`, `CodeInconsistent`, `CodeVersion`.
    pub fn parse(text: &str) -> Result<Self, TransportError> {
        let symbols = base32::symbols(text)?;
        let head = base32::head(&symbols)?;
        if head[0] != VERSION {
            return Err(TransportError::CodeVersion { found: head[0] });
        }
        let bytes = base32::read(&symbols, usize::from(head[1]))?;
        Self::from_bytes(&bytes).ok_or(TransportError::CodeInconsistent)
    }

    fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (body, sum) = bytes.split_last_chunk::<CHECKSUM_BYTES>()?;
        if *sum != checksum(body) {
            return None;
        }
        let (_version_and_length, rest) = body.split_first_chunk::<2>()?;
        let (office, rest) = rest.split_first_chunk::<16>()?;
        let (root_hash, rest) = rest.split_first_chunk::<32>()?;
        let (secret, rest) = rest.split_first_chunk::<16>()?;
        let (expires, rest) = rest.split_first_chunk::<4>()?;
        let (office_code, rest) = take_text(rest)?;
        let (count, mut rest) = rest.split_first()?;
        let mut addresses = Vec::new();
        for _ in 0..*count {
            let (address, after) = take_text(rest)?;
            addresses.push(address);
            rest = after;
        }
        let code = Self {
            addresses,
            root_hash: *root_hash,
            office: *office,
            office_code,
            secret: *secret,
            expires_unix_s: u32::from_be_bytes(*expires),
        };
        (rest.is_empty() && code.check_fields().is_ok()).then_some(code)
    }

    /// The hub's check that the code has not ended.
    ///
    /// Errors: [`TransportError::CodeExpired`] from the second of expiry on.
    pub fn check_expiry(&self, now_unix_ms: i64) -> Result<(), TransportError> {
        if now_unix_ms >= i64::from(self.expires_unix_s) * 1000 {
            return Err(TransportError::CodeExpired {
                expired_unix_s: self.expires_unix_s,
            });
        }
        Ok(())
    }

    fn check_fields(&self) -> Result<(), TransportError> {
        if self.addresses.is_empty() || self.addresses.len() > ADDRESSES_MAX {
            return invalid("address", "one to four are needed");
        }
        for address in &self.addresses {
            let (host, port) = address.rsplit_once(':').unwrap_or((address, ""));
            let plain = address.chars().all(|c| c.is_ascii_graphic());
            if host.is_empty() || !plain || port.parse::<u16>().unwrap_or(0) == 0 {
                return invalid("address", "must be host:port");
            }
        }
        check_office_code(&self.office_code)
    }
}

impl std::fmt::Debug for EnrolmentCode {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("EnrolmentCode")
            .field("addresses", &self.addresses)
            .field("office_code", &self.office_code)
            .field("expires_unix_s", &self.expires_unix_s)
            .finish_non_exhaustive()
    }
}

/// Draws the one-time secret of a new code: 128 bits.
///
/// Errors: [`TransportError::Crypto`] if the system has no randomness.
pub fn generate_secret() -> Result<[u8; 16], TransportError> {
    crate::sign::random()
}

/// When a code made now ends, seconds since 1970.
///
/// Errors: [`TransportError::FieldInvalid`] if `days` is not 1 to [`DAYS_MAX`],
/// [`TransportError::ClockImplausible`] if the clock is outside 2020 to 2100.
pub fn expiry(now_unix_ms: i64, days: u32) -> Result<u32, TransportError> {
    if !(1..=DAYS_MAX).contains(&days) {
        return invalid("days", "must be 1 to 30");
    }
    let now_s = crate::certificate::plausible_seconds(now_unix_ms)?;
    u32::try_from(now_s + i64::from(days) * 86_400).map_err(|_| TransportError::ClockImplausible {
        unix_ms: now_unix_ms,
    })
}

/// What the hub stores instead of a secret. The secret has 128 random bits, so one keyed hash is
/// enough.
pub fn secret_hash(secret: &[u8; 16]) -> [u8; 32] {
    blake3::derive_key("lianxin 2026 enrolment code secret v1", secret)
}

/// The six figures that both sides show during an enrolment (核对数字). If they agree, the keys that
/// the hub received are those that this node made, and no third party sits between.
///
/// `tls_public_key` is the node's P-256 key as `SubjectPublicKeyInfo` DER, `signing_key` its
/// Ed25519 key, `root_hash` that of the hub's root. Always six digits, zeros in front included.
pub fn comparison_number(
    secret: &[u8; 16],
    tls_public_key: &[u8],
    signing_key: &[u8; 32],
    root_hash: &[u8; 32],
) -> String {
    let mut hasher = blake3::Hasher::new_derive_key("lianxin 2026 enrolment comparison number v1");
    for part in [&secret[..], tls_public_key, signing_key, root_hash] {
        hasher.update(&(part.len() as u64).to_be_bytes());
        hasher.update(part);
    }
    let mut head = [0; 8];
    hasher.finalize_xof().fill(&mut head);
    format!("{:06}", u64::from_be_bytes(head) % 1_000_000)
}

fn check_office_code(code: &str) -> Result<(), TransportError> {
    if code.is_empty() || code.len() > OFFICE_CODE_BYTES_MAX {
        return invalid("office code", "must have 1 to 120 bytes");
    }
    if code.chars().any(char::is_control) {
        return invalid("office code", "must not hold control characters");
    }
    Ok(())
}

fn checksum(body: &[u8]) -> [u8; CHECKSUM_BYTES] {
    let [a, b, c, d, ..] = *blake3::hash(body).as_bytes();
    [a, b, c, d]
}

fn put_text(bytes: &mut Vec<u8>, text: &str) -> Result<(), TransportError> {
    bytes.push(u8::try_from(text.len()).map_err(|_| too_long())?);
    bytes.extend_from_slice(text.as_bytes());
    Ok(())
}

fn take_text(bytes: &[u8]) -> Option<(String, &[u8])> {
    let (length, rest) = bytes.split_first()?;
    let (text, rest) = rest.split_at_checked(usize::from(*length))?;
    Some((std::str::from_utf8(text).ok()?.to_owned(), rest))
}

fn too_long() -> TransportError {
    TransportError::FieldInvalid {
        what: "address",
        reason: "too long for a code",
    }
}

fn invalid<T>(what: &'static str, reason: &'static str) -> Result<T, TransportError> {
    Err(TransportError::FieldInvalid { what, reason })
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests;
