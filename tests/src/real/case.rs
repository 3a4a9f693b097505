//! What a case is, what it needs of the machine, and what it has seen.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::harness::Programs;

/// Stands in an error that says that the machine cannot do what a case needs: no failure of the product.
pub(super) const CANNOT: &str = "this machine cannot: ";

/// Where libfaketime lies.
pub(super) const FAKETIME: &str = "/usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1";

/// What a case needs of the machine.
#[derive(Debug, Clone, Copy)]
pub(super) enum Need {
    /// A command, and the Debian package that brings it.
    Tool(&'static str, &'static str),
    /// A file, and the Debian package that brings it.
    File(&'static str, &'static str),
    /// Namespaces for mounts and networks.
    Namespaces,
}

/// One case.
pub(super) struct Case {
    /// The faults that it brings about (`faults.md`).
    pub(super) ids: &'static str,
    /// Its name.
    pub(super) name: &'static str,
    /// Effects that must be seen as often as the fault was wanted: a case that sees nothing proves nothing.
    pub(super) sees: &'static [&'static str],
    /// What it needs.
    pub(super) needs: &'static [Need],
    /// Runs it.
    pub(super) run: fn(&Context, &mut Seen) -> anyhow::Result<()>,
}

impl Case {
    /// What the machine lacks for it.
    pub(super) fn missing(&self) -> Option<String> {
        self.needs.iter().find_map(|need| match need {
            Need::Tool(name, package) => {
                let found = std::env::var_os("PATH").is_some_and(|folders| {
                    let mut folders = std::env::split_paths(&folders);
                    folders.any(|folder| folder.join(name).exists())
                });
                (!found).then(|| format!("no {name} (apt-get install {package})"))
            }
            Need::File(path, package) => {
                let is_there = Path::new(path).exists();
                (!is_there).then(|| format!("no {path} (apt-get install {package})"))
            }
            Need::Namespaces => {
                let said = quiet("unshare", &["-n", "-m", "true"]);
                said.err().map(|error| format!("no namespaces: {error:#}"))
            }
        })
    }
}

/// Runs a command of the machine; an error with what it said.
pub(super) fn quiet(command: &str, args: &[&str]) -> anyhow::Result<String> {
    let output = Command::new(command)
        .args(args)
        .stdin(Stdio::null())
        .output()
        .map_err(|error| anyhow::anyhow!("{command}: {error}"))?;
    let said = String::from_utf8_lossy(&output.stderr);
    anyhow::ensure!(
        output.status.success(),
        "{command} {}: {}",
        args.join(" "),
        said.trim()
    );
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// What a case is given.
pub(super) struct Context {
    /// The shipped programs.
    pub(super) programs: Programs,
    /// An empty folder of its own.
    pub(super) folder: PathBuf,
    /// How often the fault is wanted.
    pub(super) times: u64,
}

/// What was seen, by fault.
#[derive(Debug, Default)]
pub(super) struct Seen(BTreeMap<String, u64>);

impl Seen {
    /// An effect was seen.
    pub(super) fn saw(&mut self, what: &str) {
        self.count(what, 1);
    }

    /// So many effects were seen.
    pub(super) fn count(&mut self, what: &str, times: u64) {
        if times > 0 {
            *self.0.entry(what.to_owned()).or_insert(0) += times;
        }
    }

    /// The greatest of some measured figure.
    pub(super) fn most(&mut self, what: &str, figure: u64) {
        let most = self.0.entry(what.to_owned()).or_insert(0);
        *most = figure.max(*most);
    }

    /// How often that was seen.
    pub(super) fn times(&self, what: &str) -> u64 {
        self.0.get(what).copied().unwrap_or(0)
    }

    pub(super) fn counts(self) -> BTreeMap<String, u64> {
        self.0
    }
}
