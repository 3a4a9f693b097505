//! What leaves an office is erased there, and what told of removals is released when all have heard.

use std::path::Path;

use domain::change::Verb;
use domain::id::RecordId;
use domain::kinds::person;
use serde_json::Value;
use tests::harness::{City, wait_for};

use crate::support::{
    Stage, accept, back_up, enter, enter_member, enter_raw, expect_names, names_at, raw_change,
    send_on_the_way, text,
};

const ID_NUMBER: &str = "350102198001010011";
const DAY_S: i64 = 24 * 3600;

/// A member of the first office, known by ID number, whose letter to the second is on its way:
/// member, person, case.
fn on_the_way(city: &City) -> anyhow::Result<(String, String, String)> {
    let id_number = format!("id_number={ID_NUMBER}");
    let member = enter_member(city, &["name=迁出人", &id_number])?;
    let persons = city.node(0, &["list", "person"])?.done()?.json();
    let who = text(&persons[0]["id"]);
    city.node(0, &["set", &who, "phone=13900000005"])?.done()?;
    let case = send_on_the_way(city, &member)?;
    Ok((member, who, case))
}

/// Whether bytes stand anywhere in the files of an office's database.
fn stands_in_files(city: &City, office: usize, wanted: &str) -> anyhow::Result<bool> {
    for entry in std::fs::read_dir(Path::new(&city.office(office)?.data))? {
        let entry = entry?;
        let is_database = entry
            .file_name()
            .to_string_lossy()
            .starts_with("node.sqlite");
        let stands = |bytes: Vec<u8>| bytes.windows(wanted.len()).any(|w| w == wanted.as_bytes());
        if is_database
            && !entry
                .file_name()
                .to_string_lossy()
                .contains("before-restore")
        {
            // A log that was just emptied may be gone.
            if std::fs::read(entry.path()).is_ok_and(stands) {
                return Ok(true);
            }
        }
    }
    Ok(false)
}

fn wait_until_erased(city: &City) -> anyhow::Result<()> {
    wait_for("nothing of the person at the origin", 60, || {
        city.settle_down(0)?;
        let status = city.node(0, &["status"])?.done()?.json();
        let is_erased = status["erasing"] == 0 && !stands_in_files(city, 0, ID_NUMBER)?;
        Ok(is_erased.then_some(()))
    })
}

fn statements(city: &City, id: &str) -> anyhow::Result<Vec<Value>> {
    let shown = city.hub(&["get", id])?.done()?.json();
    Ok(shown["erased_by"].as_array().cloned().unwrap_or_default())
}

#[test]
fn a_member_who_was_accepted_elsewhere_is_erased_at_the_origin_and_its_chain_stays_whole()
-> anyhow::Result<()> {
    let mut stage = Stage::with_offices(2)?;
    let city = &mut stage.city;
    let (member, who, case) = on_the_way(city)?;
    assert!(stands_in_files(city, 0, ID_NUMBER)?);
    city.kill_office(0)?;
    let old = city.copy_office(0, "old")?;
    city.start_office(0)?;
    enter(city, 0, "后来人")?;
    accept(city, &case)?;
    // The row is gone; the journal is the only other copy until the hub has a backup.
    city.settle_down(0)?;
    assert!(city.node(0, &["get", &who])?.done().is_err());
    let waiting = city.node(0, &["status"])?.done()?.json();
    assert_eq!(waiting["erasing"], 2, "member and person wait: {waiting}");
    assert!(stands_in_files(city, 0, ID_NUMBER)?);
    back_up(city, "hub.backup")?;
    wait_until_erased(city)?;
    city.prove_equality()?;
    for id in [&member, &who] {
        let stated = statements(city, id)?;
        assert_eq!(stated.len(), 1, "{stated:?}");
        assert!(stated[0]["changes"].as_u64() >= Some(1), "{stated:?}");
    }
    let stubs = city.node(0, &["list", "stub"])?.done()?.json();
    assert_eq!(stubs[0]["name"], "迁出人", "{stubs}");
    let history = city.hub(&["history", &who])?.done()?.json();
    let is_stated = |line: &Value| line["erased_by"].is_object();
    assert!(history.as_array().into_iter().flatten().any(is_stated));
    expect_names(&names_at(city, 1)?, &["迁出人"]);
    let there = city.node(1, &["list", "person"])?.done()?.json();
    assert!(text(&there[0]["id"]) != who, "a record of its own: {there}");

    // An older copy of the store brings everything back, and it is erased again.
    city.kill_office(0)?;
    city.roll_back(0, &old)?;
    assert!(stands_in_files(city, 0, ID_NUMBER)?);
    city.start_office(0)?;
    back_up(city, "hub.backup.2")?;
    wait_until_erased(city)?;
    city.prove_equality()?;
    let stated = statements(city, &who)?;
    assert_eq!(stated.len(), 2, "{stated:?}");
    assert_eq!(stated[0]["digest"], stated[1]["digest"], "the same changes");
    expect_names(&names_at(city, 0)?, &["后来人"]);
    Ok(())
}

