//! What the programs are started by, so that a fault comes to them: failing system calls, other clocks,
//! limits, mounts. Each of these commands becomes the program, so that its process is the program's.

use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};

use super::case::FAKETIME;
use crate::harness::Programs;

/// How long strace may take until it stands beside every thread of a program.
const ATTACHED_WITHIN: Duration = Duration::from_secs(10);
/// How often it is looked.
const POLL: Duration = Duration::from_millis(5);

/// A fault in the system calls of a program that runs already. Where the program is still there when this
/// is dropped, it goes on without the fault.
pub(super) struct Beside(Child);

impl Beside {
    /// Stands beside a process; calls count from then on, in each thread by itself.
    ///
    /// # Errors
    /// Where strace does not start, or is not beside every thread in time.
    pub(super) fn attach(process: u32, fault: &str, log: &str) -> anyhow::Result<Self> {
        let (trace, inject) = expressions(fault);
        let process = process.to_string();
        let beside = Command::new("strace")
            .args(["-f", "-q", "-o", log, "-e", &trace, "-e", &inject])
            .args(["-p", &process])
            .stdin(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .context("strace cannot be started")?;
        let beside = Self(beside);
        let began = Instant::now();
        while !is_traced(&process) {
            ensure!(
                began.elapsed() < ATTACHED_WITHIN,
                "strace is not beside the program"
            );
            std::thread::sleep(POLL);
        }
        Ok(beside)
    }
}

impl Drop for Beside {
    fn drop(&mut self) {
        let ends = ["-TERM", &self.0.id().to_string()].map(str::to_owned);
        // It may have ended with the program.
        drop(
            Command::new("kill")
                .args(ends)
                .stderr(Stdio::null())
                .status(),
        );
        drop(self.0.wait());
    }
}

/// Whether somebody traces every thread of a process.
fn is_traced(process: &str) -> bool {
    let Ok(threads) = std::fs::read_dir(format!("/proc/{process}/task")) else {
        return false;
    };
    threads.flatten().all(|thread| {
        let status = std::fs::read_to_string(thread.path().join("status")).unwrap_or_default();
        let tracer = status
            .lines()
            .find_map(|line| line.strip_prefix("TracerPid:"));
        tracer.is_some_and(|tracer| tracer.trim() != "0")
    })
}

/// What strace is told of a fault: which calls it looks at, and what it does to them.
fn expressions(fault: &str) -> (String, String) {
    let calls = fault.split(':').next().unwrap_or_default();
    (format!("trace={calls}"), format!("inject={fault}"))
}

/// A fault in system calls, as strace brings it about: `pwrite64:signal=KILL:when=3`.
pub(super) fn failing(programs: &Programs, fault: &str, log: &str) -> Programs {
    let (trace, inject) = expressions(fault);
    // The tracer stands aside (-D), so that the program is the process that was started.
    programs.wrapped(&[
        "strace", "-D", "-f", "-q", "-o", log, "-e", &trace, "-e", &inject,
    ])
}

/// How often a fault of [`failing`] came about, by its log.
pub(super) fn injected(log: &str) -> u64 {
    let text = std::fs::read(log).unwrap_or_default();
    let text = String::from_utf8_lossy(&text);
    let lines = text.lines();
    let hit = lines.filter(|line| line.contains("(INJECTED") || line.contains("(DELAYED"));
    hit.count() as u64
}

/// Another wall clock, as a file says that may be written while the program runs (`+10y`).
pub(super) fn other_clock(programs: &Programs, file: &str) -> Programs {
    programs
        .with_setting("LD_PRELOAD", FAKETIME)
        .with_setting("FAKETIME_TIMESTAMP_FILE", file)
        .with_setting("FAKETIME_NO_CACHE", "1")
        .with_setting("FAKETIME_DONT_FAKE_MONOTONIC", "1")
        .with_setting("DONT_FAKE_MONOTONIC", "1")
}

/// After some commands of a shell, in mounts of their own.
pub(super) fn after(programs: &Programs, commands: &str) -> Programs {
    let script = format!("set -e; {commands}; exec \"$0\" \"$@\"");
    programs.wrapped(&["unshare", "-m", "sh", "-c", &script])
}

/// Ended after so many seconds: for a server that ought to refuse to serve.
pub(super) fn within(programs: &Programs, seconds: u32) -> Programs {
    programs.wrapped(&["timeout", &seconds.to_string()])
}

/// With limits of the system (`--nofile=64`).
pub(super) fn limited(programs: &Programs, limit: &str) -> Programs {
    programs.wrapped(&["prlimit", limit])
}
