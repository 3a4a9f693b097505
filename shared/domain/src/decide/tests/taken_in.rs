//! Who comes in from outside is made once, also where a restored hub decides the acceptance again (`sync.md` 4).

use super::super::*;
use super::hub::{EAST, Hub, WEST};
use crate::kinds::{member, person, step, tenure, transfer};
use crate::record::Record;

const CASE: RecordId = RecordId::new([70; 16]);

/// An office enters a letter from outside, and says so much of it besides.
pub(super) fn entered(
    hub: &mut Hub,
    office: OfficeId,
    case: RecordId,
    more: &[(u16, &[u8])],
) -> Verdict {
    let mut args: Vec<(u16, &[u8])> = vec![
        (step::NAME, "外一".as_bytes()),
        (step::ORIGIN, "外市某支部".as_bytes()),
    ];
    args.extend(more);
    hub.step((office, office), case, "enter_letter", &args)
}

fn accept(hub: &mut Hub, office: OfficeId, case: RecordId) -> Verdict {
    let to = office.bytes();
    hub.step((office, office), case, "accept", &[(step::TO_BRANCH, &to)])
}

/// WEST takes a member in, who moves on to EAST; then the hub is as one that was restored from before the acceptance
/// and was given everything else. The member.
fn taken_in_and_forgotten(hub: &mut Hub) -> RecordId {
    let letter = entered(hub, WEST, CASE, &[(step::VARIANT, b"offline_in")]);
    assert_eq!(letter, Verdict::Applied);
    let opened = hub.step((WEST, WEST), CASE, "open_check", &[]);
    assert_eq!(opened, Verdict::Applied);
    let before = hub.get(transfer::KIND_NUMBER, CASE).clone();
    assert_eq!(accept(hub, WEST, CASE), Verdict::Applied);
    let case = hub.get(transfer::KIND_NUMBER, CASE);
    let id = case.reference(transfer::MEMBER).unwrap_or_default();
    let onward = RecordId::new([71; 16]);
    assert_eq!(hub.start(WEST, EAST, id, onward), Verdict::Applied);
    hub.issue(WEST, onward);
    hub.step((EAST, EAST), onward, "open_check", &[]);
    assert_eq!(accept(hub, EAST, onward), Verdict::Applied);
    hub.records.insert(before.key, before);
    hub.records.retain(|key, _| key.kind != step::KIND_NUMBER);
    id
}

/// What is known of members: the persons, the members and their tenures.
fn known(hub: &Hub) -> Vec<Record> {
    let kinds = [
        person::KIND_NUMBER,
        member::KIND_NUMBER,
        tenure::KIND_NUMBER,
    ];
    let records = hub.records.values();
    records
        .filter(|record| kinds.contains(&record.key.kind))
        .cloned()
        .collect()
}

fn is_accepted(hub: &Hub, id: RecordId) {
    let case = hub.get(transfer::KIND_NUMBER, CASE);
    assert_eq!(case.text(transfer::STATE), Some("ACCEPTED"));
    assert_eq!(case.reference(transfer::MEMBER), Some(id));
    assert!(case.value(transfer::ACCEPTED_DATE).is_some());
}

#[test]
fn s4_who_was_taken_in_and_has_moved_on_is_not_made_again() {
    let mut hub = Hub::new();
    let id = taken_in_and_forgotten(&mut hub);
    let before = known(&hub);
    assert_eq!(accept(&mut hub, WEST, CASE), Verdict::Applied);
    assert_eq!(known(&hub), before);
    is_accepted(&hub, id);
    let key = RecordKey {
        kind: member::KIND_NUMBER,
        id,
    };
    assert!(hub.feeds.contains(&(EAST, key)) && !hub.feeds.contains(&(WEST, key)));
}

#[test]
fn s4_who_is_taken_in_again_goes_on_where_his_tenures_end() {
    let mut hub = Hub::new();
    let id = taken_in_and_forgotten(&mut hub);
    let gone = [person::KIND_NUMBER, member::KIND_NUMBER];
    hub.records.retain(|key, _| !gone.contains(&key.kind));
    assert_eq!(accept(&mut hub, WEST, CASE), Verdict::Applied);
    is_accepted(&hub, id);
    let record = hub.get(member::KIND_NUMBER, id);
    assert_eq!(
        (record.office, record.reference(member::HOLDER)),
        (EAST, Some(EAST))
    );
    assert_eq!(record.integer(member::TENURE_NUMBER), Some(2));
    assert_eq!(hub.open_tenures(id), 1);
    let person = record.reference(member::PERSON).unwrap_or_default();
    assert_eq!(hub.get(person::KIND_NUMBER, person).office, EAST);
}

/// A person who is known is left as he is, also where the member is not.
#[test]
fn s1_who_was_entered_by_the_letter_is_not_overwritten() {
    let mut hub = Hub::new();
    let id = taken_in_and_forgotten(&mut hub);
    let persons = |hub: &Hub| -> Vec<Record> {
        let mut known = known(hub);
        known.retain(|record| record.key.kind == person::KIND_NUMBER && record.office == DESK);
        known
    };
    let before = persons(&hub);
    assert_eq!(before.len(), 1, "what WEST had of him");
    hub.records.remove(&RecordKey {
        kind: member::KIND_NUMBER,
        id,
    });
    assert_eq!(accept(&mut hub, WEST, CASE), Verdict::Applied);
    assert_eq!(persons(&hub), before);
}
