//! Whom a tenure is opened for: nobody who is a member no more, and nobody at an organisation that was given up.

use super::super::*;
use super::hub::{EAST, Hub, STREET, WEST};
use super::late::{CASE, DECISION, STOP, accepted, status_step};
use super::merge::{merging, person_at, unmerge};
use super::organisations::end;
use crate::kinds::{member, organisation, person, step, transfer};

const SOUTH: OfficeId = RecordId::new([4; 16]);
const DECIDED: [(u16, &[u8]); 3] = [
    (step::DECISION_NUMBER, b"8"),
    (step::DECISION_DATE, b"2026-11-18"),
    (step::DECISION_BODY, b"body"),
];

/// A third office.
fn with_south() -> Hub {
    let mut hub = Hub::new();
    let fields: &[(u16, &[u8])] = &[
        (organisation::NAME, b"south"),
        (organisation::KIND_OF, b"committee"),
        (organisation::IS_OFFICE, b"1"),
        (organisation::STATE, b"active"),
    ];
    let made = hub.send(DESK, organisation::KIND_NUMBER, SOUTH, Verb::Create, fields);
    assert_eq!(made, Verdict::Applied);
    hub
}

/// A member of EAST's who was received outside this system.
fn gone_out(hub: &mut Hub) -> RecordId {
    let id = hub.register(EAST, 60);
    let member = id.bytes();
    let args: &[(u16, &[u8])] = &[
        (step::MEMBER, &member),
        (step::VARIANT, b"offline_out"),
        (step::TO_UNIT, b"unit"),
        (step::ADDRESSEE, b"addressee"),
        (step::DUES_PAID_TO, b"2026-10"),
    ];
    let begun = hub.step((EAST, EAST), CASE, "create", args);
    assert_eq!(begun, Verdict::Applied);
    hub.issue(EAST, CASE);
    hub.step((EAST, EAST), CASE, "deliver", &[]);
    let received: &[(u16, &[u8])] = &[(step::RECEIVED_DATE, b"2026-11-18")];
    let receipt = hub.step((EAST, EAST), CASE, "enter_receipt", received);
    assert_eq!(receipt, Verdict::Applied);
    assert_eq!(hub.open_tenures(id), 0);
    id
}

fn revoke(hub: &mut Hub) -> Verdict {
    hub.step((DESK, STREET), CASE, "revoke", &DECISION)
}

#[test]
fn s4_who_was_received_outside_comes_back_but_not_from_the_dead() {
    let mut hub = Hub::new();
    let id = gone_out(&mut hub);
    assert_eq!(revoke(&mut hub), Verdict::Applied);
    let record = hub.get(member::KIND_NUMBER, id);
    assert_eq!(record.reference(member::HOLDER), Some(EAST));
    assert_eq!(hub.open_tenures(id), 1);
    let mut hub = Hub::new();
    let id = gone_out(&mut hub);
    let death = status_step(&mut hub, EAST, id, (b"record_death", &[]));
    assert_eq!(death, Verdict::Applied);
    assert_eq!(revoke(&mut hub), Verdict::SetAside("TRF-019"));
    assert_eq!(hub.open_tenures(id), 0);
}

#[test]
fn s4_whoever_was_merged_does_not_come_back_beside_himself() {
    let mut hub = Hub::new();
    let id = gone_out(&mut hub);
    let kept = hub.register(EAST, 61);
    let change = merging(&mut hub, EAST, member::KIND_NUMBER, (kept, id), &[]);
    assert_eq!(hub.take(EAST, &change), Verdict::Applied);
    assert_eq!(revoke(&mut hub), Verdict::SetAside("merged"));
    assert_eq!((hub.open_tenures(kept), hub.open_tenures(id)), (1, 0));
    let apart = unmerge(&mut hub, EAST, member::KIND_NUMBER, id);
    assert_eq!(apart, Verdict::Applied);
    assert_eq!(revoke(&mut hub), Verdict::Applied);
}

