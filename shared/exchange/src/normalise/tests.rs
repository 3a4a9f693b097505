//! Tables of what clerks write and what becomes of it.

use super::*;
use crate::cell::{CellDate, date_from_serial};
use crate::column::Code;

struct DigitsOnly;

/// Stands in for the domain: accepts a number unless its last character is `9`.
impl Checks for DigitsOnly {
    fn id_number(&self, text: &str) -> Result<String, Reason> {
        if text.ends_with('9') || text.get(10..12).is_none_or(|month| month > "12") {
            return Err(Reason::new("校验位不符", "check digit"));
        }
        Ok(text.to_owned())
    }
}

fn column(kind: CellKind<'static>, required: bool) -> Column<'static> {
    Column {
        key: 1,
        heading: "列",
        synonyms: vec![],
        kind,
        required,
    }
}

fn run(cell: &Cell, kind: CellKind<'static>) -> Result<Option<String>, Reason> {
    normalise(cell, &column(kind, false), &DigitsOnly, false)
}

fn text(text: &str, kind: &CellKind<'static>) -> Result<String, String> {
    match run(&Cell::text(text), kind.clone()) {
        Ok(value) => Ok(value.unwrap_or_default()),
        Err(reason) => Err(reason.zh),
    }
}

fn refused(cell: &Cell, kind: &CellKind<'static>, needle: &str) {
    let outcome = run(cell, kind.clone());
    assert!(
        matches!(&outcome, Err(reason) if reason.zh.contains(needle)),
        "{cell:?}: {outcome:?}"
    );
}

#[test]
fn names_keep_rare_characters_and_lose_what_nobody_sees() {
    for (written, name) in [
        ("张 伟", "张伟"),
        ("张\u{3000}伟", "张伟"),
        (" 张\u{200B}三\u{00A0}", "张三"),
        ("𬱖䶮", "𬱖䶮"),
        ("阿不都•买买提", "阿不都·买买提"),
        ("阿不都\u{FF0E}买买提", "阿不都·买买提"),
        ("阿不都.买买提", "阿不都·买买提"),
        ("阿不都・ 买买提", "阿不都·买买提"),
        ("Maria  da Silva", "Maria da Silva"),
        ("J. Smith", "J. Smith"),
    ] {
        assert_eq!(text(written, &CellKind::Name), Ok(name.to_owned()));
    }
}

#[test]
fn identity_numbers_are_cleaned() {
    for written in [
        "11010519491231002X",
        "11010519491231002x",
        "'110105 19491231 002X",
        "１１０１０５１９４９１２３１００２Ｘ",
        "\u{FEFF}110105-19491231-002x\n",
        "‘11010519491231002×",
    ] {
        assert_eq!(
            text(written, &CellKind::IdNumber),
            Ok("11010519491231002X".to_owned()),
            "{written}"
        );
    }
}

#[test]
fn identity_numbers_damaged_by_excel_are_refused_with_the_reason() {
    let damaged = "Excel 已把后几位变成 0";
    for number in [
        110_105_194_912_310_000.0,
        11_010_519_491_231_002.0,
        110_105_194_912_310_020.0,
    ] {
        refused(&Cell::Number(number), &CellKind::IdNumber, damaged);
        refused(&Cell::Number(number), &CellKind::Text, damaged);
        let shown = Cell::Number(number).display();
        refused(&Cell::text(shown), &CellKind::IdNumber, damaged);
    }
    for written in [
        "1.10105E+17",
        "1.10105194912310E+17",
        "1.1E17",
        "11010519491231000",
    ] {
        refused(&Cell::text(written), &CellKind::IdNumber, damaged);
    }
    assert!(
        text("110105194912310000", &CellKind::IdNumber).is_ok(),
        "valid numbers may end in 000"
    );
    refused(
        &Cell::text("110105194913310000"),
        &CellKind::IdNumber,
        damaged,
    );
}

#[test]
fn old_short_and_wrong_identity_numbers_are_explained() {
    refused(
        &Cell::text("110105491231002"),
        &CellKind::IdNumber,
        "11010519491231002X",
    );
    refused(
        &Cell::Number(110_105_491_231_002.0),
        &CellKind::IdNumber,
        "11010519491231002X",
    );
    refused(
        &Cell::text("110105499931002"),
        &CellKind::IdNumber,
        "日期无效",
    );
    refused(
        &Cell::text("1101051949123100"),
        &CellKind::IdNumber,
        "现有 16 位",
    );
    refused(
        &Cell::text("11010519491231002张"),
        &CellKind::IdNumber,
        "现有 18 位",
    );
    refused(
        &Cell::text("110105194912310029"),
        &CellKind::IdNumber,
        "校验位不符",
    );
    assert_eq!(text("无", &CellKind::IdNumber), Ok(String::new()));
}

#[test]
fn days_in_every_form_become_iso() {
    let kind = CellKind::Date { allow_month: false };
    for written in [
        "2026-11-23",
        "20261123",
        "2026.11.23",
        "2026/11/23",
        "2026年11月23日",
        "2026年11月23号",
        "２０２６－１１－２３",
        "2026。11。23",
        " 2026 年 11 月 23 日 ",
        "二〇二六年十一月二十三日",
        "二○二六年十一月廿三日",
        "二零二六年十一月二十三日",
        "2026-11-23 00:00:00",
        "2026、11、23",
        "2026-11-23T08:30:00",
        "贰零贰陆年拾壹月贰拾叁日",
    ] {
        assert_eq!(
            text(written, &kind),
            Ok("2026-11-23".to_owned()),
            "{written}"
        );
    }
    assert_eq!(text("2026-1-3", &kind), Ok("2026-01-03".to_owned()));
    assert_eq!(text("2024年2月29日", &kind), Ok("2024-02-29".to_owned()));
    assert_eq!(text("/", &kind), Ok(String::new()));
}

#[test]
fn days_that_cannot_be_are_refused_with_what_to_write() {
    let kind = CellKind::Date { allow_month: false };
    for (written, needle) in [
        ("26-11-23", "四位数"),
        ("261123", "四位数"),
        ("11/23/2026", "写在前面"),
        ("2026-02-30", "不是存在的日期"),
        ("2023-02-29", "不是存在的日期"),
        ("2026-13-01", "不是存在的日期"),
        ("20261301", "不是存在的日期"),
        ("1026-11-23", "不合理"),
        ("2026", "至少写到月"),
        ("2026年11月", "只写到月"),
        ("去年", "不是日期"),
        ("2026-11-23-01", "不是日期"),
        ("2026--", "至少写到月"),
        ("99999999999999999999", "不是日期"),
    ] {
        refused(&Cell::text(written), &kind, needle);
    }
    refused(&Cell::Error("#NUM!".to_owned()), &kind, "公式错误 #NUM!");
    refused(&Cell::Bool(true), &kind, "不是日期");
}

#[test]
fn months_are_enough_where_they_are() {
    let day_or_month = CellKind::Date { allow_month: true };
    for written in [
        "2026年11月",
        "2026.11",
        "2026-11",
        "202611",
        "二〇二六年十一月",
        "2026/11",
    ] {
        assert_eq!(
            text(written, &day_or_month),
            Ok("2026-11".to_owned()),
            "{written}"
        );
        assert_eq!(
            text(written, &CellKind::Month),
            Ok("2026-11".to_owned()),
            "{written}"
        );
    }
    assert_eq!(
        text("2026-11-23", &day_or_month),
        Ok("2026-11-23".to_owned())
    );
    assert_eq!(
        text("2026-11-23", &CellKind::Month),
        Ok("2026-11".to_owned())
    );
    refused(&Cell::text("2026-13"), &CellKind::Month, "不是存在的日期");
}

#[test]
fn numbers_in_date_columns_are_serials_runs_or_months() {
    let kind = CellKind::Date { allow_month: true };
    let of = |number: f64, epoch_1904: bool| {
        let outcome = normalise(
            &Cell::Number(number),
            &column(kind.clone(), false),
            &DigitsOnly,
            epoch_1904,
        );
        outcome.ok().flatten().unwrap_or_default()
    };
    assert_eq!(of(45_253.0, false), "2023-11-23");
    assert_eq!(of(45_253.5, false), "2023-11-23");
    assert_eq!(of(43_791.0, true), "2023-11-23");
    assert_eq!(of(20_261_123.0, false), "2026-11-23");
    assert_eq!(of(202_611.0, false), "2026-11");
    assert_eq!(of(2026.11, false), "2026-11");
    assert_eq!(of(60.0, false), "", "29 February 1900 never was");
    refused(&Cell::Number(2026.1), &kind, "无法区分 1 月和 10 月");
    refused(&Cell::Number(-5.0), &kind, "不是日期");
}

#[test]
fn a_year_alone_in_a_number_cell_is_no_day_of_1905() {
    let kinds = [
        CellKind::Date { allow_month: false },
        CellKind::Date { allow_month: true },
        CellKind::Month,
    ];
    for (kind, epoch_1904) in kinds
        .into_iter()
        .flat_map(|kind| [(kind.clone(), false), (kind, true)])
    {
        let column = column(kind, false);
        let of = |number: f64| {
            let cell = Cell::Number(number);
            normalise(&cell, &column, &DigitsOnly, epoch_1904).map_err(|reason| reason.zh)
        };
        for (number, needle) in [
            (1998.0, "“1998”只有年份"),
            (1900.0, "“1900”只有年份"),
            (2100.0, "“2100”只有年份"),
            (1899.0, "“1899”不是日期"),
            (2101.0, "“2101”不是日期"),
            (9999.0, "“9999”不是日期"),
            (38.0, "“38”不是日期"),
            (7.5, "“7.5”不是日期"),
            (0.0, "“0”不是日期"),
        ] {
            let found = of(number);
            assert!(
                matches!(&found, Err(reason) if reason.starts_with(needle)),
                "{number}: {found:?}"
            );
        }
        let first = if epoch_1904 { "1931-05" } else { "1927-05" };
        let found = of(10_000.0);
        assert!(
            matches!(&found, Ok(Some(day)) if day.starts_with(first)),
            "{found:?}"
        );
    }
    // A cell that is shown as a day is that day, however early.
    let day = date_from_serial(1998.0, false, true)
        .map(Cell::Date)
        .expect("a date");
    assert_eq!(
        run(&day, CellKind::Date { allow_month: false }),
        Ok(Some("1905-06-20".to_owned()))
    );
}

#[test]
fn date_cells_say_whether_they_show_the_day() {
    let day = date_from_serial(45_253.0, false, true)
        .map(Cell::Date)
        .expect("a date");
    let month = Cell::Date(CellDate {
        year: 2023,
        month: 11,
        day: 1,
        second: 0,
        has_day: false,
    });
    let only_day = CellKind::Date { allow_month: false };
    let either = CellKind::Date { allow_month: true };
    assert_eq!(
        run(&day, only_day.clone()),
        Ok(Some("2023-11-23".to_owned()))
    );
    assert_eq!(run(&month, either), Ok(Some("2023-11".to_owned())));
    assert_eq!(run(&day, CellKind::Month), Ok(Some("2023-11".to_owned())));
    refused(&month, &only_day, "只写到月");
}

#[test]
fn phones_are_cleaned_and_several_are_kept() {
    for (written, number) in [
        ("13900000000", "13900000000"),
        ("139 0000 0000", "13900000000"),
        ("139-0000-0000", "13900000000"),
        ("+86 13900000000", "13900000000"),
        ("8613900000000", "13900000000"),
        ("１３９０００００００0", "13900000000"),
        ("0591-87870000", "0591-87870000"),
        ("（0591）87870000", "0591-87870000"),
        ("059187870000", "0591-87870000"),
        ("010-12345678", ""),
        ("01087654321", "010-87654321"),
        ("0591-87870000转123", "0591-87870000-123"),
        ("0591-87870000-123", "0591-87870000-123"),
        ("13900000000/0591-87870000", "13900000000、0591-87870000"),
        ("13900000000，13900000001", "13900000000、13900000001"),
        ("13900000000 13900000001", "13900000000、13900000001"),
        ("400-800-0000", "4008000000"),
        ("12345", "12345"),
    ] {
        let outcome = text(written, &CellKind::Phone);
        if number.is_empty() {
            assert!(outcome.is_err(), "{written}");
        } else {
            assert_eq!(outcome, Ok(number.to_owned()), "{written}");
        }
    }
    assert_eq!(
        run(&Cell::Number(13_900_000_000.0), CellKind::Phone),
        Ok(Some("13900000000".to_owned()))
    );
}

#[test]
fn phones_that_lost_their_zero_or_area_are_explained() {
    refused(
        &Cell::Number(59_187_870_000.0),
        &CellKind::Phone,
        "0591-87870000",
    );
    refused(
        &Cell::Number(1_087_654_321.0),
        &CellKind::Phone,
        "010-87654321",
    );
    refused(&Cell::text("87870000"), &CellKind::Phone, "缺少区号");
    refused(
        &Cell::text("1390000000"),
        &CellKind::Phone,
        "不是 11 位手机号",
    );
    refused(&Cell::text("电话"), &CellKind::Phone, "不是 11 位手机号");
    refused(
        &Cell::Number(1.39e10 + 0.5),
        &CellKind::Phone,
        "不是 11 位手机号",
    );
}

#[test]
fn whole_numbers_stay_in_their_range() {
    let kind = CellKind::Integer { min: 0, max: 1_000 };
    for (written, number) in [
        ("12", "12"),
        ("１２", "12"),
        ("1,000", "1000"),
        ("12.0", "12"),
        ("007", "7"),
    ] {
        assert_eq!(text(written, &kind), Ok(number.to_owned()));
    }
    assert_eq!(
        run(&Cell::Number(12.0), kind.clone()),
        Ok(Some("12".to_owned()))
    );
    refused(&Cell::Number(12.5), &kind, "不是整数");
    refused(&Cell::text("十二"), &kind, "不是整数");
    refused(&Cell::text("-1"), &kind, "0~1000");
    refused(&Cell::text("1001"), &kind, "0~1000");
}

#[test]
fn yes_and_no_have_many_faces() {
    for written in ["是", "有", "√", "Y", "y", "Ｙ", "1", "true"] {
        assert_eq!(text(written, &CellKind::Boolean), Ok(TRUE.to_owned()));
    }
    for written in ["否", "无", "×", "N", "n", "0", "x", "/"] {
        assert_eq!(text(written, &CellKind::Boolean), Ok(FALSE.to_owned()));
    }
    assert_eq!(
        run(&Cell::Bool(true), CellKind::Boolean),
        Ok(Some(TRUE.to_owned()))
    );
    assert_eq!(
        run(&Cell::Number(0.0), CellKind::Boolean),
        Ok(Some(FALSE.to_owned()))
    );
    refused(&Cell::text("也许"), &CellKind::Boolean, "“是”或“否”");
}

fn codes() -> CellKind<'static> {
    let code = |code, label, synonyms: &[&'static str]| Code {
        code,
        label,
        synonyms: synonyms.to_vec(),
    };
    CellKind::Code(vec![
        code("01", "正式党员", &["正式"]),
        code("02", "预备党员", &["预备"]),
        code("13", "群众", &["无", "普通居民"]),
    ])
}

