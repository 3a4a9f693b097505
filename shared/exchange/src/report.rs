//! Answers per row, and the clerk's own rows given back with their reasons.

use std::borrow::Borrow;
use std::collections::BTreeSet;
use std::path::Path;

use rust_xlsxwriter::{Color, Format, Worksheet};

use crate::cell::Row;
use crate::column::Reason;
use crate::error::ExchangeError;
use crate::heading::{ERROR_HEADING, Layout};
use crate::limits::{CELL_CHARS_MAX, COLUMNS_MAX};
use crate::read::Workbook;
use crate::write::{Sheet, cut};

/// Background of a cell to fix.
const WRONG: Color = Color::RGB(0x00FF_C7CE);
/// Colour of the reasons.
const REASON: Color = Color::RGB(0x00C0_0000);
/// Width of the column of reasons, in characters.
const REASON_WIDTH: f64 = 60.0;

/// What became of a data row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// Every cell is in order: key and canonical text of each column that is not empty, in the
    /// order of the columns.
    Accepted {
        /// Key of the column and canonical text.
        values: Vec<(u16, String)>,
    },
    /// At least one cell is wrong; nothing of the row is taken.
    ToFix {
        /// Every wrong cell, in the order of the columns.
        cells: Vec<CellProblem>,
    },
    /// The caller found somebody who may be the same person; never given by this crate.
    PossibleDuplicate {
        /// Who, in the words to be shown.
        with: String,
    },
}

/// One cell that is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CellProblem {
    /// Heading of the column as the caller named it.
    pub heading: String,
    /// Key of the column.
    pub key: u16,
    /// Column of the sheet, from 0; `None` if the sheet lacks it.
    pub column: Option<usize>,
    /// Address like `C7`; only the row number if the sheet lacks the column.
    pub address: String,
    /// The content as a person sees it. May hold personal data: never log it.
    pub value: String,
    /// Why, in both languages.
    pub reason: Reason,
}

/// The answer to one data row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RowOutcome {
    /// Number of the row in the sheet, from 1.
    pub row: u32,
    /// What became of it.
    pub outcome: Outcome,
}

impl RowOutcome {
    /// Why the row comes back to the clerk; `None` if it was accepted.
    fn reason_zh(&self) -> Option<String> {
        match &self.outcome {
            Outcome::Accepted { .. } => None,
            Outcome::PossibleDuplicate { with } => Some(format!("疑似重复：{with}")),
            Outcome::ToFix { cells } => {
                let each = cells.iter().map(|cell| {
                    // A reason that names the column already does not need it in front.
                    if cell.reason.zh.starts_with(&format!("“{}”", cell.heading)) {
                        cell.reason.zh.clone()
                    } else {
                        format!("“{}”：{}", cell.heading, cell.reason.zh)
                    }
                });
                Some(each.collect::<Vec<_>>().join("；"))
            }
        }
    }

    fn wrong_columns(&self) -> BTreeSet<usize> {
        match &self.outcome {
            Outcome::ToFix { cells } => cells.iter().filter_map(|cell| cell.column).collect(),
            Outcome::Accepted { .. } | Outcome::PossibleDuplicate { .. } => BTreeSet::new(),
        }
    }
}

/// Writes the rows to fix as an .xlsx: titles and headings of the original, then every row that was
/// not accepted with all its columns, and 错误原因 after the last. All cells are text (`@`), wrong
/// ones coloured. Imported again, the file gives the same rows.
///
/// `outcomes` must be in the order of the rows, as [`crate::Import`] gives them; accepted ones are
/// passed over. Answers how many rows were written.
///
/// # Errors
/// When the original cannot be read again or the file cannot be written.
pub fn write_errors_workbook<I>(
    book: &mut Workbook,
    layout: &Layout,
    outcomes: I,
    out: &Path,
) -> Result<u32, ExchangeError>
where
    I: IntoIterator,
    I::Item: Borrow<RowOutcome>,
{
    let width = used_width(book, layout)?;
    let errors = layout.error_column.unwrap_or(width);
    let mut sheet = Sheet::create()?;
    let formats = Formats::new();
    let mut outcomes = outcomes.into_iter().peekable();
    let mut written = 0_u32;
    let mut at = 0_u32;
    for row in book.rows(layout.sheet)? {
        let row = row?;
        if row.number <= layout.heading_row_last {
            // Rows of the head keep their places, so that two levels stay together.
            write_head(sheet.worksheet()?, &row, layout, errors, &formats)?;
            at = row.number;
            continue;
        }
        while outcomes
            .next_if(|outcome| outcome.borrow().row < row.number)
            .is_some()
        {}
        let Some(found) = outcomes.next_if(|outcome| outcome.borrow().row == row.number) else {
            continue;
        };
        let Some(reason) = found.borrow().reason_zh() else {
            continue;
        };
        let wrong = found.borrow().wrong_columns();
        write_wrong(sheet.worksheet()?, at, &row, errors, &wrong, &formats)?;
        write_cell(sheet.worksheet()?, at, errors, &reason, &formats.reason)?;
        at += 1;
        written += 1;
    }
    sheet.freeze(layout.heading_row_last)?;
    sheet.set_width(errors, REASON_WIDTH)?;
    sheet.save(out)?;
    Ok(written)
}

