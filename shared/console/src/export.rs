//! Writes records of a declared kind into a table that an import reads back.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::BufWriter;
use std::path::Path;

use domain::id::RecordId;
use domain::kind::{Field, FieldType, Kind};
use domain::kinds::{self, organisation, person};
use domain::record::{Record, RecordKey};
use domain::text::show_value;
use exchange::{ExchangeError, ExportColumn, write_csv, write_xlsx};

use crate::columns::Target;

/// Where an export finds records.
pub trait Records {
    /// What reading may meet.
    type Error;

    /// Living records of a kind after one, by id, a bounded number.
    ///
    /// # Errors
    /// The store's own.
    fn next(
        &self,
        kind: &'static Kind,
        after: Option<RecordId>,
    ) -> Result<Vec<Record>, Self::Error>;

    /// One record.
    ///
    /// # Errors
    /// The store's own.
    fn record(&self, key: RecordKey) -> Result<Option<Record>, Self::Error>;
}

/// Why a table was not written.
#[derive(Debug)]
pub enum ExportError<E> {
    /// The records cannot be read.
    Records(E),
    /// The file cannot be written.
    File(ExchangeError),
    /// The name ends in neither `.xlsx` nor `.csv`.
    Format,
}

impl<E: std::fmt::Display> std::fmt::Display for ExportError<E> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Records(error) => error.fmt(f),
            Self::File(error) => write!(f, "{} ({error})", error.text_zh()),
            Self::Format => f.write_str("write to .xlsx or .csv 请导出为 .xlsx 或 .csv"),
        }
    }
}

impl<E: std::fmt::Debug + std::fmt::Display> std::error::Error for ExportError<E> {}

impl<E> From<ExchangeError> for ExportError<E> {
    fn from(error: ExchangeError) -> Self {
        Self::File(error)
    }
}

/// Writes all living records of a kind; with the office of each in front where several offices'
/// records are written. Memory does not grow with their number. Answers how many rows.
///
/// # Errors
/// Records that cannot be read; a file that cannot be written.
pub fn write_table<R: Records>(
    records: &R,
    target: &Target,
    has_office: bool,
    out: &Path,
) -> Result<u32, ExportError<R::Error>> {
    let columns: Vec<_> = target.exported().collect();
    let office = has_office.then_some("所属社区");
    let headings: Vec<_> = office
        .into_iter()
        .chain(columns.iter().map(|(_, f)| f.zh))
        .collect();
    let mut rows = Rows {
        records,
        target,
        columns: &columns,
        has_office,
        titles: BTreeMap::new(),
        portion: Vec::new().into_iter(),
        after: None,
        failed: None,
    };
    let extension = out
        .extension()
        .and_then(|e| e.to_str())
        .unwrap_or_default()
        .to_lowercase();
    let count = match extension.as_str() {
        "xlsx" => {
            let amounts = columns
                .iter()
                .map(|(_, f)| matches!(f.of, FieldType::Integer(..)));
            let amounts = office.map(|_| false).into_iter().chain(amounts);
            let headings: Vec<_> = headings
                .iter()
                .zip(amounts)
                .map(|(heading, is_amount)| ExportColumn { heading, is_amount })
                .collect();
            write_xlsx(out, &headings, &mut rows)?
        }
        "csv" => {
            let file = File::create(out).map_err(ExchangeError::from)?;
            write_csv(BufWriter::new(file), &headings, &mut rows)?
        }
        _ => return Err(ExportError::Format),
    };
    rows.failed
        .map_or(Ok(count), |error| Err(ExportError::Records(error)))
}

/// The rows of an export, read in portions.
struct Rows<'e, R: Records> {
    records: &'e R,
    target: &'e Target,
    columns: &'e [(&'static Kind, &'static Field)],
    has_office: bool,
    titles: BTreeMap<RecordId, String>,
    portion: std::vec::IntoIter<Record>,
    after: Option<RecordId>,
    failed: Option<R::Error>,
}

impl<R: Records> Iterator for Rows<'_, R> {
    type Item = Vec<String>;

    fn next(&mut self) -> Option<Self::Item> {
        let cells = self
            .next_record()
            .and_then(|record| record.map(|record| self.cells(&record)).transpose());
        match cells {
            Ok(cells) => cells,
            Err(error) => {
                self.failed = Some(error);
                None
            }
        }
    }
}

impl<R: Records> Rows<'_, R> {
    fn next_record(&mut self) -> Result<Option<Record>, R::Error> {
        if let Some(record) = self.portion.next() {
            return Ok(Some(record));
        }
        let portion = self.records.next(self.target.role, self.after)?;
        self.after = portion.last().map(|record| record.key.id).or(self.after);
        self.portion = portion.into_iter();
        Ok(self.portion.next())
    }

    fn cells(&mut self, record: &Record) -> Result<Vec<String>, R::Error> {
        let person = match record.reference(self.target.person_field) {
            Some(id) if self.target.has_person() => self.records.record(RecordKey {
                kind: person::KIND_NUMBER,
                id,
            })?,
            _ => None,
        };
        let mut cells = Vec::with_capacity(self.columns.len() + 1);
        if self.has_office {
            cells.push(self.title(organisation::KIND_NUMBER, record.office)?);
        }
        for (kind, field) in self.columns {
            let source = if kind.number == record.key.kind {
                Some(record)
            } else {
                person.as_ref()
            };
            let bytes = source
                .and_then(|source| source.value(field.number))
                .unwrap_or_default();
            cells.push(self.cell(field, bytes)?);
        }
        Ok(cells)
    }

    /// A value in the words that an import reads.
    fn cell(&mut self, field: &Field, bytes: &[u8]) -> Result<String, R::Error> {
        let text = show_value(field.of, bytes);
        Ok(match field.of {
            FieldType::Code(list) => list
                .by_code(&text)
                .map_or(text, |entry| entry.zh.to_owned()),
            FieldType::Boolean => match text.as_str() {
                "1" => "是".to_owned(),
                "0" => "否".to_owned(),
                _ => text,
            },
            FieldType::Reference(kind) => match RecordId::from_slice(bytes) {
                Ok(id) => self.title(kind, id)?,
                Err(_) => String::new(),
            },
            _ => text,
        })
    }

    fn title(&mut self, kind: u16, id: RecordId) -> Result<String, R::Error> {
        if let Some(known) = self.titles.get(&id) {
            return Ok(known.clone());
        }
        let record = self.records.record(RecordKey { kind, id })?;
        let title = kinds::by_number(kind).and_then(|kind| kind.title_field);
        let text = record
            .as_ref()
            .and_then(|record| title.and_then(|field| record.text(field)))
            .map_or_else(|| id.to_string(), str::to_owned);
        self.titles.insert(id, text.clone());
        Ok(text)
    }
}
