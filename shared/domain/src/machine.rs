//! Machines as constant tables: which event leads from which state to which, who may cause it, and
//! under which named guards.
//!
//! The drawing in a machine's module, the list of allowed events that a person sees, the documents
//! and the model checker all come from the same table.

use jiff::civil::Date;

use crate::record::Record;

/// Who takes a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Actor {
    /// The office that the subject belongs to, or the origin of a transfer.
    Owner,
    /// The organisation that a transfer goes to.
    Receiver,
    /// An organisation above the origin, or the hub's desk for it.
    Authority,
    /// The hub itself, by rule (delivery, expiry, change of status).
    Hub,
    /// An office that held the member once and does not now (`sync.md` 5).
    Former,
}

/// What a step knows besides the subject and itself; filled in by the hub from its records, and by a
/// node from what it sees.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[allow(
    clippy::struct_excessive_bools,
    reason = "independent answers, each to one guard"
)]
pub struct Facts {
    /// The acting organisation may admit members (`domain.md` 1.1, fact 3).
    pub can_admit_members: bool,
    /// Another case for the same member is open.
    pub other_open_case: bool,
    /// The member is in a living status and held by the origin.
    pub member_active: bool,
    /// The organisation named for placement belongs to the receiver and is active.
    pub branch_of_receiver: bool,
    /// The receiver works in this system.
    pub receiver_inside: bool,
    /// The member's probation was over when the step was taken and nothing was decided.
    pub probation_overdue: bool,
    /// The step's recorder is the person whose record it is.
    pub recorder_is_subject: bool,
    /// Working days from the end of the activity to the step.
    pub working_days_since: i64,
    /// Working days for which volunteer hours hang on public notice; 0: publicity is switched off.
    pub publicity_days: i64,
    /// The activity that a volunteer enrols for is planned or announced.
    pub activity_open: bool,
    /// An organisation of the case is gone and has a successor.
    pub is_succeeded: bool,
    /// The organisation of a batch may move where the batch says.
    pub may_move: bool,
    /// No more members move at once than one decision takes.
    pub batch_fits: bool,
    /// The person is a member already.
    pub is_member: bool,
    /// The person was a member once, and that membership has ended.
    pub was_member: bool,
}

/// Everything that a guard may look at.
#[derive(Debug, Clone, Copy)]
pub struct Situation<'a> {
    /// The record whose machine moves.
    pub subject: &'a Record,
    /// The step's own record (fields of the kind `step`).
    pub step: &'a Record,
    /// Who acts.
    pub actor: Actor,
    /// The step's China date, at most the date received.
    pub date: Date,
    /// What else is known.
    pub facts: &'a Facts,
}

/// A condition with a name and the code with which it refuses.
#[derive(Clone, Copy)]
pub struct Guard {
    /// What it asks, as a short sentence.
    pub name: &'static str,
    /// The refusal's code (`domain.md`, e.g. `TRF-002`); empty for a guard that only chooses
    /// between arrows, whose failing means that the arrow is not this subject's.
    pub code: &'static str,
    /// Whether it holds.
    pub holds: fn(&Situation<'_>) -> bool,
}

impl PartialEq for Guard {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}

impl std::fmt::Debug for Guard {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name)
    }
}

/// A state's code and names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct State {
    /// The code that is stored.
    pub code: &'static str,
    /// Its name in Chinese.
    pub zh: &'static str,
    /// Its name in English.
    pub en: &'static str,
    /// Whether the machine can still move by itself to an end (an open case).
    pub open: bool,
}

/// One arrow.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Transition {
    /// The states that it leads from; empty for a beginning.
    pub from: &'static [&'static str],
    /// The event.
    pub event: &'static str,
    /// The event's name in Chinese.
    pub zh: &'static str,
    /// Who may cause it.
    pub by: &'static [Actor],
    /// What must hold, in the order in which refusals are given.
    pub guards: &'static [Guard],
    /// The state that it leads to.
    pub to: &'static str,
    /// What must happen besides, by name; the hub's decision carries it out.
    pub effects: &'static [Effect],
}

