//! Small things, thousands of times: one field until it is durable, a look that finds nothing new, one save. One
//! process holds a line of the product and a line of the floor, and takes turns.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use lianxin_node::app::App;
use lianxin_node::line::Line;
use lianxin_node::sync::{self, Session};
use proto::wire::sync as wire;
use proto::wire::sync::sync_client::SyncClient;
use rusqlite::Connection;
use serde_json::json;

use super::floor::{self, near};
use super::{load, meter, records};

/// How long a second node may take.
const SEEN_WITHIN: Duration = Duration::from_secs(10);

/// Who speaks with whom.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The node's data folder, with records.
    #[arg(long)]
    node: PathBuf,
    /// Where the product's hub is.
    #[arg(long)]
    hub: String,
    /// The database of a node that is served and follows; of the same office.
    #[arg(long)]
    second: PathBuf,
    /// Where the floor's hub is.
    #[arg(long)]
    floor: String,
    /// A log of the floor's with the same records.
    #[arg(long)]
    floor_database: PathBuf,
    /// The database of a client of the floor's that follows.
    #[arg(long)]
    floor_second: PathBuf,
    /// How often.
    #[arg(long)]
    times: u64,
    /// How many records there are.
    #[arg(long)]
    records: u64,
}

/// One measured thing: seconds and bytes each time.
#[derive(Default)]
struct Measured {
    seconds: Vec<f64>,
    bytes: Vec<f64>,
}

impl Measured {
    async fn time<T>(
        &mut self,
        work: impl Future<Output = anyhow::Result<T>>,
    ) -> anyhow::Result<T> {
        let (carried, began) = (meter::carried()?, Instant::now());
        let done = work.await?;
        self.seconds.push(began.elapsed().as_secs_f64());
        self.bytes.push(meter::carried()? - carried);
        Ok(done)
    }

    fn json(&self) -> serde_json::Value {
        let middle = |figures: &[f64]| meter::median(figures.iter().copied());
        json!({"seconds": middle(&self.seconds), "bytes": middle(&self.bytes)})
    }
}

/// Product and floor of one thing.
#[derive(Default)]
struct Pair {
    product: Measured,
    floor: Measured,
}

impl Pair {
    fn json(&self) -> serde_json::Value {
        json!({"product": self.product.json(), "floor": self.floor.json()})
    }
}

/// Measures; says the medians as JSON.
///
/// # Errors
/// The line's and the store's own.
pub fn run(args: &Args) -> anyhow::Result<()> {
    tokio::runtime::Runtime::new()?.block_on(measure(args))
}

async fn measure(args: &Args) -> anyhow::Result<()> {
    let mut app = App::open(&args.node)?;
    app.hub_addresses = vec![args.hub.clone()];
    let keys = args.node.join(near::KEYS);
    sync::once(&app).await?;
    let mut session = Session::open(&app).await?;
    session.exchange().await?;
    let mut client = near::connect(&keys, &args.floor).await?;
    let mut log = floor::open(&args.floor_database)?;
    let (mut save, mut quiet, mut quiet_fresh) =
        (Pair::default(), Pair::default(), Pair::default());
    let (mut one, mut one_fresh, mut second) = (Pair::default(), Pair::default(), Pair::default());
    for turn in 0..args.times {
        let index = turn * 7 % args.records.max(1);
        // W6
        let value = format!("改{turn}");
        save.product
            .time(load::change_one(&app, index, value))
            .await?;
        let change = || records::change(records::SEED, index);
        let changed = change()?;
        save.floor
            .time(async { floor::take(&mut log, std::slice::from_ref(&changed)) })
            .await?;
        // W4, over an open line
        one.product.time(send(&mut session)).await?;
        one.floor.time(push_one(&mut client, change()?)).await?;
        // W3, over an open line: what it has to do, it has done now.
        session.exchange().await?;
        quiet.product.time(session.exchange()).await?;
        quiet.floor.time(look(&mut client)).await?;
        // W4, at a second node
        load::change_one(&app, index, format!("再{turn}")).await?;
        let watched = Watched::new(&args.second, PRODUCT_HAS, index)?;
        let both = async {
            send(&mut session).await?;
            watched.wait().await
        };
        second.product.time(both).await?;
        let watched = Watched::new(&args.floor_second, FLOOR_HAS, index)?;
        let both = async {
            push_one(&mut client, change()?).await?;
            watched.wait().await
        };
        second.floor.time(both).await?;
        if turn % 8 == 0 {
            // W3 and W4, over a fresh line
            session.exchange().await?;
            quiet_fresh.product.time(sync::once(&app)).await?;
            let fresh = async { look(&mut near::connect(&keys, &args.floor).await?).await };
            quiet_fresh.floor.time(fresh).await?;
            load::change_one(&app, index, format!("新{turn}")).await?;
            one_fresh.product.time(sync::once(&app)).await?;
            let fresh =
                async { push_one(&mut near::connect(&keys, &args.floor).await?, change()?).await };
            one_fresh.floor.time(fresh).await?;
            session = Session::open(&app).await?;
            session.exchange().await?;
        }
    }
    let all = json!({
        "save": save.json(),
        "quiet": quiet.json(),
        "quiet_fresh": quiet_fresh.json(),
        "one": one.json(),
        "one_fresh": one_fresh.json(),
        "second": second.json(),
    });
    console::answer::answer(true, &all);
    Ok(())
}

