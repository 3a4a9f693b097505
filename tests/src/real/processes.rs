//! Processes that are stopped, ended, short of memory or descriptors, or two where one may be.

use std::net::TcpStream;
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use rusqlite::{Connection, OpenFlags, TransactionBehavior};

use super::case::{CANNOT, Case, Context, Need, Seen, quiet};
use super::crowd::Crowd;
use super::lines::{connections, memory_of};
use super::stage::Stage;
use super::wrap;
use crate::harness::{Program, Programs, serve_hub, wait_for};

const PRLIMIT: &[Need] = &[Need::Tool("prlimit", "util-linux")];

pub(super) const CASES: &[Case] = &[
    Case {
        ids: "P11",
        name: "stopped-processes",
        sees: &[
            "P11 nodes stopped for long",
            "P11 nodes whose hub stopped for long",
            "P11 hub stopped shortly at work",
        ],
        needs: &[],
        run: stopped_processes,
    },
    Case {
        ids: "P15",
        name: "ended-at-work",
        sees: &["P15 nodes ended in a session", "P15 hub ended in a session"],
        needs: &[],
        run: ended_at_work,
    },
    Case {
        ids: "P12",
        name: "no-descriptors",
        sees: &["P12 hub without descriptors"],
        needs: PRLIMIT,
        run: no_descriptors,
    },
    Case {
        ids: "P10",
        name: "little-memory",
        sees: &["P10 ended by the kernel"],
        needs: &[],
        run: little_memory,
    },
    Case {
        ids: "O1 O2",
        name: "two-servers",
        sees: &["O1 second hubs refused", "O2 second nodes refused"],
        needs: &[],
        run: two_servers,
    },
    Case {
        ids: "O8",
        name: "held-database",
        sees: &[
            "O8 saves that waited for another program",
            "O8 hub's database held",
        ],
        needs: &[],
        run: held_database,
    },
];

/// Both sides have noticed within this (seconds) that the other sleeps; on a busy machine too.
const DROPPED_WITHIN: u64 = 75;
/// A program that is asked to end has ended within this.
const ENDS_WITHIN: Duration = Duration::from_secs(10);

fn signal(process: u32, name: &str) -> anyhow::Result<()> {
    quiet("kill", &[&format!("-{name}"), &process.to_string()])?;
    Ok(())
}

/// P11: nodes, and then the hub, are stopped as a laptop is that sleeps; longer than the other side waits,
/// and shortly in the middle of their work.
fn stopped_processes(context: &Context, seen: &mut Seen) -> anyhow::Result<()> {
    let mut stage = Stage::unserved(context)?;
    let mut crowd = Crowd::join(&stage, context.times)?;
    crowd.serve(&context.programs)?;
    crowd.wait_for_link(&stage, true, 120)?;
    let (there, _) = connections(&stage)?;
    for process in crowd.processes() {
        signal(process, "STOP")?;
    }
    crowd.enter(&mut stage)?;
    let of_hub = stage.city.process(None)?;
    wait_for(
        "the hub drops what sleeping nodes had",
        DROPPED_WITHIN,
        || Ok(connections(&stage)?.0.is_disjoint(&there).then_some(())),
    )?;
    for process in crowd.processes() {
        signal(process, "CONT")?;
    }
    crowd.audit(&stage)?;
    seen.count("P11 nodes stopped for long", context.times);
    // The hub sleeps.
    crowd.wait_for_link(&stage, true, 120)?;
    signal(of_hub, "STOP")?;
    crowd.enter(&mut stage)?;
    crowd.wait_for_link(&stage, false, 60)?;
    signal(of_hub, "CONT")?;
    seen.count("P11 nodes whose hub stopped for long", context.times);
    crowd.audit(&stage)?;
    for round in 0..context.times {
        crowd.enter(&mut stage)?;
        signal(of_hub, "STOP")?;
        std::thread::sleep(Duration::from_millis(100 + round % 7 * 150));
        signal(of_hub, "CONT")?;
        seen.saw("P11 hub stopped shortly at work");
    }
    crowd.audit(&stage)
}

