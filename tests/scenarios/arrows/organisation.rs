//! Organisations that move with all their members, and that are taken over (`domain.md` 1.8, 7.2).

use anyhow::Context as _;
use tests::harness::{City, STREET};

use super::transfer::{Cases, DECISION, LETTERED};
use super::{EAST, WEST, Who, new_member, wait_at};
use crate::support::text;

/// A branch of the first office.
fn branch(city: &City, code: &str) -> anyhow::Result<()> {
    let (name, code) = (format!("name=中共示范支部{code}"), format!("code={code}"));
    let mut all = vec![
        "add",
        "organisation",
        &name,
        &code,
        "kind=branch",
        "state=active",
    ];
    all.extend(["parent=350102001001", "node_office=350102001001"]);
    city.hub(&all)?.done()?;
    city.settle_down(0)
}

/// A member of a branch.
fn member_of(city: &City, code: &str, name: &str) -> anyhow::Result<String> {
    let branch = format!("branch={code}");
    new_member(city, name, &["category=full", "status=FULL", &branch])
}

/// A batch of the first office's; in BATCH_DRAFT.
fn begun(cases: &mut Cases<'_, '_>, code: &str) -> anyhow::Result<String> {
    let all = ["transfer", "batch", code, "--to", "350102001002"];
    let case = text(&cases.city.node(0, &all)?.done()?.json()["id"]);
    cases.city.settle_down(0)?;
    assert_eq!(cases.drive.state(&case)?, "BATCH_DRAFT");
    cases.drive.note("", "create_batch", "BATCH_DRAFT");
    Ok(case)
}

/// A branch moves to the other office with its members, and back.
pub(super) fn moves(cases: &mut Cases<'_, '_>) -> anyhow::Result<()> {
    let code = "35010200100108";
    branch(cases.city, code)?;
    let moving: Vec<_> = (0..3)
        .map(|n| member_of(cases.city, code, &format!("整建制{n}")))
        .collect::<Result<_, _>>()?;
    let start = [
        "transfer",
        "start",
        "--member",
        &moving[2],
        "--to",
        "350102001002",
    ];
    cases.city.node(0, &start)?.done()?;
    let case = begun(cases, code)?;
    cases.drive.step(&case, EAST, "discard", &[], "CANCELLED")?;
    let case = begun(cases, code)?;
    let drive = &mut *cases.drive;
    drive.step(
        &case,
        Who::Street,
        "approve_batch",
        &DECISION,
        "BATCH_APPROVED",
    )?;
    drive.step(&case, Who::Street, "discard", &["reason=暂缓"], "CANCELLED")?;
    let case = begun(cases, code)?;
    let drive = &mut *cases.drive;
    drive.step(
        &case,
        Who::Street,
        "approve_batch",
        &DECISION,
        "BATCH_APPROVED",
    )?;
    drive.step(&case, Who::Street, "execute", &[], "EXECUTED")?;
    for id in &moving[..2] {
        wait_at(cases.city, 1, id)?;
    }
    cases.city.settle_down(0)?;
    assert_eq!(held_by(cases.city, &moving)?, [1, 1, 0]);
    let shown = cases.city.hub(&["transfer", "show", &case])?.done()?.json();
    assert_eq!(
        (&shown["moved_count"], &shown["excluded"]),
        (&"2".into(), &"整建制2".into())
    );
    assert_eq!(
        shown["moved"].as_array().map(Vec::len),
        Some(2),
        "the printed list: {shown}"
    );
    assert_ne!(
        cases.city.node(0, &["get", &moving[0]])?.code,
        0,
        "a stub, not the member"
    );
    cases
        .drive
        .step(&case, Who::Street, "revoke", &DECISION, "REVOKED")?;
    cases.city.settle_down(1)?;
    cases.city.settle_down(0)?;
    assert_eq!(held_by(cases.city, &moving)?, [0, 0, 0]);
    Ok(())
}

/// Which office holds each member, by its place, and by one open tenure.
fn held_by(city: &City, members: &[String]) -> anyhow::Result<Vec<usize>> {
    let mut places = Vec::new();
    for member in members {
        let record = city.hub(&["get", member])?.done()?.json();
        let name = format!("member={member}");
        let tenures = city
            .hub(&["list", "tenure", "--where", &name])?
            .done()?
            .json();
        let tenures = tenures.as_array().context("a list of tenures")?;
        let open: Vec<_> = tenures.iter().filter(|t| t["closed"].is_null()).collect();
        anyhow::ensure!(
            open.len() == 1 && open[0]["holder"] == record["holder"],
            "{tenures:?}"
        );
        let at = |place: &usize| {
            city.node(*place, &["get", member])
                .is_ok_and(|r| r.code == 0)
        };
        let holders: Vec<_> = (0..2).filter(at).collect();
        anyhow::ensure!(holders.len() == 1, "{member} is at {holders:?}");
        places.extend(holders);
    }
    Ok(places)
}

