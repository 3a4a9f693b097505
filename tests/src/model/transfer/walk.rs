//! Histories of the model by chance that can be had again, such as the shipped programs can carry out.

use domain::kinds::member;
use domain::machines::transfer::event;
use stateright::Model as _;

use super::model::{Action, State, Transfers};
use super::steps::{Act, Case, MEMBER, Who};
use crate::generate::Chance;

/// The most moves of one history.
const MOVES_MAX: usize = 40;
/// In a hundred moves, so many that lead on as far as their writer knows.
const LEADING: u64 = 82;

/// One move of a history.
#[derive(Debug, Clone)]
pub struct Move {
    pub action: Action,
    /// The model before it.
    pub before: State,
    /// And after it.
    pub after: State,
}

const MODEL: Transfers = Transfers {
    cases: &Case::ALL,
    is_whole: true,
    under_way: 3,
    may_go: false,
};

/// The history of a seed.
pub fn walk(seed: u64) -> Vec<Move> {
    let mut chance = Chance::of(seed, 0x7761_6c6b);
    let mut moves: Vec<Move> = Vec::new();
    let Some(mut state) = MODEL.init_states().pop() else {
        return moves;
    };
    let mut make = |state: &mut State, action| {
        let Some(after) = carried_out(state, action) else {
            return;
        };
        let before = std::mem::replace(state, after.clone());
        moves.push(Move {
            action,
            before,
            after,
        });
    };
    // Some draws lead nowhere.
    for _ in 0..MOVES_MAX {
        let Some(action) = draw(&state, &mut chance) else {
            break;
        };
        make(&mut state, action);
    }
    // In the end everything has arrived.
    for who in Who::ALL {
        if !state.queues[who as usize].is_empty() {
            make(&mut state, Action::Take(who));
        }
    }
    moves
}

fn draw(state: &State, chance: &mut Chance) -> Option<Action> {
    let mut actions = Vec::new();
    MODEL.actions(state, &mut actions);
    actions.retain(|action| can_be_carried_out(state, *action));
    // The desk stands at the hub: what it writes is taken at once.
    let at_once = |action: &Action| match action {
        Action::Write(Who::Street, act) => Action::Straight(Who::Street, *act),
        other => *other,
    };
    let is_leading = |action: &&Action| match action {
        Action::Write(_, act) => leads_on(state, *act),
        Action::Take(_) => true,
        Action::Straight(..) | Action::DaysPass => false,
    };
    let leading: Vec<_> = actions.iter().filter(is_leading).copied().collect();
    if !leading.is_empty() && chance.below(100) < LEADING {
        return Some(at_once(chance.pick(&leading)));
    }
    (!actions.is_empty()).then(|| at_once(chance.pick(&actions)))
}

/// Whether it brings a case on: not back, not to an end, and no case for whom another office holds or for
/// whom one is open.
fn leads_on(state: &State, act: Act) -> bool {
    const BACK: [&str; 3] = [event::WITHDRAW, event::RECALL, event::REPORT_LOST];
    match act {
        Act::Step(case, event::CREATE) => state.hub.record(MEMBER).is_some_and(|held| {
            let holder = held.reference(member::HOLDER);
            let is_free = held.value(member::OPEN_CASE).is_none();
            is_free && holder == Some(case.from().organisation())
        }),
        Act::Step(_, name) => !BACK.contains(&name),
        Act::Death => false,
        _ => true,
    }
}

/// Whether an office of the shipped programs can come to do it.
fn can_be_carried_out(state: &State, action: Action) -> bool {
    let is_by_rule = |who| who == Who::Hub;
    match action {
        Action::Write(who, act) | Action::Straight(who, act) if is_by_rule(who) => {
            // The hub does by itself what is due.
            let _ = act;
            false
        }
        Action::Take(who) => !is_by_rule(who),
        Action::Straight(_, Act::Register) => false,
        // Who does not hold the member any more and knows it has nothing to edit.
        Action::Write(_, Act::Edit) => {
            let held = state.hub.record(MEMBER);
            let holder = held.and_then(|held| held.reference(member::HOLDER));
            let mut queue = state.queues[Who::East as usize].iter();
            let is_registered = held.is_some() || queue.any(|sent| sent.act == Act::Register);
            is_registered && holder.is_none_or(|holder| holder == Who::East.organisation())
        }
        Action::Write(..) | Action::Straight(..) | Action::DaysPass => true,
    }
}

/// The model after a move: a session brings all that waits at an office, and when days pass the hub lets
/// expire what is due.
fn carried_out(state: &State, action: Action) -> Option<State> {
    let mut after = MODEL.next_state(state, action)?;
    match action {
        Action::Take(who) => {
            while !after.queues[who as usize].is_empty() {
                after = MODEL.next_state(&after, action)?;
            }
        }
        Action::DaysPass => {
            for case in Case::ALL {
                let expire = Act::Step(case, event::EXPIRE);
                if after.is_plausible(Who::Hub, expire) {
                    after = MODEL.next_state(&after, Action::Straight(Who::Hub, expire))?;
                }
            }
        }
        Action::Write(..) | Action::Straight(..) => {}
    }
    // A batch is decided whole before what has waited is looked at again; the model takes one change at a
    // time. Both are orders that `sync.md` 3, rule 6, allows.
    let hub = &after.hub;
    let is_alone = hub.waiting.is_empty() || after.queues.iter().all(|of| of.len() < 2);
    // So is any order of offices among what has waited.
    let mut waiting = hub.waiting.iter().map(|of| hub.taken[&of.change].sent.who);
    let first = waiting.next();
    let is_one_order = is_alone && waiting.all(|who| Some(who) == first);
    (MODEL.within_boundary(&after) && is_one_order).then_some(after)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_gives_one_history_and_seeds_give_many() {
        let actions = |seed| -> Vec<_> { walk(seed).iter().map(|of| of.action).collect() };
        assert_eq!(actions(3), actions(3));
        assert_ne!(actions(3), actions(4));
        let accepted = (0..40).filter(|seed| {
            let last = walk(*seed).pop();
            let tenure =
                last.and_then(|of| of.after.hub.record(MEMBER)?.integer(member::TENURE_NUMBER));
            tenure.is_some_and(|number| number > 1)
        });
        assert!(accepted.count() > 3, "members move in some of them");
    }
}
