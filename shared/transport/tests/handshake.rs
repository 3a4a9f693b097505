//! Real handshakes over loopback: who gets in, who does not, and what each side learns.

#![allow(clippy::unwrap_used, reason = "tests")]

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::client::TlsStream;
use tokio_stream::StreamExt;
use transport::TransportError;
use transport::certificate::{LeafRequest, PeerIdentity, Validity, certificates_of};
use transport::code::EnrolmentCode;
use transport::keys::{EnrolmentAnswer, HubIdentity, NodeIdentity, NodeKeys};
use transport::tls::{self, ClientTls, Clock, TlsIncoming};

const NOW_MS: i64 = 1_800_000_000_000;
const DAY_MS: i64 = 86_400_000;
const WAIT: Duration = Duration::from_secs(10);

fn clock(unix_ms: i64) -> Clock {
    Arc::new(move || unix_ms)
}

struct Hub {
    identity: HubIdentity,
    address: String,
    incoming: TlsIncoming,
    folder: tempfile::TempDir,
}

impl Hub {
    fn start() -> Self {
        Self::start_with(NOW_MS, WAIT, 8)
    }

    fn start_with(hub_now_ms: i64, timeout: Duration, handshakes: usize) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let hosts = ["127.0.0.1".to_owned()];
        let keys = folder.path().join("keys");
        let identity = HubIdentity::create(&keys, "District", &hosts, NOW_MS).unwrap();
        let listener = tls::listen(SocketAddr::from(([127, 0, 0, 1], 0))).unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let config = tls::server_config(&identity, clock(hub_now_ms)).unwrap();
        let incoming = tls::serve_tls(listener, config, timeout, handshakes);
        Self {
            identity,
            address,
            incoming,
            folder,
        }
    }

    /// An enrolled node whose certificate was issued at a time.
    fn node(&self, issued_ms: i64) -> NodeIdentity {
        let mut keys = NodeKeys::default();
        let code = EnrolmentCode {
            addresses: vec![self.address.clone()],
            root_hash: self.identity.root_hash(),
            office: [1; 16],
            office_code: "CY-0042".to_owned(),
            secret: [9; 16],
            expires_unix_s: 1_900_000_000,
        };
        keys.begin_enrolment(code).unwrap();
        let request_der = keys
            .enrolment
            .as_ref()
            .unwrap()
            .tls_key
            .request_der()
            .unwrap();
        let request = LeafRequest {
            office: [1; 16],
            office_code: "CY-0042",
            node: [2; 16],
            enrolment: [3; 16],
            request_der: &request_der,
        };
        let answer = EnrolmentAnswer {
            node: [2; 16],
            epoch: 1,
            office_name: "Office".to_owned(),
            hub_name: "District".to_owned(),
            hub_addresses: Vec::new(),
            hub_key: self.identity.verifying_key(),
            root_pem: self.identity.root_pem().to_owned(),
            chain_pem: self.identity.issue(&request, issued_ms).unwrap().chain_pem,
        };
        keys.complete_enrolment(answer).unwrap();
        keys.identity.unwrap()
    }

    async fn call(&self, client: &ClientTls) -> Result<TlsStream<TcpStream>, TransportError> {
        tls::connect(&self.address, client.config(), WAIT).await
    }

    /// Connects, exchanges bytes both ways, and returns whom the hub saw.
    async fn exchange(&mut self, client: &ClientTls) -> Option<PeerIdentity> {
        let mut stream = self.call(client).await.unwrap();
        let mut accepted = self.incoming.next().await.unwrap().unwrap();
        stream.write_all(b"ping").await.unwrap();
        stream.flush().await.unwrap();
        let mut bytes = [0; 4];
        accepted.read_exact(&mut bytes).await.unwrap();
        accepted.write_all(&bytes).await.unwrap();
        accepted.flush().await.unwrap();
        stream.read_exact(&mut bytes).await.unwrap();
        assert_eq!(&bytes, b"ping");
        assert_eq!(stream.get_ref().1.alpn_protocol(), Some(&b"h2"[..]));
        assert_eq!(
            stream.get_ref().1.protocol_version(),
            Some(rustls::ProtocolVersion::TLSv1_3)
        );
        accepted.peer_identity()
    }

    /// The error of the first read, where a refusal by the hub arrives.
    async fn refusal(&self, client: &ClientTls) -> TransportError {
        match self.call(client).await {
            Err(error) => error,
            Ok(mut stream) => {
                let error = stream.read(&mut [0; 1]).await.unwrap_err();
                TransportError::from_connection(&self.address, &error)
            }
        }
    }
}

