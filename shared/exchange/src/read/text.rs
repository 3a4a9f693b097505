//! Text tables: find the encoding, decode the whole, find the delimiter.
//!
//! A text is held in memory: at most the file (32 MiB) and its UTF-8 form (48 MiB for GB18030) at
//! once, the latter alone while rows are read.

use std::fs::File;
use std::io::Read;

use encoding_rs::{Encoding, GB18030, UTF_8, UTF_16BE, UTF_16LE};

use super::split::{self, TextRows};
use crate::error::{ExchangeError, Unsupported};

/// Bytes looked at to tell UTF-16 without a mark from other text.
const SAMPLE_BYTES: usize = 4096;
/// Beginnings of web pages and markup, which many systems save as .xls.
const MARKUP: [&str; 8] = [
    "<html",
    "<!doctype",
    "<table",
    "<?xml",
    "<head",
    "<meta",
    "<style",
    "mime-version:",
];

/// How the characters of a text are written as bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TextEncoding {
    /// UTF-8, with or without a mark.
    Utf8,
    /// UTF-16, low byte first: Excel's “Unicode text”.
    Utf16Le,
    /// UTF-16, high byte first.
    Utf16Be,
    /// GB18030, which includes GBK and GB2312.
    Gb18030,
}

impl TextEncoding {
    /// The name clerks see.
    pub fn name(self) -> &'static str {
        match self {
            Self::Utf8 => "UTF-8",
            Self::Utf16Le => "UTF-16 LE",
            Self::Utf16Be => "UTF-16 BE",
            Self::Gb18030 => "GB18030",
        }
    }

    fn codec(self) -> &'static Encoding {
        match self {
            Self::Utf8 => UTF_8,
            Self::Utf16Le => UTF_16LE,
            Self::Utf16Be => UTF_16BE,
            Self::Gb18030 => GB18030,
        }
    }

    fn mark(self) -> &'static [u8] {
        match self {
            Self::Utf8 => b"\xEF\xBB\xBF",
            Self::Utf16Le => b"\xFF\xFE",
            Self::Utf16Be => b"\xFE\xFF",
            Self::Gb18030 => b"\x84\x31\x95\x33",
        }
    }
}

/// A decoded text table.
#[derive(Debug)]
pub(super) struct TextFile {
    text: String,
    encoding: TextEncoding,
    delimiter: char,
}

impl TextFile {
    /// Reads and decodes a file of `bytes`, in the given encoding or the one found.
    pub(super) fn read(
        file: File,
        bytes: u64,
        encoding: Option<TextEncoding>,
    ) -> Result<Self, ExchangeError> {
        let mut content = Vec::with_capacity(usize::try_from(bytes).unwrap_or(0));
        // A file may grow while it is read; what was checked is what is read.
        file.take(bytes).read_to_end(&mut content)?;
        let (text, encoding) = decode(&content, encoding)?;
        drop(content);
        Self::new(text, encoding)
    }

    /// A text that is already decoded.
    pub(super) fn from_text(text: String) -> Result<Self, ExchangeError> {
        let text = text
            .strip_prefix('\u{FEFF}')
            .map(str::to_owned)
            .unwrap_or(text);
        Self::new(text, TextEncoding::Utf8)
    }

    fn new(text: String, encoding: TextEncoding) -> Result<Self, ExchangeError> {
        if text.chars().all(crate::fold::is_blank) {
            return Err(ExchangeError::Unsupported(Unsupported::Empty));
        }
        let head: String = text
            .trim_start()
            .chars()
            .take(16)
            .collect::<String>()
            .to_lowercase();
        if MARKUP.iter().any(|beginning| head.starts_with(beginning)) {
            return Err(ExchangeError::Unsupported(Unsupported::WebPage));
        }
        let delimiter = split::find_delimiter(&text);
        Ok(Self {
            text,
            encoding,
            delimiter,
        })
    }

    pub(super) fn encoding(&self) -> TextEncoding {
        self.encoding
    }

    pub(super) fn rows(&self) -> TextRows<'_> {
        TextRows::new(&self.text, self.delimiter)
    }
}

