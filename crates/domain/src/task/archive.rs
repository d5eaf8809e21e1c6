use async_trait::async_trait;

use super::{IdempotencyKey, Task, TaskId};
use crate::identity::Owner;
use crate::storage::StorageError;

/// What operators do with stored tasks and requests never do: carry them to another storage, and remove all of a user.
///
/// Every call is one atomic change, and no call reaches a task without naming its owner; [`TaskArchive::next_owner`]
/// reaches none. A success MUST be durable before it is answered. A call may take longer than a request waits. The
/// contract that every implementation passes is in `domain::testing::contract`.
#[async_trait]
pub trait TaskArchive: Send + Sync {
    /// The owner of tasks that comes right after this one, or the very first, in the byte order of their user ids.
    ///
    /// # Errors
    /// If the storage fails.
    async fn next_owner(&self, after: Option<&Owner>) -> Result<Option<Owner>, StorageError>;

    /// How many tasks the owner has.
    ///
    /// # Errors
    /// If the storage fails.
    async fn count(&self, owner: &Owner) -> Result<u64, StorageError>;

    /// The owner's tasks behind an id, or from the first one on, at most so many, in ascending order of their ids.
    ///
    /// # Errors
    /// If the storage fails.
    async fn export(
        &self,
        owner: &Owner,
        after: Option<TaskId>,
        limit: u16,
    ) -> Result<Vec<ArchivedTask>, StorageError>;

    /// Stores tasks as they are, all or none of them, each with its own owner, and returns how many were new. A task
    /// whose id or idempotency key its owner has in use is passed over: what is stored MUST NOT change.
    ///
    /// # Errors
    /// If the storage fails.
    async fn import(&self, tasks: Vec<ArchivedTask>) -> Result<u64, StorageError>;

    /// Removes the owner's oldest tasks for good, at most so many, and returns how many there were.
    ///
    /// # Errors
    /// If the storage fails.
    async fn erase(&self, owner: &Owner, limit: u16) -> Result<u64, StorageError>;
}

/// Everything that is stored of a task.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ArchivedTask {
    /// The task, with its version and its times.
    pub task: Task,
    /// The key of its creation.
    pub key: Option<IdempotencyKey>,
}
