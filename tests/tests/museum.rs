//! The museum in small: every planted bug can still be planted.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::path::Path;

use tests::museum::stale;

#[test]
fn every_planted_bug_still_applies() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let stale = stale(&root).unwrap();
    assert!(stale.is_empty(), "{}", stale.join("\n"));
}
