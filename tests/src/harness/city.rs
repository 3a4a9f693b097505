//! A city for stories and scenarios: one hub, some offices, a line to each; every part can be
//! stopped, killed, copied and started again.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU16, Ordering};

use anyhow::Context as _;
use serde_json::Value;

use super::{Line, Program, Programs, Reply, wait_for};

/// The offices: code and name, all invented.
pub const OFFICES: [(&str, &str); 3] = [
    ("350102001001", "东湖社区"),
    ("350102001002", "西苑社区"),
    ("350102001003", "南桥社区"),
];

/// The street above them, whose committee may admit members.
pub const STREET: &str = "350102001";

const ORGANISATIONS: &str = "编码,名称,简称,类型,上级编码,是否社区,可审批预备党员
350102,中共示范区委员会,示范区,党委,,否,是
350102001,中共示范街道工作委员会,示范街道,党工委,350102,否,是
350102001001,中共东湖社区委员会,东湖社区,党委,350102001,是,否
350102001002,中共西苑社区委员会,西苑社区,党委,350102001,是,否
350102001003,中共南桥社区委员会,南桥社区,党委,350102001,是,否
35010200100101,中共东湖社区第一支部委员会,东湖一支部,党支部,350102001001,否,否
35010200100201,中共西苑社区第一支部委员会,西苑一支部,党支部,350102001002,否,否
";

/// How long the parts may take to come together (seconds).
const QUIET_WITHIN: u64 = 60;

/// The first port on which hubs listen.
const OWN_PORTS_FROM: u16 = 20_000;
/// How many there are.
const OWN_PORTS: u16 = 12_000;
/// How far from each other programs begin that were started one after the other.
const PORTS_APART: u32 = 97;

/// One office of the city.
#[derive(Debug)]
pub struct Office {
    /// Its code.
    pub code: &'static str,
    /// Its name.
    pub name: &'static str,
    /// Its data folder.
    pub data: String,
    /// Its line to the hub.
    pub line: Line,
    serving: Option<Program>,
}

impl Office {
    /// Where its page is; none while it is not served.
    ///
    /// # Errors
    /// Where the program did not say it.
    pub fn page(&self) -> anyhow::Result<Option<std::net::SocketAddr>> {
        self.serving
            .as_ref()
            .map(|serving| serving.address("web"))
            .transpose()
    }
}

/// A hub and its offices; ended when dropped.
#[derive(Debug)]
pub struct City {
    /// The programs.
    pub programs: Programs,
    /// Where everything lies.
    pub folder: PathBuf,
    /// The hub's data folder.
    pub hub_data: String,
    /// The offices.
    pub offices: Vec<Office>,
    hub: Option<Program>,
    rpc: std::net::SocketAddr,
    /// Whether offices are told the hub's own address and not that of their line.
    is_direct: bool,
}

impl City {
    /// Builds the programs, starts the hub, enrols and starts the first offices.
    ///
    /// # Errors
    /// Whatever does not come up.
    pub fn found(folder: &Path, offices: usize) -> anyhow::Result<Self> {
        Self::found_over(false, Programs::build()?, folder, offices)
    }

    /// The same by programs that something else starts, in a network of their own for instance; offices
    /// are told the hub's own address.
    ///
    /// # Errors
    /// Whatever does not come up.
    pub fn found_by(programs: Programs, folder: &Path, offices: usize) -> anyhow::Result<Self> {
        Self::found_over(true, programs, folder, offices)
    }

    fn found_over(
        is_direct: bool,
        programs: Programs,
        folder: &Path,
        offices: usize,
    ) -> anyhow::Result<Self> {
        std::fs::create_dir_all(folder)?;
        let hub_data = folder.join("hub").to_string_lossy().into_owned();
        programs
            .run(
                "lianxin-hub",
                &["init", "--data", &hub_data, "--name", "示范市中心"],
            )?
            .done()?;
        let organisations = folder.join("organisations.csv");
        std::fs::write(&organisations, ORGANISATIONS)?;
        let file = organisations.to_string_lossy();
        programs
            .run(
                "lianxin-hub",
                &["org", "import", &file, "--data", &hub_data],
            )?
            .done()?;
        let mut city = Self {
            programs,
            folder: folder.to_path_buf(),
            hub_data,
            offices: Vec::new(),
            hub: None,
            rpc: port_of_its_own()?,
            is_direct,
        };
        city.start_hub()?;
        for (code, name) in OFFICES.into_iter().take(offices) {
            city.enrol(code, name)?;
        }
        Ok(city)
    }