/// A branch is given up; its open cases are taken over in each state in which they may be.
pub(super) fn taken_over(cases: &mut Cases<'_, '_>) -> anyhow::Result<()> {
    let code = "35010200100109";
    branch(cases.city, code)?;
    let from = format!("from_branch={code}");
    let (reviewed, _) = cases.reviewed(&[&from])?;
    let (above, _) = cases.reviewed(&["variant=cross_province", &from])?;
    cases
        .drive
        .step(&above, EAST, "pass_up", &[], "HIGHER_REVIEW")?;
    let issued = cases.issued_outside(&[&from])?;
    let member = member_of(cases.city, code, "尚在支部")?;
    let merge = ["org", "merge", code, "--into", "35010200100101"];
    let refused = cases.city.hub(&merge)?;
    assert!(
        refused.code == 1 && refused.out.contains("ORG-001"),
        "{}",
        refused.out
    );
    let inside = [
        "transfer",
        "start",
        "--member",
        &member,
        "--to",
        "350102001001",
    ];
    let mut all = inside.to_vec();
    all.extend(["variant=internal", "to_branch=35010200100101"]);
    let moving = text(&cases.city.node(0, &all)?.done()?.json()["id"]);
    cases.city.settle_down(0)?;
    cases
        .drive
        .step(&moving, EAST, "submit", &[], "COMMITTEE_REVIEW")?;
    let merged = cases.city.hub(&merge)?.done()?.json();
    assert_eq!(merged["cases_taken_over"], 4, "{merged}");
    let successor = cases
        .city
        .hub(&["list", "organisation", "--where", "code=35010200100101"])?;
    let successor = text(&successor.done()?.json()[0]["id"]);
    for (case, state) in [
        (&reviewed, "COMMITTEE_REVIEW"),
        (&above, "HIGHER_REVIEW"),
        (&issued, "ISSUED"),
    ] {
        let found = cases.city.hub(&["get", case])?.done()?.json();
        assert_eq!(
            (text(&found["state"]), text(&found["from_branch"])),
            (state.to_owned(), successor.clone())
        );
        assert_eq!(found["last_event"], "repoint");
        cases.drive.note(state, "repoint", state);
    }
    let moved = cases.city.hub(&["get", &member])?.done()?.json();
    assert_eq!(text(&moved["branch"]), successor, "the member goes along");
    // What was taken over goes on: one to its end, the others by whoever has them.
    cases
        .drive
        .step(&reviewed, EAST, "withdraw", &[], "WITHDRAWN")?;
    cases.drive.step(
        &above,
        Who::Street,
        "reject",
        &["reason=不符合条件"],
        "REJECTED_OUT",
    )?;
    cases.drive.step(&issued, EAST, "recall", &[], "RECALLED")?;
    let to = ["to_branch=35010200100101"];
    cases
        .drive
        .step(&moving, EAST, "approve", &to, "ACCEPTED")?;
    an_office_is_merged(cases)
}

/// The receiver of a case is merged into another office before the letter is issued: that office
/// receives it.
fn an_office_is_merged(cases: &mut Cases<'_, '_>) -> anyhow::Result<()> {
    let (case, member) = cases.draft(Some("350102001003"), &LETTERED)?;
    cases
        .drive
        .step(&case, EAST, "submit", &[], "BRANCH_REVIEW")?;
    cases
        .drive
        .step(&case, EAST, "approve_branch", &[], "COMMITTEE_REVIEW")?;
    let merge = ["org", "merge", "350102001003", "--into", "350102001002"];
    assert_eq!(
        cases.city.hub(&merge)?.done()?.json()["cases_taken_over"],
        1
    );
    cases.issue(&case, "approve", &[], "IN_TRANSIT")?;
    wait_at(cases.city, 1, &case)?;
    let drive = &mut *cases.drive;
    drive.step(&case, WEST, "open_check", &[], "RECEIVE_CHECK")?;
    drive.step(
        &case,
        WEST,
        "accept",
        &["to_branch=35010200100201"],
        "ACCEPTED",
    )?;
    wait_at(cases.city, 1, &member)?;
    let again = cases.city.hub(&["org", "abolish", STREET])?;
    assert!(again.out.contains("ORG-005"), "{}", again.out);
    Ok(())
}
