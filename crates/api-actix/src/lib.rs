//! The Task API over HTTP: configuration, wiring, routes, and the binary `task-api`.
//!
//! A request passes these modules, in this order:
//!
//! | Module | Purpose |
//! |---|---|
//! | [`server`] | listens, and closes connections of clients that keep it waiting |
//! | `middleware` | what surrounds every handler: request id, problem documents, time limit, token, compression |
//! | [`routes`] | the table of paths, and the handlers: read, call one use case, render |
//! | [`openapi`] | the description of all this, made from it |
//! | `wire` | what travels: bodies, parameters, headers |
//! | [`body`] | reading a body, and the JSON object in it |
//! | [`policy`] | what a deployment allows: origins, rates, time limits, unsent answers |
//! | [`problem`] | the only folder with status codes for errors |
//! | [`observe`] | metrics, spans and log lines about requests |
//! | `context` | what identifies a request |
//!
//! The rest makes it a program: [`cli`] parses the command line, `commands` has a file for each command, [`config`] reads
//! the settings, `storage` opens the database, `wiring` puts everything together into the [`app`] of each worker,
//! `telemetry` writes the log, [`system`] has the clock and the ids.
//!
//! # Adding an operation
//!
//! 1. The use case and what it needs of its ports stand in `domain`, with the promises that every adapter has to keep.
//! 2. The path and its handler: [`routes`]. The handler reads, calls that use case and renders.
//! 3. An error of a new kind gets a code in `problem/code.rs`; `problem/from_errors.rs` does not compile until it has one.
//! 4. Its description: `openapi/operations` and the table of paths in [`openapi`]. Write the document again:
//!    `cargo run -- openapi > docs/openapi.json`.
//! 5. The tests `openapi` and `isolation` fail until it is described and walked. Its own go to `tests/`, as functions over
//!    `&Api`, so that they run on every storage.

pub mod admin;
pub mod app;
pub mod body;
pub mod cli;
mod commands;
pub mod config;
pub mod context;
mod etag;
mod failure;
mod middleware;
pub mod observe;
pub mod openapi;
pub mod policy;
pub mod problem;
pub mod readiness;
pub mod routes;
mod schema;
pub mod server;
pub mod state;
mod storage;
pub mod system;
mod telemetry;
mod wire;
mod wiring;
