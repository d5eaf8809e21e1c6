//! The port: which job each call is, and in which lane.

mod archive;
mod lists;
mod row;
mod statements;

use std::sync::Arc;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use domain::Cause;
use domain::health::StorageHealth;
use domain::identity::Owner;
use domain::storage::StorageError;
use domain::task::{
    Expected, IdempotencyKey, InsertError, Inserted, Page, SortKey, StatusSet, Summary, Task, TaskChange,
    TaskFilter, TaskId, TaskQuery, TaskRepository, UpdateError,
};
use thiserror::Error;

pub use archive::SqliteTaskArchive;

use crate::lanes::Lanes;
use crate::queue::Lane;

/// Keeps tasks in the database that it came from. Clones share everything.
///
/// Besides what the port promises, every call may answer
/// * `Busy`, at once, if too many calls wait,
/// * `TimedOut`, if another process holds the database or the call waited too long,
/// * `Unavailable`, if the disk is full, broken or write-protected, or the database is closed.
///
/// A call whose future is dropped before it began is not done.
#[derive(Clone)]
pub struct SqliteTaskRepository {
    lanes: Arc<Lanes>,
}

impl SqliteTaskRepository {
    pub(crate) fn new(lanes: Arc<Lanes>) -> Self {
        Self { lanes }
    }
}

#[async_trait]
impl TaskRepository for SqliteTaskRepository {
    async fn insert(&self, task: &Task, key: Option<IdempotencyKey>) -> Result<Inserted, InsertError> {
        let (owner, task) = (task.owner().clone(), task.clone());
        self.lanes
            .call(Lane::Write, Some(&owner), move |connection| {
                statements::insert(connection, &task, key.as_ref())
            })
            .await
    }

    async fn find(&self, owner: &Owner, id: TaskId) -> Result<Option<Task>, StorageError> {
        let owner = owner.clone();
        self.lanes
            .call(Lane::Read, Some(&owner.clone()), move |connection| {
                statements::find(connection, &owner, id)
            })
            .await
    }

    async fn list(&self, owner: &Owner, query: &TaskQuery) -> Result<Page, StorageError> {
        let (owner, query) = (owner.clone(), query.clone());
        self.lanes
            .call(lane_of(&query), Some(&owner.clone()), move |connection| {
                lists::list(connection, &owner, &query)
            })
            .await
    }

    async fn count(&self, owner: &Owner, filter: &TaskFilter) -> Result<u64, StorageError> {
        let (owner, filter) = (owner.clone(), filter.clone());
        self.lanes
            .call(Lane::Scan, Some(&owner.clone()), move |connection| {
                lists::count(connection, &owner, &filter)
            })
            .await
    }

    async fn summary(&self, owner: &Owner) -> Result<Summary, StorageError> {
        let owner = owner.clone();
        self.lanes
            .call(Lane::Scan, Some(&owner.clone()), move |connection| {
                lists::summary(connection, &owner)
            })
            .await
    }

    async fn update(
        &self,
        owner: &Owner,
        id: TaskId,
        change: &TaskChange,
        expected: &Expected,
        now: DateTime<Utc>,
    ) -> Result<Task, UpdateError> {
        let (owner, change, expected) = (owner.clone(), change.clone(), expected.clone());
        self.lanes
            .call(Lane::Write, Some(&owner.clone()), move |connection| {
                statements::update(connection, &owner, id, &change, &expected, now)
            })
            .await
    }

    async fn delete(&self, owner: &Owner, id: TaskId, expected: &Expected) -> Result<(), UpdateError> {
        let (owner, expected) = (owner.clone(), expected.clone());
        self.lanes
            .call(Lane::Write, Some(&owner.clone()), move |connection| {
                statements::delete(connection, &owner, id, &expected)
            })
            .await
    }

    async fn delete_with_status(&self, owner: &Owner, statuses: &StatusSet) -> Result<u64, StorageError> {
        let (owner, statuses) = (owner.clone(), statuses.clone());
        self.lanes
            .call(Lane::Write, Some(&owner.clone()), move |connection| {
                lists::delete_with_status(connection, &owner, &statuses)
            })
            .await
    }
}

/// Only what the primary key bounds is a short read.
fn lane_of(query: &TaskQuery) -> Lane {
    if query.filter().is_empty() && query.sort().key == SortKey::CreatedAt {
        Lane::Read
    } else {
        Lane::Scan
    }
}

/// The table is missing, or not as this program needs it.
#[derive(Debug, Error)]
#[error("the table of tasks cannot be used (run `task-api migrate`): {0}")]
struct NotOurTable(Cause);

#[async_trait]
impl StorageHealth for SqliteTaskRepository {
    /// Looks for tasks of no one: that needs the file, and the table as we know it.
    async fn check(&self) -> Result<(), StorageError> {
        let looked = self.lanes.call(Lane::Read, None, statements::probe).await;
        looked.map_err(|error| match error {
            // A database that we can open but not work with is not there for us.
            StorageError::Unexpected(cause) => StorageError::Unavailable(Box::new(NotOurTable(cause))),
            error => error,
        })
    }

    fn is_degraded(&self) -> bool {
        self.lanes.is_degraded()
    }
}
