//! `verify`: the file, its rows, the chains of all journals, the digests of all feeds, the holders, what is signed, and
//! what is kept beside all that.

mod signed;

use std::collections::BTreeSet;
use std::sync::Arc;

use anyhow::ensure;
use domain::change::{chain_over, chain_start};
use domain::digest::Digest;
use domain::id::RecordId;
use domain::kinds::{member, tenure};
use domain::machines::member_status;
use serde_json::{Value, json};
use store::open::Side;
use store::{Filter, Tx};
use transport::keys::HubIdentity;

use crate::app::{App, own_of};
use crate::error::HubError;
use crate::recovery::is_recovering;
use signed::Signers;

/// Records read at once.
const PORTION: usize = 5_000;
/// Of one sort, so many findings are told.
const FINDINGS_MAX: usize = 10;

pub(super) async fn verify(app: &App) -> anyhow::Result<Value> {
    store::open::check(&store::open::reader(&app.database())?, Side::Hub)?;
    let (identity, register) = (Arc::clone(&app.identity), Arc::clone(&app.register));
    app.store
        .read::<_, anyhow::Error>(move |tx| {
            signed::check_register(tx, &register)?;
            check(tx, &identity)
        })
        .await
}

/// Checks what a database says: every row against its hash, the chains of all journals, the digests of all feeds,
/// the holders, the leases, what was signed and claimed, and what is kept beside all that.
///
/// # Errors
/// What does not hold.
pub(crate) fn check(tx: Tx<'_>, identity: &HubIdentity) -> anyhow::Result<Value> {
    let mut findings = Vec::new();
    for key in tx.unsound_rows(FINDINGS_MAX)? {
        findings.push(format!("row {} of kind {} is damaged", key.id, key.kind));
    }
    for key in tx.unsound_offers(FINDINGS_MAX)? {
        findings.push(format!(
            "an offer of row {} of kind {} is damaged",
            key.id, key.kind
        ));
    }
    // What follows reads records: one that cannot be read would be told of without its name.
    ensure!(findings.is_empty(), "{}", findings.join("; "));
    findings.extend(tx.broken_at_hub(FINDINGS_MAX)?);
    let journals = check_journals(tx, identity, &mut findings)?;
    signed::check_claims(tx, identity, &mut findings)?;
    let feeds = check_feeds(tx, &mut findings)?;
    let half_heard = half_heard(tx)?;
    let members = check_holders(tx, &half_heard, &mut findings)?;
    let leases = crate::leases::check(tx, &mut findings)?;
    ensure!(findings.is_empty(), "{}", findings.join("; "));
    Ok(json!({
        "journals": journals,
        "feeds": feeds,
        "members": members,
        "half_heard": half_heard.len(),
        "leases": leases,
    }))
}

fn check_journals(
    tx: Tx<'_>,
    identity: &HubIdentity,
    findings: &mut Vec<String>,
) -> Result<usize, HubError> {
    let own = own_of(tx)?;
    let signers = Signers::new(tx, own, identity)?;
    signers.check_certificates(tx, findings)?;
    signers.check_statements(tx, findings)?;
    let journals = tx.journals()?;
    for journal in &journals {
        // A recovery begins an epoch behind all that were.
        if journal.node == own.node && journal.epoch > own.epoch {
            findings.push(format!(
                "the hub's epoch is before its journal {}",
                journal.epoch
            ));
        }
        let mut chain = chain_start(journal.node, journal.epoch);
        let mut next = 1;
        while next <= journal.received {
            let batches = tx.batches_from(journal.node, journal.epoch, next, 16)?;
            if batches.is_empty() {
                findings.push(format!(
                    "journal {}/{} ends at {next}",
                    journal.node, journal.epoch
                ));
                break;
            }
            for batch in batches {
                let changes =
                    proto::convert::decode_batch(&batch.bytes, batch.raw_bytes, usize::MAX)?;
                chain = chain_over(chain, &changes);
                let is_in_place =
                    batch.first == next && batch.last + 1 == next + changes.len() as u64;
                if !is_in_place || chain != batch.chain {
                    findings.push(format!("chain of {}/{next} broken", journal.node));
                } else if !signers.is_sound(tx, journal, (&batch, changes.as_slice()))? {
                    findings.push(format!(
                        "run {}/{next} is not as it was signed",
                        journal.node
                    ));
                }
                next = batch.last + 1;
            }
        }
        if chain != journal.chain {
            findings.push(format!(
                "journal {}/{}: head differs",
                journal.node, journal.epoch
            ));
        }
    }
    Ok(journals.len())
}

