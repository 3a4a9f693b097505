//! Rules 4 and 5 of `sync.md` 3: life is a field with version and base, and bases are mapped.

use super::super::*;
use super::hub::{EAST, Hub};
use super::{settle, someone};
use crate::kinds::person;

const KIND: u16 = person::KIND_NUMBER;

/// What EAST writes on top of a change of life of its own.
fn on_top_of(hub: &mut Hub, id: RecordId, verb: Verb, base: &Change) -> Change {
    let mut change = hub.change(EAST, KIND, id, verb, &[]);
    change.body.life_base = Some(base.id);
    change
}

fn lives(hub: &Hub, id: RecordId) -> bool {
    hub.get(KIND, id).is_alive()
}

#[test]
fn rule_4_a_restore_on_a_deletion_that_was_merged_brings_the_record_back() {
    let mut hub = Hub::new();
    let id = someone(&mut hub);
    let own = hub.change(EAST, KIND, id, Verb::Delete, &[]);
    let desks = hub.send(DESK, KIND, id, Verb::Delete, &[]);
    assert_eq!(desks, Verdict::Applied);
    assert_eq!(hub.take(EAST, &own), Verdict::Merged);
    let back = on_top_of(&mut hub, id, Verb::Restore, &own);
    assert_eq!(hub.take(EAST, &back), Verdict::Applied);
    assert!(lives(&hub, id));
    assert!(hub.open_items().is_empty());
}

#[test]
fn rule_4_a_deletion_on_a_restore_that_was_merged_is_applied() {
    let mut hub = Hub::new();
    let id = someone(&mut hub);
    hub.send(EAST, KIND, id, Verb::Delete, &[]);
    let own = hub.change(EAST, KIND, id, Verb::Restore, &[]);
    let desks = hub.send(DESK, KIND, id, Verb::Restore, &[]);
    assert_eq!(desks, Verdict::Applied);
    assert_eq!(hub.take(EAST, &own), Verdict::Merged);
    let again = on_top_of(&mut hub, id, Verb::Delete, &own);
    assert_eq!(hub.take(EAST, &again), Verdict::Applied);
    assert!(!lives(&hub, id));
    assert!(hub.open_items().is_empty());
}

#[test]
fn rule_5_a_restore_that_had_not_seen_a_later_deletion_lies_before_a_person() {
    let mut hub = Hub::new();
    let id = someone(&mut hub);
    hub.send(EAST, KIND, id, Verb::Delete, &[]);
    let late = hub.change(EAST, KIND, id, Verb::Restore, &[]);
    for verb in [Verb::Restore, Verb::Delete] {
        let desks = hub.send(DESK, KIND, id, verb, &[]);
        assert_eq!(desks, Verdict::Applied);
    }
    assert_eq!(hub.take(EAST, &late), Verdict::SetAside("deleted"));
    assert!(!lives(&hub, id));
    assert!(hub.open_items().is_empty(), "nobody asked for a deletion");
    let note = hub.get(set_aside::KIND_NUMBER, set_aside_id(late.id));
    assert_eq!(note.text(set_aside::STATE), Some("held"));
    // Whoever has seen the later one brings the record back.
    let back = hub.send(EAST, KIND, id, Verb::Restore, &[]);
    assert_eq!(back, Verdict::Applied);
    let standing = on_top_of(&mut hub, id, Verb::Delete, &late);
    let verdict = hub.take(EAST, &standing);
    assert_eq!(verdict, Verdict::SetAside("stands_on_set_aside"));
    assert!(lives(&hub, id));
}

#[test]
fn rule_4_who_asked_for_a_deletion_that_was_granted_may_bring_the_record_back() {
    let mut hub = Hub::new();
    let id = someone(&mut hub);
    let asked = hub.change(EAST, KIND, id, Verb::Delete, &[]);
    hub.send(DESK, KIND, id, Verb::Set, &[(person::PHONE, b"33")]);
    assert_eq!(hub.take(EAST, &asked), Verdict::Lost);
    let item = hub.open_items()[0].key.id;
    assert_eq!(settle(&mut hub, 77, item, b"loser"), Verdict::Applied);
    assert!(!lives(&hub, id));
    let back = on_top_of(&mut hub, id, Verb::Restore, &asked);
    assert_eq!(hub.take(EAST, &back), Verdict::Applied);
    assert!(lives(&hub, id));
}
