//! What scenarios share.

use std::collections::BTreeSet;

use domain::change::{Body, FieldChange, Header, Verb};
use domain::clock::Timestamp;
use domain::id::RecordId;
use domain::kind::Class;
use domain::record::RecordKey;
use serde_json::Value;
use tests::harness::{City, Reply, STREET};

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

/// A plain backup of the hub as it is now, in the stage's folder; where it lies.
pub(crate) fn back_up(city: &City, name: &str) -> anyhow::Result<String> {
    let file = city.folder.join(name).to_string_lossy().into_owned();
    city.hub(&["backup", &file])?.done()?;
    Ok(file)
}

/// Another computer: runs the node's commands on a data folder of its own.
pub(crate) fn computer(
    city: &City,
    name: &str,
) -> impl Fn(&[&str]) -> anyhow::Result<Reply> + use<> {
    let programs = city.programs.clone();
    let data = city.folder.join(name).to_string_lossy().into_owned();
    move |args: &[&str]| {
        let mut all = args.to_vec();
        all.extend(["--data", &data, "--json"]);
        programs.run("lianxin-node", &all)
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

/// Enters a member of full standing at the first office; his id. The values name him.
pub(crate) fn enter_member(city: &City, values: &[&str]) -> anyhow::Result<String> {
    let standing = ["category=full", "status=FULL", "join_date=2019-07-01"];
    let line = [&["add", "member"][..], values, &standing].concat();
    Ok(text(&city.node(0, &line)?.done()?.json()["id"]))
}

/// Begins the transfer of a member from the first office to the second; its case.
pub(crate) fn begin_transfer(city: &City, member: &str) -> anyhow::Result<String> {
    let line = [
        "transfer",
        "start",
        "--member",
        member,
        "--to",
        "350102001002",
        "to_unit=西苑一支部",
        "addressee=中共示范街道工作委员会",
        "dues_paid_to=2026-10",
    ];
    Ok(text(&city.node(0, &line)?.done()?.json()["id"]))
}

/// The first office takes a case up to the committee's approval, and the hub hears of each step.
pub(crate) fn ask_for_approval(city: &City, case: &str) -> anyhow::Result<()> {
    city.settle_down(0)?;
    for event in ["submit", "approve_branch"] {
        city.node(0, &["transfer", "step", case, event])?.done()?;
        city.settle_down(0)?;
    }
    Ok(())
}

/// Sends a member of the first office on his way to the second: the letter is there. His case.
pub(crate) fn send_on_the_way(city: &City, member: &str) -> anyhow::Result<String> {
    let case = begin_transfer(city, member)?;
    ask_for_approval(city, &case)?;
    let approve = ["transfer", "step", &case, "approve", "--as", STREET];
    city.hub(&[&approve[..], &["valid_days=60"]].concat())?
        .done()?;
    city.prove_equality()?;
    Ok(case)
}

/// The second office accepts.
pub(crate) fn accept(city: &City, case: &str) -> anyhow::Result<()> {
    city.node(1, &["transfer", "step", case, "open_check"])?
        .done()?;
    city.settle_down(1)?;
    let branch = "to_branch=35010200100201";
    city.node(1, &["transfer", "step", case, "accept", branch])?
        .done()?;
    city.prove_equality()?;
    Ok(())
}

/// A code with which another machine of the first office joins.
pub(crate) fn code_for_another(city: &City) -> anyhow::Result<String> {
    let office = city.office(0)?;
    let address = office.line.address().to_string();
    let made = city.hub(&["code", office.code, "--address", &address])?;
    Ok(text(&made.done()?.json()["code"]))
}

/// Fails where a conflict is open at the hub.
pub(crate) fn expect_no_conflicts(city: &City) -> anyhow::Result<()> {
    let conflicts = city.hub(&["conflicts"])?.done()?.json();
    assert_eq!(conflicts.as_array().map(Vec::len), Some(0), "{conflicts}");
    Ok(())
}

/// A copy of the first office's folder, which lacks a person that the office has sent since. The office is off.
pub(crate) fn copy_behind(city: &mut City, entered: &str) -> anyhow::Result<String> {
    city.kill_office(0)?;
    let copy = city.copy_office(0, "behind")?;
    city.start_office(0)?;
    enter(city, 0, entered)?;
    city.settle_down(0)?;
    city.kill_office(0)?;
    Ok(copy)
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

/// A change as another program would write it: whatever kind, verb and fields.
pub(crate) fn raw_change(
    (kind, record): (u16, RecordId),
    verb: Verb,
    fields: &[(u16, &[u8])],
) -> (Header, Body) {
    let fields = fields.iter().map(|(number, value)| FieldChange {
        number: *number,
        value: value.to_vec(),
        base: None,
    });
    let header = Header {
        record,
        kind,
        class: domain::kinds::by_number(kind).map_or(Class::Shared, |kind| kind.class),
        verb,
        timestamp: Timestamp::at(1_795_000_000_000),
        actor: "另一程序".to_owned(),
        group: None,
        tenure: None,
        clock_suspect: false,
        replaces: None,
    };
    let body = Body {
        fields: fields.collect(),
        ..Body::default()
    };
    (header, body)
}

/// Puts changes into the journal of an office that nobody serves: by the machine's clock, and else as they are.
pub(crate) fn enter_raw(
    city: &City,
    office: usize,
    changes: Vec<(Header, Body)>,
) -> anyhow::Result<()> {
    let data = std::path::PathBuf::from(&city.office(office)?.data);
    tokio::runtime::Runtime::new()?.block_on(async {
        let app = lianxin_node::app::App::open(&data)?;
        let own = app.own;
        app.store
            .write::<_, anyhow::Error>(move |tx| {
                for (mut header, body) in changes {
                    header.timestamp = lianxin_node::clock::next(tx, own.epoch)?.0;
                    let key = RecordKey {
                        kind: header.kind,
                        id: header.record,
                    };
                    let shown = tx.record(key)?;
                    lianxin_node::journal::append(tx, own, header, body, shown)?;
                }
                Ok(())
            })
            .await
    })
}
