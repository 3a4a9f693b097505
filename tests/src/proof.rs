//! The ledger of proof: what long runs did, saw and found, one line for each unit of work, so that they
//! can be cut off and go on, and so that one report can be made of all.

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::PathBuf;
use std::process::Command;

use anyhow::Context as _;
use serde::{Deserialize, Serialize};

/// Where the ledger lies, if not in `target/proof`.
const PLACE: &str = "LIANXIN_LEDGER";

/// One unit of work that was done to its end.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Entry {
    /// Which machinery: `seeds`, `twice`, `sweep`, `museum`, `real`, `foreign`, `fuzz`, `model`.
    pub part: String,
    /// Its name within the part; a long run does not do again what stands here for the same commit.
    pub unit: String,
    /// The commit that was run; with `+` where the tree had been changed.
    pub commit: String,
    /// How long it took on one core (seconds).
    pub seconds: f64,
    /// What was observed, and how often.
    #[serde(default)]
    pub met: BTreeMap<String, u64>,
    /// What did not hold.
    #[serde(default)]
    pub violations: Vec<String>,
}

/// The commit of the working folder.
///
/// # Errors
/// Where git does not answer.
pub fn commit() -> anyhow::Result<String> {
    let git = |arguments: &[&str]| -> anyhow::Result<String> {
        let output = Command::new("git").args(arguments).output();
        let output = output.context("git cannot be run")?;
        anyhow::ensure!(output.status.success(), "this is not a git folder");
        Ok(String::from_utf8(output.stdout)?.trim().to_owned())
    };
    // What is not code does not change what is run.
    let changed = git(&[
        "status",
        "--porcelain",
        "--",
        "*.rs",
        "*.toml",
        "*.proto",
        "*.sql",
    ])?;
    let changed = if changed.is_empty() { "" } else { "+" };
    Ok(git(&["rev-parse", "HEAD"])? + changed)
}

fn place() -> PathBuf {
    let named = std::env::var_os(PLACE).map(PathBuf::from);
    named.unwrap_or_else(|| PathBuf::from("target/proof/ledger.jsonl"))
}

/// Adds a line.
///
/// # Errors
/// Where it cannot be written.
pub fn append(entry: &Entry) -> anyhow::Result<()> {
    let place = place();
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
    let Ok(file) = File::open(place()) else {
        return Ok(Vec::new());
    };
    let mut entries = Vec::new();
    for line in BufReader::new(file).lines() {
        entries.extend(serde_json::from_str::<Entry>(&line?));
    }
    Ok(entries)
}
