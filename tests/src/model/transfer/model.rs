//! The offices, their queues and the hub as a model: who may write what when, and what must hold.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use domain::decide::Verdict;
use domain::kinds::member;
use domain::machines::member_status;
use domain::machines::transfer::{MACHINE, event, state};
use stateright::{Model, Property};

use super::hub::Hub;
use super::properties;
use super::steps::{self, Act, Case, MEMBER, Sent, Who};

/// Changes of one office under way at most: a queue longer than two tells nothing new.
const QUEUE_MAX: usize = 2;

/// The guards of the arrows that are not those of cases between two offices.
const OTHER_VARIANTS: [&str; 3] = [
    "inside one committee",
    "in from outside",
    "the receiver is outside",
];

/// Events that have no bearing on a second case.
const OF_ONE_CASE: [&str; 3] = [
    event::REPORT_LOST,
    event::SEND_RECEIPT,
    event::CONFIRM_RECEIPT,
];

/// What is explored.
#[derive(Debug, Clone, Copy)]
pub struct Transfers {
    /// The cases that may be started.
    pub cases: &'static [Case],
    /// Whether everything may happen: thirty days pass, on which a letter expires; a letter is lost;
    /// receipts; a dispute is ruled on; the member is edited late; anybody sends what leads
    /// nowhere. Else only what has a bearing on a second case.
    pub is_whole: bool,
    /// Changes under way at most, of all offices: two are enough for any two to cross.
    pub under_way: usize,
    /// Whether WEST may be given up, or go up in SOUTH.
    pub may_go: bool,
}

impl Transfers {
    fn may(&self, act: Act) -> bool {
        match act {
            Act::Register | Act::Death | Act::GiveUp | Act::Succeed => true,
            Act::Step(_, event) => self.is_whole || !OF_ONE_CASE.contains(&event),
            Act::Edit | Act::Uphold => self.is_whole,
            // Where the member may move on, the ruling may come too late.
            Act::Overrule => self.is_whole || self.cases.contains(&Case::Onward),
        }
    }

    /// Changes that wait at most.
    const fn waiting_max(&self) -> usize {
        if self.is_whole { 2 } else { 1 }
    }
}

/// What happens next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// Somebody writes what may lead on as far as it knows; it is on its way.
    Write(Who, Act),
    /// The hub takes the first change of a queue.
    Take(Who),
    /// Somebody writes whatever it likes while nothing is under way, and the hub takes it at once.
    Straight(Who, Act),
    /// Thirty days pass.
    DaysPass,
}

/// The hub and the queues.
#[derive(Clone)]
pub struct State {
    pub hub: Arc<Hub>,
    pub day: u8,
    /// By the place of the office in [`Who::ALL`].
    pub queues: [Vec<Sent>; 5],
    /// How many changes each has written.
    written: [u64; 5],
    has_edited: bool,
    /// What the change taken last has shown.
    pub shown: Option<Shown>,
}

/// What a change shows that is seen only when it is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Shown {
    /// A second case was refused because one is open.
    SecondCaseRefused,
    /// Something that waited was applied.
    WaitedFor,
    /// A dispute was to be decided against an acceptance after which the member moved on.
    RulingTooLate,
}

type Essence<'a> = (u64, u8, &'a [Vec<Sent>; 5], bool, Option<Shown>);

impl State {
    fn essence(&self) -> Essence<'_> {
        let (mark, queues) = (self.hub.mark, &self.queues);
        (mark, self.day, queues, self.has_edited, self.shown)
    }

    /// The same, after the hub took a change.
    fn take(mut self, sent: &Sent) -> Self {
        let before = Arc::clone(&self.hub);
        self.hub = Arc::new(before.take(sent, self.day));
        let is_creation = matches!(sent.act, Act::Step(_, event::CREATE));
        let verdict = self.hub.taken[&sent.change.id].verdict;
        let mut released = before.waiting.difference(&self.hub.waiting);
        let is_applied = |id| self.hub.taken[id].verdict == Verdict::Applied;
        if is_creation && verdict == Verdict::SetAside("TRF-001") {
            self.shown = Some(Shown::SecondCaseRefused);
        } else if sent.act == Act::Overrule && verdict == Verdict::SetAside("TRF-019") {
            self.shown = Some(Shown::RulingTooLate);
        } else if released.any(|waiting| is_applied(&waiting.change)) {
            self.shown = Some(Shown::WaitedFor);
        }
        self
    }

    fn under_way(&self) -> usize {
        self.queues.iter().map(Vec::len).sum()
    }

    fn next(&self) -> Self {
        Self {
            shown: None,
            ..self.clone()
        }
    }

    /// The same, after somebody wrote.
    fn write(&self, who: Who, act: Act) -> Option<(Self, Sent)> {
        let mut next = self.next();
        next.written[who as usize] += 1;
        let sequence = next.written[who as usize];
        let sent = steps::write(&self.hub, who, act, self.day, sequence)?;
        next.has_edited |= act == Act::Edit;
        Some((next, sent))
    }

    /// Whether an office would offer this to its clerk: it leads on from what it sees, or from what
    /// may become of that by its own changes under way.
    pub fn is_plausible(&self, who: Who, act: Act) -> bool {
        let queue = &self.queues[who as usize];
        if queue.iter().any(|sent| sent.act == act) {
            return false;
        }
        let record = self.hub.record(MEMBER);
        match act {
            Act::Register => record.is_none(),
            Act::Edit => !self.has_edited && (record.is_some() || !queue.is_empty()),
            Act::Death => record.is_some_and(|record| {
                let status = record.text(member::STATUS).unwrap_or_default();
                !member_status::ENDED.contains(&status)
            }),
            Act::GiveUp | Act::Succeed => {
                let goes = |sent: &Sent| matches!(sent.act, Act::GiveUp | Act::Succeed);
                self.hub.west() == "active" && !queue.iter().any(goes)
            }
            // One ruling at a time: two under way might be about one dispute or about two.
            Act::Uphold | Act::Overrule => {
                let is_ruling = |sent: &Sent| matches!(sent.act, Act::Uphold | Act::Overrule);
                self.hub.first_dispute().is_some() && !queue.iter().any(is_ruling)
            }
            Act::Step(case, event) => {
                let own = queue.iter().filter_map(|sent| match sent.act {
                    Act::Step(of, event) if of == case => Some(event),
                    _ => None,
                });
                let mut seen = self.hub.state(case).into_iter().collect::<Vec<_>>();
                for event in own {
                    let led = leads(&self.hub, who, case, &seen, event);
                    seen = if led.is_empty() { seen } else { led };
                }
                !leads(&self.hub, who, case, &seen, event).is_empty()
            }
        }
    }
}

