//! A push, as the hub takes it: sizes, signature, unpacking, and the chain that binds all of it.
//!
//! The first byte of an input says what the rest is: a whole push as it comes over the line, the raw bytes
//! of a batch (packed and signed here, so that changes reach what lies inside), or a size and packed bytes.

use anyhow::ensure;
use domain::change::{RawChange, chain_over, chain_start};
use domain::limits;
use lianxin_hub::authority::{Pushed, read_push};
use lianxin_hub::error::HubError;
use prost::Message as _;
use proto::convert::{self, Invalid};
use proto::status::CallRefused;
use proto::wire::sync as wire;
use store::hub::Node;
use transport::sign::Context;

use super::{note, sample, walk};

const FORGED: &str = "M3 forged authors refused";

/// What an input is.
pub(super) fn check(input: &[u8]) -> anyhow::Result<()> {
    let Some((mode, rest)) = input.split_first() else {
        return Ok(());
    };
    match mode % 3 {
        0 => whole(rest),
        1 => raw(rest),
        _ => packed(rest),
    }
}

/// The seeds: whole pushes, batches, and packed bytes with true and false sizes.
pub(super) fn seeds() -> anyhow::Result<Vec<Vec<u8>>> {
    let mut seeds = Vec::new();
    for changes in sample::batches() {
        let push = sample::push(&changes)?;
        let (packed, raw) = convert::encode_batch(&changes)?;
        seeds.push([&[0][..], &push.encode_to_vec()].concat());
        seeds.push([&[2][..], &raw.to_be_bytes(), &packed].concat());
        seeds.push([&[2][..], &(raw / 2).to_be_bytes(), &packed].concat());
        seeds.push([&[1][..], &encoded(&changes)].concat());
        let erased: Vec<_> = changes.into_iter().map(RawChange::without_body).collect();
        seeds.push([&[1][..], &encoded(&erased)].concat());
    }
    // A thousandfold, many empty changes, groups without an end, a field of a newer program.
    let bomb = zstd::bulk::compress(&vec![0; 2 * limits::BATCH_RAW_BYTES_MAX], 1)?;
    for raw in [limits::BATCH_RAW_BYTES_MAX, 1_000] {
        let raw = u32::try_from(raw)?;
        seeds.push([&[2][..], &raw.to_be_bytes(), &bomb].concat());
    }
    seeds.push([&[1][..], &b"\x0a\x00".repeat(1_500)].concat());
    seeds.push([&[1][..], &[0x0b; 400][..]].concat());
    let mut newer = sample::changes(1);
    for change in &mut newer {
        change.header.extend_from_slice(b"\xfa\x7d\x05newer");
        change.body.extend_from_slice(b"\xfa\x7d\x05newer");
    }
    seeds.push([&[1][..], &encoded(&newer)].concat());
    Ok(seeds)
}

fn encoded(changes: &[RawChange]) -> Vec<u8> {
    let changes = changes.iter().map(|raw| wire::Change {
        header: raw.header.clone().into(),
        salt: match raw.erased {
            None => raw.salt.to_vec().into(),
            Some(_) => Vec::new().into(),
        },
        body: raw.body.clone().into(),
        body_hash: raw
            .erased
            .map(|hash| hash.to_vec())
            .unwrap_or_default()
            .into(),
    });
    wire::ChangeBatch {
        changes: changes.collect(),
    }
    .encode_to_vec()
}

/// A push as it comes: only what the office signed is taken, and only with the changes that it signed.
fn whole(bytes: &[u8]) -> anyhow::Result<()> {
    let node = sample::node()?;
    let taken = note::quickly(|| {
        wire::PushRequest::decode(bytes)
            .ok()
            .map(|push| read_push(&node, push))
    })?;
    let Some(taken) = taken else {
        note::met("calls that are none");
        return Ok(());
    };
    match taken {
        Err(error) => refused(&error),
        Ok(pushed) => {
            let is_followed = follows(&node, &pushed);
            let is_signed = sample::batches().contains(&pushed.changes);
            ensure!(is_signed || !is_followed, "M3: a forged batch was taken");
            if !is_followed {
                note::met(FORGED);
            }
            Ok(())
        }
    }
}

/// Whether the chain is that of the changes: what the hub asks before it stores them
/// (`domain::session::hub::place`).
fn follows(node: &Node, pushed: &Pushed) -> bool {
    pushed.first == 1
        && chain_over(chain_start(node.id, pushed.epoch), &pushed.changes) == pushed.chain
}

fn refused(error: &HubError) -> anyhow::Result<()> {
    match error {
        HubError::Refused(CallRefused::BadSignature) => note::met(FORGED),
        HubError::Invalid(Invalid::TooLarge(_)) => note::met("M4 sizes over the limit refused"),
        _ => {}
    }
    ensure!(error.to_string().len() > 10, "an error that says nothing");
    Ok(())
}

