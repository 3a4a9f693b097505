//! A table with what stands above and below it, written as a workbook or as text.

use std::io::Write as _;
use std::path::Path;

use jiff::civil::Date;
use rust_xlsxwriter::{ExcelDateTime, Format, FormatAlign, Workbook, Worksheet};

use super::dirt::exponent;

/// One cell.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// Nothing.
    Blank,
    /// A text, in Excel with the text format.
    Text(String),
    /// A number.
    Number(f64),
    /// A date, in Excel as a real one.
    Date(Date),
}

/// A column with its heading.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Heading {
    /// What spans it in tables with two levels; empty for a heading that spans both.
    pub above: &'static str,
    /// The heading.
    pub text: &'static str,
}

/// A table as a clerk keeps it.
#[derive(Debug, Clone, PartialEq)]
pub struct Table {
    /// Lines above the headings.
    pub titles: Vec<String>,
    /// The headings.
    pub headings: Vec<Heading>,
    /// Whether headings have two levels.
    pub two_level_headings: bool,
    /// The rows.
    pub rows: Vec<Vec<Value>>,
    /// Lines below the last row.
    pub footer: Vec<String>,
}

/// How a text table is written as bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CsvEncoding {
    /// UTF-8 with a byte order mark.
    Utf8Bom,
    /// GB18030, what Chinese Excel saves.
    Gb18030,
}

impl Value {
    /// A text; blank if it is empty.
    pub fn of(text: &str) -> Self {
        if text.is_empty() {
            Self::Blank
        } else {
            Self::Text(text.to_owned())
        }
    }

    /// What a text table shows.
    pub fn text(&self) -> String {
        match self {
            Self::Blank => String::new(),
            Self::Text(text) => text.clone(),
            Self::Number(number) if *number >= 1e11 => exponent(&format!("{number:.0}")),
            Self::Number(number) => number.to_string(),
            Self::Date(date) => date.to_string(),
        }
    }
}

impl Table {
    /// Writes the table as a workbook with one sheet.
    ///
    /// # Errors
    /// Where the table is too large for Excel or the file cannot be written.
    pub fn write_xlsx(&self, path: &Path) -> anyhow::Result<()> {
        let mut book = Workbook::new();
        let sheet = book.add_worksheet();
        sheet.set_name("花名册")?;
        let mut row = 0;
        for title in &self.titles {
            self.line(
                sheet,
                row,
                title,
                &Format::new().set_bold().set_align(FormatAlign::Center),
            )?;
            row += 1;
        }
        row = self.write_headings(sheet, row)?;
        sheet.set_freeze_panes(row, 0)?;
        let text = Format::new().set_num_format("@");
        let day = Format::new().set_num_format("yyyy-mm-dd");
        for cells in &self.rows {
            for (cell, column) in cells.iter().zip(0u16..) {
                match cell {
                    Value::Blank => continue,
                    Value::Text(value) => sheet.write_with_format(row, column, value, &text)?,
                    Value::Number(value) => sheet.write(row, column, *value)?,
                    Value::Date(value) => {
                        sheet.write_with_format(row, column, excel_date(*value)?, &day)?
                    }
                };
            }
            row += 1;
        }
        for footer in &self.footer {
            self.line(sheet, row, footer, &Format::new())?;
            row += 1;
        }
        book.save(path)?;
        Ok(())
    }

    /// Writes the table as text with commas and CRLF, each title and footer in the first cell of
    /// its row.
    ///
    /// # Errors
    /// Where the file cannot be written.
    pub fn write_csv(&self, path: &Path, encoding: CsvEncoding) -> anyhow::Result<()> {
        let mut writer = csv::WriterBuilder::new()
            .flexible(true)
            .terminator(csv::Terminator::CRLF)
            .from_writer(Vec::new());
        for title in &self.titles {
            writer.write_record([title])?;
        }
        if self.two_level_headings {
            let spanned = self.spans().into_iter().flat_map(|(text, from, to)| {
                std::iter::once(text).chain(std::iter::repeat_n("", to - from))
            });
            writer.write_record(spanned)?;
            writer.write_record(self.headings.iter().map(|heading| match heading.above {
                "" => "",
                _ => heading.text,
            }))?;
        } else {
            writer.write_record(self.headings.iter().map(|heading| heading.text))?;
        }
        for row in &self.rows {
            writer.write_record(row.iter().map(Value::text))?;
        }
        for footer in &self.footer {
            writer.write_record([footer])?;
        }
        let text = String::from_utf8(writer.into_inner()?)?;
        let mut file = std::fs::File::create(path)?;
        match encoding {
            CsvEncoding::Utf8Bom => {
                file.write_all("\u{feff}".as_bytes())?;
                file.write_all(text.as_bytes())?;
            }
            CsvEncoding::Gb18030 => file.write_all(&encoding_rs::GB18030.encode(&text).0)?,
        }
        Ok(())
    }

    /// A line across the whole table.
    fn line(
        &self,
        sheet: &mut Worksheet,
        row: u32,
        text: &str,
        format: &Format,
    ) -> anyhow::Result<()> {
        let last = u16::try_from(self.headings.len().saturating_sub(1))?;
        if last == 0 {
            sheet.write_with_format(row, 0, text, format)?;
        } else {
            sheet.merge_range(row, 0, row, last, text, format)?;
        }
        Ok(())
    }

    /// Writes the headings from a row on and gives the row behind them.
    fn write_headings(&self, sheet: &mut Worksheet, row: u32) -> anyhow::Result<u32> {
        let format = Format::new().set_bold().set_align(FormatAlign::Center);
        for (heading, column) in self.headings.iter().zip(0u16..) {
            let width = if heading.text.chars().count() > 5 {
                22
            } else {
                12
            };
            sheet.set_column_width(column, width)?;
            if !self.two_level_headings {
                sheet.write_with_format(row, column, heading.text, &format)?;
            } else if !heading.above.is_empty() {
                sheet.write_with_format(row + 1, column, heading.text, &format)?;
            }
        }
        if !self.two_level_headings {
            return Ok(row + 1);
        }
        for (text, from, to) in self.spans() {
            let (first, last) = (u16::try_from(from)?, u16::try_from(to)?);
            let spans_both = self.headings[from].above.is_empty();
            let bottom = if spans_both { row + 1 } else { row };
            if (row, first) == (bottom, last) {
                sheet.write_with_format(row, first, text, &format)?;
            } else {
                sheet.merge_range(row, first, bottom, last, text, &format)?;
            }
        }
        Ok(row + 2)
    }

    /// The upper level of headings: text, first and last column.
    fn spans(&self) -> Vec<(&'static str, usize, usize)> {
        let mut spans: Vec<(&'static str, usize, usize)> = Vec::new();
        for (column, heading) in self.headings.iter().enumerate() {
            match (heading.above, spans.last_mut()) {
                ("", _) => spans.push((heading.text, column, column)),
                (above, Some((text, _, last))) if *text == above => *last = column,
                (above, _) => spans.push((above, column, column)),
            }
        }
        spans
    }
}

fn excel_date(date: Date) -> anyhow::Result<ExcelDateTime> {
    let year = u16::try_from(date.year())?;
    Ok(ExcelDateTime::from_ymd(
        year,
        u8::try_from(date.month())?,
        u8::try_from(date.day())?,
    )?)
}
