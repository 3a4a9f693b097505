//! Texts of BIFF8. A long one runs on into continuation records, where it may change between one
//! and two bytes a character.

use super::damaged;
use super::record::{Records, u16_at, u32_at};
use crate::error::ExchangeError;

/// Bit of the option byte: two bytes a character.
const WIDE: u8 = 1;
/// Bit of the option byte: a phonetic block follows the characters.
const PHONETIC: u8 = 4;
/// Bit of the option byte: formatting runs follow the characters.
const RICH: u8 = 8;

/// The data of a record and of its continuations, read as one.
#[derive(Debug)]
pub(super) struct Pieces<'a> {
    piece: &'a [u8],
    records: Records<'a>,
}

impl<'a> Pieces<'a> {
    /// The data of a record, and the records after it.
    pub(super) fn new(first: &'a [u8], records: Records<'a>) -> Self {
        Self {
            piece: first,
            records,
        }
    }

    /// Whether nothing is left. Moves on to the next piece if this one is used up.
    pub(super) fn is_at_end(&mut self) -> Result<bool, ExchangeError> {
        while self.piece.is_empty() {
            match self.records.continuation()? {
                Some(piece) => self.piece = piece,
                None => return Ok(true),
            }
        }
        Ok(false)
    }

    /// The next text: length, options, characters, and what may follow them.
    pub(super) fn text(&mut self) -> Result<String, ExchangeError> {
        if self.is_at_end()? {
            return Ok(String::new());
        }
        let short = || damaged("a text is cut short");
        let length = u16_at(self.piece, 0).ok_or_else(short)?;
        let options = *self.piece.get(2).ok_or_else(short)?;
        let mut at = 3;
        let mut trailer = 0_usize;
        if options & RICH != 0 {
            trailer += usize::from(u16_at(self.piece, at).ok_or_else(short)?) * 4;
            at += 2;
        }
        if options & PHONETIC != 0 {
            let bytes = u32_at(self.piece, at).ok_or_else(short)?;
            trailer = trailer.saturating_add(usize::try_from(bytes).unwrap_or(usize::MAX));
            at += 4;
        }
        self.piece = self.piece.get(at..).ok_or_else(short)?;
        let text = self.characters(usize::from(length), options & WIDE != 0)?;
        self.skip(trailer)?;
        Ok(text)
    }

    fn characters(&mut self, mut left: usize, mut wide: bool) -> Result<String, ExchangeError> {
        let mut units: Vec<u16> = Vec::with_capacity(left);
        while left > 0 {
            if self.piece.is_empty() {
                let short = || damaged("a text is cut short");
                let next = self.records.continuation()?.ok_or_else(short)?;
                let (options, rest) = next.split_first().ok_or_else(short)?;
                wide = options & WIDE != 0;
                self.piece = rest;
            }
            let before = left;
            if wide {
                let bytes = self.piece.len().min(left * 2) & !1;
                let (these, rest) = self.piece.split_at(bytes);
                units.extend(these.chunks_exact(2).filter_map(|pair| u16_at(pair, 0)));
                left -= bytes / 2;
                self.piece = rest;
            } else {
                let (these, rest) = self.piece.split_at(self.piece.len().min(left));
                units.extend(these.iter().map(|byte| u16::from(*byte)));
                left -= these.len();
                self.piece = rest;
            }
            if left == before && !self.piece.is_empty() {
                // One odd byte where a two-byte character should be.
                return Err(damaged("a text is cut short"));
            }
        }
        Ok(String::from_utf16_lossy(&units))
    }

    fn skip(&mut self, mut bytes: usize) -> Result<(), ExchangeError> {
        while bytes > 0 && !self.is_at_end()? {
            let these = self.piece.len().min(bytes);
            self.piece = self.piece.get(these..).unwrap_or_default();
            bytes -= these;
        }
        Ok(())
    }
}

/// A text with a one-byte length, as sheet names are.
pub(super) fn short(data: &[u8]) -> Option<String> {
    let (length, options) = (usize::from(*data.first()?), *data.get(1)?);
    let data = data.get(2..)?;
    if options & WIDE != 0 {
        let units: Vec<u16> = data
            .get(..length * 2)?
            .chunks_exact(2)
            .filter_map(|pair| u16_at(pair, 0))
            .collect();
        Some(String::from_utf16_lossy(&units))
    } else {
        Some(
            data.get(..length)?
                .iter()
                .map(|byte| char::from(*byte))
                .collect(),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_may_change_its_width_where_it_continues() {
        // Five characters: two in one byte each, three after the break in two bytes each.
        let first = [5, 0, 0, b'a', b'b'];
        let second = [0x3C, 0, 7, 0, 1, 0x20, 0x5F, 0x09, 0x4E, 0x63, 0x00];
        let mut pieces = Pieces::new(&first, Records::new(&second));
        assert_eq!(pieces.text().ok().as_deref(), Some("ab张三c"));
        assert_eq!(pieces.is_at_end().ok(), Some(true));
    }

    #[test]
    fn formatting_runs_are_passed_over() {
        let data = [1, 0, 8, 1, 0, b'x', 1, 2, 3, 4, 1, 0, 0, b'y'];
        let mut pieces = Pieces::new(&data, Records::new(&[]));
        assert_eq!(pieces.text().ok().as_deref(), Some("x"));
        assert_eq!(pieces.text().ok().as_deref(), Some("y"));
    }

    #[test]
    fn texts_cut_short_are_errors() {
        for data in [
            &[5_u8][..],
            &[5, 0],
            &[5, 0, 0, b'a'],
            &[5, 0, 1, 0, 0, 0],
            &[1, 0, 8, 9],
        ] {
            assert!(
                Pieces::new(data, Records::new(&[])).text().is_err(),
                "{data:?}"
            );
        }
    }
}
