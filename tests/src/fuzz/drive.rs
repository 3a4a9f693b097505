//! Runs targets for a long time: under libFuzzer where the nightly toolchain and `cargo-fuzz` are there,
//! else by our own mutations.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::panic::{self, AssertUnwindSafe};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Once;
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};

use super::{Args, TARGETS, Target, corpus, mutate, note, target};
use crate::generate::Chance;
use crate::proof::{self, Book, Came};
use crate::simulation::chance::seed_of;

/// Memory is looked at after so many inputs.
const LOOK_EVERY: u64 = 256;

/// Runs the targets; whether all held.
///
/// # Errors
/// Where a target cannot be run, or the ledger not be written.
pub fn run(args: &Args) -> anyhow::Result<bool> {
    let targets: Vec<&Target> = match &args.target {
        Some(name) => vec![target(name)?],
        None => TARGETS.iter().collect(),
    };
    if args.seed_corpus {
        for target in targets {
            eprintln!("{}: {} inputs", target.name, corpus::write(target)?);
        }
        return Ok(true);
    }
    let by = if !args.stable && has_libfuzzer() {
        "libFuzzer"
    } else {
        "own mutations"
    };
    let book = Book::open("fuzz", args.ledger)?;
    let mut all_held = true;
    for number in 1..=args.rounds {
        for target in &targets {
            let asan = if args.asan { " asan" } else { "" };
            let (name, seconds) = (target.name, args.seconds);
            let unit = format!("{name} by {by}{asan} {seconds} s {number}");
            if book.has(&unit) {
                eprintln!("{unit}: done before");
                continue;
            }
            let round = if by == "libFuzzer" {
                under_libfuzzer(target, args, number)?
            } else {
                by_mutations(target, args, number)?
            };
            tell(&unit, &round);
            all_held &= round.violations.is_empty();
            book.keep(&unit, round)?;
        }
    }
    Ok(all_held)
}

fn tell(unit: &str, round: &Came) {
    eprintln!("{unit}: {:.0} s", round.seconds);
    for (what, times) in &round.met {
        eprintln!("  {times:>12} {what}");
    }
    for violation in &round.violations {
        eprintln!("  FAILED {violation}");
    }
}

/// Names the counts of one target.
fn named(target: &Target, counts: BTreeMap<String, u64>) -> BTreeMap<String, u64> {
    let named = counts.into_iter().map(|(what, times)| {
        let what = if what == note::INPUTS {
            format!("fuzz inputs {}", target.name)
        } else {
            what
        };
        (what, times)
    });
    named.collect()
}

thread_local! {
    static PANICKED: RefCell<Option<String>> = const { RefCell::new(None) };
}

/// One input; a panic is an error with its place.
pub(super) fn one(target: &Target, bytes: &[u8]) -> anyhow::Result<()> {
    static NOTED: Once = Once::new();
    NOTED.call_once(|| {
        let before = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            PANICKED.set(Some(info.to_string()));
            before(info);
        }));
    });
    let checked = panic::catch_unwind(AssertUnwindSafe(|| (target.check)(bytes)));
    note::tick();
    // A task of the served hub that panics is caught by its runtime, so the hook is asked, too.
    if let Some(place) = PANICKED.take() {
        anyhow::bail!("S20: a panic: {place}");
    }
    checked.unwrap_or_else(|_| anyhow::bail!("S20: a panic"))
}

/// Our own mutations, of the seeds and of what is kept.
fn by_mutations(target: &Target, args: &Args, number: u64) -> anyhow::Result<Came> {
    let begun = Instant::now();
    let kept = corpus::inputs(target).unwrap_or_default();
    let mut known: Vec<_> = kept.into_iter().map(|(_, bytes)| bytes).collect();
    known.extend((target.seeds)()?);
    let mut chance = Chance::of(number, seed_of(target.name));
    let (mut violations, mut inputs) = (Vec::new(), 0_u64);
    note::take();
    let memory = Memory::begin();
    let begins = known.clone();
    let within = Duration::from_secs(args.seconds);
    while begun.elapsed() < within && (args.inputs == 0 || inputs < args.inputs) {
        let seed = usize::try_from(inputs).ok().and_then(|at| begins.get(at));
        let bytes = match seed {
            Some(seed) => seed.clone(),
            None => mutate::mutated(&known, &mut chance),
        };
        inputs += 1;
        if let Err(error) = one(target, &bytes) {
            let path = corpus::keep(target, &bytes)?;
            violations.push(format!("{}: {error:#}", path.display()));
            break;
        }
        if inputs.is_multiple_of(LOOK_EVERY)
            && let Err(error) = memory.look(target)
        {
            violations.push(format!("{error:#}, in the last of {inputs} inputs"));
            break;
        }
    }
    let counts = note::take().into_iter();
    let mut met = named(
        target,
        counts.map(|(what, n)| (what.to_owned(), n)).collect(),
    );
    met.insert("fuzz inputs by own mutations".to_owned(), inputs);
    Ok(Came {
        met,
        violations,
        seconds: begun.elapsed().as_secs_f64(),
    })
}

