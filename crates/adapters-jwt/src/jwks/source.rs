//! Where the key set comes from.

use std::time::Duration;

use std::error::Error as StdError;

use async_trait::async_trait;
use domain::Cause;
use thiserror::Error;

/// Fetches the document of a key set, once for each call.
///
/// Time limits and the pauses between calls are not its business.
#[async_trait]
pub trait KeySetSource: Send + Sync + 'static {
    /// Fetches the document as it is now.
    ///
    /// # Errors
    /// There is no document to be had, or none that anyone should read.
    async fn fetch(&self) -> Result<Vec<u8>, FetchFailed>;
}

/// Why there is no new key set. Shows no credentials.
#[derive(Debug, Error)]
pub enum FetchFailed {
    /// No one answered in time.
    #[error("there was no answer in time")]
    TimedOut,
    /// The connection could not be made, or broke.
    #[error("the server cannot be reached: {}", root_of(.0.as_ref()))]
    Unreachable(Cause),
    /// The server asks for fewer requests (status 429).
    #[error("the server refuses so many requests (429)")]
    TooManyRequests {
        /// How long it wants us to wait, if it says so.
        retry_after: Option<Duration>,
    },
    /// Another answer than 200. A redirection is one of them: it is not followed.
    #[error("the server answered with status {0}")]
    Status(u16),
    /// Larger than 1 MiB.
    #[error("the answer is too large")]
    TooLarge,
    /// Not a JSON Web Key Set.
    #[error("the answer is no JSON Web Key Set")]
    NoKeySet,
    /// A JSON Web Key Set in which no key can verify tokens.
    #[error("the key set has no key that tokens may be signed with")]
    NoUsableKey,
}

impl FetchFailed {
    /// The kind of failure, as a stable code for the log.
    #[must_use]
    pub fn class(&self) -> &'static str {
        match self {
            Self::TimedOut => "timed_out",
            Self::Unreachable(_) => "unreachable",
            Self::TooManyRequests { .. } => "too_many_requests",
            Self::Status(_) => "status",
            Self::TooLarge => "too_large",
            Self::NoKeySet => "no_key_set",
            Self::NoUsableKey => "no_usable_key",
        }
    }
}

/// The error at the end of the chain: what the machine said.
fn root_of<'e>(error: &'e (dyn StdError + 'static)) -> &'e (dyn StdError + 'static) {
    error.source().map_or(error, root_of)
}
