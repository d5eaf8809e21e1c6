//! The keys that tokens are verified with. A key knows its algorithm; the token's header never chooses it.

mod public_key;
mod shared_secret;

use jsonwebtoken::crypto::{CryptoProvider, aws_lc};

pub(crate) use public_key::{PublicKey, UnusableKey};
pub use shared_secret::{InvalidSecret, SharedSecret};

/// Every key calls this when it is made, so no signature is ever computed without a provider. Left to itself,
/// jsonwebtoken guesses it from its Cargo features, and panics at the first token if another crate switched on a second
/// one. An error means that the process has chosen its provider already, which is as good.
fn choose_provider() {
    let _ = CryptoProvider::install_default(&aws_lc::DEFAULT_PROVIDER);
}
