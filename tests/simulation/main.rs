//! `cargo sim`: a city in one thread and in virtual time, everything from one seed.

#![allow(
    clippy::indexing_slicing,
    reason = "a simulation that is wrong should stop"
)]

mod chance;
mod city;
mod disk;
mod net;
mod oracle;
mod plan;
mod run;
mod work;
mod world;

use std::process::ExitCode;
use std::time::Instant;

use clap::Parser;

use crate::run::{Outcome, simulate};

/// Simulates cities: a hub and its offices, with faults.
#[derive(Debug, Parser)]
struct Args {
    /// One seed, told step by step.
    #[arg(long)]
    seed: Option<u64>,
    /// How many seeds.
    #[arg(long, default_value_t = 100)]
    seeds: u64,
    /// The first of them.
    #[arg(long, default_value_t = 1)]
    from: u64,
    /// Runs each seed twice and compares.
    #[arg(long)]
    twice: bool,
}

fn main() -> ExitCode {
    let args = Args::parse();
    if let Err(error) = disk::register() {
        eprintln!("{error}");
        return ExitCode::FAILURE;
    }
    let (from, count) = args.seed.map_or((args.from, args.seeds), |seed| (seed, 1));
    let began = Instant::now();
    let (mut failed, mut all) = (0, Outcome::default());
    for seed in from..from + count {
        let outcome = simulate(seed, args.seed.is_some());
        match outcome {
            Ok(outcome) => {
                all.add(&outcome);
                if args.twice
                    && let Ok(again) = simulate(seed, false)
                    && again.trace != outcome.trace
                {
                    failed += 1;
                    eprintln!("seed {seed}: two runs differ");
                }
            }
            Err(error) => {
                failed += 1;
                eprintln!("seed {seed} FAILED: {error:#}\n  cargo sim --seed {seed}");
            }
        }
    }
    let seconds = began.elapsed().as_secs_f64();
    eprintln!("{count} seeds in {seconds:.1} s, {failed} failed; what was met:");
    for (what, times) in all.met() {
        eprintln!("{times:>12}  {what}");
    }
    if failed == 0 {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}
