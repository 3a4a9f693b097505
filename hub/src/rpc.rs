//! The gRPC side: mutual TLS, who calls, and the two services.

mod connection;
mod damaged;
mod enrolment;
mod guard;
mod pull;
mod sync;
mod uplink;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::Context as _;
use proto::status::CallRefused;
use proto::wire::enrolment::enrolment_server::EnrolmentServer;
use proto::wire::sync::sync_server::SyncServer;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio_stream::StreamExt as _;
use tonic::service::Routes;

use domain::id::NodeId;

use crate::app::App;

pub use connection::Peer;

/// How long a peer may take for its handshake.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(15);
/// Handshakes under way at once.
const HANDSHAKES_MAX: usize = 256;
/// Streams of one connection at once: a node needs a few.
const STREAMS_MAX: u32 = 64;
/// After so long without an answer to a ping, a connection is dropped.
const KEEPALIVE: Duration = Duration::from_secs(20);
/// How long a call may take to be heard and answered; of a stream, to be heard. Who sends a byte now and
/// then would hold its place for ever. A batch is sized for two seconds of the line.
const CALL_TIMEOUT: Duration = Duration::from_mins(2);
/// A page's greatest size on the wire.
const MESSAGE_BYTES_MAX: usize = 8 * 1024 * 1024;
/// A call's greatest size: a compressed batch, or a portion of a report, and its envelope.
const CALL_BYTES_MAX: usize = 640 * 1024;
/// Raw KiB of all batches that are being taken at once.
const BATCHES_KIB_MAX: usize = 24 * 1024;
/// Streams of pages that one node may have open.
const PULLS_MAX: usize = 4;
/// Streams of heads that one node may have open: it needs one, and one more after each cut that the hub
/// has not noticed yet.
const WATCHES_MAX: usize = 4;
/// Questions of one node under way, Reconcile and Checkpoints: a session asks one at a time, and beside
/// the program that serves there may be a `sync`.
const QUESTIONS_MAX: usize = 2;
/// When a node that found no room comes again (milliseconds; it adds its own jitter).
const BUSY_MS: u32 = 2_000;

/// What the services share.
#[derive(Debug, Clone)]
pub struct Shared {
    /// The opened hub.
    pub app: App,
    /// Counts the commits that were seen; moves when anything was written.
    pub commits: watch::Receiver<u64>,
    /// Room for batches that are being taken, in KiB of their raw size.
    pub room: Arc<Semaphore>,
    /// Streams of pages that are open.
    pulls: Rooms,
    /// Streams of heads that are open.
    watches: Rooms,
    /// Questions that are under way: each may read a whole feed.
    questions: Rooms,
    /// Pushes that are under way, by node.
    uplinks: uplink::Uplinks,
}

impl Shared {
    /// What the services share for an opened hub.
    pub fn new(app: App, commits: watch::Receiver<u64>) -> Self {
        let room = Arc::new(Semaphore::new(BATCHES_KIB_MAX));
        Self {
            app,
            commits,
            room,
            pulls: Rooms::new(PULLS_MAX),
            watches: Rooms::new(WATCHES_MAX),
            questions: Rooms::new(QUESTIONS_MAX),
            uplinks: uplink::Uplinks::default(),
        }
    }

    /// Room for one stream of pages: a node reads one at a time, and one more after a cut.
    fn pull_room(&self, node: NodeId) -> Result<OwnedSemaphorePermit, CallRefused> {
        self.pulls.enter(node)
    }

    /// Room for one stream of heads.
    fn watch_room(&self, node: NodeId) -> Result<OwnedSemaphorePermit, CallRefused> {
        self.watches.enter(node)
    }

    /// Room for one question.
    fn question_room(&self, node: NodeId) -> Result<OwnedSemaphorePermit, CallRefused> {
        self.questions.enter(node)
    }

    /// Room for one batch; who finds none comes again at a time that the hub chooses.
    fn room(&self, raw_bytes: u32) -> Result<OwnedSemaphorePermit, CallRefused> {
        let wanted = raw_bytes.div_ceil(1024).max(1);
        let room = Arc::clone(&self.room).try_acquire_many_owned(wanted);
        room.map_err(|_| CallRefused::Busy(BUSY_MS))
    }

    /// How many pushes a node should have under way now: one where room is short.
    fn pushes_in_flight(&self) -> u32 {
        if self.room.available_permits() * 2 < BATCHES_KIB_MAX {
            1
        } else {
            uplink::IN_FLIGHT
        }
    }
}

/// Room for calls of one sort: so many of each node at once.
#[derive(Debug, Clone)]
struct Rooms {
    max: usize,
    by_node: Arc<Mutex<BTreeMap<NodeId, Arc<Semaphore>>>>,
}

impl Rooms {
    fn new(max: usize) -> Self {
        Self {
            max,
            by_node: Arc::default(),
        }
    }

    /// Room for one more call of a node; who finds none comes again at a time that the hub chooses.
    fn enter(&self, node: NodeId) -> Result<OwnedSemaphorePermit, CallRefused> {
        let mut by_node = self.by_node.lock().unwrap_or_else(PoisonError::into_inner);
        let of_node = by_node
            .entry(node)
            .or_insert_with(|| Arc::new(Semaphore::new(self.max)));
        let room = Arc::clone(of_node).try_acquire_owned();
        room.map_err(|_| CallRefused::Busy(BUSY_MS))
    }
}

