//! `cargo verify`: everything that must hold before a change is taken, in one command.
//!
//! The steps run one after another, each with its output as it comes; the first that fails is the
//! last. At the end stands what each took.

mod proto;
mod report;
mod steps;

pub use report::{Line, Outcome, summary};
pub use steps::{Step, steps};

use std::io::Write;
use std::path::Path;
use std::time::{Duration, Instant};

/// Runs the steps in the workspace at `root` until one fails. Gives its name, or none if all
/// passed.
///
/// # Errors
/// Where nothing can be written to `out`.
pub fn verify(
    root: &Path,
    steps: &[Step],
    out: &mut impl Write,
) -> std::io::Result<Option<&'static str>> {
    let mut lines: Vec<Line> = Vec::with_capacity(steps.len());
    let mut failed = None;
    let start = Instant::now();
    for step in steps {
        if failed.is_some() {
            lines.push(Line {
                name: step.name,
                outcome: Outcome::NotRun,
                took: Duration::ZERO,
            });
            continue;
        }
        writeln!(out, "── {}: {}", step.name, step.shown())?;
        out.flush()?;
        let begun = Instant::now();
        let result = step.run(root);
        let took = begun.elapsed();
        let outcome = if result.is_ok() {
            Outcome::Passed
        } else {
            Outcome::Failed
        };
        if let Err(why) = result {
            writeln!(out, "{why}")?;
            failed = Some(step.name);
        }
        let minutes = report::minutes(took);
        writeln!(
            out,
            "── {}: {}, {minutes} minutes\n",
            step.name,
            outcome.word()
        )?;
        lines.push(Line {
            name: step.name,
            outcome,
            took,
        });
    }
    write!(out, "{}", summary(&lines, start.elapsed()))?;
    out.flush()?;
    Ok(failed)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    fn says(works: bool) -> Step {
        let name = if works { "works" } else { "breaks" };
        let args: &'static [&'static str] = if works {
            &["--version"]
        } else {
            &["no-such-command"]
        };
        Step::cargo(name, args)
    }

    #[test]
    fn the_first_step_that_fails_is_the_last_and_is_named() {
        let mut out = Vec::new();
        let steps = [
            says(true),
            says(false),
            Step::cargo("later", &["--version"]),
        ];
        let failed = verify(Path::new("."), &steps, &mut out).unwrap();
        let said = String::from_utf8(out).unwrap();
        assert_eq!(failed, Some("breaks"));
        assert!(said.contains("── works: passed"), "{said}");
        assert!(said.contains("── breaks: FAILED"), "{said}");
        assert!(!said.contains("── later"), "{said}");
        assert!(said.contains("not run"), "{said}");
    }

    #[test]
    fn nothing_failed_where_every_step_passed() {
        let mut out = Vec::new();
        assert_eq!(
            verify(Path::new("."), &[says(true)], &mut out).unwrap(),
            None
        );
    }
}
