//! The museum of planted bugs: each is a small patch to what is shipped, with the invariant that it breaks
//! and how it is caught. Where a bug is not caught any more, the proof has a hole. Beside them lie other sizes of
//! what is done in portions, which no seed may see.
//!
//! - [`hunt`]: runs a program, or a test, until the bug is caught.
//! - [`patch`]: a planted bug as it lies in `tests/museum`.
//! - [`scratch`]: a copy of the tree in which bugs are planted.

pub mod hunt;
pub mod patch;
pub mod scratch;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::path::Path;
use std::thread::JoinHandle;
use std::time::Instant;

use anyhow::ensure;

use crate::proof::{self, Book, Came};
use hunt::{Found, hunt, sweep};
use patch::{Caught, Patch};
use scratch::Scratch;

/// The name of this part in the ledger.
const PART: &str = "museum";
/// The unit of the ledger that says that nothing fails where nothing is planted.
const CONTROL: &str = "control";

/// What is wanted.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Lists the planted bugs and ends.
    #[arg(long)]
    list: bool,
    /// Only these, by name, and without the control.
    #[arg(long)]
    bug: Vec<String>,
    /// How many are hunted at once, beside the building of the next.
    #[arg(long, default_value_t = 1)]
    jobs: usize,
    /// Writes what came of each into the ledger of proof, and leaves out what stands there.
    #[arg(long)]
    ledger: bool,
}

/// What came of one bug, or of the control.
struct Done {
    name: String,
    unit: String,
    wanted: Caught,
    /// At which seed it was caught, if it was and by a seed.
    seed: Option<u64>,
    violation: Option<String>,
    told: String,
    seconds: f64,
}

/// Plants every bug and hunts it; whether all were caught, and nothing failed where none was planted.
///
/// # Errors
/// A patch that cannot be read; what cannot be run.
pub fn run(args: &Args) -> anyhow::Result<bool> {
    let root = proof::root()?;
    let mut patches = patch::read_all(&root)?;
    if !args.bug.is_empty() {
        for name in &args.bug {
            let is_known = patches.iter().any(|patch| patch.name == *name);
            ensure!(is_known, "there is no planted bug {name}");
        }
        patches.retain(|patch| args.bug.contains(&patch.name));
    }
    if args.list {
        for patch in &patches {
            eprintln!(
                "{:<32} {:<8} {:<12} {}",
                patch.name, patch.breaks, patch.caught, patch.bug
            );
        }
        let bugs = patches.iter().filter(|patch| patch.caught.is_bug());
        eprintln!("{} planted bugs", bugs.count());
        return Ok(true);
    }
    let mut hunts = Hunts::new(args)?;
    let scratch = Scratch::new(&root)?;
    if args.bug.is_empty() && !hunts.book.has(&control_unit(&patches)) {
        scratch.copy()?;
        control(&scratch, &patches, &mut hunts)?;
    }
    patches.retain(|patch| !hunts.book.has(&patch.unit));
    for patch in &patches {
        if let Err(why) = plant(&scratch, patch, &mut hunts) {
            hunts.lost(patch, &format!("{why:#}"))?;
        }
    }
    hunts.end()?;
    scratch.copy()?;
    Ok(hunts.tell())
}

/// The name of the control in the ledger, with how each bug is caught.
fn control_unit(patches: &[Patch]) -> String {
    let caught: Vec<_> = patches
        .iter()
        .map(|patch| patch.caught.to_string())
        .collect();
    let caught: Vec<_> = caught.iter().map(String::as_str).collect();
    patch::unit(CONTROL, &caught)
}

/// The units that stand in the ledger once every bug that is there now was hunted.
///
/// # Errors
/// A patch that cannot be read.
pub fn units(root: &Path) -> anyhow::Result<BTreeSet<String>> {
    let patches = patch::read_all(root)?;
    let bugs = patches.iter().map(|patch| patch.unit.clone());
    Ok(bugs.chain([control_unit(&patches)]).collect())
}

