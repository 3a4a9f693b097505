//! What a step's arguments set on its transfer.
//!
//! What an effect knows is set by the effect: `IssueLetter` the letter, the day of issue and the
//! last valid day, `Repoint` the organisations, `MoveMember` and `TakeIn` the day of acceptance and the
//! receipt's term.

use super::event;
use crate::kinds::{step, transfer};
use crate::machines::Sets;

/// What every step sets.
pub const ALWAYS: &[(u16, u16)] = &[
    (step::EVENT, transfer::LAST_EVENT),
    (step::RECORDER, transfer::LAST_ACTOR),
    (step::DATE, transfer::STATE_DATE),
    (step::REASON_CODE, transfer::STATE_REASON_CODE),
    (step::REASON, transfer::STATE_REASON),
];

const PLAN: &[(u16, u16)] = &[
    (step::TO_ORG, transfer::TO_ORG),
    (step::TO_UNIT, transfer::TO_UNIT),
    (step::ADDRESSEE, transfer::ADDRESSEE),
    (step::TO_BRANCH, transfer::TO_BRANCH),
    (step::TRANSFER_REASON, transfer::REASON_CODE),
    (step::REASON, transfer::REASON),
    (step::DUES_PAID_TO, transfer::DUES_PAID_TO),
    (step::FILE_SENT, transfer::FILE_SENT),
    (step::PHONE, transfer::MEMBER_PHONE),
];

const CREATION: &[(u16, u16)] = &[
    (step::VARIANT, transfer::VARIANT),
    (step::MEMBER, transfer::MEMBER),
    (step::FROM_ORG, transfer::FROM_ORG),
    (step::FROM_BRANCH, transfer::FROM_BRANCH),
    (step::TO_ORG, transfer::TO_ORG),
    (step::TO_UNIT, transfer::TO_UNIT),
    (step::ADDRESSEE, transfer::ADDRESSEE),
    (step::TO_BRANCH, transfer::TO_BRANCH),
    (step::TRANSFER_REASON, transfer::REASON_CODE),
    (step::REASON, transfer::REASON),
    (step::DUES_PAID_TO, transfer::DUES_PAID_TO),
    (step::FILE_SENT, transfer::FILE_SENT),
    (step::PHONE, transfer::MEMBER_PHONE),
    (step::DATE, transfer::APPLIED_DATE),
    (step::REPLACES, transfer::REPLACES),
    (step::EXTERNAL_SYSTEM, transfer::EXTERNAL_SYSTEM),
    (step::EXTERNAL_NUMBER, transfer::EXTERNAL_NUMBER),
];

const APPROVAL: &[(u16, u16)] = &[
    (step::ORGANISATION, transfer::AUTHORITY),
    (step::APPROVER, transfer::APPROVER),
    (step::LETTER_NUMBER, transfer::LETTER_NUMBER),
    (step::VALID_DAYS, transfer::VALID_DAYS),
    (step::ADDRESSEE, transfer::ADDRESSEE),
    (step::TO_UNIT, transfer::TO_UNIT),
    (step::DUES_PAID_TO, transfer::DUES_PAID_TO),
];

const CHECK: &[(u16, u16)] = &[
    (step::TO_BRANCH, transfer::TO_BRANCH),
    (step::FILE_CHECK, transfer::FILE_CHECK),
    (step::APPROVER, transfer::APPROVER),
];

