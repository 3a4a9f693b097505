//! Disks that are full, read-only or on a network, and logs that somebody deleted.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, ensure};
use rusqlite::{Connection, OpenFlags};

use super::case::{CANNOT, Case, Context, Need, Seen};
use super::stage::Stage;
use super::wrap;
use crate::harness::{Programs, Reply, SmallDisk, copy_folder, serve_hub, wait_for};

const MOUNTS: &[Need] = &[Need::Namespaces];
/// What was entered has been sent within this (seconds).
const SENT_WITHIN: u64 = 60;

pub(super) const CASES: &[Case] = &[
    Case {
        ids: "P5",
        name: "full-disk-of-node",
        sees: &["P5 saves refused by a full disk"],
        needs: MOUNTS,
        run: full_disk_of_node,
    },
    Case {
        ids: "P5",
        name: "full-disk-of-hub",
        sees: &["P5 sessions refused by the hub's full disk"],
        needs: MOUNTS,
        run: full_disk_of_hub,
    },
    Case {
        ids: "P6",
        name: "read-only-folders",
        sees: &[
            "P6 saves refused in a read-only folder",
            "P6 hubs refused in a read-only folder",
        ],
        needs: MOUNTS,
        run: read_only_folders,
    },
    Case {
        ids: "O9 P16",
        name: "deleted-logs-of-node",
        sees: &["O9 P16 node's log deleted, noticed"],
        needs: &[],
        run: deleted_logs_of_node,
    },
    Case {
        ids: "O9 P16",
        name: "deleted-logs-of-hub",
        sees: &["O9 P16 hub's log deleted, not served"],
        needs: &[],
        run: deleted_logs_of_hub,
    },
    Case {
        ids: "O7",
        name: "network-shares",
        sees: &["O7 network shares refused"],
        needs: MOUNTS,
        run: network_shares,
    },
];

/// Megabytes of a disk that holds a store and little more.
const MEGABYTES: u32 = 12;
/// A server that ought to refuse has refused within this (seconds).
const REFUSES_WITHIN: u32 = 30;
/// Saves in which a full disk must show.
const ATTEMPTS: u64 = 300;

fn names_the_disk(reply: &Reply) -> bool {
    reply.code == 1 && reply.err.contains("磁盘") && reply.err.contains("disk")
}

fn small_disk(context: &Context) -> anyhow::Result<SmallDisk> {
    SmallDisk::mount(&context.folder.join("disk"), MEGABYTES)?
        .ok_or_else(|| anyhow::anyhow!("{CANNOT}tmpfs cannot be mounted"))
}

/// P5: the office's disk is full, again and again; saves are refused in words, and go on with room.
fn full_disk_of_node(context: &Context, seen: &mut Seen) -> anyhow::Result<()> {
    let disk = small_disk(context)?;
    let mut stage = Stage::unserved(context)?;
    stage.city.move_office(0, &disk.folder().join("office"))?;
    let (data, programs) = (stage.data(0)?, context.programs.clone());
    for _ in 0..context.times {
        disk.fill()?;
        let mut attempts = 0..ATTEMPTS;
        let refused = attempts.find_map(|_| match stage.enter_by(&programs, &data) {
            Ok(reply) if reply.code == 0 => None,
            other => Some(other),
        });
        let refused = refused.ok_or_else(|| anyhow::anyhow!("the disk was never full"))??;
        ensure!(names_the_disk(&refused), "not said: {}", refused.err);
        seen.saw("P5 saves refused by a full disk");
        // A session writes too: it may fail, and must not delete anything.
        let reply = programs.run("lianxin-node", &["sync", "--data", &data])?;
        if reply.code == 1 {
            seen.saw("P5 sessions refused by a full disk");
        }
        disk.free()?;
        stage.enter(0)?;
        stage.city.machine(&data, &["sync"])?.done()?;
    }
    stage.audit()
}

/// P5: the hub's disk is full: it acknowledges nothing more, deletes nothing, and goes on with room.
fn full_disk_of_hub(context: &Context, seen: &mut Seen) -> anyhow::Result<()> {
    let disk = small_disk(context)?;
    let mut stage = Stage::unserved(context)?;
    stage.city.kill_hub()?;
    stage.city.move_hub(&disk.folder().join("hub"))?;
    stage.city.start_hub()?;
    let data = stage.data(0)?;
    for _ in 0..context.times {
        disk.fill()?;
        let mut attempts = 0..ATTEMPTS;
        let refused = attempts.find_map(|_| {
            let entered = stage.enter(0);
            let synced = entered.and_then(|()| stage.city.machine(&data, &["sync"]));
            synced
                .map(|reply| (reply.code == 1).then_some(reply))
                .transpose()
        });
        let refused = refused.ok_or_else(|| anyhow::anyhow!("the disk was never full"))??;
        ensure!(refused.err.contains("disk"), "not said: {}", refused.err);
        seen.saw("P5 sessions refused by the hub's full disk");
        disk.free()?;
        ensure!(stage.city.hub_runs()?, "P5: the hub has ended");
        wait_for("the hub takes it", 30, || {
            Ok((stage.city.machine(&data, &["sync"])?.code == 0).then_some(()))
        })?;
    }
    let audited = stage.audit();
    stage.city.kill_hub()?;
    audited
}

