//! The table against `domain.md` 1.8, and one test per invariant, bearing its number.

mod crossings;
mod rules;
mod table;
