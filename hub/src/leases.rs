//! Letter numbers: blocks leased to nodes and given at the desk (`sync.md` 4 and 6).
//!
//! What is leased is decided by [`domain::lease`]; this reads the books for it and writes the plan, in
//! the caller's transaction. Before a block is committed its end stands in the register that no
//! restore takes back, so no backup makes the hub lease a number twice.

use std::collections::{BTreeMap, BTreeSet};

use domain::checks::date::china_date_of;
use domain::checks::letter_number::LetterNumber;
use domain::id::{DESK, OfficeId, RecordId};
use domain::kinds::{letter, organisation, step, transfer as case};
use domain::lease::{Block, Booked, Books, Greeted, Plan, VoidReason, can_issue, years_needed};
use domain::limits;
use domain::machines::letter::needs_number;
use domain::record::{Record, RecordKey};
use domain::world::Writes;
use proto::status::CallRefused;
use store::hub::Node;
use store::{StoreError, Tx};
use transport::revoked::Entry;

use crate::app::App;
use crate::authority::Round;
use crate::desk::Values;
use crate::error::HubError;
use crate::recovery;

/// Set while a restored hub's register is not the one from before.
const REGISTER_LOST: &str = "register_lost";
/// Numbers of an issuer that may have been leased unseen since a backup.
const UNKNOWN_NUMBERS: u32 = 10 * limits::LETTER_BLOCK;
/// Letters read at once.
const PORTION: usize = 5_000;

/// Books what a node says that it holds, and leases it what it lacks; the blocks from which it may
/// give out numbers.
///
/// # Errors
/// The store's own; a register that cannot be written.
pub fn greet(
    tx: Tx<'_>,
    app: &App,
    (node, epoch): (&Node, u32),
    said: Vec<Block>,
    is_settled: bool,
    now_ms: u64,
) -> Result<Vec<Block>, HubError> {
    let today = china_date_of(now_ms.cast_signed());
    let year = today.year().cast_unsigned();
    let years = years_needed(today);
    let mut organisations = organisations_of(tx, node.office)?;
    for block in &said {
        note_former(tx, &mut organisations, node.office, block.issuer)?;
    }
    let greeted = Greeted {
        node: node.id,
        epoch,
        office: node.office,
        organisations,
        said,
        year,
        years,
        low: limits::LETTER_BLOCK_LOW,
        is_settled: is_settled && !recovery::is_recovering(tx)?,
    };
    let plan = carry_out(tx, app, &greeted, now_ms)?;
    for block in &plan.contradicted {
        let detail = format!(
            "{} {}: {}..{}",
            block.issuer, block.year, block.first, block.end
        );
        tx.note_incident("lease_contradicted", Some(node.id), &detail, now_ms)?;
    }
    Ok(plan.granted)
}

/// The arguments of a step at the desk, with the next number of the organisation's own where the step
/// issues a letter and none is given.
///
/// # Errors
/// The store's own; a register that cannot be written.
pub fn with_number(
    tx: Tx<'_>,
    app: &App,
    (subject, event): (RecordKey, &str),
    organisation: RecordId,
    mut args: Values,
    now_ms: u64,
) -> Result<Values, HubError> {
    let is_given = args
        .iter()
        .any(|(number, value)| *number == step::LETTER_NUMBER && !value.is_empty());
    if subject.kind != case::KIND_NUMBER || is_given || recovery::is_recovering(tx)? {
        return Ok(args);
    }
    let record = tx.record(subject)?;
    let variant = record
        .as_ref()
        .and_then(|record| record.text(case::VARIANT));
    let issuer = tx.record(RecordKey {
        kind: organisation::KIND_NUMBER,
        id: organisation,
    })?;
    if !needs_number(event, variant) || !issuer.as_ref().is_some_and(can_issue) {
        return Ok(args);
    }
    if let Some(number) = next_of_desk(tx, app, organisation, now_ms)? {
        args.retain(|(field, _)| *field != step::LETTER_NUMBER);
        args.push((step::LETTER_NUMBER, number.to_string().into_bytes()));
    }
    Ok(args)
}

/// The next number of the block that the desk holds for an issuer; it counts as given once a letter
/// bears it.
fn next_of_desk(
    tx: Tx<'_>,
    app: &App,
    issuer: RecordId,
    now_ms: u64,
) -> Result<Option<LetterNumber>, HubError> {
    let year = china_date_of(now_ms.cast_signed()).year().cast_unsigned();
    let greeted = Greeted {
        node: app.own.node,
        epoch: app.own.epoch,
        office: DESK,
        organisations: BTreeMap::from([(issuer, true)]),
        said: Vec::new(),
        year,
        years: vec![year],
        low: 1,
        is_settled: true,
    };
    let plan = carry_out(tx, app, &greeted, now_ms)?;
    let of_issuer = |block: &&Block| (block.issuer, block.year) == (issuer, year);
    let block = plan.granted.iter().find(of_issuer);
    Ok(block.and_then(|block| LetterNumber::new(year, block.next)))
}

