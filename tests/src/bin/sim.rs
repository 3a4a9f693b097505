//! `cargo sim`: a city in one thread and in virtual time, everything from one seed.

use std::process::ExitCode;

use clap::Parser;
use tests::simulation::{disk, many, shrink};

/// Simulates cities: a hub and its offices, with faults.
#[derive(Debug, Parser)]
struct Args {
    /// One seed, told step by step.
    #[arg(long)]
    seed: Option<u64>,
    /// Of that seed only these events, by number.
    #[arg(long, requires = "seed", value_delimiter = ',')]
    events: Vec<u64>,
    /// With lines that do nothing wrong by themselves.
    #[arg(long, requires = "seed")]
    good_lines: bool,
    /// Looks for a small part of that seed that breaks the same invariant.
    #[arg(long, requires = "seed")]
    shrink: bool,
    #[command(flatten)]
    many: many::Seeds,
}

fn main() -> ExitCode {
    let args = Args::parse();
    let done = disk::register()
        .map_err(anyhow::Error::msg)
        .and_then(|()| match args.seed {
            Some(seed) if args.shrink => shrink::shrink(seed),
            Some(seed) => many::tell(seed, &args.events, args.good_lines),
            None => many::seeds(&args.many),
        });
    match done {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("{error:#}");
            ExitCode::FAILURE
        }
    }
}
