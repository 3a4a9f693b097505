//! Which rows below the headings are data.
//!
//! Skipped are blank rows (also those with nothing but a number in front), headings and titles that
//! are repeated for printing, and the footer: totals, notes, signatures. A footer does not end the
//! sheet: a row below it that has everything required is data again, so a second table on the same
//! sheet is not lost.

use crate::cell::Row;
use crate::column::Column;
use crate::fold;
use crate::heading::{Layout, Mapping, folded};

/// Beginnings of a footer that are unmistakable with or without a colon.
const SIGNATURES: [&str; 22] = [
    "填表人",
    "制表人",
    "填报人",
    "审核人",
    "复核人",
    "经办人",
    "统计人",
    "录入人",
    "报送人",
    "审批人",
    "单位负责人",
    "负责人",
    "联系人",
    "填报单位",
    "填表单位",
    "填报日期",
    "填报时间",
    "填表日期",
    "制表日期",
    "填表说明",
    "单位盖章",
    "单位(盖章)",
];
/// Words that begin a footer if a colon follows or if they stand alone.
const NOTES: [&str; 8] = ["审核", "制表", "填表", "备注", "说明", "注", "签字", "盖章"];
/// Words that begin a row of totals if a colon or a number follows or if they stand alone.
const TOTALS: [&str; 6] = ["合计", "总计", "共计", "小计", "累计", "总人数"];
/// A signature row has at most this many filled cells, or half of the columns if that is more.
const FOOTER_CELLS_MAX: usize = 4;

/// How many rows were passed over, and why.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Skipped {
    /// Nothing in any recognised column.
    pub blank: u32,
    /// Headings or titles again.
    pub headings: u32,
    /// Totals, notes, signatures, and what stands below them without being data.
    pub footers: u32,
    /// Number of the first footer row, from 1.
    pub footer_row: Option<u32>,
}

/// Decides row by row; must see them in order.
#[derive(Debug)]
pub(crate) struct Filter {
    /// Columns of the sheet that are read.
    mapped: Vec<usize>,
    /// Those of them that are required.
    required: Vec<usize>,
    head: Vec<Vec<String>>,
    skipped: Skipped,
}

