//! System calls that fail, are slow, or at which the process is killed (strace).

use std::path::Path;
use std::time::Instant;

use anyhow::ensure;

use super::case::{Case, Context, Need, Seen};
use super::stage::Stage;
use super::wrap::{self, Beside};
use crate::harness::{Programs, Reply};

const STRACE: &[Need] = &[Need::Tool("strace", "strace")];

pub(super) const CASES: &[Case] = &[
    Case {
        ids: "P1",
        name: "node-killed-at-a-write",
        sees: &["P1 killed in a save", "P1 killed in a session"],
        needs: STRACE,
        run: node_killed_at_a_write,
    },
    Case {
        ids: "P13",
        name: "killed-again-and-again",
        sees: &["P13 killed three times before it was looked at"],
        needs: STRACE,
        run: killed_again_and_again,
    },
    Case {
        ids: "P2",
        name: "hub-killed-at-a-write",
        sees: &[
            "P2 hub killed while it took a batch",
            "P2 hub killed in its start",
        ],
        needs: STRACE,
        run: hub_killed_at_a_write,
    },
    Case {
        ids: "P5 P7",
        name: "node-disk-errors",
        sees: &[
            "P5 node writes without room",
            "P5 node writes without room, once",
            "P7 node syncs that failed",
        ],
        needs: STRACE,
        run: node_disk_errors,
    },
    Case {
        ids: "P5 P7",
        name: "hub-disk-errors",
        sees: &[
            "P5 hub writes without room",
            "P7 hub syncs that failed",
            "P7 hub syncs that failed, once",
        ],
        needs: STRACE,
        run: hub_disk_errors,
    },
    Case {
        ids: "P9",
        name: "slow-disks",
        sees: &[
            "P9 saves on a slow disk",
            "P9 sessions with a hub on a slow disk",
        ],
        needs: STRACE,
        run: slow_disks,
    },
];

/// Of one command, no more calls are tried than this.
const CALLS_MAX: u64 = 60;
/// A program that was killed opens again within this.
const OPENS_WITHIN_MS: u128 = 5_000;
/// Rounds in which a fault of the hub is looked for, for each that is wanted.
const ROUNDS: u64 = 4;

/// One office's folder and the file where strace writes.
struct Desk {
    stage: Stage,
    data: String,
    log: String,
}

impl Desk {
    fn found(context: &Context) -> anyhow::Result<Self> {
        let mut stage = Stage::unserved(context)?;
        stage.enter(0)?;
        stage.city.settle_down(0)?;
        let data = stage.data(0)?;
        let log = context
            .folder
            .join("calls.txt")
            .to_string_lossy()
            .into_owned();
        Ok(Self { stage, data, log })
    }

    fn failing(&self, fault: &str) -> Programs {
        wrap::failing(&self.stage.city.programs, fault, &self.log)
    }

    /// How often the fault came about in the last command.
    fn injected(&self) -> u64 {
        let count = wrap::injected(&self.log);
        // A new command writes a new file; one that never began leaves the old.
        drop(std::fs::remove_file(&self.log));
        count
    }

    /// A session under a fault.
    fn sync(&self, programs: &Programs) -> anyhow::Result<Reply> {
        programs.run("lianxin-node", &["sync", "--data", &self.data, "--json"])
    }

    /// The node opens at once, whole, and has what it acknowledged.
    fn check_node(&self, seen: &mut Seen) -> anyhow::Result<()> {
        let began = Instant::now();
        let names = self.stage.names_in(&self.data)?;
        let took = began.elapsed().as_millis();
        ensure!(took < OPENS_WITHIN_MS, "P1: it opens after {took} ms");
        seen.most(
            "P1 ms until a killed node answers, most",
            u64::try_from(took)?,
        );
        self.stage.judge(&names, "the node")?;
        self.stage.city.machine(&self.data, &["verify"])?.done()?;
        Ok(())
    }
}

/// P1: killed at every write and every sync of a save and of a session, until the command gets through.
fn node_killed_at_a_write(context: &Context, seen: &mut Seen) -> anyhow::Result<()> {
    let mut desk = Desk::found(context)?;
    while seen.times("P1 killed in a save") < context.times
        || seen.times("P1 killed in a session") < context.times
    {
        for call in ["pwrite64", "fsync", "ftruncate"] {
            for place in 1..CALLS_MAX {
                let killing = desk.failing(&format!("{call}:signal=KILL:when={place}"));
                let data = desk.data.clone();
                if desk.stage.enter_by(&killing, &data)?.code >= 0 {
                    break;
                }
                seen.saw("P1 killed in a save");
                desk.check_node(seen)?;
            }
            for place in 1..CALLS_MAX {
                desk.stage.enter(0)?;
                let killing = desk.failing(&format!("{call}:signal=KILL:when={place}"));
                if desk.sync(&killing)?.code >= 0 {
                    break;
                }
                seen.saw("P1 killed in a session");
                desk.check_node(seen)?;
            }
        }
        desk.stage.audit()?;
    }
    Ok(())
}

