use super::*;
use crate::certificate::LeafRequest;
use crate::keys::HubIdentity;

const NOW_MS: i64 = 1_800_000_000_000;
const DAY_MS: i64 = 86_400_000;
const OFFICE: [u8; 16] = [1; 16];
const NODE: [u8; 16] = [2; 16];

struct World {
    folder: tempfile::TempDir,
    hub: HubIdentity,
}

impl World {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let hosts = ["10.0.0.5".to_owned(), "hub.example.cn".to_owned()];
        let hub =
            HubIdentity::create(&folder.path().join("keys"), "朝阳区中心", &hosts, NOW_MS).unwrap();
        Self { folder, hub }
    }

    fn code(&self, secret: u8) -> EnrolmentCode {
        EnrolmentCode {
            addresses: vec!["10.0.0.5:7443".to_owned()],
            root_hash: self.hub.root_hash(),
            office: OFFICE,
            office_code: "CY-0042".to_owned(),
            secret: [secret; 16],
            expires_unix_s: 1_900_000_000,
        }
    }

    fn chain(&self, key: &TlsKey, office: [u8; 16]) -> String {
        let request_der = key.request_der().unwrap();
        let request = LeafRequest {
            office,
            office_code: "CY-0042",
            node: NODE,
            enrolment: [3; 16],
            request_der: &request_der,
        };
        self.hub.issue(&request, NOW_MS).unwrap().chain_pem
    }

    fn answer(&self, key: &TlsKey) -> EnrolmentAnswer {
        EnrolmentAnswer {
            node: NODE,
            epoch: 1,
            office_name: "朝阳门社区".to_owned(),
            hub_name: self.hub.name().to_owned(),
            hub_addresses: Vec::new(),
            hub_key: self.hub.verifying_key(),
            root_pem: self.hub.root_pem().to_owned(),
            chain_pem: self.chain(key, OFFICE),
        }
    }

    fn enrolled(&self) -> NodeKeys {
        let mut keys = NodeKeys::default();
        keys.begin_enrolment(self.code(9)).unwrap();
        let answer = self.answer(&keys.enrolment.as_ref().unwrap().tls_key);
        keys.complete_enrolment(answer).unwrap();
        keys
    }
}

#[test]
fn no_file_is_not_enrolled_and_a_damaged_file_is_an_error() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("node.toml");
    let keys = NodeKeys::load(&path).unwrap();
    assert!(matches!(keys.enrolled(), Err(TransportError::NotEnrolled)));
    for text in [
        "",
        "version = 1\n[identity]\nnode = \"00\"\n",
        "version = 0",
        "\u{0}",
    ] {
        std::fs::write(&path, text).unwrap();
        let error = NodeKeys::load(&path).unwrap_err();
        assert!(
            matches!(error, TransportError::KeyFileBroken { .. }),
            "{text:?}: {error}"
        );
    }
    std::fs::write(&path, "version = 2\nnew_things = 1\n").unwrap();
    assert!(matches!(
        NodeKeys::load(&path),
        Err(TransportError::VersionTooNew { found: 2, .. })
    ));
}

#[test]
fn a_lost_answer_is_asked_for_again_with_the_same_keys() {
    let world = World::new();
    let path = world.folder.path().join("node.toml");
    let mut keys = NodeKeys::default();
    keys.begin_enrolment(world.code(9)).unwrap();
    keys.save(&path).unwrap();

    let mut again = NodeKeys::load(&path).unwrap();
    again.begin_enrolment(world.code(9)).unwrap();
    let [first, second] = [&keys, &again].map(|keys| keys.enrolment.as_ref().unwrap());
    assert_eq!(first.tls_key, second.tls_key);
    assert_eq!(
        first.signing_key.verifying_key(),
        second.signing_key.verifying_key()
    );
    assert_eq!(
        first.comparison_number().unwrap(),
        second.comparison_number().unwrap()
    );

    again.begin_enrolment(world.code(10)).unwrap();
    let first = keys.enrolment.as_ref().unwrap();
    assert_ne!(first.tls_key, again.enrolment.as_ref().unwrap().tls_key);
}

