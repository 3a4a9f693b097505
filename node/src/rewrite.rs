//! Writes pending changes anew in another epoch or under another identity: what was entered before
//! the node was enrolled, what a rewound or copied store entered at places that the hub has filled
//! otherwise, and the outbox of a machine that was enrolled again (`sync.md` 2 and 4).
//!
//! Invariants: everything in one transaction; order stays; a base inside the rewritten part follows
//! its change; the result is the same bytes however often it is tried from the same store, but for
//! the epoch; a change that the hub may have seen says what it replaces; what is not as it was written
//! is not written anew.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::ensure;
use domain::change::{chain_next, chain_start};
use domain::id::{ChangeId, NodeId, OfficeId};
use domain::record::RecordKey;
use domain::session::Head;
use domain::session::office::{Heir, rewritten};
use store::node::{Entry, Place};
use store::{StoreError, Tx};

use crate::app::Own;
use crate::{clock, fold, journal};

/// The setting with the identity under which the journal is written.
pub const IDENTITY: &str = "identity";
/// The setting with the identities before that one: of each the node and the office, sixteen bytes each.
const FORMER_IDENTITIES: &str = "former_identities";
/// Set where the hub has another incarnation than the one that acknowledged the former epochs, or one was left
/// since.
pub const LOOK_AT_FORMER: &str = "look_at_former_epochs";
/// Entries held at once.
const PORTION: usize = 500;
/// Where epochs of a former identity are put while they are rewritten.
const FORMER: u32 = 1 << 30;

/// Whose changes are rewritten.
#[derive(Debug, Clone, Copy)]
struct Source {
    /// The node and the epoch in their ids.
    node: NodeId,
    epoch: u32,
    /// The epoch under which they stand in the store.
    stored: u32,
}

impl Source {
    /// What was written before there was an identity. Nothing of it was ever sent.
    const UNENROLLED: Self = Self {
        node: NodeId::new([0; 16]),
        epoch: 0,
        stored: 0,
    };

    /// An epoch of this node's own, or what was written before there was any.
    fn of(own: Own, epoch: u32) -> Self {
        if epoch == Self::UNENROLLED.epoch {
            return Self::UNENROLLED;
        }
        Self {
            node: own.node,
            epoch,
            stored: epoch,
        }
    }
}

/// Brings the journal under an identity that the hub has given. Of the identity before, the outbox is
/// written anew; the whole journal where the hub `has_lost` it and it was the same office's. Of an office before,
/// nothing else stays.
///
/// # Errors
/// The store's own.
pub fn adopt_identity(tx: Tx<'_>, own: Own, has_lost: bool) -> anyhow::Result<u64> {
    let kept = tx.setting(IDENTITY)?.unwrap_or_default();
    let former = NodeId::from_slice(&kept)
        .ok()
        .filter(|node| *node != own.node);
    let before = Own::default().in_store(tx)?;
    if before.node != NodeId::default() && before.office != own.office {
        fold::leave_feed(tx, &before.office_feed())?;
        tx.drop_certificates()?;
    }
    let mut renamed = BTreeMap::new();
    if let Some(node) = former {
        let known = tx.setting(FORMER_IDENTITIES)?.unwrap_or_default();
        tx.set_setting(
            FORMER_IDENTITIES,
            &[&known[..], &node.bytes(), &before.office.bytes()].concat(),
        )?;
        tx.disown_certificates()?;
        // The hub may have lost what this office wrote under an earlier identity, the machine being another office's.
        look_again(tx)?;
        if has_lost && before.office == own.office {
            for epoch in tx.epochs()? {
                take_up(tx, epoch, 0)?;
            }
        }
        tx.put_journal_aside(node)?;
        for epoch in tx.pending_epochs_but(Own::default().epoch)? {
            let stored = epoch | FORMER;
            tx.renumber_epoch(epoch, stored)?;
            let source = Source {
                node,
                epoch,
                stored,
            };
            rewrite(tx, own, source, 0, &mut renamed)?;
        }
    }
    rewrite(tx, own, Source::UNENROLLED, 0, &mut renamed)?;
    own.keep(tx)?;
    tx.set_setting(IDENTITY, &own.node.bytes())?;
    Ok(renamed.len() as u64)
}

/// Under which identities this store's journals were ever written: a program that has not heard of the present one
/// yet goes on under the one before.
///
/// # Errors
/// The store's own.
pub fn identities(tx: Tx<'_>, own: Own) -> anyhow::Result<Vec<NodeId>> {
    let mut nodes = vec![own.node];
    let kept = tx.setting(IDENTITY)?.unwrap_or_default();
    nodes.extend(NodeId::from_slice(&kept));
    nodes.extend(former_identities(tx)?.into_iter().map(|(node, _)| node));
    Ok(nodes)
}

