//! `import` and `export`.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::BufWriter;
use std::path::Path;

use anyhow::{Context as _, bail};
use domain::id::RecordId;
use domain::kind::{Field, FieldType, Kind};
use domain::kinds::{self, person};
use domain::record::Record;
use domain::text::show_value;
use exchange::{ExportColumn, Outcome, RowOutcome, write_csv, write_xlsx};
use serde_json::{Value, json};
use store::{Filter, Tx};

use super::records::kind_named;
use crate::app::App;
use crate::import::{Report, Request, Target};

/// Rows that an answer names; the errors workbook has them all.
const NAMED_MAX: usize = 50;
/// Records read at once for an export.
const PORTION: usize = 1_000;

/// Takes a table.
pub(super) async fn import(
    app: &App,
    kind: &str,
    file: &Path,
    (is_trial, errors): (bool, Option<&Path>),
    actor: &str,
) -> anyhow::Result<Value> {
    let request = Request {
        kind: kind_named(kind)?,
        file: file.to_path_buf(),
        is_trial,
        errors: errors.map(Path::to_path_buf),
        actor: actor.to_owned(),
    };
    let report = crate::import::import(app, request)
        .await
        .with_context(|| format!("{}", file.display()))?;
    Ok(report_json(&report, is_trial, errors))
}

fn report_json(report: &Report, is_trial: bool, errors: Option<&Path>) -> Value {
    let is_twin = |row: &&RowOutcome| matches!(row.outcome, Outcome::PossibleDuplicate { .. });
    let twins = report.refused.iter().filter(is_twin).count();
    let to_fix = report.refused.len() - twins;
    let total = report.accepted + report.refused.len() as u64;
    json!({
        "summary": format!(
            "共 {total} 行:已导入 {},需修正 {to_fix},疑似重复 {twins}",
            report.accepted
        ),
        "trial": is_trial,
        "accepted": report.accepted,
        "to_fix": to_fix,
        "possible_duplicates": twins,
        "skipped": report.skipped,
        "rows": report.refused.iter().take(NAMED_MAX).map(row_json).collect::<Vec<_>>(),
        "unknown_headings": report.unknown_headings.iter()
            .map(|(address, text)| format!("{address} {text}")).collect::<Vec<_>>(),
        "unknown_organisations": report.unknown_organisations,
        "errors_workbook": errors.filter(|_| !report.refused.is_empty()),
    })
}

fn row_json(row: &RowOutcome) -> Value {
    match &row.outcome {
        Outcome::Accepted { .. } => json!({"row": row.row}),
        Outcome::PossibleDuplicate { with } => json!({"row": row.row, "possible_duplicate": with}),
        Outcome::ToFix { cells } => json!({
            "row": row.row,
            "to_fix": cells.iter().map(|cell| json!({
                "cell": cell.address,
                "heading": cell.heading,
                "zh": cell.reason.zh,
                "en": cell.reason.en,
            })).collect::<Vec<_>>(),
        }),
    }
}

/// Writes all living records of a kind into a table that an import reads back.
pub(super) async fn export(app: &App, kind: &str, file: &Path) -> anyhow::Result<Value> {
    let target = Target::of(kind_named(kind)?);
    let out = file.to_path_buf();
    let count = app
        .store
        .read::<_, anyhow::Error>(move |tx| write_table(tx, &target, &out))
        .await?;
    Ok(json!({"rows": count, "file": file}))
}

fn write_table(tx: Tx<'_>, target: &Target, out: &Path) -> anyhow::Result<u32> {
    let columns: Vec<_> = target.exported().collect();
    let mut export = Rows {
        tx,
        target,
        columns: &columns,
        titles: BTreeMap::new(),
        failed: None,
    };
    let mut after = None;
    let mut portion = Vec::new().into_iter();
    let rows = std::iter::from_fn(|| {
        loop {
            if let Some(record) = portion.next() {
                return export.row(&record);
            }
            let next = export.next_portion(after)?;
            after = next.last().map(|record: &Record| record.key.id);
            portion = next.into_iter();
            after?;
        }
    });
    let extension = out
        .extension()
        .and_then(|e| e.to_str())
        .unwrap_or_default()
        .to_lowercase();
    let count = match extension.as_str() {
        "xlsx" => {
            let headings: Vec<_> = columns
                .iter()
                .map(|(_, field)| ExportColumn {
                    heading: field.zh,
                    is_amount: matches!(field.of, FieldType::Integer(..)),
                })
                .collect();
            write_xlsx(out, &headings, rows)?
        }
        "csv" => {
            let headings: Vec<_> = columns.iter().map(|(_, field)| field.zh).collect();
            write_csv(BufWriter::new(File::create(out)?), &headings, rows)?
        }
        _ => bail!("write to .xlsx or .csv 请导出为 .xlsx 或 .csv"),
    };
    export.failed.map_or(Ok(count), Err)
}

/// The rows of an export, read in portions.
struct Rows<'e, 'c> {
    tx: Tx<'c>,
    target: &'e Target,
    columns: &'e [(&'static Kind, &'static Field)],
    titles: BTreeMap<RecordId, String>,
    failed: Option<anyhow::Error>,
}

impl Rows<'_, '_> {
    fn next_portion(&mut self, after: Option<RecordId>) -> Option<Vec<Record>> {
        match self
            .tx
            .list(self.target.role, &[Filter::Alive], after, PORTION)
        {
            Ok(records) => Some(records),
            Err(error) => {
                self.failed = Some(error.into());
                None
            }
        }
    }

    fn row(&mut self, record: &Record) -> Option<Vec<String>> {
        match self.cells(record) {
            Ok(cells) => Some(cells),
            Err(error) => {
                self.failed = Some(error);
                None
            }
        }
    }

    fn cells(&mut self, record: &Record) -> anyhow::Result<Vec<String>> {
        let person = match record.reference(self.target.person_field) {
            Some(id) if self.target.has_person() => {
                let key = domain::record::RecordKey {
                    kind: person::KIND_NUMBER,
                    id,
                };
                self.tx.record(key)?
            }
            _ => None,
        };
        let mut cells = Vec::with_capacity(self.columns.len());
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
    fn cell(&mut self, field: &Field, bytes: &[u8]) -> anyhow::Result<String> {
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

    fn title(&mut self, kind: u16, id: RecordId) -> anyhow::Result<String> {
        if let Some(known) = self.titles.get(&id) {
            return Ok(known.clone());
        }
        let record = self.tx.record(domain::record::RecordKey { kind, id })?;
        let title = kinds::by_number(kind).and_then(|kind| kind.title_field);
        let text = record
            .as_ref()
            .and_then(|record| title.and_then(|field| record.text(field)))
            .map_or_else(|| id.to_string(), str::to_owned);
        self.titles.insert(id, text.clone());
        Ok(text)
    }
}
