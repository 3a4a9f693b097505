//! Ordinary work: rosters, a cut line, two values for one field, a corrected service record.

use anyhow::Context as _;

use super::{chapter, tell};
use crate::generate::{RosterSpec, roster_xlsx};
use crate::harness::{City, wait_for};

/// How many members each office's roster has.
const ROSTER_ROWS: usize = 60;

/// Imports a generated roster at every office.
///
/// # Errors
/// Where the import, or its way to the hub, fails.
pub(super) fn import_rosters(city: &City) -> anyhow::Result<()> {
    chapter("Rosters come from Excel");
    for (place, office) in city.offices.iter().enumerate() {
        let file = city.folder.join(format!("{}.xlsx", office.code));
        let spec = RosterSpec {
            seed: 100 + place as u64,
            rows: ROSTER_ROWS,
            office_name: office.name.to_owned(),
            ..RosterSpec::default()
        };
        roster_xlsx(&file, &spec)?;
        let file = file.to_string_lossy();
        let reply = city
            .node(place, &["import", "member", &file])?
            .done()?
            .json();
        let accepted = reply["accepted"]
            .as_u64()
            .context("no count in the answer")?;
        anyhow::ensure!(accepted > 0, "nothing was imported: {reply}");
        city.settle_down(place)?;
        tell(&format!(
            "{}: {accepted} members imported and received by the hub",
            office.name
        ));
    }
    Ok(())
}

/// The id of an office's person at a place of its list, with its name.
pub(super) fn person_at(
    city: &City,
    office: usize,
    place: usize,
) -> anyhow::Result<(String, String)> {
    let list = city.node(office, &["list", "person"])?.done()?.json();
    let person = &list[place];
    let id = person["id"].as_str().context("no person")?.to_owned();
    Ok((id, person["name"].as_str().unwrap_or("?").to_owned()))
}

/// The line of one office is cut; the same field is changed there and at the hub's desk.
///
/// # Errors
/// Where the conflict does not come to be, or is not settled.
pub(super) fn change_in_two_places(city: &City) -> anyhow::Result<()> {
    chapter("A line is cut, and one field is changed in two places");
    let office = city.office(0)?;
    let (id, name) = person_at(city, 0, 0)?;
    office.line.cut();
    tell(&format!("the line of {} is cut; work goes on", office.name));
    city.node(0, &["set", &id, "phone=13900000001"])?.done()?;
    tell(&format!(
        "{}: {name}'s telephone is set to 13900000001 (waits here)",
        office.name
    ));
    let key = format!("person/{id}");
    city.hub(&["set", &key, "phone=13900000002"])?.done()?;
    tell("hub's desk: the same telephone is set to 13900000002");
    office.line.restore();
    tell("the line comes back");
    let item = wait_for("the conflict at the office", 60, || {
        let items = city.node(0, &["conflicts"])?.done()?.json();
        Ok(items.get(0).cloned())
    })?;
    tell(&format!(
        "two values, none lost: {} stands (the desk wins), {} is kept",
        item["winner"], item["loser"]
    ));
    let item = item["id"].as_str().context("an item has an id")?.to_owned();
    city.node(0, &["settle", &item, "--keep", "loser"])?
        .done()?;
    wait_for("the settled value", 60, || {
        let person = city.node(0, &["get", &id])?.done()?.json();
        Ok((person["phone"].as_str() == Some("13900000001")).then_some(()))
    })?;
    tell(&format!(
        "{}: settled, 13900000001 it is, here and at the hub",
        office.name
    ));
    Ok(())
}

/// A volunteer's service is recorded and corrected by a new entry.
///
/// # Errors
/// Where an entry is refused.
pub(super) fn correct_a_service_record(city: &City) -> anyhow::Result<()> {
    chapter("A service record is corrected");
    let (person, name) = person_at(city, 1, 0)?;
    let add = |kind: &str, fields: &[String]| -> anyhow::Result<String> {
        let mut args = vec!["add", kind];
        args.extend(fields.iter().map(String::as_str));
        let reply = city.node(1, &args)?.done()?.json();
        Ok(reply["id"]
            .as_str()
            .context("no id in the answer")?
            .to_owned())
    };
    let volunteer = add("volunteer", &[format!("person={person}")])?;
    let held = [
        "title=楼道清洁日",
        "kind=volunteer",
        "state=HELD",
        "held_date=2026-11-20",
    ];
    let activity = add("activity", &held.map(str::to_owned))?;
    let entry = |minutes: u32, corrects: Option<&str>| {
        let mut fields = vec![
            format!("volunteer={volunteer}"),
            format!("activity={activity}"),
            "state=MEASURED".to_owned(),
            "service_date=2026-11-20".to_owned(),
            "content=清理楼道".to_owned(),
            "recorder=周记录".to_owned(),
            "sign_in=1795136400000".to_owned(),
            format!(
                "sign_out={}",
                1_795_136_400_000 + u64::from(minutes) * 60_000
            ),
            format!("minutes={minutes}"),
            "reason=纸质签到表补录".to_owned(),
            "approver=服务队负责人".to_owned(),
        ];
        fields.extend(corrects.map(|id| format!("corrects={id}")));
        fields
    };
    let first = add("participation", &entry(180, None))?;
    tell(&format!("{name}: 180 minutes recorded"));
    add("participation", &entry(120, Some(&first)))?;
    city.settle_down(1)?;
    let list = city.hub(&["list", "participation"])?.done()?.json();
    anyhow::ensure!(
        list.as_array().is_some_and(|list| list.len() >= 2),
        "entries lost: {list}"
    );
    tell("corrected to 120 minutes by a new entry that names the old one; both stay");
    Ok(())
}
