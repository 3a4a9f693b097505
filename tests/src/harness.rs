//! Runs the two programs as processes of their own: folders, ports, lines that can be cut, and
//! commands whose answers are read as JSON.
//!
//! Only processes that the harness started are ended, by their id; dropping a program ends it.

mod city;
mod disk;
mod line;
mod program;

pub use city::{City, OFFICES, STREET, copy_folder, serve_hub};
pub use disk::SmallDisk;
pub use line::Line;
pub use program::{Program, Programs, Reply};

use std::time::{Duration, Instant};

/// Waits until `done` answers, asking again every 100 ms; an error with what was waited for after
/// `seconds`.
pub fn wait_for<T>(
    what: &str,
    seconds: u64,
    mut done: impl FnMut() -> anyhow::Result<Option<T>>,
) -> anyhow::Result<T> {
    let end = Instant::now() + Duration::from_secs(seconds);
    loop {
        if let Some(answer) = done()? {
            return Ok(answer);
        }
        if Instant::now() > end {
            anyhow::bail!("not within {seconds} s: {what}");
        }
        std::thread::sleep(Duration::from_millis(100));
    }
}
