//! A crash at every access to a disk: named scenarios, each carried out once while everything that it
//! writes is noted; then the power fails at each of these accesses, in several ways.

mod finish;
mod images;
mod live;
mod lost;
mod many;
mod script;
mod stage;
mod states;
mod table;

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::Context as _;

use crate::simulation::virtual_time;
use images::Sweep;
use stage::Stage;
use table::Scenario;

pub use many::{run, run_named};

/// What is wanted.
#[derive(Debug, Clone, clap::Args)]
pub struct Args {
    /// Only scenarios whose name begins so.
    #[arg(long)]
    pub scenario: Option<String>,
    /// Only the crashes at this access of the scenario.
    #[arg(long, requires = "scenario")]
    pub at: Option<usize>,
    /// How many images at each access, four at least.
    #[arg(long, default_value_t = 8)]
    pub images: u64,
    /// At most so many accesses of a scenario, drawn evenly.
    #[arg(long, default_value_t = 1200)]
    pub places: usize,
    /// At how many accesses of each machine its disk is full or fails.
    #[arg(long, default_value_t = 6)]
    pub faults: u64,
    /// Every so-manieth image is brought to its end: done again, synced, audited.
    #[arg(long, default_value_t = 24)]
    pub finish_each: u64,
    /// Does as if syncs of write-ahead logs brought nothing, as with `synchronous=NORMAL`: violations
    /// must be found.
    #[arg(long)]
    pub forgets_syncs: bool,
    /// How many processes; 0 for as many as there are cores.
    #[arg(long, default_value_t = 1)]
    pub jobs: usize,
    /// Which of that many processes this one is.
    #[arg(long, hide = true)]
    pub job: Option<usize>,
    /// Says which scenarios there are.
    #[arg(long)]
    pub list: bool,
    /// Writes what came of it into the ledger of proof.
    #[arg(long)]
    pub ledger: bool,
}

/// How a scenario is swept.
#[derive(Debug, Clone)]
pub(crate) struct Wanted {
    seed: u64,
    at: Option<usize>,
    images: u64,
    places: usize,
    faults: u64,
    finish_each: u64,
    forgets_syncs: bool,
}

/// What was met.
#[derive(Debug, Clone, Default)]
pub struct Met(pub BTreeMap<String, u64>);

impl Met {
    fn count(&mut self, what: &str, times: u64) {
        match self.0.get_mut(what) {
            Some(sum) => *sum += times,
            None if times > 0 => {
                self.0.insert(what.to_owned(), times);
            }
            None => {}
        }
    }
}

/// Sweeps one scenario.
///
/// # Errors
/// What does not hold.
fn sweep(scenario: &Scenario, wanted: &Wanted, met: &mut Met) -> anyhow::Result<()> {
    let folder = virtual_time::folder("lianxin-sweep-")?;
    virtual_time::watched(sweep_in(folder.path(), scenario, wanted, met))
}

async fn sweep_in(
    root: &Path,
    scenario: &Scenario,
    wanted: &Wanted,
    met: &mut Met,
) -> anyhow::Result<()> {
    let mut stage = Stage::set(scenario, root, wanted.seed).await?;
    let mut sweep = Sweep::begin(&mut stage, wanted, met).await?;
    sweep
        .kill_everywhere()
        .await
        .with_context(|| format!("killed\n  cargo sim sweep --scenario '{}'", scenario.name))?;
    sweep.cut_everywhere().await?;
    if wanted.at.is_none() {
        sweep.fail_everywhere().await?;
        sweep.lose_logs().await?;
    }
    let states = sweep.states();
    let accesses = sweep.recording.log.accesses.len() as u64;
    met.count("states that databases were in", states);
    met.count("accesses swept", accesses);
    Ok(())
}
