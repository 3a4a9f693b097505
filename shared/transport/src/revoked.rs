//! The append-only register: what a restore of the database must never undo.
//!
//! Revoked nodes, used enrolment codes, purged record ids, the ends of leased letter numbers and the
//! machines that enrolled stand in the database too; but a database restored from a backup would
//! forget the newest of them. This file is not part of what a restore replaces, and both count.
//!
//! ```text
//! lianxin-register 1
//! revoked-node <32 hex> <unix ms> <check>
//! used-code <64 hex> <unix ms> <check>
//! purged <kind 4 hex><id 32 hex> <unix ms> <check>
//! leased <issuer 32 hex><year 4 hex><end 8 hex> <unix ms> <check>
//! enrolled <node 32 hex><office 32 hex><verifying key 64 hex> <unix ms> <check>
//! ```
//!
//! `check` is the first four bytes of the BLAKE3 of what stands before it, in hex. A line without
//! its line break at the end of the file was never acknowledged (a power cut) and is dropped at the
//! next append. Any other damaged line is an error, because a revocation might stand in it.
//!
//! Several processes may have the file open: each append and refresh holds its lock.

use std::collections::HashMap;
use std::fs::{File, OpenOptions};
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use data_encoding::HEXLOWER;

use crate::certificate::hex_array;
use crate::error::TransportError;

const HEADING: &str = "lianxin-register 1\n";

/// One line of the register.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Entry {
    /// A node that may never connect again.
    RevokedNode([u8; 16]),
    /// An enrolment code that was used, by its [`crate::code::secret_hash`].
    UsedCode([u8; 32]),
    /// A record that was erased for good; its id is never taken again. Another kind may have a record with
    /// the same id, which stays.
    Purged {
        /// Its kind's number.
        kind: u16,
        /// Its id.
        id: [u8; 16],
    },
    /// Letter numbers of an issuer's year below this were leased; they are never leased again.
    Leased {
        /// The issuer.
        issuer: [u8; 16],
        /// The year.
        year: u16,
        /// The first number behind the block.
        end: u32,
    },
    /// A machine that enrolled: a hub that is put back from an older backup still knows it.
    Enrolled {
        /// The node.
        node: [u8; 16],
        /// Its office.
        office: [u8; 16],
        /// The Ed25519 key with which it signs batches.
        verifying_key: [u8; 32],
    },
}

/// The register, loaded. Memory: about 60 bytes for each entry.
#[derive(Debug)]
pub struct AppendOnlyRegister {
    path: PathBuf,
    file: File,
    /// Bytes of the file that are understood; what follows is another process's or torn.
    end: u64,
    lines: usize,
    entries: HashMap<Entry, i64>,
}

