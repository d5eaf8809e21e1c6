use async_trait::async_trait;
use chrono::{DateTime, Utc};

use super::{
    IdempotencyKey, InsertError, Page, StatusSet, Summary, Task, TaskChange, TaskFilter, TaskId, TaskQuery,
    UpdateError, Version,
};
use crate::identity::Owner;
use crate::storage::StorageError;

/// Keeps tasks.
///
/// Every call is one atomic change, and no call reaches a task without naming its owner. A success MUST be
/// durable before it is answered. The contract that every implementation passes is
/// `domain::testing::contract`.
#[cfg_attr(feature = "testing", mockall::automock)]
#[async_trait]
pub trait TaskRepository: Send + Sync {
    /// Stores a new task, and with it the idempotency key of its creation.
    ///
    /// If the owner already has a task with that key and the same fingerprint, nothing is stored and that task is
    /// answered as it is now, whatever the id of the new one: the key is looked at before the id. Of callers that use
    /// one key at the same time, exactly one stores.
    ///
    /// # Errors
    /// MUST return [`InsertError::IdempotencyKeyReused`] if the key is stored with another fingerprint, and
    /// [`InsertError::AlreadyExists`] if the owner already has a task with that id.
    async fn insert(&self, task: &Task, key: Option<IdempotencyKey>) -> Result<Inserted, InsertError>;

    /// The task with that id, or `None` if this owner has no such task, whether or not another user has.
    ///
    /// # Errors
    /// If the storage fails.
    async fn find(&self, owner: &Owner, id: TaskId) -> Result<Option<Task>, StorageError>;

    /// A page of the owner's tasks that match the filter, in the order of the query: by the sort key, then by id, both
    /// in one direction. Walking from cursor to cursor MUST neither skip nor repeat a task that exists all the while
    /// with the same sort key. The filter applies before the page is cut.
    ///
    /// # Errors
    /// If the storage fails.
    async fn list(&self, owner: &Owner, query: &TaskQuery) -> Result<Page, StorageError>;

    /// How many of the owner's tasks match the filter.
    ///
    /// # Errors
    /// If the storage fails.
    async fn count(&self, owner: &Owner, filter: &TaskFilter) -> Result<u64, StorageError>;

    /// How many tasks the owner has, by status.
    ///
    /// # Errors
    /// If the storage fails.
    async fn summary(&self, owner: &Owner) -> Result<Summary, StorageError>;

    /// Changes a task to what [`Task::changed`] says and answers it. Fields that the change keeps MUST NOT be
    /// written back from an earlier read. `now` is in whole microseconds.
    ///
    /// # Errors
    /// MUST return [`UpdateError::NotFound`] if this owner has no such task, and
    /// [`UpdateError::VersionMismatch`] if the task is at none of the expected versions; of callers that
    /// expect the same version and really change something, exactly one MUST win.
    async fn update(
        &self,
        owner: &Owner,
        id: TaskId,
        change: &TaskChange,
        expected: &Expected,
        now: DateTime<Utc>,
    ) -> Result<Task, UpdateError>;

    /// Removes a task for good.
    ///
    /// # Errors
    /// As [`TaskRepository::update`].
    async fn delete(&self, owner: &Owner, id: TaskId, expected: &Expected) -> Result<(), UpdateError>;

    /// Removes all of the owner's tasks with one of these statuses for good, all or none of them, and returns how many
    /// there were.
    ///
    /// # Errors
    /// If the storage fails.
    async fn delete_with_status(&self, owner: &Owner, statuses: &StatusSet) -> Result<u64, StorageError>;
}

/// What became of an insertion.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Inserted {
    /// The task is stored.
    New,
    /// The key was used before for the same creation: here is the task that it made, as it is now.
    Replayed(Task),
}

/// The versions at which a caller is willing to change a task.
///
/// ```
/// use domain::task::{Expected, Version};
///
/// let expected = Expected::OneOf(vec![Version::FIRST]);
/// assert!(expected.allows(Version::FIRST));
/// assert!(!expected.allows(Version::FIRST.next()));
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Expected {
    /// Whatever it is.
    Any,
    /// One of these; an empty list matches nothing.
    OneOf(Vec<Version>),
}

impl Expected {
    /// Whether a task at this version may be changed.
    #[must_use]
    pub fn allows(&self, version: Version) -> bool {
        match self {
            Self::Any => true,
            Self::OneOf(versions) => versions.contains(&version),
        }
    }
}
