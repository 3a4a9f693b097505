//! The floor's hub.

use std::path::PathBuf;
use std::pin::Pin;
use std::sync::{Arc, mpsc};
use std::task::{Context, Poll};
use std::time::Duration;

use futures_util::stream::BoxStream;
use proto::wire::sync as wire;
use proto::wire::sync::sync_server::{Sync, SyncServer};
use rusqlite::Connection;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::{oneshot, watch};
use tokio_stream::StreamExt as _;
use tonic::transport::server::Connected;
use tonic::{Request, Response, Status};
use transport::keys::hub::HubIdentity;
use transport::tls::TlsConnection;

/// How long a handshake may take.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(15);
/// Handshakes at once: more than there are clients, of which none comes again.
const HANDSHAKES_MAX: usize = 1_024;
/// A message's greatest size.
const MESSAGE_BYTES_MAX: usize = 64 * 1024 * 1024;

/// Serves the floor's hub until it is ended.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The folder with the keys of a product's hub, whose certificates are shown.
    #[arg(long)]
    keys: PathBuf,
    /// The database.
    #[arg(long)]
    database: PathBuf,
}

/// Work of the one writer.
type Job = Box<dyn FnOnce(&mut Connection) + Send>;

struct Service {
    jobs: mpsc::Sender<Job>,
    database: PathBuf,
    /// The last place of the log.
    committed: watch::Receiver<u64>,
    seen: watch::Sender<u64>,
}

/// Serves; answers its address on standard output.
///
/// # Errors
/// Where it cannot listen.
pub fn serve(args: &Args) -> anyhow::Result<()> {
    let mut connection = super::open(&args.database)?;
    let (jobs, queue) = mpsc::channel::<Job>();
    std::thread::spawn(move || {
        for job in queue {
            job(&mut connection);
        }
    });
    let last = place(&args.database).unwrap_or(0);
    let (seen, committed) = watch::channel(last);
    let service = Service {
        jobs,
        database: args.database.clone(),
        committed,
        seen,
    };
    let runtime = tokio::runtime::Runtime::new()?;
    runtime.block_on(async {
        let clock: transport::tls::Clock = Arc::new(|| system::now_ms().cast_signed());
        let identity = HubIdentity::load(&args.keys)?;
        let config = transport::tls::server_config(&identity, clock)?;
        let listener = transport::tls::listen(([127, 0, 0, 1], 0).into())?;
        console::answer::ready(&format!("ready rpc={}", listener.local_addr()?));
        let incoming =
            transport::tls::serve_tls(listener, config, HANDSHAKE_TIMEOUT, HANDSHAKES_MAX)
                .map(|accepted| accepted.map(Bare));
        let service = SyncServer::new(service)
            .max_decoding_message_size(MESSAGE_BYTES_MAX)
            .max_encoding_message_size(MESSAGE_BYTES_MAX);
        tonic::transport::Server::builder()
            .add_service(service)
            .serve_with_incoming(incoming)
            .await?;
        Ok(())
    })
}

/// The last place of the log in a database.
///
/// # Errors
/// The store's own.
pub fn place(database: &std::path::Path) -> anyhow::Result<u64> {
    let connection = Connection::open(database)?;
    let place: Option<i64> =
        connection.query_row("SELECT max(place) FROM log", [], |row| row.get(0))?;
    Ok(place.unwrap_or(0).cast_unsigned())
}

fn failed(error: impl std::fmt::Display) -> Status {
    Status::internal(error.to_string())
}

impl Service {
    /// Runs a job on the writer.
    async fn on_writer<T: Send + 'static>(
        &self,
        job: impl FnOnce(&mut Connection) -> anyhow::Result<T> + Send + 'static,
    ) -> Result<T, Status> {
        let (answer, answered) = oneshot::channel();
        let job: Job = Box::new(move |connection| {
            // Whoever asked may have gone away.
            drop(answer.send(job(connection)));
        });
        self.jobs.send(job).map_err(failed)?;
        answered.await.map_err(failed)?.map_err(failed)
    }
}

#[tonic::async_trait]
impl Sync for Service {
    async fn hello(
        &self,
        _: Request<wire::HelloRequest>,
    ) -> Result<Response<wire::HelloResponse>, Status> {
        Ok(Response::new(wire::HelloResponse::default()))
    }

