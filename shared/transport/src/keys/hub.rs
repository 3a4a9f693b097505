//! The hub's keys: a small private certificate authority, a signing key and a secret for hashes.
//!
//! ```text
//! keys/root.pem          the root's certificate; every node pins it
//! keys/root.key          its private key; may be taken offline after init
//! keys/intermediate.pem  certificate and private key of what issues the offices' certificates
//! keys/server.pem        private key and chain (server leaf, intermediate, root) of this hub
//! keys/hub.toml          name, signing seed, claim secret
//! ```
//!
//! A certificate and its key share a file wherever both change together, so that one rename
//! replaces both. Everything but [`HubIdentity::renew_intermediate`] works without `root.key`.

use std::fs;
use std::path::{Path, PathBuf};

use rcgen::KeyPair;
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use serde::{Deserialize, Serialize};

use crate::certificate::issue::{self, Authority, Made};
use crate::certificate::{self, IssuedLeaf, LeafRequest, Life};
use crate::error::TransportError;
use crate::file;
use crate::sign::{SigningKey, VerifyingKey};

const ROOT: &str = "root.pem";
const ROOT_KEY: &str = "root.key";
const INTERMEDIATE: &str = "intermediate.pem";
const SERVER: &str = "server.pem";
const SETTINGS: &str = "hub.toml";

const VERSION: u32 = 1;
const NAME_CHARACTERS_MAX: usize = 40;
const SECONDS_PER_DAY: i64 = 86_400;
/// The server leaf is made anew at a start with fewer days left.
const SERVER_DAYS_LEFT: i64 = 60;
/// The intermediate should be made anew with fewer days left: more than any leaf lives.
const INTERMEDIATE_DAYS_LEFT: i64 = 2 * 365;

/// The hub's identity, loaded. `Debug` shows the name and the folder only.
pub struct HubIdentity {
    folder: PathBuf,
    settings: Settings,
    root_pem: String,
    root_hash: [u8; 32],
    issuing: Authority,
    server_pem: String,
    signing: SigningKey,
    claim_secret: [u8; 32],
}

/// `hub.toml`.
#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Settings {
    version: u32,
    name: String,
    hosts: Vec<String>,
    signing_seed: String,
    claim_secret: String,
}

impl HubIdentity {
    /// Makes all keys of a new hub (`init`) in `folder`, which must not exist. All of it appears at
    /// once or not at all.
    ///
    /// `name` (1 to 40 characters) is what offices see; `hosts` are DNS names and IP addresses
    /// under which clients other than our nodes verify the hub (may be empty).
    ///
    /// Errors: `KeysExist`, `FieldInvalid`, `ClockImplausible`, `File`, `Crypto`.
    pub fn create(
        folder: &Path,
        name: &str,
        hosts: &[String],
        now_unix_ms: i64,
    ) -> Result<Self, TransportError> {
        check_name(name)?;
        if folder.exists() {
            return Err(TransportError::KeysExist {
                path: folder.to_owned(),
            });
        }
        let root = issue::root(name, now_unix_ms)?;
        let (root_pem, root_key_pem) = (root.certificate_pem.clone(), root.key.serialize_pem());
        let root_authority = Authority::new(root.certificate_pem, root.key)?;
        let intermediate = root_authority.intermediate(name, now_unix_ms)?;
        let intermediate_pem = with_key(&intermediate);
        let issuing = Authority::new(intermediate.certificate_pem, intermediate.key)?;
        let settings = Settings {
            version: VERSION,
            name: name.to_owned(),
            hosts: hosts.to_vec(),
            signing_seed: data_encoding::HEXLOWER.encode(SigningKey::generate()?.seed()),
            claim_secret: data_encoding::HEXLOWER.encode(&crate::sign::random::<32>()?),
        };
        let server_pem = server_pem(&issuing, hosts, &root_pem, now_unix_ms)?;

        // Written beside and renamed: a power cut leaves no half of a hub.
        let beside = folder.with_extension("init");
        if beside.exists() {
            fs::remove_dir_all(&beside).map_err(TransportError::file(&beside, "remove"))?;
        }
        file::create_private_folder(&beside)?;
        file::write_atomic(&beside.join(ROOT), &root_pem)?;
        file::write_atomic(&beside.join(ROOT_KEY), &root_key_pem)?;
        file::write_atomic(&beside.join(INTERMEDIATE), &intermediate_pem)?;
        file::write_atomic(&beside.join(SERVER), &server_pem)?;
        file::write_atomic(&beside.join(SETTINGS), &settings.text(&beside)?)?;
        fs::rename(&beside, folder).map_err(TransportError::file(folder, "create"))?;
        file::sync_folder_of(folder)?;
        Self::load(folder)
    }

