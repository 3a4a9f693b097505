//! What the caller wants from a table: its columns, their meaning and the checks it lends.

/// One column of the target, as the caller's declaration of a kind gives it.
#[derive(Debug, Clone, PartialEq)]
pub struct Column<'a> {
    /// The caller's number of the field; answers carry it back. Unique among the columns.
    pub key: u16,
    /// The heading an export writes and a problem names.
    pub heading: &'a str,
    /// Other headings clerks use for it. Blanks, width, notes in brackets and case do not matter.
    pub synonyms: Vec<&'a str>,
    /// What the cells hold.
    pub kind: CellKind<'a>,
    /// Whether a row without it is to fix.
    pub required: bool,
}

/// What the cells of a column hold: how they are read and what their canonical text is.
#[derive(Debug, Clone, PartialEq)]
pub enum CellKind<'a> {
    /// Any text, trimmed. Numbers as Excel shows them.
    Text,
    /// A person's name: `·` variants become U+00B7, blanks between Chinese characters go.
    Name,
    /// An 18-character resident identity number, upper-case `X`, verified by [`Checks`].
    IdNumber,
    /// Phone numbers: 11-digit mobiles or landlines as `area-number`; several joined by `、`.
    Phone,
    /// A day as `YYYY-MM-DD`.
    Date {
        /// Whether a month alone is enough, as `YYYY-MM`.
        allow_month: bool,
    },
    /// A month as `YYYY-MM`; a day is accepted and dropped.
    Month,
    /// A whole number in decimal digits.
    Integer {
        /// Smallest value, inclusive.
        min: i64,
        /// Largest value, inclusive.
        max: i64,
    },
    /// `true` or `false`, from 是/否, 有/无, √/×, Y/N and their like.
    Boolean,
    /// One of a list; the canonical text is the code.
    Code(Vec<Code<'a>>),
}

/// One entry of a code list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Code<'a> {
    /// What is stored.
    pub code: &'a str,
    /// What forms show, such as 正式党员.
    pub label: &'a str,
    /// Other words clerks use for it, such as 正式.
    pub synonyms: Vec<&'a str>,
}

/// Why a cell is refused, in both languages of the product, ready to be shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reason {
    /// Chinese.
    pub zh: String,
    /// English.
    pub en: String,
}

impl Reason {
    /// A reason from its two texts.
    pub fn new(zh: impl Into<String>, en: impl Into<String>) -> Self {
        Self {
            zh: zh.into(),
            en: en.into(),
        }
    }
}

/// Rules of the domain that this crate borrows instead of having its own.
pub trait Checks {
    /// Verifies an 18-character identity number (digits, the last perhaps `X`): date and check
    /// digit. Answers the canonical number or why it is refused.
    fn id_number(&self, text: &str) -> Result<String, Reason>;
}

impl<C: Checks + ?Sized> Checks for &C {
    fn id_number(&self, text: &str) -> Result<String, Reason> {
        (**self).id_number(text)
    }
}
