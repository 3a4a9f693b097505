//! `cargo sim`: a city in one thread and in virtual time, everything from one seed.

#![allow(
    clippy::indexing_slicing,
    reason = "a simulation that is wrong should stop"
)]

mod chance;
mod city;
mod disk;
mod many;
mod net;
mod oracle;
mod plan;
mod reference;
mod run;
mod work;
mod world;

use std::process::ExitCode;

use clap::Parser;

/// Simulates cities: a hub and its offices, with faults.
#[derive(Debug, Parser)]
struct Args {
    /// One seed, told step by step.
    #[arg(long)]
    seed: Option<u64>,
    #[command(flatten)]
    many: many::Seeds,
}

fn main() -> ExitCode {
    let args = Args::parse();
    let done = disk::register()
        .map_err(anyhow::Error::msg)
        .and_then(|()| match args.seed {
            Some(seed) => many::tell(seed),
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
