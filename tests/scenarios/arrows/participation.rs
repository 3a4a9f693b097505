//! The arrows of voluntary service (`domain.md` 5.5).

use std::collections::BTreeSet;

use anyhow::Context as _;
use tests::harness::City;

use super::{Arrow, Drive, EAST, Who};
use crate::support::text;

const IN_AND_OUT: [&str; 3] = [
    "sign_in=1795400000000",
    "sign_out=1795407200000",
    "minutes=120",
];

/// One volunteer at one activity.
struct Service<'c> {
    city: &'c City,
    volunteer: String,
    activity: String,
}

impl Service<'_> {
    fn enrol(&self) -> anyhow::Result<String> {
        let date = "service_date=2026-11-20";
        let values = [
            "add",
            "participation",
            &self.volunteer,
            &self.activity,
            date,
        ];
        let id = text(&self.city.node(0, &values)?.done()?.json()["id"]);
        self.city.settle_down(0)?;
        assert_eq!(self.state(&id)?, "ENROLLED");
        Ok(id)
    }

    fn state(&self, id: &str) -> anyhow::Result<String> {
        Ok(text(&self.city.hub(&["get", id])?.done()?.json()["state"]))
    }

    /// Entered afterwards from paper.
    fn entered(&self, more: &[&str]) -> anyhow::Result<tests::harness::Reply> {
        let mut all = vec!["add", "participation", &self.volunteer, &self.activity];
        all.extend(["service_date=2026-11-20", "state=MEASURED"]);
        all.extend(IN_AND_OUT);
        all.extend(more);
        self.city.node(0, &all)
    }

    fn measured(&self, drive: &mut Drive<'_>) -> anyhow::Result<String> {
        let id = self.enrol()?;
        drive.step(&id, EAST, "sign_in", &["sign_in=1795400000000"], "PRESENT")?;
        drive.step(&id, EAST, "sign_out", &IN_AND_OUT, "MEASURED")?;
        Ok(id)
    }

    fn submitted(&self, drive: &mut Drive<'_>) -> anyhow::Result<String> {
        let id = self.measured(drive)?;
        drive.step(&id, EAST, "submit", &[], "SUBMITTED")?;
        Ok(id)
    }

    fn publicised(&self, drive: &mut Drive<'_>, until: &str) -> anyhow::Result<String> {
        let id = self.submitted(drive)?;
        drive.step(&id, EAST, "publicise", &[until], "PUBLIC_NOTICE")?;
        Ok(id)
    }
}

/// Drives every arrow of the machine that can be driven.
pub(super) fn drive(city: &City, driven: &mut BTreeSet<Arrow>) -> anyhow::Result<()> {
    let mut drive = Drive {
        city,
        machine: "participation",
        state_field: "state",
        driven,
    };
    let person = text(
        &city
            .node(0, &["add", "person", "name=志愿者甲"])?
            .done()?
            .json()["id"],
    );
    let person = format!("person={person}");
    let volunteer = text(&city.node(0, &["add", "volunteer", &person])?.done()?.json()["id"]);
    let activity = [
        "add",
        "activity",
        "title=清洁日",
        "kind=volunteer",
        "held_date=2026-11-20",
    ];
    let activity = text(&city.node(0, &activity)?.done()?.json()["id"]);
    let service = Service {
        city,
        volunteer: format!("volunteer={volunteer}"),
        activity: format!("activity={activity}"),
    };
    drive.note("", "enrol", "ENROLLED");
    not_recorded(&service, &mut drive)?;
    recorded(&service, &mut drive)?;
    entered(&service, &mut drive)
}

/// An entry from paper says why it comes late and who wrote it; two at once are flagged on both.
fn entered(service: &Service<'_>, drive: &mut Drive<'_>) -> anyhow::Result<()> {
    let refused = service.entered(&[])?;
    assert!(refused.out.contains("VOL-011"), "{}", refused.out);
    let own = service.entered(&["reason=纸质签到", "recorder=志愿者甲"])?;
    assert!(own.out.contains("VOL-004"), "{}", own.out);
    let why = ["reason=纸质签到", "approver=负责人"];
    let one = text(&service.entered(&why)?.done()?.json()["id"]);
    let other = text(&service.entered(&why)?.done()?.json()["id"]);
    service.city.settle_down(0)?;
    assert_eq!(service.state(&one)?, "MEASURED");
    drive.note("", "enter", "MEASURED");
    for id in [&one, &other] {
        let entry = service.city.node(0, &["get", id])?.done()?.json();
        assert!(entry["overlaps"].is_string(), "{entry}");
    }
    // Nobody enrols for what is over.
    let activity = service.activity.trim_start_matches("activity=");
    service.city.node(0, &["step", activity, "hold"])?.done()?;
    service.city.settle_down(0)?;
    let values = [
        "add",
        "participation",
        &service.volunteer,
        &service.activity,
    ];
    let late = service.city.node(0, &values)?;
    assert!(late.out.contains("VOL-010"), "{}", late.out);
    Ok(())
}