/// P6: a folder that may only be read: no command ends in a crash, none says that it saved, and work goes
/// on when it may be written again.
fn read_only_folders(context: &Context, seen: &mut Seen) -> anyhow::Result<()> {
    let mut stage = Stage::unserved(context)?;
    let (data, hub) = (stage.data(0)?, stage.city.hub_data.clone());
    let read_only = |folder: &str| {
        let mount = format!("mount --bind {folder} {folder}");
        let remount = format!("{mount}; mount -o remount,bind,ro {folder}");
        wrap::within(&wrap::after(&context.programs, &remount), REFUSES_WITHIN)
    };
    for _ in 0..context.times {
        stage.enter(0)?;
        let reply = stage.enter_by(&read_only(&data), &data)?;
        ensure!(names_the_disk(&reply), "P6: {}: {}", reply.code, reply.err);
        seen.saw("P6 saves refused in a read-only folder");
        for (program, args) in [
            ("lianxin-node", vec!["sync", "--data", &data]),
            (
                "lianxin-node",
                vec!["serve", "--data", &data, "--web", "127.0.0.1:0"],
            ),
        ] {
            let reply = read_only(&data).run(program, &args)?;
            ensure!(
                reply.code == 1,
                "P6: {program} {args:?}: {} {}",
                reply.code,
                reply.err
            );
            seen.saw("P6 sessions and servers refused in a read-only folder");
        }
        stage.city.kill_hub()?;
        let rpc = stage.city.rpc().to_string();
        let serve = serve_hub(&hub, &rpc);
        let reply = read_only(&hub).run("lianxin-hub", &serve)?;
        ensure!(reply.code == 1, "P6: the hub: {} {}", reply.code, reply.err);
        seen.saw("P6 hubs refused in a read-only folder");
        stage.city.start_hub()?;
        stage.city.machine(&data, &["sync"])?.done()?;
    }
    stage.audit()
}

/// Deletes the log of a database that nobody has open; whether there was anything in it that the database
/// does not have.
fn delete_log(database: &Path) -> anyhow::Result<bool> {
    let named = |ending: &str| PathBuf::from(format!("{}{ending}", database.display()));
    let had = named("-wal").exists() && has_more(&named("-shm"))?;
    for ending in ["-wal", "-shm"] {
        let file = named(ending);
        if file.exists() {
            std::fs::remove_file(file)?;
        }
    }
    Ok(had)
}

/// Whether a log holds frames that were not copied, by its index (SQLite, "WAL-mode File Format" 2: the
/// last frame at byte 16, how many were copied at byte 96).
fn has_more(index: &Path) -> anyhow::Result<bool> {
    let index = std::fs::read(index)?;
    let number = |at: usize| {
        let bytes = index
            .get(at..at + 4)
            .and_then(|bytes| bytes.try_into().ok());
        bytes
            .map(u32::from_ne_bytes)
            .context("the log's index is short")
    };
    Ok(number(16)? > number(96)?)
}

/// Somebody who reads what a database holds now: nothing later is copied into it until he ends.
fn reader_of(database: &Path) -> anyhow::Result<Connection> {
    // By itself this program sees simulated disks.
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY;
    let reader = Connection::open_with_flags_and_vfs(database, flags, c"unix")?;
    reader.execute_batch("BEGIN")?;
    reader.pragma_query(None, "schema_version", |_| Ok(()))?;
    Ok(reader)
}

