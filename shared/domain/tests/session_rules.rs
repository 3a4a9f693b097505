//! The session's decisions one by one, at the edges where a rule could be one place off or could
//! forget one of its conditions. The model in `tests/src/model/session.rs` checks what they lead to together.

use std::collections::BTreeMap;

use domain::change::{Body, Change, FieldChange, Header, Verb};
use domain::clock::Timestamp;
use domain::digest::RowHash;
use domain::id::{ChangeId, NodeId, OfficeId, RecordId};
use domain::kind::Class;
use domain::kinds::person;
use domain::session::hub::{
    self, Arrived, Greeted, InFeed, Lineage, Offer, Place, Proven, Reader, counts_as, decides,
    foreign_before, is_echo, is_history, is_lost_epoch, is_older_proof, judge_offer, may_read,
    may_reconcile, offered, offered_beyond, place, proves_copies, read_from, standing,
    told_decided,
};
use domain::session::office::{
    Applied, GreetAgain, Heir, Next, Parting, Sent, after_greeting, after_push, compares, fold_row,
    folded_through, folds_at_once, go_on_from, is_decided, reads_anew, reads_past_released,
    rewritten, takes_page,
};
use domain::session::{Head, Standing};
use domain::world::Outcome;

const NODE: NodeId = NodeId::new([1; 16]);
const OURS: [u8; 32] = [1; 32];
const THEIRS: [u8; 32] = [2; 32];

const fn id(epoch: u32, sequence: u64) -> ChangeId {
    ChangeId {
        node: NODE,
        epoch,
        sequence,
    }
}

const fn at(sequence: u64, chain: [u8; 32]) -> Head {
    Head { sequence, chain }
}

#[test]
fn nonces_tell_a_repeat_from_going_on_and_from_a_branch() {
    let known = [(vec![], vec![1]), (vec![1], vec![2])];
    let judge = |confirmed: &[u8], proposed: &[u8]| hub::lineage(&known, (confirmed, proposed));
    assert_eq!(judge(&[1], &[2]), Lineage::Repeats);
    assert_eq!(judge(&[2], &[3]), Lineage::GoesOn);
    assert_eq!(judge(&[1], &[3]), Lineage::Branches, "used already");
    assert_eq!(judge(&[7], &[8]), Lineage::Branches, "never proposed");
    assert_eq!(judge(&[], &[9]), Lineage::Branches, "begins anew");
}

#[test]
fn a_lost_epoch_is_later_than_all_and_its_hub_was_restored() {
    assert!(is_lost_epoch(3, 2, true));
    assert!(!is_lost_epoch(2, 2, true));
    assert!(!is_lost_epoch(3, 2, false));
}

#[test]
fn a_greeting_stands_by_its_place_and_its_chain() {
    let known = Greeted {
        is_unheard: false,
        is_kept_only: false,
        received: 5,
        proven: Proven::default(),
        head: at(5, OURS),
        chain_there: Some(OURS),
        offered: 2,
    };
    assert_eq!(standing(&known), Standing::Agreed);
    let stands = |head: Head, chain_there| {
        standing(&Greeted {
            head,
            chain_there,
            ..known
        })
    };
    assert_eq!(stands(at(6, OURS), None), Standing::Agreed, "beyond");
    assert_eq!(stands(at(4, OURS), Some(OURS)), Standing::Rewound(2));
    assert_eq!(stands(at(5, OURS), Some(THEIRS)), Standing::Forked(2));
    assert_eq!(stands(at(4, OURS), Some(THEIRS)), Standing::Forked(2));
    let kept = Greeted {
        is_kept_only: true,
        ..known
    };
    assert_eq!(standing(&kept), Standing::Cloned);
    let unheard = Greeted {
        is_unheard: true,
        ..kept
    };
    assert_eq!(standing(&unheard), Standing::HubRestored);
}

