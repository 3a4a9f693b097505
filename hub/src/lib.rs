//! The hub of a district or city: takes the offices' journals, decides, and sends states down.
//!
//! The library beside the program lets tests hold its parts.

pub mod app;
pub mod authority;
pub mod backup;
pub mod cli;
pub mod config;
pub mod damaged;
pub mod desk;
pub mod error;
pub mod greet;
pub mod leases;
pub mod progress;
pub mod recovery;
pub mod register;
pub mod release;
pub mod rpc;
pub mod rules;
pub mod web;
pub mod work;
