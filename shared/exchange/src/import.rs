//! An import: the sheet, its headings, and one answer per data row.

use std::collections::BTreeSet;

use crate::cell::{Cell, Row, address};
use crate::column::{Checks, Column, Reason};
use crate::error::ExchangeError;
use crate::heading::{self, Layout, Mapped, Mapping};
use crate::limits::HEADING_ROWS_MAX;
use crate::normalise::normalise;
use crate::read::{SheetRows, Workbook};
use crate::report::{CellProblem, Outcome, RowOutcome};
use crate::rows::{Filter, Skipped};

/// Headings named when no heading row is found.
const WANTED_MAX: usize = 6;
/// Rows with content a preview shows.
const PREVIEW_ROWS_MAX: usize = 5;

/// Reads tables for one set of columns.
pub struct Importer<'c> {
    columns: &'c [Column<'c>],
    checks: &'c dyn Checks,
}

impl<'c> Importer<'c> {
    /// For these columns, with the caller's checks.
    pub fn new(columns: &'c [Column<'c>], checks: &'c dyn Checks) -> Self {
        Self { columns, checks }
    }

    /// Finds the sheet and its headings and begins to read. The sheet is the first visible one
    /// whose headings are recognised; for further ones see [`Import::unread_sheets`]. A missing
    /// required column is no error here, see [`Mapping::missing_required`].
    ///
    /// # Errors
    /// [`ExchangeError::NoHeading`] when no visible sheet has headings;
    /// [`ExchangeError::AmbiguousHeadings`] when a column with content would be left out because
    /// another is the same; or what reading meets.
    pub fn read<'w>(&self, book: &'w mut Workbook) -> Result<Import<'c, 'w>, ExchangeError> {
        let mut found = None;
        let mut unread_sheets = Vec::new();
        for (sheet, info) in book.sheets().into_iter().enumerate() {
            if !info.visible {
                continue;
            }
            if found.is_some() {
                if self.may_be_table(book, sheet) {
                    unread_sheets.push(info.name);
                }
                continue;
            }
            let head = head(book, sheet)?;
            if let Some((mut layout, mapping)) = heading::find(&head, self.columns) {
                layout.sheet = sheet;
                layout.sheet_name = info.name;
                found = Some((layout, mapping, head));
            }
        }
        let Some((layout, mut mapping, head)) = found else {
            return Err(self.no_heading());
        };
        if !mapping.duplicates.is_empty() {
            let filled = filled_columns(book, &layout)?;
            mapping.settle(&filled, self.columns)?;
        }
        let filter = Filter::new(&layout, &mapping, self.columns);
        let first = layout.heading_row_last;
        let below = head.into_iter().filter(|row| row.number > first);
        let preview = below
            .take(PREVIEW_ROWS_MAX)
            .map(|row| texts(&row))
            .collect();
        let epoch_1904 = book.epoch_1904();
        let rows = book.rows(layout.sheet)?;
        Ok(Import {
            columns: self.columns,
            checks: self.checks,
            rows,
            epoch_1904,
            layout,
            mapping,
            unread_sheets,
            preview,
            filter,
        })
    }

    /// Whether a sheet would be read if it stood first. One that cannot be looked at may be.
    fn may_be_table(&self, book: &mut Workbook, sheet: usize) -> bool {
        match head(book, sheet) {
            Ok(head) => heading::find(&head, self.columns).is_some(),
            Err(_) => true,
        }
    }

    fn no_heading(&self) -> ExchangeError {
        let required = self.columns.iter().filter(|column| column.required);
        let others = self.columns.iter().filter(|column| !column.required);
        let wanted = required.chain(others).take(WANTED_MAX);
        ExchangeError::NoHeading {
            wanted: wanted.map(|column| column.heading.to_owned()).collect(),
        }
    }
}

/// The first rows with content of a sheet.
fn head(book: &mut Workbook, sheet: usize) -> Result<Vec<Row>, ExchangeError> {
    book.rows(sheet)?.take(HEADING_ROWS_MAX).collect()
}

