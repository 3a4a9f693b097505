//! What was met, counted where it left its trace: disks, and the notes that stand at the hub.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::Context as _;
use domain::change::FieldChange;
use domain::kinds::{conflict, organisation, person, set_aside, tenure};
use domain::record::Record;
use store::Tx;

use super::Run;
use crate::simulation::{disk, oracle};

/// What a reason of a conflict or of a note tells of.
const TELLING: &[(&str, &str)] = &[
    ("suspect_clock", "D9 timestamps from the future named"),
    ("TRF-001", "D11 second transfers of a member refused"),
    ("TRF-010", "D11 steps that crossed the acceptance"),
    ("late_edit", "D13 edits of a former holder named"),
    ("delete_requested", "D14 deletions against an edit named"),
    ("deleted", "D14 edits of a deleted record named"),
    ("waiting", "D20 changes before the record that they name"),
];

/// An office was switched off for so long.
pub(super) const AWAY: &str = "N11 offices away for more than a year";
const RELEASED: &str = "D21 feeds whose removals were released, an office being away";
/// All records of a kind.
const ALL: usize = usize::MAX >> 1;

impl Run {
    /// Reads it at the end of a run.
    ///
    /// # Errors
    /// The hub is off; what cannot be read.
    pub(super) async fn count_all(&mut self) -> anyhow::Result<()> {
        self.count_disks();
        let app = self.city.hub.app.as_ref().context("the hub is on")?;
        let read = |tx: Tx<'_>| anyhow::Ok((reasons(tx)?, traces(tx)?));
        let (reasons, mut traces) = app.store.read(read).await?;
        if !self.outcome.events.contains_key(AWAY) {
            traces.retain(|(what, _)| *what != RELEASED);
        }
        for reason in reasons {
            let told = TELLING.iter().find(|(known, _)| *known == reason);
            let what = told.map_or_else(
                || format!("notes: {reason}"),
                |(_, what)| (*what).to_owned(),
            );
            *self.outcome.events.entry(what).or_insert(0) += 1;
        }
        for (what, times) in traces {
            *self.outcome.events.entry(what.to_owned()).or_insert(0) += times;
        }
        Ok(())
    }

    fn count_disks(&mut self) {
        let mut folders: Vec<_> = (0..self.city.offices.len())
            .map(|office| self.folder(office))
            .collect();
        folders.push(self.hub_folder());
        for folder in folders {
            let met = disk::machine(&folder).borrow().met;
            let sum = &mut self.outcome.disks;
            sum.cuts += met.cuts;
            sum.errors += met.errors;
            sum.full += met.full;
            sum.broken += met.broken;
            sum.lies += met.lies;
            sum.lost += met.lost;
            sum.garbled += met.garbled;
        }
    }
}

/// Why conflicts and notes stand at the hub.
fn reasons(tx: Tx<'_>) -> anyhow::Result<Vec<String>> {
    let mut reasons = Vec::new();
    for (kind, reason) in [
        (&conflict::KIND, conflict::REASON),
        (&set_aside::KIND, set_aside::REASON),
    ] {
        for record in tx.list(kind, &[], None, ALL)? {
            reasons.extend(record.text(reason).map(str::to_owned));
        }
    }
    Ok(reasons)
}

/// What else is left at the hub of what happened, and how often.
fn traces(tx: Tx<'_>) -> anyhow::Result<Vec<(&'static str, u64)>> {
    let (mut kinds, mut fields) = (0, 0);
    for change in oracle::stored_changes(tx)? {
        let Some(kind) = domain::kinds::by_number(change.header.kind) else {
            kinds += 1;
            continue;
        };
        let unknown = |field: &&FieldChange| kind.field(field.number).is_none();
        fields += change.body.fields.iter().filter(unknown).count() as u64;
    }
    let organisations = tx.list(&organisation::KIND, &[], None, ALL)?;
    let states = organisations
        .iter()
        .filter_map(|record| record.text(organisation::STATE));
    let gone = states.filter(|state| *state != "active").count() as u64;
    let (moved, back) = moves(&tx.list(&tenure::KIND, &[], None, ALL)?);
    let mut released = 0;
    for feed in tx.feed_names()? {
        released += u64::from(tx.released_through(&feed)? > 0);
    }
    Ok(vec![
        ("V1 changes of unknown kinds kept", kinds),
        ("V2 unknown fields kept", fields),
        ("O10 organisations merged or given up", gone),
        (
            "D10 persons entered twice found",
            tx.same_claims(person::KIND_NUMBER)?.len() as u64,
        ),
        ("members moved", moved),
        ("D12 members came back", back),
        (RELEASED, released),
    ])
}

/// How often somebody was taken over, and how often by whom held him before.
fn moves(tenures: &[Record]) -> (u64, u64) {
    let mut holders: BTreeMap<_, BTreeSet<_>> = BTreeMap::new();
    let (mut moved, mut back) = (0, 0);
    for tenure in tenures {
        let (member, holder) = (tenure.value(tenure::MEMBER), tenure.value(tenure::HOLDER));
        let known = holders.entry(member).or_default();
        moved += u64::from(!known.is_empty());
        back += u64::from(!known.insert(holder));
    }
    (moved, back)
}
