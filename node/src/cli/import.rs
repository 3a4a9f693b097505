//! `import` and `export`.

use std::path::Path;

use anyhow::Context as _;
use console::columns::Target;
use console::export::{self, Records};
use domain::id::RecordId;
use domain::kind::Kind;
use domain::record::{Record, RecordKey};
use exchange::{Outcome, RowOutcome};
use serde_json::{Value, json};
use store::{Filter, StoreError, Tx};

use super::records::kind_named;
use crate::app::App;
use crate::import::{Report, Request};

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
    let mut summary = format!(
        "共 {total} 行:已导入 {},需修正 {to_fix},疑似重复 {twins}",
        report.accepted
    );
    if !report.unread_sheets.is_empty() {
        summary.push_str(&format!(
            ";只读取了工作表“{}”,未读取“{}”,请各自另存为文件后再导入",
            report.sheet,
            report.unread_sheets.join("”、“")
        ));
    }
    let headings = |headings: &[(String, String)]| {
        let headings = headings.iter();
        headings
            .map(|(address, text)| format!("{address} {text}"))
            .collect::<Vec<_>>()
    };
    json!({
        "summary": summary,
        "trial": is_trial,
        "accepted": report.accepted,
        "to_fix": to_fix,
        "possible_duplicates": twins,
        "skipped": report.skipped,
        "rows": report.refused.iter().take(NAMED_MAX).map(row_json).collect::<Vec<_>>(),
        "sheet": report.sheet,
        "unread_sheets": report.unread_sheets,
        "unknown_headings": headings(&report.unknown_headings),
        "empty_headings": headings(&report.empty_headings),
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
        .read::<_, anyhow::Error>(move |tx| {
            Ok(export::write_table(&Snapshot(tx), &target, false, &out)?)
        })
        .await?;
    Ok(json!({"rows": count, "file": file}))
}

struct Snapshot<'c>(Tx<'c>);

impl Records for Snapshot<'_> {
    type Error = StoreError;

    fn next(
        &self,
        kind: &'static Kind,
        after: Option<RecordId>,
    ) -> Result<Vec<Record>, StoreError> {
        self.0.list(kind, &Filter::counting(kind), after, PORTION)
    }

    fn record(&self, key: RecordKey) -> Result<Option<Record>, StoreError> {
        self.0.record(key)
    }
}
