//! What was met, counted where it left its trace: disks, and the notes that stand at the hub.

use anyhow::Context as _;
use domain::change::FieldChange;
use domain::kinds::{conflict, organisation, set_aside};

use super::Run;
use crate::simulation::{disk, oracle};

/// What a reason of a conflict or of a note tells of.
const TELLING: &[(&str, &str)] = &[
    ("suspect_clock", "D9 timestamps from the future named"),
    ("duplicate", "D10 persons entered twice named"),
    ("TRF-001", "D11 second transfers of a member refused"),
    ("TRF-010", "D11 steps that crossed the acceptance"),
    ("late_edit", "D13 edits of a former holder named"),
    ("delete_requested", "D14 deletions against an edit named"),
    ("deleted", "D14 edits of a deleted record named"),
    ("unknown", "D20 changes before the record that they name"),
];

impl Run {
    /// Reads it at the end of a run.
    ///
    /// # Errors
    /// The hub is off; what cannot be read.
    pub(super) async fn count_all(&mut self) -> anyhow::Result<()> {
        self.count_disks();
        let app = self.city.hub.app.as_ref().context("the hub is on")?;
        let notes = app.store.read::<_, anyhow::Error>(|tx| {
            let mut reasons = Vec::new();
            for (kind, reason) in [
                (&conflict::KIND, conflict::REASON),
                (&set_aside::KIND, set_aside::REASON),
            ] {
                for record in tx.list(kind, &[], None, usize::MAX >> 1)? {
                    reasons.extend(record.text(reason).map(str::to_owned));
                }
            }
            let (mut kinds, mut fields) = (0, 0);
            for change in oracle::stored_changes(tx)? {
                let Some(kind) = domain::kinds::by_number(change.header.kind) else {
                    kinds += 1;
                    continue;
                };
                let unknown = |field: &&FieldChange| kind.field(field.number).is_none();
                fields += change.body.fields.iter().filter(unknown).count() as u64;
            }
            let merged = tx.list(&organisation::KIND, &[], None, usize::MAX >> 1)?;
            let is_merged = |record: &&domain::record::Record| {
                record
                    .text(organisation::STATE)
                    .is_some_and(|state| state != "active")
            };
            let merged = merged.iter().filter(is_merged).count() as u64;
            Ok((reasons, kinds, fields, merged))
        });
        let (reasons, kinds, fields, merged) = notes.await?;
        for reason in reasons {
            let told = TELLING.iter().find(|(known, _)| *known == reason);
            let what = told.map_or_else(
                || format!("notes: {reason}"),
                |(_, what)| (*what).to_owned(),
            );
            *self.outcome.events.entry(what).or_insert(0) += 1;
        }
        for (what, times) in [
            ("V1 changes of unknown kinds kept", kinds),
            ("V2 unknown fields kept", fields),
            ("O10 organisations merged or dissolved", merged),
        ] {
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
