//! A hub may have gone on in more than one way from one backup, and be put back more than once.

use super::*;

/// S7: a hub that went on from the same backup had signed a place that this one has passed another way: what an office
/// has from there is not older than the backup. What it was there itself is.
#[test]
fn a_place_that_was_passed_another_way_is_not_in_the_backup() {
    let (mut lost, mut back) = (Hub::new(), Hub::new());
    let feed = format!("office/{}", id(EAST));
    let was = |hub: &Hub| {
        let feed = feed.clone();
        hub.write(move |tx, _| Ok((tx.feed_head(&feed)?, tx.feed_digest(&feed)?)))
    };
    lost.push(1, &[phone(PERSON, "13900000001", None)]);
    back.desk_sets("13900000002");
    let ((at, elsewhere), (at_here, here)) = (was(&lost), was(&back));
    assert_eq!(at, at_here, "both have come as far");
    for _ in 0..3 {
        back.desk_sets("13900000003");
    }
    let may_have_been = |hub: &Hub, at: u64, digest: Digest| {
        let feed = feed.clone();
        hub.write(move |tx, _| Ok(tx.may_have_been(&feed, at, &digest)?))
    };
    assert!(may_have_been(&back, at, here));
    assert!(!may_have_been(&back, at, elsewhere));
    assert!(may_have_been(&back, 0, elsewhere), "nobody remembers that");
    let former = back.app.own.incarnation;
    back.is_put_back();
    for (digest, kept) in [(here, 0), (elsewhere, 1)] {
        let (feed, person) = (feed.clone(), lost.row());
        let evidence = back.write(move |tx, app| {
            let node = tx.node(machine(EAST, 1))?.unwrap();
            let proof = signed(app, &node, &feed, (at, digest, former));
            tx.put_offer(node.id, &feed, person.key, Some(&person))?;
            recovery::take_proof(tx, app, &node, &feed, &proof, NOW)?;
            Ok(tx.evidence()?.len())
        });
        assert_eq!(evidence, kept);
    }
}

/// S1: what this hub has signed and knows nothing of says that it was put back.
#[test]
fn a_hub_that_knows_nothing_of_what_it_signed_was_put_back() {
    let mut hub = Hub::new();
    let own = hub.app.own.incarnation;
    let (feed, other) = (format!("office/{}", id(EAST)), Incarnation::new([9; 16]));
    let feed_here = feed.clone();
    let (head, digest) =
        hub.write(move |tx, _| Ok((tx.feed_head(&feed_here)?, tx.feed_digest(&feed_here)?)));
    let mut another = digest;
    another.add(&hub.row().hash());
    let is_rewound = |hub: &Hub, incarnation: Incarnation, sequence: u64, digest: Digest| {
        let feed = feed.clone();
        hub.write(move |tx, app| {
            let node = tx.node(machine(EAST, 1))?.unwrap();
            let proof = signed(app, &node, &feed, (sequence, digest, incarnation));
            let mut held = vec![Held {
                feed,
                proof: Some(proof),
            }];
            let is_rewound = recovery::is_rewound(tx, app, &node, &held)?;
            for held in held.iter_mut().filter_map(|held| held.proof.as_mut()) {
                held.count += 1;
            }
            assert!(
                !recovery::is_rewound(tx, app, &node, &held)?,
                "not signed by it"
            );
            Ok(is_rewound)
        })
    };
    assert!(!is_rewound(&hub, own, head, digest));
    assert!(is_rewound(&hub, own, head - 1, another));
    assert!(is_rewound(&hub, own, head, another));
    assert!(is_rewound(&hub, own, head + 1, digest));
    assert!(is_rewound(&hub, other, 1, digest));
    // A hub that was put back in the open learns what it has been, and then knows it.
    let lost = Incarnation::new([8; 16]);
    hub.is_put_back();
    assert!(
        !is_rewound(&hub, own, head + 5, another),
        "it was that before"
    );
    assert!(!is_rewound(&hub, lost, head + 5, another));
    hub.hear(machine(EAST, 1));
    hub.hear_the_others();
    assert!(!is_rewound(&hub, lost, head + 5, another));
    assert!(is_rewound(&hub, Incarnation::new([7; 16]), 1, another));
}

