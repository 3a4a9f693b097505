//! The rules of merging (`shared/docs/protocol.md`), between a desk and an office whose line is cut.

use domain::change::{Body, Group, Header, Verb};
use domain::id::RecordId;
use domain::kinds::person;
use serde_json::Value;
use tests::harness::{City, wait_for};

use crate::support::{
    Stage, begin_transfer, enter, enter_member, enter_raw, expect_names, expect_no_conflicts,
    names_at, names_at_hub, raw_change, text,
};

/// Lets an office and the desk write without seeing each other; the open conflicts after.
fn apart(city: &City, at_office: &[&[&str]], at_desk: &[&[&str]]) -> anyhow::Result<Vec<Value>> {
    city.office(0)?.line.cut();
    for command in at_office {
        city.node(0, command)?.done()?;
    }
    for command in at_desk {
        city.hub(command)?.done()?;
    }
    city.office(0)?.line.restore();
    city.prove_equality()?;
    let items = city.hub(&["conflicts"])?.done()?.json();
    Ok(items.as_array().cloned().unwrap_or_default())
}

#[test]
fn the_same_value_in_two_places_is_no_conflict() -> anyhow::Result<()> {
    let stage = Stage::with_offices(1)?;
    let city = &stage.city;
    let id = enter(city, 0, "规则二")?;
    city.settle_down(0)?;
    let key = format!("person/{id}");
    let items = apart(
        city,
        &[&["set", &id, "phone=13900000011"]],
        &[&["set", &key, "phone=13900000011"]],
    )?;
    assert!(items.is_empty(), "{items:?}");
    // Later edits stand on the value, whoever had it first.
    city.node(0, &["set", &id, "phone=13900000012"])?.done()?;
    city.prove_equality()?;
    assert_eq!(
        city.hub(&["get", &id])?.done()?.json()["phone"],
        "13900000012"
    );
    expect_no_conflicts(city)
}

#[test]
fn invariant_5_an_edit_on_a_value_that_lost_replaces_it_in_the_same_item() -> anyhow::Result<()> {
    let stage = Stage::with_offices(1)?;
    let city = &stage.city;
    let id = enter(city, 0, "规则四")?;
    city.settle_down(0)?;
    let key = format!("person/{id}");
    let items = apart(
        city,
        &[&["set", &id, "post=网格员"], &["set", &id, "post=网格长"]],
        &[&["set", &key, "post=楼长"]],
    )?;
    assert_eq!(items.len(), 1, "{items:?}");
    assert_eq!(items[0]["winner"], "楼长", "the desk wrote later");
    assert_eq!(items[0]["loser"], "网格长");
    // The loser comes back, and an edit on top of it is no conflict.
    city.node(0, &["settle", &text(&items[0]["id"]), "--keep", "loser"])?
        .done()?;
    city.settle_down(0)?;
    city.node(0, &["set", &id, "post=书记助理"])?.done()?;
    city.prove_equality()?;
    assert_eq!(city.hub(&["get", &id])?.done()?.json()["post"], "书记助理");
    expect_no_conflicts(city)
}

#[test]
fn a_deletion_that_has_not_seen_an_edit_becomes_a_request() -> anyhow::Result<()> {
    let stage = Stage::with_offices(1)?;
    let city = &stage.city;
    let id = enter(city, 0, "规则五")?;
    city.settle_down(0)?;
    let key = format!("person/{id}");
    let items = apart(
        city,
        &[&["delete", &id]],
        &[&["set", &key, "phone=13900000013"]],
    )?;
    assert_eq!(items.len(), 1, "{items:?}");
    let record = city.node(0, &["get", &id])?.done()?.json();
    assert_eq!(record["alive"], true, "the record lives: {record}");
    assert_eq!(record["phone"], "13900000013");
    // Granted, it is a tombstone that keeps its values, and can come back.
    city.node(0, &["settle", &text(&items[0]["id"]), "--keep", "loser"])?
        .done()?;
    city.prove_equality()?;
    assert_eq!(city.hub(&["get", &id])?.done()?.json()["alive"], false);
    city.node(0, &["restore-record", &id])?.done()?;
    city.prove_equality()?;
    let record = city.hub(&["get", &id])?.done()?.json();
    assert_eq!(
        (&record["alive"], &record["phone"]),
        (&true.into(), &"13900000013".into())
    );
    Ok(())
}