#[tokio::test]
async fn an_enrolled_node_is_known_by_its_certificate() {
    let mut hub = Hub::start();
    let node = hub.node(NOW_MS);
    let client = ClientTls::enrolled(&node, clock(NOW_MS)).unwrap();
    let peer = hub.exchange(&client).await.unwrap();
    assert_eq!(peer, node.certificate().unwrap());
    assert_eq!(
        (peer.office, peer.node, peer.enrolment),
        ([1; 16], [2; 16], [3; 16])
    );
    assert_eq!(peer.validity(NOW_MS), Validity::Valid);
    assert!(!client.clock_suspect());
}

#[tokio::test]
async fn an_enrolling_node_is_nobody_yet_and_knows_the_hub_by_the_root_hash() {
    let mut hub = Hub::start();
    let client = ClientTls::enrolling(hub.identity.root_hash(), clock(NOW_MS)).unwrap();
    assert_eq!(hub.exchange(&client).await, None);
    let wrong = ClientTls::enrolling([7; 32], clock(NOW_MS)).unwrap();
    let error = hub.call(&wrong).await.unwrap_err();
    assert!(matches!(error, TransportError::NotOurHub { .. }), "{error}");
}

#[tokio::test]
async fn an_expired_certificate_passes_the_handshake_and_shows_as_expired() {
    let mut hub = Hub::start_with(NOW_MS + 400 * DAY_MS, WAIT, 8);
    let client = ClientTls::enrolled(&hub.node(NOW_MS), clock(NOW_MS)).unwrap();
    let peer = hub.exchange(&client).await.unwrap();
    assert_eq!(peer.validity(NOW_MS + 400 * DAY_MS), Validity::Expired);
    assert!(peer.needs_renewal(NOW_MS + 400 * DAY_MS));
}

#[tokio::test]
async fn a_hub_clock_set_back_locks_nobody_out() {
    let mut hub = Hub::start_with(NOW_MS, WAIT, 8);
    let later = NOW_MS + 300 * DAY_MS;
    let client = ClientTls::enrolled(&hub.node(later), clock(NOW_MS)).unwrap();
    let peer = hub.exchange(&client).await.unwrap();
    assert_eq!(peer.validity(NOW_MS), Validity::NotYetValid);
}

#[tokio::test]
async fn a_node_clock_wrong_by_years_connects_and_is_reported() {
    let mut hub = Hub::start();
    let node = hub.node(NOW_MS);
    for wrong in [-5, 0, NOW_MS - 3650 * DAY_MS, NOW_MS + 3650 * DAY_MS] {
        let client = ClientTls::enrolled(&node, clock(wrong)).unwrap();
        assert!(hub.exchange(&client).await.is_some());
        assert!(client.clock_suspect(), "{wrong}");
        let enrolling = ClientTls::enrolling(hub.identity.root_hash(), clock(wrong)).unwrap();
        hub.exchange(&enrolling).await;
        assert!(enrolling.clock_suspect(), "{wrong}");
    }
}

