//! What the programs are started by, so that a fault comes to them: failing system calls, other clocks,
//! limits, mounts. Each of these commands becomes the program, so that its process is the program's.

use super::case::FAKETIME;
use crate::harness::Programs;

/// A fault in system calls, as strace brings it about: `pwrite64:signal=KILL:when=3`.
pub(super) fn failing(programs: &Programs, fault: &str, log: &str) -> Programs {
    let calls = fault.split(':').next().unwrap_or_default();
    let (trace, inject) = (format!("trace={calls}"), format!("inject={fault}"));
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
