//! What happens in one simulation: drawn from the seed, a list that can be read and cut down.

use std::collections::BTreeSet;
use std::fmt;

use crate::simulation::chance::Chance;
use crate::simulation::net::Faults;

const MINUTE: u64 = 60_000;
const HOUR: u64 = 60 * MINUTE;
const DAY: u64 = 24 * HOUR;

/// A plan.
#[derive(Debug, Clone)]
pub struct Plan {
    /// The seed.
    pub seed: u64,
    /// How many offices.
    pub offices: usize,
    /// What goes wrong on the lines.
    pub faults: Faults,
    /// What happens, in order of time.
    pub events: Vec<Event>,
    /// How long it goes on (milliseconds of simulated time).
    pub length_ms: u64,
}

/// Something that happens.
#[derive(Debug, Clone, Copy)]
pub struct Event {
    /// Its own number: what it draws follows from it, whatever else happens.
    pub number: u64,
    /// When (milliseconds since the beginning).
    pub at_ms: u64,
    /// What.
    pub what: What,
}

/// What can happen. Offices are counted from 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum What {
    /// Somebody works at an office.
    Work(usize),
    /// Somebody works at the hub's desk.
    Desk,
    /// The line of an office is cut.
    Cut(usize),
    /// It is there again.
    Mend(usize),
    /// An office's power fails: now, or at the so manieth write from now.
    OfficeOff(usize, Option<u64>),
    /// It comes back.
    OfficeOn(usize),
    /// The hub's power fails: now, or at the so manieth write from now.
    HubOff(Option<u64>),
    /// It comes back.
    HubOn,
    /// A write of an office's disk, the so manieth from now, fails once.
    OfficeError(usize, u64),
    /// The hub's.
    HubError(u64),
    /// An office's disk is full from the so manieth write on; there is room again with the next
    /// restart.
    OfficeFull(usize, u64),
    /// The hub's.
    HubFull(u64),
    /// An office's disk takes no write any more from the so manieth on, until the next restart.
    OfficeBroken(usize, u64),
    /// The hub's.
    HubBroken(u64),
    /// An office's disk says that it has synced and has not, until its power fails.
    OfficeLies(usize),
    /// An office is switched off and its write-ahead log is lost.
    LogLost(usize),
    /// An office's machine is destroyed; the office gets a new one.
    Destroyed(usize),
    /// Of an office's calls no answer comes back for a while.
    OneWay(usize),
    /// More than a year passes: the others are switched on now and then, this office never.
    Away(usize),
    /// An office's clock is so far off from now on (milliseconds).
    Clock(usize, i64),
    /// A backup of the hub is taken.
    BackUp,
    /// The hub is restored from the last backup.
    Restore,
    /// An office's folder is copied.
    Copy(usize),
    /// An office goes back to its copy: with its keys, or the database alone.
    RollBack(usize, bool),
    /// A copy of an office's folder begins to run beside it.
    Twin(usize),
    /// The hub does what is due today.
    Tick,
}

/// How often each kind of fault comes (parts of 1,000 of all events).
struct Mix {
    cut: u64,
    power: u64,
    disk: u64,
    clock: u64,
    restore: u64,
    roll_back: u64,
    twin: u64,
    one_way: u64,
    broken: u64,
    lies: u64,
    log_lost: u64,
    destroyed: u64,
    away: u64,
}

impl Plan {
    /// The plan of a seed.
    pub fn draw(seed: u64) -> Self {
        let mut chance = Chance::new(seed, "plan", 0);
        let offices = usize::try_from(chance.log_uniform(2, 6)).unwrap_or(2);
        let count = chance.log_uniform(20, 200);
        // Most are short: what goes wrong does so in a few hours, and idle days cost most.
        let longest = if chance.happens(50) {
            4 * DAY
        } else {
            6 * HOUR
        };
        let length_ms = chance.log_uniform(10 * MINUTE, longest);
        // Each seed tries some of the faults, at a strength of its own.
        let mut strength = |most: u64| {
            let is_on = chance.happens(500);
            let parts = chance.log_uniform(1, most);
            if is_on { parts } else { 0 }
        };
        let mix = Mix {
            cut: strength(150),
            power: strength(80),
            disk: strength(60),
            clock: strength(40),
            restore: strength(25),
            roll_back: strength(25),
            twin: strength(15),
            one_way: strength(60),
            broken: strength(25),
            lies: strength(25),
            log_lost: strength(20),
            destroyed: strength(12),
            away: strength(6),
        };
        let faults = Faults {
            delay_ms: (1, strength(3_000).max(1)),
            lost: strength(200),
            unanswered: strength(200),
            again: strength(200),
            cut: strength(200),
        };
        let mut plan = Self {
            seed,
            offices,
            faults,
            events: Vec::new(),
            length_ms,
        };
        for number in 0..count {
            let at_ms = chance.below(length_ms);
            plan.draw_event(&mix, (number, at_ms), &mut chance);
        }
        // Who is away twice is away for longer than a certificate is renewed without a person.
        let mut is_first = true;
        plan.events.retain(|event| match event.what {
            What::Away(_) => std::mem::take(&mut is_first),
            _ => true,
        });
        plan.events.sort_by_key(|event| (event.at_ms, event.number));
        plan
    }

    /// The numbers of what happens.
    pub fn numbers(&self) -> BTreeSet<u64> {
        self.events.iter().map(|event| event.number).collect()
    }

    /// The same plan with these events only; each draws as it did before.
    #[must_use]
    pub fn with_only(&self, numbers: &BTreeSet<u64>) -> Self {
        let mut plan = self.clone();
        plan.events.retain(|event| numbers.contains(&event.number));
        plan
    }

