//! A model check of the session (`sync.md` 4): whatever is lost, late, repeated, rolled back, copied
//! or restored, no change vanishes, none counts twice, and a quiet line makes node and hub equal.
//!
//! What is checked are the functions of `domain::session` that the programs call, and the hub's own
//! decision, over stores in memory.

#[path = "session_model/change.rs"]
mod change;
#[path = "session_model/hub.rs"]
mod hub;
#[path = "session_model/model.rs"]
mod model;
#[path = "session_model/node.rs"]
mod node;

use stateright::{Checker, Expectation, HasDiscoveries, Model};

use model::Sessions;

/// Explores everything; the number of states tells that the machines have changed.
fn explore(model: Sessions, states: usize) {
    let properties = model.properties();
    let checker = model
        .checker()
        .threads(2)
        .finish_when(HasDiscoveries::AnyFailures)
        .spawn_bfs()
        .join();
    let failed: Vec<String> = properties
        .iter()
        .filter(|property| property.expectation == Expectation::Always)
        .filter_map(|property| {
            let path = checker.discovery(property.name)?;
            let last = path.last_state().clone();
            let history = path.into_actions();
            Some(format!(
                "not always {}:\n{history:#?}\n{last:?}",
                property.name
            ))
        })
        .collect();
    assert!(failed.is_empty(), "{}", failed.join("\n"));
    let never: Vec<&str> = properties
        .iter()
        .filter(|property| property.expectation == Expectation::Sometimes)
        .filter(|property| checker.discovery(property.name).is_none())
        .map(|property| property.name)
        .collect();
    assert!(never.is_empty(), "never: {never:?}");
    assert_eq!(checker.unique_state_count(), states, "unique states");
}

#[test]
fn messages_are_lost_late_and_repeated() {
    explore(
        Sessions {
            writes: 2,
            greetings: 2,
            cuts: 1,
            late: 1,
            desk: 1,
            ..Sessions::default()
        },
        36_187,
    );
}

#[test]
fn a_store_is_rolled_back_and_goes_on() {
    explore(
        Sessions {
            writes: 3,
            greetings: 2,
            rollbacks: 1,
            cuts: 1,
            ..Sessions::default()
        },
        28_533,
    );
}

#[test]
fn a_folder_is_copied() {
    explore(
        Sessions {
            writes: 2,
            greetings: 3,
            copies: 1,
            ..Sessions::default()
        },
        305_858,
    );
}

#[test]
fn the_hub_is_put_back() {
    explore(
        Sessions {
            writes: 2,
            greetings: 2,
            cuts: 1,
            restores: 1,
            desk: 1,
            ..Sessions::default()
        },
        70_386,
    );
}

#[test]
fn long_histories_of_rollbacks_and_copies() {
    explore(
        Sessions {
            writes: 2,
            greetings: 4,
            rollbacks: 1,
            copies: 1,
            is_coarse: true,
            ..Sessions::default()
        },
        60_594,
    );
}

#[test]
fn long_histories_of_a_hub_that_is_put_back() {
    explore(
        Sessions {
            writes: 2,
            greetings: 3,
            restores: 2,
            desk: 2,
            is_coarse: true,
            ..Sessions::default()
        },
        105_533,
    );
}

#[test]
fn messages_are_late_when_the_hub_was_put_back() {
    explore(
        Sessions {
            writes: 1,
            greetings: 2,
            late: 1,
            restores: 1,
            ..Sessions::default()
        },
        4_939,
    );
}
