//! Enrolment codes: made, listed, and the comparison of the six figures that both sides show.

use anyhow::{Context as _, ensure};
use clap::Subcommand;
use domain::kinds::organisation;
use domain::record::RecordKey;
use serde_json::{Value, json};
use store::Tx;
use store::hub::Code;
use transport::code::{EnrolmentCode, expiry, generate_secret, secret_hash};

use super::desk::organisation_named;
use crate::app::App;
use crate::error::HubError;

/// The port for nodes where `serve` was not told another.
pub(super) const RPC_PORT: u16 = 7443;
/// The setting with the port on which `serve` last listened for nodes.
pub(super) const PORT: &str = "rpc_port";

#[derive(Debug, Subcommand)]
pub(super) enum Enrolment {
    /// Every code: unused, waiting for a confirmation, used, taken back, expired.
    List,
    /// The figures that the office reads out are those of a machine that waits: it may join.
    Confirm {
        /// The six figures that the node shows.
        number: String,
    },
    /// The figures differ, or the code got into wrong hands: it is worth nothing any more.
    Reject {
        /// The six figures, or the office's code.
        number: String,
    },
}

/// What a code is to be like.
#[derive(Debug, clap::Args)]
pub(super) struct NewCode {
    /// The office's code.
    code: String,
    /// Days until it ends (1 to 30).
    #[arg(long, default_value_t = 7)]
    days: u32,
    /// An operator must compare the six figures before the node may join.
    #[arg(long)]
    confirm: bool,
    /// Where the node finds the hub, host:port; else what hub.toml says, else the names given at
    /// `init` with the port of the last `serve`.
    #[arg(long)]
    address: Vec<String>,
}

/// Makes an enrolment code.
pub(super) async fn code(
    app: &App,
    wanted: &NewCode,
    configured: &[String],
) -> anyhow::Result<Value> {
    let office = organisation_named(app, &wanted.code).await?;
    let now_ms = system::now_ms();
    let secret = generate_secret()?;
    let addresses = match (wanted.address.as_slice(), configured) {
        ([], []) => own_addresses(app).await?,
        ([], configured) => configured.to_vec(),
        (given, _) => given.to_vec(),
    };
    let key = RecordKey {
        kind: organisation::KIND_NUMBER,
        id: office,
    };
    let named = app.store.read::<_, HubError>(move |tx| Ok(tx.record(key)?));
    let named = named.await?;
    // Whoever makes a code may have named the office otherwise.
    let office_code = named.and_then(|named| named.text(organisation::CODE).map(str::to_owned));
    let code = EnrolmentCode {
        addresses: addresses.clone(),
        root_hash: app.identity.root_hash(),
        office: office.bytes(),
        office_code: office_code.unwrap_or_else(|| wanted.code.clone()),
        secret,
        expires_unix_s: expiry(now_ms.cast_signed(), wanted.days)?,
    };
    let text = code.text()?;
    let kept = Code {
        secret_hash: secret_hash(&secret),
        office,
        made_at: now_ms,
        expires_at: u64::from(code.expires_unix_s) * 1_000,
        must_confirm: wanted.confirm,
        confirmed_at: None,
        rejected_at: None,
        bound: None,
        node: None,
    };
    app.store
        .write::<_, HubError>(move |tx| {
            let is_office = tx
                .record(key)?
                .is_some_and(|record| record.text(organisation::IS_OFFICE) == Some("1"));
            if is_office {
                tx.insert_code(&kept)?;
            }
            Ok(is_office)
        })
        .await?
        .then_some(())
        .context(
            "this organisation has no office: `office add` makes it one 该组织不是社区节点,请先 office add",
        )?;
    Ok(json!({
        "code": text,
        "office": office.to_string(),
        "addresses": addresses,
        "must_confirm": wanted.confirm,
    }))
}

/// Where nodes find this hub if nobody says otherwise.
async fn own_addresses(app: &App) -> anyhow::Result<Vec<String>> {
    let kept = app
        .store
        .read::<_, HubError>(|tx| Ok(tx.setting(PORT)?))
        .await?;
    let port = kept
        .and_then(|bytes| bytes.try_into().ok())
        .map_or(RPC_PORT, u16::from_be_bytes);
    let hosts = app.identity.hosts().iter();
    // A code is written down by hand now and then: one machine's own names are of no use to others.
    let (local, others): (Vec<_>, Vec<_>) =
        hosts.partition(|host| *host == "localhost" || host.starts_with("127."));
    let hosts = if others.is_empty() { local } else { others };
    let addresses: Vec<_> = hosts.iter().map(|host| format!("{host}:{port}")).collect();
    ensure!(
        !addresses.is_empty(),
        "say with --address where nodes find the hub 请用 --address 指明中心地址"
    );
    Ok(addresses)
}

