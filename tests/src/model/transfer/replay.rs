//! Carries out histories of the model on the shipped hub and nodes, and compares after each move what the
//! model says with what the hub's store says.
//!
//! EAST, WEST and SOUTH are three offices of a simulated city, STREET its committee at the desk. An office
//! writes without a line; a session brings what waits. Where the office's own program refuses what the
//! model's office sends, it is written into its journal as another program would.

mod city;
mod look;

use std::collections::BTreeMap;
use std::ops::Range;

use anyhow::{Context as _, ensure};
use domain::decide::Verdict;
use domain::id::ChangeId;
use domain::kinds::member;
use domain::machines::transfer::{event, state};

use super::model::Action;
use super::steps::{Act, Case, MEMBER, Sent, Who};
use super::walk::{Move, walk};
use crate::simulation::virtual_time;
use city::{Case as Names, Town};

/// What was carried out.
#[derive(Debug, Default)]
pub(in crate::model) struct Replayed {
    /// Whole histories.
    pub(in crate::model) cases: u64,
    /// Their moves.
    pub(in crate::model) moves: u64,
    /// What was met in them.
    pub(in crate::model) met: BTreeMap<String, u64>,
}

/// Carries out the histories of these seeds, one after another in one city.
///
/// # Errors
/// Where model and store differ, with the seed and the move.
pub(in crate::model) fn replay(seeds: Range<u64>) -> anyhow::Result<Replayed> {
    let folder = virtual_time::folder("lianxin-model-")?;
    let runtime = virtual_time::runtime()?;
    let root = folder.path().to_owned();
    runtime.block_on(async {
        let town = Town::found(seeds.start, &root).await?;
        let mut replayed = Replayed::default();
        for seed in seeds {
            let history = History {
                names: Names::of(seed),
                known: BTreeMap::new(),
            };
            let moves = walk(seed);
            let carried = Box::pin(history.carry_out(&town, &moves, &mut replayed)).await;
            carried.with_context(|| format!("cargo sim model --seed {seed}"))?;
            replayed.cases += 1;
        }
        Ok(replayed)
    })
}

/// One history.
struct History {
    names: Names,
    /// The changes of the model, each as what it was carried out as.
    known: BTreeMap<ChangeId, Done>,
}

/// What a change of the model was carried out as.
enum Done {
    /// A change of an office's journal.
    Change(ChangeId),
    /// A step at the desk, with the verdict.
    Desk(Verdict),
}

impl History {
    async fn carry_out(
        mut self,
        town: &Town,
        moves: &[Move],
        replayed: &mut Replayed,
    ) -> anyhow::Result<()> {
        town.begin(&self.names).await?;
        for (number, of) in moves.iter().enumerate() {
            let told = || format!("move {number}, {:?}, of {:?}", of.action, actions(moves));
            self.make(town, of).await.with_context(told)?;
            if !matches!(of.action, Action::Write(..)) {
                self.compare(town, of).await.with_context(told)?;
            }
            replayed.moves += 1;
        }
        if let Some(last) = moves.last() {
            town.bring_together().await?;
            look::offices(town, &self.names, &last.after.hub).await?;
        }
        for what in met(moves) {
            *replayed.met.entry(what.to_owned()).or_default() += 1;
        }
        Ok(())
    }

    async fn make(&mut self, town: &Town, of: &Move) -> anyhow::Result<()> {
        match of.action {
            Action::Write(who, act) => {
                let queue = &of.after.queues[who as usize];
                let sent = queue.last().context("what was written")?;
                // Who has nothing under way sees what the hub has.
                if of.before.queues[who as usize].is_empty() {
                    town.sync(who).await?;
                }
                let id = town.write(&self.names, who, act, sent).await?;
                self.known.insert(sent.change.id, Done::Change(id));
            }
            Action::Take(who) => town.sync(who).await?,
            Action::Straight(who, act) => {
                let sent = newly_taken(of).context("what was taken")?;
                let done = if who == Who::Street {
                    Done::Desk(town.at_desk(&self.names, act, &sent).await?)
                } else {
                    town.sync(who).await?;
                    let id = town.write(&self.names, who, act, &sent).await?;
                    town.sync(who).await?;
                    Done::Change(id)
                };
                self.known.insert(sent.change.id, done);
            }
            Action::DaysPass => town.days_pass().await?,
        }
        Ok(())
    }

