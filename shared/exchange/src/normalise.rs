//! From a cell to the canonical text of its column, or the reason why not.

use crate::cell::{Cell, EXACT_NUMBER_END, NO_RESULT};
use crate::column::{CellKind, Checks, Column, Reason};
use crate::fold;

mod code;
mod date;
mod id_number;
mod name;
mod phone;

/// What clerks write into a cell that has nothing to say.
const NOTHING: [&str; 8] = ["无", "-", "--", "/", "\\", "暂无", "N/A", "空"];

/// The canonical text of [`CellKind::Boolean`] for yes.
pub const TRUE: &str = "true";
/// The canonical text of [`CellKind::Boolean`] for no.
pub const FALSE: &str = "false";

/// Normalises one cell.
///
/// `epoch_1904` is the workbook's, for numbers in a date column that are not shown as dates.
/// Answers `None` for a cell that is blank, or holds a sign for “nothing” in a column where that
/// sign is no value.
///
/// # Errors
/// The reason, ready to be shown, when the content cannot be what the column wants.
pub fn normalise(
    cell: &Cell,
    column: &Column<'_>,
    checks: &dyn Checks,
    epoch_1904: bool,
) -> Result<Option<String>, Reason> {
    let value = match cell {
        _ if cell.is_blank() => None,
        Cell::Error(text) | Cell::Text(text) if text == NO_RESULT => return Err(no_result()),
        Cell::Error(error) => return Err(formula_error(error)),
        _ if is_nothing(cell, &column.kind) => None,
        _ => Some(filled(cell, column, checks, epoch_1904)?),
    };
    let value = value.filter(|value| !value.is_empty());
    if value.is_none() && column.required {
        return Err(Reason::new(
            format!("“{}”必须填写", column.heading),
            "This cell must be filled",
        ));
    }
    Ok(value)
}

fn filled(
    cell: &Cell,
    column: &Column<'_>,
    checks: &dyn Checks,
    epoch_1904: bool,
) -> Result<String, Reason> {
    match &column.kind {
        CellKind::IdNumber => id_number::normalise(cell, checks),
        CellKind::Date { allow_month } => date::normalise(cell, *allow_month, epoch_1904),
        CellKind::Month => date::month(cell, epoch_1904),
        CellKind::Text => refuse_damaged(cell).map(|()| fold::tidy(&cell.display())),
        CellKind::Name => refuse_damaged(cell).map(|()| name::normalise(&cell.display())),
        CellKind::Phone => phone::normalise(cell),
        CellKind::Integer { min, max } => integer(cell, *min, *max),
        CellKind::Boolean => boolean(cell),
        CellKind::Code(codes) => code::normalise(cell, column.heading, codes),
    }
}

/// Signs for “nothing”, where the column could not mean them. A code list is asked first, because
/// 无 may be one of its labels.
fn is_nothing(cell: &Cell, kind: &CellKind<'_>) -> bool {
    let Cell::Text(text) = cell else { return false };
    let text = fold::squeeze(text).to_uppercase();
    match kind {
        CellKind::Text | CellKind::Name | CellKind::Boolean => false,
        CellKind::Code(codes) => {
            NOTHING.contains(&text.as_str()) && code::find(cell, codes).is_none()
        }
        CellKind::IdNumber
        | CellKind::Phone
        | CellKind::Date { .. }
        | CellKind::Month
        | CellKind::Integer { .. } => NOTHING.contains(&text.as_str()),
    }
}

/// A number beyond Excel's 15 digits has lost its end, in whatever column it stands.
fn refuse_damaged(cell: &Cell) -> Result<(), Reason> {
    match cell {
        Cell::Number(number) if number.abs() >= EXACT_NUMBER_END => Err(damaged()),
        _ => Ok(()),
    }
}

fn damaged() -> Reason {
    Reason::new(
        "Excel 已把后几位变成 0，请将该列设为文本后重新填写",
        "Excel replaced the last digits with 0. Set the column to Text and re-enter.",
    )
}

fn formula_error(error: &str) -> Reason {
    Reason::new(
        format!("单元格是公式错误 {error}，请改为直接填写内容"),
        format!("The formula failed with {error}. Enter the value itself."),
    )
}

fn no_result() -> Reason {
    Reason::new(
        format!("{NO_RESULT}：请用 Excel 或 WPS 打开原文件，保存后重新导入，或在此直接填写内容"),
        "A formula without a stored result: open the file in Excel or WPS and save it, or enter the value itself",
    )
}

fn integer(cell: &Cell, min: i64, max: i64) -> Result<String, Reason> {
    let text = match cell {
        Cell::Date(_) => String::new(),
        _ => fold::squeeze(&cell.display()).replace(',', ""),
    };
    // 12.0 is a whole number; 12.5 is not.
    let whole = match text.split_once('.') {
        Some((whole, zeros)) if zeros.bytes().all(|digit| digit == b'0') => whole,
        _ => &text,
    };
    let number = whole.parse::<i64>().map_err(|_| {
        Reason::new(
            format!("“{}”不是整数", shown(cell)),
            "This is not a whole number",
        )
    })?;
    if (min..=max).contains(&number) {
        return Ok(number.to_string());
    }
    Err(Reason::new(
        format!("{number} 不在允许范围 {min}~{max} 内"),
        format!("{number} is not between {min} and {max}"),
    ))
}

fn boolean(cell: &Cell) -> Result<String, Reason> {
    let text = fold::squeeze(&cell.display()).to_uppercase();
    match text.as_str() {
        "是" | "有" | "√" | "✓" | "✔" | "☑" | "Y" | "YES" | "T" | "TRUE" | "1" | "对" | "已" => {
            Ok(TRUE.to_owned())
        }
        "否" | "无" | "没有" | "×" | "✗" | "✘" | "☒" | "X" | "N" | "NO" | "F" | "FALSE" | "0"
        | "不" | "不是" | "未" | "-" | "/" => Ok(FALSE.to_owned()),
        _ => Err(Reason::new(
            format!("“{}”应填写“是”或“否”", shown(cell)),
            "Enter 是 (yes) or 否 (no)",
        )),
    }
}

/// A value as a reason quotes it: not longer than a line.
fn shown(cell: &Cell) -> String {
    const SHOWN_CHARS_MAX: usize = 40;
    let text = fold::tidy(&cell.display());
    if text.chars().count() <= SHOWN_CHARS_MAX {
        return text;
    }
    text.chars()
        .take(SHOWN_CHARS_MAX)
        .chain(std::iter::once('…'))
        .collect()
}

#[cfg(test)]
mod tests;