/// One past the last column with content, over the whole sheet, so that no row's cell is covered by
/// its reason.
fn used_width(book: &mut Workbook, layout: &Layout) -> Result<usize, ExchangeError> {
    let mut width = layout.width;
    for row in book.rows(layout.sheet)? {
        width = width.max(row?.cells.len());
    }
    // The last column of all may have to carry the reason itself.
    Ok(width.min(COLUMNS_MAX - 1))
}

/// A row of titles or headings; the last heading row gets the heading of the reasons.
fn write_head(
    sheet: &mut Worksheet,
    row: &Row,
    layout: &Layout,
    errors: usize,
    formats: &Formats,
) -> Result<(), ExchangeError> {
    let at = row.number - 1;
    let is_heading = row.number >= layout.heading_row;
    let format = if is_heading {
        &formats.heading
    } else {
        &formats.plain
    };
    write_row(sheet, at, row, errors, |_| format)?;
    if row.number == layout.heading_row_last {
        write_cell(sheet, at, errors, ERROR_HEADING, &formats.heading)?;
    }
    Ok(())
}

/// A row to fix, its wrong cells coloured, empty ones too.
fn write_wrong(
    sheet: &mut Worksheet,
    at: u32,
    row: &Row,
    errors: usize,
    wrong: &BTreeSet<usize>,
    formats: &Formats,
) -> Result<(), ExchangeError> {
    let format = |column| {
        if wrong.contains(&column) {
            &formats.wrong
        } else {
            &formats.plain
        }
    };
    write_row(sheet, at, row, errors, format)?;
    for column in wrong.iter().filter(|column| row.cell(**column).is_blank()) {
        write_cell(sheet, at, *column, "", &formats.wrong)?;
    }
    Ok(())
}

fn write_row<'f>(
    sheet: &mut Worksheet,
    at: u32,
    row: &Row,
    errors: usize,
    format: impl Fn(usize) -> &'f Format,
) -> Result<(), ExchangeError> {
    for (column, cell) in row.cells.iter().enumerate() {
        if column != errors && !cell.is_blank() {
            write_cell(sheet, at, column, &cell.display(), format(column))?;
        }
    }
    Ok(())
}

fn write_cell(
    sheet: &mut Worksheet,
    row: u32,
    column: usize,
    text: &str,
    format: &Format,
) -> Result<(), ExchangeError> {
    let column = u16::try_from(column).map_err(|cause| ExchangeError::Export(cause.to_string()))?;
    if text.is_empty() {
        sheet.write_blank(row, column, format)?;
    } else {
        sheet.write_string_with_format(row, column, cut(text, CELL_CHARS_MAX), format)?;
    }
    Ok(())
}

/// Formats of the errors workbook; all are text.
struct Formats {
    plain: Format,
    heading: Format,
    wrong: Format,
    reason: Format,
}

impl Formats {
    fn new() -> Self {
        let plain = Format::new().set_num_format("@");
        Self {
            heading: plain.clone().set_bold(),
            wrong: plain.clone().set_background_color(WRONG),
            reason: plain.clone().set_font_color(REASON).set_text_wrap(),
            plain,
        }
    }
}

impl From<rust_xlsxwriter::XlsxError> for ExchangeError {
    fn from(cause: rust_xlsxwriter::XlsxError) -> Self {
        match cause {
            rust_xlsxwriter::XlsxError::IoError(cause) => Self::Io(cause),
            other => Self::Export(other.to_string()),
        }
    }
}
