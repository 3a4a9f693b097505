//! Blocks of letter numbers (介绍信编号号段): leased by the hub, given out by a node without it (`sync.md`
//! 4 and 6; `domain.md` 1.8, invariant 4).
//!
//! ```text
//!            given out         to be given            void: never used, with its reason
//!  first ├──────────────┤next├─────────────┤end   or  next├─────────────┤end
//! ```
//!
//! Invariants: LN1 blocks of one issuer and year never overlap, and a new one lies behind all that
//! ever were; LN2 a block belongs to one (node, epoch), another one voids its rest; LN3 `next` never
//! goes back: the greater of what node and hub know counts; LN4 a void rest stays void.
//!
//! What a greeting changes is decided here from what the hub's books say ([`greet`]); the store reads
//! the books and writes the plan, in one transaction.

use std::collections::{BTreeMap, BTreeSet};

use jiff::civil::Date;

use crate::checks::letter_number::SERIAL_MAX;
use crate::id::{NodeId, OfficeId, RecordId};
use crate::kinds::organisation;
use crate::limits::LETTER_BLOCK;
use crate::record::Record;

/// Blocks that one greeting may lease for an issuer's year: numbers given by hand cut blocks short.
const ROUNDS_MAX: usize = 8;
/// From this month on the next year's numbers are leased too.
const LAST_MONTH: i8 = 12;
/// The first number behind all that a letter can bear.
const NUMBERS_END: u32 = SERIAL_MAX + 1;

/// A block of an issuer's numbers of a year: `[first, end)`, of which `next` is the first not given
/// out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Block {
    /// The organisation that issues the letters.
    pub issuer: RecordId,
    /// The year of the numbers.
    pub year: u16,
    /// Its first number, from 1.
    pub first: u32,
    /// The first number behind it.
    pub end: u32,
    /// The first number that is not given out; `end` where it is used up.
    pub next: u32,
}

impl Block {
    /// Whether a number lies in it.
    pub const fn holds(&self, serial: u32) -> bool {
        self.first <= serial && serial < self.end
    }

    /// Numbers left.
    pub const fn left(&self) -> u32 {
        self.end.saturating_sub(self.next)
    }

    /// Whether its bounds are in order, it is no longer than what is leased at once, and a letter can
    /// bear each of its numbers.
    pub const fn is_sound(&self) -> bool {
        0 < self.first
            && self.first < self.end
            && self.end - self.first <= LETTER_BLOCK
            && self.end <= NUMBERS_END
            && self.first <= self.next
            && self.next <= self.end
    }

    const fn overlaps(&self, other: &Self) -> bool {
        self.first < other.end && other.first < self.end
    }

    fn key(&self) -> (RecordId, u16, u32) {
        (self.issuer, self.year, self.first)
    }
}

/// Why the rest of a block is void.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum VoidReason {
    /// The node goes on in another epoch: its store was rewound or copied.
    NewEpoch,
    /// The machine was enrolled again.
    EnrolledAnew,
    /// The node was revoked.
    Revoked,
    /// The year is over.
    YearOver,
    /// The organisation may not issue letters any more, or works through another office.
    NotIssuer,
    /// The hub was restored from a backup.
    HubRestored,
}

/// Code, Chinese and English of every reason.
const REASONS: [(VoidReason, &str, &str, &str); 6] = [
    (
        VoidReason::NewEpoch,
        "new_epoch",
        "本机数据曾回退或被复制,剩余编号作废",
        "the node's store was rewound or copied",
    ),
    (
        VoidReason::EnrolledAnew,
        "enrolled_anew",
        "电脑重新入网,剩余编号作废",
        "the machine was enrolled again",
    ),
    (
        VoidReason::Revoked,
        "revoked",
        "该电脑已停用,剩余编号作废",
        "the node was revoked",
    ),
    (
        VoidReason::YearOver,
        "year_over",
        "年度结束,剩余编号作废",
        "the year is over",
    ),
    (
        VoidReason::NotIssuer,
        "not_issuer",
        "该组织不再由本社区开具介绍信,剩余编号作废",
        "the organisation does not issue letters at this office any more",
    ),
    (
        VoidReason::HubRestored,
        "hub_restored",
        "中心曾从备份恢复,剩余编号作废",
        "the hub was restored from a backup",
    ),
];

impl VoidReason {
    /// Its code, as stored.
    pub fn code(self) -> &'static str {
        self.row().1
    }

    /// Its text in Chinese and in English.
    pub fn texts(self) -> (&'static str, &'static str) {
        let (_, _, zh, en) = self.row();
        (zh, en)
    }

    /// The reason with this code.
    pub fn from_code(code: &str) -> Option<Self> {
        let known = REASONS.iter().find(|(_, known, ..)| *known == code);
        known.map(|(reason, ..)| *reason)
    }

    fn row(self) -> (Self, &'static str, &'static str, &'static str) {
        let found = REASONS.iter().find(|(reason, ..)| *reason == self);
        found.copied().unwrap_or((self, "", "", ""))
    }
}

