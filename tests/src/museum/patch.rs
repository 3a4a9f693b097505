//! A planted bug: a header in plain words, and a diff as `git diff` writes it.

use std::fmt;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail, ensure};

/// Where they lie.
const FOLDER: &str = "tests/museum";
/// Characters of a hash in the name of a unit.
const HASH_LENGTH: usize = 8;
/// The most lines that a bug takes out or puts in.
const LINES_MAX: usize = 40;
/// What is shipped, from what all stands on to the top: what is planted lowest costs the longest build.
const CRATES: [&str; 7] = [
    "shared/domain/",
    "shared/store/",
    "shared/transport/",
    "shared/system/",
    "proto/",
    "node/",
    "hub/",
];

/// A planted bug.
#[derive(Debug, Clone)]
pub struct Patch {
    /// Its name, and its file's.
    pub name: String,
    /// What is wrong.
    pub bug: String,
    /// Which invariant it breaks.
    pub breaks: String,
    /// How it is caught.
    pub caught: Caught,
    /// Its name in the ledger: with what it changes and how it is caught, so that a change of one bug, and
    /// not of what is said of it, makes void what came of that one.
    pub unit: String,
    files: Vec<FileDiff>,
}

/// How a bug is caught.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Caught {
    /// By the simulator, from seed 1 on, within so many seeds.
    Seeds(u64),
    /// By crashes in the scenarios whose names begin so.
    Sweep(String),
    /// By a test, where no simulation can see it: what stands behind `cargo test`.
    Test(String),
    /// By nothing, in so many seeds from 1 on: it is no bug, but another size of something, or nothing at all.
    Never(u64),
}

/// What is changed in one file.
#[derive(Debug, Clone)]
struct FileDiff {
    path: String,
    hunks: Vec<Hunk>,
}

/// Lines as they are, and as they are with the bug, each with its end.
#[derive(Debug, Clone, Default)]
struct Hunk {
    before: Vec<String>,
    after: Vec<String>,
    changed: usize,
}

impl Caught {
    /// Whether it is a bug of which somebody must see something.
    pub const fn is_bug(&self) -> bool {
        !matches!(self, Self::Never(_))
    }
}

impl fmt::Display for Caught {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Seeds(seeds) => f.pad(&format!("seeds {seeds}")),
            Self::Sweep(scenario) => f.pad(&format!("sweep {scenario}")),
            Self::Test(line) => f.pad(&format!("test {line}")),
            Self::Never(seeds) => f.pad(&format!("never {seeds}")),
        }
    }
}

/// A name in the ledger with a hash of what stands behind it.
pub fn unit(name: &str, what: &[&str]) -> String {
    let hash = blake3::hash(what.join("\n").as_bytes()).to_hex();
    let short: String = hash.chars().take(HASH_LENGTH).collect();
    format!("{name} {short}")
}

/// All planted bugs, those that are planted lowest first.
///
/// # Errors
/// One that cannot be read.
pub fn read_all(root: &Path) -> anyhow::Result<Vec<Patch>> {
    let mut patches = Vec::new();
    for entry in std::fs::read_dir(root.join(FOLDER)).context(FOLDER)? {
        let path = entry?.path();
        if path.extension().is_some_and(|ending| ending == "patch") {
            let name = path
                .file_stem()
                .unwrap_or_default()
                .to_string_lossy()
                .into_owned();
            let text = std::fs::read_to_string(&path)?;
            patches.push(Patch::parse(&name, &text).with_context(|| format!("patch {name}"))?);
        }
    }
    patches.sort_by_key(|patch| (patch.rank(), patch.name.clone()));
    Ok(patches)
}

impl Patch {
    /// Reads a header and a diff.
    ///
    /// # Errors
    /// A header that lacks something; a diff that is none, is long, or touches more than what is shipped.
    pub fn parse(name: &str, text: &str) -> anyhow::Result<Self> {
        let (header, diff) = text.split_at(text.find("diff --git ").context("no diff")?);
        let of = |word: &str| -> anyhow::Result<String> {
            let found = header.lines().find_map(|line| line.strip_prefix(word));
            let found = found.with_context(|| format!("no line “{word}”"))?;
            Ok(found.trim().to_owned())
        };
        ensure!(of("name:")? == name, "its name is not its file's");
        let caught = of("caught:")?;
        let unit = unit(name, &[&caught, diff]);
        let caught = match caught.split_once(' ') {
            Some(("seeds", seeds)) => Caught::Seeds(seeds.parse()?),
            Some(("sweep", scenario)) => Caught::Sweep(scenario.to_owned()),
            Some(("test", line)) => Caught::Test(line.to_owned()),
            Some(("never", seeds)) => Caught::Never(seeds.parse()?),
            _ => bail!("caught: seeds N, sweep SCENARIO, test LINE, or never N"),
        };
        let files = read_diff(diff)?;
        let changed: usize = files
            .iter()
            .flat_map(|file| &file.hunks)
            .map(|hunk| hunk.changed)
            .sum();
        ensure!(
            (1..=LINES_MAX).contains(&changed),
            "{changed} lines are changed"
        );
        for file in &files {
            let is_shipped = CRATES.iter().any(|folder| file.path.starts_with(folder));
            ensure!(
                is_shipped && !file.path.contains("/tests"),
                "{} is not shipped",
                file.path
            );
        }
        Ok(Self {
            name: name.to_owned(),
            bug: of("bug:")?,
            breaks: of("breaks:")?,
            caught,
            unit,
            files,
        })
    }

