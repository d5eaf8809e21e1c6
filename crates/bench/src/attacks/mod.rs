//! Attacks on the server, and what the others notice: `cargo run --release -p bench --bin attacks`.
//!
//! ```text
//! options ── which attacks, on what        suite ── all of it, from nothing to rows      report ── the table, the bounds
//! attack ── the attacks by name            attackers ── what each does                   tally ── what becomes of requests
//! world ── databases and servers           victims ── the others                         observation ── memory, load
//! pooler, network ── odd ways to a database
//! ```
//!
//! Attackers and victims have a thread each, so that neither waits for the other; the processors are shared by all.

pub mod attack;
pub mod attackers;
pub mod network;
pub mod observation;
pub mod options;
pub mod pooler;
pub mod report;
pub mod suite;
pub mod tally;
pub mod victims;
pub mod world;
