//! Instants as a person in China reads them.

use domain::checks::date::china_date_of;

const HOUR_MS: u64 = 3_600_000;
const DAY_MS: u64 = 24 * HOUR_MS;
/// China Standard Time is eight hours ahead of UTC, all year.
const AHEAD_MS: u64 = 8 * HOUR_MS;

/// Day and minute in China time of an instant (milliseconds since 1970): `2026-11-23 16:05`.
pub fn china_time(unix_ms: u64) -> String {
    let of_day = unix_ms.saturating_add(AHEAD_MS) % DAY_MS;
    let (hour, minute) = (of_day / HOUR_MS, of_day % HOUR_MS / 60_000);
    let date = china_date_of(unix_ms.cast_signed());
    format!("{date} {hour:02}:{minute:02}")
}

#[cfg(test)]
mod tests {
    use super::china_time;

    #[test]
    fn the_day_begins_eight_hours_before_that_of_utc() {
        assert_eq!(china_time(0), "1970-01-01 08:00");
        assert_eq!(china_time(1_795_449_599_000), "2026-11-23 23:59");
        assert_eq!(china_time(1_795_449_600_000), "2026-11-24 00:00");
    }
}
