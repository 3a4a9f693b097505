//! `cargo bench-city`: how fast the shipped programs are, beside a bare program that does the same input and output
//! in the same run. Only ratios count: machines differ, and drift.
//!
//! - [`records`]: what every workload carries.
//! - [`floor`]: the bare program.
//! - [`load`]: what drives the product.
//! - [`stage`]: a city, a hub of the floor, nodes.
//! - [`meter`]: time, CPU, memory, bytes on the wire.
//! - [`rounds`], [`small`]: the workloads.
//! - [`table`]: what is printed.

pub mod floor;
pub mod load;
pub mod meter;
pub mod records;
pub mod rounds;
pub mod small;
pub mod stage;
pub mod table;

use std::io::Write as _;
use std::path::PathBuf;

use anyhow::Context as _;
use meter::{Cost, median};
use rounds::{Big, Crowd};
use serde_json::Value;
use table::{Goal, Row, Table};

/// Measures the shipped programs beside the bare floor.
#[derive(Debug, clap::Args)]
#[group(skip)]
pub struct Args {
    /// Fewer rounds of smaller workloads (about three minutes).
    #[arg(long, conflicts_with = "full")]
    quick: bool,
    /// Up to five million records.
    #[arg(long)]
    full: bool,
    /// Prints JSON instead of a table.
    #[arg(long)]
    json: bool,
    /// Draws the ratios into a file, too (SVG).
    #[arg(long)]
    svg: Option<PathBuf>,
    /// Only these workloads (w1 with w5, w2, small, w7).
    #[arg(long, value_delimiter = ',')]
    only: Vec<String>,
    /// Where the databases lie while it runs: on the disk that is meant.
    #[arg(long)]
    folder: Option<PathBuf>,
}

/// What of the bench runs in a process of its own.
#[derive(Debug, clap::Subcommand)]
pub enum Part {
    /// The product's load.
    #[command(subcommand)]
    Load(load::Load),
    /// The floor's hub.
    FloorHub(floor::hub::Args),
    /// The floor's clients.
    #[command(subcommand)]
    Near(floor::near::Near),
    /// Small things in turn.
    Small(small::Args),
}

impl Part {
    /// Does it.
    ///
    /// # Errors
    /// Whatever does not work.
    pub fn run(&self) -> anyhow::Result<()> {
        match self {
            Self::Load(load) => load::run(load),
            Self::FloorHub(args) => floor::hub::serve(args),
            Self::Near(near) => floor::near::run(near),
            Self::Small(args) => small::run(args),
        }
    }
}

/// How much is measured.
struct Extent {
    records: u64,
    rounds: usize,
    small_times: u64,
    sizes: &'static [u64],
}

const QUICK: Extent = Extent {
    records: 30_000,
    rounds: 3,
    small_times: 100,
    sizes: &[],
};
const USUAL: Extent = Extent {
    records: 100_000,
    rounds: 3,
    small_times: 400,
    sizes: &[10_000],
};
const FULL: Extent = Extent {
    records: 100_000,
    rounds: 5,
    small_times: 1_000,
    sizes: &[10_000, 1_000_000, 5_000_000],
};

