//! `backup`, `restore`, `recovery`.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, ensure};
use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::machines::decide_kept;
use crate::app::{self, App};
use crate::backup::{self, Protection};
use crate::error::HubError;
use crate::{leases, recovery};

/// Shortest passphrase that is taken.
const PASSPHRASE_CHARS_MIN: usize = 12;

/// What follows when a database was put back.
const SERVE_AGAIN: &str = "serve again: the hub waits for its nodes, see recovery status \
    请重新启动服务,中心将等待各节点上报";

/// What protects a backup.
#[derive(Debug, Args)]
pub(super) struct Protected {
    /// A file whose first line is the passphrase; with it the backup carries the keys.
    #[arg(long, conflicts_with = "age")]
    passphrase_file: Option<PathBuf>,
    /// An age recipient (backup) or secret key file (restore); with it the backup carries the keys.
    #[arg(long)]
    age: Option<String>,
}

impl Protected {
    fn read(&self, is_restore: bool) -> anyhow::Result<Protection> {
        if let Some(file) = &self.passphrase_file {
            let text = std::fs::read_to_string(file)
                .with_context(|| format!("cannot read {}", file.display()))?;
            let first = text.lines().next().unwrap_or_default().to_owned();
            ensure!(
                first.chars().count() >= PASSPHRASE_CHARS_MIN,
                "the passphrase needs {PASSPHRASE_CHARS_MIN} characters at least \
                 口令至少 {PASSPHRASE_CHARS_MIN} 个字符"
            );
            return Ok(Protection::Passphrase(first));
        }
        let Some(age) = &self.age else {
            return Ok(Protection::None);
        };
        if !is_restore {
            return Ok(Protection::Recipient(age.clone()));
        }
        let text = std::fs::read_to_string(age).with_context(|| format!("cannot read {age}"))?;
        let key = text
            .lines()
            .find(|line| line.starts_with("AGE-SECRET-KEY-"));
        Ok(Protection::Recipient(
            key.context("no age key in the file")?.to_owned(),
        ))
    }
}

/// Writes a backup.
pub(super) async fn backup(app: &App, file: &Path, protected: &Protected) -> anyhow::Result<Value> {
    let protection = protected.read(false)?;
    let written = backup::backup(app, file, &protection)?;
    let has_keys = !matches!(protection, Protection::None);
    let kept_at = std::fs::canonicalize(file)?.to_string_lossy().into_owned();
    let (bytes, is_verified) = (written.bytes, written.is_verified);
    app.store
        .write::<_, HubError>(move |tx| {
            backup::look_after(tx)?;
            if is_verified {
                let file = (kept_at.as_str(), bytes);
                tx.note_backup(file, &written.journals, system::now_ms())?;
            }
            Ok(())
        })
        .await?;
    Ok(json!({
        "backup": file,
        "bytes": bytes,
        "keys": has_keys,
        "verified": is_verified,
        "note": match (has_keys, is_verified) {
            (true, true) => "database and keys, encrypted, read back 含密钥,已加密并读回校验",
            (true, false) => {
                "database and keys, encrypted; not read back: only the secret key can \
                 含密钥,已加密;未读回校验,须用私钥"
            }
            (false, _) => {
                "database alone: keep the keys folder elsewhere too 仅数据库,密钥请另行保存"
            }
        },
    }))
}

/// Puts a backup back.
pub(super) fn restore(folder: &Path, file: &Path, protected: &Protected) -> anyhow::Result<Value> {
    let has_register = app::register_path(folder).exists();
    let aside = backup::restore(folder, file, &protected.read(true)?)?;
    let register = if has_register {
        "here 完好"
    } else {
        "lost: a machine that enrolled after the backup must join again, make it a code \
         登记簿遗失:备份之后入网的电脑须重新入网,请为其生成新的入网码"
    };
    Ok(json!({
        "restored": file,
        "kept_beside": aside,
        "register": register,
        "note": SERVE_AGAIN,
    }))
}

/// Says that the database which is there was put back.
pub(super) fn begin_here(folder: &Path) -> anyhow::Result<Value> {
    backup::begin_here(folder)?;
    Ok(json!({
        "recovering": true,
        "note": SERVE_AGAIN,
    }))
}

#[derive(Debug, Subcommand)]
pub(super) enum Recovery {
    /// Who has told what it holds, and who has not.
    Status,
    /// Says that the database which is there was put back by hand, or has lost its log: the hub goes on
    /// from it as a restored one. It must not be served.
    Begin,
    /// Ends it without those who have not.
    End,
}

pub(super) async fn recovery(app: &App, command: Option<&Recovery>) -> anyhow::Result<Value> {
    if matches!(command, Some(Recovery::End)) {
        let own = app.clone();
        app.store
            .write::<_, HubError>(move |tx| {
                leases::skip_unheard(tx, &own, system::now_ms())?;
                recovery::end(tx, &own, system::now_ms())
            })
            .await?;
        let journals = app
            .store
            .read::<_, HubError>(|tx| Ok(tx.journals()?))
            .await?;
        for journal in journals.iter().filter(|journal| !journal.is_kept_only) {
            decide_kept(app, journal.node, journal.epoch).await?;
        }
    }
    let status = app
        .store
        .read::<_, HubError>(|tx| {
            let waiting: Vec<_> = tx.unreported()?.iter().map(ToString::to_string).collect();
            let evidence: Vec<_> = tx
                .evidence()?
                .iter()
                .map(|(node, feed, rows)| {
                    json!({"node": node.to_string(), "feed": feed, "rows": rows})
                })
                .collect();
            let is_recovering = recovery::is_recovering(tx)?;
            Ok(json!({
                "recovering": is_recovering,
                "not_heard": if is_recovering { waiting } else { Vec::new() },
                "evidence": evidence,
            }))
        })
        .await?;
    Ok(status)
}
