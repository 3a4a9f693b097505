//! Rows of one sheet as they stream by, and the table of shared texts.

use quick_xml::events::BytesStart;

use super::super::style::NumberStyle;
use super::super::texts::Texts;
use super::super::xml::{Piece, Xml, attribute};
use crate::cell::{Cell, CellDate, NO_RESULT, Row, address};
use crate::error::ExchangeError;
use crate::limits::{CELL_CHARS_MAX, COLUMNS_MAX};

/// The rows of one sheet. The dimension a sheet declares is not even looked at.
#[derive(Debug)]
pub(in super::super) struct XlsxRows<'a> {
    xml: Xml<'a>,
    texts: &'a Texts,
    styles: &'a [NumberStyle],
    epoch_1904: bool,
    /// Number of the last row read, from 1.
    row: u32,
}

impl<'a> XlsxRows<'a> {
    pub(super) fn new(
        xml: Xml<'a>,
        texts: &'a Texts,
        styles: &'a [NumberStyle],
        epoch_1904: bool,
    ) -> Self {
        Self {
            xml,
            texts,
            styles,
            epoch_1904,
            row: 0,
        }
    }

    /// The next row that has any cell, `None` after the last.
    pub(in super::super) fn next_row(&mut self) -> Result<Option<Row>, ExchangeError> {
        loop {
            match self.xml.next()? {
                Piece::Start(start) if start.local_name().as_ref() == "row" => {
                    let given = attribute(&start, "r").and_then(|number| number.parse().ok());
                    let number: u32 = given.unwrap_or_else(|| self.row.saturating_add(1));
                    if number <= self.row {
                        return Err(self.xml.failure("rows are out of order"));
                    }
                    self.row = number;
                    let cells = self.cells()?;
                    if !cells.is_empty() {
                        return Ok(Some(Row { number, cells }));
                    }
                }
                Piece::End(name) if name == "sheetData" => return Ok(None),
                Piece::Eof => return Ok(None),
                Piece::Start(_) | Piece::End(_) | Piece::Text(_) => {}
            }
        }
    }

    /// The cells up to the end of the row.
    fn cells(&mut self) -> Result<Vec<Cell>, ExchangeError> {
        let mut cells = Vec::new();
        let mut next_column = 0_usize;
        loop {
            match self.xml.next()? {
                Piece::Start(start) if start.local_name().as_ref() == "c" => {
                    let column = attribute(&start, "r").and_then(|at| column_of(&at));
                    let column = column.unwrap_or(next_column);
                    next_column = column + 1;
                    let cell = self.cell(&start, column)?;
                    if cell == Cell::Empty {
                        continue;
                    }
                    if column >= COLUMNS_MAX {
                        if cell.is_blank() {
                            continue;
                        }
                        let address = address(column, self.row);
                        return Err(ExchangeError::TooManyColumns {
                            address,
                            columns_max: COLUMNS_MAX,
                        });
                    }
                    if cells.len() <= column {
                        cells.resize(column + 1, Cell::Empty);
                    }
                    if let Some(place) = cells.get_mut(column) {
                        *place = cell;
                    }
                }
                Piece::End(name) if name == "row" => return Ok(cells),
                Piece::Eof => return Err(self.xml.failure("unexpected end")),
                Piece::Start(_) | Piece::End(_) | Piece::Text(_) => {}
            }
        }
    }

    /// The content of the cell just started.
    fn cell(&mut self, start: &BytesStart<'_>, column: usize) -> Result<Cell, ExchangeError> {
        let kind = attribute(start, "t").unwrap_or_default();
        let style = attribute(start, "s").and_then(|style| style.parse::<usize>().ok());
        let (mut value, mut inline, mut has_formula) = (None, None, false);
        loop {
            match self.xml.next()? {
                Piece::Start(start) => match start.local_name().as_ref() {
                    "v" => value = Some(self.xml.text()?),
                    "is" => inline = Some(string_item(&mut self.xml, "is")?),
                    "f" => {
                        has_formula = true;
                        self.xml.skip()?;
                    }
                    _ => self.xml.skip()?,
                },
                Piece::End(name) if name == "c" => break,
                Piece::Eof => return Err(self.xml.failure("unexpected end")),
                Piece::End(_) | Piece::Text(_) => {}
            }
        }
        // Only a result that is a text may be empty.
        let is_stored = match value.as_deref() {
            Some(value) => kind == "str" || !value.trim().is_empty(),
            None => inline.is_some(),
        };
        if has_formula && !is_stored {
            return Ok(Cell::Error(NO_RESULT.to_owned()));
        }
        let value = value.unwrap_or_default();
        let cell = match kind.as_str() {
            "inlineStr" => Cell::text(inline.unwrap_or_default()),
            "s" => {
                let text = value
                    .trim()
                    .parse()
                    .ok()
                    .and_then(|number| self.texts.get(number));
                Cell::text(text.ok_or_else(|| self.xml.failure("shared text is missing"))?)
            }
            "str" => Cell::text(unescape(&value)),
            "b" => Cell::Bool(value.trim() == "1"),
            "e" => Cell::Error(value),
            "d" => iso_date(&value).map_or_else(|| Cell::text(value), Cell::Date),
            _ => self.number(&value, style),
        };
        if let Cell::Text(text) = &cell
            && text.encode_utf16().count() > CELL_CHARS_MAX
        {
            let address = address(column, self.row);
            return Err(ExchangeError::CellTooLong {
                address,
                chars_max: CELL_CHARS_MAX,
            });
        }
        Ok(cell)
    }

