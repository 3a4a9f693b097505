//! Rosters as clerks send them, in every format.
#![allow(clippy::expect_used, reason = "a test fails by panicking")]

mod common;

use std::path::Path;

use common::{
    BRANCH, ID, IDS, JOINED, NAME, PHONE, SEX, accepted, columns, open_default, outcomes, problems,
    put, row, scratch, sheet, value, write, write_archive,
};
use encoding_rs::GB18030;
use exchange::{
    Cell, ExchangeError, Format, Importer, Limits, TextEncoding, Unsupported, from_text, open,
    open_with_encoding,
};
use rust_xlsxwriter::{ExcelDateTime, Format as Style, Workbook};

/// A cover, a hidden old sheet, and a roster with title, two levels of headings and a footer.
fn write_roster(path: &Path) {
    let mut book = Workbook::new();
    let cover = book.add_worksheet();
    cover.set_name("封面").expect("name");
    cover.write(0, 0, "某某社区").expect("cell");
    let hidden = book.add_worksheet();
    hidden.set_name("旧").expect("name").set_hidden(true);
    hidden.write_row(0, 0, ["姓名", "身份证号"]).expect("cells");
    let sheet = book.add_worksheet();
    sheet.set_name("名册").expect("name");
    let style = Style::new();
    for (first, last, text) in [
        ((0, 0), (0, 5), "某某社区党员花名册"),
        ((2, 0), (3, 0), "序号"),
        ((2, 1), (2, 3), "基本信息"),
        ((2, 4), (2, 5), "组织关系"),
        ((2, 6), (3, 6), "手机"),
    ] {
        sheet
            .merge_range(first.0, first.1, last.0, last.1, text, &style)
            .expect("merged");
    }
    let headings = ["姓 名", "性别", "身份证号（18位）", "支部", "入党\n时间"];
    let id = IDS[0].to_lowercase();
    sheet.write(1, 0, "填报单位：某某社区").expect("cell");
    sheet.write_row(3, 1, headings).expect("cells");
    sheet
        .write_row(4, 1, ["张 伟", "男", &id, "第一支部"])
        .expect("cells");
    sheet.write_row(6, 1, ["𬱖䶮", "", IDS[1]]).expect("cells");
    for (row, column, number) in [
        (4, 0, 1.0),
        (4, 6, 13_900_000_000.0),
        (6, 0, 2.0),
        (6, 2, 2.0),
        (7, 0, 3.0),
    ] {
        sheet.write_number(row, column, number).expect("cell");
    }
    let day = ExcelDateTime::from_ymd(1998, 7, 1).expect("date");
    let date = Style::new().set_num_format("yyyy-mm-dd");
    let month = Style::new().set_num_format("yyyy\"年\"m\"月\"");
    sheet.write_with_format(4, 5, &day, &date).expect("cell");
    sheet.write_with_format(6, 5, &day, &month).expect("cell");
    sheet.write_row(8, 0, ["合计", "2"]).expect("cells");
    sheet
        .write_row(9, 0, ["填表人：王五", "", "", "审核人：赵六"])
        .expect("cells");
    book.save(path).expect("saved");
}

#[test]
fn a_roster_with_title_two_levels_and_footer_is_read() {
    let (_folder, path) = scratch("名册.xlsx");
    write_roster(&path);
    let mut book = open_default(&path);
    assert_eq!(book.format(), Format::Xlsx);
    let columns = columns();
    let mut import = Importer::new(&columns, &common::CheckDigit)
        .read(&mut book)
        .expect("headings");
    assert_eq!(
        (import.layout().sheet, import.layout().sheet_name.as_str()),
        (2, "名册")
    );
    assert!(import.mapping().unknown.is_empty() && import.mapping().duplicates.is_empty());
    assert_eq!(import.preview().len(), 5);
    let rows: Vec<_> = import.by_ref().collect::<Result<_, _>>().expect("rows");
    assert_eq!(import.skipped().footer_row, Some(9));
    assert_eq!(import.skipped().blank, 1);
    assert_eq!(rows.len(), 2);
    assert_eq!(rows[0].row, 5);
    let expected = [
        (NAME, "张伟"),
        (ID, IDS[0]),
        (SEX, "1"),
        (BRANCH, "第一支部"),
        (JOINED, "1998-07-01"),
        (PHONE, "13900000000"),
    ];
    assert_eq!(
        accepted(&rows[0]),
        expected.map(|(key, text)| (key, text.to_owned()))
    );
    assert_eq!(value(&rows[1], NAME).as_deref(), Some("𬱖䶮"));
    assert_eq!(value(&rows[1], SEX).as_deref(), Some("2"));
    assert_eq!(value(&rows[1], JOINED).as_deref(), Some("1998-07"));
}

