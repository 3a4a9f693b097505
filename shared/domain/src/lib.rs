//! The rules of Lianxin: what a change is, who wins when two meet, who holds a member, and when two
//! stores are equal.
//!
//! Nothing here reads a clock, a file, a socket or randomness: time, identifiers and stored values
//! come in as arguments, decisions go out as values. So the same functions run in the programs, in a
//! simulator and in a model checker, and a replay of the same input gives the same answer.
//!
//! Reading order: [`id`] and [`clock`] (names of things), [`kind`] and [`kinds`] (what is recorded),
//! [`change`] (one edit), [`record`] (the state that changes make), [`world`] and [`decide`] (the
//! hub's decision), [`session`] (what both sides do about each other's histories), [`digest`] (proof of
//! equality).

pub mod change;
pub mod checks;
pub mod clock;
pub mod decide;
pub mod digest;
pub mod erase;
pub mod id;
pub mod kind;
pub mod kinds;
pub mod lease;
pub mod limits;
pub mod machine;
pub mod machines;
pub mod record;
pub mod replay;
pub mod session;
pub mod text;
pub mod world;
