//! The workloads, product and floor in turn.

use std::path::{Path, PathBuf};

use anyhow::ensure;

use super::floor::near;
use super::meter::{Cost, size};
use super::stage::{Floor, Product, finish, part};
use super::{meter, stage};

/// Records of each node that comes back at once.
pub const CROWD_RECORDS: u64 = 200;

/// What one round of W1 and W5 cost.
#[derive(Debug, Clone, Copy)]
pub struct Big {
    /// A node sends all its records: the product, the floor, the floor with compressed batches.
    pub up: [Cost; 3],
    /// A fresh node fetches them: the product, the floor.
    pub down: [Cost; 2],
    /// Bytes on disk of the product's hub and node, and of the floor's hub.
    pub disk: [u64; 3],
}

/// The product with one node that has entered so many records, and where that node lies.
fn filled(folder: &Path, records: u64) -> anyhow::Result<(Product, PathBuf)> {
    let product = Product::found(folder, 1)?;
    let node = product.node(0)?;
    let (data, count) = (node.to_string_lossy().into_owned(), records.to_string());
    finish(part(&[
        "load",
        "fill",
        "--data",
        &data,
        "--records",
        &count,
    ])?)?;
    Ok((product, node))
}

/// W1 and W5: so many records up from one node, and down to a fresh one.
///
/// # Errors
/// Whatever does not work.
pub fn big(folder: &Path, records: u64) -> anyhow::Result<Big> {
    let (product, node) = filled(folder, records)?;
    let up = product.sync(&node)?;
    let fresh = product.enrol_another("fresh")?;
    let down = product.sync(&fresh)?;
    let log = folder.join("log.sqlite");
    near::fill(&log, 0..records, false)?;
    let mut floors = Vec::new();
    for (name, more) in [("plain", &[][..]), ("packed", &["--compress"][..])] {
        let floor = Floor::start(&product, &folder.join(format!("{name}.sqlite")))?;
        floors.push(floor.near(&[&["push"], more].concat(), &node, &log)?);
    }
    let ready = folder.join("ready.sqlite");
    near::fill(&ready, 0..records, true)?;
    let floor = Floor::start(&product, &ready)?;
    let fetched = floor.near(&["pull"], &node, &folder.join("fetched.sqlite"))?;
    let [plain, packed] = floors.as_slice() else {
        anyhow::bail!("two floors");
    };
    Ok(Big {
        up: [up, *plain, *packed],
        down: [down, fetched],
        disk: [
            size(Path::new(&product.city.hub_data))?,
            size(&node)?,
            std::fs::metadata(folder.join("plain.sqlite"))?.len(),
        ],
    })
}

/// W1 of the product alone.
///
/// # Errors
/// Whatever does not work.
pub fn up(folder: &Path, records: u64) -> anyhow::Result<Cost> {
    let (product, node) = filled(folder, records)?;
    product.sync(&node)
}

/// W3, W4 and W6: small things, so many times, at a node with so many records.
///
/// # Errors
/// Whatever does not work.
pub fn small(folder: &Path, records: u64, times: u64) -> anyhow::Result<serde_json::Value> {
    let (product, node) = filled(folder, records)?;
    let (data, count) = (node.to_string_lossy(), records.to_string());
    product.sync(&node)?;
    let second = product.enrol_another("second")?;
    product.sync(&second)?;
    let hub = product.city.rpc().to_string();
    let serve = second.to_string_lossy();
    let serve = [
        "serve",
        "--data",
        &serve,
        "--hub",
        &hub,
        "--web",
        "127.0.0.1:0",
    ];
    let log = folder.join("second.log");
    let _second = product.city.programs.serve("lianxin-node", &serve, &log)?;
    let log = folder.join("log.sqlite");
    near::fill(&log, 0..records, false)?;
    let database = folder.join("floor.sqlite");
    near::fill(&database, 0..records, false)?;
    let floor = Floor::start(&product, &database)?;
    let follower = folder.join("follower.sqlite");
    near::fill(&follower, 0..records, false)?;
    let (address, times) = (floor.address()?, times.to_string());
    let _follower = floor.follow(&product, &node, &follower)?;
    let second = lianxin_node::app::database_in(&second);
    let text = |path: &Path| path.to_string_lossy().into_owned();
    let args = [
        "small",
        "--node",
        &data,
        "--hub",
        &hub,
        "--second",
        &text(&second),
        "--floor",
        &address,
        "--floor-database",
        &text(&log),
        "--floor-second",
        &text(&follower),
        "--times",
        &times,
        "--records",
        &count,
    ];
    finish(part(&args)?)
}

/// What it cost when all offices came back at once.
#[derive(Debug, Clone, Copy)]
pub struct Crowd {
    /// How many came.
    pub nodes: usize,
    /// The product, the floor.
    pub costs: [Cost; 2],
    /// Sessions of the product's nodes that failed.
    pub failed: u64,
}

/// W2: every office of the city comes back at once with unsent changes, so many times.
///
/// # Errors
/// Whatever does not work.
pub fn crowd(folder: &Path, times: usize) -> anyhow::Result<Vec<Crowd>> {
    let product = Product::found(folder, 0)?;
    let nodes = folder.join("nodes");
    let count = product.enrol_all(&nodes)?;
    let all = nodes.to_string_lossy();
    let (hub, records) = (product.city.rpc().to_string(), CROWD_RECORDS.to_string());
    let mut rounds = Vec::new();
    for round in 0..times {
        let each = u64::try_from(count)? * CROWD_RECORDS;
        let from = (u64::try_from(round)? * each).to_string();
        finish(part(&[
            "load",
            "fill",
            "--folder",
            &all,
            "--from",
            &from,
            "--records",
            &records,
        ])?)?;
        let crowd = || part(&["load", "crowd", "--folder", &all, "--hub", &hub]);
        let (mut cost, said) = meter::run(product.hub()?, crowd)?;
        let said: serde_json::Value = serde_json::from_str(said.trim())?;
        let sent = said["sent"].as_u64();
        ensure!(sent == Some(each), "{sent:?} of {each} changes were sent");
        cost.seconds = said["seconds"].as_f64().unwrap_or(f64::NAN);
        let floor = floor_crowd(&product, folder, &nodes)?;
        rounds.push(Crowd {
            nodes: count,
            costs: [cost, floor],
            failed: said["failed"].as_u64().unwrap_or(u64::MAX),
        });
    }
    Ok(rounds)
}

fn floor_crowd(product: &Product, folder: &Path, nodes: &Path) -> anyhow::Result<Cost> {
    let entries: Vec<_> = std::fs::read_dir(nodes)?.collect::<Result<_, _>>()?;
    for (number, entry) in (0u64..).zip(&entries) {
        let log = entry.path().join(near::LOG);
        stage::remove_database(&log)?;
        let from = number * CROWD_RECORDS;
        near::fill(&log, from..from + CROWD_RECORDS, false)?;
    }
    let database = folder.join("floor.sqlite");
    stage::remove_database(&database)?;
    let floor = Floor::start(product, &database)?;
    let (hub, all) = (floor.address()?, nodes.to_string_lossy());
    let crowd = || part(&["near", "crowd", "--hub", &hub, "--folder", &all]);
    let (mut cost, said) = meter::run(floor.process(), crowd)?;
    let said: serde_json::Value = serde_json::from_str(said.trim())?;
    cost.seconds = said["seconds"].as_f64().unwrap_or(f64::NAN);
    Ok(cost)
}
