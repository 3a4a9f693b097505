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

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Instant;

use clap::Parser;

use crate::plan::Plan;

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
    let mut failed = 0;
    let (mut done, mut refused, mut calls) = (0, 0, 0);
    for seed in from..from + count {
        let outcome = simulate(seed, args.seed.is_some());
        match outcome {
            Ok(outcome) => {
                done += outcome.done;
                refused += outcome.refused;
                calls += outcome.net.calls;
                if args.seed.is_some() {
                    eprintln!("{outcome:#?}");
                }
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
    eprintln!(
        "{count} seeds, {failed} failed, {done} commands done, {refused} refused, {calls} calls, \
         {seconds:.1} s"
    );
    if failed == 0 {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

fn simulate(seed: u64, tells: bool) -> anyhow::Result<run::Outcome> {
    let plan = Plan::draw(seed);
    let folder = tempfile::Builder::new()
        .prefix("lianxin-sim-")
        .tempdir_in(memory())?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()?;
    let root = folder.path().to_owned();
    runtime.block_on(async { Box::pin(run::run(&plan, &root, tells)).await })
}

/// Where small files lie: in memory, where there is such a place.
fn memory() -> PathBuf {
    let memory = PathBuf::from("/dev/shm");
    if memory.is_dir() {
        memory
    } else {
        std::env::temp_dir()
    }
}
