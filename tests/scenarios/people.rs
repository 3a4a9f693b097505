//! Somebody was entered twice: found, merged, and taken apart again (`sync.md` 6).

use std::io::{Read as _, Write as _};
use std::net::TcpStream;

use anyhow::Context as _;
use domain::limits::CLAIM_COLLISIONS_MAX;
use serde_json::Value;
use tests::harness::City;

use crate::support::{Stage, text};

/// An invented number with a right check digit.
const ID_NUMBER: &str = "110105199003070017";

fn add(city: &City, office: usize, kind: &str, fields: &[&str]) -> anyhow::Result<String> {
    let mut args = vec!["add", kind];
    args.extend(fields);
    Ok(text(&city.node(office, &args)?.done()?.json()["id"]))
}

fn rows(value: &Value) -> usize {
    value.as_array().map_or(0, Vec::len)
}

#[test]
fn a_person_who_was_entered_twice_is_one_on_reading_and_can_be_two_again() -> anyhow::Result<()> {
    let stage = Stage::with_offices(1)?;
    let city = &stage.city;
    let number = format!("id_number={ID_NUMBER}");
    let kept = add(
        city,
        0,
        "person",
        &["name=癸一", &number, "phone=13900000001"],
    )?;
    let twin = add(
        city,
        0,
        "person",
        &["name=癸壹", &number, "phone=13900000002"],
    )?;
    let by = |id: &str| format!("person={id}");
    add(city, 0, "volunteer", &[&by(&kept)])?;
    add(city, 0, "volunteer", &[&by(&twin)])?;
    let alike = city.node(0, &["duplicates"])?.done()?.json();
    assert_eq!(rows(&alike[0]["persons"]), 2, "{alike}");
    city.settle_down(0)?;
    let at_hub = city.hub(&["duplicates"])?.done()?.json();
    assert_eq!(at_hub[0]["reason"], "persons_of_one_office", "{at_hub}");
    // The office works on without a line; what it chose counts when the line is back.
    city.office(0)?.line.cut();
    city.node(0, &["merge", &kept, &twin, "--take", "phone"])?
        .done()?;
    let persons = city.node(0, &["list", "person"])?.done()?.json();
    assert_eq!(rows(&persons), 1, "{persons}");
    city.office(0)?.line.restore();
    city.prove_equality()?;
    let person = city.node(0, &["get", &kept])?.done()?.json();
    assert_eq!(
        (&person["phone"], &person["name"]),
        (&"13900000002".into(), &"癸一".into())
    );
    // References keep the id that they name, and are found under either.
    for id in [&kept, &twin] {
        let found = city
            .node(0, &["list", "volunteer", "--where", &by(id)])?
            .done()?
            .json();
        assert_eq!(rows(&found), 2, "{found}");
    }
    for program in [city.node(0, &["duplicates"])?, city.hub(&["duplicates"])?] {
        assert_eq!(rows(&program.done()?.json()), 0);
    }
    let late = city.hub(&["set", &format!("person/{twin}"), "phone=1"])?;
    assert_eq!(late.code, 1);
    assert!(late.err.contains("merged"), "{}", late.err);
    // Taken back at the desk, under the id of the one that was kept.
    city.hub(&["unmerge", &kept])?.done()?;
    city.prove_equality()?;
    let persons = city.node(0, &["list", "person"])?.done()?.json();
    assert_eq!(rows(&persons), 2, "{persons}");
    let person = city.node(0, &["get", &kept])?.done()?.json();
    assert_eq!(person["phone"], "13900000001");
    Ok(())
}

