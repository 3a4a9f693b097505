//! The rules of `sync.md` 3 and 5, each against a small hub in memory.

#![allow(clippy::indexing_slicing, reason = "a test that is wrong should stop")]

mod begin;
mod half_moved;
mod hub;
mod late;
mod letters;
mod life;
mod merge;
mod organisations;
mod returning;
mod taken_in;
mod twins;
mod variants;
mod withdrawing;

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;
use crate::clock::Timestamp;
use crate::kinds::{activity, conflict, member, organisation, person, step, transfer, volunteer};
use hub::{EAST, HUB, Hub, NOW, STREET, WEST};

fn someone(hub: &mut Hub) -> RecordId {
    let id = RecordId::new([50; 16]);
    let fields: &[(u16, &[u8])] = &[(person::NAME, "林一".as_bytes()), (person::PHONE, b"1")];
    let verdict = hub.send(EAST, person::KIND_NUMBER, id, Verb::Create, fields);
    assert_eq!(verdict, Verdict::Applied);
    id
}

#[test]
fn rule_1_an_update_is_never_an_insert_and_is_decided_when_its_record_comes() {
    let mut hub = Hub::new();
    let id = RecordId::new([9; 16]);
    let early: &[(u16, &[u8])] = &[(person::PHONE, b"13900000000")];
    let set = hub.change(EAST, person::KIND_NUMBER, id, Verb::Set, early);
    assert_eq!(hub.take(EAST, &set), Verdict::Waiting);
    assert!(!hub.records.contains_key(&RecordKey {
        kind: person::KIND_NUMBER,
        id
    }));
    let fields: &[(u16, &[u8])] = &[(person::NAME, "郑二".as_bytes())];
    hub.send(EAST, person::KIND_NUMBER, id, Verb::Create, fields);
    assert_eq!(
        hub.get(person::KIND_NUMBER, id).text(person::PHONE),
        Some("13900000000")
    );
}

/// S13: what names a record is applied where that is there, and not before; and only its own office's may be named.
#[test]
fn rule_1_what_names_a_record_that_has_not_come_waits_for_it() {
    let mut hub = Hub::new();
    let person = someone(&mut hub);
    let (id, team) = (RecordId::new([9; 16]), RecordId::new([10; 16]));
    let named: &[(u16, &[u8])] = &[
        (volunteer::PERSON, &person.bytes()),
        (volunteer::TEAM, &team.bytes()),
    ];
    let early = hub.change(EAST, volunteer::KIND_NUMBER, id, Verb::Create, named);
    assert_eq!(hub.take(EAST, &early), Verdict::Waiting);
    let key = RecordKey {
        kind: volunteer::KIND_NUMBER,
        id,
    };
    assert!(!hub.records.contains_key(&key));
    let fields: &[(u16, &[u8])] = &[(kinds::team::NAME, "东区服务队".as_bytes())];
    hub.send(EAST, kinds::team::KIND_NUMBER, team, Verb::Create, fields);
    assert!(hub.get(volunteer::KIND_NUMBER, id).is_alive());
}

#[test]
fn rule_1_a_second_creation_with_other_content_is_set_aside() {
    let mut hub = Hub::new();
    let id = someone(&mut hub);
    let other: &[(u16, &[u8])] = &[(person::NAME, "林二".as_bytes())];
    let verdict = hub.send(EAST, person::KIND_NUMBER, id, Verb::Create, other);
    assert_eq!(verdict, Verdict::SetAside("exists"));
    assert_eq!(
        hub.get(person::KIND_NUMBER, id).text(person::NAME),
        Some("林一")
    );
}

#[test]
fn rule_2_an_equal_value_merges_and_later_bases_follow_it() {
    let mut hub = Hub::new();
    let id = someone(&mut hub);
    let kind = person::KIND_NUMBER;
    let stale = hub.change(EAST, kind, id, Verb::Set, &[(person::PHONE, b"22")]);
    hub.send(DESK, kind, id, Verb::Set, &[(person::PHONE, b"22")]);
    assert_eq!(hub.take(EAST, &stale), Verdict::Merged);
    let mut next = hub.change(EAST, kind, id, Verb::Set, &[(person::PHONE, b"33")]);
    next.body.fields[0].base = Some(stale.id);
    assert_eq!(hub.take(EAST, &next), Verdict::Applied);
    assert!(hub.open_items().is_empty());
}

