//! A model check of the transfer of a member's relation (`sync.md` 5): whatever the offices send, in
//! whatever order the hub takes it, exactly one of them holds the member, and nothing vanishes.
//!
//! The decision that is checked is the hub's own, `domain::decide::decide`, over a store in memory.

#[path = "transfer_model/checks.rs"]
mod checks;
#[path = "transfer_model/ends.rs"]
mod ends;
#[path = "transfer_model/hub.rs"]
mod hub;
#[path = "transfer_model/mark.rs"]
mod mark;
#[path = "transfer_model/model.rs"]
mod model;
#[path = "transfer_model/steps.rs"]
mod steps;

use stateright::{Checker, Expectation, HasDiscoveries, Model};

use model::Transfers;
use steps::Case;

/// Explores everything; the number of states tells that the machine or the decision has changed.
fn explore(model: Transfers, states: usize) {
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
            let history = checker.discovery(property.name)?.into_actions();
            Some(format!("not always {}:\n{history:#?}", property.name))
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
fn one_case_with_everything_that_may_cross_it() {
    let cases = &[Case::First];
    explore(
        Transfers {
            cases,
            is_whole: true,
        },
        127_444,
    );
}

#[test]
fn two_cases_started_at_once() {
    let cases = &[Case::First, Case::Rival];
    explore(
        Transfers {
            cases,
            is_whole: false,
        },
        21_416,
    );
}

#[test]
fn a_member_who_moves_on() {
    let cases = &[Case::First, Case::Onward];
    explore(
        Transfers {
            cases,
            is_whole: false,
        },
        36_055,
    );
}
