//! Letter numbers: given out without a line, never twice, and every gap has its reason.

use anyhow::Context as _;
use domain::checks::date::china_date_of;
use serde_json::Value;
use tests::harness::{City, wait_for};

use crate::support::{Stage, back_up, begin_transfer, code_for_another, enter_member, text};

/// The office that issues its own letters, and a branch of it.
const EAST: &str = "350102001001";
const BRANCH: &str = "35010200100101";
const DAY_S: i64 = 24 * 3600;
/// In which time a node must connect to have its certificate renewed.
const RENEWED_WITHIN_S: i64 = 120 * DAY_S;

/// Lets an organisation of the first office issue letters, and waits until its node has numbers.
fn make_issuer(city: &City, code: &str) -> anyhow::Result<()> {
    let listed = ["list", "organisation", "--where", &format!("code={code}")];
    let found = city.hub(&listed)?.done()?.json();
    let id = text(&found[0]["id"]);
    let record = format!("organisation/{id}");
    city.hub(&["set", &record, "can_admit_members=1"])?.done()?;
    wait_for("the office has numbers", 60, || {
        let left = left_at(city, &id)?;
        Ok((left > 0).then_some(()))
    })
}

fn left_at(city: &City, issuer: &str) -> anyhow::Result<u64> {
    let status = city.node(0, &["status"])?.done()?.json();
    let all = status["letter_numbers"].as_array().cloned();
    let lines = all.unwrap_or_default();
    let of_issuer = |line: &&Value| line["issuer_id"] == issuer;
    let left = lines.iter().filter(of_issuer).map(|line| &line["left"]);
    Ok(left.filter_map(Value::as_u64).sum())
}

/// Cases of the first office that wait for the committee's approval.
fn cases(city: &City, count: usize) -> anyhow::Result<Vec<String>> {
    let mut cases = Vec::new();
    for number in 0..count {
        let member = enter_member(city, &[&format!("name=编号人{number}")])?;
        let case = begin_transfer(city, &member)?;
        for event in ["submit", "approve_branch"] {
            city.node(0, &["transfer", "step", &case, event])?.done()?;
        }
        cases.push(case);
    }
    city.settle_down(0)?;
    Ok(cases)
}

fn approval(case: &str) -> [&str; 5] {
    ["transfer", "step", case, "approve", "valid_days=30"]
}

/// Approves a case at the first office; the number that the letter gets.
fn approve(city: &City, case: &str) -> anyhow::Result<String> {
    let answer = city.node(0, &approval(case))?.done()?.json();
    Ok(text(&answer["letter_number"]))
}

/// Approves a case at the desk for an organisation; the number that the letter gets.
fn approve_at_desk(city: &City, case: &str, code: &str) -> anyhow::Result<String> {
    let step = [&approval(case)[..], &["--as", code]].concat();
    let answer = city.hub(&step)?.done()?.json();
    Ok(text(&answer["letter_number"]))
}

fn number(year: u16, serial: u32) -> String {
    format!("〔{year}〕第{serial:06}号")
}

/// The year of the first lease: now.
fn this_year(city: &City) -> anyhow::Result<u16> {
    let list = leases(city)?;
    let year = list.first().context("a lease")?["year"].as_u64();
    Ok(u16::try_from(year.context("a year")?)?)
}

fn leases(city: &City) -> anyhow::Result<Vec<Value>> {
    let list = city.hub(&["lease", "list"])?.done()?.json();
    Ok(list.as_array().cloned().unwrap_or_default())
}

/// The block of the books that begins with a number.
fn block(city: &City, year: u16, first: u32) -> anyhow::Result<Value> {
    let all = leases(city)?;
    let wanted = all
        .iter()
        .find(|line| line["year"] == year && line["first"] == first);
    Ok(wanted
        .with_context(|| format!("no block {first}: {all:?}"))?
        .clone())
}

