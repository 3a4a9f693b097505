//! The hybrid clock: wall-clock milliseconds with a counter, so that one node's timestamps never
//! repeat and never go back, whatever its wall clock does.
//!
//! A timestamp is for display and for ties only; conflicts are found by versions, never by time.

use std::fmt;

/// How far an office's clock may be off before its changes never win by "latest" (milliseconds).
pub const SUSPECT_OFFSET_MS: i64 = 10 * 60 * 1000;

const COUNTER_BITS: u32 = 16;
const MS_MAX: u64 = (1 << 48) - 1;

/// 48 bits of milliseconds since 1970 and 16 bits of counter.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Timestamp(u64);

impl Timestamp {
    /// The timestamp with these packed bits.
    pub const fn from_bits(bits: u64) -> Self {
        Self(bits)
    }

    /// The packed bits.
    pub const fn bits(self) -> u64 {
        self.0
    }

    /// The first timestamp of a millisecond; a time past the year 10889 is cut to that.
    pub const fn at(unix_ms: u64) -> Self {
        let ms = if unix_ms > MS_MAX { MS_MAX } else { unix_ms };
        Self(ms << COUNTER_BITS)
    }

    /// Milliseconds since 1970.
    pub const fn unix_ms(self) -> u64 {
        self.0 >> COUNTER_BITS
    }

    /// The next timestamp after this one, given the wall clock: the wall clock where it is ahead,
    /// else one count more (a full counter carries into the milliseconds).
    #[must_use]
    pub const fn next(self, wall_ms: u64) -> Self {
        let wall = Self::at(wall_ms);
        if wall.0 > self.0 {
            wall
        } else {
            Self(self.0.saturating_add(1))
        }
    }
}

impl fmt::Debug for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.unix_ms(), self.0 & 0xffff)
    }
}

/// The time by which "latest" compares: the writer's time corrected by the measured offset, and
/// never later than the hub received it (milliseconds).
pub fn ordered_at(written: Timestamp, offset_ms: i64, received_ms: u64) -> u64 {
    written
        .unix_ms()
        .saturating_add_signed(offset_ms)
        .min(received_ms)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn the_clock_never_goes_back(walls in prop::collection::vec(any::<u64>(), 1..50)) {
            let mut last = Timestamp::default();
            for wall in walls {
                let next = last.next(wall);
                prop_assert!(next > last || last.bits() == u64::MAX);
                last = next;
            }
        }

        #[test]
        fn a_change_never_counts_as_later_than_received(bits: u64, offset: i64, received: u64) {
            prop_assert!(ordered_at(Timestamp::from_bits(bits), offset, received) <= received);
        }
    }

    #[test]
    fn a_full_counter_adds_a_millisecond() {
        let full = Timestamp::from_bits(5 << 16 | 0xffff);
        assert_eq!(full.next(1), Timestamp::at(6));
    }
}
