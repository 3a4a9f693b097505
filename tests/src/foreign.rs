//! `cargo sim foreign`: a client that is not ours. Python's gRPC, with messages generated from `proto/`
//! alone, against the shipped hub: random histories against a model, every caller at every call, and
//! what a hostile or broken peer does (`tests/compatibility`).
//!
//! What each test file observed it writes into a file of counts; from these come the entries of the
//! ledger. Without Python or its packages nothing is tried, and it is said what is missing.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use anyhow::Context as _;

use crate::proof::{self, Book, Came};

/// The part's name in the ledger.
const PART: &str = "foreign";
/// Histories of a block: the profile `block` of `conftest.py`.
const BLOCK_HISTORIES: u64 = 50;
/// How often a long run tries each fault.
const LONG_TIMES: u32 = 100;
/// The last lines of a failed run that are kept.
const LINES_KEPT: usize = 60;

/// What is wanted.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// 2,000 histories of 100 steps, and every fault at least 100 times (an hour or two).
    #[arg(long)]
    long: bool,
    /// How many histories a long run tells, in blocks of 50.
    #[arg(long, default_value_t = 2_000)]
    histories: u64,
    /// The seed of the first block; each has the next.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Adds what was done and seen to the ledger of proof; what stands there already is not done again.
    #[arg(long)]
    ledger: bool,
}

/// One run of pytest.
struct Unit {
    name: String,
    file: &'static str,
    options: Vec<String>,
}

/// Runs it.
///
/// # Errors
/// Where the programs cannot be built, or the ledger cannot be written.
pub fn run(args: &Args) -> anyhow::Result<bool> {
    let root = proof::root()?;
    let programs = programs(&root)?;
    let book = Book::open(PART, args.ledger)?;
    let python = match python(&root) {
        Ok(python) => python,
        Err(missing) => return not_tried(&book, &format!("{missing:#}")),
    };
    let mut all_held = true;
    for unit in units(args) {
        if book.has(&unit.name) {
            eprintln!("{}: stands in the ledger", unit.name);
            continue;
        }
        let came = pytest(&root, &programs, &python, &unit)?;
        let verdict = if came.violations.is_empty() {
            "held"
        } else {
            "BROKEN"
        };
        eprintln!("{}: {verdict}, {:.0} s", unit.name, came.seconds);
        for (key, count) in &came.met {
            eprintln!("  {count:>8} {key}");
        }
        for violation in &came.violations {
            eprintln!("{violation}");
        }
        all_held &= came.violations.is_empty();
        book.keep(&unit.name, came)?;
    }
    Ok(all_held)
}

/// The test files, each once; in a long run the histories in blocks with a seed each.
fn units(args: &Args) -> Vec<Unit> {
    let kind = if args.long { "long" } else { "quick" };
    let times = if args.long { LONG_TIMES } else { 3 };
    let options = |more: &[String]| {
        let mut options = vec![format!("--times={times}")];
        options.extend_from_slice(more);
        options
    };
    let once = |file: &'static str| Unit {
        name: format!("{kind} {file}"),
        file,
        options: options(&[]),
    };
    let mut units = vec![
        once("test_foreign_client.py"),
        once("test_matrix.py"),
        once("test_abuse.py"),
        once("test_flood.py"),
    ];
    let (profile, blocks) = if args.long {
        ("block", args.histories.div_ceil(BLOCK_HISTORIES))
    } else {
        ("small", 1)
    };
    units.extend((args.seed..args.seed + blocks).map(|seed| Unit {
        name: format!("{kind} histories, seed {seed}"),
        file: "test_histories.py",
        options: options(&[
            format!("--hypothesis-profile={profile}"),
            format!("--hypothesis-seed={seed}"),
        ]),
    }));
    units
}

