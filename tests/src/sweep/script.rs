//! What is done in a scenario, line by line, as people type it.
//!
//! A line says where and what: `0 add person name=甲 remarks=%` is a command line at the first office,
//! `desk …` at the hub's. `%` stands for words that stand nowhere else, `$x` for what an earlier line
//! `x: …` answered as its id, `{1}` for the code of an office and `{1b}` for its branch. `x8 …` does it
//! eight times, `?` before a line says that it may be refused.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context as _, bail};
use serde_json::Value;

use crate::simulation::chance::Chance;
use crate::simulation::city::{Backup, City, branch_of, code_of};
use crate::simulation::disk::log;
use crate::simulation::oracle::{self, AtHub, Ledger};

/// Within so many rounds everything comes together.
const ROUNDS_MAX: usize = 50;

/// What somebody who works through a script knows.
#[derive(Debug, Clone, Default)]
pub(super) struct Memory {
    /// Ids by the names that lines gave them.
    ids: BTreeMap<String, String>,
    /// How many words were drawn.
    drawn: u64,
    /// What people were told.
    pub(super) ledger: Ledger,
    /// A backup of the hub, and the words that it holds.
    backup: Option<(Backup, Vec<String>)>,
    /// What the hub had before it was put back.
    before: Option<AtHub>,
    /// Where tables lie that are imported.
    pub(super) tables: PathBuf,
}

/// A line that was carried out.
#[derive(Debug, Clone)]
pub(super) struct Ran {
    /// Which of the script.
    pub(super) line: usize,
    /// How many accesses to disks there were before it.
    pub(super) from: usize,
    /// And after it.
    pub(super) to: usize,
    /// What was known before it.
    pub(super) before: Memory,
    /// Whether it was done.
    pub(super) is_done: bool,
}

/// The lines of a script, those that are done several times as often as they are.
pub(super) fn lines_of(script: &str) -> Vec<String> {
    let mut lines = Vec::new();
    for line in script
        .lines()
        .map(str::trim)
        .filter(|line| !line.is_empty())
    {
        let times = line.strip_prefix('x').and_then(|rest| rest.split_once(' '));
        let times = times.and_then(|(times, rest)| Some((times.parse::<usize>().ok()?, rest)));
        let (times, line) = times.unwrap_or((1, line));
        lines.extend(std::iter::repeat_n(line.to_owned(), times));
    }
    lines
}

impl Memory {
    /// Somebody who knows where tables lie, and nothing else.
    pub(super) fn with_tables(tables: PathBuf) -> Self {
        Self {
            tables,
            ..Self::default()
        }
    }

    /// Whether the hub was never put back.
    pub(super) fn is_simple(&self) -> bool {
        self.before.is_none()
    }

    /// Words that are drawn from now on stand nowhere yet, however much was forgotten in between.
    pub(super) fn draw_from(&mut self, number: u64) {
        self.drawn = number;
    }
}

/// Carries lines out, from the `from`th; each with what was known before it.
///
/// # Errors
/// A line that must not fail and does, where `is_strict`.
pub(super) async fn run(
    city: &mut City,
    memory: &mut Memory,
    (lines, from): (&[String], usize),
    is_strict: bool,
) -> anyhow::Result<Vec<Ran>> {
    let mut ran = Vec::new();
    for (number, line) in lines.iter().enumerate().skip(from) {
        let (begin, before) = (log::position(), memory.clone());
        let (line, may_fail) = match line.strip_prefix("? ") {
            Some(rest) => (rest, true),
            None => (line.as_str(), false),
        };
        let done = carry_out(city, memory, line).await;
        ran.push(Ran {
            line: number,
            from: begin,
            to: log::position(),
            before,
            is_done: done.is_ok(),
        });
        if let (Err(error), true) = (done, is_strict && !may_fail) {
            return Err(error.context(line.to_owned()));
        }
    }
    Ok(ran)
}

async fn carry_out(city: &mut City, memory: &mut Memory, line: &str) -> anyhow::Result<()> {
    let (first, rest) = line.split_once(' ').unwrap_or((line, ""));
    if let Some(name) = first.strip_suffix(':') {
        let answer = command(city, memory, rest).await?;
        let of_list = answer.as_array().and_then(|list| list.first());
        let id = of_list.unwrap_or(&answer);
        let id = id["id"].as_str().or(id["code"].as_str());
        let id = id.with_context(|| format!("no id in {answer}"))?;
        memory.ids.insert(name.to_owned(), id.to_owned());
        return Ok(());
    }
    match first {
        "sync" => city.sync(rest.parse()?).await,
        "quiet" => come_together(city).await,
        "pass" => {
            tokio::time::sleep(Duration::from_secs(rest.parse()?)).await;
            Ok(())
        }
        "restart" => restart(city, rest).await,
        "close" => {
            close(city, rest).await;
            Ok(())
        }
        "empty" => city.empty_office(rest.parse()?).await,
        "init" => city.init_office(rest.parse()?).await,
        "join" => {
            let (office, code) = rest.split_once(' ').context("join OFFICE CODE")?;
            let code = memory.ids.get(code.trim_start_matches('$'));
            city.join_office(office.parse()?, code.context("a code")?)
                .await
        }
        "older" => older(city, rest).await,
        "back-up-hub" => {
            let held = AtHub::read(city).await?.tokens.into_keys().collect();
            memory.backup = Some((city.back_up(), held));
            Ok(())
        }
        "restore-hub" => restore_hub(city, memory).await,
        _ => command(city, memory, line).await.map(drop),
    }
}

