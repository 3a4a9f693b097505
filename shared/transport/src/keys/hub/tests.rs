use super::*;
use crate::certificate::issue::request_der;
use crate::certificate::{PeerIdentity, request_public_key};

const NOW_MS: i64 = 1_800_000_000_000;
const DAY_MS: i64 = 86_400_000;

fn new_hub() -> (tempfile::TempDir, HubIdentity) {
    let folder = tempfile::tempdir().unwrap();
    let hosts = [
        "hub.example.cn".to_owned(),
        "10.0.0.5".to_owned(),
        "::1".to_owned(),
    ];
    let hub = HubIdentity::create(&folder.path().join("keys"), "District", &hosts, NOW_MS).unwrap();
    (folder, hub)
}

fn request(der: &[u8]) -> LeafRequest<'_> {
    LeafRequest {
        office: [1; 16],
        office_code: "CY-0042",
        node: [2; 16],
        enrolment: [3; 16],
        request_der: der,
    }
}

#[test]
fn a_hub_loads_as_it_was_created_and_is_never_overwritten() {
    let (folder, hub) = new_hub();
    let path = folder.path().join("keys");
    let loaded = HubIdentity::load(&path).unwrap();
    assert_eq!(loaded.root_hash(), hub.root_hash());
    assert_eq!(loaded.verifying_key(), hub.verifying_key());
    assert_eq!(loaded.claim_hash(b"x"), hub.claim_hash(b"x"));
    assert_ne!(loaded.claim_hash(b"x"), hub.claim_hash(b"y"));
    let again = HubIdentity::create(&path, "Other", &[], NOW_MS).unwrap_err();
    assert!(matches!(again, TransportError::KeysExist { .. }));
    let missing = HubIdentity::load(&folder.path().join("other")).unwrap_err();
    assert!(matches!(missing, TransportError::KeysMissing { .. }));
    assert!(!format!("{hub:?}").contains("secret"));
}

#[test]
fn a_missing_or_damaged_file_is_named() {
    for name in [ROOT, INTERMEDIATE, SERVER, SETTINGS] {
        let (folder, _) = new_hub();
        let path = folder.path().join("keys");
        let whole = fs::read_to_string(path.join(name)).unwrap();
        for text in [None, Some(&whole[..whole.len() / 2]), Some("")] {
            match text {
                Some(text) => fs::write(path.join(name), text).unwrap(),
                None => fs::remove_file(path.join(name)).unwrap(),
            }
            let error = HubIdentity::load(&path).unwrap_err();
            assert!(
                matches!(&error, TransportError::KeyFileBroken { path, .. } if path.ends_with(name)),
                "{name}: {error}"
            );
        }
    }
}

#[test]
fn a_creation_that_was_cut_off_starts_again() {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("keys.init")).unwrap();
    fs::write(folder.path().join("keys.init").join(ROOT), "half").unwrap();
    HubIdentity::create(&folder.path().join("keys"), "District", &[], NOW_MS).unwrap();
    assert!(!folder.path().join("keys.init").exists());
}

#[cfg(unix)]
#[test]
fn no_key_is_readable_by_others() {
    use std::os::unix::fs::PermissionsExt;
    let (folder, _) = new_hub();
    for entry in fs::read_dir(folder.path().join("keys")).unwrap() {
        let entry = entry.unwrap();
        assert_eq!(
            entry.metadata().unwrap().permissions().mode() & 0o077,
            0,
            "{entry:?}"
        );
    }
}

#[test]
fn an_issued_certificate_says_who_and_lives_180_days() {
    let (_folder, hub) = new_hub();
    let key = issue::new_key().unwrap();
    let der = request_der(&key).unwrap();
    let issued = hub.issue(&request(&der), NOW_MS).unwrap();
    let identity = issued.identity;
    assert_eq!(identity.office, [1; 16]);
    assert_eq!((identity.node, identity.enrolment), ([2; 16], [3; 16]));
    assert_eq!(identity.not_after_unix_s, NOW_MS / 1000 + 180 * 86_400);
    let public_key = request_public_key(&der).unwrap();
    assert_eq!(identity.key_hash, certificate::sha256(&public_key));
    assert_eq!(
        certificate::certificates_of(&issued.chain_pem)
            .unwrap()
            .len(),
        2
    );
    // The same request at the same second: the same certificate but for ECDSA's nonce.
    assert_eq!(
        hub.issue(&request(&der), NOW_MS).unwrap().identity,
        identity
    );
    assert_ne!(
        hub.issue(&request(&der), NOW_MS + 1000)
            .unwrap()
            .identity
            .serial,
        identity.serial
    );
}