impl Filter {
    pub(crate) fn new(layout: &Layout, mapping: &Mapping, columns: &[Column<'_>]) -> Self {
        let is_required = |index: usize| columns.get(index).is_some_and(|column| column.required);
        Self {
            mapped: mapping.mapped.iter().map(|mapped| mapped.column).collect(),
            required: mapping
                .mapped
                .iter()
                .filter(|mapped| is_required(mapped.index))
                .map(|mapped| mapped.column)
                .collect(),
            head: layout.head.clone(),
            skipped: Skipped::default(),
        }
    }

    pub(crate) fn skipped(&self) -> Skipped {
        self.skipped
    }

    /// Whether the row is data; counts it otherwise.
    pub(crate) fn is_data(&mut self, row: &Row) -> bool {
        if self.is_repeated_head(row) {
            self.skipped.headings += 1;
            return false;
        }
        if self.is_footer(row) || (self.skipped.footer_row.is_some() && !self.is_complete(row)) {
            self.skipped.footers += 1;
            self.skipped.footer_row.get_or_insert(row.number);
            return false;
        }
        if self
            .mapped
            .iter()
            .all(|column| row.cell(*column).is_blank())
        {
            self.skipped.blank += 1;
            return false;
        }
        true
    }

    /// Every filled cell repeats the cell of one head row.
    fn is_repeated_head(&self, row: &Row) -> bool {
        let cells = folded(row);
        let is_same = |head: &Vec<String>| {
            let filled = cells
                .iter()
                .enumerate()
                .filter(|(_, text)| !text.is_empty());
            let mut same = filled.map(|(column, text)| head.get(column) == Some(text));
            same.all(|is_same| is_same)
        };
        cells.iter().any(|text| !text.is_empty()) && self.head.iter().any(is_same)
    }

    fn is_complete(&self, row: &Row) -> bool {
        row.filled() >= 2
            && !self.required.is_empty()
            && self
                .required
                .iter()
                .all(|column| !row.cell(*column).is_blank())
    }

    fn is_footer(&self, row: &Row) -> bool {
        let Some(first) = row.cells.iter().position(|cell| !cell.is_blank()) else {
            return false;
        };
        let text = fold::squeeze(&row.cell(first).display());
        let filled = row.filled();
        if begins_totals(&text) {
            return filled <= 2 || filled * 2 <= self.mapped.len() || !self.is_complete(row);
        }
        if !begins_footer(&text) {
            return false;
        }
        // 负责人 may also be a post in a column of the table; then what is required is there.
        let mut others = self
            .required
            .iter()
            .filter(|column| **column != first)
            .peekable();
        let is_data = self.mapped.contains(&first)
            && others.peek().is_some()
            && others.all(|column| {
                let text = fold::squeeze(&row.cell(*column).display());
                !text.is_empty() && !begins_footer(&text)
            });
        !is_data && filled <= FOOTER_CELLS_MAX.max(self.mapped.len() / 2)
    }
}

fn begins_footer(text: &str) -> bool {
    SIGNATURES.iter().any(|word| text.starts_with(word))
        || NOTES.iter().any(|word| {
            text.strip_prefix(word)
                .is_some_and(|rest| rest.is_empty() || rest.starts_with(':'))
        })
}

fn begins_totals(text: &str) -> bool {
    TOTALS.iter().any(|word| {
        text.strip_prefix(word).is_some_and(|rest| {
            rest.is_empty()
                || rest.starts_with(|c: char| c == ':' || c == '(' || c.is_ascii_digit())
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cell::Cell;
    use crate::column::CellKind;
    use crate::heading::find;

    fn row(number: u32, cells: &[&str]) -> Row {
        Row {
            number,
            cells: cells.iter().map(|text| Cell::text(*text)).collect(),
        }
    }

    fn filter() -> Filter {
        let column = |key, heading, required| Column {
            key,
            heading,
            synonyms: vec![],
            kind: CellKind::Text,
            required,
        };
        let columns = [
            column(1, "职务", false),
            column(2, "姓名", true),
            column(3, "电话", false),
        ];
        let rows = [
            row(1, &["某社区名册"]),
            row(2, &["序号", "职务", "姓名", "电话"]),
        ];
        let (layout, mapping) = find(&rows, &columns).expect("headings");
        Filter::new(&layout, &mapping, &columns)
    }

    #[test]
    fn people_are_data_whatever_they_are_called() {
        let mut filter = filter();
        for cells in [
            &["1", "", "何计", ""][..],
            &["", "负责人", "张三", ""],
            &["", "", "注一山", ""],
            &["", "", "审核生", "1"],
            &["", "", "说明远", ""],
        ] {
            assert!(filter.is_data(&row(3, cells)), "{cells:?}");
        }
        assert_eq!(filter.skipped(), Skipped::default());
    }

    #[test]
    fn blanks_repeated_heads_and_footers_are_skipped_and_counted() {
        let mut filter = filter();
        assert!(!filter.is_data(&row(4, &["7"])));
        assert!(!filter.is_data(&row(5, &["某社区名册"])));
        assert!(!filter.is_data(&row(6, &["序号", "职务", "姓 名", "电话"])));
        for cells in [
            &["合计", "", "3", ""][..],
            &["合 计:3人"],
            &["填表人:王五", "", "审核人:赵六", "填报日期:2026年11月"],
            &["", "", "填表人", "王五"],
            &["制表人", "", "王五"],
            &["备注:以上属实"],
            &["说明"],
            &["二〇二六年十一月二十三日"],
        ] {
            assert!(!filter.is_data(&row(9, cells)), "{cells:?}");
        }
        let expected = Skipped {
            blank: 1,
            headings: 2,
            footers: 8,
            footer_row: Some(9),
        };
        assert_eq!(filter.skipped(), expected);
        assert!(
            filter.is_data(&row(20, &["1", "", "钱七", "1"])),
            "a second table is data"
        );
    }
}
