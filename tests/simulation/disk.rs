//! The disks of all machines of one simulation: what programs see, what is on its way, and what a
//! power cut leaves.
//!
//! A write is *live* at once and *durable* with the next sync of its file. A power cut keeps a random
//! part of what was not synced: whole writes or not, torn at sectors, a torn sector garbled. Making and
//! deleting a file is durable at once.

pub mod log;
mod vfs;
mod whole;

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::rc::Rc;

use crate::simulation::chance::Chance;

pub use vfs::register;
pub use whole::whole;

/// What tears: a disk writes a sector whole or garbles it.
const SECTOR: usize = 512;

thread_local! {
    static DISKS: RefCell<Disks> = RefCell::default();
    static SLIP: Cell<Slip> = const { Cell::new(Slip::None) };
}

/// A slip of a program that the disk plays for it, so that it is seen that a simulation catches it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Slip {
    /// None.
    #[default]
    None,
    /// The write-ahead log is not synced at a commit: `synchronous=NORMAL` instead of `FULL`.
    LogNotSynced,
    /// Whoever asks for durability is answered before there is any.
    AnsweredBefore,
}

impl Slip {
    /// Whether it is made with a sync of a write-ahead log, or of another file.
    const fn is_made(self, with_log: bool) -> bool {
        match self {
            Self::None => false,
            Self::LogNotSynced => with_log,
            Self::AnsweredBefore => true,
        }
    }
}

/// From now on the programs of this thread's simulations make this slip.
pub fn play(slip: Slip) {
    SLIP.set(slip);
}

fn slip() -> Slip {
    SLIP.get()
}

/// All files and machines of this thread's simulation.
#[derive(Debug, Default)]
struct Disks {
    files: BTreeMap<String, Rc<RefCell<File>>>,
    machines: BTreeMap<String, Rc<RefCell<Machine>>>,
}

/// Something that was written and not synced yet.
#[derive(Debug, Clone)]
enum Pending {
    Write { offset: usize, bytes: Vec<u8> },
    Truncate(usize),
}

/// One file.
#[derive(Debug, Default, Clone)]
pub struct File {
    /// Its whole name; empty for one that is gone with its handle.
    name: String,
    live: Vec<u8>,
    durable: Vec<u8>,
    pending: Vec<Pending>,
    locks: vfs::Locks,
    shared: Rc<vfs::Shared>,
}

/// What a machine's disk does wrong, and what it was seen to do.
#[derive(Debug, Default)]
pub struct Machine {
    /// Reads are not counted.
    pub writes: u64,
    /// Syncs that were asked for.
    pub syncs: u64,
    /// The power fails instead of this write or sync.
    pub cut_at: Option<u64>,
    /// This write or sync fails once.
    pub fail_at: Option<u64>,
    /// From this one on every write or sync fails.
    pub broken_from: Option<u64>,
    /// From this write on there is no room.
    pub full_from: Option<u64>,
    /// Up to this write there is no room (with `full_from`).
    pub full_until: Option<u64>,
    /// A sync that fails takes what was to be synced with it, as the page cache of Linux does.
    pub failed_syncs_lose: bool,
    /// A sync answers, and nothing becomes durable.
    pub syncs_lie: bool,
    /// The power is off: nothing answers.
    pub is_off: bool,
    /// How often each fault was met by a program.
    pub met: Met,
    /// Counts power cuts: who opened a file before the last one can do nothing with it.
    life: u64,
    /// Where its files lie.
    folder: PathBuf,
    /// The marks of half-copied logs when the power failed: a program that is dropped afterwards makes
    /// none.
    marks: Option<BTreeSet<PathBuf>>,
}

impl Machine {
    /// Nothing answers from now on.
    fn lose_power(&mut self) {
        if !std::mem::replace(&mut self.is_off, true) {
            self.marks = Some(marks_in(&self.folder));
        }
    }
}

/// The files of a real folder that say that a database is half copied.
fn marks_in(folder: &Path) -> BTreeSet<PathBuf> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let paths = entries.map(|entry| entry.path());
    paths.filter(|path| log::is_mark(path)).collect()
}

/// Removes such files, all but some.
fn remove_marks(folder: &Path, but: &BTreeSet<PathBuf>) {
    for mark in marks_in(folder).difference(but) {
        // It may be gone already.
        let _ = std::fs::remove_file(mark);
    }
}

/// Faults that had an effect.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Met {
    /// Power cuts in the middle of a write or sync.
    pub cuts: u64,
    /// Writes or syncs that failed once.
    pub errors: u64,
    /// Writes or syncs of a disk that takes none any more.
    pub broken: u64,
    /// Writes for which there was no room.
    pub full: u64,
    /// Syncs that lied.
    pub lies: u64,
    /// Power cuts that lost or tore something that was written.
    pub lost: u64,
    /// Sectors that a power cut garbled.
    pub garbled: u64,
}

/// A machine's databases as they lie on its disk.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Image(BTreeMap<String, Vec<u8>>);

