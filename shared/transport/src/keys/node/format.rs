//! The text of the key file, version 1: TOML, bytes in lower-case hex, keys and certificates in
//! PEM.

use std::path::Path;

use data_encoding::HEXLOWER;
use serde::{Deserialize, Serialize};

use super::{NodeIdentity, NodeKeys, PendingEnrolment, TlsKey};
use crate::certificate::hex_array;
use crate::code::EnrolmentCode;
use crate::error::TransportError;
use crate::sign::{SigningKey, VerifyingKey};

const VERSION: u32 = 1;
const HEADING: &str = "\
# 连心 节点密钥文件：本机的身份。请勿复制到别的电脑，请勿外发。
# Lianxin node keys: the identity of this computer. Never copy it to another one, never send it.
";

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct KeyFile {
    version: u32,
    identity: Option<Identity>,
    enrolment: Option<Enrolment>,
    renewal: Option<Renewal>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Identity {
    node: String,
    epoch: u32,
    office: String,
    office_code: String,
    office_name: String,
    hub_name: String,
    hub_addresses: Vec<String>,
    hub_key: String,
    signing_seed: String,
    tls_key: String,
    certificates: String,
    root: String,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Enrolment {
    code: String,
    signing_seed: String,
    tls_key: String,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Renewal {
    tls_key: String,
}

pub(super) fn write(path: &Path, keys: &NodeKeys) -> Result<String, TransportError> {
    let enrolment = keys.enrolment.as_ref().map(enrolment_text).transpose()?;
    let file = KeyFile {
        version: VERSION,
        identity: keys.identity.as_ref().map(identity_text),
        enrolment,
        renewal: keys.renewal.as_ref().map(|key| Renewal {
            tls_key: key.pem().to_owned(),
        }),
    };
    let body = toml::to_string_pretty(&file)
        .map_err(|error| TransportError::broken(path, error.to_string()))?;
    Ok(format!("{HEADING}\n{body}"))
}

pub(super) fn read(path: &Path, text: &str) -> Result<NodeKeys, TransportError> {
    let file: Option<KeyFile> = toml::from_str(text).ok();
    let file = file.filter(|file| file.version == VERSION);
    let Some(file) = file else {
        check_version(path, text, VERSION)?;
        // The reason is left general: the parser's own message quotes the line, which is a secret.
        return Err(TransportError::broken(path, "not the expected entries"));
    };
    let broken = |what: &str| TransportError::broken(path, format!("{what} is damaged"));
    Ok(NodeKeys {
        identity: file
            .identity
            .map(|text| read_identity(text).map_err(broken))
            .transpose()?,
        enrolment: file
            .enrolment
            .map(|text| read_enrolment(&text).map_err(broken))
            .transpose()?,
        renewal: file
            .renewal
            .map(|text| TlsKey::from_pem(text.tls_key).ok_or_else(|| broken("renewal.tls_key")))
            .transpose()?,
    })
}

/// Refuses a file of a newer format, whatever else is in it.
pub(in crate::keys) fn check_version(
    path: &Path,
    text: &str,
    known: u32,
) -> Result<(), TransportError> {
    #[derive(Deserialize)]
    struct Only {
        version: u32,
    }
    let only: Only =
        toml::from_str(text).map_err(|_| TransportError::broken(path, "no version in it"))?;
    match only.version {
        0 => Err(TransportError::broken(path, "version 0")),
        version if version > known => Err(TransportError::VersionTooNew {
            path: path.to_owned(),
            found: version,
        }),
        _ => Ok(()),
    }
}

fn identity_text(identity: &NodeIdentity) -> Identity {
    Identity {
        node: HEXLOWER.encode(&identity.node),
        epoch: identity.epoch,
        office: HEXLOWER.encode(&identity.office),
        office_code: identity.office_code.clone(),
        office_name: identity.office_name.clone(),
        hub_name: identity.hub_name.clone(),
        hub_addresses: identity.hub_addresses.clone(),
        hub_key: HEXLOWER.encode(&identity.hub_key.0),
        signing_seed: HEXLOWER.encode(identity.signing_key.seed()),
        tls_key: identity.tls_key.pem().to_owned(),
        certificates: identity.chain_pem.clone(),
        root: identity.root_pem.clone(),
    }
}

fn read_identity(text: Identity) -> Result<NodeIdentity, &'static str> {
    super::leaf_identity(&text.certificates).map_err(|_| "identity.certificates")?;
    crate::certificate::single_certificate(&text.root).map_err(|_| "identity.root")?;
    Ok(NodeIdentity {
        node: hex_array(&text.node).ok_or("identity.node")?,
        epoch: text.epoch,
        office: hex_array(&text.office).ok_or("identity.office")?,
        office_code: text.office_code,
        office_name: text.office_name,
        hub_name: text.hub_name,
        hub_addresses: text.hub_addresses,
        hub_key: VerifyingKey(hex_array(&text.hub_key).ok_or("identity.hub_key")?),
        root_pem: text.root,
        chain_pem: text.certificates,
        tls_key: TlsKey::from_pem(text.tls_key).ok_or("identity.tls_key")?,
        signing_key: signing_key(&text.signing_seed).ok_or("identity.signing_seed")?,
    })
}

fn enrolment_text(pending: &PendingEnrolment) -> Result<Enrolment, TransportError> {
    Ok(Enrolment {
        code: pending.code.text()?,
        signing_seed: HEXLOWER.encode(pending.signing_key.seed()),
        tls_key: pending.tls_key.pem().to_owned(),
    })
}

fn read_enrolment(text: &Enrolment) -> Result<PendingEnrolment, &'static str> {
    Ok(PendingEnrolment {
        code: EnrolmentCode::parse(&text.code).map_err(|_| "enrolment.code")?,
        tls_key: TlsKey::from_pem(text.tls_key.clone()).ok_or("enrolment.tls_key")?,
        signing_key: signing_key(&text.signing_seed).ok_or("enrolment.signing_seed")?,
    })
}

fn signing_key(seed: &str) -> Option<SigningKey> {
    SigningKey::from_seed(hex_array(seed)?).ok()
}
