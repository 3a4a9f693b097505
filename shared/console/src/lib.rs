//! What both programs show and read: answers on the terminal, records and changes in words, and the
//! tables of declared kinds.
//!
//! - [`answer`]: prints answers, as text or JSON.
//! - [`columns`]: the columns of a kind's table, and what its cells imply.
//! - [`export`]: records into a table.
//! - [`item`]: conflict items, set-aside notes and changes in words.
//! - [`merge`]: what a merge of two records writes.
//! - [`values`]: what a person names on the command line.

pub mod answer;
pub mod columns;
pub mod export;
pub mod item;
pub mod merge;
pub mod values;

/// Fields by number, canonical bytes.
pub type Values = Vec<(u16, Vec<u8>)>;
