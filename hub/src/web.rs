//! The status page: health for machines, and a plain page for people.

use std::net::SocketAddr;

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Html;
use axum::routing::get;
use axum::{Json, Router};
use domain::kinds::{organisation, set_aside};
use domain::limits::{CLAIM_COLLISIONS_MAX, CLAIM_WINDOW_MS};
use domain::record::RecordKey;
use serde_json::{Value, json};
use store::Filter;
use web::status::{Fact, StatusPage, Table};
use web::time::china_time;

use crate::app::App;
use crate::error::HubError;

/// Urgent tasks that are counted; one is too many already.
const URGENT_MAX: usize = 1_000;

/// Serves the page until `stop` resolves.
///
/// # Errors
/// Where the listener fails.
pub async fn serve(
    app: App,
    listener: tokio::net::TcpListener,
    stop: impl Future<Output = ()> + Send + 'static,
) -> std::io::Result<()> {
    let service = router(app).into_make_service_with_connect_info::<SocketAddr>();
    axum::serve(listener, service)
        .with_graceful_shutdown(stop)
        .await
}

fn router(app: App) -> Router {
    Router::new()
        .route("/", get(page))
        .route("/status.json", get(status_json))
        .route("/healthz", get(healthz))
        .route("/metrics", get(metrics))
        .with_state(app)
}

/// What machines are answered by a hub that cannot read its store: they look at the code alone.
type Unwell = (StatusCode, String);

fn unwell(error: &HubError) -> Unwell {
    (StatusCode::SERVICE_UNAVAILABLE, format!("{error}\n"))
}

async fn healthz(State(app): State<App>) -> Result<&'static str, Unwell> {
    let read = app
        .store
        .read::<_, HubError>(|tx| Ok(tx.feed_names()?))
        .await;
    read.map(|_| "ok\n").map_err(|error| unwell(&error))
}

async fn status_json(State(app): State<App>) -> Result<Json<Value>, (StatusCode, Json<Value>)> {
    status(&app).await.map(Json).map_err(|error| {
        let said = json!({"error": error.to_string()});
        (StatusCode::SERVICE_UNAVAILABLE, Json(said))
    })
}

/// What the hub knows of its offices' machines.
///
/// # Errors
/// The store's own.
pub async fn status(app: &App) -> Result<Value, HubError> {
    let incarnation = app.own.incarnation.to_string();
    app.store
        .read::<_, HubError>(move |tx| {
            let mut offices = Vec::new();
            let since = system::now_ms().saturating_sub(CLAIM_WINDOW_MS);
            let erased = tx.statements_by_node()?;
            for node in tx.nodes()? {
                let key = RecordKey {
                    kind: organisation::KIND_NUMBER,
                    id: node.office,
                };
                let office = tx.record(key)?;
                let text = |number| {
                    office
                        .as_ref()
                        .and_then(|o| o.text(number))
                        .map(str::to_owned)
                };
                let foreign_claims = tx.collisions(node.id, since)?.count;
                let journals: Vec<_> = tx
                    .journals()?
                    .into_iter()
                    .filter(|journal| journal.node == node.id)
                    .map(|journal| {
                        json!({
                            "epoch": journal.epoch,
                            "received": journal.received,
                            "decided_through": journal.decided_through,
                            "durable": tx.durable(journal.node, journal.epoch).unwrap_or(0),
                        })
                    })
                    .collect();
                offices.push(json!({
                    "office": node.office.to_string(),
                    "code": text(organisation::CODE),
                    "name": text(organisation::NAME),
                    "node": node.id.to_string(),
                    "revoked": node.revoked_at.is_some(),
                    "cloned": node.cloned_at.is_some(),
                    "last_seen_ms": node.last_seen,
                    "waiting": node.waiting,
                    "clock_offset_ms": node.offset_ms,
                    "foreign_claims": foreign_claims,
                    "claims_too_much": foreign_claims > CLAIM_COLLISIONS_MAX,
                    "journals": journals,
                    "records_erased": erased.get(&node.id).copied().unwrap_or(0),
                }));
            }
            let urgent = [
                Filter::Is(set_aside::STATE, b"held".to_vec()),
                Filter::Is(set_aside::URGENT, b"1".to_vec()),
            ];
            let urgent = tx.list(&set_aside::KIND, &urgent, None, URGENT_MAX)?;
            let backups: Vec<_> = tx
                .backups()?
                .iter()
                .map(|b| json!({"file": b.file, "at_ms": b.at, "bytes": b.bytes}))
                .collect();
            let durability = if backups.is_empty() {
                "no backup is kept: nothing is durable 没有备份,数据仅存于本机"
            } else {
                "what the oldest backup has is durable 以最早的备份为准"
            };
            Ok(json!({
                "recovering": crate::recovery::is_recovering(tx)?,
                "backups": backups,
                "durability": durability,
                "incarnation": incarnation,
                "urgent": urgent.len(),
                "release": crate::release::status(tx, system::now_ms())?,
                "incidents": tx.incidents()?,
                "nodes": offices,
            }))
        })
        .await
}

