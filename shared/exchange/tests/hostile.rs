//! Files that lie about themselves. None may take memory or time out of proportion.
#![allow(clippy::expect_used, reason = "a test fails by panicking")]

mod common;

use std::io::Write;

use common::{IDS, open_default, outcomes, row, scratch, sheet, value, write, write_archive};
use exchange::{ExchangeError, Limits, open};

/// Most bytes this process has held at once; `None` where the system does not tell.
fn peak_bytes() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|line| line.starts_with("VmHWM:"))?;
    let kilobytes: u64 = line.split_whitespace().nth(1)?.parse().ok()?;
    Some(kilobytes * 1024)
}

fn assert_memory_is_bounded() {
    if let Some(bytes) = peak_bytes() {
        assert!(bytes < 256 << 20, "{} MiB", bytes >> 20);
    }
}

fn read_all(path: &std::path::Path) -> Result<usize, ExchangeError> {
    let mut book = open(path, &Limits::default())?;
    let mut count = 0;
    for row in book.rows(0)? {
        row?;
        count += 1;
    }
    Ok(count)
}

fn zeros(out: &mut dyn Write, mebibytes: usize) {
    let block = vec![b' '; 1 << 20];
    for _ in 0..mebibytes {
        out.write_all(&block).expect("written");
    }
}

#[test]
fn a_part_that_unpacks_to_too_much_is_refused() {
    for part in [
        "xl/worksheets/sheet1.xml",
        "xl/sharedStrings.xml",
        "xl/media/a.png",
    ] {
        let (_folder, path) = scratch("bomb.xlsx");
        write_archive(&path, &[(part, &|out| zeros(out, 600))]);
        let error = read_all(&path).expect_err("is refused");
        assert!(matches!(error, ExchangeError::Inflated { .. }), "{error}");
        assert_memory_is_bounded();
    }
}

#[test]
fn a_part_that_claims_to_be_small_is_stopped_while_it_unpacks() {
    let (_folder, path) = scratch("bomb.xlsx");
    write_archive(
        &path,
        &[("xl/worksheets/sheet1.xml", &|out| {
            out.write_all(b"<worksheet><sheetData>").expect("written");
            for _ in 0..40 {
                out.write_all("<row><c/></row>".repeat(70_000).as_bytes())
                    .expect("written");
            }
        })],
    );
    // The directory says 1,000 bytes; the stream has 42 million.
    let mut bytes = std::fs::read(&path).expect("read");
    let claimed = 22 + 40 * 70_000 * 15_u32;
    let places: Vec<usize> = bytes
        .windows(4)
        .enumerate()
        .filter(|(_, window)| **window == claimed.to_le_bytes())
        .map(|(at, _)| at)
        .collect();
    assert!(!places.is_empty());
    for at in places {
        bytes[at..at + 4].copy_from_slice(&1_000_u32.to_le_bytes());
    }
    write(&path, &bytes);
    assert!(read_all(&path).is_err());
    assert_memory_is_bounded();
}

#[test]
fn one_endless_piece_of_markup_is_refused() {
    let endless: [common::Content<'_>; 4] = [
        &|out| {
            out.write_all(b"<worksheet><sheetData><row><c t=\"inlineStr\"><is><t>")
                .expect("written");
            out.write_all("甲".repeat(4 << 20).as_bytes())
                .expect("written");
        },
        &|out| {
            out.write_all(b"<worksheet><sheetData><row><c t=\"inlineStr\"><is>")
                .expect("written");
            out.write_all("<r><t>xy</t></r>".repeat(1 << 20).as_bytes())
                .expect("written");
        },
        &|out| {
            out.write_all("<a>".repeat(1 << 20).as_bytes())
                .expect("written");
        },
        &|out| {
            out.write_all(b"<worksheet a=\"").expect("written");
            zeros(out, 8);
        },
    ];
    for content in endless {
        let (_folder, path) = scratch("bomb.xlsx");
        write_archive(&path, &[("xl/worksheets/sheet1.xml", content)]);
        let error = read_all(&path).expect_err("is refused");
        assert!(
            matches!(
                error,
                ExchangeError::Inflated { .. } | ExchangeError::Damaged(_)
            ),
            "{error}"
        );
        assert_memory_is_bounded();
    }
}

#[test]
fn claimed_counts_are_not_believed() {
    let (_folder, path) = scratch("a.xlsx");
    let texts = format!(
        r#"<sst count="18446744073709551615" uniqueCount="18446744073709551615"><si><t>姓名</t></si><si><t>身份证号</t></si><si><t>张三</t></si><si><t>{}</t></si></sst>"#,
        IDS[0]
    );
    let rows = sheet(
        r#"<row r="1"><c r="A1" t="s"><v>0</v></c><c r="B1" t="s"><v>1</v></c></row>
           <row r="2"><c r="A2" t="s"><v>2</v></c><c r="B2" t="s"><v>3</v></c><c r="XFD2" s="9"/></row>
           <row r="1048576"><c r="A1048576" s="1"/></row>"#,
    );
    write_archive(
        &path,
        &[
            ("xl/sharedStrings.xml", &|out| {
                out.write_all(texts.as_bytes()).expect("written");
            }),
            ("xl/worksheets/sheet1.xml", &|out| {
                out.write_all(rows.as_bytes()).expect("written");
            }),
        ],
    );
    let rows = outcomes(&mut open_default(&path));
    assert_eq!(rows.len(), 1);
    assert_eq!(value(&rows[0], common::ID).as_deref(), Some(IDS[0]));
}

