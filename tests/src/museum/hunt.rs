//! Runs a simulator with a bug in it until a seed catches it.

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::Context as _;

/// Enough of a scenario to see what is planted for it.
const SOME_ACCESSES: [&str; 8] = [
    "--places",
    "100",
    "--images",
    "4",
    "--faults",
    "4",
    "--finish-each",
    "24",
];

/// What a simulator found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Found {
    /// The first seed that broke an invariant, and which.
    pub caught: Option<(u64, String)>,
    /// What else failed before, and named no invariant: that is no proof that the bug was seen.
    pub others: Vec<String>,
}

/// Runs the seeds from 1 on, to the first that breaks an invariant.
///
/// # Errors
/// Where the program cannot be run, or ends before its seeds do.
pub fn hunt(program: &Path, seeds: u64) -> anyhow::Result<Found> {
    let mut child = Command::new(program)
        .args(["--from", "1", "--seeds", &seeds.to_string()])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .with_context(|| format!("{} cannot be run", program.display()))?;
    let said = child.stderr.take().context("its words")?;
    let (mut found, mut is_over) = (Found::default(), false);
    for line in BufReader::new(said).split(b'\n') {
        let line = String::from_utf8_lossy(&line?).into_owned();
        is_over |= line.ends_with("what was met:");
        if let Some((seed, why)) = failed(&line) {
            if is_of_an_invariant(why) {
                found.caught = Some((seed, why.to_owned()));
                child.kill()?;
                break;
            }
            found.others.push(format!("seed {seed}: {why}"));
        }
    }
    let ended = child.wait()?;
    if found.caught.is_none() && !is_over {
        found
            .others
            .push(format!("the simulator ended with {ended}"));
    }
    Ok(found)
}

/// What a sweep of these scenarios finds, in some of their accesses; none where all holds.
///
/// # Errors
/// Where the program cannot be run.
pub fn sweep(program: &Path, scenario: &str) -> anyhow::Result<Option<String>> {
    let ran = Command::new(program)
        .args(["sweep", "--scenario", scenario])
        .args(SOME_ACCESSES)
        .stdin(Stdio::null())
        .output()
        .with_context(|| format!("{} cannot be run", program.display()))?;
    let said = String::from_utf8_lossy(&ran.stderr);
    let mut lines = said.lines();
    Ok(lines
        .find(|line| is_of_an_invariant(line))
        .map(str::to_owned))
}

/// The seed of a line that says that one failed, and why.
fn failed(line: &str) -> Option<(u64, &str)> {
    let (seed, why) = line.strip_prefix("seed ")?.split_once(" FAILED: ")?;
    Some((seed.parse().ok()?, why))
}

/// Whether it says which invariant was broken. A seed that took too long says nothing of a bug: the machine
/// may have been busy.
fn is_of_an_invariant(why: &str) -> bool {
    why.contains("invariant ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_that_failed_is_read() {
        let line = "seed 62 FAILED: event 3: invariant S1: token-68- is lost";
        let (seed, why) = failed(line).unwrap_or_default();
        assert_eq!((seed, is_of_an_invariant(why)), (62, true));
        assert_eq!(failed("  cargo sim --seed 62"), None);
        assert!(!is_of_an_invariant("event 3: no such file"));
        assert!(!is_of_an_invariant("it hangs"));
    }
}
