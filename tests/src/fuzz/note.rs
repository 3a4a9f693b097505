//! What was observed while bytes were tried, and how long a decoder may take for them.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;
use std::time::{Duration, Instant};

/// Where a process of libFuzzer leaves its counts.
pub(super) const NOTES: &str = "LIANXIN_FUZZ_NOTES";
/// After so many inputs they are written again.
const WRITE_EVERY: u64 = 1 << 12;
/// The worst time for one message (`faults.md` M23).
const WITHIN: Duration = Duration::from_millis(50);
/// A machine that does other work too may be slow once, not each time.
const TRIES: usize = 3;
/// Counts inputs.
pub(super) const INPUTS: &str = "inputs";

thread_local! {
    static COUNTS: RefCell<BTreeMap<&'static str, u64>> = const { RefCell::new(BTreeMap::new()) };
}

/// It was observed.
pub(super) fn met(what: &'static str) {
    COUNTS.with_borrow_mut(|counts| *counts.entry(what).or_default() += 1);
}

/// One input is done: now and then the counts are left where the caller of this process finds them.
pub(super) fn tick() {
    met(INPUTS);
    let inputs = COUNTS.with_borrow(|counts| counts.get(INPUTS).copied().unwrap_or(0));
    if inputs.is_multiple_of(WRITE_EVERY)
        && let Some(place) = std::env::var_os(NOTES)
    {
        let text = COUNTS.with_borrow(serde_json::to_string);
        // A count that cannot be left is not counted.
        let _ = text.map(|text| fs::write(PathBuf::from(place), text));
    }
}

/// All counts of this thread, which begin again.
pub(super) fn take() -> BTreeMap<&'static str, u64> {
    COUNTS.take()
}

/// Does it within the time that one message may take.
pub(super) fn quickly<T>(mut work: impl FnMut() -> T) -> anyhow::Result<T> {
    let mut least = Duration::MAX;
    for _ in 0..TRIES {
        let begun = Instant::now();
        let done = work();
        least = least.min(begun.elapsed());
        if least <= WITHIN {
            return Ok(done);
        }
    }
    anyhow::bail!("M23: took {least:?} in each of {TRIES} tries")
}
