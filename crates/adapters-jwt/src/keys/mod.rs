//! The keys that tokens are verified with. A key knows its algorithm; the token's header never chooses it.

mod provider;
mod public_key;
mod shared_secret;

pub(crate) use public_key::{PublicKey, UnusableKey};
pub use shared_secret::{InvalidSecret, SharedSecret};