/// Whether it is written only where it leads on.
const fn is_once(act: Act) -> bool {
    matches!(act, Act::Edit | Act::GiveUp | Act::Succeed)
}

/// Where an event of somebody may lead from one of these states; none of them is a beginning.
fn leads(hub: &Hub, who: Who, case: Case, seen: &[&str], name: &str) -> Vec<&'static str> {
    let mut roles = who.roles(hub, case);
    if name == event::CREATE {
        // The desk starts a case in the origin's place.
        roles = vec![domain::machine::Actor::Owner];
    }
    let arrows = MACHINE.transitions.iter().filter(|arrow| {
        let is_from = match seen {
            [] => arrow.from.is_empty(),
            seen => seen.iter().any(|state| arrow.from.contains(state)),
        };
        let is_other = |guard: &domain::machine::Guard| OTHER_VARIANTS.contains(&guard.name);
        is_from
            && arrow.event == name
            && arrow.by.iter().any(|role| roles.contains(role))
            && !arrow.guards.iter().any(is_other)
    });
    let mut to: Vec<_> = arrows.map(|arrow| arrow.to).collect();
    if to.contains(&state::ISSUED) {
        // A letter to an office inside is delivered by the hub when it is issued.
        to.push(state::IN_TRANSIT);
    }
    to
}

impl PartialEq for State {
    fn eq(&self, other: &Self) -> bool {
        self.essence() == other.essence()
    }
}

impl Eq for State {}

impl Hash for State {
    fn hash<H: Hasher>(&self, hasher: &mut H) {
        self.essence().hash(hasher);
    }
}

impl fmt::Debug for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let cases = Case::ALL.map(|case| self.hub.state(case));
        write!(f, "day {}: {cases:?}", self.day)
    }
}

impl Model for Transfers {
    type State = State;
    type Action = Action;

    fn init_states(&self) -> Vec<State> {
        vec![State {
            hub: Arc::new(Hub::new()),
            day: 0,
            queues: std::array::from_fn(|_| Vec::new()),
            written: [0; 5],
            has_edited: false,
            shown: None,
        }]
    }

    fn actions(&self, state: &State, actions: &mut Vec<Action>) {
        let under_way = state.under_way();
        for who in Who::ALL {
            let queued = state.queues[who as usize].len();
            let acts = steps::acts(who, self.cases, self.may_go).into_iter();
            for act in acts.filter(|act| self.may(*act)) {
                let may_write = under_way < self.under_way && queued < QUEUE_MAX;
                if may_write && state.is_plausible(who, act) {
                    actions.push(Action::Write(who, act));
                } else if self.is_whole && under_way == 0 && !is_once(act) {
                    actions.push(Action::Straight(who, act));
                }
            }
            if queued > 0 {
                actions.push(Action::Take(who));
            }
        }
        let is_telling = matches!(
            state.hub.state(Case::First),
            Some(state::IN_TRANSIT | state::ACCEPTED)
        );
        if self.is_whole && state.day == 0 && is_telling {
            actions.push(Action::DaysPass);
        }
    }

    fn next_state(&self, last: &State, action: Action) -> Option<State> {
        match action {
            Action::Write(who, act) => {
                let (mut next, sent) = last.write(who, act)?;
                next.queues[who as usize].push(sent);
                Some(next)
            }
            Action::Take(who) => {
                let mut next = last.next();
                let sent = next.queues[who as usize].remove(0);
                Some(next.take(&sent))
            }
            Action::Straight(who, act) => {
                let (next, sent) = last.write(who, act)?;
                Some(State {
                    shown: None,
                    ..next.take(&sent)
                })
            }
            Action::DaysPass => {
                let mut next = last.next();
                next.day += 1;
                Some(next)
            }
        }
    }

    fn within_boundary(&self, state: &State) -> bool {
        state.hub.waiting.len() <= self.waiting_max()
    }

    fn properties(&self) -> Vec<Property<Self>> {
        let mut properties = properties::always();
        properties.extend(properties::sometimes(self));
        properties
    }
}
