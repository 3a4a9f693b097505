//! Lines that are cut, silent, late, taken over by a portal, or whose other end does not read.

use std::collections::BTreeSet;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use anyhow::ensure;

use super::case::{Case, Context, Seen};
use super::crowd::Crowd;
use super::proxy::{Plan, Proxy, Way};
use super::stage::Stage;
use crate::harness::{Programs, wait_for};

pub(super) const CASES: &[Case] = &[
    Case {
        ids: "N1 N2",
        name: "cuts-after-records",
        sees: &[
            "N1 cuts after a record, upward",
            "N1 cuts after a record, downward",
            "N1 cuts before a record, downward",
            "N2 answers lost",
        ],
        needs: &[],
        run: cuts_after_records,
    },
    Case {
        ids: "N1",
        name: "cuts-at-bytes",
        sees: &["N1 cuts at a byte, upward", "N1 cuts at a byte, downward"],
        needs: &[],
        run: cuts_at_bytes,
    },
    Case {
        ids: "N3 N4",
        name: "silent-lines",
        sees: &[
            "N3 half-open lines noticed",
            "N3 dead connections dropped by the hub",
            "N4 lines silent upward noticed",
            "N4 lines silent downward noticed",
        ],
        needs: &[],
        run: silent_lines,
    },
    Case {
        ids: "N8",
        name: "late-lines",
        sees: &["N8 sessions over a late line"],
        needs: &[],
        run: late_lines,
    },
    Case {
        ids: "N13",
        name: "large-writes-vanish",
        sees: &["N13 sessions whose large writes vanished"],
        needs: &[],
        run: large_writes_vanish,
    },
    Case {
        ids: "N12",
        name: "portals",
        sees: &["N12 portals refused"],
        needs: &[],
        run: portals,
    },
    Case {
        ids: "N17",
        name: "peers-that-do-not-read",
        sees: &["N17 peers that do not read"],
        needs: &[],
        run: peers_that_do_not_read,
    },
    Case {
        ids: "N18",
        name: "all-come-back-at-once",
        sees: &["N18 nodes that came back at once"],
        needs: &[],
        run: all_come_back_at_once,
    },
];

/// Records or bytes of a session that are tried at most: more than a small session has.
const PLACES_MAX: u64 = 200;
/// Both sides have noticed a dead line within this (seconds).
const DEAD_WITHIN: u64 = 60;

/// A stage whose only office reaches the hub through a proxy.
struct Through {
    stage: Stage,
    proxy: Proxy,
    /// The programs, which find the hub at the proxy.
    programs: Programs,
    data: String,
}

/// A proxy before the hub, and programs that find the hub there.
fn through_proxy(context: &Context, stage: &Stage) -> anyhow::Result<(Proxy, Programs)> {
    let proxy = Proxy::to(stage.city.rpc())?;
    let programs = context
        .programs
        .with_setting("LIANXIN_HUB", &proxy.address());
    Ok((proxy, programs))
}

impl Through {
    fn found(context: &Context) -> anyhow::Result<Self> {
        let stage = Stage::unserved(context)?;
        let (proxy, programs) = through_proxy(context, &stage)?;
        let data = stage.data(0)?;
        Ok(Self {
            stage,
            proxy,
            programs,
            data,
        })
    }

    /// One session over the line as it is; the exit code and what was said.
    fn sync(&self) -> anyhow::Result<(i32, String)> {
        let reply = self
            .programs
            .run("lianxin-node", &["sync", "--data", &self.data])?;
        Ok((reply.code, reply.err))
    }

    /// Whether the hub has what was entered last, and the office does not know it.
    fn has_lost_an_answer(&self) -> anyhow::Result<bool> {
        let waits = self.stage.waiting(&self.data)? > 0;
        Ok(waits && self.stage.names_at_hub()?.contains(&self.stage.last()))
    }

    /// Enters something, and syncs over a line that is cut; whether it was cut.
    fn cut(&mut self, plan: Plan, seen: &mut Seen, what: &str) -> anyhow::Result<bool> {
        self.stage.enter(0)?;
        let before = self.proxy.done().cuts.load(Ordering::SeqCst);
        self.proxy.does(plan);
        let (code, said) = self.sync()?;
        self.proxy.heals();
        // The cut counts when both ends are closed, which the node may notice a moment before.
        std::thread::sleep(Duration::from_millis(20));
        if self.proxy.done().cuts.load(Ordering::SeqCst) == before {
            ensure!(code == 0, "not cut, and yet it failed: {said}");
            return Ok(false);
        }
        seen.saw(what);
        if code != 0 && self.has_lost_an_answer()? {
            seen.saw("N2 answers lost");
        }
        Ok(true)
    }
}

