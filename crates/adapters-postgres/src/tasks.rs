//! Tasks in PostgreSQL: one statement per operation, its owner in each.

use std::sync::Arc;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use diesel::dsl::{AsSelect, IntoBoxed, Select};
use diesel::pg::Pg;
use diesel::prelude::*;
use diesel_async::RunQueryDsl;
use domain::Cause;
use domain::health::StorageHealth;
use domain::identity::Owner;
use domain::task::{
    Cursor, Description, Direction, Expected, IdempotencyKey, Inserted, Page, Position, RepositoryError,
    Sort, SortKey, Status, StatusSet, Summary, Task, TaskChange, TaskFilter, TaskId, TaskParts, TaskQuery,
    TaskRepository, Title, Version,
};
use uuid::Uuid;

use crate::call::{Call, Executor};
use crate::error::Repeat;
use crate::lanes::Lane;
use crate::schema::tasks;
use crate::search::Letters;
use crate::statements::{FindTask, InsertTask, NewestTasks, UpdateTask};

/// Restricts a selection to the tasks of an owner that match a filter. Each combination of conditions has one text.
/// A macro, because the type of what is selected differs.
macro_rules! matching {
    ($selection:expr, $owner:expr, $filter:expr, $letters:expr) => {{
        let TaskFilter {
            statuses,
            search,
            updated_since,
        } = $filter;
        let mut statement = $selection
            .filter(tasks::user_id.eq($owner.as_str()))
            .into_boxed::<Pg>();
        if let Some(statuses) = statuses {
            statement = statement.filter(tasks::status.eq_any(names_of(statuses)));
        }
        if let Some(term) = search {
            let pattern = term.like_pattern();
            let in_title = $letters.folded(tasks::title).like(pattern.clone());
            let in_description = $letters.folded(tasks::description).like(pattern);
            statement = statement.filter(in_title.nullable().or(in_description));
        }
        if let Some(since) = updated_since {
            statement = statement.filter(tasks::updated_at.ge(*since));
        }
        statement
    }};
}

/// Only what comes after a value of a column, and after an id where that is equal.
macro_rules! after {
    ($statement:expr, $column:expr, $value:expr, $id:expr, $direction:expr) => {
        match $direction {
            Direction::Ascending => {
                $statement.filter($column.gt($value).or($column.eq($value).and(tasks::id.gt($id))))
            }
            Direction::Descending => {
                $statement.filter($column.lt($value).or($column.eq($value).and(tasks::id.lt($id))))
            }
        }
    };
}

/// By a column, then by id, in one direction.
macro_rules! ordered {
    ($statement:expr, $column:expr, $direction:expr) => {
        match $direction {
            Direction::Ascending => $statement.order(($column.asc(), tasks::id.asc())),
            Direction::Descending => $statement.order(($column.desc(), tasks::id.desc())),
        }
    };
}

type TaskRows<'q> = IntoBoxed<'q, Select<tasks::table, AsSelect<TaskRow, Pg>>, Pg>;

/// The rows of a page, and one more.
fn page_of<'q>(owner: &'q Owner, query: &'q TaskQuery, letters: Letters) -> TaskRows<'q> {
    let Sort { key, direction } = query.sort();
    let tasks = tasks::table.select(TaskRow::as_select());
    let mut statement = matching!(tasks, owner, query.filter(), letters);
    if let Some(Cursor { position, id }) = query.after() {
        let id = id.as_uuid();
        statement = match (position, direction) {
            (Position::CreatedAt, Direction::Ascending) => statement.filter(tasks::id.gt(id)),
            (Position::CreatedAt, Direction::Descending) => statement.filter(tasks::id.lt(id)),
            (Position::UpdatedAt(time), direction) => {
                after!(statement, tasks::updated_at, *time, id, direction)
            }
            (Position::Title(title), direction) => {
                after!(statement, tasks::title, title.as_str(), id, direction)
            }
            (Position::Status(status), direction) => {
                after!(statement, tasks::status, status.as_str(), id, direction)
            }
        };
    }
    let statement = match (key, direction) {
        (SortKey::CreatedAt, Direction::Ascending) => statement.order(tasks::id.asc()),
        (SortKey::CreatedAt, Direction::Descending) => statement.order(tasks::id.desc()),
        (SortKey::UpdatedAt, direction) => ordered!(statement, tasks::updated_at, direction),
        (SortKey::Title, direction) => ordered!(statement, tasks::title, direction),
        (SortKey::Status, direction) => ordered!(statement, tasks::status, direction),
    };
    statement.limit(i64::from(query.limit().get()) + 1)
}

