//! What else is asked of SQLite: a whole database as its readers see it, and other randomness.

#![allow(unsafe_code, reason = "SQLite's interface is C")]

use std::cell::Cell;
use std::ptr;

use rusqlite::{Connection, ffi};

/// The hash over all pages of a database as this connection sees them; none where one cannot be read.
pub fn whole(connection: &Connection) -> Option<[u8; 32]> {
    let mut size = 0i64;
    // SAFETY: the connection is open; SQLite answers a buffer of `size` bytes, or null.
    let bytes = unsafe {
        ffi::sqlite3_serialize(
            connection.handle(),
            c"main".as_ptr(),
            ptr::from_mut(&mut size),
            0,
        )
    };
    if bytes.is_null() {
        return None;
    }
    let length = usize::try_from(size).unwrap_or(0);
    // SAFETY: as above; the buffer is ours until it is freed here.
    let hash = unsafe {
        let hash = blake3::hash(std::slice::from_raw_parts(bytes, length));
        ffi::sqlite3_free(bytes.cast());
        hash
    };
    Some(*hash.as_bytes())
}

thread_local! {
    /// From what SQLite's randomness follows.
    pub(super) static RANDOM: Cell<u64> = const { Cell::new(0) };
}

/// SQLite draws anew, from this number: what one simulation drew does not change the next.
pub(super) fn forget_randomness(number: u64) {
    RANDOM.set(number);
    // SAFETY: with no bytes asked for, SQLite only forgets the state of its generator.
    unsafe { ffi::sqlite3_randomness(0, ptr::null_mut()) };
}