/// A hub as an office has read of it, and what became of it: it was put back, somebody set the phone, and it was put
/// back once more, to a backup of after that.
fn put_back_twice() -> (Hub, Hub) {
    let (mut lost, mut back) = (Hub::new(), Hub::new());
    lost.app.own.incarnation = back.app.own.incarnation;
    back.is_put_back();
    back.goes_on_without_them();
    back.desk_sets("13900000002");
    back.is_put_back();
    (lost, back)
}

/// S4: what was made between two restores has not left an office which has read before both, and never heard of it.
#[test]
fn what_was_made_between_two_restores_has_not_left_who_read_before_both() {
    let (lost, mut back) = put_back_twice();
    back.hear_of_more(&lost, None);
    back.hear_the_others();
    assert_eq!(back.row().office, id(EAST));
    let feed = format!("office/{}", id(EAST));
    assert!(back.write(move |tx, _| Ok(tx.is_in_feed(person_key(PERSON), &feed)?)));
}

/// S7: and what was written between them is decided on the row that such an office brings.
#[test]
fn what_was_written_between_two_restores_is_decided_on_the_row_that_comes_back() {
    let (mut lost, mut back) = put_back_twice();
    lost.push(1, &[phone(PERSON, "13900000003", None)]);
    let base = lost.row().version(person::PHONE);
    lost.push(1, &[phone(PERSON, "13900000001", base)]);
    back.hear_of_more(&lost, Some(lost.row()));
    back.hear_the_others();
    assert_eq!(back.phones(), both());
}

/// S2: a hub that was put back has taken back what one machine of an office wrote over another's value. That one comes
/// later, and is not decided again.
#[test]
fn what_another_machine_has_written_over_knowingly_is_no_conflict() {
    let (mut lost, mut back) = (Hub::new(), Hub::new());
    let first = phone(PERSON, "13900000001", None);
    lost.push(2, std::slice::from_ref(&first));
    let second = phone(PERSON, "13900000002", lost.row().version(person::PHONE));
    lost.push(1, std::slice::from_ref(&second));
    back.is_put_back();
    back.hear_of_more(&lost, Some(lost.row()));
    back.push(1, &[second]);
    back.hear(machine(EAST, 2));
    back.push(2, &[first]);
    back.hear_the_others();
    assert_eq!(back.phones(), ["13900000002".to_owned()].into());
}

/// S7: an office brings a row of a hub that had been put back from an earlier backup. What stands in this one's is
/// passed over without a word only where the office had seen it, as what it wrote says when that comes.
#[test]
fn what_a_row_of_another_way_passes_over_is_kept_unless_it_was_seen() {
    for was_seen in [false, true] {
        let (mut lost, mut back) = (Hub::new(), Hub::new());
        back.desk_sets("13900000002");
        let base = back.row().version(person::PHONE);
        let name = lost.row().version(person::NAME);
        let changes = [
            phone(PERSON, "13900000001", base.filter(|_| was_seen)),
            set(
                PERSON,
                Verb::Set,
                &[(person::NAME, "林二".to_owned(), name)],
            ),
        ];
        lost.push(1, &changes);
        back.is_put_back();
        back.hear_of_more(&lost, Some(lost.row()));
        let kept = if was_seen { 1 } else { 2 };
        assert_eq!(back.phones().len(), 1, "nothing tells yet");
        back.push(1, &changes);
        back.hear_the_others();
        assert_eq!(back.phones().len(), kept, "{:?}", back.phones());
        assert!(back.phones().is_subset(&both()));
        assert!(!back.write(|tx, _| Ok(tx.has_passed_over()?)));
    }
}