/// Number and state of every letter at the hub, by number.
fn letters(city: &City) -> anyhow::Result<Vec<(String, String)>> {
    let list = city.hub(&["list", "letter"])?.done()?.json();
    let all = list.as_array().cloned().unwrap_or_default();
    let mut pairs: Vec<_> = all
        .iter()
        .map(|letter| (text(&letter["number"]), text(&letter["state"])))
        .collect();
    pairs.sort();
    Ok(pairs)
}

/// The only change at the hub that waits for a person.
fn the_task(city: &City) -> anyhow::Result<Value> {
    let held = wait_for("a task at the desk", 60, || {
        let held = city.hub(&["quarantine"])?.done()?.json();
        Ok((held.as_array().map(Vec::len) == Some(1)).then_some(held))
    })?;
    let note = text(&held[0]["id"]);
    Ok(city.hub(&["quarantine", "show", &note])?.done()?.json())
}

#[test]
fn numbers_are_given_without_a_line_and_follow_one_another() -> anyhow::Result<()> {
    let stage = Stage::with_offices(2)?;
    let city = &stage.city;
    make_issuer(city, EAST)?;
    let year = this_year(city)?;
    let cases = cases(city, 6)?;
    city.office(0)?.line.cut();
    for (case, serial) in cases.iter().zip(1..=3) {
        assert_eq!(approve(city, case)?, number(year, serial));
    }
    // Paper stock is still taken, in its own place; not out of what the machine will give itself.
    let by_hand = |text: &str| {
        let given = format!("letter_number={text}");
        city.node(0, &[&approval(&cases[3])[..], &[&given]].concat())
    };
    for (refused, code) in [("示范-7", "LET-004"), (&*format!("{year}-50"), "号段")] {
        let reply = by_hand(refused)?;
        assert_eq!(reply.code, 1, "{refused}");
        assert!(reply.err.contains(code), "{refused}: {}", reply.err);
    }
    by_hand(&format!("示范-{year}-0700"))?.done()?;
    // While the office had no line the desk withdrew a case: the letter printed there is void.
    let withdraw = ["transfer", "step", &cases[2], "withdraw", "--as", EAST];
    city.hub(&withdraw)?.done()?;
    // The desk counts in a block of its own.
    assert_eq!(
        approve_at_desk(city, &cases[4], EAST)?,
        number(year, 101),
        "the desk's first"
    );
    city.office(0)?.line.restore();
    city.prove_equality()?;
    let mut wanted = vec![
        (number(year, 1), "ISSUED".to_owned()),
        (number(year, 2), "ISSUED".to_owned()),
        (number(year, 3), "VOID".to_owned()),
        (number(year, 101), "ISSUED".to_owned()),
        (format!("示范-{year}-0700"), "ISSUED".to_owned()),
    ];
    wanted.sort();
    assert_eq!(letters(city)?, wanted);
    assert_eq!(the_task(city)?["reason"], "TRF-011");
    let own = block(city, year, 1)?;
    assert_eq!((&own["next"], &own["state"]), (&4.into(), &"leased".into()));
    assert_eq!(own["without_letter"], serde_json::json!([]));
    assert_eq!(approve(city, &cases[5])?, number(year, 4));
    // A year of which it has no numbers: it says what to do.
    let late = city.node_at(400 * DAY_S, 0, &approval(&cases[5]))?;
    assert_eq!(late.code, 1);
    assert!(late.err.contains("联网同步") && late.err.contains("sync"));
    Ok(())
}

#[test]
fn two_machines_of_one_issuer_and_the_desk_never_give_the_same_number() -> anyhow::Result<()> {
    let stage = Stage::with_offices(2)?;
    let city = &stage.city;
    make_issuer(city, EAST)?;
    let year = this_year(city)?;
    let cases = cases(city, 5)?;
    let second = city.folder.join("second").to_string_lossy().into_owned();
    city.machine(&second, &["init"])?.done()?;
    city.machine(&second, &["join", &code_for_another(city)?])?
        .done()?;
    // The first session reads who may issue, and asks for numbers in the next.
    for _ in 0..2 {
        city.machine(&second, &["sync"])?.done()?;
    }
    city.office(0)?.line.cut();
    let mut given = vec![approve(city, &cases[0])?, approve(city, &cases[1])?];
    for case in &cases[2..4] {
        let answer = city.machine(&second, &approval(case))?.done()?.json();
        given.push(text(&answer["letter_number"]));
    }
    given.push(approve_at_desk(city, &cases[4], EAST)?);
    let wanted = [1, 2, 101, 102, 201].map(|serial| number(year, serial));
    assert_eq!(given, wanted);
    city.office(0)?.line.restore();
    city.machine(&second, &["sync"])?.done()?;
    city.prove_equality()?;
    let issued = letters(city)?;
    assert_eq!(issued.len(), 5, "{issued:?}");
    assert!(issued.iter().all(|(_, state)| state == "ISSUED"));
    Ok(())
}