#[test]
fn a_change_that_names_an_unknown_record_waits_and_is_decided_by_itself() -> anyhow::Result<()> {
    let stage = Stage::with_offices(1)?;
    let city = &stage.city;
    let branch = domain::id::derived_id("lianxin organisation", &[b"35010200100177"]);
    let branch = format!("branch={branch}");
    let member = [
        "add",
        "member",
        "name=规则六",
        "category=full",
        "status=FULL",
        "join_date=2019-07-01",
        &branch,
    ];
    let id = text(&city.node(0, &member)?.done()?.json()["id"]);
    city.node(0, &["set", &id, "duty=组织委员"])?.done()?;
    wait_for("the change at the hub", 30, || {
        let waiting = city
            .hub(&["list", "set_aside", "--where", "state=waiting"])?
            .done()?
            .json();
        Ok(waiting.as_array().filter(|list| list.len() == 2).map(drop))
    })?;
    assert_eq!(city.hub(&["get", &id])?.code, 1, "it is not applied");
    let shown = city.node(0, &["get", &id])?.done()?.json();
    assert_eq!(
        shown["duty"], "组织委员",
        "the office works on with it: {shown}"
    );
    let table = city.folder.join("more.csv");
    std::fs::write(
        &table,
        "编码,名称,类型,上级编码\n35010200100177,第七支部,党支部,350102001001\n",
    )?;
    city.hub(&["org", "import", &table.to_string_lossy()])?
        .done()?;
    city.prove_equality()?;
    let member = city.hub(&["get", &id])?.done()?.json();
    assert_eq!(member["duty"], "组织委员");
    let waiting = city
        .hub(&["list", "set_aside", "--where", "state=waiting"])?
        .done()?
        .json();
    assert_eq!(waiting.as_array().map(Vec::len), Some(0), "{waiting}");
    Ok(())
}

#[test]
fn fields_that_belong_together_have_one_winner_and_one_item() -> anyhow::Result<()> {
    let stage = Stage::with_offices(1)?;
    let city = &stage.city;
    let id = enter(city, 0, "规则七")?;
    city.node(
        0,
        &[
            "set",
            &id,
            "work_unit=甲厂",
            "credit_code=91350100MA00000001",
        ],
    )?
    .done()?;
    city.settle_down(0)?;
    let key = format!("person/{id}");
    let items = apart(
        city,
        &[&["set", &id, "work_unit=乙厂"]],
        &[&["set", &key, "credit_code=91350100MA00000002"]],
    )?;
    assert_eq!(items.len(), 1, "unit and code are judged as one: {items:?}");
    let record = city.hub(&["get", &id])?.done()?.json();
    assert_eq!(record["work_unit"], "甲厂", "no mixture: {record}");
    assert_eq!(record["credit_code"], "91350100MA00000002");
    assert!(text(&items[0]["loser"]).contains("乙厂"), "{items:?}");
    // And where the record has had neither of them.
    let id = enter(city, 0, "规则七空")?;
    city.settle_down(0)?;
    let key = format!("person/{id}");
    let items = apart(
        city,
        &[&["set", &id, "work_unit=丙厂"]],
        &[&["set", &key, "credit_code=91350100MA00000003"]],
    )?;
    let of_this = items.iter().filter(|item| text(&item["record"]) == id);
    assert_eq!(of_this.count(), 1, "judged as one: {items:?}");
    let record = city.hub(&["get", &id])?.done()?.json();
    let there = ["work_unit", "credit_code"].map(|field| record[field].is_string());
    assert_eq!(there, [false, true], "no mixture: {record}");
    city.settle_down(0)?;
    city.prove_equality()?;
    Ok(())
}

#[test]
fn steps_that_follow_each_other_at_once_find_the_state_that_the_one_before_made()
-> anyhow::Result<()> {
    let stage = Stage::with_offices(2)?;
    let city = &stage.city;
    for round in 0..12 {
        let member = enter_member(city, &[&format!("name=连办{round}")])?;
        let case = begin_transfer(city, &member)?;
        // While the line is up and the hub decides between the commands, at whatever moment.
        for event in ["submit", "approve_branch", "withdraw"] {
            std::thread::sleep(std::time::Duration::from_millis(round * 12));
            city.node(0, &["transfer", "step", &case, event])?.done()?;
        }
        city.settle_down(0)?;
        assert_eq!(
            city.hub(&["get", &case])?.done()?.json()["state"],
            "WITHDRAWN"
        );
    }
    city.prove_equality()?;
    Ok(())
}

#[test]
fn one_changed_field_moves_less_than_a_kilobyte_and_no_row_comes_back() -> anyhow::Result<()> {
    let stage = Stage::with_offices(1)?;
    let city = &stage.city;
    let id = enter(city, 0, "字节")?;
    city.prove_equality()?;
    let received = || -> anyhow::Result<Value> {
        let office = city.office(0)?.code;
        let machines = city.hub(&["office", "machines", office])?.done()?.json();
        Ok(machines[0]["decided_through"].clone())
    };
    let quiet = |line: &tests::harness::Line| {
        wait_for("the line is quiet", 30, || {
            let now = line.carried();
            std::thread::sleep(std::time::Duration::from_millis(700));
            Ok((line.carried() == now).then_some(()))
        })
    };
    let mut moved = Vec::new();
    for number in 0..5 {
        let (line, post) = (&city.office(0)?.line, format!("post=网格员{number}"));
        quiet(line)?;
        let (carried, before) = (line.carried(), received()?);
        city.node(0, &["set", &id, &post])?.done()?;
        let decided = || Ok((received()? != before).then_some(()));
        wait_for("the change is decided", 30, decided)?;
        quiet(line)?;
        moved.push(line.carried() - carried);
    }
    let median = {
        moved.sort_unstable();
        moved[2]
    };
    eprintln!("bytes on the line for one changed field, TLS and all: {moved:?}");
    assert!(median < 1_024, "{moved:?}");
    Ok(())
}