#[test]
fn rule_3_of_two_concurrent_values_one_wins_and_the_other_is_kept() {
    let mut hub = Hub::new();
    let id = someone(&mut hub);
    let kind = person::KIND_NUMBER;
    let offline = hub.change(EAST, kind, id, Verb::Set, &[(person::PHONE, b"22")]);
    hub.now += 60_000;
    hub.send(DESK, kind, id, Verb::Set, &[(person::PHONE, b"33")]);
    assert_eq!(hub.take(EAST, &offline), Verdict::Lost);
    assert_eq!(hub.get(kind, id).text(person::PHONE), Some("33"));
    let items = hub.open_items();
    assert_eq!(items.len(), 1);
    assert_eq!(items[0].value(conflict::WINNER), Some(&b"33"[..]));
    assert_eq!(items[0].value(conflict::LOSER), Some(&b"22"[..]));
}

#[test]
fn rule_4_an_edit_on_a_loser_replaces_it_in_the_same_item() {
    let mut hub = Hub::new();
    let id = someone(&mut hub);
    let kind = person::KIND_NUMBER;
    let offline = hub.change(EAST, kind, id, Verb::Set, &[(person::PHONE, b"22")]);
    hub.now += 60_000;
    hub.send(DESK, kind, id, Verb::Set, &[(person::PHONE, b"33")]);
    let mut again = hub.change(EAST, kind, id, Verb::Set, &[(person::PHONE, b"44")]);
    again.body.fields[0].base = Some(offline.id);
    again.header.timestamp = offline.header.timestamp;
    hub.take(EAST, &offline);
    assert_eq!(hub.take(EAST, &again), Verdict::Lost);
    let items = hub.open_items();
    assert_eq!(items.len(), 1);
    assert_eq!(items[0].value(conflict::LOSER), Some(&b"44"[..]));
}

/// S7: an edit on a loser replaces what its writer saw, and nothing else. Where that has won since, or another edit on
/// it stands in the item, whoever saw only the first one opens a further item.
#[test]
fn rule_4_an_edit_on_a_former_loser_does_not_replace_the_loser_of_now() {
    for replaced_wins in [true, false] {
        let mut hub = Hub::new();
        let id = someone(&mut hub);
        let kind = person::KIND_NUMBER;
        let offline = hub.change(EAST, kind, id, Verb::Set, &[(person::PHONE, b"22")]);
        hub.now += 60_000;
        hub.send(DESK, kind, id, Verb::Set, &[(person::PHONE, b"33")]);
        assert_eq!(hub.take(EAST, &offline), Verdict::Lost);
        hub.now += 60_000;
        for (value, wins) in [(b"44", replaced_wins), (b"55", true)] {
            let mut edit = hub.change(EAST, kind, id, Verb::Set, &[(person::PHONE, value)]);
            edit.body.fields[0].base = Some(offline.id);
            if !wins {
                edit.header.timestamp = offline.header.timestamp;
            }
            hub.take(EAST, &edit);
            hub.now += 60_000;
        }
        assert_eq!(hub.get(kind, id).text(person::PHONE), Some("55"));
        let items = hub.open_items();
        let losers = items.iter().map(|item| item.text(conflict::LOSER));
        let losers: BTreeSet<_> = losers.flatten().collect();
        assert_eq!(losers, ["33", "44"].into(), "{replaced_wins}");
    }
}

