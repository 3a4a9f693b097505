//! The models of the session and of the transfer, and histories of them on the shipped programs.

use tests::model::{explore_short, replay_cases};
use tests::simulation::disk;

/// How many histories: some seconds without optimisation.
const CASES: u64 = 100;

#[test]
fn every_history_of_the_small_models_holds() -> anyhow::Result<()> {
    let states = explore_short()?;
    assert!(states >= 100_000, "{states}");
    Ok(())
}

#[test]
fn the_programs_do_what_the_model_says() -> anyhow::Result<()> {
    disk::register().map_err(anyhow::Error::msg)?;
    let met = replay_cases(CASES)?;
    assert_eq!(met.get("model cases replayed"), Some(&CASES));
    // What was not met was not tried.
    for what in [
        "D11 second transfers refused",
        "D11 changes of two offices crossed",
        "members moved",
    ] {
        assert!(
            met.get(what).is_some_and(|times| *times > 0),
            "{what}: {met:?}"
        );
    }
    Ok(())
}
