//! A city in one thread and in virtual time, everything from one seed: the shipped node and hub over
//! simulated lines, clocks and disks (ADR 0021).

#![allow(
    clippy::indexing_slicing,
    reason = "a simulation that is wrong should stop"
)]

pub mod chance;
pub mod city;
pub mod disk;
pub mod many;
pub mod net;
pub mod oracle;
pub mod plan;
pub mod reference;
pub mod run;
pub mod shrink;
pub mod virtual_time;
pub mod work;
pub mod world;