const fn upward(way: Way) -> Plan {
    Plan {
        up: way,
        down: Way::Open,
        delay_ms: 0,
        jitter_ms: 0,
        portal: None,
    }
}

const fn downward(way: Way) -> Plan {
    Plan {
        up: Way::Open,
        down: way,
        delay_ms: 0,
        jitter_ms: 0,
        portal: None,
    }
}

/// N1: after every record of TLS that a session has, each way. N2 follows where the cut comes between
/// the hub's commit and its answer's arrival.
fn cuts_after_records(context: &Context, seen: &mut Seen) -> anyhow::Result<()> {
    let mut through = Through::found(context)?;
    let ways = [
        (
            upward as fn(Way) -> Plan,
            Way::CutAfterRecords as fn(u64) -> Way,
            "N1 cuts after a record, upward",
        ),
        (
            downward,
            Way::CutAfterRecords,
            "N1 cuts after a record, downward",
        ),
        (
            downward,
            Way::CutBeforeRecord,
            "N1 cuts before a record, downward",
        ),
    ];
    while ways
        .iter()
        .any(|(_, _, what)| seen.times(what) < context.times)
    {
        for (plan, way, what) in ways {
            for number in 1..PLACES_MAX {
                if !through.cut(plan(way(number)), seen, what)? {
                    break;
                }
            }
            through.stage.audit()?;
        }
    }
    lose_answers(&mut through, context.times, seen)
}

/// N2: the answer to a batch is cut off again and again. A session without a fault comes before each, so
/// that all of them have the same records; near the first place that is found stand the others.
fn lose_answers(through: &mut Through, times: u64, seen: &mut Seen) -> anyhow::Result<()> {
    let mut at = 1;
    for _ in 0..PLACES_MAX {
        if seen.times("N2 answers lost") >= times {
            break;
        }
        let (code, said) = through.sync()?;
        ensure!(code == 0, "a clean session failed: {said}");
        let before = seen.times("N2 answers lost");
        let plan = downward(Way::CutBeforeRecord(at));
        let was_cut = through.cut(plan, seen, "N1 cuts before a record, downward")?;
        if seen.times("N2 answers lost") == before {
            // Beyond the last record it begins anew.
            at = if was_cut { at + 1 } else { 1 };
        }
    }
    through.stage.audit()
}

/// N1: at bytes spread over a whole session, each way.
fn cuts_at_bytes(context: &Context, seen: &mut Seen) -> anyhow::Result<()> {
    let mut through = Through::found(context)?;
    through.stage.enter(0)?;
    let before = through.proxy.done().carried.load(Ordering::SeqCst);
    let (code, said) = through.sync()?;
    ensure!(code == 0, "a clean session failed: {said}");
    let carried = through.proxy.done().carried.load(Ordering::SeqCst) - before;
    let places = context.times * 2;
    for number in 0..places {
        // Off the boundaries of records on purpose: a prime beside the even steps.
        let at = number * carried / places / 2 + 7 * number % 13;
        through.cut(
            upward(Way::CutAfterBytes(at)),
            seen,
            "N1 cuts at a byte, upward",
        )?;
        through.cut(
            downward(Way::CutAfterBytes(at)),
            seen,
            "N1 cuts at a byte, downward",
        )?;
        if number % 10 == 0 {
            through.stage.audit()?;
        }
    }
    for what in ["N1 cuts at a byte, upward", "N1 cuts at a byte, downward"] {
        ensure!(seen.times(what) > 0, "no cut had an effect: {what}");
    }
    through.stage.audit()
}

/// The other ends of the hub's connections, and how many of them have bytes that nobody takes.
pub(super) fn connections(stage: &Stage) -> anyhow::Result<(BTreeSet<String>, u64)> {
    let hub = stage.city.process(None)?;
    let table = std::fs::read_to_string(format!("/proc/{hub}/net/tcp"))?;
    let port = format!(":{:04X}", stage.city.rpc().port());
    let (mut open, mut stalled) = (BTreeSet::new(), 0);
    for line in table.lines().skip(1) {
        let words: Vec<_> = line.split_whitespace().collect();
        let [_, local, remote, state, queues, ..] = words[..] else {
            continue;
        };
        if local.ends_with(&port) && state == "01" {
            open.insert(remote.to_owned());
            stalled += u64::from(!queues.starts_with("00000000:"));
        }
    }
    Ok((open, stalled))
}

