//! A hub and its offices, each on a machine of its own: started, cut from power, put back, copied.

mod loss;
mod still;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use domain::change::Verb;
use domain::id::RecordId;
use domain::record::RecordKey;
use lianxin_hub::recovery::PutBack;
use lianxin_hub::rpc::Shared;
use serde_json::Value;
use store::writer::Store;
use tokio::sync::watch;
use tokio::task::AbortHandle;
use tokio::time::Instant;

use crate::simulation::chance::Chance;
use crate::simulation::disk::{self, Image};
use crate::simulation::net::{self, End, Net};
use crate::simulation::world::{Machine, at};

pub use loss::Spoke;
pub use still::{Place, Still};

/// The street's committee, for which the hub's desk acts.
pub const STREET: &str = "350102001";

/// A city.
#[derive(Debug)]
pub struct City {
    /// The seed from which it all follows.
    pub seed: u64,
    begin: Instant,
    /// The lines.
    pub net: Arc<Net>,
    /// The hub.
    pub hub: Hub,
    /// How many offices there are.
    pub size: usize,
    /// The offices' machines, and after them the copies that run beside some of them.
    pub offices: Vec<Office>,
    /// Which machine is the copy of which office's.
    pub twins: BTreeMap<usize, usize>,
}

/// The hub's machine.
#[derive(Debug)]
pub struct Hub {
    /// Its folder.
    pub folder: PathBuf,
    /// Its clock.
    pub machine: Arc<Machine>,
    /// The hub while it is on.
    pub app: Option<lianxin_hub::app::App>,
    commits: watch::Sender<u64>,
    life: watch::Sender<u64>,
    tasks: Vec<AbortHandle>,
}

/// Where a hub notes how far it has got.
const PROGRESS: &str = "hub-progress.txt";

/// An office's machine.
#[derive(Debug)]
pub struct Office {
    line: usize,
    /// Its folder.
    pub folder: PathBuf,
    /// Its clock.
    pub machine: Arc<Machine>,
    /// The node while it is on.
    pub app: Option<lianxin_node::app::App>,
    commits: watch::Sender<u64>,
    serving: Option<AbortHandle>,
}

/// What a backup of the hub holds.
#[derive(Debug, Clone)]
pub struct Backup {
    image: Image,
    /// How far it had got, as it noted beside the database.
    progress: Option<Vec<u8>>,
}

/// What a copy of an office's folder holds.
#[derive(Debug, Clone)]
pub struct Copy {
    image: Image,
    files: Vec<(PathBuf, Vec<u8>)>,
}

/// The code of an office by its number.
pub fn code_of(number: usize) -> String {
    format!("{STREET}{:03}", number + 1)
}

/// The code of an office's branch.
pub fn branch_of(number: usize) -> String {
    format!("{}01", code_of(number))
}

impl City {
    /// Founds a city with so many offices below `root`, all enrolled and served.
    ///
    /// # Errors
    /// Whatever does not come up.
    pub async fn found(seed: u64, root: &Path, offices: usize) -> anyhow::Result<Self> {
        disk::clear();
        let begin = Instant::now();
        let machine = |number: usize| {
            Arc::new(Machine::new(
                begin,
                Chance::new(seed, "machine", number as u64),
            ))
        };
        // Each office has a second line, for a copy of its machine.
        let net = Net::new(seed, offices * 2);
        let hub = Hub {
            folder: root.join("hub"),
            machine: machine(0),
            app: None,
            commits: watch::Sender::new(0),
            life: watch::Sender::new(0),
            tasks: Vec::new(),
        };
        let mut city = Self {
            seed,
            begin,
            net,
            hub,
            size: offices,
            offices: Vec::new(),
            twins: BTreeMap::new(),
        };
        city.make_hub().await?;
        for number in 0..offices {
            city.offices.push(Office {
                line: number,
                folder: root.join(format!("office-{}", number + 1)),
                machine: machine(number + 1),
                app: None,
                commits: watch::Sender::new(0),
                serving: None,
            });
            city.make_office(number).await?;
        }
        Ok(city)
    }