#[test]
fn rule_5_a_deletion_does_not_pass_over_an_edit_that_an_own_one_hides() {
    let mut hub = Hub::new();
    let id = someone(&mut hub);
    let kind = person::KIND_NUMBER;
    let own = hub.change(EAST, kind, id, Verb::Set, &[(person::PHONE, b"22")]);
    let mut delete = hub.change(EAST, kind, id, Verb::Delete, &[]);
    // The office counts its own edit; the hub counts the desk's instead.
    delete.body.seen_revision += 1;
    let shown = hub.get(kind, id).clone();
    delete.body.fields = shown
        .fields
        .iter()
        .map(|(number, field)| crate::change::FieldChange {
            number: *number,
            value: Vec::new(),
            base: Some(field.version.change),
        })
        .collect();
    for field in &mut delete.body.fields {
        if field.number == person::PHONE {
            field.base = Some(own.id);
        }
    }
    let mut seen = delete.clone();
    hub.now += 60_000;
    hub.send(DESK, kind, id, Verb::Set, &[(person::PHONE, b"33")]);
    hub.take(EAST, &own);
    assert_eq!(hub.get(kind, id).revision, delete.body.seen_revision);
    assert_eq!(hub.take(EAST, &delete), Verdict::Lost);
    assert!(hub.get(kind, id).is_alive());
    // Whoever has seen the value that stands may delete.
    seen.id.sequence += 100;
    let current = hub.get(kind, id).version(person::PHONE);
    for field in &mut seen.body.fields {
        if field.number == person::PHONE {
            field.base = current;
        }
    }
    assert_eq!(hub.take(EAST, &seen), Verdict::Applied);
    assert!(!hub.get(kind, id).is_alive());
}

/// EAST settles an item by a step with an id of its own.
fn settle(hub: &mut Hub, step: u8, item: RecordId, choice: &[u8]) -> Verdict {
    settle_by(hub, step, item, &[(step::CHOICE, choice)])
}

/// The same, by what the step says of the choice.
fn settle_by(hub: &mut Hub, step: u8, item: RecordId, chosen: &[(u16, &[u8])]) -> Verdict {
    let (about, acting) = (item.bytes(), EAST.bytes());
    let number = conflict::KIND_NUMBER.to_string();
    let fields: &[(u16, &[u8])] = &[
        (step::SUBJECT_KIND, number.as_bytes()),
        (step::SUBJECT, &about),
        (step::EVENT, b"settle"),
        (step::ORGANISATION, &acting),
        (step::DATE, b"2026-11-18"),
        (step::RECORDER, b"clerk"),
    ];
    let id = RecordId::new([step; 16]);
    let fields = [fields, chosen].concat();
    hub.send(EAST, step::KIND_NUMBER, id, Verb::Step, &fields)
}

#[test]
fn a_settled_loser_comes_back_and_edits_on_it_count_as_on_the_restored_value() {
    let mut hub = Hub::new();
    let id = someone(&mut hub);
    let kind = person::KIND_NUMBER;
    let offline = hub.change(EAST, kind, id, Verb::Set, &[(person::PHONE, b"22")]);
    hub.now += 60_000;
    hub.send(DESK, kind, id, Verb::Set, &[(person::PHONE, b"33")]);
    hub.take(EAST, &offline);
    let item = hub.open_items()[0].key.id;
    assert_eq!(settle(&mut hub, 77, item, b"loser"), Verdict::Applied);
    assert_eq!(hub.get(kind, id).text(person::PHONE), Some("22"));
    let mut next = hub.change(EAST, kind, id, Verb::Set, &[(person::PHONE, b"55")]);
    next.body.fields[0].base = Some(offline.id);
    assert_eq!(hub.take(EAST, &next), Verdict::Applied);
    // The same decision again is a repeat; another one is refused and kept, and what was edited since stands.
    assert_eq!(settle(&mut hub, 78, item, b"loser"), Verdict::Applied);
    let otherwise = settle(&mut hub, 79, item, b"winner");
    assert_eq!(otherwise, Verdict::SetAside("settled_already"));
    assert_eq!(hub.get(kind, id).text(person::PHONE), Some("55"));
}