/// Asks a program to end, and waits until it has.
fn end(mut program: Program) -> anyhow::Result<Duration> {
    let began = Instant::now();
    signal(program.process(), "TERM")?;
    while !program.has_ended()? {
        ensure!(
            began.elapsed() < ENDS_WITHIN,
            "P15: it has not ended within 10 s"
        );
        std::thread::sleep(Duration::from_millis(10));
    }
    Ok(began.elapsed())
}

/// Rounds in which a program is ended, for each that is wanted in the middle of a session.
const ROUNDS: u64 = 4;
/// Rows that take a session some time.
const ROWS: usize = 400;

/// P15: SIGTERM in the middle of a session: ended within 10 seconds, whole.
fn ended_at_work(context: &Context, seen: &mut Seen) -> anyhow::Result<()> {
    let mut stage = Stage::unserved(context)?;
    let mut crowd = Crowd::join(&stage, 1)?;
    for round in 0..context.times * ROUNDS {
        if seen.times("P15 nodes ended in a session") >= context.times {
            break;
        }
        stage.enter_many(0, ROWS)?;
        let data = stage.data(0)?;
        let serve = ["serve", "--data", &data, "--web", "127.0.0.1:0"];
        let log = format!("{data}.log");
        let node = context
            .programs
            .serve("lianxin-node", &serve, log.as_ref())?;
        std::thread::sleep(Duration::from_millis(round * 7 % 60));
        let is_at_work = stage.waiting(&data)? > 0;
        let took = end(node)?;
        seen.most(
            "P15 ms until a node has ended, most",
            u64::try_from(took.as_millis())?,
        );
        seen.saw(if is_at_work {
            "P15 nodes ended in a session"
        } else {
            "P15 nodes ended at rest"
        });
        stage.city.machine(&data, &["verify"])?.done()?;
    }
    stage.audit()?;
    // The hub, while an office sends and another watches.
    crowd.serve(&context.programs)?;
    for round in 0..context.times * ROUNDS {
        if seen.times("P15 hub ended in a session") >= context.times {
            break;
        }
        stage.enter_many(0, ROWS)?;
        let data = stage.data(0)?;
        let mut session = context
            .programs
            .start("lianxin-node", &["sync", "--data", &data])?;
        std::thread::sleep(Duration::from_millis(round * 7 % 90));
        let hub = stage.city.process(None)?;
        let began = Instant::now();
        signal(hub, "TERM")?;
        while stage.city.hub_runs()? {
            ensure!(
                began.elapsed() < ENDS_WITHIN,
                "P15: the hub has not ended within 10 s"
            );
            std::thread::sleep(Duration::from_millis(10));
        }
        let took = u64::try_from(began.elapsed().as_millis())?;
        seen.most("P15 ms until the hub has ended, most", took);
        let is_cut = !session.wait()?.success();
        seen.saw(if is_cut {
            "P15 hub ended in a session"
        } else {
            "P15 hub ended at rest"
        });
        // It has ended: only its place is freed.
        drop(stage.city.kill_hub());
        stage.city.start_hub()?;
    }
    crowd.audit(&stage)
}

/// Connections that nobody uses: more than the hub may have descriptors.
const IDLE: usize = 120;
/// After the descriptors are free, a node is served within this.
const SERVED_WITHIN: Duration = Duration::from_secs(5);

/// P12: strangers take all descriptors of the hub; it goes on as soon as they leave.
fn no_descriptors(context: &Context, seen: &mut Seen) -> anyhow::Result<()> {
    let mut stage = Stage::unserved(context)?;
    stage.city.kill_hub()?;
    let few = wrap::limited(&context.programs, "--nofile=64");
    stage.city.start_hub_by(&few, 0)?;
    let log = stage.city.folder.join("hub.log");
    let refusals = || -> anyhow::Result<usize> {
        Ok(std::fs::read_to_string(&log)?
            .matches("cannot accept")
            .count())
    };
    for _ in 0..context.times {
        let before = refusals()?;
        let strangers: Vec<_> = (0..IDLE)
            .filter_map(|_| TcpStream::connect(stage.city.rpc()).ok())
            .collect();
        wait_for("the hub has no descriptor left", 10, || {
            Ok((refusals()? > before).then_some(()))
        })?;
        seen.saw("P12 hub without descriptors");
        stage.enter(0)?;
        drop(strangers);
        let began = Instant::now();
        wait_for("a node is served", SERVED_WITHIN.as_secs(), || {
            Ok((stage.city.node(0, &["sync"])?.code == 0).then_some(()))
        })?;
        let took = u64::try_from(began.elapsed().as_millis())?;
        seen.most("P12 ms until a node was served, most", took);
    }
    ensure!(stage.city.hub_runs()?, "P12: the hub has ended");
    stage.audit()
}

