//! Why a setting is refused.

use std::fmt::Display;

use thiserror::Error;

/// A setting that cannot be used. Names the variable, never its value.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{variable} {reason}{}", if *is_quoted { QUOTED } else { "" })]
pub struct ConfigError {
    variable: &'static str,
    reason: String,
    is_quoted: bool,
}

/// Why a value that looks right is often none.
const QUOTED: &str = " (it is in quotation marks, and they are a part of it: remove them)";

impl ConfigError {
    /// Why a variable is refused: the rest of a sentence that begins with its name.
    pub fn new(variable: &'static str, reason: impl Into<String>) -> Self {
        Self {
            variable,
            reason: reason.into(),
            is_quoted: false,
        }
    }

    /// Says that the value is in quotation marks.
    pub(super) fn of_quoted(self) -> Self {
        Self {
            is_quoted: true,
            ..self
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