    fn number(&self, value: &str, style: Option<usize>) -> Cell {
        match value.trim().parse::<f64>() {
            Ok(number) if number.is_finite() => {
                let style = style.and_then(|style| self.styles.get(style)).copied();
                style
                    .unwrap_or(NumberStyle::Plain)
                    .cell(number, self.epoch_1904)
            }
            _ => Cell::text(value),
        }
    }
}

/// Reads the part of shared texts.
pub(super) fn read_texts(mut xml: Xml<'_>) -> Result<Texts, ExchangeError> {
    let mut texts = Texts::default();
    loop {
        match xml.next()? {
            Piece::Start(start) if start.local_name().as_ref() == "si" => {
                texts.push(&string_item(&mut xml, "si")?)?;
            }
            Piece::Eof => return Ok(texts),
            Piece::Start(_) | Piece::End(_) | Piece::Text(_) => {}
        }
    }
}

/// The text of a string item that was just started: its runs joined, readings left out.
fn string_item(xml: &mut Xml<'_>, end: &str) -> Result<String, ExchangeError> {
    let mut text = String::new();
    loop {
        match xml.next()? {
            Piece::Start(start) => match start.local_name().as_ref() {
                "t" => text.push_str(&unescape(&xml.text()?)),
                "r" => {}
                _ => xml.skip()?,
            },
            Piece::End(name) if name == end => return Ok(text),
            Piece::Eof => return Err(xml.failure("unexpected end")),
            Piece::End(_) | Piece::Text(_) => {}
        }
        if text.len() > CELL_CHARS_MAX * 8 {
            return Err(xml.failure("a text is too long"));
        }
    }
}

/// Undoes `_xHHHH_`, how a workbook writes characters that markup cannot hold.
fn unescape(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find("_x") {
        let (before, from) = rest.split_at(at);
        plain.push_str(before);
        let code = from
            .get(2..6)
            .filter(|code| code.bytes().all(|b| b.is_ascii_hexdigit()));
        let code = code.filter(|_| from.get(6..7) == Some("_"));
        let c = code
            .and_then(|code| u32::from_str_radix(code, 16).ok())
            .and_then(char::from_u32);
        if let Some(c) = c {
            plain.push(c);
            rest = from.get(7..).unwrap_or_default();
        } else {
            plain.push('_');
            rest = from.get(1..).unwrap_or_default();
        }
    }
    plain.push_str(rest);
    plain
}

/// The column, counted from 0, of an address like `C7`; `None` if it has none or is absurd.
fn column_of(address: &str) -> Option<usize> {
    let mut column = 0_usize;
    for letter in address.bytes().take_while(u8::is_ascii_alphabetic) {
        let digit = usize::from(letter.to_ascii_uppercase() - b'A') + 1;
        column = column.checked_mul(26)?.checked_add(digit)?;
    }
    // Excel ends at column 16,384.
    column.checked_sub(1).filter(|column| *column < 16_384)
}

/// A date cell of the strict format: `2026-11-23` or `2026-11-23T08:00:00`.
fn iso_date(value: &str) -> Option<CellDate> {
    let day = value.trim().split(['T', ' ']).next()?;
    let mut numbers = day.split('-').map(str::parse::<u16>);
    let (year, month, day) = (
        numbers.next()?.ok()?,
        numbers.next()?.ok()?,
        numbers.next()?.ok()?,
    );
    let (month, day) = (u8::try_from(month).ok()?, u8::try_from(day).ok()?);
    let is_date =
        (1900..=9999).contains(&year) && (1..=12).contains(&month) && (1..=31).contains(&day);
    is_date.then_some(CellDate {
        year,
        month,
        day,
        second: 0,
        has_day: true,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_of_the_format_are_undone_once() {
        assert_eq!(unescape("a_x000D_b"), "a\rb");
        assert_eq!(unescape("_x005F_x0041_"), "_x0041_");
        assert_eq!(unescape("_x12_"), "_x12_");
        assert_eq!(unescape("_xD800_"), "_xD800_");
        assert_eq!(unescape("x_x"), "x_x");
    }

    #[test]
    fn columns_are_found_in_addresses() {
        assert_eq!(column_of("A1"), Some(0));
        assert_eq!(column_of("aa10"), Some(26));
        assert_eq!(column_of("XFD1"), Some(16_383));
        assert_eq!(column_of("ZZZZZZZZZZZZZZZZZZ1"), None);
        assert_eq!(column_of("17"), None);
    }
}