    /// Within how many seeds it is caught, if by seeds.
    pub fn seeds(&self) -> Option<u64> {
        match self.caught {
            Caught::Seeds(seeds) => Some(seeds),
            Caught::Sweep(_) | Caught::Test(_) | Caught::Never(_) => None,
        }
    }

    /// The files with the bug, as they are to be written below `root`. Lines are found by what they say,
    /// wherever they stand, and must stand there once.
    ///
    /// # Errors
    /// Where it does not apply.
    pub fn planted(&self, root: &Path) -> anyhow::Result<Vec<(PathBuf, String)>> {
        let mut planted = Vec::new();
        for file in &self.files {
            let path = root.join(&file.path);
            let mut text = std::fs::read_to_string(&path).with_context(|| file.path.clone())?;
            for hunk in &file.hunks {
                let (before, after) = (hunk.before.concat(), hunk.after.concat());
                let found = text.matches(&before).count();
                ensure!(
                    found == 1,
                    "{}: these lines stand there {found} times:\n{before}",
                    file.path
                );
                text = text.replacen(&before, &after, 1);
            }
            planted.push((path, text));
        }
        Ok(planted)
    }

    fn rank(&self) -> usize {
        let of = |file: &FileDiff| {
            CRATES
                .iter()
                .position(|folder| file.path.starts_with(folder))
        };
        self.files
            .iter()
            .filter_map(of)
            .min()
            .unwrap_or(CRATES.len())
    }
}

fn read_diff(diff: &str) -> anyhow::Result<Vec<FileDiff>> {
    let mut files: Vec<FileDiff> = Vec::new();
    for line in diff.lines() {
        if let Some(path) = line.strip_prefix("+++ b/") {
            files.push(FileDiff {
                path: path.to_owned(),
                hunks: Vec::new(),
            });
            continue;
        }
        let Some(file) = files.last_mut() else {
            continue;
        };
        if line.starts_with("diff --git ")
            || line.starts_with("index ")
            || line.starts_with("--- a/")
        {
            continue;
        }
        if line.starts_with("@@ ") {
            file.hunks.push(Hunk::default());
            continue;
        }
        let hunk = file.hunks.last_mut().context("lines before a hunk")?;
        let (sign, rest) = line.split_at_checked(1).unwrap_or((" ", ""));
        let rest = format!("{rest}\n");
        hunk.changed += usize::from(sign != " ");
        match sign {
            " " => {
                hunk.before.push(rest.clone());
                hunk.after.push(rest);
            }
            "-" => hunk.before.push(rest),
            "+" => hunk.after.push(rest),
            _ => bail!("not a line of a diff: {line}"),
        }
    }
    Ok(files)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    const BUG: &str = "name: a-bug\nbug: b becomes c\nbreaks: S1\ncaught: seeds 7\n\n\
        diff --git a/node/src/x.rs b/node/src/x.rs\n--- a/node/src/x.rs\n+++ b/node/src/x.rs\n\
        @@ -1,3 +1,3 @@\n a\n-b\n+c\n \n";

    #[test]
    fn a_bug_is_planted_where_its_lines_stand_once_and_nowhere_else() {
        let bug = Patch::parse("a-bug", BUG).unwrap();
        assert_eq!(bug.caught, Caught::Seeds(7));
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("node/src/x.rs");
        std::fs::create_dir_all(file.parent().unwrap()).unwrap();
        std::fs::write(&file, "0\na\nb\n\n1\n").unwrap();
        let planted = bug.planted(folder.path()).unwrap();
        assert_eq!(planted, [(file.clone(), "0\na\nc\n\n1\n".to_owned())]);
        for other in ["a\nx\n\n", "a\nb\n\na\nb\n\n"] {
            std::fs::write(&file, other).unwrap();
            assert!(bug.planted(folder.path()).is_err(), "{other}");
        }
    }

    #[test]
    fn a_header_that_lacks_something_or_a_bug_in_a_test_is_refused() {
        for (from, to) in [
            ("a-bug", "b"),
            ("breaks: S1\n", ""),
            ("seeds 7", "some day"),
            ("node/src/x.rs", "tests/src/x.rs"),
            ("-b\n+c\n", " b\n"),
        ] {
            assert!(
                Patch::parse("a-bug", &BUG.replace(from, to)).is_err(),
                "{from}"
            );
        }
    }
}
