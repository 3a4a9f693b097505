//! What can go wrong here, as causes a person can act on.
//!
//! The `Display` text is for operators' logs; [`TransportError::text_zh`] is the sentence that a
//! clerk reads. Neither ever contains a key, a secret or the text of an enrolment code.

mod text_zh;

use std::io;
use std::path::{Path, PathBuf};

/// A refusal or a failure of this crate.
#[derive(Debug, thiserror::Error)]
pub enum TransportError {
    /// This computer has no identity yet: no enrolment code was entered here.
    #[error("this node is not enrolled yet")]
    NotEnrolled,
    /// Nothing is waiting for an answer of the hub, so none can be taken.
    #[error("no {what} is waiting for an answer")]
    NothingPending {
        /// `enrolment` or `renewal`.
        what: &'static str,
    },
    /// The hub's key folder is absent: `init` was not run, or the data folder is another one.
    #[error("no hub keys in {}", path.display())]
    KeysMissing {
        /// The folder looked at.
        path: PathBuf,
    },
    /// The hub's key folder exists already; it is never overwritten.
    #[error("hub keys already exist in {}", path.display())]
    KeysExist {
        /// The folder that exists.
        path: PathBuf,
    },
    /// A key file is there but cannot be understood.
    #[error("key file {} is damaged: {reason}", path.display())]
    KeyFileBroken {
        /// The file.
        path: PathBuf,
        /// What is wrong with it; never a value out of it.
        reason: String,
    },
    /// A file was written by a newer version of the program.
    #[error("{} has format {found}, newer than this program knows", path.display())]
    VersionTooNew {
        /// The file.
        path: PathBuf,
        /// The format number found in it.
        found: u32,
    },
    /// The root key is needed for this and has been taken offline.
    #[error("the root key {} is offline", path.display())]
    RootKeyOffline {
        /// Where the root key has to be put for the duration of the work.
        path: PathBuf,
    },
    /// A file could not be read or written.
    #[error("cannot {action} {}: {source}", path.display())]
    File {
        /// The file or folder.
        path: PathBuf,
        /// `read`, `write`, `lock`, …
        action: &'static str,
        /// What the operating system said.
        source: io::Error,
    },
    /// The clock stands outside 2020 to 2100; no certificate is made with it.
    #[error("the clock is not plausible: {unix_ms} ms since 1970")]
    ClockImplausible {
        /// The time that was given, milliseconds since 1970.
        unix_ms: i64,
    },
    /// A name or number given by a person cannot be used.
    #[error("{what} is not usable: {reason}")]
    FieldInvalid {
        /// Which field: `host`, `hub name`, `office code`, `address`, `days`.
        what: &'static str,
        /// Why it cannot be used.
        reason: &'static str,
    },
    /// The enrolment code holds a character that no code contains.
    #[error("group {group} of the code holds a character that no code has")]
    CodeCharacter {
        /// Number of the group of six characters, from 1.
        group: usize,
        /// The character.
        character: char,
    },
    /// A group of the enrolment code was mistyped.
    #[error("group {group} of the code is mistyped")]
    CodeMistyped {
        /// Number of the first wrong group of six characters, from 1.
        group: usize,
    },
    /// The end of the enrolment code is missing.
    #[error("the code is cut short, {missing} characters are missing")]
    CodeTruncated {
        /// How many characters are missing, or 0 when so little is there that nobody can say.
        missing: usize,
    },
    /// More was pasted than the enrolment code.
    #[error("the code has {extra} characters too many")]
    CodeTooLong {
        /// How many characters follow after the end of the code.
        extra: usize,
    },
    /// Every group of the code is right, yet together they are no code (groups swapped or mixed).
    #[error("the groups of the code do not belong together")]
    CodeInconsistent,
    /// The enrolment code was made by a newer hub.
    #[error("the code has version {found}, newer than this program knows")]
    CodeVersion {
        /// The version number found.
        found: u8,
    },
    /// The enrolment code is no longer valid.
    #[error("the code expired at unix second {expired_unix_s}")]
    CodeExpired {
        /// When it expired, seconds since 1970.
        expired_unix_s: u32,
    },
    /// A node's request for a certificate is not signed with its own P-256 key.
    #[error("the certificate request is not valid: {reason}")]
    RequestInvalid {
        /// What is wrong with it.
        reason: &'static str,
    },
    /// A certificate is not one that a hub of this product issues to an office.
    #[error("not an office certificate: {reason}")]
    CertificateForeign {
        /// What is wrong with it.
        reason: &'static str,
    },
    /// The hub's answer does not fit what this node asked for; it was not stored.
    #[error("the hub's answer does not fit: {what}")]
    AnswerMismatch {
        /// What does not fit.
        what: &'static str,
    },
    /// A signature does not fit the message, the key or the purpose.
    #[error("signature over {context} is not valid")]
    SignatureInvalid {
        /// The purpose it was checked for.
        context: &'static str,
    },
    /// The crypto library refused; this happens only with a broken key or without randomness.
    #[error("cryptography failed: {what}")]
    Crypto {
        /// Which operation.
        what: &'static str,
    },
    /// The hub's address cannot be reached.
    #[error("cannot reach {address}: {source}")]
    Unreachable {
        /// `host:port`.
        address: String,
        /// What the operating system said.
        source: io::Error,
    },
    /// The hub did not answer in time.
    #[error("{address} did not answer within {seconds} s")]
    TimedOut {
        /// `host:port`.
        address: String,
        /// How long was waited, whole seconds, rounded up.
        seconds: u64,
    },
    /// Somebody else than our hub answers at this address.
    #[error("{address} is not our hub: {reason}")]
    NotOurHub {
        /// `host:port`.
        address: String,
        /// What the check of its certificate said.
        reason: String,
    },
    /// The hub refused the connection during or right after the handshake.
    #[error("{address} refused this node: {reason}")]
    RefusedByHub {
        /// `host:port`.
        address: String,
        /// The alert that the hub sent.
        reason: String,
    },
    /// The line was cut, or what answers does not speak TLS 1.3.
    #[error("handshake with {address} failed: {reason}")]
    HandshakeFailed {
        /// `host:port`.
        address: String,
        /// What happened.
        reason: String,
    },
    /// A line of the append-only register, not the last one, is damaged.
    #[error("line {line} of {} is damaged", path.display())]
    RegisterBroken {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
    },
    /// Another process serves this data folder.
    #[error("{} is already served by process {}", path.display(), number(*pid))]
    AlreadyServing {
        /// The data folder.
        path: PathBuf,
        /// The other process, as it wrote it down; none if that cannot be read.
        pid: Option<u32>,
    },
    /// The data folder lies on a network share, where locks and logs do not hold.
    #[error(
        "{} lies on a network share ({kind}): a database is not safe there; move the folder to a disk of this \
         computer",
        path.display()
    )]
    OnNetworkShare {
        /// The data folder.
        path: PathBuf,
        /// The file system.
        kind: String,
    },
}

