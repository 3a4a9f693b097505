//! How a kind of record is declared: once, as a constant, from which columns, wire values, command
//! line names, import headings, exports and digests derive.
//!
//! A value travels and is compared as its canonical bytes: text and dates as UTF-8, integers as
//! decimal digits, a reference as sixteen bytes; no bytes at all mean that there is no value.

use crate::checks::code_lists::CodeList;
use crate::id::RecordId;
use crate::machine::Machine;

/// Who may write a kind, and what happens when two sides wrote (`sync.md` 1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Class {
    /// The office it belongs to and the hub's desk; merged per field.
    Shared,
    /// The office of the present tenure and the desk; as `Shared`, fenced by the tenure.
    Held,
    /// Its creator, once; a correction is a new entry that names the old one.
    Ledger,
    /// Only the hub, by applying steps in its own order.
    Case,
    /// Only the hub, versioned; nodes read.
    Reference,
}

impl Class {
    /// The classes of records that only the hub makes.
    pub const OF_HUB: [Self; 2] = [Self::Case, Self::Reference];

    /// Whether only the hub makes records of this class.
    #[must_use]
    pub fn is_of_hub(self) -> bool {
        Self::OF_HUB.contains(&self)
    }
}

/// What kind of value a field has.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum FieldType {
    /// Any text of at most so many characters.
    Text(u16),
    /// A whole number within these bounds, both included.
    Integer(i64, i64),
    /// A calendar date, `YYYY-MM-DD`; with `month`, `YYYY-MM` is allowed too.
    Date {
        /// Whether a month without a day may stand.
        month: bool,
    },
    /// A month, `YYYY-MM`.
    Month,
    /// An instant: milliseconds since 1970.
    Instant,
    /// `1` or `0`.
    Boolean,
    /// A code of this list.
    Code(&'static CodeList),
    /// The id of a record of the kind with this number.
    Reference(u16),
    /// An ID number (GB 11643), eighteen characters.
    IdNumber,
    /// A telephone number.
    Phone,
    /// A person's name.
    Name,
    /// Sixteen or more bytes that no person reads (ids of changes, hashes).
    Bytes(u16),
}

/// How carefully a value must be treated (`domain.md` 8).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Sensitivity {
    /// May stand in lists and logs of the office.
    Open,
    /// Personal: never in logs or metrics.
    Personal,
    /// Masked on lists and exports by default.
    Masked,
}

/// Which of two concurrent values wins; the other is kept (`sync.md` 3, rule 3).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Winner {
    /// The later corrected time; a suspect clock never wins.
    Latest,
    /// The one that the hub had first.
    FirstCommitted,
    /// The hub's desk over an office; else the later.
    Desk,
    /// The present holder over anybody else; else the later.
    Holder,
    /// The better source in the field with this number (ID card, then file, then spoken); same
    /// rank: later in hub order.
    SourceRank(u16),
    /// Nobody sets it: it moves by steps, or only the hub derives it.
    Steps,
}

/// One field of a kind.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Field {
    /// Its number for ever; never used again once retired.
    pub number: u16,
    /// Its name in SQL, on the command line and in JSON.
    pub name: &'static str,
    /// Its heading in Chinese.
    pub zh: &'static str,
    /// Its heading in English.
    pub en: &'static str,
    /// What it holds.
    pub of: FieldType,
    /// Whether a record may not be created without it.
    pub required: bool,
    /// How carefully it is treated.
    pub sensitivity: Sensitivity,
    /// Who wins a conflict.
    pub winner: Winner,
    /// Other headings under which an import finds it.
    pub synonyms: &'static [&'static str],
    /// Whether imports, forms and exports leave it out (ids, derived values).
    pub internal: bool,
}

impl Field {
    /// A field that may be empty, is open to its office, and whose later value wins.
    pub const fn new(
        number: u16,
        name: &'static str,
        zh: &'static str,
        en: &'static str,
        of: FieldType,
    ) -> Self {
        Self {
            number,
            name,
            zh,
            en,
            of,
            required: false,
            sensitivity: Sensitivity::Open,
            winner: Winner::Latest,
            synonyms: &[],
            internal: false,
        }
    }

    /// The same, and a record may not be created without it.
    #[must_use]
    pub const fn required(self) -> Self {
        Self {
            required: true,
            ..self
        }
    }