/// S7: a hub that was put back has heard how far a former one had decided, and has less of the journal. What a
/// node that was put back since writes at those places would pass for what was decided, and have no effect.
#[test]
fn what_is_proven_of_a_journal_counts_as_had() {
    let stands = |head: Head, chain| {
        standing(&Greeted {
            is_unheard: false,
            is_kept_only: false,
            received: 5,
            proven: Proven { sequence: 7, chain },
            head,
            chain_there: (head.sequence <= 5).then_some(OURS),
            offered: 2,
        })
    };
    for chain in [None, Some(OURS)] {
        assert_eq!(stands(at(8, OURS), chain), Standing::Agreed);
        assert_eq!(stands(at(7, OURS), chain), Standing::Agreed);
        assert_eq!(stands(at(6, OURS), chain), Standing::Rewound(2));
        assert_eq!(stands(at(5, OURS), chain), Standing::Rewound(2));
        assert_eq!(stands(at(5, THEIRS), chain), Standing::Forked(2));
    }
    assert_eq!(stands(at(7, THEIRS), Some(OURS)), Standing::Forked(2));
    assert_eq!(stands(at(7, THEIRS), None), Standing::Agreed, "not told");
    let known = |own| [(at(5, OURS), Some(OURS)), (at(7, OURS), own)];
    let after = |own| after_greeting(Standing::Agreed, &known(own));
    assert_eq!(after(Some(OURS)), Next::GoOn);
    assert_eq!(after(Some(THEIRS)), Next::Present(at(7, THEIRS)));
    assert_eq!(after(None), Next::GoOn);
}

#[test]
fn an_epoch_is_offered_until_somebody_greets_in_it() {
    assert_eq!(offered(Some(3), 4, 2), 3);
    assert_eq!(offered(None, 4, 4), 5);
    assert_eq!(offered(Some(2), 3, 3), 4, "left long ago");
}

/// S8: a copied machine that was set apart reads nothing, in no way.
#[test]
fn who_was_set_apart_neither_reads_nor_compares() {
    for is_recovering in [false, true] {
        assert!(may_reconcile(Some(false), is_recovering));
        assert!(!may_reconcile(Some(true), is_recovering));
    }
    assert!(may_reconcile(None, true) && !may_reconcile(None, false));
}

/// L1: a hub that was put back unnoticed has forgotten which epochs it offered.
#[test]
fn who_greets_in_a_forgotten_epoch_is_offered_a_later_one() {
    assert_eq!(offered_beyond(None, 1, 2), Some(3));
    assert_eq!(offered_beyond(Some(4), 1, 2), Some(4));
    assert_eq!(offered_beyond(Some(2), 2, 3), Some(4));
    // The answer was lost; another machine of that folder has taken it up.
    assert_eq!(offered_beyond(Some(3), 3, 2), Some(3));
    assert_eq!(offered_beyond(None, 3, 2), Some(4));
    assert_eq!(offered_beyond(None, 3, 0), None);
    assert_eq!(offered_beyond(None, 1, 66), None);
    assert_eq!(offered_beyond(None, u32::MAX - 1, u32::MAX), None);
}

#[test]
fn only_one_that_goes_on_and_agrees_proves_copies() {
    assert!(proves_copies(Lineage::GoesOn, Standing::Agreed));
    assert!(proves_copies(Lineage::Repeats, Standing::Agreed));
    assert!(!proves_copies(Lineage::Branches, Standing::Agreed));
    assert!(!proves_copies(Lineage::GoesOn, Standing::Rewound(2)));
}

