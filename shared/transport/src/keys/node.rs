//! The node's key file: who this node is, and what it has asked the hub for without an answer yet.
//!
//! ```text
//!   (no file) ──begin_enrolment──▶ pending ──complete_enrolment──▶ enrolled ─┐ begin_renewal,
//!                                     ▲  same code: same keys        ▲  │    │ complete_renewal
//!                                     └──────── a new code ──────────┼──┘    │
//!                                                                    └───────┘
//! ```
//!
//! Keys are stored **before** they are sent. An answer that is lost is asked for again with the
//! same keys, and the hub answers the same: no lost answer can lock an office out. An enrolled node
//! that enrols again keeps its old identity until the new one is complete.
//!
//! The file is TOML, so that a person can open it, and belongs to one computer: it is never copied.

use std::path::Path;
use std::sync::{Mutex, PoisonError};

use rcgen::{KeyPair, PublicKeyData};

use crate::certificate::{self, PeerIdentity, issue};
use crate::code::EnrolmentCode;
use crate::error::TransportError;
use crate::file;
use crate::sign::{SigningKey, VerifyingKey};
use crate::tls::verify;

mod format;

/// The node's P-256 key for TLS. Never printed.
#[derive(Clone, PartialEq, Eq)]
pub struct TlsKey {
    pem: String,
}

impl TlsKey {
    /// Makes a new key.
    ///
    /// Errors: [`TransportError::Crypto`] if the system has no randomness.
    pub fn generate() -> Result<Self, TransportError> {
        Ok(Self {
            pem: issue::new_key()?.serialize_pem(),
        })
    }

    /// A stored key, PKCS#8 PEM.
    pub(crate) fn from_pem(pem: String) -> Option<Self> {
        KeyPair::from_pem(&pem).is_ok().then_some(Self { pem })
    }

    /// The private key, PKCS#8 PEM.
    pub(crate) fn pem(&self) -> &str {
        &self.pem
    }

    /// The certificate request (PKCS#10, DER, about 300 bytes) that proves possession of this key.
    /// The bytes differ from call to call; the key in them is what counts.
    pub fn request_der(&self) -> Result<Vec<u8>, TransportError> {
        issue::request_der(&self.pair()?)
    }

    /// The public key, `SubjectPublicKeyInfo` DER.
    pub fn public_key(&self) -> Result<Vec<u8>, TransportError> {
        Ok(self.pair()?.subject_public_key_info())
    }

    fn pair(&self) -> Result<KeyPair, TransportError> {
        KeyPair::from_pem(&self.pem).map_err(|_| TransportError::Crypto { what: "p-256 key" })
    }
}

impl std::fmt::Debug for TlsKey {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str("TlsKey(hidden)")
    }
}

/// An enrolled node.
#[derive(Clone, Debug)]
pub struct NodeIdentity {
    /// The node's id, issued by the hub; a new one at each enrolment.
    pub node: [u8; 16],
    /// The node's epoch, the count of its journals.
    pub epoch: u32,
    /// The office (community).
    pub office: [u8; 16],
    /// The office's short code.
    pub office_code: String,
    /// The office's name.
    pub office_name: String,
    /// The hub's name.
    pub hub_name: String,
    /// Where the hub answers, `host:port`, in order of preference; may be edited.
    pub hub_addresses: Vec<String>,
    /// The hub's signing key.
    pub hub_key: VerifyingKey,
    /// The hub's root certificate, PEM: the only authority this node trusts.
    pub root_pem: String,
    /// This node's certificate and its intermediate, PEM.
    pub chain_pem: String,
    /// The key of the certificate.
    pub tls_key: TlsKey,
    /// The key that signs batches.
    pub signing_key: SigningKey,
}

impl NodeIdentity {
    /// What this node's own certificate says.
    ///
    /// Errors: [`TransportError::CertificateForeign`] if the stored chain is damaged.
    pub fn certificate(&self) -> Result<PeerIdentity, TransportError> {
        leaf_identity(&self.chain_pem)
    }
}