    /// The same, personal.
    #[must_use]
    pub const fn personal(self) -> Self {
        Self {
            sensitivity: Sensitivity::Personal,
            ..self
        }
    }

    /// The same, masked on lists and exports.
    #[must_use]
    pub const fn masked(self) -> Self {
        Self {
            sensitivity: Sensitivity::Masked,
            ..self
        }
    }

    /// The same, with this rule for conflicts.
    #[must_use]
    pub const fn won_by(self, winner: Winner) -> Self {
        Self { winner, ..self }
    }

    /// The same, moved only by steps or by the hub.
    #[must_use]
    pub const fn by_steps(self) -> Self {
        Self {
            winner: Winner::Steps,
            ..self
        }
    }

    /// The same, found by an import under these headings too.
    #[must_use]
    pub const fn or(self, synonyms: &'static [&'static str]) -> Self {
        Self { synonyms, ..self }
    }

    /// The same, left out of forms, imports and exports.
    #[must_use]
    pub const fn internal(self) -> Self {
        Self {
            internal: true,
            ..self
        }
    }
}

/// One kind of record.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Kind {
    /// Its number for ever.
    pub number: u16,
    /// Its name: the SQL table, the command line word.
    pub name: &'static str,
    /// Its name in Chinese.
    pub zh: &'static str,
    /// Its name in English.
    pub en: &'static str,
    /// Who may write it.
    pub class: Class,
    /// Its fields, by rising number.
    pub fields: &'static [Field],
    /// Groups of fields with one base, one winner and one conflict item (rule 7).
    pub together: &'static [&'static [u16]],
    /// The machine that moves its state, if it has one.
    pub machine: Option<&'static Machine>,
    /// The field in which the machine's state stands.
    pub state_field: Option<u16>,
    /// The field that names a record of this kind to a person.
    pub title_field: Option<u16>,
    /// Columns to index besides the key.
    pub indexed: &'static [u16],
}

impl Kind {
    /// The field with this number.
    pub fn field(&self, number: u16) -> Option<&'static Field> {
        self.fields
            .binary_search_by_key(&number, |field| field.number)
            .ok()
            .and_then(|i| self.fields.get(i))
    }

    /// Whether only steps move a field.
    pub fn is_by_steps(&self, number: u16) -> bool {
        let declared = self.field(number);
        declared.is_some_and(|declared| declared.winner == Winner::Steps)
    }

    /// The field with this name.
    pub fn field_named(&self, name: &str) -> Option<&'static Field> {
        self.fields.iter().find(|field| field.name == name)
    }

    /// The field that a person names: by its name, its Chinese or English heading, or a synonym.
    pub fn field_called(&self, text: &str) -> Option<&'static Field> {
        self.field_named(text).or_else(|| {
            self.fields
                .iter()
                .find(|f| f.zh == text || f.en == text || f.synonyms.contains(&text))
        })
    }

    /// The fields that are judged together with this one, itself among them.
    pub fn group_of(&self, number: u16) -> &'static [u16] {
        self.together
            .iter()
            .find(|group| group.contains(&number))
            .copied()
            .unwrap_or(&[])
    }

    /// The fields that refer to other records, with the number of the kind they refer to.
    pub fn references(&self) -> impl Iterator<Item = (&'static Field, u16)> {
        self.fields.iter().filter_map(|field| match field.of {
            FieldType::Reference(kind) => Some((field, kind)),
            _ => None,
        })
    }
}

/// Why bytes are no value of a field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ValueRefused {
    /// Not UTF-8, or a character that must not stand in a text (NUL, control, direction marks).
    NotText,
    /// Longer than the field allows.
    TooLong,
    /// Not a whole number in canonical decimal form.
    NotANumber,
    /// Outside the field's bounds.
    OutOfBounds,
    /// Not a calendar date in canonical form.
    NotADate,
    /// Not `1` or `0`.
    NotABoolean,
    /// Not a code of the field's list.
    UnknownCode,
    /// Not sixteen bytes.
    NotAReference,
    /// Not a correct ID number.
    NotAnIdNumber,
    /// Not a telephone number.
    NotAPhone,
}