/// Where nothing is planted, nothing fails.
fn control(scratch: &Scratch, patches: &[Patch], hunts: &mut Hunts) -> anyhow::Result<()> {
    let seeds = patches.iter().filter_map(Patch::seeds).max().unwrap_or(0);
    for patch in patches {
        if let Caught::Test(line) = &patch.caught {
            ensure!(
                scratch.test(line)?,
                "cargo test {line} fails where nothing is planted"
            );
        }
    }
    let program = scratch.build(CONTROL)?;
    for patch in patches {
        if let Caught::Sweep(scenario) = &patch.caught {
            let found = sweep(&program, scenario)?;
            ensure!(found.is_none(), "where nothing is planted: {found:?}");
        }
    }
    hunts.begin(
        (CONTROL.to_owned(), control_unit(patches)),
        Caught::Never(seeds),
        move || {
            let failed = failed(hunt(&program, seeds)?);
            Ok((None, failed, format!("nothing in {seeds} seeds")))
        },
    )
}

/// What failed where there is no bug.
fn failed(found: Found) -> Option<String> {
    let caught = found
        .caught
        .map(|(seed, why)| format!("seed {seed}: {why}"));
    let first = caught.or_else(|| found.others.into_iter().next());
    first.map(|why| format!("without a bug: {why}"))
}

/// Plants one bug and begins to hunt it.
fn plant(scratch: &Scratch, patch: &Patch, hunts: &mut Hunts) -> anyhow::Result<()> {
    scratch.copy()?;
    scratch.plant(patch)?;
    let name = (patch.name.clone(), patch.unit.clone());
    let wanted = patch.caught.clone();
    match &patch.caught {
        Caught::Seeds(seeds) => {
            let (program, seeds) = (scratch.build(&patch.name)?, *seeds);
            hunts.begin(name, wanted, move || {
                let Found { caught, others } = hunt(&program, seeds)?;
                std::fs::remove_file(&program)?;
                Ok(match caught {
                    Some((seed, why)) => (Some(seed), None, why),
                    None => (
                        None,
                        Some(format!("not caught in {seeds} seeds")),
                        others.join("; "),
                    ),
                })
            })
        }
        Caught::Sweep(scenario) => {
            let (program, scenario) = (scratch.build(&patch.name)?, scenario.clone());
            hunts.begin(name, wanted, move || {
                let found = sweep(&program, &scenario)?;
                std::fs::remove_file(&program)?;
                let violation = found.is_none().then(|| "no crash shows it".to_owned());
                Ok((None, violation, found.unwrap_or_default()))
            })
        }
        Caught::Never(seeds) => {
            let (program, seeds) = (scratch.build(&patch.name)?, *seeds);
            hunts.begin(name, wanted, move || {
                let failed = failed(hunt(&program, seeds)?);
                std::fs::remove_file(&program)?;
                Ok((None, failed, format!("nothing in {seeds} seeds")))
            })
        }
        Caught::Test(line) => {
            let holds = scratch.test(line)?;
            hunts.begin(name, wanted, move || {
                let violation = holds.then(|| "the test does not see it".to_owned());
                Ok((None, violation, "the test failed".to_owned()))
            })
        }
    }
}

/// What a hunt gives: at which seed it was caught, what is wrong, what is told.
type Hunted = (Option<u64>, Option<String>, String);

/// The hunts under way, and those that are over.
struct Hunts {
    jobs: usize,
    book: Book,
    under_way: VecDeque<JoinHandle<anyhow::Result<Done>>>,
    over: Vec<Done>,
}

impl Hunts {
    fn new(args: &Args) -> anyhow::Result<Self> {
        Ok(Self {
            jobs: args.jobs.max(1),
            book: Book::open(PART, args.ledger)?,
            under_way: VecDeque::new(),
            over: Vec::new(),
        })
    }

