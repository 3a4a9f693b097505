//! Workbooks of Excel 97 to 2003, built record by record, and damaged ones of both formats.
#![allow(clippy::expect_used, reason = "a test fails by panicking")]

mod common;

use std::io::{Cursor, Write};
use std::path::Path;

use common::{
    BRANCH, ID, IDS, JOINED, NAME, PHONE, open_default, outcomes, problems, scratch, value, write,
};
use exchange::{ExchangeError, Format, Limits, Unsupported, open};
use proptest::prelude::*;

fn record(kind: u16, data: &[u8]) -> Vec<u8> {
    let length = u16::try_from(data.len()).expect("short");
    [&kind.to_le_bytes()[..], &length.to_le_bytes(), data].concat()
}

fn wide(text: &str) -> Vec<u8> {
    let units: Vec<u16> = text.encode_utf16().collect();
    let length = u16::try_from(units.len()).expect("short");
    let mut bytes = length.to_le_bytes().to_vec();
    bytes.push(1);
    bytes.extend(units.iter().flat_map(|unit| unit.to_le_bytes()));
    bytes
}

fn at(row: u16, column: u16, format: u16) -> Vec<u8> {
    [row, column, format]
        .iter()
        .flat_map(|number| number.to_le_bytes())
        .collect()
}

fn label(row: u16, column: u16, text: &str) -> Vec<u8> {
    record(0x0204, &[at(row, column, 0), wide(text)].concat())
}

fn shared(row: u16, column: u16, number: u32) -> Vec<u8> {
    record(
        0x00FD,
        &[&at(row, column, 0)[..], &number.to_le_bytes()].concat(),
    )
}

fn number(row: u16, column: u16, format: u16, value: f64) -> Vec<u8> {
    record(
        0x0203,
        &[&at(row, column, format)[..], &value.to_le_bytes()].concat(),
    )
}

/// A formula whose text comes in a later record.
fn formula(row: u16, column: u16) -> Vec<u8> {
    let text_follows = [0, 0, 0, 0, 0, 0, 0xFF, 0xFF, 0, 0, 0, 0, 0, 0, 0, 0];
    record(0x0006, &[&at(row, column, 0)[..], &text_follows].concat())
}

fn begin(version: u16, sort: u16) -> Vec<u8> {
    record(
        0x0809,
        &[version.to_le_bytes(), sort.to_le_bytes(), [0; 2], [0; 2]].concat(),
    )
}

/// A record stream: globals (with more in them) and one sheet of these records.
fn stream(version: u16, globals: &[Vec<u8>], sheet: &[Vec<u8>]) -> Vec<u8> {
    let end = record(0x000A, &[]);
    let sheet_name = wide("名册");
    // Sheet names have a length of one byte.
    let name = [&sheet_name[..1], &sheet_name[2..]].concat();
    let globals = globals.concat();
    let start = begin(version, 5).len() + globals.len() + 4 + 6 + name.len() + end.len();
    let start = u32::try_from(start).expect("short").to_le_bytes();
    let bound = record(0x0085, &[&start[..], &[0, 0], &name].concat());
    [
        begin(version, 5),
        globals,
        bound,
        end.clone(),
        begin(version, 16),
        sheet.concat(),
        end,
    ]
    .concat()
}

fn compound(name: &str, content: &[u8]) -> Vec<u8> {
    let mut file = cfb::CompoundFile::create(Cursor::new(Vec::new())).expect("created");
    file.create_stream(name)
        .and_then(|mut part| part.write_all(content))
        .expect("written");
    file.flush().expect("flushed");
    file.into_inner().into_inner()
}

/// A roster with a formula, packed numbers, dates and a shared text that runs on.
fn roster() -> Vec<u8> {
    let texts = [
        &[2, 0, 0, 0, 2, 0, 0, 0][..],
        &wide(IDS[0]),
        &wide("张伟")[..5],
    ]
    .concat();
    let rest = [&[1], &wide("张伟")[5..]].concat();
    let globals = [
        record(
            0x041E,
            &[&164_u16.to_le_bytes()[..], &wide("yyyy\"年\"m\"月\"")].concat(),
        ),
        record(0x00E0, &[0; 20]),
        record(0x00E0, &[&[0, 0, 164, 0][..], &[0; 16]].concat()),
        record(0x00FC, &texts),
        record(0x003C, &rest),
    ];
    let claimed = [
        &0_u32.to_le_bytes()[..],
        &u32::MAX.to_le_bytes(),
        &[0, 0, 0xFF, 0xFF, 0, 0],
    ]
    .concat();
    let packed = (13_900_000_u32 << 2) | 2;
    let sheet = [
        record(0x0200, &claimed),
        label(0, 0, "某某社区党员花名册"),
        label(2, 0, "姓名"),
        label(2, 1, "身份证号"),
        label(2, 2, "入党时间"),
        label(2, 3, "电话"),
        shared(3, 0, 1),
        shared(3, 1, 0),
        number(3, 2, 1, 35_977.0),
        number(3, 3, 0, 13_900_000_000.0),
        formula(4, 0),
        record(0x0207, &wide("李四")),
        number(4, 1, 0, 350_102_199_001_010_016.0),
        record(
            0x00BD,
            &[
                &at(4, 2, 0)[..],
                &packed.to_le_bytes(),
                &2_u16.to_le_bytes(),
            ]
            .concat(),
        ),
        // A chart inside the sheet; its cells are not the sheet's.
        begin(0x0600, 32),
        label(9, 0, "图表"),
        record(0x000A, &[]),
        label(5, 0, "合计"),
    ];
    compound("/Workbook", &stream(0x0600, &globals, &sheet))
}