    fn enrol(&mut self, code: &'static str, name: &'static str) -> anyhow::Result<()> {
        self.add_office(code, name)?;
        self.start_office(self.offices.len() - 1)
    }

    /// Adds and enrols an office whose program is not started.
    ///
    /// # Errors
    /// Where hub or node refuses.
    pub fn enrol_unserved(&mut self, office: usize) -> anyhow::Result<()> {
        let (code, name) = OFFICES.get(office).copied().context("no such office")?;
        self.add_office(code, name)
    }

    fn add_office(&mut self, code: &'static str, name: &'static str) -> anyhow::Result<()> {
        let line = Line::to(self.rpc)?;
        let data = self.folder.join(code).to_string_lossy().into_owned();
        self.hub(&["office", "add", code, name])?.done()?;
        self.offices.push(Office {
            code,
            name,
            data,
            line,
            serving: None,
        });
        let place = self.offices.len() - 1;
        self.node(place, &["init"])?.done()?;
        self.join(place)
    }

    /// Enrols an office's node with a new code.
    ///
    /// # Errors
    /// Where hub or node refuses.
    pub fn join(&self, office: usize) -> anyhow::Result<()> {
        let code = self.office(office)?.code;
        let address = if self.is_direct {
            self.rpc
        } else {
            self.office(office)?.line.address()
        };
        let reply = self
            .hub(&["code", code, "--address", &address.to_string()])?
            .done()?
            .json();
        let secret = reply["code"].as_str().context("no code in the answer")?;
        self.node(office, &["join", secret])?.done()?;
        Ok(())
    }

    /// Starts the hub on its port.
    ///
    /// # Errors
    /// Where it does not come up.
    pub fn start_hub(&mut self) -> anyhow::Result<()> {
        self.start_hub_at(0)
    }

    /// The same, with its clock so many seconds ahead (or behind).
    ///
    /// # Errors
    /// Where it does not come up.
    pub fn start_hub_at(&mut self, offset_s: i64) -> anyhow::Result<()> {
        let programs = self.programs.clone();
        self.start_hub_by(&programs, offset_s)
    }

    /// The same by programs that something else starts.
    ///
    /// # Errors
    /// Where it does not come up.
    pub fn start_hub_by(&mut self, programs: &Programs, offset_s: i64) -> anyhow::Result<()> {
        let rpc = self.rpc.to_string();
        let serve = serve_hub(&self.hub_data, &rpc);
        let log = self.folder.join("hub.log");
        let hub = programs.serve_at(offset_s, "lianxin-hub", &serve, &log)?;
        self.rpc = hub.address("rpc")?;
        self.hub = Some(hub);
        Ok(())
    }

    /// Kills the hub at once, as a power cut would.
    ///
    /// # Errors
    /// Where it had ended by itself.
    pub fn kill_hub(&mut self) -> anyhow::Result<()> {
        self.hub.take().context("the hub is up")?.kill()
    }

    /// Where the hub listens for nodes.
    pub const fn rpc(&self) -> std::net::SocketAddr {
        self.rpc
    }

    /// Whether the hub runs: it may have been ended from outside.
    ///
    /// # Errors
    /// Where the system does not tell.
    pub fn hub_runs(&mut self) -> anyhow::Result<bool> {
        let ended = self.hub.as_mut().map(Program::has_ended).transpose()?;
        Ok(ended == Some(false))
    }

    /// Whether an office's program runs.
    ///
    /// # Errors
    /// Where the system does not tell.
    pub fn office_runs(&mut self, office: usize) -> anyhow::Result<bool> {
        let place = self.offices.get_mut(office).context("no such office")?;
        let ended = place.serving.as_mut().map(Program::has_ended).transpose()?;
        Ok(ended == Some(false))
    }

    /// Starts an office's program.
    ///
    /// # Errors
    /// Where it does not come up.
    pub fn start_office(&mut self, office: usize) -> anyhow::Result<()> {
        self.start_office_at(0, office)
    }

    /// The same, with its clock so many seconds ahead (or behind).
    ///
    /// # Errors
    /// Where it does not come up.
    pub fn start_office_at(&mut self, offset_s: i64, office: usize) -> anyhow::Result<()> {
        let programs = self.programs.clone();
        self.start_office_by(&programs, offset_s, office)
    }