/// N3, N4: nothing arrives, one way or both, and nothing is closed. Both ends notice it, people work on,
/// and nothing counts as acknowledged that was not.
fn silent_lines(context: &Context, seen: &mut Seen) -> anyhow::Result<()> {
    let mut stage = Stage::unserved(context)?;
    let (proxy, programs) = through_proxy(context, &stage)?;
    let mut crowd = Crowd::join(&stage, context.times)?;
    crowd.serve(&programs)?;
    let both = Plan {
        up: Way::Held,
        down: Way::Held,
        ..Plan::default()
    };
    let plans = [
        (both, "N3 half-open lines noticed"),
        (upward(Way::Held), "N4 lines silent upward noticed"),
        (downward(Way::Held), "N4 lines silent downward noticed"),
    ];
    for (plan, what) in plans {
        crowd.wait_for_link(&stage, true, 120)?;
        let (there, _) = connections(&stage)?;
        proxy.does(plan);
        crowd.enter(&mut stage)?;
        let took = crowd.wait_for_link(&stage, false, DEAD_WITHIN)?;
        seen.count(what, context.times);
        seen.most(
            "N3 seconds until the last node noticed, most",
            took.as_secs(),
        );
        let began = Instant::now();
        // New connections may come and hang in their handshake: those that were there are gone.
        if plan == both {
            wait_for("the hub drops dead connections", DEAD_WITHIN, || {
                Ok(connections(&stage)?.0.is_disjoint(&there).then_some(()))
            })?;
            let dropped = there.len() as u64;
            seen.count("N3 dead connections dropped by the hub", dropped);
            seen.most(
                "N3 more seconds until the hub noticed",
                began.elapsed().as_secs(),
            );
        }
        proxy.heals();
    }
    crowd.wait_for_link(&stage, true, 120)?;
    crowd.audit(&stage)
}

/// N8: a round trip of two seconds, half a second more or less.
fn late_lines(context: &Context, seen: &mut Seen) -> anyhow::Result<()> {
    let mut stage = Stage::unserved(context)?;
    let (proxy, programs) = through_proxy(context, &stage)?;
    let crowd = Crowd::join(&stage, context.times)?;
    crowd.enter(&mut stage)?;
    proxy.does(Plan {
        delay_ms: 1_000,
        jitter_ms: 250,
        ..Plan::default()
    });
    let took = crowd.sync_at_once(&programs, 180)?;
    let failed = took.iter().filter(|took| took.is_none()).count();
    ensure!(failed == 0, "L1: {failed} sessions failed over a late line");
    seen.count("N8 sessions over a late line", took.len() as u64);
    let longest = took.into_iter().flatten().max().unwrap_or_default();
    ensure!(
        longest > Duration::from_secs(4),
        "the line was not late: {longest:?}"
    );
    seen.most("N8 seconds of a session, most", longest.as_secs());
    proxy.heals();
    crowd.audit(&stage)
}

/// Rows that make a batch larger than what passes.
const ROWS: usize = 60;
/// More than the handshake sends at once, less than a batch.
const PASSES: usize = 2_500;
/// A call takes two minutes at most.
const CALL_WITHIN: u64 = 150;

/// N13: what is written in larger pieces vanishes on the way: sessions end in words, nothing is lost, and
/// all of it goes up when the line is good again.
fn large_writes_vanish(context: &Context, seen: &mut Seen) -> anyhow::Result<()> {
    let mut stage = Stage::unserved(context)?;
    let (proxy, programs) = through_proxy(context, &stage)?;
    let crowd = Crowd::join(&stage, context.times)?;
    for machine in &crowd.machines {
        stage.enter_many_in(&machine.data, ROWS)?;
    }
    proxy.does(upward(Way::LosesLarge(PASSES)));
    let took = crowd.sync_at_once(&programs, CALL_WITHIN)?;
    let lost = proxy.done().lost.load(Ordering::SeqCst);
    let failed = took.iter().filter(|took| took.is_none()).count();
    ensure!(
        lost > 0 && failed == took.len(),
        "{failed} failed, {lost} pieces vanished"
    );
    seen.count("N13 sessions whose large writes vanished", failed as u64);
    proxy.heals();
    crowd.audit(&stage)
}

const PAGE: &str = "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 45\r\n\r\n\
    <html><body>Please log in here</body></html>\n";

