//! Why the hub does not do what was asked: each answers what to do about it.

use proto::status::CallRefused;
use store::StoreError;

/// A call or a command that was not carried out; nothing of it was stored.
#[derive(Debug, thiserror::Error)]
pub enum HubError {
    /// The store cannot.
    #[error("{0}")]
    Store(#[from] StoreError),
    /// The call is refused.
    #[error("{0}")]
    Refused(#[from] CallRefused),
    /// The wire's bytes cannot be taken.
    #[error("{0}")]
    Invalid(#[from] proto::convert::Invalid),
}

impl From<HubError> for tonic::Status {
    fn from(error: HubError) -> Self {
        match error {
            HubError::Refused(refused) => refused.into(),
            HubError::Invalid(invalid) => CallRefused::from(invalid).into(),
            HubError::Store(error) => {
                tracing::error!(%error, "the store cannot");
                CallRefused::CannotStore(error.to_string()).into()
            }
        }
    }
}
