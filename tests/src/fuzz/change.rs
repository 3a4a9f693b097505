//! One change: header and body, as the hub and every node read them.
//!
//! Two bytes say how long the header is; header and body follow.

use anyhow::ensure;
use domain::change::{Change, RawChange};
use domain::clock::Timestamp;
use domain::kind::FieldType;
use domain::{kinds, limits};
use proto::convert::{self, Invalid};

use super::{note, sample, walk};

/// Numbers of the header and of the body that this program knows.
const KNOWN: [u32; 2] = [13, 3];
const SALT: [u8; 16] = [5; 16];

pub(super) fn check(input: &[u8]) -> anyhow::Result<()> {
    let Some((length, rest)) = input.split_first_chunk() else {
        return Ok(());
    };
    let length = usize::from(u16::from_be_bytes(*length));
    let (header, body) = rest.split_at(length.min(rest.len()));
    let raw = RawChange {
        header: header.to_vec(),
        salt: SALT,
        body: body.to_vec(),
        erased: None,
    };
    let odd = |bytes| walk::fields(bytes).map(|(_, odd)| odd);
    let is_hostile = [odd(header), odd(body)]
        .into_iter()
        .flatten()
        .any(|odd| odd.is_overlong || odd.depth > 4);
    if is_hostile {
        note::met("M23 hostile encodings read");
    }
    kept_as_it_came(&raw)?;
    let id = sample::change_id(u64::MAX);
    match note::quickly(|| convert::decode_change(id, &raw))? {
        Ok(change) => well_read(&raw, &change),
        Err(Invalid::TooLarge(_)) => {
            note::met("D15 oversized changes refused");
            Ok(())
        }
        Err(error) => {
            if std::str::from_utf8(header).is_err() && error == Invalid::Malformed("change header")
            {
                note::met("D16 invalid text refused");
            }
            ensure!(error.to_string().len() > 10, "an error that says nothing");
            Ok(())
        }
    }
}

/// Whatever a change says, its bytes travel as they are.
fn kept_as_it_came(raw: &RawChange) -> anyhow::Result<()> {
    let (packed, size) = convert::encode_batch(std::slice::from_ref(raw))?;
    let read = convert::decode_batch(&packed, size, 1)?;
    ensure!(
        read == std::slice::from_ref(raw),
        "V2: other bytes came out"
    );
    let unknown = [(&raw.header, KNOWN[0]), (&raw.body, KNOWN[1])];
    if unknown
        .iter()
        .any(|(bytes, known)| walk::has_unknown(bytes, *known))
    {
        note::met("V2 unknown fields kept");
    }
    let erased = raw.clone().without_body();
    ensure!(
        erased.body_hash() == raw.body_hash(),
        "erased it has another hash"
    );
    Ok(())
}

fn well_read(raw: &RawChange, change: &Change) -> anyhow::Result<()> {
    let (header, body) = (&change.header, &change.body);
    let is_small = raw.header.len() + raw.body.len() <= limits::CHANGE_BYTES_MAX
        && body.fields.len() <= limits::CHANGE_FIELDS_MAX
        && header.actor.chars().count() <= limits::ACTOR_CHARS_MAX
        && body
            .fields
            .iter()
            .all(|field| field.value.len() <= limits::VALUE_BYTES_MAX)
        && header
            .group
            .is_none_or(|group| (1..=limits::GROUP_CHANGES_MAX).contains(&group.size));
    ensure!(is_small, "D15: over a limit");
    let numbers: Vec<_> = body.fields.iter().map(|field| field.number).collect();
    ensure!(numbers.is_sorted_by(|a, b| a < b), "numbers do not rise");
    // One way to write it, and that way is read back as the same change.
    let written = convert::encode_change(header, body, SALT);
    let again = convert::decode_change(change.id, &written);
    ensure!(
        again.as_ref() == Ok(change),
        "written again it is another change"
    );
    let twice = convert::encode_change(header, body, SALT);
    ensure!(written == twice, "written twice it differs");
    by_hand(raw, change)?;
    times(header.timestamp)?;
    values(change)
}