    fn draw_event(&mut self, mix: &Mix, (number, at_ms): (u64, u64), chance: &mut Chance) {
        let office = usize::try_from(chance.below(self.offices as u64)).unwrap_or(0);
        let kind = chance.below(1000);
        let mut add = |after_ms: u64, what: What| {
            self.events.push(Event {
                number,
                at_ms: at_ms + after_ms,
                what,
            });
        };
        let mut from = 0;
        let mut is = |parts: u64| {
            from += parts;
            kind < from
        };
        // Powers and lines come back after a while.
        let later = chance.log_uniform(MINUTE, self.length_ms / 2);
        let at_write = chance.happens(800).then(|| chance.log_uniform(1, 400));
        let is_hub = chance.happens(400);
        if is(mix.cut) {
            add(0, What::Cut(office));
            add(later, What::Mend(office));
        } else if is(mix.power) {
            if is_hub {
                add(0, What::HubOff(at_write));
                add(later / 10, What::HubOn);
            } else {
                add(0, What::OfficeOff(office, at_write));
                add(later / 10, What::OfficeOn(office));
            }
        } else if is(mix.disk) {
            let write = chance.log_uniform(1, 200);
            add(
                0,
                match (is_hub, chance.happens(500)) {
                    (true, true) => What::HubError(write),
                    (true, false) => What::HubFull(write),
                    (false, true) => What::OfficeError(office, write),
                    (false, false) => What::OfficeFull(office, write),
                },
            );
            let on = if is_hub {
                What::HubOn
            } else {
                What::OfficeOn(office)
            };
            add(later, on);
        } else if is(mix.clock) {
            let size = chance.log_uniform(1_000, 10 * 365 * DAY).cast_signed();
            let offset = if chance.happens(500) { size } else { -size };
            add(0, What::Clock(office, offset));
            add(later, What::Clock(office, 0));
        } else if is(mix.restore) {
            add(0, What::BackUp);
            add(later, What::Restore);
        } else if is(mix.roll_back) {
            add(0, What::Copy(office));
            add(later, What::RollBack(office, chance.happens(500)));
        } else if is(mix.twin) {
            add(0, What::Twin(office));
        } else if is(mix.one_way) {
            add(0, What::OneWay(office));
            add(later, What::Mend(office));
        } else if is(mix.broken) {
            let write = chance.log_uniform(1, 200);
            if is_hub {
                add(0, What::HubBroken(write));
                add(later, What::HubOn);
            } else {
                add(0, What::OfficeBroken(office, write));
                add(later, What::OfficeOn(office));
            }
        } else if is(mix.lies) {
            add(0, What::OfficeLies(office));
            add(later, What::OfficeOff(office, None));
            add(later + MINUTE, What::OfficeOn(office));
        } else if is(mix.log_lost) {
            add(0, What::LogLost(office));
        } else if is(mix.destroyed) {
            add(0, What::Destroyed(office));
        } else if is(mix.away) {
            add(0, What::Away(office));
        } else if chance.happens(30) {
            add(0, What::Tick);
        } else if chance.happens(150) {
            add(0, What::Desk);
        } else {
            add(0, What::Work(office));
        }
    }
}

impl fmt::Display for What {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Work(office) => write!(f, "office {office} works"),
            Self::Desk => write!(f, "the desk works"),
            Self::Cut(office) => write!(f, "the line of office {office} is cut"),
            Self::Mend(office) => write!(f, "the line of office {office} is mended"),
            Self::OfficeOff(office, None) => write!(f, "office {office} loses power"),
            Self::OfficeOff(office, Some(write)) => {
                write!(f, "office {office} will lose power at write {write}")
            }
            Self::OfficeOn(office) => write!(f, "office {office} starts"),
            Self::HubOff(None) => write!(f, "the hub loses power"),
            Self::HubOff(Some(write)) => write!(f, "the hub will lose power at write {write}"),
            Self::HubOn => write!(f, "the hub starts"),
            Self::OfficeError(office, write) => {
                write!(f, "write {write} of office {office} will fail")
            }
            Self::HubError(write) => write!(f, "write {write} of the hub will fail"),
            Self::OfficeFull(office, write) => {
                write!(
                    f,
                    "the disk of office {office} will be full at write {write}"
                )
            }
            Self::HubFull(write) => write!(f, "the hub's disk will be full at write {write}"),
            Self::OfficeBroken(office, write) => {
                write!(
                    f,
                    "from write {write} on the disk of office {office} takes none"
                )
            }
            Self::HubBroken(write) => write!(f, "from write {write} on the hub's disk takes none"),
            Self::OfficeLies(office) => write!(f, "the disk of office {office} begins to lie"),
            Self::LogLost(office) => write!(f, "office {office} loses its write-ahead log"),
            Self::Destroyed(office) => write!(f, "the machine of office {office} is destroyed"),
            Self::OneWay(office) => write!(f, "no answer comes back to office {office}"),
            Self::Away(office) => write!(f, "a year passes without office {office}"),
            Self::Clock(office, ms) => write!(f, "the clock of office {office} is {ms} ms off"),
            Self::BackUp => write!(f, "the hub is backed up"),
            Self::Restore => write!(f, "the hub is restored"),
            Self::Copy(office) => write!(f, "the folder of office {office} is copied"),
            Self::RollBack(office, true) => write!(f, "office {office} goes back to its copy"),
            Self::RollBack(office, false) => {
                write!(f, "office {office} goes back to the copy of its database")
            }
            Self::Twin(office) => write!(f, "a copy of office {office} begins to run"),
            Self::Tick => write!(f, "the hub does what is due"),
        }
    }
}