fn not_recorded(service: &Service<'_>, drive: &mut Drive<'_>) -> anyhow::Result<()> {
    let why = ["reason=属于本职工作"];
    let until = format!("notice_until={}", in_days(7)?);
    drive.step(&service.enrol()?, EAST, "cancel", &[], "CANCELLED")?;
    drive.step(
        &service.enrol()?,
        EAST,
        "cancel_late",
        &[],
        "CANCELLED_LATE",
    )?;
    drive.step(&service.enrol()?, EAST, "no_show", &[], "NO_SHOW")?;
    drive.step(&service.enrol()?, EAST, "reject", &why, "REJECTED")?;
    let id = service.enrol()?;
    drive.step(&id, EAST, "sign_in", &["sign_in=1795400000000"], "PRESENT")?;
    drive.step(&id, EAST, "reject", &why, "REJECTED")?;
    let id = service.measured(drive)?;
    drive.step(&id, EAST, "reject", &why, "REJECTED")?;
    let id = service.submitted(drive)?;
    drive.step(&id, EAST, "reject", &why, "REJECTED")?;
    let id = service.publicised(drive, &until)?;
    drive.step(&id, EAST, "reject", &why, "REJECTED")?;
    let id = service.publicised(drive, &until)?;
    drive.step(&id, EAST, "object", &["reason=并非志愿服务"], "DISPUTED")?;
    drive.step(&id, EAST, "reject", &why, "REJECTED")
}

fn recorded(service: &Service<'_>, drive: &mut Drive<'_>) -> anyhow::Result<()> {
    let until = format!("notice_until={}", in_days(7)?);
    let id = service.publicised(drive, &until)?;
    drive.step(&id, EAST, "object", &["reason=时长有误"], "DISPUTED")?;
    drive.step(
        &id,
        EAST,
        "change",
        &["reason=核对签到表", "minutes=90"],
        "RECORDED",
    )?;
    drive.step(
        &id,
        EAST,
        "export",
        &["external_number=2026-11"],
        "RECORDED",
    )?;
    drive.step(&id, EAST, "object", &["reason=时长有误"], "DISPUTED")?;
    drive.step(&id, EAST, "uphold", &["reason=核对无误"], "RECORDED")?;
    drive.step(
        &id,
        EAST,
        "void",
        &["reason=重复登记", "approver=负责人"],
        "VOID",
    )?;
    // The notice hangs its three working days; nobody confirms before.
    let id = service.submitted(drive)?;
    let short = format!("notice_until={}", in_days(0)?);
    drive.take(&id, EAST, "publicise", &[&short])?;
    assert_eq!(drive.state(&id)?, "SUBMITTED");
    let until = format!("notice_until={}", in_days(5)?);
    drive.step(&id, EAST, "publicise", &[&until], "PUBLIC_NOTICE")?;
    let explained = ["reason=公示期满", "approver=负责人"];
    drive.take(&id, EAST, "confirm", &explained)?;
    assert_eq!(drive.state(&id)?, "PUBLIC_NOTICE");
    drive.step(&id, Who::StreetAt(6), "confirm", &explained, "RECORDED")?;
    without_notice(service, drive)
}

/// Where the city has switched the notice off, what was submitted is confirmed at once.
fn without_notice(service: &Service<'_>, drive: &mut Drive<'_>) -> anyhow::Result<()> {
    let city = service.city;
    let found = ["list", "organisation", "--where", "code=350102001001"];
    let found = city.hub(&found)?.done()?.json();
    let record = format!("organisation/{}", text(&found[0]["id"]));
    let id = service.submitted(drive)?;
    city.hub(&["set", &record, "publicity_days=0"])?.done()?;
    drive.step(
        &id,
        EAST,
        "confirm",
        &["reason=设置为不公示", "approver=负责人"],
        "RECORDED",
    )?;
    city.hub(&["set", &record, "publicity_days="])?.done()?;
    Ok(())
}

/// The day so many days from now.
fn in_days(days: i64) -> anyhow::Result<String> {
    let now_ms = std::time::UNIX_EPOCH.elapsed()?.as_millis();
    let today = domain::checks::date::china_date_of(i64::try_from(now_ms)?);
    let day = domain::checks::date::add_days(today, days);
    Ok(day.context("a day far away")?.to_string())
}
