//! Pages: what both programs show in a browser, and how.
//!
//! - [`status`]: the page with the state of a program: facts, and tables below them.
//! - [`time`]: instants as a person in China reads them.
//!
//! Text is escaped by the templates. No page needs a script.

pub mod status;
pub mod time;
