//! The columns of a kind's table, and what its cells imply for each other.

use domain::checks::code_lists::CodeList;
use domain::checks::id_number::{IdNumber, IdNumberRefused};
use domain::kind::{Field, FieldType, Kind};
use domain::kinds::{self, member, person};
use domain::machines::member_status::state;
use exchange::{CellKind, Checks, Code, Column, Reason};

use crate::Values;

/// Field numbers stay below this, so that a column's key carries kind and field.
const FIELDS_MAX: u16 = 256;

/// The kind of an import, with the person behind it.
#[derive(Debug, Clone, Copy)]
pub struct Target {
    /// The kind.
    pub role: &'static Kind,
    /// Its field that names the person; 0 for a person.
    pub person_field: u16,
}

impl Target {
    /// The target for a kind: its own columns, and those of the person that it points to.
    pub fn of(role: &'static Kind) -> Self {
        let person_field = role
            .references()
            .find(|(field, kind)| *kind == person::KIND_NUMBER && field.required)
            .map_or(0, |(field, _)| field.number);
        Self { role, person_field }
    }

    /// Whether a row makes a person too.
    pub fn has_person(&self) -> bool {
        self.person_field != 0
    }

    /// The kinds whose fields are columns, the person first.
    fn kinds(&self) -> impl Iterator<Item = &'static Kind> + use<> {
        let role = Some(self.role);
        self.has_person()
            .then_some(&person::KIND)
            .into_iter()
            .chain(role)
    }

    /// The columns that a table may have.
    pub fn columns(&self) -> Vec<Column<'static>> {
        self.kinds()
            .flat_map(|kind| kind.fields.iter().map(move |field| (kind, field)))
            .filter(|(_, field)| !field.internal)
            .map(|(kind, field)| Column {
                key: kind.number * FIELDS_MAX + field.number,
                heading: field.zh,
                synonyms: [field.name, field.en]
                    .into_iter()
                    .chain(field.synonyms.iter().copied())
                    .collect(),
                kind: cell_kind(kind, field),
                required: field.required && !is_implied(kind, field.number),
            })
            .collect()
    }

    /// The columns that an export writes: whatever an import reads.
    pub fn exported(&self) -> impl Iterator<Item = (&'static Kind, &'static Field)> + use<> {
        self.kinds()
            .flat_map(|kind| kind.fields.iter().map(move |field| (kind, field)))
            .filter(|(_, field)| !field.internal)
    }

    /// The field behind a column's key.
    pub fn field(&self, key: u16) -> Option<(&'static Kind, &'static Field)> {
        let kind = kinds::by_number(key / FIELDS_MAX)?;
        Some((kind, kind.field(key % FIELDS_MAX)?))
    }

    /// Fills what other cells imply: birth date and sex from the ID number, the category from the
    /// status and the status from the category.
    pub fn complete(&self, of_person: &mut Values, of_role: &mut Values) {
        if self.role.number == person::KIND_NUMBER {
            complete_person(of_role);
        } else {
            complete_person(of_person);
        }
        if self.role.number == member::KIND_NUMBER {
            complete_member(of_role);
        }
    }
}

/// Category and status imply each other, so that a table needs one of them.
fn is_implied(kind: &Kind, number: u16) -> bool {
    kind.number == member::KIND_NUMBER && [member::CATEGORY, member::STATUS].contains(&number)
}

fn cell_kind(kind: &Kind, field: &Field) -> CellKind<'static> {
    match field.of {
        FieldType::Name => CellKind::Name,
        FieldType::IdNumber => CellKind::IdNumber,
        FieldType::Phone => CellKind::Phone,
        FieldType::Date { month } => CellKind::Date { allow_month: month },
        FieldType::Month => CellKind::Month,
        FieldType::Integer(min, max) => CellKind::Integer { min, max },
        FieldType::Boolean => CellKind::Boolean,
        FieldType::Code(list) => CellKind::Code(codes_of(kind, field, list)),
        FieldType::Text(_) | FieldType::Instant | FieldType::Reference(_) | FieldType::Bytes(_) => {
            CellKind::Text
        }
    }
}

