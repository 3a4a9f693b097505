//! What a hub in memory answers where the decision asks for a fact.

use std::collections::BTreeMap;

use domain::id::{ChangeId, RecordId};
use domain::kinds::{conflict, step};
use domain::record::{Record, RecordKey};
use domain::world::{Fact, Membership, Need, Outcome};

/// Answers from outcomes and from what a hub tells of its records: one by its key, those `about` another
/// that name it in a field, and those that keep an organisation `standing`.
pub(super) fn answer(
    need: Need,
    outcomes: &BTreeMap<(ChangeId, u16), Outcome>,
    record: impl FnOnce(RecordKey) -> Option<Record>,
    about: impl Fn(u16, u16, RecordId) -> Vec<Record>,
    standing: impl FnOnce(RecordId) -> Vec<Record>,
) -> Fact {
    match need {
        Need::Record(key) => Fact::Record(key, record(key)),
        Need::Outcome(change, field) => {
            Fact::Outcome(change, field, outcomes.get(&(change, field)).copied())
        }
        Need::OpenItems(id) => {
            Fact::OpenItems(id, about(conflict::KIND_NUMBER, conflict::SUBJECT, id))
        }
        Need::StepsOf(id) => Fact::StepsOf(id, about(step::KIND_NUMBER, step::SUBJECT, id)),
        Need::Block(issuer, number) => Fact::Block(issuer, number, None),
        Need::Membership(id) => Fact::Membership(id, Membership::default()),
        Need::Naming(kind, field, id) => Fact::Naming(kind, field, id, about(kind, field, id)),
        Need::Standing(id) => Fact::Standing(id, standing(id)),
    }
}