    /// The office that a machine speaks for.
    pub fn office_of(&self, machine: usize) -> usize {
        let twin = self.twins.iter().find(|(_, twin)| **twin == machine);
        twin.map_or(machine, |(office, _)| *office)
    }

    /// The office with this id, as lists name it; none where it is no office here, or never was enrolled.
    pub fn office_with(&self, id: &str) -> Option<usize> {
        let is_it = |office: &Office| {
            let keys = office.app.as_ref().and_then(|app| app.keys().ok());
            let identity = keys.and_then(|keys| keys.identity);
            identity.is_some_and(|own| RecordId::new(own.office).to_string() == id)
        };
        self.offices.iter().take(self.size).position(is_it)
    }

    async fn make_hub(&mut self) -> anyhow::Result<()> {
        let folder = self.hub.folder.clone();
        disk::machine(&folder.to_string_lossy());
        let made = at(&self.hub.machine, async {
            lianxin_hub::app::init(&folder, "模拟中心", &[])
        });
        made.await?;
        fix_secrets(&folder.join("keys/hub.toml"), self.seed)?;
        self.start_hub()?;
        let mut rows = String::from("编码,名称,简称,类型,上级编码,是否社区,可审批预备党员\n");
        rows += "350102,中共示范区委员会,示范区,党委,,否,是\n";
        rows += &format!("{STREET},中共示范街道工作委员会,示范街道,党工委,350102,否,是\n");
        for number in 0..self.size {
            let (code, branch) = (code_of(number), branch_of(number));
            rows += &format!("{code},中共第{number}社区委员会,社区{number},党委,{STREET},是,否\n");
            rows +=
                &format!("{branch},中共第{number}社区第一支部,支部{number},党支部,{code},否,否\n");
            rows += &format!(
                "{code}02,中共第{number}社区第二支部,二支部{number},党支部,{code},否,否\n"
            );
        }
        let file = folder.join("organisations.csv");
        std::fs::write(&file, rows)?;
        self.at_hub(&["org", "import", &file.to_string_lossy()])
            .await?;
        Ok(())
    }

    async fn make_office(&mut self, number: usize) -> anyhow::Result<()> {
        let code = code_of(number);
        self.at_hub(&["office", "add", &code, &format!("社区{number}")])
            .await?;
        self.enrol(number).await
    }

    /// A new machine joins for an office, and serves.
    async fn enrol(&mut self, number: usize) -> anyhow::Result<()> {
        let code = code_of(number);
        let made = self
            .at_hub(&["code", &code, "--address", "hub:7443"])
            .await?;
        let secret = made["code"].as_str().context("a code")?.to_owned();
        let office = self.offices.get(number).context("an office")?;
        disk::machine(&office.folder.to_string_lossy());
        let folder = office.folder.clone();
        at(&office.machine, async { lianxin_node::app::init(&folder) }).await?;
        self.open_office(number)?;
        let office = self.offices.get(number).context("an office")?;
        let app = office.app.as_ref().context("on")?;
        at(&office.machine, lianxin_node::enrol::join(app, &secret)).await?;
        self.open_office(number)?;
        self.serve(number);
        Ok(())
    }

    /// Carries out a command at the hub's desk.
    ///
    /// # Errors
    /// The hub is off; what the command refuses or fails with.
    pub async fn at_hub(&self, line: &[&str]) -> anyhow::Result<Value> {
        let app = self.hub.app.as_ref().context("the hub is off")?;
        let done = at(&self.hub.machine, lianxin_hub::cli::command(app, line)).await;
        if done.is_ok() {
            disk::log::told(None);
        }
        self.hub.commits.send_modify(|count| *count += 1);
        done
    }

    /// Carries out a command at an office.
    ///
    /// # Errors
    /// The office is off; what the command refuses or fails with.
    pub async fn at_office(&self, number: usize, line: &[&str]) -> anyhow::Result<Value> {
        let office = self.offices.get(number).context("an office")?;
        let app = office.app.as_ref().context("the office is off")?;
        let done = at(&office.machine, lianxin_node::cli::command(app, line)).await;
        if done.is_ok() {
            disk::log::told(Some(&office.folder));
        }
        self.tell(number).await;
        done
    }

