//! Calling the hub.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use rustls::ClientConfig;
use socket2::{SockRef, TcpKeepalive};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::verify;
use crate::error::TransportError;

/// A silent line is probed after this long, and then at this interval.
const KEEPALIVE_AFTER: Duration = Duration::from_mins(1);
const KEEPALIVE_EVERY: Duration = Duration::from_secs(20);

/// Connects to `address` (`host:port`) and makes the handshake, both within `timeout`.
///
/// The hub looks at this node's certificate only after this function has returned (TLS 1.3): a
/// refusal arrives with the first read. [`TransportError::from_connection`] names it.
///
/// Errors: `Unreachable`, `TimedOut`, `NotOurHub`, `RefusedByHub`, `HandshakeFailed`.
pub async fn connect(
    address: &str,
    config: &Arc<ClientConfig>,
    timeout: Duration,
) -> Result<TlsStream<TcpStream>, TransportError> {
    tokio::time::timeout(timeout, connect_now(address, config))
        .await
        .unwrap_or_else(|_| {
            let seconds = timeout.as_secs() + u64::from(timeout.subsec_nanos() > 0);
            Err(TransportError::TimedOut {
                address: address.to_owned(),
                seconds,
            })
        })
}

async fn connect_now(
    address: &str,
    config: &Arc<ClientConfig>,
) -> Result<TlsStream<TcpStream>, TransportError> {
    let unreachable = |source| TransportError::Unreachable {
        address: address.to_owned(),
        source,
    };
    let socket = TcpStream::connect(address).await.map_err(unreachable)?;
    tune(&socket).map_err(unreachable)?;
    let name = verify::hub_name().map_err(|_| TransportError::Crypto { what: "hub name" })?;
    let connected = TlsConnector::from(config.clone())
        .connect(name, socket)
        .await;
    connected.map_err(|error| TransportError::from_connection(address, &error))
}

/// No waiting for small packets to fill up; a dead line is noticed.
pub(super) fn tune(socket: &TcpStream) -> io::Result<()> {
    socket.set_nodelay(true)?;
    let keepalive = TcpKeepalive::new()
        .with_time(KEEPALIVE_AFTER)
        .with_interval(KEEPALIVE_EVERY);
    SockRef::from(socket).set_tcp_keepalive(&keepalive)
}
