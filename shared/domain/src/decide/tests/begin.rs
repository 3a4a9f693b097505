//! How records begin by their creation.

use super::super::*;
use super::hub::{EAST, Hub};
use super::late::status_step;
use super::merge::{merging, person_at};
use crate::kinds::{activity, member, participation, person, step, tenure, volunteer};

const DECIDED: [(u16, &[u8]); 3] = [
    (member::DECISION_NUMBER, b"1"),
    (member::DECISION_DATE, b"2026-11-10"),
    (member::DECISION_BODY, b"body"),
];

fn member_of(
    hub: &mut Hub,
    (number, who): (u8, RecordId),
    how: &[u8],
    more: &[(u16, &[u8])],
) -> Verdict {
    let who = who.bytes();
    let mut fields: Vec<(u16, &[u8])> = vec![
        (member::PERSON, &who),
        (member::CATEGORY, b"probationary"),
        (member::STATUS, b"PROBATIONARY"),
        (member::JOIN_DATE, b"2026-11-10"),
        (member::RELATION_IN_TYPE, how),
    ];
    fields.retain(|(field, _)| more.iter().all(|(given, _)| given != field));
    fields.extend(more);
    let id = RecordId::new([number; 16]);
    hub.send(EAST, member::KIND_NUMBER, id, Verb::Create, &fields)
}

fn opened_by(hub: &Hub, number: u8) -> Option<String> {
    let tenures = hub.records.values();
    let mut of_member = tenures.filter(|record| {
        record.key.kind == tenure::KIND_NUMBER
            && record.reference(tenure::MEMBER) == Some(RecordId::new([number; 16]))
    });
    of_member.next()?.text(tenure::OPENED_BY).map(str::to_owned)
}

#[test]
fn an_admission_names_its_decision_and_a_registration_needs_none() {
    let mut hub = Hub::new();
    let who = super::someone(&mut hub);
    let refused = member_of(&mut hub, (60, who), b"admitted", &[]);
    assert_eq!(refused, Verdict::SetAside("MEM-008"));
    let late = [(member::CONVERSION_DATE, &b"2026-11-10"[..])];
    let refused = member_of(&mut hub, (61, who), b"registered", &late);
    assert_eq!(refused, Verdict::SetAside("MEM-004"));
    let full = [(member::STATUS, &b"FULL"[..])];
    let refused = member_of(&mut hub, (62, who), b"registered", &full);
    assert_eq!(refused, Verdict::SetAside("MEM-016"));
    let registered = member_of(&mut hub, (63, who), b"registered", &[]);
    assert_eq!(registered, Verdict::Applied);
    assert_eq!(opened_by(&hub, 63).as_deref(), Some("registration"));
}

#[test]
fn whoever_left_is_admitted_again_in_a_new_record() {
    let mut hub = Hub::new();
    let who = super::someone(&mut hub);
    let first = member_of(&mut hub, (60, who), b"readmitted", &DECIDED);
    assert_eq!(first, Verdict::SetAside("MEM-015"));
    let first = member_of(&mut hub, (61, who), b"admitted", &DECIDED);
    assert_eq!(first, Verdict::Applied);
    assert_eq!(opened_by(&hub, 61).as_deref(), Some("admission"));
    let twice = member_of(&mut hub, (62, who), b"readmitted", &DECIDED);
    assert_eq!(twice, Verdict::SetAside("MEM-017"));
    let (subject, acting) = ([61; 16], EAST.bytes());
    let cancel: &[(u16, &[u8])] = &[
        (step::SUBJECT_KIND, b"3"),
        (step::SUBJECT, &subject),
        (step::EVENT, b"cancel"),
        (step::ORGANISATION, &acting),
        (step::DATE, b"2026-11-11"),
        (step::RECORDER, b"clerk"),
        (step::DECISION_NUMBER, b"2"),
        (step::DECISION_DATE, b"2026-11-11"),
        (step::DECISION_BODY, b"body"),
    ];
    let id = RecordId::new([99; 16]);
    let verdict = hub.send(EAST, step::KIND_NUMBER, id, Verb::Step, cancel);
    assert_eq!(verdict, Verdict::Applied);
    let ended = hub.get(member::KIND_NUMBER, RecordId::new([61; 16]));
    assert_eq!(ended.value(member::HOLDER), None, "held by nobody");
    let again = member_of(&mut hub, (63, who), b"readmitted", &DECIDED);
    assert_eq!(again, Verdict::Applied);
    assert_eq!(opened_by(&hub, 63).as_deref(), Some("readmission"));
}

