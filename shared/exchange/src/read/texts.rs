//! The table of shared texts, packed: a workbook may name two million of them.

use crate::error::ExchangeError;
use crate::limits::{TEXT_BYTES_MAX, TEXTS_MAX};

/// Bytes of one block. Blocks are filled and never moved, so the table grows without copies.
const BLOCK_BYTES: usize = 1024 * 1024;

/// Texts by their number, in blocks.
#[derive(Debug, Default)]
pub(super) struct Texts {
    blocks: Vec<String>,
    /// Block, start and length of each text.
    places: Vec<(u16, u32, u32)>,
    bytes: usize,
}

impl Texts {
    /// Adds the next text.
    pub(super) fn push(&mut self, text: &str) -> Result<(), ExchangeError> {
        if self.places.len() >= TEXTS_MAX {
            return Err(ExchangeError::TooMany {
                what: "texts",
                count_max: TEXTS_MAX,
            });
        }
        self.bytes += text.len();
        if self.bytes > TEXT_BYTES_MAX {
            return Err(ExchangeError::Inflated {
                part: "sharedStrings".to_owned(),
            });
        }
        let fits = self
            .blocks
            .last()
            .is_some_and(|block| block.len() + text.len() <= BLOCK_BYTES);
        if !fits {
            self.blocks
                .push(String::with_capacity(BLOCK_BYTES.max(text.len())));
        }
        let number = self.blocks.len().saturating_sub(1);
        let Some(block) = self.blocks.last_mut() else {
            return Ok(());
        };
        let place = (
            u16::try_from(number),
            u32::try_from(block.len()),
            u32::try_from(text.len()),
        );
        let (Ok(number), Ok(start), Ok(length)) = place else {
            return Err(ExchangeError::Inflated {
                part: "sharedStrings".to_owned(),
            });
        };
        block.push_str(text);
        self.places.push((number, start, length));
        Ok(())
    }

    /// The text of a number counted from 0.
    pub(super) fn get(&self, number: usize) -> Option<&str> {
        let (block, start, length) = *self.places.get(number)?;
        let start = usize::try_from(start).ok()?;
        let end = start + usize::try_from(length).ok()?;
        self.blocks.get(usize::from(block))?.get(start..end)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_come_back_by_number_across_blocks() {
        let mut texts = Texts::default();
        let long = "长".repeat(200_000);
        for text in ["", "张三", &long, &long, "李四"] {
            texts.push(text).expect("room");
        }
        assert_eq!(texts.get(0), Some(""));
        assert_eq!(texts.get(1), Some("张三"));
        assert_eq!(texts.get(3), Some(long.as_str()));
        assert_eq!(texts.get(4), Some("李四"));
        assert_eq!(texts.get(5), None);
    }
}
