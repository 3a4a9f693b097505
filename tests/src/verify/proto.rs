//! The lint of the wire's definitions, by the linter of the field where npm can bring it.

use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

/// The linter, with the version that is known to work.
const BUF: &str = "@bufbuild/buf@1.75.0";

/// Lints `proto`; a machine without npm, or without a registry, says so and goes on.
///
/// # Errors
/// What the linter finds.
pub(super) fn lint(root: &Path) -> Result<(), String> {
    let folder = root.join("target/buf");
    let linter = folder.join("node_modules/.bin/buf");
    if !linter.exists() && !install(&folder) {
        note("npm cannot bring the linter here: the definitions are not linted");
        return Ok(());
    }
    let linted = Command::new(&linter)
        .arg("lint")
        .current_dir(root.join("proto"))
        .stdin(Stdio::null())
        .output();
    match linted {
        Ok(output) if output.status.success() => Ok(()),
        // Without its program, the package's launcher ends by a signal or says what it lacks.
        Ok(output) if output.stdout.is_empty() => {
            note("the linter does not start here: the definitions are not linted");
            Ok(())
        }
        Ok(output) => Err(String::from_utf8_lossy(&output.stdout).into_owned()),
        Err(error) => Err(format!("the linter cannot be started: {error}")),
    }
}

fn install(folder: &Path) -> bool {
    let is_made = std::fs::create_dir_all(folder).is_ok();
    let installed = Command::new("npm")
        .args(["install", "--no-audit", "--no-fund", "--prefix", ".", BUF])
        .current_dir(folder)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
    let has_package = installed.is_ok_and(|status| status.success());
    // Newer releases of npm do not run what a package does after its installation.
    let program = Command::new("node")
        .arg("node_modules/@bufbuild/buf/install.js")
        .current_dir(folder)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
    is_made && has_package && program.is_ok_and(|status| status.success())
}

fn note(text: &str) {
    // Nobody listens where this fails.
    drop(writeln!(std::io::stdout(), "{text}"));
}
