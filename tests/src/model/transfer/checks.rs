//! What must hold in every state of the hub (`sync.md` 5, `domain.md` 1.8), asked of its records.

use domain::change::Verb;
use domain::decide::{Verdict, change_bytes};
use domain::id::{ChangeId, RecordId};
use domain::kinds::{conflict, member, person, set_aside, step, tenure, transfer};
use domain::machines::member_status::ENDED;
use domain::machines::transfer::{MACHINE, MOVED, state};
use domain::record::{Record, RecordKey};
use domain::world::Outcome;

use super::hub::{Hub, Taken};
use super::steps::{Case, MEMBER, Who};

/// Which invariants hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[allow(
    clippy::struct_excessive_bools,
    reason = "independent answers, each to one property"
)]
pub struct Checks {
    pub one_tenure_is_open_and_it_is_the_holders: bool,
    pub tenures_follow_one_another: bool,
    pub the_holders_feed_alone_has_the_member: bool,
    pub one_case_is_open_and_the_member_names_it: bool,
    pub an_open_case_is_the_holders: bool,
    pub the_receiver_holds_whom_it_accepted: bool,
    pub a_repeat_changes_nothing: bool,
    pub nothing_vanishes: bool,
    pub a_refusal_says_why: bool,
    pub nobody_is_held_by_what_was_given_up: bool,
}

impl Default for Checks {
    fn default() -> Self {
        Self {
            one_tenure_is_open_and_it_is_the_holders: true,
            tenures_follow_one_another: true,
            the_holders_feed_alone_has_the_member: true,
            one_case_is_open_and_the_member_names_it: true,
            an_open_case_is_the_holders: true,
            the_receiver_holds_whom_it_accepted: true,
            a_repeat_changes_nothing: true,
            nothing_vanishes: true,
            a_refusal_says_why: true,
            nobody_is_held_by_what_was_given_up: true,
        }
    }
}

/// What holds of a hub; repeats are judged when they are taken.
pub fn of(hub: &Hub) -> Checks {
    let taken = || hub.taken.iter().map(|(id, taken)| (*id, taken.as_ref()));
    let mut checks = Checks {
        nothing_vanishes: taken().all(|(id, taken)| has_trace(hub, id, taken)),
        a_refusal_says_why: taken().all(|(id, taken)| says_why(hub, id, taken)),
        ..Checks::default()
    };
    if let Some(record) = hub.record(MEMBER) {
        let tenures = tenures(hub);
        checks.one_tenure_is_open_and_it_is_the_holders = is_held_once(record, &tenures);
        checks.tenures_follow_one_another = follow(&tenures);
        checks.the_holders_feed_alone_has_the_member = is_in_one_feed(hub, record);
        checks.one_case_is_open_and_the_member_names_it = is_case_named(hub, record);
        checks.an_open_case_is_the_holders = is_origin_holder(hub, record);
        let is_wests = record.reference(member::HOLDER) == Some(Who::West.organisation());
        checks.nobody_is_held_by_what_was_given_up = hub.west() == "active" || !is_wests;
        checks.the_receiver_holds_whom_it_accepted = Case::ALL
            .iter()
            .all(|case| is_received(hub, *case, &tenures));
    }
    checks
}

/// The member's tenures by number.
fn tenures(hub: &Hub) -> Vec<&Record> {
    let mut tenures: Vec<_> = hub.of_kind(tenure::KIND_NUMBER).collect();
    tenures.sort_by_key(|tenure| tenure.integer(tenure::NUMBER));
    tenures
}

fn is_open(tenure: &Record) -> bool {
    tenure.value(tenure::CLOSED).is_none()
}

/// A living member has one open tenure, whose holder and number the member shows; a dead one none.
fn is_held_once(record: &Record, tenures: &[&Record]) -> bool {
    let open: Vec<_> = tenures.iter().filter(|tenure| is_open(tenure)).collect();
    let status = record.text(member::STATUS).unwrap_or_default();
    if ENDED.contains(&status) {
        return open.is_empty() && record.value(member::HOLDER).is_none();
    }
    let [open] = open.as_slice() else {
        return false;
    };
    let holder = open.reference(tenure::HOLDER);
    holder.is_some()
        && holder == record.reference(member::HOLDER)
        && holder == Some(record.office)
        && open.value(tenure::NUMBER) == record.value(member::TENURE_NUMBER)
}

/// Tenures are numbered from one, each but the last is closed towards the holder of the next.
fn follow(tenures: &[&Record]) -> bool {
    let is_numbered = (1..)
        .zip(tenures)
        .all(|(number, tenure)| tenure.integer(tenure::NUMBER) == Some(number));
    let is_chain = tenures.windows(2).all(|pair| {
        let [one, next] = pair else { return false };
        !is_open(one) && one.value(tenure::CLOSED_TO) == next.value(tenure::HOLDER)
    });
    is_numbered && is_chain
}

/// The holder's feed alone has the member, and he is tied to that office's own record of the person.
fn is_in_one_feed(hub: &Hub, record: &Record) -> bool {
    let person = record.reference(member::PERSON);
    let person = person.and_then(|id| item_of(hub, person::KIND_NUMBER, id));
    if person.is_none_or(|person| person.office != record.office) {
        return false;
    }
    let holders: Vec<_> = hub
        .feeds
        .iter()
        .filter(|(_, key)| *key == MEMBER)
        .map(|(office, _)| *office)
        .collect();
    holders == [record.office]
}

