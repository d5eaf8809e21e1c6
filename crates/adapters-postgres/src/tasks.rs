//! The ports: which statements each call is, and in which lane.

mod archive;
mod lists;
mod row;
mod statements;

use std::sync::Arc;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel_async::RunQueryDsl;
use domain::Cause;
use domain::health::StorageHealth;
use domain::identity::Owner;
use domain::storage::StorageError;
use domain::task::{
    Expected, IdempotencyKey, InsertError, Inserted, Page, StatusSet, Summary, Task, TaskChange, TaskFilter,
    TaskId, TaskQuery, TaskRepository, UpdateError,
};
use thiserror::Error;

pub use archive::PostgresTaskArchive;

use crate::call::{Call, Executor};
use crate::lanes::Lane;
use crate::retry::Repeat;
use crate::schema::tasks;
use crate::search::Letters;
use row::{InsertTask, TaskRow, UpdateTask};
use statements::{AskWhetherReadOnly, FindTask, LookAtTable};

/// Keeps tasks in PostgreSQL, over the connections of one worker.
#[derive(Clone)]
pub struct PostgresTaskRepository {
    executor: Arc<Executor>,
    letters: Letters,
}

impl PostgresTaskRepository {
    pub(crate) fn new(executor: Executor, letters: Letters) -> Self {
        Self {
            executor: Arc::new(executor),
            letters,
        }
    }
}

#[async_trait]
impl TaskRepository for PostgresTaskRepository {
    async fn insert(&self, task: &Task, key: Option<IdempotencyKey>) -> Result<Inserted, InsertError> {
        let call = self.executor.begin(task.owner())?;
        // Twice, because the task that holds the key may be deleted between the refusal and our look at it.
        for _ in 0..2 {
            match try_insert(&call, task, key.as_ref()).await? {
                TriedInsert::Stored => return Ok(Inserted::New),
                TriedInsert::PerhapsStoredBefore if find(&call, task.owner(), task.id()).await?.is_some() => {
                    return Ok(Inserted::New);
                }
                TriedInsert::PerhapsStoredBefore | TriedInsert::InTheWay => {}
            }
            let Some(key) = &key else { break };
            if let Some((row, fingerprint)) = holder_of(&call, task.owner(), key).await? {
                return if fingerprint.as_deref() == Some(&key.fingerprint().0) {
                    Ok(Inserted::Replayed(row.into_task(task.owner())?))
                } else {
                    Err(InsertError::IdempotencyKeyReused)
                };
            }
        }
        Err(InsertError::AlreadyExists)
    }

    async fn find(&self, owner: &Owner, id: TaskId) -> Result<Option<Task>, StorageError> {
        find(&self.executor.begin(owner)?, owner, id).await
    }

    async fn list(&self, owner: &Owner, query: &TaskQuery) -> Result<Page, StorageError> {
        lists::list(&self.executor.begin(owner)?, owner, query, self.letters).await
    }

    async fn count(&self, owner: &Owner, filter: &TaskFilter) -> Result<u64, StorageError> {
        lists::count(&self.executor.begin(owner)?, owner, filter, self.letters).await
    }

    async fn summary(&self, owner: &Owner) -> Result<Summary, StorageError> {
        lists::summary(&self.executor.begin(owner)?, owner).await
    }

    async fn update(
        &self,
        owner: &Owner,
        id: TaskId,
        change: &TaskChange,
        expected: &Expected,
        now: DateTime<Utc>,
    ) -> Result<Task, UpdateError> {
        let versions = version_numbers(expected);
        let call = self.executor.begin(owner)?;
        let statement = UpdateTask::of(owner, id, change, now, versions.as_deref());
        if versions.is_none() {
            match try_update(&call, statement).await? {
                TriedUpdate::Done(row) => return Ok(row.into_task(owner)?),
                TriedUpdate::PerhapsDoneBefore => {
                    return Ok(done_before(&call, owner, id, change, now).await?);
                }
                // Gone, or changed at our time or later: by a server whose clock is ahead, or by a request that
                // overtook us.
                TriedUpdate::NoneBefore => {}
            }
        }
        let rows = call.run(Lane::Work, Repeat::Never, |attempt| {
            let statement = statement.at_any_time();
            async move { statement.load::<TaskRow>(&mut attempt.connection()).await }
        });
        match rows.await?.into_iter().next() {
            Some(row) => Ok(row.into_task(owner)?),
            None => Err(why_unmet(&call, owner, id, expected).await),
        }
    }

