//! Work after everything has healed: it goes on as if nothing had been.

use anyhow::{Context as _, bail};

use super::cases::started;
use super::{Done, Draw, line_of, words};
use crate::simulation::city::{City, STREET, branch_of, code_of};

/// Above the numbers of all events of a plan.
const NUMBER: u64 = 1_000_000;

/// A transfer that has begun.
#[derive(Debug)]
pub struct Begun {
    case: String,
    from: usize,
    to: usize,
}

/// At the first office and at the last one somebody enters a person, and edits it; a member of the first, if one may
/// go, begins to move to the last. The lines are cut: all of it waits.
///
/// # Errors
/// Invariant L2: what cannot be saved.
pub async fn begin_again(city: &City) -> anyhow::Result<(Vec<(usize, Done)>, Option<Begun>)> {
    let (first, last) = (0, city.size - 1);
    let mut all = Vec::new();
    for (part, office) in (0..).zip([first, last]) {
        let mut draw = Draw::new(city, Some(office), (NUMBER, part), "again");
        let token = draw.token();
        let (name, remarks) = (format!("name=后来人{part}"), format!("remarks={token}"));
        let line = line_of(&["add", "person", &name, &remarks]);
        let added = saved(office, draw.carry_out(line, Some(token)).await)?;
        let id = added
            .answer
            .as_ref()
            .map_or("", |answer| answer["id"].as_str().unwrap_or(""));
        let line = line_of(&["set", id, "work_unit=后来的单位"]);
        all.push((office, saved(office, draw.carry_out(line, None).await)?));
        all.push((office, added));
    }
    let mut draw = Draw::new(city, Some(first), (NUMBER, 2), "again");
    let members = draw.movable().await;
    let Some(member) = draw.chance.one_of(&members).cloned() else {
        return Ok((all, None));
    };
    let line = started(&member, Some(&code_of(last)));
    let begun = saved(first, draw.carry_out(line, None).await)?;
    let case = begun
        .answer
        .as_ref()
        .ok()
        .and_then(|answer| answer["id"].as_str());
    let case = case.context("the id of a case")?.to_owned();
    all.push((first, begun));
    for event in ["submit", "approve_branch"] {
        let line = line_of(&["transfer", "step", &case, event]);
        all.push((first, saved(first, draw.carry_out(line, None).await)?));
    }
    let (from, to) = (first, last);
    Ok((all, Some(Begun { case, from, to })))
}

/// What somebody did, if it was saved.
fn saved(office: usize, done: Done) -> anyhow::Result<Done> {
    if let Err(why) = &done.answer {
        let line = done.line.join(" ");
        bail!("invariant L2: after healing office {office} cannot save “{line}”: {why}");
    }
    Ok(done)
}

/// The lines are up again: the letter is issued, and the member is received. Where a rule is against it, it is refused
/// like anything else; what does not get through now does later.
pub async fn go_on(city: &City, begun: &Begun) -> Vec<(Option<usize>, Done)> {
    let Begun { case, from, to } = begun;
    let mut done = Vec::new();
    drop(city.sync(*from).await);
    let mut desk = Draw::new(city, None, (NUMBER, 3), "again");
    let mut line = line_of(&["transfer", "step", case, "approve", "--as", STREET]);
    line.push("valid_days=60".to_owned());
    done.push((None, desk.carry_out(line, None).await));
    drop(city.sync(*to).await);
    let mut there = Draw::new(city, Some(*to), (NUMBER, 4), "again");
    for event in ["open_check", "accept"] {
        let mut line = line_of(&["transfer", "step", case, event]);
        let words = words::of_transfer(event).iter();
        line.extend(words.map(|word| word.replace('%', &branch_of(*to))));
        done.push((Some(*to), there.carry_out(line, None).await));
    }
    done
}
