//! What the tests of all machines share.

use std::collections::{BTreeMap, BTreeSet};

use jiff::civil::{Date, date};

use crate::id::{OfficeId, RecordId};
use crate::kinds::step;
use crate::machine::{Actor, Facts, Machine, Refused, Situation, Transition};
use crate::record::{Life, Record, RecordKey, Version};

/// For each state (`-` for a beginning) the arrows that leave it, `event→STATE`.
pub type Table<'a> = &'a [(&'a str, &'a [&'a str])];

/// The machine has exactly these arrows; every other pair of state and event is refused.
pub fn has_exactly(machine: &Machine, table: Table<'_>) {
    let mut wanted = BTreeMap::new();
    for (state, arrows) in table {
        let arrows: BTreeSet<String> = arrows.iter().map(|arrow| (*arrow).to_owned()).collect();
        assert!(
            wanted.insert((*state).to_owned(), arrows).is_none(),
            "{state} stands twice"
        );
    }
    let mut found: BTreeMap<String, BTreeSet<String>> = machine
        .states
        .iter()
        .map(|state| (state.code.to_owned(), BTreeSet::new()))
        .collect();
    found.insert("-".to_owned(), BTreeSet::new());
    for arrow in machine.transitions {
        let from = if arrow.from.is_empty() {
            &["-"]
        } else {
            arrow.from
        };
        for state in from {
            let arrows = found.entry((*state).to_owned()).or_default();
            arrows.insert(format!("{}→{}", arrow.event, arrow.to));
        }
    }
    for (state, arrows) in &found {
        assert_eq!(wanted.get(state), Some(arrows), "arrows of {state}");
    }
    assert_eq!(wanted.len(), found.len(), "states in the table");
}

/// The states that can be reached from these by arrows that `usable` admits.
pub fn reachable<'a>(
    machine: &'a Machine,
    from: &[&'a str],
    usable: impl Fn(&Transition) -> bool,
) -> BTreeSet<&'a str> {
    let mut seen: BTreeSet<&str> = from.iter().copied().collect();
    loop {
        let size = seen.len();
        for arrow in machine.transitions.iter().filter(|arrow| usable(arrow)) {
            if arrow.from.iter().any(|state| seen.contains(state)) {
                seen.insert(arrow.to);
            }
        }
        if seen.len() == size {
            return seen;
        }
    }
}

/// A record of some kind with these fields.
pub fn record(kind: u16, id: u8, fields: &[(u16, &str)]) -> Record {
    let mut record = Record {
        key: RecordKey {
            kind,
            id: RecordId::new([id; 16]),
        },
        class: crate::kind::Class::Case,
        office: OfficeId::new([1; 16]),
        revision: 1,
        life: Life::Alive,
        life_version: Version::default(),
        fields: BTreeMap::new(),
    };
    for (number, value) in fields {
        record.set(*number, *value, Version::default());
    }
    record
}

/// A step with these arguments.
pub fn a_step(arguments: &[(u16, &str)]) -> Record {
    record(step::KIND_NUMBER, 9, arguments)
}

/// The day on which the tests' steps are taken.
pub const TODAY: Date = date(2026, 11, 23);

/// One attempt at an event.
#[derive(Clone, Copy)]
pub struct Attempt<'a> {
    /// The machine.
    pub machine: &'a Machine,
    /// The state; `-` for a beginning.
    pub state: &'a str,
    /// What the subject says.
    pub subject: &'a [(u16, &'a str)],
    /// Who acts.
    pub actor: Actor,
    /// What else is known.
    pub facts: Facts,
    /// When.
    pub date: Date,
}

impl Attempt<'_> {
    /// The arrow that the event takes with these arguments.
    pub fn take(
        &self,
        event: &str,
        arguments: &[(u16, &str)],
    ) -> Result<&'static Transition, Refused> {
        let subject = record(0, 1, self.subject);
        let step = a_step(arguments);
        let situation = Situation {
            subject: &subject,
            step: &step,
            actor: self.actor,
            date: self.date,
            facts: &self.facts,
        };
        let state = (self.state != "-").then_some(self.state);
        self.machine.step(state, event, &situation)
    }

    /// The state that the event leads to, or the code with which it is refused.
    pub fn result(
        &self,
        event: &str,
        arguments: &[(u16, &str)],
    ) -> Result<&'static str, &'static str> {
        match self.take(event, arguments) {
            Ok(arrow) => Ok(arrow.to),
            Err(refused) => Err(self.machine.code(refused)),
        }
    }
}
