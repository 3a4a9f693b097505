//! The questions that the arrows of a transfer ask, and the codes with which they refuse.
//!
//! A guard without a code chooses between the arrows of the variants and refuses nothing itself.

use jiff::civil::Date;

use crate::checks::code_lists::RETURN_REASON;
use crate::checks::date::add_months;
use crate::kinds::{codes, step, transfer};
use crate::machine::{Guard, Situation};
use crate::machines::{argument, date, given, guard};

/// The case says in which way the member leaves his branch (T8); a letter from outside and a whole organisation begin
/// otherwise.
pub const WAY_OUT: Guard = guard("a way out of the branch is given", "TRF-024", |s| {
    let ways = ["internal", "in_province", "cross_province", "offline_out"];
    is_variant(s, &ways)
});

/// A letter from outside is entered as one (T8).
pub const WAY_IN: Guard = guard("the letter comes from outside", "TRF-024", |s| {
    is_variant(s, &["offline_in"])
});

/// The member has no other open case (T1).
pub const NO_OPEN_CASE: Guard = guard("no other case of the member is open", "TRF-001", |s| {
    !s.facts.other_open_case
});

/// The member lives, is in the Party, and is held by the origin.
pub const MEMBER_ACTIVE: Guard = guard("the origin holds the member", "TRF-012", |s| {
    s.facts.member_active
});

/// The acting organisation may admit members (T6; 条例 2019, art. 25).
pub const CAN_ADMIT: Guard = guard("the organisation may admit members", "TRF-002", |s| {
    s.facts.can_admit_members
});

/// The organisation cannot approve by itself, or the case leaves the province.
pub const NEEDS_HIGHER: Guard = guard("a higher approval is needed", "TRF-015", |s| {
    !s.facts.can_admit_members || is_variant(s, &["cross_province", "offline_out"])
});

/// Probation is not over undecided (`domain.md` 1.5).
pub const PROBATION_SETTLED: Guard = guard("probation is not overdue", "TRF-005", |s| {
    !s.facts.probation_overdue
});

/// Addressee and destination are given and are two different things (`domain.md` 1.3).
pub const ADDRESSEE_AND_UNIT: Guard =
    guard("addressee and unit are given and differ", "TRF-007", |s| {
        let addressee = argument(s, step::ADDRESSEE, transfer::ADDRESSEE).map(str::trim);
        let unit = argument(s, step::TO_UNIT, transfer::TO_UNIT).map(str::trim);
        match (addressee, unit) {
            (Some(addressee), Some(unit)) => {
                !addressee.is_empty() && !unit.is_empty() && addressee != unit
            }
            _ => false,
        }
    });

/// The dues month is given, not in the future and not before the month registered last.
pub const DUES_MONTH: Guard = guard("the month of dues is plausible", "TRF-008", dues_plausible);

/// A letter has its number and its days (1 to 90, `domain.md` 1.8, invariant 5).
pub const LETTER_ISSUED: Guard = guard("number and valid days are given", "TRF-014", |s| {
    let days = s.step.integer(step::VALID_DAYS);
    let is_valid = days.is_some_and(|days| (1..=crate::limits::LETTER_DAYS_MAX).contains(&days));
    given(s, step::LETTER_NUMBER) && is_valid
});

/// A reason is given in words.
pub const REASON: Guard = guard("a reason is given", "TRF-013", |s| given(s, step::REASON));

/// The cause of an expiry is recorded: member, clerk or other (`domain.md` 1.4).
pub const CAUSE_OF_EXPIRY: Guard = guard("the cause of the expiry is recorded", "TRF-013", |s| {
    s.step
        .text(step::REASON_CODE)
        .is_some_and(|code| codes::EXPIRY_CAUSE.has(code))
});

/// The loss was examined: finding and examiner (`domain.md` 1.4).
pub const FINDING: Guard = guard("examiner and finding are recorded", "TRF-013", |s| {
    given(s, step::OPINION) && given(s, step::APPROVER)
});

/// What the receiver still needs, by code.
pub const HOLD_REASON: Guard = guard("a reason for holding is given", "TRF-013", |s| {
    s.step
        .text(step::REASON_CODE)
        .is_some_and(|code| codes::HOLD_REASON.has(code))
});

/// A reason that the law knows, in words too, with the approver's name (条例 2019, art. 25: nobody
/// may refuse without cause).
pub const LAWFUL_REASON: Guard = guard("the reason is a lawful one", "TRF-006", |s| {
    let is_lawful = s
        .step
        .text(step::REASON_CODE)
        .is_some_and(|code| RETURN_REASON.has(code));
    is_lawful && given(s, step::REASON) && given(s, step::APPROVER)
});

/// A decision with number and date.
pub const DECISION: Guard = guard("decision number and date are given", "TRF-016", |s| {
    given(s, step::DECISION_NUMBER) && given(s, step::DECISION_DATE)
});

/// The step's own date is not after the last valid day; a letter without one does not expire.
pub const IN_TIME: Guard = guard("the letter is valid on that day", "TRF-003", |s| {
    last_valid(s).is_none_or(|last| s.date <= last)
});

/// The last valid day has passed.
pub const DATE_PASSED: Guard = guard("the last valid day has passed", "TRF-011", |s| {
    last_valid(s).is_some_and(|last| s.date > last)
});

