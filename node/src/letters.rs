//! Letter numbers at this machine: given out of the blocks that the hub has leased, without a line.
//!
//! The next number is written to the file of marks before it is used, and the greater of file and
//! database counts: a database that was put back from an old copy gives no number twice.

use std::path::Path;

use anyhow::{bail, ensure};
use domain::checks::date::china_date_of;
use domain::checks::letter_number::LetterNumber;
use domain::decide::office_of;
use domain::id::RecordId;
use domain::kinds::{letter, organisation, step, transfer as case};
use domain::lease::{Block, can_issue};
use domain::limits::LETTER_DAYS_MAX;
use domain::machine::Actor;
use domain::machines;
use domain::machines::letter::{is_issued_by, needs_number};
use domain::record::{Record, RecordKey};
use domain::text::show_value;
use store::{Filter, Tx};
use transport::mark::LeaseMarks;

use crate::app::Own;
use crate::journal::{self, Values};

/// The year of the numbers that are given out today.
fn year_now() -> u16 {
    let today = china_date_of(system::now_ms().cast_signed());
    today.year().cast_unsigned()
}

/// Completes a step that issues a letter: with the organisation that issues it, and with the next
/// number where none is given by hand. Everything that this machine can know to be refused is
/// refused before a number is used.
///
/// # Errors
/// In words, why no letter can be issued; no number left; a mark that cannot be written.
pub fn complete(
    tx: Tx<'_>,
    own: Own,
    marks: &Path,
    (subject, event): (RecordKey, &str),
    mut args: Values,
) -> anyhow::Result<Values> {
    let own = own.in_store(tx)?;
    let is_letter = subject.kind == case::KIND_NUMBER && is_issued_by(event, Actor::Owner);
    if !is_letter || !needs_number(event, variant_of(tx, own, subject)?.as_deref()) {
        return Ok(args);
    }
    let issuer = issuer_of(tx, own, &args)?;
    check_days(&args)?;
    if text_of(&args, step::LETTER_NUMBER).is_empty() {
        let number = take_next(tx, own, marks, &issuer)?;
        args.retain(|(field, _)| *field != step::LETTER_NUMBER);
        args.push((step::LETTER_NUMBER, number.to_string().into_bytes()));
    } else {
        check_by_hand(
            tx,
            own,
            marks,
            &issuer,
            &text_of(&args, step::LETTER_NUMBER),
        )?;
    }
    args.retain(|(field, _)| *field != step::ORGANISATION);
    args.push((step::ORGANISATION, issuer.key.id.bytes().to_vec()));
    Ok(args)
}

/// Numbers left at this machine, by issuer and year.
///
/// # Errors
/// The store's own; a file of marks that cannot be read.
pub fn left(tx: Tx<'_>, own: Own, marks: &Path) -> anyhow::Result<Vec<(Record, u16, u32)>> {
    let own = own.in_store(tx)?;
    let blocks = held(tx, own, marks)?;
    let mut all = Vec::new();
    for issuer in issuers(tx, own)? {
        let mut years = domain::lease::years_needed(china_date_of(system::now_ms().cast_signed()));
        years.extend(blocks.iter().map(|block| block.year));
        years.sort_unstable();
        years.dedup();
        for year in years {
            let of_issuer = |b: &&Block| (b.issuer, b.year) == (issuer.key.id, year);
            let left = blocks.iter().filter(of_issuer).map(Block::left).sum();
            all.push((issuer.clone(), year, left));
        }
    }
    Ok(all)
}

/// The blocks of this node's present epoch, with the greater next number of file and database.
///
/// # Errors
/// As [`left`].
pub fn held(tx: Tx<'_>, own: Own, marks: &Path) -> anyhow::Result<Vec<Block>> {
    let known = LeaseMarks::load(marks, own.node.bytes(), own.epoch)?;
    let leased = tx.leases_held()?.into_iter();
    let present = leased.filter(|leased| (leased.node, leased.epoch) == (own.node, own.epoch));
    let raised = |leased: store::node::Leased| {
        let block = leased.block;
        let mark = known.next_of(block.issuer.bytes(), block.year);
        Block {
            next: block.next.max(mark).min(block.end),
            ..block
        }
    };
    Ok(present.map(raised).collect())
}

/// The organisations of this office that may issue letters.
fn issuers(tx: Tx<'_>, own: Own) -> anyhow::Result<Vec<Record>> {
    let mut all = tx.organisations_of(own.office)?;
    all.retain(|record| office_of(record) == own.office && can_issue(record));
    Ok(all)
}

/// Who issues: whom the step names, else the office itself, else the one organisation of the office
/// that may.
fn issuer_of(tx: Tx<'_>, own: Own, args: &Values) -> anyhow::Result<Record> {
    let named = args
        .iter()
        .find(|(field, _)| *field == step::ORGANISATION)
        .and_then(|(_, value)| RecordId::from_slice(value).ok());
    let mut able = issuers(tx, own)?;
    let wanted = named.unwrap_or(own.office);
    if let Some(place) = able.iter().position(|record| record.key.id == wanted) {
        return Ok(able.swap_remove(place));
    }
    match able.pop() {
        Some(only) if named.is_none() && able.is_empty() => Ok(only),
        Some(_) if named.is_none() => bail!(
            "several organisations of this office may issue letters: name one with organisation= \
             本社区有多个组织可开具介绍信,请用 organisation= 指明"
        ),
        _ => bail!("TRF-002 {}", text_of_code("TRF-002")),
    }
}

