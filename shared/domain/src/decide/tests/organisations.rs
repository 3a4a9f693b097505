//! Organisations that move, merge and end, with their members.

use super::super::*;
use super::hub::{EAST, Hub, STREET, WEST};
use crate::kinds::{member, organisation, person, step, stub, tenure, transfer};
use crate::limits::BATCH_MEMBERS_MAX;
use crate::record::Record;

const BRANCH: RecordId = RecordId::new([0xb1; 16]);
const GROUP: RecordId = RecordId::new([0xb2; 16]);
const OTHER: RecordId = RecordId::new([0xb3; 16]);
const BATCH: RecordId = RecordId::new([0xca; 16]);
const DECISION: [(u16, &[u8]); 2] = [
    (step::DECISION_NUMBER, b"1"),
    (step::DECISION_DATE, b"2026-11-18"),
];

fn organisation(hub: &mut Hub, id: RecordId, parent: RecordId, kind: &[u8]) {
    let (parent, office) = (parent.bytes(), EAST.bytes());
    let fields: &[(u16, &[u8])] = &[
        (organisation::NAME, kind),
        (organisation::KIND_OF, kind),
        (organisation::PARENT, &parent),
        (organisation::NODE_OFFICE, &office),
        (organisation::STATE, b"active"),
    ];
    let made = hub.send(DESK, organisation::KIND_NUMBER, id, Verb::Create, fields);
    assert_eq!(made, Verdict::Applied);
}

/// A member of EAST's in a branch; his id.
fn enrolled(hub: &mut Hub, number: u16, branch: RecordId) -> RecordId {
    let id = |first: u8| {
        let [high, low] = number.to_be_bytes();
        let mut bytes = [first; 16];
        (bytes[14], bytes[15]) = (high, low);
        RecordId::new(bytes)
    };
    let (who, member) = (id(0x50), id(0x60));
    let name = format!("党员{number}");
    let fields: &[(u16, &[u8])] = &[(person::NAME, name.as_bytes())];
    hub.send(EAST, person::KIND_NUMBER, who, Verb::Create, fields);
    let (who, branch) = (who.bytes(), branch.bytes());
    let fields: &[(u16, &[u8])] = &[
        (member::PERSON, &who),
        (member::CATEGORY, b"full"),
        (member::STATUS, b"FULL"),
        (member::JOIN_DATE, b"2001-07-01"),
        (member::BRANCH, &branch),
    ];
    let made = hub.send(EAST, member::KIND_NUMBER, member, Verb::Create, fields);
    assert_eq!(made, Verdict::Applied);
    member
}

fn begin(hub: &mut Hub, moved: RecordId, to: RecordId) -> Verdict {
    let (moved, to) = (moved.bytes(), to.bytes());
    let args: &[(u16, &[u8])] = &[
        (step::VARIANT, b"whole_organisation"),
        (step::MOVED_ORG, &moved),
        (step::TO_ORG, &to),
    ];
    hub.step((EAST, EAST), BATCH, "create_batch", args)
}

fn execute(hub: &mut Hub) -> Verdict {
    let approved = hub.step((DESK, STREET), BATCH, "approve_batch", &DECISION);
    assert_eq!(approved, Verdict::Applied);
    hub.step((DESK, STREET), BATCH, "execute", &[])
}

fn batch(hub: &Hub) -> &Record {
    hub.get(transfer::KIND_NUMBER, BATCH)
}

fn branch(hub: &Hub, id: RecordId) -> &Record {
    hub.get(organisation::KIND_NUMBER, id)
}

