//! The failure behind an error.

use std::error::Error;

/// The underlying failure behind one of our errors: for the log, never for a client.
pub type Cause = Box<dyn Error + Send + Sync>;

/// An error and everything behind it, outermost first, in one line.
#[must_use]
pub fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(error) = next {
        text.push_str(": ");
        text.push_str(&error.to_string());
        next = error.source();
    }
    text
}