fn text_of_code(code: &str) -> String {
    machines::plain_messages(code).map_or_else(String::new, |(zh, en)| format!("{zh} {en}"))
}

fn text_of(args: &Values, field: u16) -> String {
    let given = args.iter().find(|(number, _)| *number == field);
    given.map_or_else(String::new, |(_, value)| {
        String::from_utf8_lossy(value).trim().to_owned()
    })
}

fn check_days(args: &Values) -> anyhow::Result<()> {
    let days: i64 = text_of(args, step::VALID_DAYS).parse().unwrap_or(0);
    ensure!(
        (1..=LETTER_DAYS_MAX).contains(&days),
        "TRF-014 {}",
        text_of_code("TRF-014")
    );
    Ok(())
}

/// A number by hand stands on preprinted paper: it has a number's form, is on no letter that is
/// known here, and is none that this machine will give out itself.
fn check_by_hand(
    tx: Tx<'_>,
    own: Own,
    marks: &Path,
    issuer: &Record,
    text: &str,
) -> anyhow::Result<()> {
    let number = LetterNumber::parse(text)
        .ok()
        .filter(|number| number.year() <= year_now());
    let Some(number) = number else {
        bail!("LET-004 {text}: {}", text_of_code("LET-004"));
    };
    let is_to_come = held(tx, own, marks)?.iter().any(|block| {
        (block.issuer, block.year) == (issuer.key.id, number.year())
            && (block.next..block.end).contains(&number.serial())
    });
    ensure!(
        !is_to_come,
        "{number} will be given out by this machine itself: leave the number out \
         该编号属于本机号段,将由系统依次使用,请不要手工填写"
    );
    let same = [
        Filter::Is(letter::ISSUER, issuer.key.id.bytes().to_vec()),
        Filter::Is(letter::YEAR, number.year().to_string().into_bytes()),
        Filter::Is(letter::SERIAL, number.serial().to_string().into_bytes()),
    ];
    let given = tx.list(&letter::KIND, &same, None, 1)?;
    if let Some(given) = given.first() {
        let is_void = given.text(letter::STATE) == Some(machines::letter::state::VOID);
        let code = if is_void { "LET-003" } else { "LET-002" };
        bail!("{code} {text}: {}", text_of_code(code));
    }
    Ok(())
}

/// Takes the next number: its mark is stored before the caller's transaction can commit.
fn take_next(tx: Tx<'_>, own: Own, marks: &Path, issuer: &Record) -> anyhow::Result<LetterNumber> {
    let (id, year) = (issuer.key.id, year_now());
    let blocks = held(tx, own, marks)?;
    let next = blocks
        .iter()
        .find(|block| (block.issuer, block.year) == (id, year) && block.left() > 0);
    let number = next.and_then(|block| Some((block, LetterNumber::new(year, block.next)?)));
    let Some((block, number)) = number else {
        bail!(
            "no letter number of {year} is left on this machine for {name}: connect to the hub once \
             (sync) and it sends the next ones, or give the number of a preprinted letter \
             (letter_number={year}-…) \
             本机已没有“{name}”{year} 年的介绍信编号:请联网同步一次,由中心发放新号段;\
             也可填写预印纸质介绍信上的编号(letter_number={year}-序号)",
            name = name_of(issuer)
        );
    };
    let after = block.next + 1;
    LeaseMarks::load(marks, own.node.bytes(), own.epoch)?.raise(
        marks,
        (id.bytes(), year),
        after,
    )?;
    let used = Block {
        next: after,
        ..*block
    };
    tx.keep_lease(&store::node::Leased {
        block: used,
        node: own.node,
        epoch: own.epoch,
    })?;
    Ok(number)
}

/// An organisation's name, for display.
pub fn name_of(organisation: &Record) -> String {
    let declared = &organisation::KIND;
    let name = [
        organisation::SHORT_NAME,
        organisation::NAME,
        organisation::CODE,
    ]
    .into_iter()
    .find_map(|number| {
        let value = organisation
            .value(number)
            .filter(|value| !value.is_empty())?;
        Some(show_value(declared.field(number)?.of, value))
    });
    name.unwrap_or_else(|| organisation.key.id.to_string())
}

/// The case's variant: the hub's, or that of the beginning which the hub has not decided yet.
fn variant_of(tx: Tx<'_>, own: Own, subject: RecordKey) -> anyhow::Result<Option<String>> {
    if let Some(record) = tx.record(subject)? {
        return Ok(record.text(case::VARIANT).map(str::to_owned));
    }
    let steps = journal::pending_steps(tx, own, subject.id)?;
    let variant = steps.iter().find_map(|taken| taken.value(step::VARIANT));
    Ok(variant.map(|variant| String::from_utf8_lossy(variant).into_owned()))
}
