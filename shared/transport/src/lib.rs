//! The only home of TLS, keys, certificates and enrolment codes.
//!
//! The hub owns a private certificate authority ([`keys::HubIdentity`]); each office holds one key
//! file ([`keys::NodeKeys`]). An office joins with a code typed once ([`code::EnrolmentCode`]),
//! receives a certificate that names office, node and enrolment ([`certificate::PeerIdentity`]),
//! and from then on speaks mutual TLS 1.3 ([`tls`]). Batches and digests are signed ([`sign`]).
//!
//! Two questions are kept apart on purpose. *Who is it?* is answered by the handshake and by
//! nothing else. *May it do this now?* (expired, revoked, wrong office) is answered per call by the
//! hub, from the [`certificate::PeerIdentity`] and [`revoked::AppendOnlyRegister`].
//!
//! Nothing here reads a clock: the time is an argument or a closure ([`tls::Clock`]). Randomness is
//! read only where a key or a secret is generated. ring is the one crypto provider.

pub mod certificate;
pub mod code;
pub mod error;
pub mod file;
pub mod keys;
pub mod lock;
pub mod mark;
pub mod progress;
pub mod revoked;
mod share;
pub mod sign;
pub mod tls;

pub use error::TransportError;
