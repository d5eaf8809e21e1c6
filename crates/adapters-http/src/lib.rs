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
//! | `routes` | the handlers: read, call one use case, render |
//! | [`openapi`] | the description of all this, made from it |
//! | [`wire`] | what travels: bodies, parameters, headers |
//! | `body` | reading a body, and the JSON object in it |
//! | [`state`], [`readiness`] | what the handlers of one worker use |
//! | [`policy`] | what a deployment allows: origins, rates, time limits, unsent responses |
//! | [`problem`] | the only folder with status codes for errors |
//! | [`observe`] | metrics, spans and log lines about requests |
//! | [`context`] | what identifies a request |
//! | `schema`, `etag` | the rules of single fields; how versions are written |
//! | `table` | the table of operations: makes the paths of `routes` and of [`openapi`] |
//!
//! # Adding an operation
//!
//! Its use case in `domain`, a line in `table`, its handler in `routes`, its description in `openapi/operations`: one
//! that lacks any of these does not compile. `docs/adding-things.md` has an example.

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
mod table;
pub mod wire;
