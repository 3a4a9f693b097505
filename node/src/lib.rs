//! A community office's node: its own store, its journal, and its line to the hub.
//!
//! The library beside the program lets tests hold its parts.

pub mod app;
pub mod begin;
pub mod cli;
pub mod clock;
pub mod config;
pub mod enrol;
pub mod erase;
pub mod fold;
pub mod import;
pub mod journal;
pub mod letters;
pub mod line;
pub mod rewrite;
pub mod sync;
pub mod web;