/// Every member is held once, by the office whose record he is, whose feed alone has him.
fn each_is_held_once(hub: &Hub) {
    let members = hub
        .records
        .values()
        .filter(|r| r.key.kind == member::KIND_NUMBER);
    for record in members {
        assert_eq!(hub.open_tenures(record.key.id), 1);
        assert_eq!(record.reference(member::HOLDER), Some(record.office));
        let others = [EAST, WEST]
            .into_iter()
            .filter(|office| *office != record.office);
        for office in others {
            assert!(!hub.feeds.contains(&(office, record.key)));
        }
        assert!(hub.feeds.contains(&(record.office, record.key)));
        let person = record.reference(member::PERSON).unwrap_or(BATCH);
        assert_eq!(hub.get(person::KIND_NUMBER, person).office, record.office);
    }
}

#[test]
fn a_branch_of_43_moves_while_2_have_open_cases_of_their_own() {
    let mut hub = Hub::new();
    organisation(&mut hub, BRANCH, EAST, b"branch");
    organisation(&mut hub, GROUP, BRANCH, b"group");
    let members: Vec<_> = (0..43).map(|n| enrolled(&mut hub, n, BRANCH)).collect();
    for (place, member) in members.iter().take(2).enumerate() {
        let case = RecordId::new([0x70 + u8::try_from(place).unwrap_or(0); 16]);
        assert_eq!(hub.start(EAST, WEST, *member, case), Verdict::Applied);
    }
    assert_eq!(begin(&mut hub, BRANCH, WEST), Verdict::Applied);
    assert_eq!(batch(&hub).text(transfer::STATE), Some("BATCH_DRAFT"));
    assert_eq!(batch(&hub).reference(transfer::FROM_ORG), Some(EAST));
    assert_eq!(execute(&mut hub), Verdict::Applied);
    assert_eq!(batch(&hub).integer(transfer::MOVED_COUNT), Some(41));
    assert_eq!(batch(&hub).integer(transfer::EXCLUDED_COUNT), Some(2));
    assert_eq!(batch(&hub).text(transfer::EXCLUDED), Some("党员0、党员1"));
    each_is_held_once(&hub);
    for (place, id) in members.iter().enumerate() {
        let record = hub.get(member::KIND_NUMBER, *id);
        let holder = if place < 2 { EAST } else { WEST };
        assert_eq!(
            (record.office, record.reference(member::BRANCH)),
            (holder, Some(BRANCH))
        );
    }
    for (id, parent) in [(BRANCH, WEST), (GROUP, BRANCH)] {
        let moved = branch(&hub, id);
        assert_eq!(moved.reference(organisation::NODE_OFFICE), Some(WEST));
        assert_eq!(moved.reference(organisation::PARENT), Some(parent));
    }
    let stubs = hub
        .records
        .values()
        .filter(|r| r.key.kind == stub::KIND_NUMBER);
    let stubs: Vec<_> = stubs.filter(|stub| stub.office == EAST).collect();
    assert_eq!(stubs.len(), 41);
    assert!(
        stubs
            .iter()
            .all(|stub| stub.reference(stub::CASE) == Some(BATCH))
    );
    assert!(hub.feeds.contains(&(WEST, batch(&hub).key)));
}

#[test]
fn an_executed_batch_is_taken_back_by_compensating_tenures() {
    let mut hub = Hub::new();
    organisation(&mut hub, BRANCH, EAST, b"branch");
    let members: Vec<_> = (0..3).map(|n| enrolled(&mut hub, n, BRANCH)).collect();
    begin(&mut hub, BRANCH, WEST);
    assert_eq!(execute(&mut hub), Verdict::Applied);
    let back = hub.step((DESK, STREET), BATCH, "revoke", &DECISION);
    assert_eq!(back, Verdict::Applied);
    assert_eq!(batch(&hub).text(transfer::STATE), Some("REVOKED"));
    each_is_held_once(&hub);
    for id in &members {
        let record = hub.get(member::KIND_NUMBER, *id);
        assert_eq!(
            (record.office, record.integer(member::TENURE_NUMBER)),
            (EAST, Some(3))
        );
    }
    assert_eq!(
        branch(&hub, BRANCH).reference(organisation::PARENT),
        Some(EAST)
    );
    let opened = hub
        .records
        .values()
        .filter(|r| r.key.kind == tenure::KIND_NUMBER);
    let by = |how: &str| {
        opened
            .clone()
            .filter(|t| t.text(tenure::OPENED_BY) == Some(how))
            .count()
    };
    assert_eq!((by("whole_organisation"), by("revocation")), (3, 3));
}

