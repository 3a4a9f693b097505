//! The sync service: every call can be repeated after any cut.

use std::sync::Arc;

use domain::id::NodeId;
use domain::kinds::organisation;
use domain::limits;
use domain::session::Standing;
use domain::session::hub::{self as session, Proven};
use prost::bytes::Bytes;
use proto::convert;
use proto::status::CallRefused;
use proto::wire::sync as wire;
use proto::wire::sync::sync_server::Sync;
use store::hub::Node;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Request, Response, Status};

use super::{Shared, pull};
use crate::authority::{self, read_push};
use crate::error::HubError;
use crate::greet::{self, Greeting};
use crate::recovery;
use crate::{leases, release};

/// The sync service.
#[derive(Debug)]
pub(super) struct SyncService {
    shared: Shared,
}

impl SyncService {
    pub(super) const fn new(shared: Shared) -> Self {
        Self { shared }
    }
}

/// The limits that the hub sets now.
fn limits_now(shared: &Shared) -> wire::Limits {
    let number = |value: usize| u32::try_from(value).unwrap_or(u32::MAX);
    wire::Limits {
        batch_compressed_bytes_max: number(limits::BATCH_COMPRESSED_BYTES_MAX),
        batch_raw_bytes_max: number(limits::BATCH_RAW_BYTES_MAX),
        batch_changes_max: number(limits::BATCH_CHANGES_MAX),
        pushes_in_flight_max: shared.pushes_in_flight(),
        retry_after_ms: 0,
    }
}

/// The feeds that an office reads.
pub(super) fn feeds_of(node: &Node) -> Vec<String> {
    vec!["city".to_owned(), format!("office/{}", node.office)]
}

fn head_of(journal: &store::hub::Journal) -> wire::Head {
    wire::Head {
        sequence: journal.received,
        chain: Bytes::copy_from_slice(&journal.chain),
    }
}

/// What a former hub is proven to have decided of a journal, where this one has less.
fn proven_of(journal: &store::hub::Journal) -> Option<wire::Head> {
    let Proven { sequence, chain } = journal.proven;
    let chain = chain.filter(|_| journal.received < sequence)?;
    Some(wire::Head {
        sequence,
        chain: Bytes::copy_from_slice(&chain),
    })
}

#[tonic::async_trait]
impl Sync for SyncService {
    type PullStream = ReceiverStream<Result<wire::Page, Status>>;
    type WatchStream = ReceiverStream<Result<wire::FeedHead, Status>>;

    async fn hello(
        &self,
        request: Request<wire::HelloRequest>,
    ) -> Result<Response<wire::HelloResponse>, Status> {
        let node = self.shared.caller(&request).await?;
        let peer_renew = request
            .extensions()
            .get::<super::connection::Peer>()
            .and_then(|peer| peer.0)
            .is_some_and(|peer| peer.needs_renewal(system::now_ms().cast_signed()));
        let hello = request.into_inner();
        check_nonces(&hello)?;
        let head = hello.head.unwrap_or_default();
        let chain = convert::thirty_two(&head.chain, "head.chain").map_err(CallRefused::from)?;
        let now_ms = system::now_ms();
        let offset_ms = now_ms
            .cast_signed()
            .saturating_sub(hello.clock.cast_signed());
        let greeting = Greeting {
            epoch: hello.epoch,
            head: (head.sequence, chain),
            nonces: (
                hello.confirmed_nonce.to_vec(),
                hello.proposed_nonce.to_vec(),
            ),
            waiting: hello.waiting,
            clock: hello.clock,
        };
        let feeds = feeds_of(&node);
        let said = convert::decode_leases(hello.leases).map_err(CallRefused::from)?;
        let (office, app) = (node.office, self.shared.app.clone());
        let held = hello.held;
        let (standing, journal, office_name, leases) = self
            .shared
            .app
            .store
            .write::<_, HubError>(move |tx| {
                if recovery::is_rewound(tx, &app, &node, &held)? {
                    app.progress.lost(&app.own);
                    return Err(CallRefused::Behind.into());
                }
                let (standing, journal) = greet::greet(tx, &node, &greeting, now_ms)?;
                let is_settled = standing == Standing::Agreed;
                let caller = (&node, greeting.epoch);
                let leases = leases::greet(tx, &app, caller, said, is_settled, now_ms)?;
                Ok((standing, journal, name_of(tx, office)?, leases))
            })
            .await?;
        let (standing, offered_epoch) = match standing {
            Standing::Agreed => (wire::Standing::Agreed, 0),
            Standing::Rewound(epoch) => (wire::Standing::Rewound, epoch),
            Standing::Forked(epoch) => (wire::Standing::Forked, epoch),
            Standing::Cloned => (wire::Standing::Cloned, 0),
            Standing::HubRestored => (wire::Standing::HubRecovering, 0),
        };
        Ok(Response::new(wire::HelloResponse {
            standing: standing.into(),
            incarnation: Bytes::copy_from_slice(&self.shared.app.own.incarnation.bytes()),
            received: Some(head_of(&journal)),
            decided_through: journal.decided_through,
            offered_epoch,
            clock: now_ms,
            offset_ms,
            leases: leases.iter().map(convert::encode_lease).collect(),
            limits: Some(limits_now(&self.shared)),
            renew: peer_renew,
            hub_name: self.shared.app.identity.name().to_owned(),
            office_name,
            feeds,
            proven: proven_of(&journal),
        }))
    }

