//! Ranges of digests: what a node asks of the hub and states to it, and what it reads of the answer.
//!
//! The first byte of an input says whether the rest is a `ReconcileRequest`, at the served hub, or a
//! `ReconcileResponse`, at a node.

use anyhow::ensure;
use domain::digest::{Below, Digest, NIBBLES, describe, differing, is_below};
use domain::id::RecordId;
use domain::record::RecordKey;
use prost::Message as _;
use prost::bytes::Bytes;
use proto::convert::{self, FeedRow};
use proto::wire::sync as wire;
use tonic::Code;

use super::{note, sample, served};

const RECONCILE: &str = "/lianxin.sync.v1.Sync/Reconcile";

/// More fields than a message may have.
const MANY: usize = 20_000;

pub(super) fn check(input: &[u8]) -> anyhow::Result<()> {
    match input.split_first() {
        Some((mode, rest)) if mode % 2 == 0 => at_hub(rest),
        Some((_, rest)) => at_node(rest),
        None => Ok(()),
    }
}

fn at_hub(message: &[u8]) -> anyhow::Result<()> {
    let known = served::known()?;
    let answer = served::call::<wire::ReconcileRequest>(RECONCILE, message)?;
    if answer.status.code() != Code::Ok {
        return Ok(());
    }
    let asked = wire::ReconcileRequest::decode(message)?;
    let count = asked.prefixes.len() + asked.wanted.len() + asked.gone.len() + asked.erased.len();
    ensure!(count < MANY, "M4: {count} elements are answered");
    ensure!(
        super::cursor::feeds(&known).contains(&asked.feed),
        "M1: {}",
        asked.feed
    );
    // Nothing that is signed can be right: the office's key is not known here.
    ensure!(
        asked.equality.is_none(),
        "M3: a certificate that nobody signed"
    );
    ensure!(
        asked.erased.is_empty(),
        "M3: a statement that nobody signed"
    );
    for bytes in answer.messages {
        let said = wire::ReconcileResponse::decode(bytes)?;
        ensure!(
            said.adopted == 0,
            "M3: rows were taken back without a proof"
        );
        for below in said.below {
            ensure!(
                asked.prefixes.contains(&below.prefix),
                "a prefix that was not asked for"
            );
            // One that no place has is answered with nothing.
            if let Ok((prefix, found)) = convert::decode_below(below.clone()) {
                ensure!(
                    convert::encode_below(&prefix, &found) == below,
                    "read otherwise"
                );
            } else {
                ensure!(
                    below.rows.is_empty() && below.children.is_empty(),
                    "rows without a place"
                );
            }
            note::met("prefixes described");
        }
    }
    Ok(())
}

fn rows() -> Vec<(RecordKey, [u8; 32])> {
    let row = |n: u8| {
        let id = RecordId::new([n; 16]);
        (RecordKey { kind: 2, id }, [n; 32])
    };
    (0..120).map(row).collect()
}

fn at_node(message: &[u8]) -> anyhow::Result<()> {
    let Ok(said) = note::quickly(|| wire::ReconcileResponse::decode(message))? else {
        note::met("calls that are none");
        return Ok(());
    };
    let own = rows();
    for below in said.below.into_iter().take(256) {
        let read = note::quickly(|| convert::decode_below(below.clone()))?;
        let Ok((prefix, theirs)) = read else {
            note::met("digest ranges refused");
            continue;
        };
        ensure!(prefix.len() <= NIBBLES, "M23: a prefix that no place has");
        compared(&prefix, &theirs, &own)?;
    }
    for row in said.rows {
        if let Ok(FeedRow::State(record)) = convert::decode_row(row) {
            let again = convert::decode_row(convert::encode_row(&FeedRow::State(record.clone())));
            ensure!(again == Ok(FeedRow::State(record)), "another row");
        }
    }
    Ok(())
}

/// What differs is found, a descent goes deeper each time, and what is equal is left alone.
fn compared(prefix: &[u8], theirs: &Below, own: &[(RecordKey, [u8; 32])]) -> anyhow::Result<()> {
    let inside = own.iter().filter(|(key, _)| is_below(*key, prefix));
    let inside: Vec<_> = inside.copied().collect();
    let found = note::quickly(|| differing(prefix, theirs, &inside))?;
    let is_deeper =
        |longer: &Vec<u8>| longer.len() == prefix.len() + 1 && longer.starts_with(prefix);
    ensure!(
        found.prefixes.iter().all(is_deeper),
        "M23: a descent without an end"
    );
    ensure!(
        found.prefixes.len() <= 16,
        "M4: more prefixes than there are"
    );
    match theirs {
        Below::Rows(rows) => {
            for (key, hash) in rows {
                let is_own = inside.contains(&(*key, *hash));
                ensure!(
                    is_own || found.records.contains(key),
                    "S13: a difference is not seen"
                );
            }
            for (key, hash) in &inside {
                let is_theirs = rows.contains(&(*key, *hash));
                ensure!(
                    is_theirs || found.records.contains(key),
                    "S13: a row is not seen"
                );
            }
        }
        Below::Children(children) => {
            let same = describe_children(prefix, &inside);
            let unlike = children
                .iter()
                .zip(&same)
                .filter(|(one, other)| one != other);
            ensure!(
                unlike.count() == found.prefixes.len(),
                "S13: a child is not seen"
            );
        }
    }
    note::met("digest ranges compared");
    Ok(())
}

