//! What scenarios share.

use std::collections::BTreeSet;

use serde_json::Value;
use tests::harness::{City, Reply};

/// A city of its own for one scenario.
pub(crate) struct Stage {
    /// The city; dropped before its folder.
    pub(crate) city: City,
    _folder: tempfile::TempDir,
}

impl Stage {
    /// A hub with so many offices.
    pub(crate) fn with_offices(count: usize) -> anyhow::Result<Self> {
        let mut folder = tempfile::Builder::new()
            .prefix("lianxin-scenario-")
            .tempdir()?;
        // For looking into a scenario that failed.
        folder.disable_cleanup(std::env::var_os("LIANXIN_KEEP").is_some());
        let city = City::found(folder.path(), count)?;
        Ok(Self {
            city,
            _folder: folder,
        })
    }
}

/// Another computer: runs the node's commands on a data folder of its own.
pub(crate) fn computer(city: &City, name: &str) -> impl Fn(&[&str]) -> anyhow::Result<Reply> {
    let data = city.folder.join(name).to_string_lossy().into_owned();
    move |args: &[&str]| {
        let mut all = args.to_vec();
        all.extend(["--data", &data, "--json"]);
        city.programs.run("lianxin-node", &all)
    }
}

/// Enters a person at an office; its id.
pub(crate) fn enter(city: &City, office: usize, name: &str) -> anyhow::Result<String> {
    let reply = city
        .node(office, &["add", "person", &format!("name={name}")])?
        .done()?
        .json();
    Ok(text(&reply["id"]))
}

/// A JSON text, or nothing.
pub(crate) fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

/// The names of all persons that the hub has.
pub(crate) fn names_at_hub(city: &City) -> anyhow::Result<Vec<String>> {
    let list = city
        .hub(&["list", "person", "--limit", "100000"])?
        .done()?
        .json();
    Ok(names(&list))
}

/// The names of all persons that an office has.
pub(crate) fn names_at(city: &City, office: usize) -> anyhow::Result<Vec<String>> {
    let list = city
        .node(office, &["list", "person", "--limit", "100000"])?
        .done()?
        .json();
    Ok(names(&list))
}

fn names(list: &Value) -> Vec<String> {
    let mut names: Vec<String> = list
        .as_array()
        .into_iter()
        .flatten()
        .map(|row| text(&row["name"]))
        .collect();
    names.sort();
    names
}

/// Fails where a name stands twice or one is missing.
pub(crate) fn expect_names(found: &[String], wanted: &[&str]) {
    let wanted: BTreeSet<_> = wanted.iter().map(|name| (*name).to_owned()).collect();
    assert_eq!(found, wanted.into_iter().collect::<Vec<_>>());
}
