//! The library that computes signatures.

use jsonwebtoken::crypto::{CryptoProvider, aws_lc};

/// Every key calls this when it is made, so no signature is ever computed without a provider. Left to itself,
/// jsonwebtoken guesses it from its Cargo features, and panics at the first token if another crate switched on a second
/// one. An error means that the process has chosen its provider already, which is as good.
pub(super) fn choose_provider() {
    let _ = CryptoProvider::install_default(&aws_lc::DEFAULT_PROVIDER);
}
