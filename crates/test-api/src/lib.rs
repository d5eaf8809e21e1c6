//! The contract of the Task API over HTTP, written once, and what speaks to a running server in tests.
//!
//! | Item | Purpose |
//! |---|---|
//! | [`Api`] | a running server: in this process, or at an address that the test gives |
//! | [`Parts`] | what an application in this process is made of |
//! | [`User`], [`Answer`] | a client that speaks for a user, and what it was answered |
//! | [`Description`] | the OpenAPI document as a judge of every answer |
//! | [`Figures`] | metrics, read from their text, strictly |
//! | [`Wire`] | a connection for what no client library would send |
//! | [`Tokens`] | the tokens of users: fake ones in this process, signed ones for the real binary |
//! | [`contract`] | the cases, and the macros that make tests of them |
//!
//! It depends on the domain and on the inbound adapter, and on no other adapter: whoever starts the real binary over a
//! database gives the address to [`Api::at`].
#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::missing_panics_doc,
    clippy::must_use_candidate,
    clippy::panic,
    reason = "in tests a broken set-up should panic, and some answers are looked at only for what the look asserts"
)]

mod api;
mod clock;
pub mod contract;
mod description;
mod exposition;
mod memory;
mod tokens;
mod unread;
mod users;
mod wire;

pub use api::{Api, http_client};
pub use clock::SystemClock;
pub use description::{Description, description};
pub use exposition::{Figures, Labels, Sample};
pub use memory::Parts;
pub use tokens::{SECRET, SignedTokens, Tokens, signed, signed_with, token_for, token_signed_with};
pub use unread::{unread, unread_by};
pub use users::{Answer, User};
pub use wire::Wire;

/// The path of a task.
#[must_use]
pub fn path_of(task: &serde_json::Value) -> String {
    format!("/api/tasks/{}", task["id"].as_str().expect("an id"))
}
