//! What holds for every machine.

use std::collections::BTreeSet;

use super::testing::reachable;
use super::{ALL, by_name, events, messages, sets};
use crate::kinds;

#[test]
fn machines_are_found_by_their_names() {
    for machine in ALL {
        assert_eq!(by_name(machine.name), Some(*machine));
    }
    assert_eq!(by_name("none"), None);
}

#[test]
fn every_arrow_joins_declared_states_and_has_names() {
    for machine in ALL {
        for arrow in machine.transitions {
            for state in arrow.from.iter().chain([&arrow.to]) {
                assert!(machine.state(state).is_some(), "{}: {state}", machine.name);
            }
            assert!(
                !arrow.zh.is_empty() && !arrow.by.is_empty(),
                "{}",
                arrow.event
            );
        }
        let codes: BTreeSet<_> = machine.states.iter().map(|state| state.code).collect();
        assert_eq!(codes.len(), machine.states.len(), "{}", machine.name);
    }
}

#[test]
fn every_code_of_a_refusal_has_a_message_in_both_languages() {
    for machine in ALL {
        let guards = machine.transitions.iter().flat_map(|arrow| arrow.guards);
        let codes = guards
            .map(|guard| guard.code)
            .filter(|code| !code.is_empty());
        for code in codes.chain([machine.not_allowed_code]) {
            let (zh, en) = messages(code).unwrap_or_default();
            assert!(!zh.is_empty() && !en.is_empty(), "{code}");
        }
    }
    let mut seen = BTreeSet::new();
    for (code, zh, en) in super::messages::tables().flatten() {
        assert!(
            seen.insert(code) && !zh.is_empty() && en.is_ascii() || en.contains('“'),
            "{code}"
        );
    }
}

#[test]
fn the_codes_of_the_domain_are_all_there() {
    let ranges = [("TRF", 11), ("MEM", 7), ("VOL", 8), ("ACT", 4), ("ORG", 3)];
    for (prefix, last) in ranges {
        for number in 1..=last {
            assert!(
                messages(&format!("{prefix}-{number:03}")).is_some(),
                "{prefix}-{number:03}"
            );
        }
    }
    assert_eq!(messages("TRF-999"), None);
}

#[test]
fn every_state_is_reached_from_a_beginning() {
    for machine in ALL {
        let begun: Vec<_> = machine
            .transitions
            .iter()
            .filter(|arrow| arrow.from.is_empty())
            .map(|arrow| arrow.to)
            .collect();
        let reached = reachable(machine, &begun, |_| true);
        for state in machine.states {
            assert!(
                reached.contains(state.code),
                "{}: {}",
                machine.name,
                state.code
            );
        }
    }
}

#[test]
fn an_end_is_reached_from_every_open_state() {
    for machine in ALL {
        for state in machine.states.iter().filter(|state| state.open) {
            let reached = reachable(machine, &[state.code], |_| true);
            let ends = reached.iter().any(|code| !machine.is_open(code));
            assert!(ends, "{}: {}", machine.name, state.code);
        }
    }
}

#[test]
fn each_machine_belongs_to_a_kind_and_its_events_are_those_of_its_arrows() {
    for machine in ALL {
        let kind = kinds::ALL
            .iter()
            .find(|kind| kind.machine == Some(*machine));
        let kind = kind.unwrap_or_else(|| unreachable!("{} has a kind", machine.name));
        let declared: BTreeSet<_> = events(kind.number).iter().map(|event| event.code).collect();
        let used: BTreeSet<_> = machine
            .transitions
            .iter()
            .map(|arrow| arrow.event)
            .collect();
        assert_eq!(declared, used, "{}", machine.name);
        assert_eq!(
            declared.len(),
            events(kind.number).len(),
            "{}",
            machine.name
        );
    }
}

#[test]
fn what_a_step_sets_exists_on_both_sides_and_fits() {
    for kind in kinds::ALL.iter().filter(|kind| kind.machine.is_some()) {
        let machine = kind
            .machine
            .unwrap_or_else(|| unreachable!("just filtered"));
        for arrow in machine.transitions {
            for setting in sets(kind.number, arrow) {
                let from = kinds::step::KIND.field(setting.from);
                let to = kind.field(setting.to);
                let (Some(from), Some(to)) = (from, to) else {
                    unreachable!("{}: {setting:?}", arrow.event)
                };
                let fits = from.of == to.of || is_text(from) && is_text_or_code(to);
                assert!(
                    fits,
                    "{} {}: {} into {}",
                    kind.name, arrow.event, from.name, to.name
                );
            }
        }
    }
}

fn is_text(field: &crate::kind::Field) -> bool {
    matches!(field.of, crate::kind::FieldType::Text(_))
}

fn is_text_or_code(field: &crate::kind::Field) -> bool {
    is_text(field) || matches!(field.of, crate::kind::FieldType::Code(_))
}
