//! Values from a list: by code, by label, by what clerks say instead.

use super::{refuse_damaged, shown};
use crate::cell::Cell;
use crate::column::{Code, Reason};
use crate::fold;

/// Labels a reason lists before it says how many more there are.
const LISTED_MAX: usize = 20;

pub(super) fn normalise(cell: &Cell, heading: &str, codes: &[Code<'_>]) -> Result<String, Reason> {
    refuse_damaged(cell)?;
    if let Some(code) = find(cell, codes) {
        return Ok(code.code.to_owned());
    }
    let mut list: Vec<&str> = codes
        .iter()
        .take(LISTED_MAX)
        .map(|code| code.label)
        .collect();
    let more = codes.len().saturating_sub(LISTED_MAX);
    let total = format!("等 {} 项", codes.len());
    if more > 0 {
        list.push(&total);
    }
    let (value, list) = (shown(cell), list.join("、"));
    Err(Reason::new(
        format!("“{heading}”：{value} 不在代码表内，可用：{list}"),
        format!("“{heading}”: {value} is not in the code list; allowed: {list}"),
    ))
}

/// The entry a cell names: its code first, then its label, then a synonym. A number cell has lost
/// leading zeros, so 1 is also 01 if only one code fits. What names two entries names none.
pub(super) fn find<'c, 'a>(cell: &Cell, codes: &'c [Code<'a>]) -> Option<&'c Code<'a>> {
    let value = fold::key(&cell.display());
    let only = |matches: &dyn Fn(&Code<'a>) -> bool| {
        let mut found = codes.iter().filter(|code| matches(code));
        let first = found.next();
        if found.next().is_none() { first } else { None }
    };
    only(&|code| fold::key(code.code) == value)
        .or_else(|| only(&|code| fold::key(code.label) == value))
        .or_else(|| {
            only(&|code| {
                code.synonyms
                    .iter()
                    .any(|synonym| fold::key(synonym) == value)
            })
        })
        .or_else(|| {
            let is_number = matches!(cell, Cell::Number(_));
            only(&|code| is_number && code.code.trim_start_matches('0') == value)
        })
}
