//! Greetings and what stands around them, at the served hub: Hello, Checkpoints, Enroll, Renew.
//!
//! The first byte of an input says which call the rest is.

use anyhow::ensure;
use prost::Message as _;
use prost::bytes::Bytes;
use proto::wire::enrolment::EnrollRequest;
use proto::wire::sync as wire;
use tonic::Code;
use transport::keys::TlsKey;

use super::{note, served};

pub(super) fn check(input: &[u8]) -> anyhow::Result<()> {
    let Some((mode, rest)) = input.split_first() else {
        return Ok(());
    };
    match mode % 4 {
        0 => hello(rest),
        1 => checkpoints(rest),
        2 => enroll(rest),
        _ => renew(rest),
    }
}

fn hello(message: &[u8]) -> anyhow::Result<()> {
    let answer = served::call::<wire::HelloRequest>("/lianxin.sync.v1.Sync/Hello", message)?;
    if answer.status.code() != Code::Ok {
        return Ok(());
    }
    for bytes in answer.messages {
        let said = wire::HelloResponse::decode(bytes)?;
        ensure!(
            said.standing() != wire::Standing::Unspecified,
            "a greeting without a standing"
        );
        ensure!(
            said.incarnation == served::known()?.incarnation[..],
            "another hub"
        );
        let is_of = said.received.is_some_and(|head| head.chain.len() == 32);
        ensure!(is_of, "a head without a chain");
        note::met("greetings answered");
    }
    let asked = wire::HelloRequest::decode(message)?;
    let head = asked.head.unwrap_or_default();
    if head.sequence.max(asked.clock) > i64::MAX as u64 {
        note::met("D18 extreme greetings answered");
    }
    Ok(())
}

fn checkpoints(message: &[u8]) -> anyhow::Result<()> {
    let path = "/lianxin.sync.v1.Sync/Checkpoints";
    let answer = served::call::<wire::CheckpointsRequest>(path, message)?;
    for bytes in answer.messages {
        let said = wire::CheckpointsResponse::decode(bytes)?;
        let asked = wire::CheckpointsRequest::decode(message)?;
        let is_asked = |head: &wire::Head| asked.sequences.contains(&head.sequence);
        ensure!(
            said.heads.len() <= 64 && said.heads.iter().all(is_asked),
            "S9: {said:?}"
        );
    }
    Ok(())
}

/// No code was given out, so nobody is enrolled.
fn enroll(message: &[u8]) -> anyhow::Result<()> {
    let path = "/lianxin.enrolment.v1.Enrolment/Enroll";
    let answer = served::call::<EnrollRequest>(path, message)?;
    ensure!(
        answer.status.code() != Code::Ok,
        "M17: enrolled without a code"
    );
    note::met("M17 enrolments without a code refused");
    Ok(())
}

/// Only a request that is signed by its own key gives a certificate, and it names the same office.
fn renew(message: &[u8]) -> anyhow::Result<()> {
    let answer = served::call::<wire::RenewRequest>("/lianxin.sync.v1.Sync/Renew", message)?;
    let known = served::known()?;
    for bytes in answer.messages {
        let chain = wire::RenewResponse::decode(bytes)?.certificate_chain;
        let leaf = transport::certificate::certificates_of(&chain)?;
        let leaf = leaf
            .first()
            .map(|der| der.as_ref().to_vec())
            .unwrap_or_default();
        let named = transport::certificate::PeerIdentity::from_certificate(&leaf)?;
        let is_same = (named.office, named.node) == (known.office, known.node);
        ensure!(is_same, "M1: a certificate of another office");
        note::met("certificates renewed");
    }
    Ok(())
}

pub(super) fn seeds() -> anyhow::Result<Vec<Vec<u8>>> {
    let known = served::known()?;
    let incarnation = Bytes::copy_from_slice(&known.incarnation);
    let mut seeds = Vec::new();
    for sequence in [0, 1, 40, u64::MAX] {
        let head = wire::Head {
            sequence,
            chain: Bytes::from_static(&[1; 32]),
        };
        let lease = wire::Lease {
            year: 2026,
            first: 1,
            end: 101,
            next: 4,
            issuer: Bytes::copy_from_slice(&known.office),
        };
        let hello = wire::HelloRequest {
            epoch: 1,
            head: Some(head.clone()),
            confirmed_nonce: Bytes::new(),
            proposed_nonce: Bytes::from_static(&[2; 16]),
            incarnation: incarnation.clone(),
            acknowledged: Some(head),
            leases: vec![lease; 2],
            schema: 1,
            clock: sequence,
            version: "0.1.0".to_owned(),
            waiting: sequence,
            held: vec![wire::Held {
                feed: "city".to_owned(),
                proof: Some(wire::Proof {
                    incarnation: incarnation.clone(),
                    sequence,
                    sum: Bytes::from_static(&[3; 32]),
                    count: 2,
                    hub_signature: Bytes::from_static(&[4; 64]),
                    ..wire::Proof::default()
                }),
            }],
        };
        seeds.push([&[0][..], &hello.encode_to_vec()].concat());
        let asked = wire::CheckpointsRequest {
            epoch: 1,
            sequences: vec![0, 1, 2, sequence],
            ..wire::CheckpointsRequest::default()
        };
        seeds.push([&[1][..], &asked.encode_to_vec()].concat());
    }
    let request = Bytes::from(TlsKey::generate()?.request_der()?);
    let enroll = EnrollRequest {
        secret: Bytes::from_static(&[9; 16]),
        signing_request: request.clone(),
        verifying_key: Bytes::from_static(&[8; 32]),
        machine: "电脑".to_owned(),
        version: "0.1.0".to_owned(),
    };
    seeds.push([&[2][..], &enroll.encode_to_vec()].concat());
    let renew = wire::RenewRequest {
        signing_request: request,
    };
    seeds.push([&[3][..], &renew.encode_to_vec()].concat());
    Ok(seeds)
}
