//! What was signed is verified again, and what is derived from rows derived again: no hash covers either.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use anyhow::ensure;
use domain::change::RawChange;
use domain::digest::certificate_text;
use domain::id::NodeId;
use domain::kinds::person;
use proto::convert;
use store::hub::{Batch, Journal, Node};
use store::{Filter, StoreError, Tx};
use transport::keys::HubIdentity;
use transport::revoked::{AppendOnlyRegister, Entry};
use transport::sign::{Context, VerifyingKey};

use super::{FINDINGS_MAX, PORTION};
use crate::app::Own;
use crate::authority::{claim_of, touched};
use crate::recovery;

/// Who signs: the machines as they were enrolled, and the hub.
pub(super) struct Signers<'a> {
    nodes: BTreeMap<NodeId, Node>,
    own: Own,
    hub: &'a HubIdentity,
}

impl<'a> Signers<'a> {
    pub(super) fn new(tx: Tx<'_>, own: Own, hub: &'a HubIdentity) -> Result<Self, StoreError> {
        let nodes = tx.nodes()?.into_iter().map(|node| (node.id, node));
        Ok(Self {
            nodes: nodes.collect(),
            own,
            hub,
        })
    }

    /// Whether a run is signed by its machine, whose key never changes, and says rightly what its changes are about.
    pub(super) fn is_sound(
        &self,
        tx: Tx<'_>,
        journal: &Journal,
        (batch, changes): (&Batch, &[RawChange]),
    ) -> Result<bool, StoreError> {
        let (key, context) = if journal.node == self.own.node {
            (self.hub.verifying_key(), Context::HubJournal)
        } else if let Some(node) = self.nodes.get(&journal.node) {
            (VerifyingKey(node.verifying_key), Context::Batch)
        } else {
            // Whose journal it is was asked before.
            return Ok(true);
        };
        let (node, epoch) = (journal.node, journal.epoch);
        let count = u32::try_from(changes.len()).unwrap_or(u32::MAX);
        let text = convert::batch_signature_text(node, epoch, batch.first, count, &batch.chain);
        let is_signed = key.verify(context, &text, &batch.signature).is_ok();
        Ok(is_signed && tx.run_is_about((node, epoch, batch.last), &touched(changes))?)
    }

    /// Certificates that one of both has not signed. They were made under an incarnation that the hub is, or was.
    pub(super) fn check_certificates(
        &self,
        tx: Tx<'_>,
        findings: &mut Vec<String>,
    ) -> Result<(), StoreError> {
        let incarnations = recovery::incarnations(tx, &self.own)?;
        for equal in tx.equal_nodes()? {
            let node = self.nodes.get(&equal.node);
            let is_signed = node.is_some_and(|node| {
                let by_node = VerifyingKey(node.verifying_key);
                incarnations.iter().any(|incarnation| {
                    let (feed, at) = (equal.feed.as_str(), equal.sequence);
                    let text = certificate_text(node.office, feed, at, &equal.digest, *incarnation);
                    let is_by = |key: VerifyingKey, signature: &[u8]| {
                        key.verify(Context::Digest, &text, signature).is_ok()
                    };
                    is_by(by_node, &equal.by_node) && is_by(self.hub.verifying_key(), &equal.by_hub)
                })
            });
            if !is_signed {
                let (node, feed) = (equal.node, equal.feed);
                findings.push(format!("the certificate of {node} on {feed} is not signed"));
            }
        }
        Ok(())
    }

    /// Statements of what was erased that their machine has not signed; the first.
    pub(super) fn check_statements(
        &self,
        tx: Tx<'_>,
        findings: &mut Vec<String>,
    ) -> Result<(), StoreError> {
        findings.extend(tx.find_in_statements(|statement| {
            let (node, erased) = (statement.node, &statement.erased);
            let text = convert::erased_signature_text(node, statement.epoch, erased);
            let is_signed = self.nodes.get(&node).is_some_and(|node| {
                VerifyingKey(node.verifying_key)
                    .verify(Context::Erased, &text, &statement.signature)
                    .is_ok()
            });
            let id = erased.key.id;
            (!is_signed).then(|| format!("what {node} erased of {id} is not signed"))
        })?);
        Ok(())
    }
}

/// Persons who claim another ID number than they have, and claims of nobody: each writing of a person keeps his claim.
pub(super) fn check_claims(
    tx: Tx<'_>,
    identity: &HubIdentity,
    findings: &mut Vec<String>,
) -> Result<(), StoreError> {
    let (mut count, mut after, mut others) = (0, None, Vec::new());
    loop {
        let persons = tx.list(&person::KIND, &[Filter::Alive], after, PORTION)?;
        let Some(last) = persons.last() else { break };
        after = Some(last.key.id);
        for record in &persons {
            let claim = claim_of(identity, record).map(|hash| (person::KIND_NUMBER, hash));
            let kept = tx.claims_of(record.key.id)?;
            count += kept.len() as u64;
            if kept != Vec::from_iter(claim) && others.len() < FINDINGS_MAX {
                others.push(format!("person {} claims another number", record.key.id));
            }
        }
    }
    findings.append(&mut others);
    if tx.claim_count()? != count {
        findings.push("there are claims of nobody who lives".to_owned());
    }
    Ok(())
}

/// Refuses a database in which a machine speaks for another office, or with another key, than it was enrolled for: the
/// register beside it says that, and no restore takes it back.
///
/// # Errors
/// Where one does; the store's own.
pub(super) fn check_register(
    tx: Tx<'_>,
    register: &Mutex<AppendOnlyRegister>,
) -> anyhow::Result<()> {
    let register = register.lock().unwrap_or_else(PoisonError::into_inner);
    for (entry, _) in register.entries() {
        let Entry::Enrolled {
            node,
            office,
            verifying_key,
        } = entry
        else {
            continue;
        };
        let Some(known) = tx.node(NodeId::new(node))? else {
            continue;
        };
        ensure!(
            (known.office.bytes(), known.verifying_key) == (office, verifying_key),
            "machine {} is not as it was enrolled: restore the newest backup \
             电脑登记信息与登记簿不符:请恢复最近一次备份",
            known.id
        );
    }
    Ok(())
}
