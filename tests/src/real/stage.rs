//! A city of a case: what its people were told is kept, and the audit at the end.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use anyhow::ensure;
use serde_json::Value;

use super::case::Context;
use crate::harness::{City, Programs, Reply};

/// Findings that an error names.
const NAMED_MAX: usize = 5;

/// What became of something that somebody entered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Told {
    /// It was acknowledged.
    Kept,
    /// The program was ended or its disk failed before it answered: both is right.
    Nothing,
    /// It was refused.
    Refused,
}

/// A hub and its offices, and what was entered.
pub(super) struct Stage {
    /// The city.
    pub(super) city: City,
    entered: BTreeMap<String, Told>,
}

impl Stage {
    /// A hub and so many served offices.
    pub(super) fn with_offices(context: &Context, count: usize) -> anyhow::Result<Self> {
        Self::by(context.programs.clone(), &context.folder, count)
    }

    /// A hub and one office whose program is not started: its commands are run one by one.
    pub(super) fn unserved(context: &Context) -> anyhow::Result<Self> {
        let mut stage = Self::with_offices(context, 0)?;
        stage.city.enrol_unserved(0)?;
        Ok(stage)
    }

    /// The same by programs that something else starts.
    pub(super) fn by(programs: Programs, folder: &Path, count: usize) -> anyhow::Result<Self> {
        Ok(Self {
            city: City::found_by(programs, &folder.join("city"), count)?,
            entered: BTreeMap::new(),
        })
    }

    /// Enters a person at an office, by the programs as they are.
    pub(super) fn enter(&mut self, office: usize) -> anyhow::Result<()> {
        let (programs, data) = (self.city.programs.clone(), self.data(office)?);
        self.enter_by(&programs, &data)?.done()?;
        Ok(())
    }

    /// Enters a person in some folder by programs that may fail; what they answered.
    pub(super) fn enter_by(&mut self, programs: &Programs, data: &str) -> anyhow::Result<Reply> {
        let name = format!("真人{:05}", self.entered.len());
        let person = format!("name={name}");
        let add = ["add", "person", &person, "--data", data, "--json"];
        let reply = programs.run("lianxin-node", &add)?;
        let told = match reply.code {
            0 => Told::Kept,
            1 => Told::Refused,
            _ => Told::Nothing,
        };
        self.entered.insert(name, told);
        Ok(reply)
    }

    /// What was entered last may be there or not: its answer does not say.
    pub(super) fn last_is_unknown(&mut self) {
        let last = self.entered.last_entry();
        if let Some(mut told) = last
            && *told.get() == Told::Refused
        {
            told.insert(Told::Nothing);
        }
    }

    /// Enters so many persons with one command.
    pub(super) fn enter_many(&mut self, office: usize, count: usize) -> anyhow::Result<()> {
        let data = self.data(office)?;
        self.enter_many_in(&data, count)
    }

    /// The same in some folder.
    pub(super) fn enter_many_in(&mut self, data: &str, count: usize) -> anyhow::Result<()> {
        let first = self.entered.len();
        let file = self.city.folder.join(format!("persons-{first}.csv"));
        let names: Vec<_> = (first..first + count)
            .map(|at| format!("真人{at:05}"))
            .collect();
        let rows = names.iter().zip(first..).map(|(name, at)| {
            // Words that do not pack well, so that rows have a size on the line.
            let remarks = blake3::hash(&at.to_be_bytes()).to_hex();
            format!("{name},{remarks}\n")
        });
        std::fs::write(&file, format!("姓名,备注\n{}", rows.collect::<String>()))?;
        let import = ["import", "person", &file.to_string_lossy()];
        let reply = self.city.machine(data, &import)?.done()?.json();
        ensure!(
            reply["accepted"] == count,
            "not all rows were taken: {reply}"
        );
        self.note(names, Told::Kept);
        Ok(())
    }

    /// Notes what became of what others entered.
    pub(super) fn note(&mut self, names: Vec<String>, told: Told) {
        self.entered
            .extend(names.into_iter().map(|name| (name, told)));
    }

