//! The only reader of the clock and of randomness.

use std::sync::OnceLock;
use std::time::{SystemTime, UNIX_EPOCH};

/// Milliseconds since 1970 by the wall clock; 0 where it stands before that. For rehearsals the
/// environment's `LIANXIN_CLOCK_OFFSET_S` (seconds, may be negative) is added.
pub fn now_ms() -> u64 {
    static OFFSET_MS: OnceLock<i64> = OnceLock::new();
    let offset = *OFFSET_MS.get_or_init(|| {
        let text = std::env::var("LIANXIN_CLOCK_OFFSET_S").unwrap_or_default();
        text.parse::<i64>().unwrap_or(0).saturating_mul(1000)
    });
    let wall = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |since| {
            u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
        });
    wall.saturating_add_signed(offset)
}

/// Milliseconds since the machine started, and which start that was; none where the system does not
/// tell. Sleep counts.
pub fn uptime() -> Option<(u64, [u8; 16])> {
    let text = std::fs::read_to_string("/proc/uptime").ok()?;
    let (seconds, rest) = text.split_whitespace().next()?.split_once('.')?;
    let hundredths: u64 = rest.get(..2)?.parse().ok()?;
    let ms = seconds.parse::<u64>().ok()? * 1000 + hundredths * 10;
    let boot = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").ok()?;
    let boot = domain::id::RecordId::parse(boot.trim()).ok()?;
    Some((ms, boot.bytes()))
}

/// Sixteen random bytes.
///
/// # Errors
/// Where the system gives none.
pub fn random_16() -> std::io::Result<[u8; 16]> {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).map_err(std::io::Error::other)?;
    Ok(bytes)
}

/// A new record id: a `UUIDv7` of now.
///
/// # Errors
/// Where the system gives no randomness.
pub fn new_record_id() -> std::io::Result<domain::id::RecordId> {
    let mut random = [0; 10];
    getrandom::fill(&mut random).map_err(std::io::Error::other)?;
    Ok(domain::id::RecordId::new(domain::id::uuid_v7(
        now_ms(),
        random,
    )))
}
