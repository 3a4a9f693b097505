//! S4, S5: what a restored hub makes of a move of which it has heard one half.

use super::super::*;
use super::hub::{EAST, HUB, Hub, STREET, WEST};
use super::late::{CASE, DECISION, accepted};
use crate::kinds::{member, person, tenure};
use crate::machines::member_status::state;
use crate::record::Record;

fn member_key(id: RecordId) -> RecordKey {
    RecordKey {
        kind: member::KIND_NUMBER,
        id,
    }
}

/// The tenures of a member as (holder, to whom it was closed), in their order.
fn chain(hub: &Hub, id: RecordId) -> Vec<(Option<OfficeId>, Option<OfficeId>, bool)> {
    let numbers = (1..).map(|number| hub.records.get(&create::tenure_key(id, number)));
    let told = |tenure: &Record| {
        let is_open = tenure.value(tenure::CLOSED).is_none();
        let of = |field| tenure.reference(field);
        (of(tenure::HOLDER), of(tenure::CLOSED_TO), is_open)
    };
    numbers.map_while(|tenure| tenure.map(told)).collect()
}

/// Completes the last move; whether there was anything to complete.
fn complete(hub: &mut Hub, id: RecordId, last: i64) -> bool {
    let last = hub.records[&create::tenure_key(id, last)].clone();
    let mut world = World::new(ChangeId {
        node: HUB,
        epoch: 2,
        sequence: 1,
    });
    let completed = loop {
        match complete_move(&mut world, &last, hub.now) {
            Ok(completed) => break completed,
            Err(need) => world.supply(hub.fact(need)),
        }
    };
    hub.write(&world.into_writes());
    completed
}

/// The member and the first tenure as they were before the member moved from EAST to WEST, and what `then` makes
/// of them; the hub knows everything else.
fn heard_without_the_giver(hub: &mut Hub, then: impl FnOnce(&mut Hub, RecordId)) -> RecordId {
    let mut before = Hub::new();
    let id = before.register(EAST, 60);
    assert_eq!(accepted(hub), id);
    then(hub, id);
    for key in [member_key(id), create::tenure_key(id, 1)] {
        hub.records.insert(key, before.records[&key].clone());
    }
    hub.feeds.remove(&(WEST, member_key(id)));
    hub.feeds.insert((EAST, member_key(id)));
    id
}

fn is_held_by(hub: &Hub, id: RecordId, office: OfficeId, number: i64) {
    let record = &hub.records[&member_key(id)];
    assert_eq!(record.office, office);
    assert_eq!(record.reference(member::HOLDER), Some(office));
    assert_eq!(record.integer(member::TENURE_NUMBER), Some(number));
    assert!(hub.feeds.contains(&(office, member_key(id))));
}

#[test]
fn what_the_receiver_tells_closes_the_givers_tenure_and_takes_the_member_along() {
    let mut hub = Hub::new();
    let id = heard_without_the_giver(&mut hub, |_, _| ());
    assert!(complete(&mut hub, id, 2));
    let moved = [(Some(EAST), Some(WEST), false), (Some(WEST), None, true)];
    assert_eq!(chain(&hub, id), moved);
    is_held_by(&hub, id, WEST, 2);
    assert!(!hub.feeds.contains(&(EAST, member_key(id))));
    assert!(!complete(&mut hub, id, 2), "there is nothing left to do");
}

/// S3: a whole organisation moves by one case; of two members each has his own person afterwards.
#[test]
fn two_members_who_moved_by_one_case_stay_two_persons() {
    let mut hub = Hub::new();
    let ids = [60, 61].map(|number| hub.register(EAST, number));
    for id in ids {
        let first = create::tenure_key(id, 1);
        let (case, to) = (CASE.bytes(), WEST.bytes());
        let closed: [(u16, &[u8]); 4] = [
            (tenure::CLOSED, b"1"),
            (tenure::CLOSED_BY, b"whole_organisation"),
            (tenure::CLOSED_TO, &to),
            (tenure::CASE, &case),
        ];
        hub.records.entry(first).and_modify(|record| {
            for (field, value) in closed {
                record.set(field, value.to_vec(), record.life_version);
            }
        });
        assert!(complete(&mut hub, id, 1));
        is_held_by(&hub, id, WEST, 2);
    }
    let persons = ids.map(|id| hub.records[&member_key(id)].reference(member::PERSON));
    assert!(
        persons[0].is_some() && persons[0] != persons[1],
        "{persons:?}"
    );
}