/// Runs one file's tests, and reads what they saw.
fn pytest(root: &Path, programs: &Path, python: &Path, unit: &Unit) -> anyhow::Result<Came> {
    let counts = tempfile::NamedTempFile::new()?;
    let begun = Instant::now();
    let output = Command::new(python)
        .current_dir(root.join("tests/compatibility"))
        .args(["-m", "pytest", "-q", "-x", "-p", "no:cacheprovider"])
        .args(&unit.options)
        .arg(unit.file)
        .env("LIANXIN_BIN", programs)
        .env("LIANXIN_MET", counts.path())
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .output()
        .context("pytest cannot be run")?;
    let text = std::fs::read_to_string(counts.path())?;
    let met: BTreeMap<String, u64> = serde_json::from_str(&text).unwrap_or_default();
    let mut violations = Vec::new();
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stdout).into_owned()
            + &String::from_utf8_lossy(&output.stderr);
        let lines: Vec<&str> = said.lines().collect();
        let kept = lines.len().saturating_sub(LINES_KEPT);
        let command = [&[unit.file.to_owned()], unit.options.as_slice()].concat();
        violations.push(format!(
            "pytest {}:\n{}",
            command.join(" "),
            lines.get(kept..).unwrap_or_default().join("\n")
        ));
    } else if met.is_empty() {
        violations.push(format!("{}: nothing was observed", unit.file));
    }
    Ok(Came {
        seconds: begun.elapsed().as_secs_f64(),
        met,
        violations,
    })
}

/// Where the shipped programs are: `LIANXIN_BIN`, or built here.
fn programs(root: &Path) -> anyhow::Result<PathBuf> {
    if let Some(folder) = std::env::var_os("LIANXIN_BIN") {
        let folder = PathBuf::from(folder);
        let hub = folder.join("lianxin-hub");
        anyhow::ensure!(hub.exists(), "LIANXIN_BIN: there is no {}", hub.display());
        return Ok(std::path::absolute(folder)?);
    }
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    // With this package, so that the same features are chosen as everywhere else.
    let built = Command::new(cargo)
        .current_dir(root)
        .args(["build", "--quiet", "-p", "tests"])
        .args(["-p", "lianxin-hub", "--bin", "lianxin-hub"])
        .args(["-p", "lianxin-node", "--bin", "lianxin-node"])
        .status()
        .context("cargo cannot be run")?;
    anyhow::ensure!(built.success(), "the programs cannot be built");
    Ok(target(root).join("debug"))
}

fn target(root: &Path) -> PathBuf {
    std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root.join("target"), PathBuf::from)
}

/// The Python of an environment with the packages of `requirements.txt`, made if it is not there.
///
/// # Errors
/// What is missing: Python, its `venv`, or the packages.
fn python(root: &Path) -> anyhow::Result<PathBuf> {
    let folder = target(root).join("foreign");
    let python = folder.join("bin/python");
    let wanted = root.join("tests/compatibility/requirements.txt");
    let noted = folder.join("requirements.txt");
    let requirements = std::fs::read_to_string(&wanted)?;
    if std::fs::read_to_string(&noted).is_ok_and(|there| there == requirements) {
        return Ok(python);
    }
    ask(Command::new("python3").args(["-m", "venv"]).arg(&folder))
        .context("python3 with venv is missing")?;
    ask(Command::new(&python)
        .args(["-m", "pip", "install", "--quiet", "-r"])
        .arg(&wanted))
    .context("the packages of tests/compatibility/requirements.txt cannot be installed")?;
    // Last, so that an environment that was half made is made again.
    std::fs::write(&noted, requirements)?;
    Ok(python)
}

fn ask(command: &mut Command) -> anyhow::Result<()> {
    let output = command.output()?;
    let said = String::from_utf8_lossy(&output.stderr);
    anyhow::ensure!(output.status.success(), "{}", said.trim());
    Ok(())
}

/// Says that nothing was tried, and why; that is no violation, and no proof either.
fn not_tried(book: &Book, why: &str) -> anyhow::Result<bool> {
    eprintln!("not tried: {why}");
    book.keep(&format!("not tried: {why}"), Came::default())?;
    Ok(true)
}
