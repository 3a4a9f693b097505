//! The office's hybrid clock, kept with each entry of the journal, and whether the wall clock has jumped.
//!
//! A jump is seen where the wall clock and the time since the machine started have not moved alike,
//! or where the wall clock went back. From then until the next greeting, which measures the clock
//! anew, changes say that their clock is suspect, and never win by "latest" (`sync.md` 3, rule 9).

use domain::clock::{SUSPECT_OFFSET_MS, Timestamp};
use store::{StoreError, Tx};

/// The setting with the hub's clock when the present epoch began.
const BEGAN: &str = "epoch_clock";
/// The setting with what the clocks showed when they were last read: wall, uptime, boot.
const SEEN: &str = "clock_seen";
/// The setting with the hub's clock minus this one as the last greeting measured it.
const OFFSET: &str = "clock_offset";
/// The setting that says that the wall clock has jumped since the last greeting.
const JUMPED: &str = "clock_jumped";

/// The timestamp of the next entry of an epoch, and whether the clock is suspect.
///
/// # Errors
/// The store's own.
pub fn next(tx: Tx<'_>, epoch: u32) -> Result<(Timestamp, bool), StoreError> {
    let now = Reading::now();
    let next = last(tx, epoch)?.next(now.wall_ms);
    Ok((next, look(tx, &now)?))
}

/// The clock after the last entry of an epoch, or as it began.
///
/// # Errors
/// The store's own.
pub fn last(tx: Tx<'_>, epoch: u32) -> Result<Timestamp, StoreError> {
    if let Some(last) = tx.last_clock(epoch)? {
        return Ok(last);
    }
    let began = tx.setting(BEGAN)?.and_then(|bytes| bytes.try_into().ok());
    Ok(Timestamp::from_bits(began.map_or(0, u64::from_be_bytes)))
}

/// A greeting has measured the clock (the hub's minus this one, milliseconds): what comes now is judged by that
/// measure.
///
/// # Errors
/// The store's own.
pub fn note_greeting(tx: Tx<'_>, offset_ms: i64) -> Result<(), StoreError> {
    tx.set_setting(OFFSET, &offset_ms.to_be_bytes())?;
    tx.set_setting(SEEN, &Reading::now().bytes())?;
    tx.set_setting(JUMPED, &[])
}

/// When the hub that has taken an own change just now counts it as written (milliseconds): by the rule of
/// [`domain::clock::ordered_at`], with the offset of the last greeting, at most a moment too late.
///
/// # Errors
/// The store's own.
pub fn ordered_at(tx: Tx<'_>, written: Timestamp) -> Result<u64, StoreError> {
    let kept = tx.setting(OFFSET)?.and_then(|bytes| bytes.try_into().ok());
    let offset_ms = kept.map_or(0, i64::from_be_bytes);
    let hub_ms = system::now_ms().saturating_add_signed(offset_ms);
    Ok(domain::clock::ordered_at(written, offset_ms, hub_ms))
}

/// A new epoch begins by the hub's clock: a wall clock that once stood years ahead is forgotten.
///
/// # Errors
/// The store's own.
pub fn begin_epoch(tx: Tx<'_>, hub_ms: u64) -> Result<(), StoreError> {
    tx.set_setting(BEGAN, &Timestamp::at(hub_ms).bits().to_be_bytes())
}

/// Notes what the clocks show; whether the wall clock has jumped since the last greeting.
fn look(tx: Tx<'_>, now: &Reading) -> Result<bool, StoreError> {
    let before = tx.setting(SEEN)?.and_then(|bytes| Reading::read(&bytes));
    let known = tx.setting(JUMPED)?.is_some_and(|bytes| !bytes.is_empty());
    let jumps = before
        .as_ref()
        .is_some_and(|before| now.jumped_since(before));
    // A wall clock that moves as it should is noted now and then only: a change costs no more.
    let is_due = before.is_none_or(|before| now.wall_ms.abs_diff(before.wall_ms) > NOTED_EVERY_MS);
    if jumps || is_due {
        tx.set_setting(SEEN, &now.bytes())?;
    }
    if jumps && !known {
        tx.set_setting(JUMPED, &[1])?;
    }
    Ok(jumps || known)
}

/// How far the wall clock goes before it is noted again.
const NOTED_EVERY_MS: u64 = 60_000;

/// What the clocks showed at one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Reading {
    wall_ms: u64,
    /// Since the machine started, and which start that was, where the system tells.
    running: Option<(u64, [u8; 16])>,
}

impl Reading {
    fn now() -> Self {
        Self {
            wall_ms: system::now_ms(),
            running: system::uptime(),
        }
    }

    fn jumped_since(&self, before: &Self) -> bool {
        let tolerance = SUSPECT_OFFSET_MS.unsigned_abs();
        match (self.running, before.running) {
            (Some((now, boot)), Some((then, same))) if boot == same => {
                let passed = now.saturating_sub(then);
                let shown = i128::from(self.wall_ms) - i128::from(before.wall_ms);
                (shown - i128::from(passed)).unsigned_abs() > u128::from(tolerance)
            }
            _ => self.wall_ms + tolerance < before.wall_ms,
        }
    }

    fn bytes(&self) -> Vec<u8> {
        let mut bytes = self.wall_ms.to_be_bytes().to_vec();
        if let Some((uptime_ms, boot)) = self.running {
            bytes.extend_from_slice(&uptime_ms.to_be_bytes());
            bytes.extend_from_slice(&boot);
        }
        bytes
    }

    fn read(bytes: &[u8]) -> Option<Self> {
        let (wall, rest) = bytes.split_at_checked(8)?;
        let running = rest.split_at_checked(8).and_then(|(uptime, boot)| {
            Some((
                u64::from_be_bytes(uptime.try_into().ok()?),
                boot.try_into().ok()?,
            ))
        });
        Some(Self {
            wall_ms: u64::from_be_bytes(wall.try_into().ok()?),
            running,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: u64 = 3_600_000;

    fn reading(wall_ms: u64, running: Option<(u64, u8)>) -> Reading {
        Reading {
            wall_ms,
            running: running.map(|(uptime, boot)| (uptime, [boot; 16])),
        }
    }

    #[test]
    fn a_clock_that_moves_with_the_machine_has_not_jumped_and_one_that_does_not_has() {
        let before = reading(100 * HOUR, Some((HOUR, 1)));
        assert!(!reading(103 * HOUR, Some((4 * HOUR, 1))).jumped_since(&before));
        assert!(reading(103 * HOUR, Some((2 * HOUR, 1))).jumped_since(&before));
        assert!(reading(90 * HOUR, Some((2 * HOUR, 1))).jumped_since(&before));
    }

    #[test]
    fn after_a_restart_only_a_clock_that_went_back_is_known_to_have_jumped() {
        let before = reading(100 * HOUR, Some((HOUR, 1)));
        assert!(!reading(900 * HOUR, Some((1, 2))).jumped_since(&before));
        assert!(reading(50 * HOUR, Some((1, 2))).jumped_since(&before));
        assert!(reading(50 * HOUR, None).jumped_since(&before));
    }

    #[test]
    fn a_reading_reads_back() {
        for reading in [reading(5, Some((7, 9))), reading(5, None)] {
            assert_eq!(Reading::read(&reading.bytes()), Some(reading));
        }
    }
}
