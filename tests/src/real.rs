//! `cargo sim real`: the shipped programs as processes of their own, under faults that a machine really
//! has: cut and silent lines, lost packets, killed and stopped processes, failing system calls, full
//! disks, wrong clocks, old backups, copies.
//!
//! Each case brings its fault about, sees its effect (only what was seen is counted), takes it away, and
//! asks that all that was acknowledged is there once, and that hub and nodes prove that they are equal.

mod calls;
mod case;
mod clocks;
mod copies;
mod crowd;
mod disks;
mod lines;
mod namespace;
mod power;
mod processes;
mod proxy;
mod stage;
mod wrap;

use std::collections::BTreeMap;
use std::time::Instant;

use case::{Case, Context, Seen};

use crate::harness::Programs;
use crate::proof::{Book, Came};

/// The name of this part in the ledger.
const PART: &str = "real";

/// What is wanted.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Only the cases whose name holds this.
    #[arg(long)]
    case: Option<String>,
    /// How often each fault is brought about.
    #[arg(long, default_value_t = 20)]
    times: u64,
    /// Only lists the cases.
    #[arg(long)]
    list: bool,
    /// Adds a line for each case to the ledger; cases that stand there already are not run again.
    #[arg(long)]
    ledger: bool,
}

fn cases() -> impl Iterator<Item = &'static Case> {
    [
        lines::CASES,
        namespace::CASES,
        calls::CASES,
        processes::CASES,
        disks::CASES,
        clocks::CASES,
        copies::CASES,
        power::CASES,
    ]
    .into_iter()
    .flatten()
}

/// Runs the cases one after another; whether all held.
///
/// # Errors
/// Where the programs do not build, or the ledger cannot be read or written.
pub fn run(args: &Args) -> anyhow::Result<bool> {
    let wanted = |case: &&Case| {
        args.case
            .as_ref()
            .is_none_or(|part| case.name.contains(part))
    };
    if args.list {
        for case in cases().filter(wanted) {
            let missing = case.missing().map(|what| format!("  (not here: {what})"));
            eprintln!(
                "{:<28} {}{}",
                case.name,
                case.ids,
                missing.unwrap_or_default()
            );
        }
        return Ok(true);
    }
    let programs = Programs::build()?;
    let book = Book::open(PART, args.ledger)?;
    let mut totals = BTreeMap::new();
    let mut failed = Vec::new();
    let chosen: Vec<_> = cases().filter(wanted).collect();
    anyhow::ensure!(!chosen.is_empty(), "no case has such a name: see --list");
    for case in chosen {
        let unit = format!("{} x{}", case.name, args.times);
        if book.has(&unit) {
            continue;
        }
        let came = run_one(case, &programs, args.times)?;
        for (what, count) in &came.met {
            *totals.entry(what.clone()).or_insert(0) += count;
        }
        if !came.violations.is_empty() {
            failed.push(case.name);
        }
        book.keep(&unit, came)?;
    }
    eprintln!("\nwhat was seen:");
    for (what, count) in &totals {
        eprintln!("{count:>8}  {what}");
    }
    for name in &failed {
        eprintln!(
            "FAILED: {name}   cargo sim real --case {name} --times {}",
            args.times
        );
    }
    Ok(failed.is_empty())
}

fn run_one(case: &Case, programs: &Programs, times: u64) -> anyhow::Result<Came> {
    let began = Instant::now();
    let (met, violations) = match case.missing() {
        Some(what) => (not_tried(case, &what), Vec::new()),
        None => in_its_folder(case, programs, times)?,
    };
    let seconds = began.elapsed().as_secs_f64();
    let verdict = if violations.is_empty() {
        "held"
    } else {
        "FAILED"
    };
    eprintln!(
        "{:<28} {verdict:<6} {seconds:>6.1} s  {}",
        case.name,
        told(&met)
    );
    Ok(Came {
        seconds,
        met,
        violations,
    })
}

fn not_tried(case: &Case, what: &str) -> BTreeMap<String, u64> {
    BTreeMap::from([(format!("not tried: {} {what}", case.ids), 1)])
}

/// Runs a case in a new folder, which stays where the case fails.
fn in_its_folder(
    case: &Case,
    programs: &Programs,
    times: u64,
) -> anyhow::Result<(BTreeMap<String, u64>, Vec<String>)> {
    let mut folder = tempfile::Builder::new().prefix("lianxin-real-").tempdir()?;
    let context = Context {
        programs: programs.clone(),
        folder: folder.path().to_path_buf(),
        times,
    };
    let mut seen = Seen::default();
    let held = (case.run)(&context, &mut seen);
    let mut met = seen.counts();
    let violation = match held {
        Ok(()) => return Ok(with_unseen(case, met, times)),
        Err(error) => format!("{}: {error:#}", case.name),
    };
    if let Some(what) = violation.split(case::CANNOT).nth(1) {
        met.extend(not_tried(case, what));
        return Ok((met, Vec::new()));
    }
    folder.disable_cleanup(true);
    eprintln!("{violation}\n  its folder: {}", folder.path().display());
    Ok((met, vec![violation]))
}

/// What was seen, and a violation for each effect that was not seen often enough.
fn with_unseen(
    case: &Case,
    met: BTreeMap<String, u64>,
    times: u64,
) -> (BTreeMap<String, u64>, Vec<String>) {
    let count = |what: &str| met.get(what).copied().unwrap_or(0);
    let unseen = case.sees.iter().filter(|what| count(what) < times);
    let violations = unseen
        .map(|what| format!("{}: {what}: only {} of {times}", case.name, count(what)))
        .inspect(|violation| eprintln!("{violation}"))
        .collect();
    (met, violations)
}

fn told(met: &BTreeMap<String, u64>) -> String {
    let words: Vec<_> = met
        .iter()
        .map(|(what, count)| format!("{what}: {count}"))
        .collect();
    words.join("; ")
}
