//! What the tests of the whole product stand on: invented data, a harness of real processes, the
//! story of the demo, and the two commands `cargo verify` and `cargo demo`.
//!
//! - [`generate`]: invented people, rosters and cities, by a seed.
//! - [`harness`]: the shipped programs as processes, and lines that can be cut.
//! - [`proof`]: the ledger of what long runs did and found.
//! - [`simulation`]: a whole city in one thread, from one seed.
//! - [`story`]: what `cargo demo` tells.
//! - [`verify`]: the steps of `cargo verify`.

pub mod generate;
pub mod harness;
pub mod proof;
#[path = "../simulation/mod.rs"]
pub mod simulation;
pub mod story;
pub mod verify;
