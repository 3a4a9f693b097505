//! Transfers: started, taken on step by step, of one member or of a whole organisation; out of this system, and
//! into it.

use domain::id::RecordId;
use domain::machine::{Actor, Transition};
use domain::machines::transfer::MACHINE;
use serde_json::Value;

use super::{Draw, Line, line_of, words};
use crate::simulation::city::{branch_of, code_of};

/// What a step of a case says of its letter.
const LETTER: &[&str] = &["to_unit=某支部", "addressee=某工委", "dues_paid_to=2026-10"];

/// How far a case has come: the place of its state in the machine's list.
pub(super) fn place_of(state: &str) -> usize {
    let states = MACHINE.states.iter();
    states.take_while(|known| known.code != state).count()
}

impl Draw<'_> {
    fn some_office(&mut self) -> Option<String> {
        let to = usize::try_from(self.chance.below(self.city.size as u64)).ok()?;
        Some(code_of(to))
    }

    pub(super) async fn transfer(&mut self) -> Option<Line> {
        let member = self.pick_id("member").await?;
        let to = self.some_office()?;
        Some((started(&member, Some(&to)), None))
    }

    /// Somebody moves to where nobody works with this system: the letter goes on paper.
    pub(super) async fn transfer_out(&mut self) -> Option<Line> {
        let member = self.pick_id("member").await?;
        Some((started(&member, None), None))
    }

    /// Somebody comes from there with a letter on paper.
    pub(super) fn enter_letter(&mut self) -> Vec<String> {
        let (name, number) = (
            format!("name=来人{}", self.number),
            format!("letter_number=外-{:04}", self.number),
        );
        let from = ["origin=外市某支部", "category=full", "join_date=2018-06-30"];
        let mut line = line_of(&["transfer", "enter-letter", &name, &number]);
        line.extend(line_of(&from));
        line.push("last_valid_date=2027-01-31".to_owned());
        line
    }

    /// A branch goes over to another office, with all its members: an office begins it for one of its own, the
    /// desk for any.
    pub(super) async fn batch(&mut self) -> Option<Line> {
        let all = self.all("organisation").await;
        let own = self.own_office()?;
        let is_active = |one: &&Value| one["state"] == "active";
        let is_office = |one: &Value| one["is_office"] == "1";
        let may_begin = |one: &&Value| {
            let works_through = &one["node_office"];
            let is_theirs = self.office.is_none() || *works_through == own;
            !works_through.is_null() && is_theirs && !is_office(one)
        };
        let branches: Vec<_> = all.iter().filter(is_active).filter(may_begin).collect();
        let moved = *self.chance.one_of(&branches)?;
        let is_other = |one: &&Value| {
            let id = &one["id"];
            is_office(one) && *id != moved["node_office"] && *id != moved["parent"]
        };
        let offices: Vec<_> = all.iter().filter(is_active).filter(is_other).collect();
        let to = self.chance.one_of(&offices)?["code"].as_str()?;
        let moved = moved["code"].as_str()?;
        let line = line_of(&["transfer", "batch", moved, "--to", to]);
        let mut line = self.for_whom(line);
        line.extend(line_of(words::BATCH));
        Some((line, None))
    }

    pub(super) async fn transfer_step(&mut self) -> Option<Line> {
        let (case, event) = if self.chance.happens(200) {
            let case = self.pick("transfer").await?;
            let event = self.event(&MACHINE, case["state"].as_str()?)?;
            (case, event)
        } else {
            self.due(None).await?
        };
        Some((self.step_of(case["id"].as_str()?, event), None))
    }

    /// The line by which this place takes a step of a case.
    pub(super) fn step_of(&self, case: &str, event: &str) -> Vec<String> {
        let mut line = line_of(&["transfer", "step", case, event]);
        let branch = branch_of(self.city.office_of(self.office.unwrap_or(0)));
        let words = words::of_transfer(event).iter();
        line.extend(words.map(|word| word.replace('%', &branch)));
        self.for_whom(line)
    }

    /// A case, or this one `only`, in which it is for this place to go on, and how: one that has come far rather
    /// than another.
    pub(super) async fn due(&mut self, only: Option<&str>) -> Option<(Value, &'static str)> {
        let own = self.own_office()?;
        let mut due = Vec::new();
        for case in self.all("transfer").await {
            if only.is_some_and(|only| case["id"] != only) {
                continue;
            }
            let roles = self.roles(&case, &own);
            let Some(state) = case["state"].as_str() else {
                continue;
            };
            for arrow in MACHINE.transitions {
                let is_theirs = arrow.by.iter().any(|role| roles.contains(role));
                if is_theirs && arrow.from.contains(&state) && self.leads_on(arrow, &case) {
                    due.push((place_of(state), case.clone(), arrow.event));
                }
            }
        }
        let (one, other) = (self.chance.one_of(&due)?, self.chance.one_of(&due)?);
        let (_, case, event) = if one.0 < other.0 { other } else { one };
        Some((case.clone(), event))
    }

    /// In which roles this place works on a case. A letter from outside is its receiver's own case.
    fn roles(&self, case: &Value, own: &str) -> &'static [Actor] {
        let is_own = case["office"] == own;
        match self.office {
            None => &[Actor::Authority],
            Some(_) if is_own && case["to_org"] == own => &[Actor::Owner, Actor::Receiver],
            Some(_) if is_own => &[Actor::Owner],
            Some(_) => &[Actor::Receiver],
        }
    }

    /// Whether a step leads a case to its good end, and this place may take it.
    fn leads_on(&self, arrow: &Transition, case: &Value) -> bool {
        // A community's own committee admits nobody.
        let is_above = self.office.is_some() && ["approve", "approve_batch"].contains(&arrow.event);
        // Who moved out of this system comes to his end by the paper that comes back.
        let comes_back = arrow.event == "enter_receipt" && case["to_org"].is_null();
        let is_detour = words::DETOURS.contains(&arrow.event) && !comes_back;
        !is_above && !is_detour && !words::ENDS.contains(&arrow.event)
    }

    /// The office at which this is, as lists name it.
    pub(super) fn own_office(&self) -> Option<String> {
        let Some(office) = self.office else {
            return Some(String::new());
        };
        let app = self.city.offices.get(office)?.app.as_ref()?;
        let office = app.keys().ok()?.identity?.office;
        Some(RecordId::new(office).to_string())
    }
}

/// The line that starts the transfer of a member, to an office or out of this system.
pub(super) fn started(member: &str, to: Option<&str>) -> Vec<String> {
    let mut line = line_of(&["transfer", "start", "--member", member]);
    if let Some(to) = to {
        line.extend(line_of(&["--to", to]));
    }
    line.extend(line_of(LETTER));
    line
}
