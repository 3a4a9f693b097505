//! Old backups, copies, other machines, other hubs, revoked and stolen certificates.

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};

use super::case::{Case, Context, Seen};
use super::crowd::{Crowd, code_for};
use super::stage::Stage;
use crate::harness::{OFFICES, copy_folder, serve_hub, wait_for};

pub(super) const CASES: &[Case] = &[
    Case {
        ids: "D3",
        name: "node-from-old-backup",
        sees: &["D3 nodes put back, in a new epoch"],
        needs: &[],
        run: node_from_old_backup,
    },
    Case {
        ids: "D4",
        name: "hub-from-old-backup",
        sees: &["D4 hubs put back"],
        needs: &[],
        run: hub_from_old_backup,
    },
    Case {
        ids: "D5 M7",
        name: "copied-machines",
        sees: &["D5 copies noticed"],
        needs: &[],
        run: copied_machines,
    },
    Case {
        ids: "D6",
        name: "replaced-machines",
        sees: &["D6 machines replaced"],
        needs: &[],
        run: replaced_machines,
    },
    Case {
        ids: "O4",
        name: "backup-of-another",
        sees: &[
            "O4 backups of another machine refused",
            "O4 databases of another machine refused",
        ],
        needs: &[],
        run: backup_of_another,
    },
    Case {
        ids: "O5 N14",
        name: "another-hub",
        sees: &["O5 other hubs refused"],
        needs: &[],
        run: another_hub,
    },
    Case {
        ids: "O11",
        name: "wrong-office",
        sees: &["O11 machines of a wrong office set right"],
        needs: &[],
        run: wrong_office,
    },
    Case {
        ids: "O13",
        name: "restore-drill",
        sees: &["O13 restore drills"],
        needs: &[],
        run: restore_drill,
    },
    Case {
        ids: "M8 M7",
        name: "revoked-machines",
        sees: &[
            "M7 streams ended by a revocation",
            "M8 calls of a revoked machine refused",
        ],
        needs: &[],
        run: revoked_machines,
    },
];

/// After a revocation, the last byte goes within this.
const REVOKED_WITHIN: u64 = 5;

/// Journals of one office that are named one after another at most.
const NAMED_MAX: u32 = 6;

/// A name of a file in a case's folder that is not used yet.
fn file(context: &Context, name: &str, round: u64) -> String {
    let path = context.folder.join(format!("{name}-{round}"));
    path.to_string_lossy().into_owned()
}

/// D3: an office is put back to a backup, and enters something before or after it meets the hub again.
fn node_from_old_backup(context: &Context, seen: &mut Seen) -> anyhow::Result<()> {
    let mut stage = Stage::unserved(context)?;
    let data = stage.data(0)?;
    let node = |stage: &Stage, args: &[&str]| stage.city.machine(&data, args)?.done();
    for round in 0..context.times {
        let backup = file(context, "node-backup", round);
        node(&stage, &["backup", &backup])?;
        stage.enter(0)?;
        stage.enter(0)?;
        node(&stage, &["sync"])?;
        let status = node(&stage, &["status"])?.json();
        node(&stage, &["restore", &backup])?;
        ensure!(
            !stage.names_in(&data)?.contains(&stage.last()),
            "the restored database is not older"
        );
        if round % 2 == 0 {
            stage.enter(0)?;
        }
        node(&stage, &["sync"])?;
        let now = node(&stage, &["status"])?.json();
        ensure!(
            now["epoch"].as_u64() > status["epoch"].as_u64(),
            "S9: it goes on in the epoch that it had: {now}"
        );
        seen.saw("D3 nodes put back, in a new epoch");
        stage.enter(0)?;
        stage.audit()?;
        stage.judge(&stage.names_in(&data)?, "the node")?;
    }
    Ok(())
}

/// D4: the hub is put back to a backup; its office brings back what it was acknowledged.
fn hub_from_old_backup(context: &Context, seen: &mut Seen) -> anyhow::Result<()> {
    let mut stage = Stage::with_offices(context, 1)?;
    for round in 0..context.times {
        let backup = file(context, "hub-backup", round);
        stage.enter(0)?;
        stage.city.settle_down(0)?;
        stage.city.hub(&["backup", &backup])?.done()?;
        stage.enter(0)?;
        stage.enter(0)?;
        stage.city.settle_down(0)?;
        stage.city.kill_hub()?;
        if round % 2 == 0 {
            stage.enter(0)?;
        }
        stage.city.hub(&["restore", &backup])?.done()?;
        let lost = stage.names_at_hub()?.len();
        ensure!(lost < stage.kept(), "the restored database is not older");
        stage.city.start_hub()?;
        seen.saw("D4 hubs put back");
        stage.audit()?;
    }
    Ok(())
}