    /// Writes at an office what its programs do not know, in somebody's name: as a newer one would.
    ///
    /// # Errors
    /// The office is off; what the store refuses.
    pub async fn write_raw(
        &self,
        number: usize,
        written: (RecordKey, Verb),
        values: lianxin_node::journal::Values,
        actor: &str,
    ) -> anyhow::Result<Value> {
        let office = self.offices.get(number).context("an office")?;
        let app = office.app.clone().context("the office is off")?;
        let (own, actor) = (app.own, actor.to_owned());
        let work = async move {
            app.store
                .write::<_, anyhow::Error>(move |tx| {
                    lianxin_node::journal::write(tx, own, written, values, &actor)?;
                    Ok(Value::Null)
                })
                .await
        };
        let written = at(&office.machine, work).await;
        self.tell(number).await;
        written
    }

    /// Tells an office's serving node what its database tells: that somebody has written.
    async fn tell(&self, number: usize) {
        let Some(office) = self.offices.get(number) else {
            return;
        };
        let Some(app) = &office.app else { return };
        let mark = app
            .store
            .read::<_, anyhow::Error>(|tx| Ok(tx.journal_mark()?))
            .await;
        if let Ok(mark) = mark {
            office
                .commits
                .send_if_modified(|known| std::mem::replace(known, mark) != mark);
        }
    }

    /// One session of an office, whatever its serving node does.
    ///
    /// # Errors
    /// The line's; what was committed stays.
    pub async fn sync(&self, number: usize) -> anyhow::Result<()> {
        let office = self.offices.get(number).context("an office")?;
        let app = office.app.as_ref().context("the office is off")?;
        let mut app = app.clone();
        app.own = lianxin_node::app::Own::of_keys(&app.keys()?);
        at(&office.machine, lianxin_node::sync::once(&app)).await?;
        Ok(())
    }

    /// The hub's power comes back.
    ///
    /// # Errors
    /// Where its folder cannot be opened.
    pub fn start_hub(&mut self) -> anyhow::Result<()> {
        disk::power_on(&self.hub.folder.to_string_lossy());
        self.hub.machine.restart();
        let hub = &mut self.hub;
        let _here = system::within(Arc::clone(&hub.machine) as Arc<dyn system::World>);
        let app = lianxin_hub::app::App::open_on(&hub.folder, Store::open_on_caller)?;
        let commits = hub.commits.subscribe();
        let works = lianxin_hub::cli::work_by_itself(app.clone(), commits.clone());
        hub.tasks = vec![tokio::spawn(system::carry(works)).abort_handle()];
        self.net.set_hub(Some(net::Hub {
            routes: lianxin_hub::rpc::services(Shared::new(app.clone(), commits)),
            machine: Arc::clone(&hub.machine),
            life: hub.life.subscribe(),
            commits: hub.commits.clone(),
        }));
        hub.app = Some(app);
        Ok(())
    }

    /// The hub's power fails.
    pub fn cut_hub(&mut self, chance: &mut Chance) {
        self.net.set_hub(None);
        self.hub.life.send_modify(|life| *life += 1);
        for task in self.hub.tasks.drain(..) {
            task.abort();
        }
        disk::power_cut(&self.hub.folder.to_string_lossy(), chance);
        self.hub.app = None;
    }

    fn open_office(&mut self, number: usize) -> anyhow::Result<()> {
        let net = Arc::clone(&self.net);
        let office = self.offices.get_mut(number).context("an office")?;
        // One connection at a time: the one before is closed first.
        office.app = None;
        let _here = system::within(Arc::clone(&office.machine) as Arc<dyn system::World>);
        let dial = End::new(net, office.line, office.folder.clone());
        let app =
            lianxin_node::app::App::open_on(&office.folder, Store::open_on_caller, Arc::new(dial))?;
        office.app = Some(app);
        Ok(())
    }

    fn serve(&mut self, number: usize) {
        let Some(office) = self.offices.get_mut(number) else {
            return;
        };
        let Some(app) = office.app.clone() else {
            return;
        };
        let commits = office.commits.subscribe();
        let serving = at(&office.machine, lianxin_node::sync::run_with(app, commits));
        office.serving = Some(tokio::spawn(serving).abort_handle());
    }