    async fn push(
        &self,
        request: Request<wire::PushRequest>,
    ) -> Result<Response<wire::PushResponse>, Status> {
        let node = self.shared.caller(&request).await?;
        let push = request.into_inner();
        self.shared.check_incarnation(&push.incarnation)?;
        if push.raw_bytes as usize > limits::BATCH_RAW_BYTES_MAX {
            return Err(CallRefused::from(convert::Invalid::TooLarge("raw_bytes")).into());
        }
        let under_way = self.shared.uplinks.begin(node.id)?;
        let _room = self.shared.room(push.raw_bytes)?;
        let pushed = Arc::new(read_push(&node, push)?);
        let node = Arc::new(node);
        let taken = loop {
            let others = under_way.others();
            let (app, now_ms) = (self.shared.app.clone(), system::now_ms());
            let (node, pushed) = (Arc::clone(&node), Arc::clone(&pushed));
            let taken = self
                .shared
                .app
                .store
                .write(move |tx| authority::take_batch(tx, &app, &node, &pushed, now_ms))
                .await?;
            // The one it follows may be on its way.
            if !taken.is_out_of_place || !under_way.another_ended(others).await {
                break taken;
            }
        };
        Ok(Response::new(wire::PushResponse {
            received: Some(head_of(&taken.journal)),
            decided_through: taken.journal.decided_through,
            durable: taken.durable,
            verdicts: taken.verdicts.into_iter().map(verdict).collect(),
            limits: Some(limits_now(&self.shared)),
            out_of_place: taken.is_out_of_place,
            feed_from: taken.feed.map_or(0, |(from, _)| from),
            feed_to: taken.feed.map_or(0, |(_, to)| to),
        }))
    }

    async fn pull(
        &self,
        request: Request<wire::PullRequest>,
    ) -> Result<Response<Self::PullStream>, Status> {
        let node = self.shared.caller(&request).await?;
        let pull = request.into_inner();
        self.shared.check_incarnation(&pull.incarnation)?;
        let (id, epoch, now_ms) = (node.id, pull.epoch, system::now_ms());
        let cursors = pull.cursors.clone();
        let (journal, shown) = self
            .shared
            .app
            .store
            .read::<_, HubError>(move |tx| {
                let shown = release::newly_shown(tx, id, epoch, &cursors, now_ms)?;
                Ok((tx.journal(id, epoch)?, shown))
            })
            .await?;
        if !session::may_read(journal.map(|journal| journal.is_kept_only)) {
            return Err(CallRefused::NotAllowed(pull::SET_APART).into());
        }
        let allowed = feeds_of(&node);
        if pull
            .cursors
            .iter()
            .any(|cursor| !allowed.contains(&cursor.feed))
        {
            return Err(CallRefused::NotAllowed("not a feed of this office").into());
        }
        if !shown.is_empty() {
            let noted =
                move |tx: store::Tx<'_>| release::note_shown(tx, (id, epoch), &shown, now_ms);
            self.shared.app.store.write(noted).await?;
        }
        let room = self.shared.pull_room(node.id)?;
        let app = self.shared.app.clone();
        Ok(Response::new(pull::stream(app, node, pull, room)))
    }

