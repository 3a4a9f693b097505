//! `lease`: the books of letter numbers, for the yearly account of letters, stubs and void numbers.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context as _, bail};
use clap::Subcommand;
use domain::checks::letter_number::LetterNumber;
use domain::id::{DESK, RecordId};
use domain::kinds::organisation;
use domain::lease::{Block, Booked, unknown_runs, without_letter};
use domain::machines;
use domain::record::RecordKey;
use serde_json::{Value, json};
use store::Tx;

use super::desk::organisation_named;
use crate::app::App;
use crate::error::HubError;
use crate::leases;

#[derive(Debug, Subcommand)]
pub(super) enum Lease {
    /// Every block of numbers: who holds it, what is left, what is void and why.
    List {
        /// Only this issuer's, by code.
        #[arg(long)]
        issuer: Option<String>,
        /// Only this year's.
        #[arg(long)]
        year: Option<u16>,
    },
    /// Books a number as void that was spoilt or lost and stands on no letter.
    Void {
        /// The number, like 2026-123.
        number: String,
        /// The issuer's code.
        #[arg(long = "as")]
        issuer: String,
        /// Why.
        #[arg(long)]
        why: String,
    },
}

pub(super) async fn lease(app: &App, command: &Lease, actor: &str) -> anyhow::Result<Value> {
    match command {
        Lease::List { issuer, year } => list(app, issuer.as_deref(), *year).await,
        Lease::Void {
            number,
            issuer,
            why,
        } => void(app, (issuer, number), why, actor).await,
    }
}

async fn list(app: &App, issuer: Option<&str>, year: Option<u16>) -> anyhow::Result<Value> {
    let only = match issuer {
        Some(text) => Some(organisation_named(app, text).await?),
        None => None,
    };
    let own = app.clone();
    let rows = app
        .store
        .read::<_, HubError>(move |tx| {
            let mut years: BTreeMap<(RecordId, u16), Vec<Booked>> = BTreeMap::new();
            for booked in tx.leases()? {
                let Block { issuer, year, .. } = booked.block;
                years.entry((issuer, year)).or_default().push(booked);
            }
            years.retain(|(of, in_year), _| {
                only.is_none_or(|only| only == *of) && year.is_none_or(|year| year == *in_year)
            });
            let mut rows = Vec::new();
            for ((issuer, year), booked) in years {
                rows.extend(of_year(tx, &own, (issuer, year), &booked)?);
            }
            Ok(rows)
        })
        .await?;
    Ok(Value::Array(rows))
}

/// The lines of one issuer's year.
fn of_year(
    tx: Tx<'_>,
    app: &App,
    (issuer, year): (RecordId, u16),
    all: &[Booked],
) -> Result<Vec<Value>, HubError> {
    let letters = tx.letter_serials(issuer, year, 1)?;
    let issuer_name = name_of(tx, issuer)?;
    let mut rows = Vec::new();
    for booked in all {
        let holder = if booked.office == DESK {
            "市里 desk".to_owned()
        } else {
            name_of(tx, booked.office)?
        };
        let mut row = line(booked, &letters);
        if let Some(map) = row.as_object_mut() {
            map.insert("issuer".to_owned(), issuer_name.clone().into());
            map.insert("holder".to_owned(), holder.into());
        }
        rows.push(row);
    }
    let blocks: Vec<_> = all.iter().map(|booked| booked.block).collect();
    let floor = leases::leased_end(app, issuer, year)?;
    for (first, end) in unknown_runs(&blocks, &letters, floor) {
        rows.push(json!({
            "issuer": issuer_name,
            "year": year,
            "first": first,
            "last": end - 1,
            "state": "unknown",
            "void_from": first,
            "void_to": end - 1,
            "reason": "books_lost",
            "reason_zh": "已分配但记录丢失(中心恢复备份或断电),不再分配",
            "reason_en": "leased, and lost to the books (restore, power cut): not leased again",
        }));
    }
    Ok(rows)
}

fn line(booked: &Booked, letters: &BTreeSet<u32>) -> Value {
    let block = &booked.block;
    let is_void = booked.voided.is_some() && block.left() > 0;
    let state = match (is_void, block.left()) {
        (true, _) => "void",
        (false, 0) => "used_up",
        (false, _) => "leased",
    };
    let texts = booked.voided.filter(|_| is_void).map(|reason| {
        let (zh, en) = reason.texts();
        (reason.code(), zh, en)
    });
    json!({
        "year": block.year,
        "first": block.first,
        "last": block.end - 1,
        "next": block.next,
        "state": state,
        "left": if is_void { 0 } else { block.left() },
        "letters": letters.range(block.first..block.end).count(),
        "without_letter": without_letter(block, letters),
        "void_from": is_void.then_some(block.next),
        "void_to": is_void.then(|| block.end - 1),
        "reason": texts.map(|(code, ..)| code),
        "reason_zh": texts.map(|(_, zh, _)| zh),
        "reason_en": texts.map(|(.., en)| en),
        "node": booked.node.to_string(),
        "epoch": booked.epoch,
    })
}

fn name_of(tx: Tx<'_>, id: RecordId) -> Result<String, HubError> {
    let kind = organisation::KIND_NUMBER;
    let record = tx.record(RecordKey { kind, id })?;
    let name = record.as_ref().and_then(|record| {
        record
            .text(organisation::SHORT_NAME)
            .or_else(|| record.text(organisation::NAME))
    });
    Ok(name.map_or_else(|| id.to_string(), str::to_owned))
}

async fn void(
    app: &App,
    (issuer, number): (&str, &str),
    why: &str,
    actor: &str,
) -> anyhow::Result<Value> {
    let number = LetterNumber::parse(number)
        .ok()
        .with_context(|| format!("{number}: {}", plain("LET-004")))?;
    let issuer = organisation_named(app, issuer).await?;
    let (own, why) = (app.clone(), format!("{why}({actor})"));
    let voided = app
        .store
        .write::<_, HubError>(move |tx| {
            leases::void_number(tx, &own, (issuer, number), &why, system::now_ms())
        })
        .await?;
    match voided {
        Ok(id) => Ok(json!({"letter": id.to_string(), "number": number.to_string()})),
        Err(code) => bail!("{code} {number}: {}", plain(code)),
    }
}

fn plain(code: &str) -> String {
    let texts = machines::plain_messages(code);
    texts.map_or_else(String::new, |(zh, en)| format!("{zh} / {en}"))
}
