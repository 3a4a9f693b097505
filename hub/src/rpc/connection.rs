//! A TLS connection as tonic wants it, with who is at the other end.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::oneshot;
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

/// How long a peer without a certificate may stay: it can only enrol, which is one call, and asks again
/// on another connection.
const STRANGER_LIFE: Duration = Duration::from_mins(1);
/// Peers without a certificate that are connected at once.
pub(super) const STRANGERS_MAX: usize = 64;

/// The peers without a certificate that are connected, the oldest first.
#[derive(Debug, Default)]
pub(super) struct Strangers(VecDeque<oneshot::Sender<Infallible>>);

impl Strangers {
    /// Lets one in. Where there is no room the oldest makes some: an honest one is gone in a moment.
    fn admit(&mut self, life: Duration) -> Stay {
        if self.0.len() >= STRANGERS_MAX {
            self.0.retain(|place| !place.is_closed());
        }
        if self.0.len() >= STRANGERS_MAX {
            self.0.pop_front();
        }
        let (place, taken) = oneshot::channel();
        self.0.push_back(place);
        Stay {
            deadline: Box::pin(tokio::time::sleep(life)),
            place: taken,
            is_over: false,
        }
    }
}

/// How long a peer without a certificate stays.
struct Stay {
    deadline: Pin<Box<Sleep>>,
    /// Ends when another takes the place.
    place: oneshot::Receiver<Infallible>,
    is_over: bool,
}

impl Stay {
    fn is_over(&mut self, context: &mut Context<'_>) -> bool {
        // What has ended must not be asked again.
        self.is_over = self.is_over
            || self.deadline.as_mut().poll(context).is_ready()
            || Pin::new(&mut self.place).poll(context).is_ready();
        self.is_over
    }
}

/// An accepted connection.
pub(super) struct Connection {
    tls: TlsConnection,
    /// Of a peer without a certificate.
    stay: Option<Stay>,
    /// Until the preface has come: how much of it is still to come, and until when.
    beginning: Option<(usize, Pin<Box<Sleep>>)>,
}

impl Connection {
    pub(super) fn new(tls: TlsConnection, strangers: &mut Strangers) -> Self {
        let deadline = Box::pin(tokio::time::sleep(PREFACE_TIMEOUT));
        let is_stranger = tls.peer_identity().is_none();
        Self {
            tls,
            stay: is_stranger.then(|| strangers.admit(STRANGER_LIFE)),
            beginning: Some((PREFACE_BYTES, deadline)),
        }
    }

    /// Fails where a peer without a certificate has stayed too long. Whatever the connection waits for,
    /// it hears of the end.
    fn may_stay(&mut self, context: &mut Context<'_>) -> io::Result<()> {
        if let Some(stay) = &mut self.stay
            && stay.is_over(context)
        {
            return Err(io::ErrorKind::TimedOut.into());
        }
        Ok(())
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
        self.may_stay(context)?;
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
        self.may_stay(context)?;
        Pin::new(&mut self.tls).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.may_stay(context)?;
        Pin::new(&mut self.tls).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.may_stay(context)?;
        Pin::new(&mut self.tls).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test stops at what must not fail")]

    use std::future::poll_fn;

    use super::*;

    const LONG: Duration = Duration::from_hours(1);

    fn is_over_now(stay: &mut Stay) -> bool {
        stay.is_over(&mut Context::from_waker(std::task::Waker::noop()))
    }

    async fn over(stay: &mut Stay) {
        let ended = poll_fn(|context| {
            if stay.is_over(context) {
                Poll::Ready(())
            } else {
                Poll::Pending
            }
        });
        tokio::time::timeout(Duration::from_secs(10), ended)
            .await
            .unwrap();
    }

    #[tokio::test]
    async fn a_peer_without_a_certificate_goes_when_its_time_is_over() {
        let mut strangers = Strangers::default();
        let mut stay = strangers.admit(Duration::from_millis(20));
        assert!(!is_over_now(&mut stay));
        over(&mut stay).await;
        assert!(is_over_now(&mut stay), "and stays gone");
    }

    #[tokio::test]
    async fn where_there_is_no_room_the_oldest_peer_without_a_certificate_goes() {
        let mut strangers = Strangers::default();
        let mut stays: VecDeque<_> = (0..STRANGERS_MAX).map(|_| strangers.admit(LONG)).collect();
        // Who has gone leaves room.
        stays.pop_back();
        stays.push_back(strangers.admit(LONG));
        assert!(!stays.iter_mut().any(is_over_now));

        let (mut oldest, begun) = (stays.pop_front().unwrap(), strangers.admit(LONG));
        over(&mut oldest).await;
        assert!(is_over_now(&mut oldest));
        stays.push_back(begun);
        assert!(!stays.iter_mut().any(is_over_now));
    }
}