/// What answers calls: of a caller whose certificate stands in the request's extensions as a
/// [`Peer`].
pub fn services(shared: Shared) -> Routes {
    let sync = SyncServer::new(sync::SyncService::new(shared.clone()))
        .max_decoding_message_size(CALL_BYTES_MAX)
        .max_encoding_message_size(MESSAGE_BYTES_MAX);
    let enrolment = EnrolmentServer::new(enrolment::EnrolmentService::new(shared))
        .max_decoding_message_size(64 * 1024);
    Routes::new(sync).add_service(enrolment)
}

/// Serves until `stop` resolves; answers the address once it listens.
///
/// # Errors
/// Where the address cannot be opened, or the certificates cannot be read.
pub async fn serve(
    shared: Shared,
    address: SocketAddr,
    ready: tokio::sync::oneshot::Sender<SocketAddr>,
    stop: impl Future<Output = ()>,
) -> anyhow::Result<()> {
    let clock: transport::tls::Clock = Arc::new(|| system::now_ms().cast_signed());
    let config = transport::tls::server_config(&shared.app.identity, clock)?;
    let listener = transport::tls::listen(address)
        .with_context(|| console::answer::cannot_listen(address, "--rpc"))?;
    let local = listener.local_addr()?;
    let mut strangers = connection::Strangers::default();
    let incoming = transport::tls::serve_tls(listener, config, HANDSHAKE_TIMEOUT, HANDSHAKES_MAX)
        .map(move |accepted| accepted.map(|tls| connection::Connection::new(tls, &mut strangers)));
    // Whoever started this may have stopped listening for the address.
    let _ = ready.send(local);
    let (health, health_service) = tonic_health::server::health_reporter();
    health.set_serving::<SyncServer<sync::SyncService>>().await;
    tonic::transport::Server::builder()
        .timeout(CALL_TIMEOUT)
        .max_concurrent_streams(STREAMS_MAX)
        .http2_keepalive_interval(Some(KEEPALIVE))
        .http2_keepalive_timeout(Some(KEEPALIVE))
        .http2_max_pending_accept_reset_streams(Some(32))
        .http2_max_header_list_size(16 * 1024)
        .add_routes(services(shared).add_service(health_service))
        .serve_with_incoming_shutdown(incoming, stop)
        .await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test stops at what must not fail")]

    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::TcpStream;
    use tokio_rustls::client::TlsStream;
    use transport::tls::ClientTls;

    use super::*;

    const WAIT: Duration = Duration::from_secs(10);
    /// The beginning of HTTP/2, and settings of which none is set.
    const BEGINNING: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0";

    #[test]
    fn one_node_can_not_take_the_room_of_others() {
        let rooms = Rooms::new(2);
        let (one, other) = (NodeId::new([1; 16]), NodeId::new([2; 16]));
        let mut taken = vec![rooms.enter(one).unwrap(), rooms.enter(one).unwrap()];
        assert!(matches!(rooms.enter(one), Err(CallRefused::Busy(BUSY_MS))));
        assert!(rooms.enter(other).is_ok());
        taken.pop();
        assert!(rooms.enter(one).is_ok());
    }

    /// A line of a peer without a certificate that the hub has begun to serve.
    async fn stranger(address: &str, tls: &ClientTls) -> TlsStream<TcpStream> {
        let line = transport::tls::connect(address, tls.config(), WAIT);
        let mut line = line.await.unwrap();
        line.write_all(BEGINNING).await.unwrap();
        line.flush().await.unwrap();
        // The hub's own settings.
        line.read_exact(&mut [0; 9]).await.unwrap();
        line
    }

    /// Until the hub ends a line.
    async fn ended(line: &mut TlsStream<TcpStream>) {
        // However it ends.
        let _ = line.read_to_end(&mut Vec::new()).await;
    }

    #[tokio::test]
    async fn of_many_peers_without_a_certificate_the_oldest_makes_room() {
        let folder = tempfile::tempdir().unwrap();
        crate::app::init(folder.path(), "hub", &[]).unwrap();
        let app = App::open(folder.path()).unwrap();
        let clock: transport::tls::Clock = Arc::new(|| system::now_ms().cast_signed());
        let tls = ClientTls::enrolling(app.identity.root_hash(), clock).unwrap();
        let (ready, is_ready) = tokio::sync::oneshot::channel();
        let (_commits, seen) = watch::channel(0);
        let here = SocketAddr::from(([127, 0, 0, 1], 0));
        let served = serve(Shared::new(app, seen), here, ready, std::future::pending());
        let peers = async {
            let address = is_ready.await.unwrap().to_string();
            let mut lines = Vec::new();
            for _ in 0..=connection::STRANGERS_MAX {
                lines.push(stranger(&address, &tls).await);
            }
            let moment = Duration::from_millis(200);
            let second = tokio::time::timeout(moment, ended(&mut lines[1])).await;
            assert!(second.is_err(), "the others stay");
            let oldest = tokio::time::timeout(WAIT, ended(&mut lines[0])).await;
            assert!(oldest.is_ok(), "the oldest is still held");
        };
        tokio::select! {
            served = served => served.unwrap(),
            () = peers => {}
        }
    }
}
