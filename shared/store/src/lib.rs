//! The only home of SQL: SQLite under node and hub.
//!
//! Write-ahead log with `synchronous=FULL`: nothing is acknowledged before its commit returned. One
//! connection writes (in its own thread behind [`writer`]), several read. Callers read facts, decide
//! elsewhere, and write a plan, all in one transaction; no decision is taken here.
//!
//! Tables of declared kinds are made from their declarations ([`schema`]); everything else stands in
//! numbered migrations, which are never edited.

pub mod connection;
pub mod error;
pub mod hub;
pub mod merged;
pub mod node;
pub mod open;
mod pack;
pub mod records;
pub mod schema;
mod sound;
pub mod writer;

pub use error::StoreError;
pub use records::{Filter, Tx};
