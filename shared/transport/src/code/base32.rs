//! Crockford base32 in groups of six: five characters of data, one check character.
//!
//! The check character is `Σ weightᵢ · valueᵢ + 11 · group number` modulo 32. All weights are odd,
//! thus invertible modulo 32: **every** single wrong character in a group is found. The group
//! number in the sum finds groups in the wrong order. What slips through (one in 32 of worse
//! errors) meets the checksum of the whole code.

use data_encoding::BASE32HEX_NOPAD;

use crate::error::TransportError;

const ALPHABET: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";
const GROUP_DATA: usize = 5;
const GROUP: usize = GROUP_DATA + 1;
const WEIGHTS: [u32; GROUP_DATA] = [1, 3, 5, 7, 9];

/// The bytes as text: groups with hyphens between.
pub(super) fn write(bytes: &[u8]) -> String {
    // The "extended hex" alphabet is that of plain digits to base 32, so it converts to values.
    let hex = BASE32HEX_NOPAD.encode(bytes);
    let values: Vec<u32> = hex.chars().filter_map(|c| c.to_digit(32)).collect();
    let groups = (1..).zip(values.chunks(GROUP_DATA)).map(|(number, data)| {
        let check = check_value(number, data);
        let symbol = |value: &u32| char::from(ALPHABET[*value as usize % ALPHABET.len()]);
        data.iter().chain([&check]).map(symbol).collect::<String>()
    });
    groups.collect::<Vec<_>>().join("-")
}

/// The values of all characters that count; spaces and hyphens of every kind are skipped.
pub(super) fn symbols(text: &str) -> Result<Vec<u32>, TransportError> {
    let mut values = Vec::new();
    for original in text.chars() {
        let narrow = match original {
            '\u{FF01}'..='\u{FF5E}' => {
                char::from_u32(u32::from(original) - 0xFEE0).unwrap_or(original)
            }
            other => other,
        };
        if is_filler(narrow) {
            continue;
        }
        let value = match narrow.to_ascii_uppercase() {
            'O' => Some(0),
            'I' | 'L' => Some(1),
            upper => (0..)
                .zip(ALPHABET)
                .find(|(_, symbol)| char::from(**symbol) == upper)
                .map(|(value, _)| value),
        };
        let group = values.len() / GROUP + 1;
        values.push(value.ok_or(TransportError::CodeCharacter {
            group,
            character: original,
        })?);
    }
    Ok(values)
}

/// The first two bytes, out of the first group: version and length.
pub(super) fn head(symbols: &[u32]) -> Result<[u8; 2], TransportError> {
    let first = symbols
        .get(..GROUP)
        .ok_or(TransportError::CodeTruncated { missing: 0 })?;
    let data = checked_data(1, first)?;
    // 25 bits: the two bytes, and nine bits more.
    let bits = data.iter().fold(0, |bits, value| bits << 5 | value);
    let [version, length, ..] = (bits << 7).to_be_bytes();
    Ok([version, length])
}

/// All bytes of a code that has `length` of them.
pub(super) fn read(symbols: &[u32], length: usize) -> Result<Vec<u8>, TransportError> {
    let data_symbols = (length * 8).div_ceil(5);
    let expected = data_symbols + data_symbols.div_ceil(GROUP_DATA);
    let present = &symbols[..symbols.len().min(expected)];
    let mut data = Vec::with_capacity(data_symbols);
    for (number, group) in (1..).zip(present.chunks(GROUP)) {
        // The last group of a cut code has no check character; the cut is reported below.
        if group.len() == GROUP || present.len() == expected {
            data.extend_from_slice(checked_data(number, group)?);
        }
    }
    if symbols.len() < expected {
        return Err(TransportError::CodeTruncated {
            missing: expected - symbols.len(),
        });
    }
    if symbols.len() > expected {
        return Err(TransportError::CodeTooLong {
            extra: symbols.len() - expected,
        });
    }
    let digits = data.iter().filter_map(|value| char::from_digit(*value, 32));
    let hex: String = digits.map(|digit| digit.to_ascii_uppercase()).collect();
    BASE32HEX_NOPAD
        .decode(hex.as_bytes())
        .map_err(|_| TransportError::CodeInconsistent)
}

fn checked_data(number: u32, group: &[u32]) -> Result<&[u32], TransportError> {
    match group.split_last() {
        Some((check, data)) if *check == check_value(number, data) => Ok(data),
        _ => Err(TransportError::CodeMistyped {
            group: number as usize,
        }),
    }
}

fn check_value(number: u32, data: &[u32]) -> u32 {
    let sum: u32 = data
        .iter()
        .zip(WEIGHTS)
        .map(|(value, weight)| value * weight)
        .sum();
    (sum + 11 * number) % 32
}

fn is_filler(c: char) -> bool {
    let hyphen = matches!(
        c,
        '-' | '_' | '\u{2010}'..='\u{2015}' | '\u{2212}' | '\u{FE63}' | 'ー'
    );
    let invisible = matches!(c, '\u{200B}'..='\u{200F}' | '\u{2060}' | '\u{FEFF}');
    c.is_whitespace() || hyphen || invisible
}
