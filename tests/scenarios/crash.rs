//! Processes that are killed while they work: nothing acknowledged is lost, nothing counts twice.

use std::time::Duration;

use tests::generate::{RosterSpec, roster_xlsx};
use tests::harness::serve_hub;

use crate::support::{Stage, enter, expect_names, names_at, names_at_hub};

#[test]
fn invariant_2_a_killed_hub_and_a_killed_node_lose_and_double_nothing() -> anyhow::Result<()> {
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
    let second = city
        .programs
        .run("lianxin-hub", &serve_hub(&city.hub_data, "127.0.0.1:0"))?;
    assert_eq!(second.code, 1);
    assert!(second.err.contains("already served"), "{}", second.err);
    enter(city, 0, "己一")?;
    city.settle_down(0)?;
    expect_names(&names_at_hub(city)?, &["己一"]);
    Ok(())
}

/// The most memory that a process has had (bytes).
fn peak_of(process: u32) -> anyhow::Result<u64> {
    let status = std::fs::read_to_string(format!("/proc/{process}/status"))?;
    let line = status.lines().find(|line| line.starts_with("VmHWM:"));
    let number = line.and_then(|line| line.split_whitespace().nth(1));
    let kibibytes: u64 = number.unwrap_or_default().parse()?;
    Ok(kibibytes * 1024)
}

#[test]
fn invariant_10_memory_is_bounded_by_the_batch_and_not_by_the_backlog() -> anyhow::Result<()> {
    const MIB: u64 = 1 << 20;
    // Both are long enough to have filled what is bounded by itself: page caches, batches under way. How much of that is
    // in use at once is chance, so the longer one has so much more that to keep it would be more than the chance is.
    const ROWS: [usize; 2] = [8_000, 20_000];
    let mut peaks = Vec::new();
    for rows in ROWS {
        let mut stage = Stage::with_offices(2)?;
        let city = &mut stage.city;
        // The backlog is there before anybody serves it.
        city.kill_office(0)?;
        let file = city.folder.join("roster.xlsx");
        let spec = RosterSpec {
            seed: 9,
            rows,
            ..RosterSpec::default()
        };
        roster_xlsx(&file, &spec)?;
        city.node(0, &["import", "member", &file.to_string_lossy()])?
            .done()?;
        city.start_office(0)?;
        city.settle_down(0)?;
        // Another machine of the office reads everything from the beginning.
        city.kill_office(1)?;
        let fresh = city.folder.join("fresh");
        std::fs::create_dir(&fresh)?;
        let data = fresh.to_string_lossy().into_owned();
        let machine = |args: &[&str]| city.machine(&data, args)?.done();
        machine(&["init"])?;
        let code = city.hub(&["code", city.office(0)?.code])?.done()?.json();
        machine(&["join", code["code"].as_str().unwrap_or_default()])?;
        let serve = ["serve", "--data", &data, "--web", "127.0.0.1:0"];
        let log = city.folder.join("fresh.log");
        let reader = city.programs.serve("lianxin-node", &serve, &log)?;
        machine(&["sync", "--wait"])?;
        let of_process = |office| peak_of(city.process(office)?);
        let all = [
            of_process(Some(0))?,
            peak_of(reader.process())?,
            of_process(None)?,
        ];
        peaks.push(all);
    }
    eprintln!("peaks of writer, reader and hub (bytes), short and long backlog: {peaks:?}");
    // A row makes two changes and two records: if they were kept, they would be more than two kibibytes.
    let kept = (ROWS[1] - ROWS[0]) as u64 * 2 * 1024;
    for (short, long) in peaks[0].iter().zip(peaks[1]) {
        assert!(long < short + kept, "{kept} bytes of rows more: {peaks:?}");
    }
    assert!(peaks[1][0].max(peaks[1][1]) < 64 * MIB, "{peaks:?}");
    assert!(peaks[1][2] < 150 * MIB, "{peaks:?}");
    Ok(())
}
