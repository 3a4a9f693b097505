//! Finding the heading row and what each column is.
//!
//! Above the headings stand titles (“××社区党员花名册”) and lines such as “填报单位:…”. The headings
//! take one row or two: in two, a parent spans its children, and a heading without children spans
//! both rows. Merged cells are not looked at: a merge leaves blanks, and the blanks say the same in
//! every format, text included.

use std::collections::{BTreeMap, BTreeSet};

use crate::cell::{Row, address};
use crate::column::Column;
use crate::error::ExchangeError;
use crate::fold;

/// Heading of the column that [`crate::write_errors_workbook`] adds.
pub const ERROR_HEADING: &str = "错误原因";

/// Headings that number the rows; they are neither read nor reported.
const SERIAL_HEADINGS: [&str; 8] = ["序号", "序", "编号", "行号", "NO", "NO.", "№", "项次"];

/// A column of the sheet that was recognised.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mapped {
    /// Column of the sheet, from 0.
    pub column: usize,
    /// Index into the columns the caller gave.
    pub index: usize,
    /// Key of that column.
    pub key: u16,
    /// Address of the heading like `F3`.
    pub address: String,
    /// The heading as the clerk wrote it; of two levels, both with a slash between.
    pub heading: String,
}

/// A heading that could be a column that another heading already is, or several columns.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Duplicate {
    /// Column of the sheet, from 0.
    pub column: usize,
    /// Address like `F3`.
    pub address: String,
    /// The heading as written.
    pub heading: String,
    /// Keys of the columns it could be.
    pub keys: Vec<u16>,
}

/// A heading with content under it that is one too many: reading the table would lose its column.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Clash {
    /// Address like `F3`.
    pub address: String,
    /// The heading as written.
    pub heading: String,
    /// Headings, as the caller named them, of the columns it could be.
    pub columns: Vec<String>,
    /// Address and heading of those that are these columns already.
    pub rivals: Vec<(String, String)>,
}

/// What was understood of the headings, to be shown before anything is imported.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Mapping {
    /// Recognised columns from left to right.
    pub mapped: Vec<Mapped>,
    /// Headings that are no column: address and heading.
    pub unknown: Vec<(String, String)>,
    /// Headings of required columns the sheet lacks. Every row would be to fix.
    pub missing_required: Vec<String>,
    /// Headings that are ambiguous. An [`crate::Import`] has none: [`crate::Importer::read`] settles
    /// or refuses them.
    pub duplicates: Vec<Duplicate>,
    /// Headings that were ambiguous and are passed over because nothing stands under them: address
    /// and heading.
    pub empty: Vec<(String, String)>,
}

/// Where in a sheet the table is.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Layout {
    /// Sheet, from 0.
    pub sheet: usize,
    /// Name of the sheet; empty for text.
    pub sheet_name: String,
    /// First row of the headings, from 1.
    pub heading_row: u32,
    /// Last row of the headings, from 1; the same for headings of one level.
    pub heading_row_last: u32,
    /// Columns the head uses, headings and titles.
    pub width: usize,
    /// The column 错误原因 of an errors workbook that came back, from 0.
    pub error_column: Option<usize>,
    /// Folded cells of every row down to the last heading row, to recognise repetitions.
    pub(crate) head: Vec<Vec<String>>,
}

/// One heading on trial.
#[derive(Debug, Clone)]
struct Heading {
    column: usize,
    row: u32,
    /// What spans it in the level above; empty if nothing does.
    parent: String,
    text: String,
    /// Whether it is the upper level's own, with nothing below.
    spans_both: bool,
}

/// The columns by every form of their headings.
#[derive(Debug)]
struct Names<'c> {
    columns: &'c [Column<'c>],
    /// Folded heading → index of the column, and whether it is its own heading and no synonym.
    by_key: BTreeMap<String, Vec<(usize, bool)>>,
}

