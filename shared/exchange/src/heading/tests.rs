//! Headings as clerks write them.

use super::*;
use crate::cell::Cell;
use crate::column::CellKind;

fn row(number: u32, cells: &[&str]) -> Row {
    Row {
        number,
        cells: cells.iter().map(|text| Cell::text(*text)).collect(),
    }
}

fn columns() -> Vec<Column<'static>> {
    let column = |key, heading, synonyms: &[&'static str], required| Column {
        key,
        heading,
        synonyms: synonyms.to_vec(),
        kind: CellKind::Text,
        required,
    };
    vec![
        column(1, "姓名", &["名字", "党员姓名"], true),
        column(2, "公民身份号码", &["身份证号", "身份证号码"], true),
        column(3, "入党日期", &["入党时间"], false),
        column(4, "转正日期", &["转正时间"], false),
        column(5, "联系电话", &["手机", "电话", "手机号码"], false),
    ]
}

fn keys(rows: &[Row]) -> Option<Vec<(usize, u16)>> {
    let (_, mapping) = find(rows, &columns())?;
    Some(
        mapping
            .mapped
            .iter()
            .map(|mapped| (mapped.column, mapped.key))
            .collect(),
    )
}

#[test]
fn headings_stand_under_titles_and_match_by_synonym_width_notes_and_blanks() {
    let rows = [
        row(1, &["某某社区党员花名册"]),
        row(2, &["填报单位:某某社区", "", "填报日期:2026年11月"]),
        row(
            4,
            &[
                "序号",
                "姓\n名*",
                "身份证号码(18位)",
                " 入党 时间(年月日)",
                "备注",
            ],
        ),
        row(5, &["1", "张三", "x", "", ""]),
    ];
    assert_eq!(keys(&rows), Some(vec![(1, 1), (2, 2), (3, 3)]));
    let (layout, mapping) = find(&rows, &columns()).expect("headings");
    assert_eq!((layout.heading_row, layout.heading_row_last), (4, 4));
    assert_eq!(mapping.unknown, vec![("E4".to_owned(), "备注".to_owned())]);
    assert!(mapping.missing_required.is_empty());
}

#[test]
fn parents_only_group_or_are_needed_to_understand_their_children() {
    let grouping = [
        row(1, &["名册"]),
        row(2, &["序号", "基本信息", "", "联系方式"]),
        row(3, &["", "姓名", "身份证号", "手机"]),
        row(4, &["1", "张三", "x", "y"]),
    ];
    assert_eq!(keys(&grouping), Some(vec![(1, 1), (2, 2), (3, 5)]));
    let joined = [
        row(2, &["序号", "姓名", "身份证号", "入党", "", "转正", ""]),
        row(3, &["", "", "", "日期", "支部", "日期", "支部"]),
        row(4, &["1", "张三", "x", "y", "", "", ""]),
    ];
    assert_eq!(keys(&joined), Some(vec![(1, 1), (2, 2), (3, 3), (5, 4)]));
    let (layout, mapping) = find(&joined, &columns()).expect("headings");
    assert_eq!((layout.heading_row, layout.heading_row_last), (2, 3));
    assert_eq!(
        mapping.unknown[0],
        ("E3".to_owned(), "入党/支部".to_owned())
    );
}

#[test]
fn a_heading_that_spans_both_rows_keeps_its_column() {
    let rows = [
        row(1, &["姓名", "身份证号", "联系方式", ""]),
        row(2, &["", "", "手机", "座机"]),
        row(3, &["张三", "x", "y", ""]),
    ];
    assert_eq!(keys(&rows), Some(vec![(0, 1), (1, 2), (2, 5)]));
    let (layout, _) = find(&rows, &columns()).expect("headings");
    assert_eq!(layout.heading_row_last, 2);
}

