//! Every machine: constant tables of which event leads from which state to which.
//!
//! A table is read like the tables of `domain.md`: `from [A, B] on EVENT by [Owner] if [GUARD] to C
//! doing [Effect];`. An empty `from` is a beginning. Where several arrows have the same state and
//! event, the first whose guards hold is taken; a guard without a code only chooses between arrows.
//!
//! What a step's arguments set on its subject is a table as well ([`sets`]), so that the hub
//! applies any step of any machine in one way.

use crate::kinds;
use crate::machine::{Effect, Guard, Machine, Situation, Transition};
use crate::record::Record;

/// The states of a machine: a module `state` with their codes, and `STATES` in the same order.
macro_rules! states {
    ($( $konst:ident = $zh:literal, $en:literal, $open:ident; )+) => {
        /// The codes of the states.
        pub mod state {
            $(
                #[doc = concat!($en, " (", $zh, ").")]
                pub const $konst: &str = stringify!($konst);
            )+
        }

        /// The states, in the order of the drawing.
        pub const STATES: &[crate::machine::State] = &[$(
            crate::machine::State {
                code: state::$konst,
                zh: $zh,
                en: $en,
                open: states!(@ $open),
            }
        ),+];
    };
    (@ open) => { true };
    (@ end) => { false };
}

/// The events of a machine: a module `event` with their codes, and `EVENTS` with their names.
macro_rules! events {
    ($( $konst:ident = $code:literal, $zh:literal, $en:literal; )+) => {
        /// The codes of the events.
        pub mod event {
            $(
                #[doc = concat!($en, " (", $zh, ").")]
                pub const $konst: &str = $code;
            )+
        }

        /// The events with their names.
        pub const EVENTS: &[crate::machines::Event] = &[$(
            crate::machines::Event { code: event::$konst, zh: $zh, en: $en }
        ),+];
    };
}

/// The arrows of a machine, a line each.
macro_rules! arrows {
    ($(
        from [$($from:ident),*] on $event:ident by [$($actor:ident),+]
        $(if [$($guard:ident),+])? to $to:ident $(doing [$($effect:ident),+])?;
    )+) => {
        &[$(
            crate::machine::Transition {
                from: &[$(state::$from),*],
                event: event::$event,
                zh: crate::machines::zh_of(EVENTS, event::$event),
                by: &[$(crate::machine::Actor::$actor),+],
                guards: &[$($($guard),+)?],
                to: state::$to,
                effects: &[$($(crate::machine::Effect::$effect),+)?],
            }
        ),+]
    };
}

pub mod activity;
pub mod letter;
pub mod member_status;
pub mod messages;
pub mod participation;
#[cfg(test)]
pub(crate) mod testing;
#[cfg(test)]
mod tests;
pub mod transfer;

/// An event's code and names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Event {
    /// The code that a step carries.
    pub code: &'static str,
    /// Its name in Chinese.
    pub zh: &'static str,
    /// Its name in English.
    pub en: &'static str,
}

/// One argument of a step on its way into the subject.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Setting {
    /// The step's field.
    pub from: u16,
    /// The subject's field.
    pub to: u16,
    /// Whether an empty argument clears the field; else it leaves it as it is.
    pub clears: bool,
}

/// What an event sets besides the state: pairs of a step's field and the subject's.
pub type Sets = (&'static str, &'static [(u16, u16)]);

/// Every machine.
pub const ALL: &[&Machine] = &[
    &transfer::MACHINE,
    &letter::MACHINE,
    &member_status::MACHINE,
    &participation::MACHINE,
    &activity::MACHINE,
];

/// The machine with this name.
pub fn by_name(name: &str) -> Option<&'static Machine> {
    ALL.iter().find(|machine| machine.name == name).copied()
}

/// The text of a refusal in Chinese and in English, with its places in braces.
pub fn messages(code: &str) -> Option<(&'static str, &'static str)> {
    messages::tables()
        .flatten()
        .find(|(known, _, _)| *known == code)
        .map(|(_, zh, en)| (*zh, *en))
}

/// The text of a refusal where nothing is known to put into its places: they read as an ellipsis.
pub fn plain_messages(code: &str) -> Option<(String, String)> {
    filled_messages(code, &[])
}

