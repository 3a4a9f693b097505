//! Opening a file by its content and giving its rows, one at a time.
//!
//! The extension is never asked: half of all `.xls` files are web pages or text.

use std::cell::Cell as Counter;
use std::fs::File;
use std::io::{BufReader, Read, Seek, SeekFrom};
use std::path::Path;

use crate::cell::Row;
use crate::error::{ExchangeError, Unsupported};
use crate::limits::Limits;

mod package;
mod split;
mod style;
mod text;
mod texts;
mod xls;
mod xlsx;
mod xml;

pub use text::TextEncoding;

/// What the first bytes of a compound file (.xls, protected .xlsx) are.
const COMPOUND_FILE: &[u8] = &[0xD0, 0xCF, 0x11, 0xE0, 0xA1, 0xB1, 0x1A, 0xE1];
/// What the first bytes of an archive (.xlsx, .ods, .docx) are.
const ARCHIVE: &[u8] = b"PK\x03\x04";
/// Workbooks before Excel 97 that are not compound files begin with one of these.
const OLD_EXCEL: [&[u8]; 3] = [&[0x09, 0x00], &[0x09, 0x02], &[0x09, 0x04]];
/// Files that would decode as text but are none.
const NOT_TABLES: [&[u8]; 4] = [b"%PDF", b"{\\rtf", b"\x89PNG", b"Rar!"];

/// The format a file was found to have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// Excel 2007 and later.
    Xlsx,
    /// Excel 97 to 2003.
    Xls,
    /// Comma, tab or semicolon separated text.
    Text,
}

/// One sheet of a workbook.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SheetInfo {
    /// Name on the tab; for text the empty text.
    pub name: String,
    /// Whether the clerk sees it.
    pub visible: bool,
}

/// An opened file. It holds the shared texts, or the whole text; sheets are read as streams.
#[derive(Debug)]
pub struct Workbook {
    source: Source,
    limits: Limits,
    inflated_bytes: Counter<u64>,
}

#[derive(Debug)]
enum Source {
    Xlsx(Box<xlsx::XlsxFile>),
    Xls(Box<xls::XlsFile>),
    Text(text::TextFile),
}

/// Opens a file; its format and, for text, its encoding are found from the content.
///
/// # Errors
/// Everything [`ExchangeError`] lists except a missing heading.
pub fn open(path: &Path, limits: &Limits) -> Result<Workbook, ExchangeError> {
    open_as(path, None, limits)
}

/// Opens a text table in an encoding the clerk chose after seeing a wrong guess.
///
/// # Errors
/// As [`open`]; also when the text is not valid in that encoding.
pub fn open_with_encoding(
    path: &Path,
    encoding: TextEncoding,
    limits: &Limits,
) -> Result<Workbook, ExchangeError> {
    open_as(path, Some(encoding), limits)
}

/// A table that was pasted as text, tab separated as spreadsheet programs copy it, or any other
/// delimiter.
///
/// # Errors
/// When the text is empty or longer than a file may be.
pub fn from_text(text: &str, limits: &Limits) -> Result<Workbook, ExchangeError> {
    let bytes = u64::try_from(text.len()).unwrap_or(u64::MAX);
    check_size(bytes, limits)?;
    let source = Source::Text(text::TextFile::from_text(text.to_owned())?);
    Ok(Workbook::new(source, limits))
}

fn open_as(
    path: &Path,
    encoding: Option<TextEncoding>,
    limits: &Limits,
) -> Result<Workbook, ExchangeError> {
    let mut file = File::open(path)?;
    let bytes = file.metadata()?.len();
    check_size(bytes, limits)?;
    if bytes == 0 {
        return Err(ExchangeError::Unsupported(Unsupported::Empty));
    }
    let mut head = Vec::with_capacity(8);
    Read::by_ref(&mut file).take(8).read_to_end(&mut head)?;
    file.seek(SeekFrom::Start(0))?;

    let inflated_bytes = Counter::new(0);
    let source = if encoding.is_some() {
        Source::Text(text::TextFile::read(file, bytes, encoding)?)
    } else if head.starts_with(ARCHIVE) {
        let file = xlsx::XlsxFile::open(BufReader::new(file), limits, &inflated_bytes)?;
        Source::Xlsx(Box::new(file))
    } else if head.starts_with(COMPOUND_FILE) {
        Source::Xls(Box::new(xls::XlsFile::open(file)?))
    } else if OLD_EXCEL.iter().any(|magic| head.starts_with(magic)) && head.get(3) == Some(&0) {
        return Err(ExchangeError::Unsupported(Unsupported::OldExcel));
    } else if NOT_TABLES.iter().any(|magic| head.starts_with(magic)) {
        return Err(ExchangeError::Unsupported(Unsupported::Unknown));
    } else {
        Source::Text(text::TextFile::read(file, bytes, None)?)
    };
    Ok(Workbook {
        source,
        limits: *limits,
        inflated_bytes,
    })
}

