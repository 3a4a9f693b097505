//! Workbooks of Excel 97 to 2003 (BIFF8): the record stream is held in memory, at most as large as
//! the file; rows are decoded as they are asked for.

use std::fs::File;
use std::io::Read;

use super::SheetInfo;
use super::style::NumberStyle;
use super::texts::Texts;
use crate::cell::{Cell, Row, address};
use crate::error::{ExchangeError, Unsupported};
use crate::limits::{CELL_CHARS_MAX, COLUMNS_MAX, FILE_BYTES_MAX, FORMATS_MAX, SHEETS_MAX};

mod record;
mod string;

use record::{Records, cells_of, u16_at, u32_at};
use string::Pieces;

/// Version word of BIFF8; everything older is refused.
const BIFF8: u16 = 0x0600;

/// Kinds of record, as the format numbers them.
mod kind {
    pub(super) const END: u16 = 0x000A;
    pub(super) const EPOCH: u16 = 0x0022;
    pub(super) const PASSWORD: u16 = 0x002F;
    pub(super) const CONTINUE: u16 = 0x003C;
    pub(super) const SHEET: u16 = 0x0085;
    pub(super) const STYLE: u16 = 0x00E0;
    pub(super) const TEXTS: u16 = 0x00FC;
    pub(super) const FORMAT: u16 = 0x041E;
    pub(super) const BEGIN: u16 = 0x0809;
    pub(super) const FORMULA_TEXT: u16 = 0x0207;
}

/// An opened workbook.
#[derive(Debug)]
pub(super) struct XlsFile {
    stream: Vec<u8>,
    sheets: Vec<Sheet>,
    globals: Globals,
}

/// What cells refer to.
#[derive(Debug, Default)]
pub(super) struct Globals {
    texts: Texts,
    styles: Vec<NumberStyle>,
    epoch_1904: bool,
}

#[derive(Debug)]
struct Sheet {
    info: SheetInfo,
    /// Where its records begin in the stream.
    start: usize,
}

impl XlsFile {
    /// Reads the record stream, the sheet list, formats and shared texts.
    pub(super) fn open(file: File) -> Result<Self, ExchangeError> {
        let mut compound =
            cfb::CompoundFile::open(file).map_err(|cause| damaged(&cause.to_string()))?;
        if compound.exists("/EncryptedPackage") {
            return Err(ExchangeError::Unsupported(Unsupported::Protected));
        }
        let name = if compound.exists("/Workbook") {
            "/Workbook"
        } else if compound.exists("/Book") {
            return Err(ExchangeError::Unsupported(Unsupported::OldExcel));
        } else {
            return Err(ExchangeError::Unsupported(Unsupported::Unknown));
        };
        let part = compound
            .open_stream(name)
            .map_err(|cause| damaged(&cause.to_string()))?;
        let mut stream = Vec::new();
        part.take(FILE_BYTES_MAX)
            .read_to_end(&mut stream)
            .map_err(|cause| damaged(&cause.to_string()))?;
        let (sheets, globals) = read_globals(&stream)?;
        Ok(Self {
            stream,
            sheets,
            globals,
        })
    }

    pub(super) fn sheets(&self) -> Vec<SheetInfo> {
        self.sheets.iter().map(|sheet| sheet.info.clone()).collect()
    }

    pub(super) fn epoch_1904(&self) -> bool {
        self.globals.epoch_1904
    }

    /// The rows of a sheet counted from 0.
    pub(super) fn rows(&self, sheet: usize) -> Result<XlsRows<'_>, ExchangeError> {
        let sheet = self
            .sheets
            .get(sheet)
            .ok_or_else(|| damaged("sheet is missing"))?;
        let records = self
            .stream
            .get(sheet.start..)
            .ok_or_else(|| damaged("sheet is missing"))?;
        Ok(XlsRows {
            records: Records::new(records),
            globals: &self.globals,
            depth: 0,
            formula_at: None,
            waiting: Vec::new(),
        })
    }
}

/// Reads the records before the first sheet.
fn read_globals(stream: &[u8]) -> Result<(Vec<Sheet>, Globals), ExchangeError> {
    let mut globals = Globals::default();
    let mut sheets = Vec::new();
    let mut formats = std::collections::BTreeMap::new();
    let mut records = Records::new(stream);
    while let Some((kind, data)) = records.next()? {
        match kind {
            kind::BEGIN if u16_at(data, 0) != Some(BIFF8) => {
                return Err(ExchangeError::Unsupported(Unsupported::OldExcel));
            }
            kind::PASSWORD => return Err(ExchangeError::Unsupported(Unsupported::Protected)),
            kind::EPOCH => globals.epoch_1904 = u16_at(data, 0) == Some(1),
            kind::SHEET => {
                sheets.extend(read_sheet(data));
                if sheets.len() > SHEETS_MAX {
                    return Err(ExchangeError::TooMany {
                        what: "sheets",
                        count_max: SHEETS_MAX,
                    });
                }
            }
            kind::FORMAT => {
                let number = u16_at(data, 0).unwrap_or(0);
                let code = Pieces::new(data.get(2..).unwrap_or_default(), records).text()?;
                formats.insert(number, NumberStyle::of_code(&code));
            }
            kind::STYLE => {
                let number = u16_at(data, 2).unwrap_or(0);
                let style = formats.get(&number).copied();
                globals
                    .styles
                    .push(style.unwrap_or_else(|| NumberStyle::built_in(number.into())));
                if globals.styles.len() > FORMATS_MAX {
                    return Err(ExchangeError::TooMany {
                        what: "formats",
                        count_max: FORMATS_MAX,
                    });
                }
            }
            kind::TEXTS => {
                let first = data.get(8..).unwrap_or_default();
                let mut pieces = Pieces::new(first, records);
                while !pieces.is_at_end()? {
                    globals.texts.push(&pieces.text()?)?;
                }
            }
            kind::END => break,
            _ => {}
        }
    }
    Ok((sheets, globals))
}

