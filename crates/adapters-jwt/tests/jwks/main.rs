//! The published keys: when they are fetched, what is made of them, and what a request gets meanwhile.
//!
//! | File | What it proves |
//! |---|---|
//! | `document` | what counts as a key |
//! | `rotation` | new keys are found at once, gone ones stop working, changed ones are noticed |
//! | `outages` | what happens while the keys cannot be fetched |
//! | `crowds` | many requests at once: one fetch at a time, limits, no storm |
//! | `remembered` | tokens that were verified a moment ago |
//! | `lifetime` | the task that fetches begins and ends with its verifier |
//! | `log` | what an operator reads about the fetches |
//! | `http` | one fetch over HTTP, from servers that mean no good too |
//! | `settings` | addresses |
//! | `stats` | what is told about all this |
//!
//! All but `http` and a part of `lifetime` run on a clock that stands still while someone works: an hour takes no time.

#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "in tests a broken set-up should panic"
)]
#![allow(
    dead_code,
    clippy::allow_attributes,
    reason = "the signers are shared with the tests of the verifier"
)]

mod crowds;
mod document;
mod front_end;
mod http;
#[path = "../verifier/issuer.rs"]
mod issuer;
mod key_server;
mod lifetime;
mod log;
mod outages;
mod remembered;
mod rotation;
mod settings;
mod stats;
