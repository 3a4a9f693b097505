//! Long uploads: several batches are under way at once, and downloads do not wait for them.

use tests::generate::{RosterSpec, roster_xlsx};
use tests::harness::{City, wait_for};

use crate::support::{Stage, enter, names_at};

/// How long a whole upload may take here (seconds).
const UPLOAD_WITHIN: u64 = 120;

#[test]
fn on_a_line_with_a_long_way_several_batches_are_under_way_at_once() -> anyhow::Result<()> {
    // Far more than a batch takes on a machine that has other work to do.
    const DELAY_MS: u64 = 1_200;
    let stage = Stage::with_offices(1)?;
    let city = &stage.city;
    city.prove_equality()?;
    let line = &city.office(0)?.line;
    line.slow_down(DELAY_MS, 0);
    import(city, 3_000)?;
    wait_for("the upload", UPLOAD_WITHIN, || {
        let status = city.node(0, &["status"])?.done()?.json();
        Ok((status["waiting"].as_u64() == Some(0)).then_some(()))
    })?;
    line.slow_down(0, 0);
    city.prove_equality()?;

    let times = arrivals(city)?;
    assert!(times.len() > 4, "{times:?}");
    // Who waits for each answer sends the next batch a way there and a way back later.
    let is_together = |pair: &&[u64]| pair[1] - pair[0] < DELAY_MS;
    assert!(
        times.windows(2).filter(is_together).count() >= 2,
        "{times:?}"
    );
    Ok(())
}

#[test]
fn an_office_reads_what_has_come_while_a_long_upload_is_under_way() -> anyhow::Result<()> {
    let stage = Stage::with_offices(1)?;
    let city = &stage.city;
    let person = enter(city, 0, "王四方")?;
    city.prove_equality()?;
    let line = &city.office(0)?.line;
    line.slow_down(100, 12_000);
    import(city, 3_000)?;
    city.hub(&["set", &format!("person/{person}"), "name=王二方"])?
        .done()?;
    wait_for("what the desk wrote", UPLOAD_WITHIN, || {
        let names = names_at(city, 0)?;
        Ok(names.contains(&"王二方".to_owned()).then_some(()))
    })?;
    let status = city.node(0, &["status"])?.done()?.json();
    let waiting = status["waiting"].as_u64().unwrap_or_default();
    assert!(waiting > 1_000, "the upload is over already: {status}");
    line.slow_down(0, 0);
    city.prove_equality()?;
    Ok(())
}

/// Imports a roster of so many rows at the first office.
fn import(city: &City, rows: usize) -> anyhow::Result<()> {
    let file = city.folder.join("roster.xlsx");
    let spec = RosterSpec {
        seed: 11,
        rows,
        ..RosterSpec::default()
    };
    roster_xlsx(&file, &spec)?;
    city.node(0, &["import", "member", &file.to_string_lossy()])?
        .done()?;
    Ok(())
}

/// When the hub stored each batch of the only office, in order (milliseconds).
fn arrivals(city: &City) -> anyhow::Result<Vec<u64>> {
    let app = lianxin_hub::app::App::open(std::path::Path::new(&city.hub_data))?;
    tokio::runtime::Runtime::new()?.block_on(app.store.read::<_, anyhow::Error>(|tx| {
        let mut times = Vec::new();
        for node in tx.nodes()? {
            let batches = tx.batches_from(node.id, 1, 1, 10_000)?;
            times.extend(batches.iter().map(|batch| batch.received_at));
        }
        Ok(times)
    }))
}