#[test]
fn a_database_put_back_from_a_backup_gives_no_number_twice_and_the_rest_is_void()
-> anyhow::Result<()> {
    let mut stage = Stage::with_offices(2)?;
    let city = &mut stage.city;
    make_issuer(city, EAST)?;
    let year = this_year(city)?;
    let cases = cases(city, 5)?;
    city.kill_office(0)?;
    let backup = city.folder.join("node.backup");
    let backup = backup.to_string_lossy().into_owned();
    city.node(0, &["backup", &backup])?.done()?;
    for (case, serial) in cases.iter().zip(1..=2) {
        assert_eq!(approve(city, case)?, number(year, serial));
    }
    city.node(0, &["sync"])?.done()?;
    // Printed, and lost with the database.
    assert_eq!(approve(city, &cases[2])?, number(year, 3));
    city.node(0, &["restore", &backup])?.done()?;
    assert_eq!(
        approve(city, &cases[3])?,
        number(year, 4),
        "the mark beside the keys knows better than the database"
    );
    city.start_office(0)?;
    city.prove_equality()?;
    let old = block(city, year, 1)?;
    assert_eq!(old["state"], "void", "{old}");
    assert_eq!(old["reason"], "new_epoch");
    assert_eq!(
        (&old["void_from"], &old["void_to"]),
        (&5.into(), &100.into())
    );
    assert!(!text(&old["reason_zh"]).is_empty() && !text(&old["reason_en"]).is_empty());
    assert_eq!(old["without_letter"], serde_json::json!([3]));
    assert_eq!(approve(city, &cases[4])?, number(year, 101));
    city.prove_equality()?;
    // The printed letter that was lost: a person says so, and its number is accounted for.
    let spoilt = format!("{year}-3");
    let void = [
        "lease",
        "void",
        &spoilt,
        "--as",
        EAST,
        "--why",
        "系统恢复前打印",
    ];
    city.hub(&void)?.done()?;
    assert_eq!(city.hub(&void)?.code, 1, "once");
    assert_eq!(
        block(city, year, 1)?["without_letter"],
        serde_json::json!([])
    );
    let states = letters(city)?;
    let serials = [1, 2, 3, 4, 101].map(|serial| number(year, serial));
    let found: Vec<_> = states.iter().map(|(number, _)| number.clone()).collect();
    assert_eq!(found, serials);
    assert_eq!(states[2].1, "VOID");
    city.prove_equality()?;
    Ok(())
}

#[test]
fn a_number_that_a_copied_folder_gives_a_second_time_is_set_aside_with_a_task() -> anyhow::Result<()>
{
    let mut stage = Stage::with_offices(2)?;
    let city = &mut stage.city;
    make_issuer(city, EAST)?;
    let year = this_year(city)?;
    let cases = cases(city, 3)?;
    city.kill_office(0)?;
    let copy = city.copy_office(0, "copy")?;
    assert_eq!(approve(city, &cases[0])?, number(year, 1));
    let at_copy = city.machine(&copy, &approval(&cases[1]))?.done()?.json();
    assert_eq!(text(&at_copy["letter_number"]), number(year, 1));
    city.node(0, &["sync"])?.done()?;
    city.machine(&copy, &["sync"])?.done()?;
    let task = the_task(city)?;
    assert_eq!(task["reason"], "LET-002", "{task}");
    assert!(!text(&task["reason_zh"]).is_empty() && !text(&task["reason_en"]).is_empty());
    assert_eq!(task["holds"]["fields"]["letter_number"], number(year, 1));
    // Its writer sees it too, and the case is where it was.
    let seen = city.machine(&copy, &["quarantine"])?.done()?.json();
    assert_eq!(seen[0]["reason"], "LET-002");
    let case = city.hub(&["transfer", "show", &cases[1]])?.done()?.json();
    assert_eq!(case["state"], "COMMITTEE_REVIEW");
    // From now on they cannot meet: the copy has numbers of its own.
    let next = city.machine(&copy, &approval(&cases[1]))?.done()?.json();
    assert_eq!(text(&next["letter_number"]), number(year, 101));
    city.machine(&copy, &["sync"])?.done()?;
    let wanted = [1, 101].map(|serial| (number(year, serial), "ISSUED".to_owned()));
    assert_eq!(letters(city)?, wanted);
    city.hub(&["verify"])?.done()?;
    Ok(())
}

