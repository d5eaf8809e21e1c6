//! Measures the server beside others, on this machine: `cargo run --release -p bench`.
//!
//! ```text
//! options ── what to measure                 run ── the whole of it, from nothing to results
//! programs ── builds what is measured        data ── a throwaway PostgreSQL with the same rows for each server
//! servers ── starts and stops a server       behaviour ── what each must do before it is measured
//! load ── drives one server for a while      operations ── what is asked      http ── one connection
//! machine ── processor time and memory       large_user ── one with 600,000 tasks    progress ── what is said meanwhile
//! results ── everything measured             spread ── how far figures are apart
//! report ── tables      targets ── what we want      chart ── a picture
//! ```
//!
//! `attacks` is another program, with rules of its own.
//!
//! The machine is never quiet, so no figure counts by itself. The servers take turns (A B C, C B A, …), and what
//! counts is the ratio of two servers in the same round: its median, and its spread.

pub mod attacks;
pub mod behaviour;
pub mod chart;
pub mod data;
mod fallible;
pub mod http;
pub mod large_user;
pub mod load;
pub mod machine;
pub mod operations;
pub mod options;
pub mod programs;
mod progress;
pub mod report;
pub mod results;
pub mod run;
pub mod servers;
pub mod spread;
pub mod targets;

pub use fallible::Fallible;
