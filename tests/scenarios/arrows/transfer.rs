//! The arrows of a transfer (`domain.md` 1.8), variant by variant.

use std::collections::BTreeSet;

use anyhow::Context as _;
use tests::harness::City;

use super::{Arrow, Drive, EAST, WEST, Who, new_member, organisation, wait_at};
use crate::support::text;

pub(super) const LETTERED: [&str; 3] = [
    "to_unit=西苑社区第一支部",
    "addressee=中共示范街道工作委员会",
    "dues_paid_to=2026-10",
];
pub(super) const DECISION: [&str; 2] = [
    "decision_number=示组〔2026〕1号",
    "decision_date=2026-11-20",
];
const REFUSAL: [&str; 3] = [
    "reason_code=addressee_wrong",
    "reason=抬头有误",
    "approver=审批人",
];
const BRANCH: [&str; 1] = ["to_branch=35010200100201"];
/// Beyond the letter's last valid day, and beyond the month after it.
const EXPIRED: Who = Who::Rules(80);
const CHASED: Who = Who::Rules(120);

/// Cases of one city.
pub(super) struct Cases<'d, 'c> {
    pub(super) drive: &'d mut Drive<'c>,
    pub(super) city: &'c City,
    count: usize,
}

/// The arguments that issue a letter.
fn letter(number: usize) -> [String; 2] {
    [
        format!("letter_number=示范-2026-{number:04}"),
        "valid_days=60".to_owned(),
    ]
}

impl Cases<'_, '_> {
    /// Takes a step that issues a letter with a number of its own.
    pub(super) fn issue(
        &mut self,
        case: &str,
        event: &str,
        args: &[&str],
        to: &str,
    ) -> anyhow::Result<()> {
        self.count += 1;
        let issued = letter(self.count);
        let all: Vec<_> = args
            .iter()
            .copied()
            .chain(issued.iter().map(String::as_str))
            .collect();
        self.drive.step(case, Who::Street, event, &all, to)
    }

    /// A case in DRAFT, of a member of its own.
    pub(super) fn draft(
        &mut self,
        to: Option<&str>,
        values: &[&str],
    ) -> anyhow::Result<(String, String)> {
        self.count += 1;
        let member = new_member(self.city, &format!("转接人{}", self.count), &[])?;
        let mut all = vec!["transfer", "start", "--member", &member];
        all.extend(to.iter().flat_map(|to| ["--to", to]));
        all.extend(values);
        let case = text(&self.city.node(0, &all)?.done()?.json()["id"]);
        self.city.settle_down(0)?;
        assert_eq!(self.drive.state(&case)?, "DRAFT");
        self.drive.note("", "create", "DRAFT");
        Ok((case, member))
    }

    /// A lettered case before the committee.
    pub(super) fn reviewed(&mut self, values: &[&str]) -> anyhow::Result<(String, String)> {
        let mut all = LETTERED.to_vec();
        all.extend(values);
        let made = self.draft(Some("350102001002"), &all)?;
        self.drive
            .step(&made.0, EAST, "submit", &[], "BRANCH_REVIEW")?;
        self.drive
            .step(&made.0, EAST, "approve_branch", &[], "COMMITTEE_REVIEW")?;
        Ok(made)
    }

    /// A case whose letter is on its way to the other office.
    fn in_transit(&mut self) -> anyhow::Result<(String, String)> {
        let made = self.reviewed(&[])?;
        self.issue(&made.0, "approve", &[], "IN_TRANSIT")?;
        // Issued to an office inside, the letter is delivered in the same step.
        self.drive.note("COMMITTEE_REVIEW", "approve", "ISSUED");
        self.drive.note("ISSUED", "deliver", "IN_TRANSIT");
        wait_at(self.city, 1, &made.0)?;
        Ok(made)
    }