fn check_feeds(tx: Tx<'_>, findings: &mut Vec<String>) -> Result<usize, HubError> {
    let feeds = tx.feed_names()?;
    for feed in &feeds {
        let mut counted = Digest::default();
        for (_, hash) in tx.feed_rows(feed)? {
            counted.add(&hash);
        }
        if counted != tx.feed_digest(feed)? {
            findings.push(format!("digest of {feed} differs from its rows"));
        }
    }
    for key in tx.in_no_feed(FINDINGS_MAX)? {
        findings.push(format!("row {} of kind {} is in no feed", key.id, key.kind));
    }
    Ok(feeds.len())
}

/// Members of whose last move a recovering hub has heard one half: the other node has not been heard, or a
/// person ends the recovery and completes it.
fn half_heard(tx: Tx<'_>) -> Result<BTreeSet<RecordId>, HubError> {
    if !is_recovering(tx)? {
        return Ok(BTreeSet::new());
    }
    let closed = tx.half_moved()?;
    let members = closed.iter().map(|closed| closed.reference(tenure::MEMBER));
    Ok(members.flatten().collect())
}

/// Exactly one open tenure for each living member, the last, and it is its office's; nothing is asked of one
/// whose move was heard in half.
fn check_holders(
    tx: Tx<'_>,
    half_heard: &BTreeSet<RecordId>,
    findings: &mut Vec<String>,
) -> Result<usize, HubError> {
    let (mut count, mut after) = (0, None);
    loop {
        let members = tx.list(&member::KIND, &[Filter::Alive], after, PORTION)?;
        let Some(last) = members.last() else {
            return Ok(count);
        };
        after = Some(last.key.id);
        for record in &members {
            count += 1;
            let id = record.key.id.bytes().to_vec();
            let all = tx.list(
                &tenure::KIND,
                &[Filter::Is(tenure::MEMBER, id)],
                None,
                PORTION,
            )?;
            let open: Vec<_> = all
                .iter()
                .filter(|tenure| tenure.value(tenure::CLOSED).is_none())
                .collect();
            let last = all.iter().max_by_key(|t| t.integer(tenure::NUMBER));
            let status = record.text(member::STATUS).unwrap_or_default();
            let holder = record.reference(member::HOLDER);
            let is_held = member_status::ACTIVE.contains(&status) && holder.is_some();
            let is_whole = match open.as_slice() {
                [] => !is_held,
                [open] => is_held && open.reference(tenure::HOLDER) == holder && last == Some(open),
                _ => false,
            };
            if !is_whole && !half_heard.contains(&record.key.id) {
                findings.push(format!(
                    "member {}: {} open tenures of {}",
                    record.key.id,
                    open.len(),
                    all.len()
                ));
            }
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use domain::change::Verb;
    use domain::digest::certificate_text;
    use domain::erase::Erased;
    use domain::id::{NodeId, OfficeId};
    use domain::kinds::person;
    use domain::record::RecordKey;
    use store::StoreError;
    use store::hub::{Node, Statement};
    use store::open::writer;
    use store::writer::write_on;
    use transport::revoked::Entry;
    use transport::sign::{Context, SigningKey};

    use super::*;
    use crate::{app, desk};

    const NOW: u64 = 1_795_000_000_000;
    const OFFICE: OfficeId = OfficeId::new([2; 16]);
    const FEED: &str = "office/02020202-0202-0202-0202-020202020202";
    const PERSON: RecordKey = RecordKey {
        kind: person::KIND_NUMBER,
        id: RecordId::new([3; 16]),
    };

    /// A hub at whose desk a person was entered, and a machine that was equal once and has erased something.
    fn fill(tx: Tx<'_>, app: &App) -> Result<(), HubError> {
        let values = [
            (person::NAME, "林一"),
            (person::ID_NUMBER, "110101199003074557"),
        ];
        let values = values.map(|(number, text)| (number, text.as_bytes().to_vec()));
        let made = (PERSON, Verb::Create);
        desk::edit(tx, app, made, values.to_vec(), "desk", NOW)?;
        let key = SigningKey::from_seed([4; 32]).unwrap();
        let node = NodeId::new([1; 16]);
        tx.insert_node(&Node::new(node, OFFICE, key.verifying_key().0), NOW)?;
        let digest = Digest::default();
        let text = certificate_text(OFFICE, FEED, 0, &digest, app.own.incarnation);
        let by_hub = app.identity.signing_key().sign(Context::Digest, &text);
        let by_node = key.sign(Context::Digest, &text);
        let signed = (by_hub.as_slice(), by_node.as_slice());
        tx.put_certificate(node, FEED, 0, &digest, signed, NOW)?;
        let erased = Erased {
            key: PERSON,
            at: NOW,
            changes: 1,
            digest: [5; 32],
        };
        let text = proto::convert::erased_signature_text(node, 1, &erased);
        tx.keep_statement(&Statement {
            node,
            epoch: 1,
            erased,
            signature: key.sign(Context::Erased, &text).to_vec(),
            told_at: NOW,
        })?;
        Ok(())
    }

    /// S16, D2: of what is signed, or derived from rows, a value is another one than was written.
    #[test]
    fn what_is_signed_and_what_is_claimed_is_as_it_was_written() {
        let folder = tempfile::tempdir().unwrap();
        app::init(folder.path(), "hub", &[]).unwrap();
        let app = App::open(folder.path()).unwrap();
        let mut connection = writer(&app.database(), Side::Hub).unwrap();
        write_on::<_, HubError>(&mut connection, |tx| fill(tx, &app)).unwrap();
        check(Tx::on(&connection), &app.identity).unwrap();
        for (sql, what) in [
            (
                "UPDATE batch SET signature = zeroblob(64)",
                "as it was signed",
            ),
            ("UPDATE batch SET touched = zeroblob(4)", "as it was signed"),
            (
                "UPDATE claim SET hash = zeroblob(32)",
                "claims another number",
            ),
            ("UPDATE claim SET record = zeroblob(16)", "claims of nobody"),
            (
                "UPDATE certificate SET node_signature = zeroblob(64)",
                "is not signed",
            ),
            (
                "UPDATE certificate SET hub_signature = zeroblob(64)",
                "is not signed",
            ),
            ("UPDATE certificate SET count = 1", "is not signed"),
            ("UPDATE erased SET changes = 2", "is not signed"),
            (
                "UPDATE node SET verifying_key = zeroblob(32)",
                "is not signed",
            ),
            (
                "UPDATE setting SET value = x'00000000' WHERE name = 'hub_epoch'",
                "the hub's epoch",
            ),
            (
                "UPDATE setting SET value = zeroblob(16) WHERE name = 'hub_node'",
                "nobody's",
            ),
        ] {
            connection
                .execute_batch(&format!("SAVEPOINT whole; {sql}"))
                .unwrap();
            let found = check(Tx::on(&connection), &app.identity).unwrap_err();
            assert!(found.to_string().contains(what), "{sql}: {found}");
            connection
                .execute_batch("ROLLBACK TO whole; RELEASE whole")
                .unwrap();
        }
    }

    /// S8, D2: a machine that speaks for another office than it was enrolled for is found by the register.
    #[test]
    fn a_machine_speaks_for_the_office_that_it_was_enrolled_for() {
        let folder = tempfile::tempdir().unwrap();
        app::init(folder.path(), "hub", &[]).unwrap();
        let app = App::open(folder.path()).unwrap();
        let mut connection = writer(&app.database(), Side::Hub).unwrap();
        let enrolled = |office: [u8; 16], number: u8| Entry::Enrolled {
            node: [number; 16],
            office,
            verifying_key: [0; 32],
        };
        for (number, office, is_as_enrolled) in [(1, OFFICE.bytes(), true), (2, [9; 16], false)] {
            let node = Node::new(NodeId::new([number; 16]), OFFICE, [0; 32]);
            write_on::<_, StoreError>(&mut connection, |tx| tx.insert_node(&node, NOW)).unwrap();
            let entry = enrolled(office, number);
            let now_ms = NOW.cast_signed();
            app.register.lock().unwrap().append(entry, now_ms).unwrap();
            let checked = signed::check_register(Tx::on(&connection), &app.register);
            assert_eq!(checked.is_ok(), is_as_enrolled, "{checked:?}");
        }
    }
}
