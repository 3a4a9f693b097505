//! The line to the hub: where gRPC calls go.

use std::fmt::Debug;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;
use hyper_util::rt::TokioIo;
use tonic::Status;
use tonic::body::Body;
use tonic::codegen::http;
use tonic::transport::{Endpoint, Uri};
use tower::ServiceExt as _;
use tower::service_fn;
use tower::util::BoxCloneSyncService;
use transport::tls::ClientTls;

/// How long a connection may take.
const CONNECT_WITHIN: Duration = Duration::from_secs(10);
/// How long a call may take on a slow line.
const CALL_WITHIN: Duration = Duration::from_mins(2);

/// Carries calls to the hub and brings the answers.
pub type Line = BoxCloneSyncService<http::Request<Body>, http::Response<Body>, Status>;

/// How the hub is reached.
pub trait Dial: Debug + Send + Sync {
    /// A line to the hub at `address` (`host:port`).
    ///
    /// # Errors
    /// What a person can act on: unreachable, not the hub of the code, refused.
    fn dial<'a>(
        &'a self,
        address: &'a str,
        tls: &'a ClientTls,
    ) -> BoxFuture<'a, anyhow::Result<Line>>;
}

/// Over the network, with mutual TLS.
#[derive(Debug, Clone, Copy)]
pub struct OverTls;

impl Dial for OverTls {
    fn dial<'a>(
        &'a self,
        address: &'a str,
        tls: &'a ClientTls,
    ) -> BoxFuture<'a, anyhow::Result<Line>> {
        Box::pin(connect(address, tls))
    }
}

async fn connect(address: &str, tls: &ClientTls) -> anyhow::Result<Line> {
    let (config, address) = (Arc::clone(tls.config()), address.to_owned());
    let connector = service_fn(move |_: Uri| {
        let (config, address) = (Arc::clone(&config), address.clone());
        async move {
            let stream = transport::tls::connect(&address, &config, CONNECT_WITHIN).await?;
            Ok::<_, transport::TransportError>(TokioIo::new(stream))
        }
    });
    let endpoint = Endpoint::from_static("http://hub.lianxin.internal")
        .timeout(CALL_WITHIN)
        .http2_keep_alive_interval(Duration::from_secs(20))
        .keep_alive_timeout(Duration::from_secs(20));
    let channel = endpoint.connect_with_connector(connector).await?;
    Ok(BoxCloneSyncService::new(
        channel.map_err(|error| Status::from_error(error.into())),
    ))
}