#[test]
fn a_change_that_has_waited_for_thirty_days_goes_to_a_person() -> anyhow::Result<()> {
    const DAY_S: i64 = 24 * 3600;
    let stage = Stage::with_offices(1)?;
    let city = &stage.city;
    let branch = domain::id::derived_id("lianxin organisation", &[b"35010200100188"]);
    let branch = format!("branch={branch}");
    let mut member = vec![
        "add",
        "member",
        "name=规则六",
        "category=full",
        "status=FULL",
    ];
    member.extend(["join_date=2019-07-01", &branch]);
    let id = text(&city.node(0, &member)?.done()?.json()["id"]);
    let notes = |state: &str| -> anyhow::Result<Vec<Value>> {
        let filter = format!("state={state}");
        let list = city.hub(&["list", "set_aside", "--where", &filter])?;
        Ok(list.done()?.json().as_array().cloned().unwrap_or_default())
    };
    wait_for("the change waits", 30, || {
        Ok((notes("waiting")?.len() == 1).then_some(()))
    })?;
    city.hub_at(29 * DAY_S, &["tick"])?.done()?;
    assert_eq!(notes("waiting")?.len(), 1, "not yet");
    city.hub_at(31 * DAY_S, &["tick"])?.done()?;
    let held = notes("held")?;
    assert_eq!(held.len(), 1, "{held:?}");
    city.prove_equality()?;
    let at_office = city.node(0, &["quarantine"])?.done()?.json();
    let note = &at_office[0];
    assert!(note["holds"].is_object(), "all that was entered: {note}");
    assert!(text(&note["reason_zh"]).contains("尚未"), "{note}");
    let note = text(&note["id"]);
    assert_eq!(city.hub(&["get", &id])?.code, 1);
    // A person mends it: another branch, and the member is there.
    let east = "branch=35010200100101";
    city.node(0, &["quarantine", "fix", &note, east])?.done()?;
    city.prove_equality()?;
    assert_eq!(city.hub(&["get", &id])?.done()?.json()["status"], "FULL");
    assert!(notes("held")?.is_empty());
    Ok(())
}

#[test]
fn invariant_4_a_second_creation_is_kept_aside_and_a_group_is_taken_whole_or_not()
-> anyhow::Result<()> {
    let mut stage = Stage::with_offices(1)?;
    let city = &mut stage.city;
    let id = enter(city, 0, "规则一")?;
    city.prove_equality()?;
    city.kill_office(0)?;
    let person = |id: RecordId, name: &str| {
        let key = (person::KIND_NUMBER, id);
        raw_change(key, Verb::Create, &[(person::NAME, name.as_bytes())])
    };
    let grouped = |group: u8, mut changes: Vec<(Header, Body)>| {
        let size = u32::try_from(changes.len()).unwrap_or(u32::MAX);
        for (header, _) in &mut changes {
            let id = RecordId::new([group; 16]);
            header.group = Some(Group { id, size });
        }
        changes
    };
    let new = |number: u8| RecordId::new([number; 16]);
    let mut changes = vec![person(RecordId::parse(&id).expect("an id"), "另一人")];
    changes.extend(grouped(
        1,
        vec![person(new(61), "同组甲"), person(new(62), "同组乙")],
    ));
    // One of the three lacks its name: none of them is taken.
    let nameless = raw_change((person::KIND_NUMBER, new(64)), Verb::Create, &[]);
    let broken = vec![
        person(new(63), "坏组甲"),
        nameless,
        person(new(65), "坏组丙"),
    ];
    changes.extend(grouped(2, broken));
    changes.push(person(new(66), "组后"));
    enter_raw(city, 0, changes)?;
    city.start_office(0)?;
    city.prove_equality()?;
    let expected = ["规则一", "同组甲", "同组乙", "组后"];
    expect_names(&names_at_hub(city)?, &expected);
    expect_names(&names_at(city, 0)?, &expected);
    let held = city.node(0, &["quarantine"])?.done()?.json();
    let mut reasons: Vec<_> = held
        .as_array()
        .into_iter()
        .flatten()
        .map(|note| text(&note["reason"]))
        .collect();
    reasons.sort();
    let wanted = [
        "exists",
        "group_part_refused",
        "group_part_refused",
        "group_part_refused",
    ];
    assert_eq!(reasons, wanted, "{held}");
    Ok(())
}