/// The text of a refusal in Chinese and in English, with what is known in its places: pairs of a
/// place's name and its text. The others read as an ellipsis.
pub fn filled_messages(code: &str, known: &[(&str, &str)]) -> Option<(String, String)> {
    let fill = |text: &str| {
        let mut out = String::with_capacity(text.len());
        let mut rest = text;
        while let Some((before, after)) = rest.split_once('{') {
            let (place, after) = after.split_once('}').unwrap_or((after, ""));
            let found = known.iter().find(|(name, _)| *name == place);
            out.push_str(before);
            out.push_str(found.map_or("…", |(_, text)| text));
            rest = after;
        }
        out.push_str(rest);
        out
    };
    messages(code).map(|(zh, en)| (fill(zh), fill(en)))
}

/// The events of the kind with this number, for the list that a person sees.
pub fn events(kind: u16) -> &'static [Event] {
    match kind {
        kinds::transfer::KIND_NUMBER => transfer::EVENTS,
        kinds::letter::KIND_NUMBER => letter::EVENTS,
        kinds::member::KIND_NUMBER => member_status::EVENTS,
        kinds::participation::KIND_NUMBER => participation::EVENTS,
        kinds::activity::KIND_NUMBER => activity::EVENTS,
        _ => &[],
    }
}

/// What an arrow sets on a subject of the kind with this number, besides the state; nothing where
/// the step only opens a dispute beside the subject.
pub fn sets(kind: u16, arrow: &Transition) -> Vec<Setting> {
    if arrow.effects.contains(&Effect::OpenDispute) {
        return Vec::new();
    }
    let (always, by_event): (&[(u16, u16)], &[Sets]) = match kind {
        kinds::transfer::KIND_NUMBER => (transfer::SETS_ALWAYS, transfer::SETS),
        kinds::letter::KIND_NUMBER => (letter::SETS_ALWAYS, letter::SETS),
        kinds::member::KIND_NUMBER => (member_status::SETS_ALWAYS, member_status::SETS),
        kinds::participation::KIND_NUMBER => (participation::SETS_ALWAYS, participation::SETS),
        kinds::activity::KIND_NUMBER => (activity::SETS_ALWAYS, activity::SETS),
        _ => (&[], &[]),
    };
    let setting = |clears| {
        move |(from, to): &(u16, u16)| Setting {
            from: *from,
            to: *to,
            clears,
        }
    };
    let of_event = by_event.iter().filter(|(name, _)| *name == arrow.event);
    let pairs = of_event.flat_map(|(_, pairs)| pairs.iter());
    always
        .iter()
        .map(setting(true))
        .chain(pairs.map(setting(false)))
        .collect()
}

/// What a record that begins by its creation says as its first step: pairs of a step's field and the
/// record's own.
pub fn begins(kind: u16) -> &'static [(u16, u16)] {
    match kind {
        kinds::member::KIND_NUMBER => member_status::BEGINS,
        kinds::participation::KIND_NUMBER => participation::BEGINS,
        kinds::activity::KIND_NUMBER => activity::BEGINS,
        _ => &[],
    }
}

/// A guard: the question, the code that refuses, and the answer.
const fn guard(name: &'static str, code: &'static str, holds: fn(&Situation<'_>) -> bool) -> Guard {
    Guard { name, code, holds }
}

/// The Chinese name of an event; none of it if the event is not in the list, which a test refuses.
const fn zh_of(events: &'static [Event], code: &str) -> &'static str {
    let mut at = 0;
    while at < events.len() {
        if same(events[at].code, code) {
            return events[at].zh;
        }
        at += 1;
    }
    ""
}

const fn same(one: &str, other: &str) -> bool {
    let (one, other) = (one.as_bytes(), other.as_bytes());
    if one.len() != other.len() {
        return false;
    }
    let mut at = 0;
    while at < one.len() {
        if one[at] != other[at] {
            return false;
        }
        at += 1;
    }
    true
}

/// Whether the step says something in this field.
fn given(situation: &Situation<'_>, field: u16) -> bool {
    situation.step.value(field).is_some()
}

/// The step's value of an argument, or the subject's where the step leaves it empty.
fn argument<'a>(situation: &Situation<'a>, of_step: u16, of_subject: u16) -> Option<&'a str> {
    let (step, subject): (&'a Record, &'a Record) = (situation.step, situation.subject);
    step.text(of_step).or_else(|| subject.text(of_subject))
}

/// The date in a field; none if there is no value, or only a month.
fn date(record: &Record, field: u16) -> Option<jiff::civil::Date> {
    record.text(field)?.parse().ok()
}
