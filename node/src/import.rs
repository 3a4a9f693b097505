//! Takes a clerk's table into records: one answer per row, the good rows in one transaction.
//!
//! The columns come from the declaration of the kind; a role (member, volunteer) takes its person's
//! columns too. An organisation is found by name, short name or code; one that is not known here
//! yet does not hold a member back: what the table says stays in the member's own words
//! (`branch_text`), and the answer names it.
//!
//! Invariants: a row is imported, to fix with its cells and reasons, or a possible duplicate with
//! whom; never two of these, never none. The same table imported twice gives duplicates, not twins.
//! What is not read of a table is named: headings, columns with nothing in them, other sheets.

mod twins;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use console::columns::{self, Target};
use domain::change::Verb;
use domain::id::RecordId;
use domain::kind::{FieldType, Kind};
use domain::kinds::{member, organisation, person};
use domain::record::RecordKey;
use domain::text::{read_value, refusal_text};
use exchange::{
    CellProblem, ExchangeError, Import, Importer, Limits, Outcome, Reason, RowOutcome, Workbook,
    write_errors_workbook,
};
use store::{StoreError, Tx};

use crate::app::{App, Own};
use crate::begin;
use crate::journal::{self, Values};

/// What an import is asked to do.
#[derive(Debug, Clone)]
pub struct Request {
    /// The kind of the records.
    pub kind: &'static Kind,
    /// The table.
    pub file: PathBuf,
    /// Whether it only says what would happen.
    pub is_trial: bool,
    /// Where the rows to fix go, with a column of reasons.
    pub errors: Option<PathBuf>,
    /// Who imports.
    pub actor: String,
}

/// What became of a table.
#[derive(Debug, Default)]
pub struct Report {
    /// Rows that are records now.
    pub accepted: u64,
    /// Rows that were not taken, in their order, with the reasons.
    pub refused: Vec<RowOutcome>,
    /// Rows passed over: blank ones and what stands under the table.
    pub skipped: u64,
    /// Headings that were not understood: address and text.
    pub unknown_headings: Vec<(String, String)>,
    /// Headings that mean the same as another and have nothing under them: address and text.
    pub empty_headings: Vec<(String, String)>,
    /// The sheet that was read; empty for text.
    pub sheet: String,
    /// Further sheets that are tables too, of which nothing was taken.
    pub unread_sheets: Vec<String>,
    /// Organisations that are not known here, with how many rows name each.
    pub unknown_organisations: BTreeMap<String, u64>,
}

/// Why a table as a whole was not taken; nothing of it is then.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    /// The file.
    #[error("{} ({cause})", cause.text_zh())]
    File {
        /// What the reader says.
        #[from]
        cause: ExchangeError,
    },
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Anything that the journal refuses.
    #[error(transparent)]
    Journal(#[from] anyhow::Error),
    /// No error: the end of a trial, whose transaction is undone.
    #[error("a trial")]
    Trial(Box<Report>),
}

/// Imports a table.
///
/// # Errors
/// The file cannot be read, or the store refuses; single rows never.
pub async fn import(app: &App, request: Request) -> Result<Report, ImportError> {
    let own = app.own;
    let done = app
        .store
        .write(move |tx| take_table(tx, own, &request))
        .await;
    match done {
        Err(ImportError::Trial(report)) => Ok(*report),
        other => other,
    }
}

fn take_table(tx: Tx<'_>, own: Own, request: &Request) -> Result<Report, ImportError> {
    let target = Target::of(request.kind);
    let mut book = exchange::open(&request.file, &Limits::default())?;
    let columns = target.columns();
    let importer = Importer::new(&columns, &columns::IdNumbers);
    let (report, layout) = {
        let mut table = importer.read(&mut book)?;
        let layout = table.layout().clone();
        (take_rows(tx, own, request, &target, &mut table)?, layout)
    };
    if let Some(out) = &request.errors {
        write_errors(&mut book, &layout, &report, out)?;
    }
    if request.is_trial {
        return Err(ImportError::Trial(Box::new(report)));
    }
    Ok(report)
}

/// The clerk's own workbook with the reasons; none where every row was taken.
fn write_errors(
    book: &mut Workbook,
    layout: &exchange::Layout,
    report: &Report,
    out: &Path,
) -> Result<(), ImportError> {
    if !report.refused.is_empty() {
        write_errors_workbook(book, layout, &report.refused, out)?;
    }
    Ok(())
}

fn take_rows(
    tx: Tx<'_>,
    own: Own,
    request: &Request,
    target: &Target,
    table: &mut Import<'_, '_>,
) -> Result<Report, ImportError> {
    let mut report = Report {
        unknown_headings: table.mapping().unknown.clone(),
        empty_headings: table.mapping().empty.clone(),
        sheet: table.layout().sheet_name.clone(),
        unread_sheets: table.unread_sheets().to_vec(),
        ..Report::default()
    };
    let progress = indicatif::ProgressBar::new_spinner();
    let mut organisations = BTreeMap::new();
    while let Some(row) = table.next() {
        let RowOutcome { row, outcome } = row?;
        progress.inc(1);
        let outcome = match outcome {
            Outcome::Accepted { values } => {
                let mut taking = Taking {
                    tx,
                    own,
                    request,
                    target,
                    row,
                    organisations: &mut organisations,
                    unknown: &mut report.unknown_organisations,
                };
                taking.take(&values, table)?
            }
            refused => Some(refused),
        };
        match outcome {
            None => report.accepted += 1,
            Some(outcome) => report.refused.push(RowOutcome { row, outcome }),
        }
    }
    report.skipped = u64::from(table.skipped().blank) + u64::from(table.skipped().footers);
    progress.finish_and_clear();
    Ok(report)
}