/// S7, rule 7: what is judged together has one winner, whichever of its fields the two have written.
#[test]
fn rule_7_of_a_group_that_two_have_edited_one_wins_whole_and_the_other_is_kept() {
    let mut hub = Hub::new();
    let id = someone(&mut hub);
    let kind = person::KIND_NUMBER;
    let record = hub.get(kind, id).clone();
    let whole = |field, value: &[u8]| record.with_whole_groups(vec![(field, value.to_vec())]);
    let [born, sex] = [
        whole(person::BIRTH_DATE, b"1970-01-01"),
        whole(person::SEX, b"2"),
    ];
    let [born, sex] = [&born, &sex].map(|all| {
        let all = all.iter().map(|(field, value)| (*field, value.as_slice()));
        all.collect::<Vec<_>>()
    });
    let offline = hub.change(EAST, kind, id, Verb::Set, &born);
    hub.now += 60_000;
    assert_eq!(hub.send(DESK, kind, id, Verb::Set, &sex), Verdict::Applied);
    // Of two values from one source the holder's wins.
    assert_eq!(hub.take(EAST, &offline), Verdict::Applied);
    let record = hub.get(kind, id);
    let values = [person::SEX, person::BIRTH_DATE].map(|field| record.text(field));
    assert_eq!(values, [None, Some("1970-01-01")]);
    let items = hub.open_items();
    assert_eq!(items.len(), 1);
    let loser = items[0].value(conflict::LOSER).unwrap_or_default();
    let loser = unit::unpack_unit(kinds::by_number(kind), person::SEX, loser);
    assert!(
        loser
            .unwrap_or_default()
            .contains(&(person::SEX, b"2".to_vec()))
    );
}

/// S7, rule 7: a third value comes with the rest of its group as it stands: none of it keeps another version.
#[test]
fn rule_7_a_third_value_is_set_with_the_rest_of_its_group() {
    let mut hub = Hub::new();
    let id = someone(&mut hub);
    let kind = person::KIND_NUMBER;
    let offline: &[(u16, &[u8])] = &[(person::WORK_UNIT, b"22"), (person::CREDIT_CODE, b"")];
    let offline = hub.change(EAST, kind, id, Verb::Set, offline);
    hub.now += 60_000;
    let desks: &[(u16, &[u8])] = &[(person::WORK_UNIT, b"33"), (person::CREDIT_CODE, b"")];
    hub.send(DESK, kind, id, Verb::Set, desks);
    hub.take(EAST, &offline);
    let item = hub.open_items()[0].key.id;
    let third = pack_unit([(person::WORK_UNIT, &b"44"[..])]);
    let chosen: &[(u16, &[u8])] = &[(step::CHOICE, b"value"), (step::SETTLED_VALUE, &third)];
    assert_eq!(settle_by(&mut hub, 77, item, chosen), Verdict::Applied);
    let record = hub.get(kind, id);
    assert_eq!(record.text(person::WORK_UNIT), Some("44"));
    let version = |field| record.version(field);
    assert_eq!(version(person::CREDIT_CODE), version(person::WORK_UNIT));
}

/// S7: what stands on a change that was set aside is set aside, too: a person decides on both.
#[test]
fn what_stands_on_a_change_that_was_set_aside_is_not_applied() {
    let mut hub = Hub::new();
    let id = someone(&mut hub);
    let kind = person::KIND_NUMBER;
    let wrong = hub.change(
        EAST,
        kind,
        id,
        Verb::Set,
        &[(person::ETHNICITY, b"no code")],
    );
    let refused = hub.take(EAST, &wrong);
    assert!(matches!(refused, Verdict::SetAside(_)), "{refused:?}");
    let mut next = hub.change(EAST, kind, id, Verb::Set, &[(person::ETHNICITY, b"01")]);
    next.body.fields[0].base = Some(wrong.id);
    let verdict = hub.take(EAST, &next);
    assert_eq!(verdict, Verdict::SetAside("stands_on_set_aside"));
    assert_eq!(hub.get(kind, id).text(person::ETHNICITY), None);
}

