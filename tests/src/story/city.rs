//! The city of the story: one hub, three offices, a line to each.

use std::path::{Path, PathBuf};

use anyhow::Context as _;

use super::{chapter, tell};
use crate::harness::{Line, Program, Programs, Reply, wait_for};

/// The offices: code and name, all invented.
const OFFICES: [(&str, &str); 3] = [
    ("350102001001", "东湖社区"),
    ("350102001002", "西苑社区"),
    ("350102001003", "南桥社区"),
];

/// The street above them, whose committee may admit members.
pub(crate) const STREET: &str = "350102001";

const ORGANISATIONS: &str = "编码,名称,简称,类型,上级编码,是否社区,可审批预备党员
350102,中共示范区委员会,示范区,党委,,否,是
350102001,中共示范街道工作委员会,示范街道,党工委,350102,否,是
350102001001,中共东湖社区委员会,东湖社区,党委,350102001,是,否
350102001002,中共西苑社区委员会,西苑社区,党委,350102001,是,否
350102001003,中共南桥社区委员会,南桥社区,党委,350102001,是,否
";

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
    web: std::net::SocketAddr,
    _serving: Program,
}

/// A hub and its offices, up until dropped.
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
    hub: Program,
}

impl City {
    /// Builds the programs, starts the hub, enrols and starts the offices.
    ///
    /// # Errors
    /// Whatever does not come up.
    pub fn found(folder: &Path) -> anyhow::Result<Self> {
        chapter("A city is founded");
        let programs = Programs::build()?;
        std::fs::create_dir_all(folder)?;
        let hub_data = folder.join("hub").to_string_lossy().into_owned();
        let log = folder.join("hub.log");
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
        let serve = [
            "serve",
            "--data",
            &hub_data,
            "--rpc",
            "127.0.0.1:0",
            "--web",
            "127.0.0.1:0",
        ];
        let hub = programs.serve("lianxin-hub", &serve, &log)?;
        tell(&format!(
            "hub: up, its page at http://{}/",
            hub.address("web")?
        ));
        let rpc = hub.address("rpc")?;
        let mut city = Self {
            programs,
            folder: folder.to_path_buf(),
            hub_data,
            offices: Vec::new(),
            hub,
        };
        for (code, name) in OFFICES {
            let office = city.enrol(code, name, rpc)?;
            tell(&format!(
                "{name}: enrolled, its page at http://{}/",
                office.web
            ));
            city.offices.push(office);
        }
        Ok(city)
    }

    fn enrol(
        &self,
        code: &'static str,
        name: &'static str,
        rpc: std::net::SocketAddr,
    ) -> anyhow::Result<Office> {
        let line = Line::to(rpc)?;
        let data = self.folder.join(code).to_string_lossy().into_owned();
        self.hub(&["office", "add", code, name])?.done()?;
        let address = line.address().to_string();
        let reply = self.hub(&["code", code, "--address", &address])?.done()?;
        let secret = reply.json();
        let secret = secret["code"]
            .as_str()
            .context("no code in the answer")?
            .to_owned();
        self.programs
            .run("lianxin-node", &["init", "--data", &data])?
            .done()?;
        self.programs
            .run("lianxin-node", &["join", &secret, "--data", &data])?
            .done()?;
        let log = self.folder.join(format!("{code}.log"));
        let serve = ["serve", "--data", &data, "--web", "127.0.0.1:0"];
        let serving = self.programs.serve("lianxin-node", &serve, &log)?;
        let web = serving.address("web")?;
        Ok(Office {
            code,
            name,
            data,
            line,
            web,
            _serving: serving,
        })
    }

    /// Runs a command of the hub, with its data folder and `--json`.
    ///
    /// # Errors
    /// Where the program cannot be started.
    pub fn hub(&self, args: &[&str]) -> anyhow::Result<Reply> {
        let mut all = args.to_vec();
        all.extend(["--data", &self.hub_data, "--json"]);
        self.programs.run("lianxin-hub", &all)
    }

    /// Runs a command of an office's node, with its data folder and `--json`.
    ///
    /// # Errors
    /// Where the program cannot be started.
    pub fn node(&self, office: usize, args: &[&str]) -> anyhow::Result<Reply> {
        let office = self.office(office)?;
        let mut all = args.to_vec();
        all.extend(["--data", &office.data, "--json"]);
        self.programs.run("lianxin-node", &all)
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
        wait_for("nothing waits at the office", 60, || {
            let status = self.node(office, &["status"])?.done()?.json();
            Ok((status["waiting"].as_u64() == Some(0)).then_some(()))
        })
    }

    /// Node and hub prove that they hold the same.
    ///
    /// # Errors
    /// Where one of them does not agree with itself or with the other.
    pub fn prove_equality(&self) -> anyhow::Result<()> {
        chapter("Node and hub prove that they are equal");
        for place in 0..self.offices.len() {
            self.settle_down(place)?;
            let name = self.office(place)?.name;
            let certificates = wait_for("an equality certificate", 30, || {
                let status = self.node(place, &["status"])?.done()?.json();
                let certificates = status["certificates"]
                    .as_array()
                    .cloned()
                    .unwrap_or_default();
                Ok((certificates.len() >= 2).then_some(certificates))
            })?;
            for certificate in certificates {
                tell(&format!(
                    "{name}: feed {} holds the same {} records at place {} as the hub, digest {}…, signed by both",
                    certificate["feed"].as_str().unwrap_or("?"),
                    certificate["count"],
                    certificate["sequence"],
                    certificate["sum"]
                        .as_str()
                        .unwrap_or("?")
                        .get(..16)
                        .unwrap_or("?"),
                ));
            }
            self.node(place, &["verify"])?.done()?;
        }
        self.hub(&["verify"])?.done()?;
        tell("hub: verified; every living member is held by exactly one office");
        Ok(())
    }

    /// Where the hub's page is.
    ///
    /// # Errors
    /// Where it has none.
    pub fn hub_page(&self) -> anyhow::Result<std::net::SocketAddr> {
        self.hub.address("web")
    }
}
