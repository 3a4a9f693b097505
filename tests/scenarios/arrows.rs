//! Every arrow of the machines, driven between processes: the offices' steps at their nodes, the
//! street's and the city's at the hub's desk, those of time by the hub's rules. What was driven is
//! the table in `shared/docs/arrows.md`; `LIANXIN_REGENERATE=1` writes it anew.

mod activity;
mod member;
mod organisation;
mod participation;
mod table;
mod transfer;

use std::collections::BTreeSet;

use anyhow::Context as _;
use tests::harness::{City, STREET, wait_for};

use crate::support::{Stage, text};

/// A day in seconds.
const DAY_S: i64 = 24 * 3600;

/// Who takes a step.
#[derive(Debug, Clone, Copy)]
enum Who {
    /// An office, at its node.
    Office(usize),
    /// The street's committee, at the hub's desk.
    Street,
    /// The street's committee, with the hub's clock so many days off.
    StreetAt(i64),
    /// The hub's rules, so many days from now.
    Rules(i64),
}

const EAST: Who = Who::Office(0);
const WEST: Who = Who::Office(1);

/// One arrow that was driven: machine, from, event, to.
type Arrow = (&'static str, String, String, String);

/// Drives records through their machines and notes the arrows.
struct Drive<'c> {
    city: &'c City,
    machine: &'static str,
    state_field: &'static str,
    driven: &'c mut BTreeSet<Arrow>,
}

impl Drive<'_> {
    fn state(&self, id: &str) -> anyhow::Result<String> {
        let record = self.city.hub(&["get", id])?;
        Ok(if record.code == 0 {
            text(&record.json()[self.state_field])
        } else {
            "-".to_owned()
        })
    }

    /// Notes that an arrow was driven by something else than [`Self::step`].
    fn note(&mut self, from: &str, event: &str, to: &str) {
        let arrow = (
            self.machine,
            from.to_owned(),
            event.to_owned(),
            to.to_owned(),
        );
        self.driven.insert(arrow);
    }

    /// Takes a step and checks where it leads.
    fn step(
        &mut self,
        id: &str,
        who: Who,
        event: &str,
        args: &[&str],
        to: &str,
    ) -> anyhow::Result<()> {
        let from = self.state(id)?;
        self.take(id, who, event, args)
            .with_context(|| format!("{} {event} from {from} by {who:?}", self.machine))?;
        let after = self.state(id)?;
        anyhow::ensure!(
            after == to,
            "{} {event} from {from}: {after} instead of {to}",
            self.machine
        );
        self.note(&from, event, to);
        Ok(())
    }

    fn take(&self, id: &str, who: Who, event: &str, args: &[&str]) -> anyhow::Result<()> {
        let mut all = vec!["step", id, event];
        all.extend(args);
        match who {
            Who::Office(office) => {
                // The office sees the record as the hub has it before it acts.
                self.city.settle_down(office)?;
                self.city.node(office, &all)?.done()?;
                self.city.settle_down(office)
            }
            Who::Street => {
                all.extend(["--as", STREET]);
                self.city.hub(&all)?.done().map(drop)
            }
            Who::StreetAt(days) => {
                all.extend(["--as", STREET]);
                self.city.hub_at(days * DAY_S, &all)?.done().map(drop)
            }
            Who::Rules(days) => self.city.hub_at(days * DAY_S, &["tick"])?.done().map(drop),
        }
    }
}

/// A member of the first office, in the hub.
fn new_member(city: &City, name: &str, values: &[&str]) -> anyhow::Result<String> {
    let name = format!("name={name}");
    let mut all = vec!["add", "member", &name, "join_date=2019-07-01"];
    all.extend(if values.is_empty() {
        &["category=full", "status=FULL"][..]
    } else {
        values
    });
    let id = text(&city.node(0, &all)?.done()?.json()["id"]);
    city.settle_down(0)?;
    Ok(id)
}

#[test]
fn every_arrow_is_driven_between_processes() -> anyhow::Result<()> {
    let stage = Stage::with_offices(2)?;
    let city = &stage.city;
    let mut driven = BTreeSet::new();
    transfer::drive(city, &mut driven)?;
    member::drive(city, &mut driven)?;
    participation::drive(city, &mut driven)?;
    activity::drive(city, &mut driven)?;
    city.prove_equality()?;
    table::compare(&driven)
}

/// Waits until an office has a record.
fn wait_at(city: &City, office: usize, id: &str) -> anyhow::Result<()> {
    wait_for("the record at the office", 30, || {
        Ok((city.node(office, &["get", id])?.code == 0).then_some(()))
    })
}