#[test]
fn damaged_numbers_and_failed_formulas_name_their_cell_and_reason() {
    let (_folder, path) = scratch("a.xlsx");
    let mut book = Workbook::new();
    let sheet = book.add_worksheet();
    for (column, heading) in [(0, "姓名"), (1, "身份证号"), (2, "性别"), (3, "入党时间")]
    {
        sheet.write(0, column, heading).expect("heading");
    }
    sheet
        .write(1, 0, "张三")
        .expect("cell")
        .write(1, 1, 350_102_199_001_010_012_f64)
        .expect("cell");
    sheet
        .write(2, 0, "李四")
        .expect("cell")
        .write(2, 1, IDS[1])
        .expect("cell");
    sheet.write(2, 2, "其他").expect("cell");
    let failed = rust_xlsxwriter::Formula::new("=DATE(-1,0,0)").set_result("#NUM!");
    sheet.write_formula(2, 3, failed).expect("cell");
    sheet.write(3, 1, IDS[2]).expect("cell");
    book.save(&path).expect("saved");

    let rows = outcomes(&mut open_default(&path));
    let damaged = "Excel 已把后几位变成 0，请将该列设为文本后重新填写";
    assert_eq!(problems(&rows[0]), [("B2".to_owned(), damaged.to_owned())]);
    let second = problems(&rows[1]);
    assert_eq!(
        second[0],
        (
            "C3".to_owned(),
            "“性别”：其他 不在代码表内，可用：男、女".to_owned()
        )
    );
    assert_eq!(second[1].0, "D3");
    assert!(second[1].1.contains("#NUM!"));
    assert_eq!(
        problems(&rows[2]),
        [("A4".to_owned(), "“姓名”必须填写".to_owned())]
    );
}

const TABLE: &str = "姓名\t公民身份号码\t支部\r\n𬱖䶮\t11010519491231002x\t第一支部\r\n\"李\n四\"\t'350102199001010016\t\"含\t制表\"\r\n";

#[test]
fn text_in_every_encoding_gives_the_same_rows() {
    let units: Vec<u16> = TABLE.encode_utf16().collect();
    let little: Vec<u8> = units.iter().flat_map(|unit| unit.to_le_bytes()).collect();
    let big: Vec<u8> = units.iter().flat_map(|unit| unit.to_be_bytes()).collect();
    let (gb, _, lost) = GB18030.encode(TABLE);
    assert!(!lost);
    let cases = [
        (TABLE.as_bytes().to_vec(), TextEncoding::Utf8),
        (
            [b"\xEF\xBB\xBF", TABLE.as_bytes()].concat(),
            TextEncoding::Utf8,
        ),
        (
            [b"\xFF\xFE", little.as_slice()].concat(),
            TextEncoding::Utf16Le,
        ),
        (little, TextEncoding::Utf16Le),
        (big, TextEncoding::Utf16Be),
        (gb.into_owned(), TextEncoding::Gb18030),
    ];
    for (bytes, encoding) in cases {
        // The extension lies on purpose.
        let (_folder, path) = scratch("a.xls");
        write(&path, &bytes);
        let mut book = open_default(&path);
        assert_eq!(
            (book.format(), book.encoding()),
            (Format::Text, Some(encoding))
        );
        let rows = outcomes(&mut book);
        assert_eq!(rows.iter().map(|row| row.row).collect::<Vec<_>>(), [2, 3]);
        assert_eq!(value(&rows[0], NAME).as_deref(), Some("𬱖䶮"));
        assert_eq!(value(&rows[0], ID).as_deref(), Some(IDS[0]));
        assert_eq!(value(&rows[1], NAME).as_deref(), Some("李四"));
        assert_eq!(value(&rows[1], ID).as_deref(), Some(IDS[1]));
        assert_eq!(value(&rows[1], BRANCH).as_deref(), Some("含\t制表"));
    }
}