/// The statement for the list that nearly everybody asks for: all tasks, the newest first.
fn plain_list<'a>(owner: &'a Owner, query: &TaskQuery) -> Option<NewestTasks<'a>> {
    let is_plain = query.filter().is_empty() && query.sort() == Sort::default();
    is_plain.then(|| NewestTasks {
        user_id: owner.as_str(),
        // Above every id that there is.
        older_than: query.after().map_or(Uuid::max(), |cursor| cursor.id.as_uuid()),
        limit: i64::from(query.limit().get()) + 1,
    })
}

/// Only what the primary key bounds may travel on the shared connection.
fn lane_of(query: &TaskQuery) -> Lane {
    if query.sort().key == SortKey::CreatedAt && query.filter().is_empty() {
        Lane::Read
    } else {
        Lane::Work
    }
}

fn names_of(statuses: &StatusSet) -> Vec<&'static str> {
    statuses.iter().map(Status::as_str).collect()
}

pub(crate) fn row_count(count: i64) -> u64 {
    u64::try_from(count).unwrap_or_default()
}

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
    async fn insert(&self, task: &Task, key: Option<IdempotencyKey>) -> Result<Inserted, RepositoryError> {
        let call = self.executor.begin()?;
        // Twice, because the task that holds the key may be deleted between the refusal and our look at it.
        for _ in 0..2 {
            match try_insert(&call, task, key.as_ref()).await? {
                TriedInsert::Stored => return Ok(Inserted::New),
                // Without a key nothing but our own first run can be in the way of the second.
                TriedInsert::PerhapsStoredBefore
                    if key.is_none() || find(&call, task.owner(), task.id()).await?.is_some() =>
                {
                    return Ok(Inserted::New);
                }
                TriedInsert::PerhapsStoredBefore | TriedInsert::InTheWay => {}
            }
            let Some(key) = &key else { break };
            if let Some((row, fingerprint)) = holder_of(&call, task.owner(), key).await? {
                return if fingerprint.as_deref() == Some(&key.fingerprint().0) {
                    row.into_task(task.owner()).map(Inserted::Replayed)
                } else {
                    Err(RepositoryError::IdempotencyKeyReused)
                };
            }
        }
        Err(RepositoryError::AlreadyExists)
    }

    async fn find(&self, owner: &Owner, id: TaskId) -> Result<Option<Task>, RepositoryError> {
        find(&self.executor.begin()?, owner, id).await
    }

    async fn list(&self, owner: &Owner, query: &TaskQuery) -> Result<Page<Task>, RepositoryError> {
        let call = self.executor.begin()?;
        let rows = match plain_list(owner, query) {
            Some(newest) => {
                let rows = call.run(Lane::Read, Repeat::Read, |attempt| async move {
                    newest.load::<TaskRow>(&mut attempt.connection()).await
                });
                rows.await?
            }
            None => {
                let rows = call.run(lane_of(query), Repeat::Read, |attempt| {
                    let statement = page_of(owner, query, self.letters);
                    async move { statement.load::<TaskRow>(&mut attempt.connection()).await }
                });
                rows.await?
            }
        };
        let items = rows
            .into_iter()
            .map(|row| row.into_task(owner))
            .collect::<Result<_, _>>()?;
        Ok(Page::of_one_more_than_asked(query, items))
    }

    async fn count(&self, owner: &Owner, filter: &TaskFilter) -> Result<u64, RepositoryError> {
        let call = self.executor.begin()?;
        let counts = call.run(Lane::Work, Repeat::Read, |attempt| {
            let count = tasks::table.select(diesel::dsl::count_star());
            let statement = matching!(count, owner, filter, self.letters);
            async move { statement.load::<i64>(&mut attempt.connection()).await }
        });
        Ok(counts
            .await?
            .into_iter()
            .next()
            .map(row_count)
            .unwrap_or_default())
    }

    async fn summary(&self, owner: &Owner) -> Result<Summary, RepositoryError> {
        let call = self.executor.begin()?;
        let rows = call.run(Lane::Work, Repeat::Read, |attempt| {
            let statement = tasks::table
                .filter(tasks::user_id.eq(owner.as_str()))
                .group_by(tasks::status)
                .select((tasks::status, diesel::dsl::count_star()));
            async move { statement.load::<(String, i64)>(&mut attempt.connection()).await }
        });
        let mut summary = Summary::default();
        for (status, count) in rows.await? {
            summary.add(Status::parse(&status).map_err(corrupt)?, row_count(count));
        }
        Ok(summary)
    }

    async fn update(
        &self,
        owner: &Owner,
        id: TaskId,
        change: &TaskChange,
        expected: &Expected,
        now: DateTime<Utc>,
    ) -> Result<Task, RepositoryError> {
        let TaskChange {
            title,
            description,
            status,
        } = change;
        let versions = version_numbers(expected);
        let repeat = if versions.is_none() {
            Repeat::SameValues
        } else {
            Repeat::Never
        };
        let call = self.executor.begin()?;
        let rows = call.run(Lane::Work, repeat, |attempt| {
            let statement = UpdateTask {
                user_id: owner.as_str(),
                id: id.as_uuid(),
                title: title.as_set().map(Title::as_str),
                sets_description: description.as_set().is_some(),
                description: description
                    .as_set()
                    .and_then(Option::as_ref)
                    .map(Description::as_str),
                status: status.as_set().map(|status| status.as_str()),
                now,
                expected_versions: versions.as_deref(),
            };
            async move { statement.load::<TaskRow>(&mut attempt.connection()).await }
        });
        match rows.await?.into_iter().next() {
            Some(row) => row.into_task(owner),
            None => Err(why_unmet(&call, owner, id, expected).await),
        }
    }

    async fn delete(&self, owner: &Owner, id: TaskId, expected: &Expected) -> Result<(), RepositoryError> {
        let call = self.executor.begin()?;
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

    async fn delete_with_status(&self, owner: &Owner, statuses: &StatusSet) -> Result<u64, RepositoryError> {
        let call = self.executor.begin()?;
        let deleted = call.run(Lane::Work, Repeat::Never, |attempt| async move {
            let statement = diesel::delete(
                tasks::table
                    .filter(tasks::user_id.eq(owner.as_str()))
                    .filter(tasks::status.eq_any(names_of(statuses))),
            );
            statement.execute(&mut attempt.connection()).await
        });
        Ok(deleted.await? as u64)
    }
}

