//! `cargo sim`: a city in one thread and in virtual time, everything from one seed.

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use tests::simulation::{disk, many, shrink};
use tests::{foreign, fuzz, model, museum, nightly, real, report, sweep};

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
    #[command(flatten)]
    long: nightly::Long,
    #[command(subcommand)]
    part: Option<Part>,
}

/// What else tries to break it.
#[derive(Debug, Subcommand)]
enum Part {
    /// Crashes at every access to a disk.
    Sweep(sweep::Args),
    /// The shipped programs in processes of their own, with real faults.
    Real(real::Args),
    /// Planted bugs: each must be caught.
    Museum(museum::Args),
    /// A client that is not ours.
    Foreign(foreign::Args),
    /// Bytes that nobody wrote.
    Fuzz(fuzz::Args),
    /// All histories of small models.
    Model(model::Args),
    /// The page of what was proven.
    Report(report::Args),
}

impl Part {
    fn run(&self) -> anyhow::Result<bool> {
        match self {
            Self::Sweep(args) => sweep::run(args),
            Self::Real(args) => real::run(args),
            Self::Museum(args) => museum::run(args),
            Self::Foreign(args) => foreign::run(args),
            Self::Fuzz(args) => fuzz::run(args),
            Self::Model(args) => model::run(args),
            Self::Report(args) => report::run(args),
        }
    }
}

fn main() -> ExitCode {
    let args = Args::parse();
    let done =
        disk::register()
            .map_err(anyhow::Error::msg)
            .and_then(|()| match (&args.part, args.seed) {
                (Some(part), _) => part.run(),
                (None, Some(seed)) if args.shrink => shrink::shrink(seed),
                (None, Some(seed)) => many::tell(seed, &args.events, args.good_lines),
                (None, None) if args.long.nightly => nightly::run(&args.long),
                (None, None) => many::seeds(&args.many),
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
