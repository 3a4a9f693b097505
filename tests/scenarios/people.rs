//! Somebody was entered twice: found, merged, and taken apart again (`sync.md` 6).

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