/// The columns of the sheet with anything below the headings.
fn filled_columns(book: &mut Workbook, layout: &Layout) -> Result<BTreeSet<usize>, ExchangeError> {
    let mut filled = BTreeSet::new();
    for row in book.rows(layout.sheet)? {
        let row = row?;
        if row.number > layout.heading_row_last {
            let cells = row.cells.iter().enumerate();
            let cells = cells.filter(|(_, cell)| !cell.is_blank());
            filled.extend(cells.map(|(column, _)| column));
        }
    }
    Ok(filled)
}

fn texts(row: &Row) -> Vec<String> {
    row.cells.iter().map(Cell::display).collect()
}

/// A running import: an iterator over the answers to the data rows, in order. It holds one row.
pub struct Import<'c, 'w> {
    columns: &'c [Column<'c>],
    checks: &'c dyn Checks,
    rows: SheetRows<'w>,
    epoch_1904: bool,
    layout: Layout,
    mapping: Mapping,
    unread_sheets: Vec<String>,
    preview: Vec<Vec<String>>,
    filter: Filter,
}

impl Import<'_, '_> {
    /// What was understood of the headings.
    pub fn mapping(&self) -> &Mapping {
        &self.mapping
    }

    /// Where the table is; [`crate::write_errors_workbook`] needs it.
    pub fn layout(&self) -> &Layout {
        &self.layout
    }

    /// Names of further visible sheets with headings that fit, or whose first rows cannot be read:
    /// nothing of them is imported.
    pub fn unread_sheets(&self) -> &[String] {
        &self.unread_sheets
    }

    /// The first rows under the headings as the file has them, for the clerk to see.
    pub fn preview(&self) -> &[Vec<String>] {
        &self.preview
    }

    /// Rows passed over so far.
    pub fn skipped(&self) -> Skipped {
        self.filter.skipped()
    }

    fn outcome(&self, row: &Row) -> RowOutcome {
        let mut values = Vec::new();
        let mut problems = Vec::new();
        for (index, column) in self.columns.iter().enumerate() {
            let mapped = self
                .mapping
                .mapped
                .iter()
                .find(|mapped| mapped.index == index);
            let Some(mapped) = mapped else {
                if column.required {
                    problems.push(missing(column, row.number));
                }
                continue;
            };
            let cell = row.cell(mapped.column);
            match normalise(cell, column, &self.checks, self.epoch_1904) {
                Ok(Some(value)) => values.push((column.key, value)),
                Ok(None) => {}
                Err(reason) => problems.push(problem(column, mapped, cell, row.number, reason)),
            }
        }
        let outcome = if problems.is_empty() {
            Outcome::Accepted { values }
        } else {
            Outcome::ToFix { cells: problems }
        };
        RowOutcome {
            row: row.number,
            outcome,
        }
    }
}

fn problem(
    column: &Column<'_>,
    mapped: &Mapped,
    cell: &Cell,
    row: u32,
    reason: Reason,
) -> CellProblem {
    CellProblem {
        heading: column.heading.to_owned(),
        key: column.key,
        column: Some(mapped.column),
        address: address(mapped.column, row),
        value: cell.display(),
        reason,
    }
}

fn missing(column: &Column<'_>, row: u32) -> CellProblem {
    CellProblem {
        heading: column.heading.to_owned(),
        key: column.key,
        column: None,
        address: row.to_string(),
        value: String::new(),
        reason: Reason::new(
            format!("表中没有“{}”列，请补上该列后重新导入", column.heading),
            "The table lacks this column",
        ),
    }
}

impl Iterator for Import<'_, '_> {
    type Item = Result<RowOutcome, ExchangeError>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let row = match self.rows.next()? {
                Ok(row) => row,
                Err(error) => return Some(Err(error)),
            };
            if row.number > self.layout.heading_row_last && self.filter.is_data(&row) {
                return Some(Ok(self.outcome(&row)));
            }
        }
    }
}