#[test]
fn a_batch_that_does_not_fit_is_refused_before_anything_moves() {
    let mut hub = Hub::new();
    organisation(&mut hub, BRANCH, EAST, b"branch");
    organisation(&mut hub, GROUP, BRANCH, b"group");
    for (moved, to) in [
        (GROUP, WEST),
        (BRANCH, GROUP),
        (BRANCH, EAST),
        (BRANCH, STREET),
    ] {
        assert_eq!(begin(&mut hub, moved, to), Verdict::SetAside("TRF-022"));
    }
    let count = u16::try_from(BATCH_MEMBERS_MAX).unwrap_or(0);
    for number in 0..count {
        enrolled(&mut hub, number, BRANCH);
    }
    assert_eq!(begin(&mut hub, BRANCH, WEST), Verdict::Applied);
    let late = enrolled(&mut hub, count, BRANCH);
    assert_eq!(execute(&mut hub), Verdict::SetAside("TRF-023"));
    assert_eq!(hub.get(member::KIND_NUMBER, late).office, EAST);
    assert_eq!(
        branch(&hub, BRANCH).reference(organisation::PARENT),
        Some(EAST)
    );
    let why: &[(u16, &[u8])] = &[(step::REASON, b"reason")];
    assert_eq!(
        hub.step((DESK, STREET), BATCH, "discard", why),
        Verdict::Applied
    );
    each_is_held_once(&hub);
}

#[test]
fn as_many_as_one_decision_takes_move_at_once() {
    let mut hub = Hub::new();
    organisation(&mut hub, BRANCH, EAST, b"branch");
    for number in 0..u16::try_from(BATCH_MEMBERS_MAX).unwrap_or(0) {
        enrolled(&mut hub, number, BRANCH);
    }
    begin(&mut hub, BRANCH, WEST);
    assert_eq!(execute(&mut hub), Verdict::Applied);
    let count = i64::try_from(BATCH_MEMBERS_MAX).ok();
    assert_eq!(batch(&hub).integer(transfer::MOVED_COUNT), count);
    each_is_held_once(&hub);
}

#[test]
fn an_office_that_goes_under_another_superior_keeps_its_members() {
    let mut hub = Hub::new();
    let street = STREET.bytes();
    let under: &[(u16, &[u8])] = &[(organisation::PARENT, &street)];
    hub.send(DESK, organisation::KIND_NUMBER, EAST, Verb::Set, under);
    organisation(&mut hub, BRANCH, EAST, b"branch");
    let member = enrolled(&mut hub, 1, BRANCH);
    assert_eq!(begin(&mut hub, EAST, WEST), Verdict::Applied);
    assert_eq!(execute(&mut hub), Verdict::Applied);
    assert_eq!(
        branch(&hub, EAST).reference(organisation::PARENT),
        Some(WEST)
    );
    assert_eq!(
        branch(&hub, BRANCH).reference(organisation::NODE_OFFICE),
        Some(EAST)
    );
    let record = hub.get(member::KIND_NUMBER, member);
    assert_eq!(
        (record.office, record.integer(member::TENURE_NUMBER)),
        (EAST, Some(1))
    );
    assert_eq!(batch(&hub).integer(transfer::MOVED_COUNT), Some(0));
}

