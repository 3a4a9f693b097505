//! The life of one transfer of a member's relation 组织关系转接 (`domain.md` 1.8; 中国共产党党员教育
//! 管理工作条例 2019, art. 25).
//!
//! The hub applies the steps in its own order with this table, because both offices may be offline
//! and two holders, or none, is the one thing that must never happen. A node runs the same table to
//! show what is possible; what it finds is *waiting for the city* until the verdict.
//!
//! ```text
//!  at the origin
//!    ─create→ DRAFT ─submit→ BRANCH_REVIEW ─approve_branch→ COMMITTEE_REVIEW ─approve→ ISSUED
//!               │ └─submit (internal)──────────────────────────↑ │ │pass_up
//!               └discard→ CANCELLED    ACCEPTED ←─approve────────┘ ↓
//!                                               (internal)  HIGHER_REVIEW ─approve_higher→ ISSUED
//!                                                             │ └send_back→ COMMITTEE_REVIEW
//!                                                             └reject→ REJECTED_OUT
//!    BRANCH_REVIEW, COMMITTEE_REVIEW ─send_back→ DRAFT, ─withdraw→ WITHDRAWN
//!
//!  on the way
//!    ISSUED ─deliver→ IN_TRANSIT ─open_check→ RECEIVE_CHECK
//!                         └expire→ EXPIRED ─open_check (in time)→ RECEIVE_CHECK
//!                                     └reissue→ ISSUED, ─abandon→ CLOSED_STAYED
//!    ISSUED, IN_TRANSIT ─recall→ RECALLED
//!    ISSUED, IN_TRANSIT ─report_lost→ LOST ─find→ IN_TRANSIT, ─reissue→ ISSUED
//!
//!  at the receiver
//!    RECEIVE_CHECK ─hold→ HOLD ─resume→ RECEIVE_CHECK
//!    RECEIVE_CHECK, HOLD ─accept→ ACCEPTED ─send_receipt→ RECEIPT_SENT ─confirm_receipt→ CLOSED
//!                        ─refuse→ REFUSED_IN, ─recall (authority)→ RECALLED
//!
//!  out on paper          IN_TRANSIT ─chase→ CHASE_RECEIPT ─reissue→ ISSUED
//!                        CHASE_RECEIPT ─abandon→ CLOSED_STAYED
//!                        IN_TRANSIT, LOST, CHASE_RECEIPT ─enter_receipt→ ACCEPTED_EXTERNAL
//!  in on paper           ─enter_letter→ LETTER_ENTERED ─open_check→ RECEIVE_CHECK
//!                        LETTER_ENTERED ─refuse→ REFUSED_IN, ─enter_reissue→ LETTER_ENTERED
//!  whole organisation    ─create_batch→ BATCH_DRAFT ─approve_batch→ BATCH_APPROVED
//!                        ─execute→ EXECUTED;  BATCH_DRAFT, BATCH_APPROVED ─discard→ CANCELLED
//!  a dispute, beside it  ─dispute→ DISPUTED ─uphold→ UPHELD, ─revoke→ REVOKED
//!  afterwards            ACCEPTED, RECEIPT_SENT, CLOSED, ACCEPTED_EXTERNAL, EXECUTED
//!                        ─revoke→ REVOKED
//!  organisation gone     COMMITTEE_REVIEW, HIGHER_REVIEW, ISSUED ─repoint→ the same state
//!  from without          every open state with a member ─close_by_status→ CLOSED_BY_STATUS
//! ```
//!
//! Invariants (each has a test with its number):
//! - T1 at most one case per member is open (`TRF-001`); ACCEPTED is not open: the relation has
//!   moved, only the receipt is awaited, and the member may move on.
//! - T2 the member moves only by the arrows that carry `MoveMember`, `TakeIn`, `CloseOutwards`,
//!   `MoveOrganisation` or `Compensate`.
//! - T3 a step that was applied before is a repeat without effect ([`is_repeat`]).
//! - T4 an end is final, except that a higher department may revoke.
//! - T5 from every open state an end is reachable without the receiver (a letter from outside is
//!   the receiver's own case).
//! - T6 nobody but an organisation that may admit members issues a letter (`TRF-002`).
//! - T7 an acceptance is never reopened: what crosses it opens a dispute beside it (`sync.md` 5); the
//!   receiver's own acceptance again crosses nothing and is a repeat.
//! - T8 a case has the variant of its first step for ever, and each beginning has its own (`TRF-024`).
//!
//! Refusals: `TRF-001` to `TRF-011` of `domain.md` 1.8 and the few that it leaves unnamed, all in
//! [`MESSAGES`]. Beyond the rows of `domain.md`, and for T5 only: the authority may recall a case
//! from RECEIVE_CHECK and HOLD (a receiver that is heard of no more would hold it for ever), and a
//! letter that outlived its chase may be reissued or abandoned like an expired one. A paper letter
//! from outside that was entered too late is returned to its issuer (reason `letter_expired`), or the
//! letter that the issuer made anew is entered in its place. A batch that was approved and cannot be
//! executed any more is discarded with a reason.
//!
//! Absent: clocks, ids, messages, tables.

