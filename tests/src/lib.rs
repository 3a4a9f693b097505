//! What the tests of the whole product stand on: invented data and the two commands `cargo verify`
//! and `cargo demo`.
//!
//! - [`generate`]: invented people, rosters and cities, by a seed.
//! - [`verify`]: the steps of `cargo verify`.

pub mod generate;
pub mod verify;