    /// The same by programs that something else starts.
    ///
    /// # Errors
    /// Where it does not come up.
    pub fn start_office_by(
        &mut self,
        programs: &Programs,
        offset_s: i64,
        office: usize,
    ) -> anyhow::Result<()> {
        let code = self.office(office)?.code;
        let log = self.folder.join(format!("{code}.log"));
        let place = self.offices.get_mut(office).context("no such office")?;
        let serve = ["serve", "--data", &place.data, "--web", "127.0.0.1:0"];
        place.serving = Some(programs.serve_at(offset_s, "lianxin-node", &serve, &log)?);
        Ok(())
    }

    /// Kills an office's program at once.
    ///
    /// # Errors
    /// Where it had ended by itself.
    pub fn kill_office(&mut self, office: usize) -> anyhow::Result<()> {
        let place = self.offices.get_mut(office).context("no such office")?;
        place.serving.take().context("the office is up")?.kill()
    }

    /// Copies an office's data folder, which nobody serves, to a name beside it.
    ///
    /// # Errors
    /// Where it cannot be copied.
    pub fn copy_office(&self, office: usize, name: &str) -> anyhow::Result<String> {
        let to = self.folder.join(name).to_string_lossy().into_owned();
        copy_folder(Path::new(&self.office(office)?.data), Path::new(&to))?;
        Ok(to)
    }

    /// Lets an office go on from a copy of its data folder; what it had is kept beside.
    ///
    /// # Errors
    /// Where it cannot be moved.
    pub fn roll_back(&self, office: usize, copy: &str) -> anyhow::Result<()> {
        let data = &self.office(office)?.data;
        let mut aside = format!("{data}-aside");
        while Path::new(&aside).exists() {
            aside.push('+');
        }
        std::fs::rename(data, aside)?;
        copy_folder(Path::new(copy), Path::new(data))
    }

    /// Moves the hub's data folder, which nobody serves, to another place.
    ///
    /// # Errors
    /// Where it cannot be copied.
    pub fn move_hub(&mut self, to: &Path) -> anyhow::Result<()> {
        copy_folder(Path::new(&self.hub_data), to)?;
        std::fs::remove_dir_all(&self.hub_data)?;
        self.hub_data = to.to_string_lossy().into_owned();
        Ok(())
    }

    /// Moves an office's data folder, which nobody serves, to another place.
    ///
    /// # Errors
    /// Where it cannot be copied.
    pub fn move_office(&mut self, office: usize, to: &Path) -> anyhow::Result<()> {
        let place = self.offices.get_mut(office).context("no such office")?;
        copy_folder(Path::new(&place.data), to)?;
        std::fs::remove_dir_all(&place.data)?;
        place.data = to.to_string_lossy().into_owned();
        Ok(())
    }

    /// Runs a command of the hub, with its data folder and `--json`.
    ///
    /// # Errors
    /// Where the program cannot be started.
    pub fn hub(&self, args: &[&str]) -> anyhow::Result<Reply> {
        self.hub_at(0, args)
    }

    /// The same, with the command's clock so many seconds ahead (or behind).
    ///
    /// # Errors
    /// Where the program cannot be started.
    pub fn hub_at(&self, offset_s: i64, args: &[&str]) -> anyhow::Result<Reply> {
        let mut all = args.to_vec();
        all.extend(["--data", &self.hub_data, "--json"]);
        self.programs.run_at(offset_s, "lianxin-hub", &all)
    }

    /// Runs a command of an office's node, with its data folder and `--json`.
    ///
    /// # Errors
    /// Where the program cannot be started.
    pub fn node(&self, office: usize, args: &[&str]) -> anyhow::Result<Reply> {
        self.node_at(0, office, args)
    }

    /// The same, with the command's clock so many seconds ahead (or behind).
    ///
    /// # Errors
    /// Where the program cannot be started.
    pub fn node_at(&self, offset_s: i64, office: usize, args: &[&str]) -> anyhow::Result<Reply> {
        self.machine_at(offset_s, &self.office(office)?.data, args)
    }

    /// Runs a command of a node in another data folder: a copy, or a second machine of an office.
    ///
    /// # Errors
    /// Where the program cannot be started.
    pub fn machine(&self, data: &str, args: &[&str]) -> anyhow::Result<Reply> {
        self.machine_at(0, data, args)
    }

