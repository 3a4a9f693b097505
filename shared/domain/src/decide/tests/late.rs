//! What crosses a move or comes after it: disputes, revocations, a former holder's late word.

use super::super::*;
use super::hub::{EAST, Hub, STREET, WEST};
use crate::kinds::{activity, attendance, member, step, transfer};
use crate::record::Record;

pub(super) const CASE: RecordId = RecordId::new([70; 16]);
pub(super) const DECISION: [(u16, &[u8]); 2] = [
    (step::DECISION_NUMBER, b"1"),
    (step::DECISION_DATE, b"2026-11-18"),
];

pub(super) const STOP: [(u16, &[u8]); 4] = [
    (step::REASON_CODE, b"lost_contact"),
    (step::DECISION_NUMBER, b"7"),
    (step::DECISION_DATE, b"2026-11-18"),
    (step::DECISION_BODY, b"body"),
];

/// A member of EAST's whom WEST has accepted.
pub(super) fn accepted(hub: &mut Hub) -> RecordId {
    let member = hub.register(EAST, 60);
    hub.start(EAST, WEST, member, CASE);
    hub.issue(EAST, CASE);
    let branch = WEST.bytes();
    hub.step((WEST, WEST), CASE, "open_check", &[]);
    let accept = hub.step((WEST, WEST), CASE, "accept", &[(step::TO_BRANCH, &branch)]);
    assert_eq!(accept, Verdict::Applied);
    member
}

/// A recall of EAST's that crossed the acceptance: the dispute.
fn disputed(hub: &mut Hub) -> RecordId {
    let recall = hub.step((EAST, EAST), CASE, "recall", &[(step::REASON, b"reason")]);
    assert_eq!(recall, Verdict::Applied);
    let mut cases = hub.records.values();
    let dispute = cases.find(|record| {
        record.key.kind == transfer::KIND_NUMBER && record.text(transfer::STATE) == Some("DISPUTED")
    });
    dispute.map_or(CASE, |dispute| dispute.key.id)
}

fn state(hub: &Hub, case: RecordId) -> Option<&str> {
    hub.get(transfer::KIND_NUMBER, case).text(transfer::STATE)
}

/// An office takes a step on a member's status.
pub(super) fn status_step(
    hub: &mut Hub,
    office: OfficeId,
    member: RecordId,
    (event, args): (&[u8], &[(u16, &[u8])]),
) -> Verdict {
    let (subject, acting) = (member.bytes(), office.bytes());
    let mut fields: Vec<(u16, &[u8])> = vec![
        (step::SUBJECT_KIND, b"3"),
        (step::SUBJECT, &subject),
        (step::EVENT, event),
        (step::ORGANISATION, &acting),
        (step::DATE, b"2026-11-18"),
        (step::RECORDER, b"clerk"),
    ];
    fields.extend(args);
    let id = derived_id("test status step", &[&hub.now.to_be_bytes()]);
    hub.send(office, step::KIND_NUMBER, id, Verb::Step, &fields)
}

#[test]
fn a_dispute_decided_against_the_acceptance_takes_it_back_by_a_tenure_of_the_origin() {
    let mut hub = Hub::new();
    let member = accepted(&mut hub);
    let dispute = disputed(&mut hub);
    let verdict = hub.step((DESK, STREET), dispute, "revoke", &DECISION);
    assert_eq!(verdict, Verdict::Applied);
    assert_eq!(
        (state(&hub, dispute), state(&hub, CASE)),
        (Some("REVOKED"), Some("REVOKED"))
    );
    let record = hub.get(member::KIND_NUMBER, member);
    assert_eq!((record.office, hub.open_tenures(member)), (EAST, 1));
    assert_eq!(record.integer(member::TENURE_NUMBER), Some(3));
}

#[test]
fn a_dispute_beside_a_case_that_was_revoked_by_itself_only_ends() {
    let mut hub = Hub::new();
    let member = accepted(&mut hub);
    let dispute = disputed(&mut hub);
    hub.step((DESK, STREET), CASE, "revoke", &DECISION);
    let verdict = hub.step((DESK, STREET), dispute, "revoke", &DECISION);
    assert_eq!(verdict, Verdict::Applied);
    assert_eq!(state(&hub, dispute), Some("REVOKED"));
    let record = hub.get(member::KIND_NUMBER, member);
    assert_eq!(record.integer(member::TENURE_NUMBER), Some(3));
}

