//! The habits of the house, checked on every source file and on the manifests: who may import whom,
//! sizes, and what is absent on purpose.
//!
//! Each check is a function from a source or an edge to its findings, so that `samples` can
//! show for each of them a sample that it finds.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

#[path = "tidy/samples.rs"]
mod samples;

use std::path::{Path, PathBuf};
use std::process::Command;

use cargo_metadata::{DependencyKind, MetadataCommand};

const LINES_MAX: usize = 600;
const COLUMNS_MAX: usize = 120;
/// Folders that hold no source of ours.
const NOT_OURS: [&str; 3] = ["target", ".git", "data"];
/// The only files that read the clock of the wall, besides those of the crate `tests`.
const CLOCK_READERS: [&str; 1] = ["shared/system/src/lib.rs"];
const CLOCKS: [&str; 5] = [
    "SystemTime::now",
    "Timestamp::now",
    "Zoned::now",
    "UnixTime::now",
    "OffsetDateTime::now_",
];
/// What would make a rule depend on more than its input.
const IMPURE: [&str; 11] = [
    "std::fs",
    "std::net",
    "std::env",
    "std::thread",
    "std::process",
    "std::io",
    "HashMap",
    "HashSet",
    "Instant::now",
    "SystemTime",
    "println!",
];
/// Written in two parts, so that this file does not hold what it looks for.
const UNFINISHED: [&str; 3] = [
    concat!("todo", "!("),
    concat!("unimplemented", "!("),
    concat!("dbg", "!("),
];
const IGNORED: &str = concat!("#[", "ignore");
const SQL: [&str; 6] = [
    concat!("SELECT", " "),
    concat!("INSERT", " INTO "),
    concat!("INSERT", " OR "),
    concat!("DELETE", " FROM "),
    concat!("CREATE", " TABLE "),
    concat!("PRAGMA", " "),
];

/// A crate of ours, what of ours it may import, and which others it must not.
struct Layer {
    name: &'static str,
    may: &'static [&'static str],
    must_not: &'static [&'static str],
}

const PROGRAM_MAY: &[&str] = &[
    "console",
    "domain",
    "exchange",
    "proto",
    "store",
    "system",
    "transport",
    "web",
];
const LAYERS: [Layer; 11] = [
    Layer {
        name: "domain",
        may: &[],
        must_not: &[
            "tokio", "rusqlite", "prost", "tonic", "serde", "tracing", "rand",
        ],
    },
    Layer {
        name: "proto",
        may: &["domain"],
        must_not: &["rusqlite", "axum"],
    },
    Layer {
        name: "store",
        may: &["domain"],
        must_not: &["prost", "tonic", "axum"],
    },
    Layer {
        name: "system",
        may: &["domain"],
        must_not: &["rusqlite", "prost", "tonic", "tokio"],
    },
    Layer {
        name: "transport",
        may: &["domain"],
        must_not: &["rusqlite"],
    },
    Layer {
        name: "exchange",
        may: &["domain"],
        must_not: &["rusqlite", "prost", "tonic", "tokio"],
    },
    Layer {
        name: "console",
        may: &["domain", "exchange"],
        must_not: &["rusqlite", "prost", "tonic", "tokio"],
    },
    Layer {
        name: "web",
        may: &["domain"],
        must_not: &["rusqlite", "prost"],
    },
    Layer {
        name: "lianxin-node",
        may: PROGRAM_MAY,
        must_not: &["rusqlite"],
    },
    Layer {
        name: "lianxin-hub",
        may: PROGRAM_MAY,
        must_not: &["rusqlite"],
    },
    Layer {
        name: "tests",
        may: &[
            "console",
            "domain",
            "exchange",
            "proto",
            "store",
            "system",
            "transport",
            "web",
            "lianxin-node",
            "lianxin-hub",
        ],
        must_not: &[],
    },
];

/// A source file: its path below the workspace, with slashes, and its text.
struct Source {
    path: String,
    text: String,
}

impl Source {
    fn is_generated(&self) -> bool {
        self.path.starts_with("proto/src/gen/")
    }

    /// Whether the file holds nothing but tests and what they need.
    fn is_test(&self) -> bool {
        let named = ["/tests.rs", "/testing.rs"]
            .iter()
            .any(|end| self.path.ends_with(end));
        named || self.path.starts_with("tests/") || self.path.contains("/tests/")
    }

