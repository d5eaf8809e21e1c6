use async_trait::async_trait;
use chrono::{DateTime, Utc};
use thiserror::Error;

use super::{
    IdempotencyKey, Page, StatusSet, Summary, Task, TaskChange, TaskFilter, TaskId, TaskQuery, Version,
};
use crate::Cause;
use crate::identity::Owner;

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
    /// MUST answer [`RepositoryError::IdempotencyKeyReused`] if the key is stored with another fingerprint, and
    /// [`RepositoryError::AlreadyExists`] if the owner already has a task with that id.
    async fn insert(&self, task: &Task, key: Option<IdempotencyKey>) -> Result<Inserted, RepositoryError>;

    /// The task with that id, or `None` if this owner has no such task, whether or not somebody else has.
    ///
    /// # Errors
    /// Trouble with the storage only.
    async fn find(&self, owner: &Owner, id: TaskId) -> Result<Option<Task>, RepositoryError>;

    /// A page of the owner's tasks that match the filter, in the order of the query: by the sort key, then by id, both
    /// in one direction. Walking from cursor to cursor MUST neither skip nor repeat a task that exists all the while
    /// with the same sort key. The filter applies before the page is cut.
    ///
    /// # Errors
    /// Trouble with the storage only.
    async fn list(&self, owner: &Owner, query: &TaskQuery) -> Result<Page, RepositoryError>;

    /// How many of the owner's tasks match the filter.
    ///
    /// # Errors
    /// Trouble with the storage only.
    async fn count(&self, owner: &Owner, filter: &TaskFilter) -> Result<u64, RepositoryError>;

    /// How many tasks the owner has, by status.
    ///
    /// # Errors
    /// Trouble with the storage only.
    async fn summary(&self, owner: &Owner) -> Result<Summary, RepositoryError>;

    /// Changes a task to what [`Task::changed`] says and answers it. Fields that the change keeps MUST NOT be
    /// written back from an earlier read. `now` is in whole microseconds.
    ///
    /// # Errors
    /// MUST answer [`RepositoryError::NotFound`] if this owner has no such task, and
    /// [`RepositoryError::VersionMismatch`] if the task is at none of the expected versions; of callers that
    /// expect the same version and really change something, exactly one MUST win.
    async fn update(
        &self,
        owner: &Owner,
        id: TaskId,
        change: &TaskChange,
        expected: &Expected,
        now: DateTime<Utc>,
    ) -> Result<Task, RepositoryError>;

    /// Removes a task for good.
    ///
    /// # Errors
    /// As [`TaskRepository::update`].
    async fn delete(&self, owner: &Owner, id: TaskId, expected: &Expected) -> Result<(), RepositoryError>;

    /// Removes all of the owner's tasks with one of these statuses for good, all or none of them, and answers how many
    /// there were.
    ///
    /// # Errors
    /// Trouble with the storage only.
    async fn delete_with_status(&self, owner: &Owner, statuses: &StatusSet) -> Result<u64, RepositoryError>;
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

/// What a storage can answer besides success.
#[derive(Debug, Error)]
pub enum RepositoryError {
    /// The owner already has a task with that id.
    #[error("a task with this id is already stored")]
    AlreadyExists,
    /// The owner has no such task.
    #[error("the owner has no such task")]
    NotFound,
    /// The task is at none of the expected versions.
    #[error("the task is at version {current}")]
    VersionMismatch {
        /// Where it is.
        current: Version,
    },
    /// The idempotency key is stored with another fingerprint.
    #[error("the idempotency key is stored with another fingerprint")]
    IdempotencyKeyReused,
    /// The storage refused a value that the domain let through: a rule is missing in one of the two.
    #[error("the storage refused a value")]
    Refused(#[source] Cause),
    /// Too many callers use or wait for the storage; this one was turned away before it began.
    #[error("too many callers use the storage")]
    Busy,
    /// The storage took too long. Whether the change happened is not known.
    #[error("the storage took too long")]
    TimedOut(#[source] Cause),
    /// The storage is out of reach. Whether a change that was under way happened is not known.
    #[error("the storage is out of reach")]
    Unavailable(#[source] Cause),
    /// A stored row breaks a rule of the domain.
    #[error("a stored row breaks a rule")]
    Corrupt(#[source] Cause),
    /// A failure that should not exist.
    #[error("the storage failed in an unforeseen way")]
    Unexpected(#[source] Cause),
}

impl RepositoryError {
    /// Every class of failures, for metrics and logs.
    pub const CLASSES: [&str; 6] = [
        "pool_exhausted",
        "timeout",
        "connection",
        "refused",
        "corrupt",
        "unexpected",
    ];

    /// The class of a failure of the storage; `None` for what it answers in good order.
    #[must_use]
    pub fn class(&self) -> Option<&'static str> {
        match self {
            Self::NotFound | Self::VersionMismatch { .. } | Self::IdempotencyKeyReused => None,
            Self::Busy => Some("pool_exhausted"),
            Self::TimedOut(_) => Some("timeout"),
            Self::Unavailable(_) => Some("connection"),
            Self::Refused(_) => Some("refused"),
            Self::Corrupt(_) => Some("corrupt"),
            Self::AlreadyExists | Self::Unexpected(_) => Some("unexpected"),
        }
    }
}

/// What an adapter makes of a stored value that breaks a rule of the domain: [`RepositoryError::Corrupt`], whose cause names
/// the field and never the value.
pub fn corrupt<E: Into<Cause>>(field: &'static str) -> impl FnOnce(E) -> RepositoryError {
    move |source| {
        let source = source.into();
        RepositoryError::Corrupt(Box::new(ImpossibleValue { field, source }))
    }
}

/// A value that breaks the rules of its field.
#[derive(Debug, Error)]
#[error("a stored task has an impossible {field}")]
struct ImpossibleValue {
    field: &'static str,
    source: Cause,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::task::Status;

    #[test]
    fn a_corrupt_value_is_told_by_its_field_and_never_shown() {
        let error = Status::parse("secret").map_err(corrupt("status")).unwrap_err();
        let RepositoryError::Corrupt(cause) = error else {
            panic!("{error:?}")
        };
        assert_eq!(cause.to_string(), "a stored task has an impossible status");
        assert!(!format!("{cause:?}").contains("secret"));
    }
}