impl TransportError {
    /// True if waiting and trying again may help without anybody doing anything: the network, the
    /// disk or another process was in the way. False if a person has to act first.
    pub fn is_passing(&self) -> bool {
        matches!(
            self,
            Self::Unreachable { .. }
                | Self::TimedOut { .. }
                | Self::HandshakeFailed { .. }
                | Self::AlreadyServing { .. }
                | Self::File { .. }
        )
    }

    /// Names the cause behind an I/O error of a TLS connection to `address`.
    ///
    /// With TLS 1.3 the node's side of the handshake ends before the hub has looked at the node's
    /// certificate, so a refusal arrives only with the first read: pass that error here too.
    pub fn from_connection(address: &str, error: &io::Error) -> Self {
        let address = address.to_owned();
        let cause = error.get_ref().and_then(|inner| inner.downcast_ref());
        match cause {
            Some(rustls::Error::InvalidCertificate(reason)) => Self::NotOurHub {
                address,
                reason: format!("{reason:?}"),
            },
            Some(rustls::Error::AlertReceived(alert)) => Self::RefusedByHub {
                address,
                reason: format!("{alert:?}"),
            },
            Some(other) => Self::HandshakeFailed {
                address,
                reason: other.to_string(),
            },
            None => Self::HandshakeFailed {
                address,
                reason: error.to_string(),
            },
        }
    }

    /// A closure for `map_err` on a file operation.
    pub(crate) fn file(path: &Path, action: &'static str) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::File {
            path,
            action,
            source,
        }
    }

    /// A closure for `map_err` where a key file's content is refused.
    pub(crate) fn broken(path: &Path, reason: impl Into<String>) -> Self {
        Self::KeyFileBroken {
            path: path.to_owned(),
            reason: reason.into(),
        }
    }
}

/// A process's number, or that it is not known.
fn number(pid: Option<u32>) -> String {
    pid.map_or_else(|| "(unknown)".to_owned(), |pid| pid.to_string())
}
