//! Tables as clerks have them, text and workbooks, read as an import reads them.

use std::cell::RefCell;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, ensure};
use console::columns::{IdNumbers, Target};
use domain::kinds::member;
use domain::text::read_value;
use exchange::limits::{CELL_CHARS_MAX, COLUMNS_MAX};
use exchange::{ExchangeError, ExportColumn, Importer, Limits, Outcome, RowOutcome, Workbook};
use tempfile::TempDir;

use super::note;

/// Characters with which a spreadsheet program runs what follows (`exchange::neutral`).
const RUN: [char; 7] = ['=', '+', '-', '@', '\t', '\r', '\n'];
/// Workbooks are written again for one input in so many: it takes long.
const WRITTEN_EVERY: u8 = 32;

thread_local! {
    static FOLDER: RefCell<Option<TempDir>> = const { RefCell::new(None) };
}

/// A file of this thread, in memory where there is such a place.
pub(super) fn place(name: &str) -> anyhow::Result<PathBuf> {
    FOLDER.with_borrow_mut(|folder| {
        if folder.is_none() {
            let memory = Path::new("/dev/shm");
            let temporary = std::env::temp_dir();
            let made = tempfile::Builder::new()
                .prefix("lianxin-fuzz-")
                .tempdir_in(if memory.is_dir() { memory } else { &temporary })?;
            *folder = Some(made);
        }
        Ok(folder.as_ref().context("a folder")?.path().join(name))
    })
}

/// Reads the bytes as a file, as `import member FILE` does.
pub(super) fn check_file(bytes: &[u8]) -> anyhow::Result<()> {
    let path = place("table")?;
    std::fs::write(&path, bytes)?;
    let mut book = match exchange::open(&path, &Limits::default()) {
        Ok(book) => book,
        Err(error) => return refused(&error),
    };
    every_cell(&mut book)?;
    let target = Target::of(&member::KIND);
    let columns = target.columns();
    let importer = Importer::new(&columns, &IdNumbers);
    let (rows, layout) = {
        let mut import = match importer.read(&mut book) {
            Ok(import) => import,
            Err(error) => return refused(&error),
        };
        let mut rows = Vec::new();
        loop {
            match import.next() {
                None => break,
                Some(Ok(row)) => rows.push(row),
                Some(Err(error)) => {
                    refused(&error)?;
                    ensure!(import.next().is_none(), "goes on after an error");
                    break;
                }
            }
        }
        (rows, import.layout().clone())
    };
    well_answered(&target, &rows)?;
    let accepted = accepted(&rows);
    as_text(&accepted)?;
    if blake3::hash(bytes).as_bytes()[0].is_multiple_of(WRITTEN_EVERY) {
        as_workbook(&accepted)?;
        let out = place("errors.xlsx")?;
        match exchange::write_errors_workbook(&mut book, &layout, &rows, &out) {
            Ok(_) => note::met("M15 tables of errors written"),
            Err(error) => refused(&error)?,
        }
    }
    Ok(())
}

/// An error says in the clerk's words what to do.
fn refused(error: &ExchangeError) -> anyhow::Result<()> {
    ensure!(
        error.text_zh().contains('请') || error.text_zh().contains("导入"),
        "{error}"
    );
    ensure!(
        !matches!(error, ExchangeError::Io(_)),
        "the file cannot be read: {error}"
    );
    let what = match error {
        ExchangeError::Inflated { .. }
        | ExchangeError::TooMany { .. }
        | ExchangeError::DocumentType { .. }
        | ExchangeError::TooManyRows { .. }
        | ExchangeError::TooManyColumns { .. }
        | ExchangeError::FileTooLarge { .. } => "M14 hostile workbooks refused",
        ExchangeError::CellTooLong { .. } => "D15 oversized cells refused",
        ExchangeError::Encoding { .. } => "D16 invalid text refused",
        _ => "tables that are none refused",
    };
    note::met(what);
    Ok(())
}

