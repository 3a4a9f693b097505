//! Every bound in one place, with its reason.

/// Changes in one group: a group is decided in one transaction and held in memory whole.
pub const GROUP_CHANGES_MAX: u32 = 256;
/// Raw bytes in one group, for the same reason.
pub const GROUP_BYTES_MAX: usize = 256 * 1024;
/// Raw bytes of one change (header and body): an entry of a person, never a file.
pub const CHANGE_BYTES_MAX: usize = 64 * 1024;
/// Bytes of one field's value.
pub const VALUE_BYTES_MAX: usize = 32 * 1024;
/// Bytes of all values of one record: a page, an item and a letter can still carry it.
pub const RECORD_BYTES_MAX: usize = 256 * 1024;
/// Fields of one record.
pub const RECORD_FIELDS_MAX: usize = 512;
/// Fields in one change: more than any kind has.
pub const CHANGE_FIELDS_MAX: usize = 256;
/// Characters in the name of an actor.
pub const ACTOR_CHARS_MAX: usize = 100;
/// Compressed bytes of one batch on the wire.
pub const BATCH_COMPRESSED_BYTES_MAX: usize = 256 * 1024;
/// Raw bytes of one batch; declared sizes above it are refused before anything is unpacked.
pub const BATCH_RAW_BYTES_MAX: usize = 4 * 1024 * 1024;
/// Changes in one batch: bounds the time that one transaction holds the writer.
pub const BATCH_CHANGES_MAX: usize = 4096;
/// Raw bytes of a batch at the start of a session, before the line's speed is known.
pub const BATCH_BYTES_START: usize = 64 * 1024;
/// A batch should take no longer than this on the line (milliseconds).
pub const BATCH_TARGET_MS: u64 = 2_000;
/// Rows in one page of a feed.
pub const PAGE_ROWS_MAX: usize = 1_000;
/// Raw bytes of rows in one page (the last row may pass it).
pub const PAGE_BYTES_MAX: usize = 512 * 1024;
/// How many greetings' nonces the hub remembers per node and epoch.
pub const NONCES_KEPT: usize = 64;
/// How long a change waits for a record that it names before it goes to a person (milliseconds).
pub const WAITING_MS_MAX: u64 = 30 * 24 * 3600 * 1000;
/// How long tombstones and leave entries are kept at least (milliseconds).
pub const TOMBSTONE_MS_MIN: u64 = 400 * 24 * 3600 * 1000;
/// How often the hub notes how far a node has read, at most (milliseconds): what it is noted for
/// takes more than a year.
pub const ACKNOWLEDGED_MS_MIN: u64 = 3600 * 1000;
/// Records whose erasure one call states.
pub const ERASED_STATED_MAX: usize = 256;
/// Members that move at once with a whole organisation: bounds what one decision writes. A branch has
/// 50 members as a rule, a committee begins at 100 (`domain.md` 7.1).
pub const BATCH_MEMBERS_MAX: usize = 500;
/// Organisations that move at once with the one above them.
pub const BATCH_ORGANISATIONS_MAX: usize = 200;
/// How long a letter may be valid (days; `domain.md` 1.8, invariant 5).
pub const LETTER_DAYS_MAX: i64 = 90;
/// Letter numbers leased to a node at once: months of an office's letters, and few enough that the
/// rest of a voided block is no great gap.
pub const LETTER_BLOCK: u32 = 100;
/// With fewer numbers of the year left, another block is leased: enough for weeks without a line.
pub const LETTER_BLOCK_LOW: u32 = 30;
/// Blocks that a node names in one greeting: more than it ever holds.
pub const LEASES_MAX: usize = 256;
/// The first wait after a failed attempt to reach the hub (milliseconds).
pub const RETRY_MS_MIN: u64 = 500;
/// The longest wait between attempts (milliseconds).
pub const RETRY_MS_MAX: u64 = 60_000;
/// Claims of one machine to ID numbers that other offices have, in [`CLAIM_WINDOW_MS`]; more are shown
/// to the desk as urgent. A street's offices share few volunteers: a roster meets some, a search many.
pub const CLAIM_COLLISIONS_MAX: u64 = 20;
/// The window of [`CLAIM_COLLISIONS_MAX`] (milliseconds): a day.
pub const CLAIM_WINDOW_MS: u64 = 24 * 3600 * 1000;
