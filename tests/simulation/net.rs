//! The lines between the offices and the hub: every call crosses as encoded bytes, late, lost, twice,
//! or cut in the middle of its answer.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures_util::future::BoxFuture;
use http_body_util::{BodyExt as _, Full, StreamBody};
use lianxin_hub::rpc::Peer;
use lianxin_node::line::{Dial, Line};
use prost::Message as _;
use prost::bytes::Bytes;
use proto::wire::sync as wire;
use tokio::sync::{mpsc, watch};
use tokio::time::Instant;
use tokio_stream::wrappers::ReceiverStream;
use tonic::body::Body;
use tonic::codegen::http::{self, request};
use tonic::service::Routes;
use tonic::{Code, Status};
use tower::Service as _;
use tower::service_fn;
use transport::certificate::PeerIdentity;
use transport::keys::node::KeptKeys;
use transport::tls::ClientTls;

use crate::simulation::chance::Chance;
use crate::simulation::disk::log;
use crate::simulation::world::{Machine, at};

/// After so long a caller finds out that nobody answers.
const SILENCE: Duration = Duration::from_secs(40);
/// A call arrives again no later than that (milliseconds).
pub const LATEST_MS: u64 = 20 * 60_000;
/// Over which tries in vain are counted.
const TEN_MINUTES: Duration = Duration::from_mins(10);
/// Calls that are kept to be sent again.
const CALLS_KEPT: usize = 60;
/// Bytes before a message in its frame: whether it is compressed, and its length.
const FRAME_HEAD: usize = 5;
/// Frames of an answer that are on their way at once.
const FRAMES_ON_THE_WAY: usize = 4;

/// What goes wrong on a line, in parts of 1,000 calls, and how long it takes (milliseconds one way).
#[derive(Debug, Clone, Copy, Default)]
pub struct Faults {
    /// Shortest and longest way.
    pub delay_ms: (u64, u64),
    /// Calls that never arrive.
    pub lost: u64,
    /// Answers that never arrive.
    pub unanswered: u64,
    /// Calls that arrive again, up to twenty minutes later.
    pub again: u64,
    /// Answers that are cut between two frames.
    pub cut: u64,
    /// Batches in which one bit turns over on the way, as in bad memory: no line does that under TLS.
    pub turned: u64,
}

/// How often each fault was met.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Met {
    /// Calls that arrived.
    pub calls: u64,
    /// Calls while the line was cut or the hub was off.
    pub unreachable: u64,
    /// As [`Faults::lost`].
    pub lost: u64,
    /// As [`Faults::unanswered`].
    pub unanswered: u64,
    /// As [`Faults::again`].
    pub again: u64,
    /// Of these, calls of a session before the line's last.
    pub late: u64,
    /// Calls with a certificate that had ended.
    pub expired: u64,
    /// As [`Faults::turned`], where the hub refused it.
    pub turned: u64,
    /// As [`Faults::cut`].
    pub cut: u64,
    /// Calls that the hub's end cut short.
    pub broken: u64,
    /// Calls that arrived over a line on which no answer comes back.
    pub one_way: u64,
    /// Greetings that arrived: sessions.
    pub sessions: u64,
    /// The most calls that one line tried in vain in ten minutes.
    pub tries_worst: u64,
    /// Calls that were sent again when all was quiet.
    pub replayed: u64,
    /// Calls that ask where two digests differ.
    pub descents: u64,
}

/// All lines to one hub.
#[derive(Debug)]
pub struct Net(Mutex<State>);

#[derive(Debug)]
struct State {
    hub: Option<Hub>,
    lines: Vec<Wire>,
    met: Met,
    /// The last calls that arrived.
    heard: VecDeque<Call>,
}

/// The hub's end while it is on.
#[derive(Clone)]
pub struct Hub {
    /// Its services.
    pub routes: Routes,
    /// Its machine.
    pub machine: Arc<Machine>,
    /// Moves when its power fails.
    pub life: watch::Receiver<u64>,
    /// Moves after every call: something may have been written.
    pub commits: watch::Sender<u64>,
}

impl std::fmt::Debug for Hub {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Hub").finish_non_exhaustive()
    }
}

#[derive(Debug)]
struct Wire {
    is_up: bool,
    faults: Faults,
    chance: Chance,
    /// Moves when the line is cut: open answers break.
    cuts: watch::Sender<u64>,
    /// Whether calls arrive and no answer comes back.
    is_one_way: bool,
    /// Greetings that arrived over this line.
    greetings: u64,
    /// When calls were tried in vain, in the last ten minutes.
    in_vain: VecDeque<Instant>,
}

