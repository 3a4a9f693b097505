//! The status page: what waits here, the last success, the line now.

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Html;
use axum::routing::get;
use axum::{Json, Router};
use domain::kinds::set_aside;
use serde_json::{Value, json};
use store::Filter;
use web::status::{Fact, StatusPage, Table};
use web::time::china_time;

use crate::app::App;
use crate::letters;

/// Urgent tasks that are counted; one is too many already.
const URGENT_MAX: usize = 1_000;

/// Serves the page until the process ends.
///
/// # Errors
/// Where the listener fails.
pub async fn serve(app: App, listener: tokio::net::TcpListener) -> std::io::Result<()> {
    let router = Router::new()
        .route("/", get(page))
        .route("/status.json", get(status_json))
        .route("/healthz", get(healthz))
        .route("/metrics", get(metrics))
        .with_state(app);
    axum::serve(listener, router).await
}

/// What the node knows of itself.
///
/// # Errors
/// The store's own.
pub async fn status(app: &App) -> anyhow::Result<Value> {
    let (own, marks) = (app.own, app.marks_path());
    // What the clerk reads out while an operator must confirm this machine.
    let keys = app.keys()?;
    let pending = keys.enrolment;
    let comparison = pending.and_then(|pending| pending.comparison_number().ok());
    let is_enrolled = keys.identity.is_some();
    app.store
        .read::<_, anyhow::Error>(move |tx| {
            let own = own.in_store(tx)?;
            let number = |name: &str| -> anyhow::Result<Option<u64>> {
                let bytes = tx.setting(name)?.and_then(|bytes| bytes.try_into().ok());
                Ok(bytes.map(u64::from_be_bytes))
            };
            let head = tx.last_entry(own.epoch)?.map_or(0, |entry| entry.sequence);
            let unsent = tx.first_pending(own.epoch)?;
            let received = unsent.map_or(head, |first| first - 1);
            let link = tx.setting("link")?.unwrap_or_default();
            let certificates: Vec<_> = tx
                .certificates()?
                .iter()
                .map(|certificate| {
                    json!({
                        "feed": certificate.feed,
                        "sequence": certificate.sequence,
                        "count": certificate.digest.count(),
                        "sum": domain::id::hex(&certificate.digest.sum()),
                        "at_ms": certificate.at,
                    })
                })
                .collect();
            let mut digests = serde_json::Map::new();
            for feed in ["city".to_owned(), format!("office/{}", own.office)] {
                let digest = tx.reading(&feed)?.digest;
                digests.insert(feed, domain::id::hex(&digest.sum()).into());
            }
            let urgent = [
                Filter::Is(set_aside::STATE, b"held".to_vec()),
                Filter::Is(set_aside::URGENT, b"1".to_vec()),
            ];
            Ok(json!({
                "digests": digests,
                "comparison_number": comparison,
                "enrolled": is_enrolled,
                "node": own.node.to_string(),
                "epoch": own.epoch,
                "office": own.office.to_string(),
                "waiting": tx.pending_count()?,
                "urgent": tx.list(&set_aside::KIND, &urgent, None, URGENT_MAX)?.len(),
                "erasing": tx.leaving_count()?,
                "received": received,
                "durable": number("durable")?.unwrap_or(0),
                "last_success_ms": number("last_success")?,
                "link": String::from_utf8_lossy(&link),
                "letter_numbers": numbers_left(tx, own, &marks)?,
                "certificates": certificates,
            }))
        })
        .await
}

/// Letter numbers left here without a line, by issuer and year.
fn numbers_left(
    tx: store::Tx<'_>,
    own: crate::app::Own,
    marks: &std::path::Path,
) -> anyhow::Result<Vec<Value>> {
    let left = letters::left(tx, own, marks)?;
    let line = |(issuer, year, left): &(domain::record::Record, u16, u32)| {
        json!({
            "issuer": letters::name_of(issuer),
            "issuer_id": issuer.key.id.to_string(),
            "year": year,
            "left": left,
        })
    };
    Ok(left.iter().map(line).collect())
}

/// What is answered by a node that cannot read its store: machines look at the code alone.
fn unwell(error: &anyhow::Error) -> (StatusCode, String) {
    (StatusCode::SERVICE_UNAVAILABLE, format!("{error}\n"))
}

async fn healthz(State(app): State<App>) -> Result<&'static str, (StatusCode, String)> {
    let read = |tx: store::Tx<'_>| Ok(tx.pending_count()?);
    let read = app.store.read::<_, anyhow::Error>(read).await;
    read.map(|_| "ok\n").map_err(|error| unwell(&error))
}

async fn status_json(State(app): State<App>) -> Result<Json<Value>, (StatusCode, Json<Value>)> {
    status(&app).await.map(Json).map_err(|error| {
        let said = json!({"error": error.to_string()});
        (StatusCode::SERVICE_UNAVAILABLE, Json(said))
    })
}

async fn metrics(State(app): State<App>) -> Result<String, (StatusCode, String)> {
    let status = status(&app).await.map_err(|error| unwell(&error))?;
    Ok(format!(
        "# TYPE lianxin_changes_waiting gauge\nlianxin_changes_waiting {}\n",
        status["waiting"]
    ))
}

async fn page(State(app): State<App>) -> Result<Html<String>, (StatusCode, Html<String>)> {
    let status = status(&app).await.map_err(|error| {
        let page = StatusPage::unwell("连心".to_owned(), &error);
        (StatusCode::SERVICE_UNAVAILABLE, Html(page.html()))
    })?;
    let keys = app.keys().ok();
    let identity = keys.as_ref().and_then(|keys| keys.identity.as_ref());
    let office = identity.map_or("尚未入网", |identity| &identity.office_name);
    let at = |value: &Value| value.as_u64().map_or_else(|| "尚无".to_owned(), china_time);
    let mut facts = vec![
        Fact::new("本机待上传", format!("{} 条", status["waiting"])),
        Fact::new("最近成功", at(&status["last_success_ms"])),
        Fact::new(
            "线路",
            if status["link"] == "up" {
                "已连接"
            } else {
                "未连接,自动重试"
            },
        ),
        Fact::new("紧急事项", format!("{} 件", status["urgent"])),
    ];
    if let Some(figures) = status["comparison_number"].as_str() {
        facts.insert(0, Fact::new("核对数字(请告知中心)", figures));
    }
    let rows = |name: &str, row: &dyn Fn(&Value) -> Vec<String>| {
        let list = status[name].as_array().into_iter().flatten();
        list.map(row).collect::<Vec<_>>()
    };
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let proofs = rows("certificates", &|proof| {
        let is_city = proof["feed"] == "city";
        vec![
            if is_city {
                "全市公共资料"
            } else {
                "本社区资料"
            }
            .to_owned(),
            proof["count"].to_string(),
            at(&proof["at_ms"]),
        ]
    });
    let numbers = rows("letter_numbers", &|left| {
        vec![
            text(&left["issuer"]),
            left["year"].to_string(),
            left["left"].to_string(),
        ]
    });
    let mut tables = vec![Table {
        caption: "与中心核对一致".to_owned(),
        headings: vec!["资料", "条数", "核对时间"],
        rows: proofs,
    }];
    if !numbers.is_empty() {
        tables.push(Table {
            caption: "可用介绍信编号".to_owned(),
            headings: vec!["开具单位", "年度", "剩余"],
            rows: numbers,
        });
    }
    let page = StatusPage {
        heading: format!("连心 · {office}"),
        facts,
        tables,
    };
    Ok(Html(page.html()))
}
