//! Fresh task ids, as a port: nothing else in the domain is random.

use chrono::{DateTime, Utc};

use crate::task::TaskId;

/// Makes the ids of new tasks.
pub trait TaskIds: Send + Sync {
    /// A new id that carries the millisecond of `now` and MUST differ from every other id ever made.
    fn next(&self, now: DateTime<Utc>) -> TaskId;
}
