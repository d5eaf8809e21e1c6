//! Why a setting is refused.

use std::fmt::Display;

use thiserror::Error;

/// A setting that cannot be used. Names the variable, never its value.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{variable} {reason}")]
pub struct ConfigError {
    variable: &'static str,
    reason: String,
}

impl ConfigError {
    /// Why a variable is refused: the rest of a sentence that begins with its name.
    pub fn new(variable: &'static str, reason: impl Into<String>) -> Self {
        Self {
            variable,
            reason: reason.into(),
        }
    }

    /// The name of the variable.
    #[must_use]
    pub fn variable(&self) -> &'static str {
        self.variable
    }
}

pub(super) fn unusable(variable: &'static str, error: impl Display) -> ConfigError {
    ConfigError::new(variable, format!("cannot be used: {error}"))
}
