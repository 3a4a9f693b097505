//! Spreadsheets and text tables in and out.
//!
//! What a clerk has is a file: an Excel workbook with a title over the headings and a signature
//! under the last row, or a text table in one of four encodings. This crate turns such a file into
//! rows of canonical values, says for every other row which cell is wrong and why, and writes
//! tables back so that neither Excel nor this crate damages them.
//!
//! ```text
//!  file ──open──▶ Workbook ──rows──▶ Row (typed cells)
//!                     │                 │ heading: which column is which
//!                     │                 │ rows: where the data begins and ends
//!                     ▼                 ▼ normalise: cell → canonical text or a reason
//!                 Importer::read ──▶ Import ──next──▶ RowOutcome
//!                                                        │
//!                     write_errors_workbook ◀────────────┘ the clerk's rows with a reason column
//!  rows ──write_xlsx / write_csv──▶ file
//! ```
//!
//! The crate knows nothing of kinds of record: the caller gives the [`Column`]s, and the check of
//! an identity number through [`Checks`].
//!
//! Invariants:
//! 1. Memory is bounded by the constants of [`limits`], whatever a file claims about itself. This
//!    is why the containers are read here as streams and not by a library that loads a whole sheet.
//! 2. Nothing is lost in silence: a row is accepted, to fix, or counted as skipped with its reason;
//!    a column or sheet that is not read is named, and of two columns that mean the same none is
//!    chosen while both have content.
//! 3. What an export wrote, an import reads back unchanged, for every text Excel can hold.
//! 4. A file is data. Formulas are never evaluated, names inside an archive never reach the file
//!    system, and document type declarations are refused.

#![cfg_attr(test, allow(clippy::expect_used, reason = "a test fails by panicking"))]

pub mod cell;
pub mod column;
pub mod error;
pub mod heading;
pub mod import;
pub mod limits;
pub mod normalise;
pub mod read;
pub mod report;
pub mod rows;
pub mod write;

mod fold;
mod neutral;

pub use cell::{Cell, CellDate, Row, address};
pub use column::{CellKind, Checks, Code, Column, Reason};
pub use error::{ExchangeError, Unsupported};
pub use heading::{Clash, Duplicate, Layout, Mapped, Mapping};
pub use import::{Import, Importer};
pub use limits::Limits;
pub use read::{Format, SheetInfo, TextEncoding, Workbook, from_text, open, open_with_encoding};
pub use report::{CellProblem, Outcome, RowOutcome, write_errors_workbook};
pub use write::{ExportColumn, write_csv, write_xlsx};