    /// A case whose letter goes out of this system, on paper.
    pub(super) fn issued_outside(&mut self, values: &[&str]) -> anyhow::Result<String> {
        let (case, _) = self.draft(None, &[&LETTERED, values].concat())?;
        self.drive
            .step(&case, EAST, "submit", &[], "BRANCH_REVIEW")?;
        self.drive
            .step(&case, EAST, "approve_branch", &[], "COMMITTEE_REVIEW")?;
        self.issue(&case, "approve", &[], "ISSUED")?;
        Ok(case)
    }

    fn accepted(&mut self) -> anyhow::Result<(String, String)> {
        let made = self.in_transit()?;
        self.drive
            .step(&made.0, WEST, "open_check", &[], "RECEIVE_CHECK")?;
        self.drive
            .step(&made.0, WEST, "accept", &BRANCH, "ACCEPTED")?;
        Ok(made)
    }
}

/// Drives every arrow of the machine that can be driven.
pub(super) fn drive(city: &City, driven: &mut BTreeSet<Arrow>) -> anyhow::Result<()> {
    let mut drive = Drive {
        city,
        machine: "transfer",
        state_field: "state",
        driven,
    };
    let cases = &mut Cases {
        drive: &mut drive,
        city,
        count: 0,
    };
    before_the_letter(cases)?;
    the_letter(cases)?;
    at_the_receiver(cases)?;
    on_paper(cases)?;
    too_late_from_outside(cases)?;
    after_the_acceptance(cases)?;
    organisation::moves(cases)?;
    organisation::taken_over(cases)
}

fn before_the_letter(cases: &mut Cases<'_, '_>) -> anyhow::Result<()> {
    let (case, _) = cases.draft(Some("350102001002"), &LETTERED)?;
    let drive = &mut *cases.drive;
    drive.step(&case, EAST, "discard", &[], "CANCELLED")?;
    let (case, _) = cases.reviewed(&[])?;
    let drive = &mut *cases.drive;
    drive.step(&case, EAST, "send_back", &["reason=材料不全"], "DRAFT")?;
    drive.step(&case, EAST, "submit", &[], "BRANCH_REVIEW")?;
    drive.step(&case, EAST, "send_back", &["reason=材料不全"], "DRAFT")?;
    drive.step(&case, EAST, "submit", &[], "BRANCH_REVIEW")?;
    drive.step(&case, EAST, "withdraw", &[], "WITHDRAWN")?;
    let (case, _) = cases.reviewed(&[])?;
    cases
        .drive
        .step(&case, EAST, "withdraw", &[], "WITHDRAWN")?;
    let inside = ["variant=internal", "to_branch=35010200100101"];
    let (case, _) = cases.draft(Some("350102001001"), &inside)?;
    cases
        .drive
        .step(&case, EAST, "submit", &[], "COMMITTEE_REVIEW")?;
    cases.drive.step(
        &case,
        EAST,
        "approve",
        &["to_branch=35010200100101"],
        "ACCEPTED",
    )?;
    let (case, _) = cases.reviewed(&["variant=cross_province"])?;
    let drive = &mut *cases.drive;
    drive.step(&case, EAST, "pass_up", &[], "HIGHER_REVIEW")?;
    drive.step(
        &case,
        Who::Street,
        "send_back",
        &["reason=材料不全"],
        "COMMITTEE_REVIEW",
    )?;
    drive.step(&case, EAST, "pass_up", &[], "HIGHER_REVIEW")?;
    cases.issue(&case, "approve_higher", &[], "IN_TRANSIT")?;
    cases
        .drive
        .note("HIGHER_REVIEW", "approve_higher", "ISSUED");
    let (case, _) = cases.reviewed(&["variant=cross_province"])?;
    let drive = &mut *cases.drive;
    drive.step(&case, EAST, "pass_up", &[], "HIGHER_REVIEW")?;
    drive.step(
        &case,
        Who::Street,
        "reject",
        &["reason=不符合条件"],
        "REJECTED_OUT",
    )?;
    // A death closes the open case.
    let (case, member) = cases.draft(Some("350102001002"), &LETTERED)?;
    cases
        .city
        .node(0, &["step", &member, "record_death"])?
        .done()?;
    cases.city.settle_down(0)?;
    assert_eq!(cases.drive.state(&case)?, "CLOSED_BY_STATUS");
    cases
        .drive
        .note("DRAFT", "close_by_status", "CLOSED_BY_STATUS");
    Ok(())
}

