//! The office's machines, the line and the hub as a model: what may happen when, and what must hold.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;

use stateright::{Model, Property};

use super::change::person;
use super::hub::{Answer, Hub, Request};
use super::node::{Machine, Store};

/// Rounds of whole sessions on a quiet line after which everything is settled.
const ROUNDS_MAX: usize = 6;
/// Messages of one session on a quiet line.
const MESSAGES_MAX: usize = 32;

/// What may happen, and how often.
#[derive(Debug, Clone, Copy, Default)]
pub struct Sessions {
    /// Changes that the office writes.
    pub writes: u8,
    /// Sessions begun.
    pub greetings: u8,
    /// Sessions cut, whether the request or the answer is lost.
    pub cuts: u8,
    /// Messages that arrive once more, or only, later.
    pub late: u8,
    /// Rollbacks of the first machine's store to a copy taken before.
    pub rollbacks: u8,
    /// Copies of the whole folder.
    pub copies: u8,
    /// Restores of the hub from a backup.
    pub restores: u8,
    /// Recoveries that a person ends.
    pub ends: u8,
    /// Edits at the desk.
    pub desk: u8,
    /// Whether a session is one step: for long histories, where what happens within one is left to
    /// the others.
    pub is_coarse: bool,
}

/// Nothing may happen.
pub const NOTHING: Sessions = Sessions {
    writes: 0,
    greetings: 0,
    cuts: 0,
    late: 0,
    rollbacks: 0,
    copies: 0,
    restores: 0,
    ends: 0,
    desk: 0,
    is_coarse: false,
};

/// What happens next; a number names the machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// The machine's clerk edits the common record.
    Edit(usize),
    /// The machine's clerk enters a new one.
    Enter(usize),
    /// A session begins.
    Begin(usize),
    /// A whole session.
    Session(usize),
    /// The hub takes what the machine sent.
    Deliver(usize),
    /// The machine takes the answer.
    Take(usize),
    /// The session is cut.
    Cut(usize),
    /// A copy of what the machine sent stays on the way.
    Linger(usize),
    /// The hub takes what stayed on the way; nobody hears the answer.
    Late,
    /// A copy of the first machine's database is put by.
    Keep,
    /// It is put back. The key file stays.
    RollBack,
    /// The first machine's folder is copied to a second one.
    Copy,
    /// The hub is backed up.
    Backup,
    /// The backup is put back.
    Restore,
    /// A person ends the hub's recovery.
    End,
    /// The desk edits the common record.
    Desk,
}

/// Everything.
#[derive(Clone)]
pub struct World {
    pub hub: Hub,
    pub machines: Vec<Machine>,
    late: Vec<Request>,
    kept: Option<Arc<Store>>,
    backup: Option<Arc<Hub>>,
    nonce: u8,
    edits: u8,
    left: Sessions,
    /// A change was nowhere any more although no store was rolled back.
    has_lost: bool,
    /// Whether a message that came late was answered, or refused.
    came_late: Option<bool>,
}

impl World {
    fn new(left: Sessions) -> Self {
        let mut world = Self {
            hub: Hub::new(),
            machines: vec![Machine::new()],
            late: Vec::new(),
            kept: None,
            backup: None,
            nonce: 0,
            edits: 0,
            left,
            has_lost: false,
            came_late: None,
        };
        // The common record is there, and everybody has it.
        world.edit(0, Some(1));
        world.session(0);
        world
    }

    fn edit(&mut self, machine: usize, record: Option<u8>) {
        self.edits += 1;
        let key = person(record.unwrap_or(self.edits + 1));
        self.machines[machine].write(key, self.edits);
    }

    fn take(&mut self, machine: usize) {
        self.machines[machine].take(&mut self.hub, &mut self.nonce);
    }

    fn deliver(&mut self, machine: usize) {
        let machine = &mut self.machines[machine];
        if let Some(request) = &machine.waits {
            machine.answer = Some(self.hub.answer(request));
        }
    }

    /// A whole session on a quiet line.
    fn session(&mut self, machine: usize) {
        self.machines[machine].cut();
        self.machines[machine].begin(&mut self.nonce);
        for _ in 0..MESSAGES_MAX {
            self.deliver(machine);
            self.take(machine);
        }
    }

    /// Every edit that somebody has: the hub in a journal, or a machine in its own.
    fn held(&self) -> BTreeSet<u8> {
        let at_hub = self
            .hub
            .journals
            .values()
            .flat_map(|journal| &journal.entries);
        let stores = self.machines.iter().map(|machine| &machine.store);
        let at_office = stores.flat_map(|store| store.journal.values());
        at_hub.chain(at_office).map(|entry| entry.edit()).collect()
    }

    /// What becomes of this state on a quiet line; a person names the first machine of two.
    fn healed(&self) -> Self {
        let mut world = self.clone();
        world.late.clear();
        for _ in 0..ROUNDS_MAX {
            for machine in 0..world.machines.len() {
                world.session(machine);
            }
            if world.machines.iter().any(|machine| machine.is_copy) {
                let named = world.machines.iter().find(|machine| !machine.is_copy);
                let epoch = named.unwrap_or(&world.machines[0]).epoch();
                world.hub.name(epoch);
            }
        }
        world
    }