    async fn delete(&self, owner: &Owner, id: TaskId, expected: &Expected) -> Result<(), UpdateError> {
        let call = self.executor.begin(owner)?;
        let versions = version_numbers(expected);
        let deleted = call.run(Lane::Work, Repeat::Never, |attempt| {
            let versions = versions.as_deref();
            async move {
                let statement = diesel::delete(
                    tasks::table
                        .filter(tasks::user_id.eq(owner.as_str()))
                        .filter(tasks::id.eq(id.as_uuid())),
                );
                match versions {
                    None => statement.execute(&mut attempt.connection()).await,
                    Some(versions) => {
                        let statement = statement.filter(tasks::version.eq_any(versions));
                        statement.execute(&mut attempt.connection()).await
                    }
                }
            }
        });
        if deleted.await? == 1 {
            Ok(())
        } else {
            Err(why_unmet(&call, owner, id, expected).await)
        }
    }

    async fn delete_with_status(&self, owner: &Owner, statuses: &StatusSet) -> Result<u64, StorageError> {
        lists::delete_with_status(&self.executor.begin(owner)?, owner, statuses).await
    }
}

/// The outcome of an attempt to store a row.
enum TriedInsert {
    Stored,
    /// A row is in the way. It may be this very one, stored by a first run whose outcome is unknown.
    PerhapsStoredBefore,
    /// A row with its id or its key is in the way.
    InTheWay,
}

/// Stores a row unless another one is in the way; waits for the end of a transaction that is about to store that one.
async fn try_insert(
    call: &Call<'_>,
    task: &Task,
    key: Option<&IdempotencyKey>,
) -> Result<TriedInsert, StorageError> {
    // Without a key a second run could bring back a task that was deleted since the first.
    let repeat = if key.is_some() {
        Repeat::Insert
    } else {
        Repeat::Never
    };
    let tried = call.run(Lane::Work, repeat, |attempt| async move {
        let stored = InsertTask::of(task, key)
            .execute(&mut attempt.connection())
            .await?;
        Ok(if stored == 1 {
            TriedInsert::Stored
        } else if attempt.may_have_happened() {
            TriedInsert::PerhapsStoredBefore
        } else {
            TriedInsert::InTheWay
        })
    });
    tried.await
}

/// The outcome of an attempt to change a row that was last changed before the time of the change.
enum TriedUpdate {
    Done(TaskRow),
    /// There is no such row. It may be that a first run whose outcome is unknown has changed it.
    PerhapsDoneBefore,
    /// There is no such row.
    NoneBefore,
}

async fn try_update(call: &Call<'_>, statement: UpdateTask<'_, false>) -> Result<TriedUpdate, StorageError> {
    let tried = call.run(Lane::Work, Repeat::Dated, |attempt| async move {
        let rows = statement.load::<TaskRow>(&mut attempt.connection()).await?;
        Ok(match rows.into_iter().next() {
            Some(row) => TriedUpdate::Done(row),
            None if attempt.may_have_happened() => TriedUpdate::PerhapsDoneBefore,
            None => TriedUpdate::NoneBefore,
        })
    });
    tried.await
}

/// The task, if a first run whose outcome is unknown has left it as it is now.
async fn done_before(
    call: &Call<'_>,
    owner: &Owner,
    id: TaskId,
    change: &TaskChange,
    now: DateTime<Utc>,
) -> Result<Task, StorageError> {
    let task = find(call, owner, id).await?;
    let is_ours = |task: &Task| task.parts().updated_at == now && task.changed(change, now) == *task;
    // Whatever it is like instead, and also if it is gone: others may have done that before our first run or after it.
    task.filter(is_ours)
        .ok_or_else(|| StorageError::Unavailable(Box::new(OutcomeUnknown)))
}