    /// Loads the keys of an existing hub.
    ///
    /// Errors: `KeysMissing` if the folder is not there, `KeyFileBroken` naming the file that is
    /// missing or damaged, `VersionTooNew`, `File`.
    pub fn load(folder: &Path) -> Result<Self, TransportError> {
        if !folder.exists() {
            return Err(TransportError::KeysMissing {
                path: folder.to_owned(),
            });
        }
        let settings_path = folder.join(SETTINGS);
        let settings = Settings::parse(&settings_path, &required(&settings_path)?)?;
        let hex = |text: &str| {
            let broken = || TransportError::broken(&settings_path, "a key is not 64 hex digits");
            certificate::hex_array::<32>(text).ok_or_else(broken)
        };
        let root_path = folder.join(ROOT);
        let root_pem = required(&root_path)?;
        let root_hash = certificate::single_certificate(&root_pem)
            .and_then(|der| certificate::root_hash(&der))
            .map_err(|error| TransportError::broken(&root_path, error.to_string()))?;
        let server_path = folder.join(SERVER);
        let server_pem = required(&server_path)?;
        server_parts(&server_path, &server_pem)?;
        Ok(Self {
            folder: folder.to_owned(),
            issuing: load_authority(&folder.join(INTERMEDIATE))?,
            signing: SigningKey::from_seed(hex(&settings.signing_seed)?)?,
            claim_secret: hex(&settings.claim_secret)?,
            settings,
            root_pem,
            root_hash,
            server_pem,
        })
    }

    /// The hub's name, as offices see it.
    pub fn name(&self) -> &str {
        &self.settings.name
    }

    /// The root's certificate, PEM; public.
    pub fn root_pem(&self) -> &str {
        &self.root_pem
    }

    /// SHA-256 of the root's public key, as it stands in enrolment codes.
    pub fn root_hash(&self) -> [u8; 32] {
        self.root_hash
    }

    /// The key that signs decisions, the hub's journal and digests.
    pub fn signing_key(&self) -> &SigningKey {
        &self.signing
    }

    /// Its public half, which every node stores at enrolment.
    pub fn verifying_key(&self) -> VerifyingKey {
        self.signing.verifying_key()
    }

    /// A hash of `value` that only this hub can compute: equal values have equal hashes, and nobody
    /// without the secret can try out values (identity numbers have few).
    pub fn claim_hash(&self, value: &[u8]) -> [u8; 32] {
        *blake3::keyed_hash(&self.claim_secret, value).as_bytes()
    }

    /// True while the root's private key lies in the folder.
    pub fn has_root_key(&self) -> bool {
        self.folder.join(ROOT_KEY).exists()
    }

    /// Issues an office's certificate for 180 days, or until the intermediate ends.
    ///
    /// Errors: `RequestInvalid` if the node's request is not signed with its own P-256 key,
    /// `ClockImplausible`.
    pub fn issue(
        &self,
        request: &LeafRequest<'_>,
        now_unix_ms: i64,
    ) -> Result<IssuedLeaf, TransportError> {
        self.issuing.office(request, now_unix_ms)
    }

    /// Issues the successor of an office's certificate: it begins later than every one that the node has
    /// used (`used_from_s`, seconds since 1970), so that of two certificates of a node it is always known
    /// which is the newer. The hub's clock may have been set back since.
    ///
    /// Errors: as [`Self::issue`].
    pub fn renew(
        &self,
        request: &LeafRequest<'_>,
        used_from_s: i64,
        now_unix_ms: i64,
    ) -> Result<IssuedLeaf, TransportError> {
        let after = (used_from_s + issue::BACKDATED_S + 1) * 1000;
        self.issuing.office(request, now_unix_ms.max(after))
    }

    /// The host names and addresses for which the server answers.
    pub fn hosts(&self) -> &[String] {
        &self.settings.hosts
    }

    /// Makes the server leaf anew if it has fewer than 60 days left or `hosts` have changed. To be
    /// called at every start. Returns whether it did.
    ///
    /// Errors: `FieldInvalid` for a host that is no name or address, `ClockImplausible`, `File`.
    pub fn refresh_server(
        &mut self,
        hosts: &[String],
        now_unix_ms: i64,
    ) -> Result<bool, TransportError> {
        let (chain, _) = self.server_chain()?;
        let ends_s = chain
            .first()
            .map_or(Ok(0), |leaf| Life::of(leaf).map(|life| life.to_s))?;
        let fresh = ends_s - now_unix_ms / 1000 >= SERVER_DAYS_LEFT * SECONDS_PER_DAY;
        if fresh && self.settings.hosts == hosts {
            return Ok(false);
        }
        self.replace_server(hosts, now_unix_ms)?;
        Ok(true)
    }

    /// True if the intermediate has fewer than two years left: time to fetch the root key.
    pub fn intermediate_needs_renewal(&self, now_unix_ms: i64) -> bool {
        let ends_s = self.issuing.ends_unix_s().unwrap_or(0);
        ends_s - now_unix_ms / 1000 < INTERMEDIATE_DAYS_LEFT * SECONDS_PER_DAY
    }

