//! Enrolment: a code becomes a certificate; the same code with the same keys is answered alike.

use domain::change::chain_start;
use domain::id::{NodeId, OfficeId};
use domain::kinds::organisation;
use domain::record::{Record, RecordKey};
use domain::session::hub::Proven;
use proto::status::CallRefused;
use proto::wire::enrolment as wire;
use proto::wire::enrolment::enrolment_server::Enrolment;
use store::hub::{Bound, Journal, Node};
use tonic::{Request, Response, Status};
use transport::certificate::{LeafRequest, request_public_key};
use transport::code;
use transport::revoked::Entry;

use super::Shared;
use crate::error::HubError;

/// Characters of a machine's name that are kept.
const MACHINE_CHARS_MAX: usize = 100;

/// The enrolment service.
#[derive(Debug)]
pub(super) struct EnrolmentService {
    shared: Shared,
}

impl EnrolmentService {
    pub(super) const fn new(shared: Shared) -> Self {
        Self { shared }
    }
}

/// A machine that shows a code.
struct Applicant {
    secret_hash: [u8; 32],
    bound: Bound,
    verifying_key: [u8; 32],
    /// The id that it gets if the code makes a node now.
    new_id: NodeId,
}

/// What the database answers to a code.
enum Answered {
    /// An operator must compare the six figures first.
    Waiting,
    /// The code's node, made now or before, with its organisation.
    Enrolled(Box<(Node, Record)>),
}

#[tonic::async_trait]
impl Enrolment for EnrolmentService {
    async fn enroll(
        &self,
        request: Request<wire::EnrollRequest>,
    ) -> Result<Response<wire::EnrollResponse>, Status> {
        let request = request.into_inner();
        let signing_request = request.signing_request.clone();
        let applicant = self.read(request)?;
        let (secret_hash, bound) = (applicant.secret_hash, applicant.bound.clone());
        let now_ms = system::now_ms();
        let answered = self
            .shared
            .app
            .store
            .write::<_, HubError>(move |tx| enroll(tx, applicant, now_ms))
            .await?;
        self.note(Entry::UsedCode(secret_hash), now_ms)?;
        if let Answered::Enrolled(enrolled) = &answered {
            let (node, _) = enrolled.as_ref();
            let entry = Entry::Enrolled {
                node: node.id.bytes(),
                office: node.office.bytes(),
                verifying_key: node.verifying_key,
            };
            self.note(entry, now_ms)?;
        }
        let response = match answered {
            Answered::Waiting => wire::EnrollResponse {
                waiting_for_confirmation: true,
                comparison_number: bound.comparison,
                hub_name: self.shared.app.identity.name().to_owned(),
                clock: now_ms,
                ..wire::EnrollResponse::default()
            },
            Answered::Enrolled(enrolled) => {
                let (node, office) = *enrolled;
                self.certify(&node, &office, &bound, &signing_request)?
            }
        };
        Ok(Response::new(response))
    }
}

impl EnrolmentService {
    /// Reads who asks, and with which keys.
    fn read(&self, request: wire::EnrollRequest) -> Result<Applicant, Status> {
        let wire::EnrollRequest {
            secret,
            signing_request,
            verifying_key,
            machine,
            version: _,
        } = request;
        let secret = proto::convert::sixteen(&secret, "secret").map_err(CallRefused::from)?;
        let verifying_key = proto::convert::thirty_two(&verifying_key, "verifying_key")
            .map_err(CallRefused::from)?;
        let public = request_public_key(&signing_request)
            .map_err(|_| CallRefused::BadCode("the signing request cannot be read"))?;
        let mut hasher = blake3::Hasher::new();
        hasher.update(&public).update(&verifying_key);
        let new_id = system::random_16().map_err(|_| Status::unavailable("no randomness"))?;
        let root_hash = self.shared.app.identity.root_hash();
        Ok(Applicant {
            secret_hash: code::secret_hash(&secret),
            bound: Bound {
                keys_hash: hasher.finalize().into(),
                comparison: code::comparison_number(&secret, &public, &verifying_key, &root_hash),
                machine: machine.chars().take(MACHINE_CHARS_MAX).collect(),
            },
            verifying_key,
            new_id: NodeId::new(new_id),
        })
    }