#[test]
fn rule_5_a_deletion_that_had_not_seen_an_edit_becomes_a_request() {
    let mut hub = Hub::new();
    let id = someone(&mut hub);
    let kind = person::KIND_NUMBER;
    let delete = hub.change(EAST, kind, id, Verb::Delete, &[]);
    hub.send(DESK, kind, id, Verb::Set, &[(person::PHONE, b"33")]);
    assert_eq!(hub.take(EAST, &delete), Verdict::Lost);
    assert!(hub.get(kind, id).is_alive());
    let late = hub.change(EAST, kind, id, Verb::Set, &[(person::PHONE, b"44")]);
    assert_eq!(
        hub.send(EAST, kind, id, Verb::Delete, &[]),
        Verdict::Applied
    );
    assert_eq!(hub.take(EAST, &late), Verdict::SetAside("deleted"));
}

/// S7: whoever deleted it did not see the step; whoever took it is told, and can take it again after a restore.
#[test]
fn rule_5_a_step_on_a_tombstone_is_set_aside_like_any_edit() {
    let mut hub = Hub::new();
    let (id, kind, east) = (RecordId::new([52; 16]), activity::KIND_NUMBER, EAST.bytes());
    let meeting: &[(u16, &[u8])] = &[
        (activity::TITLE, b"title"),
        (activity::KIND_OF, b"members_meeting"),
        (activity::ORGANISATION, &east),
        (activity::STATE, b"PLANNED"),
        (activity::HELD_DATE, b"2026-11-16"),
    ];
    let made = hub.send(EAST, kind, id, Verb::Create, meeting);
    assert_eq!(made, Verdict::Applied);
    let subject = (kind.to_string(), id.bytes());
    let notify: &[(u16, &[u8])] = &[
        (step::SUBJECT_KIND, subject.0.as_bytes()),
        (step::SUBJECT, &subject.1),
        (step::EVENT, b"notify"),
        (step::ORGANISATION, &east),
        (step::DATE, b"2026-11-18"),
        (step::RECORDER, b"clerk"),
    ];
    let taken = |hub: &mut Hub, number| {
        let step = RecordId::new([number; 16]);
        hub.send(EAST, step::KIND_NUMBER, step, Verb::Step, notify)
    };
    hub.send(EAST, kind, id, Verb::Delete, &[]);
    assert_eq!(taken(&mut hub, 53), Verdict::SetAside("deleted"));
    let state = hub.get(kind, id).text(activity::STATE);
    assert_eq!(state, Some("PLANNED"));
    hub.send(EAST, kind, id, Verb::Restore, &[]);
    assert_eq!(taken(&mut hub, 54), Verdict::Applied);
}

#[test]
fn rule_9_a_suspect_clock_never_wins_by_latest() {
    let mut hub = Hub::new();
    let id = RecordId::new([51; 16]);
    let (who, kind) = (someone(&mut hub).bytes(), volunteer::KIND_NUMBER);
    let fields: &[(u16, &[u8])] = &[(volunteer::PERSON, &who)];
    hub.send(EAST, kind, id, Verb::Create, fields);
    let remark = volunteer::REMARKS;
    let mut ahead = hub.change(EAST, kind, id, Verb::Set, &[(remark, b"ahead")]);
    hub.send(EAST, kind, id, Verb::Set, &[(remark, b"present")]);
    ahead.header.timestamp = Timestamp::at(NOW * 2);
    ahead.header.clock_suspect = true;
    assert_eq!(hub.take(EAST, &ahead), Verdict::Lost);
    assert_eq!(hub.get(kind, id).text(remark), Some("present"));
}

#[test]
fn invariant_7_an_office_writes_only_its_own_records() {
    let mut hub = Hub::new();
    let id = someone(&mut hub);
    let kind = person::KIND_NUMBER;
    let verdict = hub.send(WEST, kind, id, Verb::Set, &[(person::PHONE, b"66")]);
    assert_eq!(verdict, Verdict::SetAside("not_yours"));
    let organisation = hub.send(
        WEST,
        organisation::KIND_NUMBER,
        EAST,
        Verb::Set,
        &[(organisation::CAN_ADMIT_MEMBERS, b"1")],
    );
    assert_eq!(organisation, Verdict::SetAside("hub_only"));
}