#[test]
fn codes_are_found_by_code_label_and_synonym() {
    for (written, code) in [
        ("01", "01"),
        ("０１", "01"),
        ("正式党员", "01"),
        (" 正 式 ", "01"),
        ("预备", "02"),
        ("无", "13"),
        ("/", ""),
    ] {
        assert_eq!(text(written, &codes()), Ok(code.to_owned()));
    }
    assert_eq!(run(&Cell::Number(1.0), codes()), Ok(Some("01".to_owned())));
    let reason = text("民主党派", &codes());
    assert_eq!(
        reason,
        Err("“列”：民主党派 不在代码表内，可用：正式党员、预备党员、群众".to_owned())
    );
}

#[test]
fn what_is_required_must_be_there() {
    for cell in [Cell::Empty, Cell::text(" \u{3000}")] {
        let outcome = normalise(&cell, &column(CellKind::Text, true), &DigitsOnly, false);
        assert!(matches!(outcome, Err(reason) if reason.zh.contains("必须填写")));
        assert_eq!(run(&cell, CellKind::Text), Ok(None));
    }
    let nothing = normalise(
        &Cell::text("/"),
        &column(CellKind::IdNumber, true),
        &DigitsOnly,
        false,
    );
    assert!(nothing.is_err());
}

proptest::proptest! {
    #[test]
    fn no_text_makes_any_kind_panic(content in "\\PC{0,40}|[0-9年月日十廿E+.:/\\-X ()转]{0,24}") {
        for kind in [
            CellKind::Text, CellKind::Name, CellKind::IdNumber, CellKind::Phone, CellKind::Month,
            CellKind::Date { allow_month: true }, CellKind::Integer { min: 0, max: 9 },
            CellKind::Boolean, codes(),
        ] {
            let _ = run(&Cell::text(content.as_str()), kind);
        }
    }

    #[test]
    fn no_number_makes_any_kind_panic(number in proptest::num::f64::ANY) {
        for kind in [
            CellKind::Text, CellKind::IdNumber, CellKind::Phone, CellKind::Month, codes(),
            CellKind::Date { allow_month: true }, CellKind::Integer { min: 0, max: 9 },
        ] {
            let _ = run(&Cell::Number(number), kind);
        }
    }
}
