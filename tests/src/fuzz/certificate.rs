//! Certificates and requests for them, as the hub reads them of whoever connects.
//!
//! The first byte of an input says whether the rest is a certificate, a request, or a PEM text.

use anyhow::{Context as _, ensure};
use transport::certificate::{
    PeerIdentity, Validity, certificates_of, request_public_key, root_hash,
};
use transport::keys::{HubIdentity, TlsKey};

use super::note;
use crate::simulation::world::BEGIN_MS;

pub(super) fn check(input: &[u8]) -> anyhow::Result<()> {
    let Some((mode, rest)) = input.split_first() else {
        return Ok(());
    };
    match mode % 3 {
        0 => certificate(rest),
        1 => request(rest),
        _ => {
            let text = String::from_utf8_lossy(rest);
            match note::quickly(|| certificates_of(&text))? {
                Ok(found) => found.iter().try_for_each(|der| certificate(der)),
                Err(error) => ensured(&error.text_zh()),
            }
        }
    }
}

fn ensured(said: &str) -> anyhow::Result<()> {
    ensure!(said.chars().count() > 6, "an error that says nothing");
    note::met("certificates that are none refused");
    Ok(())
}

fn certificate(der: &[u8]) -> anyhow::Result<()> {
    // Never fails otherwise than by an answer.
    drop(note::quickly(|| root_hash(der))?);
    let peer = match note::quickly(|| PeerIdentity::from_certificate(der))? {
        Ok(peer) => peer,
        Err(error) => return ensured(&error.text_zh()),
    };
    let (from, to) = (peer.not_before_unix_s, peer.not_after_unix_s);
    for now in [i64::MIN, 0, i64::MAX] {
        let now_s = now.div_euclid(1000);
        let expected = if now_s < from {
            Validity::NotYetValid
        } else if now_s > to {
            Validity::Expired
        } else {
            Validity::Valid
        };
        ensure!(peer.validity(now) == expected, "D18: validity at {now}");
        let renews = peer.needs_renewal(now);
        ensure!(renews || now < i64::MAX, "D18: never renewed");
    }
    note::met("certificates read");
    Ok(())
}

fn request(der: &[u8]) -> anyhow::Result<()> {
    match note::quickly(|| request_public_key(der))? {
        Ok(key) => {
            // It was signed by its own key: with the key's own bytes changed it is not.
            let at = der.windows(key.len()).position(|window| window == key);
            let at = at.context("the key stands in the request")? + key.len() - 1;
            let mut forged = der.to_vec();
            forged[at] ^= 1;
            ensure!(
                request_public_key(&forged).is_err(),
                "M3: a request signed by nobody"
            );
            note::met("M3 forged requests refused");
            Ok(())
        }
        Err(error) => ensured(&error.text_zh()),
    }
}

pub(super) fn seeds() -> anyhow::Result<Vec<Vec<u8>>> {
    let folder = tempfile::tempdir()?;
    let now = BEGIN_MS.cast_signed();
    let identity = HubIdentity::create(&folder.path().join("keys"), "模拟中心", &[], now)?;
    let mut seeds = Vec::new();
    for number in 1..=4_u8 {
        let request_der = TlsKey::generate()?.request_der()?;
        let leaf = identity.issue(
            &transport::certificate::LeafRequest {
                office: [number; 16],
                office_code: "350102001001",
                node: [number + 1; 16],
                enrolment: [number + 2; 16],
                request_der: &request_der,
            },
            now,
        )?;
        for der in certificates_of(&leaf.chain_pem)? {
            seeds.push([&[0][..], &der].concat());
        }
        seeds.push([&[1][..], &request_der].concat());
        seeds.push([&[2][..], leaf.chain_pem.as_bytes()].concat());
    }
    for der in certificates_of(identity.root_pem())? {
        seeds.push([&[0][..], &der].concat());
    }
    Ok(seeds)
}
