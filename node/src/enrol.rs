//! Turns an enrolment code into a certificate; repeated with the same keys after a lost answer.

use std::time::Duration;

use anyhow::Context as _;
use domain::id::{NodeId, OfficeId};
use proto::wire::enrolment as wire;
use proto::wire::enrolment::enrolment_client::EnrolmentClient;
use transport::code::EnrolmentCode;
use transport::keys::EnrolmentAnswer;
use transport::tls::ClientTls;

use crate::app::{App, Own};
use crate::{rewrite, sync, system};

/// How long the hub may take to answer.
const ANSWER_WITHIN: Duration = Duration::from_secs(30);

/// Enrols the node; answers the six figures that the hub shows as well.
///
/// # Errors
/// A code that cannot be read or is not taken; a hub that is not the code's.
pub async fn join(app: &App, code: &str) -> anyhow::Result<String> {
    let code = EnrolmentCode::parse(code)?;
    code.check_expiry(system::now_ms().cast_signed())?;
    let mut keys = app.keys()?;
    keys.begin_enrolment(code.clone())?;
    keys.save(&app.keys_path())?;
    let pending = keys.enrolment.as_ref().context("an enrolment was begun")?;
    let request = wire::EnrollRequest {
        secret: code.secret.to_vec().into(),
        signing_request: pending.tls_key.request_der()?.into(),
        verifying_key: pending.signing_key.verifying_key().0.to_vec().into(),
        machine: std::env::consts::OS.to_owned(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
    };
    let tls = ClientTls::enrolling(code.root_hash, sync::clock())?;
    let address = code
        .addresses
        .first()
        .context("the code names no address")?;
    let channel = sync::connect(address, &tls).await?;
    let mut client = EnrolmentClient::new(channel);
    let answer = tokio::time::timeout(ANSWER_WITHIN, client.enroll(request))
        .await??
        .into_inner();
    let own = Own {
        node: NodeId::from_slice(&answer.node_id)
            .ok()
            .context("the hub gave no node id")?,
        epoch: answer.epoch,
        office: OfficeId::from_slice(&answer.office_id)
            .ok()
            .context("the hub gave no office")?,
    };
    let comparison = answer.comparison_number.clone();
    let hub_key = answer
        .hub_verifying_key
        .as_ref()
        .try_into()
        .ok()
        .context("no hub key")?;
    // The journal first: were the keys first and the power cut then, it would never be renamed.
    app.store
        .write::<_, anyhow::Error>(move |tx| rewrite::adopt_identity(tx, own))
        .await?;
    keys.complete_enrolment(EnrolmentAnswer {
        node: own.node.bytes(),
        epoch: own.epoch,
        office_name: answer.office_name,
        hub_name: answer.hub_name,
        hub_addresses: code.addresses.clone(),
        hub_key: transport::sign::VerifyingKey(hub_key),
        root_pem: answer.root_certificate,
        chain_pem: answer.certificate_chain,
    })?;
    keys.save(&app.keys_path())?;
    Ok(comparison)
}
