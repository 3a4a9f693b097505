//! What happens in one simulation: drawn from the seed, a list that can be read and cut down.

mod what;

use std::collections::BTreeSet;

use crate::simulation::chance::Chance;
use crate::simulation::net::Faults;

pub use what::What;

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

/// A kind of fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fault {
    Cut,
    Power,
    Disk,
    Clock,
    HubClock,
    Drift,
    Sleep,
    Restore,
    RollBack,
    Twin,
    OneWay,
    Broken,
    Lies,
    HubLies,
    LogLost,
    HubLogLost,
    HubPutBack,
    Flip,
    HubFlip,
    Destroyed,
    Away,
}

/// The strongest that a seed draws of each kind of fault (parts of 1,000 of all events).
const STRONGEST: &[(Fault, u64)] = &[
    (Fault::Cut, 150),
    (Fault::Power, 80),
    (Fault::Disk, 60),
    (Fault::Clock, 40),
    (Fault::HubClock, 15),
    (Fault::Drift, 40),
    (Fault::Sleep, 40),
    (Fault::Restore, 25),
    (Fault::RollBack, 25),
    (Fault::Twin, 15),
    (Fault::OneWay, 60),
    (Fault::Broken, 25),
    (Fault::Lies, 25),
    (Fault::HubLies, 12),
    (Fault::LogLost, 20),
    (Fault::HubLogLost, 12),
    (Fault::HubPutBack, 12),
    (Fault::Flip, 15),
    (Fault::HubFlip, 10),
    (Fault::Destroyed, 12),
    (Fault::Away, 6),
];

/// What goes wrong above all in a city: where one sort of fault follows on itself, what each of them promised meets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mood {
    /// A little of everything.
    Mixed,
    /// The hub is put back again and again.
    HubPutBack,
    /// The offices' machines are copied, put back, destroyed, and lie.
    MachinesLost,
}

impl Mood {
    fn of(seed: u64) -> Self {
        match Chance::new(seed, "mood", 0).below(4) {
            0 => Self::HubPutBack,
            1 => Self::MachinesLost,
            _ => Self::Mixed,
        }
    }

    /// How likely a city of this mood tries a fault at four times its strength (parts of 1,000); none for any other.
    const fn reigns(self, fault: Fault) -> Option<u64> {
        match (self, fault) {
            (Self::HubPutBack, Fault::Restore | Fault::HubLogLost | Fault::HubPutBack) => Some(800),
            (
                Self::MachinesLost,
                Fault::Twin
                | Fault::RollBack
                | Fault::LogLost
                | Fault::Destroyed
                | Fault::Lies
                | Fault::HubFlip,
            ) => Some(700),
            _ => None,
        }
    }
}

/// With what people are busy above all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Busy {
    /// With everything.
    All,
    /// With the same records, several at once.
    Races,
    /// With members who move.
    Moves,
}

impl Busy {
    fn of(seed: u64) -> Self {
        match Chance::new(seed, "busy", 0).below(6) {
            0 => Self::Races,
            1 => Self::Moves,
            _ => Self::All,
        }
    }

    /// What somebody at an office does in such a city. It is drawn from a stream of its own.
    fn work(self, seed: u64, number: u64, office: usize) -> What {
        let mut chance = Chance::new(seed, "busy", 1 + number);
        match self {
            Self::Races if chance.happens(350) => What::Race(office),
            Self::Moves if chance.happens(450) => What::Move(office),
            Self::All if chance.happens(20) => What::Move(office),
            _ => What::Work(office),
        }
    }
}

/// What an event is drawn from: at which office, and when it is over.
#[derive(Debug, Clone, Copy)]
struct Drawn {
    office: usize,
    is_hub: bool,
    /// After how long what was cut or stopped comes back (milliseconds).
    later: u64,
    /// At which write the power fails; none for at once.
    at_write: Option<u64>,
}