/// The sixteen digests below a prefix, reckoned another way: each child as the difference of sums.
fn describe_children(prefix: &[u8], inside: &[(RecordKey, [u8; 32])]) -> Vec<Digest> {
    let of = |nibble: u8| {
        let longer = [prefix, &[nibble]].concat();
        let mut digest = Digest::default();
        for (_, hash) in inside {
            digest.add(hash);
        }
        for (_, hash) in inside.iter().filter(|(key, _)| !is_below(*key, &longer)) {
            digest.remove(hash);
        }
        digest
    };
    (0..16).map(of).collect()
}

pub(super) fn seeds() -> anyhow::Result<Vec<Vec<u8>>> {
    let known = served::known()?;
    let own = rows();
    let mut seeds = Vec::new();
    for prefix in [&[][..], &[3], &[15, 0], &[1; 64]] {
        let inside = own.iter().filter(|(key, _)| is_below(*key, prefix));
        let inside: Vec<_> = inside.copied().collect();
        let response = wire::ReconcileResponse {
            below: vec![convert::encode_below(
                prefix,
                &describe(prefix.len(), &inside),
            )],
            rows: vec![convert::encode_row(&FeedRow::State(sample::record(1)))],
            adopted: 0,
            answered: 1,
            damaged: own
                .first()
                .map(|(key, _)| convert::encode_key(*key))
                .into_iter()
                .collect(),
        };
        seeds.push([&[1][..], &response.encode_to_vec()].concat());
        for feed in super::cursor::feeds(&known) {
            seeds.push([&[0][..], &request(&known, feed, prefix)?.encode_to_vec()].concat());
        }
    }
    let [feed, _] = super::cursor::feeds(&known);
    let signed = wire::ReconcileRequest {
        equality: Some(wire::Equality {
            sequence: u64::MAX,
            sum: Bytes::from_static(&[1; 32]),
            count: u64::MAX,
            signature: Bytes::from_static(&[2; 64]),
        }),
        proof: Some(wire::Proof {
            incarnation: Bytes::from_static(&[3; 16]),
            sequence: u64::MAX,
            sum: Bytes::from_static(&[1; 32]),
            count: 1,
            hub_signature: Bytes::from_static(&[2; 64]),
            epoch: 1,
            decided_through: u64::MAX,
            decided_signature: Bytes::from_static(&[2; 64]),
            decided_chain: Bytes::from_static(&[3; 32]),
        }),
        erased: vec![wire::Erased {
            epoch: 1,
            kind: 2,
            record: Bytes::from_static(&[4; 16]),
            at: u64::MAX,
            changes: 1,
            digest: Bytes::from_static(&[1; 32]),
            signature: Bytes::from_static(&[2; 64]),
        }],
        ..request(&known, feed, &[])?
    };
    for part in 0..3 {
        let mut one = signed.clone();
        match part {
            0 => (one.proof, one.erased) = (None, Vec::new()),
            1 => (one.equality, one.erased) = (None, Vec::new()),
            _ => (one.equality, one.proof) = (None, None),
        }
        seeds.push([&[0][..], &one.encode_to_vec()].concat());
    }
    // Only a report of what a restored hub lacks names what has left.
    let gone = wire::ReconcileRequest {
        gone: vec![convert::encode_key(sample::record(3).key)],
        ..request(&known, super::cursor::feeds(&known)[1].clone(), &[])?
    };
    seeds.push([&[0][..], &gone.encode_to_vec()].concat());
    // Rows without a name, more than any call asks for.
    seeds.push([&[0][..], &[4 << 3 | 2, 0].repeat(MANY)].concat());
    Ok(seeds)
}

fn request(
    known: &served::Known,
    feed: String,
    prefix: &[u8],
) -> anyhow::Result<wire::ReconcileRequest> {
    let (offered, offered_raw_bytes) = convert::encode_rows(&[FeedRow::State(sample::record(2))])?;
    Ok(wire::ReconcileRequest {
        incarnation: Bytes::copy_from_slice(&known.incarnation),
        epoch: 1,
        feed,
        prefixes: vec![Bytes::copy_from_slice(prefix)],
        wanted: vec![convert::encode_key(sample::record(1).key)],
        offered: offered.into(),
        offered_raw_bytes,
        ..wire::ReconcileRequest::default()
    })
}