    /// An office's power comes back, and its node serves.
    ///
    /// # Errors
    /// Where its folder cannot be opened.
    pub fn start_office(&mut self, number: usize) -> anyhow::Result<()> {
        let office = self.offices.get(number).context("an office")?;
        disk::power_on(&office.folder.to_string_lossy());
        office.machine.restart();
        self.open_office(number)?;
        self.serve(number);
        Ok(())
    }

    /// An office's power fails.
    pub fn cut_office(&mut self, number: usize, chance: &mut Chance) {
        let Some(office) = self.offices.get_mut(number) else {
            return;
        };
        if let Some(serving) = office.serving.take() {
            serving.abort();
        }
        disk::power_cut(&office.folder.to_string_lossy(), chance);
        office.app = None;
    }

    /// A backup of the hub as it is now.
    pub fn back_up(&self) -> Backup {
        Backup {
            image: disk::image(&self.hub.folder.to_string_lossy()),
            progress: std::fs::read(self.hub.folder.join(PROGRESS)).ok(),
        }
    }

    /// Puts the hub's disk back as it was, what it noted beside the database with it: nobody is told.
    ///
    /// # Errors
    /// Where it does not start.
    pub async fn put_hub_back(
        &mut self,
        backup: &Backup,
        chance: &mut Chance,
    ) -> anyhow::Result<()> {
        self.cut_hub(chance);
        tokio::time::sleep(Duration::from_secs(1)).await;
        disk::put_image(&self.hub.folder.to_string_lossy(), &backup.image);
        let note = self.hub.folder.join(PROGRESS);
        match &backup.progress {
            Some(progress) => std::fs::write(&note, progress)?,
            None => drop(std::fs::remove_file(&note)),
        }
        self.hub.machine.wake();
        self.start_hub()
    }

    /// Whether a node has proven that the hub was put back.
    pub fn hub_is_lost(&self) -> bool {
        let app = self.hub.app.as_ref();
        app.is_some_and(|app| app.progress.is_lost())
    }

    /// Puts a backup in the place of the hub's database.
    ///
    /// # Errors
    /// What `restore` refuses.
    pub async fn restore_hub(
        &mut self,
        backup: &Backup,
        chance: &mut Chance,
    ) -> anyhow::Result<()> {
        let former = self.hub.app.as_ref().map(|app| app.own);
        self.cut_hub(chance);
        // What runs on the hub's machine ends before its disk is exchanged.
        tokio::time::sleep(Duration::from_secs(1)).await;
        let folder = self.hub.folder.clone();
        disk::put_image(&folder.to_string_lossy(), &backup.image);
        disk::power_on(&folder.to_string_lossy());
        self.hub.machine.wake();
        let database = folder.join("hub.sqlite");
        at(&self.hub.machine, async {
            lianxin_hub::backup::begin_again(&database, &folder, former, PutBack::Told)
        })
        .await?;
        self.start_hub()
    }

    /// Somebody says that the hub's database, which is older than what it had promised, is all there is.
    ///
    /// # Errors
    /// What `recovery begin` refuses.
    pub async fn begin_recovery(&mut self, chance: &mut Chance) -> anyhow::Result<()> {
        self.cut_hub(chance);
        tokio::time::sleep(Duration::from_secs(1)).await;
        let folder = self.hub.folder.clone();
        disk::power_on(&folder.to_string_lossy());
        self.hub.machine.wake();
        at(&self.hub.machine, async {
            lianxin_hub::backup::begin_here(&folder)
        })
        .await?;
        self.start_hub()
    }

    /// A copy of an office's folder as it is now, keys and all.
    ///
    /// # Errors
    /// Where a file cannot be read.
    pub fn copy_office(&self, number: usize) -> anyhow::Result<Copy> {
        let office = self.offices.get(number).context("an office")?;
        let mut files = Vec::new();
        for entry in std::fs::read_dir(&office.folder)? {
            let path = entry?.path();
            if path.is_file() && !path.to_string_lossy().contains(".sqlite") {
                let bytes = std::fs::read(&path)?;
                files.push((path, bytes));
            }
        }
        Ok(Copy {
            image: disk::image(&office.folder.to_string_lossy()),
            files,
        })
    }

