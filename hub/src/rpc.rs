//! The gRPC side: mutual TLS, who calls, and the two services.

mod connection;
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
    /// Streams of pages that are open, by node.
    pulls: Arc<Mutex<BTreeMap<NodeId, Arc<Semaphore>>>>,
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
            pulls: Arc::default(),
            uplinks: uplink::Uplinks::default(),
        }
    }

    /// Room for one stream of pages: a node reads one at a time, and one more after a cut.
    fn pull_room(&self, node: NodeId) -> Result<OwnedSemaphorePermit, CallRefused> {
        let mut pulls = self.pulls.lock().unwrap_or_else(PoisonError::into_inner);
        let of_node = pulls
            .entry(node)
            .or_insert_with(|| Arc::new(Semaphore::new(PULLS_MAX)));
        let room = Arc::clone(of_node).try_acquire_owned();
        room.map_err(|_| CallRefused::Busy(BUSY_MS))
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
    let incoming = transport::tls::serve_tls(listener, config, HANDSHAKE_TIMEOUT, HANDSHAKES_MAX)
        .map(|accepted| accepted.map(connection::Connection::new));
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
