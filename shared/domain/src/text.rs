//! Values as people write and read them: on the command line, in files, on pages.

use crate::checks::{date, id_number, phone};
use crate::id::{RecordId, hex};
use crate::kind::{Field, FieldType, ValueRefused};

/// The canonical bytes of a value as a person wrote it: codes by code or label, dates in the usual
/// forms, yes and no in both languages, references by id. No text clears the field.
///
/// # Errors
/// Why the text is no value of the field.
pub fn read_value(field: &Field, text: &str) -> Result<Vec<u8>, ValueRefused> {
    let text = text.trim();
    if text.is_empty() {
        return Ok(Vec::new());
    }
    let bytes = match field.of {
        FieldType::Reference(_) => RecordId::parse(text)
            .map_err(|_| ValueRefused::NotAReference)?
            .bytes()
            .to_vec(),
        FieldType::Code(list) => list
            .find(text)
            .ok_or(ValueRefused::UnknownCode)?
            .code
            .as_bytes()
            .to_vec(),
        FieldType::Date { .. } | FieldType::Month => read_date(field, text)?,
        FieldType::Boolean => match text {
            "1" | "true" | "yes" | "是" | "有" => b"1".to_vec(),
            "0" | "false" | "no" | "否" | "无" => b"0".to_vec(),
            _ => return Err(ValueRefused::NotABoolean),
        },
        FieldType::IdNumber => id_number::normalise(text).into_bytes(),
        FieldType::Phone => phone::PhoneNumber::parse(text)
            .map_or_else(|_| text.to_owned(), |number| number.as_str().to_owned())
            .into_bytes(),
        FieldType::Name
        | FieldType::Text(_)
        | FieldType::Integer(..)
        | FieldType::Instant
        | FieldType::Bytes(_) => text.as_bytes().to_vec(),
    };
    field.of.check(&bytes)?;
    Ok(bytes)
}

fn read_date(field: &Field, text: &str) -> Result<Vec<u8>, ValueRefused> {
    let read = date::parse_any(text).map_err(|_| ValueRefused::NotADate)?;
    let text = read.to_string();
    let text = match field.of {
        FieldType::Month => text.get(..7).unwrap_or(&text).to_owned(),
        _ => text,
    };
    Ok(text.into_bytes())
}

/// A value as it is shown: text as it is, references as ids, other bytes in hexadecimal.
pub fn show_value(of: FieldType, bytes: &[u8]) -> String {
    match of {
        FieldType::Reference(_) => {
            RecordId::from_slice(bytes).map_or_else(|_| hex(bytes), |id| id.to_string())
        }
        FieldType::Bytes(_) => hex(bytes),
        _ => String::from_utf8_lossy(bytes).into_owned(),
    }
}

/// What a refusal says, in Chinese and in English.
pub const fn refusal_text(refused: ValueRefused) -> (&'static str, &'static str) {
    match refused {
        ValueRefused::NotText => (
            "含有不可见或无法识别的字符",
            "characters that cannot be read",
        ),
        ValueRefused::TooLong => ("内容过长", "too long"),
        ValueRefused::NotANumber => ("应为整数", "a whole number is needed"),
        ValueRefused::OutOfBounds => ("数值超出允许范围", "the number is out of bounds"),
        ValueRefused::NotADate => (
            "日期无法识别,请写成 2026-11-23",
            "not a date: write it like 2026-11-23",
        ),
        ValueRefused::NotABoolean => ("请填 是 或 否", "yes or no is needed"),
        ValueRefused::UnknownCode => ("不在代码表内", "not in the code list"),
        ValueRefused::NotAReference => ("不是有效的编号", "not the id of a record"),
        ValueRefused::NotAnIdNumber => ("不是有效的身份证号", "not an ID number"),
        ValueRefused::NotAPhone => ("不是有效的电话号码", "not a telephone number"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kinds::{member, person};

    #[test]
    fn values_are_read_as_people_write_them() {
        let read = |kind: &crate::kind::Kind, name: &str, text: &str| {
            let field = kind.field_called(name).ok_or(ValueRefused::NotText)?;
            read_value(field, text)
        };
        assert_eq!(read(&person::KIND, "性别", "女"), Ok(b"2".to_vec()));
        assert_eq!(
            read(&member::KIND, "join_date", "2001.7.1"),
            Ok(b"2001-07-01".to_vec())
        );
        assert_eq!(
            read(&member::KIND, "党员类别", "正式党员"),
            Ok(b"full".to_vec())
        );
        assert_eq!(
            read(&person::KIND, "sex", "无此"),
            Err(ValueRefused::UnknownCode)
        );
        assert_eq!(read(&person::KIND, "name", ""), Ok(Vec::new()));
    }
}
