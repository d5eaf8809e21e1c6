//! How it is with the public keys, as plain numbers for anyone who watches the process.

use std::time::Duration;

/// The key set, and the fetching of it since the start.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KeySetStats {
    /// Keys that verify tokens right now; 0 if none was ever fetched or all are too old.
    pub keys: usize,
    /// How long ago the set was fetched last; since the start if it never was.
    pub age: Duration,
    /// Fetches that brought a set.
    pub fetches: u64,
    /// Fetches that brought none.
    pub failures: u64,
}