impl FieldType {
    /// Whether these bytes are a canonical value of this type; no bytes always are.
    ///
    /// ID numbers are checked for form only here: a wrong check digit may be registered when it is
    /// explained (`domain.md` 2.3), which is the caller's to ask for.
    pub fn check(&self, value: &[u8]) -> Result<(), ValueRefused> {
        if value.is_empty() {
            return Ok(());
        }
        match self {
            Self::Reference(_) => RecordId::from_slice(value)
                .map(|_| ())
                .map_err(|_| ValueRefused::NotAReference),
            Self::Bytes(max) if value.len() <= usize::from(*max) => Ok(()),
            Self::Bytes(_) => Err(ValueRefused::TooLong),
            _ => {
                let text = std::str::from_utf8(value).map_err(|_| ValueRefused::NotText)?;
                self.check_text(text)
            }
        }
    }

    fn check_text(&self, text: &str) -> Result<(), ValueRefused> {
        let printable = |max: usize| {
            if text.chars().any(is_hidden) {
                Err(ValueRefused::NotText)
            } else if text.chars().count() > max {
                Err(ValueRefused::TooLong)
            } else {
                Ok(())
            }
        };
        match self {
            Self::Text(max) => printable(usize::from(*max)),
            Self::Name => printable(50),
            Self::Phone => printable(60),
            Self::IdNumber => printable(40),
            Self::Integer(min, max) => {
                let number = canonical_integer(text)?;
                if (*min..=*max).contains(&number) {
                    Ok(())
                } else {
                    Err(ValueRefused::OutOfBounds)
                }
            }
            Self::Instant => canonical_integer(text).map(|_| ()),
            Self::Boolean if matches!(text, "0" | "1") => Ok(()),
            Self::Boolean => Err(ValueRefused::NotABoolean),
            Self::Date { month } => match text.len() {
                7 if *month => canonical_date(&format!("{text}-01")),
                _ => canonical_date(text),
            },
            Self::Month => canonical_date(&format!("{text}-01")),
            Self::Code(list) if list.has(text) => Ok(()),
            Self::Code(_) => Err(ValueRefused::UnknownCode),
            Self::Reference(_) | Self::Bytes(_) => Ok(()),
        }
    }
}

/// Characters that no entered text may carry: they cannot be seen, or turn what is seen.
fn is_hidden(c: char) -> bool {
    (c.is_control() && !matches!(c, '\n' | '\t'))
        || matches!(c, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
}

fn canonical_integer(text: &str) -> Result<i64, ValueRefused> {
    let number: i64 = text.parse().map_err(|_| ValueRefused::NotANumber)?;
    if number.to_string() == text {
        Ok(number)
    } else {
        Err(ValueRefused::NotANumber)
    }
}

fn canonical_date(text: &str) -> Result<(), ValueRefused> {
    let date: jiff::civil::Date = text.parse().map_err(|_| ValueRefused::NotADate)?;
    if text.len() == 10 && date.to_string() == text {
        Ok(())
    } else {
        Err(ValueRefused::NotADate)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_have_one_form_only() {
        let integer = FieldType::Integer(0, 100);
        assert_eq!(integer.check(b"7"), Ok(()));
        assert_eq!(integer.check(b"07"), Err(ValueRefused::NotANumber));
        assert_eq!(integer.check(b"101"), Err(ValueRefused::OutOfBounds));
        let date = FieldType::Date { month: false };
        assert_eq!(date.check(b"2024-02-29"), Ok(()));
        assert_eq!(date.check(b"2023-02-29"), Err(ValueRefused::NotADate));
        assert_eq!(date.check(b"2023-02"), Err(ValueRefused::NotADate));
        assert_eq!(FieldType::Date { month: true }.check(b"2023-02"), Ok(()));
    }

    #[test]
    fn hidden_characters_are_refused_and_rare_ones_are_not() {
        let text = FieldType::Text(50);
        assert_eq!(text.check("䶮\u{2cda8}·阿".as_bytes()), Ok(()));
        assert_eq!(text.check("a\0b".as_bytes()), Err(ValueRefused::NotText));
        assert_eq!(
            text.check("a\u{202e}b".as_bytes()),
            Err(ValueRefused::NotText)
        );
        assert_eq!(text.check(&[0xff, 0xfe]), Err(ValueRefused::NotText));
    }
}
