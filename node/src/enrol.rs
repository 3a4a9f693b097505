//! Turns an enrolment code into a certificate; repeated with the same keys after a lost answer.

use std::time::Duration;

use anyhow::Context as _;
use domain::id::{NodeId, OfficeId};
use proto::wire::enrolment as wire;
use proto::wire::enrolment::enrolment_client::EnrolmentClient;
use transport::code::EnrolmentCode;
use transport::keys::{EnrolmentAnswer, NodeIdentity, NodeKeys};
use transport::tls::ClientTls;

use crate::app::{App, Own};
use crate::{clock, rewrite, sync};

/// How long the hub may take to answer.
const ANSWER_WITHIN: Duration = Duration::from_secs(30);

/// How often the hub is asked whether an operator has compared the figures.
const ASK_AGAIN: Duration = Duration::from_secs(2);

/// Where an enrolment stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Joined {
    /// The node speaks for this office from now on.
    Enrolled {
        /// The six figures that the hub shows as well.
        comparison: String,
        /// The office's name.
        office: String,
        /// The hub's name.
        hub: String,
    },
    /// An operator must compare these six figures first; the same call goes on afterwards.
    Waiting {
        /// The six figures.
        comparison: String,
    },
}

/// Enrols the node, or goes on with an enrolment by the same code.
///
/// # Errors
/// A code that cannot be read or is not taken; a hub that is not the code's.
pub async fn join(app: &App, code: &str) -> anyhow::Result<Joined> {
    let code = EnrolmentCode::parse(code)?;
    let path = app.keys_path();
    // Under the store's lock, as whatever a session of a program that runs beside writes to the key file.
    app.store
        .write::<_, anyhow::Error>(move |_| {
            let mut keys = NodeKeys::load(&path)?;
            let is_begun = keys.enrolment.as_ref().is_some_and(|e| e.code == code);
            if !is_begun {
                code.check_expiry(system::now_ms().cast_signed())?;
            }
            keys.begin_enrolment(code.clone())?;
            Ok(keys.save(&path)?)
        })
        .await?;
    go_on(app).await
}

/// As [`join`], but waits until an operator has compared the figures; `tell` is called once when
/// there is something to wait for.
///
/// # Errors
/// As [`join`].
pub async fn join_and_wait(
    app: &App,
    code: &str,
    tell: impl FnOnce(&str),
) -> anyhow::Result<Joined> {
    let mut joined = join(app, code).await?;
    if let Joined::Waiting { comparison } = &joined {
        tell(comparison);
    }
    while let Joined::Waiting { .. } = joined {
        tokio::time::sleep(ASK_AGAIN).await;
        joined = go_on(app).await?;
    }
    Ok(joined)
}