/// A sheet of cells; charts and macro sheets are passed over.
fn read_sheet(data: &[u8]) -> Option<Sheet> {
    let start = usize::try_from(u32_at(data, 0)?).ok()?;
    let (state, sort) = (*data.get(4)?, *data.get(5)?);
    let name = string::short(data.get(6..)?)?;
    (sort == 0).then_some(Sheet {
        info: SheetInfo {
            name,
            visible: state.trailing_zeros() >= 2,
        },
        start,
    })
}

/// The rows of one sheet. Rows of a BIFF8 sheet come in order; a file where they do not is refused.
#[derive(Debug)]
pub(super) struct XlsRows<'a> {
    records: Records<'a>,
    globals: &'a Globals,
    /// How many begin records are open: 1 in the sheet, more inside charts.
    depth: usize,
    /// Where the text of the last formula belongs. Between the two may stand the formula itself, if
    /// it is shared, an array or a table of operations, but no other cell.
    formula_at: Option<(u16, u16)>,
    /// Cells read that belong to the next row.
    waiting: Vec<(u16, u16, Cell)>,
}

impl XlsRows<'_> {
    /// The next row that has any cell, `None` after the last.
    pub(super) fn next_row(&mut self) -> Result<Option<Row>, ExchangeError> {
        let mut row = Row::default();
        for (at, column, cell) in std::mem::take(&mut self.waiting) {
            row.number = u32::from(at) + 1;
            place(&mut row, column, cell)?;
        }
        while let Some((kind, data)) = self.records.next()? {
            match kind {
                kind::BEGIN => self.depth += 1,
                kind::END => {
                    self.depth = self.depth.saturating_sub(1);
                    if self.depth == 0 {
                        break;
                    }
                }
                _ if self.depth > 1 => {}
                _ => {
                    let cells = self.cells(kind, data)?;
                    let Some(at) = cells.first().map(|(at, _, _)| u32::from(*at) + 1) else {
                        continue;
                    };
                    if row.number != 0 && at < row.number {
                        return Err(damaged("rows are out of order"));
                    }
                    if row.number != 0 && at > row.number {
                        self.waiting = cells;
                        return Ok(Some(row));
                    }
                    row.number = at;
                    for (_, column, cell) in cells {
                        place(&mut row, column, cell)?;
                    }
                }
            }
        }
        self.records.end();
        Ok((row.number != 0).then_some(row))
    }

    /// The cells a record gives; all are in one row.
    fn cells(&mut self, kind: u16, data: &[u8]) -> Result<Vec<(u16, u16, Cell)>, ExchangeError> {
        if kind == kind::FORMULA_TEXT {
            let Some((row, column)) = self.formula_at.take() else {
                return Ok(Vec::new());
            };
            let text = Pieces::new(data, self.records).text()?;
            return Ok(vec![(row, column, Cell::text(text))]);
        }
        let decoded = cells_of(kind, data, self.records, self.globals)?;
        if !decoded.cells.is_empty() {
            self.formula_at = decoded.formula_at;
        }
        Ok(decoded.cells)
    }
}

impl Globals {
    fn style(&self, format: u16) -> NumberStyle {
        self.styles
            .get(usize::from(format))
            .copied()
            .unwrap_or(NumberStyle::Plain)
    }
}

fn place(row: &mut Row, column: u16, cell: Cell) -> Result<(), ExchangeError> {
    let column = usize::from(column);
    if cell == Cell::Empty {
        // The text of a formula may be empty.
        if let Some(place) = row.cells.get_mut(column) {
            *place = Cell::Empty;
        }
        return Ok(());
    }
    if column >= COLUMNS_MAX {
        let address = address(column, row.number);
        return Err(ExchangeError::TooManyColumns {
            address,
            columns_max: COLUMNS_MAX,
        });
    }
    if let Cell::Text(text) = &cell
        && text.encode_utf16().count() > CELL_CHARS_MAX
    {
        let address = address(column, row.number);
        return Err(ExchangeError::CellTooLong {
            address,
            chars_max: CELL_CHARS_MAX,
        });
    }
    if row.cells.len() <= column {
        row.cells.resize(column + 1, Cell::Empty);
    }
    if let Some(place) = row.cells.get_mut(column) {
        *place = cell;
    }
    Ok(())
}

fn damaged(what: &str) -> ExchangeError {
    ExchangeError::Damaged(what.to_owned())
}
