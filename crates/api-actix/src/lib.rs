//! The Task API over HTTP: configuration, wiring, routes, and the binary `task-api`.
//!
//! A request walks through these rooms, in this order:
//!
//! | Room | What happens there |
//! |---|---|
//! | `connection`, `expect` | clients that keep us waiting are cut off; bodies of strangers are not asked for |
//! | `edge`, `framing`, `request_context`, `compression` | what HTTP forbids is refused; request id, common headers; on the way back every error becomes a problem document, and what is large is compressed |
//! | [`cors`], [`own_host`], `net` | other origins, and other names of this server; a time limit, and a 500 instead of a panic |
//! | `authenticated`, `client_address`, [`rate_limit`] | the token, before anything else under `/api`; then how often its user may ask |
//! | [`unsent`] | how much answers hold that nobody has read yet: reads are refused, and on the way back large answers leave in pieces |
//! | [`routes`] | the table of paths, and the handlers: read, call one use case, render |
//! | [`body`], `json_object`, `fields` | reading a body and the JSON object in it, collecting every field error |
//! | `preconditions`, `idempotency`, `cursor` | what the headers of a request and its position in a list say |
//! | `etag`, `timestamp` | how versions, pages and times are written |
//! | [`problem`] | the only folder with status codes for errors |
//! | [`openapi`] | the description of all this, made from it |
//!
//! [`observe`] records what happens to requests on their way. At start [`commands`] reads [`config`] ([`policy`] and
//! [`time_limits`] are what it says about requests), `backend` opens the database, `wiring` puts everything together into
//! the [`app`] of each worker, [`server`] listens, `admin` beside it, and `running` is both; `telemetry` logs (`log_line`,
//! `log_buffer`), [`system`] tells the time. The other commands have files of their own: `dev` and `token` (which share the secret in
//! `dev_folder`), `check_config`, `healthcheck`, and over what is stored (`archive`) `copy` and `user_data`. What a
//! command prints goes through `output`; one that does not succeed ends with a `failure`.
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

mod admin;
pub mod app;
mod archive;
mod authenticated;
mod backend;
pub mod body;
mod check_config;
mod client_address;
pub mod commands;
mod compression;
pub mod config;
mod connection;
mod copy;
pub mod cors;
mod cursor;
mod dev;
mod dev_folder;
mod edge;
mod etag;
mod expect;
mod failure;
mod fields;
mod framing;
mod healthcheck;
mod idempotency;
mod json_object;
mod log_buffer;
mod log_line;
mod net;
pub mod observe;
pub mod openapi;
mod output;
pub mod own_host;
pub mod policy;
mod preconditions;
pub mod problem;
pub mod rate_limit;
mod request_context;
pub mod routes;
mod running;
pub mod server;
pub mod system;
mod telemetry;
pub mod time_limits;
mod timestamp;
mod token;
pub mod unsent;
mod user_data;
mod wiring;
