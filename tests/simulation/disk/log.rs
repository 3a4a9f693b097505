//! A log of everything that changes the disks, from which what lies there after a power cut at any
//! access can be made, without running anything again.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::path::Path;
use std::rc::Rc;

use super::{File, Image, Pending, SECTOR, below, keep_part, put};
use crate::simulation::chance::Chance;

thread_local! {
    static LOG: RefCell<Option<Log>> = const { RefCell::new(None) };
}

/// The small files beside the databases of a machine, by name.
pub type Beside = BTreeMap<String, Vec<u8>>;

/// Stands for a machine's whole disk where a file's name is asked for.
pub(super) const DISK: &str = "disk";

/// What happened to a file.
#[derive(Debug, Clone)]
pub enum Change {
    /// Bytes were written.
    Write {
        /// Where.
        offset: usize,
        /// What.
        bytes: Vec<u8>,
    },
    /// It was cut to this length.
    Truncate(usize),
    /// A sync was asked for.
    Sync,
    /// It was deleted.
    Remove,
    /// The whole disk was exchanged for another, on which everything is durable.
    Disk(Image),
}

/// One access that changes a disk.
#[derive(Debug, Clone)]
pub struct Access {
    /// Which file.
    pub file: String,
    /// What happened to it.
    pub change: Change,
    /// The small files of its folder before that, where they differ from those at the access before.
    pub beside: Option<Rc<Beside>>,
}

/// Everything from one moment on.
#[derive(Debug, Default, Clone)]
pub struct Log {
    /// What changed, in order.
    pub accesses: Vec<Access>,
    /// Who told somebody something, after how many accesses: an office's folder, or none for the hub.
    pub told: Vec<(usize, Option<String>)>,
    beside: BTreeMap<String, Rc<Beside>>,
}

impl Log {
    /// Syncs of write-ahead logs bring nothing, as if they had not been asked for.
    pub fn forget_syncs_of_logs(&mut self) {
        for access in &mut self.accesses {
            if matches!(access.change, Change::Sync) && access.file.ends_with("-wal") {
                access.change = Change::Write {
                    offset: 0,
                    bytes: Vec::new(),
                };
            }
        }
    }
}

/// Begins to write everything down.
pub fn begin() {
    LOG.set(Some(Log::default()));
}

/// Ends it.
pub fn end() -> Log {
    LOG.take().unwrap_or_default()
}

/// How many accesses there were since it began.
pub fn position() -> usize {
    LOG.with_borrow(|log| log.as_ref().map_or(0, |log| log.accesses.len()))
}

/// Somebody was told something: what that is made of must be durable. An office's folder, or none for
/// the hub.
pub fn told(who: Option<&Path>) {
    LOG.with_borrow_mut(|log| {
        if let Some(log) = log {
            let who = who.map(|folder| folder.to_string_lossy().into_owned());
            log.told.push((log.accesses.len(), who));
        }
    });
}

pub(super) fn note(file: &str, change: impl FnOnce() -> Change) {
    LOG.with_borrow_mut(|log| {
        // What has no name is gone with its handle.
        let Some(log) = log.as_mut().filter(|_| !file.is_empty()) else {
            return;
        };
        let folder = file.rsplit_once('/').map_or("", |(folder, _)| folder);
        let now = beside(Path::new(folder));
        let is_other = log.beside.get(folder).is_none_or(|before| **before != now);
        let beside = is_other.then(|| Rc::new(now));
        if let Some(beside) = &beside {
            log.beside.insert(folder.to_owned(), Rc::clone(beside));
        }
        log.accesses.push(Access {
            file: file.to_owned(),
            change: change(),
            beside,
        });
    });
}

/// Whether a file says of the database beside it that it is half copied.
pub fn is_mark(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default();
    name.as_encoded_bytes().ends_with(b".sqlite-copying")
}