/// D5, M7: a machine's folder is copied; both speak. By its second session the copy is known, nothing is
/// lost, and a person names the machine that goes on.
fn copied_machines(context: &Context, seen: &mut Seen) -> anyhow::Result<()> {
    let mut stage = Stage::unserved(context)?;
    let programs = context.programs.clone();
    let crowd = Crowd::join(&stage, context.times)?;
    let code = stage.city.office(0)?.code;
    for machine in &crowd.machines {
        let copy = format!("{}-copy", machine.data);
        stage.enter_by(&programs, &machine.data)?.done()?;
        stage.city.machine(&machine.data, &["sync"])?.done()?;
        copy_folder(Path::new(&machine.data), Path::new(&copy))?;
        let mut told = 0;
        for _ in 0..2 {
            for data in [&copy, &machine.data] {
                stage.enter_by(&programs, data)?.done()?;
                let reply = stage.city.machine(data, &["sync"])?;
                told += u32::from(reply.code == 1 && reply.err.contains("two machines"));
            }
        }
        ensure!(
            told > 0,
            "D5: two machines have one identity, and nobody was told"
        );
        seen.saw("D5 copies noticed");
        // What either has not sent yet it may send, applied or not.
        for data in [&copy, &machine.data] {
            stage.city.machine(data, &["sync"])?;
        }
        name_all_kept(&stage, code)?;
        // All that either sent is applied now, once.
        stage.audit_hub()?;
    }
    Ok(())
}

/// A person names one machine after another, so that all that was kept apart is applied.
fn name_all_kept(stage: &Stage, code: &str) -> anyhow::Result<()> {
    let mut named = 0;
    loop {
        let machines = stage.city.hub(&["office", "machines", code])?;
        let machines = machines.done()?.json();
        let kept = machines.as_array().into_iter().flatten().find(|journal| {
            let is_undecided = journal["received"] != journal["decided_through"];
            journal["kept_only"] == true && is_undecided
        });
        let Some(kept) = kept else {
            ensure!(named > 0, "D5: no journal was kept apart: {machines}");
            return Ok(());
        };
        ensure!(named < NAMED_MAX, "D5: it stays kept apart: {machines}");
        let node = kept["node"].as_str().unwrap_or_default();
        let epoch = kept["epoch"].to_string();
        let name = ["office", "machine", code, "--node", node, "--epoch", &epoch];
        stage.city.hub(&name)?.done()?;
        named += 1;
    }
}

/// D6: a computer is lost with what it had not sent; another takes its place with one command and has all
/// that was acknowledged.
fn replaced_machines(context: &Context, seen: &mut Seen) -> anyhow::Result<()> {
    let mut stage = Stage::unserved(context)?;
    for round in 0..context.times {
        stage.enter(0)?;
        let data = stage.data(0)?;
        stage.city.machine(&data, &["sync"])?.done()?;
        let code = stage.city.office(0)?.code;
        stage.city.hub(&["office", "revoke", code])?.done()?;
        std::fs::rename(&data, file(context, "lost", round))?;
        let fresh = code_for(&stage, 0)?;
        stage.city.machine(&data, &["init"])?.done()?;
        stage.city.machine(&data, &["join", &fresh])?.done()?;
        stage.city.machine(&data, &["sync"])?.done()?;
        stage.judge(&stage.names_in(&data)?, "the new machine")?;
        seen.saw("D6 machines replaced");
    }
    stage.enter(0)?;
    stage.audit()
}

