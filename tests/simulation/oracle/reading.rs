//! How far offices have read: a cursor goes back only where the hub is another, or the office's store is older.

use anyhow::Context as _;

use crate::simulation::city::City;

/// How far an office has read its feeds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cursors {
    /// Of which incarnation of the hub.
    incarnation: Vec<u8>,
    /// The city's feed, then its own.
    read: [u64; 2],
}

impl Cursors {
    /// Whether one of them went back since `before`, with nobody saying why: a hub that recovers has another
    /// incarnation.
    pub fn went_back_since(&self, before: &Self) -> bool {
        let mut both = self.read.iter().zip(&before.read);
        self.incarnation == before.incarnation && both.any(|(now, before)| now < before)
    }
}

/// How far an office has read.
///
/// # Errors
/// Where it is off.
pub async fn cursors(city: &City, number: usize) -> anyhow::Result<Cursors> {
    let app = city.offices[number].app.as_ref().context("on")?;
    let own = app.office_feed();
    let read = move |tx: store::Tx<'_>| {
        Ok(Cursors {
            incarnation: tx.setting("incarnation")?.unwrap_or_default(),
            read: [
                tx.reading(store::hub::CITY)?.sequence,
                tx.reading(&own)?.sequence,
            ],
        })
    };
    Ok(app.store.read::<_, store::StoreError>(read).await?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(incarnation: u8, read: [u64; 2]) -> Cursors {
        Cursors {
            incarnation: vec![incarnation],
            read,
        }
    }

    /// S9: a cursor goes back in a declared recovery and nowhere else.
    #[test]
    fn a_cursor_that_goes_back_is_seen() {
        let before = at(1, [5, 7]);
        assert!(at(1, [5, 6]).went_back_since(&before));
        assert!(at(1, [4, 9]).went_back_since(&before));
        assert!(!at(1, [5, 7]).went_back_since(&before));
        assert!(!at(2, [0, 0]).went_back_since(&before));
    }
}
