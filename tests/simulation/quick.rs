//! A few simulated cities with every change; `cargo sim` runs as many as one likes.

use tests::simulation::{disk, run};

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
