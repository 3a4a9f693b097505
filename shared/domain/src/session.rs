//! The decisions of a session (`sync.md` 4): what node and hub do about each other's histories.
//!
//! Facts come in, a decision goes out. Nothing here calls, waits or stores: the programs read the
//! facts, ask, and do what was decided in one transaction or one call. A session keeps nothing that
//! must survive it; its states are those of the two stores.
//!
//! ```text
//!  the node                                        the hub, of one (node, epoch)
//!
//!  greeting ──agreed, same end─────▶ carrying over    offered ──greeted──▶ followed ◀──named──┐
//!   ▲  │ ▲ └─recovering──▶ reporting ──▶ │               ▲                    │               │
//!   │  │ └──older place of its own──┘    ▼               │ head behind,       │ an earlier    │
//!   │  ├─rewound, forked─▶ next epoch  pushing ──┐       │ or another chain   │ epoch greets  │
//!   │  │                       │         ▼       │       └──── followed       ▼ again         │
//!   └──┼───────────────────────┘       pulling ◀─┘                        kept only ──────────┘
//!      └─cloned──▶ stopped: pushes, and reads nothing
//! ```
//!
//! Invariants, checked by the model in `tests/src/model/session.rs` of the crate `tests`:
//! S1 no acknowledged change vanishes; S2 no change has two effects; S3 the hub's journal and the
//! node's are the same up to where both have it, or a fork was found; S4 a pending change goes only
//! when the hub has decided it; S5 what a copied machine wrote is kept; S6 no lost, late or repeated
//! message locks anybody out: from every state a quiet line leads to equal stores.
//!
//! Absent: clocks, nonces drawn here, messages, tables. Reasons: ADR 0013 and 0014.

pub mod hub;
pub mod office;

use crate::change::Hash;

/// A place in a journal and the chain there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Head {
    /// The last place; 0 before the first change.
    pub sequence: u64,
    /// The chain after it.
    pub chain: Hash,
}

/// What the hub finds when a node greets (`sync.md` 4, restore table).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Standing {
    /// The journals agree as far as both have them.
    Agreed,
    /// The node's journal is older than what the hub has: it goes on in this epoch.
    Rewound(u32),
    /// Same places, other changes: the tail is rewritten in this epoch.
    Forked(u32),
    /// Another machine speaks with this identity.
    Cloned,
    /// The hub was restored since the node knew it.
    HubRestored,
}
