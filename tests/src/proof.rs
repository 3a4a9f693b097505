//! The ledger of proof: what long runs did, saw and found, one line for each unit of work, so that they
//! can be cut off and go on, and so that one report can be made of all.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{File, OpenOptions};
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::PathBuf;
use std::process::Command;

use anyhow::Context as _;
use serde::{Deserialize, Serialize};

/// Where the ledger lies, if not in `tests/proof` (where git keeps it, so that a run of many hours can go
/// on from another machine).
const PLACE: &str = "LIANXIN_LEDGER";
/// Characters of an identity.
const IDENTITY_LENGTH: usize = 16;

/// One unit of work that was done to its end.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Entry {
    /// Which machinery: `seeds`, `twice`, `sweep`, `museum`, `real`, `foreign`, `fuzz`, `model`; `nightly`
    /// for the wall time of a long run.
    pub part: String,
    /// Its name within the part; a long run does not do again what stands here for the same identity.
    pub unit: String,
    /// What was run (`identity`).
    pub identity: String,
    /// The commit at which it was run.
    pub commit: String,
    /// What came of it.
    #[serde(flatten)]
    pub came: Came,
}

/// What came of a unit of work.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Came {
    /// How long it took on one core (seconds).
    pub seconds: f64,
    /// What was observed, and how often.
    #[serde(default)]
    pub met: BTreeMap<String, u64>,
    /// What did not hold.
    #[serde(default)]
    pub violations: Vec<String>,
}

/// The ledger as one run of a part uses it. Where nobody asked for it, nothing stands in it and nothing
/// is written.
#[derive(Debug)]
pub struct Book {
    part: &'static str,
    /// What is run, and at which commit; none where nothing is written.
    run: Option<(String, String)>,
    done: BTreeSet<String>,
}

impl Book {
    /// Opens it for a part, if it `is_kept`.
    ///
    /// # Errors
    /// Where git does not answer or the ledger cannot be read.
    pub fn open(part: &'static str, is_kept: bool) -> anyhow::Result<Self> {
        let (mut run, mut done) = (None, BTreeSet::new());
        if is_kept {
            let identity = identity(part)?;
            let entries = read()?.into_iter();
            let of_run = entries.filter(|entry| entry.part == part && entry.identity == identity);
            done.extend(of_run.map(|entry| entry.unit));
            run = Some((identity, commit()?));
        }
        Ok(Self { part, run, done })
    }

    /// Whether a unit was done already with what the part runs now.
    pub fn has(&self, unit: &str) -> bool {
        self.done.contains(unit)
    }

    /// Adds what came of a unit.
    ///
    /// # Errors
    /// Where it cannot be written.
    pub fn keep(&self, unit: &str, came: Came) -> anyhow::Result<()> {
        let Some((identity, commit)) = self.run.clone() else {
            return Ok(());
        };
        append(&Entry {
            part: self.part.to_owned(),
            unit: unit.to_owned(),
            identity,
            commit,
            came,
        })
    }
}

/// What is shipped, and what it is built with.
const SHIPPED: [&str; 7] = [
    "proto",
    "shared",
    "node",
    "hub",
    "Cargo.lock",
    "Cargo.toml",
    ".cargo",
];
/// Words for people, and the tests of a crate, are in no program.
const NOT_IN_A_PROGRAM: [&str; 5] = [
    ":(exclude)*.md",
    ":(exclude)shared/docs",
    ":(exclude)*/tests/*",
    ":(exclude)*/tests.rs",
    ":(exclude)*/proptest-regressions/*",
];

/// What is drawn from a seed in the simulated city, which only the seeds run.
const DRAWN: [&str; 6] = [
    ":(exclude)tests/simulation/many.rs",
    ":(exclude)tests/simulation/plan*",
    ":(exclude)tests/simulation/quick.rs",
    ":(exclude)tests/simulation/run*",
    ":(exclude)tests/simulation/shrink.rs",
    ":(exclude)tests/simulation/work*",
];

