//! Records of BIFF8 and the cells in them. Every offset is checked: a record is as short as the
//! file says.

use super::super::style::NumberStyle;
use super::string::Pieces;
use super::{Globals, damaged, kind};
use crate::cell::{Cell, NO_RESULT};
use crate::error::ExchangeError;

const LABEL: u16 = 0x0204;
const RICH_LABEL: u16 = 0x00D6;
const SHARED_LABEL: u16 = 0x00FD;
const NUMBER: u16 = 0x0203;
const PACKED_NUMBER: u16 = 0x027E;
const PACKED_NUMBERS: u16 = 0x00BD;
const BOOL_OR_ERROR: u16 = 0x0205;
const FORMULA: u16 = 0x0006;

/// The records of a stream, in order.
#[derive(Debug, Clone, Copy)]
pub(super) struct Records<'a> {
    rest: &'a [u8],
}

impl<'a> Records<'a> {
    pub(super) fn new(stream: &'a [u8]) -> Self {
        Self { rest: stream }
    }

    /// The next record: its kind and its data; `None` at the end of the stream.
    pub(super) fn next(&mut self) -> Result<Option<(u16, &'a [u8])>, ExchangeError> {
        let (Some(kind), Some(length)) = (u16_at(self.rest, 0), u16_at(self.rest, 2)) else {
            return Ok(None);
        };
        let end = 4 + usize::from(length);
        let data = self
            .rest
            .get(4..end)
            .ok_or_else(|| damaged("a record is cut short"))?;
        self.rest = self.rest.get(end..).unwrap_or_default();
        Ok(Some((kind, data)))
    }

    /// The data of the next record if it continues the one before.
    pub(super) fn continuation(&mut self) -> Result<Option<&'a [u8]>, ExchangeError> {
        if u16_at(self.rest, 0) != Some(kind::CONTINUE) {
            return Ok(None);
        }
        Ok(self.next()?.map(|(_, data)| data))
    }

    /// Ends the records here.
    pub(super) fn end(&mut self) {
        self.rest = &[];
    }
}

/// What a record of a sheet holds.
#[derive(Debug, Default)]
pub(super) struct Decoded {
    /// Row, column and content, rows and columns from 0; one row only.
    pub(super) cells: Vec<(u16, u16, Cell)>,
    /// Row and column of a formula whose text comes in a later record; its cell has no result yet.
    pub(super) formula_at: Option<(u16, u16)>,
}

/// Decodes a record of a sheet; records without cells give none. `records` are those after it,
/// where a long text continues.
pub(super) fn cells_of(
    kind: u16,
    data: &[u8],
    records: Records<'_>,
    globals: &Globals,
) -> Result<Decoded, ExchangeError> {
    let mut decoded = Decoded::default();
    let is_cell = matches!(
        kind,
        LABEL
            | RICH_LABEL
            | SHARED_LABEL
            | NUMBER
            | PACKED_NUMBER
            | PACKED_NUMBERS
            | BOOL_OR_ERROR
            | FORMULA
    );
    if !is_cell {
        return Ok(decoded);
    }
    let head = (u16_at(data, 0), u16_at(data, 2), u16_at(data, 4));
    let (Some(row), Some(column), Some(format)) = head else {
        return Err(damaged("a cell is cut short"));
    };
    let number = |number: f64| globals.style(format).cell(number, globals.epoch_1904);
    let cell = match kind {
        LABEL | RICH_LABEL => {
            Cell::text(Pieces::new(data.get(6..).unwrap_or_default(), records).text()?)
        }
        SHARED_LABEL => {
            let index = u32_at(data, 6).and_then(|index| usize::try_from(index).ok());
            let text = index.and_then(|index| globals.texts.get(index));
            Cell::text(text.ok_or_else(|| damaged("shared text is missing"))?)
        }
        NUMBER => number(f64_at(data, 6).ok_or_else(|| damaged("a cell is cut short"))?),
        PACKED_NUMBER => number(unpack(
            u32_at(data, 6).ok_or_else(|| damaged("a cell is cut short"))?,
        )),
        PACKED_NUMBERS => {
            decoded.cells = packed_numbers(row, column, data, globals);
            return Ok(decoded);
        }
        BOOL_OR_ERROR => match (data.get(6), data.get(7)) {
            (Some(value), Some(0)) => Cell::Bool(*value != 0),
            (Some(value), _) => Cell::Error(error_text(*value)),
            _ => Cell::Empty,
        },
        _ => match (u16_at(data, 12), data.get(6), data.get(8)) {
            (Some(0xFFFF), Some(0), _) => {
                decoded.formula_at = Some((row, column));
                Cell::Error(NO_RESULT.to_owned())
            }
            (Some(0xFFFF), Some(1), Some(value)) => Cell::Bool(*value != 0),
            (Some(0xFFFF), Some(2), Some(value)) => Cell::Error(error_text(*value)),
            (Some(0xFFFF), _, _) => Cell::Empty,
            _ => number(f64_at(data, 6).ok_or_else(|| damaged("a formula is cut short"))?),
        },
    };
    decoded.cells.push((row, column, cell));
    Ok(decoded)
}

