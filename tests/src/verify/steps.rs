//! The steps, and what each of them runs.

use std::ffi::OsString;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

/// Variables that `cargo run` sets for this program and that say nothing true of what it starts.
const OWN_VARIABLES: [&str; 4] = [
    "CARGO_PKG_",
    "CARGO_MANIFEST_",
    "CARGO_BIN_",
    "CARGO_CRATE_",
];
/// A program that needs a compiler, a linker and the headers of the C library.
const C_PROGRAM: &[u8] = b"#include <stdlib.h>\nint main(void) { return EXIT_SUCCESS; }\n";
const PACKAGES: &str = "build-essential";

/// One step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// Its name.
    pub name: &'static str,
    what: What,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum What {
    SystemPackages,
    Toolchain,
    ProtoLint,
    Cargo(&'static [&'static str]),
}

/// The steps of `cargo verify`, in order.
pub fn steps() -> Vec<Step> {
    vec![
        Step {
            name: "system packages",
            what: What::SystemPackages,
        },
        Step {
            name: "toolchain",
            what: What::Toolchain,
        },
        Step::cargo("format", &["fmt", "--all", "--check"]),
        Step {
            name: "wire",
            what: What::ProtoLint,
        },
        Step::cargo(
            "clippy",
            &[
                "clippy",
                "--workspace",
                "--all-targets",
                "--",
                "-D",
                "warnings",
            ],
        ),
        Step::cargo("build", &["build", "--workspace"]),
        Step::cargo("test", &["test", "--workspace"]),
    ]
}

impl Step {
    /// A step that runs cargo.
    pub fn cargo(name: &'static str, arguments: &'static [&'static str]) -> Self {
        Self {
            name,
            what: What::Cargo(arguments),
        }
    }

    /// What it does, for people.
    pub fn shown(&self) -> String {
        match self.what {
            What::SystemPackages => "a C compiler with its linker and headers".to_owned(),
            What::Toolchain => "rustfmt and clippy".to_owned(),
            What::ProtoLint => "buf lint, where npm can bring it".to_owned(),
            What::Cargo(arguments) => format!("cargo {}", arguments.join(" ")),
        }
    }

    /// Runs it in the workspace at `root`; an error says what a person can do.
    pub(super) fn run(&self, root: &Path) -> Result<(), String> {
        match self.what {
            What::SystemPackages => system_packages(),
            What::Toolchain => toolchain(root),
            What::ProtoLint => super::proto::lint(root),
            What::Cargo(arguments) => succeed(cargo(root).args(arguments)),
        }
    }
}

/// Cargo, the one that runs this program if there is one.
fn cargo(root: &Path) -> Command {
    let program = std::env::var_os("CARGO").unwrap_or_else(|| OsString::from("cargo"));
    let mut command = Command::new(program);
    command.current_dir(root).stdin(Stdio::null());
    for (name, _) in std::env::vars_os() {
        let shown = name.to_string_lossy();
        if OWN_VARIABLES.iter().any(|own| shown.starts_with(own)) {
            command.env_remove(&name);
        }
    }
    command
}

fn succeed(command: &mut Command) -> Result<(), String> {
    let program = command.get_program().to_string_lossy().into_owned();
    match command.status() {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(format!("{program} ended with {status}")),
        Err(error) => Err(format!("{program} cannot be started: {error}")),
    }
}

/// Finds a C compiler that works, and installs one where that is allowed. The database and the
/// cryptography are C.
fn system_packages() -> Result<(), String> {
    if compiles_c("cc") {
        return Ok(());
    }
    let missing = format!(
        "no C compiler that works was found (`cc`, with a linker and the headers of the C library); \
         install the package {PACKAGES}, on Debian and Ubuntu by: sudo apt-get install {PACKAGES}"
    );
    let Some(prefix) = privilege() else {
        return Err(missing);
    };
    for arguments in [
        &["update"][..],
        &["install", "--yes", "--no-install-recommends", PACKAGES],
    ] {
        let mut words = prefix
            .iter()
            .copied()
            .chain(["apt-get"])
            .chain(arguments.iter().copied());
        let mut command = Command::new(words.next().unwrap_or("apt-get"));
        command
            .args(words)
            .env("DEBIAN_FRONTEND", "noninteractive")
            .stdin(Stdio::null());
        succeed(&mut command).map_err(|why| format!("{missing} ({why})"))?;
    }
    if compiles_c("cc") {
        Ok(())
    } else {
        Err(missing)
    }
}

/// What to put before `apt-get`: nothing for root, sudo where it asks for no password. None where
/// neither is.
fn privilege() -> Option<&'static [&'static str]> {
    let answers = |program: &str, arguments: &[&str]| {
        Command::new(program)
            .args(arguments)
            .stderr(Stdio::null())
            .output()
            .ok()
    };
    let user = answers("id", &["-u"])?;
    if user.stdout.trim_ascii() == b"0" {
        return Some(&[]);
    }
    let sudo = answers("sudo", &["-n", "true"])?;
    sudo.status.success().then_some(&["sudo", "-n"])
}

/// Whether this compiler makes a program.
fn compiles_c(compiler: &str) -> bool {
    let compile = || -> std::io::Result<bool> {
        let folder = tempfile::tempdir()?;
        let mut child = Command::new(compiler)
            .args(["-x", "c", "-", "-o"])
            .arg(folder.path().join("program"))
            .stdin(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()?;
        if let Some(mut input) = child.stdin.take() {
            input.write_all(C_PROGRAM)?;
        }
        Ok(child.wait()?.success())
    };
    compile().unwrap_or(false)
}

/// Whether the two parts of the toolchain are there that a minimal one lacks.
fn toolchain(root: &Path) -> Result<(), String> {
    for (part, command) in [("rustfmt", "fmt"), ("clippy", "clippy")] {
        succeed(cargo(root).args([command, "--version"])).map_err(|why| {
            format!("{part} is missing; add it by: rustup component add {part} ({why})")
        })?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_steps_are_those_that_a_change_must_pass() {
        let shown: Vec<String> = steps().iter().map(Step::shown).collect();
        assert_eq!(
            shown[2..],
            [
                "cargo fmt --all --check",
                "buf lint, where npm can bring it",
                "cargo clippy --workspace --all-targets -- -D warnings",
                "cargo build --workspace",
                "cargo test --workspace",
            ]
        );
    }

    #[test]
    fn a_compiler_that_is_not_there_does_not_work() {
        assert!(!compiles_c("no-such-compiler"));
        assert!(!compiles_c("false"));
        assert!(compiles_c("cc"));
    }

    #[test]
    fn a_command_that_fails_says_which() {
        let why = succeed(&mut Command::new("no-such-command"))
            .err()
            .unwrap_or_default();
        assert!(
            why.starts_with("no-such-command cannot be started"),
            "{why}"
        );
    }
}
