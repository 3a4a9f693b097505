//! A network of the kernel's own (a network namespace): packets that are lost or too large, a line of
//! 40 kbit/s, a hub that cannot be found by its name or has another address.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use anyhow::{Context as _, ensure};

use super::case::{Case, Context, Need, Seen, quiet};
use super::crowd::Crowd;
use super::stage::Stage;
use super::wrap;
use crate::harness::{Programs, serve_hub, wait_for};

const NETWORK: &[Need] = &[
    Need::Tool("ip", "iproute2"),
    Need::Tool("nft", "nftables"),
    Need::Tool("tc", "iproute2"),
    Need::Namespaces,
];

pub(super) const CASES: &[Case] = &[
    Case {
        ids: "N7",
        name: "lost-packets",
        sees: &["N7 sessions through 30 % loss"],
        needs: NETWORK,
        run: lost_packets,
    },
    Case {
        ids: "N3",
        name: "dropped-packets",
        sees: &["N3 dropped lines noticed"],
        needs: NETWORK,
        run: dropped_packets,
    },
    Case {
        ids: "N13",
        name: "large-packets-vanish",
        sees: &["N13 sessions past vanishing packets"],
        needs: NETWORK,
        run: large_packets_vanish,
    },
    Case {
        ids: "N9",
        name: "line-of-40-kbit",
        sees: &["N9 cuts of a line of 40 kbit/s"],
        needs: NETWORK,
        run: line_of_40_kbit,
    },
    Case {
        ids: "N14",
        name: "hub-under-another-address",
        sees: &["N14 hub found under another address"],
        needs: &[Need::Namespaces],
        run: hub_under_another_address,
    },
];

/// A network with nothing but a loopback; removed when dropped.
struct Net {
    name: String,
    port: u16,
}

impl Net {
    fn new() -> anyhow::Result<Self> {
        static NUMBER: AtomicU64 = AtomicU64::new(0);
        let number = NUMBER.fetch_add(1, Ordering::SeqCst);
        let name = format!("lianxin-{}-{number}", std::process::id());
        quiet("ip", &["netns", "add", &name])?;
        let net = Self { name, port: 0 };
        net.run("ip link set lo mtu 1500 up")?;
        Ok(net)
    }

    fn run(&self, command: &str) -> anyhow::Result<String> {
        quiet("ip", &["netns", "exec", &self.name, "sh", "-c", command])
    }

    /// The programs, started inside.
    fn around(&self, programs: &Programs) -> Programs {
        programs.wrapped(&["ip", "netns", "exec", &self.name])
    }

    /// Packets from and to the hub that are like this are dropped, and counted.
    fn drop(&self, like: &str) -> anyhow::Result<()> {
        let port = self.port;
        self.run(&format!(
            "nft 'table ip f {{\ncounter dropped {{ }}\nchain c {{\n\
             type filter hook input priority 0;\n\
             tcp dport {port} {like} counter name dropped drop\n\
             tcp sport {port} {like} counter name dropped drop\n}}\n}}'"
        ))?;
        Ok(())
    }

    /// How many packets were dropped since [`Self::drop`].
    fn dropped(&self) -> anyhow::Result<u64> {
        let said = self.run("nft list counter ip f dropped")?;
        let mut words = said
            .split_whitespace()
            .skip_while(|word| *word != "packets");
        let number = words.nth(1).context("no counter")?;
        Ok(number.parse()?)
    }

    fn heal(&self) -> anyhow::Result<()> {
        self.run("nft delete table ip f")?;
        Ok(())
    }
}

impl Drop for Net {
    fn drop(&mut self) {
        // Programs that are still in it keep it until they end.
        drop(quiet("ip", &["netns", "delete", &self.name]));
    }
}

/// A network, and inside it a hub and as many machines as the fault is wanted.
struct Inside {
    // Dropped from the first to the last: programs before their network.
    crowd: Crowd,
    stage: Stage,
    programs: Programs,
    net: Net,
}

impl Inside {
    fn found(context: &Context, machines: u64) -> anyhow::Result<Self> {
        let mut net = Net::new()?;
        let programs = net.around(&context.programs);
        let mut stage = Stage::by(programs.clone(), &context.folder, 0)?;
        stage.city.enrol_unserved(0)?;
        net.port = stage.city.rpc().port();
        let crowd = Crowd::join(&stage, machines)?;
        Ok(Self {
            crowd,
            stage,
            programs,
            net,
        })
    }
}

