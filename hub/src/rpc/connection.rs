//! A TLS connection as tonic wants it, with who is at the other end.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::Sleep;
use tonic::transport::server::Connected;
use transport::certificate::PeerIdentity;
use transport::tls::TlsConnection;

/// Who is at the other end; none where no certificate was shown.
#[derive(Debug, Clone, Copy)]
pub struct Peer(pub Option<PeerIdentity>);

/// The bytes with which every HTTP/2 connection begins.
const PREFACE_BYTES: usize = 24;
/// How long a peer may take for them: until they are there nobody pings it, and a silent one would
/// hold its place for ever.
const PREFACE_TIMEOUT: Duration = Duration::from_secs(15);

/// An accepted connection.
pub(super) struct Connection {
    tls: TlsConnection,
    /// Until the preface has come: how much of it is still to come, and until when.
    beginning: Option<(usize, Pin<Box<Sleep>>)>,
}

impl Connection {
    pub(super) fn new(tls: TlsConnection) -> Self {
        let deadline = Box::pin(tokio::time::sleep(PREFACE_TIMEOUT));
        Self {
            tls,
            beginning: Some((PREFACE_BYTES, deadline)),
        }
    }

    /// Notes so many bytes of the preface, or fails where it is overdue.
    fn begin(&mut self, read: Option<usize>, context: &mut Context<'_>) -> io::Result<()> {
        let Some((missing, deadline)) = &mut self.beginning else {
            return Ok(());
        };
        *missing = missing.saturating_sub(read.unwrap_or(0));
        if *missing == 0 {
            self.beginning = None;
        } else if deadline.as_mut().poll(context).is_ready() {
            return Err(io::ErrorKind::TimedOut.into());
        }
        Ok(())
    }
}

impl Connected for Connection {
    type ConnectInfo = Peer;

    fn connect_info(&self) -> Peer {
        Peer(self.tls.peer_identity())
    }
}

impl AsyncRead for Connection {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let polled = Pin::new(&mut self.tls).poll_read(context, buffer);
        let read = polled.is_ready().then(|| buffer.filled().len() - before);
        self.begin(read, context)?;
        polled
    }
}

impl AsyncWrite for Connection {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.tls).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.tls).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.tls).poll_shutdown(context)
    }
}