    async fn compare(&self, town: &Town, of: &Move) -> anyhow::Result<()> {
        let hub = &of.after.hub;
        let expected = look::at_model(hub);
        let found = look::at_hub(town, &self.names).await?;
        ensure!(
            found == expected,
            "the store has {found:?}, the model {expected:?}"
        );
        for (id, taken) in &hub.taken {
            let expected = code_of(taken.verdict);
            let found = match self.known.get(id) {
                Some(Done::Change(id)) => look::verdict(town, *id).await?,
                // What the desk was told at once; it may have waited since.
                Some(Done::Desk(_)) if of.before.hub.taken.contains_key(id) => continue,
                Some(Done::Desk(verdict)) => code_of(*verdict),
                // The hub's own, by rule.
                None => continue,
            };
            let act = taken.sent.act;
            ensure!(
                found == expected,
                "{act:?}: the hub said {found:?}, the model {expected:?}"
            );
        }
        Ok(())
    }
}

fn actions(moves: &[Move]) -> Vec<Action> {
    moves.iter().map(|of| of.action).collect()
}

fn newly_taken(of: &Move) -> Option<Sent> {
    let before = &of.before.hub.taken;
    let mut taken = of.after.hub.taken.iter();
    let (_, taken) = taken.find(|(id, _)| !before.contains_key(*id))?;
    Some(taken.sent.clone())
}

/// Why a change was not applied; empty where it was.
fn code_of(verdict: Verdict) -> String {
    match verdict {
        Verdict::SetAside(code) => code.to_owned(),
        Verdict::Waiting => "waiting".to_owned(),
        Verdict::Applied | Verdict::Merged | Verdict::Lost => String::new(),
    }
}

/// What a history has met, by the numbers of `faults.md`.
fn met(moves: &[Move]) -> Vec<&'static str> {
    let Some(last) = moves.last() else {
        return Vec::new();
    };
    let hub = &last.after.hub;
    let verdicts = || {
        hub.taken
            .values()
            .map(|taken| (taken.sent.act, taken.verdict))
    };
    let refused = |wanted: &str| {
        verdicts().any(|(_, of)| of == Verdict::SetAside("TRF-001") && wanted == "TRF-001")
    };
    let tenures = hub
        .record(MEMBER)
        .and_then(|record| record.integer(member::TENURE_NUMBER));
    let is_crossed = moves.iter().any(|of| {
        let under_way = of.before.queues.iter().filter(|queue| !queue.is_empty());
        matches!(of.action, Action::Take(_)) && under_way.count() > 1
    });
    let waited = moves.iter().any(|of| !of.after.hub.waiting.is_empty());
    let late = verdicts().any(|(act, of)| act == Act::Edit && !matches!(of, Verdict::Applied));
    let is = |case, wanted| hub.state(case) == Some(wanted);
    let all = [
        (refused("TRF-001"), "D11 second transfers refused"),
        (is_crossed, "D11 changes of two offices crossed"),
        (is(Case::Back, state::ACCEPTED), "D12 members came back"),
        (late, "D13 late edits surfaced"),
        (waited, "D20 changes waited for their record"),
        (tenures.is_some_and(|number| number > 1), "members moved"),
        (
            tenures.is_some_and(|number| number > 2),
            "members moved twice",
        ),
        (hub.disputes().next().is_some(), "disputes open"),
        (
            moves.iter().any(|of| of.action == Action::DaysPass),
            "letters had time to expire",
        ),
        (
            verdicts().any(|(act, _)| matches!(act, Act::Step(_, event::RECALL))),
            "recalls sent",
        ),
    ];
    all.into_iter()
        .filter_map(|(is_met, what)| is_met.then_some(what))
        .collect()
}
