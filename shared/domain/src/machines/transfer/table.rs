//! The arrows of a transfer, in the order of the tables of `domain.md` 1.8.

use super::guards::{
    ADDRESSEE_AND_UNIT, BATCH_FITS, BRANCH_OF_RECEIVER, CAN_ADMIT, CAUSE_OF_EXPIRY, CHASE_DUE,
    CROSSED, DATE_PASSED, DECISION, DUES_MONTH, FINDING, HOLD_REASON, IN_TIME, IS_BATCH,
    IS_INTERNAL, IS_LETTERED, IS_OFFLINE_IN, LAWFUL_REASON, LETTER_ISSUED, MAY_MOVE, MEMBER_ACTIVE,
    NAMED, NEEDS_HIGHER, NO_OPEN_CASE, NOT_OFFLINE_IN, PROBATION_SETTLED, REASON, RECEIVED_DATE,
    RECEIVER_INSIDE, RECEIVER_OUTSIDE, REISSUED_OUTSIDE, SUCCEEDED, WAY_IN, WAY_OUT,
};
use super::{EVENTS, event, state};
use crate::machine::Transition;

/// The arrows.
pub const TRANSITIONS: &[Transition] = arrows! {
    // Making and checking the case at the origin.
    from [] on CREATE by [Owner, Authority] if [WAY_OUT, NO_OPEN_CASE, MEMBER_ACTIVE] to DRAFT;
    from [DRAFT] on SUBMIT by [Owner, Authority]
        if [IS_INTERNAL, PROBATION_SETTLED] to COMMITTEE_REVIEW;
    from [DRAFT] on SUBMIT by [Owner, Authority]
        if [IS_LETTERED, ADDRESSEE_AND_UNIT, DUES_MONTH, PROBATION_SETTLED] to BRANCH_REVIEW;
    from [DRAFT] on DISCARD by [Owner, Authority] to CANCELLED;
    from [BRANCH_REVIEW] on APPROVE_BRANCH by [Owner, Authority] to COMMITTEE_REVIEW;
    from [BRANCH_REVIEW, COMMITTEE_REVIEW] on SEND_BACK by [Owner, Authority] if [REASON] to DRAFT;
    from [BRANCH_REVIEW, COMMITTEE_REVIEW] on WITHDRAW by [Owner, Authority] to WITHDRAWN;
    from [COMMITTEE_REVIEW] on APPROVE by [Owner, Authority]
        if [IS_INTERNAL, BRANCH_OF_RECEIVER] to ACCEPTED doing [MoveMember];
    from [COMMITTEE_REVIEW] on APPROVE by [Owner, Authority]
        if [IS_LETTERED, CAN_ADMIT, ADDRESSEE_AND_UNIT, PROBATION_SETTLED, LETTER_ISSUED]
        to ISSUED doing [IssueLetter];
    from [COMMITTEE_REVIEW] on PASS_UP by [Owner, Authority] if [IS_LETTERED, NEEDS_HIGHER]
        to HIGHER_REVIEW;
    from [HIGHER_REVIEW] on APPROVE_HIGHER by [Authority]
        if [CAN_ADMIT, ADDRESSEE_AND_UNIT, PROBATION_SETTLED, LETTER_ISSUED]
        to ISSUED doing [IssueLetter];
    from [HIGHER_REVIEW] on SEND_BACK by [Authority] if [REASON] to COMMITTEE_REVIEW;
    from [HIGHER_REVIEW] on REJECT by [Authority] if [REASON] to REJECTED_OUT;

    // The letter on its way.
    from [ISSUED] on DELIVER by [Hub] to IN_TRANSIT;
    from [ISSUED] on DELIVER by [Owner, Authority] if [RECEIVER_OUTSIDE] to IN_TRANSIT;
    from [IN_TRANSIT] on OPEN_CHECK by [Receiver] if [RECEIVER_INSIDE, IN_TIME] to RECEIVE_CHECK;
    from [EXPIRED] on OPEN_CHECK by [Receiver] if [RECEIVER_INSIDE, IN_TIME]
        to RECEIVE_CHECK doing [RestoreLetter];
    from [IN_TRANSIT] on EXPIRE by [Hub] if [RECEIVER_INSIDE, DATE_PASSED]
        to EXPIRED doing [ExpireLetter];
    from [EXPIRED, CHASE_RECEIPT] on REISSUE by [Owner, Authority]
        if [CAN_ADMIT, CAUSE_OF_EXPIRY, PROBATION_SETTLED, LETTER_ISSUED]
        to ISSUED doing [VoidLetter, WithdrawSnapshot, IssueLetter];
    from [EXPIRED, CHASE_RECEIPT] on ABANDON by [Owner, Authority]
        to CLOSED_STAYED doing [VoidLetter, WithdrawSnapshot];
    from [ISSUED, IN_TRANSIT] on REPORT_LOST by [Owner, Authority, Receiver] if [REASON]
        to LOST doing [SuspendLetter];
    from [LOST] on REISSUE by [Owner, Authority]
        if [CAN_ADMIT, FINDING, PROBATION_SETTLED, LETTER_ISSUED]
        to ISSUED doing [VoidLetter, WithdrawSnapshot, IssueLetter];
    from [LOST] on FIND by [Owner, Authority, Receiver] if [IN_TIME]
        to IN_TRANSIT doing [RestoreLetter];
    from [ISSUED, IN_TRANSIT] on RECALL by [Owner, Authority]
        to RECALLED doing [VoidLetter, WithdrawSnapshot];

    // At the receiver.
    from [RECEIVE_CHECK] on HOLD by [Receiver] if [HOLD_REASON] to HOLD;
    from [HOLD] on RESUME by [Receiver] to RECEIVE_CHECK;
    from [RECEIVE_CHECK, HOLD] on ACCEPT by [Receiver]
        if [IS_OFFLINE_IN, BRANCH_OF_RECEIVER, NO_OPEN_CASE] to ACCEPTED doing [TakeIn];
    from [RECEIVE_CHECK, HOLD] on ACCEPT by [Receiver] if [NOT_OFFLINE_IN, BRANCH_OF_RECEIVER]
        to ACCEPTED doing [UseLetter, MoveMember];
    from [RECEIVE_CHECK, HOLD] on REFUSE by [Receiver] if [LAWFUL_REASON]
        to REFUSED_IN doing [VoidLetter, WithdrawSnapshot];
    from [RECEIVE_CHECK, HOLD] on RECALL by [Authority] if [NOT_OFFLINE_IN, REASON]
        to RECALLED doing [VoidLetter, WithdrawSnapshot];

    // The receipt.
    from [ACCEPTED] on SEND_RECEIPT by [Receiver] if [IS_LETTERED] to RECEIPT_SENT;
    from [RECEIPT_SENT] on CONFIRM_RECEIPT by [Hub] to CLOSED;
    from [RECEIPT_SENT] on CONFIRM_RECEIPT by [Owner, Authority] if [NOT_OFFLINE_IN] to CLOSED;
    from [RECEIPT_SENT] on CONFIRM_RECEIPT by [Owner, Authority, Receiver] if [IS_OFFLINE_IN]
        to CLOSED;

    // Out on paper: the receiver is not in this system.
    from [IN_TRANSIT, LOST, CHASE_RECEIPT] on ENTER_RECEIPT by [Owner, Authority]
        if [RECEIVER_OUTSIDE, RECEIVED_DATE]
        to ACCEPTED_EXTERNAL doing [UseLetter, CloseOutwards];
    from [IN_TRANSIT] on CHASE by [Hub] if [RECEIVER_OUTSIDE, CHASE_DUE]
        to CHASE_RECEIPT doing [ExpireLetter];

    // In from outside on paper.
    from [] on ENTER_LETTER by [Receiver, Owner, Authority] if [WAY_IN, NO_OPEN_CASE, NAMED]
        to LETTER_ENTERED;
    from [LETTER_ENTERED] on OPEN_CHECK by [Receiver] if [IN_TIME] to RECEIVE_CHECK;
    from [LETTER_ENTERED] on REFUSE by [Receiver] if [LAWFUL_REASON] to REFUSED_IN;
    from [LETTER_ENTERED] on ENTER_REISSUE by [Receiver] if [CAUSE_OF_EXPIRY, REISSUED_OUTSIDE]
        to LETTER_ENTERED;

    // What crosses an acceptance leaves it standing (T7).
    from [ACCEPTED] on ACCEPT by [Receiver, Authority] if [CROSSED] to ACCEPTED doing [OpenDispute];
    from [RECEIPT_SENT] on ACCEPT by [Receiver, Authority] if [CROSSED]
        to RECEIPT_SENT doing [OpenDispute];
    from [CLOSED] on ACCEPT by [Receiver, Authority] if [CROSSED] to CLOSED doing [OpenDispute];
    from [ACCEPTED] on RECALL by [Owner, Authority] if [IS_LETTERED, CROSSED]
        to ACCEPTED doing [OpenDispute];
    from [RECEIPT_SENT] on RECALL by [Owner, Authority] if [CROSSED]
        to RECEIPT_SENT doing [OpenDispute];
    from [CLOSED] on RECALL by [Owner, Authority] if [CROSSED] to CLOSED doing [OpenDispute];
    from [] on DISPUTE by [Hub] to DISPUTED;
    from [DISPUTED] on UPHOLD by [Authority] if [DECISION] to UPHELD;
    from [DISPUTED] on REVOKE by [Authority] if [DECISION] to REVOKED doing [RevokeDisputed];

    // What ends or moves a case from without.
    from [
        DRAFT, BRANCH_REVIEW, COMMITTEE_REVIEW, HIGHER_REVIEW, ISSUED, IN_TRANSIT, RECEIVE_CHECK,
        HOLD, EXPIRED, LOST, CHASE_RECEIPT, LETTER_ENTERED
    ] on CLOSE_BY_STATUS by [Hub] to CLOSED_BY_STATUS doing [VoidLetter, WithdrawSnapshot];
    from [COMMITTEE_REVIEW] on REPOINT by [Hub] if [SUCCEEDED] to COMMITTEE_REVIEW doing [Repoint];
    from [HIGHER_REVIEW] on REPOINT by [Hub] if [SUCCEEDED] to HIGHER_REVIEW doing [Repoint];
    from [ISSUED] on REPOINT by [Hub] if [SUCCEEDED] to ISSUED doing [Repoint];
    from [ACCEPTED, RECEIPT_SENT, CLOSED, ACCEPTED_EXTERNAL] on REVOKE by [Authority] if [DECISION]
        to REVOKED doing [Compensate];

    // The whole organisation.
    from [] on CREATE_BATCH by [Owner, Authority] if [IS_BATCH, MAY_MOVE, BATCH_FITS]
        to BATCH_DRAFT;
    from [BATCH_DRAFT] on DISCARD by [Owner, Authority] to CANCELLED;
    from [BATCH_DRAFT] on APPROVE_BATCH by [Owner, Authority] if [CAN_ADMIT, DECISION]
        to BATCH_APPROVED;
    from [BATCH_APPROVED] on EXECUTE by [Authority, Hub] if [MAY_MOVE, BATCH_FITS]
        to EXECUTED doing [MoveOrganisation];
    from [BATCH_APPROVED] on DISCARD by [Authority] if [REASON] to CANCELLED;
    from [EXECUTED] on REVOKE by [Authority] if [DECISION, BATCH_FITS] to REVOKED doing [Compensate];
};
