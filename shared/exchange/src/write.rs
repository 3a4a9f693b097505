//! Tables out: .xlsx with every cell as text, so that no number is damaged, and .csv that Excel
//! opens in Chinese and runs no formula from.

use std::io::Write;
use std::path::Path;

use rust_xlsxwriter::{Format, FormatAlign, Workbook, Worksheet};

use crate::error::ExchangeError;
use crate::limits::{CELL_CHARS_MAX, COLUMNS_MAX};
use crate::neutral::neutralise;

/// Rows an .xlsx sheet holds, Excel's own limit, with the heading.
const SHEET_ROWS_MAX: u32 = 1_048_576;
/// Narrowest and widest column, in half-width characters.
const WIDTH_MIN: usize = 6;
const WIDTH_MAX: usize = 50;

/// One column of an export.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ExportColumn<'a> {
    /// The heading.
    pub heading: &'a str,
    /// Whether whole numbers (below 2,147,483,648) are written as numbers, so that Excel can add
    /// them up. Never for identity numbers, phones and codes.
    pub is_amount: bool,
}

/// A workbook with one sheet whose rows go to a temporary file as they are written: memory does not
/// grow with the table.
pub(crate) struct Sheet {
    book: Workbook,
}

impl Sheet {
    pub(crate) fn create() -> Result<Self, ExchangeError> {
        let mut book = Workbook::new();
        book.add_worksheet_with_constant_memory()?;
        Ok(Self { book })
    }

    /// The sheet; rows must be written in order.
    pub(crate) fn worksheet(&mut self) -> Result<&mut Worksheet, ExchangeError> {
        Ok(self.book.worksheet_from_index(0)?)
    }

    /// Keeps the first rows in sight.
    pub(crate) fn freeze(&mut self, rows: u32) -> Result<(), ExchangeError> {
        self.worksheet()?.set_freeze_panes(rows, 0)?;
        Ok(())
    }

    /// Sets the width of a column from 0, in half-width characters.
    pub(crate) fn set_width(&mut self, column: usize, width: f64) -> Result<(), ExchangeError> {
        let column = column_number(column)?;
        self.worksheet()?.set_column_width(column, width)?;
        Ok(())
    }

    pub(crate) fn save(mut self, out: &Path) -> Result<(), ExchangeError> {
        self.book.save(out)?;
        Ok(())
    }
}