#[tokio::test]
async fn certificates_of_a_foreign_authority_are_refused_on_both_sides() {
    let hub = Hub::start();
    let foreign = Hub::start();
    // The office shows a certificate of another hub with the same name.
    let mut intruder = foreign.node(NOW_MS);
    intruder.root_pem = hub.identity.root_pem().to_owned();
    let client = ClientTls::enrolled(&intruder, clock(NOW_MS)).unwrap();
    let error = hub.refusal(&client).await;
    assert!(
        matches!(error, TransportError::RefusedByHub { .. }),
        "{error}"
    );
    // Another hub answers at the address.
    let client = ClientTls::enrolled(&hub.node(NOW_MS), clock(NOW_MS)).unwrap();
    let error = foreign.refusal(&client).await;
    assert!(matches!(error, TransportError::NotOurHub { .. }), "{error}");
}

/// Somebody who answers with any certificates whose key he has, dates and usage unseen.
fn impostor(chain: Vec<CertificateDer<'static>>, key_pem: &str) -> (String, TlsIncoming) {
    let key = PrivateKeyDer::from_pem_slice(key_pem.as_bytes()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13])
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .unwrap();
    let listener = tls::listen(SocketAddr::from(([127, 0, 0, 1], 0))).unwrap();
    let address = listener.local_addr().unwrap().to_string();
    (address, tls::serve_tls(listener, Arc::new(config), WAIT, 8))
}

#[tokio::test]
async fn showing_the_right_root_beside_other_certificates_deceives_no_one() {
    let hub = Hub::start();
    let root = certificates_of(hub.identity.root_pem()).unwrap();

    // Another hub, which puts our root behind its own chain.
    let foreign = Hub::start();
    let pem = std::fs::read_to_string(foreign.folder.path().join("keys/server.pem")).unwrap();
    let mut chain = certificates_of(&pem).unwrap();
    chain.extend(root.clone());
    let (first, _incoming) = impostor(chain, &pem);

    // An enrolled office, which passes for the hub with the certificate that it has.
    let node = hub.node(NOW_MS);
    let chain = [certificates_of(&node.chain_pem).unwrap(), root].concat();
    let path = hub.folder.path().join("node.toml");
    NodeKeys {
        identity: Some(node),
        ..NodeKeys::default()
    }
    .save(&path)
    .unwrap();
    let (second, _incoming) = impostor(chain, &std::fs::read_to_string(path).unwrap());

    let enrolling = ClientTls::enrolling(hub.identity.root_hash(), clock(NOW_MS)).unwrap();
    let enrolled = ClientTls::enrolled(&hub.node(NOW_MS), clock(NOW_MS)).unwrap();
    for address in [&first, &second] {
        for client in [&enrolling, &enrolled] {
            let error = tls::connect(address, client.config(), WAIT)
                .await
                .unwrap_err();
            assert!(matches!(error, TransportError::NotOurHub { .. }), "{error}");
        }
    }
}

#[tokio::test]
async fn a_client_without_tls_1_3_is_refused() {
    let hub = Hub::start();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut roots = rustls::RootCertStore::empty();
    roots
        .add(certificates_of(hub.identity.root_pem()).unwrap().remove(0))
        .unwrap();
    let config = rustls::ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS12])
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let socket = TcpStream::connect(&hub.address).await.unwrap();
    let name = ServerName::try_from("hub.lianxin.internal").unwrap();
    let result = tokio_rustls::TlsConnector::from(Arc::new(config))
        .connect(name, socket)
        .await;
    let error = TransportError::from_connection(&hub.address, &result.unwrap_err());
    assert!(
        matches!(&error, TransportError::RefusedByHub { reason, .. } if reason == "ProtocolVersion"),
        "{error}"
    );
}

#[tokio::test]
async fn silent_connections_hold_nobody_up_for_longer_than_the_timeout() {
    let mut hub = Hub::start_with(NOW_MS, Duration::from_millis(300), 2);
    let mut silent = Vec::new();
    for _ in 0..6 {
        silent.push(TcpStream::connect(&hub.address).await.unwrap());
    }
    let client = ClientTls::enrolled(&hub.node(NOW_MS), clock(NOW_MS)).unwrap();
    assert!(hub.exchange(&client).await.is_some());
    // The silent ones were cut off.
    let ended = tokio::time::timeout(WAIT, silent[0].read(&mut [0; 1]))
        .await
        .unwrap();
    assert!(!matches!(ended, Ok(bytes) if bytes > 0));
}

