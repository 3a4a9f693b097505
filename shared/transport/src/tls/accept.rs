//! Accepting connections: every handshake in its own task, a bounded number at once.

use std::collections::VecDeque;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use rustls::ServerConfig;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::mpsc;
use tokio::task::AbortHandle;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;
use tokio_stream::Stream;

use crate::certificate::PeerIdentity;

/// Connections that wait in the kernel: after an outage all offices come at once.
const BACKLOG: u32 = 4096;
/// Connections whose handshake is done and that the server has not taken yet.
const READY_MAX: usize = 64;
/// Rest after the kernel refused to accept (no file handles left, as a rule).
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Opens a listening socket with a backlog of 4,096. Port 0 takes a free one.
pub fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = if address.is_ipv4() {
        TcpSocket::new_v4()
    } else {
        TcpSocket::new_v6()
    }?;
    // On Windows this option would let another program take the port away.
    #[cfg(unix)]
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

/// Accepts connections until the returned stream is dropped.
///
/// Each handshake has its own task and `handshake_timeout`; at most `handshakes_max` run at once.
/// Where all are taken, the one that has taken longest makes room: an honest one needs milliseconds,
/// so that it is one of a silent peer, and hundreds of those hold nobody up. A failed handshake is
/// logged and not yielded; the stream itself yields no errors and does not end.
///
/// Must be called within a tokio runtime.
pub fn serve_tls(
    listener: TcpListener,
    config: Arc<ServerConfig>,
    handshake_timeout: Duration,
    handshakes_max: usize,
) -> TlsIncoming {
    let (sender, ready) = mpsc::channel(READY_MAX);
    let acceptor = TlsAcceptor::from(config);
    tokio::spawn(async move {
        let running = Running::new(handshakes_max);
        tokio::select! {
            () = sender.closed() => {}
            () = accept_all(&listener, &acceptor, &sender, running, handshake_timeout) => {}
        }
    });
    TlsIncoming { ready }
}

type Ready = mpsc::Sender<io::Result<TlsConnection>>;

/// The handshakes under way, the oldest first.
struct Running {
    max: usize,
    tasks: VecDeque<AbortHandle>,
}

impl Running {
    fn new(max: usize) -> Self {
        Self {
            max: max.max(1),
            tasks: VecDeque::new(),
        }
    }

    /// Begins one; the oldest is given up where there is no room.
    fn begin(&mut self, handshake: impl Future<Output = ()> + Send + 'static) {
        if self.tasks.len() >= self.max {
            self.tasks.retain(|task| !task.is_finished());
        }
        if self.tasks.len() >= self.max
            && let Some(oldest) = self.tasks.pop_front()
        {
            oldest.abort();
        }
        self.tasks.push_back(tokio::spawn(handshake).abort_handle());
    }
}

async fn accept_all(
    listener: &TcpListener,
    acceptor: &TlsAcceptor,
    sender: &Ready,
    mut running: Running,
    timeout: Duration,
) {
    loop {
        match listener.accept().await {
            Ok((socket, address)) => {
                let handshake = handshake(acceptor.clone(), socket, address, timeout);
                running.begin(deliver(handshake, sender.clone()));
            }
            Err(error) => {
                tracing::warn!(%error, "cannot accept a connection");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

async fn deliver(handshake: impl Future<Output = Option<TlsConnection>>, sender: Ready) {
    let connection = tokio::select! {
        () = sender.closed() => None,
        done = handshake => done,
    };
    if let Some(connection) = connection {
        // An error means that the server is going down; the connection closes with it.
        let _ = sender.send(Ok(connection)).await;
    }
}

async fn handshake(
    acceptor: TlsAcceptor,
    socket: TcpStream,
    address: SocketAddr,
    timeout: Duration,
) -> Option<TlsConnection> {
    if let Err(error) = super::connect::tune(&socket) {
        tracing::debug!(%address, %error, "cannot set socket options");
    }
    match tokio::time::timeout(timeout, acceptor.accept(socket)).await {
        // rustls lets a client through that names no protocol at all.
        Ok(Ok(stream)) if stream.get_ref().1.alpn_protocol() != Some(super::ALPN) => {
            tracing::debug!(%address, "no protocol was named");
            None
        }
        Ok(Ok(stream)) => {
            let peer = super::peer_identity(stream.get_ref().1);
            Some(TlsConnection {
                stream,
                peer,
                address,
            })
        }
        Ok(Err(error)) => {
            // Strangers knock at every open port; only a refused certificate deserves a warning.
            if is_certificate_error(&error) {
                tracing::warn!(%address, %error, "certificate refused");
            } else {
                tracing::debug!(%address, %error, "handshake failed");
            }
            None
        }
        Err(_) => {
            tracing::debug!(%address, "handshake took too long");
            None
        }
    }
}

fn is_certificate_error(error: &io::Error) -> bool {
    let cause = error.get_ref().and_then(|inner| inner.downcast_ref());
    matches!(cause, Some(rustls::Error::InvalidCertificate(_)))
}

/// The connections whose handshake has succeeded.
#[derive(Debug)]
pub struct TlsIncoming {
    ready: mpsc::Receiver<io::Result<TlsConnection>>,
}

impl Stream for TlsIncoming {
    type Item = io::Result<TlsConnection>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.ready.poll_recv(context)
    }
}

/// One accepted connection.
#[derive(Debug)]
pub struct TlsConnection {
    stream: TlsStream<TcpStream>,
    peer: Option<PeerIdentity>,
    address: SocketAddr,
}

impl TlsConnection {
    /// Who is at the other end, out of the verified certificate; none if none was presented.
    /// Whether it has expired or was revoked is not decided yet.
    pub fn peer_identity(&self) -> Option<PeerIdentity> {
        self.peer
    }

    /// The address of the other end, for logs only.
    pub fn remote_address(&self) -> SocketAddr {
        self.address
    }
}

impl AsyncRead for TlsConnection {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl AsyncWrite for TlsConnection {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(context, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}
