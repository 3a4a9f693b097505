//! The machines of an office, and which of two copies is the office's.

use anyhow::Context as _;
use domain::id::NodeId;
use serde_json::{Value, json};

use super::desk::organisation_named;
use crate::app::App;
use crate::authority;
use crate::error::HubError;

/// Every machine that enrolled for an office, with what the hub has of its journals.
pub(super) async fn list(app: &App, code: &str) -> anyhow::Result<Value> {
    let office = organisation_named(app, code).await?;
    let rows = app
        .store
        .read::<_, HubError>(move |tx| {
            let nodes = tx.nodes()?;
            let mut rows = Vec::new();
            for journal in tx.journals()? {
                let Some(node) = nodes.iter().find(|node| node.id == journal.node) else {
                    continue;
                };
                if node.office != office {
                    continue;
                }
                rows.push(json!({
                    "node": node.id.to_string(),
                    "epoch": journal.epoch,
                    "received": journal.received,
                    "decided_through": journal.decided_through,
                    "kept_only": journal.is_kept_only,
                    "machine": node.machine,
                    "revoked": node.revoked_at.is_some(),
                    "copied": node.cloned_at.is_some(),
                    "last_seen_ms": node.last_seen,
                }));
            }
            Ok(rows)
        })
        .await?;
    Ok(Value::Array(rows))
}

/// Names the office's machine: its epoch is applied from now on, the machine's others are kept.
pub(super) async fn name(app: &App, code: &str, node: &str, epoch: u32) -> anyhow::Result<Value> {
    let office = organisation_named(app, code).await?;
    let id = NodeId::parse(node)
        .ok()
        .context("not a machine's id 不是机器编号")?;
    app.store
        .write::<_, HubError>(move |tx| {
            let known = tx.node(id)?.filter(|node| node.office == office);
            let named = tx.journal(id, epoch)?.filter(|_| known.is_some());
            if named.is_none() {
                return Err(proto::status::CallRefused::NotAllowed("no such journal").into());
            }
            for journal in tx.journals()?.iter().filter(|journal| journal.node == id) {
                tx.set_kept_only(id, journal.epoch, journal.epoch != epoch)?;
            }
            Ok(tx.note_clone(id, None)?)
        })
        .await?;
    let decided = decide_kept(app, id, epoch).await?;
    Ok(json!({"node": node, "epoch": epoch, "decided": decided}))
}

/// Decides what was kept of a journal, a portion in each transaction.
pub(super) async fn decide_kept(app: &App, node: NodeId, epoch: u32) -> anyhow::Result<u64> {
    let mut decided = 0;
    loop {
        let own = app.clone();
        let portion = app
            .store
            .write::<_, HubError>(move |tx| {
                authority::decide_stored(tx, &own, node, epoch, system::now_ms())
            })
            .await?;
        if portion == 0 {
            return Ok(decided);
        }
        decided += portion;
    }
}
