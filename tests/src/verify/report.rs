//! What the steps came to, as a table.

use std::fmt::Write as _;
use std::time::Duration;

/// How a step ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// It passed.
    Passed,
    /// It failed.
    Failed,
    /// A step before it failed.
    NotRun,
}

/// One line of the table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// The step.
    pub name: &'static str,
    /// How it ended.
    pub outcome: Outcome,
    /// How long it took.
    pub took: Duration,
}

impl Outcome {
    /// The word for it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Passed => "passed",
            Self::Failed => "FAILED",
            Self::NotRun => "not run",
        }
    }
}

/// The table, with the time of all in the last line.
pub fn summary(lines: &[Line], total: Duration) -> String {
    let width = lines
        .iter()
        .map(|line| line.name.len())
        .max()
        .unwrap_or_default()
        .max(5);
    let mut table = format!("{:width$}  {:7}  minutes\n", "step", "result");
    for line in lines {
        let minutes = match line.outcome {
            Outcome::NotRun => String::new(),
            _ => minutes(line.took),
        };
        let _ = writeln!(
            table,
            "{:width$}  {:7}  {minutes:>7}",
            line.name,
            line.outcome.word()
        );
    }
    let _ = writeln!(table, "{:width$}  {:7}  {:>7}", "total", "", minutes(total));
    table
}

/// Minutes with two places.
pub(super) fn minutes(took: Duration) -> String {
    format!("{:.2}", took.as_secs_f64() / 60.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_names_every_step_and_the_total() {
        let line = |name, outcome, seconds| Line {
            name,
            outcome,
            took: Duration::from_secs(seconds),
        };
        let lines = [
            line("build", Outcome::Passed, 90),
            line("clippy", Outcome::Failed, 6),
            line("test", Outcome::NotRun, 0),
        ];
        let expected = "\
step    result   minutes
build   passed      1.50
clippy  FAILED      0.10
test    not run         \n\
total               1.60
";
        assert_eq!(summary(&lines, Duration::from_secs(96)), expected);
    }
}
