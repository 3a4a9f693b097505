//! What the tests of this crate share: a roster's columns, invented people, small builders.
#![allow(dead_code, reason = "each test binary uses its own part")]
#![allow(clippy::expect_used, reason = "a test fails by panicking")]

use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};

use exchange::{
    CellKind, Checks, Code, Column, Importer, Limits, Outcome, Reason, RowOutcome, Workbook, open,
};
use zip::write::SimpleFileOptions;

pub const NAME: u16 = 1;
pub const ID: u16 = 2;
pub const SEX: u16 = 3;
pub const BRANCH: u16 = 4;
pub const JOINED: u16 = 5;
pub const PHONE: u16 = 6;

/// Invented numbers with a right check digit.
pub const IDS: [&str; 4] = [
    "11010519491231002X",
    "350102199001010016",
    "350102198506150036",
    "350103197811230026",
];

/// Check digit and length; the real rule is the domain's.
pub struct CheckDigit;

impl Checks for CheckDigit {
    fn id_number(&self, text: &str) -> Result<String, Reason> {
        if check_character(text) == text.chars().last() {
            Ok(text.to_owned())
        } else {
            Err(Reason::new("身份证号校验位不符", "wrong check digit"))
        }
    }
}

/// The check character of the first 17 digits.
pub fn check_character(text: &str) -> Option<char> {
    let weights = [7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2];
    let digits = text.chars().take(17).filter_map(|c| c.to_digit(10));
    let sum: u32 = digits
        .zip(weights)
        .map(|(digit, weight)| digit * weight)
        .sum();
    "10X98765432".chars().nth(usize::try_from(sum % 11).ok()?)
}

/// An invented number from a counter.
pub fn id_number(count: u32) -> String {
    let body = format!(
        "350102{:04}{:02}{:02}{:03}",
        1950 + count % 50,
        1 + count % 12,
        1 + count % 28,
        count % 1000
    );
    let check = check_character(&body).expect("17 digits");
    format!("{body}{check}")
}

pub fn columns() -> Vec<Column<'static>> {
    let column = |key, heading, synonyms: &[&'static str], kind, required| Column {
        key,
        heading,
        synonyms: synonyms.to_vec(),
        kind,
        required,
    };
    let sex = |code, label| Code {
        code,
        label,
        synonyms: vec![],
    };
    let sexes = CellKind::Code(vec![sex("1", "男"), sex("2", "女")]);
    vec![
        column(NAME, "姓名", &["名字"], CellKind::Name, true),
        column(
            ID,
            "公民身份号码",
            &["身份证号", "身份证号码"],
            CellKind::IdNumber,
            true,
        ),
        column(SEX, "性别", &[], sexes, false),
        column(
            BRANCH,
            "所在支部",
            &["支部", "所属支部"],
            CellKind::Text,
            false,
        ),
        column(
            JOINED,
            "入党日期",
            &["入党时间"],
            CellKind::Date { allow_month: true },
            false,
        ),
        column(PHONE, "联系电话", &["手机", "电话"], CellKind::Phone, false),
    ]
}

/// A directory and a file name in it.
pub fn scratch(name: &str) -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().expect("a temporary directory");
    let path = folder.path().join(name);
    (folder, path)
}

pub fn write(path: &Path, bytes: &[u8]) {
    File::create(path)
        .and_then(|mut file| file.write_all(bytes))
        .expect("written");
}

pub fn open_default(path: &Path) -> Workbook {
    open(path, &Limits::default()).expect("opens")
}

/// Every answer of an import with the roster's columns.
pub fn outcomes(book: &mut Workbook) -> Vec<RowOutcome> {
    let columns = columns();
    let import = Importer::new(&columns, &CheckDigit)
        .read(book)
        .expect("headings");
    import.collect::<Result<_, _>>().expect("rows")
}

/// The values of an accepted row, or a panic that shows the problems.
pub fn accepted(outcome: &RowOutcome) -> Vec<(u16, String)> {
    match &outcome.outcome {
        Outcome::Accepted { values } => values.clone(),
        other => {
            assert_eq!(
                format!("{other:?}"),
                "",
                "row {} is not accepted",
                outcome.row
            );
            Vec::new()
        }
    }
}

/// The addresses and reasons of a row to fix.
pub fn problems(outcome: &RowOutcome) -> Vec<(String, String)> {
    match &outcome.outcome {
        Outcome::ToFix { cells } => cells
            .iter()
            .map(|cell| (cell.address.clone(), cell.reason.zh.clone()))
            .collect(),
        Outcome::Accepted { .. } | Outcome::PossibleDuplicate { .. } => Vec::new(),
    }
}

pub fn value(outcome: &RowOutcome, key: u16) -> Option<String> {
    let values = accepted(outcome);
    values
        .into_iter()
        .find(|(of, _)| *of == key)
        .map(|(_, value)| value)
}

/// The small parts of a workbook with one sheet, by hand, so that a test can lie in any of them.
pub const SMALL_PARTS: [(&str, &str); 4] = [
    (
        "[Content_Types].xml",
        r#"<?xml version="1.0"?><Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types"/>"#,
    ),
    (
        "_rels/.rels",
        r#"<Relationships><Relationship Id="r1" Type="http://x/relationships/officeDocument" Target="xl/workbook.xml"/></Relationships>"#,
    ),
    (
        "xl/workbook.xml",
        r#"<workbook><sheets><sheet name="名册" sheetId="1" r:id="r1"/></sheets></workbook>"#,
    ),
    (
        "xl/_rels/workbook.xml.rels",
        r#"<Relationships><Relationship Id="r1" Type="http://x/relationships/worksheet" Target="worksheets/sheet1.xml"/><Relationship Id="r2" Type="http://x/relationships/sharedStrings" Target="sharedStrings.xml"/></Relationships>"#,
    ),
];

/// A part of an archive: its name and what writes it.
pub type Part<'a> = (&'a str, Content<'a>);

/// What writes a part.
pub type Content<'a> = &'a dyn Fn(&mut dyn Write);

/// Writes an archive of the small parts and others; each part is given by what writes it.
pub fn write_archive(path: &Path, parts: &[Part<'_>]) {
    let mut archive = zip::ZipWriter::new(File::create(path).expect("created"));
    let options = SimpleFileOptions::default();
    for (name, content) in SMALL_PARTS {
        if !parts.iter().any(|(other, _)| *other == name) {
            archive.start_file(name, options).expect("part");
            archive.write_all(content.as_bytes()).expect("content");
        }
    }
    for (name, content) in parts {
        archive.start_file(*name, options).expect("part");
        content(&mut archive);
    }
    archive.finish().expect("finished");
}

/// Writes a text as a part.
pub fn put(out: &mut dyn Write, text: &str) {
    out.write_all(text.as_bytes()).expect("written");
}

/// A sheet around rows.
pub fn sheet(rows: &str) -> String {
    format!(
        r#"<?xml version="1.0"?><worksheet><dimension ref="A1:XFD1048576"/><sheetData>{rows}</sheetData></worksheet>"#
    )
}

/// A row of inline texts.
pub fn row(number: u32, texts: &[&str]) -> String {
    let cells = texts.join(r#"</t></is></c><c t="inlineStr"><is><t>"#);
    format!(r#"<row r="{number}"><c t="inlineStr"><is><t>{cells}</t></is></c></row>"#)
}