#[test]
fn a_batch_is_judged_by_its_place_and_by_the_chain_there() {
    let next = Arrived {
        first: 6,
        last: 7,
        chain: OURS,
        chain_if_next: OURS,
        chain_there: None,
    };
    assert_eq!(place(5, &next), Place::Next);
    let other = Arrived {
        chain_if_next: THEIRS,
        ..next
    };
    assert_eq!(place(5, &other), Place::OtherHistory);
    assert_eq!(place(4, &next), Place::Gap);
    assert_eq!(place(6, &next), Place::Gap, "overlaps the end");
    let there = |chain_there| Arrived {
        chain_there,
        ..next
    };
    assert_eq!(place(7, &there(Some(OURS))), Place::Repeat);
    assert_eq!(place(8, &there(Some(OURS))), Place::Repeat);
    assert_eq!(place(7, &there(Some(THEIRS))), Place::OtherHistory);
    assert_eq!(place(7, &there(None)), Place::OtherHistory);
}

#[test]
fn only_the_first_answer_tells_what_is_decided() {
    assert_eq!(told_decided(Place::Next, 7), 7);
    for place in [Place::Repeat, Place::Gap, Place::OtherHistory] {
        assert_eq!(told_decided(place, 7), 0, "{place:?}");
    }
}

#[test]
fn what_is_stored_is_decided_once_and_only_where_it_may() {
    assert!(decides(false, false));
    assert!(!decides(true, false));
    assert!(!decides(false, true));
    assert!(is_history(5, 5) && !is_history(6, 5));
    let old = id(1, 5);
    assert_eq!(counts_as(old, 5, true), Some(Outcome::Merged(old)));
    assert_eq!(counts_as(old, 4, true), None, "undecided");
    assert_eq!(counts_as(old, 5, false), None, "another body");
}

#[test]
fn a_reader_is_known_and_begins_where_the_feed_has_been() {
    assert!(may_read(Some(false)));
    assert!(!may_read(Some(true)));
    assert!(!may_read(None));
    assert_eq!(read_from(5, 5), 5);
    assert_eq!(read_from(6, 5), 0);
    assert!(reads_past_released(4, 0, 5));
    assert!(reads_past_released(4, 3, 5), "more was released since");
    assert!(
        !reads_past_released(4, 5, 5),
        "it was told so when it read so far"
    );
    assert!(!reads_past_released(5, 0, 5), "it has read them");
    assert!(!reads_past_released(0, 0, 5), "it has nothing yet");
}

#[test]
fn an_echo_is_own_folded_and_alone_since_the_place() {
    let entry = InFeed {
        foreign_sequence: 4,
        own: Some(id(1, 7)),
        has_left: false,
    };
    let reader = Reader {
        node: NODE,
        epoch: 1,
        folded_through: 7,
        whole_through: 4,
    };
    assert!(is_echo(&entry, &reader));
    let earlier = Reader {
        whole_through: 3,
        ..reader
    };
    assert!(!is_echo(&entry, &earlier), "a foreign move since");
    let unfolded = Reader {
        folded_through: 6,
        ..reader
    };
    assert!(!is_echo(&entry, &unfolded));
    assert!(!is_echo(&entry, &Reader { epoch: 2, ..reader }));
    let node = NodeId::new([3; 16]);
    assert!(!is_echo(&entry, &Reader { node, ..reader }));
    let left = InFeed {
        has_left: true,
        ..entry
    };
    assert!(!is_echo(&left, &reader));
    assert!(!is_echo(&InFeed { own: None, ..entry }, &reader));
}

#[test]
fn another_journals_move_is_not_hidden_from_the_writer() {
    let other = NodeId::new([3; 16]);
    assert_eq!(foreign_before((9, 4, Some((NODE, 1))), id(1, 7)), 4);
    assert_eq!(foreign_before((9, 4, Some((NODE, 2))), id(1, 7)), 9);
    assert_eq!(foreign_before((9, 4, Some((other, 1))), id(1, 7)), 9);
    assert_eq!(foreign_before((9, 4, None), id(1, 7)), 4);
}

