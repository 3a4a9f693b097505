//! See `cargo sim model`: all histories of small models of the session and of the transfer, and histories of
//! the transfer's model carried out on the shipped programs.
//!
//! What the models check are the decisions that the programs call, over stores in memory; which history of
//! `sync.md` is covered by what stands in [`session`] and [`transfer`].

mod explore;
mod facts;
mod session;
mod transfer;

use std::collections::BTreeMap;
use std::time::Instant;

use anyhow::ensure;

use crate::proof::{Book, Came};
use explore::Explored;

/// How far models are explored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bound {
    /// In every test run: small models, whole.
    Short,
    /// In a long run: larger ones too, up to so many states each.
    Long(usize),
}

/// Histories that are carried out in one city, before another is founded.
const IN_ONE_CITY: u64 = 25;

/// What is wanted.
#[derive(Debug, Clone, clap::Args)]
pub struct Args {
    /// The most states of each of the larger models.
    #[arg(long, default_value_t = 1_500_000)]
    states: usize,
    /// How many histories are carried out on the shipped programs.
    #[arg(long, default_value_t = 5_000)]
    cases: u64,
    /// The first of them.
    #[arg(long, default_value_t = 1)]
    from: u64,
    /// Carries out this one alone.
    #[arg(long)]
    seed: Option<u64>,
    /// Only the histories, and no model.
    #[arg(long)]
    only_cases: bool,
    /// Writes what came of it into the ledger of proof.
    #[arg(long)]
    ledger: bool,
}

/// Runs it; whether all held.
///
/// # Errors
/// Where the ledger cannot be written.
pub fn run(args: &Args) -> anyhow::Result<bool> {
    if let Some(seed) = args.seed {
        let replayed = transfer::replay::replay(seed..seed + 1)?;
        eprintln!("{replayed:?}");
        return Ok(true);
    }
    let book = Book::open("model", args.ledger)?;
    let mut all_held = true;
    if !args.only_cases {
        let unit = format!("models {}", args.states);
        if !book.has(&unit) {
            all_held &= keep(&book, &unit, || models(Bound::Long(args.states)))?;
        }
    }
    for from in (args.from..args.from + args.cases).step_by(usize::try_from(IN_ONE_CITY)?) {
        let end = (from + IN_ONE_CITY).min(args.from + args.cases);
        let unit = format!("cases {from}..{end}");
        if !book.has(&unit) {
            all_held &= keep(&book, &unit, || cases(from, end))?;
        }
    }
    Ok(all_held)
}

type Met = (BTreeMap<String, u64>, Vec<String>);

fn keep(book: &Book, unit: &str, work: impl FnOnce() -> Met) -> anyhow::Result<bool> {
    let begun = Instant::now();
    let (met, violations) = work();
    let seconds = begun.elapsed().as_secs_f64();
    eprintln!("{unit}: {seconds:.1} s {met:?}");
    for violation in &violations {
        eprintln!("FAILED {violation}");
    }
    let all_held = violations.is_empty();
    book.keep(
        unit,
        Came {
            seconds,
            met,
            violations,
        },
    )?;
    Ok(all_held)
}

fn models(bound: Bound) -> Met {
    let (mut met, mut violations) = (BTreeMap::new(), Vec::new());
    let explored = session::explored(bound)
        .into_iter()
        .chain(transfer::explored(bound));
    for (name, explored, _) in explored {
        *met.entry("model states".to_owned()).or_insert(0) += explored.states as u64;
        for reached in &explored.reached {
            *met.entry(format!("model: {reached}")).or_insert(0) += 1;
        }
        violations.extend(not_held(name, &explored));
    }
    (met, violations)
}

/// What does not hold of a model. What is never reached counts where all was seen.
fn not_held(name: &str, explored: &Explored) -> Vec<String> {
    let never = explored.never.iter().filter(|_| explored.is_complete);
    let never = never.map(|what| format!("{name}: never {what}"));
    let failed = explored.failed.iter().map(|what| format!("{name}: {what}"));
    failed.chain(never).collect()
}

fn cases(from: u64, end: u64) -> Met {
    match transfer::replay::replay(from..end) {
        Ok(replayed) => {
            let mut met = replayed.met;
            met.insert("model cases replayed".to_owned(), replayed.cases);
            met.insert("model steps replayed".to_owned(), replayed.moves);
            (met, Vec::new())
        }
        Err(error) => (BTreeMap::new(), vec![format!("{error:#}")]),
    }
}

/// Explores the models of every test run; how many states there were.
///
/// # Errors
/// What does not hold; what is never reached; another number of states than stands beside the model.
pub fn explore_short() -> anyhow::Result<usize> {
    let mut states = 0;
    let explored = session::explored(Bound::Short)
        .into_iter()
        .chain(transfer::explored(Bound::Short));
    let mut other = Vec::new();
    for (name, explored, expected) in explored {
        let not_held = not_held(name, &explored);
        ensure!(not_held.is_empty(), "{}", not_held.join("\n"));
        states += explored.states;
        if expected.is_some_and(|expected| expected != explored.states) {
            other.push(format!("{name}: {} states", explored.states));
        }
    }
    ensure!(other.is_empty(), "the machines have changed: {other:?}");
    Ok(states)
}

/// Carries out so many histories on the shipped programs; what was met in them.
///
/// # Errors
/// Where model and store differ.
pub fn replay_cases(count: u64) -> anyhow::Result<BTreeMap<String, u64>> {
    let mut all = BTreeMap::new();
    for from in (1..=count).step_by(usize::try_from(IN_ONE_CITY)?) {
        let end = (from + IN_ONE_CITY).min(count + 1);
        let (met, violations) = cases(from, end);
        ensure!(violations.is_empty(), "{}", violations.join("\n"));
        for (what, times) in met {
            *all.entry(what).or_insert(0) += times;
        }
    }
    Ok(all)
}