    async fn watch(
        &self,
        request: Request<wire::WatchRequest>,
    ) -> Result<Response<Self::WatchStream>, Status> {
        let node = self.shared.caller(&request).await?;
        self.shared
            .check_incarnation(&request.into_inner().incarnation)?;
        let room = self.shared.watch_room(node.id)?;
        Ok(Response::new(pull::watch(self.shared.clone(), node, room)))
    }

    async fn checkpoints(
        &self,
        request: Request<wire::CheckpointsRequest>,
    ) -> Result<Response<wire::CheckpointsResponse>, Status> {
        let node = self.shared.caller(&request).await?;
        let question = self.shared.question_room(node.id)?;
        let asked = request.into_inner();
        let heads = self
            .shared
            .app
            .store
            .read::<_, HubError>(move |tx| {
                // Held until it is answered, though nobody may wait for that any more.
                let _question = question;
                let Some(whose) = asked_of(tx, &node, &asked.former_node)? else {
                    return Ok(Vec::new());
                };
                let Some(journal) = tx.journal(whose, asked.epoch)? else {
                    return Ok(Vec::new());
                };
                let mut heads = Vec::new();
                for sequence in asked.sequences.into_iter().take(64) {
                    if let Some(chain) = greet::chain_at(tx, &journal, sequence)? {
                        let chain = Bytes::copy_from_slice(&chain);
                        heads.push(wire::Head { sequence, chain });
                    }
                }
                Ok(heads)
            })
            .await?;
        Ok(Response::new(wire::CheckpointsResponse { heads }))
    }

    async fn reconcile(
        &self,
        request: Request<wire::ReconcileRequest>,
    ) -> Result<Response<wire::ReconcileResponse>, Status> {
        let node = self.shared.caller(&request).await?;
        let asked = request.into_inner();
        self.shared.check_incarnation(&asked.incarnation)?;
        if !feeds_of(&node).contains(&asked.feed) {
            return Err(CallRefused::NotAllowed("not a feed of this office").into());
        }
        let question = self.shared.question_room(node.id)?;
        Ok(Response::new(
            pull::reconcile(&self.shared, node, asked, question).await?,
        ))
    }

    async fn renew(
        &self,
        request: Request<wire::RenewRequest>,
    ) -> Result<Response<wire::RenewResponse>, Status> {
        let (node, peer) = self.shared.renewing(&request).await?;
        let signing_request = request.into_inner().signing_request;
        let office_code = pull::office_code(&self.shared.app, node.office).await?;
        let leaf = self
            .shared
            .app
            .identity
            .renew(
                &transport::certificate::LeafRequest {
                    office: node.office.bytes(),
                    office_code: &office_code,
                    node: node.id.bytes(),
                    enrolment: peer.enrolment,
                    request_der: &signing_request,
                },
                peer.not_before_unix_s.max(node.certified_from),
                system::now_ms().cast_signed(),
            )
            .map_err(|error| Status::invalid_argument(error.to_string()))?;
        Ok(Response::new(wire::RenewResponse {
            certificate_chain: leaf.chain_pem,
        }))
    }
}

/// Whose journal is asked for: the caller's own, or that of a machine of its office; none where the hub knows no such
/// machine. What a machine wrote for another office is not its present office's to know.
fn asked_of(
    tx: store::Tx<'_>,
    caller: &Node,
    former_node: &[u8],
) -> Result<Option<NodeId>, HubError> {
    if former_node.is_empty() {
        return Ok(Some(caller.id));
    }
    let length = |_| CallRefused::from(convert::Invalid::Length("former_node"));
    let asked = tx.node(NodeId::from_slice(former_node).map_err(length)?)?;
    if asked
        .as_ref()
        .is_some_and(|asked| asked.office != caller.office)
    {
        return Err(CallRefused::NotAllowed("a machine of another office").into());
    }
    Ok(asked.map(|asked| asked.id))
}

/// The name of an office, for display.
fn name_of(tx: store::Tx<'_>, office: domain::id::OfficeId) -> Result<String, HubError> {
    let key = domain::record::RecordKey {
        kind: organisation::KIND_NUMBER,
        id: office,
    };
    let record = tx.record(key)?;
    let name = record.as_ref().and_then(|record| {
        record
            .text(organisation::NAME)
            .or_else(|| record.text(organisation::SHORT_NAME))
    });
    Ok(name.unwrap_or_default().to_owned())
}