fn read(path: &Path) -> Result<usize, ExchangeError> {
    let mut book = open(path, &Limits::default())?;
    let mut count = 0;
    for sheet in 0..book.sheets().len() {
        for row in book.rows(sheet)? {
            row?;
            count += 1;
        }
    }
    Ok(count)
}

#[test]
fn a_legacy_roster_is_read_whatever_dimension_it_claims() {
    let (_folder, path) = scratch("a.xlsx");
    write(&path, &roster());
    let mut book = open_default(&path);
    assert_eq!(book.format(), Format::Xls);
    let rows = outcomes(&mut book);
    assert_eq!(rows.len(), 2);
    assert_eq!(value(&rows[0], NAME).as_deref(), Some("张伟"));
    assert_eq!(value(&rows[0], ID).as_deref(), Some(IDS[0]));
    assert_eq!(value(&rows[0], JOINED).as_deref(), Some("1998-07"));
    assert_eq!(value(&rows[0], PHONE).as_deref(), Some("13900000000"));
    let wrong = problems(&rows[1]);
    assert_eq!(wrong[0].0, "B5");
    assert!(wrong[0].1.contains("Excel 已把后几位变成 0"));
    assert_eq!(wrong[1].0, "C5");
}

#[test]
fn the_text_of_a_formula_is_read_whatever_stands_between() {
    let mut sheet = vec![
        label(0, 0, "姓名"),
        label(0, 1, "身份证号"),
        label(0, 2, "支部"),
    ];
    // A shared formula, an array, a table of operations.
    let between = [(0x04BC, "张三"), (0x0221, "李四"), (0x0236, "王五")];
    for (row, (kind, name)) in (1..).zip(between) {
        sheet.extend([
            formula(row, 0),
            record(kind, &[0; 16]),
            record(0x0207, &wide(name)),
            label(row, 1, IDS[usize::from(row)]),
        ]);
    }
    sheet.extend([
        // A text that is empty.
        label(4, 0, "赵六"),
        label(4, 1, IDS[0]),
        formula(4, 2),
        record(0x0207, &wide("")),
        // A text that never comes; one behind another cell is not its own.
        label(5, 0, "钱七"),
        formula(5, 2),
        label(5, 1, IDS[0]),
        record(0x0207, &wide("第一支部")),
    ]);
    let (_folder, path) = scratch("a.xls");
    write(&path, &compound("/Workbook", &stream(0x0600, &[], &sheet)));
    let rows = outcomes(&mut open_default(&path));
    assert_eq!(rows.len(), 5);
    for (row, (_, name)) in rows.iter().zip(between) {
        assert_eq!(value(row, NAME).as_deref(), Some(name));
    }
    assert_eq!(value(&rows[3], BRANCH), None);
    let wrong = problems(&rows[4]);
    assert_eq!(wrong.len(), 1, "{wrong:?}");
    assert_eq!(wrong[0].0, "C6");
    assert!(wrong[0].1.starts_with("公式没有保存结果"), "{}", wrong[0].1);
}

#[test]
fn older_protected_and_disordered_workbooks_are_refused() {
    let unordered = [label(5, 0, "甲"), label(4, 0, "乙")];
    let password = [record(0x002F, &[1, 0])];
    let cases = [
        (compound("/Book", b"x"), Some(Unsupported::OldExcel)),
        (
            compound("/Workbook", &stream(0x0500, &[], &[])),
            Some(Unsupported::OldExcel),
        ),
        (
            compound("/Workbook", &stream(0x0600, &password, &[])),
            Some(Unsupported::Protected),
        ),
        (
            compound("/EncryptedPackage", b"x"),
            Some(Unsupported::Protected),
        ),
        (compound("/WordDocument", b"x"), Some(Unsupported::Unknown)),
        (
            compound("/Workbook", &stream(0x0600, &[], &unordered)),
            None,
        ),
    ];
    for (bytes, expected) in cases {
        let (_folder, path) = scratch("a.xls");
        write(&path, &bytes);
        match (read(&path), expected) {
            (Err(ExchangeError::Unsupported(found)), Some(expected)) => assert_eq!(found, expected),
            (Err(ExchangeError::Damaged(_)), None) => {}
            (other, expected) => assert_eq!(format!("{other:?}"), format!("{expected:?}")),
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn damaged_workbooks_give_errors_and_not_panics(
        is_legacy in any::<bool>(),
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..12),
        keep in any::<prop::sample::Index>(),
        is_cut in any::<bool>(),
    ) {
        let (_folder, path) = scratch("a");
        if is_legacy {
            write(&path, &roster());
        } else {
            let columns = [exchange::ExportColumn { heading: "姓名", is_amount: false }];
            exchange::write_xlsx(&path, &columns, [["张三"], ["李四"]]).expect("written");
        }
        let mut bytes = std::fs::read(&path).expect("read");
        for (place, byte) in changes {
            let place = place.index(bytes.len());
            bytes[place] = byte;
        }
        if is_cut {
            bytes.truncate(keep.index(bytes.len()));
        }
        write(&path, &bytes);
        let _ = read(&path);
    }
}