#[test]
fn whoever_died_since_is_not_brought_back() {
    let mut hub = Hub::new();
    let member = accepted(&mut hub);
    let dispute = disputed(&mut hub);
    assert_eq!(
        status_step(&mut hub, WEST, member, (b"record_death", &[])),
        Verdict::Applied
    );
    for subject in [dispute, CASE] {
        let verdict = hub.step((DESK, STREET), subject, "revoke", &DECISION);
        assert_eq!(verdict, Verdict::SetAside("TRF-019"));
    }
    assert_eq!(
        (state(&hub, dispute), state(&hub, CASE)),
        (Some("DISPUTED"), Some("ACCEPTED"))
    );
    assert_eq!(hub.open_tenures(member), 0);
}

/// S7: who was at a meeting is the record of the office that held him then, whoever holds him now. Of whom it never
/// held it enters nothing.
#[test]
fn attendance_is_entered_also_after_the_member_was_transferred_out() {
    let mut hub = Hub::new();
    let member = accepted(&mut hub);
    let meeting = RecordId::new([71; 16]);
    let unit = EAST.bytes();
    let fields: &[(u16, &[u8])] = &[
        (activity::TITLE, b"title"),
        (activity::KIND_OF, b"members_meeting"),
        (activity::ORGANISATION, &unit),
        (activity::STATE, b"PLANNED"),
        (activity::HELD_DATE, b"2026-11-16"),
    ];
    let made = hub.send(EAST, activity::KIND_NUMBER, meeting, Verb::Create, fields);
    assert_eq!(made, Verdict::Applied);
    let stranger = hub.register(WEST, 61);
    for (number, who, expected) in [
        (72, member, Verdict::Applied),
        (73, stranger, Verdict::SetAside("not_yours")),
    ] {
        let (meeting, who) = (meeting.bytes(), who.bytes());
        let fields: &[(u16, &[u8])] = &[
            (attendance::ACTIVITY, &meeting),
            (attendance::MEMBER, &who),
            (attendance::STATE, b"present"),
        ];
        let id = RecordId::new([number; 16]);
        let entered = hub.send(EAST, attendance::KIND_NUMBER, id, Verb::Create, fields);
        assert_eq!(entered, expected);
    }
    // A step about him is not the office's any more.
    let moved = hub.start(EAST, WEST, member, RecordId::new([74; 16]));
    assert_eq!(moved, Verdict::SetAside("not_yours"));
}

#[test]
fn a_death_is_applied_whoever_learns_of_it_first() {
    let mut hub = Hub::new();
    let member = accepted(&mut hub);
    assert_eq!(
        status_step(&mut hub, EAST, member, (b"record_death", &[])),
        Verdict::Applied
    );
    let record = hub.get(member::KIND_NUMBER, member);
    assert_eq!(record.text(member::STATUS), Some("DECEASED"));
    assert_eq!((record.value(member::HOLDER), record.office), (None, WEST));
    assert_eq!(hub.open_tenures(member), 0);
}

#[test]
fn the_receiver_of_an_open_case_may_report_a_death_and_a_stranger_may_not() {
    let mut hub = Hub::new();
    let member = hub.register(EAST, 60);
    let stranger = status_step(&mut hub, WEST, member, (b"record_death", &[]));
    assert_eq!(stranger, Verdict::SetAside("not_yours"));
    hub.start(EAST, WEST, member, CASE);
    hub.issue(EAST, CASE);
    let receiver = status_step(&mut hub, WEST, member, (b"record_death", &[]));
    assert_eq!(receiver, Verdict::Applied);
    assert_eq!(state(&hub, CASE), Some("CLOSED_BY_STATUS"));
}

