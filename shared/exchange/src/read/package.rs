//! The archive around an .xlsx: its directory, checked before anything is unpacked, and its parts
//! by name. Names are only compared, never used as paths.

use std::cell::Cell as Counter;
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufReader, Read, Seek, SeekFrom};

use zip::ZipArchive;

use super::xml::{Piece, Xml, attribute};
use crate::error::{ExchangeError, Unsupported};
use crate::limits::{Limits, PARTS_MAX, RATIO_FREE_BYTES};

/// Longest tail of a file that can hold the end-of-directory record: 22 bytes and a comment.
const DIRECTORY_END_BYTES_MAX: u64 = 22 + 65_535;

/// An archive whose directory has been checked.
#[derive(Debug)]
pub(super) struct Package {
    archive: ZipArchive<BufReader<File>>,
    /// Index of a part by its name in lower case with forward slashes.
    parts: BTreeMap<String, usize>,
}

/// One relationship of a part: what it is and where it is.
#[derive(Debug)]
pub(super) struct Relationship {
    /// The last word of the type, such as `worksheet`.
    pub(super) kind: String,
    /// Name of the part it points to.
    pub(super) target: String,
}

impl Package {
    /// Reads and checks the directory.
    pub(super) fn open(mut file: BufReader<File>, limits: &Limits) -> Result<Self, ExchangeError> {
        check_directory_end(&mut file)?;
        let mut archive = ZipArchive::new(file).map_err(|cause| damaged(&cause))?;
        let count = archive.len();
        if count > PARTS_MAX {
            return Err(ExchangeError::TooMany {
                what: "parts",
                count_max: PARTS_MAX,
            });
        }
        let mut parts = BTreeMap::new();
        let mut claimed_bytes = 0_u64;
        for index in 0..count {
            let part = archive
                .by_index_raw(index)
                .map_err(|cause| damaged(&cause))?;
            let name = part
                .name()
                .map_err(|cause| damaged(&cause))?
                .replace('\\', "/");
            if part.encrypted() {
                return Err(ExchangeError::Unsupported(Unsupported::Protected));
            }
            let by_ratio = part
                .compressed_size()
                .saturating_mul(limits.ratio_max)
                .max(RATIO_FREE_BYTES);
            claimed_bytes = claimed_bytes.saturating_add(part.size());
            if part.size() > limits.part_bytes_max.min(by_ratio)
                || claimed_bytes > limits.total_bytes_max
            {
                return Err(ExchangeError::Inflated { part: name });
            }
            parts.insert(name.to_lowercase(), index);
        }
        Ok(Self { archive, parts })
    }

    /// Whether there is a part of this name, in any case.
    pub(super) fn has(&self, name: &str) -> bool {
        self.parts.contains_key(&name.to_lowercase())
    }

    /// A part as markup, or `None` if there is none of this name.
    pub(super) fn part<'a>(
        &'a mut self,
        name: &str,
        limits: &Limits,
        total_bytes: &'a Counter<u64>,
    ) -> Result<Option<Xml<'a>>, ExchangeError> {
        let Some(index) = self.parts.get(&name.to_lowercase()) else {
            return Ok(None);
        };
        let part = self
            .archive
            .by_index(*index)
            .map_err(|cause| damaged(&cause))?;
        Ok(Some(Xml::new(part, limits, total_bytes)))
    }

    /// The relationships of a part (of the whole package for the empty name), by their id.
    pub(super) fn relationships(
        &mut self,
        of: &str,
        limits: &Limits,
        total_bytes: &Counter<u64>,
    ) -> Result<BTreeMap<String, Relationship>, ExchangeError> {
        let (folder, name) = of.rsplit_once('/').unwrap_or(("", of));
        let part = if folder.is_empty() {
            format!("_rels/{name}.rels")
        } else {
            format!("{folder}/_rels/{name}.rels")
        };
        let mut found = BTreeMap::new();
        let Some(mut xml) = self.part(&part, limits, total_bytes)? else {
            return Ok(found);
        };
        loop {
            match xml.next()? {
                Piece::Start(start) if start.local_name().as_ref() == "Relationship" => {
                    let id = attribute(&start, "Id").unwrap_or_default();
                    let kind = attribute(&start, "Type").unwrap_or_default();
                    let target = attribute(&start, "Target").unwrap_or_default();
                    if found.len() >= PARTS_MAX {
                        return Err(ExchangeError::TooMany {
                            what: "parts",
                            count_max: PARTS_MAX,
                        });
                    }
                    let kind = kind.rsplit('/').next().unwrap_or_default().to_owned();
                    found.insert(
                        id,
                        Relationship {
                            kind,
                            target: resolve(folder, &target),
                        },
                    );
                }
                Piece::Eof => return Ok(found),
                Piece::Start(_) | Piece::End(_) | Piece::Text(_) => {}
            }
        }
    }
}

/// Refuses an archive whose end record claims more parts than a workbook has, or the 64-bit form,
/// before the directory is read into memory.
fn check_directory_end(file: &mut BufReader<File>) -> Result<(), ExchangeError> {
    let bytes = file.seek(SeekFrom::End(0))?;
    file.seek(SeekFrom::Start(
        bytes.saturating_sub(DIRECTORY_END_BYTES_MAX),
    ))?;
    let mut tail = Vec::new();
    file.take(DIRECTORY_END_BYTES_MAX).read_to_end(&mut tail)?;
    file.seek(SeekFrom::Start(0))?;
    let too_many = || ExchangeError::TooMany {
        what: "parts",
        count_max: PARTS_MAX,
    };
    let mut found = false;
    for record in tail.windows(22) {
        if record.starts_with(b"PK\x05\x06") {
            found = true;
            let count = record.get(10..12).map_or(0, |b| {
                b.iter().rev().fold(0, |n, b| n * 256 + usize::from(*b))
            });
            if count > PARTS_MAX {
                return Err(too_many());
            }
        } else if record.starts_with(b"PK\x06\x07") {
            return Err(too_many());
        }
    }
    if found {
        Ok(())
    } else {
        Err(ExchangeError::Damaged("incomplete archive".to_owned()))
    }
}

/// The name of a part from the folder of the part that points to it and the pointer.
fn resolve(folder: &str, target: &str) -> String {
    let target = target.replace('\\', "/");
    let joined = match target.strip_prefix('/') {
        Some(absolute) => absolute.to_owned(),
        None => format!("{folder}/{target}"),
    };
    let mut names: Vec<&str> = Vec::new();
    for name in joined.split('/') {
        match name {
            "" | "." => {}
            ".." => {
                names.pop();
            }
            _ => names.push(name),
        }
    }
    names.join("/")
}

fn damaged(cause: &zip::result::ZipError) -> ExchangeError {
    ExchangeError::Damaged(cause.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pointers_stay_inside_the_archive() {
        assert_eq!(
            resolve("xl", "worksheets/sheet1.xml"),
            "xl/worksheets/sheet1.xml"
        );
        assert_eq!(resolve("xl", "/xl/styles.xml"), "xl/styles.xml");
        assert_eq!(resolve("xl/a", "../styles.xml"), "xl/styles.xml");
        assert_eq!(resolve("", "../../../etc/passwd"), "etc/passwd");
    }
}