/// Measures and prints; whether every goal that stands in the table was reached.
///
/// # Errors
/// Whatever does not work.
pub fn run(args: &Args) -> anyhow::Result<bool> {
    let extent = match (args.quick, args.full) {
        (true, _) => QUICK,
        (_, true) => FULL,
        _ => USUAL,
    };
    let is_wanted = |name: &str| args.only.is_empty() || args.only.iter().any(|only| only == name);
    let mut builder = tempfile::Builder::new();
    builder.prefix("lianxin-bench-");
    let new_folder = || match &args.folder {
        Some(folder) => builder.tempdir_in(folder),
        None => builder.tempdir(),
    };
    let mut table = Table::new(extent.records);
    let mut bigs: Vec<Big> = Vec::new();
    if is_wanted("w1") {
        for round in 1..=extent.rounds {
            note(&format!("W1 and W5: round {round} of {}", extent.rounds));
            bigs.push(rounds::big(new_folder()?.path(), extent.records)?);
        }
        tell_big(&mut table, extent.records, &bigs);
    }
    if is_wanted("w2") {
        note("W2: all offices come back at once");
        let crowds = rounds::crowd(new_folder()?.path(), extent.rounds)?;
        tell_crowd(&mut table, &crowds)?;
    }
    if is_wanted("small") {
        note("W3, W4, W6: small things in turn");
        let said = rounds::small(new_folder()?.path(), extent.records, extent.small_times)?;
        tell_small(&mut table, &said)?;
        let fewer = rounds::small(
            new_folder()?.path(),
            extent.records / 100,
            extent.small_times,
        )?;
        let at = |said| small::figure(said, "quiet", "product", "seconds");
        table.add(
            Row::new(
                "W3 open, many records beside a hundredth of them",
                "ms",
                at(&said)? * 1e3,
                at(&fewer)? * 1e3,
            )
            .at_most(1.1),
        );
    }
    if is_wanted("w7") && !bigs.is_empty() {
        let usual = median(bigs.iter().map(|big| big.up[0].seconds)) / float(extent.records);
        for records in extent.sizes {
            note(&format!("W7: {records} records"));
            let cost = rounds::up(new_folder()?.path(), *records)?;
            let each = cost.seconds / float(*records) * 1e6;
            let what = format!("W7 a record of {records} beside one of {}", extent.records);
            table.add(Row::new(&what, "µs", each, usual * 1e6).at_most(1.2));
        }
    }
    if let Some(svg) = &args.svg {
        std::fs::write(svg, table.svg()).with_context(|| format!("{}", svg.display()))?;
    }
    let said = if args.json {
        table.json().to_string()
    } else {
        table.text()
    };
    writeln!(std::io::stdout(), "{said}")?;
    Ok(table.is_met())
}

/// Shows how far it is.
fn note(text: &str) {
    console::answer::note(&format!("… {text}"));
}

#[allow(clippy::cast_precision_loss, reason = "a count for a ratio")]
const fn float(count: u64) -> f64 {
    count as f64
}

fn tell_big(table: &mut Table, records: u64, bigs: &[Big]) {
    let each = float(records);
    let of = |figure: &dyn Fn(&Big) -> f64| median(bigs.iter().map(figure));
    let rate = |cost: &Cost| each / cost.seconds;
    table.add(
        Row::new(
            "W1 first sync of a node",
            "records/s",
            of(&|big| rate(&big.up[0])),
            of(&|big| rate(&big.up[1])),
        )
        .at_least(0.6),
    );
    table.add(
        Row::new(
            "W1 bytes, beside zstd 1 of the bare batches",
            "bytes/record",
            of(&|big| big.up[0].bytes / each),
            of(&|big| big.up[2].bytes / each),
        )
        .at_most(1.15),
    );
    let micros = 1e6 / each;
    for (what, place) in [("hub", true), ("node", false)] {
        let cpu = |cost: &Cost| micros * if place { cost.hub_cpu } else { cost.near_cpu };
        let name = format!("W1 CPU of the {what}");
        let figures = (of(&|big| cpu(&big.up[0])), of(&|big| cpu(&big.up[1])));
        table.add(Row::new(&name, "µs/record", figures.0, figures.1));
    }
    let mib = (of(&|big| big.up[0].near_mib), of(&|big| big.up[1].near_mib));
    table.add(Row::new("W1 memory of the node", "MiB", mib.0, mib.1).bound(64.0));
    table.add(
        Row::new(
            "W5 a fresh node fetches all",
            "records/s",
            of(&|big| rate(&big.down[0])),
            of(&|big| rate(&big.down[1])),
        )
        .at_least(0.6),
    );
    table.add(
        Row::new(
            "W5 CPU of the hub",
            "s",
            of(&|big| big.down[0].hub_cpu),
            of(&|big| big.down[1].hub_cpu),
        )
        .bound(0.1),
    );
    table.add(
        Row::new(
            "W5 bytes",
            "bytes/record",
            of(&|big| big.down[0].bytes / each),
            of(&|big| big.down[1].bytes / each),
        )
        .at_most(1.15),
    );
    for (what, place) in [("hub", 0), ("node", 1)] {
        let own = of(&|big| float(big.disk[place]) / each);
        let floor = of(&|big| float(big.disk[2]) / each);
        let name = format!("disk of the {what}, beside the floor's rows and log");
        table.add(Row::new(&name, "bytes/record", own, floor));
    }
}

