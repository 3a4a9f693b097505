//! Finds organisations by what people call them.

use domain::id::RecordId;
use domain::kinds::organisation;
use store::{Filter, StoreError, Tx};

/// The organisation with this id, code, name or short name; none where there is none, or where a
/// name is ambiguous.
pub fn organisation(tx: Tx<'_>, text: &str) -> Result<Option<RecordId>, StoreError> {
    if let Ok(id) = RecordId::parse(text) {
        return Ok(Some(id));
    }
    for field in [
        organisation::CODE,
        organisation::NAME,
        organisation::SHORT_NAME,
    ] {
        let filter = [Filter::Is(field, text.as_bytes().to_vec())];
        if let [one] = tx.list(&organisation::KIND, &filter, None, 2)?.as_slice() {
            return Ok(Some(one.key.id));
        }
    }
    Ok(None)
}
