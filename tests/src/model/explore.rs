//! Explores a model and says what does not hold of it.

use std::fmt::Debug;
use std::hash::Hash;

use stateright::{Checker, Expectation, HasDiscoveries, Model};

use super::Bound;

/// Cores that one exploration takes.
const THREADS: usize = 2;

/// What came of it.
#[derive(Debug, Default)]
pub(super) struct Explored {
    /// Different states.
    pub(super) states: usize,
    /// Whether there were none left.
    pub(super) is_complete: bool,
    /// What must always hold and does not, with its history.
    pub(super) failed: Vec<String>,
    /// What must be reached and was not.
    pub(super) never: Vec<&'static str>,
    /// What was reached.
    pub(super) reached: Vec<&'static str>,
}

/// Explores everything, or so many states if that is not 0: depth first then, as that holds few of them
/// at once.
fn explore<M>(model: M, states_max: usize) -> Explored
where
    M: Model + Send + Sync + 'static,
    M::State: Debug + Hash + Eq + Clone + Send + Sync + 'static,
    M::Action: Debug + Clone + PartialEq,
{
    let properties = model.properties();
    let checker = model
        .checker()
        .threads(THREADS)
        .finish_when(HasDiscoveries::AnyFailures);
    if states_max == 0 {
        judged(&properties, &checker.spawn_bfs().join(), true)
    } else {
        let checker = checker.target_state_count(states_max).spawn_dfs().join();
        judged(&properties, &checker, false)
    }
}

fn judged<M, C>(properties: &[stateright::Property<M>], checker: &C, is_complete: bool) -> Explored
where
    M: Model,
    M::State: Debug + Hash + PartialEq + Clone,
    M::Action: Debug + Clone + PartialEq,
    C: Checker<M>,
{
    let mut explored = Explored {
        states: checker.unique_state_count(),
        is_complete,
        ..Explored::default()
    };
    for property in properties {
        let found = checker.discovery(property.name);
        match (&property.expectation, found) {
            (Expectation::Always, Some(path)) => {
                let last = path.last_state().clone();
                let history = path.into_actions();
                let name = property.name;
                explored
                    .failed
                    .push(format!("not always {name}:\n{history:#?}\n{last:?}"));
            }
            (Expectation::Sometimes, Some(_)) => explored.reached.push(property.name),
            (Expectation::Sometimes, None) => explored.never.push(property.name),
            (Expectation::Always, None) | (Expectation::Eventually, _) => {}
        }
    }
    explored
}

/// What came of a model: its name, what was found, and how many states are expected where that is pinned.
pub(super) type Named = (&'static str, Explored, Option<usize>);

/// Explores what the bound asks for: the short models whole, the long ones whole or up to the bound.
pub(super) fn explore_all<M>(
    short: impl IntoIterator<Item = (&'static str, M, Option<usize>)>,
    long: impl IntoIterator<Item = (&'static str, M, bool)>,
    bound: Bound,
) -> Vec<Named>
where
    M: Model + Send + Sync + 'static,
    M::State: Debug + Hash + Eq + Clone + Send + Sync + 'static,
    M::Action: Debug + Clone + PartialEq,
{
    let whole = |(name, model, states)| (name, told(name, explore(model, 0)), states);
    let mut done: Vec<_> = short.into_iter().map(whole).collect();
    if let Bound::Long(states_max) = bound {
        done.extend(long.into_iter().map(|(name, model, is_whole)| {
            let states_max = if is_whole { 0 } else { states_max };
            (name, told(name, explore(model, states_max)), None)
        }));
    }
    done
}

/// Says how far it came.
fn told(name: &str, explored: Explored) -> Explored {
    eprintln!("{name}: {} states", explored.states);
    explored
}