/// What became of an attempt to store a row.
enum TriedInsert {
    Stored,
    /// A row is in the way. It may be this very one, stored by a first run that nobody heard of.
    PerhapsStoredBefore,
    /// A row with its id or its key is in the way.
    InTheWay,
}

/// Stores a row unless another one is in the way; waits for the end of a transaction that is about to store that one.
async fn try_insert(
    call: &Call<'_>,
    task: &Task,
    key: Option<&IdempotencyKey>,
) -> Result<TriedInsert, RepositoryError> {
    let tried = call.run(Lane::Work, Repeat::Insert, |attempt| async move {
        let stored = row_of(task.parts(), key)
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

async fn find(call: &Call<'_>, owner: &Owner, id: TaskId) -> Result<Option<Task>, RepositoryError> {
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
) -> Result<Option<(TaskRow, Option<Vec<u8>>)>, RepositoryError> {
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
async fn why_unmet(call: &Call<'_>, owner: &Owner, id: TaskId, expected: &Expected) -> RepositoryError {
    if *expected == Expected::Any {
        return RepositoryError::NotFound;
    }
    match find(call, owner, id).await {
        Ok(Some(task)) => RepositoryError::VersionMismatch {
            current: task.version(),
        },
        Ok(None) => RepositoryError::NotFound,
        Err(error) => error,
    }
}

#[async_trait]
impl StorageHealth for PostgresTaskRepository {
    /// Reads the columns that the statements of tasks use, of a user whom the table cannot have: one look at the index.
    async fn check(&self) -> Result<(), RepositoryError> {
        let call = self.executor.begin()?;
        let looked = call.run(Lane::Read, Repeat::Read, |attempt| async move {
            let statement = tasks::table.filter(tasks::user_id.eq("")).select((
                TaskRow::as_select(),
                tasks::idempotency_key,
                tasks::idempotency_fingerprint,
            ));
            let rows =
                statement.load::<(TaskRow, Option<String>, Option<Vec<u8>>)>(&mut attempt.connection());
            rows.await.map(drop)
        });
        looked.await.map_err(|error| match error {
            // A database that we reach but cannot work with is not there for us.
            RepositoryError::Unexpected(cause) => RepositoryError::Unavailable(Box::new(NotOurTable(cause))),
            error => error,
        })
    }

    fn is_degraded(&self) -> bool {
        self.executor.is_degraded()
    }
}

/// The table is missing, or not as this program needs it.
#[derive(Debug, thiserror::Error)]
#[error("the table of tasks cannot be used (run `task-api migrate`): {0}")]
struct NotOurTable(Cause);

fn version_numbers(expected: &Expected) -> Option<Vec<i32>> {
    match expected {
        Expected::Any => None,
        Expected::OneOf(versions) => Some(versions.iter().map(|version| version.get()).collect()),
    }
}

/// A task as a row, without its owner: whoever reads a row has named the owner in the statement.
#[derive(Queryable, Selectable)]
#[diesel(table_name = tasks, check_for_backend(Pg))]
pub(crate) struct TaskRow {
    id: Uuid,
    title: String,
    description: Option<String>,
    status: String,
    version: i32,
    created_at: DateTime<Utc>,
    updated_at: DateTime<Utc>,
}

impl TaskRow {
    pub(crate) fn into_task(self, owner: &Owner) -> Result<Task, RepositoryError> {
        let Self {
            id,
            title,
            description,
            status,
            version,
            created_at,
            updated_at,
        } = self;
        Task::restore(TaskParts {
            id: TaskId::from_uuid(id).map_err(corrupt)?,
            owner: owner.clone(),
            title: Title::parse(title).map_err(corrupt)?,
            description: description.map(Description::parse).transpose().map_err(corrupt)?,
            status: Status::parse(&status).map_err(corrupt)?,
            version: Version::new(version).map_err(corrupt)?,
            created_at,
            updated_at,
        })
        .map_err(corrupt)
    }
}

pub(crate) fn corrupt(error: impl Into<Cause>) -> RepositoryError {
    RepositoryError::Corrupt(error.into())
}

/// A task as a row to be stored.
fn row_of<'a>(task: &'a TaskParts, key: Option<&'a IdempotencyKey>) -> InsertTask<'a> {
    let TaskParts {
        id,
        owner,
        title,
        description,
        status,
        version,
        created_at,
        updated_at,
    } = task;
    InsertTask {
        user_id: owner.as_str(),
        id: id.as_uuid(),
        created_at: *created_at,
        updated_at: *updated_at,
        version: version.get(),
        status: status.as_str(),
        title: title.as_str(),
        description: description.as_ref().map(Description::as_str),
        idempotency_key: key.map(IdempotencyKey::as_str),
        idempotency_fingerprint: key.map(|key| key.fingerprint().0),
    }
}
