//! Whether every office sees what the hub sees.

use std::collections::BTreeSet;

use anyhow::{Context as _, bail, ensure};
use domain::kinds::{activity, attendance, organisation, participation, team, volunteer};

use super::{Ledger, pending, seen};
use crate::simulation::city::City;
use crate::simulation::reference::{self, Key, Row, Seen};

/// By so much node and hub may count the same value as written at different times: as long as an answer takes.
const SLACK_MS: u64 = 60_000;
/// Kinds whose records stay with their office, or are the city's.
const STAYING: &[u16] = &[
    organisation::KIND_NUMBER,
    volunteer::KIND_NUMBER,
    team::KIND_NUMBER,
    activity::KIND_NUMBER,
    attendance::KIND_NUMBER,
    participation::KIND_NUMBER,
];

/// Every office sees what the hub sees, row by row and field by field, and nothing that is not its own to see.
///
/// After the hub was put back an office may have more: a row that came to it as a state, whose change
/// its own rollback had lost, and that no signature proves. The hub keeps it as evidence.
pub(super) async fn check(city: &City, seen: &Seen, ledger: &Ledger) -> anyhow::Result<()> {
    let known: BTreeSet<_> = seen.rows.keys().copied().collect();
    let feeds = seen::feeds(city).await?;
    let may_have_more = ledger.hub_was_restored;
    let slack_ms = (ledger.has_right_clocks && !may_have_more).then_some(SLACK_MS);
    for number in 0..city.size {
        let app = city.offices[number].app.as_ref().context("on")?;
        let office = app.keys()?.identity.context("enrolled")?.office;
        let office = reference::Name(office);
        let rows = seen::at_office(city, number, known.clone()).await?;
        let mut own: BTreeSet<_> = seen
            .rows
            .values()
            .filter(|row| row.office == office)
            .collect();
        // What waits is shown at the office as if it were done.
        let waiting = pending(city, number).await?;
        let waiting: BTreeSet<_> = waiting.iter().map(seen::key_of_change).collect();
        let of_feeds = [store::hub::CITY.to_owned(), app.office_feed()];
        let is_read = |key: &Key| {
            let mut read = of_feeds.iter().filter_map(|feed| feeds.get(feed));
            read.any(|keys| keys.contains(key))
        };
        for row in &rows {
            // Whom an office holds, and what it writes itself, it reads; nobody else does.
            ensure!(
                !row.is_offices || row.office == office,
                "invariant S8: office {number} reads {:?}, which is {:?}'s",
                row.key,
                row.office
            );
            let Some(there) = seen.rows.get(&row.key) else {
                if may_have_more && !row.is_case {
                    continue;
                }
                bail!(
                    "invariant S13: office {number} has {:?}, the hub has not",
                    row.key
                );
            };
            let is_waiting = waiting.contains(&row.key);
            // What the hub makes comes with a feed.
            ensure!(
                may_have_more || is_waiting || is_read(&row.key),
                "invariant S8: office {number} reads {:?}, which is in none of its feeds",
                row.key
            );
            // Nor what it holds although the hub says that it is another's.
            if may_have_more && there.office != office && !row.is_case {
                continue;
            }
            let difference = reference::difference(row, there, !may_have_more)
                .or_else(|| reference::time_between(row, there, slack_ms?));
            if let Some(difference) = difference.filter(|_| !is_waiting) {
                bail!(
                    "invariant S13: office {number} and hub differ in {:?}: {difference}",
                    row.key
                );
            }
            own.remove(there);
        }
        let missing = own.first();
        ensure!(
            missing.is_none(),
            "invariant S13: office {number} lacks its own {missing:?}"
        );
        if !may_have_more {
            check_named(number, &rows, seen, &waiting)?;
        }
    }
    Ok(())
}

/// What an office's records name of its own things it has: these never go to another office.
fn check_named(
    number: usize,
    rows: &[Row],
    seen: &Seen,
    waiting: &BTreeSet<Key>,
) -> anyhow::Result<()> {
    let here: BTreeSet<_> = rows.iter().map(|row| row.key).collect();
    let is_there =
        |key: &Key| !STAYING.contains(&key.0) || here.contains(key) || seen.gone.contains(&key.1);
    let decided = rows.iter().filter(|row| !waiting.contains(&row.key));
    let lacking = reference::named_and_not_there(decided, is_there);
    let first = lacking.first();
    ensure!(
        first.is_none(),
        "invariant S13: at office {number} {first:?} is named and not there"
    );
    Ok(())
}
