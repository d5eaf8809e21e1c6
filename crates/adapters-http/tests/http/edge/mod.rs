//! The server before any handler runs: the framing of HTTP, the limits of time, and the limits of connections.
//!
//! | File | What it proves |
//! |---|---|
//! | `expect` | no client that may not send a body is told to continue |
//! | `framing` | requests that no client library sends are refused or understood, and answered once |
//! | `waiting` | a slow client is not waited for, and keeps no other client waiting |
//! | `hanging` | nor is whatever hangs on our side |
//! | `unsent` | a client that does not read what it asks for takes neither the memory nor the service from others |
//! | `listeners` | a server on several addresses has one application for each worker |
//!
//! Tests that need the process are in `api-actix/tests/http/edge`.
#![expect(clippy::expect_used, reason = "in tests a broken set-up should panic")]

mod expect;
mod framing;
mod hanging;
mod listeners;
mod unsent;
mod waiting;