/// S4: of a person who was entered twice there is one membership, whichever record names it.
#[test]
fn whoever_is_a_member_under_another_record_of_the_same_person_is_not_admitted() {
    let mut hub = Hub::new();
    let first = super::someone(&mut hub);
    let name = (person::NAME, "林壹".as_bytes());
    let [second, third] = [51, 52].map(|number| person_at(&mut hub, EAST, number, &[name]));
    let admitted = member_of(&mut hub, (61, first), b"admitted", &DECIDED);
    assert_eq!(admitted, Verdict::Applied);
    for (kept, other) in [(second, first), (third, second)] {
        let change = merging(&mut hub, EAST, person::KIND_NUMBER, (kept, other), &[]);
        assert_eq!(hub.take(EAST, &change), Verdict::Applied);
    }
    for (number, who) in [(62, first), (63, second), (64, third)] {
        let again = member_of(&mut hub, (number, who), b"admitted", &DECIDED);
        assert_eq!(again, Verdict::SetAside("MEM-017"));
    }
}

#[test]
fn a_member_who_was_merged_counts_as_the_one_who_was_kept() {
    let mut hub = Hub::new();
    let (kept, other) = (hub.register(EAST, 10), hub.register(EAST, 20));
    let change = merging(&mut hub, DESK, member::KIND_NUMBER, (kept, other), &[]);
    assert_eq!(hub.take(DESK, &change), Verdict::Applied);
    let who = RecordId::new([20; 16]);
    let held = member_of(&mut hub, (63, who), b"readmitted", &DECIDED);
    assert_eq!(held, Verdict::SetAside("MEM-017"));
    let withdrew: &[(u16, &[u8])] = &[
        (step::REASON_CODE, b"withdrew"),
        (step::DECISION_NUMBER, b"2"),
        (step::DECISION_DATE, b"2026-11-11"),
        (step::DECISION_BODY, b"body"),
    ];
    let left = status_step(&mut hub, EAST, kept, (b"leave", withdrew));
    assert_eq!(left, Verdict::Applied);
    let again = member_of(&mut hub, (64, who), b"readmitted", &DECIDED);
    assert_eq!(again, Verdict::Applied);
    assert_eq!(opened_by(&hub, 64).as_deref(), Some("readmission"));
}

/// A volunteer and an activity of EAST's, in a state.
fn service(hub: &mut Hub, state: &[u8]) -> ([u8; 16], [u8; 16]) {
    let who = super::someone(hub).bytes();
    let (one, other) = (RecordId::new([51; 16]), RecordId::new([52; 16]));
    let fields: &[(u16, &[u8])] = &[(volunteer::PERSON, &who)];
    hub.send(EAST, volunteer::KIND_NUMBER, one, Verb::Create, fields);
    let east = EAST.bytes();
    let fields: &[(u16, &[u8])] = &[
        (activity::TITLE, b"title"),
        (activity::KIND_OF, b"volunteer"),
        (activity::ORGANISATION, &east),
        (activity::STATE, state),
        (activity::HELD_DATE, b"2026-11-16"),
    ];
    let made = hub.send(EAST, activity::KIND_NUMBER, other, Verb::Create, fields);
    assert_eq!(made, Verdict::Applied);
    (one.bytes(), other.bytes())
}

