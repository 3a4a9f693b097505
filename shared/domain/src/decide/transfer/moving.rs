//! What moves with a member: the tenure, the receiver's own person, the stub, the tenures' list; and
//! what takes a member in from outside or lets one go outwards.

use super::super::create::{close_tenure, open_tenure_at};
use super::super::handover::{copy_person, share_tenures};
use super::super::step::{Work, office_of_id};
use super::super::{Stop, effect, half_moved};
use super::withdrawing::{reduce_letter, withdraw};
use super::{member_of, name_of, person_of, reference};
use crate::checks::date::add_months;
use crate::id::{DESK, OfficeId, RecordId, derived_id};
use crate::kinds::{conflict, member, person, step, stub, transfer as case};
use crate::machines::member_status;
use crate::record::{Record, RecordKey};
use crate::world::{Leaving, Need, World};

/// The member moves: to another branch of the same office, or to the receiver's.
pub(super) fn move_member(
    world: &mut World,
    work: &Work<'_>,
    subject: &Record,
) -> Result<Record, Stop> {
    let now_ms = work.incoming.received_ms;
    let record = member_of(world, subject)?.ok_or(Stop::Refused("TRF-012"))?;
    let branch = reference(work, step::TO_BRANCH, case::TO_BRANCH);
    let branch = branch.map(|id| id.bytes().to_vec()).unwrap_or_default();
    let today = work.date.to_string().into_bytes();
    let receipt_due = add_months(work.date, 1)
        .map(|date| date.to_string())
        .unwrap_or_default();
    let fields = [
        (case::ACCEPTED_DATE, today.clone()),
        (case::RECEIPT_DUE, receipt_due.into_bytes()),
    ];
    let from = record.office;
    let is_internal = subject.text(case::VARIANT) == Some("internal");
    let to = office_of_id(world, subject.reference(case::TO_ORG))?.filter(|_| !is_internal);
    let Some(to) = to.filter(|to| *to != from) else {
        let moved = [(member::BRANCH, branch), (member::GROUP, Vec::new())];
        effect::set(world, &record, &moved, now_ms);
        return Ok(effect::set(world, subject, &fields[..1], now_ms));
    };
    let handing = Handing {
        to,
        branch: Some(&branch),
        how: "acceptance",
    };
    hand_over(world, work, subject, &record, &handing)?;
    reduce_letter(world, work, subject)?;
    Ok(effect::set(world, subject, &fields, now_ms))
}

/// To whom a member is handed over, and how.
pub(super) struct Handing<'a> {
    /// The new holder.
    pub to: OfficeId,
    /// The branch there; none where the member's own moves along.
    pub branch: Option<&'a [u8]>,
    /// How the tenures close and open: a code of `tenure_event`.
    pub how: &'a str,
}

/// Closes the tenure of one office and opens that of another, with person, feeds and stub.
pub(super) fn hand_over(
    world: &mut World,
    work: &Work<'_>,
    subject: &Record,
    record: &Record,
    handing: &Handing<'_>,
) -> Result<(), Stop> {
    let now_ms = work.incoming.received_ms;
    let (from, to) = (record.office, handing.to);
    let how = (handing.how, Some(subject.key.id));
    close_tenure(world, record, Some(to), how, now_ms)?;
    let name = name_of(world, record)?;
    let person = person_there(world, work, subject, record, to)?;
    let mut moved = vec![
        (
            member::PERSON,
            person.map(|id| id.bytes().to_vec()).unwrap_or_default(),
        ),
        (member::RELATION_IN_DATE, work.date.to_string().into_bytes()),
    ];
    if let Some(branch) = handing.branch {
        moved.push((member::BRANCH, branch.to_vec()));
        moved.push((member::GROUP, Vec::new()));
    }
    if handing.how == "whole_organisation" {
        moved.push((member::RELATION_IN_TYPE, handing.how.as_bytes().to_vec()));
    }
    let after = effect::set(world, record, &moved, now_ms);
    let after = open_tenure_at(world, &after, to, how, now_ms)?;
    world.join(after.key, to);
    world.leave(after.key, from, Leaving::Transferred);
    share_tenures(world, &after, to)?;
    hand_over_items(world, &after, from, to, now_ms)?;
    withdraw(world, record, now_ms)?;
    let tenure = record
        .value(member::TENURE_NUMBER)
        .unwrap_or_default()
        .to_vec();
    let key = stub_key(subject.key.id, record.key.id, from);
    let values = [
        (stub::MEMBER, record.key.id.bytes().to_vec()),
        (stub::NAME, name),
        (stub::FROM_ORG, from.bytes().to_vec()),
        (stub::TO_ORG, to.bytes().to_vec()),
        (stub::TRANSFERRED_DATE, work.date.to_string().into_bytes()),
        (stub::CASE, subject.key.id.bytes().to_vec()),
        (stub::TENURE_NUMBER, tenure),
    ];
    effect::create(world, key, from, &values, now_ms);
    Ok(())
}

