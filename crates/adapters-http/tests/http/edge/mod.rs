//! What a client meets before any handler does: the framing of HTTP, the limits of time, and the limits of connections.
//!
//! | File | What it proves |
//! |---|---|
//! | `expect` | nobody who may not send a body is told to continue |
//! | `framing` | requests that no client library sends are refused or understood, and answered once |
//! | `waiting` | whoever is slow is not waited for, and keeps nobody else waiting |
//! | `hanging` | nor is whatever hangs on our side |
//! | `unsent` | whoever does not read what they ask for takes neither the memory nor the service from others |
//! | `listeners` | a server on several addresses has one application for each worker |
//!
//! What only the process shows stands in `api-actix/tests/http/edge`.
#![expect(clippy::expect_used, reason = "in tests a broken set-up should panic")]

mod expect;
mod framing;
mod hanging;
mod listeners;
mod unsent;
mod waiting;