const LETTER_FROM_OUTSIDE: &[(u16, u16)] = &[
    (step::VARIANT, transfer::VARIANT),
    (step::REPLACES, transfer::REPLACES),
    (step::MEMBER, transfer::MEMBER),
    (step::NAME, transfer::MEMBER_NAME),
    (step::SEX, transfer::MEMBER_SEX),
    (step::BIRTH_DATE, transfer::MEMBER_BIRTH_DATE),
    (step::ETHNICITY, transfer::MEMBER_ETHNICITY),
    (step::ID_NUMBER, transfer::MEMBER_ID_NUMBER),
    (step::PHONE, transfer::MEMBER_PHONE),
    (step::CATEGORY, transfer::MEMBER_CATEGORY),
    (step::JOIN_DATE, transfer::MEMBER_JOIN_DATE),
    (step::CONVERSION_DUE, transfer::MEMBER_CONVERSION_DUE),
    (step::CONVERSION_DATE, transfer::MEMBER_CONVERSION_DATE),
    (step::ORIGIN, transfer::ORIGIN),
    (step::TO_ORG, transfer::TO_ORG),
    (step::TO_UNIT, transfer::TO_UNIT),
    (step::ADDRESSEE, transfer::ADDRESSEE),
    (step::TO_BRANCH, transfer::TO_BRANCH),
    (step::DUES_PAID_TO, transfer::DUES_PAID_TO),
    (step::FILE_SENT, transfer::FILE_SENT),
    (step::LETTER_NUMBER, transfer::LETTER_NUMBER),
    (step::ISSUED_DATE, transfer::ISSUED_DATE),
    (step::VALID_DAYS, transfer::VALID_DAYS),
    (step::LAST_VALID_DATE, transfer::LAST_VALID_DATE),
    (step::DATE, transfer::APPLIED_DATE),
    (step::EXTERNAL_SYSTEM, transfer::EXTERNAL_SYSTEM),
    (step::EXTERNAL_NUMBER, transfer::EXTERNAL_NUMBER),
];

const RECEIPT: &[(u16, u16)] = &[
    (step::RECEIPT_HOW, transfer::RECEIPT_HOW),
    (step::HANDLER, transfer::HANDLER),
    (step::HANDLER_PHONE, transfer::HANDLER_PHONE),
];

const DECISION: &[(u16, u16)] = &[
    (step::DECISION_NUMBER, transfer::DECISION_NUMBER),
    (step::DECISION_DATE, transfer::DECISION_DATE),
];

/// What the events set besides.
pub const SETS: &[Sets] = &[
    (event::CREATE, CREATION),
    (event::SUBMIT, PLAN),
    (event::APPROVE, APPROVAL),
    (event::APPROVE, &[(step::TO_BRANCH, transfer::TO_BRANCH)]),
    (event::APPROVE_HIGHER, APPROVAL),
    (event::REISSUE, APPROVAL),
    (event::OPEN_CHECK, CHECK),
    (event::HOLD, CHECK),
    (event::RESUME, CHECK),
    (event::ACCEPT, CHECK),
    (event::REFUSE, CHECK),
    (event::SEND_RECEIPT, RECEIPT),
    (event::SEND_RECEIPT, &[(step::DATE, transfer::RECEIPT_SENT)]),
    (
        event::CONFIRM_RECEIPT,
        &[(step::DATE, transfer::RECEIPT_ARRIVED)],
    ),
    (event::ENTER_RECEIPT, RECEIPT),
    (
        event::ENTER_RECEIPT,
        &[
            (step::DATE, transfer::RECEIPT_ARRIVED),
            (step::RECEIVED_DATE, transfer::ACCEPTED_DATE),
            (step::EXTERNAL_SYSTEM, transfer::EXTERNAL_SYSTEM),
            (step::EXTERNAL_NUMBER, transfer::EXTERNAL_NUMBER),
        ],
    ),
    (event::ENTER_LETTER, LETTER_FROM_OUTSIDE),
    (
        event::ENTER_REISSUE,
        &[
            (step::LETTER_NUMBER, transfer::LETTER_NUMBER),
            (step::ISSUED_DATE, transfer::ISSUED_DATE),
            (step::VALID_DAYS, transfer::VALID_DAYS),
            (step::LAST_VALID_DATE, transfer::LAST_VALID_DATE),
            (step::DUES_PAID_TO, transfer::DUES_PAID_TO),
        ],
    ),
    (event::UPHOLD, DECISION),
    (event::REVOKE, DECISION),
    (
        event::DISPUTE,
        &[
            (step::DISPUTES, transfer::DISPUTES),
            (step::MEMBER, transfer::MEMBER),
        ],
    ),
    (
        event::CREATE_BATCH,
        &[
            (step::VARIANT, transfer::VARIANT),
            (step::MOVED_ORG, transfer::MOVED_ORG),
            (step::FROM_ORG, transfer::FROM_ORG),
            (step::TO_ORG, transfer::TO_ORG),
            (step::DATE, transfer::APPLIED_DATE),
            (step::REPLACES, transfer::REPLACES),
        ],
    ),
    (event::APPROVE_BATCH, DECISION),
    (
        event::APPROVE_BATCH,
        &[(step::ORGANISATION, transfer::AUTHORITY)],
    ),
];
