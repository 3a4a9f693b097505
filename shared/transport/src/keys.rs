//! Key files: one per node, one folder per hub.
//!
//! They stand outside the database on purpose: a database copied to another computer or restored
//! from an old backup must not carry an identity with it.

pub mod hub;
pub mod node;

pub use hub::HubIdentity;
pub use node::{EnrolmentAnswer, NodeIdentity, NodeKeys, PendingEnrolment, TlsKey};