fn entry(
    hub: &mut Hub,
    number: u8,
    (volunteer, activity): ([u8; 16], [u8; 16]),
    more: &[(u16, &[u8])],
) -> Verdict {
    let east = EAST.bytes();
    let mut fields: Vec<(u16, &[u8])> = vec![
        (participation::VOLUNTEER, &volunteer),
        (participation::ACTIVITY, &activity),
        (participation::STATE, b"MEASURED"),
        (participation::RECORDER, b"clerk"),
        (participation::RECORDING_UNIT, &east),
        (participation::SERVICE_DATE, b"2026-11-16"),
        (participation::SIGN_IN, b"1794800000000"),
        (participation::SIGN_OUT, b"1794807200000"),
        (participation::MINUTES, b"120"),
        (participation::REASON, b"paper"),
    ];
    fields.retain(|(field, _)| more.iter().all(|(given, _)| given != field));
    fields.extend(more);
    let id = RecordId::new([number; 16]);
    hub.send(EAST, participation::KIND_NUMBER, id, Verb::Create, &fields)
}

#[test]
fn an_entry_begins_by_the_guards_of_its_arrow() {
    let mut hub = Hub::new();
    let (who, at) = service(&mut hub, b"HELD");
    let refused =
        |hub: &mut Hub, number, more: &[(u16, &[u8])]| entry(hub, number, (who, at), more);
    assert_eq!(
        refused(&mut hub, 80, &[(participation::STATE, b"ENROLLED")]),
        Verdict::SetAside("VOL-010")
    );
    assert_eq!(
        refused(&mut hub, 81, &[(participation::MINUTES, b"121")]),
        Verdict::SetAside("VOL-001")
    );
    assert_eq!(
        refused(
            &mut hub,
            82,
            &[(participation::RECORDER, "林一".as_bytes())]
        ),
        Verdict::SetAside("VOL-004")
    );
    let old = (participation::SERVICE_DATE, &b"2026-10-09"[..]);
    assert_eq!(refused(&mut hub, 83, &[old]), Verdict::SetAside("VOL-002"));
    let explained = [old, (participation::APPROVER, b"supervisor")];
    assert_eq!(refused(&mut hub, 84, &explained), Verdict::Applied);
    let late = hub.get(participation::KIND_NUMBER, RecordId::new([84; 16]));
    assert_eq!(late.text(participation::LATE), Some("1"));
}

/// P3 (`VOL-004`): whoever was entered twice does not record his own hours under the other name either.
#[test]
fn nobody_records_his_own_hours_by_another_record_of_himself() {
    let mut hub = Hub::new();
    let (who, at) = service(&mut hub, b"HELD");
    let name = (person::NAME, "林壹".as_bytes());
    let kept = person_at(&mut hub, EAST, 53, &[name]);
    let by = |hub: &mut Hub, number, name: &str| {
        let recorder = (participation::RECORDER, name.as_bytes());
        entry(hub, number, (who, at), &[recorder])
    };
    assert_eq!(by(&mut hub, 80, "林壹"), Verdict::Applied);
    let pair = (kept, RecordId::new([50; 16]));
    let change = merging(&mut hub, EAST, person::KIND_NUMBER, pair, &[]);
    assert_eq!(hub.take(EAST, &change), Verdict::Applied);
    for (number, name) in [(81, "林壹"), (82, "林一")] {
        assert_eq!(by(&mut hub, number, name), Verdict::SetAside("VOL-004"));
    }
    assert_eq!(by(&mut hub, 83, "clerk"), Verdict::Applied);
}

/// P3 (`VOL-004`, `VOL-003`): whoever stands in the books as two people with a volunteer's record each is one, whether
/// his records as a volunteer were merged or those as a person.
#[test]
fn whose_volunteers_or_whose_people_were_merged_is_one() {
    for kind in [volunteer::KIND_NUMBER, person::KIND_NUMBER] {
        let mut hub = Hub::new();
        let (first, at) = service(&mut hub, b"HELD");
        let name = (person::NAME, "林壹".as_bytes());
        let other = person_at(&mut hub, EAST, 53, &[name]);
        let second = RecordId::new([54; 16]);
        let fields: &[(u16, &[u8])] = &[(volunteer::PERSON, &other.bytes())];
        let made = hub.send(EAST, volunteer::KIND_NUMBER, second, Verb::Create, fields);
        assert_eq!(made, Verdict::Applied);
        let pair = match kind {
            volunteer::KIND_NUMBER => (second, RecordId::new(first)),
            _ => (other, RecordId::new([50; 16])),
        };
        let change = merging(&mut hub, EAST, kind, pair, &[]);
        assert_eq!(hub.take(EAST, &change), Verdict::Applied);
        for (number, who, name) in [(81, first, "林壹"), (82, second.bytes(), "林一")] {
            let recorder = (participation::RECORDER, name.as_bytes());
            let verdict = entry(&mut hub, number, (who, at), &[recorder]);
            assert_eq!(verdict, Verdict::SetAside("VOL-004"));
        }
        for (number, who) in [(83, first), (84, second.bytes())] {
            assert_eq!(entry(&mut hub, number, (who, at), &[]), Verdict::Applied);
        }
        let flagged = hub.get(participation::KIND_NUMBER, RecordId::new([84; 16]));
        assert!(flagged.value(participation::OVERLAPS).is_some());
    }
}

