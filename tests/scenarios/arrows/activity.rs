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
    let id = plan()?;
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
