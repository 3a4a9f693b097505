//! `cargo bench-city`: the shipped programs beside a bare floor.

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use tests::bench;

/// Measures the shipped programs beside a bare floor.
#[derive(Debug, Parser)]
struct Args {
    #[command(flatten)]
    bench: bench::Args,
    #[command(subcommand)]
    hidden: Option<Hidden>,
}

#[derive(Debug, Subcommand)]
enum Hidden {
    /// A part of it, in a process of its own.
    #[command(subcommand, hide = true)]
    Part(bench::Part),
}

fn main() -> ExitCode {
    let args = Args::parse();
    let done = match &args.hidden {
        Some(Hidden::Part(part)) => part.run().map(|()| true),
        None => bench::run(&args.bench),
    };
    match done {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::from(1),
        Err(error) => {
            console::answer::note(&format!("{error:#}"));
            ExitCode::from(2)
        }
    }
}