/// What is undecided about the member is the new holder's to decide.
pub(super) fn hand_over_items(
    world: &mut World,
    record: &Record,
    from: OfficeId,
    to: OfficeId,
    now_ms: u64,
) -> Result<(), Stop> {
    for item in world.items(record.key.id)? {
        if item.text(conflict::STATE) == Some("open") {
            effect::set_in(world, &item, to, &[], now_ms);
            world.join(item.key, to);
            world.leave(item.key, from, Leaving::Transferred);
        }
    }
    Ok(())
}

/// The stub that an office keeps of a member who moved on by a case.
pub(super) fn stub_key(case_id: RecordId, member_id: RecordId, from: OfficeId) -> RecordKey {
    let parts: [&[u8]; 3] = [&case_id.bytes(), &member_id.bytes(), &from.bytes()];
    let id = derived_id("lianxin stub 2", &parts);
    RecordKey {
        kind: stub::KIND_NUMBER,
        id,
    }
}

/// The receiver's own record of the person, derived from the case so that a repeat makes the same.
pub(super) fn person_there(
    world: &mut World,
    work: &Work<'_>,
    subject: &Record,
    record: &Record,
    to: OfficeId,
) -> Result<Option<RecordId>, Stop> {
    let Some(original) = person_of(world, record)? else {
        return Ok(None);
    };
    // The step that moves is the receiver's, or the hub's: nobody else can occupy the id beforehand.
    let step = super::super::change_bytes(work.incoming.change.id);
    let id = derived_id(
        "lianxin person of case 3",
        &[
            &subject.key.id.bytes(),
            &record.key.id.bytes(),
            &to.bytes(),
            &step,
        ],
    );
    let key = RecordKey {
        kind: person::KIND_NUMBER,
        id,
    };
    // A batch of the desk asks for no fact per member here: its places are the hub's own.
    let is_free = work.incoming.office == DESK || world.record(key)?.is_none();
    if is_free {
        copy_person(world, (&original, key), to, work.incoming.received_ms);
    }
    Ok(Some(id))
}

/// The member was received outside this system.
pub(super) fn close_outwards(
    world: &mut World,
    work: &Work<'_>,
    subject: &Record,
) -> Result<Record, Stop> {
    let now_ms = work.incoming.received_ms;
    let record = member_of(world, subject)?.ok_or(Stop::Refused("TRF-012"))?;
    let how = ("acceptance_external", Some(subject.key.id));
    close_tenure(world, &record, None, how, now_ms)?;
    effect::set(world, &record, &[(member::HOLDER, Vec::new())], now_ms);
    let name = name_of(world, &record)?;
    let destination = subject.value(case::TO_UNIT).unwrap_or_default().to_vec();
    let values = [
        (stub::MEMBER, record.key.id.bytes().to_vec()),
        (stub::NAME, name),
        (stub::FROM_ORG, record.office.bytes().to_vec()),
        (stub::TRANSFERRED_DATE, work.date.to_string().into_bytes()),
        (stub::CASE, subject.key.id.bytes().to_vec()),
        (stub::DESTINATION, destination),
    ];
    effect::create(
        world,
        stub_key(subject.key.id, record.key.id, record.office),
        record.office,
        &values,
        now_ms,
    );
    let today = work.date.to_string().into_bytes();
    Ok(effect::set(
        world,
        subject,
        &[(case::ACCEPTED_DATE, today)],
        now_ms,
    ))
}

