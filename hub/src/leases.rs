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
            let end = booked_end(&books.booked, (*issuer, *year));
            let floor = leased_end(app, *issuer, *year)?.max(end);
            books.floors.insert((*issuer, *year), floor);
            let used = tx.letter_serials(*issuer, *year, floor)?;
            books.used.insert((*issuer, *year), used);
        }
    }
    books.lost_ends = lost_ends(tx, app, &books.booked, greeted)?;
    let plan = domain::lease::greet(&books, greeted);
    for booked in &plan.changed {
        note_leased(app, &booked.block, now_ms)?;
        tx.put_lease(booked, now_ms)?;
    }
    Ok(plan)
}

/// The first number behind the blocks of an issuer's year that are booked.
fn booked_end(booked: &[Booked], of: (RecordId, u16)) -> u32 {
    let of_year = booked
        .iter()
        .filter(|b| (b.block.issuer, b.block.year) == of);
    of_year.map(|b| b.block.end).max().unwrap_or(1)
}

/// Where blocks may end that a greeter holds and the books do not know. Before one was granted its end
/// stood in the register; that of a hub which was put back may be lost, or as old as its database.
fn lost_ends(
    tx: Tx<'_>,
    app: &App,
    booked: &[Booked],
    greeted: &Greeted,
) -> Result<BTreeMap<(RecordId, u16), u32>, HubError> {
    let key = |block: &Block| (block.issuer, block.year, block.first);
    let known: BTreeSet<_> = booked.iter().map(|b| key(&b.block)).collect();
    let unknown: BTreeSet<_> = greeted
        .said
        .iter()
        .filter(|said| greeted.organisations.contains_key(&said.issuer))
        .filter(|said| !known.contains(&key(said)))
        .map(|said| (said.issuer, said.year))
        .collect();
    let was_restored = recovery::was_restored(tx)?;
    let mut ends = BTreeMap::new();
    for (issuer, year) in unknown {
        let mut end = leased_end(app, issuer, year)?;
        if was_restored {
            let behind = booked_end(booked, (issuer, year));
            end = end.max(behind.saturating_add(UNKNOWN_NUMBERS));
        }
        ends.insert((issuer, year), end);
    }
    Ok(ends)
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
    let mut round = Round::new(tx, app, now_ms);
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
            let behind = booked_end(&booked, (issuer.key.id, year));
            let end = behind.saturating_add(UNKNOWN_NUMBERS);
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

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test stops at what must not fail")]

    use domain::id::{ChangeId, NodeId};
    use domain::kind::Class;
    use domain::record::{Life, Version};
    use domain::world::Mover;

    use super::*;

    const OFFICE: OfficeId = OfficeId::new([1; 16]);
    const NODE: NodeId = NodeId::new([2; 16]);
    const YEAR: u16 = 2026;
    /// A day of June in [`YEAR`].
    const NOW: u64 = 1_782_000_000_000;

    fn block(first: u32, end: u32, next: u32) -> Block {
        Block {
            issuer: OFFICE,
            year: YEAR,
            first,
            end,
            next,
        }
    }

    /// A hub with one office, which may issue letters.
    struct Hub {
        app: App,
        node: Node,
        _folder: tempfile::TempDir,
    }

    impl Hub {
        async fn new() -> Self {
            let folder = tempfile::tempdir().unwrap();
            crate::app::init(folder.path(), "hub", &[]).unwrap();
            let hub = Self {
                app: App::open(folder.path()).unwrap(),
                node: Node::new(NODE, OFFICE, [0; 32]),
                _folder: folder,
            };
            let version = Version {
                change: ChangeId::default(),
                ordered_at: 0,
            };
            let mut office = Record {
                key: RecordKey {
                    kind: organisation::KIND_NUMBER,
                    id: OFFICE,
                },
                class: Class::Reference,
                office: OFFICE,
                revision: 1,
                life: Life::Alive,
                life_version: version,
                fields: BTreeMap::new(),
            };
            office.set(organisation::IS_OFFICE, "1", version);
            office.set(organisation::CAN_ADMIT_MEMBERS, "1", version);
            hub.write(move |tx, _, node| {
                let mut writes = Writes::default();
                writes.records.insert(office.key, (office, Mover::Foreign));
                tx.apply(&writes, NOW)?;
                Ok(tx.insert_node(node, NOW)?)
            })
            .await;
            hub
        }

        async fn write<T: Send + 'static>(
            &self,
            work: impl FnOnce(Tx<'_>, &App, &Node) -> Result<T, HubError> + Send + 'static,
        ) -> T {
            let (app, node) = (self.app.clone(), self.node.clone());
            let written = self.app.store.write(move |tx| work(tx, &app, &node));
            written.await.unwrap()
        }

        /// What the node is granted when it says that it holds a block.
        async fn say(&self, said: Block) -> Vec<Block> {
            self.write(move |tx, app, node| greet(tx, app, (node, 1), vec![said], true, NOW))
                .await
        }

        fn leased_end(&self) -> u32 {
            leased_end(&self.app, OFFICE, YEAR).unwrap()
        }
    }

    /// One greeting must not use up an issuer's numbers: no restore takes back what the register says.
    #[tokio::test]
    async fn a_block_that_was_never_leased_is_not_taken_in() {
        let hub = Hub::new().await;
        let first = block(1, 101, 1);
        for said in [
            block(4_294_967_195, 4_294_967_295, 4_294_967_295),
            block(999_999_900, 1_000_000_000, 1_000_000_000),
            block(101, 201, 150),
        ] {
            assert_eq!(hub.say(said).await, [first], "{said:?}");
            assert_eq!(hub.leased_end(), 101, "{said:?}");
        }
        let booked = hub.write(|tx, _, _| Ok(tx.leases()?)).await;
        let booked: Vec<_> = booked.iter().map(|booked| booked.block).collect();
        assert_eq!(booked, [first]);
    }

    #[tokio::test]
    async fn a_block_that_only_the_register_knows_is_taken_in_as_it_is() {
        let hub = Hub::new().await;
        let entry = Entry::Leased {
            issuer: OFFICE.bytes(),
            year: YEAR,
            end: 301,
        };
        hub.app.register.lock().unwrap().append(entry, 0).unwrap();
        let held = block(201, 301, 230);
        assert_eq!(hub.say(held).await, [held]);
        // Another one lies behind it, and is nobody else's.
        assert_eq!(hub.say(block(301, 401, 301)).await, [held]);
        let used_up = block(201, 301, 301);
        assert_eq!(hub.say(used_up).await, [block(301, 401, 301)]);
    }

    #[tokio::test]
    async fn a_hub_that_was_put_back_takes_in_what_it_may_have_leased_and_no_more() {
        let hub = Hub::new().await;
        hub.write(|tx, app, _| Ok(recovery::begin(tx, &app.own, recovery::PutBack::Told, NOW)?))
            .await;
        let held = block(UNKNOWN_NUMBERS - 99, UNKNOWN_NUMBERS + 1, 950);
        assert_eq!(hub.say(held).await, [held]);
        let end = held.end + UNKNOWN_NUMBERS;
        assert_eq!(hub.say(block(end - 99, end + 1, end)).await, [held]);
        assert_eq!(hub.leased_end(), held.end);
    }

    #[tokio::test]
    async fn the_end_of_a_recovery_counts_no_further_than_numbers_go() {
        let hub = Hub::new().await;
        hub.write(|tx, app, node| {
            let booked = Booked {
                block: block(u32::MAX - 100, u32::MAX, u32::MAX),
                node: node.id,
                epoch: 1,
                office: OFFICE,
                voided: None,
            };
            tx.put_lease(&booked, NOW)?;
            recovery::begin(tx, &app.own, recovery::PutBack::Told, NOW)?;
            note_register_lost(tx)?;
            skip_unheard(tx, app, NOW)
        })
        .await;
        assert_eq!(hub.leased_end(), u32::MAX);
    }
}