fn tell_crowd(table: &mut Table, crowds: &[Crowd]) -> anyhow::Result<()> {
    let of = |place: usize, figure: &dyn Fn(&Cost) -> f64| {
        median(
            crowds
                .iter()
                .filter_map(|crowd| crowd.costs.get(place).map(figure)),
        )
    };
    let nodes = crowds.first().context("a round")?.nodes;
    let what = format!(
        "W2 {nodes} nodes come back, {} changes each",
        rounds::CROWD_RECORDS
    );
    let seconds = |place| of(place, &|cost| cost.seconds);
    table.add(Row::new(&what, "s", seconds(0), seconds(1)).at_most(1.7));
    let failed = median(crowds.iter().map(|crowd| float(crowd.failed)));
    table.add(Row::new("W2 sessions that failed", "", failed, 0.0).bound(0.0));
    let mib = |place| of(place, &|cost| cost.hub_mib);
    table.add(Row::new("W2 memory of the hub", "MiB", mib(0), mib(1)).bound(150.0));
    Ok(())
}

fn tell_small(table: &mut Table, said: &Value) -> anyhow::Result<()> {
    let pair = |what: &str, floor: &str, unit: &str, scale: f64| -> anyhow::Result<(f64, f64)> {
        let own = small::figure(said, what, "product", unit)?;
        Ok((
            own * scale,
            small::figure(said, floor, "floor", unit)? * scale,
        ))
    };
    let most = |factor| Some(Goal::AtMost(factor));
    for (name, what, floor, unit, goal) in [
        (
            "W3 nothing new, open line",
            "quiet",
            "quiet",
            "seconds",
            most(2.0),
        ),
        (
            "W3 nothing new, open line",
            "quiet",
            "quiet",
            "bytes",
            most(2.5),
        ),
        (
            "W3 nothing new, fresh line",
            "quiet_fresh",
            "quiet_fresh",
            "seconds",
            most(3.0),
        ),
        (
            "W3 nothing new, fresh line",
            "quiet_fresh",
            "quiet_fresh",
            "bytes",
            Some(Goal::Bound(3_000.0)),
        ),
        (
            "W4 one field durable at the hub, open line",
            "one",
            "one",
            "seconds",
            most(2.0),
        ),
        (
            "W4 one field durable at the hub, open line",
            "one",
            "one",
            "bytes",
            Some(Goal::Bound(412.0)),
        ),
        (
            "W4 one field durable at the hub, fresh line",
            "one_fresh",
            "one_fresh",
            "seconds",
            None,
        ),
        (
            "W4 one field durable at a second node",
            "second",
            "one",
            "seconds",
            most(4.0),
        ),
        ("W6 one save durable", "save", "save", "seconds", most(2.0)),
    ] {
        let (unit_shown, scale) = if unit == "seconds" {
            ("ms", 1e3)
        } else {
            ("bytes", 1.0)
        };
        let (own, bare) = pair(what, floor, unit, scale)?;
        let mut row = Row::new(name, unit_shown, own, bare);
        row.goal = goal;
        table.add(row);
    }
    Ok(())
}
