//! A model of the transfer of a member's relation (`sync.md` 5): whatever the offices send, in whatever
//! order the hub takes it, exactly one of them holds the member, and nothing vanishes.
//!
//! The decision that is checked is the hub's own, `domain::decide::decide`, over a store in memory; `replay`
//! carries out histories of the model on the shipped programs.
//!
//! | history of `sync.md` | what covers it |
//! |---|---|
//! | 5 a receiver offline queues the acceptance | every `Write` that is taken later; "a change waits and is applied" |
//! | 5 admission, acceptance | `one_tenure_is_open_and_it_is_the_holders` (S4), `tenures_follow_one_another` (S5) |
//! | 5 compare-and-set on (member, number, open) | `the_receiver_holds_whom_it_accepted`, "a second case is refused" (D11) |
//! | 5 stale tenure of a former holder | "a late edit is kept for the holder" (S6, D13) |
//! | 5 a crossing step never reopens ACCEPTED | "a recall crosses: a dispute opens" |
//! | 5 revocation: a compensating tenure | "an acceptance is revoked", "a dispute takes an acceptance back", "a ruling comes too late" |
//! | 5 death | "a death ends a case" |
//! | 5 refusal, cancel | "a refusal returns", "a case is withdrawn" |
//! | 5 a step equal in (case, event, organisation) is a repeat | `a_repeat_changes_nothing` (S2) |
//! | 5 open check on EXPIRED with an in-time date | "a check in time revives an expired letter" |
//! | 5 a member who goes on, and one who comes back (D12) | "the member moves on", "the member comes back" |
//! | 5 an organisation that was given up (D12) | "a case to an organisation that was given up stays where it is" |
//! | 5 an organisation that was merged | "a successor takes over an open case" |
//! | every refusal is told (S7) | `a_refusal_says_why`, `nothing_vanishes` |

mod checks;
#[cfg(test)]
mod ends;
mod hub;
mod mark;
mod model;
mod properties;
pub(in crate::model) mod replay;
mod steps;
mod walk;

use super::Bound;
use super::explore::{Named, explore_all};
use model::Transfers;
use steps::Case;

/// What is explored in every test run, with how many states that gives where that is pinned: a change of
/// the machine or of the decision shows there.
const SHORT: [(&str, Transfers, Option<usize>); 4] = [
    (
        "one case with everything that may cross it",
        ONE,
        Some(127_444),
    ),
    (
        "two cases started at once",
        of(&[Case::First, Case::Rival]),
        Some(21_416),
    ),
    (
        "a member who moves on",
        of(&[Case::First, Case::Onward]),
        Some(36_055),
    ),
    (
        "a member who comes back",
        of(&[Case::First, Case::Back]),
        Some(14_907),
    ),
];
/// And in a long run; whether to the end, or so many states as are asked for.
const LONG: [(&str, Transfers, bool); 4] = [
    ("an organisation that goes", GOING, true),
    (
        "one case, more under way",
        Transfers {
            under_way: 3,
            ..ONE
        },
        false,
    ),
    (
        "three cases of one member",
        Transfers {
            cases: &[Case::First, Case::Rival, Case::Onward],
            ..ONE
        },
        false,
    ),
    (
        "an organisation that goes, more under way",
        Transfers {
            under_way: 3,
            ..GOING
        },
        false,
    ),
];

const ONE: Transfers = Transfers {
    cases: &[Case::First],
    is_whole: true,
    under_way: 2,
    may_go: false,
};
const GOING: Transfers = Transfers {
    may_go: true,
    ..of(&[Case::First])
};

const fn of(cases: &'static [Case]) -> Transfers {
    Transfers {
        cases,
        is_whole: false,
        under_way: 2,
        may_go: false,
    }
}

/// Explores what the bound asks for; each with its name and, in the short run, the number of states that is
/// expected.
pub(super) fn explored(bound: Bound) -> Vec<Named> {
    explore_all(SHORT, LONG, bound)
}