/// The values are those that stand in the bytes.
fn by_hand(raw: &RawChange, change: &Change) -> anyhow::Result<()> {
    let (fields, _) = walk::fields(&raw.body).unwrap_or_default();
    let there = walk::all(&fields, 1);
    ensure!(
        there.len() == change.body.fields.len(),
        "a field is missing"
    );
    for (field, bytes) in change.body.fields.iter().zip(there) {
        let (inside, _) = walk::fields(bytes).unwrap_or_default();
        ensure!(walk::last(&inside, 2) == field.value, "V2: another value");
    }
    Ok(())
}

/// The clock does not wrap, however far ahead somebody is.
fn times(timestamp: Timestamp) -> anyhow::Result<()> {
    let is_extreme = timestamp.bits() >= 1 << 63 || timestamp.bits() == 0;
    if is_extreme {
        note::met("D18 extreme times read");
    }
    for wall in [0, timestamp.unix_ms(), u64::MAX] {
        ensure!(timestamp.next(wall) >= timestamp, "D18: time goes back");
    }
    Ok(())
}

/// A value that its field takes is one that can be shown.
fn values(change: &Change) -> anyhow::Result<()> {
    let Some(kind) = kinds::by_number(change.header.kind) else {
        note::met("V1 changes of unknown kinds read");
        return Ok(());
    };
    for field in &change.body.fields {
        let Some(of) = kind.field(field.number).map(|known| known.of) else {
            continue;
        };
        let is_text = !matches!(of, FieldType::Bytes(_) | FieldType::Reference(_));
        let text = std::str::from_utf8(&field.value);
        match of.check(&field.value) {
            Ok(()) if is_text => {
                let shown = text.is_ok_and(|text| !text.contains(['\0', '\u{202e}', '\u{200b}']));
                ensure!(shown, "D16: a text that cannot be shown is taken");
                if text.is_ok_and(|text| text.chars().any(|c| c >= '\u{20000}')) {
                    note::met("D16 rare characters kept");
                }
            }
            Err(_) if text.is_err() => note::met("D16 invalid text refused"),
            Ok(()) | Err(_) => {}
        }
    }
    Ok(())
}

pub(super) fn seeds() -> anyhow::Result<Vec<Vec<u8>>> {
    let mut all: Vec<RawChange> = sample::changes(14);
    // Texts that are hard, times and numbers at their ends, what a newer program adds.
    let hard = [
        "𠀀𪛖𫝆",
        "é e\u{301}",
        "\u{202e}abc",
        "王\u{200b}伟",
        "nul\0",
        "=1+1",
        &"长".repeat(300),
    ];
    for text in hard {
        let mut change = sample::changes(1).remove(0);
        let name = [
            &[0x08, 0x01, 0x12][..],
            &length_of(text.len())?,
            text.as_bytes(),
        ]
        .concat();
        change.body = [&[0x0a][..], &length_of(name.len())?, &name].concat();
        all.push(change);
    }
    let mut newer = sample::changes(1).remove(0);
    newer.header.extend_from_slice(b"\xfa\x7d\x05newer");
    newer.body.extend_from_slice(b"\xfa\x7d\x05newer");
    all.push(newer);
    let mut late = sample::changes(1).remove(0);
    late.header
        .extend_from_slice(b"\x28\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01");
    late.body
        .extend_from_slice(b"\x10\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01");
    all.push(late);
    // A name of 101 characters, and more fields than any kind has.
    let mut long = sample::changes(1).remove(0);
    long.header.extend_from_slice(&[0x32, 101]);
    long.header.extend_from_slice(&[b'a'; 101]);
    let mut many = sample::changes(1).remove(0);
    many.body = (1..=300_u16)
        .flat_map(|number| {
            let [low, high] = [number & 0x7f | 0x80, number >> 7].map(|part| part.to_le_bytes()[0]);
            [0x0a, 3, 0x08, low, high]
        })
        .collect();
    all.extend([long, many]);
    let mut seeds = Vec::new();
    for raw in all {
        let length = u16::try_from(raw.header.len())?;
        seeds.push([&length.to_be_bytes()[..], &raw.header, &raw.body].concat());
    }
    Ok(seeds)
}

/// A length as protobuf writes it.
fn length_of(length: usize) -> anyhow::Result<Vec<u8>> {
    let mut left = u64::try_from(length)?;
    let mut bytes = Vec::new();
    while left >= 0x80 {
        bytes.push(left.to_le_bytes()[0] | 0x80);
        left >>= 7;
    }
    bytes.push(left.to_le_bytes()[0]);
    Ok(bytes)
}