    /// Lines with their numbers, up to the module of tests at the end.
    fn shipped(&self) -> impl Iterator<Item = (usize, &str)> {
        let lines: Vec<&str> = self.text.lines().collect();
        let is_attribute = |line: &&&str| line.starts_with(['#', ' ', ')']);
        let begins_tests = |place: &usize| {
            let behind = lines[*place + 1..].iter().find(|line| !is_attribute(line));
            lines[*place] == "#[cfg(test)]"
                && behind.is_some_and(|line| line.starts_with("mod ") && line.ends_with('{'))
        };
        let end = (0..lines.len()).find(begins_tests).unwrap_or(lines.len());
        lines
            .into_iter()
            .take(end)
            .zip(1..)
            .map(|(line, number)| (number, line))
    }

    /// Where one of the words stands outside comments.
    fn holding(&self, words: &[&str]) -> Vec<String> {
        let code = self
            .text
            .lines()
            .zip(1..)
            .filter(|(line, _)| !is_comment(line));
        let found = code.filter_map(|(line, number)| {
            let word = words.iter().find(|word| line.contains(**word))?;
            Some(format!("{}:{number}: {word}", self.path))
        });
        found.collect()
    }
}

fn is_comment(line: &str) -> bool {
    line.trim_start().starts_with("//")
}

/// A dependency as a manifest states it.
#[derive(Clone)]
struct Edge {
    from: String,
    to: String,
    is_dev: bool,
}

fn without_module_doc(source: &Source) -> Vec<String> {
    // A module of tests is described by the module it tests.
    let is_exempt = source.is_generated() || source.path.ends_with("/tests.rs");
    let is_described = source
        .text
        .lines()
        .next()
        .is_some_and(|line| line.starts_with("//! "));
    if is_exempt || is_described {
        return Vec::new();
    }
    vec![format!(
        "{}:1: no module doc (//!) in the first line",
        source.path
    )]
}

fn too_long(source: &Source) -> Vec<String> {
    let lines = source.text.lines().count();
    if source.is_generated() || lines <= LINES_MAX {
        return Vec::new();
    }
    vec![format!(
        "{}: {lines} lines, {LINES_MAX} are the most",
        source.path
    )]
}

fn too_wide(source: &Source) -> Vec<String> {
    if source.is_generated() || source.is_test() {
        return Vec::new();
    }
    let width = |line: &str| line.chars().count();
    let wide = source
        .shipped()
        .filter(|(_, line)| width(line) > COLUMNS_MAX);
    wide.map(|(number, line)| format!("{}:{number}: {} columns", source.path, width(line)))
        .collect()
}

fn ignored_test(source: &Source) -> Vec<String> {
    source.holding(&[IGNORED])
}

fn unfinished(source: &Source) -> Vec<String> {
    source.holding(&UNFINISHED)
}

fn sql_outside_the_store(source: &Source) -> Vec<String> {
    // The bare program beside which the product is measured has a store of its own.
    let at_home = ["shared/store/", "tests/bench/"];
    if at_home.iter().any(|home| source.path.starts_with(home)) {
        return Vec::new();
    }
    source.holding(&SQL)
}

fn clock_read(source: &Source) -> Vec<String> {
    let may = CLOCK_READERS.contains(&source.path.as_str()) || source.path.starts_with("tests/");
    if may {
        Vec::new()
    } else {
        source.holding(&CLOCKS)
    }
}

fn impure_rule(source: &Source) -> Vec<String> {
    if !source.path.starts_with("shared/domain/src/") || source.is_test() {
        return Vec::new();
    }
    let code = source.shipped().filter(|(_, line)| !is_comment(line));
    let found = code.filter_map(|(number, line)| {
        let word = IMPURE.iter().find(|word| line.contains(**word))?;
        Some(format!("{}:{number}: {word}", source.path))
    });
    found.collect()
}

/// An edge that the layers forbid, among the crates `ours`.
fn forbidden_edge(edge: &Edge, ours: &[String]) -> Option<String> {
    let Edge { from, to, is_dev } = edge;
    let Some(layer) = LAYERS.iter().find(|layer| layer.name == from) else {
        return Some(format!("{from} has no place among the layers"));
    };
    let is_ours = ours.contains(to);
    if is_ours && !layer.may.contains(&to.as_str()) {
        return Some(format!("{from} imports {to}"));
    }
    let is_forbidden = !is_ours && !is_dev && layer.must_not.iter().any(|name| is_of(name, to));
    is_forbidden.then(|| format!("{from} must never see {to}"))
}

