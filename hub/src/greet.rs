//! A greeting: reads what `domain::session::hub` judges it by, and notes what was judged.

use domain::change::{Hash, chain_start};
use domain::id::NodeId;
use domain::limits;
use domain::session::hub::{self as session, Greeted, Lineage, Proven};
use domain::session::{Head, Standing};
use store::Tx;
use store::hub::{Journal, Node};

use crate::error::HubError;
use crate::recovery;

/// What a node says of itself.
#[derive(Debug, Clone)]
pub struct Greeting {
    /// Its present epoch.
    pub epoch: u32,
    /// The end of its journal.
    pub head: (u64, Hash),
    /// The nonce of the last greeting that was answered, and the one proposed.
    pub nonces: (Vec<u8>, Vec<u8>),
}

/// Judges a greeting and notes it.
///
/// # Errors
/// An epoch that the hub never gave; the store's own.
pub fn greet(
    tx: Tx<'_>,
    node: &Node,
    greeting: &Greeting,
    now_ms: u64,
) -> Result<(Standing, Journal), HubError> {
    let journal = match tx.journal(node.id, greeting.epoch)? {
        Some(journal) => Some(journal),
        None => lost_journal(tx, node, greeting.epoch)?,
    };
    let Some(journal) = journal else {
        return forgotten(tx, node, greeting);
    };
    let is_unheard = is_unheard(tx, node.id)?;
    let lineage = lineage(tx, node.id, greeting)?;
    let (sequence, chain) = greeting.head;
    let unused = tx.unused_offer(node.id)?;
    let offered = session::offered(unused, tx.greatest_epoch(node.id)?);
    let standing = session::standing(&Greeted {
        is_unheard,
        is_kept_only: journal.is_kept_only,
        received: journal.received,
        proven: journal.proven,
        head: Head { sequence, chain },
        chain_there: chain_at(tx, &journal, sequence)?,
        offered,
    });
    if let Standing::Rewound(epoch) | Standing::Forked(epoch) = standing {
        offer(tx, node.id, greeting, epoch)?;
    }
    if session::proves_copies(lineage, standing) {
        set_copies_apart(tx, node.id, greeting.epoch, now_ms)?;
    }
    Ok((standing, journal))
}

/// Whether the hub recovers and this node has not told yet what it holds.
fn is_unheard(tx: Tx<'_>, node: NodeId) -> Result<bool, HubError> {
    Ok(recovery::is_recovering(tx)? && tx.unreported()?.contains(&node))
}

/// A greeting in an epoch of which this hub knows nothing, although no restore has lost it.
fn forgotten(
    tx: Tx<'_>,
    node: &Node,
    greeting: &Greeting,
) -> Result<(Standing, Journal), HubError> {
    let (unused, greatest) = (tx.unused_offer(node.id)?, tx.greatest_epoch(node.id)?);
    let Some(epoch) = session::offered_beyond(unused, greatest, greeting.epoch) else {
        return Err(proto::status::CallRefused::NotAllowed("an epoch that was not offered").into());
    };
    offer(tx, node.id, greeting, epoch)?;
    Ok((
        Standing::Forked(epoch),
        empty_journal(node.id, greeting.epoch),
    ))
}

/// Notes which head an epoch is offered for.
fn offer(tx: Tx<'_>, node: NodeId, greeting: &Greeting, epoch: u32) -> Result<(), HubError> {
    let (head, chain) = greeting.head;
    let mut place = head.to_be_bytes().to_vec();
    place.extend_from_slice(&greeting.epoch.to_be_bytes());
    place.extend_from_slice(&chain);
    Ok(tx.offer_epoch(node, &place, epoch, &chain_start(node, epoch))?)
}

/// Notes a greeting's nonces; an exact pair that was seen before is a repeat and changes nothing.
fn lineage(tx: Tx<'_>, node: NodeId, greeting: &Greeting) -> Result<Lineage, HubError> {
    let (confirmed, proposed) = &greeting.nonces;
    let pair = (confirmed.as_slice(), proposed.as_slice());
    let lineage = session::lineage(&tx.greetings(node, greeting.epoch)?, pair);
    if lineage != Lineage::Repeats {
        tx.add_greeting(node, greeting.epoch, pair, limits::NONCES_KEPT)?;
    }
    Ok(lineage)
}

/// A machine that was taken for rewound went on in a later epoch, and now the one whose journal is
/// the hub's greets again: there are two. What the copy writes from now on is kept and not applied,
/// and it reads nothing, until a person names the office's machine. Nothing of either is lost.
fn set_copies_apart(tx: Tx<'_>, node: NodeId, epoch: u32, now_ms: u64) -> Result<(), HubError> {
    for copy in tx.later_epochs(node, epoch)? {
        tx.set_kept_only(node, copy, true)?;
        tx.note_clone(node, Some(now_ms))?;
    }
    Ok(())
}

/// A journal of which a restored hub knows nothing: the epoch began after the backup.
fn lost_journal(tx: Tx<'_>, node: &Node, epoch: u32) -> Result<Option<Journal>, HubError> {
    let was_restored = recovery::was_restored(tx)?;
    if !session::is_lost_epoch(epoch, tx.greatest_epoch(node.id)?, was_restored) {
        return Ok(None);
    }
    let journal = empty_journal(node.id, epoch);
    tx.put_journal(&journal)?;
    Ok(Some(journal))
}

fn empty_journal(node: NodeId, epoch: u32) -> Journal {
    Journal {
        node,
        epoch,
        received: 0,
        chain: chain_start(node, epoch),
        decided_through: 0,
        is_kept_only: false,
        proven: Proven::default(),
    }
}

/// The chain of a journal at a place; none where the hub does not have it.
///
/// # Errors
/// The store's own.
pub fn chain_at(tx: Tx<'_>, journal: &Journal, sequence: u64) -> Result<Option<Hash>, HubError> {
    if sequence == 0 {
        return Ok(Some(chain_start(journal.node, journal.epoch)));
    }
    if sequence > journal.received {
        return Ok(None);
    }
    let id = domain::id::ChangeId {
        node: journal.node,
        epoch: journal.epoch,
        sequence,
    };
    let Some(batch) = tx.batch_of(id)? else {
        return Ok(None);
    };
    if batch.last == sequence {
        return Ok(Some(batch.chain));
    }
    let before = journal_chain_before(tx, journal, batch.first)?;
    let changes = proto::convert::decode_batch(&batch.bytes, batch.raw_bytes, usize::MAX)?;
    let count = usize::try_from(sequence - batch.first + 1).unwrap_or(usize::MAX);
    Ok(before.map(|before| domain::change::chain_over(before, changes.iter().take(count))))
}

fn journal_chain_before(
    tx: Tx<'_>,
    journal: &Journal,
    first: u64,
) -> Result<Option<Hash>, HubError> {
    if first <= 1 {
        return Ok(Some(chain_start(journal.node, journal.epoch)));
    }
    let id = domain::id::ChangeId {
        node: journal.node,
        epoch: journal.epoch,
        sequence: first - 1,
    };
    Ok(tx
        .batch_of(id)?
        .filter(|batch| batch.last == first - 1)
        .map(|batch| batch.chain))
}