#[test]
fn a_restored_hub_takes_back_what_is_later_and_proven() {
    assert!(is_older_proof(8, 10));
    assert!(!is_older_proof(9, 10), "just as far as the backup");
    let (one, other): (RowHash, RowHash) = ([1; 32], [2; 32]);
    assert_eq!(judge_offer(None, (1, one)), Offer::TakenBack);
    assert_eq!(judge_offer(Some((4, one)), (5, other)), Offer::TakenBack);
    assert_eq!(judge_offer(Some((5, one)), (5, one)), Offer::Known);
    assert_eq!(judge_offer(Some((5, one)), (5, other)), Offer::Evidence);
    assert_eq!(judge_offer(Some((6, one)), (5, other)), Offer::Evidence);
}

#[test]
fn an_answer_says_how_a_node_goes_on() {
    let after = |standing, own| after_greeting(standing, &[(at(3, THEIRS), own)]);
    assert_eq!(after(Standing::HubRestored, None), Next::Report);
    assert_eq!(after(Standing::Rewound(2), None), Next::Epoch(2));
    assert_eq!(after(Standing::Forked(2), None), Next::Epoch(2));
    assert_eq!(after(Standing::Cloned, None), Next::Stop);
    assert_eq!(after(Standing::Agreed, None), Next::GoOn);
    assert_eq!(after(Standing::Agreed, Some(THEIRS)), Next::GoOn);
    let shown = Next::Present(at(3, OURS));
    assert_eq!(after(Standing::Agreed, Some(OURS)), shown);
    let nothing_there = after_greeting(Standing::Agreed, &[(at(0, THEIRS), Some(OURS))]);
    assert_eq!(nothing_there, Next::GoOn);
    assert!(!reads_anew(&[], &[1]), "the first greeting");
    assert!(!reads_anew(&[1], &[1]));
    assert!(reads_anew(&[1], &[2]));
}

#[test]
fn the_last_common_place_is_found_wherever_histories_part() {
    for count in 0..20_u64 {
        for parted_after in 0..=count {
            for per_question in 1..5 {
                let chain = |is_same| if is_same { OURS } else { THEIRS };
                let mut parting = Parting::new((1..=count).collect());
                let mut questions = 0;
                while let Some(asked) = parting.ask(per_question) {
                    let own: Vec<_> = asked.iter().map(|place| at(*place, OURS)).collect();
                    let theirs = asked.iter().map(|p| at(*p, chain(*p <= parted_after)));
                    parting.hear(&own, &theirs.collect::<Vec<_>>());
                    questions += 1;
                    assert!(questions <= count, "it comes to an end");
                }
                assert_eq!(parting.common(), parted_after, "{count} {per_question}");
            }
        }
    }
    // An agreement after a difference is no common history.
    let mut parting = Parting::new(vec![1, 2, 3]);
    parting.ask(3);
    let own = [at(1, OURS), at(2, OURS), at(3, OURS)];
    parting.hear(&own, &[at(1, OURS), at(2, THEIRS), at(3, OURS)]);
    assert_eq!(parting.common(), 1);
}

#[test]
fn what_is_written_anew_follows_its_bases_and_keeps_its_first_place() {
    let (old, new) = (id(1, 4), id(2, 1));
    let header = Header {
        record: RecordId::new([5; 16]),
        kind: person::KIND_NUMBER,
        class: Class::Shared,
        verb: Verb::Set,
        timestamp: Timestamp::at(1_000),
        actor: "clerk".to_owned(),
        group: None,
        tenure: None,
        clock_suspect: false,
        replaces: None,
    };
    let field = |base| FieldChange {
        number: person::NAME,
        value: b"name".to_vec(),
        base: Some(base),
    };
    let body = Body {
        fields: vec![field(old), field(id(1, 2))],
        seen_revision: 1,
        life_base: Some(old),
    };
    let renamed = BTreeMap::from([(old, new)]);
    let anew = |header: &Header, former| {
        let change = Change {
            id: id(1, 5),
            header: header.clone(),
            body: body.clone(),
        };
        let office = OfficeId::new([2; 16]);
        rewritten(change, OURS, &renamed, Heir { former, office })
    };
    let (written, content) = anew(&header, NODE);
    assert_eq!(written.replaces, Some((id(1, 5), OURS)));
    assert_eq!(content.life_base, Some(new));
    assert_eq!(content.fields, [field(new), field(id(1, 2))]);
    let (again, _) = anew(
        &Header {
            replaces: Some((id(1, 1), THEIRS)),
            ..header.clone()
        },
        NODE,
    );
    assert_eq!(again.replaces, Some((id(1, 1), THEIRS)), "the first place");
    let (unseen, _) = anew(&header, NodeId::default());
    assert_eq!(unseen.replaces, None, "written before there was a hub");
}

