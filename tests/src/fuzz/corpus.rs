//! The inputs that git keeps: a few to begin with, and every one that ever failed.

use std::fs;
use std::path::PathBuf;

use anyhow::Context as _;

use super::Target;
use crate::proof;

/// The longest input that is kept.
const KEPT_BYTES_MAX: usize = 4 * 1024;
/// How a file that once failed begins; it is never written anew.
const REGRESSION: &str = "regression-";

/// Where the package of libFuzzer lies.
pub(super) fn package() -> anyhow::Result<PathBuf> {
    Ok(proof::root()?.join("tests/fuzz"))
}

/// Where the inputs of a target lie.
pub(super) fn folder(target: &Target) -> anyhow::Result<PathBuf> {
    Ok(package()?.join("corpus").join(target.name))
}

/// The kept inputs of a target by name.
///
/// # Errors
/// Where there are none, or one cannot be read.
pub fn inputs(target: &Target) -> anyhow::Result<Vec<(String, Vec<u8>)>> {
    let folder = folder(target)?;
    let mut found = Vec::new();
    for entry in fs::read_dir(&folder).with_context(|| format!("{}", folder.display()))? {
        let path = entry?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        found.push((name.into_owned(), fs::read(&path)?));
    }
    found.sort();
    anyhow::ensure!(!found.is_empty(), "{}: no inputs", folder.display());
    Ok(found)
}

/// Writes the seeds of a target anew; how many. What is longer than git should keep is cut: it is tried
/// whole by whoever runs the target.
pub(super) fn write(target: &Target) -> anyhow::Result<usize> {
    let folder = folder(target)?;
    fs::create_dir_all(&folder)?;
    for entry in fs::read_dir(&folder)? {
        let path = entry?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        if !name.starts_with(REGRESSION) {
            fs::remove_file(&path)?;
        }
    }
    let seeds = (target.seeds)()?;
    for (number, mut bytes) in seeds.iter().cloned().enumerate() {
        bytes.truncate(KEPT_BYTES_MAX);
        fs::write(folder.join(format!("seed-{number:03}")), bytes)?;
    }
    Ok(seeds.len())
}

/// Keeps an input that failed.
pub(super) fn keep(target: &Target, bytes: &[u8]) -> anyhow::Result<PathBuf> {
    let hash = blake3::hash(bytes).to_hex();
    let short: String = hash.chars().take(12).collect();
    let path = folder(target)?.join(format!("{REGRESSION}{short}"));
    fs::write(&path, bytes)?;
    Ok(path)
}