/// A change was sent over a connection that was lost, and what is there now does not tell what became of it.
#[derive(Debug, Error)]
#[error("the connection was lost, and whether the change was made cannot be told from the task")]
struct OutcomeUnknown;

async fn find(call: &Call<'_>, owner: &Owner, id: TaskId) -> Result<Option<Task>, StorageError> {
    let rows = call.run(Lane::Read, Repeat::Read, |attempt| async move {
        let statement = FindTask {
            user_id: owner.as_str(),
            id: id.as_uuid(),
        };
        statement.load::<TaskRow>(&mut attempt.connection()).await
    });
    let row = rows.await?.into_iter().next();
    row.map(|row| row.into_task(owner)).transpose()
}

/// The task that an earlier creation with this key made, with the fingerprint of that creation.
async fn holder_of(
    call: &Call<'_>,
    owner: &Owner,
    key: &IdempotencyKey,
) -> Result<Option<(TaskRow, Option<Vec<u8>>)>, StorageError> {
    let rows = call.run(Lane::Work, Repeat::Read, |attempt| async move {
        let statement = tasks::table
            .filter(tasks::user_id.eq(owner.as_str()))
            .filter(tasks::idempotency_key.eq(key.as_str()))
            .select((TaskRow::as_select(), tasks::idempotency_fingerprint));
        statement.load(&mut attempt.connection()).await
    });
    Ok(rows.await?.into_iter().next())
}

/// Why a change met no row: the task is at another version, or there is no such task.
async fn why_unmet(call: &Call<'_>, owner: &Owner, id: TaskId, expected: &Expected) -> UpdateError {
    if *expected == Expected::Any {
        return UpdateError::NotFound;
    }
    match find(call, owner, id).await {
        Ok(Some(task)) => UpdateError::VersionMismatch {
            current: task.version(),
        },
        Ok(None) => UpdateError::NotFound,
        Err(error) => error.into(),
    }
}

#[async_trait]
impl StorageHealth for PostgresTaskRepository {
    /// Whether the table is as we need it, and whether the server writes. Touches no row.
    async fn check(&self) -> Result<(), StorageError> {
        let call = self.executor.begin_check();
        let looked = call.run(Lane::Read, Repeat::Read, |attempt| async move {
            LookAtTable.execute(&mut attempt.connection()).await
        });
        looked.await.map_err(|error| match error {
            // A database that we reach but cannot work with is not there for us.
            StorageError::Unexpected(cause) => StorageError::Unavailable(Box::new(NotOurTable(cause))),
            error => error,
        })?;
        let asked = call.run(Lane::Read, Repeat::Read, |attempt| async move {
            let answers = AskWhetherReadOnly
                .load::<(bool, bool)>(&mut attempt.connection())
                .await?;
            let (is_standby, is_read_only) = answers.into_iter().next().unwrap_or_default();
            if is_read_only {
                // A session keeps the setting with which it began: the next look is through another one.
                attempt.retire_connection();
            }
            Ok((is_standby, is_read_only))
        });
        match asked.await? {
            (true, _) => Err(StorageError::Unavailable(Box::new(ReadOnly::Standby))),
            (false, true) => Err(StorageError::Unavailable(Box::new(ReadOnly::BySetting))),
            (false, false) => Ok(()),
        }
    }

    fn is_degraded(&self) -> bool {
        self.executor.is_degraded()
    }
}

/// The table is missing, or not as this program needs it.
#[derive(Debug, Error)]
#[error("the table of tasks cannot be used (run `task-api migrate`): {0}")]
struct NotOurTable(Cause);

/// The server replies and every change would be refused.
#[derive(Debug, Error)]
enum ReadOnly {
    #[error(
        "the database is a standby or a read-only replica: DATABASE_URL must lead to the server that writes"
    )]
    Standby,
    #[error("the database is read-only (default_transaction_read_only)")]
    BySetting,
}

fn version_numbers(expected: &Expected) -> Option<Vec<i32>> {
    match expected {
        Expected::Any => None,
        Expected::OneOf(versions) => Some(versions.iter().map(|version| version.get()).collect()),
    }
}
