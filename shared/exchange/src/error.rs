//! What stops a whole file. A wrong cell never does: it is an answer, see [`crate::report`].
//!
//! `Display` is short English for operators; [`ExchangeError::text_zh`] is what a clerk reads: what
//! happened, where, and what to do.

use crate::heading::Clash;

/// A file that is recognised, but not a table this crate reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unsupported {
    /// A web page (many systems save one as .xls).
    WebPage,
    /// An OpenDocument spreadsheet (.ods).
    OpenDocument,
    /// Excel's binary workbook (.xlsb).
    BinaryWorkbook,
    /// A workbook older than Excel 97.
    OldExcel,
    /// A workbook that asks for a password.
    Protected,
    /// A file without any content.
    Empty,
    /// Anything else: a picture, a PDF, a Word document.
    Unknown,
}

/// Why a file could not be read or written. None of these goes away by trying again with the same
/// file, except [`ExchangeError::Io`].
#[derive(Debug, thiserror::Error)]
pub enum ExchangeError {
    /// The operating system refused to read or write.
    #[error("cannot read or write: {0}")]
    Io(#[from] std::io::Error),
    /// The file is larger than [`crate::Limits::file_bytes_max`].
    #[error("file has {bytes} bytes, at most {bytes_max}")]
    FileTooLarge {
        /// Size found.
        bytes: u64,
        /// Size allowed.
        bytes_max: u64,
    },
    /// Not a table this crate reads.
    #[error("not a readable table: {0:?}")]
    Unsupported(Unsupported),
    /// The inside of the file contradicts its format.
    #[error("file is damaged: {0}")]
    Damaged(String),
    /// A part unpacks to more than it may, absolutely or as a multiple of its packed size.
    #[error("part {part} unpacks to too much")]
    Inflated {
        /// Name of the part inside the archive.
        part: String,
    },
    /// More parts, sheets, formats or shared texts than any real workbook has.
    #[error("workbook has too many {what}, at most {count_max}")]
    TooMany {
        /// What there is too much of.
        what: &'static str,
        /// How many are allowed.
        count_max: usize,
    },
    /// A part declares a document type or an entity of its own.
    #[error("part {part} declares a document type or entity")]
    DocumentType {
        /// Name of the part inside the archive.
        part: String,
    },
    /// More rows with content than one import takes.
    #[error("more than {rows_max} rows")]
    TooManyRows {
        /// How many are allowed.
        rows_max: u32,
    },
    /// Content to the right of the last column that is read.
    #[error("content beyond column {columns_max} at {address}")]
    TooManyColumns {
        /// Where, like `IW7`.
        address: String,
        /// How many columns are read.
        columns_max: usize,
    },
    /// One cell holds more than Excel allows.
    #[error("cell {address} is longer than {chars_max} characters")]
    CellTooLong {
        /// Where, like `C7`.
        address: String,
        /// How many characters are allowed.
        chars_max: usize,
    },
    /// The text is in none of the encodings that are read.
    #[error("text is not valid {encoding}")]
    Encoding {
        /// The encoding that was tried last, or asked for.
        encoding: &'static str,
    },
    /// No sheet has a row that looks like the headings.
    #[error("no heading row found")]
    NoHeading {
        /// Headings that were looked for.
        wanted: Vec<String>,
    },
    /// Columns with content whose headings mean the same, or could mean several: one of them would
    /// be lost.
    #[error("nothing is imported: {}", clashes_en(clashes))]
    AmbiguousHeadings {
        /// Every heading that is one too many.
        clashes: Vec<Clash>,
    },
    /// The table could not be written as a workbook.
    #[error("cannot write the workbook: {0}")]
    Export(String),
}

impl ExchangeError {
    /// What happened, where and what to do, in Chinese, for the person at the desk.
    pub fn text_zh(&self) -> String {
        const MIB: u64 = 1024 * 1024;
        match self {
            Self::Io(cause) => {
                format!(
                    "无法读写文件（{cause}）。请确认文件没有被其他程序占用、磁盘未满，再试一次。"
                )
            }
            Self::FileTooLarge { bytes, bytes_max } => format!(
                "文件有 {} MB，超过上限 {} MB。请删去图片或把名册拆成几个文件，再分别导入。",
                bytes.div_ceil(MIB),
                bytes_max / MIB
            ),
            Self::Unsupported(what) => unsupported_zh(*what).to_owned(),
            Self::Damaged(what) => {
                format!("文件已损坏（{what}）。请用 Excel 或 WPS 打开后另存为 .xlsx，再重新导入。")
            }
            Self::Inflated { part } => format!(
                "文件中的“{part}”解压后过大，可能是异常文件。请把名册内容复制到新建的工作簿，另存后再导入。"
            ),
            Self::TooMany { count_max, .. } => format!(
                "工作簿内部项目过多（上限 {count_max}）。请把名册内容复制到新建的工作簿，另存后再导入。"
            ),
            Self::DocumentType { part } => format!(
                "文件中的“{part}”含有不允许的声明，可能是异常文件。请把内容复制到新建的工作簿，另存后再导入。"
            ),
            Self::TooManyRows { rows_max } => {
                format!("名册超过 {rows_max} 行。请拆成几个文件，再分别导入。")
            }
            Self::TooManyColumns {
                address,
                columns_max,
            } => format!(
                "单元格 {address} 有内容，已超出可读取的 {columns_max} 列。请删去右侧多余的内容后再导入。"
            ),
            Self::CellTooLong { address, chars_max } => format!(
                "单元格 {address} 的内容超过 {chars_max} 个字符。请检查该处是否缺少引号或误粘贴了内容。"
            ),
            Self::Encoding { encoding } => format!(
                "文字编码无法按 {encoding} 识别。请用 Excel 或 WPS 打开后另存为 .xlsx，再重新导入。"
            ),
            Self::NoHeading { wanted } => format!(
                "没有找到表头行。表头应包含：{}。请检查列名，或使用系统导出的模板。",
                wanted.join("、")
            ),
            Self::AmbiguousHeadings { clashes } => {
                format!("未导入任何行：{}。改好后再重新导入。", clashes_zh(clashes))
            }
            Self::Export(cause) => {
                format!("无法生成工作簿（{cause}）。请减少行数，或改为导出 CSV。")
            }
        }
    }
}

fn clashes_zh(clashes: &[Clash]) -> String {
    let each = clashes.iter().map(|clash| {
        let Clash {
            address, heading, ..
        } = clash;
        let columns = clash.columns.join("”或“");
        let rivals = clash.rivals.iter();
        let rivals = rivals.map(|(address, heading)| format!("{address}“{heading}”"));
        let rivals = rivals.collect::<Vec<_>>().join("、");
        if rivals.is_empty() {
            format!("{address}“{heading}”可作“{columns}”列，请改用其中一个列名，或删去该列")
        } else {
            format!("{address}“{heading}”与{rivals}都可作“{columns}”列，请把其中一列改名或删去")
        }
    });
    each.collect::<Vec<_>>().join("；")
}

fn clashes_en(clashes: &[Clash]) -> String {
    let each = clashes.iter().map(|clash| {
        let Clash {
            address, heading, ..
        } = clash;
        let columns = clash.columns.join(" or ");
        let rivals = clash.rivals.iter();
        let rivals = rivals.map(|(address, heading)| format!(" and {address} {heading}"));
        let rivals: String = rivals.collect();
        if rivals.is_empty() {
            format!(
                "{address} {heading} can be the column {columns}: give it one of these names, or delete it"
            )
        } else {
            format!(
                "{address} {heading}{rivals} can be the column {columns}: rename or delete one of them"
            )
        }
    });
    each.collect::<Vec<_>>().join("; ")
}

fn unsupported_zh(what: Unsupported) -> &'static str {
    match what {
        Unsupported::WebPage => {
            "这个文件其实是网页表格，只是后缀为 .xls。请用 Excel 或 WPS 打开后另存为 .xlsx，再重新导入。"
        }
        Unsupported::OpenDocument => "这是 .ods 文件。请另存为 .xlsx 后再导入。",
        Unsupported::BinaryWorkbook => "这是 .xlsb 文件。请另存为 .xlsx 后再导入。",
        Unsupported::OldExcel => {
            "这是 Excel 97 以前的旧格式。请用 Excel 或 WPS 打开后另存为 .xlsx，再重新导入。"
        }
        Unsupported::Protected => {
            "文件设有打开密码。请用 Excel 或 WPS 打开，去掉密码后另存，再重新导入。"
        }
        Unsupported::Empty => "文件是空的。请检查是否选错了文件。",
        Unsupported::Unknown => "这不是表格文件。请选择 .xlsx、.xls、.csv 或“Unicode 文本”文件。",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_error_says_what_to_do_in_chinese() {
        let errors = [
            ExchangeError::Io(std::io::Error::other("x")),
            ExchangeError::FileTooLarge {
                bytes: 40 << 20,
                bytes_max: 32 << 20,
            },
            ExchangeError::Unsupported(Unsupported::WebPage),
            ExchangeError::Damaged("x".into()),
            ExchangeError::Inflated { part: "x".into() },
            ExchangeError::TooMany {
                what: "parts",
                count_max: 1,
            },
            ExchangeError::DocumentType { part: "x".into() },
            ExchangeError::TooManyRows { rows_max: 1 },
            ExchangeError::TooManyColumns {
                address: "A1".into(),
                columns_max: 1,
            },
            ExchangeError::CellTooLong {
                address: "A1".into(),
                chars_max: 1,
            },
            ExchangeError::Encoding {
                encoding: "GB18030",
            },
            ExchangeError::NoHeading {
                wanted: vec!["姓名".into()],
            },
            ExchangeError::AmbiguousHeadings {
                clashes: vec![Clash {
                    address: "C1".into(),
                    heading: "手机".into(),
                    columns: vec!["联系电话".into()],
                    rivals: vec![],
                }],
            },
            ExchangeError::Export("x".into()),
        ];
        for error in errors {
            assert!(error.text_zh().contains('请'), "{error}");
        }
    }
}
