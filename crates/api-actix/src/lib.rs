//! The binary `task-api`: it reads the settings, opens the database, and puts the adapters together.
//!
//! | Module | Purpose |
//! |---|---|
//! | [`cli`] | the command line |
//! | `commands` | a file for each command |
//! | `wiring` | puts the parts together into the application of each worker |
//! | `storage` | opens the database that the settings name |
//! | [`config`] | the settings; the only place that knows names of environment variables |
//! | `failure` | why a command did not succeed, and its exit code |
//! | `telemetry` | writes the log |
//! | [`clock_and_ids`] | the clock and the ids |

pub mod cli;
pub mod clock_and_ids;
mod commands;
pub mod config;
mod failure;
mod storage;
mod telemetry;
mod wiring;