/// Looks for the headings among the first rows of a sheet, in order.
///
/// `None` if no row has at least two recognised headings (one, if the table has only one column).
pub fn find(rows: &[Row], columns: &[Column<'_>]) -> Option<(Layout, Mapping)> {
    let names = Names::new(columns);
    let mut best: Option<(usize, bool, Vec<Heading>, u32, u32)> = None;
    for (position, row) in rows.iter().enumerate() {
        let single = one_level(row);
        let is_narrow = columns.len() == 1 || row.filled() == 1;
        let score_min = if is_narrow { 1 } else { 2 };
        let mut trials = vec![(names.score(&single), false, single, row.number, row.number)];
        if let Some(below) = rows
            .get(position + 1)
            .filter(|below| below.number == row.number + 1)
        {
            let double = two_levels(row, below);
            if names.is_two_level(&double) {
                trials.push((names.score(&double), true, double, row.number, below.number));
            }
        }
        for trial in trials {
            let better = best
                .as_ref()
                .is_none_or(|best| (trial.0, trial.1) > (best.0, best.1));
            if trial.0 >= score_min && better {
                best = Some(trial);
            }
        }
    }
    let (_, _, headings, first, last) = best?;
    let mapping = names.map(&headings);
    let above = rows.iter().filter(|row| row.number <= last);
    let head: Vec<Vec<String>> = above.map(folded).collect();
    let layout = Layout {
        sheet: 0,
        sheet_name: String::new(),
        heading_row: first,
        heading_row_last: last,
        width: head.iter().map(Vec::len).max().unwrap_or(0),
        error_column: headings
            .iter()
            .find(|h| is_error_heading(h))
            .map(|h| h.column),
        head,
    };
    Some((layout, mapping))
}

/// The folded cells of a row.
pub(crate) fn folded(row: &Row) -> Vec<String> {
    row.cells
        .iter()
        .map(|cell| fold::key(&cell.display()))
        .collect()
}

fn is_error_heading(heading: &Heading) -> bool {
    fold::key(&heading.text) == ERROR_HEADING
}

fn one_level(row: &Row) -> Vec<Heading> {
    let texts = row
        .cells
        .iter()
        .map(|cell| fold::tidy(&cell.display()))
        .enumerate();
    texts
        .filter(|(_, text)| !text.is_empty())
        .map(|(column, text)| Heading {
            column,
            row: row.number,
            parent: String::new(),
            text,
            spans_both: false,
        })
        .collect()
}

fn two_levels(upper: &Row, lower: &Row) -> Vec<Heading> {
    let width = upper.cells.len().max(lower.cells.len());
    let mut headings = Vec::new();
    let mut spanning = String::new();
    for column in 0..width {
        let parent = fold::tidy(&upper.cell(column).display());
        let child = fold::tidy(&lower.cell(column).display());
        let has_own_parent = !parent.is_empty();
        if has_own_parent {
            spanning.clone_from(&parent);
        }
        if !child.is_empty() {
            let parent = spanning.clone();
            headings.push(Heading {
                column,
                row: lower.number,
                parent,
                text: child,
                spans_both: false,
            });
        } else if has_own_parent {
            let parent = String::new();
            headings.push(Heading {
                column,
                row: upper.number,
                parent,
                text: spanning.clone(),
                spans_both: true,
            });
        }
    }
    headings
}

impl<'c> Names<'c> {
    fn new(columns: &'c [Column<'c>]) -> Self {
        let mut by_key: BTreeMap<String, Vec<(usize, bool)>> = BTreeMap::new();
        for (index, column) in columns.iter().enumerate() {
            let own = std::iter::once((column.heading, true));
            let names = own.chain(column.synonyms.iter().map(|synonym| (*synonym, false)));
            for (name, is_own) in names {
                let entry = by_key.entry(fold::key(name)).or_default();
                if !entry.iter().any(|(known, _)| *known == index) {
                    entry.push((index, is_own));
                }
            }
        }
        Self { columns, by_key }
    }

    /// The columns one text can be: with its notes in brackets, else without.
    fn of_text(&self, text: &str) -> &[(usize, bool)] {
        let key = fold::key(text);
        let found = self
            .by_key
            .get(&key)
            .or_else(|| self.by_key.get(&fold::without_notes(&key)));
        found.map_or(&[], Vec::as_slice)
    }

    /// The columns a heading can be; a column's own heading beats a synonym.
    fn of(&self, heading: &Heading) -> Vec<(usize, bool)> {
        let mut found = if heading.parent.is_empty() {
            &[]
        } else {
            self.of_text(&format!("{}{}", heading.parent, heading.text))
        };
        if found.is_empty() {
            found = self.of_text(&heading.text);
        }
        let own: Vec<_> = found
            .iter()
            .copied()
            .filter(|(_, is_own)| *is_own)
            .collect();
        if own.is_empty() { found.to_vec() } else { own }
    }

    /// How many columns these headings name.
    fn score(&self, headings: &[Heading]) -> usize {
        let mut found: Vec<usize> = headings
            .iter()
            .flat_map(|heading| self.of(heading))
            .map(|(index, _)| index)
            .collect();
        found.sort_unstable();
        found.dedup();
        found.len().min(headings.len())
    }

    /// Whether the two rows belong together: the lower one names a column, and the upper one either
    /// names one that has nothing below or is needed to understand the lower.
    fn is_two_level(&self, headings: &[Heading]) -> bool {
        let below = headings
            .iter()
            .any(|h| !h.spans_both && !self.of(h).is_empty());
        let above = headings.iter().any(|h| {
            let joined = || !self.of_text(&format!("{}{}", h.parent, h.text)).is_empty();
            (h.spans_both && !self.of(h).is_empty()) || (!h.parent.is_empty() && joined())
        });
        below && above
    }

    fn map(&self, headings: &[Heading]) -> Mapping {
        let mut mapping = Mapping::default();
        let mut taken: BTreeMap<usize, (&Heading, bool)> = BTreeMap::new();
        let mut open = Vec::new();
        for heading in headings {
            match self.of(heading).as_slice() {
                [] => Self::note_unknown(heading, &mut mapping),
                [(index, is_own)] => match taken.get(index) {
                    Some((_, was_own)) if *was_own || !is_own => open.push(heading),
                    _ => {
                        if let Some((loser, _)) = taken.insert(*index, (heading, *is_own)) {
                            open.push(loser);
                        }
                    }
                },
                _ => open.push(heading),
            }
        }
        for heading in open {
            let free: Vec<_> = self
                .of(heading)
                .into_iter()
                .filter(|(index, _)| !taken.contains_key(index))
                .collect();
            if let [(index, is_own)] = free.as_slice() {
                taken.insert(*index, (heading, *is_own));
            } else {
                mapping.duplicates.push(self.duplicate(heading));
            }
        }
        for (index, column) in self.columns.iter().enumerate() {
            match taken.get(&index) {
                Some((heading, _)) => mapping.mapped.push(Mapped {
                    column: heading.column,
                    index,
                    key: column.key,
                    address: address(heading.column, heading.row),
                    heading: heading.full(),
                }),
                None if column.required => mapping.missing_required.push(column.heading.to_owned()),
                None => {}
            }
        }
        mapping.mapped.sort_by_key(|mapped| mapped.column);
        mapping
    }

    fn note_unknown(heading: &Heading, mapping: &mut Mapping) {
        let key = fold::without_notes(&fold::key(&heading.text));
        let is_known = SERIAL_HEADINGS.contains(&key.as_str()) || is_error_heading(heading);
        if !is_known {
            mapping
                .unknown
                .push((address(heading.column, heading.row), heading.full()));
        }
    }

    fn duplicate(&self, heading: &Heading) -> Duplicate {
        let of = self.of(heading).into_iter();
        Duplicate {
            column: heading.column,
            address: address(heading.column, heading.row),
            heading: heading.full(),
            keys: of
                .filter_map(|(index, _)| self.columns.get(index))
                .map(|column| column.key)
                .collect(),
        }
    }
}

