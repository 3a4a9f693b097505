//! A machine joins: the figures that both sides show, and who may say that they are equal.

use tests::harness::wait_for;

use crate::support::{Stage, computer, enter, expect_names, names_at, names_at_hub, text};

#[test]
fn an_operator_compares_the_figures_before_a_machine_may_speak() -> anyhow::Result<()> {
    let stage = Stage::with_offices(1)?;
    let city = &stage.city;
    // No address is named: the code carries the hub's own names with the port that it serves on.
    let made = city
        .hub(&["code", city.office(0)?.code, "--confirm"])?
        .done()?
        .json();
    let code = text(&made["code"]);
    let (first, second) = (computer(city, "first"), computer(city, "second"));
    first(&["init"])?.done()?;
    second(&["init"])?.done()?;
    let waits = first(&["join", &code])?.done()?.json();
    assert_eq!(waits["state"], "waits_for_confirmation");
    let figures = text(&waits["comparison_number"]);
    assert_eq!(figures.len(), 6);
    assert_ne!(first(&["sync"])?.code, 0, "it may not speak yet");
    // The code belongs to the keys that were shown with it first.
    let late = second(&["join", &code])?;
    assert_eq!(late.code, 1);
    assert!(late.err.contains("used before"), "{}", late.err);
    // The hub shows the same figures, and believes nobody who reads out others.
    let listed = city.hub(&["enrolment", "list"])?.done()?.json();
    let waiting = listed
        .as_array()
        .into_iter()
        .flatten()
        .find(|row| row["state"] == "waits_for_confirmation")
        .expect("the code that waits");
    assert_eq!(text(&waiting["comparison_number"]), figures);
    let other = if figures == "000000" {
        "000001"
    } else {
        "000000"
    };
    assert_eq!(city.hub(&["enrolment", "confirm", other])?.code, 1);
    assert_eq!(
        first(&["join", &code])?.done()?.json()["state"],
        "waits_for_confirmation"
    );
    city.hub(&["enrolment", "confirm", &figures])?.done()?;
    let joined = first(&["join", &code])?.done()?.json();
    assert_eq!(joined["state"], "enrolled");
    assert_eq!(text(&joined["comparison_number"]), figures);
    first(&["add", "person", "name=壬一"])?.done()?;
    first(&["sync"])?.done()?;
    // A repeat with the same keys is answered alike: an answer may have been lost.
    assert_eq!(
        first(&["join", &code])?.code,
        1,
        "an enrolled node has other keys by now"
    );
    Ok(())
}

#[test]
fn a_served_node_joins_by_itself_when_it_is_confirmed_and_never_when_it_is_rejected()
-> anyhow::Result<()> {
    let stage = Stage::with_offices(1)?;
    let city = &stage.city;
    let office = city.office(0)?.code;
    let new_code = || -> anyhow::Result<String> {
        let made = city.hub(&["code", office, "--confirm"])?.done()?.json();
        Ok(text(&made["code"]))
    };
    let (wanted, stranger) = (computer(city, "wanted"), computer(city, "stranger"));
    let mut figures = Vec::new();
    for computer in [&wanted, &stranger] {
        computer(&["init"])?.done()?;
        let waits = computer(&["join", &new_code()?])?.done()?.json();
        figures.push(text(&waits["comparison_number"]));
    }
    let data = city.folder.join("wanted").to_string_lossy().into_owned();
    let serve = ["serve", "--data", &data, "--web", "127.0.0.1:0"];
    let log = city.folder.join("wanted.log");
    let _serving = city.programs.serve("lianxin-node", &serve, &log)?;
    let status = wanted(&["status"])?.done()?.json();
    assert_eq!(status["enrolled"], false);
    assert_eq!(text(&status["comparison_number"]), figures[0]);
    city.hub(&["enrolment", "confirm", &figures[0]])?.done()?;
    city.hub(&["enrolment", "reject", &figures[1]])?.done()?;
    wait_for("the served node joins", 60, || {
        let status = wanted(&["status"])?.done()?.json();
        Ok((status["enrolled"] == true && status["link"] == "up").then_some(()))
    })?;
    // Whoever confirms it afterwards is too late.
    assert_eq!(city.hub(&["enrolment", "confirm", &figures[1]])?.code, 1);
    assert_ne!(stranger(&["sync"])?.code, 0);
    Ok(())
}