#[test]
fn the_clerk_may_choose_another_encoding() {
    let (_folder, path) = scratch("a.csv");
    write(&path, TABLE.as_bytes());
    let limits = Limits::default();
    let wrong = open_with_encoding(&path, TextEncoding::Utf16Le, &limits);
    let columns = columns();
    let is_read = wrong.is_ok_and(|mut book| {
        Importer::new(&columns, &common::CheckDigit)
            .read(&mut book)
            .is_ok()
    });
    assert!(!is_read);
    let mut right = open_with_encoding(&path, TextEncoding::Utf8, &limits).expect("opens");
    assert_eq!(outcomes(&mut right).len(), 2);
}

#[test]
fn pasted_text_with_full_width_commas_is_a_table() {
    let pasted = format!(
        "姓名，身份证号，电话\n张三，{}，13900000000\n合计，1\n",
        IDS[2]
    );
    let mut book = from_text(&pasted, &Limits::default()).expect("opens");
    let rows = outcomes(&mut book);
    assert_eq!(rows.len(), 1);
    assert_eq!(value(&rows[0], PHONE).as_deref(), Some("13900000000"));
}

#[test]
fn a_missing_required_column_is_told_once_and_for_every_row() {
    let mut book = from_text("姓名,电话\n张三,13900000000\n", &Limits::default()).expect("opens");
    let columns = columns();
    let mut import = Importer::new(&columns, &common::CheckDigit)
        .read(&mut book)
        .expect("headings");
    assert_eq!(import.mapping().missing_required, ["公民身份号码"]);
    let row = import.next().expect("a row").expect("read");
    assert_eq!(problems(&row)[0].0, "2");
}

#[test]
fn two_columns_of_one_meaning_are_refused_by_name_while_both_have_content() {
    let headings = "党员花名册,,,,\n姓名,身份证号,手机,联系电话,入党时间";
    let text = format!(
        "{headings}\n张三,{},13900000000,,2020-07\n李四,{},,0591-87870000,2021-07\n",
        IDS[0], IDS[1]
    );
    let mut book = from_text(&text, &Limits::default()).expect("opens");
    let columns = columns();
    let refused = Importer::new(&columns, &common::CheckDigit)
        .read(&mut book)
        .err()
        .expect("is refused");
    assert!(
        matches!(&refused, ExchangeError::AmbiguousHeadings { clashes } if clashes.len() == 1),
        "{refused}"
    );
    assert_eq!(
        refused.text_zh(),
        "未导入任何行：C2“手机”与D2“联系电话”都可作“联系电话”列，请把其中一列改名或删去。改好后再重新导入。"
    );
    assert_eq!(
        refused.to_string(),
        "nothing is imported: C2 手机 and D2 联系电话 can be the column 联系电话: rename or delete one of them"
    );
}