/// N7: three packets of ten are lost; every session completes.
fn lost_packets(context: &Context, seen: &mut Seen) -> anyhow::Result<()> {
    let mut inside = Inside::found(context, context.times)?;
    inside.crowd.enter(&mut inside.stage)?;
    inside.net.drop("numgen random mod 100 < 30")?;
    // The line of a session that got nowhere within its limits is down, as for a person: he tries again.
    let mut left: Vec<_> = inside
        .crowd
        .machines
        .iter()
        .map(|m| m.data.clone())
        .collect();
    for _ in 0..6 {
        let took = inside.crowd.sync_at_once(&inside.programs, 240)?;
        let done = took.iter().filter(|took| took.is_some()).count();
        seen.count("N7 sessions through 30 % loss", done as u64);
        seen.count(
            "N7 sessions that had to be begun again",
            (took.len() - done) as u64,
        );
        let longest = took.into_iter().flatten().max().unwrap_or_default();
        seen.most("N7 seconds of a session, most", longest.as_secs());
        let mut waiting = Vec::new();
        for data in left {
            if inside.stage.waiting(&data)? > 0 {
                waiting.push(data);
            }
        }
        left = waiting;
        if left.is_empty() {
            break;
        }
    }
    ensure!(
        left.is_empty(),
        "L1: {} offices never got through",
        left.len()
    );
    seen.count("N7 packets lost", inside.net.dropped()?);
    inside.net.heal()?;
    inside.crowd.audit(&inside.stage)
}

/// N3: the kernel drops every packet and tells nobody; both sides notice within a minute.
fn dropped_packets(context: &Context, seen: &mut Seen) -> anyhow::Result<()> {
    let mut inside = Inside::found(context, context.times)?;
    inside.crowd.serve(&inside.programs)?;
    inside.crowd.wait_for_link(&inside.stage, true, 120)?;
    inside.net.drop("")?;
    inside.crowd.enter(&mut inside.stage)?;
    let took = inside.crowd.wait_for_link(&inside.stage, false, 60)?;
    seen.count("N3 dropped lines noticed", context.times);
    seen.most(
        "N3 seconds until the last node noticed, most",
        took.as_secs(),
    );
    wait_for("the hub drops dead connections", 60, || {
        let port = inside.net.port;
        let listed = inside
            .net
            .run(&format!("ss -Htn state established sport = :{port}"))?;
        Ok(listed.trim().is_empty().then_some(()))
    })?;
    seen.count("N3 dead connections dropped by the hub", context.times);
    ensure!(inside.net.dropped()? > 0, "nothing was dropped");
    inside.net.heal()?;
    inside.crowd.wait_for_link(&inside.stage, true, 120)?;
    inside.crowd.audit(&inside.stage)
}

/// Rows that make packets as large as the line takes.
const ROWS: usize = 300;

/// N13: packets above 1,200 bytes vanish. Where the system looks for the size by itself
/// (`tcp_mtu_probing`), sessions complete; where it does not, they end in words and lose nothing.
fn large_packets_vanish(context: &Context, seen: &mut Seen) -> anyhow::Result<()> {
    let mut inside = Inside::found(context, context.times)?;
    inside.crowd.enter(&mut inside.stage)?;
    inside.stage.enter_many(0, ROWS)?;
    let data = inside.stage.data(0)?;
    inside.net.drop("meta length > 1200")?;
    let reply = inside.stage.city.machine(&data, &["sync"])?;
    ensure!(reply.code == 1, "nothing vanished: {}", reply.out);
    ensure!(inside.net.dropped()? > 0, "nothing vanished");
    seen.saw("N13 sessions that large packets stopped, told");
    inside
        .net
        .run("echo 1 > /proc/sys/net/ipv4/tcp_mtu_probing")?;
    inside.stage.city.machine(&data, &["sync"])?.done()?;
    ensure!(
        inside.stage.waiting(&data)? == 0,
        "N13: something still waits"
    );
    let took = inside.crowd.sync_at_once(&inside.programs, 240)?;
    let failed = took.iter().filter(|took| took.is_none()).count();
    ensure!(failed == 0, "N13: {failed} sessions do not complete");
    seen.count("N13 sessions past vanishing packets", took.len() as u64 + 1);
    seen.count("N13 packets vanished", inside.net.dropped()?);
    inside.net.heal()?;
    inside.crowd.audit(&inside.stage)
}

