//! See `cargo sim fuzz`: bytes that nobody wrote, for every decoder that meets bytes from outside.
//!
//! Each target decodes as the shipped programs do, and asks more than that nothing panics: what is read is
//! written again as the same, limits hold before memory is taken, an altered signed batch is never taken,
//! bytes that are not understood are kept as they came, no message takes longer than 50 ms, and every
//! refusal says what is wrong. The same checks run under libFuzzer (`tests/fuzz`, nightly), by our own
//! mutations on stable, and over the kept inputs in every test run.

mod batch;
mod certificate;
mod change;
mod code;
mod corpus;
mod csv;
mod cursor;
mod digest;
mod drive;
mod greeting;
mod mutate;
mod note;
mod page;
mod sample;
mod served;
mod table;
mod walk;
mod xlsx;

use std::collections::BTreeMap;

use crate::generate::Chance;
use crate::simulation::chance::seed_of;

pub use corpus::inputs;
pub use drive::run;

/// A decoder and what is asked of it.
#[derive(Debug, Clone, Copy)]
pub struct Target {
    /// Its name, of the folder of its inputs too.
    pub name: &'static str,
    /// Fails with what does not hold of an input.
    pub check: fn(&[u8]) -> anyhow::Result<()>,
    /// What the inputs begin with.
    seeds: fn() -> anyhow::Result<Vec<Vec<u8>>>,
    /// How many mutations of each kept input a test tries: so that it takes seconds.
    tried: u64,
    /// How much memory one input may take, besides what stands already (KiB).
    memory_kib: u64,
}

/// A message may take twice its limit, a table what its reader is bound to.
const OF_MESSAGE_KIB: u64 = 2 * 8 * 1024;
const OF_TABLE_KIB: u64 = 256 * 1024;

/// All decoders that meet bytes from outside.
pub const TARGETS: [Target; 10] = [
    message("batch", batch::check, batch::seeds, 600),
    message("change", change::check, change::seeds, 1_200),
    message("page", page::check, page::seeds, 600),
    message("cursor", cursor::check, cursor::seeds, 40),
    message("greeting", greeting::check, greeting::seeds, 40),
    message("digest", digest::check, digest::seeds, 40),
    message("code", code::check, code::seeds, 1_200),
    message("certificate", certificate::check, certificate::seeds, 300),
    table("csv", csv::check, csv::seeds),
    table("xlsx", xlsx::check, xlsx::seeds),
];

const fn message(
    name: &'static str,
    check: fn(&[u8]) -> anyhow::Result<()>,
    seeds: fn() -> anyhow::Result<Vec<Vec<u8>>>,
    tried: u64,
) -> Target {
    Target {
        name,
        check,
        seeds,
        tried,
        memory_kib: OF_MESSAGE_KIB,
    }
}

const fn table(
    name: &'static str,
    check: fn(&[u8]) -> anyhow::Result<()>,
    seeds: fn() -> anyhow::Result<Vec<Vec<u8>>>,
) -> Target {
    Target {
        name,
        check,
        seeds,
        tried: 60,
        memory_kib: OF_TABLE_KIB,
    }
}

/// What is wanted.
#[derive(Debug, Clone, clap::Args)]
#[allow(clippy::struct_excessive_bools, reason = "flags of a command line")]
pub struct Args {
    /// Only this target.
    #[arg(long)]
    target: Option<String>,
    /// How long each target runs in each round (seconds).
    #[arg(long, default_value_t = 60)]
    seconds: u64,
    /// Stops a round after so many inputs, if not 0.
    #[arg(long, default_value_t = 0)]
    inputs: u64,
    /// How often all of it is done, each time with other chance.
    #[arg(long, default_value_t = 1)]
    rounds: u64,
    /// By our own mutations, although libFuzzer is there.
    #[arg(long)]
    stable: bool,
    /// With the address sanitizer: slower, and sees what unsafe code of others does.
    #[arg(long)]
    asan: bool,
    /// Writes the inputs to begin with, and ends.
    #[arg(long)]
    seed_corpus: bool,
    /// Writes what came of it into the ledger of proof.
    #[arg(long)]
    ledger: bool,
}

/// The target of this name.
fn target(name: &str) -> anyhow::Result<&'static Target> {
    let found = TARGETS.iter().find(|target| target.name == name);
    found.ok_or_else(|| anyhow::anyhow!("no target {name}"))
}

/// One input for a target, as libFuzzer gives it.
///
/// # Panics
/// With what does not hold: that is how libFuzzer hears of it.
pub fn check(name: &str, input: &[u8]) {
    let checked = target(name).and_then(|target| (target.check)(input));
    note::tick();
    assert!(checked.is_ok(), "{name}: {checked:?}");
}

/// Runs a target's kept inputs and as many mutations of each as a test has time for; what was observed.
///
/// # Errors
/// What does not hold, with the input.
pub fn replay(target: &Target) -> anyhow::Result<BTreeMap<&'static str, u64>> {
    let kept = corpus::inputs(target)?;
    let known: Vec<_> = kept.iter().map(|(_, bytes)| bytes.clone()).collect();
    note::take();
    for (name, bytes) in &kept {
        drive::one(target, bytes).map_err(|error| error.context(name.clone()))?;
        let mut chance = Chance::new(seed_of(name));
        for _ in 0..target.tried {
            let bytes = mutate::mutated(&known, &mut chance);
            drive::one(target, &bytes).map_err(|error| error.context(format!("of {name}")))?;
        }
    }
    Ok(note::take())
}
