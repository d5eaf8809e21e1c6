//! The verifier from outside: tables of hostile tokens, each a named test, and the laws that hold for all tokens.
//!
//! The tables of `form`, `header`, `times`, `users` and `parties` are about tokens of the shared secret, those of
//! `key_pairs` about tokens of published keys. All also run against `jsonwebtoken::decode`, see `differential` here and
//! there.

#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "in tests a broken set-up should panic"
)]

mod accepted;
mod changing_secrets;
mod clock;
mod differential;
mod form;
mod fuzz;
mod header;
mod issuer;
mod key_pairs;
mod parties;
mod properties;
mod secrecy;
mod secrets;
mod settings;
mod signing;
mod support;
mod times;
mod users;
