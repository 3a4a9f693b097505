//! Processes that are killed while they work: nothing acknowledged is lost, nothing counts twice.

use std::time::Duration;

use tests::generate::{RosterSpec, roster_xlsx};

use crate::support::{Stage, enter, expect_names, names_at, names_at_hub};

#[test]
fn a_killed_hub_and_a_killed_node_lose_and_double_nothing() -> anyhow::Result<()> {
    let mut stage = Stage::with_offices(1)?;
    let city = &mut stage.city;
    let file = city.folder.join("roster.xlsx");
    let spec = RosterSpec {
        seed: 7,
        rows: 3_000,
        ..RosterSpec::default()
    };
    roster_xlsx(&file, &spec)?;
    let file = file.to_string_lossy().into_owned();
    let reply = city.node(0, &["import", "member", &file])?.done()?.json();
    let accepted = reply["accepted"].as_u64().unwrap_or_default();
    assert!(accepted > 2_000, "{reply}");
    // Killed again and again while the journal goes up.
    for pause_ms in [30, 90, 150, 60, 200, 120] {
        std::thread::sleep(Duration::from_millis(pause_ms));
        city.kill_hub()?;
        city.start_hub()?;
        std::thread::sleep(Duration::from_millis(pause_ms / 2));
        city.kill_office(0)?;
        city.start_office(0)?;
    }
    city.prove_equality()?;
    let at_hub = city
        .hub(&["list", "member", "--limit", "100000"])?
        .done()?
        .json();
    assert_eq!(
        at_hub.as_array().map(|list| list.len() as u64),
        Some(accepted)
    );
    let names = names_at_hub(city)?;
    assert_eq!(names.len() as u64, accepted);
    assert_eq!(names_at(city, 0)?, names);
    Ok(())
}

#[test]
fn an_import_that_is_killed_leaves_all_of_its_rows_or_none() -> anyhow::Result<()> {
    let stage = Stage::with_offices(1)?;
    let city = &stage.city;
    let file = city.folder.join("roster.xlsx");
    roster_xlsx(
        &file,
        &RosterSpec {
            seed: 8,
            rows: 2_000,
            ..RosterSpec::default()
        },
    )?;
    let file = file.to_string_lossy().into_owned();
    let data = city.office(0)?.data.clone();
    let import = || -> anyhow::Result<u64> {
        let reply = city.node(0, &["import", "member", &file])?.done()?.json();
        Ok(reply["accepted"].as_u64().unwrap_or_default())
    };
    let mut child = city.programs.start(
        "lianxin-node",
        &["import", "member", &file, "--data", &data],
    )?;
    std::thread::sleep(Duration::from_millis(150));
    child.kill()?;
    child.wait()?;
    let left = names_at(city, 0)?.len() as u64;
    let again = import()?;
    assert!(
        left == 0 || again == 0,
        "{left} rows were left, {again} were taken again"
    );
    assert_eq!(import()?, 0, "the same table again is all duplicates");
    Ok(())
}

#[test]
fn one_process_serves_a_folder_and_the_second_says_so() -> anyhow::Result<()> {
    let stage = Stage::with_offices(1)?;
    let city = &stage.city;
    let data = &city.office(0)?.data;
    let second = city.programs.run(
        "lianxin-node",
        &["serve", "--data", data, "--web", "127.0.0.1:0"],
    )?;
    assert_eq!(second.code, 1);
    assert!(second.err.contains("already served"), "{}", second.err);
    let second = city.programs.run(
        "lianxin-hub",
        &[
            "serve",
            "--data",
            &city.hub_data,
            "--rpc",
            "127.0.0.1:0",
            "--web",
            "127.0.0.1:0",
        ],
    )?;
    assert_eq!(second.code, 1);
    assert!(second.err.contains("already served"), "{}", second.err);
    enter(city, 0, "己一")?;
    city.settle_down(0)?;
    expect_names(&names_at_hub(city)?, &["己一"]);
    Ok(())
}