    /// The data folder of an office.
    pub(super) fn data(&self, office: usize) -> anyhow::Result<String> {
        Ok(self.city.office(office)?.data.clone())
    }

    /// How many were entered and acknowledged.
    pub(super) fn kept(&self) -> usize {
        self.entered
            .values()
            .filter(|told| **told == Told::Kept)
            .count()
    }

    /// The name that was entered last.
    pub(super) fn last(&self) -> String {
        self.entered.keys().next_back().cloned().unwrap_or_default()
    }

    /// The names that the hub has.
    pub(super) fn names_at_hub(&self) -> anyhow::Result<Vec<String>> {
        let list = ["list", "person", "--limit", "100000"];
        Ok(names(&self.city.hub(&list)?.done()?.json()))
    }

    /// The names that a node has.
    pub(super) fn names_in(&self, data: &str) -> anyhow::Result<Vec<String>> {
        let list = ["list", "person", "--limit", "100000"];
        Ok(names(&self.city.machine(data, &list)?.done()?.json()))
    }

    /// What waits at a node.
    pub(super) fn waiting(&self, data: &str) -> anyhow::Result<u64> {
        let status = self.city.machine(data, &["status"])?.done()?.json();
        Ok(status["waiting"].as_u64().unwrap_or_default())
    }

    /// Whether a served node says that its line is up.
    pub(super) fn is_up(&self, data: &str) -> anyhow::Result<bool> {
        let status = self.city.machine(data, &["status"])?.done()?.json();
        Ok(status["link"] == "up")
    }

    /// Everybody comes together, proves it, and all that was acknowledged is there once.
    pub(super) fn audit(&self) -> anyhow::Result<()> {
        self.city.prove_equality()?;
        self.audit_hub()
    }

    /// All that was acknowledged is at the hub, once; nothing that was refused; nothing panicked.
    pub(super) fn audit_hub(&self) -> anyhow::Result<()> {
        let at_hub = self.names_at_hub()?;
        self.judge(&at_hub, "the hub")?;
        no_panic(&self.city.folder)
    }

    /// Judges the names that somebody has, of whom everything was entered.
    pub(super) fn judge(&self, found: &[String], whose: &str) -> anyhow::Result<()> {
        let set: BTreeSet<&String> = found.iter().collect();
        ensure!(
            set.len() == found.len(),
            "S2: a name stands twice at {whose}"
        );
        let told = |wanted| {
            let entered = self.entered.iter();
            entered
                .filter(move |(_, told)| **told == wanted)
                .map(|(name, _)| name)
        };
        let lost: Vec<_> = told(Told::Kept)
            .filter(|name| !set.contains(name))
            .collect();
        let shown = lost.get(..NAMED_MAX.min(lost.len())).unwrap_or_default();
        ensure!(
            lost.is_empty(),
            "S1: {} are lost at {whose}: {shown:?}",
            lost.len()
        );
        let refused: Vec<_> = told(Told::Refused)
            .filter(|name| set.contains(name))
            .collect();
        ensure!(
            refused.is_empty(),
            "S1: {whose} has what was refused: {refused:?}"
        );
        let strange: Vec<_> = set
            .into_iter()
            .filter(|name| !self.entered.contains_key(*name))
            .collect();
        ensure!(
            strange.is_empty(),
            "S3: nobody entered {strange:?} at {whose}"
        );
        Ok(())
    }
}

/// No program has panicked, by the logs in a folder (S20).
pub(super) fn no_panic(folder: &Path) -> anyhow::Result<()> {
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "log") {
            let log = std::fs::read(&path)?;
            let text = String::from_utf8_lossy(&log);
            let line = text.lines().find(|line| line.contains("panicked"));
            ensure!(line.is_none(), "S20: {}: {line:?}", path.display());
        }
    }
    Ok(())
}

fn names(list: &Value) -> Vec<String> {
    let rows = list.as_array().into_iter().flatten();
    let names = rows.filter_map(|row| row["name"].as_str());
    names.map(str::to_owned).collect()
}