#[test]
fn duplicates_missing_and_error_columns_are_reported() {
    let rows = [
        row(1, &["姓名", "电话", "手机号码", "错误原因"]),
        row(2, &["张三", "1", "2", "x"]),
    ];
    let (layout, mapping) = find(&rows, &columns()).expect("headings");
    assert_eq!(layout.error_column, Some(3));
    assert_eq!(mapping.missing_required, vec!["公民身份号码".to_owned()]);
    assert_eq!(mapping.duplicates.len(), 1);
    assert_eq!(mapping.duplicates[0].address, "C1");
    assert_eq!(mapping.duplicates[0].column, 2);
    assert_eq!(mapping.duplicates[0].keys, vec![5]);
    assert!(mapping.unknown.is_empty());
}

#[test]
fn an_ambiguous_heading_is_settled_by_what_stands_under_it() {
    let rows = [row(1, &["姓名", "电话", "联系电话", "手机"])];
    let settled = |filled: &[usize]| {
        let (_, mut mapping) = find(&rows, &columns()).expect("headings");
        let filled = filled.iter().copied().collect();
        mapping.settle(&filled, &columns()).map(|()| mapping)
    };
    // Its own heading is the column, unless another alone has something under it.
    let cases: [(&[usize], usize, [&str; 2]); 4] = [
        (&[0], 2, ["B1", "D1"]),
        (&[0, 2], 2, ["B1", "D1"]),
        (&[0, 1], 1, ["C1", "D1"]),
        (&[0, 3], 3, ["B1", "C1"]),
    ];
    for (filled, column, empty) in cases {
        let mapping = settled(filled).expect("settled");
        assert!(mapping.duplicates.is_empty());
        let phone = mapping.mapped.iter().find(|mapped| mapped.key == 5);
        let phone = phone.expect("a telephone");
        assert_eq!(phone.column, column, "{filled:?}");
        assert_eq!(phone.address, address(column, 1), "{filled:?}");
        let mut found: Vec<_> = mapping.empty.iter().map(|(at, _)| at.as_str()).collect();
        found.sort_unstable();
        assert_eq!(found, empty, "{filled:?}");
    }
    for filled in [&[1, 2][..], &[1, 3], &[1, 2, 3]] {
        assert!(settled(filled).is_err(), "{filled:?}");
    }
}

#[test]
fn a_heading_that_could_be_several_columns_is_refused_unless_nothing_stands_under_it() {
    let column = |key, heading, synonyms: &[&'static str]| Column {
        key,
        heading,
        synonyms: synonyms.to_vec(),
        kind: CellKind::Text,
        required: false,
    };
    let columns = [
        column(1, "名称", &[]),
        column(2, "书记", &["负责人"]),
        column(3, "主任", &["负责人"]),
    ];
    let (_, mapping) = find(&[row(1, &["名称", "负责人"])], &columns).expect("headings");
    assert_eq!(mapping.duplicates[0].keys, [2, 3]);
    let mut without = mapping.clone();
    assert!(without.settle(&BTreeSet::from([0]), &columns).is_ok());
    assert_eq!(without.empty, [("B1".to_owned(), "负责人".to_owned())]);
    let mut with = mapping;
    let refused = with.settle(&BTreeSet::from([0, 1]), &columns);
    let text = refused.map_err(|error| error.text_zh());
    assert!(
        matches!(&text, Err(text) if text.contains("B1“负责人”可作“书记”或“主任”列")),
        "{text:?}"
    );
}

#[test]
fn a_columns_own_heading_beats_a_synonym_further_left() {
    let rows = [row(1, &["姓名", "电话", "联系电话"])];
    assert_eq!(keys(&rows), Some(vec![(0, 1), (2, 5)]));
}

#[test]
fn a_sheet_without_headings_has_none() {
    assert_eq!(
        keys(&[row(1, &["说明"]), row(2, &["请填写姓名和电话"])]),
        None
    );
    assert_eq!(keys(&[]), None);
    assert_eq!(
        keys(&[row(1, &["姓名"]), row(2, &["张三"])]),
        Some(vec![(0, 1)])
    );
}