/// The raw bytes of a batch.
fn raw(bytes: &[u8]) -> anyhow::Result<()> {
    let raw_bytes = u32::try_from(bytes.len())?;
    let batch = zstd::bulk::compress(bytes, 1)?;
    let read =
        note::quickly(|| convert::decode_batch(&batch, raw_bytes, limits::BATCH_CHANGES_MAX))?;
    let by_hand = walk::fields(bytes);
    if by_hand
        .as_ref()
        .is_some_and(|(_, odd)| odd.is_overlong || odd.depth > 4)
    {
        note::met("M23 hostile encodings read");
    }
    let changes = match read {
        Ok(changes) => changes,
        Err(Invalid::TooLarge(_)) => {
            note::met("M4 counts over the limit refused");
            return Ok(());
        }
        Err(error) => {
            ensure!(error.to_string().len() > 10, "an error that says nothing");
            return Ok(());
        }
    };
    ensure!(changes.len() <= limits::BATCH_CHANGES_MAX, "M4: too many");
    let (found, _) = by_hand.ok_or_else(|| anyhow::anyhow!("read, though it is no message"))?;
    let there = walk::all(&found, 1);
    ensure!(there.len() == changes.len(), "changes are missing");
    for (change, bytes) in changes.iter().zip(there) {
        let (fields, _) = walk::fields(bytes).unwrap_or_default();
        let is_verbatim = change.header == walk::last(&fields, 1)
            && (change.erased.is_some() || change.body == walk::last(&fields, 3));
        ensure!(is_verbatim, "V2: the bytes are not those that came");
        if walk::has_unknown(&change.header, 13) || walk::has_unknown(&change.body, 3) {
            note::met("V2 unknown fields kept");
        }
    }
    let (again, size) = convert::encode_batch(&changes)?;
    let reread = convert::decode_batch(&again, size, limits::BATCH_CHANGES_MAX)?;
    ensure!(reread == changes, "packed again it is another batch");
    forge(&changes)
}

/// A batch that was signed is taken; with anything of it changed it is not.
fn forge(changes: &[RawChange]) -> anyhow::Result<()> {
    if changes.is_empty() {
        return Ok(());
    }
    let seed = changes
        .iter()
        .fold(blake3::Hasher::new(), |mut hasher, raw| {
            hasher
                .update(&raw.header)
                .update(&raw.salt)
                .update(&raw.body);
            hasher
        });
    let seed = *seed.finalize().as_bytes();
    let mut forged = changes.to_vec();
    alter(&mut forged, seed);
    let chain =
        |changes: &[RawChange]| chain_over(chain_start(sample::NODE, sample::EPOCH), changes);
    ensure!(
        chain(&forged) != chain(changes),
        "M3: the chain does not see it"
    );
    note::met(FORGED);
    // A signature takes long: not each time.
    if seed[4] % 8 != 0 {
        return Ok(());
    }
    let node = sample::node()?;
    let push = sample::push(changes)?;
    if push.batch.len() > limits::BATCH_COMPRESSED_BYTES_MAX {
        return Ok(());
    }
    ensure!(
        read_push(&node, push.clone()).is_ok_and(|pushed| follows(&node, &pushed)),
        "what the office signed is not taken"
    );
    let mut signature = push.signature.to_vec();
    let at = usize::from(seed[5]) % signature.len();
    signature[at] ^= 1 << (seed[6] % 8);
    let text = convert::batch_signature_text(node.id, push.epoch, 1, push.count, &chain(changes));
    let forged = [
        wire::PushRequest {
            signature: signature.into(),
            ..push.clone()
        },
        wire::PushRequest {
            signature: sample::other_key()?
                .sign(Context::Batch, &text)
                .to_vec()
                .into(),
            ..push.clone()
        },
        wire::PushRequest {
            signature: sample::key()?.sign(Context::Digest, &text).to_vec().into(),
            ..push.clone()
        },
        wire::PushRequest {
            epoch: push.epoch + 1,
            ..push.clone()
        },
        wire::PushRequest {
            first_sequence: 1 + u64::from(seed[7]),
            count: push.count + u32::from(seed[7] == 0),
            ..push
        },
    ];
    for push in forged {
        let taken = read_push(&node, push);
        let is_refused = matches!(taken, Err(HubError::Refused(CallRefused::BadSignature)));
        ensure!(
            is_refused || seed[7] == 0 && taken.is_err(),
            "M3: a forged batch was taken"
        );
        note::met(FORGED);
    }
    Ok(())
}

/// Turns one bit of one change, as the seed says.
fn alter(changes: &mut [RawChange], seed: [u8; 32]) {
    let place = usize::from(seed[0]) % changes.len();
    let change = &mut changes[place];
    let bit = 1 << (seed[2] % 8);
    let at = |length: usize| (usize::from(seed[1]) * 256 + usize::from(seed[3])) % length;
    if let Some(hash) = &mut change.erased {
        hash[at(32)] ^= bit;
    } else if seed[3].is_multiple_of(3) && !change.header.is_empty() {
        let at = at(change.header.len());
        change.header[at] ^= bit;
    } else if seed[3] % 3 == 1 && !change.body.is_empty() {
        let at = at(change.body.len());
        change.body[at] ^= bit;
    } else {
        change.salt[at(16)] ^= bit;
    }
}

/// A size, and packed bytes that may be of another.
fn packed(bytes: &[u8]) -> anyhow::Result<()> {
    let Some((size, bytes)) = bytes.split_first_chunk() else {
        return Ok(());
    };
    let size = u32::from_be_bytes(*size);
    let read = note::quickly(|| convert::decode_batch(bytes, size, limits::BATCH_CHANGES_MAX))?;
    let is_over = size as usize > limits::BATCH_RAW_BYTES_MAX;
    match read {
        Ok(changes) => {
            let held: usize = changes
                .iter()
                .map(|raw| raw.header.len() + raw.body.len())
                .sum();
            ensure!(
                held <= size as usize && !is_over,
                "M4: more than was declared"
            );
        }
        Err(_) if is_over => note::met("M4 sizes over the limit refused"),
        Err(_) => note::met("M5 packed bytes of another size refused"),
    }
    Ok(())
}