impl Image {
    /// One of this file alone.
    pub fn of(name: &str, bytes: Vec<u8>) -> Self {
        Self(BTreeMap::from([(name.to_owned(), bytes)]))
    }

    /// Whether there is such a file.
    pub fn has(&self, name: &str) -> bool {
        self.0.contains_key(name)
    }

    /// The names of its files.
    pub fn names(&self) -> impl Iterator<Item = &String> {
        self.0.keys()
    }

    /// Without write-ahead logs, as somebody leaves it who copies databases alone; whether there was
    /// anything in one.
    pub fn without_logs(mut self) -> (Self, bool) {
        let is_log = |name: &String| name.ends_with("-wal");
        let lost = self
            .0
            .iter()
            .any(|(name, bytes)| is_log(name) && !bytes.is_empty());
        self.0.retain(|name, _| !is_log(name));
        (self, lost)
    }
}

/// Forgets everything: a new simulation begins on this thread.
pub fn clear() {
    DISKS.take();
    whole::forget_randomness(0);
}

/// What SQLite draws from now on follows from this number.
pub fn draw_from(number: u64) {
    whole::forget_randomness(number);
}

/// The disk of the machine whose files lie below `folder`.
pub fn machine(folder: &str) -> Rc<RefCell<Machine>> {
    let fresh = || {
        Rc::new(RefCell::new(Machine {
            folder: PathBuf::from(folder),
            ..Machine::default()
        }))
    };
    DISKS.with_borrow_mut(|disks| {
        let machine = disks.machines.entry(below(folder));
        Rc::clone(machine.or_insert_with(fresh))
    })
}

fn below(folder: &str) -> String {
    format!("{}/", folder.trim_end_matches('/'))
}

/// The power of a machine fails: what was not synced is kept in part, as `chance` says. It stays off
/// until [`power_on`].
pub fn power_cut(folder: &str, chance: &mut Chance) {
    let machine = machine(folder);
    let (mut lost, mut garbled) = (false, 0);
    for file in files_below(folder) {
        let mut file = file.borrow_mut();
        let pending = std::mem::take(&mut file.pending);
        lost |= !pending.is_empty();
        // All of it, nothing of it, or any part.
        let any = chance.below(257);
        let share = chance.one_of(&[0, 256, any]).copied().unwrap_or(any);
        for write in pending {
            garbled += keep_part(&mut file.durable, write, share, chance);
        }
        let file = &mut *file;
        file.live.clone_from(&file.durable);
        file.locks = vfs::Locks::default();
        file.shared = Rc::default();
    }
    let mut machine = machine.borrow_mut();
    machine.lose_power();
    machine.life += 1;
    machine.met.lost += u64::from(lost);
    machine.met.garbled += garbled;
}

/// The machine has power again, and its disk no fault that was planned.
pub fn power_on(folder: &str) {
    let machine = machine(folder);
    let mut machine = machine.borrow_mut();
    machine.is_off = false;
    if let Some(marks) = machine.marks.take() {
        remove_marks(&machine.folder, &marks);
    }
    machine.cut_at = None;
    machine.fail_at = None;
    machine.broken_from = None;
    machine.full_from = None;
    machine.full_until = None;
    machine.failed_syncs_lose = false;
    machine.syncs_lie = false;
}

/// Removes the write-ahead logs from a machine's disk, as somebody does who copies databases without
/// them; whether there was anything in them. No program may run on it.
pub fn lose_logs(folder: &str) -> bool {
    let names = names_below(folder);
    let mut lost = false;
    for name in names.iter().filter(|name| name.ends_with("-wal")) {
        let file = DISKS.with_borrow_mut(|disks| disks.files.remove(name));
        lost |= file.is_some_and(|file| !file.borrow().live.is_empty());
    }
    lost
}

/// Turns one bit of a machine's database over, as a disk does that grows old; whether there was one.
/// No program may run on it.
pub fn flip(folder: &str, chance: &mut Chance) -> bool {
    let names = names_below(folder);
    let Some(name) = names.iter().find(|name| name.ends_with(".sqlite")) else {
        return false;
    };
    let Some(file) = DISKS.with_borrow(|disks| disks.files.get(name).cloned()) else {
        return false;
    };
    let mut file = file.borrow_mut();
    let at = usize::try_from(chance.below(file.durable.len() as u64)).unwrap_or(0);
    let bit = 1 << chance.below(8);
    let Some(byte) = file.durable.get_mut(at) else {
        return false;
    };
    *byte ^= bit;
    let durable = file.durable.clone();
    file.live.clone_from(&durable);
    true
}

/// Takes a file off a machine's disk: what stood in it; none where there is no such file. No program may have it open.
pub fn take(folder: &str, name: &str) -> Option<Vec<u8>> {
    let file = DISKS.with_borrow_mut(|disks| disks.files.remove(&(below(folder) + name)))?;
    let bytes = file.borrow().live.clone();
    Some(bytes)
}

