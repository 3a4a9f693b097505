//! Changes that a node wrote anew in another epoch, after its store was rewound or copied
//! (`sync.md` 4): the same change may arrive more than once under different places, and counts once.
//!
//! What a rewritten change replaces is named by its old place and the hash of its body, because two
//! copies of one machine give the same place to different changes.

use super::{Incoming, Verdict, send_again};
use crate::change::Hash;
use crate::id::{ChangeId, NodeId, derived_id};
use crate::world::{Need, Outcome, World};

/// The name under which the outcomes keep who replaced a change: of the change's old place and the
/// hash of its body. A hub that has the old change itself answers with its old place.
pub fn replaced(old: ChangeId, body: &Hash) -> ChangeId {
    let name = derived_id("lianxin rewritten 1", &[&super::change_bytes(old), body]);
    ChangeId {
        node: NodeId::new(name.bytes()),
        epoch: 0,
        sequence: 0,
    }
}

/// Whether the change was taken before under another place; then it counts as that one.
pub(super) fn repeat(world: &mut World, incoming: &Incoming<'_>) -> Result<Option<Verdict>, Need> {
    let Some((old, body)) = incoming.change.header.replaces else {
        return Ok(None);
    };
    let name = replaced(old, &body);
    let id = incoming.change.id;
    match world.outcome(name, 0)? {
        Some(Outcome::Merged(first)) if first != id => {
            world.note_outcome(id, 0, Outcome::Merged(first));
            send_again(world, incoming)?;
            Ok(Some(Verdict::Merged))
        }
        _ => {
            note(world, incoming);
            Ok(None)
        }
    }
}

/// Notes under which place the change was taken first.
pub(super) fn note(world: &mut World, incoming: &Incoming<'_>) {
    if let Some((old, body)) = incoming.change.header.replaces {
        world.note_outcome(replaced(old, &body), 0, Outcome::Merged(incoming.change.id));
    }
}