#[test]
fn requests_without_proof_and_impossible_ones_are_refused() {
    let (_folder, hub) = new_hub();
    let key = issue::new_key().unwrap();
    let good = request_der(&key).unwrap();
    let mut forged = good.clone();
    let last = forged.len() - 1;
    forged[last] ^= 1;
    let ed25519 = rcgen::KeyPair::generate_for(&rcgen::PKCS_ED25519).unwrap();
    let p384 = rcgen::KeyPair::generate_for(&rcgen::PKCS_ECDSA_P384_SHA384).unwrap();
    let others = [request_der(&ed25519).unwrap(), request_der(&p384).unwrap()];
    for der in [&forged, &others[0], &others[1], &vec![0; 5000], &Vec::new()] {
        let error = hub.issue(&request(der), NOW_MS).unwrap_err();
        assert!(
            matches!(error, TransportError::RequestInvalid { .. }),
            "{error}"
        );
    }
    let error = hub.issue(&request(&good), 0).unwrap_err();
    assert!(matches!(error, TransportError::ClockImplausible { .. }));
}

#[test]
fn an_office_whose_code_is_no_name_is_certified_under_its_id() {
    let (_folder, hub) = new_hub();
    let der = request_der(&issue::new_key().unwrap()).unwrap();
    let (longest, longer) = ("x".repeat(32), "x".repeat(33));
    let id = "01".repeat(16);
    for (office_code, name) in [
        ("CY-0042", "CY-0042"),
        (longest.as_str(), longest.as_str()),
        (longer.as_str(), id.as_str()),
        ("", id.as_str()),
        ("东 湖", id.as_str()),
    ] {
        let request = LeafRequest {
            office_code,
            ..request(&der)
        };
        let issued = hub.issue(&request, NOW_MS).unwrap();
        assert_eq!(common_name(&issued.chain_pem), name, "{office_code}");
        let renewed = hub.renew(&request, NOW_MS / 1000, NOW_MS).unwrap();
        assert_eq!(common_name(&renewed.chain_pem), name, "{office_code}");
    }
}

fn common_name(chain_pem: &str) -> String {
    let chain = certificate::certificates_of(chain_pem).unwrap();
    let (_, leaf) = x509_parser::parse_x509_certificate(&chain[0]).unwrap();
    let name = leaf.subject().iter_common_name().next().unwrap();
    name.as_str().unwrap().to_owned()
}

#[test]
fn the_hubs_own_certificates_are_no_office_identity() {
    let (_folder, hub) = new_hub();
    let (chain, _) = hub.server_chain().unwrap();
    assert_eq!(chain.len(), 3);
    for der in &chain {
        let error = PeerIdentity::from_certificate(der).unwrap_err();
        assert!(matches!(error, TransportError::CertificateForeign { .. }));
    }
    assert!(PeerIdentity::from_certificate(b"nonsense").is_err());
}

#[test]
fn the_server_certificate_is_renewed_near_its_end_or_for_new_hosts() {
    let (folder, mut hub) = new_hub();
    let hosts = hub.settings.hosts.clone();
    assert!(!hub.refresh_server(&hosts, NOW_MS + 336 * DAY_MS).unwrap());
    assert!(hub.refresh_server(&hosts, NOW_MS + 338 * DAY_MS).unwrap());
    assert!(!hub.refresh_server(&hosts, NOW_MS + 338 * DAY_MS).unwrap());
    let moved = ["10.9.9.9".to_owned()];
    assert!(hub.refresh_server(&moved, NOW_MS + 338 * DAY_MS).unwrap());
    let mut loaded = HubIdentity::load(&folder.path().join("keys")).unwrap();
    assert!(
        !loaded
            .refresh_server(&moved, NOW_MS + 338 * DAY_MS)
            .unwrap()
    );
    let odd = ["not a host".to_owned()];
    let error = loaded.refresh_server(&odd, NOW_MS).unwrap_err();
    assert!(matches!(
        error,
        TransportError::FieldInvalid { what: "host", .. }
    ));
}

#[test]
fn the_intermediate_needs_the_root_key_and_only_it_does() {
    let (folder, mut hub) = new_hub();
    let key_path = folder.path().join("keys").join(ROOT_KEY);
    let root_key = fs::read(&key_path).unwrap();
    fs::remove_file(&key_path).unwrap();
    let later = NOW_MS + 4 * 365 * DAY_MS;
    assert!(!hub.intermediate_needs_renewal(NOW_MS) && hub.intermediate_needs_renewal(later));
    assert!(!hub.has_root_key());
    let mut hub_offline = HubIdentity::load(&folder.path().join("keys")).unwrap();
    assert!(hub_offline.refresh_server(&[], later).unwrap());
    let error = hub.renew_intermediate(later).unwrap_err();
    assert!(matches!(error, TransportError::RootKeyOffline { .. }));
    fs::write(&key_path, root_key).unwrap();
    hub.renew_intermediate(later).unwrap();
    assert!(!hub.intermediate_needs_renewal(later));
    assert_eq!(
        HubIdentity::load(&folder.path().join("keys"))
            .unwrap()
            .root_hash(),
        hub.root_hash()
    );
}

#[test]
fn a_leaf_never_outlives_its_issuer() {
    let (_folder, hub) = new_hub();
    let end = NOW_MS + 5 * 365 * DAY_MS;
    let der = request_der(&issue::new_key().unwrap()).unwrap();
    let issued = hub.issue(&request(&der), end - 10 * DAY_MS).unwrap();
    assert_eq!(issued.identity.not_after_unix_s, end / 1000);
    assert!(hub.issue(&request(&der), end + 10 * DAY_MS).is_err());
}
