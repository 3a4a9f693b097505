//! The journals as they came, looked through for one record.

use std::collections::BTreeSet;

use domain::change::{Change, RawChange};
use domain::decide::named_by;
use domain::id::{ChangeId, RecordId};
use proto::convert;
use store::Tx;

use crate::error::HubError;

/// The records that these changes are about, with the subjects of steps; what cannot be read names
/// none.
pub(crate) fn touched<'a>(changes: impl IntoIterator<Item = &'a RawChange>) -> BTreeSet<RecordId> {
    let place = ChangeId {
        node: domain::id::NodeId::default(),
        epoch: 0,
        sequence: 0,
    };
    let changes = changes.into_iter();
    let readable = changes.filter_map(|raw| convert::decode_change(place, raw).ok());
    readable
        .flat_map(|change| named_by(&change))
        .map(|key| key.id)
        .collect()
}

/// Every readable change about a record, or with it as the subject of a step, as (arrival in
/// milliseconds since 1970, change), in the order in which they arrived. Only the runs that name the
/// record are unpacked, one in memory at a time (ADR 0020).
///
/// # Errors
/// The store's own.
pub fn changes_about(tx: Tx<'_>, record: RecordId) -> Result<Vec<(u64, Change)>, HubError> {
    let mut about = Vec::new();
    for last in tx.batches_about(record)? {
        let Some(batch) = tx.batch_of(last)? else {
            continue;
        };
        let changes = convert::decode_batch(&batch.bytes, batch.raw_bytes, usize::MAX)?;
        for (sequence, raw) in (batch.first..).zip(&changes) {
            let id = ChangeId { sequence, ..last };
            if let Ok(change) = convert::decode_change(id, raw)
                && named_by(&change).iter().any(|key| key.id == record)
            {
                about.push((batch.received_at, change));
            }
        }
    }
    about.sort_by_key(|(received_ms, change)| (*received_ms, change.id));
    Ok(about)
}