#[test]
fn a_million_shared_texts_stay_in_bounds_and_more_are_refused() {
    let texts = |count: usize| {
        move |out: &mut dyn Write| {
            out.write_all(b"<sst>").expect("written");
            for block in 0..count / 1_000 {
                for n in 0..1_000 {
                    write!(out, "<si><t>{block}-{n}</t></si>").expect("written");
                }
            }
            out.write_all(b"</sst>").expect("written");
        }
    };
    let rows = sheet(&row(1, &["姓名", "身份证号"]));
    for (count, is_read) in [(1_000_000, true), (2_100_000, false)] {
        let (_folder, path) = scratch("a.xlsx");
        write_archive(
            &path,
            &[
                ("xl/sharedStrings.xml", &texts(count)),
                ("xl/worksheets/sheet1.xml", &|out| {
                    out.write_all(rows.as_bytes()).expect("written");
                }),
            ],
        );
        assert_eq!(read_all(&path).is_ok(), is_read, "{count}");
        assert_memory_is_bounded();
    }
}

#[test]
fn document_types_and_entities_are_refused() {
    for markup in [
        r#"<!DOCTYPE x [<!ENTITY a "b">]><worksheet><sheetData/></worksheet>"#,
        "<worksheet><sheetData><row><c t=\"inlineStr\"><is><t>&a;</t></is></c></row></sheetData></worksheet>",
    ] {
        let (_folder, path) = scratch("a.xlsx");
        write_archive(
            &path,
            &[("xl/worksheets/sheet1.xml", &|out| {
                out.write_all(markup.as_bytes()).expect("written");
            })],
        );
        let error = read_all(&path).expect_err("is refused");
        assert!(
            matches!(error, ExchangeError::DocumentType { .. }),
            "{error}"
        );
    }
}

#[test]
fn rows_columns_and_cells_beyond_the_limits_are_refused() {
    let long = "长".repeat(32_768);
    let wide = r#"<row r="1"><c r="IW1" t="inlineStr"><is><t>x</t></is></c></row>"#;
    let backwards = format!("{}{}", row(5, &["a"]), row(4, &["b"]));
    for rows in [row(1, &[&long]), wide.to_owned(), backwards] {
        let (_folder, path) = scratch("a.xlsx");
        let rows = sheet(&rows);
        write_archive(
            &path,
            &[("xl/worksheets/sheet1.xml", &|out| {
                out.write_all(rows.as_bytes()).expect("written");
            })],
        );
        assert!(read_all(&path).is_err());
    }
    let limits = Limits {
        rows_max: 3,
        ..Limits::default()
    };
    let mut book = exchange::from_text("甲\n乙\n\n丙\n丁\n", &limits).expect("opens");
    let rows: Vec<_> = book.rows(0).expect("rows").collect();
    assert_eq!(rows.len(), 4);
    assert!(matches!(
        rows[3],
        Err(ExchangeError::TooManyRows { rows_max: 3 })
    ));
    let limits = Limits {
        file_bytes_max: 3,
        ..Limits::default()
    };
    assert!(matches!(
        exchange::from_text("甲乙", &limits),
        Err(ExchangeError::FileTooLarge {
            bytes: 6,
            bytes_max: 3
        })
    ));
}

#[test]
fn archives_of_many_parts_or_of_nothing_are_refused() {
    let (_folder, path) = scratch("a.xlsx");
    let names: Vec<String> = (0..2_100).map(|n| format!("p{n}")).collect();
    let nothing: &dyn Fn(&mut dyn Write) = &|_| {};
    let parts: Vec<common::Part<'_>> = names.iter().map(|name| (name.as_str(), nothing)).collect();
    write_archive(&path, &parts);
    assert!(matches!(
        read_all(&path),
        Err(ExchangeError::TooMany { .. })
    ));
    write(&path, b"PK\x03\x04 and nothing more");
    assert!(matches!(read_all(&path), Err(ExchangeError::Damaged(_))));
    write(&path, b"\xD0\xCF\x11\xE0\xA1\xB1\x1A\xE1 and nothing more");
    assert!(matches!(read_all(&path), Err(ExchangeError::Damaged(_))));
}

#[test]
fn a_large_honest_roster_stays_in_bounds() {
    let (_folder, path) = scratch("large.xlsx");
    write_archive(
        &path,
        &[("xl/worksheets/sheet1.xml", &|out| {
            out.write_all(b"<worksheet><sheetData>").expect("written");
            out.write_all(row(1, &["姓名", "身份证号", "支部"]).as_bytes())
                .expect("written");
            for number in 2..=60_000 {
                let text = row(number, &["张三", &common::id_number(number), "第一支部"]);
                out.write_all(text.as_bytes()).expect("written");
            }
            out.write_all(b"</sheetData></worksheet>").expect("written");
        })],
    );
    let mut book = open_default(&path);
    let columns = common::columns();
    let import = exchange::Importer::new(&columns, &common::CheckDigit).read(&mut book);
    let import = import.expect("headings");
    let accepted = import.filter(
        |row| matches!(row, Ok(row) if matches!(row.outcome, exchange::Outcome::Accepted { .. })),
    );
    assert_eq!(accepted.count(), 59_999);
    assert_memory_is_bounded();
}
