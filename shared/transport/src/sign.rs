//! Ed25519 signatures, each bound to its purpose.
//!
//! Signed bytes = `"lianxin/v1/"` ‖ label of the [`Context`] ‖ `"\n"` ‖ message. No label contains
//! a line break, so a signature made for one purpose can never be passed off as one for another.

use std::sync::Arc;

use ring::rand::SecureRandom;
use ring::signature::{ED25519, Ed25519KeyPair, KeyPair, UnparsedPublicKey};

use crate::error::TransportError;

const PREFIX: &[u8] = b"lianxin/v1/";

/// What a signature is for. The labels are part of the format and never change.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Context {
    /// A node's batch of changes: label `batch`.
    Batch,
    /// The hub's statement of how far it has decided: label `decided`.
    Decided,
    /// The hub's own journal: label `hub-journal`.
    HubJournal,
    /// A digest, by either side; two of them make an equality certificate: label `digest`.
    Digest,
    /// A node's statement of what it has erased: label `erased`.
    Erased,
    /// A node's request to be enrolled, which proves its signing key: label `enrol`.
    Enrol,
}

impl Context {
    /// The label inside the signed bytes.
    pub const fn label(self) -> &'static str {
        match self {
            Self::Batch => "batch",
            Self::Decided => "decided",
            Self::HubJournal => "hub-journal",
            Self::Digest => "digest",
            Self::Erased => "erased",
            Self::Enrol => "enrol",
        }
    }

    fn bytes(self, message: &[u8]) -> Vec<u8> {
        [PREFIX, self.label().as_bytes(), b"\n", message].concat()
    }
}

/// A private Ed25519 key. Never printed.
#[derive(Clone)]
pub struct SigningKey {
    seed: [u8; 32],
    pair: Arc<Ed25519KeyPair>,
}

impl SigningKey {
    /// Makes a new key from the operating system's randomness.
    ///
    /// Errors: [`TransportError::Crypto`] if there is none.
    pub fn generate() -> Result<Self, TransportError> {
        Self::from_seed(random()?)
    }

    /// The key of a stored seed of 32 bytes.
    pub fn from_seed(seed: [u8; 32]) -> Result<Self, TransportError> {
        let pair =
            Ed25519KeyPair::from_seed_unchecked(&seed).map_err(|_| TransportError::Crypto {
                what: "ed25519 key",
            })?;
        Ok(Self {
            seed,
            pair: Arc::new(pair),
        })
    }

    /// The seed, only to be written into a key file.
    pub(crate) fn seed(&self) -> &[u8; 32] {
        &self.seed
    }

    /// The public half.
    pub fn verifying_key(&self) -> VerifyingKey {
        let mut bytes = [0; 32];
        bytes.copy_from_slice(self.pair.public_key().as_ref());
        VerifyingKey(bytes)
    }

    /// Signs a message for one purpose. Deterministic; the signature has 64 bytes.
    pub fn sign(&self, context: Context, message: &[u8]) -> [u8; 64] {
        let mut signature = [0; 64];
        signature.copy_from_slice(self.pair.sign(&context.bytes(message)).as_ref());
        signature
    }
}

impl std::fmt::Debug for SigningKey {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(out, "SigningKey(public {:?})", self.verifying_key())
    }
}

/// A public Ed25519 key, 32 bytes as in RFC 8032.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct VerifyingKey(pub [u8; 32]);

impl VerifyingKey {
    /// Checks that `signature` was made with this key, for this purpose, over this message.
    ///
    /// Errors: [`TransportError::SignatureInvalid`], whatever of these does not hold.
    pub fn verify(
        &self,
        context: Context,
        message: &[u8],
        signature: &[u8],
    ) -> Result<(), TransportError> {
        UnparsedPublicKey::new(&ED25519, self.0)
            .verify(&context.bytes(message), signature)
            .map_err(|_| TransportError::SignatureInvalid {
                context: context.label(),
            })
    }
}

/// Fresh random bytes for a key or a one-time secret.
pub(crate) fn random<const N: usize>() -> Result<[u8; N], TransportError> {
    let mut bytes = [0; N];
    ring::rand::SystemRandom::new()
        .fill(&mut bytes)
        .map_err(|_| TransportError::Crypto { what: "randomness" })?;
    Ok(bytes)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn a_signature_holds_only_for_its_key_purpose_and_message() {
        let key = SigningKey::generate().unwrap();
        let public = key.verifying_key();
        let signature = key.sign(Context::Batch, b"hello");
        public.verify(Context::Batch, b"hello", &signature).unwrap();
        assert!(
            public
                .verify(Context::Digest, b"hello", &signature)
                .is_err()
        );
        assert!(public.verify(Context::Batch, b"hellO", &signature).is_err());
        assert!(
            public
                .verify(Context::Batch, b"hello", &signature[..63])
                .is_err()
        );
        let other = SigningKey::generate().unwrap().verifying_key();
        assert!(other.verify(Context::Batch, b"hello", &signature).is_err());
    }

    #[test]
    fn the_signed_bytes_and_the_key_are_those_of_rfc_8032() {
        // Seed and public key of RFC 8032, 7.1, test 1.
        let seed = data_encoding::HEXLOWER
            .decode(b"9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60")
            .unwrap();
        let key = SigningKey::from_seed(seed.try_into().unwrap()).unwrap();
        assert_eq!(
            data_encoding::HEXLOWER.encode(&key.verifying_key().0),
            "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a"
        );
        assert_eq!(Context::Decided.bytes(b"x"), b"lianxin/v1/decided\nx");
        assert!(!format!("{key:?}").contains("9d61b1"));
    }
}
