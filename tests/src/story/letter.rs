//! Transfers: a letter from issue to receipt, and a race of two offices for one member.

use anyhow::Context as _;

use super::{chapter, tell};
use crate::harness::{City, STREET, wait_for};

/// A member of an office whose relation no case is about, by its place in the list.
fn member_at(city: &City, office: usize, place: usize) -> anyhow::Result<String> {
    let list = city.node(office, &["list", "member"])?.done()?.json();
    Ok(list[place]["id"].as_str().context("no member")?.to_owned())
}

/// Starts a transfer and brings it to the issued letter.
fn start_and_issue(city: &City, from: usize, to: usize, member: &str) -> anyhow::Result<String> {
    let (receiver, receiver_name) = (city.office(to)?.code, city.office(to)?.name);
    let unit = format!("to_unit={receiver_name}党委第一支部");
    let args = [
        "transfer",
        "start",
        "--member",
        member,
        "--to",
        receiver,
        &unit,
        "addressee=中共示范街道工作委员会",
        "dues_paid_to=2026-10",
    ];
    let case = city.node(from, &args)?.done()?.json();
    let case = case["id"]
        .as_str()
        .context("no case in the answer")?
        .to_owned();
    city.node(from, &["transfer", "step", &case, "submit"])?
        .done()?;
    city.node(from, &["transfer", "step", &case, "approve_branch"])?
        .done()?;
    city.settle_down(from)?;
    let step = [
        "transfer",
        "step",
        &case,
        "approve",
        "--as",
        STREET,
        "valid_days=60",
    ];
    let issued = city.hub(&step)?.done()?.json();
    tell(&format!(
        "case {case}: submitted, approved; the street issues letter {}",
        issued["letter_number"].as_str().unwrap_or_default()
    ));
    Ok(case)
}

/// Waits until an office sees a case in a state.
fn wait_for_state(city: &City, office: usize, case: &str, state: &str) -> anyhow::Result<()> {
    wait_for(&format!("{state} at the office"), 60, || {
        let reply = city.node(office, &["transfer", "show", case])?;
        Ok((reply.json()["state"].as_str() == Some(state)).then_some(()))
    })
}

/// The office that the hub says holds a member.
fn holder(city: &City, member: &str) -> anyhow::Result<String> {
    let record = city.hub(&["get", member])?.done()?.json();
    Ok(record["holder"]
        .as_str()
        .context("nobody holds the member")?
        .to_owned())
}

/// A letter goes from issue to receipt.
///
/// # Errors
/// Where a step is refused, or the member is not with the receiver in the end.
pub(super) fn from_issue_to_receipt(city: &City) -> anyhow::Result<()> {
    chapter("A letter goes from issue to receipt");
    let member = member_at(city, 0, 1)?;
    let before = holder(city, &member)?;
    let case = start_and_issue(city, 0, 1, &member)?;
    wait_for_state(city, 1, &case, "IN_TRANSIT")?;
    tell("the receiver sees the letter; the origin stays responsible");
    city.node(1, &["transfer", "step", &case, "open_check"])?
        .done()?;
    let branch = format!("to_branch={}", city.office(1)?.code);
    city.node(1, &["transfer", "step", &case, "accept", &branch])?
        .done()?;
    wait_for_state(city, 1, &case, "ACCEPTED")?;
    let after = holder(city, &member)?;
    anyhow::ensure!(before != after, "the member did not move");
    tell("accepted at the hub: the tenure of one office closed, that of the other opened, at once");
    city.node(1, &["transfer", "step", &case, "send_receipt"])?
        .done()?;
    wait_for_state(city, 0, &case, "RECEIPT_SENT")?;
    city.node(0, &["transfer", "step", &case, "confirm_receipt"])?
        .done()?;
    wait_for_state(city, 0, &case, "CLOSED")?;
    tell("the receipt is on the stub: closed");
    Ok(())
}

/// Two offices race for one member: recalled by one and accepted by the other, both offline.
///
/// # Errors
/// Where the member has not exactly one holder in the end.
pub(super) fn race(city: &City) -> anyhow::Result<()> {
    chapter("Two offices race for one member");
    let member = member_at(city, 0, 2)?;
    let case = start_and_issue(city, 0, 2, &member)?;
    wait_for_state(city, 2, &case, "IN_TRANSIT")?;
    wait_for_state(city, 0, &case, "IN_TRANSIT")?;
    let branch = format!("to_branch={}", city.office(2)?.code);
    for office in [0, 2] {
        city.office(office)?.line.cut();
    }
    tell("both lines are cut; the origin recalls, the receiver accepts");
    city.node(
        0,
        &[
            "transfer",
            "step",
            &case,
            "recall",
            "--reason",
            "本人暂不转出",
        ],
    )?
    .done()?;
    city.node(2, &["transfer", "step", &case, "open_check"])?
        .done()?;
    city.node(2, &["transfer", "step", &case, "accept", &branch])?
        .done()?;
    city.office(2)?.line.restore();
    city.settle_down(2)?;
    city.office(0)?.line.restore();
    city.settle_down(0)?;
    let record = city.hub(&["transfer", "show", &case])?.done()?.json();
    tell(&format!(
        "the acceptance reached the hub first: the case is {}, held by {}; what crossed it is kept beside it",
        record["state"],
        holder(city, &member)?
    ));
    city.hub(&["verify"])?.done()?;
    Ok(())
}
