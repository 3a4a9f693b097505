//! The gRPC codes of every refusal, in one place.
//!
//! What a client does depends on the code alone; the message is for a person.

use tonic::metadata::MetadataValue;
use tonic::{Code, Status};

use crate::convert::Invalid;

/// The metadata of a busy hub's answer: after how many milliseconds the caller comes again.
const RETRY_AFTER: &str = "retry-after-ms";

/// Why a call is refused as a whole.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CallRefused {
    /// The message cannot be taken as it is; sending it again does not help.
    #[error("the message cannot be taken: {0}")]
    Invalid(Invalid),
    /// No certificate, or one that is not of this hub.
    #[error("a certificate of this hub is needed")]
    NoCertificate,
    /// The certificate is past its end: call Renew.
    #[error("the certificate has expired: call Renew")]
    Expired,
    /// The office uses a newer certificate: this one may only call Renew.
    #[error("the certificate has expired, as a newer one is in use: call Renew")]
    Superseded,
    /// The node was revoked.
    #[error("this node's certificate was revoked: the hub's operator can tell why")]
    Revoked,
    /// The hub does not know the machine of a certificate that it signed: it was restored, and what it
    /// noted of later enrolments beside its database was lost.
    #[error(
        "this hub was restored and does not know this computer any more: ask its operator for a new \
         code and run `lianxin-node join CODE`; what was entered here is kept and sent again \
         中心已从备份恢复,不再认识本机:请向中心索取新的入网码,运行 lianxin-node join 入网码;\
         本机已录入的内容都会保留并重新上报"
    )]
    UnknownNode,
    /// The incarnation in the call is not the hub's: say Hello first.
    #[error("hello first")]
    HelloFirst,
    /// The hub signed more than it has: its folder was put back. It serves nobody until its operator says so.
    #[error(
        "this hub was put back to an older state and waits for its operator (recovery begin); what is \
         entered here is kept and sent later \
         中心数据被还原到较旧状态,正等待管理员处理;本机录入照常保存,稍后自动上报"
    )]
    Behind,
    /// The caller may not do this.
    #[error("not allowed: {0}")]
    NotAllowed(&'static str),
    /// The signature or the chain does not fit the batch.
    #[error("the signature or chain does not fit the batch")]
    BadSignature,
    /// The hub is busy: come again after so many milliseconds.
    #[error("busy: come again in {0} ms")]
    Busy(u32),
    /// The hub cannot store now (disk full, database down); nothing was acknowledged.
    #[error("the hub cannot store now: {0}")]
    CannotStore(String),
    /// An enrolment code that is unknown, used or past its end.
    #[error("the enrolment code is not valid: {0}")]
    BadCode(&'static str),
}

impl From<Invalid> for CallRefused {
    fn from(invalid: Invalid) -> Self {
        Self::Invalid(invalid)
    }
}

impl From<CallRefused> for Status {
    fn from(refused: CallRefused) -> Self {
        let code = match refused {
            CallRefused::Invalid(Invalid::TooLarge(_)) | CallRefused::Busy(_) => {
                Code::ResourceExhausted
            }
            CallRefused::Invalid(_) | CallRefused::BadSignature => Code::InvalidArgument,
            CallRefused::NoCertificate
            | CallRefused::Expired
            | CallRefused::Superseded
            | CallRefused::BadCode(_) => Code::Unauthenticated,
            CallRefused::Revoked | CallRefused::NotAllowed(_) => Code::PermissionDenied,
            CallRefused::UnknownNode => Code::NotFound,
            CallRefused::HelloFirst => Code::FailedPrecondition,
            CallRefused::CannotStore(_) | CallRefused::Behind => Code::Unavailable,
        };
        let mut status = Self::new(code, refused.to_string());
        if let CallRefused::Busy(after_ms) = refused {
            let after = MetadataValue::from(after_ms);
            status.metadata_mut().insert(RETRY_AFTER, after);
        }
        status
    }
}

/// What a client does about a failed call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Retry {
    /// Again, after a growing wait.
    Later,
    /// Say Hello, then again.
    HelloFirst,
    /// Renew the certificate, then again.
    Renew,
    /// Not by itself: a person must act.
    Never,
}

/// Whether the hub does not know the machine any more: it must join again.
pub fn is_unknown_node(status: &Status) -> bool {
    status.code() == Code::NotFound
}

/// After how many milliseconds a busy hub wants to be asked again; none where it is not busy.
pub fn retry_after_ms(status: &Status) -> Option<u32> {
    let after = status.metadata().get(RETRY_AFTER)?;
    after.to_str().ok()?.parse().ok()
}

/// What the code of a failed call means for the caller.
pub fn retry(status: &Status) -> Retry {
    match status.code() {
        Code::FailedPrecondition => Retry::HelloFirst,
        Code::Unauthenticated if status.message().contains("expired") => Retry::Renew,
        // Too large is too large the next time too; busy is not.
        Code::ResourceExhausted if retry_after_ms(status).is_none() => Retry::Never,
        Code::PermissionDenied | Code::Unauthenticated | Code::InvalidArgument | Code::NotFound => {
            Retry::Never
        }
        _ => Retry::Later,
    }
}