#[test]
fn a_member_who_is_held_twice_is_merged_at_the_desk_and_held_once() -> anyhow::Result<()> {
    let stage = Stage::with_offices(2)?;
    let city = &stage.city;
    let number = format!("id_number={ID_NUMBER}");
    let register = |office: usize| {
        let fields = [
            "name=子一",
            number.as_str(),
            "category=full",
            "status=FULL",
            "join_date=2001-07-01",
        ];
        add(city, office, "member", &fields)
    };
    let (kept, twin) = (register(0)?, register(1)?);
    city.settle_down(0)?;
    city.settle_down(1)?;
    let found = city.hub(&["duplicates"])?.done()?.json();
    assert_eq!(found[0]["reason"], "held_twice", "{found}");
    // Neither office learns of the other's record.
    for office in 0..2 {
        assert_eq!(rows(&city.node(office, &["duplicates"])?.done()?.json()), 0);
    }
    city.hub(&["merge", &kept, &twin])?.done()?;
    city.prove_equality()?;
    let member = city.node(1, &["get", &twin])?.done()?.json();
    assert_eq!(text(&member["merged_into"]), kept);
    let closed = city
        .hub(&["list", "tenure", "--where", &format!("member={twin}")])?
        .done()?
        .json();
    let by: Vec<_> = closed
        .as_array()
        .into_iter()
        .flatten()
        .map(|tenure| text(&tenure["closed_by"]))
        .collect();
    assert!(by.contains(&"merge".to_owned()), "{closed}");
    assert_eq!(rows(&city.hub(&["duplicates"])?.done()?.json()), 0);
    city.hub(&["unmerge", &twin])?.done()?;
    city.prove_equality()?;
    Ok(())
}

/// A valid ID number of an invented person.
fn id_number(number: usize) -> anyhow::Result<String> {
    let first = format!("350102199001{:05}", 1_000 + number);
    let check = domain::checks::id_number::check_character(&first);
    Ok(format!("{first}{}", check.context("seventeen digits")?))
}

/// What the hub tells the operator's instruments.
fn metrics(city: &City) -> anyhow::Result<String> {
    let mut stream = TcpStream::connect(city.hub_page()?)?;
    stream.write_all(b"GET /metrics HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    Ok(answer)
}

#[test]
fn an_office_that_enters_many_id_numbers_of_others_is_shown_to_the_desk_and_told_nothing()
-> anyhow::Result<()> {
    let stage = Stage::with_offices(2)?;
    let city = &stage.city;
    let number_max = usize::try_from(CLAIM_COLLISIONS_MAX)? + 1;
    let enter = |office: usize, from: usize, to: usize| -> anyhow::Result<()> {
        for number in from..to {
            let claimed = format!("id_number={}", id_number(number)?);
            add(city, office, "person", &["name=癸一", &claimed])?;
        }
        city.settle_down(office)
    };
    let urgent = || -> anyhow::Result<u64> {
        let status = city.hub(&["status"])?.done()?.json();
        Ok(status["urgent"].as_u64().unwrap_or_default())
    };
    enter(0, 0, number_max)?;
    enter(1, 0, number_max - 1)?;
    assert_eq!(urgent()?, 0);
    assert!(metrics(city)?.contains("lianxin_nodes_claiming_too_much 0"));
    enter(1, number_max - 1, number_max)?;
    assert_eq!(urgent()?, 1);
    assert!(metrics(city)?.contains("lianxin_nodes_claiming_too_much 1"));
    let status = city.hub(&["status"])?.done()?.json();
    let nodes = status["nodes"].as_array().cloned().unwrap_or_default();
    let loud: Vec<_> = nodes
        .iter()
        .filter(|node| node["claims_too_much"] == true)
        .collect();
    assert_eq!(loud.len(), 1, "{status}");
    assert_eq!(loud[0]["code"], city.office(1)?.code);
    assert_eq!(loud[0]["foreign_claims"], number_max);
    let held = city.hub(&["quarantine"])?.done()?.json();
    let told = held.to_string();
    assert_eq!(rows(&held), 1, "{told}");
    assert!(told.contains(&text(&loud[0]["node"])), "{told}");
    // Neither office hears of it, and both agree with the hub.
    city.prove_equality()?;
    for office in [0, 1] {
        for kind in ["set_aside", "conflict"] {
            let found = city.node(office, &["list", kind])?.done()?.json();
            assert_eq!(rows(&found), 0, "{found}");
        }
    }
    // The desk says what came of it.
    let note = text(&held[0]["id"]);
    city.hub(&["quarantine", "done", &note, "--why", "社区合并录入,已核实"])?
        .done()?;
    assert_eq!(urgent()?, 0);
    Ok(())
}
