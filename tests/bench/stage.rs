//! A city of the shipped programs, a hub of the floor beside it, and nodes with records.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use anyhow::Context as _;

use super::floor::near;
use super::meter::{self, Cost};
use super::records;
use crate::generate::{city, organisations_csv};
use crate::harness::{City, Program, Programs};

/// Where a hub's keys lie in its data folder.
const KEYS: &str = "keys";
/// Offices of the city (`blueprint.md`).
const OFFICES: usize = 475;
/// The name of the hidden command that runs a part of the bench in a process of its own.
pub const PART: &str = "part";

/// A product's hub with offices that are not served.
pub struct Product {
    /// The city.
    pub city: City,
}

impl Product {
    /// Founds a city with so many offices (at most three).
    ///
    /// # Errors
    /// Whatever does not come up.
    pub fn found(folder: &Path, offices: usize) -> anyhow::Result<Self> {
        let mut city = City::found_by(Programs::build()?, folder, 0)?;
        for office in 0..offices {
            city.enrol_unserved(office)?;
        }
        Ok(Self { city })
    }

    /// The hub's process.
    ///
    /// # Errors
    /// Where it does not run.
    pub fn hub(&self) -> anyhow::Result<u32> {
        self.city.process(None)
    }

    /// A node's data folder.
    ///
    /// # Errors
    /// Where there is no such office.
    pub fn node(&self, office: usize) -> anyhow::Result<PathBuf> {
        Ok(PathBuf::from(&self.city.office(office)?.data))
    }

    /// Enrols one more machine of the first office.
    ///
    /// # Errors
    /// Where hub or node refuses.
    pub fn enrol_another(&self, name: &str) -> anyhow::Result<PathBuf> {
        let folder = self.city.folder.join(name);
        let data = folder.to_string_lossy();
        let office = self.city.office(0)?.code;
        let code = code(&self.city, office)?;
        self.city.machine(&data, &["init"])?.done()?;
        self.city.machine(&data, &["join", &code])?.done()?;
        Ok(folder)
    }

    /// Syncs a node by the shipped program; what it cost.
    ///
    /// # Errors
    /// Where it fails.
    pub fn sync(&self, data: &Path) -> anyhow::Result<Cost> {
        let data = data.to_string_lossy();
        let hub = self.city.rpc().to_string();
        let args = ["sync", "--data", &data, "--hub", &hub, "--json"];
        let start = || {
            let mut command = self.city.programs.command(0, "lianxin-node", &args);
            Ok(command.stdout(Stdio::piped()).spawn()?)
        };
        Ok(meter::run(self.hub()?, start)?.0)
    }

    /// Enrols a node of its own for each office of the invented city.
    ///
    /// # Errors
    /// Where hub or a node refuses.
    pub fn enrol_all(&self, folder: &Path) -> anyhow::Result<usize> {
        let file = self.city.folder.join("all.csv");
        let all = city(records::SEED, OFFICES);
        organisations_csv(&file, &all)?;
        let name = file.to_string_lossy();
        self.city.hub(&["org", "import", &name])?.done()?;
        let mut codes = String::new();
        let mut count = 0;
        for office in all.offices() {
            codes.push_str(&code(&self.city, &office.code)?);
            codes.push('\n');
            count += 1;
        }
        let file = self.city.folder.join("codes.txt");
        std::fs::write(&file, codes)?;
        let (folder, file) = (folder.to_string_lossy(), file.to_string_lossy());
        finish(part(&[
            "load", "join", "--folder", &folder, "--codes", &file,
        ])?)?;
        Ok(count)
    }
}

fn code(city: &City, office: &str) -> anyhow::Result<String> {
    let address = city.rpc().to_string();
    let reply = city.hub(&["code", office, "--address", &address])?.done()?;
    let reply = reply.json();
    Ok(reply["code"]
        .as_str()
        .context("no code in the answer")?
        .to_owned())
}

/// A hub of the floor.
pub struct Floor {
    program: Program,
}

impl Floor {
    /// Starts one with the certificates of a product's hub.
    ///
    /// # Errors
    /// Where it does not come up.
    pub fn start(product: &Product, database: &Path) -> anyhow::Result<Self> {
        let own = std::env::current_exe()?;
        let name = own.file_name().context("this program has a name")?;
        let database = database.to_string_lossy();
        let keys = Path::new(&product.city.hub_data).join(KEYS);
        let keys = keys.to_string_lossy();
        let args = [PART, "floor-hub", "--keys", &keys, "--database", &database];
        let log = product.city.folder.join("floor.log");
        // It lies beside the programs.
        let programs = &product.city.programs;
        let program = programs.serve(&name.to_string_lossy(), &args, &log)?;
        Ok(Self { program })
    }

    /// Its process.
    pub fn process(&self) -> u32 {
        self.program.process()
    }

    /// Where it listens.
    ///
    /// # Errors
    /// Where it did not say.
    pub fn address(&self) -> anyhow::Result<String> {
        Ok(self.program.address("rpc")?.to_string())
    }

    /// Starts a client that follows; ended when dropped.
    ///
    /// # Errors
    /// Where it does not come up.
    pub fn follow(
        &self,
        product: &Product,
        node: &Path,
        database: &Path,
    ) -> anyhow::Result<Program> {
        let own = std::env::current_exe()?;
        let name = own.file_name().context("this program has a name")?;
        let (keys, database) = (node.join(near::KEYS), database.to_string_lossy());
        let (keys, hub) = (keys.to_string_lossy(), self.address()?);
        let args = [
            PART,
            "near",
            "follow",
            "--keys",
            &keys,
            "--hub",
            &hub,
            "--database",
            &database,
        ];
        let log = product.city.folder.join("follow.log");
        product
            .city
            .programs
            .serve(&name.to_string_lossy(), &args, &log)
    }

    /// Runs one of its clients with the keys of a node; what it cost.
    ///
    /// # Errors
    /// Where it fails.
    pub fn near(&self, what: &[&str], node: &Path, database: &Path) -> anyhow::Result<Cost> {
        let (keys, database) = (node.join(near::KEYS), database.to_string_lossy());
        let (keys, hub) = (keys.to_string_lossy(), self.address()?);
        let (first, rest) = what.split_first().context("what it does")?;
        let own = ["--keys", &keys, "--hub", &hub, "--database", &database];
        let args = [&["near", first], &own[..], rest].concat();
        Ok(meter::run(self.process(), || part(&args))?.0)
    }
}

/// Starts a part of the bench in a process of its own.
///
/// # Errors
/// Where it cannot be started.
pub fn part(args: &[&str]) -> anyhow::Result<Child> {
    let mut command = Command::new(std::env::current_exe()?);
    command.arg(PART).args(args).stdin(Stdio::null());
    Ok(command.stdout(Stdio::piped()).spawn()?)
}

/// Waits for one; what it said.
///
/// # Errors
/// Where it fails.
pub fn finish(child: Child) -> anyhow::Result<serde_json::Value> {
    let output = child.wait_with_output()?;
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    anyhow::ensure!(output.status.success(), "it failed: {said}");
    Ok(serde_json::from_str(said.trim()).unwrap_or_default())
}

/// Removes a database with what lies beside it.
///
/// # Errors
/// Where it cannot be removed.
pub fn remove_database(database: &Path) -> anyhow::Result<()> {
    for ending in ["", "-wal", "-shm"] {
        let mut name = database.as_os_str().to_owned();
        name.push(ending);
        match std::fs::remove_file(&name) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error.into()),
            _ => {}
        }
    }
    Ok(())
}