/// P13: killed in a save, in what follows it, and in what follows that, before anybody looks.
fn killed_again_and_again(context: &Context, seen: &mut Seen) -> anyhow::Result<()> {
    let mut desk = Desk::found(context)?;
    for round in 0..context.times * ROUNDS {
        if seen.times("P13 killed three times before it was looked at") >= context.times {
            break;
        }
        let mut killed = 0;
        for depth in 0..3 {
            let place = (round * 7 + depth * 5) % 24 + 1;
            let killing = desk.failing(&format!("pwrite64:signal=KILL:when={place}"));
            let data = desk.data.clone();
            let code = if depth == 1 {
                desk.sync(&killing)?.code
            } else {
                desk.stage.enter_by(&killing, &data)?.code
            };
            killed += u32::from(code < 0);
        }
        if killed == 3 {
            seen.saw("P13 killed three times before it was looked at");
        }
        desk.check_node(seen)?;
    }
    desk.stage.audit()
}

/// When a fault comes to the hub.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum When {
    /// Counted from its start on.
    Start,
    /// Counted from when an office begins to send.
    Batch,
}

/// Serves the hub under a fault while the office sends; the office's reply, if the hub was there to be
/// spoken to.
fn send_to_hub_under(desk: &mut Desk, fault: &str, when: When) -> anyhow::Result<Option<Reply>> {
    if when == When::Start {
        let failing = desk.failing(fault);
        if desk.stage.city.start_hub_by(&failing, 0).is_err() {
            return Ok(None);
        }
    } else {
        desk.stage.city.start_hub()?;
    }
    desk.stage.enter(0)?;
    let beside = match when {
        When::Start => None,
        When::Batch => {
            let hub = desk.stage.city.process(None)?;
            Some(Beside::attach(hub, fault, &desk.log)?)
        }
    };
    let reply = desk.sync(&desk.stage.city.programs.clone())?;
    drop(beside);
    Ok(Some(reply))
}

/// P2: the hub is killed at a write or a sync of its own, in its start or while it takes a batch; the
/// office then gets the same answer as if nothing had been.
fn hub_killed_at_a_write(context: &Context, seen: &mut Seen) -> anyhow::Result<()> {
    let mut desk = Desk::found(context)?;
    desk.stage.city.kill_hub()?;
    for round in 0..context.times * ROUNDS * 2 {
        let is_enough = |what: &str| seen.times(what) >= context.times;
        if is_enough("P2 hub killed while it took a batch")
            && is_enough("P2 hub killed in its start")
        {
            break;
        }
        let when = if round % 2 == 0 {
            When::Batch
        } else {
            When::Start
        };
        let (call, place) = match round / 2 % 2 {
            0 => ("pwrite64", round / 4 * 5 % 24 + 1),
            _ => ("fsync", round / 4 % 3 + 1),
        };
        let fault = format!("{call}:signal=KILL:when={place}");
        let reply = send_to_hub_under(&mut desk, &fault, when)?;
        let was_ready = reply.is_some();
        let was_killed = !was_ready || !desk.stage.city.hub_runs()?;
        if was_killed && when == When::Start {
            seen.saw("P2 hub killed in its start");
        } else if was_killed && reply.is_some_and(|reply| reply.code == 1) {
            seen.saw("P2 hub killed while it took a batch");
        }
        if was_ready {
            // It may be gone already.
            drop(desk.stage.city.kill_hub());
        }
        if round % 8 == 7 {
            desk.stage.city.start_hub()?;
            desk.stage.audit()?;
            desk.stage.city.kill_hub()?;
        }
    }
    desk.stage.city.start_hub()?;
    desk.stage.audit()
}

/// Whether a reply tells a person, in both languages, that the disk is at fault.
fn names_the_disk(reply: &Reply) -> bool {
    let in_english = ["the disk", "cannot "];
    reply.err.contains("磁盘") && in_english.iter().any(|words| reply.err.contains(words))
}

