//! Reads the protobuf encoding by hand, to hold against what the generated code makes of it.

/// One field of a message, as it stands in the bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Field<'b> {
    /// A number.
    Varint(u32, u64),
    /// Bytes: a text, bytes, or a message.
    Bytes(u32, &'b [u8]),
    /// Four or eight bytes, or a group.
    Other(u32),
}

impl Field<'_> {
    pub(super) const fn number(&self) -> u32 {
        match self {
            Self::Varint(number, _) | Self::Bytes(number, _) | Self::Other(number) => *number,
        }
    }
}

/// What is odd about an encoding, though it may be allowed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Odd {
    /// A number with more bytes than it needs.
    pub(super) is_overlong: bool,
    /// A field that stands twice although it may stand once.
    pub(super) is_repeated: bool,
    /// Groups in groups.
    pub(super) depth: usize,
}

/// The top-level fields of a message; none where the bytes are no message.
pub(super) fn fields(bytes: &[u8]) -> Option<(Vec<Field<'_>>, Odd)> {
    let mut walk = Walk {
        rest: bytes,
        odd: Odd::default(),
    };
    let mut found: Vec<Field<'_>> = Vec::new();
    while !walk.rest.is_empty() {
        let field = walk.field()?;
        let before = found.last().map(Field::number);
        walk.odd.is_repeated |= before == Some(field.number());
        found.push(field);
    }
    Some((found, walk.odd))
}

/// The last value of a field of bytes: what protobuf says of one that stands twice.
pub(super) fn last<'b>(fields: &[Field<'b>], wanted: u32) -> &'b [u8] {
    let mut found = fields.iter().rev().filter_map(|field| match field {
        Field::Bytes(number, bytes) if *number == wanted => Some(*bytes),
        _ => None,
    });
    found.next().unwrap_or_default()
}

/// All values of a repeated field of bytes.
pub(super) fn all<'b>(fields: &[Field<'b>], wanted: u32) -> Vec<&'b [u8]> {
    let found = fields.iter().filter_map(|field| match field {
        Field::Bytes(number, bytes) if *number == wanted => Some(*bytes),
        _ => None,
    });
    found.collect()
}

/// Whether a message has fields that this program does not know.
pub(super) fn has_unknown(bytes: &[u8], known_max: u32) -> bool {
    fields(bytes).is_some_and(|(found, _)| found.iter().any(|field| field.number() > known_max))
}

struct Walk<'b> {
    rest: &'b [u8],
    odd: Odd,
}

impl<'b> Walk<'b> {
    fn varint(&mut self) -> Option<u64> {
        let mut value = 0_u64;
        for place in 0..10_u32 {
            let (byte, rest) = self.rest.split_first()?;
            self.rest = rest;
            value |= u64::from(byte & 0x7f).checked_shl(7 * place)?;
            if byte & 0x80 == 0 {
                self.odd.is_overlong |= place > 0 && *byte == 0;
                return (place < 9 || *byte <= 1).then_some(value);
            }
        }
        None
    }

    fn take(&mut self, length: u64) -> Option<&'b [u8]> {
        let (taken, rest) = self.rest.split_at_checked(usize::try_from(length).ok()?)?;
        self.rest = rest;
        Some(taken)
    }

    fn field(&mut self) -> Option<Field<'b>> {
        let key = u32::try_from(self.varint()?).ok()?;
        let number = key >> 3;
        if number == 0 {
            return None;
        }
        match key & 7 {
            0 => Some(Field::Varint(number, self.varint()?)),
            1 => self.take(8).map(|_| Field::Other(number)),
            2 => {
                let length = self.varint()?;
                Some(Field::Bytes(number, self.take(length)?))
            }
            3 => self.group(number).map(|()| Field::Other(number)),
            5 => self.take(4).map(|_| Field::Other(number)),
            _ => None,
        }
    }

    /// Groups are gone from the language and not from the encoding; without recursion, as deep ones are
    /// what is looked for.
    fn group(&mut self, number: u32) -> Option<()> {
        let mut open = vec![number];
        while let Some(innermost) = open.last().copied() {
            self.odd.depth = self.odd.depth.max(open.len());
            let key = u32::try_from(self.varint()?).ok()?;
            let number = key >> 3;
            match key & 7 {
                0 => drop(self.varint()?),
                1 => drop(self.take(8)?),
                2 => {
                    let length = self.varint()?;
                    self.take(length)?;
                }
                3 if number > 0 => open.push(number),
                4 if number == innermost => drop(open.pop()),
                5 => drop(self.take(4)?),
                _ => return None,
            }
        }
        Some(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_read_as_they_stand() {
        let bytes = [0x08, 0x96, 0x01, 0x12, 0x02, b'h', b'i', 0x12, 0x00];
        let read = fields(&bytes);
        let (found, odd) = read.unwrap_or_default();
        assert_eq!(found.first(), Some(&Field::Varint(1, 150)));
        assert_eq!(all(&found, 2), [&b"hi"[..], b""]);
        assert_eq!(last(&found, 2), b"");
        assert!(odd.is_repeated && !odd.is_overlong);
    }

    #[test]
    fn what_is_odd_is_seen() {
        assert!(fields(&[0x08, 0x80, 0x00]).is_some_and(|(_, odd)| odd.is_overlong));
        let deep = [[0x0b; 50], [0x0c; 50]].concat();
        assert!(fields(&deep).is_some_and(|(_, odd)| odd.depth == 50));
        assert_eq!(fields(&[0x0b; 50]), None);
        assert_eq!(fields(&[0x00, 0x00]), None);
        assert!(has_unknown(&[0x78, 0x01], 13) && !has_unknown(&[0x08, 0x01], 13));
    }
}