/// The order is: the clerk's choice, a mark, UTF-16 by its zero bytes, strict UTF-8, GB18030.
/// UTF-16 comes before UTF-8 because Latin text in it is also valid UTF-8, full of zeros.
fn decode(
    content: &[u8],
    chosen: Option<TextEncoding>,
) -> Result<(String, TextEncoding), ExchangeError> {
    use TextEncoding::{Gb18030, Utf8, Utf16Be, Utf16Le};
    let marked = [Utf8, Utf16Le, Utf16Be, Gb18030]
        .into_iter()
        .find(|e| content.starts_with(e.mark()));
    if let Some(encoding) = chosen.or(marked) {
        let body = content.strip_prefix(encoding.mark()).unwrap_or(content);
        return decode_strictly(body, encoding).map(|text| (text, encoding));
    }
    if let Some(encoding) = utf16_by_zeros(content) {
        return decode_strictly(content, encoding).map(|text| (text, encoding));
    }
    if content.contains(&0) {
        return Err(ExchangeError::Unsupported(Unsupported::Unknown));
    }
    for encoding in [Utf8, Gb18030] {
        if let Ok(text) = decode_strictly(content, encoding) {
            return Ok((text, encoding));
        }
    }
    Err(ExchangeError::Encoding {
        encoding: Gb18030.name(),
    })
}

fn decode_strictly(content: &[u8], encoding: TextEncoding) -> Result<String, ExchangeError> {
    let text = encoding
        .codec()
        .decode_without_bom_handling_and_without_replacement(content);
    let text = text.ok_or(ExchangeError::Encoding {
        encoding: encoding.name(),
    })?;
    Ok(text.into_owned())
}

/// Delimiters, line ends and digits are Latin, so in UTF-16 at least one unit in twenty has a zero
/// byte, nearly always on the same side.
fn utf16_by_zeros(content: &[u8]) -> Option<TextEncoding> {
    let sample = content.get(..SAMPLE_BYTES).unwrap_or(content);
    let pairs = sample.chunks_exact(2);
    let count = pairs.len();
    let (mut first, mut second) = (0_usize, 0_usize);
    for pair in pairs {
        first += usize::from(pair.first() == Some(&0));
        second += usize::from(pair.get(1) == Some(&0));
    }
    let enough = count.div_ceil(20).max(1);
    // The other side is not quite free of zeros: 一 is 4E00.
    if second >= enough && second > first * 3 {
        Some(TextEncoding::Utf16Le)
    } else if first >= enough && first > second * 3 {
        Some(TextEncoding::Utf16Be)
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "姓名,身份证号\r\n张三,110105194912310\r\n";

    #[test]
    fn encodings_are_found_with_and_without_a_mark() {
        let utf16: Vec<u16> = TEXT.encode_utf16().collect();
        let le: Vec<u8> = utf16.iter().flat_map(|unit| unit.to_le_bytes()).collect();
        let be: Vec<u8> = utf16.iter().flat_map(|unit| unit.to_be_bytes()).collect();
        let (gb, _, _) = GB18030.encode(TEXT);
        let cases = [
            (TEXT.as_bytes().to_vec(), TextEncoding::Utf8),
            (
                [b"\xEF\xBB\xBF", TEXT.as_bytes()].concat(),
                TextEncoding::Utf8,
            ),
            (le.clone(), TextEncoding::Utf16Le),
            ([b"\xFF\xFE".to_vec(), le].concat(), TextEncoding::Utf16Le),
            (be.clone(), TextEncoding::Utf16Be),
            ([b"\xFE\xFF".to_vec(), be].concat(), TextEncoding::Utf16Be),
            (gb.into_owned(), TextEncoding::Gb18030),
        ];
        for (bytes, encoding) in cases {
            let (text, found) = decode(&bytes, None).expect("decodes");
            assert_eq!((text.as_str(), found), (TEXT, encoding));
        }
    }

    #[test]
    fn what_is_no_text_is_refused() {
        assert!(decode(b"ab\0\0\0cd", None).is_err());
        assert!(decode(b"\xFF\xFF\xFF", None).is_err());
        assert!(decode(b"\xC4", Some(TextEncoding::Utf8)).is_err());
        let page = TextFile::from_text("  <HTML><table>".to_owned());
        assert!(matches!(
            page,
            Err(ExchangeError::Unsupported(Unsupported::WebPage))
        ));
    }
}