/// Writes a table as .xlsx: headings in bold and always in sight, every cell text (`@`) unless its
/// column is an amount, widths after the content with Chinese characters counted double. Answers
/// the number of rows below the headings. Memory does not grow with the table.
///
/// # Errors
/// [`ExchangeError::CellTooLong`] and [`ExchangeError::Export`] for what Excel cannot hold;
/// [`ExchangeError::Io`] for the disk.
pub fn write_xlsx<I, R, S>(
    out: &Path,
    columns: &[ExportColumn<'_>],
    rows: I,
) -> Result<u32, ExchangeError>
where
    I: IntoIterator<Item = R>,
    R: IntoIterator<Item = S>,
    S: AsRef<str>,
{
    let text = Format::new().set_num_format("@");
    let amount = Format::new();
    let heading = text.clone().set_bold().set_align(FormatAlign::Center);
    let mut sheet = Sheet::create()?;
    let mut widths = vec![WIDTH_MIN; columns.len()];
    for (index, column) in columns.iter().enumerate() {
        note_width(&mut widths, index, column.heading);
        write_text(&mut sheet, (0, index), column.heading, &heading)?;
    }
    let mut count = 0_u32;
    for row in rows {
        count += 1;
        if count >= SHEET_ROWS_MAX {
            return Err(ExchangeError::TooManyRows {
                rows_max: SHEET_ROWS_MAX - 1,
            });
        }
        for (index, cell) in row.into_iter().enumerate() {
            let cell = cell.as_ref();
            note_width(&mut widths, index, cell);
            let number = columns.get(index).filter(|column| column.is_amount);
            match number.and_then(|_| exact_number(cell)) {
                Some(number) => {
                    let column = column_number(index)?;
                    sheet
                        .worksheet()?
                        .write_number_with_format(count, column, number, &amount)?;
                }
                None => write_text(&mut sheet, (count, index), cell, &text)?,
            }
        }
    }
    sheet.freeze(1)?;
    for (index, width) in widths.into_iter().enumerate() {
        let width = u16::try_from(width).unwrap_or(u16::MAX);
        sheet.set_width(index, f64::from(width) + 2.0)?;
    }
    sheet.save(out)?;
    Ok(count)
}

/// Writes a table as .csv: UTF-8 with a mark, lines end in CR LF, every field in quotes, and a text
/// that a spreadsheet program would run gets an apostrophe in front, which an import takes away
/// again. Excel damages long numbers when it opens a .csv: offer .xlsx first.
///
/// # Errors
/// [`ExchangeError::Io`] when the output does not take it.
pub fn write_csv<W, I, R, S>(mut out: W, headings: &[&str], rows: I) -> Result<u32, ExchangeError>
where
    W: Write,
    I: IntoIterator<Item = R>,
    R: IntoIterator<Item = S>,
    S: AsRef<str>,
{
    out.write_all("\u{FEFF}".as_bytes())?;
    let mut writer = csv::WriterBuilder::new()
        .terminator(csv::Terminator::CRLF)
        .quote_style(csv::QuoteStyle::Always)
        .flexible(true)
        .from_writer(out);
    let io = |cause: csv::Error| ExchangeError::Io(cause.into());
    writer
        .write_record(headings.iter().map(|text| neutralise(text).into_owned()))
        .map_err(io)?;
    let mut count = 0_u32;
    for row in rows {
        count += 1;
        let fields = row
            .into_iter()
            .map(|text| neutralise(text.as_ref()).into_owned());
        writer.write_record(fields).map_err(io)?;
    }
    writer.flush()?;
    Ok(count)
}

fn write_text(
    sheet: &mut Sheet,
    (row, column): (u32, usize),
    text: &str,
    format: &Format,
) -> Result<(), ExchangeError> {
    if column >= COLUMNS_MAX || text.encode_utf16().count() > CELL_CHARS_MAX {
        let address = crate::cell::address(column, row + 1);
        return Err(if column >= COLUMNS_MAX {
            ExchangeError::TooManyColumns {
                address,
                columns_max: COLUMNS_MAX,
            }
        } else {
            ExchangeError::CellTooLong {
                address,
                chars_max: CELL_CHARS_MAX,
            }
        });
    }
    if !text.is_empty() {
        let column = column_number(column)?;
        sheet
            .worksheet()?
            .write_string_with_format(row, column, text, format)?;
    }
    Ok(())
}

fn column_number(column: usize) -> Result<u16, ExchangeError> {
    u16::try_from(column).map_err(|cause| ExchangeError::Export(cause.to_string()))
}

/// A whole number that Excel holds exactly and shows as it was written.
fn exact_number(text: &str) -> Option<f64> {
    let number: i32 = text.parse().ok()?;
    (number.to_string() == text).then(|| f64::from(number))
}

fn note_width(widths: &mut [usize], index: usize, text: &str) {
    let longest = text
        .lines()
        .map(|line| line.chars().map(cells_of).sum())
        .max()
        .unwrap_or(0);
    if let Some(width) = widths.get_mut(index) {
        *width = longest.clamp(*width, WIDTH_MAX);
    }
}

/// Half-width cells a character takes.
fn cells_of(c: char) -> usize {
    match c {
        '\u{1100}'..='\u{115F}'
        | '\u{2E80}'..='\u{FE6F}'
        | '\u{FF01}'..='\u{FF60}'
        | '\u{2014}'..='\u{2026}'
        | '\u{20000}'..='\u{3FFFF}' => 2,
        _ => 1,
    }
}

/// The text, at most so many UTF-16 units of it.
pub(crate) fn cut(text: &str, units_max: usize) -> &str {
    let mut units = 0;
    for (at, c) in text.char_indices() {
        units += c.len_utf16();
        if units > units_max {
            return text.get(..at).unwrap_or(text);
        }
    }
    text
}