    fn begin(
        &mut self,
        (name, unit): (String, String),
        wanted: Caught,
        hunts: impl FnOnce() -> anyhow::Result<Hunted> + Send + 'static,
    ) -> anyhow::Result<()> {
        while self.under_way.len() >= self.jobs {
            self.take_oldest()?;
        }
        self.under_way.push_back(std::thread::spawn(move || {
            let began = Instant::now();
            let (seed, violation, told) = hunts()?;
            let seconds = began.elapsed().as_secs_f64();
            Ok(Done {
                name,
                unit,
                wanted,
                seed,
                violation,
                told,
                seconds,
            })
        }));
        Ok(())
    }

    /// A bug that could not be planted, or built.
    fn lost(&mut self, patch: &Patch, why: &str) -> anyhow::Result<()> {
        let name = (patch.name.clone(), patch.unit.clone());
        let why = format!("not planted: {why}");
        self.begin(name, patch.caught.clone(), move || {
            Ok((None, Some(why), String::new()))
        })
    }

    fn take_oldest(&mut self) -> anyhow::Result<()> {
        let Some(oldest) = self.under_way.pop_front() else {
            return Ok(());
        };
        let done = oldest
            .join()
            .map_err(|_| anyhow::anyhow!("a hunt panicked"))??;
        let (mark, seed) = match (&done.violation, done.seed) {
            (Some(why), _) if done.wanted.is_bug() => (format!("NOT CAUGHT: {why}"), String::new()),
            (Some(why), _) => (format!("DOES NOT HOLD: {why}"), String::new()),
            (None, Some(seed)) => ("caught".to_owned(), format!(" by seed {seed}")),
            (None, None) if done.wanted.is_bug() => ("caught".to_owned(), String::new()),
            (None, None) => ("held".to_owned(), String::new()),
        };
        eprintln!(
            "{:<32} {mark}{seed} (wanted: {}; {:.0} s): {}",
            done.name, done.wanted, done.seconds, done.told
        );
        self.book.keep(&done.unit, came_of(&done))?;
        self.over.push(done);
        Ok(())
    }

    fn end(&mut self) -> anyhow::Result<()> {
        while !self.under_way.is_empty() {
            self.take_oldest()?;
        }
        Ok(())
    }

    /// Whether all is as it should be, told in one line.
    fn tell(&self) -> bool {
        let bugs: Vec<_> = self
            .over
            .iter()
            .filter(|done| done.wanted.is_bug())
            .collect();
        let caught = bugs.iter().filter(|done| done.violation.is_none()).count();
        let mut seeds: Vec<_> = bugs.iter().filter_map(|done| done.seed).collect();
        seeds.sort_unstable();
        let median = seeds.get(seeds.len() / 2).copied().unwrap_or(0);
        eprintln!(
            "{} planted bugs, {caught} caught, {} by seeds (median {median}, most {})",
            bugs.len(),
            seeds.len(),
            seeds.last().copied().unwrap_or(0)
        );
        self.over.iter().all(|done| done.violation.is_none())
    }
}

fn came_of(done: &Done) -> Came {
    let mut met = BTreeMap::new();
    if done.wanted.is_bug() {
        met.insert("planted bugs".to_owned(), 1);
        met.insert(
            "planted bugs caught".to_owned(),
            u64::from(done.violation.is_none()),
        );
    }
    if let Some(seed) = done.seed {
        met.insert(format!("seeds until caught {}", done.name), seed);
    }
    let violation = done
        .violation
        .iter()
        .map(|why| format!("{}: {why}", done.name));
    Came {
        seconds: done.seconds,
        met,
        violations: violation.collect(),
    }
}

/// Which planted bugs do not apply any more, and why.
///
/// # Errors
/// A patch that cannot be read.
pub fn stale(root: &Path) -> anyhow::Result<Vec<String>> {
    let mut stale = Vec::new();
    for patch in patch::read_all(root)? {
        if let Err(why) = patch.planted(root) {
            stale.push(format!("{}: {why:#}", patch.name));
        }
    }
    Ok(stale)
}
