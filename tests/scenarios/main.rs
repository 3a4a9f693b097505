//! Scenarios with the shipped programs as processes of their own, mutual TLS between them.

#![allow(
    clippy::indexing_slicing,
    clippy::expect_used,
    reason = "a test that is wrong should stop"
)]

mod arrows;
mod crash;
mod disk;
mod enrolment;
mod erasing;
mod faults;
mod history;
mod late;
mod leases;
mod people;
mod restore;
mod rules;
mod support;
mod tables;
mod unproven;
mod uplink;
