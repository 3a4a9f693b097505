//! What must hold, whatever happened. Imports nothing of the rules: it knows what people were told, and
//! reads journals as lists of words.

use std::collections::BTreeMap;

use anyhow::{Context as _, bail, ensure};
use domain::change::{Change, Verb};

use crate::city::City;

/// Words that somebody was told are kept.
#[derive(Debug, Clone)]
pub struct Kept {
    /// The words.
    pub token: String,
    /// Where they were entered: an office, or the desk.
    pub office: Option<usize>,
    /// Whether the place's own disk has them.
    pub on_own_disk: bool,
    /// Whether the hub's has them.
    pub at_hub: bool,
}

/// What people were told.
#[derive(Debug, Default)]
pub struct Ledger {
    kept: Vec<Kept>,
    /// Words of commands that were cut: they may be there or not.
    pub unknown: Vec<String>,
}

impl Ledger {
    /// Somebody was told that it is kept.
    pub fn keep(&mut self, token: String, office: Option<usize>) {
        self.kept.push(Kept {
            token,
            office,
            on_own_disk: true,
            at_hub: office.is_none(),
        });
    }

    /// How many words are kept.
    pub fn len(&self) -> usize {
        self.kept.len()
    }

    /// The words that are known now, by place in this ledger.
    pub fn mark(&self) -> usize {
        self.kept.len()
    }

    /// Notes what the hub has now.
    ///
    /// # Errors
    /// Where its journals cannot be read.
    pub async fn look_at_hub(&mut self, city: &City) -> anyhow::Result<()> {
        let found = tokens_at_hub(city).await?;
        for kept in &mut self.kept {
            kept.at_hub |= found.contains_key(&kept.token);
        }
        Ok(())
    }

    /// An office went back to a copy that was taken when so many words were known.
    pub fn rolled_back(&mut self, office: usize, mark: usize) {
        for kept in self.kept.iter_mut().skip(mark) {
            if kept.office == Some(office) {
                kept.on_own_disk = false;
            }
        }
    }

    /// The hub went back to a backup that held these words.
    pub fn hub_restored(&mut self, held: &[String]) {
        for kept in &mut self.kept {
            kept.at_hub = held.contains(&kept.token);
        }
    }
}

/// The words in the hub's journals, with how many changes say them that are not written anew.
///
/// # Errors
/// Where they cannot be read.
pub async fn tokens_at_hub(city: &City) -> anyhow::Result<BTreeMap<String, u64>> {
    let app = city.hub.app.as_ref().context("the hub is on")?;
    let hub = app.own.node;
    let changes = app
        .store
        .read::<_, anyhow::Error>(move |tx| {
            let mut all = Vec::new();
            for journal in tx.journals()? {
                // What the hub derives from a settlement says the words of what it settles.
                if journal.node == hub {
                    continue;
                }
                let batches = tx.batches_from(journal.node, journal.epoch, 1, u32::MAX)?;
                for batch in batches {
                    let raws =
                        proto::convert::decode_batch(&batch.bytes, batch.raw_bytes, usize::MAX)?;
                    for (place, raw) in (batch.first..).zip(raws) {
                        let id = domain::id::ChangeId {
                            node: journal.node,
                            epoch: journal.epoch,
                            sequence: place,
                        };
                        all.push((id, proto::convert::decode_change(id, &raw)?));
                    }
                }
            }
            Ok(all)
        })
        .await?;
    let mut tokens = BTreeMap::new();
    let words: BTreeMap<_, _> = changes.iter().map(|(id, c)| (*id, tokens_of(c))).collect();
    for (id, change) in &changes {
        let replaced = change.header.replaces.and_then(|(id, _)| words.get(&id));
        for token in words.get(id).into_iter().flatten() {
            let is_anew = replaced.is_some_and(|before| before.contains(token));
            *tokens.entry(token.clone()).or_insert(0) += u64::from(!is_anew);
        }
    }
    Ok(tokens)
}

/// The words that somebody entered with a change.
fn tokens_of(change: &Change) -> Vec<String> {
    // A settlement says the words of what it settles.
    if !matches!(change.header.verb, Verb::Create | Verb::Set) {
        return Vec::new();
    }
    let fields = change.body.fields.iter();
    fields.filter_map(|field| token_in(&field.value)).collect()
}

