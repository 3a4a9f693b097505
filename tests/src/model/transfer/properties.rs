//! What must hold in every state of the model, and what must be reached, so that it is known to have been
//! tried.

use domain::kinds::{conflict, letter, member, transfer};
use domain::machines::transfer::{MACHINE, event, state};
use domain::record::Record;
use stateright::Property;

use super::model::{Shown, State, Transfers};
use super::steps::{Act, Case, MEMBER, Who};

macro_rules! always {
    ($($check:ident),+ $(,)?) => {
        vec![$(Property::always(stringify!($check), |_, state: &State| state.hub.checks.$check)),+]
    };
}

pub fn always() -> Vec<Property<Transfers>> {
    always![
        one_tenure_is_open_and_it_is_the_holders,
        tenures_follow_one_another,
        the_holders_feed_alone_has_the_member,
        one_case_is_open_and_the_member_names_it,
        an_open_case_is_the_holders,
        the_receiver_holds_whom_it_accepted,
        a_repeat_changes_nothing,
        nothing_vanishes,
        a_refusal_says_why,
        nobody_is_held_by_what_was_given_up,
    ]
}

pub fn sometimes(model: &Transfers) -> Vec<Property<Transfers>> {
    let mut properties = vec![
        Property::sometimes("a change waits and is applied", |_, s: &State| {
            s.shown == Some(Shown::WaitedFor)
        }),
        Property::sometimes("a recall crosses: a dispute opens", |_, s: &State| {
            let recalled = (Who::East, Act::Step(Case::First, event::RECALL));
            s.hub.applied.contains(&recalled)
                && s.hub.state(Case::First) == Some(state::ACCEPTED)
                && s.hub.disputes().next().is_some()
        }),
        Property::sometimes("a refusal returns", |_, s: &State| {
            let member = s.hub.record(MEMBER);
            let holder = member.and_then(|member| member.reference(member::HOLDER));
            let mut letters = s.hub.of_kind(letter::KIND_NUMBER);
            s.hub.state(Case::First) == Some(state::REFUSED_IN)
                && holder == Some(Who::East.office())
                && letters.any(|letter| letter.text(letter::STATE) == Some("VOID"))
        }),
        Property::sometimes("an acceptance is revoked", |_, s: &State| {
            s.hub.state(Case::First) == Some(state::REVOKED)
        }),
    ];
    properties.push(Property::sometimes(
        "a case is withdrawn",
        |_, s: &State| s.hub.state(Case::First) == Some(state::WITHDRAWN),
    ));
    if model.is_whole {
        properties.extend(sometimes_in_one_case());
    }
    if model.cases.contains(&Case::Back) {
        let is_back = |_: &Transfers, s: &State| {
            let member = s.hub.record(MEMBER);
            let holder = member.and_then(|member| member.reference(member::HOLDER));
            s.hub.state(Case::Back) == Some(state::ACCEPTED) && holder == Some(Who::East.office())
        };
        properties.push(Property::sometimes("the member comes back", is_back));
    }
    if model.may_go {
        properties.extend(sometimes_going());
    }
    if model.cases.contains(&Case::Rival) {
        let second = |_: &Transfers, s: &State| s.shown == Some(Shown::SecondCaseRefused);
        properties.push(Property::sometimes("a second case is refused", second));
    }
    if model.cases.contains(&Case::Onward) {
        let late = |_: &Transfers, s: &State| s.shown == Some(Shown::RulingTooLate);
        properties.push(Property::sometimes("a ruling comes too late", late));
        let is_on = |_: &Transfers, s: &State| s.hub.state(Case::Onward) == Some(state::ACCEPTED);
        properties.push(Property::sometimes("the member moves on", is_on));
    }
    properties
}

fn sometimes_in_one_case() -> [Property<Transfers>; 5] {
    [
        Property::sometimes("a dispute takes an acceptance back", |_, s: &State| {
            let mut cases = s.hub.of_kind(transfer::KIND_NUMBER);
            let is_over = |case: &Record| {
                case.value(transfer::DISPUTES).is_some()
                    && case.text(transfer::STATE) == Some(state::REVOKED)
            };
            s.hub.state(Case::First) == Some(state::REVOKED) && cases.any(is_over)
        }),
        Property::sometimes("a case is closed", |_, s: &State| {
            s.hub.state(Case::First) == Some(state::CLOSED)
        }),
        Property::sometimes("a late edit is kept for the holder", |_, s: &State| {
            let mut items = s.hub.of_kind(conflict::KIND_NUMBER);
            items.any(|item| item.office == Who::West.office())
        }),
        Property::sometimes("a death ends a case", |_, s: &State| {
            s.hub.state(Case::First) == Some(state::CLOSED_BY_STATUS)
        }),
        Property::sometimes(
            "a check in time revives an expired letter",
            |_, s: &State| {
                let expired = (Who::Hub, Act::Step(Case::First, event::EXPIRE));
                s.hub.applied.contains(&expired)
                    && s.hub.state(Case::First) == Some(state::RECEIVE_CHECK)
            },
        ),
    ]
}

fn sometimes_going() -> [Property<Transfers>; 2] {
    [
        Property::sometimes(
            "a case to an organisation that was given up stays where it is",
            |_, s: &State| {
                let is_open = s
                    .hub
                    .state(Case::First)
                    .is_some_and(|of| MACHINE.is_open(of));
                let member = s.hub.record(MEMBER);
                let holder = member.and_then(|member| member.reference(member::HOLDER));
                s.hub.west() == "abolished" && is_open && holder == Some(Who::East.office())
            },
        ),
        Property::sometimes("a successor takes over an open case", |_, s: &State| {
            let member = s.hub.record(MEMBER);
            let holder = member.and_then(|member| member.reference(member::HOLDER));
            s.hub.west() == "merged"
                && s.hub.state(Case::First) == Some(state::ACCEPTED)
                && holder == Some(Who::South.office())
        }),
    ]
}
