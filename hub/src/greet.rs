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
    /// How many changes wait at it.
    pub waiting: u64,
    /// Its clock when it said so (Unix milliseconds).
    pub clock: u64,
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
    note_said(tx, node, greeting, now_ms)?;
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
    let (unused, greatest) = (tx.unused_offer(node.id)?, tx.greatest_epoch(node.id)?);
    let offered = session::offered(unused, greatest, greeting.epoch);
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

/// Notes what a machine says of itself, if that is news: it was not heard before; or it is said again, for want of an
/// answer, at a later time of the machine's own clock than what was noted last. A late copy would make its machine look
/// as far off as the copy was under way, and what it enters suspect (`sync.md` 3, rule 9).
fn note_said(tx: Tx<'_>, node: &Node, greeting: &Greeting, now_ms: u64) -> Result<(), HubError> {
    let (confirmed, proposed) = &greeting.nonces;
    let heard = tx.greetings(node.id, greeting.epoch)?;
    let pair = (confirmed.as_slice(), proposed.as_slice());
    let is_repeat = session::lineage(&heard, pair) == Lineage::Repeats;
    let (now, clock) = (now_ms.cast_signed(), greeting.clock.cast_signed());
    let noted = node
        .last_seen
        .map(|seen| seen.cast_signed().saturating_sub(node.offset_ms));
    if is_repeat && noted.is_some_and(|noted| clock <= noted) {
        return Ok(());
    }
    let offset_ms = now.saturating_sub(clock);
    Ok(tx.note_greeting_of(node.id, now_ms, greeting.waiting, offset_ms)?)
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

#[cfg(test)]
mod tests {
    use domain::id::OfficeId;
    use store::open::{Side, writer};
    use store::writer::write_on;

    use super::*;

    const NODE: NodeId = NodeId::new([2; 16]);
    const NOW: u64 = 1_795_000_000_000;
    const MINUTE: u64 = 60_000;

    /// S2, rule 9: a copy of a greeting that comes late says nothing of the machine's clock; whoever greets again for
    /// want of an answer says how it stands now.
    #[test]
    fn a_copy_that_comes_late_does_not_set_a_machines_clock_off() -> anyhow::Result<()> {
        let folder = tempfile::tempdir()?;
        let mut connection = writer(&folder.path().join("hub.sqlite"), Side::Hub)?;
        write_on(&mut connection, |tx| {
            tx.insert_node(&Node::new(NODE, OfficeId::new([1; 16]), [0; 32]), NOW)?;
            tx.put_journal(&empty_journal(NODE, 1))?;
            // How far off the machine looks after a greeting that it sent and that came at these minutes.
            let off_after = |(confirmed, proposed): (&[u8], u8), sent: u64, came: u64| {
                let greeting = Greeting {
                    epoch: 1,
                    head: (0, chain_start(NODE, 1)),
                    nonces: (confirmed.to_vec(), vec![proposed; 16]),
                    waiting: sent,
                    clock: NOW + sent * MINUTE,
                };
                let known = tx.node(NODE)?;
                let known = known.ok_or_else(|| anyhow::anyhow!("no such machine"))?;
                greet(tx, &known, &greeting, NOW + came * MINUTE)?;
                let noted = tx.node(NODE)?.map(|node| (node.offset_ms, node.waiting));
                anyhow::Ok(noted)
            };
            let (first, second): (&[u8], &[u8]) = (&[], &[1; 16]);
            assert_eq!(off_after((first, 1), 0, 0)?, Some((0, 0)));
            assert_eq!(
                off_after((first, 1), 0, 20)?,
                Some((0, 0)),
                "a copy of the last"
            );
            assert_eq!(off_after((second, 2), 30, 30)?, Some((0, 30)));
            assert_eq!(
                off_after((first, 1), 0, 40)?,
                Some((0, 30)),
                "of an older one"
            );
            assert_eq!(off_after((second, 2), 50, 51)?, Some((60_000, 50)), "again");
            Ok(())
        })
    }
}