/// Whether a crate is this library or one of its family: `tonic-health` is of `tonic`.
fn is_of(library: &str, name: &str) -> bool {
    name.strip_prefix(library)
        .is_some_and(|rest| rest.is_empty() || rest.starts_with(['-', '_']))
}

fn root() -> PathBuf {
    let here = std::env::var("CARGO_MANIFEST_DIR");
    Path::new(here.as_deref().unwrap_or(env!("CARGO_MANIFEST_DIR")))
        .parent()
        .unwrap()
        .to_path_buf()
}

fn sources() -> Vec<Source> {
    let root = root();
    let mut folders = vec![root.clone()];
    let mut sources = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let entry = entry.unwrap();
            let path = entry.path();
            let name = entry.file_name();
            if entry.file_type().unwrap().is_dir() {
                if !NOT_OURS.iter().any(|not_ours| name == *not_ours) {
                    folders.push(path);
                }
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let below = path.strip_prefix(&root).unwrap().to_string_lossy();
                let text = std::fs::read_to_string(&path).unwrap();
                sources.push(Source {
                    path: below.replace('\\', "/"),
                    text,
                });
            }
        }
    }
    sources.sort_by(|a, b| a.path.cmp(&b.path));
    assert!(
        sources.len() > 100,
        "only {} sources were found",
        sources.len()
    );
    sources
}

fn assert_none(check: fn(&Source) -> Vec<String>) {
    let findings: Vec<String> = sources().iter().flat_map(check).collect();
    assert!(
        findings.is_empty(),
        "{} findings:\n{}",
        findings.len(),
        findings.join("\n")
    );
}

#[test]
fn every_module_says_what_it_is() {
    assert_none(without_module_doc);
}

#[test]
fn no_file_is_too_long() {
    assert_none(too_long);
}

#[test]
fn no_line_is_too_wide() {
    assert_none(too_wide);
}

#[test]
fn no_test_is_ignored() {
    assert_none(ignored_test);
}

#[test]
fn nothing_is_left_unfinished() {
    assert_none(unfinished);
}

#[test]
fn invariant_11_sql_is_at_home_in_the_store_only() {
    assert_none(sql_outside_the_store);
}

#[test]
fn the_clock_is_read_in_one_file() {
    assert_none(clock_read);
}

#[test]
fn invariant_1_rules_depend_on_their_input_only() {
    assert_none(impure_rule);
}

#[test]
fn no_crate_imports_past_its_layer() {
    let mut command = MetadataCommand::new();
    command.manifest_path(root().join("Cargo.toml")).no_deps();
    let metadata = command.exec().unwrap();
    let ours: Vec<String> = metadata
        .packages
        .iter()
        .map(|package| package.name.to_string())
        .collect();
    assert_eq!(ours.len(), LAYERS.len(), "{ours:?}");
    let edges = metadata.packages.iter().flat_map(|package| {
        package.dependencies.iter().map(|dependency| Edge {
            from: package.name.to_string(),
            to: dependency.name.clone(),
            is_dev: dependency.kind == DependencyKind::Development,
        })
    });
    let findings: Vec<String> = edges
        .filter_map(|edge| forbidden_edge(&edge, &ours))
        .collect();
    assert!(findings.is_empty(), "{}", findings.join("\n"));
}

#[test]
fn what_the_rules_must_never_see_is_not_behind_their_libraries_either() {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let arguments = [
        "tree",
        "--offline",
        "--package",
        "domain",
        "--edges",
        "normal",
        "--prefix",
        "none",
    ];
    let tree = Command::new(cargo)
        .args(arguments)
        .current_dir(root())
        .output()
        .unwrap();
    assert!(
        tree.status.success(),
        "{}",
        String::from_utf8_lossy(&tree.stderr)
    );
    let text = String::from_utf8(tree.stdout).unwrap();
    let mut names = text
        .lines()
        .filter_map(|line| line.split_whitespace().next());
    assert_eq!(names.next(), Some("domain"));
    let findings: Vec<String> = names
        .map(|name| Edge {
            from: "domain".to_owned(),
            to: name.to_owned(),
            is_dev: false,
        })
        .filter_map(|edge| forbidden_edge(&edge, &[]))
        .collect();
    assert!(findings.is_empty(), "{}", findings.join("\n"));
}
