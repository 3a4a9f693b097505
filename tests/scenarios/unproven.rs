//! Nodes that can prove nothing to a restored hub: their journals bring back what they were
//! acknowledged.

use lianxin_node::app::App;
use lianxin_node::sync::Session;
use tests::harness::City;

use crate::support::{Stage, expect_names, names_at, names_at_hub};

/// Persons who are entered and acknowledged.
const ENTERED: usize = 50;
/// How many of them the backup has.
const IN_BACKUP: usize = 20;

/// Enters persons at an office that nobody serves, and sends them: acknowledged, and cut before
/// anything was read.
fn enter_and_send(city: &City, names: &[String]) -> anyhow::Result<()> {
    for name in names {
        let person = ["add", "person", &format!("name={name}")];
        city.node(0, &person)?.done()?;
    }
    let data = std::path::PathBuf::from(&city.office(0)?.data);
    tokio::runtime::Runtime::new()?.block_on(async {
        let app = App::open(&data)?;
        Session::open(&app).await?.send().await?;
        anyhow::Ok(())
    })
}

#[test]
fn a_node_without_a_certificate_brings_back_all_that_it_was_acknowledged() -> anyhow::Result<()> {
    let mut stage = Stage::with_offices(0)?;
    let city = &mut stage.city;
    city.enrol_unserved(0)?;
    let names: Vec<String> = (0..ENTERED).map(|number| format!("人{number:02}")).collect();
    let (before, after) = names.split_at(IN_BACKUP);
    enter_and_send(city, before)?;
    let backup = city.folder.join("hub.backup");
    let backup = backup.to_string_lossy().into_owned();
    city.hub(&["backup", &backup])?.done()?;
    enter_and_send(city, after)?;
    assert_eq!(names_at_hub(city)?.len(), ENTERED);
    let status = city.node(0, &["status"])?.done()?.json();
    assert_eq!(status["waiting"], 0, "all were acknowledged: {status}");
    assert_eq!(
        status["certificates"].as_array().map(Vec::len),
        Some(0),
        "it has no proof: {status}"
    );
    city.kill_hub()?;
    city.hub(&["restore", &backup])?.done()?;
    assert_eq!(names_at_hub(city)?.len(), IN_BACKUP);
    city.start_hub()?;
    // The next session brings them back.
    city.node(0, &["sync"])?.done()?;
    let wanted: Vec<&str> = names.iter().map(String::as_str).collect();
    expect_names(&names_at_hub(city)?, &wanted);
    city.prove_equality()?;
    expect_names(&names_at_hub(city)?, &wanted);
    expect_names(&names_at(city, 0)?, &wanted);
    for command in ["conflicts", "quarantine"] {
        let found = city.hub(&[command])?.done()?.json();
        assert_eq!(found.as_array().map(Vec::len), Some(0), "{found}");
    }
    let recovery = city.hub(&["recovery", "status"])?.done()?.json();
    assert_eq!(recovery["recovering"], false, "{recovery}");
    assert_eq!(
        recovery["evidence"].as_array().map(Vec::len),
        Some(0),
        "what came again is no evidence: {recovery}"
    );
    Ok(())
}
