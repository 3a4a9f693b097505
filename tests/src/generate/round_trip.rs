//! The rosters are read by the product's own import: every row that can be read is read as the
//! person it was made from, and every other is refused.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "tests"
)]

use std::collections::BTreeMap;
use std::path::Path;

use domain::checks::id_number::IdNumber;
use exchange::{CellKind, Checks, Column, Importer, Limits, Outcome, Reason, open};

use super::{
    CsvEncoding, Dirt, Person, Roster, RosterSpec, roster_csv, roster_xlsx, volunteers_csv,
    volunteers_xlsx,
};

struct Rules;

impl Checks for Rules {
    fn id_number(&self, text: &str) -> Result<String, Reason> {
        match IdNumber::parse(text) {
            Ok(number) => Ok(number.as_str().to_owned()),
            Err(_) => Err(Reason::new("身份证号有误", "wrong")),
        }
    }
}

fn columns() -> Vec<Column<'static>> {
    let column = |key, heading, kind| Column {
        key,
        heading,
        synonyms: Vec::new(),
        kind,
        required: key < 3,
    };
    let day = CellKind::Date { allow_month: false };
    vec![
        column(1, "姓名", CellKind::Name),
        column(2, "公民身份号码", CellKind::IdNumber),
        column(3, "出生日期", day.clone()),
        column(4, "入党日期", day.clone()),
        column(5, "转正日期", day.clone()),
        column(6, "注册日期", day),
        column(7, "联系电话", CellKind::Phone),
    ]
}

fn assert_read(path: &Path, spec: &RosterSpec, roster: &Roster) {
    let dirty: BTreeMap<usize, Dirt> = roster.dirty.iter().copied().collect();
    let columns = columns();
    let mut book = open(path, &Limits::default()).expect("a file that opens");
    let importer = Importer::new(&columns, &Rules);
    let import = importer.read(&mut book).expect("headings that are found");
    let is_text = path.extension().is_some_and(|extension| extension == "csv");
    let mut rows = 0;
    for (place, outcome) in import.enumerate() {
        rows += 1;
        let outcome = outcome.expect("a row").outcome;
        let dirt = dirty.get(&place);
        let is_readable = dirt.is_none_or(|dirt| {
            if is_text {
                dirt.is_readable_as_text()
            } else {
                dirt.is_readable()
            }
        });
        let person = Person::new(spec.seed, spec.first + u64::try_from(place).unwrap());
        match outcome {
            Outcome::Accepted { values } => {
                assert!(is_readable, "row {place} was read in spite of {dirt:?}");
                let found = |key| {
                    values
                        .iter()
                        .find(|(k, _)| *k == key)
                        .map(|(_, v)| v.as_str())
                };
                assert_eq!(found(1), Some(person.name.as_str()), "{dirt:?}");
                assert_eq!(found(2), Some(person.id_number.as_str()), "{dirt:?}");
                assert_eq!(
                    found(3),
                    Some(person.birth.to_string().as_str()),
                    "{dirt:?}"
                );
                assert_eq!(found(7).unwrap_or_default(), person.phone);
            }
            other => assert!(!is_readable, "row {place} with {dirt:?}: {other:?}"),
        }
    }
    assert_eq!(rows, spec.rows);
}

#[test]
fn the_import_reads_what_can_be_read_and_refuses_the_rest() {
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str| folder.path().join(name);
    for two_level_headings in [false, true] {
        for (title_rows, footer) in [(0, false), (3, true)] {
            let spec = RosterSpec {
                rows: 300,
                first: 5_000,
                dirt: 0.4,
                two_level_headings,
                title_rows,
                footer,
                ..RosterSpec::default()
            };
            let path = file("roster.xlsx");
            assert_read(&path, &spec, &roster_xlsx(&path, &spec).unwrap());
            let path = file("volunteers.xlsx");
            assert_read(&path, &spec, &volunteers_xlsx(&path, &spec).unwrap());
            for encoding in [CsvEncoding::Utf8Bom, CsvEncoding::Gb18030] {
                let path = file("roster.csv");
                assert_read(&path, &spec, &roster_csv(&path, &spec, encoding).unwrap());
                let path = file("volunteers.csv");
                assert_read(
                    &path,
                    &spec,
                    &volunteers_csv(&path, &spec, encoding).unwrap(),
                );
            }
        }
    }
}