mod guards;
mod messages;
mod sets;
mod table;
#[cfg(test)]
mod tests;

use crate::kinds::step;
use crate::machine::{Effect, Machine, Refused};
use crate::record::Record;

pub use messages::MESSAGES;
pub use sets::{ALWAYS as SETS_ALWAYS, SETS};

states! {
    DRAFT = "草稿", "Draft", open;
    BRANCH_REVIEW = "支部审核", "Branch review", open;
    COMMITTEE_REVIEW = "党委审核", "Committee review", open;
    HIGHER_REVIEW = "上级组织部门审核", "Higher review", open;
    ISSUED = "已开具", "Issued", open;
    IN_TRANSIT = "待接收", "In transit", open;
    RECEIVE_CHECK = "接收审查", "Receiver's check", open;
    HOLD = "暂缓接收", "On hold", open;
    EXPIRED = "逾期", "Expired", open;
    LOST = "遗失", "Lost", open;
    CHASE_RECEIPT = "催回执", "Receipt overdue", open;
    LETTER_ENTERED = "已录入介绍信", "Letter entered", open;
    BATCH_DRAFT = "整建制草稿", "Batch draft", open;
    BATCH_APPROVED = "整建制已批准", "Batch approved", open;
    DISPUTED = "待核实", "Disputed", open;
    ACCEPTED = "已接收", "Accepted", end;
    RECEIPT_SENT = "回执已发", "Receipt sent", end;
    CLOSED = "已办结", "Closed", end;
    ACCEPTED_EXTERNAL = "系统外已接收", "Accepted outside", end;
    EXECUTED = "整建制已转接", "Batch executed", end;
    CANCELLED = "已取消", "Cancelled", end;
    WITHDRAWN = "本人撤回", "Withdrawn", end;
    REJECTED_OUT = "不予转出", "Not let go", end;
    REFUSED_IN = "接收方退回", "Returned by the receiver", end;
    CLOSED_STAYED = "留原组织", "Stayed", end;
    RECALLED = "转出方撤回", "Recalled", end;
    CLOSED_BY_STATUS = "因党籍变化终止", "Closed by status", end;
    UPHELD = "核实后维持", "Upheld", end;
    REVOKED = "撤销", "Revoked", end;
}

events! {
    CREATE = "create", "发起转接", "Create";
    SUBMIT = "submit", "提交", "Submit";
    DISCARD = "discard", "取消", "Discard";
    APPROVE_BRANCH = "approve_branch", "支部同意", "Approve in the branch";
    APPROVE = "approve", "党委批准", "Approve";
    APPROVE_HIGHER = "approve_higher", "上级批准", "Approve above";
    SEND_BACK = "send_back", "退回修改", "Send back";
    WITHDRAW = "withdraw", "本人撤回", "Withdraw";
    PASS_UP = "pass_up", "报上级审批", "Pass up";
    REJECT = "reject", "不予转出", "Reject";
    DELIVER = "deliver", "送达", "Deliver";
    OPEN_CHECK = "open_check", "开始接收审查", "Open check";
    HOLD = "hold", "暂缓接收", "Hold";
    RESUME = "resume", "材料补齐", "Resume";
    ACCEPT = "accept", "接收", "Accept";
    REFUSE = "refuse", "退回", "Refuse";
    EXPIRE = "expire", "逾期", "Expire";
    REISSUE = "reissue", "重新开具", "Reissue";
    ABANDON = "abandon", "留原组织", "Abandon";
    REPORT_LOST = "report_lost", "报告遗失", "Report lost";
    FIND = "find", "找回", "Find";
    RECALL = "recall", "撤回", "Recall";
    SEND_RECEIPT = "send_receipt", "寄发回执", "Send receipt";
    CONFIRM_RECEIPT = "confirm_receipt", "收到回执", "Confirm receipt";
    ENTER_RECEIPT = "enter_receipt", "登记纸质回执", "Enter paper receipt";
    CHASE = "chase", "催办回执", "Chase receipt";
    ENTER_LETTER = "enter_letter", "录入介绍信", "Enter letter";
    ENTER_REISSUE = "enter_reissue", "录入重新开具的介绍信", "Enter the letter issued anew";
    DISPUTE = "dispute", "列为待核实", "Dispute";
    UPHOLD = "uphold", "维持接收", "Uphold";
    REVOKE = "revoke", "撤销转接", "Revoke";
    CLOSE_BY_STATUS = "close_by_status", "因党籍变化终止", "Close by status";
    REPOINT = "repoint", "改由承继组织办理", "Repoint";
    CREATE_BATCH = "create_batch", "发起整建制转接", "Create batch";
    APPROVE_BATCH = "approve_batch", "批准整建制转接", "Approve batch";
    EXECUTE = "execute", "执行整建制转接", "Execute batch";
}