/// The small files beside the databases in a folder.
pub fn beside(folder: &Path) -> Beside {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let files = entries.filter_map(|entry| {
        let name = entry.file_name().to_string_lossy().into_owned();
        let is_small = !name.contains(".sqlite") && !name.contains(".csv");
        let is_small = is_small || is_mark(&entry.path());
        (is_small && entry.path().is_file()).then_some((name, entry.path()))
    });
    files
        .filter_map(|(name, path)| Some((name, std::fs::read(path).ok()?)))
        .collect()
}

/// What a power cut leaves of what was not synced.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cut {
    /// Nothing of it.
    Nothing,
    /// All of it: as if only the program had been killed.
    All,
    /// Any part of it, torn at sectors.
    Part,
    /// Of each sector the new bytes, the old ones, or noise.
    Noise,
}

/// The disks at one moment of a log.
#[derive(Debug, Clone)]
pub struct Replay {
    files: BTreeMap<String, File>,
    beside: BTreeMap<String, Rc<Beside>>,
}

impl Replay {
    /// The disks of these machines as they are now, all of it durable.
    pub fn of(folders: &[String]) -> Self {
        let (mut files, mut small) = (BTreeMap::new(), BTreeMap::new());
        for folder in folders {
            for (name, bytes) in super::image(folder).0 {
                let name = below(folder) + &name;
                files.insert(name.clone(), whole(&name, bytes));
            }
            small.insert(folder.clone(), Rc::new(beside(Path::new(folder))));
        }
        Self {
            files,
            beside: small,
        }
    }

    /// One access further.
    pub fn step(&mut self, access: &Access) {
        self.note_beside(access);
        let name = &access.file;
        match &access.change {
            Change::Remove => {
                self.files.remove(name);
            }
            Change::Disk(image) => {
                let prefix = name.strip_suffix(DISK).unwrap_or(name);
                self.files.retain(|name, _| !name.starts_with(prefix));
                for (name, bytes) in &image.0 {
                    let name = prefix.to_owned() + name;
                    self.files.insert(name.clone(), whole(&name, bytes.clone()));
                }
            }
            change => {
                let file = self.files.entry(name.clone()).or_default();
                match change {
                    Change::Write { offset, bytes } => file.write(*offset, bytes),
                    Change::Truncate(length) => file.truncate(*length),
                    _ => file.sync(),
                }
            }
        }
    }

    /// The small files are as they were found when this access came.
    pub fn note_beside(&mut self, access: &Access) {
        if let (Some(beside), Some((folder, _))) = (&access.beside, access.file.rsplit_once('/')) {
            self.beside.insert(folder.to_owned(), Rc::clone(beside));
        }
    }

    /// The small files of a machine.
    pub fn beside(&self, folder: &str) -> Rc<Beside> {
        self.beside.get(folder).cloned().unwrap_or_default()
    }

    /// Whether all that was written on a machine's disk is durable.
    pub fn is_settled(&self, folder: &str) -> bool {
        let prefix = below(folder);
        let mut files = self
            .files
            .iter()
            .filter(|(name, _)| name.starts_with(&prefix));
        files.all(|(_, file)| file.pending.is_empty())
    }

    /// What lies on a machine's disk when its power fails now, in the middle of `next`; how many
    /// sectors are noise.
    pub fn cut(
        &self,
        folder: &str,
        cut: Cut,
        next: Option<&Access>,
        chance: &mut Chance,
    ) -> (Image, u64) {
        let (prefix, mut noise) = (below(folder), 0);
        let (mut image, share) = (BTreeMap::new(), 16 + chance.below(224));
        let is_part = matches!(cut, Cut::Part | Cut::Noise);
        let next = next.filter(|next| is_part && next.file.starts_with(&prefix));
        let mut names: Vec<&String> = self.files.keys().collect();
        // A file that is only being made.
        names.extend(
            next.filter(|next| !matches!(next.change, Change::Disk(_)))
                .map(|next| &next.file)
                .filter(|name| !self.files.contains_key(*name)),
        );
        for name in names {
            let Some(short) = name.strip_prefix(&prefix) else {
                continue;
            };
            let empty = File::default();
            let file = self.files.get(name).unwrap_or(&empty);
            if cut == Cut::All {
                image.insert(short.to_owned(), file.live.clone());
                continue;
            }
            let mut bytes = file.durable.clone();
            if is_part {
                let under_way = next.filter(|next| next.file == *name).and_then(pending_of);
                for write in file.pending.iter().cloned().chain(under_way) {
                    noise += match cut {
                        Cut::Noise => blur(&mut bytes, write, chance),
                        _ => keep_part(&mut bytes, write, share, chance),
                    };
                }
            }
            image.insert(short.to_owned(), bytes);
        }
        (Image(image), noise)
    }
}

