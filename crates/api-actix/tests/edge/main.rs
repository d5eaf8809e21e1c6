//! What a client meets before any handler does: the framing of HTTP, the limits of time, and the limits of connections.
//!
//! | File | What it proves |
//! |---|---|
//! | `expect` | nobody who may not send a body is told to continue |
//! | `framing` | requests that no client library sends are refused or understood, and answered once |
//! | `waiting` | whoever is slow is not waited for, and keeps nobody else waiting |
//! | `hanging` | nor is whatever hangs on our side |
//! | `unsent` | whoever does not read what they ask for takes neither the memory nor the service from others |
//! | `connections` | a thousand connections are served, and running out of them is survived |
#![expect(clippy::expect_used, reason = "in tests a broken set-up should panic")]

mod connections;
mod expect;
mod framing;
mod hanging;
#[path = "../support/mod.rs"]
mod support;
mod unsent;
mod waiting;