#[test]
fn service_at_two_places_at_once_is_flagged_on_both_entries_and_a_correction_is_not() {
    let mut hub = Hub::new();
    let at = service(&mut hub, b"PLANNED");
    let flag = |hub: &Hub, number: u8| {
        let id = RecordId::new([number; 16]);
        hub.get(participation::KIND_NUMBER, id)
            .reference(participation::OVERLAPS)
    };
    assert_eq!(entry(&mut hub, 80, at, &[]), Verdict::Applied);
    let first = [80; 16];
    let correction = [(participation::CORRECTS, &first[..])];
    assert_eq!(entry(&mut hub, 81, at, &correction), Verdict::Applied);
    assert_eq!((flag(&hub, 80), flag(&hub, 81)), (None, None));
    let after: &[(u16, &[u8])] = &[
        (participation::SIGN_IN, b"1794807200000"),
        (participation::SIGN_OUT, b"1794814400000"),
    ];
    assert_eq!(entry(&mut hub, 82, at, after), Verdict::Applied);
    assert_eq!(flag(&hub, 82), None, "one after the other");
    assert_eq!(entry(&mut hub, 83, at, &[]), Verdict::Applied);
    assert_eq!(flag(&hub, 80), Some(RecordId::new([83; 16])));
    assert!(flag(&hub, 83).is_some());
}

/// S7 (`VOL-003`): whoever was entered twice as a volunteer is not in two places at once under two names either.
#[test]
fn service_at_two_places_at_once_is_flagged_whichever_record_of_the_volunteer_it_names() {
    let mut hub = Hub::new();
    let (first, at) = service(&mut hub, b"PLANNED");
    let who = RecordId::new([50; 16]).bytes();
    let [second, third] = [53, 54].map(|number| {
        let id = RecordId::new([number; 16]);
        let fields: &[(u16, &[u8])] = &[(volunteer::PERSON, &who)];
        let made = hub.send(EAST, volunteer::KIND_NUMBER, id, Verb::Create, fields);
        assert_eq!(made, Verdict::Applied);
        id
    });
    for (kept, other) in [(second, RecordId::new(first)), (third, second)] {
        let change = merging(&mut hub, EAST, volunteer::KIND_NUMBER, (kept, other), &[]);
        assert_eq!(hub.take(EAST, &change), Verdict::Applied);
    }
    assert_eq!(entry(&mut hub, 80, (first, at), &[]), Verdict::Applied);
    assert_eq!(
        entry(&mut hub, 81, (third.bytes(), at), &[]),
        Verdict::Applied
    );
    let flag = |number: u8| {
        let entry = hub.get(participation::KIND_NUMBER, RecordId::new([number; 16]));
        entry.reference(participation::OVERLAPS)
    };
    let other = |number: u8| Some(RecordId::new([number; 16]));
    assert_eq!((flag(80), flag(81)), (other(81), other(80)));
}

#[test]
fn a_person_that_is_not_recorded_is_waited_for_and_no_guard_is_asked() {
    let mut hub = Hub::new();
    let who = RecordId::new([50; 16]);
    let early = member_of(&mut hub, (60, who), b"admitted", &DECIDED);
    assert_eq!(early, Verdict::Waiting);
    let name: &[(u16, &[u8])] = &[(person::NAME, "郑二".as_bytes())];
    hub.send(EAST, person::KIND_NUMBER, who, Verb::Create, name);
    assert_eq!(opened_by(&hub, 60).as_deref(), Some("admission"));
}
