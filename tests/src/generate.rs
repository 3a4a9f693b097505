//! Invented data: persons, member rosters as offices keep them, and the organisation tree of a
//! city.
//!
//! Everything follows from a seed: the same seed gives the same people, files and tree on every
//! machine. Row `i` of a roster depends on the seed and `i` only, so a longer roster begins with
//! the shorter one.
//!
//! Nothing here can belong to anybody. ID numbers (公民身份号码) are valid, but carry the codes of
//! the city itself, under which nobody is registered; mobile numbers stand in ranges that no
//! operator has; names of places are not those of a real city.
//!
//! - [`Chance`]: the generator of numbers.
//! - [`Person`], [`Membership`]: who stands in the rosters.
//! - [`RosterSpec`], [`roster_xlsx`], [`roster_csv`], [`volunteers_xlsx`], [`volunteers_csv`]: files
//!   as clerks have them, with a share of rows damaged by a known [`Dirt`].
//! - [`city()`], [`organisations_csv`]: the tree of organisations (`domain.md` part 0).

pub mod chance;
pub mod city;
pub mod dirt;
pub mod names;
pub mod person;
pub mod roster;
pub mod table;

#[cfg(test)]
mod round_trip;

pub use chance::Chance;
pub use city::{City, Organisation, city, organisations_csv};
pub use dirt::Dirt;
pub use person::{Membership, Person, Sex, TODAY};
pub use roster::{
    Roster, RosterSpec, roster, roster_csv, roster_xlsx, volunteers, volunteers_csv,
    volunteers_xlsx,
};
pub use table::{CsvEncoding, Table, Value};