/// A block as the hub's books have it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Booked {
    /// The block; `next` as far as the hub knows.
    pub block: Block,
    /// To whom it was leased: a node, or the hub itself for its desk.
    pub node: NodeId,
    /// In which epoch.
    pub epoch: u32,
    /// The office of the node; the desk for the hub's own.
    pub office: OfficeId,
    /// Why its rest, from `next` on, is void; none while numbers may be given out.
    pub voided: Option<VoidReason>,
}

impl Booked {
    /// Whether a number lies in the rest that is void.
    pub const fn is_void_at(&self, serial: u32) -> bool {
        self.voided.is_some() && self.block.holds(serial) && serial >= self.block.next
    }

    const fn is_live(&self) -> bool {
        self.voided.is_none() && self.block.left() > 0
    }
}

/// Whether an organisation may issue letters: it lives, is active, and may admit members (条例 2019,
/// art. 25).
pub fn can_issue(record: &Record) -> bool {
    let is_active = record
        .text(organisation::STATE)
        .is_none_or(|state| state == "active");
    let can_admit = record.text(organisation::CAN_ADMIT_MEMBERS) == Some("1");
    record.is_alive() && is_active && can_admit
}

/// The years of which an office needs numbers on a day: the day's own, and in its last month the next
/// too, because there may be no line at New Year.
pub fn years_needed(today: Date) -> Vec<u16> {
    let year = u16::try_from(today.year()).unwrap_or(0);
    if today.month() == LAST_MONTH {
        vec![year, year + 1]
    } else {
        vec![year]
    }
}

/// What the hub's books say of an office's issuers.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Books {
    /// Every block of every issuer concerned, whoever holds it.
    pub booked: Vec<Booked>,
    /// The first number that was never leased, by issuer and year, as far as anything outside of the
    /// database knows it.
    pub floors: BTreeMap<(RecordId, u16), u32>,
    /// Where a block that the books do not know may end, by issuer and year: what this hub leased
    /// and its books have lost lies before it. None is taken in where nothing stands here.
    pub lost_ends: BTreeMap<(RecordId, u16), u32>,
    /// The serials of letters at or behind the last block: given by hand.
    pub used: BTreeMap<(RecordId, u16), BTreeSet<u32>>,
}

/// Who greets, and what may be leased.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Greeted {
    /// The node, or the hub itself for its desk.
    pub node: NodeId,
    /// Its epoch.
    pub epoch: u32,
    /// Its office.
    pub office: OfficeId,
    /// The organisations that work through this office, with whether they may issue letters.
    pub organisations: BTreeMap<RecordId, bool>,
    /// The blocks that it says it holds.
    pub said: Vec<Block>,
    /// The year now.
    pub year: u16,
    /// The years in which it needs numbers: this one, at its end the next one too.
    pub years: Vec<u16>,
    /// With fewer numbers left than this, a block is leased.
    pub low: u32,
    /// Whether anything may be leased or voided now: the journals agree and the hub does not recover.
    pub is_settled: bool,
}

/// What a greeting changes in the books, and what is answered.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Plan {
    /// Bookings that are new or other than before.
    pub changed: Vec<Booked>,
    /// Blocks from which the greeter may give out numbers.
    pub granted: Vec<Block>,
    /// Blocks said to be held that the books contradict.
    pub contradicted: Vec<Block>,
}

/// Books what a greeter holds, voids what is not its own any more, and leases what it lacks.
pub fn greet(books: &Books, greeted: &Greeted) -> Plan {
    let mut ledger: BTreeMap<_, Booked> = books
        .booked
        .iter()
        .map(|booked| (booked.block.key(), *booked))
        .collect();
    let mut plan = Plan::default();
    for said in &greeted.said {
        if !book_said(&mut ledger, books, greeted, said) {
            plan.contradicted.push(*said);
        }
    }
    if greeted.is_settled {
        void_former(&mut ledger, greeted);
        for year in &greeted.years {
            for (issuer, can_issue) in &greeted.organisations {
                if *can_issue {
                    lease(&mut ledger, books, greeted, (*issuer, *year));
                }
            }
        }
    }
    // Also while nothing is leased or voided: what is left out here the node gives out no more.
    let own = |booked: &&Booked| is_own(booked, greeted) && booked.is_live();
    plan.granted = ledger.values().filter(own).map(|b| b.block).collect();
    let is_changed = |booked: &&Booked| !books.booked.contains(booked);
    plan.changed = ledger.values().filter(is_changed).copied().collect();
    plan
}

fn is_own(booked: &Booked, greeted: &Greeted) -> bool {
    (booked.node, booked.epoch) == (greeted.node, greeted.epoch)
}