/// N12: a portal answers in place of the hub, the line ends in the middle of an answer, or somebody
/// changes what it carries: refused, nothing told, nothing lost.
fn portals(context: &Context, seen: &mut Seen) -> anyhow::Result<()> {
    let mut through = Through::found(context)?;
    let portal = Plan {
        portal: Some(PAGE),
        ..Plan::default()
    };
    for number in 0..context.times {
        through.stage.enter(0)?;
        through.proxy.does(portal);
        let (code, said) = through.sync()?;
        ensure!(code == 1, "a portal was taken for the hub: {code}");
        let has_words = said.contains('中') || said.contains("hub");
        ensure!(has_words, "a person cannot act on this: {said}");
        seen.saw("N12 portals refused");
        // From the handshake to well behind it.
        let at = 40 + number * 173;
        for (plan, what) in [
            (
                downward(Way::Flips(at)),
                "N12 changed bytes downward refused",
            ),
            (upward(Way::Flips(at)), "N12 changed bytes upward refused"),
        ] {
            let before = through.proxy.done().flipped.load(Ordering::SeqCst);
            through.proxy.does(plan);
            let (code, _) = through.sync()?;
            if through.proxy.done().flipped.load(Ordering::SeqCst) > before {
                ensure!(code == 1, "a changed byte {at} went unnoticed");
                seen.saw(what);
            }
        }
        through.proxy.heals();
        let (code, said) = through.sync()?;
        ensure!(code == 0, "the good line again: {said}");
    }
    let told = through.proxy.done().told_to_portal.load(Ordering::SeqCst);
    ensure!(told == 0, "S17: {told} bytes were told to a portal");
    through.stage.audit()
}

/// Memory of a process now (KiB).
pub(super) fn memory_of(process: u32) -> anyhow::Result<u64> {
    let status = std::fs::read_to_string(format!("/proc/{process}/status"))?;
    let line = status.lines().find(|line| line.starts_with("VmRSS:"));
    let number = line.and_then(|line| line.split_whitespace().nth(1));
    Ok(number.unwrap_or_default().parse()?)
}

/// Rows that fill what a socket holds many times.
const MANY_ROWS: usize = 6_000;
/// What a peer that does not read may cost the hub (KiB).
const PEER_KIB_MAX: u64 = 8 * 1024;

/// N17: nodes that ask for everything and read nothing: the hub's memory stays bounded, it serves others,
/// and drops them.
fn peers_that_do_not_read(context: &Context, seen: &mut Seen) -> anyhow::Result<()> {
    let mut stage = Stage::with_offices(context, 1)?;
    stage.enter_many(0, MANY_ROWS)?;
    stage.city.settle_down(0)?;
    let (proxy, programs) = through_proxy(context, &stage)?;
    let mut crowd = Crowd::join(&stage, context.times)?;
    proxy.does(downward(Way::Slow(8_000)));
    crowd.serve(&programs)?;
    let hub = stage.city.process(None)?;
    let before = memory_of(hub)?;
    std::thread::sleep(Duration::from_secs(3));
    proxy.does(downward(Way::Unread));
    let stalled = wait_for("the hub's answers wait", 60, || {
        let (_, stalled) = connections(&stage)?;
        Ok((stalled >= context.times).then_some(stalled))
    })?;
    // Others are served meanwhile.
    stage.enter(0)?;
    stage.city.settle_down(0)?;
    let most = memory_of(hub)?;
    let growth = most.saturating_sub(before) / context.times.max(1);
    ensure!(
        growth < PEER_KIB_MAX,
        "L4: {growth} KiB for each peer that does not read"
    );
    seen.count("N17 peers that do not read", stalled);
    seen.most("N17 KiB of the hub for each, most", growth);
    wait_for("the hub drops them", DEAD_WITHIN * 2, || {
        let (_, stalled) = connections(&stage)?;
        Ok((stalled == 0).then_some(()))
    })?;
    proxy.heals();
    crowd.wait_for_link(&stage, true, 120)?;
    crowd.audit(&stage)
}

/// Served nodes that all lose the hub at once.
const CROWD: u64 = 30;

/// N18: the hub is killed and comes back; all nodes come at once and are served.
fn all_come_back_at_once(context: &Context, seen: &mut Seen) -> anyhow::Result<()> {
    let mut stage = Stage::unserved(context)?;
    let mut crowd = Crowd::join(&stage, CROWD)?;
    crowd.serve(&context.programs)?;
    for _ in 0..context.times.div_ceil(10) {
        crowd.wait_for_link(&stage, true, 120)?;
        stage.city.kill_hub()?;
        crowd.wait_for_link(&stage, false, DEAD_WITHIN)?;
        crowd.enter(&mut stage)?;
        stage.city.start_hub()?;
        let took = crowd.wait_for_link(&stage, true, 120)?;
        seen.count("N18 nodes that came back at once", CROWD);
        seen.most(
            "N18 seconds until the last was served, most",
            took.as_secs(),
        );
        seen.most(
            "N18 KiB of the hub, most",
            memory_of(stage.city.process(None)?)?,
        );
    }
    crowd.audit(&stage)
}