    fn is_equal(&self, machine: &Machine) -> bool {
        let store = &machine.store;
        let mut at_hub = self.hub.shown();
        store.pending.is_empty()
            && store.digest == self.hub.digest
            && at_hub.all(|record| store.rows.get(&record.key) == Some(record))
    }

    /// Whether the quiet line leads to equal stores in which every edit has had its one effect, or
    /// is kept.
    fn heals(&self) -> Result<(), &'static str> {
        let healed = self.healed();
        let mut applied = healed.machines.iter().filter(|machine| !machine.is_copy);
        if healed.machines.iter().all(|machine| machine.is_copy) {
            return Err("every machine is locked out");
        }
        if !applied.all(|machine| healed.is_equal(machine)) {
            return Err("stores are not equal");
        }
        let held = healed.held();
        if self.held().iter().any(|edit| !held.contains(edit)) {
            return Err("a change has vanished");
        }
        let kept_only = |edit: &u8| {
            let kept = healed
                .hub
                .journals
                .values()
                .filter(|journal| journal.is_kept_only);
            kept.flat_map(|journal| &journal.entries)
                .any(|entry| entry.edit() == *edit)
        };
        // A stopped copy whose own store was rolled back keeps what it cannot send.
        let kept_there = |edit: &u8| {
            let mut copies = healed.machines.iter().filter(|machine| machine.is_copy);
            copies.any(|machine| machine.store.pends(*edit))
        };
        let is_settled =
            |edit: &u8| healed.hub.decided.contains(edit) || kept_only(edit) || kept_there(edit);
        if !self.held().iter().all(is_settled) {
            return Err("a change is never decided");
        }
        if healed.hub.has_dropped {
            return Err("a change passed for one that was decided before");
        }
        if healed.has_two_effects() {
            return Err("a change has two effects");
        }
        Ok(())
    }

    fn has_two_effects(&self) -> bool {
        self.hub.effects.values().any(|effects| effects.len() > 1)
    }

    fn sees(&self, what: impl Fn(&Machine) -> bool) -> bool {
        self.machines.iter().any(what)
    }

    fn mark(&self) -> u64 {
        let mut hasher = DefaultHasher::new();
        self.hub.hash(&mut hasher);
        for machine in &self.machines {
            machine.store.hash(&mut hasher);
            machine.hash_session(&mut hasher);
        }
        format!("{:?}", self.late).hash(&mut hasher);
        self.kept.hash(&mut hasher);
        self.backup.hash(&mut hasher);
        (
            self.edits,
            self.has_lost,
            self.came_late,
            format!("{:?}", self.left),
        )
            .hash(&mut hasher);
        hasher.finish()
    }
}

impl PartialEq for World {
    fn eq(&self, other: &Self) -> bool {
        self.mark() == other.mark()
    }
}

impl Eq for World {}

impl Hash for World {
    fn hash<H: Hasher>(&self, hasher: &mut H) {
        self.mark().hash(hasher);
    }
}

impl fmt::Debug for World {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let epochs: Vec<_> = self.machines.iter().map(Machine::epoch).collect();
        let ends: BTreeMap<_, _> = self
            .hub
            .journals
            .iter()
            .map(|(e, j)| (e, j.entries.len()))
            .collect();
        write!(f, "epochs {epochs:?}, hub {ends:?}, {:?}", self.heals())
    }
}

impl Model for Sessions {
    type State = World;
    type Action = Action;

    fn init_states(&self) -> Vec<World> {
        vec![World::new(*self)]
    }

    fn actions(&self, world: &World, actions: &mut Vec<Action>) {
        let left = &world.left;
        for (number, machine) in world.machines.iter().enumerate() {
            if left.writes > 0 {
                actions.extend([Action::Edit(number), Action::Enter(number)]);
            }
            match (&machine.waits, &machine.answer) {
                (None, _) if left.greetings > 0 && self.is_coarse => {
                    actions.push(Action::Session(number));
                }
                (None, _) if left.greetings > 0 => actions.push(Action::Begin(number)),
                (None, _) => {}
                (Some(_), None) => actions.push(Action::Deliver(number)),
                (Some(_), Some(_)) => actions.push(Action::Take(number)),
            }
            if machine.waits.is_some() && left.cuts > 0 {
                actions.push(Action::Cut(number));
            }
            if machine.waits.is_some() && machine.answer.is_none() && left.late > 0 {
                actions.push(Action::Linger(number));
            }
        }
        let is_idle = world.machines[0].waits.is_none();
        let others = [
            (!world.late.is_empty(), Action::Late),
            (
                left.rollbacks > 0 && is_idle && world.kept.is_none(),
                Action::Keep,
            ),
            (
                left.rollbacks > 0 && is_idle && world.kept.is_some(),
                Action::RollBack,
            ),
            (left.copies > 0 && is_idle, Action::Copy),
            (left.restores > 0 && world.backup.is_none(), Action::Backup),
            (left.restores > 0 && world.backup.is_some(), Action::Restore),
            (left.ends > 0 && world.hub.is_recovering, Action::End),
            (left.desk > 0 && !world.hub.is_recovering, Action::Desk),
        ];
        actions.extend(
            others
                .iter()
                .filter(|(may, _)| *may)
                .map(|(_, action)| *action),
        );
    }

