//! The port of operators: statements about all tasks of an owner, batch by batch.

use std::time::Duration;

use async_trait::async_trait;
use diesel::prelude::*;
use domain::identity::Owner;
use domain::storage::{StorageError, corrupt};
use domain::task::{ArchivedTask, TaskArchive, TaskFilter, TaskId};
use uuid::Uuid;

use super::row::ArchivedRow;
use super::{lists, statements};
use crate::error::JobError;
use crate::lanes::Lanes;
use crate::queue::Lane;
use crate::schema::tasks;

/// How long a call waits for its answer: a batch is larger than anything that a request asks for.
const TIMEOUT: Duration = Duration::from_secs(60);

/// Carries tasks into the database that it came from and out of it, through the same lanes as requests. Its calls
/// answer what those of [`SqliteTaskRepository`](crate::SqliteTaskRepository) may answer, after a longer wait.
pub struct SqliteTaskArchive {
    lanes: Lanes,
}

impl SqliteTaskArchive {
    pub(crate) fn new(lanes: &Lanes) -> Self {
        Self {
            lanes: lanes.with_call_timeout(TIMEOUT),
        }
    }
}

#[async_trait]
impl TaskArchive for SqliteTaskArchive {
    async fn next_owner(&self, after: Option<&Owner>) -> Result<Option<Owner>, StorageError> {
        let after = after.cloned();
        self.lanes
            .call(Lane::Read, None, move |connection| {
                next_owner(connection, after.as_ref())
            })
            .await
    }

    async fn count(&self, owner: &Owner) -> Result<u64, StorageError> {
        let owner = owner.clone();
        self.lanes
            .call(Lane::Read, None, move |connection| {
                lists::count(connection, &owner, &TaskFilter::default())
            })
            .await
    }

    async fn export(
        &self,
        owner: &Owner,
        after: Option<TaskId>,
        limit: u16,
    ) -> Result<Vec<ArchivedTask>, StorageError> {
        let owner = owner.clone();
        self.lanes
            .call(Lane::Read, None, move |connection| {
                export(connection, &owner, after, limit)
            })
            .await
    }

    async fn import(&self, tasks: Vec<ArchivedTask>) -> Result<u64, StorageError> {
        self.lanes
            .call(Lane::Write, None, move |connection| import(connection, &tasks))
            .await
    }

    async fn erase(&self, owner: &Owner, limit: u16) -> Result<u64, StorageError> {
        let owner = owner.clone();
        self.lanes
            .call(Lane::Write, None, move |connection| {
                erase(connection, &owner, limit)
            })
            .await
    }
}

fn next_owner(connection: &mut SqliteConnection, after: Option<&Owner>) -> Result<Option<Owner>, JobError> {
    let user_id: Option<String> = tasks::table
        .select(tasks::user_id)
        // No user id is empty.
        .filter(tasks::user_id.gt(after.map_or("", Owner::as_str)))
        .order(tasks::user_id)
        .limit(1)
        .get_result(connection)
        .optional()?;
    let owner = user_id.as_deref().map(Owner::parse).transpose();
    Ok(owner.map_err(corrupt("user_id"))?)
}

fn export(
    connection: &mut SqliteConnection,
    owner: &Owner,
    after: Option<TaskId>,
    limit: u16,
) -> Result<Vec<ArchivedTask>, JobError> {
    // The nil UUID comes before every id.
    let after = after.map_or(Uuid::nil(), TaskId::as_uuid).into_bytes();
    let rows = tasks::table
        .filter(tasks::user_id.eq(owner.as_str()))
        .filter(tasks::id.gt(after))
        .order(tasks::id)
        .limit(limit.into())
        .select(ArchivedRow::as_select())
        .load(connection)?;
    let archived: Result<_, _> = rows.into_iter().map(|row| row.into_archived(owner)).collect();
    Ok(archived?)
}

/// In the one transaction that every job of the write lane is.
fn import(connection: &mut SqliteConnection, archived: &[ArchivedTask]) -> Result<u64, JobError> {
    let mut new = 0;
    for ArchivedTask { task, key } in archived {
        new += u64::from(statements::store(connection, task, key.as_ref())?);
    }
    Ok(new)
}

fn erase(connection: &mut SqliteConnection, owner: &Owner, limit: u16) -> Result<u64, JobError> {
    let oldest = diesel::alias!(tasks as oldest);
    let oldest = oldest
        .filter(oldest.field(tasks::user_id).eq(owner.as_str()))
        .order(oldest.field(tasks::id))
        .limit(limit.into())
        .select(oldest.field(tasks::id));
    let doomed = tasks::table
        .filter(tasks::user_id.eq(owner.as_str()))
        .filter(tasks::id.eq_any(oldest));
    Ok(diesel::delete(doomed).execute(connection)? as u64)
}