/// N9: a line of 40 kbit/s that is cut every few seconds: what was acknowledged before a cut is not sent
/// again.
fn line_of_40_kbit(context: &Context, seen: &mut Seen) -> anyhow::Result<()> {
    let mut inside = Inside::found(context, 0)?;
    let data = inside.stage.data(0)?;
    let port = inside.net.port;
    inside
        .net
        .run("tc qdisc add dev lo root tbf rate 40kbit burst 3000 latency 400ms")?;
    let cut = format!(
        "nft 'table ip r {{\nchain c {{\ntype filter hook output priority 0;\n\
         tcp dport {port} reject with tcp reset\n\
         tcp sport {port} reject with tcp reset\n}}\n}}'"
    );
    let mut sessions = 0;
    while seen.times("N9 cuts of a line of 40 kbit/s") < context.times {
        sessions += 1;
        ensure!(
            sessions < context.times * 10,
            "no session is long enough to be cut"
        );
        if inside.stage.waiting(&data)? == 0 {
            inside.stage.enter_many(0, ROWS)?;
        }
        let before = inside.stage.waiting(&data)?;
        let sync = ["sync", "--data", &data];
        let mut session = inside.programs.start("lianxin-node", &sync)?;
        std::thread::sleep(Duration::from_secs(5));
        let was_at_work = session.try_wait()?.is_none();
        inside.net.run(&cut)?;
        let has_ended = wait_for("the session ends", 150, || Ok(session.try_wait()?));
        inside.net.run("nft delete table ip r")?;
        if has_ended.is_err() {
            session.kill()?;
            session.wait()?;
            anyhow::bail!("N9: a session hangs on a line that was reset");
        }
        if was_at_work {
            seen.saw("N9 cuts of a line of 40 kbit/s");
            let after = inside.stage.waiting(&data)?;
            seen.count(
                "N9 changes that went up before a cut",
                before.saturating_sub(after),
            );
        }
    }
    inside.net.run("tc qdisc del dev lo root")?;
    ensure!(
        seen.times("N9 changes that went up before a cut") > 0,
        "N9: no progress is kept over a cut"
    );
    inside.crowd.audit(&inside.stage)
}

/// N14: the hub's name is not found, and then leads to another address; a served node finds it by itself.
fn hub_under_another_address(context: &Context, seen: &mut Seen) -> anyhow::Result<()> {
    let mut stage = Stage::unserved(context)?;
    let hosts = context.folder.join("hosts");
    let bind = format!("mount --bind {} /etc/hosts", hosts.display());
    let port = stage.city.rpc().port();
    let programs = wrap::after(&context.programs, &bind)
        .with_setting("LIANXIN_HUB", &format!("hub.lianxin.test:{port}"));
    let says = |address: Option<String>| {
        let line = address.map(|address| format!("{address} hub.lianxin.test\n"));
        std::fs::write(
            &hosts,
            line.unwrap_or_else(|| "127.0.0.1 localhost\n".to_owned()),
        )
    };
    says(None)?;
    let mut crowd = Crowd::join(&stage, 1)?;
    crowd.serve(&programs)?;
    let hub = stage.city.hub_data.clone();
    stage.city.kill_hub()?;
    for round in 0..context.times {
        let address = format!("127.0.0.{}", round % 200 + 2);
        let rpc = format!("{address}:{port}");
        let serve = serve_hub(&hub, &rpc);
        let log = stage.city.folder.join("hub.log");
        let moved = context.programs.serve("lianxin-hub", &serve, &log)?;
        says(None)?;
        crowd.wait_for_link(&stage, false, 60)?;
        let data = crowd.machines.first().context("one")?.data.clone();
        let reply = programs.run("lianxin-node", &["status", "--data", &data, "--json"])?;
        ensure!(reply.code == 0, "the folder: {}", reply.err);
        crowd.enter(&mut stage)?;
        seen.saw("N14 hub's name not found, work went on");
        says(Some(address))?;
        let took = crowd.wait_for_link(&stage, true, 30)?;
        seen.most(
            "N14 seconds until the hub was found again, most",
            took.as_secs(),
        );
        wait_for("what waited has gone up", 30, || {
            Ok((stage.waiting(&data)? == 0).then_some(()))
        })?;
        seen.saw("N14 hub found under another address");
        moved.kill()?;
    }
    drop(crowd);
    stage.city.start_hub()?;
    stage.audit()
}
