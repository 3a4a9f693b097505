//! What can happen, one by one, and how it is told.

use std::fmt;

/// What can happen. Offices are counted from 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum What {
    /// Somebody works at an office.
    Work(usize),
    /// Somebody works at the hub's desk.
    Desk,
    /// An office and others who may write to it change the same record, none knowing of the others.
    Race(usize),
    /// A member of an office moves on, and whoever knows him writes to him.
    Move(usize),
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
    /// The hub's.
    HubLies,
    /// An office is switched off and its write-ahead log is lost.
    LogLost(usize),
    /// The hub's.
    HubLogLost,
    /// The hub's whole folder goes back to its last backup, and nobody is told.
    HubPutBack,
    /// An office is switched off and one bit of its database turns over.
    Flip(usize),
    /// The hub's.
    HubFlip,
    /// An office's machine sleeps, and time goes on.
    Sleep(usize),
    /// It wakes.
    Wake(usize),
    /// The hub's machine sleeps.
    HubSleep,
    /// It wakes.
    HubWake,
    /// An office's machine is destroyed; the office gets a new one.
    Destroyed(usize),
    /// Of an office's calls no answer comes back for a while.
    OneWay(usize),
    /// More than a year passes: the others are switched on now and then, this office never.
    Away(usize),
    /// An office's clock is so far off from now on (milliseconds).
    Clock(usize, i64),
    /// An office's clock runs so much faster (parts of a million; negative: slower).
    Drift(usize, i64),
    /// The hub's clock is so far off from now on (milliseconds).
    HubClock(i64),
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

impl fmt::Display for What {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Work(office) => write!(f, "office {office} works"),
            Self::Desk => write!(f, "the desk works"),
            Self::Race(office) => write!(f, "office {office} changes what others change"),
            Self::Move(office) => write!(f, "a member of office {office} moves on"),
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
            Self::HubLies => write!(f, "the hub's disk begins to lie"),
            Self::HubLogLost => write!(f, "the hub loses its write-ahead log"),
            Self::HubPutBack => write!(
                f,
                "the hub's folder is put back to the backup, and nobody is told"
            ),
            Self::Flip(office) => write!(f, "a bit turns over on the disk of office {office}"),
            Self::HubFlip => write!(f, "a bit turns over on the hub's disk"),
            Self::Sleep(office) => write!(f, "the machine of office {office} sleeps"),
            Self::Wake(office) => write!(f, "the machine of office {office} wakes"),
            Self::HubSleep => write!(f, "the hub's machine sleeps"),
            Self::HubWake => write!(f, "the hub's machine wakes"),
            Self::Drift(office, ppm) => {
                write!(f, "the clock of office {office} runs {ppm} ppm fast")
            }
            Self::HubClock(ms) => write!(f, "the hub's clock is {ms} ms off"),
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
