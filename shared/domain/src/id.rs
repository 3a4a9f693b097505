//! Identifiers: sixteen bytes each, never mixed up, printed the way a person reads them.

use std::fmt;

/// A text that is not the identifier it should be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NotAnId;

macro_rules! id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
        pub struct $name([u8; 16]);

        impl $name {
            /// The identifier with these sixteen bytes.
            pub const fn new(bytes: [u8; 16]) -> Self {
                Self(bytes)
            }

            /// The sixteen bytes.
            pub const fn bytes(self) -> [u8; 16] {
                self.0
            }

            /// The identifier in `bytes`; refused unless there are exactly sixteen.
            pub fn from_slice(bytes: &[u8]) -> Result<Self, NotAnId> {
                bytes.try_into().map(Self).map_err(|_| NotAnId)
            }

            /// Reads the hyphenated or plain hexadecimal form.
            pub fn parse(text: &str) -> Result<Self, NotAnId> {
                parse_hex(text).map(Self)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write_hyphenated(&self.0, f)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write_hyphenated(&self.0, f)
            }
        }
    };
}

id!(
    /// One office's machine, given at enrolment; a replaced machine gets another.
    NodeId
);
id!(
    /// One record of any kind; a `UUIDv7`, made where the record was entered.
    RecordId
);
id!(
    /// One value that a hub draws when it is made and again whenever it is restored.
    Incarnation
);
id!(
    /// A number that a node draws for its next greeting, so that a repeat and a clone are told apart.
    Nonce
);

/// The office that a record or a feed belongs to: the id of its organisation record.
pub type OfficeId = RecordId;

/// The office id that stands for the hub's own desk.
pub const DESK: OfficeId = RecordId::new([0xff; 16]);

/// Which change of which journal: the name of one edit for ever, and the version of each field that
/// it set.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct ChangeId {
    /// The node whose journal it is (the hub has one as well).
    pub node: NodeId,
    /// The journal's count at that node.
    pub epoch: u32,
    /// The place in the journal, from 1, without gaps.
    pub sequence: u64,
}

impl ChangeId {
    /// Reads what [`fmt::Display`] writes: `node/epoch/sequence`.
    pub fn parse(text: &str) -> Result<Self, NotAnId> {
        let mut parts = text.split('/');
        let (Some(node), Some(epoch), Some(sequence), None) =
            (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err(NotAnId);
        };
        Ok(Self {
            node: NodeId::parse(node)?,
            epoch: epoch.parse().map_err(|_| NotAnId)?,
            sequence: sequence.parse().map_err(|_| NotAnId)?,
        })
    }
}

impl fmt::Display for ChangeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}/{}", self.node, self.epoch, self.sequence)
    }
}

impl fmt::Debug for ChangeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A `UUIDv7` made of a wall-clock time (milliseconds since 1970) and ten random bytes (RFC 9562).
pub fn uuid_v7(unix_ms: u64, random: [u8; 10]) -> [u8; 16] {
    let [_, _, t0, t1, t2, t3, t4, t5] = unix_ms.to_be_bytes();
    let [r0, r1, r2, r3, r4, r5, r6, r7, r8, r9] = random;
    [
        t0,
        t1,
        t2,
        t3,
        t4,
        t5,
        0x70 | (r0 & 0x0f),
        r1,
        0x80 | (r2 & 0x3f),
        r3,
        r4,
        r5,
        r6,
        r7,
        r8,
        r9,
    ]
}

/// An id derived from others, so that a decision that is repeated names the same record: the first
/// sixteen bytes of a keyless BLAKE3 over the context and the parts, marked as UUID version 8.
pub fn derived_id(context: &str, parts: &[&[u8]]) -> RecordId {
    let mut hasher = blake3::Hasher::new_derive_key(context);
    for part in parts {
        hasher.update(&(part.len() as u64).to_be_bytes());
        hasher.update(part);
    }
    let mut bytes = [0; 16];
    hasher.finalize_xof().fill(&mut bytes);
    bytes[6] = 0x80 | (bytes[6] & 0x0f);
    bytes[8] = 0x80 | (bytes[8] & 0x3f);
    RecordId::new(bytes)
}

/// Lower-case hexadecimal of any bytes.
pub fn hex(bytes: &[u8]) -> String {
    use fmt::Write as _;
    bytes
        .iter()
        .fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
            // Writing to a String cannot fail.
            let _ = write!(text, "{byte:02x}");
            text
        })
}

fn parse_hex(text: &str) -> Result<[u8; 16], NotAnId> {
    let mut bytes = [0; 16];
    let mut digits = text.bytes().filter(|byte| *byte != b'-');
    for byte in &mut bytes {
        let (Some(high), Some(low)) = (digits.next(), digits.next()) else {
            return Err(NotAnId);
        };
        *byte = digit(high)? << 4 | digit(low)?;
    }
    match digits.next() {
        None => Ok(bytes),
        Some(_) => Err(NotAnId),
    }
}

fn digit(byte: u8) -> Result<u8, NotAnId> {
    match byte {
        b'0'..=b'9' => Ok(byte - b'0'),
        b'a'..=b'f' => Ok(byte - b'a' + 10),
        b'A'..=b'F' => Ok(byte - b'A' + 10),
        _ => Err(NotAnId),
    }
}

fn write_hyphenated(bytes: &[u8; 16], f: &mut fmt::Formatter<'_>) -> fmt::Result {
    for (position, byte) in bytes.iter().enumerate() {
        if matches!(position, 4 | 6 | 8 | 10) {
            f.write_str("-")?;
        }
        write!(f, "{byte:02x}")?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_reads_what_it_prints() {
        let id = RecordId::new(uuid_v7(1_763_000_000_000, [7; 10]));
        assert_eq!(RecordId::parse(&id.to_string()), Ok(id));
        let change = ChangeId {
            node: NodeId::new([3; 16]),
            epoch: 2,
            sequence: 9,
        };
        assert_eq!(ChangeId::parse(&change.to_string()), Ok(change));
    }

    #[test]
    fn a_text_that_is_no_id_is_refused() {
        for text in ["", "12", "zz", "0190b6a0-0000-7000-8000-0000000000001"] {
            assert_eq!(RecordId::parse(text), Err(NotAnId));
        }
    }

    #[test]
    fn a_derived_id_depends_on_every_part_and_on_where_it_ends() {
        let one = derived_id("test", &[b"ab", b"c"]);
        assert_ne!(one, derived_id("test", &[b"a", b"bc"]));
        assert_ne!(one, derived_id("other", &[b"ab", b"c"]));
        assert_eq!(one, derived_id("test", &[b"ab", b"c"]));
    }
}