impl AppendOnlyRegister {
    /// Opens the register, creating an empty one if there is none, and reads it.
    ///
    /// Errors: `RegisterBroken` with the line if one before the last is damaged, `File`.
    pub fn open(path: &Path) -> Result<Self, TransportError> {
        let is_new = !path.exists();
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false);
        #[cfg(unix)]
        {
            use std::os::unix::fs::OpenOptionsExt;
            options.mode(0o600);
        }
        let file = options
            .open(path)
            .map_err(TransportError::file(path, "open"))?;
        let mut register = Self {
            path: path.to_owned(),
            file,
            end: 0,
            lines: 0,
            entries: HashMap::new(),
        };
        register.locked(|register| {
            register.read_new()?;
            if register.end == 0 {
                register.write_line(HEADING)
            } else {
                Ok(())
            }
        })?;
        if is_new {
            crate::file::sync_folder_of(path)?;
        }
        Ok(register)
    }

    /// Writes an entry durably. An entry that is there already is left with its first time.
    ///
    /// Errors: `File`; then nothing counts as written.
    pub fn append(&mut self, entry: Entry, now_unix_ms: i64) -> Result<(), TransportError> {
        self.locked(|register| {
            register.read_new()?;
            if register.entries.contains_key(&entry) {
                return Ok(());
            }
            register.write_line(&line(entry, now_unix_ms))?;
            register.entries.insert(entry, now_unix_ms);
            Ok(())
        })
    }

    /// Reads what other processes have appended since.
    ///
    /// Errors: `RegisterBroken`, `File`.
    pub fn refresh(&mut self) -> Result<(), TransportError> {
        self.locked(Self::read_new)
    }

    /// When a node was revoked, milliseconds since 1970; none if it was not.
    pub fn revoked_at(&self, node: &[u8; 16]) -> Option<i64> {
        self.entries.get(&Entry::RevokedNode(*node)).copied()
    }

    /// When a code was used, by its secret's hash, milliseconds since 1970; none if it was not.
    pub fn code_used_at(&self, secret_hash: &[u8; 32]) -> Option<i64> {
        self.entries.get(&Entry::UsedCode(*secret_hash)).copied()
    }

    /// The first letter number of an issuer's year that was never leased; 1 where none was.
    pub fn leased_end(&self, issuer: &[u8; 16], year: u16) -> u32 {
        let ends = self.entries.keys().filter_map(|entry| match entry {
            Entry::Leased {
                issuer: of,
                year: in_year,
                end,
            } => ((of, *in_year) == (issuer, year)).then_some(*end),
            Entry::RevokedNode(_)
            | Entry::UsedCode(_)
            | Entry::Purged { .. }
            | Entry::Enrolled { .. } => None,
        });
        ends.max().unwrap_or(1)
    }

    /// All entries with their times (milliseconds since 1970), in no order; after a restore the hub
    /// compares them with its database.
    pub fn entries(&self) -> impl Iterator<Item = (Entry, i64)> + '_ {
        self.entries.iter().map(|(entry, at)| (*entry, *at))
    }

    fn locked<T>(
        &mut self,
        work: impl FnOnce(&mut Self) -> Result<T, TransportError>,
    ) -> Result<T, TransportError> {
        self.file
            .lock()
            .map_err(TransportError::file(&self.path, "lock"))?;
        let result = work(self);
        self.file
            .unlock()
            .map_err(TransportError::file(&self.path, "unlock"))?;
        result
    }

    fn read_new(&mut self) -> Result<(), TransportError> {
        let mut bytes = Vec::new();
        self.file
            .seek(SeekFrom::Start(self.end))
            .and_then(|_| self.file.read_to_end(&mut bytes))
            .map_err(TransportError::file(&self.path, "read"))?;
        for raw in bytes.split_inclusive(|byte| *byte == b'\n') {
            if raw.last() != Some(&b'\n') {
                break;
            }
            let text = std::str::from_utf8(raw).ok();
            if self.lines == 0 {
                text.filter(|text| *text == HEADING)
                    .ok_or_else(|| self.broken())?;
            } else {
                let (entry, at) = text.and_then(parse_line).ok_or_else(|| self.broken())?;
                self.entries.entry(entry).or_insert(at);
            }
            self.lines += 1;
            self.end += raw.len() as u64;
        }
        Ok(())
    }

    /// Appends after the last whole line; a torn rest goes.
    fn write_line(&mut self, line: &str) -> Result<(), TransportError> {
        let written = self
            .file
            .set_len(self.end)
            .and_then(|()| self.file.seek(SeekFrom::Start(self.end)))
            .and_then(|_| self.file.write_all(line.as_bytes()))
            .and_then(|()| self.file.sync_all());
        written.map_err(TransportError::file(&self.path, "write"))?;
        self.lines += 1;
        self.end += line.len() as u64;
        Ok(())
    }

    fn broken(&self) -> TransportError {
        TransportError::RegisterBroken {
            path: self.path.clone(),
            line: self.lines + 1,
        }
    }
}

fn line(entry: Entry, unix_ms: i64) -> String {
    let (word, id) = match entry {
        Entry::RevokedNode(node) => ("revoked-node", HEXLOWER.encode(&node)),
        Entry::UsedCode(hash) => ("used-code", HEXLOWER.encode(&hash)),
        Entry::Purged { kind, id } => ("purged", format!("{kind:04x}{}", HEXLOWER.encode(&id))),
        Entry::Leased { issuer, year, end } => {
            let issuer = HEXLOWER.encode(&issuer);
            ("leased", format!("{issuer}{year:04x}{end:08x}"))
        }
        Entry::Enrolled {
            node,
            office,
            verifying_key,
        } => (
            "enrolled",
            [&node[..], &office, &verifying_key]
                .map(|part| HEXLOWER.encode(part))
                .concat(),
        ),
    };
    let body = format!("{word} {id} {unix_ms}");
    format!("{body} {}\n", check(&body))
}

fn parse_line(text: &str) -> Option<(Entry, i64)> {
    let (body, sum) = text.strip_suffix('\n')?.rsplit_once(' ')?;
    if sum != check(body) {
        return None;
    }
    let mut words = body.split(' ');
    let (word, id, at) = (words.next()?, words.next()?, words.next()?);
    let entry = match word {
        "revoked-node" => Entry::RevokedNode(hex_array(id)?),
        "used-code" => Entry::UsedCode(hex_array(id)?),
        "purged" => {
            let (kind, id) = id.split_at_checked(4)?;
            Entry::Purged {
                kind: u16::from_str_radix(kind, 16).ok()?,
                id: hex_array(id)?,
            }
        }
        "leased" => {
            let (issuer, rest) = id.split_at_checked(32)?;
            let (year, end) = rest.split_at_checked(4)?;
            let end = Some(end).filter(|end| end.len() == 8)?;
            Entry::Leased {
                issuer: hex_array(issuer)?,
                year: u16::from_str_radix(year, 16).ok()?,
                end: u32::from_str_radix(end, 16).ok()?,
            }
        }
        "enrolled" => {
            let (node, rest) = id.split_at_checked(32)?;
            let (office, key) = rest.split_at_checked(32)?;
            Entry::Enrolled {
                node: hex_array(node)?,
                office: hex_array(office)?,
                verifying_key: hex_array(key)?,
            }
        }
        _ => return None,
    };
    Some((entry, at.parse().ok()?))
}