#[test]
fn a_revocation_leads_back_to_what_stands_for_the_origin_today() {
    for is_outside in [false, true] {
        let mut hub = with_south();
        let id = if is_outside {
            gone_out(&mut hub)
        } else {
            accepted(&mut hub)
        };
        let merged = end(&mut hub, EAST, b"merged", Some(SOUTH));
        assert_eq!(merged, Verdict::Applied);
        assert_eq!(revoke(&mut hub), Verdict::Applied);
        let record = hub.get(member::KIND_NUMBER, id);
        assert_eq!(
            (record.office, record.reference(member::HOLDER)),
            (SOUTH, Some(SOUTH))
        );
        assert_eq!(hub.open_tenures(id), 1);
        assert!(hub.feeds.contains(&(SOUTH, record.key)));
        for office in [EAST, WEST] {
            assert!(!hub.feeds.contains(&(office, record.key)));
        }
        let person = record.reference(member::PERSON).unwrap_or_default();
        assert_eq!(hub.get(person::KIND_NUMBER, person).office, SOUTH);
    }
}

#[test]
fn who_has_nowhere_to_go_back_to_stays_where_he_is() {
    for is_outside in [false, true] {
        let mut hub = Hub::new();
        let id = if is_outside {
            gone_out(&mut hub)
        } else {
            accepted(&mut hub)
        };
        let open = hub.open_tenures(id);
        let ended = end(&mut hub, EAST, b"abolished", None);
        assert_eq!(ended, Verdict::Applied);
        let before = hub.get(member::KIND_NUMBER, id).clone();
        assert_eq!(revoke(&mut hub), Verdict::SetAside("ORG-006"));
        assert_eq!(hub.get(member::KIND_NUMBER, id), &before);
        assert_eq!(hub.open_tenures(id), open);
        let case = hub.get(transfer::KIND_NUMBER, CASE);
        assert_ne!(case.text(transfer::STATE), Some("REVOKED"));
    }
}

#[test]
fn an_office_that_was_given_up_registers_nobody_and_takes_nobody_back() {
    let mut hub = Hub::new();
    let id = hub.register(EAST, 60);
    let stopped = status_step(&mut hub, EAST, id, (b"stop", &STOP));
    assert_eq!(stopped, Verdict::Applied);
    assert_eq!(end(&mut hub, EAST, b"abolished", None), Verdict::Applied);
    let restored = status_step(&mut hub, EAST, id, (b"restore", &DECIDED));
    assert_eq!(restored, Verdict::SetAside("ORG-006"));
    assert_eq!(hub.open_tenures(id), 0);
    let who = person_at(&mut hub, EAST, 61, &[(person::NAME, "林二".as_bytes())]);
    let who = who.bytes();
    let fields: &[(u16, &[u8])] = &[
        (member::PERSON, &who),
        (member::CATEGORY, b"full"),
        (member::STATUS, b"FULL"),
        (member::JOIN_DATE, b"2001-07-01"),
    ];
    let late = RecordId::new([161; 16]);
    let registered = hub.send(EAST, member::KIND_NUMBER, late, Verb::Create, fields);
    assert_eq!(registered, Verdict::SetAside("ORG-006"));
    assert_eq!(hub.open_tenures(late), 0);
}

#[test]
fn a_merge_is_not_taken_back_into_an_office_that_was_given_up() {
    let mut hub = Hub::new();
    let kind = member::KIND_NUMBER;
    let (kept, other) = (hub.register(EAST, 10), hub.register(WEST, 20));
    let change = merging(&mut hub, DESK, kind, (kept, other), &[]);
    assert_eq!(hub.take(DESK, &change), Verdict::Applied);
    assert_eq!(end(&mut hub, WEST, b"abolished", None), Verdict::Applied);
    let apart = unmerge(&mut hub, DESK, kind, other);
    assert_eq!(apart, Verdict::SetAside("ORG-006"));
    assert_eq!((hub.open_tenures(kept), hub.open_tenures(other)), (1, 0));
    assert_eq!(
        hub.get(kind, other).reference(member::MERGED_INTO),
        Some(kept)
    );
}
