//! A model of the session (`sync.md` 4): whatever is lost, late, repeated, rolled back, copied or
//! restored, no change vanishes, none counts twice, and a quiet line makes node and hub equal.
//!
//! What is checked are the functions of `domain::session` that the programs call, and the hub's own
//! decision, over stores in memory.
//!
//! | history of `sync.md` 4 | what covers it |
//! |---|---|
//! | a lost answer, a late duplicate | `cuts`, `late`: "no change has two effects" (S2), "a message came late" |
//! | a late request of an earlier session | `late` with `restores`: "a call of a former incarnation is refused" |
//! | head below the hub's high: rewound | `rollbacks`: "a later epoch", "a quiet line leads to equal stores" (S1, S9) |
//! | same sequence, other chain: forked | `rollbacks` and writes after: "what went on together is the same history" (S3) |
//! | a confirmed nonce seen with another: a clone | `copies`: "a copy is stopped" |
//! | unknown incarnation: recovering | `restores`: "the hub recovers" |
//! | a person ends recovery | `ends`: "a person has ended a recovery" |
//! | own high below what the node knows acknowledged | `restores`: "no change vanishes" (S1) |
//! | both restored | `rollbacks` and `restores`: "a store and the hub were put back"; a store put back after it has told a restored hub what was decided (S7) |
//! | both copied and restored | `copies` and `restores` |
//! | when a change stops being pending | "pending goes only when it is decided" (S4 of `domain::session`) |
//! | the digest of the head | "digests at the head are equal" (S12, S13) |

mod change;
mod hub;
mod model;
mod node;

use super::Bound;
use super::explore::{Named, explore_all};
use model::{NOTHING, Sessions};

/// What is explored in every test run, with how many states that gives where that is pinned: a change of
/// the machines shows there.
const SHORT: [(&str, Sessions, Option<usize>); 7] = [
    (
        "messages are lost late and repeated",
        Sessions {
            writes: 2,
            greetings: 2,
            cuts: 1,
            late: 1,
            desk: 1,
            ..NOTHING
        },
        Some(36_187),
    ),
    (
        "a store is rolled back and goes on",
        Sessions {
            writes: 3,
            greetings: 2,
            rollbacks: 1,
            cuts: 1,
            ..NOTHING
        },
        Some(28_533),
    ),
    (
        "the hub is put back",
        Sessions {
            writes: 2,
            greetings: 2,
            cuts: 1,
            restores: 1,
            desk: 1,
            ..NOTHING
        },
        Some(82_981),
    ),
    (
        "long histories of rollbacks and copies",
        Sessions {
            writes: 2,
            greetings: 4,
            rollbacks: 1,
            copies: 1,
            is_coarse: true,
            ..NOTHING
        },
        Some(60_594),
    ),
    (
        "long histories of a hub that is put back",
        Sessions {
            writes: 2,
            greetings: 3,
            restores: 2,
            desk: 2,
            is_coarse: true,
            ..NOTHING
        },
        Some(112_863),
    ),
    (
        "messages are late when the hub was put back",
        Sessions {
            writes: 1,
            greetings: 2,
            late: 1,
            restores: 1,
            ..NOTHING
        },
        Some(6_116),
    ),
    (
        "a person ends a recovery",
        Sessions {
            writes: 2,
            greetings: 3,
            restores: 1,
            ends: 1,
            desk: 1,
            is_coarse: true,
            ..NOTHING
        },
        Some(9_169),
    ),
];
/// And in a long run; whether to the end, or so many states as are asked for.
const LONG: [(&str, Sessions, bool); 10] = [
    (
        "a folder is copied",
        Sessions {
            writes: 2,
            greetings: 3,
            copies: 1,
            ..NOTHING
        },
        true,
    ),
    (
        "a hub is put back and then a store",
        Sessions {
            writes: 2,
            greetings: 2,
            cuts: 1,
            rollbacks: 1,
            restores: 1,
            ..NOTHING
        },
        true,
    ),
    (
        "a store and the hub are put back",
        Sessions {
            writes: 2,
            greetings: 3,
            rollbacks: 1,
            restores: 1,
            is_coarse: true,
            ..NOTHING
        },
        true,
    ),
    (
        "a folder is copied and the hub is put back",
        Sessions {
            writes: 1,
            greetings: 4,
            copies: 1,
            restores: 1,
            is_coarse: true,
            ..NOTHING
        },
        true,
    ),
    (
        "more writes, cuts and late messages",
        Sessions {
            writes: 3,
            greetings: 3,
            cuts: 1,
            late: 1,
            desk: 1,
            ..NOTHING
        },
        false,
    ),
    (
        "two rollbacks and a cut",
        Sessions {
            writes: 3,
            greetings: 3,
            rollbacks: 2,
            cuts: 1,
            ..NOTHING
        },
        false,
    ),
    (
        "a copy and a cut",
        Sessions {
            writes: 3,
            greetings: 3,
            copies: 1,
            cuts: 1,
            ..NOTHING
        },
        false,
    ),
    (
        "a rollback, a restore and a cut",
        Sessions {
            writes: 2,
            greetings: 3,
            rollbacks: 1,
            restores: 1,
            cuts: 1,
            desk: 1,
            ..NOTHING
        },
        false,
    ),
    (
        "everything, session by session",
        Sessions {
            writes: 2,
            greetings: 5,
            rollbacks: 1,
            copies: 1,
            restores: 1,
            ends: 1,
            desk: 1,
            is_coarse: true,
            ..NOTHING
        },
        false,
    ),
    (
        "late messages and two restores",
        Sessions {
            writes: 2,
            greetings: 3,
            late: 1,
            restores: 2,
            ..NOTHING
        },
        false,
    ),
];

/// Explores what the bound asks for; each with its name and, in the short run, the number of states that is
/// expected.
pub(super) fn explored(bound: Bound) -> Vec<Named> {
    explore_all(SHORT, LONG, bound)
}
