//! What a workload costs: time, CPU, memory, bytes on the wire.

use std::path::Path;
use std::process::Child;
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use serde::Serialize;

/// How often a running process is asked for its memory.
const POLL: Duration = Duration::from_millis(5);
/// Clock ticks of the kernel's accounts (Linux shows a hundredth of a second to programs).
const TICKS_PER_SECOND: f64 = 100.0;

/// What one run of a workload cost.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
pub struct Cost {
    /// Until it was done (seconds).
    pub seconds: f64,
    /// CPU of the near side (a node, a load) and of the hub (seconds).
    pub near_cpu: f64,
    /// As above.
    pub hub_cpu: f64,
    /// The most memory that the near side, and the hub, had so far (MiB).
    pub near_mib: f64,
    /// As above.
    pub hub_mib: f64,
    /// Bytes on the loopback, both ways, with headers.
    pub bytes: f64,
}

/// The CPU time of a process so far (seconds), also of one that has ended and was not waited for.
///
/// # Errors
/// Where there is no such process.
pub fn cpu(process: u32) -> anyhow::Result<f64> {
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat"))?;
    // The name in brackets may hold anything.
    let (_, rest) = stat.rsplit_once(')').context("a process has a name")?;
    let mut ticks = rest.split_whitespace().skip(11).take(2);
    let mut next =
        || -> anyhow::Result<f64> { Ok(ticks.next().context("user and system time")?.parse()?) };
    Ok((next()? + next()?) / TICKS_PER_SECOND)
}

/// The most memory that a process had (MiB); none of one that has ended.
pub fn peak_mib(process: u32) -> Option<f64> {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).ok()?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kibibytes: f64 = line.split_whitespace().next()?.parse().ok()?;
    Some(kibibytes / 1024.0)
}

/// Bytes that the loopback has carried so far, in the network that this process is in.
///
/// # Errors
/// Where the system does not tell.
pub fn carried() -> anyhow::Result<f64> {
    let table = std::fs::read_to_string("/proc/net/dev")?;
    let lo = table
        .lines()
        .find_map(|line| line.trim().strip_prefix("lo:"));
    let bytes = lo.and_then(|rest| rest.split_whitespace().next());
    Ok(bytes.context("there is a loopback")?.parse()?)
}

/// Runs a process to its end while a hub serves it; what it cost, and what it said.
///
/// # Errors
/// Where it fails.
pub fn run(
    hub: u32,
    start: impl FnOnce() -> anyhow::Result<Child>,
) -> anyhow::Result<(Cost, String)> {
    let (cpu_before, carried_before) = (cpu(hub)?, carried()?);
    let began = Instant::now();
    let mut child = start()?;
    let process = child.id();
    let mut near_mib = 0.0;
    let near_cpu = loop {
        let stat = std::fs::read_to_string(format!("/proc/{process}/stat"))?;
        let state = stat.rsplit_once(')').map_or("", |(_, rest)| rest.trim());
        if state.starts_with('Z') {
            break cpu(process)?;
        }
        near_mib = peak_mib(process).map_or(near_mib, |now| f64::max(now, near_mib));
        std::thread::sleep(POLL);
    };
    let seconds = began.elapsed().as_secs_f64();
    let mut said = String::new();
    if let Some(out) = child.stdout.as_mut() {
        std::io::Read::read_to_string(out, &mut said)?;
    }
    ensure!(child.wait()?.success(), "it failed: {said}");
    let cost = Cost {
        seconds,
        near_cpu,
        hub_cpu: cpu(hub)? - cpu_before,
        near_mib,
        hub_mib: peak_mib(hub).context("the hub runs")?,
        bytes: carried()? - carried_before,
    };
    Ok((cost, said))
}

/// Bytes in all files of a folder.
///
/// # Errors
/// Where it cannot be read.
pub fn size(folder: &Path) -> anyhow::Result<u64> {
    let mut all = 0;
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        all += if entry.file_type()?.is_dir() {
            size(&entry.path())?
        } else {
            entry.metadata()?.len()
        };
    }
    Ok(all)
}

/// The middle of some figures.
pub fn median(figures: impl IntoIterator<Item = f64>) -> f64 {
    let mut sorted: Vec<f64> = figures.into_iter().collect();
    sorted.sort_by(f64::total_cmp);
    let half = sorted.len() / 2;
    match (sorted.get(half.wrapping_sub(1)), sorted.get(half)) {
        (Some(below), Some(above)) if sorted.len().is_multiple_of(2) => {
            f64::midpoint(*below, *above)
        }
        (_, Some(middle)) => *middle,
        _ => f64::NAN,
    }
}
