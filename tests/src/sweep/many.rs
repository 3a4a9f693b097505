//! Many scenarios: on as many cores as wanted, each core a process of its own.

use std::process::Command;
use std::time::Instant;

use anyhow::Context as _;

use super::table::{Scenario, scenarios};
use super::{Args, Met, Wanted, sweep};
use crate::proof::{Book, Came};
use crate::simulation::chance::seed_of;

/// Scenarios differ by their names, not by their places: one more changes no other.
fn unit_of(args: &Args, scenario: &Scenario) -> String {
    let Args {
        images,
        places,
        faults,
        finish_each,
        ..
    } = args;
    format!("{} {images}/{places}/{faults}/{finish_each}", scenario.name)
}

/// Sweeps what is wanted; whether all held.
///
/// # Errors
/// Where a process cannot be started, or the ledger not be read or written.
pub fn run(args: &Args) -> anyhow::Result<bool> {
    let named = |scenario: &Scenario| {
        let name = args.scenario.as_deref();
        name.is_none_or(|name| {
            scenario.name == name || (args.at.is_none() && scenario.name.starts_with(name))
        })
    };
    let all: Vec<_> = scenarios()?.into_iter().filter(named).collect();
    anyhow::ensure!(!all.is_empty(), "no such scenario");
    if args.list {
        for scenario in &all {
            eprintln!("{}", scenario.name);
        }
        eprintln!("{} scenarios", all.len());
        return Ok(true);
    }
    let jobs = match args.jobs {
        0 => std::thread::available_parallelism().map_or(1, usize::from),
        jobs => jobs,
    };
    match args.job {
        None if jobs > 1 => in_processes(jobs),
        job => here(
            args,
            &all,
            (job.unwrap_or(0), if job.is_some() { jobs } else { 1 }),
        ),
    }
}

/// Sweeps the scenario of exactly this name; what was met.
///
/// # Errors
/// What does not hold.
pub fn run_named(name: &str, args: &Args) -> anyhow::Result<Met> {
    let scenario = scenarios()?
        .into_iter()
        .find(|scenario| scenario.name == name);
    let mut met = Met::default();
    sweep(
        &scenario.context("no such scenario")?,
        &wanted(args, name),
        &mut met,
    )?;
    Ok(met)
}

fn wanted(args: &Args, name: &str) -> Wanted {
    Wanted {
        seed: seed_of(name),
        at: args.at,
        images: args.images,
        places: args.places,
        faults: args.faults,
        finish_each: args.finish_each.max(1),
        forgets_syncs: args.forgets_syncs,
    }
}

/// Starts this program again, once for each share of the scenarios.
fn in_processes(jobs: usize) -> anyhow::Result<bool> {
    let mut given: Vec<_> = std::env::args().skip(1).collect();
    if let Some(place) = given.iter().position(|word| word == "--jobs") {
        given.drain(place..(place + 2).min(given.len()));
    }
    given.retain(|word| !word.starts_with("--jobs="));
    let mut children = Vec::new();
    for job in 0..jobs {
        let mut command = Command::new(std::env::current_exe()?);
        command
            .args(&given)
            .args(["--jobs", &jobs.to_string(), "--job", &job.to_string()]);
        children.push(command.spawn().context("the simulator cannot be started")?);
    }
    let mut all_held = true;
    for mut child in children {
        all_held &= child.wait()?.success();
    }
    Ok(all_held)
}

fn here(args: &Args, all: &[Scenario], (job, jobs): (usize, usize)) -> anyhow::Result<bool> {
    let book = Book::open("sweep", args.ledger)?;
    let began = Instant::now();
    let (mut sum, mut why) = (Met::default(), Vec::new());
    for scenario in all.iter().skip(job).step_by(jobs) {
        let unit = unit_of(args, scenario);
        if book.has(&unit) {
            continue;
        }
        let (met, violations, seconds) = one(args, scenario);
        for (what, times) in &met.0 {
            sum.count(what, *times);
        }
        let images = met.0.get("images").copied().unwrap_or(0);
        eprintln!("{seconds:>7.1} s {images:>7} images  {}", scenario.name);
        let came = Came {
            seconds,
            met: met.0,
            violations: violations.clone(),
        };
        book.keep(&unit, came)?;
        why.extend(violations);
    }
    let seconds = began.elapsed().as_secs_f64();
    eprintln!(
        "{seconds:.1} s, {} scenarios failed; what was met:",
        why.len()
    );
    for (what, times) in &sum.0 {
        eprintln!("{times:>12}  {what}");
    }
    Ok(why.is_empty())
}

fn one(args: &Args, scenario: &Scenario) -> (Met, Vec<String>, f64) {
    let began = Instant::now();
    let mut met = Met::default();
    let violations = match sweep(scenario, &wanted(args, &scenario.name), &mut met) {
        Ok(()) => Vec::new(),
        Err(error) => {
            eprintln!("{} FAILED: {error:#}", scenario.name);
            vec![format!("{}: {error:#}", scenario.name)]
        }
    };
    (met, violations, began.elapsed().as_secs_f64())
}
