//! The Task API over HTTP, on actix-web: the inbound adapter of the domain. It knows no environment, no database and no
//! command line; what a deployment decides comes as plain structs ([`policy`], [`server::ServerSettings`]).
//!
//! A request passes these modules, in this order; imports only point down this table:
//!
//! | Module | Purpose |
//! |---|---|
//! | [`admin`], [`app`] | the two applications: for operators, and the API |
//! | [`server`] | listens, and closes connections of clients that keep it waiting |
//! | `middleware` | what surrounds every handler: request id, problem documents, time limit, token, compression |
//! | `routes` | the table of paths, and the handlers: read, call one use case, render |
//! | [`openapi`] | the description of all this, made from it |
//! | [`wire`] | what travels: bodies, parameters, headers |
//! | `body` | reading a body, and the JSON object in it |
//! | [`state`], [`readiness`] | what the handlers of one worker use |
//! | [`policy`] | what a deployment allows: origins, rates, time limits, unsent answers |
//! | [`problem`] | the only folder with status codes for errors |
//! | [`observe`] | metrics, spans and log lines about requests |
//! | [`context`] | what identifies a request |
//! | `schema`, `etag` | the rules of single fields; how versions are written |
//!
//! # Adding an operation
//!
//! 1. The use case and what it needs of its ports stand in `domain`, with the promises that every adapter has to keep.
//! 2. The path and its handler: `routes`. The handler reads, calls that use case and renders.
//! 3. An error of a new kind gets a code in `problem/code.rs`; `problem/from_errors.rs` does not compile until it has one.
//! 4. Its description: `openapi/operations` and the table of paths in [`openapi`]. Write the document again:
//!    `cargo run -- openapi > docs/openapi.json`.
//! 5. The tests `openapi` and `isolation` fail until it is described and walked.

pub mod admin;
pub mod app;
mod body;
pub mod context;
mod etag;
mod middleware;
pub mod observe;
pub mod openapi;
pub mod policy;
pub mod problem;
pub mod readiness;
mod routes;
mod schema;
pub mod server;
pub mod state;
pub mod wire;
