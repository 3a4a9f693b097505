//! How large batches are and how many are under way, from how fast the line and the hub take them.

use std::time::Duration;

use domain::limits;
use tokio::time::Instant;

/// A whole batch is a quarter of what the hub takes at most, so that several fit into its room.
const BYTES_MAX: usize = limits::BATCH_RAW_BYTES_MAX / 4;
/// Where one batch takes the line longer than this, two under way keep it busy; more would only wait,
/// and what is saved meanwhile would wait behind them.
const TWO_SUFFICE: Duration = Duration::from_millis(limits::BATCH_TARGET_MS / 4);

/// The pace of one upload.
#[derive(Debug)]
pub(super) struct Pace {
    bytes: usize,
    /// How many may be under way; none known before the first answer.
    in_flight: Option<usize>,
    answered: Option<Instant>,
}

impl Pace {
    /// Begins with one batch of [`limits::BATCH_BYTES_START`]: the line is not known yet.
    pub(super) const fn new() -> Self {
        Self {
            bytes: limits::BATCH_BYTES_START,
            in_flight: None,
            answered: None,
        }
    }

    /// Raw bytes of the next batch.
    pub(super) const fn bytes(&self) -> usize {
        self.bytes
    }

    /// Whether one more batch may be sent while so many are under way.
    pub(super) fn has_room(&self, under_way: usize) -> bool {
        under_way < self.in_flight.unwrap_or(1)
    }

    /// Takes an answer at `now` to a batch sent at `sent`: several that are under way share the line,
    /// so that what one took is counted from the answer before it. `in_flight_max` is the hub's word.
    pub(super) fn answered(&mut self, sent: Instant, now: Instant, in_flight_max: u32) {
        let began = self.answered.map_or(sent, |before| before.max(sent));
        let took = now.saturating_duration_since(began);
        self.bytes = if took < Duration::from_millis(limits::BATCH_TARGET_MS) {
            (self.bytes * 2).min(BYTES_MAX)
        } else {
            (self.bytes / 2).max(1)
        };
        self.answered = Some(now);
        let in_flight = if took > TWO_SUFFICE { 2 } else { u32::MAX };
        self.in_flight = usize::try_from(in_flight.min(in_flight_max).max(1)).ok();
    }

    /// The hub has no room: one at a time until it says more.
    pub(super) const fn is_busy(&mut self) {
        self.in_flight = Some(1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROUND_TRIP: Duration = Duration::from_millis(600);

    #[test]
    fn the_first_batch_goes_alone_and_then_as_many_as_the_hub_says() {
        let (mut pace, start) = (Pace::new(), Instant::now());
        assert!(pace.has_room(0) && !pace.has_room(1));
        pace.answered(start, start + ROUND_TRIP, 4);
        assert!(
            pace.has_room(1) && !pace.has_room(2),
            "a slow line, or a long way"
        );
        let again = start + ROUND_TRIP;
        pace.answered(start, again + ROUND_TRIP / 6, 4);
        assert!(pace.has_room(3) && !pace.has_room(4), "a long way");
        pace.is_busy();
        assert!(pace.has_room(0) && !pace.has_room(1));
        pace.answered(start, start + ROUND_TRIP, 0);
        assert!(pace.has_room(0), "one may always go");
    }

    #[test]
    fn batches_grow_on_a_fast_line_and_shrink_to_one_change_on_a_slow_one() {
        let (mut pace, start) = (Pace::new(), Instant::now());
        for _ in 0..10 {
            pace.answered(start, start + ROUND_TRIP, 4);
        }
        assert_eq!(pace.bytes(), BYTES_MAX);
        let mut now = start + ROUND_TRIP;
        for _ in 0..30 {
            let sent = now;
            now += Duration::from_secs(3);
            pace.answered(sent, now, 4);
        }
        assert_eq!(pace.bytes(), 1);
    }

    #[test]
    fn batches_that_wait_behind_one_another_are_not_taken_for_slow() {
        let (mut pace, start) = (Pace::new(), Instant::now());
        let before = pace.bytes();
        // Four left at once; each took the line for 1.5 s.
        for number in 1..=4 {
            let now = start + Duration::from_millis(1_500) * number;
            pace.answered(start, now, 4);
        }
        assert_eq!(pace.bytes(), before * 16);
    }
}