fn the_letter(cases: &mut Cases<'_, '_>) -> anyhow::Result<()> {
    let (case, _) = cases.in_transit()?;
    let drive = &mut *cases.drive;
    drive.step(&case, EXPIRED, "expire", &[], "EXPIRED")?;
    // The receiver had opened the letter in time.
    drive.step(&case, WEST, "open_check", &[], "RECEIVE_CHECK")?;
    drive.step(&case, WEST, "refuse", &REFUSAL, "REFUSED_IN")?;
    let (case, _) = cases.in_transit()?;
    let drive = &mut *cases.drive;
    drive.step(&case, EXPIRED, "expire", &[], "EXPIRED")?;
    cases.issue(&case, "reissue", &["reason_code=member"], "IN_TRANSIT")?;
    let drive = &mut *cases.drive;
    drive.note("EXPIRED", "reissue", "ISSUED");
    drive.step(&case, EAST, "report_lost", &["reason=寄失"], "LOST")?;
    drive.step(&case, EAST, "find", &[], "IN_TRANSIT")?;
    drive.step(&case, EAST, "report_lost", &["reason=寄失"], "LOST")?;
    cases.issue(
        &case,
        "reissue",
        &["opinion=经查实遗失", "approver=审查人"],
        "IN_TRANSIT",
    )?;
    let drive = &mut *cases.drive;
    drive.note("LOST", "reissue", "ISSUED");
    drive.step(&case, EAST, "recall", &[], "RECALLED")?;
    let (case, _) = cases.in_transit()?;
    let drive = &mut *cases.drive;
    drive.step(&case, EXPIRED, "expire", &[], "EXPIRED")?;
    drive.step(&case, EAST, "abandon", &[], "CLOSED_STAYED")
}

fn at_the_receiver(cases: &mut Cases<'_, '_>) -> anyhow::Result<()> {
    let hold = ["reason_code=file_incomplete"];
    let (case, _) = cases.in_transit()?;
    let drive = &mut *cases.drive;
    drive.step(&case, WEST, "open_check", &[], "RECEIVE_CHECK")?;
    drive.step(&case, WEST, "hold", &hold, "HOLD")?;
    drive.step(&case, WEST, "resume", &[], "RECEIVE_CHECK")?;
    drive.step(&case, WEST, "hold", &hold, "HOLD")?;
    drive.step(&case, WEST, "accept", &BRANCH, "ACCEPTED")?;
    let (case, _) = cases.in_transit()?;
    let drive = &mut *cases.drive;
    drive.step(&case, WEST, "open_check", &[], "RECEIVE_CHECK")?;
    drive.step(&case, WEST, "hold", &hold, "HOLD")?;
    drive.step(&case, WEST, "refuse", &REFUSAL, "REFUSED_IN")?;
    let (case, _) = cases.in_transit()?;
    let drive = &mut *cases.drive;
    drive.step(&case, WEST, "open_check", &[], "RECEIVE_CHECK")?;
    drive.step(&case, Who::Street, "recall", &["reason=撤回"], "RECALLED")?;
    let (case, _) = cases.in_transit()?;
    let drive = &mut *cases.drive;
    drive.step(&case, WEST, "open_check", &[], "RECEIVE_CHECK")?;
    drive.step(&case, WEST, "hold", &hold, "HOLD")?;
    drive.step(&case, Who::Street, "recall", &["reason=撤回"], "RECALLED")
}

