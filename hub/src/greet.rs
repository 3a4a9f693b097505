//! What a greeting shows about two histories (`sync.md` 4, restore table), in the table's order.

use domain::change::{Hash, chain_start};
use domain::id::NodeId;
use domain::limits;
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

/// What the hub found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
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
        return Err(proto::status::CallRefused::NotAllowed("an epoch that was not offered").into());
    };
    let is_unheard = recovery::is_recovering(tx)? && tx.unreported()?.contains(&node.id);
    let lineage = lineage(tx, node.id, greeting)?;
    if is_unheard {
        return Ok((Standing::HubRestored, journal));
    }
    if journal.is_kept_only {
        return Ok((Standing::Cloned, journal));
    }
    let standing = compare(tx, node.id, &journal, greeting)?;
    if lineage == Lineage::GoesOn && standing == Standing::Agreed {
        set_copies_apart(tx, node.id, greeting.epoch, now_ms)?;
    }
    Ok((standing, journal))
}

/// What the nonces say of the machine that greets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Lineage {
    /// It goes on from its last greeting, or repeats it.
    GoesOn,
    /// It begins, or goes on from an older greeting: its store was rewound, or it is a copy.
    Branches,
}

/// Notes a greeting's nonces; an exact pair that was seen before is a repeat and changes nothing.
fn lineage(tx: Tx<'_>, node: NodeId, greeting: &Greeting) -> Result<Lineage, HubError> {
    let (confirmed, proposed) = &greeting.nonces;
    let known = tx.greetings(node, greeting.epoch)?;
    if known.iter().any(|(c, p)| c == confirmed && p == proposed) {
        return Ok(Lineage::GoesOn);
    }
    let is_proposed = known.iter().any(|(_, p)| p == confirmed);
    let is_used = known.iter().any(|(c, _)| c == confirmed);
    let pair = (confirmed.as_slice(), proposed.as_slice());
    tx.add_greeting(node, greeting.epoch, pair, limits::NONCES_KEPT)?;
    Ok(if is_proposed && !is_used {
        Lineage::GoesOn
    } else {
        Lineage::Branches
    })
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
    let is_later = epoch > tx.greatest_epoch(node.id)?;
    if !is_later || !recovery::was_restored(tx)? || !tx.unreported()?.contains(&node.id) {
        return Ok(None);
    }
    let journal = Journal {
        node: node.id,
        epoch,
        received: 0,
        chain: chain_start(node.id, epoch),
        decided_through: 0,
        is_kept_only: false,
        history_through: 0,
    };
    tx.put_journal(&journal)?;
    Ok(Some(journal))
}

/// Compares the node's head with the hub's journal.
fn compare(
    tx: Tx<'_>,
    node: NodeId,
    journal: &Journal,
    greeting: &Greeting,
) -> Result<Standing, HubError> {
    let (head, chain) = greeting.head;
    if head > journal.received {
        return Ok(Standing::Agreed);
    }
    let agrees = chain_at(tx, journal, head)? == Some(chain);
    if agrees && head == journal.received {
        return Ok(Standing::Agreed);
    }
    let next = tx.greatest_epoch(node)? + 1;
    let mut place = head.to_be_bytes().to_vec();
    place.extend_from_slice(&journal.epoch.to_be_bytes());
    place.extend_from_slice(&chain);
    let offered = tx.offer_epoch(node, &place, next, &chain_start(node, next))?;
    Ok(if agrees {
        Standing::Rewound(offered)
    } else {
        Standing::Forked(offered)
    })
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