/// S13: a restored hub that has lost the move gives the person back; what waited to be erased is not erased then.
#[test]
fn who_comes_back_with_a_restored_hub_is_not_erased() -> anyhow::Result<()> {
    let mut stage = Stage::with_offices(2)?;
    let city = &mut stage.city;
    city.prove_equality()?;
    let backup = back_up(city, "hub.backup")?;
    let (_, who, case) = on_the_way(city)?;
    accept(city, &case)?;
    city.settle_down(0)?;
    assert!(city.node(0, &["get", &who])?.done().is_err());
    let waiting = city.node(0, &["status"])?.done()?.json();
    assert_eq!(waiting["erasing"], 2, "member and person wait: {waiting}");
    // Nobody can prove anything to a hub that does not wait for it.
    city.kill_hub()?;
    city.hub(&["restore", &backup])?.done()?;
    city.hub(&["recovery", "end"])?.done()?;
    city.start_hub()?;
    city.prove_equality()?;
    back_up(city, "hub.backup.2")?;
    city.prove_equality()?;
    city.prove_equality()?;
    let shown = city.node(0, &["get", &who])?.done()?.json();
    assert_eq!(shown["name"], "迁出人", "{shown}");
    city.node(0, &["verify"])?.done()?;
    Ok(())
}

fn release_of(city: &City, days: i64) -> anyhow::Result<Value> {
    let status = city.hub_at(days * DAY_S, &["status"])?.done()?.json();
    Ok(status["release"].clone())
}

fn start_at(city: &mut City, days: i64) -> anyhow::Result<()> {
    city.start_hub_at(days * DAY_S)?;
    city.start_office_at(days * DAY_S, 0)?;
    city.settle_down(0)
}

fn stop(city: &mut City) -> anyhow::Result<()> {
    city.kill_office(0)?;
    city.kill_hub()
}