/// Which files the machinery of a part lies in, beside what is shipped. (Each planted bug is in the name
/// of its unit.)
fn machinery(part: &str) -> Vec<&'static str> {
    let city = ["tests/simulation"];
    let with_stage = |own: &[&'static str]| [&city, own, &DRAWN].concat();
    match part {
        "seeds" | "twice" | "nightly" => city.to_vec(),
        "sweep" => with_stage(&["tests/src/sweep*"]),
        "museum" => [city, ["tests/src/museum*"]].concat(),
        "real" => vec!["tests/src/real*", "tests/src/harness*"],
        "foreign" => vec!["tests/compatibility", "tests/src/foreign*"],
        "fuzz" => with_stage(&["tests/fuzz", "tests/src/fuzz*"]),
        "model" => with_stage(&["tests/src/model*"]),
        _ => vec!["tests"],
    }
}

/// What a part runs: a hash over the files of the programs that are shipped and of the part's own
/// machinery, as they are in git, so that a change of a document or of a crate's tests does not make a
/// long run void. With `+` where a file differs from the last commit.
///
/// # Errors
/// Where git does not answer.
pub fn identity(part: &str) -> anyhow::Result<String> {
    let files = [&SHIPPED[..], &machinery(part), &NOT_IN_A_PROGRAM].concat();
    let listed = git(&["ls-files", "--stage", "--full-name", "--"], &files)?;
    let changed = git(&["status", "--porcelain", "--"], &files)?;
    let hash = blake3::hash(listed.as_bytes()).to_hex();
    let changed = if changed.is_empty() { "" } else { "+" };
    Ok(hash.chars().take(IDENTITY_LENGTH).collect::<String>() + changed)
}

/// The commit of the working folder.
///
/// # Errors
/// Where git does not answer.
pub fn commit() -> anyhow::Result<String> {
    Ok(git(&["rev-parse", "HEAD"], &[])?.trim().to_owned())
}

/// The top of the working folder.
///
/// # Errors
/// Where git does not answer.
pub fn root() -> anyhow::Result<PathBuf> {
    let output = Command::new("git")
        .args(["rev-parse", "--show-toplevel"])
        .output()
        .context("git cannot be run")?;
    anyhow::ensure!(output.status.success(), "this is not a git folder");
    Ok(PathBuf::from(String::from_utf8(output.stdout)?.trim()))
}

fn git(arguments: &[&str], files: &[&str]) -> anyhow::Result<String> {
    let output = Command::new("git")
        .current_dir(root()?)
        .args(arguments)
        .args(files)
        .output()
        .context("git cannot be run")?;
    anyhow::ensure!(output.status.success(), "git {arguments:?} failed");
    Ok(String::from_utf8(output.stdout)?)
}

fn place() -> anyhow::Result<PathBuf> {
    match std::env::var_os(PLACE) {
        Some(named) => Ok(PathBuf::from(named)),
        None => Ok(root()?.join("tests/proof/ledger.jsonl")),
    }
}

fn append(entry: &Entry) -> anyhow::Result<()> {
    let place = place()?;
    if let Some(folder) = place.parent() {
        std::fs::create_dir_all(folder)?;
    }
    let line = serde_json::to_string(entry)? + "\n";
    let mut file = OpenOptions::new().create(true).append(true).open(&place)?;
    // One write, so that two programs may add lines at once.
    file.write_all(line.as_bytes())
        .with_context(|| format!("{} cannot be written", place.display()))
}

/// All lines; none where there is no ledger yet. A line that was cut off is left out.
///
/// # Errors
/// Where it cannot be read.
pub fn read() -> anyhow::Result<Vec<Entry>> {
    let Ok(file) = File::open(place()?) else {
        return Ok(Vec::new());
    };
    let mut entries = Vec::new();
    for line in BufReader::new(file).lines() {
        entries.extend(serde_json::from_str::<Entry>(&line?));
    }
    Ok(entries)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_identity_is_of_code() -> anyhow::Result<()> {
        let of_seeds = identity("seeds")?;
        assert!(of_seeds.len() >= IDENTITY_LENGTH);
        assert_ne!(of_seeds, identity("model")?);
        Ok(())
    }

    #[test]
    fn where_nobody_asks_for_it_nothing_is_kept() -> anyhow::Result<()> {
        let book = Book::open("seeds", false)?;
        book.keep("1+1", Came::default())?;
        assert!(!book.has("1+1"));
        Ok(())
    }

    #[test]
    fn a_line_is_flat() -> anyhow::Result<()> {
        let line = r#"{"part":"seeds","unit":"1+1","identity":"i","commit":"c","seconds":2.0}"#;
        let entry: Entry = serde_json::from_str(line)?;
        assert!((entry.came.seconds - 2.0).abs() < f64::EPSILON);
        Ok(())
    }
}