fn whole(name: &str, bytes: Vec<u8>) -> File {
    File {
        name: name.to_owned(),
        live: bytes.clone(),
        durable: bytes,
        ..File::default()
    }
}

fn pending_of(access: &Access) -> Option<Pending> {
    match &access.change {
        Change::Write { offset, bytes } => Some(Pending::Write {
            offset: *offset,
            bytes: bytes.clone(),
        }),
        Change::Truncate(length) => Some(Pending::Truncate(*length)),
        Change::Sync | Change::Remove | Change::Disk(_) => None,
    }
}

/// Of each sector of a write the new bytes, the old ones, or noise; how many are noise.
fn blur(durable: &mut Vec<u8>, write: Pending, chance: &mut Chance) -> u64 {
    let Pending::Write { offset, bytes } = write else {
        return keep_part(durable, write, 128, chance);
    };
    let mut noise = 0;
    for (number, sector) in bytes.chunks(SECTOR).enumerate() {
        let at = offset + number * SECTOR;
        match chance.below(3) {
            0 => put(durable, at, sector),
            1 => {
                let mut bytes = vec![0; sector.len()];
                chance.fill(&mut bytes);
                put(durable, at, &bytes);
                noise += 1;
            }
            _ => {}
        }
    }
    noise
}

#[cfg(test)]
mod tests {
    use super::*;

    fn access(change: Change) -> Access {
        Access {
            file: "/m/a".to_owned(),
            change,
            beside: None,
        }
    }

    fn bytes_of(replay: &Replay, cut: Cut, next: Option<&Access>) -> Vec<u8> {
        let (image, _) = replay.cut("/m", cut, next, &mut Chance::new(1, "test", 0));
        image.0.get("a").cloned().unwrap_or_default()
    }

    #[test]
    fn a_cut_keeps_what_was_synced_and_nothing_or_all_of_the_rest() {
        let mut replay = Replay::of(&[]);
        for change in [
            Change::Write {
                offset: 0,
                bytes: vec![1; 4],
            },
            Change::Sync,
            Change::Write {
                offset: 2,
                bytes: vec![2; 4],
            },
        ] {
            replay.step(&access(change));
        }
        assert_eq!(bytes_of(&replay, Cut::Nothing, None), [1, 1, 1, 1]);
        assert_eq!(bytes_of(&replay, Cut::All, None), [1, 1, 2, 2, 2, 2]);
        replay.step(&access(Change::Sync));
        assert_eq!(bytes_of(&replay, Cut::Nothing, None), [1, 1, 2, 2, 2, 2]);
    }

    #[test]
    fn what_was_being_written_may_be_there_in_part() {
        let replay = Replay::of(&[]);
        let bytes: Vec<u8> = (0..40 * SECTOR)
            .map(|at| u8::try_from(at / SECTOR).unwrap_or(0) | 128)
            .collect();
        let next = access(Change::Write {
            offset: 0,
            bytes: bytes.clone(),
        });
        assert!(bytes_of(&replay, Cut::Nothing, Some(&next)).is_empty());
        let left = bytes_of(&replay, Cut::Noise, Some(&next));
        assert!(!left.is_empty() && left != bytes);
    }
}