fn token_in(value: &[u8]) -> Option<String> {
    let text = std::str::from_utf8(value).ok()?;
    text.starts_with("token-").then(|| text.to_owned())
}

/// Checks what holds when everything is quiet.
///
/// # Errors
/// What does not hold, in words.
pub async fn audit(city: &City, ledger: &Ledger) -> anyhow::Result<()> {
    let found = tokens_at_hub(city).await?;
    for kept in &ledger.kept {
        let count = found.get(&kept.token).copied().unwrap_or(0);
        ensure!(
            count <= 1,
            "invariant S2: {} stands {count} times in the hub's journals",
            kept.token
        );
        let must_be_there = kept.office.is_some() && (kept.on_own_disk || kept.at_hub);
        if count == 0 && must_be_there {
            let mut places = Vec::new();
            for number in 0..city.offices.len() {
                places.extend(places_of(city, number, &kept.token).await?);
            }
            bail!(
                "invariant S1: {} of office {:?} is lost; it stands at {places:?}",
                kept.token,
                kept.office
            );
        }
    }
    city.at_hub(&["verify"])
        .await
        .context("invariant S4/S16: verify of the hub")?;
    for number in 0..city.offices.len() {
        city.at_office(number, &["verify"])
            .await
            .with_context(|| format!("invariant S16: verify of office {number}"))?;
    }
    Ok(())
}

/// Where words stand in the journals of an office.
async fn places_of(city: &City, number: usize, token: &str) -> anyhow::Result<Vec<String>> {
    let app = city.offices[number].app.as_ref().context("on")?;
    let (own, token) = (app.own, token.to_owned());
    app.store
        .read::<_, anyhow::Error>(move |tx| {
            let mut places = Vec::new();
            for epoch in 0..100 {
                let pending = tx.pending_places(epoch)?;
                for entry in tx.entries_after(epoch, 0, (usize::MAX, usize::MAX))? {
                    let change = lianxin_node::fold::read(own, &entry)?;
                    let mut fields = change.body.fields.iter();
                    if fields.any(|field| token_in(&field.value).as_ref() == Some(&token)) {
                        let waits = pending.contains(&entry.sequence);
                        let replaces = change.header.replaces;
                        places.push(format!(
                            "office {number} {epoch}/{} waits {waits} replaces {replaces:?}",
                            entry.sequence
                        ));
                    }
                }
            }
            Ok(places)
        })
        .await
}

/// What waits at an office, in words.
async fn waiting(city: &City, number: usize) -> anyhow::Result<String> {
    let app = city.offices[number].app.as_ref().context("on")?;
    let (own, keys) = (app.own, app.keys()?);
    let epoch = keys
        .identity
        .as_ref()
        .map_or(own.epoch, |identity| identity.epoch);
    app.store
        .read::<_, anyhow::Error>(move |tx| {
            let mut words = Vec::new();
            for entry in tx.pending_through(epoch, u64::MAX >> 1)? {
                let change = lianxin_node::fold::read(own, &entry)?;
                let (verb, fields) = (change.header.verb, change.body.fields.len());
                words.push(format!(
                    "{}/{} {verb:?} {} ({fields} fields)",
                    entry.epoch, entry.sequence, entry.key.id
                ));
            }
            Ok(words.join(", "))
        })
        .await
}

/// Whether an office is quiet: nothing waits, and the last certificates are of what it holds now.
///
/// # Errors
/// Where it is off.
pub async fn is_quiet(city: &City, number: usize) -> anyhow::Result<Result<(), String>> {
    let status = city.at_office(number, &["status"]).await?;
    if status["waiting"] != 0 {
        return Ok(Err(format!("these wait: {}", waiting(city, number).await?)));
    }
    let certificates = status["certificates"].as_array().cloned();
    let certificates = certificates.unwrap_or_default();
    if certificates.len() < 2 {
        return Ok(Err("no certificates".to_owned()));
    }
    for certificate in certificates {
        let feed = certificate["feed"].as_str().unwrap_or_default();
        if status["digests"][feed] != certificate["sum"] {
            return Ok(Err(format!("{feed} is not proven to be equal")));
        }
    }
    Ok(Ok(()))
}