fn check_size(bytes: u64, limits: &Limits) -> Result<(), ExchangeError> {
    let bytes_max = limits.file_bytes_max;
    if bytes > bytes_max {
        return Err(ExchangeError::FileTooLarge { bytes, bytes_max });
    }
    Ok(())
}

impl Workbook {
    fn new(source: Source, limits: &Limits) -> Self {
        Self {
            source,
            limits: *limits,
            inflated_bytes: Counter::new(0),
        }
    }

    /// The format found.
    pub fn format(&self) -> Format {
        match &self.source {
            Source::Xlsx(_) => Format::Xlsx,
            Source::Xls(_) => Format::Xls,
            Source::Text(_) => Format::Text,
        }
    }

    /// The encoding found or asked for; only text has one.
    pub fn encoding(&self) -> Option<TextEncoding> {
        match &self.source {
            Source::Text(file) => Some(file.encoding()),
            Source::Xlsx(_) | Source::Xls(_) => None,
        }
    }

    /// The sheets in the order of their tabs. Text has one without a name.
    pub fn sheets(&self) -> Vec<SheetInfo> {
        match &self.source {
            Source::Xlsx(file) => file.sheets(),
            Source::Xls(file) => file.sheets(),
            Source::Text(_) => vec![SheetInfo {
                name: String::new(),
                visible: true,
            }],
        }
    }

    /// Whether days are counted from 1904 (workbooks made on old Macs).
    pub fn epoch_1904(&self) -> bool {
        match &self.source {
            Source::Xlsx(file) => file.epoch_1904(),
            Source::Xls(file) => file.epoch_1904(),
            Source::Text(_) => false,
        }
    }

    /// The limits it was opened with.
    pub fn limits(&self) -> &Limits {
        &self.limits
    }

    /// The rows with content of a sheet counted from 0, from its top. May be called again.
    ///
    /// # Errors
    /// When the sheet cannot be opened. Later errors come from the iterator, which ends then.
    pub fn rows(&mut self, sheet: usize) -> Result<SheetRows<'_>, ExchangeError> {
        let source = match &mut self.source {
            Source::Xlsx(file) => Stream::Xlsx(Box::new(file.rows(
                sheet,
                &self.limits,
                &self.inflated_bytes,
            )?)),
            Source::Xls(file) => Stream::Xls(Box::new(file.rows(sheet)?)),
            Source::Text(file) => Stream::Text(file.rows()),
        };
        Ok(SheetRows {
            source,
            rows_left: self.limits.rows_max,
            rows_max: self.limits.rows_max,
            ended: false,
        })
    }
}

/// The rows with content of one sheet, in order. Ends after the first error.
#[derive(Debug)]
pub struct SheetRows<'a> {
    source: Stream<'a>,
    rows_left: u32,
    rows_max: u32,
    ended: bool,
}

#[derive(Debug)]
enum Stream<'a> {
    Xlsx(Box<xlsx::XlsxRows<'a>>),
    Xls(Box<xls::XlsRows<'a>>),
    Text(split::TextRows<'a>),
}

impl SheetRows<'_> {
    fn next_row(&mut self) -> Result<Option<Row>, ExchangeError> {
        loop {
            let row = match &mut self.source {
                Stream::Xlsx(rows) => rows.next_row()?,
                Stream::Xls(rows) => rows.next_row()?,
                Stream::Text(rows) => rows.next_row()?,
            };
            let Some(row) = row else { return Ok(None) };
            if row.is_blank() {
                continue;
            }
            if self.rows_left == 0 {
                return Err(ExchangeError::TooManyRows {
                    rows_max: self.rows_max,
                });
            }
            self.rows_left -= 1;
            return Ok(Some(row));
        }
    }
}

impl Iterator for SheetRows<'_> {
    type Item = Result<Row, ExchangeError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.ended {
            return None;
        }
        let row = self.next_row().transpose();
        self.ended = !matches!(row, Some(Ok(_)));
        row
    }
}