/// One row on its way into the store.
struct Taking<'t, 'c> {
    tx: Tx<'c>,
    own: Own,
    request: &'t Request,
    target: &'t Target,
    row: u32,
    organisations: &'t mut BTreeMap<String, Option<RecordId>>,
    unknown: &'t mut BTreeMap<String, u64>,
}

impl Taking<'_, '_> {
    /// Writes the row's records; what it is instead, if it is not taken.
    fn take(
        &mut self,
        values: &[(u16, String)],
        table: &Import<'_, '_>,
    ) -> Result<Option<Outcome>, ImportError> {
        let mut of_person = Values::new();
        let mut of_role = Values::new();
        let mut problems = Vec::new();
        for (key, text) in values {
            let Some((kind, field)) = self.target.field(*key) else {
                continue;
            };
            let read = match field.of {
                FieldType::Reference(to) => self.reference(to, field.number, text)?,
                _ => read_value(field, text)
                    .map(|bytes| vec![(field.number, bytes)])
                    .map_err(|refused| {
                        let (zh, en) = refusal_text(refused);
                        Reason::new(zh, en)
                    }),
            };
            match read {
                Ok(read) if kind.number != self.target.role.number => of_person.extend(read),
                Ok(read) => of_role.extend(read),
                Err(reason) => problems.push(self.problem(*key, text, reason, table)),
            }
        }
        self.target.complete(&mut of_person, &mut of_role);
        for (field, reason) in columns::contradictions(self.target, &of_person, &of_role) {
            problems.push(self.problem(field, "", reason, table));
        }
        if !problems.is_empty() {
            return Ok(Some(Outcome::ToFix { cells: problems }));
        }
        // A roster registers members; a row that says it is an admission must name the decision.
        if let Some((code, zh, en)) = self.beginning_refused(&of_role)? {
            let reason = Reason::new(format!("{code} {zh}"), format!("{code} {en}"));
            let cell = self.problem(u16::MAX, "", reason, table);
            return Ok(Some(Outcome::ToFix { cells: vec![cell] }));
        }
        self.write(of_person, of_role)
    }

    fn beginning_refused(
        &self,
        of_role: &Values,
    ) -> Result<Option<(&'static str, String, String)>, ImportError> {
        let key = RecordKey {
            kind: self.target.role.number,
            id: RecordId::new([0; 16]),
        };
        Ok(begin::refusal(
            self.tx,
            self.own,
            (self.target.role, key),
            of_role,
        )?)
    }

    fn write(
        &self,
        of_person: Values,
        mut of_role: Values,
    ) -> Result<Option<Outcome>, ImportError> {
        let known = match twins::find(self.tx, self.target, &of_person, &of_role)? {
            twins::Found::Twin(with) => return Ok(Some(Outcome::PossibleDuplicate { with })),
            twins::Found::Person(id) => Some(id),
            twins::Found::Nobody => None,
        };
        if self.target.has_person() {
            let person = match known {
                Some(id) => id,
                None => self.create(&person::KIND, of_person)?,
            };
            of_role.push((self.target.person_field, person.bytes().to_vec()));
        }
        self.create(self.target.role, of_role)?;
        Ok(None)
    }

    fn create(&self, kind: &'static Kind, mut values: Values) -> Result<RecordId, ImportError> {
        values.retain(|(_, value)| !value.is_empty());
        values.sort_by_key(|(number, _)| *number);
        let id = system::new_record_id().map_err(anyhow::Error::from)?;
        let key = RecordKey {
            kind: kind.number,
            id,
        };
        journal::write(
            self.tx,
            self.own,
            (key, Verb::Create),
            values,
            &self.request.actor,
        )?;
        Ok(id)
    }

    /// The organisation or team that a cell names.
    fn reference(
        &mut self,
        to: u16,
        number: u16,
        text: &str,
    ) -> Result<Result<Values, Reason>, ImportError> {
        if to == organisation::KIND_NUMBER {
            let found = if let Some(found) = self.organisations.get(text) {
                *found
            } else {
                let found = self.tx.organisation_named(text)?;
                self.organisations.insert(text.to_owned(), found);
                found
            };
            if let Some(id) = found {
                return Ok(Ok(vec![(number, id.bytes().to_vec())]));
            }
            if self.target.role.number == member::KIND_NUMBER && number == member::BRANCH {
                *self.unknown.entry(text.to_owned()).or_default() += 1;
                return Ok(Ok(vec![(member::BRANCH_TEXT, text.as_bytes().to_vec())]));
            }
        }
        let found = twins::titled(self.tx, to, text)?;
        Ok(found
            .map(|id| vec![(number, id.bytes().to_vec())])
            .ok_or_else(|| {
                Reason::new(
                    format!("本机没有名为“{text}”的记录,请先登记或清空该格"),
                    "nothing of this name is known here: register it first or leave the cell empty",
                )
            }))
    }

    fn problem(&self, key: u16, text: &str, reason: Reason, table: &Import<'_, '_>) -> CellProblem {
        let column = table
            .mapping()
            .mapped
            .iter()
            .find(|m| m.key == key)
            .map(|m| m.column);
        CellProblem {
            heading: self
                .target
                .field(key)
                .map_or("", |(_, field)| field.zh)
                .to_owned(),
            key,
            column,
            address: column.map_or_else(
                || self.row.to_string(),
                |column| exchange::address(column, self.row),
            ),
            value: text.to_owned(),
            reason,
        }
    }
}
