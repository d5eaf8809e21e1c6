//! The time, as a port.

use chrono::{DateTime, Utc};

/// Tells the time.
pub trait Clock: Send + Sync {
    /// The current time. It MUST be in whole microseconds, because that is what every storage can give back
    /// unchanged. It MAY stand still or run backwards; nothing in the domain relies on it growing.
    fn now(&self) -> DateTime<Utc>;
}
