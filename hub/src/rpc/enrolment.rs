//! Enrolment: a code becomes a certificate; the same code with the same keys is answered alike.

use domain::change::chain_start;
use domain::id::NodeId;
use domain::kinds::organisation;
use domain::record::RecordKey;
use proto::status::CallRefused;
use proto::wire::enrolment as wire;
use proto::wire::enrolment::enrolment_server::Enrolment;
use store::hub::{Journal, Node};
use tonic::{Request, Response, Status};
use transport::certificate::{LeafRequest, request_public_key};
use transport::code;

use super::Shared;
use crate::error::HubError;
use crate::system;

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

/// What the database answers to a code.
struct Enrolled {
    node: Node,
    office_code: String,
    office_name: String,
}

#[tonic::async_trait]
impl Enrolment for EnrolmentService {
    async fn enroll(
        &self,
        request: Request<wire::EnrollRequest>,
    ) -> Result<Response<wire::EnrollResponse>, Status> {
        let wire::EnrollRequest {
            secret,
            signing_request,
            verifying_key,
            machine,
            version: _,
        } = request.into_inner();
        let secret = proto::convert::sixteen(&secret, "secret").map_err(CallRefused::from)?;
        let verifying_key = proto::convert::thirty_two(&verifying_key, "verifying_key")
            .map_err(CallRefused::from)?;
        let public = request_public_key(&signing_request)
            .map_err(|_| CallRefused::BadCode("the signing request cannot be read"))?;
        let secret_hash = code::secret_hash(&secret);
        let mut hasher = blake3::Hasher::new();
        let keys_hash = hasher
            .update(&public)
            .update(&verifying_key)
            .finalize()
            .into();
        let now_ms = system::now_ms();
        let new_id = system::random_16().map_err(|_| Status::unavailable("no randomness"))?;
        let enrolled = self
            .shared
            .app
            .store
            .write::<_, HubError>(move |tx| {
                let node = Node {
                    id: NodeId::new(new_id),
                    office: domain::id::DESK,
                    verifying_key,
                    machine: machine.chars().take(100).collect(),
                    revoked_at: None,
                    cloned_at: None,
                    last_seen: None,
                    waiting: 0,
                    offset_ms: 0,
                };
                enroll(tx, &secret_hash, &keys_hash, node, now_ms)
            })
            .await?;
        self.note_used(secret_hash, now_ms)?;
        let identity = &self.shared.app.identity;
        let leaf = identity
            .issue(
                &LeafRequest {
                    office: enrolled.node.office.bytes(),
                    office_code: &enrolled.office_code,
                    node: enrolled.node.id.bytes(),
                    enrolment: keys_hash_16(&keys_hash),
                    request_der: &signing_request,
                },
                now_ms.cast_signed(),
            )
            .map_err(|error| Status::internal(error.to_string()))?;
        let comparison =
            code::comparison_number(&secret, &public, &verifying_key, &identity.root_hash());
        Ok(Response::new(wire::EnrollResponse {
            waiting_for_confirmation: false,
            comparison_number: comparison,
            certificate_chain: leaf.chain_pem,
            node_id: enrolled.node.id.bytes().to_vec().into(),
            epoch: 1,
            office_id: enrolled.node.office.bytes().to_vec().into(),
            office_code: enrolled.office_code,
            office_name: enrolled.office_name,
            hub_name: identity.name().to_owned(),
            hub_verifying_key: identity.verifying_key().0.to_vec().into(),
            root_certificate: identity.root_pem().to_owned(),
            clock: now_ms,
        }))
    }
}

impl EnrolmentService {
    /// Notes durably that a code was used: a restore must not make it new again.
    fn note_used(&self, secret_hash: [u8; 32], now_ms: u64) -> Result<(), CallRefused> {
        let used = transport::revoked::Entry::UsedCode(secret_hash);
        let register = &self.shared.app.register;
        let mut register = register
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        register
            .append(used, now_ms.cast_signed())
            .map_err(|error| CallRefused::CannotStore(error.to_string()))
    }
}

fn keys_hash_16(hash: &[u8; 32]) -> [u8; 16] {
    let mut bytes = [0; 16];
    bytes
        .iter_mut()
        .zip(hash)
        .for_each(|(to, from)| *to = *from);
    bytes
}

fn enroll(
    tx: store::Tx<'_>,
    secret_hash: &[u8; 32],
    keys_hash: &[u8; 32],
    mut node: Node,
    now_ms: u64,
) -> Result<Enrolled, HubError> {
    let code = tx
        .code(secret_hash)?
        .ok_or(CallRefused::BadCode("it is not known here"))?;
    let key = RecordKey {
        kind: organisation::KIND_NUMBER,
        id: code.office,
    };
    let office = tx
        .record(key)?
        .ok_or(CallRefused::BadCode("its office is gone"))?;
    match (code.keys_hash, code.node) {
        (Some(used_for), Some(id)) if used_for == *keys_hash => {
            node = tx
                .node(id)?
                .ok_or(CallRefused::BadCode("its node is gone"))?;
        }
        (Some(_), _) => return Err(CallRefused::BadCode("it was used before").into()),
        (None, _) if code.expires_at < now_ms => {
            return Err(CallRefused::BadCode("it has expired").into());
        }
        (None, _) => {
            node.office = code.office;
            tx.insert_node(&node, now_ms)?;
            tx.use_code(secret_hash, keys_hash, node.id)?;
            tx.put_journal(&Journal {
                node: node.id,
                epoch: 1,
                received: 0,
                chain: chain_start(node.id, 1),
                decided_through: 0,
                is_kept_only: false,
                history_through: 0,
            })?;
        }
    }
    Ok(Enrolled {
        node,
        office_code: office
            .text(organisation::CODE)
            .unwrap_or_default()
            .to_owned(),
        office_name: office
            .text(organisation::NAME)
            .unwrap_or_default()
            .to_owned(),
    })
}
