//! Scenarios with the shipped programs as processes of their own, mutual TLS between them.

#![allow(
    clippy::indexing_slicing,
    clippy::expect_used,
    reason = "a test that is wrong should stop"
)]

mod arrows;
mod crash;
mod faults;
mod history;
mod late;
mod restore;
mod rules;
mod support;
