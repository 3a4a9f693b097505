//! What a file may ask of the machine, each with its reason.
//!
//! The sum of what is held at once stays under 256 MiB: a table of shared texts, one row, one piece
//! of markup, and for the two formats that are held whole (text, .xls) the file itself.

/// Bytes of a file as it lies on disk. A roster of 200,000 rows packs to about 20 MiB.
pub const FILE_BYTES_MAX: u64 = 32 * 1024 * 1024;

/// Bytes one part of an .xlsx may unpack to. 200,000 rows of 30 columns are about 300 MiB;
/// it is streamed, so this bounds time, not memory.
pub const PART_BYTES_MAX: u64 = 512 * 1024 * 1024;

/// Bytes all parts together may unpack to over all passes of one import (find the sheet, look at the
/// others and at ambiguous columns, read it, write the errors back). Bounds the time of a file made
/// of many large sheets.
pub const TOTAL_BYTES_MAX: u64 = 2 * 1024 * 1024 * 1024;

/// How many times its packed size a part may unpack to. Sheets of empty styled rows reach 150;
/// deflate itself can reach 1,032.
pub const RATIO_MAX: u64 = 300;

/// Up to this size a part is not judged by its ratio: small uniform parts pack very well.
pub const RATIO_FREE_BYTES: u64 = 16 * 1024 * 1024;

/// Parts in one .xlsx. A workbook of 100 sheets has about 500.
pub const PARTS_MAX: usize = 2_000;

/// Sheets looked at in one workbook.
pub const SHEETS_MAX: usize = 256;

/// Bytes of one piece of markup (a tag, a run of text). A full cell of references is 300 KB.
pub const TOKEN_BYTES_MAX: usize = 1024 * 1024;

/// How deep markup may be nested. Sheets need seven levels.
pub const DEPTH_MAX: usize = 64;

/// Different texts in one workbook (its shared strings). A row brings about four of its own.
pub const TEXTS_MAX: usize = 2_000_000;

/// Bytes of all shared texts together, as UTF-8. They are held in memory while a sheet is read.
pub const TEXT_BYTES_MAX: usize = 96 * 1024 * 1024;

/// Cell formats in one workbook; Excel itself stops at 65,490.
pub const FORMATS_MAX: usize = 65_536;

/// Rows with content in one import. A large district's register is about 60,000.
pub const ROWS_MAX: u32 = 200_000;

/// Columns of a sheet, Excel 97's own limit. Content further right is refused, emptiness is not.
pub const COLUMNS_MAX: usize = 256;

/// Characters (UTF-16 units) of one cell, Excel's own limit.
pub const CELL_CHARS_MAX: usize = 32_767;

/// Rows with content that are searched for the headings. Titles above them rarely pass ten.
pub const HEADING_ROWS_MAX: usize = 30;

/// Limits of one import. The defaults are this module's constants; tests and small machines may
/// tighten them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of the file on disk.
    pub file_bytes_max: u64,
    /// Bytes one part of an .xlsx may unpack to.
    pub part_bytes_max: u64,
    /// Bytes all parts together may unpack to, over all passes.
    pub total_bytes_max: u64,
    /// Unpacked size of a part as a multiple of its packed size.
    pub ratio_max: u64,
    /// Rows with content.
    pub rows_max: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            file_bytes_max: FILE_BYTES_MAX,
            part_bytes_max: PART_BYTES_MAX,
            total_bytes_max: TOTAL_BYTES_MAX,
            ratio_max: RATIO_MAX,
            rows_max: ROWS_MAX,
        }
    }
}
