//! Whether the storage answers, as a port.

use async_trait::async_trait;

use crate::storage::StorageError;

/// Asks the storage how it is.
#[cfg_attr(feature = "testing", mockall::automock)]
#[async_trait]
pub trait StorageHealth: Send + Sync {
    /// Runs one trivial query on what the tasks are kept in.
    ///
    /// # Errors
    /// Whatever kept the query from succeeding; it MUST return within the adapter's own time limits.
    async fn check(&self) -> Result<(), StorageError>;

    /// Whether the most recent use of the storage by this process failed to reach it, or found it unable to work. A
    /// storage that answers is healthy, also when a table is missing or a row is corrupt: finding out about the tables
    /// is the business of [`StorageHealth::check`]. MUST NOT touch the storage.
    fn is_degraded(&self) -> bool;
}