#[test]
fn a_hub_restored_from_an_old_backup_leases_no_number_twice() -> anyhow::Result<()> {
    let mut stage = Stage::with_offices(2)?;
    let city = &mut stage.city;
    make_issuer(city, EAST)?;
    let year = this_year(city)?;
    let cases = cases(city, 5)?;
    city.prove_equality()?;
    let backup = back_up(city, "hub.backup")?;
    // After the backup: the desk begins a block, and the branch becomes an issuer with another.
    assert_eq!(approve_at_desk(city, &cases[0], EAST)?, number(year, 101));
    make_issuer(city, BRANCH)?;
    city.prove_equality()?;
    city.kill_hub()?;
    let of_branch = format!("organisation={BRANCH}");
    let step = [&approval(&cases[1])[..], &[&of_branch]].concat();
    let answer = city.node(0, &step)?.done()?.json();
    assert_eq!(text(&answer["letter_number"]), number(year, 1));
    city.hub(&["restore", &backup])?.done()?;
    city.start_hub()?;
    city.prove_equality()?;
    let of = |name: &str| -> anyhow::Result<Vec<Value>> {
        let all = leases(city)?;
        Ok(all.into_iter().filter(|l| l["issuer"] == name).collect())
    };
    let branch = of("东湖一支部")?;
    assert_eq!(branch[0]["state"], "leased", "as the node said: {branch:?}");
    assert_eq!(
        (&branch[0]["first"], &branch[0]["next"]),
        (&1.into(), &2.into())
    );
    assert_eq!(approve_at_desk(city, &cases[2], BRANCH)?, number(year, 101));
    assert_eq!(approve_at_desk(city, &cases[3], EAST)?, number(year, 201));
    let unknown = of("东湖社区")?;
    let unknown = unknown.iter().find(|line| line["state"] == "unknown");
    let unknown = unknown.context("what the backup knew nothing of")?;
    assert_eq!(
        (&unknown["first"], &unknown["last"]),
        (&102.into(), &200.into())
    );
    assert_eq!(
        approve(city, &cases[4])?,
        number(year, 1),
        "of the office's own block"
    );
    city.prove_equality()?;
    let issued = letters(city)?;
    assert_eq!(issued.len(), 5, "{issued:?}");
    assert!(issued.iter().all(|(_, state)| state == "ISSUED"));
    Ok(())
}

