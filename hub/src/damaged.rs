//! Rows that are not as they were written: nothing is decided on one, it is given to nobody, and it is noted once for
//! the operator (ADR 0019).

use domain::digest::RowHash;
use domain::id::hex;
use domain::record::RecordKey;
use store::{StoreError, Tx};

use crate::error::HubError;

/// The incident of a row that is not as it was written.
pub const ROW_DAMAGED: &str = "row_damaged";

/// What is to be noted of rows that are not as they were written with these hashes: nothing of what was noted before.
///
/// # Errors
/// The store's own.
pub(crate) fn unnoted(
    tx: Tx<'_>,
    damaged: &[(RecordKey, RowHash)],
) -> Result<Vec<String>, StoreError> {
    let mut news = Vec::new();
    for (key, stored) in damaged {
        let (id, kind, stored) = (key.id, key.kind, hex(stored));
        let detail = format!("{id} of kind {kind} was written with another hash: {stored}");
        if !tx.has_incident(ROW_DAMAGED, &detail)? {
            news.push(detail);
        }
    }
    Ok(news)
}

/// Notes rows that are not as they were written, once each: nobody but the operator can mend them.
///
/// # Errors
/// The store's own.
pub(crate) fn note(tx: Tx<'_>, news: &[String]) -> Result<(), StoreError> {
    for detail in news {
        // Somebody else's reading may have noted it meanwhile.
        if tx.has_incident(ROW_DAMAGED, detail)? {
            continue;
        }
        tracing::error!(
            row = detail,
            "a row is damaged: it is given to nobody, and nothing is decided on it; see verify"
        );
        tx.note_incident(ROW_DAMAGED, None, detail, system::now_ms())?;
    }
    Ok(())
}

/// What came of a piece of work; none where it stopped at a row that is damaged, which is noted: the rest goes on
/// without it.
///
/// # Errors
/// Any other of the work's own; the store's own.
pub(crate) fn noted<T, E>(tx: Tx<'_>, done: Result<T, E>) -> Result<Option<T>, HubError>
where
    HubError: From<E>,
{
    match done.map_err(HubError::from) {
        Err(HubError::Store(StoreError::Damaged { key, stored })) => {
            note(tx, &unnoted(tx, &[(key, stored)])?)?;
            Ok(None)
        }
        done => done.map(Some),
    }
}

/// The same of work that writes: where it stops at such a row, nothing of it was done.
///
/// # Errors
/// As [`noted`].
pub(crate) fn apart<T>(
    tx: Tx<'_>,
    work: impl FnOnce() -> Result<T, HubError>,
) -> Result<Option<T>, HubError> {
    noted(tx, tx.undone_if_failed(work))
}
