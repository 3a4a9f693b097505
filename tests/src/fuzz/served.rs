//! A hub that is served in this thread, and calls as bytes from one enrolled office.

use std::cell::RefCell;
use std::mem::ManuallyDrop;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use http_body_util::{BodyExt as _, Full};
use lianxin_hub::rpc::{Peer, Shared};
use prost::Message;
use prost::bytes::Bytes;
use tempfile::TempDir;
use tokio::runtime::Runtime;
use tokio::sync::watch;
use tonic::body::Body;
use tonic::codegen::http;
use tonic::service::Routes;
use tonic::{Code, Status};
use tower::Service as _;
use transport::certificate::PeerIdentity;
use transport::keys::NodeKeys;

use super::note;
use crate::simulation::chance::Chance;
use crate::simulation::city::City;
use crate::simulation::disk;
use crate::simulation::virtual_time;
use crate::simulation::world::{Machine, at};

const SEED: u64 = 1;
/// What calls wrote is forgotten now and then.
const CALLS_MAX: u64 = 20_000;
/// How long an answer may go on, by the hub's own clock.
const ANSWER_WITHIN: Duration = Duration::from_secs(30);

thread_local! {
    static SERVED: RefCell<Option<Served>> = const { RefCell::new(None) };
}

struct Served {
    /// Neither is taken down at the end of the thread: what they use of it may be gone by then.
    runtime: ManuallyDrop<Runtime>,
    routes: ManuallyDrop<Routes>,
    machine: Arc<Machine>,
    peer: PeerIdentity,
    incarnation: [u8; 16],
    calls: u64,
    _folder: TempDir,
}

/// What came back.
pub(super) struct Answer {
    /// How the call ended.
    pub(super) status: Status,
    /// The messages before that.
    pub(super) messages: Vec<Bytes>,
}

/// Who calls, and whom.
#[derive(Debug, Clone, Copy)]
pub(super) struct Known {
    /// The office of the certificate.
    pub(super) office: [u8; 16],
    /// Its node.
    pub(super) node: [u8; 16],
    /// The hub's incarnation.
    pub(super) incarnation: [u8; 16],
}

impl Served {
    fn begin() -> anyhow::Result<Self> {
        disk::register().map_err(anyhow::Error::msg)?;
        let folder = virtual_time::folder("lianxin-fuzz-")?;
        let runtime = virtual_time::runtime()?;
        let (routes, machine, peer, incarnation) = runtime.block_on(async {
            let mut city = City::found(SEED, folder.path(), 1).await?;
            for number in 0..40 {
                let name = format!("name=人{number}");
                city.at_office(0, &["add", "person", &name]).await?;
            }
            city.sync(0).await?;
            // From now on only these calls are made.
            city.cut_office(0, &mut Chance::new(SEED, "fuzz", 0));
            let office = city.offices.first().context("an office")?;
            let keys = NodeKeys::load(&office.folder.join("node-keys.toml"))?;
            let peer = keys.enrolled()?.certificate()?;
            let app = city.hub.app.clone().context("the hub is on")?;
            let incarnation = app.own.incarnation.bytes();
            let shared = Shared::new(app, watch::Sender::new(0).subscribe());
            let routes = lianxin_hub::rpc::services(shared);
            anyhow::Ok((routes, Arc::clone(&city.hub.machine), peer, incarnation))
        })?;
        Ok(Self {
            runtime: ManuallyDrop::new(runtime),
            routes: ManuallyDrop::new(routes),
            machine,
            peer,
            incarnation,
            calls: 0,
            _folder: folder,
        })
    }

    /// No thread ends here, so all that is used is there still.
    fn end(self) {
        drop(ManuallyDrop::into_inner(self.routes));
        drop(ManuallyDrop::into_inner(self.runtime));
    }

    fn call(&mut self, path: &str, message: &[u8]) -> anyhow::Result<Answer> {
        self.calls += 1;
        let length = u32::try_from(message.len())?.to_be_bytes();
        let framed = Bytes::from([&[0][..], &length, message].concat());
        let mut request = http::Request::post(path)
            .header("content-type", "application/grpc")
            .body(Body::new(Full::new(framed)))?;
        request.extensions_mut().insert(Peer(Some(self.peer)));
        let mut routes = Routes::clone(&self.routes);
        let work = at(&self.machine, async move {
            let answer = match routes.call(request).await {
                Ok(answer) => answer,
                Err(never) => match never {},
            };
            let (parts, body) = answer.into_parts();
            (
                parts,
                tokio::time::timeout(ANSWER_WITHIN, body.collect()).await,
            )
        });
        let (parts, body) = self.runtime.block_on(work);
        let body = body.context("an answer without an end")?;
        let headers = Status::from_header_map(&parts.headers);
        let (trailers, bytes) = match body {
            Ok(body) => (
                body.trailers().and_then(Status::from_header_map),
                body.to_bytes(),
            ),
            Err(status) => (Some(status), Bytes::new()),
        };
        let status = trailers.or(headers).context("an answer without a status")?;
        Ok(Answer {
            status,
            messages: messages(&bytes)?,
        })
    }
}

fn messages(mut bytes: &[u8]) -> anyhow::Result<Vec<Bytes>> {
    let mut found = Vec::new();
    while let Some(([_, length @ ..], rest)) = bytes.split_first_chunk::<5>() {
        let length = usize::try_from(u32::from_be_bytes(*length))?;
        let (message, rest) = rest.split_at_checked(length).context("half a message")?;
        found.push(Bytes::copy_from_slice(message));
        bytes = rest;
    }
    Ok(found)
}

fn with_served<T>(work: impl FnOnce(&mut Served) -> anyhow::Result<T>) -> anyhow::Result<T> {
    SERVED.with_borrow_mut(|served| {
        if served
            .as_ref()
            .is_none_or(|served| served.calls >= CALLS_MAX)
        {
            if let Some(before) = served.take() {
                before.end();
            }
            *served = Some(Served::begin()?);
        }
        work(served.as_mut().context("served")?)
    })
}

/// Who calls, and whom.
pub(super) fn known() -> anyhow::Result<Known> {
    with_served(|served| {
        Ok(Known {
            office: served.peer.office,
            node: served.peer.node,
            incarnation: served.incarnation,
        })
    })
}

/// Calls the hub with these bytes as the message `M`, and looks whether the answer is one that a client can
/// use: no fault of the hub's own, and a reason wherever it refuses.
pub(super) fn call<M: Message + Default>(path: &str, message: &[u8]) -> anyhow::Result<Answer> {
    let answer = note::quickly(|| with_served(|served| served.call(path, message)))??;
    let status = &answer.status;
    match status.code() {
        Code::Ok => {}
        Code::InvalidArgument
        | Code::FailedPrecondition
        | Code::PermissionDenied
        | Code::ResourceExhausted
        | Code::Unauthenticated => {
            ensure!(status.message().len() > 8, "an error that says nothing");
        }
        _ => anyhow::bail!("S20: {status:?}"),
    }
    if status.code() == Code::ResourceExhausted {
        note::met("M4 counts over the limit refused");
    }
    if M::decode(message).is_err() {
        ensure!(
            status.code() != Code::Ok,
            "bytes that are no message are answered"
        );
        note::met("calls that are none");
    }
    Ok(answer)
}