#[test]
fn of_two_columns_of_one_meaning_the_one_with_content_is_read_and_the_other_named() {
    let columns = columns();
    for (cells, phone, empty) in [
        ("13900000000,", Some("13900000000"), "D1 联系电话"),
        (",13900000000", Some("13900000000"), "C1 手机"),
        (",", None, "C1 手机"),
    ] {
        let text = format!("姓名,身份证号,手机,联系电话\n张三,{},{cells}\n", IDS[0]);
        let mut book = from_text(&text, &Limits::default()).expect("opens");
        let mut import = Importer::new(&columns, &common::CheckDigit)
            .read(&mut book)
            .expect("headings");
        assert!(import.mapping().duplicates.is_empty());
        let named = import.mapping().empty.iter();
        let named: Vec<_> = named.map(|(at, text)| format!("{at} {text}")).collect();
        assert_eq!(named, [empty]);
        let row = import.next().expect("a row").expect("read");
        assert_eq!(value(&row, PHONE).as_deref(), phone, "{cells}");
    }
}

#[test]
fn further_visible_sheets_with_headings_are_named_and_not_read() {
    let (_folder, path) = scratch("a.xlsx");
    let mut book = Workbook::new();
    for (name, cells, is_hidden) in [
        ("封面", ["某某社区", ""], false),
        ("一组", ["姓名", "身份证号"], false),
        ("旧", ["姓名", "身份证号"], true),
        ("二组", ["身份证号", "姓名"], false),
        ("填表要求", ["请先填一组", ""], false),
    ] {
        let sheet = book.add_worksheet();
        sheet.set_name(name).expect("name").set_hidden(is_hidden);
        sheet.write_row(0, 0, cells).expect("headings");
        let person = if name == "二组" {
            [IDS[1], "李四"]
        } else {
            ["张三", IDS[0]]
        };
        sheet.write_row(1, 0, person).expect("cells");
    }
    book.save(&path).expect("saved");
    let mut book = open_default(&path);
    let columns = columns();
    let import = Importer::new(&columns, &common::CheckDigit)
        .read(&mut book)
        .expect("headings");
    assert_eq!(import.layout().sheet_name, "一组");
    assert_eq!(import.unread_sheets(), ["二组"]);
    assert_eq!(import.count(), 1);
}