/// Reads the books, lets [`domain::lease::greet`] decide, and writes what it changes.
fn carry_out(tx: Tx<'_>, app: &App, greeted: &Greeted, now_ms: u64) -> Result<Plan, HubError> {
    let mut books = Books::default();
    let mut issuers: BTreeSet<_> = greeted.organisations.keys().copied().collect();
    // The desk leases for one issuer at a time and keeps its blocks of the others.
    if greeted.office != DESK {
        issuers.extend(tx.lease_issuers(greeted.node)?);
    }
    for issuer in issuers {
        books.booked.extend(tx.leases_of(issuer)?);
    }
    for issuer in greeted.organisations.keys() {
        for year in &greeted.years {
            let behind = |b: &&Booked| (b.block.issuer, b.block.year) == (*issuer, *year);
            let end = books
                .booked
                .iter()
                .filter(behind)
                .map(|b| b.block.end)
                .max();
            let floor = leased_end(app, *issuer, *year)?.max(end.unwrap_or(1));
            books.floors.insert((*issuer, *year), floor);
            let used = tx.letter_serials(*issuer, *year, floor)?;
            books.used.insert((*issuer, *year), used);
        }
    }
    let plan = domain::lease::greet(&books, greeted);
    for booked in &plan.changed {
        note_leased(app, &booked.block, now_ms)?;
        tx.put_lease(booked, now_ms)?;
    }
    Ok(plan)
}

/// The first number that was never leased, as the register knows it.
///
/// # Errors
/// A register that cannot be read.
pub fn leased_end(app: &App, issuer: RecordId, year: u16) -> Result<u32, HubError> {
    let mut register = app.register.lock().map_err(|_| poisoned())?;
    register.refresh().map_err(disk)?;
    Ok(register.leased_end(&issuer.bytes(), year))
}

/// Notes durably how far numbers were leased, before the database does.
fn note_leased(app: &App, block: &Block, now_ms: u64) -> Result<(), HubError> {
    let (issuer, year, end) = (block.issuer.bytes(), block.year, block.end);
    let mut register = app.register.lock().map_err(|_| poisoned())?;
    if register.leased_end(&issuer, year) < end {
        let entry = Entry::Leased { issuer, year, end };
        register.append(entry, now_ms.cast_signed()).map_err(disk)?;
    }
    Ok(())
}

fn poisoned() -> StoreError {
    StoreError::Broken("the register is held by a task that failed".to_owned())
}

#[allow(clippy::needless_pass_by_value, reason = "as map_err wants it")]
fn disk(error: transport::TransportError) -> StoreError {
    StoreError::Disk(error.to_string())
}

/// The organisations that work through an office, with whether they may issue letters.
fn organisations_of(tx: Tx<'_>, office: OfficeId) -> Result<BTreeMap<RecordId, bool>, StoreError> {
    let all = tx.organisations_of(office)?;
    let works_here = |record: &&Record| domain::decide::office_of(record) == office;
    let entry = |record: &Record| (record.key.id, can_issue(record));
    Ok(all.iter().filter(works_here).map(entry).collect())
}

/// An organisation that is said to have issued at an office and works elsewhere now: what was leased is
/// still booked, nothing more is leased.
fn note_former(
    tx: Tx<'_>,
    organisations: &mut BTreeMap<RecordId, bool>,
    office: OfficeId,
    issuer: RecordId,
) -> Result<(), StoreError> {
    let held = || tx.leases_of(issuer);
    if !organisations.contains_key(&issuer) && held()?.iter().any(|b| b.office == office) {
        organisations.insert(issuer, false);
    }
    Ok(())
}

/// Numbers that letters bear by now are given out.
///
/// # Errors
/// The store's own.
pub fn book_letters(tx: Tx<'_>, writes: &Writes) -> Result<(), StoreError> {
    for (record, _) in writes.records.values() {
        if record.key.kind != letter::KIND_NUMBER {
            continue;
        }
        if let (Some(issuer), Some(number)) = (record.reference(letter::ISSUER), number_of(record))
        {
            tx.note_number_given(issuer, number)?;
        }
    }
    Ok(())
}

/// The number of a letter.
pub fn number_of(record: &Record) -> Option<LetterNumber> {
    let year = u16::try_from(record.integer(letter::YEAR)?).ok()?;
    let serial = u32::try_from(record.integer(letter::SERIAL)?).ok()?;
    LetterNumber::new(year, serial)
}

