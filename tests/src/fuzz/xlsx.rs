//! Workbooks.
//!
//! The first byte of an input says what the rest is: the whole file, or one of its parts, around which a
//! sound workbook is built here (an archive holds sums over its parts, so that a change of the file alone
//! seldom comes so far), or what a part is made of, many times over.

use std::io::{Cursor, Write as _};

use anyhow::Context as _;
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipWriter};

use super::note;
use super::table::{check_file, place};
use crate::generate::{RosterSpec, roster};

/// The parts of a small workbook: name and content.
const PARTS: [(&str, &str); 7] = [
    (
        "xl/worksheets/sheet1.xml",
        r#"<worksheet><sheetData><row r="1"><c r="A1" t="s"><v>0</v></c><c r="B1" t="inlineStr"><is><t>公民身份号码</t></is></c><c r="C1" t="inlineStr"><is><t>入党日期</t></is></c><c r="D1" t="inlineStr"><is><t>党员状态</t></is></c></row><row r="2"><c r="A2" t="s"><v>1</v></c><c r="B2" t="inlineStr"><is><t>11010519491231002X</t></is></c><c r="C2" s="1"><v>43647</v></c><c r="D2" t="inlineStr"><is><t>正式党员</t></is></c></row></sheetData></worksheet>"#,
    ),
    (
        "xl/sharedStrings.xml",
        r#"<sst count="2" uniqueCount="2"><si><t>姓名</t></si><si><r><t>王</t></r><r><t>伟</t></r></si></sst>"#,
    ),
    (
        "xl/styles.xml",
        r#"<styleSheet><numFmts><numFmt numFmtId="164" formatCode="yyyy&quot;年&quot;m&quot;月&quot;"/></numFmts><cellXfs><xf numFmtId="0"/><xf numFmtId="14"/><xf numFmtId="164"/></cellXfs></styleSheet>"#,
    ),
    (
        "xl/workbook.xml",
        r#"<workbook><workbookPr date1904="0"/><sheets><sheet name="花名册" sheetId="1" r:id="r1"/></sheets></workbook>"#,
    ),
    (
        "xl/_rels/workbook.xml.rels",
        r#"<Relationships><Relationship Id="r1" Type="x/worksheet" Target="worksheets/sheet1.xml"/><Relationship Id="r2" Type="x/sharedStrings" Target="sharedStrings.xml"/><Relationship Id="r3" Type="x/styles" Target="styles.xml"/></Relationships>"#,
    ),
    (
        "_rels/.rels",
        r#"<Relationships><Relationship Id="r1" Type="x/officeDocument" Target="xl/workbook.xml"/></Relationships>"#,
    ),
    (
        "[Content_Types].xml",
        "<Types xmlns=\"http://schemas.openxmlformats.org/package/2006/content-types\"/>",
    ),
];
/// The mode that makes a bomb of the rest.
const BOMB: u8 = 7;
/// What a bomb unpacks to: over what a part may without looking at its ratio.
const BOMB_BYTES: usize = 20 * 1024 * 1024;
/// A bomb takes long; one input in so many is one.
const BOMBS_EVERY: u8 = 64;

pub(super) fn check(input: &[u8]) -> anyhow::Result<()> {
    let Some((mode, rest)) = input.split_first() else {
        return Ok(());
    };
    match mode % 9 {
        8 => check_file(rest),
        BOMB if rest.is_empty() => Ok(()),
        BOMB => bomb(rest),
        part => check_file(&workbook(
            usize::from(part),
            rest,
            CompressionMethod::Stored,
        )?),
    }
}

/// A workbook of the small parts, one of which is this.
fn workbook(part: usize, content: &[u8], method: CompressionMethod) -> anyhow::Result<Vec<u8>> {
    let mut archive = ZipWriter::new(Cursor::new(Vec::new()));
    let options = SimpleFileOptions::default().compression_method(method);
    for (number, (name, text)) in PARTS.into_iter().enumerate() {
        archive.start_file(name, options)?;
        let content = if number == part {
            content
        } else {
            text.as_bytes()
        };
        archive.write_all(content)?;
    }
    Ok(archive.finish()?.into_inner())
}

/// The rest again and again, between the beginning of a sheet and nothing.
fn bomb(rest: &[u8]) -> anyhow::Result<()> {
    if !blake3::hash(rest).as_bytes()[0].is_multiple_of(BOMBS_EVERY) {
        return Ok(());
    }
    let times = BOMB_BYTES.div_ceil(rest.len());
    let content = [&b"<worksheet><sheetData>"[..], &rest.repeat(times)].concat();
    check_file(&workbook(0, &content, CompressionMethod::Deflated)?)?;
    note::met("M14 large sheets of few bytes read or refused");
    Ok(())
}

pub(super) fn seeds() -> anyhow::Result<Vec<Vec<u8>>> {
    let mut seeds = Vec::new();
    for (number, (_, text)) in (0..).zip(PARTS) {
        seeds.push([&[number][..], text.as_bytes()].concat());
    }
    let sheet = PARTS[0].1;
    let hard = [
        sheet.replace("<worksheet>", "<!DOCTYPE x [<!ENTITY a \"b\">]><worksheet>"),
        sheet.replace("正式党员", "&a;"),
        sheet.replace("r=\"2\"", "r=\"1048577\""),
        sheet.replace("A2", "XFD2"),
        sheet.replace("43647", "1e308"),
        sheet.replace("<v>1</v>", "<v>18446744073709551615</v>"),
        sheet.replace("正式党员", "=cmd|' /C calc'!A0"),
        sheet.replace("正式党员", "_x000D_𠀀"),
    ];
    seeds.extend(hard.map(|text| [&[0][..], text.as_bytes()].concat()));
    seeds.push([&[0][..], &b"<a>".repeat(100)].concat());
    for rest in [&b"<row><c/></row>"[..], b" "] {
        let chosen = (0..u8::MAX).map(|n| [rest, &b" ".repeat(usize::from(n))].concat());
        let mut chosen = chosen.filter(|rest| {
            let hash = blake3::hash(rest);
            hash.as_bytes()[0].is_multiple_of(BOMBS_EVERY)
        });
        seeds.push([&[BOMB][..], &chosen.next().context("one in many")?].concat());
    }
    let whole = workbook(0, sheet.as_bytes(), CompressionMethod::Deflated)?;
    let mut lies = whole.clone();
    // Sizes in the directory that are not those of the parts.
    let directory = whole.windows(4).rposition(|four| four == b"PK\x01\x02");
    if let Some(size) = directory.and_then(|at| lies.get_mut(at + 24..at + 28)) {
        size.copy_from_slice(&u32::MAX.to_le_bytes());
    }
    seeds.push([&[8][..], &lies].concat());
    seeds.push([&[8][..], &whole].concat());
    let path = place("seed.xlsx")?;
    let spec = RosterSpec {
        seed: 5,
        rows: 4,
        dirt: 0.5,
        ..RosterSpec::default()
    };
    roster(&spec).table.write_xlsx(&path)?;
    seeds.push([&[8][..], &std::fs::read(&path)?].concat());
    seeds.push(
        [
            &[8][..],
            b"\xD0\xCF\x11\xE0\xA1\xB1\x1A\xE1".repeat(64).as_slice(),
        ]
        .concat(),
    );
    Ok(seeds)
}
