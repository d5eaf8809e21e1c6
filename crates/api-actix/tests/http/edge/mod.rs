//! The server before any handler runs, as far as only the process shows it; the rest are tests of
//! `adapters-http`.
//!
//! | File | What it proves |
//! |---|---|
//! | `connections` | a thousand connections are served, and running out of them is survived |
//! | `malformed` | malformed requests do not fill the log with errors |
//! | `unread` | unread answers take little memory |
#![expect(clippy::expect_used, reason = "in tests a broken set-up should panic")]

mod connections;
mod malformed;
mod unread;
