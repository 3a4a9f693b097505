//! What the tests of the whole product stand on: invented data, a harness of real processes, the
//! story of the demo, and the two commands `cargo verify` and `cargo demo`.
//!
//! - [`bench`]: how fast the product is, beside a bare floor.
//! - [`foreign`]: a client that is not ours, against the shipped hub.
//! - [`fuzz`]: bytes that nobody wrote, for every decoder that meets such.
//! - [`generate`]: invented people, rosters and cities, by a seed.
//! - [`harness`]: the shipped programs as processes, and lines that can be cut.
//! - [`model`]: all histories of small models, and their cases against the shipped code.
//! - [`museum`]: planted bugs, each of which must be caught.
//! - [`nightly`]: everything that tries to break it, in order, for hours.
//! - [`proof`]: the ledger of what long runs did and found.
//! - [`real`]: the shipped programs under real faults.
//! - [`report`]: the page that tells what was proven.
//! - [`simulation`]: a whole city in one thread, from one seed.
//! - [`story`]: what `cargo demo` tells.
//! - [`sweep`]: a crash at every access to a disk.
//! - [`verify`]: the steps of `cargo verify`.

#[path = "../bench/mod.rs"]
pub mod bench;
pub mod foreign;
pub mod fuzz;
pub mod generate;
pub mod harness;
pub mod model;
pub mod museum;
pub mod nightly;
pub mod proof;
pub mod real;
pub mod report;
#[path = "../simulation/mod.rs"]
pub mod simulation;
pub mod story;
pub mod sweep;
pub mod verify;