fn check(body: &str) -> String {
    HEXLOWER.encode(&blake3::hash(body.as_bytes()).as_bytes()[..4])
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    const PURGED: Entry = Entry::Purged {
        kind: 0x1fe,
        id: [3; 16],
    };

    #[test]
    fn entries_survive_reopening_and_keep_their_first_time() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("register");
        let mut register = AppendOnlyRegister::open(&path).unwrap();
        register.append(Entry::RevokedNode([1; 16]), 10).unwrap();
        register.append(Entry::RevokedNode([1; 16]), 99).unwrap();
        register.append(Entry::UsedCode([2; 32]), 11).unwrap();
        register.append(PURGED, 12).unwrap();
        let again = AppendOnlyRegister::open(&path).unwrap();
        assert_eq!(again.revoked_at(&[1; 16]), Some(10));
        assert_eq!(again.revoked_at(&[3; 16]), None);
        assert_eq!(again.code_used_at(&[2; 32]), Some(11));
        assert!(again.entries().any(|entry| entry == (PURGED, 12)));
        assert_eq!(again.entries().count(), 3);
    }

    #[test]
    fn the_greatest_end_of_leased_numbers_survives() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("register");
        let mut register = AppendOnlyRegister::open(&path).unwrap();
        let leased = |issuer, year, end| Entry::Leased { issuer, year, end };
        for (issuer, year, end) in [
            ([1; 16], 2026, 201),
            ([1; 16], 2026, 101),
            ([1; 16], 2027, 11),
            ([2; 16], 2026, u32::MAX),
        ] {
            register.append(leased(issuer, year, end), 10).unwrap();
        }
        let again = AppendOnlyRegister::open(&path).unwrap();
        assert_eq!(again.leased_end(&[1; 16], 2026), 201);
        assert_eq!(again.leased_end(&[1; 16], 2027), 11);
        assert_eq!(again.leased_end(&[2; 16], 2026), u32::MAX);
        assert_eq!(again.leased_end(&[2; 16], 2027), 1);
    }

    #[test]
    fn a_machine_that_enrolled_reads_back() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("register");
        let entry = Entry::Enrolled {
            node: [1; 16],
            office: [2; 16],
            verifying_key: [3; 32],
        };
        let mut register = AppendOnlyRegister::open(&path).unwrap();
        register.append(entry, 10).unwrap();
        let again = AppendOnlyRegister::open(&path).unwrap();
        assert_eq!(again.entries().collect::<Vec<_>>(), [(entry, 10)]);
    }

    #[test]
    fn a_torn_last_line_is_dropped_wherever_it_was_cut() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("register");
        let whole = [HEADING, &line(Entry::RevokedNode([1; 16]), 10)].concat();
        let last = line(Entry::RevokedNode([2; 16]), 20);
        for cut in 0..last.len() {
            std::fs::write(&path, [&whole, &last[..cut]].concat()).unwrap();
            let mut register = AppendOnlyRegister::open(&path).unwrap();
            assert_eq!(register.entries().count(), 1);
            register.append(PURGED, 30).unwrap();
            let text = std::fs::read_to_string(&path).unwrap();
            assert_eq!(text, [&whole, &line(PURGED, 30)[..]].concat());
        }
        for cut in 0..HEADING.len() {
            std::fs::write(&path, &HEADING[..cut]).unwrap();
            AppendOnlyRegister::open(&path).unwrap();
            assert_eq!(std::fs::read_to_string(&path).unwrap(), HEADING);
        }
        std::fs::write(&path, [whole.as_bytes(), &[0; 40]].concat()).unwrap();
        assert_eq!(
            AppendOnlyRegister::open(&path).unwrap().entries().count(),
            1
        );
    }

    #[test]
    fn a_damaged_line_in_the_middle_stops_the_hub() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("register");
        let damaged = line(Entry::RevokedNode([1; 16]), 10).replace("01", "02");
        let text = [HEADING, &damaged, &line(PURGED, 30)].concat();
        std::fs::write(&path, text).unwrap();
        let error = AppendOnlyRegister::open(&path).unwrap_err();
        assert!(matches!(
            error,
            TransportError::RegisterBroken { line: 2, .. }
        ));
    }

    #[test]
    fn two_processes_see_each_other_and_lose_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("register");
        let mut server = AppendOnlyRegister::open(&path).unwrap();
        let mut command = AppendOnlyRegister::open(&path).unwrap();
        command.append(Entry::RevokedNode([1; 16]), 10).unwrap();
        assert_eq!(server.revoked_at(&[1; 16]), None);
        server.append(Entry::UsedCode([2; 32]), 11).unwrap();
        assert_eq!(server.revoked_at(&[1; 16]), Some(10));
        command.refresh().unwrap();
        assert_eq!(command.code_used_at(&[2; 32]), Some(11));
    }
}