    /// The certificate of an enrolled node, and what it must know.
    fn certify(
        &self,
        node: &Node,
        office: &Record,
        bound: &Bound,
        signing_request: &[u8],
    ) -> Result<wire::EnrollResponse, Status> {
        let identity = &self.shared.app.identity;
        let now_ms = system::now_ms();
        let text = |number| office.text(number).unwrap_or_default().to_owned();
        let mut enrolment = [0; 16];
        enrolment
            .iter_mut()
            .zip(bound.keys_hash)
            .for_each(|(to, from)| *to = from);
        let leaf = identity
            .issue(
                &LeafRequest {
                    office: node.office.bytes(),
                    office_code: &text(organisation::CODE),
                    node: node.id.bytes(),
                    enrolment,
                    request_der: signing_request,
                },
                now_ms.cast_signed(),
            )
            .map_err(|error| Status::internal(error.to_string()))?;
        Ok(wire::EnrollResponse {
            waiting_for_confirmation: false,
            comparison_number: bound.comparison.clone(),
            certificate_chain: leaf.chain_pem,
            node_id: node.id.bytes().to_vec().into(),
            epoch: 1,
            office_id: node.office.bytes().to_vec().into(),
            office_code: text(organisation::CODE),
            office_name: text(organisation::NAME),
            hub_name: identity.name().to_owned(),
            hub_verifying_key: identity.verifying_key().0.to_vec().into(),
            root_certificate: identity.root_pem().to_owned(),
            clock: now_ms,
        })
    }

    /// Notes durably what a restore must not take back: that a code was used, that a machine enrolled.
    fn note(&self, entry: Entry, now_ms: u64) -> Result<(), CallRefused> {
        let register = &self.shared.app.register;
        let mut register = register
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        register
            .append(entry, now_ms.cast_signed())
            .map_err(|error| CallRefused::CannotStore(error.to_string()))
    }
}

/// Binds a code to the first keys that are shown with it, and makes its node, at once or when an
/// operator has compared the six figures.
fn enroll(tx: store::Tx<'_>, applicant: Applicant, now_ms: u64) -> Result<Answered, HubError> {
    let hash = applicant.secret_hash;
    let code = tx
        .code(&hash)?
        .ok_or(CallRefused::BadCode("it is not known here"))?;
    let key = RecordKey {
        kind: organisation::KIND_NUMBER,
        id: code.office,
    };
    let office = tx
        .record(key)?
        .ok_or(CallRefused::BadCode("its office is gone"))?;
    if code.rejected_at.is_some() {
        return Err(CallRefused::BadCode("it was taken back by the operator").into());
    }
    match &code.bound {
        Some(bound) if bound.keys_hash != applicant.bound.keys_hash => {
            return Err(CallRefused::BadCode("it was used before").into());
        }
        Some(_) => {}
        None if code.expires_at < now_ms => {
            return Err(CallRefused::BadCode("it has expired").into());
        }
        None => tx.bind_code(&hash, &applicant.bound)?,
    }
    if let Some(id) = code.node {
        let node = tx
            .node(id)?
            .ok_or(CallRefused::BadCode("its node is gone"))?;
        return Ok(Answered::Enrolled(Box::new((node, office))));
    }
    if code.must_confirm && code.confirmed_at.is_none() {
        return Ok(Answered::Waiting);
    }
    let node = make_node(tx, applicant, code.office, now_ms)?;
    Ok(Answered::Enrolled(Box::new((node, office))))
}

fn make_node(
    tx: store::Tx<'_>,
    applicant: Applicant,
    office: OfficeId,
    now_ms: u64,
) -> Result<Node, HubError> {
    let mut node = Node::new(applicant.new_id, office, applicant.verifying_key);
    node.machine = applicant.bound.machine;
    tx.insert_node(&node, now_ms)?;
    tx.use_code(&applicant.secret_hash, node.id)?;
    tx.put_journal(&Journal {
        node: node.id,
        epoch: 1,
        received: 0,
        chain: chain_start(node.id, 1),
        decided_through: 0,
        is_kept_only: false,
        proven: Proven::default(),
    })?;
    Ok(node)
}
