//! The museum in small: every planted bug can still be planted, and two slips are caught.
//!
//! To build what is shipped with a bug takes minutes; `cargo sim museum` does. Here the simulated disk plays
//! two slips of a program, each as a line in `shared/store/src/open.rs` would make it.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

use std::path::Path;

use tests::museum::stale;
use tests::simulation::disk::{self, Slip};
use tests::simulation::run::simulate;

/// Seeds within which a slip must be caught; the first that catches it is the last that is run.
const SEEDS: u64 = 30;

#[test]
fn every_planted_bug_still_applies() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let stale = stale(&root).unwrap();
    assert!(stale.is_empty(), "{}", stale.join("\n"));
}

#[test]
fn a_log_that_is_not_synced_is_caught() {
    assert_caught(Slip::LogNotSynced);
}

#[test]
fn an_answer_before_anything_is_durable_is_caught() {
    assert_caught(Slip::AnsweredBefore);
}

fn assert_caught(slip: Slip) {
    disk::register().unwrap();
    disk::play(slip);
    let mut why = (1..=SEEDS).filter_map(|seed| simulate(seed, false).err());
    let is_caught = why.any(|why| format!("{why:#}").contains("invariant "));
    assert!(is_caught, "{slip:?} is not caught in {SEEDS} seeds");
}
