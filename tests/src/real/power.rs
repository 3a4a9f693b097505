//! Power cuts of a real ext4: it lies in a file on XFS, which is copied in one instant while hub and node
//! work on it. The copy has what ext4 had pushed down, as a disk has after its power was cut.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::{Context as _, ensure};

use super::case::{CANNOT, Case, Context, Need, Seen, quiet};
use super::stage::{Stage, Told};
use crate::harness::{Programs, serve_hub};

pub(super) const CASES: &[Case] = &[Case {
    ids: "P3",
    name: "power-cuts",
    sees: &["P3 power cuts of node and hub on ext4"],
    needs: &[
        Need::Tool("mkfs.xfs", "xfsprogs"),
        Need::Tool("mkfs.ext4", "e2fsprogs"),
        Need::Tool("mount", "mount"),
    ],
    run: power_cuts,
}];

/// An image of ext4 in an image of XFS, both mounted; unmounted when dropped.
struct Rig {
    folder: PathBuf,
    mounted: Vec<PathBuf>,
}

impl Rig {
    fn set_up(folder: &Path) -> anyhow::Result<Self> {
        let mut rig = Self {
            folder: folder.to_path_buf(),
            mounted: Vec::new(),
        };
        let made = rig.make();
        made.map_err(|error| anyhow::anyhow!("{CANNOT}no images can be mounted: {error:#}"))?;
        Ok(rig)
    }

    fn make(&mut self) -> anyhow::Result<()> {
        let outer = self.at("outer.img");
        quiet("truncate", &["-s", "900M", &outer])?;
        quiet("mkfs.xfs", &["-q", "-m", "reflink=1", &outer])?;
        self.mount(&outer, "outer")?;
        let inner = self.at("outer/inner.img");
        quiet("truncate", &["-s", "300M", &inner])?;
        quiet("mkfs.ext4", &["-q", &inner])?;
        self.mount(&inner, "inner")
    }

    fn at(&self, name: &str) -> String {
        self.folder.join(name).to_string_lossy().into_owned()
    }

    fn mount(&mut self, image: &str, name: &str) -> anyhow::Result<()> {
        let at = self.at(name);
        std::fs::create_dir_all(&at)?;
        quiet("mount", &["-o", "loop", image, &at])?;
        self.mounted.push(PathBuf::from(at));
        Ok(())
    }

    /// Takes away what was mounted last.
    fn unmount(&mut self) -> anyhow::Result<()> {
        let last = self.mounted.pop().context("something is mounted")?;
        quiet("umount", &[&last.to_string_lossy()])?;
        Ok(())
    }

    /// The disk as it would be after a power cut now, mounted; with the folder where.
    fn cut(&mut self) -> anyhow::Result<String> {
        let (inner, copy) = (self.at("outer/inner.img"), self.at("outer/copy.img"));
        quiet("cp", &["--reflink=always", &inner, &copy])?;
        self.mount(&copy, "copy")?;
        Ok(self.at("copy"))
    }

    fn forget_cut(&mut self) -> anyhow::Result<()> {
        self.unmount()?;
        std::fs::remove_file(self.at("outer/copy.img"))?;
        Ok(())
    }
}

impl Drop for Rig {
    fn drop(&mut self) {
        while let Some(last) = self.mounted.pop() {
            drop(quiet("umount", &["-l", &last.to_string_lossy()]));
        }
    }
}

/// Somebody who enters one person after another.
struct Clerk {
    /// What was acknowledged so far.
    kept: Arc<Mutex<Vec<String>>>,
    is_done: Arc<AtomicBool>,
    at_work: std::thread::JoinHandle<anyhow::Result<()>>,
}

impl Clerk {
    fn at(programs: Programs, data: String) -> Self {
        let (kept, is_done) = (Arc::default(), Arc::new(AtomicBool::new(false)));
        let (of_thread, end) = (Arc::clone(&kept), Arc::clone(&is_done));
        let work = move || {
            for number in 0.. {
                if end.load(Ordering::SeqCst) {
                    break;
                }
                let name = format!("断电{number:05}");
                let add = ["add", "person", &format!("name={name}"), "--data", &data];
                programs.run("lianxin-node", &add)?.done()?;
                let kept: &Mutex<Vec<String>> = &of_thread;
                kept.lock()
                    .unwrap_or_else(PoisonError::into_inner)
                    .push(name);
            }
            Ok(())
        };
        Self {
            kept,
            is_done,
            at_work: std::thread::spawn(work),
        }
    }

