//! The arrows of an activity (`domain.md` 6.6).

use std::collections::BTreeSet;

use tests::harness::City;

use super::{Arrow, Drive, EAST};
use crate::support::text;

/// Drives every arrow of the machine that can be driven.
pub(super) fn drive(city: &City, driven: &mut BTreeSet<Arrow>) -> anyhow::Result<()> {
    let mut drive = Drive {
        city,
        machine: "activity",
        state_field: "state",
        driven,
    };
    let plan = || -> anyhow::Result<String> {
        let values = [
            "add",
            "activity",
            "title=支部党员大会",
            "kind=members_meeting",
        ];
        let id = text(&city.node(0, &values)?.done()?.json()["id"]);
        city.settle_down(0)?;
        Ok(id)
    };
    let why = ["reason=台风"];
    registered(city, &mut drive)?;
    let id = plan()?;
    assert_eq!(drive.state(&id)?, "PLANNED");
    drive.note("", "plan", "PLANNED");
    drive.step(&id, EAST, "notify", &[], "NOTIFIED")?;
    drive.step(&id, EAST, "hold", &[], "HELD")?;
    drive.step(&id, EAST, "draft", &[], "MINUTES_DRAFT")?;
    drive.step(&id, EAST, "submit", &[], "SUBMITTED")?;
    drive.step(&id, EAST, "return", &["reason=记录不全"], "RETURNED")?;
    drive.step(&id, EAST, "redraft", &[], "MINUTES_DRAFT")?;
    drive.step(&id, EAST, "submit", &[], "SUBMITTED")?;
    drive.step(&id, EAST, "approve", &["approver=支部书记"], "APPROVED")?;
    drive.step(&id, EAST, "addendum", &["value=补充照片"], "APPROVED")?;
    drive.step(&id, EAST, "archive", &[], "ARCHIVED")?;
    drive.step(&id, EAST, "addendum", &["value=补充签到表"], "ARCHIVED")?;
    let id = plan()?;
    drive.step(&id, EAST, "hold", &[], "HELD")?;
    let id = plan()?;
    drive.step(&id, EAST, "cancel", &why, "CANCELLED")?;
    let id = plan()?;
    drive.step(&id, EAST, "notify", &[], "NOTIFIED")?;
    drive.step(&id, EAST, "cancel", &why, "CANCELLED")?;
    let id = plan()?;
    drive.step(&id, EAST, "postpone", &why, "POSTPONED")?;
    drive.step(&id, EAST, "replan", &[], "PLANNED")?;
    drive.step(&id, EAST, "notify", &[], "NOTIFIED")?;
    drive.step(&id, EAST, "postpone", &why, "POSTPONED")?;
    drive.step(&id, EAST, "cancel", &why, "CANCELLED")
}

/// What was held before it was registered begins as held, on a day that has come.
fn registered(city: &City, drive: &mut Drive<'_>) -> anyhow::Result<()> {
    let held = |day: &str| {
        let values = [
            "add",
            "activity",
            "title=走访",
            "kind=visit",
            "state=HELD",
            day,
        ];
        city.node(0, &values)
    };
    let refused = held("held_date=2099-01-01")?;
    assert!(
        refused.code == 1 && refused.out.contains("ACT-007"),
        "{}",
        refused.out
    );
    let id = text(&held("held_date=2026-11-20")?.done()?.json()["id"]);
    city.settle_down(0)?;
    assert_eq!(drive.state(&id)?, "HELD");
    drive.note("", "register", "HELD");
    Ok(())
}
