//! Enrolment codes, as a person pastes them.

use anyhow::ensure;
use transport::TransportError;
use transport::code::EnrolmentCode;

use super::note;

/// Characters of a code.
const SYMBOLS: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";

/// The input is a text; what is no UTF-8 is read as a page would show it.
pub(super) fn check(input: &[u8]) -> anyhow::Result<()> {
    let text = String::from_utf8_lossy(input);
    match note::quickly(|| EnrolmentCode::parse(&text))? {
        Ok(code) => well_read(&code, input),
        Err(error) => refused(&error),
    }
}

fn refused(error: &TransportError) -> anyhow::Result<()> {
    let is_placed = match error {
        TransportError::CodeCharacter { group, .. } | TransportError::CodeMistyped { group } => {
            *group > 0
        }
        TransportError::CodeTruncated { .. }
        | TransportError::CodeTooLong { .. }
        | TransportError::CodeInconsistent
        | TransportError::CodeVersion { .. } => true,
        _ => false,
    };
    ensure!(is_placed, "an error of another kind: {error}");
    ensure!(
        error.text_zh().chars().count() > 6,
        "an error that says nothing: {error}"
    );
    note::met("M17 codes that are none refused");
    Ok(())
}

fn well_read(code: &EnrolmentCode, input: &[u8]) -> anyhow::Result<()> {
    let written = code.text()?;
    ensure!(
        EnrolmentCode::parse(&written).is_ok_and(|again| again == *code),
        "another code"
    );
    let loose = written.to_lowercase().replace('-', " \u{2014}\n");
    ensure!(
        EnrolmentCode::parse(&loose).is_ok_and(|again| again == *code),
        "typed loosely"
    );
    let shown = format!("{code:?}");
    let secret = code.secret.map(|byte| format!("{byte:02x}")).concat();
    ensure!(!shown.contains(&secret), "the secret is shown");
    for now in [i64::MIN, 0, i64::from(code.expires_unix_s) * 1000, i64::MAX] {
        let has_ended = now / 1000 >= i64::from(code.expires_unix_s);
        ensure!(
            code.check_expiry(now).is_err() == has_ended,
            "D18: expiry at {now}"
        );
    }
    mistyped(&written, input)
}

/// Every single wrong character is found, and so is every cut.
fn mistyped(written: &str, input: &[u8]) -> anyhow::Result<()> {
    let seed = blake3::hash(input);
    let [a, b, c, ..] = *seed.as_bytes();
    let mut typed = written.as_bytes().to_vec();
    let at = (usize::from(a) * 256 + usize::from(b)) % typed.len();
    let symbol = SYMBOLS[usize::from(c) % SYMBOLS.len()];
    if typed[at] != b'-' && typed[at] != symbol {
        typed[at] = symbol;
        let typed = String::from_utf8(typed)?;
        ensure!(
            EnrolmentCode::parse(&typed).is_err(),
            "M17: {typed} instead of {written}"
        );
        note::met("M17 codes that are none refused");
    }
    ensure!(
        EnrolmentCode::parse(&written[..at]).is_err(),
        "M17: a cut code was taken"
    );
    Ok(())
}

pub(super) fn seeds() -> anyhow::Result<Vec<Vec<u8>>> {
    let mut seeds = Vec::new();
    for number in 1..=4_u8 {
        let addresses = (1..=number).map(|n| format!("hub{n}.example.org:7443"));
        let code = EnrolmentCode {
            addresses: addresses.collect(),
            root_hash: [number; 32],
            office: [0x22; 16],
            office_code: "350102001001".to_owned(),
            secret: [number ^ 0x55; 16],
            expires_unix_s: 1_793_548_800 + u32::from(number),
        };
        let text = code.text()?;
        let wide: String = text
            .chars()
            .map(|c| {
                char::from_u32(u32::from(c) + 0xFEE0)
                    .filter(|_| c != '-')
                    .unwrap_or(c)
            })
            .collect();
        seeds.push(text.to_lowercase().replace('-', " ").into_bytes());
        seeds.push(wide.into_bytes());
        seeds.push(text.as_bytes()[..text.len() / 2].to_vec());
        seeds.push(text.into_bytes());
    }
    Ok(seeds)
}
