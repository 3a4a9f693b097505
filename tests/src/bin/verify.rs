//! `cargo verify`: format, lints, build and tests of the whole workspace. Exit code 1 and the name
//! of the step where one fails.

use std::io::Write as _;
use std::path::Path;
use std::process::ExitCode;

use tests::verify::{steps, verify};

fn main() -> std::io::Result<ExitCode> {
    let manifest = std::env::var("CARGO_MANIFEST_DIR");
    let folder = manifest.as_deref().unwrap_or(env!("CARGO_MANIFEST_DIR"));
    let root = Path::new(folder).parent().unwrap_or(Path::new("."));
    let mut out = std::io::stdout();
    match verify(root, &steps(), &mut out)? {
        None => {
            writeln!(out, "verify passed")?;
            Ok(ExitCode::SUCCESS)
        }
        Some(step) => {
            writeln!(out, "verify failed at the step: {step}")?;
            Ok(ExitCode::FAILURE)
        }
    }
}