/// The identities before the present one, each with the office for which it spoke.
fn former_identities(tx: Tx<'_>) -> Result<Vec<(NodeId, OfficeId)>, StoreError> {
    let kept = tx.setting(FORMER_IDENTITIES)?.unwrap_or_default();
    let identities = kept.chunks(32).filter_map(|kept| {
        let (node, office) = kept.split_at_checked(16)?;
        Some((
            NodeId::from_slice(node).ok()?,
            OfficeId::from_slice(office).ok()?,
        ))
    });
    Ok(identities.collect())
}

/// The journals (node and epoch) of former identities that spoke for the present office, the oldest first. What was
/// written for another office is not the present one's to send, whether the hub knows it or not.
///
/// # Errors
/// The store's own.
pub fn journals_before(tx: Tx<'_>, own: Own) -> anyhow::Result<Vec<(NodeId, u32)>> {
    let former = former_identities(tx)?;
    let mut journals = tx.former_journals()?;
    journals.retain(|(node, _)| former.contains(&(*node, own.office)));
    Ok(journals)
}

/// What was acknowledged of an epoch after a place is pending again, on top of the rows as they are: what
/// the hub signed of them it takes back, and what comes again with it is a repeat.
///
/// # Errors
/// The store's own.
pub fn take_up(tx: Tx<'_>, epoch: u32, after: u64) -> anyhow::Result<()> {
    for key in tx.make_pending_after(epoch, after)? {
        if tx.base_image(key)?.is_none() {
            tx.put_base_image(key, tx.record(key)?.as_ref())?;
        }
    }
    Ok(())
}

/// Writes anew, under the present identity, what journals of former ones (node and epoch) have, each after a place; how
/// many changes. What is pending again stands on the rows as they are, as in [`take_up`].
///
/// # Errors
/// The store's own.
pub fn take_up_former(
    tx: Tx<'_>,
    own: Own,
    journals: &[((NodeId, u32), u64)],
) -> anyhow::Result<u64> {
    let mut renamed = BTreeMap::new();
    for ((node, epoch), after) in journals {
        let source = Source {
            node: *node,
            epoch: *epoch,
            stored: *epoch | FORMER,
        };
        tx.take_former_back((*node, *epoch), *after, source.stored)?;
        take_up(tx, source.stored, 0)?;
        rewrite(tx, own, source, 0, &mut renamed)?;
    }
    Ok(renamed.len() as u64)
}

/// The hub was put back, or an epoch was left: whoever greets it next looks how far it has the former epochs.
///
/// # Errors
/// The store's own.
pub fn look_again(tx: Tx<'_>) -> anyhow::Result<()> {
    Ok(tx.set_setting(LOOK_AT_FORMER, &[1])?)
}

/// Opens the epoch that the hub has offered (its clock: milliseconds since 1970) in the place of the one that is
/// `left`: the epoch and its last place at which the hub has the same history. What it has behind that moves, what
/// the hub had acknowledged too: a hub that was put back has lost it, and may have taken a copy's changes at the
/// same places since. What is pending of other epochs moves as well, each after a place. So what is entered later,
/// and what stood on what moved, stands on nobody else's change. The epochs before are looked at again.
///
/// # Errors
/// The store's own.
pub fn open_epoch(
    tx: Tx<'_>,
    own: Own,
    hub_ms: u64,
    left: (u32, u64),
    others: &[(u32, u64)],
) -> anyhow::Result<u64> {
    let (epoch, common) = left;
    take_up(tx, epoch, common)?;
    let mut tails = others.to_vec();
    tails.push(left);
    tails.sort_unstable();
    own.keep(tx)?;
    clock::begin_epoch(tx, hub_ms)?;
    tx.set_setting("nonce_confirmed", &[])?;
    look_again(tx)?;
    rewrite_tails(tx, own, &tails)
}

/// Rewrites the pending changes of other epochs, each after a place; how many.
///
/// # Errors
/// The store's own.
pub fn rewrite_tails(tx: Tx<'_>, own: Own, tails: &[(u32, u64)]) -> anyhow::Result<u64> {
    let mut renamed = BTreeMap::new();
    for (epoch, after) in tails {
        rewrite(tx, own, Source::of(own, *epoch), *after, &mut renamed)?;
    }
    Ok(renamed.len() as u64)
}