#[test]
fn a_hub_that_lost_its_register_too_leases_far_behind_what_it_cannot_know() -> anyhow::Result<()> {
    let mut stage = Stage::with_offices(2)?;
    let city = &mut stage.city;
    let cases = cases(city, 2)?;
    city.prove_equality()?;
    let backup = back_up(city, "hub.backup")?;
    make_issuer(city, EAST)?;
    let year = this_year(city)?;
    city.settle_down(1)?;
    city.kill_office(0)?;
    assert_eq!(approve(city, &cases[0])?, number(year, 1));
    city.kill_hub()?;
    std::fs::remove_file(city.folder.join("hub").join("register.txt"))?;
    city.hub(&["restore", &backup])?.done()?;
    city.start_hub()?;
    // The other office tells who may issue; the one with the numbers is not heard.
    wait_for("the other office is heard", 60, || {
        let status = city.hub(&["recovery", "status"])?.done()?.json();
        Ok((status["not_heard"].as_array().map(Vec::len) == Some(1)).then_some(()))
    })?;
    city.hub(&["recovery", "end"])?.done()?;
    assert_eq!(approve_at_desk(city, &cases[1], EAST)?, number(year, 1001));
    city.start_office(0)?;
    city.prove_equality()?;
    let own = block(city, year, 1)?;
    assert_eq!((&own["state"], &own["next"]), (&"leased".into(), &2.into()));
    let wanted = [1, 1001].map(|serial| (number(year, serial), "ISSUED".to_owned()));
    assert_eq!(letters(city)?, wanted);
    Ok(())
}

#[test]
fn a_new_year_brings_new_numbers_and_voids_the_rest_of_the_old() -> anyhow::Result<()> {
    let mut stage = Stage::with_offices(2)?;
    let city = &mut stage.city;
    make_issuer(city, EAST)?;
    let year = this_year(city)?;
    let cases = cases(city, 3)?;
    city.office(0)?.line.cut();
    assert_eq!(approve(city, &cases[0])?, number(year, 1));
    city.kill_office(0)?;
    city.kill_hub()?;
    city.office(0)?.line.restore();
    // Into the next year, wherever this one stands; on the way certificates are renewed.
    let today = china_date_of(system::now_ms().cast_signed());
    let ahead = (368 - i64::from(today.day_of_year())) * DAY_S;
    let mut at = 0;
    while at + RENEWED_WITHIN_S < ahead {
        at += RENEWED_WITHIN_S;
        city.start_hub_at(at)?;
        city.node_at(at, 0, &["sync"])?.done()?;
        city.kill_hub()?;
    }
    city.start_hub_at(ahead)?;
    city.start_office_at(ahead, 0)?;
    wait_for("numbers of the new year", 60, || {
        let all = leases(city)?;
        Ok(all
            .iter()
            .any(|line| line["year"] == year + 1)
            .then_some(()))
    })?;
    city.settle_down(0)?;
    let old = block(city, year, 1)?;
    assert_eq!(old["reason"], "year_over", "{old}");
    assert_eq!(
        (&old["void_from"], &old["void_to"]),
        (&2.into(), &100.into())
    );
    let answer = city.node_at(ahead, 0, &approval(&cases[1]))?.done()?.json();
    assert_eq!(text(&answer["letter_number"]), number(year + 1, 1));
    city.settle_down(0)?;
    let desk = [&approval(&cases[2])[..], &["--as", EAST]].concat();
    let desk = city.hub_at(ahead, &desk)?.done()?.json();
    assert_eq!(text(&desk["letter_number"]), number(year + 1, 101));
    let issued = letters(city)?;
    assert_eq!(issued.len(), 3, "{issued:?}");
    Ok(())
}

#[test]
fn the_rest_of_a_revoked_offices_numbers_is_void() -> anyhow::Result<()> {
    let stage = Stage::with_offices(2)?;
    let city = &stage.city;
    make_issuer(city, EAST)?;
    let year = this_year(city)?;
    let cases = cases(city, 2)?;
    assert_eq!(approve(city, &cases[0])?, number(year, 1));
    city.settle_down(0)?;
    city.hub(&["office", "revoke", EAST])?.done()?;
    let old = block(city, year, 1)?;
    assert_eq!(
        (&old["state"], &old["reason"]),
        (&"void".into(), &"revoked".into())
    );
    assert_eq!(
        (&old["void_from"], &old["void_to"]),
        (&2.into(), &100.into())
    );
    assert_eq!(approve_at_desk(city, &cases[1], EAST)?, number(year, 101));
    // Enrolled again it gets others.
    city.join(0)?;
    wait_for("new numbers", 60, || {
        let all = leases(city)?;
        let is_new = |l: &Value| l["first"] == 201 && l["state"] == "leased";
        Ok(all.iter().any(is_new).then_some(()))
    })?;
    Ok(())
}
