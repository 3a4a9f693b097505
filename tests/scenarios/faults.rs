//! What goes wrong in real offices: each has its answer, in Chinese and in English, and loses
//! nothing.

use domain::change::Verb;
use domain::id::RecordId;
use tests::harness::{STREET, wait_for};

use crate::support::{
    Stage, begin_transfer, code_for_another, computer, enter, enter_member, enter_raw,
    expect_names, names_at, names_at_hub, raw_change, text,
};

const YEARS_S: i64 = 5 * 365 * 24 * 3600;

#[test]
fn a_step_that_came_too_late_comes_back_with_its_reason_and_is_decided_by_a_person()
-> anyhow::Result<()> {
    let stage = Stage::with_offices(2)?;
    let city = &stage.city;
    let member = enter_member(city, &["name=迟到"])?;
    let case = begin_transfer(city, &member)?;
    for event in ["submit", "approve_branch"] {
        city.node(0, &["transfer", "step", &case, event])?.done()?;
    }
    city.settle_down(0)?;
    city.office(0)?.line.cut();
    city.node(0, &["transfer", "step", &case, "withdraw"])?
        .done()?;
    let approve = ["step", &case, "approve", "--as", STREET, "valid_days=30"];
    city.hub(&approve)?.done()?;
    city.office(0)?.line.restore();
    let note = wait_for("the refusal at the office", 60, || {
        let held = city.node(0, &["quarantine"])?.done()?.json();
        Ok(held.get(0).cloned())
    })?;
    let note = text(&note["id"]);
    let shown = city.node(0, &["quarantine", "show", &note])?.done()?.json();
    assert_eq!(shown["reason"], "TRF-011", "{shown}");
    assert!(!text(&shown["reason_zh"]).is_empty() && !text(&shown["reason_en"]).is_empty());
    assert_eq!(
        shown["holds"]["fields"]["event"], "withdraw",
        "the step is kept whole: {shown}"
    );
    city.node(
        0,
        &["quarantine", "reject", &note, "--why", "街道已开具介绍信"],
    )?
    .done()?;
    city.prove_equality()?;
    let rejected = city.hub(&["get", &note])?.done()?.json();
    assert_eq!(rejected["state"], "rejected");
    assert_eq!(rejected["why"], "街道已开具介绍信");
    Ok(())
}

#[test]
fn kinds_and_fields_of_a_newer_program_are_kept_byte_for_byte() -> anyhow::Result<()> {
    let mut stage = Stage::with_offices(1)?;
    let city = &mut stage.city;
    city.kill_office(0)?;
    // A newer node of the office: a kind and a field that hub and node do not know.
    let (unknown, known) = (RecordId::new([0x5a; 16]), RecordId::new([0x5b; 16]));
    let value: Vec<u8> = (0..=255).collect();
    let entries = vec![
        raw_change((9_999, unknown), Verb::Create, &[(1, &value)]),
        raw_change(
            (2, known),
            Verb::Create,
            &[(1, "新".as_bytes()), (4_000, &value)],
        ),
    ];
    enter_raw(city, 0, entries)?;
    city.start_office(0)?;
    city.prove_equality()?;
    let shown = domain::id::hex(&value);
    for id in [unknown, known] {
        let record = city.hub(&["get", &id.to_string()])?.done()?.json();
        let field = if id == unknown {
            "field_1"
        } else {
            "field_4000"
        };
        assert_eq!(record[field], shown.as_str(), "{record}");
    }
    // A second machine of the office gets the same bytes.
    let on_second = computer(city, "second");
    on_second(&["init"])?.done()?;
    on_second(&["join", &code_for_another(city)?])?.done()?;
    on_second(&["sync"])?.done()?;
    on_second(&["verify"])?.done()?;
    let record = on_second(&["get", &unknown.to_string()])?.done()?.json();
    assert_eq!(record["field_1"], shown.as_str());
    Ok(())
}

#[test]
fn an_office_whose_clock_is_years_off_works_and_never_wins_by_its_clock() -> anyhow::Result<()> {
    let mut stage = Stage::with_offices(1)?;
    let city = &mut stage.city;
    let id = enter(city, 0, "时钟")?;
    city.node(0, &["set", &id, "post=原值"])?.done()?;
    city.settle_down(0)?;
    city.kill_office(0)?;
    let data = city.office(0)?.data.clone();
    for (offset, name) in [(YEARS_S, "快五年"), (-YEARS_S, "慢五年")] {
        // The desk has edited the field that the office edits without having seen that.
        let at_desk = format!("post=中心{name}");
        let at_office = format!("post=社区{name}");
        let office = |args: &[&str]| {
            let mut all = args.to_vec();
            all.extend(["--data", &data, "--json"]);
            city.programs.run_at(offset, "lianxin-node", &all)
        };
        office(&["set", &id, &at_office])?.done()?;
        city.hub(&["set", &format!("person/{id}"), &at_desk])?
            .done()?;
        office(&["sync"])?.done()?;
        office(&["sync"])?.done()?;
        let record = city.hub(&["get", &id])?.done()?.json();
        assert_eq!(record["post"], at_desk["post=".len()..], "{name}");
        let items = city.hub(&["conflicts"])?.done()?.json();
        let item = items
            .as_array()
            .into_iter()
            .flatten()
            .next()
            .cloned()
            .unwrap_or_default();
        assert!(
            text(&item["loser"]).contains(name),
            "the office's value is kept: {items}"
        );
        city.hub(&["settle", &text(&item["id"]), "--keep", "winner"])?
            .done()?;
        office(&["sync"])?.done()?;
    }
    city.start_office(0)?;
    city.prove_equality()?;
    Ok(())
}