/// An enrolment that the hub has not answered yet.
#[derive(Clone, Debug)]
pub struct PendingEnrolment {
    /// The code that the clerk gave.
    pub code: EnrolmentCode,
    /// The key that the certificate is asked for.
    pub tls_key: TlsKey,
    /// The key that will sign batches.
    pub signing_key: SigningKey,
}

impl PendingEnrolment {
    /// The six figures to be compared with those that the hub shows (核对数字).
    pub fn comparison_number(&self) -> Result<String, TransportError> {
        Ok(crate::code::comparison_number(
            &self.code.secret,
            &self.tls_key.public_key()?,
            &self.signing_key.verifying_key().0,
            &self.code.root_hash,
        ))
    }
}

/// What the hub answers to an enrolment.
#[derive(Clone, Debug)]
pub struct EnrolmentAnswer {
    /// The new node id.
    pub node: [u8; 16],
    /// The first epoch.
    pub epoch: u32,
    /// The office's name.
    pub office_name: String,
    /// The hub's name.
    pub hub_name: String,
    /// Where the hub wants to be called, `host:port`; if empty, the code's addresses are kept.
    pub hub_addresses: Vec<String>,
    /// The hub's signing key.
    pub hub_key: VerifyingKey,
    /// The hub's root certificate, PEM.
    pub root_pem: String,
    /// The node's certificate and its intermediate, PEM.
    pub chain_pem: String,
}

/// The key file as it was read last. It is read at every session, and its keys are reckoned out again only
/// where the file has changed.
#[derive(Debug, Default)]
pub struct KeptKeys(Mutex<Option<(String, NodeKeys)>>);

impl KeptKeys {
    /// As [`NodeKeys::load`].
    ///
    /// Errors: as [`NodeKeys::load`].
    pub fn load(&self, path: &Path) -> Result<NodeKeys, TransportError> {
        let Some(text) = file::read(path)? else {
            return Ok(NodeKeys::default());
        };
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match &*kept {
            Some((known, keys)) if *known == text => Ok(keys.clone()),
            _ => {
                let keys = format::read(path, &text)?;
                *kept = Some((text, keys.clone()));
                Ok(keys)
            }
        }
    }
}

/// The content of the key file. Change it, then [`NodeKeys::save`] it **before** acting on it.
#[derive(Clone, Debug, Default)]
pub struct NodeKeys {
    /// Who this node is; none before the first enrolment is complete.
    pub identity: Option<NodeIdentity>,
    /// An enrolment under way.
    pub enrolment: Option<PendingEnrolment>,
    /// The new key of a renewal under way.
    pub renewal: Option<TlsKey>,
}

impl NodeKeys {
    /// Reads the key file; a file that does not exist is a node that is not enrolled yet.
    ///
    /// Errors: `KeyFileBroken` if there is a file that cannot be understood, `VersionTooNew`,
    /// `File`.
    pub fn load(path: &Path) -> Result<Self, TransportError> {
        file::read(path)?.map_or_else(|| Ok(Self::default()), |text| format::read(path, &text))
    }

    /// Writes the key file, durably and at once. Readable by its owner only.
    pub fn save(&self, path: &Path) -> Result<(), TransportError> {
        file::write_atomic(path, &format::write(path, self)?)
    }

    /// The identity.
    ///
    /// Errors: [`TransportError::NotEnrolled`] if there is none.
    pub fn enrolled(&self) -> Result<&NodeIdentity, TransportError> {
        self.identity.as_ref().ok_or(TransportError::NotEnrolled)
    }

    /// Starts an enrolment, or continues the one with the same secret: then with the same keys, and
    /// with the addresses of the code given now.
    ///
    /// Errors: [`TransportError::Crypto`] if the system has no randomness.
    pub fn begin_enrolment(&mut self, code: EnrolmentCode) -> Result<(), TransportError> {
        if let Some(pending) = &mut self.enrolment
            && (pending.code.secret, pending.code.root_hash) == (code.secret, code.root_hash)
        {
            pending.code = code;
            return Ok(());
        }
        self.enrolment = Some(PendingEnrolment {
            code,
            tls_key: TlsKey::generate()?,
            signing_key: SigningKey::generate()?,
        });
        Ok(())
    }

