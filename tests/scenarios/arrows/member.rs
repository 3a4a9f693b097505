//! The arrows of a member's Party status (`domain.md` 2.3).

use std::collections::BTreeSet;

use tests::harness::City;

use super::{Arrow, Drive, EAST, Who, new_member};
use crate::support::text;

const DECIDED: [&str; 3] = [
    "decision_number=示组〔2026〕9号",
    "decision_date=2026-11-20",
    "decision_body=示范街道党工委",
];
const PROBATIONARY: [&str; 3] = [
    "category=probationary",
    "status=PROBATIONARY",
    "conversion_due=2026-12-01",
];

fn with<'a>(extra: &[&'a str]) -> Vec<&'a str> {
    DECIDED
        .iter()
        .copied()
        .chain(extra.iter().copied())
        .collect()
}

/// Drives every arrow of the machine that can be driven.
pub(super) fn drive(city: &City, driven: &mut BTreeSet<Arrow>) -> anyhow::Result<()> {
    let mut drive = Drive {
        city,
        machine: "member_status",
        state_field: "status",
        driven,
    };
    let convert = with(&["conversion_date=2026-11-20"]);
    let extend = with(&["until_date=2027-06-01"]);
    let stop = with(&["reason_code=lost_contact"]);
    let leave = with(&["reason_code=withdrew"]);
    let member = |name: &str| new_member(city, name, &PROBATIONARY);

    admitted(&mut drive)?;
    let id = member("党籍一")?;
    drive.step(&id, EAST, "convert", &convert, "FULL")?;
    drive.step(&id, EAST, "stop", &stop, "STOPPED")?;
    drive.step(&id, EAST, "restore", &DECIDED, "FULL")?;
    drive.step(&id, EAST, "leave", &leave, "LEFT")?;
    let id = member("党籍二")?;
    drive.step(&id, EAST, "extend", &extend, "PROBATIONARY_EXTENDED")?;
    drive.step(&id, EAST, "convert", &convert, "FULL")?;
    drive.step(&id, EAST, "record_death", &[], "DECEASED")?;
    let id = member("党籍三")?;
    drive.step(&id, EAST, "extend", &extend, "PROBATIONARY_EXTENDED")?;
    drive.step(&id, EAST, "cancel", &DECIDED, "CANCELLED")?;
    let id = member("党籍四")?;
    drive.step(&id, EAST, "cancel", &DECIDED, "CANCELLED")?;
    let id = member("党籍五")?;
    // Stopped as lost three years ago by the step's own date.
    drive.step(&id, Who::StreetAt(-3 * 365), "stop", &stop, "STOPPED")?;
    drive.step(&id, EAST, "remove", &DECIDED, "REMOVED_SELF_LEFT")?;
    let id = member("党籍六")?;
    drive.step(&id, EAST, "extend", &extend, "PROBATIONARY_EXTENDED")?;
    drive.step(&id, EAST, "stop", &stop, "STOPPED")?;
    drive.step(&id, EAST, "record_death", &[], "DECEASED")?;
    let id = member("党籍七")?;
    drive.step(&id, EAST, "record_death", &[], "DECEASED")?;
    let id = member("党籍八")?;
    drive.step(&id, EAST, "extend", &extend, "PROBATIONARY_EXTENDED")?;
    drive.step(&id, EAST, "record_death", &[], "DECEASED")
}

/// Somebody is admitted, is a member no more, and is admitted again; without the decision, or
/// without a former membership, the office hears at once that it cannot be.
fn admitted(drive: &mut Drive<'_>) -> anyhow::Result<()> {
    let city = drive.city;
    let admission = [
        "relation_in_type=admitted",
        "category=probationary",
        "status=PROBATIONARY",
    ];
    let mut bare = vec!["add", "member", "name=党籍零", "join_date=2026-11-20"];
    bare.extend(admission);
    let refused = city.node(0, &bare)?;
    assert!(
        refused.code == 1 && refused.out.contains("MEM-008"),
        "{}",
        refused.out
    );
    let id = new_member(city, "党籍零", &with(&admission))?;
    assert_eq!(opened_by(city, &id)?, ["admission"]);
    drive.note("", "admit", "PROBATIONARY");
    let person = text(&city.hub(&["get", &id])?.done()?.json()["person"]);
    let person = format!("person={person}");
    let again = |how: &str| -> anyhow::Result<tests::harness::Reply> {
        let how = format!("relation_in_type={how}");
        let mut all = vec!["add", "member", &person, &how, "join_date=2026-11-21"];
        all.extend(with(&admission[1..]));
        city.node(0, &all)
    };
    let twice = again("readmitted")?;
    assert!(twice.out.contains("MEM-017"), "{}", twice.out);
    drive.step(&id, EAST, "cancel", &DECIDED, "CANCELLED")?;
    let id = text(&again("readmitted")?.done()?.json()["id"]);
    city.settle_down(0)?;
    assert_eq!(opened_by(city, &id)?, ["readmission"]);
    drive.note("", "readmit", "PROBATIONARY");
    Ok(())
}

/// How the tenures of a member were opened.
fn opened_by(city: &City, member: &str) -> anyhow::Result<Vec<String>> {
    let name = format!("member={member}");
    let tenures = city
        .hub(&["list", "tenure", "--where", &name])?
        .done()?
        .json();
    let tenures = tenures.as_array().cloned().unwrap_or_default();
    Ok(tenures
        .iter()
        .map(|tenure| text(&tenure["opened_by"]))
        .collect())
}
