//! Workbooks of Excel 2007 and later: the small parts are read at opening, sheets as streams.

use std::cell::Cell as Counter;
use std::fs::File;
use std::io::BufReader;

use super::SheetInfo;
use super::package::Package;
use super::style::NumberStyle;
use super::texts::Texts;
use super::xml::{Piece, Xml, attribute};
use crate::error::{ExchangeError, Unsupported};
use crate::limits::{FORMATS_MAX, Limits, SHEETS_MAX};

mod sheet;

pub(super) use sheet::XlsxRows;

/// An opened workbook.
#[derive(Debug)]
pub(super) struct XlsxFile {
    package: Package,
    sheets: Vec<Sheet>,
    texts: Texts,
    styles: Vec<NumberStyle>,
    epoch_1904: bool,
}

#[derive(Debug)]
struct Sheet {
    info: SheetInfo,
    part: String,
}

impl XlsxFile {
    /// Reads directory, sheet list, formats and shared texts.
    pub(super) fn open(
        file: BufReader<File>,
        limits: &Limits,
        total_bytes: &Counter<u64>,
    ) -> Result<Self, ExchangeError> {
        let mut package = Package::open(file, limits)?;
        if package.has("mimetype") && package.has("content.xml") {
            return Err(ExchangeError::Unsupported(Unsupported::OpenDocument));
        }
        if package.has("xl/workbook.bin") {
            return Err(ExchangeError::Unsupported(Unsupported::BinaryWorkbook));
        }
        let root = package.relationships("", limits, total_bytes)?;
        let workbook = root
            .into_values()
            .find(|relationship| relationship.kind == "officeDocument")
            .map_or_else(
                || "xl/workbook.xml".to_owned(),
                |relationship| relationship.target,
            );
        let relationships = package.relationships(&workbook, limits, total_bytes)?;
        let part_of = |kind: &str| {
            let found = relationships
                .values()
                .find(|relationship| relationship.kind == kind);
            found.map(|relationship| relationship.target.clone())
        };
        let Some(xml) = package.part(&workbook, limits, total_bytes)? else {
            return Err(ExchangeError::Unsupported(Unsupported::Unknown));
        };
        let (names, epoch_1904) = read_workbook(xml)?;
        let mut sheets = Vec::new();
        for (info, id) in names {
            let relationship = relationships
                .get(&id)
                .filter(|found| found.kind == "worksheet");
            if let Some(relationship) = relationship {
                sheets.push(Sheet {
                    info,
                    part: relationship.target.clone(),
                });
            }
        }
        let mut styles = Vec::new();
        if let Some(part) = part_of("styles")
            && let Some(xml) = package.part(&part, limits, total_bytes)?
        {
            styles = read_styles(xml)?;
        }
        let mut texts = Texts::default();
        if let Some(part) = part_of("sharedStrings")
            && let Some(xml) = package.part(&part, limits, total_bytes)?
        {
            texts = sheet::read_texts(xml)?;
        }
        Ok(Self {
            package,
            sheets,
            texts,
            styles,
            epoch_1904,
        })
    }

    pub(super) fn sheets(&self) -> Vec<SheetInfo> {
        self.sheets.iter().map(|sheet| sheet.info.clone()).collect()
    }

    pub(super) fn epoch_1904(&self) -> bool {
        self.epoch_1904
    }

    /// The rows of a sheet counted from 0.
    pub(super) fn rows<'a>(
        &'a mut self,
        sheet: usize,
        limits: &Limits,
        total_bytes: &'a Counter<u64>,
    ) -> Result<XlsxRows<'a>, ExchangeError> {
        let missing = || ExchangeError::Damaged("sheet is missing".to_owned());
        let part = &self.sheets.get(sheet).ok_or_else(missing)?.part;
        let xml = self
            .package
            .part(part, limits, total_bytes)?
            .ok_or_else(missing)?;
        Ok(XlsxRows::new(
            xml,
            &self.texts,
            &self.styles,
            self.epoch_1904,
        ))
    }
}

/// The sheets with the id of their relationship, and whether days count from 1904.
fn read_workbook(mut xml: Xml<'_>) -> Result<(Vec<(SheetInfo, String)>, bool), ExchangeError> {
    let mut sheets = Vec::new();
    let mut epoch_1904 = false;
    loop {
        match xml.next()? {
            Piece::Start(start) => match start.local_name().as_ref() {
                "sheet" => {
                    if sheets.len() >= SHEETS_MAX {
                        let count_max = SHEETS_MAX;
                        return Err(ExchangeError::TooMany {
                            what: "sheets",
                            count_max,
                        });
                    }
                    let name = attribute(&start, "name").unwrap_or_default();
                    let visible = attribute(&start, "state").is_none_or(|state| state == "visible");
                    let id = attribute(&start, "id").unwrap_or_default();
                    sheets.push((SheetInfo { name, visible }, id));
                }
                "workbookPr" => {
                    let value = attribute(&start, "date1904").unwrap_or_default();
                    epoch_1904 = matches!(value.as_str(), "1" | "true" | "on");
                }
                _ => {}
            },
            Piece::Eof => return Ok((sheets, epoch_1904)),
            Piece::End(_) | Piece::Text(_) => {}
        }
    }
}

/// The number style of each cell format.
fn read_styles(mut xml: Xml<'_>) -> Result<Vec<NumberStyle>, ExchangeError> {
    let too_many = || ExchangeError::TooMany {
        what: "formats",
        count_max: FORMATS_MAX,
    };
    let mut own = std::collections::BTreeMap::new();
    let mut styles = Vec::new();
    let mut in_cell_formats = false;
    loop {
        match xml.next()? {
            Piece::Start(start) => match start.local_name().as_ref() {
                "numFmt" => {
                    let number = attribute(&start, "numFmtId").and_then(|id| id.parse().ok());
                    let code = attribute(&start, "formatCode").unwrap_or_default();
                    let number: u32 = number.unwrap_or(0);
                    own.insert(number, NumberStyle::of_code(&code));
                    if own.len() > FORMATS_MAX {
                        return Err(too_many());
                    }
                }
                "cellXfs" => in_cell_formats = true,
                "xf" if in_cell_formats => {
                    let number = attribute(&start, "numFmtId").and_then(|id| id.parse().ok());
                    let number: u32 = number.unwrap_or(0);
                    let style = own.get(&number).copied();
                    styles.push(style.unwrap_or_else(|| NumberStyle::built_in(number)));
                    if styles.len() > FORMATS_MAX {
                        return Err(too_many());
                    }
                }
                _ => {}
            },
            Piece::End(name) if name == "cellXfs" => in_cell_formats = false,
            Piece::Eof => return Ok(styles),
            Piece::End(_) | Piece::Text(_) => {}
        }
    }
}