/// Lists the codes, or judges a comparison.
pub(super) async fn enrolment(app: &App, command: &Enrolment) -> anyhow::Result<Value> {
    match command {
        Enrolment::List => list(app).await,
        Enrolment::Confirm { number } => judge(app, number, true).await,
        Enrolment::Reject { number } => judge(app, number, false).await,
    }
}

async fn list(app: &App) -> anyhow::Result<Value> {
    let now_ms = system::now_ms();
    let rows = app
        .store
        .read::<_, HubError>(move |tx| {
            let codes = tx.codes()?;
            codes
                .iter()
                .map(|code| row(tx, code, now_ms))
                .collect::<Result<Vec<_>, _>>()
        })
        .await?;
    Ok(Value::Array(rows))
}

fn row(tx: Tx<'_>, code: &Code, now_ms: u64) -> Result<Value, HubError> {
    let key = RecordKey {
        kind: organisation::KIND_NUMBER,
        id: code.office,
    };
    let office = tx.record(key)?;
    let text = |number| {
        let found = office.as_ref().and_then(|record| record.text(number));
        found.map(str::to_owned)
    };
    let bound = code.bound.as_ref();
    Ok(json!({
        "office": text(organisation::CODE),
        "name": text(organisation::NAME),
        "state": state(code, now_ms),
        "comparison_number": bound.map(|bound| &bound.comparison),
        "machine": bound.map(|bound| &bound.machine),
        "must_confirm": code.must_confirm,
        "made_at_ms": code.made_at,
        "expires_at_ms": code.expires_at,
        "confirmed_at_ms": code.confirmed_at,
        "node": code.node.map(|node| node.to_string()),
    }))
}

/// What a code is worth now.
pub(crate) const fn state(code: &Code, now_ms: u64) -> &'static str {
    match (code.rejected_at, code.node, &code.bound) {
        (Some(_), _, _) => "taken_back",
        (None, Some(_), _) => "used",
        (None, None, Some(_)) if code.confirmed_at.is_some() => "confirmed",
        (None, None, Some(_)) => "waits_for_confirmation",
        (None, None, None) if code.expires_at < now_ms => "expired",
        (None, None, None) => "unused",
    }
}

async fn judge(app: &App, number: &str, is_equal: bool) -> anyhow::Result<Value> {
    let now_ms = system::now_ms();
    let by_office = if is_equal {
        None
    } else {
        organisation_named(app, number).await.ok()
    };
    let figures: String = number.chars().filter(char::is_ascii_digit).collect();
    let judged = app
        .store
        .write::<_, HubError>(move |tx| {
            let mut judged = Vec::new();
            for code in tx.codes()? {
                let has_figures = code
                    .bound
                    .as_ref()
                    .is_some_and(|bound| bound.comparison == figures);
                let is_open = code.node.is_none() && code.rejected_at.is_none();
                let is_meant = has_figures || by_office == Some(code.office);
                if is_open && is_meant && (!is_equal || code.confirmed_at.is_none()) {
                    tx.judge_code(&code.secret_hash, is_equal, now_ms)?;
                    judged.push(row(tx, &code, now_ms)?["office"].clone());
                }
            }
            Ok(judged)
        })
        .await?;
    ensure!(
        !judged.is_empty(),
        "no machine waits with {number}; `enrolment list` shows those that do. If the node shows \
         other figures than any of them, reject the code \
         没有电脑以核对数字 {number} 等待确认;若与节点显示的不一致,请作废该登记码"
    );
    Ok(json!({"offices": judged, "state": if is_equal { "confirmed" } else { "taken_back" }}))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    /// Every code that an organisation may have, an enrolment code carries.
    #[test]
    fn what_an_office_may_be_called_its_enrolment_code_takes() {
        let field = organisation::KIND.field(organisation::CODE).unwrap();
        for written in [
            "E01",
            "东 湖 01",
            "湖".repeat(30).as_str(),
            "𠮷".repeat(30).as_str(),
        ] {
            let value = domain::text::read_value(field, written).unwrap();
            let code = EnrolmentCode {
                addresses: vec!["hub.example.cn:7443".to_owned()],
                root_hash: [1; 32],
                office: [2; 16],
                office_code: String::from_utf8(value).unwrap(),
                secret: [3; 16],
                expires_unix_s: 1,
            };
            let text = code.text().unwrap();
            assert_eq!(EnrolmentCode::parse(&text).unwrap(), code, "{written}");
        }
        let too_long = "x".repeat(31);
        assert!(domain::text::read_value(field, &too_long).is_err());
    }
}
