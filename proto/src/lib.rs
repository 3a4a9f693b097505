//! The only home of wire types: what travels, as code generated from the `.proto` files, and its
//! conversion to and from the values of [`domain`].
//!
//! Nothing outside this crate sees a generated type except through [`convert`]; the services
//! themselves ([`wire`]) are what the programs plug into tonic.

pub mod codec;
pub mod convert;
pub mod status;

/// Code generated from the `.proto` files; a test generates it again and compares.
#[allow(
    clippy::pedantic,
    clippy::allow_attributes_without_reason,
    missing_docs,
    reason = "generated code"
)]
pub mod wire {
    /// Changes, rows and the session.
    pub mod sync {
        include!("gen/lianxin.sync.v1.rs");
    }
    /// Enrolment.
    pub mod enrolment {
        include!("gen/lianxin.enrolment.v1.rs");
    }
}