#[test]
fn a_push_goes_on_where_the_hubs_end_is_ones_own() {
    let sent = at(5, OURS);
    assert_eq!(after_push(sent, sent, false), Sent::Taken);
    assert_eq!(after_push(sent, sent, true), Sent::Elsewhere);
    assert_eq!(after_push(sent, at(5, THEIRS), false), Sent::Elsewhere);
    assert_eq!(after_push(sent, at(4, OURS), false), Sent::Elsewhere);
    let end = at(4, OURS);
    assert_eq!(go_on_from(end, false, 4, Some(OURS)), Ok(4));
    assert_eq!(go_on_from(end, true, 5, Some(OURS)), Ok(4));
    let less = go_on_from(end, false, 5, Some(OURS));
    assert_eq!(less, Err(GreetAgain::Less));
    for own_there in [Some(THEIRS), None] {
        assert_eq!(go_on_from(end, true, 4, own_there), Err(GreetAgain::Other));
    }
    assert_eq!(go_on_from(at(0, OURS), true, 4, None), Ok(0));
}

#[test]
fn a_page_decides_what_is_ones_own_and_nothing_after() {
    assert!(
        !takes_page(7, 5),
        "an answer was lost, or somebody else speaks"
    );
    assert!(takes_page(5, 5) && takes_page(5, 7));
    assert!(is_decided(2, (2, 5), 5) && !is_decided(2, (2, 6), 5));
    assert!(is_decided(2, (1, 9), 5), "of a former epoch");
    assert_eq!(folded_through(9, Some(4)), 3);
    assert_eq!(folded_through(9, None), 9);
}

/// L1: what is decided and came with no row does not keep the own feed from being compared; another
/// feed's page may be of a later snapshot.
#[test]
fn the_own_feed_is_compared_whatever_is_folded() {
    assert!(compares(true, 0, 1) && compares(true, 1, 1));
    assert!(compares(false, 1, 1) && compares(false, 2, 1));
    assert!(!compares(false, 0, 1));
}

#[test]
fn only_what_stands_alone_next_and_on_the_confirmed_row_is_folded_at_once() {
    let applied = Applied {
        verb: Verb::Set,
        is_next: true,
        stands_on_confirmed: true,
    };
    assert!(folds_at_once(applied));
    for verb in [Verb::Step, Verb::Merge, Verb::Unmerge] {
        assert!(!folds_at_once(Applied { verb, ..applied }), "{verb:?}");
    }
    let later = Applied {
        is_next: false,
        ..applied
    };
    assert!(!folds_at_once(later));
    let elsewhere = Applied {
        stands_on_confirmed: false,
        ..applied
    };
    assert!(!folds_at_once(elsewhere));
}

#[test]
fn a_row_drops_what_is_decided_whether_it_is_taken_or_skipped() {
    let pending = vec![(1, 9), (2, 4), (2, 5), (2, 6)];
    let decided = [(1, 9), (2, 4), (2, 5)];
    for (confirmed, is_taken) in [(None, true), (Some(3), true), (Some(4), false)] {
        let fold = fold_row(2, pending.clone(), 5, (confirmed, 3));
        assert_eq!(fold.dropped, decided, "{confirmed:?}");
        assert_eq!(fold.is_taken, is_taken, "{confirmed:?}");
    }
}
