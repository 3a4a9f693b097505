//! The hub's decision on one change, once, in the transaction that stores it (`sync.md` 3).

use crate::change::Change;
use crate::id::OfficeId;
use crate::world::{Need, World};

/// A change with what the hub knows of its arrival.
#[derive(Debug, Clone, Copy)]
pub struct Incoming<'a> {
    /// The change.
    pub change: &'a Change,
    /// The office of the certificate ([`crate::id::DESK`] for the hub's own desk).
    pub office: OfficeId,
    /// When the hub received it (milliseconds since 1970).
    pub received_ms: u64,
    /// Hub's clock minus the node's, as measured at the last greeting.
    pub offset_ms: i64,
    /// The set-aside record under which the change has waited so far, if it has.
    pub waited_in: Option<crate::id::RecordId>,
}

/// The hub's answer to one change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Applied as it was written.
    Applied,
    /// Every value was already so.
    Merged,
    /// A field at least lost against another value, which stands; the loser is kept.
    Lost,
    /// Kept whole, not applied: the reason's code.
    SetAside(&'static str),
    /// Waits for a record that it names.
    Waiting,
}
