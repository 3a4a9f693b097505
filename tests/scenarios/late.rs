//! What a former holder sends late, between processes (`sync.md` 5).

use tests::harness::City;

use crate::support::{Stage, ask_for_approval, begin_transfer, enter_member, text};

/// Two members whom the second office has accepted while the first, switched off, knows nothing and
/// has written something about both.
fn accepted_meanwhile(city: &mut City) -> anyhow::Result<[String; 2]> {
    let mut members = [String::new(), String::new()];
    let mut cases = Vec::new();
    for (place, member) in members.iter_mut().enumerate() {
        let name = format!("name=迟到{place}");
        *member = enter_member(city, &[&name])?;
        let case = begin_transfer(city, member)?;
        ask_for_approval(city, &case)?;
        let number = format!("letter_number=2026-09{place}");
        let mut approve = vec!["transfer", "step", &case, "approve", "--as", "350102001"];
        approve.extend([number.as_str(), "valid_days=60"]);
        city.hub(&approve)?.done()?;
        cases.push(case);
    }
    city.settle_down(0)?;
    city.kill_office(0)?;
    city.node(0, &["step", &members[0], "record_death"])?
        .done()?;
    let mut stop = vec!["step", &members[1], "stop", "reason_code=lost_contact"];
    stop.extend([
        "decision_number=7号",
        "decision_date=2026-11-20",
        "decision_body=街道党工委",
    ]);
    city.node(0, &stop)?.done()?;
    city.settle_down(1)?;
    for case in &cases {
        city.node(1, &["transfer", "step", case, "open_check"])?
            .done()?;
        city.settle_down(1)?;
        let accept = [
            "transfer",
            "step",
            case,
            "accept",
            "to_branch=35010200100201",
        ];
        city.node(1, &accept)?.done()?;
        city.settle_down(1)?;
    }
    Ok(members)
}

#[test]
fn a_former_holders_death_is_applied_and_its_decision_is_an_urgent_task() -> anyhow::Result<()> {
    let mut stage = Stage::with_offices(2)?;
    let city = &mut stage.city;
    let [dead, stopped] = accepted_meanwhile(city)?;
    city.start_office(0)?;
    city.settle_down(0)?;
    city.settle_down(1)?;
    let record = city.node(1, &["get", &dead])?.done()?.json();
    assert_eq!(record["status"], "DECEASED", "{record}");
    assert!(record["holder"].is_null(), "held by nobody: {record}");
    let record = city.node(1, &["get", &stopped])?.done()?.json();
    assert_eq!(record["status"], "FULL", "{record}");
    // The task lies before its writer, the holder and the desk.
    for office in [0, 1] {
        let status = city.node(office, &["status"])?.done()?.json();
        assert_eq!(status["urgent"], 1, "{status}");
    }
    assert_eq!(city.hub(&["status"])?.done()?.json()["urgent"], 1);
    let tasks = city.node(1, &["quarantine"])?.done()?.json();
    assert_eq!(text(&tasks[0]["subject"]), stopped.replace('-', ""));
    assert_eq!(tasks[0]["reason"], "MEM-018");
    assert!(text(&tasks[0]["detail"]).contains("7号"), "{tasks}");
    let mut stop = vec!["step", &stopped, "stop", "reason_code=lost_contact"];
    stop.extend([
        "decision_number=7号",
        "decision_date=2026-11-20",
        "decision_body=街道党工委",
    ]);
    city.node(1, &stop)?.done()?;
    let task = text(&tasks[0]["id"]);
    city.node(1, &["quarantine", "done", &task, "--why", "已按文办理"])?
        .done()?;
    city.settle_down(1)?;
    city.settle_down(0)?;
    for office in [0, 1] {
        let status = city.node(office, &["status"])?.done()?.json();
        assert_eq!(status["urgent"], 0, "{status}");
    }
    city.prove_equality().map(drop)
}