/// P5, P7: writes that find no room and syncs that fail, in a save and in a session.
fn node_disk_errors(context: &Context, seen: &mut Seen) -> anyhow::Result<()> {
    let mut desk = Desk::found(context)?;
    let faults = [
        (
            "pwrite64:error=ENOSPC:when=",
            "+",
            "P5 node writes without room",
        ),
        (
            "pwrite64:error=ENOSPC:when=",
            "",
            "P5 node writes without room, once",
        ),
        ("fsync:error=EIO:when=", "", "P7 node syncs that failed"),
    ];
    for (fault, for_ever, what) in faults {
        for round in 0..context.times * ROUNDS {
            if seen.times(what) >= context.times {
                break;
            }
            let place = round / 2 % 12 + 1;
            let failing = desk.failing(&format!("{fault}{place}{for_ever}"));
            let data = desk.data.clone();
            let reply = if round % 2 == 0 {
                let reply = desk.stage.enter_by(&failing, &data)?;
                if what.starts_with("P7") {
                    // What a failed sync leaves is not known until the file is read again.
                    desk.stage.last_is_unknown();
                }
                reply
            } else {
                desk.stage.enter(0)?;
                desk.sync(&failing)?
            };
            ensure!(
                reply.code >= 0,
                "a failing disk ended the program: {}",
                reply.err
            );
            if desk.injected() > 0 && reply.code == 1 {
                ensure!(names_the_disk(&reply), "not said: {}", reply.err);
                seen.saw(what);
            }
            desk.check_node(seen)?;
        }
        desk.stage.audit()?;
    }
    Ok(())
}

/// P5, P7 at the hub: it acknowledges nothing that is not there when its power fails afterwards.
fn hub_disk_errors(context: &Context, seen: &mut Seen) -> anyhow::Result<()> {
    let mut desk = Desk::found(context)?;
    desk.stage.city.kill_hub()?;
    let faults = [
        (
            "pwrite64:error=ENOSPC:when=",
            "+",
            "P5 hub writes without room",
        ),
        ("fsync:error=EIO:when=", "+", "P7 hub syncs that failed"),
        (
            "fsync:error=EIO:when=",
            "",
            "P7 hub syncs that failed, once",
        ),
    ];
    for (fault, for_ever, what) in faults {
        for round in 0..context.times * ROUNDS {
            if seen.times(what) >= context.times {
                break;
            }
            let when = if round % 4 == 3 {
                When::Start
            } else {
                When::Batch
            };
            let places = if fault.starts_with("fsync") { 3 } else { 12 };
            let place = round * 5 % places + 1;
            let reply = send_to_hub_under(&mut desk, &format!("{fault}{place}{for_ever}"), when)?;
            if reply.is_some() {
                drop(desk.stage.city.kill_hub());
            }
            let injected = desk.injected();
            if injected > 0 && when == When::Start {
                seen.saw(&format!("{what} (in its start)"));
            } else if injected > 0 && reply.is_some_and(|reply| reply.code == 1) {
                seen.saw(what);
            }
            // Acknowledged, then the power fails: it must be there.
            let acknowledged = desk.stage.waiting(&desk.data)? == 0;
            desk.stage.city.start_hub()?;
            if acknowledged {
                let names = desk.stage.names_at_hub()?;
                let last = desk.stage.last();
                ensure!(
                    names.contains(&last),
                    "S11: acknowledged and not there: {last}"
                );
            }
            desk.stage.city.kill_hub()?;
        }
        desk.stage.city.start_hub()?;
        desk.stage.audit()?;
        desk.stage.city.kill_hub()?;
    }
    desk.stage.city.start_hub()
}

/// P9: every sync of the disk takes seconds, at the node and at the hub.
fn slow_disks(context: &Context, seen: &mut Seen) -> anyhow::Result<()> {
    let mut desk = Desk::found(context)?;
    let data = desk.data.clone();
    for round in 0..context.times {
        // Five seconds once, then less, so that it is met often.
        let micros = if round == 0 { 5_000_000 } else { 700_000 };
        let slow = desk.failing(&format!("fsync:delay_exit={micros}"));
        let began = Instant::now();
        desk.stage.enter_by(&slow, &data)?.done()?;
        let took = u64::try_from(began.elapsed().as_millis())?;
        if desk.injected() > 0 && took >= micros / 1000 {
            seen.saw("P9 saves on a slow disk");
            seen.most("P9 ms of a save, most", took);
        }
    }
    desk.stage.city.kill_hub()?;
    for (micros, times) in [(700_000, context.times), (5_000_000, context.times.min(2))] {
        let slow = desk.failing(&format!("fsync:delay_exit={micros}"));
        desk.stage.city.start_hub_by(&slow, 0)?;
        for _ in 0..times {
            desk.stage.enter(0)?;
            let before = wrap::injected(&desk.log);
            let began = Instant::now();
            desk.sync(&context.programs)?.done()?;
            if wrap::injected(&desk.log) > before {
                seen.saw("P9 sessions with a hub on a slow disk");
                let took = u64::try_from(began.elapsed().as_millis())?;
                seen.most("P9 ms of a session, most", took);
            }
        }
        desk.stage.city.kill_hub()?;
        ensure!(Path::new(&desk.log).exists(), "strace has written nothing");
    }
    desk.stage.city.start_hub()?;
    desk.stage.audit()
}