/// Goes on with an enrolment that was begun and not answered, or waits for its confirmation.
///
/// # Errors
/// None was begun; else as [`join`].
pub async fn go_on(app: &App) -> anyhow::Result<Joined> {
    let mut keys = app.keys()?;
    let pending = keys.enrolment.as_ref().context("no enrolment was begun")?;
    let code = pending.code.clone();
    let comparison = pending.comparison_number()?;
    let request = wire::EnrollRequest {
        secret: code.secret.to_vec().into(),
        signing_request: pending.tls_key.request_der()?.into(),
        verifying_key: pending.signing_key.verifying_key().0.to_vec().into(),
        machine: std::env::consts::OS.to_owned(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
    };
    let tls = ClientTls::enrolling(code.root_hash, sync::clock())?;
    let line = sync::connect_any(app, &code.addresses, &tls).await?;
    let mut client = EnrolmentClient::new(line);
    let answer = tokio::time::timeout(ANSWER_WITHIN, client.enroll(request))
        .await??
        .into_inner();
    // The figures are reckoned here: the hub's own word for them would prove nothing.
    anyhow::ensure!(
        answer.comparison_number == comparison,
        "somebody stands between this computer and the hub: the figures differ \
         核对数字不一致,请停止登记并联系中心"
    );
    if answer.waiting_for_confirmation {
        return Ok(Joined::Waiting { comparison });
    }
    let own = Own {
        node: NodeId::from_slice(&answer.node_id)
            .ok()
            .context("the hub gave no node id")?,
        epoch: answer.epoch,
        office: OfficeId::from_slice(&answer.office_id)
            .ok()
            .context("the hub gave no office")?,
    };
    let hub_key = answer
        .hub_verifying_key
        .as_ref()
        .try_into()
        .ok()
        .context("no hub key")?;
    let has_lost = match &keys.identity {
        Some(former) => {
            let is_same_hub = former.root_pem == answer.root_certificate;
            has_lost(app, former, &code.addresses, is_same_hub).await?
        }
        None => false,
    };
    anyhow::ensure!(
        own.office.bytes() == code.office,
        "the hub's answer is for another office than the code 中心的答复与登记码的单位不符"
    );
    let hub_ms = answer.clock;
    let (office, hub) = (answer.office_name.clone(), answer.hub_name.clone());
    let (secret, path) = (code.secret, app.keys_path());
    let answer = EnrolmentAnswer {
        node: own.node.bytes(),
        epoch: own.epoch,
        office_name: answer.office_name,
        hub_name: answer.hub_name,
        hub_addresses: code.addresses,
        hub_key: transport::sign::VerifyingKey(hub_key),
        root_pem: answer.root_certificate,
        chain_pem: answer.certificate_chain,
    };
    keys.complete_enrolment(answer.clone())?;
    // What was answered is as the code says. The journal first: were the keys first and the power cut then, it would
    // never be renamed. Each under the store's lock, and only while the key file holds these pending keys.
    let is_adopted = app.store.write::<_, anyhow::Error>({
        let path = path.clone();
        move |tx| {
            if !is_pending(&NodeKeys::load(&path)?, &secret, own)? {
                return Ok(false);
            }
            clock::begin_epoch(tx, hub_ms)?;
            rewrite::adopt_identity(tx, own, has_lost)?;
            Ok(true)
        }
    });
    if is_adopted.await? {
        app.store
            .write::<_, anyhow::Error>(move |_| {
                let mut keys = NodeKeys::load(&path)?;
                if is_pending(&keys, &secret, own)? {
                    keys.complete_enrolment(answer)?;
                    keys.save(&path)?;
                }
                Ok(())
            })
            .await?;
    }
    Ok(Joined::Enrolled {
        comparison,
        office,
        hub,
    })
}

/// Whether the enrolment by the code with this secret is still to be completed; else another program on this machine
/// has done so.
///
/// # Errors
/// Where another code was entered meanwhile: its keys have taken the place of these.
fn is_pending(keys: &NodeKeys, secret: &[u8], own: Own) -> anyhow::Result<bool> {
    let is_done = |identity: &NodeIdentity| identity.node == own.node.bytes();
    match (&keys.enrolment, &keys.identity) {
        (Some(pending), _) if pending.code.secret == secret => Ok(true),
        (None, Some(identity)) if is_done(identity) => Ok(false),
        _ => anyhow::bail!(
            "another code was entered on this computer meanwhile 本机已改用另一登记码"
        ),
    }
}

/// Whether the hub has lost the identity that this machine had, with its whole journal: it was put back
/// from a backup, and what it noted beside its database is gone too.
async fn has_lost(
    app: &App,
    former: &NodeIdentity,
    addresses: &[String],
    is_same_hub: bool,
) -> anyhow::Result<bool> {
    match sync::ask_as(app, former, addresses).await {
        Ok(()) => Ok(false),
        Err(error) => match error.downcast_ref::<tonic::Status>() {
            Some(refused) => Ok(proto::status::is_unknown_node(refused)),
            None if is_same_hub => Err(error),
            None => Ok(false),
        },
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    /// S1: only the keys of the code that is in the file are completed: another program may have entered another code,
    /// whose keys are nowhere else.
    #[test]
    fn keys_of_another_code_are_not_written_over() {
        let code = |secret| EnrolmentCode {
            secret: [secret; 16],
            office: [2; 16],
            office_code: "350102001001".to_owned(),
            expires_unix_s: 0,
            root_hash: [3; 32],
            addresses: vec!["localhost:1".to_owned()],
        };
        let own = Own {
            node: NodeId::new([1; 16]),
            epoch: 1,
            office: OfficeId::new([2; 16]),
        };
        let mut keys = NodeKeys::default();
        assert!(is_pending(&keys, &[4; 16], own).is_err());
        keys.begin_enrolment(code(4)).unwrap();
        assert!(is_pending(&keys, &[4; 16], own).unwrap());
        keys.begin_enrolment(code(5)).unwrap();
        assert!(is_pending(&keys, &[4; 16], own).is_err());
    }
}