async fn metrics(State(app): State<App>) -> Result<String, Unwell> {
    let status = status(&app).await.map_err(|error| unwell(&error))?;
    let nodes = status["nodes"].as_array().cloned().unwrap_or_default();
    let waiting: u64 = nodes
        .iter()
        .filter_map(|node| node["waiting"].as_u64())
        .sum();
    Ok(format!(
        "# TYPE lianxin_nodes gauge\nlianxin_nodes {}\n\
         # TYPE lianxin_changes_waiting gauge\nlianxin_changes_waiting {waiting}\n\
         # TYPE lianxin_nodes_claiming_too_much gauge\nlianxin_nodes_claiming_too_much {}\n",
        nodes.len(),
        nodes
            .iter()
            .filter(|node| node["claims_too_much"] == true)
            .count()
    ))
}

async fn page(State(app): State<App>) -> Result<Html<String>, (StatusCode, Html<String>)> {
    let heading = format!("连心中心 · {}", app.identity.name());
    let status = match status(&app).await {
        Ok(status) => status,
        Err(error) => {
            let page = StatusPage::unwell(heading, &error);
            return Err((StatusCode::SERVICE_UNAVAILABLE, Html(page.html())));
        }
    };
    let at = |value: &Value| value.as_u64().map_or_else(|| "从未".to_owned(), china_time);
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let nodes: Vec<&Value> = status["nodes"].as_array().into_iter().flatten().collect();
    let backups = status["backups"].as_array();
    let last_backup = backups.and_then(|all| all.last());
    let recovering = status["recovering"] == true;
    let facts = vec![
        Fact::new(
            "状态",
            if recovering {
                "恢复中,等待节点上报"
            } else {
                "正常"
            },
        ),
        Fact::new("节点", format!("{} 台", nodes.len())),
        Fact::new("紧急事项", format!("{} 件", status["urgent"])),
        Fact::new(
            "最近备份",
            last_backup.map_or_else(|| "没有备份".to_owned(), |backup| at(&backup["at_ms"])),
        ),
    ];
    let state = |node: &Value| match (node["revoked"] == true, node["cloned"] == true) {
        (true, _) => "已停用",
        (false, true) => "有副本,请指定以哪台为准",
        (false, false) if node["claims_too_much"] == true => "在用,录入他处证件号码过多,请核实",
        (false, false) => "在用",
    };
    let rows = nodes.iter().map(|node| {
        vec![
            text(&node["code"]),
            text(&node["name"]),
            state(node).to_owned(),
            at(&node["last_seen_ms"]),
            format!("{} 条", node["waiting"]),
        ]
    });
    let page = StatusPage {
        heading,
        facts,
        tables: vec![Table {
            caption: "各社区节点".to_owned(),
            headings: vec!["编码", "名称", "状态", "最近联系", "当时待上传"],
            rows: rows.collect(),
        }],
    };
    Ok(Html(page.html()))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test stops at what must not fail")]

    use axum::body::Body;
    use axum::http::Request;
    use tower::ServiceExt as _;

    use super::*;

    async fn code_of(app: &App, path: &str) -> StatusCode {
        let request = Request::get(path).body(Body::empty()).unwrap();
        router(app.clone()).oneshot(request).await.unwrap().status()
    }

    #[tokio::test]
    async fn a_hub_that_cannot_read_its_store_says_so_by_the_code() {
        let folder = tempfile::tempdir().unwrap();
        crate::app::init(folder.path(), "hub", &[]).unwrap();
        let app = App::open(folder.path()).unwrap();
        for path in ["/healthz", "/metrics", "/status.json", "/"] {
            assert_eq!(code_of(&app, path).await, StatusCode::OK, "{path}");
        }
        std::fs::rename(app.database(), folder.path().join("away")).unwrap();
        for path in ["/healthz", "/metrics", "/status.json", "/"] {
            let code = code_of(&app, path).await;
            assert_eq!(code, StatusCode::SERVICE_UNAVAILABLE, "{path}");
        }
    }
}