#[test]
fn a_letter_goes_from_issue_to_acceptance_and_one_office_holds_the_member() {
    let mut hub = Hub::new();
    let member = hub.register(EAST, 60);
    let case = RecordId::new([70; 16]);
    assert_eq!(hub.start(EAST, WEST, member, case), Verdict::Applied);
    let second = hub.start(EAST, WEST, member, RecordId::new([71; 16]));
    assert_eq!(second, Verdict::SetAside("TRF-001"));
    hub.issue(EAST, case);
    assert_eq!(hub.get(member::KIND_NUMBER, member).office, EAST);
    assert_eq!(
        hub.step((WEST, WEST), case, "open_check", &[]),
        Verdict::Applied
    );
    let branch = WEST.bytes();
    let accept = hub.step((WEST, WEST), case, "accept", &[(step::TO_BRANCH, &branch)]);
    assert_eq!(accept, Verdict::Applied);
    assert_eq!(hub.get(member::KIND_NUMBER, member).office, WEST);
    assert_eq!(hub.open_tenures(member), 1);
    let key = RecordKey {
        kind: member::KIND_NUMBER,
        id: member,
    };
    assert!(hub.feeds.contains(&(WEST, key)) && !hub.feeds.contains(&(EAST, key)));
    let again = hub.step((WEST, WEST), case, "accept", &[(step::TO_BRANCH, &branch)]);
    assert_eq!(again, Verdict::Applied, "a repeat is no refusal");
    assert_eq!(hub.open_tenures(member), 1);
    let receipt = hub.step((WEST, WEST), case, "send_receipt", &[]);
    assert_eq!(receipt, Verdict::Applied);
    assert_eq!(
        hub.step((EAST, EAST), case, "confirm_receipt", &[]),
        Verdict::Applied
    );
    assert_eq!(
        hub.get(transfer::KIND_NUMBER, case).text(transfer::STATE),
        Some("CLOSED")
    );
}

#[test]
fn nobody_without_the_power_to_admit_issues_a_letter() {
    let mut hub = Hub::new();
    let member = hub.register(EAST, 60);
    let case = RecordId::new([70; 16]);
    hub.start(EAST, WEST, member, case);
    hub.step((EAST, EAST), case, "submit", &[]);
    hub.step((EAST, EAST), case, "approve_branch", &[]);
    let args: &[(u16, &[u8])] = &[
        (step::LETTER_NUMBER, b"2026-0001"),
        (step::VALID_DAYS, b"30"),
    ];
    let verdict = hub.step((EAST, EAST), case, "approve", args);
    assert_eq!(verdict, Verdict::SetAside("TRF-002"));
}

#[test]
fn a_former_holders_late_edit_comes_to_the_present_holder_as_an_item() {
    let mut hub = Hub::new();
    let member = hub.register(EAST, 60);
    let kind = member::KIND_NUMBER;
    let mut late = hub.change(EAST, kind, member, Verb::Set, &[(member::DUTY, b"x")]);
    late.header.tenure = Some(crate::change::Believed {
        number: 1,
        holder: EAST,
    });
    let case = RecordId::new([70; 16]);
    hub.start(EAST, WEST, member, case);
    hub.issue(EAST, case);
    let branch = WEST.bytes();
    hub.step((WEST, WEST), case, "open_check", &[]);
    hub.step((WEST, WEST), case, "accept", &[(step::TO_BRANCH, &branch)]);
    assert_eq!(hub.take(EAST, &late), Verdict::Lost);
    let items = hub.open_items();
    assert_eq!(items.len(), 1);
    assert_eq!(items[0].office, WEST);
    assert_eq!(hub.get(kind, member).text(member::DUTY), None);
}