#[test]
fn a_further_sheet_that_cannot_be_looked_at_is_named_and_does_not_hold_the_first_back() {
    let (_folder, path) = scratch("a.xlsx");
    let first = sheet(&format!(
        "{}{}",
        row(1, &["姓名", "身份证号"]),
        row(2, &["张三", IDS[0]])
    ));
    let second = sheet(r#"<row r="5"/><row r="4"/>"#);
    let book = r#"<workbook><sheets><sheet name="一组" r:id="r1"/><sheet name="二组" r:id="r2"/></sheets></workbook>"#;
    let link = |number: u8| {
        format!(
            r#"<Relationship Id="r{number}" Type="x/worksheet" Target="worksheets/sheet{number}.xml"/>"#
        )
    };
    let links = format!("<Relationships>{}{}</Relationships>", link(1), link(2));
    write_archive(
        &path,
        &[
            ("xl/workbook.xml", &|out| put(out, book)),
            ("xl/_rels/workbook.xml.rels", &|out| put(out, &links)),
            ("xl/worksheets/sheet1.xml", &|out| put(out, &first)),
            ("xl/worksheets/sheet2.xml", &|out| put(out, &second)),
        ],
    );
    let mut book = open_default(&path);
    let columns = columns();
    let import = Importer::new(&columns, &common::CheckDigit)
        .read(&mut book)
        .expect("headings");
    assert_eq!(import.unread_sheets(), ["二组"]);
    assert_eq!(import.count(), 1);
}

#[test]
fn a_formula_without_a_stored_result_is_to_fix() {
    let (_folder, path) = scratch("a.xlsx");
    let cases = [
        ("", "<f>B2</f>", true),
        ("", "<f>B2</f><v/>", true),
        ("", "<f>B2</f><v> </v>", true),
        (r#" t="b""#, "<f>B2</f>", true),
        (r#" t="s""#, "<f>B2</f>", true),
        (r#" t="str""#, "<f>B2</f>", true),
        (r#" t="str""#, "<f>B2</f><v/>", false),
        (r#" t="str""#, "<f>B2</f><v></v>", false),
        (r#" t="inlineStr""#, "<is><t/></is>", false),
        ("", "<v/>", false),
        ("", "", false),
    ];
    let mut rows = row(1, &["姓名", "身份证号", "支部"]);
    for (number, (kind, content, _)) in (2_u32..).zip(cases) {
        let cell = format!("<c{kind}>{content}</c></row>");
        rows += &row(number, &["张三", IDS[0]]).replace("</row>", &cell);
    }
    let rows = sheet(&rows);
    write_archive(
        &path,
        &[("xl/worksheets/sheet1.xml", &|out| put(out, &rows))],
    );
    let found = outcomes(&mut open_default(&path));
    assert_eq!(found.len(), cases.len());
    for (row, (kind, content, is_lost)) in found.iter().zip(cases) {
        if !is_lost {
            assert_eq!(value(row, BRANCH), None, "{kind} {content}");
            continue;
        }
        let problems = problems(row);
        assert_eq!(problems.len(), 1, "{kind} {content}");
        let (at, reason) = &problems[0];
        assert_eq!(at, &format!("C{}", row.row), "{kind} {content}");
        assert!(
            reason.starts_with("公式没有保存结果：请用 Excel 或 WPS 打开"),
            "{reason}"
        );
    }
}

#[test]
fn files_that_are_no_tables_say_what_they_are() {
    let cases: [(&[u8], Unsupported); 5] = [
        (b"", Unsupported::Empty),
        (b"\r\n \r\n", Unsupported::Empty),
        (
            b"<html><body><table><tr><td>x</td></tr></table></body></html>",
            Unsupported::WebPage,
        ),
        (b"%PDF-1.7 x", Unsupported::Unknown),
        (
            b"\x01\x02\x00\x00\x00\x00\x03\x00\x01",
            Unsupported::Unknown,
        ),
    ];
    for (bytes, expected) in cases {
        let (_folder, path) = scratch("a.xls");
        write(&path, bytes);
        let error = open(&path, &Limits::default()).expect_err("is refused");
        assert!(
            matches!(error, ExchangeError::Unsupported(found) if found == expected),
            "{error}"
        );
    }
    let mut book = from_text("甲,乙\n1,2\n", &Limits::default()).expect("opens");
    let error = Importer::new(&columns(), &common::CheckDigit)
        .read(&mut book)
        .err()
        .expect("none");
    assert!(matches!(error, ExchangeError::NoHeading { wanted } if wanted[0] == "姓名"));
}

/// The reader of this crate and a well-known library agree on what is in a workbook.
#[test]
fn another_reader_sees_the_same_cells() {
    use calamine::Reader;
    let (_folder, path) = scratch("a.xlsx");
    let mut book = Workbook::new();
    let sheet = book.add_worksheet();
    let texts = [
        "张三", " 前后 ", "a\nb", "&<>\"'", "=1+1", "_x0041_", "𬱖", "1",
    ];
    for (row, text) in (0_u32..).zip(texts) {
        sheet.write_string(row, 0, text).expect("cell");
        sheet
            .write_number(row, 1, f64::from(row) * 1.1)
            .expect("cell");
        sheet.write_boolean(row, 2, row % 2 == 0).expect("cell");
    }
    book.save(&path).expect("saved");
    let mut other: calamine::Xlsx<_> = calamine::open_workbook(&path).expect("opens");
    let range = other.worksheet_range("Sheet1").expect("sheet");
    let mut ours = open_default(&path);
    for (row, cells) in ours.rows(0).expect("rows").zip(range.rows()) {
        let row = row.expect("row");
        assert_eq!(row.cell(0), &Cell::text(cells[0].to_string()));
        assert!(
            matches!((row.cell(1), &cells[1]), (Cell::Number(a), calamine::Data::Float(b)) if a.to_bits() == b.to_bits())
        );
        assert_eq!(row.cell(2).display(), cells[2].to_string().to_uppercase());
    }
}