#[test]
fn a_deleted_record_is_released_when_all_have_heard_and_its_id_never_lives_again()
-> anyhow::Result<()> {
    let mut stage = Stage::with_offices(1)?;
    let city = &mut stage.city;
    enter(city, 0, "留下")?;
    let gone = enter(city, 0, "删去")?;
    city.prove_equality()?;
    let backup = city
        .folder
        .join("node.backup")
        .to_string_lossy()
        .into_owned();
    city.node(0, &["backup", &backup])?.done()?;
    city.node(0, &["delete", &gone])?.done()?;
    city.prove_equality()?;
    let kept = release_of(city, 0)?;
    assert_eq!((&kept["tombstones"], &kept["due"]), (&1.into(), &0.into()));
    assert!(city.hub(&["get", &gone])?.done().is_ok(), "values are kept");
    stop(city)?;
    start_at(city, 401)?;
    wait_for("the tombstone is released", 60, || {
        city.settle_down(0)?;
        let kept = release_of(city, 401)?;
        Ok((kept["tombstones"] == 0).then_some(()))
    })?;
    city.prove_equality()?;
    assert!(city.hub(&["get", &gone])?.done().is_err());
    assert!(city.node(0, &["get", &gone])?.done().is_err());
    let register = std::fs::read_to_string(Path::new(&city.hub_data).join("register.txt"))?;
    assert!(register.contains("purged"), "{register}");
    city.kill_office(0)?;
    let id = RecordId::parse(&gone).expect("an id");
    let again: &[(u16, &[u8])] = &[(person::NAME, "又来".as_bytes())];
    let again = raw_change((person::KIND_NUMBER, id), Verb::Create, again);
    enter_raw(city, 0, vec![again])?;
    city.start_office_at(401 * DAY_S, 0)?;
    let note = wait_for("the refusal", 60, || {
        let held = city.node(0, &["quarantine"])?.done()?.json();
        Ok(held.get(0).cloned())
    })?;
    assert_eq!(note["reason"], "purged", "{note}");
    city.prove_equality()?;

    // The entry that told of it goes too; an older store reads past it and finds what was removed.
    stop(city)?;
    start_at(city, 802)?;
    wait_for("the entry is released", 60, || {
        city.settle_down(0)?;
        Ok((release_of(city, 802)?["leave_entries"] == 0).then_some(()))
    })?;
    city.prove_equality()?;
    city.kill_office(0)?;
    city.node(0, &["restore", &backup])?.done()?;
    expect_names(&names_at(city, 0)?, &["删去", "留下"]);
    city.start_office_at(802 * DAY_S, 0)?;
    wait_for("what was removed is removed here", 60, || {
        city.settle_down(0)?;
        Ok((names_at(city, 0)?.len() == 1).then_some(()))
    })?;
    city.prove_equality()?;
    expect_names(&names_at(city, 0)?, &["留下"]);
    let recovery = city.hub(&["recovery", "status"])?.done()?.json();
    assert_eq!(
        recovery["evidence"].as_array().map(Vec::len),
        Some(0),
        "{recovery}"
    );
    Ok(())
}

#[test]
fn a_node_that_was_away_holds_up_a_release_is_named_and_catches_up() -> anyhow::Result<()> {
    let mut stage = Stage::with_offices(2)?;
    let city = &mut stage.city;
    enter(city, 0, "留下")?;
    let gone = enter(city, 0, "删去")?;
    city.prove_equality()?;
    city.node(0, &["delete", &gone])?.done()?;
    city.settle_down(0)?;
    city.kill_office(0)?;
    let who = text(
        &city
            .hub(&["list", "person", "--where", "name=留下"])?
            .done()?
            .json()[0]["id"],
    );
    city.hub(&["set", &format!("person/{who}"), "phone=13900000006"])?
        .done()?;
    city.kill_office(1)?;
    city.kill_hub()?;
    city.start_hub_at(500 * DAY_S)?;
    city.start_office_at(500 * DAY_S, 1)?;
    city.settle_down(1)?;
    let kept = release_of(city, 500)?;
    assert_eq!((&kept["tombstones"], &kept["due"]), (&1.into(), &1.into()));
    let blocked = kept["blocked_by"].as_array().cloned().unwrap_or_default();
    let codes: Vec<_> = blocked.iter().map(|node| text(&node["code"])).collect();
    assert_eq!(codes, ["350102001001"], "{kept}");
    city.start_office_at(500 * DAY_S, 0)?;
    city.prove_equality()?;
    let shown = city.node(0, &["get", &who])?.done()?.json();
    assert_eq!(shown["phone"], "13900000006", "{shown}");
    // What it has read it shows with its next cursor; an hour later that is noted.
    city.kill_office(0)?;
    city.kill_office(1)?;
    city.kill_hub()?;
    city.start_hub_at(501 * DAY_S)?;
    for office in [0, 1] {
        city.start_office_at(501 * DAY_S, office)?;
    }
    wait_for("the tombstone is released", 60, || {
        city.settle_down(0)?;
        Ok((release_of(city, 501)?["tombstones"] == 0).then_some(()))
    })?;
    city.prove_equality()?;
    Ok(())
}