/// A command line of one of the programs.
async fn command(city: &City, memory: &mut Memory, line: &str) -> anyhow::Result<Value> {
    let mut words = line.split(' ');
    let place = words.next().context("a place")?;
    let (mut all, mut tokens) = (Vec::new(), Vec::new());
    for word in words {
        let mut word = word.to_owned();
        if word.contains('%') {
            memory.drawn += 1;
            let token = format!("token-{}-", memory.drawn);
            word = word.replace('%', &token);
            tokens.push(token);
        }
        if word.contains('#') {
            memory.drawn += 1;
            word = word.replace('#', &memory.drawn.to_string());
        }
        for (name, id) in memory.ids.iter().rev() {
            word = word.replace(&format!("${name}"), id);
        }
        for office in 0..city.size {
            word = word.replace(&format!("{{{office}}}"), &code_of(office));
            word = word.replace(&format!("{{{office}b}}"), &branch_of(office));
        }
        word = word.replace("TABLES", &memory.tables.to_string_lossy());
        word = word.replace("HUB", &city.hub.folder.to_string_lossy());
        for (number, office) in city.offices.iter().enumerate() {
            let name = format!("OFFICE{number}");
            word = word.replace(&name, &office.folder.to_string_lossy());
        }
        all.push(word);
    }
    let words: Vec<_> = all.iter().map(String::as_str).collect();
    let office = if place == "desk" {
        None
    } else {
        Some(place.parse()?)
    };
    let done = match office {
        Some(office) => city.at_office(office, &words).await,
        None => city.at_hub(&words).await,
    };
    match &done {
        Ok(_) => tokens
            .into_iter()
            .for_each(|token| memory.ledger.keep(token, office)),
        Err(_) => memory.ledger.unknown.extend(tokens),
    }
    done.with_context(|| all.join(" "))
}

/// Everybody syncs until nothing waits anywhere.
///
/// # Errors
/// Where that takes too long: invariant L1.
pub(super) async fn come_together(city: &City) -> anyhow::Result<()> {
    let (mut why, mut quiet_rounds) = (String::new(), 0);
    for _ in 0..ROUNDS_MAX {
        let mut is_quiet = true;
        for office in 0..city.size {
            if let Err(error) = city.sync(office).await {
                why = format!("office {office}: {error:#}");
                is_quiet = false;
            } else if let Err(reason) = oracle::is_quiet(city, office).await? {
                why = format!("office {office}: {reason}");
                is_quiet = false;
            }
        }
        // What the last office sent in a round, the first has not read in it.
        quiet_rounds = if is_quiet { quiet_rounds + 1 } else { 0 };
        if quiet_rounds == 2 {
            return Ok(());
        }
        if !is_quiet {
            tokio::time::sleep(Duration::from_secs(2)).await;
        }
    }
    bail!("invariant L1: not together: {why}")
}

/// A program ends in good order.
pub(super) async fn close(city: &mut City, place: &str) {
    match place.parse::<usize>() {
        Ok(number) => {
            if let Some(office) = city.offices.get_mut(number) {
                office.app = None;
            }
        }
        Err(_) => city.switch_hub_off(),
    }
    // What ran in it ends, and its connections close.
    tokio::time::sleep(Duration::from_millis(1)).await;
}

async fn restart(city: &mut City, place: &str) -> anyhow::Result<()> {
    close(city, place).await;
    match place.parse::<usize>() {
        Ok(number) => city.open_quietly(number),
        Err(_) => city.start_hub(),
    }
}

/// A database becomes one of an older program, which did not have these columns yet.
async fn older(city: &mut City, rest: &str) -> anyhow::Result<()> {
    let mut words = rest.split(' ');
    let place = words.next().context("a place")?;
    close(city, place).await;
    let path = match place.parse::<usize>() {
        Ok(number) => city
            .offices
            .get(number)
            .context("an office")?
            .folder
            .join("node.sqlite"),
        Err(_) => city.hub.folder.join("hub.sqlite"),
    };
    let connection = rusqlite::Connection::open(path)?;
    for column in words {
        let (table, column) = column.split_once('.').context("TABLE.COLUMN")?;
        let drop_column = format!("ALTER TABLE \"{table}\" DROP COLUMN \"{column}\"");
        connection.execute_batch(&drop_column)?;
    }
    Ok(())
}

async fn restore_hub(city: &mut City, memory: &mut Memory) -> anyhow::Result<()> {
    let (backup, held) = memory.backup.clone().context("a backup")?;
    if memory.before.is_none() {
        memory.before = AtHub::read(city).await.ok();
    }
    city.restore_hub(&backup, &mut Chance::new(city.seed, "restore", 0))
        .await?;
    memory.ledger.hub_restored(&held, memory.before.clone());
    Ok(())
}