impl Mapping {
    /// Settles the headings that are ambiguous by what stands under them; `filled` are the columns
    /// of the sheet with anything below the headings. A heading with nothing under it is passed
    /// over, and one of two that alone has something is the column.
    pub(crate) fn settle(
        &mut self,
        filled: &BTreeSet<usize>,
        columns: &[Column<'_>],
    ) -> Result<(), ExchangeError> {
        let mut open = Vec::new();
        for duplicate in std::mem::take(&mut self.duplicates) {
            if !filled.contains(&duplicate.column) {
                self.empty.push((duplicate.address, duplicate.heading));
                continue;
            }
            let rival = match duplicate.keys.as_slice() {
                [key] => self.mapped.iter_mut().find(|mapped| mapped.key == *key),
                _ => None,
            };
            match rival {
                Some(rival) if !filled.contains(&rival.column) => {
                    rival.column = duplicate.column;
                    let address = std::mem::replace(&mut rival.address, duplicate.address);
                    let heading = std::mem::replace(&mut rival.heading, duplicate.heading);
                    self.empty.push((address, heading));
                }
                _ => open.push(duplicate),
            }
        }
        if !open.is_empty() {
            let clashes = open.into_iter();
            return Err(ExchangeError::AmbiguousHeadings {
                clashes: clashes.map(|open| self.clash(open, columns)).collect(),
            });
        }
        self.mapped.sort_by_key(|mapped| mapped.column);
        Ok(())
    }

    fn clash(&self, duplicate: Duplicate, columns: &[Column<'_>]) -> Clash {
        let is_meant = |key: &u16| duplicate.keys.contains(key);
        let columns = columns.iter().filter(|column| is_meant(&column.key));
        let rivals = self.mapped.iter().filter(|mapped| is_meant(&mapped.key));
        Clash {
            columns: columns.map(|column| column.heading.to_owned()).collect(),
            rivals: rivals
                .map(|rival| (rival.address.clone(), rival.heading.clone()))
                .collect(),
            address: duplicate.address,
            heading: duplicate.heading,
        }
    }
}

impl Heading {
    fn full(&self) -> String {
        if self.parent.is_empty() {
            self.text.clone()
        } else {
            format!("{}/{}", self.parent, self.text)
        }
    }
}

#[cfg(test)]
mod tests;
