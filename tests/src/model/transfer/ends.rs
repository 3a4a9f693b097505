//! T5, asked of the constant table alone: no open case depends on the office of the other side.

use std::collections::BTreeSet;

use domain::machine::{Actor, Transition};
use domain::machines::transfer::{MACHINE, event, state};

/// A way that a case may go: where it begins, whom it must not need, and the guards of the arrows
/// that are those of other ways.
struct Way {
    begins: &'static str,
    without: &'static [Actor],
    not: &'static [&'static str],
}

const INTERNAL: &str = "inside one committee";
const LETTERED: &str = "with a letter";
const IN: &str = "in from outside";
const NOT_IN: &str = "not in from outside";
const INSIDE: &str = "the receiver is inside";
const OUTSIDE: &str = "the receiver is outside";

const WAYS: [Way; 6] = [
    // Between two offices.
    Way {
        begins: state::DRAFT,
        without: &[Actor::Receiver],
        not: &[INTERNAL, IN, OUTSIDE],
    },
    // Out on paper.
    Way {
        begins: state::DRAFT,
        without: &[Actor::Receiver],
        not: &[INTERNAL, IN, INSIDE],
    },
    // Inside one committee.
    Way {
        begins: state::DRAFT,
        without: &[Actor::Receiver],
        not: &[LETTERED, IN],
    },
    // In from outside on paper: the receiver's own case.
    Way {
        begins: state::LETTER_ENTERED,
        without: &[Actor::Owner],
        not: &[INTERNAL, NOT_IN, OUTSIDE],
    },
    // The whole organisation.
    Way {
        begins: state::BATCH_DRAFT,
        without: &[Actor::Receiver],
        not: &[],
    },
    // A dispute, which the authority rules on.
    Way {
        begins: state::DISPUTED,
        without: &[Actor::Owner, Actor::Receiver],
        not: &[],
    },
];

impl Way {
    fn has(&self, arrow: &Transition) -> bool {
        !arrow
            .guards
            .iter()
            .any(|guard| self.not.contains(&guard.name))
    }

    /// Whether the other side is not needed; a change of the member's status is no way out.
    fn is_free(&self, arrow: &Transition) -> bool {
        arrow.event != event::CLOSE_BY_STATUS
            && arrow.by.iter().any(|actor| !self.without.contains(actor))
    }

    /// The states that are reached from one by arrows of this way that are usable.
    fn reached(
        &self,
        from: &'static str,
        is_usable: impl Fn(&Transition) -> bool,
    ) -> BTreeSet<&'static str> {
        let mut reached = BTreeSet::from([from]);
        let mut next = vec![from];
        while let Some(state) = next.pop() {
            let leaving = MACHINE
                .transitions
                .iter()
                .filter(|arrow| arrow.from.contains(&state) && self.has(arrow) && is_usable(arrow));
            next.extend(leaving.filter_map(|arrow| reached.insert(arrow.to).then_some(arrow.to)));
        }
        reached
    }
}

#[test]
fn t5_every_open_state_has_an_end_without_the_other_office() {
    let mut covered = BTreeSet::new();
    for way in &WAYS {
        let of_way = way.reached(way.begins, |_| true);
        for open in of_way.into_iter().filter(|code| MACHINE.is_open(code)) {
            let reached = way.reached(open, |arrow| way.is_free(arrow));
            let has_end = reached.iter().any(|code| !MACHINE.is_open(code));
            assert!(has_end, "{open} needs {:?}: {reached:?}", way.without);
            covered.insert(open);
        }
    }
    let open = MACHINE.states.iter().filter(|state| state.open);
    let open: BTreeSet<_> = open.map(|state| state.code).collect();
    assert_eq!(covered, open, "every open state is on some way");
}
