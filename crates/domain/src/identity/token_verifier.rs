use async_trait::async_trait;
use thiserror::Error;

use super::{Caller, Refusal, RefusalReason};
use crate::Cause;

/// Decides whether a token proves who is asking.
#[async_trait]
pub trait TokenVerifier: Send + Sync {
    /// Verifies the token of an `Authorization: Bearer` header (the part after the scheme).
    ///
    /// # Errors
    /// MUST answer [`AuthError::Expired`] only for a token that is right in every other respect, and
    /// [`AuthError::KeysUnavailable`] only when the token could not be judged. Everything else that is wrong is
    /// [`AuthError::Invalid`].
    async fn verify(&self, token: &str) -> Result<Caller, AuthError>;
}

/// Why a token did not prove who is asking.
#[derive(Debug, Error)]
pub enum AuthError {
    /// The token is wrong; another one is needed.
    #[error("the token was refused: {0}")]
    Invalid(Refusal),
    /// The token was right until it expired; a fresh one is needed.
    #[error("the token has expired")]
    Expired(Refusal),
    /// The token may be right, but the keys to judge it are out of reach. Not the caller's fault.
    #[error("the keys that verify tokens are not available")]
    KeysUnavailable(#[source] Cause),
}

impl From<Refusal> for AuthError {
    fn from(refusal: Refusal) -> Self {
        if refusal.reason == RefusalReason::Expired {
            Self::Expired(refusal)
        } else {
            Self::Invalid(refusal)
        }
    }
}