    fn next_state(&self, last: &World, action: Action) -> Option<World> {
        let mut world = last.clone();
        match action {
            Action::Edit(number) => {
                world.left.writes -= 1;
                world.edit(number, Some(1));
            }
            Action::Enter(number) => {
                world.left.writes -= 1;
                world.edit(number, None);
            }
            Action::Begin(number) => {
                world.left.greetings -= 1;
                world.machines[number].begin(&mut world.nonce);
            }
            Action::Session(number) => {
                world.left.greetings -= 1;
                world.session(number);
            }
            Action::Deliver(number) => world.deliver(number),
            Action::Take(number) => world.take(number),
            Action::Cut(number) => {
                world.left.cuts -= 1;
                world.machines[number].cut();
            }
            Action::Linger(number) => {
                world.left.late -= 1;
                world.late.extend(world.machines[number].waits.clone());
            }
            Action::Late => {
                let request = world.late.remove(0);
                let answer = world.hub.answer(&request);
                world.came_late = Some(!matches!(answer, Answer::Refused));
            }
            Action::Keep => world.kept = Some(Arc::clone(&world.machines[0].store)),
            Action::RollBack => {
                world.left.rollbacks -= 1;
                world.machines[0].store = world.kept.take()?;
            }
            Action::Copy => {
                world.left.copies -= 1;
                world.machines.push(world.machines[0].clone());
            }
            Action::Backup => world.backup = Some(Arc::new(world.hub.clone())),
            Action::Restore => {
                world.left.restores -= 1;
                let backup = world.backup.take()?;
                world.hub.restore(&backup);
            }
            Action::End => {
                world.left.ends -= 1;
                world.hub.end_recovery();
            }
            Action::Desk => {
                world.left.desk -= 1;
                world.edits += 1;
                world.hub.desk(world.edits);
            }
        }
        // What an office's store has lost, a hub that is put back may lose for good.
        let may_lose = match action {
            Action::RollBack => true,
            Action::Restore => last.left.rollbacks < self.rollbacks,
            _ => false,
        };
        if !may_lose {
            world.has_lost |= !last.held().is_subset(&world.held());
        }
        Some(world)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        let mut properties = vec![
            Property::always("no change vanishes", |_, world: &World| !world.has_lost),
            Property::always("no change has two effects", |_, world: &World| {
                !world.has_two_effects()
            }),
            Property::always(
                "what went on together is the same history",
                |_, world: &World| !world.sees(|machine| machine.seen.has_mistaken),
            ),
            Property::always(
                "pending goes only when it is decided",
                |_, world: &World| !world.sees(|machine| machine.seen.has_dropped_undecided),
            ),
            // After a restore a node may hold what it cannot prove: repairs are for that.
            Property::always(
                "digests at the head are equal",
                |model: &Self, world: &World| {
                    model.restores > 0 || !world.sees(|machine| machine.seen.has_digest_differed)
                },
            ),
            Property::always(
                "a quiet line leads to equal stores and loses nothing",
                |_, world: &World| world.heals().is_ok(),
            ),
            Property::sometimes("everything is spent and settled", |_, world: &World| {
                world.left.writes == 0 && world.machines.iter().all(|m| world.is_equal(m))
            }),
        ];
        properties.extend(self.histories());
        properties
    }
}

impl Sessions {
    /// What must be reached, so that it is known to have been tried.
    fn histories(&self) -> Vec<Property<Self>> {
        let mut reached: Vec<Property<Self>> = Vec::new();
        if self.rollbacks + self.copies > 0 {
            reached.push(Property::sometimes("a later epoch", |_, world: &World| {
                world.machines[0].epoch() > 1
            }));
        }
        if self.copies > 0 && self.is_coarse {
            reached.push(Property::sometimes(
                "a copy is stopped",
                |_, world: &World| world.sees(|machine| machine.is_copy),
            ));
        }
        if self.late > 0 {
            reached.push(Property::sometimes(
                "a message came late",
                |_, world: &World| world.came_late == Some(true),
            ));
        }
        if self.late > 0 && self.restores > 0 {
            reached.push(Property::sometimes(
                "a call of a former incarnation is refused",
                |_, world: &World| world.came_late == Some(false),
            ));
        }
        if self.restores > 0 {
            reached.push(Property::sometimes(
                "the hub recovers",
                |_, world: &World| world.hub.is_recovering,
            ));
        }
        if self.restores > 0 && self.rollbacks > 0 {
            reached.push(Property::sometimes(
                "a store and the hub were put back",
                |model: &Self, world: &World| {
                    let left = world.left;
                    left.rollbacks < model.rollbacks && left.restores < model.restores
                },
            ));
        }
        if self.ends > 0 {
            reached.push(Property::sometimes(
                "a person has ended a recovery",
                |model: &Self, world: &World| world.left.ends < model.ends,
            ));
        }
        reached
    }
}
