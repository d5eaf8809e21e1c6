//! Tasks in PostgreSQL: one statement per operation, its owner in each.

#![expect(
    clippy::ref_option_ref,
    reason = "the code that diesel derives for a new row borrows each of its fields"
)]

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

use crate::lanes::{Lane, Lanes};
use crate::schema::tasks;
use crate::search::Folded;
use crate::statements::{UpdateTask, ping};

/// Restricts a selection to the tasks of an owner that match a filter. Each combination of conditions has one text.
/// A macro, because the type of what is selected differs.
macro_rules! matching {
    ($selection:expr, $owner:expr, $filter:expr) => {{
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
            let in_title = Folded(tasks::title).like(pattern.clone());
            let in_description = Folded(tasks::description).like(pattern);
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
fn page_of<'q>(owner: &'q Owner, query: &'q TaskQuery) -> TaskRows<'q> {
    let Sort { key, direction } = query.sort();
    let mut statement = matching!(tasks::table.select(TaskRow::as_select()), owner, query.filter());
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

fn names_of(statuses: &StatusSet) -> Vec<&'static str> {
    statuses.iter().map(Status::as_str).collect()
}

fn row_count(count: i64) -> u64 {
    u64::try_from(count).unwrap_or_default()
}

/// Keeps tasks in PostgreSQL, over the connections of one worker.
#[derive(Clone)]
pub struct PostgresTaskRepository {
    lanes: Arc<Lanes>,
}

impl PostgresTaskRepository {
    pub(crate) fn new(lanes: Lanes) -> Self {
        Self {
            lanes: Arc::new(lanes),
        }
    }

    /// Whether the row was stored; `false` if a row with its id or its key is in the way. Waits for the end of a
    /// transaction that is about to store such a row.
    async fn try_insert(&self, row: NewTaskRow<'_>) -> Result<bool, RepositoryError> {
        // No conflict target, so that one text covers the primary key and the idempotency key alike.
        let statement = diesel::insert_into(tasks::table)
            .values(row)
            .on_conflict_do_nothing();
        let stored = self.lanes.run(Lane::Work, |c| async move {
            statement.execute(&mut c.connection()).await
        });
        Ok(stored.await? == 1)
    }

    /// The task that an earlier creation with this key made, with the fingerprint of that creation.
    async fn holder_of(
        &self,
        owner: &Owner,
        key: &IdempotencyKey,
    ) -> Result<Option<(TaskRow, Option<Vec<u8>>)>, RepositoryError> {
        let statement = tasks::table
            .filter(tasks::user_id.eq(owner.as_str()))
            .filter(tasks::idempotency_key.eq(key.as_str()))
            .select((TaskRow::as_select(), tasks::idempotency_fingerprint));
        let rows = self.lanes.run(Lane::Work, |c| async move {
            statement.load(&mut c.connection()).await
        });
        Ok(rows.await?.into_iter().next())
    }

    /// Why a change met no row: the task is at another version, or there is no such task.
    async fn why_unmet(&self, owner: &Owner, id: TaskId, expected: &Expected) -> RepositoryError {
        if *expected == Expected::Any {
            return RepositoryError::NotFound;
        }
        match self.find(owner, id).await {
            Ok(Some(task)) => RepositoryError::VersionMismatch {
                current: task.version(),
            },
            Ok(None) => RepositoryError::NotFound,
            Err(error) => error,
        }
    }
}

#[async_trait]
impl TaskRepository for PostgresTaskRepository {
    async fn insert(&self, task: &Task, key: Option<IdempotencyKey>) -> Result<Inserted, RepositoryError> {
        // Twice, because the task that holds the key may be deleted between the refusal and our look at it.
        for _ in 0..2 {
            if self
                .try_insert(NewTaskRow::new(task.parts(), key.as_ref()))
                .await?
            {
                return Ok(Inserted::New);
            }
            let Some(key) = &key else { break };
            if let Some((row, fingerprint)) = self.holder_of(task.owner(), key).await? {
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
        let statement = tasks::table
            .filter(tasks::user_id.eq(owner.as_str()))
            .filter(tasks::id.eq(id.as_uuid()))
            .select(TaskRow::as_select());
        let rows = self.lanes.run(Lane::Read, |c| async move {
            statement.load(&mut c.connection()).await
        });
        rows.await?
            .into_iter()
            .next()
            .map(|row| row.into_task(owner))
            .transpose()
    }

    async fn list(&self, owner: &Owner, query: &TaskQuery) -> Result<Page<Task>, RepositoryError> {
        let sorted_by_key = query.sort().key == SortKey::CreatedAt;
        // Only what the primary key bounds may travel on the shared connection.
        let lane = if sorted_by_key && query.filter().is_empty() {
            Lane::Read
        } else {
            Lane::Work
        };
        let statement = page_of(owner, query);
        let rows: Vec<TaskRow> = self
            .lanes
            .run(lane, |c| async move { statement.load(&mut c.connection()).await })
            .await?;
        let items = rows
            .into_iter()
            .map(|row| row.into_task(owner))
            .collect::<Result<_, _>>()?;
        Ok(Page::of_one_more_than_asked(query, items))
    }

    async fn count(&self, owner: &Owner, filter: &TaskFilter) -> Result<u64, RepositoryError> {
        let statement = matching!(tasks::table.select(diesel::dsl::count_star()), owner, filter);
        let counts: Vec<i64> = self
            .lanes
            .run(Lane::Work, |c| async move {
                statement.load(&mut c.connection()).await
            })
            .await?;
        Ok(counts.into_iter().next().map(row_count).unwrap_or_default())
    }

    async fn summary(&self, owner: &Owner) -> Result<Summary, RepositoryError> {
        let statement = tasks::table
            .filter(tasks::user_id.eq(owner.as_str()))
            .group_by(tasks::status)
            .select((tasks::status, diesel::dsl::count_star()));
        let rows: Vec<(String, i64)> = self
            .lanes
            .run(Lane::Work, |c| async move {
                statement.load(&mut c.connection()).await
            })
            .await?;
        let mut summary = Summary::default();
        for (status, count) in rows {
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
            returning: TaskRow::as_select(),
        };
        // `load`, never `get_result`: that one answers before the commit is confirmed.
        let rows = self.lanes.run(Lane::Work, |c| async move {
            statement.load::<TaskRow>(&mut c.connection()).await
        });
        match rows.await?.into_iter().next() {
            Some(row) => row.into_task(owner),
            None => Err(self.why_unmet(owner, id, expected).await),
        }
    }

    async fn delete(&self, owner: &Owner, id: TaskId, expected: &Expected) -> Result<(), RepositoryError> {
        let statement = diesel::delete(
            tasks::table
                .filter(tasks::user_id.eq(owner.as_str()))
                .filter(tasks::id.eq(id.as_uuid())),
        );
        let deleted = match version_numbers(expected) {
            None => {
                self.lanes
                    .run(Lane::Work, |c| async move {
                        statement.execute(&mut c.connection()).await
                    })
                    .await?
            }
            Some(versions) => {
                let statement = statement.filter(tasks::version.eq_any(versions));
                self.lanes
                    .run(Lane::Work, |c| async move {
                        statement.execute(&mut c.connection()).await
                    })
                    .await?
            }
        };
        if deleted == 1 {
            Ok(())
        } else {
            Err(self.why_unmet(owner, id, expected).await)
        }
    }

    async fn delete_with_status(&self, owner: &Owner, statuses: &StatusSet) -> Result<u64, RepositoryError> {
        let statement = diesel::delete(
            tasks::table
                .filter(tasks::user_id.eq(owner.as_str()))
                .filter(tasks::status.eq_any(names_of(statuses))),
        );
        let deleted = self.lanes.run(Lane::Work, |c| async move {
            statement.execute(&mut c.connection()).await
        });
        Ok(deleted.await? as u64)
    }
}

#[async_trait]
impl StorageHealth for PostgresTaskRepository {
    async fn check(&self) -> Result<(), RepositoryError> {
        self.lanes
            .run(Lane::Read, |c| async move { ping(c.connection()).await })
            .await
    }

    fn is_degraded(&self) -> bool {
        self.lanes.is_degraded()
    }
}

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
    fn into_task(self, owner: &Owner) -> Result<Task, RepositoryError> {
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

fn corrupt(error: impl Into<Cause>) -> RepositoryError {
    RepositoryError::Corrupt(error.into())
}

/// A task as a row to be stored. `treat_none_as_default_value = false` keeps the text of the statement fixed, so
/// that diesel prepares it once.
#[derive(Insertable)]
#[diesel(table_name = tasks, treat_none_as_default_value = false)]
struct NewTaskRow<'a> {
    user_id: &'a str,
    id: Uuid,
    created_at: DateTime<Utc>,
    updated_at: DateTime<Utc>,
    version: i32,
    status: &'static str,
    title: &'a str,
    description: Option<&'a str>,
    idempotency_key: Option<&'a str>,
    idempotency_fingerprint: Option<Vec<u8>>,
}

impl<'a> NewTaskRow<'a> {
    fn new(task: &'a TaskParts, key: Option<&'a IdempotencyKey>) -> Self {
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
        Self {
            user_id: owner.as_str(),
            id: id.as_uuid(),
            created_at: *created_at,
            updated_at: *updated_at,
            version: version.get(),
            status: status.as_str(),
            title: title.as_str(),
            description: description.as_ref().map(Description::as_str),
            idempotency_key: key.map(IdempotencyKey::as_str),
            idempotency_fingerprint: key.map(|key| key.fingerprint().0.to_vec()),
        }
    }
}