fn codes_of(kind: &Kind, field: &Field, list: &'static CodeList) -> Vec<Code<'static>> {
    let mut entries: Vec<_> = list
        .entries
        .iter()
        .map(|entry| Code {
            code: entry.code,
            label: entry.zh,
            synonyms: std::iter::once(entry.en)
                .chain(entry.synonyms.iter().copied())
                .collect(),
        })
        .collect();
    if kind.number == member::KIND_NUMBER && field.number == member::STATUS {
        // Which of the two normal states it is, the category says.
        entries.push(Code {
            code: "",
            label: "正常",
            synonyms: vec!["正常党员", "在册"],
        });
    }
    entries
}

fn value(values: &Values, number: u16) -> Option<&str> {
    let found = values
        .iter()
        .find(|(given, value)| *given == number && !value.is_empty());
    found.and_then(|(_, value)| std::str::from_utf8(value).ok())
}

fn put(values: &mut Values, number: u16, text: &str) {
    if value(values, number).is_none() {
        values.retain(|(given, _)| *given != number);
        values.push((number, text.as_bytes().to_vec()));
    }
}

fn complete_person(values: &mut Values) {
    let Some(number) = value(values, person::ID_NUMBER).and_then(|n| IdNumber::parse(n).ok())
    else {
        return;
    };
    put(values, person::BIRTH_DATE, &number.birth_date().to_string());
    put(values, person::SEX, number.sex().code());
    put(values, person::ID_SOURCE, "file");
}

fn complete_member(values: &mut Values) {
    let status = value(values, member::STATUS).map(str::to_owned);
    let category = value(values, member::CATEGORY).map(str::to_owned);
    match (category.as_deref(), status.as_deref()) {
        (Some("full"), None) => put(values, member::STATUS, state::FULL),
        (Some(_), None) => put(values, member::STATUS, state::PROBATIONARY),
        (None, Some(status)) => {
            let is_probationary = [
                state::PROBATIONARY,
                state::PROBATIONARY_EXTENDED,
                state::CANCELLED,
            ]
            .contains(&status);
            let category = if is_probationary {
                "probationary"
            } else {
                "full"
            };
            put(values, member::CATEGORY, category);
        }
        (None, None) if value(values, member::CONVERSION_DATE).is_some() => {
            put(values, member::CATEGORY, "full");
            put(values, member::STATUS, state::FULL);
        }
        _ => {}
    }
}

/// Cells that contradict each other, by the key of the column to look at (`MEM-002`, `MEM-004`).
pub fn contradictions(target: &Target, of_person: &Values, of_role: &Values) -> Vec<(u16, Reason)> {
    let is_person = target.role.number == person::KIND_NUMBER;
    let about = if is_person { of_role } else { of_person };
    let mut found = Vec::new();
    let key = |kind: u16, field: u16| kind * FIELDS_MAX + field;
    if let Some(number) = value(about, person::ID_NUMBER).and_then(|n| IdNumber::parse(n).ok()) {
        let in_number = number.birth_date().to_string();
        let birth = value(about, person::BIRTH_DATE).unwrap_or(&in_number);
        if !in_number.starts_with(birth) {
            let reason = Reason::new(
                format!(
                    "MEM-002 身份证号中的出生日期 {in_number} 与登记的 {birth} 不一致,请核对;档案日期不同的请填“档案出生日期”列"
                ),
                format!("MEM-002 the ID number says born {in_number}, the cell says {birth}"),
            );
            found.push((key(person::KIND_NUMBER, person::BIRTH_DATE), reason));
        }
        if value(about, person::SEX).is_some_and(|sex| sex != number.sex().code()) {
            let reason = Reason::new(
                "与身份证号第17位表示的性别不一致,请核对",
                "differs from the sex in the ID number",
            );
            found.push((key(person::KIND_NUMBER, person::SEX), reason));
        }
    }
    if target.role.number == member::KIND_NUMBER {
        found.extend(member_contradiction(of_role).map(|(n, r)| (key(member::KIND_NUMBER, n), r)));
    }
    found
}

fn member_contradiction(values: &Values) -> Option<(u16, Reason)> {
    let Some(category) = value(values, member::CATEGORY) else {
        let reason = Reason::new(
            "请填写“人员类别”(正式党员 或 预备党员)",
            "say whether full or probationary member",
        );
        return Some((member::CATEGORY, reason));
    };
    if category == "probationary" && value(values, member::CONVERSION_DATE).is_some() {
        let reason = Reason::new(
            "MEM-004 预备党员不应填写转正日期",
            "MEM-004 a probationary member has no conversion date",
        );
        return Some((member::CONVERSION_DATE, reason));
    }
    let status = value(values, member::STATUS)?;
    let is_probationary = [state::PROBATIONARY, state::PROBATIONARY_EXTENDED].contains(&status);
    let is_full = status == state::FULL;
    if (category == "full" && is_probationary) || (category == "probationary" && is_full) {
        let reason = Reason::new(
            "党籍状态与人员类别不一致,请核对",
            "status and category contradict each other",
        );
        return Some((member::STATUS, reason));
    }
    None
}

/// The domain's check of an ID number, in the words of a table.
#[derive(Debug, Clone, Copy)]
pub struct IdNumbers;

impl Checks for IdNumbers {
    fn id_number(&self, text: &str) -> Result<String, Reason> {
        match IdNumber::parse(text) {
            Ok(number) => Ok(number.as_str().to_owned()),
            Err(refused) => Err(id_number_reason(&refused)),
        }
    }
}

/// Why an ID number is refused, in both languages, and what to do.
pub fn id_number_reason(refused: &IdNumberRefused) -> Reason {
    match refused {
        IdNumberRefused::CheckDigit { expected } => Reason::new(
            format!("MEM-001 身份证号校验位不符:第18位应为 {expected},请核对原件"),
            format!("MEM-001 the 18th character should be {expected}: look at the card"),
        ),
        IdNumberRefused::Fifteen { suggestion } => Reason::new(
            format!(
                "15位旧身份证号,对应18位为 {},请核对身份证后改填",
                suggestion.as_str()
            ),
            format!(
                "a 15-digit number; the 18-digit form is {}",
                suggestion.as_str()
            ),
        ),
        IdNumberRefused::WrongLength { found } => Reason::new(
            format!("身份证号应为18位,现有{found}位"),
            format!("an ID number has 18 characters, not {found}"),
        ),
        IdNumberRefused::BadCharacter { position } => Reason::new(
            format!("身份证号第{position}位不是数字"),
            format!("character {position} of the ID number is no digit"),
        ),
        IdNumberRefused::ImpossibleDate => Reason::new(
            "身份证号中的出生日期不存在,请核对原件",
            "the birth date in the ID number does not exist: look at the card",
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_implied_source_is_a_code_of_its_list() {
        assert!(domain::kinds::codes::ID_SOURCE.has("file"));
    }

    #[test]
    fn a_status_implies_the_category_and_a_category_the_status() {
        let mut values = vec![(member::CATEGORY, b"full".to_vec())];
        complete_member(&mut values);
        assert_eq!(value(&values, member::STATUS), Some(state::FULL));
        let mut values = vec![(member::STATUS, state::PROBATIONARY.as_bytes().to_vec())];
        complete_member(&mut values);
        assert_eq!(value(&values, member::CATEGORY), Some("probationary"));
    }

    #[test]
    fn a_probationary_member_has_no_conversion_date() {
        let values = vec![
            (member::CATEGORY, b"probationary".to_vec()),
            (member::CONVERSION_DATE, b"2024-01-01".to_vec()),
        ];
        let found = member_contradiction(&values).map(|(field, _)| field);
        assert_eq!(found, Some(member::CONVERSION_DATE));
    }
}