/// A member comes in from outside on paper. Where a restored hub decides it again, he may be there already, or have
/// moved on since: then nothing of his is made or opened a second time.
pub(super) fn take_in(
    world: &mut World,
    work: &Work<'_>,
    subject: &Record,
) -> Result<Record, Stop> {
    let key = RecordKey {
        kind: member::KIND_NUMBER,
        id: derived_id("lianxin member of case 1", &[&subject.key.id.bytes()]),
    };
    if is_free(world, key)? {
        enter_member(world, work, subject, key)?;
    }
    let fields = [
        (case::MEMBER, key.id.bytes().to_vec()),
        (case::ACCEPTED_DATE, work.date.to_string().into_bytes()),
    ];
    let now_ms = work.incoming.received_ms;
    Ok(effect::set(world, subject, &fields, now_ms))
}

/// Whether a record may be made: there is none, and there was none that was removed for good.
fn is_free(world: &World, key: RecordKey) -> Result<bool, Need> {
    Ok(world.record(key)?.is_none() && !world.is_purged(key)?)
}

/// The person and the member of a letter from outside, and his tenure; where tenures of his are known, they go on.
fn enter_member(
    world: &mut World,
    work: &Work<'_>,
    subject: &Record,
    key: RecordKey,
) -> Result<(), Stop> {
    let now_ms = work.incoming.received_ms;
    let office = subject.office;
    let branch = reference(work, step::TO_BRANCH, case::TO_BRANCH);
    let copied = |pairs: &[(u16, u16)]| -> Vec<(u16, Vec<u8>)> {
        let copy = |(from, to): &(u16, u16)| Some((*to, subject.value(*from)?.to_vec()));
        pairs.iter().filter_map(copy).collect()
    };
    let person_key = RecordKey {
        kind: person::KIND_NUMBER,
        id: derived_id(
            "lianxin person of case 1",
            &[&subject.key.id.bytes(), &office.bytes()],
        ),
    };
    let mut of_person = copied(&[
        (case::MEMBER_NAME, person::NAME),
        (case::MEMBER_SEX, person::SEX),
        (case::MEMBER_ETHNICITY, person::ETHNICITY),
        (case::MEMBER_BIRTH_DATE, person::BIRTH_DATE),
        (case::MEMBER_ID_NUMBER, person::ID_NUMBER),
        (case::MEMBER_PHONE, person::PHONE),
    ]);
    of_person.sort_by_key(|(number, _)| *number);
    if is_free(world, person_key)? {
        effect::create(world, person_key, office, &of_person, now_ms);
    }
    let is_probationary = subject.text(case::MEMBER_CATEGORY) == Some("probationary");
    let status = if is_probationary {
        member_status::state::PROBATIONARY
    } else {
        member_status::state::FULL
    };
    let category = if is_probationary {
        "probationary"
    } else {
        "full"
    };
    let mut of_member = copied(&[
        (case::MEMBER_JOIN_DATE, member::JOIN_DATE),
        (case::MEMBER_CONVERSION_DUE, member::CONVERSION_DUE),
        (case::MEMBER_CONVERSION_DATE, member::CONVERSION_DATE),
        (case::DUES_PAID_TO, member::DUES_PAID_TO),
    ]);
    of_member.push((member::PERSON, person_key.id.bytes().to_vec()));
    of_member.push((member::CATEGORY, category.as_bytes().to_vec()));
    of_member.push((member::STATUS, status.as_bytes().to_vec()));
    of_member.push((member::RELATION_IN_DATE, work.date.to_string().into_bytes()));
    if let Some(branch) = branch {
        of_member.push((member::BRANCH, branch.bytes().to_vec()));
    }
    of_member.sort_by_key(|(number, _)| *number);
    effect::create(world, key, office, &of_member, now_ms);
    let record = world
        .record(key)?
        .cloned()
        .ok_or(Stop::Refused("subject_gone"))?;
    if !half_moved::go_on(world, &record, now_ms)? {
        let how = ("acceptance_offline", Some(subject.key.id));
        open_tenure_at(world, &record, office, how, now_ms)?;
    }
    Ok(())
}