/// The member's open cases; a dispute stands beside a case and is none.
fn open_cases(hub: &Hub) -> Vec<&Record> {
    hub.of_kind(transfer::KIND_NUMBER)
        .filter(|case| case.value(transfer::DISPUTES).is_none())
        .filter(|case| MACHINE.is_open(case.text(transfer::STATE).unwrap_or_default()))
        .collect()
}

fn is_case_named(hub: &Hub, record: &Record) -> bool {
    let named = record.reference(member::OPEN_CASE);
    match open_cases(hub).as_slice() {
        [] => named.is_none(),
        [case] => named == Some(case.key.id),
        _ => false,
    }
}

/// Until the acceptance the origin of an open case holds the member (条例 2019, art. 25).
fn is_origin_holder(hub: &Hub, record: &Record) -> bool {
    let holder = record.value(member::HOLDER);
    open_cases(hub)
        .iter()
        .all(|case| case.value(transfer::FROM_ORG) == holder)
}

/// The tenure that an accepted case opened is open, or was closed because the member died, or moved
/// on by a case of that holder; the one that a revocation opened is the origin's.
fn is_received(hub: &Hub, case: Case, tenures: &[&Record]) -> bool {
    let current = hub.state(case).unwrap_or_default();
    let opened_by = |how: &str| -> Vec<&&Record> {
        tenures
            .iter()
            .filter(|tenure| tenure.reference(tenure::OPENED_CASE) == Some(case.id()))
            .filter(|tenure| tenure.text(tenure::OPENED_BY) == Some(how))
            .collect()
    };
    let (accepted, revoked) = (opened_by("acceptance"), opened_by("revocation"));
    if MOVED.contains(&current) {
        let [tenure] = accepted.as_slice() else {
            return false;
        };
        let is_receivers = tenure.reference(tenure::HOLDER) == hub.receiver(case);
        return is_receivers && revoked.is_empty() && (is_open(tenure) || ended_well(tenure));
    }
    if current == state::REVOKED {
        let [tenure] = revoked.as_slice() else {
            return false;
        };
        return tenure.reference(tenure::HOLDER) == Some(case.from().organisation());
    }
    accepted.is_empty() && revoked.is_empty()
}

/// Whether a closed tenure ended by a death, or by a case of its own holder.
fn ended_well(tenure: &Record) -> bool {
    let by = tenure.reference(tenure::CASE);
    let case = Case::ALL.iter().find(|case| Some(case.id()) == by);
    match tenure.text(tenure::CLOSED_BY) {
        Some("death") => true,
        Some("acceptance") => case.is_some_and(|case| {
            tenure.reference(tenure::HOLDER) == Some(case.from().organisation())
        }),
        _ => false,
    }
}

/// Whether a change that was taken is still there: applied, merged, or kept where a person sees it.
fn has_trace(hub: &Hub, id: ChangeId, taken: &Taken) -> bool {
    let change = &taken.sent.change;
    let key = RecordKey {
        kind: change.header.kind,
        id: change.header.record,
    };
    let record = hub.record(key);
    match taken.verdict {
        Verdict::Applied if change.header.verb == Verb::Set => {
            change.body.fields.iter().all(|field| {
                let shown = record.and_then(|record| record.fields.get(&field.number));
                shown.is_some_and(|shown| shown.version.change == id && shown.value == field.value)
            })
        }
        Verdict::Applied => record.is_some_and(|record| {
            let fields = change.body.fields.iter();
            let is_kept = |number| {
                key.kind != step::KIND_NUMBER || record.value(number) == change.value(number)
            };
            record.life_version.change == id && fields.map(|f| f.number).all(is_kept)
        }),
        Verdict::Merged => change.body.fields.iter().all(|field| {
            let outcome = hub.outcomes.get(&(id, field.number));
            matches!(outcome, Some(Outcome::Merged(_)))
        }),
        Verdict::Lost => change.body.fields.iter().all(|field| {
            let Some(Outcome::Lost(item)) = hub.outcomes.get(&(id, field.number)) else {
                return false;
            };
            let item = item_of(hub, conflict::KIND_NUMBER, *item);
            item.is_some_and(|item| {
                item.value(conflict::LOSER) == Some(&field.value)
                    && item.value(conflict::LOSER_VERSION) == Some(&change_bytes(id))
            })
        }),
        Verdict::SetAside(_) => note_of(hub, id).is_some_and(|note| {
            note.text(set_aside::STATE) == Some("held") && note.office == taken.sent.who.office()
        }),
        Verdict::Waiting => note_of(hub, id).is_some_and(|note| {
            note.text(set_aside::STATE) == Some("waiting")
                && hub.waiting.iter().any(|waiting| waiting.change == id)
        }),
    }
}

/// Whether the note of a change that was set aside names the reason of the verdict.
fn says_why(hub: &Hub, id: ChangeId, taken: &Taken) -> bool {
    let Verdict::SetAside(code) = taken.verdict else {
        return true;
    };
    note_of(hub, id).is_some_and(|note| note.text(set_aside::REASON) == Some(code))
}

/// The note about a change that was set aside or waits.
fn note_of(hub: &Hub, id: ChangeId) -> Option<&Record> {
    let (Outcome::SetAside(note) | Outcome::Waiting(note)) = hub.outcomes.get(&(id, 0))? else {
        return None;
    };
    let note = item_of(hub, set_aside::KIND_NUMBER, *note)?;
    (note.value(set_aside::CHANGE) == Some(&change_bytes(id))).then_some(note)
}

fn item_of(hub: &Hub, kind: u16, id: RecordId) -> Option<&Record> {
    hub.record(RecordKey { kind, id })
}
