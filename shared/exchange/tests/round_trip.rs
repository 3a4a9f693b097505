//! What an export writes, an import reads back; what an errors workbook gives back, comes in again.
#![allow(clippy::expect_used, reason = "a test fails by panicking")]

mod common;

use common::{
    IDS, accepted, columns, open_default, outcomes, problems, put, row, scratch, sheet, write,
    write_archive,
};
use exchange::{
    Cell, ExportColumn, Importer, Limits, Outcome, RowOutcome, Workbook, from_text, open,
    write_csv, write_errors_workbook, write_xlsx,
};
use proptest::prelude::*;

/// Every cell of the first sheet, rows of the given width, blank rows too.
fn table(book: &mut Workbook, rows: usize, width: usize) -> Vec<Vec<String>> {
    let mut table = vec![vec![String::new(); width]; rows];
    for row in book.rows(0).expect("rows") {
        let row = row.expect("row");
        let at = usize::try_from(row.number).expect("number") - 1;
        for (column, cell) in row.cells.iter().enumerate() {
            assert!(matches!(cell, Cell::Text(_) | Cell::Empty), "{cell:?}");
            table[at][column] = cell.display();
        }
    }
    table
}

/// Texts without a visible character make a row blank, which a reader passes over; one visible
/// cell in each row keeps it.
fn with_anchor(rows: Vec<Vec<String>>) -> Vec<Vec<String>> {
    rows.into_iter()
        .map(|mut row| {
            row.insert(0, "锚".to_owned());
            row
        })
        .collect()
}

fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        any::<String>(),
        "[\\PC\r\n\t\0'=+@_x0-9A-F,;\" -]{0,12}",
        "'{0,3}[=+@\t\r-]{0,2}[a-z\"]{0,3}",
        "(_x[0-9A-F]{4}_){0,2}",
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 128, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_text_survives_csv(
        headings in prop::collection::vec(text(), 3),
        rows in prop::collection::vec(prop::collection::vec(text(), 3), 0..5),
    ) {
        let headings = with_anchor(vec![headings]).remove(0);
        let rows = with_anchor(rows);
        let mut out = Vec::new();
        let names: Vec<&str> = headings.iter().map(String::as_str).collect();
        write_csv(&mut out, &names, &rows).expect("written");
        let (_folder, path) = scratch("a.csv");
        write(&path, &out);
        let mut book = open(&path, &Limits::default()).expect("opens");
        let all: Vec<_> = std::iter::once(headings).chain(rows).collect();
        prop_assert_eq!(table(&mut book, all.len(), 4), all);
    }

    #[test]
    fn any_text_survives_xlsx(
        headings in prop::collection::vec(text(), 3),
        rows in prop::collection::vec(prop::collection::vec(text(), 3), 0..5),
    ) {
        let headings = with_anchor(vec![headings]).remove(0);
        let rows = with_anchor(rows);
        let columns: Vec<ExportColumn<'_>> =
            headings.iter().map(|heading| ExportColumn { heading, is_amount: false }).collect();
        let (_folder, path) = scratch("a.xlsx");
        write_xlsx(&path, &columns, &rows).expect("written");
        let mut book = open(&path, &Limits::default()).expect("opens");
        let all: Vec<_> = std::iter::once(headings.clone()).chain(rows).collect();
        prop_assert_eq!(table(&mut book, all.len(), 4), all);
    }

    #[test]
    fn no_bytes_make_the_reader_panic(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        let (_folder, path) = scratch("a");
        for magic in [&b""[..], b"PK\x03\x04", b"\xD0\xCF\x11\xE0\xA1\xB1\x1A\xE1", b"\xFF\xFE"] {
            write(&path, &[magic, &bytes].concat());
            if let Ok(mut book) = open(&path, &Limits::default()) {
                let sheets = book.sheets().len();
                for sheet in 0..sheets {
                    let _ = book.rows(sheet).map(Iterator::count);
                }
            }
        }
    }
}

