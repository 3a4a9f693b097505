//! A few simulated cities with every change; `cargo sim` runs as many as one likes.

use tests::simulation::{disk, run};
use tests::sweep;

/// How many cities: about a minute without optimisation.
const SEEDS: u64 = 40;

#[test]
fn cities_come_together_and_lose_nothing_whatever_happens() -> anyhow::Result<()> {
    disk::register().map_err(anyhow::Error::msg)?;
    let (mut all, mut why) = (run::Outcome::default(), Vec::new());
    for seed in 1..=SEEDS {
        match run::simulate(seed, false) {
            Ok(outcome) => all.add(&outcome),
            Err(error) => why.push(format!("cargo sim --seed {seed}: {error:#}")),
        }
    }
    assert!(why.is_empty(), "{}", why.join("\n"));
    // What was not met was not tried.
    let met = all.met();
    for what in [
        "N3 calls lost",
        "N2 answers lost",
        "P1 P2 power cuts in a write",
        "words kept",
    ] {
        assert!(
            met.get(what).is_some_and(|times| *times > 0),
            "{what}: {met:?}"
        );
    }
    Ok(())
}

#[test]
fn one_seed_is_one_history() -> anyhow::Result<()> {
    disk::register().map_err(anyhow::Error::msg)?;
    let first = run::simulate(2, false)?;
    assert_eq!(run::simulate(2, false)?.trace, first.trace);
    Ok(())
}

fn some_accesses() -> sweep::Args {
    sweep::Args {
        scenario: None,
        at: None,
        images: 4,
        places: 16,
        faults: 1,
        finish_each: 24,
        forgets_syncs: false,
        jobs: 1,
        job: None,
        list: false,
        ledger: false,
    }
}

/// A sweep can fail: without syncs of the log, what was told is not there after a power cut.
#[test]
fn invariant_s11_a_log_that_is_not_synced_is_found() -> anyhow::Result<()> {
    disk::register().map_err(anyhow::Error::msg)?;
    let args = sweep::Args {
        forgets_syncs: true,
        ..some_accesses()
    };
    let found = sweep::run_named("a person is edited, sent", &args);
    let found = found.err().map(|error| format!("{error:#}"));
    assert!(
        found
            .as_ref()
            .is_some_and(|found| found.contains("invariant S1/S11")),
        "{found:?}"
    );
    Ok(())
}

/// Some accesses of one scenario; `cargo sim sweep` crashes at every one of all.
#[test]
fn a_crash_at_an_access_to_a_disk_loses_nothing() -> anyhow::Result<()> {
    disk::register().map_err(anyhow::Error::msg)?;
    let met = sweep::run_named("a person is edited, sent", &some_accesses())?.0;
    for what in [
        "images",
        "P2 hub's power cut at an access",
        "P3 images torn at sectors",
        "P5 runs with a full disk",
        "P7 runs with a failing disk",
        "P13 nested crashes",
        "images brought to their end",
    ] {
        assert!(
            met.get(what).is_some_and(|times| *times > 0),
            "{what}: {met:?}"
        );
    }
    Ok(())
}

/// A database without its write-ahead log, in scenarios in which that once cost something: a person who
/// stayed an office's that had no row of him (S13), a machine that the hub had forgotten (L1), and words
/// that counted as decided because the city's proof did (S7).
#[test]
fn invariant_s7_s13_a_log_that_is_lost_costs_nothing_that_was_promised() -> anyhow::Result<()> {
    disk::register().map_err(anyhow::Error::msg)?;
    let args = sweep::Args {
        places: 1,
        faults: 4,
        ..some_accesses()
    };
    for scenario in [
        "a member is accepted, from beginning to end",
        "a node joins",
        "a node joins with what it has written before",
    ] {
        let met = sweep::run_named(scenario, &args)?.0;
        let lost = met.get("O9 P16 write-ahead logs lost");
        assert!(lost.is_some_and(|times| *times > 0), "{scenario}: {met:?}");
    }
    Ok(())
}