/// A paper letter from outside that comes too late.
fn too_late_from_outside(cases: &mut Cases<'_, '_>) -> anyhow::Result<()> {
    let letter = [
        "transfer",
        "enter-letter",
        "name=迟到信",
        "origin=外市某支部",
        "letter_number=外-0002",
        "last_valid_date=2026-01-31",
    ];
    let case = text(&cases.city.node(1, &letter)?.done()?.json()["id"]);
    cases.city.settle_down(1)?;
    let drive = &mut *cases.drive;
    let late = drive.take(&case, WEST, "open_check", &[]);
    assert!(late.is_ok(), "the node sends it, the hub decides");
    assert_eq!(drive.state(&case)?, "LETTER_ENTERED");
    let anew = [
        "reason_code=clerk",
        "letter_number=外-0003",
        "last_valid_date=2099-01-31",
    ];
    drive.step(&case, WEST, "enter_reissue", &anew, "LETTER_ENTERED")?;
    let mut expired = REFUSAL;
    expired[0] = "reason_code=letter_expired";
    drive.step(&case, WEST, "refuse", &expired, "REFUSED_IN")
}

fn on_paper(cases: &mut Cases<'_, '_>) -> anyhow::Result<()> {
    let received = ["received_date=2026-11-20"];
    let case = cases.issued_outside(&[])?;
    let drive = &mut *cases.drive;
    drive.step(&case, EAST, "deliver", &[], "IN_TRANSIT")?;
    drive.step(&case, EAST, "enter_receipt", &received, "ACCEPTED_EXTERNAL")?;
    drive.step(&case, Who::Street, "revoke", &DECISION, "REVOKED")?;
    let case = cases.issued_outside(&[])?;
    let drive = &mut *cases.drive;
    drive.step(&case, EAST, "report_lost", &["reason=寄失"], "LOST")?;
    drive.step(&case, EAST, "enter_receipt", &received, "ACCEPTED_EXTERNAL")?;
    let case = cases.issued_outside(&[])?;
    cases.drive.step(&case, EAST, "recall", &[], "RECALLED")?;
    let case = cases.issued_outside(&[])?;
    let drive = &mut *cases.drive;
    drive.step(&case, EAST, "deliver", &[], "IN_TRANSIT")?;
    drive.step(&case, CHASED, "chase", &[], "CHASE_RECEIPT")?;
    drive.step(&case, EAST, "enter_receipt", &received, "ACCEPTED_EXTERNAL")?;
    let case = cases.issued_outside(&[])?;
    let drive = &mut *cases.drive;
    drive.step(&case, EAST, "deliver", &[], "IN_TRANSIT")?;
    drive.step(&case, CHASED, "chase", &[], "CHASE_RECEIPT")?;
    cases.issue(&case, "reissue", &["reason_code=other"], "ISSUED")?;
    let case = cases.issued_outside(&[])?;
    let drive = &mut *cases.drive;
    drive.step(&case, EAST, "deliver", &[], "IN_TRANSIT")?;
    drive.step(&case, CHASED, "chase", &[], "CHASE_RECEIPT")?;
    drive.step(&case, EAST, "abandon", &[], "CLOSED_STAYED")?;
    // In from outside.
    let letter = [
        "transfer",
        "enter-letter",
        "name=来自外地",
        "origin=外市某支部",
        "category=full",
        "join_date=2018-06-30",
        "letter_number=外-0001",
        "last_valid_date=2027-01-31",
    ];
    let case = text(&cases.city.node(1, &letter)?.done()?.json()["id"]);
    cases.city.settle_down(1)?;
    let drive = &mut *cases.drive;
    assert_eq!(drive.state(&case)?, "LETTER_ENTERED");
    drive.note("", "enter_letter", "LETTER_ENTERED");
    drive.step(&case, WEST, "open_check", &[], "RECEIVE_CHECK")?;
    drive.step(&case, WEST, "accept", &BRANCH, "ACCEPTED")?;
    drive.step(&case, WEST, "send_receipt", &[], "RECEIPT_SENT")?;
    drive.step(&case, WEST, "confirm_receipt", &[], "CLOSED")
}