#[test]
fn a_clock_that_jumped_between_two_greetings_wins_nothing_though_it_is_right_again()
-> anyhow::Result<()> {
    let mut stage = Stage::with_offices(1)?;
    let city = &mut stage.city;
    let id = enter(city, 0, "跳钟")?;
    city.node(0, &["set", &id, "post=原值"])?.done()?;
    city.settle_down(0)?;
    city.kill_office(0)?;
    let data = city.office(0)?.data.clone();
    let set = |offset: i64, value: &str| {
        let all = ["set", &id, value, "--data", &data, "--json"];
        city.programs.run_at(offset, "lianxin-node", &all)
    };
    city.hub(&["set", &format!("person/{id}"), "post=中心"])?
        .done()?;
    set(YEARS_S, "post=社区")?.done()?;
    city.node(0, &["sync"])?.done()?;
    city.node(0, &["sync"])?.done()?;
    assert_eq!(city.hub(&["get", &id])?.done()?.json()["post"], "中心");
    let items = city.hub(&["conflicts"])?.done()?.json();
    assert_eq!(items[0]["reason"], "suspect_clock", "{items}");
    // The greeting has measured the clock: from now on it counts again.
    city.hub(&["settle", &text(&items[0]["id"]), "--keep", "winner"])?
        .done()?;
    city.node(0, &["sync"])?.done()?;
    city.hub(&["set", &format!("person/{id}"), "post=中心二"])?
        .done()?;
    set(0, "post=社区二")?.done()?;
    city.node(0, &["sync"])?.done()?;
    assert_eq!(city.hub(&["get", &id])?.done()?.json()["post"], "社区二");
    Ok(())
}

#[test]
fn a_revoked_office_is_told_so_and_keeps_what_it_has() -> anyhow::Result<()> {
    let mut stage = Stage::with_offices(2)?;
    let city = &mut stage.city;
    enter(city, 0, "撤销前")?;
    city.prove_equality()?;
    city.hub(&["office", "revoke", city.office(0)?.code])?
        .done()?;
    wait_for("the session ends", 30, || {
        let status = city.node(0, &["status"])?.done()?.json();
        Ok((status["link"] == "down").then_some(()))
    })?;
    enter(city, 0, "撤销后")?;
    city.kill_office(0)?;
    let refused = city.node(0, &["sync"])?;
    assert_eq!(refused.code, 1);
    assert!(refused.err.contains("revoked"), "{}", refused.err);
    expect_names(&names_at(city, 0)?, &["撤销前", "撤销后"]);
    // Enrolled again, it goes on with what it had not sent.
    city.join(0)?;
    city.start_office(0)?;
    city.prove_equality()?;
    expect_names(&names_at_hub(city)?, &["撤销前", "撤销后"]);
    expect_names(&names_at(city, 0)?, &["撤销前", "撤销后"]);
    Ok(())
}

#[test]
fn rubbish_files_are_refused_in_words_and_change_nothing() -> anyhow::Result<()> {
    let stage = Stage::with_offices(1)?;
    let city = &stage.city;
    let rubbish: [(&str, &[u8]); 5] = [
        ("empty.xlsx", b""),
        (
            "page.xls",
            b"<html><table><tr><td>1</td></tr></table></html>",
        ),
        ("cut.xlsx", b"PK\x03\x04\x14\x00\x06\x00"),
        ("zero.csv", &[0; 4096]),
        ("picture.xlsx", b"\x89PNG\r\n\x1a\n0000"),
    ];
    for (name, bytes) in rubbish {
        let file = city.folder.join(name);
        std::fs::write(&file, bytes)?;
        let reply = city.node(0, &["import", "member", &file.to_string_lossy()])?;
        assert_eq!(reply.code, 1, "{name}: {}", reply.out);
        let has_chinese = reply
            .err
            .chars()
            .any(|c| ('\u{4e00}'..='\u{9fff}').contains(&c));
        assert!(has_chinese, "{name}: {}", reply.err);
    }
    assert!(names_at(city, 0)?.is_empty());
    Ok(())
}