/// All cells of all sheets lie within the limits.
fn every_cell(book: &mut Workbook) -> anyhow::Result<()> {
    for sheet in 0..book.sheets().len() {
        let Ok(rows) = book.rows(sheet) else { continue };
        let mut before = 0;
        for row in rows {
            let Ok(row) = row else { break };
            ensure!(
                row.number > before,
                "rows go back: {} after {before}",
                row.number
            );
            before = row.number;
            ensure!(
                row.cells.len() <= COLUMNS_MAX,
                "M14: {} columns",
                row.cells.len()
            );
            for cell in &row.cells {
                let length = cell.display().encode_utf16().count();
                ensure!(length <= CELL_CHARS_MAX, "D15: a cell of {length}");
            }
        }
    }
    Ok(())
}

/// Each row is accepted with values that the record takes, or to fix with a cell and a reason.
fn well_answered(target: &Target, rows: &[RowOutcome]) -> anyhow::Result<()> {
    for RowOutcome { row, outcome } in rows {
        match outcome {
            Outcome::Accepted { values } => {
                ensure!(
                    !values.is_empty(),
                    "row {row} is accepted with nothing in it"
                );
                for (key, text) in values {
                    let (_, field) = target.field(*key).context("a column of the kind")?;
                    // The journal asks again and refuses with a reason; here it must not be silent.
                    if read_value(field, text).is_ok() && text.chars().any(|c| c >= '\u{20000}') {
                        note::met("D16 rare characters kept");
                    }
                    ensure!(
                        text.trim() == text || !text.trim().is_empty(),
                        "a blank value"
                    );
                }
            }
            Outcome::ToFix { cells } => {
                ensure!(
                    !cells.is_empty(),
                    "row {row} is to fix and nothing is wrong"
                );
                for cell in cells {
                    let is_placed = cell.address.contains(&row.to_string());
                    let is_said = !cell.reason.zh.is_empty() && !cell.reason.en.is_empty();
                    ensure!(is_placed && is_said, "row {row}: {cell:?}");
                }
                note::met("rows given back with their reasons");
            }
            Outcome::PossibleDuplicate { .. } => anyhow::bail!("row {row}: a duplicate of whom?"),
        }
    }
    Ok(())
}

fn accepted(rows: &[RowOutcome]) -> Vec<Vec<String>> {
    let values = rows.iter().filter_map(|row| match &row.outcome {
        Outcome::Accepted { values } => Some(values.iter().map(|(_, text)| text.clone()).collect()),
        _ => None,
    });
    values.take(50).collect()
}

/// Written as text nothing runs as a formula, and it is read back as it was.
fn as_text(rows: &[Vec<String>]) -> anyhow::Result<()> {
    let mut written = Vec::new();
    exchange::write_csv(&mut written, &["表"], rows)?;
    let mut reader = csv::ReaderBuilder::new()
        .flexible(true)
        .has_headers(false)
        .from_reader(
            written
                .strip_prefix("\u{feff}".as_bytes())
                .context("a mark")?,
        );
    for record in reader.records().skip(1) {
        for text in &record? {
            ensure!(!text.starts_with(RUN), "M15: {text:?} would be run");
            if text.starts_with('\'') {
                note::met("M15 formulas neutralised");
            }
        }
    }
    let path = place("again.csv")?;
    std::fs::write(&path, &written)?;
    same_again(&path, rows)
}

fn as_workbook(rows: &[Vec<String>]) -> anyhow::Result<()> {
    let path = place("again.xlsx")?;
    let column = ExportColumn {
        heading: "表",
        is_amount: false,
    };
    exchange::write_xlsx(&path, &[column], rows)?;
    same_again(&path, rows)
}

fn same_again(path: &Path, rows: &[Vec<String>]) -> anyhow::Result<()> {
    let mut book = exchange::open(path, &Limits::default())?;
    let read: Vec<_> = book.rows(0)?.skip(1).collect::<Result<_, _>>()?;
    let texts = read.iter().map(|row| {
        let texts = row.cells.iter().map(exchange::Cell::display);
        texts.collect::<Vec<_>>()
    });
    let texts: Vec<_> = texts.collect();
    ensure!(
        texts == rows,
        "what an export wrote is read otherwise: {texts:?} {rows:?}"
    );
    Ok(())
}