#[test]
fn an_enrolment_becomes_an_identity_that_survives_the_file() {
    let world = World::new();
    let path = world.folder.path().join("node.toml");
    let keys = world.enrolled();
    keys.save(&path).unwrap();
    let loaded = NodeKeys::load(&path).unwrap();
    let identity = loaded.enrolled().unwrap();
    assert!(loaded.enrolment.is_none());
    assert_eq!(
        (identity.office, identity.node, identity.epoch),
        (OFFICE, NODE, 1)
    );
    assert_eq!(identity.hub_addresses, ["10.0.0.5:7443"]);
    assert_eq!(identity.hub_name, "朝阳区中心");
    assert_eq!(identity.tls_key, keys.enrolled().unwrap().tls_key);
    let certificate = identity.certificate().unwrap();
    assert_eq!((certificate.office, certificate.node), (OFFICE, NODE));
    assert!(!certificate.needs_renewal(NOW_MS + 59 * DAY_MS));
    assert!(certificate.needs_renewal(NOW_MS + 60 * DAY_MS));
    let text = std::fs::read_to_string(&path).unwrap();
    assert!(
        text.starts_with("# 连心") && text.contains("office_name = \"朝阳门社区\""),
        "{text}"
    );
    assert!(!format!("{loaded:?}").contains("PRIVATE"));
}

#[test]
fn an_answer_for_other_keys_another_office_or_of_another_hub_is_not_taken() {
    let world = World::new();
    let foreign = World::new();
    let mut keys = NodeKeys::default();
    keys.begin_enrolment(world.code(9)).unwrap();
    let own = keys.enrolment.as_ref().unwrap().tls_key.clone();
    let good = world.answer(&own);
    let wrong = [
        EnrolmentAnswer {
            chain_pem: world.chain(&TlsKey::generate().unwrap(), OFFICE),
            ..good.clone()
        },
        EnrolmentAnswer {
            chain_pem: world.chain(&own, [8; 16]),
            ..good.clone()
        },
        EnrolmentAnswer {
            node: [7; 16],
            ..good.clone()
        },
        EnrolmentAnswer {
            chain_pem: foreign.chain(&own, OFFICE),
            ..good.clone()
        },
        EnrolmentAnswer {
            root_pem: foreign.hub.root_pem().to_owned(),
            ..good.clone()
        },
    ];
    for answer in wrong {
        let error = keys.complete_enrolment(answer).unwrap_err();
        assert!(
            matches!(error, TransportError::AnswerMismatch { .. }),
            "{error}"
        );
        assert!(keys.enrolment.is_some() && keys.identity.is_none());
    }
    keys.complete_enrolment(good.clone()).unwrap();
    let error = keys.complete_enrolment(good).unwrap_err();
    assert!(matches!(error, TransportError::NothingPending { .. }));
}

#[test]
fn a_renewal_repeats_its_key_until_it_is_answered() {
    let world = World::new();
    let path = world.folder.path().join("node.toml");
    let mut keys = world.enrolled();
    let old = keys.enrolled().unwrap().tls_key.clone();
    let key = keys.begin_renewal().unwrap().clone();
    keys.save(&path).unwrap();
    let mut keys = NodeKeys::load(&path).unwrap();
    assert_eq!(*keys.begin_renewal().unwrap(), key);
    assert!(keys.complete_renewal(world.chain(&old, OFFICE)).is_err());
    keys.complete_renewal(world.chain(&key, OFFICE)).unwrap();
    assert_eq!(keys.enrolled().unwrap().tls_key, key);
    assert!(keys.renewal.is_none());
    assert!(NodeKeys::default().begin_renewal().is_err());
}

#[test]
fn a_crash_while_the_file_is_written_leaves_the_old_one() {
    let world = World::new();
    let path = world.folder.path().join("node.toml");
    let mut keys = world.enrolled();
    keys.save(&path).unwrap();
    let whole = std::fs::read_to_string(&path).unwrap();
    std::fs::write(
        world.folder.path().join("node.toml.new"),
        &whole[..whole.len() / 2],
    )
    .unwrap();
    assert_eq!(NodeKeys::load(&path).unwrap().enrolled().unwrap().epoch, 1);
    if let Some(identity) = &mut keys.identity {
        identity.epoch = 2;
    }
    keys.save(&path).unwrap();
    assert_eq!(NodeKeys::load(&path).unwrap().enrolled().unwrap().epoch, 2);
}
