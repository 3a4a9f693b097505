//! Markup, pulled one piece at a time under three meters: bytes of this part, bytes of all parts,
//! bytes of one piece. Document types and own entities are refused.

use std::cell::Cell as Counter;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};

use quick_xml::Reader;
use quick_xml::XmlVersion;
use quick_xml::events::{BytesRef, BytesStart, Event};
use zip::read::ZipFile;

use crate::error::ExchangeError;
use crate::limits::{CELL_CHARS_MAX, DEPTH_MAX, Limits, RATIO_FREE_BYTES, TOKEN_BYTES_MAX};

type Part<'a> = ZipFile<'a, BufReader<File>>;

/// A part of the archive as a buffered stream that stops when any meter runs out.
#[derive(Debug)]
struct Metered<'a> {
    inner: BufReader<Part<'a>>,
    part_bytes_left: u64,
    total_bytes: &'a Counter<u64>,
    total_bytes_max: u64,
    token_bytes_left: usize,
    is_over: bool,
}

impl BufRead for Metered<'_> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        if self.part_bytes_left == 0
            || self.token_bytes_left == 0
            || self.total_bytes.get() > self.total_bytes_max
        {
            self.is_over = true;
            return Err(io::Error::other("more bytes than allowed"));
        }
        self.inner.fill_buf()
    }

    fn consume(&mut self, amount: usize) {
        let bytes = u64::try_from(amount).unwrap_or(u64::MAX);
        self.part_bytes_left = self.part_bytes_left.saturating_sub(bytes);
        self.token_bytes_left = self.token_bytes_left.saturating_sub(amount);
        self.total_bytes
            .set(self.total_bytes.get().saturating_add(bytes));
        self.inner.consume(amount);
    }
}

impl Read for Metered<'_> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let mut available = self.fill_buf()?;
        let amount = available.read(into)?;
        self.consume(amount);
        Ok(amount)
    }
}

/// One piece of markup that matters here.
#[derive(Debug)]
pub(super) enum Piece {
    /// `<name …>`; an empty element is a start and an end.
    Start(BytesStart<'static>),
    /// `</name>`, by its local name.
    End(String),
    /// Characters, references resolved.
    Text(String),
    /// The part is over.
    Eof,
}

/// A pull parser over one part.
#[derive(Debug)]
pub(super) struct Xml<'a> {
    reader: Reader<Metered<'a>>,
    part: String,
    buffer: Vec<u8>,
    depth: usize,
}

impl<'a> Xml<'a> {
    /// Over a part of the archive; `name` is for messages.
    pub(super) fn new(part: Part<'a>, limits: &Limits, total_bytes: &'a Counter<u64>) -> Self {
        let name = part.name().unwrap_or_default().into_owned();
        let by_ratio = part
            .compressed_size()
            .saturating_mul(limits.ratio_max)
            .max(RATIO_FREE_BYTES);
        let metered = Metered {
            inner: BufReader::new(part),
            part_bytes_left: limits.part_bytes_max.min(by_ratio),
            total_bytes,
            total_bytes_max: limits.total_bytes_max,
            token_bytes_left: TOKEN_BYTES_MAX,
            is_over: false,
        };
        let mut reader = Reader::from_reader(metered);
        reader.config_mut().expand_empty_elements = true;
        Self {
            reader,
            part: name,
            buffer: Vec::new(),
            depth: 0,
        }
    }

    /// The next piece; comments, declarations and processing instructions are passed over.
    pub(super) fn next(&mut self) -> Result<Piece, ExchangeError> {
        loop {
            self.buffer.clear();
            self.reader.get_mut().token_bytes_left = TOKEN_BYTES_MAX;
            match self.reader.read_event_into(&mut self.buffer) {
                Err(cause) => {
                    let cause = cause.to_string();
                    return Err(self.failure(&cause));
                }
                Ok(Event::Start(start)) => {
                    let start = start.into_owned();
                    self.depth += 1;
                    if self.depth > DEPTH_MAX {
                        return Err(self.failure("markup is nested too deep"));
                    }
                    return Ok(Piece::Start(start));
                }
                Ok(Event::End(end)) => {
                    self.depth = self.depth.saturating_sub(1);
                    return Ok(Piece::End(end.local_name().as_ref().to_owned()));
                }
                Ok(Event::Text(text)) => return Ok(Piece::Text(text.xml10_content().into_owned())),
                Ok(Event::CData(text)) => {
                    return Ok(Piece::Text(text.xml10_content().into_owned()));
                }
                Ok(Event::GeneralRef(reference)) => {
                    let resolved = resolve(&reference);
                    return resolved
                        .map(Piece::Text)
                        .ok_or_else(|| self.document_type());
                }
                Ok(Event::DocType(_)) => return Err(self.document_type()),
                Ok(Event::Eof) => return Ok(Piece::Eof),
                Ok(Event::Empty(_) | Event::Comment(_) | Event::Decl(_) | Event::PI(_)) => {}
            }
        }
    }

    /// Passes over everything up to the end of the element just started.
    pub(super) fn skip(&mut self) -> Result<(), ExchangeError> {
        let outside = self.depth.saturating_sub(1);
        while self.depth > outside {
            if matches!(self.next()?, Piece::Eof) {
                return Err(self.failure("unexpected end"));
            }
        }
        Ok(())
    }

    /// The characters of the element just started, at most those of one cell, to its end.
    pub(super) fn text(&mut self) -> Result<String, ExchangeError> {
        let outside = self.depth.saturating_sub(1);
        let mut text = String::new();
        while self.depth > outside {
            match self.next()? {
                Piece::Text(more) => text.push_str(&more),
                Piece::Eof => return Err(self.failure("unexpected end")),
                Piece::Start(_) | Piece::End(_) => {}
            }
            if text.len() > CELL_CHARS_MAX * 8 {
                return Err(ExchangeError::Inflated {
                    part: self.part.clone(),
                });
            }
        }
        Ok(text)
    }

    fn document_type(&self) -> ExchangeError {
        ExchangeError::DocumentType {
            part: self.part.clone(),
        }
    }

    /// The error for something wrong in this part.
    pub(super) fn failure(&self, what: &str) -> ExchangeError {
        if self.reader.get_ref().is_over {
            return ExchangeError::Inflated {
                part: self.part.clone(),
            };
        }
        ExchangeError::Damaged(format!("{}: {what}", self.part))
    }
}

/// The characters a reference stands for: those of XML itself and numbers, never own entities.
fn resolve(reference: &BytesRef<'_>) -> Option<String> {
    match reference.resolve_char_ref() {
        Ok(Some(c)) => Some(c.to_string()),
        Ok(None) => {
            let name = reference.xml10_content();
            quick_xml::escape::resolve_predefined_entity(&name).map(str::to_owned)
        }
        Err(_) => None,
    }
}

/// The value of an attribute by its local name, references resolved.
pub(super) fn attribute(start: &BytesStart<'_>, name: &str) -> Option<String> {
    for attribute in start.attributes().with_checks(false).flatten() {
        if attribute.key.local_name().as_ref() == name {
            let value = attribute.normalized_value(XmlVersion::Implicit1_0).ok()?;
            return Some(value.into_owned());
        }
    }
    None
}