/// The cells of a run of packed numbers: format and number for each, the last column at the end.
fn packed_numbers(row: u16, first: u16, data: &[u8], globals: &Globals) -> Vec<(u16, u16, Cell)> {
    let pairs = data
        .get(4..data.len().saturating_sub(2))
        .unwrap_or_default()
        .chunks_exact(6);
    (first..=u16::MAX)
        .zip(pairs)
        .filter_map(|(column, pair)| {
            let style: NumberStyle = globals.style(u16_at(pair, 0)?);
            let cell = style.cell(unpack(u32_at(pair, 2)?), globals.epoch_1904);
            Some((row, column, cell))
        })
        .collect()
}

/// A number packed into 30 bits: whole or the upper bits of a float, perhaps times 100.
fn unpack(packed: u32) -> f64 {
    let value = if packed & 2 != 0 {
        f64::from(packed.cast_signed() >> 2)
    } else {
        f64::from_bits(u64::from(packed & !3) << 32)
    };
    if packed & 1 != 0 {
        value / 100.0
    } else {
        value
    }
}

fn error_text(code: u8) -> String {
    let text = match code {
        0x00 => "#NULL!",
        0x07 => "#DIV/0!",
        0x0F => "#VALUE!",
        0x17 => "#REF!",
        0x1D => "#NAME?",
        0x24 => "#NUM!",
        _ => "#N/A",
    };
    text.to_owned()
}

pub(super) fn u16_at(data: &[u8], at: usize) -> Option<u16> {
    data.get(at..)?
        .first_chunk()
        .map(|bytes| u16::from_le_bytes(*bytes))
}

pub(super) fn u32_at(data: &[u8], at: usize) -> Option<u32> {
    data.get(at..)?
        .first_chunk()
        .map(|bytes| u32::from_le_bytes(*bytes))
}

fn f64_at(data: &[u8], at: usize) -> Option<f64> {
    data.get(at..)?
        .first_chunk()
        .map(|bytes| f64::from_le_bytes(*bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packed_numbers_have_four_forms() {
        assert!((unpack(0x3FF0_0000) - 1.0).abs() < f64::EPSILON);
        assert!((unpack(0x3FF0_0001) - 0.01).abs() < f64::EPSILON);
        assert!((unpack((7 << 2) | 2) - 7.0).abs() < f64::EPSILON);
        assert!((unpack(((-7_i32) << 2).cast_unsigned() | 3) + 0.07).abs() < f64::EPSILON);
    }

    #[test]
    fn records_cut_short_are_errors_and_not_panics() {
        let globals = Globals::default();
        for kind in [
            LABEL,
            SHARED_LABEL,
            NUMBER,
            PACKED_NUMBER,
            FORMULA,
            BOOL_OR_ERROR,
        ] {
            for length in 0..12_u8 {
                let data: Vec<u8> = (0..length).collect();
                let _ = cells_of(kind, &data, Records::new(&[]), &globals);
            }
        }
        assert!(Records::new(&[1, 2, 9, 9, 0]).next().is_err());
        assert!(matches!(Records::new(&[1, 2]).next(), Ok(None)));
    }
}