/// Nonces are sixteen bytes; the confirmed one is empty at the first greeting.
fn check_nonces(hello: &wire::HelloRequest) -> Result<(), CallRefused> {
    let confirmed = hello.confirmed_nonce.len();
    if confirmed != 16 && confirmed != 0 {
        return Err(convert::Invalid::Length("confirmed_nonce").into());
    }
    if hello.proposed_nonce.len() != 16 {
        return Err(convert::Invalid::Length("proposed_nonce").into());
    }
    if !matches!(hello.incarnation.len(), 0 | 16) {
        return Err(convert::Invalid::Length("incarnation").into());
    }
    let acknowledged = hello
        .acknowledged
        .as_ref()
        .map_or(0, |head| head.chain.len());
    if !matches!(acknowledged, 0 | 32) {
        return Err(convert::Invalid::Length("acknowledged.chain").into());
    }
    Ok(())
}

fn verdict((sequence, verdict): (u64, domain::decide::Verdict)) -> wire::Verdict {
    use domain::decide::Verdict;
    let (outcome, reason) = match verdict {
        Verdict::Applied => (wire::Outcome::Unspecified, ""),
        Verdict::Merged => (wire::Outcome::Merged, ""),
        Verdict::Lost => (wire::Outcome::Lost, ""),
        Verdict::SetAside(reason) => (wire::Outcome::SetAside, reason),
        Verdict::Waiting => (wire::Outcome::Waiting, "waiting"),
    };
    wire::Verdict {
        sequence,
        outcome: outcome.into(),
        reason: reason.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test stops at what must not fail")]

    use std::time::Duration;

    use domain::change::chain_start;
    use domain::id::OfficeId;
    use store::StoreError;
    use store::hub::Journal;
    use tokio::sync::watch;
    use tonic::Code;
    use transport::certificate::LeafRequest;
    use transport::keys::TlsKey;

    use super::*;
    use crate::app::App;
    use crate::rpc::{Peer, QUESTIONS_MAX, WATCHES_MAX};

    const OFFICE: OfficeId = OfficeId::new([1; 16]);
    const NODE: NodeId = NodeId::new([2; 16]);

    /// A hub with one machine, which calls it.
    struct Called {
        service: SyncService,
        app: App,
        peer: Peer,
        /// Nobody tells of commits: a stream of heads waits for its beat.
        _commits: watch::Sender<u64>,
        _folder: tempfile::TempDir,
    }

    impl Called {
        async fn new() -> Self {
            let folder = tempfile::tempdir().unwrap();
            crate::app::init(folder.path(), "hub", &[]).unwrap();
            let app = App::open(folder.path()).unwrap();
            let request_der = TlsKey::generate().unwrap().request_der().unwrap();
            let leaf = LeafRequest {
                office: OFFICE.bytes(),
                office_code: "1",
                node: NODE.bytes(),
                enrolment: [3; 16],
                request_der: &request_der,
            };
            let now_ms = system::now_ms().cast_signed();
            let issued = app.identity.issue(&leaf, now_ms).unwrap();
            let node = Node::new(NODE, OFFICE, [0; 32]);
            let made = app
                .store
                .write::<_, StoreError>(move |tx| tx.insert_node(&node, 0));
            made.await.unwrap();
            let (commits, seen) = watch::channel(0);
            let shared = Shared::new(app.clone(), seen);
            Self {
                service: SyncService::new(shared),
                app,
                peer: Peer(Some(issued.identity)),
                _commits: commits,
                _folder: folder,
            }
        }

        fn call<T>(&self, message: T) -> Request<T> {
            let mut request = Request::new(message);
            request.extensions_mut().insert(self.peer);
            request
        }

        fn incarnation(&self) -> Bytes {
            Bytes::copy_from_slice(&self.app.own.incarnation.bytes())
        }

        async fn checkpoints(&self) -> Result<(), Status> {
            let asked = self.call(wire::CheckpointsRequest::default());
            self.service.checkpoints(asked).await.map(drop)
        }

        async fn reconcile(&self, prefixes: &[&[u8]]) -> Result<(), Status> {
            let prefixes = prefixes.iter().map(|prefix| Bytes::copy_from_slice(prefix));
            let asked = self.call(wire::ReconcileRequest {
                incarnation: self.incarnation(),
                epoch: 1,
                feed: "city".to_owned(),
                prefixes: prefixes.collect(),
                ..wire::ReconcileRequest::default()
            });
            self.service.reconcile(asked).await.map(drop)
        }
    }

    fn is_busy<T>(answer: Result<T, Status>) -> bool {
        answer.is_err_and(|status| proto::status::retry_after_ms(&status).is_some())
    }

    #[tokio::test]
    async fn a_node_that_asks_too_much_at_once_comes_again() {
        let hub = Called::new().await;
        let shared = &hub.service.shared;
        let mut asked: Vec<_> = (0..QUESTIONS_MAX)
            .map(|_| shared.question_room(NODE).unwrap())
            .collect();
        assert!(is_busy(hub.checkpoints().await));
        assert!(is_busy(hub.reconcile(&[&[]]).await));
        asked.pop();
        assert!(hub.checkpoints().await.is_ok());
        assert!(!is_busy(hub.reconcile(&[&[]]).await));
    }

    #[tokio::test]
    async fn a_node_that_watches_too_often_comes_again_and_has_room_once_it_has_left() {
        let hub = Called::new().await;
        let watch = || {
            hub.service.watch(hub.call(wire::WatchRequest {
                incarnation: hub.incarnation(),
            }))
        };
        let mut streams = Vec::new();
        for _ in 0..WATCHES_MAX {
            streams.push(watch().await.unwrap());
        }
        assert!(is_busy(watch().await));
        streams.pop();
        let left = async {
            while is_busy(watch().await) {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        // Sooner than it would be told something.
        let has_room = tokio::time::timeout(Duration::from_secs(10), left).await;
        assert!(has_room.is_ok(), "the place of one who left is held");
    }

    /// S8: a machine that was enrolled again is told how much of its former journal a restored hub has, and nobody
    /// is told of another office's.
    #[tokio::test]
    async fn of_a_former_identity_only_its_own_office_is_told() {
        let hub = Called::new().await;
        let (former, foreign, unknown) = ([4; 16], [5; 16], [6; 16]);
        let made = hub.app.store.write::<_, StoreError>(move |tx| {
            for (id, office) in [(former, OFFICE), (foreign, OfficeId::new([7; 16]))] {
                let node = NodeId::new(id);
                tx.insert_node(&Node::new(node, office, [0; 32]), 0)?;
                tx.put_journal(&Journal {
                    node,
                    epoch: 1,
                    received: 0,
                    chain: chain_start(node, 1),
                    decided_through: 0,
                    is_kept_only: false,
                    proven: Proven::default(),
                })?;
            }
            Ok(())
        });
        made.await.unwrap();
        let ask = |whose: [u8; 16]| {
            hub.service.checkpoints(hub.call(wire::CheckpointsRequest {
                epoch: 1,
                sequences: vec![0],
                former_node: Bytes::copy_from_slice(&whose),
            }))
        };
        let chains = |answer: Response<wire::CheckpointsResponse>| -> Vec<Bytes> {
            let heads = answer.into_inner().heads;
            heads.into_iter().map(|head| head.chain).collect()
        };
        let start = chain_start(NodeId::new(former), 1);
        let told = chains(ask(former).await.unwrap());
        assert_eq!(told, [Bytes::copy_from_slice(&start)]);
        assert!(chains(ask(unknown).await.unwrap()).is_empty());
        let refused = ask(foreign).await.err().map(|status| status.code());
        assert_eq!(refused, Some(Code::PermissionDenied));
    }

    /// A short call could else have all rows of a feed looked at again and again.
    #[tokio::test]
    async fn a_prefix_that_is_named_twice_is_refused() {
        let hub = Called::new().await;
        let code = |answer: Result<(), Status>| answer.err().map(|status| status.code());
        let named_twice: [&[&[u8]]; 2] = [&[&[], &[]], &[&[1, 2], &[1], &[1, 2]]];
        for prefixes in named_twice {
            let answer = hub.reconcile(prefixes).await;
            assert_eq!(code(answer), Some(Code::InvalidArgument), "{prefixes:?}");
        }
        // It was never greeted in this epoch.
        let answer = hub.reconcile(&[&[], &[1], &[1, 2]]).await;
        assert_eq!(code(answer), Some(Code::PermissionDenied));
    }
}