impl Plan {
    /// The plan of a seed.
    pub fn draw(seed: u64) -> Self {
        let mut chance = Chance::new(seed, "plan", 0);
        let most = if chance.happens(25) { 30 } else { 6 };
        let offices = usize::try_from(chance.log_uniform(2, most)).unwrap_or(2);
        let count = chance.log_uniform(20, 160);
        // Most are short: what goes wrong does so within an hour, and idle days cost most.
        let longest = if chance.happens(5) { 4 * DAY } else { HOUR };
        let length_ms = chance.log_uniform(10 * MINUTE, longest);
        // Each seed tries some of the faults, at a strength of its own.
        let mut strength = |most: u64, parts: u64| {
            let is_on = chance.happens(parts);
            let strength = chance.log_uniform(1, most);
            if is_on { strength } else { 0 }
        };
        let faults = Faults {
            delay_ms: (1, strength(3_000, 500).max(1)),
            lost: strength(200, 500),
            unanswered: strength(200, 500),
            again: strength(200, 500),
            cut: strength(200, 500),
            turned: strength(100, 250),
        };
        let mood = Mood::of(seed);
        let mix: Vec<_> = STRONGEST
            .iter()
            .map(|(fault, most)| match mood.reigns(*fault) {
                Some(parts) => (*fault, strength(4 * *most, parts)),
                None => (*fault, strength(*most, 350)),
            })
            .collect();
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

    fn draw_event(
        &mut self,
        mix: &[(Fault, u64)],
        (number, at_ms): (u64, u64),
        chance: &mut Chance,
    ) {
        let drawn = Drawn {
            office: usize::try_from(chance.below(self.offices as u64)).unwrap_or(0),
            is_hub: chance.happens(400),
            later: chance.log_uniform(MINUTE, self.length_ms / 2),
            at_write: chance.happens(800).then(|| chance.log_uniform(1, 400)),
        };
        let mut left = chance.below(1000);
        let mut happening = None;
        for (fault, parts) in mix {
            if left < *parts {
                happening = Some(*fault);
                break;
            }
            left -= parts;
        }
        let events = match happening {
            Some(fault) => fault.events(drawn, chance),
            None if chance.happens(30) => vec![(0, What::Tick)],
            None if chance.happens(200) => vec![(0, What::Desk)],
            None if chance.happens(40) => vec![(0, What::Race(drawn.office))],
            None => vec![(0, Busy::of(self.seed).work(self.seed, number, drawn.office))],
        };
        for (after_ms, what) in events {
            self.events.push(Event {
                number,
                at_ms: at_ms + after_ms,
                what,
            });
        }
    }
}

impl Fault {
    /// What happens, and so many milliseconds after it began.
    fn events(self, drawn: Drawn, chance: &mut Chance) -> Vec<(u64, What)> {
        let Drawn {
            office,
            is_hub,
            later,
            at_write,
        } = drawn;
        match self {
            Self::Cut => vec![(0, What::Cut(office)), (later, What::Mend(office))],
            Self::OneWay => vec![(0, What::OneWay(office)), (later, What::Mend(office))],
            Self::Power if is_hub => {
                vec![(0, What::HubOff(at_write)), (later / 10, What::HubOn)]
            }
            Self::Power => vec![
                (0, What::OfficeOff(office, at_write)),
                (later / 10, What::OfficeOn(office)),
            ],
            Self::Disk | Self::Broken => self.of_disks(drawn, chance),
            Self::Clock => {
                let offset = some_offset(chance);
                vec![
                    (0, What::Clock(office, offset)),
                    (later, What::Clock(office, 0)),
                ]
            }
            Self::HubClock => {
                let offset = some_offset(chance);
                vec![(0, What::HubClock(offset)), (later, What::HubClock(0))]
            }
            Self::Drift => {
                let ppm = chance.log_uniform(10, 100_000).cast_signed();
                let ppm = if chance.happens(500) { ppm } else { -ppm };
                vec![(0, What::Drift(office, ppm))]
            }
            Self::Sleep if is_hub => vec![(0, What::HubSleep), (later, What::HubWake)],
            Self::Sleep => vec![(0, What::Sleep(office)), (later, What::Wake(office))],
            Self::Restore => vec![(0, What::BackUp), (later, What::Restore)],
            Self::RollBack => {
                let with_keys = chance.happens(500);
                vec![
                    (0, What::Copy(office)),
                    (later, What::RollBack(office, with_keys)),
                ]
            }
            Self::Twin => vec![(0, What::Twin(office))],
            Self::Lies => vec![
                (0, What::OfficeLies(office)),
                (later, What::OfficeOff(office, None)),
                (later + MINUTE, What::OfficeOn(office)),
            ],
            Self::HubLies => vec![
                (0, What::BackUp),
                (0, What::HubLies),
                (later, What::HubOff(None)),
                (later + MINUTE, What::HubOn),
            ],
            Self::LogLost => vec![(0, What::LogLost(office))],
            Self::HubLogLost => vec![(0, What::BackUp), (later, What::HubLogLost)],
            Self::HubPutBack => vec![(0, What::BackUp), (later, What::HubPutBack)],
            Self::Flip => vec![(0, What::Flip(office))],
            Self::HubFlip => vec![(0, What::BackUp), (later, What::HubFlip)],
            Self::Destroyed => vec![(0, What::Destroyed(office))],
            Self::Away => vec![(0, What::Away(office))],
        }
    }

    /// A disk that fails once, or for ever, or is full; until its machine is started again.
    fn of_disks(self, drawn: Drawn, chance: &mut Chance) -> Vec<(u64, What)> {
        let (office, write) = (drawn.office, chance.log_uniform(1, 200));
        let is_once = chance.happens(500);
        let what = match (self == Self::Broken, drawn.is_hub, is_once) {
            (true, true, _) => What::HubBroken(write),
            (true, false, _) => What::OfficeBroken(office, write),
            (false, true, true) => What::HubError(write),
            (false, true, false) => What::HubFull(write),
            (false, false, true) => What::OfficeError(office, write),
            (false, false, false) => What::OfficeFull(office, write),
        };
        let on = if drawn.is_hub {
            What::HubOn
        } else {
            What::OfficeOn(office)
        };
        vec![(0, what), (drawn.later, on)]
    }
}

/// How far a clock is off: a second to ten years, either way (milliseconds).
fn some_offset(chance: &mut Chance) -> i64 {
    let size = chance.log_uniform(1_000, 10 * 365 * DAY).cast_signed();
    if chance.happens(500) { size } else { -size }
}