/// A memory cgroup (version 1) of our own; removed when dropped.
struct Memory {
    folder: std::path::PathBuf,
}

impl Memory {
    fn of(bytes: u64, number: u64) -> anyhow::Result<Self> {
        let name = format!("lianxin-{}-{number}", std::process::id());
        let folder = std::path::Path::new("/sys/fs/cgroup/memory").join(name);
        std::fs::create_dir(&folder)
            .with_context(|| format!("{CANNOT}no cgroup of version 1 for memory"))?;
        let memory = Self { folder };
        std::fs::write(
            memory.folder.join("memory.limit_in_bytes"),
            bytes.to_string(),
        )?;
        Ok(memory)
    }

    fn around(&self, programs: &Programs) -> Programs {
        let script = format!(
            "echo $$ > {}/cgroup.procs; exec \"$0\" \"$@\"",
            self.folder.display()
        );
        programs.wrapped(&["sh", "-c", &script])
    }

    /// The most that was used (KiB).
    fn most(&self) -> anyhow::Result<u64> {
        let text = std::fs::read_to_string(self.folder.join("memory.max_usage_in_bytes"))?;
        Ok(text.trim().parse::<u64>()? / 1024)
    }
}

impl Drop for Memory {
    fn drop(&mut self) {
        // A process that is just ending keeps it for a moment.
        for _ in 0..50 {
            if std::fs::remove_dir(&self.folder).is_ok() {
                return;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

const MIB: u64 = 1 << 20;

/// P10: the kernel ends programs that want more memory than there is; with 64 MiB a node does all its
/// work, with 512 MiB the hub.
fn little_memory(context: &Context, seen: &mut Seen) -> anyhow::Result<()> {
    let mut stage = Stage::unserved(context)?;
    let data = stage.data(0)?;
    stage.enter_many(0, ROWS)?;
    for round in 0..context.times * 3 {
        if seen.times("P10 ended by the kernel") >= context.times {
            break;
        }
        let memory = Memory::of(MIB * 2 + round % 12 * MIB / 4, round)?;
        let programs = memory.around(&context.programs);
        let code = if round % 2 == 0 {
            stage.enter_by(&programs, &data)?.code
        } else {
            programs
                .run("lianxin-node", &["sync", "--data", &data])?
                .code
        };
        if code < 0 {
            seen.saw("P10 ended by the kernel");
        }
        stage.city.machine(&data, &["verify"])?.done()?;
        stage.judge(&stage.names_in(&data)?, "the node")?;
    }
    stage.city.kill_hub()?;
    let (of_hub, of_node) = (Memory::of(512 * MIB, 1_000)?, Memory::of(64 * MIB, 1_001)?);
    stage
        .city
        .start_hub_by(&of_hub.around(&context.programs), 0)?;
    for _ in 0..3 {
        stage.enter_many(0, ROWS * 10)?;
        let programs = of_node.around(&context.programs);
        programs
            .run("lianxin-node", &["sync", "--data", &data])?
            .done()?;
    }
    seen.most("P10 KiB of a node at work, most", of_node.most()?);
    seen.most(
        "P10 KiB of the hub at work, most",
        memory_of(stage.city.process(None)?)?,
    );
    stage.audit()?;
    stage.city.kill_hub()?;
    stage.city.start_hub()
}

/// Starts two servers on one folder at once; the one that got it.
fn race(programs: &Programs, program: &str, args: &[&str], log: &str) -> anyhow::Result<Program> {
    let start = || programs.serve(program, args, log.as_ref());
    let (one, two) = std::thread::scope(|scope| {
        let other = scope.spawn(start);
        let one = start();
        (one, other.join())
    });
    let two = two.map_err(|_| anyhow::anyhow!("a thread of the case ended"))?;
    match (one, two) {
        (Ok(winner), Err(_)) | (Err(_), Ok(winner)) => Ok(winner),
        (Ok(_), Ok(_)) => anyhow::bail!("{program}: two serve one folder"),
        (Err(one), Err(two)) => anyhow::bail!("{program}: nobody serves: {one:#}; {two:#}"),
    }
}

/// O1, O2: two servers on one folder, started at once: one serves, and another as soon as it was killed.
fn two_servers(context: &Context, seen: &mut Seen) -> anyhow::Result<()> {
    let mut stage = Stage::unserved(context)?;
    stage.city.kill_hub()?;
    let (hub, rpc) = (stage.city.hub_data.clone(), stage.city.rpc().to_string());
    let node = stage.data(0)?;
    let of_hub = serve_hub(&hub, &rpc);
    // Two on different ports: only the folder is in the way.
    let elsewhere = serve_hub(&hub, "127.0.0.1:0");
    let of_node = ["serve", "--data", &node, "--web", "127.0.0.1:0"];
    let (hub_log, node_log) = (format!("{hub}.log"), format!("{node}.log"));
    for _ in 0..context.times {
        let winner = race(&context.programs, "lianxin-hub", &elsewhere, &hub_log)?;
        winner.kill()?;
        let winner = context
            .programs
            .serve("lianxin-hub", &of_hub, hub_log.as_ref())?;
        seen.saw("O1 second hubs refused");
        stage.enter(0)?;
        let serving = race(&context.programs, "lianxin-node", &of_node, &node_log)?;
        serving.kill()?;
        let serving = context
            .programs
            .serve("lianxin-node", &of_node, node_log.as_ref())?;
        seen.saw("O2 second nodes refused");
        stage.city.settle_down(0)?;
        serving.kill()?;
        winner.kill()?;
    }
    stage.city.start_hub()?;
    stage.audit()
}

/// Somebody else writes in a database for so long.
fn hold(database: &str, time: Duration) -> anyhow::Result<std::thread::JoinHandle<bool>> {
    // The system's own file system: a simulation's may be the default here.
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE;
    let mut connection = Connection::open_with_flags_and_vfs(database, flags, "unix")?;
    let (sender, begun) = std::sync::mpsc::channel();
    let holder = std::thread::spawn(move || {
        let held = connection.transaction_with_behavior(TransactionBehavior::Immediate);
        let is_held = held.is_ok();
        let _ = sender.send(is_held);
        std::thread::sleep(time);
        is_held
    });
    ensure!(begun.recv()?, "the database cannot be held");
    Ok(holder)
}

/// O8: another program (a virus scanner, a backup) holds the database: a save waits and succeeds, and
/// where that takes too long the clerk is told.
fn held_database(context: &Context, seen: &mut Seen) -> anyhow::Result<()> {
    let mut stage = Stage::with_offices(context, 1)?;
    let data = stage.data(0)?;
    let (of_node, of_hub) = (
        format!("{data}/node.sqlite"),
        format!("{}/hub.sqlite", stage.city.hub_data),
    );
    for round in 0..context.times {
        let time = Duration::from_millis(300 + round % 5 * 800);
        let holder = hold(&of_node, time)?;
        let began = Instant::now();
        stage.enter(0)?;
        ensure!(holder.join().is_ok_and(|held| held), "it was not held");
        ensure!(
            began.elapsed() >= time,
            "O8: saved while another held the database"
        );
        seen.saw("O8 saves that waited for another program");
        let holder = hold(&of_hub, time)?;
        stage.enter(0)?;
        drop(holder.join());
        stage.city.settle_down(0)?;
        seen.saw("O8 hub's database held");
    }
    for _ in 0..context.times.min(3) {
        let holder = hold(&of_node, Duration::from_secs(8))?;
        let programs = context.programs.clone();
        let reply = stage.enter_by(&programs, &data)?;
        drop(holder.join());
        ensure!(reply.code == 1, "O8: saved while another held the database");
        let is_told = reply.err.contains("busy") || reply.err.contains("locked");
        ensure!(
            is_told && reply.err.contains('请'),
            "O8: not told: {}",
            reply.err
        );
        seen.saw("O8 told that another program holds the database");
        stage.enter(0)?;
    }
    stage.audit()
}