/// O9, P16 at a node: it is older than what the hub has of it, goes on in a new epoch, and gets its own
/// back. Only what had not been sent is gone with the log; here all was.
fn deleted_logs_of_node(context: &Context, seen: &mut Seen) -> anyhow::Result<()> {
    let mut stage = Stage::with_offices(context, 1)?;
    let database = Path::new(&stage.data(0)?).join("node.sqlite");
    let epoch = |stage: &Stage| -> anyhow::Result<Option<u64>> {
        Ok(stage.city.node(0, &["status"])?.done()?.json()["epoch"].as_u64())
    };
    for _ in 0..context.times {
        stage.enter(0)?;
        stage.city.settle_down(0)?;
        let before = epoch(&stage)?;
        let reader = reader_of(&database)?;
        stage.enter(0)?;
        stage.city.settle_down(0)?;
        stage.city.kill_office(0)?;
        drop(reader);
        let had = delete_log(&database)?;
        stage.city.start_office(0)?;
        stage.city.settle_down(0)?;
        let after = epoch(&stage)?;
        if had {
            ensure!(
                after > before,
                "P16: {before:?} {after:?}: it went on as if nothing were lost"
            );
            seen.saw("O9 P16 node's log deleted, noticed");
        }
    }
    stage.audit()
}

/// O9, P16 at the hub: it does not serve a database that is behind, until a person says so; then its nodes
/// bring everything back.
fn deleted_logs_of_hub(context: &Context, seen: &mut Seen) -> anyhow::Result<()> {
    let mut stage = Stage::with_offices(context, 1)?;
    let database = Path::new(&stage.city.hub_data).join("hub.sqlite");
    for round in 0..context.times {
        stage.city.prove_equality()?;
        let data = stage.data(0)?;
        stage.enter(0)?;
        wait_for("nothing waits at the office", SENT_WITHIN, || {
            Ok((stage.waiting(&data)? == 0).then_some(()))
        })?;
        // Beside the database stands how far it had got, a second later at the latest.
        std::thread::sleep(std::time::Duration::from_millis(1_500));
        stage.city.kill_hub()?;
        if !delete_log(&database)? {
            stage.city.start_hub()?;
            continue;
        }
        let log = stage.city.folder.join("hub.log");
        let before = std::fs::read(&log)?.len();
        ensure!(
            stage.city.start_hub().is_err(),
            "P16: round {round}: a database that is behind is served"
        );
        let told = std::fs::read(&log)?;
        let told = String::from_utf8_lossy(told.get(before..).unwrap_or_default()).into_owned();
        ensure!(
            told.contains("recovery begin"),
            "P16: not told what to do: {told}"
        );
        seen.saw("O9 P16 hub's log deleted, not served");
        stage.city.hub(&["recovery", "begin"])?.done()?;
        stage.city.start_hub()?;
        stage.city.prove_equality()?;
    }
    stage.audit()
}

/// Programs that see another table of mounts: the data folder lies on this file system.
fn on_file_system(context: &Context, data: &str, kind: &str) -> anyhow::Result<Programs> {
    let table = std::fs::read_to_string("/proc/self/mountinfo")?;
    let share = format!("9999 1 0:99 / {data} rw,relatime - {kind} //server/share rw\n");
    let file = context.folder.join("mounts.txt");
    std::fs::write(&file, table + &share)?;
    let over = format!("mount --bind {} /proc/$$/mountinfo", file.display());
    Ok(wrap::within(
        &wrap::after(&context.programs, &over),
        REFUSES_WITHIN,
    ))
}

/// O7: a data folder on a network share is named, at node and hub: locks and logs do not hold there.
fn network_shares(context: &Context, seen: &mut Seen) -> anyhow::Result<()> {
    let mut stage = Stage::unserved(context)?;
    let (data, hub) = (stage.data(0)?, stage.city.hub_data.clone());
    stage.city.kill_hub()?;
    for round in 0..context.times {
        let kinds = ["cifs", "smb3", "nfs4", "nfs", "fuse.sshfs", "9p"];
        let kind = kinds
            .get(usize::try_from(round)? % kinds.len())
            .copied()
            .unwrap_or("nfs");
        let (program, folder) = if round % 2 == 0 {
            ("lianxin-node", &data)
        } else {
            ("lianxin-hub", &hub)
        };
        let programs = on_file_system(context, folder, kind)?;
        let rpc = if program == "lianxin-hub" {
            vec!["--rpc", "127.0.0.1:0"]
        } else {
            Vec::new()
        };
        let serve = [
            &["serve", "--data", folder, "--web", "127.0.0.1:0"],
            &rpc[..],
        ]
        .concat();
        let reply = programs.run(program, &serve)?;
        let is_told = reply.err.contains("network share") && reply.err.contains("网络共享");
        ensure!(
            reply.code == 1 && is_told,
            "O7: {program} on {kind}: {} {}",
            reply.code,
            reply.err
        );
        seen.saw("O7 network shares refused");
    }
    // The same folder, copied to a disk of this machine, is served.
    let here = context.folder.join("here");
    copy_folder(Path::new(&hub), &here)?;
    stage.city.start_hub()?;
    stage.enter(0)?;
    stage.audit()
}