/// A call that arrived, as it came.
type Call = (Peer, request::Parts, Bytes);

/// What becomes of one call.
#[derive(Debug, Clone, Copy)]
struct Fate {
    up_ms: u64,
    down_ms: u64,
    is_lost: bool,
    is_unanswered: bool,
    again_after_ms: Option<u64>,
    /// Which bit of a batch turns over (of so many bits as it has).
    turned: Option<u64>,
    cut_after: Option<u64>,
    is_one_way: bool,
}

impl Net {
    /// So many lines, all up and without faults; each draws from its own stream.
    pub fn new(seed: u64, lines: usize) -> Arc<Self> {
        let wire = |number: usize| Wire {
            is_up: true,
            faults: Faults::default(),
            chance: Chance::new(seed, "line", number as u64),
            cuts: watch::Sender::new(0),
            is_one_way: false,
            greetings: 0,
            in_vain: VecDeque::new(),
        };
        Arc::new(Self(Mutex::new(State {
            hub: None,
            lines: (0..lines).map(wire).collect(),
            met: Met::default(),
            heard: VecDeque::new(),
        })))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The hub goes on (or off).
    pub fn set_hub(&self, hub: Option<Hub>) {
        self.state().hub = hub;
    }

    /// What goes wrong on a line from now on; what went wrong before.
    pub fn set_faults(&self, line: usize, faults: Faults) -> Faults {
        let mut state = self.state();
        let wire = state.lines.get_mut(line);
        wire.map_or(faults, |wire| std::mem::replace(&mut wire.faults, faults))
    }

    /// Puts a line up or cuts it.
    pub fn set_up(&self, line: usize, is_up: bool) {
        if let Some(wire) = self.state().lines.get_mut(line) {
            wire.is_up = is_up;
            wire.is_one_way = false;
            if !is_up {
                wire.cuts.send_modify(|count| *count += 1);
            }
        }
    }

    /// From now on calls of a line arrive and no answer comes back, until it is put up again.
    pub fn set_one_way(&self, line: usize) {
        if let Some(wire) = self.state().lines.get_mut(line) {
            wire.is_one_way = true;
        }
    }

    /// A call of a line was in vain.
    fn note_in_vain(&self, line: usize) {
        let mut state = self.state();
        let Some(wire) = state.lines.get_mut(line) else {
            return;
        };
        let now = Instant::now();
        wire.in_vain.push_back(now);
        while wire
            .in_vain
            .front()
            .is_some_and(|then| now - *then > TEN_MINUTES)
        {
            wire.in_vain.pop_front();
        }
        let tries = wire.in_vain.len() as u64;
        state.met.tries_worst = state.met.tries_worst.max(tries);
    }

    /// Sends the last calls again, as they came.
    pub async fn replay(self: &Arc<Self>) {
        let calls: Vec<_> = self.state().heard.drain(..).collect();
        for (peer, parts, bytes) in calls {
            self.note(|met| met.replayed += 1);
            if let Ok(answer) = self.at_hub(peer, parts, bytes).await {
                // A stream that goes on is left after a while.
                let body = answer.into_body().collect();
                drop(tokio::time::timeout(Duration::from_secs(5), body).await);
            }
        }
        self.state().heard.clear();
    }

    /// What was met so far.
    pub fn met(&self) -> Met {
        self.state().met
    }

    fn note(&self, note: impl FnOnce(&mut Met)) {
        note(&mut self.state().met);
    }

    fn fate(&self, line: usize) -> Option<(Fate, watch::Receiver<u64>)> {
        let mut state = self.state();
        let wire = state.lines.get_mut(line)?;
        let (faults, chance) = (wire.faults, &mut wire.chance);
        let (low, high) = faults.delay_ms;
        let mut way = || low + chance.below(high.saturating_sub(low) + 1);
        let fate = Fate {
            up_ms: way(),
            down_ms: way(),
            is_lost: chance.happens(faults.lost),
            is_unanswered: chance.happens(faults.unanswered),
            again_after_ms: chance
                .happens(faults.again)
                .then(|| chance.log_uniform(1, LATEST_MS)),
            turned: chance
                .happens(faults.turned)
                .then(|| chance.below(u64::MAX)),
            cut_after: chance.happens(faults.cut).then(|| chance.below(4)),
            is_one_way: wire.is_one_way,
        };
        Some((fate, wire.cuts.subscribe()))
    }

    /// Sessions that began over a line.
    fn greetings(&self, line: usize) -> u64 {
        let state = self.state();
        state.lines.get(line).map_or(0, |wire| wire.greetings)
    }

    fn is_up(&self, line: usize) -> bool {
        self.state().lines.get(line).is_some_and(|wire| wire.is_up)
    }

    async fn carry(
        self: Arc<Self>,
        (line, peer): (usize, Peer),
        request: http::Request<Body>,
    ) -> Result<http::Response<Body>, Status> {
        let (parts, body) = request.into_parts();
        let bytes = body.collect().await?.to_bytes();
        let Some((fate, cuts)) = self.fate(line) else {
            return Err(Status::unavailable("no such line"));
        };
        sleep_ms(fate.up_ms).await;
        if fate.is_lost || !self.is_up(line) {
            self.note(|met| {
                met.lost += u64::from(fate.is_lost);
                met.unreachable += u64::from(!fate.is_lost);
            });
            self.note_in_vain(line);
            return silence().await;
        }
        if let Some(after_ms) = fate.again_after_ms {
            let (net, parts, bytes) = (Arc::clone(&self), parts.clone(), bytes.clone());
            let session = self.greetings(line);
            tokio::spawn(async move {
                sleep_ms(after_ms).await;
                let is_late = net.greetings(line) > session;
                if let Ok(answer) = net.at_hub(peer, parts, bytes).await {
                    net.note(|met| {
                        met.again += 1;
                        met.late += u64::from(is_late);
                    });
                    // Nobody waits for it for long.
                    let body = answer.into_body().collect();
                    drop(tokio::time::timeout(SILENCE, body).await);
                }
            });
        }
        let Some(hub) = self.state().hub.clone() else {
            self.note(|met| met.unreachable += 1);
            self.note_in_vain(line);
            return silence().await;
        };
        if parts.uri.path().ends_with("/Hello")
            && let Some(wire) = self.state().lines.get_mut(line)
        {
            wire.greetings += 1;
        }
        let is_batch = parts.uri.path().ends_with("/Push");
        let turned = fate.turned.filter(|_| is_batch && !bytes.is_empty());
        let bytes = turned.map_or_else(|| bytes.clone(), |bit| with_bit_turned(&bytes, bit));
        let answer = self.at_hub(peer, parts, bytes).await?;
        let code = Status::from_header_map(answer.headers()).map(|status| status.code());
        self.note(|met| {
            met.calls += 1;
            met.expired += u64::from(code == Some(Code::Unauthenticated));
            met.turned += u64::from(turned.is_some() && code.is_some_and(|code| code != Code::Ok));
        });
        if fate.is_one_way {
            self.note(|met| met.one_way += 1);
            self.note_in_vain(line);
            return silence().await;
        }
        if fate.is_unanswered {
            self.note(|met| met.unanswered += 1);
            return silence().await;
        }
        sleep_ms(fate.down_ms).await;
        let (parts, body) = answer.into_parts();
        let body = self.bring(body, fate, hub, cuts);
        Ok(http::Response::from_parts(parts, body))
    }

    /// The hub has answered a call. One that it refused, or that it never came to, comes for the first time when it
    /// comes again.
    fn hear(&self, call: Call, answer: &http::Response<Body>) {
        let mut state = self.state();
        state.met.sessions += u64::from(call.1.uri.path().ends_with("/Hello"));
        state.met.descents += u64::from(is_descent(&call));
        let refused = Status::from_header_map(answer.headers());
        if refused.is_some_and(|status| status.code() != Code::Ok) {
            return;
        }
        state.heard.push_back(call);
        if state.heard.len() > CALLS_KEPT {
            state.heard.pop_front();
        }
    }

    /// One call at the hub; ends when the hub's power fails.
    async fn at_hub(
        &self,
        peer: Peer,
        parts: request::Parts,
        bytes: Bytes,
    ) -> Result<http::Response<Body>, Status> {
        let hub = self.state().hub.clone();
        let Some(Hub {
            mut routes,
            machine,
            mut life,
            commits,
        }) = hub
        else {
            return Err(unreachable());
        };
        let call = (peer, parts.clone(), bytes.clone());
        let mut request = http::Request::from_parts(parts, Body::new(Full::new(bytes)));
        request.extensions_mut().insert(peer);
        let work = at(&machine, async move { routes.call(request).await });
        life.mark_unchanged();
        let answer = tokio::select! {
            biased;
            _ = life.changed() => None,
            answer = work => Some(answer),
        };
        commits.send_modify(|count| *count += 1);
        // What goes out from here on is promised.
        log::told(None);
        match answer {
            Some(Ok(answer)) => {
                self.hear(call, &answer);
                Ok(answer)
            }
            Some(Err(never)) => match never {},
            None => {
                self.note(|met| met.broken += 1);
                Err(unreachable())
            }
        }
    }

    /// Brings an answer frame by frame; it breaks when the line is cut or the hub's power fails.
    fn bring(
        self: &Arc<Self>,
        mut body: Body,
        fate: Fate,
        hub: Hub,
        mut cuts: watch::Receiver<u64>,
    ) -> Body {
        let (frames, arriving) = mpsc::channel(FRAMES_ON_THE_WAY);
        let (net, mut life) = (Arc::clone(self), hub.life);
        let (machine, mut left) = (hub.machine, fate.cut_after);
        tokio::spawn(async move {
            loop {
                let next = at(&machine, body.frame());
                let frame = tokio::select! {
                    biased;
                    _ = life.changed() => Some(Err(unreachable())),
                    _ = cuts.changed() => Some(Err(unreachable())),
                    () = frames.closed() => None,
                    frame = next => frame,
                };
                let Some(mut frame) = frame else { return };
                if left == Some(0) {
                    net.note(|met| met.cut += 1);
                    frame = Err(unreachable());
                }
                left = left.map(|left| left.saturating_sub(1));
                let is_over = frame.is_err();
                log::told(None);
                if frames.send(frame).await.is_err() || is_over {
                    return;
                }
            }
        });
        Body::new(StreamBody::new(ReceiverStream::new(arriving)))
    }
}

/// Whether a call asks what stands below prefixes of a digest: node and hub have found that they differ.
fn is_descent((_, parts, bytes): &Call) -> bool {
    let message = bytes.get(FRAME_HEAD..).unwrap_or_default();
    parts.uri.path().ends_with("/Reconcile")
        && wire::ReconcileRequest::decode(message).is_ok_and(|asked| !asked.prefixes.is_empty())
}

async fn sleep_ms(ms: u64) {
    if ms > 0 {
        tokio::time::sleep(Duration::from_millis(ms)).await;
    }
}

/// A message in which one bit has turned over; the frame of gRPC around it stays.
fn with_bit_turned(message: &Bytes, bit: u64) -> Bytes {
    const FRAME: usize = 5;
    let mut bytes = message.to_vec();
    let bits = bytes.len().saturating_sub(FRAME) as u64 * 8;
    if bits > 0 {
        let bit = bit % bits;
        let place = FRAME + usize::try_from(bit / 8).unwrap_or(0);
        if let Some(byte) = bytes.get_mut(place) {
            *byte ^= 1 << (bit % 8);
        }
    }
    bytes.into()
}

fn unreachable() -> Status {
    Status::new(Code::Unavailable, "the line is cut")
}

async fn silence<T>() -> Result<T, Status> {
    tokio::time::sleep(SILENCE).await;
    Err(unreachable())
}

/// One office's end of its line.
#[derive(Debug)]
pub struct End {
    /// The lines.
    pub net: Arc<Net>,
    /// Which of them.
    pub line: usize,
    /// The office's folder, with its keys.
    pub folder: std::path::PathBuf,
    known: KeptKeys,
}

impl End {
    /// The end of a line, of the office whose keys lie in `folder`.
    pub fn new(net: Arc<Net>, line: usize, folder: std::path::PathBuf) -> Self {
        Self {
            net,
            line,
            folder,
            known: KeptKeys::default(),
        }
    }

    /// Who the hub sees: what a handshake would prove.
    fn peer(&self) -> Option<PeerIdentity> {
        let keys = self.known.load(&self.folder.join("node-keys.toml")).ok()?;
        keys.identity?.certificate().ok()
    }
}

impl Dial for End {
    fn dial<'a>(&'a self, _: &'a str, _: &'a ClientTls) -> BoxFuture<'a, anyhow::Result<Line>> {
        Box::pin(async move {
            let (net, line, peer) = (Arc::clone(&self.net), self.line, Peer(self.peer()));
            let (is_up, is_on) = (net.is_up(line), net.state().hub.is_some());
            if !is_up || !is_on {
                net.note(|met| met.unreachable += 1);
                net.note_in_vain(line);
            }
            if !is_up {
                return Ok(silence().await?);
            }
            if !is_on {
                // Its machine refuses at once where the program does not run.
                return Err(unreachable().into());
            }
            let folder = self.folder.clone();
            Ok(Line::new(service_fn(move |request| {
                // What an office sends it must not lose.
                log::told(Some(&folder));
                Arc::clone(&net).carry((line, peer), request)
            })))
        })
    }
}
