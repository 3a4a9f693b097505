//! The steps of a transfer, at both offices and at the desk.

use super::Work;

pub(super) const WORK: &[Work] = &[
    ("a transfer is started", "", "<started>"),
    (
        "a transfer is submitted",
        "<started>\nquiet",
        "0 transfer step $z submit",
    ),
    (
        "a transfer is withdrawn",
        "<submitted>\nquiet",
        "0 transfer step $z withdraw",
    ),
    (
        "a branch approves",
        "<submitted>\nquiet",
        "0 transfer step $z approve_branch",
    ),
    (
        "a letter is issued",
        "<reviewed>",
        "desk transfer step $z approve --as 350102001 valid_days=60",
    ),
    (
        "a transfer is sent back",
        "<reviewed>",
        "desk transfer step $z send_back --as 350102001 reason=有误",
    ),
    (
        "a letter is checked",
        "<on its way>",
        "1 transfer step $z open_check",
    ),
    (
        "a member is accepted",
        "<on its way>\n1 transfer step $z open_check\nquiet",
        "1 transfer step $z accept to_branch={1b}",
    ),
    (
        "a member is refused",
        "<on its way>\n1 transfer step $z open_check\nquiet",
        "1 transfer step $z refuse reason_code=addressee_wrong reason=抬头有误 approver=审批人",
    ),
    (
        "a check waits for a file",
        "<on its way>\n1 transfer step $z open_check\nquiet",
        "1 transfer step $z hold reason_code=file_incomplete",
    ),
    (
        "a letter is recalled",
        "<on its way>",
        "0 transfer step $z recall reason=撤回",
    ),
    (
        "a letter is lost",
        "<on its way>",
        "0 transfer step $z report_lost reason=寄失",
    ),
    (
        "a letter is issued again",
        "<on its way>\n0 transfer step $z report_lost reason=寄失\nquiet",
        "desk transfer step $z reissue --as 350102001 valid_days=60 opinion=经查实遗失 approver=审查人",
    ),
    (
        "a recall crosses an acceptance",
        "<on its way>\n1 transfer step $z open_check\nquiet\n0 transfer step $z recall reason=撤回",
        "1 transfer step $z accept to_branch={1b}\nsync 1",
    ),
    (
        "a receipt is sent",
        "<accepted>\nquiet",
        "1 transfer step $z send_receipt",
    ),
    (
        "a receipt is confirmed",
        "<accepted>\n1 transfer step $z send_receipt\nquiet",
        "0 transfer step $z confirm_receipt",
    ),
    (
        "an acceptance is revoked",
        "<accepted>\n1 transfer step $z send_receipt\nquiet\n0 transfer step $z confirm_receipt\nquiet",
        "desk transfer step $z revoke --as 350102001 decision_number=示组1号 decision_date=2026-11-02",
    ),
    (
        "a letter expires",
        "<on its way>\npass 6912000\nquiet",
        "desk tick",
    ),
    (
        "a letter from outside is entered",
        "",
        "z: 1 transfer enter-letter name=来自外地 origin=外市某支部 category=full join_date=2018-06-30 letter_number=外-0001 last_valid_date=2027-01-31",
    ),
    (
        "a whole branch begins to move",
        "",
        "z: 0 transfer batch {0b} --to {1} to_unit=某党委 addressee=某工委",
    ),
];