    fn kept(&self) -> Vec<String> {
        self.kept
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    fn end(self) -> anyhow::Result<Vec<String>> {
        self.is_done.store(true, Ordering::SeqCst);
        let ended = self.at_work.join();
        ended.map_err(|_| anyhow::anyhow!("the clerk's thread ended"))??;
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(kept.clone())
    }
}

/// P3: the power of node and hub is cut in the same instant, again and again, while both work.
fn power_cuts(context: &Context, seen: &mut Seen) -> anyhow::Result<()> {
    let mut rig = Rig::set_up(&context.folder)?;
    let mut stage = Stage::unserved(context)?;
    stage.city.kill_hub()?;
    stage.city.move_hub(Path::new(&rig.at("inner/hub")))?;
    stage
        .city
        .move_office(0, Path::new(&rig.at("inner/office")))?;
    // What was moved there is no part of the trial: it is on the disk before.
    quiet("sync", &["-f", &rig.at("inner")])?;
    stage.city.start_hub()?;
    stage.city.start_office(0)?;
    let clerk = Clerk::at(context.programs.clone(), stage.data(0)?);
    for round in 0..context.times {
        std::thread::sleep(std::time::Duration::from_millis(50 + round * 31 % 200));
        let acknowledged = clerk.kept();
        let copy = rig.cut()?;
        check(&stage, &copy, &acknowledged)?;
        seen.saw("P3 power cuts of node and hub on ext4");
        if round % 5 == 0 {
            go_on(&stage, &copy)?;
            seen.saw("P3 cities that went on after a power cut");
        }
        rig.forget_cut()?;
    }
    stage.note(clerk.end()?, Told::Kept);
    stage.audit()?;
    stage.city.kill_office(0)?;
    stage.city.kill_hub()
}

/// What a copy of the disk has: whole databases, all that was acknowledged, each once.
fn check(stage: &Stage, copy: &str, acknowledged: &[String]) -> anyhow::Result<()> {
    let (node, hub) = (format!("{copy}/office"), format!("{copy}/hub"));
    let at_hub = |args: &[&str]| {
        let all = [args, &["--data", &hub, "--json"]].concat();
        stage.city.programs.run("lianxin-hub", &all)?.done()
    };
    stage.city.machine(&node, &["verify"])?.done()?;
    at_hub(&["verify"])?;
    let names = stage.names_in(&node)?;
    let set: BTreeSet<_> = names.iter().collect();
    ensure!(
        set.len() == names.len(),
        "S2: a name stands twice after a power cut"
    );
    let lost = acknowledged.iter().find(|name| !set.contains(name));
    ensure!(lost.is_none(), "S1: {lost:?} is lost after a power cut");
    // What the hub acknowledged to the node, it has.
    let received = stage.city.machine(&node, &["status"])?.done()?.json()["received"].as_u64();
    let code = stage.city.office(0)?.code;
    let machines = at_hub(&["office", "machines", code])?.json();
    let at_hub = machines[0]["received"].as_u64();
    ensure!(
        at_hub >= received,
        "S11: acknowledged {received:?}, the hub has {at_hub:?}"
    );
    Ok(())
}

/// Hub and node start from a copy of the disk, and come together.
fn go_on(stage: &Stage, copy: &str) -> anyhow::Result<()> {
    let (node, hub) = (format!("{copy}/office"), format!("{copy}/hub"));
    let serve = serve_hub(&hub, "127.0.0.1:0");
    let log = stage.city.folder.join("after-a-cut.log");
    let serving = stage.city.programs.serve("lianxin-hub", &serve, &log)?;
    let address = serving.address("rpc")?.to_string();
    let machine = |args: &[&str]| {
        let all = [args, &["--data", &node, "--hub", &address, "--json"]].concat();
        stage.city.programs.run("lianxin-node", &all)?.done()
    };
    machine(&["sync"])?;
    machine(&["sync"])?;
    machine(&["verify"])?;
    let status = machine(&["status"])?.json();
    ensure!(
        status["waiting"] == 0,
        "L1: something waits after a power cut: {status}"
    );
    serving.kill()
}
