//! Many seeds: on as many cores as wanted, each core a process of its own.

use std::collections::BTreeMap;
use std::process::{Child, Command};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::Context as _;

use crate::proof;
use crate::simulation::net::Faults;
use crate::simulation::plan::Plan;
use crate::simulation::run::{Outcome, carry_out, simulate};

/// A seed that takes longer hangs (the longest takes some ten seconds).
const HANGS_AFTER: Duration = Duration::from_mins(3);

/// Which seeds.
#[derive(Debug, Clone, clap::Args)]
pub struct Seeds {
    /// How many seeds.
    #[arg(long = "seeds", default_value_t = 100)]
    pub count: u64,
    /// The first of them.
    #[arg(long, default_value_t = 1)]
    pub from: u64,
    /// Runs each seed twice and compares.
    #[arg(long)]
    pub twice: bool,
    /// How many processes; 0 for as many as there are cores.
    #[arg(long, default_value_t = 1)]
    pub jobs: u64,
    /// Writes what came of it into the ledger of proof.
    #[arg(long)]
    pub ledger: bool,
    /// Stops with the first seed that fails.
    #[arg(long)]
    pub first: bool,
}

/// The name in the ledger of so many seeds.
pub fn unit_of(from: u64, count: u64) -> String {
    format!("{from}+{count}")
}

/// Tells one seed, step by step; of its events those in `only`, if any are given, and with lines
/// that do nothing wrong if `has_good_lines`.
///
/// # Errors
/// What does not hold.
pub fn tell(seed: u64, only: &[u64], has_good_lines: bool) -> anyhow::Result<bool> {
    let mut plan = Plan::draw(seed);
    if !only.is_empty() {
        plan = plan.with_only(&only.iter().copied().collect());
    }
    if has_good_lines {
        plan.faults = Faults::default();
    }
    let outcome = carry_out(&plan, true).with_context(|| format!("seed {seed} FAILED"))?;
    print(&outcome.met());
    Ok(true)
}

/// Runs seeds; whether all held.
///
/// # Errors
/// Where a process cannot be started, or the ledger not be written.
pub fn seeds(args: &Seeds) -> anyhow::Result<bool> {
    let jobs = match args.jobs {
        0 => std::thread::available_parallelism().map_or(1, |cores| cores.get() as u64),
        jobs => jobs,
    };
    if jobs == 1 {
        return here(args);
    }
    let mut children = Vec::new();
    for (from, count) in shares(args.from, args.count, jobs) {
        let part = Seeds {
            from,
            count,
            jobs: 1,
            ..args.clone()
        };
        children.push(start(&part)?);
    }
    let mut all_held = true;
    for mut child in children {
        all_held &= child.wait()?.success();
    }
    Ok(all_held)
}

/// Splits seeds evenly.
fn shares(from: u64, seeds: u64, parts: u64) -> impl Iterator<Item = (u64, u64)> {
    (0..parts)
        .map(move |part| {
            (
                from + seeds * part / parts,
                from + seeds * (part + 1) / parts,
            )
        })
        .map(|(from, end)| (from, end - from))
        .filter(|(_, seeds)| *seeds > 0)
}

/// Starts this program for some seeds, in a process of its own.
pub fn start(args: &Seeds) -> anyhow::Result<Child> {
    let mut command = Command::new(std::env::current_exe()?);
    command
        .args(["--from", &args.from.to_string()])
        .args(["--seeds", &args.count.to_string()]);
    for (is_set, flag) in [
        (args.twice, "--twice"),
        (args.ledger, "--ledger"),
        (args.first, "--first"),
    ] {
        if is_set {
            command.arg(flag);
        }
    }
    command.spawn().context("the simulator cannot be started")
}

fn here(args: &Seeds) -> anyhow::Result<bool> {
    watch_for_hanging();
    let began = Instant::now();
    let (mut why, mut all, mut done) = (Vec::new(), Outcome::default(), 0);
    for seed in args.from..args.from + args.count {
        AT_WORK.store(seed, Ordering::Relaxed);
        done += 1;
        match run(seed, args.twice) {
            Ok(outcome) => all.add(&outcome),
            Err(error) => {
                eprintln!("seed {seed} FAILED: {error:#}\n  cargo sim --seed {seed}");
                why.push(format!("seed {seed}: {error:#}"));
                if args.first {
                    break;
                }
            }
        }
    }
    AT_WORK.store(IDLE, Ordering::Relaxed);
    let seconds = began.elapsed().as_secs_f64();
    let mut met = all.met();
    met.insert("seeds".to_owned(), done);
    if args.twice {
        met.insert("seeds run twice".to_owned(), done);
    }
    eprintln!(
        "{done} seeds in {seconds:.1} s, {} failed; what was met:",
        why.len()
    );
    print(&met);
    let all_held = why.is_empty();
    let part = if args.twice { "twice" } else { "seeds" };
    let unit = unit_of(args.from, args.count);
    let violations = why;
    proof::Book::open(part, args.ledger)?.keep(
        &unit,
        proof::Came {
            seconds,
            met,
            violations,
        },
    )?;
    Ok(all_held)
}

/// One seed, once or twice.
fn run(seed: u64, twice: bool) -> anyhow::Result<Outcome> {
    let outcome = simulate(seed, false)?;
    if twice {
        let again = simulate(seed, false)?;
        anyhow::ensure!(again.trace == outcome.trace, "two runs differ");
    }
    Ok(outcome)
}

fn print(met: &BTreeMap<String, u64>) {
    for (what, times) in met {
        eprintln!("{times:>12}  {what}");
    }
}

const IDLE: u64 = u64::MAX;
static AT_WORK: AtomicU64 = AtomicU64::new(IDLE);

/// Ends the process with the name of the seed, where one goes on without end.
fn watch_for_hanging() {
    std::thread::spawn(|| {
        let (mut last, mut since) = (IDLE, Instant::now());
        loop {
            std::thread::sleep(Duration::from_secs(1));
            let seed = AT_WORK.load(Ordering::Relaxed);
            if seed != last {
                (last, since) = (seed, Instant::now());
            } else if seed != IDLE && since.elapsed() > HANGS_AFTER {
                eprintln!("seed {seed} FAILED: it hangs\n  cargo sim --seed {seed}");
                std::process::exit(i32::from(u8::MAX));
            }
        }
    });
}
