//! What commands say besides their names.

/// What a step of a transfer says; `%` stands for a branch of who takes it.
pub fn of_transfer(event: &str) -> &'static [&'static str] {
    const DECISION: [&str; 2] = [
        "decision_number=示组〔2026〕1号",
        "decision_date=2026-11-02",
    ];
    match event {
        "approve" | "approve_higher" => &["valid_days=60", "to_branch=%"],
        "accept" => &["to_branch=%"],
        "hold" => &["reason_code=file_incomplete"],
        "refuse" => &[
            "reason_code=addressee_wrong",
            "reason=抬头有误",
            "approver=审批人",
        ],
        "reissue" => &[
            "reason_code=member",
            "valid_days=60",
            "opinion=经查实",
            "approver=审查人",
        ],
        "enter_receipt" => &["received_date=2026-11-02"],
        "revoke" | "uphold" | "approve_batch" => &DECISION,
        "send_back" | "recall" | "report_lost" | "reject" | "dispute" => &["reason=有误"],
        _ => &[],
    }
}

/// What a step of an activity or of a service record says.
pub fn of_service(event: &str) -> &'static [&'static str] {
    match event {
        "sign_in" => &["sign_in=1793505600000"],
        "sign_out" => &[
            "sign_in=1793505600000",
            "sign_out=1793512800000",
            "minutes=120",
        ],
        "confirm" | "approve" => &["approver=负责人"],
        "publicise" => &["notice_until=2026-11-30"],
        "change" => &["minutes=60", "reason=更正", "approver=负责人"],
        "addendum" => &["value=补充说明"],
        _ => &["reason=属于本职工作"],
    }
}

/// The decision that stands behind a step about somebody's membership.
pub const DECIDED: &[&str] = &[
    "decision_number=示组〔2026〕9号",
    "decision_date=2026-11-02",
    "decision_body=示范街道党工委",
];

/// What such a step says besides.
pub fn of_status(event: &str) -> &'static [&'static str] {
    match event {
        "convert" => &["conversion_date=2026-11-02"],
        // Of those who are on probation, half a year and more beyond its end.
        "extend" => &["until_date=2028-02-01"],
        "stop" => &["reason_code=lost_contact"],
        "leave" => &["reason_code=withdrew"],
        _ => &[],
    }
}

/// Steps that end a case, or lead back: rarer than what leads on, so that cases come to their end.
pub const ENDS: &[&str] = &[
    "discard",
    "withdraw",
    "close_by_status",
    "send_back",
    "recall",
    "reject",
    "refuse",
    "expire",
    "cancel",
    "cancel_late",
    "no_show",
    "void",
];

/// Steps that lead round, and those that only few may take: `due` leaves them to those that are drawn freely.
pub const DETOURS: &[&str] = &[
    "report_lost",
    "enter_receipt",
    "enter_reissue",
    "reissue",
    "chase",
    "pass_up",
    "revoke",
    "dispute",
];

/// What the transfer of a whole organisation says.
pub const BATCH: &[&str] = &["to_unit=某党委", "addressee=某工委"];

/// An invented ID number with a right check digit (GB 11643).
pub fn id_number(who: u64) -> String {
    const WEIGHTS: [u64; 17] = [7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2];
    const CHECKS: &[u8; 11] = b"10X98765432";
    let body = format!("350102197001{:02}{:03}", 1 + who % 28, 1 + 2 * who);
    let sum: u64 = body
        .bytes()
        .zip(WEIGHTS)
        .map(|(digit, weight)| u64::from(digit - b'0') * weight)
        .sum();
    let check = CHECKS[usize::try_from(sum % 11).unwrap_or(0)];
    format!("{body}{}", char::from(check))
}