/// O4: the backup of one machine is put back on another: refused, and nothing of the other is touched.
fn backup_of_another(context: &Context, seen: &mut Seen) -> anyhow::Result<()> {
    let mut stage = Stage::with_offices(context, 0)?;
    stage.city.enrol_unserved(0)?;
    stage.city.enrol_unserved(1)?;
    let data = [stage.data(0)?, stage.data(1)?];
    for round in 0..context.times {
        let (from, to) = (
            usize::try_from(round % 2)?,
            usize::try_from((round + 1) % 2)?,
        );
        stage.enter(from)?;
        stage.enter(to)?;
        stage.city.node(from, &["sync"])?.done()?;
        let before = stage.names_in(&data[to])?;
        let backup = file(context, "backup", round);
        stage.city.node(from, &["backup", &backup])?.done()?;
        let reply = stage.city.node(to, &["restore", &backup])?;
        ensure!(
            reply.code == 1,
            "O4: the backup of another machine is taken: {}",
            reply.out
        );
        ensure!(
            reply.err.contains("another machine"),
            "O4: not told: {}",
            reply.err
        );
        seen.saw("O4 backups of another machine refused");
        ensure!(
            stage.names_in(&data[to])? == before,
            "O4: something was touched"
        );
        // Somebody copies the file by hand, and takes the former one away with its log.
        let own = format!("{}/node.sqlite", data[to]);
        let aside = file(context, "own", round);
        std::fs::create_dir(&aside)?;
        for ending in ["", "-wal", "-shm"] {
            let name = format!("{own}{ending}");
            if Path::new(&name).exists() {
                std::fs::rename(name, format!("{aside}/node.sqlite{ending}"))?;
            }
        }
        std::fs::copy(&backup, &own)?;
        let reply = stage.city.node(to, &["sync"])?;
        ensure!(
            reply.code == 1,
            "O4: the database of another machine is used: {}",
            reply.out
        );
        seen.saw("O4 databases of another machine refused");
        for ending in ["-wal", "-shm"] {
            // Whoever looked at the other database may have left its log.
            drop(std::fs::remove_file(format!("{own}{ending}")));
        }
        copy_folder(Path::new(&aside), Path::new(&data[to]))?;
    }
    stage.audit()
}

/// O5: another hub stands at the hub's address: nothing is said to it. The hub is known by its root.
fn another_hub(context: &Context, seen: &mut Seen) -> anyhow::Result<()> {
    let mut stage = Stage::with_offices(context, 1)?;
    let serving_data = stage.data(0)?;
    for round in 0..context.times {
        stage.city.kill_hub()?;
        let other = file(context, "other-hub", round);
        let rpc = stage.city.rpc().to_string();
        context
            .programs
            .run("lianxin-hub", &["init", "--data", &other])?
            .done()?;
        let serve = serve_hub(&other, &rpc);
        let log = format!("{other}.log");
        let stranger = context
            .programs
            .serve("lianxin-hub", &serve, log.as_ref())?;
        stage.enter(0)?;
        let office_log = stage.city.folder.join(format!("{}.log", OFFICES[0].0));
        let refusals = || -> anyhow::Result<usize> {
            let log = std::fs::read_to_string(&office_log)?;
            Ok(log.matches("is not our hub").count())
        };
        let before = refusals()?;
        wait_for("the stranger is refused", 30, || {
            Ok((refusals()? > before).then_some(()))
        })?;
        ensure!(
            stage.waiting(&serving_data)? > 0,
            "O5: a stranger has taken what waited"
        );
        seen.saw("O5 other hubs refused");
        stranger.kill()?;
        stage.city.start_hub()?;
        wait_for("the hub is found again", 60, || {
            Ok((stage.waiting(&serving_data)? == 0).then_some(()))
        })?;
    }
    stage.audit()
}

/// O11: a machine was enrolled for another office; it is revoked and joins the right one. What it had
/// sent stays where it was sent, what it had not goes to the right office; nothing is lost or doubled.
fn wrong_office(context: &Context, seen: &mut Seen) -> anyhow::Result<()> {
    let mut stage = Stage::with_offices(context, 0)?;
    stage.city.enrol_unserved(0)?;
    stage.city.enrol_unserved(1)?;
    let programs = context.programs.clone();
    for round in 0..context.times {
        let data = file(context, "astray", round);
        let machine = |stage: &Stage, args: &[&str]| stage.city.machine(&data, args)?.done();
        machine(&stage, &["init"])?;
        let wrong = code_for(&stage, 1)?;
        machine(&stage, &["join", &wrong])?;
        stage.enter_by(&programs, &data)?.done()?;
        machine(&stage, &["sync"])?;
        stage.enter_by(&programs, &data)?.done()?;
        let unsent = stage.last();
        let code = stage.city.office(1)?.code;
        stage.city.hub(&["office", "revoke", code])?.done()?;
        let refused = stage.city.machine(&data, &["sync"])?;
        ensure!(refused.code == 1, "M8: a revoked machine is served");
        let right = code_for(&stage, 0)?;
        machine(&stage, &["join", &right])?;
        machine(&stage, &["sync"])?;
        machine(&stage, &["sync"])?;
        machine(&stage, &["verify"])?;
        stage.audit_hub()?;
        let of_right = [
            "list",
            "person",
            "--office",
            OFFICES[0].0,
            "--limit",
            "100000",
        ];
        let listed = stage.city.hub(&of_right)?.done()?.json().to_string();
        ensure!(
            listed.contains(&unsent),
            "O11: what was not sent is not the right office's"
        );
        seen.saw("O11 machines of a wrong office set right");
        // The other office's own machine was revoked too.
        stage.city.join(1)?;
    }
    stage.audit()
}

