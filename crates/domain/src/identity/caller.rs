//! A user whose token was verified.

use chrono::{DateTime, Utc};

use super::Owner;

/// A user whose token was verified.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caller {
    /// Whose tasks this caller may see and change: their own and no others.
    pub owner: Owner,
    /// `exp` of the token. A verifier with a leeway accepts the token for as much longer, so this may have passed.
    pub expires_at: DateTime<Utc>,
    /// The `iss` claim of the token, if it has one.
    pub issuer: Option<String>,
}
