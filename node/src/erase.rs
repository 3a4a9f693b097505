//! Erases what has left the office's scope (`sync.md` 9): row, base image, replaced rows, and salt and
//! body of the node's own changes. Headers and the bodies' hashes stay, so the chain stays whole.
//!
//! Whether something is to be erased is a function of the database: a record stands in `leaving` from
//! the page that tells of it until nothing of it is left. A store that was put back reads that page
//! again. Rows go as soon as no change of the record is pending; bodies only when the hub has them in a
//! verified backup, because until then the journal is the only other copy.

use domain::erase::{self, Erased};
use domain::id::ChangeId;
use domain::record::RecordKey;
use domain::session::office;
use store::Tx;
use store::node::Place;

use crate::app::Own;

/// Records that one transaction erases: what the largest move of an organisation takes with it, and
/// several times that.
const PORTION: usize = 5_000;
/// The setting that says that the file may still hold traces of what was erased.
const TRACES: &str = "erased_traces";
/// The setting with the durable places by which it was looked last.
const DURABLE: &str = "erase_durable";

/// What is known when it is looked for what can be erased.
#[derive(Debug, Clone, Default)]
pub struct Known {
    /// Own changes of the present epoch that are decided and whose notes are folded.
    pub decided_through: u64,
    /// How far journals of the office's machines are durable; none where the hub was not asked.
    pub durable: Vec<Place>,
}

/// Whether anything has left and is not erased: then the hub is asked what is durable.
///
/// # Errors
/// The store's own.
pub fn is_erasing(tx: Tx<'_>) -> anyhow::Result<bool> {
    Ok(!tx.leaving(false, None, 1)?.is_empty())
}

/// Erases what can be erased of a portion of what has left, after a record; the last record of the portion, or none
/// where nothing is behind it.
///
/// # Errors
/// The store's own.
pub fn erase(
    tx: Tx<'_>,
    own: Own,
    known: &Known,
    after: Option<RecordKey>,
    now_ms: u64,
) -> anyhow::Result<Option<RecordKey>> {
    let durable = written(&known.durable);
    let is_news = !known.durable.is_empty() && tx.setting(DURABLE)?.unwrap_or_default() != durable;
    let portion = tx.leaving(!is_news, after, PORTION)?;
    for key in &portion {
        erase_record(tx, own, known, *key, now_ms)?;
    }
    let last = portion.last().copied();
    let last = last.filter(|_| portion.len() == PORTION);
    if is_news && last.is_none() {
        tx.set_setting(DURABLE, &durable)?;
    }
    Ok(last)
}

/// Erases one record as far as it can be; it leaves no more once nothing of it is left.
fn erase_record(
    tx: Tx<'_>,
    own: Own,
    known: &Known,
    key: RecordKey,
    now_ms: u64,
) -> anyhow::Result<()> {
    for place in tx.pending_of(key)? {
        if office::is_decided(own.epoch, place, known.decided_through) {
            tx.drop_pending(place.0, place.1)?;
        }
    }
    let has_pending = !tx.pending_of(key)?.is_empty();
    if has_pending {
        return Ok(tx.let_leaving_wait(key)?);
    }
    tx.drop_base_image(key)?;
    tx.remove_record(key)?;
    tx.remove_replaced(key)?;
    tx.set_setting(TRACES, &[1])?;
    let durable_at = |place: &Place| {
        let of_journal = |known: &&Place| (known.node, known.epoch) == (place.node, place.epoch);
        let known = known.durable.iter().find(of_journal);
        known.map_or(0, |known| known.sequence)
    };
    let entries: Vec<_> = tx
        .entries_about(key)?
        .into_iter()
        .filter(|entry| entry.raw.erased.is_none())
        .map(|entry| {
            let place = Place {
                node: own.node,
                epoch: entry.epoch,
                sequence: entry.sequence,
            };
            (place, entry.raw.body_hash())
        })
        .collect();
    let former: Vec<_> = tx
        .former_entries_about(key)?
        .into_iter()
        .filter(|entry| entry.raw.erased.is_none())
        .map(|entry| (entry.place, entry.raw.body_hash()))
        .collect();
    let may_go = |place: &Place| office::may_erase(has_pending, place.sequence, durable_at(place));
    if !entries
        .iter()
        .chain(&former)
        .all(|(place, _)| may_go(place))
    {
        return Ok(tx.let_leaving_wait(key)?);
    }
    for (place, hash) in &entries {
        tx.erase_entry(place.epoch, place.sequence, hash)?;
    }
    for (place, hash) in &former {
        tx.erase_former_entry(*place, hash)?;
    }
    let named = former.iter().chain(&entries).map(|(place, hash)| {
        let id = ChangeId {
            node: place.node,
            epoch: place.epoch,
            sequence: place.sequence,
        };
        (id, *hash)
    });
    tx.note_erased(&Erased {
        key,
        at: now_ms,
        changes: (entries.len() + former.len()) as u64,
        digest: erase::digest(named),
    })?;
    Ok(tx.forget_leaving(key)?)
}

/// Whether the file may still hold traces of what was erased, in free space or in its log.
///
/// # Errors
/// The store's own.
pub fn has_traces(tx: Tx<'_>) -> anyhow::Result<bool> {
    Ok(tx.setting(TRACES)?.is_some_and(|traces| !traces.is_empty()))
}

/// The file was written anew.
///
/// # Errors
/// The store's own.
pub fn forget_traces(tx: Tx<'_>) -> anyhow::Result<()> {
    Ok(tx.set_setting(TRACES, &[])?)
}

fn written(places: &[Place]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(places.len() * 28);
    for place in places {
        bytes.extend_from_slice(&place.node.bytes());
        bytes.extend_from_slice(&place.epoch.to_be_bytes());
        bytes.extend_from_slice(&place.sequence.to_be_bytes());
    }
    bytes
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use domain::id::{NodeId, RecordId};
    use domain::kinds::person;
    use store::open::Side;

    use super::*;

    /// L4: however much waits, all of it is looked at when more is durable.
    #[test]
    fn what_is_behind_the_first_portion_is_erased_too() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("node.sqlite");
        let mut connection = store::open::writer(&path, Side::Node).unwrap();
        let place = Place {
            node: NodeId::new([1; 16]),
            epoch: 1,
            sequence: 9,
        };
        let known = Known {
            decided_through: 9,
            durable: vec![place],
        };
        store::writer::write_on::<_, anyhow::Error>(&mut connection, |tx| {
            for number in 0..=PORTION as u128 {
                let (kind, id) = (person::KIND_NUMBER, RecordId::new(number.to_be_bytes()));
                let key = RecordKey { kind, id };
                tx.note_leaving(key)?;
                tx.let_leaving_wait(key)?;
            }
            let (mut after, mut portions) = (None, 0);
            while portions == 0 || after.is_some() {
                after = erase(tx, Own::default(), &known, after, 7)?;
                portions += 1;
            }
            assert_eq!((portions, tx.leaving_count()?), (2, 0));
            Ok(())
        })
        .unwrap();
    }
}