/// The desk gives an organisation up.
pub(super) fn end(
    hub: &mut Hub,
    id: RecordId,
    state: &[u8],
    successor: Option<RecordId>,
) -> Verdict {
    let successor = successor.map(|id| id.bytes().to_vec()).unwrap_or_default();
    let fields: &[(u16, &[u8])] = &[
        (organisation::STATE, state),
        (organisation::SUCCESSOR, &successor),
    ];
    hub.send(DESK, organisation::KIND_NUMBER, id, Verb::Set, fields)
}

#[test]
fn an_organisation_ends_when_it_is_empty_and_the_tree_has_no_circle() {
    let mut hub = Hub::new();
    organisation(&mut hub, BRANCH, EAST, b"branch");
    organisation(&mut hub, GROUP, BRANCH, b"group");
    organisation(&mut hub, OTHER, EAST, b"branch");
    let below = GROUP.bytes();
    let circle: &[(u16, &[u8])] = &[(organisation::PARENT, &below)];
    let verdict = hub.send(DESK, organisation::KIND_NUMBER, BRANCH, Verb::Set, circle);
    assert_eq!(verdict, Verdict::SetAside("ORG-002"));
    assert_eq!(
        end(&mut hub, BRANCH, b"abolished", None),
        Verdict::SetAside("ORG-005")
    );
    assert_eq!(
        end(&mut hub, GROUP, b"merged", None),
        Verdict::SetAside("ORG-004")
    );
    assert_eq!(end(&mut hub, GROUP, b"abolished", None), Verdict::Applied);
    for successor in [BRANCH, GROUP] {
        let verdict = end(&mut hub, BRANCH, b"merged", Some(successor));
        assert_eq!(verdict, Verdict::SetAside("ORG-004"));
    }
    enrolled(&mut hub, 1, BRANCH);
    let held = end(&mut hub, BRANCH, b"merged", Some(OTHER));
    assert_eq!(held, Verdict::SetAside("ORG-001"));
    assert_eq!(
        end(&mut hub, OTHER, b"merged", Some(BRANCH)),
        Verdict::Applied
    );
}

#[test]
fn a_successor_takes_over_the_case_of_an_office_with_its_member_who_is_held_once() {
    let mut hub = Hub::new();
    organisation(&mut hub, BRANCH, EAST, b"branch");
    let member = enrolled(&mut hub, 1, BRANCH);
    let case = RecordId::new([0x70; 16]);
    hub.start(EAST, STREET, member, case);
    assert_eq!(
        end(&mut hub, BRANCH, b"merged", Some(WEST)),
        Verdict::SetAside("ORG-001")
    );
    for event in ["submit", "approve_branch"] {
        assert_eq!(hub.step((EAST, EAST), case, event, &[]), Verdict::Applied);
    }
    let rule: &[(u16, &[u8])] = &[(step::RECORDER, HUB_RECORDER.as_bytes())];
    let early = hub.step((DESK, EAST), case, "repoint", rule);
    assert_eq!(early, Verdict::SetAside("TRF-021"));
    assert_eq!(
        end(&mut hub, BRANCH, b"merged", Some(WEST)),
        Verdict::Applied
    );
    assert_eq!(end(&mut hub, EAST, b"merged", Some(WEST)), Verdict::Applied);
    assert_eq!(
        hub.step((DESK, EAST), case, "repoint", rule),
        Verdict::Applied
    );
    each_is_held_once(&hub);
    let record = hub.get(member::KIND_NUMBER, member);
    assert_eq!(
        (record.office, record.reference(member::BRANCH)),
        (WEST, Some(WEST))
    );
    assert_eq!(record.reference(member::OPEN_CASE), Some(case));
    let open = hub.get(transfer::KIND_NUMBER, case);
    assert_eq!(
        (open.office, open.reference(transfer::FROM_ORG)),
        (WEST, Some(WEST))
    );
    assert_eq!(open.text(transfer::STATE), Some("COMMITTEE_REVIEW"));
    let steps = hub.step((WEST, WEST), case, "withdraw", &[]);
    assert_eq!(steps, Verdict::Applied, "the successor goes on with it");
}
