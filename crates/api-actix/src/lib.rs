//! The Task API over HTTP: configuration, wiring, routes, and the binary `task-api`.
//!
//! A request walks through these rooms, in this order:
//!
//! | Room | What happens there |
//! |---|---|
//! | `connection` | clients that keep us waiting are cut off |
//! | [`edge`], `framing` | what HTTP forbids is refused; request id, common headers; on the way back every error becomes a problem document |
//! | [`cors`], compression, [`net`] | other origins; small answers stay plain; a time limit, and a 500 instead of a panic |
//! | [`authenticated`] | the token, before anything else under `/api` |
//! | [`routes`] | the table of paths, and the handlers: read, call one use case, render |
//! | [`body`], [`fields`] | reading a JSON object, collecting every field error |
//! | [`problem`] | the only file with status codes for errors |
//! | [`openapi`] | the description of all this, made from it |
//!
//! [`observe`] records what happens to requests on their way. At start [`commands`] reads [`config`], [`wiring`] puts
//! the adapters together, [`server`] listens, and [`admin`] beside it. `copy` and `user_data`
//! are commands of operators over what is stored.

pub mod admin;
pub mod app;
mod archive;
pub mod authenticated;
pub mod body;
mod check_config;
pub mod client_address;
pub mod commands;
mod compression;
pub mod config;
mod connection;
mod copy;
pub mod cors;
mod cursor;
mod dev;
pub mod edge;
mod etag;
pub mod failure;
pub mod fields;
mod framing;
mod healthcheck;
mod idempotency;
pub mod net;
pub mod observe;
pub mod openapi;
pub mod policy;
mod preconditions;
pub mod problem;
pub mod rate_limit;
pub mod request_context;
pub mod routes;
pub mod running;
pub mod server;
pub mod system;
pub mod telemetry;
pub mod time_limits;
mod timestamp;
mod user_data;
pub mod wiring;