    /// Makes a new intermediate, and with it a new server leaf. Certificates issued under the old
    /// one stay valid: nodes present their whole chain.
    ///
    /// Errors: `RootKeyOffline` if `root.key` is not there, `KeyFileBroken`, `File`.
    pub fn renew_intermediate(&mut self, now_unix_ms: i64) -> Result<(), TransportError> {
        let key_path = self.folder.join(ROOT_KEY);
        let Some(key_pem) = file::read(&key_path)? else {
            return Err(TransportError::RootKeyOffline { path: key_path });
        };
        let key = KeyPair::from_pem(&key_pem)
            .map_err(|_| TransportError::broken(&key_path, "not a private key"))?;
        let root = Authority::new(self.root_pem.clone(), key)
            .map_err(|error| TransportError::broken(&key_path, error.to_string()))?;
        let made = root.intermediate(&self.settings.name, now_unix_ms)?;
        file::write_atomic(&self.folder.join(INTERMEDIATE), &with_key(&made))?;
        self.issuing = Authority::new(made.certificate_pem, made.key)?;
        let hosts = self.settings.hosts.clone();
        self.replace_server(&hosts, now_unix_ms)
    }

    /// The chain that the server presents (leaf, intermediate, root) and its private key.
    pub(crate) fn server_chain(&self) -> Result<ServerParts, TransportError> {
        server_parts(&self.folder.join(SERVER), &self.server_pem)
    }

    fn replace_server(&mut self, hosts: &[String], now_unix_ms: i64) -> Result<(), TransportError> {
        let pem = server_pem(&self.issuing, hosts, &self.root_pem, now_unix_ms)?;
        file::write_atomic(&self.folder.join(SERVER), &pem)?;
        self.server_pem = pem;
        if self.settings.hosts != hosts {
            let settings = Settings {
                hosts: hosts.to_vec(),
                ..self.settings.clone()
            };
            let path = self.folder.join(SETTINGS);
            file::write_atomic(&path, &settings.text(&path)?)?;
            self.settings = settings;
        }
        Ok(())
    }
}

impl std::fmt::Debug for HubIdentity {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("HubIdentity")
            .field("folder", &self.folder)
            .field("name", &self.settings.name)
            .finish_non_exhaustive()
    }
}

impl Settings {
    fn text(&self, path: &Path) -> Result<String, TransportError> {
        toml::to_string_pretty(self)
            .map_err(|error| TransportError::broken(path, error.to_string()))
    }

    fn parse(path: &Path, text: &str) -> Result<Self, TransportError> {
        super::node::check_version(path, text, VERSION)?;
        // The reason is left general: the parser's own message quotes the line, which is a secret.
        toml::from_str(text).map_err(|_| TransportError::broken(path, "not the expected entries"))
    }
}

type ServerParts = (Vec<CertificateDer<'static>>, PrivateKeyDer<'static>);

fn server_parts(path: &Path, pem: &str) -> Result<ServerParts, TransportError> {
    let chain = certificate::certificates_of(pem)
        .map_err(|error| TransportError::broken(path, error.to_string()))?;
    let key = PrivateKeyDer::from_pem_slice(pem.as_bytes())
        .map_err(|_| TransportError::broken(path, "no private key in it"))?;
    if chain.len() < 3 {
        return Err(TransportError::broken(path, "certificates are missing"));
    }
    Ok((chain, key))
}

fn server_pem(
    issuing: &Authority,
    hosts: &[String],
    root_pem: &str,
    now_unix_ms: i64,
) -> Result<String, TransportError> {
    let server = issuing.server(hosts, now_unix_ms)?;
    Ok([&with_key(&server), issuing.pem(), root_pem].concat())
}

fn with_key(made: &Made) -> String {
    made.key.serialize_pem() + &made.certificate_pem
}

fn load_authority(path: &Path) -> Result<Authority, TransportError> {
    let text = required(path)?;
    let at = text
        .find("-----BEGIN CERTIFICATE-----")
        .unwrap_or(text.len());
    let (key_pem, certificate_pem) = text.split_at(at);
    let key = KeyPair::from_pem(key_pem)
        .map_err(|_| TransportError::broken(path, "no private key in it"))?;
    Authority::new(certificate_pem.to_owned(), key)
        .map_err(|error| TransportError::broken(path, error.to_string()))
}

fn required(path: &Path) -> Result<String, TransportError> {
    file::read(path)?.ok_or_else(|| TransportError::broken(path, "the file is missing"))
}

fn check_name(name: &str) -> Result<(), TransportError> {
    let characters = name.chars().count();
    if characters == 0 || characters > NAME_CHARACTERS_MAX || name.chars().any(char::is_control) {
        let reason = "must have 1 to 40 characters on one line";
        return Err(TransportError::FieldInvalid {
            what: "hub name",
            reason,
        });
    }
    Ok(())
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests;