/// O13: a protected backup is put back into an empty folder, as on another machine, and proven there.
fn restore_drill(context: &Context, seen: &mut Seen) -> anyhow::Result<()> {
    let mut stage = Stage::with_offices(context, 1)?;
    let secret = file(context, "passphrase", 0);
    std::fs::write(&secret, "correct horse battery\n")?;
    for round in 0..context.times {
        stage.enter(0)?;
        stage.city.settle_down(0)?;
        let (backup, drill) = (
            file(context, "drill.age", round),
            file(context, "drill", round),
        );
        let began = Instant::now();
        let make = ["backup", &backup, "--passphrase-file", &secret];
        stage.city.hub(&make)?.done()?;
        let hub = |args: &[&str]| {
            let all = [args, &["--data", &drill, "--json"]].concat();
            context.programs.run("lianxin-hub", &all)?.done()
        };
        hub(&["restore", &backup, "--passphrase-file", &secret])?;
        hub(&["verify"])?;
        let listed = hub(&["list", "person", "--limit", "100000"])?.json();
        let count = listed.as_array().map_or(0, Vec::len);
        ensure!(
            count == stage.kept(),
            "O13: {count} of {} came back",
            stage.kept()
        );
        seen.saw("O13 restore drills");
        let took = u64::try_from(began.elapsed().as_millis())?;
        seen.most("O13 ms of backup, restore and proof, most", took);
    }
    stage.audit()
}

/// M8, M7: an office's machines are revoked while one is served and a copy of it lies at a thief's: its
/// stream ends at once, every later call of either is refused, and its own data stay with it.
fn revoked_machines(context: &Context, seen: &mut Seen) -> anyhow::Result<()> {
    let mut stage = Stage::unserved(context)?;
    let programs = context.programs.clone();
    for _ in 0..context.times {
        let mut crowd = Crowd::join(&stage, 1)?;
        let data = crowd.machines.first().context("one")?.data.clone();
        let thief = format!("{data}-thief");
        stage.enter_by(&programs, &data)?.done()?;
        stage.city.machine(&data, &["sync"])?.done()?;
        copy_folder(Path::new(&data), Path::new(&thief))?;
        crowd.serve(&programs)?;
        crowd.wait_for_link(&stage, true, 60)?;
        let code = stage.city.office(0)?.code;
        let began = Instant::now();
        stage.city.hub(&["office", "revoke", code])?.done()?;
        crowd.wait_for_link(&stage, false, REVOKED_WITHIN)?;
        let took = u64::try_from(began.elapsed().as_millis())?;
        seen.most("M7 ms from revocation to the end of a stream, most", took);
        seen.saw("M7 streams ended by a revocation");
        drop(crowd);
        std::thread::sleep(Duration::from_millis(50));
        for folder in [&data, &thief] {
            let reply = stage.city.machine(folder, &["sync"])?;
            ensure!(
                reply.code == 1 && reply.err.contains("revoked"),
                "M8: {}",
                reply.err
            );
            seen.saw("M8 calls of a revoked machine refused");
        }
        // Its work goes on when it joins again.
        stage.enter_by(&programs, &data)?.done()?;
        let fresh = code_for(&stage, 0)?;
        stage.city.machine(&data, &["join", &fresh])?.done()?;
        stage.city.machine(&data, &["sync"])?.done()?;
        stage.audit_hub()?;
        for folder in [&data, &thief] {
            std::fs::remove_dir_all(folder)?;
        }
    }
    stage.city.join(0)?;
    stage.audit()
}
