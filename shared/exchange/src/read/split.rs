//! Splitting a text table into rows and cells.
//!
//! Own code because the delimiter may be the full-width comma, rows must keep the numbers the
//! spreadsheet program shows (blank lines count, line breaks in quotes do not), and no field or row
//! may grow past its limit.

use crate::cell::{Cell, Row, address};
use crate::error::ExchangeError;
use crate::limits::{CELL_CHARS_MAX, COLUMNS_MAX};
use crate::neutral;

/// Delimiters that are looked for, in the order that wins a tie.
const DELIMITERS: [char; 4] = ['\t', ',', ';', '\u{FF0C}'];
/// Rows looked at to find the delimiter.
const SAMPLE_ROWS: usize = 30;

/// How a field ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    Field,
    Row,
    Text,
}

/// The rows of a text table.
#[derive(Debug, Clone)]
pub(super) struct TextRows<'a> {
    rest: &'a str,
    delimiter: char,
    /// Number of the last row read, from 1.
    row: u32,
    is_over: bool,
}

impl<'a> TextRows<'a> {
    pub(super) fn new(text: &'a str, delimiter: char) -> Self {
        Self {
            rest: text,
            delimiter,
            row: 0,
            is_over: false,
        }
    }

    /// The next row, blank ones too, `None` after the last.
    pub(super) fn next_row(&mut self) -> Result<Option<Row>, ExchangeError> {
        if self.is_over || self.rest.is_empty() {
            return Ok(None);
        }
        self.row = self.row.saturating_add(1);
        let mut row = Row {
            number: self.row,
            cells: Vec::new(),
        };
        let mut column = 0_usize;
        loop {
            let (field, end) = self.field(column)?;
            let text = neutral::restore(&field);
            if !text.is_empty() {
                if column >= COLUMNS_MAX {
                    let address = address(column, self.row);
                    return Err(ExchangeError::TooManyColumns {
                        address,
                        columns_max: COLUMNS_MAX,
                    });
                }
                row.cells.resize(column, Cell::Empty);
                row.cells.push(Cell::text(text));
            }
            column += 1;
            match end {
                End::Field => {}
                End::Row => return Ok(Some(row)),
                End::Text => {
                    self.is_over = true;
                    return Ok(Some(row));
                }
            }
        }
    }

    /// The next field. Quotes count only at its beginning; a quote that is never closed ends with
    /// the text.
    fn field(&mut self, column: usize) -> Result<(String, End), ExchangeError> {
        let mut field = String::new();
        let mut chars = self.rest.chars();
        let mut length = 0_usize;
        let mut in_quotes = self.rest.starts_with('"');
        if in_quotes {
            chars.next();
        }
        let end = loop {
            let Some(c) = chars.next() else {
                break End::Text;
            };
            if in_quotes && c == '"' {
                if chars.as_str().starts_with('"') {
                    chars.next();
                } else {
                    in_quotes = false;
                    continue;
                }
            } else if !in_quotes {
                if c == self.delimiter {
                    break End::Field;
                }
                if c == '\r' && chars.as_str().starts_with('\n') {
                    chars.next();
                    break End::Row;
                }
                if c == '\r' || c == '\n' {
                    break End::Row;
                }
            }
            field.push(c);
            length += c.len_utf16();
            // One more than a cell may have, for the apostrophe of a neutralised text.
            if length > CELL_CHARS_MAX + 1 {
                let address = address(column, self.row);
                return Err(ExchangeError::CellTooLong {
                    address,
                    chars_max: CELL_CHARS_MAX,
                });
            }
        };
        self.rest = chars.as_str();
        Ok((field, end))
    }
}

/// The delimiter of a text table. A text that begins with a quoted field shows it right after the
/// closing quote; otherwise the one that splits most rows into the same number of cells wins.
pub(super) fn find_delimiter(text: &str) -> char {
    if let Some(delimiter) = after_first_quoted(text) {
        return delimiter;
    }
    let mut best = (0_usize, ',');
    for delimiter in DELIMITERS {
        let score = score(text, delimiter);
        if score > best.0 {
            best = (score, delimiter);
        }
    }
    best.1
}

fn after_first_quoted(text: &str) -> Option<char> {
    let mut rest = text.strip_prefix('"')?;
    loop {
        let (_, after) = rest.split_once('"')?;
        match after.strip_prefix('"') {
            Some(more) => rest = more,
            None => return after.chars().next().filter(|c| DELIMITERS.contains(c)),
        }
    }
}

/// Rows of the most common width above one, times the cells that width adds.
fn score(text: &str, delimiter: char) -> usize {
    let mut rows = TextRows::new(text, delimiter);
    let mut widths = std::collections::BTreeMap::new();
    for _ in 0..SAMPLE_ROWS {
        let Ok(Some(row)) = rows.next_row() else {
            break;
        };
        *widths.entry(row.cells.len()).or_insert(0_usize) += 1;
    }
    widths
        .into_iter()
        .map(|(width, count)| count * width.saturating_sub(1))
        .max()
        .unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(text: &str) -> Vec<(u32, Vec<String>)> {
        let mut rows = TextRows::new(text, find_delimiter(text));
        let mut table = Vec::new();
        while let Ok(Some(row)) = rows.next_row() {
            table.push((row.number, row.cells.iter().map(Cell::display).collect()));
        }
        table
    }

    #[test]
    fn every_delimiter_is_found() {
        for delimiter in DELIMITERS {
            let text = format!(
                "名册\n姓名{delimiter}性别{delimiter}电话\n张三{delimiter}男{delimiter}1\n"
            );
            assert_eq!(find_delimiter(&text), delimiter);
        }
        assert_eq!(find_delimiter("姓名\n张三\n"), ',');
        assert_eq!(find_delimiter("\"a;b\",\"c\"\n\"d\",\"e\""), ',');
    }

    #[test]
    fn quotes_hold_delimiters_line_breaks_and_quotes() {
        let rows = table("a,\"b,\r\nc\"\"d\",e\r\n\r\n5\" x,f\"g\n\"h\"i,j");
        assert_eq!(
            rows[0],
            (1, vec!["a".into(), "b,\r\nc\"d".into(), "e".into()])
        );
        assert_eq!(rows[1], (2, vec![]));
        assert_eq!(rows[2], (3, vec!["5\" x".into(), "f\"g".into()]));
        assert_eq!(rows[3], (4, vec!["hi".into(), "j".into()]));
    }

    #[test]
    fn a_quote_that_never_closes_is_bounded() {
        let text = format!("a,b\n\"{}", "x,\n".repeat(40_000));
        let mut rows = TextRows::new(&text, ',');
        assert!(rows.next_row().is_ok());
        assert!(matches!(
            rows.next_row(),
            Err(ExchangeError::CellTooLong { .. })
        ));
    }

    #[test]
    fn a_line_of_delimiters_takes_no_memory_and_content_beyond_the_last_column_is_refused() {
        let text = ",".repeat(1_000_000);
        let mut rows = TextRows::new(&text, ',');
        assert_eq!(
            rows.next_row().ok().flatten().map(|row| row.cells.len()),
            Some(0)
        );
        let text = format!("{}x", ",".repeat(256));
        let error = TextRows::new(&text, ',').next_row();
        assert!(
            matches!(error, Err(ExchangeError::TooManyColumns { address, .. }) if address == "IW1")
        );
    }
}