/// The memory of this process before a target runs.
struct Memory {
    before_kib: Option<u64>,
}

impl Memory {
    fn begin() -> Self {
        // Writing this makes the kernel count the greatest size anew.
        let is_reset = std::fs::write("/proc/self/clear_refs", "5").is_ok();
        let before_kib = is_reset.then(|| of_status("VmRSS")).flatten();
        Self { before_kib }
    }

    /// Whether more was taken than one input may take; where the system does not tell, nothing is said.
    fn look(&self, target: &Target) -> anyhow::Result<()> {
        if let (Some(before), Some(most)) = (self.before_kib, of_status("VmHWM")) {
            // What stays between inputs: a served hub, tables of code lists, the inputs themselves.
            let allowed = before + target.memory_kib + 64 * 1024;
            ensure!(most <= allowed, "M4 M14: {most} KiB, {before} before");
        }
        Ok(())
    }
}

fn of_status(name: &str) -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|line| line.starts_with(name))?;
    line.split_whitespace().nth(1)?.parse().ok()
}

fn has_libfuzzer() -> bool {
    let asked = Command::new("cargo")
        .args(["+nightly", "fuzz", "--version"])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
    asked.is_ok_and(|status| status.success())
}

/// libFuzzer, in a process of its own.
fn under_libfuzzer(target: &Target, args: &Args, number: u64) -> anyhow::Result<Came> {
    let package = corpus::package()?;
    let grown = proof::root()?.join("target/fuzz-corpus").join(target.name);
    std::fs::create_dir_all(&grown)?;
    let notes = grown.with_extension("notes");
    let _ = std::fs::remove_file(&notes);
    build(&package, target, args)?;
    let begun = Instant::now();
    let output = Command::new("cargo")
        .args(["+nightly", "fuzz", "run", "--fuzz-dir"])
        .arg(&package)
        .args(["--sanitizer", sanitizer(args), target.name])
        .args([&grown, &corpus::folder(target)?])
        .arg("--")
        .arg(format!("-max_total_time={}", args.seconds))
        .arg(format!(
            "-runs={}",
            if args.inputs == 0 {
                -1
            } else {
                args.inputs.cast_signed()
            }
        ))
        .arg(format!("-seed={number}"))
        .arg(format!("-max_len={}", mutate::BYTES_MAX))
        .arg(format!(
            "-rss_limit_mb={}",
            1_024 + target.memory_kib / 1_024
        ))
        .arg(format!("-malloc_limit_mb={}", target.memory_kib / 1_024))
        .args(["-timeout=30", "-print_final_stats=1"])
        .env(note::NOTES, &notes)
        .output()
        .context("cargo fuzz cannot be run")?;
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    let mut met: BTreeMap<String, u64> = std::fs::read_to_string(&notes)
        .ok()
        .and_then(|text| serde_json::from_str(&text).ok())
        .unwrap_or_default();
    let executed = executed(&said).unwrap_or(0);
    met.insert(note::INPUTS.to_owned(), executed);
    let mut met = named(target, met);
    met.insert("fuzz inputs by libFuzzer".to_owned(), executed);
    let mut violations = Vec::new();
    if !output.status.success() {
        violations.push(failure(target, &package, &said)?);
    }
    Ok(Came {
        met,
        violations,
        seconds: begun.elapsed().as_secs_f64(),
    })
}

const fn sanitizer(args: &Args) -> &'static str {
    if args.asan { "address" } else { "none" }
}

/// Built before the time is taken.
fn build(package: &Path, target: &Target, args: &Args) -> anyhow::Result<()> {
    let status = Command::new("cargo")
        .args(["+nightly", "fuzz", "build", "--fuzz-dir"])
        .arg(package)
        .args(["--sanitizer", sanitizer(args), target.name])
        .status()
        .context("cargo fuzz cannot be run")?;
    ensure!(status.success(), "the target {} is not built", target.name);
    Ok(())
}

/// How many inputs libFuzzer tried.
fn executed(said: &str) -> Option<u64> {
    let line = said
        .lines()
        .find(|line| line.contains("number_of_executed_units"))?;
    line.split_whitespace().last()?.parse().ok()
}

/// What failed, with the input, which is kept.
fn failure(target: &Target, package: &Path, said: &str) -> anyhow::Result<String> {
    let artifacts = package.join("artifacts").join(target.name);
    let named = said.lines().rev().find_map(|line| {
        let name = line.split("Test unit written to ").nth(1)?;
        Some(name.trim().to_owned())
    });
    let why: Vec<_> = said
        .lines()
        .filter(|line| line.contains("panicked") || line.contains("ERROR") || line.contains("Err("))
        .take(4)
        .collect();
    let Some(named) = named else {
        let last: Vec<_> = said.lines().rev().take(5).collect();
        return Ok(format!("no input in {}: {last:?}", artifacts.display()));
    };
    let file = Path::new(&named).file_name().context("a name")?;
    let bytes = std::fs::read(&named).or_else(|_| std::fs::read(artifacts.join(file)))?;
    let kept = corpus::keep(target, &bytes)?;
    Ok(format!("{}: {}", kept.display(), why.join("; ")))
}