#[tokio::test]
async fn more_silent_connections_than_handshakes_hold_nobody_up_at_all() {
    let mut hub = Hub::start_with(NOW_MS, Duration::from_mins(1), 4);
    let mut silent = Vec::new();
    for _ in 0..40 {
        silent.push(TcpStream::connect(&hub.address).await.unwrap());
    }
    let client = ClientTls::enrolled(&hub.node(NOW_MS), clock(NOW_MS)).unwrap();
    let exchange = tokio::time::timeout(Duration::from_secs(5), hub.exchange(&client));
    assert!(exchange.await.unwrap().is_some());
}

#[derive(Debug)]
struct AtNow;

impl rustls::time_provider::TimeProvider for AtNow {
    fn current_time(&self) -> Option<UnixTime> {
        let now_s = u64::try_from(NOW_MS / 1000).ok()?;
        Some(UnixTime::since_unix_epoch(Duration::from_secs(now_s)))
    }
}

#[tokio::test]
async fn a_client_that_names_no_protocol_is_not_served() {
    let mut hub = Hub::start();
    let mut roots = rustls::RootCertStore::empty();
    roots
        .add(certificates_of(hub.identity.root_pem()).unwrap().remove(0))
        .unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ClientConfig::builder_with_details(provider, Arc::new(AtNow))
        .with_protocol_versions(&[&rustls::version::TLS13])
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let socket = TcpStream::connect(&hub.address).await.unwrap();
    let name = ServerName::try_from("hub.lianxin.internal").unwrap();
    let connector = tokio_rustls::TlsConnector::from(Arc::new(config));
    let mut unnamed = connector.connect(name, socket).await.unwrap();
    let ended = tokio::time::timeout(WAIT, unnamed.read(&mut [0; 1])).await;
    assert!(!matches!(ended.unwrap(), Ok(bytes) if bytes > 0));
    let client = ClientTls::enrolled(&hub.node(NOW_MS), clock(NOW_MS)).unwrap();
    assert!(
        hub.exchange(&client).await.is_some(),
        "only the one that names it"
    );
}

#[tokio::test]
async fn a_slow_handshake_blocks_no_other() {
    let mut hub = Hub::start();
    let _silent = TcpStream::connect(&hub.address).await.unwrap();
    let client = ClientTls::enrolled(&hub.node(NOW_MS), clock(NOW_MS)).unwrap();
    let exchange = tokio::time::timeout(Duration::from_secs(5), hub.exchange(&client));
    assert!(exchange.await.unwrap().is_some());
}

#[tokio::test]
async fn dropping_the_stream_closes_the_port() {
    let hub = Hub::start();
    let client = ClientTls::enrolled(&hub.node(NOW_MS), clock(NOW_MS)).unwrap();
    let Hub {
        address, incoming, ..
    } = hub;
    drop(incoming);
    let closed = async {
        while tls::connect(&address, client.config(), WAIT).await.is_ok() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(WAIT, closed).await.unwrap();
}

#[tokio::test]
async fn an_unreachable_and_a_silent_address_are_told_apart() {
    let hub = Hub::start();
    let client = ClientTls::enrolled(&hub.node(NOW_MS), clock(NOW_MS)).unwrap();
    let closed = std::net::TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    let error = tls::connect(&closed.to_string(), client.config(), WAIT)
        .await
        .unwrap_err();
    assert!(
        matches!(error, TransportError::Unreachable { .. }) && error.is_passing(),
        "{error}"
    );
    let mute = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = mute.local_addr().unwrap().to_string();
    let error = tls::connect(&address, client.config(), Duration::from_millis(50))
        .await
        .unwrap_err();
    assert!(
        matches!(error, TransportError::TimedOut { seconds: 1, .. }),
        "{error}"
    );
}