async fn send(session: &mut Session) -> anyhow::Result<()> {
    let is_all = session.send().await?;
    ensure!(is_all, "a plain change needs no reading");
    Ok(())
}

async fn push_one(client: &mut SyncClient<Line>, change: wire::Change) -> anyhow::Result<()> {
    let (batch, raw_bytes) = floor::pack(vec![change], false)?;
    let request = wire::PushRequest {
        count: 1,
        raw_bytes,
        batch: batch.into(),
        ..wire::PushRequest::default()
    };
    client.push(request).await?;
    Ok(())
}

/// A question and an answer that say nothing.
async fn look(client: &mut SyncClient<Line>) -> anyhow::Result<()> {
    client.hello(wire::HelloRequest::default()).await?;
    Ok(())
}

/// A value that another process is about to write into its database.
struct Watched<'a> {
    connection: Connection,
    ask: &'a str,
    record: [u8; 16],
    before: Vec<u8>,
}

impl<'a> Watched<'a> {
    fn new(database: &Path, ask: &'a str, index: u64) -> anyhow::Result<Self> {
        let mut watched = Self {
            connection: Connection::open(database)?,
            ask,
            record: records::id(index).bytes(),
            before: Vec::new(),
        };
        watched.before = watched.now()?;
        Ok(watched)
    }

    fn now(&self) -> anyhow::Result<Vec<u8>> {
        let mut ask = self.connection.prepare_cached(self.ask)?;
        Ok(ask.query_row([self.record], |row| row.get(0))?)
    }

    async fn wait(&self) -> anyhow::Result<()> {
        let end = Instant::now() + SEEN_WITHIN;
        while self.now()? == self.before {
            ensure!(Instant::now() < end, "the second node does not hear of it");
            tokio::time::sleep(ASK_AGAIN).await;
        }
        Ok(())
    }
}

/// How often a second node's database is asked.
const ASK_AGAIN: Duration = Duration::from_micros(50);
/// What it is asked: at the product's, and at the floor's.
const PRODUCT_HAS: &str = "SELECT CAST(remarks AS BLOB) FROM person WHERE id = ?1";
const FLOOR_HAS: &str = "SELECT CAST(count(*) AS BLOB) FROM log WHERE ?1 IS NOT NULL";

/// Reads what [`run`] said.
///
/// # Errors
/// Where it is not there.
pub fn figure(
    said: &serde_json::Value,
    what: &str,
    whose: &str,
    unit: &str,
) -> anyhow::Result<f64> {
    let figure = said[what][whose][unit].as_f64();
    figure.with_context(|| format!("no {what} {whose} {unit} in {said}"))
}