    /// Takes the hub's answer: the pending keys become the identity.
    ///
    /// Errors: `NothingPending`; `AnswerMismatch` if the certificate is not for these keys, this
    /// office and this node under the root that the code names. Nothing has changed then.
    pub fn complete_enrolment(&mut self, answer: EnrolmentAnswer) -> Result<(), TransportError> {
        let pending = self
            .enrolment
            .take()
            .ok_or(TransportError::NothingPending { what: "enrolment" })?;
        match check_answer(&pending, &answer) {
            Ok(()) => {
                let PendingEnrolment {
                    code,
                    tls_key,
                    signing_key,
                } = pending;
                self.identity = Some(NodeIdentity {
                    node: answer.node,
                    epoch: answer.epoch,
                    office: code.office,
                    office_code: code.office_code,
                    office_name: answer.office_name,
                    hub_name: answer.hub_name,
                    hub_addresses: Some(answer.hub_addresses)
                        .filter(|addresses| !addresses.is_empty())
                        .unwrap_or(code.addresses),
                    hub_key: answer.hub_key,
                    root_pem: answer.root_pem,
                    chain_pem: answer.chain_pem,
                    tls_key,
                    signing_key,
                });
                self.renewal = None;
                Ok(())
            }
            Err(error) => {
                self.enrolment = Some(pending);
                Err(error)
            }
        }
    }

    /// The key of a renewal: the pending one, or a new one.
    pub fn begin_renewal(&mut self) -> Result<&TlsKey, TransportError> {
        self.enrolled()?;
        match &mut self.renewal {
            Some(key) => Ok(key),
            none => Ok(none.insert(TlsKey::generate()?)),
        }
    }

    /// Takes the renewed certificate: from now on the new key is used. The hub accepts the old one
    /// until it has seen the new one.
    ///
    /// Errors: `NothingPending`, `NotEnrolled`, `AnswerMismatch`; nothing has changed then.
    pub fn complete_renewal(&mut self, chain_pem: String) -> Result<(), TransportError> {
        let identity = self.identity.as_mut().ok_or(TransportError::NotEnrolled)?;
        let key = self
            .renewal
            .as_ref()
            .ok_or(TransportError::NothingPending { what: "renewal" })?;
        let expected = (identity.office, identity.node);
        check_leaf(&identity.root_pem, &chain_pem, key, expected)?;
        identity.chain_pem = chain_pem;
        identity.tls_key = key.clone();
        self.renewal = None;
        Ok(())
    }
}

fn check_answer(
    pending: &PendingEnrolment,
    answer: &EnrolmentAnswer,
) -> Result<(), TransportError> {
    let root = certificate::single_certificate(&answer.root_pem)?;
    if certificate::root_hash(&root)? != pending.code.root_hash {
        return Err(TransportError::AnswerMismatch {
            what: "root certificate",
        });
    }
    let expected = (pending.code.office, answer.node);
    check_leaf(
        &answer.root_pem,
        &answer.chain_pem,
        &pending.tls_key,
        expected,
    )
}

fn check_leaf(
    root_pem: &str,
    chain_pem: &str,
    key: &TlsKey,
    (office, node): ([u8; 16], [u8; 16]),
) -> Result<(), TransportError> {
    let leaf = leaf_identity(chain_pem)?;
    if leaf.key_hash != certificate::sha256(&key.public_key()?) {
        return Err(TransportError::AnswerMismatch {
            what: "key of the certificate",
        });
    }
    if (leaf.office, leaf.node) != (office, node) {
        return Err(TransportError::AnswerMismatch {
            what: "office or node of the certificate",
        });
    }
    verify::office_chain(root_pem, chain_pem)
}

fn leaf_identity(chain_pem: &str) -> Result<PeerIdentity, TransportError> {
    let chain = certificate::certificates_of(chain_pem)?;
    let leaf = chain.first().ok_or(TransportError::CertificateForeign {
        reason: "is missing",
    })?;
    PeerIdentity::from_certificate(leaf)
}

pub(super) use format::check_version;

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests;