    async fn push(
        &self,
        request: Request<wire::PushRequest>,
    ) -> Result<Response<wire::PushResponse>, Status> {
        let request = request.into_inner();
        let changes = super::unpack(&request.batch, request.raw_bytes).map_err(failed)?;
        let seen = self.seen.clone();
        let sequence = self
            .on_writer(move |connection| {
                super::take(connection, &changes)?;
                let place = connection.last_insert_rowid().cast_unsigned();
                seen.send_replace(place);
                Ok(place)
            })
            .await?;
        let received = Some(wire::Head {
            sequence,
            ..wire::Head::default()
        });
        Ok(Response::new(wire::PushResponse {
            received,
            ..wire::PushResponse::default()
        }))
    }

    type PullStream = BoxStream<'static, Result<wire::Page, Status>>;

    /// Ready pages, as they lie there; behind the last of them what the log has after the reader's place.
    async fn pull(
        &self,
        request: Request<wire::PullRequest>,
    ) -> Result<Response<Self::PullStream>, Status> {
        let after = request.into_inner().cursors.first().map(|c| c.sequence);
        let (database, (pages, stream)) = (self.database.clone(), tokio::sync::mpsc::channel(4));
        tokio::task::spawn_blocking(move || {
            let sent = send_pages(&database, after, |page| {
                pages.blocking_send(Ok(page)).is_ok()
            });
            if let Err(error) = sent {
                drop(pages.blocking_send(Err(failed(error))));
            }
        });
        let stream = tokio_stream::wrappers::ReceiverStream::new(stream);
        Ok(Response::new(Box::pin(stream)))
    }

    type WatchStream = BoxStream<'static, Result<wire::FeedHead, Status>>;

    async fn watch(
        &self,
        _: Request<wire::WatchRequest>,
    ) -> Result<Response<Self::WatchStream>, Status> {
        let heads = tokio_stream::wrappers::WatchStream::from_changes(self.committed.clone());
        let heads = heads.map(|sequence| {
            Ok(wire::FeedHead {
                feed: String::new(),
                sequence,
            })
        });
        Ok(Response::new(Box::pin(heads)))
    }

    async fn checkpoints(
        &self,
        _: Request<wire::CheckpointsRequest>,
    ) -> Result<Response<wire::CheckpointsResponse>, Status> {
        Err(Status::unimplemented("the floor has no history"))
    }

    async fn reconcile(
        &self,
        _: Request<wire::ReconcileRequest>,
    ) -> Result<Response<wire::ReconcileResponse>, Status> {
        Err(Status::unimplemented("the floor compares nothing"))
    }

    async fn renew(
        &self,
        _: Request<wire::RenewRequest>,
    ) -> Result<Response<wire::RenewResponse>, Status> {
        Err(Status::unimplemented("the floor renews nothing"))
    }
}

/// Ready pages for who has nothing, else what the log has after a place.
fn send_pages(
    database: &std::path::Path,
    after: Option<u64>,
    mut send: impl FnMut(wire::Page) -> bool,
) -> anyhow::Result<()> {
    let connection = Connection::open(database)?;
    let Some(after) = after else {
        let mut ready = connection.prepare("SELECT raw_bytes, bytes FROM page ORDER BY place")?;
        let mut rows = ready.query([])?;
        while let Some(row) = rows.next()? {
            let (raw_bytes, rows): (u32, Vec<u8>) = (row.get(0)?, row.get(1)?);
            let page = wire::Page {
                rows: rows.into(),
                raw_bytes,
                ..wire::Page::default()
            };
            if !send(page) {
                break;
            }
        }
        return Ok(());
    };
    let mut log = connection
        .prepare("SELECT place, header, body FROM log WHERE place > ?1 ORDER BY place")?;
    let (mut changes, mut to_sequence) = (Vec::new(), after);
    let mut rows = log.query([after.cast_signed()])?;
    while let Some(row) = rows.next()? {
        let (place, header, body): (i64, Vec<u8>, Vec<u8>) =
            (row.get(0)?, row.get(1)?, row.get(2)?);
        to_sequence = place.cast_unsigned();
        changes.push(wire::Change {
            header: header.into(),
            body: body.into(),
            ..wire::Change::default()
        });
    }
    let (rows, raw_bytes) = super::pack(changes, false)?;
    send(wire::Page {
        rows: rows.into(),
        raw_bytes,
        to_sequence,
        ..wire::Page::default()
    });
    Ok(())
}

/// A TLS connection as tonic wants it.
struct Bare(TlsConnection);

impl Connected for Bare {
    type ConnectInfo = ();

    fn connect_info(&self) {}
}

impl AsyncRead for Bare {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.0).poll_read(context, buffer)
    }
}

impl AsyncWrite for Bare {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<std::io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(context, bytes)
    }

    fn poll_flush(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(context)
    }

    fn poll_shutdown(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(context)
    }
}