/// What a step does besides moving the state.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Effect {
    /// The letter's number is used, the last valid date is set.
    IssueLetter,
    /// The letter becomes void.
    VoidLetter,
    /// The letter is used.
    UseLetter,
    /// The member moves to the receiver: tenure, person, feeds, stub.
    MoveMember,
    /// The member leaves the system: the tenure closes outwards.
    CloseOutwards,
    /// The member comes from outside: a record and a tenure are opened or opened again.
    TakeIn,
    /// A finished move is taken back by a compensating tenure.
    Compensate,
    /// The receiver's snapshot is reduced to number, name and outcome.
    WithdrawSnapshot,
    /// The member's tenure closes because of the status.
    CloseTenure,
    /// The category or status of the member is set.
    SetStatus,
    /// Every member of the batch's organisation moves, all or nothing.
    MoveOrganisation,
    /// The letter has passed its last valid day.
    ExpireLetter,
    /// The letter was reported lost and may not be received.
    SuspendLetter,
    /// A lost or expired letter is valid again.
    RestoreLetter,
    /// A dispute is opened beside the case, which stands.
    OpenDispute,
    /// The case that this dispute names is revoked by the same decision.
    RevokeDisputed,
    /// The organisations of the case that are gone are replaced by their successors.
    Repoint,
    /// The member's open transfer is closed because of the status.
    CloseCase,
}

/// Why a step is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refused {
    /// No arrow with this event leads from this state (`TRF-011` and its like).
    NotAllowed,
    /// There is an arrow, but not for this actor.
    WrongActor,
    /// A guard does not hold.
    Guard(Guard),
}

impl Eq for Guard {}

/// A machine.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Machine {
    /// Its name.
    pub name: &'static str,
    /// Its states.
    pub states: &'static [State],
    /// Its arrows; several may have the same event and state, the first whose guards hold is taken.
    pub transitions: &'static [Transition],
    /// The code with which an event is refused that the state does not allow.
    pub not_allowed_code: &'static str,
}

impl Machine {
    /// The state with this code.
    pub fn state(&self, code: &str) -> Option<&'static State> {
        self.states.iter().find(|state| state.code == code)
    }

    /// Whether this state is one of an open case.
    pub fn is_open(&self, code: &str) -> bool {
        self.state(code).is_some_and(|state| state.open)
    }

    /// The events that lead on from a state, whoever may cause them.
    pub fn allowed(&self, state: &str) -> Vec<&'static str> {
        let mut events: Vec<_> = self
            .transitions
            .iter()
            .filter(|arrow| arrow.from.contains(&state))
            .map(|arrow| arrow.event)
            .collect();
        events.dedup();
        events
    }

    /// Which arrow an event takes from a state (`None` for a beginning).
    ///
    /// # Errors
    /// The reason of the arrow that came nearest: one for another actor before none at all, one
    /// whose guard failed before one for another actor.
    pub fn step(
        &self,
        state: Option<&str>,
        event: &str,
        situation: &Situation<'_>,
    ) -> Result<&'static Transition, Refused> {
        let mut refused = Refused::NotAllowed;
        for arrow in self.transitions {
            let leads = state.map_or(arrow.from.is_empty(), |s| arrow.from.contains(&s));
            if !leads || arrow.event != event {
                continue;
            }
            if !arrow.by.contains(&situation.actor) {
                if refused == Refused::NotAllowed {
                    refused = Refused::WrongActor;
                }
                continue;
            }
            match arrow.guards.iter().find(|guard| !(guard.holds)(situation)) {
                None => return Ok(arrow),
                Some(guard) if guard.code.is_empty() => {}
                Some(guard) => refused = Refused::Guard(*guard),
            }
        }
        Err(refused)
    }

    /// The code of a refusal.
    pub fn code(&self, refused: Refused) -> &'static str {
        match refused {
            Refused::NotAllowed | Refused::WrongActor => self.not_allowed_code,
            Refused::Guard(guard) => guard.code,
        }
    }
}