#[test]
fn who_came_back_is_held_by_the_giver_in_a_third_tenure() {
    let mut hub = Hub::new();
    let id = heard_without_the_giver(&mut hub, |hub, id| {
        let revoked = hub.step((DESK, STREET), CASE, "revoke", &DECISION);
        assert_eq!(revoked, Verdict::Applied);
        hub.records.remove(&create::tenure_key(id, 3));
    });
    assert!(complete(&mut hub, id, 2));
    let returned = [
        (Some(EAST), Some(WEST), false),
        (Some(WEST), Some(EAST), false),
        (Some(EAST), None, true),
    ];
    assert_eq!(chain(&hub, id), returned);
    is_held_by(&hub, id, EAST, 3);
}

#[test]
fn nobody_holds_who_died_whatever_the_receiver_tells() {
    let mut hub = Hub::new();
    let id = heard_without_the_giver(&mut hub, |_, _| ());
    let version = hub.records[&member_key(id)].life_version;
    for (key, field, value) in [
        (member_key(id), member::STATUS, state::DECEASED),
        (create::tenure_key(id, 1), tenure::CLOSED, "1"),
        (create::tenure_key(id, 1), tenure::CLOSED_BY, "death"),
    ] {
        let value = value.as_bytes().to_vec();
        let record = hub.records.entry(key);
        record.and_modify(|record| record.set(field, value, version));
    }
    assert!(complete(&mut hub, id, 2));
    assert!(chain(&hub, id).iter().all(|(.., is_open)| !is_open));
    let last = &hub.records[&create::tenure_key(id, 2)];
    assert_eq!(last.text(tenure::CLOSED_BY), Some("death"));
}

/// What is left of an accepted member at a restored hub to which EAST has proven the tenures that it knows: neither
/// the member nor the person whom EAST had entered.
fn heard_without_the_member(hub: &mut Hub) -> RecordId {
    let id = accepted(hub);
    let member = hub.records.remove(&member_key(id));
    assert!(member.is_some_and(|member| member.office == WEST));
    let person = RecordKey {
        kind: person::KIND_NUMBER,
        id: RecordId::new([60; 16]),
    };
    assert!(hub.records.remove(&person).is_some());
    id
}

fn dies(hub: &mut Hub, tenure: RecordKey) {
    let closed = [(tenure::CLOSED, "1"), (tenure::CLOSED_BY, "death")];
    hub.records.entry(tenure).and_modify(|tenure| {
        for (field, value) in closed {
            tenure.set(field, value.as_bytes().to_vec(), tenure.life_version);
        }
    });
}

fn is_dead_at_west(hub: &Hub, id: RecordId) {
    let record = &hub.records[&member_key(id)];
    assert_eq!(hub.open_tenures(id), 0);
    assert_eq!(record.text(member::STATUS), Some(state::DECEASED));
    assert_eq!((record.office, record.value(member::HOLDER)), (WEST, None));
    assert_eq!(record.integer(member::TENURE_NUMBER), Some(2));
}

#[test]
fn who_is_registered_again_goes_on_where_his_tenures_end() {
    let mut hub = Hub::new();
    let id = heard_without_the_member(&mut hub);
    hub.records.remove(&create::tenure_key(id, 2));
    assert_eq!(hub.register(EAST, 60), id);
    let moved = [(Some(EAST), Some(WEST), false), (Some(WEST), None, true)];
    assert_eq!(chain(&hub, id), moved);
    is_held_by(&hub, id, WEST, 2);
}

#[test]
fn who_is_registered_again_and_has_died_is_held_by_nobody() {
    let mut hub = Hub::new();
    let id = heard_without_the_member(&mut hub);
    dies(&mut hub, create::tenure_key(id, 2));
    assert_eq!(hub.register(EAST, 60), id);
    is_dead_at_west(&hub, id);
    assert!(!complete(&mut hub, id, 2), "there is nothing left to do");
}

#[test]
fn who_died_at_the_receiver_is_held_by_nobody_though_the_giver_still_has_him() {
    let mut hub = Hub::new();
    let id = heard_without_the_giver(&mut hub, |hub, id| {
        dies(hub, create::tenure_key(id, 2));
    });
    assert!(complete(&mut hub, id, 2));
    is_dead_at_west(&hub, id);
}