/// The machine.
pub const MACHINE: Machine = Machine {
    name: "transfer",
    states: STATES,
    transitions: table::TRANSITIONS,
    not_allowed_code: "TRF-011",
};

/// The states in which the relation has moved and a receipt is still awaited.
pub const AWAITING_RECEIPT: &[&str] = &[state::ACCEPTED, state::RECEIPT_SENT];

/// The states in which the receiver has accepted.
pub const RECEIVED: &[&str] = &[state::ACCEPTED, state::RECEIPT_SENT, state::CLOSED];

/// The states in which a case is taken over by the successor of an organisation that is gone.
pub const REPOINTED: &[&str] = &[state::COMMITTEE_REVIEW, state::HIGHER_REVIEW, state::ISSUED];

/// The states in which the relation has moved by this case.
pub const MOVED: &[&str] = &[
    state::ACCEPTED,
    state::RECEIPT_SENT,
    state::CLOSED,
    state::ACCEPTED_EXTERNAL,
    state::EXECUTED,
];

/// The states in which the letter of a case is void or suspended.
pub const LETTER_VOID: &[&str] = &[
    state::LOST,
    state::RECALLED,
    state::REFUSED_IN,
    state::CLOSED_STAYED,
    state::CLOSED_BY_STATUS,
    state::REVOKED,
];

/// Whether a step repeats one that was applied before: the same event by the same organisation on
/// the same case, and the case has moved past the place where the event leads on (T3, `sync.md` 5).
///
/// Where the event leads on again (a case sent back and submitted anew, held a second time) it is a
/// step of its own; so is one that sets the case anew where it stands (a second letter issued anew).
pub fn is_repeat<'a>(
    state: &str,
    step: &Record,
    applied: impl IntoIterator<Item = &'a Record>,
) -> bool {
    let event = step.text(step::EVENT);
    let leads_on = MACHINE.transitions.iter().any(|arrow| {
        let is_anew = arrow.to != state || !arrow.effects.contains(&Effect::OpenDispute);
        Some(arrow.event) == event && arrow.from.contains(&state) && is_anew
    });
    !leads_on
        && applied
            .into_iter()
            .any(|old| old.key != step.key && is_equal(old, step))
}

/// Whether two steps say the same of the same case.
fn is_equal(one: &Record, other: &Record) -> bool {
    [step::SUBJECT, step::EVENT, step::ORGANISATION]
        .iter()
        .all(|field| one.value(*field).is_some() && one.value(*field) == other.value(*field))
}

/// The code with which a step is refused, more exact than the machine's own where the state tells
/// why: the letter is void (`TRF-004`), or the member has been received already (`TRF-010`).
pub fn refusal_code(state: &str, event: &str, refused: Refused) -> &'static str {
    let of_receiver = matches!(event, event::OPEN_CHECK | event::ACCEPT);
    match refused {
        Refused::NotAllowed | Refused::WrongActor if of_receiver && MOVED.contains(&state) => {
            "TRF-010"
        }
        Refused::NotAllowed if of_receiver && LETTER_VOID.contains(&state) => "TRF-004",
        _ => MACHINE.code(refused),
    }
}
