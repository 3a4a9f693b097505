//! `cargo sim --nightly`: everything that tries to break the system, in order, for as long as one likes.
//! It can be ended at any time and goes on where it was: what stands in the ledger is not done again.

use std::process::{Child, Command};
use std::time::{Duration, Instant};

use anyhow::Context as _;

use crate::proof::{Book, Came};
use crate::simulation::many;

/// Seeds run by one process at a time.
const BLOCK: u64 = 500;
/// The same where each is run twice.
const BLOCK_TWICE: u64 = 100;
/// The first seed of those that are run twice: others than the rest.
const TWICE_FROM: u64 = 1_000_001;
/// How often it is asked whether a process has ended.
const POLL: Duration = Duration::from_millis(200);
const SECONDS_PER_HOUR: f64 = 3_600.0;

/// The parts that are commands of their own, in order.
const PARTS: &[&[&str]] = &[
    &["model"],
    &["museum"],
    &["sweep", "--jobs", "0", "--images", "17"],
    &["real"],
    &["foreign", "--long"],
    &["fuzz"],
];

/// What a long run does.
#[derive(Debug, Clone, clap::Args)]
pub struct Long {
    /// Everything, each part to its end, as long as `--hours` allow.
    #[arg(long)]
    pub nightly: bool,
    /// No block of seeds and no part begins after so many hours.
    #[arg(long, default_value_t = 8.0, requires = "nightly")]
    pub hours: f64,
    /// Only these parts (`seeds` and `twice` are parts too).
    #[arg(long, value_delimiter = ',', requires = "nightly")]
    pub only: Vec<String>,
    /// Seeds in all.
    #[arg(long, default_value_t = 50_000, requires = "nightly")]
    pub city_seeds: u64,
    /// Seeds that are run twice, in all.
    #[arg(long, default_value_t = 2_000, requires = "nightly")]
    pub twice_seeds: u64,
}

/// Runs it; whether all held.
///
/// # Errors
/// Where a process cannot be started, git does not answer, or the ledger cannot be written.
pub fn run(args: &Long) -> anyhow::Result<bool> {
    let began = Instant::now();
    let ends = began + Duration::from_secs_f64(args.hours.max(0.0) * SECONDS_PER_HOUR);
    let is_wanted = |part: &str| args.only.is_empty() || args.only.iter().any(|only| only == part);
    let mut all_held = true;
    for part in PARTS {
        let name = part.first().copied().unwrap_or_default();
        if is_wanted(name) && Instant::now() < ends {
            eprintln!("== {name}");
            all_held &= this(part)?.wait()?.success();
        }
    }
    for (part, from, count, block) in [
        ("twice", TWICE_FROM, args.twice_seeds, BLOCK_TWICE),
        ("seeds", 1, args.city_seeds, BLOCK),
    ] {
        if is_wanted(part) {
            eprintln!("== {part}");
            all_held &= blocks(part, (from, count, block), ends)?;
        }
    }
    let at = jiff::Timestamp::now().strftime("%Y-%m-%d %H:%M");
    let came = Came {
        seconds: began.elapsed().as_secs_f64(),
        ..Came::default()
    };
    Book::open("nightly", true)?.keep(&at.to_string(), came)?;
    Ok(all_held)
}

/// This program with other arguments, which writes into the ledger.
fn this(arguments: &[&str]) -> anyhow::Result<Child> {
    let mut command = Command::new(std::env::current_exe()?);
    command.args(arguments).arg("--ledger");
    command.spawn().context("the simulator cannot be started")
}

/// Seeds in blocks, as many at once as there are cores.
fn blocks(
    part: &'static str,
    (from, count, block): (u64, u64, u64),
    ends: Instant,
) -> anyhow::Result<bool> {
    let book = Book::open(part, true)?;
    let firsts = (from..from + count).step_by(usize::try_from(block)?);
    let mut waiting = firsts
        .map(|first| (first, block.min(from + count - first)))
        .filter(|(first, seeds)| !book.has(&many::unit_of(*first, *seeds)));
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let (mut running, mut all_held): (Vec<Child>, _) = (Vec::new(), true);
    loop {
        while running.len() < cores
            && Instant::now() < ends
            && let Some((first, seeds)) = waiting.next()
        {
            let (first, seeds) = (first.to_string(), seeds.to_string());
            let mut arguments = vec!["--from", &first, "--seeds", &seeds];
            if part == "twice" {
                arguments.push("--twice");
            }
            running.push(this(&arguments)?);
        }
        if running.is_empty() {
            return Ok(all_held);
        }
        std::thread::sleep(POLL);
        let mut still = Vec::new();
        for mut child in running {
            match child.try_wait()? {
                Some(status) => all_held &= status.success(),
                None => still.push(child),
            }
        }
        running = still;
    }
}
