//! Makes a failing seed small: fewer events, better lines, as long as the same invariant breaks.

use std::collections::BTreeSet;

use anyhow::Context as _;

use crate::simulation::net::Faults;
use crate::simulation::plan::Plan;
use crate::simulation::run::carry_out;

/// Looks for a small part of a seed's plan that breaks the same invariant (delta debugging: halves
/// first, then smaller parts), and prints the command that replays it.
///
/// # Errors
/// A seed that holds.
pub fn shrink(seed: u64) -> anyhow::Result<bool> {
    let mut plan = Plan::draw(seed);
    let broken = broken_by(&plan);
    let broken =
        broken.with_context(|| format!("seed {seed} holds: there is nothing to shrink"))?;
    let breaks = |plan: &Plan| broken_by(plan).as_ref() == Some(&broken);
    let good = Plan {
        faults: Faults::default(),
        ..plan.clone()
    };
    let has_good_lines = breaks(&good);
    if has_good_lines {
        plan = good;
    }
    let mut kept: Vec<u64> = plan.numbers().into_iter().collect();
    let mut size = kept.len().div_ceil(2);
    while size > 0 {
        let mut from = 0;
        while from < kept.len() {
            let to = (from + size).min(kept.len());
            let rest: BTreeSet<_> = [&kept[..from], &kept[to..]].concat().into_iter().collect();
            if breaks(&plan.with_only(&rest)) {
                kept.drain(from..to);
                eprintln!("{} events are enough", kept.len());
            } else {
                from = to;
            }
        }
        size /= 2;
    }
    let numbers: Vec<_> = kept.iter().map(u64::to_string).collect();
    let lines = if has_good_lines { " --good-lines" } else { "" };
    eprintln!(
        "{broken} breaks with:\n  cargo sim --seed {seed} --events {}{lines}",
        numbers.join(",")
    );
    Ok(true)
}

/// Which invariant a plan breaks, or else what went wrong, by its first words.
fn broken_by(plan: &Plan) -> Option<String> {
    let error = carry_out(plan, false).err()?;
    let whole = format!("{error:#}");
    let named = whole.split("invariant ").nth(1).unwrap_or(&whole);
    let name = named.split(':').next().unwrap_or(named);
    Some(format!("invariant {name}"))
}