/// A month has passed since the last valid day (`domain.md` 1.8, variant out on paper).
pub const CHASE_DUE: Guard = guard(
    "a month has passed since the last valid day",
    "TRF-011",
    |s| {
        last_valid(s)
            .and_then(|last| add_months(last, 1))
            .is_some_and(|due| s.date > due)
    },
);

/// The organisation chosen is the receiver's and active (`domain.md` 1.8, row accept).
pub const BRANCH_OF_RECEIVER: Guard = guard("the branch belongs to the receiver", "TRF-017", |s| {
    s.facts.branch_of_receiver
        && (given(s, step::TO_BRANCH) || s.subject.value(transfer::TO_BRANCH).is_some())
});

/// The day on which the receiver outside took the member in.
pub const RECEIVED_DATE: Guard = guard("the day of acceptance is given", "TRF-013", |s| {
    date(s.step, step::RECEIVED_DATE).is_some_and(|received| received <= s.date)
});

/// A letter from outside names the person.
pub const NAMED: Guard = guard("name and origin are given", "TRF-018", |s| {
    given(s, step::NAME) && given(s, step::ORIGIN)
});

/// The issuer outside made another letter, with a number of its own (a number is used once), that is
/// valid on that day (`domain.md` 1.4).
pub const REISSUED_OUTSIDE: Guard = guard("another letter that is valid", "TRF-020", |s| {
    let number = s.step.text(step::LETTER_NUMBER);
    let is_other = number.is_some() && number != s.subject.text(transfer::LETTER_NUMBER);
    is_other && date(s.step, step::LAST_VALID_DATE).is_some_and(|last| s.date <= last)
});

/// An organisation of the case is gone and its successor is named (`domain.md` 1.8).
pub const SUCCEEDED: Guard = guard(
    "an organisation of the case has a successor",
    "TRF-021",
    |s| s.facts.is_succeeded,
);

/// The step was taken before its writer could know of the acceptance (T7).
pub const CROSSED: Guard = guard("the step crossed the acceptance", "TRF-010", |s| {
    date(s.subject, transfer::ACCEPTED_DATE).is_none_or(|accepted| s.date <= accepted)
});

/// Only chooses: inside one committee.
pub const IS_INTERNAL: Guard = guard("inside one committee", "", |s| is_variant(s, &["internal"]));

/// Only chooses: with a letter.
pub const IS_LETTERED: Guard = guard("with a letter", "", |s| {
    !is_variant(s, &["internal", "whole_organisation"])
});

/// Only chooses: in from outside on paper.
pub const IS_OFFLINE_IN: Guard = guard("in from outside", "", |s| is_variant(s, &["offline_in"]));

/// Only chooses: not in from outside.
pub const NOT_OFFLINE_IN: Guard = guard("not in from outside", "", |s| {
    !is_variant(s, &["offline_in"])
});

/// Only chooses: the receiver works in this system.
pub const RECEIVER_INSIDE: Guard = guard("the receiver is inside", "", |s| {
    s.facts.receiver_inside && !is_variant(s, &["offline_out"])
});

/// Only chooses: the receiver does not.
pub const RECEIVER_OUTSIDE: Guard = guard("the receiver is outside", "", |s| {
    !s.facts.receiver_inside || is_variant(s, &["offline_out"])
});

/// The organisation that moves is named.
pub const IS_BATCH: Guard = guard("the organisation that moves is named", "TRF-013", |s| {
    let is_named = given(s, step::MOVED_ORG) && given(s, step::TO_ORG);
    is_named && is_variant(s, &["whole_organisation"])
});

/// Both organisations work, the one that moves still stands where it stood, and the place where it
/// goes is another one, not below it, and has an office for the members (`domain.md` 7.2).
pub const MAY_MOVE: Guard = guard("the organisation may move there", "TRF-022", |s| {
    s.facts.may_move
});

/// One decision takes so many members and no more.
pub const BATCH_FITS: Guard = guard("one decision takes them all", "TRF-023", |s| {
    s.facts.batch_fits
});

/// The case's variant, for ever that of its first step: a later step cannot choose another arrow. A case that begins is
/// shown to the guards as its first step describes it.
fn is_variant(situation: &Situation<'_>, variants: &[&str]) -> bool {
    let variant = situation.subject.text(transfer::VARIANT);
    variant.is_some_and(|variant| variants.contains(&variant))
}

/// The last valid day: the case's, or the one that the step gives for a paper letter.
fn last_valid(situation: &Situation<'_>) -> Option<Date> {
    date(situation.subject, transfer::LAST_VALID_DATE)
        .or_else(|| date(situation.step, step::LAST_VALID_DATE))
}

/// Months compare as their text does: `2026-11`.
fn dues_plausible(situation: &Situation<'_>) -> bool {
    let Some(paid_to) = argument(situation, step::DUES_PAID_TO, transfer::DUES_PAID_TO) else {
        return false;
    };
    let this_month = format!("{:04}-{:02}", situation.date.year(), situation.date.month());
    let last = situation.subject.text(transfer::DUES_LAST);
    paid_to <= this_month.as_str() && last.is_none_or(|last| paid_to >= last)
}