/// Voids the rest of the blocks of machines that are revoked; how many.
///
/// # Errors
/// The store's own.
pub fn void_revoked(tx: Tx<'_>, now_ms: u64) -> Result<u64, StoreError> {
    let nodes = tx.nodes()?;
    let revoked: BTreeSet<_> = nodes
        .iter()
        .filter(|node| node.revoked_at.is_some())
        .map(|node| node.id)
        .collect();
    let mut count = 0;
    for booked in tx.leases()? {
        let is_live = booked.voided.is_none() && booked.block.left() > 0;
        if is_live && revoked.contains(&booked.node) {
            let voided = Booked {
                voided: Some(VoidReason::Revoked),
                ..booked
            };
            tx.put_lease(&voided, now_ms)?;
            count += 1;
        }
    }
    Ok(count)
}

/// Books a number as void that stands on no letter: its id, or the code with which that is refused.
///
/// # Errors
/// A hub that recovers; an organisation that is not known; the store's own.
pub fn void_number(
    tx: Tx<'_>,
    app: &App,
    (issuer, number): (RecordId, LetterNumber),
    why: &str,
    now_ms: u64,
) -> Result<Result<RecordId, &'static str>, HubError> {
    if recovery::is_recovering(tx)? {
        let why = "the hub was restored and still waits for its nodes: see recovery status";
        return Err(CallRefused::NotAllowed(why).into());
    }
    let kind = organisation::KIND_NUMBER;
    let issuer = tx.record(RecordKey { kind, id: issuer })?;
    let issuer = issuer.ok_or(CallRefused::NotAllowed("no such organisation"))?;
    let mut round = Round {
        tx,
        own: app.own,
        app,
        now_ms,
    };
    let mut world = round.new_world(0)?;
    let voided = round.with_facts(&mut world, |world| {
        domain::decide::void_number(world, &issuer, number, why, now_ms)
    })?;
    round.finish(world.into_writes(), Vec::new())?;
    Ok(voided)
}

/// A restored hub has no register from before.
///
/// # Errors
/// The store's own.
pub fn note_register_lost(tx: Tx<'_>) -> Result<(), StoreError> {
    tx.set_setting(REGISTER_LOST, b"1")
}

/// A person ends a recovery without some nodes. Where the register is lost too, nothing tells what was
/// leased to them since the backup: new blocks lie far behind it.
///
/// # Errors
/// The store's own; a register that cannot be written.
pub fn skip_unheard(tx: Tx<'_>, app: &App, now_ms: u64) -> Result<(), HubError> {
    let is_lost = tx
        .setting(REGISTER_LOST)?
        .is_some_and(|lost| !lost.is_empty());
    if !is_lost || !recovery::is_recovering(tx)? || tx.unreported()?.is_empty() {
        return Ok(());
    }
    let today = china_date_of(now_ms.cast_signed());
    for issuer in tx.list(&organisation::KIND, &[], None, usize::MAX)? {
        if !can_issue(&issuer) {
            continue;
        }
        let booked = tx.leases_of(issuer.key.id)?;
        for year in years_needed(today) {
            let of_year = booked.iter().filter(|b| b.block.year == year);
            let end = of_year.map(|b| b.block.end).max().unwrap_or(1) + UNKNOWN_NUMBERS;
            let block = Block {
                issuer: issuer.key.id,
                year,
                first: end,
                end,
                next: end,
            };
            note_leased(app, &block, now_ms)?;
        }
    }
    Ok(tx.set_setting(REGISTER_LOST, &[])?)
}

/// What contradicts the invariants of [`domain::lease`] in the books: nothing, or a bug.
///
/// # Errors
/// The store's own.
pub fn check(tx: Tx<'_>, findings: &mut Vec<String>) -> Result<usize, StoreError> {
    let all = tx.leases()?;
    for pair in all.windows(2) {
        let [one, next] = pair else { continue };
        let (one, next) = (&one.block, &next.block);
        if (one.issuer, one.year) == (next.issuer, next.year) && next.first < one.end {
            findings.push(format!(
                "letter numbers leased twice: {} {}",
                next.year, next.first
            ));
        }
    }
    let mut seen = BTreeSet::new();
    let mut after = None;
    loop {
        let letters = tx.list(&letter::KIND, &[], after, PORTION)?;
        let Some(last) = letters.last() else { break };
        after = Some(last.key.id);
        for record in &letters {
            if !seen.insert((record.reference(letter::ISSUER), number_of(record))) {
                findings.push(format!("letter {} bears another's number", record.key.id));
            }
        }
    }
    Ok(all.len())
}