    fn machine_at(&self, offset_s: i64, data: &str, args: &[&str]) -> anyhow::Result<Reply> {
        let mut all = args.to_vec();
        all.extend(["--data", data, "--json"]);
        self.programs.run_at(offset_s, "lianxin-node", &all)
    }

    /// An office by its place.
    ///
    /// # Errors
    /// Where there is none.
    pub fn office(&self, office: usize) -> anyhow::Result<&Office> {
        self.offices.get(office).context("no such office")
    }

    /// Waits until nothing waits at an office and it has read what the hub has.
    ///
    /// # Errors
    /// Where that does not happen within a minute.
    pub fn settle_down(&self, office: usize) -> anyhow::Result<()> {
        self.node(office, &["sync", "--wait"])?.done()?;
        wait_for("nothing waits at the office", QUIET_WITHIN, || {
            let status = self.node(office, &["status"])?.done()?.json();
            Ok((status["waiting"].as_u64() == Some(0)).then_some(()))
        })
    }

    /// Waits until every office is quiet, and lets node and hub prove that they hold the same;
    /// the certificates of each office.
    ///
    /// # Errors
    /// Where one of them does not agree with itself or with the other.
    pub fn prove_equality(&self) -> anyhow::Result<Vec<Vec<Value>>> {
        let mut all = Vec::new();
        for place in 0..self.offices.len() {
            self.settle_down(place)?;
        }
        for place in 0..self.offices.len() {
            self.settle_down(place)?;
            let certificates = wait_for("an equality certificate", QUIET_WITHIN, || {
                let status = self.node(place, &["status"])?.done()?.json();
                let certificates = status["certificates"]
                    .as_array()
                    .cloned()
                    .unwrap_or_default();
                let is_current = certificates.len() >= 2
                    && certificates.iter().all(|c| {
                        status["digests"].get(c["feed"].as_str().unwrap_or_default())
                            == Some(&c["sum"])
                    });
                Ok(is_current.then_some(certificates))
            })?;
            self.node(place, &["verify"])?.done()?;
            all.push(certificates);
        }
        self.hub(&["verify"])?.done()?;
        Ok(all)
    }

    /// Where the hub's page is.
    ///
    /// # Errors
    /// Where it has none.
    pub fn hub_page(&self) -> anyhow::Result<std::net::SocketAddr> {
        self.hub.as_ref().context("the hub is up")?.address("web")
    }

    /// The process of the hub, or of an office.
    ///
    /// # Errors
    /// Where it is not up.
    pub fn process(&self, office: Option<usize>) -> anyhow::Result<u32> {
        let program = match office {
            None => self.hub.as_ref(),
            Some(place) => self.office(place)?.serving.as_ref(),
        };
        Ok(program.context("it is up")?.process())
    }
}

/// A port that nothing else listens on, below those from which connections are made: while its hub is off, no
/// connection takes it, not even one to that very port.
fn port_of_its_own() -> anyhow::Result<std::net::SocketAddr> {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    // Programs that run beside each other begin at different ports.
    let begin = std::process::id().wrapping_mul(PORTS_APART) % u32::from(OWN_PORTS);
    let begin = u16::try_from(begin)?;
    for _ in 0..OWN_PORTS {
        let next = NEXT.fetch_add(1, Ordering::Relaxed).wrapping_add(begin);
        let address = ([127, 0, 0, 1], OWN_PORTS_FROM + next % OWN_PORTS).into();
        if std::net::TcpListener::bind(address).is_ok() {
            return Ok(address);
        }
    }
    anyhow::bail!("no port is free")
}

/// What serves a hub's data folder at an address; its page is at a port that is free.
pub fn serve_hub<'a>(data: &'a str, rpc: &'a str) -> [&'a str; 7] {
    [
        "serve",
        "--data",
        data,
        "--rpc",
        rpc,
        "--web",
        "127.0.0.1:0",
    ]
}

/// Copies a folder with everything in it.
///
/// # Errors
/// Where it cannot be read or written.
pub fn copy_folder(from: &Path, to: &Path) -> anyhow::Result<()> {
    std::fs::create_dir_all(to)?;
    for entry in std::fs::read_dir(from)? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy_folder(&entry.path(), &target)?;
        } else {
            std::fs::copy(entry.path(), target)?;
        }
    }
    Ok(())
}