    /// A copy of an office's folder begins to run beside it, on a machine of its own.
    ///
    /// # Errors
    /// Where it does not start.
    pub fn start_twin(&mut self, number: usize) -> anyhow::Result<()> {
        let copy = self.copy_office(number)?;
        let office = self.offices.get(number).context("an office")?;
        let folder = office.folder.with_extension("twin");
        put_copy(&folder, &copy)?;
        let (begin, twin) = (self.begin, self.offices.len());
        let chance = Chance::new(self.seed, "machine", 1_000 + number as u64);
        self.offices.push(Office {
            line: self.size + number,
            folder,
            machine: Arc::new(Machine::new(begin, chance)),
            app: None,
            commits: watch::Sender::new(0),
            serving: None,
        });
        self.twins.insert(number, twin);
        self.start_office(twin)
    }

    /// The machines of an office as the hub knows them.
    ///
    /// # Errors
    /// The hub is off.
    pub async fn machines(&self, number: usize) -> anyhow::Result<Value> {
        let code = code_of(number);
        self.at_hub(&["office", "machines", &code]).await
    }

    /// The desk names an office's machine, in the epoch that it writes in now.
    ///
    /// # Errors
    /// The hub is off, or does not know it.
    pub async fn name_machine(&self, number: usize) -> anyhow::Result<()> {
        let office = self.offices.get(number).context("an office")?;
        let keys = office.app.as_ref().context("on")?.keys()?;
        let own = lianxin_node::app::Own::of_keys(&keys);
        let (node, epoch) = (own.node.to_string(), own.epoch.to_string());
        let code = code_of(number);
        self.at_hub(&[
            "office", "machine", &code, "--node", &node, "--epoch", &epoch,
        ])
        .await?;
        Ok(())
    }

    /// Puts a copy in the place of an office's folder, or of its database alone.
    ///
    /// # Errors
    /// Where a file cannot be written.
    pub async fn roll_back(
        &mut self,
        number: usize,
        copy: &Copy,
        with_keys: bool,
        chance: &mut Chance,
    ) -> anyhow::Result<()> {
        self.cut_office(number, chance);
        tokio::time::sleep(Duration::from_secs(1)).await;
        let office = self.offices.get(number).context("an office")?;
        disk::put_image(&office.folder.to_string_lossy(), &copy.image);
        for (path, bytes) in copy.files.iter().filter(|_| with_keys) {
            std::fs::write(path, bytes)?;
        }
        self.start_office(number)
    }
}

/// Puts a copy of an office's folder on the disk of another machine.
fn put_copy(folder: &Path, copy: &Copy) -> anyhow::Result<()> {
    std::fs::create_dir_all(folder)?;
    for (path, bytes) in &copy.files {
        std::fs::write(folder.join(path.file_name().context("a name")?), bytes)?;
    }
    // Programs ask the real file system whether there is a database.
    std::fs::write(folder.join("node.sqlite"), [])?;
    let name = folder.to_string_lossy();
    disk::machine(&name);
    disk::put_image(&name, &copy.image);
    disk::power_on(&name);
    Ok(())
}

/// Secrets that decide where rows lie in a tree follow from the seed.
fn fix_secrets(path: &Path, seed: u64) -> anyhow::Result<()> {
    let mut chance = Chance::new(seed, "secrets", 0);
    let mut hex = || {
        let mut bytes = [0; 32];
        chance.fill(&mut bytes);
        data_encoding::HEXLOWER.encode(&bytes)
    };
    let text = std::fs::read_to_string(path)?;
    let lines = text.lines().map(|line| {
        let name = line.split('=').next().unwrap_or_default().trim();
        match name {
            "signing_seed" | "claim_secret" => format!("{name} = \"{}\"", hex()),
            _ => line.to_owned(),
        }
    });
    std::fs::write(path, lines.collect::<Vec<_>>().join("\n"))?;
    Ok(())
}
