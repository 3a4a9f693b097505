//! Stores that were rolled back or copied (`sync.md` 4): nothing is lost, nothing counts twice, and
//! node and hub are equal in the end.

use tests::harness::wait_for;

use crate::support::{
    Stage, code_for_another, computer, copy_behind, enter, expect_names, expect_no_conflicts,
    names_at, names_at_hub,
};

#[test]
fn invariant_6_a_rolled_back_store_gets_its_own_lost_changes_back_and_agrees() -> anyhow::Result<()>
{
    let mut stage = Stage::with_offices(1)?;
    let city = &mut stage.city;
    enter(city, 0, "甲一")?;
    city.settle_down(0)?;
    let old = copy_behind(city, "甲二")?;
    city.roll_back(0, &old)?;
    expect_names(&names_at(city, 0)?, &["甲一"]);
    city.start_office(0)?;
    city.settle_down(0)?;
    expect_names(&names_at(city, 0)?, &["甲一", "甲二"]);
    enter(city, 0, "甲三")?;
    city.prove_equality()?;
    expect_names(&names_at_hub(city)?, &["甲一", "甲二", "甲三"]);
    let status = city.node(0, &["status"])?.done()?.json();
    assert_eq!(
        status["epoch"], 2,
        "it goes on in an epoch of its own: {status}"
    );
    Ok(())
}

#[test]
fn what_a_rolled_back_store_entered_before_it_greeted_is_written_anew() -> anyhow::Result<()> {
    let mut stage = Stage::with_offices(1)?;
    let city = &mut stage.city;
    let first = enter(city, 0, "乙一")?;
    city.settle_down(0)?;
    let old = copy_behind(city, "乙二")?;
    city.roll_back(0, &old)?;
    // Offline after the rollback: the same places are filled with other changes, and more of them.
    enter(city, 0, "乙三")?;
    city.node(0, &["set", &first, "phone=13900000003"])?
        .done()?;
    city.node(0, &["set", &first, "phone=13900000004"])?
        .done()?;
    city.start_office(0)?;
    city.prove_equality()?;
    expect_names(&names_at_hub(city)?, &["乙一", "乙三", "乙二"]);
    expect_names(&names_at(city, 0)?, &["乙一", "乙三", "乙二"]);
    let person = city.hub(&["get", &first])?.done()?.json();
    assert_eq!(
        person["phone"], "13900000004",
        "an edit on an edit of the tail follows it"
    );
    expect_no_conflicts(city)
}

#[test]
fn a_store_rolled_back_twice_with_the_same_unsent_changes_counts_them_once() -> anyhow::Result<()> {
    let mut stage = Stage::with_offices(1)?;
    let city = &mut stage.city;
    enter(city, 0, "丙一")?;
    city.settle_down(0)?;
    let before = copy_behind(city, "丙二")?;
    city.roll_back(0, &before)?;
    enter(city, 0, "丙三")?;
    let unsent = city.copy_office(0, "unsent")?;
    city.start_office(0)?;
    city.settle_down(0)?;
    city.kill_office(0)?;
    city.roll_back(0, &unsent)?;
    city.start_office(0)?;
    city.settle_down(0)?;
    city.prove_equality()?;
    expect_names(&names_at_hub(city)?, &["丙一", "丙三", "丙二"]);
    expect_names(&names_at(city, 0)?, &["丙一", "丙三", "丙二"]);
    let held = city.hub(&["quarantine"])?.done()?.json();
    assert_eq!(held.as_array().map(Vec::len), Some(0), "{held}");
    Ok(())
}

#[test]
fn of_two_copies_one_goes_on_and_the_others_changes_are_kept_until_a_person_names_one()
-> anyhow::Result<()> {
    let mut stage = Stage::with_offices(1)?;
    let city = &mut stage.city;
    let code = city.office(0)?.code;
    enter(city, 0, "丁一")?;
    city.settle_down(0)?;
    let copy = copy_behind(city, "丁二")?;
    // The copy speaks alone: it is taken for a store that was rolled back.
    let on_copy = |args: &[&str]| {
        let mut all = args.to_vec();
        all.extend(["--data", &copy, "--json"]);
        city.programs.run("lianxin-node", &all)
    };
    on_copy(&["add", "person", "name=丁三"])?.done()?;
    on_copy(&["sync"])?.done()?;
    on_copy(&["sync"])?.done()?;
    // The first machine greets again: now there are two.
    let reply = city.node(0, &["sync"])?;
    assert_eq!(
        reply.code, 0,
        "the machine whose journal is the hub's goes on: {}",
        reply.err
    );
    on_copy(&["add", "person", "name=丁四"])?.done()?;
    let refused = on_copy(&["sync"])?;
    assert_eq!(refused.code, 1, "the copy reads nothing any more");
    assert!(refused.err.contains("two machines"), "{}", refused.err);
    expect_names(&names_at_hub(city)?, &["丁一", "丁三", "丁二"]);
    let machines = city.hub(&["office", "machines", code])?.done()?.json();
    let kept = machines
        .as_array()
        .into_iter()
        .flatten()
        .find(|m| m["kept_only"] == true);
    let kept = kept.expect("the copy's journal is kept").clone();
    assert_eq!(kept["copied"], true);
    // A person names the copy: what was kept is applied, nothing of the other is taken back.
    let (node, epoch) = (
        kept["node"].as_str().unwrap_or_default(),
        kept["epoch"].to_string(),
    );
    city.hub(&["office", "machine", code, "--node", node, "--epoch", &epoch])?
        .done()?;
    on_copy(&["sync"])?.done()?;
    on_copy(&["sync"])?.done()?;
    on_copy(&["verify"])?.done()?;
    expect_names(&names_at_hub(city)?, &["丁一", "丁三", "丁二", "丁四"]);
    city.hub(&["verify"])?.done()?;
    Ok(())
}

#[test]
fn invariant_8_what_was_entered_before_the_node_was_enrolled_is_the_offices() -> anyhow::Result<()>
{
    let stage = Stage::with_offices(1)?;
    let city = &stage.city;
    let early = computer(city, "early");
    early(&["init"])?.done()?;
    let made = early(&["add", "person", "name=戊一"])?.done()?.json();
    let id = made["id"].as_str().unwrap_or_default().to_owned();
    early(&["set", &id, "phone=13900000005"])?.done()?;
    early(&["join", &code_for_another(city)?])?.done()?;
    early(&["set", &id, "phone=13900000006"])?.done()?;
    early(&["sync"])?.done()?;
    early(&["sync"])?.done()?;
    early(&["verify"])?.done()?;
    let person = city.hub(&["get", &id])?.done()?.json();
    assert_eq!(person["phone"], "13900000006");
    expect_no_conflicts(city)?;
    // The office's first machine hears of it.
    wait_for("the record at the first machine", 30, || {
        Ok((city.node(0, &["get", &id])?.code == 0).then_some(()))
    })
}