/// Books one block that is said to be held; false where the books contradict it. A block that the
/// books do not know was leased by this hub before it was restored, or by nobody: then its end, behind
/// which everything is leased from then on, must use up no numbers.
fn book_said(
    ledger: &mut BTreeMap<(RecordId, u16, u32), Booked>,
    books: &Books,
    greeted: &Greeted,
    said: &Block,
) -> bool {
    if !said.is_sound() || !greeted.organisations.contains_key(&said.issuer) {
        return false;
    }
    if let Some(known) = ledger.get_mut(&said.key()) {
        if known.office != greeted.office || known.block.end != said.end {
            return false;
        }
        known.block.next = known.block.next.max(said.next);
        return true;
    }
    let lost_end = books.lost_ends.get(&(said.issuer, said.year)).copied();
    let year = (said.issuer, said.year, 0)..=(said.issuer, said.year, u32::MAX);
    if lost_end.is_none_or(|lost_end| lost_end < said.end)
        || ledger.range(year).any(|(_, b)| b.block.overlaps(said))
    {
        return false;
    }
    let booked = Booked {
        block: *said,
        node: greeted.node,
        epoch: greeted.epoch,
        office: greeted.office,
        voided: None,
    };
    ledger.insert(said.key(), booked);
    true
}

/// Voids the rest of what the greeter held in another epoch or under another identity, of years that
/// are over, and of issuers that are none any more.
fn void_former(ledger: &mut BTreeMap<(RecordId, u16, u32), Booked>, greeted: &Greeted) {
    let said: BTreeSet<_> = greeted.said.iter().map(Block::key).collect();
    for (key, booked) in ledger.iter_mut().filter(|(_, booked)| booked.is_live()) {
        let is_of_node = booked.node == greeted.node;
        let can_issue = greeted.organisations.get(&booked.block.issuer) == Some(&true);
        booked.voided = if is_of_node && booked.epoch != greeted.epoch {
            Some(if greeted.office == crate::id::DESK {
                VoidReason::HubRestored
            } else {
                VoidReason::NewEpoch
            })
        } else if !is_of_node && booked.office == greeted.office && said.contains(key) {
            Some(VoidReason::EnrolledAnew)
        } else if is_of_node && booked.block.year < greeted.year {
            Some(VoidReason::YearOver)
        } else if is_of_node && !can_issue {
            Some(VoidReason::NotIssuer)
        } else {
            None
        };
    }
}

/// Leases blocks behind everything that ever was, until the greeter has enough. A number that was
/// given by hand there ends a block or is left before it.
fn lease(
    ledger: &mut BTreeMap<(RecordId, u16, u32), Booked>,
    books: &Books,
    greeted: &Greeted,
    (issuer, year): (RecordId, u16),
) {
    let none = BTreeSet::new();
    let used = books.used.get(&(issuer, year)).unwrap_or(&none);
    let range = (issuer, year, 0)..=(issuer, year, u32::MAX);
    for _ in 0..ROUNDS_MAX {
        let blocks = || ledger.range(range.clone()).map(|(_, booked)| booked);
        let own = blocks().filter(|b| is_own(b, greeted) && b.is_live());
        let left: u32 = own.map(|booked| booked.block.left()).sum();
        if left >= greeted.low {
            return;
        }
        let behind = blocks().map(|booked| booked.block.end).max().unwrap_or(1);
        let floor = books.floors.get(&(issuer, year)).copied().unwrap_or(1);
        let Some((first, end)) = free_run(behind.max(floor), used) else {
            return;
        };
        let block = Block {
            issuer,
            year,
            first,
            end,
            next: first,
        };
        let booked = Booked {
            block,
            node: greeted.node,
            epoch: greeted.epoch,
            office: greeted.office,
            voided: None,
        };
        ledger.insert(block.key(), booked);
    }
}

/// Numbers of a block that were given out and stand on no letter that the hub has: on their way, or
/// spoilt; `letters` are the serials of the issuer's letters of the year.
pub fn without_letter(block: &Block, letters: &BTreeSet<u32>) -> Vec<u32> {
    (block.first..block.next)
        .filter(|serial| !letters.contains(serial))
        .collect()
}

/// Runs `[first, end)` of numbers below `floor` in no block and on no letter: leased by a hub that was
/// restored since from a backup that knew nothing of them; `blocks` are those of one issuer and year.
pub fn unknown_runs(blocks: &[Block], letters: &BTreeSet<u32>, floor: u32) -> Vec<(u32, u32)> {
    let mut ends: Vec<(u32, u32)> = blocks.iter().map(|b| (b.first, b.end)).collect();
    ends.extend(
        letters
            .iter()
            .map(|serial| (*serial, serial.saturating_add(1))),
    );
    ends.retain(|(first, _)| *first < floor);
    ends.push((floor, floor));
    ends.sort_unstable();
    let mut runs = Vec::new();
    let mut known = 1;
    for (first, end) in ends {
        if known < first {
            runs.push((known, first));
        }
        known = known.max(end);
    }
    runs
}

/// The first numbers from `from` on that nobody used, at most a block's; none where numbers end.
fn free_run(from: u32, used: &BTreeSet<u32>) -> Option<(u32, u32)> {
    let mut first = from;
    for serial in used.range(from..) {
        if *serial != first {
            break;
        }
        first = first.checked_add(1)?;
    }
    let end = first.saturating_add(LETTER_BLOCK).min(NUMBERS_END);
    if end <= first {
        return None;
    }
    let next_used = used.range(first..end).next().copied();
    Some((first, next_used.unwrap_or(end)))
}

#[cfg(test)]
mod tests;
