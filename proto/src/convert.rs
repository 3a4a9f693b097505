//! Between wire messages and values of [`domain`]: the messages are taken apart in full, and each
//! fault has its own name.

mod below;
mod change;
mod lease;
mod pack;
mod row;

pub use below::{decode_below, decode_key, encode_below, encode_digest, encode_key};
pub use change::{batch_signature_text, decided_signature_text, decode_change, encode_change};
pub use change::{change_ref, read_change_ref};
pub use change::{decode_erased, encode_erased, erased_signature_text};
pub use lease::{decode_leases, encode_lease};
pub(crate) use pack::count_fields;
pub use pack::{decode_batch, decode_rows, encode_batch, encode_rows};
pub use row::{FeedRow, LeaveReason, decode_row, encode_row};

/// Why a message cannot be taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Invalid {
    /// The bytes are no message of this type.
    #[error("not a valid protobuf message: {0}")]
    Malformed(&'static str),
    /// A field that must be there is not.
    #[error("field missing: {0}")]
    Missing(&'static str),
    /// A field's bytes have the wrong length.
    #[error("wrong length: {0}")]
    Length(&'static str),
    /// A number or enum value that is not allowed.
    #[error("not allowed: {0}")]
    Value(&'static str),
    /// More than the limit.
    #[error("over the limit: {0}")]
    TooLarge(&'static str),
    /// Field numbers of a body that do not rise.
    #[error("field numbers must rise: {0}")]
    Order(&'static str),
}

/// Sixteen bytes, or which field has not.
pub fn sixteen(bytes: &[u8], field: &'static str) -> Result<[u8; 16], Invalid> {
    bytes.try_into().map_err(|_| Invalid::Length(field))
}

/// Thirty-two bytes, or which field has not.
pub fn thirty_two(bytes: &[u8], field: &'static str) -> Result<[u8; 32], Invalid> {
    bytes.try_into().map_err(|_| Invalid::Length(field))
}