#[test]
fn a_former_holders_decision_is_an_urgent_task_of_the_holder_who_closes_it() {
    let mut hub = Hub::new();
    let member = accepted(&mut hub);
    let verdict = status_step(&mut hub, EAST, member, (b"stop", &STOP));
    assert_eq!(verdict, Verdict::SetAside("MEM-018"));
    let record = hub.get(member::KIND_NUMBER, member);
    assert_eq!(record.text(member::STATUS), Some("FULL"));
    let mut notes = hub.records.values();
    let note = notes
        .find(|record| record.text(set_aside::URGENT) == Some("1"))
        .cloned();
    let Some(note) = note.filter(|note| note.key.kind == set_aside::KIND_NUMBER) else {
        unreachable!("an urgent note")
    };
    assert_eq!(note.value(set_aside::SUBJECT), Some(&member.bytes()[..]));
    assert!(
        note.text(set_aside::DETAIL)
            .is_some_and(|told| told.contains("批准文号 7"))
    );
    for office in [EAST, WEST] {
        assert!(hub.feeds.contains(&(office, note.key)));
    }
    let (subject, acting) = (note.key.id.bytes(), WEST.bytes());
    let kind = set_aside::KIND_NUMBER.to_string();
    let done: &[(u16, &[u8])] = &[
        (step::SUBJECT_KIND, kind.as_bytes()),
        (step::SUBJECT, &subject),
        (step::EVENT, b"fix"),
        (step::ORGANISATION, &acting),
        (step::DATE, b"2026-11-18"),
        (step::RECORDER, b"clerk"),
        (step::REASON, b"done"),
    ];
    let id = RecordId::new([99; 16]);
    assert_eq!(
        hub.send(WEST, step::KIND_NUMBER, id, Verb::Step, done),
        Verdict::Applied
    );
    let note = hub.get(set_aside::KIND_NUMBER, note.key.id);
    assert_eq!(note.text(set_aside::STATE), Some("fixed"));
}

#[test]
fn a_former_holder_is_one_still_while_the_member_is_on_his_way_back() {
    let mut hub = Hub::new();
    let member = accepted(&mut hub);
    let back = RecordId::new([71; 16]);
    assert_eq!(hub.start(WEST, EAST, member, back), Verdict::Applied);
    let verdict = status_step(&mut hub, EAST, member, (b"stop", &STOP));
    assert_eq!(verdict, Verdict::SetAside("MEM-018"));
    let mut notes = hub.records.values();
    let is_urgent = |note: &&Record| {
        note.key.kind == set_aside::KIND_NUMBER && note.text(set_aside::URGENT) == Some("1")
    };
    let holder = notes
        .find(is_urgent)
        .and_then(|note| note.reference(set_aside::SUGGESTION_TO));
    assert_eq!(holder, Some(WEST));
    // As the receiver it may say only that he died.
    let death = status_step(&mut hub, EAST, member, (b"record_death", &[]));
    assert_eq!(death, Verdict::Applied);
}

fn has_dispute(hub: &Hub) -> bool {
    let mut cases = hub.records.values();
    cases.any(|record| {
        record.key.kind == transfer::KIND_NUMBER && record.value(transfer::DISPUTES).is_some()
    })
}

#[test]
fn t7_the_receivers_acceptance_again_crosses_nothing_though_its_step_is_not_known() {
    let mut hub = Hub::new();
    let member = accepted(&mut hub);
    let branch = WEST.bytes();
    let to: &[(u16, &[u8])] = &[(step::TO_BRANCH, &branch)];
    let again = |hub: &mut Hub| {
        hub.records.retain(|key, _| key.kind != step::KIND_NUMBER);
        hub.step((WEST, WEST), CASE, "accept", to)
    };
    assert_eq!(again(&mut hub), Verdict::Applied);
    let sent = hub.step((WEST, WEST), CASE, "send_receipt", &[]);
    assert_eq!(sent, Verdict::Applied);
    assert_eq!(again(&mut hub), Verdict::Applied);
    let confirmed = hub.step((EAST, EAST), CASE, "confirm_receipt", &[]);
    assert_eq!(confirmed, Verdict::Applied);
    assert_eq!(again(&mut hub), Verdict::Applied);
    assert_eq!(
        (state(&hub, CASE), has_dispute(&hub)),
        (Some("CLOSED"), false)
    );
    assert_eq!(hub.open_tenures(member), 1);
    // Somebody else's crosses it.
    let street = hub.step((DESK, STREET), CASE, "accept", to);
    assert_eq!(street, Verdict::Applied);
    assert!(has_dispute(&hub));
}