#[test]
fn a_renewed_certificate_is_used_at_once_and_a_folder_with_the_old_one_is_not_locked_out()
-> anyhow::Result<()> {
    const DAY_S: i64 = 24 * 3600;
    let mut stage = Stage::with_offices(1)?;
    let city = &mut stage.city;
    enter(city, 0, "换证前")?;
    city.prove_equality()?;
    city.kill_office(0)?;
    let copy = city.copy_office(0, "before")?;
    let keys = |data: &str| std::fs::read_to_string(format!("{data}/node-keys.toml"));
    let data = city.office(0)?.data.clone();
    // From day 60 on the hub asks for a renewal.
    city.kill_hub()?;
    city.start_hub_at(70 * DAY_S)?;
    city.node_at(70 * DAY_S, 0, &["add", "person", "name=换证"])?
        .done()?;
    city.node_at(70 * DAY_S, 0, &["sync"])?.done()?;
    assert_ne!(keys(&data)?, keys(&copy)?, "another certificate");
    let renewed = keys(&data)?;
    city.node_at(70 * DAY_S, 0, &["sync"])?.done()?;
    assert_eq!(keys(&data)?, renewed, "and no third one");
    // The folder is put back, key file and all: the old certificate may only ask for a new one.
    city.roll_back(0, &copy)?;
    city.node_at(70 * DAY_S, 0, &["sync"])?.done()?;
    assert_ne!(keys(&data)?, renewed);
    city.start_office_at(70 * DAY_S, 0)?;
    city.prove_equality()?;
    expect_names(&names_at(city, 0)?, &["换证", "换证前"]);
    // After its end it may still ask for its successor; without a person for 18 months.
    city.kill_office(0)?;
    city.kill_hub()?;
    city.start_hub_at(400 * DAY_S)?;
    city.node_at(400 * DAY_S, 0, &["sync"])?.done()?;
    city.kill_hub()?;
    city.start_hub_at((400 + 180 + 560) * DAY_S)?;
    let late = city.node_at((400 + 180 + 560) * DAY_S, 0, &["sync"])?;
    assert_eq!(late.code, 1);
    assert!(late.err.contains("enrol again"), "{}", late.err);
    Ok(())
}

/// S1, L1: the power is cut after a machine's journal was brought under a new identity, and before its key file was.
/// What is entered then reaches the hub once the join has gone on, and nothing speaks for the machine before.
#[test]
fn a_join_that_was_cut_off_goes_on_with_what_was_entered_since() -> anyhow::Result<()> {
    let stage = Stage::with_offices(1)?;
    let city = &stage.city;
    let office = city.office(0)?.code;
    let machine = computer(city, "machine");
    machine(&["init"])?.done()?;
    let plain = city.hub(&["code", office])?.done()?.json();
    machine(&["join", &text(&plain["code"])])?.done()?;
    machine(&["add", "person", "name=癸一"])?.done()?;
    machine(&["sync"])?.done()?;
    // It joins anew; an operator has to confirm it, so that its new keys are known before it is enrolled.
    let made = city.hub(&["code", office, "--confirm"])?.done()?.json();
    let code = text(&made["code"]);
    let waits = machine(&["join", &code])?.done()?.json();
    let keys = city.folder.join("machine").join("node-keys.toml");
    let before = std::fs::read(&keys)?;
    let figures = text(&waits["comparison_number"]);
    city.hub(&["enrolment", "confirm", &figures])?.done()?;
    machine(&["join", &code])?.done()?;
    std::fs::write(&keys, before)?;
    machine(&["add", "person", "name=癸二"])?.done()?;
    let refused = machine(&["sync"])?;
    assert_eq!(refused.code, 1);
    assert!(refused.err.contains("run join"), "{}", refused.err);
    machine(&["join", &code])?.done()?;
    machine(&["sync"])?.done()?;
    machine(&["verify"])?.done()?;
    expect_names(&names_at_hub(city)?, &["癸一", "癸二"]);
    Ok(())
}