#[test]
fn exported_numbers_are_text_and_amounts_are_numbers() {
    let (_folder, path) = scratch("a.xlsx");
    let columns = [
        ExportColumn {
            heading: "公民身份号码",
            is_amount: false,
        },
        ExportColumn {
            heading: "时长",
            is_amount: true,
        },
    ];
    let rows = [[IDS[1], "12"], ["001", "007"]];
    assert_eq!(write_xlsx(&path, &columns, rows).ok(), Some(2));
    let mut book = open_default(&path);
    let rows: Vec<_> = book
        .rows(0)
        .expect("rows")
        .collect::<Result<_, _>>()
        .expect("rows");
    assert_eq!(rows[1].cells, [Cell::text(IDS[1]), Cell::Number(12.0)]);
    assert_eq!(rows[2].cells, [Cell::text("001"), Cell::text("007")]);
    let mut archive = zip::ZipArchive::new(std::fs::File::open(&path).expect("file")).expect("zip");
    let part = |archive: &mut zip::ZipArchive<std::fs::File>, name: &str| {
        std::io::read_to_string(archive.by_name(name).expect("part")).expect("text")
    };
    let sheet = part(&mut archive, "xl/worksheets/sheet1.xml");
    assert!(sheet.contains(r#"state="frozen""#) && sheet.contains(r#"ySplit="1""#));
    assert!(sheet.contains("<cols>"));
    let styles = part(&mut archive, "xl/styles.xml");
    assert!(styles.contains(r#"formatCode="@""#), "{styles}");
}

#[test]
fn exported_csv_runs_no_formula() {
    let mut out = Vec::new();
    write_csv(&mut out, &["姓名"], [["=1+1"], ["@x"], ["张三"]]).expect("written");
    let text = String::from_utf8(out).expect("UTF-8");
    assert_eq!(
        text,
        "\u{FEFF}\"姓名\"\r\n\"'=1+1\"\r\n\"'@x\"\r\n\"张三\"\r\n"
    );
}

const ROSTER: &str = "某社区名册,,,\n,基本信息,,\n序号,姓名,身份证号,支部,入党时间,备注\n";

fn roster() -> String {
    format!(
        "{ROSTER}1,张三,{},一,2020.1.1,=x\n2,李四,1.10105E+17,二,26-1-1,说明\n3,王五,{},三,2020年1月,\n4,,{},四,,很远,,多\n合计,3\n",
        IDS[0], IDS[1], IDS[2]
    )
}

fn errors_of(book: &mut Workbook, out: &std::path::Path) -> (Vec<RowOutcome>, u32) {
    let columns = columns();
    let mut import = Importer::new(&columns, &common::CheckDigit)
        .read(book)
        .expect("headings");
    let rows: Vec<RowOutcome> = import.by_ref().collect::<Result<_, _>>().expect("rows");
    let layout = import.layout().clone();
    drop(import);
    let written = write_errors_workbook(book, &layout, &rows, out).expect("written");
    (rows, written)
}

#[test]
fn the_errors_workbook_has_the_rows_to_fix_with_reasons_and_comes_back_the_same() {
    let (folder, path) = scratch("errors.xlsx");
    let mut book = from_text(&roster(), &Limits::default()).expect("opens");
    let (rows, written) = errors_of(&mut book, &path);
    assert_eq!((rows.len(), written), (4, 2));
    let wrong: Vec<_> = rows
        .iter()
        .filter(|row| !problems(row).is_empty())
        .collect();

    let mut back = open_default(&path);
    let cells: Vec<_> = back
        .rows(0)
        .expect("rows")
        .collect::<Result<_, _>>()
        .expect("rows");
    assert_eq!(cells[0].cell(0), &Cell::text("某社区名册"));
    assert_eq!(cells[1].cell(1), &Cell::text("基本信息"));
    let heading = &cells[2];
    let errors = heading.cells.len() - 1;
    assert_eq!(errors, 8, "right after the last column with content");
    assert_eq!(heading.cell(errors), &Cell::text("错误原因"));
    assert_eq!(cells[3].cell(1), &Cell::text("李四"));
    assert_eq!(cells[3].cell(5), &Cell::text("说明"));
    let reason = cells[3].cell(errors).display();
    assert!(
        reason.contains("“公民身份号码”：Excel 已把后几位变成 0"),
        "{reason}"
    );
    assert!(
        reason.contains("；") && reason.contains("四位数"),
        "{reason}"
    );
    assert_eq!(cells[4].cell(7), &Cell::text("多"));
    assert!(
        cells[4]
            .cell(errors)
            .display()
            .starts_with("“姓名”必须填写")
    );

    let again = outcomes(&mut back);
    assert_eq!(again.len(), 2);
    for (before, after) in wrong.iter().zip(&again) {
        let reasons = |row: &RowOutcome| -> Vec<String> {
            problems(row)
                .into_iter()
                .map(|(_, reason)| reason)
                .collect()
        };
        assert_eq!(reasons(before), reasons(after));
    }
    // A second errors workbook has one reason column, not two.
    let second = folder.path().join("second.xlsx");
    let (_, written) = errors_of(&mut back, &second);
    assert_eq!(written, 2);
    let mut second = open_default(&second);
    let cells: Vec<_> = second
        .rows(0)
        .expect("rows")
        .collect::<Result<_, _>>()
        .expect("rows");
    assert_eq!(
        cells[2]
            .cells
            .iter()
            .filter(|cell| **cell == Cell::text("错误原因"))
            .count(),
        1
    );
}

#[test]
fn numbers_damaged_by_excel_stay_refused_in_the_errors_workbook() {
    let (_folder, path) = scratch("a.xlsx");
    let (_other, out) = scratch("errors.xlsx");
    let mut book = rust_xlsxwriter::Workbook::new();
    let sheet = book.add_worksheet();
    sheet
        .write(0, 0, "姓名")
        .expect("cell")
        .write(0, 1, "身份证号")
        .expect("cell");
    for count in 0..40_u32 {
        let number: f64 = common::id_number(count)
            .replace('X', "0")
            .parse()
            .expect("number");
        sheet
            .write(count + 1, 0, "张三")
            .expect("cell")
            .write(count + 1, 1, number)
            .expect("cell");
    }
    book.save(&path).expect("saved");
    let (_, written) = errors_of(&mut open_default(&path), &out);
    assert_eq!(written, 40);
    for row in outcomes(&mut open_default(&out)) {
        assert!(problems(&row)[0].1.contains("Excel 已把后几位变成 0"));
    }
}

#[test]
fn formulas_without_a_result_stay_refused_in_the_errors_workbook() {
    let (folder, path) = scratch("a.xlsx");
    let out = folder.path().join("errors.xlsx");
    let person = row(2, &["张三", IDS[0]]).replace("</row>", "<c><f>B2</f></c></row>");
    let rows = sheet(&format!(
        "{}{person}",
        row(1, &["姓名", "身份证号", "支部"])
    ));
    write_archive(
        &path,
        &[("xl/worksheets/sheet1.xml", &|out| put(out, &rows))],
    );
    let (before, written) = errors_of(&mut open_default(&path), &out);
    assert_eq!(written, 1);
    let after = outcomes(&mut open_default(&out));
    assert_eq!(after.len(), 1);
    assert_eq!(problems(&after[0]).len(), 1);
    assert_eq!(problems(&before[0]), problems(&after[0]));
}

#[test]
fn possible_duplicates_come_back_with_who_they_may_be() {
    let (_folder, out) = scratch("errors.xlsx");
    let text = format!("姓名,身份证号\n张三,{}\n", IDS[0]);
    let mut book = from_text(&text, &Limits::default()).expect("opens");
    let columns = columns();
    let import = Importer::new(&columns, &common::CheckDigit)
        .read(&mut book)
        .expect("headings");
    let layout = import.layout().clone();
    let outcomes = import.map(|row| {
        let row = row.expect("row");
        assert!(!accepted(&row).is_empty());
        RowOutcome {
            row: row.row,
            outcome: Outcome::PossibleDuplicate {
                with: "张三（第二支部）".to_owned(),
            },
        }
    });
    let outcomes: Vec<_> = outcomes.collect();
    assert_eq!(
        write_errors_workbook(&mut book, &layout, outcomes, &out).ok(),
        Some(1)
    );
    let mut back = open_default(&out);
    let rows: Vec<_> = back
        .rows(0)
        .expect("rows")
        .collect::<Result<_, _>>()
        .expect("rows");
    assert_eq!(rows[1].cell(2), &Cell::text("疑似重复：张三（第二支部）"));
}