#[test]
fn a_group_is_taken_whole_or_set_aside_whole() {
    let mut hub = Hub::new();
    let (one, two) = (RecordId::new([80; 16]), RecordId::new([81; 16]));
    let good = hub.change(
        EAST,
        2,
        one,
        Verb::Create,
        &[(person::NAME, "甲".as_bytes())],
    );
    let bad = hub.change(EAST, 2, two, Verb::Create, &[(person::PHONE, b"1")]);
    let incoming = |change| Incoming {
        change,
        office: EAST,
        received_ms: NOW,
        offset_ms: 0,
        waited_in: None,
    };
    let mut world = World::new(ChangeId {
        node: HUB,
        epoch: 1,
        sequence: 1,
    });
    let group = [incoming(&good), incoming(&bad)];
    let verdicts = loop {
        match decide_group(&mut world, &group) {
            Ok(verdicts) => break verdicts,
            Err(need) => world.supply(hub.fact(need)),
        }
    };
    assert_eq!(verdicts, vec![Verdict::SetAside("group_part_refused"); 2]);
    assert!(
        world
            .writes()
            .records
            .keys()
            .all(|key| key.kind == set_aside::KIND_NUMBER)
    );
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// T2 and T3: whatever steps of whichever office come in whatever order and however often, one
    /// office holds the member.
    #[test]
    fn invariant_3_one_office_holds_a_member_whatever_crosses(
        moves in prop::collection::vec((0usize..3, 0usize..14, 0u8..3), 1..60)
    ) {
        const EVENTS: [&str; 14] = [
            "create", "submit", "approve_branch", "approve", "open_check", "accept", "recall",
            "refuse", "send_receipt", "hold", "resume", "revoke", "withdraw", "confirm_receipt",
        ];
        let mut hub = Hub::new();
        let member = hub.register(EAST, 60);
        let (east, west, who) = (EAST.bytes(), WEST.bytes(), member.bytes());
        for (actor, event, number) in moves {
            let case = RecordId::new([200 + number; 16]);
            let at_east = hub.get(member::KIND_NUMBER, member).office == EAST;
            let acting = [(EAST, EAST), (WEST, WEST), (DESK, STREET)][actor];
            let args: &[(u16, &[u8])] = &[
                (step::MEMBER, &who),
                (step::VARIANT, b"in_province"),
                (step::TO_ORG, if at_east { &west } else { &east }),
                (step::TO_BRANCH, if at_east { &west } else { &east }),
                (step::TO_UNIT, b"unit"),
                (step::ADDRESSEE, b"addressee"),
                (step::DUES_PAID_TO, b"2026-10"),
                (step::LETTER_NUMBER, b"2026-0009"),
                (step::VALID_DAYS, b"90"),
                (step::REASON, b"reason"),
                (step::REASON_CODE, b"addressee_wrong"),
                (step::APPROVER, b"approver"),
                (step::DECISION_NUMBER, b"1"),
                (step::DECISION_DATE, b"2026-11-18"),
            ];
            let state = hub
                .records
                .get(&RecordKey { kind: transfer::KIND_NUMBER, id: case })
                .and_then(|case| case.text(transfer::STATE).map(str::to_owned));
            // Mostly an event that leads on, so that cases come to their ends.
            let allowed = state.map(|state| crate::machines::transfer::MACHINE.allowed(&state));
            let wanted = match allowed.as_deref() {
                Some(allowed) if !allowed.is_empty() && event < 11 => allowed[event % allowed.len()],
                _ => EVENTS[event],
            };
            hub.step(acting, case, wanted, args);
            prop_assert_eq!(hub.open_tenures(member), 1);
            let record = hub.get(member::KIND_NUMBER, member);
            prop_assert_eq!(record.reference(member::HOLDER), Some(record.office));
            let key = RecordKey { kind: member::KIND_NUMBER, id: member };
            let holders = [EAST, WEST].iter().filter(|o| hub.feeds.contains(&(**o, key))).count();
            prop_assert_eq!(holders, 1);
        }
    }
}