/// What lies on a machine's disk, as the programs see it.
pub fn image(folder: &str) -> Image {
    image_of(folder, |file| file.live.clone())
}

/// What would lie there if the power failed and nothing were left of what was not synced.
pub fn durable_image(folder: &str) -> Image {
    image_of(folder, |file| file.durable.clone())
}

fn image_of(folder: &str, bytes_of: impl Fn(&File) -> Vec<u8>) -> Image {
    let names = names_below(folder);
    let content = |name: &String| {
        let file = DISKS.with_borrow(|disks| disks.files.get(name).cloned())?;
        let bytes = bytes_of(&file.borrow());
        Some((name.strip_prefix(&below(folder))?.to_owned(), bytes))
    };
    Image(names.iter().filter_map(content).collect())
}

/// Puts an image on a machine's disk, in the place of everything there. No program may run on it.
pub fn put_image(folder: &str, image: &Image) {
    let machine = machine(folder);
    {
        let mut machine = machine.borrow_mut();
        machine.life += 1;
        machine.marks = Some(BTreeSet::new());
        remove_marks(&machine.folder, &BTreeSet::new());
    }
    let names = names_below(folder);
    log::note(&(below(folder) + log::DISK), || {
        log::Change::Disk(image.clone())
    });
    DISKS.with_borrow_mut(|disks| {
        for name in names {
            disks.files.remove(&name);
        }
        for (name, bytes) in &image.0 {
            let name = below(folder) + name;
            let file = File {
                name: name.clone(),
                live: bytes.clone(),
                durable: bytes.clone(),
                ..File::default()
            };
            disks.files.insert(name, Rc::new(RefCell::new(file)));
        }
    });
}

fn names_below(folder: &str) -> Vec<String> {
    let prefix = below(folder);
    DISKS.with_borrow(|disks| {
        let names = disks.files.keys().filter(|name| name.starts_with(&prefix));
        names.cloned().collect()
    })
}

fn files_below(folder: &str) -> Vec<Rc<RefCell<File>>> {
    let names = names_below(folder);
    DISKS.with_borrow(|disks| {
        let files = names.iter().filter_map(|name| disks.files.get(name));
        files.cloned().collect()
    })
}

impl Disks {
    fn file(&mut self, name: &str) -> Rc<RefCell<File>> {
        let make = || {
            let name = name.to_owned();
            Rc::new(RefCell::new(File {
                name,
                ..File::default()
            }))
        };
        Rc::clone(self.files.entry(name.to_owned()).or_insert_with(make))
    }

    /// Whether there was one.
    fn remove(&mut self, name: &str) -> bool {
        log::note(name, || log::Change::Remove);
        self.files.remove(name).is_some()
    }
}

/// All that was written on a machine's disk becomes durable.
pub fn settle(folder: &str) {
    for file in files_below(folder) {
        file.borrow_mut().sync();
    }
}

impl File {
    fn write(&mut self, offset: usize, bytes: &[u8]) {
        let bytes_of = || bytes.to_vec();
        log::note(&self.name, || log::Change::Write {
            offset,
            bytes: bytes_of(),
        });
        put(&mut self.live, offset, bytes);
        self.pending.push(Pending::Write {
            offset,
            bytes: bytes.to_vec(),
        });
    }

    fn truncate(&mut self, length: usize) {
        log::note(&self.name, || log::Change::Truncate(length));
        self.live.truncate(length);
        self.pending.push(Pending::Truncate(length));
    }

    fn sync(&mut self) {
        log::note(&self.name, || log::Change::Sync);
        for write in self.pending.drain(..) {
            match write {
                Pending::Write { offset, bytes } => put(&mut self.durable, offset, &bytes),
                Pending::Truncate(length) => self.durable.truncate(length),
            }
        }
    }
}

fn put(into: &mut Vec<u8>, offset: usize, bytes: &[u8]) {
    let end = offset + bytes.len();
    if into.len() < end {
        into.resize(end, 0);
    }
    into[offset..end].copy_from_slice(bytes);
}

/// Keeps a part of one write, sector by sector; how many sectors were garbled.
fn keep_part(durable: &mut Vec<u8>, write: Pending, share: u64, chance: &mut Chance) -> u64 {
    let keeps = |chance: &mut Chance| chance.below(256) < share;
    match write {
        Pending::Truncate(length) => {
            if keeps(chance) {
                durable.truncate(length);
            }
            0
        }
        Pending::Write { offset, bytes } => {
            let mut garbled = 0;
            let is_torn = chance.below(4) == 0;
            let is_kept = keeps(chance);
            for (number, sector) in bytes.chunks(SECTOR).enumerate() {
                let at = offset + number * SECTOR;
                let keeps_sector = if is_torn { keeps(chance) } else { is_kept };
                if keeps_sector {
                    put(durable, at, sector);
                } else if is_torn && chance.below(16) == 0 {
                    garbled += 1;
                    let noise: Vec<u8> = sector.iter().map(|_| chance.byte()).collect();
                    put(durable, at, &noise);
                }
            }
            garbled
        }
    }
}