/// The department decides a dispute against the acceptance: the member is back at the origin, and
/// held once.
fn a_dispute_takes_the_acceptance_back(cases: &mut Cases<'_, '_>) -> anyhow::Result<()> {
    let (case, member) = cases.accepted()?;
    cases
        .drive
        .step(&case, EAST, "recall", &["reason=撤回"], "ACCEPTED")?;
    let open = ["list", "transfer", "--where", "state=DISPUTED"];
    let disputes = cases.city.hub(&open)?.done()?.json();
    let dispute = text(&disputes[0]["id"]);
    cases
        .drive
        .step(&dispute, Who::Street, "revoke", &DECISION, "REVOKED")?;
    assert_eq!(cases.drive.state(&case)?, "REVOKED");
    wait_at(cases.city, 0, &member)?;
    let found = cases.city.hub(&["get", &member])?.done()?.json();
    assert_eq!(found["holder"], found["office"]);
    let name = format!("member={member}");
    let tenures = ["list", "tenure", "--where", &name];
    let tenures = cases.city.hub(&tenures)?.done()?.json();
    let tenures = tenures.as_array().context("a list of tenures")?;
    let open = tenures.iter().filter(|t| t["closed"].is_null());
    assert_eq!((tenures.len(), open.count()), (3, 1));
    Ok(())
}

fn after_the_acceptance(cases: &mut Cases<'_, '_>) -> anyhow::Result<()> {
    a_dispute_takes_the_acceptance_back(cases)?;
    let (case, _) = cases.accepted()?;
    let drive = &mut *cases.drive;
    // A recall that crossed the acceptance leaves it standing, and a dispute is opened.
    drive.step(&case, EAST, "recall", &["reason=撤回"], "ACCEPTED")?;
    let disputes = cases
        .city
        .hub(&["list", "transfer", "--where", "state=DISPUTED"])?
        .done()?;
    let disputes = disputes.json();
    let dispute = text(&disputes[0]["id"]);
    let drive = &mut *cases.drive;
    assert_eq!(drive.state(&dispute)?, "DISPUTED");
    drive.note("", "dispute", "DISPUTED");
    drive.step(&dispute, Who::Street, "uphold", &DECISION, "UPHELD")?;
    drive.step(&case, WEST, "send_receipt", &[], "RECEIPT_SENT")?;
    drive.step(&case, EAST, "confirm_receipt", &[], "CLOSED")?;
    drive.step(&case, Who::Street, "revoke", &DECISION, "REVOKED")?;
    let (case, _) = cases.accepted()?;
    let drive = &mut *cases.drive;
    drive.step(&case, Who::Street, "accept", &BRANCH, "ACCEPTED")?;
    drive.step(&case, Who::Street, "revoke", &DECISION, "REVOKED")?;
    let (case, _) = cases.accepted()?;
    let drive = &mut *cases.drive;
    drive.step(&case, WEST, "send_receipt", &[], "RECEIPT_SENT")?;
    drive.step(&case, Who::Street, "accept", &BRANCH, "RECEIPT_SENT")?;
    drive.step(&case, EAST, "recall", &["reason=撤回"], "RECEIPT_SENT")?;
    drive.step(&case, Who::Street, "revoke", &DECISION, "REVOKED")?;
    let (case, _) = cases.accepted()?;
    let drive = &mut *cases.drive;
    drive.step(&case, WEST, "send_receipt", &[], "RECEIPT_SENT")?;
    drive.step(&case, EAST, "confirm_receipt", &[], "CLOSED")?;
    drive.step(&case, Who::Street, "accept", &BRANCH, "CLOSED")?;
    drive.step(&case, EAST, "recall", &["reason=撤回"], "CLOSED")
}
