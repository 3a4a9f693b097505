//! What of a hub a decision may depend on, as one number, so that histories that differ only in the
//! order of what is done with lead to one state of the model.
//!
//! Left out are places in journals, instants, and days that are only shown; what was set aside (no
//! step of the model decides it); and which of several equal steps was applied.

use std::hash::{DefaultHasher, Hash, Hasher};

use domain::kinds::{conflict, letter, member, person, set_aside, step, stub, tenure, transfer};
use domain::record::Record;

use super::hub::Hub;
use super::steps::MEMBER;

/// Fields that no decision reads, by kind.
const SHOWN_ONLY: [(u16, &[u16]); 6] = [
    (
        member::KIND_NUMBER,
        &[
            member::STATUS_DATE,
            member::RELATION_IN_DATE,
            member::PERSON,
        ],
    ),
    (tenure::KIND_NUMBER, &[tenure::OPENED, tenure::CLOSED]),
    (
        transfer::KIND_NUMBER,
        &[
            transfer::LAST_STEP,
            transfer::LAST_EVENT,
            transfer::LAST_ACTOR,
            transfer::STATE_DATE,
            transfer::STATE_REASON,
            transfer::STATE_REASON_CODE,
            transfer::ANSWER_DUE,
            transfer::APPLIED_DATE,
            transfer::RECEIPT_DUE,
            transfer::RECEIPT_SENT,
            transfer::RECEIPT_ARRIVED,
        ],
    ),
    (letter::KIND_NUMBER, &[letter::STATE_DATE]),
    (
        conflict::KIND_NUMBER,
        &[
            conflict::WINNER_VERSION,
            conflict::LOSER_VERSION,
            conflict::WINNER_AT,
            conflict::LOSER_AT,
        ],
    ),
    (stub::KIND_NUMBER, &[stub::TRANSFERRED_DATE]),
];

/// The number.
pub fn of(hub: &Hub) -> u64 {
    let mut hasher = DefaultHasher::new();
    let mut records: Vec<u64> = hub.records().filter_map(of_record).collect();
    records.sort_unstable();
    records.hash(&mut hasher);
    let feeds = hub.feeds.iter().filter(|(_, key)| *key == MEMBER);
    for (office, _) in feeds {
        office.hash(&mut hasher);
    }
    let mut waiting: Vec<_> = hub
        .waiting
        .iter()
        .map(|waiting| &hub.taken[&waiting.change].sent)
        .collect();
    waiting.dedup();
    waiting.hash(&mut hasher);
    hub.applied.hash(&mut hasher);
    hub.checks.hash(&mut hasher);
    hasher.finish()
}

fn of_record(record: &Record) -> Option<u64> {
    let kind = record.key.kind;
    if [step::KIND_NUMBER, set_aside::KIND_NUMBER].contains(&kind) {
        return None;
    }
    let mut hasher = DefaultHasher::new();
    kind.hash(&mut hasher);
    // These are named after the change that made them.
    let is_named_after_change = [conflict::KIND_NUMBER, person::KIND_NUMBER].contains(&kind)
        || record.value(transfer::DISPUTES).is_some();
    if !is_named_after_change {
        record.key.id.hash(&mut hasher);
    }
    record.office.hash(&mut hasher);
    record.is_alive().hash(&mut hasher);
    let shown_only = SHOWN_ONLY
        .iter()
        .find(|(of, _)| *of == kind)
        .map_or(&[][..], |(_, fields)| fields);
    for (number, field) in &record.fields {
        if field.value.is_empty() {
            continue;
        }
        number.hash(&mut hasher);
        if !shown_only.contains(number) {
            field.value.hash(&mut hasher);
        }
    }
    Some(hasher.finish())
}