/// Moves what is pending of a source after a place; `renamed` has what moved before, of other sources too.
fn rewrite(
    tx: Tx<'_>,
    own: Own,
    from: Source,
    after: u64,
    renamed: &mut BTreeMap<ChangeId, ChangeId>,
) -> anyhow::Result<()> {
    let (mut keys, mut before) = (BTreeSet::new(), None);
    loop {
        let entries = tx.pending_after(from.stored, after, PORTION)?;
        if entries.is_empty() {
            break;
        }
        for entry in entries {
            check_unchanged(tx, own, from, &entry, before)?;
            before = Some(Head {
                sequence: entry.sequence,
                chain: entry.chain,
            });
            keys.insert(entry.key);
            move_entry(tx, own, from, &entry, renamed)?;
        }
    }
    for key in &keys {
        settle(tx, own, *key)?;
    }
    Ok(())
}

/// The row again from its base and what is pending, with the new names.
fn settle(tx: Tx<'_>, own: Own, key: RecordKey) -> anyhow::Result<()> {
    match tx.base_image(key)? {
        Some(confirmed) => fold::settle_row(tx, own, key, confirmed),
        None => Ok(()),
    }
}

/// Looks at an entry that is to move, after the last that has moved `before` it. The new chain would make anything
/// that is there an entry of this office: a bit that has turned over since it was written, too. Where the entry
/// before it has moved earlier, nobody knows the chain there.
fn check_unchanged(
    tx: Tx<'_>,
    own: Own,
    from: Source,
    entry: &Entry,
    before: Option<Head>,
) -> anyhow::Result<()> {
    let Source {
        node,
        epoch,
        stored,
    } = from;
    let sequence = entry.sequence.saturating_sub(1);
    let before = before.filter(|before| before.sequence == sequence);
    let chains = match before.map(|before| before.chain) {
        Some(chain) => vec![chain],
        None if sequence > 0 => {
            let there = tx.entry(stored, sequence)?.map(|there| there.chain);
            let place = Place {
                node,
                epoch,
                sequence,
            };
            let known = there.map_or_else(|| tx.former_chain(place), |chain| Ok(Some(chain)))?;
            known.into_iter().collect()
        }
        None if epoch == 0 => vec![chain_start(node, epoch)],
        None => {
            let nodes = [vec![node], identities(tx, own)?].concat();
            let starts = nodes.into_iter().map(|node| chain_start(node, epoch));
            starts.collect()
        }
    };
    let follows = chains.is_empty() || chains.iter().any(|chain| journal::follows(chain, entry));
    let place = entry.sequence;
    let id = ChangeId {
        node,
        epoch,
        sequence: place,
    };
    // Bytes that cannot be read do not say what they are about.
    let change = proto::convert::decode_change(id, &entry.raw).ok();
    let is_of_record = change.is_none_or(|change| {
        (change.header.kind, change.header.record) == (entry.key.kind, entry.key.id)
    });
    ensure!(
        follows && is_of_record,
        "entry {epoch}/{place} of this machine's journal is not as it was written: keep the whole folder, and put this \
         machine's own backup back, or join with a new code in an empty folder \
         本机日志第 {epoch}/{place} 条已损坏,不会发送:请保留整个数据文件夹,恢复本机自己的备份,或在空文件夹中重新入网"
    );
    Ok(())
}

fn move_entry(
    tx: Tx<'_>,
    own: Own,
    from: Source,
    entry: &Entry,
    renamed: &mut BTreeMap<ChangeId, ChangeId>,
) -> anyhow::Result<()> {
    let old = ChangeId {
        node: from.node,
        epoch: from.epoch,
        sequence: entry.sequence,
    };
    let (last, chain) = journal::head(tx, own)?;
    let new = ChangeId {
        node: own.node,
        epoch: own.epoch,
        sequence: last + 1,
    };
    let raw = match proto::convert::decode_change(old, &entry.raw) {
        Ok(change) => {
            let heir = Heir {
                former: from.node,
                office: own.office,
            };
            let (header, body) = rewritten(change, entry.raw.body_hash(), renamed, heir);
            proto::convert::encode_change(&header, &body, entry.raw.salt)
        }
        // Bytes that cannot be read go as they are: the hub keeps them, and a person sees them.
        Err(_) => entry.raw.clone(),
    };
    let at_ms = proto::convert::decode_change(new, &raw)
        .map_or(0, |change| change.header.timestamp.unix_ms());
    let chain = chain_next(&chain, &raw.header, &raw.body_hash());
    // It bears the time at which it was entered; the clock that wrote that may have stood years ahead.
    let clock = clock::last(tx, own.epoch)?;
    tx.remove_entry(from.stored, entry.sequence)?;
    let entry = Entry {
        epoch: own.epoch,
        sequence: new.sequence,
        key: entry.key,
        raw,
        chain,
    };
    tx.append_entry(&entry, at_ms, clock)?;
    renamed.insert(old, new);
    Ok(())
}
